"""eBPF from plain Python: write, check, run, test and load programs; no compiler, no libbpf, no headers.

Names are imported when they are first used, so `import pybpf` costs next to nothing and works on
any operating system.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from . import asm as asm
    from . import cbpf as cbpf
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
    from .elf.reader import open_elf as open_elf
    from .errors import AsmError as AsmError
    from .errors import BpfError as BpfError
    from .errors import BtfError as BtfError
    from .errors import CompileError as CompileError
    from .errors import ElfError as ElfError
    from .errors import FilterError as FilterError
    from .errors import NotSupportedError as NotSupportedError
    from .errors import SpecError as SpecError
    from .errors import SyscallError as SyscallError
    from .errors import VerifierError as VerifierError
    from .errors import VmFault as VmFault
    from .links.base import Link as Link
    from .links.seccomp import install_seccomp as install_seccomp
    from .maps.live import Map as Map
    from .program import Collection as Collection
    from .program import Program as Program
    from .program import load as load
    from .program import load_collection as load_collection
    from .spec import MapSpec as MapSpec
    from .spec import ProgramSpec as ProgramSpec
    from .types import Struct as Struct
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
    from .vm import VM as VM

__version__ = "0.1.0"

# Where each public name lives; "" stands for a module of that name.
_HOME = {
    "asm": "",
    "Btf": "btf.btf",
    "open_elf": "elf.reader",
    "cbpf": "",
    "install_seccomp": "links.seccomp",
    "pcap_filter": "cbpf",
    **dict.fromkeys(
        (
            "AsmError",
            "BpfError",
            "BtfError",
            "CompileError",
            "ElfError",
            "FilterError",
            "NotSupportedError",
            "SpecError",
            "SyscallError",
            "VerifierError",
            "VmFault",
        ),
        "errors",
    ),
    **dict.fromkeys(
        (
            "HashMap",
            "Array",
            "PerCpuHashMap",
            "PerCpuArray",
            "LruHashMap",
            "LruPerCpuHashMap",
            "LpmTrie",
            "HashOfMaps",
            "SockHash",
            "CgroupStorage",
            "PerCpuCgroupStorage",
            "ProgArray",
            "CgroupArray",
            "ArrayOfMaps",
            "DevMap",
            "DevMapHash",
            "CpuMap",
            "XskMap",
            "SockMap",
            "ReuseportSockArray",
            "StackTrace",
            "Queue",
            "Stack",
            "BloomFilter",
            "RingBuf",
            "UserRingBuf",
            "PerfEventArray",
            "SkStorage",
            "InodeStorage",
            "TaskStorage",
            "CgrpStorage",
            "Arena",
            "StructOps",
            "InsnArray",
        ),
        "declared",
    ),
    "Link": "links.base",
    "Map": "maps.live",
    "VM": "vm",
    **dict.fromkeys(("Collection", "Program", "load", "load_collection"), "program"),
    **dict.fromkeys(("MapSpec", "ProgramSpec"), "spec"),
    **dict.fromkeys(
        ("Struct", "be16", "be32", "be64", "char", "s8", "s16", "s32", "s64", "u8", "u16", "u32", "u64"), "types"
    ),
}

__all__ = ("__version__", *_HOME)  # noqa: PLE0604 (the table above is the one list of public names)


def __getattr__(name: str) -> object:
    home = _HOME.get(name)
    if home is None:
        raise AttributeError(f"module 'pybpf' has no attribute {name!r}")
    from importlib import import_module

    module = import_module(f".{home or name}", __name__)
    value = getattr(module, name) if home else module
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
