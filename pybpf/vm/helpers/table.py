"""The table of modelled helpers: name -> Python function, filled by the modules of this package.

A model takes the run and the helper's arguments as unsigned 64-bit numbers and returns the result, an int of any sign.
"""

from __future__ import annotations

from ...kernel.helper_facts import MAP_READS, MAP_WRITES, PROBES, PROBES_STRING
from ...uapi import HELPER_NAMES, HELPER_PROTOS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from ..run import Run

    Model = Callable[..., "int | None"]

MODELS: dict[str, Model] = {}
KFUNCS: dict[str, tuple[int, Model]] = {}
VARIADIC = -1

# What the translator may assume of a call: the packet stays where it is, and no program code runs inside.
QUIET = frozenset(
    (
        *MAP_READS,
        *MAP_WRITES,
        *PROBES,
        *PROBES_STRING,
        "ktime_get_ns",
        "ktime_get_boot_ns",
        "ktime_get_coarse_ns",
        "ktime_get_tai_ns",
        "jiffies64",
        "get_prandom_u32",
        "get_smp_processor_id",
        "get_numa_node_id",
        "get_current_pid_tgid",
        "get_current_uid_gid",
        "get_current_comm",
        "get_current_task",
        "get_current_cgroup_id",
        "ringbuf_output",
        "ringbuf_reserve",
        "ringbuf_submit",
        "ringbuf_discard",
        "ringbuf_query",
        "perf_event_output",
        "trace_printk",
        "csum_diff",
        "redirect",
        "redirect_map",
        "spin_lock",
        "spin_unlock",
        "skb_load_bytes",
        "get_socket_cookie",
        "strtol",
        "strtoul",
        "snprintf",
        "strncmp",
        "fib_lookup",
        "get_hash_recalc",
    )
)


class Helper:
    """A helper as calls see it: `arity` arguments are read, then `call(run, *args)` gives r0 (None: a tail call)."""

    __slots__ = ("arity", "call", "name")

    def __init__(self, name: str, arity: int, call: Model) -> None:
        self.name = name
        self.arity = arity
        self.call = call


def model(function: Model) -> Model:
    """Enter a function into the table under its own name."""
    MODELS[function.__name__] = function
    return function


def kfunc(arity: int) -> Callable[[Model], Model]:
    """Enter a kfunc, which takes `arity` arguments.

    Those that fail with a negative number return an `int`, whose 32 bits leave the upper half of r0 zero; helpers
    return 64 bits.
    """

    def enter(function: Model) -> Model:
        def call(run: Run, *args: int) -> int:
            value = function(run, *args) or 0
            return value if value >= 0 else value & 0xFFFFFFFF

        KFUNCS[function.__name__] = (arity, call)
        return function

    return enter


def arity_of(number: int) -> int:
    """How many arguments helper `number` takes; VARIADIC for those that take as many as are set."""
    args = HELPER_PROTOS[number][1]
    return VARIADIC if any(type_ == "..." for type_, _ in args) else len(args)


def name_of(number: int) -> str | None:
    """The helper's name without its prefix; None for a number that is none."""
    return HELPER_NAMES[number] if 0 < number < len(HELPER_NAMES) else None
