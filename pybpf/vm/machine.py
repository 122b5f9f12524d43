"""`VM`: programs and maps in an offline machine, behind the same names as in the kernel."""

from __future__ import annotations

import inspect
from ctypes import Structure

from ..errors import KindError, NotSupportedError, SpecError, VmFault
from ..kernel.run_context import packet_bytes
from ..spec import MapSpec, ProgramSpec
from ..uapi import MapType, RunFlags
from . import context, coverage, helpers, testrun
from .environment import Environment
from .helpers.table import Helper
from .image import FOREVER, Image
from .kernelobjects import KernelObjects
from .mapset import MapSet
from .memory import FUNC, MAX_FRAMES, Frame, Memory
from .result import Result, TraceLine, merged
from .run import Run

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from os import PathLike
    from typing import Any

    from ..asm.insn import Insn
    from ..elf import ObjectSpec
    from .capture import CaptureReport
    from .coverage import Coverage
    from .helpers.control import Timer
    from .maps import OfflineMap

ENGINES = ("auto", "interpreter", "translator")
BUDGET = 100_000_000
_WARM = 12
"""How often a program executes what it has before it is translated: interpreting has then cost what a translation does,
whose fixed part is that of some instructions more.  A loop that runs for long the first time goes on translated.
"""
_FIXED = 5


class VM:
    """An offline machine with one or more programs that share their maps.

        vm = VM(count)
        assert vm.run(data=packet).retval == 0
        assert vm[packets][17] == 1

    Programs are given as specs, or as what `open_elf` gave; a `StructOps` stands for the programs among its members,
    another map comes along.  Keyword arguments are the fields
    of its `Environment` (`time_ns`, `pid`, `comm`, `seed`, ...), which stay settable as `vm.env.pid = 7`.  `engine` is
    "auto", "interpreter" or "translator"; `budget` how many instructions a run may execute.  Maps, timers and the
    clock live as long as the machine.
    """

    def __init__(
        self, *specs: ProgramSpec | MapSpec | ObjectSpec, engine: str = "auto", budget: int = BUDGET, **environment: Any
    ) -> None:
        if engine not in ENGINES:
            raise SpecError(f"engine is {engine!r}: expected one of {', '.join(ENGINES)}")
        if not hasattr(budget, "__index__"):
            raise KindError(f"budget is {budget!r}: expected a number of instructions")
        self.engine = engine
        self.budget = budget
        self.env = Environment(**environment)
        self.mem = Memory()
        self.frames = [Frame(depth) for depth in range(MAX_FRAMES + 1)]
        self.frames[0].show(self.mem)
        self.objects = KernelObjects(self.mem, self.env)
        self.mapset = MapSet(self.mem, self.env, self.objects)
        self.descriptors: dict[int, OfflineMap] = {}  # what programs opened by bpf_sys_bpf
        self.replaced: dict[str, Callable[..., int | None]] = {}
        self.coverage = coverage.active
        self._helpers: dict[int, Helper] = {}
        self.globals: dict[str, Any] = {}  # what all translations for this machine have in common
        self.images: list[Image] = []
        for spec in specs:
            for one in _wanted(spec):
                if isinstance(one, MapSpec):
                    self.mapset.of(one)
                else:
                    self._add(one)
        if not self.images:
            raise SpecError("VM() needs a program")
        self.mapset.fill()

    # --- the front door ---------------------------------------------------------------------------------

    def run(
        self,
        spec: ProgramSpec | str | None = None,
        *,
        data: Any = None,
        ctx: Any = None,
        trace: bool = False,
        repeat: int = 1,
        flags: int = 0,
        cpu: int = 0,
        batch_size: int = 0,
    ) -> Result:
        """Run a program (the first one given to the machine, unless `spec` names another) once, or `repeat` times.

        `data` is the packet: bytes, or anything that `bytes()` turns into them.  `ctx` is the context: a dict of
        fields, a ctypes structure, bytes, or a sequence of arguments for programs that take those.  Repeated runs
        share packet and context, as in TEST_RUN.  `flags` (`uapi.RunFlags`), `cpu` and `batch_size` are those of
        `Program.test_run`: with XDP_LIVE_FRAMES each run has a new frame, and what became of them is in `actions`.

        Raises `VmFault` for what the kernel would never let happen, `InputError` for input that TEST_RUN refuses,
        `KindError` and `SpecError` for what is no packet or context at all, and `NotSupportedError` for a helper that is
        not modelled.
        """
        if isinstance(spec, (bytes, bytearray, memoryview)):
            raise KindError("vm.run() takes a program first: give the packet as data=...")
        image = self.images[0] if spec is None else self._image(spec)
        kind = image.spec.prog_type
        given = packet_bytes(data)
        if not hasattr(repeat, "__index__"):
            raise KindError(f"repeat is {repeat!r}: expected a whole number")
        if repeat < 0:
            raise SpecError(f"repeat is {repeat!r}: expected how many times the program is to run")
        times = max(repeat, 1)  # 0 counts as 1, as in TEST_RUN
        if times == 1 and not (flags or cpu or batch_size):
            return self._run(image, given, ctx, trace, 1, 0)
        testrun.check(kind, self.env, repeat, flags, cpu, batch_size)
        if testrun.is_live(kind, flags):
            return merged([self._run(image, given, ctx, trace, 1, flags) for _ in range(times)])
        if not testrun.on_cpu(kind, flags):
            return self._run(image, given, ctx, trace, times, flags)
        before, self.env.cpu = self.env.cpu, cpu
        try:
            return self._run(image, given, ctx, trace, times, flags)
        finally:
            self.env.cpu = before

    def run_capture(
        self,
        path: str | PathLike[str],
        spec: ProgramSpec | str | None = None,
        *,
        progress: bool = False,
        each: Callable[[Result], object] | None = None,
        **options: Any,
    ) -> CaptureReport:
        """Run a program on every packet of a pcap or pcapng file, which gzip may have compressed; see
        `capture.run_capture`.
        """
        from .capture import run_capture

        return run_capture(self, path, spec, progress=progress, each=each, **options)

    def __getitem__(self, key: MapSpec | str) -> Any:
        """The map for a declared one: looked up by identity, then by equality, then by name.  KeyError when there is
        none.
        """
        return self.mapset.view(self.mapset.find(key))

    def __repr__(self) -> str:
        maps = ", ".join(found.name for found in self.mapset)
        return f"<VM of {', '.join(image.name for image in self.images)}{f'; maps {maps}' if maps else ''}>"

    def __reduce_ex__(self, protocol: Any) -> Any:
        """Not to be copied or pickled: what it holds refers to its own memory."""
        raise KindError(f"{self!r} cannot be copied or pickled: make another VM of the same programs")

    def __contains__(self, key: MapSpec | str) -> bool:
        return self.mapset.search(key) is not None

    @property
    def maps(self) -> dict[str, Any]:
        """The views of all maps by name."""
        return {found.name: self.mapset.view(found) for found in self.mapset}

    def helper(self, name: Any, function: Callable[..., int | None]) -> None:
        """Let `function` answer for a helper (`"ktime_get_ns"`, with or without `bpf_`, or `helpers.ktime_get_ns`) or a
        kfunc in this machine.

        It is called with the arguments as unsigned numbers, as many as it takes, and returns the result (None counts
        as 0).  KeyError for a name that no helper has, KindError for what cannot be called so.
        """
        name = getattr(name, "__name__", name)
        if not isinstance(name, str):
            raise KindError(f"{name!r} is no helper: expected its name, or the helper itself")
        if not callable(function):
            raise KindError(f"{function!r} cannot answer for {name}: expected a function")
        plain = name.removeprefix("bpf_")
        if helpers.known(plain):
            name = plain
        elif not name.startswith("bpf_") and not helpers.known(name):
            raise KeyError(f"there is no helper named {name!r}")
        self.replaced[name] = _adapted(name, function)
        self._helpers.clear()
        for image in self.images:
            image.functions.clear()

    def translate(self, spec: ProgramSpec | str | None = None, *, data: bytes = bytes(64), ctx: Any = None) -> str:
        """Translate a program now, for runs with such a packet and context, and return the Python source that will
        run.
        """
        from .translate import module_of

        image = self.images[0] if spec is None else self._image(spec)
        made = context.make(
            image.spec, ctx, self.mem, self.env, data if image.spec.prog_type in context.PACKETS else None
        )
        return module_of(Run(self, image, made, self.budget), image).source

    def user_string(self, text: str | bytes) -> int:
        """Put a string with its NUL into user memory and return its address."""
        raw = _text(text)
        return self.mem.add(bytearray(raw + b"\0"), f"user string {raw[:20]!r}", user=True)

    def user_memory(self, raw: bytes | bytearray) -> int:
        """Put bytes into user memory and return their address; a bytearray is shared with the caller."""
        return self.mem.add(raw if isinstance(raw, bytearray) else bytearray(_memory(raw)), "user memory", user=True)

    def kernel_memory(self, raw: bytes | bytearray, name: str = "kernel memory") -> int:
        """Put bytes into kernel memory and return their address: a structure that a program follows pointers to.

        `bytes` are read-only to programs, a bytearray is shared with the caller.
        """
        return self.mem.add(_memory(raw), name)

    def kernel_string(self, text: str | bytes) -> int:
        """Put a string with its NUL into kernel memory and return its address."""
        raw = _text(text)
        return self.mem.add(raw + b"\0", f"kernel string {raw[:20]!r}")

    def advance(self, ns: int) -> int:
        """Move the clock on by `ns`, firing the timers that become due in order; returns how many fired.

        KindError for what is no whole number, SpecError for going back.
        """
        if not hasattr(ns, "__index__"):
            raise KindError(f"advance({ns!r}): expected a whole number of nanoseconds")
        if ns < 0:
            raise SpecError(f"advance({ns}): time does not go back; set vm.env.time_ns to begin elsewhere")
        end = self.env.time_ns + ns
        fired = 0
        while True:
            due = [(t.due, address) for address, t in self.mem.timers.items() if t.due is not None and t.due <= end]
            if not due:
                break
            when, address = min(due)
            timer = self.mem.timers[address]
            self.env.time_ns = max(self.env.time_ns, when)
            timer.due = None
            self._fire(timer, address)
            fired += 1
        self.env.time_ns = end
        return fired

    # --- what the parts ask for -----------------------------------------------------------------------

    def warm(self, image: Image) -> float:
        """How many instructions a program has executed when it is translated."""
        if self.engine == "auto":
            return _WARM * (len(image.code) + _FIXED)
        return 0 if self.engine == "translator" else FOREVER

    def helper_number(self, number: int) -> Helper:
        found = self._helpers.get(number)
        if found is None:
            found = self._helpers[number] = helpers.find(number, self.replaced)
        return found

    def image_of(self, target: object) -> Image:
        """The image of a program that a prog array holds, added to the machine when it is new."""
        assert isinstance(target, ProgramSpec)
        for image in self.images:
            if image.spec is target:
                return image
        return self._add(target)

    def code_at(self, address: int) -> tuple[Image, int]:
        """The program and slot that a function's address means.  VmFault for any other number."""
        number, slot = (address & 0xFFFFFFFF) >> 24, address & 0xFFFFFF
        if address >> 32 != FUNC or number >= len(self.images) or slot not in self.images[number].starts:
            raise VmFault(f"0x{address:x} is not a function")
        return self.images[number], slot

    # --- inside ------------------------------------------------------------------------------------------

    def _forget(self, address: int) -> None:
        """Unmap what was made for one run; the storages that hang on it go with it."""
        self.mem.drop(address)
        self.mapset.forget(address)

    def _run(self, image: Image, data: bytes | None, ctx: Any, trace: bool, times: int, flags: int) -> Result:
        """Run so many times on one packet and context, and unmap what was made for it."""
        made = context.make(image.spec, ctx, self.mem, self.env, data)
        summed = made.packet_output() if flags and flags & RunFlags.SKB_CHECKSUM_COMPLETE else None
        if flags and testrun.is_live(image.spec.prog_type, flags):
            testrun.check_live(made)
        lines: list[TraceLine] = []
        run = Run(self, image, made, self.budget)
        run.summed = summed is not None
        if trace:
            run.visit = _tracer(lines, self.coverage)
        elif self.coverage is not None:
            run.visit = self.coverage.visit
        try:
            r0 = run.repeat(image, times)
            out = made.packet_output()
            if summed is not None and summed != out:
                raise NotSupportedError("SKB_CHECKSUM_COMPLETE offline, for a program that changes its packet")
        finally:
            image.executed += run.insns
            self.mem.purge()
            if made.packet is not None:
                made.owned.append(made.packet.address)
            for address in made.owned:
                self._forget(address)
        return Result(r0, out, _like(ctx, made), run.insns, lines, run.printk, run.actions, bytes(run.seq))

    def _add(self, spec: ProgramSpec) -> Image:
        if not isinstance(spec, ProgramSpec):
            from reprlib import repr as shortened

            raise SpecError(f"{shortened(spec)} is not a program: expected a ProgramSpec (or a decorated function)")
        known = spec.maps

        def map_of(symbol: str) -> OfflineMap:
            if symbol not in known:
                names = ", ".join(known) or "none"
                raise SpecError(f"program {spec.name!r} refers to map {symbol!r}, which is not among its maps: {names}")
            found = self.mapset.of(known[symbol])
            if not known[symbol].name:
                found.name = symbol
            return found

        insns = spec.insns
        for declared in known.values():
            self.mapset.of(declared)
        image = Image(spec, insns, len(self.images), map_of)
        self.images.append(image)
        if self.coverage is not None:
            self.coverage.of(image)
        return image

    def _image(self, spec: ProgramSpec | str) -> Image:
        for image in self.images:
            if image.spec is spec:
                return image
        for image in self.images:
            if image.spec == spec or image.spec.name == spec:
                return image
        raise KeyError(f"{spec!r} is not one of this machine's programs: {', '.join(i.name for i in self.images)}")

    def _fire(self, timer: Timer, address: int) -> None:
        image, _ = self.code_at(timer.callback)
        made = context.Context(bytearray())
        run = Run(self, image, made, self.budget)
        found = self.mapset.by_address[timer.map]
        key = next((k for k, value in found.elements() if value >> 32 == address >> 32), b"")
        value = address >> 32 << 32
        key_address = self.mem.add(key, f"key in {found.name}")
        timer.runs = True
        try:
            run.callback(timer.callback, found.address, key_address, value)
        finally:
            timer.runs = False
            self.mem.remove(key_address)
            self.mem.purge()


def _wanted(given: Any) -> list[Any]:
    """The programs and maps that stand for what was given: of an object all that is loaded of it, of a struct_ops map
    the functions among its members.
    """
    if hasattr(given, "to_load"):
        return [one for part in given.to_load for one in _wanted(part)]
    if not isinstance(given, MapSpec) or given.map_type != MapType.STRUCT_OPS:
        return [given]
    found = [member for _, members in given.contents for member in members.values() if isinstance(member, ProgramSpec)]
    if not found:
        raise SpecError(f"map {given.name} has no programs among its members")
    return found


def _text(text: str | bytes) -> bytes:
    if isinstance(text, str):
        return text.encode()
    return bytes(_memory(text))


def _memory(raw: Any) -> Any:
    """Bytes as they are, structures as their bytes.  KindError for anything else."""
    if isinstance(raw, (bytes, bytearray)):
        return raw
    try:
        return bytes(memoryview(raw))
    except TypeError:
        raise KindError(f"{raw!r} cannot be put into memory: expected bytes, or a structure") from None


def _adapted(name: str, function: Callable[..., int | None]) -> Callable[..., int | None]:
    """A user's function as the machine calls it: without the run, and with as many arguments as it takes."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        limit = 0
    else:
        positional = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
        limit = 5 if any(p.kind == p.VAR_POSITIONAL for p in parameters) else len(positional)
        taken, needed = helpers.arguments_of(name), sum(p.default is p.empty for p in positional)
        if needed > taken:
            raise KindError(f"{name} has {taken} arguments: a function that needs {needed} cannot answer for it")

    def call(run: Run, *args: int) -> int:
        answer = function(*args[:limit])
        if answer is not None and not hasattr(answer, "__index__"):
            raise KindError(f"the function given for {name} returned {answer!r}: expected a number, or None for 0")
        return int(answer or 0)

    return call


def _tracer(lines: list[TraceLine], covered: Coverage | None) -> Callable[[Image, int, Insn, list[int | None]], None]:
    """A visitor that writes the trace: each call completes the line before it."""

    def visit(image: Image, slot: int, insn: Insn, regs: list[int | None]) -> None:
        now = tuple(regs)
        if lines:
            lines[-1].after = now
        lines.append(TraceLine(image.name, slot, insn, now))
        if covered is not None:
            covered.visit(image, slot, insn, regs)

    return visit


def _like(given: Any, made: context.Context) -> Any:
    """The context after the run in the form it was given in: bytes for bytes, a structure for anything else."""
    raw = made.output()
    if not raw or given is None or isinstance(given, (bytes, bytearray, memoryview)):
        return raw or None
    if isinstance(given, Structure):
        size = len(bytes(given))
        return type(given).from_buffer_copy(raw[:size].ljust(size, b"\0"))
    return made.structured(raw)
