"""Tasks and their memory: iteration over both, and look-ups.  There are the current task and those of `env.tasks`."""

from __future__ import annotations

from errno import EINVAL, ENOENT

from .table import kfunc, model

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..run import Run

_ALL_PROCS, _ALL_THREADS, _PROC_THREADS = range(3)  # BPF_TASK_ITER_*
_END = (1 << 64) - 1


@model
def task_pt_regs(run: Run, task: int) -> int:
    """The registers that the environment's `registers` are: fields of struct pt_regs by name."""
    return run.vm.objects.task_registers()


@kfunc(1)
def bpf_task_from_pid(run: Run, pid: int) -> int:
    objects = run.vm.objects
    return next((objects.task(one) for one in objects.tasks() if one.pid == pid & 0xFFFFFFFF), 0)


@kfunc(1)
def bpf_task_from_vpid(run: Run, vpid: int) -> int:
    return bpf_task_from_pid(run, vpid) or 0


@kfunc(1)
def bpf_task_acquire(run: Run, p: int) -> int:
    return p


@kfunc(1)
def bpf_task_release(run: Run, p: int) -> int:
    return 0


# struct bpf_iter_task is 24 bytes; here {task that was asked for, flags, how many tasks have been given}.


@kfunc(3)
def bpf_iter_task_new(run: Run, it: int, task: int, flags: int) -> int:
    flags &= 0xFFFFFFFF
    wrong = flags > _PROC_THREADS or (flags == _PROC_THREADS and not task)
    run.mem.write(it, bytes(24))
    run.mem.store(it, 8, _END if wrong else task)
    run.mem.store(it + 8, 4, flags)
    return -EINVAL if wrong else 0


def _walk(run: Run, first: int, flags: int) -> list[int]:
    """The tasks from `first` on (0: from the beginning); of one process, or the first of each process."""
    objects = run.vm.objects
    all_ = {objects.task(one): one for one in objects.tasks()}
    if flags == _PROC_THREADS:
        process = all_[first].tgid if first in all_ else None
        return [first, *(at for at, one in all_.items() if one.tgid == process and at != first)]
    if flags == _ALL_PROCS:
        leaders: dict[int, int] = {}
        for at, one in all_.items():
            if one.pid == one.tgid or one.tgid not in leaders:
                leaders[one.tgid] = at
        order = list(leaders.values())
    else:
        order = list(all_)
    return order[order.index(first) :] if first in order else order if not first else []


@kfunc(1)
def bpf_iter_task_next(run: Run, it: int) -> int:
    first, given = run.mem.load(it, 8), run.mem.load(it + 16, 8)
    tasks = [] if first == _END else _walk(run, first, run.mem.load(it + 8, 4))
    run.mem.store(it + 16, 8, given + 1)
    return tasks[given] if given < len(tasks) else 0


@kfunc(1)
def bpf_iter_task_destroy(run: Run, it: int) -> int:
    run.mem.write(it, bytes(24))
    return 0


@model
def find_vma(run: Run, task: int, addr: int, callback_fn: int, callback_ctx: int, flags: int) -> int:
    """Calls the program for the area of memory that an address lies in, as `env.areas` has them."""
    if flags:
        return -EINVAL
    if task != run.current_task():
        return -ENOENT
    area = next((one for one in run.vm.objects.areas() if one[0] <= addr < one[1]), None)
    if area is None:
        return -ENOENT
    run.callback(callback_fn, task, run.vm.objects.area(area), callback_ctx)
    return 0


# struct bpf_iter_task_vma is 8 bytes; here {address from which to look on}.


@kfunc(3)
def bpf_iter_task_vma_new(run: Run, it: int, task: int, addr: int) -> int:
    mine = task == run.current_task()
    run.mem.store(it, 8, addr if mine else _END)
    return 0 if mine else -ENOENT


@kfunc(1)
def bpf_iter_task_vma_next(run: Run, it: int) -> int:
    begin = run.mem.load(it, 8)
    area = next((one for one in run.vm.objects.areas() if one[1] > begin), None)
    run.mem.store(it, 8, area[1] if area is not None else _END)
    return run.vm.objects.area(area) if area is not None else 0


@kfunc(1)
def bpf_iter_task_vma_destroy(run: Run, it: int) -> int:
    run.mem.store(it, 8, 0)
    return 0
