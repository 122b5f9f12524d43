"""Names of a package that are imported when they are first asked for (PEP 562)."""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


def exports(package: str, home: Mapping[str, str]) -> Callable[[str], object]:
    """The `__getattr__` of `package`: `home` has the module of each name below it.

    "" stands for a module of that name, "..other" for a module beside the package.
    """

    def find(name: str) -> object:
        where = home.get(name)
        if where is None:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        beside = where.startswith("..")
        path = package.rpartition(".")[0] + where[1:] if beside else f"{package}.{where or name}"
        __import__(path)  # importlib.import_module would do the same, after half a millisecond of imports of its own
        module = sys.modules[path]
        value = getattr(module, name) if where else module
        setattr(sys.modules[package], name, value)
        return value

    return find
