"""Maps, packets, contexts, structures, functions: each with its effect seen in the kernel."""

from __future__ import annotations

import ipaddress
import struct

import pytest

from pybpf import (
    VM,
    Array,
    ArrayOfMaps,
    BloomFilter,
    Global,
    HashMap,
    HashOfMaps,
    LpmTrie,
    LruHashMap,
    PerCpuArray,
    PerCpuHashMap,
    PerfEventArray,
    ProgArray,
    Queue,
    ResizableHashMap,
    RingBuf,
    Stack,
    Struct,
    UserRingBuf,
    XdpAction,
    char,
    features,
    load,
    load_collection,
    printk,
    raw_tracepoint,
    s64,
    sched_cls,
    socket_filter,
    subprogram,
    tp_btf,
    tracepoint,
    u8,
    u16,
    u32,
    u64,
    verify,
    xdp,
)
from pybpf import helpers as bpf
from pybpf.net import ETH_P_IP, Ethernet, IPv4, Tcp, Udp

pytestmark = pytest.mark.kernel

PACKET = (
    bytes(Ethernet(dst=(1, 2, 3, 4, 5, 6), src=(7, 8, 9, 10, 11, 12), type=ETH_P_IP))
    + bytes(IPv4(version=4, ihl=5, ttl=64, protocol=17, saddr=0x0A000001, daddr=0x0A000002, length=60))
    + bytes(Udp(source=1234, dest=53, length=40))
    + bytes(range(32))
)


class Key(Struct):
    addr: u32
    port: u16
    proto: u8  # one byte of padding behind


class Stats(Struct):
    packets: u64
    bytes: u64
    last: u32


flows = HashMap(Key, Stats, max_entries=16)
counts = HashMap(u32, u64, max_entries=16)
narrow = HashMap(u8, u32, max_entries=300)
percpu = PerCpuHashMap(u32, u64, max_entries=16)
slots = Array(u64, max_entries=8)
percpu_slots = PerCpuArray(u64, max_entries=8)
one = Array(Stats, max_entries=1)
lru = LruHashMap(u64, u64, max_entries=16)
routes = LpmTrie(ipaddress.IPv4Address, u32, max_entries=16)
queue = Queue(u64, max_entries=8)
stack = Stack(Stats, max_entries=8)
bloom = BloomFilter(u32, max_entries=64)
inner = HashMap(u32, u64, max_entries=8)
outer = HashOfMaps(u32, inner, max_entries=4)
rows = ArrayOfMaps(inner, max_entries=4)
ring = RingBuf(Stats, size=4096)
perf = PerfEventArray(Stats)
limit = Global(u32, 10)
seen = Global(u64)
fixed = Global(u32, 3, const=True)


@xdp
def flow_counter(ctx):
    ip = ctx.packet(IPv4, at=14)
    if ip is None:
        return XdpAction.ABORTED
    udp = ctx.packet(Udp, after=ip)
    if udp is None:
        return XdpAction.ABORTED
    key = Key(ip.saddr, port=udp.dest, proto=ip.protocol)
    stats = flows.get(key)
    if stats is None:
        flows[key] = Stats(packets=1, bytes=len(ctx), last=7)
    else:
        stats.packets += 1
        stats.bytes += len(ctx)
        stats.last = 9
    return XdpAction.PASS


def test_struct_keys_and_values():
    with load(flow_counter) as prog:
        for _ in range(3):
            assert prog.test_run(PACKET).retval == XdpAction.PASS
        [(key, stats)] = prog[flows].items()
        assert (key.addr, key.port, key.proto) == (0x0A000001, 53, 17)
        assert (stats.packets, stats.bytes, stats.last) == (3, 3 * len(PACKET), 9)


@sched_cls
def map_verbs(skb):
    counts[1] = 5
    counts[2] += 1
    counts[2] += 2
    counts[3] -= 1
    counts[4] |= 6
    r = counts.update(1, 6, 1)  # BPF_NOEXIST
    counts[5] = 1 if r < 0 else 0
    del counts[1]
    counts[6] = counts.delete(99) < 0
    if 2 in counts and 77 not in counts:
        counts[7] = counts[2] + counts[100]
    counts[8] = counts.get(2, 1000) + counts.get(101, 1000)
    narrow[skb.len & 0xFF] += 1
    percpu[1] += 4
    slots[3] += 3
    slots[3] += skb.len
    percpu_slots[1] *= 2
    percpu_slots[1] += 21
    percpu_slots[1] *= 2
    lru[skb.len] += 1
    one[0].packets += 2
    s = one[0]
    s.last = 5
    return 0


def test_map_verbs():
    with load(map_verbs) as prog:
        assert prog.test_run(PACKET).retval == 0
        c = dict(prog[counts].items())
        assert c == {2: 3, 3: (1 << 64) - 1, 4: 6, 5: 1, 6: 1, 7: 3, 8: 1003}
        assert prog[narrow][len(PACKET) & 0xFF] == 1
        assert sum(prog[percpu][1]) == 4
        assert prog[slots][3] == 3 + len(PACKET)
        assert sum(prog[percpu_slots][1]) == 42
        assert prog[lru][len(PACKET)] == 1
        assert (prog[one][0].packets, prog[one][0].last) == (2, 5)


@xdp
def tries_and_queues(ctx):
    ip = ctx.packet(IPv4, at=14)
    if ip is None:
        return 0
    route = routes.get(ip.daddr)
    same = routes.get((32, (10, 0, 0, u8(len(ctx) & 3))))
    if same is None or same != 24:
        return 9
    if route is None:
        return 1
    queue.push(ip.saddr)
    queue.push(5)
    first = queue.pop()
    if first is None:
        return 2
    stack.push(Stats(packets=first, bytes=route))
    top = stack.peek()
    if top is None or top.packets != ip.saddr or top.bytes != 24:
        return 3
    bloom.add(ip.daddr)
    if ip.daddr not in bloom or ip.saddr in bloom:
        return 4
    second = queue.pop()
    if second is None or second != 5:
        return 5
    if queue.pop() is not None:
        return 6
    return 42


def test_tries_queues_and_filters():
    with load(tries_and_queues) as prog:
        prog[routes]["10.0.0.0/24"] = 24
        assert prog.test_run(PACKET).retval == 42


@xdp
def nested_maps(ctx):
    m = outer.get(1)
    if m is None:
        return 1
    m[7] += 2
    n = rows.get(2)
    if n is not None:
        return 2
    return 3


def test_hashes_that_grow():
    """Used as other hashes are; where the kernel has none, the verifier and the machine answer."""
    grown = ResizableHashMap(u32, u64, max_entries=64, name="grown")

    @subprogram
    def none(map_, key, value, context):
        return 0

    @socket_filter
    def program(skb):
        grown[1] += 1
        grown[2] = 7
        found = grown.get(2)
        if found is not None:
            grown.update(3, found)
        grown.delete(3)
        return grown.for_each(none) if 1 in grown else 0

    assert verify(program, kernel="7.2").ok
    vm = VM(program)
    assert (vm.run(data=bytes(64)).retval, dict(vm[grown].items())) == (2, {1: 1, 2: 7})
    if features.have_map_type(ResizableHashMap.TYPE):
        with load(program) as prog:
            assert prog.test_run(data=bytes(64)).retval == 2
            assert dict(prog[grown].items()) == {1: 1, 2: 7}


def test_maps_of_maps():
    with load(nested_maps) as prog:
        assert prog.test_run(PACKET).retval == 1


@xdp
def rewrite(ctx):
    eth = ctx.packet(Ethernet)
    if eth is None:
        return 0
    ip = ctx.packet(IPv4, after=eth)
    if ip is None:
        return 0
    mac = u8[6]()
    for i in range(6):
        mac[i] = eth.src[i]
    eth.src = eth.dst
    eth.dst = mac
    ip.saddr, ip.daddr = ip.daddr, ip.saddr
    ip.ttl -= 1
    ip.version = 6
    ip.ihl = 7
    ip.check = 0xBEEF
    return XdpAction.TX


def test_headers_are_written():
    with load(rewrite) as prog:
        result = prog.test_run(PACKET)
        assert result.retval == XdpAction.TX
        eth = Ethernet.from_buffer_copy(result.data)
        ip = IPv4.from_buffer_copy(result.data[14:])
        assert bytes(eth.dst) == bytes(range(7, 13))
        assert bytes(eth.src) == bytes(range(1, 7))
        assert (ip.version, ip.ihl, ip.ttl, ip.check) == (6, 7, 63, 0xBEEF)
        assert (ip.saddr, ip.daddr) == (0x0A000002, 0x0A000001)


@xdp
def push_header(ctx):
    if ctx.adjust_head(-4) < 0:
        return 0
    word = ctx.packet(u32)
    if word is None:
        return 1
    word.value = 0x11223344
    return 2


def test_packet_moves():
    with load(push_header) as prog:
        result = prog.test_run(PACKET)
        assert result.retval == 2
        assert result.data[:4] == struct.pack("<I", 0x11223344)
        assert len(result.data) == len(PACKET) + 4


@xdp
def variable_offsets(ctx):
    ip = ctx.packet(IPv4, at=14)
    if ip is None or ip.ihl < 5:
        return 0
    offset = 14 + ip.ihl * 4
    udp = ctx.packet(Udp, at=offset)
    if udp is None:
        return 1
    total = u32(0)
    for i in range(8):
        byte = ctx.packet(u8, at=offset + 8 + i)
        if byte is None:
            break
        total += byte
    if udp.length > 1000:
        return 2
    last = ctx.packet(u8, at=offset + udp.length - 9) if udp.length >= 9 else None
    if last is None:
        return 3
    return total * 1000 + last


@xdp
def unbounded_offsets(ctx):
    offset = 14
    for _ in range(10):
        step = ctx.packet(u8, at=offset)
        if step is None:
            return 1
        offset += 1 + step
    return offset


def test_offsets_without_bounds():
    with load(unbounded_offsets) as prog:
        assert prog.test_run(bytes(14) + bytes([2] * 40)).retval == 14 + 30
        assert prog.test_run(bytes(14) + bytes([200] * 40)).retval == 1


def test_variable_offsets():
    with load(variable_offsets) as prog:
        assert prog.test_run(PACKET).retval == sum(range(8)) * 1000 + 23


jumps = ProgArray(max_entries=4)


@xdp
def entry(ctx):
    seen.value += 1
    jumps.tail_call(ctx, 1)
    return 11


@xdp
def target(ctx):
    return 22


def test_tail_calls():
    with load_collection(entry, target) as objs:
        assert objs[entry].test_run(PACKET).retval == 11
        objs[jumps][1] = objs[target]
        assert objs[entry].test_run(PACKET).retval == 22


@sched_cls
def events(skb):
    record = ring.reserve()
    if record is None:
        return 1
    record.packets = 1
    record.bytes = skb.len
    record.last = limit.value
    if skb.len < 20:
        record.discard()
        return 2
    record.submit()
    ring.output(Stats(packets=2, last=fixed.value))
    perf.output(Stats(packets=3))
    return 0


def test_events_and_globals():
    with load(events) as prog:
        prog[limit][0] = 99
        assert prog.test_run(PACKET).retval == 0
        records = prog[ring].drain()
        assert [(r.packets, r.last) for r in records] == [(1, 99), (2, 3)]


@subprogram
def fold(x: u64, y: u32) -> u32:
    return u32((x >> 32) ^ x ^ y)


@subprogram
def bump(stats: Stats, by: int):
    stats.packets += u64(by)


def add(index, total):
    total.packets += index
    return 0


def visit(m, key, value, total):
    total.bytes += value
    if key > 100:
        return 1
    return 0


@sched_cls
def calls(skb):
    total = Stats()
    bump(total, 5)
    bump(total, skb.len & 1)
    bpf.loop(10, add, total)
    counts[1] = 7
    counts[2] = 8
    counts.for_each(visit, total)
    out = fold(0x100000002, skb.len) + fold(1, 2)
    return u32(total.packets) * 10000 + u32(total.bytes) * 100 + out


def test_functions_and_callbacks():
    with load(calls) as prog:
        n = len(PACKET)
        expected = (5 + (n & 1) + 45) * 10000 + 15 * 100 + ((1 ^ 2 ^ n) + 3)
        assert prog.test_run(PACKET).retval == expected


@socket_filter
def legacy(skb):
    a = skb.load_byte(0)
    b = skb.load_half(1)
    i = a & 3
    return u32(a) + skb.load_word(i) + b


def test_legacy_loads():
    with load(legacy) as prog:
        data = bytes(14) + bytes(range(1, 41))
        assert prog.test_run(data).retval == 1 + 0x02030405 + 0x0203


@sched_cls
def context_fields(skb):
    if skb.protocol != ETH_P_IP:
        return 1
    skb.mark = 0x77
    skb.cb[1] = skb.len
    skb.priority = skb.cb[1] + 1
    return skb.mark


def test_context_fields():
    with load(context_fields) as prog:
        assert prog.test_run(PACKET).retval == 0x77


@sched_cls
def spills(skb):
    t = ctx_sum(skb)
    a, b, c, d = skb.len, skb.hash, skb.ifindex, skb.mark
    e, f, g, h = skb.queue_mapping, skb.priority, skb.tc_index, skb.vlan_tci
    x = bpf.ktime_get_ns()
    y = bpf.get_prandom_u32()
    z = u64(x) ^ x
    return u32(a) + b + c + d + e + f + g + h + u32(z) + (y & 0) + t


def ctx_sum(skb):
    total = u32(0)
    for i in range(5):
        total += skb.cb[i]
    return total


def test_spills():
    with load(spills) as prog:
        assert prog.test_run(PACKET).retval >= len(PACKET)


@sched_cls
def arrays(skb):
    table = u32[8]()
    for i in range(8):
        table[i] = i * i
    table[skb.len & 7] += 100
    total = u32(0)
    for x in table:
        total += x
    return total


def test_arrays_on_the_stack():
    with load(arrays) as prog:
        assert prog.test_run(PACKET).retval == sum(i * i for i in range(8)) + 100


@xdp
def strings(ctx):
    p = ctx.packet(char[4])
    if p is None:
        return 0
    if p == b"\x01\x02\x03\x04":
        return 1
    return 2


def test_bytes_are_compared():
    with load(strings) as prog:
        assert prog.test_run(PACKET).retval == 1
        assert prog.test_run(PACKET[1:]).retval == 2


@xdp
def tcp_flags(ctx):
    tcp = ctx.packet(Tcp, at=34)
    if tcp is None:
        return 0
    return tcp.syn * 1 + tcp.ack * 2 + tcp.fin * 4 + tcp.doff * 8


def test_places_of_several_bytes_swap():
    """Everything on the right is read before anything on the left is written."""

    @xdp
    def swap(ctx):
        eth = ctx.packet(Ethernet)
        if eth is None:
            return 1
        eth.dst, eth.src = eth.src, eth.dst
        return 2

    data = bytes(range(14))
    assert VM(swap).run(data=data).data == data[6:12] + data[:6] + data[12:]


def test_bit_fields():
    packet = PACKET[:34] + bytes(Tcp(syn=1, fin=1, doff=5)) + bytes(10)
    with load(tcp_flags) as prog:
        assert prog.test_run(packet).retval == 1 + 4 + 40


@sched_cls
def says(skb):
    printk(f"len {skb.len} hex {skb.len:x} {skb.len:08x}")
    printk(f"{skb.len} {skb.mark} {skb.hash} {skb.priority} end")
    printk("plain 100%")
    return 0


@tp_btf("sched_switch")
def switched(ctx):
    next_task = ctx.next
    counts[u32(next_task.pid)] += 1
    parent = next_task.real_parent.tgid
    slots[0] = u64(u32(parent))
    return 0


@raw_tracepoint("sched_switch")
def raw_switched(ctx):
    counts[u32(ctx.next.pid)] += 1


@tracepoint("sched/sched_switch")
def event_switched(ctx):
    comm = char[16]()
    bpf.get_current_comm(comm)
    counts[u32(ctx.next_pid)] += 1
    if ctx.prev_comm == comm:
        slots[1] += 1


@pytest.mark.parametrize("spec", [says, switched, raw_switched, event_switched], ids=repr)
def test_kernel_accepts(spec):
    load(spec).close()


def test_closures_make_programs():
    def make(port):
        @xdp
        def is_port(ctx):
            udp = ctx.packet(Udp, at=34)
            if udp is None:
                return 0
            return 1 if udp.dest == port else 2

        return is_port

    for port, want in ((53, 1), (54, 2)):
        with load(make(port)) as prog:
            assert prog.test_run(PACKET).retval == want


def test_signed_comparison_of_results():
    @sched_cls
    def f(skb):
        r = counts.delete(12345)
        if r < 0:
            return u32(-r)
        return 0

    with load(f) as prog:
        assert prog.test_run(PACKET).retval == 2  # ENOENT


_ = s64


commands = UserRingBuf(4096)


def command(record, seen):
    number = u64[1]()
    bpf.dynptr_read(number, 8, record, 0, 0)
    seen[0] += number[0]
    return 0


@xdp
def drains(ctx):
    """No jump in it: the callback's address is the only reference to code."""
    seen = u64[1]()
    bpf.user_ringbuf_drain(commands, command, seen, 0)
    return 1


def test_a_callback_alone_is_linked():
    with load(drains) as prog:
        assert prog.test_run(data=PACKET).retval == 1


@pytest.mark.parametrize(
    "numbers", [range(0, 100, 2), range(3, 100, 7), range(64, 3, -4), range(5, 5), range(-10, 70, 2)]
)
def test_ranges_with_steps(numbers):
    @xdp
    def inside(ctx):
        n = len(ctx)
        below = s64(n) - 70
        return u32(n in numbers) + 2 * u32(n not in numbers) + 4 * u32(below in numbers) + 8 * u32(n + 3 in numbers)

    size = len(PACKET)
    expected = (size in numbers) + 2 * (size not in numbers) + 4 * (size - 70 in numbers) + 8 * (size + 3 in numbers)
    with load(inside) as prog:
        assert prog.test_run(data=PACKET).retval == expected
