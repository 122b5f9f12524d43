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

from pybpf import load, u8
from tests.docs.test_code_blocks import PAGES, blocks

ROOT = Path(__file__).resolve().parents[2]


def page_programs(page):
    """The programs of a page: each a run of blocks, of which the next ends where a name would be defined again."""
    programs, known = [""], set()
    for line, how, code in blocks(page):
        if ">>> " in code or how.startswith("no,"):
            continue
        names = {n.name for n in ast.parse(code).body if isinstance(n, ast.FunctionDef | ast.ClassDef)}
        if names & known:
            programs.append("")
            known = set()
        known |= names
        programs[-1] = programs[-1].ljust(len(programs[-1]) + line - 1 - programs[-1].count("\n"), "\n") + code
    return [text for text in programs if "pybpf" in text]


@pytest.fixture(scope="module")
def programs(tmp_path_factory):
    """A folder with what users would have: the examples and the programs of all pages, away from this project's settings."""
    folder = tmp_path_factory.mktemp("typed")
    for example in (ROOT / "examples").glob("*.py"):
        shutil.copy(example, folder)
    for page in PAGES:
        name = re.sub(r"\W", "_", str(page.relative_to(ROOT).with_suffix("")))
        for i, text in enumerate(page_programs(page)):
            (folder / f"{name}_{i}.py").write_text(text)
    (folder / "as_asked.py").write_text(AS_ASKED)
    (folder / "arrays.py").write_text(ARRAYS)
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


AS_ASKED = """
from pybpf import HashMap, RingBuf, Struct, XdpAction, char, helpers as bpf, socket_filter, tracepoint, u16, u32, u64, xdp
from pybpf.net import ETH_P_IP, IPPROTO_UDP, Ethernet, IPv4, Udp

packets = HashMap(u32, u64, max_entries=256)
blocked = HashMap(u16, u64, max_entries=1024)

@socket_filter
def count(skb):
    packets[skb.load_byte(23)] += 1
    return 0

@xdp
def drop_ports(ctx):
    eth = ctx.packet(Ethernet)
    if eth is None or eth.type != ETH_P_IP:
        return XdpAction.PASS
    ip = ctx.packet(IPv4, after=eth)
    if ip is None or ip.protocol != IPPROTO_UDP:
        return XdpAction.PASS
    udp = ctx.packet(Udp, at=14 + ip.ihl * 4)
    if udp is None:
        return XdpAction.PASS
    hits = blocked.get(udp.dest)
    if hits is None:
        return XdpAction.PASS
    hits += 1
    return XdpAction.DROP

class Exec(Struct):
    ns: u64
    pid: u32
    comm: char[16]
    filename: char[128]

execs = RingBuf(Exec, size=1 << 18)

@tracepoint("syscalls/sys_enter_execve")
def on_exec(ctx):
    event = execs.reserve()
    if event is None:
        return 0
    event.ns = bpf.ktime_get_ns()
    event.pid = bpf.get_current_pid_tgid() >> 32
    bpf.get_current_comm(event.comm)
    bpf.probe_read_user_str(event.filename, ctx.filename)
    event.submit()
    return 0
"""

ARRAYS = """
from typing import Annotated
from pybpf import *

class Key(Struct):
    mac: Annotated[bytearray, u8, 6]
    words: Annotated[list[int], u32, 2]

class Table(Struct):
    name: Annotated[bytes, char, 16]
    keys: Annotated[list[Key], Key, 4]

Mac = array_of(u8, 6)
names = HashMap(array_of(char, 16), u64, max_entries=4)
macs = HashMap(Mac, u64, max_entries=4)
tables = Array(Table, max_entries=1)

@xdp
def arrays(ctx):
    mac, name = Mac(), array_of(char, 16)()
    mac[1] = 2
    name[0] = 65
    macs[mac] += 1
    names[name] += 1
    table = tables.get(0)
    if table is None:
        return 0
    table.name = b"hello"
    table.keys[3].mac[5] = 7
    keys = array_of(Key, 2)()
    keys[1].words[1] = 8
    return mac[1] + table.keys[3].mac[5] + keys[1].words[1]
"""

STRICT = """
from typing import Annotated, Any
from pybpf import (
    DevMap, HashMap, ReuseportSockArray, RingBuf, SkAction, Struct, XdpAction, be32, char, helpers as bpf, load, sk_reuseport,
    subprogram, tc, tracepoint, u8, u32, u64, xdp
)
from pybpf.net import ETH_P_IP, Ethernet, IPv4

devices = DevMap(max_entries=4)
group = ReuseportSockArray(4)

@subprogram
def lifetime(ip: IPv4) -> u32:
    return ip.ttl

@xdp
def forward(ctx: Any) -> int:
    ip = ctx.packet(IPv4, at=14)
    if ip is None or lifetime(ip) == 0:
        return XdpAction.PASS
    return devices.redirect(ip.ttl & 3)

@sk_reuseport
def choose(ctx: Any) -> int:
    return SkAction.PASS if group.select(ctx.hash & 3) == 0 else SkAction.DROP

@tc
def rewrite(skb: Any) -> int:
    return 0 if bpf.skb_store_bytes(skb, 30, be32(5), 0) == 0 else lifetime(IPv4(ttl=2))

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
    assert all(scope[name].insns for name in ("on_exec", "count", "forward", "choose", "rewrite"))
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


@pytest.mark.kernel
def test_arrays_for_checkers_are_arrays(tmp_path):
    (tmp_path / "arrays.py").write_text(ARRAYS)
    scope: dict = {"__name__": "arrays"}
    exec(compile(ARRAYS, str(tmp_path / "arrays.py"), "exec"), scope)
    with load(scope["arrays"]) as prog:
        assert prog.test_run(bytes(64)).retval == 2 + 7 + 8
        assert dict(prog[scope["macs"]].items()) == {(0, 2, 0, 0, 0, 0): 1}
        assert dict(prog[scope["names"]].items()) == {b"A": 1}
        assert prog[scope["tables"]][0].name == b"hello"


def complaints(output):
    """Where checkers complain: at the two lines that are wrong for them to find, and nowhere else."""
    return set(re.findall(r"(\w+\.py:\d+):.* error", output))


WRONG = {"helpers_known.py:3", "helpers_known.py:4"}


def test_mypy(programs):
    pytest.importorskip("mypy")
    command = [sys.executable, "-m", "mypy", "--check-untyped-defs", "--config-file=", "--follow-imports=silent", "."]
    env = {**os.environ, "MYPYPATH": str(ROOT)}
    done = subprocess.run(command, cwd=programs, env=env, capture_output=True, text=True, check=False)
    assert done.returncode in (0, 1), done.stdout + done.stderr
    assert complaints(done.stdout) == WRONG, done.stdout


def test_pyright(programs):
    here = Path(sys.executable).parent
    pyright = shutil.which("pyright", path=f"{here}{os.pathsep}{os.environ.get('PATH', '')}")
    if not pyright:
        pytest.skip("pyright is not installed")
    (programs / "pyrightconfig.json").write_text(f'{{"extraPaths": ["{ROOT}"], "typeCheckingMode": "standard"}}')
    done = subprocess.run([pyright], cwd=programs, capture_output=True, text=True, check=False)
    assert done.returncode in (0, 1), done.stdout + done.stderr
    assert complaints(done.stdout) == WRONG, done.stdout
