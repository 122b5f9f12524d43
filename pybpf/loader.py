"""Live programs: `load(spec)` gives a `Program`, `load_collection(*specs)` several that share maps."""

from __future__ import annotations

import struct

from .asm.codec import encode
from .errors import SpecError, SyscallError, VerifierError
from .maps.create import create
from .spec import NO_SPEC, MapSpec, ProgramSpec
from .syscall.fd import Object
from .syscall.progs import prog_load, prog_test_run

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from typing import Any, Self, overload

    from .asm.insn import Insn
    from .elf.object import ObjectSpec
    from .links.base import Link
    from .maps.live import Map
    from .spec import Spec
    from .token import Token

    class Attached(Link):
        """A link as a type checker sees it: the type of the program tells which one, and what else it has."""

        def __getattr__(self, name: str) -> Any: ...


_PROG_ARRAY, _STRUCT_OPS = 3, 26  # MapType
_STRUCT_OPS_PROG = 27  # ProgType
# asm.Pseudo and asm.Call; their enums are not worth loading here.
_MAP_FD, _MAP_VALUE, _BTF_ID, _KFUNC, _FUNC = 1, 2, 3, 2, 4
_CHECKED_AGAINST_A_TARGET = frozenset((26, 27, 28, 29))  # TRACING, STRUCT_OPS, EXT, LSM

# Program types whose test run takes a packet and gives one back: SOCKET_FILTER, SCHED_CLS, SCHED_ACT, XDP, CGROUP_SKB,
# the LWT types, FLOW_DISSECTOR.
_PACKET = frozenset((1, 3, 4, 6, 8, 10, 11, 12, 19, 22))
_SK_LOOKUP, _SYSCALL = 30, 31
_LIVE_FRAMES = 2
_LARGEST_CONTEXT = 256
_ROOM = 1 << 16  # bytes by which a test run may make a packet larger


class RunResult:
    """What a test run gave.

    `retval` is unsigned, `data` and `ctx` are as the program left them, `duration` is in nanoseconds a run.
    """

    __slots__ = ("ctx", "data", "duration", "retval")

    def __init__(self, retval: int, data: bytes, ctx: Any, duration: int) -> None:
        self.retval = retval
        self.data = data
        self.ctx = ctx
        self.duration = duration

    def __repr__(self) -> str:
        return f"RunResult(retval={self.retval}, {len(self.data)} bytes of data, duration={self.duration})"


class Program(Object):
    """A program in the kernel.  Owns its descriptor, its maps and its links: closing it closes them all.

    `prog[packets]` is the live map of a declared one.
    """

    def __init__(self, fd: int, spec: ProgramSpec, maps: Mapping[str, Map], specs: Mapping[str, MapSpec]) -> None:
        super().__init__(fd)
        self.spec = spec
        self.maps = dict(maps)
        self.log = ""
        self.links: list[Link] = []
        self.shares_maps = False
        self.tail_calls: list[Program] = []
        self._specs = dict(specs)

    @classmethod
    def from_id(cls, id_: int) -> Program:
        """Open a program by its id, with what the kernel tells of it; SyscallError (ENOENT) when there is none."""
        from .syscall.objects import fd_by_id

        return cls._opened(fd_by_id("prog", id_))

    @classmethod
    def from_pin(cls, path: str) -> Program:
        """Open a pinned program.  SyscallError when nothing is pinned there, KindError when it is no program."""
        from .syscall.bpffs import open_pin

        prog = cls._opened(open_pin(path, "prog"))
        prog._pinned = path
        return prog

    @classmethod
    def _opened(cls, fd: int) -> Program:
        prog = cls(fd, ProgramSpec((), 0), {}, {})
        try:
            info = prog.info
        except BaseException:
            prog.close()
            raise
        prog.spec = ProgramSpec((), info.type, name=info.name.decode(errors="replace"), ifindex=info.ifindex)
        return prog

    @property
    def name(self) -> str:
        return self.spec.name

    @property
    def prog_type(self) -> int:
        return self.spec.prog_type

    def __getitem__(self, key: MapSpec | str) -> Any:
        """The live map of a declaration (by identity, then by equality), or of that name; else KeyError."""
        found = _find(self._specs, key)
        if found is None:
            raise KeyError(key)
        return self.maps[found]

    def attach(self, target: Any = None, **options: Any) -> Attached:
        """Attach to `target` (default: the spec's `attach_to`), as programs of this type are attached.

        The link is also kept here: closing the program detaches it.  NotSupportedError for a type without a hook.
        """
        from .links import attach

        link: Any = attach(self, self.spec.attach_to if target is None else target, **options)
        self.links = [other for other in self.links if not other.closed]
        self.links.append(link)
        return link  # type: ignore[no-any-return]

    def test_run(
        self,
        data: Any = None,
        ctx: Any = None,
        *,
        repeat: int = 1,
        flags: int = 0,
        cpu: int = 0,
        batch_size: int = 0,
    ) -> RunResult:
        """Run the program in the kernel, `repeat` times, on a packet `data` and a context `ctx`, without attaching it.

        `data` is bytes, or anything that `bytes()` turns into them.  `ctx` is bytes, a ctypes structure or a dict of its
        fields (for raw tracepoints also a list of arguments); the result has bytes, or else a structure.  A packet
        begins with the 14 bytes of an Ethernet header; only XDP and tc programs see them, to others the kernel shows
        what follows.
        """
        from .kernel.run_context import from_fields, packet_bytes

        kind = self.prog_type
        data = packet_bytes(data)
        live = flags & _LIVE_FRAMES  # of live frames nothing comes back, and the kernel refuses room for it
        packet = data is not None and kind in _PACKET and not live
        ctx = from_fields(kind, ctx, len(data or b""))
        context = bytearray(ctx) if ctx is not None and len(bytes(ctx)) else None
        # The kernel writes its whole structure or fails, whatever was given to it.
        returned = context and not live and (kind in _PACKET or kind == _SK_LOOKUP)
        size = max(len(context or b""), _LARGEST_CONTEXT) if returned else 0
        retval, out, ctx_out, duration = prog_test_run(
            self.fileno(),
            data=data,
            data_out_size=len(data) + _ROOM if packet and data is not None else 0,
            ctx=context,
            ctx_out_size=size,
            repeat=repeat if repeat > 1 else 0,  # types that run once only refuse to be told so
            flags=flags,
            cpu=cpu,
            batch_size=batch_size,
        )
        result: Any = bytes(context or b"") if kind == _SYSCALL else ctx_out
        if result and not isinstance(ctx, (bytes, bytearray, memoryview)):
            result = type(ctx).from_buffer_copy(result.ljust(len(context or b""), b"\0"))
        return RunResult(retval, out, result or None, duration)

    @property
    def info(self) -> Any:
        """What the kernel tells about the program: `uapi.ProgInfo`, filled but for its arrays (see `info_array`)."""
        from .syscall.info import prog_info

        return prog_info(self.fileno())

    def info_array(self, member: str) -> bytes:
        """An array of `uapi.ProgInfo`: "xlated_prog_insns", "jited_prog_insns", "line_info", "prog_tags", ...

        Empty where the kernel has none or does not show it to us.
        """
        from .syscall.info import prog_array

        return prog_array(self.fileno(), member)

    @property
    def translated(self) -> list[Insn]:
        """The instructions as the kernel runs them: rewritten, with descriptors of maps replaced by ids."""
        from .asm.codec import decode

        return decode(self.info_array("xlated_prog_insns"))

    @property
    def map_ids(self) -> list[int]:
        """Ids of the maps that the program uses: `Map.from_id` opens them."""
        return [id_ for (id_,) in struct.iter_unpack("=I", self.info_array("map_ids"))]

    @property
    def run_stats(self) -> tuple[int, int]:
        """`(runs, nanoseconds)` since counting was enabled: `with enable_stats(): ...`, or kernel.bpf_stats_enabled."""
        info = self.info
        return info.run_cnt, info.run_time_ns

    def read_stream(self, stream: int = 1) -> bytes:
        """What the program wrote to its stdout (1) or stderr (2), and errors that the kernel reports (Linux 6.17)."""
        from .syscall.progs import prog_stream_read

        return b"".join(iter(lambda: prog_stream_read(self.fileno(), stream, 1 << 14), b""))

    @property
    def id(self) -> int:
        """The number by which `Program.from_id` and other tools find the program."""
        return int(self.info.id)

    def close(self) -> None:
        """Detach the links made by `attach`, close the program and its maps."""
        for link in self.links:
            link.close()
        super().close()
        for prog in self.tail_calls:
            prog.close()
        if not self.shares_maps:
            for owned in self.maps.values():
                owned.close()

    def _subject(self) -> str:
        return f"program {self.name!r}" if self.name else "this program"

    def __repr__(self) -> str:
        state = "closed" if self.closed else f"fd={self.fileno()}"
        return f"<Program {self.name!r}, {state}>"


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
        """The live program or map of a spec (by identity, then by equality), or of that name."""
        found = _find(self._progs, key)
        if found is not None:
            return self.programs[found]
        found = _find(self._specs, key)
        if found is not None:
            return self.maps[found]
        raise KeyError(key)

    def __iter__(self) -> Iterator[Program]:
        return iter(self.programs.values())

    def close(self) -> None:
        """Close the programs, with their links, and the maps."""
        for prog in self.programs.values():
            prog.close()
        for live in self.maps.values():
            live.close()

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


def _find(specs: Mapping[str, Any], key: Any) -> str | None:
    """The name under which a spec stands: the very object, else an equal one, else by name."""
    if isinstance(key, str):
        found = key if key in specs else None
    else:
        found = next((name for name, spec in specs.items() if spec is key), None)
        if found is None:
            found = next((name for name, spec in specs.items() if spec == key), None)
    return found


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

    def close(self) -> None:
        for live in self.live:
            live.close()


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
        for one in (*loaded, *others):  # what the contents of the map name: it keeps them in the kernel
            one.close()
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
        for prog in loaded:
            prog.close()
        pool.close()
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
        for one in opened:
            one.close()
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


def enable_stats() -> Object:
    """Count runs and time of all programs until what this gives is closed (Linux 5.8)."""
    from .syscall.objects import enable_stats

    return Object(enable_stats())


def programs() -> Iterator[Program]:
    """All programs in the kernel, open; each is closed when it is dropped."""
    from .syscall.objects import each

    for _, fd in each("prog"):
        yield Program._opened(fd).keep_quiet()
