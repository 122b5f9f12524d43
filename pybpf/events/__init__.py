"""Events from programs: ring buffers, perf buffers, the trace pipe; and to programs: the user ring buffer.

`prog[execs]` is a reader.  All readers have `drain()`, `read_many()`, `poll(timeout)`, `consume(callback)`, iteration
and `async for`; a `Poller` waits for several at once.  Records are typed as the map was declared, and come in the order
in which they were written (of each CPU, for perf buffers).
"""

from __future__ import annotations

from ..lazy import exports

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..records import Records as Records
    from .perfbuf import PerfBuffer as PerfBuffer
    from .reader import Poller as Poller
    from .reader import Reader as Reader
    from .ringbuf import RingBuffer as RingBuffer
    from .tracepipe import TracePipe as TracePipe
    from .userring import UserRingBuffer as UserRingBuffer

_HOME = {
    "PerfBuffer": "perfbuf",
    "Poller": "reader",
    "Reader": "reader",
    "Records": "..records",
    "RingBuffer": "ringbuf",
    "TracePipe": "tracepipe",
    "UserRingBuffer": "userring",
}

__all__ = tuple(_HOME)

__getattr__ = exports(__name__, _HOME)
