"""What BPF_PROG_TEST_RUN lets a caller choose besides packet and context, and which types of programs take what of it."""

from __future__ import annotations

from errno import E2BIG, EINVAL, ENXIO

from ..errors import InputError
from ..kernel.run_context import SKB_TYPES
from ..uapi import ProgType, RunFlags, named

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .context import Context
    from .environment import Environment

_LIVE_FRAME = 3408  # what is left of a page behind headroom, what the kernel keeps of a frame, and skb_shared_info
_MAX_BATCH = 256  # TEST_XDP_MAX_BATCH
_ALL = 0xFFFFFFFF
_PACKETS = frozenset(SKB_TYPES) - {ProgType.LWT_SEG6LOCAL, ProgType.SK_SKB}
# Program type -> (flags, whether a CPU may be named, whether it runs more than once), for all that have a test run.  Raw
# tracepoints take any flag, and a CPU only together with RUN_ON_CPU (bpf_prog_test_run_raw_tp).
_RULES: dict[int, tuple[int, bool, bool]] = {
    **dict.fromkeys(_PACKETS, (int(RunFlags.SKB_CHECKSUM_COMPLETE), False, True)),
    ProgType.XDP: (int(RunFlags.XDP_LIVE_FRAMES), True, True),
    ProgType.RAW_TRACEPOINT: (_ALL, True, False),
    ProgType.SYSCALL: (0, True, False),
    **dict.fromkeys(
        (ProgType.FLOW_DISSECTOR, ProgType.SK_LOOKUP, ProgType.NETFILTER, ProgType.TRACING, ProgType.STRUCT_OPS),
        (0, False, True),
    ),
}
_ENOTSUPP = 524


def check(prog_type: int, env: Environment, repeat: int, flags: int, cpu: int, batch_size: int) -> None:
    """InputError for options that TEST_RUN refuses for programs of this type."""
    name = getattr(named(ProgType, prog_type), "name", prog_type)
    if prog_type not in _RULES:
        if flags or cpu or batch_size:
            raise InputError(_ENOTSUPP, f"{name} programs have no test run, so no flags, cpu or batch_size")
        return
    allowed, chooses, repeats = _RULES[prog_type]
    live = allowed & flags & RunFlags.XDP_LIVE_FRAMES and prog_type == ProgType.XDP
    if flags & ~allowed:
        known = ", ".join(f.name or "" for f in RunFlags if f & allowed) or "none"
        raise InputError(EINVAL, f"flags=0x{flags:x}: test runs of {name} programs take {known}")
    if batch_size > _MAX_BATCH and live:
        raise InputError(E2BIG, f"batch_size={batch_size}: at most {_MAX_BATCH}")
    if batch_size and not live:
        raise InputError(EINVAL, f"batch_size={batch_size}: only XDP programs take one, with flags=XDP_LIVE_FRAMES")
    if repeat > 1 and not repeats:
        raise InputError(EINVAL, f"repeat={repeat}: test runs of {name} programs run once")
    if cpu and not chooses:
        raise InputError(EINVAL, f"cpu={cpu}: test runs of {name} programs take none")
    if prog_type == ProgType.RAW_TRACEPOINT:
        if cpu and not flags & RunFlags.RUN_ON_CPU:
            raise InputError(EINVAL, f"cpu={cpu}: needs flags=RUN_ON_CPU")
        if cpu >= env.cpus:
            raise InputError(ENXIO, f"cpu={cpu}: this machine has {env.cpus}: VM(..., cpus=n)")


def on_cpu(prog_type: int, flags: int) -> bool:
    """Whether the caller names the CPU that the program runs on."""
    return prog_type == ProgType.RAW_TRACEPOINT and bool(flags & RunFlags.RUN_ON_CPU)


def is_live(prog_type: int, flags: int) -> bool:
    """Whether frames go where the program sends them, each run having a new one."""
    return prog_type == ProgType.XDP and bool(flags & RunFlags.XDP_LIVE_FRAMES)


def check_live(made: Context) -> None:
    """InputError for a frame that cannot be live: it is in one page, whole (bpf_prog_test_run_xdp)."""
    if made.packet.rest or len(made.packet.data) > _LIVE_FRAME:
        raise InputError(EINVAL, f"a live frame ends where its data ends, after {_LIVE_FRAME} bytes at most")
