"""`Rules`: what one kernel allows, read from its table (`linux_*.py`, or a file that `pybpf probe` wrote)."""

from __future__ import annotations

from ..errors import NotSupportedError, SpecError
from . import DEFAULT, KERNELS
from .context import Context

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


class ProgRules:
    """What a program of one type, attach type and sleepability may do on one kernel.

    - `prog_type`, `attach_type` (an int; None where the type has but one), `sleepable`.
    - `context`: a `Context`.
    - `returns`: `(lowest, highest)` value that it may return, as a signed 64-bit number; None for any.
        - `helpers`: ids of the helpers that it may call.
    - `packet`: direct access to packet bytes: "" none, "r" reading, "rw" reading and writing.
    - `test_run`: does BPF_PROG_TEST_RUN take it?
    - `gpl_only`: must its licence be GPL compatible, whatever it calls?
    - `kfuncs`: names of the kernel functions that it may call; empty where the table has none.
    """

    __slots__ = (
        "attach_type",
        "context",
        "gpl_only",
        "helpers",
        "kfuncs",
        "packet",
        "prog_type",
        "returns",
        "sleepable",
        "test_run",
    )

    def __init__(self, **fields: Any) -> None:
        self.prog_type: int = fields["prog_type"]
        self.attach_type: int | None = fields["attach_type"]
        self.sleepable: bool = fields["sleepable"]
        self.context: Context = fields["context"]
        self.returns: tuple[int, int] | None = fields["returns"]
        self.helpers: frozenset[int] = fields["helpers"]
        self.packet: str = fields["packet"]
        self.test_run: bool = fields["test_run"]
        self.gpl_only: bool = fields["gpl_only"]
        self.kfuncs: frozenset[str] = fields["kfuncs"]

    def allows(self, helper: int | str) -> bool:
        """May it call this helper (by id, or by name with or without `bpf_`)?"""
        return _number(helper) in self.helpers


class MapRules:
    """What BPF_MAP_CREATE takes for one map type on one kernel.

    - `key_sizes`, `value_sizes`: `(lowest, highest, step)` in bytes.
    - `entries`: what `max_entries` must be: "any" number > 0, "pages" (a power of two of pages), "zero".
    - `flags`: the `MapFlags` that it may have; `required_flags`: those that it must have.
    - `helpers`: ids of the helpers that take such a map.
    """

    __slots__ = ("entries", "flags", "helpers", "key_sizes", "map_type", "required_flags", "value_sizes")

    def __init__(self, map_type: int, row: Any) -> None:
        self.map_type = map_type
        self.key_sizes: tuple[int, int, int] = row[0]
        self.value_sizes: tuple[int, int, int] = row[1]
        self.entries: str = row[2]
        self.flags: int = row[3]
        self.required_flags: int = row[4]
        self.helpers: frozenset[int] = _bits(row[5])

    def __repr__(self) -> str:
        return f"<MapRules {_map_name(self.map_type)}>"


# What the kernel takes a program without expected_attach_type for (bpf_prog_load_fixup_attach_type); XDP programs
# for devmaps and cpumaps are told from plain ones by theirs.
_HOOK_OF_NONE = {6: 37, 9: 2, 21: 39}


class Rules:
    """The rules of one kernel: `version` ("6.18") and `origin`, where its table comes from, in words.

    A kernel is asked as it was built.  What its build lacked and an older release had (`older`: tracing by trampolines, LSM
    programs) is answered from that one: the kernel takes no program type, map or helper away again.
    """

    def __init__(self, table: dict[str, Any], older: Callable[[], Rules] | None = None) -> None:
        self._table = table
        self._find_older = older
        self._programs: dict[tuple[int, int | None, bool], ProgRules] = {}
        self._contexts: dict[int, Context] = {}
        self.version: str = table["version"]
        self.origin: str = f"asked of Linux {table['release']} ({table['machine']}) by pybpf probe"

    @property
    def _older(self) -> Rules | None:
        return self._find_older() if self._find_older else None

    def programs(self) -> tuple[tuple[int, int | None, bool], ...]:
        """All `(prog type, attach type or None, sleepable)` that this kernel loaded when it was asked."""
        return tuple(self._table["programs"])

    def program(self, prog_type: int, attach_type: int | None = None, *, sleepable: bool = False) -> ProgRules:
        """The rules of a program kind; without an attach type, those of the type's first one.

        NotSupportedError when this kernel has no such program type, attach type, or sleepable form.
        """
        try:
            key = self._key(int(prog_type), None if attach_type is None else int(attach_type), sleepable)
        except NotSupportedError:
            if self._older is None:
                raise
            try:
                return self._older.program(prog_type, attach_type, sleepable=sleepable)
            except NotSupportedError:
                pass
            raise
        found = self._programs.get(key)
        if found is None:
            found = self._programs[key] = self._build(key)
        return found

    def _key(self, prog_type: int, attach_type: int | None, sleepable: bool) -> tuple[int, int | None, bool]:
        """The row of the table that stands for a program kind.

        Types with one hook have one row, under None.  No attach type, or 0 for a type without that one, selects the
        type's default.
        """
        rows: dict[tuple[int, int | None, bool], Any] = self._table["programs"]
        for key in ((prog_type, attach_type, sleepable), (prog_type, None, sleepable)):
            if key in rows:
                return key
        known = [key for key in rows if key[0] == prog_type]
        if not known:
            raise NotSupportedError(f"{_prog_name(prog_type)} on Linux {self.version}", since=_since("prog", prog_type))
        fitting = [key for key in known if key[2] == sleepable]
        if not fitting:
            kind = "sleepable" if sleepable else "non-sleepable"
            raise NotSupportedError(f"a {kind} {_prog_name(prog_type)} program on Linux {self.version}")
        if not attach_type:
            usual = (prog_type, _HOOK_OF_NONE.get(prog_type), sleepable)
            return usual if usual in rows else fitting[0]
        raise NotSupportedError(
            f"{_prog_name(prog_type)} with attach type {_attach_name(attach_type)} on Linux {self.version}",
            since=_since("attach", attach_type),
        )

    def _build(self, key: tuple[int, int | None, bool]) -> ProgRules:
        context, helpers, returns, packet, test_run, gpl_only, kfuncs = self._table["programs"][key]
        if context not in self._contexts:
            self._contexts[context] = Context(*self._table["contexts"][context])
        names = self._table["kfuncs"]
        return ProgRules(
            prog_type=key[0],
            attach_type=key[1],
            sleepable=key[2],
            context=self._contexts[context],
            returns=returns,
            helpers=_bits(self._table["helper_sets"][helpers]),
            packet=packet,
            test_run=test_run,
            gpl_only=gpl_only,
            kfuncs=frozenset(names[i] for i in _bits(self._table["kfunc_sets"][kfuncs])),
        )

    def programs_that_call(self, helper: int | str) -> tuple[tuple[int, int | None, bool], ...]:
        """The program kinds that may call a helper."""
        number = _number(helper)
        sets = self._table["helper_sets"]
        return tuple(key for key, row in self._table["programs"].items() if sets[row[1]] >> number & 1)

    def kfuncs(self) -> tuple[str, ...]:
        """Names of the kernel functions that some kind of program may call; modules are not asked for theirs."""
        return tuple(self._table["kfuncs"])

    def map_types(self) -> tuple[int, ...]:
        """The map types that this kernel creates."""
        return tuple(self._table["maps"])

    def map(self, map_type: int) -> MapRules:
        """What this kernel takes for a map type.  NotSupportedError when it has no such type."""
        row = self._table["maps"].get(int(map_type))
        if row is None:
            raise NotSupportedError(
                f"map type {_map_name(map_type)} on Linux {self.version}", since=_since("map", map_type)
            )
        return MapRules(int(map_type), row)

    def map_allows(self, map_type: int, helper: int | str) -> bool:
        """May this helper be given a map of this type?"""
        row = self._table["maps"].get(int(map_type))
        here = row is not None and bool(row[-1] >> _number(helper) & 1)
        return here or (self._older is not None and self._older.map_allows(map_type, helper))

    def gpl_only(self, helper: int | str) -> bool:
        """Is this helper for programs with a GPL-compatible licence only?"""
        number = _number(helper)
        if number not in self._table["expected"] and self._older is not None:
            return self._older.gpl_only(number)
        return bool(self._table["gpl_only"] >> number & 1)

    def expected(self, helper: int | str) -> tuple[str | None, ...]:
        """The verifier's own words for what it expects of each argument: "map_ptr", "fp, pkt, pkt_meta, ...", "" for any
        number; None where it was not asked.
        """
        number = _number(helper)
        if number not in self._table["expected"] and self._older is not None:
            return self._older.expected(number)
        words, row = self._table["words"], self._table["expected"].get(number, ())
        return tuple(None if i is None else words[i] for i in row)

    def __repr__(self) -> str:
        return f"<Rules of Linux {self.version}>"


_loaded: dict[str, Rules] = {}


def rules(kernel: str | None = None) -> Rules:
    """The rules of a kernel.

    `kernel` is "5.10", "6.1", "6.12", "6.18" or "7.2", the path of a file that `pybpf probe` wrote, or None for the
    default.  A version between two tables takes the older one, for what it has, the newer kernel has too.

    NotSupportedError for a kernel older than every table, SpecError for a file that is not a table.
    """
    name = DEFAULT if kernel is None else str(kernel)
    if name not in _loaded:
        if "/" in name or name.endswith(".py"):
            _loaded[name] = Rules(_read_file(name))  # the user's own kernel: what it says, and nothing else
        else:
            place = KERNELS.index(_nearest(name))
            _loaded[name] = Rules(_module(KERNELS[place]), (lambda: rules(KERNELS[place - 1])) if place else None)
    return _loaded[name]


def callers(kernel: str | None, helper: int) -> tuple[tuple[int, int | None, bool], ...]:
    """The program kinds that may call a helper which a kernel has.

    The table of that kernel may lack the helper: it is of an older version, or was read from a kernel built without it.
    Then the next table that has it tells.
    """
    found = rules(kernel).programs_that_call(helper)
    name = DEFAULT if kernel is None else str(kernel)
    if found or "/" in name or name.endswith(".py"):
        return found
    place = KERNELS.index(_nearest(name))
    others = (*KERNELS[place + 1 :], *reversed(KERNELS[:place]))
    return next(filter(None, (rules(other).programs_that_call(helper) for other in others)), ())


def _nearest(version: str) -> str:
    """The newest version with a table that is not newer than `version`."""
    try:
        wanted = tuple(int(part) for part in version.split(".")[:2])
    except ValueError:
        raise SpecError(f"{version!r} is not a kernel version: give one such as {DEFAULT!r}") from None
    fitting = [known for known in KERNELS if tuple(map(int, known.split("."))) <= wanted]
    if not fitting:
        raise NotSupportedError(f"checking for Linux {version}", hint=f"the oldest kernel with a table is {KERNELS[0]}")
    return fitting[-1]


def _module(version: str) -> dict[str, Any]:
    from importlib import import_module

    table: dict[str, Any] = import_module(f".linux_{version.replace('.', '_')}", __package__).TABLE
    return table


def _read_file(path: str) -> dict[str, Any]:
    """The table in a file of `pybpf probe`: one Python literal behind `TABLE = `; nothing in it is executed."""
    from ast import literal_eval, parse

    try:
        with open(path, encoding="utf-8") as file:
            table = literal_eval(parse(file.read()).body[-1].value)  # type: ignore[attr-defined]
    except (ValueError, SyntaxError, IndexError, AttributeError) as error:
        raise SpecError(f"{path} is not a table of pybpf probe: {error}") from None
    if not isinstance(table, dict) or "programs" not in table:
        raise SpecError(f"{path} is not a table of pybpf probe")
    return table


def _bits(number: int) -> frozenset[int]:
    return frozenset(i for i in range(number.bit_length()) if number >> i & 1)


def _number(helper: int | str) -> int:
    if isinstance(helper, str):
        from .signatures import helper_id

        return helper_id(helper)
    return int(helper)


def _since(what: str, number: int | None) -> str | None:
    from .versions import since

    return None if number is None else since(what, number)


def _prog_name(prog_type: int) -> str:
    from ..uapi import ProgType, named

    return f"program type {getattr(named(ProgType, prog_type), 'name', prog_type)}"


def _attach_name(attach_type: int | None) -> str:
    from ..uapi import AttachType, named

    return str(getattr(named(AttachType, attach_type or 0), "name", attach_type))


def _map_name(map_type: int) -> str:
    from ..uapi import MapType, named

    return str(getattr(named(MapType, map_type), "name", map_type))
