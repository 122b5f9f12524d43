"""What needs no kernel works where there is none: specs, declarations, assembly."""

import os
import subprocess
import sys

SCRIPT = """
import ctypes, sys
def refuse(*args, **kw):
    raise OSError("no libc here")
ctypes.CDLL = ctypes.PyDLL = refuse
sys.platform = "plan9"

before = set(sys.modules)
import pybpf
heavy = {name.split(".")[0] for name in set(sys.modules) - before} - {"pybpf"}
print(sorted(heavy - set(sys.stdlib_module_names)))

from pybpf import HashMap, NotSupportedError, ProgramSpec, asm, load, u32, u64
packets = HashMap(u32, u64, max_entries=4, name="packets")
spec = ProgramSpec(asm.assemble("r1 = packets ll\\nw0 = 0\\nexit"), 1, maps={"packets": packets})
print(len(asm.encode(asm.assemble("w0 = 0\\nexit"))))
print(spec.disassemble().split()[-1])
try:
    load(spec)
except NotSupportedError as error:
    print(error)
"""


def test_without_a_kernel():
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)},
    )
    assert done.returncode == 0, done.stderr
    third_party, size, last, refusal = done.stdout.splitlines()
    assert third_party == "[]"
    assert size == "16"
    assert last == "exit"
    assert refusal.startswith("bpf(2) is not supported here: this is plan9")
