"""AF_XDP over a cable between two interfaces, in copy mode: what is sent arrives, in order, and nothing leaks."""

from __future__ import annotations

import os
import socket
import subprocess
import threading

import pytest

from pybpf import NotSupportedError, SpecError, SyscallError, XdpAction, XskMap, XskSocket, load, xdp
from pybpf.syscall.fd import ClosedError

pytestmark = pytest.mark.kernel

sockets = XskMap(max_entries=4)


@xdp
def take(ctx):
    return sockets.redirect(ctx.rx_queue_index, XdpAction.PASS)


@pytest.fixture(scope="module")
def cable():
    """(near, far): what goes into one comes out of the other."""
    near, far = f"xs{os.getpid()}a", f"xs{os.getpid()}b"
    made = subprocess.run(["ip", "link", "add", near, "type", "veth", "peer", "name", far], capture_output=True)
    if made.returncode:
        pytest.skip("iproute2 cannot make interfaces here")
    for name in (near, far):
        with open(f"/proc/sys/net/ipv6/conf/{name}/disable_ipv6", "w") as file:
            file.write("1")
        subprocess.run(["ip", "link", "set", name, "up"], check=True)
    yield near, far
    subprocess.run(["ip", "link", "del", near], check=True)


def opened(interface: str, **options) -> XskSocket:
    try:
        return XskSocket(interface, mode="copy", **options)
    except NotSupportedError as error:
        pytest.skip(str(error))


def frames(count: int, size: int = 60) -> list[bytes]:
    return [b"\x02" * 12 + b"\x88\xb5" + i.to_bytes(4, "big") + bytes([i & 0xFF]) * (size - 18) for i in range(count)]


def collect(xsk: XskSocket, wanted: int) -> list[bytes]:
    found: list[bytes] = []
    while len(found) < wanted:
        some = xsk.receive(timeout=2)
        if not some:
            break
        found += some
    return found


def test_a_packet_socket_sends_and_xsk_receives(cable):
    near, far = cable
    sent = [*frames(20), *frames(3, 1500)]
    with opened(far, frames=64) as xsk, load(take) as prog, socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as out:
        prog[sockets][0] = xsk
        out.bind((near, 0))
        with prog.attach(far):
            assert xsk.receive() == []
            for frame in sent:
                out.send(frame)
            assert collect(xsk, 23) == sent
            assert xsk.statistics["rx_dropped"] == 0


def test_rings_go_around(cable):
    """Ten times as many frames as the rings hold, both ways on AF_XDP."""
    near, far = cable
    sent = frames(320)
    with opened(near, frames=32) as out, opened(far, frames=32) as xsk, load(take) as prog:
        prog[sockets][0] = xsk
        with prog.attach(far):
            found = []
            for i in range(0, len(sent), 20):
                assert out.send(sent[i : i + 20]) == 20
                found += collect(xsk, 20)
            assert found == sent
            assert out.statistics["tx_invalid_descs"] == 0


def test_more_at_once_than_the_ring_holds_is_sent_in_turns(cable):
    near, far = cable
    sent = frames(500)
    with opened(near, frames=16) as out, opened(far, frames=1024) as xsk, load(take) as prog:
        prog[sockets][0] = xsk
        with prog.attach(far):
            assert out.send(sent, timeout=10) == 500
            assert collect(xsk, 500) == sent


def test_what_does_not_fit_the_ring_is_counted(cable):
    near, far = cable
    with opened(near, frames=256) as out, opened(far, frames=16) as xsk, load(take) as prog:
        prog[sockets][0] = xsk
        with prog.attach(far):
            out.send(frames(100))
            first = collect(xsk, 16)
            assert first[:16] == frames(16)
            assert xsk.receive(limit=0) == []
            out.send(frames(5))
            assert [len(xsk.receive(limit=2, timeout=1)) for _ in range(3)] == [2, 2, 1]
            counters = xsk.statistics
            assert sum(counters.values()) > 0, counters


def test_a_receiver_that_waits_is_woken(cable):
    near, far = cable
    with opened(near) as out, opened(far) as xsk, load(take) as prog:
        prog[sockets][0] = xsk
        with prog.attach(far):
            timer = threading.Timer(0.1, out.send, (frames(1),))
            timer.start()
            assert xsk.receive(timeout=5) == frames(1)
            timer.join()


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda near: XskSocket(near, frames=100), SpecError, "100 frames of 2048 bytes: expected a power of two"),
        (lambda near: XskSocket(near, frame_size=1000), SpecError, "of 1000 bytes"),
        (lambda near: XskSocket(near, mode="fast"), SpecError, "mode 'fast'"),
        (lambda near: XskSocket("nosuch0"), SyscallError, "interface 'nosuch0'"),
        (lambda near: XskSocket(near, 77, mode="copy"), SyscallError, "queue 77; has the interface that queue"),
        (lambda near: XskSocket(near, mode="zerocopy"), NotSupportedError, "zero-copy AF_XDP on"),
    ],
)
def test_errors_name_what_is_wrong(cable, make, error, message):
    opened(cable[0]).close()
    before = os.listdir("/proc/self/fd")
    with pytest.raises(error, match=message):
        make(cable[0])
    assert os.listdir("/proc/self/fd") == before


def test_a_queue_has_one_socket(cable):
    with opened(cable[0]), pytest.raises(SyscallError, match="queue 0; another socket has that queue failed: EBUSY"):
        XskSocket(cable[0])


def test_closed_and_too_long(cable):
    with opened(cable[0]) as xsk:
        with pytest.raises(SpecError, match=r"a frame of 2049 bytes: expected 1\.\.2048"):
            xsk.send([bytes(2049)])
        with pytest.raises(SpecError, match="a frame of 0 bytes"):
            xsk.send([b""])
    xsk.close()
    with pytest.raises(ClosedError):
        xsk.receive()
