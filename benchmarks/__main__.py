"""Run the benchmarks: all of them, or those named.  Each module here has a `main()` that prints ratios."""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path

TOPICS = sorted(path.stem for path in Path(__file__).parent.glob("*.py") if not path.stem.startswith("_"))


def main(wanted: list[str]) -> int:
    unknown = set(wanted) - set(TOPICS)
    if unknown:
        print(f"no benchmark named {', '.join(sorted(unknown))}; there are {', '.join(TOPICS)}", file=sys.stderr)
        return 2
    for topic in wanted or TOPICS:
        print(f"== {topic}", flush=True)
        import_module(f"benchmarks.{topic}").main()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
