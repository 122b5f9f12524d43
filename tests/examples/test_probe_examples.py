"""Examples of kprobes and security hooks.  They run where the kernel has them: `python -m tools.guests 6.12 -- ...`."""

from __future__ import annotations

import mmap
import os
import signal
import socket
import subprocess
import time
from pathlib import Path

import pytest

from pybpf import NotSupportedError, load
from pybpf.links.perf import pmu_type

pytestmark = pytest.mark.kernel


@pytest.fixture
def kprobes():
    try:
        pmu_type("kprobe")
    except NotSupportedError as error:
        pytest.skip(str(error))


@pytest.fixture
def bpf_lsm():
    active = Path("/sys/kernel/security/lsm")
    if not active.exists() or "bpf" not in active.read_text().split(","):
        pytest.skip("bpf is not among the security modules of this kernel")


def test_vfs_read_latency(example, kprobes):
    module = example("vfs_read_latency")
    with module.start() as objs, open("/dev/zero", "rb", buffering=0) as zero:
        for _ in range(200):
            zero.read(100)
        counts = [objs[module.times][i].sum() for i in range(module.SLOTS)]
    assert sum(counts) >= 200
    assert "us" in module.histogram(counts)


def test_packets_in_the_stack(example, kprobes):
    module = example("packets_in_the_stack")
    with (
        load(module.on_packet) as prog,
        prog.attach(),
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock,
    ):
        sock.bind(("127.0.0.1", 0))
        for size in (100, 200):
            sock.sendto(bytes(size), sock.getsockname())
            sock.recv(300)
        seen = [(p.device, p.length) for p in prog[module.packets].drain()]
    assert [packet for packet in seen if packet[1] in (128, 228)] == [(b"lo", 128), (b"lo", 228)]


def test_read_counter(example, kprobes):
    module = example("read_counter")

    def read_and_touch() -> int:
        """The counter of this CPU at a read(), after some page faults."""
        with mmap.mmap(-1, 50 * 4096) as memory, open("/dev/zero", "rb", buffering=0) as zero:
            for i in range(0, len(memory), 4096):
                memory[i] = 1
            zero.read(1)
        return prog[module.last][cpu].counter

    cpu = min(os.sched_getaffinity(0))
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {cpu})
    try:
        with module.start() as prog:
            first, second = read_and_touch(), read_and_touch()
            assert second > first
            assert prog[module.last][cpu].enabled >= prog[module.last][cpu].running > 0
    finally:
        os.sched_setaffinity(0, before)


def test_unkillable(example, bpf_lsm):
    module = example("unkillable")
    child = subprocess.Popen(["sleep", "60"])
    try:
        with load(module.shield) as prog, prog.attach():
            prog[module.shielded][0] = child.pid
            with pytest.raises(PermissionError):
                os.kill(child.pid, signal.SIGKILL)
            assert prog[module.refused][0] == 1
            time.sleep(0.1)
            assert child.poll() is None
        os.kill(child.pid, signal.SIGKILL)
        assert child.wait(10) == -signal.SIGKILL
    finally:
        if child.poll() is None:
            child.kill()
            child.wait()


def test_execve_can_be_hooked_in_all_six_ways(example, kprobes, tracefs):
    """The test beside this one takes what the kernel has; here it has everything."""
    module = example("hook_execve")
    there, missing = module.attach()
    try:
        for _ in range(3):
            subprocess.run(["/bin/true"], check=True)
        counts = module.counts(there)
    finally:
        for objs in there.values():
            objs.close()
    assert not missing
    assert set(counts) == {way.name for way in module.WAYS}
    assert all(n >= 3 for n in counts.values()), counts
