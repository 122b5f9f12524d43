"""What the verifier log and `bpftool prog dump xlated` put around instructions: `5: (bf) r6 = r1   ; R1=ctx()`."""

from __future__ import annotations

from ..errors import AsmError
from .symbols import refers_to_code

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .insn import Insn

_SPACES = frozenset(" \t")
_DIGITS = frozenset("0123456789")
_HEX = frozenset("0123456789abcdef")
_LIVENESS = frozenset("0123456789.")


def prefix(text: str) -> tuple[int | None, int | None, int]:
    """(slot, opcode, index of what follows) of a line such as `5: (bf) r6 = r1`; None for what is not there."""
    slot = opcode = None
    i = _skip(text, 0, _SPACES)
    if text[i : i + 1] in _DIGITS:
        j = _skip(text, i, _DIGITS)
        if text[j : j + 1] != ":" or j - i > 9:
            return None, None, 0
        slot = int(text[i:j])
        i = _skip(text, j + 1, _SPACES)
        j = _skip(text, i, _LIVENESS)  # "Live regs before insn": ten registers, those in use by their number
        if j - i >= 10 and text[j : j + 2] == " (":
            i = j + 1
    if text[i : i + 1] == "(" and text[i + 3 : i + 4] == ")" and text[i + 1] in _HEX and text[i + 2] in _HEX:
        opcode = int(text[i + 1 : i + 3], 16)
        i = _skip(text, i + 4, _SPACES)
    return slot, opcode, i


def hex_bytes(text: str) -> bytes | None:
    """The 8 or 16 bytes that a line consists of, as `bpftool ... opcodes` prints them; None for other lines."""
    words = text.split()
    if len(words) not in (8, 16) or not all(len(word) == 2 and _HEX.issuperset(word) for word in words):
        return None
    return bytes.fromhex("".join(words))


def in_order(insns: list[Insn], slots: list[int]) -> list[Insn]:
    """The instructions by their slots: a log shows them in the order of the verifier's walk, and some more than once.

    AsmError when it shows two different ones in one place, or leaves some out that a jump may cross.
    """
    by_slot: dict[int, Insn] = {}
    for insn, slot in zip(insns, slots, strict=True):
        if by_slot.setdefault(slot, insn) != insn:
            raise AsmError(f"the dump has two different instructions at {slot}", insn.source)
    ordered = sorted(by_slot.items())
    out = [insn for _, insn in ordered]
    jumps = any(map(refers_to_code, out))
    end = ordered[0][0] if ordered else 0
    for slot, insn in ordered:
        if jumps and slot != end:
            raise AsmError(
                f"the dump lacks what is between {end} and {slot}, so jumps would miss their targets", insn.source
            )
        end = slot + insn.slots
    return out


def _skip(text: str, i: int, what: frozenset[str]) -> int:
    while text[i : i + 1] in what:
        i += 1
    return i
