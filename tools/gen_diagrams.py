"""Draw the diagrams of the documentation: hooks in the network, hooks in tracing, the floors of the architecture.

python tools/gen_diagrams.py            # write docs/diagrams/*.svg
python tools/gen_diagrams.py --check    # fail when a file is not what this tool draws
"""

from __future__ import annotations

import sys
from html import escape
from pathlib import Path

OUT = Path(__file__).resolve().parent.parent / "docs" / "diagrams"
STYLE = """
text { font: 13px system-ui, sans-serif; fill: #1b1f24 }
.small { font-size: 11px; fill: #57606a }
.title { font-weight: 600 }
.hook { fill: #dbeafe; stroke: #2563eb }
.plain { fill: #f6f8fa; stroke: #8c959f }
.line { stroke: #57606a; stroke-width: 1.5; fill: none }
.head { fill: #57606a }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3 } .small { fill: #9da7b3 }
  .hook { fill: #1e3a5f; stroke: #60a5fa } .plain { fill: #21262d; stroke: #6e7681 }
  .line { stroke: #9da7b3 } .head { fill: #9da7b3 }
}
"""


def box(x: int, y: int, width: int, height: int, lines: list[str], *, hook: bool) -> str:
    """A box with its first line as title and the others small below it."""
    top = y + height / 2 - (len(lines) - 1) * 8 + 4
    parts = [f'<rect x="{x}" y="{y}" width="{width}" height="{height}" rx="6" class="{"hook" if hook else "plain"}"/>']
    for i, line in enumerate(lines):
        kind = "title" if i == 0 else "small"
        parts.append(
            f'<text x="{x + width / 2:g}" y="{top + 16 * i:g}" text-anchor="middle" class="{kind}">{escape(line)}</text>'
        )
    return "\n".join(parts)


def arrow(points: list[tuple[int, int]]) -> str:
    path = " ".join(f"{x},{y}" for x, y in points)
    return f'<polyline points="{path}" class="line" marker-end="url(#head)"/>'


def label(x: int, y: int, text: str, anchor: str = "start") -> str:
    return f'<text x="{x}" y="{y}" text-anchor="{anchor}" class="small">{escape(text)}</text>'


def picture(width: int, height: int, title: str, parts: list[str]) -> str:
    size = f'width="{width}" height="{height}"'
    head = '<path d="M0,0 L8,4 L0,8 z" class="head"/>'
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" {size} role="img">',
            f"<title>{escape(title)}</title>",
            f"<style>{STYLE}</style>",
            f'<defs><marker id="head" markerWidth="8" markerHeight="8" refX="7" refY="4" orient="auto">{head}</marker></defs>',
            *parts,
            "</svg>",
            "",
        ]
    )


def network() -> str:
    """A stack: the process above, the device below; packets come in upward on the left and leave downward on the right."""
    incoming = [
        (["XDP"], True),
        (["tcpdump listens here"], False),
        (["tc ingress: SCHED_CLS"], True),
        (["netfilter: prerouting"], True),
        (["route: LWT_IN"], True),
        (["netfilter: input"], True),
        (["look-up: SK_LOOKUP, SK_REUSEPORT"], True),
        (["cgroup: CGROUP_SKB ingress"], True),
        (["socket: SOCKET_FILTER, SK_SKB"], True),
    ]
    outgoing = [
        (["tcpdump listens here"], False),
        (["tc egress: SCHED_CLS"], True),
        (["route: LWT_XMIT"], True),
        (["cgroup: CGROUP_SKB egress"], True),
        (["netfilter: postrouting"], True),
        (["route: LWT_OUT"], True),
        (["netfilter: output"], True),
        (["TCP: SOCK_OPS"], True),
        (["sendmsg: SK_MSG"], True),
    ]
    width, height, step, top = 300, 34, 50, 88
    calls = ["process in a cgroup", "socket, bind, connect, setsockopt: CGROUP_SOCK, CGROUP_SOCK_ADDR, CGROUP_SOCKOPT"]
    bottom = top + step * len(incoming)
    parts = [
        box(16, 16, 2 * width + 24, 52, calls, hook=True),
        box(16, bottom, 2 * width + 24, height, ["network device"], hook=False),
    ]
    for left, cells, up in ((16, incoming, True), (16 + width + 24, outgoing, False)):
        middle = left + width // 2
        for i, (lines, hook) in enumerate(reversed(cells)):
            parts.append(box(left, top + step * i, width, height, lines, hook=hook))
        for i in range(len(cells) + 1):
            above, below = top + step * i - 14 - (4 if i == 0 else 0), top + step * i - 2
            parts.append(arrow([(middle, below), (middle, above)] if up else [(middle, above), (middle, below)]))
    y = bottom + height + 28
    for x, text, hook in ((16, "programs run here", True), (200, "they do not", False)):
        parts += [box(x, y - 12, 20, 14, [""], hook=hook), label(x + 28, y, text)]
    return picture(2 * width + 56, y + 14, "Hooks on the way of a packet", parts)


def tracing() -> str:
    rows: list[tuple[str, list[list[str]]]] = [
        ("user space", [["function of a program", "uprobe, uretprobe"], ["tracing point of a program", "USDT"]]),
        (
            "system call",
            [["enter and exit", "tracepoint syscalls/..."], ["function of the call", "ksyscall, kretsyscall"]],
        ),
        (
            "security",
            [["may it?", "LSM, fmod_ret: may say no"], ["cgroup hooks", "device, sysctl, sockopt: may say no"]],
        ),
        ("kernel", [["functions", "fentry, fexit, kprobe"], ["marked places", "tracepoint, raw_tracepoint, tp_btf"]]),
        ("processor", [["counters overflow", "perf_event: cycles, cache misses"], ["clock", "perf_event: cpu-clock"]]),
    ]
    parts = []
    for i, (name, cells) in enumerate(rows):
        y = 16 + 74 * i
        parts.append(label(16, y + 33, name))
        for j, lines in enumerate(cells):
            parts.append(box(110 + 310 * j, y, 290, 54, lines, hook=True))
        if i:
            parts.append(arrow([(255, y - 18), (255, y - 3)]))
    return picture(726, 392, "Hooks of tracing, from user space down", parts)


def architecture() -> str:
    floors = [
        ("F6", ["cli, testing", "the command; the pytest plugin"]),
        ("F5", ["loader, live", "live programs and collections: load, test run, attach"]),
        ("F4", ["maps, events, links, features", "live maps, readers, attachments, probes"]),
        ("F3", ["dsl, verifier, vm, elf, cbpf", "pure: specs in, specs and reports out"]),
        ("F2", ["spec, declared, types, mapview, net, btf, kernel", "descriptions, types, the kernel's rules as data"]),
        ("F1", ["asm  |  syscall", "the instruction set; the only door to the kernel"]),
        ("F0", ["errors, source, lazy, uapi", "exceptions, places in texts, names on first use, constants"]),
    ]
    parts = []
    for i, (name, lines) in enumerate(floors):
        y = 16 + 66 * i
        parts.append(label(16, y + 30, name))
        parts.append(box(50, y, 460, 50, lines, hook=name in ("F3", "F2", "F0")))
        if i:
            parts.append(arrow([(280, y - 15), (280, y - 2)]))
    parts.append(label(50, 492, "Imports go down only. Blue floors never touch the kernel, and neither does asm."))
    return picture(540, 508, "The floors of pybpf", parts)


PICTURES = {"network.svg": network, "tracing.svg": tracing, "architecture.svg": architecture}


def main() -> int:
    drawn = {OUT / name: draw() for name, draw in PICTURES.items()}
    if "--check" in sys.argv:
        stale = [path for path, text in drawn.items() if not (path.exists() and path.read_text() == text)]
        for path in stale:
            print(f"{path.relative_to(OUT.parent.parent)} is not what the tool draws: run python tools/gen_diagrams.py")
        return bool(stale)
    OUT.mkdir(exist_ok=True)
    for path, text in drawn.items():
        path.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
