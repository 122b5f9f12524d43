"""`python -m tests.dsl.shapes TARGET ...`: each loop of `loop_shapes`, compiled for these kernels and run here.

"now" is the kernel of today; `--machine` asks `verify` and `VM` as well.
"""

from __future__ import annotations

import argparse
import sys
import time

from pybpf import VM, BpfError, CompileError, VerifierError, load, verify, xdp

from . import loop_shapes
from .loop_model import results

PACKETS = [bytes(range(1, n + 1)) for n in (60, 61, 63)]


def wrong(name: str, kernel: str | None, expected: list[int], machine: bool = False) -> str:
    """What is wrong with a loop for this target; "" for nothing."""
    spec = xdp(getattr(loop_shapes, name), kernel=kernel)
    try:
        _ = spec.insns
    except CompileError as error:
        return f"refused: {error.message}"
    if machine:
        report = verify(spec)
        if not report.ok:
            return f"refused by verify: {report}"
        vm = VM(spec, budget=1 << 26)
        found = [vm.run(data=data).retval for data in PACKETS]
        if found != expected:
            return f"the machine gives {found}, not {expected}"
    try:
        with load(spec) as prog:
            found = [prog.test_run(data).retval for data in PACKETS]
    except VerifierError as error:
        return f"refused by the kernel: {' '.join(str(error.log).split()[-40:])}"
    except BpfError as error:
        return f"refused by the kernel: {error}"
    return f"the kernel gives {found}, not {expected}" if found != expected else ""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("targets", nargs="+")
    parser.add_argument("--only", nargs="*", default=[])
    parser.add_argument("--machine", action="store_true")
    args = parser.parse_args()
    failed = 0
    expected = results(PACKETS, args.only)
    for target in args.targets:
        for name, values in expected.items():
            begin = time.monotonic()
            told = wrong(name, None if target == "now" else target, values, args.machine)
            took = time.monotonic() - begin
            if told or took > 3:
                failed += bool(told)
                print(f"{target} {name}: {told} ({took:.1f} s)", flush=True)
    print(f"{failed} failed")
    return failed > 0


if __name__ == "__main__":
    sys.exit(main())
