"""Loading, running and describing programs; what is refused, and that nothing is left then."""

import ctypes
import errno
import gc
import os
import struct
import subprocess
import sys
import time

import pytest

from pybpf import (
    Array,
    BpfError,
    Btf,
    Global,
    HashMap,
    NotSupportedError,
    Program,
    ProgramSpec,
    SpecError,
    SyscallError,
    VerifierError,
    asm,
    char,
    features,
    load,
    load_collection,
    u32,
    u64,
)
from pybpf.asm import build
from pybpf.btf import BtfBuilder
from pybpf.live import enable_stats
from pybpf.source import Source
from pybpf.syscall import ClosedError, Fd, fd_by_id, next_id, obj_info
from pybpf.uapi import MapInfo, ProgInfo, xdp_md

pytestmark = pytest.mark.kernel

# An Ethernet header, which the kernel takes off for a socket filter, and a frame as a tap would see it.
FRAME = bytes(12) + b"\x08\x00" + bytes(9) + bytes([17]) + bytes(40)
UDP = bytes(12) + b"\x08\x00" + FRAME
XDP = 6
SYSCALL = 31


@pytest.fixture(autouse=True)
def nothing_leaks(fd_count):
    before = fd_count()
    yield
    assert fd_count() == before


def named(tag):
    """Ids of the programs and maps in the kernel with this name."""
    found = []
    for kind, info in (("prog", ProgInfo), ("map", MapInfo)):
        id_ = 0
        while (id_ := next_id(kind, id_)) is not None:
            try:
                with Fd(fd_by_id(kind, id_)) as fd:
                    raw = obj_info(fd.fileno(), ctypes.sizeof(info))
            except FileNotFoundError:
                continue  # gone meanwhile
            if info.from_buffer_copy(raw.ljust(ctypes.sizeof(info), b"\0")).name == tag.encode():
                found.append((kind, id_))
    return found


@pytest.fixture
def tag():
    """A name for what a test makes; at its end nothing of that name is left in the kernel."""
    name = f"t{os.getpid()}_{time.monotonic_ns() % 10**6}"
    yield name
    gc.collect()
    # The kernel frees programs and maps a little later than they are closed.
    deadline = time.monotonic() + 5
    while (left := named(name)) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert left == []


def test_run(programs):
    spec, packets = programs.count()
    with load(spec) as prog:
        result = prog.test_run(data=UDP, repeat=10)
        assert result.retval == 0
        assert result.data == bytes(14) + FRAME
        assert result.duration > 0
        assert prog[packets][17] == 10
        assert prog["packets"] is prog[packets]
        with pytest.raises(KeyError, match="'other' is not in this program, which has packets"):
            prog["other"]
        with pytest.raises(KeyError):
            prog[HashMap(u32, u64, max_entries=1)]


MISTAKES = [
    (lambda prog: prog.test_run(data=UDP, repeat=-1), "repeat is -1: expected how many times"),
    (lambda prog: Program.from_id(-1), "prog -1: an id is a number from 1"),
    (lambda prog: Program.from_id(str(prog.id)), "prog '[0-9]+': an id is a number"),
    (lambda prog: Program.from_pin("/etc/passwd"), "(?s)EACCES.*pins are files in a bpffs"),
    (lambda prog: features.have_program_type("xdp"), "program type 'xdp': expected a number"),
    (lambda prog: features.first_kernel("helpers", 1), "'helpers' is no kind of feature"),
]


@pytest.mark.parametrize(("mistake", "said"), MISTAKES, ids=[said for _, said in MISTAKES])
def test_mistakes_are_told(mistake, said, programs):
    with load(programs.count()[0]) as prog, pytest.raises(BpfError, match=said):
        mistake(prog)


def test_run_changes_data_and_context():
    text = """
        r2 = *(u32 *)(r1 + 0)
        r3 = *(u32 *)(r1 + 4)
        r4 = r2
        r4 += 14
        if r4 > r3 goto out
        w0 = 0xab
        *(u8 *)(r2 + 0) = r0
out:    r2 = -4
        call bpf_xdp_adjust_tail
        w0 = 2
        exit
    """
    with load(ProgramSpec(asm.assemble(text), XDP)) as prog:
        try:
            result = prog.test_run(data=bytes(64), ctx=xdp_md(data=0, data_end=64))
        except SyscallError as error:
            if error.errno != errno.EINVAL or features.have_program_type(SYSCALL):
                raise
            pytest.skip("this kernel takes no context in test runs of XDP")
        assert result.retval == 2
        assert result.data == b"\xab" + bytes(59)
        assert isinstance(result.ctx, xdp_md)
        assert result.ctx.data_end - result.ctx.data == 60


def test_run_of_a_syscall_program():
    if not features.have_program_type(SYSCALL):
        pytest.skip("this kernel has no programs of type SYSCALL")
    with load(ProgramSpec(asm.assemble("r2 = 7\n*(u64 *)(r1 + 0) = r2\nw0 = 3\nexit"), SYSCALL, flags=1 << 4)) as prog:
        result = prog.test_run(ctx=bytes(16))
        assert (result.retval, result.ctx, result.data) == (3, b"\x07" + bytes(15), b"")


def test_run_that_is_refused(programs):
    with load(programs.keep(0)) as prog, pytest.raises(SyscallError, match="14 bytes") as caught:
        prog.test_run(data=b"short")
    assert caught.value.command == "BPF_PROG_TEST_RUN"


def test_info(programs):
    spec, packets = programs.count()
    with load(spec) as prog:
        info = prog.info
        assert (info.type, info.name, info.gpl_compatible, info.nr_map_ids) == (1, b"count", 1, 1)
        assert prog.id == info.id
        assert "count" in repr(prog)
        assert "packets" in repr(prog[packets])
    assert "closed" in repr(prog)


def test_use_after_close(programs):
    spec, packets = programs.count()
    with load(spec) as prog:
        live = prog[packets]
    for use in (lambda: prog.test_run(data=UDP), lambda: prog.info, lambda: live[1]):
        with pytest.raises(ClosedError, match="is closed"):
            use()


def test_from_bytes_names_maps_by_slot(programs):
    spec, packets = programs.count()
    insns = asm.resolve(spec.insns)
    slots = [sum(i.slots for i in insns[:n]) for n, insn in enumerate(insns) if insn.symbol]
    raw = asm.encode([insn.replace(symbol=None) for insn in insns])
    again = ProgramSpec.from_bytes(raw, 1, maps=dict.fromkeys(slots, packets))
    with load(again) as prog:
        prog.test_run(data=UDP)
        assert prog[packets][17] == 1


def test_values_by_address():
    """A wide load of a place inside the only value of an array."""
    total = Array(u64, max_entries=1, name="total")
    code = asm.encode(asm.resolve(asm.assemble("r1 = 0 ll\n*(u32 *)(r1 + 0) = 5\nw0 = 0\nexit")))
    with load(ProgramSpec.from_bytes(code, 1, maps={0: (total, 4)})) as prog:
        prog.test_run(data=UDP)
        assert prog[total][0] == 5 << 32


def test_collection_shares_maps(programs):
    first, packets = programs.count(name="first")
    second, _ = programs.count(packets, name="second")
    same_name, _ = programs.count(HashMap(u32, u64, max_entries=256, name="packets"), name="third")
    with load_collection(first, second, same_name) as objs:
        for spec in (first, second, same_name):
            objs[spec].test_run(data=UDP)
        assert dict(objs[packets]) == {17: 3}
        assert objs["packets"] is objs[packets] is objs[second][packets]
        assert objs["second"] is objs[second]
        assert [prog.name for prog in objs] == ["first", "second", "third"]
        with pytest.raises(
            KeyError, match="'fourth' is not in this collection, which has first, second, third, packets"
        ):
            objs["fourth"]


def test_maps_without_names_are_not_shared(programs):
    one, two = HashMap(u32, u64, max_entries=256), HashMap(u32, u64, max_entries=256)
    first, _ = programs.count(one, name="first")
    second, _ = programs.count(two, name="second")
    with load_collection(first, second) as objs:
        objs[first].test_run(data=UDP)
        assert dict(objs[one]) == {17: 1}
        assert dict(objs[two]) == {}


def test_two_maps_under_one_name(programs, tag):
    first, _ = programs.count(HashMap(u32, u64, max_entries=4, name=tag), name=tag)
    second, _ = programs.count(HashMap(u32, u64, max_entries=8, name=tag), name=tag)
    with pytest.raises(SpecError, match=f"two different maps are named '{tag}'"):
        load_collection(first, second)


def test_the_verifiers_reason_and_the_source_line():
    insns = asm.assemble("r2 = 5\nr0 = *(u32 *)(r2 + 0)\nexit")
    insns[1] = insns[1].replace(source=Source("mine.py", 12, 5, "    value = broken[0]"))
    with pytest.raises(VerifierError) as caught:
        load(ProgramSpec(insns, 1, name="bad"))
    error = caught.value
    assert error.errno == errno.EACCES
    assert error.insn == 1
    assert error.reason.startswith("R2 invalid mem access")
    assert error.source.line == 12
    assert any(line.startswith("0: (b7)") for line in error.log.splitlines())
    text = str(error)
    assert "invalid mem access" in text
    assert "mine.py:12:5" in text
    assert "value = broken[0]" in text
    assert "insn 1" in text


def test_the_log_is_whole():
    """A log that is longer than the room that is given first arrives from its first line to its last."""
    lines = ["r6 = 0"]
    lines += [f"r{1 + i % 5} = {i}" for i in range(30_000)]
    lines += ["r0 = *(u64 *)(r6 + 0)", "exit"]
    with pytest.raises(VerifierError) as caught:
        load(ProgramSpec(asm.assemble("\n".join(lines)), 1, name="long"))
    log = caught.value.log
    assert len(log) > 1 << 19
    assert "\n0: (b7)" in f"\n{log[:300]}"
    assert "\n15000: " in log
    assert caught.value.insn == 30_001
    assert "R6 invalid mem access" in caught.value.reason


def test_a_log_on_success(programs):
    with load(programs.keep(0), log_level=1) as prog:
        assert "processed 2 insns" in prog.log
    with load(programs.keep(0)) as prog:
        assert prog.log == ""


BAD = {
    "unknown type": (lambda p: p.keep(0, prog_type=4000), SyscallError, "EINVAL"),
    "unknown flags": (lambda p: p.keep(0, flags=1 << 31), SyscallError, "EINVAL"),
    "no instructions": (lambda p: ProgramSpec([], 1), SyscallError, "E2BIG"),
    "no exit": (lambda p: ProgramSpec(asm.assemble("r0 = 0"), 1), VerifierError, "last insn is not an exit"),
    "unknown map": (lambda p: p.count()[0].replace(maps={}), SpecError, "unknown map: 'packets'"),
    "too large": (
        lambda p: ProgramSpec([asm.Insn(0xB7, i) for i in range(5)] * 200_001, 1),
        SyscallError,
        "more instructions than the kernel takes",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_refused(programs, name, tag):
    make, error, text = BAD[name]
    good, _ = programs.count(HashMap(u32, u64, max_entries=4, name=tag), name=tag)
    with pytest.raises(error, match=text):
        load_collection(good, make(programs))


def test_names_that_are_not_utf8(programs):
    spec, _ = programs.count(HashMap(u32, u64, max_entries=256, name="bad\udcffname"))
    with load(spec.replace(name="größe \udc80", maps={"packets": next(iter(spec.maps.values()))})) as prog:
        assert prog.info.name == b"gr____e__"
        assert prog.maps["packets"].info.name == b"bad_name"


def test_a_map_that_cannot_be_made_leaves_nothing(programs, tag):
    spec, _ = programs.count(HashMap(u32, u64, max_entries=4, name=tag), name=tag)
    broken = HashMap(u32, u64, max_entries=0, name="broken")
    with pytest.raises(SyscallError, match="'broken'"):
        load(spec.replace(maps={**spec.maps, "broken": broken}))


def test_many_loads_leave_nothing(programs, tag):
    spec, _ = programs.count(HashMap(u32, u64, max_entries=4, name=tag), name=tag)
    for _ in range(200):
        load(spec).close()


def test_what_the_kernel_made_of_it(programs):
    spec, packets = programs.count()
    with load(spec) as prog:
        assert prog.map_ids == [prog[packets].id]
        assert prog.translated[-1] == asm.Insn(0x95)
        assert len(prog.info_array("xlated_prog_insns")) == prog.info.xlated_prog_len
        assert len(prog.info_array("prog_tags")) == 8
        assert prog.info_array("prog_tags") == bytes(prog.info.tag)
        assert len(prog.info_array("jited_prog_insns")) == prog.info.jited_prog_len
        assert prog.info_array("func_info") == b""
        with pytest.raises(KeyError, match="no array 'nothing'; it has xlated_prog_insns"):
            prog.info_array("nothing")


def test_statistics(programs):
    with load(programs.keep(0)) as prog:
        prog.test_run(data=UDP, repeat=5)
        assert prog.run_stats == (0, 0) or prog.run_stats[0] > 0  # another process may have enabled them
        before = prog.run_stats[0]
        with enable_stats():
            prog.test_run(data=UDP, repeat=100)
        runs, spent = prog.run_stats
        assert runs - before >= 100
        assert spent > 0


@pytest.mark.parametrize("stream", [1, 2])
def test_streams(stream):
    """What programs write with bpf_stream_vprintk, read once; the two streams are apart."""
    kfunc = next((n for n in ("bpf_stream_vprintk", "bpf_stream_vprintk_impl") if Btf.kernel().find_all(n)), None)
    if kfunc is None:
        pytest.skip("this kernel has no streams")
    text = Global(char[16], b"n is %d\n", const=True, name="text")
    insns = build.program(
        build.st(build.DW, build.r10 - 8, 7),
        build.mov(build.r1, stream),
        build.ld_map_value(build.r2, "text"),
        build.mov(build.r3, build.r10),
        build.add(build.r3, -8),
        build.mov(build.r4, 8),
        build.call_kfunc(kfunc),
        build.exit_(),
    )
    with load(ProgramSpec(insns, SYSCALL, name="writer", flags=1 << 4, maps={"text": text})) as prog:
        if prog.test_run().retval == (1 << 32) - errno.ENOMEM:
            pytest.skip("this kernel finds no memory for streams (kmalloc_nolock)")
        prog.test_run()
        assert prog.read_stream(3 - stream) == b""
        assert prog.read_stream(stream) == b"n is 7\nn is 7\n"
        assert prog.read_stream(stream) == b""


def test_function_and_line_information():
    """BTF, func_info and line_info reach the kernel and come back."""
    builder = BtfBuilder()
    number = builder.add_int("int", 4, True)
    main = builder.add_func("main_func", builder.add_func_proto(number, [("ctx", builder.add_ptr(0))]), 0)
    file, line = builder.string("mine.py"), builder.string("return 0")
    insns = asm.assemble("w0 = 0\nexit")
    spec = ProgramSpec(
        insns, 1, name="lined", btf=builder.to_bytes(), func_info=[(0, main)], line_info=[(0, file, line, 7 << 10 | 3)]
    )
    with load(spec, log_level=2) as prog:
        assert prog.info_array("func_info") == struct.pack("=II", 0, main)
        assert prog.info_array("line_info") == struct.pack("=IIII", 0, file, line, 7 << 10 | 3)
        said = next(line for line in prog.log.splitlines() if line.startswith("; return 0"))
        assert said == "; return 0" or "@ mine.py:7" in said  # the place is in logs since Linux 6.8


def test_btf_that_is_damaged(programs):
    with pytest.raises(VerifierError, match="BTF"):
        load(programs.keep(0).replace(btf=b"\xff" * 100))


def test_kernel_functions_by_name():
    """A call of a kfunc by its name; BTF of the running kernel gives the number."""
    calls = [asm.Insn(0x85, src=2, symbol=f"bpf_rcu_read_{what}lock") for what in ("", "un")]
    spec = ProgramSpec([*calls, *asm.assemble("w0 = 0\nexit")], 3, name="kfuncs")
    with pytest.raises(NotSupportedError, match="no_such_function"):
        load(spec.replace(insns=(asm.Insn(0x85, src=2, symbol="no_such_function"), *spec.insns)))
    try:
        prog = load(spec)
    except NotSupportedError as error:
        pytest.skip(str(error))
    with prog:
        assert prog.test_run(data=UDP).retval == 0


def test_kernel_variables_by_name():
    insns = [asm.Insn(0x18, 1, 3, 0, 0, 0, symbol="runqueues"), *asm.assemble("w0 = 0\nexit")]
    try:
        prog = load(ProgramSpec(insns, 17, name="variable"))
    except NotSupportedError:
        pytest.skip("this kernel has no BTF of its variables")
    except VerifierError as error:
        if "'runqueues'" not in error.reason:
            raise
        return  # the id was right, but without CONFIG_KALLSYMS_ALL it has no address
    with prog:
        assert prog.translated[0].wide


def test_iterators_by_name():
    """A program that is checked against its target: bpf_iter of maps, read as a file."""
    spec = ProgramSpec(asm.assemble("w0 = 0\nexit"), 26, name="iter", expected_attach_type=28, attach_to="bpf_map")
    with load(spec) as prog, prog.attach() as link:
        assert link.read() == b""
    with pytest.raises(NotSupportedError, match="the iterator 'nothing' is not supported"):
        load(spec.replace(attach_to="nothing"))
    with pytest.raises(SpecError, match="attach_to"):
        load(spec.replace(attach_to=None))


def test_closing_what_is_left_at_exit():
    """A script that ends with a live program, link and map ends quietly, and leaves nothing attached."""
    script = """
import socket
from pybpf import HashMap, ProgramSpec, RingBuf, asm, load, u32, u64
from pybpf.maps.create import create
keep = [create(HashMap(u32, u64, max_entries=1)), create(RingBuf(size=4096))]
sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
prog = load(ProgramSpec(asm.assemble("w0 = 0\\nexit"), 1))
link = prog.attach(sock)
it = iter(keep[1])
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
