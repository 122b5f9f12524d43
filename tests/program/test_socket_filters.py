"""Socket filters on real sockets: dropped, cut and counted packets."""

import errno
import os
import socket
import struct
import threading
import time

import pytest

from pybpf import NotSupportedError, SyscallError, load
from pybpf.links import ATTACH
from pybpf.links.socket import attach, attach_classic

pytestmark = pytest.mark.kernel


@pytest.fixture(autouse=True)
def nothing_leaks(fd_count):
    before = fd_count()
    yield
    assert fd_count() == before


@pytest.fixture
def udp():
    """A receiving socket on loopback and one to send to it."""
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender,
    ):
        receiver.bind(("127.0.0.1", 0))
        receiver.settimeout(0.2)
        sender.connect(receiver.getsockname())
        yield receiver, sender


def until(condition, seconds=10):
    """Wait for `condition`: its value, true or not when time is up."""
    deadline = time.monotonic() + seconds
    while not (value := condition()) and time.monotonic() < deadline:
        time.sleep(0.01)
    return value


def test_drop(udp, programs):
    receiver, sender = udp
    with load(programs.keep(0)) as prog:
        with prog.attach(receiver):
            sender.send(b"lost")
            with pytest.raises(TimeoutError):
                receiver.recv(100)
        sender.send(b"kept")
        assert receiver.recv(100) == b"kept"


def test_truncate(udp, programs):
    receiver, sender = udp
    # A filter of a UDP socket sees the packet from the UDP header on: 8 bytes, then data.
    with load(programs.keep(8 + 4)) as prog, prog.attach(receiver):
        sender.send(b"0123456789")
        assert receiver.recv(100) == b"0123"


def test_leaving_the_program_detaches(udp, programs):
    receiver, sender = udp
    with load(programs.keep(0)) as prog:
        link = prog.attach(receiver)
    assert link.closed
    sender.send(b"kept")
    assert receiver.recv(100) == b"kept"


def test_a_second_filter_takes_the_place_of_the_first(udp, programs):
    receiver, sender = udp
    with load(programs.keep(0)) as drop, load(programs.keep(8 + 1)) as cut:
        drop.attach(receiver)
        cut.attach(receiver)
        sender.send(b"0123")
        assert receiver.recv(100) == b"0"


def test_tcp(programs):
    """A filter that drops everything keeps a connection from being made; gone, it lets it through."""
    with socket.create_server(("127.0.0.1", 0)) as server, load(programs.keep(0)) as prog:
        server.settimeout(0.3)
        link = prog.attach(server)
        with socket.socket() as client:
            client.setblocking(False)
            assert client.connect_ex(server.getsockname()) == errno.EINPROGRESS
            with pytest.raises(TimeoutError):
                server.accept()
        link.close()
        with socket.create_connection(server.getsockname(), timeout=3) as client:
            server.settimeout(3)
            accepted, _ = server.accept()
            with accepted:
                client.send(b"hello")
                assert accepted.recv(10) == b"hello"


def test_count_on_loopback(network, programs):
    spec, packets = programs.count()
    with (
        network.inside(),
        load(spec) as prog,
        socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3)) as tap,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender,
    ):
        receiver.bind(("127.0.0.1", 0))
        tap.bind(("lo", 0))
        with prog.attach(tap):
            for _ in range(50):
                sender.sendto(b"x", receiver.getsockname())
            counts = prog[packets]
            # Loopback packets pass a tap twice: out, and in.
            assert until(lambda: counts.get(17) == 100)
            assert dict(counts) == {17: 100}
        sender.sendto(b"x", receiver.getsockname())
        assert counts[17] == 100


def test_count_on_veth(veth, programs):
    spec, packets = programs.count()
    frame = bytes.fromhex("ffffffffffff 020000000001 0800 45000014000100004001 0000 0a090801 0a0908fe")
    with (
        veth.inside(),
        load(spec) as prog,
        socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0) as left,
        socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x0800)) as right,
    ):
        left.bind(("left", 0))
        right.bind(("right", 0x0800))
        with prog.attach(right):
            for proto in (1, 1, 6, 17, 17, 17):
                left.send(frame[:23] + bytes([proto]) + frame[24:])
            assert until(lambda: sum(prog[packets].values()) >= 6)
            assert dict(prog[packets]) == {1: 2, 6: 1, 17: 3}


def test_truncate_on_veth(veth, programs):
    frame = b"\xff" * 6 + b"\x02" + bytes(5) + b"\x88\xb5" + bytes(range(100))
    with (
        veth.inside(),
        load(programs.keep(20)) as prog,
        socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0) as left,
        socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x88B5)) as right,
    ):
        left.bind(("left", 0))
        right.bind(("right", 0x88B5))
        right.settimeout(2)
        with prog.attach(right):
            left.send(frame)
            assert right.recv(2000) == frame[:20]


def test_classic_filter(udp):
    receiver, sender = udp
    ret = lambda k: struct.pack("=HBBI", 0x06, 0, 0, k)  # noqa: E731
    with attach_classic(receiver, ret(0)):
        sender.send(b"lost")
        with pytest.raises(TimeoutError):
            receiver.recv(100)
    with attach_classic(receiver, ret(8 + 2)):
        sender.send(b"kept")
        assert receiver.recv(100) == b"ke"
    for bad in (b"", bytes(7), bytes(8) * 5000):
        with pytest.raises(ValueError, match="instructions of 8 bytes"):
            attach_classic(receiver, bad)
    with pytest.raises(SyscallError, match="SO_ATTACH_FILTER"):
        attach_classic(receiver, bytes(8))  # does not end in a return


def test_reuseport_chooses(programs):
    """A program of type SK_REUSEPORT that drops (SK_DROP is 0), then passes to any (SK_PASS is 1)."""
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender,
    ):
        receiver.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        receiver.bind(("127.0.0.1", 0))
        receiver.settimeout(0.2)
        with load(programs.keep(0, prog_type=21)) as drop, drop.attach(receiver):
            sender.sendto(b"lost", receiver.getsockname())
            with pytest.raises(TimeoutError):
                receiver.recv(100)
        sender.sendto(b"kept", receiver.getsockname())
        assert receiver.recv(100) == b"kept"


def test_a_program_that_the_socket_cannot_take(udp, programs):
    receiver, _ = udp
    with load(programs.keep(2, prog_type=6)) as xdp, pytest.raises(SyscallError, match="not a socket filter") as caught:
        attach(xdp, receiver)
    assert caught.value.errno == errno.EINVAL
    assert "SO_ATTACH_BPF" in str(caught.value)


def test_targets_that_are_no_sockets(programs):
    closed = socket.socket()
    closed.close()
    with load(programs.keep(0)) as prog, open(os.devnull) as file:
        for target, code in ((file, errno.ENOTSOCK), (closed, errno.EBADF), (9999, errno.EBADF)):
            with pytest.raises(SyscallError) as caught:
                prog.attach(target)
            assert caught.value.errno == code
        with pytest.raises(TypeError, match="socket"):
            prog.attach("eth0")


def test_types_without_a_hook(programs, monkeypatch):
    monkeypatch.delitem(ATTACH, 14)
    with load(programs.keep(0, prog_type=14)) as prog, pytest.raises(NotSupportedError):
        prog.attach(None)


def test_a_socket_closed_before_its_link(programs):
    with load(programs.keep(0)) as prog, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        link = prog.attach(sock)
        sock.close()
        link.close()


def test_a_child_leaves_the_parents_filter(udp, programs):
    receiver, sender = udp
    with load(programs.keep(0)) as prog, prog.attach(receiver) as link:
        pid = os.fork()
        if not pid:
            link.close()
            prog.close()
            os._exit(0)
        assert os.waitpid(pid, 0)[1] == 0
        sender.send(b"lost")
        with pytest.raises(TimeoutError):
            receiver.recv(100)


def test_closed_from_another_thread(udp, programs):
    receiver, sender = udp
    with load(programs.keep(0)) as prog:
        link = prog.attach(receiver)
        thread = threading.Thread(target=link.close)
        thread.start()
        thread.join()
        sender.send(b"kept")
        assert receiver.recv(10) == b"kept"
