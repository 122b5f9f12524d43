"""Decide generated programs by `verify(kernel=...)` and by that kernel, booted in a guest, and count how often they agree.

python tests/verifier/guests.py 5.10 6.1 --count 1000
"""

from __future__ import annotations

import argparse
import json
import os
import pickle
import random
import resource
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
sys.path[:0] = [str(ROOT), str(HERE)]

import generate  # noqa: E402
import oracle  # noqa: E402
import reasons  # noqa: E402

from pybpf.errors import BtfError  # noqa: E402

PROGRAMS, ANSWERS, TYPES = "programs.pickle", "answers.json", "vmlinux.btf"


def make(version: str, seed: int, count: int) -> list:
    """Programs of the kinds that a kernel knows, and two mutations of each."""
    from pybpf.kernel import rules

    rng = random.Random(seed)
    table = rules(version)
    kinds = generate.loadable(table)
    specs: list = []
    while len(specs) < count:
        spec = generate.plausible(rng, table, kinds)
        specs += (spec, generate.mutated(rng, spec), generate.mutated(rng, spec))
    return specs[:count]


def decide(share: Path) -> None:
    """In the guest: load every program, and write the kernel's answers."""
    # before Linux 5.11 maps and programs count as locked memory, and what was closed is freed late
    resource.setrlimit(resource.RLIMIT_MEMLOCK, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    specs = pickle.loads((share / PROGRAMS).read_bytes())
    answers = []
    with oracle.Kernel() as kernel:
        for spec in specs:
            try:
                verdict = kernel.load(spec)
            except (OSError, BtfError) as error:  # a map that this kernel cannot make, or a function that it lacks
                answers.append([None, str(error)])
            else:
                answers.append([verdict.accept, verdict.reason])
    (share / ANSWERS).write_text(json.dumps({"cpus": len(os.sched_getaffinity(0)), "answers": answers}))
    types = Path("/sys/kernel/btf/vmlinux")
    if types.exists():
        (share / TYPES).write_bytes(types.read_bytes())


def compare(version: str, seed: int, count: int) -> tuple[Counter, list[dict]]:
    """Agreement with one kernel, and the disagreements."""
    from pybpf.verifier import Env, verify

    specs = make(version, seed, count)
    with tempfile.TemporaryDirectory() as scratch:
        share = Path(scratch)
        (share / PROGRAMS).write_bytes(pickle.dumps(specs))
        command = [sys.executable, str(Path(__file__).resolve()), "--decide"]
        subprocess.run(
            [sys.executable, "-m", "tools.guests", "--share", str(share), version, "--", *command], cwd=ROOT, check=True
        )
        told = json.loads((share / ANSWERS).read_text())
        types = share / TYPES
        env = Env(told["cpus"], types.read_bytes() if types.exists() else None)
    tally: Counter = Counter()
    found = []
    for spec, (accept, reason) in zip(specs, told["answers"], strict=True):
        if accept is None:
            tally["skipped: no such map there"] += 1
            continue
        report = verify(spec, version, env=env)
        wanted = "accept" if accept else "reject"
        tally["programs"] += 1
        tally["agree" if report.verdict == wanted else f"kernel {wanted}, ours {report.verdict}"] += 1
        if report.verdict == wanted == "reject":
            same = reasons.agree(reason, report.findings[0].category)
            tally["category agrees" if same else "category differs"] += 1
        elif report.verdict != wanted:
            found.append(
                {
                    "kernel": wanted,
                    "ours": report.verdict,
                    "reason": reason,
                    "message": report.findings[0].message if report.findings else "",
                    "prog_type": spec.prog_type,
                    "attach_type": spec.expected_attach_type,
                    "insns": [str(insn) for insn in spec.insns],
                }
            )
    return tally, found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kernels", nargs="*", default=["5.10", "6.1", "6.12", "7.2"])
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--decide", action="store_true", help="for the guest: answer what lies in $GUEST_SHARE")
    args = parser.parse_args()
    if args.decide:
        decide(Path(os.environ["GUEST_SHARE"]))
        return 0
    worst = 1.0
    for version in args.kernels:
        tally, found = compare(version, args.seed, args.count)
        share = tally["agree"] / max(tally["programs"], 1)
        worst = min(worst, share)
        print(f"Linux {version}: {share:.2%} of {tally['programs']} verdicts agree; {dict(tally)}")
        for finding in found:
            print(json.dumps(finding))
    return 0 if worst >= 0.98 else 1


if __name__ == "__main__":
    sys.exit(main())
