"""USDT: the probes that a program's author put into it, by provider and name, with typed arguments."""

from __future__ import annotations

from ..errors import ElfError, SpecError
from .base import Link
from .elf import Image, Site, find_file
from .perf import group
from .uprobe import attach_uprobe

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any


class Arg(tuple[int, bool, str, int, str, int]):
    """Where an argument of a site is.

    `size` in bytes and `signed`; a constant (`register` "", `offset` the number), a register, or memory at a
    register plus `offset` (`memory` True), plus an `index` register times `scale`.
    """

    __slots__ = ()

    def __new__(
        cls,
        size: int,
        signed: bool,
        register: str,
        offset: int = 0,
        memory: bool = False,
        index: str = "",
        scale: int = 1,
    ) -> Arg:
        return tuple.__new__(cls, (size, signed, register, offset, memory, index, scale))

    size = property(lambda self: self[0])
    signed = property(lambda self: self[1])
    register = property(lambda self: self[2])
    offset = property(lambda self: self[3])
    memory = property(lambda self: self[4])
    index = property(lambda self: self[5])
    scale = property(lambda self: self[6])

    def __repr__(self) -> str:
        place = self.register or str(self.offset)
        if self.memory:
            place = f"*({self.register}{self.offset:+d}{f' + {self.index}*{self.scale}' if self.index else ''})"
        return f"Arg({'s' if self.signed else 'u'}{self.size * 8} {place})"


def sites(target: str, pid: int = -1) -> tuple[str, list[Site]]:
    """The path and the sites of "file:provider:name".  ElfError when there is none; it names those that there are."""
    file, provider, name = _parts(target)
    path = find_file(file, pid)
    known = list(Image(path).sites())
    found = [site for site in known if (site.provider, site.name) == (provider, name)]
    if not found:
        names = sorted({f"{site.provider}:{site.name}" for site in known})
        has = f"it has {', '.join(names[:20])}" if names else "it has none at all"
        raise ElfError(f"{path} has no USDT probe {provider}:{name}; {has}")
    return path, found


def _parts(target: str) -> tuple[str, str, str]:
    parts = target.rsplit(":", 2)
    if len(parts) != 3 or not all(parts):
        raise SpecError(f"USDT target {target!r}: expected file:provider:name")
    return parts[0], parts[1], parts[2]


def arguments(site: Site) -> list[Arg]:
    """Where the arguments of a site are, in order, as the assembler wrote it ("-4@%edi 8@-8(%rbp) 4@$5" on x86).

    SpecError for a form that is not known.
    """
    return [argument(word) for word in words(site.args)]


def words(text: str) -> list[str]:
    """Arguments are apart by blanks; arm64 has blanks inside brackets too."""
    words: list[str] = []
    for word in text.split():
        if words and words[-1].count("[") > words[-1].count("]"):
            words[-1] += word
        else:
            words.append(word)
    return words


def argument(word: str) -> Arg:
    size, at, place = word.partition("@")
    size = size.removesuffix("f")  # a floating-point number: its bits
    if not at or size.lstrip("-") not in ("1", "2", "4", "8"):
        raise SpecError(f"USDT argument {word!r}: expected size@place")
    width, signed = abs(int(size)), size.startswith("-")
    try:
        if place.startswith("["):  # arm64: [x0, 8]
            base, _, offset = place.strip("[]").partition(",")
            return Arg(width, signed, base.strip(), int(offset or "0", 0), True)
        if "(" in place:  # x86: -8(%rbp), (%rax,%rbx,4)
            offset, _, inside = place.rstrip(")").partition("(")
            base, index, scale = [*inside.split(","), "", ""][:3]
            return Arg(
                width, signed, base.lstrip("%"), int(offset or "0", 0), True, index.lstrip("%"), int(scale or "1")
            )
        if place.startswith("$") or place.lstrip("-").isdigit():
            return Arg(width, signed, "", int(place.lstrip("$"), 0))
    except ValueError:
        raise SpecError(f"USDT argument {word!r}: a place of unknown form") from None
    return Arg(width, signed, place.lstrip("%"))


def attach_usdt(prog: Any, target: str, *, pid: int = -1, cookies: Sequence[int] | None = None) -> Link:
    """Run the program at every site of a probe, "file:provider:name"; where the probe has a semaphore it is raised.

    `cookies` gives a number to each site, in the order of `sites(target)` (Linux 5.15): a program that reads arguments
    finds it in `ctx.cookie` (`bpf_usdt_cookie` in C), others by `bpf_get_attach_cookie`.  With `pid`, in that process
    only.  SpecError when the program names more arguments than the probe has, or one that programs cannot read.
    """
    path, found = sites(target, pid)
    if cookies is not None and len(cookies) != len(found):
        raise SpecError(f"{target} has {len(found)} sites: give as many cookies, not {len(cookies)}")
    numbers, places = list(cookies or [0] * len(found)), frozenset[int]()
    from .operands import SPECS, describe

    if SPECS in prog.maps:
        numbers, places = describe(prog, found, numbers)

    links = (
        attach_uprobe(prog, path, offset=site.offset, pid=pid, cookie=cookie, semaphore=site.semaphore)
        for site, cookie in zip(found, numbers, strict=True)
    )
    link = group(target, links)
    link.target, link.places = target, places
    return link
