"""Instructions to text: one line an instruction, spelled as the table says.

What is printed reads back to the same bytes.  An instruction that has no row in the table (see `match.row_of`) is
a line of numbers:

    .insn OPCODE, DST, SRC, OFF, IMM[, IMM OF THE SECOND SLOT]
"""

from __future__ import annotations

import sys
from operator import itemgetter

from ..errors import AsmError
from .codec import decode, encode
from .helpers import helper_name
from .insn import Insn
from .match import row_of
from .opcodes import LD_IMM64, Call, Class, Jmp
from .symbols import distance, slots_of
from .table import IMM, KEYWORDS, NAMED, OPERANDS, ROWS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

    Format = tuple[str, Callable[[Insn], Any]]


_CALL = Class.JMP | Jmp.CALL


def format_insn(insn: Insn) -> str:
    """The text of one instruction, on one line; a symbol is printed where there is one."""
    row = row_of(insn)
    if row is None:
        return _numbers(insn)
    if insn.symbol is not None:
        template = ROWS[row][1].replace("pcT", "L")
        if template == "call kfunc M" and insn[IMM]:
            template = "call V#I"  # both are known: the kernel's log writes them so
        if any(letter in template for letter in NAMED):
            text, operands = _format(template, name(insn.symbol))
            return str(text % operands(insn))
    text, operands = _FORMATS[row]
    line: str = text % operands(insn)
    return line


def format_program(
    insns: Iterable[Insn],
    *,
    labels: bool | None = None,
    numbers: bool = False,
    raw: bool = False,
    source: bool = False,
    comments: bool = False,
    helpers: bool = False,
) -> str:
    """The text of a program, lines joined by newlines.

    `labels`: True gives every jump a label, made up where it has none; False prints no lines for labels; None (the
    default) prints the labels that the instructions carry.  `numbers` puts its slot before each instruction, `raw` its
    bytes.  `source` puts a comment line wherever a line of the user's source begins, `comments` adds those of the
    instructions, and `helpers` names the helpers that are called.
    """
    program = with_labels(insns) if labels else list(insns)
    label_lines = labels is not False and any(insn.label is not None for insn in program)
    if not (label_lines or numbers or raw or source or comments or helpers):
        return "\n".join([format_insn(insn) for insn in program])
    out = []
    indent = "    " if label_lines else ""
    place = None
    for insn, slot in zip(program, slots_of(program), strict=True):
        if source and insn.source is not None and insn.source[:2] != place:
            place = insn.source[:2]
            out.append(f"{indent}; {insn.source.text.strip()} @ {insn.source.file}:{insn.source.line}")
        if label_lines and insn.label is not None:
            out.append(f"{name(insn.label)}:")
        called = helper_name(insn[4]) if helpers and insn[0] == _CALL and insn[2] == Call.HELPER else None
        line = format_insn(insn) if called is None else f"call {called}"
        if raw:
            line = f"{_bytes(insn):<48}{line}"
        if numbers:
            line = f"{slot:4}: {line}"
        if comments and insn.comment:
            line += "  # " + " ".join(insn.comment.split())
        out.append(indent + line)
    return "\n".join(out)


def disassemble(code: bytes | Iterable[Insn], *, byteorder: str = sys.byteorder, **options: Any) -> str:
    """The text of `code`, bytes or instructions: one line each, as `llvm-objdump -d --no-print-imm-hex` prints it.

    `options` are those of `format_program`; `byteorder` ("little" or "big") is that of the bytes.  AsmError when there
    are not whole instructions.
    """
    if isinstance(code, str):
        raise AsmError("disassemble takes bytes or instructions; assemble takes text")
    if isinstance(code, (bytes, bytearray, memoryview)):
        code = decode(bytes(code), byteorder)
    return format_program(code, **options)


def with_labels(insns: Iterable[Insn]) -> list[Insn]:
    """The program with every jump and local call aimed at a label instead of a distance.

    Labels that are there stay; a target without one becomes `L<slot>`.  What leads out of the program keeps its
    distance.
    """
    program = list(insns)
    slots = slots_of(program)
    at = {slot: index for index, slot in enumerate(slots)}
    taken = {insn.label for insn in program}
    for index, insn in enumerate(program):
        step = distance(insn)
        if step is None or insn.symbol is not None:
            continue
        slot = slots[index] + 1 + step
        if slot not in at:
            continue
        target = program[at[slot]]
        label = target.label
        if label is None:
            label = f"L{slot}"
            while label in taken:
                label += "_"
            taken.add(label)
            program[at[slot]] = target.replace(label=label)
        program[index] = program[index].replace(symbol=label)
    return program


def _format(template: str, symbol: str | None = None) -> Format:
    """A template as a format for `%`, and the getter of what it takes; with `symbol` in place of what can be named."""
    pieces: list[str] = []
    getters: list[Callable[[Insn], object]] = []
    for letter in template:
        if letter == "Z":
            pieces.append("0")
        elif symbol is not None and letter in NAMED:
            pieces.append(symbol.replace("%", "%%"))
        elif letter in _SPECIAL:
            pieces.append("%s")
            getters.append(_SPECIAL[letter])
        elif letter in OPERANDS:
            pieces.append("%+d" if letter in "JLT" else "%d")
            getters.append(itemgetter(OPERANDS[letter][0]))
        else:
            pieces.append("%%" if letter == "%" else letter)
    letters = [letter for letter in template if letter in OPERANDS and letter != "Z"]
    if symbol is None and letters and not any(letter in _SPECIAL for letter in letters):
        return "".join(pieces), itemgetter(*[OPERANDS[letter][0] for letter in letters])
    return "".join(pieces), lambda insn: tuple([get(insn) for get in getters])


def _signed(value: int) -> str:
    return f"+ {value}" if value >= 0 else f"- {-value}"


def _imm64(insn: Insn) -> int:
    value = insn.imm64
    return value - (1 << 64) if value >> 63 else value


_SPECIAL: dict[str, Callable[[Insn], object]] = {
    "O": lambda insn: _signed(insn.off),
    "E": lambda insn: _signed(insn.imm),
    "P": lambda insn: _signed(insn.next_imm or 0),
    "Q": _imm64,
    "H": lambda insn: insn.imm >> 16 & 0xFFFF,
    "G": lambda insn: insn.imm & 0xFFFF,
}
_FORMATS = {number: _format(row[1]) for number, row in enumerate(ROWS) if row[4]}


def _numbers(insn: Insn) -> str:
    lone = "  # half of a wide load, without the other half" if insn[0] == LD_IMM64 and not insn.wide else ""
    return f".insn 0x{insn[0]:02x}, " + ", ".join([str(field) for field in insn[1:] if field is not None]) + lone


def name(text: str) -> str:
    """A name as it stands in text: quoted unless it is a plain word."""
    if is_name(text):
        return text
    return '"' + "".join([c if " " <= c <= "~" and c not in '"\\' else f"\\u{{{ord(c):x}}}" for c in text]) + '"'


def is_name(text: str) -> bool:
    """True for what can stand unquoted: a word of ASCII letters, digits, `_`, `.` and `$` that means nothing else."""
    letters = text.replace("_", "a").replace(".", "a").replace("$", "a")
    return letters.isascii() and letters.isalnum() and not letters[0].isdigit() and text not in _RESERVED


_RESERVED = KEYWORDS | {f"{kind}{number}" for kind in "rw" for number in range(100)} | {".insn", ".equ", ".set"}


def _bytes(insn: Insn) -> str:
    """The bytes of one instruction as hex; those of a symbol that is not known yet are zero."""
    return encode([insn.replace(symbol=None)]).hex(" ")
