"""Capture files as they come: every byte order and link, compressed, empty, broken."""

from __future__ import annotations

import gzip
import struct

import pytest

from pybpf import VM, InputError, ProgramSpec, SpecError, asm
from pybpf.cli import main
from pybpf.uapi import ProgType
from pybpf.vm.capture import packets

pytest.importorskip("dpkt")

IPV4 = bytes([0x45, 0, 0, 28, 0, 0, 0, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2]) + bytes(8)
IPV6 = bytes([0x60, 0, 0, 0, 0, 8, 17, 64]) + bytes(40)
FRAME = bytes(12) + b"\x08\x00" + IPV4
PROTOCOL = ProgramSpec(asm.assemble("r6 = r1\nr0 = *(u8 *)skb[9]\nexit"), ProgType.SOCKET_FILTER, name="protocol")


def pcap(frames: list[bytes], link: int = 1, order: str = "<", magic: int = 0xA1B2C3D4) -> bytes:
    out = struct.pack(f"{order}IHHiIII", magic, 2, 4, 0, 0, 65535, link)
    return out + b"".join(
        struct.pack(f"{order}IIII", second, 0, len(raw), len(raw)) + raw for second, raw in enumerate(frames)
    )


@pytest.mark.parametrize(
    ("link", "header", "body", "expected"),
    [
        (1, FRAME[:14], IPV4, b"\x08\x00"),
        (101, b"", IPV4, b"\x08\x00"),
        (101, b"", IPV6, b"\x86\xdd"),
        (0, b"\2\0\0\0", IPV4, b"\x08\x00"),
        (108, b"\0\0\0\x0a", IPV6, b"\x86\xdd"),
        (113, bytes(14) + b"\x08\x06", bytes(28), b"\x08\x06"),
        (276, b"\x08\x00" + bytes(18), IPV4, b"\x08\x00"),
    ],
)
def test_links(tmp_path, link, header, body, expected):
    (tmp_path / "c.pcap").write_bytes(pcap([header + body], link))
    assert list(packets(tmp_path / "c.pcap")) == [(0.0, bytes(12) + expected + body)]


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("magic", [0xA1B2C3D4, 0xA1B23C4D])
@pytest.mark.parametrize("compressed", [False, True])
def test_formats(tmp_path, capsys, order, magic, compressed):
    raw = pcap([FRAME, FRAME], order=order, magic=magic)
    path = tmp_path / "c.cap"
    path.write_bytes(gzip.compress(raw) if compressed else raw)
    assert VM(PROTOCOL).run_capture(path).verdicts == {17: 2}
    (tmp_path / "f.s").write_text("r6 = r1\nr0 = *(u8 *)skb[9]\nexit\n")
    assert main(["run", str(tmp_path / "f.s"), "--type", "socket_filter", "--data", str(path)]) == 0
    assert capsys.readouterr().out == "f: 2 packets, 6 instructions\n         2  17\n"


def test_compressed_frame_is_no_capture(tmp_path):
    """Bytes of a packet that only look like gzip are a packet."""
    (tmp_path / "f.s").write_text("r0 = 0\nexit\n")
    (tmp_path / "frame.bin").write_bytes(b"\x1f\x8b" + bytes(60))
    assert main(["run", str(tmp_path / "f.s"), "--type", "xdp", "--data", str(tmp_path / "frame.bin")]) == 0


@pytest.mark.parametrize("cut", [1, 20, len(FRAME), len(FRAME) + 1, len(FRAME) + 15])
@pytest.mark.parametrize("compressed", [False, True])
def test_cut_off(tmp_path, cut, compressed):
    whole = pcap([FRAME, FRAME])
    path = tmp_path / "cut.pcap"
    path.write_bytes(gzip.compress(whole[:-cut]) if compressed else whole[:-cut])
    with pytest.raises(SpecError, match=r"cut.pcap is not a whole pcap or pcapng file"):
        list(packets(path))
    if compressed:
        path.write_bytes(gzip.compress(whole)[:-12])
        with pytest.raises(SpecError, match=r"cut.pcap is not a whole"):
            list(packets(path))


@pytest.mark.parametrize(
    "raw", [b"", b"no capture at all, but some text", pcap([FRAME])[:10], b"\x1f\x8b", pcap([FRAME], 105)]
)
def test_what_is_no_capture(tmp_path, raw):
    (tmp_path / "c.pcap").write_bytes(raw)
    with pytest.raises(SpecError, match=r"c.pcap"):
        VM(PROTOCOL).run_capture(tmp_path / "c.pcap")


def test_each_run_and_its_options(tmp_path):
    (tmp_path / "c.pcap").write_bytes(pcap([FRAME, FRAME[:10], FRAME]))
    vm = VM(ProgramSpec(asm.assemble("r0 = *(u32 *)(r1 + 8)\nexit"), ProgType.SCHED_CLS))
    seen: list = []
    report = vm.run_capture(tmp_path / "c.pcap", each=seen.append, ctx={"mark": 7}, trace=True)
    assert [(r.retval, len(r.trace)) for r in seen] == [(7, 2), (7, 2)]
    assert (report.packets, report.skipped, report.insns) == (2, 1, 4)
    with pytest.raises(InputError, match="len cannot be given"):
        vm.run_capture(tmp_path / "c.pcap", ctx={"len": 7})


def test_an_empty_capture(tmp_path, capsys):
    (tmp_path / "c.pcap").write_bytes(pcap([]))
    assert VM(PROTOCOL).run_capture(tmp_path / "c.pcap").packets == 0
    (tmp_path / "f.s").write_text("r0 = 0\nexit\n")
    assert main(["run", str(tmp_path / "f.s"), "--type", "xdp", "--data", str(tmp_path / "c.pcap")]) == 0
    assert "0 packets" in capsys.readouterr().out


def test_traces_of_every_packet(tmp_path, capsys):
    (tmp_path / "c.pcap").write_bytes(pcap([FRAME, FRAME]))
    (tmp_path / "f.s").write_text("call bpf_ktime_get_ns\nexit\n")
    assert main(["run", str(tmp_path / "f.s"), "--type", "xdp", "--data", str(tmp_path / "c.pcap"), "--trace"]) == 0
    lines = [line.split(";")[0].split() for line in capsys.readouterr().out.splitlines()]
    assert lines == [
        ["packet", "1:"], ["0:", "call", "bpf_ktime_get_ns", "r0=0"], ["1:", "exit"],
        ["packet", "2:"], ["0:", "call", "bpf_ktime_get_ns", "r0=0x3b9aca00"], ["1:", "exit"],
        ["f:", "2", "packets,", "4", "instructions"], ["1", "0", "(ABORTED)"], ["1", "1000000000"],
    ]  # fmt: skip


def test_other_programs_of_a_file_may_be_broken(tmp_path, capsys):
    (tmp_path / "two.py").write_text(
        "from pybpf import xdp\n@xdp\ndef good(ctx):\n    return 2\n@xdp\ndef bad(ctx):\n    return ctx.nonsense\n"
    )
    arguments = ["run", str(tmp_path / "two.py"), "--name", "good", "--data", FRAME.hex()]
    assert main(arguments) == 0
    out = capsys.readouterr()
    assert "good: returned 2 (PASS)" in out.out
    assert out.err.startswith("bad is left out: ")
