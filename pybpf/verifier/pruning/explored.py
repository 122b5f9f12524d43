"""`Explored`: the checkpoints of an exploration, at each instruction; when one is made, and whether a path may end at one."""

from __future__ import annotations

from ..reject import Reject
from ..values import STACK
from .checkpoint import EXACT, LOOSE, SAME, WITHIN, Checkpoint, Loop, equal, looping

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..cfg import Cfg
    from ..program import Program
    from ..state import State
    from .liveness import Registers, Stack

MANY_NOTES = 40
"""So many jumps and uses of spilled registers are traced back at most, before a checkpoint is made."""
_MAY_GOTO = 0xE5


class Explored:
    """What was explored from one entry.  `jumps` counts the conditional jumps on all paths: the steps count them here."""

    def __init__(self, program: Program, cfg: Cfg, registers: Registers, stack: Stack) -> None:
        self.jumps = 0
        self._cfg = cfg
        self._ops = program.ops
        self._always = program.setting.checkpoint_always
        self._how = LOOSE if program.setting.bpf else WITHIN
        self._live = registers.before
        self._stack = stack
        self._iterators = frozenset(
            slot for slot, name in program.kfuncs.items() if name.endswith("_next") and slot in cfg.forced
        )
        self._checkpoints: dict[int, list[Checkpoint]] = {}
        self._loops: set[Loop] = set()
        """Loops in which a path ended early: which numbers matter there is not all known, so all must fit."""
        self._jumps_before = 0  # when the last checkpoint was made
        self._insns_before = 0

    def clear(self) -> None:
        """Begin again at another entry."""
        self._checkpoints.clear()
        self._loops.clear()

    def compare_all_numbers(self) -> None:
        """From here on paths are only equal when all numbers are: a difference may change how additions are masked."""
        self._how = SAME

    def covering(self, state: State, slot: int, processed: int) -> Checkpoint | None:
        """The checkpoint at this instruction that a path may end at; else a new one may be made.

        `processed` counts the instructions on all paths so far.
        """
        since_jumps = self.jumps - self._jumps_before
        since_insns = processed - self._insns_before
        state.noted += 1
        forced = self._always or slot in self._cfg.forced or state.noted > MANY_NOTES
        add = forced or (since_jumps >= 2 and since_insns >= 8)
        known = self._checkpoints.get(slot)
        if known:
            kept: list[Checkpoint] | None = None
            for i, old in enumerate(known):
                if old.state.branches:
                    hit = self._comes_around(old, state, slot)
                    loop = hit
                    # rounds of a loop differ from each other: few of their states are worth keeping
                    add = add and (hit or forced or since_jumps >= 20 or since_insns >= 100)
                else:
                    loop = bool(self._loops) and self._loop_of(old.state) in self._loops
                    if (
                        old.live is None and not loop
                    ):  # all paths from it are done: forget what nothing can read any more
                        old.live = [self._stack.alive(old.state, f) for f in range(len(old.state.frames))]
                    hit = equal(old, state, self._live, WITHIN if loop and self._how == LOOSE else self._how)
                if hit:
                    old.hits += 1
                    if loop and (found := self._loop_of(old.state)) is not None:
                        self._loops.add(found)
                    if kept is not None:
                        self._checkpoints[slot] = kept + known[i:]
                    return old
                if add:
                    old.misses += 1
                patience = 64 if slot in self._cfg.forced and old.state.branches else 3
                if old.misses > old.hits * patience + patience:
                    if kept is None:
                        kept = known[:i]
                elif kept is not None:
                    kept.append(old)
            if kept is not None:
                self._checkpoints[slot] = kept
        if add:
            self._jumps_before, self._insns_before = self.jumps, processed
            self._add(state, slot)
        return None

    def _add(self, state: State, slot: int) -> None:
        new = Checkpoint(state.copy())
        self._checkpoints.setdefault(slot, []).insert(0, new)
        state.parent = new
        state.hist = []
        state.began = slot
        state.noted = 0
        state.depth += 1

    def _comes_around(self, old: Checkpoint, state: State, slot: int) -> bool:
        """A checkpoint whose paths are not all done: is this the same path again, in a loop that needs no other round?

        Reject when it is the same in every way: such a loop has no end.
        """
        endless = True
        if slot in self._iterators:
            if equal(old, state, self._live, WITHIN) and _iterating(state):
                return True
            endless = False
        elif self._ops[slot][0] == _MAY_GOTO:
            if old.state.may_goto != state.may_goto and equal(old, state, self._live, WITHIN):
                return True
        elif slot in self._cfg.callbacks:
            if equal(old, state, self._live, WITHIN):
                return True
            endless = False
        if (
            endless
            and looping(old, state)
            and old.state.may_goto == state.may_goto
            and old.state.callback_depth == state.callback_depth
            and all(a.callsite == b.callsite for a, b in zip(old.state.frames, state.frames, strict=True))
            and equal(old, state, self._live, EXACT)
        ):
            raise Reject(
                "complexity",
                f"infinite loop detected at insn {slot}",
                hint="nothing changes from one iteration to the next: the loop needs a counter that is compared with a bound",
            )
        return False

    def _loop_of(self, state: State) -> Loop | None:
        """The outermost loop that the state, or a call on its way there, stands in."""
        frames = state.frames
        for i, frame in enumerate(frames):
            number = self._cfg.loops[frames[i + 1].callsite if i + 1 < len(frames) else state.insn]
            if number:
                return Loop(frame.chain, number)
        return None


def _iterating(state: State) -> bool:
    """Whether the iterator that the call here advances has not run out."""
    reg = state.frames[-1].regs[1]
    if reg.type != STACK:
        return False
    slot = state.frames[reg.extra].slot((-reg.off - 1) >> 3)
    return slot.reg is not None and slot.reg.data is not None and slot.reg.data[1] == "active"
