"""Helpers whose answers a test gives: tunnels, sockets, counters, stacks, paths."""

from __future__ import annotations

import pytest

from pybpf import VM, PerfEventArray, ProgramSpec, asm
from pybpf.uapi import ProgType, bpf_tunnel_key, bpf_xfrm_state
from pybpf.vm import PseudoSocket

ENGINES = ("interpreter", "translator")
FRAME = bytes(12) + b"\x08\x00" + bytes([0x45, 0, 0, 40, 0, 0, 0, 0, 64, 6, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2]) + bytes(20)
ARGUMENT = "r{0} = r10\nr{0} += -{1}\n"


def run(text: str, prog_type: ProgType = ProgType.SCHED_CLS, data: bytes | None = FRAME, ctx=None, maps=None, **env):
    spec = ProgramSpec(asm.assemble(text + "\nexit"), prog_type, maps=maps or {}, license="GPL")
    results = []
    for engine in ENGINES:
        vm = VM(spec, engine=engine, **env)
        results.append((vm, vm.run(data=data, ctx=ctx)))
    assert results[0][1].r0 == results[1][1].r0
    return results[0]


def test_tunnel_keys():
    get = "r2 = r10\nr2 += -44\nr3 = 44\nr4 = 0\ncall bpf_skb_get_tunnel_key\n"
    assert run(get)[1].r0 == (-22) & (1 << 64) - 1
    vm, result = run(get + "r0 = *(u32 *)(r10 - 44)", tunnel_key=bpf_tunnel_key(tunnel_id=77))
    assert result.retval == 77
    put = "*(u32 *)(r10 - 44) = 5\nr2 = r10\nr2 += -44\nr3 = 4\nr4 = 0\ncall bpf_skb_set_tunnel_key"
    vm, result = run(put)
    assert vm.env.tunnel_key.tunnel_id == 5
    assert result.actions[0][0] == "tunnel_key"
    options = "r2 = r10\nr2 += -8\nr3 = 8\ncall bpf_skb_get_tunnel_opt\n"
    assert run(options, tunnel_options=b"abcd")[1].retval == 4
    assert run(options)[1].r0 == (-2) & (1 << 64) - 1
    state = "r2 = 0\nr3 = r10\nr3 += -28\nr4 = 28\nr5 = 0\ncall bpf_skb_get_xfrm_state\nr0 = *(u32 *)(r10 - 24)"
    assert run(state, xfrm_states=[bpf_xfrm_state(spi=9)])[1].retval == 9


def test_encapsulation():
    text = "*(u32 *)(r10 - 20) = 0x45\nr2 = 2\nr3 = r10\nr3 += -20\nr4 = 20\ncall bpf_lwt_push_encap"
    _, result = run(text, ProgType.LWT_XMIT)
    assert result.retval == 0
    assert result.data[14:18] == b"\x45\0\0\0"
    assert len(result.data) == len(FRAME) + 20


LOOKUP = """
    r6 = r1
    *(u32 *)(r10 - 12) = 0x0100000a
    *(u32 *)(r10 - 8) = 0x0200000a
    *(u32 *)(r10 - 4) = 0x5000d204
    r1 = r6
    r2 = r10
    r2 += -12
    r3 = 12
    r4 = -1
    r5 = 0
    call bpf_sk{c}_lookup_tcp
    if r0 == 0 goto out
    r7 = r0
    r8 = *(u32 *)(r7 + 44)
    r1 = r7
    call bpf_tcp_sock
    if r0 == 0 goto out
    r0 = *(u32 *)(r0 + 0)
    r8 <<= 16
    r0 |= r8
out:
    r0 = r0
"""


@pytest.mark.parametrize("kind", ["", "c"])
def test_sockets_are_found_as_the_kernel_looks(kind):
    """10.0.0.1:1234 to 10.0.0.2:80: the connection, else who listens at the address, else who listens at any."""
    connected = PseudoSocket(
        family=2, protocol=6, src_ip4="10.0.0.2", src_port=80, dst_ip4="10.0.0.1", dst_port=1234, tcp={"snd_cwnd": 7}
    )
    here = PseudoSocket(family=2, protocol=6, src_ip4="10.0.0.2", src_port=80, listening=True, tcp={"snd_cwnd": 8})
    anywhere = PseudoSocket(family=2, protocol=6, src_port=80, listening=True, tcp={"snd_cwnd": 9})
    others = [
        PseudoSocket(family=2, protocol=17, src_port=80),
        PseudoSocket(family=2, protocol=6, src_port=81),
        PseudoSocket(family=10, protocol=6, src_port=80),
    ]
    text = LOOKUP.format(c=kind)
    assert run(text, sockets=[*others, anywhere, here, connected])[1].retval & 0xFFFF == 7
    assert run(text, sockets=[*others, anywhere, here])[1].retval & 0xFFFF == 8
    assert run(text, sockets=[*others, anywhere])[1].retval & 0xFFFF == 9
    assert run(text, sockets=others)[1].retval == 0
    port_in_network_order = text.replace("(r7 + 44)", "(r7 + 48)").replace("u32 *)(r7", "u16 *)(r7")
    assert run(port_in_network_order, sockets=[connected])[1].retval >> 16 == 0xD204


def test_counters_branches_stacks_paths():
    value = "r2 = r10\nr2 += -24\nr3 = 24\ncall bpf_perf_prog_read_value\nr0 = *(u64 *)(r10 - 16)"
    assert run(value, ProgType.PERF_EVENT, None, counters=(1, 22, 333))[1].retval == 22
    branches = "r2 = r10\nr2 += -24\nr3 = 24\nr4 = 0\ncall bpf_read_branch_records"
    assert run(branches, ProgType.PERF_EVENT, None, branches=bytes(48))[1].retval == 24
    stack = "call bpf_get_current_task\nr1 = r0\nr2 = r10\nr2 += -16\nr3 = 16\nr4 = 0\ncall bpf_get_task_stack"
    assert run(stack, ProgType.KPROBE, None, stack=[1, 2, 3])[1].retval == 16
    path = "r1 = 4096\nr2 = r10\nr2 += -16\nr3 = 16\ncall bpf_d_path"
    assert run(path, ProgType.TRACING, None, paths={4096: "/bin/ls"})[1].retval == 8


def test_records_of_traced_packets():
    events = PerfEventArray(max_entries=4, name="events")
    text = "*(u32 *)(r10 - 4) = 7\nr1 = 0\nr2 = events ll\nr3 = 0xffffffff ll\nr4 = r10\nr4 += -4\nr5 = 4\ncall bpf_{}"
    for name, prog_type in (("skb_output", ProgType.TRACING), ("xdp_output", ProgType.TRACING)):
        vm, result = run(text.format(name), prog_type, None, maps={"events": events})
        assert result.retval == 0
        assert vm[events].drain() == [(7).to_bytes(4, "little")]


def test_keys_of_remote_controls():
    _, result = run("r2 = 1\nr3 = 0x1234\nr4 = 0\ncall bpf_rc_keydown\nr0 = 0", ProgType.LIRC_MODE2, None, bytes(4))
    assert result.actions == [("rc_keydown", 1, 0x1234, 0)]
