"""Constants of the kernel: StoreBytesFlags, CsumReplaceFlags, TunnelInfoFlags, ...

Written by tools/gen_uapi.py; do not edit.
From the BTF of Debian linux-binary-7.2.13+deb14-amd64 7.2.13-1, Debian linux-libc-dev 7.2.13-1.
"""

from __future__ import annotations

from enum import IntEnum, IntFlag


class StoreBytesFlags(IntFlag):
    """Flags of bpf_skb_store_bytes."""

    RECOMPUTE_CSUM = 1
    INVALIDATE_HASH = 2


class CsumReplaceFlags(IntFlag):
    """Flags of bpf_l3_csum_replace and bpf_l4_csum_replace."""

    HDR_FIELD_MASK = 0xF
    PSEUDO_HDR = 0x10
    MARK_MANGLED_0 = 0x20
    MARK_ENFORCE = 0x40
    IPV6 = 0x80


class TunnelInfoFlags(IntFlag):
    """Flags of bpf_skb_get_tunnel_key and bpf_skb_set_tunnel_key."""

    TUNINFO_IPV6 = 1
    ZERO_CSUM_TX = 2
    DONT_FRAGMENT = 4
    SEQ_NUMBER = 8
    NO_TUNNEL_KEY = 0x10
    TUNINFO_FLAGS = 0x10


class StackFlags(IntFlag):
    """Flags of bpf_get_stackid and bpf_get_stack."""

    SKIP_FIELD_MASK = 0xFF
    USER_STACK = 0x100
    FAST_STACK_CMP = 0x200
    REUSE_STACKID = 0x400
    USER_BUILD_ID = 0x800


class PerfOutputFlags(IntFlag):
    """Flags of bpf_perf_event_output, _read and _read_value."""

    INDEX_MASK = 0xFFFFFFFF
    CURRENT_CPU = 0xFFFFFFFF
    CTXLEN_MASK = 0xFFFFF00000000


class NetnsId(IntEnum):
    """Network namespace of the socket lookup helpers."""

    CURRENT_NETNS = -1


class CsumLevel(IntEnum):
    """Level argument of bpf_csum_level."""

    QUERY = 0
    INC = 1
    DEC = 2
    RESET = 3


class AdjRoomFlags(IntFlag):
    """Flags of bpf_skb_adjust_room."""

    FIXED_GSO = 1
    ENCAP_L3_IPV4 = 2
    ENCAP_L3_IPV6 = 4
    ENCAP_L4_GRE = 8
    ENCAP_L4_UDP = 0x10
    NO_CSUM_RESET = 0x20
    ENCAP_L2_ETH = 0x40
    DECAP_L3_IPV4 = 0x80
    DECAP_L3_IPV6 = 0x100


class AdjRoomEncapL2(IntEnum):
    """Where bpf_skb_adjust_room's flags hold the L2 length."""

    SHIFT = 56
    MASK = 255


class AdjRoomMode(IntEnum):
    """Mode of bpf_skb_adjust_room."""

    NET = 0
    MAC = 1


class HdrStart(IntEnum):
    """Start of bpf_skb_load_bytes_relative."""

    MAC = 0
    NET = 1


class LwtEncapMode(IntEnum):
    """Type of bpf_lwt_push_encap."""

    SEG6 = 0
    SEG6_INLINE = 1
    IP = 2


class RedirectFlags(IntFlag):
    """Flags of bpf_redirect, bpf_redirect_map and bpf_clone_redirect."""

    INGRESS = 1
    BROADCAST = 8
    EXCLUDE_INGRESS = 0x10


class SysctlFlags(IntFlag):
    """Flags of bpf_sysctl_get_name."""

    BASE_NAME = 1


class BranchRecordFlags(IntFlag):
    """Flags of bpf_read_branch_records."""

    GET_BRANCH_RECORDS_SIZE = 1


class SkLookupFlags(IntFlag):
    """Flags of bpf_sk_assign in an sk_lookup program."""

    REPLACE = 1
    NO_REUSEPORT = 2


class BprmFlags(IntFlag):
    """Flags of bpf_bprm_opts_set."""

    SECUREEXEC = 1


class SkbClock(IntEnum):
    """`tstamp_type` of a packet and argument of bpf_skb_set_tstamp."""

    TSTAMP_UNSPEC = 0
    CLOCK_REALTIME = 0
    TSTAMP_DELIVERY_MONO = 1
    CLOCK_MONOTONIC = 1
    CLOCK_TAI = 2


class SockOpsFlags(IntFlag):
    """`bpf_sock_ops_cb_flags` of a TCP socket."""

    RTO_CB_FLAG = 1
    RETRANS_CB_FLAG = 2
    STATE_CB_FLAG = 4
    RTT_CB_FLAG = 8
    PARSE_ALL_HDR_OPT_CB_FLAG = 0x10
    PARSE_UNKNOWN_HDR_OPT_CB_FLAG = 0x20
    WRITE_HDR_OPT_CB_FLAG = 0x40
    ALL_CB_FLAGS = 0x7F


class SockOpsOp(IntEnum):
    """`op` of a sock_ops program."""

    VOID = 0
    TIMEOUT_INIT = 1
    RWND_INIT = 2
    TCP_CONNECT_CB = 3
    ACTIVE_ESTABLISHED_CB = 4
    PASSIVE_ESTABLISHED_CB = 5
    NEEDS_ECN = 6
    BASE_RTT = 7
    RTO_CB = 8
    RETRANS_CB = 9
    STATE_CB = 10
    TCP_LISTEN_CB = 11
    RTT_CB = 12
    PARSE_HDR_OPT_CB = 13
    HDR_OPT_LEN_CB = 14
    WRITE_HDR_OPT_CB = 15
    TSTAMP_SCHED_CB = 16
    TSTAMP_SND_SW_CB = 17
    TSTAMP_SND_HW_CB = 18
    TSTAMP_ACK_CB = 19
    TSTAMP_SENDMSG_CB = 20


class SkCbFlags(IntFlag):
    """`SK_BPF_CB_FLAGS` of a socket."""

    TX_TIMESTAMPING = 1
    MASK = 1


class TcpState(IntEnum):
    """States of a TCP socket."""

    ESTABLISHED = 1
    SYN_SENT = 2
    SYN_RECV = 3
    FIN_WAIT1 = 4
    FIN_WAIT2 = 5
    TIME_WAIT = 6
    CLOSE = 7
    CLOSE_WAIT = 8
    LAST_ACK = 9
    LISTEN = 10
    CLOSING = 11
    NEW_SYN_RECV = 12
    BOUND_INACTIVE = 13


class TcpOption(IntEnum):
    """Socket options that only BPF knows, at level SOL_TCP or SOL_SOCKET."""

    TCP_BPF_IW = 1001
    TCP_BPF_SNDCWND_CLAMP = 1002
    TCP_BPF_DELACK_MAX = 1003
    TCP_BPF_RTO_MIN = 1004
    TCP_BPF_SYN = 1005
    TCP_BPF_SYN_IP = 1006
    TCP_BPF_SYN_MAC = 1007
    TCP_BPF_SOCK_OPS_CB_FLAGS = 1008
    SK_BPF_CB_FLAGS = 1009
    SK_BPF_BYPASS_PROT_MEM = 1010


class LoadHdrOptFlags(IntFlag):
    """Flags of bpf_load_hdr_opt."""

    TCP_SYN = 1


class WriteHdrOptArg(IntEnum):
    """`args[0]` of BPF_SOCK_OPS_HDR_OPT_LEN_CB."""

    TCP_CURRENT_MSS = 1
    TCP_SYNACK_COOKIE = 2


class DevcgAccess(IntFlag):
    """High 16 bits of `access_type` of a cgroup device program."""

    MKNOD = 1
    READ = 2
    WRITE = 4


class DevcgDevice(IntFlag):
    """Low 16 bits of `access_type` of a cgroup device program."""

    BLOCK = 1
    CHAR = 2


class FibLookupFlags(IntFlag):
    """Flags of bpf_fib_lookup."""

    DIRECT = 1
    OUTPUT = 2
    SKIP_NEIGH = 4
    TBID = 8
    SRC = 0x10
    MARK = 0x20


class FibLookupRet(IntEnum):
    """What bpf_fib_lookup returns."""

    SUCCESS = 0
    BLACKHOLE = 1
    UNREACHABLE = 2
    PROHIBIT = 3
    NOT_FWDED = 4
    FWD_DISABLED = 5
    UNSUPP_LWT = 6
    NO_NEIGH = 7
    FRAG_NEEDED = 8
    NO_SRC_ADDR = 9


class CheckMtuFlags(IntFlag):
    """Flags of bpf_check_mtu."""

    SEGS = 1


class CheckMtuRet(IntEnum):
    """What bpf_check_mtu returns."""

    SUCCESS = 0
    FRAG_NEEDED = 1
    SEGS_TOOBIG = 2


class FlowDissectorFlags(IntFlag):
    """`flags` of struct bpf_flow_keys."""

    PARSE_1ST_FRAG = 1
    STOP_AT_FLOW_LABEL = 2
    STOP_AT_ENCAP = 4


class BtfPrintFlags(IntFlag):
    """Flags of bpf_snprintf_btf and bpf_seq_printf_btf."""

    COMPACT = 1
    NONAME = 2
    PTR_RAW = 4
    ZERO = 8


class StackBuildIdStatus(IntEnum):
    """`status` of struct bpf_stack_build_id."""

    EMPTY = 0
    VALID = 1
    IP = 2


class CoreReloKind(IntEnum):
    """Kinds of CO-RE relocation."""

    FIELD_BYTE_OFFSET = 0
    FIELD_BYTE_SIZE = 1
    FIELD_EXISTS = 2
    FIELD_SIGNED = 3
    FIELD_LSHIFT_U64 = 4
    FIELD_RSHIFT_U64 = 5
    TYPE_ID_LOCAL = 6
    TYPE_ID_TARGET = 7
    TYPE_EXISTS = 8
    TYPE_SIZE = 9
    ENUMVAL_EXISTS = 10
    ENUMVAL_VALUE = 11
    TYPE_MATCHES = 12


class KfuncFlags(IntFlag):
    """Flags of the dynptr and user copy kfuncs."""

    PAD_ZEROS = 1
