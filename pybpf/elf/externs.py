"""What an object expects of the kernel: configuration values, kernel variables, kernel functions.

Configuration becomes a read-only map, as if the object had carried it; the rest is looked up in the kernel's BTF, and
for variables without a type in its list of symbols.  A weak symbol that the kernel lacks reads as 0.
"""

from __future__ import annotations

import os

from ..asm.insn import Insn, s32
from ..asm.opcodes import Call, Pseudo
from ..btf.kinds import Kind
from ..btf.types import Array, Datasec, Enum, Func, Int, Type
from ..errors import BtfError, ElfError
from ..spec import MapSpec
from ..types import u32
from .file import SHN_UNDEF, STB_LOCAL, STB_WEAK, ElfFile
from .maps import ARRAY, F_MMAPABLE, F_RDONLY_PROG, kernel_name
from .names import KCONFIG, KSYMS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from ..btf.btf import Btf

_VIRTUAL = ("LINUX_KERNEL_VERSION", "LINUX_HAS_BPF_COOKIE", "LINUX_HAS_SYSCALL_WRAPPER")


class Extern:
    """One external symbol: `kind` is "kconfig", "ksym" (a variable with a type), "address" (one without) or "kfunc"."""

    __slots__ = ("align", "kind", "name", "offset", "size", "type", "weak")

    def __init__(self, name: str, kind: str, type: Type, weak: bool) -> None:
        self.name, self.kind, self.type, self.weak = name, kind, type, weak
        self.offset = self.size = self.align = 0


def externs(elf: ElfFile, btf: Btf | None) -> list[Extern]:
    """The external symbols of `elf`, with what BTF says of them; configuration values have their place in the map."""
    found: list[Extern] = []
    described: dict[str, tuple[str, Type]] = {}
    for t in btf.own_types() if btf else ():
        if isinstance(t, Datasec) and t.name in (KCONFIG, KSYMS):
            described.update((var.name, (t.name, var)) for var, _, _ in t.vars)
    for symbol in elf.symbols:
        if symbol.section != SHN_UNDEF or symbol.bind == STB_LOCAL or not symbol.name:
            continue
        if symbol.name not in described:
            continue  # an error where it is used, if it is
        section, t = described[symbol.name]
        if section == KCONFIG:
            kind = "kconfig"
        elif isinstance(t, Func):
            kind = "kfunc"
        else:
            kind = "address" if t.type.stripped.kind == Kind.VOID else "ksym"
        found.append(Extern(symbol.name, kind, t, symbol.bind == STB_WEAK))
    place_config([e for e in found if e.kind == "kconfig"])
    return found


def place_config(values: list[Extern]) -> int:
    """Give each configuration value its offset in the map, in libbpf's order; the bytes that all take."""
    from ..btf.layout import Layout

    layout = Layout()
    for e in values:
        e.size, e.align = e.type.size, layout.alignment(e.type.type)
    values.sort(key=lambda e: (-e.align, e.size, e.name))
    at = 0
    for e in values:
        e.offset = -(-at // e.align) * e.align
        at = e.offset + e.size
    return at


def config_map(elf: ElfFile, values: list[Extern], config: Mapping[str, str] | None, raw_btf: bytes) -> MapSpec:
    """The read-only map of configuration values, from `config` or the running kernel's."""
    size = max(e.offset + e.size for e in values)
    data = bytearray(size)
    known = kernel_config() if config is None else config
    for e in values:
        text = known.get(e.name, _virtual(e.name) if e.name in _VIRTUAL else None)
        if text is None:
            if not e.weak:
                raise elf.error(f"the kernel's configuration has no {e.name}, and it is not declared __weak")
            continue
        data[e.offset : e.offset + e.size] = _config_bytes(elf, e, text)
    return MapSpec(
        ARRAY,
        value_size=size,
        max_entries=1,
        flags=F_MMAPABLE | F_RDONLY_PROG,
        name=kernel_name(elf.name, KCONFIG),
        key=u32,
        contents=((0, bytes(data)),),
        frozen=True,
        btf=raw_btf,
        btf_value=next(t.id for t in e.type.btf.own_types() if t.kind == Kind.DATASEC and t.name == KCONFIG),
    )


def kernel_config() -> dict[str, str]:
    """CONFIG_* of the running kernel, from /proc/config.gz or /boot; {} where neither is there."""
    import gzip
    import zlib

    try:
        try:
            with gzip.open("/proc/config.gz", "rt") as file:
                text = file.read()
        except FileNotFoundError:
            with open(f"/boot/config-{os.uname().release}") as file:
                text = file.read()
    except (OSError, AttributeError, zlib.error, UnicodeDecodeError):
        return {}
    rows = (line.split("=", 1) for line in text.splitlines() if line.startswith("CONFIG_") and "=" in line)
    return {name: value.strip() for name, value in rows}


def _virtual(name: str) -> str:
    """Values that libbpf makes up: they are of the machine, not of its configuration file."""
    if name == "LINUX_KERNEL_VERSION":
        parts = [*os.uname().release.split("-")[0].split("."), "0", "0"][:3]
        major, minor, patch = (int("".join(c for c in part if c.isdigit()) or 0) for part in parts)
        return str(major << 16 | minor << 8 | min(patch, 255))
    return "y"


def _config_bytes(elf: ElfFile, e: Extern, text: str) -> bytes:
    t = e.type.type.stripped
    if text in ("y", "m", "n"):
        if isinstance(t, Int) and t.is_bool:
            if text == "m":
                raise elf.error(f"{e.name} is m, which a bool cannot hold: declare it as enum libbpf_tristate")
            return bytes([text == "y"])
        if isinstance(t, Enum):
            return {"n": 0, "y": 1, "m": 2}[text].to_bytes(e.size, elf.byteorder)  # type: ignore[arg-type]
        if isinstance(t, Int) and e.size == 1:
            return text.encode()
    elif text.startswith('"') and isinstance(t, Array):
        raw = text[1:].rsplit('"', 1)[0].encode()[: e.size - 1]
        return raw.ljust(e.size, b"\0")
    elif isinstance(t, Int):
        try:
            number = int(text, 0)
            return number.to_bytes(e.size, elf.byteorder, signed=number < 0)  # type: ignore[arg-type]
        except (ValueError, OverflowError):
            pass
    raise elf.error(f"{e.name} is {text}, which does not fit its type {e.type.type}")


def uses(insns: list[Insn], found: Mapping[str, Extern]) -> list[tuple[int, str, str, bool]]:
    """(slot, name, kind, weak) for each instruction that refers to an external symbol."""
    out = []
    slot = 0
    for insn in insns:
        e = found.get(insn.symbol or "")
        if e is not None and (not insn.wide or insn.src in (0, Pseudo.BTF_ID)):
            out.append((slot, e.name, e.kind, e.weak))
        slot += insn.slots
    return out


def bind(
    insns: list[Insn], found: Mapping[str, Extern], kernel: Callable[[], Btf], ksyms: Mapping[str, int] | None
) -> None:
    """Write what is known of external symbols into the instructions, in place.

    What the kernel has keeps its symbol, for whoever loads the program to check or to move to a module; a weak
    symbol that it lacks is 0 without one.  ElfError for a strong one that it lacks.
    """
    for i, insn in enumerate(insns):
        e = found.get(insn.symbol or "")
        if e is None or (insn.wide and insn.src not in (0, Pseudo.BTF_ID)):
            continue
        if e.kind == "kconfig":
            insns[i] = insn.replace(
                src=Pseudo.MAP_VALUE, imm=0, next_imm=insn.imm + e.offset, symbol=KCONFIG, comment=None
            )
        elif e.kind == "address":
            address = (kernel_symbols([e.name]) if ksyms is None else ksyms).get(e.name)
            if address is None and not e.weak:
                raise ElfError(f"the kernel has no symbol {e.name!r}, and it is not declared __weak")
            insns[i] = insn.replace(
                imm=s32(address or 0), next_imm=s32((address or 0) >> 32), symbol=None, comment=f"address of {e.name}"
            )
        else:
            insns[i] = _typed(insn, e, kernel)


def _typed(insn: Insn, e: Extern, kernel: Callable[[], Btf]) -> Insn:
    from ..btf.match import types_compatible

    kind = Kind.FUNC if e.kind == "kfunc" else Kind.VAR
    there = find_extern(kernel(), e.name, kind)
    if there is not None and not types_compatible(e.type.type.stripped, there.type.stripped):
        if not e.weak:
            raise ElfError(f"the kernel's {there.name!r} is {there} ({there.type}): this object declares {e.type.type}")
        there = None
    if there is None and not e.weak:
        raise ElfError(f"the kernel has no {kind.name.lower()} {e.name!r} in its BTF, and it is not declared __weak")
    if not insn.wide:
        return insn.replace(src=Call.KFUNC, imm=there.id if there else 0, symbol=there.name if there else None)
    return insn.replace(
        src=Pseudo.BTF_ID if there else 0,
        imm=there.id if there else 0,
        next_imm=0,
        symbol=there.name if there else None,
        comment=None,
    )


def find_extern(kernel: Btf, name: str, kind: Kind) -> Type | None:
    """What the kernel or one of its modules has of that name; functions may be declared in several flavours."""
    from ..btf.match import essential

    name = essential(name) if kind == Kind.FUNC else name
    found = kernel.find_all(name, kind)
    for module in () if found else kernel.kernel_modules():
        try:
            found = found or kernel.of_module(module).find_all(name, kind)
        except BtfError:
            continue
    return found[0] if found else None


def kernel_symbols(names: Iterable[str]) -> dict[str, int]:
    """Addresses of kernel symbols, from /proc/kallsyms; those that it hides or lacks are left out."""
    wanted = set(names)
    found: dict[str, int] = {}
    try:
        with open("/proc/kallsyms") as file:
            for line in file:
                address, _, name = line.split()[:3]
                if name in wanted:
                    found.setdefault(name, int(address, 16))
    except OSError:
        pass
    return found
