"""Sockets in programs: their fields, which forms they come in, and that look-ups are released; flow keys."""

from __future__ import annotations

import socket

import pytest

from pybpf import (
    VM,
    CompileError,
    SkStorage,
    SockHash,
    SockMap,
    Struct,
    be16,
    be32,
    cgroup_connect4,
    cgroup_egress,
    cgroup_getsockopt,
    flow_dissector,
    load,
    netfilter,
    sched_cls,
    sk_lookup,
    sk_msg,
    sk_reuseport,
    sock_ops,
    u32,
    u64,
    verify,
)
from pybpf import helpers as bpf
from pybpf.uapi import __sk_buff as uapi_skb
from pybpf.verifier import Env
from pybpf.vm import PseudoSocket

ANY_NETNS = (1 << 64) - 1


class Flow(Struct):
    saddr: be32
    daddr: be32
    sport: be16
    dport: be16


sockets = SockMap(4)
storage = SkStorage(u64)


@sched_cls
def listener(skb):
    flow = Flow(daddr=0x7F000001, dport=skb.mark & 0xFFFF)
    if skb.priority == 1:
        sk = bpf.sk_lookup_udp(skb, flow, ANY_NETNS)
    else:
        sk = bpf.sk_lookup_tcp(skb, flow, ANY_NETNS)
    if sk is None:
        return 0
    found = sk.state * 1000 + (sk.src_ip4 >> 24) + sk.family
    sk.release()
    return found


@pytest.mark.kernel
def test_a_listening_socket_is_found_and_read():
    with socket.create_server(("127.0.0.1", 0)) as server, load(listener) as prog:
        ctx = uapi_skb(mark=server.getsockname()[1])
        assert prog.test_run(data=bytes(64), ctx=ctx).retval == 10 * 1000 + 127 + 2
        ctx.priority = 1
        assert prog.test_run(data=bytes(64), ctx=ctx).retval == 0


def test_the_machine_finds_pseudo_sockets():
    vm = VM(listener)
    vm.env.sockets.append(PseudoSocket(family=2, src_ip4="127.0.0.1", src_port=80, listening=True, protocol=6))
    assert vm.run(data=bytes(64), ctx={"mark": 80}).retval == 10 * 1000 + 127 + 2


@sched_cls
def forms(skb):
    sk = skb.sk
    if sk is None:
        return 1
    if sk.family != 2:
        return 2
    full = bpf.sk_fullsock(sk)
    if full is None:
        return 3
    skb.mark = full.mark + full.priority
    tcp = bpf.tcp_sock(full)
    if tcp is None:
        return 4
    return u32(tcp.bytes_acked) + tcp.snd_cwnd + sk.src_port + sk.dst_port + sk.src_ip6[3] + full.protocol


@sched_cls
def perhaps(skb):
    flow = Flow()
    sk = None
    if skb.mark > 2:
        sk = bpf.skc_lookup_tcp(skb, flow, ANY_NETNS)
    if sk is None:
        return 5
    full = bpf.sk_fullsock(sk)
    if full is not None:
        skb.mark = full.mark
    bpf.sk_release(sk)
    return 0


@flow_dissector
def dissect(skb):
    keys = skb.flow_keys
    keys.nhoff, keys.thoff = 14, 34
    keys.n_proto = keys.addr_proto = 0x800
    keys.ipv4_src = 0x0A000001
    keys.sport = 53
    keys.ipv6_src[1] = 4
    return 1 if keys.is_encap or keys.flags & 1 else 0


@sk_lookup
def steer(ctx):
    chosen = sockets.get(0)
    if chosen is None:
        return 1
    failed = bpf.sk_assign(ctx, chosen, 0)
    chosen.release()
    if ctx.sk is None:
        return 1
    return 0 if failed else 1


@cgroup_connect4
def connects(ctx):
    return 0 if ctx.sk.mark == 5 and ctx.sk.protocol != 6 else 1


@sock_ops
def operations(ctx):
    sk = ctx.sk
    if sk is None:
        return 0
    tcp = bpf.tcp_sock(sk)
    return 1 if tcp is not None and tcp.snd_cwnd < 10 else 0


@cgroup_getsockopt
def options(ctx):
    tcp = bpf.tcp_sock(ctx.sk)
    return 0 if tcp is not None and ctx.sk.family == 2 and tcp.snd_cwnd < 3 else 1


@sk_reuseport
def reuse(ctx):
    return 0 if ctx.sk.family == 10 else 1


@sk_msg
def message(ctx):
    return 0 if ctx.sk.family == 2 and ctx.remote_port == 80 else 1


@netfilter
def hook(ctx):
    if ctx.skb.len > 100:
        return 0
    return 1 if ctx.state.hook == 1 else ctx.state.pf & 1


@cgroup_egress
def count(skb):
    if skb.sk is None:
        return 1
    sk = bpf.sk_fullsock(skb.sk)
    if sk is None:
        return 1
    n = storage.get(sk, create=True)
    if n is not None:
        n += 1
    return 1


by_index, by_port = SockMap(4), SockHash(u32, 4)


@sock_ops
def keeps(ctx):
    if ctx.op == 4:  # BPF_SOCK_OPS_ACTIVE_ESTABLISHED_CB
        if by_index.update(0, ctx) < 0 or by_port.update(ctx.remote_port, ctx, 1) < 0:
            ctx.reply = 1
    elif ctx.op == 9:
        by_index.delete(0)
    return 1


@sched_cls
def finds(skb):
    sk = bpf.sk_lookup_tcp(skb, Flow(), ANY_NETNS)
    if sk is not None:
        by_index.update(1, sk)
        sk.release()
    return 0


@pytest.mark.kernel
@pytest.mark.parametrize("spec", [keeps, finds])
def test_sockets_are_put_into_maps(spec):
    assert verify(spec).ok
    load(spec).close()


def test_other_things_are_not_put_into_maps_of_sockets():
    @sock_ops
    def wrong(ctx):
        by_index.update(0, 5)
        return 1

    with pytest.raises(CompileError, match="takes the context of a sock_ops program, or a socket, and not 5"):
        wrong.insns  # noqa: B018


@pytest.mark.kernel
@pytest.mark.parametrize(
    "spec",
    [forms, perhaps, dissect, steer, connects, operations, options, reuse, message, hook, count],
    ids=repr,
)
@pytest.mark.parametrize("isa", [1, 3])
def test_the_kernel_accepts(spec, isa):
    spec = spec.replace(isa=isa)
    assert verify(spec, env=Env.here()).ok
    load(spec).close()


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ("sk = bpf.sk_lookup_tcp(ctx, Flow(), ANY_NETNS)\nreturn 0", "sk_lookup_tcp gave at line 2 is not released"),
        ("sk = ctx.sk\nreturn sk.family", "may be None here"),
        ("sk = ctx.sk\nif sk is None:\n    return 0\nreturn sk.mark", "bpf.sk_fullsock(sk) gives the full socket"),
        ("sk = ctx.sk\nif sk is None:\n    return 0\nreturn sk.port", "it has bound_dev_if, family, src_ip4"),
        ("sk = ctx.sk\nif sk is None:\n    return 0\nsk.family = 3\nreturn 0", "is read-only here"),
        ("sk = ctx.sk\nif sk is None:\n    return 0\nsk.release()\nreturn 0", "belongs to the kernel"),
        (
            "sk = bpf.sk_lookup_tcp(ctx, Flow(), ANY_NETNS)\nif sk is None:\n    return 0\nsk.release()\nreturn sk.state",
            "was already released",
        ),
        (
            (
                "sk = bpf.skc_lookup_tcp(ctx, Flow(), ANY_NETNS)\nif sk is None:\n    return 0\n"
                "full = bpf.sk_fullsock(sk)\nsk.release()\nif full is None:\n    return 0\nreturn full.mark"
            ),
            "was already released",
        ),
        (
            "sk = None\nif ctx.mark > 1:\n    sk = bpf.sk_lookup_tcp(ctx, Flow(), ANY_NETNS)\nreturn 0",
            "sk_lookup_tcp gave at line 4 is not released",
        ),
    ],
)
def test_misuse_is_refused(body, told):
    text = "def f(ctx):\n" + "".join(f"    {line}\n" for line in body.splitlines())
    scope = dict(globals())
    exec(compile(text, "<snippet>", "exec"), scope)
    with pytest.raises(CompileError) as caught:
        _ = sched_cls(source=text)(scope["f"]).insns
    assert told in caught.value.message
    assert "^" in str(caught.value)
