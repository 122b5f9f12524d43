"""What programs see of a socket, and of a packet's flow keys: the structures that the kernel shows instead of its own."""

from __future__ import annotations

from . import scalars as types

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

# In network order where the kernel keeps them so (include/uapi/linux/bpf.h), so that they read as host integers.
NETWORK = {"src_ip4": 32, "dst_ip4": 32, "src_ip6": 32, "dst_ip6": 32, "dst_port": 16}
COMMON_HIDDEN = frozenset(("type", "protocol", "mark", "priority", "_pad0"))
PADDING = frozenset(("_pad0",))
_VIEWS: dict[str, Any] = {}


def view(kind: str) -> tuple[Any, frozenset[str], bool] | None:
    """(structure, fields that this kind has not, whether programs may write it) of a kernel object; None for other kinds."""
    if not _VIEWS:
        _VIEWS.update(_views())
    found: tuple[Any, frozenset[str], bool] | None = _VIEWS.get(kind)
    return found


def _views() -> dict[str, Any]:
    from ...types import Struct
    from ...uapi import bpf_sock, bpf_tcp_sock, bpf_xdp_sock

    big: dict[int, Any] = {16: types.be16, 32: types.be32}
    declared = {}
    for name, ctype in bpf_sock._fields_:
        bits = NETWORK.get(name)
        declared[name] = ctype if not bits else big[bits][4] if name.endswith("_ip6") else big[bits]
    metaclass: Any = type(Struct)
    sock = metaclass("bpf_sock", (Struct,), {"__annotations__": declared, "__module__": __name__})
    return {
        "sock": (sock, COMMON_HIDDEN, False),
        "socket": (sock, PADDING, False),
        "tcp_sock": (bpf_tcp_sock, frozenset(), False),
        "xdp_sock": (bpf_xdp_sock, frozenset(), False),
        "flow_keys": (_flow_keys(), frozenset(("addresses",)), True),
    }


def _flow_keys() -> Any:
    """`struct bpf_flow_keys`, with its union of addresses and the byte order of its fields."""
    import ctypes

    from ...types import Struct

    be16, be32, u8, u16, u32 = (t.ctype for t in (types.be16, types.be32, types.u8, types.u16, types.u32))

    class V4(ctypes.Structure):
        _fields_ = (("ipv4_src", be32), ("ipv4_dst", be32))

    class V6(ctypes.Structure):
        _fields_ = (("ipv6_src", be32 * 4), ("ipv6_dst", be32 * 4))

    class Addresses(ctypes.Union):
        _anonymous_ = ("v4", "v6")
        _fields_ = (("v4", V4), ("v6", V6))

    rows = [("nhoff", u16), ("thoff", u16), ("addr_proto", u16), ("is_frag", u8), ("is_first_frag", u8), ("is_encap", u8),
            ("ip_proto", u8), ("n_proto", be16), ("sport", be16), ("dport", be16), ("addresses", Addresses),
            ("flags", u32), ("flow_label", be32)]  # fmt: skip
    body = {"_anonymous_": ("addresses",), "_fields_": rows, "__module__": __name__}
    metaclass: Any = type(Struct)
    return metaclass("bpf_flow_keys", (Struct,), body)


__all__ = ["view"]
