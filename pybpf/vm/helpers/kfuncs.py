"""Kernel functions that steer: iterators, sections, exceptions, work queues, references to tasks and cgroups."""

from __future__ import annotations

from errno import E2BIG, EBUSY, EDEADLK, EFAULT, EINVAL, EOPNOTSUPP

from ...errors import VmFault
from ..memory import MemoryFault
from .control import MAX_LOOPS, Timer
from .environment import ancestors
from .table import kfunc

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..run import Run

_MAX_WORDS = 511
_PAD_ZEROS = 1


class Thrown(Exception):
    """What bpf_throw raises: the program ends, through all its frames, and gives `value`."""

    def __init__(self, value: int) -> None:
        super().__init__(value)
        self.value = value


@kfunc(1)
def bpf_throw(run: Run, cookie: int) -> int:
    raise Thrown(cookie)


# Open-coded iteration over numbers: struct bpf_iter_num is 8 bytes, {next, end} as s32; see kernel/bpf/bpf_iter.c.


@kfunc(3)
def bpf_iter_num_new(run: Run, it: int, start: int, end: int) -> int:
    start, end = _s32(start), _s32(end)
    status = 0
    if start > end:
        status = -EINVAL
    elif end - start > MAX_LOOPS:
        status = -E2BIG
    if status:
        start = end = 0
    run.mem.store(it, 4, start - 1)
    run.mem.store(it + 4, 4, end)
    return status


@kfunc(1)
def bpf_iter_num_next(run: Run, it: int) -> int:
    current, end = _s32(run.mem.load(it, 4)) + 1, _s32(run.mem.load(it + 4, 4))
    if current >= end:
        run.mem.store(it, 4, 0)
        run.mem.store(it + 4, 4, 0)
        return 0
    run.mem.store(it, 4, current)
    return it


@kfunc(1)
def bpf_iter_num_destroy(run: Run, it: int) -> int:
    run.mem.write(it, bytes(8))
    return 0


@kfunc(0)
def bpf_rcu_read_lock(run: Run) -> int:
    return 0


@kfunc(0)
def bpf_rcu_read_unlock(run: Run) -> int:
    return 0


@kfunc(0)
def bpf_preempt_disable(run: Run) -> int:
    return 0


@kfunc(0)
def bpf_preempt_enable(run: Run) -> int:
    return 0


# Iteration over set bits: struct bpf_iter_bits is 16 bytes; here {address of a copy, number of bits, current bit}.


@kfunc(3)
def bpf_iter_bits_new(run: Run, it: int, unsafe_ptr: int, nr_words: int) -> int:
    words = nr_words & 0xFFFFFFFF
    run.mem.write(it, bytes(16))
    if not words or not unsafe_ptr:
        return -EINVAL
    if words > _MAX_WORDS:
        return -E2BIG
    try:
        raw = run.mem.read(unsafe_ptr, 8 * words)
    except MemoryFault:
        return -EFAULT
    copy = run.mem.add(raw, "bits of an iterator")
    run.mem.retire(copy)
    run.mem.store(it, 8, copy)
    run.mem.store(it + 8, 4, 64 * words)
    run.mem.store(it + 12, 4, -1)
    return 0


@kfunc(1)
def bpf_iter_bits_next(run: Run, it: int) -> int:
    count = run.mem.load(it + 8, 4)
    if not count:
        return 0
    bits = int.from_bytes(run.mem.read(run.mem.load(it, 8), count // 8), "little")
    start = _s32(run.mem.load(it + 12, 4)) + 1
    left = bits >> start
    if not left:
        run.mem.store(it + 8, 4, 0)
        return 0
    run.mem.store(it + 12, 4, start + (left & -left).bit_length() - 1)
    return it + 12


@kfunc(1)
def bpf_iter_bits_destroy(run: Run, it: int) -> int:
    run.mem.write(it, bytes(16))
    return 0


@kfunc(1)
def bpf_local_irq_save(run: Run, flags: int) -> int:
    run.mem.store(flags, 8, 1)
    return 0


@kfunc(1)
def bpf_local_irq_restore(run: Run, flags: int) -> int:
    run.mem.store(flags, 8, 0)
    return 0


@kfunc(1)
def bpf_res_spin_lock(run: Run, lock: int) -> int:
    """0, or EDEADLK for a lock that is held: this one is allowed to fail."""
    if run.mem.load(lock, 4):
        return -EDEADLK
    run.mem.store(lock, 4, 1)
    return 0


@kfunc(1)
def bpf_res_spin_unlock(run: Run, lock: int) -> int:
    if not run.mem.load(lock, 4):
        raise VmFault("bpf_res_spin_unlock: the lock is not held")
    run.mem.store(lock, 4, 0)
    return 0


@kfunc(2)
def bpf_res_spin_lock_irqsave(run: Run, lock: int, flags: int) -> int:
    return bpf_res_spin_lock(run, lock) or 0


@kfunc(2)
def bpf_res_spin_unlock_irqrestore(run: Run, lock: int, flags: int) -> int:
    return bpf_res_spin_unlock(run, lock) or 0


# Work queues are timers that are due at once: `vm.advance(0)` runs what waits.


@kfunc(3)
def bpf_wq_init(run: Run, wq: int, map: int, flags: int) -> int:
    if flags & 0xFFFFFFFF:
        return -EINVAL
    if wq in run.mem.timers:
        return -EBUSY
    run.mem.read(wq, 16)
    run.mem.timers[wq] = Timer(run.map(map).address)
    return 0


@kfunc(4)
def bpf_wq_set_callback_impl(run: Run, wq: int, callback_fn: int, flags: int, aux: int) -> int:
    if flags & 0xFFFFFFFF or wq not in run.mem.timers:
        return -EINVAL
    run.mem.timers[wq].callback = callback_fn
    return 0


@kfunc(2)
def bpf_wq_start(run: Run, wq: int, flags: int) -> int:
    found = run.mem.timers.get(wq)
    if flags & 0xFFFFFFFF or found is None or not found.callback:
        return -EINVAL
    found.due = run.env.time_ns
    return 0


@kfunc(1)
def bpf_cast_to_kern_ctx(run: Run, obj: int) -> int:
    return obj


@kfunc(2)
def bpf_rdonly_cast(run: Run, obj: int, btf_id: int) -> int:
    return obj


@kfunc(1)
def bpf_map_sum_elem_count(run: Run, map: int) -> int:
    return len(run.map(map).keys())


@kfunc(4)
def bpf_copy_from_user_str(run: Run, dst: int, size: int, unsafe_ptr: int, flags: int) -> int:
    size &= 0xFFFFFFFF
    if flags & ~_PAD_ZEROS:
        return -EINVAL
    if not size:
        return 0
    try:
        if not run.mem.is_user(unsafe_ptr):
            raise run.mem.fault(unsafe_ptr, 1, "read")
        text = run.mem.string(unsafe_ptr, size - 1)
    except MemoryFault:
        run.mem.write(dst, bytes(size))
        return -EFAULT
    run.mem.write(dst, text.ljust(size, b"\0") if flags else text + b"\0")
    return len(text) + 1


@kfunc(1)
def bpf_cgroup_acquire(run: Run, cgrp: int) -> int:
    return cgrp


@kfunc(1)
def bpf_cgroup_release(run: Run, cgrp: int) -> int:
    return 0


@kfunc(1)
def bpf_cgroup_from_id(run: Run, cgid: int) -> int:
    return run.vm.objects.cgroup(cgid) if cgid in ancestors(run) else 0


@kfunc(2)
def bpf_cgroup_ancestor(run: Run, cgrp: int, level: int) -> int:
    chain = ancestors(run)
    level &= 0xFFFFFFFF
    return run.vm.objects.cgroup(chain[level]) if level < len(chain) else 0


@kfunc(2)
def bpf_task_under_cgroup(run: Run, task: int, ancestor: int) -> int:
    return int(any(run.vm.objects.cgroup(one) == ancestor for one in ancestors(run)))


@kfunc(4)
def bpf_send_signal_task(run: Run, task: int, sig: int, type: int, value: int) -> int:
    run.record("signal", sig & 0xFFFFFFFF)
    return 0


@kfunc(1)
def bpf_sock_destroy(run: Run, sock: int) -> int:
    run.record("destroy", run.mem.owner(sock))
    return 0


@kfunc(2)
def bpf_xdp_metadata_rx_timestamp(run: Run, ctx: int, timestamp: int) -> int:
    return -EOPNOTSUPP  # as a device answers that gives no such hints


@kfunc(3)
def bpf_xdp_metadata_rx_hash(run: Run, ctx: int, hash: int, rss_type: int) -> int:
    return -EOPNOTSUPP


@kfunc(3)
def bpf_xdp_metadata_rx_vlan_tag(run: Run, ctx: int, vlan_proto: int, vlan_tci: int) -> int:
    return -EOPNOTSUPP


def _s32(value: int) -> int:
    value &= 0xFFFFFFFF
    return value - (1 << 32) if value >> 31 else value
