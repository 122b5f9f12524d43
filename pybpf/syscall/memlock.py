"""RLIMIT_MEMLOCK, which kernels before 5.11 charge maps and programs to."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

_helped: bool | None = None


def retry_unlimited(call: Callable[[], int]) -> int:
    """Repeat `call`, which failed with EPERM, without a limit on locked memory; its result (negative: failed again).

    Done once in a process.  The limit stays raised only when that was what the kernel wanted.
    """
    global _helped
    if _helped is not None:
        return -1
    import resource

    limits = resource.getrlimit(resource.RLIMIT_MEMLOCK)
    if limits[0] == resource.RLIM_INFINITY:
        _helped = False
        return -1
    try:
        resource.setrlimit(resource.RLIMIT_MEMLOCK, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    except (OSError, ValueError):
        _helped = False
        return -1
    result = call()
    _helped = result >= 0
    if not _helped:
        # Lowering the hard limit back is always allowed.
        resource.setrlimit(resource.RLIMIT_MEMLOCK, limits)
    return result
