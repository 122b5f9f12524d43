"""struct_ops: a TCP congestion control made of programs, used by a real connection."""

import socket

import pytest

from pybpf import NotSupportedError, ProgramSpec, SpecError, StructOps, SyscallError, asm, features, load_collection
from pybpf.links.struct_ops import attach_map
from pybpf.uapi import LinkType

pytestmark = pytest.mark.kernel

STRUCT_OPS = 27


def member(text, name):
    return ProgramSpec(asm.assemble(text), STRUCT_OPS, name=name)


def congestion_control(name, **changes):
    """The least that the kernel takes: it never changes the window."""
    members = {
        "ssthresh": member("w0 = 5\nexit", "ssthresh"),
        "cong_avoid": member("w0 = 0\nexit", "cong_avoid"),
        "undo_cwnd": member("w0 = 5\nexit", "undo_cwnd"),
        "name": name,
    }
    return StructOps("tcp_congestion_ops", {**members, **changes}, name="control")


@pytest.fixture
def loaded(fd_count):
    """`loaded(declaration)`: the collection; closed at the end."""
    before, made = fd_count(), []

    def make(declared):
        try:
            made.append(load_collection(declared))
        except NotSupportedError as error:
            pytest.skip(str(error))
        return made[-1]

    yield make
    for one in made:
        one.close()
    assert fd_count() == before


def use(name):
    """Make a connection with that congestion control and send something over it."""
    with socket.create_server(("127.0.0.1", 0)) as server, socket.socket() as client:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, name)
        assert client.getsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, 16).rstrip(b"\0") == name
        client.connect(server.getsockname())
        accepted, _ = server.accept()
        with accepted:
            client.sendall(b"x" * 100_000)
            got = 0
            while got < 100_000:
                got += len(accepted.recv(1 << 16))


def test_a_connection_uses_it(loaded):
    declared = congestion_control(b"pybpf_cc")
    objs = loaded(declared)
    with attach_map(objs[declared]) as link:
        if features.have_link_type(LinkType.STRUCT_OPS):
            assert link.id > 0
        use(b"pybpf_cc")
    with pytest.raises(FileNotFoundError):
        use(b"pybpf_cc")


def test_members_that_are_not_there(loaded):
    with pytest.raises(SpecError, match="no member 'nothing'"):
        loaded(congestion_control(b"x", nothing=5))
    with pytest.raises(NotSupportedError, match="no_such_ops"):
        load_collection(StructOps("no_such_ops", {}))


def test_what_the_structure_refuses(loaded):
    with pytest.raises(SyscallError):
        loaded(congestion_control(b"", owner=5))
