"""AF_XDP over a cable between two interfaces, in copy mode: what is sent arrives, in order, and nothing leaks."""

from __future__ import annotations

import os
import socket
import subprocess
import threading

import pytest

from pybpf import NotSupportedError, SpecError, SyscallError, XdpAction, XskMap, XskSocket, load, xdp, xdp_frags
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


@pytest.fixture
def wide(cable):
    """The cable, for frames of 9000 bytes."""
    for name in cable:
        subprocess.run(["ip", "link", "set", name, "mtu", "9000"], check=True)
    yield cable
    for name in cable:
        subprocess.run(["ip", "link", "set", name, "mtu", "1500"], check=True)


@xdp_frags
def take_whole(ctx):
    return sockets.redirect(ctx.rx_queue_index, XdpAction.PASS)


def test_frames_of_several_buffers(wide):
    """Both ways: what is sent in parts, and what arrives in parts."""
    near, far = wide
    sent = [*frames(3, 60), *frames(5, 6000), *frames(2, 2048), *frames(2, 2049), *frames(3, 9000)]
    with opened(near, frames=64, sg=True) as out, opened(far, frames=256, sg=True) as xsk, load(take_whole) as prog:
        prog[sockets][0] = xsk
        with prog.attach(far, mode="generic"):
            assert out.send(sent, timeout=5) == len(sent)
            assert collect(xsk, len(sent)) == sent
            assert out.send(sent * 10, timeout=5) == len(sent) * 10
            xsk.receive(0.1)
            assert out.statistics["tx_invalid_descs"] == 0


def test_a_frame_is_not_cut_by_a_limit(wide):
    near, far = wide
    sent = frames(4, 6000)
    with opened(near, frames=64, sg=True) as out, opened(far, frames=64, sg=True) as xsk, load(take_whole) as prog:
        prog[sockets][0] = xsk
        with prog.attach(far, mode="generic"):
            out.send(sent)
            assert [xsk.receive(timeout=1, limit=1) for _ in range(4)] == [[frame] for frame in sent]


def test_without_sg_large_frames_are_dropped_and_counted(wide):
    near, far = wide
    with opened(near, frames=64, sg=True) as out, opened(far, frames=64) as xsk, load(take_whole) as prog:
        prog[sockets][0] = xsk
        with prog.attach(far, mode="generic"):
            out.send([*frames(3, 6000), *frames(2)])
            assert collect(xsk, 2) == frames(2)
            assert xsk.statistics["rx_dropped"] == 3


@pytest.mark.parametrize("options", [{"need_wakeup": True}, {"busy_poll": 20}, {"need_wakeup": True, "busy_poll": 20}])
def test_ways_to_be_woken(cable, options):
    near, far = cable
    sent = frames(300)
    with opened(near, frames=32, **options) as out, opened(far, frames=32, **options) as xsk, load(take) as prog:
        prog[sockets][0] = xsk
        with prog.attach(far):
            found = []
            for i in range(0, len(sent), 20):
                assert out.send(sent[i : i + 20]) == 20
                found += collect(xsk, 20)
            assert found == sent
            assert not out.zero_copy


def test_sockets_of_two_interfaces_share_memory(cable):
    near, far = cable
    there = frames(100)
    back = [frame[::-1] for frame in frames(100)]
    with opened(near, frames=128, sharers=1) as first:
        try:
            second = XskSocket(far, share=first)
        except NotSupportedError as error:
            pytest.skip(str(error))
        with second, load(take) as prog:
            prog[sockets][0] = second
            with prog.attach(far):
                assert first.send(there) == 100
                assert collect(second, 100) == there
            prog[sockets][0] = first
            with prog.attach(near):
                assert second.send(back) == 100
                assert collect(first, 100) == back
            with pytest.raises(SpecError, match="room for 2 sockets: make the first with sharers="):
                XskSocket(far, 1, share=first)
        with XskSocket(far, share=first) as third:  # the place of the one that was closed
            assert third.send(frames(3)) == 3
    first.close()


def test_shared_memory_outlives_its_first_socket(cable):
    near, far = cable
    first = opened(near, frames=32, sharers=1)
    try:
        second = XskSocket(far, share=first)
    except NotSupportedError as error:
        first.close()
        pytest.skip(str(error))
    first.close()
    with second:
        assert second.send(frames(3)) == 3
    with pytest.raises(ClosedError):
        XskSocket(far, share=first)


def test_a_queue_is_not_shared(cable):
    with opened(cable[0], sharers=1) as xsk, pytest.raises(SpecError, match="a queue has one socket"):
        XskSocket(cable[0], share=xsk)
