"""What all readers of events have in common: draining, waiting, iterating, callbacks, asyncio, closing."""

from __future__ import annotations

import gc
import os
import select
from itertools import chain
from math import inf
from threading import RLock
from time import monotonic

from ..errors import BpfError
from ..maps.live import Map
from ..records import Records, decoder
from ..syscall.fd import ClosedError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Iterator
    from typing import Any

    from ..records import Run
    from ..spec import MapSpec


_CHUNK = 512  # events taken at once for an iteration: fewer objects than make Python collect garbage (700)


class Waiter:
    """Waits for descriptors to become readable, until `wake()`: from then on every wait ends at once."""

    def __init__(self, fds: Iterable[int]) -> None:
        self._pid = os.getpid()
        self._lock = RLock()  # a signal handler may close while its own thread waits
        self._epoll = select.epoll()
        try:
            self._event = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        except BaseException:
            self._epoll.close()
            raise
        try:
            for fd in (self._event, *fds):
                self._epoll.register(fd, select.EPOLLIN)
        except BaseException:
            self.close()
            raise

    def wait(self, timeout: float | None) -> list[int]:
        """The descriptors that are readable within `timeout` seconds (None: for ever); none when it is woken."""
        if not self._lock.acquire(timeout=-1 if timeout is None else max(0, timeout)):
            return []  # another thread waits already, and longer
        try:
            ready = [fd for fd, _ in self._epoll.poll(timeout)]
        except (OSError, ValueError):
            if not self._epoll.closed:
                raise
            return []  # closed before, or by a signal handler meanwhile
        finally:
            self._lock.release()
        return [] if self._event in ready else ready

    def close(self) -> None:
        if self._epoll.closed:
            return
        if self._pid == os.getpid():  # the event is shared with the parent after a fork
            os.eventfd_write(self._event, 1)
        with self._lock:
            if not self._epoll.closed:
                self._epoll.close()
                os.close(self._event)


def _deadline(timeout: float | None) -> float:
    return inf if timeout is None else monotonic() + timeout


def _left(end: float) -> float | None:
    """Seconds until `end`, 0 when it has passed, None when it never comes.

    Waits may end early: a perf buffer is readable once more for records that were read without waiting.
    """
    return None if end == inf else max(0, end - monotonic())


class Reader(Map):
    """A live map from which events are read; `for event in reader` waits for them.

    Methods may be called from several threads; each event is given out once.  Closing, from any thread, ends all
    waiting.  After a fork the buffer is shared with the parent: only one of the two should read.
    """

    lost = 0
    """Events that the kernel dropped because the buffer was full, as far as it tells (perf buffers)."""

    def __init__(self, spec: MapSpec, fd: int) -> None:
        super().__init__(spec, fd)
        self.event: Any = getattr(spec, "event", None)
        self._decode = decoder(self.event)
        self._lock = RLock()
        self._rest: Iterator[Any] = iter(())  # events taken from the buffer and not given out yet
        self._waiter: Waiter | None = None
        self._sleepers: set[Any] = set()

    def _take(self, limit: int | None) -> Iterator[Run]:
        """Take runs of records out of the buffer, at most what is there now, and about `limit` records."""
        raise AssertionError

    def _readable(self) -> list[int]:
        """The descriptors that become readable when there are records."""
        return [self.fileno()]

    def drain(self) -> list[Any]:
        """The events that are there now; the buffer is empty of them then."""
        events: list[Any] = []
        collecting = gc.isenabled()
        gc.disable()  # many new objects, none of them garbage: collections in between would take most of the time
        try:
            self._fill(None)
            events.extend(self._rest)
        except BaseException:  # a record that is too short: what came before it is not lost
            self._rest = chain(events, self._rest)
            raise
        finally:
            if collecting:
                gc.enable()
        return events

    def read_many(self, limit: int | None = None) -> Records:
        """What is there now, in bulk: a sequence of tuples, decoded when it is looked at; the fastest way to read.

        `limit` is how many at most.  Events that an iteration has taken already are not among them.
        """
        with self._lock:
            self.fileno()
            return Records(list(self._take(limit)), self.event)

    def poll(self, timeout: float | None = None) -> list[Any]:
        """Wait for events, `timeout` seconds at most (None: for ever): those that are there then, or an empty list."""
        end = _deadline(timeout)
        while not (events := self.drain()):
            left = _left(end)
            if left == 0:
                break
            self._wait(left)
        return events

    def consume(self, callback: Callable[[Any], object], timeout: float | None = None) -> int:
        """Wait like `poll`, and call `callback` with each event; how many there were.

        When the callback raises, the events after that one stay for the next call.
        """
        end = _deadline(timeout)
        count = 0
        while not count:
            self._fill(None)
            for event in self._rest:
                count += 1
                callback(event)
            left = _left(end)
            if count or left == 0:
                break
            self._wait(left)
        return count

    def __iter__(self) -> Iterator[Any]:
        """Events as they come, for ever; ends when the reader is closed.  What a loop leaves stays for the next."""
        return chain.from_iterable(self._batches())  # a generator that yields each event would cost a fifth

    def _batches(self) -> Iterator[Iterator[Any]]:
        """What was taken out of the buffer, to be shared by all who iterate, whenever there is more."""
        while True:
            yield self._rest
            try:
                if not self._fill():
                    self._wait(None)
            except ClosedError:
                return

    async def __aiter__(self) -> AsyncIterator[Any]:
        """Events as they come, without blocking the event loop; ends when the reader is closed."""
        from asyncio import get_running_loop, sleep

        loop = get_running_loop()
        while True:
            for event in self._rest:
                yield event
            try:
                if self._fill():
                    await sleep(0)  # a stream without a pause must not keep the loop
                    continue
                fds = self._readable()
            except ClosedError:
                return
            woken = loop.create_future()
            wake = _Wake(loop, woken)
            self._sleepers.add(wake)
            try:
                for fd in fds:
                    loop.add_reader(fd, wake.now)
                await woken
            finally:
                self._sleepers.discard(wake)
                for fd in fds:
                    loop.remove_reader(fd)

    def _fill(self, limit: int | None = _CHUNK) -> bool:
        """Take records out of the buffer to be given out, all or about `limit`; False when there are none."""
        with self._lock:
            self.fileno()
            runs = list(self._take(limit))
            if runs:
                # Decoded here: several threads may take from `_rest`, and itertools are not safe for that when what
                # they chain runs Python code or allocates.
                self._rest = chain(self._rest, *[self._decode(run) for run in runs])
        return bool(runs)

    def _wait(self, timeout: float | None) -> None:
        """Wait until there may be records, or the time is up.  ClosedError when closed meanwhile."""
        with self._lock:
            fds = self._readable()
            if self._waiter is None:
                self._waiter = Waiter(fds)
        self._waiter.wait(timeout)
        self.fileno()

    def close(self) -> None:
        """Close the buffer; whoever waits for events, in any thread or task, stops waiting."""
        fd = self._fd[:]
        if not fd:
            return
        super().close()
        if self._waiter is not None:
            self._waiter.close()
        for sleeper in list(self._sleepers):
            sleeper.from_outside()
        with self._lock:
            self._unmap()

    def _unmap(self) -> None:
        """Give back the memory of the buffer."""


class _Wake:
    """Ends the sleep of a task, from its loop or from another thread."""

    def __init__(self, loop: Any, future: Any) -> None:
        self._loop = loop
        self._future = future

    def now(self) -> None:
        if not self._future.done():
            self._future.set_result(None)

    def from_outside(self) -> None:
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self.now)


class Poller:
    """Several readers in one wait, each with its own callback.

    poller = Poller()
    poller.add(prog[execs], on_exec)
    poller.add(prog[exits], on_exit)
    while poller.poll(): ...
    """

    def __init__(self) -> None:
        self._readers: dict[int, tuple[Reader, Callable[[Any], object]]] = {}
        self._epoll = select.epoll()

    def add(self, reader: Reader, callback: Callable[[Any], object]) -> None:
        """Also wait for this reader, and call `callback` with each of its events."""
        for fd in reader._readable():
            if fd in self._readers:
                raise BpfError(f"{reader!r} is polled already")
            self._epoll.register(fd, select.EPOLLIN)
            self._readers[fd] = (reader, callback)

    def poll(self, timeout: float | None = None) -> int:
        """Wait for events of any reader, `timeout` seconds at most, and hand them out: how many there were.

        When a callback raises, no event is lost: the rest comes with the next call.
        """
        end = _deadline(timeout)
        while not (count := self._hand_out(self._readers.values())):
            left = _left(end)
            if left == 0:
                break
            self._epoll.poll(left)
        return count

    def _hand_out(self, readers: Iterable[tuple[Reader, Callable[[Any], object]]]) -> int:
        # A perf buffer has a descriptor for each CPU; the second time there is nothing left in it.
        return sum(reader.consume(callback, 0) for reader, callback in readers if not reader.closed)

    def close(self) -> None:
        """Stop polling; the readers stay open."""
        self._epoll.close()

    def __enter__(self) -> Poller:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()
