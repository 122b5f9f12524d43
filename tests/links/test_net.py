"""Network hooks, with packets: XDP, tc in both mechanisms, routes, netfilter, namespaces."""

from __future__ import annotations

import contextlib
import os
import socket
import struct
import subprocess
import threading
import time
from pathlib import Path

import pytest

from pybpf import NotSupportedError, SockMap, SpecError, SyscallError, features, load
from pybpf.dsl.kinds import program
from pybpf.links import tc, xdp
from pybpf.uapi import AttachType, LinkType, ProgType

pytestmark = pytest.mark.kernel
PASS, DROP = 2, 1


def need(have, *args):
    if not have(*args):
        pytest.skip(f"this kernel has no {args[0]!r}")


def attached_here(name):
    """What `ip` shows of XDP on an interface."""
    return "prog/xdp" in subprocess.run(["ip", "link", "show", name], capture_output=True, text=True).stdout


@pytest.fixture
def arrivals(pair):
    """Send datagrams from the peer; how many reached a socket here."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind((pair.here, 9))
        sock.settimeout(0.3)

        def send(count=3):
            pair.ping(count)
            got = 0
            try:
                while sock.recv(100):
                    got += 1
            except TimeoutError:
                return got

        assert send(1) == 1
        yield send


# -- XDP ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["", "generic", "native"])
def test_xdp_drops_until_it_is_detached(pair, arrivals, counting, mode):
    need(features.have_link_type, LinkType.XDP)
    prog, hits = counting(ProgType.XDP, AttachType.XDP, returns=DROP)
    with prog.attach(pair.name, mode=mode) as link:
        assert arrivals() == 0
        assert hits() >= 3
        assert link.info.type == LinkType.XDP
    assert arrivals() == 3


def test_xdp_is_replaced_in_place(pair, arrivals, counting):
    need(features.have_link_type, LinkType.XDP)
    dropping, _ = counting(ProgType.XDP, AttachType.XDP, returns=DROP)
    passing, hits = counting(ProgType.XDP, AttachType.XDP, returns=PASS)
    with dropping.attach(pair.name) as link:
        link.update(passing, old=dropping)
        assert arrivals() == 3
        assert hits() >= 3
        with pytest.raises(SyscallError):
            link.update(passing, old=dropping)


def test_xdp_over_netlink(pair, arrivals, counting):
    pytest.importorskip("pyroute2")
    prog, _ = counting(ProgType.XDP, AttachType.XDP, returns=DROP)
    with prog.attach(pair.name, mode="generic", mechanism="netlink"):
        assert arrivals() == 0
        with pytest.raises(NotSupportedError, match="older than links"):
            prog.links[-1].pin("/sys/fs/bpf/x")
    assert arrivals() == 3
    assert not attached_here(pair.name)


def test_xdp_over_netlink_can_be_cleaned_up(pair, killed):
    pytest.importorskip("pyroute2")
    kill = killed(f"""
        from pybpf import load, xdp
        @xdp
        def drop(ctx):
            return 1
        prog = load(drop)
        link = prog.attach({pair.name!r}, mode="generic", mechanism="netlink")
    """)
    kill()
    assert attached_here(pair.name)
    xdp.detach(pair.name, mode="generic")
    assert not attached_here(pair.name)


def test_xdp_link_ends_with_the_process(pair, killed):
    need(features.have_link_type, LinkType.XDP)
    kill = killed(f"""
        from pybpf import load, xdp
        @xdp
        def drop(ctx):
            return 1
        prog = load(drop)
        link = prog.attach({pair.name!r})
    """)
    assert attached_here(pair.name)
    kill()
    assert not attached_here(pair.name)


def test_xdp_errors_name_the_interface(counting):
    prog, _ = counting(ProgType.XDP, AttachType.XDP, returns=PASS)
    with pytest.raises(SyscallError, match=r"(?s)interface 'nosuch0'.*interfaces here: .*lo"):
        prog.attach("nosuch0")
    with pytest.raises(SpecError, match="'fast'"):
        prog.attach("lo", mode="fast")


# -- tc -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mechanism", ["tcx", "clsact"])
def test_tc_drops_what_arrives(pair, arrivals, counting, mechanism):
    if mechanism == "tcx":
        need(features.have_link_type, LinkType.TCX)
    else:
        pytest.importorskip("pyroute2")
    prog, hits = counting(ProgType.SCHED_CLS, returns=2)  # TC_ACT_SHOT, TCX_DROP
    with prog.attach(pair.name, direction="ingress", mechanism=mechanism):
        assert arrivals() == 0
        assert hits() >= 3
    assert arrivals() == 3
    if mechanism == "clsact":
        tc.cleanup(pair.name)


@pytest.mark.parametrize("mechanism", ["tcx", "clsact"])
def test_tc_sees_what_leaves(pair, counting, mechanism):
    if mechanism == "tcx":
        need(features.have_link_type, LinkType.TCX)
    prog, hits = counting(ProgType.SCHED_CLS, returns=0)
    with prog.attach(pair.name, direction="egress", mechanism=mechanism):
        before = hits()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.sendto(b"x", (pair.there, 9))
        assert hits() > before


def test_tc_takes_the_best_mechanism(pair, counting):
    prog, _ = counting(ProgType.SCHED_CLS)
    with prog.attach(pair.name) as link:
        modern = features.have_link_type(LinkType.TCX)
        assert type(link).__name__ == ("BpfLink" if modern else "ClsactFilter")


def test_tcx_order(pair, arrivals, counting):
    """The second program asks to be first, and drops: the first one sees nothing any more."""
    need(features.have_link_type, LinkType.TCX)
    last, seen = counting(ProgType.SCHED_CLS, returns=-1)  # TCX_NEXT
    first, _ = counting(ProgType.SCHED_CLS, returns=2)
    with last.attach(pair.name) as link:
        arrivals()
        before = seen()
        assert before >= 3
        with first.attach(pair.name, before=link):
            assert arrivals() == 0
            assert seen() == before
        with first.attach(pair.name, after=link):
            assert arrivals() == 0
            assert seen() > before


def test_clsact_filters_share_an_interface(pair, counting):
    pytest.importorskip("pyroute2")
    programs = [counting(ProgType.SCHED_CLS, returns=-1) for _ in range(2)]
    links = [prog.attach(pair.name, mechanism="clsact") for prog, _ in programs]
    pair.ping(2)
    assert all(hits() >= 2 for _, hits in programs[:1])
    with pytest.raises(SyscallError, match="choose another"):
        programs[0][0].attach(pair.name, mechanism="clsact", priority=1)
    for link in links:
        link.close()


def test_clsact_outlives_the_process_and_is_cleaned_up(pair, killed):
    pytest.importorskip("pyroute2")
    kill = killed(f"""
        from pybpf import load
        from pybpf.dsl.kinds import tc
        @tc
        def drop(skb):
            return 2
        prog = load(drop)
        link = prog.attach({pair.name!r}, mechanism="clsact")
    """)
    kill()
    show = ["tc", "filter", "show", "dev", pair.name, "ingress"]
    assert "bpf" in subprocess.run(show, capture_output=True, text=True).stdout
    tc.cleanup(pair.name)
    assert "bpf" not in subprocess.run(show, capture_output=True, text=True).stdout


def test_tcx_ends_with_the_process(pair, killed, arrivals):
    need(features.have_link_type, LinkType.TCX)
    kill = killed(f"""
        from pybpf import load
        from pybpf.dsl.kinds import tc
        @tc
        def drop(skb):
            return 2
        prog = load(drop)
        link = prog.attach({pair.name!r})
    """)
    assert arrivals() == 0
    kill()
    assert arrivals() == 3


def test_netkit(counting):
    need(features.have_link_type, LinkType.NETKIT)
    prog, hits = counting(ProgType.SCHED_CLS, AttachType.NETKIT_PRIMARY, returns=2)
    name = f"nk{os.getpid()}"
    done = subprocess.run(["ip", "link", "add", name, "type", "netkit"], capture_output=True, text=True)
    if done.returncode:
        pyroute2 = pytest.importorskip("pyroute2")
        try:
            with pyroute2.IPRoute() as ip:
                ip.link("add", ifname=name, kind="netkit")
        except Exception as why:  # pyroute2 has many errors, all of which mean that there is no device
            pytest.skip(f"no netkit device: {why}")
    try:
        # Nothing is sent, and no program asked, while the other side is down.
        peer = socket.if_indextoname(int(Path(f"/sys/class/net/{name}/iflink").read_text()))
        for words in (f"link set {name} up", f"link set {peer} up", f"addr add 10.198.9.1/24 dev {name}"):
            subprocess.run(["ip", *words.split()], check=True)
        with prog.attach(name) as link, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            assert link.info.type == LinkType.NETKIT
            with contextlib.suppress(OSError):  # it was dropped
                sock.sendto(b"x", ("10.198.9.2", 9))
            assert hits() >= 1
    finally:
        subprocess.run(["ip", "link", "del", name], check=True)


# -- routes, netfilter, namespaces --------------------------------------------------------------------------------


def test_route(pair, counting):
    pytest.importorskip("pyroute2")
    prog, hits = counting(ProgType.LWT_XMIT)
    with prog.attach("10.77.0.0/16", device=pair.name, gateway=pair.there):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.sendto(b"x", ("10.77.1.1", 9))
        assert hits() == 1
        assert "10.77.0.0/16" in subprocess.run(["ip", "route"], capture_output=True, text=True).stdout
    assert "10.77.0.0/16" not in subprocess.run(["ip", "route"], capture_output=True, text=True).stdout
    with pytest.raises(SpecError, match="device= or gateway="):
        prog.attach("10.77.0.0/16")


def test_netfilter_denies(counting):
    need(features.have_link_type, LinkType.NETFILTER)
    prog, hits = counting(ProgType.NETFILTER, AttachType.NETFILTER, returns=0)
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as here,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out,
    ):
        here.bind(("127.0.0.1", 0))
        here.settimeout(0.2)
        with prog.attach("ipv4/input", priority=-128):
            out.sendto(b"x", here.getsockname())
            with pytest.raises(TimeoutError):
                here.recv(10)
            assert hits() >= 1
        out.sendto(b"y", here.getsockname())
        assert here.recv(10) == b"y"
    with pytest.raises(SpecError, match="'arp/input'"):
        prog.attach("arp/input")


def test_sk_lookup_refuses_connections(counting):
    need(features.have_attach_type, AttachType.SK_LOOKUP)
    prog, hits = counting(ProgType.SK_LOOKUP, AttachType.SK_LOOKUP, returns=0)  # SK_DROP
    with socket.create_server(("127.0.0.1", 0)) as server:
        with prog.attach() as link:
            with pytest.raises(ConnectionRefusedError):
                socket.create_connection(server.getsockname(), timeout=2)
            assert link.info.type == LinkType.NETNS
        assert hits() >= 1
        socket.create_connection(server.getsockname(), timeout=2).close()


def test_another_namespace_by_name(pair, counting):
    prog, hits = counting(ProgType.SK_LOOKUP, AttachType.SK_LOOKUP, returns=1)
    with prog.attach(pair.netns):
        with socket.create_server(("127.0.0.1", 0)) as server:
            socket.create_connection(server.getsockname(), timeout=2).close()
        assert hits() == 0
    with pytest.raises(SyscallError, match="network namespace '/run/netns/nosuch'"):
        prog.attach("nosuch")


def test_flow_dissector(counting):
    # One in the initial namespace rules all, so a namespace of its own cannot be given another: only the link is made.
    prog, _ = counting(ProgType.FLOW_DISSECTOR, AttachType.FLOW_DISSECTOR, returns=0)
    with prog.attach() as link:
        assert link.info.type == LinkType.NETNS
        with pytest.raises(SyscallError):
            prog.attach()


# -- socket maps --------------------------------------------------------------------------------------------------


def test_sk_msg_drops(counting):
    socks = SockMap(max_entries=4)

    @program(ProgType.SK_MSG, AttachType.SK_MSG_VERDICT)
    def judge(msg):
        return 0

    from pybpf.maps.create import create

    with (
        create(socks, "socks") as live,
        load(judge) as prog,
        socket.create_server(("127.0.0.1", 0)) as server,
        socket.create_connection(server.getsockname()) as client,
        server.accept()[0] as accepted,
    ):
        accepted.settimeout(2)
        with prog.attach(live):
            live[0] = client
            with pytest.raises(PermissionError):
                client.send(b"lost")
            del live[0]
        client.send(b"kept")
        assert accepted.recv(10) == b"kept"


def test_links_close_from_another_thread(pair, counting):
    prog, _ = counting(ProgType.XDP, AttachType.XDP, returns=PASS)
    link = prog.attach(pair.name, mode="generic")
    thread = threading.Thread(target=link.close)
    thread.start()
    thread.join()
    assert link.closed
    assert not attached_here(pair.name)


def test_an_action_drops_until_it_is_detached(pair, arrivals, counting):
    """A program of type SCHED_ACT, as the action of a filter for every packet."""
    pytest.importorskip("pyroute2")
    prog, hits = counting(ProgType.SCHED_ACT, returns=2)  # TC_ACT_SHOT
    try:
        link = prog.attach(pair.name)
    except NotSupportedError as error:
        assert "act_bpf" in str(error)  # noqa: PT017
        pytest.skip(str(error))
    with link:
        assert arrivals() == 0
        assert hits() >= 3
    assert arrivals() == 3
    tc.cleanup(pair.name)


def test_headroom_is_for_xmit(counting):
    pytest.importorskip("pyroute2")
    prog, _ = counting(ProgType.LWT_OUT)
    with pytest.raises(SpecError, match="headroom= is for lwt_xmit programs"):
        prog.attach("198.18.199.0/24", device="lo", headroom=16)
    prog, _ = counting(ProgType.LWT_XMIT)
    prog.attach("198.18.199.0/24", device="lo", headroom=16).close()
    with pytest.raises(SyscallError, match="ERANGE"):  # the kernel does not tell it, but has a limit: 256
        prog.attach("198.18.199.0/24", device="lo", headroom=300)


def test_a_segment_is_a_program(counting):
    """A packet whose segment routing header names our address next: the program is that segment's action."""
    pytest.importorskip("pyroute2")
    near, far = f"sg{os.getpid()}a", f"sg{os.getpid()}b"
    lines = f"link add {near} type veth peer name {far}\nlink set {near} up\nlink set {far} up\n"
    subprocess.run(["ip", "-batch", "-"], input=lines, text=True, check=True)
    try:
        prog, hits = counting(ProgType.LWT_SEG6LOCAL, returns=2)  # BPF_DROP
        ours, after = socket.inet_pton(socket.AF_INET6, "fd5e::1"), socket.inet_pton(socket.AF_INET6, "fd5f::1")
        header = bytes((59, 4, 4, 1, 1, 0, 0, 0)) + after + ours  # the last segment first; one is left
        with open(f"/sys/class/net/{far}/address") as file:
            mac = bytes.fromhex(file.read().strip().replace(":", ""))
        packet = b"\x60" + bytes(3) + struct.pack(">HBB", len(header), 43, 64) + after + ours + header
        with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as sock:
            sock.bind((near, 0))

            def arrive():
                sock.send(mac + bytes(6) + b"\x86\xdd" + packet)
                time.sleep(0.05)
                return hits()

            try:
                link = prog.attach("fd5e::1/128", device=far)
            except SyscallError as error:
                pytest.skip(f"no seg6local here: {error}")
            with link:
                deadline = time.monotonic() + 5  # addresses must be ready on both sides
                while not arrive() and time.monotonic() < deadline:
                    pass
                seen = hits()
                assert seen
                assert arrive() == seen + 1
            seen = hits()
            assert arrive() == seen
    finally:
        subprocess.run(["ip", "link", "del", near], check=True)
