"""Hooks as their users write them: decorated programs whose effect, arguments, results and cookies are observed."""

from __future__ import annotations

import contextlib
import ctypes
import os
import socket
import subprocess
import time

import pytest

from pybpf import (
    Array,
    CpuMap,
    DevMap,
    HashMap,
    NotSupportedError,
    ProgramSpec,
    SkAction,
    SockMap,
    Struct,
    SyscallError,
    VerifierError,
    XdpAction,
    asm,
    features,
    flow_dissector,
    load,
    lwt_in,
    lwt_out,
    program,
    sk_lookup,
    sk_skb_parser,
    sk_skb_verdict,
    u8,
    u32,
    u64,
    xdp,
    xdp_cpumap,
    xdp_devmap,
    xdp_frags,
)
from pybpf import helpers as bpf
from pybpf.declared import CpuMapValue, DevMapValue
from pybpf.maps.create import create
from pybpf.uapi import AttachType as A
from pybpf.uapi import LinkType as L
from pybpf.uapi import ProgType as P

pytestmark = pytest.mark.kernel

hits = Array(u64, max_entries=4)


def need(have, *args):
    if not have(*args):
        pytest.skip(f"this kernel has no {getattr(args[0], 'name', args[0])}")


def run(*words):
    done = subprocess.run(words, capture_output=True, text=True)
    assert done.returncode == 0, f"{' '.join(words)}: {done.stderr}"
    return done.stdout


def getpgid():
    ctypes.CDLL("libc.so.6").getpgid(0)


# -- cookies: what bpf_get_attach_cookie gives ---------------------------------------------------------------------


def fork():
    subprocess.run(["true"], check=True)


def burn():
    sum(range(300_000))


COOKIES = {
    "tracepoint": (P.TRACEPOINT, None, "sched/sched_process_fork", {"cookie": 1 << 40}, fork, 1 << 40),
    "uprobe": (P.KPROBE, None, "libc.so.6:getpgid", {"cookie": 3}, getpgid, 3),
    "uretprobe": (P.KPROBE, None, "libc.so.6:getpgid", {"cookie": 4, "kind": "uretprobe"}, getpgid, 4),
    "uprobe_multi": (P.KPROBE, A.TRACE_UPROBE_MULTI, "libc.so.6:getpgi[d]", {"cookies": [5]}, getpgid, 5),
    "perf_event": (P.PERF_EVENT, None, "cpu-clock", {"cookie": 6, "frequency": 500, "pid": os.getpid()}, burn, 6),
    "kprobe": (P.KPROBE, None, "security_inode_mkdir", {"cookie": 7}, None, 7),
    "kprobe_multi": (P.KPROBE, A.TRACE_KPROBE_MULTI, ["security_inode_mkdir"], {"cookies": [8]}, None, 8),
    "fentry": (P.TRACING, A.TRACE_FENTRY, None, {"cookie": 9}, None, 9),
    "raw_tracepoint": (P.RAW_TRACEPOINT, None, "sched_process_fork", {"cookie": 10}, fork, 10),
}


@pytest.mark.parametrize("case", COOKIES)
def test_cookies_reach_the_program(case, tmp_path):
    prog_type, hook, target, options, act, expected = COOKIES[case]
    if hook is not None:
        need(features.have_attach_type, hook)
    need(features.have_link_type, L.PERF_EVENT)
    if case == "kprobe" and not os.path.exists("/sys/bus/event_source/devices/kprobe/type"):
        pytest.skip("this kernel has no kprobes")
    seen = HashMap(u64, u64, max_entries=64)
    extra = {"attach_to": "security_inode_mkdir"} if case == "fentry" else {}

    @program(prog_type, hook, **extra)
    def note(ctx):
        seen[bpf.get_attach_cookie(ctx)] += 1

    try:
        prog = load(note)
    except VerifierError as why:
        pytest.skip(f"no cookies for {case}: {why.reason}")
    with prog:
        try:
            link = prog.attach(target, **options)
        except (SyscallError, NotSupportedError) as why:
            assert case in ("raw_tracepoint", "fentry")  # cookies of their links came with Linux 6.10 and 5.19
            pytest.skip(f"no cookies for {case}: {why}")
        with link:
            (act or (lambda: (tmp_path / "made").mkdir()))()
        assert list(dict(prog[seen])) == [expected]


# -- XDP -----------------------------------------------------------------------------------------------------------


def test_xdp_frags_sees_packets_of_many_pages(pair):
    need(features.have_link_type, L.XDP)

    @xdp_frags
    def count(ctx):
        if bpf.xdp_get_buff_len(ctx) > 5000:
            hits[0] += 1
        return XdpAction.PASS

    for where in (("ip",), ("ip", "-n", pair.netns)):
        run(*where, "link", "set", pair.name if len(where) == 1 else "peer", "mtu", "9000")
    try:
        prog = load(count)
    except SyscallError as why:
        pytest.skip(f"no fragments: {why}")
    with prog:
        try:
            link = prog.attach(pair.name, mode="native")
        except SyscallError as why:
            pytest.skip(f"veth takes no fragments here: {why}")
        with link, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.bind((pair.here, 9))
            sock.settimeout(2)
            pair.send(b"x" * 8000)
            assert len(sock.recv(10_000)) == 8000
            assert prog[hits][0] == 1


def test_a_program_in_the_entry_of_a_device_map(pair):
    """What is redirected to a device passes the program of its entry on the way out."""
    devices = DevMap(2, DevMapValue)

    @xdp_devmap
    def leaving(ctx):
        hits[1] += ctx.egress_ifindex
        return XdpAction.DROP

    @xdp
    def redirect(ctx):
        hits[0] += 1
        return bpf.redirect_map(devices, 1, 0)

    index = socket.if_nametoindex(pair.name)
    with load(leaving) as inner, load(redirect) as prog:
        # Drivers must agree to send such frames, and a veth does so only under conditions; old kernels ask later.
        mode = "generic" if features.have_link_type(L.PERF_EVENT) else "native"
        prog[devices][1] = DevMapValue(ifindex=index, prog=inner.fileno())
        with prog.attach(pair.name, mode=mode):
            pair.ping(1)
            assert inner[hits][1] == prog[hits][0] * index > 0


def test_a_program_in_the_entry_of_a_cpu_map(pair):
    """What is sent to another CPU passes the program of its entry there."""
    cpus = CpuMap(2, CpuMapValue)

    @xdp_cpumap
    def arrived(ctx):
        hits[1] += 1
        return XdpAction.PASS

    @xdp
    def move(ctx):
        hits[0] += 1
        return bpf.redirect_map(cpus, 0, 0)

    need(features.have_attach_type, A.XDP_CPUMAP)
    with load(arrived) as inner, load(move) as prog:
        prog[cpus][0] = CpuMapValue(192, inner.fileno())
        with prog.attach(pair.name, mode="native"):
            pair.ping(1)
            deadline = time.monotonic() + 5
            while inner[hits][1] < prog[hits][0] and time.monotonic() < deadline:
                time.sleep(0.01)
            assert inner[hits][1] == prog[hits][0] > 0


# -- routes --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("side", ["in", "out"])
def test_routes_judge_what_comes_in_and_goes_out(pair, side):
    pytest.importorskip("pyroute2")

    def drop(skb):
        hits[0] += 1
        return 2  # BPF_DROP

    prog = load((lwt_in if side == "in" else lwt_out)(drop))
    with prog:
        if side == "out":
            with prog.attach("10.77.0.0/16", device=pair.name, gateway=pair.there):
                with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock, contextlib.suppress(OSError):
                    sock.sendto(b"x", ("10.77.1.1", 9))
                assert prog[hits][0] == 1
        else:  # what arrives for an address that the route leads on
            with prog.attach("10.77.0.0/16", device=pair.name, gateway=pair.there):
                run("ip", "-n", pair.netns, "route", "add", "10.77.0.0/16", "via", pair.here)
                forwarding = f"/proc/sys/net/ipv4/conf/{pair.name}/forwarding"
                with open(forwarding, "w") as switch:
                    switch.write("1")
                pair.send(b"x", "10.77.1.1")
                assert prog[hits][0] >= 1


# -- sockets -------------------------------------------------------------------------------------------------------


def test_sk_lookup_steers_a_connection():
    """A connection to a port where nobody listens reaches the server whose socket is in the map."""
    need(features.have_attach_type, A.SK_LOOKUP)
    servers = SockMap(max_entries=1)

    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_server(("127.0.0.1", 0)) as other:
        nobody = other.getsockname()[1]
        other.close()

        @sk_lookup
        def steer(ctx):
            if ctx.local_port != nobody:
                return SkAction.PASS
            chosen = servers.get(0)
            if chosen is None:
                return SkAction.DROP
            bpf.sk_assign(ctx, chosen, 0)
            bpf.sk_release(chosen)
            return SkAction.PASS

        with load(steer) as prog:
            prog[servers][0] = server
            with pytest.raises(ConnectionRefusedError):
                socket.create_connection(("127.0.0.1", nobody), timeout=2)
            with prog.attach(), socket.create_connection(("127.0.0.1", nobody), timeout=2) as client:
                accepted, _ = server.accept()
                with accepted:
                    assert accepted.getsockname()[1] == nobody
                    client.sendall(b"steered")
                    assert accepted.recv(10) == b"steered"


def test_a_stream_parser_cuts_messages_that_a_verdict_judges():
    """The parser says how long each message is (its first byte), the verdict drops those that begin with a zero."""
    sockets = SockMap(max_entries=1)

    @sk_skb_parser
    def parse(skb):
        first = u8[1]()
        if bpf.skb_load_bytes(skb, 0, first) < 0:
            return 0
        return first[0]

    @sk_skb_verdict
    def judge(skb):
        hits[0] += 1
        second = u8[1]()
        if bpf.skb_load_bytes(skb, 1, second) < 0:
            return SkAction.PASS
        return SkAction.DROP if second[0] == 0 else SkAction.PASS

    with (
        create(sockets, "sockets") as live,
        load(parse) as parser,
        load(judge) as verdict,
        socket.create_server(("127.0.0.1", 0)) as server,
        socket.create_connection(server.getsockname()) as client,
        server.accept()[0] as accepted,
        parser.attach(live),
        verdict.attach(live),
    ):
        live[0] = accepted
        accepted.settimeout(3)
        # One by one: where a segment has several messages, programs see each from the segment's first byte.
        for number, message in enumerate((b"\x04\x01ab", b"\x03\x00c", b"\x05\x01def"), 1):
            client.sendall(message[:2])
            client.sendall(message[2:])
            if message[1]:
                assert accepted.recv(100) == message
            deadline = time.monotonic() + 5
            while verdict[hits][0] < number and time.monotonic() < deadline:
                time.sleep(0.01)
        assert verdict[hits][0] == 3
        del live[0]


def test_a_flow_dissector_finds_flows(pair):
    """Packet sockets that share their packets by flow ask for the flow of each."""

    @flow_dissector
    def dissect(skb):
        hits[0] += 1
        return 2  # no flow that can be told

    PACKET_FANOUT, FANOUT_HASH = 18, 0
    with load(dissect) as prog, socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3)) as sock:
        sock.bind((pair.name, 3))
        try:
            link = prog.attach()
        except SyscallError as why:
            pytest.skip(f"another dissector is attached: {why}")
        with link:
            sock.setsockopt(263, PACKET_FANOUT, os.getpid() & 0xFFFF | FANOUT_HASH << 16)
            pair.ping(3)
            assert prog[hits][0] >= 3
            seen = prog[hits][0]
        pair.ping(3)
        assert prog[hits][0] == seen


# -- tracing -------------------------------------------------------------------------------------------------------


def test_a_writable_tracepoint_changes_what_follows():
    """The kernel's own test runs end with one: a program there makes them fail."""

    write = ProgramSpec(
        asm.assemble("r6 = *(u64 *)(r1 + 0)\n*(u32 *)(r6 + 0) = -95\nr0 = 0\nexit"),
        P.RAW_TRACEPOINT_WRITABLE,
        name="refuse",
    )
    plain = ProgramSpec(asm.assemble("r0 = 1\nexit"), P.SOCKET_FILTER, name="plain")
    with load(write) as prog, load(plain) as run_it:
        assert run_it.test_run(bytes(64)).retval == 1
        with prog.attach("bpf_test_finish"), pytest.raises(SyscallError, match="not supported"):
            run_it.test_run(bytes(64))
        assert run_it.test_run(bytes(64)).retval == 1


class Entry(Struct):
    key: u32
    value: u64


def test_an_iterator_gives_typed_records_of_a_maps_elements():
    if not features.have_link_type(L.ITER):
        pytest.skip("this kernel has no iterators")
    table = HashMap(u32, u64, max_entries=8, name="table")

    # struct bpf_iter__bpf_map_elem: meta (its seq is first), map, key, value; key and value are 0 at the end.
    text = """
        r6 = r1
        r2 = *(u64 *)(r6 + 16)
        if r2 == 0 goto done
        r3 = *(u64 *)(r6 + 24)
        if r3 == 0 goto done
        r1 = *(u32 *)(r2 + 0)
        *(u64 *)(r10 - 16) = r1
        r1 = *(u64 *)(r3 + 0)
        *(u64 *)(r10 - 8) = r1
        r1 = *(u64 *)(r6 + 0)
        r1 = *(u64 *)(r1 + 0)
        r2 = r10
        r2 += -16
        r3 = 16
        call bpf_seq_write
done:   r0 = 0
        exit
    """
    spec = ProgramSpec(
        asm.assemble(text), P.TRACING, name="walk", expected_attach_type=A.TRACE_ITER, attach_to="bpf_map_elem"
    )
    with create(table) as live, load(spec) as prog:
        live.update({1: 10, 2: 20, 3: 30})
        with prog.attach(map=live) as link:
            assert sorted((e.key, e.value) for e in link.records(Entry)) == [(1, 10), (2, 20), (3, 30)]
            live[4] = 40
            assert len(list(link.records(Entry))) == 4
            assert link.details["map_id"] == live.id
