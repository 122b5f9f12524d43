"""`pybpf run` as a shell runs it: where the packet comes from, which program is meant, and how it ends."""

from __future__ import annotations

import os
import signal
import struct
import subprocess
import sys
import time

import pytest

from pybpf import ProgramSpec, asm, write_elf
from pybpf.uapi import ProgType

FRAME = bytes(12) + b"\x88\xb5" + bytes(46)
CAPTURE = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1) + 2 * (struct.pack("<IIII", 1, 0, 60, 60) + FRAME)
DATA = FRAME.hex()
ANSWER = f"f: returned 2 (PASS) after 2 instructions\ndata: {DATA}\n"
COUNTS = "f: 2 packets, 4 instructions\n         2  2 (PASS)\n"
COMMAND = (sys.executable, "-m", "pybpf", "run")


@pytest.fixture
def place(tmp_path):
    (tmp_path / "f.s").write_text("r0 = 2\nexit")
    (tmp_path / "loop.s").write_text("r0 = 0\nl:\ngoto l\nexit")
    (tmp_path / "frame").write_bytes(FRAME)
    (tmp_path / "digits").write_text(f"0x{DATA}\n")
    (tmp_path / "c.pcap").write_bytes(CAPTURE)
    (tmp_path / "folder").mkdir()
    programs = [
        ProgramSpec(asm.assemble(f"r0 = {number}\nexit"), ProgType.XDP, name=name, section=section, license="GPL")
        for number, name, section in ((1, "one", "xdp"), (2, "two", "xdp.frags"))
    ]
    write_elf(tmp_path / "two.o", *programs)
    return tmp_path


def run(place, *arguments, given: bytes = b"") -> tuple[int, str, str]:
    done = subprocess.run([*COMMAND, *arguments], cwd=place, input=given, capture_output=True, check=False, timeout=120)
    return done.returncode, done.stdout.decode(), done.stderr.decode()


SOURCES = {
    "digits": (DATA, b"", (0, ANSWER, "")),
    "with colons": (FRAME.hex(":"), b"", (0, ANSWER, "")),
    "a file": ("frame", b"", (0, ANSWER, "")),
    "a file of digits": ("digits", b"", (0, ANSWER, "")),
    "a capture": ("c.pcap", b"", (0, COUNTS, "")),
    "piped bytes": ("-", FRAME, (0, ANSWER, "")),
    "piped digits": ("-", DATA.encode() + b"\n", (0, ANSWER, "")),
    "a piped capture": ("-", CAPTURE, (0, COUNTS, "")),
    "a capture by another name": ("/dev/stdin", CAPTURE, (0, COUNTS, "")),
    "a folder": ("folder", b"", (1, "", "pybpf run: --data folder: a directory; expected hex digits or a file\n")),
    "half a byte": ("abc", b"", (1, "", "pybpf run: --data abc: an odd number of hex digits (3)\n")),
    "neither": ("nofile", b"", (1, "", "pybpf run: --data nofile: neither hex digits nor a file that is there\n")),
}


@pytest.mark.parametrize("name", SOURCES)
def test_where_the_packet_comes_from(place, name):
    if "capture" in name:
        pytest.importorskip("dpkt")
    data, given, expected = SOURCES[name]
    assert run(place, "f.s", "--type", "xdp", "--data", data, given=given) == expected


@pytest.mark.parametrize(("name", "answer"), [("one", 1), ("two", 2), ("xdp", 1), ("xdp.frags", 2)])
def test_programs_of_an_object_by_name_and_section(place, name, answer):
    code, out, _ = run(place, "two.o", "--name", name, "--data", DATA)
    assert (code, out.splitlines()[0].split(" (")[0]) == (0, f"{('one', 'two')[answer - 1]}: returned {answer}")


def test_no_such_program(place):
    expected = "pybpf run: two.o has no program named 'three'; it has one, two\n"
    assert run(place, "two.o", "--name", "three", "--data", DATA) == (1, "", expected)


def test_interrupted(place):
    arguments = [*COMMAND, "loop.s", "--type", "xdp", "--data", DATA, "--budget", str(1 << 40)]
    # Processes in the background of a shell may ignore the signal, and hand that on.
    heeds = {"preexec_fn": lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)}
    with subprocess.Popen(arguments, cwd=place, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **heeds) as process:
        try:
            while "run" not in _commands(process.pid) or _seconds(process.pid) < 1:  # of CPU: then it is in the loop
                time.sleep(0.05)
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=60)
        finally:
            process.kill()
    assert (process.returncode, out, err) == (130, b"", b"\npybpf run: interrupted\n")


def _commands(pid: int) -> str:
    with open(f"/proc/{pid}/cmdline") as file:
        return file.read()


def _seconds(pid: int) -> float:
    with open(f"/proc/{pid}/stat") as file:
        return int(file.read().rpartition(")")[2].split()[11]) / os.sysconf("SC_CLK_TCK")
