"""Programs as people write them who come from C, from bcc or from Python: what runs gives what Python says, on the machine and
in the kernel; the rest is refused with advice."""

from __future__ import annotations

import importlib.util

import pytest

from pybpf import VM, CompileError, load, s32, verify
from pybpf.verifier import Env

HEAD = """\
import copy
import ctypes
import functools
import socket
from ipaddress import IPv4Address, ip_address, ip_network
from socket import ntohl, ntohs
from typing import Annotated, Any, Optional, Union

import pybpf as pb
from pybpf import *
from pybpf import helpers as bpf
from pybpf.net import Ethernet, IPv4


class Pair(Struct):
    a: u64
    b: u32


class Key(Struct):
    source: be32
    target: u32
    name: char[16]


class Locked(Struct):
    lock: SpinLock
    n: u32


pairs = HashMap(u32, Pair, max_entries=4)
numbers = HashMap(u32, u64, max_entries=4)
keys = HashMap(Key, u64, max_entries=4)
slots = PerCpuArray(u64, max_entries=64)
cpus = PerCpuArray(Pair, max_entries=4)
outer = ArrayOfMaps(numbers, max_entries=4)
queue = Queue(u32, max_entries=4)
sockets = SockMap(max_entries=4)
ring = RingBuf(Pair)
plain = RingBuf(size=4096)
commands = UserRingBuf(size=4096)
tasks = TaskStorage(Pair)
groups = CgroupStorage(Pair)
locked = HashMap(u32, Locked, max_entries=4)
HERE = IPv4Address("10.0.0.1")
"""


@pytest.fixture(scope="module")
def programs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("usage")

    def define(text):
        file = folder / f"program_{len(list(folder.iterdir()))}.py"
        file.write_text(f"{HEAD}\n\n{text}")
        spec = importlib.util.spec_from_file_location(file.stem, file)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module.f

    return define


ANNOTATIONS = """
@subprogram
def add(a: Optional[u32], b: "pb.u16", c: u8 | None = 3, d: "Optional[Pair]" = None) -> "u32 | None":
    return a + b + c

@xdp
def f(ctx: Any) -> int:
    a: u32 = 1
    b: "u32" = 2
    c: pb.u64 = 4
    d: int = 8
    e: Optional[u32] = 16
    g: u32 | None = 32
    h: Annotated[int, u16] = 64
    i: "pb.u16 | None" = 128
    j: Union[u32, None] = 256
    k: Any = 512
    l: bool = True
    m: XdpAction = XdpAction.PASS
    return a + b + u32(c) + d + e + g + h + i + j + k + l + m + add(1, 2)
"""
HISTOGRAM = """
@xdp
def f(ctx):
    n = len(ctx) << 8
    slot = 0
    while {test}:
        n >>= 1
        slot += 1
    slots[slot] += 1
    return slot
"""
FIELDS = """
@tc
def f(skb):
    key = Key(source=0x01020304, target=0x01020304)
    skb.store_bytes(0, key.source, 4, 0)
    skb.store_bytes(4, key.target, 4, 0)
    bytes_ = u8[4]()
    bytes_[1] = 7
    skb.store_bytes(3, bytes_[1], 1, 0)
    skb.load_bytes(0, key.target)
    return key.target
"""


def in_xdp(*lines):
    return "@xdp\ndef f(ctx):\n    " + "\n    ".join(lines) + "\n    return 2"


METHODS = """
class Point(Struct):
    x: u32
    y: u32
    LIMIT = 7

    def total(self, times=1):
        return (self.x + self.y) * times

    def move(self, by: u32) -> None:
        self.x += by

    @property
    def double(self):
        return self.x * 2

    @staticmethod
    def three_more(n):
        return n + 3

    @classmethod
    def at(cls, x):
        return cls(x=x, y=2)

class Solid(Point):
    z: u32

    def total(self, times=1):
        return Point.total(self) + self.z

points = HashMap(u32, Point, max_entries=4)

@xdp
def f(ctx):
    points[1] = Point.at(1)
    p = points.get(1)
    if p is None:
        return 0
    p.move(4)
    s = Solid(x=1, y=2, z=3)
    s.move(1)
    return u32(p.total(times=100) + p.double + p.LIMIT + p.three_more(1) + Point.three_more(2) + s.total())
"""
DRAINED = """
@xdp(kernel="{kernel}")
def f(ctx):
    queue.push(3)
    queue.push(4)
    total = 0
    while (n := queue.pop()) is not None:
        total += n
    else:
        total += 100
    return u32(total)
"""
LAYOUTS = """
class Bits(Struct):
    _fields_ = [("a", ctypes.c_uint32, 3), ("b", ctypes.c_uint32, 5), ("rest", ctypes.c_uint32, 24)]

class Packed(Struct):
    _pack_ = 1
    a: u8
    b: u32

class Either(ctypes.Union):
    _fields_ = [("number", ctypes.c_uint32), ("raw", ctypes.c_uint8 * 4)]

class Unnamed(Struct):
    _anonymous_ = ("either",)
    _fields_ = [("either", Either), ("port", ctypes.c_uint16)]

class More(Packed):
    c: be16

@xdp
def f(ctx):
    b = Bits(a=5, b=6)
    b.rest = len(ctx) & 0xFF
    b.a += 2
    p = Packed(a=1, b=2)
    p.b += p.a
    u = Unnamed()
    u.number = 0x0A0B0C0D
    u.port = u.raw[0]
    m = More(a=1, b=2, c=3)
    m.c += 1
    return b.a + b.b * 10 + b.rest * 100 + u.port * 10000 + m.c + p.b + sizeof(Packed) + sizeof(More)
"""
OWN_METHODS = """
class Doubled(Struct):
    x: u32
    y: u32

    def __init__(self, x, y=5):
        self.x = x * 2
        self.y = y + 1

    def __eq__(self, other):
        return self.x == other.x

    __hash__ = None

class Tripled(Doubled):
    z: u32

@xdp
def f(ctx):
    a, b, c, d = Doubled(3), Doubled(3, y=9), Doubled(x=4), Tripled(1, 2)
    return a.x + a.y * 10 + (a == b) * 100 + (a == c) * 1000 + (a != c) * 10000 + d.x * 100000
"""
SNAPSHOTS = """
def write(skb, at, number):
    skb.store_bytes(at, number, 4, 0)

@tc
def f(skb):
    key = Key(target=0x01020304)
    n = key.target
    m = key.target if skb.len else 0
    key.target = 9
    skb.store_bytes(0, n, 4, 0)
    skb.store_bytes(4, u32(m), 4, 0)
    skb.store_bytes(8, key.target, 4, 0)
    write(skb, 12, n)
    return skb.load_byte(0) * 1000 + skb.load_byte(4) * 100 + skb.load_byte(8) * 10 + skb.load_byte(12)
"""
RUNS = {
    "numbers that a name was given, and fields": (SNAPSHOTS, 4000 + 400 + 90 + 4),
    "bit-fields, packed structures, unions, more fields": (LAYOUTS, 7 + 60 + 6400 + 130000 + 4 + 3 + 5 + 7),
    "structures with an __init__ and an __eq__": (OWN_METHODS, 6 + 60 + 100 + 10000 + 200000),
    "annotations in every spelling": (ANNOTATIONS, 1023 + 1 + 2 + 6),
    "a histogram by a while loop": (HISTOGRAM.format(test="n > 1 and slot < 63"), 14),
    "a histogram, tested the other way": (HISTOGRAM.format(test="slot < 63 and n > 1"), 14),
    "fields and elements are memory": (FIELDS, 0x07030201),
    "sizes of fields and numbers": (
        in_xdp("p = Pair()", "n = u16(len(ctx))", "return sizeof(p.b) * 100 + sizeof(n) * 10 + sizeof(p)"), 436),
    "map_lookup_elem gives the value": (
        in_xdp("pairs[1] = Pair(a=40, b=2)", "p = bpf.map_lookup_elem(pairs, 1)", "if p is None:", "    return 0",
               "p.a += 1", "return u32(p.a) + p.b"), 43),
    "map_lookup_elem of a number": (
        in_xdp("numbers[1] = 5", "n = bpf.map_lookup_elem(numbers, u32(1))", "if n is None:", "    return 0",
               "n += 1", "return u32(n)"), 6),
    "map_lookup_elem of a map": (in_xdp("return 3 if bpf.map_lookup_elem(outer, u32(0)) is None else 4"), 3),
    "map_lookup_percpu_elem": (
        in_xdp("p = bpf.map_lookup_percpu_elem(cpus, 1, 0)", "if p is None:", "    return 0", "p.b = 7", "return p.b"), 7),
    "map_push_elem and map_pop_elem": (
        in_xdp("bpf.map_push_elem(queue, 5)", "v = u32[1]()", "if bpf.map_pop_elem(queue, v) < 0:", "    return 0",
               "return v[0]"), 5),
    "methods, properties and constants of structures": (METHODS, 700 + 10 + 7 + 4 + 5 + 7),
    "equality of structures": (
        "class Point(Struct):\n    x: u32\n    y: u32\n\n\n"
        + in_xdp("p = Point(1, 2)", "q = Point(1, 2)", "r = Point(1, 3)",
                 "return (p == q) * 1000 + (p != q) * 100 + (p == r) * 10 + (p != r)"), 1001),
    "a while loop that names a reference": (DRAINED.format(kernel="6.18"), 107),
    "a while loop that names a reference, by bpf_loop": (DRAINED.format(kernel="6.1"), 107),
    "a while loop that names a number": (
        in_xdp("n = len(ctx)", "k = 0", "while (n := n >> 1) and k < 40:", "    k += 1", "return k"), 6),
    "reversed constants": (
        in_xdp("t = 0", "for i in reversed(range(4)):", "    t = t * 10 + i", "for i in reversed((8, 9)):",
               "    t = t * 10 + i", "return t"), 321098),
    "a structure with one field": (
        "class Only(Struct):\n    raw: u8[16]\n\n\n"
        + in_xdp("p = ctx.packet(u8[16])", "if p is None:", "    return 9", "o = Only()", "o.raw = p", "o.raw[1] = 5",
                 "return o.raw[1]"), 5),
    "copies": (
        "class Two(Struct):\n    x: Pair\n    y: Pair\n\n\n"
        + in_xdp("t = Two(Pair(1, 2), Pair(3, 4))", "p = copy.copy(t.x)", "t.x = t.y", "t.y = p",
                 "q = Pair.from_buffer_copy(t.x)", "q.b = 9", "n = copy.deepcopy(len(ctx))",
                 "return t.x.b * 100 + t.y.b * 10 + q.b + (n == 64) * 1000"), 1429),
    "enumerate over arrays": (
        in_xdp("few = u32[5]()", "many = u8[40]()", "t = 0", "for i, v in enumerate(few):", "    few[i] = i * i + v",
               "for i, v in enumerate(few, 1):", "    t += i * v", "for i, v in enumerate(many):", "    many[i] = i & 0xFF",
               "for i, v in enumerate(many):", "    t += v", "return t"), 910),
    "a byte among others": (in_xdp("b = ctx.packet(u8[2])", "if b is None:", "    return 9",
                                   "return (b[0] in b'\\x01\\x00') * 10 + (b[1] not in b'ab')"), 11),
    "network order by Python's functions": (
        in_xdp("n = u16(len(ctx))", "return socket.htons(n) + ntohs(0x0100) + (ntohl(u32(n)) >> 24)"), 0x4000 + 1 + 64),
    "cases of truth values": (
        in_xdp("match len(ctx) > 5:", "    case True:", "        return 7", "    case False:", "        return 8"), 7),
    "functions that give several things, or nothing": (
        "def headers(ctx):\n    e = ctx.packet(Ethernet)\n    if e is None:\n        return None, None\n"
        "    return e, ctx.packet(IPv4, after=e)\n\n\n"
        + in_xdp("e, p = headers(ctx)", "if e is None or p is None:", "    return 1", "return e.type + p.ttl + 3"), 3),
    "addresses as numbers and bytes": (
        in_xdp("p = ctx.packet(IPv4)", "q = ctx.packet(u8[16])", "if p is None or q is None:", "    return 9",
               "p.saddr = int(HERE)", "net = ip_network('10.0.0.0/8')",
               "yes = p.saddr & int(net.netmask) == int(net.network_address)",
               "q[0] = 0", "return yes * 100 + (p.saddr == int(HERE)) * 10 + (q != ip_address('::1').packed)"), 111),
    "slices and searches of constants": (
        in_xdp("t = (1, 2, 64)", "s = 'text'", "return (len(ctx) in t[1:]) + ('ex' in s) * 10 + max(t) * 100 + min(t[:2])"
               " + any(t) * 10000"), 16412),
    "from the end of an array": (in_xdp("a = u32[3](1, 7, 4)", "a[-1] += 5", "return a[-1] * 10 + a[-3]"), 91),
    "the most of several numbers": (in_xdp("t = (len(ctx), 2, 70)", "return u32(max(t) * 100 + min(t))"), 7002),
    "offsets from the network header": (
        "@tc\ndef f(skb):\n    return skb.load_byte(-0x100000 + 1) if skb.len > 1 << 16 else 9", 9),
}  # fmt: skip


@pytest.mark.parametrize("name", RUNS)
def test_machine(name, programs):
    text, expected = RUNS[name]
    assert VM(programs(text)).run(data=bytes(64)).retval == expected


@pytest.mark.kernel
@pytest.mark.parametrize("name", RUNS)
def test_kernel(name, programs):
    text, expected = RUNS[name]
    with load(programs(text)) as prog:
        assert prog.test_run(data=bytes(64)).retval == expected


LOADED = {
    "ringbuf_reserve gives a record": """
@tracepoint("syscalls/sys_enter_getpid")
def f(ctx):
    p = bpf.ringbuf_reserve(ring, sizeof(Pair), 0)
    if p is None:
        return 0
    p.b = bpf.get_current_pid_tgid() >> 32
    bpf.ringbuf_submit(p, 0)
    return 0
""",
    "ringbuf_reserve of another size": """
@tracepoint("syscalls/sys_enter_getpid")
def f(ctx):
    p = bpf.ringbuf_reserve(plain, 24, 0)
    if p is None:
        return 0
    p[3] = 7
    p.submit()
    return 0
""",
    "dynptr_data gives bytes": """
@tracepoint("syscalls/sys_enter_getpid")
def f(ctx):
    d = u64[2]()
    if bpf.ringbuf_reserve_dynptr(plain, 8, 0, d) < 0:
        bpf.ringbuf_discard_dynptr(d, 0)
        return 0
    p = bpf.dynptr_data(d, 0, 8)
    if p is not None:
        p[0] = 7
    bpf.ringbuf_submit_dynptr(d, 0)
    return 0
""",
    "values of storages": """
@tp_btf("sys_enter")
def f(ctx):
    p = bpf.task_storage_get(tasks, bpf.get_current_task_btf(), None, 1)
    if p is None:
        return 0
    p.a += 1
    return 0
""",
    "texts for helpers, and records from contexts": """
@tracepoint("sched/sched_switch")
def f(ctx):
    if bpf.strncmp(ctx.prev_comm, 16, "swapper") == 0:
        return 0
    plain.output(ctx.prev_comm)
    bpf.ringbuf_output(plain, ctx.next_comm, 16, 0)
    return 0
""",
    "arrays of the kernel": """
@tp_btf("sched_switch")
def f(ctx, preempt, prev, next):
    key = Key(target=u32(next.pid), name=next.comm)
    keys[key] += 1
    key.name = prev.comm
    keys[key] += 1
    return 0
""",
    "arrays of the kernel, read by helpers": """
@raw_tracepoint("sched_switch")
def f(ctx, preempt, prev, next):
    key = Key(target=u32(next.pid))
    key.name = next.comm
    keys[key] += 1
    return 0
""",
    "values of cgroups": """
@cgroup_skb
def f(skb):
    p = bpf.get_local_storage(groups, 0)
    p.a += skb.len
    return 1
""",
    "sockets of maps": """
@tc
def f(skb):
    s = bpf.map_lookup_elem(sockets, 1)
    if s is None:
        return 0
    bpf.sk_release(s)
    return 0
""",
    "numbers with a type are memory": """
@sock_ops
def f(skops):
    bpf.setsockopt(skops, 6, 11, u32(40))
    bpf.setsockopt(skops, 6, 13, "cubic")
    return 1
""",
    "large constants are read-only data": """
class Event(Struct):
    pid: u32
    arguments: char[600]

events = HashMap(u32, Event, max_entries=4)
EMPTY = Event(pid=7)

@tracepoint("syscalls/sys_enter_execve")
def f(ctx):
    pid = u32(bpf.get_current_pid_tgid())
    events.update(pid, EMPTY, 1)
    return 0
""",
    "a field that a helper writes": """
@tracepoint("sock/inet_sock_set_state")
def f(ctx):
    key = Key()
    bpf.probe_read_kernel(key.source, ctx.saddr)
    bpf.probe_read_kernel(key.target, sizeof(key.target), bpf.get_current_task())
    keys[key] += 1
    return 0
""",
}


@pytest.mark.kernel
@pytest.mark.parametrize("name", LOADED)
def test_kernel_takes(name, programs):
    with load(programs(LOADED[name])) as prog:
        assert prog.info.xlated_prog_len > 0


BUFFERS = {
    "a parameter with the type of the buffer": """
@bpf_syscall
def f(ctx: Pair):
    ctx.a += ctx.b
    ctx.b += 5
    return ctx.b
""",
    "ctx.buffer": """
@bpf_syscall
def f(ctx):
    given = ctx.buffer(Pair)
    given.a += given.b
    given.b += 5
    return given.b
""",
}


@pytest.mark.parametrize("name", BUFFERS)
def test_what_is_handed_to_a_called_program(name, programs):
    spec = programs(BUFFERS[name])
    pair = spec.function.__globals__["Pair"]
    result = VM(spec).run(ctx=bytes(pair(3, 4)))
    assert (result.retval, pair.from_buffer_copy(result.ctx)) == (9, pair(7, 9))


@pytest.mark.kernel
@pytest.mark.parametrize("name", BUFFERS)
def test_what_is_handed_to_a_called_program_in_the_kernel(name, programs):
    spec = programs(BUFFERS[name])
    pair = spec.function.__globals__["Pair"]
    with load(spec) as prog:
        result = prog.test_run(ctx=bytes(pair(3, 4)))
    assert (result.retval, pair.from_buffer_copy(result.ctx)) == (9, pair(7, 9))


HOOKS = {
    "what the hook gave": (
        '@lsm("file_mprotect")\ndef f(ctx, vma, reqprot, prot, ret):\n    if ret != 0:\n        return ret\n    return -1',
        [([0, 0, 0, -13], -13), ([0, 0, 0, 0], -1)]),
    "what the hook gave, by name": (
        '@lsm("file_mprotect")\ndef f(ctx):\n    if ctx.ret:\n        return ctx.ret\n    return -1', [([0, 0, 0, -13], -13)]),
    "what the function would give": (
        '@fmod_ret("bpf_modify_return_test")\ndef f(ctx, a, b, ret):\n    return ret + 1', [([1, 2, 5], 6)]),
    "a hook without a result": ('@lsm("cred_free")\ndef f(ctx, cred):\n    pass', [([0], 0)]),
    "a function without a result": (
        '@struct_ops("tcp_congestion_ops/cong_avoid")\ndef f(ctx, sk, ack, acked):\n    return', []),
}  # fmt: skip


@pytest.mark.kernel  # for its BTF: trampolines are not to be had everywhere
@pytest.mark.parametrize("name", HOOKS)
def test_results_of_hooks(name, programs):
    text, runs = HOOKS[name]
    spec = programs(text)
    report = verify(spec, env=Env.here())
    assert report.ok, report
    for ctx, expected in runs:
        assert s32(VM(spec).run(ctx=ctx).retval) == expected


REFUSED = {
    "a context that a helper would write": (
        "@bpf_syscall\ndef f(ctx: Key):\n    bpf.get_current_comm(ctx.name)\n    return 0",
        "buf of get_current_comm is written, and helpers write no contexts: give an array, and assign it to the field",
    ),
    "case True of a number": (
        in_xdp("match len(ctx):", "    case True:", "        return 1"),
        "case True matches truth values, and no number: write case 1",
    ),
    "a part of a result": (
        "def two(n):\n    if n > 5:\n        return 1, None\n    return None, 2\n\n\n"
        + in_xdp("a, b = two(len(ctx))", "return a"),
        "a part of the result of two stands for 1 or None, depending on the way to this line; use two names",
    ),
    "one of two functions": (
        "def one():\n    return 1\n\n\ndef two():\n    return 2\n\n\n" + in_xdp("g = one if len(ctx) > 3 else two"),
        "this expression stands for one or two, depending on the way to this line; use two names",
    ),
    "htons of what is wider": (
        in_xdp("n = socket.htons(len(ctx))"),
        "the number of htons takes u16, and this number may be 0..2147483647: write u16(...) to wrap it",
    ),
    "structures of different classes": (
        "class Other(Struct):\n    a: u64\n    b: u32\n\n\n" + in_xdp("return Pair() == Other()"),
        "a reference to Pair is compared with a value of the same type, not with a reference to Other",
    ),
    "a range without end": (
        in_xdp("for i in range(1 << 70):", "    pass"),
        "has more rounds than can be counted",
    ),
    "a record of no type": (
        in_xdp("p = plain.reserve('x')"),
        "a type is wanted here, such as a Struct, u32 or u8[6], and not 'x'",
    ),
    "a type for a value": (in_xdp("k = Key(name=u8)"), "u8 does not convert to char[16]"),
    "a type for numbers": (
        in_xdp("p = ctx.packet(u8[4])", "if p is None:", "    return 1", "return p == u8"),
        "u8 does not convert to u8[4]: 'Scalar' object is not iterable",
    ),
    "a property that fails": (
        "class Policy:\n    @property\n    def port(self):\n        return 1 + None\n\n\npolicy = Policy()\n\n\n"
        + in_xdp("return policy.port"),
        "TypeError: unsupported operand type(s) for +: 'int' and 'NoneType'",
    ),
    "six bytes as a text": (
        in_xdp("e = ctx.packet(Ethernet)", "if e is None:", "    return 1", 'printk(f"{e.src}")'),
        "six bytes are no text: write {...:pM} for a hardware address",
    ),
    "the context as a text": (in_xdp('printk(f"{ctx}")'), "the context is not a value to be shown: name a field of it"),
    "an address for a number": (
        in_xdp("p = ctx.packet(IPv4)", "if p is None:", "    return 1", "if p.saddr == HERE:", "    return 3"),
        "IPv4Address('10.0.0.1') is not a number in Python either: write int(...) of it, or its .packed for an array",
    ),
    "an address for bytes": (
        in_xdp("p = ctx.packet(u8[16])", "if p is None:", "    return 1", "if p == ip_address('::1'):", "    return 3"),
        "IPv6Address('::1') is no u8[16]: write its .packed",
    ),
    "a network": (
        in_xdp(
            "p = ctx.packet(IPv4)",
            "if p is None:",
            "    return 1",
            "if p.saddr in ip_network('10.0.0.0/8'):",
            "    return 3",
        ),
        "write address & int(n.netmask) == int(n.network_address), or look it up in an LpmTrie",
    ),
    "a reference taken for a copy": (
        in_xdp("e = ctx.packet(Ethernet)", "if e is None:", "    return 1", "t = e.dst", "e.dst = e.src", "e.src = t"),
        "has overwritten, and no copy of it: write t = copy.copy(...) where it is taken, or a.x, a.y = a.y, a.x to exchange",
    ),
    "a letter for a number": (
        in_xdp("c = char[4]()", "if c[0] == 'a':", "    return 1"),
        "'a' is not a number that a program can use: write ord('a')",
    ),
    "enumerate of a number": (
        in_xdp("for i, n in enumerate(len(ctx)):", "    pass"),
        "enumerate goes over constants, or over an array, from a constant on",
    ),
    "a starred name": (in_xdp("a, *b = 1, 2, 3"), "there is no unpacking with * inside a program: name each value"),
    "print": (in_xdp('print("x")'), 'write printk(f"..."), which goes to the trace pipe'),
    "a method of what may be None": (
        "class Point(Struct):\n    x: u32\n\n    def double(self):\n        return self.x * 2\n\n\n"
        "points = HashMap(u32, Point, max_entries=4)\n\n\n" + in_xdp("return points.get(1).double()"),
        "points.get(...) may be None here: test it with `is None` first",
    ),
    "a lambda": ("f = xdp(lambda ctx: 2)", "a program has a name and lines: write it with def, not lambda"),
    "a misspelt event": (
        '@tracepoint("sched/sched_swich")\ndef f(ctx):\n    return ctx.prev_pid',
        "did you mean sched/sched_switch?",
    ),
    "values for trace_printk": (
        in_xdp('bpf.trace_printk("%d", len(ctx))'),
        'values are printed by printk(f"pid {pid}"): bpf.trace_printk takes the text alone',
    ),
    "a: float = 3": (
        in_xdp("a: float = 3"),
        "a number is no float: write a type such as u32, or leave the annotation out",
    ),
    'a: "u33" = 3': (in_xdp('a: "u33" = 3'), "'u33' names no type; did you mean u32?"),
    "u33(1)": (in_xdp("a = u33(1)"), "u33 is not defined; did you mean u32?"),
    "ktime_get_ns()": (
        in_xdp("a = ktime_get_ns()"),
        "ktime_get_ns is not defined; after `from pybpf import helpers as bpf` this helper is bpf.ktime_get_ns",
    ),
    "bpf_ktime_get_ns()": (in_xdp("a = bpf_ktime_get_ns()"), "this helper is bpf.ktime_get_ns"),
    "ctx.adjust_hed": (
        in_xdp("ctx.adjust_hed(-4)"),
        "the context has no method 'adjust_hed'; did you mean adjust_head?",
    ),
    "setsockopt(40)": (
        "@sock_ops\ndef f(skops):\n    bpf.setsockopt(skops, 6, 11, 40)\n    return 1",
        "optval of setsockopt is memory, and of 40 is not known how wide it is: write u32(40)",
    ),
    "a context for a callback": (
        "def each(map, key, value, ctx):\n    return 0\n\n\n" + in_xdp("pairs.for_each(each, ctx)"),
        "callback_ctx of for_each_map_elem is memory that the program has on its stack, a Struct or an array, and not the con",
    ),
    "a value for a callback": (
        "def each(i, ctx):\n    return 0\n\n\n"
        + in_xdp("p = cpus.get(1)", "if p is None:", "    return 1", "bpf.loop(9, each, p)"),
        "callback_ctx of loop is memory that the program has on its stack, a Struct or an array, and not a reference to Pair",
    ),
    "no map": (in_xdp("bpf.map_lookup_elem(ctx, u32(3))"), "map of map_lookup_elem is a map, and not the context"),
    "0 for NULL": (
        '@tp_btf("sys_enter")\ndef f(ctx):\n    bpf.task_storage_get(tasks, bpf.get_current_task_btf(), 0, 1)\n    return 0',
        "value of task_storage_get is Pair, or None for zeros, and not 0",
    ),
    "a number to be written": (
        in_xdp("n = u32(0)", "bpf.map_pop_elem(queue, n)"),
        "value of map_pop_elem is memory: give a Struct, an array or a field, not a number (u32)",
    ),
    "load_byte(-1)": (
        "@tc\ndef f(skb):\n    return skb.load_byte(-1)",
        "offset -1 is outside of any packet: it is counted from the packet's first byte, from 0 on",
    ),
    "sizeof(3)": (in_xdp("n = sizeof(3)"), "a type is wanted here, such as a Struct, u32 or u8[6], and not 3"),
    "a lock that is kept": (
        "@tc\ndef f(skb):\n    v = locked.get(0)\n    if v is None:\n        return 0\n    bpf.spin_lock(v.lock)\n    return 0",
        "is still held on this way out",
    ),
    "a record that is kept": (
        in_xdp("p = ring.reserve()", "if p is None:", "    return 1"),
        "is neither submitted nor discarded on this way out",
    ),
    "a wrong value": (in_xdp("pairs[1] = 5"), "5 is not a Pair"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name, programs):
    text, told = REFUSED[name]
    with pytest.raises(CompileError) as caught:
        programs(text).insns  # noqa: B018
    assert told in caught.value.message
    assert caught.value.line
    assert "^" in str(caught.value)


NAMES = [
    (
        '@tp_btf("sched_swich")',
        "ctx.prev.pid",
        "this kernel's BTF has no tracepoint 'sched_swich'; did you mean sched_switch",
    ),
    ('@fentry("vfs_raed")', "ctx.file", "this kernel's BTF has no function 'vfs_raed'; did you mean vfs_read"),
    ('@lsm("file_opn")', "ctx.file", "this kernel's BTF has no LSM hook 'file_opn'; did you mean file_open"),
    ('@tp_btf("sched_switch")', "ctx.prv", "sched_switch has no argument 'prv'; it has preempt, prev, next"),
    ('@tp_btf("sched_switch")', "ctx.prev.pidd", "has no field 'pidd'; did you mean pid"),
]


@pytest.mark.kernel
@pytest.mark.parametrize(("decorator", "read", "told"), NAMES)
def test_names_that_the_kernel_has_not(decorator, read, told, programs):
    with pytest.raises(CompileError) as caught:
        programs(f"{decorator}\ndef f(ctx):\n    return {read}").insns  # noqa: B018
    assert told in caught.value.message


@pytest.mark.kernel
def test_structures_of_the_kernel_are_not_written(programs):
    with pytest.raises(CompileError) as caught:
        programs('@tp_btf("sched_switch")\ndef f(ctx):\n    ctx.prev.pid = 3').insns  # noqa: B018
    assert (
        caught.value.message
        == "programs read the kernel's structures and do not write them, so not 'pid' of struct task_struct of the kernel"
    )


def test_hardware_addresses_are_shown(programs):
    spec = programs(
        in_xdp("e = ctx.packet(Ethernet)", "if e is None:", "    return 1", 'printk(f"{e.src:pM} {e.type:#x}")')
    )
    assert VM(spec).run(data=bytes(range(64))).printk == ["06:07:08:09:0a:0b 0xc0d"]


def test_structures_show_their_arrays():
    from pybpf.net import Ethernet

    assert repr(Ethernet(type=5)) == "Ethernet(dst=[0, 0, 0, 0, 0, 0], src=[0, 0, 0, 0, 0, 0], type=5)"
