"""What BPF_OBJ_GET_INFO_BY_FD fills, by kind of object.

Written by tools/gen_uapi.py; do not edit.
From the BTF of Debian linux-binary-7.2.13+deb14-amd64 7.2.13-1.
"""

from __future__ import annotations

from ctypes import Structure, Union, c_char, c_int32, c_uint8, c_uint32, c_uint64


class ProgInfo(Structure):
    """struct bpf_prog_info, 232 bytes."""

    _fields_ = (
        ("type", c_uint32),
        ("id", c_uint32),
        ("tag", c_uint8 * 8),
        ("jited_prog_len", c_uint32),
        ("xlated_prog_len", c_uint32),
        ("jited_prog_insns", c_uint64),
        ("xlated_prog_insns", c_uint64),
        ("load_time", c_uint64),
        ("created_by_uid", c_uint32),
        ("nr_map_ids", c_uint32),
        ("map_ids", c_uint64),
        ("name", c_char * 16),
        ("ifindex", c_uint32),
        ("gpl_compatible", c_uint32, 1),
        ("netns_dev", c_uint64),
        ("netns_ino", c_uint64),
        ("nr_jited_ksyms", c_uint32),
        ("nr_jited_func_lens", c_uint32),
        ("jited_ksyms", c_uint64),
        ("jited_func_lens", c_uint64),
        ("btf_id", c_uint32),
        ("func_info_rec_size", c_uint32),
        ("func_info", c_uint64),
        ("nr_func_info", c_uint32),
        ("nr_line_info", c_uint32),
        ("line_info", c_uint64),
        ("jited_line_info", c_uint64),
        ("nr_jited_line_info", c_uint32),
        ("line_info_rec_size", c_uint32),
        ("jited_line_info_rec_size", c_uint32),
        ("nr_prog_tags", c_uint32),
        ("prog_tags", c_uint64),
        ("run_time_ns", c_uint64),
        ("run_cnt", c_uint64),
        ("recursion_misses", c_uint64),
        ("verified_insns", c_uint32),
        ("attach_btf_obj_id", c_uint32),
        ("attach_btf_id", c_uint32),
        ("_pad0", c_uint8 * 4),
    )


class MapInfo(Structure):
    """struct bpf_map_info, 104 bytes."""

    _fields_ = (
        ("type", c_uint32),
        ("id", c_uint32),
        ("key_size", c_uint32),
        ("value_size", c_uint32),
        ("max_entries", c_uint32),
        ("map_flags", c_uint32),
        ("name", c_char * 16),
        ("ifindex", c_uint32),
        ("btf_vmlinux_value_type_id", c_uint32),
        ("netns_dev", c_uint64),
        ("netns_ino", c_uint64),
        ("btf_id", c_uint32),
        ("btf_key_type_id", c_uint32),
        ("btf_value_type_id", c_uint32),
        ("btf_vmlinux_id", c_uint32),
        ("map_extra", c_uint64),
        ("hash", c_uint64),
        ("hash_size", c_uint32),
        ("_pad0", c_uint8 * 4),
    )


class BtfInfo(Structure):
    """struct bpf_btf_info, 32 bytes."""

    _fields_ = (
        ("btf", c_uint64),
        ("btf_size", c_uint32),
        ("id", c_uint32),
        ("name", c_uint64),
        ("name_len", c_uint32),
        ("kernel_btf", c_uint32),
    )


class LinkInfo_0_raw_tracepoint(Structure):
    """Part of a larger structure, 24 bytes."""

    _fields_ = (
        ("tp_name", c_uint64),
        ("tp_name_len", c_uint32),
        ("_pad0", c_uint8 * 4),
        ("cookie", c_uint64),
    )


class LinkInfo_0_tracing(Structure):
    """Part of a larger structure, 24 bytes."""

    _fields_ = (
        ("attach_type", c_uint32),
        ("target_obj_id", c_uint32),
        ("target_btf_id", c_uint32),
        ("_pad0", c_uint8 * 4),
        ("cookie", c_uint64),
    )


class LinkInfo_0_cgroup(Structure):
    """Part of a larger structure, 16 bytes."""

    _fields_ = (
        ("cgroup_id", c_uint64),
        ("attach_type", c_uint32),
        ("_pad0", c_uint8 * 4),
    )


class LinkInfo_0_iter_map(Structure):
    """Part of a larger structure, 4 bytes."""

    _fields_ = (("map_id", c_uint32),)


class LinkInfo_0_iter_0_cgroup(Structure):
    """Part of a larger structure, 16 bytes."""

    _fields_ = (
        ("cgroup_id", c_uint64),
        ("order", c_uint32),
        ("_pad0", c_uint8 * 4),
    )


class LinkInfo_0_iter_0_task(Structure):
    """Part of a larger structure, 8 bytes."""

    _fields_ = (
        ("tid", c_uint32),
        ("pid", c_uint32),
    )


class LinkInfo_0_iter_0(Union):
    """Part of a larger structure, 16 bytes."""

    _fields_ = (
        ("cgroup", LinkInfo_0_iter_0_cgroup),
        ("task", LinkInfo_0_iter_0_task),
    )


class LinkInfo_0_iter(Structure):
    """Part of a larger structure, 32 bytes."""

    _anonymous_ = ("_0",)
    _fields_ = (
        ("target_name", c_uint64),
        ("target_name_len", c_uint32),
        ("map", LinkInfo_0_iter_map),
        ("_0", LinkInfo_0_iter_0),
    )


class LinkInfo_0_netns(Structure):
    """Part of a larger structure, 8 bytes."""

    _fields_ = (
        ("netns_ino", c_uint32),
        ("attach_type", c_uint32),
    )


class LinkInfo_0_xdp(Structure):
    """Part of a larger structure, 4 bytes."""

    _fields_ = (("ifindex", c_uint32),)


class LinkInfo_0_struct_ops(Structure):
    """Part of a larger structure, 4 bytes."""

    _fields_ = (("map_id", c_uint32),)


class LinkInfo_0_netfilter(Structure):
    """Part of a larger structure, 16 bytes."""

    _fields_ = (
        ("pf", c_uint32),
        ("hooknum", c_uint32),
        ("priority", c_int32),
        ("flags", c_uint32),
    )


class LinkInfo_0_kprobe_multi(Structure):
    """Part of a larger structure, 32 bytes."""

    _fields_ = (
        ("addrs", c_uint64),
        ("count", c_uint32),
        ("flags", c_uint32),
        ("missed", c_uint64),
        ("cookies", c_uint64),
    )


class LinkInfo_0_uprobe_multi(Structure):
    """Part of a larger structure, 48 bytes."""

    _fields_ = (
        ("path", c_uint64),
        ("offsets", c_uint64),
        ("ref_ctr_offsets", c_uint64),
        ("cookies", c_uint64),
        ("path_size", c_uint32),
        ("count", c_uint32),
        ("flags", c_uint32),
        ("pid", c_uint32),
    )


class LinkInfo_0_perf_event_0_uprobe(Structure):
    """Part of a larger structure, 32 bytes."""

    _fields_ = (
        ("file_name", c_uint64),
        ("name_len", c_uint32),
        ("offset", c_uint32),
        ("cookie", c_uint64),
        ("ref_ctr_offset", c_uint64),
    )


class LinkInfo_0_perf_event_0_kprobe(Structure):
    """Part of a larger structure, 40 bytes."""

    _fields_ = (
        ("func_name", c_uint64),
        ("name_len", c_uint32),
        ("offset", c_uint32),
        ("addr", c_uint64),
        ("missed", c_uint64),
        ("cookie", c_uint64),
    )


class LinkInfo_0_perf_event_0_tracepoint(Structure):
    """Part of a larger structure, 24 bytes."""

    _fields_ = (
        ("tp_name", c_uint64),
        ("name_len", c_uint32),
        ("_pad0", c_uint8 * 4),
        ("cookie", c_uint64),
    )


class LinkInfo_0_perf_event_0_event(Structure):
    """Part of a larger structure, 24 bytes."""

    _fields_ = (
        ("config", c_uint64),
        ("type", c_uint32),
        ("_pad0", c_uint8 * 4),
        ("cookie", c_uint64),
    )


class LinkInfo_0_perf_event_0(Union):
    """Part of a larger structure, 40 bytes."""

    _fields_ = (
        ("uprobe", LinkInfo_0_perf_event_0_uprobe),
        ("kprobe", LinkInfo_0_perf_event_0_kprobe),
        ("tracepoint", LinkInfo_0_perf_event_0_tracepoint),
        ("event", LinkInfo_0_perf_event_0_event),
    )


class LinkInfo_0_perf_event(Structure):
    """Part of a larger structure, 48 bytes."""

    _anonymous_ = ("_0",)
    _fields_ = (
        ("type", c_uint32),
        ("_pad0", c_uint8 * 4),
        ("_0", LinkInfo_0_perf_event_0),
    )


class LinkInfo_0_tcx(Structure):
    """Part of a larger structure, 8 bytes."""

    _fields_ = (
        ("ifindex", c_uint32),
        ("attach_type", c_uint32),
    )


class LinkInfo_0_netkit(Structure):
    """Part of a larger structure, 8 bytes."""

    _fields_ = (
        ("ifindex", c_uint32),
        ("attach_type", c_uint32),
    )


class LinkInfo_0_sockmap(Structure):
    """Part of a larger structure, 8 bytes."""

    _fields_ = (
        ("map_id", c_uint32),
        ("attach_type", c_uint32),
    )


class LinkInfo_0(Union):
    """Part of a larger structure, 48 bytes."""

    _fields_ = (
        ("raw_tracepoint", LinkInfo_0_raw_tracepoint),
        ("tracing", LinkInfo_0_tracing),
        ("cgroup", LinkInfo_0_cgroup),
        ("iter", LinkInfo_0_iter),
        ("netns", LinkInfo_0_netns),
        ("xdp", LinkInfo_0_xdp),
        ("struct_ops", LinkInfo_0_struct_ops),
        ("netfilter", LinkInfo_0_netfilter),
        ("kprobe_multi", LinkInfo_0_kprobe_multi),
        ("uprobe_multi", LinkInfo_0_uprobe_multi),
        ("perf_event", LinkInfo_0_perf_event),
        ("tcx", LinkInfo_0_tcx),
        ("netkit", LinkInfo_0_netkit),
        ("sockmap", LinkInfo_0_sockmap),
    )


class LinkInfo(Structure):
    """struct bpf_link_info, 64 bytes."""

    _anonymous_ = ("_0",)
    _fields_ = (
        ("type", c_uint32),
        ("id", c_uint32),
        ("prog_id", c_uint32),
        ("_pad0", c_uint8 * 4),
        ("_0", LinkInfo_0),
    )


class TokenInfo(Structure):
    """struct bpf_token_info, 32 bytes."""

    _fields_ = (
        ("allowed_cmds", c_uint64),
        ("allowed_maps", c_uint64),
        ("allowed_progs", c_uint64),
        ("allowed_attachs", c_uint64),
    )
