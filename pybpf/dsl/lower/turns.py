"""A test that the verifier decides in each round of a plain loop, for kernels before 6.8.

There the verifier takes a round for one that it has seen, and the loop for an endless one, when the registers of the function
are the same and the numbers that have decided something are (states_maybe_looping, until 2793a8b015f7).  Where the counter
lies on the stack, or in the function around a callback, and is compared with unknown numbers only, nothing has been decided.
And what a test tells of a counter is lost where it is read from the stack again.  So it is compared with the known number,
too, that it cannot pass.
"""

from __future__ import annotations

from ..objects.integers import value_of
from ..objects.values import INT, Const, Int
from .bounds import COMPARES
from .conditions import test_of
from .joins import merge
from .survey import weight

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from .compiler import Compiler

LIGHT = 24  # bodies of so few nodes keep their counter in a register


def needed(c: Compiler, node: Any) -> bool:
    return c.unit.kernel < COMPARES and weight(node.body) > LIGHT


def turning(
    c: Compiler, node: Any, names: set[str], first: dict[str, Any], most: int, bottom: Callable[[], Any]
) -> Callable[[], Any]:
    """The bottom of a round that counts rounds, of which there are `most`."""
    name = f"$turns{node.lineno}_{node.col_offset}_{len(c.frame.path)}"
    c.state.env[name] = Const(0)
    first[name] = (INT, 0, most - 1)
    names.add(name)

    def counting() -> Any:
        again, out = bottom()
        if again is None:
            return again, out
        c.b.state = again
        again, late = test_of(c, "<", advance(c, node, name, 1, INT, 1, most), Const(most), node)
        return again, merge(c, [s for s in (out, late) if s is not None], node)

    return counting


def advance(c: Compiler, node: Any, name: str, by: int, type_: Any, lo: int, hi: int) -> Int:
    """Add to a hidden variable, which then lies in lo..hi."""
    now = value_of(c, c.b.state.env[name].number(c, node))
    c.b.state.env[name] = following = Int(c.b.arith("add", now, c.b.const(by), 64, lo, hi), type_)
    return following


__all__ = ["advance", "needed", "turning"]
