"""Maps of every kind, as in user space."""

from __future__ import annotations

import ipaddress

from pybpf import (
    Array,
    ArrayOfMaps,
    BloomFilter,
    HashMap,
    HashOfMaps,
    LpmTrie,
    LruHashMap,
    PerCpuArray,
    PerCpuHashMap,
    ProgArray,
    Queue,
    RingBuf,
    SkStorage,
    SpinLock,
    Stack,
    StackTrace,
    Struct,
    cgroup_skb,
    sched_cls,
    u8,
    u16,
    u32,
    u64,
)
from pybpf import helpers as bpf

from . import Run
from .numbers import A


class Pair(Struct):
    a: u32
    b: u32


class Event(Struct):
    len: u32
    mode: u16


class Guarded(Struct):
    lock: SpinLock
    count: u32


counts = HashMap(u32, u64, max_entries=16)
narrow = PerCpuHashMap(u8, u16, max_entries=16)
pairs = HashMap(Pair, u64, max_entries=16)
stats = HashMap(u32, Pair, max_entries=16)
recent = LruHashMap(u32, u32, max_entries=16)
slots = Array(u64, max_entries=8)
one = Array(Pair, max_entries=1)
local = PerCpuArray(u64, max_entries=1)
local_hash = PerCpuHashMap(u32, u64, max_entries=4)
routes = LpmTrie(ipaddress.IPv4Address, u32, max_entries=16)
queue = Queue(u32, max_entries=4)
stack = Stack(Pair, max_entries=4)
bloom = BloomFilter(u32, max_entries=64)
inner = HashMap(u32, u64, max_entries=8)
outer = HashOfMaps(u32, inner, max_entries=4)
rows = ArrayOfMaps(inner, max_entries=2)
events = RingBuf(Event, size=4096)
programs = ProgArray(max_entries=4)
guarded = Array(Guarded, max_entries=1)
traces = StackTrace(max_entries=4)
sockets = SkStorage(u64)


@sched_cls
def counted(skb):
    counts[skb.mark] += 1
    return 0


@sched_cls
def stored(skb):
    counts[skb.mark] = skb.len
    return 0


@sched_cls
def read(skb):
    return u32(counts[skb.mark])


@sched_cls
def read_or(skb):
    return u32(counts.get(skb.mark, 7))


@sched_cls
def looked_up(skb):
    s = stats.get(skb.mark)
    if s is None:
        stats[skb.mark] = Pair(1, skb.len)
        return 1
    s.a += 1
    return s.b


@sched_cls
def present(skb):
    return 1 if skb.mark in counts else 0


@sched_cls
def absent(skb):
    if skb.mark not in counts:
        return 5
    return 6


@sched_cls
def structure_key(skb):
    return 1 if Pair(skb.mark, skb.len) in pairs else 0


@sched_cls
def deleted(skb):
    del counts[skb.mark]
    return 0


@sched_cls
def updated(skb):
    return 1 if counts.update(skb.mark, 5, 1) < 0 else 0


@sched_cls
def narrow_counted(skb):
    narrow[u8(skb.mark)] += 3
    return 0


@sched_cls
def slot(skb):
    slots[skb.mark & 7] += skb.len
    return 0


@sched_cls
def slot_known(skb):
    slots[3] = slots[3] + 2
    return u32(slots[3])


@sched_cls
def only(skb):
    s = one[0]
    s.a |= 4
    s.b = skb.mark
    return s.a


@sched_cls
def operators(skb):
    c = counts.get(skb.mark)
    if c is not None:
        c -= 1
        c |= 8
        c &= 0xFF
        c ^= 1
    return 0


@sched_cls
def on_this_cpu(skb):
    local[0] += skb.len
    return 0


@sched_cls
def on_this_cpu_doubled(skb):
    local[0] += 21
    local[0] *= 2
    return u32(local[0])


@sched_cls
def least_recent(skb):
    recent[skb.mark] = recent[skb.mark] + 1
    return 0


@sched_cls
def longest_prefix(skb):
    found = routes.get(skb.mark)
    return 0 if found is None else found


@sched_cls
def queued(skb):
    queue.push(skb.mark)
    queue.push(7)
    first = queue.pop()
    if first is None:
        return 0
    return first


@sched_cls
def stacked(skb):
    stack.push(Pair(skb.mark, 2))
    top = stack.peek()
    if top is None:
        return 0
    return top.a + top.b


@sched_cls
def bloomed(skb):
    bloom.add(skb.mark)
    return 1 if skb.mark in bloom else 2


@sched_cls
def maps_in_map(skb):
    m = outer.get(1)
    if m is None:
        return 9
    m[skb.mark] += 2
    return 1


@sched_cls
def maps_in_array(skb):
    row = rows.get(skb.mark & 1)
    if row is None:
        return 9
    return u32(row[5])


@sched_cls
def record(skb):
    event = events.reserve()
    if event is None:
        return 0
    event.len = skb.len
    event.mode = 1
    event.submit()
    return 1


@sched_cls
def record_discarded(skb):
    event = events.reserve()
    if event is None:
        return 0
    event.len = skb.len
    if skb.mark == 0:
        event.discard()
        return 2
    event.submit()
    return 1


@sched_cls
def put_out(skb):
    events.output(Event(skb.len, 2))
    return 1


@sched_cls
def jumped(skb):
    programs.tail_call(skb.mark & 3)
    return 7


@sched_cls
def locked(skb):
    g = guarded.get(0)
    if g is None:
        return 0
    with g.lock:
        g.count += 2
    return g.count


def add(m, key, value, total):
    total.a += u32(value)
    total.b += key
    return 0


@sched_cls
def for_each(skb):
    total = Pair()
    counts.for_each(add, total)
    return total.a * 100 + total.b


@cgroup_skb("egress")
def of_socket(skb):
    sk = skb.sk
    if sk is None:
        return 1
    n = sockets.get(sk, create=True)
    if n is not None:
        n += 1
    return 1


@sched_cls
def helper_called(skb):
    return 1 if bpf.map_delete_elem(counts, skb.mark) == 0 else 2


def _counts(**given: int):
    def fill(objects) -> None:
        for key, value in given.items():
            objects[counts][int(key[1:])] = value

    return fill


def _pairs(objects) -> None:
    objects[pairs][Pair(7, 64)] = 1


def _route(objects) -> None:
    objects[routes]["10.0.0.0/8"] = 8
    objects[routes]["10.1.0.0/16"] = 16


def _stats(objects) -> None:
    objects[stats][7] = Pair(5, 6)


LEAST = {"only": 3, "operators": 3}
"""The first level of the instruction set that has what a program uses: atomic operators other than +."""

RUNS = {
    "counted": [Run(0, A, after={counts: {A: 1}}), Run(0, 7, before=_counts(_7=5), after={counts: {7: 6}})],
    "stored": [Run(0, 7, after={counts: {7: 64}})],
    "read": [Run(0, 7), Run(5, 7, before=_counts(_7=5))],
    "read_or": [Run(7, 7), Run(5, 7, before=_counts(_7=5))],
    "looked_up": [Run(1, 7, after={stats: {7: Pair(1, 64)}}), Run(6, 7, before=_stats, after={stats: {7: Pair(6, 6)}})],
    "present": [Run(0, 7), Run(1, 7, before=_counts(_7=5))],
    "absent": [Run(5, 7), Run(6, 7, before=_counts(_7=5))],
    "structure_key": [Run(0, 7), Run(1, 7, before=_pairs)],
    "deleted": [Run(0, 7, before=_counts(_7=5, _8=6), after={counts: {8: 6}})],
    "updated": [Run(0, 7, after={counts: {7: 5}}), Run(1, 7, before=_counts(_7=6), after={counts: {7: 6}})],
    "narrow_counted": [Run(0, 0x107)],
    "slot": [Run(0, 11, after={slots: {i: 64 * (i == 3) for i in range(8)}})],
    "slot_known": [Run(2)],
    "only": [Run(4, 9, after={one: {0: Pair(4, 9)}})],
    "operators": [Run(0, 7, before=_counts(_7=0x1000), after={counts: {7: 0xFE}})],
    "on_this_cpu": [Run(0)],
    "on_this_cpu_doubled": [Run(42)],
    "least_recent": [Run(0, 7, after={recent: {7: 1}})],
    "longest_prefix": [Run(0, 0x0A000001), Run(8, 0x0A000001, before=_route), Run(16, 0x0A010001, before=_route)],
    "queued": [Run(5, 5)],
    "stacked": [Run(7, 5)],
    "bloomed": [Run(1, 5)],
    "maps_in_map": [Run(9)],
    "maps_in_array": [Run(9)],
    "record": [Run(1)],
    "record_discarded": [Run(2), Run(1, 1)],
    "put_out": [Run(1)],
    "jumped": [Run(7)],
    "locked": [Run(2)],
    "for_each": [Run(0), Run(11 * 100 + 15, before=_counts(_7=5, _8=6))],
    "of_socket": [Run(1)],
    "helper_called": [Run(2, 7), Run(1, 7, before=_counts(_7=5))],
}
