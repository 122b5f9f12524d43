"""The programs of the gallery on the offline machine: packets as the kernel judges them, and the rest without a fault."""

from __future__ import annotations

import contextlib
import struct

import pytest
from test_gallery import FILES, specs

from pybpf import VM, SyscallError, load
from pybpf.errors import InputError
from pybpf.net import ETH_P_8021Q, ETH_P_ARP, ETH_P_IP, ETH_P_IPV6, Ethernet, IPv4, IPv6, Udp
from pybpf.uapi import ProgType

ETH = {"dst": (1,) * 6, "src": (2,) * 6}
UDP = (
    bytes(IPv4(version=4, ihl=5, ttl=64, protocol=17, saddr=0x0A000001, daddr=0x0A000002))
    + bytes(Udp(dest=53))
    + bytes(40)
)
PING = bytes(IPv4(version=4, ihl=5, ttl=64, protocol=1, saddr=0x0A000001, daddr=0x0A000002)) + b"\x08" + bytes(47)
PING6 = bytes(IPv6(version=6, next_header=58, hop_limit=64)) + b"\x80" + bytes(47)
PACKETS = {
    "udp": bytes(Ethernet(**ETH, type=ETH_P_IP)) + UDP,
    "ping": bytes(Ethernet(**ETH, type=ETH_P_IP)) + PING,
    "ping6": bytes(Ethernet(**ETH, type=ETH_P_IPV6)) + PING6,
    "tagged": bytes(Ethernet(**ETH, type=ETH_P_8021Q)) + struct.pack(">HH", 5, ETH_P_IP) + UDP,
    "arp": bytes(Ethernet(**ETH, type=ETH_P_ARP)) + bytes(46),
    "short": bytes(Ethernet(**ETH, type=ETH_P_IP)) + b"\x45",
}
JUDGED = (ProgType.XDP, ProgType.SCHED_CLS, ProgType.SOCKET_FILTER, ProgType.FLOW_DISSECTOR, ProgType.CGROUP_SKB)
CONTEXTS = {ProgType.SK_LOOKUP: {"family": 2}}
# What depends on the machine: its routes, its CPUs, its clock.
ELSEWHERE = {"xdp_router", "token_bucket"}


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_every_program_runs_offline(example, file):
    for spec in specs(example(file.stem), file.stem):
        if spec.prog_type == ProgType.LWT_XMIT:
            continue  # its helper makes packets of the kernel's
        packets = PACKETS.values() if spec.prog_type in JUDGED else [None]
        for data in packets:
            # What is too short to be a packet of some program type is refused.
            with contextlib.suppress(InputError) if data == PACKETS["short"] else contextlib.nullcontext():
                VM(spec).run(ctx=CONTEXTS.get(spec.prog_type), data=data)


@pytest.mark.kernel
@pytest.mark.parametrize("file", [file for file in FILES if file.stem not in ELSEWHERE], ids=lambda file: file.stem)
def test_packets_are_judged_as_by_the_kernel(example, file):
    for spec in specs(example(file.stem), file.stem):
        if spec.prog_type not in JUDGED:
            continue
        for name, data in PACKETS.items():
            with load(spec) as prog:
                theirs = judged(lambda prog=prog, data=data: prog.test_run(data))
            assert judged(lambda spec=spec, data=data: VM(spec).run(data=data)) == theirs, (spec.name, name)


def judged(run):
    """The result and the packet that is left, or the errno with which the input was refused."""
    try:
        result = run()
    except (SyscallError, InputError) as refused:
        return refused.errno
    return result.retval & 0xFFFFFFFF, result.data
