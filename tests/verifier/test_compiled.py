"""Programs in C: what is said of them, which stands in their names, and that the running kernel says the same."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from pybpf import load, open_elf, verify
from pybpf.errors import VerifierError

HERE = Path(__file__).parent / "compiled"
CLANG = shutil.which("clang-19") or shutil.which("clang")
CPUS = ("v2", "v4")

pytestmark = [
    pytest.mark.kernel,
    pytest.mark.skipif(CLANG is None, reason="clang is not installed"),
    pytest.mark.skipif(not os.uname().release.startswith("6.18."), reason="the tables' origin is Linux 6.18"),
]


@pytest.fixture(scope="module")
def env():
    from pybpf.verifier import Env

    return Env.here()


@pytest.mark.parametrize("cpu", CPUS)
@pytest.mark.parametrize("name", sorted(path.stem for path in HERE.glob("*.c")))
def test_compiled(oracle, env, tmp_path, name, cpu):
    target = tmp_path / f"{name}.o"
    flags = ["-target", "bpf", f"-mcpu={cpu}", "-O2", "-g", "-std=gnu11", "-Wno-all"]
    subprocess.run([CLANG, *flags, "-c", str(HERE / f"{name}.c"), "-o", str(target)], check=True)
    wrong = []
    for program in open_elf(target).programs:
        expected = program.name.partition("__")[0].replace("_", "-")
        report = verify(program, "6.18", env=env)
        said = "ok" if report.ok else report.findings[0].category
        try:
            with load(program):
                kernel, log = True, ""
        except VerifierError as error:
            kernel, log = False, oracle.telling_line(error.log)
        if said != expected or kernel != (expected == "ok") or report.verdict == "unknown":
            wrong.append(f"{program.name}: {'taken' if kernel else log}\n{report}")
    assert not wrong, "\n\n".join(wrong)
