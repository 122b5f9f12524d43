"""Asks what a helper wants of its arguments: calls made from `kernel.signatures`, right everywhere but in one place."""

from __future__ import annotations

import re

from ...kernel.signatures import Arg, HelperRules
from ...uapi import MapType
from .door import Kernel, Variant, call, copy, imm64, insn, mov
from .maps import MAP_FOR_HELPER, Maps

CTX, SOCK, RESULT = 6, 7, 8  # registers that a prologue leaves things in
BUFFER = -256
"""Offset from the frame pointer of a zeroed buffer that stands for memory of any kind."""
BUFFER_SIZE = 192
_REACQUIRED = re.compile(r"Unreleased reference|has \w+ reference|BPF_EXIT instruction|reference leak", re.I)


class Unmade(Exception):
    """An argument of this kind cannot be made here."""


class Calls:
    """Makes calls of helpers in programs of one kind.  `sock` is the (offset, size) of a socket in the context, or None."""

    def __init__(self, kernel: Kernel, maps: Maps, variant: Variant, sock: tuple[int, int] | None) -> None:
        self.kernel = kernel
        self.maps = maps
        self.variant = variant
        self.sock = sock

    def program(self, rules: HelperRules, map_type: int | None = None, wrong: int | None = None) -> bytes:
        """A program that calls the helper with a map of `map_type`; argument `wrong` is of a type that none of its kind takes."""
        prologue = [copy(CTX, 1), mov(0, 0)]
        prologue += [insn(0x7B, 10, 0, at) for at in range(BUFFER, BUFFER + BUFFER_SIZE, 8)]
        arguments = []
        for i, arg in enumerate(rules.args):
            register = i + 1
            if wrong == i:
                arguments.append(copy(register, CTX) if arg.kind not in ("ctx", "any") else copy(register, 10))
                break
            arguments.append(self.argument(rules, arg, register, map_type, prologue))
        return b"".join((*prologue, *arguments, call(rules.id), self.variant.end))

    def argument(
        self, rules: HelperRules, arg: Arg, register: int, map_type: int | None, prologue: list[bytes]
    ) -> bytes:
        """Code that puts a right argument into a register; what must happen before goes into `prologue`."""
        kind = arg.kind
        if kind == "ctx":
            return copy(register, CTX)
        if kind == "map":
            return imm64(register, self.maps.fd(map_type if map_type is not None else default_map(rules)), 1)
        if kind in ("key", "value", "mem", "fixed"):
            return copy(register, 10) + insn(0x07, register, imm=BUFFER)
        if kind in ("size", "size0", "alloc_size"):
            return mov(register, 8)
        if kind == "any":
            return mov(register, 0)
        if kind == "str":
            return imm64(register, self.maps.text(), 2)
        if kind == "record":
            prologue += [
                imm64(1, self.maps.fd(MapType.RINGBUF), 1) + mov(2, 8) + mov(3, 0) + call(131),
                insn(0x55, 0, 0, 2) + self.variant.end + copy(RESULT, 0),
            ]
            return copy(register, RESULT)
        if kind in ("sock", "socket"):
            if self.sock is None:
                raise Unmade(kind)
            offset, _ = self.sock
            prologue += [insn(0x79, SOCK, CTX, offset) + insn(0x55, SOCK, 0, 2) + self.variant.end]
            if kind == "socket":
                prologue += [copy(1, SOCK) + call(95) + insn(0x55, 0, 0, 2) + self.variant.end + copy(SOCK, 0)]
            return copy(register, SOCK)
        if kind == "btf" and arg.struct == "task_struct":
            prologue += [call(158) + copy(RESULT, 0)]
            return copy(register, RESULT)
        if arg.nullable:
            return mov(register, 0)
        raise Unmade(kind)

    def expected(self, rules: HelperRules) -> tuple[str | None, ...]:
        """The kernel's words for each argument: "" where it takes any number, None where the question could not be asked."""
        answers: list[str | None] = []
        for i, arg in enumerate(rules.args):
            if arg.kind == "any":
                answers.append("")
                continue
            try:
                code = self.program(rules, wrong=i)
            except Unmade:
                return (*answers, *[None] * (len(rules.args) - i))
            _, log = self.kernel.says(self.variant, code)
            found = re.search(rf"R{i + 1} type=\S+ expected=(.*)", log)
            answers.append(found.group(1).strip() if found else None)
        return tuple(answers)

    def takes_map(self, rules: HelperRules, map_type: int) -> bool | None:
        """Does the helper take a map of this type?  None where no right call can be made."""
        try:
            code = self.program(rules, map_type)
        except Unmade:
            return None
        accepted, log = self.kernel.says(self.variant, code)
        return accepted or not re.search(rf"\(85\) call bpf_\w*#{rules.id}\b[^\n]*\n(?!.*\n?\d+: \()", log, re.S)


def default_map(rules: HelperRules) -> int:
    """A map type that the helper takes."""
    return MAP_FOR_HELPER.get(rules.name, MapType.HASH)
