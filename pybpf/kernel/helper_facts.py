"""What neither the signatures nor a probe tell of helpers: sets of helpers, and the maps and programs that go with them.

Written by hand from what the kernel does in kernel/bpf/verifier.c and the prototypes of its helpers; the tests ask the kernel.
"""

from __future__ import annotations

from ..uapi.map import MapType
from ..uapi.prog import ProgType

PLAIN_SOCKETS_ONLY = frozenset(("sk_fullsock", "tcp_sock", "get_listener_sock", "skc_to_mptcp_sock"))
"""Helpers whose socket argument has to be one of the socket kinds, not one that BTF types (ARG_PTR_TO_SOCK_COMMON)."""

SOCKETS = frozenset(
    (
        "sock",
        "tcp_sock",
        "tcp6_sock",
        "tcp_timewait_sock",
        "tcp_request_sock",
        "udp6_sock",
        "unix_sock",
        "mptcp_sock",
    )
)
"""Structures that begin with `sock_common`, among those that helpers give."""

MAP_READS = frozenset(("map_lookup_elem", "map_peek_elem", "map_lookup_percpu_elem"))
"""Helpers that look into a map and leave it as it is."""
MAP_WRITES = frozenset(("map_update_elem", "map_delete_elem", "map_push_elem", "map_pop_elem"))
"""Helpers that change a map, which a map that programs only read refuses."""

PACKET_ARGUMENTS = frozenset(
    (
        *MAP_READS,
        *MAP_WRITES,
        "csum_diff",
        "sk_lookup_tcp",
        "sk_lookup_udp",
        "skc_lookup_tcp",
        "tcp_check_syncookie",
        "tcp_gen_syncookie",
        "tcp_raw_gen_syncookie_ipv4",
        "tcp_raw_gen_syncookie_ipv6",
        "tcp_raw_check_syncookie_ipv4",
        "tcp_raw_check_syncookie_ipv6",
    )
)
"""Helpers that take memory in the packet (`pkt_access` of their prototypes)."""

SLEEPERS = frozenset(("copy_from_user", "copy_from_user_task"))
"""Helpers that every type of program may call where it may sleep (bpf_base_func_proto)."""
SLEEPERS_SINCE = "6.18"
"""Seen there, and not in 6.12."""

UPDATES_SOCKMAPS = frozenset(
    (
        ProgType.SOCKET_FILTER,
        ProgType.SCHED_CLS,
        ProgType.SCHED_ACT,
        ProgType.XDP,
        ProgType.SK_REUSEPORT,
        ProgType.FLOW_DISSECTOR,
        ProgType.SK_LOOKUP,
    )
)
"""Program types that may update and delete in sockmaps and sockhashes (may_update_sockmap)."""

WALKABLE_MAPS = frozenset(
    (
        MapType.HASH,
        MapType.ARRAY,
        MapType.PERCPU_HASH,
        MapType.PERCPU_ARRAY,
        MapType.LRU_HASH,
        MapType.LRU_PERCPU_HASH,
        MapType.RHASH,
    )
)
"""Types of maps that for_each_map_elem walks: those with map_for_each_callback in their operations."""

MAPS_OF: dict[str, frozenset[int]] = {
    "skb_output": frozenset((MapType.PERF_EVENT_ARRAY,)),
    "xdp_output": frozenset((MapType.PERF_EVENT_ARRAY,)),
    "inode_storage_get": frozenset((MapType.INODE_STORAGE,)),
    "inode_storage_delete": frozenset((MapType.INODE_STORAGE,)),
    "for_each_map_elem": WALKABLE_MAPS,
    "timer_init": frozenset(MapType),
    "ringbuf_reserve_dynptr": frozenset((MapType.RINGBUF,)),
    "user_ringbuf_drain": frozenset((MapType.USER_RINGBUF,)),
}
"""Helpers whose maps probing does not tell, because their other arguments are hard to make."""

PROBES = frozenset(("probe_read", "probe_read_kernel", "probe_read_user"))
"""Helpers that read memory of any kind."""
PROBES_STRING = frozenset(("probe_read_str", "probe_read_kernel_str", "probe_read_user_str"))
"""Helpers that read a string of any memory."""

RETURN_LENGTH = frozenset(("get_stack", "get_task_stack", *PROBES_STRING))
"""Helpers that return how many bytes they wrote, or an error (do_refine_retval_range)."""
