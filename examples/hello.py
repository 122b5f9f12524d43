"""Say hello in the trace pipe whenever a program is started.  Needs root and tracefs: sudo python hello.py"""

from pybpf import helpers as bpf
from pybpf import load, printk, tracepoint


@tracepoint("syscalls/sys_enter_execve")
def hello(ctx):
    printk(f"hello from {bpf.get_current_pid_tgid() >> 32}")


def main() -> None:
    with load(hello) as prog, prog.attach(), open("/sys/kernel/tracing/trace_pipe") as pipe:
        for line in pipe:
            print(line, end="")


if __name__ == "__main__":
    main()
