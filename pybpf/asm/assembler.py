"""Text to instructions: `assemble`.

A line is an instruction with labels before it, or a directive; its shape (see `table`) says which instruction it is.
What the kernel's verifier log and `bpftool prog dump xlated` print is read as well: `5: (bf) r6 = r1   ; R1=ctx()`.
"""

from __future__ import annotations

from ..errors import AsmError
from ..source import Source
from . import dump
from .codec import decode
from .helpers import helper_id
from .insn import Insn, s32
from .lexer import Misread, tokenize
from .opcodes import LD_IMM64, Call, Class, Jmp
from .symbols import refers_to_code
from .table import NAMED, NEXT, OPERANDS, SHAPES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .lexer import Token
    from .table import Row

_OPERAND_TOKENS = frozenset(("r", "w", "N", "O", "X"))
_CALL = Class.JMP | Jmp.CALL
_FIELD_RANGES = (
    (0, 0xFF),
    (0, 15),
    (0, 15),
    (-(1 << 15), (1 << 15) - 1),
    (-(1 << 31), (1 << 31) - 1),
    (-(1 << 31), (1 << 31) - 1),
)


def assemble(text: str, file: str = "<asm>") -> list[Insn]:
    """The instructions of `text`, each with its `source`; docs/assembler.md describes the language.

    Jumps to labels stay symbols until `resolve`, and names of maps and kfuncs until the program is loaded.
    AsmError, with line, column and what was expected, for what is not in the language.
    """
    if not isinstance(text, str):
        raise AsmError(f"assemble takes text, not {type(text).__name__}; disassemble takes bytes")
    return _Assembler(text, file).run()


class _Assembler:
    """One text being read."""

    def __init__(self, text: str, file: str) -> None:
        self.lines = text.split("\n")
        self.file = file
        self.number = 0  # of the line being read, from 1
        self.out: list[Insn] = []
        self.slots: list[int | None] = []  # of each instruction, where a dump gives it
        self.constants: dict[str, int] = {}
        self.pending: list[str] = []  # labels that wait for their instruction
        self.labels: dict[str, str] = {}  # every label -> the one that its instruction carries
        self.unread: tuple[int, Source] | None = None  # slot and place of an instruction whose text bpftool lacks
        prefixes = [dump.prefix(line) for line in self.lines]
        self.is_dump = any(opcode is not None for _, opcode, _ in prefixes)
        self.is_numbered = any(opcode is not None and slot is not None for slot, opcode, _ in prefixes)

    def run(self) -> list[Insn]:
        in_comment = False
        for number, text in enumerate(self.lines, 1):
            self.number = number
            try:
                in_comment = self.line(text, in_comment)
            except Misread as problem:
                raise AsmError(problem.message, self.source(problem.column)) from None
        if in_comment:
            raise AsmError("expected */ before the end of the text", self.source(0))
        if self.pending:
            raise AsmError(f"label {self.pending[0]!r} has no instruction behind it", self.source(0))
        self.check_unread()
        insns = self.name_targets()
        slots = [slot for slot in self.slots if slot is not None]
        return dump.in_order(insns, slots) if self.is_dump and len(slots) == len(insns) else insns

    def source(self, column: int) -> Source:
        return Source(self.file, self.number, column, self.lines[self.number - 1].rstrip("\r"))

    def line(self, text: str, in_comment: bool) -> bool:
        """Read one line; returns whether a block comment is still open at its end."""
        slot, opcode, start = None, None, 0
        if in_comment:
            closing = text.find("*/")
            if closing < 0:
                return True
            start = closing + 2
        else:
            slot, opcode, start = dump.prefix(text)
        # A dump has remarks between its instructions; where they are numbered, so is every one.
        unlike = opcode is None or (self.is_numbered and slot is None)
        if self.is_dump and unlike and self.remark(text, slot, start):
            return False
        line = tokenize(text, self.constants, start)
        tokens = line.tokens
        while len(tokens) > 1 and tokens[1][0] == ":":
            self.label(tokens[0])
            tokens = tokens[2:]
        if not tokens:
            return line.open
        if line.rest is not None and not self.is_dump and self.is_instruction(line.rest):
            column = len(text) - len(line.rest)
            raise Misread("`;` begins a comment, and this one is an instruction: give it a line of its own", column)
        if tokens[0][0] == "X" and tokens[0][1] in _DIRECTIVES:
            _DIRECTIVES[str(tokens[0][1])](self, tokens)
        else:
            self.add(self.instruction(tokens, opcode), tokens[0][2], slot)
        return line.open

    def remark(self, text: str, slot: int | None, start: int) -> bool:
        """Whether a line of a dump is no instruction: states of registers, lines of source, counts, bytes."""
        raw = dump.hex_bytes(text)
        if raw is not None:
            self.take_bytes(raw)
            return True
        if slot is not None and text.startswith("BUG_", start):
            self.check_unread()
            self.unread = slot, self.source(start + 1)  # an old bpftool does not know it, but may give its bytes
            return True
        return not self.is_instruction(text[start:])

    def take_bytes(self, raw: bytes) -> None:
        """The bytes below an instruction are more exact than its text, but for calls, where the text has the name."""
        insn = decode(raw)[0]
        if self.unread is not None:
            slot, source = self.unread
            self.unread = None
            self.out.append(insn.replace(source=source))
            self.slots.append(slot)
        elif self.out and self.out[-1][0] == insn[0] != _CALL:
            meta = self.out[-1].__dict__
            self.out[-1] = insn.replace(source=meta["source"], label=meta.get("label"))

    def check_unread(self) -> None:
        if self.unread is not None:
            raise AsmError("the dump does not say which instruction this is: dump again with `opcodes`", self.unread[1])

    def is_instruction(self, text: str) -> bool:
        try:
            tokens = tokenize(text, self.constants).tokens
        except Misread:
            return False
        return "".join([token[0] for token in tokens]) in SHAPES

    def label(self, token: Token) -> None:
        cls, name, column = token
        if cls != "X":
            raise Misread(f"expected a name for a label, got {_shown(token)}", column)
        if name in self.labels:
            raise Misread(f"label {name!r} is there twice", column)
        self.pending.append(str(name))
        self.labels[str(name)] = self.pending[0]

    def add(self, insn: Insn, column: int, slot: int | None = None) -> None:
        self.check_unread()
        meta = insn.__dict__  # fresh, so nobody has seen it yet
        meta["source"] = self.source(column)
        if self.pending:
            meta["label"] = self.pending[0]
            self.pending = []
        self.out.append(insn)
        self.slots.append(slot)

    def instruction(self, tokens: list[Token], opcode: int | None) -> Insn:
        rows = SHAPES.get("".join([token[0] for token in tokens]))
        if rows is None:
            raise self.unexpected(tokens)
        if opcode is None:
            return _build(rows[0], tokens)
        for row in rows:
            if row[0] == opcode:
                return _build(row, tokens)
        raise Misread(f"the text is not that of opcode {opcode:02x}", tokens[0][2])

    def unexpected(self, tokens: list[Token]) -> Misread:
        from .expected import expected

        index, wanted = expected([token[0] for token in tokens])
        if index < len(tokens):
            return Misread(f"expected {wanted}, got {_shown(tokens[index])}", tokens[index][2])
        return Misread(f"expected {wanted}, got the end of the line", len(self.lines[self.number - 1].rstrip()) + 1)

    # Directives

    def equ(self, tokens: list[Token]) -> None:
        """.equ NAME, value"""
        classes = [token[0] for token in tokens]
        if classes != ["X", "X", ",", "N"]:
            if classes[1:2] == ["N"]:
                raise Misread("expected a name that is not a constant yet", tokens[1][2])
            raise Misread("expected .equ NAME, number", tokens[min(len(tokens) - 1, 1)][2])
        name = str(tokens[1][1])
        if name in self.labels:
            raise Misread(f"{name!r} is a label already", tokens[1][2])
        self.constants[name] = int(tokens[3][1])

    def insn(self, tokens: list[Token]) -> None:
        """.insn opcode, dst, src, off, imm[, imm of the second slot]"""
        classes = "".join([token[0] for token in tokens])
        if classes not in ("XN,N,N,N,N", "XN,N,N,N,N,N"):
            raise Misread("expected .insn opcode, dst, src, off, imm[, imm of the second slot]", tokens[0][2])
        fields = [int(token[1]) for token in tokens[1::2]]
        for token, (low, high) in zip(tokens[1::2], _FIELD_RANGES, strict=False):
            if not low <= int(token[1]) <= high:
                raise Misread(f"expected {low} to {high}, got {token[1]}", token[2])
        if len(fields) == 6 and fields[0] != LD_IMM64:
            raise Misread(f"only a wide load (opcode 0x{LD_IMM64:x}) has a second slot", tokens[-1][2])
        self.add(Insn(*fields), tokens[0][2])

    # Names

    def name_targets(self) -> list[Insn]:
        """The instructions with names decided: the label that a place carries, and what a call by name calls."""
        for index, insn in enumerate(self.out):
            name = insn.symbol
            if name is None:
                continue
            label = self.labels.get(name)
            if insn[0] == _CALL and insn[2] == Call.LOCAL and label is None:
                number = helper_id(name)
                if number is None:
                    self.out[index] = insn.replace(src=Call.KFUNC)
                else:
                    self.out[index] = insn.replace(src=Call.HELPER, imm=number, symbol=None)
            elif refers_to_code(insn):
                if label is None:
                    raise self.no_label(insn, name)
                if label != name:
                    self.out[index] = insn.replace(symbol=label)
        return self.out

    def no_label(self, insn: Insn, name: str) -> AsmError:
        from .symbols import similar

        source = insn.source
        assert source is not None
        column = source.text.rfind(name) + 1
        return AsmError(
            f"no label is named {name!r}{similar(name, self.labels)}",
            Source(source.file, source.line, column or source.column, source.text),
        )


_DIRECTIVES = {".equ": _Assembler.equ, ".set": _Assembler.equ, ".insn": _Assembler.insn}


def _build(row: Row, tokens: list[Token]) -> Insn:
    """The instruction of a row, with the operands of a line of its shape."""
    opcode, template, fixed, _, _ = row
    fields = [opcode, *fixed]
    symbol = None
    filled = set()
    operands = iter([token for token in tokens if token[0] in _OPERAND_TOKENS])
    for letter in template:
        if letter not in OPERANDS:
            continue
        cls, value, column = next(operands)
        if isinstance(value, str):
            if letter in NAMED:
                symbol = value
            continue
        field, low, high, _ = OPERANDS[letter]
        if not low <= value <= high:
            raise Misread(_out_of_range(letter, value, low, high), column)
        if letter in filled and fields[field] != value:
            raise Misread(f"expected {cls}{fields[field]} again, got {cls}{value}", column)
        if field:
            filled.add(letter)
        if letter == "Q":
            fields[NEXT] = s32(value >> 32)
        if letter == "H":
            fields[field] = s32(value << 16)
        elif letter == "G":
            fields[field] = (fields[field] or 0) | value
        elif field:
            fields[field] = value if value <= 0x7FFFFFFF and letter != "Q" else s32(value)
    insn = tuple.__new__(Insn, fields)
    if symbol is not None:
        insn.__dict__["symbol"] = symbol
    return insn


def _out_of_range(letter: str, value: int, low: int, high: int) -> str:
    shown = str(value) if abs(value) < 1 << 128 else "this number"
    if letter in "ZW":
        return f"expected {'register ' if letter == 'Z' else ''}0, got {shown}"
    hint = ""
    if letter == "I" and 0 < value < 1 << 64:
        hint = ": 32 bits are sign-extended to 64 here; load it with `r1 = NUMBER ll` and use the register"
    elif letter == "J":
        hint = ": gotol reaches farther"
    return f"{shown} is out of range: expected {low} to {high}{hint}"


def _shown(token: Token) -> str:
    cls, value, _ = token
    if cls in ("r", "w"):
        return f"{cls}{value}"
    if cls in ("N", "O"):
        return str(value) if abs(int(value)) < 1 << 128 else "a huge number"
    text = str(value)
    return repr(text if len(text) <= 40 else text[:40] + "...")
