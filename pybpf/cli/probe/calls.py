"""Asks what a helper wants of its arguments: calls made from `kernel.signatures`, right everywhere but in one place."""

from __future__ import annotations

import re
import struct

from ...btf.builder import BtfBuilder
from ...kernel.signatures import Arg, HelperRules, helper_id
from ...uapi import MapType
from .door import EXIT, Kernel, Variant, call, copy, imm64, insn, mov
from .maps import MAP_FOR_HELPER, Maps

CTX, SOCK, RESULT = 6, 7, 8  # registers that a prologue leaves things in
BUFFER, BUFFER_SIZE = -128, 64  # a zeroed place on the stack that stands for memory of any kind
FRESH, DYNPTR = -16, -32  # stack slots for a dynptr to be made, and for one that is
_PSEUDO_MAP_FD, _PSEUDO_MAP_VALUE, _PSEUDO_FUNC = 1, 2, 4


class Unmade(Exception):
    """An argument of this kind cannot be made here."""


class Functions:
    """BTF of a program with a main function and a callback, which the kernel demands of callbacks."""

    def __init__(self, kernel: Kernel) -> None:
        builder = BtfBuilder()
        number = builder.add_int("int", 4, True)
        proto = builder.add_func_proto(number, [("ctx", builder.add_ptr(0))])
        self._ids = builder.add_func("main", proto), builder.add_func("callback", proto, 0)
        self.fd = kernel.btf(builder.to_bytes())

    def info(self, callback: int) -> tuple[int, bytes]:
        """What `Kernel.load` takes for a program whose callback begins at that slot."""
        return self.fd, struct.pack("=IIII", 0, self._ids[0], callback, self._ids[1])


class Calls:
    """Makes calls of helpers in programs of one kind.  `sock` is the offset of a socket in the context, or None."""

    def __init__(self, kernel: Kernel, maps: Maps, functions: Functions, variant: Variant, sock: int | None) -> None:
        self.kernel = kernel
        self.maps = maps
        self.functions = functions
        self.variant = variant
        self.sock = sock

    def says(self, rules: HelperRules, map_type: int | None = None, wrong: int | None = None) -> tuple[bool, str]:
        """What the kernel says of a call with a map of `map_type`; argument `wrong`, if any, is of another kind.

        `Unmade` when an argument before that one cannot be made.
        """
        code = copy(CTX, 1) + mov(0, 0)
        code += b"".join(insn(0x7B, 10, 0, at) for at in range(BUFFER, BUFFER + BUFFER_SIZE, 8))
        wanted = rules.args if wrong is None else rules.args[:wrong]
        code += b"".join(self._before(rules, arg, map_type) for arg in wanted)
        callback = None
        for i, arg in enumerate(wanted):
            if arg.kind == "func":
                callback = len(code)
            code += self._argument(rules, arg, i + 1, map_type)
        if wrong is not None:
            code += copy(wrong + 1, 10 if rules.args[wrong].kind == "ctx" else CTX)
            # Since 7.x a buffer and its size are looked at together.
            after = enumerate(rules.args[wrong + 1 :], wrong + 2)
            code += b"".join(mov(register, _NUMBERS[arg.kind]) for register, arg in after if arg.kind in _NUMBERS)
        code += call(rules.id) + self.variant.end
        if callback is None:
            return self.kernel.says(self.variant, code)
        slot, target = callback // 8, len(code) // 8
        load = imm64(code[callback + 1] & 15, target - slot - 1, _PSEUDO_FUNC)
        code = code[:callback] + load + code[callback + 16 :] + mov(0, 0) + EXIT
        return self.kernel.says(self.variant, code, functions=self.functions.info(target))

    def _before(self, rules: HelperRules, arg: Arg, map_type: int | None) -> bytes:
        """What must happen before the arguments are set: code that leaves something in SOCK, RESULT or DYNPTR."""
        leave = self.variant.end
        if arg.kind in ("sock", "socket"):
            if self.sock is None:
                raise Unmade(arg.kind)
            code = insn(0x79, SOCK, CTX, self.sock) + insn(0x55, SOCK, 0, 2) + leave
            if arg.kind == "socket":
                code += copy(1, SOCK) + call(helper_id("sk_fullsock")) + insn(0x55, 0, 0, 2) + leave + copy(SOCK, 0)
            return code
        if arg.kind == "btf" and arg.struct == "task_struct":
            return call(helper_id("get_current_task_btf")) + copy(RESULT, 0)
        ring = imm64(1, self.maps.fd(MapType.RINGBUF), _PSEUDO_MAP_FD) + mov(2, 8) + mov(3, 0)
        if arg.kind == "record":
            return ring + call(helper_id("ringbuf_reserve")) + insn(0x55, 0, 0, 2) + leave + copy(RESULT, 0)
        if arg.kind in ("dynptr", "dynptr_ringbuf"):
            return ring + copy(4, 10) + insn(0x07, 4, imm=DYNPTR) + call(helper_id("ringbuf_reserve_dynptr"))
        if arg.kind in ("timer", "lock"):
            map_fd = self.maps.special(f"bpf_{_FIELDS[arg.kind]}", MapType.HASH if map_type is None else map_type)
            code = imm64(1, map_fd, _PSEUDO_MAP_FD) + copy(2, 10) + insn(0x07, 2, imm=BUFFER)
            return code + call(helper_id("map_lookup_elem")) + insn(0x55, 0, 0, 2) + leave + copy(RESULT, 0)
        return b""

    def _argument(self, rules: HelperRules, arg: Arg, register: int, map_type: int | None) -> bytes:
        """Code that puts a right argument into a register."""
        kind = arg.kind
        if kind == "ctx":
            return copy(register, CTX)
        if kind == "map":
            wanted = default_map(rules) if map_type is None else map_type
            timer = rules.args[0].kind == "timer"
            fd = self.maps.special("bpf_timer", wanted) if timer else self.maps.fd(wanted)
            return imm64(register, fd, _PSEUDO_MAP_FD)
        if kind in _STACK:
            return copy(register, 10) + insn(0x07, register, imm=_STACK[kind])
        if kind in ("sock", "socket"):
            return copy(register, SOCK)
        if kind in ("record", "timer", "lock") or (kind == "btf" and arg.struct == "task_struct"):
            return copy(register, RESULT)
        if kind in _NUMBERS:
            return mov(register, _NUMBERS[kind])
        if kind == "str":
            return imm64(register, self.maps.text(), _PSEUDO_MAP_VALUE)
        if kind == "func":
            return imm64(register, 0)  # the place of the callback is known when all code is there
        if arg.nullable:
            return mov(register, 0)
        raise Unmade(kind)

    def expected(self, rules: HelperRules) -> tuple[str | None, ...]:
        """The kernel's words for each argument: "" where it takes any number, None where it could not be asked."""
        answers: list[str | None] = []
        for i, arg in enumerate(rules.args):
            try:
                _, log = self.says(rules, wrong=i)
            except Unmade:
                return (*answers, *[None] * (len(rules.args) - i))
            found = re.search(rf"R{i + 1} type=\S+ expected=(.*)", log)
            answers.append(found.group(1).strip() if found else "" if arg.kind == "any" else None)
        return tuple(answers)

    def takes_map(self, rules: HelperRules, map_type: int) -> bool | None:
        """Does the helper take a map of this type?  None where no right call can be made."""
        self.maps.fresh(map_type)
        try:
            accepted, log = self.says(rules, map_type)
        except Unmade:
            return None
        at_call = re.search(rf"\(85\) call bpf_\w+#{rules.id}\b[^\n]*\n(.*)", log, re.S)
        return accepted or (at_call is not None and re.search(r"^\d+: \(", at_call[1], re.M) is not None)


_STACK = {**dict.fromkeys(("key", "value", "mem", "fixed"), BUFFER), "dynptr_new": FRESH}
_STACK |= dict.fromkeys(("dynptr", "dynptr_ringbuf"), DYNPTR)
_NUMBERS = {"any": 0, "size": 8, "size0": 8, "alloc_size": 8}
_FIELDS = {"timer": "timer", "lock": "spin_lock"}


def default_map(rules: HelperRules) -> int:
    """A map type that the helper takes."""
    return MAP_FOR_HELPER.get(rules.name, MapType.HASH)
