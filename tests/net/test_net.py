"""Headers are laid out as they stand on the wire."""

from __future__ import annotations

import ctypes
import socket
import struct

import pytest

from pybpf import net


@pytest.mark.parametrize(
    ("header", "size"),
    [
        (net.Ethernet, 14), (net.Vlan, 4), (net.Arp, 28), (net.IPv4, 20), (net.IPv6, 40), (net.Tcp, 20), (net.Udp, 8),
        (net.Icmp, 8), (net.Icmpv6, 8), (net.Gre, 4), (net.Vxlan, 8), (net.Sctp, 12),
    ],
    ids=lambda x: getattr(x, "__name__", ""),
)  # fmt: skip
def test_sizes(header, size):
    assert ctypes.sizeof(header) == size


def test_ipv4():
    raw = bytes(net.IPv4(version=4, ihl=5, ttl=64, protocol=17, length=60, saddr=0x0A000001, daddr=0x7F000001))
    assert raw == struct.pack(
        ">BBHHHBBH4s4s", 0x45, 0, 60, 0, 0, 64, 17, 0, socket.inet_aton("10.0.0.1"), socket.inet_aton("127.0.0.1")
    )
    assert net.IPv4.from_buffer_copy(raw).ihl == 5


def test_ipv6():
    raw = bytes(net.IPv6(version=6, priority=1, flow_label=0x12345, payload_length=8, next_header=58, hop_limit=64))
    assert raw[:8] == struct.pack(">IHBB", 6 << 28 | 1 << 20 | 0x12345, 8, 58, 64)


def test_tcp_flags():
    raw = bytes(net.Tcp(source=1, dest=2, seq=3, doff=5, syn=1, ack=1))
    assert raw[12:14] == bytes((0x50, 0x12))


def test_checksum():
    # the worked example of RFC 1071, section 3
    assert net.ip_checksum(bytes.fromhex("0001f203f4f5f6f7")) == 0xFFFF - 0xDDF2
    assert net.ip_checksum(b"\x01") == 0xFEFF


@pytest.mark.parametrize("name", [n for n in net.__all__ if n.startswith("IPPROTO_") and hasattr(socket, n)])
def test_protocol_numbers(name):
    assert getattr(net, name) == getattr(socket, name)
