"""What stands in for the kernel when a generated program is evaluated by Python: packets, maps and references.

The program's own text is executed; only what it imports from pybpf is replaced (`importing`).
"""

from __future__ import annotations

import ast
import builtins
import ctypes
import struct
from collections import deque
from collections.abc import Iterator
from contextlib import nullcontext
from operator import add, and_, or_, sub, xor
from types import SimpleNamespace
from typing import Any
from weakref import WeakKeyDictionary

import pybpf
from pybpf.types import Scalar, codec, ctype_of

EXIST, NOENT, BIG = -17, -2, -7


class Cell:
    """A number in a map: in-place operators change the map."""

    def __init__(self, type_: Any, value: Any = 0) -> None:
        self.type = type_
        self.value = value

    @property
    def value(self) -> int:
        return self._value

    @value.setter
    def value(self, value: Any) -> None:
        self._value = self.type(value)

    def __int__(self) -> int:
        return self.value

    def change(self, operation: Any, other: Any) -> Cell:
        self.value = operation(self.value, int(other))
        return self

    def __bytes__(self) -> bytes:
        return codec(self.type).pack(self.value)


class Item(int):
    """`m[k]`: the number that was there.  Of `m[k] += n`, setting the item is told what to do with what is there by then."""

    todo: Any

    def change(self, operation: Any, other: Any) -> Item:
        changed = Item(operation(int(self), int(other)))
        changed.todo = operation, other
        return changed


for _name, _operation in {"iadd": add, "isub": sub, "iand": and_, "ior": or_, "ixor": xor}.items():
    for _class in (Cell, Item):
        setattr(_class, f"__{_name}__", lambda self, other, operation=_operation: self.change(operation, other))


class Numbers:
    """A map from keys to numbers or structures."""

    def __init__(self, key: Any, value: Any, max_entries: int) -> None:
        self.codec, self.type, self.entries = codec(key), value, max_entries
        self.cells: dict[bytes, Any] = {}

    def cell(self, value: Any) -> Any:
        if isinstance(self.type, Scalar):
            return Cell(self.type, int(value))
        return ctype_of(self.type).from_buffer_copy(bytes(value))

    def find(self, key: bytes) -> Any:
        return self.cells.get(key)

    def store(self, key: bytes, value: Any, flags: int) -> int:
        if flags == 1 and key in self.cells:
            return EXIST
        if flags == 2 and key not in self.cells:
            return NOENT
        if key not in self.cells and len(self.cells) >= self.entries:
            return BIG
        self.cells[key] = self.cell(value)
        return 0

    def get(self, key: Any, default: Any = None) -> Any:
        found = self.find(self.codec.pack(key))
        return found if default is None else default if found is None else int(found)

    def update(self, key: Any, value: Any, flags: int = 0) -> int:
        return self.store(self.codec.pack(key), value, flags)

    def delete(self, key: Any) -> int:
        return NOENT if self.cells.pop(self.codec.pack(key), None) is None else 0

    def for_each(self, callback: Any, context: Any = None) -> int:
        visited = 0
        for key, cell in list(self.cells.items()):
            visited += 1
            if callback(self, self.codec.unpack(key), cell, context):
                break
        return visited

    def __getitem__(self, key: Any) -> Any:
        raw = self.codec.pack(key)
        found = self.find(raw)
        if not isinstance(self.type, Scalar):
            return found
        return Item(found.value if found else 0)

    def __setitem__(self, key: Any, value: Any) -> None:
        if not isinstance(value, Item):
            self.update(key, value)
            return
        if self.get(key) is None:
            self.update(key, 0)
        found = self.get(key)
        if found is not None:
            found.change(*value.todo)

    def __delitem__(self, key: Any) -> None:
        self.delete(key)

    def __contains__(self, key: Any) -> bool:
        return self.find(self.codec.pack(key)) is not None

    def contents(self) -> Any:
        return {key: bytes(cell) for key, cell in self.cells.items()}


class Slots(Numbers):
    """An array: its entries are there from the beginning."""

    def __init__(self, value: Any, max_entries: int) -> None:
        super().__init__(pybpf.u32, value, max_entries)
        for i in range(max_entries):
            self.cells[self.codec.pack(i)] = self.cell(0 if isinstance(value, Scalar) else ctype_of(value)())


class Variable:
    """A global variable."""

    def __init__(self, type_: Any, value: Any = 0, const: bool = False) -> None:
        cell = Cell(type_, value) if isinstance(type_, Scalar) else ctype_of(type_)()
        vars(self).update(cell=cell, plain=isinstance(cell, Cell))

    def __getattr__(self, name: str) -> Any:
        return (self.cell.value if self.plain else self.cell) if name == "value" else getattr(self.cell, name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self.cell, name, value)

    def contents(self) -> Any:
        return {bytes(4): bytes(self.cell)}


class Trie(Numbers):
    """Prefixes: the longest one that the key begins with is found."""

    def _key(self, key: Any) -> tuple[int, int]:
        bits, address = key if isinstance(key, tuple) else (32, int(key))
        return bits, address >> (32 - bits)

    def get(self, key: Any, default: Any = None) -> Any:
        bits, head = self._key(key)
        prefixes = ((n, head >> bits - n) for n in range(bits, -1, -1))
        found = next((self.cells[p] for p in prefixes if p in self.cells), None)
        return found if default is None else default if found is None else int(found)

    def update(self, key: Any, value: Any, flags: int = 0) -> int:
        self.cells[self._key(key)] = self.cell(value)
        if len(self.cells) > self.entries:
            raise StepBudgetError("the trie is full")
        return 0

    def delete(self, key: Any) -> int:
        return NOENT if self.cells.pop(self._key(key), None) is None else 0

    def __getitem__(self, key: Any) -> Any:
        return Item(self.get(key, 0))

    def contents(self) -> Any:
        return {(bits, head): bytes(cell) for (bits, head), cell in self.cells.items()}  # type: ignore[misc]


class Line:
    """A queue, or with `last` a stack."""

    def __init__(self, value: Any, max_entries: int, last: bool = False) -> None:
        self.type, self.entries, self.last = value, max_entries, last
        self.waiting: deque[bytes] = deque()

    def push(self, value: Any, flags: int = 0) -> int:
        if len(self.waiting) >= self.entries:
            if flags != 2:
                return BIG
            self.waiting.popleft()
        self.waiting.append(codec(self.type).pack(int(value) if isinstance(self.type, Scalar) else value))
        return 0

    def peek(self) -> Any:
        if not self.waiting:
            return None
        raw = self.waiting[-1 if self.last else 0]
        value = codec(self.type).unpack(raw)
        return Cell(self.type, value) if isinstance(self.type, Scalar) else value

    def pop(self) -> Any:
        found = self.peek()
        if found is not None:
            (self.waiting.pop if self.last else self.waiting.popleft)()
        return found

    def contents(self) -> Any:
        return [*(reversed(self.waiting) if self.last else self.waiting)]


class Bloom(set):  # type: ignore[type-arg]
    def contents(self) -> Any:
        return None


class Ring(list):  # type: ignore[type-arg]
    """Records in the order in which they were reserved; a discarded one is not read."""

    def __init__(self, event: Any) -> None:
        super().__init__()
        self.event = event

    def output(self, record: Any) -> int:
        self.reserve()
        self[-1] = bytes(record)
        return 0

    def reserve(self) -> Any:
        if len(self) > 1000:
            raise StepBudgetError("the ring buffer is full")
        self.append(None)
        methods = {"ring": self, "at": len(self) - 1, "submit": _submit, "discard": _nothing}
        return type("Reserved", (self.event,), methods)()

    def contents(self) -> Any:
        return [record for record in self if record is not None]


def _submit(record: Any) -> None:
    record.ring[record.at] = bytes(record)


def _nothing(*_: Any) -> int:
    return 0


class TailCallError(Exception):
    """Another program goes on."""


class Jumps:
    def __init__(self, max_entries: int) -> None:
        self.programs: dict[int, Any] = {}

    def tail_call(self, ctx: Any, index: int) -> None:
        if index in self.programs:
            raise TailCallError(self.programs[index])

    def contents(self) -> Any:
        return None


class Nested(Numbers):
    """A map of maps, which user space fills."""

    def __init__(self, *args: Any, max_entries: int) -> None:
        super().__init__(pybpf.u32, args[-1], max_entries)

    def contents(self) -> Any:
        return {key: inner.contents() for key, inner in self.cells.items()}


class Lock(pybpf.SpinLock):
    def __enter__(self) -> None: ...

    def __exit__(self, *_: object) -> None: ...


SOON = 10**6
due: list[int] = []  # where timers are that will go off


class Alarm(pybpf.Timer):
    """A timer.  One that is set for soon goes off when the packet has been seen to; others are set too late for that."""

    init = set_callback = cancel = _nothing

    def start(self, ns: int) -> None:
        if ns < SOON:
            due.append(ctypes.addressof(self))


def go_off(scope: dict[str, Any]) -> None:
    """The callbacks of timers that are due: those that stand at the beginning of a value of `bells`."""
    for cell in scope["bells"].cells.values() if due else ():
        if ctypes.addressof(cell) in due:
            scope["ring"](scope["bells"], None, cell)
    due.clear()


class Held:
    """Values of sockets or tasks, which end with them."""

    def __init__(self, value: Any) -> None:
        self.type, self.values = value, WeakKeyDictionary[Any, Any]()

    def get(self, owner: Any, create: bool = False) -> Any:
        if create and owner not in self.values:
            self.values[owner] = ctype_of(self.type)()
        return self.values.get(owner)

    def delete(self, owner: Any) -> None:
        self.values.pop(owner, None)

    def contents(self) -> Any:
        return None


class Owner:
    """A socket, or a task."""


TASK = Owner()


def addresses(data: bytes) -> tuple[int, int, int]:
    """What a look-up of sockets is asked, made from a packet: two addresses and a port."""
    return struct.unpack_from(">IIH", data)


class Packet:
    """The context of an XDP or tc program."""

    ROOM = 4096

    def __init__(self, data: bytes) -> None:
        self.memory = bytearray(self.ROOM) + data + bytearray(self.ROOM)
        self.begin, self.end = self.ROOM, self.ROOM + len(data)
        self.views: list[tuple[Any, int]] = []  # with where each ends
        self.mark = self.priority = 0
        self.sk = Owner()
        self.remote_ip4, self.local_ip4, self.local_port = addresses(data)
        self.cb = (ctypes.c_uint32 * 5)()

    def __len__(self) -> int:
        return self.end - self.begin

    def __bytes__(self) -> bytes:
        return bytes(self.memory[self.begin : self.end])

    def packet(self, type_: Any, after: Any = None, at: int = 0) -> Any:
        start = next(end for view, end in self.views if view is after) if after is not None else self.begin
        start += at
        end = start + ctypes.sizeof(type_)
        if end > self.end:
            return None
        view = type_.from_buffer(self.memory, start)
        self.views.append((view, end))
        return view

    def adjust_head(self, by: int) -> int:
        if self.begin + by > self.end - 14:
            return -22
        self.begin += by
        return 0

    def adjust_tail(self, by: int) -> int:
        if self.end + by < self.begin + 14:
            return -22
        self.memory[self.end : self.end + max(by, 0)] = bytes(max(by, 0))
        self.end += by
        return 0


class StepBudgetError(Exception):
    """A program takes too much to be evaluated."""


def loop(rounds: int, callback: Any, context: Any) -> int:
    for i in range(rounds):
        if callback(i, context):
            return i + 1
    return rounds


def decorator(**options: Any) -> Any:
    return lambda function: function


STAND_INS: dict[str, Any] = {
    "HashMap": Numbers, "LruHashMap": Numbers, "PerCpuHashMap": Numbers, "Array": Slots, "PerCpuArray": Slots, "Global": Variable,
    "LpmTrie": Trie, "Queue": Line, "Stack": lambda value, max_entries: Line(value, max_entries, last=True),
    "BloomFilter": lambda value, max_entries: Bloom(), "RingBuf": lambda event, size: Ring(event), "ProgArray": Jumps,
    "HashOfMaps": Nested, "ArrayOfMaps": Nested, "SpinLock": Lock, "Timer": Alarm, "subprogram": lambda function: function,
    "xdp": decorator, "sched_cls": decorator, "lwt_xmit": decorator, "cgroup_egress": decorator, "sk_lookup": decorator,
    "SkStorage": Held, "TaskStorage": Held, "no_preempt": nullcontext, "rcu": nullcontext, "printk": _nothing,
    "helpers": SimpleNamespace(loop=loop, sk_fullsock=lambda sk: sk, get_current_task_btf=lambda: TASK),
}  # fmt: skip
PYBPF = SimpleNamespace(
    **{name: getattr(pybpf, name) for name, home in pybpf._HOME.items() if home != name} | STAND_INS
)


def importing(name: str, *args: Any) -> Any:
    return PYBPF if name == "pybpf" else builtins.__import__(name, *args)


def declared(text: str, budget: int = 20_000) -> dict[str, Any]:
    """The names of a program's file, with stand-ins for what is the kernel's.  Its loops take `budget` rounds, all together."""
    left = iter(range(budget))

    def turn() -> None:
        if next(left, None) is None:
            raise StepBudgetError(f"more than {budget} rounds")

    tree = ast.parse(text)
    for node in ast.walk(tree):
        if isinstance(node, (ast.For, ast.While)):
            node.body.insert(0, ast.parse("turn()").body[0])
    scope = {"__builtins__": {**vars(builtins), "__import__": importing}, "__name__": "generated", "turn": turn}
    exec(compile(ast.fix_missing_locations(tree), "<generated>", "exec"), scope)
    return scope


def run(scope: dict[str, Any], packets: list[bytes]) -> Iterator[tuple[int, bytes]]:
    """What the program does to packets, one after the other."""
    for data in packets:
        packet = Packet(data)
        try:
            result = scope["main"](packet)
        except TailCallError as jump:
            result = jump.args[0](packet)
        go_off(scope)
        yield result & 0xFFFFFFFF, bytes(packet)
