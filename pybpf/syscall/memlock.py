"""RLIMIT_MEMLOCK, which kernels before 5.11 charge maps and programs to."""

from __future__ import annotations

from errno import EPERM

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable


def retry_unlimited(call: Callable[[], int]) -> int:
    """Repeat `call`, which failed with EPERM, without a limit on locked memory; its result, or minus the errno.

    The limit stays raised when that was what the kernel wanted: also when the call then fails for another reason, as a
    large program does that the verifier rejects.
    """
    import resource

    limits = resource.getrlimit(resource.RLIMIT_MEMLOCK)
    if limits[0] == resource.RLIM_INFINITY:
        return -EPERM
    try:
        resource.setrlimit(resource.RLIMIT_MEMLOCK, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    except (OSError, ValueError):
        return -EPERM
    result = call()
    if result == -EPERM:
        # Lowering the hard limit back is always allowed.
        resource.setrlimit(resource.RLIMIT_MEMLOCK, limits)
    return result
