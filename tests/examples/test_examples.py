"""Every example is loaded, and its effect is seen."""

from __future__ import annotations

import os
import socket
import subprocess
import time
from pathlib import Path

import pytest

from pybpf import load
from pybpf.net import ETH_P_IP, ETH_P_IPV6, Ethernet, Icmp, IPv4, IPv6, Udp, ip_checksum

pytestmark = pytest.mark.kernel
EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


def packet(payload: bytes = bytes(40), **ip) -> bytes:
    fields = {"version": 4, "ihl": 5, "ttl": 64, "protocol": 17, "saddr": 0x0A000001, "daddr": 0x0A000002, **ip}
    return bytes(Ethernet(dst=(1,) * 6, src=(2,) * 6, type=ETH_P_IP)) + bytes(IPv4(**fields)) + payload


def udp(port: int, **ip) -> bytes:
    return packet(bytes(Udp(source=9, dest=port)) + bytes(32), **ip)


def send_udp() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        for _ in range(3):
            sock.sendto(b"x" * 100, ("127.0.0.1", 9))


def test_count_protocols(example):
    module = example("count_protocols")
    with load(module.count) as prog, socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3)) as sock:
        with prog.attach(sock):
            send_udp()
        assert prog[module.packets][17] >= 3


def test_drop_ports(example):
    module = example("drop_ports")
    with load(module.drop_ports) as prog:
        prog[module.blocked][53] = 0
        assert prog.test_run(udp(53)).retval == 1
        assert prog.test_run(udp(54)).retval == 2
        assert prog.test_run(packet(bytes(4) + bytes(Udp(dest=53)), ihl=6)).retval == 1
        assert dict(prog[module.blocked].items()) == {53: 2}


def test_exec_events(example, tracefs):
    module = example("exec_events")
    with load(module.on_exec) as prog, prog.attach():
        child = subprocess.Popen(["/bin/true"])
        child.wait()
        events = [e for e in prog[module.execs].drain() if e.pid == child.pid]
    assert [(e.filename, e.uid) for e in events] == [(b"/bin/true", os.getuid())]


def test_hello(example, tracefs):
    module = example("hello")
    with load(module.hello) as prog, prog.attach():
        child = subprocess.Popen(["/bin/true"])
        child.wait()
        with open(f"{tracefs}/trace") as trace:
            assert f"hello from {child.pid}" in trace.read()


def test_count_by_uid(example, tracefs):
    module = example("count_by_uid")
    with load(module.count) as prog, prog.attach():
        subprocess.run(["/bin/true"], check=True)
        assert prog[module.started][os.getuid()] >= 1


def test_sync_timing(example, tracefs):
    module = example("sync_timing")
    with load(module.on_sync) as prog, prog.attach():
        os.sync()
        os.sync()
        assert prog[module.calls][0] >= 2
        assert prog[module.quick].drain()


def test_bytes_by_protocol(example):
    module = example("bytes_by_protocol")
    with load(module.count) as prog, socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3)) as sock:
        with prog.attach(sock):
            send_udp()
        assert prog[module.sent][17] >= 3 * 142


def test_flows_by_tail_call(example):
    module = example("flows_by_tail_call")
    with module.load_all() as objs, socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3)) as packets:
        packets.bind(("lo", 0))
        with objs[module.start].attach(packets):
            for family, host in ((socket.AF_INET, "127.0.0.78"), (socket.AF_INET6, "::1")):
                with socket.create_server((host, 0), family=family) as server:
                    socket.create_connection(server.getsockname()[:2]).close()
                    tcp = server.getsockname()[1]
                with socket.socket(family, socket.SOCK_DGRAM) as sock:
                    sock.bind((host, 0))
                    sock.sendto(b"x", sock.getsockname())
                    udp_port = sock.getsockname()[1]
                found = {(f.dest, f.dport, f.protocol) for f in objs[module.flows]}
                address = 0x7F00004E if family == socket.AF_INET else 1 << 24
                assert {(address, tcp, 6), (address, udp_port, 17)} <= found
        with objs[module.start].attach(packets), socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as out:
            out.bind(("lo", 0))
            frame = bytes(12) + b"\x81\x00\x00\x05" + udp(53)[12:]
            out.send(frame)  # leaving, it is seen with its tag in place
            found = {(f.sport, f.dport, f.protocol) for f in objs[module.flows]}
            assert (9, 53, 17) in found


def test_icmp_echo(example):
    module = example("icmp_echo")
    body = bytes(range(32))
    icmp = Icmp(type=8, id=7, sequence=1)
    icmp.check = ip_checksum(bytes(icmp) + body)
    with load(module.echo) as prog:
        result = prog.test_run(packet(bytes(icmp) + body, protocol=1))
    assert result.retval == 3
    reply = result.data[34:]
    assert reply[0] == 0
    assert ip_checksum(reply) == 0
    ip = IPv4.from_buffer_copy(result.data[14:])
    assert (ip.saddr, ip.daddr) == (0x0A000002, 0x0A000001)
    assert result.data[:6] == bytes((2,) * 6)


def test_icmp_echo_in_ipv6(example):
    module = example("icmp_echo")
    one, two = bytes(range(16)), bytes(range(100, 116))
    for payload in (bytes(range(32)), bytes((255,)) * 32, bytes(32)):
        request = Icmp(type=128, id=7, sequence=1)
        pseudo = one + two + (8 + len(payload)).to_bytes(4, "big") + (58).to_bytes(4, "big")
        request.check = ip_checksum(pseudo + bytes(request) + payload)
        ip = IPv6(
            version=6, next_header=58, hop_limit=64, saddr=tuple(one), daddr=tuple(two), payload_length=8 + len(payload)
        )
        frame = bytes(Ethernet(dst=(1,) * 6, src=(2,) * 6, type=ETH_P_IPV6)) + bytes(ip) + bytes(request) + payload
        with load(module.echo) as prog:
            result = prog.test_run(frame)
        assert result.retval == 3
        assert result.data[22:54] == two + one
        assert result.data[54] == 129
        assert ip_checksum(pseudo + result.data[54:]) == 0


def test_lpm_firewall(example):
    module = example("lpm_firewall")
    with load(module.firewall) as prog:
        prog[module.refused]["10.0.0.0/24"] = 0
        assert prog.test_run(udp(1)).retval == 1
        assert prog.test_run(udp(1, saddr=0x0A000101)).retval == 2
        assert prog[module.refused]["10.0.0.0/24"] == 1


def test_token_bucket(example):
    module = example("token_bucket")
    with load(module.limit) as prog:
        prog[module.rate][0] = 5
        verdicts = [prog.test_run(udp(1)).retval for _ in range(8)]
        assert verdicts[:5] == [2] * 5
        assert verdicts.count(1) >= 2
        time.sleep(0.5)
        assert prog.test_run(udp(1)).retval == 2


def test_mark_dns(example):
    module = example("mark_dns")
    with load(module.mark) as prog:
        assert prog.test_run(udp(53)).retval == 0
        assert prog.test_run(udp(54)).retval == 0
        assert prog[module.marked][0] == 1


def test_redirect_connect(example, cgroup, run_in):
    module = example("redirect_connect")
    with socket.create_server(("127.0.0.1", 0)) as server, load(module.redirect) as prog:
        prog[module.ports][4] = server.getsockname()[1]
        with prog.attach(cgroup):
            code = "import socket; s = socket.create_connection(('192.0.2.1', 4), 5); print(s.getpeername())"
            assert "127.0.0.1" in run_in(code)


def test_syn_timeout(example, cgroup, run_in):
    module = example("syn_timeout")
    with socket.create_server(("127.0.0.1", 0)) as server, load(module.timeout) as prog, prog.attach(cgroup):
        run_in(f"import socket; socket.create_connection({server.getsockname()!r}, 5)")
        assert prog[module.asked][0] >= 1


def test_write_sizes(example, tracefs):
    module = example("write_sizes")
    with load(module.on_write) as prog, prog.attach(), open("/dev/null", "wb", buffering=0) as null:
        for _ in range(50):
            null.write(bytes(1000))
        counts = [sum(prog[module.sizes][i]) for i in range(33)]
    assert counts[10] >= 50
    assert "512 .. 1023" in module.histogram(counts)
