"""Specs: plain, immutable descriptions of programs and maps.  They exist offline, on any OS.

Everything above works on them: `verify(spec)`, `VM(spec)`, `load(spec)`, `write_elf(path, spec)`.
A decorated function, an ELF section and assembled text are all a `ProgramSpec`.
"""

from __future__ import annotations

from .errors import BpfError, KindError, SpecError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any, Self

    from .asm.insn import Insn
    from .types import Codec


GPL_COMPATIBLE = ("GPL", "GPL v2", "GPL and additional rights", "Dual BSD/GPL", "Dual MIT/GPL", "Dual MPL/GPL")
"""Licences with which the kernel lets programs call every helper (license_is_gpl_compatible)."""
SLEEPABLE = 1 << 4  # BPF_F_SLEEPABLE


class _Made(type):
    """A constructor called in a way that it has not is told in words of the caller, and by an error of our tree."""

    if not TYPE_CHECKING:  # checkers go by the constructors, where this would make every spec an Any

        def __call__(cls, *args, **kw):
            try:
                return super().__call__(*args, **kw)
            except TypeError as error:
                if isinstance(error, BpfError):
                    raise
                raise KindError(cls._misuse(args, kw) or f"{cls.__name__}: {error}") from None

    def _misuse(cls, args: tuple[Any, ...], kw: dict[str, Any]) -> str:
        from .misuse import explain

        init: Any = cls.__init__  # type: ignore[misc]
        return explain(cls.__name__, init.__code__, len(init.__defaults__ or ()), args, kw, cls._options)  # type: ignore[attr-defined]


class Spec(metaclass=_Made):
    """A value: its fields are given once, compared by value, and copied with changes by `replace`."""

    _fields: tuple[str, ...] = ()
    _options: tuple[str, ...] = ()  # what a constructor takes by name and hands on

    def _set(self, **fields: Any) -> None:
        self.__dict__.update(fields)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"a {type(self).__name__} does not change; use spec.replace({name}=...)")

    def replace(self, **changes: Any) -> Self:
        """A copy with some fields changed.  SpecError for a field that does not exist."""
        unknown = changes.keys() - set(self._fields)
        if unknown:
            raise SpecError(
                f"{type(self).__name__} has no field {sorted(unknown)[0]!r}; it has {', '.join(self._fields)}"
            )
        copy = object.__new__(type(self))
        copy._set(**{f: getattr(self, f) for f in self._fields})
        copy._set(**changes)
        copy._check()
        return copy

    def _check(self) -> None:
        """Raise SpecError when the fields contradict each other."""

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Spec) or self._fields != other._fields:
            return NotImplemented
        return self is other or all(getattr(self, f) == getattr(other, f) for f in self._fields)

    def __hash__(self) -> int:
        return hash((type(self)._fields, getattr(self, "name", "")))

    def __repr__(self) -> str:
        shown = ", ".join(
            f"{f}={getattr(self, f)!r}" for f in self._fields if getattr(self, f) not in (None, "", 0, ())
        )
        return f"{type(self).__name__}({shown})"


class MapSpec(Spec):
    """What a map is made of.  Sizes are in bytes; `key` and `value` are the types to read it with.

    `map_type` is a `MapType`; a type, where given, decides the size.  `inner` is the spec of the
    maps inside a map-in-map, `contents` the initial `(key, value)` pairs, in the types of the map (a
    value may be a spec in maps of maps and of programs; in an arena a key is an offset, a value bytes).  `frozen` makes
    it read-only for user space once filled.  `pinning` is a path, or "by-name" for /sys/fs/bpf/<name>.  `btf` is the
    program's BTF that `btf_key` and `btf_value` (type ids) refer to; without one, pybpf makes BTF from the types.
    """

    _fields = (
        "map_type",
        "key_size",
        "value_size",
        "max_entries",
        "flags",
        "name",
        "key",
        "value",
        "inner",
        "contents",
        "frozen",
        "pinning",
        "map_extra",
        "numa_node",
        "ifindex",
        "btf",
        "btf_key",
        "btf_value",
        "btf_struct_ops",
    )
    map_type: int
    key_size: int
    value_size: int
    max_entries: int
    flags: int
    name: str
    key: Any
    value: Any
    inner: MapSpec | None
    contents: tuple[tuple[Any, Any], ...]
    frozen: bool
    pinning: str | None
    map_extra: int
    numa_node: int | None
    ifindex: int
    btf: Any
    btf_key: int
    btf_value: int
    btf_struct_ops: str | None

    def __init__(
        self,
        map_type: int,
        key_size: int | None = None,
        value_size: int | None = None,
        max_entries: int = 0,
        flags: int = 0,
        *,
        name: str = "",
        key: Any = None,
        value: Any = None,
        inner: MapSpec | None = None,
        contents: Iterable[tuple[Any, Any]] = (),
        frozen: bool = False,
        pinning: str | None = None,
        map_extra: int = 0,
        numa_node: int | None = None,
        ifindex: int = 0,
        btf: Any = None,
        btf_key: int = 0,
        btf_value: int = 0,
        btf_struct_ops: str | None = None,
    ) -> None:
        self._set(
            map_type=map_type,
            key_size=_size("key", key, key_size),
            value_size=_size("value", value, value_size),
            max_entries=max_entries,
            flags=flags,
            name=name,
            key=key,
            value=value,
            inner=inner,
            contents=tuple(contents),
            frozen=frozen,
            pinning=pinning,
            map_extra=map_extra,
            numa_node=numa_node,
            ifindex=ifindex,
            btf=btf,
            btf_key=btf_key,
            btf_value=btf_value,
            btf_struct_ops=btf_struct_ops,
        )
        self._check()

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, MapSpec):
            return NotImplemented
        if self is other:
            return True
        return all(
            getattr(self, f) == getattr(other, f) for f in self._fields if f in other._fields and f not in _DESCRIPTION
        ) and (_described_alike(self, other) and _inner_alike(self.inner, other.inner))

    __hash__ = Spec.__hash__

    def _check(self) -> None:
        what = f"map {self.name or '(unnamed)'}"
        for field in ("key_size", "value_size", "max_entries", "flags"):
            value = getattr(self, field)
            if not isinstance(value, int) or not 0 <= value < 1 << 32:
                raise SpecError(f"{what}: {field} is {value!r}, expected 0..{(1 << 32) - 1}")
        if not isinstance(self.name, str):
            raise KindError(f"{what}: name is {self.name!r}, expected a text")
        if self.inner is not None and not isinstance(self.inner, MapSpec):
            raise KindError(
                f"{what}: inner is {self.inner!r}, expected the declaration of a map, which the maps inside are like"
            )
        for pair in self.contents:
            if not isinstance(pair, tuple | list) or len(pair) != 2:
                raise SpecError(f"{what}: {pair!r} among its contents is no pair (key, value)")

    @property
    def key_codec(self) -> Codec:
        """How keys become bytes; without a type, keys are `bytes` of `key_size`."""
        return self._codec("key")

    @property
    def value_codec(self) -> Codec:
        """How values become bytes; without a type, values are `bytes` of `value_size`."""
        return self._codec("value")

    def _codec(self, which: str) -> Codec:
        found = self.__dict__.get(f"_{which}_codec")
        if found is None:
            from .types import codec

            type_ = getattr(self, which)
            found = codec(getattr(self, f"{which}_size") if type_ is None else type_)
            self.__dict__[f"_{which}_codec"] = found
        return found


# Behind the name of another type that was given for one.
NO_SPEC = "is no program: expected a ProgramSpec or a decorated function (a classic filter becomes one by to_ebpf())"


_DESCRIPTION = ("key", "value", "btf", "btf_key", "btf_value", "inner")


def _inner_alike(a: MapSpec | None, b: MapSpec | None) -> bool:
    """Whether maps inside are made alike; the model has no name of its own."""
    return a is b or (a is not None and b is not None and a == b.replace(name=a.name))


def _described_alike(a: MapSpec, b: MapSpec) -> bool:
    """Whether keys and values are described alike: by equal types, or by BTF that says the same under whatever ids."""
    if all(getattr(a, f) == getattr(b, f) for f in _DESCRIPTION[:-1]):
        return True
    from .btf.compare import equal

    one, other = _description(a), _description(b)
    return all(x is y or (x is not None and y is not None and equal(x, y)) for x, y in zip(one, other, strict=True))


def _description(spec: MapSpec) -> list[Any]:
    """The types of key and value in BTF, the map's own or made from its types; None where nothing is known."""
    from .btf.btf import Btf
    from .btf.builder import btf_for_map

    if spec.btf:
        raw, key, value = bytes(spec.btf), spec.btf_key, spec.btf_value
    else:
        raw, key, value = btf_for_map(spec.key, spec.value)
    made = btf_for_map(spec.key, None) if spec.btf and not key else None
    btf = Btf.parse(raw)
    found = [btf.type(i).stripped if i else None for i in (key, value)]
    if made is not None and made[1]:
        found[0] = Btf.parse(made[0]).type(made[1]).stripped
    return found


class ProgramSpec(Spec):
    """A program before it is loaded.

    `insns` are its instructions, functions one after the other, the entry first; those that refer to
    a map carry its name in `maps` as their symbol.  `prog_type` and `expected_attach_type` are `ProgType` and
    `AttachType`; `attach_to` is what it will be attached to by default (a tracepoint, function or
    interface name, as its hook takes it).  `btf` is BTF bytes; `func_info` are `(slot, type id)` and `line_info`
    `(slot, file name offset, line offset, line << 10 | column)`, as the kernel takes them.  `core_relos` say which
    instructions depend on the kernel's types (CO-RE), as `(slot, type id, access string, kind, instruction before it was
    adjusted)`: they stand in files, and are applied by whoever opens one.
    """

    _fields = (
        "insns",
        "prog_type",
        "name",
        "license",
        "expected_attach_type",
        "flags",
        "maps",
        "attach_to",
        "section",
        "btf",
        "func_info",
        "line_info",
        "kern_version",
        "ifindex",
        "core_relos",
    )
    insns: tuple[Insn, ...]
    prog_type: int
    name: str
    license: str
    expected_attach_type: int | None
    flags: int
    maps: Mapping[str, MapSpec]
    attach_to: Any
    section: str
    btf: Any
    func_info: tuple[tuple[int, int], ...]
    line_info: tuple[tuple[int, int, int, int], ...]
    kern_version: int
    ifindex: int
    core_relos: tuple[tuple[int, int, str, int, Insn], ...]

    def __init__(
        self,
        insns: Iterable[Insn],
        prog_type: int,
        *,
        name: str = "",
        license: str = "GPL",
        expected_attach_type: int | None = None,
        flags: int = 0,
        maps: Mapping[str, MapSpec] | None = None,
        attach_to: Any = None,
        section: str = "",
        btf: Any = None,
        func_info: Iterable[tuple[int, int]] = (),
        line_info: Iterable[tuple[int, int, int, int]] = (),
        kern_version: int = 0,
        ifindex: int = 0,
        core_relos: Iterable[tuple[int, int, str, int, Insn]] = (),
    ) -> None:
        if isinstance(insns, str | bytes | bytearray | memoryview):
            kind, remedy = "text", "asm.assemble(text)"
            if not isinstance(insns, str):
                kind, remedy = "bytes", "ProgramSpec.from_bytes(raw, prog_type)"
            raise KindError(f"ProgramSpec: insns are {kind}, expected instructions: {remedy} makes them")
        self._set(
            insns=tuple(insns),
            prog_type=prog_type,
            name=name,
            license=license,
            expected_attach_type=expected_attach_type,
            flags=flags,
            maps=dict(maps or {}),
            attach_to=attach_to,
            section=section,
            btf=btf,
            func_info=tuple(func_info),
            line_info=tuple(line_info),
            kern_version=kern_version,
            ifindex=ifindex,
            core_relos=tuple(core_relos),
        )
        self._check()

    @property
    def sleepable(self) -> bool:
        """Whether the program may sleep: BPF_F_SLEEPABLE is among its `flags` (Linux 5.10)."""
        return bool(self.flags & SLEEPABLE)

    @classmethod
    def from_bytes(
        cls,
        raw: bytes,
        prog_type: int,
        *,
        expected_attach_type: int | None = None,
        flags: int = 0,
        license: str = "GPL",
        name: str = "",
        maps: Mapping[int, MapSpec | tuple[MapSpec, int]] | None = None,
        btf: Any = None,
        func_info: Iterable[tuple[int, int]] = (),
        line_info: Iterable[tuple[int, int, int, int]] = (),
        attach_to: Any = None,
    ) -> ProgramSpec:
        """A spec from encoded instructions.

        `maps` links wide loads to maps: the key is the index of the load in 8-byte slots, the value a
        `MapSpec` (its descriptor is loaded), or `(MapSpec, offset)` for the address of that byte in
        the map's only value.  A load that carries a `src` keeps it, and its second immediate; what is no wide load stays as
        it is.  AsmError when `raw` is not whole instructions, SpecError when no instruction begins at a key.
        """
        from .asm.codec import decode
        from .asm.opcodes import Pseudo

        insns = decode(raw)
        places = dict(maps or {})
        named: dict[str, MapSpec] = {}
        slot = 0
        for i, insn in enumerate(insns):
            if slot in places:
                target = places.pop(slot)
                spec, offset = target if isinstance(target, tuple) else (target, None)
                symbol = _link(named, spec)
                if insn.wide and insn.src:  # the bytes say already what is loaded: only the descriptor is missing
                    insns[i] = insn.replace(imm=0, symbol=symbol)
                elif insn.wide and offset is None:
                    insns[i] = insn.replace(src=Pseudo.MAP_FD, imm=0, next_imm=0, symbol=symbol)
                elif insn.wide:
                    insns[i] = insn.replace(src=Pseudo.MAP_VALUE, imm=0, next_imm=offset, symbol=symbol)
            slot += insn.slots
        if places:
            raise SpecError(f"maps[{min(places)}]: no instruction begins at that slot (the program has {slot})")
        return cls(
            insns,
            prog_type,
            name=name,
            license=license,
            expected_attach_type=expected_attach_type,
            flags=flags,
            maps=named,
            attach_to=attach_to,
            btf=btf,
            func_info=func_info,
            line_info=line_info,
        )

    def disassemble(self, **options: Any) -> str:
        """The program as text that `asm.assemble` reads: labels, names of maps and helpers, and before each run of
        instructions the line of the user's source that it came from.

        `options` are those of `asm.disassemble`; `source=False, helpers=False` leave the bare instructions.
        """
        from .asm.text import format_program

        return format_program(self.insns, **{"source": True, "helpers": True, **options})

    def __str__(self) -> str:
        return self.disassemble()


def _link(named: dict[str, MapSpec], spec: MapSpec) -> str:
    """The symbol under which `spec` stands in `named`, added when it is new.

    Maps without a name are numbered; one name for two different maps is refused.
    """
    for symbol, known in named.items():
        if known is spec:
            return symbol
    symbol = spec.name or f"map{len(named)}"
    if symbol in named:
        raise SpecError(f"two different maps are named {symbol!r}: give each its own name")
    named[symbol] = spec
    return symbol


def _size(which: str, type_: Any, size: int | None) -> int:
    """The size of a key or value from its type, which must agree with a size given beside it."""
    if type_ is None:
        return size or 0
    from .types import codec

    natural = codec(type_).size
    if natural == 0 and not isinstance(type_, int):
        raise SpecError(f"{which} {type_!r} has no bytes: give it fields")
    if size is not None and size != natural:
        raise SpecError(f"{which}_size is {size}, but {type_!r} has {natural} bytes")
    return natural
