"""`Run`: one execution of a program: its context, frames, counters, and what it left behind."""

from __future__ import annotations

from ..asm.opcodes import Call
from ..errors import VmFault
from . import helpers
from .context.base import storable
from .helpers.kfuncs import Thrown
from .image import FOREVER, check_stack
from .interp import execute
from .maps import OfflineMap, References
from .memory import CTX, MASK32, ZEROS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from ..asm.insn import Insn
    from .context import Context
    from .helpers.table import Helper
    from .image import Image
    from .machine import VM
    from .translate import Entry

    Visitor = Callable[[Image, int, Insn, "list[int | None]"], None]

_CONTEXT = CTX << 32
_NET_OFF, _LL_OFF = -0x100000, -0x200000  # SKF_NET_OFF, SKF_LL_OFF


class Run:
    """What an execution needs at hand.  `insns` counts what was executed, over all frames and tail calls."""

    def __init__(self, vm: VM, image: Image, ctx: Context, budget: int) -> None:
        self.vm = vm
        self.env = vm.env
        self.mem = vm.mem
        self.maps = vm.mapset.by_address
        self.image = image
        self.ctx = ctx
        self.budget = budget
        self.insns = 0
        self.summed = False  # whether the packet has the sum of its bytes with it (SKB_CHECKSUM_COMPLETE)
        self.depths: list[int] = []
        self.frame = vm.frames[0]
        self.tail_calls = 0
        self.next_image: Image | None = None
        self.visit: Visitor | None = None
        self.printk: list[str] = []
        self.seq = bytearray()
        self.actions: list[tuple[Any, ...]] = []
        self._spins = 0
        packet = ctx.packet
        data = -2 if packet is None else -1 if packet.slots is None else packet.slots[0]
        # What a translation depends on: how large the context is, and where it holds pointers.
        # Loads of narrow fields count among them, so that only the interpreter makes such a load.
        self.shape = (len(ctx.data), frozenset((*ctx.pointers, *ctx.narrow)), data, ctx.kind)

    # --- memory, the context included --------------------------------------------------------------

    def load(self, address: int, size: int) -> int:
        if address >> 32 == CTX:
            return self.ctx.load(address & MASK32, size)
        return self.mem.load(address, size)

    def store(self, address: int, size: int, value: int) -> None:
        if address >> 32 == CTX:
            ctx, at = self.ctx, address & MASK32
            if at + size <= len(ctx.data) and at not in ctx.pointers and not storable(ctx.kind, at, size):
                raise ctx.read_only(at, size)
            ctx.store(at, size, value)
        else:
            self.mem.store(address, size, value)

    def packet_load(self, offset: int, size: int) -> int | None:
        """A legacy load in network order, or None outside the packet.  Negative offsets reach special places."""
        packet = self.ctx.packet
        if packet is None:
            raise VmFault("a legacy packet load without a packet")
        data = packet.view
        if offset < 0:
            whole = packet.front + packet.raw()
            if offset >= _NET_OFF:
                data, offset = whole[14:], offset - _NET_OFF
            elif offset >= _LL_OFF:
                data, offset = whole, offset - _LL_OFF
            else:
                return None
        if offset + size > len(data):
            return None
        return int.from_bytes(data[offset : offset + size], "big")

    # --- calls --------------------------------------------------------------------------------------

    def call(self, image: Image, start: int, args: Sequence[int | None]) -> int:
        """Run the function that begins at slot `start` in a new frame, and return its r0."""
        depth = len(self.depths)
        self.depths.append(image.depths.get(start, 0))
        if depth:
            check_stack(self.depths)
        outer, self.frame = self.frame, self.vm.frames[depth]
        frame = self.frame
        frame.clear()
        if depth:
            frame.show(self.mem)
        try:
            return self._enter(image, start, args)
        finally:
            self.depths.pop()
            self.frame = outer
            if depth:
                frame.hide(self.mem)

    def repeat(self, image: Image, times: int) -> int:
        """Run the program from its beginning `times` times, on the same context; the last r0."""
        frame = self.frame
        memory, top = frame.bytes, frame.top
        self.depths.append(image.depths.get(0, 0))
        function = None
        r0 = 0
        for _ in range(times):
            function = function or self._function(image, 0)
            self.tail_calls = 0
            memory[:] = ZEROS
            try:
                if function is not None:
                    r0 = function(self, _CONTEXT, None, None, None, None)
                else:
                    r0 = execute(self, image, 0, [None, _CONTEXT, *[None] * 8, top])
            except Thrown as thrown:
                r0 = thrown.value
        return r0

    def _enter(self, image: Image, start: int, args: Sequence[int | None]) -> int:
        function = self._function(image, start)
        if function is not None:
            return function(self, *args)
        return execute(self, image, start, [None, *args, *[None] * (9 - len(args)), self.frame.top])

    def _function(self, image: Image, start: int) -> Entry | None:
        """The translated form of a function, None where the interpreter shall run it."""
        key = (self.shape, self.frame.window)
        functions = image.functions.get(key)
        if functions is None or image.refused:
            if self.insns < self.patience(image):
                return None
            from .translate import functions_of

            functions = image.functions[key] = functions_of(self, image)
        return functions.get(start) if self.visit is None else None

    def patience(self, image: Image) -> float:
        """How many instructions this run has executed when a loop of `image` goes on translated."""
        return FOREVER if self.visit is not None or image.refused else self.vm.warm(image) - image.executed

    def callback(self, address: int, *args: int) -> int:
        """Call program code from a helper; `address` is what a wide load of a function gave."""
        image, start = self.vm.code_at(address)
        return self.call(image, start, [*args, *[0] * (5 - len(args))])

    def enter_tail(self, ctx: int) -> int:
        """Go on in the program that bpf_tail_call chose, in the frame of its caller; its r0."""
        image = self.next_image
        assert image is not None
        previous, self.image, self.next_image = self.image, image, None
        self.frame.clear()
        before = self.insns
        try:
            return self._enter(image, 0, [ctx, None, None, None, None])
        finally:
            self.image = previous
            image.executed += self.insns - before

    def helper(self, insn: Insn) -> Helper:
        """What a call instruction calls, local calls excepted."""
        if insn.src == Call.KFUNC:
            if insn.symbol is None:
                raise VmFault(f"a kfunc called by BTF id {insn.imm}: offline, kfuncs are called by name")
            return helpers.find_kfunc(insn.symbol, self.vm.replaced)
        if insn.src != Call.HELPER:
            raise VmFault(f"unknown kind {insn.src} of call")
        return self.vm.helper_number(insn.imm)

    # --- what helpers ask for -------------------------------------------------------------------------

    def map(self, address: int) -> OfflineMap:
        """The map that a program holds by `address`.  VmFault for anything else."""
        found = self.maps.get(address)
        if found is None:
            raise VmFault(f"0x{address:x} is not a map")
        return found

    def references(self, found: OfflineMap) -> References:
        """`found` as a map of references (programs, maps, cgroups, sockets)."""
        if not isinstance(found, References):
            raise VmFault(f"map {found.name} holds no references")
        return found

    def variable(self, name: str) -> int:
        """The address of a kernel variable that the test set in `env.variables`."""
        address = self.env.variables.get(name)
        if address is None:
            raise VmFault(f'kernel variable {name} is not modelled: set vm.env.variables["{name}"] to an address')
        return address

    def current_task(self) -> int:
        return self.vm.objects.current_task()

    def context_socket(self) -> object:
        """The pseudo socket in the context's field `sk`, or None."""
        field = getattr(self.ctx.layout, "sk", None)
        return None if field is None else self.mem.owner(self.ctx.load(field.offset, 8))

    def record(self, *action: object) -> None:
        """Remember what the program asked to be done (a redirect, a signal)."""
        self.actions.append(action)

    # --- limits -----------------------------------------------------------------------------------------

    def may_goto_ends(self) -> bool:
        """Whether a may_goto leaves its loop now."""
        self._spins += 1
        return self._spins > self.env.may_goto_limit

    def out_of_budget(self) -> VmFault:
        return VmFault(f"the run executed {self.budget} instructions, its budget; VM(..., budget=n) allows more")
