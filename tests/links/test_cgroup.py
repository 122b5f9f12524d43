"""cgroup hooks: what the processes of a cgroup may do, with this process inside it."""

from __future__ import annotations

import os
import socket
import subprocess

import pytest

from pybpf import NotSupportedError, SpecError, SyscallError, features
from pybpf.links import cgroup as hooks
from pybpf.uapi import AttachType as A
from pybpf.uapi import LinkType
from pybpf.uapi import ProgType as P

pytestmark = pytest.mark.kernel


def udp():
    return socket.socket(socket.AF_INET, socket.SOCK_DGRAM)


def connect4():
    with udp() as sock:
        sock.connect(("127.0.0.1", 9))


def connect6():
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as sock:
        sock.connect(("::1", 9))


def bind4():
    with udp() as sock:
        sock.bind(("127.0.0.1", 0))


def bind6():
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as sock:
        sock.bind(("::1", 0))


def send4():
    with udp() as sock:
        sock.sendto(b"x", ("127.0.0.1", 9))


def send6():
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as sock:
        sock.sendto(b"x", ("::1", 9))


def create():
    udp().close()


def get_option():
    with udp() as sock:
        sock.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)


def set_option():
    with udp() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)


def read_sysctl():
    with open("/proc/sys/kernel/ostype") as file:
        file.read()


def open_device():
    os.close(os.open("/dev/zero", os.O_RDONLY))


def unix_connect():
    with socket.socket(socket.AF_UNIX) as server, socket.socket(socket.AF_UNIX) as client:
        server.bind(b"\0pybpf-test-%d" % os.getpid())
        server.listen()
        client.connect(server.getsockname())


DENIED = [
    (P.CGROUP_SOCK_ADDR, A.CGROUP_INET4_CONNECT, connect4),
    (P.CGROUP_SOCK_ADDR, A.CGROUP_INET6_CONNECT, connect6),
    (P.CGROUP_SOCK_ADDR, A.CGROUP_INET4_BIND, bind4),
    (P.CGROUP_SOCK_ADDR, A.CGROUP_INET6_BIND, bind6),
    (P.CGROUP_SOCK_ADDR, A.CGROUP_UDP4_SENDMSG, send4),
    (P.CGROUP_SOCK_ADDR, A.CGROUP_UDP6_SENDMSG, send6),
    (P.CGROUP_SOCK_ADDR, A.CGROUP_UNIX_CONNECT, unix_connect),
    (P.CGROUP_SOCK, A.CGROUP_INET_SOCK_CREATE, create),
    (P.CGROUP_SOCK, A.CGROUP_INET4_POST_BIND, bind4),
    (P.CGROUP_SOCK, A.CGROUP_INET6_POST_BIND, bind6),
    (P.CGROUP_SOCKOPT, A.CGROUP_GETSOCKOPT, get_option),
    (P.CGROUP_SOCKOPT, A.CGROUP_SETSOCKOPT, set_option),
    (P.CGROUP_SYSCTL, A.CGROUP_SYSCTL, read_sysctl),
    (P.CGROUP_DEVICE, A.CGROUP_DEVICE, open_device),
    (P.CGROUP_SKB, A.CGROUP_INET_EGRESS, send4),
]


@pytest.mark.parametrize(("prog_type", "hook", "act"), DENIED, ids=lambda v: getattr(v, "name", None))
def test_a_call_is_denied_until_detached(cgroup, counting, prog_type, hook, act):
    if not features.have_attach_type(hook):
        pytest.skip(f"this kernel has no {hook.name}")
    act()
    prog, hits = counting(prog_type, hook, returns=0)
    with prog.attach(cgroup) as link:
        with pytest.raises(PermissionError):
            act()
        assert hits() >= 1
        assert link.info.type == LinkType.CGROUP
        assert hooks.query(cgroup, hook) == [prog.id]
    act()


SEEN = [
    (P.CGROUP_SKB, A.CGROUP_INET_INGRESS, lambda: receive(socket.AF_INET, "127.0.0.1")),
    (P.CGROUP_SOCK, A.CGROUP_INET_SOCK_RELEASE, create),
    (P.SOCK_OPS, A.CGROUP_SOCK_OPS, lambda: tcp()),
    (P.CGROUP_SOCK_ADDR, A.CGROUP_UDP4_RECVMSG, lambda: receive(socket.AF_INET, "127.0.0.1")),
    (P.CGROUP_SOCK_ADDR, A.CGROUP_UDP6_RECVMSG, lambda: receive(socket.AF_INET6, "::1")),
    (P.CGROUP_SOCK_ADDR, A.CGROUP_INET4_GETSOCKNAME, lambda: names(socket.AF_INET, "127.0.0.1")),
    (P.CGROUP_SOCK_ADDR, A.CGROUP_INET6_GETSOCKNAME, lambda: names(socket.AF_INET6, "::1")),
    (P.CGROUP_SOCK_ADDR, A.CGROUP_INET4_GETPEERNAME, lambda: names(socket.AF_INET, "127.0.0.1")),
    (P.CGROUP_SOCK_ADDR, A.CGROUP_INET6_GETPEERNAME, lambda: names(socket.AF_INET6, "::1")),
]


def tcp():
    with socket.create_server(("127.0.0.1", 0)) as server:
        socket.create_connection(server.getsockname()).close()


def receive(family, address):
    with socket.socket(family, socket.SOCK_DGRAM) as sock:
        sock.bind((address, 0))
        sock.sendto(b"x", sock.getsockname())
        assert sock.recvfrom(10)[0] == b"x"


def names(family, address):
    with socket.socket(family, socket.SOCK_DGRAM) as sock:
        sock.connect((address, 9))
        sock.getsockname()
        sock.getpeername()


@pytest.mark.parametrize(("prog_type", "hook", "act"), SEEN, ids=lambda v: getattr(v, "name", None))
def test_a_call_is_seen(cgroup, counting, prog_type, hook, act):
    if not features.have_attach_type(hook):
        pytest.skip(f"this kernel has no {hook.name}")
    prog, hits = counting(prog_type, hook, returns=1)
    with prog.attach(cgroup):
        act()
        seen = hits()
        assert seen >= 1
    act()
    assert hits() == seen


@pytest.mark.parametrize("mode", ["multi", "override", "exclusive"])
def test_without_a_link(cgroup, counting, mode):
    prog, _ = counting(P.CGROUP_SOCK_ADDR, A.CGROUP_INET4_CONNECT, returns=0)
    with prog.attach(cgroup, mode=mode) as link:
        with pytest.raises(PermissionError):
            connect4()
        with pytest.raises(NotSupportedError, match="older than links"):
            link.pin("/sys/fs/bpf/x")
    connect4()


def test_replace(cgroup, counting):
    denying, _ = counting(P.CGROUP_SOCK_ADDR, A.CGROUP_INET4_CONNECT, returns=0)
    allowing, hits = counting(P.CGROUP_SOCK_ADDR, A.CGROUP_INET4_CONNECT, returns=1)
    old = denying.attach(cgroup, mode="multi")
    with allowing.attach(cgroup, replace=denying):
        connect4()
        assert hits() == 1
    old.close()


def test_effective_programs_come_from_above(cgroup, counting):
    below = cgroup / "below"
    below.mkdir()
    prog, _ = counting(P.CGROUP_SOCK_ADDR, A.CGROUP_INET4_CONNECT, returns=1)
    try:
        with prog.attach(cgroup):
            assert hooks.query(below, A.CGROUP_INET4_CONNECT) == []
            assert prog.id in hooks.query(below, A.CGROUP_INET4_CONNECT, effective=True)
    finally:
        below.rmdir()


def test_order(cgroup, counting):
    first, _ = counting(P.CGROUP_SOCK_ADDR, A.CGROUP_INET4_CONNECT, returns=1)
    second, _ = counting(P.CGROUP_SOCK_ADDR, A.CGROUP_INET4_CONNECT, returns=1)
    with first.attach(cgroup) as there:
        try:
            link = second.attach(cgroup, before=there)
        except SyscallError as why:
            pytest.skip(f"this kernel does not order cgroup programs: {why.strerror}")
        with link:
            assert hooks.query(cgroup, A.CGROUP_INET4_CONNECT) == [second.id, first.id]


@pytest.mark.parametrize("mode", ["", "multi"])
def test_when_the_process_is_killed(cgroup, killed, mode):
    kill = killed(f"""
        from pybpf import load
        from pybpf.dsl.kinds import cgroup_connect4
        @cgroup_connect4
        def deny(ctx):
            return 0
        prog = load(deny)
        link = prog.attach({str(cgroup)!r}, mode={mode!r})
    """)
    with pytest.raises(PermissionError):
        connect4()
    kill()
    if mode:
        with pytest.raises(PermissionError):
            connect4()
        assert hooks.detach(cgroup, A.CGROUP_INET4_CONNECT) == 1
    connect4()


def test_a_pinned_link_outlives_its_process(cgroup, killed):
    path = f"/sys/fs/bpf/pybpf-test-{os.getpid()}"
    kill = killed(f"""
        import warnings
        from pybpf import load
        from pybpf.dsl.kinds import cgroup_connect4
        @cgroup_connect4
        def deny(ctx):
            return 0
        warnings.simplefilter("ignore")
        prog = load(deny)
        prog.attach({str(cgroup)!r}).pin({path!r})
    """)
    kill()
    try:
        with pytest.raises(PermissionError):
            connect4()
    finally:
        os.unlink(path)
    for _ in range(50):  # the kernel frees the last reference in a worker
        try:
            connect4()
            break
        except PermissionError:
            subprocess.run(["sleep", "0.1"], check=True)
    connect4()


def test_errors(cgroup, counting):
    prog, _ = counting(P.CGROUP_SKB, returns=1)
    with pytest.raises(SpecError, match="hook='ingress'"):
        prog.attach(cgroup)
    with prog.attach(cgroup, hook="egress"):
        pass
    with pytest.raises(SyscallError, match="cgroup '/nosuch'"):
        prog.attach("/nosuch", hook="egress")
    with pytest.raises(NotSupportedError, match="no cgroup v2"):
        prog.attach("/tmp", hook="egress")
    with pytest.raises(SpecError, match="'shared'"):
        prog.attach(cgroup, hook="egress", mode="shared")
