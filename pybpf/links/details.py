"""What a link is attached to, with names: what `bpf_link_info` has in numbers, addresses and places for text."""

from __future__ import annotations

from ctypes import sizeof

from ..errors import BpfError
from ..syscall.btf import btf_info
from ..syscall.door import address, buffer_of
from ..syscall.fd import Fd
from ..syscall.info import prog_info
from ..syscall.objects import fd_by_id, obj_info
from ..uapi import AttachType, LinkInfo, LinkType, MapInfo, named
from ..uapi import PerfEventType as Perf

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from ..btf import Btf

    Details = dict[str, Any]

_ROOM = 4096  # bytes for a name or a path


def details(fd: int) -> Details:
    """What the kernel tells about a link: its type, program, and what it is attached to, by names where there are any.

    Every link has "id", "type", "prog_id" and "target", which says the rest in words; the others depend on the type.
    """
    info = link_info(fd)
    kind = named(LinkType, info.type)
    found: Details = {
        "id": info.id,
        "type": kind.name.lower() if isinstance(kind, LinkType) else str(info.type),
        "prog_id": info.prog_id,
    }
    describe = _DESCRIBE.get(info.type)
    more, words = describe(fd, info) if describe else ({}, "")
    return {**found, **more, "target": words}


def link_info(fd: int, **places: Any) -> LinkInfo:
    """`struct bpf_link_info`; `places` are the members of its part that are to be set beforehand, by dotted name."""
    asked = LinkInfo()
    for name, value in places.items():
        *path, last = name.split("__")
        part: Any = asked
        for step in path:
            part = getattr(part, step)
        setattr(part, last, value)
    size = sizeof(LinkInfo)
    return LinkInfo.from_buffer_copy(obj_info(fd, size, bytes(asked)).ljust(size, b"\0"))


def _text(fd: int, member: str, length: str) -> str:
    """A text that the kernel writes where it is told to, as `raw_tracepoint__tp_name`."""
    memory = bytearray(_ROOM)
    try:
        link_info(fd, **{member: address(buffer_of(memory)), length: _ROOM})
    except BpfError:
        return ""  # an older kernel has none
    return memory[: memory.find(0)].decode(errors="surrogateescape")


def _numbers(fd: int, part: str, member: str, count: int) -> list[int]:
    """An array of 64-bit numbers."""
    from struct import unpack

    memory = bytearray(8 * count)
    try:
        link_info(fd, **{f"{part}__{member}": address(buffer_of(memory)), f"{part}__count": count})
    except BpfError:
        return []
    return list(unpack(f"={count}Q", memory))


def hook_name(number: int) -> str:
    found = named(AttachType, number)
    return found.name.lower() if isinstance(found, AttachType) else str(number)


# -- one function a type of link: its part of the details, and the words


def _raw_tracepoint(fd: int, info: Any) -> tuple[Details, str]:
    name = _text(fd, "raw_tracepoint__tp_name", "raw_tracepoint__tp_name_len")
    return {"tracepoint": name, "cookie": info.raw_tracepoint.cookie}, name


def _tracing(fd: int, info: Any) -> tuple[Details, str]:
    part = info.tracing
    hook, function = hook_name(part.attach_type), _function(info)
    return {"attach_type": hook, "function": function, "cookie": part.cookie}, f"{hook} {function}".strip()


def _function(info: Any) -> str:
    """The name of what a tracing program is attached to; the program knows its BTF (Linux 5.17), else it is the kernel's."""
    from ..btf import Btf

    try:
        with Fd(fd_by_id("prog", info.prog_id)) as prog:
            target = prog_info(prog.fileno())
        number = target.attach_btf_id or info.tracing.target_btf_id
        types = _btf(target.attach_btf_obj_id) if target.attach_btf_obj_id else Btf.kernel()
        return str(types.type(number).name) if number else ""
    except (BpfError, OSError):
        return ""


def _btf(id_: int) -> Btf:
    """The types that the kernel holds under an id: its own, a module's, or a program's."""
    from ..btf import Btf

    with Fd(fd_by_id("btf", id_)) as fd:
        _, size, name, of_kernel = btf_info(fd.fileno())
        if of_kernel:
            return Btf.of_module(name)
        raw = bytearray(size)
        btf_info(fd.fileno(), raw)
        return Btf.parse(bytes(raw))


def _cgroup(fd: int, info: Any) -> tuple[Details, str]:
    part = info.cgroup
    hook, path = hook_name(part.attach_type), cgroup_path(part.cgroup_id)
    return (
        {"attach_type": hook, "cgroup_id": part.cgroup_id, "cgroup": path},
        f"{hook} {path or f'cgroup {part.cgroup_id}'}",
    )


def cgroup_path(id_: int) -> str:
    """The directory of a cgroup, whose id is its inode; "" when it is not below a mounted cgroup v2."""
    from os import stat, walk

    from ..features.host import mounts

    for mount in mounts("cgroup2")[:1]:
        for path, _, _ in walk(mount):
            try:
                if stat(path).st_ino == id_:
                    return path
            except OSError:
                continue
    return ""


def _iter(fd: int, info: Any) -> tuple[Details, str]:
    name = _text(fd, "iter__target_name", "iter__target_name_len")
    found: Details = {"kind": name}
    if "map" in name:
        found["map_id"] = info.iter.map.map_id
    elif name == "cgroup":
        found.update(cgroup_id=info.iter.cgroup.cgroup_id, order=info.iter.cgroup.order)
    elif name.startswith("task"):
        found.update(tid=info.iter.task.tid, pid=info.iter.task.pid)
    return found, f"iterator {name}" + (f" of map {found['map_id']}" if found.get("map_id") else "")


def _netns(fd: int, info: Any) -> tuple[Details, str]:
    part = info.netns
    hook, name = hook_name(part.attach_type), netns_name(part.netns_ino)
    return (
        {"attach_type": hook, "netns_ino": part.netns_ino, "netns": name},
        f"{hook} {f'network namespace {name or part.netns_ino}' if part.netns_ino else 'a network namespace that is gone'}",
    )


def netns_name(inode: int) -> str:
    """The name of a network namespace that `ip netns` made, "this" for the caller's own, or ""."""
    from os import scandir, stat

    if stat("/proc/thread-self/ns/net").st_ino == inode:
        return "this"
    try:
        with scandir("/run/netns") as entries:
            return next((entry.name for entry in entries if entry.stat().st_ino == inode), "")
    except OSError:
        return ""


def _device(part: str) -> Callable[[int, Any], tuple[Details, str]]:
    """XDP, TCX, netkit: an interface, and which side of it."""

    def describe(fd: int, info: Any) -> tuple[Details, str]:
        found = getattr(info, part)
        name = interface_name(found.ifindex)
        hook = hook_name(found.attach_type) if hasattr(found, "attach_type") else "xdp"
        where = f"interface {name or found.ifindex}" if found.ifindex else "an interface that is gone, or detached"
        return {"attach_type": hook, "ifindex": found.ifindex, "interface": name}, f"{hook} {where}"

    return describe


def interface_name(index: int) -> str:
    """The name of an interface; "" when the caller's network namespace has none of that number."""
    from socket import if_indextoname

    try:
        return if_indextoname(index)
    except OSError:
        return ""


def _struct_ops(fd: int, info: Any) -> tuple[Details, str]:
    found = _map(info.struct_ops.map_id)
    return found, f"structure {found['map'] or found['map_id']}"


def _sockmap(fd: int, info: Any) -> tuple[Details, str]:
    hook, found = hook_name(info.sockmap.attach_type), _map(info.sockmap.map_id)
    return {"attach_type": hook, **found}, f"{hook} socket map {found['map'] or found['map_id']}"


def _map(id_: int) -> Details:
    try:
        with Fd(fd_by_id("map", id_)) as fd:
            raw = obj_info(fd.fileno(), sizeof(MapInfo)).ljust(sizeof(MapInfo), b"\0")
            name = MapInfo.from_buffer_copy(raw).name.decode(errors="replace")
    except BpfError:
        name = ""
    return {"map_id": id_, "map": name}


def _netfilter(fd: int, info: Any) -> tuple[Details, str]:
    from .netfilter import FAMILIES, HOOKS

    part = info.netfilter
    family = {number: name for name, number in FAMILIES.items()}.get(part.pf, str(part.pf))
    hook = {number: name for name, number in HOOKS.items()}.get(part.hooknum, str(part.hooknum))
    where = f"{family}/{hook}"
    return (
        {"hook": where, "priority": part.priority, "defragment": bool(part.flags & 1)},
        f"netfilter {where} at priority {part.priority}",
    )


def _kprobe_multi(fd: int, info: Any) -> tuple[Details, str]:
    part = info.kprobe_multi
    returns = bool(part.flags & 1)
    addresses = _numbers(fd, "kprobe_multi", "addrs", part.count)
    found = {
        "count": part.count,
        "returns": returns,
        "functions": _symbols(addresses),
        "cookies": _numbers(fd, "kprobe_multi", "cookies", part.count),
        "missed": part.missed,
    }
    some = ", ".join(found["functions"][:3]) + (", ..." if part.count > 3 else "")
    return found, f"{'return of ' if returns else ''}{part.count} kernel functions{f': {some}' if some else ''}"


def _symbols(addresses: list[int]) -> list[str]:
    """Names of kernel functions by their addresses; those that are hidden or unknown are left out."""
    wanted = {one for one in addresses if one}
    if not wanted:
        return []
    names: dict[int, str] = {}
    with open("/proc/kallsyms", encoding="ascii", errors="replace") as file:
        for line in file:
            where, kind, name = line.split(None, 3)[:3]
            if kind in "tTwW" and int(where, 16) in wanted:
                names.setdefault(int(where, 16), name)
    return [names[one] for one in addresses if one in names]


def _uprobe_multi(fd: int, info: Any) -> tuple[Details, str]:
    part = info.uprobe_multi
    returns, path = bool(part.flags & 1), _text(fd, "uprobe_multi__path", "uprobe_multi__path_size")
    found = {
        "path": path,
        "count": part.count,
        "returns": returns,
        "offsets": _numbers(fd, "uprobe_multi", "offsets", part.count),
        "cookies": _numbers(fd, "uprobe_multi", "cookies", part.count),
        "pid": part.pid,
    }
    return found, f"{'return of ' if returns else ''}{part.count} places in {path}"


def _perf_event(fd: int, info: Any) -> tuple[Details, str]:
    part = info.perf_event
    kind = part.type
    if kind == Perf.TRACEPOINT:
        name = _text(fd, "perf_event__tracepoint__tp_name", "perf_event__tracepoint__name_len")
        return {"event": "tracepoint", "name": name, "cookie": part.tracepoint.cookie}, f"tracepoint {name}"
    if kind in (Perf.KPROBE, Perf.KRETPROBE):
        name = _text(fd, "perf_event__kprobe__func_name", "perf_event__kprobe__name_len")
        event, probe = ("kprobe" if kind == Perf.KPROBE else "kretprobe"), part.kprobe
        where = (name or f"{probe.addr:#x}") + (f"+{probe.offset:#x}" if probe.offset else "")
        more = {"address": probe.addr, "missed": probe.missed}
    elif kind in (Perf.UPROBE, Perf.URETPROBE):
        name = _text(fd, "perf_event__uprobe__file_name", "perf_event__uprobe__name_len")
        event, probe = ("uprobe" if kind == Perf.UPROBE else "uretprobe"), part.uprobe
        where, more = f"{name}+{probe.offset:#x}", {"semaphore": probe.ref_ctr_offset}
    elif kind == Perf.EVENT:
        name = _event(part.event.type, part.event.config)
        numbers = {"perf_type": part.event.type, "config": part.event.config, "cookie": part.event.cookie}
        return {"event": "event", "name": name, **numbers}, f"perf event {name}"
    else:
        return {"event": ""}, "a perf event"  # before Linux 6.6 the kernel tells no more
    return {"event": event, "name": name, "offset": probe.offset, "cookie": probe.cookie, **more}, f"{event} {where}"


def _event(kind: int, config: int) -> str:
    """As `perf.attach` calls it; the clocks have become devices of their own, whose number the kernel tells then."""
    from glob import glob

    from .perf import EVENTS

    known = next((name for name, pair in EVENTS.items() if pair == (kind, config)), "")
    for path in glob("/sys/bus/event_source/devices/*/type") if not known else ():
        with open(path, encoding="ascii") as file:
            if int(file.read()) == kind:
                device = path.split("/")[-2]
                clock = device.replace("_", "-")
                return clock if clock in EVENTS and not config else f"{device}:{config:#x}"
    return known or f"{kind}:{config:#x}"


_DESCRIBE: dict[int, Callable[[int, Any], tuple[Details, str]]] = {
    LinkType.RAW_TRACEPOINT: _raw_tracepoint,
    LinkType.TRACING: _tracing,
    LinkType.CGROUP: _cgroup,
    LinkType.ITER: _iter,
    LinkType.NETNS: _netns,
    LinkType.XDP: _device("xdp"),
    LinkType.PERF_EVENT: _perf_event,
    LinkType.KPROBE_MULTI: _kprobe_multi,
    LinkType.STRUCT_OPS: _struct_ops,
    LinkType.NETFILTER: _netfilter,
    LinkType.TCX: _device("tcx"),
    LinkType.UPROBE_MULTI: _uprobe_multi,
    LinkType.NETKIT: _device("netkit"),
    LinkType.SOCKMAP: _sockmap,
}
