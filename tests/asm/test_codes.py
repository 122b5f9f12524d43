"""The codes behave as the IntEnum that they stand in for."""

from __future__ import annotations

import copy
import pickle
from enum import IntEnum

import pytest

from pybpf.asm import Alu, Atomic, Call, Class, Jmp, Mode, Pseudo, Size, Src
from pybpf.asm.opcodes import SIZE_BYTES


@pytest.mark.parametrize("codes", [Alu, Atomic, Call, Class, Jmp, Mode, Pseudo, Size, Src])
def test_as_an_int_enum(codes):
    model = IntEnum(codes.__name__, {name: int(member) for name, member in codes.__members__.items()})
    assert len(codes) == len(model) > 1
    for member, other in zip(codes, model, strict=True):
        assert (member, member.name, member.value, str(member), repr(member), f"{member:02x}") == (
            other,
            other.name,
            other.value,
            str(other),
            repr(other),
            f"{other:02x}",
        )
        assert isinstance(member, codes)
        assert codes(int(member)) is codes[member.name] is getattr(codes, member.name) is member
        assert int(member) in codes
        assert copy.deepcopy(member) is member
        assert pickle.loads(pickle.dumps(member)) is member
    for wrong in (0x1234, -1, None, []):
        with pytest.raises(ValueError, match=f"is not a valid {codes.__name__}"):
            codes(wrong)
    with pytest.raises(AttributeError, match="cannot reassign member"):
        setattr(codes, next(iter(codes)).name, 5)


def test_codes_make_opcodes():
    assert Class.ALU64 | Alu.ADD | Src.X == 0x0F
    assert SIZE_BYTES[0x79 & 0x18] == 8
