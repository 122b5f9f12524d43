"""The kernel's constants and structures: enums, ctypes structures, helper prototypes.

Every name is imported from its module when it is first used: `from pybpf.uapi import ProgType` loads `uapi.prog` alone.
Members have the kernel's spelling without its prefix (`BPF_PROG_TYPE_XDP` is `ProgType.XDP`).  A kernel newer than
this table may give numbers that it lacks: flags keep unknown bits, and `named()` keeps unknown numbers.

Written by tools/gen_uapi.py.  Do not edit.
"""

from __future__ import annotations

from ..lazy import exports

TYPE_CHECKING = False
if TYPE_CHECKING:
    from enum import IntEnum
    from typing import TypeVar

    from .action import NfVerdict as NfVerdict
    from .action import RetCode as RetCode
    from .action import SkAction as SkAction
    from .action import TcAction as TcAction
    from .action import TcxAction as TcxAction
    from .action import XdpAction as XdpAction
    from .attach import AttachFlags as AttachFlags
    from .attach import AttachType as AttachType
    from .attach import QueryFlags as QueryFlags
    from .attr import AssocStructOpsAttr as AssocStructOpsAttr
    from .attr import BpfAttr as BpfAttr
    from .attr import BtfLoadAttr as BtfLoadAttr
    from .attr import CommonAttr as CommonAttr
    from .attr import CoreRelo as CoreRelo
    from .attr import EnableStatsAttr as EnableStatsAttr
    from .attr import FuncInfo as FuncInfo
    from .attr import GetIdAttr as GetIdAttr
    from .attr import InfoAttr as InfoAttr
    from .attr import IterCreateAttr as IterCreateAttr
    from .attr import IterLinkInfo as IterLinkInfo
    from .attr import LineInfo as LineInfo
    from .attr import LinkCreateAttr as LinkCreateAttr
    from .attr import LinkDetachAttr as LinkDetachAttr
    from .attr import LinkUpdateAttr as LinkUpdateAttr
    from .attr import MapBatchAttr as MapBatchAttr
    from .attr import MapCreateAttr as MapCreateAttr
    from .attr import MapElemAttr as MapElemAttr
    from .attr import ObjAttr as ObjAttr
    from .attr import ProgAttachAttr as ProgAttachAttr
    from .attr import ProgBindMapAttr as ProgBindMapAttr
    from .attr import ProgLoadAttr as ProgLoadAttr
    from .attr import ProgQueryAttr as ProgQueryAttr
    from .attr import ProgRunAttr as ProgRunAttr
    from .attr import RawTracepointAttr as RawTracepointAttr
    from .attr import StreamReadAttr as StreamReadAttr
    from .attr import TaskFdQueryAttr as TaskFdQueryAttr
    from .attr import TokenCreateAttr as TokenCreateAttr
    from .cmd import Cmd as Cmd
    from .cmd import StatsType as StatsType
    from .cmd import StreamId as StreamId
    from .cmd import TaskFdType as TaskFdType
    from .const import BPF_BUILD_ID_SIZE as BPF_BUILD_ID_SIZE
    from .const import BPF_OBJ_NAME_LEN as BPF_OBJ_NAME_LEN
    from .const import BPF_TAG_SIZE as BPF_TAG_SIZE
    from .const import XDP_PACKET_HEADROOM as XDP_PACKET_HEADROOM
    from .ctx import __sk_buff as __sk_buff
    from .ctx import bpf_cgroup_dev_ctx as bpf_cgroup_dev_ctx
    from .ctx import bpf_cgroup_storage_key as bpf_cgroup_storage_key
    from .ctx import bpf_cpumap_val as bpf_cpumap_val
    from .ctx import bpf_devmap_val as bpf_devmap_val
    from .ctx import bpf_dynptr as bpf_dynptr
    from .ctx import bpf_fib_lookup as bpf_fib_lookup
    from .ctx import bpf_flow_keys as bpf_flow_keys
    from .ctx import bpf_insn_array_value as bpf_insn_array_value
    from .ctx import bpf_iter_num as bpf_iter_num
    from .ctx import bpf_list_head as bpf_list_head
    from .ctx import bpf_list_node as bpf_list_node
    from .ctx import bpf_lpm_trie_key_hdr as bpf_lpm_trie_key_hdr
    from .ctx import bpf_nf_ctx as bpf_nf_ctx
    from .ctx import bpf_perf_event_data as bpf_perf_event_data
    from .ctx import bpf_perf_event_value as bpf_perf_event_value
    from .ctx import bpf_pidns_info as bpf_pidns_info
    from .ctx import bpf_raw_tracepoint_args as bpf_raw_tracepoint_args
    from .ctx import bpf_rb_node as bpf_rb_node
    from .ctx import bpf_rb_root as bpf_rb_root
    from .ctx import bpf_redir_neigh as bpf_redir_neigh
    from .ctx import bpf_refcount as bpf_refcount
    from .ctx import bpf_sk_lookup as bpf_sk_lookup
    from .ctx import bpf_sock as bpf_sock
    from .ctx import bpf_sock_addr as bpf_sock_addr
    from .ctx import bpf_sock_ops as bpf_sock_ops
    from .ctx import bpf_sock_tuple as bpf_sock_tuple
    from .ctx import bpf_sockopt as bpf_sockopt
    from .ctx import bpf_spin_lock as bpf_spin_lock
    from .ctx import bpf_stack_build_id as bpf_stack_build_id
    from .ctx import bpf_sysctl as bpf_sysctl
    from .ctx import bpf_task_work as bpf_task_work
    from .ctx import bpf_tcp_sock as bpf_tcp_sock
    from .ctx import bpf_timer as bpf_timer
    from .ctx import bpf_tunnel_key as bpf_tunnel_key
    from .ctx import bpf_wq as bpf_wq
    from .ctx import bpf_xdp_sock as bpf_xdp_sock
    from .ctx import bpf_xfrm_state as bpf_xfrm_state
    from .ctx import btf_ptr as btf_ptr
    from .ctx import pt_regs as pt_regs
    from .ctx import sk_msg_md as sk_msg_md
    from .ctx import sk_reuseport_md as sk_reuseport_md
    from .ctx import xdp_md as xdp_md
    from .flags import AdjRoomEncapL2 as AdjRoomEncapL2
    from .flags import AdjRoomFlags as AdjRoomFlags
    from .flags import AdjRoomMode as AdjRoomMode
    from .flags import BprmFlags as BprmFlags
    from .flags import BranchRecordFlags as BranchRecordFlags
    from .flags import BtfPrintFlags as BtfPrintFlags
    from .flags import CheckMtuFlags as CheckMtuFlags
    from .flags import CheckMtuRet as CheckMtuRet
    from .flags import CoreReloKind as CoreReloKind
    from .flags import CsumLevel as CsumLevel
    from .flags import CsumReplaceFlags as CsumReplaceFlags
    from .flags import DevcgAccess as DevcgAccess
    from .flags import DevcgDevice as DevcgDevice
    from .flags import FibLookupFlags as FibLookupFlags
    from .flags import FibLookupRet as FibLookupRet
    from .flags import FlowDissectorFlags as FlowDissectorFlags
    from .flags import HdrStart as HdrStart
    from .flags import KfuncFlags as KfuncFlags
    from .flags import LoadHdrOptFlags as LoadHdrOptFlags
    from .flags import LwtEncapMode as LwtEncapMode
    from .flags import NetnsId as NetnsId
    from .flags import PerfOutputFlags as PerfOutputFlags
    from .flags import RedirectFlags as RedirectFlags
    from .flags import SkbClock as SkbClock
    from .flags import SkCbFlags as SkCbFlags
    from .flags import SkLookupFlags as SkLookupFlags
    from .flags import SockOpsFlags as SockOpsFlags
    from .flags import SockOpsOp as SockOpsOp
    from .flags import StackBuildIdStatus as StackBuildIdStatus
    from .flags import StackFlags as StackFlags
    from .flags import StoreBytesFlags as StoreBytesFlags
    from .flags import SysctlFlags as SysctlFlags
    from .flags import TcpOption as TcpOption
    from .flags import TcpState as TcpState
    from .flags import TunnelInfoFlags as TunnelInfoFlags
    from .flags import WriteHdrOptArg as WriteHdrOptArg
    from .helper import Helper as Helper
    from .helper_names import HELPER_NAMES as HELPER_NAMES
    from .info import BtfInfo as BtfInfo
    from .info import LinkInfo as LinkInfo
    from .info import MapInfo as MapInfo
    from .info import ProgInfo as ProgInfo
    from .info import TokenInfo as TokenInfo
    from .link import CgroupIterOrder as CgroupIterOrder
    from .link import KprobeMultiFlags as KprobeMultiFlags
    from .link import LinkType as LinkType
    from .link import NetfilterFlags as NetfilterFlags
    from .link import PerfEventType as PerfEventType
    from .link import UprobeMultiFlags as UprobeMultiFlags
    from .map import MapFlags as MapFlags
    from .map import MapType as MapType
    from .map import StorageFlags as StorageFlags
    from .map import TimerFlags as TimerFlags
    from .map import UpdateFlags as UpdateFlags
    from .net import IflaXdp as IflaXdp
    from .net import TcaBpf as TcaBpf
    from .net import XdpAttached as XdpAttached
    from .net import XdpFlags as XdpFlags
    from .perf import PerfHardware as PerfHardware
    from .perf import PerfRecord as PerfRecord
    from .perf import PerfSample as PerfSample
    from .perf import PerfSoftware as PerfSoftware
    from .perf import PerfType as PerfType
    from .perf import perf_event_attr as perf_event_attr
    from .perf import perf_event_header as perf_event_header
    from .perf import perf_event_mmap_page as perf_event_mmap_page
    from .prog import ProgFlags as ProgFlags
    from .prog import ProgType as ProgType
    from .prog import RunFlags as RunFlags
    from .protos import HELPER_PROTOS as HELPER_PROTOS
    from .ringbuf import RingbufFlags as RingbufFlags
    from .ringbuf import RingbufHeader as RingbufHeader
    from .ringbuf import RingbufQuery as RingbufQuery

    _E = TypeVar("_E", bound=IntEnum)

_HOME = {
    **dict.fromkeys(("XdpAction", "TcAction", "TcxAction", "SkAction", "RetCode", "NfVerdict"), "action"),
    **dict.fromkeys(("AttachType", "AttachFlags", "QueryFlags"), "attach"),
    **dict.fromkeys(
        (
            "MapCreateAttr",
            "MapElemAttr",
            "MapBatchAttr",
            "ProgLoadAttr",
            "ObjAttr",
            "ProgAttachAttr",
            "ProgRunAttr",
            "GetIdAttr",
            "InfoAttr",
            "ProgQueryAttr",
            "RawTracepointAttr",
            "BtfLoadAttr",
            "TaskFdQueryAttr",
            "LinkCreateAttr",
            "LinkUpdateAttr",
            "LinkDetachAttr",
            "EnableStatsAttr",
            "IterCreateAttr",
            "ProgBindMapAttr",
            "TokenCreateAttr",
            "StreamReadAttr",
            "AssocStructOpsAttr",
            "BpfAttr",
            "CommonAttr",
            "IterLinkInfo",
            "FuncInfo",
            "LineInfo",
            "CoreRelo",
        ),
        "attr",
    ),
    **dict.fromkeys(("Cmd", "StatsType", "TaskFdType", "StreamId"), "cmd"),
    **dict.fromkeys(("BPF_OBJ_NAME_LEN", "BPF_TAG_SIZE", "BPF_BUILD_ID_SIZE", "XDP_PACKET_HEADROOM"), "const"),
    **dict.fromkeys(
        (
            "__sk_buff",
            "xdp_md",
            "bpf_sock",
            "bpf_sock_addr",
            "bpf_sock_ops",
            "bpf_sk_lookup",
            "sk_msg_md",
            "sk_reuseport_md",
            "bpf_sysctl",
            "bpf_sockopt",
            "bpf_cgroup_dev_ctx",
            "bpf_flow_keys",
            "bpf_perf_event_data",
            "bpf_raw_tracepoint_args",
            "bpf_nf_ctx",
            "bpf_tcp_sock",
            "bpf_xdp_sock",
            "bpf_sock_tuple",
            "bpf_tunnel_key",
            "bpf_xfrm_state",
            "bpf_fib_lookup",
            "bpf_redir_neigh",
            "bpf_perf_event_value",
            "bpf_pidns_info",
            "bpf_devmap_val",
            "bpf_cpumap_val",
            "bpf_stack_build_id",
            "btf_ptr",
            "bpf_spin_lock",
            "bpf_timer",
            "bpf_wq",
            "bpf_task_work",
            "bpf_dynptr",
            "bpf_list_head",
            "bpf_list_node",
            "bpf_rb_root",
            "bpf_rb_node",
            "bpf_refcount",
            "bpf_iter_num",
            "bpf_insn_array_value",
            "bpf_lpm_trie_key_hdr",
            "bpf_cgroup_storage_key",
            "pt_regs",
        ),
        "ctx",
    ),
    **dict.fromkeys(
        (
            "StoreBytesFlags",
            "CsumReplaceFlags",
            "TunnelInfoFlags",
            "StackFlags",
            "PerfOutputFlags",
            "NetnsId",
            "CsumLevel",
            "AdjRoomFlags",
            "AdjRoomEncapL2",
            "AdjRoomMode",
            "HdrStart",
            "LwtEncapMode",
            "RedirectFlags",
            "SysctlFlags",
            "BranchRecordFlags",
            "SkLookupFlags",
            "BprmFlags",
            "SkbClock",
            "SockOpsFlags",
            "SockOpsOp",
            "SkCbFlags",
            "TcpState",
            "TcpOption",
            "LoadHdrOptFlags",
            "WriteHdrOptArg",
            "DevcgAccess",
            "DevcgDevice",
            "FibLookupFlags",
            "FibLookupRet",
            "CheckMtuFlags",
            "CheckMtuRet",
            "FlowDissectorFlags",
            "BtfPrintFlags",
            "StackBuildIdStatus",
            "CoreReloKind",
            "KfuncFlags",
        ),
        "flags",
    ),
    **dict.fromkeys(("Helper",), "helper"),
    **dict.fromkeys(("HELPER_NAMES",), "helper_names"),
    **dict.fromkeys(("ProgInfo", "MapInfo", "BtfInfo", "LinkInfo", "TokenInfo"), "info"),
    **dict.fromkeys(
        ("LinkType", "PerfEventType", "KprobeMultiFlags", "UprobeMultiFlags", "NetfilterFlags", "CgroupIterOrder"),
        "link",
    ),
    **dict.fromkeys(("MapType", "MapFlags", "UpdateFlags", "StorageFlags", "TimerFlags"), "map"),
    **dict.fromkeys(("XdpFlags", "XdpAttached", "IflaXdp", "TcaBpf"), "net"),
    **dict.fromkeys(
        (
            "PerfType",
            "PerfHardware",
            "PerfSoftware",
            "PerfSample",
            "PerfRecord",
            "perf_event_attr",
            "perf_event_mmap_page",
            "perf_event_header",
        ),
        "perf",
    ),
    **dict.fromkeys(("ProgType", "ProgFlags", "RunFlags"), "prog"),
    **dict.fromkeys(("HELPER_PROTOS",), "protos"),
    **dict.fromkeys(("RingbufFlags", "RingbufQuery", "RingbufHeader"), "ringbuf"),
}

__all__ = ("named", *_HOME)  # noqa: PLE0604 (the table above is the one list of public names)


def named(enum: type[_E], value: int) -> _E | int:
    """The member of `enum` with this value, or `value` itself when a newer kernel has one that we do not know."""
    try:
        return enum(value)
    except ValueError:
        return value


__getattr__ = exports(__name__, _HOME)


def __dir__() -> list[str]:
    return sorted(__all__)
