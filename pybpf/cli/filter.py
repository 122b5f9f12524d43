"""Compile a pcap expression, or read a classic filter, and print it, or watch what it matches.

A filter is an expression of tcpdump; with --file it is read in any form that this command prints.
"""

from __future__ import annotations

import argparse
import socket
import sys
import time
from pathlib import Path

from ..cbpf import Filter, parse, pcap_filter
from ..cbpf.text import FORMS
from ..errors import FilterError, NotSupportedError

EPILOG = """examples:
  pybpf filter 'ip and tcp port 8080'             every form, and the extended BPF
  pybpf filter --form decimal 'udp port 53'       for iptables -m bpf and the like
  pybpf filter --file my.bpf --form tcpdump       a filter written for bpf_asm
  pybpf filter 'icmp' -i lo --count 5             show five matching packets (needs CAP_NET_RAW)
  pybpf filter 'tcp' -i eth0 --seconds 10 --quiet count matches for ten seconds
"""


_ARPHRD_LOOPBACK = 772
_ETH_P_ALL = 3


def configure(parser: argparse.ArgumentParser) -> None:
    parser.epilog = EPILOG
    parser.add_argument("expression", nargs="?", default="", help="what tcpdump would take; nothing matches everything")
    parser.add_argument("-f", "--file", help="read a classic filter in text form from a file ('-': standard input)")
    parser.add_argument("--form", choices=(*FORMS, "ebpf"), help="print this form only (all forms without it)")
    parser.add_argument("--linktype", default="EN10MB", help="what a packet begins with, as libpcap names it (EN10MB)")
    parser.add_argument("--snaplen", type=int, default=262144, help="bytes to keep of a matching packet")
    parser.add_argument("-i", "--interface", help="attach the filter to this interface and show matching packets")
    parser.add_argument("-c", "--count", type=int, help="stop after so many packets")
    parser.add_argument("-s", "--seconds", type=float, help="stop after so many seconds")
    parser.add_argument("-q", "--quiet", action="store_true", help="count only")


def run(args: argparse.Namespace) -> int:
    if args.file:
        text = sys.stdin.read() if args.file == "-" else Path(args.file).read_text()
        chosen = parse(text, args.file)
    else:
        where = {"interface": args.interface} if args.interface else {"linktype": args.linktype}
        chosen = pcap_filter(args.expression, snaplen=args.snaplen, **where)
    if args.interface:
        return _watch(chosen, args)
    if args.form:
        print(_form(chosen, args.form))
        return 0
    titles = {
        "tcpdump": "tcpdump -d",
        "asm": "bpf_asm",
        "c": "C array (tcpdump -dd)",
        "decimal": "decimal (tcpdump -ddd)",
        "ebpf": "extended BPF",
    }
    for form, title in titles.items():
        try:
            print(f"# {title}\n{_form(chosen, form)}\n")
        except NotSupportedError as error:  # an extension that only the classic machine has
            print(f"# {title}\n# {error}\n")
    return 0


def _form(chosen: Filter, form: str) -> str:
    return chosen.to_ebpf().disassemble() if form == "ebpf" else chosen.format(form)


def _watch(chosen: Filter, args: argparse.Namespace) -> int:
    """Receive what the filter lets through, until the count, the time, or Ctrl-C."""
    from ..links.socket import attach_classic

    deadline = time.monotonic() + args.seconds if args.seconds else None
    packets = octets = 0
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as sock, attach_classic(sock, chosen):
        # Bound after the filter is on, so nothing that it would drop is queued before.
        try:
            sock.bind((args.interface, _ETH_P_ALL))
        except OSError as error:
            raise FilterError(f"interface {args.interface!r}: {error.strerror}") from None
        try:
            while packets != args.count:
                left = None if deadline is None else deadline - time.monotonic()
                if left is not None and left <= 0:
                    break
                sock.settimeout(left)
                try:
                    data, address = sock.recvfrom(1 << 16)
                except TimeoutError:
                    break
                if address[2] == socket.PACKET_OUTGOING and address[3] == _ARPHRD_LOOPBACK:
                    continue  # the loopback device shows each packet going out and coming in
                packets += 1
                octets += len(data)
                if not args.quiet:
                    print(
                        f"{time.strftime('%H:%M:%S')} {address[0]} {len(data)} bytes  {data[:48].hex(' ', 2)}",
                        flush=True,
                    )
        except KeyboardInterrupt:
            pass
    print(f"{packets} packets, {octets} bytes")
    return 0
