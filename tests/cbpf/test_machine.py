"""The machine and the translation against the kernel running the same filters on the same bytes."""

from __future__ import annotations

import ctypes
import random
import socket
import sys

import pytest
from filters import EXPRESSIONS, PACKETS, random_filter

from pybpf import FilterError, NotSupportedError, SpecError
from pybpf.cbpf import Filter, Packet, parse, pcap_filter
from pybpf.uapi import ProgType, XdpAction

SO_ATTACH_FILTER = 26
linux = pytest.mark.skipif(sys.platform != "linux", reason="SO_ATTACH_FILTER is Linux's")


class Attached:
    """A pair of datagram sockets whose receiving end carries a classic filter; the kernel is the reference."""

    def __init__(self, insns: Filter) -> None:
        class Program(ctypes.Structure):
            _fields_ = (("len", ctypes.c_ushort), ("filter", ctypes.c_void_p))

        raw = bytes(insns)
        buffer = ctypes.create_string_buffer(raw, len(raw))
        self.near, self.far = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.far.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, bytes(Program(len(insns), ctypes.addressof(buffer))))
        self.far.setblocking(False)

    def kept(self, data: bytes) -> int:
        """Bytes that the filter lets through, 0 when it drops the datagram."""
        self.near.send(data)
        try:
            return len(self.far.recv(1 << 16))
        except BlockingIOError:
            return 0

    def close(self) -> None:
        self.near.close()
        self.far.close()


@linux
def test_random_filters_run_as_in_the_kernel():
    rng = random.Random(3)
    seen = set()
    for _ in range(400):
        insns = Filter(random_filter(rng))
        attached = Attached(insns)
        try:
            for _ in range(4):
                data = rng.randbytes(rng.choice((1, 20, 64, 200)))
                ours = insns.run(Packet(data, network=0))
                assert min(ours, len(data)) == attached.kept(data), (insns.format("asm"), data.hex())
                seen.add(ours)
        finally:
            attached.close()
    assert len(seen) > 30  # the filters computed something


@pytest.mark.kernel
@pytest.mark.parametrize("prog_type", [ProgType.SOCKET_FILTER, ProgType.SCHED_CLS, ProgType.XDP])
def test_translation_of_random_filters_means_the_same(prog_type):
    from pybpf import load

    rng = random.Random(5)
    for _ in range(120):
        insns = Filter(random_filter(rng))
        with load(insns.to_ebpf(prog_type=prog_type)) as prog:
            for data in (PACKETS[0], PACKETS[3], rng.randbytes(30)):
                result = prog.test_run(data=data).retval
                # TEST_RUN of skb types hides the Ethernet header from a socket filter, not from tc.
                seen = data[14:] if prog_type == ProgType.SOCKET_FILTER else data
                ours = insns.run(Packet(seen))
                expected = {
                    ProgType.SOCKET_FILTER: ours,
                    ProgType.SCHED_CLS: 0 if ours else 2,
                    ProgType.XDP: XdpAction.PASS if ours else XdpAction.DROP,
                }[prog_type]
                assert result == expected, (insns.format("asm"), data.hex())


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_expressions_select_what_they_say(expression):
    try:
        insns = pcap_filter(expression)
        plain = pcap_filter(expression, optimize=False)
    except NotSupportedError as error:
        pytest.skip(str(error))
    verdicts = [bool(insns.run(packet)) for packet in PACKETS]
    assert verdicts == [bool(plain.run(packet)) for packet in PACKETS]
    assert any(verdicts) or expression in ("ip[2:2] / ip[1:1] = 3", "ip[2:2] % 3 = 1 and len >= 100")
    assert not all(verdicts)


@pytest.mark.kernel
@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_expressions_keep_their_meaning_as_ebpf(expression):
    from pybpf import load

    try:
        insns = pcap_filter(expression)
    except NotSupportedError as error:
        pytest.skip(str(error))
    with load(insns.to_ebpf(prog_type=ProgType.XDP, name="filter")) as prog:
        for packet in PACKETS:
            if len(packet) >= 14:
                passed = prog.test_run(data=packet).retval == XdpAction.PASS
                assert passed == bool(insns.run(packet)), packet.hex()


def test_extensions_are_given_or_named_in_the_error():
    insns = parse("ld vlan_tci; and #0xfff; ret a")
    assert insns.run(Packet(b"", {"vlan_tci": 0x2005})) == 5
    with pytest.raises(FilterError, match=r"insn 0 reads \[vlan_tci\]"):
        insns.run(b"")


@pytest.mark.parametrize(
    "fields", [(6, 0, 0, 1 << 32), (6, 0, 0, -1), (6, 256, 0, 0), (1 << 16, 0, 0, 0), "ret", 6, (6,) * 5]
)
def test_what_is_no_instruction_is_refused(fields):
    with pytest.raises(FilterError, match=r"insn 0: .* is no instruction"):
        Filter([fields])


def test_a_filter_is_not_yet_a_program():
    from pybpf import load, verify

    for verb in (load, verify):
        with pytest.raises(SpecError, match=r"Filter is no program: .* becomes one by to_ebpf\(\)"):
            verb(parse("ret #0"))


def test_an_extension_that_ebpf_lacks_is_named():
    with pytest.raises(NotSupportedError, match=r"\[nla\]"):
        parse("ld #0; ldx #0; ld nla; ret a").to_ebpf()
    with pytest.raises(NotSupportedError, match=r"\[mark\]"):
        parse("ld mark; ret a").to_ebpf(prog_type=ProgType.XDP)


@pytest.mark.kernel
@pytest.mark.parametrize(
    "name",
    ["proto", "type", "mark", "queue", "vlanp", "vlan_tci", "vlan_tpid", "ifidx", "rxhash", "cpu", "random", "xor_x"],
)
def test_extensions_load_in_the_kernel(name):
    from pybpf import load

    with load(parse(f"ld #1; ld [{name}]; ret a").to_ebpf()) as prog:
        prog.test_run(data=PACKETS[0])
