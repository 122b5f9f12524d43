"""Tell when sync is called twice within a second, and how often it was called.  Needs root: sudo python sync_timing.py"""

from pybpf import Global, RingBuf, Struct, load, tracepoint, u64
from pybpf import helpers as bpf


class Again(Struct):
    number: u64  # how many calls there have been
    ns: u64  # since the one before


calls = Global(u64)
last = Global(u64)
quick = RingBuf(Again, size=4096)


@tracepoint("syscalls/sys_enter_sync")
def on_sync(ctx):
    now = bpf.ktime_get_ns()
    since = now - last.value
    last.value = now
    calls.value += 1
    if calls.value > 1 and since < 1_000_000_000:
        quick.output(Again(number=calls.value, ns=since))


def main() -> None:
    with load(on_sync) as prog, prog.attach():
        for again in prog[quick]:
            print(f"sync number {again.number}, {again.ns / 1e6:.1f} ms after the last one")


if __name__ == "__main__":
    main()
