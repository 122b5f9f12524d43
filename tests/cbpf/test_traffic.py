"""The same traffic judged side by side: by SO_ATTACH_FILTER, by its translation under SO_ATTACH_BPF, by tcpdump, offline."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import socket
import struct
import subprocess
import sys

import pytest
from filters import EXPRESSIONS, PACKETS, random_filter

from pybpf import FilterError, NotSupportedError, SpecError, attach_classic, load
from pybpf.cbpf import Filter, Packet, parse, pcap, pcap_filter
from pybpf.uapi import ProgType

kernel = pytest.mark.kernel


def compiled(expression: str, **options) -> Filter:
    try:
        return pcap_filter(expression, **options)
    except NotSupportedError as error:
        pytest.skip(str(error))


# ---------------------------------------------------------------------------------- both kinds on one interface


@pytest.fixture
def veth():
    """Two interfaces joined by a cable: (near, far), in this namespace, with nothing else on the wire."""
    near, far = f"cb{os.getpid()}a", f"cb{os.getpid()}b"
    made = subprocess.run(["ip", "link", "add", near, "type", "veth", "peer", "name", far], capture_output=True)
    if made.returncode:
        pytest.skip("iproute2 cannot make interfaces here")
    try:
        for name in (near, far):
            with contextlib.suppress(OSError), open(f"/proc/sys/net/ipv6/conf/{name}/disable_ipv6", "w") as file:
                file.write("1")
            subprocess.run(["ip", "link", "set", name, "up"], check=True)
        yield near, far
    finally:
        subprocess.run(["ip", "link", "del", near], check=True)


def packet_socket(interface: str) -> socket.socket:
    sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
    sock.bind((interface, 3))
    sock.setblocking(False)
    return sock


def received(sock: socket.socket) -> list[bytes]:
    found = []
    with contextlib.suppress(BlockingIOError):
        while True:
            found.append(sock.recv(1 << 16))
    return found


def side_by_side(near: str, far: str, filters: list[Filter], frames: list[bytes]) -> None:
    """Each filter classic on one socket and extended on another; both see the same frames and keep the same bytes."""
    with packet_socket(near) as sender, packet_socket(far) as classic, packet_socket(far) as extended:
        for chosen in filters:
            with load(chosen.to_ebpf()) as prog, attach_classic(classic, chosen), prog.attach(extended):
                received(classic), received(extended)
                for frame in frames:
                    sender.send(frame)
                theirs, ours = received(classic), received(extended)
            assert ours == theirs, chosen.format("asm")


FRAMES = [p.ljust(60, b"\0") for p in PACKETS if len(p) >= 14]


@kernel
def test_random_filters_keep_the_same_bytes_on_a_wire(veth):
    rng = random.Random(11)
    frames = [*FRAMES, *(rng.randbytes(12) + b"\x08\x00" + rng.randbytes(rng.randrange(1, 200)) for _ in range(4))]
    side_by_side(*veth, [Filter(random_filter(rng)) for _ in range(150)], frames)


@kernel
def test_expressions_keep_the_same_bytes_on_a_wire(veth):
    side_by_side(*veth, [compiled(expression) for expression in EXPRESSIONS], FRAMES)


@kernel
@pytest.mark.parametrize(
    "name", ["proto", "type", "ifidx", "mark", "queue", "vlan_tci", "vlanp", "vlan_tpid", "rxhash", "xor_x"]
)
def test_extensions_read_the_same_on_a_wire(veth, name):
    """The value decides how many bytes are kept, six bits of it at a time."""
    filters = [
        parse(
            f"ldx #7\nld #9\nld [{name}]\nrsh #{shift}\nand #0x3f\nadd #1\nret a"
            if shift
            else f"ld #9\nld [{name}]\nret a"
        )
        for shift in (0, 6, 12)
    ]
    side_by_side(*veth, filters, FRAMES)


@kernel
def test_a_packet_of_no_device_ends_a_filter_that_asks_for_it():
    chosen = parse("ld #3\nld #ifidx\nret #2")
    near, far = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    with near, far, load(chosen.to_ebpf()) as prog:
        for attach in (lambda: attach_classic(far, chosen), lambda: prog.attach(far)):
            with attach():
                near.send(b"abcdef")
            assert far.recv(10) == b"abc"
    assert chosen.run(Packet(b"abcdef", {"ifidx": 0})) == 3
    assert chosen.run(Packet(b"abcdef", {"ifidx": 1})) == 2


@kernel
@pytest.mark.parametrize("name", ["SCHED_ACT", "CGROUP_SKB", "LWT_IN", "LWT_OUT", "LWT_XMIT"])
def test_other_program_types_pass_and_drop(name):
    prog_type = ProgType[name]
    raw = compiled("udp port 53", linktype="RAW" if name != "SCHED_ACT" else "EN10MB")
    passed, dropped = {"SCHED_ACT": (0, 2), "CGROUP_SKB": (1, 0)}.get(name, (0, 2))
    with load(raw.to_ebpf(prog_type=prog_type)) as prog:
        assert prog.test_run(data=PACKETS[2]).retval == passed
        assert prog.test_run(data=PACKETS[0]).retval == dropped


# --------------------------------------------------------------------------------------------- against tcpdump


def capture(path: str, packets: list[bytes], linktype: int) -> None:
    with open(path, "wb") as file:
        file.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262144, linktype))
        for second, packet in enumerate(packets):
            file.write(struct.pack("<IIII", second, 0, len(packet), len(packet)) + packet)


def chosen_by_tcpdump(path: str, expression: str) -> list[int]:
    """The numbers of the packets: each carries its number as its time."""
    done = subprocess.run(["tcpdump", "-r", path, "-w", "-", expression], capture_output=True, check=True)
    found, at = [], 24
    while at < len(done.stdout):
        second, _, size, _ = struct.unpack_from("<IIII", done.stdout, at)
        found.append(second)
        at += 16 + size
    return found


@pytest.mark.parametrize("linktype", ["EN10MB", "RAW", "LINUX_SLL"])
def test_verdicts_are_those_of_tcpdump(tmp_path, linktype):
    if not shutil.which("tcpdump"):
        pytest.skip("tcpdump is not installed")
    rng = random.Random(2)
    head = {
        "EN10MB": lambda p: p,
        "RAW": lambda p: p[14:],
        "LINUX_SLL": lambda p: bytes((0, 0, 0, 1, 0, 6)) + p[6:12] + bytes(2) + p[12:],
    }[linktype]
    packets = [head(p) for p in PACKETS if len(p) > 14]
    for packet in list(packets):
        for _ in range(30):
            damaged = bytearray(packet)
            damaged[rng.randrange(min(len(damaged), 60))] = rng.randrange(256)
            packets.append(bytes(damaged[: rng.randrange(len(damaged))] or damaged))
    path = str(tmp_path / "all.pcap")
    capture(path, packets, {"EN10MB": 1, "RAW": 101, "LINUX_SLL": 113}[linktype])
    decided, refused = 0, []
    for expression in EXPRESSIONS:
        try:
            chosen = compiled(expression, linktype=linktype)
        except FilterError:  # vlan and ether host mean nothing there, and libpcap says so
            refused.append(expression)
            continue
        ours = [i for i, packet in enumerate(packets) if chosen.run(packet)]
        assert ours == chosen_by_tcpdump(path, expression), expression
        decided += 0 < len(ours) < len(packets)
    assert decided >= 8
    assert not refused or linktype != "EN10MB"


# ------------------------------------------------------------------------------------------------------ libpcap


@kernel
def test_vlan_tags_are_found_beside_the_packet(veth):
    """The kernel takes a tag off a packet that arrives, so only a filter made for the interface sees it."""
    near, far = veth
    tagged = PACKETS[5].ljust(60, b"\0")
    seen = {}
    for options in ({}, {"interface": far}):
        chosen = compiled("vlan 5 and ip", **options)
        with packet_socket(near) as sender, packet_socket(far) as sock, attach_classic(sock, chosen):
            received(sock)
            sender.send(tagged)
            sender.send(FRAMES[0])
            seen[bool(options)] = len(received(sock))
    assert seen == {False: 0, True: 1}


def test_link_types_have_names():
    assert compiled("ip", linktype="RAW") == compiled("ip", linktype=pcap.DLT.RAW)
    with pytest.raises(FilterError, match="libpcap knows no link type 'TOKEN'; NULL, EN10MB"):
        pcap_filter("ip", linktype="TOKEN")
    with pytest.raises(FilterError, match="snaplen -1"):
        pcap_filter("ip", snaplen=-1)


@kernel
def test_an_interface_that_is_not_there_is_named():
    compiled("ip")
    with pytest.raises(FilterError, match=r"interface 'nosuch0': .*No such device"):
        pcap_filter("ip", interface="nosuch0")


def test_without_libpcap_the_package_is_named(monkeypatch):
    monkeypatch.setattr(pcap, "_LIBRARIES", ("libpcap-that-is-not-here.so",))
    monkeypatch.setattr(pcap, "_libpcap", pcap._libpcap.__wrapped__)
    with pytest.raises(NotSupportedError, match=r"compiling pcap expressions.*Debian: libpcap0.8"):
        pcap_filter("ip")


@pytest.mark.skipif(sys.platform != "linux", reason="SO_ATTACH_FILTER is Linux's")
def test_bytes_that_are_no_filter_are_refused():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        for raw in (b"", b"1234567", bytes(8 * 4097)):
            with pytest.raises(SpecError, match=f"{len(raw)} bytes of classic filter"):
                attach_classic(sock, raw)


@pytest.mark.kernel
def test_a_classic_program_chooses_the_receiver():
    with contextlib.ExitStack() as stack:
        port, group = 0, []
        for _ in range(3):
            group.append(stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)))
            group[-1].setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            group[-1].bind(("127.0.0.1", port))
            group[-1].settimeout(5)
            port = group[-1].getsockname()[1]
        sender = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        with attach_classic(
            group[0], parse("ldb [0]\nret a"), reuseport=True
        ):  # the first byte of the datagram says who
            for wanted in (2, 0, 1, 2):
                sender.sendto(bytes([wanted]), ("127.0.0.1", port))
                assert group[wanted].recv(16) == bytes([wanted])
