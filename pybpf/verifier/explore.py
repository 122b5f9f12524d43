"""`Run`: the simulation of all paths, one instruction at a time.

Each instruction is compiled to a step when it is first reached.  Conditional jumps put the other way on a stack of states; a path
also ends where nothing new can follow (see `pruning/explored`).
"""

from __future__ import annotations

from functools import cached_property, lru_cache

from ..btf.fields import Special, fields_of_type
from ..kernel import helper
from .calls.functions import Function, describe, exception_callback
from .cfg import Cfg
from .program import MAX_INSNS
from .pruning import precision
from .pruning.explored import Explored
from .pruning.liveness import Registers, Stack
from .reject import Reject
from .state import REF, Frame, State
from .steps.alu import compile_alu
from .steps.compile import compile_step
from .steps.jumps import compile_jump
from .values import ANY, CTX, SCALAR, STACK, UNINIT, Reg

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..btf import Btf
    from .program import Program
    from .setting import Setting
    from .state import Access, Linked
    from .steps.alu import Step

MAX_DEPTH = 8192
"""Paths that may wait to be explored."""
_NOTHING = (None, None)


class Run:
    """One verification: the program, its states under way, and everything learned on the way."""

    def __init__(self, program: Program, cfg: Cfg, setting: Setting) -> None:
        self.program = program
        self.cfg = cfg
        self.setting = setting
        self.uninit_stack = setting.perfmon and setting.at_least("6.1")  # of 6.3, and of 6.1's stable releases
        self.links_spills = setting.at_least("6.9")  # 8ecfc371d829 ("bpf: Assign ID to scalars on spill")
        self.links_live_only = setting.at_least("6.18")  # of its stable releases: what nothing reads does not count
        self.tracks_swaps = setting.at_least("6.18")
        self.tracks_early_ends = setting.at_least("6.12")  # of 7.0, and of the stable releases since 6.12
        self.packet_access = setting.program_rules.packet
        self.context_cache: dict[tuple[int, int, bool], Reg | None] = {}
        self.safe_fields: dict[str, frozenset[str]] = {}
        self.pointer_types: dict[int, int] = {}
        self.atomic = False
        self.empty_kfunc = -1
        self.barriers: set[int] = set()
        """Instructions that are unsafe only after a wrong guess of the processor: such paths end there."""
        self.masking: dict[int, tuple[int, int]] = {}
        """How additions to pointers are made safe: one way each, on all paths (see `speculation`)."""
        self.lost = ANY if setting.perfmon else UNINIT
        """What is left of a pointer to something that is gone: for whoever may see addresses, a number."""
        self.processed = 0
        self.visits: dict[int, list[State]] | None = None
        """With a dict here, a copy of the state before each visited instruction is kept, by slot (for reports)."""
        self._note: tuple[Access | None, Linked | None] | None = None  # what the step under way wants in the history
        self.uninitialised: dict[int, tuple[str, str]] = {}
        """Calls that read stack bytes which nothing wrote: the argument, and where it lies."""
        self.called_globals: list[int] = []
        self.stack_depth = [0] * len(program.starts)
        self.async_callbacks: set[int] = set()
        self.callback_subprogs: set[int] = set()
        self._steps: list[Step | None] = [None] * len(program.ops)
        self._ids = 0
        self._waiting: list[State] = []
        self.registers = Registers(program, cfg, _parameters(setting.program_rules.helpers, setting.prog_type))
        self.stack = Stack(program, cfg)
        self.explored = Explored(program, cfg, self.registers, self.stack)
        self.state: State | None = None
        self._object_fields: dict[str, tuple[Special, ...]] = {}
        self._functions: dict[int, Function] = {}
        self._trail = precision.Trail(program, cfg.callbacks)

    # -- what the steps use

    def new_id(self) -> int:
        self._ids += 1
        return self._ids

    def identified(self, regs: list[Reg], src: int) -> Reg:
        """The number in a register, with an id that its copy will share; constants need none."""
        a = regs[src]
        if a.num[1] and (not a.id or a.data is not None):
            a = regs[src] = Reg(SCALAR, a.num, 0, self.new_id())
        return a

    def acquire(self, state: State, slot: int) -> int:
        """A new reference, held from here on."""
        ref = self.new_id()
        state.held = (*state.held, (REF, ref, slot, None))
        return ref

    def frame_of(self, reg: Reg) -> Frame:
        """The frame that a stack pointer points into."""
        assert self.state is not None
        return self.state.frames[reg.extra]

    def push(self, other: State, slot: int) -> None:
        """Explore `other` later, from `other.insn`."""
        checkpoint = other.parent
        if checkpoint is not None:
            checkpoint.state.branches += 1
        other.branches = 1
        other.hist.append((slot, other.insn, *(self._note or _NOTHING)))
        self._waiting.append(other)
        if len(self._waiting) > MAX_DEPTH:
            raise Reject(
                "complexity",
                f"the sequence of {len(self._waiting)} jumps is too complex",
                hint="fewer branches in a row, or a loop instead of unrolled code",
                insn=slot,
            )

    def mark_precise(self, state: State, reg: int) -> None:
        """The number in a register decides something: trace where it came from."""
        if state.parent is not None:
            self._mark(state, precision.want(state, reg))

    def mark_precise_slot(self, state: State, frame: int, index: int) -> None:
        """The number in a stack slot decides something."""
        wanted = precision.Wanted(len(state.frames) - 1)
        wanted.slots[frame] = 1 << index
        self._mark(state, wanted)

    def _mark(self, state: State, wanted: precision.Wanted | None) -> None:
        if wanted is not None and state.parent is not None and self.setting.bpf:
            self._trail.mark(state, wanted)

    def remember_stack(self, state: State, frame: int, index: int) -> None:
        """The instruction under way loaded or stored a register in this stack slot."""
        self._note = ((frame, index), None)
        state.noted += 1

    def remember_linked(self, linked: Linked) -> None:
        """The jump under way learned something of several equal numbers."""
        self._note = (None, linked)

    def stack_reads(self, state: State, frame: int, mask: int) -> None:
        self.stack.read(state, state.insn, frame, mask)

    def stack_writes(self, state: State, frame: int, mask: int) -> None:
        self.stack.write(state, state.insn, frame, mask)

    def deepen(self, frame: int, depth: int) -> None:
        """A frame uses at least so many bytes of stack."""
        assert self.state is not None
        subprog = self.state.frames[frame].subprog
        if depth > self.stack_depth[subprog]:
            self.stack_depth[subprog] = depth

    def check_leak(self, reg: Reg, message: str) -> None:
        """Without privileges, pointers are not used as numbers."""
        if reg.type != SCALAR and not self.setting.perfmon:
            raise Reject("leak", message, hint="programs of unprivileged users may not learn kernel addresses")

    def privileged_only(self, message: str) -> None:
        if not self.setting.perfmon:
            raise Reject("leak", message)

    def in_rcu(self, state: State) -> bool:
        """Whether what RCU protects stays valid here."""
        return bool(state.rcu) or state.lock() is not None or not state.sleepable

    def program_btf(self) -> Btf | None:
        """The program's own BTF."""
        raw = self.setting.spec.btf
        if not raw:
            return None
        from ..btf import Btf

        if not hasattr(self, "_btf"):
            self._btf = raw if isinstance(raw, Btf) else Btf.parse(bytes(raw))
        return self._btf

    def object_fields(self, name: str) -> tuple[Special, ...]:
        """The special fields of a structure of the program."""
        known = self._object_fields.get(name)
        if known is None:
            btf = self.program_btf()
            found = btf.find_all(name, 4) if btf is not None else []
            known = fields_of_type(found[0], self.setting.env.btf) if found else ()
            self._object_fields[name] = known
        return known

    # -- functions

    def function(self, subprog: int) -> Function:
        """What BTF says of a subprogram."""
        found = self._functions.get(subprog)
        if found is None:
            found = self._functions[subprog] = describe(self, subprog)
        return found

    @cached_property
    def exception_callback(self) -> int | None:
        """The function that bpf_throw runs, which a tag of the program names; nothing else may call it."""
        return exception_callback(self)

    # -- paths

    def explore(self, subprog: int, registers: list[Reg] | None = None) -> None:
        """Explore all paths from the start of a function: the program itself (0), or a global function."""
        start = self.program.starts[subprog]
        regs = [UNINIT] * 10 + [Reg(STACK, extra=0)]
        if registers is None:
            regs[1] = Reg(CTX)
        else:
            regs[1 : 1 + len(registers)] = registers
        first = State([Frame(subprog, -1, regs, ((-1, subprog),))])
        first.insn = start
        first.began = start
        first.lost = self.lost
        first.sleepable = self.setting.sleepable
        self.explored.clear()
        self._waiting.append(first)
        while self._waiting:
            state = self._waiting.pop()
            self.state = state
            try:
                self._follow(state)
            except Reject as problem:
                if not state.speculative or problem.category == "complexity" or not self.setting.at_least("6.16"):
                    raise
                self._put_barrier(state.insn)
            self._end(state)

    def _put_barrier(self, slot: int) -> None:
        """What the processor may do here after a wrong guess is not safe: it will not get here."""
        self.barriers.add(slot)
        self.masking.pop(slot, None)
        step = self._steps[slot]

        def guarded(run: Run, state: State) -> int:
            if state.speculative:
                return -1
            if step is None:
                raise Reject("type", "only wrong guesses were thought to lead here")
            return step(run, state)

        self._steps[slot] = guarded

    def _follow(self, state: State) -> None:
        """Take one path to its end."""
        steps = self._steps
        prune = self.cfg.prune
        covering = self.explored.covering
        slot = state.insn
        processed = self.processed
        self._note = None
        try:
            while True:
                processed += 1
                if processed > MAX_INSNS:
                    raise Reject(
                        "complexity",
                        f"BPF program is too large. Processed {processed} insn",
                        hint="the number of instructions on all paths together is limited to 1 million: bound the loops lower, "
                        "or put repeated work into a function or a bpf_loop callback",
                    )
                if slot in prune:
                    old = covering(state, slot, processed)
                    if old is not None:
                        self._mark(state, old.wanted())
                        return
                step = steps[slot]
                if step is None:
                    step = steps[slot] = self._compile(slot)
                after = step(self, state)
                if after != slot + 1 or self._note is not None:
                    if after < 0:
                        return
                    state.hist.append((slot, after, *(self._note or _NOTHING)))
                    self._note = None
                slot = state.insn = after
        finally:
            self.processed = processed

    def _record(self, state: State, slot: int) -> None:
        assert self.visits is not None
        seen = self.visits.setdefault(slot, [])
        if len(seen) < 64:
            seen.append(state.copy())

    def reached(self, slot: int) -> bool:
        """Whether any path led to an instruction."""
        return self._steps[slot] is not None

    def _compile(self, slot: int) -> Step:
        if self.visits is None:
            return self._translate(slot)
        step: Step | None = None

        def recorded(run: Run, state: State) -> int:
            nonlocal step
            run._record(state, slot)
            if step is None:
                step = run._translate(slot)
            return step(run, state)

        return recorded

    def _translate(self, slot: int) -> Step:
        op = self.program.ops[slot]
        cls = op[0] & 7
        if cls in (4, 7):
            return compile_alu(self, slot, op)
        if cls in (5, 6) and op[0] & 0xF0 not in (0x80, 0x90):
            return compile_jump(self, slot, op)
        return compile_step(self, slot, op)

    def _end(self, state: State) -> None:
        """A path is finished: its checkpoints have one branch less to wait for."""
        checkpoint = state.parent
        while checkpoint is not None:
            old = checkpoint.state
            old.branches -= 1
            if old.branches:
                return
            checkpoint = old.parent


@lru_cache(maxsize=256)
def _parameters(helpers: frozenset[int], prog_type: int) -> dict[int, int]:
    """How many registers each helper reads."""
    return {number: len(helper(number, prog_type).args) for number in helpers}
