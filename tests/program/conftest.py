"""Programs that the tests of this folder share, and a network of the test's own."""

from __future__ import annotations

import time

import pytest

from pybpf import HashMap, ProgramSpec, asm, u32, u64

SOCKET_FILTER = 1

COUNT = """
        r6 = r1
        r0 = *(u8 *)skb[23]
        *(u32 *)(r10 - 4) = r0
        r2 = r10
        r2 += -4
        r1 = packets ll
        call bpf_map_lookup_elem
        if r0 == 0 goto new
        r1 = 1
        lock *(u64 *)(r0 + 0) += r1
        goto done
new:    *(u64 *)(r10 - 16) = 1
        r2 = r10
        r2 += -4
        r3 = r10
        r3 += -16
        r4 = 0
        r1 = packets ll
        call bpf_map_update_elem
done:   r0 = 0
        exit
"""


class Programs:
    """The programs, made when asked for."""

    @staticmethod
    def count(packets=None, name="count"):
        """Count Ethernet packets by IPv4 protocol; keep none."""
        packets = HashMap(u32, u64, max_entries=256, name="packets") if packets is None else packets
        return ProgramSpec(asm.assemble(COUNT), SOCKET_FILTER, name=name, maps={"packets": packets}), packets

    @staticmethod
    def keep(size, prog_type=SOCKET_FILTER, **fields):
        """Return one number: how many bytes of a packet to keep."""
        return ProgramSpec(asm.assemble(f"w0 = {size}\nexit"), prog_type, name="keep", **fields)


@pytest.fixture
def programs():
    return Programs


@pytest.fixture
def veth(network):
    """A pair of Ethernet devices, `left` 10.9.8.1 and `right` 10.9.8.2, up, in a network of its own."""
    network.ip("link", "add", "left", "type", "veth", "peer", "name", "right")
    for device, address in (("left", "10.9.8.1/24"), ("right", "10.9.8.2/24")):
        network.ip("addr", "add", address, "dev", device)
        network.ip("link", "set", device, "up")
    # The carrier comes a little later; what is sent before is lost.
    deadline = time.monotonic() + 10
    while network.up("left") + network.up("right") < 2:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return network
