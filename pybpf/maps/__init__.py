"""Live maps: `prog[packets]`, made from specs by `load`, or found in the kernel by id or pin.

`pybpf.maps()` lists the maps of the kernel, so this package can be called.
"""

from __future__ import annotations

import sys
from types import ModuleType

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from .live import Map


class _Callable(ModuleType):
    def __call__(self) -> Iterator[Map]:
        from .found import maps

        return maps()


sys.modules[__name__].__class__ = _Callable
