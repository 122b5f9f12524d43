"""`pybpf asm` and `pybpf disasm`."""

from __future__ import annotations

import io
import shutil
import subprocess
import sys

import pytest

from pybpf import asm
from pybpf.asm import Insn
from pybpf.cli import main

TEXT = "r6 = r1\nr1 = -4294967295 ll\nr2 = -2147483648\nx: r0 = 0\nif r0 == 1 goto x\nexit\n"
RAW = asm.encode(asm.assemble(TEXT))


@pytest.fixture
def stdin(monkeypatch):
    """Set what standard input holds."""

    def hold(data: bytes) -> None:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))

    return hold


def test_there_and_back(tmp_path, capfdbinary, stdin):
    source = tmp_path / "x.s"
    source.write_text(TEXT)
    assert main(["asm", str(source)]) == 0
    hexed = capfdbinary.readouterr().out
    assert hexed.startswith(b"bf 16 00 00 00 00 00 00\n18 01")
    assert main(["asm", str(source), "-o", str(tmp_path / "x.bin")]) == 0
    assert (tmp_path / "x.bin").read_bytes() == RAW
    assert main(["asm", str(source), "--form", "raw"]) == 0
    assert capfdbinary.readouterr().out == RAW
    expected = asm.disassemble(RAW).encode() + b"\n"
    for arguments in ([str(tmp_path / "x.bin")], [hexed.decode()], hexed.decode().split(), [RAW.hex()]):
        assert main(["disasm", *arguments]) == 0
        assert capfdbinary.readouterr().out == expected
    for data in (RAW, hexed, b", ".join(b"0x%02x" % byte for byte in RAW)):
        stdin(data)
        assert main(["disasm", "-"]) == 0
        assert capfdbinary.readouterr().out == expected
    stdin(TEXT.encode())
    assert main(["asm", "-", "--byteorder", "big"]) == 0
    stdin(capfdbinary.readouterr().out)
    assert main(["disasm", "-", "--byteorder", "big"]) == 0
    assert capfdbinary.readouterr().out == expected


def test_options_of_disasm(capsys):
    assert main(["disasm", RAW.hex(), "--numbers", "--raw", "--labels"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[1] == "       1: 18 01 00 00 01 00 00 00 00 00 00 00 ff ff ff ff r1 = -4294967295 ll"
    assert lines[3] == "L4:"
    assert lines[5].endswith("if r0 == 1 goto L4")


def test_check(capsys):
    assert main(["disasm", RAW.hex(), "--check"]) == 0
    assert main(["disasm", "ff" * 8, "--check"]) == 1
    assert "dst is r15" in capsys.readouterr().err


@pytest.mark.skipif(shutil.which("cc") is None, reason="needs a C compiler and linux/bpf.h")
def test_c_array(tmp_path, capsys, stdin):
    stdin(TEXT.encode())
    assert main(["asm", "-", "--form", "c"]) == 0
    dump = "int main(void) { return fwrite(prog, sizeof prog, 1, stdout) != 1; }\n"
    headers = "#include <linux/bpf.h>\n#include <stdio.h>\n"
    (tmp_path / "x.c").write_text(headers + capsys.readouterr().out + dump)
    subprocess.run(["cc", "-Wall", "-Werror", "-o", "x", "x.c"], cwd=tmp_path, check=True)
    assert subprocess.run([tmp_path / "x"], capture_output=True, check=True).stdout == RAW


@pytest.mark.parametrize(
    ("arguments", "data", "message"),
    [
        (["asm", "-"], b"r1 = \n", "pybpf asm: <stdin>:1:5: expected"),
        (["asm", "-"], b"\xff\xfe exit", "has no meaning here"),
        (["asm", "-"], b"r1 = packets ll", "map 'packets' has no number yet"),
        (["asm", "-", "--isa", "v1"], b"if r1 < 5 goto +0", "needs ISA v2"),
        (["asm", "-", "--isa", "v9"], b"exit", "expected 1 to 4"),
        (["asm", "-", "--kernel", "5.15"], b"r1 s/= 5", "needs Linux 6.6"),
        (["asm", "/nonexistent/x.s"], b"", "No such file"),
        (["disasm", "no such file"], b"", "neither a file nor hex digits"),
        (["disasm", "b7"], b"", "the length must be a multiple of 8"),
        (["disasm", "-"], b"\x7fELF and so on", "is an ELF object"),
        (["disasm", "-", "--input", "hex"], b"xyz", "expected hex digits"),
    ],
)
def test_errors(arguments, data, message, capsys, stdin):
    stdin(data)
    assert main(arguments) == 1
    assert message in capsys.readouterr().err


@pytest.mark.parametrize("command", ["asm", "disasm"])
def test_help_has_examples(command, capsys):
    with pytest.raises(SystemExit) as caught:
        main([command, "--help"])
    assert caught.value.code == 0
    assert f"  pybpf {command} " in capsys.readouterr().out.split("examples:")[1]


def test_placeholders(capsys, stdin):
    stdin(b"r1 = packets ll")
    assert main(["asm", "-", "--placeholders"]) == 0
    assert asm.decode(bytes.fromhex(capsys.readouterr().out)) == [Insn(0x18, 1, 1, next_imm=0)]
