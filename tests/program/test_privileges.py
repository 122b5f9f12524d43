"""With few or no capabilities: the error that says which is missing, and no partial state."""

import os
import shutil
import subprocess
import sys

import pytest

pytestmark = pytest.mark.kernel

SCRIPT = """
import os, resource
from pybpf import Array, HashMap, ProgramSpec, SyscallError, XskSocket, asm, load, u32, u64
from pybpf.maps.create import create
limit = resource.getrlimit(resource.RLIMIT_MEMLOCK)
fds = len(os.listdir("/proc/self/fd"))
def attempt(what, action):
    try:
        action().close()
    except SyscallError as error:
        print(what, error.errno, str(error).replace(chr(10), " "))
    else:
        print(what, "ok")
attempt("map", lambda: create(HashMap(u32, u64, max_entries=1)))
attempt("filter", lambda: load(ProgramSpec(asm.assemble("w0 = 0\\nexit"), 1)))
attempt("xdp", lambda: load(ProgramSpec(asm.assemble("w0 = 2\\nexit"), 6)))
attempt("tracing", lambda: load(ProgramSpec(asm.assemble("w0 = 2\\nexit"), 17)))
attempt("both", lambda: load(ProgramSpec(asm.assemble("w0 = 2\\nexit"), 17, maps={"a": Array(u64, max_entries=1)})))
attempt("helper", lambda: load(ProgramSpec(asm.assemble("call bpf_trace_printk\\nexit"), 1)))
attempt("xsk", lambda: XskSocket("lo"))
def pinned():
    with load(ProgramSpec(asm.assemble("w0 = 0\\nexit"), 1)) as prog:
        prog.pin("/sys/fs/bpf/not_ours")
        prog.unpin()
    return prog
attempt("pin", pinned)
assert len(os.listdir("/proc/self/fd")) == fds
assert resource.getrlimit(resource.RLIMIT_MEMLOCK) == limit
"""


def run(*capabilities):
    if not shutil.which("setpriv") or os.geteuid():
        pytest.skip("needs setpriv, and root to give capabilities away")
    granted = ",".join(["-all", *(f"+{c}" for c in capabilities)])
    argv = [
        "setpriv",
        "--reuid",
        "65534",
        "--regid",
        "65534",
        "--clear-groups",
        "--inh-caps",
        granted,
        "--ambient-caps",
        granted,
    ]
    paths = os.pathsep.join(p for p in sys.path if p)
    done = subprocess.run(
        [*argv, sys.executable, "-c", SCRIPT],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": paths, "PYTHONDONTWRITEBYTECODE": "1"},
    )
    if done.returncode and (
        "Permission denied" in done.stderr or "unrecognized" in done.stderr or "unknown cap" in done.stderr
    ):
        pytest.skip(f"cannot run as another user here: {done.stderr.strip().splitlines()[-1]}")
    assert done.returncode == 0, done.stderr
    return dict(line.split(" ", 1) for line in done.stdout.splitlines())


def sysctl():
    with open("/proc/sys/kernel/unprivileged_bpf_disabled") as file:
        return int(file.read())


def test_without_any():
    if not sysctl():
        pytest.skip("unprivileged bpf(2) is allowed here")
    found = run()
    for what in ("map", "filter", "xdp", "tracing", "both"):
        assert found[what].startswith("1 "), found[what]  # EPERM
        assert "CAP_BPF" in found[what]
    assert "unprivileged_bpf_disabled" in found["map"]


def test_with_cap_bpf_only():
    found = run("bpf")
    assert found["map"] == found["filter"] == "ok"
    assert "to load XDP programs the process lacks CAP_NET_ADMIN: run as root" in found["xdp"]
    assert "to call bpf_trace_printk the process lacks CAP_PERFMON" in found["helper"]
    assert "the process lacks CAP_NET_RAW" in found["xsk"]
    # Mounted without mode=, a bpffs is open to all.
    assert found["pin"] == "ok" or "a bpffs is root's" in found["pin"] or "is not in a bpffs" in found["pin"]
    assert "CAP_PERFMON" in found["tracing"]
    assert "CAP_PERFMON" in found["both"]


def test_with_what_each_needs():
    found = run("bpf", "net_admin", "perfmon")
    assert {found[what] for what in ("map", "filter", "xdp", "tracing", "both")} == {"ok"}
