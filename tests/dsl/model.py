"""What stands in for the kernel when a generated program is evaluated by Python: a packet, maps and references."""

from __future__ import annotations

import ast
import ctypes
from operator import add, and_, or_, sub, xor
from typing import Any

from pybpf import (
    Array,
    Global,
    HashMap,
    PerCpuArray,
    Struct,
    bounded,
    sdiv,
    smod,
    subprogram,
    swap16,
    swap32,
    swap64,
    types,
)
from pybpf.types import s16, s32, u8, u16, u32, u64


class Input(Struct):
    _fields_ = (
        ("a", ctypes.c_uint64), ("b", ctypes.c_uint64), ("c", ctypes.c_int64), ("d", ctypes.c_uint32), ("e", ctypes.c_int32),
        ("f", ctypes.c_uint16), ("g", ctypes.c_int8), ("h", ctypes.c_uint8), ("net", ctypes.c_uint16.__ctype_be__),
        ("three", ctypes.c_uint8, 3), ("five", ctypes.c_uint8, 5), ("pad", ctypes.c_uint8),
        ("wide", ctypes.c_uint32.__ctype_be__),
    )  # fmt: skip


class Tail(Struct):
    _pack_ = 1
    m: u8
    k: types.be16
    o: u32
    n: s16


class Record(Struct):
    x: u64
    y: s32
    z: u16
    w: u8
    v: u32


class Key(Struct):
    a: u32
    b: u32


MAPS = {
    "counts": HashMap(u32, u64, max_entries=16), "table": Array(u64, max_entries=8), "percpu": PerCpuArray(u64, max_entries=8),
    "records": HashMap(Key, Record, max_entries=32), "seen": Global(u64),
}  # fmt: skip
NAMES = {
    **{n: getattr(types, n) for n in ("u8", "u16", "u32", "u64", "s8", "s16", "s32", "s64")},
    "Input": Input, "Tail": Tail, "Record": Record, "Key": Key, "bounded": bounded, "sdiv": sdiv, "smod": smod, "swap16": swap16,
    "swap32": swap32, "swap64": swap64, "__name__": "generated",
}  # fmt: skip
COMPILED = {**NAMES, **MAPS, "subprogram": subprogram}


class Cell:
    """A number in a map: in-place operators change the map."""

    def __init__(self, value: int = 0) -> None:
        self.value = value

    def __int__(self) -> int:
        return self.value

    def change(self, operation: Any, other: Any) -> Cell:
        self.value = u64(operation(self.value, int(other)))
        return self

    def __iadd__(self, other: Any) -> Cell:
        return self.change(add, other)

    def __isub__(self, other: Any) -> Cell:
        return self.change(sub, other)

    def __iand__(self, other: Any) -> Cell:
        return self.change(and_, other)

    def __ior__(self, other: Any) -> Cell:
        return self.change(or_, other)

    def __ixor__(self, other: Any) -> Cell:
        return self.change(xor, other)


class Item(int):
    """`m[k]`: the number that was there; `m[k] += n` adds to what is there when n is known."""

    cells: dict[int, Cell]
    key: int

    def __iadd__(self, other: Any) -> Any:
        self.cells.setdefault(self.key, Cell()).change(add, other)
        return None  # and `m[k] = None` then does nothing


class Numbers:
    def __init__(self, entries: int = 0) -> None:
        self.cells = {i: Cell() for i in range(entries)}

    def get(self, key: int) -> Cell | None:
        return self.cells.get(key)

    def __getitem__(self, key: int) -> Item:
        item = Item(self.cells[key].value if key in self.cells else 0)
        item.cells, item.key = self.cells, key
        return item

    def __setitem__(self, key: int, value: Any) -> None:
        if value is not None:
            self.cells[key] = Cell(u64(value))

    def __delitem__(self, key: int) -> None:
        self.cells.pop(key, None)

    def __contains__(self, key: int) -> bool:
        return key in self.cells

    def items(self) -> dict[int, int]:
        return {key: cell.value for key, cell in self.cells.items()}


class Records(dict):  # type: ignore[type-arg]
    def __setitem__(self, key: Key, value: Record) -> None:
        super().__setitem__(Key.from_buffer_copy(key), Record.from_buffer_copy(value))


class Packet:
    """The context of an XDP program."""

    def __init__(self, data: bytes) -> None:
        self.data = bytearray(data)
        self.views: list[tuple[Any, int]] = []  # with where each ends

    def packet(self, type_: Any, after: Any = None, at: int = 0) -> Any:
        at += next(end for view, end in self.views if view is after) if after is not None else 0
        if at + ctypes.sizeof(type_) > len(self.data):
            return None
        view = type_.from_buffer(self.data, at)
        self.views.append((view, at + ctypes.sizeof(type_)))
        return view


class StepBudgetError(Exception):
    """A program takes too many steps to be evaluated."""


def evaluate(text: str, packets: list[bytes], budget: int = 20_000) -> list[Any]:
    """What the program does to packets, one after the other: (return value, packet) each, and the maps at the end.

    `budget` is the number of rounds that all its loops together may take.
    """
    left = iter(range(budget))

    def turn() -> None:
        if next(left, None) is None:
            raise StepBudgetError(f"more than {budget} rounds")

    seen = ctypes.c_uint64()
    maps: dict[str, Any] = {"counts": Numbers(), "table": Numbers(8), "percpu": Numbers(8), "records": Records()}
    scope = {**NAMES, **maps, "seen": seen, "subprogram": lambda function: function, "u32": Scalar32(), "turn": turn}
    tree = ast.parse(text)
    for node in ast.walk(tree):
        if isinstance(node, (ast.For, ast.While)):
            node.body.insert(0, ast.parse("turn()").body[0])
    exec(compile(ast.fix_missing_locations(tree), "<generated>", "exec"), scope)
    out: list[Any] = []
    for data in packets:
        packet = Packet(data)
        out.append((scope["program"](packet), bytes(packet.data)))
    state = {name: maps[name].items() for name in ("counts", "table", "percpu")}
    state["records"] = {bytes(k): bytes(v) for k, v in maps["records"].items()}
    return [*out, {**state, "seen": seen.value}]


class Scalar32:
    """`u32`, whose arrays are made by calling them."""

    def __call__(self, value: Any = 0) -> int:
        return u32(value)

    def __getitem__(self, count: int) -> Any:
        return ctypes.c_uint32 * count


__all__ = ["COMPILED", "evaluate", "s32", "u16", "u8"]
