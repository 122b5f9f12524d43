# ruff: noqa: A001 (type and id are the words of this field, here and in struct bpf_reg_state)
"""What a helper returns: the type of R0 after the call, and the reference that comes with it."""

from __future__ import annotations

from ...uapi.map import MapType
from ..maps import ARRAYS
from ..numbers import num as numbers
from ..numbers.num import Num
from ..numbers.tnum import U64
from ..state import State
from ..values import (
    ALLOC,
    ANY,
    BTF_ID,
    MAP_VALUE,
    MAYBE_NULL,
    MEM,
    PERCPU,
    RCU,
    RDONLY,
    RINGBUF,
    SCALAR,
    SOCK_COMMON,
    SOCKET,
    TCP_SOCK,
    TRUSTED,
    UNINIT,
    Reg,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ...kernel import HelperRules
    from ..explore import Run
    from .arguments import Meta

_SAME_REFERENCE = frozenset(
    (
        "tcp_sock",
        "sk_fullsock",
        "skc_to_tcp_sock",
        "skc_to_tcp6_sock",
        "skc_to_udp6_sock",
        "skc_to_mptcp_sock",
        "skc_to_tcp_timewait_sock",
        "skc_to_tcp_request_sock",
        "dynptr_data",
    )
)
"""Helpers whose result depends on the reference that they were given."""
_TRUSTED = frozenset(("get_current_task_btf", "task_pt_regs"))


def give_result(run: Run, state: State, slot: int, helper: HelperRules, meta: Meta, bounds: Num | None) -> None:
    """Set R0 after a call."""
    result = _result(run, state, helper, meta, bounds)
    if result.type & MAYBE_NULL:
        result.id = run.new_id()
    acquires = helper.acquires or (
        helper.name == "map_lookup_elem"
        and meta.map is not None
        and meta.map.type in (MapType.SOCKMAP, MapType.SOCKHASH)
    )
    if helper.name in _SAME_REFERENCE:
        result.ref = meta.ref
    elif acquires:
        result.id = result.ref = run.acquire(state, slot)
    state.frames[-1].regs[0] = result


def _result(run: Run, state: State, helper: HelperRules, meta: Meta, bounds: Num | None) -> Reg:
    kind = helper.returns
    null = MAYBE_NULL if helper.returns_null else 0
    if kind == "int":
        if bounds is not None:
            return Reg(SCALAR, bounds)
        if helper.name == "get_smp_processor_id":
            top = run.setting.env.cpus - 1
            return Reg(SCALAR, numbers.sync(Num(0, U64, 0, top, 0, top, 0, top, 0, top)))
        return ANY
    if kind == "void":
        return UNINIT
    if kind == "value":
        assert meta.map is not None
        if helper.name == "map_lookup_elem" and meta.map.type in ARRAYS and 0 <= meta.const_key < meta.map.max_entries:
            null = 0
        id = run.new_id() if not null and meta.map.has("spin_lock", "res_spin_lock") else 0
        return Reg(MAP_VALUE | null, id=id, data=meta.map, extra=meta.map_uid)
    if kind == "record":
        return Reg(MEM | RINGBUF | null, data=meta.mem_size)
    if kind == "dynptr_mem":
        assert meta.dynptr is not None
        meta.ref = meta.dynptr.ref
        return Reg(MEM | null, data=meta.mem_size, extra=meta.dynptr.id)
    if kind in _SOCKETS:
        return Reg(_SOCKETS[kind] | null)
    if kind == "btf":
        if helper.name == "kptr_xchg":
            assert meta.field is not None  # the field that was exchanged
            flags = (ALLOC if meta.field.local else 0) | (PERCPU if meta.field.kind == "kptr_percpu" else 0)
            return Reg(BTF_ID | null | flags, data=("program" if meta.field.local else "kernel", meta.field.struct))
        flags = TRUSTED if helper.name in _TRUSTED else 0
        return Reg(BTF_ID | null | flags, data=("kernel", helper.return_struct))
    assert meta.variable is not None  # kind is "mem_or_btf": a variable of each CPU
    space, name = meta.variable.data
    if isinstance(name, int):
        return Reg(MEM | RDONLY | null, data=name)
    if meta.variable.type & RCU:  # of an object that the program allocated
        return Reg(BTF_ID | ALLOC | RCU, data=(space, name))
    return Reg(BTF_ID | null, data=(space, name))


_SOCKETS = {"socket": SOCKET, "sock": SOCK_COMMON, "tcp_sock": TCP_SOCK}
