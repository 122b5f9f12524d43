"""What an object holds, as specs, and the edits that people make to it before loading."""

from __future__ import annotations

from ..errors import SpecError
from ..spec import MapSpec, ProgramSpec, Spec

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from typing import Any, Self

    from ..btf.btf import Btf
    from ..btf.types import Type


PROG_ARRAY = 3
STRUCT_OPS, STRUCT_OPS_PROG = 26, 27
_DESCRIBED = ("maps", "btf", "func_info", "line_info", "core_relos")
_IN_ANY_FILE = ("insns", "prog_type", "name", "license", "flags", "maps", "attach_to", "kern_version")


class ElfProgram(ProgramSpec):
    """A program of an object: a `ProgramSpec` that also remembers what of it depends on the kernel.

    `insns` are resolved already, for the BTF that the object was opened with; `core_relos` tell what was.  `externs` are
    `(slot, name, kind, weak)`, one for each use of an external symbol; kind is "kfunc", "ksym" (a variable with a type),
    "address" (one without) or "kconfig".  `autoload` is False for a section name that begins with "?".

    It equals a plain `ProgramSpec` that says the same, as far as a file without BTF can tell.
    """

    _fields = (*ProgramSpec._fields, "externs", "autoload")  # type: ignore[assignment]
    externs: tuple[tuple[int, str, str, bool], ...]
    autoload: bool

    def __init__(
        self,
        insns: Iterable[Any],
        prog_type: int,
        *,
        externs: Iterable[tuple[int, str, str, bool]] = (),
        autoload: bool = True,
        **fields: Any,
    ) -> None:
        self._set(externs=tuple(externs), autoload=autoload)
        super().__init__(insns, prog_type, **fields)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, ElfProgram):
            same = all(getattr(self, f) == getattr(other, f) for f in self._fields if f not in _DESCRIBED)
            return self is other or (same and _alike(self.maps, other.maps) and _described_alike(self, other))
        if not isinstance(other, ProgramSpec):
            return NotImplemented
        same = all(getattr(self, f) == getattr(other, f) for f in _IN_ANY_FILE if f != "insns")
        same = same and list(self.insns) == _resolved(other)
        return (
            same
            and other.section in ("", self.section)
            and other.expected_attach_type in (None, self.expected_attach_type)
        )

    def __hash__(self) -> int:
        return hash((ProgramSpec._fields, self.name))

    def __repr__(self) -> str:
        maps = f", maps: {', '.join(self.maps)}" if self.maps else ""
        return f"<ElfProgram {self.name!r}: {self.section}, {len(self.insns)} instructions{maps}>"


def _resolved(spec: ProgramSpec) -> list[Any]:
    from ..asm.symbols import resolve

    return resolve(spec.insns)


def _described_alike(a: ProgramSpec, b: ProgramSpec) -> bool:
    """Whether BTF, func_info, line_info and CO-RE relocations say the same, under whatever ids and offsets."""
    if all(getattr(a, f) == getattr(b, f) for f in _DESCRIBED[1:]):
        return True
    if not (a.btf and b.btf):
        return False
    from ..btf.btf import Btf
    from ..btf.compare import equal

    mine, theirs = Btf.parse(bytes(a.btf)), Btf.parse(bytes(b.btf))

    def told(spec: ProgramSpec, btf: Btf) -> list[Any]:
        lines = [(slot, btf.string(file), btf.string(text), where) for slot, file, text, where in spec.line_info]
        slots = [slot for slot, _ in spec.func_info]
        return [slots, lines, [(slot, *asked[1:]) for slot, *asked in spec.core_relos]]

    def types(spec: ProgramSpec) -> list[int]:
        return [type_id for _, type_id in spec.func_info] + [type_id for _, type_id, *_ in spec.core_relos]

    return told(a, mine) == told(b, theirs) and all(
        equal(mine.type(x), theirs.type(y)) for x, y in zip(types(a), types(b), strict=True)
    )


def _alike(mine: Mapping[str, MapSpec], theirs: Mapping[str, MapSpec]) -> bool:
    """Whether maps are equal, where a program inside a map counts by its name: it may use that very map."""

    def contents(spec: MapSpec) -> list[tuple[Any, Any]]:
        return [(key, value.name if isinstance(value, ProgramSpec) else value) for key, value in spec.contents]

    return mine.keys() == theirs.keys() and all(
        contents(a) == contents(b) and a.replace(contents=()) == b.replace(contents=())
        for a, b in ((mine[name], theirs[name]) for name in mine)
    )


def tie(
    programs: Iterable[ElfProgram], maps: Mapping[str, MapSpec]
) -> tuple[tuple[ElfProgram, ...], dict[str, MapSpec]]:
    """The programs and maps with every program inside a map being the one of `programs` that has its name.

    A program and the array that it jumps through refer to each other.  Such a map is copied, given to the
    programs, and only then filled: it is finished here, and never changed again.
    """
    knots = {
        id(m): m.replace()
        for m in maps.values()
        if m.map_type == PROG_ARRAY and any(_is_program(v) for _, v in m.contents)
    }
    if not knots:
        programs = tuple(programs)
        return programs, _with_members(programs, maps)

    def swap(old: Mapping[str, MapSpec]) -> dict[str, MapSpec]:
        return {name: knots.get(id(m), m) for name, m in old.items()}

    tied = tuple(p.replace(maps=swap(p.maps)) for p in programs)
    by_name = {p.name: p for p in tied}
    for knot in knots.values():
        knot._set(contents=tuple((key, by_name.get(_name_of(value), value)) for key, value in knot.contents))
    return tied, _with_members(tied, swap(maps))


def _with_members(programs: Iterable[ElfProgram], maps: Mapping[str, MapSpec]) -> dict[str, MapSpec]:
    """The maps with structures (struct_ops) made of these programs, found by their names."""
    by_name = {p.name: p for p in programs}
    out = dict(maps)
    for name, spec in maps.items():
        if spec.map_type != STRUCT_OPS or not spec.contents:
            continue
        ((key, members),) = spec.contents
        now = {m: by_name.get(v.name, v) if isinstance(v, ProgramSpec) else v for m, v in members.items()}
        if any(now[m] is not v for m, v in members.items()):
            out[name] = spec.replace(contents=((key, now),))
    return out


def _is_program(value: object) -> bool:
    return isinstance(value, (str, ProgramSpec))


def _name_of(value: object) -> str:
    return value.name if isinstance(value, ProgramSpec) else str(value)


class Global(tuple["str", int, int, "Type | None"]):
    """A global variable: the map that holds it (`section`), `offset` and `size` there in bytes, its BTF `type`."""

    __slots__ = ()

    def __new__(cls, section: str, offset: int, size: int, type: Type | None = None) -> Global:
        return tuple.__new__(cls, (section, offset, size, type))

    @property
    def section(self) -> str:
        return self[0]

    @property
    def offset(self) -> int:
        return self[1]

    @property
    def size(self) -> int:
        return self[2]

    @property
    def type(self) -> Type | None:
        return self[3]


class ObjectSpec(Spec):
    """The programs, maps and globals of an object.

    `obj["name"]` is the program or map of that name; iterating gives the programs.  `load_collection(obj)`
    loads what libbpf would (`to_load`), `load_collection(*obj)` all programs, with the maps that they use.
    Like all specs it does not change: each edit returns a copy, in which every program sees the new maps.
    """

    _fields = ("name", "programs", "maps", "globals", "license", "version", "byteorder", "btf")
    name: str
    programs: tuple[ElfProgram, ...]
    maps: Mapping[str, MapSpec]
    globals: Mapping[str, Global]
    license: str
    version: int
    byteorder: str
    btf: Btf | None

    def __init__(
        self,
        name: str,
        programs: Iterable[ElfProgram],
        maps: Mapping[str, MapSpec],
        *,
        globals: Mapping[str, Global] | None = None,
        license: str = "",
        version: int = 0,
        byteorder: str = "little",
        btf: Btf | None = None,
    ) -> None:
        tied, linked = tie(programs, maps)
        self._set(
            name=name,
            programs=tied,
            maps=linked,
            globals=dict(globals or {}),
            license=license,
            version=version,
            byteorder=byteorder,
            btf=btf,
        )

    def __iter__(self) -> Iterator[ElfProgram]:
        return iter(self.programs)

    def __len__(self) -> int:
        return len(self.programs)

    def __contains__(self, name: object) -> bool:
        return name in self.maps or any(p.name == name for p in self.programs)

    def __getitem__(self, name: str) -> Any:
        """The program, else the map, of that name.  SpecError, which lists the names, when there is none."""
        found: Spec | None = next((p for p in self.programs if p.name == name), None) or self.maps.get(name)
        if found is None:
            names = ", ".join([p.name for p in self.programs] + list(self.maps))
            raise SpecError(f"{self.name or 'the object'} has no program or map {name!r}; it has {names or 'none'}")
        return found

    def replace(self, **changes: Any) -> Self:
        """A copy with some fields changed; programs inside of maps become those of the copy."""
        copy = super().replace(**changes)
        programs, maps = tie(copy.programs, copy.maps)
        copy._set(programs=programs, maps=maps)
        return copy

    @property
    def to_load(self) -> tuple[Spec, ...]:
        """What `load_collection(obj)` loads: all maps, and the programs but those of sections "?..." and those that
        only a structure (struct_ops) needs, which are loaded with it."""
        programs = [p for p in self.programs if p.autoload and p.prog_type != STRUCT_OPS_PROG]
        return (*programs, *self.maps.values())

    # -- edits

    def select(self, *names: str) -> Self:
        """Only the named programs, and the maps that they use."""
        programs = [p for p in self.programs if p.name in names]
        for name in set(names) - {p.name for p in programs}:
            raise SpecError(f"{self.name or 'the object'} has no program {name!r}")
        used = {symbol for p in programs for symbol in p.maps}
        return self.replace(programs=tuple(programs), maps={n: m for n, m in self.maps.items() if n in used})

    def edit_program(self, name: str, /, **changes: Any) -> Self:
        """Change fields of one program, as `spec.replace` does: name, prog_type, attach_to, flags..."""
        self._program(name)
        return self.replace(programs=tuple(p.replace(**changes) if p.name == name else p for p in self.programs))

    def edit_map(self, name: str, /, **changes: Any) -> Self:
        """Change fields of one map, as `spec.replace` does: max_entries, flags, map_type, pinning..."""
        return self.replace_map(name, self._map(name).replace(**changes))

    def replace_map(self, name: str, spec: MapSpec) -> Self:
        """Use another map in the place of one: your own spec, or one that several objects share."""
        old = self._map(name)

        def swap(maps: Mapping[str, MapSpec]) -> dict[str, MapSpec]:
            return {symbol: spec if symbol == name or m is old else m for symbol, m in maps.items()}

        programs = tuple(p.replace(maps=swap(p.maps)) for p in self.programs)
        return self.replace(programs=programs, maps=swap(self.maps))

    def rename_map(self, old: str, new: str) -> Self:
        """Call a map otherwise, here, in the programs, and in the kernel."""
        spec = self._map(old).replace(name=new)
        if new in self.maps and new != old:
            raise SpecError(f"{self.name or 'the object'} has a map {new!r} already")

        def swap(maps: Mapping[str, MapSpec]) -> dict[str, MapSpec]:
            return {new if symbol == old else symbol: spec if symbol == old else m for symbol, m in maps.items()}

        programs = []
        for p in self.programs:
            insns = tuple(i.replace(symbol=new) if i.wide and i.symbol == old else i for i in p.insns)
            programs.append(p.replace(maps=swap(p.maps), insns=insns) if old in p.maps else p)
        moved = {n: Global(new if g.section == old else g.section, *g[1:]) for n, g in self.globals.items()}
        return self.replace(programs=tuple(programs), maps=swap(self.maps), globals=moved)

    def set(self, **values: Any) -> Self:
        """Give global variables their values before loading; a constant of `.rodata` becomes known to the verifier.

        A value is a number, bytes of the variable's size, or a ctypes object.  SpecError for a name that is none.
        """
        obj = self
        for name, value in values.items():
            variable = obj.globals.get(name)
            if variable is None:
                known = ", ".join(obj.globals) or "none"
                raise SpecError(f"{self.name or 'the object'} has no global variable {name!r}; it has {known}")
            spec = obj.maps[variable.section]
            data = bytearray(spec.contents[0][1]) if spec.contents else bytearray(spec.value_size)
            data[variable.offset : variable.offset + variable.size] = _value_bytes(
                name, variable, value, self.byteorder
            )
            obj = obj.edit_map(variable.section, contents=((0, bytes(data)),))
        return obj

    def get(self, name: str) -> bytes:
        """The initial bytes of a global variable."""
        variable = self.globals[name]
        spec = self.maps[variable.section]
        data = spec.contents[0][1] if spec.contents else bytes(spec.value_size)
        return bytes(data[variable.offset : variable.offset + variable.size])

    def _program(self, name: str) -> ElfProgram:
        found = next((p for p in self.programs if p.name == name), None)
        if found is None:
            raise SpecError(f"{self.name or 'the object'} has no program {name!r}")
        return found

    def _map(self, name: str) -> MapSpec:
        if name not in self.maps:
            raise SpecError(f"{self.name or 'the object'} has no map {name!r}; it has {', '.join(self.maps) or 'none'}")
        return self.maps[name]


def _value_bytes(name: str, variable: Global, value: Any, byteorder: Any) -> bytes:
    if isinstance(value, (bool, int)):
        low, high = -(1 << (variable.size * 8 - 1)), 1 << (variable.size * 8)
        if not low <= value < high:
            raise SpecError(f"{name} = {value}: it has {variable.size} bytes")
        return (value & (high - 1)).to_bytes(variable.size, byteorder)
    raw = value.encode() + b"\0" if isinstance(value, str) else bytes(value)
    if len(raw) > variable.size or (len(raw) < variable.size and not isinstance(value, str)):
        raise SpecError(f"{name} has {variable.size} bytes, {len(raw)} were given")
    return raw.ljust(variable.size, b"\0")
