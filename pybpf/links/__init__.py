"""Attachments: one module a hook family, one way to use all: `link = prog.attach(target, ...)`.

`ATTACH` says which function attaches a program of which type.  Such a function takes the live program, its target and
keywords of its own, and gives a `Link`.
"""

from __future__ import annotations

import sys
from types import ModuleType

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from .base import BpfLink, Link

    Attach = Callable[..., Link]

# ProgType -> "module:function" in this package; imported when it is first used.
ATTACH: dict[int, str] = {
    1: "socket:attach",  # SOCKET_FILTER
    21: "socket:attach_reuseport",  # SK_REUSEPORT
}


def attacher(prog_type: int) -> Attach | None:
    """The function that attaches programs of a type; None when there is none."""
    place = ATTACH.get(prog_type)
    if place is None:
        return None
    from importlib import import_module

    module, function = place.split(":")
    found: Attach = getattr(import_module(f".{module}", __name__), function)
    return found


class _Callable(ModuleType):
    """`pybpf.links()` lists the links of the kernel, so this package can be called."""

    def __call__(self) -> Iterator[BpfLink]:
        from .found import links

        return links()


sys.modules[__name__].__class__ = _Callable
