"""How the benchmarks measure: cases take turns and the best of many rounds counts; a busy machine distorts least."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Mapping


def best_of(cases: Mapping[str, Callable[[], object]], rounds: int = 15) -> dict[str, float]:
    """The least CPU seconds that each case took."""
    best = dict.fromkeys(cases, float("inf"))
    for _ in range(rounds):
        for name, run in cases.items():
            start = time.process_time()
            run()
            best[name] = min(best[name], time.process_time() - start)
    return best


def processes(cases: Mapping[str, list[str]], rounds: int = 40) -> dict[str, list[float]]:
    """CPU seconds (user and system) of whole processes, sorted, for each case."""
    spent: dict[str, list[float]] = {name: [] for name in cases}
    for _ in range(rounds):
        for name, argv in cases.items():
            pid = os.posix_spawn(argv[0], argv, os.environ)
            _, status, usage = os.wait4(pid, 0)
            if status:
                sys.exit(f"{name}: exit status {status}")
            spent[name].append(usage.ru_utime + usage.ru_stime)
    return {name: sorted(times) for name, times in spent.items()}
