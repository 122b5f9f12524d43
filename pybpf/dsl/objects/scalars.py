"""The integer types as what they are, `Scalar`s; to a type checker the names of `pybpf.types` are `int`."""

from __future__ import annotations

from ... import types
from ...types import Scalar

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_known: dict[str, Any] = vars(types)
u8: Scalar = _known["u8"]
u16: Scalar = _known["u16"]
u32: Scalar = _known["u32"]
u64: Scalar = _known["u64"]
s8: Scalar = _known["s8"]
s16: Scalar = _known["s16"]
s32: Scalar = _known["s32"]
s64: Scalar = _known["s64"]
be16: Scalar = _known["be16"]
be32: Scalar = _known["be32"]
be64: Scalar = _known["be64"]
char: Any = _known["char"]
