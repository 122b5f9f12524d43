"""Contexts of programs, in the kernel's own names, and the structures that helpers take.

Written by tools/gen_uapi.py; do not edit.
From the BTF of Debian linux-binary-7.2.13+deb14-amd64 7.2.13-1.
"""

from __future__ import annotations

from ctypes import Structure, Union, c_int32, c_uint8, c_uint16, c_uint32, c_uint64

be16 = c_uint16.__ctype_be__
be32 = c_uint32.__ctype_be__


class __sk_buff(Structure):
    """struct __sk_buff, 192 bytes."""

    _fields_ = (
        ("len", c_uint32),
        ("pkt_type", c_uint32),
        ("mark", c_uint32),
        ("queue_mapping", c_uint32),
        ("protocol", c_uint32),
        ("vlan_present", c_uint32),
        ("vlan_tci", c_uint32),
        ("vlan_proto", c_uint32),
        ("priority", c_uint32),
        ("ingress_ifindex", c_uint32),
        ("ifindex", c_uint32),
        ("tc_index", c_uint32),
        ("cb", c_uint32 * 5),
        ("hash", c_uint32),
        ("tc_classid", c_uint32),
        ("data", c_uint32),
        ("data_end", c_uint32),
        ("napi_id", c_uint32),
        ("family", c_uint32),
        ("remote_ip4", c_uint32),
        ("local_ip4", c_uint32),
        ("remote_ip6", c_uint32 * 4),
        ("local_ip6", c_uint32 * 4),
        ("remote_port", c_uint32),
        ("local_port", c_uint32),
        ("data_meta", c_uint32),
        ("flow_keys", c_uint64),
        ("tstamp", c_uint64),
        ("wire_len", c_uint32),
        ("gso_segs", c_uint32),
        ("sk", c_uint64),
        ("gso_size", c_uint32),
        ("tstamp_type", c_uint8),
        ("_pad0", c_uint8 * 3),
        ("hwtstamp", c_uint64),
    )


class xdp_md(Structure):
    """struct xdp_md, 24 bytes."""

    _fields_ = (
        ("data", c_uint32),
        ("data_end", c_uint32),
        ("data_meta", c_uint32),
        ("ingress_ifindex", c_uint32),
        ("rx_queue_index", c_uint32),
        ("egress_ifindex", c_uint32),
    )


class bpf_sock(Structure):
    """struct bpf_sock, 80 bytes."""

    _fields_ = (
        ("bound_dev_if", c_uint32),
        ("family", c_uint32),
        ("type", c_uint32),
        ("protocol", c_uint32),
        ("mark", c_uint32),
        ("priority", c_uint32),
        ("src_ip4", c_uint32),
        ("src_ip6", c_uint32 * 4),
        ("src_port", c_uint32),
        ("dst_port", be16),
        ("_pad0", c_uint8 * 2),
        ("dst_ip4", c_uint32),
        ("dst_ip6", c_uint32 * 4),
        ("state", c_uint32),
        ("rx_queue_mapping", c_int32),
    )


class bpf_sock_addr(Structure):
    """struct bpf_sock_addr, 72 bytes."""

    _fields_ = (
        ("user_family", c_uint32),
        ("user_ip4", c_uint32),
        ("user_ip6", c_uint32 * 4),
        ("user_port", c_uint32),
        ("family", c_uint32),
        ("type", c_uint32),
        ("protocol", c_uint32),
        ("msg_src_ip4", c_uint32),
        ("msg_src_ip6", c_uint32 * 4),
        ("_pad0", c_uint8 * 4),
        ("sk", c_uint64),
    )


class bpf_sock_ops_0(Union):
    """Part of a larger structure, 16 bytes."""

    _fields_ = (
        ("args", c_uint32 * 4),
        ("reply", c_uint32),
        ("replylong", c_uint32 * 4),
    )


class bpf_sock_ops(Structure):
    """struct bpf_sock_ops, 224 bytes."""

    _anonymous_ = ("_0",)
    _fields_ = (
        ("op", c_uint32),
        ("_0", bpf_sock_ops_0),
        ("family", c_uint32),
        ("remote_ip4", c_uint32),
        ("local_ip4", c_uint32),
        ("remote_ip6", c_uint32 * 4),
        ("local_ip6", c_uint32 * 4),
        ("remote_port", c_uint32),
        ("local_port", c_uint32),
        ("is_fullsock", c_uint32),
        ("snd_cwnd", c_uint32),
        ("srtt_us", c_uint32),
        ("bpf_sock_ops_cb_flags", c_uint32),
        ("state", c_uint32),
        ("rtt_min", c_uint32),
        ("snd_ssthresh", c_uint32),
        ("rcv_nxt", c_uint32),
        ("snd_nxt", c_uint32),
        ("snd_una", c_uint32),
        ("mss_cache", c_uint32),
        ("ecn_flags", c_uint32),
        ("rate_delivered", c_uint32),
        ("rate_interval_us", c_uint32),
        ("packets_out", c_uint32),
        ("retrans_out", c_uint32),
        ("total_retrans", c_uint32),
        ("segs_in", c_uint32),
        ("data_segs_in", c_uint32),
        ("segs_out", c_uint32),
        ("data_segs_out", c_uint32),
        ("lost_out", c_uint32),
        ("sacked_out", c_uint32),
        ("sk_txhash", c_uint32),
        ("bytes_received", c_uint64),
        ("bytes_acked", c_uint64),
        ("sk", c_uint64),
        ("skb_data", c_uint64),
        ("skb_data_end", c_uint64),
        ("skb_len", c_uint32),
        ("skb_tcp_flags", c_uint32),
        ("skb_hwtstamp", c_uint64),
    )


class bpf_sk_lookup_0(Union):
    """Part of a larger structure, 8 bytes."""

    _fields_ = (
        ("sk", c_uint64),
        ("cookie", c_uint64),
    )


class bpf_sk_lookup(Structure):
    """struct bpf_sk_lookup, 72 bytes."""

    _anonymous_ = ("_0",)
    _fields_ = (
        ("_0", bpf_sk_lookup_0),
        ("family", c_uint32),
        ("protocol", c_uint32),
        ("remote_ip4", c_uint32),
        ("remote_ip6", c_uint32 * 4),
        ("remote_port", be16),
        ("_pad0", c_uint8 * 2),
        ("local_ip4", c_uint32),
        ("local_ip6", c_uint32 * 4),
        ("local_port", c_uint32),
        ("ingress_ifindex", c_uint32),
        ("_pad1", c_uint8 * 4),
    )


class sk_msg_md(Structure):
    """struct sk_msg_md, 80 bytes."""

    _fields_ = (
        ("data", c_uint64),
        ("data_end", c_uint64),
        ("family", c_uint32),
        ("remote_ip4", c_uint32),
        ("local_ip4", c_uint32),
        ("remote_ip6", c_uint32 * 4),
        ("local_ip6", c_uint32 * 4),
        ("remote_port", c_uint32),
        ("local_port", c_uint32),
        ("size", c_uint32),
        ("sk", c_uint64),
    )


class sk_reuseport_md(Structure):
    """struct sk_reuseport_md, 56 bytes."""

    _fields_ = (
        ("data", c_uint64),
        ("data_end", c_uint64),
        ("len", c_uint32),
        ("eth_protocol", c_uint32),
        ("ip_protocol", c_uint32),
        ("bind_inany", c_uint32),
        ("hash", c_uint32),
        ("_pad0", c_uint8 * 4),
        ("sk", c_uint64),
        ("migrating_sk", c_uint64),
    )


class bpf_sysctl(Structure):
    """struct bpf_sysctl, 8 bytes."""

    _fields_ = (
        ("write", c_uint32),
        ("file_pos", c_uint32),
    )


class bpf_sockopt(Structure):
    """struct bpf_sockopt, 40 bytes."""

    _fields_ = (
        ("sk", c_uint64),
        ("optval", c_uint64),
        ("optval_end", c_uint64),
        ("level", c_int32),
        ("optname", c_int32),
        ("optlen", c_int32),
        ("retval", c_int32),
    )


class bpf_cgroup_dev_ctx(Structure):
    """struct bpf_cgroup_dev_ctx, 12 bytes."""

    _fields_ = (
        ("access_type", c_uint32),
        ("major", c_uint32),
        ("minor", c_uint32),
    )


class bpf_flow_keys_0_0(Structure):
    """Part of a larger structure, 8 bytes."""

    _fields_ = (
        ("ipv4_src", be32),
        ("ipv4_dst", be32),
    )


class bpf_flow_keys_0_1(Structure):
    """Part of a larger structure, 32 bytes."""

    _fields_ = (
        ("ipv6_src", c_uint32 * 4),
        ("ipv6_dst", c_uint32 * 4),
    )


class bpf_flow_keys_0(Union):
    """Part of a larger structure, 32 bytes."""

    _anonymous_ = (
        "_0",
        "_1",
    )
    _fields_ = (
        ("_0", bpf_flow_keys_0_0),
        ("_1", bpf_flow_keys_0_1),
    )


class bpf_flow_keys(Structure):
    """struct bpf_flow_keys, 56 bytes."""

    _anonymous_ = ("_0",)
    _fields_ = (
        ("nhoff", c_uint16),
        ("thoff", c_uint16),
        ("addr_proto", c_uint16),
        ("is_frag", c_uint8),
        ("is_first_frag", c_uint8),
        ("is_encap", c_uint8),
        ("ip_proto", c_uint8),
        ("n_proto", be16),
        ("sport", be16),
        ("dport", be16),
        ("_0", bpf_flow_keys_0),
        ("flags", c_uint32),
        ("flow_label", be32),
    )


class fred_cs(Structure):
    """struct fred_cs, 8 bytes."""

    _fields_ = (
        ("cs", c_uint64, 16),
        ("sl", c_uint64, 2),
        ("wfe", c_uint64, 1),
    )


class pt_regs_0(Union):
    """Part of a larger structure, 8 bytes."""

    _fields_ = (
        ("cs", c_uint16),
        ("csx", c_uint64),
        ("fred_cs", fred_cs),
    )


class fred_ss(Structure):
    """struct fred_ss, 8 bytes."""

    _fields_ = (
        ("ss", c_uint64, 16),
        ("sti", c_uint64, 1),
        ("swevent", c_uint64, 1),
        ("nmi", c_uint64, 1),
        ("vector", c_uint64, 8),
        ("type", c_uint64, 4),
        ("enclave", c_uint64, 1),
        ("l", c_uint64, 1),
        ("nested", c_uint64, 1),
        ("insnlen", c_uint64, 4),
    )


class pt_regs_1(Union):
    """Part of a larger structure, 8 bytes."""

    _fields_ = (
        ("ss", c_uint16),
        ("ssx", c_uint64),
        ("fred_ss", fred_ss),
    )


class pt_regs(Structure):
    """struct pt_regs, 168 bytes."""

    _anonymous_ = (
        "_0",
        "_1",
    )
    _fields_ = (
        ("r15", c_uint64),
        ("r14", c_uint64),
        ("r13", c_uint64),
        ("r12", c_uint64),
        ("bp", c_uint64),
        ("bx", c_uint64),
        ("r11", c_uint64),
        ("r10", c_uint64),
        ("r9", c_uint64),
        ("r8", c_uint64),
        ("ax", c_uint64),
        ("cx", c_uint64),
        ("dx", c_uint64),
        ("si", c_uint64),
        ("di", c_uint64),
        ("orig_ax", c_uint64),
        ("ip", c_uint64),
        ("_0", pt_regs_0),
        ("flags", c_uint64),
        ("sp", c_uint64),
        ("_1", pt_regs_1),
    )


class bpf_perf_event_data(Structure):
    """struct bpf_perf_event_data, 184 bytes."""

    _fields_ = (
        ("regs", pt_regs),
        ("sample_period", c_uint64),
        ("addr", c_uint64),
    )


class bpf_raw_tracepoint_args(Structure):
    """struct bpf_raw_tracepoint_args, 0 bytes."""

    _fields_ = (("args", c_uint64 * 0),)


class bpf_nf_ctx(Structure):
    """struct bpf_nf_ctx, 16 bytes."""

    _fields_ = (
        ("state", c_uint64),
        ("skb", c_uint64),
    )


class bpf_tcp_sock(Structure):
    """struct bpf_tcp_sock, 112 bytes."""

    _fields_ = (
        ("snd_cwnd", c_uint32),
        ("srtt_us", c_uint32),
        ("rtt_min", c_uint32),
        ("snd_ssthresh", c_uint32),
        ("rcv_nxt", c_uint32),
        ("snd_nxt", c_uint32),
        ("snd_una", c_uint32),
        ("mss_cache", c_uint32),
        ("ecn_flags", c_uint32),
        ("rate_delivered", c_uint32),
        ("rate_interval_us", c_uint32),
        ("packets_out", c_uint32),
        ("retrans_out", c_uint32),
        ("total_retrans", c_uint32),
        ("segs_in", c_uint32),
        ("data_segs_in", c_uint32),
        ("segs_out", c_uint32),
        ("data_segs_out", c_uint32),
        ("lost_out", c_uint32),
        ("sacked_out", c_uint32),
        ("bytes_received", c_uint64),
        ("bytes_acked", c_uint64),
        ("dsack_dups", c_uint32),
        ("delivered", c_uint32),
        ("delivered_ce", c_uint32),
        ("icsk_retransmits", c_uint32),
    )


class bpf_xdp_sock(Structure):
    """struct bpf_xdp_sock, 4 bytes."""

    _fields_ = (("queue_id", c_uint32),)


class bpf_sock_tuple_0_ipv4(Structure):
    """Part of a larger structure, 12 bytes."""

    _fields_ = (
        ("saddr", be32),
        ("daddr", be32),
        ("sport", be16),
        ("dport", be16),
    )


class bpf_sock_tuple_0_ipv6(Structure):
    """Part of a larger structure, 36 bytes."""

    _fields_ = (
        ("saddr", be32 * 4),
        ("daddr", be32 * 4),
        ("sport", be16),
        ("dport", be16),
    )


class bpf_sock_tuple_0(Union):
    """Part of a larger structure, 36 bytes."""

    _fields_ = (
        ("ipv4", bpf_sock_tuple_0_ipv4),
        ("ipv6", bpf_sock_tuple_0_ipv6),
    )


class bpf_sock_tuple(Structure):
    """struct bpf_sock_tuple, 36 bytes."""

    _anonymous_ = ("_0",)
    _fields_ = (("_0", bpf_sock_tuple_0),)


class bpf_tunnel_key_0(Union):
    """Part of a larger structure, 16 bytes."""

    _fields_ = (
        ("remote_ipv4", c_uint32),
        ("remote_ipv6", c_uint32 * 4),
    )


class bpf_tunnel_key_1(Union):
    """Part of a larger structure, 2 bytes."""

    _fields_ = (
        ("tunnel_ext", c_uint16),
        ("tunnel_flags", be16),
    )


class bpf_tunnel_key_2(Union):
    """Part of a larger structure, 16 bytes."""

    _fields_ = (
        ("local_ipv4", c_uint32),
        ("local_ipv6", c_uint32 * 4),
    )


class bpf_tunnel_key(Structure):
    """struct bpf_tunnel_key, 44 bytes."""

    _anonymous_ = (
        "_0",
        "_1",
        "_2",
    )
    _fields_ = (
        ("tunnel_id", c_uint32),
        ("_0", bpf_tunnel_key_0),
        ("tunnel_tos", c_uint8),
        ("tunnel_ttl", c_uint8),
        ("_1", bpf_tunnel_key_1),
        ("tunnel_label", c_uint32),
        ("_2", bpf_tunnel_key_2),
    )


class bpf_xfrm_state_0(Union):
    """Part of a larger structure, 16 bytes."""

    _fields_ = (
        ("remote_ipv4", c_uint32),
        ("remote_ipv6", c_uint32 * 4),
    )


class bpf_xfrm_state(Structure):
    """struct bpf_xfrm_state, 28 bytes."""

    _anonymous_ = ("_0",)
    _fields_ = (
        ("reqid", c_uint32),
        ("spi", c_uint32),
        ("family", c_uint16),
        ("ext", c_uint16),
        ("_0", bpf_xfrm_state_0),
    )


class bpf_fib_lookup_0(Union):
    """Part of a larger structure, 2 bytes."""

    _fields_ = (
        ("tot_len", c_uint16),
        ("mtu_result", c_uint16),
    )


class bpf_fib_lookup_1(Union):
    """Part of a larger structure, 4 bytes."""

    _fields_ = (
        ("tos", c_uint8),
        ("flowinfo", be32),
        ("rt_metric", c_uint32),
    )


class bpf_fib_lookup_2(Union):
    """Part of a larger structure, 16 bytes."""

    _fields_ = (
        ("ipv4_src", be32),
        ("ipv6_src", c_uint32 * 4),
    )


class bpf_fib_lookup_3(Union):
    """Part of a larger structure, 16 bytes."""

    _fields_ = (
        ("ipv4_dst", be32),
        ("ipv6_dst", c_uint32 * 4),
    )


class bpf_fib_lookup_4_0(Structure):
    """Part of a larger structure, 4 bytes."""

    _fields_ = (
        ("h_vlan_proto", be16),
        ("h_vlan_TCI", be16),
    )


class bpf_fib_lookup_4(Union):
    """Part of a larger structure, 4 bytes."""

    _anonymous_ = ("_0",)
    _fields_ = (
        ("_0", bpf_fib_lookup_4_0),
        ("tbid", c_uint32),
    )


class bpf_fib_lookup_5_0(Structure):
    """Part of a larger structure, 4 bytes."""

    _fields_ = (("mark", c_uint32),)


class bpf_fib_lookup_5_1(Structure):
    """Part of a larger structure, 12 bytes."""

    _fields_ = (
        ("smac", c_uint8 * 6),
        ("dmac", c_uint8 * 6),
    )


class bpf_fib_lookup_5(Union):
    """Part of a larger structure, 12 bytes."""

    _anonymous_ = (
        "_0",
        "_1",
    )
    _fields_ = (
        ("_0", bpf_fib_lookup_5_0),
        ("_1", bpf_fib_lookup_5_1),
    )


class bpf_fib_lookup(Structure):
    """struct bpf_fib_lookup, 64 bytes."""

    _anonymous_ = (
        "_0",
        "_1",
        "_2",
        "_3",
        "_4",
        "_5",
    )
    _fields_ = (
        ("family", c_uint8),
        ("l4_protocol", c_uint8),
        ("sport", be16),
        ("dport", be16),
        ("_0", bpf_fib_lookup_0),
        ("ifindex", c_uint32),
        ("_1", bpf_fib_lookup_1),
        ("_2", bpf_fib_lookup_2),
        ("_3", bpf_fib_lookup_3),
        ("_4", bpf_fib_lookup_4),
        ("_5", bpf_fib_lookup_5),
    )


class bpf_redir_neigh_0(Union):
    """Part of a larger structure, 16 bytes."""

    _fields_ = (
        ("ipv4_nh", be32),
        ("ipv6_nh", c_uint32 * 4),
    )


class bpf_redir_neigh(Structure):
    """struct bpf_redir_neigh, 20 bytes."""

    _anonymous_ = ("_0",)
    _fields_ = (
        ("nh_family", c_uint32),
        ("_0", bpf_redir_neigh_0),
    )


class bpf_perf_event_value(Structure):
    """struct bpf_perf_event_value, 24 bytes."""

    _fields_ = (
        ("counter", c_uint64),
        ("enabled", c_uint64),
        ("running", c_uint64),
    )


class bpf_pidns_info(Structure):
    """struct bpf_pidns_info, 8 bytes."""

    _fields_ = (
        ("pid", c_uint32),
        ("tgid", c_uint32),
    )


class bpf_devmap_val_bpf_prog(Union):
    """Part of a larger structure, 4 bytes."""

    _fields_ = (
        ("fd", c_int32),
        ("id", c_uint32),
    )


class bpf_devmap_val(Structure):
    """struct bpf_devmap_val, 8 bytes."""

    _fields_ = (
        ("ifindex", c_uint32),
        ("bpf_prog", bpf_devmap_val_bpf_prog),
    )


class bpf_cpumap_val_bpf_prog(Union):
    """Part of a larger structure, 4 bytes."""

    _fields_ = (
        ("fd", c_int32),
        ("id", c_uint32),
    )


class bpf_cpumap_val(Structure):
    """struct bpf_cpumap_val, 8 bytes."""

    _fields_ = (
        ("qsize", c_uint32),
        ("bpf_prog", bpf_cpumap_val_bpf_prog),
    )


class bpf_stack_build_id_0(Union):
    """Part of a larger structure, 8 bytes."""

    _fields_ = (
        ("offset", c_uint64),
        ("ip", c_uint64),
    )


class bpf_stack_build_id(Structure):
    """struct bpf_stack_build_id, 32 bytes."""

    _anonymous_ = ("_0",)
    _fields_ = (
        ("status", c_int32),
        ("build_id", c_uint8 * 20),
        ("_0", bpf_stack_build_id_0),
    )


class btf_ptr(Structure):
    """struct btf_ptr, 16 bytes."""

    _fields_ = (
        ("ptr", c_uint64),
        ("type_id", c_uint32),
        ("flags", c_uint32),
    )


class bpf_spin_lock(Structure):
    """struct bpf_spin_lock, 4 bytes."""

    _fields_ = (("val", c_uint32),)


class bpf_timer(Structure):
    """struct bpf_timer, 16 bytes."""

    _fields_ = (("__opaque", c_uint64 * 2),)


class bpf_wq(Structure):
    """struct bpf_wq, 16 bytes."""

    _fields_ = (("__opaque", c_uint64 * 2),)


class bpf_task_work(Structure):
    """struct bpf_task_work, 8 bytes."""

    _fields_ = (("__opaque", c_uint64),)


class bpf_dynptr(Structure):
    """struct bpf_dynptr, 16 bytes."""

    _fields_ = (("__opaque", c_uint64 * 2),)


class bpf_list_head(Structure):
    """struct bpf_list_head, 16 bytes."""

    _fields_ = (("__opaque", c_uint64 * 2),)


class bpf_list_node(Structure):
    """struct bpf_list_node, 24 bytes."""

    _fields_ = (("__opaque", c_uint64 * 3),)


class bpf_rb_root(Structure):
    """struct bpf_rb_root, 16 bytes."""

    _fields_ = (("__opaque", c_uint64 * 2),)


class bpf_rb_node(Structure):
    """struct bpf_rb_node, 32 bytes."""

    _fields_ = (("__opaque", c_uint64 * 4),)


class bpf_refcount(Structure):
    """struct bpf_refcount, 4 bytes."""

    _fields_ = (("__opaque", c_uint32 * 1),)


class bpf_iter_num(Structure):
    """struct bpf_iter_num, 8 bytes."""

    _fields_ = (("__opaque", c_uint64 * 1),)


class bpf_insn_array_value(Structure):
    """struct bpf_insn_array_value, 16 bytes."""

    _fields_ = (
        ("orig_off", c_uint32),
        ("xlated_off", c_uint32),
        ("jitted_off", c_uint32),
        ("_pad0", c_uint8 * 4),
    )


class bpf_lpm_trie_key_hdr(Structure):
    """struct bpf_lpm_trie_key_hdr, 4 bytes."""

    _fields_ = (("prefixlen", c_uint32),)


class bpf_cgroup_storage_key(Structure):
    """struct bpf_cgroup_storage_key, 16 bytes."""

    _fields_ = (
        ("cgroup_inode_id", c_uint64),
        ("attach_type", c_uint32),
        ("_pad0", c_uint8 * 4),
    )
