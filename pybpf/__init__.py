"""eBPF from plain Python: write, check, run, test and load programs; no compiler, no libbpf, no headers.

Names are imported when they are first used, so `import pybpf` costs next to nothing and works on
any operating system.
"""

from __future__ import annotations

from .lazy import exports

TYPE_CHECKING = False
if TYPE_CHECKING:
    from . import asm as asm
    from . import cbpf as cbpf
    from . import features as features
    from . import helpers as helpers
    from . import net as net
    from .btf.btf import Btf as Btf
    from .cbpf import pcap_filter as pcap_filter
    from .declared import Arena as Arena
    from .declared import Array as Array
    from .declared import ArrayOfMaps as ArrayOfMaps
    from .declared import BloomFilter as BloomFilter
    from .declared import CgroupArray as CgroupArray
    from .declared import CgroupStorage as CgroupStorage
    from .declared import CgrpStorage as CgrpStorage
    from .declared import CpuMap as CpuMap
    from .declared import DevMap as DevMap
    from .declared import DevMapHash as DevMapHash
    from .declared import Global as Global
    from .declared import HashMap as HashMap
    from .declared import HashOfMaps as HashOfMaps
    from .declared import InodeStorage as InodeStorage
    from .declared import InsnArray as InsnArray
    from .declared import LpmTrie as LpmTrie
    from .declared import LruHashMap as LruHashMap
    from .declared import LruPerCpuHashMap as LruPerCpuHashMap
    from .declared import PerCpuArray as PerCpuArray
    from .declared import PerCpuCgroupStorage as PerCpuCgroupStorage
    from .declared import PerCpuHashMap as PerCpuHashMap
    from .declared import PerfEventArray as PerfEventArray
    from .declared import ProgArray as ProgArray
    from .declared import Queue as Queue
    from .declared import ResizableHashMap as ResizableHashMap
    from .declared import ReuseportSockArray as ReuseportSockArray
    from .declared import RingBuf as RingBuf
    from .declared import SkStorage as SkStorage
    from .declared import SockHash as SockHash
    from .declared import SockMap as SockMap
    from .declared import Stack as Stack
    from .declared import StackTrace as StackTrace
    from .declared import StructOps as StructOps
    from .declared import TaskStorage as TaskStorage
    from .declared import UserRingBuf as UserRingBuf
    from .declared import XskMap as XskMap
    from .dsl.kinds import bpf_iter as bpf_iter
    from .dsl.kinds import bpf_syscall as bpf_syscall
    from .dsl.kinds import cgroup_bind4 as cgroup_bind4
    from .dsl.kinds import cgroup_bind6 as cgroup_bind6
    from .dsl.kinds import cgroup_connect4 as cgroup_connect4
    from .dsl.kinds import cgroup_connect6 as cgroup_connect6
    from .dsl.kinds import cgroup_connect_unix as cgroup_connect_unix
    from .dsl.kinds import cgroup_device as cgroup_device
    from .dsl.kinds import cgroup_egress as cgroup_egress
    from .dsl.kinds import cgroup_getpeername4 as cgroup_getpeername4
    from .dsl.kinds import cgroup_getpeername6 as cgroup_getpeername6
    from .dsl.kinds import cgroup_getpeername_unix as cgroup_getpeername_unix
    from .dsl.kinds import cgroup_getsockname4 as cgroup_getsockname4
    from .dsl.kinds import cgroup_getsockname6 as cgroup_getsockname6
    from .dsl.kinds import cgroup_getsockname_unix as cgroup_getsockname_unix
    from .dsl.kinds import cgroup_getsockopt as cgroup_getsockopt
    from .dsl.kinds import cgroup_ingress as cgroup_ingress
    from .dsl.kinds import cgroup_post_bind4 as cgroup_post_bind4
    from .dsl.kinds import cgroup_post_bind6 as cgroup_post_bind6
    from .dsl.kinds import cgroup_recvmsg4 as cgroup_recvmsg4
    from .dsl.kinds import cgroup_recvmsg6 as cgroup_recvmsg6
    from .dsl.kinds import cgroup_recvmsg_unix as cgroup_recvmsg_unix
    from .dsl.kinds import cgroup_sendmsg4 as cgroup_sendmsg4
    from .dsl.kinds import cgroup_sendmsg6 as cgroup_sendmsg6
    from .dsl.kinds import cgroup_sendmsg_unix as cgroup_sendmsg_unix
    from .dsl.kinds import cgroup_setsockopt as cgroup_setsockopt
    from .dsl.kinds import cgroup_skb as cgroup_skb
    from .dsl.kinds import cgroup_sock_create as cgroup_sock_create
    from .dsl.kinds import cgroup_sock_release as cgroup_sock_release
    from .dsl.kinds import cgroup_sysctl as cgroup_sysctl
    from .dsl.kinds import fentry as fentry
    from .dsl.kinds import fentry_sleepable as fentry_sleepable
    from .dsl.kinds import fexit as fexit
    from .dsl.kinds import fexit_sleepable as fexit_sleepable
    from .dsl.kinds import flow_dissector as flow_dissector
    from .dsl.kinds import fmod_ret as fmod_ret
    from .dsl.kinds import freplace as freplace
    from .dsl.kinds import kprobe as kprobe
    from .dsl.kinds import kprobe_multi as kprobe_multi
    from .dsl.kinds import kprobe_session as kprobe_session
    from .dsl.kinds import kretprobe as kretprobe
    from .dsl.kinds import kretsyscall as kretsyscall
    from .dsl.kinds import ksyscall as ksyscall
    from .dsl.kinds import lirc_mode2 as lirc_mode2
    from .dsl.kinds import lsm as lsm
    from .dsl.kinds import lsm_cgroup as lsm_cgroup
    from .dsl.kinds import lsm_sleepable as lsm_sleepable
    from .dsl.kinds import lwt_in as lwt_in
    from .dsl.kinds import lwt_out as lwt_out
    from .dsl.kinds import lwt_seg6local as lwt_seg6local
    from .dsl.kinds import lwt_xmit as lwt_xmit
    from .dsl.kinds import netfilter as netfilter
    from .dsl.kinds import netkit_peer as netkit_peer
    from .dsl.kinds import netkit_primary as netkit_primary
    from .dsl.kinds import perf_event as perf_event
    from .dsl.kinds import program as program
    from .dsl.kinds import raw_tracepoint as raw_tracepoint
    from .dsl.kinds import raw_tracepoint_writable as raw_tracepoint_writable
    from .dsl.kinds import sched_act as sched_act
    from .dsl.kinds import sched_cls as sched_cls
    from .dsl.kinds import sk_lookup as sk_lookup
    from .dsl.kinds import sk_msg as sk_msg
    from .dsl.kinds import sk_reuseport as sk_reuseport
    from .dsl.kinds import sk_reuseport_migrate as sk_reuseport_migrate
    from .dsl.kinds import sk_skb as sk_skb
    from .dsl.kinds import sk_skb_parser as sk_skb_parser
    from .dsl.kinds import sk_skb_verdict as sk_skb_verdict
    from .dsl.kinds import sock_ops as sock_ops
    from .dsl.kinds import socket_filter as socket_filter
    from .dsl.kinds import struct_ops as struct_ops
    from .dsl.kinds import tc as tc
    from .dsl.kinds import tcx_egress as tcx_egress
    from .dsl.kinds import tcx_ingress as tcx_ingress
    from .dsl.kinds import tp_btf as tp_btf
    from .dsl.kinds import tracepoint as tracepoint
    from .dsl.kinds import uprobe as uprobe
    from .dsl.kinds import uprobe_multi as uprobe_multi
    from .dsl.kinds import uretprobe as uretprobe
    from .dsl.kinds import usdt as usdt
    from .dsl.kinds import xdp as xdp
    from .dsl.kinds import xdp_cpumap as xdp_cpumap
    from .dsl.kinds import xdp_devmap as xdp_devmap
    from .dsl.kinds import xdp_frags as xdp_frags
    from .dsl.lang import bounded as bounded
    from .dsl.lang import printk as printk
    from .dsl.lang import sdiv as sdiv
    from .dsl.lang import sizeof as sizeof
    from .dsl.lang import smod as smod
    from .dsl.lang import swap16 as swap16
    from .dsl.lang import swap32 as swap32
    from .dsl.lang import swap64 as swap64
    from .dsl.lang import unroll as unroll
    from .dsl.lower.functions import Subprogram as Subprogram
    from .dsl.lower.functions import subprogram as subprogram
    from .dsl.lower.kfunccalls import kfunc as kfunc
    from .dsl.lower.sections import kernel_iter as kernel_iter
    from .dsl.lower.sections import no_preempt as no_preempt
    from .dsl.lower.sections import rcu as rcu
    from .elf.reader import open_elf as open_elf
    from .elf.writer import write_elf as write_elf
    from .errors import AsmError as AsmError
    from .errors import BpfError as BpfError
    from .errors import BtfError as BtfError
    from .errors import CompileError as CompileError
    from .errors import ConversionError as ConversionError
    from .errors import ElfError as ElfError
    from .errors import FilterError as FilterError
    from .errors import InputError as InputError
    from .errors import KindError as KindError
    from .errors import NotSupportedError as NotSupportedError
    from .errors import SpecError as SpecError
    from .errors import SyscallError as SyscallError
    from .errors import VerifierError as VerifierError
    from .errors import VmFault as VmFault
    from .events import Poller as Poller
    from .events import TracePipe as TracePipe
    from .fields import Kptr as Kptr
    from .fields import SpinLock as SpinLock
    from .fields import Timer as Timer
    from .fields import WorkQueue as WorkQueue
    from .links.attached import attached as attached
    from .links.base import Link as Link
    from .links.found import links as links
    from .links.seccomp import install_seccomp as install_seccomp
    from .links.socket import attach_classic as attach_classic
    from .live import Program as Program
    from .live import enable_stats as enable_stats
    from .live import programs as programs
    from .loader import Collection as Collection
    from .loader import load as load
    from .loader import load_collection as load_collection
    from .maps.btf import btfs as btfs
    from .maps.found import maps as maps
    from .maps.live import Map as Map
    from .spec import MapSpec as MapSpec
    from .spec import ProgramSpec as ProgramSpec
    from .token import Token as Token
    from .types import Struct as Struct
    from .types import array_of as array_of
    from .types import be16 as be16
    from .types import be32 as be32
    from .types import be64 as be64
    from .types import char as char
    from .types import s8 as s8
    from .types import s16 as s16
    from .types import s32 as s32
    from .types import s64 as s64
    from .types import u8 as u8
    from .types import u16 as u16
    from .types import u32 as u32
    from .types import u64 as u64
    from .uapi.action import NfVerdict as NfVerdict
    from .uapi.action import RetCode as RetCode
    from .uapi.action import SkAction as SkAction
    from .uapi.action import TcAction as TcAction
    from .uapi.action import TcxAction as TcxAction
    from .uapi.action import XdpAction as XdpAction
    from .verifier import Report as Report
    from .verifier import verify as verify
    from .vm import VM as VM
    from .xsk import XskSocket as XskSocket

__version__ = "0.1.0"

# Where each public name lives: module -> names.  "" stands for modules.
_MODULES = {
    "dsl.kinds": """
        socket_filter kprobe kretprobe ksyscall kretsyscall uprobe uretprobe usdt kprobe_multi uprobe_multi
        kprobe_session sched_cls tc tcx_ingress tcx_egress netkit_primary netkit_peer sched_act tracepoint xdp
        xdp_frags xdp_devmap xdp_cpumap perf_event cgroup_ingress cgroup_egress cgroup_skb cgroup_sock_create
        cgroup_sock_release cgroup_post_bind4 cgroup_post_bind6 lwt_in lwt_out lwt_xmit sock_ops sk_skb_parser
        sk_skb_verdict sk_skb cgroup_device sk_msg raw_tracepoint cgroup_bind4 cgroup_bind6 cgroup_connect4
        cgroup_connect6 cgroup_connect_unix cgroup_sendmsg4 cgroup_sendmsg6 cgroup_sendmsg_unix cgroup_recvmsg4
        cgroup_recvmsg6 cgroup_recvmsg_unix cgroup_getpeername4 cgroup_getpeername6 cgroup_getpeername_unix
        cgroup_getsockname4 cgroup_getsockname6 cgroup_getsockname_unix lwt_seg6local lirc_mode2 sk_reuseport
        sk_reuseport_migrate flow_dissector cgroup_sysctl raw_tracepoint_writable cgroup_getsockopt
        cgroup_setsockopt tp_btf fentry fexit fmod_ret fentry_sleepable fexit_sleepable bpf_iter struct_ops
        freplace lsm lsm_sleepable lsm_cgroup sk_lookup bpf_syscall netfilter program
    """,
    "dsl.lower.functions": "Subprogram subprogram",
    "dsl.lower.kfunccalls": "kfunc",
    "dsl.lower.sections": "kernel_iter no_preempt rcu",
    "dsl.lang": "bounded printk sdiv sizeof smod swap16 swap32 swap64 unroll",
    "uapi.action": "NfVerdict RetCode SkAction TcAction TcxAction XdpAction",
    "declared": """
        HashMap Array PerCpuHashMap PerCpuArray Global LruHashMap LruPerCpuHashMap ResizableHashMap LpmTrie
        HashOfMaps SockHash CgroupStorage PerCpuCgroupStorage ProgArray CgroupArray ArrayOfMaps DevMap
        DevMapHash CpuMap XskMap SockMap ReuseportSockArray StackTrace Queue Stack BloomFilter RingBuf
        UserRingBuf PerfEventArray SkStorage InodeStorage TaskStorage CgrpStorage Arena StructOps InsnArray
    """,
    "fields": "Kptr SpinLock Timer WorkQueue",
    "types": "Struct array_of be16 be32 be64 char s8 s16 s32 s64 u8 u16 u32 u64",
    "spec": "MapSpec ProgramSpec",
    "": "helpers net asm cbpf links maps features",
    "errors": """
        AsmError BpfError BtfError CompileError ConversionError ElfError FilterError KindError NotSupportedError
        InputError SpecError SyscallError VerifierError VmFault
    """,
    "loader": "Collection load load_collection",
    "live": "Program enable_stats programs",
    "maps.live": "Map",
    "maps.btf": "btfs",
    "links.base": "Link",
    "links.attached": "attached",
    "links.socket": "attach_classic",
    "links.seccomp": "install_seccomp",
    "token": "Token",
    "events": "Poller TracePipe",
    "xsk": "XskSocket",
    "verifier": "Report verify",
    "vm": "VM",
    "btf.btf": "Btf",
    "elf.reader": "open_elf",
    "elf.writer": "write_elf",
    "cbpf": "pcap_filter",
}
_HOME = {name: module for module, names in _MODULES.items() for name in names.split()}

if not TYPE_CHECKING:  # checkers take the names that are imported above, and no others
    __all__ = ("__version__", *_HOME)  # noqa: PLE0604 (the table above is the one list of public names)

    __getattr__ = exports(__name__, _HOME)


def __dir__() -> list[str]:
    return sorted(("__version__", *_HOME))
