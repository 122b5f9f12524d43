"""The trace pipe: what programs print, as lines and in parts."""

import os
import shutil
import subprocess
import sys
import threading
import time

import pytest

from pybpf import NotSupportedError, ProgramSpec, SyscallError, asm, load
from pybpf.events import TracePipe
from pybpf.events.tracepipe import parse
from pybpf.syscall import tracefs


@pytest.mark.parametrize(
    ("line", "parts"),
    [
        (
            "          python3-1234    [001] ...11  5678.901234: bpf_trace_printk: hello 7",
            ("python3", 1234, 1, "...11", 5678.901234, "hello 7"),
        ),
        (
            "  <...>-17-x-99 (   99) [000] d..21. 1.5: bpf_trace_printk: a: b",
            ("<...>-17-x", 99, 0, "d..21.", 1.5, "a: b"),
        ),
    ],
)
def test_parts_of_a_line(line, parts):
    assert parse(line) == parts


@pytest.mark.parametrize("line", ["", "CPU:1 [LOST 12 EVENTS]", "# tracer: nop"])
def test_lines_without_an_event(line):
    assert parse(line) is None


@pytest.fixture
def pipe(fd_count):
    before = fd_count()
    try:
        found = TracePipe()
    except (OSError, NotSupportedError) as error:
        pytest.skip(f"no trace pipe to read here: {error}")
    with found:
        yield found
    assert fd_count() == before


@pytest.mark.kernel
def test_what_a_program_prints(pipe):
    mark = f"t{os.getpid():06d}"[:7]  # whole: old kernels take no bytes that do not print
    text = f"""
        r1 = {int.from_bytes(mark.encode().ljust(8, bytes(1)), "little")} ll
        *(u64 *)(r10 - 8) = r1
        r1 = r10
        r1 += -8
        r2 = 8
        call bpf_trace_printk
        w0 = 0
        exit
    """
    with load(ProgramSpec(asm.assemble(text), 17, name="printer")) as prog:
        pipe.drain()
        prog.test_run(ctx=bytes(8))
        deadline = time.monotonic() + 5
        found = []
        while not found and time.monotonic() < deadline:
            found = [line for line in pipe.poll(1) if mark in line]
        assert parse(found[0]).text.strip("\0 ") == mark


@pytest.mark.kernel
def test_opening_switches_the_event_on(pipe):
    """The kernel does it after a load, too late for what runs at once."""
    switch = f"{tracefs.directory()}/events/bpf_trace/bpf_trace_printk/enable"
    with open(switch, "w") as file:
        file.write("0")
    pipe.close()
    with TracePipe(), open(switch) as file:
        assert file.read() == "1\n"


@pytest.mark.kernel
def test_a_second_reader(pipe):
    """Old kernels have no objection."""
    try:
        TracePipe().close()
    except SyscallError as error:
        assert "EBUSY" in str(error)  # noqa: PT017
        assert "another program reads it" in error.hint  # noqa: PT017


@pytest.mark.kernel
def test_closed_while_read(pipe):
    ended = []
    thread = threading.Thread(target=lambda: ended.append(sum(0 for _ in pipe)))
    thread.start()
    time.sleep(0.05)
    pipe.close()
    thread.join(5)
    assert ended == [0]


def test_without_tracefs(monkeypatch):
    monkeypatch.setattr("pybpf.syscall.tracefs.PLACES", ("/nowhere",))
    with pytest.raises(NotSupportedError, match="without CONFIG_FTRACE"):
        TracePipe()


def test_what_cannot_be_read_is_named(tmp_path):
    with pytest.raises(SyscallError, match=f"open of {tmp_path}/trace_pipe failed: ENOENT"):
        TracePipe(str(tmp_path))


@pytest.mark.kernel
def test_tracefs_is_mounted_on_demand_and_said():
    """In a mount namespace of its own, where nothing is mounted on its places."""
    script = """
import ctypes
libc = ctypes.CDLL(None)
for place in (b"/sys/kernel/debug/tracing", b"/sys/kernel/debug", b"/sys/kernel/tracing"):
    while not libc.umount2(place, 2):
        pass
from pybpf.syscall import tracefs
print(tracefs.directory(), tracefs.directory())
"""
    if not shutil.which("unshare"):
        pytest.skip("unshare is not installed")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        ["unshare", "-m", sys.executable, "-c", script], capture_output=True, text=True, env=environment
    )
    assert done.stdout == "/sys/kernel/tracing /sys/kernel/tracing\n", done.stderr
    assert done.stderr.count("mounted tracefs on /sys/kernel/tracing") == 1
