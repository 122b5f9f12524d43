"""Every Python code block of the README and of docs/ is run, in order, one namespace a page.

A comment before a block says what it needs:
<!-- run: kernel -->  <!-- run: kernel, as a script -->  <!-- run: no, because ... -->
Blocks with `>>>` are checked as doctests, all others must run through, and so must the tests that they define.
A block that begins with `# NAME.py` is a file of that name, which later ones may import.
"""

from __future__ import annotations

import builtins
import contextlib
import doctest
import inspect
import io
import os
import re
import socket
import sys
from pathlib import Path

import pytest

from . import private

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
BLOCK = re.compile(r"^(?:<!-- run: (?P<how>[^\n]*?) -->\n+)?```(?:python|pycon)\n(?P<code>.*?)^```$", re.M | re.S)


def blocks(page: Path):
    """(line, how, code) for each Python block of a page; `how` is "", "kernel", "kernel, as a script" or "no, because ..."."""
    text = page.read_text()
    for match in BLOCK.finditer(text):
        yield text[: match.start("code")].count("\n") + 1, match["how"] or "", match["code"]


def needs_kernel(page: Path) -> bool:
    return any(how.startswith("kernel") for _, how, _ in blocks(page))


def test_every_exception_from_running_has_a_reason():
    for page in PAGES:
        for line, how, _ in blocks(page):
            known = how in ("", "kernel", "kernel, as a script") or re.match(r"no, \w", how)
            assert known, f"{page.name}:{line}: <!-- run: {how} -->"


@pytest.fixture
def private_world(request):
    """Pages that need the kernel run in a network namespace and with paths of their own."""
    if not needs_kernel(request.getfixturevalue("page")):
        yield {}
        return
    with private.network(), private.paths() as here:
        yield here


@pytest.mark.parametrize(
    "page",
    [
        pytest.param(page, id=str(page.relative_to(ROOT)), marks=[pytest.mark.kernel] if needs_kernel(page) else [])
        for page in PAGES
        if any(not how.startswith("no,") for _, how, _ in blocks(page))
    ],
)
def test_blocks_run(page, tmp_path, monkeypatch, private_world):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    monkeypatch.setattr(builtins, "input", press_enter)
    namespace: dict[str, object] = {}  # but where it says so, a script's main() is for readers to start
    for line, how, code in blocks(page):
        if how.startswith("no,"):
            continue
        for path, here in private_world.items():
            code = code.replace(path, here)
        if ">>> " in code:
            run_session(code, namespace, page, line)
        else:
            # A file of its own, with the page's line numbers: the compiler reads source from files.
            named = re.match(r"# (\w+\.py)\b", code)
            if named:
                monkeypatch.delitem(sys.modules, named[1].removesuffix(".py"), raising=False)
            source = tmp_path / (named[1] if named else f"{page.stem}_{line}.py")
            source.write_text("\n" * (line - 1) + code)
            script = {"__name__": "__main__"} if how.endswith("script") else {}
            namespace |= {"__name__": page.stem, "__file__": str(source), **script}
            with contextlib.redirect_stdout(io.StringIO()):
                exec(compile(source.read_text(), str(source), "exec"), namespace)
    for name, test in namespace.items():
        if name.startswith("test_") and not inspect.signature(test).parameters:
            test()


def press_enter(prompt: str = "") -> str:
    """Stands in for the person in front of an example that waits: some traffic passes, then Enter is pressed."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.sendto(b"datagram", ("127.0.0.1", 9))
    return ""


def run_session(code: str, namespace: dict[str, object], page: Path, line: int) -> None:
    test = doctest.DocTestParser().get_doctest(code, namespace, page.name, str(page), line - 1)
    out = io.StringIO()
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)
    runner.run(test, out=out.write, clear_globs=False)
    namespace.update(test.globs)
    assert runner.failures == 0, f"{os.linesep}{out.getvalue()}"
