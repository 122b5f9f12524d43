"""What is in use where blocks begin, as bit masks: of registers, of places, of bytes of the stack."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


def backwards(use: list[int], keep: list[int], targets: Sequence[Iterable[int]], everywhere: int = 0) -> list[int]:
    """For each block what it reads first (`use`), and what those that it leads to need, unless it writes that (not in `keep`).

    `everywhere` is needed behind each block.
    """
    preds: list[list[int]] = [[] for _ in use]
    for i, ways in enumerate(targets):
        for t in ways:
            preds[t].append(i)
    live = [0] * len(use)
    todo = list(range(len(use)))
    waiting = set(todo)
    while todo:
        i = todo.pop()
        waiting.discard(i)
        behind = everywhere
        for t in targets[i]:
            behind |= live[t]
        now = use[i] | behind & keep[i]
        if now != live[i]:
            live[i] = now
            for p in preds[i]:
                if p not in waiting:
                    waiting.add(p)
                    todo.append(p)
    return live


__all__ = ["backwards"]
