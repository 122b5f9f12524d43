"""`Program`: a program in the kernel, with its maps and its links."""

from __future__ import annotations

import struct

from .errors import SpecError
from .spec import ProgramSpec
from .syscall.fd import Object, close_all
from .syscall.progs import prog_test_run

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from typing import Any

    from .asm.insn import Insn
    from .links.base import Link
    from .maps.live import Map
    from .spec import MapSpec

    class Attached(Link):
        """A link as a type checker sees it: the type of the program tells which one, and what else it has."""

        def __getattr__(self, name: str) -> Any: ...


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
        """The spec's name; the kernel keeps 15 bytes of it."""
        return self.spec.name

    @property
    def prog_type(self) -> int:
        """The spec's type, a `uapi.ProgType`."""
        return self.spec.prog_type

    def __getitem__(self, key: MapSpec | str) -> Any:
        """The live map of a declaration (by identity, then by equality), or of that name; else KeyError."""
        found = find(self._specs, key)
        if found is None:
            raise unknown(key, "this program", self._specs)
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

        if not isinstance(repeat, int) or repeat < 0:
            raise SpecError(f"repeat is {repeat!r}: expected how many times the program is to run")
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

        Empty where the kernel has none or does not show it to us.  KeyError for what is no array.
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
        try:
            close_all(self.links)
        finally:
            super().close()
            close_all((*self.tail_calls, *(() if self.shares_maps else self.maps.values())))

    def _subject(self) -> str:
        return f"program {self.name!r}" if self.name else "this program"

    def __repr__(self) -> str:
        state = "closed" if self.closed else f"fd={self.fileno()}"
        return f"<Program {self.name!r}, {state}>"


def find(specs: Mapping[str, Any], key: Any) -> str | None:
    """The name under which a spec stands: the very object, else an equal one, else by name."""
    if isinstance(key, str):
        found = key if key in specs else None
    else:
        found = next((name for name, spec in specs.items() if spec is key), None)
        if found is None:
            found = next((name for name, spec in specs.items() if spec == key), None)
    return found


def unknown(key: Any, where: str, names: Iterable[str]) -> KeyError:
    """The error for a spec or name that is not there."""
    return KeyError(f"{key!r} is not in {where}, which has {', '.join(names) or 'no maps'}")


def enable_stats() -> Object:
    """Count runs and time of all programs until what this gives is closed (Linux 5.8)."""
    from .syscall.objects import enable_stats

    return Object(enable_stats())


def programs() -> Iterator[Program]:
    """All programs in the kernel, open; each is closed when it is dropped."""
    from .syscall.objects import each

    for _, fd in each("prog"):
        yield Program._opened(fd).keep_quiet()
