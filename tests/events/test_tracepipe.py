"""The trace pipe: what programs print, as lines and in parts."""

import os
import threading
import time

import pytest

from pybpf import NotSupportedError, ProgramSpec, asm, load
from pybpf.events import TracePipe
from pybpf.events.tracepipe import parse


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
    if not os.access("/sys/kernel/tracing/trace_pipe", os.R_OK):
        pytest.skip("tracefs is not mounted here")
    before = fd_count()
    try:
        found = TracePipe()
    except OSError as error:
        pytest.skip(f"the trace pipe is in use: {error}")
    with found:
        yield found
    assert fd_count() == before


@pytest.mark.kernel
def test_what_a_program_prints(pipe):
    mark = f"t{os.getpid()}"
    text = f"""
        r1 = {int.from_bytes(mark.encode()[:7].ljust(8, bytes(1)), "little")} ll
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
            found = [line for line in pipe.poll(1) if mark[:7] in line]
        assert parse(found[0]).text.strip("\0 ") == mark[:7]


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
    monkeypatch.setattr("pybpf.events.tracepipe.PLACES", ("/nowhere",))
    with pytest.raises(NotSupportedError, match="mount"):
        TracePipe()
