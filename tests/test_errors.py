"""The exception tree: what is caught by which name, and what the texts say."""

from __future__ import annotations

import errno

import pytest

from pybpf import errors
from pybpf.errors import BpfError, CompileError, NotSupportedError, SyscallError, VerifierError
from pybpf.source import Source


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (errno.EPERM, PermissionError),
        (errno.EACCES, PermissionError),
        (errno.ENOENT, FileNotFoundError),
        (errno.EEXIST, FileExistsError),
        (errno.EINVAL, OSError),
        (524, OSError),
    ],
)
def test_syscall_errors_are_what_python_calls_them(code, kind):
    error = SyscallError(code, "BPF_MAP_CREATE", "map 'm'", "try this")
    assert isinstance(error, (kind, SyscallError, BpfError))
    assert isinstance(error, kind)
    assert type(error).__name__ == "SyscallError"
    assert (error.errno, error.command, error.what, error.hint) == (code, "BPF_MAP_CREATE", "map 'm'", "try this")
    assert str(error).startswith("BPF_MAP_CREATE of map 'm' failed: E")
    assert str(error).endswith("hint: try this")


def test_the_kernels_private_errno_has_its_name():
    assert str(SyscallError(524, "BPF_LINK_CREATE")) == "BPF_LINK_CREATE failed: ENOTSUPP (Operation is not supported)"


def test_every_error_is_of_the_tree():
    for name in vars(errors):
        found = getattr(errors, name)
        if isinstance(found, type) and issubclass(found, Exception):
            assert issubclass(found, BpfError), name


def test_a_place_is_shown_with_a_caret():
    error = CompileError("what was wrong", Source("prog.py", 3, 5, "    x / y"))
    assert str(error) == "prog.py:3:5: what was wrong\n        x / y\n        ^"
    assert (error.file, error.line, error.column) == ("prog.py", 3, 5)


def test_not_supported_names_the_first_kernel():
    assert str(NotSupportedError("TCX", since="6.6", hint="use clsact")) == (
        "TCX is not supported here (needs Linux 6.6 or newer): use clsact"
    )


def test_verifier_errors_show_reason_instruction_and_line():
    error = VerifierError(
        errno.EACCES,
        "program 'p'",
        "log",
        reason="R1 !read_ok",
        insn=4,
        text="r0 = r1",
        source=Source("p.py", 7, 0, "return x"),
    )
    assert str(error) == (
        "the kernel rejected program 'p': R1 !read_ok\n  at insn 4: r0 = r1\n  from p.py:7\n    return x"
    )
