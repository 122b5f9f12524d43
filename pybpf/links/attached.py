"""What is attached to a hook now, whoever attached it and by whichever mechanism."""

from __future__ import annotations

from typing import NamedTuple

from ..errors import NotSupportedError, SpecError
from ..kernel.sections import find_section
from ..uapi import AttachType, ProgType, QueryFlags
from .found import links

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

    from ..kernel.sections import Section


class Attached(NamedTuple):
    """One attachment: the program's id, the link's (0 when it has none), and in words where it is."""

    prog_id: int
    link_id: int
    target: str


def attached(hook: str, target: Any = None, *, effective: bool = False) -> list[Attached]:
    """The programs at a hook, in the order in which they run where the kernel keeps one.

    `hook` is named as sections of object files are: "xdp", "tc", "cgroup/connect4", "sk_lookup", "lirc_mode2",
    "tp/sched/sched_switch", "kprobe/do_unlinkat", "fentry/do_unlinkat", "lsm/file_open", "iter/task", ...
    `target` is what `prog.attach` takes there: an interface ("xdp", "tc", "tcx/ingress", "netkit/primary"), a cgroup, a
    network namespace (None: the caller's), a live socket map or struct_ops map, a device.  Hooks of tracing have their
    target in the name, and without one all of the kind are meant.

    With `effective` the programs of the cgroups above are included, which run too.  Attachments of tracing are found by
    their links, and by the perf events that processes hold open; before Linux 6.6 there must be such a descriptor for
    their names to be known.  SpecError for a hook without a name, or one that lacks its target.
    """
    section = find_section(hook)
    query = _QUERIES.get(section.prog_type, _by_links)
    if section.attach_type in (AttachType.NETKIT_PRIMARY, AttachType.NETKIT_PEER):
        query = _tcx
    return list(query(section, target, effective))


def _needs(target: Any, section: Section, what: str) -> Any:
    if target is None:
        raise SpecError(f"what is attached at {section}? give {what}")
    return target


# -- hooks that the kernel can be asked about


def _query(fd: int, hook: int, where: str, flags: int = 0, **place: Any) -> Iterator[Attached]:
    """The answer of the kernel; which links they are, where it does not tell, by links at that `place` (in details)."""
    from ..syscall.progs import prog_query

    rows = prog_query(fd, hook, flags)[0]
    known: dict[int, list[int]] = {}
    if rows and not all(row[1] for row in rows):
        place["attach_type"] = AttachType(hook).name.lower()
        for found in _details():
            if place.items() <= found.items():
                known.setdefault(found["prog_id"], []).append(found["id"])
    for prog_id, link_id, _ in rows:
        links_of = known.get(prog_id)
        yield Attached(prog_id, link_id or (links_of.pop(0) if links_of else 0), where)


def _details() -> Iterator[dict[str, Any]]:
    for link in links():
        with link:
            yield link.details


def _cgroup(section: Section, target: Any, effective: bool) -> Iterator[Attached]:
    from os import fstat

    from .cgroup import open_cgroup

    if section.attach_type is None:
        raise SpecError(f"{section} is at two hooks: ask for cgroup_skb/ingress or cgroup_skb/egress")
    cgroup, name = open_cgroup(_needs(target, section, "the path of a cgroup"))
    with cgroup:
        where = f"{section} of cgroup {name}"
        if effective:
            yield from _query(cgroup.fileno(), section.attach_type, where, int(QueryFlags.EFFECTIVE))
        else:
            inode = fstat(cgroup.fileno()).st_ino
            yield from _query(cgroup.fileno(), section.attach_type, where, cgroup_id=inode)


def _netns(section: Section, target: Any, effective: bool) -> Iterator[Attached]:
    from os import fstat

    from .net import open_netns

    hook = AttachType.SK_LOOKUP if section.prog_type == ProgType.SK_LOOKUP else AttachType.FLOW_DISSECTOR
    where = f"{section} of network namespace {'this' if target is None else target}"
    with open_netns(target) as netns:
        yield from _query(netns.fileno(), hook, where, netns_ino=fstat(netns.fileno()).st_ino)


def _socket_map(section: Section, target: Any, effective: bool) -> Iterator[Attached]:
    live = _needs(target, section, "a live socket map")
    if section.attach_type is None:
        raise SpecError(
            "sk_skb is at three hooks: ask for sk_skb/stream_parser, sk_skb/stream_verdict or sk_skb/verdict"
        )
    fd = live if isinstance(live, int) else live.fileno()
    yield from _query(fd, section.attach_type, f"{section} of socket map {getattr(live, 'name', fd)}")


def _lirc(section: Section, target: Any, effective: bool) -> Iterator[Attached]:
    from .net import open_path

    path = target or "/dev/lirc0"
    with open_path(path, "infrared receiver") as device:
        yield from _query(device.fileno(), AttachType.LIRC_MODE2, path)


def _tcx(section: Section, target: Any, effective: bool) -> Iterator[Attached]:
    from .net import interface_index

    index = interface_index(_needs(target, section, "an interface"))
    yield from _query(index, int(section.attach_type or 0), f"{section} of interface {target}")


def _tc(section: Section, target: Any, effective: bool) -> Iterator[Attached]:
    """Both directions, unless the section says which; TCX runs before clsact."""
    from .. import features
    from ..uapi import LinkType
    from .net import interface_index
    from .tc import filters

    index = interface_index(_needs(target, section, "an interface"))
    both = {"ingress": AttachType.TCX_INGRESS, "egress": AttachType.TCX_EGRESS}
    for direction, hook in both.items():
        if section.attach_type in (None, hook):
            if features.have_link_type(LinkType.TCX):
                yield from _query(index, hook, f"tcx {direction} of interface {target}")
            if not section.name.startswith("tcx"):
                for prog_id, priority in filters(index, direction):
                    yield Attached(prog_id, 0, f"clsact {direction} of interface {target}, priority {priority}")


def _xdp(section: Section, target: Any, effective: bool) -> Iterator[Attached]:
    from .net import interface_index
    from .xdp import programs

    index = interface_index(_needs(target, section, "an interface"))
    by_program = {d["prog_id"]: d["id"] for d in _details() if d["type"] == "xdp" and d.get("ifindex") == index}
    for prog_id, mode in programs(index):
        yield Attached(prog_id, by_program.get(prog_id, 0), f"xdp ({mode}) of interface {target}")


# -- hooks that only links know


def _by_links(section: Section, target: Any, effective: bool) -> Iterator[Attached]:
    matches = _matcher(section, target)
    details = _details()
    if section.prog_type in (ProgType.TRACEPOINT, ProgType.KPROBE):
        from .perfevents import named

        details = named(details)
    for found in details:
        if matches(found):
            yield Attached(found["prog_id"], found["id"], found["target"])


def _matcher(section: Section, target: Any) -> Callable[[dict[str, Any]], bool]:
    name = section.target or (target if isinstance(target, str) else "")
    kind = section.prog_type
    if kind == ProgType.TRACEPOINT:
        return _perf("tracepoint", name.rpartition("/")[2])
    if kind == ProgType.PERF_EVENT:
        return _perf("event", name)
    if (
        kind in (ProgType.RAW_TRACEPOINT, ProgType.RAW_TRACEPOINT_WRITABLE)
        or section.attach_type == AttachType.TRACE_RAW_TP
    ):
        # Raw and BTF tracepoints have the same links.
        return lambda d: (
            d["type"] == "raw_tracepoint" and name in ("", d["tracepoint"]) and _prog_type(d["prog_id"]) == kind
        )
    if kind == ProgType.KPROBE:
        return _probe(section, name)
    if kind == ProgType.STRUCT_OPS:
        wanted = name or getattr(target, "name", "")
        return lambda d: d["type"] == "struct_ops" and wanted in ("", d["map"])
    if kind == ProgType.NETFILTER:
        return lambda d: d["type"] == "netfilter" and name in ("", d["hook"])
    if section.attach_type == AttachType.TRACE_ITER:
        return lambda d: d["type"] == "iter" and name in ("", d["kind"])
    if kind in (ProgType.TRACING, ProgType.LSM, ProgType.EXT):
        hook = "" if kind == ProgType.EXT else AttachType(int(section.attach_type or 0)).name.lower()
        prefix = "bpf_lsm_" if kind == ProgType.LSM else ""
        return lambda d: (
            d["type"] == "tracing"
            and (not hook or d["attach_type"] == hook)
            and name in ("", str(d["function"]).removeprefix(prefix))
        )
    raise NotSupportedError(f"telling what is attached at {section}", hint="the kernel keeps no list of them")


def _prog_type(id_: int) -> int:
    from ..syscall.fd import Fd
    from ..syscall.info import prog_info
    from ..syscall.objects import fd_by_id

    with Fd(fd_by_id("prog", id_)) as prog:
        return int(prog_info(prog.fileno()).type)


def _perf(event: str, name: str) -> Callable[[dict[str, Any]], bool]:
    def matches(found: dict[str, Any]) -> bool:
        if found["type"] == "perf_event" and not found["event"]:
            raise NotSupportedError("names of what perf event links are attached to", since="6.6")
        return found.get("event") == event and name in ("", found["name"])

    return matches


def _probe(section: Section, name: str) -> Callable[[dict[str, Any]], bool]:
    """kprobes and uprobes, each with its own links: of perf events, or of many places at once."""
    kind = section.name.removesuffix(".s")
    if kind in ("ksyscall", "kretsyscall"):
        from .kprobe import syscall_function

        kind, name = kind.replace("syscall", "probe"), name and syscall_function(name)
    if "." not in kind and kind.startswith("k"):
        return _perf(kind, name.partition("+")[0])
    returns = "ret" in kind
    if "." not in kind:
        return _user("perf_event", kind if kind != "usdt" else "uprobe", name, section)
    if kind.startswith("k"):
        return lambda d: (
            d["type"] == "kprobe_multi" and d["returns"] == returns and (not name or name in d["functions"])
        )
    return _user("uprobe_multi", "", name, section)


def _user(link: str, event: str, name: str, section: Section) -> Callable[[dict[str, Any]], bool]:
    """Probes of user space, by the file and the places in it that the name stands for."""
    from os.path import realpath

    if not name:
        return lambda d: d["type"] == link and event in ("", d.get("event"))
    if section.name.startswith("usdt"):
        from .usdt import sites

        path, found = sites(name)
        places = {site.offset for site in found}
    elif link == "uprobe_multi":
        from .uprobe import matching

        path, offsets = matching(name)
        places = set(offsets)
    else:
        from .uprobe import locate

        path, offset = locate(name)
        places = {offset}
    path = realpath(path)
    if link == "uprobe_multi":
        return lambda d: d["type"] == link and realpath(d["path"]) == path and bool(places & set(d["offsets"]))
    same = _perf(event, "")
    return lambda d: same(d) and realpath(d["name"]) == path and d["offset"] in places


_QUERIES: dict[int, Callable[[Section, Any, bool], Iterator[Attached]]] = {
    **dict.fromkeys(
        (
            *(ProgType.CGROUP_SKB, ProgType.CGROUP_SOCK, ProgType.CGROUP_SOCK_ADDR, ProgType.CGROUP_SOCKOPT),
            *(ProgType.CGROUP_DEVICE, ProgType.CGROUP_SYSCTL, ProgType.SOCK_OPS),
        ),
        _cgroup,
    ),
    **dict.fromkeys((ProgType.SK_LOOKUP, ProgType.FLOW_DISSECTOR), _netns),
    **dict.fromkeys((ProgType.SK_SKB, ProgType.SK_MSG), _socket_map),
    ProgType.LIRC_MODE2: _lirc,
    ProgType.SCHED_CLS: _tc,
    ProgType.XDP: _xdp,
}
