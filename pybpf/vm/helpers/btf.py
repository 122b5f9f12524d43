"""Helpers that know the kernel's types, by its BTF: that of the running kernel, or `env.btf`."""

from __future__ import annotations

from errno import EFAULT, EINVAL, ENOENT

from ..memory import MemoryFault
from .table import model

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..run import Run

_BTF_PTR = 16  # sizeof(struct btf_ptr): the address, the id of the type, flags that nobody reads
_FLAGS = 15


def _text(run: Run, ptr: int, size: int, flags: int) -> bytes | int:
    """What the object looks like, or the error (`bpf_btf_printf_prepare`)."""
    from ...btf.show import show

    btf = run.env.kernel_btf
    if flags & ~_FLAGS or size & 0xFFFFFFFF != _BTF_PTR or btf is None:
        return -EINVAL
    address, number = run.mem.load(ptr, 8), run.mem.load(ptr + 8, 4)
    if not number:
        return -EINVAL
    if number > len(btf):
        return -ENOENT
    try:
        return show(btf.type(number), lambda at, length: run.mem.read(address + at, length), flags).encode("latin-1")
    except MemoryFault:
        return -EFAULT


@model
def snprintf_btf(run: Run, str: int, str_size: int, ptr: int, btf_ptr_size: int, flags: int) -> int:
    text = _text(run, ptr, btf_ptr_size, flags)
    if isinstance(text, int):
        return text
    run.mem.write(str, text[: (str_size & 0xFFFFFFFF) - 1] + b"\0")
    return len(text)


@model
def seq_printf_btf(run: Run, m: int, ptr: int, ptr_size: int, flags: int) -> int:
    text = _text(run, ptr, ptr_size, flags)
    if isinstance(text, int):
        return text
    run.seq.extend(text)
    return 0


@model
def btf_find_by_name_kind(run: Run, name: int, name_sz: int, kind: int, flags: int) -> int:
    size = name_sz & 0xFFFFFFFF
    text = run.mem.read(name, size)
    btf = run.env.kernel_btf
    if flags & 0xFFFFFFFF or not 1 < size < 1 << 31 or text[-1] or btf is None:
        return -EINVAL
    wanted = text.split(b"\0", 1)[0].decode("latin-1")
    found = (id_ for id_ in btf.ids(wanted) if btf.type(id_).kind == kind & 0xFFFFFFFF)
    return next(found, -ENOENT)
