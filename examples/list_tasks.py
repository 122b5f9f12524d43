"""List threads from inside the kernel, as ps does from /proc: an iterator over tasks (the kernel's bpf_iter_task).

Needs root and BTF (Linux 5.8): sudo python list_tasks.py
"""

from typing import Annotated

from pybpf import Struct, bpf_iter, char, load, u32
from pybpf import helpers as bpf


class Task(Struct):
    pid: u32  # of the thread
    tgid: u32  # of the process
    ppid: u32
    comm: Annotated[bytes, char, 16]


@bpf_iter("task")
def each(ctx):
    task = ctx.task
    if task is None:  # once more, after the last one
        return 0
    row = Task(pid=u32(task.pid), tgid=u32(task.tgid), ppid=u32(task.real_parent.tgid))
    bpf.probe_read_kernel_str(row.comm, task.comm)
    bpf.seq_write(ctx.meta.seq, row)
    return 0


def tasks() -> list[Task]:
    with load(each) as prog, prog.attach() as link:
        return list(link.records(Task))


def main() -> None:
    for task in tasks():
        print(f"{task.pid:>7} {task.tgid:>7} {task.ppid:>7} {task.comm.decode()}")


if __name__ == "__main__":
    main()
