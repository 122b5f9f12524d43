"""Readers of ring and perf buffers: what is written comes out, typed, in order, once, however it is read."""

import asyncio
import contextlib
import os
import signal
import struct
import threading
import time

import pytest

from pybpf import RingBuf, SpecError, Struct, char, u16, u32, u64
from pybpf.events import Poller
from pybpf.syscall import ClosedError

pytestmark = pytest.mark.kernel


class Event(Struct):
    number: u64
    kind: u32
    name: char[4]


def event(number):
    return struct.pack("=QI4s", number, number % 7, b"ab")


def test_typed(stream):
    source = stream(Event)
    for i in range(5):
        source.write(event(i))
    found = source.reader.drain()
    assert found == [Event(i, i % 7, b"ab") for i in range(5)]
    assert found[3].name == b"ab"
    assert source.reader.drain() == []


def test_in_bulk(stream):
    source = stream(Event)
    for i in range(300):
        source.write(event(i))
    records = source.reader.read_many()
    assert len(records) == 300
    assert records.fields == ("number", "kind", "name")
    assert list(records) == [(i, i % 7, b"ab\0\0") for i in range(300)]
    assert records[299] == records[-1] == (299, 299 % 7, b"ab\0\0")
    assert records[1:3] == [(1, 1, b"ab\0\0"), (2, 2, b"ab\0\0")]
    assert records.column("number") == list(range(300))
    with pytest.raises(KeyError):
        records.column("other")
    with pytest.raises(IndexError):
        records[300]
    assert len(source.reader.read_many()) == 0


def test_in_bulk_with_a_limit(stream):
    source = stream(u64)
    for i in range(10):
        source.write(struct.pack("=Q", i))
    if stream.kind == "ring":  # one buffer, so the limit is exact
        assert list(source.reader.read_many(3)) == [0, 1, 2]
    assert source.reader.drain()[-1] == 9


@pytest.mark.parametrize(
    ("type_", "raw", "value"),
    [
        (u64, struct.pack("=Q", 1 << 63), 1 << 63),
        (u32, struct.pack("=I", 7), 7),
        (u16[2], struct.pack("=HH", 1, 2), (1, 2)),
        (char[8], b"python\0\0", b"python"),
        (4, b"\1\2\3\4", b"\1\2\3\4"),
    ],
    ids=str,
)
def test_types(stream, type_, raw, value):
    source = stream(type_)
    source.write(raw, times=3)
    assert source.reader.drain() == [value] * 3
    source.write(raw, times=3)
    assert list(source.reader.read_many()) == [value] * 3


def test_bytes_of_any_length(stream):
    source = stream()
    sent = [bytes([n]) * n for n in (1, 2, 3, 3, 3, 8, 9, 48, 1)]
    for record in sent:
        source.write(record)
    found = source.reader.drain()
    if stream.kind == "ring":
        assert found == sent
    else:  # the kernel pads these
        assert [record[: len(want)] for record, want in zip(found, sent, strict=True)] == sent
        assert all(len(record) % 8 == 4 for record in found)


def test_records_shorter_than_the_type(source):
    made = source(RingBuf(Event, size=1 << 12))
    made.write(b"short")
    made.write(event(1))
    with pytest.raises(SpecError, match="a record of 5 bytes"):
        made.reader.drain()
    assert made.reader.drain() == [Event(1, 1, b"ab")]
    made.write(event(2))
    made.write(b"short")
    made.write(event(3))
    with pytest.raises(SpecError):
        made.reader.drain()
    assert made.reader.drain() == [Event(2, 2, b"ab"), Event(3, 3, b"ab")]


def test_discarded_records_are_skipped(source):
    made = source(RingBuf(u64, size=1 << 12))
    made.discard()
    for i in range(6):
        made.write(struct.pack("=Q", i))
        if i % 2:
            made.discard()
    assert made.reader.drain() == list(range(6))
    assert made.reader.pending == 0


def test_around_the_end_of_the_buffer(stream):
    """Several times the size of the buffer, in steps that fit nowhere evenly."""
    source = stream(char[11])
    written = read = 0
    while written < 12_000:
        for _ in range(700):
            source.write(b"%010d\0" % written)
            written += 1
        for value in source.reader.drain():
            assert value == b"%010d" % read
            read += 1
    assert read == written


def test_losses_of_a_perf_buffer_are_counted_exactly(source):
    from pybpf import PerfEventArray

    made = source(PerfEventArray(u64, name="events"))
    reader = made.reader
    sent = 100_000
    made.write(struct.pack("=Q", 1), times=sent)
    got = len(reader.drain())
    assert 0 < got < sent
    # The kernel tells of losses with the next record that fits.
    made.write(struct.pack("=Q", 2))
    assert reader.drain() == [2]
    assert got + reader.lost == sent


def test_a_full_ring_keeps_what_it_has(source):
    made = source(RingBuf(u64, size=4096, name="events"))
    for i in range(1000):
        made.write(struct.pack("=Q", i))
    found = made.reader.drain()
    assert found == list(range(len(found)))
    assert 4096 // 16 - len(found) in (0, 1)  # a header and a number each; the kernel leaves a gap
    made.write(struct.pack("=Q", 5))
    assert made.reader.drain() == [5]


def test_poll(stream):
    source = stream(u64)
    start = time.monotonic()
    assert source.reader.poll(0.05) == []
    assert time.monotonic() - start >= 0.05
    source.write(struct.pack("=Q", 3), times=2)
    assert source.reader.poll(5) == [3, 3]
    later = threading.Timer(0.1, source.write, [struct.pack("=Q", 4)])
    later.start()
    assert source.reader.poll(5) == [4]
    later.join()


def test_iteration_keeps_what_a_loop_leaves(stream):
    source = stream(u64)
    for i in range(10):
        source.write(struct.pack("=Q", i))
    taken = []
    for value in source.reader:
        taken.append(value)
        if len(taken) == 3:
            break
    source.write(struct.pack("=Q", 10))
    for value in source.reader:
        taken.append(value)
        if len(taken) == 5:
            break
    assert taken == [0, 1, 2, 3, 4]
    assert source.reader.drain() == [5, 6, 7, 8, 9, 10]


def test_iteration_waits(stream):
    source = stream(u64)
    threading.Timer(0.1, source.write, [struct.pack("=Q", 1)]).start()
    assert next(iter(source.reader)) == 1


@pytest.mark.parametrize("use", [lambda r: list(r), lambda r: r.poll(None), lambda r: r.consume(print)])
def test_closed_by_another_thread(stream, use):
    source = stream(u64)
    done = []

    def read():
        with contextlib.suppress(ClosedError):
            use(source.reader)
        done.append(True)

    threads = [threading.Thread(target=read) for _ in range(2)]
    for thread in threads:
        thread.start()
    time.sleep(0.05)
    source.reader.close()
    for thread in threads:
        thread.join(5)
    assert done == [True, True]
    for after in (source.reader.drain, source.reader.read_many, lambda: source.reader.poll(1)):
        with pytest.raises(ClosedError):
            after()
    assert list(source.reader) == []


def test_closed_by_a_signal_handler_of_the_waiting_thread(stream):
    source = stream(u64)
    old = signal.signal(signal.SIGALRM, lambda *_: source.reader.close())
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.05)
        assert list(source.reader) == []
    finally:
        signal.signal(signal.SIGALRM, old)


def test_callbacks(stream):
    source = stream(u64)
    for i in range(5):
        source.write(struct.pack("=Q", i))
    seen = []
    assert source.reader.consume(seen.append, 1) == 5
    assert seen == list(range(5))
    assert source.reader.consume(seen.append, 0) == 0


def test_an_exception_in_a_callback_loses_nothing(stream):
    source = stream(u64)
    for i in range(5):
        source.write(struct.pack("=Q", i))
    seen = []

    def fail(value):
        seen.append(value)
        if value == 2:
            raise RuntimeError

    with pytest.raises(RuntimeError):
        source.reader.consume(fail, 1)
    assert source.reader.consume(seen.append, 0) == 2
    assert seen == [0, 1, 2, 3, 4]


def test_several_in_one_poll(source):
    first, second = source(RingBuf(u64, size=4096)), source(RingBuf(u32, size=4096))
    seen = []
    with Poller() as poller:
        poller.add(first.reader, lambda value: seen.append(("first", value)))
        poller.add(second.reader, lambda value: seen.append(("second", value)))
        assert poller.poll(0.01) == 0
        second.write(struct.pack("=I", 2))
        assert poller.poll(5) == 1
        first.write(struct.pack("=Q", 1))
        second.write(struct.pack("=I", 3))
        assert poller.poll(5) == 2
        threading.Timer(0.05, first.write, [struct.pack("=Q", 9)]).start()
        assert poller.poll(5) == 1
    assert seen == [("second", 2), ("first", 1), ("second", 3), ("first", 9)]


def test_threads_share_a_reader(stream):
    """Each event goes to exactly one of the threads that read."""
    source = stream(u64)
    taken = [[], []]

    def read(mine):
        for value in source.reader:
            mine.append(value)

    threads = [threading.Thread(target=read, args=(mine,)) for mine in taken]
    for thread in threads:
        thread.start()
    for i in range(2000):
        source.write(struct.pack("=Q", i))
    deadline = time.monotonic() + 5
    while sum(map(len, taken)) < 2000 and time.monotonic() < deadline:
        time.sleep(0.01)
    source.reader.close()
    for thread in threads:
        thread.join(5)
    assert sorted(taken[0] + taken[1]) == list(range(2000))


def test_asyncio(stream):
    source = stream(u64)

    async def main():
        ticks = []

        async def tick():
            while True:
                ticks.append(1)
                await asyncio.sleep(0.01)

        ticking = asyncio.create_task(tick())
        loop = asyncio.get_running_loop()
        loop.call_later(0.05, source.write, struct.pack("=Q", 1), 2)
        loop.call_later(0.10, source.write, struct.pack("=Q", 2))
        seen = []
        async for value in source.reader:
            seen.append(value)
            if len(seen) == 3:
                break
        ticking.cancel()
        return seen, len(ticks)

    seen, ticks = asyncio.run(main())
    assert seen == [1, 1, 2]
    assert ticks > 1  # the loop was never blocked


def test_asyncio_ends_when_closed(stream):
    source = stream(u64)

    closer = threading.Timer(0.05, source.reader.close)

    async def main():
        closer.start()
        return [value async for value in source.reader]

    assert asyncio.run(main()) == []
    closer.join()  # the loop wakes before everything is closed


def test_asyncio_cancelled(stream):
    source = stream(u64)

    async def read():
        return [value async for value in source.reader]

    async def main():
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(read(), 0.05)

    asyncio.run(main())
    source.write(struct.pack("=Q", 4))
    assert source.reader.drain() == [4]


def test_a_fork_leaves_the_parents_reader_alone(stream):
    source = stream(u64)
    assert source.reader.poll(0) == []  # the waiter exists, and is shared
    pid = os.fork()
    if not pid:
        source.reader.close()
        os._exit(0)
    assert os.waitpid(pid, 0)[1] == 0
    source.write(struct.pack("=Q", 8))
    assert source.reader.poll(5) == [8]
    assert source.reader.poll(0.01) == []


def test_a_live_producer(stream):
    """Everything that fits arrives, in order, while the kernel writes at full speed."""
    source = stream(u64)
    stop = threading.Event()

    def produce():
        while not stop.is_set():
            source.write(struct.pack("=Q", 1), times=2000)

    thread = threading.Thread(target=produce)
    thread.start()
    got, deadline = 0, time.monotonic() + 1
    while time.monotonic() < deadline:
        got += len(source.reader.poll(1))
    stop.set()
    thread.join()
    got += len(source.reader.drain())
    assert got > 10_000
