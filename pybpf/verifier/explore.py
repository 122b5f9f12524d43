"""`Run`: the simulation of all paths, one instruction at a time, and where paths end because nothing new can follow.

Each instruction is compiled to a step when it is first reached.  Conditional jumps put the other way on a stack of states; where
many paths meet, states are kept as checkpoints, and a path that reaches a covered checkpoint ends there.
"""

from __future__ import annotations

from functools import cached_property, lru_cache

from ..btf.fields import Special, fields_of_type
from ..kernel import helper
from .attach import target_returns_void
from .calls.functions import Function, describe
from .calls.subprograms import check_resources
from .cfg import Cfg
from .numbers.tnum import U32
from .program import CALL, MAX_INSNS, TAIL_CALL
from .pruning import checkpoint as checkpoints
from .pruning import precision
from .pruning.checkpoint import Checkpoint
from .pruning.liveness import Registers, Stack
from .reject import Reject
from .state import Frame, State
from .steps.alu import compile_alu
from .steps.compile import compile_step
from .steps.jumps import compile_jump
from .values import ANY, CTX, SCALAR, STACK, UNINIT, Reg

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..btf import Btf
    from ..kernel import HelperRules
    from .context import Setting
    from .numbers.num import Num
    from .program import Program
    from .state import Access, Linked
    from .steps.alu import Step

MAX_DEPTH = 8192
"""Paths that may wait to be explored."""
_NOTHING = (None, None)
MANY_NOTES = 40
"""So many jumps and uses of spilled registers are traced back at most, before a checkpoint is made."""


class Run:
    """One verification: the program, its states under way, and everything learned on the way."""

    def __init__(self, program: Program, cfg: Cfg, setting: Setting) -> None:
        self.program = program
        self.cfg = cfg
        self.setting = setting
        self.uninit_stack = setting.perfmon and setting.at_least("6.1")  # of 6.3, and of 6.1's stable releases
        self.links_spills = setting.at_least("6.9")  # 8ecfc371d829 ("bpf: Assign ID to scalars on spill")
        self.links_live_only = setting.at_least(
            "6.18"
        )  # of its stable releases: registers that nothing reads do not count
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
        self._how = checkpoints.LOOSE if setting.bpf else checkpoints.WITHIN
        self.lost = ANY if setting.perfmon else UNINIT
        """What is left of a pointer to something that is gone: for whoever may see addresses, a number."""
        self.processed = 0
        self.peak_states = 0
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
        self._explored: dict[int, list[Checkpoint]] = {}
        self._loops_seen: set[checkpoints.Loop] = set()
        self._jumps = 0
        self._jumps_before = 0
        self._insns_before = 0
        self.registers = Registers(program, cfg, _parameters(setting.program_rules.helpers, setting.prog_type))
        self.stack = Stack(program, cfg)
        self.state: State | None = None
        self._object_fields: dict[str, tuple[Special, ...]] = {}
        self._functions: dict[int, Function] = {}
        self._trail = precision.Trail(program, cfg.callbacks)

    # -- what the steps use

    def new_id(self) -> int:
        self._ids += 1
        return self._ids

    def compare_all_numbers(self) -> None:
        """From here on paths are only equal when all numbers are: a difference may change how additions are masked."""
        self._how = checkpoints.SAME

    def count_jump(self) -> None:
        self._jumps += 1

    def links(self, before: Num, kind: int, wide: bool, distance: int) -> bool:
        """Whether a number that moved by a constant stays linked with those that it equalled.

        Linux 6.10 follows additions on x registers; 6.18.y also subtractions, and w registers that hold all of the number.
        """
        if wide and kind == 0 and distance >= 0:
            return self.setting.at_least("6.10")
        return self.setting.at_least("6.18") and (wide or before.umax <= U32)

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
        if state.parent is None or not self.setting.bpf:
            return
        wanted = precision.want(state, reg)
        if wanted is not None:
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

    def check_resources(self, state: State, what: str, *, locks: bool) -> None:
        check_resources(state, what, locks=locks)

    def wanted_slot(self, state: State, frame: int, index: int) -> precision.Wanted:
        """A stack slot whose number decides something."""
        wanted = precision.Wanted(len(state.frames) - 1)
        wanted.slots[frame] = 1 << index
        return wanted

    def mark_wanted(self, state: State, wanted: precision.Wanted) -> None:
        if state.parent is not None:
            self._trail.mark(state, wanted)

    # -- functions

    def function(self, subprog: int) -> Function:
        """What BTF says of a subprogram."""
        found = self._functions.get(subprog)
        if found is None:
            found = self._functions[subprog] = describe(self, subprog)
        return found

    @cached_property
    def _exception_callback(self) -> int | None:
        btf, info = self.program_btf(), self.setting.spec.func_info
        if btf is None or not info:
            return None
        named = [
            tag.name.partition(":")[2]
            for tag in btf.own_types()
            if tag.kind == 17 and tag.name.startswith("exception_callback:") and tag.type_id == int(info[0][1])
        ]
        if not named:
            return None
        if len(named) > 1:
            raise Reject("btf", "multiple exception callback tags for main subprog")
        found = next((i for i in range(len(info)) if self.function(i).name == named[0]), None)
        if found is None:
            raise Reject("btf", "exception callback type id not found in func_info")
        return found

    def exception_callback(self) -> int | None:
        """The function that bpf_throw runs, which a tag of the program names; nothing else may call it."""
        return self._exception_callback

    def changes_packet(self, subprog: int) -> bool:
        """Whether a function, or one that it calls, may move the packet."""
        return any(call.changes_packet or call.id == TAIL_CALL for call in self._helpers_of(subprog))

    def may_sleep(self, subprog: int) -> bool:
        """Whether a function, or one that it calls, may sleep."""
        return any(call.may_sleep for call in self._helpers_of(subprog))

    def _helpers_of(self, subprog: int) -> Iterator[HelperRules]:
        """The helpers that a function calls, itself or through others."""
        seen: set[int] = set()
        waiting = [subprog]
        while waiting:
            one = waiting.pop()
            if one in seen:
                continue
            seen.add(one)
            for slot in range(self.program.starts[one], self.program.end(one)):
                opcode, _, src, _, imm = self.program.ops[slot]
                if opcode != CALL:
                    continue
                if src == 0 and imm in self.setting.program_rules.helpers:
                    yield helper(imm, self.setting.prog_type)
                elif src == 1:
                    callee = self.program.subprog_at(slot + 1 + imm)
                    if callee is not None:
                        waiting.append(callee)

    def returns_void(self, frame: Frame) -> bool:
        return self.function(frame.subprog).returns_void if frame.subprog else target_returns_void(self.setting)

    def return_range(self) -> tuple[int, int] | None:
        """What the program may return; None for anything."""
        return self.setting.program_rules.returns

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
        self._explored.clear()
        self._loops_seen.clear()
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
        slot = state.insn
        processed = self.processed
        self._note = None
        try:
            while True:
                processed += 1
                if processed > MAX_INSNS:
                    self.processed = processed
                    raise Reject(
                        "complexity",
                        f"BPF program is too large. Processed {processed} insn",
                        hint="the number of instructions on all paths together is limited to 1 million: bound the loops lower, "
                        "or put repeated work into a function or a bpf_loop callback",
                    )
                if slot in prune:
                    self.processed = processed
                    if self._covered(state, slot):
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

    # -- pruning

    def _covered(self, state: State, slot: int) -> bool:
        """Compare with the checkpoints at this instruction; keep a new one where it is worth it.  True when the path may end."""
        since_jumps = self._jumps - self._jumps_before
        since_insns = self.processed - self._insns_before
        state.noted += 1
        forced = self.setting.checkpoint_always or slot in self.cfg.forced or state.noted > MANY_NOTES
        add = forced or (since_jumps >= 2 and since_insns >= 8)
        known = self._explored.get(slot)
        if known:
            live = self.registers.before
            kept: list[Checkpoint] | None = None
            for i, old in enumerate(known):
                if old.state.branches:
                    hit, add = self._compare_on_path(old, state, slot, forced, add, since_jumps, since_insns)
                    loop = hit
                else:
                    if old.live is None:
                        self._settle(old)
                    loop = self._in_open_loop(old.state)
                    hit = checkpoints.equal(
                        old, state, live, checkpoints.WITHIN if loop and self._how == checkpoints.LOOSE else self._how
                    )
                if hit:
                    old.hits += 1
                    wanted = old.wanted() if self.setting.bpf else None
                    if wanted is not None:
                        self._trail.mark(state, wanted)
                    if loop:
                        self._remember_loop(old.state)
                    if kept is not None:
                        self._explored[slot] = kept + known[i:]
                    return True
                if add:
                    old.misses += 1
                patience = 64 if slot in self.cfg.forced and old.state.branches else 3
                if old.misses > old.hits * patience + patience:
                    if kept is None:
                        kept = known[:i]
                elif kept is not None:
                    kept.append(old)
            if kept is not None:
                known = self._explored[slot] = kept
        if not add:
            return False
        self._jumps_before = self._jumps
        self._insns_before = self.processed
        new = Checkpoint(state.copy())
        self._explored.setdefault(slot, []).insert(0, new)
        state.parent = new
        state.hist = []
        state.began = slot
        state.noted = 0
        state.depth += 1
        self.peak_states += 1
        return False

    def _compare_on_path(
        self, old: Checkpoint, state: State, slot: int, forced: bool, add: bool, since_jumps: int, since_insns: int
    ) -> tuple[bool, bool]:
        """A checkpoint whose paths are not all done: is this the same path again, in a loop?  (hit, add a checkpoint)."""
        live = self.registers.before
        op = self.program.ops[slot]
        check_loop = True
        if self._is_iterator(slot):
            if checkpoints.equal(old, state, live, checkpoints.WITHIN) and self._iterating(state):
                return True, add
            check_loop = False
        elif op[0] == 0xE5:
            if old.state.may_goto != state.may_goto and checkpoints.equal(old, state, live, checkpoints.WITHIN):
                return True, add
        elif slot in self.cfg.callbacks:
            if checkpoints.equal(old, state, live, checkpoints.WITHIN):
                return True, add
            check_loop = False
        if (
            check_loop
            and checkpoints.looping(old, state)
            and old.state.may_goto == state.may_goto
            and old.state.callback_depth == state.callback_depth
            and _same_frames(old.state, state)
            and checkpoints.equal(old, state, live, checkpoints.EXACT)
        ):
            raise Reject(
                "complexity",
                f"infinite loop detected at insn {slot}",
                hint="nothing changes from one iteration to the next: the loop needs a counter that is compared with a bound",
            )
        if not forced and since_jumps < 20 and since_insns < 100:
            add = False
        return False, add

    def _is_iterator(self, slot: int) -> bool:
        return slot in self.program.kfuncs and self.program.kfuncs[slot].endswith("_next") and slot in self.cfg.forced

    def _iterating(self, state: State) -> bool:
        """Whether the iterator that this call advances has not run out."""
        reg = state.frames[-1].regs[1]
        if reg.type != STACK:
            return False
        slot = state.frames[reg.extra].slot((-reg.off - 1) >> 3)
        return slot.reg is not None and slot.reg.data is not None and slot.reg.data[1] == "active"

    def _settle(self, old: Checkpoint) -> None:
        """All paths from a checkpoint are done: forget what nothing can read any more."""
        old.live = [self.stack.alive(old.state, i) for i in range(len(old.state.frames))]

    def _loop_of(self, state: State) -> checkpoints.Loop | None:
        frames = state.frames
        for i, frame in enumerate(frames):
            at = frames[i + 1].callsite if i + 1 < len(frames) else state.insn
            number = self.cfg.loops[at]
            if number:
                return checkpoints.Loop(frame.chain, number)
        return None

    def _in_open_loop(self, state: State) -> bool:
        if not self._loops_seen:
            return False
        return self._loop_of(state) in self._loops_seen

    def _remember_loop(self, state: State) -> None:
        loop = self._loop_of(state)
        if loop is not None:
            self._loops_seen.add(loop)


def _same_frames(old: State, new: State) -> bool:
    return all(a.callsite == b.callsite for a, b in zip(old.frames, new.frames, strict=True))


@lru_cache(maxsize=256)
def _parameters(helpers: frozenset[int], prog_type: int) -> dict[int, int]:
    """How many registers each helper reads."""
    return {number: len(helper(number, prog_type).args) for number in helpers}
