"""Many random programs, without pytest: `python -m tests.dsl.campaign FIRST COUNT` prints the seeds that fail, and why.

`--kernel 6.1` compiles for that kernel (which must be the running one, or older); `--machine` runs `verify` and `VM` too.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
import traceback

from pybpf import VM, BpfError, load, verify

from .model import StepBudgetError
from .test_random import case, outcome


def check(seed: int, kernel: str | None, machine: bool) -> str:
    """What is wrong with the program of this seed; "" for nothing."""
    try:
        _text, spec, packets, expected = case(seed, kernel)
        _ = spec.insns
    except StepBudgetError:
        return ""
    except BpfError as error:
        return f"refused by the compiler: {error}"
    if machine:
        report = verify(spec)
        if not report.ok:
            return f"refused by verify: {report}"
        vm = VM(spec)
        if outcome([vm.run(data=data) for data in packets], spec, vm) != expected:
            return "the machine computes something else"
    try:
        with load(spec) as prog:
            if outcome([prog.test_run(data) for data in packets], spec, prog) != expected:
                return "the kernel computes something else"
    except BpfError as error:
        return f"refused by the kernel: {error}"
    return ""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("first", type=int)
    parser.add_argument("count", type=int)
    parser.add_argument("--kernel")
    parser.add_argument("--machine", action="store_true")
    parser.add_argument("--seconds", type=float, default=1e9, help="stop after this time")
    args = parser.parse_args()
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})  # values of per-CPU maps are compared
    begin, failed, done = time.monotonic(), 0, 0
    for seed in range(args.first, args.first + args.count):
        if time.monotonic() - begin > args.seconds:
            break
        done += 1
        try:
            wrong = check(seed, args.kernel, args.machine)
        except Exception:
            wrong = traceback.format_exc()
        if wrong:
            failed += 1
            print(f"seed {seed}: {wrong}", flush=True)
    print(f"{done} programs, {failed} failed, {time.monotonic() - begin:.0f} s")
    return failed > 0


if __name__ == "__main__":
    sys.exit(main())
