"""`MapSet`: the maps of one machine, found by what declares them, by address, and as the views that tests see."""

from __future__ import annotations

from .maps import OfflineMap, Storage, make
from .views import make_view

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ..mapview import View
    from ..spec import MapSpec
    from .environment import Environment
    from .kernelobjects import KernelObjects
    from .memory import Memory


class MapSet:
    """Offline maps in the order in which they were made."""

    def __init__(self, mem: Memory, env: Environment, objects: KernelObjects) -> None:
        self.mem = mem
        self.env = env
        self.objects = objects
        self.by_address: dict[int, OfflineMap] = {}
        self._maps: list[OfflineMap] = []
        self._storages: list[Storage] = []
        self._views: dict[int, View] = {}

    def __iter__(self) -> Iterator[OfflineMap]:
        return iter(self._maps)

    def of(self, spec: MapSpec) -> OfflineMap:
        """The map for this very spec object (or an equal one of the same name), made when it is new."""
        for found in self._maps:
            if found.spec is spec or (found.spec == spec and spec.name and found.spec.name == spec.name):
                return found
        return self.new(spec)

    def inner(self, spec: MapSpec) -> OfflineMap:
        """The map that stands in a map of maps for a spec: one of these, or else a new one, whatever is equal to it."""
        return next((found for found in self._maps if found.spec is spec), None) or self.new(spec)

    def new(self, spec: MapSpec) -> OfflineMap:
        found = make(spec, self.mem, self.env, len(self._maps) + 1)
        self._maps.append(found)
        if isinstance(found, Storage):
            self._storages.append(found)
        self.by_address[found.address] = found
        return found

    def view(self, found: OfflineMap) -> View:
        known = self._views.get(found.address)
        if known is None:
            known = self._views[found.address] = make_view(self, found)
        return known

    def fill(self) -> None:
        """Put the initial contents in."""
        for found in list(self._maps):
            view = self.view(found)
            for key, value in found.spec.contents:
                if hasattr(view, "push"):
                    view.push(value)
                else:
                    view[key] = value  # type: ignore[index]
            found.frozen = found.spec.frozen

    def search(self, key: MapSpec | str) -> OfflineMap | None:
        """By identity, then by equality, then by name."""
        name = key if isinstance(key, str) else getattr(key, "name", "")
        tests: tuple[Callable[[OfflineMap], bool], ...] = (
            lambda m: m.spec is key,
            lambda m: not isinstance(key, str) and m.spec == key,
            lambda m: bool(name) and m.name == name,
        )
        for test in tests:
            for found in self._maps:
                if test(found):
                    return found
        return None

    def find(self, key: MapSpec | str) -> OfflineMap:
        found = self.search(key)
        if found is None:
            raise KeyError(
                f"{key!r} is not one of this machine's maps: {', '.join(m.name for m in self._maps) or 'none'}"
            )
        return found

    def forget(self, address: int) -> None:
        """Drop the storages that hang on an object that is gone."""
        for found in self._storages:
            found.drop(address)
