"""Let each source address send so many packets a second, and drop the rest.

Needs root: sudo python token_bucket.py IFACE [RATE]
"""

import sys
import time

from pybpf import Global, LruHashMap, Struct, XdpAction, load, u32, u64, xdp
from pybpf import helpers as bpf
from pybpf.net import ETH_P_IP, Ethernet, IPv4

SECOND = 1_000_000_000


class Bucket(Struct):
    tokens: u64  # in billionths of a packet
    updated: u64  # ns


rate = Global(u32, 100)  # packets a second, and the size of the bucket
buckets = LruHashMap(u32, Bucket, max_entries=65536)
dropped = Global(u64)


@xdp
def limit(ctx):
    eth = ctx.packet(Ethernet)
    if eth is None or eth.type != ETH_P_IP:
        return XdpAction.PASS
    ip = ctx.packet(IPv4, after=eth)
    if ip is None:
        return XdpAction.PASS
    now = bpf.ktime_get_ns()
    full = u64(rate.value) * SECOND
    bucket = buckets.get(ip.saddr)
    if bucket is None:
        buckets[ip.saddr] = Bucket(tokens=full - SECOND, updated=now)
        return XdpAction.PASS
    elapsed = min(now - bucket.updated, SECOND)
    tokens = min(bucket.tokens + elapsed * rate.value, full)
    bucket.updated = now
    if tokens < SECOND:
        bucket.tokens = tokens
        dropped.value += 1
        return XdpAction.DROP
    bucket.tokens = tokens - SECOND
    return XdpAction.PASS


def main(interface: str, packets: str = "100") -> None:
    with load(limit) as prog:
        prog[rate][0] = int(packets)
        with prog.attach(interface):
            while True:
                time.sleep(1)
                print("dropped", prog[dropped][0])


if __name__ == "__main__":
    main(*sys.argv[1:])
