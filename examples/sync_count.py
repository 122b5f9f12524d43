"""Print how many times sync was called so far, at each call: bcc's sync_count.py.

Needs root and tracefs: sudo python sync_count.py
"""

from pybpf import HashMap, RingBuf, Struct, load, tracepoint, u32, u64
from pybpf import helpers as bpf


class Call(Struct):
    ms: u64  # since the call before; 0 for the first one
    number: u64


state = HashMap(u32, u64, max_entries=2)  # 0: when the last call was, 1: how many there were
calls = RingBuf(Call, size=4096)


@tracepoint("syscalls/sys_enter_sync")
def on_sync(ctx):
    now = bpf.ktime_get_ns()
    before = state.get(0)
    since = 0 if before is None else (now - before) // 1_000_000
    state[0] = now
    state[1] += 1
    calls.output(Call(since, state[1]))


def main() -> None:
    with load(on_sync) as prog, prog.attach():
        for call in prog[calls]:
            print(f"sync number {call.number}, {call.ms} ms after the last one")


if __name__ == "__main__":
    main()
