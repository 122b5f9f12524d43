"""Network programs as users of libbpf write them: the XDP tutorial, a load balancer, tc, cgroups, sockets, iterators."""

from __future__ import annotations

import ipaddress
import socket

from pybpf import (
    Array,
    CpuMap,
    DevMap,
    HashMap,
    LruHashMap,
    NfVerdict,
    PerCpuArray,
    ReuseportSockArray,
    SkAction,
    SockHash,
    SockMap,
    Struct,
    TcAction,
    TcxAction,
    UserRingBuf,
    XdpAction,
    XskMap,
    be16,
    be32,
    bpf_iter,
    bpf_syscall,
    cgroup_bind4,
    cgroup_connect4,
    cgroup_connect6,
    cgroup_device,
    cgroup_egress,
    cgroup_getsockopt,
    cgroup_ingress,
    cgroup_post_bind4,
    cgroup_sendmsg4,
    cgroup_setsockopt,
    cgroup_sock_create,
    cgroup_sysctl,
    char,
    flow_dissector,
    lwt_in,
    lwt_out,
    lwt_seg6local,
    lwt_xmit,
    netfilter,
    raw_tracepoint,
    sk_lookup,
    sk_msg,
    sk_reuseport,
    sk_skb,
    sk_skb_parser,
    sk_skb_verdict,
    sock_ops,
    socket_filter,
    swap16,
    swap32,
    tc,
    tcx_egress,
    tcx_ingress,
    u8,
    u16,
    u32,
    u64,
    xdp,
    xdp_cpumap,
    xdp_devmap,
    xdp_frags,
)
from pybpf import helpers as bpf
from pybpf.net import (
    ETH_P_8021AD,
    ETH_P_8021Q,
    ETH_P_IP,
    ETH_P_IPV6,
    IPPROTO_ICMP,
    IPPROTO_ICMPV6,
    IPPROTO_IPIP,
    IPPROTO_TCP,
    IPPROTO_UDP,
    Ethernet,
    IPv4,
    IPv6,
    Tcp,
    Udp,
)


# ---- XDP tutorial
class Datarec(Struct):
    rx_packets: u64
    rx_bytes: u64


xdp_stats = PerCpuArray(Datarec, max_entries=5)


def record(ctx, action):
    rec = xdp_stats.get(action)
    if rec is None:
        return XdpAction.ABORTED
    rec.rx_packets += 1
    rec.rx_bytes += len(ctx)
    return action


@xdp
def basic03(ctx):
    return record(ctx, XdpAction.PASS)


class IcmpEcho(Struct):
    type: u8
    code: u8
    check: be16
    id: be16
    seq: be16


@xdp
def packet01(ctx):
    action = XdpAction.PASS
    eth = ctx.packet(Ethernet)
    if eth is None:
        return record(ctx, XdpAction.ABORTED)
    if eth.type == ETH_P_IPV6:
        ip6 = ctx.packet(IPv6, after=eth)
        if ip6 is None or ip6.next_header != IPPROTO_ICMPV6:
            return record(ctx, action)
        ic = ctx.packet(IcmpEcho, after=ip6)
        if ic is not None and ic.seq % 2 == 0:
            action = XdpAction.DROP
    elif eth.type == ETH_P_IP:
        ip = ctx.packet(IPv4, after=eth)
        if ip is None:
            return XdpAction.PASS
        ic = ctx.packet(IcmpEcho, at=14 + ip.ihl * 4)
        if ic is not None and ic.seq % 2 == 0:
            action = XdpAction.DROP
    return record(ctx, action)


class VlanHdr(Struct):
    tci: be16
    proto: be16


@xdp
def vlans(ctx):
    eth = ctx.packet(Ethernet)
    if eth is None:
        return 2
    proto = eth.type
    off = 14
    for _layer in range(4):
        if proto != ETH_P_8021Q and proto != ETH_P_8021AD:
            break
        v = ctx.packet(VlanHdr, at=off)
        if v is None:
            return 2
        proto = v.proto
        off += 4
    if proto == ETH_P_IP:
        ip = ctx.packet(IPv4, at=off)
        if ip is None:
            return 2
        if ip.protocol == IPPROTO_TCP:
            t = ctx.packet(Tcp, at=off + ip.ihl * 4)
            if t is None:
                return 2
            if t.dest == 80:
                return 1
    return 2


@xdp
def swap_ports(ctx):
    eth = ctx.packet(Ethernet)
    if eth is None:
        return 2
    ip = ctx.packet(IPv4, after=eth)
    if ip is None:
        return 2
    udp = ctx.packet(Udp, at=14 + ip.ihl * 4)
    if udp is None:
        return 2
    udp.source, udp.dest = udp.dest, udp.source
    ip.saddr, ip.daddr = ip.daddr, ip.saddr
    eth.src, eth.dst = eth.dst, eth.src
    return XdpAction.TX


tx_port = DevMap(max_entries=256)
redirect_params = HashMap(u8[6], u8[6], max_entries=16)


@xdp
def packet03(ctx):
    eth = ctx.packet(Ethernet)
    if eth is None:
        return 2
    dst = redirect_params.get(eth.src)
    if dst is None:
        return 2
    eth.dst = dst
    return tx_port.redirect(0)


# --- L4 LB katran-like
class VipKey(Struct):
    vip: be32
    port: be16
    proto: u8
    pad: u8


class Vip(Struct):
    flags: u32
    num: u32


class Flow(Struct):
    src: be32
    dst: be32
    sport: be16
    dport: be16
    proto: u8
    pad: u8[3]


class Real(Struct):
    dst: be32
    flags: u8
    pad: u8[3]


vips = HashMap(VipKey, Vip, max_entries=512)
ring_ = Array(u32, max_entries=65537)
reals = Array(Real, max_entries=4096)
conns = LruHashMap(Flow, u32, max_entries=10000)
lb_stats = PerCpuArray(Datarec, max_entries=512)


def jhash3(a, b, c):
    a = u32(a) + 0xDEADBEF3
    b = u32(b) + 0xDEADBEF3
    c = u32(c) + 0xDEADBEF3
    c ^= b
    c -= (b << 14) | (b >> 18)
    a ^= c
    a -= (c << 11) | (c >> 21)
    b ^= a
    b -= (a << 25) | (a >> 7)
    c ^= b
    c -= (b << 16) | (b >> 16)
    return c


def csum_fold(csum):
    csum = (csum & 0xFFFF) + (csum >> 16)
    csum = (csum & 0xFFFF) + (csum >> 16)
    return ~csum & 0xFFFF


@xdp
def balancer(ctx):
    eth = ctx.packet(Ethernet)
    if eth is None or eth.type != ETH_P_IP:
        return XdpAction.PASS
    ip = ctx.packet(IPv4, after=eth)
    if ip is None or ip.ihl != 5:
        return XdpAction.PASS
    if ip.protocol not in (IPPROTO_TCP, IPPROTO_UDP):
        return XdpAction.PASS
    l4 = ctx.packet(Udp, after=ip)
    if l4 is None:
        return XdpAction.DROP
    vip = vips.get(VipKey(ip.daddr, l4.dest, ip.protocol))
    if vip is None:
        return XdpAction.PASS
    flow = Flow(ip.saddr, ip.daddr, l4.source, l4.dest, ip.protocol)
    cached = conns.get(flow)
    if cached is None:
        hsh = jhash3(ip.saddr, (l4.source << 16) | l4.dest, 7)
        idx = ring_.get(hsh % 65537)
        if idx is None:
            return XdpAction.DROP
        real_no = idx
        conns[flow] = real_no
    else:
        real_no = cached
    real = reals.get(real_no)
    if real is None:
        return XdpAction.DROP
    total = ip.length
    saddr = ip.saddr
    if ctx.adjust_head(-20) < 0:
        return XdpAction.DROP
    neweth = ctx.packet(Ethernet)
    oldeth = ctx.packet(Ethernet, at=20)
    if neweth is None or oldeth is None:
        return XdpAction.DROP
    neweth.dst = oldeth.dst
    neweth.src = oldeth.src
    neweth.type = ETH_P_IP
    outer = ctx.packet(IPv4, after=neweth)
    if outer is None:
        return XdpAction.DROP
    outer.version = 4
    outer.ihl = 5
    outer.tos = 0
    outer.length = u16(total + 20)
    outer.id = 0
    outer.ttl = 64
    outer.protocol = IPPROTO_IPIP
    outer.check = 0
    outer.saddr = saddr
    outer.daddr = real.dst
    s = lb_stats.get(3)
    if s is not None:
        s.rx_packets += 1
        s.rx_bytes += total
    return XdpAction.TX


# --- tc
@tc
def tc_mark(skb):
    if skb.protocol == ETH_P_IP:
        skb.mark = 7
    skb.tc_index = 3
    skb.cb[0] = 5
    skb.priority = skb.cb[0] + 1
    return TcAction.OK


@tc
def tc_ip_len(skb):
    ip = skb.packet(IPv4, at=14)
    if ip is None:
        if bpf.skb_pull_data(skb, 34) < 0:
            return TcAction.SHOT
        ip = skb.packet(IPv4, at=14)
        if ip is None:
            return TcAction.SHOT
    skb.tc_classid = ip.length
    return 0


@tc
def tc_nat(skb):
    ip = skb.packet(IPv4, at=14)
    if ip is None or ip.daddr != int(ipaddress.ip_address("10.0.0.1")):
        return 0
    old = swap32(ip.daddr)
    new = swap32(int(ipaddress.ip_address("10.0.0.2")))
    bpf.l4_csum_replace(skb, 14 + 20 + 16, old, new, 0x10 | 4)
    bpf.l3_csum_replace(skb, 14 + 10, old, new, 4)
    bpf.skb_store_bytes(skb, 14 + 16, u32(new), 4, 0)
    return bpf.redirect(skb.ifindex, 1)


@tc
def tc_vlan(skb):
    if skb.vlan_present:
        bpf.skb_vlan_pop(skb)
    else:
        skb.vlan_push(swap16(ETH_P_8021Q), 100)
    return 0


class TunnelKey(Struct):
    tunnel_id: u32
    remote_ipv4: u32
    rest: u8[20]


@tc
def tc_tunnel(skb):
    k = TunnelKey(tunnel_id=2, remote_ipv4=0x0A000001)
    if skb.set_tunnel_key(k, 0) < 0:
        return 2
    return 0


@tcx_ingress
def tcx(skb):
    return TcxAction.NEXT if skb.len < 1500 else TcxAction.DROP


@tcx_egress
def tcx_e(skb):
    skb.tstamp = bpf.ktime_get_ns() + 1000
    return -1


# EDT pacing
class Edt(Struct):
    last: u64


edt = HashMap(u32, u64, max_entries=100)


@tc
def pace(skb):
    delay = skb.len * 1000000000 // 5000000
    now = bpf.ktime_get_ns()
    last = edt.get(skb.mark)
    if last is None:
        edt[skb.mark] = now
        return 0
    nxt = last + delay
    if skb.tstamp > now:
        now = skb.tstamp
    if nxt <= now:
        edt[skb.mark] = now
        return 0
    if nxt - now >= 2_000_000_000:
        return TcAction.SHOT
    edt[skb.mark] = nxt
    skb.tstamp = nxt
    return 0


# cgroup
@cgroup_ingress
def cg_in(skb):
    ip = skb.packet(IPv4)
    if ip is None:
        return 1
    return 0 if ip.protocol == IPPROTO_ICMP else 1


@cgroup_egress
def cg_eg(skb):
    cg_bytes[skb.cgroup_id()] += skb.len
    return True


cg_bytes = HashMap(u64, u64, max_entries=100)


@cgroup_connect4
def c4(ctx):
    if ctx.user_port == 80 and ctx.user_ip4 == 0x7F000001:
        ctx.user_port = 8080
    return 1


@cgroup_connect6
def c6(ctx):
    if ctx.user_ip6[3] == 1:
        ctx.user_ip6[3] = 2
    return 1


@cgroup_sendmsg4
def sm(ctx):
    ctx.user_ip4 = 0x0A000001
    return 1


@cgroup_bind4
def b4(ctx):
    return 0 if ctx.user_port < 1024 else 1


@cgroup_post_bind4
def pb(ctx):
    return 1 if ctx.src_port > 1024 else 0


@cgroup_sock_create
def sc(ctx):
    if ctx.type == socket.SOCK_RAW:
        return 0
    ctx.mark = 5
    return 1


@cgroup_device
def dev(ctx):
    if (ctx.access_type & 0xFFFF) == 2 and ctx.major == 1 and ctx.minor in (3, 5, 8, 9):
        return 1
    return 0


@cgroup_sysctl
def sysctl(ctx):
    name = char[32]()
    n = ctx.get_name(name, 0)
    if n > 0 and name[0] == b"n":
        return 0
    return 0 if ctx.write else 1


@cgroup_getsockopt
def gso(ctx):
    if ctx.level == 6 and ctx.optname == 13:
        ctx.retval = 0
        b = ctx.packet(u32)
        if b is not None:
            b.value = 5
    return 1


@cgroup_setsockopt
def sso(ctx):
    if ctx.optname == 5:
        return 0
    ctx.optlen = -1
    return 1


# sockops
socks = SockHash(Flow, max_entries=1000)


@sock_ops
def so(ctx):
    match ctx.op:
        case 4 | 5:
            f = Flow(ctx.remote_ip4, ctx.local_ip4, u16(ctx.remote_port), u16(ctx.local_port), 6)
            bpf.sock_hash_update(ctx, socks, f, 1)
        case 1:
            ctx.reply = 100
        case 3:
            v = u32(10)
            bpf.setsockopt(ctx, 6, 18, v)
    return 1


@sk_msg
def skm(msg):
    f = Flow(msg.local_ip4, msg.remote_ip4, u16(msg.local_port), u16(msg.remote_port), 6)
    return socks.redirect(f, 1)


smap = SockMap(max_entries=2)


@sk_skb_verdict
def skv(skb):
    return smap.redirect(skb, 0)


@sk_skb_parser
def skp(skb):
    return skb.len


@sk_skb
def skb_v(skb):
    return smap.redirect(0, 1)


@sk_msg
def skm2(msg):
    bpf.msg_apply_bytes(msg, 100)
    h = msg.packet(u8[4])
    if h is None:
        return SkAction.DROP
    return SkAction.PASS if h[0] == 0x47 else SkAction.DROP


@sk_lookup
def lk(ctx):
    if ctx.local_port != 7777:
        return 1
    sk = smap.get(0)
    if sk is None:
        return 1
    err = bpf.sk_assign(ctx, sk, 0)
    sk.release()
    return SkAction.DROP if err else SkAction.PASS


@sk_reuseport
def ru(ctx):
    i = u32(ctx.hash % 2)
    if bpf.sk_select_reuseport(ctx, rsa, i) == 0:
        return 1
    return 0


rsa = ReuseportSockArray(max_entries=2)


@flow_dissector
def fd(skb):
    k = skb.flow_keys
    ip = skb.packet(IPv4, at=k.nhoff)
    if ip is None:
        return 1
    k.thoff = u16(k.nhoff + ip.ihl * 4)
    k.ip_proto = ip.protocol
    k.n_proto = ETH_P_IP
    k.ipv4_src = ip.saddr
    k.ipv4_dst = ip.daddr
    return 0


@netfilter
def nf(ctx):
    if ctx.skb.len > 1000:
        return NfVerdict.DROP
    return NfVerdict.ACCEPT


@netfilter
def nf2(ctx):
    if ctx.state.hook == 1 and ctx.state.in_.ifindex == 1:
        return 0
    return 1


@socket_filter
def sf(skb):
    proto = skb.load_half(12)
    if proto != ETH_P_IP:
        return 0
    if skb.load_byte(23) == 17 and skb.load_half(14 + (skb.load_byte(14) & 15) * 4 + 2) == 53:
        return skb.len
    return 0


@bpf_syscall
def sysc(ctx):
    return 7


@lwt_in
def lwi(skb):
    ip = skb.packet(IPv4)
    if ip is None:
        return 2
    return 0


@lwt_xmit
def lwx(skb):
    ip = skb.packet(IPv4)
    if ip is None:
        return 2
    ip.ttl -= 1
    return 0


@lwt_out
def lwo(skb):
    return 0


@lwt_seg6local
def s6(skb):
    return 0


@xdp_cpumap
def xc(ctx):
    return 2


@xdp_devmap
def xd(ctx):
    return 2 if ctx.egress_ifindex == 3 else 1


cpus = CpuMap(max_entries=8)
xsks = XskMap(max_entries=64)


@xdp
def tocpu(ctx):
    return cpus.redirect(bpf.get_smp_processor_id() & 7)


@xdp
def toxsk(ctx):
    if ctx.rx_queue_index in xsks:
        return xsks.redirect(ctx.rx_queue_index)
    return xsks.redirect(ctx.rx_queue_index, XdpAction.PASS)


@xdp_frags
def fr(ctx):
    b = u8[16]()
    bpf.xdp_load_bytes(ctx, 0, b)
    return 2 if b[12] == 8 else 1


urb = UserRingBuf(size=4096)


class Cmd(Struct):
    a: u32
    b: u32


def on_cmd(dynptr, ctx):
    c = Cmd()
    bpf.dynptr_read(c, dynptr, 0)
    counts[c.a] += c.b
    return 0


counts = HashMap(u32, u64, max_entries=10)


@raw_tracepoint("sys_enter")
def drain(ctx):
    urb.drain(on_cmd)
    return 0


@raw_tracepoint("sys_enter")
def drain2(ctx):
    bpf.user_ringbuf_drain(urb, on_cmd, None)
    return 0


@bpf_iter("task")
def it(ctx):
    t = ctx.task
    if t is None:
        return 0
    ctx.printf(f"{t.pid} {t.comm}\n")
    return 0


@bpf_iter("bpf_map")
def itm(ctx):
    m = ctx.map
    if m is None:
        return 0
    ctx.printf(f"{m.id} {m.name}\n")
    return 0


def on_cmd2(rec, ctx):
    c = rec.data(Cmd)
    if c is None:
        return 1
    counts[c.a] += c.b
    return 0


@raw_tracepoint("sys_enter")
def drain3(ctx):
    n = urb.drain(on_cmd2)
    if n < 0:
        return 0
    counts[7] += n
    return 0
