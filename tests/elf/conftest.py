"""Compilers and loaders for the tests of `pybpf.elf`: clang of several versions, libbpf through a tiny C program."""

from __future__ import annotations

import shutil
import subprocess
import sysconfig
from pathlib import Path

import pytest

PROGS = Path(__file__).parent / "progs"
CLANGS = [c for c in ("clang-14", "clang-16", "clang-19", "clang-22") if shutil.which(c)]
BPFTOOL = shutil.which("bpftool", path="/usr/sbin:/usr/bin:/sbin:/bin")
HEADERS = Path("/usr/include/bpf/bpf_helpers.h").exists()


def compile_c(source, out, clang="clang-19", target="bpfel", cpu="v3", *flags):
    include = "/usr/include/" + (sysconfig.get_config_var("MULTIARCH") or "x86_64-linux-gnu")
    command = [clang, "-target", target, "-g", "-O2", f"-mcpu={cpu}", f"-I{include}", f"-I{PROGS}", *flags]
    subprocess.run([*command, "-c", str(source), "-o", str(out)], check=True, capture_output=True)
    return out


@pytest.fixture(scope="session")
def build(tmp_path_factory):
    """build(name or C text, clang=, target=, cpu=) -> path of the object; each made once."""
    if not CLANGS:
        pytest.skip("clang is not installed")
    if not HEADERS:
        pytest.skip("libbpf's headers are not installed")
    made = {}
    folder = tmp_path_factory.mktemp("objects")

    def make(what, clang=None, target="bpfel", cpu="v3", *flags):
        clang = clang or ("clang-19" if "clang-19" in CLANGS else CLANGS[-1])
        key = (what, clang, target, cpu, flags)
        if key not in made:
            sub = folder / str(len(list(folder.iterdir())))
            sub.mkdir()
            source = PROGS / f"{what}.bpf.c"
            if "\n" in what or ";" in what:
                source = sub / "text.bpf.c"
                source.write_text(what)
            made[key] = compile_c(source, sub / source.name.replace(".c", ".o"), clang, target, cpu, *flags)
        return made[key]

    return make


@pytest.fixture(scope="session")
def libbpf(tmp_path_factory):
    """libbpf(path, btf=None) -> (loaded, {program: [(hex of 8 bytes, map name or "")]}, [lines about maps], messages)."""
    if not shutil.which("gcc") or not HEADERS:
        pytest.skip("gcc or libbpf-dev is not installed")
    binary = tmp_path_factory.mktemp("oracle") / "oracle"
    subprocess.run(["gcc", "-rdynamic", "-o", binary, PROGS / "oracle.c", "-lbpf", "-ldl"], check=True)

    def load(path, btf=None):
        done = subprocess.run([binary, path, *([btf] if btf else [])], capture_output=True, text=True, check=False)
        programs, maps, current = {}, [], None
        for line in done.stdout.splitlines():
            words = line.split()
            if words[0] == "prog":
                current = programs.setdefault(words[1], []) if len(words) == 3 else []
                current.clear()
            elif words[0] == "map":
                maps.append(words[1:])
            elif words[0] in ("load", "open"):
                current = None
            elif current is not None:
                current.append((words[0], words[1] if len(words) > 1 else ""))
        return done.returncode == 0, programs, maps, done.stderr

    return load


@pytest.fixture(scope="session")
def bpftool():
    if BPFTOOL is None:
        pytest.skip("bpftool is not installed")
    return BPFTOOL
