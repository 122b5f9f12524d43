"""Control flow: what follows what, whether all is reachable, where paths are compared, and where the loops are."""

from __future__ import annotations

from ..asm.opcodes import LD_IMM64, Call, Class, Jmp, Pseudo
from .program import CALL, EXIT, JA, JA32, MAY_GOTO
from .reject import Reject

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .program import Op, Program

# Helpers that run a callback before they return, and those that let one run later.
SYNC_CALLBACKS = frozenset((164, 180, 181, 209))  # for_each_map_elem, find_vma, loop, user_ringbuf_drain
SYNC_KFUNCS = frozenset(("bpf_rbtree_add_impl",))
ASYNC_CALLBACKS = frozenset((170,))  # timer_set_callback


class Cfg:
    """The control-flow graph.

    `looped` tells whether any jump leads back, `prune` are the slots where paths are compared, `forced` those where a checkpoint
    is always made, `loops` gives each slot in a loop the number of its loop (strongly connected component), 0 outside.
    """

    def __init__(self, program: Program) -> None:
        self.program = program
        self.prune: set[int] = set()
        self.forced: set[int] = set()
        self.callbacks: set[int] = set()
        self.looped = False
        self.successors = [_successors(slot, op) for slot, op in enumerate(program.ops)]
        """The slots that may follow each one within the same function; a call is followed by what comes after it."""
        self._explore()
        self.loops = self._components() if self.looped or self.callbacks else [0] * len(program.ops)

    def _explore(self) -> None:
        """Walk from the entry (and from callbacks and called functions) and mark the places that matter."""
        program = self.program
        ops = program.ops
        count = len(ops)
        seen = bytearray(count + 1)
        on_path = bytearray(count + 1)
        self.order: list[int] = []
        stack: list[tuple[int, list[int]]] = []

        def enter(slot: int) -> None:
            seen[slot] = 1
            on_path[slot] = 1
            stack.append((slot, list(reversed(self._visit(slot)))))

        enter(0)
        while stack:
            slot, rest = stack[-1]
            if rest:
                target = rest.pop()
                if not 0 <= target < count:
                    raise Reject("cfg", f"jump out of range from insn {slot} to {target}", insn=slot)
                if not seen[target]:
                    enter(target)
                elif on_path[target]:
                    self.looped = True
                    if not program.setting.bpf:
                        raise Reject("cfg", f"back-edge from insn {slot} to {target}", insn=slot)
                continue
            on_path[slot] = 0
            self.order.append(slot)
            stack.pop()
        slot = 0
        while slot < count:
            if not seen[slot]:
                raise Reject(
                    "cfg",
                    f"unreachable insn {slot}",
                    hint="no path leads to this instruction: remove it, or jump to it",
                    insn=slot,
                )
            if ops[slot][0] == LD_IMM64:
                slot += 1
                if seen[slot]:
                    raise Reject("cfg", f"jump into the middle of ldimm64 insn {slot}", insn=slot - 1)
            slot += 1

    def _visit(self, slot: int) -> tuple[int, ...]:
        """The slots to walk to from here, callees included; marks where paths will be compared."""
        opcode, _, src, _, imm = self.program.ops[slot]
        follow = self.successors[slot]
        prune = self.prune
        if opcode == LD_IMM64 and src == Pseudo.FUNC:
            prune.update((slot, slot + 2, slot + imm + 1))
            return (slot + 2, slot + imm + 1)
        if opcode == CALL or opcode & 0xF7 == CALL:
            prune.add(slot + 1)
            if src == Call.LOCAL:
                prune.update((slot, slot + 1 + imm))
                return (slot + 1, slot + 1 + imm)
            if src == Call.HELPER and imm in ASYNC_CALLBACKS:
                prune.add(slot)
            if (src == Call.HELPER and imm in SYNC_CALLBACKS) or (
                src == Call.KFUNC and self.program.kfuncs.get(slot) in SYNC_KFUNCS
            ):
                prune.add(slot)
                self.forced.add(slot)
                self.callbacks.add(slot)
            elif src == Call.KFUNC and self.program.kfuncs.get(slot, "").endswith("_next"):
                prune.add(slot)
                self.forced.add(slot)
            return follow
        if opcode & 7 in (Class.JMP, Class.JMP32) and opcode != EXIT:
            if opcode in (JA, JA32):
                prune.add(follow[0])
            else:
                prune.update((slot, follow[1]))
                if opcode == MAY_GOTO:
                    self.forced.add(slot)
        return follow

    def _components(self) -> list[int]:
        """Tarjan's algorithm, without recursion: the number of the loop that each slot is in."""
        count = len(self.program.ops)
        number = [0] * count
        low = [0] * count
        loop = [0] * count
        on_stack = bytearray(count)
        waiting: list[int] = []
        counter = loops = 0
        for root in range(count):
            if number[root]:
                continue
            work = [(root, iter(self._edges(root)))]
            counter += 1
            number[root] = low[root] = counter
            waiting.append(root)
            on_stack[root] = 1
            while work:
                slot, edges = work[-1]
                for target in edges:
                    if target >= count:
                        continue
                    if not number[target]:
                        counter += 1
                        number[target] = low[target] = counter
                        waiting.append(target)
                        on_stack[target] = 1
                        work.append((target, iter(self._edges(target))))
                        break
                    if on_stack[target]:
                        low[slot] = min(low[slot], number[target])
                else:
                    work.pop()
                    if work:
                        parent = work[-1][0]
                        low[parent] = min(low[parent], low[slot])
                    if low[slot] == number[slot]:
                        members = []
                        while True:
                            member = waiting.pop()
                            on_stack[member] = 0
                            members.append(member)
                            if member == slot:
                                break
                        if len(members) > 1 or slot in self._edges(slot) or slot in self.callbacks:
                            loops += 1
                            for member in members:
                                loop[member] = loops
        return loop

    def _edges(self, slot: int) -> tuple[int, ...]:
        opcode = self.program.ops[slot][0]
        return () if opcode == 0 and slot and self.program.ops[slot - 1][0] == LD_IMM64 else self.successors[slot]


def _successors(slot: int, op: Op) -> tuple[int, ...]:
    opcode, _, _, off, imm = op
    cls = opcode & 7
    if cls not in (Class.JMP, Class.JMP32):
        return (slot + 2,) if opcode == LD_IMM64 else (slot + 1,)
    kind = opcode & 0xF0
    if kind == Jmp.EXIT:
        return ()
    if kind == Jmp.CALL:
        return (slot + 1,)
    if opcode == JA:
        return (slot + 1 + off,)
    if opcode == JA32:
        return (slot + 1 + imm,)
    return (slot + 1, slot + 1 + off)
