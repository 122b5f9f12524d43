"""Functions that call each other: which are left, and how much stack a chain of them takes together."""

from __future__ import annotations

from ...errors import CompileError
from ..ssa.ir import Graph, Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

MAX_STACK = 512
LATER = ("timer_set_callback", "bpf_wq_set_callback_impl", "bpf_wq_set_callback")
"""What is given to these runs by itself, on a stack of its own."""
BY_16 = (6, 10)  # a frame counts in units of 16 bytes (e1ba7f64b192); of 32 before
PRIVATE = (6, 13)
TRACING = (2, 5, 7, 17, 26, 27, 29)
"""From Linux 6.13 on the functions of programs of these types may have stacks of their own: the kernel decides."""


def calls(graph: Graph) -> Iterator[tuple[Graph, Value]]:
    """The functions that a function calls, or hands over to be called, and where."""
    for block in graph.blocks:
        for value in block.values:
            target = getattr(value.aux, "target", None) if value.op == "call" else None
            for called in (target, *(arg.aux for arg in value.args if arg.op == "function")):
                if isinstance(called, Graph):
                    yield called, value


def reached(graphs: list[Graph]) -> list[Graph]:
    """The functions that calls are left of; the verifier refuses one that nobody calls."""
    if len(graphs) == 1:
        return graphs
    found = {graphs[0]}
    todo = [graphs[0]]
    while todo:
        for graph, _ in calls(todo.pop()):
            if graph not in found:
                found.add(graph)
                todo.append(graph)
    return [graph for graph in graphs if graph in found]


def check(
    graphs: list[Graph], prog_type: int, kernel: tuple[int, int], sources: Callable[[Graph], Callable[[Any], Any]]
) -> None:
    """CompileError where a function and those that it calls take more of the stack than there is for all of them."""
    if kernel >= PRIVATE and prog_type in TRACING:
        return
    unit = 16 if kernel >= BY_16 else 32
    deepest: dict[Graph, list[tuple[Graph, Any]]] = {}

    def size(chain: list[tuple[Graph, Any]]) -> int:
        return sum(-(-max(graph.depth, 1) // unit) * unit for graph, _ in chain)

    def chain(graph: Graph) -> list[tuple[Graph, Any]]:
        """The deepest one that begins with a function, each with where it calls the next."""
        if graph not in deepest:
            ways = [(chain(called), v) for called, v in calls(graph) if getattr(v.aux, "name", "") not in LATER]
            rest, at = max(ways, key=lambda way: size(way[0]), default=([], None))
            deepest[graph] = [(graph, at), *rest]
        return deepest[graph]

    for graph in graphs:
        found = chain(graph)
        if size(found) > MAX_STACK:
            told = ", ".join(f"{g.name} {g.depth} bytes" for g, _ in found)
            at = found[0][1]
            raise CompileError(
                f"functions that call each other have {MAX_STACK} bytes of stack together, and these need {size(found)}: {told}; "
                "keep large values in a PerCpuArray map",
                sources(graph)(at.at if at is not None else None),
            )


__all__ = ["MAX_STACK", "check", "reached"]
