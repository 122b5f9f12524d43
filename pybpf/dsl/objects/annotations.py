"""What an annotation says to the compiler: a type, through the spellings that Python and its type checkers have for one."""

from __future__ import annotations

from ...types import plain

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import FunctionType
    from typing import Any

NONE = type(None)


def meaning(annotation: Any, scope: dict[str, Any]) -> Any:
    """The type behind `u32`, `"u32"`, `u32 | None`, `Optional[u32]`, `Annotated[int, u32]`; None for a text that names nothing
    here, as where an import stands under `if TYPE_CHECKING:`."""
    if isinstance(annotation, str):
        try:
            return meaning(eval(annotation, {}, scope), scope)
        except (AttributeError, NameError, SyntaxError, TypeError):
            return None
    later = getattr(annotation, "__forward_arg__", None)
    if later is not None:
        return meaning(later, scope)
    parts = getattr(annotation, "__args__", ())
    if isinstance(parts, tuple) and NONE in parts and len(parts) == 2:
        return meaning(parts[0] if parts[1] is NONE else parts[1], scope)
    return plain(annotation)


def scope_of(function: FunctionType, enclosing: dict[str, Any]) -> dict[str, Any]:
    """The names that annotations of a function are made of: our types, and those that it sees."""
    import sys

    return {**vars(sys.modules["pybpf.types"]), **function.__globals__, **enclosing}
