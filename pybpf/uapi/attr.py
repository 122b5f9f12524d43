"""Members of `union bpf_attr`, one class for each group of commands, and the union itself.

Written by tools/gen_uapi.py; do not edit.
From the BTF of Debian linux-binary-7.2.13+deb14-amd64 7.2.13-1.
"""

from __future__ import annotations

from ctypes import Structure, Union, c_char, c_int32, c_uint8, c_uint32, c_uint64


class MapCreateAttr(Structure):
    """Part of a larger structure, 96 bytes."""

    _fields_ = (
        ("map_type", c_uint32),
        ("key_size", c_uint32),
        ("value_size", c_uint32),
        ("max_entries", c_uint32),
        ("map_flags", c_uint32),
        ("inner_map_fd", c_uint32),
        ("numa_node", c_uint32),
        ("map_name", c_char * 16),
        ("map_ifindex", c_uint32),
        ("btf_fd", c_uint32),
        ("btf_key_type_id", c_uint32),
        ("btf_value_type_id", c_uint32),
        ("btf_vmlinux_value_type_id", c_uint32),
        ("map_extra", c_uint64),
        ("value_type_btf_obj_fd", c_int32),
        ("map_token_fd", c_int32),
        ("excl_prog_hash", c_uint64),
        ("excl_prog_hash_size", c_uint32),
        ("_pad0", c_uint8 * 4),
    )


class MapElemAttr_0(Union):
    """Part of a larger structure, 8 bytes."""

    _fields_ = (
        ("value", c_uint64),
        ("next_key", c_uint64),
    )


class MapElemAttr(Structure):
    """Part of a larger structure, 32 bytes."""

    _anonymous_ = ("_0",)
    _fields_ = (
        ("map_fd", c_uint32),
        ("_pad0", c_uint8 * 4),
        ("key", c_uint64),
        ("_0", MapElemAttr_0),
        ("flags", c_uint64),
    )


class MapBatchAttr(Structure):
    """Part of a larger structure, 56 bytes."""

    _fields_ = (
        ("in_batch", c_uint64),
        ("out_batch", c_uint64),
        ("keys", c_uint64),
        ("values", c_uint64),
        ("count", c_uint32),
        ("map_fd", c_uint32),
        ("elem_flags", c_uint64),
        ("flags", c_uint64),
    )


class ProgLoadAttr_0(Union):
    """Part of a larger structure, 4 bytes."""

    _fields_ = (
        ("attach_prog_fd", c_uint32),
        ("attach_btf_obj_fd", c_uint32),
    )


class ProgLoadAttr(Structure):
    """Part of a larger structure, 168 bytes."""

    _anonymous_ = ("_0",)
    _fields_ = (
        ("prog_type", c_uint32),
        ("insn_cnt", c_uint32),
        ("insns", c_uint64),
        ("license", c_uint64),
        ("log_level", c_uint32),
        ("log_size", c_uint32),
        ("log_buf", c_uint64),
        ("kern_version", c_uint32),
        ("prog_flags", c_uint32),
        ("prog_name", c_char * 16),
        ("prog_ifindex", c_uint32),
        ("expected_attach_type", c_uint32),
        ("prog_btf_fd", c_uint32),
        ("func_info_rec_size", c_uint32),
        ("func_info", c_uint64),
        ("func_info_cnt", c_uint32),
        ("line_info_rec_size", c_uint32),
        ("line_info", c_uint64),
        ("line_info_cnt", c_uint32),
        ("attach_btf_id", c_uint32),
        ("_0", ProgLoadAttr_0),
        ("core_relo_cnt", c_uint32),
        ("fd_array", c_uint64),
        ("core_relos", c_uint64),
        ("core_relo_rec_size", c_uint32),
        ("log_true_size", c_uint32),
        ("prog_token_fd", c_int32),
        ("fd_array_cnt", c_uint32),
        ("signature", c_uint64),
        ("signature_size", c_uint32),
        ("keyring_id", c_int32),
    )


class ObjAttr(Structure):
    """Part of a larger structure, 24 bytes."""

    _fields_ = (
        ("pathname", c_uint64),
        ("bpf_fd", c_uint32),
        ("file_flags", c_uint32),
        ("path_fd", c_int32),
        ("_pad0", c_uint8 * 4),
    )


class ProgAttachAttr_0(Union):
    """Part of a larger structure, 4 bytes."""

    _fields_ = (
        ("target_fd", c_uint32),
        ("target_ifindex", c_uint32),
    )


class ProgAttachAttr_1(Union):
    """Part of a larger structure, 4 bytes."""

    _fields_ = (
        ("relative_fd", c_uint32),
        ("relative_id", c_uint32),
    )


class ProgAttachAttr(Structure):
    """Part of a larger structure, 32 bytes."""

    _anonymous_ = (
        "_0",
        "_1",
    )
    _fields_ = (
        ("_0", ProgAttachAttr_0),
        ("attach_bpf_fd", c_uint32),
        ("attach_type", c_uint32),
        ("attach_flags", c_uint32),
        ("replace_bpf_fd", c_uint32),
        ("_1", ProgAttachAttr_1),
        ("expected_revision", c_uint64),
    )


class ProgRunAttr(Structure):
    """Part of a larger structure, 80 bytes."""

    _fields_ = (
        ("prog_fd", c_uint32),
        ("retval", c_uint32),
        ("data_size_in", c_uint32),
        ("data_size_out", c_uint32),
        ("data_in", c_uint64),
        ("data_out", c_uint64),
        ("repeat", c_uint32),
        ("duration", c_uint32),
        ("ctx_size_in", c_uint32),
        ("ctx_size_out", c_uint32),
        ("ctx_in", c_uint64),
        ("ctx_out", c_uint64),
        ("flags", c_uint32),
        ("cpu", c_uint32),
        ("batch_size", c_uint32),
        ("_pad0", c_uint8 * 4),
    )


class GetIdAttr_0(Union):
    """Part of a larger structure, 4 bytes."""

    _fields_ = (
        ("start_id", c_uint32),
        ("prog_id", c_uint32),
        ("map_id", c_uint32),
        ("btf_id", c_uint32),
        ("link_id", c_uint32),
    )


class GetIdAttr(Structure):
    """Part of a larger structure, 16 bytes."""

    _anonymous_ = ("_0",)
    _fields_ = (
        ("_0", GetIdAttr_0),
        ("next_id", c_uint32),
        ("open_flags", c_uint32),
        ("fd_by_id_token_fd", c_int32),
    )


class InfoAttr(Structure):
    """Part of a larger structure, 16 bytes."""

    _fields_ = (
        ("bpf_fd", c_uint32),
        ("info_len", c_uint32),
        ("info", c_uint64),
    )


class ProgQueryAttr_0(Union):
    """Part of a larger structure, 4 bytes."""

    _fields_ = (
        ("target_fd", c_uint32),
        ("target_ifindex", c_uint32),
    )


class ProgQueryAttr_1(Union):
    """Part of a larger structure, 4 bytes."""

    _fields_ = (
        ("prog_cnt", c_uint32),
        ("count", c_uint32),
    )


class ProgQueryAttr(Structure):
    """Part of a larger structure, 64 bytes."""

    _anonymous_ = (
        "_0",
        "_1",
    )
    _fields_ = (
        ("_0", ProgQueryAttr_0),
        ("attach_type", c_uint32),
        ("query_flags", c_uint32),
        ("attach_flags", c_uint32),
        ("prog_ids", c_uint64),
        ("_1", ProgQueryAttr_1),
        ("_pad0", c_uint8 * 4),
        ("prog_attach_flags", c_uint64),
        ("link_ids", c_uint64),
        ("link_attach_flags", c_uint64),
        ("revision", c_uint64),
    )


class RawTracepointAttr(Structure):
    """Part of a larger structure, 24 bytes."""

    _fields_ = (
        ("name", c_uint64),
        ("prog_fd", c_uint32),
        ("_pad0", c_uint8 * 4),
        ("cookie", c_uint64),
    )


class BtfLoadAttr(Structure):
    """Part of a larger structure, 40 bytes."""

    _fields_ = (
        ("btf", c_uint64),
        ("btf_log_buf", c_uint64),
        ("btf_size", c_uint32),
        ("btf_log_size", c_uint32),
        ("btf_log_level", c_uint32),
        ("btf_log_true_size", c_uint32),
        ("btf_flags", c_uint32),
        ("btf_token_fd", c_int32),
    )


class TaskFdQueryAttr(Structure):
    """Part of a larger structure, 48 bytes."""

    _fields_ = (
        ("pid", c_uint32),
        ("fd", c_uint32),
        ("flags", c_uint32),
        ("buf_len", c_uint32),
        ("buf", c_uint64),
        ("prog_id", c_uint32),
        ("fd_type", c_uint32),
        ("probe_offset", c_uint64),
        ("probe_addr", c_uint64),
    )


class LinkCreateAttr_0(Union):
    """Part of a larger structure, 4 bytes."""

    _fields_ = (
        ("prog_fd", c_uint32),
        ("map_fd", c_uint32),
    )


class LinkCreateAttr_1(Union):
    """Part of a larger structure, 4 bytes."""

    _fields_ = (
        ("target_fd", c_uint32),
        ("target_ifindex", c_uint32),
    )


class LinkCreateAttr_2_0(Structure):
    """Part of a larger structure, 16 bytes."""

    _fields_ = (
        ("iter_info", c_uint64),
        ("iter_info_len", c_uint32),
        ("_pad0", c_uint8 * 4),
    )


class LinkCreateAttr_2_perf_event(Structure):
    """Part of a larger structure, 8 bytes."""

    _fields_ = (("bpf_cookie", c_uint64),)


class LinkCreateAttr_2_kprobe_multi(Structure):
    """Part of a larger structure, 32 bytes."""

    _fields_ = (
        ("flags", c_uint32),
        ("cnt", c_uint32),
        ("syms", c_uint64),
        ("addrs", c_uint64),
        ("cookies", c_uint64),
    )


class LinkCreateAttr_2_tracing(Structure):
    """Part of a larger structure, 16 bytes."""

    _fields_ = (
        ("target_btf_id", c_uint32),
        ("_pad0", c_uint8 * 4),
        ("cookie", c_uint64),
    )


class LinkCreateAttr_2_netfilter(Structure):
    """Part of a larger structure, 16 bytes."""

    _fields_ = (
        ("pf", c_uint32),
        ("hooknum", c_uint32),
        ("priority", c_int32),
        ("flags", c_uint32),
    )


class LinkCreateAttr_2_tcx_0(Union):
    """Part of a larger structure, 4 bytes."""

    _fields_ = (
        ("relative_fd", c_uint32),
        ("relative_id", c_uint32),
    )


class LinkCreateAttr_2_tcx(Structure):
    """Part of a larger structure, 16 bytes."""

    _anonymous_ = ("_0",)
    _fields_ = (
        ("_0", LinkCreateAttr_2_tcx_0),
        ("_pad0", c_uint8 * 4),
        ("expected_revision", c_uint64),
    )


class LinkCreateAttr_2_uprobe_multi(Structure):
    """Part of a larger structure, 48 bytes."""

    _fields_ = (
        ("path", c_uint64),
        ("offsets", c_uint64),
        ("ref_ctr_offsets", c_uint64),
        ("cookies", c_uint64),
        ("cnt", c_uint32),
        ("flags", c_uint32),
        ("pid", c_uint32),
        ("path_fd", c_uint32),
    )


class LinkCreateAttr_2_netkit_0(Union):
    """Part of a larger structure, 4 bytes."""

    _fields_ = (
        ("relative_fd", c_uint32),
        ("relative_id", c_uint32),
    )


class LinkCreateAttr_2_netkit(Structure):
    """Part of a larger structure, 16 bytes."""

    _anonymous_ = ("_0",)
    _fields_ = (
        ("_0", LinkCreateAttr_2_netkit_0),
        ("_pad0", c_uint8 * 4),
        ("expected_revision", c_uint64),
    )


class LinkCreateAttr_2_cgroup_0(Union):
    """Part of a larger structure, 4 bytes."""

    _fields_ = (
        ("relative_fd", c_uint32),
        ("relative_id", c_uint32),
    )


class LinkCreateAttr_2_cgroup(Structure):
    """Part of a larger structure, 16 bytes."""

    _anonymous_ = ("_0",)
    _fields_ = (
        ("_0", LinkCreateAttr_2_cgroup_0),
        ("_pad0", c_uint8 * 4),
        ("expected_revision", c_uint64),
    )


class LinkCreateAttr_2_tracing_multi(Structure):
    """Part of a larger structure, 24 bytes."""

    _fields_ = (
        ("ids", c_uint64),
        ("cookies", c_uint64),
        ("cnt", c_uint32),
        ("_pad0", c_uint8 * 4),
    )


class LinkCreateAttr_2(Union):
    """Part of a larger structure, 48 bytes."""

    _anonymous_ = ("_0",)
    _fields_ = (
        ("target_btf_id", c_uint32),
        ("_0", LinkCreateAttr_2_0),
        ("perf_event", LinkCreateAttr_2_perf_event),
        ("kprobe_multi", LinkCreateAttr_2_kprobe_multi),
        ("tracing", LinkCreateAttr_2_tracing),
        ("netfilter", LinkCreateAttr_2_netfilter),
        ("tcx", LinkCreateAttr_2_tcx),
        ("uprobe_multi", LinkCreateAttr_2_uprobe_multi),
        ("netkit", LinkCreateAttr_2_netkit),
        ("cgroup", LinkCreateAttr_2_cgroup),
        ("tracing_multi", LinkCreateAttr_2_tracing_multi),
    )


class LinkCreateAttr(Structure):
    """Part of a larger structure, 64 bytes."""

    _anonymous_ = (
        "_0",
        "_1",
        "_2",
    )
    _fields_ = (
        ("_0", LinkCreateAttr_0),
        ("_1", LinkCreateAttr_1),
        ("attach_type", c_uint32),
        ("flags", c_uint32),
        ("_2", LinkCreateAttr_2),
    )


class LinkUpdateAttr_0(Union):
    """Part of a larger structure, 4 bytes."""

    _fields_ = (
        ("new_prog_fd", c_uint32),
        ("new_map_fd", c_uint32),
    )


class LinkUpdateAttr_1(Union):
    """Part of a larger structure, 4 bytes."""

    _fields_ = (
        ("old_prog_fd", c_uint32),
        ("old_map_fd", c_uint32),
    )


class LinkUpdateAttr(Structure):
    """Part of a larger structure, 16 bytes."""

    _anonymous_ = (
        "_0",
        "_1",
    )
    _fields_ = (
        ("link_fd", c_uint32),
        ("_0", LinkUpdateAttr_0),
        ("flags", c_uint32),
        ("_1", LinkUpdateAttr_1),
    )


class LinkDetachAttr(Structure):
    """Part of a larger structure, 4 bytes."""

    _fields_ = (("link_fd", c_uint32),)


class EnableStatsAttr(Structure):
    """Part of a larger structure, 4 bytes."""

    _fields_ = (("type", c_uint32),)


class IterCreateAttr(Structure):
    """Part of a larger structure, 8 bytes."""

    _fields_ = (
        ("link_fd", c_uint32),
        ("flags", c_uint32),
    )


class ProgBindMapAttr(Structure):
    """Part of a larger structure, 12 bytes."""

    _fields_ = (
        ("prog_fd", c_uint32),
        ("map_fd", c_uint32),
        ("flags", c_uint32),
    )


class TokenCreateAttr(Structure):
    """Part of a larger structure, 8 bytes."""

    _fields_ = (
        ("flags", c_uint32),
        ("bpffs_fd", c_uint32),
    )


class StreamReadAttr(Structure):
    """Part of a larger structure, 24 bytes."""

    _fields_ = (
        ("stream_buf", c_uint64),
        ("stream_buf_len", c_uint32),
        ("stream_id", c_uint32),
        ("prog_fd", c_uint32),
        ("_pad0", c_uint8 * 4),
    )


class AssocStructOpsAttr(Structure):
    """Part of a larger structure, 12 bytes."""

    _fields_ = (
        ("map_fd", c_uint32),
        ("prog_fd", c_uint32),
        ("flags", c_uint32),
    )


class BpfAttr_0(Structure):
    """Part of a larger structure, 96 bytes."""

    _fields_ = (
        ("map_type", c_uint32),
        ("key_size", c_uint32),
        ("value_size", c_uint32),
        ("max_entries", c_uint32),
        ("map_flags", c_uint32),
        ("inner_map_fd", c_uint32),
        ("numa_node", c_uint32),
        ("map_name", c_char * 16),
        ("map_ifindex", c_uint32),
        ("btf_fd", c_uint32),
        ("btf_key_type_id", c_uint32),
        ("btf_value_type_id", c_uint32),
        ("btf_vmlinux_value_type_id", c_uint32),
        ("map_extra", c_uint64),
        ("value_type_btf_obj_fd", c_int32),
        ("map_token_fd", c_int32),
        ("excl_prog_hash", c_uint64),
        ("excl_prog_hash_size", c_uint32),
        ("_pad0", c_uint8 * 4),
    )


class BpfAttr_1_0(Union):
    """Part of a larger structure, 8 bytes."""

    _fields_ = (
        ("value", c_uint64),
        ("next_key", c_uint64),
    )


class BpfAttr_1(Structure):
    """Part of a larger structure, 32 bytes."""

    _anonymous_ = ("_0",)
    _fields_ = (
        ("map_fd", c_uint32),
        ("_pad0", c_uint8 * 4),
        ("key", c_uint64),
        ("_0", BpfAttr_1_0),
        ("flags", c_uint64),
    )


class BpfAttr_batch(Structure):
    """Part of a larger structure, 56 bytes."""

    _fields_ = (
        ("in_batch", c_uint64),
        ("out_batch", c_uint64),
        ("keys", c_uint64),
        ("values", c_uint64),
        ("count", c_uint32),
        ("map_fd", c_uint32),
        ("elem_flags", c_uint64),
        ("flags", c_uint64),
    )


class BpfAttr_2_0(Union):
    """Part of a larger structure, 4 bytes."""

    _fields_ = (
        ("attach_prog_fd", c_uint32),
        ("attach_btf_obj_fd", c_uint32),
    )


class BpfAttr_2(Structure):
    """Part of a larger structure, 168 bytes."""

    _anonymous_ = ("_0",)
    _fields_ = (
        ("prog_type", c_uint32),
        ("insn_cnt", c_uint32),
        ("insns", c_uint64),
        ("license", c_uint64),
        ("log_level", c_uint32),
        ("log_size", c_uint32),
        ("log_buf", c_uint64),
        ("kern_version", c_uint32),
        ("prog_flags", c_uint32),
        ("prog_name", c_char * 16),
        ("prog_ifindex", c_uint32),
        ("expected_attach_type", c_uint32),
        ("prog_btf_fd", c_uint32),
        ("func_info_rec_size", c_uint32),
        ("func_info", c_uint64),
        ("func_info_cnt", c_uint32),
        ("line_info_rec_size", c_uint32),
        ("line_info", c_uint64),
        ("line_info_cnt", c_uint32),
        ("attach_btf_id", c_uint32),
        ("_0", BpfAttr_2_0),
        ("core_relo_cnt", c_uint32),
        ("fd_array", c_uint64),
        ("core_relos", c_uint64),
        ("core_relo_rec_size", c_uint32),
        ("log_true_size", c_uint32),
        ("prog_token_fd", c_int32),
        ("fd_array_cnt", c_uint32),
        ("signature", c_uint64),
        ("signature_size", c_uint32),
        ("keyring_id", c_int32),
    )


class BpfAttr_3(Structure):
    """Part of a larger structure, 24 bytes."""

    _fields_ = (
        ("pathname", c_uint64),
        ("bpf_fd", c_uint32),
        ("file_flags", c_uint32),
        ("path_fd", c_int32),
        ("_pad0", c_uint8 * 4),
    )


class BpfAttr_4_0(Union):
    """Part of a larger structure, 4 bytes."""

    _fields_ = (
        ("target_fd", c_uint32),
        ("target_ifindex", c_uint32),
    )


class BpfAttr_4_1(Union):
    """Part of a larger structure, 4 bytes."""

    _fields_ = (
        ("relative_fd", c_uint32),
        ("relative_id", c_uint32),
    )


class BpfAttr_4(Structure):
    """Part of a larger structure, 32 bytes."""

    _anonymous_ = (
        "_0",
        "_1",
    )
    _fields_ = (
        ("_0", BpfAttr_4_0),
        ("attach_bpf_fd", c_uint32),
        ("attach_type", c_uint32),
        ("attach_flags", c_uint32),
        ("replace_bpf_fd", c_uint32),
        ("_1", BpfAttr_4_1),
        ("expected_revision", c_uint64),
    )


class BpfAttr_test(Structure):
    """Part of a larger structure, 80 bytes."""

    _fields_ = (
        ("prog_fd", c_uint32),
        ("retval", c_uint32),
        ("data_size_in", c_uint32),
        ("data_size_out", c_uint32),
        ("data_in", c_uint64),
        ("data_out", c_uint64),
        ("repeat", c_uint32),
        ("duration", c_uint32),
        ("ctx_size_in", c_uint32),
        ("ctx_size_out", c_uint32),
        ("ctx_in", c_uint64),
        ("ctx_out", c_uint64),
        ("flags", c_uint32),
        ("cpu", c_uint32),
        ("batch_size", c_uint32),
        ("_pad0", c_uint8 * 4),
    )


class BpfAttr_5_0(Union):
    """Part of a larger structure, 4 bytes."""

    _fields_ = (
        ("start_id", c_uint32),
        ("prog_id", c_uint32),
        ("map_id", c_uint32),
        ("btf_id", c_uint32),
        ("link_id", c_uint32),
    )


class BpfAttr_5(Structure):
    """Part of a larger structure, 16 bytes."""

    _anonymous_ = ("_0",)
    _fields_ = (
        ("_0", BpfAttr_5_0),
        ("next_id", c_uint32),
        ("open_flags", c_uint32),
        ("fd_by_id_token_fd", c_int32),
    )


class BpfAttr_info(Structure):
    """Part of a larger structure, 16 bytes."""

    _fields_ = (
        ("bpf_fd", c_uint32),
        ("info_len", c_uint32),
        ("info", c_uint64),
    )


class BpfAttr_query_0(Union):
    """Part of a larger structure, 4 bytes."""

    _fields_ = (
        ("target_fd", c_uint32),
        ("target_ifindex", c_uint32),
    )


class BpfAttr_query_1(Union):
    """Part of a larger structure, 4 bytes."""

    _fields_ = (
        ("prog_cnt", c_uint32),
        ("count", c_uint32),
    )


class BpfAttr_query(Structure):
    """Part of a larger structure, 64 bytes."""

    _anonymous_ = (
        "_0",
        "_1",
    )
    _fields_ = (
        ("_0", BpfAttr_query_0),
        ("attach_type", c_uint32),
        ("query_flags", c_uint32),
        ("attach_flags", c_uint32),
        ("prog_ids", c_uint64),
        ("_1", BpfAttr_query_1),
        ("_pad0", c_uint8 * 4),
        ("prog_attach_flags", c_uint64),
        ("link_ids", c_uint64),
        ("link_attach_flags", c_uint64),
        ("revision", c_uint64),
    )


class BpfAttr_raw_tracepoint(Structure):
    """Part of a larger structure, 24 bytes."""

    _fields_ = (
        ("name", c_uint64),
        ("prog_fd", c_uint32),
        ("_pad0", c_uint8 * 4),
        ("cookie", c_uint64),
    )


class BpfAttr_6(Structure):
    """Part of a larger structure, 40 bytes."""

    _fields_ = (
        ("btf", c_uint64),
        ("btf_log_buf", c_uint64),
        ("btf_size", c_uint32),
        ("btf_log_size", c_uint32),
        ("btf_log_level", c_uint32),
        ("btf_log_true_size", c_uint32),
        ("btf_flags", c_uint32),
        ("btf_token_fd", c_int32),
    )


class BpfAttr_task_fd_query(Structure):
    """Part of a larger structure, 48 bytes."""

    _fields_ = (
        ("pid", c_uint32),
        ("fd", c_uint32),
        ("flags", c_uint32),
        ("buf_len", c_uint32),
        ("buf", c_uint64),
        ("prog_id", c_uint32),
        ("fd_type", c_uint32),
        ("probe_offset", c_uint64),
        ("probe_addr", c_uint64),
    )


class BpfAttr_link_create_0(Union):
    """Part of a larger structure, 4 bytes."""

    _fields_ = (
        ("prog_fd", c_uint32),
        ("map_fd", c_uint32),
    )


class BpfAttr_link_create_1(Union):
    """Part of a larger structure, 4 bytes."""

    _fields_ = (
        ("target_fd", c_uint32),
        ("target_ifindex", c_uint32),
    )


class BpfAttr_link_create_2_0(Structure):
    """Part of a larger structure, 16 bytes."""

    _fields_ = (
        ("iter_info", c_uint64),
        ("iter_info_len", c_uint32),
        ("_pad0", c_uint8 * 4),
    )


class BpfAttr_link_create_2_perf_event(Structure):
    """Part of a larger structure, 8 bytes."""

    _fields_ = (("bpf_cookie", c_uint64),)


class BpfAttr_link_create_2_kprobe_multi(Structure):
    """Part of a larger structure, 32 bytes."""

    _fields_ = (
        ("flags", c_uint32),
        ("cnt", c_uint32),
        ("syms", c_uint64),
        ("addrs", c_uint64),
        ("cookies", c_uint64),
    )


class BpfAttr_link_create_2_tracing(Structure):
    """Part of a larger structure, 16 bytes."""

    _fields_ = (
        ("target_btf_id", c_uint32),
        ("_pad0", c_uint8 * 4),
        ("cookie", c_uint64),
    )


class BpfAttr_link_create_2_netfilter(Structure):
    """Part of a larger structure, 16 bytes."""

    _fields_ = (
        ("pf", c_uint32),
        ("hooknum", c_uint32),
        ("priority", c_int32),
        ("flags", c_uint32),
    )


class BpfAttr_link_create_2_tcx_0(Union):
    """Part of a larger structure, 4 bytes."""

    _fields_ = (
        ("relative_fd", c_uint32),
        ("relative_id", c_uint32),
    )


class BpfAttr_link_create_2_tcx(Structure):
    """Part of a larger structure, 16 bytes."""

    _anonymous_ = ("_0",)
    _fields_ = (
        ("_0", BpfAttr_link_create_2_tcx_0),
        ("_pad0", c_uint8 * 4),
        ("expected_revision", c_uint64),
    )


class BpfAttr_link_create_2_uprobe_multi(Structure):
    """Part of a larger structure, 48 bytes."""

    _fields_ = (
        ("path", c_uint64),
        ("offsets", c_uint64),
        ("ref_ctr_offsets", c_uint64),
        ("cookies", c_uint64),
        ("cnt", c_uint32),
        ("flags", c_uint32),
        ("pid", c_uint32),
        ("path_fd", c_uint32),
    )


class BpfAttr_link_create_2_netkit_0(Union):
    """Part of a larger structure, 4 bytes."""

    _fields_ = (
        ("relative_fd", c_uint32),
        ("relative_id", c_uint32),
    )


class BpfAttr_link_create_2_netkit(Structure):
    """Part of a larger structure, 16 bytes."""

    _anonymous_ = ("_0",)
    _fields_ = (
        ("_0", BpfAttr_link_create_2_netkit_0),
        ("_pad0", c_uint8 * 4),
        ("expected_revision", c_uint64),
    )


class BpfAttr_link_create_2_cgroup_0(Union):
    """Part of a larger structure, 4 bytes."""

    _fields_ = (
        ("relative_fd", c_uint32),
        ("relative_id", c_uint32),
    )


class BpfAttr_link_create_2_cgroup(Structure):
    """Part of a larger structure, 16 bytes."""

    _anonymous_ = ("_0",)
    _fields_ = (
        ("_0", BpfAttr_link_create_2_cgroup_0),
        ("_pad0", c_uint8 * 4),
        ("expected_revision", c_uint64),
    )


class BpfAttr_link_create_2_tracing_multi(Structure):
    """Part of a larger structure, 24 bytes."""

    _fields_ = (
        ("ids", c_uint64),
        ("cookies", c_uint64),
        ("cnt", c_uint32),
        ("_pad0", c_uint8 * 4),
    )


class BpfAttr_link_create_2(Union):
    """Part of a larger structure, 48 bytes."""

    _anonymous_ = ("_0",)
    _fields_ = (
        ("target_btf_id", c_uint32),
        ("_0", BpfAttr_link_create_2_0),
        ("perf_event", BpfAttr_link_create_2_perf_event),
        ("kprobe_multi", BpfAttr_link_create_2_kprobe_multi),
        ("tracing", BpfAttr_link_create_2_tracing),
        ("netfilter", BpfAttr_link_create_2_netfilter),
        ("tcx", BpfAttr_link_create_2_tcx),
        ("uprobe_multi", BpfAttr_link_create_2_uprobe_multi),
        ("netkit", BpfAttr_link_create_2_netkit),
        ("cgroup", BpfAttr_link_create_2_cgroup),
        ("tracing_multi", BpfAttr_link_create_2_tracing_multi),
    )


class BpfAttr_link_create(Structure):
    """Part of a larger structure, 64 bytes."""

    _anonymous_ = (
        "_0",
        "_1",
        "_2",
    )
    _fields_ = (
        ("_0", BpfAttr_link_create_0),
        ("_1", BpfAttr_link_create_1),
        ("attach_type", c_uint32),
        ("flags", c_uint32),
        ("_2", BpfAttr_link_create_2),
    )


class BpfAttr_link_update_0(Union):
    """Part of a larger structure, 4 bytes."""

    _fields_ = (
        ("new_prog_fd", c_uint32),
        ("new_map_fd", c_uint32),
    )


class BpfAttr_link_update_1(Union):
    """Part of a larger structure, 4 bytes."""

    _fields_ = (
        ("old_prog_fd", c_uint32),
        ("old_map_fd", c_uint32),
    )


class BpfAttr_link_update(Structure):
    """Part of a larger structure, 16 bytes."""

    _anonymous_ = (
        "_0",
        "_1",
    )
    _fields_ = (
        ("link_fd", c_uint32),
        ("_0", BpfAttr_link_update_0),
        ("flags", c_uint32),
        ("_1", BpfAttr_link_update_1),
    )


class BpfAttr_link_detach(Structure):
    """Part of a larger structure, 4 bytes."""

    _fields_ = (("link_fd", c_uint32),)


class BpfAttr_enable_stats(Structure):
    """Part of a larger structure, 4 bytes."""

    _fields_ = (("type", c_uint32),)


class BpfAttr_iter_create(Structure):
    """Part of a larger structure, 8 bytes."""

    _fields_ = (
        ("link_fd", c_uint32),
        ("flags", c_uint32),
    )


class BpfAttr_prog_bind_map(Structure):
    """Part of a larger structure, 12 bytes."""

    _fields_ = (
        ("prog_fd", c_uint32),
        ("map_fd", c_uint32),
        ("flags", c_uint32),
    )


class BpfAttr_token_create(Structure):
    """Part of a larger structure, 8 bytes."""

    _fields_ = (
        ("flags", c_uint32),
        ("bpffs_fd", c_uint32),
    )


class BpfAttr_prog_stream_read(Structure):
    """Part of a larger structure, 24 bytes."""

    _fields_ = (
        ("stream_buf", c_uint64),
        ("stream_buf_len", c_uint32),
        ("stream_id", c_uint32),
        ("prog_fd", c_uint32),
        ("_pad0", c_uint8 * 4),
    )


class BpfAttr_prog_assoc_struct_ops(Structure):
    """Part of a larger structure, 12 bytes."""

    _fields_ = (
        ("map_fd", c_uint32),
        ("prog_fd", c_uint32),
        ("flags", c_uint32),
    )


class BpfAttr(Union):
    """union bpf_attr, 168 bytes."""

    _anonymous_ = (
        "_0",
        "_1",
        "_2",
        "_3",
        "_4",
        "_5",
        "_6",
    )
    _fields_ = (
        ("_0", BpfAttr_0),
        ("_1", BpfAttr_1),
        ("batch", BpfAttr_batch),
        ("_2", BpfAttr_2),
        ("_3", BpfAttr_3),
        ("_4", BpfAttr_4),
        ("test", BpfAttr_test),
        ("_5", BpfAttr_5),
        ("info", BpfAttr_info),
        ("query", BpfAttr_query),
        ("raw_tracepoint", BpfAttr_raw_tracepoint),
        ("_6", BpfAttr_6),
        ("task_fd_query", BpfAttr_task_fd_query),
        ("link_create", BpfAttr_link_create),
        ("link_update", BpfAttr_link_update),
        ("link_detach", BpfAttr_link_detach),
        ("enable_stats", BpfAttr_enable_stats),
        ("iter_create", BpfAttr_iter_create),
        ("prog_bind_map", BpfAttr_prog_bind_map),
        ("token_create", BpfAttr_token_create),
        ("prog_stream_read", BpfAttr_prog_stream_read),
        ("prog_assoc_struct_ops", BpfAttr_prog_assoc_struct_ops),
    )


class CommonAttr(Structure):
    """struct bpf_common_attr, 24 bytes."""

    _fields_ = (
        ("log_buf", c_uint64),
        ("log_size", c_uint32),
        ("log_level", c_uint32),
        ("log_true_size", c_uint32),
        ("_pad0", c_uint8 * 4),
    )


class IterLinkInfo_map(Structure):
    """Part of a larger structure, 4 bytes."""

    _fields_ = (("map_fd", c_uint32),)


class IterLinkInfo_cgroup(Structure):
    """Part of a larger structure, 16 bytes."""

    _fields_ = (
        ("order", c_uint32),
        ("cgroup_fd", c_uint32),
        ("cgroup_id", c_uint64),
    )


class IterLinkInfo_task(Structure):
    """Part of a larger structure, 12 bytes."""

    _fields_ = (
        ("tid", c_uint32),
        ("pid", c_uint32),
        ("pid_fd", c_uint32),
    )


class IterLinkInfo(Union):
    """union bpf_iter_link_info, 16 bytes."""

    _fields_ = (
        ("map", IterLinkInfo_map),
        ("cgroup", IterLinkInfo_cgroup),
        ("task", IterLinkInfo_task),
    )


class FuncInfo(Structure):
    """struct bpf_func_info, 8 bytes."""

    _fields_ = (
        ("insn_off", c_uint32),
        ("type_id", c_uint32),
    )


class LineInfo(Structure):
    """struct bpf_line_info, 16 bytes."""

    _fields_ = (
        ("insn_off", c_uint32),
        ("file_name_off", c_uint32),
        ("line_off", c_uint32),
        ("line_col", c_uint32),
    )


class CoreRelo(Structure):
    """struct bpf_core_relo, 16 bytes."""

    _fields_ = (
        ("insn_off", c_uint32),
        ("type_id", c_uint32),
        ("access_str_off", c_uint32),
        ("kind", c_uint32),
    )
