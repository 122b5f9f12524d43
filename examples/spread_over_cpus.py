"""Let another CPU do the work of the network stack, chosen by the sender's address: the kernel's xdp_redirect_cpu.

Needs root: sudo python spread_over_cpus.py IFACE
"""

import sys
import time

from pybpf import CpuMap, Global, PerCpuArray, XdpAction, load, u32, u64, xdp
from pybpf.links.perf import online_cpus
from pybpf.net import ETH_P_IP, Ethernet, IPv4

QUEUE = 192  # packets that may wait for a CPU
cpus = CpuMap(max_entries=256)
count = Global(u32, 1)  # how many CPUs there are in it
spread = PerCpuArray(u64, max_entries=256)  # packets by the CPU that they were sent to


@xdp
def choose(ctx):
    eth = ctx.packet(Ethernet)
    if eth is None or eth.type != ETH_P_IP:
        return XdpAction.PASS
    ip = ctx.packet(IPv4, after=eth)
    if ip is None:
        return XdpAction.PASS
    cpu = ip.saddr % count.value
    spread[cpu] += 1
    return cpus.redirect(cpu, XdpAction.PASS)  # PASS: this CPU does it when the other is not in the map


def start(interface: str):
    prog = load(choose)
    found = online_cpus()
    for index in found:
        prog[cpus][index] = QUEUE
    prog[count][0] = max(found) + 1
    prog.attach(interface)
    return prog


def main(interface: str) -> None:
    with start(interface) as prog:
        while True:
            time.sleep(1)
            print({cpu: prog[spread][cpu].sum() for cpu in online_cpus()})


if __name__ == "__main__":
    main(*sys.argv[1:])
