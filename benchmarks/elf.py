"""Opening, relocating and writing objects; cold start of a program from a file."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterator
from pathlib import Path

from pybpf import open_elf, write_elf
from pybpf.btf import Btf

from ._measure import best_of, processes

BIG = """
#define SEC(name) __attribute__((section(name), used))
struct list_head { struct list_head *next; } __attribute__((preserve_access_index));
struct task_struct { int pid, tgid; struct list_head tasks; } __attribute__((preserve_access_index));
static void *(*lookup)(void *, const void *) = (void *)1;
#define __uint(name, val) int (*name)[val]
#define __type(name, val) typeof(val) *name
struct { __uint(type, 1); __type(key, int); __type(value, long); __uint(max_entries, 9); } counts SEC(".maps");
volatile long total;
char _license[] SEC("license") = "GPL";
#define ONE(n) { int k = n; long *v = lookup(&counts, &k); if (v) total += *v + t->pid + t->tgid; }
#define TEN(n) ONE(n) ONE(n + 1) ONE(n + 2) ONE(n + 3) ONE(n + 4) ONE(n + 5) ONE(n + 6) ONE(n + 7) ONE(n + 8) ONE(n + 9)
SEC("tp_btf/sched_switch") int big(unsigned long long *ctx)
{
    struct task_struct *t = (void *)ctx[1];
    TEN(0) TEN(10) TEN(20) TEN(30) TEN(40) TEN(50) TEN(60) TEN(70) TEN(80) TEN(90) TEN(100) TEN(110) TEN(120)
    TEN(130) TEN(140) TEN(150) TEN(160) TEN(170) TEN(180) TEN(190) TEN(200) TEN(210) TEN(220) TEN(230)
    return 0;
}
"""
SMALL = """
#define SEC(name) __attribute__((section(name), used))
char _license[] SEC("license") = "GPL";
SEC("socket") int small(void *skb) { return 0; }
"""
LOAD = """
import sys, socket
sys.path.insert(0, '.')
from pybpf import load, open_elf
with load(open_elf(sys.argv[1])['small']) as prog, socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0) as sock:
    with prog.attach(sock):
        pass
"""
RAW = """
import ctypes, os, socket, struct, sys
libc = ctypes.CDLL(None, use_errno=True)
code = ctypes.create_string_buffer(bytes.fromhex('b7000000000000009500000000000000'), 16)
gpl = ctypes.create_string_buffer(b'GPL')
attr = struct.pack("IIQQ", 1, 2, ctypes.addressof(code), ctypes.addressof(gpl))
attr = ctypes.create_string_buffer(attr, 128)
fd = libc.syscall(321, 5, attr, 128)
assert fd >= 0
with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0) as sock:
    sock.setsockopt(socket.SOL_SOCKET, 50, struct.pack('i', fd))
    sock.setsockopt(socket.SOL_SOCKET, 27, struct.pack('i', 0))
os.close(fd)
"""


def main() -> None:
    clang = next((c for c in ("clang-19", "clang") if shutil.which(c)), None)
    if clang is None:
        print("clang is not installed")
        return
    with tempfile.TemporaryDirectory() as folder:
        big, small = (build(clang, Path(folder), name, text) for name, text in (("big", BIG), ("small", SMALL)))
        raw = big.read_bytes()
        kernel = Btf.kernel() if os.path.exists("/sys/kernel/btf/vmlinux") else None
        obj = open_elf(raw, btf=kernel)
        program = obj.programs[0]
        slots = sum(insn.slots for insn in program.insns)
        print(f"an object of {slots:,} instructions with {len(program.core_relos)} CO-RE relocations")
        best = best_of(
            {"open and relocate": lambda: open_elf(raw, btf=kernel), "write": lambda: write_elf(None, obj)}, 10
        )
        for name, seconds in best.items():
            print(f"{name}: {seconds * 1e3:.1f} ms")
        if os.uname().machine != "x86_64" or os.geteuid():
            return
        python = "/usr/bin/python3" if os.path.exists("/usr/bin/python3") else sys.executable
        with compiled_once():
            cold = processes({"raw ctypes": [python, "-c", RAW], "pybpf": [python, "-c", LOAD, str(small)]}, 20)
        base, own = (cold[name][len(cold[name]) // 2] * 1e3 for name in ("raw ctypes", "pybpf"))
        print(f"open, load, attach from cold: {own:.0f} ms CPU, {own / base:.2f} x raw ctypes ({base:.0f} ms)")


@contextlib.contextmanager
def compiled_once() -> Iterator[None]:
    """As when installed: modules are compiled before anything is measured."""
    before = dict(os.environ)
    with tempfile.TemporaryDirectory() as cache:
        os.environ["PYTHONPYCACHEPREFIX"] = cache
        os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
        try:
            yield
        finally:
            os.environ.clear()
            os.environ.update(before)


def build(clang: str, folder: Path, name: str, text: str) -> Path:
    source = folder / f"{name}.c"
    source.write_text(text)
    out = folder / f"{name}.o"
    include = "/usr/include/" + (sysconfig.get_config_var("MULTIARCH") or "")
    command = [
        clang,
        "-target",
        "bpf",
        "-g",
        "-O2",
        "-mcpu=v3",
        "-w",
        f"-I{include}",
        "-c",
        str(source),
        "-o",
        str(out),
    ]
    subprocess.run(command, check=True)
    return out


if __name__ == "__main__":
    main()
