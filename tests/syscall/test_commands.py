"""Commands of bpf(2) one by one, on the running kernel."""

import errno
import os
import struct

import pytest

from pybpf import ProgramSpec, SyscallError, VerifierError, asm, features, load
from pybpf.btf import BtfBuilder
from pybpf.syscall import (
    Fd,
    btf_load,
    fd_by_id,
    iter_create,
    link_create,
    link_detach,
    link_update,
    map_batch,
    map_contains,
    map_create,
    map_delete_elem,
    map_freeze,
    map_get_next_key,
    map_lookup_and_delete_elem,
    map_lookup_elem,
    map_update_elem,
    next_id,
    obj_info,
    prog_bind_map,
    prog_load,
    prog_query,
    prog_stream_read,
    prog_test_run,
    raw_tracepoint_open,
    task_fd_query,
    token_create,
)
from pybpf.syscall.common import said
from pybpf.syscall.maps import CREATE, MAP_CREATE
from pybpf.syscall.remedy import remedy

pytestmark = pytest.mark.kernel

HASH, ARRAY, QUEUE, BLOOM = 1, 2, 22, 30
RETURN_0 = asm.encode(asm.assemble("w0 = 0\nexit"))
NETNS_FLOW = 22


@pytest.fixture(autouse=True)
def nothing_leaks(fd_count):
    before = fd_count()
    yield
    assert fd_count() == before


def key(n):
    return struct.pack("=I", n)


def test_elements():
    with Fd(map_create(HASH, 4, 4, 3, name="raw")) as fd:
        map_ = fd.fileno()
        assert map_lookup_elem(map_, key(1), 4) is None
        assert map_get_next_key(map_, None, 4) is None
        assert map_update_elem(map_, key(1), b"abcd") == 0
        assert map_update_elem(map_, key(1), b"abcd", 1) == errno.EEXIST
        assert map_update_elem(map_, key(2), b"abcd", 2) == errno.ENOENT
        assert map_lookup_elem(map_, key(1), 4) == b"abcd"
        assert map_get_next_key(map_, None, 4) == key(1)
        assert map_get_next_key(map_, key(1), 4) is None
        if features.have_map_type(BLOOM):  # hashes take it since Linux 5.14, a little before
            assert map_lookup_and_delete_elem(map_, key(1), 4) == b"abcd"
        else:
            assert map_delete_elem(map_, key(1)) == 0
        assert map_delete_elem(map_, key(1)) == errno.ENOENT
        assert map_update_elem(map_, key(1), b"abcd", 1 << 40) == errno.EINVAL


def test_batches():
    from ctypes import create_string_buffer as memory

    lookup, take, update, delete = 24, 25, 26, 27
    with Fd(map_create(HASH, 4, 4, 100)) as fd:
        keys, values = memory(b"".join(map(key, range(50))), 200), memory(b"".join(map(key, range(50))), 200)
        assert map_batch(update, fd.fileno(), keys, values, 50) == (0, 50)
        out_keys, out_values, cursor = memory(400), memory(400), memory(4)
        code, count = map_batch(lookup, fd.fileno(), out_keys, out_values, 100, out_batch=cursor)
        assert (code, count) == (errno.ENOENT, 50)
        assert map_batch(delete, fd.fileno(), keys, None, 10) == (0, 10)
        code, count = map_batch(take, fd.fileno(), out_keys, out_values, 100, out_batch=cursor)
        assert (code, count) == (errno.ENOENT, 40)
        assert map_batch(99, fd.fileno(), keys, values, 1) == (errno.EINVAL, 0)


def test_maps_without_keys():
    with Fd(map_create(QUEUE, 0, 4, 2)) as fd:
        assert map_update_elem(fd.fileno(), None, b"abcd") == 0
        assert map_lookup_elem(fd.fileno(), None, 4) == b"abcd"
        assert map_lookup_and_delete_elem(fd.fileno(), None, 4) == b"abcd"
        assert map_lookup_and_delete_elem(fd.fileno(), None, 4) is None
    if not features.have_map_type(BLOOM):
        pytest.skip("this kernel has no bloom filters")
    with Fd(map_create(BLOOM, 0, 4, 10)) as fd:
        assert not map_contains(fd.fileno(), b"abcd")
        assert map_update_elem(fd.fileno(), None, b"abcd") == 0
        assert map_contains(fd.fileno(), b"abcd")


def test_freeze():
    with Fd(map_create(ARRAY, 4, 4, 1)) as fd:
        map_freeze(fd.fileno())
        assert map_update_elem(fd.fileno(), key(0), b"abcd") == errno.EPERM
        with pytest.raises(SyscallError, match="BPF_MAP_FREEZE"):
            map_freeze(fd.fileno())  # once is enough


def test_load_and_run():
    fd, log = prog_load(1, RETURN_0, "GPL", name="raw")
    with Fd(fd):
        assert log == ""
        retval, data, ctx, duration = prog_test_run(fd, data=bytes(20), data_out_size=64)
        assert (retval, len(data), ctx) == (0, 20, b"")
        assert duration >= 0
        with pytest.raises(SyscallError, match="output buffer is too small"):
            prog_test_run(fd, data=bytes(100), data_out_size=10)
    fd, log = prog_load(1, RETURN_0, "GPL", log_level=1)
    os.close(fd)
    assert "processed 2 insns" in log


def test_ids_and_information():
    with Fd(prog_load(1, RETURN_0, name="numbered")[0]) as fd:
        id_ = int.from_bytes(obj_info(fd.fileno(), 8)[4:8], "little")
        assert next_id("prog", id_ - 1) == id_
        with Fd(fd_by_id("prog", id_)) as again:
            assert obj_info(again.fileno(), 128)[:8] == obj_info(fd.fileno(), 128)[:8]
        assert next_id("prog", (1 << 31) - 2) is None
    for kind in ("prog", "map", "btf", "link"):
        with pytest.raises(SyscallError) as caught:
            fd_by_id(kind, (1 << 31) - 1)
        assert caught.value.errno == errno.ENOENT


def test_bind_map():
    with Fd(prog_load(1, RETURN_0)[0]) as prog, Fd(map_create(ARRAY, 4, 4, 1)) as map_:
        prog_bind_map(prog.fileno(), map_.fileno())
        assert int.from_bytes(obj_info(prog.fileno(), 128)[52:56], "little") == 1  # nr_map_ids


def test_btf():
    builder = BtfBuilder()
    builder.add_int("int", 4, True)
    with Fd(btf_load(builder.to_bytes())) as fd:
        assert len(obj_info(fd.fileno(), 16)) == 16
    with pytest.raises(VerifierError) as caught:
        btf_load(b"\x9f\xeb\x01\0" + bytes(20))
    assert caught.value.log


def test_iterators_links_and_updates():
    """A link of an iterator: read it, put another program in its place, detach it."""
    spec = ProgramSpec(asm.assemble("w0 = 0\nexit"), 26, name="iter", expected_attach_type=28, attach_to="bpf_map")
    with load(spec) as prog, load(spec.replace(name="other")) as other:
        with Fd(link_create(prog.fileno(), 0, 28)) as link:
            with Fd(iter_create(link.fileno())) as fd:
                assert os.read(fd.fileno(), 4096) == b""
            link_update(link.fileno(), other.fileno())
            with pytest.raises(SyscallError):
                link_update(link.fileno(), prog.fileno(), 4, prog.fileno())  # F_REPLACE of what is not there
            with pytest.raises(SyscallError):
                link_detach(link.fileno())  # iterators have no detach
        with pytest.raises(SyscallError, match="BPF_LINK_CREATE"):
            link_create(prog.fileno(), 0, 9999)


def test_raw_tracepoints():
    with Fd(prog_load(17, RETURN_0)[0]) as prog:
        try:
            link = Fd(raw_tracepoint_open("sys_enter", prog.fileno()))
        except SyscallError as error:
            pytest.skip(f"no raw tracepoints here: {error}")
        with link:
            found = task_fd_query(os.getpid(), link.fileno())
            assert found[1] == 0  # RAW_TRACEPOINT
            assert found[2] == "sys_enter"
        with pytest.raises(SyscallError, match="no_such_point"):
            raw_tracepoint_open("no_such_point", prog.fileno())


def test_query():
    with open("/proc/self/ns/net") as netns:
        found, _, _ = prog_query(netns.fileno(), 17)  # FLOW_DISSECTOR
        assert isinstance(found, list)
    with pytest.raises(SyscallError, match="BPF_PROG_QUERY"):
        prog_query(0, 9999)


def test_streams():
    if not features.have_program_type(31):
        pytest.skip("this kernel has no programs of type SYSCALL")
    with Fd(prog_load(31, RETURN_0, flags=1 << 4)[0]) as prog:
        try:
            assert prog_stream_read(prog.fileno(), 1, 100) == b""
        except SyscallError as error:
            if error.errno != errno.EINVAL:
                raise
            pytest.skip("no streams before Linux 6.17")
        with pytest.raises(SyscallError):
            prog_stream_read(prog.fileno(), 7, 100)


def test_tokens_need_a_bpffs():
    fd = os.open("/proc", os.O_RDONLY)
    try:
        with pytest.raises(SyscallError, match="BPF_TOKEN_CREATE"):
            token_create(fd)
    finally:
        os.close(fd)


def test_the_kernels_own_words():
    """From Linux 7.2 on it says why it makes no map; older ones are asked in vain, and nothing is left."""
    before = os.listdir("/proc/self/fd")
    with pytest.raises(SyscallError) as caught:
        map_create(99, 4, 4, 1)
    assert caught.value.hint in ("the kernel says: Invalid map_type.", remedy(errno.EINVAL, MAP_CREATE))
    attr = bytearray(CREATE.pack(2, 4, 4, 1, 0, 0, 0, bytes(16), *(0,) * 10))
    assert said(MAP_CREATE, attr) == ""  # a good one
    assert os.listdir("/proc/self/fd") == before
