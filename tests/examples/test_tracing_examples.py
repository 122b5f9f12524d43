"""Examples of tracing: each is attached, and sees what this test does."""

from __future__ import annotations

import ctypes
import os
import socket
import subprocess
import time
from pathlib import Path
from xml.etree import ElementTree

import pytest

from pybpf import load

pytestmark = pytest.mark.kernel


def run_child() -> int:
    child = subprocess.Popen(["/bin/true"])
    child.wait()
    return child.pid


def test_exec_perf_buffer(example, tracefs):
    module = example("exec_perf_buffer")
    with load(module.on_exec) as prog, prog.attach():
        reader = prog[module.starts]
        reader.drain()
        pid = run_child()
        events = [e for e in reader.drain() if e.pid == pid]
    assert [e.uid for e in events] == [os.getuid()]
    assert events[0].comm


def test_config_map(example, tracefs):
    module = example("config_map")
    with load(module.greet) as prog, prog.attach():
        first = run_child()
        prog[module.messages][os.getuid()] = module.Message(b"good morning")
        second = run_child()
        texts = {e.pid: e.text for e in prog[module.greetings].drain()}
    assert texts[first] == b"hello"
    assert texts[second] == b"good morning"


def test_syscall_table(example):
    module = example("syscall_table")
    with module.start() as objs:
        pid = run_child()
        os.kill(os.getpid(), 0)
        events = {(e.pid, e.what) for e in objs[module.events].drain()}
        assert sum(objs[module.others].values()) > 10
    assert (pid, b"execve") in events
    assert (os.getpid(), b"kill") in events


def test_strlen_count(example):
    module = example("strlen_count")
    libc = ctypes.CDLL("libc.so.6")
    with load(module.on_strlen) as prog, module.attach(prog, os.getpid()):
        for _ in range(7):
            libc.strlen(b"measured by the test")
        counts = {text.value: n for text, n in prog[module.counts].items()}
    assert counts[b"measured by the test"] == 7


def test_sync_count(example, tracefs):
    module = example("sync_count")
    with load(module.on_sync) as prog, prog.attach():
        os.sync()
        time.sleep(0.01)
        os.sync()
        calls = prog[module.calls].drain()
    assert [call.number for call in calls][:2] == [1, 2]
    assert calls[1].ms >= 10


def test_bpf_calls(example, tracefs):
    module = example("bpf_calls")
    with module.watch(os.getpid()) as objs:
        module.work()
        lines = [module.show(call) for call in objs[module.calls].drain()]
    names = [line.split("(")[1].split(",")[0] for line in lines]
    for name in ("MAP_CREATE", "PROG_LOAD", "PROG_TEST_RUN", "MAP_LOOKUP_ELEM"):
        assert any(name in found for found in names), lines
    assert all(not line.endswith("= -1") for line in lines)


def test_hook_execve(example, tracefs):
    module = example("hook_execve")
    there, missing = module.attach()
    try:
        for _ in range(3):
            run_child()
        counts = module.counts(there)
    finally:
        for objs in there.values():
            objs.close()
    assert set(there) | set(missing) == {way.name for way in module.WAYS}
    assert {"by_tracepoint", "by_raw_tracepoint"} <= set(there)
    assert all(n >= 3 for n in counts.values()), counts
    assert all(missing.values())


def test_calls(example):
    numbers = example("calls").run(35)
    assert (numbers.smallest_factor, numbers.sum) == (5, sum(range(35)))


def test_execsnoop(example):
    module = example("execsnoop")
    with load(module.on_exec) as prog, prog.attach():
        child = subprocess.Popen(["/bin/true", "one", "two words"])
        child.wait()
        (event,) = [e for e in prog[module.execs].drain() if e.pid == child.pid]
    assert event.ppid == os.getpid()
    assert event.comm == b"true"
    assert module.arguments(event) == ["/bin/true", "one", "two words"]


def test_opensnoop(example, tracefs, tmp_path):
    module = example("opensnoop")
    (tmp_path / "here").write_text("x")
    with module.start(os.getpid()) as objs:
        fd = os.open(tmp_path / "here", os.O_RDONLY)
        os.close(fd)
        with pytest.raises(FileNotFoundError):
            os.open(tmp_path / "not here", os.O_RDONLY)
        results = {e.name.decode(): e.result for e in objs[module.opens].drain()}
    assert results[str(tmp_path / "here")] == fd
    assert results[str(tmp_path / "not here")] == -2


def test_tcplife(example, tracefs):
    module = example("tcplife")
    with socket.create_server(("127.0.0.1", 0)) as server, load(module.on_state) as prog, prog.attach():
        with socket.create_connection(server.getsockname()) as client:
            port = client.getsockname()[1]
            accepted, _ = server.accept()
            time.sleep(0.02)
            accepted.close()
        deadline = time.monotonic() + 2
        found = []
        while not found and time.monotonic() < deadline:
            found = [e for e in prog[module.lives].poll(0.1) if e.sport == port]
    (life,) = found
    assert life.dport == server_port(life, module)
    assert life.pid == os.getpid()
    assert life.ns >= 20e6


def server_port(life, module) -> int:
    assert module.addresses(life) == ("127.0.0.1", "127.0.0.1")
    return life.dport


def test_runqlat(example, tracefs):
    module = example("runqlat")
    with module.start() as objs:
        counts, until = [0], time.monotonic() + 5
        # Events are skipped on a CPU that is in a map's system call meanwhile (bpf_prog_active), so count until there are enough.
        while sum(counts) < 20 and time.monotonic() < until:
            time.sleep(0.001)
            counts = [sum(objs[module.waits][i]) for i in range(module.SLOTS)]
    assert sum(counts) >= 20
    assert "us" in module.histogram(counts)


def test_syscount(example, tracefs):
    module = example("syscount")
    number = {"x86_64": 39, "aarch64": 172}[os.uname().machine]  # getpid
    nanosleep = {"x86_64": 230, "aarch64": 115}[os.uname().machine]  # clock_nanosleep
    with module.start() as objs:
        for _ in range(50):
            os.getpid()
        time.sleep(0.05)
        calls, slept = objs[module.totals][number], objs[module.totals][nanosleep]
    assert calls.calls >= 50
    assert slept.ns >= 50e6


def spin(seconds: float) -> None:
    """Use that much time of a CPU, however many others want it."""
    end = time.process_time() + seconds
    while time.process_time() < end:
        os.stat("/")


def test_sample_ip(example):
    module = example("sample_ip")
    with load(module.sample) as prog, prog.attach("cpu-clock", frequency=999):
        spin(0.5)
        found = module.functions(prog[module.samples])
    assert sum(found.values()) >= 100
    assert found["(user)"] > 0
    assert len(found) > 3


def test_profile_stacks(example):
    module = example("profile_stacks")
    with load(module.sample) as prog:
        prog[module.only][0] = os.getpid()
        with prog.attach("cpu-clock", frequency=999):
            spin(0.4)
        found = module.folded(prog)
    assert sum(found.values()) >= 100
    assert any("stat" in name for names in found for name in names), found
    svg = ElementTree.fromstring(module.flames(found))
    boxes = svg.findall("{*}g/{*}rect")
    assert float(boxes[0].get("width")) == 1200
    level = [float(b.get("width")) for b in boxes if b.get("y") == boxes[1].get("y")]
    assert abs(sum(level) - 1200) < len(level)


def test_gethostlatency(example):
    module = example("gethostlatency")
    with module.start(os.getpid()) as objs:
        socket.getaddrinfo("127.0.0.1", 80)
        with pytest.raises(socket.gaierror):
            socket.getaddrinfo("not-a-number", 80, flags=socket.AI_NUMERICHOST)
        found = {e.host: e for e in objs[module.lookups].drain()}
    assert found[b"127.0.0.1"].result == 0
    assert found[b"not-a-number"].result != 0
    assert found[b"127.0.0.1"].pid == os.getpid()
    assert 0 < found[b"127.0.0.1"].ns < 10e9


def test_list_tasks(example):
    found = {task.pid: task for task in example("list_tasks").tasks()}
    own = found[os.getpid()]
    assert (own.tgid, own.ppid) == (os.getpid(), os.getppid())
    with open("/proc/self/comm") as file:
        assert own.comm.decode() == file.read().strip()


def test_sync_perf_output(example, tracefs):
    module = example("sync_perf_output")
    with load(module.on_sync) as prog, prog.attach():
        os.sync()
        time.sleep(0.01)
        os.sync()
        events = prog[module.events].drain()
    assert events
    assert 10e6 <= events[-1].since < 1e9
    assert events[-1].at <= time.clock_gettime_ns(time.CLOCK_MONOTONIC)


def test_tcpconnect(example, tracefs):
    module = example("tcpconnect")
    with load(module.on_state) as prog, prog.attach():
        for family, host in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
            with socket.create_server((host, 0), family=family) as server, socket.socket(family) as client:
                client.connect(server.getsockname())
                port = server.getsockname()[1]
            (event,) = [e for e in prog[module.connects].drain() if e.port == port]
            assert (event.pid, event.uid, module.address(event)) == (os.getpid(), os.getuid(), host)
            assert event.comm == Path("/proc/self/comm").read_bytes().strip()


def test_drop_places(example, tracefs):
    module = example("drop_places")
    with load(module.on_drop) as prog, prog.attach(), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        for _ in range(20):  # most of them find the buffer full
            sock.sendto(bytes(1000), sock.getsockname())
        found = module.functions(prog[module.places])
    assert sum(n for name, n in found.items() if "udp" in name) >= 10, found


def test_write_sizes_by_process(example, tracefs):
    module = example("write_sizes_by_process")
    with load(module.on_write) as prog, prog.attach(), open("/dev/null", "wb", buffering=0) as null:
        for size in (1, 1000, 1000):
            null.write(bytes(size))
        found = module.histograms(prog[module.counts])
    (slots,) = [slots for (pid, uid, _), slots in found.items() if (pid, uid) == (os.getpid(), os.getuid())]
    assert slots[10] >= 2
    assert slots[1] >= 1


def test_kmem_alive(example, tracefs):
    module = example("kmem_alive")
    with module.start() as objs:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM):
            time.sleep(0.05)
            kept = module.oldest(objs[module.alive], 0.05)
        time.sleep(0.05)
        left = module.oldest(objs[module.alive], 0.1)
    before, after = ({address for _, address, name in rows if name == "sk_prot_alloc"} for rows in (kept, left))
    assert before - after, kept  # the socket was alive, and is not any more


def test_disk_latency(example, tracefs, tmp_path):
    module = example("disk_latency")
    image = tmp_path / "disk"
    image.write_bytes(bytes(1 << 20))
    made = subprocess.run(["losetup", "--find", "--show", "--direct-io=off", image], capture_output=True, text=True)
    if made.returncode:
        pytest.skip(f"no loop device: {made.stderr.strip()}")
    try:
        with module.start() as objs:
            with open(made.stdout.strip(), "rb+", buffering=0) as disk:
                disk.write(bytes(4096))
                os.fsync(disk.fileno())
            counts = [objs[module.latency][i].sum() for i in range(module.SLOTS)]
    finally:
        subprocess.run(["losetup", "--detach", made.stdout.strip()], check=True)
    assert sum(counts) >= 1
    assert module.line(counts).endswith(f"{sum(counts)} requests")
    assert module.line([0, 1, 9, *[0] * 29]).startswith("| .@ ")


def test_softirq_latency(example, tracefs):
    module = example("softirq_latency")
    with module.start() as objs, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        for _ in range(50):
            sock.sendto(b"x", sock.getsockname())
        time.sleep(0.1)
        rows = [list(objs[module.times][i]) for i in range(module.SLOTS)]
        text = module.histogram(objs[module.times])
    assert sum(map(sum, rows)) >= 20
    assert "CPU 0" in text


def test_python_imports(example):
    module = example("python_imports")
    python = "/usr/bin/python3"
    if not Path(python).exists() or b"import__find__load__start" not in Path(python).resolve().read_bytes():
        pytest.skip(f"{python} has no probes")
    with module.start(python) as objs:
        code = "import colorsys\ntry: import no_such_module\nexcept ImportError: pass"
        child = subprocess.Popen([python, "-c", code])
        assert child.wait() == 0
        found = {e.name: e for e in objs[module.imports].drain() if e.pid == child.pid}
    assert found[b"colorsys"].found
    assert found[b"colorsys"].ns > 0
    assert not found[b"no_such_module"].found
