"""BTF of maps: keys and values described to the kernel (and to bpftool), and read back from maps that others made."""

from __future__ import annotations

from ..errors import BtfError, SyscallError
from ..syscall.btf import btf_info, btf_load
from ..syscall.fd import Fd
from ..syscall.objects import each, fd_by_id

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from ..btf import Btf
    from ..btf.types import Type
    from ..spec import MapSpec

_features: frozenset[str] | None = None


def load_btf(raw: bytes, token_fd: int = 0) -> Fd:
    """BTF in the kernel; what this kernel's BTF lacks is replaced, as `btf.sanitize` does.

    Which kinds it lacks is found out by loading a little of each, once in a process, when it refuses `raw`.
    """
    global _features
    try:
        return _again(raw) or Fd(btf_load(raw, token_fd=token_fd))
    except SyscallError as refusal:
        from ..btf.compat import FEATURES, probe, sanitize

        if _features is None:
            _features = frozenset(feature for feature in FEATURES if _takes(probe(feature), token_fd))
        try:
            cleaned = sanitize(raw, _features)
        except BtfError:
            raise refusal from None  # damaged, not too new
        if cleaned == raw:
            raise
    return Fd(btf_load(cleaned, token_fd=token_fd))


def _takes(raw: bytes, token_fd: int) -> bool:
    try:
        Fd(btf_load(raw, token_fd=token_fd)).close()
    except SyscallError:
        return False
    return True


# The kernel tells types apart by the BTF object that they are in: a program's own structures are those of its maps only when both
# name one object.  So what a map was described with is found again by its id, as long as the map lives.
_ids: dict[bytes, int] = {}
_MOST = 16


def _remember(raw: bytes, made: Fd) -> None:
    if len(_ids) >= _MOST:
        _ids.pop(next(iter(_ids)))
    _ids[raw] = btf_info(made.fileno())[0]


def _again(raw: bytes) -> Fd | None:
    """The BTF object that a map was described with, if the kernel still has it and lets us look for it."""
    known = _ids.get(raw)
    if known is None:
        return None
    try:
        return Fd(fd_by_id("btf", known))
    except SyscallError:
        del _ids[raw]
        return None


def describe(spec: MapSpec, token_fd: int = 0) -> tuple[Fd, int, int] | None:
    """`(BTF in the kernel, id of the key, id of the value)` of a map, or None where there is nothing to say."""
    if spec.btf:
        if not (spec.btf_key or spec.btf_value):
            return None
        raw = bytes(spec.btf)
        made = load_btf(raw, token_fd)
        try:
            _remember(raw, made)
        except BaseException:
            made.close()
            raise
        return made, spec.btf_key, spec.btf_value
    if spec.value is None and spec.key is None:
        return None
    from ..btf.builder import btf_for_map
    from ..btf.native import MAPS_WITHOUT_BTF

    if spec.map_type in MAPS_WITHOUT_BTF or (spec.key_size and spec.key is None) or spec.value is None:
        return None
    raw, key, value = btf_for_map(spec.key, spec.value)
    return load_btf(raw, token_fd), key, value


def kernel_btf(id_: int) -> Btf:
    """The BTF that the kernel holds under an id."""
    from ..btf import Btf

    with BtfObject.from_id(id_) as found:
        return Btf.parse(found.raw)


class BtfObject(Fd):
    """BTF in the kernel: `id`, `name` ("vmlinux", a module's, or "" for a program's), and its types by `parse()`."""

    def __init__(self, fd: int) -> None:
        super().__init__(fd)
        self.id, self.name = 0, ""
        try:
            self.id, self._size, self.name, self.of_kernel = btf_info(fd)
        except BaseException:
            self.close()
            raise

    @classmethod
    def from_id(cls, id_: int) -> BtfObject:
        """Open BTF by its id; SyscallError (ENOENT) when there is none."""
        return cls(fd_by_id("btf", id_))

    @property
    def raw(self) -> bytes:
        """The bytes of the BTF."""
        data = bytearray(self._size)
        btf_info(self.fileno(), data)
        return bytes(data)

    def __repr__(self) -> str:
        return f"<BTF {self.id} {self.name!r}{', closed' if self.closed else ''}>"


def python_type(found: Type | None) -> Any:
    """The type to read values of a BTF type with: `u32`, `char[16]`, a ctypes structure; None when there is none."""
    from .. import types
    from ..btf import types as btf_types

    if found is None:
        return None
    # Our own BTF keeps the byte order of a big-endian number in the name of a typedef.
    if found.name in ("be16", "be32", "be64"):
        return getattr(types, found.name)
    found = found.stripped
    if isinstance(found, btf_types.Int):
        if found.is_char:
            return types.char
        return getattr(types, f"{'s' if found.signed else 'u'}{found.size * 8}", None)
    if isinstance(found, btf_types.Enum):
        return types.u32 if found.size == 4 else None
    if isinstance(found, btf_types.Array):
        element = python_type(found.element)
        if element is types.u8:
            return found.count
        return None if element is None else types.Array(element, found.count)
    if isinstance(found, btf_types.Struct):
        from ..btf.ctype import ctype

        return ctype(found)
    return None


def btfs() -> Iterator[BtfObject]:
    """All BTF in the kernel: its own, of its modules, of programs and maps."""
    for _, fd in each("btf"):
        yield BtfObject(fd).keep_quiet()
