"""perf_event_open(2): constants and structures.

Written by tools/gen_uapi.py; do not edit.
From the BTF of Debian linux-binary-7.2.13+deb14-amd64 7.2.13-1.
"""

from __future__ import annotations

from ctypes import Structure, Union, c_int32, c_int64, c_uint8, c_uint16, c_uint32, c_uint64
from enum import IntEnum, IntFlag


class PerfType(IntEnum):
    """`type` of a perf event."""

    HARDWARE = 0
    SOFTWARE = 1
    TRACEPOINT = 2
    HW_CACHE = 3
    RAW = 4
    BREAKPOINT = 5


class PerfHardware(IntEnum):
    """`config` of a hardware perf event."""

    CPU_CYCLES = 0
    INSTRUCTIONS = 1
    CACHE_REFERENCES = 2
    CACHE_MISSES = 3
    BRANCH_INSTRUCTIONS = 4
    BRANCH_MISSES = 5
    BUS_CYCLES = 6
    STALLED_CYCLES_FRONTEND = 7
    STALLED_CYCLES_BACKEND = 8
    REF_CPU_CYCLES = 9


class PerfSoftware(IntEnum):
    """`config` of a software perf event."""

    CPU_CLOCK = 0
    TASK_CLOCK = 1
    PAGE_FAULTS = 2
    CONTEXT_SWITCHES = 3
    CPU_MIGRATIONS = 4
    PAGE_FAULTS_MIN = 5
    PAGE_FAULTS_MAJ = 6
    ALIGNMENT_FAULTS = 7
    EMULATION_FAULTS = 8
    DUMMY = 9
    BPF_OUTPUT = 10
    CGROUP_SWITCHES = 11


class PerfSample(IntFlag):
    """`sample_type` of a perf event."""

    IP = 1
    TID = 2
    TIME = 4
    ADDR = 8
    READ = 0x10
    CALLCHAIN = 0x20
    ID = 0x40
    CPU = 0x80
    PERIOD = 0x100
    STREAM_ID = 0x200
    RAW = 0x400
    BRANCH_STACK = 0x800
    REGS_USER = 0x1000
    STACK_USER = 0x2000
    WEIGHT = 0x4000
    DATA_SRC = 0x8000
    IDENTIFIER = 0x10000
    TRANSACTION = 0x20000
    REGS_INTR = 0x40000
    PHYS_ADDR = 0x80000
    AUX = 0x100000
    CGROUP = 0x200000
    DATA_PAGE_SIZE = 0x400000
    CODE_PAGE_SIZE = 0x800000
    WEIGHT_STRUCT = 0x1000000


class PerfRecord(IntEnum):
    """Types of record in a perf ring."""

    MMAP = 1
    LOST = 2
    COMM = 3
    EXIT = 4
    THROTTLE = 5
    UNTHROTTLE = 6
    FORK = 7
    READ = 8
    SAMPLE = 9
    MMAP2 = 10
    AUX = 11
    ITRACE_START = 12
    LOST_SAMPLES = 13
    SWITCH = 14
    SWITCH_CPU_WIDE = 15
    NAMESPACES = 16
    KSYMBOL = 17
    BPF_EVENT = 18
    CGROUP = 19
    TEXT_POKE = 20
    AUX_OUTPUT_HW_ID = 21
    CALLCHAIN_DEFERRED = 22


class perf_event_attr_0(Union):
    """Part of a larger structure, 8 bytes."""

    _fields_ = (
        ("sample_period", c_uint64),
        ("sample_freq", c_uint64),
    )


class perf_event_attr_1(Union):
    """Part of a larger structure, 4 bytes."""

    _fields_ = (
        ("wakeup_events", c_uint32),
        ("wakeup_watermark", c_uint32),
    )


class perf_event_attr_2(Union):
    """Part of a larger structure, 8 bytes."""

    _fields_ = (
        ("bp_addr", c_uint64),
        ("kprobe_func", c_uint64),
        ("uprobe_path", c_uint64),
        ("config1", c_uint64),
    )


class perf_event_attr_3(Union):
    """Part of a larger structure, 8 bytes."""

    _fields_ = (
        ("bp_len", c_uint64),
        ("kprobe_addr", c_uint64),
        ("probe_offset", c_uint64),
        ("config2", c_uint64),
    )


class perf_event_attr_4_0(Structure):
    """Part of a larger structure, 4 bytes."""

    _fields_ = (
        ("aux_start_paused", c_uint32, 1),
        ("aux_pause", c_uint32, 1),
        ("aux_resume", c_uint32, 1),
        ("__reserved_3", c_uint32, 29),
    )


class perf_event_attr_4(Union):
    """Part of a larger structure, 4 bytes."""

    _anonymous_ = ("_0",)
    _fields_ = (
        ("aux_action", c_uint32),
        ("_0", perf_event_attr_4_0),
    )


class perf_event_attr(Structure):
    """struct perf_event_attr, 144 bytes."""

    _anonymous_ = (
        "_0",
        "_1",
        "_2",
        "_3",
        "_4",
    )
    _fields_ = (
        ("type", c_uint32),
        ("size", c_uint32),
        ("config", c_uint64),
        ("_0", perf_event_attr_0),
        ("sample_type", c_uint64),
        ("read_format", c_uint64),
        ("disabled", c_uint64, 1),
        ("inherit", c_uint64, 1),
        ("pinned", c_uint64, 1),
        ("exclusive", c_uint64, 1),
        ("exclude_user", c_uint64, 1),
        ("exclude_kernel", c_uint64, 1),
        ("exclude_hv", c_uint64, 1),
        ("exclude_idle", c_uint64, 1),
        ("mmap", c_uint64, 1),
        ("comm", c_uint64, 1),
        ("freq", c_uint64, 1),
        ("inherit_stat", c_uint64, 1),
        ("enable_on_exec", c_uint64, 1),
        ("task", c_uint64, 1),
        ("watermark", c_uint64, 1),
        ("precise_ip", c_uint64, 2),
        ("mmap_data", c_uint64, 1),
        ("sample_id_all", c_uint64, 1),
        ("exclude_host", c_uint64, 1),
        ("exclude_guest", c_uint64, 1),
        ("exclude_callchain_kernel", c_uint64, 1),
        ("exclude_callchain_user", c_uint64, 1),
        ("mmap2", c_uint64, 1),
        ("comm_exec", c_uint64, 1),
        ("use_clockid", c_uint64, 1),
        ("context_switch", c_uint64, 1),
        ("write_backward", c_uint64, 1),
        ("namespaces", c_uint64, 1),
        ("ksymbol", c_uint64, 1),
        ("bpf_event", c_uint64, 1),
        ("aux_output", c_uint64, 1),
        ("cgroup", c_uint64, 1),
        ("text_poke", c_uint64, 1),
        ("build_id", c_uint64, 1),
        ("inherit_thread", c_uint64, 1),
        ("remove_on_exec", c_uint64, 1),
        ("sigtrap", c_uint64, 1),
        ("defer_callchain", c_uint64, 1),
        ("defer_output", c_uint64, 1),
        ("__reserved_1", c_uint64, 24),
        ("_1", perf_event_attr_1),
        ("bp_type", c_uint32),
        ("_2", perf_event_attr_2),
        ("_3", perf_event_attr_3),
        ("branch_sample_type", c_uint64),
        ("sample_regs_user", c_uint64),
        ("sample_stack_user", c_uint32),
        ("clockid", c_int32),
        ("sample_regs_intr", c_uint64),
        ("aux_watermark", c_uint32),
        ("sample_max_stack", c_uint16),
        ("__reserved_2", c_uint16),
        ("aux_sample_size", c_uint32),
        ("_4", perf_event_attr_4),
        ("sig_data", c_uint64),
        ("config3", c_uint64),
        ("config4", c_uint64),
    )


class perf_event_mmap_page_0_0(Structure):
    """Part of a larger structure, 8 bytes."""

    _fields_ = (
        ("cap_bit0", c_uint64, 1),
        ("cap_bit0_is_deprecated", c_uint64, 1),
        ("cap_user_rdpmc", c_uint64, 1),
        ("cap_user_time", c_uint64, 1),
        ("cap_user_time_zero", c_uint64, 1),
        ("cap_user_time_short", c_uint64, 1),
        ("cap_____res", c_uint64, 58),
    )


class perf_event_mmap_page_0(Union):
    """Part of a larger structure, 8 bytes."""

    _anonymous_ = ("_0",)
    _fields_ = (
        ("capabilities", c_uint64),
        ("_0", perf_event_mmap_page_0_0),
    )


class perf_event_mmap_page(Structure):
    """struct perf_event_mmap_page, 1088 bytes."""

    _anonymous_ = ("_0",)
    _fields_ = (
        ("version", c_uint32),
        ("compat_version", c_uint32),
        ("lock", c_uint32),
        ("index", c_uint32),
        ("offset", c_int64),
        ("time_enabled", c_uint64),
        ("time_running", c_uint64),
        ("_0", perf_event_mmap_page_0),
        ("pmc_width", c_uint16),
        ("time_shift", c_uint16),
        ("time_mult", c_uint32),
        ("time_offset", c_uint64),
        ("time_zero", c_uint64),
        ("size", c_uint32),
        ("__reserved_1", c_uint32),
        ("time_cycles", c_uint64),
        ("time_mask", c_uint64),
        ("__reserved", c_uint8 * 928),
        ("data_head", c_uint64),
        ("data_tail", c_uint64),
        ("data_offset", c_uint64),
        ("data_size", c_uint64),
        ("aux_head", c_uint64),
        ("aux_tail", c_uint64),
        ("aux_offset", c_uint64),
        ("aux_size", c_uint64),
    )


class perf_event_header(Structure):
    """struct perf_event_header, 8 bytes."""

    _fields_ = (
        ("type", c_uint32),
        ("misc", c_uint16),
        ("size", c_uint16),
    )
