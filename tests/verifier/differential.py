"""Decide generated programs twice, by `verify` and by the running kernel, and count how often they agree.

python tests/verifier/differential.py --count 20000          two processes, agreement by category, every disagreement
python tests/verifier/differential.py --count 1000000        the nightly size
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import random
import sys
from collections import Counter
from pathlib import Path

HERE = Path(__file__).parent
KNOWN = HERE / "known_disagreements.json"


def _helpers():
    """The modules beside this one, under whatever name the test session gave them."""
    if "verifier_oracle" in sys.modules:
        return tuple(sys.modules[f"verifier_{name}"] for name in ("oracle", "generate", "reasons"))
    sys.path.insert(0, str(HERE))
    import generate
    import oracle
    import reasons

    return oracle, generate, reasons


def compare(seed: int, count: int) -> tuple[Counter, list[dict]]:
    """Agreement on `count` programs, and the disagreements."""
    from pybpf.kernel import rules
    from pybpf.verifier import Env, verify

    oracle, generate, reasons = _helpers()
    table = rules("6.18")
    kinds = generate.loadable(table)
    rng = random.Random(seed)
    env = Env.here()
    tally: Counter = Counter()
    found: list[dict] = []
    with oracle.Kernel() as kernel:
        while tally["programs"] < count:
            spec = generate.plausible(rng, table, kinds)
            for program in (spec, generate.mutated(rng, spec), generate.mutated(rng, spec)):
                verdict = kernel.load(program)
                report = verify(program, "6.18", env=env)
                tally["programs"] += 1
                wanted = "accept" if verdict.accept else "reject"
                category = "accept" if verdict.accept else reasons.category(verdict.reason) or "other"
                tally[f"{category}: {'agree' if report.verdict == wanted else 'disagree'}"] += 1
                if report.verdict == wanted == "reject":
                    tally[
                        "category agrees"
                        if reasons.agree(verdict.reason, report.findings[0].category)
                        else "category differs"
                    ] += 1
                elif report.verdict != wanted:
                    found.append(
                        {
                            "kernel": wanted,
                            "ours": report.verdict,
                            "reason": verdict.reason,
                            "message": report.findings[0].message if report.findings else "",
                            "prog_type": program.prog_type,
                            "attach_type": program.expected_attach_type,
                            "insns": kernel.encode(program).hex(),
                            "seed": seed,
                            "number": tally["programs"],
                        }
                    )
    return tally, found


def known(finding: dict, rows: list[dict]) -> bool:
    """Whether a disagreement is one that was reviewed."""
    return any(
        row["kernel"] == finding["kernel"]
        and row["reason"] in finding["reason"]
        and row["message"] in finding["message"]
        for row in rows
    )


def run(seed: int, count: int, processes: int = 2) -> tuple[Counter, list[dict]]:
    """`compare` in several processes."""
    share = count // processes
    with multiprocessing.get_context("fork").Pool(processes) as pool:
        parts = pool.starmap(compare, [(seed + i, share) for i in range(processes)])
    tally: Counter = Counter()
    found: list[dict] = []
    for part, rows in parts:
        tally.update(part)
        found += rows
    return tally, found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--processes", type=int, default=2)
    args = parser.parse_args()
    tally, found = run(args.seed, args.count, args.processes)
    reviewed = json.loads(KNOWN.read_text())
    new = [finding for finding in found if not known(finding, reviewed)]
    for name in sorted(tally):
        print(f"{tally[name]:>8}  {name}")
    print(f"{len(found)} disagreements, {len(found) - len(new)} of them known")
    for finding in new:
        print(json.dumps(finding))
    return 1 if new else 0


if __name__ == "__main__":
    sys.exit(main())
