"""bpf_fib_lookup in a network namespace and in a machine with the same table: answers and parameters must be equal."""

from __future__ import annotations

import random
from ipaddress import ip_address

import pytest

from pybpf import VM, Array, ProgramSpec, asm, load, u64
from pybpf.uapi import ProgType
from pybpf.vm import Route

pytestmark = pytest.mark.kernel

A, B = 10, 11  # interface indexes
MAC_A, MAC_B = b"\2\0\0\0\0\xa1", b"\2\0\0\0\0\xb1"
NEAR_A, NEAR_B, NEAR_6 = b"\2\0\0\0\0\xa2", b"\2\0\0\0\0\xb2", b"\2\0\0\0\0\xa6"
DEVICES = {1: 65535, A: 1500, B: 1400}


def via(network, device, near, gateway, **more):
    return Route(network, device, smac=MAC_A if device == A else MAC_B, dmac=near, gateway=gateway, **more)


SRC_A, SRC_B, SRC_A6, SRC_B6 = "10.1.0.1", "10.2.0.1", "2001:db8:1::1", "2001:db8:2::1"
# What `ip` is told, and the same row for the machine.
ROUTES = (
    ("10.3.0.0/16 via 10.1.0.2", via("10.3.0.0/16", A, NEAR_A, "10.1.0.2", source=SRC_A)),
    ("10.3.5.0/24 via 10.2.0.2 mtu lock 1000", via("10.3.5.0/24", B, NEAR_B, "10.2.0.2", source=SRC_B, mtu=1000)),
    ("10.4.0.0/16 via 10.1.0.9", via("10.4.0.0/16", A, None, "10.1.0.9", source=SRC_A)),
    ("blackhole 10.5.0.0/16", Route("10.5.0.0/16", 0, result=1)),
    ("unreachable 10.6.0.0/16", Route("10.6.0.0/16", 0, result=2)),
    ("prohibit 10.7.0.0/16", Route("10.7.0.0/16", 0, result=3)),
    ("10.8.0.0/16 via 10.2.0.2 metric 50", via("10.8.0.0/16", B, NEAR_B, "10.2.0.2", source=SRC_B, metric=50)),
    ("10.8.0.0/16 via 10.1.0.2 metric 5", via("10.8.0.0/16", A, NEAR_A, "10.1.0.2", source=SRC_A, metric=5)),
    ("10.9.0.0/16 via 10.1.0.2 table 100", via("10.9.0.0/16", A, NEAR_A, "10.1.0.2", source=SRC_A, table=100)),
    (
        "10.10.0.0/16 via inet6 2001:db8:1::2 dev a",
        via("10.10.0.0/16", A, NEAR_6, "2001:db8:1::2", source=SRC_A),
    ),
    ("10.11.0.0/16 via 10.1.0.2 src 10.2.0.1", via("10.11.0.0/16", A, NEAR_A, "10.1.0.2", source=SRC_B)),
    ("2001:db8:3::/48 via 2001:db8:1::2", via("2001:db8:3::/48", A, NEAR_6, "2001:db8:1::2", source=SRC_A6)),
    (
        "2001:db8:3:5::/64 via 2001:db8:2::2 mtu lock 1300",
        via("2001:db8:3:5::/64", B, None, "2001:db8:2::2", source=SRC_B6, mtu=1300),
    ),
    ("blackhole 2001:db8:5::/48", Route("2001:db8:5::/48", 0, result=1)),
    ("unreachable 2001:db8:6::/48", Route("2001:db8:6::/48", 0, result=2)),
    ("prohibit 2001:db8:7::/48", Route("2001:db8:7::/48", 0, result=3)),
    (
        "2001:db8:8::/48 via 2001:db8:1::2 metric 7",
        via("2001:db8:8::/48", A, NEAR_6, "2001:db8:1::2", source=SRC_A6, metric=7),
    ),
    (
        "2001:db8:9::/48 via 2001:db8:1::2 table 100",
        via("2001:db8:9::/48", A, NEAR_6, "2001:db8:1::2", source=SRC_A6, table=100),
    ),
)
# What the kernel adds by itself for the addresses.
OWN = (
    Route("10.1.0.0/24", A, dmac=None, source=SRC_A),
    Route("10.1.0.2/32", A, smac=MAC_A, dmac=NEAR_A, source=SRC_A),
    Route("10.2.0.0/24", B, dmac=None, source=SRC_B),
    Route("10.2.0.2/32", B, smac=MAC_B, dmac=NEAR_B, source=SRC_B),
    Route("2001:db8:1::/64", A, dmac=None, source=SRC_A6, metric=256),
    Route("2001:db8:1::2/128", A, smac=MAC_A, dmac=NEAR_6, source=SRC_A6, metric=256),
    Route("2001:db8:2::/64", B, dmac=None, source=SRC_B6, metric=256),
    *(Route(f"{text}/32", A, table=255, result=4) for text in (SRC_A, SRC_B, "10.1.0.255", "127.0.0.1")),
    *(Route(f"{text}/128", A, table=255, result=4) for text in (SRC_A6, SRC_B6, "::1")),
)
DESTINATIONS = (
    *(f"10.{n}.5.1" for n in range(3, 13)),
    *("10.1.0.1", "10.1.0.2", "10.1.0.7", "10.1.0.255", "10.2.0.2", "10.3.1.1", "127.0.0.1"),
    *(f"2001:db8:{n}:5::1" for n in range(3, 11)),
    *("2001:db8:1::1", "2001:db8:1::2", "2001:db8:1::7", "2001:db8:3:4::1", "::1"),
)
TEXT = """
    r6 = r1
    r7 = map_val(arguments) + 0
    r1 = r6
    r2 = map_val(parameters) + 0
    r3 = *(u32 *)(r7 + 4)
    r3 &= 63
    r3 += 1
    r4 = *(u32 *)(r7 + 0)
    call bpf_fib_lookup
    *(u32 *)(r7 + 0) = r0
    r0 = 0
    exit
"""


@pytest.fixture
def routed(network):
    """The namespace with its table."""
    for text in (
        "link add name a index 10 address 02:00:00:00:00:a1 type veth peer name b index 11 address 02:00:00:00:00:b1",
        "link set dev b mtu 1400",
        "link set dev a up",
        "link set dev b up",
        "addr add 10.1.0.1/24 dev a",
        "addr add 10.2.0.1/24 dev b",
        "addr add 2001:db8:1::1/64 dev a nodad",
        "addr add 2001:db8:2::1/64 dev b nodad",
        "neigh add 10.1.0.2 lladdr 02:00:00:00:00:a2 dev a nud permanent",
        "neigh add 10.2.0.2 lladdr 02:00:00:00:00:b2 dev b nud permanent",
        "neigh add 2001:db8:1::2 lladdr 02:00:00:00:00:a6 dev a nud permanent",
    ):
        network.ip(*text.split())
    for text, row in ROUTES:
        network.ip(*(["-6"] if row.network.version == 6 else []), "route", "add", *text.split())
    switch(network, 1)
    return network


def switch(network, on: int) -> None:
    with network.inside():
        for name in ("ipv4/ip_forward", "ipv6/conf/all/forwarding"):
            with open(f"/proc/sys/net/{name}", "w") as file:
                file.write(str(on))


def parameters(rng: random.Random, destination: str) -> bytes:
    address = ip_address(destination)
    raw = bytearray(rng.randbytes(64))
    raw[0] = 2 if address.version == 4 else 10
    if not rng.randrange(40):
        raw[0] = rng.choice((0, 1, 7))
    raw[1] = rng.choice((0, 6, 17))
    raw[6:8] = rng.choice((0, 0, 900, 1200, 1350, 1450, 3000)).to_bytes(2, "little")
    raw[8:12] = rng.choice((A, A, A, B, 1, 99)).to_bytes(4, "little")
    raw[12:16] = bytes(4)
    raw[16:32] = ip_address("10.1.0.2" if address.version == 4 else "2001:db8:1::2").packed.ljust(16, b"\0")
    raw[32:48] = address.packed.ljust(16, b"\0")
    raw[48:52] = rng.choice((0, 100, 254, 255, 999)).to_bytes(4, "little")
    return bytes(raw)


def answer(objects, run, given: bytes, flags: int, size: int):
    objects["parameters"].raw.update(bytes(4), given, 0)
    objects["arguments"].raw.update(bytes(4), flags.to_bytes(4, "little") + size.to_bytes(4, "little"), 0)
    run()
    status = objects["arguments"].raw.lookup(bytes(4))[:4]
    return int.from_bytes(status, "little", signed=True), objects["parameters"].raw.lookup(bytes(4)).hex()


@pytest.mark.parametrize("length", [64, 1450, 2000])
@pytest.mark.parametrize("prog_type", [ProgType.XDP, ProgType.SCHED_CLS], ids=str)
def test_lookups(routed, scale, prog_type, length):
    maps = {"parameters": Array(128, max_entries=1, name="parameters"), "arguments": Array(u64, max_entries=1)}
    spec = ProgramSpec(asm.assemble(TEXT), prog_type, maps=maps)
    frame = bytes(12) + b"\x08\x00" + bytes(length - 14)
    vm = VM(spec, devices=DEVICES)
    vm.env.routes = [row for _, row in ROUTES] + list(OWN)
    rng = random.Random(length)
    seen = set()
    with load(spec) as prog:
        for on in (1, 0):
            switch(routed, on)
            vm.env.forwarding = bool(on)
            with routed.inside():
                for n in range(1500 * scale if on else 50):
                    destination = rng.choice(DESTINATIONS)
                    flags = rng.randrange(64) if rng.randrange(20) else rng.choice((64, 1 << 31))
                    given = parameters(rng, destination).ljust(128, b"\0"), flags, 63 if n % 50 else 62
                    expected = answer(prog, lambda: prog.test_run(data=frame), *given)
                    found = answer(vm, lambda: vm.run(data=frame), *given)
                    assert found == expected, (n, destination, given[0].hex(), flags)
                    seen.add(expected[0])
    assert {0, 1, 2, 3, 4, 5, 7, -19, -22, -97} <= seen
