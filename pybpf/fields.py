"""Fields of map values that belong to the kernel: locks, timers, work queues, and pointers to kernel objects.

    class Bucket(Struct):
        lock: SpinLock
        tokens: u64

The kernel knows them by the names of their types in BTF, and wants their map to have BTF.  Programs use them by methods
(`with bucket.lock:`, `value.timer.start(1_000_000)`, `value.task.xchg(None)`); to user space they read as zeros.
"""

from __future__ import annotations

import ctypes

from .types import Struct, u32, u64

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any
    from typing import Literal as Kptr

    from .btf.fields import Special

__all__ = ("Kptr", "SpinLock", "Timer", "WorkQueue")


class SpinLock(Struct):
    """A lock that programs on several CPUs take in turn (`struct bpf_spin_lock`, Linux 5.1): `with value.lock:`.

    One in a value at most, and one held at a time; under it no helper can be called.
    """

    val: u32


class Timer(Struct):
    """A timer that calls a function of the program (`struct bpf_timer`, Linux 5.15).

    `value.timer.init(clock)` (1, CLOCK_MONOTONIC, unless given), `.set_callback(function)`, `.start(nanoseconds)`, `.cancel()`.
    The function is given the map, the key and a reference to the value.
    """

    if not TYPE_CHECKING:
        opaque: u64[2]


class WorkQueue(Struct):
    """Work that the kernel does later in a thread of its own, which may sleep (`struct bpf_wq`, Linux 6.10).

    `value.work.init()`, `.set_callback(function)`, `.start()`; the function is given the map, the key and the value.
    """

    if not TYPE_CHECKING:
        opaque: u64[2]


# The kernel looks for these names.
SpinLock.__name__, Timer.__name__, WorkQueue.__name__ = "bpf_spin_lock", "bpf_timer", "bpf_wq"


class KptrTo:
    """`Kptr["task_struct"]`: the type of a field that owns a reference to a kernel object of this structure."""

    ctype: Any = ctypes.c_uint64
    size = 8

    def __init__(self, pointee: str) -> None:
        self.pointee = pointee
        self.__name__ = f'Kptr["{pointee}"]'

    def __repr__(self) -> str:
        return self.__name__


if not TYPE_CHECKING:

    class _Kptr:
        """`Kptr["task_struct"]`: a field that owns a kernel object (Linux 6.1); `value.task.xchg(new)` changes it."""

        def __getitem__(self, pointee):
            return KptrTo(pointee)

    Kptr = _Kptr()


def kernel_fields(type_: Any) -> tuple[Special, ...]:
    """The fields of the kernel's in a value of this type, by offset."""
    if not isinstance(type_, type) or not hasattr(type_, "_fields_"):
        return ()
    found = _KNOWN.get(type_)
    if found is None:
        from .btf.fields import fields_of

        found = _KNOWN[type_] = fields_of(type_)
    return found


_KNOWN: dict[type, tuple[Special, ...]] = {}
