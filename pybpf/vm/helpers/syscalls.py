"""bpf(2) from programs of type SYSCALL, as loader programs use it: the commands on maps.

Descriptors are numbers of the machine, from 3; `bpf_sys_bpf` opens maps, by id or new ones, and `bpf_sys_close` closes them.
"""

from __future__ import annotations

import ctypes
from errno import E2BIG, EBADF, EFAULT, EINVAL, ENOENT

from ...errors import NotSupportedError, SpecError, SyscallError
from ...spec import MapSpec
from ...uapi.cmd import Cmd
from ..maps import References
from ..maps.base import F_LOCK
from ..memory import MemoryFault
from ..views import Raw
from .table import model

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from ..maps import OfflineMap
    from ..run import Run

_FIRST = 3  # behind those of standard input, output and error


def _open(run: Run, found: OfflineMap) -> int:
    descriptors = run.vm.descriptors
    number = next(n for n in range(_FIRST, _FIRST + len(descriptors) + 1) if n not in descriptors)
    descriptors[number] = found
    return number


def _create(run: Run, attr: Any) -> int:
    inner = run.vm.descriptors.get(attr.inner_map_fd) if attr.inner_map_fd else None
    if attr.inner_map_fd and inner is None:
        return -EBADF
    try:
        spec = MapSpec(
            attr.map_type,
            attr.key_size,
            attr.value_size,
            attr.max_entries,
            attr.map_flags,
            name=attr.map_name.decode("latin-1"),
            inner=None if inner is None else inner.spec,
            map_extra=attr.map_extra,
        )
        return _open(run, run.vm.mapset.new(spec))
    except SpecError:
        return -EINVAL


def _writable(run: Run, number: int) -> tuple[OfflineMap, Raw] | int:
    """The map behind a descriptor and its bytes as user space writes them, or the error."""
    found = run.vm.descriptors.get(number)
    if found is None:
        return -EBADF
    raw = run.vm.mapset.view(found).raw
    assert isinstance(raw, Raw)
    raw.permit("BPF_MAP_UPDATE_ELEM", write=True)
    return found, raw


def _update(run: Run, attr: Any) -> int:
    opened = _writable(run, attr.map_fd)
    if isinstance(opened, int):
        return opened
    found, raw = opened
    if attr.flags & F_LOCK and not found.has_lock:
        return -EINVAL
    key = run.mem.read(attr.key, found.key_size)
    cpus = run.env.cpus if found.per_cpu else 0
    value = run.mem.read(attr.value, -(-found.value_size // 8) * 8 * cpus if cpus else found.value_size)
    if isinstance(found, References):
        target = run.vm.descriptors.get(int.from_bytes(value, "little"))
        return -EBADF if target is None else found.put(key, target, attr.flags)
    return -raw.update(key, value, attr.flags)


def _delete(run: Run, attr: Any) -> int:
    opened = _writable(run, attr.map_fd)
    if isinstance(opened, int):
        return opened
    found, raw = opened
    return -raw.delete(run.mem.read(attr.key, found.key_size))


def _freeze(run: Run, attr: Any) -> int:
    found = run.vm.descriptors.get(attr.map_fd)
    if found is None:
        return -EBADF
    run.vm.mapset.view(found).freeze()  # type: ignore[attr-defined]
    return 0


def _by_id(run: Run, attr: Any) -> int:
    found = next((one for one in run.vm.mapset if one.id == attr.map_id), None)
    return -ENOENT if found is None else _open(run, found)


_COMMANDS: dict[int, tuple[Callable[[Run, Any], int], str]] = {
    Cmd.MAP_CREATE: (_create, "excl_prog_hash_size"),
    Cmd.MAP_UPDATE_ELEM: (_update, "flags"),
    Cmd.MAP_DELETE_ELEM: (_delete, "key"),
    Cmd.MAP_FREEZE: (_freeze, "map_fd"),
    Cmd.MAP_GET_FD_BY_ID: (_by_id, "fd_by_id_token_fd"),
}
"""Each with the last of its attributes: those behind must be zero."""
_OF_KERNEL = (Cmd.PROG_LOAD, Cmd.BTF_LOAD, Cmd.LINK_CREATE, Cmd.RAW_TRACEPOINT_OPEN)
"""What the kernel also lets programs do, but a machine cannot."""


@model
def sys_bpf(run: Run, cmd: int, attr: int, attr_size: int) -> int:
    from ...uapi.attr import BpfAttr

    cmd &= 0xFFFFFFFF
    raw = run.mem.read(attr, attr_size & 0xFFFFFFFF)
    if cmd in _OF_KERNEL:
        raise NotSupportedError(
            f"bpf_sys_bpf({Cmd(cmd).name}) in the offline machine",
            hint='give the test\'s own: vm.helper("sys_bpf", lambda cmd, attr, attr_size: 0)',
        )
    if cmd not in _COMMANDS:
        return -EINVAL
    if any(raw[ctypes.sizeof(BpfAttr) :]):
        return -E2BIG
    given = BpfAttr.from_buffer_copy(raw.ljust(ctypes.sizeof(BpfAttr), b"\0")[: ctypes.sizeof(BpfAttr)])
    command, last = _COMMANDS[cmd]
    field = getattr(BpfAttr, last)
    if any(raw[field.offset + field.size :]):
        return -EINVAL
    try:
        return command(run, given)
    except MemoryFault:
        return -EFAULT
    except SyscallError as error:
        return -(error.errno or EINVAL)


@model
def sys_close(run: Run, fd: int) -> int:
    return 0 if run.vm.descriptors.pop(fd & 0xFFFFFFFF, None) is not None else -EBADF
