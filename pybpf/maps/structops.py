"""struct_ops maps: a kernel structure whose functions are programs."""

from __future__ import annotations

from errno import EEXIST
from sys import byteorder

from ..btf.builder import btf_for_map
from ..errors import BtfError, NotSupportedError, SpecError, SyscallError
from ..syscall.door import failure
from ..syscall.maps import map_create, map_delete_elem, map_update_elem
from ..types import u32
from .btf import load_btf
from .live import Map

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from ..btf.types import Member, Struct
    from ..spec import MapSpec

_WRAPPER = "bpf_struct_ops_"
_STRUCT = 4
LINK = 1 << 13  # MapFlags
_STRUCT_OPS_LINK = 9  # LinkType


def kernel_struct(spec: MapSpec) -> Struct:
    """The kernel's type `struct bpf_struct_ops_<name>`: some bookkeeping, then `data`, the structure itself."""
    from ..btf import Btf

    name = spec.btf_struct_ops
    if not name:
        raise SpecError(f"map {spec.name!r}: a struct_ops map says by btf_struct_ops which structure it implements")
    try:
        found: Any = Btf.kernel().find(_WRAPPER + name, _STRUCT)
    except BtfError:
        raise NotSupportedError(f"struct_ops of {name!r}", hint="the running kernel has no such structure") from None
    return found  # type: ignore[no-any-return]


def create_struct_ops(spec: MapSpec, token_fd: int = 0) -> Map:
    """A struct_ops map, its structure still empty: `register` fills it."""
    wrapper = kernel_struct(spec)
    spec = spec.replace(value=None, value_size=wrapper.size)
    try:
        return StructOpsMap(spec, _make(spec, wrapper.id, token_fd))
    except SyscallError:
        if not spec.flags & LINK or _have_link():
            raise
    # The flag is the default; where there are no such links yet (before Linux 6.4) the structure is registered when
    # it is filled, and `attach_map` unregisters it.
    spec = spec.replace(flags=spec.flags & ~LINK)
    return StructOpsMap(spec, _make(spec, wrapper.id, token_fd))


def _make(spec: MapSpec, kernel_type: int, token_fd: int) -> int:
    # The type is the kernel's own, but the kernel wants BTF of the program's all the same (map_create).
    with load_btf(btf_for_map(u32, u32)[0], token_fd) as btf:
        return map_create(
            spec.map_type,
            4,
            spec.value_size,
            1,
            spec.flags,
            name=spec.name,
            btf_fd=btf.fileno(),
            btf_vmlinux_value_type_id=kernel_type,
            token_fd=token_fd,
        )


def _have_link() -> bool:
    from .. import features

    return features.have_link_type(_STRUCT_OPS_LINK)


class StructOpsMap(Map):
    """A structure of the kernel made of programs.

    `pybpf.links.struct_ops.attach_map(live)` registers it; a map without flag LINK (1 << 13) is registered when filled,
    and unregistered by whoever holds it last: the link that `attach_map` gives, else `close()` (a pinned one stays).
    """

    registered = False

    def close(self) -> None:
        """Close the map; a structure that is registered without a link is taken back, for the kernel would keep it."""
        if self.registered and not self.closed and self._pinned is None:
            map_delete_elem(self.fileno(), bytes(4))
        self.registered = False
        super().close()

    def register(self, members: Mapping[str, Any]) -> None:
        """Fill the structure: programs (or their descriptors) for its functions, numbers and bytes for the rest."""
        wrapper = kernel_struct(self.spec)
        data = wrapper["data"]
        value = bytearray(wrapper.size)
        struct: Any = data.type.stripped
        for name, content in members.items():
            try:
                member: Member = struct[name]
            except BtfError:
                raise SpecError(f"{self.spec.btf_struct_ops} has no member {name!r}") from None
            raw = _bytes(member, content)
            at = data.offset + member.offset
            value[at : at + len(raw)] = raw
        code = map_update_elem(self.fileno(), bytes(4), bytes(value))
        if code:
            error = failure(code, "BPF_MAP_UPDATE_ELEM", self._subject())
            if code == EEXIST:
                error.hint = "a structure of that name is registered already, or this one is"
            raise error
        self.registered = not self.spec.flags & LINK


def _bytes(member: Member, content: Any) -> bytes:
    if hasattr(content, "fileno"):
        return int(content.fileno()).to_bytes(8, byteorder)
    if isinstance(content, str):
        content = content.encode()
    if isinstance(content, int):
        return content.to_bytes(member.size, byteorder, signed=content < 0)
    raw = bytes(content)
    if len(raw) > member.size:
        raise SpecError(f"{len(raw)} bytes for {member.name!r}, which has {member.size}")
    return raw
