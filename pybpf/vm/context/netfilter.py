"""`struct bpf_nf_ctx`: a hook's state and a packet, as TEST_RUN makes them (`bpf_prog_test_run_nf`)."""

from __future__ import annotations

import ctypes
from errno import EINVAL, EPROTO

from ...errors import InputError
from ...kernel.run_context import from_fields, nf_hook_state
from ...uapi import ProgType, bpf_nf_ctx
from ..kernelobjects import filled
from .base import Context, structure
from .packet import ETH_HLEN, Packet
from .skb import LARGEST, ether_type

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ...spec import ProgramSpec
    from ..environment import Environment
    from ..memory import Memory

_IPV4, _IPV6 = 2, 10  # NFPROTO_*
_LOCAL_OUT = 3  # NF_INET_LOCAL_OUT
_HEADERS = {_IPV4: (0x0800, 20), _IPV6: (0x86DD, 40)}  # protocol, length of the smallest header
_SIZE_OF_SKB = 256
_SMALLEST = 20  # an IPv4 header, whatever the protocol


class NetfilterContext(Context):
    """Pointers to the hook's state and to the packet; TEST_RUN gives neither back."""

    def output(self) -> bytes:
        return b""


def make(spec: ProgramSpec, given: Any, mem: Memory, env: Environment, data: bytes | None) -> Context:
    """`ctx` are the fields `pf` and `hook` of struct nf_hook_state: by default IPv4 on its way out of this machine.

    As a dict it may also have `state` and `skb`: addresses of kernel memory that the test made, which then stand in
    the context as they are.  A program reads struct sk_buff by the kernel's own offsets, so where there is no BTF of
    the kernel its fields are zeros; dynptrs reach the packet everywhere.
    """
    fields = dict(given) if isinstance(given, dict) else given
    pointers = {name: fields.pop(name) for name in ("state", "skb") if isinstance(fields, dict) and name in fields}
    made = NetfilterContext(bytearray(ctypes.sizeof(bpf_nf_ctx)), {}, "struct bpf_nf_ctx")
    frame = b"" if data is None else data
    if pointers:
        made.packet = Packet(mem, frame, writable=False)
    else:
        state = _state(fields, mem, env)
        begin = _network(state, frame)
        made.packet = Packet(mem, frame[begin:], front=frame[:begin], writable=False)
        pointers["state"] = mem.add(bytes(state), "struct nf_hook_state")
        pointers["skb"] = mem.add(_skb(env, made.packet, _HEADERS[state.pf][0]), "struct sk_buff")
        made.owned.extend(pointers.values())
    for name, address in pointers.items():
        made.pointers[getattr(bpf_nf_ctx, name).offset] = address
    return made


def _state(given: Any, mem: Memory, env: Environment) -> Any:
    state = structure(nf_hook_state, from_fields(ProgType.NETFILTER, given or {}, 0), mem)
    for name in ("in", "out", "sk", "net", "okfn"):
        if getattr(state, name):
            raise InputError(EINVAL, f"ctx: {name} cannot be given for struct nf_hook_state; pf and hook can")
    if state.pf not in _HEADERS:
        raise InputError(EINVAL, f"ctx: pf is {state.pf}: expected {_IPV4} (IPv4) or {_IPV6} (IPv6)")
    return state


def _network(state: Any, frame: bytes) -> int:
    """Where the packet begins in the frame: behind an Ethernet header, unless it leaves this machine.

    InputError for a frame that does not fit the hook.
    """
    if not _SMALLEST <= len(frame) <= LARGEST:
        raise InputError(EINVAL, f"{len(frame)} bytes of packet data: expected {_SMALLEST} to {LARGEST}")
    if state.hook == _LOCAL_OUT:
        return 0
    protocol, header = _HEADERS[state.pf]
    found = ether_type(frame[12:16])
    if found not in (0x0800, 0x86DD) and len(frame) >= ETH_HLEN + 20:
        raise InputError(EPROTO, f"a frame of type 0x{found:04x}: this hook sees IPv4 and IPv6")
    if found != protocol or len(frame) < ETH_HLEN + header:
        raise InputError(EINVAL, f"{len(frame)} bytes of type 0x{found:04x}: expected 0x{protocol:04x} and its header")
    return ETH_HLEN


def _skb(env: Environment, packet: Packet, protocol: int) -> bytes:
    """The fields of struct sk_buff that programs look at."""
    fields = {
        "len": len(packet),
        "protocol": int.from_bytes(protocol.to_bytes(2, "big"), "little"),
        "data": packet.address,
        "head": packet.address,
        "tail": len(packet),
        "end": len(packet),
    }
    return filled(env, "sk_buff", _SIZE_OF_SKB, fields)
