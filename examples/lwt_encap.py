"""Put packets of one route into another IP packet, a tunnel without a device: a light-weight tunnel (LWT) program.

Needs root: sudo python lwt_encap.py PREFIX DEVICE FROM TO   (packets to PREFIX travel inside packets from FROM to TO)
"""

import sys
import time
from ipaddress import IPv4Address

from pybpf import Global, RetCode, load, lwt_xmit, u16, u32, u64
from pybpf import helpers as bpf
from pybpf.net import IPv4

IPPROTO_IPIP = 4
ENCAP_IP = 2  # BPF_LWT_ENCAP_IP
source, target = Global(u32), Global(u32)
wrapped = Global(u64)


@lwt_xmit
def wrap(skb):
    outer = IPv4(version=4, ihl=5, ttl=64, protocol=IPPROTO_IPIP)
    outer.length = u16(len(skb) + 20)
    outer.saddr = source.value
    outer.daddr = target.value
    if bpf.lwt_push_encap(skb, ENCAP_IP, outer) < 0:
        return RetCode.DROP
    wrapped.value += 1
    return RetCode.LWT_REROUTE  # find the way to the outer address


def start(prefix: str, device: str, outer_source: str, outer_target: str):
    """The program with its route, which stays until the link is closed."""
    prog = load(wrap)
    prog[source][0], prog[target][0] = int(IPv4Address(outer_source)), int(IPv4Address(outer_target))
    return prog, prog.attach(prefix, device=device)


def main(*words: str) -> None:
    prog, link = start(*words)
    with prog, link:
        while True:
            time.sleep(1)
            print("wrapped:", prog[wrapped][0])


if __name__ == "__main__":
    main(*sys.argv[1:])
