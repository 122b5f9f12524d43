"""Where a program's text comes from, and what may be decorated: each way works, or says what to do instead."""

from __future__ import annotations

import doctest
import functools
import importlib
import subprocess
import sys

import pytest

from pybpf import CompileError, HashMap, sched_cls, u32, u64, xdp

seen = HashMap(u32, u64, max_entries=8)


def noted(function):
    function.note = 1
    return function


def logged(function):
    @functools.wraps(function)
    def wrapper(*args, **kw):
        return function(*args, **kw)

    return wrapper


@functools.lru_cache
def cached(x):
    return x + 1


@logged
def wrapped_helper(x):
    return x + 1


double = lambda x: x * 2  # noqa: E731


class Policy:
    """Methods: what one was taken from is known when it is compiled."""

    def __init__(self, limit, counts):
        self.limit = limit
        self.counts = counts

    def decide(self, ctx):
        self.counts[self.kind(ctx)] += 1
        return 2 if len(ctx) < self.limit else 1

    def kind(self, ctx):
        return ctx.ingress_ifindex

    @classmethod
    def always(cls, ctx):
        return 2

    @xdp
    @staticmethod
    def inside(ctx):
        return 2

    @staticmethod
    @xdp
    def outside(ctx):
        return 2

    @xdp
    def plain(ctx):
        return 2


def behind_a_decorator():
    @xdp
    @noted
    def f(ctx):
        return 2

    return f


def nested():
    def middle(x):
        def inner(y):
            @xdp
            def f(ctx):
                return x + y

            return f

        return inner

    return middle(1)(1)


def several_lines():
    @xdp(
        name="long",
    )
    def f(
        ctx,
    ):
        """Text
        less indented
        """
        return 2

    return f


def one_line():
    # fmt: off
    @xdp
    def f(ctx): return 2
    # fmt: on
    return f


if len(sys.argv) >= 0:

    @xdp
    def in_an_if(ctx):
        return 2


def cached_helper():
    @xdp
    def f(ctx):
        return cached(1) + cached(len(ctx)) & 1

    return f


@pytest.mark.parametrize(
    "make",
    [
        behind_a_decorator, nested, several_lines, one_line, cached_helper, lambda: in_an_if, lambda: Policy.inside,
        lambda: Policy.outside, lambda: Policy.plain, lambda: xdp(Policy.always), lambda: xdp(Policy(99, seen).decide),
    ],
)  # fmt: skip
def test_what_may_be_decorated(make):
    spec = make()
    assert spec.insns
    again = spec.replace(isa=1)
    assert again.insns
    assert again.maps == spec.maps


def test_methods_make_many_programs():
    short, long = xdp(Policy(64, seen).decide), xdp(Policy(1500, seen).decide)
    assert [i.imm for i in short.insns if i.imm in (63, 64, 1499, 1500)] != [
        i.imm for i in long.insns if i.imm in (63, 64, 1499, 1500)
    ]
    assert list(short.maps.values()) == [seen]


@pytest.mark.parametrize(
    ("function", "told"),
    [
        (lambda ctx: 2, "not lambda"),
        (wrapped_helper, "wrapped_helper is wrapped by another decorator"),
        (functools.partial(wrapped_helper, 1), "decorate one made with def"),
        (len, "decorate one made with def"),
    ],
)
def test_what_may_not(function, told):
    with pytest.raises(CompileError, match=told):
        _ = xdp(function).insns


def uses_wrapped(ctx):
    return wrapped_helper(1)


def uses_lambda(ctx):
    return double(1)


@pytest.mark.parametrize(("function", "told"), [(uses_wrapped, r"takes \*args"), (uses_lambda, "function with def")])
def test_calls_of_what_has_no_text(function, told):
    with pytest.raises(CompileError, match=told):
        _ = sched_cls(function).insns


TEXT = "from pybpf import xdp\n{}\n@xdp\ndef f(ctx):\n    return {}\n"


def test_a_file_that_changed(tmp_path, monkeypatch):
    """The text must be that of the function which was imported; moved as a whole it is found by nobody, and said so."""
    from pybpf.dsl import parse

    path = tmp_path / "changing_programs.py"
    path.write_text(TEXT.format("", 2))
    monkeypatch.syspath_prepend(tmp_path)
    function = importlib.import_module("changing_programs").f.function
    for text, told in (
        (TEXT.format("", 2), None),
        (TEXT.format("", 3), "has changed since f was defined"),
        (TEXT.format("a = 1\nb = 2\nc = 3", 2), "has no function f at line 3: has the file changed"),
    ):
        path.write_text(text)
        monkeypatch.setattr(parse, "_files", {})
        monkeypatch.setattr(parse, "_changed", set())
        if told is None:
            assert xdp(function).insns
            continue
        with pytest.raises(CompileError, match=told):
            _ = xdp(function).insns


PROGRAM = "from pybpf import xdp\n@xdp\ndef f(ctx):\n    return 2\nprint(len(f.insns))\n"


@pytest.mark.parametrize("options", [["-c"], ["-Bc"], ["-X", "utf8", "-c"]])
def test_text_on_the_command_line(options):
    done = subprocess.run([sys.executable, *options, PROGRAM, "-c"], capture_output=True, text=True, check=False)
    assert done.stdout == "2\n", done.stderr


@pytest.mark.parametrize(
    ("command", "text"),
    [
        (["-"], PROGRAM),
        (["-c", f"{PROGRAM}\nexec({PROGRAM.replace('2', '3')!r})"], ""),
        (["-c", f"exec({PROGRAM!r})"], ""),
    ],
)
def test_text_that_python_does_not_keep(command, text):
    done = subprocess.run([sys.executable, *command], input=text, capture_output=True, text=True, check=False)
    assert done.stdout.count("2") == command[-1].startswith("from")
    assert "pass it with source=..., as in @xdp(source=text)" in done.stderr


def test_examples_of_doctest(tmp_path):
    lines = [">>> from pybpf import xdp", ">>> @xdp", "... def f(ctx):", "...     return 2", ">>> len(f.insns)", "2"]
    (tmp_path / "examples.txt").write_text("\n".join(lines))
    assert doctest.testfile(str(tmp_path / "examples.txt"), module_relative=False) == (0, 3)


def test_an_interactive_interpreter_that_keeps_its_lines(monkeypatch):
    """Python 3.13 keeps what is typed beside the code that was made of it."""
    import linecache

    scope: dict = {}
    text = "def f(ctx):\n    return 2\n"
    exec(compile(text, "<python-input-7>", "exec"), scope)
    kept = {scope["f"].__code__: text.splitlines(keepends=True)}
    monkeypatch.setattr(linecache, "_getlines_from_code", lambda code: kept.get(code, []), raising=False)
    assert len(xdp(scope["f"]).insns) == 2


TYPED = """\
from pybpf import xdp
@xdp
def f(ctx):
    n = len(ctx)
    return 2 if n > 3 else 1

print("instructions:", f.insns[-1])
@xdp
def g(ctx):
    return 1.5

g.insns
exit()
"""


def test_what_is_typed_into_an_interactive_interpreter():
    """Before Python 3.13, which keeps what is typed, the text comes from readline's history."""
    pytest.importorskip("readline")
    pty = pytest.importorskip("pty")
    import os

    main, side = pty.openpty()
    shell = subprocess.Popen(
        [sys.executable, "-q", "-i"],
        stdin=side,
        stdout=side,
        stderr=side,
        close_fds=True,
        env={**os.environ, "TERM": "dumb"},
    )
    os.close(side)
    os.write(main, TYPED.encode())
    shown = b""
    try:
        while chunk := os.read(main, 4096):
            shown += chunk
    except OSError:  # the other side was closed
        pass
    os.close(main)
    assert shell.wait(30) == 0
    text = shown.decode()
    assert "instructions: exit" in text
    assert "programs have no floating point" in text
    assert "        return 1.5\r\n               ^" in text
