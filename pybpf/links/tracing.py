"""Programs that named their target when they were loaded: fentry, fexit, fmod_ret, BTF tracepoints, LSM, freplace."""

from __future__ import annotations

from struct import pack

from ..errors import NotSupportedError, SpecError, SyscallError
from ..uapi import AttachType as A
from .base import BpfLink

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

_MULTI = {A.TRACE_FENTRY_MULTI, A.TRACE_FEXIT_MULTI, A.TRACE_FSESSION_MULTI}
_ENOTSUPP = 524


def attach(prog: Any, target: Any = None, **options: Any) -> BpfLink:
    """Attach to the function, tracepoint or hook that the spec's `attach_to` named.

    A replacement (freplace) stands in the place of the function until the link is closed.  `cookie` (fentry, fexit,
    fmod_ret: Linux 5.19; BTF tracepoints: 6.10) is what `bpf_get_attach_cookie` gives there.  Iterators and
    programs for many functions take options of their own: see `iter.attach` and `attach_multi`.
    """
    hook = prog.spec.expected_attach_type or 0
    if hook == A.TRACE_ITER:
        from .iter import attach as attach_iter

        return attach_iter(prog, **options)
    if hook in _MULTI:
        return attach_multi(prog, target, **options)
    return _attach(prog, hook, target, **options)


def _attach(prog: Any, hook: int, target: Any, *, cookie: int = 0) -> BpfLink:
    from ..syscall.objects import link_create, raw_tracepoint_open

    if target is not None and target != prog.spec.attach_to:
        raise SpecError(
            f"{prog!r} was loaded for {prog.spec.attach_to!r}: load spec.replace(attach_to={target!r}) instead"
        )
    what = str(prog.spec.attach_to)
    try:
        if cookie:
            return BpfLink(what, link_create(prog.fileno(), 0, hook, 0, pack("=2IQ", 0, 0, cookie), what))
        return BpfLink(what, raw_tracepoint_open(None, prog.fileno()))
    except SyscallError as error:
        if error.errno == _ENOTSUPP:
            raise NotSupportedError(
                f"attaching to {what}", hint="this machine's kernel has no BPF trampolines"
            ) from None
        error.hint = error.hint or f"attaching to {what}"
        raise


def attach_lsm(prog: Any, target: Any = None, *, cookie: int = 0) -> BpfLink:
    """Attach to a security hook: for the whole system, or (`lsm_cgroup`, Linux 6.0) for the processes of a cgroup.

    For programs of a cgroup `target` is the cgroup; the hook is the spec's `attach_to` in either case.  Programs
    for the whole system take effect only where "bpf" is among the active security modules (`pybpf doctor` tells).
    """
    if prog.spec.expected_attach_type == A.LSM_CGROUP:
        from ..syscall.objects import link_create
        from .cgroup import open_cgroup

        cgroup, name = open_cgroup(target)
        what = f"cgroup {name} ({prog.spec.attach_to})"
        with cgroup:
            return BpfLink(what, link_create(prog.fileno(), cgroup.fileno(), A.LSM_CGROUP, what=what))
    return _attach(prog, A.LSM_MAC, target, cookie=cookie)


def attach_multi(prog: Any, target: Sequence[str], *, cookies: Sequence[int] = ()) -> BpfLink:
    """Attach one program to many kernel functions at once (Linux 7.2): names, and a cookie for each if wanted."""
    from ..btf import Btf, Kind
    from ..syscall.door import address, buffer_of
    from ..syscall.objects import link_create

    names = [target] if isinstance(target, str) else list(target)
    if cookies and len(cookies) != len(names):
        raise SpecError(f"{len(names)} functions and {len(cookies)} cookies: give one for each")
    kernel = Btf.kernel()
    pairs = sorted(zip((kernel.find(n, Kind.FUNC).id for n in names), cookies or [0] * len(names), strict=True))
    ids = buffer_of(pack(f"={len(pairs)}I", *(p[0] for p in pairs)))
    values = buffer_of(pack(f"={len(pairs)}Q", *(p[1] for p in pairs)))
    what = f"{len(names)} functions"
    extra = pack("=2QI4x", address(ids), address(values) if cookies else 0, len(names))
    return BpfLink(what, link_create(prog.fileno(), 0, prog.spec.expected_attach_type, 0, extra, what))
