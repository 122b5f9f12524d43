"""A histogram of the sizes of write() calls, in powers of two.  Needs root and tracefs: sudo python write_sizes.py"""

import time

from pybpf import PerCpuArray, load, tracepoint, u64

sizes = PerCpuArray(u64, max_entries=33)


def log2(x):
    """How many bits x has."""
    bits = 0
    for step in (16, 8, 4, 2, 1):
        if x >> step != 0:
            x >>= step
            bits += step
    return bits if x == 0 else bits + 1


@tracepoint("syscalls/sys_enter_write")
def on_write(ctx):
    sizes[log2(min(ctx.count, 0xFFFFFFFF))] += 1


def histogram(counts: list[int]) -> str:
    """Bars for the rows from the first to the last that is not 0."""
    used = [i for i, n in enumerate(counts) if n]
    if not used:
        return "nothing was written"
    most = max(counts)
    lines = []
    for i in range(used[0], used[-1] + 1):
        low, high = (0, 0) if i == 0 else (1 << i - 1, (1 << i) - 1)
        lines.append(f"{low:>10} .. {high:<10} {counts[i]:>8} |{'*' * (40 * counts[i] // most):40}|")
    return "\n".join(lines)


def main(seconds: float = 5) -> None:
    with load(on_write) as prog, prog.attach():
        time.sleep(seconds)
        print(histogram([sum(prog[sizes][i]) for i in range(33)]))


if __name__ == "__main__":
    main()
