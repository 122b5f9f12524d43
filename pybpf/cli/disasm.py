"""Print eBPF bytes as text, one instruction a line.

The text is what LLVM's disassembler prints, and `pybpf asm` reads it back to the same bytes.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from ..asm import check, decode, disassemble
from ..errors import AsmError

EPILOG = """examples:
  pybpf disasm filter.bin                            raw bytes, or hex text, in a file
  pybpf disasm 'b7 00 00 00 00 00 00 00 9500000000000000'
  pybpf disasm --numbers --raw --labels filter.bin   with slots, bytes and labels
  pybpf disasm --check filter.bin                    say what is malformed; exit status 1 when something is
  xxd -p filter.bin | pybpf disasm -
"""


def configure(parser: argparse.ArgumentParser) -> None:
    parser.epilog = EPILOG
    parser.add_argument("code", nargs="+", help="a file, hex digits, or '-' for standard input")
    parser.add_argument("-n", "--numbers", action="store_true", help="the slot of each instruction")
    parser.add_argument("-r", "--raw", action="store_true", help="the bytes of each instruction")
    parser.add_argument("-l", "--labels", action="store_true", help="jumps to labels in place of distances")
    parser.add_argument("--input", choices=("auto", "hex", "raw"), default="auto", help="how the code is written")
    parser.add_argument("--byteorder", choices=("little", "big"), default=sys.byteorder, help="default: this machine's")
    parser.add_argument("--check", action="store_true", help="report malformed instructions and stray jumps")


def run(args: argparse.Namespace) -> int:
    insns = decode(_code(args.code, args.input), args.byteorder)
    print(disassemble(insns, numbers=args.numbers, raw=args.raw, labels=args.labels or None))
    problems = check(insns) if args.check else []
    for problem in problems:
        print(problem, file=sys.stderr)
    return 1 if problems else 0


def _code(words: list[str], form: str) -> bytes:
    """The bytes that the arguments name or spell."""
    if len(words) == 1 and (words[0] == "-" or Path(words[0]).exists()):
        raw = sys.stdin.buffer.read() if words[0] == "-" else Path(words[0]).read_bytes()
        found = None if form == "raw" else _from_hex(raw.decode("latin-1"))
        if found is None and form == "hex":
            raise AsmError(f"{words[0]}: expected hex digits")
        if found is None and raw.startswith(b"\x7fELF"):
            raise AsmError(f"{words[0]} is an ELF object: disasm takes the bytes of one program")
        return raw if found is None else found
    found = _from_hex(" ".join(words))
    if found is None:
        raise AsmError(f"{' '.join(words)!r} is neither a file nor hex digits")
    return found


def _from_hex(text: str) -> bytes | None:
    """The bytes of hex text, in any grouping; None when it is none."""
    digits = "".join([word.removeprefix("0x") for word in text.replace(",", " ").split()])
    if not digits or len(digits) % 2 or not set(digits) <= set("0123456789abcdefABCDEF"):
        return None
    return bytes.fromhex(digits)
