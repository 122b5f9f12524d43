"""Keys of tries, and what belongs to the kernel in map values: locks, timers, kptrs."""

from __future__ import annotations

import ipaddress
import time

import pytest

from pybpf import (
    VM,
    Array,
    CompileError,
    HashMap,
    Kptr,
    LpmTrie,
    PerCpuArray,
    SpinLock,
    Struct,
    Timer,
    be32,
    kfunc,
    load,
    s32,
    sched_cls,
    socket_filter,
    tp_btf,
    u8,
    u32,
    u64,
    verify,
    xdp,
)
from pybpf import helpers as bpf
from pybpf.net import ETH_P_IP, ETH_P_IPV6, Ethernet, IPv4, IPv6

FROM_4 = bytes(Ethernet(type=ETH_P_IP)) + bytes(IPv4(version=4, ihl=5, saddr=0x0A010203, daddr=0x0A090807)) + bytes(30)
FROM_6 = (
    bytes(Ethernet(type=ETH_P_IPV6))
    + bytes(IPv6(version=6, saddr=tuple(ipaddress.IPv6Address("2001:db8::1").packed)))
    + bytes(30)
)


class Key4(Struct):
    prefixlen: u32
    addr: be32


class Key4Bytes(Struct):
    prefixlen: u32
    addr: u8[4]


class Key6(Struct):
    prefixlen: u32
    addr: u8[16]


class Key4Host(Struct):
    prefixlen: u32
    addr: u32


class Key4Pair(Struct):
    prefixlen: u32
    zone: u32
    addr: be32


NETWORK_6 = tuple(ipaddress.IPv6Address("2001:db8::").packed)
TRIES = {
    "IPv4Address": (LpmTrie(ipaddress.IPv4Address, u32, 8), "10.0.0.0/8"),
    "be32": (LpmTrie(Key4, u32, 8), Key4(8, 0x0A000000)),
    "u8[4]": (LpmTrie(Key4Bytes, u32, 8), Key4Bytes(8, (10, 0, 0, 0))),
    "IPv6Address": (LpmTrie(ipaddress.IPv6Address, u32, 8), "2001:db8::/32"),
    "u8[16]": (LpmTrie(Key6, u32, 8), Key6(32, NETWORK_6)),
}
trie = LpmTrie(ipaddress.IPv4Address, u32, 8)
trie6 = LpmTrie(ipaddress.IPv6Address, u32, 8)
host_trie = LpmTrie(Key4Host, u32, 8)
pair_trie = LpmTrie(Key4Pair, u32, 8)


def look_up(trie, header):
    @xdp
    def found(ctx):
        ip = ctx.packet(header, at=14)
        if ip is None:
            return 0
        value = trie.get(ip.saddr)
        if value is None:
            return 1
        return value

    return found


@pytest.mark.kernel
@pytest.mark.parametrize("isa", [1, 3])
@pytest.mark.parametrize("name", TRIES)
def test_an_address_is_a_key_of_a_trie(name, isa):
    trie, network = TRIES[name]
    six = "6" in name
    spec = look_up(trie, IPv6 if six else IPv4).replace(isa=isa)
    with load(spec) as prog:
        for run in (prog.test_run, VM(spec).run):
            assert run(data=FROM_6 if six else FROM_4).retval == 1
        prog[trie][network] = 7
        assert prog.test_run(data=FROM_6 if six else FROM_4).retval == 7


@xdp
def prefixes(ctx):
    ip = ctx.packet(IPv4, at=14)
    if ip is None:
        return 0
    trie[24, ip.daddr] = 1
    trie["192.168.0.0/16"] = 2
    trie[ipaddress.IPv4Network("172.16.0.0/12")] = 3
    trie[ip.saddr] += 4
    trie[ip.saddr] += 4
    del trie[ipaddress.IPv4Network("172.16.0.0/12")]
    trie6[64, ipaddress.IPv6Address("2001:db8::")] = 5
    if "2001:db8::7" not in trie6:
        return 1
    return 2


@pytest.mark.kernel
def test_prefixes_and_networks_are_keys():
    with load(prefixes) as prog:
        assert prog.test_run(data=FROM_4).retval == 2
        live = {str(key): value for key, value in prog[trie].items()}
    vm = VM(prefixes)
    assert vm.run(data=FROM_4).retval == 2
    assert live == {str(key): value for key, value in vm[trie].items()}
    assert live == {"10.1.2.3/32": 8, "10.9.8.0/24": 1, "192.168.0.0/16": 2}


def refused(body, scope, decorator=xdp):
    text = "def f(ctx):\n" + "".join(f"    {line}\n" for line in body.splitlines())
    names = {**globals(), **scope}
    exec(compile(text, "<snippet>", "exec"), names)
    with pytest.raises(CompileError) as caught:
        _ = decorator(source=text)(names["f"]).insns
    assert "^" in str(caught.value)
    return caught.value.message


IP = "ip = ctx.packet(IPv4, at=14)\nif ip is None:\n    return 0\n"


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ("v = host_trie.get(ip.saddr)\n", "declare the data of the key as be32"),
        ("v = trie6.get(ip.saddr)\n", "the data of the key is u8[16], not a number"),
        ("v = trie.get((33, ip.saddr))\n", "has 0..32 bits, not 33"),
        ("v = pair_trie.get(ip.saddr)\n", "Key4Pair is set from a value of the same type"),
        ('v = trie.get("10.0.0.0/40")\n', "Ipv4Prefix"),
    ],
)
def test_other_keys_are_refused(body, told):
    assert told in refused(IP + body + "return 0", {})


# -- locks


class Bucket(Struct):
    lock: SpinLock
    n: u64
    parts: u32[4]


buckets = HashMap(u32, Bucket, max_entries=8)
row = Array(Bucket, max_entries=2)
single = Array(Bucket, max_entries=1)


@xdp
def locked(ctx):
    b = buckets.get(1)
    if b is None:
        buckets[1] = Bucket(n=5)
        b = buckets.get(1)
        if b is None:
            return 0
    with b.lock:
        b.n += 1
        b.n *= 2  # what has no atomic form is plain under the lock
        if b.n > 100:
            return 3
        b.parts[1] = 7
        seen = b.n
    copy = Bucket()
    copy.n = seen
    buckets[2] = copy
    return u32(seen)


@xdp
def left_early(ctx):
    b = row.get(1)
    if b is None:
        return 1
    total = 0
    for i in range(20):
        with b.lock:
            b.n += i
            if b.n > 40:
                break
            if b.n == 3:
                continue
            total += 1
    one = single.get(0)
    with one.lock:
        one.n = total
    return total + u32(one.n)


@pytest.mark.kernel
@pytest.mark.parametrize(("spec", "expected"), [(locked, 12), (left_early, 16)], ids=repr)
@pytest.mark.parametrize("isa", [1, 2, 3, 4])
def test_locks(spec, expected, isa):
    spec = spec.replace(isa=isa)
    assert verify(spec).ok
    assert VM(spec).run(data=bytes(64)).retval == expected
    with load(spec) as prog:
        assert prog.test_run(data=bytes(64)).retval == expected


# -- timers


class Alarm(Struct):
    timer: Timer
    n: u64


alarms = HashMap(u32, Alarm, max_entries=8)
fired = Array(u64, max_entries=1)


def ring(m, key, value):
    value.n += 10
    fired[0] += value.n + key
    if value.n < 30:
        value.timer.start(1000)


@xdp
def start(ctx):
    alarms[7] = Alarm(n=1)
    a = alarms.get(7)
    if a is None:
        return 1
    if a.timer.init() < 0 or a.timer.set_callback(ring) < 0:
        return 2
    return 3 if a.timer.start(1000) == 0 else 4


@sched_cls
def cancel(skb):
    alarms[7] = Alarm(n=1)
    a = alarms.get(7)
    if a is None:
        return 9
    bpf.timer_init(a.timer, alarms, 1)
    bpf.timer_set_callback(a.timer, ring)
    bpf.timer_start(a.timer, 1_000_000_000, 0)
    return bpf.timer_cancel(a.timer)


@pytest.mark.kernel
@pytest.mark.parametrize("isa", [1, 4])
def test_timers(isa):
    spec, other = start.replace(isa=isa), cancel.replace(isa=isa)
    assert verify(spec).ok
    assert verify(other).ok
    vm = VM(spec)
    assert vm.run(data=bytes(64)).retval == 3
    assert vm.advance(10_000) == 3
    assert vm[fired][0] == 11 + 21 + 31 + 3 * 7
    with load(spec) as prog:
        assert prog.test_run(data=bytes(64)).retval == 3
        for _ in range(200):
            if prog[fired][0] == 84:
                break
            time.sleep(0.01)
        assert prog[fired][0] == 84
    assert VM(other).run(data=bytes(64)).retval == 1
    with load(other) as prog:
        assert prog.test_run(data=bytes(64)).retval == 1


# -- kptrs


class Owner(Struct):
    task: Kptr["task_struct"]  # noqa: F821, UP037
    mask: Kptr["bpf_cpumask"]  # noqa: F821, UP037
    n: u64


owners = HashMap(u32, Owner, max_entries=8)
task_from_pid, task_release = kfunc("bpf_task_from_pid"), kfunc("bpf_task_release")
mask_create, mask_release, mask_set = (
    kfunc(f"bpf_cpumask_{name}") for name in ("create", "release", "set_cpu")
)  # fmt: skip


@sched_cls
def exchange(skb):
    owners[1] = Owner(n=3)
    v = owners.get(1)
    if v is None:
        return 1
    task = task_from_pid(s32(skb.mark))
    if task is None:
        return 2
    old = v.task.xchg(task)
    if old is not None:
        task_release(old)
    back = v.task.xchg(None)
    if back is None:
        return 3
    pid = back.pid
    task_release(back)
    return pid


@tp_btf("task_newtask")
def masks(ctx):
    mask = mask_create()
    if mask is None:
        return 0
    mask_set(1, mask)
    v = owners.get(1)
    if v is None:
        mask_release(mask)
        return 0
    old = bpf.kptr_xchg(v.mask, mask)
    if old is not None:
        mask_release(old)
    return 0


@pytest.mark.kernel
@pytest.mark.parametrize("spec", [exchange, masks], ids=repr)
def test_kptrs(spec):
    with load(spec) as prog:
        if spec is exchange:
            assert prog.test_run(data=bytes(64)).retval == 2  # nobody has the number 0


FIND = "b = row.get(1)\nif b is None:\n    return 1\n"
ALARM = "a = alarms.get(1)\nif a is None:\n    return 1\n"


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (FIND + "with b.lock:\n    t = bpf.ktime_get_ns()", "ktime_get_ns is called under the lock taken at line 5"),
        (FIND + "bpf.spin_lock(b.lock)", "the lock taken at line 5 is still held"),
        (FIND + "bpf.spin_unlock(b.lock)", "no lock is held here"),
        ("b = row.get(1)\nwith b.lock:\n    b.n = 1", "may be None here"),
        (FIND + "with b.lock as x:\n    b.n = 1", "without `as`"),
        (FIND + "with b:\n    b.n = 1", "no with"),
        (FIND + "b.lock = 5", "a spin lock cannot be assigned"),
        (FIND + "b.lock.acquire()", "with value.lock"),
        (FIND + "x = b.lock + 1", "a spin lock is no number"),
        (FIND + "with b.lock:\n    with b.lock:\n        b.n = 1", "one at a time"),
        ("b = Bucket()\nwith b.lock:\n    b.n = 1", "in the value of a map only"),
        (ALARM + "a.timer.begin()", "has the methods init, set_callback, start, cancel"),
        (ALARM + "a.timer.set_callback(stop)", "this callback returns 0, and this may be 1"),
        ("v = per.get(0)\nif v is None:\n    return 0\nv.timer.init()", "maps of the types HASH, ARRAY, LRU_HASH only"),
        ("v = owners.get(1)\nif v is None:\n    return 0\nx = v.task is None", "xchg(None)"),
        ("m = mask_create()", "sched_cls programs may not call bpf_cpumask_create; these may"),
        ("t = task_from_pid(1)\nif t is None:\n    return 0", "bpf_task_from_pid gave at line 2 is not released"),
    ],
)
def test_misuse_is_refused(body, told):
    def stop(m, key, value):
        return 1

    per = PerCpuArray(Alarm, max_entries=1)
    assert told in refused(body + "\nreturn 0", {"stop": stop, "per": per}, sched_cls)


def test_who_may_not_use_them():
    assert "spin_lock in its values" in refused("b = row.get(1)\nreturn 0", {}, socket_filter)
    text = "a = alarms.get(1)\nif a is None:\n    return 1\na.timer.init()\nreturn 0"
    assert "since Linux 5.15" in refused(text, {}, lambda source: xdp(source=source, kernel="5.10"))
