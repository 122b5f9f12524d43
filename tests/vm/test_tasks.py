"""Tasks and what is mapped in them: iterators and look-ups, of this process in the kernel and of the same facts offline."""

from __future__ import annotations

import os
import subprocess
import threading
from errno import ENOENT
from pathlib import Path

import pytest

from pybpf import VM, Array, HashMap, bpf_iter, bpf_syscall, kernel_iter, load, rcu, u32, u64
from pybpf import helpers as bpf
from pybpf.vm import Task

kernel_types = pytest.mark.skipif(not os.path.exists("/sys/kernel/btf/vmlinux"), reason="the kernel has no BTF")
FLAGS = {"r": 1, "w": 2, "x": 4, "s": 8}  # VM_READ, VM_WRITE, VM_EXEC, VM_SHARED
areas_of = kernel_iter("task_vma")
tasks_of = kernel_iter("task")
found = Array(u64, max_entries=4, name="found")
seen = HashMap(u32, u64, max_entries=4096, name="seen")


def remember(task, vma, context):
    found[0] = vma.vm_start
    found[1] = vma.vm_end
    found[2] = vma.vm_flags & 15
    return 0


@bpf_syscall
def area_at(ctx):
    return bpf.find_vma(bpf.get_current_task_btf(), found[3], remember, None, 0)


@bpf_syscall
def areas(ctx):
    n = u32(0)
    for vma in areas_of(bpf.get_current_task_btf(), found[3]):
        if n >= 4000:
            break
        seen[n] = vma.vm_start
        n += 1
    return n


@bpf_syscall
def tasks(ctx):
    n = 0
    with rcu():
        for task in tasks_of(None, u32(found[3])):
            seen[u32(task.pid)] = u64(task.tgid)
            n += 1
    return n


def mapped() -> list[tuple[int, int, int]]:
    """What this process has mapped, its vsyscall page excepted, which is no area of its own."""
    out = []
    for line in Path("/proc/self/maps").read_text().splitlines():
        span, rights, *rest = line.split()
        if rest[-1] != "[vsyscall]":
            begin, end = (int(part, 16) for part in span.split("-"))
            out.append((begin, end, sum(FLAGS.get(letter, 0) for letter in rights)))
    return out


def outcome(machine, run, address: int) -> tuple[int, list[int]]:
    for i in range(3):
        machine[found][i] = 0
    machine[found][3] = address
    return run().retval, list(machine[found].values())


@pytest.mark.kernel
@kernel_types
def test_the_area_of_an_address():
    with load(area_at) as prog:
        vm = VM(area_at)
        vm.env.areas = mapped()
        stack, code = vm.env.areas[-1], vm.env.areas[0]
        for address in (stack[0], stack[1] - 1, code[0], code[0] + 5, code[0] - 1, 0, 1 << 46):
            assert outcome(vm, vm.run, address) == outcome(prog, prog.test_run, address), hex(address)


@pytest.mark.kernel
@kernel_types
@pytest.mark.parametrize("place", [0, 1, 10])
def test_areas_from_an_address_on(place):
    with load(areas) as prog:
        vm = VM(areas)
        vm.env.areas = mapped()
        address = vm.env.areas[place][0] + 1
        theirs, ours = outcome(prog, prog.test_run, address)[0], outcome(vm, vm.run, address)[0]
        # Python may map more memory between the two looks at it.
        assert abs(theirs - ours) <= 3
        assert [vm[seen][i] for i in range(5)] == [prog[seen][i] for i in range(5)]


@pytest.mark.kernel
@kernel_types
def test_tasks_are_those_of_the_system():
    """Of all tasks of the system, those of this process: it has a thread, which is a task and no process."""
    done = threading.Event()
    thread = threading.Thread(target=done.wait)
    thread.start()
    child = subprocess.Popen(["sleep", "60"])
    try:
        pid, other = os.getpid(), thread.native_id
        with load(tasks) as prog:
            vm = VM(tasks, pid=pid)
            vm.env.tasks = [Task(other, tgid=pid), Task(child.pid)]
            for flags in (0, 1):
                for machine, run in ((prog, prog.test_run), (vm, vm.run)):
                    machine[seen].clear()
                    machine[found][3] = flags
                    run()
                for number in (pid, other, child.pid):
                    assert vm[seen].get(number) == prog[seen].get(number), (flags, number)
    finally:
        done.set()
        thread.join()
        child.kill()
        child.wait()


@kernel_types
def test_areas_are_what_the_test_put_into_memory():
    vm = VM(area_at)
    text = vm.user_string("hello")
    assert outcome(vm, vm.run, text) == (0, [text, text + 4096, 3, text])
    assert outcome(vm, vm.run, text + 4095)[0] == 0
    assert outcome(vm, vm.run, text + 4096)[0] == -ENOENT & 0xFFFFFFFF


@bpf_iter("task")
def names(ctx):
    task = ctx.task
    if task is not None:
        bpf.seq_write(ctx.meta.seq, task.comm, 16)
    return 0


@kernel_types
@pytest.mark.parametrize("engine", ["interpreter", "translator"])
def test_a_task_for_an_iterator(engine):
    vm = VM(names, engine=engine)
    assert vm.run(ctx={"task": Task(7, comm="sh")}).seq == b"sh".ljust(16, b"\0")
    assert vm.run(ctx=[0, Task(8, comm=b"zsh")]).seq == b"zsh".ljust(16, b"\0")
    assert vm.run(ctx={"task": 0}).seq == b""
