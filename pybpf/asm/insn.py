"""`Insn`: one instruction as an immutable value, field for field `struct bpf_insn`."""

from __future__ import annotations

from .opcodes import LD_IMM64

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ..source import Source

_META = ("label", "symbol", "source", "comment")


class Insn(tuple[int, int, int, int, int, "int | None"]):
    """One instruction: `opcode`, `dst`, `src`, `off`, `imm`, as in `struct bpf_insn`.

    `off` is a signed 16-bit and `imm` a signed 32-bit number.  A wide load (ld_imm64) fills two
    slots of 8 bytes and is one value here: `next_imm` is the immediate of its second slot, and None
    for everything else.  A half of a wide load standing alone is representable: opcode 0x18 with
    `next_imm` None.

    Four attributes describe an instruction without being part of it (equality and hash ignore them):
    `label` names this place, `symbol` is what the instruction refers to by name until it is resolved
    (a jump target, a map, a local function, a kfunc or a kernel variable, by opcode), `source` is the place
    in the user's text that it came from, `comment` is free text.
    """

    # A tuple with a __dict__: built in one C call, and metadata costs nothing where there is none.
    label: str | None = None
    symbol: str | None = None
    source: Source | None = None
    comment: str | None = None

    def __new__(
        cls,
        opcode: int,
        dst: int = 0,
        src: int = 0,
        off: int = 0,
        imm: int = 0,
        next_imm: int | None = None,
        *,
        label: str | None = None,
        symbol: str | None = None,
        source: Source | None = None,
        comment: str | None = None,
    ) -> Insn:
        self = tuple.__new__(cls, (opcode, dst, src, off, imm, next_imm))
        if label is not None or symbol is not None or source is not None or comment is not None:
            meta = (label, symbol, source, comment)
            self.__dict__.update((k, v) for k, v in zip(_META, meta, strict=True) if v is not None)
        return self

    def __getnewargs__(self) -> tuple[int, int, int, int, int, int | None]:
        """What copy and pickle call `__new__` with: the fields, where tuple's own would give one tuple of them."""
        return (self[0], self[1], self[2], self[3], self[4], self[5])

    @property
    def opcode(self) -> int:
        return self[0]

    @property
    def dst(self) -> int:
        return self[1]

    @property
    def src(self) -> int:
        return self[2]

    @property
    def off(self) -> int:
        return self[3]

    @property
    def imm(self) -> int:
        return self[4]

    @property
    def next_imm(self) -> int | None:
        return self[5]

    @property
    def wide(self) -> bool:
        """True for a whole ld_imm64."""
        return self[5] is not None

    @property
    def slots(self) -> int:
        """8-byte slots that it fills: 2 for a wide load, else 1.  Jump distances count slots."""
        return 1 if self[5] is None else 2

    @property
    def imm64(self) -> int:
        """The 64-bit immediate of a wide load, unsigned; `imm` for everything else."""
        hi = self[5]
        return self[4] if hi is None else (hi & 0xFFFFFFFF) << 32 | self[4] & 0xFFFFFFFF

    @classmethod
    def ld_imm64(cls, dst: int, value: int, src: int = 0, **meta: Any) -> Insn:
        """The wide load of a 64-bit `value` (signed or unsigned); `src` is a `Pseudo` kind."""
        return cls(LD_IMM64, dst, src, 0, s32(value), s32(value >> 32), **meta)

    def replace(self, **changes: Any) -> Insn:
        """A copy with some fields or metadata changed; metadata not named is kept."""
        fields = dict(zip(("opcode", "dst", "src", "off", "imm", "next_imm"), self, strict=True))
        return Insn(**{**fields, **self.__dict__, **changes})

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"an Insn does not change; use insn.replace({name}=...)")

    def __repr__(self) -> str:
        text = f"Insn(0x{self[0]:02x}, dst={self[1]}, src={self[2]}, off={self[3]}, imm={self[4]}"
        if self[5] is not None:
            text += f", next_imm={self[5]}"
        return text + "".join(f", {k}={v!r}" for k, v in self.__dict__.items()) + ")"

    def __str__(self) -> str:
        from .text import format_insn

        return format_insn(self)


def s32(value: int) -> int:
    value &= 0xFFFFFFFF
    return value - (1 << 32) if value >> 31 else value
