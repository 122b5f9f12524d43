"""The program of the README beside the same program in bcc: CPU and memory of whole processes, from start to attached.

bcc compiles C with LLVM in the process, against the headers of the kernel: Debian has it as python3-bpfcc, and looks for headers
in /lib/modules/$(uname -r)/build and source.  Headers of another kernel do for this program, which uses no structures of the
kernel: link /usr/src/linux-headers-*-amd64 there as build and /usr/src/linux-headers-*-common as source.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import tempfile
from pathlib import Path

from .cold_start import DSL, PYTHON, ROOT

ROUNDS = 15
BCC = """
from bcc import BPF
b = BPF(text=r'''
#include <uapi/linux/bpf.h>
#include <bcc/proto.h>
BPF_HASH(packets, u32, u64, 256);
int count(struct __sk_buff *skb) {
    u32 key = load_byte(skb, 23);
    u64 zero = 0, *value = packets.lookup_or_try_init(&key, &zero);
    if (value) __sync_fetch_and_add(value, 1);
    return 0;
}
''')
BPF.attach_raw_socket(b.load_func("count", BPF.SOCKET_FILTER), "lo")
"""


def missing() -> str:
    """Why bcc cannot run here; "" when it can."""
    done = subprocess.run([PYTHON, "-c", BCC], capture_output=True, text=True, check=False)
    return "" if done.returncode == 0 else (done.stderr.strip().splitlines() or ["it failed"])[-1]


def spend(argv: list[str]) -> tuple[float, float]:
    """CPU milliseconds of a process, and the most memory that it held, in MiB."""
    pid = os.posix_spawn(argv[0], argv, os.environ)
    _, status, usage = os.wait4(pid, 0)
    assert status == 0
    return (usage.ru_utime + usage.ru_stime) * 1e3, usage.ru_maxrss / 1024


def main() -> None:
    reason = missing()
    if reason:
        print(f"bcc cannot run here: {reason}")
        return
    with tempfile.TemporaryDirectory() as work:
        os.environ["PYTHONPATH"] = str(ROOT)
        os.environ["PYTHONPYCACHEPREFIX"] = work
        os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
        ours, theirs = Path(work, "ours.py"), Path(work, "theirs.py")
        ours.write_text(DSL)
        theirs.write_text(BCC)
        for path in (ours, theirs):
            spend([PYTHON, str(path)])
        rounds = [(spend([PYTHON, str(ours)]), spend([PYTHON, str(theirs)])) for _ in range(ROUNDS)]
    for i, unit in enumerate(("ms CPU", "MiB")):
        mine, its = (statistics.median(spent[who][i] for spent in rounds) for who in (0, 1))
        print(f"pybpf {mine:7.1f} {unit}   bcc {its:7.1f} {unit}   bcc / pybpf {its / mine:4.1f}x")


if __name__ == "__main__":
    main()
