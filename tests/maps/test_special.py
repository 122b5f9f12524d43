"""Maps of references, storages and shared memory, each doing what it is for."""

import os
import shutil
import socket
import struct
import subprocess
import threading
import time

import pytest

from pybpf import (
    Arena,
    Array,
    ArrayOfMaps,
    CgroupArray,
    CpuMap,
    DevMap,
    DevMapHash,
    HashMap,
    HashOfMaps,
    ProgArray,
    ProgramSpec,
    ReuseportSockArray,
    SkStorage,
    SockHash,
    SockMap,
    SpecError,
    StackTrace,
    Struct,
    SyscallError,
    TaskStorage,
    XskMap,
    asm,
    features,
    load,
    load_collection,
    u32,
    u64,
)
from pybpf.maps.create import create

pytestmark = pytest.mark.kernel

SOCKET_FILTER, SCHED_CLS, XDP, RAW_TRACEPOINT = 1, 3, 6, 17
PACKET = bytes(64)


@pytest.fixture(autouse=True)
def nothing_leaks(fd_count):
    before = fd_count()
    yield
    assert fd_count() == before


@pytest.fixture(autouse=True)
def what_the_kernel_has(request):
    for kind in NEEDS.get(request.node.originalname, ()):
        if not features.have_map_type(kind):
            pytest.skip(f"this kernel has no maps of type {kind}")


# Map types by test, for kernels older than they are.
NEEDS = {"test_task_storage": [29], "test_devices": [25], "test_arena_is_shared": [33], "test_socket_storage": [24]}


def program(text, prog_type=SCHED_CLS, name="prog", **maps):
    return ProgramSpec(asm.assemble(text), prog_type, name=name, maps=maps)


def test_tail_calls_are_replaced_while_programs_run():
    table = ProgArray(max_entries=4, name="table")
    one, two = program("w0 = 1\nexit", name="one"), program("w0 = 2\nexit", name="two")
    entry = program("r2 = table ll\nr3 = 3\ncall bpf_tail_call\nw0 = 9\nexit", table=table)
    with load_collection(entry, one, two) as objs:
        run = lambda: objs[entry].test_run(data=PACKET).retval  # noqa: E731
        assert run() == 9
        objs[table][3] = objs[one]
        assert run() == 1
        assert dict(objs[table]) == {3: objs[one].id}
        objs[table][3] = objs[two]
        assert run() == 2
        del objs[table][3]
        assert run() == 9
        assert 3 not in objs[table]
        with pytest.raises(TypeError, match="neither a descriptor"):
            objs[table][3] = "one"
        with load(program("w0 = 2\nexit", XDP)) as other, pytest.raises(SyscallError, match="EINVAL"):
            objs[table][3] = other


def test_programs_as_contents():
    one = program("w0 = 1\nexit", name="one")
    table = ProgArray(max_entries=4, name="table", contents={2: one})
    with load(program("r2 = table ll\nr3 = 2\ncall bpf_tail_call\nw0 = 9\nexit", table=table)) as prog:
        assert prog.test_run(data=PACKET).retval == 1


LOOKUP_IN_INNER = """
        *(u32 *)(r10 - 4) = 1
        r1 = outer ll
        r2 = r10
        r2 += -4
        call bpf_map_lookup_elem
        if r0 == 0 goto none
        *(u32 *)(r10 - 4) = 0
        r1 = r0
        r2 = r10
        r2 += -4
        call bpf_map_lookup_elem
        if r0 == 0 goto none
        r0 = *(u64 *)(r0 + 0)
        exit
none:   w0 = 99
        exit
"""


@pytest.mark.parametrize(
    "declare", [lambda i: ArrayOfMaps(i, max_entries=4), lambda i: HashOfMaps(u32, i, max_entries=4)]
)
def test_maps_in_maps(declare):
    inner = Array(u64, max_entries=1)
    outer = declare(inner).replace(name="outer")
    with (
        load(program(LOOKUP_IN_INNER, outer=outer)) as prog,
        create(inner.replace(contents=((0, 5),))) as five,
        create(inner.replace(contents=((0, 6),))) as six,
    ):
        run = lambda: prog.test_run(data=PACKET).retval  # noqa: E731
        assert run() == 99
        prog[outer][1] = five
        assert run() == 5
        assert prog[outer][1] == five.id
        prog[outer][1] = six
        assert run() == 6
        with create(HashMap(u32, u32, max_entries=1)) as other, pytest.raises(SyscallError, match="EINVAL"):
            prog[outer][1] = other
        del prog[outer][1]
        assert run() == 99


def test_maps_as_contents():
    inner = Array(u64, max_entries=1)
    outer = ArrayOfMaps(inner, max_entries=2, name="outer", contents={1: inner.replace(contents=((0, 7),))})
    with load(program(LOOKUP_IN_INNER, outer=outer)) as prog:
        assert prog.test_run(data=PACKET).retval == 7


def test_cgroups():
    root = next((p for p in ("/sys/fs/cgroup", "/sys/fs/cgroup/unified") if os.path.exists(f"{p}/cgroup.procs")), None)
    if root is None:
        pytest.skip("no cgroup v2 is mounted")
    table = CgroupArray(max_entries=1, name="table")
    text = "r1 = table ll\nr2 = 0\ncall bpf_current_task_under_cgroup\nexit"
    with load(program(text, RAW_TRACEPOINT, table=table)) as prog:
        prog[table][0] = root
        assert prog.test_run(ctx=bytes(8)).retval == 1  # every task is below the root
        with pytest.raises(FileNotFoundError):
            prog[table][0] = root + "/nothing here"


@pytest.mark.parametrize("declare", [SockMap, lambda n: SockHash(u32, n)])
def test_sockets_redirect_a_stream(declare):
    """What arrives at one socket is read from another: a verdict program redirects it within the kernel."""
    sockets = declare(4).replace(name="sockets")
    keyed = sockets.map_type == 18
    text = f"""
        *(u32 *)(r10 - 4) = 1
        r2 = sockets ll
        {"r3 = r10" if keyed else "r3 = 1"}
        {"r3 += -4" if keyed else ""}
        r4 = 0
        call {"bpf_sk_redirect_hash" if keyed else "bpf_sk_redirect_map"}
        exit
    """
    from pybpf.syscall import prog_attach, prog_detach

    verdict = 38  # SK_SKB_VERDICT
    if not features.have_attach_type(verdict):
        pytest.skip("this kernel has no verdicts without a parser")
    with socket.create_server(("127.0.0.1", 0)) as server, load(program(text, 14, sockets=sockets)) as prog:
        pairs = []
        for _ in range(2):
            client = socket.create_connection(server.getsockname())
            pairs.append((client, server.accept()[0]))
        (a, a_peer), (b, b_peer) = pairs
        live = prog[sockets]
        prog_attach(live.fileno(), prog.fileno(), verdict)
        try:
            live[0] = a_peer
            live[1] = b_peer
            assert live[0] > 0  # the cookie
            a.send(b"over there")
            b.settimeout(3)
            assert b.recv(100) == b"over there"
            del live[0]
            assert 0 not in live
        finally:
            prog_detach(live.fileno(), prog.fileno(), verdict)
            for pair in pairs:
                for one in pair:
                    one.close()


def test_reuseport_sockets():
    table = ReuseportSockArray(max_entries=2, name="table")
    text = """
        *(u32 *)(r10 - 4) = 1
        r2 = table ll
        r3 = r10
        r3 += -4
        r4 = 0
        call bpf_sk_select_reuseport
        w0 = 1
        exit
    """
    sockets = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2)]
    try:
        for sock in sockets:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            sock.bind(("127.0.0.1", sockets[0].getsockname()[1]))
            sock.settimeout(2)
        with load(program(text, 21, table=table)) as prog, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            for i, sock in enumerate(sockets):
                prog[table][i] = sock
            with prog.attach(sockets[0]):
                for _ in range(5):
                    sender.sendto(b"x", sockets[0].getsockname())
                    assert sockets[1].recv(10) == b"x"
    finally:
        for sock in sockets:
            sock.close()


@pytest.mark.parametrize("declare", [DevMap, DevMapHash])
def test_devices(declare):
    with create(declare(max_entries=4, name="devices")) as live:
        lo = socket.if_nametoindex("lo")
        live[1] = lo
        assert dict(live) == {1: lo}
        with pytest.raises(SyscallError):
            live[2] = 1 << 30
        del live[1]
        assert dict(live) == {}


def test_cpus():
    with create(CpuMap(max_entries=8, name="cpus")) as live:
        live[0] = 192
        assert live[0] == 192
        del live[0]


def test_xdp_sockets_must_be_sockets():
    with create(XskMap(max_entries=4, name="xsks")) as live, socket.socket() as sock:
        with pytest.raises(SyscallError):
            live[0] = sock
        with pytest.raises(TypeError):
            live[0] = None


def test_socket_storage():
    with create(SkStorage(u64, name="marks")) as live, socket.socket() as sock:
        assert sock not in live
        live[sock] = 5
        assert live[sock] == 5
        assert live[sock.fileno()] == 5
        del live[sock]
        with pytest.raises(KeyError):
            live[sock]
        with pytest.raises(SyscallError):
            list(live)


def test_task_storage():
    pidfd = os.pidfd_open(os.getpid())
    try:
        with create(TaskStorage(u64, name="marks")) as live:
            live[pidfd] = 7
            assert live[pidfd] == 7
            assert live.pop(pidfd) == 7
            assert pidfd not in live
    finally:
        os.close(pidfd)


class Point(Struct):
    x: u32
    y: u32


def test_arrays_as_memory():
    with create(Array(u64, max_entries=1000, flags=1 << 10, name="shared")) as live:
        memory = live.memory
        assert len(memory) == 1000
        live[3] = 33
        assert memory[3] == 33
        memory[999] = 5
        assert live[999] == 5
        assert sum(memory) == 38
    assert memory[3] == 33  # the memory outlives the descriptor
    with create(Array(u32, max_entries=3, flags=1 << 10)) as live:
        live[1] = 7
        assert list(live.memory) == [0, 7, 0]
    with create(Array(Point, max_entries=3, flags=1 << 10)) as live:
        live.memory[2].y = 9
        assert live[2] == Point(0, 9)
    with create(Array(12, max_entries=2, flags=1 << 10)) as live:
        live[1] = b"abcdefghijkl"
        assert bytes(live.memory[16:28]) == b"abcdefghijkl"
    with create(Array(u64, max_entries=1)) as live, pytest.raises(SpecError, match="MMAPABLE"):
        live.memory  # noqa: B018


def test_frozen_memory_is_read_only():
    with create(Array(u64, max_entries=2, flags=1 << 10, contents={0: 4}, frozen=True)) as live:
        memory = live.memory
        assert memory[0] == 4
        with pytest.raises(TypeError):
            memory[0] = 5


def test_stack_traces_have_names():
    stacks = StackTrace(max_entries=16, name="stacks")
    text = "r2 = stacks ll\nr3 = 0\ncall bpf_get_stackid\nexit"
    with load(program(text, RAW_TRACEPOINT, stacks=stacks)) as prog:
        stack_id = prog.test_run(ctx=bytes(8)).retval
        assert stack_id < 16
        names = [frame.name for frame in prog[stacks].frames(stack_id)]
        assert any("sys_bpf" in name for name in names), names
        assert str(prog[stacks].frames(stack_id)[0]).count("+0x") == 1


def test_user_symbols():
    pytest.importorskip("elftools")
    import ctypes

    from pybpf.maps.symbols import user_frames

    address = ctypes.cast(ctypes.CDLL(None).getpid, ctypes.c_void_p).value
    frame, unknown = user_frames([address + 3, 16], os.getpid())
    assert frame.name.endswith("getpid")
    assert frame.offset == 3
    assert "libc" in frame.module
    assert (unknown.name, unknown.module) == ("", "")


def test_arena_is_shared():
    arena = Arena(pages=4, name="arena")
    text = """
        r2 = *(u64 *)(r1 + 0)
        r1 = arena ll
        r2 = addr_space_cast(r2, 0, 1)
        r3 = *(u64 *)(r2 + 8)
        r3 += 1
        *(u64 *)(r2 + 16) = r3
        w0 = 0
        exit
    """
    with load(program(text, 31, arena=arena).replace(flags=1 << 4)) as prog:
        live = prog[arena]
        memory = live.memory
        struct.pack_into("=Q", memory, 4096 + 8, 41)
        prog.test_run(ctx=struct.pack("=Q", live.address + 4096))
        assert struct.unpack_from("=Q", memory, 4096 + 16) == (42,)


def test_many_threads_use_one_map():
    with create(HashMap(u32, u64, max_entries=64)) as live:
        stop, errors = threading.Event(), []

        def work(key):
            while not stop.is_set():
                live[key] = key
                if live[key] != key or live.get(key) != key:
                    errors.append(key)

        threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
        for thread in threads:
            thread.start()
        time.sleep(0.3)
        stop.set()
        for thread in threads:
            thread.join()
        assert errors == []


def test_timers_and_locks_in_values():
    """A value with a spin lock: the map's BTF tells the kernel where it is."""
    from pybpf.uapi import bpf_spin_lock

    class Locked(Struct):
        lock: bpf_spin_lock
        count: u32

    with create(HashMap(u32, Locked, max_entries=1)) as live:
        live.set(1, Locked(count=5), lock=True)
        assert live[1].count == 5
    with create(HashMap(u32, u64, max_entries=1)) as live, pytest.raises(SyscallError, match="EINVAL"):
        live.set(1, 5, lock=True)


def test_bpftool_sees_what_we_made():
    if not shutil.which("bpftool"):
        pytest.skip("bpftool is not installed")
    with create(ProgArray(max_entries=2, name="tails")) as live:
        text = subprocess.run(
            ["bpftool", "map", "show", "id", str(live.id)], check=True, capture_output=True, text=True
        ).stdout
    assert "prog_array" in text
    assert "tails" in text
