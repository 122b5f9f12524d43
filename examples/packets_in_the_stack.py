"""Packets on their way up, seen inside the kernel: their device and length, by the arguments of ip_rcv.  The kernel's tracex1.

Needs root and CONFIG_KPROBES: sudo python packets_in_the_stack.py
"""

from pybpf import RingBuf, Struct, char, kprobe, load, u32
from pybpf import helpers as bpf


class Packet(Struct):
    device: char[16]
    length: u32


packets = RingBuf(Packet, size=1 << 16)


@kprobe("ip_rcv")
def on_packet(ctx, skb):  # a struct sk_buff: its fields are found by name in the kernel's types
    event = Packet(length=skb.len)
    bpf.probe_read_kernel_str(event.device, skb.dev.name)
    packets.output(event)


def main() -> None:
    with load(on_packet) as prog, prog.attach():
        for packet in prog[packets]:
            print(f"{packet.device.decode():16} {packet.length:>6} bytes")


if __name__ == "__main__":
    main()
