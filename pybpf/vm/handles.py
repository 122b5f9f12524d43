"""What live maps have because they are objects of the kernel, as offline maps have it: an id, `info`, `freeze()`, `close()`.

What needs a descriptor (`fileno()`, `pin()`) raises NotSupportedError and says so.
"""

from __future__ import annotations

from errno import EBUSY, EPERM

from ..errors import NotSupportedError, SyscallError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, NoReturn, Self

    from ..spec import MapSpec
    from ..uapi import MapInfo
    from .maps import OfflineMap

_RDONLY = 1 << 3
_ENOTSUPP = 524


def _needs_kernel(name: str) -> Any:
    """A method that only a map in the kernel has."""

    def refuse(*args: object, **options: object) -> NoReturn:
        raise NotSupportedError(
            f"{name}() of a map in the offline machine", hint="it has no descriptor; load() makes a map in the kernel"
        )

    refuse.__name__ = name
    refuse.__doc__ = "NotSupportedError: there is no descriptor offline."
    return refuse


class Handle:
    """Mixed into every view of an offline map."""

    spec: MapSpec
    raw: Any
    closed = False
    """Never: the map lives as long as its machine."""

    fileno = _needs_kernel("fileno")
    weak_fileno = _needs_kernel("weak_fileno")
    detach = _needs_kernel("detach")
    pin = _needs_kernel("pin")
    from_id: Any = classmethod(_needs_kernel("from_id"))
    from_pin: Any = classmethod(_needs_kernel("from_pin"))

    @property
    def _offline(self) -> OfflineMap:
        found: OfflineMap = self.raw.map
        return found

    @property
    def name(self) -> str:
        return self._offline.name

    @property
    def id(self) -> int:
        """The number of the map in its machine, from 1."""
        return self._offline.id

    @property
    def info(self) -> MapInfo:
        """What the kernel would tell about the map: `uapi.MapInfo`, filled from its spec."""
        from ..uapi import MapInfo

        spec = self.spec
        return MapInfo(
            type=spec.map_type,
            id=self.id,
            key_size=spec.key_size,
            value_size=spec.value_size,
            max_entries=spec.max_entries or getattr(self._offline, "size", 0),
            map_flags=spec.flags,
            name=spec.name.encode()[:15],
            ifindex=spec.ifindex,
            map_extra=spec.map_extra,
        )

    def freeze(self) -> None:
        """Forbid writes from user space from now on; refused as the kernel does (`map_freeze`)."""
        found = self._offline
        refused = (
            EPERM if found.frozen or self.spec.flags & _RDONLY else EBUSY if getattr(found, "mapped", False) else 0
        )
        code = _ENOTSUPP if found.specials else refused
        if code:
            raise SyscallError(code, "BPF_MAP_FREEZE", f"map {self.name!r}")
        found.frozen = True

    def start(self) -> None:
        """Nothing: an offline map is ready when it is made."""

    def unpin(self) -> None:
        """Nothing: it is not pinned."""

    def keep_quiet(self) -> Self:
        """Nothing: nothing is leaked."""
        return self

    def close(self) -> None:
        """Nothing: the map lives as long as its machine."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        """Nothing, as `close()`."""
