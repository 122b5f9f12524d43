"""Type checkers take the examples and the programs of the README as their authors run them, and know the helpers."""

from __future__ import annotations

import ast
import ctypes
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from pybpf import u8

ROOT = Path(__file__).resolve().parents[2]
LIMITS = re.compile(
    r"not indexable|indexed assignment|item__|not iterable|Cannot determine type|Literal\[\d+\]|Cannot assign to attribute"
)
ARRAY = re.compile(r"\b[us](8|16|32|64)\[|\bchar\[")


@pytest.fixture(scope="module")
def programs(tmp_path_factory):
    """A folder with what users would have: the examples and the README's programs, away from this project's settings."""
    folder = tmp_path_factory.mktemp("typed")
    for example in (ROOT / "examples").glob("*.py"):
        shutil.copy(example, folder)
    for i, block in enumerate(re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)):
        if "pybpf" in block:
            (folder / f"readme_{i}.py").write_text(block)
    (folder / "helpers_known.py").write_text(
        "from pybpf import helpers as bpf\n"
        "now: int = bpf.ktime_get_ns()\n"
        "wrong: str = bpf.get_current_pid_tgid()  # refused\n"
        "bpf.get_current_com(1)  # refused\n"
        "bpf.get_current_comm(bytearray(16))\n"
        "bpf.probe_read_user_str(1, 2, 3)\n"
    )
    (folder / "strictly.py").write_text(STRICT)
    return folder


STRICT = """
from typing import Annotated, Any
from pybpf import HashMap, RingBuf, Struct, XdpAction, char, helpers as bpf, load, tracepoint, u8, u32, u64, xdp
from pybpf.net import ETH_P_IP, Ethernet, IPv4

class Event(Struct):
    pid: u32
    stamp: u64
    mac: Annotated[bytes, u8, 6]
    comm: Annotated[bytes, char, 16]

packets = HashMap(u32, u64, max_entries=256)
events = RingBuf(Event, size=1 << 16)

@tracepoint("sched/sched_process_exec")
def on_exec(ctx: Any) -> int:
    event = events.reserve()
    if event is None:
        return 0
    event.pid = bpf.get_current_pid_tgid() >> 32
    event.stamp = bpf.ktime_get_ns()
    bpf.get_current_comm(event.comm)
    event.submit()
    return 0

@xdp
def count(ctx: Any) -> int:
    eth = ctx.packet(Ethernet)
    if eth is None or eth.type != ETH_P_IP:
        return XdpAction.PASS
    ip = ctx.packet(IPv4, after=eth)
    if ip is None:
        return XdpAction.PASS
    packets[u32(ip.protocol)] += 1
    hits = packets.get(ip.saddr)
    if hits is not None:
        hits += 1
    return XdpAction.PASS

def main() -> None:
    with load(on_exec) as prog, prog.attach():
        for event in prog[events].drain():
            print(event.pid, event.comm.decode(), event.mac.hex())
"""


def test_strict_programs_are_programs(programs):
    """What checkers take is what compiles."""
    scope: dict = {"__name__": "strictly"}
    exec(compile(STRICT, str(programs / "strictly.py"), "exec"), scope)
    assert scope["on_exec"].insns
    assert scope["count"].insns
    assert ctypes.sizeof(scope["Event"]) == 40
    assert scope["Event"]._types_["mac"] == u8[6]


@pytest.mark.parametrize("tool", ["mypy", "pyright"])
def test_strict_checkers_take_it(programs, tool, tmp_path):
    here = Path(sys.executable).parent
    path = shutil.which(tool, path=f"{here}{os.pathsep}{os.environ.get('PATH', '')}")
    if not path:
        pytest.skip(f"{tool} is not installed")
    shutil.copy(programs / "strictly.py", tmp_path)
    (tmp_path / "pyrightconfig.json").write_text(f'{{"extraPaths": ["{ROOT}"], "typeCheckingMode": "strict"}}')
    command = (
        [path, "--strict", "--config-file=", "--follow-imports=silent", "strictly.py"] if tool == "mypy" else [path]
    )
    env = {**os.environ, "MYPYPATH": str(ROOT)}
    done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def inside_programs(text):
    """The numbers of the lines in decorated functions."""
    functions = [n for n in ast.walk(ast.parse(text)) if isinstance(n, ast.FunctionDef) and n.decorator_list]
    return {line for f in functions for line in range(f.lineno, f.end_lineno + 1)}


def unexpected(output, folder):
    """Complaints about programs, but those about arrays.

    No checker has a notation for `u8[6]`: only `Literal` takes numbers as its arguments, and `char` is that to checkers.
    A name that is declared so is an `int` to them, which has no items and is no `bytes`.
    """
    found = []
    for line in output.splitlines():
        match = re.match(r"\s*(?:\S*/)?(\w+\.py):(\d+):(?:\d+:?)?\s*(?:- )?error: (.*)", line)
        if not match or match[1] == "helpers_known.py":
            continue
        text = (folder / match[1]).read_text()
        number = int(match[2])
        if number not in inside_programs(text) or ARRAY.search(text.splitlines()[number - 1]):
            continue
        if ARRAY.search(text) and LIMITS.search(match[3]):
            continue
        found.append(line)
    return found


def checked(output):
    return {int(n) for n in re.findall(r"helpers_known\.py:(\d+)", output)}


def test_mypy(programs):
    pytest.importorskip("mypy")
    command = [sys.executable, "-m", "mypy", "--check-untyped-defs", "--config-file=", "--follow-imports=silent", "."]
    env = {**os.environ, "MYPYPATH": str(ROOT)}
    done = subprocess.run(command, cwd=programs, env=env, capture_output=True, text=True, check=False)
    assert done.returncode in (0, 1), done.stdout + done.stderr
    assert checked(done.stdout) == {3, 4}, done.stdout
    assert not unexpected(done.stdout, programs)


def test_pyright(programs):
    here = Path(sys.executable).parent
    pyright = shutil.which("pyright", path=f"{here}{os.pathsep}{os.environ.get('PATH', '')}")
    if not pyright:
        pytest.skip("pyright is not installed")
    (programs / "pyrightconfig.json").write_text(f'{{"extraPaths": ["{ROOT}"], "typeCheckingMode": "standard"}}')
    done = subprocess.run([pyright], cwd=programs, capture_output=True, text=True, check=False)
    assert done.returncode in (0, 1), done.stdout + done.stderr
    assert checked(done.stdout) == {3, 4}, done.stdout
    assert not unexpected(done.stdout, programs)
