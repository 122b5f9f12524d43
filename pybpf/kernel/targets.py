"""What a program finds in its context where BTF does not tell it all: arguments that may be NULL.

Asked of Linux 6.18.44 (x86_64) with a program that loads one argument, for each iterator and each raw tracepoint; the tests ask
the running kernel again.
"""

from __future__ import annotations

from ..uapi import AttachType, ProgType

# iterator -> (argument, what it is); every other argument is a valid pointer, or a number.
#   null: a kernel object, or NULL; trusted: the same, and the object is certainly alive; key, value: a buffer, or NULL
ITERATORS: dict[str, tuple[tuple[int, str], ...]] = {
    "bpf_link": ((1, "null"),),
    "bpf_map": ((1, "trusted"),),
    "bpf_map_elem": ((2, "key"), (3, "value")),
    "bpf_prog": ((1, "null"),),
    "bpf_sk_storage_map": ((2, "null"), (3, "value")),
    "cgroup": ((1, "trusted"),),
    "dmabuf": ((1, "null"),),
    "ipv6_route": ((1, "null"),),
    "kmem_cache": ((1, "trusted"),),
    "ksym": ((1, "null"),),
    "netlink": ((1, "null"),),
    "sockmap": ((2, "key"), (3, "null")),
    "task": ((1, "trusted"),),
    "task_file": ((1, "null"), (3, "null")),
    "task_vma": ((1, "null"), (2, "null")),
    "tcp": ((1, "trusted"),),
    "udp": ((1, "trusted"),),
    "unix": ((1, "null"),),
}

ITERATOR_HELPERS: dict[str, tuple[str, ...]] = {
    "tcp": ("setsockopt", "getsockopt"),
    "unix": ("setsockopt", "getsockopt"),
}
"""Helpers that only programs of one iterator may call, beside those of all."""

WRITABLE: dict[tuple[int, str], tuple[str, ...]] = {
    (program, struct): ("mark",)
    for program in (ProgType.SCHED_CLS, ProgType.XDP)
    for struct in ("nf_conn", "nf_conn___init")
}
"""(program type, kernel structure) -> fields that programs may write (nf_conntrack_btf_struct_access)."""

_NULLABLE = """
sched_pi_setprio:1 sched_stick_numa:2 sched_swap_numa:2 tmigr_update_events:0 mm_page_alloc:0
mm_page_alloc_zone_locked:0 mm_page_pcpu_drain:0 mm_khugepaged_scan_pmd:1 mm_collapse_huge_page_isolate:0
mm_khugepaged_scan_file:1 mm_khugepaged_collapse_file:1 writeback_dirty_folio:1 folio_wait_writeback:1
posix_lock_inode:1 fcntl_setlk:1 locks_remove_posix:1 flock_lock_inode:1 break_lease_noblock:1 break_lease_block:1
break_lease_unblock:1 generic_delete_lease:1 time_out_leases:1 ext4_mballoc_discard:1 ext4_mballoc_free:1
hugetlbfs_alloc_inode:1 xfs_inodegc_flush:0 xfs_inodegc_push:0 xfs_inodegc_start:0 xfs_inodegc_stop:0
xfs_inodegc_queue:0 xfs_inodegc_throttle:0 xfs_fs_sync_fs:0 xfs_blockgc_start:0 xfs_blockgc_stop:0
xfs_blockgc_worker:0 xfs_blockgc_flush_all:0 xfs_map_blocks_found:4 xfs_map_blocks_alloc:4 xfs_btree_updkeys:2
xfs_btree_overlapped_query_range:2 xfs_defer_create_intent:0 xfs_defer_cancel_list:0 xfs_defer_pending_finish:0
xfs_defer_pending_abort:0 xfs_defer_relog_intent:0 xfs_defer_isolate_paused:0 xfs_defer_item_pause:0
xfs_defer_item_unpause:0 xfs_defer_add_item:0 xfs_defer_cancel_item:0 xfs_defer_finish_item:0
xfs_ioc_free_eofblocks:1 xfs_blockgc_free_space:1 kfree_skb:3 tcp_send_reset:0 tcp_send_reset:1 tcp_sendmsg_locked:2
fib_table_lookup:2 qdisc_dequeue:3
"""

NULLABLE_SINCE = "6.12"
"""The first kernel (a stable release of it) that says so of the arguments of raw tracepoints."""


def unsure(prog_type: int, attach_type: int | None, target: str, argument: int, name: str) -> str:
    """What a program is given that may be NULL, in the words of `ITERATORS`; "" for what never is."""
    if attach_type == AttachType.TRACE_ITER:
        return dict(ITERATORS.get(target.removeprefix("bpf_iter_"), ())).get(argument, "")
    raw = prog_type == ProgType.TRACING and attach_type == AttachType.TRACE_RAW_TP
    return "null" if name.endswith("__nullable") or (raw and may_be_null(target, argument)) else ""


def may_be_null(tracepoint: str, argument: int) -> bool:
    """Whether an argument of a raw tracepoint may be NULL."""
    return f"{tracepoint}:{argument}" in _NULLABLE.split()
