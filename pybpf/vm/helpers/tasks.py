"""Kernel functions on tasks: iteration, and memory of processes read into dynptrs.  There is one task, the current one."""

from __future__ import annotations

from errno import EINVAL

from .table import kfunc, model

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..run import Run

_ALL_PROCS, _ALL_THREADS, _PROC_THREADS = range(3)  # BPF_TASK_ITER_*


@model
def task_pt_regs(run: Run, task: int) -> int:
    """The registers that the environment's `registers` are: fields of struct pt_regs by name."""
    return run.vm.objects.task_registers()


# struct bpf_iter_task is 24 bytes; here {the task to come next}.


@kfunc(3)
def bpf_iter_task_new(run: Run, it: int, task: int, flags: int) -> int:
    flags &= 0xFFFFFFFF
    wrong = flags > _PROC_THREADS or (flags == _PROC_THREADS and not task)
    run.mem.write(it, (0 if wrong else run.current_task()).to_bytes(8, "little") + bytes(16))
    return -EINVAL if wrong else 0


@kfunc(1)
def bpf_iter_task_next(run: Run, it: int) -> int:
    found = run.mem.load(it, 8)
    run.mem.store(it, 8, 0)
    return found


@kfunc(1)
def bpf_iter_task_destroy(run: Run, it: int) -> int:
    run.mem.write(it, bytes(24))
    return 0
