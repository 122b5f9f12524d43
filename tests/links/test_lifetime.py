"""How long attachments last: links of every type are updated, pinned, found again, and end with a process that is killed."""

from __future__ import annotations

import os
import subprocess
import time
from types import SimpleNamespace

import pytest

from pybpf import BpfError, Link, NotSupportedError, SockMap, attached, features, links
from pybpf.links import cgroup as cgroups
from pybpf.links import lwt, tc, xdp
from pybpf.maps.create import create
from pybpf.uapi import AttachType as A
from pybpf.uapi import LinkType as L
from pybpf.uapi import ProgType as P

pytestmark = pytest.mark.kernel

# link type: program type, attach type, what it returns, options of the program, target ("" for the fixture's), options
TYPES = {
    L.XDP: (P.XDP, A.XDP, 2, {}, "interface", {"mode": "generic"}),
    L.TCX: (P.SCHED_CLS, None, -1, {}, "interface", {"mechanism": "tcx"}),
    L.CGROUP: (P.CGROUP_SOCK_ADDR, A.CGROUP_INET4_CONNECT, 1, {}, "cgroup", {}),
    L.NETNS: (P.SK_LOOKUP, A.SK_LOOKUP, 1, {}, "namespace", {}),
    L.NETFILTER: (P.NETFILTER, A.NETFILTER, 1, {}, "ipv4/output", {"priority": -55}),
    L.SOCKMAP: (P.SK_MSG, A.SK_MSG_VERDICT, 1, {}, "socket map", {}),
    L.RAW_TRACEPOINT: (P.RAW_TRACEPOINT, None, 0, {}, "sched_process_exec", {}),
    L.PERF_EVENT: (P.TRACEPOINT, None, 0, {}, "sched/sched_process_exec", {}),
    L.UPROBE_MULTI: (P.KPROBE, A.TRACE_UPROBE_MULTI, 0, {}, "libc.so.6:getpgi[d]", {}),
    L.KPROBE_MULTI: (P.KPROBE, A.TRACE_KPROBE_MULTI, 0, {}, ["security_inode_mkdir"], {}),
    L.TRACING: (P.TRACING, A.TRACE_FENTRY, 0, {"attach_to": "security_inode_mkdir"}, None, {}),
    L.ITER: (P.TRACING, A.TRACE_ITER, 0, {"attach_to": "task"}, None, {}),
}
UPDATED = {L.XDP, L.TCX, L.CGROUP, L.NETNS, L.SOCKMAP, L.ITER}
ALL = pytest.mark.parametrize("kind", TYPES, ids=lambda kind: kind.name.lower())


@pytest.fixture
def attach(kind, counting, request):
    """`attach()`: a link of the type, and its program."""
    if not features.have_link_type(kind):
        pytest.skip(f"this kernel has no {kind.name} links")
    prog_type, hook, returns, options, target, how = TYPES[kind]
    if hook is not None and not features.have_attach_type(hook):
        pytest.skip(f"this kernel has no {hook.name}")
    live = None
    if target == "interface":
        target = request.getfixturevalue("pair").name
    elif target == "cgroup":
        target = request.getfixturevalue("cgroup")
    elif target == "namespace":
        target = request.getfixturevalue("pair").netns
    elif target == "socket map":
        target = live = create(SockMap(max_entries=2), "socks")

    def make():
        prog, _ = counting(prog_type, hook, returns=returns, **options)
        return prog, prog.attach(target, **how)

    make.another = lambda: counting(prog_type, hook, returns=returns, **options)[0]
    yield make
    if live is not None:
        live.close()


def gone(id_):
    """The kernel frees a link in a worker, and others may list it for a moment."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        if id_ not in {link.id for link in links()}:
            return True
        time.sleep(0.02)
    return False


@ALL
def test_another_program_takes_the_place(kind, attach):
    prog, link = attach()
    other = attach.another()
    with link:
        assert link.info.prog_id == prog.id
        if kind in UPDATED:
            try:
                link.update(other, old=prog)
            except BpfError:
                assert kind == L.SOCKMAP  # which cannot before Linux 6.10, as the others can where they exist
                return
            assert link.info.prog_id == other.id
            with pytest.raises(BpfError):  # it is not the one that is there now
                link.update(prog, old=prog)
            link.update(prog)
            assert link.info.prog_id == prog.id
        else:
            with pytest.raises(BpfError):
                link.update(other)
            assert link.info.prog_id == prog.id


@ALL
def test_a_pin_keeps_it(kind, attach):
    prog, link = attach()
    path = f"/sys/fs/bpf/pybpf-life-{os.getpid()}"
    link.pin(path)
    try:
        id_ = link.id
        link.close()
        with Link.from_pin(path) as again:
            assert (again.id, again.info.type, again.info.prog_id) == (id_, kind, prog.id)
            assert again.details["type"] == kind.name.lower()
        with Link.from_id(id_) as again:
            assert again.id == id_
    finally:
        os.unlink(path)
    assert gone(id_)


@ALL
def test_it_ends_although_others_hold_it(kind, attach):
    """`detach_now` leaves the link in their hands, attached to nothing; where the kernel cannot, it says so."""
    _, link = attach()
    with link:
        try:
            link.detach_now()
        except BpfError:
            assert kind not in UPDATED - {L.ITER, L.SOCKMAP}
        else:
            assert link.info.type == kind


def test_a_killed_process_leaves_no_link(pair, cgroup, killed, tmp_path):
    """One process attaches by every mechanism that this kernel has, and is killed with -9."""
    before = {link.id for link in links()}
    kill = killed(f"""
        import os, sys
        sys.path.insert(0, os.getcwd())
        from pybpf import features, load, NotSupportedError, SyscallError
        from pybpf.dsl.kinds import program
        from pybpf.uapi import AttachType as A, LinkType as L, ProgType as P
        from tests.links.test_lifetime import TYPES
        places = {{"interface": {pair.name!r}, "cgroup": {str(cgroup)!r}, "namespace": {pair.netns!r}}}
        kept = []
        for kind, (prog_type, hook, returns, options, target, how) in TYPES.items():
            if target == "socket map" or not features.have_link_type(kind) or (hook and not features.have_attach_type(hook)):
                continue
            @program(prog_type, hook, **options)
            def f(ctx):
                return returns
            prog = load(f)
            kept.append((prog, prog.attach(places.get(target, target) if isinstance(target, str) else target, **how)))
    """)
    made = {link.id for link in links()} - before
    assert len(made) >= 2
    kill()
    assert all(gone(id_) for id_ in made)


def test_mechanisms_older_than_links_say_so(pair, counting):
    pytest.importorskip("pyroute2")
    prog, _ = counting(P.SCHED_CLS)
    with prog.attach(pair.name, mechanism="clsact") as link:
        for refused in (lambda: link.pin("/sys/fs/bpf/x"), lambda: link.info):
            with pytest.raises(NotSupportedError, match="older than links"):
                refused()
    assert "stays when the process is killed" in type(link).__doc__
    tc.cleanup(pair.name)


# what attaches, what shows that it is still there, what cleans up; each in a scope with `name`, `cgroup` and `net`
OLDER = {
    "clsact": (
        'program(P.SCHED_CLS), (name,), {"mechanism": "clsact"}',
        lambda at: attached("tc", at.name),
        lambda at: tc.cleanup(at.name),
    ),
    "xdp": (
        'program(P.XDP, A.XDP), (name,), {"mechanism": "netlink", "mode": "generic"}',
        lambda at: attached("xdp", at.name),
        lambda at: xdp.detach(at.name, mode="generic"),
    ),
    "cgroup": (
        'program(P.CGROUP_DEVICE, A.CGROUP_DEVICE), (cgroup,), {"mode": "multi"}',
        lambda at: attached("cgroup/dev", at.cgroup),
        lambda at: cgroups.detach(at.cgroup, A.CGROUP_DEVICE),
    ),
    "route": (
        'program(P.LWT_OUT), ("198.18.77.0/24",), {"device": name}',
        lambda at: subprocess.run(["ip", "route", "show", "198.18.77.0/24"], capture_output=True).stdout,
        lambda at: lwt.cleanup("198.18.77.0/24", device=at.name),
    ),
}


@pytest.mark.parametrize("case", OLDER)
def test_what_is_older_than_links_stays_until_it_is_cleaned_up(case, pair, cgroup, killed):
    pytest.importorskip("pyroute2")
    how, there, clean = OLDER[case]
    at = SimpleNamespace(name=pair.name, cgroup=str(cgroup))
    kill = killed(f"""
        import os, sys
        sys.path.insert(0, os.getcwd())
        from pybpf import load
        from pybpf.dsl.kinds import program
        from pybpf.uapi import AttachType as A, ProgType as P
        name, cgroup = {pair.name!r}, {str(cgroup)!r}
        kind, where, options = {how}
        @kind
        def f(ctx):
            return 1 if {case == "cgroup"} else 2 if {case == "xdp"} else 0
        prog = load(f)
        link = prog.attach(*where, **options)
    """)
    kill()
    assert there(at)
    clean(at)
    assert not there(at)
    clean(at)
