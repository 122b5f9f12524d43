"""BTF, the kernel's type information: read, query, write, compare, deduplicate, print as C, turn into ctypes.

    Btf.kernel()["task_struct"]["pid"].offset        reading (`btf.py`, `types.py`)
    BtfBuilder().add_type(u32)                       writing (`builder.py`), light enough for a program's cold start

Names are imported on first use, so that whoever writes BTF does not pay for reading it.
"""

from __future__ import annotations

from ..lazy import exports

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .btf import Btf as Btf
    from .builder import BtfBuilder as BtfBuilder
    from .builder import btf_for_map as btf_for_map
    from .compat import sanitize as sanitize
    from .kinds import Kind as Kind
    from .merge import dedup as dedup
    from .types import Array as Array
    from .types import Datasec as Datasec
    from .types import DeclTag as DeclTag
    from .types import Enum as Enum
    from .types import Func as Func
    from .types import FuncProto as FuncProto
    from .types import Int as Int
    from .types import Member as Member
    from .types import Struct as Struct
    from .types import Type as Type
    from .types import UnknownType as UnknownType
    from .types import Var as Var

_HOME = {
    "Btf": "btf",
    **dict.fromkeys(("BtfBuilder", "btf_for_map"), "builder"),
    "dedup": "merge",
    "sanitize": "compat",
    "Kind": "kinds",
    **dict.fromkeys(
        (
            "Array",
            "Datasec",
            "DeclTag",
            "Enum",
            "Func",
            "FuncProto",
            "Int",
            "Member",
            "Struct",
            "Type",
            "UnknownType",
            "Var",
        ),
        "types",
    ),
}

__all__ = tuple(_HOME)

__getattr__ = exports(__name__, _HOME)
