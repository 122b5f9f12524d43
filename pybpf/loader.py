"""Loading: `load(spec)` gives a `Program`, `load_collection(*specs)` several that share maps."""

from __future__ import annotations

import struct

from .asm.codec import encode
from .errors import SpecError, SyscallError, VerifierError
from .live import Program, find, unknown
from .maps.create import create
from .spec import NO_SPEC, MapSpec, ProgramSpec
from .syscall.fd import close_all
from .syscall.progs import prog_load

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from typing import Any, Self, overload

    from .asm.insn import Insn
    from .elf.object import ObjectSpec
    from .maps.live import Map
    from .spec import Spec
    from .token import Token


_PROG_ARRAY, _STRUCT_OPS = 3, 26  # MapType
_STRUCT_OPS_PROG = 27  # ProgType
# asm.Pseudo and asm.Call; their enums are not worth loading here.
_MAP_FD, _MAP_VALUE, _BTF_ID, _KFUNC, _FUNC = 1, 2, 3, 2, 4
_CHECKED_AGAINST_A_TARGET = frozenset((26, 27, 28, 29))  # TRACING, STRUCT_OPS, EXT, LSM


class Collection:
    """Programs loaded together, and the maps that they share: `objs[count]`, `objs[packets]`, `objs["name"]`."""

    def __init__(self, programs: list[Program], maps: list[Map], specs: list[MapSpec]) -> None:
        for prog in programs:
            prog.shares_maps = True
        self.programs = _by_name(programs)
        self.maps = _by_name(maps)
        self._progs = dict(zip(self.programs, (prog.spec for prog in programs), strict=True))
        self._specs = dict(zip(self.maps, specs, strict=True))

    def __getitem__(self, key: Spec | str) -> Any:
        """The live program or map of a spec (by identity, then by equality), or of that name; else KeyError."""
        found = find(self._progs, key)
        if found is not None:
            return self.programs[found]
        found = find(self._specs, key)
        if found is not None:
            return self.maps[found]
        raise unknown(key, "this collection", (*self.programs, *self.maps))

    def __iter__(self) -> Iterator[Program]:
        return iter(self.programs.values())

    def close(self) -> None:
        """Close the programs, with their links, and the maps."""
        close_all((*self.programs.values(), *self.maps.values()))

    def __repr__(self) -> str:
        return (
            f"<Collection of programs {', '.join(self.programs) or '(none)'}; maps {', '.join(self.maps) or '(none)'}>"
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


def _by_name(live: Iterable[Any]) -> dict[str, Any]:
    """Live objects by name; later ones of the same name are numbered."""
    named: dict[str, Any] = {}
    for i, one in enumerate(live):
        named[f"{one.name}#{i}" if one.name in named else one.name] = one
    return named


class _Pool:
    """The maps of what is loaded together: one live map for each spec, or for each explicit name."""

    def __init__(self, token_fd: int) -> None:
        self.token_fd = token_fd
        self.specs: list[MapSpec] = []
        self.live: list[Map] = []

    def get(self, spec: MapSpec, symbol: str) -> Map:
        for known, live in zip(self.specs, self.live, strict=True):
            if known is spec:
                return live
            if spec.name and known.name == spec.name:
                if known == spec:
                    return live
                raise SpecError(f"two different maps are named {spec.name!r}: give each its own name")
        self.specs.append(spec)
        try:
            self.live.append(create(spec, symbol, self.token_fd))
        except BaseException:
            self.specs.pop()
            raise
        return self.live[-1]


if TYPE_CHECKING:

    @overload
    def load(spec: ProgramSpec, *, log_level: int = 0, token: Token | None = None) -> Program: ...
    @overload
    def load(spec: MapSpec, *, log_level: int = 0, token: Token | None = None) -> Any: ...  # the class for its type


def load(spec: ProgramSpec | MapSpec, *, log_level: int = 0, token: Token | None = None) -> Program | Map:
    """Load a program, and make the maps that it names; or make a map alone, with its contents.

    With `log_level` (1, 2 or 4, as the kernel has them) `prog.log` is the verifier's log although it succeeded.
    A `token` permits what the process alone may not (Linux 6.9).
    VerifierError when the verifier rejects it, SyscallError for other refusals; nothing is left then.
    """
    loaded, pool = _load_all((spec,), log_level, token)
    if isinstance(spec, MapSpec):
        made, *others = pool.live
        close_all((*loaded, *others))  # what the contents of the map name: it keeps them in the kernel
        return made
    prog, *prog.tail_calls = loaded
    return prog


def load_collection(
    *specs: ProgramSpec | MapSpec | ObjectSpec, log_level: int = 0, token: Token | None = None
) -> Collection:
    """Load programs that share maps: the same declaration, or equal ones with the same explicit name, are one map.

    Maps may be given too, such as a `StructOps`, whose programs are loaded with it; and what `open_elf` gave, of which
    all maps and the programs that are not optional are loaded.
    SpecError for two different maps with one name.  When one fails nothing is left of any.
    """
    programs, pool = _load_all(specs, log_level, token)
    return Collection(programs, pool.live, pool.specs)


def _load_all(
    specs: tuple[ProgramSpec | MapSpec | ObjectSpec, ...], log_level: int, token: Token | None
) -> tuple[list[Program], _Pool]:
    """Load programs, their maps and the programs that are contents of those; or nothing."""
    pool = _Pool(token.fileno() if token is not None else 0)
    loaded: list[Program] = []
    try:
        wanted: list[Any] = [one for given in specs for one in getattr(given, "to_load", (given,))]
        for spec in wanted:
            if isinstance(spec, MapSpec):
                pool.get(spec, "")
            elif isinstance(spec, ProgramSpec):
                loaded.append(_load(spec, pool, log_level))
            else:
                raise SpecError(f"{type(spec).__name__} {NO_SPEC}")
        _load_contents(loaded, pool, log_level)
    except BaseException:
        close_all((*loaded, *pool.live))
        raise
    return loaded, pool


def _load(spec: ProgramSpec, pool: _Pool, log_level: int) -> Program:
    maps = {symbol: pool.get(found, symbol) for symbol, found in spec.maps.items()}
    opened: list[Any] = []  # what only the loading needs
    try:
        options: dict[str, Any] = {"expected_attach_type": spec.expected_attach_type or 0}
        insns = _linked(spec, maps)
        if any(insn.symbol is not None for insn in insns) or spec.prog_type in _CHECKED_AGAINST_A_TARGET:
            insns = _in_kernel(spec, insns, options, opened)
        if spec.btf:
            from .maps.btf import load_btf

            opened.append(load_btf(bytes(spec.btf), pool.token_fd))
            options["btf_fd"] = opened[-1].fileno()
            options["func_info"] = _records("=2I", spec.func_info)
            options["line_info"] = _records("=4I", spec.line_info)
        fd, log = prog_load(
            spec.prog_type,
            encode(insns),
            spec.license,
            name=spec.name,
            flags=spec.flags,
            kern_version=spec.kern_version,
            ifindex=spec.ifindex,
            log_level=log_level,
            token_fd=pool.token_fd,
            **options,
        )
    except SyscallError as error:
        if isinstance(error, VerifierError):
            _locate(error, spec)
        from .features import refusal

        refusal.of_program(spec, error)
        raise
    finally:
        close_all(opened)
    prog = Program(fd, spec, maps, spec.maps)
    prog.log = log
    return prog


def _load_contents(loaded: list[Program], pool: _Pool, log_level: int) -> None:
    """Load the programs that are contents of program arrays and structures; they are added to `loaded`."""
    by_spec = {id(prog.spec): prog for prog in loaded}

    def live_of(spec: ProgramSpec, **changes: Any) -> Program:
        if id(spec) not in by_spec:
            by_spec[id(spec)] = prog = _load(spec.replace(**changes) if changes else spec, pool, log_level)
            prog.spec, prog.shares_maps = spec, True
            loaded.append(prog)
        return by_spec[id(spec)]

    for spec, live in list(zip(pool.specs, pool.live, strict=True)):
        if spec.map_type == _PROG_ARRAY:
            for key, value in spec.contents:
                if isinstance(value, ProgramSpec):
                    live[key] = live_of(value)  # type: ignore[index]
        elif spec.map_type == _STRUCT_OPS and spec.contents:
            members = {
                name: live_of(value, attach_to=f"{spec.btf_struct_ops}/{name}", prog_type=_STRUCT_OPS_PROG)
                if isinstance(value, ProgramSpec)
                else value
                for name, value in spec.contents[0][1].items()
            }
            live.register(members)  # type: ignore[attr-defined]


def _in_kernel(spec: ProgramSpec, insns: list[Insn], options: dict[str, Any], opened: list[Any]) -> list[Insn]:
    """Find what the program names in the running kernel: its target, kfuncs, variables."""
    from .ksyms import References, target

    found = target(spec)
    if found is not None:
        opened.append(found)
        options["attach_btf_id"], options["attach_prog_fd"] = found.btf_id, found.fd
        if found.attach_type is not None:
            options["expected_attach_type"] = found.attach_type
    references = References()
    opened.append(references)
    insns = [insn if insn.symbol is None else references.resolve(insn) for insn in insns]
    options["fd_array"] = references.fd_array()
    return insns


def _records(layout: str, records: Iterable[tuple[int, ...]]) -> bytes:
    pack = struct.Struct(layout).pack
    return b"".join(pack(*record) for record in records)


def _linked(spec: ProgramSpec, maps: Mapping[str, Map]) -> list[Insn]:
    """The instructions with labels resolved and descriptors in place of the names of maps."""
    insns = list(spec.insns)
    named = [i for i, insn in enumerate(insns) if insn.symbol is not None]
    if any(not insns[i].wide or insns[i].src == _FUNC for i in named):
        from .asm.symbols import resolve

        insns = resolve(insns)
        named = [i for i, insn in enumerate(insns) if insn.symbol is not None]
    for i in named:
        insn = insns[i]
        symbol = insn.symbol or ""
        if (insn.wide and insn.src == _BTF_ID) or (not insn.wide and insn.src == _KFUNC):
            continue  # a name of the kernel's
        if insn.src not in (_MAP_FD, _MAP_VALUE) or symbol not in maps:
            what = "map" if insn.wide else "function"
            raise SpecError(f"{spec.name or 'the program'}: instruction {i} names an unknown {what}: {symbol!r}")
        insns[i] = insn.replace(imm=maps[symbol].fileno(), symbol=None)
    return insns


def _locate(error: VerifierError, spec: ProgramSpec) -> None:
    """Tell the error the place in the user's source of the instruction that it names."""
    slot = 0
    for insn in spec.insns:
        if slot == error.insn:
            error.source = insn.source
            error.text = error.text or str(insn)
            return
        slot += insn.slots
