"""Answer pings before the kernel's network stack sees them.  Needs root: sudo python icmp_echo.py IFACE"""

import sys
import time

from pybpf import XdpAction, load, u8, u16, xdp
from pybpf.net import ETH_P_IP, ICMP_ECHO, ICMP_ECHOREPLY, IPPROTO_ICMP, Ethernet, Icmp, IPv4


@xdp
def echo(ctx):
    eth = ctx.packet(Ethernet)
    if eth is None or eth.type != ETH_P_IP:
        return XdpAction.PASS
    ip = ctx.packet(IPv4, after=eth)
    if ip is None or ip.protocol != IPPROTO_ICMP or ip.ihl != 5:
        return XdpAction.PASS
    icmp = ctx.packet(Icmp, after=ip)
    if icmp is None or icmp.type != ICMP_ECHO:
        return XdpAction.PASS
    mac = u8[6]()
    for i in range(6):
        mac[i] = eth.dst[i]
    eth.dst = eth.src
    eth.src = mac
    ip.saddr, ip.daddr = ip.daddr, ip.saddr  # the sum over both stays what it was
    icmp.type = ICMP_ECHOREPLY
    total = icmp.check + (ICMP_ECHO << 8)  # one's complement sum, changed by the type alone (RFC 1624)
    icmp.check = u16((total & 0xFFFF) + (total >> 16))
    return XdpAction.TX


def main(interface: str) -> None:
    with load(echo) as prog, prog.attach(interface):
        while True:
            time.sleep(60)


if __name__ == "__main__":
    main(*sys.argv[1:])
