"""From instructions to Python functions: one module of source for each program, compiled once and cached.

The translated code checks nothing that Python checks anyway.  When a line raises (a region that is not there, an
index beyond its end, a register that was never set), `surprise` reads the registers from the frame's locals and the
interpreter goes on from that very instruction: it either raises the fault or does what the text could not.
"""

from __future__ import annotations

import gc
import struct

from ..asm.opcodes import Call
from ..errors import VmFault
from .emit import NAMES, NOWHERE, Shape
from .function import Entered, Function
from .helpers import find_kfunc
from .interp import execute
from .isa import ATOMICS, SIGNED_ALU
from .loops import COUNTED
from .maps import OfflineMap
from .maps.array import Array
from .maps.hash import Hash
from .memory import CTX, FRAME_SIZE, MASK32, MASK64
from .ranges import FULL
from .structure import Text
from .windows import accessors, raised_in

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import CodeType
    from typing import Any

    from .emit import Value
    from .image import Image
    from .run import Run

    Entry = Callable[..., int]

SURPRISES = (LookupError, struct.error, ValueError, TypeError, NameError, AttributeError, OverflowError, VmFault)
_CACHE: dict[Any, Module] = {}
_CACHE_SIZE = 256
_PATIENCE = 200
"""Surprises after which a program is left to the interpreter: it meets what the translation is not made for."""


class Module:
    """A program's translation: the compiled source, where its lines come from, and its functions by first slot."""

    def __init__(self, code: CodeType, source: str, text: Text, functions: dict[int, Function]) -> None:
        self.code = code
        self.source = source
        self.text = text
        self.functions = functions


def module_of(run: Run, image: Image, at: Entered | None = None) -> Module:
    """The translation of a program for runs such as this one."""
    maps: dict[int, tuple[int, bool] | None] = {slot: _fast(found) for slot, found in image.maps.items()}
    return translate(image, Shape(*run.shape, maps, frozenset(run.vm.replaced)), at)


def forget() -> None:
    """Empty the cache of translations."""
    _CACHE.clear()


def translate(image: Image, shape: Shape, at: Entered | None = None) -> Module:
    """The module for a program under a shape, from the cache when it was made before.

    With `at` it is the one function that goes on from there.
    """
    symbols = tuple(insn.symbol for _, insn in image.calls if insn[2] == Call.KFUNC)
    key = (image.insns, tuple(image.starts), shape.key, symbols, at)
    module = _CACHE.get(key)
    if module is None:
        if len(_CACHE) >= _CACHE_SIZE:
            del _CACHE[next(iter(_CACHE))]
        collects = gc.isenabled()
        gc.disable()  # nothing of what is made here is rubbish yet; looking for some takes a quarter of a long translation
        try:
            module = _CACHE[key] = _made(image, shape, at)
        finally:
            if collects:
                gc.enable()
    return module


def _made(image: Image, shape: Shape, at: Entered | None) -> Module:
    text = Text()
    functions = _written(image, shape, text) if at is None else _resumed(image, shape, text, at)
    source = "\n".join(text.lines) + "\n"
    return Module(compile(source, f"<translation of {image.name}>", "exec"), source, text, functions)


def _resumed(image: Image, shape: Shape, text: Text, at: Entered) -> dict[int, Function]:
    function = Function(image, image.function_of(at.slot), shape, [], at)
    function.write(text)
    return {at.slot: function}


def _written(image: Image, shape: Shape, text: Text) -> dict[int, Function]:
    functions: dict[int, Function] = {}
    known: dict[int, list[Any]] = {0: [("c", 0), None, None, None, None]}
    for start in _callers_first(image):
        # What every caller in this program passes; functions that are called back from helpers get numbers.
        function = functions[start] = Function(image, start, shape, known.get(start, [FULL] * 5))
        for target, calls in function.calls.items():
            for args in calls:
                merged = known.get(target)
                now = [v if v is not None and v[0] == "c" else None for v in args]
                known[target] = (
                    now if merged is None else [a if a == b else None for a, b in zip(merged, now, strict=True)]
                )
        function.write(text)
    return functions


def _callers_first(image: Image) -> list[int]:
    """Functions in an order in which callers come before what they call, as far as there is one."""
    if len(image.starts) == 1:
        return image.starts
    calls: dict[int, list[int]] = {start: [] for start in image.starts}
    for slot, insn in image.calls:
        if insn[2] == Call.LOCAL and slot + insn[4] + 1 in calls:
            calls[image.function_of(slot)].append(slot + insn[4] + 1)
    out: list[int] = []
    seen: set[int] = set()

    def visit(start: int) -> None:
        if start not in seen:
            seen.add(start)
            for target in calls[start]:
                visit(target)
            out.append(start)

    for start in image.starts:
        visit(start)
    out.reverse()
    return out


def functions_of(run: Run, image: Image) -> dict[int, Entry]:
    """The functions of a program for one machine and depth of calls."""
    module = module_of(run, image)
    names = _bound(run, image, module)
    return {start: entry(image, module, start, names[f"f{start}"]) for start in image.starts}


def resume(run: Run, image: Image, slot: int, regs: list[int | None]) -> int:
    """Go on translated where the interpreter is, at `slot`, until the function's frame ends; its r0."""
    at = Entered(slot, tuple(_known(run, value) for value in regs[:10]), _pointers(run))
    module = module_of(run, image, at)
    function = _bound(run, image, module)[f"f{slot}"]
    try:
        r0, insns = function(run, *(regs[reg] for reg in module.functions[slot].parameters))
    except SURPRISES as error:
        return surprise(run, image, module, slot, error)
    run.insns += insns
    return r0  # type: ignore[no-any-return]


def _known(run: Run, value: int | None) -> Value:
    """What a translation takes for granted of a register that holds `value`: little, so that it serves often."""
    if value is None:
        return None
    window = value >> 32
    if window == CTX:
        return ("c", value & MASK32)
    if window == run.frame.window:
        return ("f", value - run.frame.top)
    return (min(value, 1), COUNTED) if value <= COUNTED else FULL


def _pointers(run: Run) -> tuple[tuple[int, Value], ...]:
    """The 8-byte slots of the stack that hold pointers into the context or the stack."""
    mine = (CTX, run.frame.window)
    return tuple(
        (8 * i - FRAME_SIZE, _known(run, value)) for i, value in enumerate(run.frame.doubles) if value >> 32 in mine
    )


def _bound(run: Run, image: Image, module: Module) -> dict[str, Any]:
    """A module executed: its constants, maps, helpers and the frame are its globals."""
    vm = run.vm
    frame = run.frame
    if not vm.globals:
        vm.globals.update(_GLOBALS, W=vm.mem.readable, WW=vm.mem.writable, **accessors(vm.mem))
    names = vm.globals.copy()
    names["IMAGE"] = image
    names["r10"] = frame.top
    names["S1"], names["S2"], names["S4"], names["S8"] = frame.bytes, frame.halves, frame.words, frame.doubles
    for slot, value in image.constants.items():
        names[f"K{slot}"] = value
    for slot, name in image.variables.items():
        names[f"V{slot}"] = name
    for slot, found in image.maps.items():
        names[f"L{slot}"] = found.addresses.get if type(found) is Hash else found.lookup
        names[f"B{found.key_size}s"] = struct.Struct(f"{found.key_size}s").unpack_from
    for slot, insn in image.calls:
        if insn[2] == Call.HELPER and f"H{insn[4]}(" in module.source:
            names[f"H{insn[4]}"] = vm.helper_number(insn[4]).call
        elif insn[2] == Call.KFUNC and f"H{slot}k(" in module.source and insn.symbol is not None:
            names[f"H{slot}k"] = find_kfunc(insn.symbol, vm.replaced).call
    exec(module.code, names)
    return names


def _fast(found: OfflineMap) -> tuple[int, bool] | None:
    """(key size, whether the look-up is a dict's `get`) of a map that translated code looks up in place; None for
    others.
    """
    if isinstance(found, (Hash, Array)):
        return found.key_size, type(found) is Hash
    return None


def entry(image: Image, module: Module, start: int, function: Callable[..., tuple[int, int]]) -> Entry:
    """A translated function as a run enters it, with r1 to r5.

    This is where what it raises arrives: the interpreter goes on from there.
    """
    if len(module.functions[start].parameters) == 1:  # most programs: every argument costs

        def enter(run: Run, r1: int, r2: Any, r3: Any, r4: Any, r5: Any) -> int:
            try:
                r0, insns = function(run, r1)
            except SURPRISES as error:
                return surprise(run, image, module, start, error)
            run.insns += insns
            return r0
    else:

        def enter(run: Run, r1: int, r2: Any, r3: Any, r4: Any, r5: Any) -> int:
            try:
                r0, insns = function(run, r1, r2, r3, r4, r5)
            except SURPRISES as error:
                return surprise(run, image, module, start, error)
            run.insns += insns
            return r0

    return enter


def surprise(run: Run, image: Image, module: Module, start: int, error: Exception) -> int:
    """Go on in the interpreter where the function raised.

    What comes from inside a helper passes through; a fault from there learns its instruction.
    """
    assert error.__traceback__ is not None
    trace = error.__traceback__.tb_next
    assert trace is not None
    slot, count, texts = module.text.place_of(trace.tb_lineno - 1)
    if isinstance(error, VmFault) and error.insn is None:
        error.insn, error.source = slot, image.source(slot)
    inside = trace.tb_next is not None and not raised_in(trace.tb_next)
    if inside or slot == NOWHERE or isinstance(error, VmFault):
        raise error
    frame = trace.tb_frame
    names = frame.f_locals
    regs = [None if (value := names.get(name)) is None else value & MASK64 for name in NAMES]
    regs[10] = run.frame.top
    for reg, expression in texts.items():
        regs[reg] = eval(expression, frame.f_globals, names)
    run.insns += names.get("n", 0) + count
    stack = run.frame.bytes
    for at, size in module.functions[start].promoted.items():
        stack[FRAME_SIZE + at : FRAME_SIZE + at + size] = names[f"s{-at}"].to_bytes(size, "little")
    image.surprises += 1
    if image.surprises > _PATIENCE:
        image.refused = True
    return execute(run, image, slot, regs, stay=True)


def _over(run: Run, insns: int) -> None:
    run.insns += insns
    raise run.out_of_budget()


def _atomic(run: Run, address: int, size: int, operation: int, value: int, expected: int) -> int:
    """An atomic operation that the text does not spell out; the old value."""
    mask = (1 << 8 * size) - 1
    address &= MASK64
    if address >> 32 == CTX:
        raise VmFault("an atomic operation on the context")
    mem = run.mem
    old = mem.load(address, size)
    if operation == 0xF1:
        mem.store(address, size, value if old == expected & mask else old)
    else:
        mem.store(address, size, ATOMICS[operation & ~1](old, value & mask))
    return old


def _swapping(size: int) -> Callable[[int], int]:
    pack, unpack = struct.Struct(f"<{_LETTERS[size]}").pack, struct.Struct(f">{_LETTERS[size]}").unpack
    return lambda value: unpack(pack(value))[0]


_LETTERS = {2: "H", 4: "I", 8: "Q"}
_GLOBALS: dict[str, Any] = {
    "AT": _atomic, "OVER": _over,  "SD": SIGNED_ALU[0x30], "SM": SIGNED_ALU[0x90],
}  # fmt: skip
for _size, _letter in _LETTERS.items():
    _GLOBALS[f"SWAP{_size}"] = _swapping(_size)
    _GLOBALS[f"U{_size}"] = struct.Struct(f"<{_letter}").unpack_from
    _GLOBALS[f"P{_size}"] = struct.Struct(f"<{_letter}").pack_into
    _GLOBALS[f"B{_size}"] = struct.Struct(f">{_letter}").unpack_from
