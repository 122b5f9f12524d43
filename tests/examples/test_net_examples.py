"""Examples on packets and sockets: each is attached, and decides over what this test sends."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import struct
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from pybpf import (
    VM,
    NotSupportedError,
    RetCode,
    SyscallError,
    XdpAction,
    attach_classic,
    features,
    load,
    load_collection,
)
from pybpf.cbpf import parse
from pybpf.net import ETH_P_8021Q, ETH_P_IP, ETH_P_IPV6, Ethernet, IPv4, IPv6, Udp, Vlan
from pybpf.uapi import AttachType, SockOpsOp, bpf_flow_keys

pytestmark = pytest.mark.kernel


def frame(*headers, payload: bytes = bytes(32)) -> bytes:
    return b"".join(map(bytes, headers)) + payload


ETH = {"dst": (1,) * 6, "src": (2,) * 6}
IP4 = IPv4(version=4, ihl=5, ttl=64, protocol=17, saddr=0x0A000001, daddr=0x0A000002)
IP6 = IPv6(version=6, next_header=58, hop_limit=64)
PLAIN = frame(Ethernet(**ETH, type=ETH_P_IP), IP4, Udp(dest=9))
TAGGED = frame(Ethernet(**ETH, type=ETH_P_8021Q), Vlan(tci=7, type=ETH_P_IPV6), IP6)


def seen(count, wanted: int, seconds: float = 2) -> int:
    """`count()` once it has reached what is wanted, or the time is up."""
    end = time.monotonic() + seconds
    while (n := count()) < wanted and time.monotonic() < end:
        time.sleep(0.02)
    return n


def test_flow_bytes(example):
    module = example("flow_bytes")
    with load(module.count) as prog, socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3)) as packets:
        packets.bind(("lo", 0))
        with prog.attach(packets):
            for family, host in ((socket.AF_INET, "127.0.0.77"), (socket.AF_INET6, "::1")):
                with socket.socket(family, socket.SOCK_DGRAM) as sock:
                    for _ in range(3):
                        with contextlib.suppress(ConnectionRefusedError):  # the answer to the one before
                            sock.sendto(bytes(100), (host, 9))
            flows = {module.name(address): traffic for address, traffic in prog[module.flows].items()}
    assert flows["127.0.0.77"].packets >= 3
    assert flows["127.0.0.77"].bytes >= 3 * (14 + 20 + 8 + 100)
    assert flows["::1"].packets >= 3


def test_count_and_drop(example, pair):
    module = example("count_and_drop")
    with load(module.drop) as prog:
        assert prog.test_run(PLAIN).retval == XdpAction.DROP
        assert prog.test_run(TAGGED).retval == XdpAction.DROP
        assert (prog[module.packets][17].sum(), prog[module.packets][58].sum()) == (1, 1)
        with prog.attach(pair.name), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.bind((pair.here, 9))
            sock.settimeout(0.2)
            pair.send(3)
            with pytest.raises(TimeoutError):
                sock.recv(100)
    with load(module.swap) as prog:
        result = prog.test_run(PLAIN)
    assert result.retval == XdpAction.TX
    assert result.data[:12] == PLAIN[6:12] + PLAIN[:6]
    assert result.data[12:] == PLAIN[12:]


def test_redirect_devmap(example, pairs):
    """What the first pair's peer sends comes out at the second pair's peer."""
    module = example("redirect_devmap")
    one, two = pairs(), pairs()
    listen = (
        "import socket\n"
        "s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3)); s.bind(('peer', 0)); s.settimeout(5)\n"
        "print('ready', flush=True)\n"
        "while b'through the map' not in s.recv(2000): pass\n"
        "print('seen')"
    )
    with load_collection(module.forward, module.accept) as objs:
        objs[module.targets][0] = socket.if_nametoindex(two.name)
        pin = f"/sys/fs/bpf/pybpf-example-{os.getpid()}"
        objs[module.forward].attach(one.name)
        command = ["ip", "netns", "exec", two.netns]
        objs[module.accept].pin(pin)
        try:
            # The peer must have a program of its own for the driver to take redirected frames.
            show = [*command, "ip", "link", "set", "peer", "xdp", "pinned", pin]
            mounted = subprocess.run(
                ["nsenter", f"--net=/run/netns/{two.netns}", *show[4:]], capture_output=True, text=True
            )
            assert mounted.returncode == 0, mounted.stderr
        finally:
            objs[module.accept].unpin()
        listener = subprocess.Popen([*command, "python3", "-c", listen], stdout=subprocess.PIPE, text=True)
        try:
            assert listener.stdout.readline() == "ready\n"
            one.run(
                "import socket\n"
                "s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW); s.bind(('peer', 0))\n"
                "for _ in range(3): s.send(bytes([255] * 6 + [2] * 6) + b'\\x88\\xb5' + b'through the map' + bytes(60))"
            )
            assert listener.stdout.readline() == "seen\n"
        finally:
            listener.kill()
            listener.wait()
            listener.stdout.close()
        assert objs[module.forwarded][0].sum() >= 3


SEND = """
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for _ in range(10):
    try:
        s.sendto(bytes(72), ("127.0.0.1", 9)); print("sent")
    except PermissionError:
        print("refused")
    except ConnectionRefusedError:
        print("nobody")
"""


def test_cgroup_traffic(example, cgroup, run_in):
    module = example("cgroup_traffic")
    with load(module.leave) as prog, prog.attach(cgroup):
        run_in(SEND)
        total = prog[module.traffic][0]
        assert total.packets >= 5
        assert total.bytes == 100 * total.packets
        prog[module.limit][0] = total.bytes + 250
        assert run_in(SEND).count("refused") >= 5
        assert prog[module.traffic][0].dropped >= 5
        assert prog[module.traffic][0].bytes <= total.bytes + 250


def test_no_ping(example, cgroup, run_in):
    module = example("no_ping")
    code = """
import socket
for kind, proto in ((socket.SOCK_RAW, socket.IPPROTO_ICMP), (socket.SOCK_DGRAM, 0)):
    try:
        socket.socket(socket.AF_INET, kind, proto).close(); print("made")
    except PermissionError:
        print("refused")
"""
    assert run_in(code).split() == ["made", "made"]
    with load(module.create) as prog, prog.attach(cgroup):
        assert run_in(code).split() == ["refused", "made"]
        assert prog[module.refused][0] == 1


def test_device_policy(example, cgroup, run_in):
    module = example("device_policy")
    code = """
for path, mode in (("/dev/null", "wb"), ("/dev/zero", "rb"), ("/dev/zero", "wb"), ("/dev/full", "rb")):
    try:
        open(path, mode).close(); print("opened")
    except PermissionError:
        print("refused")
"""
    with load(module.policy) as prog, prog.attach(cgroup):
        assert run_in(code).split() == ["opened", "opened", "refused", "refused"]
        assert prog[module.refused][0] >= 2
    assert run_in(code).split() == ["opened"] * 4


def test_sysctl_guard(example, cgroup, run_in):
    module = example("sysctl_guard")
    code = """
for path in ("/proc/sys/net/ipv4/ip_default_ttl", "/proc/sys/vm/swappiness"):
    with open(path) as file: value = file.read()
    try:
        with open(path, "w") as file: file.write(value)
        print("written")
    except PermissionError:
        print("refused")
"""
    with load(module.guard) as prog, prog.attach(cgroup):
        assert run_in(code).split() == ["refused", "written"]
        assert {r.name for r in prog[module.refusals].drain()} == {b"net/ipv4/ip_default_ttl"}


def test_reuseport_by_size(example):
    module = example("reuseport_by_size")
    small, large = socks = module.sockets(0)
    with small, large, module.start(socks) as prog, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        for size in (100, 1000, 511, 512, 2000):
            client.sendto(bytes(size), small.getsockname())
        for sock in socks:
            sock.settimeout(1)
        assert [len(small.recv(3000)) for _ in range(2)] == [100, 511]
        assert [len(large.recv(3000)) for _ in range(3)] == [1000, 512, 2000]
        assert list(prog[module.chosen].values()) == [2, 3]


def test_vlan_push_pop(example):
    module = example("vlan_push_pop")
    tagged = PLAIN[:12] + struct.pack(">HH", ETH_P_8021Q, 5) + PLAIN[12:]
    with load(module.push_pop) as prog:
        prog[module.vlan][0] = 5
        pushed = prog.test_run(PLAIN)
        popped = prog.test_run(tagged)
    assert (pushed.retval, pushed.data) == (XdpAction.PASS, tagged)
    assert (popped.retval, popped.data) == (XdpAction.PASS, PLAIN)


def test_xdp_router(example, pairs):
    """A datagram from the first peer arrives at the second, one hop older, although this host forwards nothing itself."""
    module = example("xdp_router")
    one, two = pairs(), pairs()
    for pair in (one, two):
        Path(f"/proc/sys/net/ipv4/conf/{pair.name}/forwarding").write_text("1")
        subprocess.run(["ip", "-n", pair.netns, "route", "add", "default", "via", pair.here], check=True)
    mac = json.loads(subprocess.run(["ip", "-n", two.netns, "-j", "link", "show", "peer"], capture_output=True).stdout)
    neighbour = ["ip", "neigh", "replace", two.there, "lladdr", mac[0]["address"], "dev", two.name]
    subprocess.run(neighbour, check=True)
    receive = (
        "import socket\n"
        "s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind(('', 9)); s.settimeout(5)\n"
        "s.setsockopt(socket.IPPROTO_IP, 12, 1)  # IP_RECVTTL\n"
        "print('ready', flush=True)\n"
        "data, extra, _, source = s.recvmsg(100, 100)\n"
        "print(data.decode(), int.from_bytes(extra[0][2], 'little'), source[0], flush=True)"
    )
    command = ["ip", "netns", "exec", two.netns, sys.executable, "-c", receive]
    with load(module.route) as prog, subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as receiver:
        prog.attach(one.name, mode="generic")  # native XDP would ask for a program at the far end of the second pair
        assert receiver.stdout.readline() == "ready\n"
        one.run(
            "import socket, sys; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.sendto(b'hello', (sys.argv[1], 9))",
            two.there,
        )
        assert receiver.stdout.readline().split() == ["hello", "63", one.there]
        assert prog[module.forwarded][0].sum() >= 1


def test_xdp_loader_and_stats(example, pair):
    loader, stats = example("xdp_loader"), example("xdp_stats")
    with pytest.raises(SyscallError):
        stats.read(pair.name)
    for name, action in (("count_passed", "PASS"), ("count_dropped", "DROP")):
        loader.main(pair.name, stats.__file__, name)
        try:
            pair.send(4, payload=100)
            packets, size = stats.read(pair.name)[action]
            assert packets >= 4
            assert size >= 4 * 142
        finally:
            loader.main(pair.name, "--unload")
        show = ["ip", "link", "show", pair.name]
        for _ in range(100):  # the kernel lets go of a link some time after its last pin (bpf_free_inode)
            if "prog/xdp" not in subprocess.run(show, capture_output=True, text=True).stdout:
                break
            time.sleep(0.05)
        else:
            pytest.fail(f"an XDP program is still on {pair.name}")


def connected() -> tuple[socket.socket, socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        client = socket.create_connection(server.getsockname())
        return client, server.accept()[0]


def test_splice_sockets(example):
    module = example("splice_sockets")
    if not features.have_attach_type(AttachType.SK_SKB_VERDICT):
        pytest.skip("this kernel's verdicts need a parser beside them (Linux 5.13 does without)")
    client, inner = connected()
    outer, upstream = connected()
    with client, inner, outer, upstream, load(module.forward) as prog:
        prog.attach(prog[module.others])
        module.splice(prog[module.others], inner, outer)
        for sock in (client, upstream):
            sock.settimeout(5)
        client.sendall(b"a question")
        assert upstream.recv(100) == b"a question"
        upstream.sendall(b"an answer")
        assert client.recv(100) == b"an answer"


def test_bypass_tcp(example, cgroup, run_in):
    module = example("bypass_tcp")
    code = """
import socket
with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as client:
    other, _ = server.accept()
    packets = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
    packets.bind(("lo", 0))
    packets.settimeout(0.2)
    client.sendall(b"straight to the other side")
    print(other.recv(100).decode())
    try:
        while b"straight to the other side" not in packets.recv(2000): pass
        print("over the interface")
    except TimeoutError:
        print("past the interface")
    other.close()
    packets.close()
"""
    assert run_in(code).splitlines() == ["straight to the other side", "over the interface"]
    with module.start(cgroup) as objs:
        assert run_in(code).splitlines() == ["straight to the other side", "past the interface"]
        assert objs[module.bypassed][0] >= 1


def test_tc_both_ways(example, pair):
    module = example("tc_both_ways")

    def ttls(packets: socket.socket) -> set[tuple[bool, int]]:
        """(is it leaving, time to live) of the datagrams that the interface shows."""
        found = set()
        with contextlib.suppress(TimeoutError):
            while True:
                data, address = packets.recvfrom(2000)
                if data[12:14] == b"\x08\x00" and data[23] == 17:
                    found.add((address[2] == socket.PACKET_OUTGOING, data[22]))
        return found

    with (
        module.start(pair.name),
        socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3)) as packets,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock,
    ):
        packets.bind((pair.name, 0))
        packets.settimeout(0.3)
        sock.bind((pair.here, 9))
        sock.settimeout(2)
        sock.setsockopt(socket.IPPROTO_IP, 12, 1)  # IP_RECVTTL
        pair.send(1)
        sock.sendto(b"x", (pair.there, 9))
        _, extra, _, _ = sock.recvmsg(100, 100)
        assert int.from_bytes(extra[0][2], "little") == module.ARRIVING
        assert ttls(packets) == {(True, module.LEAVING), (False, 64)}


def test_sockopt_guard(example, cgroup, run_in):
    module = example("sockopt_guard")
    code = """
import socket
with socket.socket() as sock:
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    try:
        sock.setsockopt(socket.SOL_SOCKET, 36, 7); print("marked")
    except PermissionError:
        print("refused")
"""
    with load(module.guard) as prog, prog.attach(cgroup):
        assert run_in(code) == "refused\n"
        assert prog[module.options][module.Option(socket.SOL_SOCKET, socket.SO_KEEPALIVE)] == 1
    assert run_in(code) == "marked\n"


def test_spread_over_cpus(example, pair):
    module = example("spread_over_cpus")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind((pair.here, 9))
        sock.settimeout(2)
        with module.start(pair.name) as prog:
            pair.send(5)
            for _ in range(5):
                assert sock.recv(100)
            address = int.from_bytes(socket.inet_aton(pair.there), "big")
            assert prog[module.spread][address % prog[module.count][0]].sum() >= 5


def test_port_range(example):
    module = example("port_range")
    with socket.create_server(("127.0.0.1", 0)) as sock, module.start(sock, 39000, 39020):
        sock.settimeout(5)
        for port in (39000, 39013, 39020):
            with socket.create_connection(("127.0.0.1", port), 5):
                accepted, _ = sock.accept()
                assert accepted.getsockname()[1] == port
                accepted.close()
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", 39021), 5)


def test_xdp_pass_drop(example, pair):
    module = example("xdp_pass_drop")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind((pair.here, 9))
        sock.settimeout(0.3)
        for name, arrives in (("pass", True), ("drop", False)):
            with load(module.PROGRAMS[name]) as prog, prog.attach(pair.name):
                pair.send(1)
                if arrives:
                    assert sock.recv(100) == bytes(5)
                else:
                    with pytest.raises(TimeoutError):
                        sock.recv(100)


def test_xsk_receive(example, pair):
    module = example("xsk_receive")
    with module.XskSocket(pair.name) as xsk, load(module.take_udp) as prog:
        prog[module.sockets][0] = xsk
        with prog.attach(pair.name):
            pair.send(3, payload=100)
            frames = []
            while len(frames) < 3 and (some := xsk.receive(timeout=2)):
                frames += some
        assert [(len(f), f[23], f[42:]) for f in frames] == [(142, 17, bytes(100))] * 3
        assert prog[module.left_alone][0].sum() >= 1  # address resolution went to the kernel


def test_xsk_reply(example, pair):
    module = example("xsk_reply")
    ask = (
        "import socket, sys\n"
        "s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.settimeout(20)\n"
        "s.connect((sys.argv[1], 4000)); s.send(b'are you there?'); print(s.recv(100).decode())"
    )
    xsk, prog = module.start(pair.name, 4000)
    with xsk, prog, ThreadPoolExecutor() as pool:
        answer = pool.submit(pair.run, ask, pair.here)
        assert seen(lambda: module.serve(xsk, 0.1), 1, seconds=20) == 1
        assert answer.result() == "ARE YOU THERE?\n"


def test_base_rtt(example, cgroup, run_in):
    module = example("base_rtt")
    if "nv" not in Path("/proc/sys/net/ipv4/tcp_available_congestion_control").read_text().split():
        pytest.skip("this kernel has no TCP-NV, which asks")
    code = """
import socket
with socket.create_server(("127.0.0.1", 0)) as server, socket.socket() as client:
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, b"nv")
    client.connect(server.getsockname())
    other, _ = server.accept()
    client.sendall(bytes(100000))
    other.close()
"""
    with load(module.answer) as prog, prog.attach(cgroup):
        run_in(code)
        assert prog[module.asked][0] >= 1


def test_base_rtt_offline(example):
    module = example("base_rtt")
    vm = VM(module.answer)
    replies = []
    for host in ("127.0.0.1", "8.8.8.8"):
        address = int.from_bytes(socket.inet_aton(host), sys.byteorder)
        replies.append(vm.run(ctx={"op": SockOpsOp.BASE_RTT, "remote_ip4": address}).ctx.reply)
    assert (replies, vm[module.asked][0]) == ([module.MICROSECONDS, 0xFFFFFFFF], 1)


def test_sandbox(example):
    module = example("sandbox")
    assert module.offline() == {"unix": "ALLOW", "inet": "ERRNO", "ptrace": "KILL_PROCESS"}
    code = """
import socket
socket.socket(socket.AF_UNIX).close()
try:
    socket.socket(socket.AF_INET)
except PermissionError:
    print("no network")
"""
    words = [sys.executable, module.__file__, sys.executable, "-c", code]
    done = subprocess.run(words, capture_output=True, text=True, timeout=30)
    assert (done.stdout, done.stderr) == ("no network\n", "")


def test_lwt_encap(example, pair):
    module = example("lwt_encap")
    watch = (
        "import socket\n"
        "s = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(0x800)); s.bind(('peer', 0x800)); s.settimeout(5)\n"
        "print('ready', flush=True)\n"
        "data = s.recv(2000)\n"
        "while data[9] != 4: data = s.recv(2000)\n"
        "print(data.hex(), flush=True)"
    )
    command = ["ip", "netns", "exec", pair.netns, sys.executable, "-c", watch]
    prog, link = module.start("198.51.100.0/24", pair.name, pair.here, pair.there)
    with prog, link, subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as watcher:
        assert watcher.stdout.readline() == "ready\n"
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.sendto(b"inside", ("198.51.100.7", 9))
        data = bytes.fromhex(watcher.stdout.readline())
        assert prog[module.wrapped][0] >= 1
    outer, inner = IPv4.from_buffer_copy(data), IPv4.from_buffer_copy(data[20:])
    assert (outer.protocol, outer.length) == (4, len(data))
    assert socket.inet_ntoa(data[16:20]) == pair.there
    assert (inner.protocol, socket.inet_ntoa(data[36:40]), data[48:54]) == (17, "198.51.100.7", b"inside")


def test_flow_dissector(example, pair):
    module = example("flow_dissector")
    with load(module.dissect) as prog:
        result = prog.test_run(frame(Ethernet(**ETH, type=ETH_P_IP), IP4, Udp(source=1000, dest=53)))
        if result.retval == 1:
            pytest.skip("before Linux 6.1 a dissector cannot leave packets to the kernel")
        assert result.retval == RetCode.OK
        keys = bpf_flow_keys.from_buffer_copy(result.data)
        raw = bytes(keys)
        assert (keys.thoff, keys.addr_proto, keys.ip_proto) == (34, ETH_P_IP, 17)
        assert raw[10:16] == struct.pack(">HHH", ETH_P_IP, 1000, 53)
        assert raw[16:24] == struct.pack(">II", 0x0A000001, 0x0A000002)
        assert prog.test_run(TAGGED).retval != RetCode.OK
        before = prog[module.dissected][17]
        with prog.attach(), packet_fanout(pair.name):  # fanout by flow asks the dissector about each packet
            pair.send(5)
            assert seen(lambda: prog[module.dissected][17] - before, 5) >= 5


@contextlib.contextmanager
def packet_fanout(interface: str):
    """Two packet sockets that share what arrives by the hash of its flow."""
    with contextlib.ExitStack() as stack:
        for _ in range(2):
            sock = stack.enter_context(socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3)))
            sock.bind((interface, 0))
            sock.setsockopt(263, 18, os.getpid() & 0xFFFF)  # SOL_PACKET, PACKET_FANOUT, PACKET_FANOUT_HASH
        yield


def test_pcap_predicate(example):
    module = example("pcap_predicate")
    try:
        spec = module.program("udp port 9", "vlan and ip6")
    except NotSupportedError as error:
        pytest.skip(str(error))
    with load(spec) as prog:
        assert prog.test_run(PLAIN).retval == XdpAction.PASS
        assert prog.test_run(TAGGED).retval == XdpAction.DROP
        assert [n.sum() for n in prog[module.matched].values()] == [1, 1]


def test_xdp_to_tc(example, pair):
    module = example("xdp_to_tc")
    with (
        module.start(pair.name) as objs,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock,
        attach_classic(sock, parse("ld #mark\njeq #17, keep, drop\nkeep: ret #-1\ndrop: ret #0")),
    ):
        sock.bind((pair.here, 9))
        sock.settimeout(2)
        pair.send(3)
        for _ in range(3):
            assert sock.recv(100) == bytes(5)  # it came through the filter: it has the mark
        assert objs[module.noted][17].sum() >= 3
