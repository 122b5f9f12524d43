"""Whole programs: the functions, the program, and the one that it may jump to."""

from __future__ import annotations

from . import hooks, storage  # noqa: F401 (their constructs)
from .declarations import heading, leaves
from .functions import write_callback, write_function, write_ring, write_wake
from .numbers import expression
from .packets import from_context, view
from .statements import statements
from .writer import Writer


def program(seed: int, isa: int = 3, kernel: str = "6.18", size: int = 10) -> str:
    """The text of a file that declares a program, `main`, and what it needs."""
    major, minor = kernel.split(".")[:2]
    w = Writer(seed, isa, (int(major), int(minor)))
    w.kind = w.choose(*["xdp"] * 4, *["sched_cls"] * 3, "lwt_xmit", "cgroup_egress", "sk_lookup")
    if w.kernel >= (5, 15) and w.chance(0.2):
        write_wake(w)
    if w.kernel >= (5, 15) and w.chance(0.2):
        write_ring(w)
    for _ in range(w.random.randint(0, 2)):
        write_function(w)
    if w.kernel >= (5, 13) and w.chance(0.3):
        write_callback(w)
    decorator = f'@{w.kind}(isa={isa}, kernel="{kernel}")'
    write_main(w, decorator, size)
    text = "\n".join(w.lines) + "\n"
    if "jumps." in text:
        text += f"\n\n{decorator}\ndef after(ctx):\n    seen.value += 1000\n    return {w.random.randrange(3)}\n"
    return heading(text) + "\n\n" + text


def write_main(w: Writer, decorator: str, size: int) -> None:
    w.add(decorator)
    most = 1 if w.kind == "sk_lookup" else 3
    w.begin({}, lambda: f"({expression(w, 'u8', 1)}) & {most}")
    w.context = "ctx"
    with w.block("def main(ctx):"):
        if w.kind == "sk_lookup":
            from_context(w, "p")
        else:
            view(w, "p", "Input")
        for leaf in w.random.sample(leaves("Input"), 5):
            name = leaf.path[1:]
            w.add(
                f"{name} = {leaf.kind}(p.{name})" if leaf.bits and leaf.kind in ("u32", "s32") else f"{name} = p.{name}"
            )
            w.names[name] = leaf.kind
        w.places["seen.value"] = w.shared["seen.value"] = "u64"
        statements(w, size)
        total = " ^ ".join(f"u64({name})" for name in w.names)
        w.add(f"seen.value = u64(seen.value + ({total}))")
        w.add(f"return u8(seen.value) & {most}" if w.chance(0.5) else "return 1")
