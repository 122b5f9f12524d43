"""`Context`: what r1 points to when a program begins."""

from __future__ import annotations

import ctypes
from errno import E2BIG, EINVAL, ENODEV

from ...errors import InputError, SpecError
from ..memory import CTX, MemoryFault

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ..environment import Environment
    from ..memory import Memory

ADDRESS = CTX << 32
_LARGEST_BUFFER = 0xFFFF


class Context:
    """Fields as bytes in the layout that user space knows, and pointers where a field stands for one.

    `data` is the bytes; `pointers` maps an offset to the address that a load there gives, however narrow the field is;
    `narrow` says where loads are of a field that is narrower in the kernel (see `narrow_fields`).
    """

    packet: Any = None
    kind: tuple[int, int | None, bool] | None = None
    """The program's type, its attach type, and whether it may sleep."""
    arguments = 0
    """How many arguments a traced function has; what it returned stands behind them."""

    def __init__(
        self,
        data: bytearray,
        pointers: dict[int, int] | None = None,
        name: str = "the context",
        layout: Any = None,
        narrow: dict[int, tuple[int, int]] | None = None,
    ) -> None:
        self.data = data
        self.layout = layout
        self.narrow = narrow or {}
        self.pointers = pointers if pointers is not None else {}
        self.name = name
        self.owned: list[int] = []
        """Addresses of what was made for this run alone."""

    def load(self, offset: int, size: int) -> int:
        """What a load of `size` bytes at `offset` gives.  VmFault outside."""
        if offset + size > len(self.data):
            raise self._outside("read", offset, size)
        pointer = self.pointers.get(offset)
        if pointer is not None:
            return pointer
        begin, width = self.narrow.get(offset, (0, 9))
        if size >= width:
            return int.from_bytes(self.data[begin : begin + 4], "little")
        return int.from_bytes(self.data[offset : offset + size], "little")

    def _outside(self, how: str, offset: int, size: int) -> MemoryFault:
        text = f"{how} of {size} byte{'s' * (size != 1)} at 0x{ADDRESS | offset:x}: out of bounds: "
        return MemoryFault(
            f"{text}offset {offset} of {self.name} ({len(self.data)} bytes)", ADDRESS | offset, self.name
        )

    def store(self, offset: int, size: int, value: int) -> None:
        """Store into a field.  VmFault outside, and for a field that stands for a pointer."""
        if offset + size > len(self.data):
            raise self._outside("write", offset, size)
        if offset in self.pointers:
            text = f"write of {size} bytes at offset {offset} of {self.name}: a pointer cannot be stored there"
            raise MemoryFault(text, ADDRESS | offset, self.name)
        size = min(size, self.narrow[offset][1]) if offset in self.narrow else size
        self.data[offset : offset + size] = (value & ((1 << 8 * size) - 1)).to_bytes(size, "little")

    def read_only(self, offset: int, size: int) -> MemoryFault:
        """The fault of a store where the kernel takes none from programs of this kind."""
        name = field_at(self.kind, offset)
        text = f"write of {size} byte{'s' * (size != 1)} at offset {offset} of {self.name}{name and f' ({name})'}: "
        return MemoryFault(
            f"{text}this kind of program may not write there, or not so many bytes", ADDRESS | offset, self.name
        )

    def output(self) -> bytes:
        """The context after the run, as TEST_RUN gives it back."""
        return bytes(self.data)

    def structured(self, raw: bytes) -> Any:
        """`raw` as the structure that contexts of this kind are; as it is where there is none."""
        return raw if self.layout is None else self.layout.from_buffer_copy(raw)

    def packet_output(self) -> bytes:
        """The packet after the run; empty where there is none."""
        return b""


_STORABLE: dict[tuple[Any, int, int], bool] = {}


def storable(kind: tuple[int, int | None, bool] | None, offset: int, size: int) -> bool:
    """Whether the kernel lets programs of a kind store there; those that its rules do not know may."""
    key = (kind, offset, size)
    if key not in _STORABLE:
        found = _rules(kind)
        _STORABLE[key] = found is None or found.store(offset, size)
    return _STORABLE[key]


def field_at(kind: tuple[int, int | None, bool] | None, offset: int) -> str:
    """The name of the field at an offset, "" for none."""
    found = _rules(kind)
    field = None if found is None else found.at(offset)
    return "" if field is None else field[0].name


def _rules(kind: tuple[int, int | None, bool] | None) -> Any:
    from ...errors import NotSupportedError
    from ...kernel import rules

    if kind is None:
        return None
    prog_type, attach_type, sleepable = kind
    try:
        return rules().program(prog_type, attach_type, sleepable=sleepable).context
    except NotSupportedError:
        return None


def structure(layout: Any, given: Any, mem: Memory) -> Any:
    """A ctypes structure of type `layout` from what the caller gave: None, a dict of fields, bytes, or a structure.

    SpecError for bytes of the wrong size, TypeError for an unknown field.
    """
    from ...kernel.run_context import set_field
    from ..sockets import PseudoSocket, socket_address

    made = layout()
    if given is None:
        return made
    if isinstance(given, dict):
        for name, value in given.items():
            value = socket_address(mem, value) if isinstance(value, PseudoSocket) else value
            set_field(made, name, value)
        return made
    raw = bytes(given)
    if len(raw) < ctypes.sizeof(layout) and any(raw):
        raw = raw.ljust(ctypes.sizeof(layout), b"\0")
    extra = raw[ctypes.sizeof(layout) :]
    if any(extra):
        # As the kernel (E2BIG): a longer context is one of a newer kernel, fine while what we do not know is zero.
        raise InputError(E2BIG, f"{len(raw)} bytes given for {layout.__name__}, which has {ctypes.sizeof(layout)}")
    ctypes.memmove(ctypes.addressof(made), raw, min(len(raw), ctypes.sizeof(layout)))
    return made


def narrow_fields(layout: Any, widths: dict[str, int], written: tuple[str, ...] = ()) -> dict[int, tuple[int, int]]:
    """Offsets in 32-bit fields that the kernel keeps in so many bytes -> (beginning, bytes).

    The kernel loads its own field whole and shifts and masks only for what is narrower than that one
    (`convert_ctx_accesses`): a load of the upper half of a field kept in 16 bits gives the lower one.  Loads at the
    beginning are as usual; of `written` fields it is there as well, since a store there keeps fewer bytes.
    """
    starts = ((offset_of(layout, name), width, name not in written) for name, width in widths.items())
    return {start + i: (start, width) for start, width, first in starts for i in range(first, 4)}


def offset_of(layout: Any, field: str) -> int:
    return int(getattr(layout, field).offset)


def device(env: Environment, ifindex: int) -> int:
    """The device that a packet came in on, the loopback device unless one is given.

    InputError (ENODEV) for one that is not among the environment's devices, where those are set.
    """
    if ifindex > 1 and env.devices and ifindex not in env.devices:
        raise InputError(ENODEV, f"ctx: there is no device {ifindex} in vm.env.devices")
    return ifindex or 1


def flat(layout: Any, given: Any, mem: Memory, env: Environment, data: bytes | None) -> Context:
    """A context whose fields are plain numbers."""
    return Context(bytearray(bytes(structure(layout, given, mem))), name=f"struct {layout.__name__}", layout=layout)


def buffer(given: Any, mem: Memory, env: Environment, data: bytes | None) -> Context:
    """A context that is just bytes, as for syscall programs."""
    given = given or None
    if isinstance(given, dict):
        raise SpecError(f"ctx: {', '.join(given)}: this type of program has no fields by name: give bytes")
    if given is not None and len(bytes(given)) > _LARGEST_BUFFER:
        raise InputError(EINVAL, f"ctx: {len(bytes(given))} bytes: at most {_LARGEST_BUFFER}")
    return Context(bytearray(b"" if given is None else bytes(given)), name="the context")
