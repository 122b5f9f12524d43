"""Long runs leave nothing behind: short by default, long with `-m slow`."""

import gc
import os
import socket
import threading
import time

import pytest

from pybpf import Array, HashMap, ProgramSpec, RingBuf, asm, load, u32, u64
from pybpf.syscall import next_id

pytestmark = pytest.mark.kernel

# One thread runs it, so that its count needs no atomic operation (fetching ones came with Linux 5.12).
EVENTS = """
        r7 = made ll
        r1 = *(u64 *)(r7 + 0)
        *(u64 *)(r10 - 8) = r1
        r1 += 1
        *(u64 *)(r7 + 0) = r1
        r1 = events ll
        r2 = r10
        r2 += -8
        r3 = 8
        r4 = 0
        call bpf_ringbuf_output
        if r0 == 0 goto done
        r1 = 1
        lock *(u64 *)(r7 + 8) += r1
done:   w0 = 0
        exit
"""


def resident():
    """Kilobytes of memory that this process has."""
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS"))


def held(kind):
    count, id_ = 0, 0
    while (id_ := next_id(kind, id_)) is not None:
        count += 1
    return count


def cycles(spec, times):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        for _ in range(times):
            with load(spec) as prog:
                prog.attach(sock)


@pytest.mark.parametrize("times", [200, pytest.param(10_000, marks=pytest.mark.slow)])
def test_load_attach_detach(times, programs, fd_count):
    spec, _ = programs.count(HashMap(u32, u64, max_entries=4, name="soak"))
    cycles(spec, 50)
    gc.collect()
    fds, memory, kernel = fd_count(), resident(), held("prog") + held("map") + held("btf")
    cycles(spec, times)
    gc.collect()
    assert fd_count() == fds
    assert resident() - memory < 4096
    # The kernel frees a little later; other processes of the machine come and go, but not by hundreds.
    deadline = time.monotonic() + 20
    while (left := held("prog") + held("map") + held("btf") - kernel) > 100 and time.monotonic() < deadline:
        time.sleep(0.1)
    assert left <= 100


@pytest.mark.parametrize(
    "seconds",
    [2, pytest.param(float(os.environ.get("PYBPF_SOAK", "600")), marks=[pytest.mark.slow, pytest.mark.timeout(0)])],
)
def test_events(seconds, fd_count):
    """Every event is read or counted as lost, in order, and memory stays flat."""
    events, made = RingBuf(u64, size=1 << 20, name="events"), Array(u64[2], max_entries=1, name="made")
    code = asm.assemble(EVENTS.replace("made ll", "map_val(map_by_fd(made))"))
    spec = ProgramSpec(code, 3, name="soak", maps={"events": events, "made": made})
    fds = fd_count()
    with load(spec) as prog:
        stop = threading.Event()

        def produce():
            while not stop.is_set():
                prog.test_run(data=bytes(64), repeat=2000)

        thread = threading.Thread(target=produce)
        thread.start()
        reader, got, last, early = prog[events], 0, -1, 0
        start = time.monotonic()
        while time.monotonic() < start + seconds:
            for number in reader.poll(1):
                assert number > last
                last = number
                got += 1
            if not early and time.monotonic() > start + seconds / 4:
                early = resident()
        stop.set()
        thread.join()
        got += len(reader.drain())
        written, lost = prog[made][0]
        assert got + lost == written > 10_000
        assert resident() - early < 16_384
    assert fd_count() == fds
