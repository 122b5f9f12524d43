"""What differs between the rules of two kernels, in words."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ...kernel.tables import MapRules, ProgRules, Rules
from ...uapi import MapType, named
from ...uapi.helper_names import HELPER_NAMES
from .programs import describe


def differences(known: Rules, found: Rules) -> Iterator[str]:
    """One line for each: what `found` has more ("+"), lacks ("-"), or has otherwise."""
    old, new = set(known.programs()), set(found.programs())
    yield from _sets("program", map(describe, old), map(describe, new))
    for key in found.programs():
        if key in old:
            prog_type, attach_type, sleepable = key
            pair = (rules.program(prog_type, attach_type, sleepable=sleepable) for rules in (known, found))
            yield from (f"{describe(key)}: {line}" for line in _program(*pair))
    yield from _sets("map", map(_map_name, known.map_types()), map(_map_name, found.map_types()))
    for map_type in found.map_types():
        if map_type in known.map_types():
            yield from (f"{_map_name(map_type)}: {line}" for line in _map(known.map(map_type), found.map(map_type)))


def _program(known: ProgRules, found: ProgRules) -> Iterator[str]:
    yield from _sets("helper", _helpers(known.helpers), _helpers(found.helpers))
    yield from _sets("kfunc", known.kfuncs, found.kfuncs)
    yield from _sets("field", map(repr, known.context.fields.values()), map(repr, found.context.fields.values()))
    for name in ("returns", "packet", "test_run", "gpl_only"):
        if getattr(known, name) != getattr(found, name):
            yield f"{name} was {getattr(known, name)!r}, is {getattr(found, name)!r}"


def _map(known: MapRules, found: MapRules) -> Iterator[str]:
    yield from _sets("helper", _helpers(known.helpers), _helpers(found.helpers))
    for name in ("key_sizes", "value_sizes", "entries", "flags", "required_flags"):
        if getattr(known, name) != getattr(found, name):
            yield f"{name} was {getattr(known, name)!r}, is {getattr(found, name)!r}"


def _sets(what: str, known: Iterable[str], found: Iterable[str]) -> Iterator[str]:
    old, new = set(known), set(found)
    yield from (f"- {what} {name}" for name in sorted(old - new))
    yield from (f"+ {what} {name}" for name in sorted(new - old))


def _helpers(numbers: Iterable[int]) -> Iterator[str]:
    return (HELPER_NAMES[number] if number < len(HELPER_NAMES) else f"#{number}" for number in numbers)


def _map_name(map_type: int) -> str:
    return str(getattr(named(MapType, map_type), "name", map_type))
