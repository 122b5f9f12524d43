"""TEST_RUN and the machine take the same input and give the same result: every field that can be loaded, each type."""

from __future__ import annotations

import functools
import itertools

import pytest

from pybpf import VM, Array, BpfError, ProgramSpec, SpecError, SyscallError, VerifierError, asm, load, u64, verify
from pybpf.asm import Insn
from pybpf.uapi import AttachType, ProgType, bpf_sk_lookup, xdp_md
from pybpf.uapi import __sk_buff as sk_buff

TYPES = (
    ProgType.SOCKET_FILTER,
    ProgType.SCHED_CLS,
    ProgType.SCHED_ACT,
    ProgType.CGROUP_SKB,
    ProgType.LWT_IN,
    ProgType.LWT_OUT,
    ProgType.LWT_XMIT,
    ProgType.XDP,
)
POINTERS = {ProgType.XDP: {0, 4, 8}, ProgType.SK_LOOKUP: {0}}
SIZES = {ProgType.XDP: 24, ProgType.SK_LOOKUP: 72}
SKB_POINTERS = {76, 80, 140, 144, 168}


def given() -> sk_buff:
    ctx = sk_buff(mark=7, priority=9, ingress_ifindex=1, ifindex=1, tstamp=12345678901, gso_segs=3, gso_size=11)
    ctx.hwtstamp, ctx.wire_len = 77, 500
    ctx.cb[:] = [100, 101, 102, 103, 104]
    return ctx


LOADS = {1: 0x71, 2: 0x69, 4: 0x61, 8: 0x79}
STORES = {1: 0x72, 2: 0x6A, 4: 0x62, 8: 0x7A}


def options(prog_type: ProgType) -> dict:
    attach = {ProgType.CGROUP_SKB: AttachType.CGROUP_INET_INGRESS, ProgType.SK_LOOKUP: AttachType.SK_LOOKUP}
    return {"expected_attach_type": attach.get(prog_type)}


@functools.cache
def allowed(prog_type: ProgType) -> list[tuple[int, int]]:
    """(offset, size) of every load from the context that gives a number; the kernel is asked below."""
    out = []
    for offset in range(SIZES.get(prog_type, 192)):
        for size, opcode in LOADS.items():
            code = [Insn(opcode, 0, 1, offset), Insn(0x57, 0, imm=0), Insn(0x95)]
            if verify(ProgramSpec(code, prog_type, **options(prog_type))).ok:
                out.append((offset, size))
    pointers = POINTERS.get(prog_type, SKB_POINTERS)
    return [(offset, size) for offset, size in out if offset not in pointers]


def reader(prog_type: ProgType, before: list[Insn]) -> ProgramSpec:
    """Loads everything that may be loaded, each in every size, and puts it into the array `seen`."""
    loads = allowed(prog_type)
    code = [Insn(0xBF, 6, 1), *before, Insn(0x18, 8, 2, 0, 0, 0, symbol="seen")]
    for n, (offset, size) in enumerate(loads):
        code += [Insn(LOADS[size], 7, 6, offset), Insn(0x7B, 8, 7, 8 * n)]
    code += [Insn(0xB7, 0, imm=1), Insn(0x95)]
    seen = Array(8 * len(loads), max_entries=1, name="seen")
    return ProgramSpec(code, prog_type, maps={"seen": seen}, **options(prog_type))


def loaded(machine, prog_type: ProgType) -> dict[tuple[int, int], str]:
    raw = bytes(machine["seen"][0])
    return {place: raw[8 * n : 8 * n + 8][::-1].hex() for n, place in enumerate(allowed(prog_type))}


def outcome(run, data=None, ctx=None):
    try:
        result = run(data=data, ctx=ctx)
    except (SpecError, SyscallError):
        return "refused"
    return hex(result.retval), result.data.hex(), None if ctx is None else bytes(result.ctx).hex()


def inputs(prog_type: ProgType, frame: bytes) -> list[dict]:
    if prog_type == ProgType.XDP:
        return [{"data": frame}, {"data": frame, "ctx": {"ingress_ifindex": 1, "data": 4}}]
    if prog_type == ProgType.SK_LOOKUP:
        first = bpf_sk_lookup(family=2, protocol=6, remote_ip4=0x0100007F, remote_port=0x1234, local_port=0x5678)
        other = bpf_sk_lookup(family=10, protocol=17, remote_port=0x1234, local_port=0xABCD, local_ip4=9)
        other.remote_ip6[:], other.local_ip6[:] = (1, 2, 3, 0x01020304), (5, 6, 7, 0x11121314)
        return [{"ctx": first}, {"ctx": other}]
    return [{"data": frame, "ctx": None}, {"data": frame, "ctx": given()}]


@pytest.mark.kernel
@pytest.mark.parametrize("prog_type", [*TYPES, ProgType.SK_LOOKUP], ids=str)
def test_every_field_in_every_size(prog_type, frame):
    """Also the halves and bytes of fields that the kernel keeps in fewer bits: it does not shift what fits."""
    spec = reader(prog_type, [])
    assert len(allowed(prog_type)) >= (1 if prog_type in SIZES else 100)
    with load(spec) as prog:
        for one in inputs(prog_type, frame):
            expected = outcome(prog.test_run, **one)
            for engine in ("interpreter", "translator"):
                vm = VM(spec, engine=engine)
                assert outcome(vm.run, **one) == expected
                if expected != "refused":
                    assert loaded(vm, prog_type) == loaded(prog, prog_type)


@pytest.mark.kernel
@pytest.mark.parametrize("prog_type", TYPES, ids=str)
def test_every_field_that_may_be_written(prog_type):
    """What a program stored is what it loads again, in every size, and what comes back."""
    frame = bytes(12) + b"\x88\xb5" + bytes(50)
    written = 0
    for offset in range(SIZES.get(prog_type, 192)):
        for (size, opcode), number in itertools.product(STORES.items(), (0x1A2B3C4D, 0xFFFF, 0xFFFE)):
            store = [Insn(0xBF, 6, 1), Insn(opcode, 6, 0, offset, number)]
            if not verify(ProgramSpec([*store, Insn(0xB7, 0), Insn(0x95)], prog_type, **options(prog_type))).ok:
                continue
            spec = reader(prog_type, store)
            written += 1
            with load(spec) as prog:
                for one in inputs(prog_type, frame):
                    expected = outcome(prog.test_run, **one)
                    vm = VM(spec)
                    assert outcome(vm.run, **one) == expected, (offset, size, number)
                    assert loaded(vm, prog_type) == loaded(prog, prog_type), (offset, size, number)
    assert written or prog_type == ProgType.XDP


@pytest.mark.kernel
@pytest.mark.parametrize(
    "fields",
    [
        {"data_end": 60},
        {"data": 4, "data_end": 60},
        {"data": 6, "data_end": 60},
        {"data": 32, "data_end": 60},
        {"data_end": 50},
        {"data_end": 70},
        {"data_end": 0},
        {"data": 61, "data_end": 60},
        {"data_meta": 4, "data": 8, "data_end": 60},
        {"data_end": 60, "ingress_ifindex": 1},
        {"data_end": 60, "rx_queue_index": 1},
        {"data_end": 60, "egress_ifindex": 1},
    ],
    ids=str,
)
def test_xdp_contexts(fields):
    """Metadata in front of the frame, and which fields may be given at all."""
    code = [
        Insn(0x61, 2, 1, 0),
        Insn(0x61, 3, 1, 8),
        Insn(0xBF, 0, 2),
        Insn(0x1F, 0, 3),
        Insn(0x61, 4, 1, 12),
        Insn(0x67, 4, imm=8),
        Insn(0x4F, 0, 4),
        Insn(0x95),
    ]
    spec = ProgramSpec(code, ProgType.XDP)
    frame = bytes(range(60))
    with load(spec) as prog:
        expected = outcome(prog.test_run, frame, xdp_md(**fields))
    assert outcome(VM(spec).run, frame, xdp_md(**fields)) == expected


@pytest.mark.kernel
@pytest.mark.parametrize("size", [3520, 3521, 5000])
def test_large_frames_have_fragments(size):
    code = [Insn(0x61, 0, 1, 4), Insn(0x61, 2, 1, 0), Insn(0x1F, 0, 2), Insn(0x95)]
    spec = ProgramSpec(code, ProgType.XDP)
    frame = bytes(i & 255 for i in range(size))
    with load(spec) as prog:
        assert outcome(VM(spec).run, frame, None) == outcome(prog.test_run, frame, None)


@pytest.mark.kernel
def test_raw_tracepoint_and_syscall():
    raw = ProgramSpec([Insn(0x79, 0, 1, 8), Insn(0x95)], ProgType.RAW_TRACEPOINT)
    args = (5).to_bytes(8, "little") + (1234).to_bytes(8, "little")
    with load(raw) as prog:
        assert (
            prog.test_run(ctx=args).retval == VM(raw).run(ctx=args).retval == VM(raw).run(ctx=[5, 1234]).retval == 1234
        )
    call = ProgramSpec([Insn(0xB7, 0, imm=3), Insn(0x62, 1, 0, 4, 9), Insn(0x95)], ProgType.SYSCALL, flags=16)
    with load(call) as prog:
        kernel, offline = prog.test_run(ctx=bytes(16)), VM(call).run(ctx=bytes(16))
    assert (kernel.retval, kernel.ctx) == (offline.retval, offline.ctx)


@pytest.mark.kernel
@pytest.mark.parametrize(
    "fields",
    [
        {"family": 2, "protocol": 6, "remote_ip4": 0x0100007F, "remote_port": 0x1234, "local_ip4": 5, "local_port": 80},
        {"family": 10, "protocol": 17, "remote_port": 7, "local_port": 80},
        {"family": 2, "ingress_ifindex": 1},
        {"family": 2, "local_port": 65536},
        {"family": 2, "cookie": 1},
        {"family": 3},
        {},
    ],
    ids=str,
)
def test_socket_lookup(fields):
    """Every 32-bit field, through a map: the return value is only a verdict."""
    for offset in range(8, 64, 4):
        code = [
            Insn(0x61, 6, 1, offset),
            Insn(0x62, 10, 0, -4, 0),
            Insn(0x18, 1, 1, 0, 0, 0, symbol="seen"),
            Insn(0xBF, 2, 10),
            Insn(0x07, 2, imm=-4),
            Insn(0x85, imm=1),
            Insn(0x15, 0, off=1),
            Insn(0x7B, 0, 6),
            Insn(0xB7, 0, imm=1),
            Insn(0x95),
        ]
        seen = Array(u64, max_entries=1, name="seen")
        spec = ProgramSpec(code, ProgType.SK_LOOKUP, expected_attach_type=AttachType.SK_LOOKUP, maps={"seen": seen})
        try:
            prog = load(spec)
        except VerifierError:
            continue
        vm = VM(spec)
        with prog:
            ctx = bpf_sk_lookup(**fields)
            try:
                kernel = prog.test_run(ctx=ctx)
            except SyscallError:
                with pytest.raises(SpecError):
                    vm.run(ctx=ctx)
                continue
            offline = vm.run(ctx=ctx)
            assert (offline.retval, bytes(offline.ctx), vm[seen][0]) == (
                kernel.retval,
                bytes(kernel.ctx),
                prog[seen][0],
            )


@pytest.mark.kernel
def test_flow_dissector():
    code = [
        Insn(0x79, 2, 1, 144),
        Insn(0x6A, 2, 0, 2, 34),
        Insn(0x72, 2, 0, 9, 17),
        Insn(0x69, 0, 2, 0),
        Insn(0xB7, 0, imm=0),
        Insn(0x95),
    ]
    spec = ProgramSpec(code, ProgType.FLOW_DISSECTOR)
    frame = bytes(12) + b"\x08\x00" + bytes(40)
    with load(spec) as prog:
        kernel = prog.test_run(data=frame)
    offline = VM(spec).run(data=frame)
    assert (offline.retval, offline.data) == (kernel.retval, kernel.data)


@pytest.mark.parametrize(
    ("prog_type", "ctx", "offset", "opcode", "expected"),
    [
        (ProgType.CGROUP_SOCK_ADDR, {"user_port": 80}, 24, 0x61, 80),
        (ProgType.CGROUP_SYSCTL, {"write": 1}, 0, 0x61, 1),
        (ProgType.CGROUP_DEVICE, {"major": 5}, 4, 0x61, 5),
        (ProgType.SOCK_OPS, {"op": 4}, 0, 0x61, 4),
        (ProgType.SK_LOOKUP, {"family": 2, "local_port": 53}, 60, 0x61, 53),
        (ProgType.KPROBE, {"di": 77}, 112, 0x79, 77),
        (ProgType.KPROBE, {"args": [1, 77]}, 104, 0x79, 77),
        (ProgType.KPROBE, {"retval": 77}, 80, 0x79, 77),
        (ProgType.TRACING, [1, 2, 77], 16, 0x79, 77),
        (ProgType.LSM, {"args": [1, -1]}, 8, 0x79, 0xFFFFFFFF),
    ],
    ids=str,
)
def test_types_without_test_run_take_fields(prog_type, ctx, offset, opcode, expected):
    spec = ProgramSpec([Insn(opcode, 0, 1, offset), Insn(0x95)], prog_type)
    assert VM(spec).run(ctx=ctx).retval == expected


def test_messages_have_their_bytes():
    code = [Insn(0x79, 2, 1, 0), Insn(0x71, 0, 2, 3), Insn(0x95)]
    vm = VM(ProgramSpec(code, ProgType.SK_MSG))
    assert vm.run(data=b"abcdef").retval == ord("d")


def test_context_comes_back_in_the_form_it_was_given():
    spec = ProgramSpec([Insn(0xB7, 0), Insn(0x62, 1, 0, 8, 99), Insn(0x95)], ProgType.SCHED_CLS)
    frame = bytes(64)
    assert VM(spec).run(data=frame, ctx={"mark": 1}).ctx.mark == 99
    assert VM(spec).run(data=frame, ctx=sk_buff(mark=1)).ctx.mark == 99
    assert isinstance(VM(spec).run(data=frame, ctx=bytes(192)).ctx, bytes)


@pytest.mark.parametrize("ctx", [{"no_such": 1}, {"data": 3}, {"len": 3}, bytes(200) + b"x"], ids=str)
def test_wrong_contexts(ctx):
    spec = ProgramSpec([Insn(0xB7, 0), Insn(0x95)], ProgType.SCHED_CLS)
    with pytest.raises((BpfError, TypeError)):
        VM(spec).run(data=bytes(64), ctx=ctx)


@pytest.mark.kernel
@pytest.mark.parametrize("number", [0, 5, 65534, 65535, 65536, -1, -2, 0x7FFFFFFF])
@pytest.mark.parametrize(
    "form", ["*(u32 *)(r1 + 12) = {}", "r2 = {}\n*(u32 *)(r1 + 12) = r2", "w2 = {}\n*(u32 *)(r1 + 12) = w2"]
)
def test_numbers_of_queues(form, number):
    code = asm.assemble(form.format(number) + "\nr0 = *(u32 *)(r1 + 12)\nexit")
    spec = ProgramSpec(code, ProgType.SCHED_CLS)
    with load(spec) as prog:
        expected = prog.test_run(data=bytes(64)).retval
    for engine in ("interpreter", "translator"):
        assert VM(spec, engine=engine).run(data=bytes(64)).retval == expected
