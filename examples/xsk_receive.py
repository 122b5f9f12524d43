"""Take the frames of one protocol away from the kernel and receive them in Python: an AF_XDP socket (XDP tutorial, AF_XDP).

Needs root and Linux 5.3: sudo python xsk_receive.py IFACE  (an interface with one queue; else say which: IFACE QUEUE)
"""

import sys

from pybpf import PerCpuArray, XdpAction, XskMap, XskSocket, load, u64, xdp
from pybpf.net import ETH_P_IP, IPPROTO_UDP, Ethernet, IPv4

sockets = XskMap(max_entries=64)  # by queue
left_alone = PerCpuArray(u64, max_entries=1)


@xdp
def take_udp(ctx):
    eth = ctx.packet(Ethernet)
    if eth is not None and eth.type == ETH_P_IP:
        ip = ctx.packet(IPv4, after=eth)
        if ip is not None and ip.protocol == IPPROTO_UDP:
            return sockets.redirect(ctx.rx_queue_index, XdpAction.PASS)  # PASS where the queue has no socket
    left_alone[0] += 1
    return XdpAction.PASS


def main(interface: str, queue: str = "0") -> None:
    with XskSocket(interface, int(queue)) as xsk, load(take_udp) as prog:
        prog[sockets][int(queue)] = xsk
        with prog.attach(interface):
            while True:
                for frame in xsk.receive(timeout=None):
                    print(len(frame), "bytes", frame[:48].hex(" ", 2))


if __name__ == "__main__":
    main(*sys.argv[1:])
