"""What TEST_RUN takes and refuses: each field of each context on its own, packets of all lengths; same result, same errno."""

from __future__ import annotations

import pytest

from pybpf import (
    VM,
    Array,
    InputError,
    KindError,
    NotSupportedError,
    ProgramSpec,
    SpecError,
    SyscallError,
    VerifierError,
    asm,
    load,
    u64,
)
from pybpf.asm import Insn
from pybpf.btf import Btf
from pybpf.kernel.run_context import nf_hook_state
from pybpf.uapi import AttachType, ProgType, bpf_flow_keys, bpf_sk_lookup, xdp_md
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
IPV4 = bytes(12) + b"\x08\x00" + bytes([0x45, 0, 0, 60, 0, 1, 0, 0, 64, 17, 0x12, 0x34, 10, 0, 0, 1, 10, 0, 0, 2])
IPV6 = bytes(12) + b"\x86\xdd" + bytes([0x60, 0, 0, 0, 0, 40, 17, 64]) + bytes(range(32))
FRAMES = {
    **{f"IPv4 of {n}": IPV4.ljust(n, b"x") for n in (34, 60, 1514, 3520, 3712, 3713, 9000)},
    "IPv4 cut off": IPV4[:33],
    "IPv6": IPV6.ljust(80, b"y"),
    "IPv6 cut off": IPV6[:53],
    "to another host": b"\2\0\0\0\0\5" + IPV4[6:],
    "two tags": bytes(12) + b"\x88\xa8\0\1\x81\0\0\2\x08\0" + IPV4[14:],
    **{f"{n} bytes": bytes(n) for n in (0, 1, 13, 14, 15)},
}
VALUES = (0, 1, 2, 4, 40, 64, 216, 220, 256, 3520, 65535, 65536, 0xFFFFFFFF)
CGROUP = {ProgType.CGROUP_SKB: AttachType.CGROUP_INET_INGRESS}


def outcome(run, **given):
    try:
        result = run(**given)
    except SyscallError as error:
        return error.errno
    except SpecError as error:
        return str(error)
    return hex(result.retval), result.data.hex(), None if given.get("ctx") is None else bytes(result.ctx or b"").hex()


def returning(prog_type: int, text: str) -> ProgramSpec:
    return ProgramSpec(asm.assemble(text + "\nexit"), prog_type, expected_attach_type=CGROUP.get(prog_type))


def with_field(layout, name: str, value: int, **others):
    made = layout(**others)
    if hasattr(getattr(made, name), "__len__"):
        getattr(made, name)[0] = value
    else:
        setattr(made, name, value)
    return made


@pytest.mark.kernel
@pytest.mark.parametrize("prog_type", TYPES, ids=str)
def test_packets_with_one_field(prog_type):
    layout = xdp_md if prog_type == ProgType.XDP else sk_buff
    spec = returning(prog_type, "r0 = 1")
    vm = VM(spec)
    with load(spec) as prog:
        for frame in FRAMES.values():
            assert outcome(vm.run, data=frame) == outcome(prog.test_run, data=frame), len(frame)
            ends = {"data_end": len(frame)} if layout is xdp_md else {}
            for name, *_ in layout._fields_:
                if name.startswith("_") or "ifindex" in name:  # the machine has no devices but those of the test
                    continue
                for value in VALUES if len(frame) in (60, 9000) else (0, 1):
                    ctx = with_field(layout, name, value, **ends)
                    assert outcome(vm.run, data=frame, ctx=ctx) == outcome(prog.test_run, data=frame, ctx=ctx), (
                        len(frame),
                        name,
                        value,
                    )


@pytest.mark.kernel
def test_socket_lookups_with_one_field():
    load_field = (
        "\nr1 = seen ll\nr2 = r10\nr2 += -4\n*(u32 *)(r2 + 0) = 0\ncall bpf_map_lookup_elem\nif r0 == 0 goto end\n"
    )
    for offset in range(8, 64, 4):
        code = [Insn(0x61, 6, 1, offset), *asm.assemble(load_field + "*(u64 *)(r0 + 0) = r6\nend: r0 = 1\nexit")]
        maps = {"seen": Array(u64, max_entries=1, name="seen")}
        spec = ProgramSpec(code, ProgType.SK_LOOKUP, expected_attach_type=AttachType.SK_LOOKUP, maps=maps)
        try:
            prog = load(spec)
        except VerifierError:
            continue
        vm = VM(spec)
        given = {"protocol": 6, "remote_ip4": 0x0100007F, "remote_port": 0x1234, "local_ip4": 5, "local_port": 80}
        with prog:
            for family in (2, 10):
                for name, *_ in bpf_sk_lookup._fields_:
                    if name.startswith("_"):
                        continue
                    for value in (1, 0xFFFF, 0x10000, 0x12345678, 0xFFFFFFFF):
                        ctx = with_field(bpf_sk_lookup, name, value, family=family, **given)
                        assert outcome(vm.run, ctx=ctx) == outcome(prog.test_run, ctx=ctx), (name, value)
                        assert vm["seen"][0] == prog["seen"][0], (offset, name, value)


@pytest.mark.kernel
def test_flow_keys():
    spec = returning(
        ProgType.FLOW_DISSECTOR, "r2 = *(u64 *)(r1 + 144)\n*(u16 *)(r2 + 2) = 34\n*(u8 *)(r2 + 9) = 17\nr0 = 0"
    )
    vm = VM(spec)
    with load(spec) as prog:
        for frame in [*FRAMES.values(), bytes(4096), bytes(4097)]:
            assert outcome(vm.run, data=frame) == outcome(prog.test_run, data=frame), len(frame)
            for name, *_ in bpf_flow_keys._fields_:
                if name in ("_0", "flow_label"):
                    continue
                ctx = with_field(bpf_flow_keys, name, 3)
                assert outcome(vm.run, data=frame, ctx=ctx) == outcome(prog.test_run, data=frame, ctx=ctx), name


@pytest.mark.kernel
@pytest.mark.parametrize("what", ["state 0", "state 1", "len", "protocol"])
def test_netfilter(what):
    """The hook, the protocol, and what struct sk_buff says, bit by bit: a verdict is 0 or 1."""
    if what.startswith("state"):
        load_it = f"r2 = *(u64 *)(r1 + 0)\nr0 = *(u8 *)(r2 + {what[-1]})"
    else:
        field = Btf.kernel()["sk_buff"][what]
        load_it = f"r2 = *(u64 *)(r1 + 8)\nr0 = *(u{field.size * 8} *)(r2 + {field.offset})"
    contexts = [None, *(nf_hook_state(pf=pf, hook=hook) for pf in (0, 2, 10) for hook in range(6))]
    contexts += [nf_hook_state(pf=2, hook=3, sk=1), nf_hook_state(pf=2, hook=3, net=1)]
    contexts += [{"pf": 2, "hook": 1}, {"hook": 0}, {"pf": 10}]
    for bit in range(0, 12, 3):
        spec = returning(ProgType.NETFILTER, f"{load_it}\nr0 >>= {bit}\nr0 &= 1")
        spec = spec.replace(expected_attach_type=AttachType.NETFILTER)
        vm = VM(spec)
        with load(spec) as prog:
            for frame in FRAMES.values():
                for ctx in contexts:
                    ours, theirs = outcome(vm.run, data=frame, ctx=ctx), outcome(prog.test_run, data=frame, ctx=ctx)
                    assert ours == theirs, (len(frame), bytes(ctx) if isinstance(ctx, nf_hook_state) else ctx)


@pytest.mark.kernel
@pytest.mark.parametrize(
    ("prog_type", "data", "ctx"),
    [
        (ProgType.SCHED_CLS, IPV4, {"mark": 7, "cb": [1, 2, 3, 4, 5]}),
        (ProgType.XDP, bytes(60), {"data": 4}),
        (ProgType.XDP, bytes(60), {"ingress_ifindex": 1}),
        (ProgType.SK_LOOKUP, None, {"family": 2, "local_port": 53, "remote_ip4": "10.0.0.1"}),
        (ProgType.FLOW_DISSECTOR, IPV4, {"flags": 1}),
        (ProgType.RAW_TRACEPOINT, None, [1, 2, -3]),
        (ProgType.RAW_TRACEPOINT, None, {"args": [1, 2]}),
    ],
    ids=str,
)
def test_fields_by_name(prog_type, data, ctx):
    """A dict of fields, or a list of arguments, means the same to both."""
    text = "r0 = *(u64 *)(r1 + 8)" if prog_type == ProgType.RAW_TRACEPOINT else "r0 = 1"
    attach = {ProgType.SK_LOOKUP: AttachType.SK_LOOKUP}.get(prog_type)
    spec = ProgramSpec(asm.assemble(text + "\nexit"), prog_type, expected_attach_type=attach)
    with load(spec) as prog:
        kernel, offline = prog.test_run(data=data, ctx=ctx), VM(spec).run(data=data, ctx=ctx)
    assert (offline.retval, offline.data) == (kernel.retval, kernel.data)
    if prog_type != ProgType.RAW_TRACEPOINT:
        assert bytes(offline.ctx) == bytes(kernel.ctx)
        assert type(offline.ctx) is type(kernel.ctx)


@pytest.mark.parametrize("data", ["text", 64])
def test_packets_are_bytes(data):
    with pytest.raises(KindError, match="expected the bytes of a packet"):
        VM(returning(ProgType.XDP, "r0 = 2")).run(data=data)


def test_refused_input_is_both_errors():
    vm = VM(returning(ProgType.XDP, "r0 = 2"))
    with pytest.raises(InputError, match="13 bytes of packet data") as caught:
        vm.run(data=bytes(13))
    assert isinstance(caught.value, SyscallError)
    assert isinstance(caught.value, SpecError)
    assert caught.value.errno == 22
    with pytest.raises(OverflowError, match="mark of struct __sk_buff has 32 bits"):
        VM(returning(ProgType.SCHED_CLS, "r0 = 2")).run(data=bytes(64), ctx={"mark": 1 << 32})
    with pytest.raises(SpecError, match="give addresses"):
        VM(returning(ProgType.RAW_TRACEPOINT, "r0 = 2")).run(ctx=["text"])
    with pytest.raises(InputError, match="KPROBE programs take no packet data"):
        VM(returning(ProgType.KPROBE, "r0 = 2")).run(data=bytes(64))
    with pytest.raises(InputError, match="no device 9"):
        VM(returning(ProgType.SCHED_CLS, "r0 = 2"), devices={3: 1500}).run(data=bytes(64), ctx={"ifindex": 9})


OPTIONS = (
    {},
    *({"repeat": n} for n in (0, 3, -1)),
    *({"flags": n} for n in (1, 2, 3, 4, 6, 8, 1 << 31)),
    *({"cpu": n} for n in (1, 9999)),
    *({"batch_size": n} for n in (1, 257)),
    *({"flags": 1, "cpu": n} for n in (1, 9999)),
    {"flags": 1, "cpu": 1, "repeat": 3},
    *({"flags": 2, "batch_size": n, "repeat": 5} for n in (0, 1, 256, 257)),
    {"flags": 2, "cpu": 1},
)
WITH_OPTIONS = {
    **{kind: (CGROUP.get(kind), {"data": FRAMES["IPv4 of 60"]}) for kind in TYPES},
    ProgType.FLOW_DISSECTOR: (AttachType.FLOW_DISSECTOR, {"data": FRAMES["IPv4 of 60"]}),
    ProgType.NETFILTER: (AttachType.NETFILTER, {"data": FRAMES["IPv4 of 60"]}),
    ProgType.SK_LOOKUP: (AttachType.SK_LOOKUP, {"ctx": {"family": 2}}),
    ProgType.SYSCALL: (None, {"ctx": bytes(8)}),
    ProgType.RAW_TRACEPOINT: (None, {"ctx": [1]}),
}


@pytest.mark.kernel
@pytest.mark.parametrize("kind", WITH_OPTIONS, ids=str)
def test_options(kind):
    attach, given = WITH_OPTIONS[kind]
    flags = 16 if kind == ProgType.SYSCALL else 0
    spec = ProgramSpec(asm.assemble("r0 = 1\nexit"), kind, license="GPL", expected_attach_type=attach, flags=flags)
    vm = VM(spec, cpus=2)
    with load(spec) as prog:
        for options in OPTIONS:
            for also in (given, {}):
                assert outcome(vm.run, **options, **also) == outcome(prog.test_run, **options, **also), (options, also)


def test_sums_of_packets_are_not_modelled():
    """What the flag asks for is refused by name where the answer would depend on it."""
    vm = VM(ProgramSpec(asm.assemble("r2 = 0\ncall bpf_csum_update\nexit"), ProgType.SCHED_CLS, license="GPL"))
    assert vm.run(data=FRAMES["IPv4 of 60"]).r0 == 2**64 - 524
    with pytest.raises(NotSupportedError, match="bpf_csum_update offline, of a packet with SKB_CHECKSUM_COMPLETE"):
        vm.run(data=FRAMES["IPv4 of 60"], flags=4)


@pytest.mark.kernel
def test_live_frames_are_whole_and_in_one_page():
    spec = returning(ProgType.XDP, "r0 = 1")
    vm = VM(spec)
    contexts = (
        None,
        {},
        *({"data": n} for n in (4, 40, 216, 220)),
        {"data_meta": 4},
        {"data_end": 40},
        {"egress_ifindex": 1},
    )
    with load(spec) as prog:
        for size in (0, 13, 14, 60, 3408, 3409, 3412, 3448, 3449, 3520, 3624, 3625, 9000):
            for ctx in contexts:
                given = {"data": bytes(size), "flags": 2, **({} if ctx is None else {"ctx": ctx})}
                assert outcome(vm.run, **given) == outcome(prog.test_run, **given), (size, ctx)


def test_each_live_frame_is_a_new_one():
    first = (
        "r2 = *(u32 *)(r1 + 0)\nr3 = *(u32 *)(r1 + 4)\nr4 = r2\nr4 += 14\nif r4 > r3 goto out\nr5 = *(u8 *)(r2 + 0)\n"
    )
    text = first + "r5 += 1\n*(u8 *)(r2 + 0) = r5\nr1 = r5\nr2 = 0\ncall bpf_redirect\nexit\nout:\nr0 = 0\nexit"
    vm = VM(ProgramSpec(asm.assemble(text), ProgType.XDP))
    assert vm.run(data=bytes(20), repeat=3).actions[-1][1] == 3
    result = vm.run(data=bytes(20), repeat=3, flags=2)
    assert ([a[1] for a in result.actions], result.retval, result.data, result.ctx) == ([1, 1, 1], 0, b"", None)


def test_a_raw_tracepoint_runs_on_the_cpu_that_is_named():
    vm = VM(ProgramSpec(asm.assemble("call bpf_get_smp_processor_id\nexit"), ProgType.RAW_TRACEPOINT), cpu=2)
    assert [vm.run(flags=1, cpu=3).retval, vm.run(flags=1, cpu=1).retval, vm.run().retval, vm.env.cpu] == [3, 1, 2, 2]
    with pytest.raises(InputError, match="cpu=4: this machine has 4"):
        vm.run(flags=1, cpu=4)


@pytest.mark.parametrize("data", ["text", 5, {}.keys, [1, 300], ["a"]], ids=type)
def test_what_is_no_packet(data):
    with pytest.raises(KindError, match="expected the bytes of a packet"):
        VM(returning(ProgType.XDP, "r0 = 1")).run(data=data)
