"""Operands of USDT sites as programs read them: `struct __bpf_usdt_spec` of libbpf's usdt.bpf.h, a map of which they have."""

from __future__ import annotations

from struct import pack
from sys import byteorder

from ..errors import NotSupportedError, SpecError
from .usdt import Arg, argument
from .usdt import words as words_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .elf import Site

SPECS, PLACES = "__bpf_usdt_specs", "usdt_places"
_OPERANDS = 12
_CONSTANT, _REGISTER, _MEMORY, _INDEXED = range(4)


def describe(prog: Any, found: list[Site], numbers: list[int]) -> tuple[list[int], frozenset[int]]:
    """Write the specs of the sites to the program's map.

    Gives the cookie of each site, which is the number of its spec; or, for programs without cookies, zeros and the
    places in pages by which they know the sites.
    """
    specs = prog.maps[SPECS]
    ids = [_number(specs, _spec(_readable(prog, site), cookie)) for site, cookie in zip(found, numbers, strict=True)]
    if PLACES not in prog.maps:
        return ids, frozenset()
    here: dict[int, int] = {}
    for site, id_ in zip(found, ids, strict=True):
        if here.setdefault(site.offset & 0xFFF, id_) != id_:
            raise NotSupportedError(
                "telling two sites at one place of a page apart", since="5.15", hint="with kernel='5.15' it has cookies"
            )
    places = prog.maps[PLACES]
    taken = frozenset[int]().union(*(getattr(link, "places", ()) for link in prog.links if not link.closed))
    for place, id_ in here.items():
        if place in taken and places.get(place, id_) != id_:
            raise SpecError(f"{prog!r} is attached to another probe at place {place:#x} of a page already")
        places[place] = id_
    return [0] * len(found), frozenset(here)


def _number(specs: Any, spec: bytes) -> int:
    """The number of a spec in the map: where it is already, or the first free place."""
    for number in range(specs.spec.max_entries):
        key = number.to_bytes(4, byteorder)
        there = specs.raw.lookup(key)
        if there != spec and any(there):
            continue
        specs.raw.update(key, spec)
        return number
    raise SpecError(f"the program has room for {specs.spec.max_entries} different sites")


def _readable(prog: Any, site: Site) -> list[Arg]:
    """The arguments of a site that the program may ask for; SpecError for one that it does and that cannot be read."""
    words = words_of(site.args)
    # A decorated function shows which ones it names; C, and `ctx.args`, may read any.
    code = getattr(getattr(prog.spec, "function", None), "__code__", None)
    named = 0 if code is None else code.co_argcount - 1
    if named > len(words):
        raise SpecError(f"{site.provider}:{site.name} has {len(words)} arguments, {prog.name} names {named}")
    wanted = named if code is not None and "args" not in code.co_names else _OPERANDS
    args: list[Arg] = []
    for word in words[:_OPERANDS]:
        try:
            args.append(argument(word))
            _operand(args[-1])
        except SpecError as error:
            if len(args) > wanted:
                return args[:wanted]
            raise SpecError(f"argument {len(args)} of {site.provider}:{site.name} cannot be read: {error}") from None
    return args


def _spec(args: list[Arg], cookie: int) -> bytes:
    return b"".join(map(_operand, args)).ljust(16 * _OPERANDS, b"\0") + pack("=QH6x", cookie, len(args))


def _operand(arg: Arg) -> bytes:
    shift = 64 - 8 * arg.size
    if not arg.register:
        return pack("=QIHBB", arg.offset & (1 << 64) - 1, _CONSTANT, 0, arg.signed, shift)
    how, index = _MEMORY if arg.memory else _REGISTER, 0
    if arg.index:
        how = _INDEXED
        index = _register(arg.index) << 8 | (arg.scale.bit_length() - 1) << 20
    return pack("=QIHBB", arg.offset & (1 << 64) - 1, how | index, _register(arg.register), arg.signed, shift)


# struct pt_regs of x86-64: its registers in order, 8 bytes each, by the last letters of their names.
_X86 = (
    *("r15", "r14", "r13", "r12", "bp", "bx", "r11", "r10", "r9", "r8", "ax", "cx", "dx", "si", "di"),
    *("orig_ax", "ip", "cs", "flags", "sp"),
)


def _register(name: str) -> int:
    """Offset of a register in struct pt_regs, by any of its names ("rax", "eax", "ax", "al", "r8d"; "x0", "w0")."""
    from os import uname

    if uname().machine == "aarch64":
        number = {"sp": 31, "wsp": 31}.get(name, name[1:] if name[:1] in "xw" else "")
        if str(number).isdigit() and int(number) <= 31:
            return 8 * int(number)
    else:
        plain = name.rstrip("bwd") if name[1:2].isdigit() else name.removeprefix("r").removeprefix("e")
        if plain not in _X86:
            plain = {"al": "ax", "bl": "bx", "cl": "cx", "dl": "dx"}.get(plain, plain.removesuffix("l"))
        if plain in _X86:
            return 8 * _X86.index(plain)
    raise SpecError(f"programs do not see the register {name}")
