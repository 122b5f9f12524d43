"""Packet headers as `Struct`s, and the numbers that stand in them.

    eth = ctx.packet(Ethernet)            # inside a program: a bounds-checked view
    udp = Udp(source=53, dest=5353)       # outside: build and parse with the same types
    raw = bytes(eth) + bytes(ip) + bytes(udp)

Fields of several bytes are in network order on the wire and read as host integers.  Bit-fields are declared from the most
significant bit, as the RFCs draw them.
"""

from __future__ import annotations

import ctypes

from .types import Struct, be16, be32, u8

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

# --- EtherTypes (IEEE 802 numbers, as linux/if_ether.h spells them) ---

ETH_P_IP = 0x0800
ETH_P_ARP = 0x0806
ETH_P_RARP = 0x8035
ETH_P_8021Q = 0x8100
ETH_P_IPV6 = 0x86DD
ETH_P_MPLS_UC = 0x8847
ETH_P_MPLS_MC = 0x8848
ETH_P_PPP_SES = 0x8864
ETH_P_8021AD = 0x88A8
ETH_P_LLDP = 0x88CC
ETH_P_1588 = 0x88F7
ETH_P_ALL = 0x0003
ETH_ALEN = 6
ETH_HLEN = 14

# --- Protocol numbers of IPv4 and next headers of IPv6 (IANA) ---

IPPROTO_HOPOPTS = 0
IPPROTO_ICMP = 1
IPPROTO_IGMP = 2
IPPROTO_IPIP = 4
IPPROTO_TCP = 6
IPPROTO_UDP = 17
IPPROTO_DCCP = 33
IPPROTO_IPV6 = 41
IPPROTO_ROUTING = 43
IPPROTO_FRAGMENT = 44
IPPROTO_GRE = 47
IPPROTO_ESP = 50
IPPROTO_AH = 51
IPPROTO_ICMPV6 = 58
IPPROTO_NONE = 59
IPPROTO_DSTOPTS = 60
IPPROTO_SCTP = 132
IPPROTO_UDPLITE = 136

# --- Types of ICMP messages ---

ICMP_ECHOREPLY = 0
ICMP_DEST_UNREACH = 3
ICMP_REDIRECT = 5
ICMP_ECHO = 8
ICMP_TIME_EXCEEDED = 11
ICMPV6_DEST_UNREACH = 1
ICMPV6_PACKET_TOO_BIG = 2
ICMPV6_TIME_EXCEEDED = 3
ICMPV6_ECHO_REQUEST = 128
ICMPV6_ECHO_REPLY = 129
ICMPV6_ROUTER_SOLICITATION = 133
ICMPV6_ROUTER_ADVERTISEMENT = 134
ICMPV6_NEIGHBOR_SOLICITATION = 135
ICMPV6_NEIGHBOR_ADVERTISEMENT = 136

# --- Parts of IPv4's fragment field ---

IP_DF = 0x4000
IP_MF = 0x2000
IP_OFFSET = 0x1FFF

ARPOP_REQUEST = 1
ARPOP_REPLY = 2

if TYPE_CHECKING:
    Mac = Any
    Address6 = Any
    _Header = Struct
else:
    Mac = u8[6]
    Address6 = u8[16]

    class _Header(Struct):
        """A header as it stands on the wire: no padding, and bit-fields from the top bit down."""


def _bits(name: str, doc: str, fields: list[tuple[Any, ...]], types: dict[str, Any]) -> Any:
    """A header with bit-fields, which ctypes lays out from the top bit in big-endian structures."""
    body = {"_pack_": 1, "_fields_": fields, "_types_": types, "__doc__": doc, "__module__": __name__}
    methods = {name: vars(Struct)[name] for name in ("__eq__", "__hash__", "__repr__")}
    metaclass: Any = type(ctypes.BigEndianStructure)
    return metaclass(name, (ctypes.BigEndianStructure,), {**methods, **body})


class Ethernet(_Header):
    """An Ethernet header: 14 bytes."""

    dst: Mac
    src: Mac
    type: be16


class Vlan(_Header):
    """An 802.1Q tag behind the addresses: priority and number (`tci`), and the type of what follows.  4 bytes."""

    tci: be16
    type: be16


class Arp(_Header):
    """ARP for IPv4 over Ethernet: 28 bytes."""

    _pack_ = 1
    hardware: be16
    protocol: be16
    hardware_size: u8
    protocol_size: u8
    operation: be16
    sender_mac: Mac
    sender_ip: be32
    target_mac: Mac
    target_ip: be32


if TYPE_CHECKING:

    class IPv4(Struct):
        """An IPv4 header without options: 20 bytes.  `ihl` is its length in words of 4 bytes, options included."""

        version: int
        ihl: int
        tos: u8
        length: be16
        id: be16
        frag_off: be16
        ttl: u8
        protocol: u8
        check: be16
        saddr: be32
        daddr: be32

    class IPv6(Struct):
        """An IPv6 header: 40 bytes.  `flow` is traffic class and flow label in one word with the version."""

        version: int
        priority: int
        flow_label: int
        payload_length: be16
        next_header: u8
        hop_limit: u8
        saddr: Address6
        daddr: Address6

    class Tcp(Struct):
        """A TCP header without options: 20 bytes.  `doff` is its length in words of 4 bytes, options included."""

        source: be16
        dest: be16
        seq: be32
        ack_seq: be32
        doff: int
        cwr: int
        ece: int
        urg: int
        ack: int
        psh: int
        rst: int
        syn: int
        fin: int
        window: be16
        check: be16
        urg_ptr: be16

else:
    _u8, _u16, _u32 = ctypes.c_uint8, ctypes.c_uint16, ctypes.c_uint32
    IPv4 = _bits(
        "IPv4",
        "An IPv4 header without options: 20 bytes.  `ihl` is its length in words of 4 bytes, options included.",
        [
            ("version", _u8, 4),
            ("ihl", _u8, 4),
            ("tos", _u8),
            ("length", _u16),
            ("id", _u16),
            ("frag_off", _u16),
            ("ttl", _u8),
            ("protocol", _u8),
            ("check", _u16),
            ("saddr", _u32),
            ("daddr", _u32),
        ],
        {"length": be16, "id": be16, "frag_off": be16, "check": be16, "saddr": be32, "daddr": be32},
    )
    IPv6 = _bits(
        "IPv6",
        "An IPv6 header: 40 bytes.",
        [
            ("version", _u32, 4),
            ("priority", _u32, 8),
            ("flow_label", _u32, 20),
            ("payload_length", _u16),
            ("next_header", _u8),
            ("hop_limit", _u8),
            ("saddr", _u8 * 16),
            ("daddr", _u8 * 16),
        ],
        {"payload_length": be16, "saddr": Address6, "daddr": Address6},
    )
    Tcp = _bits(
        "Tcp",
        "A TCP header without options: 20 bytes.  `doff` is its length in words of 4 bytes, options included.",
        [
            ("source", _u16),
            ("dest", _u16),
            ("seq", _u32),
            ("ack_seq", _u32),
            ("doff", _u8, 4),
            ("reserved", _u8, 4),
            ("cwr", _u8, 1),
            ("ece", _u8, 1),
            ("urg", _u8, 1),
            ("ack", _u8, 1),
            ("psh", _u8, 1),
            ("rst", _u8, 1),
            ("syn", _u8, 1),
            ("fin", _u8, 1),
            ("window", _u16),
            ("check", _u16),
            ("urg_ptr", _u16),
        ],
        {"source": be16, "dest": be16, "seq": be32, "ack_seq": be32, "window": be16, "check": be16, "urg_ptr": be16},
    )


class Udp(_Header):
    """A UDP header: 8 bytes."""

    source: be16
    dest: be16
    length: be16
    check: be16


class Icmp(_Header):
    """An ICMP header: 8 bytes; `id` and `sequence` as echo messages have them."""

    type: u8
    code: u8
    check: be16
    id: be16
    sequence: be16


class Icmpv6(_Header):
    """An ICMPv6 header: 8 bytes; `id` and `sequence` as echo messages have them."""

    type: u8
    code: u8
    check: be16
    id: be16
    sequence: be16


class Gre(_Header):
    """The first 4 bytes of a GRE header."""

    flags: be16
    protocol: be16


class Vxlan(_Header):
    """A VXLAN header: 8 bytes; the network is in the upper 24 bits of `vni`."""

    flags: be32
    vni: be32


class Sctp(_Header):
    """An SCTP common header: 12 bytes."""

    source: be16
    dest: be16
    tag: be32
    check: be32


def ip_checksum(header: bytes) -> int:
    """The Internet checksum (RFC 1071) of bytes whose checksum field is 0, as a host integer."""
    if len(header) % 2:
        header += b"\0"
    total = sum(int.from_bytes(header[i : i + 2], "big") for i in range(0, len(header), 2))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


__all__ = [
    name
    for name in dir()
    if not name.startswith("_") and name not in ("annotations", "ctypes", "TYPE_CHECKING", "be64")
]
