"""The front door: maps, replaced helpers, faults, traces, several programs, clocks, capture files, the command."""

from __future__ import annotations

import struct

import pytest

from pybpf import (
    VM,
    Array,
    ArrayOfMaps,
    BloomFilter,
    DevMap,
    HashMap,
    HashOfMaps,
    NotSupportedError,
    PerCpuArray,
    PerfEventArray,
    ProgArray,
    ProgramSpec,
    Queue,
    RingBuf,
    SockMap,
    SpecError,
    StackTrace,
    Struct,
    SyscallError,
    VmFault,
    asm,
    char,
    helpers,
    u32,
    u64,
)
from pybpf.uapi import ProgType, XdpAction
from pybpf.vm import MemoryFault, PseudoSocket, Route

FRAME = (
    bytes(12) + b"\x08\x00" + bytes([0x45, 0, 0, 46, 0, 0, 0, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2]) + bytes(40)
)
ENGINES = pytest.mark.parametrize("engine", ["interpreter", "translator"])


def program(text: str, prog_type: int = ProgType.SOCKET_FILTER, **maps) -> ProgramSpec:
    return ProgramSpec(asm.assemble(text), prog_type, name="p", maps=maps)


KEY = "*(u32 *)(r10 - 4) = 1\nr2 = r10\nr2 += -4\n"


@ENGINES
def test_map_values_are_memory(engine):
    counts = HashMap(u32, u64, max_entries=4, name="counts")
    vm = VM(
        program(
            KEY + "r1 = counts ll\ncall bpf_map_lookup_elem\nif r0 == 0 goto out\nr1 = *(u64 *)(r0 + 0)\nr1 += 1\n"
            "*(u64 *)(r0 + 0) = r1\nr0 = 1\nout: exit",
            counts=counts,
        ),
        engine=engine,
    )
    assert vm.run(data=FRAME).retval == 0
    vm[counts][1] = 40
    assert vm.run(data=FRAME).retval == 1
    assert vm[counts][1] == 41
    assert vm["counts"] == {1: 41}
    assert counts in vm
    with pytest.raises(KeyError):
        vm["nothing"]


@ENGINES
def test_faults_say_where(engine):
    counts = Array(u64, max_entries=2, name="counts")
    vm = VM(
        program(KEY + "r1 = counts ll\ncall bpf_map_lookup_elem\nr0 = *(u64 *)(r0 + 4)\nexit", counts=counts),
        engine=engine,
    )
    with pytest.raises(MemoryFault, match=r"offset 4 of value of counts\[1\] \(8 bytes, writable\)") as caught:
        vm.run(data=FRAME)
    assert caught.value.insn == 6
    assert caught.value.source.line == 6
    assert "value of counts[1]" in caught.value.region
    assert caught.value.address & 0xFFFFFFFF == 4


@ENGINES
@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("r0 = *(u8 *)(r10 + 0)\nexit", "the stack"),
        ("*(u64 *)(r10 - 520) = 0\nr0 = 0\nexit", "8 bytes before the stack"),
        ("r1 = 0\nr0 = *(u8 *)(r1 + 0)\nexit", "NULL"),
        ("r0 = r3\nexit", "r3 is read before it holds a value"),
        ("call bpf_ktime_get_ns\nr0 = r1\nexit", "r1 is read before it holds a value"),
        ("exit", "r0 is read before it holds a value"),
        ("r0 = 0", "control runs out"),
        ("r10 = 1\nr0 = 0\nexit", "read-only"),
        ("r0 = *(u32 *)(r1 + 500)\nexit", "struct __sk_buff"),
        ("r1 = 5\nr2 = r10\nr2 += -4\ncall bpf_map_lookup_elem\nexit", "is not a map"),
        ("call 9999\nexit", "no helper number 9999"),
        ("f: call f\nexit", "8 frames"),
        ("*(u64 *)(r10 - 400) = 0\ncall f\nexit\nf: *(u64 *)(r10 - 400) = 0\nr0 = 0\nexit", "combined stack"),
    ],
)
def test_what_the_kernel_would_not_let_happen(engine, text, message):
    with pytest.raises(VmFault, match=message) as caught:
        VM(program(text), engine=engine).run(data=FRAME)
    assert caught.value.insn is not None


@ENGINES
def test_budget(engine):
    spec = program("l: goto l\nr0 = 0\nexit")
    with pytest.raises(VmFault, match="budget"):
        VM(spec, engine=engine, budget=1000).run(data=FRAME)


@ENGINES
def test_replaced_helpers(engine):
    spec = program("call bpf_ktime_get_ns\nr6 = r0\ncall bpf_get_prandom_u32\nr0 += r6\nexit")
    vm = VM(spec, engine=engine, time_ns=100)
    vm.helper("get_prandom_u32", lambda: 5)
    assert vm.run(data=FRAME).retval == 105
    vm.helper("bpf_ktime_get_ns", lambda: 8)
    vm.helper(helpers.ktime_get_ns, lambda: 7)
    assert vm.run(data=FRAME).retval == 12
    with pytest.raises(KeyError):
        vm.helper("no_such_helper", lambda: 0)


def test_unmodelled_helper_is_named():
    with pytest.raises(NotSupportedError, match="bpf_lwt_seg6_action"):
        VM(program("r1 = 0\nr2 = 0\nr3 = 0\nr4 = 0\nr5 = 0\ncall bpf_lwt_seg6_action\nexit")).run(data=FRAME)


def test_environment_and_random_seed():
    spec = program("call bpf_get_prandom_u32\nexit")
    assert VM(spec, seed=3).run(data=FRAME).retval == VM(spec, seed=3).run(data=FRAME).retval
    who = program("call bpf_get_current_pid_tgid\nr0 >>= 32\nexit")
    assert VM(who, pid=7, tgid=9).run(data=FRAME).retval == 9
    with pytest.raises(TypeError, match="no_such"):
        VM(who, no_such=1)


def test_trace():
    result = VM(program("r0 = 5\nr0 += 1\nexit")).run(data=FRAME, trace=True)
    assert [(t.slot, t.changed) for t in result.trace] == [(0, {"r0": 5}), (1, {"r0": 6}), (2, {})]
    assert "r0 += 1" in str(result.trace[1])
    assert result.insns == 3


@ENGINES
def test_tail_calls_share_maps_and_end_at_33(engine):
    progs = ProgArray(max_entries=2, name="progs")
    hits = Array(u64, max_entries=2, name="hits")
    count = (
        "r6 = r1\n*(u32 *)(r10 - 4) = 0\nr2 = r10\nr2 += -4\nr1 = hits ll\ncall bpf_map_lookup_elem\n"
        "if r0 == 0 goto +2\nr1 = 1\nlock *(u64 *)(r0 + 0) += r1\n"
    )
    again = program(count + "r1 = r6\nr2 = progs ll\nr3 = 0\ncall bpf_tail_call\nr0 = 77\nexit", hits=hits, progs=progs)
    vm = VM(again, engine=engine)
    assert vm.run(data=FRAME).retval == 77
    vm[hits][0] = 0
    vm[progs][0] = again
    assert vm.run(data=FRAME).retval == 77
    assert vm[hits][0] == 34
    assert vm[progs][0] is again


@ENGINES
def test_callbacks(engine):
    text = """
        r1 = 10
        r2 = f ll
        r3 = r10
        r3 += -8
        *(u64 *)(r10 - 8) = 0
        r4 = 0
        call bpf_loop
        r1 = *(u64 *)(r10 - 8)
        r0 += r1
        exit
        f: r3 = *(u64 *)(r2 + 0)
        r3 += r1
        *(u64 *)(r2 + 0) = r3
        r0 = 0
        if r1 != 6 goto out
        r0 = 1
        out: exit
    """
    spec = program(text.replace("r2 = f ll", "r2 = code_addr(f)"))
    assert VM(spec, engine=engine).run(data=FRAME).retval == 7 + sum(range(7))


def test_ring_buffer_and_perf_events():
    class Event(Struct):
        n: u32
        name: char[4]

    ring = RingBuf(Event, size=4096, name="ring")
    perf = PerfEventArray(name="perf", max_entries=4)
    vm = VM(
        program(
            "r6 = r1\nr1 = ring ll\nr2 = 8\nr3 = 0\ncall bpf_ringbuf_reserve\nif r0 == 0 goto full\n"
            "*(u32 *)(r0 + 0) = 7\n*(u32 *)(r0 + 4) = 0x636261\nr1 = r0\nr2 = 0\ncall bpf_ringbuf_submit\n"
            "*(u64 *)(r10 - 8) = 5\nr1 = r6\nr2 = perf ll\nr3 = 0xffffffff ll\nr4 = r10\nr4 += -8\nr5 = 8\n"
            "call bpf_perf_event_output\nr0 = 0\nexit\nfull: r0 = 1\nexit",
            ring=ring,
            perf=perf,
        )
    )
    for _ in range(255):
        assert vm.run(data=FRAME).retval == 0
    assert vm.run(data=FRAME).retval == 1
    assert vm[ring].lost == 1
    events = vm[ring].drain()
    assert len(events) == 255
    assert (events[0].n, events[0].name) == (7, b"abc")
    assert vm[perf].drain()[0] == (5).to_bytes(8, "little")
    assert vm[ring].drain() == []


def test_forgotten_record_blocks_the_ring():
    ring = RingBuf(size=4096, name="ring")
    vm = VM(program("r1 = ring ll\nr2 = 8\nr3 = 0\ncall bpf_ringbuf_reserve\nr0 = 0\nexit", ring=ring))
    vm.run(data=FRAME)
    assert vm[ring].drain() == []


def test_map_in_map_and_indexed_redirects():
    inner = Array(u64, max_entries=1, name="inner")
    outer = ArrayOfMaps(inner, max_entries=2, name="outer")
    by_key = HashOfMaps(u32, inner, max_entries=2, name="by_key")
    text = (
        "*(u32 *)(r10 - 4) = 0\nr2 = r10\nr2 += -4\nr1 = outer ll\ncall bpf_map_lookup_elem\nif r0 == 0 goto none\n"
        "r1 = r0\nr2 = r10\nr2 += -4\ncall bpf_map_lookup_elem\nif r0 == 0 goto none\nr0 = *(u64 *)(r0 + 0)\nexit\n"
        "none: r0 = 99\nexit"
    )
    vm = VM(program(text, outer=outer, by_key=by_key))
    assert vm.run(data=FRAME).retval == 99
    fresh = inner.replace(name="fresh")
    vm[outer][0] = fresh
    vm[outer][0][0] = 5
    assert vm.run(data=FRAME).retval == 5
    vm[by_key][3] = fresh
    assert list(vm[by_key]) == [3]
    devices = DevMap(max_entries=4, name="devices")
    vm = VM(program("r1 = devices ll\nr2 = 1\nr3 = 2\ncall bpf_redirect_map\nexit", ProgType.XDP, devices=devices))
    assert vm.run(data=FRAME).retval == XdpAction.PASS
    vm[devices][1] = 7
    result = vm.run(data=FRAME)
    assert result.retval == XdpAction.REDIRECT
    assert result.actions[0][0] == "redirect_map"


def test_queue_bloom_per_cpu_and_stack_traces():
    queue = Queue(u32, max_entries=2, name="queue")
    bloom = BloomFilter(u32, max_entries=8, name="bloom")
    cpus = PerCpuArray(u64, max_entries=1, name="cpus")
    stacks = StackTrace(max_entries=8, depth=4, name="stacks")
    text = (
        "*(u32 *)(r10 - 4) = 0\nr2 = r10\nr2 += -4\nr1 = cpus ll\ncall bpf_map_lookup_elem\nif r0 == 0 goto +2\n"
        "r1 = 1\n*(u64 *)(r0 + 0) = r1\nr0 = 0\nexit"
    )
    spec = program(text, queue=queue, bloom=bloom, cpus=cpus, stacks=stacks)
    vm = VM(spec, cpus=2)
    vm.run(data=FRAME)
    vm.env.cpu = 1
    vm.run(data=FRAME)
    assert vm[cpus][0] == [1, 1]
    assert vm[cpus][0].sum() == 2
    vm[queue].push(1)
    vm[queue].push(2)
    with pytest.raises(SyscallError):
        vm[queue].push(3)
    assert [vm[queue].pop(), vm[queue].pop()] == [1, 2]
    vm[bloom].add(5)
    assert 5 in vm[bloom]
    assert 6 not in vm[bloom]


@ENGINES
def test_timers_follow_the_test_clock(engine):
    class Value(Struct):
        timer: u64[2]  # type: ignore[valid-type]
        fired: u64

    timers = Array(Value, max_entries=1, name="timers")
    text = """
        *(u32 *)(r10 - 4) = 0
        r2 = r10
        r2 += -4
        r1 = timers ll
        call bpf_map_lookup_elem
        if r0 == 0 goto out
        r6 = r0
        r1 = r6
        r2 = timers ll
        r3 = 1
        call bpf_timer_init
        r1 = r6
        r2 = code_addr(fire)
        call bpf_timer_set_callback
        r1 = r6
        r2 = 1000
        r3 = 0
        call bpf_timer_start
        out: r0 = 0
        exit
        fire: r1 = *(u64 *)(r3 + 16)
        r1 += 1
        *(u64 *)(r3 + 16) = r1
        r0 = 0
        exit
    """
    vm = VM(program(text, timers=timers), engine=engine)
    vm.run(data=FRAME)
    assert vm.advance(999) == 0
    assert vm.advance(1) == 1
    assert vm[timers][0].fired == 1
    assert vm.advance(5000) == 0


def test_routes_and_sockets():
    text = """
        r6 = r1
        *(u64 *)(r10 - 64) = 2
        *(u64 *)(r10 - 56) = 0
        *(u64 *)(r10 - 48) = 0
        *(u64 *)(r10 - 40) = 0
        *(u64 *)(r10 - 32) = 0x0505000a
        *(u64 *)(r10 - 24) = 0
        *(u64 *)(r10 - 16) = 0
        *(u64 *)(r10 - 8) = 0
        r2 = r10
        r2 += -64
        r3 = 64
        r4 = 0
        call bpf_fib_lookup
        r1 = *(u32 *)(r10 - 56)
        r0 <<= 8
        r0 |= r1
        exit
    """
    vm = VM(program(text, ProgType.XDP))
    assert vm.run(data=FRAME).retval >> 8 == 4
    vm.env.routes = [Route("10.0.0.0/8", 3), Route("10.0.5.0/24", 9, dmac=b"\1" * 6)]
    assert vm.run(data=FRAME).retval == 9
    socks = SockMap(max_entries=2, name="socks")
    vm = VM(program("r2 = socks ll\nr3 = 1\nr4 = 0\ncall bpf_msg_redirect_map\nexit", ProgType.SK_MSG, socks=socks))
    assert vm.run(data=b"hello").retval == 0
    vm[socks][1] = peer = PseudoSocket(family=2, src_ip4="10.0.0.1")
    assert vm.run(data=b"hello").retval == 1
    assert peer.received == [b"hello"]


@pytest.mark.parametrize(
    ("text", "args", "expected"),
    [
        ("%d|%u|%x", (-3, 4, 255), "-3|4|ff"),
        ("%lld %llx", (-3, 1 << 40), "-3 10000000000"),
        ("%5d|%-5d|%05d", (42, 42, 42), "   42|42   |00042"),
        ("%s!", ("name",), "name!"),
        ("%c%%", (65,), "A%"),
        ("%pI4", (b"\x0a\0\0\1",), "10.0.0.1"),
    ],
)
def test_formatted_output(text, args, expected):
    raw = text.encode() + b"\0"
    pieces = [int.from_bytes(raw[i : i + 8].ljust(8, b"\0"), "little") for i in range(0, len(raw), 8)]
    stores = "".join(f"r1 = 0x{p:x} ll\n*(u64 *)(r10 - {64 - 8 * i}) = r1\n" for i, p in enumerate(pieces))
    loads = "".join(f"r{3 + i} = *(u64 *)(r6 + {8 * i})\n" for i in range(len(args)))
    code = f"r6 = r1\n{stores}r1 = r10\nr1 += -64\nr2 = {len(raw)}\n{loads}call bpf_trace_printk\nexit"
    for engine in ("interpreter", "translator"):
        vm = VM(program(code, ProgType.RAW_TRACEPOINT), engine=engine)
        place = {str: vm.kernel_string, bytes: vm.kernel_memory, int: int}
        assert vm.run(ctx=[place[type(arg)](arg) for arg in args]).printk == [expected]


def test_several_programs_are_chosen():
    one, two = program("r0 = 1\nexit").replace(name="one"), program("r0 = 2\nexit").replace(name="two")
    vm = VM(one, two)
    assert [vm.run(data=FRAME).retval, vm.run(two, data=FRAME).retval, vm.run("two", data=FRAME).retval] == [1, 2, 2]
    with pytest.raises(KeyError):
        vm.run("three", data=FRAME)


def test_wrong_use():
    with pytest.raises(SpecError):
        VM()
    with pytest.raises(SpecError):
        VM("not a program")
    with pytest.raises(SpecError):
        VM(program("r0 = 0\nexit"), engine="quick")
    with pytest.raises(SpecError, match="Ethernet"):
        VM(program("r0 = 0\nexit")).run(data=b"short")


def write_pcap(path, frames, link=1):
    out = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, link)
    for i, frame in enumerate(frames):
        out += struct.pack("<IIII", i, 0, len(frame), len(frame)) + frame
    path.write_bytes(out)


def test_captures(tmp_path):
    path = tmp_path / "some.pcap"
    other = FRAME[:23] + b"\x06" + FRAME[24:]
    write_pcap(path, [FRAME, other, FRAME, b"tiny"])
    vm = VM(program("r6 = r1\nr0 = *(u8 *)skb[9]\nexit"))
    report = vm.run_capture(path)
    assert report.verdicts == {17: 2, 6: 1}
    assert (report.packets, report.skipped) == (3, 1)
    assert vm.env.time_ns == 3_000_000_000
    write_pcap(path, [FRAME[14:]], link=101)
    assert vm.run_capture(path).verdicts == {17: 1}
    for garbage in (b"", b"no capture at all", path.read_bytes()[:30]):
        path.write_bytes(garbage)
        with pytest.raises(SpecError):
            vm.run_capture(path)


def test_command(tmp_path, capsys):
    from pybpf.cli import main

    text = tmp_path / "filter.s"
    text.write_text("r6 = r1\nr0 = *(u8 *)skb[9]\nexit\n")
    assert main(["run", str(text), "--type", "socket_filter", "--data", FRAME.hex(), "--trace"]) == 0
    out = capsys.readouterr().out
    assert "skb[9]" in out
    assert "returned 17 after 3 instructions" in out
    write_pcap(tmp_path / "c.pcap", [FRAME])
    assert main(["run", str(text), "--type", "xdp", "--data", "zz"]) == 1
    assert main(["run", str(text), "--type", "socket_filter", "--data", str(tmp_path / "c.pcap")]) == 0
    assert "1 packets" in capsys.readouterr().out
    script = tmp_path / "prog.py"
    script.write_text("from pybpf import xdp, XdpAction\n@xdp\ndef drop(ctx):\n    return XdpAction.DROP\n")
    assert main(["run", str(script), "--data", FRAME.hex()]) == 0
    assert "drop: returned 1 (DROP)" in capsys.readouterr().out
    assert main(["run", str(text), "--data", FRAME.hex()]) == 1
    assert "--type" in capsys.readouterr().err


def test_sysctl_and_socket_options():
    text = """
        r6 = r1
        r2 = r10
        r2 += -16
        r3 = 16
        r4 = 0
        call bpf_sysctl_get_name
        r0 = *(u8 *)(r10 - 16)
        exit
    """
    vm = VM(program(text, ProgType.CGROUP_SYSCTL))
    vm.env.sysctl["name"] = b"net/ipv4/ip_forward"
    assert vm.run(ctx={"write": 0}).retval == ord("n")
    sock = PseudoSocket(cookie=77)
    cookie = program(
        "r1 = *(u64 *)(r1 + 184)\nif r1 == 0 goto none\ncall bpf_get_socket_cookie\nexit\nnone: r0 = 0\nexit",
        ProgType.SOCK_OPS,
    )
    assert VM(cookie).run(ctx={"sk": sock}).retval == 77


def test_open_coded_iterator_and_dynptr():
    loop = """
        r1 = r10
        r1 += -8
        r2 = 3
        r3 = 7
        call bpf_iter_num_new
        r6 = 0
        next: r1 = r10
        r1 += -8
        call bpf_iter_num_next
        if r0 == 0 goto done
        r1 = *(s32 *)(r0 + 0)
        r6 += r1
        goto next
        done: r1 = r10
        r1 += -8
        call bpf_iter_num_destroy
        r0 = r6
        exit
    """
    for engine in ("interpreter", "translator"):
        assert VM(program(loop, ProgType.XDP), engine=engine).run(data=FRAME).retval == 3 + 4 + 5 + 6


def test_replaced_kfunc_and_missing_kfunc():
    spec = program("call bpf_some_kfunc\nexit", ProgType.XDP)
    with pytest.raises(NotSupportedError, match="bpf_some_kfunc"):
        VM(spec).run(data=FRAME)
    vm = VM(spec)
    vm.helper("bpf_some_kfunc", lambda: 9)
    assert vm.run(data=FRAME).retval == 9


@ENGINES
def test_empty_program(engine):
    with pytest.raises(VmFault, match="runs out"):
        VM(ProgramSpec([], ProgType.XDP), engine=engine).run(data=FRAME)


def test_raw_bytes_with_maps():
    counts = Array(u64, max_entries=1)
    raw = asm.encode(asm.assemble("r1 = 0 ll\nr0 = *(u64 *)(r1 + 0)\nexit"))
    vm = VM(ProgramSpec.from_bytes(raw, ProgType.XDP, maps={0: (counts, 0)}))
    vm[counts][0] = 77
    assert vm.run(data=bytearray(FRAME)).retval == 77
    with pytest.raises(SpecError, match="map by number"):
        VM(ProgramSpec([asm.Insn(0x18, 1, 1, 0, 5, 0), asm.Insn(0x95)], ProgType.XDP))


@pytest.mark.parametrize("prog_type", [ProgType.XDP, ProgType.SCHED_CLS, ProgType.FLOW_DISSECTOR], ids=str)
def test_runs_leave_nothing_in_memory(prog_type):
    vm = VM(program("r0 = 0\nexit", prog_type))
    vm.run(data=FRAME)
    before = len(vm.mem.readable), len(vm.mem.names), len(vm.mem._owners)
    for _ in range(20):
        vm.run(data=FRAME)
    assert (len(vm.mem.readable), len(vm.mem.names), len(vm.mem._owners)) == before


def test_when_a_program_is_translated():
    """What runs a dozen times is worth a translation, within one call as well, and within one run for a loop."""
    straight = asm.assemble("r0 = 1\nr0 += 2\nexit")
    vm = VM(ProgramSpec(straight, ProgType.SOCKET_FILTER))
    vm.run(data=bytes(64))
    assert not vm.images[0].functions
    vm.run(data=bytes(64), repeat=100)
    assert vm.images[0].functions
    assert vm.run(data=bytes(64), repeat=100).insns == 300

    looping = VM(ProgramSpec(asm.assemble("r0 = 9\nl: r0 -= 1\nif r0 != 0 goto l\nexit"), ProgType.SOCKET_FILTER))
    looping.run(data=bytes(64))
    assert not looping.images[0].functions
    looping.run(data=bytes(64), repeat=20)
    assert looping.images[0].functions
