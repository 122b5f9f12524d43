"""The program's context: which of its fields are loaded and stored, and what a load gives."""

from __future__ import annotations

from ...kernel.capabilities import for_field
from ...uapi.prog import ProgType
from ..reject import Reject
from ..values import (
    ANY,
    BTF_ID,
    FLOW_KEYS,
    LOADED,
    MAYBE_NULL,
    PACKETS,
    PKT,
    PKT_END,
    PKT_META,
    RCU,
    SCALAR,
    SOCK_COMMON,
    SOCKET,
    TP_BUFFER,
    TRUSTED,
    UNTRUSTED,
    Reg,
)
from . import btfwalk

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..explore import Run

_CONTEXT_KINDS = {
    "scalar": SCALAR,
    "pkt": PKT,
    "pkt_meta": PKT_META,
    "pkt_end": PKT_END,
    "flow_keys": FLOW_KEYS,
    "sock": SOCKET,
    "sock_or_null": SOCKET | MAYBE_NULL,
    "sock_common_or_null": SOCK_COMMON | MAYBE_NULL,
    "sock_common": SOCK_COMMON,
    "tp_buffer": TP_BUFFER,
}


def context(run: Run, off: int, size: int, write: bool) -> Reg | None:
    """An access to the program's context."""
    key = (off, size, write)
    try:
        known = run.context_cache[key]
    except KeyError:
        known = run.context_cache[key] = _context(run, off, size, write)
    if known is None:
        raise context_refused(run, off, size)
    if known.type & MAYBE_NULL:
        return known.replace(id=run.new_id())
    return known


def context_refused(run: Run, off: int, size: int) -> Reject:
    """The context has no such field for this program, or not in this form."""
    return Reject("ctx-access", f"invalid bpf_context access off={off} size={size}", hint=_context_hint(run, off))


def _context(run: Run, off: int, size: int, write: bool) -> Reg | None:
    rules = run.setting.program_rules.context
    if run.setting.prog_type in (ProgType.TRACING, ProgType.LSM, ProgType.STRUCT_OPS, ProgType.EXT):
        return btfwalk.argument(run, off, size, write)
    if off < 0 or off % size:
        return None
    field = rules.at(off)
    needed = for_field(run.setting.prog_type, field[0].name, write) if field is not None else None
    if needed is not None and needed not in run.setting.capabilities:
        return None
    if write:
        return ANY if rules.store(off, size) else None
    kind = rules.load(off, size)
    if kind is None:
        return None
    if kind in _CONTEXT_KINDS:
        found = _CONTEXT_KINDS[kind]
        if found == SCALAR:
            return LOADED[size]
        return Reg(found, data=0 if found in PACKETS else None)
    word, _, struct = kind.partition("ptr_")
    flags = {"trusted_": TRUSTED, "untrusted_": UNTRUSTED, "rcu_": RCU}.get(word, 0)
    if struct.startswith("or_null_"):
        struct, flags = struct.removeprefix("or_null_"), flags | MAYBE_NULL
    return Reg(BTF_ID | flags, data=("kernel", struct))


def _context_hint(run: Run, off: int) -> str:
    rules = run.setting.program_rules.context
    found = rules.at(off)
    if found is None:
        return (
            f"this program type's context{f' (struct {rules.name})' if rules.name else ''} has nothing to access there"
        )
    field = found[0]
    how = "read and written" if field.writable else "read"
    if not field.readable and not field.writable:
        return f"this program type may not access the field {field.name!r}"
    return f"the field {field.name!r} there has {field.size} bytes at offset {field.offset} and can be {how}"
