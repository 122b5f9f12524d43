"""A program of every kind that this kernel loads, each using what is particular to it; and the table of decorators."""

from __future__ import annotations

import pytest

import pybpf
from pybpf import (
    DevMap,
    HashMap,
    NfVerdict,
    ProgramSpec,
    SkAction,
    SkStorage,
    SpecError,
    StackTrace,
    TaskStorage,
    XdpAction,
    cgroup_connect6,
    cgroup_device,
    cgroup_getsockopt,
    cgroup_skb,
    cgroup_sysctl,
    char,
    flow_dissector,
    kfunc,
    kprobe,
    kretprobe,
    load,
    lwt_in,
    netfilter,
    perf_event,
    printk,
    program,
    s64,
    sched_cls,
    sk_lookup,
    sk_msg,
    tp_btf,
    tracepoint,
    u32,
    u64,
    xdp,
)
from pybpf import helpers as bpf
from pybpf.dsl.kinds import TABLE
from pybpf.net import IPv4
from pybpf.uapi import AttachType, ProgType

tasks = TaskStorage(u64)
sockets = SkStorage(u64)
devices = DevMap(max_entries=4)
stacks = StackTrace(max_entries=16)
counts = HashMap(u32, u64, max_entries=16)
rcu_lock, rcu_unlock = kfunc("bpf_rcu_read_lock"), kfunc("bpf_rcu_read_unlock")


@tp_btf("sched_switch")
def task_storage(ctx, preempt, prev, next):
    rcu_lock()
    n = tasks.get(next, create=True)
    if n is not None:
        n += 1
    if next.pid != 0 and prev.mm is not None:
        tasks.delete(prev)
    rcu_unlock()


@xdp
def redirect(ctx):
    return devices.redirect(ctx.rx_queue_index, XdpAction.PASS)


@cgroup_skb
def egress(skb):
    sk = skb.sk
    if sk is None:
        return 1
    n = sockets.get(sk, create=True)
    if n is not None:
        n += skb.len
    ip = skb.packet(IPv4)
    if ip is None:
        return 0
    return 1 if ip.ttl > 3 else 0


@cgroup_connect6
def connect6(ctx):
    ctx.user_ip6[3] = 1
    return 1


@sk_msg
def message(ctx):
    word = ctx.packet(u32)
    if word is None:
        return SkAction.PASS
    return SkAction.PASS if word != 0 else SkAction.DROP


@sk_lookup
def lookup(ctx):
    return 1 if ctx.local_port != 7 else 0


@netfilter
def hook(ctx):
    return NfVerdict.ACCEPT


@perf_event
def sampled(ctx):
    counts[1] = ctx.sample_period


@cgroup_device
def device(ctx):
    return 1 if ctx.major == 1 else 0


@cgroup_sysctl
def sysctl(ctx):
    return 1 if ctx.write == 0 else 0


@cgroup_getsockopt
def getsockopt(ctx):
    ctx.retval = 0
    return 1


@flow_dissector
def dissect(ctx):
    return 0


@lwt_in
def tunnel(ctx):
    return 0 if ctx.len > 10 else 2


@kprobe("do_sys_open")
def probed(ctx, dfd, name):
    text = char[32]()
    bpf.probe_read_kernel_str(text, name)
    printk(f"{text} {dfd}")


@kretprobe("do_sys_open")
def returned(ctx):
    if s64(ctx.retval) < 0:
        printk("failed")


@sched_cls
def checksums(skb):
    head = char[12]()
    total = bpf.csum_diff(None, 0, u32[2](1, 2), 8, 0)
    return u32(total) + u32(skb.load_bytes(0, head))


@tracepoint("sched/sched_switch")
def traces(ctx):
    where = stacks.stack_id()
    if where >= 0:
        counts[u32(where)] += 1


@program(ProgType.CGROUP_SOCK_ADDR, AttachType.CGROUP_INET4_BIND)
def underneath(ctx):
    return 1 if ctx.user_port != 80 else 0


PROGRAMS = [x for x in list(globals().values()) if isinstance(x, ProgramSpec)]


@pytest.mark.kernel
@pytest.mark.parametrize("spec", PROGRAMS, ids=lambda spec: spec.name)
def test_kernel_accepts(spec):
    load(spec).close()


@pytest.mark.parametrize("name", TABLE)
def test_decorators_are_public(name):
    decorator = getattr(pybpf, name)
    assert name in pybpf.__all__
    row = TABLE[name]
    spec = decorator("x")(lambda ctx: 0) if row[2] else decorator(lambda ctx: 0)
    assert (spec.prog_type, spec.expected_attach_type, spec.flags) == (row[0], row[1], row[3])
    assert spec.prog_type in list(ProgType)
    assert row[1] is None or row[1] in list(AttachType)


def test_options():
    @xdp(name="other", license="MIT", isa=1, kernel="6.18")
    def f(ctx):
        return XdpAction.PASS

    assert (f.name, f.license, f.isa) == ("other", "MIT", 1)
    assert f(None) == XdpAction.PASS
    assert f.replace(license="GPL").insns == f.insns
    assert f.replace(isa=4).isa == 4
    with pytest.raises(SpecError, match=r"isa=4: Linux 6\.5"):
        f.replace(isa=4, kernel="6.5")
