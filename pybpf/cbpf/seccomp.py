"""Seccomp filters: classic BPF over system calls, built from rules, printed, run offline.

    >>> import errno
    >>> from pybpf.cbpf import Seccomp, SeccompData
    >>> from pybpf.cbpf.seccomp import Action, arg, fail
    >>> policy = Seccomp(arch="x86_64").rule("socket", fail(errno.EPERM), arg(0) == 17)
    >>> policy = policy.rule("ptrace", Action.KILL_PROCESS)
    >>> policy.run(SeccompData("socket", (17, 3, 0)))
    (<Action.ERRNO: 327680>, 1)
    >>> policy.run(SeccompData("getpid"))
    (<Action.ALLOW: 2147418112>, 0)

`pybpf.install_seccomp(policy)` puts it in force for the calling process, for good.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator, Sequence
from enum import IntEnum
from typing import NamedTuple

from ..errors import FilterError, NotSupportedError
from ..uapi.syscalls import GENERIC, I386, X86_64
from .filter import Filter
from .insn import OPCODES
from .machine import Packet
from .text import format_insn, parse


class Arch(NamedTuple):
    """`audit` is the AUDIT_ARCH_* number that the kernel reports, `syscalls` its numbers by name."""

    audit: int
    syscalls: dict[str, int]


ARCHES = {
    "x86_64": Arch(0xC000003E, X86_64),
    "i386": Arch(0x40000003, I386),
    "aarch64": Arch(0xC00000B7, GENERIC),
    "riscv64": Arch(0xC00000F3, GENERIC),
}
_MACHINES = {"i686": "i386", "amd64": "x86_64", "arm64": "aarch64"}
_X32_BIT = 0x40000000


class Action(IntEnum):
    """What the kernel does with the call (SECCOMP_RET_*); the low 16 bits of a filter's result are its data."""

    KILL_PROCESS = 0x80000000
    KILL_THREAD = 0x00000000
    TRAP = 0x00030000
    ERRNO = 0x00050000
    USER_NOTIF = 0x7FC00000
    TRACE = 0x7FF00000
    LOG = 0x7FFC0000
    ALLOW = 0x7FFF0000


def fail(errno: int) -> int:
    """The action that makes the call return -1 with that errno (0..4095)."""
    if not 0 <= errno <= 4095:
        raise FilterError(f"errno {errno}: expected 0..4095")
    return Action.ERRNO | errno


class Condition(NamedTuple):
    """One test of an argument: `args[arg] & mask`, compared as an unsigned 64-bit number (==, !=, <, <=, >, >=)."""

    arg: int
    op: str
    value: int
    mask: int = (1 << 64) - 1


_OPERATORS = ("==", "!=", "<", "<=", ">", ">=")


def _checked(condition: Condition) -> Condition:
    arg(condition.arg)
    if condition.op not in _OPERATORS:
        raise FilterError(f"comparison {condition.op!r}: expected one of {' '.join(_OPERATORS)}")
    if not (0 <= condition.value < 1 << 64 and 0 <= condition.mask < 1 << 64):
        raise FilterError(f"{condition}: value and mask are unsigned numbers of 64 bits")
    return condition


class _Arg:
    """An argument of the call, to compare: `arg(0) == 2`, `arg(1) & 0o100 == 0`, `arg(2) > 4096`."""

    def __init__(self, index: int, mask: int = (1 << 64) - 1) -> None:
        if not 0 <= index <= 5:
            raise FilterError(f"argument {index}: a system call has arguments 0..5")
        self._index, self._mask = index, mask

    def __and__(self, mask: int) -> _Arg:
        return _Arg(self._index, self._mask & mask)

    def _test(self, op: str, value: int) -> Condition:
        if not -(1 << 63) <= value < 1 << 64:
            raise FilterError(f"{value} does not fit 64 bits")
        return Condition(self._index, op, value & (1 << 64) - 1, self._mask)

    def __eq__(self, value: object) -> Condition:  # type: ignore[override]
        if not isinstance(value, int):
            raise FilterError(f"an argument is compared with an integer, not {value!r}")
        return self._test("==", value)

    def __ne__(self, value: object) -> Condition:  # type: ignore[override]
        return (self == value)._replace(op="!=")

    def __lt__(self, value: int) -> Condition:
        return self._test("<", value)

    def __le__(self, value: int) -> Condition:
        return self._test("<=", value)

    def __gt__(self, value: int) -> Condition:
        return self._test(">", value)

    def __ge__(self, value: int) -> Condition:
        return self._test(">=", value)

    __hash__ = None  # type: ignore[assignment]


def arg(index: int) -> _Arg:
    """Argument `index` (0..5) of the system call, to be compared in a rule; comparisons are unsigned, 64 bits wide."""
    return _Arg(index)


class SeccompData(NamedTuple):
    """`struct seccomp_data`: the call that a filter judges.  `nr` is a name or a number, `arch` a key of `ARCHES`."""

    nr: str | int
    args: Sequence[int] = ()
    instruction_pointer: int = 0
    arch: str = ""

    def packet(self, arch: str = "") -> Packet:
        """What a filter is run on, offline: `filter.run(data.packet())`.  `arch` counts where the data names none."""
        return Packet(_seccomp_bytes(self, arch))


class Rule(NamedTuple):
    syscall: str | int
    action: int
    conditions: tuple[Condition, ...] = ()


class Seccomp:
    """A policy as an immutable value: `rule` gives a new one with a rule added; the first rule that fits decides.

    `default` is the action when none fits, `arch` the only architecture that is let in (this machine's unless given);
    calls of any other kill the process, and so do x32 calls on x86-64, whose numbers would slip past the rules.
    """

    def __init__(self, default: int = Action.ALLOW, *, arch: str = "", rules: Sequence[Rule] = ()) -> None:
        self.default = _action(default)
        self.arch = _arch_name(arch)
        self.rules = tuple(rules)

    def rule(self, syscall: str | int, action: int, *conditions: Condition) -> Seccomp:
        """A policy that also does `action` for `syscall` (a name or a number) when all the conditions hold.

        FilterError for a call that the architecture does not have, for an action or a condition that is none.
        """
        _number(syscall, self.arch)
        rule = Rule(syscall, _action(action), tuple(map(_checked, conditions)))
        return Seccomp(self.default, arch=self.arch, rules=(*self.rules, rule))

    @property
    def filter(self) -> Filter:
        """The policy as a classic filter over `struct seccomp_data`."""
        return parse(self.assembly())

    def assembly(self) -> str:
        """The policy as commented text in the form of bpf_asm."""
        lines = [
            "ld [4]  /* architecture */",
            f"jeq #{ARCHES[self.arch].audit:#x}, arch_ok",
            f"ret #{Action.KILL_PROCESS:#x}",
        ]
        lines.append("arch_ok: ld [0]  /* system call */")
        if self.arch == "x86_64":
            lines += [f"jlt #{_X32_BIT:#x}, native", f"ret #{Action.KILL_PROCESS:#x}", "native: ld [0]"]
        for i, rule in enumerate(self.rules):
            lines += self._rule_lines(i, rule)
        lines.append(f"ret #{int(self.default):#x}")
        return "\n".join(lines)

    def _rule_lines(self, i: int, rule: Rule) -> Iterator[str]:
        """One rule as a block that falls through to `next` when it does not fit, with the number in A again."""
        number = _number(rule.syscall, self.arch)
        after = f"next{i}"
        yield f"jne #{number}, {after}  /* {rule.syscall} */"
        for j, condition in enumerate(rule.conditions):
            yield from _condition_lines(condition, f"ok{i}_{j}", after)
        yield f"ret #{int(rule.action):#x}"
        yield f"{after}: ld [0]"

    def run(self, data: SeccompData) -> tuple[Action, int]:
        """What the policy does with a call: the action and its 16 bits of data (the errno of ERRNO)."""
        result = self.filter.run(data.packet(self.arch))
        return Action(result & 0xFFFF0000), result & 0xFFFF

    def __bytes__(self) -> bytes:
        return bytes(self.filter)

    def __str__(self) -> str:
        return self.filter.format("asm")

    def __repr__(self) -> str:
        return f"Seccomp({self.default:#x}, arch={self.arch!r}, rules={self.rules!r})"


def _arch_name(name: str) -> str:
    name = name or os.uname().machine
    name = _MACHINES.get(name, name)
    if name not in ARCHES:
        raise NotSupportedError(f"a seccomp policy for {name}", hint=f"known architectures: {', '.join(ARCHES)}")
    return name


def _action(value: int) -> int:
    if not isinstance(value, int) or value & 0xFFFF0000 not in Action._value2member_map_ or value >> 32:
        raise FilterError(
            f"{value!r} is not an action: expected one of {', '.join(Action.__members__)}, or fail(errno)"
        )
    return value


def _number(syscall: str | int, arch: str) -> int:
    if isinstance(syscall, int):
        if not -(1 << 31) <= syscall < 1 << 32:
            raise FilterError(f"system call {syscall}: a number has 32 bits")
        return syscall & 0xFFFFFFFF
    try:
        return ARCHES[arch].syscalls[syscall]
    except KeyError:
        raise FilterError(f"{arch} has no system call {syscall!r}") from None


def _words(index: int) -> tuple[int, int]:
    """Offsets of the low and the high half of an argument, in this machine's byte order."""
    low = 16 + 8 * index
    return (low, low + 4) if struct.pack("=H", 1)[0] else (low + 4, low)


def _condition_lines(condition: Condition, ok: str, no: str) -> Iterator[str]:
    """Branch to `no` unless the condition holds, comparing the high words first; `ok` labels what follows."""
    index, op, value, mask = condition
    (low, high), (low_value, high_value), (low_mask, high_mask) = _words(index), _halves(value), _halves(mask)

    def load(offset: int, bits: int) -> Iterator[str]:
        yield f"ld [{offset}]"
        if bits != 0xFFFFFFFF:
            yield f"and #{bits:#x}"

    yield from load(high, high_mask)
    if op == "==":
        yield f"jne #{high_value}, {no}"
        yield from load(low, low_mask)
        yield f"jne #{low_value}, {no}"
        return
    if op == "!=":
        yield f"jne #{high_value}, {ok}"
        yield from load(low, low_mask)
        yield f"jeq #{low_value}, {no}, {ok}"
    elif op in (">", ">="):
        yield f"jgt #{high_value}, {ok}"
        yield f"jne #{high_value}, {no}"
        yield from load(low, low_mask)
        yield f"{'jgt' if op == '>' else 'jge'} #{low_value}, {ok}, {no}"
    else:
        yield f"jlt #{high_value}, {ok}"
        yield f"jne #{high_value}, {no}"
        yield from load(low, low_mask)
        yield f"{'jge' if op == '<' else 'jgt'} #{low_value}, {no}, {ok}"
    yield f"{ok}: ld [0]"


def _halves(value: int) -> tuple[int, int]:
    return value & 0xFFFFFFFF, value >> 32


def _seccomp_bytes(data: SeccompData, arch: str) -> bytes:
    """`struct seccomp_data` with each 32-bit word big-endian, since seccomp loads words in host order and
    the packet machine loads big-endian: the same machine serves both."""
    name = _arch_name(data.arch or arch)
    if len(data.args) > 6:
        raise FilterError(f"{len(data.args)} arguments: a system call has at most 6")
    args = [*data.args, *[0] * (6 - len(data.args))]
    raw = struct.pack(
        "=IIQ6Q",
        _number(data.nr, name),
        ARCHES[name].audit,
        data.instruction_pointer,
        *(a & (1 << 64) - 1 for a in args),
    )
    return struct.pack(">16I", *struct.unpack("=16I", raw))


def check(raw: bytes) -> None:
    """Raise FilterError where seccomp refuses a classic filter that a socket would take (seccomp_check_filter).

    It reads `struct seccomp_data` by aligned words and has no packet: no narrow and no computed loads, no extensions,
    and no remainder.
    """
    for i, insn in enumerate(Filter.from_bytes(raw)):
        op, operand = OPCODES[insn.code]
        if operand == "abs" and op == "ld":
            if insn.k >= _DATA_SIZE or insn.k % 4:
                raise FilterError(f"insn {i}: seccomp reads words at 0, 4 .. {_DATA_SIZE - 4}, not at {insn.k}")
        elif operand in ("abs", "ind", "msh") or op == "mod":
            raise FilterError(f"insn {i}: seccomp does not take {format_insn(insn, i)[6:].strip()!r}")


_DATA_SIZE = 64  # struct seccomp_data
