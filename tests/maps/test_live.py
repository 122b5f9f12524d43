"""Live maps behave as dicts, lists of CPUs, queues and filters, and refuse what they must."""

import errno
import os
import struct
import threading
from enum import IntEnum
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

import pytest

from pybpf import (
    Array,
    BloomFilter,
    HashMap,
    HashOfMaps,
    LpmTrie,
    LruHashMap,
    PerCpuArray,
    PerCpuHashMap,
    Queue,
    SpecError,
    Stack,
    Struct,
    SyscallError,
    be16,
    be32,
    be64,
    char,
    features,
    s8,
    s16,
    s32,
    s64,
    u8,
    u16,
    u32,
    u64,
)
from pybpf.maps.create import create
from pybpf.maps.live import possible_cpus
from pybpf.syscall import ClosedError

pytestmark = pytest.mark.kernel


class Exec(Struct):
    pid: u32
    comm: char[16]


class Color(IntEnum):
    RED = 1
    BLUE = 7


@pytest.fixture(autouse=True)
def nothing_leaks(fd_count):
    before = fd_count()
    yield
    assert fd_count() == before


@pytest.fixture
def numbers():
    with create(HashMap(u32, u64, max_entries=8, name="numbers")) as live:
        yield live


def test_as_a_dict(numbers):
    numbers[1] = 10
    numbers[2] = 20
    assert numbers[1] == 10
    assert 2 in numbers
    assert 3 not in numbers
    assert numbers.get(3) is None
    assert numbers.get(3, 5) == 5
    assert len(numbers) == 2
    assert sorted(numbers) == [1, 2]
    assert dict(numbers.items()) == {1: 10, 2: 20}
    assert sorted(numbers.values()) == [10, 20]
    assert (1, 10) in numbers.items()
    assert numbers == {1: 10, 2: 20}
    del numbers[1]
    assert numbers.pop(2) == 20
    assert numbers.pop(2, None) is None
    assert len(numbers) == 0
    numbers.update({5: 6, 7: 8})
    assert numbers.setdefault(5, 0) == 6
    assert numbers.setdefault(9, 1) == 1
    numbers[5] += 1
    assert numbers[5] == 7
    key, value = numbers.popitem()
    assert (key, value) in ((5, 7), (7, 8), (9, 1))
    numbers.clear()
    assert dict(numbers) == {}
    with pytest.raises(KeyError):
        numbers.popitem()


def test_what_is_not_there(numbers):
    for use in (lambda: numbers[3], lambda: numbers.pop(3), lambda: numbers.__delitem__(3)):
        with pytest.raises(KeyError) as caught:
            use()
        assert caught.value.args == (3,)


@pytest.mark.parametrize("key", [-1, 1 << 32, 10**30])
def test_keys_out_of_range(numbers, key):
    for use in (lambda: numbers[key], lambda: numbers.__setitem__(key, 1), lambda: numbers.pop(key)):
        with pytest.raises(OverflowError, match="does not fit u32"):
            use()


@pytest.mark.parametrize("key", ["1", None, 1.5, b"1234"])
def test_keys_of_another_type(numbers, key):
    for use in (lambda: numbers[key], lambda: numbers.__setitem__(key, 1), lambda: numbers.__delitem__(key)):
        with pytest.raises(TypeError, match="expected u32"):
            use()


def test_values_of_another_type(numbers):
    with pytest.raises(OverflowError, match="u64"):
        numbers[1] = 1 << 64
    with pytest.raises(TypeError, match="u64"):
        numbers[1] = "x"
    assert len(numbers) == 0


def test_conditions(numbers):
    numbers.set(1, 10, noexist=True)
    with pytest.raises(KeyError) as caught:
        numbers.set(1, 11, noexist=True)
    assert isinstance(caught.value, SyscallError)
    assert caught.value.errno == errno.EEXIST
    numbers.set(1, 12, exist=True)
    with pytest.raises(KeyError) as caught:
        numbers.set(2, 1, exist=True)
    assert caught.value.errno == errno.ENOENT
    assert "numbers" in str(caught.value)
    numbers.set(1, 13, flags=2)
    assert dict(numbers) == {1: 13}


def test_a_full_map(numbers):
    for i in range(8):
        numbers[i] = i
    with pytest.raises(SyscallError, match="holds max_entries=8") as caught:
        numbers[8] = 8
    assert caught.value.errno == errno.E2BIG
    numbers[7] = 70
    assert len(numbers) == 8


def test_a_closed_map():
    live = create(HashMap(u32, u64, max_entries=1, name="gone"))
    live[1] = 1
    live.close()
    live.close()
    # The number of the descriptor is used again: nothing must reach the other file.
    with create(HashMap(u32, u64, max_entries=1)) as other:
        for use in (
            lambda: live[1],
            lambda: live.get(1),
            lambda: live.__setitem__(1, 2),
            lambda: live.pop(1),
            lambda: list(live),
            live.freeze,
        ):
            with pytest.raises(ClosedError, match="'gone' is closed"):
                use()
        assert len(other) == 0
    assert "closed" in repr(live)


TYPES = [
    (u8, 255),
    (u16, 65535),
    (u32, 1 << 31),
    (u64, (1 << 64) - 1),
    (s8, -128),
    (s16, -2),
    (s32, -3),
    (s64, -(1 << 63)),
    (be16, 0x1234),
    (be32, 0x12345678),
    (be64, 0x123456789ABCDEF0),
    (6, b"\x00\x01\x02\x03\x04\x05"),
    (char[8], b"python"),
    (u16[3], (1, 2, 3)),
    (Color, Color.BLUE),
    (Exec, Exec(7, b"init")),
    (IPv4Address, IPv4Address("10.1.2.3")),
    (IPv6Address, IPv6Address("2001:db8::1")),
]


@pytest.mark.parametrize(("type_", "value"), TYPES, ids=str)
def test_types(type_, value):
    with create(HashMap(type_, type_, max_entries=4)) as live:
        live[value] = value
        assert live[value] == value
        assert type(live[value]) is type(value)
        assert live.items().__iter__().__next__() == (value, value)
        assert list(live) == list(live.values()) == [value]
        assert value in live
        del live[value]
        assert value not in live


def test_network_byte_order_is_on_the_wire():
    with create(HashMap(be16, be32, max_entries=4)) as live:
        live[0x1234] = 0x01020304
        assert live.raw.lookup(b"\x12\x34") == b"\x01\x02\x03\x04"


def test_iteration_over_many_entries():
    n = 30_000
    with create(HashMap(u32, u64, max_entries=n)) as live:
        for i in range(n):
            live[i] = i * i
        assert dict(live.items()) == {i: i * i for i in range(n)}
        assert sorted(live) == list(range(n))
        assert len(live) == n
        assert sum(live.values()) == sum(i * i for i in range(n))


def test_iteration_key_by_key():
    """Where there are no batches (Linux 5.5 and older) the same entries come one by one."""
    with create(HashMap(u32, u64, max_entries=1000)) as live:
        for i in range(1000):
            live[i] = i
        live.raw._steady = False
        assert dict(live.items()) == {i: i for i in range(1000)}
        # Deleting what was just read makes the kernel begin again; nothing comes twice and nothing is lost.
        seen = []
        for key in live:
            seen.append(key)
            del live[key]
        assert sorted(seen) == list(range(1000))
        assert len(live) == 0


def test_falls_back_when_the_kernel_has_no_batches(monkeypatch):
    from pybpf.maps import kernel

    monkeypatch.setattr(kernel, "map_batch", lambda *args, **kw: (errno.EINVAL, 0))
    with create(HashMap(u32, u64, max_entries=10)) as live:
        live.update({1: 2, 3: 4})
        assert dict(live.items()) == {1: 2, 3: 4}
        assert live.raw._steady is False


@pytest.mark.parametrize("declare", [HashMap, LruHashMap, PerCpuHashMap, Array])
def test_many_at_once(declare, monkeypatch):
    with create(declare(u32, u32, max_entries=10_000)) as live:
        live.update({i: i for i in range(9000)})
        assert sum(value.sum() if declare is PerCpuHashMap else value for value in live.values()) == (
            sum(range(9000)) * (possible_cpus() if declare is PerCpuHashMap else 1)
        )
        live.update(
            [(1, 5)],
        )
        live.clear()
        assert len(live) == (10_000 if declare is Array else 0)
        if declare is not Array:
            monkeypatch.setattr("pybpf.maps.kernel.map_batch", lambda *args, **kw: (errno.EINVAL, 0))
            live.update((i, i) for i in range(20))
            assert len(live) == 20
            live.clear()
            assert len(live) == 0


def test_many_at_once_into_a_full_map(numbers):
    with pytest.raises(SyscallError, match="full"):
        numbers.update({i: i for i in range(20)})
    with pytest.raises(OverflowError):
        numbers.update(dict.fromkeys(range(20), -1))


def test_large_values_in_one_bucket():
    """A bucket that holds more than the buffer makes the buffer grow."""
    with create(HashMap(u32, 1 << 17, max_entries=64)) as live:
        for i in range(64):
            live[i] = bytes([i]) * (1 << 17)
        assert {key: value[0] for key, value in live.items()} == {i: i for i in range(64)}


def test_changes_during_iteration():
    """What is there all the time is seen exactly once, whatever else comes and goes."""
    with create(HashMap(u32, u64, max_entries=40_000)) as live:
        steady = range(0, 20_000, 2)
        for i in steady:
            live[i] = i
        stop = threading.Event()

        def disturb():
            while not stop.is_set():
                for i in range(20_001, 20_400):
                    live[i] = 1
                for i in range(20_001, 20_400):
                    live.pop(i, None)

        thread = threading.Thread(target=disturb)
        thread.start()
        try:
            for _ in range(10):
                keys = [key for key in live if key < 20_000]
                assert len(keys) == len(set(keys)) == len(steady)
        finally:
            stop.set()
            thread.join()


def test_threads_do_not_mix_up_values():
    with create(HashMap(u32, u64, max_entries=1000)) as live:
        for i in range(1000):
            live[i] = i
        wrong = []

        def work(start):
            for _ in range(5):
                for i in range(start, 1000, 4):
                    if live[i] != i:
                        wrong.append(i)
                    live[i] = i

        threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert wrong == []


def test_array():
    with create(Array(u64, max_entries=4, name="array")) as live:
        assert list(live.items()) == [(0, 0), (1, 0), (2, 0), (3, 0)]
        live[3] = 9
        assert live[3] == 9
        assert len(live) == 4
        for use in (lambda: live[4], lambda: live.__setitem__(4, 1), lambda: live.set(4, 1)):
            with pytest.raises(KeyError):
                use()
        with pytest.raises(OverflowError):
            live[-1]
        for use in (lambda: live.__delitem__(0), lambda: live.pop(0)):
            with pytest.raises(TypeError, match="cannot be deleted"):
                use()
        with pytest.raises(KeyError) as caught:
            live.set(0, 1, noexist=True)
        assert caught.value.errno == errno.EEXIST
        live.clear()
        assert set(live.values()) == {0}


def test_array_of_structs_by_enum():
    with create(Array(Color, Exec, max_entries=8)) as live:
        live[Color.BLUE] = Exec(1, b"sh")
        assert live[Color.BLUE].comm == b"sh"
        assert live[7] == Exec(1, b"sh")


@pytest.mark.parametrize("declare", [PerCpuHashMap, PerCpuArray])
def test_per_cpu(declare):
    cpus = possible_cpus()
    with create(declare(u32, u32, max_entries=4)) as live:
        live[1] = list(range(cpus))
        assert live[1] == list(range(cpus))
        assert live[1].sum() == sum(range(cpus))
        live[1] = 5
        assert live[1] == [5] * cpus
        assert dict(live.items())[1].sum() == 5 * cpus
        with pytest.raises(ValueError, match=f"{cpus} CPUs"):
            live[1] = [1] * (cpus + 1)


def test_per_cpu_of_structs():
    with create(PerCpuHashMap(u32, Exec, max_entries=4)) as live:
        live[1] = Exec(3, b"x")
        assert live[1] == [Exec(3, b"x")] * possible_cpus()


def test_lru_drops_entries():
    with create(LruHashMap(u32, u32, max_entries=64)) as live:
        for i in range(1000):
            live[i] = i
        assert 0 < len(live) <= 64


def test_longest_prefix_match():
    with create(LpmTrie(IPv4Address, u32, max_entries=8)) as live:
        live["10.0.0.0/8"] = 1
        live[IPv4Network("10.1.0.0/16")] = 2
        assert live["10.1.2.3"] == 2
        assert live[IPv4Address("10.2.0.1")] == 1
        assert live.get("11.0.0.1") is None
        assert dict(live.items()) == {IPv4Network("10.0.0.0/8"): 1, IPv4Network("10.1.0.0/16"): 2}
        del live["10.1.0.0/16"]
        assert live["10.1.2.3"] == 1
        with pytest.raises(ValueError, match="host bits"):
            live["10.0.0.1/8"] = 1
    with create(LpmTrie(IPv6Address, u32, max_entries=8)) as live:
        live["2001:db8::/32"] = 6
        assert live["2001:db8::1"] == 6
        assert list(live) == [IPv6Network("2001:db8::/32")]


def test_queue_and_stack():
    with create(Queue(u32, max_entries=3, name="q")) as queue, create(Stack(u32, max_entries=3)) as stack:
        for live in (queue, stack):
            for i in (1, 2, 3):
                live.push(i)
            with pytest.raises(SyscallError, match="full"):
                live.push(4)
        assert queue.peek() == 1
        assert list(queue.drain()) == [1, 2, 3]
        assert stack.pop() == 3
        assert list(stack.drain()) == [2, 1]
        with pytest.raises(IndexError):
            queue.pop()
        assert queue.peek(default=None) is None
        for i in range(5):
            queue.push(i, replace=True)
        assert list(queue.drain()) == [2, 3, 4]


def test_bloom_filter():
    if not features.have_map_type(30):
        pytest.skip("this kernel has no bloom filters")
    with create(BloomFilter(u64, max_entries=1000, hashes=4)) as live:
        for i in range(100):
            live.add(i)
        assert all(i in live for i in range(100))
        assert sum(i in live for i in range(1000, 2000)) < 20


def test_contents_and_freeze():
    declared = HashMap(u32, u32, max_entries=4, contents={1: 2, 3: 4}, frozen=True, name="constants")
    with create(declared) as live:
        assert dict(live) == {1: 2, 3: 4}
        with pytest.raises(SyscallError, match="frozen") as caught:
            live[1] = 5
        assert caught.value.errno == errno.EPERM


def test_contents_that_do_not_fit_leave_nothing():
    with pytest.raises(SyscallError, match="full"):
        create(HashMap(u32, u32, max_entries=1, contents={1: 2, 3: 4}))
    with pytest.raises(OverflowError):
        create(HashMap(u8, u8, max_entries=1, contents={1000: 2}))


def test_info_and_names():
    with create(HashMap(u32, u64, max_entries=5, name="größe with spaces")) as live:
        info = live.info
        assert (info.type, info.key_size, info.value_size, info.max_entries) == (1, 4, 8, 5)
        assert info.name == b"gr____e_with_sp"
        assert live.id == info.id > 0


BAD = {
    "unknown type": (lambda: HashMap(u32, u64, max_entries=1).replace(map_type=4000), "EINVAL"),
    "no entries": (lambda: HashMap(u32, u64, max_entries=0), "EINVAL"),
    "too many entries": (lambda: HashMap(u32, u64, max_entries=(1 << 32) - 1), "E2BIG|ENOMEM|EINVAL"),
    "wrong flags": (lambda: Array(u64, max_entries=1, flags=1 << 31), "EINVAL"),
    "key too large": (lambda: HashMap(1 << 24, u64, max_entries=1), "E2BIG"),
}


@pytest.mark.parametrize("name", BAD)
def test_refused_by_the_kernel(name):
    make, code = BAD[name]
    with pytest.raises(SyscallError, match=code) as caught:
        create(make())
    assert "hint" in str(caught.value)


BAD_SPECS = {
    "no type": lambda: HashMap("u32", u64, max_entries=1),
    "negative entries": lambda: HashMap(u32, u64, max_entries=-1),
    "fractional entries": lambda: HashMap(u32, u64, max_entries=1.5),
    "wide index": lambda: Array(u64, u64, max_entries=1),
    "no entries given": lambda: Array(u64),
    "trie key": lambda: LpmTrie(u32, u64, max_entries=1),
    "map of nothing": lambda: create(HashOfMaps(u32, None, max_entries=1)),
}


@pytest.mark.parametrize("name", BAD_SPECS)
def test_refused_before_the_kernel(name):
    with pytest.raises(SpecError):
        BAD_SPECS[name]()


def test_a_fork_keeps_the_parents_map(numbers):
    numbers[1] = 1
    pid = os.fork()
    if not pid:
        numbers[2] = 2
        numbers.close()
        os._exit(0)
    assert os.waitpid(pid, 0)[1] == 0
    assert dict(numbers) == {1: 1, 2: 2}


def test_raw_bytes(numbers):
    numbers.raw.update(struct.pack("=I", 3), struct.pack("=Q", 4))
    assert numbers[3] == 4
    assert numbers.raw.take(struct.pack("=I", 3)) == struct.pack("=Q", 4)
    assert numbers.raw.delete(struct.pack("=I", 3)) == errno.ENOENT
