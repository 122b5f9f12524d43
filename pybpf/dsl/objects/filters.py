"""Classic filters as predicates: `web = pcap_filter("tcp port 80")`, and in a program `if web(ctx):`.

Jumps of classic BPF go forward only, so the instructions are lowered in order, each in the state in which all jumps to it
meet.  A, X and the scratch words are names of that state.  A load outside of the packet gives 0 for the whole filter, as
in the kernel's own filters; it does not end the program.
"""

from __future__ import annotations

from ...cbpf.insn import AD_OFF, CONDITIONS, EXTENSION_NAMES, LL_OFF, NET_OFF, OPCODES
from ..lower.conditions import always, jump
from ..lower.joins import merge
from . import scalars as types
from .integers import binary, compare
from .values import Const, Front, Int

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ..lower.compiler import Compiler
    from ..ssa.build import State
    from ..ssa.ir import Value
    from .context import Context

U32 = (1 << 32) - 1
_SIZES = {"ld": 4, "ldh": 2, "ldb": 1, "ldxb": 1}
_BIG: dict[int, Any] = {1: types.u8, 2: types.be16, 4: types.be32}
_ALU = {"add": "Add", "sub": "Sub", "mul": "Mult", "div": "FloorDiv", "mod": "Mod", "or": "BitOr", "and": "BitAnd",
        "xor": "BitXor", "lsh": "LShift", "rsh": "RShift"}  # fmt: skip
_TESTS = {"jeq": "==", "jgt": ">", "jge": ">="}
# Extensions that are a field of the context.
_FIELDS = {"proto": "protocol", "type": "pkt_type", "ifidx": "ifindex", "mark": "mark", "queue": "queue_mapping",
           "rxhash": "hash", "vlan_tci": "vlan_tci", "vlanp": "vlan_present", "vlan_tpid": "vlan_proto"}  # fmt: skip
_HELPERS = {"cpu": "get_smp_processor_id", "random": "get_prandom_u32"}
SKB_LOAD_BYTES, SKB_LOAD_BYTES_RELATIVE = 26, 68


def predicate(c: Compiler, filter: Any, args: list[Front], kw: dict[str, Front], node: Any) -> Front:
    """What the filter gives for the program's packet: bytes to keep, or 0."""
    from ..lower.expressions import select
    from .context import Context

    if kw or len(args) != 1 or not isinstance(args[0], Context):
        c.fail("a filter is called with the program's context: write `if web(ctx):`", node)
    if c.unit.rules().context.name not in ("__sk_buff", "xdp_md"):
        c.fail(f"filters read packets, and {c.unit.kind.name} programs see none: socket filters, tc, XDP, cgroup_skb, "
               "LWT and sk_skb programs can call them", node)  # fmt: skip
    lowered = Lowered(c, args[0], node)
    for at, insn in enumerate(filter):
        lowered.step(at, insn)
    return select(c, lowered.results, node, "what the filter gives")


class Lowered:
    """A filter on its way: the states that wait for each instruction, and those in which it has returned."""

    def __init__(self, c: Compiler, context: Context, node: Any) -> None:
        self.c = c
        self.context = context
        self.node = node
        self.waiting: dict[int, list[State]] = {0: [c.b.state]}
        self.results: list[tuple[State, Front]] = []
        self.set("A", Const(0))
        self.set("X", Const(0))

    # -- the machine's registers, as names of the state

    def get(self, name: str) -> Any:
        return self.c.state.env[f"$filter.{name}"]

    def set(self, name: str, value: Any) -> None:
        self.c.state.env[f"$filter.{name}"] = value

    def go(self, state: State | None, at: int) -> None:
        if state is not None:
            self.waiting.setdefault(at, []).append(state)

    def leave(self, state: State | None, result: Front) -> None:
        if state is not None:
            for name in [n for n in state.env if n.startswith("$filter.")]:
                del state.env[name]
            self.results.append((state, result))

    # -- one instruction

    def step(self, at: int, insn: Any) -> None:
        state = merge(self.c, self.waiting.pop(at, []), self.node)
        if state is None:
            return  # nothing gets here: classic filters may hold such code
        self.c.b.state = state
        op, operand = OPCODES[insn.code]
        if op == "ret":
            self.leave(state, Const(insn.k) if operand == "num" else self.get("A"))
        elif op == "ja":
            self.go(state, at + 1 + insn.k)
        elif op in CONDITIONS:
            self.branch(at, op, operand, insn)
        elif self.compute(op, operand, insn.k):
            self.go(self.c.b.state, at + 1)

    def branch(self, at: int, op: str, operand: str, insn: Any) -> None:
        c, left, right = self.c, self.get("A"), self.get("X") if operand == "x" else Const(insn.k)
        if op == "jset":
            left, right, test = self.alu("and", right), Const(0), "!="
        else:
            test = _TESTS[op]
        outcome = compare(c, test, left, right, self.node)
        yes, no = always(c, outcome) if isinstance(outcome, bool) else jump(c, *outcome)
        self.go(yes, at + 1 + insn.jt)
        self.go(no, at + 1 + insn.jf)

    def compute(self, op: str, operand: str, k: int) -> bool:
        """Instructions that go on with the next one; False where none of them does."""
        if operand == "msh":
            byte = self.load(1, Const(k), 0)
            if byte is not None:
                low = binary(self.c, "BitAnd", byte, Const(0xF), self.node)
                self.set("X", binary(self.c, "LShift", low, Const(2), self.node))
            return byte is not None
        if operand == "abs" and k >= AD_OFF:
            self.set("A", self.extension(EXTENSION_NAMES[k]))
        elif operand in ("abs", "ind"):
            found = self.packet(_SIZES[op], operand, k)
            if found is None:
                return False
            self.set("A", found)
        elif op in ("ld", "ldx"):
            given = self.length() if operand == "len" else self.get(f"M{k}") if operand == "mem" else Const(k)
            self.set("A" if op == "ld" else "X", given)
        elif op in ("st", "stx"):
            self.set(f"M{k}", self.get("A" if op == "st" else "X"))
        elif op in _ALU:
            return self.arithmetic(op, self.get("X") if operand == "x" else Const(k))
        elif op == "neg":
            self.set("A", self.u32(binary(self.c, "Sub", self.typed(Const(0)), self.typed(self.get("A")), self.node)))
        elif op == "tax":
            self.set("X", self.get("A"))
        else:
            self.set("A", self.get("X"))
        return True

    # -- numbers

    def typed(self, front: Any) -> Int:
        """A number as a u32, so that arithmetic wraps."""
        return Int(self.c.b.const(front.obj), types.u32) if isinstance(front, Const) else Int(front.value, types.u32)

    def u32(self, front: Any) -> Front:
        value = front.number(self.c, self.node)
        return Const(value.obj & U32) if isinstance(value, Const) else Int(value.value, types.u32)

    def alu(self, op: str, operand: Any) -> Front:
        return self.u32(binary(self.c, _ALU[op], self.typed(self.get("A")), self.typed(operand), self.node))

    def arithmetic(self, op: str, operand: Any) -> bool:
        c = self.c
        if op in ("div", "mod") and not isinstance(operand, Const):
            outcome = compare(c, "==", operand, Const(0), self.node)
            zero, other = always(c, outcome) if isinstance(outcome, bool) else jump(c, *outcome)
            self.leave(zero, Const(0))
            if other is None:
                return False
            c.b.state = other
        if op in ("lsh", "rsh"):
            operand = binary(c, "BitAnd", operand, Const(31), self.node) if isinstance(operand, Int) else operand
            if isinstance(operand, Const) and operand.obj > 31:
                operand = Const(operand.obj & 31)
        self.set("A", self.alu(op, operand))
        return True

    # -- the packet and what is known of it

    def length(self) -> Front:
        return self.u32(self.context.length(self.c, self.node))

    def extension(self, name: str) -> Front:
        if name == "xor_x":
            return self.alu("xor", self.get("X"))
        if name in _HELPERS:
            from ..lower.helpercalls import call_helper

            return self.u32(call_helper(self.c, _HELPERS[name], [], {}, self.node))
        if name in _FIELDS and self.c.unit.rules().context.name == "__sk_buff":
            return self.u32(self.context.attribute(self.c, _FIELDS[name], self.node))
        self.c.fail(f"this filter reads [{name}], which {self.c.unit.kind.name} programs do not have", self.node)

    def packet(self, size: int, operand: str, k: int) -> Front | None:
        header = 0
        if k >= LL_OFF and operand == "abs":
            header = NET_OFF if k >= NET_OFF else LL_OFF
            k -= header
        if operand == "ind":
            at = binary(self.c, "Add", self.typed(self.get("X")), self.typed(Const(k)), self.node)
            return self.load(size, self.u32(at), header)
        return self.load(size, Const(k), header)

    def load(self, size: int, at: Front, header: int) -> Front | None:
        """A big-endian number of the packet; the filter has returned 0 where there is none."""
        c = self.c
        if c.unit.rules().context.name == "xdp_md":
            if header == NET_OFF:
                c.fail("this filter reads relative to the network header, which XDP programs do not know", self.node)
            return self.direct(size, at)
        place = c.borrow(4, 4, "packet")
        c.state.contents.pop(place, None)
        number: Any = at.number(c, self.node)
        offset: Value = c.b.const(number.obj) if isinstance(number, Const) else number.value
        args = [self.context.value, offset, place, c.b.const(size)]
        if header:
            args.append(c.b.const(int(header == NET_OFF)))  # BPF_HDR_START_MAC, BPF_HDR_START_NET
            failed = c.b.call("helper", SKB_LOAD_BYTES_RELATIVE, "skb_load_bytes_relative", args)
        else:
            failed = c.b.call("helper", SKB_LOAD_BYTES, "skb_load_bytes", args)
        miss, hit = jump(c, "!=", 64, failed, c.b.const(0))
        self.leave(miss, Const(0))
        assert hit is not None
        c.b.state = hit
        from .refs import Ref

        found = Ref(place, 0, _BIG[size], "stack").load(c, self.node)
        c.release(place)
        return self.u32(found)

    def direct(self, size: int, at: Front) -> Front | None:
        from ..lower.conditions import is_none
        from .context import MAX_OFFSET

        c = self.c
        if isinstance(at, Const) and at.obj > MAX_OFFSET - size:
            self.leave(c.b.state, Const(0))
            return None
        view: Any = self.context.packet(c, [Const(_BIG[size])], {"at": at}, self.node)
        none, some = is_none(c, view, self.node)
        self.leave(none, Const(0))
        if some is None:
            return None
        c.b.state = some
        return self.u32(view)


__all__ = ["predicate"]
