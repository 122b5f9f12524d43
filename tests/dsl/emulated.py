"""Many random programs in a guest kernel: `python -m tests.dsl.emulated 6.1 FIRST COUNT` compiles here, and loads and runs there.

That takes a tenth of the time of a `campaign` that runs in the guest.  `--kernel` compiles for another kernel than the guest's.
"""

from __future__ import annotations

import argparse
import os
import pickle
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from pybpf import BpfError
from pybpf.dsl.program import version
from pybpf.uapi import ProgType
from tools.guests import boot

from .campaign import loaded, wrong_with
from .model import StepBudgetError
from .trial import Trial

FILE = "trials"
CGROUP_PACKETS = (6, 18)
"""Since when (or a little before) BPF_PROG_TEST_RUN tells programs of CGROUP_SKB where their packet ends."""


def compiled(seeds: Iterable[int], kernel: str, guest: str, share: Path) -> int:
    """Compile the programs of these seeds into a file; how many the compiler refused."""
    refused = 0
    with (share / FILE).open("wb") as file:
        for seed in seeds:
            try:
                trial = Trial(seed, kernel)
                if version(guest) < CGROUP_PACKETS and trial.specs[0].prog_type == ProgType.CGROUP_SKB:
                    continue
                file.write(pickle.dumps(trial))
            except StepBudgetError:
                continue
            except BpfError as error:
                refused += 1
                print(f"seed {seed}: refused by the compiler: {error}", flush=True)
    return refused


def trials(share: Path) -> Iterator[Trial]:
    with (share / FILE).open("rb") as file:
        while file.peek(1):
            yield pickle.load(file)


def run(share: Path) -> int:
    """In the guest: load and run what was compiled."""
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})  # values of per-CPU maps are compared
    begin, failed, done = time.monotonic(), 0, 0
    for trial in trials(share):
        done += 1
        wrong = wrong_with(loaded, trial)
        if wrong:
            failed += 1
            print(f"seed {trial.seed}: {wrong}", flush=True)
    print(f"{done} programs loaded, {failed} failed, {time.monotonic() - begin:.0f} s")
    return failed > 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("guest")
    parser.add_argument("first", type=int)
    parser.add_argument("count", type=int)
    parser.add_argument("--kernel")
    parser.add_argument("--seconds", type=float, default=3000, help="for the guest, boot included")
    args = parser.parse_args()
    if "GUEST_SHARE" in os.environ:
        return run(Path(os.environ["GUEST_SHARE"]))
    with tempfile.TemporaryDirectory() as scratch:
        share = Path(scratch)
        refused = compiled(range(args.first, args.first + args.count), args.kernel or args.guest, args.guest, share)
        command = [sys.executable, "-m", "tests.dsl.emulated", *sys.argv[1:]]
        watch = boot.echo()
        result = boot.run(args.guest, command, share=share, timeout=args.seconds, memory=2048, watch=watch)
        watch(share)
        if result.status in (boot.LATE, boot.DIED):
            print(result.console[-2000:], f"the guest {'took too long' if result.status == boot.LATE else 'died'}")
    return result.status or refused > 0


if __name__ == "__main__":
    sys.exit(main())
