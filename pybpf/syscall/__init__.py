"""The one door to the kernel: `bpf(command, attr)`, and a function for each command; bytes and ints in and out.

Functions are imported from their modules when they are first used.
"""

from __future__ import annotations

from ..lazy import exports

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .btf import btf_load as btf_load
    from .door import bpf as bpf
    from .door import call as call
    from .fd import ClosedError as ClosedError
    from .fd import Fd as Fd
    from .maps import map_batch as map_batch
    from .maps import map_contains as map_contains
    from .maps import map_create as map_create
    from .maps import map_delete_elem as map_delete_elem
    from .maps import map_freeze as map_freeze
    from .maps import map_get_next_key as map_get_next_key
    from .maps import map_lookup_and_delete_elem as map_lookup_and_delete_elem
    from .maps import map_lookup_elem as map_lookup_elem
    from .maps import map_update_elem as map_update_elem
    from .objects import enable_stats as enable_stats
    from .objects import fd_by_id as fd_by_id
    from .objects import iter_create as iter_create
    from .objects import link_create as link_create
    from .objects import link_detach as link_detach
    from .objects import link_update as link_update
    from .objects import next_id as next_id
    from .objects import obj_get as obj_get
    from .objects import obj_info as obj_info
    from .objects import obj_pin as obj_pin
    from .objects import raw_tracepoint_open as raw_tracepoint_open
    from .objects import task_fd_query as task_fd_query
    from .objects import token_create as token_create
    from .progs import prog_assoc_struct_ops as prog_assoc_struct_ops
    from .progs import prog_attach as prog_attach
    from .progs import prog_bind_map as prog_bind_map
    from .progs import prog_detach as prog_detach
    from .progs import prog_load as prog_load
    from .progs import prog_query as prog_query
    from .progs import prog_stream_read as prog_stream_read
    from .progs import prog_test_run as prog_test_run

_HOME = {
    "bpf": "door",
    "call": "door",
    "Fd": "fd",
    "ClosedError": "fd",
    "btf_load": "btf",
    **dict.fromkeys(
        (
            "map_batch",
            "map_contains",
            "map_create",
            "map_delete_elem",
            "map_freeze",
            "map_get_next_key",
            "map_lookup_and_delete_elem",
            "map_lookup_elem",
            "map_update_elem",
        ),
        "maps",
    ),
    **dict.fromkeys(
        (
            "prog_assoc_struct_ops",
            "prog_attach",
            "prog_bind_map",
            "prog_detach",
            "prog_load",
            "prog_query",
            "prog_stream_read",
            "prog_test_run",
        ),
        "progs",
    ),
    **dict.fromkeys(
        (
            "enable_stats",
            "fd_by_id",
            "iter_create",
            "link_create",
            "link_detach",
            "link_update",
            "next_id",
            "obj_get",
            "obj_info",
            "obj_pin",
            "raw_tracepoint_open",
            "task_fd_query",
            "token_create",
        ),
        "objects",
    ),
}

__all__ = tuple(_HOME)

__getattr__ = exports(__name__, _HOME)
