"""Helpers that steer: loops, locks, timers, signals, references."""

from __future__ import annotations

from errno import E2BIG, EBUSY, EDEADLK, EINVAL, EPERM

from ...errors import VmFault
from ...uapi import bpf_sockopt
from .table import model

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..run import Run

MAX_LOOPS = 1 << 23
_TIMER_ABS, _TIMER_CPU_PIN = 1, 2
_CLOCKS = (0, 1, 7)  # CLOCK_REALTIME, MONOTONIC, BOOTTIME


@model
def loop(run: Run, nr_loops: int, callback_fn: int, callback_ctx: int, flags: int) -> int:
    nr_loops &= 0xFFFFFFFF
    if flags:
        return -EINVAL
    if nr_loops > MAX_LOOPS:
        return -E2BIG
    for i in range(nr_loops):
        if run.callback(callback_fn, i, callback_ctx):
            return i + 1
    return nr_loops


@model
def spin_lock(run: Run, lock: int) -> int:
    if run.mem.load(lock, 4):
        raise VmFault("bpf_spin_lock: the lock is held already: this would hang the CPU")
    run.mem.store(lock, 4, 1)
    return 0


@model
def spin_unlock(run: Run, lock: int) -> int:
    if not run.mem.load(lock, 4):
        raise VmFault("bpf_spin_unlock: the lock is not held")
    run.mem.store(lock, 4, 0)
    return 0


@model
def timer_init(run: Run, timer: int, map: int, flags: int) -> int:
    if flags not in _CLOCKS:
        return -EINVAL
    if timer in run.mem.timers:
        return -EBUSY
    run.mem.read(timer, 16)
    run.mem.timers[timer] = Timer(run.map(map).address)
    return 0


@model
def timer_set_callback(run: Run, timer: int, callback_fn: int) -> int:
    found = run.mem.timers.get(timer)
    if found is None:
        return -EINVAL
    found.callback = callback_fn
    return 0


@model
def timer_start(run: Run, timer: int, nsecs: int, flags: int) -> int:
    found = run.mem.timers.get(timer)
    if flags & ~(_TIMER_ABS | _TIMER_CPU_PIN):
        return -EINVAL
    if found is None or not found.callback:
        return -EINVAL
    found.due = nsecs if flags & _TIMER_ABS else run.env.time_ns + nsecs
    return 0


@model
def timer_cancel(run: Run, timer: int) -> int:
    """A timer that was cancelled has no callback any more (`bpf_timer_cancel` drops it)."""
    found = run.mem.timers.get(timer)
    if found is None:
        return -EINVAL
    if found.runs:
        return -EDEADLK
    was_due, found.due = found.due is not None, None
    found.callback = 0
    return int(was_due)


class Timer:
    """A timer in a map value; `due` is when it fires, None while it is not started; `runs` while its callback does."""

    def __init__(self, map: int) -> None:
        self.map = map
        self.callback = 0
        self.due: int | None = None
        self.runs = False


@model
def send_signal(run: Run, sig: int) -> int:
    run.record("signal", sig & 0xFFFFFFFF)
    return 0


@model
def send_signal_thread(run: Run, sig: int) -> int:
    run.record("signal_thread", sig & 0xFFFFFFFF)
    return 0


@model
def rc_repeat(run: Run, ctx: int) -> int:
    run.record("rc_repeat")
    return 0


@model
def rc_keydown(run: Run, ctx: int, protocol: int, scancode: int, toggle: int) -> int:
    run.record("rc_keydown", protocol & 0xFFFFFFFF, scancode, toggle & 0xFFFFFFFF)
    return 0


@model
def rc_pointer_rel(run: Run, ctx: int, rel_x: int, rel_y: int) -> int:
    run.record("rc_pointer_rel", *(v - ((v >> 31 & 1) << 32) for v in (rel_x & 0xFFFFFFFF, rel_y & 0xFFFFFFFF)))
    return 0


@model
def bprm_opts_set(run: Run, bprm: int, flags: int) -> int:
    if flags & ~1:
        return -EINVAL
    run.record("bprm_opts", flags)
    return 0


@model
def override_return(run: Run, regs: int, rc: int) -> int:
    run.record("override_return", rc)
    return 0


@model
def set_retval(run: Run, retval: int) -> int:
    """What the system call answers: the context's field of that name where it has one, else the environment's."""
    value = (retval & 0xFFFFFFFF) - ((retval >> 31 & 1) << 32)
    if run.ctx.layout is bpf_sockopt:
        run.ctx.store(bpf_sockopt.retval.offset, 4, value)
    else:
        run.env.return_value = value
    return 0


@model
def get_retval(run: Run) -> int:
    if run.ctx.layout is bpf_sockopt:
        return int(bpf_sockopt.from_buffer_copy(run.ctx.data).retval)
    return run.env.return_value


@model
def kptr_xchg(run: Run, dst: int, ptr: int) -> int:
    old = run.mem.load(dst, 8)
    run.mem.store(dst, 8, ptr)
    return old


@model
def per_cpu_ptr(run: Run, percpu_ptr: int, cpu: int) -> int:
    return percpu_ptr if cpu & 0xFFFFFFFF < run.env.cpus else 0


@model
def this_cpu_ptr(run: Run, percpu_ptr: int) -> int:
    return percpu_ptr


@model
def sysctl_get_name(run: Run, ctx: int, buf: int, buf_len: int, flags: int) -> int:
    return _text(run, buf, buf_len, run.env.sysctl.get("name", b""))


@model
def sysctl_get_current_value(run: Run, ctx: int, buf: int, buf_len: int) -> int:
    return _text(run, buf, buf_len, run.env.sysctl.get("current", b""))


@model
def sysctl_get_new_value(run: Run, ctx: int, buf: int, buf_len: int) -> int:
    return _text(run, buf, buf_len, run.env.sysctl["new"]) if "new" in run.env.sysctl else -EINVAL


@model
def sysctl_set_new_value(run: Run, ctx: int, buf: int, buf_len: int) -> int:
    if "new" not in run.env.sysctl:
        return -EPERM
    run.env.sysctl["new"] = run.mem.read(buf, buf_len)
    return 0


def _text(run: Run, buf: int, size: int, text: bytes) -> int:
    """Store text with a NUL, cut to `size`; E2BIG when it had to be cut."""
    if not size:
        return -EINVAL
    run.mem.write(buf, text[: size - 1].ljust(size, b"\0"))
    return len(text) if len(text) < size else -E2BIG
