"""Calls of helpers: who may call one, and what the call changes."""

from __future__ import annotations

from ...errors import SpecError
from ...kernel import helper as helper_rules
from ...kernel import since, targets
from ...kernel.capabilities import for_helper
from ...kernel.helper_facts import (
    MAP_WRITES,
    RETURN_LENGTH,
    SLEEPERS,
    SLEEPERS_SINCE,
    WALKABLE_MAPS,
)
from ...uapi.attach import AttachType
from ...uapi.prog import ProgType
from ..memory.access import access
from ..memory.special import (
    release,
)
from ..numbers.num import Num, sync
from ..numbers.tnum import U64
from ..reject import Reject
from ..state import State
from ..values import (
    ANY,
    MAP_VALUE,
    Reg,
    type_name,
)
from .arguments import Meta, check_argument
from .mapfits import check_map_fits
from .results import give_result
from .subprograms import check_resources, clobber, end_early, forget_packets, push_callback

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ...kernel import HelperRules
    from ..explore import Run

_CALLBACKS = {"loop": "loop", "for_each_map_elem": "for_each", "find_vma": "find_vma", "user_ringbuf_drain": "drain"}


def call_helper(run: Run, state: State, slot: int, number: int) -> int:
    """A call of a kernel helper."""
    helper = find(run, number, slot)
    meta = Meta(helper)
    regs = state.frames[-1].regs
    if helper.may_sleep and (state.rcu or state.preempt or state.irq):
        where = "rcu_read_lock" if state.rcu else "non-preemptible" if state.preempt else "IRQ-disabled"
        raise Reject("lock", f"sleepable helper bpf_{helper.name}#{number} in {where} region")
    for i, arg in enumerate(helper.args):
        check_argument(run, state, meta, i, arg, number)
    return _apply(run, state, slot, helper, meta, regs)


def find(run: Run, number: int, slot: int) -> HelperRules:
    """The helper of that number, when this program may call it."""
    setting = run.setting
    rules = setting.program_rules
    try:
        helper = helper_rules(number, setting.prog_type)
    except SpecError:
        raise Reject(
            "helper",
            f"invalid func unknown#{number}",
            hint="there is no helper with this number",
        ) from None
    if helper.name in SLEEPERS and setting.bpf and setting.at_least(SLEEPERS_SINCE):
        _check_may_sleep(run, helper)
    elif number not in rules.helpers and not _of_iterator(run, helper.name):
        version = since("helper", number)
        raise Reject(
            "helper",
            f"program of this type cannot use helper bpf_{helper.name}#{number}",
            hint=_who_may_call(run, number) + (f"; it is there since Linux {version}" if version else ""),
        )
    needed = for_helper(helper.name, setting.prog_type)
    if needed is not None and needed not in setting.capabilities:
        raise Reject("helper", f"program of this type cannot use helper bpf_{helper.name}#{number} without {needed}")
    if not setting.gpl and setting.rules.gpl_only(number):
        raise Reject(
            "license",
            f"cannot call GPL-restricted function bpf_{helper.name} from non-GPL compatible program",
            hint='declare the program\'s licence as "GPL" (or a compatible one)',
        )
    return helper


def _check_may_sleep(run: Run, helper: HelperRules) -> None:
    assert run.state is not None
    if not run.state.sleepable:
        raise Reject(
            "helper",
            "helper call might sleep in a non-sleepable prog",
            hint=f"bpf_{helper.name} is for sleepable programs, and callbacks of work queues",
        )


def _of_iterator(run: Run, name: str) -> bool:
    """Whether an iterator's own objects bring a helper with them."""
    setting = run.setting
    if setting.prog_type != ProgType.TRACING or setting.attach_type != AttachType.TRACE_ITER:
        return False
    return name in targets.ITERATOR_HELPERS.get(setting.spec.attach_to, ())


def _who_may_call(run: Run, number: int) -> str:
    names = sorted(
        {ProgType(key[0]).name for key in run.setting.rules.programs_that_call(number) if key[0] in list(ProgType)}
    )
    if not names:
        return f"no program type of Linux {run.setting.rules.version} may call it"
    shown = ", ".join(names[:8]) + (", ..." if len(names) > 8 else "")
    return f"program types that may call it: {shown}"


# -- what changes


def _apply(run: Run, state: State, slot: int, helper: HelperRules, meta: Meta, regs: list[Reg]) -> int:
    name = helper.name
    if name in MAP_WRITES and meta.map is not None and not meta.map.program_writes:
        raise Reject("type", "write into map forbidden", hint="the map was created read-only for programs")
    if meta.raw is not None:
        regno, size = meta.raw
        for i in range(size):
            access(run, state, regno, i, 1, True, None, -1)
    if meta.release:
        release(run, state, meta, regs[meta.release])
    if name == "tail_call":
        check_resources(state, "tail_call", locks=True)
    elif name == "get_local_storage":
        if not regs[2].null:
            raise Reject("argument", "get_local_storage() doesn't support non-zero flags", regs=(2,))
    elif name == "timer_set_callback":
        push_callback(run, state, slot, meta.subprog, "timer")
    elif name in _CALLBACKS:
        _run_callback(run, state, slot, name, meta, regs)
    elif name == "dynptr_from_mem":
        if regs[1].type != MAP_VALUE:
            raise Reject(
                "argument", f"Unsupported reg type {type_name(regs[1].type)} for bpf_dynptr_from_mem data", regs=(1,)
            )
    elif name == "get_func_ip":
        kind = run.setting.prog_type
        if kind not in (ProgType.KPROBE, ProgType.TRACING):
            raise Reject("helper", f"func bpf_get_func_ip#{helper.id} not supported for program type {kind}")
    elif name == "snprintf":
        _check_snprintf(regs)
    packet = helper.changes_packet
    if name == "dynptr_write" and meta.dynptr is not None and meta.dynptr.data in ("skb", "skb_meta"):
        packet = True
    returned = _string_bound(helper, meta)
    clobber(regs)
    give_result(run, state, slot, helper, meta, returned)
    check_map_fits(run, meta)
    if packet:
        forget_packets(state)
    if name == "tail_call" and len(state.frames) > 1 and run.tracks_early_ends:
        return end_early(run, state, slot, ANY, packet=True)
    return slot + 1


def _run_callback(run: Run, state: State, slot: int, name: str, meta: Meta, regs: list[Reg]) -> None:
    if name == "loop":
        run.mark_precise(state, 1)
        frame = state.frames[-1]
        if frame.calls >= regs[1].num.umax:
            frame.calls = 0
            return
    if name == "for_each_map_elem" and regs[1].data.type not in WALKABLE_MAPS:
        raise Reject("argument", "callback function not allowed for map")
    push_callback(run, state, slot, meta.subprog, _CALLBACKS[name])


def _check_snprintf(regs: list[Reg]) -> None:
    if regs[5].num.value % 8 or (regs[5].const and regs[5].num.value and regs[4].null):
        raise Reject("argument", "invalid data of bpf_snprintf: an array of u64 is expected", regs=(4, 5))


def _string_bound(helper: HelperRules, meta: Meta) -> Num | None:
    """For functions that return how much they wrote, or an error: not more than there was room for."""
    if helper.name not in RETURN_LENGTH:
        return None
    top = meta.max_size if meta.max_size < 1 << 63 else meta.max_size - (1 << 64)
    return sync(tuple.__new__(Num, (0, U64, 0, U64, -4095, top, 0, (1 << 32) - 1, -4095, top)))
