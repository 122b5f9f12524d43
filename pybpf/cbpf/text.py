"""Classic filters as text, both ways: the forms of `tcpdump -d`, `-dd`, `-ddd` and of the kernel's bpf_asm.

`parse` tells the forms apart by itself.  A line of `tcpdump -d` has absolute jump targets; bpf_asm has labels:

    (001) jeq      #0x800           jt 2	jf 12            ldh [12]
                                                             jeq #0x800, ip, drop
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from ..errors import FilterError
from ..source import Source
from .filter import Filter
from .insn import CODES, CONDITIONS, EXTENSION_NAMES, EXTENSIONS, OPCODES, Insn

FORMS = ("tcpdump", "asm", "c", "decimal")

# ---------------------------------------------------------------------------------------- printing


def format_filter(insns: Sequence[Insn], form: str = "tcpdump") -> str:
    """The text of a filter in one of `FORMS`.  FilterError for another name."""
    if form == "tcpdump":
        return "\n".join(format_insn(insn, i) for i, insn in enumerate(insns))
    if form == "c":
        return "\n".join(f"{{ {c:#x}, {t}, {f}, {k:#010x} }}," for c, t, f, k in insns)
    if form == "decimal":
        return "\n".join([str(len(insns)), *(f"{c} {t} {f} {k}" for c, t, f, k in insns)])
    if form == "asm":
        return "\n".join(_asm_lines(insns))
    raise FilterError(f"form {form!r}: expected one of {', '.join(FORMS)}")


def format_insn(insn: Insn, at: int = 0) -> str:
    """One line as `tcpdump -d` prints it; `at` is its index, from which jump targets are counted."""
    code, jt, jf, k = insn
    op, operand = OPCODES.get(code, ("unimp", "unknown"))
    if operand == "jump":
        return f"({at:03}) {op:<8} {at + 1 + k}"
    text = _operand(operand, insn)
    if op in CONDITIONS:
        return f"({at:03}) {op:<8} {text:<16} jt {at + 1 + jt}\tjf {at + 1 + jf}"
    return f"({at:03}) {op:<8} {text}"


def _signed(k: int) -> int:
    return k - (1 << 32) if k >> 31 else k


def _operand(kind: str, insn: Insn) -> str:
    k = _signed(insn.k)
    if kind == "abs":
        return f"[{EXTENSION_NAMES.get(insn.k, k)}]"
    if kind == "num" and OPCODES[insn.code][0] == "ret":
        return f"#{k}"
    return {
        "imm": f"#{insn.k:#x}",
        "num": f"#{k}",
        "x": "x",
        "ind": f"[x + {k}]",
        "mem": f"M[{k}]",
        "msh": f"4*([{k}]&0xf)",
        "len": "#pktlen",
        "unknown": f"{insn.code:#x}",
    }.get(kind, "")


def _asm_lines(insns: Sequence[Insn]) -> Iterator[str]:
    targets = {i + 1 + d for i, insn in enumerate(insns) for d in _distances(insn)}
    labels = {t: f"L{n}" for n, t in enumerate(sorted(targets), 1)}
    width = max((len(label) for label in labels.values()), default=0) + 2
    for i, insn in enumerate(insns):
        op, operand = OPCODES[insn.code]
        names = [labels[i + 1 + d] for d in _distances(insn)]
        if operand == "acc":
            words = "a"
        elif operand == "abs" and insn.k in EXTENSION_NAMES:
            words = _ASM_NAMES.get(EXTENSION_NAMES[insn.k], EXTENSION_NAMES[insn.k])
        elif operand == "len":
            words = "len"
        else:
            words = ", ".join(filter(None, [_operand(operand, insn), *names]))
        label = f"{labels[i]}:" if i in labels else ""
        yield f"{label:<{width}}{op} {words}".rstrip()


def _distances(insn: Insn) -> tuple[int, ...]:
    op = OPCODES[insn.code][0]
    return (insn.k,) if op == "ja" else (insn.jt, insn.jf) if op in CONDITIONS else ()


# ----------------------------------------------------------------------------------------- parsing

# bpf_asm spells some extensions in its own way.
_ASM_NAMES = {"vlanp": "vlan_avail", "random": "rand"}
_EXTENSION_WORDS = {
    **EXTENSIONS,
    **{asm: EXTENSIONS[name] for name, asm in _ASM_NAMES.items()},
    "vlan_pr": EXTENSIONS["vlanp"],
}
_MNEMONICS = {op for op, _ in CODES} | {"ldi", "ldxi", "jmp", "jneq", "jne", "jlt", "jle"}
# The negated conditions swap their targets: (condition to emit).
_NEGATED = {"jneq": "jeq", "jne": "jeq", "jlt": "jge", "jle": "jgt"}

# As in C and in bpf_asm, a leading 0 makes a number octal.
_NUMBER = r"[-+]?(?:0x[0-9a-f]+|0b[01]+|0[0-7]*|[1-9][0-9]*)"
_OPERANDS = [
    (kind, re.compile(f"{pattern}$", re.IGNORECASE | re.ASCII))
    for kind, pattern in (
        ("msh", rf"4\s*\*\s*\(\s*\[\s*({_NUMBER})\s*\]\s*&\s*(?:0xf|15)\s*\)"),
        ("ind", rf"\[\s*%?x\s*\+\s*({_NUMBER})\s*\]"),
        ("ind", r"\[\s*%?x\s*\]"),
        ("abs", rf"\[\s*({_NUMBER})\s*\]"),
        ("ext", r"\[\s*([a-z_]+)\s*\]"),
        ("mem", rf"M\s*\[\s*({_NUMBER})\s*\]"),
        ("len", r"#?(?:pkt)?len"),
        ("imm", rf"#\s*({_NUMBER})"),
        ("x", r"%?x"),
        ("acc", r"%?a"),
        ("ext", r"#?([a-z_]+)"),
    )
]
_LABEL = re.compile(r"\s*([A-Za-z_][\w.]*)\s*:\s*")
_TCPDUMP = re.compile(r"\s*\(\d+\)\s*(.*)")
_JT_JF = re.compile(r"^(.*?)\s+jt\s+(\d+)\s+jf\s+(\d+)\s*$")
_ROW = re.compile(r"\{([^{}]*)\}\s*,?")
_DECLARATION = re.compile(r"[^{}]*=\s*\{(.*)\}\s*;?\s*", re.DOTALL)
_INTEGER = re.compile(_NUMBER, re.IGNORECASE)
_DECIMAL = re.compile(r"[\d\s,]+")
_COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)


def parse(text: str, file: str = "<filter>") -> Filter:
    """The filter in `text`, in any of the four forms.  FilterError with the line and what was expected."""
    bare = _COMMENT.sub(lambda m: "\n" * m[0].count("\n"), text)
    if _DECIMAL.fullmatch(bare.strip()):
        return Filter(_decimal_rows(bare, file))
    if m := _DECLARATION.fullmatch(bare):
        return Filter(_c_rows("\n" * bare.count("\n", 0, m.start(1)) + m[1], file))
    if bare.lstrip().startswith("{"):
        return Filter(_c_rows(bare, file))
    return _parse_lines(bare, file)


def _decimal_rows(text: str, file: str) -> Iterator[Insn]:
    """`tcpdump -ddd`: a count, then four numbers a line; commas serve as line ends too (bpf_asm and iptables write it so)."""
    rows = [(row.split(), n) for n, line in enumerate(text.splitlines(), 1) for row in line.split(",") if row.strip()]
    if rows and len(rows[0][0]) == 1:
        (count,), n = rows.pop(0)
        if int(count) != len(rows):
            raise FilterError(f"the count says {count} instructions, {len(rows)} follow", Source(file, n))
    for row, n in rows:
        yield _row(row, Source(file, n))


def _c_rows(text: str, file: str) -> Iterator[Insn]:
    """Rows of `{ code, jt, jf, k },`."""
    at = 0
    for m in [*_ROW.finditer(text), None]:
        between = text[at : m.start() if m else len(text)]
        begins = at + len(between) - len(between.lstrip())
        source = Source(file, text.count("\n", 0, begins) + 1)
        if between.strip():
            words = between.strip().splitlines()[0]
            raise FilterError(f"{words!r}: expected rows of {{ code, jt, jf, k }},", source)
        if m:
            at = m.end()
            yield _row([word.strip() for word in m[1].split(",")], source)


def _row(words: Sequence[str], source: Source) -> Insn:
    """One instruction from its four numbers."""
    shown = " ".join(words)
    if len(words) != 4 or not all(_INTEGER.fullmatch(word) for word in words):
        raise FilterError(f"{shown!r}: expected four numbers, code, jt, jf and k", source)
    row = tuple(map(_number, words))
    if not all(0 <= n < 1 << bits for n, bits in zip(row, (16, 8, 8, 32), strict=True)):
        raise FilterError(f"{shown!r}: code has 16 bits, jt and jf 8, k 32", source)
    return Insn(*row)


def _number(text: str) -> int:
    sign = -1 if text[0] == "-" else 1
    digits = text.lstrip("+-").lower()
    base = 16 if digits.startswith("0x") else 2 if digits.startswith("0b") else 8 if digits[0] == "0" else 10
    return sign * int(digits, base)


def _statements(text: str, file: str) -> Iterator[tuple[str, Source]]:
    """Statements without comments and numbers.

    `;` begins a comment, as in bpf_asm; only where the whole text is one line does it separate statements.
    """
    lines = text.splitlines()
    one_line = len(text.strip().splitlines()) == 1
    for n, line in enumerate(lines, 1):
        if line.lstrip().startswith("#"):
            continue
        for piece in line.split(";") if one_line else [line.partition(";")[0]]:
            body = (m[1] if (m := _TCPDUMP.match(piece)) else piece).strip()
            if body:
                yield body, Source(file, n, line.find(body) + 1, line)


def _parse_lines(text: str, file: str) -> Filter:
    labels: dict[str, int] = {}
    pending: list[tuple[str, str, list[str], Source]] = []
    for statement, source in _statements(text, file):
        body = statement
        while m := _LABEL.match(body):
            if m[1] in labels:
                raise FilterError(f"label {m[1]!r} stands twice", source)
            labels[m[1]] = len(pending)
            body = body[m.end() :]
        if not body:
            continue
        op, *rest = body.split(maxsplit=1)
        pending.append((op.lower(), *_split(rest[0].strip() if rest else ""), source))
    return Filter(_assemble(i, row, labels) for i, row in enumerate(pending))


def _split(rest: str) -> tuple[str, list[str]]:
    """The operand and the jump targets; targets of `tcpdump -d` are numbers, absolute."""
    if m := _JT_JF.match(rest):
        return m[1], [m[2], m[3]]
    operand, *targets = [part.strip() for part in rest.split(",")]
    return operand, targets


def _assemble(at: int, row: tuple[str, str, list[str], Source], labels: dict[str, int]) -> Insn:
    op, operand, targets, source = row
    if op not in _MNEMONICS:
        raise FilterError(f"{op!r} is not an instruction: expected one of {', '.join(sorted(_MNEMONICS))}", source)
    if op in ("ja", "jmp"):
        distance = _distance(at, operand, labels, source)
        if distance < 0:
            raise FilterError("classic jumps go forward only", source)
        return Insn(CODES["ja", "jump"], k=distance)
    kind, k = _read_operand(op, operand, source)
    if op in CONDITIONS or op in _NEGATED:
        if not 1 <= len(targets) <= (2 if op in CONDITIONS else 1):
            raise FilterError(f"{op} takes an operand and a label for each way it goes", source)
        hops = [_distance(at, target, labels, source) for target in targets] + [0]
        jt, jf = (hops[1], hops[0]) if op in _NEGATED else (hops[0], hops[1])
        if not (0 <= jt < 256 and 0 <= jf < 256):
            raise FilterError(
                f"{op} reaches 0..255 instructions forward, not {max(jt, jf, key=abs)}: go through a ja", source
            )
        return Insn(_code(_NEGATED.get(op, op), kind, source), jt, jf, k)
    if targets:
        raise FilterError(f"{op} takes one operand", source)
    return Insn(_code(op, kind, source), k=k)


def _distance(at: int, target: str, labels: dict[str, int], source: Source) -> int:
    where = int(target) if target.isascii() and target.isdigit() else labels.get(target)
    if where is None:
        raise FilterError(f"no label {target!r}", source)
    return where - at - 1


def _read_operand(op: str, operand: str, source: Source) -> tuple[str, int]:
    if not operand:
        return ("acc" if op == "ret" else ""), 0
    if op in ("ldi", "ldxi") and not operand.startswith("#"):
        operand = f"#{operand}"
    for kind, pattern in _OPERANDS:
        m = pattern.match(operand)
        if not m:
            continue
        if kind == "ext":
            if m[1].lower() not in _EXTENSION_WORDS:
                break
            return "abs", _EXTENSION_WORDS[m[1].lower()]
        k = _number(m[1]) if m.groups() and m[1] else 0
        if not -(1 << 31) <= k < 1 << 32:
            raise FilterError(f"{k} does not fit 32 bits", source)
        return kind, k & 0xFFFFFFFF
    raise FilterError(
        f"operand {operand!r}: expected #k, x, [k], [x + k], M[k], 4*([k]&0xf), len or an extension", source
    )


def _code(op: str, kind: str, source: Source) -> int:
    """The opcode of a mnemonic with that kind of operand; immediates are one kind here, two in print."""
    op = {"ldi": "ld", "ldxi": "ldx"}.get(op, op)
    if op == "ldx" and kind == "msh":
        op = "ldxb"
    for candidate in (kind, "num" if kind == "imm" else kind):
        if (op, candidate) in CODES:
            return CODES[op, candidate]
    raise FilterError(f"{op} does not take that operand", source)
