"""Many random programs, without pytest: `python -m tests.dsl.campaign FIRST COUNT` prints the seeds that fail, and why.

`--kernel 6.1` compiles for that kernel (which must be the running one, or older); `--machine` runs `verify` and `VM` too;
`--shrink` prints the programs that fail, without what is not needed.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
import time
import traceback
from collections.abc import Callable
from typing import Any

from pybpf import BpfError, verify

from .model import StepBudgetError
from .shrink import shrink
from .trial import Trial


def check(seed: int, kernel: str | None, machine: bool, live: bool = True, text: str = "") -> str:
    """What is wrong with the program of this seed; "" for nothing."""
    try:
        trial = Trial(seed, kernel, text)
        for spec in trial.specs:
            _ = spec.insns
    except StepBudgetError:
        return ""
    except BpfError as error:
        return f"refused by the compiler: {error}"
    if machine:
        for spec in trial.specs:
            report = verify(spec)
            if not report.ok:
                return f"refused by verify: {report}"
        if (found := trial.machine()) != trial.expected:
            return f"the machine computes something else: {difference(found, trial.expected)}"
    return loaded(trial) if live else ""


def loaded(trial: Trial) -> str:
    try:
        found = trial.kernel()
    except BpfError as error:
        return f"refused by the kernel: {error}"
    if found != trial.expected:
        return f"the kernel computes something else: {difference(found, trial.expected)}"
    return ""


def wrong_with(check: Callable[..., str], *args: Any) -> str:
    """What a check finds, or how it fails itself: that is found as well, and no reason to end a campaign."""
    try:
        return check(*args)
    except Exception:
        return traceback.format_exc()


def difference(found: list[Any], expected: list[Any]) -> str:
    """The first thing that is not as expected."""
    for i, (a, b) in enumerate(zip(found, expected, strict=True)):
        if a != b and isinstance(a, tuple):
            return f"packet {i}: {a[0]}, expected {b[0]}\n  {a[1].hex()}\n  {b[1].hex()}"
        if a != b:
            return "\n".join(f"{name}: {a[name]}, expected {b[name]}" for name in b if a[name] != b[name])
    return "nothing"


def smaller(seed: int, args: argparse.Namespace, wrong: str) -> str:
    """The program of a seed that fails, without what is not needed for the same failure."""

    def fails(text: str) -> bool:
        try:
            return kind_of(check(seed, args.kernel, args.machine, not args.no_kernel, text)) == kind_of(wrong)
        except Exception:  # what is left of a program may be none; and of a check that fails itself nothing is known
            return False

    return shrink(Trial(seed, args.kernel).text, fails)


def kind_of(wrong: str) -> str:
    """A failure without names and numbers: the first line, or the compiler's or kernel's words."""
    return re.sub(r"(<generated \d+>)?[:\d]+", "", wrong.split("\n")[0])[:60]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("first", type=int)
    parser.add_argument("count", type=int)
    parser.add_argument("--kernel")
    parser.add_argument("--machine", action="store_true")
    parser.add_argument("--no-kernel", action="store_true", help="compile, and run by the machine only")
    parser.add_argument(
        "--shrink", action="store_true", help="print the programs that fail, without what is not needed"
    )
    parser.add_argument("--seconds", type=float, default=1e9, help="stop after this time")
    args = parser.parse_args()
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})  # values of per-CPU maps are compared
    begin, failed, done = time.monotonic(), 0, 0
    for seed in range(args.first, args.first + args.count):
        if time.monotonic() - begin > args.seconds:
            break
        done += 1
        wrong = wrong_with(check, seed, args.kernel, args.machine, not args.no_kernel)
        if wrong:
            failed += 1
            print(f"seed {seed}: {wrong}", flush=True)
            if args.shrink:
                print(smaller(seed, args, wrong))
    print(f"{done} programs, {failed} failed, {time.monotonic() - begin:.0f} s")
    return failed > 0


if __name__ == "__main__":
    sys.exit(main())
