"""Many BTFs into one, and equal types into one.

Types are the same when no walk from them tells them apart.  That is found as automata are minimised: begin
with classes of records that look alike, and split a class while its members refer to different classes.  A forward
declaration counts as the struct of its name when there is exactly one.
"""

from __future__ import annotations

from ..errors import BtfError
from .btf import Btf
from .compare import references, shape
from .kinds import Kind, pack_btf, string_words, type_words

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable


def concat(btfs: Iterable[Btf]) -> tuple[Btf, list[int]]:
    """One BTF with the types of all, and what to add to the ids of each (byte order is that of the first)."""
    words: list[int] = []
    strings = bytearray(b"\0")
    shifts: list[int] = []
    known: dict[str, int] = {"": 0}
    types = 0
    order = ""
    for btf in btfs:
        if btf.base:
            raise BtfError("a split BTF cannot be joined with others: its types refer to its base")
        order = order or btf.byteorder
        shifts.append(types)
        for t in btf:
            words += _record(t.btf, t._at, t._word(1), types, strings, known)
        types += len(btf)
    return Btf.parse(pack_btf(words, bytes(strings), order or "little")), shifts


def _record(btf: Btf, at: int, info: int, shift: int, strings: bytearray, known: dict[str, int]) -> list[int]:
    from .kinds import words_of

    record = list(btf._words[at : at + words_of(info)])
    for i in string_words(info):
        text = btf.string(record[i])
        offset = known.get(text)
        if offset is None:
            offset = known[text] = len(strings)
            strings += text.encode("utf-8", "surrogateescape") + b"\0"
        record[i] = offset
    for i in type_words(info):
        record[i] += shift if record[i] else 0
    return record


def dedup(btf: Btf) -> tuple[Btf, dict[int, int]]:
    """`btf` with each type once, and where each id went.  Variables and sections are kept apart, equal or not."""
    if btf.base:
        raise BtfError("a split BTF cannot be deduplicated without its base")
    whole = _forward_targets(btf)
    while True:
        classes = _classes(btf, whole)
        # A forward declaration stands for a struct only while all structs of that name are one.
        ambiguous = {
            fwd
            for fwd, target in whole.items()
            if any(
                classes[other.id] != classes[target]
                for other in btf.find_all(btf.type(fwd).name, btf.type(target).kind)
            )
        }
        if not ambiguous:
            break
        whole = {fwd: target for fwd, target in whole.items() if fwd not in ambiguous}
    first: dict[int, int] = {}
    moved = {0: 0}
    kept: list[int] = []
    for t in btf:
        representative = first.setdefault(classes[t.id], t.id)
        if t.id not in whole and representative == t.id:
            kept.append(t.id)
            moved[t.id] = len(kept)
    for t in btf:
        moved[t.id] = moved[first[classes[t.id]]] if t.id not in whole else moved[first[classes[whole[t.id]]]]
    words: list[int] = []
    strings, known = bytearray(b"\0"), {"": 0}
    for t in map(btf.type, kept):
        record = _record(btf, t._at, t._word(1), 0, strings, known)
        for i in type_words(t._word(1)):
            record[i] = moved[record[i]]
        words += record
    return Btf.parse(pack_btf(words, bytes(strings), btf.byteorder)), moved


def _forward_targets(btf: Btf) -> dict[int, int]:
    """Forward declaration -> the first struct or union of its name."""
    found = {}
    for t in btf:
        if t.kind == Kind.FWD:
            whole = btf.find_all(t.name, Kind.UNION if t.kind_flag else Kind.STRUCT)
            if whole:
                found[t.id] = whole[0].id
    return found


def _classes(btf: Btf, whole: dict[int, int]) -> list[int]:
    """For each id the number of its class of equal types."""
    apart = (Kind.VAR, Kind.DATASEC)
    numbers: dict[object, int] = {}
    classes = [0] * (len(btf) + 1)
    for t in btf:
        key = (shape(t), t.id if t.kind in apart else 0)
        classes[t.id] = numbers.setdefault(key, len(numbers) + 1)
    targets = [[whole.get(r.id, r.id) for r in references(t)] for t in btf]
    count = len(numbers)
    while True:
        numbers = {}
        after = [0] * len(classes)
        for i, refs in enumerate(targets, 1):
            split = (classes[i], tuple(classes[r] for r in refs))
            after[i] = numbers.setdefault(split, len(numbers) + 1)
        classes = after
        if len(numbers) == count:
            return classes
        count = len(numbers)
