"""Answer UDP datagrams from user space, below the network stack: an AF_XDP socket that receives and sends.

Needs root and Linux 5.3: sudo python xsk_reply.py IFACE PORT
"""

import sys

from pybpf import Global, XdpAction, XskMap, XskSocket, load, u16, xdp
from pybpf.net import ETH_P_IP, IPPROTO_UDP, Ethernet, IPv4, Udp

sockets = XskMap(max_entries=64)
port = Global(u16)


@xdp
def take(ctx):
    eth = ctx.packet(Ethernet)
    if eth is None or eth.type != ETH_P_IP:
        return XdpAction.PASS
    ip = ctx.packet(IPv4, after=eth)
    if ip is None or ip.protocol != IPPROTO_UDP or ip.ihl != 5:
        return XdpAction.PASS
    udp = ctx.packet(Udp, after=ip)
    if udp is None or udp.dest != port.value:
        return XdpAction.PASS
    return sockets.redirect(ctx.rx_queue_index, XdpAction.PASS)


def reply(frame: bytes) -> bytes:
    """The same datagram sent back: addresses and ports change places, the payload is in capitals."""
    eth, ip, ports, rest = frame[:14], frame[14:34], frame[34:38], frame[38:42]
    return b"".join(
        (
            *(eth[6:12], eth[:6], eth[12:]),
            *(ip[:12], ip[16:20], ip[12:16]),  # the checksums stay right: sums do not mind the order
            *(ports[2:], ports[:2], rest[:2], bytes(2)),  # no UDP checksum
            frame[42:].upper(),
        )
    )


def serve(xsk: XskSocket, timeout: float | None) -> int:
    return xsk.send(reply(frame) for frame in xsk.receive(timeout))


def start(interface: str, number: int):
    """The socket, and the program that fills it."""
    xsk, prog = XskSocket(interface), load(take)
    prog[port][0] = number
    prog[sockets][0] = xsk
    prog.attach(interface)
    return xsk, prog


def main(interface: str, number: str) -> None:
    xsk, prog = start(interface, int(number))
    with xsk, prog:
        while True:
            print("answered:", serve(xsk, None))


if __name__ == "__main__":
    main(*sys.argv[1:])
