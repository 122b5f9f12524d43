"""Assemble text into eBPF bytes.

The text is that of LLVM's disassembler, the kernel's log or bpftool, with labels and names; docs/assembler.md
describes it.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable
from pathlib import Path

from ..asm import Insn, assemble, check_isa, encode, format_insn, resolve

EPILOG = """examples:
  pybpf asm filter.s                       one instruction a line, in hex
  pybpf asm filter.s -o filter.bin         the bytes alone, into a file
  pybpf asm --form c filter.s              an array for a C program
  echo 'r0 = 0; exit' | tr ';' '\\n' | pybpf asm -
  pybpf asm --isa v2 filter.s              refuse what only newer kernels know
  pybpf asm filter.s | pybpf disasm -      and back
"""


def configure(parser: argparse.ArgumentParser) -> None:
    parser.epilog = EPILOG
    parser.add_argument("file", help="the text ('-': standard input)")
    parser.add_argument(
        "-o", "--output", metavar="OUT", help="write to this file, the bytes alone unless --form says else"
    )
    parser.add_argument("-f", "--form", choices=("hex", "c", "raw"), help="hex (default), a C array, or raw bytes")
    parser.add_argument("--byteorder", choices=("little", "big"), default=sys.byteorder, help="default: this machine's")
    parser.add_argument("--isa", help="the instruction set's level to keep to: v1, v2, v3 or v4 (default)")
    parser.add_argument("--kernel", help="refuse instructions that this kernel lacks, such as 5.15")
    parser.add_argument("--placeholders", action="store_true", help="encode names of maps and kfuncs as 0")


def run(args: argparse.Namespace) -> int:
    source = sys.stdin.buffer.read() if args.file == "-" else Path(args.file).read_bytes()
    text = source.decode("utf-8", "replace")
    prog = resolve(assemble(text, "<stdin>" if args.file == "-" else args.file), isa=args.isa)
    check_isa(prog, args.isa, kernel=args.kernel)
    raw = encode(prog, args.byteorder, placeholders=args.placeholders)
    form = args.form or ("raw" if args.output else "hex")
    if form != "raw":
        prog = [insn.replace(symbol=None) if insn.symbol else insn for insn in prog]
        raw = (_c_array(prog) if form == "c" else _hex(prog, args.byteorder)).encode()
    if args.output:
        Path(args.output).write_bytes(raw)
    else:
        sys.stdout.buffer.write(raw)
        sys.stdout.buffer.flush()
    return 0


def _hex(prog: Iterable[Insn], byteorder: str) -> str:
    return "".join([encode([insn], byteorder).hex(" ") + "\n" for insn in prog])


def _c_array(prog: Iterable[Insn]) -> str:
    """A `struct bpf_insn[]`, whose fields are code, dst_reg, src_reg, off and imm; a wide load fills two elements."""
    lines = []
    for insn in prog:
        opcode, dst, src, off, imm, next_imm = insn
        comment = format_insn(insn).replace("*/", "* /")
        lines.append(f"\t{{ 0x{opcode:02x}, {dst}, {src}, {off}, {_int(imm)} }},\t/* {comment} */")
        if next_imm is not None:
            lines.append(f"\t{{ 0x00, 0, 0, 0, {_int(next_imm)} }},")
    return "\n".join(["struct bpf_insn prog[] = {", *lines, "};", ""])


def _int(value: int) -> str:
    """The smallest int has no literal in C."""
    return str(value) if value > -(1 << 31) else "-2147483647 - 1"
