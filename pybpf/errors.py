"""The exception tree: every error that pybpf raises on purpose derives from `BpfError`.

An error says what was wrong, where, and what to do.  Where Python already has a name for the kind
of mistake (ValueError, OSError, KeyError) the class derives from that too, so callers who do not
know pybpf still catch what they expect.
"""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .source import Source


class BpfError(Exception):
    """Root of every error raised by pybpf."""


class SpecError(BpfError, ValueError):
    """A specification contradicts itself or cannot be expressed (sizes, names, types)."""


class ConversionError(BpfError, TypeError, ValueError, OverflowError):
    """A value does not fit the type that a key, a value or a field was declared with.

    Also what `struct` and ctypes raise for the ways not to fit: of another kind, of another length, out of range.
    """


class KindError(BpfError, TypeError):
    """Something of another kind was given than the map, program, socket or field that was expected."""


class LocatedError(BpfError, ValueError):
    """An error that points at a place in a text; `str()` shows the line with a caret below it.

    `message` is the bare sentence, `source` the place (file, line and column counted from 1) or None.
    """

    def __init__(self, message: str, source: Source | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.source = source

    @property
    def file(self) -> str | None:
        return self.source.file if self.source else None

    @property
    def line(self) -> int | None:
        return self.source.line if self.source else None

    @property
    def column(self) -> int | None:
        return self.source.column if self.source else None

    def __str__(self) -> str:
        if self.source is None:
            return self.message
        return f"{self.source}: {self.message}{self.source.excerpt()}"


class AsmError(LocatedError):
    """Assembly text, an instruction field or a byte string that is not valid eBPF."""


class CompileError(LocatedError):
    """Python source that the DSL does not compile; says what to write instead."""


class BtfError(BpfError, ValueError):
    """Malformed BTF, or a type that is not there; says which and where."""


class ElfError(BpfError, ValueError):
    """A file that is not a well-formed BPF object; says what and where."""


class FilterError(LocatedError):
    """A classic BPF program or a pcap expression that is not valid."""


class VmFault(BpfError):
    """The offline machine stopped a program: an access or a call that the kernel forbids.

    `insn` is the index of the instruction (in 8-byte slots), `source` its place when known.
    """

    def __init__(self, message: str, *, insn: int | None = None, source: Source | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.insn = insn
        self.source = source

    def __str__(self) -> str:
        at = "" if self.insn is None else f"insn {self.insn}: "
        if self.source is None:
            return f"{at}{self.message}"
        return f"{self.source}: {at}{self.message}{self.source.excerpt()}"


class NotSupportedError(BpfError):
    """A feature that this kernel, machine or build lacks.

    `feature` names it; `since` is the first kernel that has it ("5.8"), or None when unknown.
    """

    def __init__(self, feature: str, *, since: str | None = None, hint: str = "") -> None:
        self.feature = feature
        self.since = since
        self.hint = hint
        text = f"{feature} is not supported here"
        if since:
            text += f" (needs Linux {since} or newer)"
        super().__init__(f"{text}: {hint}" if hint else text)


class SyscallError(BpfError, OSError):
    """The kernel refused a command.  Also an OSError: `errno` and `strerror` are set, and where Python has a class
    for the errno (PermissionError, FileNotFoundError, ...) it is caught by that name too.

    `command` is what was asked (`BPF_MAP_CREATE`, `setsockopt(SO_ATTACH_BPF)`), `what` the object
    that it was asked for, `hint` the likely remedy ("" when none is known).
    """

    def __new__(cls, errno: int, *args: object, **kw: object) -> SyscallError:
        # OSError itself does this for `OSError(ENOENT, ...)`, but not for classes derived from it.
        kind = type(OSError(errno, ""))
        if cls is not SyscallError or kind is OSError:
            return super().__new__(cls, errno, _strerror(errno))
        if kind not in _BY_KIND:
            _BY_KIND[kind] = type(cls.__name__, (cls, kind), {"__module__": cls.__module__, "__doc__": cls.__doc__})
        return super().__new__(_BY_KIND[kind], errno, _strerror(errno))

    def __init__(self, errno: int, command: str, what: str = "", hint: str = "") -> None:
        super().__init__(errno, _strerror(errno))
        self.command = command
        self.what = what
        self.hint = hint

    def __str__(self) -> str:
        from errno import errorcode

        assert self.errno is not None
        name = "ENOTSUPP" if self.errno == _ENOTSUPP else errorcode.get(self.errno, str(self.errno))
        subject = f" of {self.what}" if self.what else ""
        text = f"{self.command}{subject} failed: {name} ({self.strerror})"
        return f"{text}\n  hint: {self.hint}" if self.hint else text


_BY_KIND: dict[type[OSError], type[SyscallError]] = {}

_ENOTSUPP = 524
"""An errno that the kernel keeps to itself (include/linux/errno.h), but lets out of bpf(2)."""


def _strerror(errno: int) -> str:
    return "Operation is not supported" if errno == _ENOTSUPP else os.strerror(errno)


class InputError(SyscallError, SpecError):
    """Input of a run that BPF_PROG_TEST_RUN refuses, refused offline; `errno` is the kernel's, `hint` says why."""

    def __init__(self, errno: int, why: str) -> None:
        super().__init__(errno, "BPF_PROG_TEST_RUN", hint=why)

    def __str__(self) -> str:
        from errno import errorcode

        return f"{self.hint} (in the kernel: {errorcode.get(self.errno or 0, self.errno)})"


class VerifierError(SyscallError):
    """The kernel's verifier rejected a program.

    `log` is the kernel's whole log.  `reason` is its last telling line, `insn` the slot index of the
    instruction that it names (None when it names none), `source` the place in the user's source.
    """

    def __init__(
        self,
        errno: int,
        what: str,
        log: str,
        *,
        reason: str = "",
        insn: int | None = None,
        text: str = "",
        source: Source | None = None,
        hint: str = "",
    ) -> None:
        super().__init__(errno, "BPF_PROG_LOAD", what, hint)
        self.log = log
        self.reason = reason
        self.insn = insn
        self.text = text
        self.source = source

    def __str__(self) -> str:
        lines = [f"the kernel rejected {self.what}: {self.reason or self.strerror}"]
        if self.insn is not None:
            lines.append(f"  at insn {self.insn}: {self.text}".rstrip(": "))
        if self.source is not None:
            lines.append(f"  from {self.source}{self.source.excerpt()}")
        if self.hint:
            lines.append(f"  hint: {self.hint}")
        return "\n".join(lines)
