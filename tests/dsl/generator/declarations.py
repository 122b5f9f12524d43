"""What generated programs declare: structures, maps and globals, as a user would write them.

A program is given those that it names (`heading`), so that it prints as a whole file.
"""

from __future__ import annotations

import ctypes
import re
from functools import cache
from typing import Any

import pybpf

DECLARATIONS = {
    "Mode": """
class Mode(IntEnum):
    IDLE = 0
    READ = 1
    WRITE = 5
    STOP = 7
""",
    "Input": """
class Input(Struct):
    _fields_ = (
        ("a", ctypes.c_uint64),
        ("b", ctypes.c_uint64),
        ("c", ctypes.c_int64),
        ("d", ctypes.c_uint32),
        ("e", ctypes.c_int32),
        ("f", ctypes.c_uint16),
        ("g", ctypes.c_int8),
        ("h", ctypes.c_uint8),
        ("net", ctypes.c_uint16.__ctype_be__),
        ("three", ctypes.c_uint8, 3),
        ("five", ctypes.c_uint8, 5),
        ("pad", ctypes.c_uint8),
        ("wide", ctypes.c_uint32.__ctype_be__),
        ("low", ctypes.c_uint32, 11),
        ("mid", ctypes.c_uint32, 20),
        ("top", ctypes.c_uint32, 1),
        ("tiny", ctypes.c_int32, 5),
        ("rest", ctypes.c_int32, 27),
    )
""",
    "Tail": """
class Tail(Struct):
    _pack_ = 1
    m: u8
    k: be16
    o: u32
    n: s16
""",
    "Push": """
class Push(Struct):
    tag: be32
    kind: u16
    left: s8
    right: u8
""",
    "Word": """
class Word(ctypes.Union):
    _fields_ = (("number", ctypes.c_uint32), ("halves", ctypes.c_int16 * 2), ("octets", ctypes.c_uint8 * 4))
""",
    "Record": """
class Record(Struct):
    x: u64
    y: s32
    z: u16
    w: u8
    v: u32
""",
    "Pair": """
class Pair(Struct):
    first: Record
    word: Word
    items: u16[4]
    second: Record
    big: be64
""",
    "Key": """
class Key(Struct):
    a: u32
    b: u32
""",
    "Event": """
class Event(Struct):
    when: u64
    what: s32
    kind: u16
    how: s8
    why: u8
""",
    "Bucket": """
class Bucket(Struct):
    lock: SpinLock
    tokens: u32
    spent: u64
    debt: s64
""",
    "Alarm": """
class Alarm(Struct):
    timer: Timer
    fired: u64
""",
    "Flags": """
class Flags(Struct):
    _fields_ = (
        ("on", ctypes.c_uint8, 1),
        ("level", ctypes.c_uint8, 7),
        ("left", ctypes.c_int16, 5),
        ("right", ctypes.c_int16, 11),
        ("many", ctypes.c_uint32, 20),
        ("some", ctypes.c_uint32, 12),
        ("big", ctypes.c_uint64, 40),
        ("wild", ctypes.c_uint64, 24),
        ("deep", ctypes.c_int64, 33),
        ("high", ctypes.c_int64, 31),
    )
""",
    "Prefix": """
class Prefix(Struct):
    length: u32
    address: be32
""",
    "LIMITS": "LIMITS = (3, 250, 17, 9, 0, 77, 1, 128)\n",
    "counts": "counts = HashMap(u32, u64, max_entries=16)\n",
    "narrow": "narrow = HashMap(u8, s32, max_entries=300)\n",
    "recent": "recent = LruHashMap(u32, u64, max_entries=512)\n",
    "table": "table = Array(u64, max_entries=8)\n",
    "percpu": "percpu = PerCpuArray(u64, max_entries=8)\n",
    "local": "local = PerCpuHashMap(u32, s64, max_entries=16)\n",
    "records": "records = HashMap(Key, Record, max_entries=32)\n",
    "rows": "rows = Array(Pair, max_entries=4)\n",
    "scratch": "scratch = PerCpuArray(Pair, max_entries=2)\n",
    "single": "single = Array(Record, max_entries=1)\n",
    "buckets": "buckets = Array(Bucket, max_entries=4)\n",
    "alarms": "alarms = HashMap(u32, Alarm, max_entries=8)\n",
    "bells": "bells = HashMap(u32, Alarm, max_entries=8)\n",
    "held": "held = SkStorage(Record)\n",
    "mine": "mine = TaskStorage(Record)\n",
    "switches": "switches = HashMap(u32, Flags, max_entries=8)\n",
    "routes": "routes = LpmTrie(Prefix, u64, max_entries=64)\n",
    "waiting": "waiting = Queue(u64, max_entries=6)\n",
    "pile": "pile = Stack(Record, max_entries=6)\n",
    "met": "met = BloomFilter(u32, max_entries=64)\n",
    "events": "events = RingBuf(Event, size=1 << 16)\n",
    "inner": "inner = HashMap(u32, u64, max_entries=8)\n",
    "outer": "outer = HashOfMaps(u32, inner, max_entries=4)\n",
    "shelves": "shelves = ArrayOfMaps(inner, max_entries=4)\n",
    "jumps": "jumps = ProgArray(max_entries=4)\n",
    "seen": "seen = Global(u64)\n",
    "bias": "bias = Global(s32, -5)\n",
    "limit": "limit = Global(u32, 10)\n",
    "fixed": "fixed = Global(u16, 300, const=True)\n",
    "config": "config = Global(Record)\n",
    "grid": "grid = Global(u32[8])\n",
}
"""In an order in which each may use those before it."""

_KINDS = {
    getattr(ctypes, f"c_{'u' * (sign == 'u')}int{bits}"): f"{sign}{bits}" for sign in "us" for bits in (8, 16, 32, 64)
}


def heading(text: str) -> str:
    """The imports and declarations that a text needs."""
    body = text
    chosen = []
    for name, declaration in reversed(DECLARATIONS.items()):
        if re.search(rf"\b{name}\b", text):
            chosen.append(f"\n{declaration}\n" if declaration[0] == "\n" else declaration)
            text += declaration
    declared = "".join(reversed(chosen))
    used = {*re.findall(r"\w+", declared + body)}
    names = sorted(name for name, home in pybpf._HOME.items() if name in used and home != name)
    lines = ["import ctypes\n"] if "ctypes" in used else []
    lines += ["from enum import IntEnum\n"] if "IntEnum" in used else []
    lines += [f"from pybpf import {', '.join(names)}\n"]
    lines += ["from pybpf import helpers as bpf\n"] if "bpf" in used else []
    return "".join(lines) + "\n" + declared.replace("\n\n\n\n", "\n\n\n")


@cache
def structures() -> dict[str, Any]:
    """The structures themselves."""
    scope: dict[str, Any] = {name: getattr(pybpf, name) for name, home in pybpf._HOME.items() if home != name}
    scope |= {"ctypes": ctypes, "__name__": "generated"}
    for name in ("Input", "Tail", "Push", "Word", "Record", "Pair", "Key", "Event", "Bucket", "Alarm", "Flags"):
        exec(DECLARATIONS[name], scope)
    return scope


class Leaf:
    """A number in a structure: its path from there, type, bits where it is a bit-field, and entries where it is an array."""

    def __init__(self, path: str, kind: str, bits: int = 0, count: int = 0) -> None:
        self.path, self.kind, self.bits, self.count = path, kind, bits, count


@cache
def leaves(name: str) -> tuple[Leaf, ...]:
    """The numbers in a declared structure."""
    return tuple(_leaves(structures()[name], ""))


def _leaves(type_: Any, before: str) -> list[Leaf]:
    found: list[Leaf] = []
    for name, ctype, *bits in type_._fields_:
        path = f"{before}.{name}"
        if name in ("pad", "lock", "timer"):
            continue
        if issubclass(ctype, (ctypes.Structure, ctypes.Union)):
            found += _leaves(ctype, path)
        elif issubclass(ctype, ctypes.Array):
            found.append(Leaf(path, _KINDS[ctype._type_], 0, ctype._length_))
        else:
            kind = _KINDS.get(ctype) or _KINDS[getattr(ctype, "__ctype_le__", ctype)]
            found.append(Leaf(path, kind, bits[0] if bits else 0))
    return found
