"""Functions called from programs: inlined ones, one called as in C, and a callback.

Needs nothing but root: sudo python calls.py NUMBER
"""

import sys

from pybpf import Array, Struct, bpf_syscall, load, subprogram, u32, u64
from pybpf import helpers as bpf


class Numbers(Struct):
    n: u32
    smallest_factor: u32
    sum: u64


results = Array(Numbers, max_entries=1)


def divides(d, n):  # plain Python: inlined where it is used
    return n % d == 0


@subprogram  # compiled once, and called
def smallest_factor(n: u32) -> u32:
    for d in range(2, 256):
        if divides(d, n):
            return d
    return n


def add(i, total):  # a callback: one round of bpf_loop
    total.sum += i
    return 0


@bpf_syscall
def compute(ctx):
    numbers = results.get(0)
    numbers.smallest_factor = smallest_factor(numbers.n)
    total = Numbers()
    bpf.loop(numbers.n, add, total)
    numbers.sum = total.sum
    return 0


def run(n: int) -> Numbers:
    with load(compute) as prog:
        prog[results][0] = Numbers(n=n)
        prog.test_run()
        return prog[results][0]


def main(n: str = "35") -> None:
    print(run(int(n)))


if __name__ == "__main__":
    main(*sys.argv[1:])
