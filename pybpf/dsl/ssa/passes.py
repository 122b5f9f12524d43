"""Passes over the graph, in the order in which `optimise` runs them.

Most of the work was done when values were made (`build`): constants are folded and equal values shared.  What is left is
what only the whole graph shows: phis that are copies, branches whose outcome arrives over an edge, values that nobody
uses, stores that nobody reads, blocks that do nothing, and returns that are the same.
"""

from __future__ import annotations

from ...source import Counting
from .demand import bits, narrow
from .dominance import dominates
from .ir import PURE, Block, Graph, Slot, Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def optimise(graph: Graph, isa: int) -> None:
    reach(graph)
    copies(graph)
    while thread(graph) and blocks(graph):
        pass  # where a test moved together with one more phi, that may be skipped as well
    sweep(graph)
    if dead_stores(graph):
        sweep(graph)
    returns(graph)
    blocks(graph)
    while sweep(graph) and blocks(graph):
        pass
    if either(graph):
        blocks(graph)
        sweep(graph)
    if bits(graph):
        sweep(graph)
    order(graph)
    if narrow(graph, isa):
        copies(graph, True)
        sweep(graph)


def reach(graph: Graph) -> None:
    """Drop blocks that cannot be reached, and the edges and phi arguments that came from them."""
    seen = {graph.blocks[0]}
    todo = [graph.blocks[0]]
    while todo:
        for succ in todo.pop().successors():
            if succ not in seen:
                seen.add(succ)
                todo.append(succ)
    if len(seen) == len(graph.blocks):
        return
    graph.blocks = [b for b in graph.blocks if b in seen]
    for block in graph.blocks:
        if not seen.issuperset(block.preds):
            keep = [i for i, p in enumerate(block.preds) if p in seen]
            block.preds = [block.preds[i] for i in keep]
            for phi in block.phis:
                phi.args = [phi.args[i] for i in keep]


def root(value: Value) -> Value:
    while value.alias is not None:
        value = value.alias
    return value


def copies(graph: Graph, found: bool = False) -> None:
    """A phi of one value, and a value read with another sign, are that value.  `found`: others were given an alias before."""
    changed = True
    while changed:
        changed = False
        for block in graph.blocks:
            if not block.phis:
                continue
            kept = []
            for phi in block.phis:
                only = None
                for arg in phi.args:
                    arg = root(arg)
                    if arg is not phi and arg is not only:
                        if only is not None and not (only.op == arg.op == "const" and only.aux == arg.aux):
                            break
                        only = arg
                else:
                    if only is not None:
                        phi.alias = only
                        found = changed = True
                        continue
                kept.append(phi)
            block.phis = kept
    for block in graph.blocks:
        retyped = [v for v in block.values if v.op == "retype"]
        for value in retyped:
            value.alias = value.args[0]
        if retyped:
            found = True
            block.values = [v for v in block.values if v.op != "retype"]
    if not found:
        return
    for block in graph.blocks:
        for value in (*block.phis, *block.values):
            for i, arg in enumerate(value.args):
                if arg.alias is not None:
                    value.args[i] = root(arg)
        term = block.term
        assert term is not None
        if term[0] == "branch":
            block.term = (*term[:3], root(term[3]), root(term[4]), *term[5:])
        elif term[0] == "return" and term[1] is not None:
            block.term = ("return", root(term[1]))


def decided(test: str, a: int, b: int) -> bool:
    signed = test.startswith("s")
    if not signed:
        a, b = a & (1 << 64) - 1, b & (1 << 64) - 1
    match test.removeprefix("s"):
        case "==":
            return a == b
        case "!=":
            return a != b
        case "<":
            return a < b
        case "<=":
            return a <= b
        case ">":
            return a > b
    return a >= b


def redirect(pred: Block, old: Block, new: Block) -> None:
    """Let `pred` go to `new` where it went to `old`; the caller sees to phis and to `new.preds`."""
    assert pred.term is not None
    pred.term = tuple(new if part is old else part for part in pred.term)
    old.preds.remove(pred)


def thread(graph: Graph) -> bool:
    """A block that only tests a phi: ways in whose outcome is known skip the test.  Whether there were any."""
    users = uses_of_phis(graph)
    changed = False
    for block in graph.blocks:
        term = block.term
        assert term is not None
        if term[0] != "branch":
            continue
        _, test, _, a, b, then, other = term
        if b.op == "const" and (a.op == "const" or (b.aux == 0 and _moved(a))):
            kept, lost = (then, other) if decided(test, a.aux if a.op == "const" else 1, b.aux) else (other, then)
            if kept is not lost:
                _drop_edge(block, lost)
            block.term = ("jump", kept)
            changed = True
            continue
        if b.op != "const" or block.values or block.phis != [a] or then is other:
            continue
        for i in reversed(range(len(block.preds))):
            pred, arg = block.preds[i], a.args[i]
            if arg.op != "const" or pred is block:
                continue
            target, rest = (then, other) if decided(test, arg.aux, b.aux) else (other, then)
            if pred in target.preds or block.preds.count(pred) > 1 or not _only_behind(rest, block, users[a]):
                continue
            at = target.preds.index(block)
            for phi in target.phis:
                phi.args.append(arg if phi.args[at] is a else phi.args[at])
            target.preds.append(pred)
            assert pred.term is not None
            pred.term = tuple(target if part is block else part for part in pred.term)
            del block.preds[i]
            del a.args[i]
            changed = True
    if changed:
        reach(graph)
        copies(graph)
    return changed


def uses_of_phis(graph: Graph) -> dict[Value, list[Block]]:
    """For each phi the blocks at whose ends, or before, it is used."""
    users: dict[Value, list[Block]] = {phi: [] for block in graph.blocks for phi in block.phis}
    for block in graph.blocks:
        for phi in block.phis:
            for pred, arg in zip(block.preds, phi.args, strict=True):
                if arg.op == "phi":
                    users[arg].append(pred)
        for value in block.values:
            for arg in value.args:
                if arg.op == "phi":
                    users[arg].append(block)
        for arg in _operands(block):
            if arg.op == "phi":
                users[arg].append(block)
    return users


def _only_behind(rest: Block, block: Block, users: list[Block]) -> bool:
    """Whether what `block` defines is used in itself and behind `rest` alone, so that a way around both does not miss it.

    Dominance is that of the graph as it was built, and still holds: ways that skip a test are ways that were there before,
    without the block that tested, and `rest` has not become such a one while `block` leads to it.
    """
    return all(user is block or (rest.preds == [block] and dominates(rest, user)) for user in users)


def _moved(value: Value) -> bool:
    """Whether this is an address that a number was added to: what a view is, and not 0."""
    return value.op == "add" and value.lo > 0 and value.hi == (1 << 64) - 1


def _drop_edge(block: Block, lost: Block) -> None:
    at = lost.preds.index(block)
    del lost.preds[at]
    for phi in lost.phis:
        del phi.args[at]


def _operands(block: Block) -> tuple[Any, ...]:
    term = block.term
    assert term is not None
    if term[0] == "branch":
        return term[3:5]
    if term[0] == "return" and term[1] is not None:
        return (term[1],)
    return ()


def sweep(graph: Graph) -> bool:
    """Remove pure values that no effect depends on, and count the uses of the rest; whether any were removed."""
    todo: list[Value] = []
    for param in graph.params:
        param.uses = 0
    for block in graph.blocks:
        for value in block.phis:
            value.uses = 0
        for value in block.values:
            value.uses = 0
            if value.op not in PURE:
                todo.append(value)
    for block in graph.blocks:
        for value in _operands(block):
            value.uses += 1
            if value.op in PURE:
                todo.append(value)
    seen: set[Value] = set()
    while todo:
        value = todo.pop()
        if value in seen:
            continue
        seen.add(value)
        for arg in value.args:
            arg.uses += 1
            if arg.args and arg.op in PURE:
                todo.append(arg)
    removed = False
    for block in graph.blocks:
        before = len(block.phis) + len(block.values)
        block.phis = [v for v in block.phis if v.uses]
        block.values = [v for v in block.values if v.uses or v.op not in PURE]
        removed |= len(block.phis) + len(block.values) < before
    return removed


def slot_of(value: Value) -> tuple[Slot, int] | None:
    """The stack slot that an address lies in, and the offset when it is known (-1 when not)."""
    off = 0
    while value.op == "add":
        off = off + value.args[1].aux if value.args[1].op == "const" and off >= 0 else -1
        value = value.args[0]
    return (value.aux, off) if value.op == "stack" else None


def dead_stores(graph: Graph) -> bool:
    """Drop stores to the stack that are overwritten, or never read, before anything can see them, and stores to the packet that
    are overwritten; whether there were any.
    """
    read: set[Slot] = set()
    aliased: set[Slot] = set()  # whose address is also kept elsewhere: what uses it then does not mention the slot
    for block in graph.blocks:
        for value in (*block.phis, *block.values):
            for i, arg in enumerate(value.args):
                if (arg.op != "stack" and arg.op != "add") or value.op == "add" or (value.op == "store" and i == 0):
                    continue
                found = slot_of(arg)
                if found:
                    read.add(found[0])
                    if value.op in ("store", "phi", "retype") or (value.op == "call" and value.aux.kind == "kfunc"):
                        aliased.add(found[0])
        for operand in _operands(block):
            found = slot_of(operand)
            if found:
                read.add(found[0])
    changed = False
    for block in graph.blocks:
        covered: dict[Slot, int] = {}
        again: dict[Value, int] = {}  # view of the packet -> its bytes that are written before anything reads
        ended = block.term is not None and block.term[0] == "return"
        kept = []
        for value in reversed(block.values):
            if value.op == "store":
                found = slot_of(value.args[0])
                if found is not None:
                    slot, base = found
                    if slot not in read:
                        continue
                    if base >= 0 and slot not in aliased:
                        off, size = value.aux
                        mask = ((1 << size) - 1) << (base + off)
                        known = covered.get(slot, -1 if ended else 0)
                        if known & mask == mask:
                            continue
                        covered[slot] = known | mask
                elif value.aux[0] >= 0 and _in_packet(value.args[0]):
                    mask = ((1 << value.aux[1]) - 1) << value.aux[0]
                    known = again.get(value.args[0], 0)
                    if known & mask == mask:
                        continue
                    again[value.args[0]] = known | mask
            elif value.op != "add":
                if again and (value.op not in PURE or (value.op == "load" and slot_of(value.args[0]) is None)):
                    again = {}
                for arg in value.args:
                    found = slot_of(arg) if arg.op == "stack" or arg.op == "add" else None
                    if found:
                        covered[found[0]] = 0
            kept.append(value)
        changed |= len(kept) < len(block.values)
        block.values = kept[::-1]
    return changed


def _in_packet(base: Value) -> bool:
    """Whether an address is one of the packet's, which is nobody else's while the program runs."""
    while base.op == "add":
        base = base.args[0]
    return base.op == "load" and base.args[0].op == "param" and base.lo > 0 and base.hi == (1 << 64) - 1


def returns(graph: Graph) -> None:
    """Returns of one constant share one block; ways into a block that only returns a phi go there directly, where several do."""
    shared: dict[int, Block] = {}
    ways: dict[int, int] = {}
    found = [b for b in graph.blocks if b.term is not None and b.term[0] == "return" and b.term[1] is not None]
    for block in found:
        value = block.term[1]  # type: ignore[index]
        ends = zip(value.args, block.preds, strict=True) if value in block.phis else [(value, block)]
        for number, end in ends:
            if number.op == "const":
                several = end.preds and not end.values and not end.phis
                ways[number.aux] = ways.get(number.aux, 0) + (len(end.preds) if several else 1)

    def target_for(value: Value, at: Any) -> Block:
        target = shared.get(value.aux)
        if target is None:
            target = shared[value.aux] = Block(len(graph.blocks))
            target.term, target.term_at = ("return", value), at
            graph.blocks.append(target)
        return target

    for block in found:
        assert block.term is not None
        value = block.term[1]
        if value.op == "const":
            target = target_for(value, block.term_at)
            block.term = ("jump", target)
            target.preds.append(block)
        elif block.phis == [value] and not block.values:
            for i in reversed(range(len(block.preds))):
                pred, arg = block.preds[i], value.args[i]
                alone = block.preds.count(pred) == 1 and pred.term[0] in ("jump", "branch")  # type: ignore[index]
                if arg.op == "const" and ways[arg.aux] > 1 and alone:
                    target = target_for(arg, block.term_at)
                    redirect(pred, block, target)
                    target.preds.append(pred)
                    del value.args[i]
    reach(graph)


def either(graph: Graph) -> bool:
    """Where a test decides between two constants to be returned, one exit is enough; and a number that the test has shown to be
    the constant is returned as it is.  Whether there were any.

    What a call gave lies where the constant would be made before the test, so there two exits are better.
    """
    found = False
    for block in list(graph.blocks):
        term = block.term
        assert term is not None
        if (
            term[0] != "branch"
            or term[5] is term[6]
            or not all(_returns_constant(e) and e.preds == [block] for e in term[5:])
        ):
            continue
        values = [end.term[1] for end in term[5:]]
        if term[3].op == "call" and term[4] not in values:
            continue
        both = Block(len(graph.blocks))
        phi = Value("phi", values, None, 64, min(v.lo for v in values), max(v.hi for v in values))
        phi.block = both
        both.phis, both.preds = [phi], list(term[5:])
        both.term, both.term_at = ("return", phi), term[6].term_at
        for end in both.preds:
            end.term = ("jump", both)
        graph.blocks.append(both)
        found = True
    for block in graph.blocks:
        assert block.term is not None
        if block.term[0] == "return" and block.phis == [block.term[1]]:
            before = block.phis[0].args
            block.phis[0].args = [_seen(arg, pred, block) for arg, pred in zip(before, block.preds, strict=True)]
            found |= block.phis[0].args != before
    return found


def _seen(value: Value, pred: Block, block: Block) -> Value:
    """A constant, or the number that a test before the edge has shown to be that constant."""
    if not (pred.values or pred.phis) and len(pred.preds) == 1 and pred.term == ("jump", block):
        pred, block = pred.preds[0], pred
    assert pred.term is not None
    if pred.term[0] == "branch" and value.op == "const":
        _, test, bits, a, b, then, other = pred.term
        equal, differs = (then, other) if test == "==" else (other, then)
        if (
            test in ("==", "!=")
            and bits == 64
            and equal is block is not differs
            and b.op == "const"
            and b.aux == value.aux
        ):
            return a  # type: ignore[no-any-return]
    return value


def _returns_constant(block: Block) -> bool:
    term = block.term
    assert term is not None
    return term[0] == "return" and not (block.values or block.phis) and term[1] is not None and term[1].op == "const"


def blocks(graph: Graph) -> bool:
    """Skip blocks that only jump, and join a block to its only predecessor where that only goes there."""
    entry = graph.blocks[0]
    gone: set[Block] = set()
    any_changed, changed = False, True
    while changed:
        changed = False
        for block in graph.blocks:
            term = block.term
            assert term is not None
            if term[0] == "branch" and term[5] is term[6] and not term[5].phis:
                term[5].preds.remove(block)
                block.term = term = ("jump", term[5])
                changed = True
            if term[0] != "jump" or block in gone:
                continue
            target = term[1]
            if target is block:
                continue
            if not block.values and not block.phis and block is not entry:
                changed |= _bypass(block, target)
            elif len(target.preds) == 1 and target is not entry:
                for phi in target.phis:
                    phi.alias = phi.args[0]
                block.values += target.values
                block.term, block.term_at = target.term, target.term_at
                for succ in target.successors():
                    succ.preds = [block if p is target else p for p in succ.preds]
                for value in target.values:
                    value.block = block
                gone.add(target)
                changed = True
        graph.blocks = [b for b in graph.blocks if b not in gone]
        if changed:
            any_changed = True
            reach(graph)
            copies(graph, True)
    return any_changed


def _bypass(block: Block, target: Block) -> bool:
    """Send the predecessors of an empty block on to its target."""
    moved = False
    at = target.preds.index(block)
    if target.phis and (len(block.preds) > 1 or Counting.lines):
        return False  # one place for the copies of all; and that of a line which is counted
    for pred in list(block.preds):
        if pred.term is None or pred.term[0] == "maygoto":
            continue
        if pred in target.preds:
            other = target.preds.index(pred)
            if pred.term[0] == "branch" and all(phi.args[at] is phi.args[other] for phi in target.phis):
                block.preds.remove(pred)  # both ways lead to one block: no test is needed
                pred.term = ("jump", target)
                moved = True
            continue
        for phi in target.phis:
            phi.args.append(phi.args[at])
        target.preds.append(pred)
        redirect(pred, block, target)
        moved = True
    return moved


def order(graph: Graph) -> None:
    """Reverse postorder: the way on after a test comes first, what the test leads away to later."""
    done: list[Block] = []
    seen = {graph.blocks[0]}
    stack: list[tuple[Block, list[Block]]] = [(graph.blocks[0], _ways(graph.blocks[0]))]
    while stack:
        block, rest = stack[-1]
        if rest:
            succ = rest.pop()
            if succ not in seen:
                seen.add(succ)
                stack.append((succ, _ways(succ)))
        else:
            done.append(block)
            stack.pop()
    graph.blocks = done[::-1]
    for i, block in enumerate(graph.blocks):
        block.number = i


def _ways(block: Block) -> list[Block]:
    """What a block leads to, last what is to be placed farther away: of a test of bits, what is done where one is set."""
    ways = list(block.successors())[::-1]
    term = block.term
    assert term is not None
    if term[0] == "branch" and term[1] == "==" and term[3].op == "and" and term[4].op == "const" and term[4].aux == 0:
        ways.reverse()
    return ways
