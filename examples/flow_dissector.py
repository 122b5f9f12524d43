"""Tell the kernel which flow a packet belongs to, in place of its own parser: addresses, protocol and ports.

The kernel asks when it spreads packets over CPUs, queues and links.  What this program does not know it leaves to the kernel.

Needs root and Linux 6.1: sudo python flow_dissector.py  (one program a network namespace)
"""

import time

from pybpf import HashMap, RetCode, flow_dissector, load, u8, u16, u64
from pybpf.net import ETH_P_IP, IPPROTO_TCP, IPPROTO_UDP, IPv4, Udp

dissected = HashMap(u8, u64, max_entries=256)  # by protocol


@flow_dissector
def dissect(skb):
    keys = skb.flow_keys
    if keys.n_proto != ETH_P_IP:
        return RetCode.FLOW_DISSECTOR_CONTINUE
    ip = skb.packet(IPv4, at=keys.nhoff)
    if ip is None or ip.frag_off & 0x3FFF != 0 or (ip.protocol != IPPROTO_TCP and ip.protocol != IPPROTO_UDP):
        return RetCode.FLOW_DISSECTOR_CONTINUE
    ports = skb.packet(Udp, at=keys.nhoff + ip.ihl * 4)  # TCP begins with the same two numbers
    if ports is None:
        return RetCode.DROP
    keys.addr_proto = ETH_P_IP
    keys.ip_proto = ip.protocol
    keys.ipv4_src = ip.saddr
    keys.ipv4_dst = ip.daddr
    keys.sport = ports.source
    keys.dport = ports.dest
    keys.thoff = u16(keys.nhoff + ip.ihl * 4)
    dissected[ip.protocol] += 1
    return RetCode.OK


def main() -> None:
    with load(dissect) as prog, prog.attach():
        while True:
            time.sleep(1)
            print("dissected:", dict(prog[dissected].items()))


if __name__ == "__main__":
    main()
