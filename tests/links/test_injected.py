"""Every system call of a load and attachment fails once, in turn: nothing is left, and the error is clear."""

from __future__ import annotations

import errno
import os
import resource
import socket
import time
from contextlib import ExitStack
from ctypes import set_errno

import pytest

import pybpf
from pybpf import (
    Array,
    ArrayOfMaps,
    BpfError,
    HashMap,
    NotSupportedError,
    PerCpuHashMap,
    PerfEventArray,
    RingBuf,
    UserRingBuf,
    XdpAction,
    XskMap,
    XskSocket,
    features,
    load,
    load_collection,
    u32,
    u64,
)
from pybpf.syscall import door
from pybpf.uapi import MapType

pytestmark = pytest.mark.kernel

ERRORS = (errno.EPERM, errno.EINVAL, errno.ENOMEM)
# What undoes an attachment without a link, BPF_PROG_DETACH, leaves it when it fails.
UNDOING = ("syscall", door.NUMBERS["bpf"][door.machine()], 9)


class Failing:
    """The C library, of which call number `at` fails."""

    def __init__(self, libc, at=-1, code=0):
        self._libc, self._at, self._code, self.calls = libc, at, code, []

    def __getattr__(self, name):
        real = getattr(self._libc, name)
        if name == "munmap":
            return real

        def call(*args):
            self.calls.append((name, *(getattr(a, "value", a) for a in args[:2])))
            if len(self.calls) - 1 == self._at:
                set_errno(self._code)
                return -1
            return real(*args)

        return call


# What is loaded has names that begin with "inj", by which what is left is found.
counts = HashMap(u32, u64, max_entries=16, name="inj_counts", contents={1: 2, 3: 4})
apart = PerCpuHashMap(u32, u64, max_entries=16, name="inj_apart")
events = RingBuf(u64, size=4096, name="inj_events")
orders = UserRingBuf(u64, size=4096, name="inj_orders")
samples = PerfEventArray(u64, name="inj_samples")
inner = Array(u32, max_entries=4, name="inj_inner")
outer = ArrayOfMaps(inner, max_entries=2, name="inj_outer", contents={0: inner, 1: inner})
sockets = XskMap(max_entries=4, name="inj_sockets")


@pybpf.socket_filter
def inj_filter(skb):
    counts[0] += 1
    apart[0] += 1
    return 0


@pybpf.xdp
def inj_xdp(ctx):
    events.output(u64(1))
    return sockets.redirect(0, XdpAction.PASS)


@pybpf.tc
def inj_tc(skb):
    samples.output(u64(1))
    return 0


@pybpf.cgroup_connect4
def inj_connect(ctx):
    counts[0] += 1
    return 1


@pybpf.sk_lookup
def inj_lookup(ctx):
    return 1


@pybpf.raw_tracepoint("sched_switch")
def inj_raw(ctx):
    counts[0] += 1


@pybpf.tp_btf("sched_switch")
def inj_btf(ctx):
    counts[0] += 1


@pybpf.tracepoint("sched/sched_switch")
def inj_tracepoint(ctx):
    counts[0] += 1


@pybpf.perf_event
def inj_perf(ctx):
    counts[0] += 1


@pybpf.uprobe
def inj_uprobe(ctx):
    counts[0] += 1


@pybpf.uprobe_multi
def inj_multi(ctx):
    counts[0] += 1


@pybpf.kprobe("security_inode_mkdir")
def inj_kprobe(ctx):
    counts[0] += 1


@pybpf.bpf_iter("bpf_map")
def inj_iter(ctx):
    counts[0] += 1


def attached(stack, spec, *target, **options):
    prog = stack.enter_context(load(spec))
    stack.enter_context(prog.attach(*target, **options))
    return prog


def filtered(stack, place):
    sock = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
    attached(stack, inj_filter, sock)


def redirected(stack, place):
    prog = attached(stack, inj_xdp, place.interface, mode="generic")
    prog[sockets][0] = stack.enter_context(XskSocket(place.interface, mode="copy", frames=16))
    prog[events].poll(0.001)


def sampled(stack, place):
    prog = attached(stack, inj_tc, place.interface)
    prog[samples].poll(0.001)


def together(stack, place):
    more = [orders] if features.have_map_type(MapType.USER_RINGBUF) else []
    objs = stack.enter_context(load_collection(inj_filter, inj_raw, outer, samples, events, *more))
    stack.enter_context(objs[inj_raw].attach())
    objs[samples].poll(0.001)
    objs[events].poll(0.001)
    objs[outer][0] = stack.enter_context(load(inner))


def pinned(stack, place):
    live = stack.enter_context(load(counts))
    live.pin(place.pin)
    stack.callback(live.unpin)
    stack.enter_context(pybpf.Map.from_pin(place.pin))
    assert dict(live.items()) == {1: 2, 3: 4}


def found(stack, place):
    live = stack.enter_context(load(counts))
    again = stack.enter_context(pybpf.Map.from_id(live.id))
    assert again[1] == 2


LIBC = "libc.so.6"
SEQUENCES = {
    "socket filter": filtered,
    "xdp": redirected,
    "tc": sampled,
    "tc over clsact": lambda stack, place: attached(stack, inj_tc, place.interface, mechanism="clsact"),
    "xdp over netlink": lambda stack, place: attached(stack, inj_xdp, place.interface, mechanism="netlink"),
    "cgroup": lambda stack, place: attached(stack, inj_connect, place.cgroup),
    "cgroup without a link": lambda stack, place: attached(stack, inj_connect, place.cgroup, mode="multi"),
    "sk_lookup": lambda stack, place: attached(stack, inj_lookup),
    "raw tracepoint": lambda stack, place: attached(stack, inj_raw),
    "BTF tracepoint": lambda stack, place: attached(stack, inj_btf),
    "tracepoint": lambda stack, place: attached(stack, inj_tracepoint),
    "perf": lambda stack, place: attached(stack, inj_perf, "cpu-clock", frequency=10),
    "uprobe": lambda stack, place: attached(stack, inj_uprobe, f"{LIBC}:malloc"),
    "uprobe_multi": lambda stack, place: attached(stack, inj_multi, f"{LIBC}:mallo*"),
    "kprobe": lambda stack, place: attached(stack, inj_kprobe),
    "iterator": lambda stack, place: attached(stack, inj_iter),
    "collection": together,
    "pin": pinned,
    "by id": found,
}


class Place:
    def __init__(self, interface, cgroup, pin):
        self.interface, self.cgroup, self.pin = interface, cgroup, pin


@pytest.fixture
def place(pair, cgroup):
    pin = f"/sys/fs/bpf/inj{os.getpid()}"
    yield Place(pair.name, str(cgroup), pin)
    assert not os.path.exists(pin)


def left():
    """Programs and maps of ours that the kernel still has."""
    named = (*pybpf.programs(), *pybpf.maps())
    try:
        return sorted(one.name for one in named if one.name.startswith("inj"))
    finally:
        for one in named:
            one.close()


@pytest.fixture
def attempt(place, monkeypatch):
    """`attempt(name, at, code)`: the calls made, and the error if there was one; everything is closed again."""
    real = door.libc()

    def make(name, at=-1, code=0):
        failing = Failing(real, at, code)
        monkeypatch.setattr(door, "_libc", failing)
        try:
            with ExitStack() as stack:
                SEQUENCES[name](stack, place)
            return failing.calls, None
        except BpfError as error:
            return failing.calls, error
        except OSError as error:
            if error.errno != errno.EMFILE:
                raise
            return failing.calls, error
        finally:
            monkeypatch.setattr(door, "_libc", real)

    return make


def known(attempt, name):
    """The calls of a sequence that works here."""
    _, error = attempt(name)
    if isinstance(error, NotSupportedError):
        pytest.skip(str(error))
    assert error is None
    return attempt(name)[0]


def nothing_is_left():
    deadline = time.monotonic() + 5  # the kernel frees what programs held some time later
    while left() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert left() == []


@pytest.mark.parametrize("name", SEQUENCES)
def test_a_call_fails(name, attempt, fd_count):
    calls = known(attempt, name)
    before = fd_count()
    failed = 0
    enough = time.monotonic() + 20  # attaching takes long where the machine is emulated
    for turn in range(len(ERRORS)):
        if turn and time.monotonic() > enough:
            break
        for at, call in enumerate(calls):
            if call == UNDOING:
                continue
            code = ERRORS[(at + turn) % len(ERRORS)]
            _, error = attempt(name, at, code)
            where = f"{errno.errorcode[code]} of call {at}, {call}: {error}"
            assert fd_count() == before, where
            assert error is None or str(error).strip(), where
            failed += error is not None
    assert failed
    nothing_is_left()


# Without links it goes over pyroute2, whose event loop is not tidy then.
@pytest.mark.parametrize("name", [name for name in SEQUENCES if not name.startswith(("tc", "xdp"))])
def test_there_are_no_more_descriptors(name, attempt, fd_count):
    known(attempt, name)
    before = fd_count()
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    highest = max(map(int, os.listdir("/proc/self/fd")))
    spare = [os.open("/", os.O_RDONLY) for _ in range(highest + 1 - before)]  # no gaps: the limit counts numbers
    try:
        for room in range(40):
            resource.setrlimit(resource.RLIMIT_NOFILE, (len(spare) + before - 1 + room, limits[1]))
            try:
                _, error = attempt(name)
            finally:
                resource.setrlimit(resource.RLIMIT_NOFILE, limits)
            assert fd_count() == before + len(spare), f"with room for {room}: {error}"
            assert error is None or (str(error).strip()), room
            if error is None:
                break
        else:
            raise AssertionError(error)
    finally:
        for fd in spare:
            os.close(fd)
    nothing_is_left()
