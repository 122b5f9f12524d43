"""Every program type and map type has a page with a head written by hand, and the programs on it verify and load."""

from __future__ import annotations

import contextlib
import io
import re
import subprocess
import sys

import pytest

from pybpf import Btf, NotSupportedError, features, kernel, load, verify
from pybpf.spec import ProgramSpec
from pybpf.uapi import MapType, ProgType

from .test_code_blocks import BLOCK, ROOT

MARKER = "<!-- below: written by"
TYPES = [(kind, member) for kind in (ProgType, MapType) for member in kind if member != 0]
LOADED_ALONE = set(ProgType) - {ProgType.EXT, ProgType.STRUCT_OPS, ProgType.LIRC_MODE2}


def page_of(member):
    folder = "programs" if isinstance(member, ProgType) else "maps"
    return ROOT / "docs" / folder / f"{member.name.lower().replace('_', '-')}.md"


def programs_on(page, tmp_path):
    """The programs that a page's blocks make, without what needs the kernel."""
    namespace: dict[str, object] = {"__name__": "__main__"}
    for i, match in enumerate(BLOCK.finditer(page.read_text())):
        if match["how"]:
            continue
        source = tmp_path / f"{page.stem}_{i}.py"
        source.write_text(match["code"])
        with contextlib.redirect_stdout(io.StringIO()):
            exec(compile(match["code"], str(source), "exec"), namespace)
    return [value for value in namespace.values() if isinstance(value, ProgramSpec)]


@pytest.mark.parametrize(("kind", "member"), TYPES, ids=[f"{kind.__name__}-{m.name}" for kind, m in TYPES])
def test_a_page_has_a_head(kind, member):
    head, found, facts = page_of(member).read_text().partition(MARKER)
    assert found
    assert "## Facts" in facts
    assert head.startswith(f"# {member.name}: ")
    words = len(re.sub(r"```.*?```", "", head, flags=re.S).split())
    assert words >= (80 if kind is ProgType else 40), f"{words} words are no head"
    assert "## Pitfalls" in head
    assert "```python" in head
    if kind is ProgType:
        assert re.search(r"returns \||result is not used|What (is|may be) returned", head)


TYPED = {ProgType.TRACING, ProgType.LSM, ProgType.STRUCT_OPS}  # what their arguments are, only the kernel's BTF tells


@pytest.mark.parametrize("member", [m for m in ProgType if m != 0 and m not in TYPED], ids=lambda m: m.name)
def test_programs_on_a_page_verify(member, tmp_path):
    programs = programs_on(page_of(member), tmp_path)
    assert programs
    assert all(program.prog_type == member for program in programs)
    if not any(key[0] == member for key in kernel.rules().programs()):
        pytest.skip(f"the rules of Linux {kernel.rules().version} have no {member.name}")
    for program in programs:
        report = verify(program)
        assert report.ok, report


@pytest.mark.kernel
@pytest.mark.parametrize("member", sorted(TYPED), ids=lambda m: m.name)
def test_programs_with_typed_arguments_verify(member, tmp_path):
    btf = Btf.kernel()
    for program in programs_on(page_of(member), tmp_path):
        report = verify(program, env={"btf": btf})
        assert report.ok, report


@pytest.mark.kernel
@pytest.mark.parametrize("member", sorted(LOADED_ALONE - {0}), ids=lambda m: m.name)
def test_programs_on_a_page_load(member, tmp_path):
    if not features.have_program_type(member):
        pytest.skip(f"this kernel loads no {member.name}")
    for program in programs_on(page_of(member), tmp_path):
        try:
            load(program).close()
        except NotSupportedError as error:
            pytest.skip(str(error))


@pytest.mark.kernel
@pytest.mark.parametrize("member", [m for m in MapType if m != 0], ids=lambda m: m.name)
def test_programs_on_the_page_of_a_map_load(member, tmp_path):
    programs = programs_on(page_of(member), tmp_path)
    for program in programs:
        load(program).close()


@pytest.mark.parametrize("tool", ["gen_docs.py", "gen_diagrams.py"])
def test_generated_pages_are_up_to_date(tool):
    done = subprocess.run([sys.executable, f"tools/{tool}", "--check"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
