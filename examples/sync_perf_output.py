"""Tell when sync is called twice within a second, by events through a perf buffer: bcc's sync_perf_output lesson.

Needs root and tracefs: sudo python sync_perf_output.py
"""

from pybpf import HashMap, PerfEventArray, Struct, load, tracepoint, u32, u64
from pybpf import helpers as bpf


class Again(Struct):
    at: u64  # nanoseconds since boot
    since: u64  # nanoseconds since the call before


last = HashMap(u32, u64, max_entries=1)
events = PerfEventArray(Again)


@tracepoint("syscalls/sys_enter_sync")
def on_sync(ctx):
    now = bpf.ktime_get_ns()
    before = last.get(0)
    if before is not None and now - before < 1_000_000_000:
        events.output(Again(at=now, since=now - before))
    last[0] = now


def main() -> None:
    with load(on_sync) as prog, prog.attach():
        first = 0
        for event in prog[events]:
            first = first or event.at
            print(f"at {(event.at - first) / 1e9:.2f} s: two syncs, {event.since / 1e6:.0f} ms apart")


if __name__ == "__main__":
    main()
