"""Where CPUs spend their time: stacks sampled, folded, and drawn as a flame graph.  bcc's profile, the kernel's trace_event.

Needs root: sudo python profile_stacks.py [PID [SECONDS]] > flames.svg; the folded stacks go to stderr
"""

import sys
import time
from html import escape

from pybpf import Global, HashMap, StackTrace, Struct, char, load, perf_event, s64, u32, u64
from pybpf import helpers as bpf

USER = 1 << 8  # BPF_F_USER_STACK


class Where(Struct):
    pid: u32
    kernel: s64  # ids of stacks, or negative
    user: s64
    comm: char[16]


only = Global(u32)  # a process, or 0 for all
stacks = StackTrace(max_entries=16384)
counts = HashMap(Where, u64, max_entries=10240)


@perf_event
def sample(ctx):
    pid = bpf.get_current_pid_tgid() >> 32
    if only.value != 0 and pid != only.value:
        return 0
    where = Where(pid=pid, kernel=stacks.stack_id(), user=stacks.stack_id(USER))
    bpf.get_current_comm(where.comm)
    counts[where] += 1
    return 0


def folded(prog) -> dict[tuple[str, ...], int]:
    """Samples by stack, from the outermost function to the innermost, below the name of the process."""
    found: dict[tuple[str, ...], int] = {}
    for where, n in prog[counts].items():
        names = [where.comm.decode(errors="replace")]
        for stack, pid in ((where.user, where.pid), (where.kernel, None)):
            if stack >= 0:
                names += [frame.name or "?" for frame in reversed(traced(prog[stacks], stack, pid))]
        found[tuple(names)] = found.get(tuple(names), 0) + n
    return found


def traced(live, stack: int, pid: int | None):
    try:
        return live.frames(stack, pid)
    except (KeyError, FileNotFoundError):  # the stack was replaced by another, or the process is gone
        return []


def flames(found: dict[tuple[str, ...], int], width: int = 1200, height: int = 16) -> str:
    """The stacks as SVG: a box for each function, as wide as its part of the samples, on top of the one that called it."""
    boxes: dict[tuple[str, ...], int] = {}
    for names, n in found.items():
        for depth in range(len(names) + 1):
            boxes[names[:depth]] = boxes.get(names[:depth], 0) + n
    total, deepest = boxes.get((), 0) or 1, max(map(len, boxes), default=0)
    left: dict[tuple[str, ...], float] = {(): 0.0}
    used: dict[tuple[str, ...], float] = {}
    rows = []
    for names in sorted(boxes, key=lambda names: (len(names), names)):
        share = boxes[names] * width / total
        if names:
            above = names[:-1]
            left[names] = left[above] + used.get(above, 0.0)
            used[above] = used.get(above, 0.0) + share
        label = escape(names[-1] if names else "all")
        y = (deepest - len(names)) * height
        color = f"hsl({sum(label.encode()) % 50}, 90%, 65%)"
        shown = label if share > 7 * len(label) else ""
        rows.append(
            f'<g><title>{label}: {boxes[names]}</title><rect x="{left[names]:.1f}" y="{y}" width="{share:.1f}" '
            f'height="{height - 1}" fill="{color}"/><text x="{left[names] + 3:.1f}" y="{y + 12}">{shown}</text></g>'
        )
    size = f'width="{width}" height="{(deepest + 1) * height}"'
    style = "<style>text { font: 11px monospace }</style>"
    return "\n".join([f'<svg xmlns="http://www.w3.org/2000/svg" {size}>{style}', *rows, "</svg>"])


def main(pid: str = "0", seconds: str = "5") -> None:
    with load(sample) as prog:
        prog[only][0] = int(pid)
        with prog.attach("cpu-clock", frequency=99):
            time.sleep(float(seconds))
        found = folded(prog)
    for names, n in found.items():
        print(";".join(names), n, file=sys.stderr)
    print(flames(found))


if __name__ == "__main__":
    main(*sys.argv[1:])
