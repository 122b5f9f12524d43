"""Run a command in a guest kernel; its output and exit status are this command's own.

python -m tools.guests 6.1 -- uname -a
python -m tools.guests all -- .venv/bin/python -m pytest -q tests/links
python -m tools.guests --share out 7.2 -- sh -c 'bpftool prog > $GUEST_SHARE/programs'
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from . import boot, images


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tools.guests", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("kernel", choices=[*images.KERNELS, "all"])
    parser.add_argument("command", nargs="+", help="what to run, as root in the current directory")
    parser.add_argument("--share", type=Path, help="a directory that the guest can write to, as /run/guest")
    parser.add_argument("--timeout", type=float, default=300, help="seconds, boot included (300)")
    parser.add_argument("--memory", type=int, default=1024, help="MiB (1024)")
    parser.add_argument("--console", action="store_true", help="print the kernel's console at the end")
    args = parser.parse_args()

    worst = 0
    for kernel in images.KERNELS if args.kernel == "all" else [args.kernel]:
        with tempfile.TemporaryDirectory(prefix="guest-") as scratch:
            share = args.share.resolve() if args.share else Path(scratch)
            share.mkdir(exist_ok=True)
            watch = boot.echo()
            try:
                result = boot.run(
                    kernel, args.command, share=share, timeout=args.timeout, memory=args.memory, watch=watch
                )
            except images.ImageUnavailable as why:
                print(f"{kernel}: not run: {why}", file=sys.stderr)
                worst = max(worst, 125)
                continue
            watch(share)
        if args.console or result.status in (boot.LATE, boot.DIED):
            print(result.console, file=sys.stderr)
        if result.status in (boot.LATE, boot.DIED):
            print(f"{kernel}: the guest {'took too long' if result.status == boot.LATE else 'died'}", file=sys.stderr)
        worst = max(worst, result.status)
    return worst


if __name__ == "__main__":
    sys.exit(main())
