"""`make test-kernels`: the kernel tests on five kernels, and docs/kernel-support.md from what they saw.

    python -m tools.guests.matrix                 boot all guests, test on this machine too, write the page
    python -m tools.guests.matrix 6.1 host        only these; the others keep their last results
    python -m tools.guests.matrix --seconds 3000 --at-once 4      on a machine that is busy with other things
    python -m tools.guests.matrix --page          only write the page from the last results

Results are kept in .cache/guests/results, one JSON file a kernel.  Emulation is slow enough to break what waits for an
event, so tests that failed run up to twice more.  The exit status is 1 when a test failed three times on a kernel.  A
kernel that cannot be had, and a guest that died or took too long, say nothing about the tests: that is printed alone.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

from pybpf.uapi import Cmd, LinkType, MapType, ProgType

from . import boot, images

ROOT = Path(__file__).resolve().parents[2]
RESULTS = images.CACHE / "results"
PAGE = ROOT / "docs" / "kernel-support.md"

HOST = "6.18"
COLUMNS = ("5.10", "6.1", "6.12", HOST, "7.2")
TESTS = (
    "tests/links",
    "tests/features",
    "tests/maps",
    "tests/program",
    "tests/events",
    "tests/syscall",
    "tests/xsk",
    "tests/dsl/test_old_kernels.py",
)
# On two idle cores a guest needs four to six minutes, two at a time; beyond this it is cut short.
SECONDS = 1000
AT_ONCE = 2
# So often a test that fails runs in all, when there are at most so many of them: more are no accident of emulation.
RUNS = 3
FLAKES = 20
# Emulated kernels die at times (see boot.BOOTS), which says nothing about the tests.
TRIES = 2

TABLES = (
    ("Program types", "program type", ProgType),
    ("Map types", "map type", MapType),
    ("Links", "link type", LinkType),
    ("Commands of bpf(2)", "command", Cmd),
)


def pytest_command(results: str, tests: Sequence[str]) -> list[str]:
    options = f"-q -p no:cacheprovider -p tools.guests.seen --seen {results} --tb=short --timeout 120"
    # A marker given here replaces that of pyproject.toml: without "not slow" the soak of ten minutes ran, too.
    chosen = ["-m", "kernel and not slow", *tests]
    return [str(ROOT / ".venv" / "bin" / "python"), "-m", "pytest", *options.split(), *chosen]


def compile_all() -> None:
    """Leave compiled modules and tests beside their sources: guests see the tree read-only, and compile slowly."""
    python = str(ROOT / ".venv" / "bin" / "python")
    subprocess.run([python, "-m", "compileall", "-q", "pybpf", "tools"], cwd=ROOT, check=False)
    subprocess.run([python, "-m", "pytest", "-q", "--collect-only", *TESTS], cwd=ROOT, capture_output=True, check=False)


def test(kernel: str, seconds: float) -> str:
    """Run the tests on a kernel, those that fail again, leave its results, and give a line about it."""
    log = run(kernel, TESTS, seconds)
    row = read(kernel)
    for _ in range(RUNS - 1):
        if row is None or not 0 < len(row.get("failed", ())) <= FLAKES:
            break
        said = run(kernel, row["failed"], seconds)
        again = read(kernel)
        if again and again.get("whole"):
            log, row = said, joined(row, again)
        write(kernel, row)
    return report(kernel, log)


def joined(first: dict, again: dict) -> dict:
    """The results of a run, and of another of the tests that had failed in it."""
    passed = first["tests"]["passed"] + again["tests"]["passed"]
    tests = first["tests"] | {"passed": passed, "failed": len(again["failed"])}
    kinds = first["seen"].keys() | again["seen"].keys()
    seen = {kind: sorted({*first["seen"].get(kind, ()), *again["seen"].get(kind, ())}) for kind in sorted(kinds)}
    late = [*first.get("late", ()), *(name for name in first["failed"] if name not in again["failed"])]
    runs = first.get("runs", 1) + 1
    return {**first, "tests": tests, "failed": again["failed"], "seen": seen, "late": late, "runs": runs}


def run(kernel: str, tests: Sequence[str], seconds: float) -> str:
    """Run tests on a kernel and leave their results, with the reason when they are not whole; what pytest printed."""
    target = RESULTS / f"{kernel}.json"
    target.unlink(missing_ok=True)
    log = why = ""
    try:
        if kernel == HOST:
            command = pytest_command(str(target), tests)
            done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=seconds, check=False)
            log = done.stdout
        else:
            share = RESULTS / kernel
            share.mkdir(exist_ok=True)
            for _ in range(TRIES):
                (share / "seen.json").unlink(missing_ok=True)
                command = pytest_command("/run/guest/seen.json", tests)
                result = boot.run(kernel, command, share=share, cwd=ROOT, timeout=seconds, memory=2048)
                if result.status != boot.DIED:
                    break
            log = result.stdout
            died = f"the guest died, {TRIES} times: {result.console.strip()[-500:]}"
            why = {boot.DIED: died, boot.LATE: f"not over after {seconds:.0f} seconds"}.get(result.status, "")
            if (share / "seen.json").exists():
                (share / "seen.json").rename(target)
    except images.ImageUnavailable as unavailable:
        write(kernel, {"missing": str(unavailable)})
    except subprocess.TimeoutExpired:
        why = f"not over after {seconds:.0f} seconds"
    if why:
        row = read(kernel)
        write(kernel, row | {"why": why} if row else {"missing": why})
    return log


def write(kernel: str, row: dict) -> None:
    (RESULTS / f"{kernel}.json").write_text(json.dumps(row, indent=1))


def report(kernel: str, log: str = "") -> str:
    """A line of counts, and what pytest printed when not all is well."""
    row = read(kernel)
    if row is None:
        return f"{kernel}: not run: it ended before the first test\n{log[-2000:]}"
    if "missing" in row:
        return f"{kernel}: not run: {row['missing']}"
    counts = ", ".join(f"{number} {outcome}" for outcome, number in row["tests"].items())
    cut = "" if row["whole"] else f" (cut short: {row.get('why', 'pytest ended early')})"
    failed = [f"{name}: failed {row.get('runs', 1)} times of {RUNS}" for name in row["failed"]]
    late = [f"{name}: failed, and passed when run again" for name in row.get("late", ())]
    failures = log[log.find("= FAILURES =") :] if row["failed"] and "= FAILURES =" in log else ""
    return "\n  ".join([f"{kernel} ({row['release']}): {counts}{cut}", *failed, *late, *failures.splitlines()])


def well(row: dict | None) -> bool:
    """No test failed as often as it may run, and what was not run could not be."""
    if row is None or not ("missing" in row or row["whole"] or "why" in row):
        return False  # pytest itself ended early, in a guest that did not
    failed = row.get("failed", ())
    return not failed or (len(failed) <= FLAKES and row.get("runs", 1) < RUNS)


def read(kernel: str) -> dict | None:
    path = RESULTS / f"{kernel}.json"
    return json.loads(path.read_text()) if path.exists() else None


def page() -> str:
    """The page, from the results that there are."""
    rows = {kernel: read(kernel) for kernel in COLUMNS}
    lines = [
        "# Kernel support",
        "",
        "Written by `make test-kernels` from what its tests saw; no cell is filled by hand.",
        "",
        "- **yes**: a test that passed on this kernel used it.",
        "- *probed*: the kernel has it, as its probe says, but no test used it there.",
        "- \N{EN DASH}: the kernel, as it is built, does not have it.",
        "- ?: the kernel could not be run.",
        "",
        "| kernel | release | passed | failed | skipped |",
        "|---|---|---|---|---|",
    ]
    for kernel, row in rows.items():
        if row is None or "missing" in row:
            lines.append(f"| {kernel} | not run{': ' + row['missing'] if row else ''} | | | |")
        else:
            tests = row["tests"]
            release = row["release"].split("-fc")[0] + ("" if row["whole"] else " (cut short)")
            lines.append(f"| {kernel} | {release} | {tests['passed']} | {tests['failed']} | {tests['skipped']} |")
    for title, kind, enum in TABLES:
        lines += ["", f"## {title}", "", f"| | {' | '.join(COLUMNS)} |", "|---" * (len(COLUMNS) + 1) + "|"]
        for member in enum:
            if member.name != "UNSPEC":
                cells = " | ".join(cell(rows[kernel], kind, int(member)) for kernel in COLUMNS)
                lines.append(f"| `{member.name}` | {cells} |")
    return "\n".join(lines) + "\n"


def cell(row: dict | None, kind: str, number: int) -> str:
    if row is None or "missing" in row:
        return "?"
    if number in row["seen"].get(kind, ()):
        return "**yes**"
    return "*probed*" if number in row["probed"][kind] else "\N{EN DASH}"


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tools.guests.matrix", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("kernels", nargs="*", help=f"{', '.join(images.KERNELS)}, or host")
    parser.add_argument("--seconds", type=float, default=SECONDS, help=f"for each kernel, boot included ({SECONDS})")
    parser.add_argument("--at-once", type=int, default=AT_ONCE, help=f"kernels at the same time ({AT_ONCE})")
    parser.add_argument("--page", action="store_true", help="only write the page")
    args = parser.parse_args()
    RESULTS.mkdir(parents=True, exist_ok=True)
    wanted = [HOST if name == "host" else name for name in args.kernels] or [*images.KERNELS, HOST]
    unknown = set(wanted) - set(COLUMNS)
    if unknown:
        parser.error(f"no kernel {unknown.pop()!r}")
    if not args.page:
        compile_all()
        with ThreadPoolExecutor(args.at_once) as pool:
            for done in as_completed([pool.submit(test, kernel, args.seconds) for kernel in wanted]):
                print(done.result(), flush=True)
    PAGE.write_text(page())
    return int(not all(well(read(kernel)) for kernel in wanted))


if __name__ == "__main__":
    sys.exit(main())
