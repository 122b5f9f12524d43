"""Cold start: CPU of a whole process from its start until a socket filter is loaded and attached.

The filter counts packets by IPv4 protocol in a hash map.  The bare script makes the same system calls with ctypes and
nothing around them.  The reference for `import pybpf` is `import ctypes`.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from pathlib import Path

from benchmarks._measure import processes

ROOT = Path(__file__).resolve().parent.parent
PYTHON = shutil.which("python3", path="/usr/bin") or sys.executable
NUMBER = {"x86_64": 321}.get(os.uname().machine, 280)

BARE = """
import ctypes, socket
code = bytearray.fromhex("{code}")
libc = ctypes.CDLL(None, use_errno=True)
def bpf(command, attr):
    fd = libc.syscall({number}, command, attr, len(attr) * 4)
    if fd < 0:
        raise OSError(ctypes.get_errno())
    return fd
u32 = ctypes.c_uint32
fd = bpf(0, (u32 * 5)(1, 4, 8, 256, 0))
for slot in {slots}:
    code[slot * 8 + 4 : slot * 8 + 8] = fd.to_bytes(4, "little")
insns = (ctypes.c_char * len(code)).from_buffer(code)
license = ctypes.create_string_buffer(b"GPL")
at, text = ctypes.addressof(insns), ctypes.addressof(license)
low = 0xffffffff
attr = (u32 * 6)(1, len(code) // 8, at & low, at >> 32, text & low, text >> 32)
prog = bpf(5, attr)
sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
sock.setsockopt(socket.SOL_SOCKET, 50, prog)
"""

PYBPF = """
import socket
from pybpf import HashMap, ProgramSpec, load, u32, u64
packets = HashMap(u32, u64, max_entries=256)
spec = ProgramSpec.from_bytes(bytes.fromhex("{code}"), 1, maps=dict.fromkeys({slots}, packets))
with load(spec) as prog, socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3)) as sock:
    prog.attach(sock)
"""

TEXT = '''
import socket
from pybpf import HashMap, ProgramSpec, asm, load, u32, u64
packets = HashMap(u32, u64, max_entries=256, name="packets")
spec = ProgramSpec(asm.assemble("""{text}"""), 1, maps={{"packets": packets}})
with load(spec) as prog, socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3)) as sock:
    prog.attach(sock)
'''

DSL = """
import socket
from pybpf import HashMap, load, socket_filter, u32, u64
packets = HashMap(u32, u64, max_entries=256)
@socket_filter
def count(skb):
    packets[skb.load_byte(23)] += 1
    return 0
with load(count) as prog, socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3)) as sock:
    prog.attach(sock)
"""

FILTER = """
        r6 = r1
        r0 = *(u8 *)skb[23]
        *(u32 *)(r10 - 4) = r0
        r2 = r10
        r2 += -4
        r1 = packets ll
        call bpf_map_lookup_elem
        if r0 == 0 goto new
        r1 = 1
        lock *(u64 *)(r0 + 0) += r1
        goto done
new:    r1 = 1
        *(u64 *)(r10 - 16) = r1
        r2 = r10
        r2 += -4
        r3 = r10
        r3 += -16
        r4 = 0
        r1 = packets ll
        call bpf_map_update_elem
done:   r0 = 0
        exit
"""


def main() -> None:
    from pybpf import asm

    insns = asm.resolve(asm.assemble(FILTER))
    slots, slot = [], 0
    for insn in insns:
        if insn.symbol == "packets":
            slots.append(slot)
        slot += insn.slots
    code = asm.encode(insn.replace(symbol=None) for insn in insns).hex()
    os.environ["PYTHONPATH"] = str(ROOT)
    # As when installed: modules are compiled once, before anything is measured.
    cache = tempfile.TemporaryDirectory()
    os.environ["PYTHONPYCACHEPREFIX"] = cache.name
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    scripts = {
        "bare ctypes": BARE,
        "pybpf, bytes": PYBPF,
        "pybpf, assembled": TEXT,
        "pybpf, compiled": DSL,
    }
    values = {"code": code, "slots": slots, "text": FILTER, "number": NUMBER}
    cases = {}
    for name, script in scripts.items():
        # In files: a decorated function is compiled from the text of its file.
        path = Path(cache.name, f"{len(cases)}.py")
        path.write_text(script.format(**values))
        cases[name] = [PYTHON, str(path)]
    cases |= {name: [PYTHON, "-c", name] for name in ("import ctypes", "import pybpf", "pass")}
    processes(cases, rounds=1)
    with cache:
        spent = processes(cases)
    for name, reference in (
        ("pybpf, bytes", "bare ctypes"),
        ("pybpf, assembled", "bare ctypes"),
        ("pybpf, compiled", "bare ctypes"),
        ("import pybpf", "import ctypes"),
        ("import ctypes", "pass"),
    ):
        mine, base = (spent[n][len(spent[n]) // 2] * 1e3 for n in (name, reference))
        least, floor = spent[name][0] * 1e3, spent[reference][0] * 1e3
        print(
            f"{name:18} {mine:6.2f} ms CPU (least {least:6.2f})   {reference} {base:6.2f} ({floor:6.2f})   "
            f"ratio {mine / base:4.2f}x (least {least / floor:4.2f}x)"
        )


if __name__ == "__main__":
    main()
