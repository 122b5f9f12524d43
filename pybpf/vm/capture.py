"""Packets from capture files (pcap and pcapng, read by dpkt), and runs over all of them."""

from __future__ import annotations

import os
import sys
from collections import Counter
from zlib import error as ZlibError

from ..errors import InputError, NotSupportedError, SpecError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any, BinaryIO

    from ..spec import ProgramSpec
    from .machine import VM
    from .result import Result

MAGICS = (b"\xd4\xc3\xb2\xa1", b"\xa1\xb2\xc3\xd4", b"\x4d\x3c\xb2\xa1", b"\xa1\xb2\x3c\x4d", b"\x0a\x0d\x0d\x0a")
"""What pcap files (of both byte orders, with micro- and nanoseconds) and pcapng files begin with."""
_GZIP = b"\x1f\x8b"
_ETHERNET = 1
_IPV4, _IPV6 = b"\x08\x00", b"\x86\xdd"
# Link type -> (bytes of its header, where in it the Ethernet type is; None: the IP version in the packet says it).
_LINKS: dict[int, tuple[int, int | None]] = {
    **dict.fromkeys((12, 14, 101, 228, 229), (0, None)),  # LINKTYPE_RAW and its relatives
    **dict.fromkeys((0, 108), (4, None)),  # LINKTYPE_NULL, LOOP: an address family
    113: (16, 14),  # LINKTYPE_LINUX_SLL, of `tcpdump -i any`
    276: (20, 0),  # LINKTYPE_LINUX_SLL2
}


class CaptureReport:
    """What a program said to the packets of a capture.

    `verdicts` counts return values; `packets` were run, `skipped` were too short or too long for the program's type to
    be run on; `insns` is the sum of executed instructions.
    """

    def __init__(self) -> None:
        self.verdicts: Counter[int] = Counter()
        self.packets = 0
        self.skipped = 0
        self.insns = 0

    def __repr__(self) -> str:
        counts = ", ".join(f"{verdict}: {count}" for verdict, count in self.verdicts.most_common())
        return f"CaptureReport({self.packets} packets, {{{counts}}}, skipped={self.skipped})"


def is_capture(path: str | os.PathLike[str]) -> bool:
    """Whether a file begins as a capture does, also one that gzip compressed."""
    with open(path, "rb") as raw:
        try:
            return _opened(raw).read(4) in MAGICS
        except (OSError, EOFError, ZlibError):
            return False


def begins_capture(raw: bytes) -> bool:
    """Whether bytes begin as a capture does, or as a file that gzip compressed."""
    return raw[:4] in MAGICS or raw[:2] == _GZIP


def packets(path: str | os.PathLike[str]) -> Iterator[tuple[float, bytes]]:
    """(time in seconds, Ethernet frame) of each packet in a pcap or pcapng file, which gzip may have compressed.

    Packets of other links (raw IP, loopback, Linux cooked) get an Ethernet header with zero addresses.  SpecError for
    a file that is no capture, is cut off, or has another link layer; NotSupportedError without dpkt.
    """
    with open(path, "rb") as file:
        yield from _frames(file, os.fspath(path))


class _Whole:
    """A file that does not end in the middle of what is read."""

    def __init__(self, file: BinaryIO) -> None:
        self.file = file
        self.name = getattr(file, "name", "")
        self.ended = False

    def read(self, size: int = -1) -> bytes:
        raw = self.file.read(size)
        self.ended = size > 0 and not raw
        if 0 < len(raw) < size:
            raise EOFError("it is cut off")
        return raw

    def seek(self, offset: int, whence: int = 0) -> int:
        return self.file.seek(offset, whence)

    def tell(self) -> int:
        return self.file.tell()


def _opened(raw: BinaryIO) -> BinaryIO:
    """The file, decompressed where it was compressed."""
    compressed = raw.read(2) == _GZIP
    raw.seek(0)
    if not compressed:
        return raw
    import gzip

    return gzip.GzipFile(fileobj=raw)  # type: ignore[return-value]


def _frames(raw: BinaryIO, path: str) -> Iterator[tuple[float, bytes]]:
    try:
        import dpkt  # type: ignore[import-untyped]
    except ImportError:
        raise NotSupportedError("reading capture files", hint="pip install 'pybpf[pcap]'") from None
    try:
        file = _Whole(_opened(raw))
        reader: Any = dpkt.pcap.UniversalReader(file)
        link = reader.datalink()
        if link != _ETHERNET and link not in _LINKS:
            known = ", ".join(map(str, (_ETHERNET, *_LINKS)))
            raise SpecError(f"{path}: link type {link}: expected Ethernet, raw IP, loopback or Linux cooked ({known})")
        for time, found in reader:
            if file.ended:  # behind the header of a packet
                raise EOFError("it is cut off")
            yield float(time), _framed(bytes(found), link)
    except SpecError:
        raise
    except (dpkt.Error, ValueError, EOFError, OSError, ZlibError) as error:
        raise SpecError(f"{path} is not a whole pcap or pcapng file: {error}") from error


def _framed(packet: bytes, link: int) -> bytes:
    """A packet with an Ethernet header in front instead of what its link has."""
    if link == _ETHERNET:
        return packet
    size, at = _LINKS[link]
    body = packet[size:]
    if at is not None:
        return bytes(12) + packet[at : at + 2] + body
    return bytes(12) + (_IPV6 if body[:1] and body[0] >> 4 == 6 else _IPV4) + body


def run_capture(
    vm: VM,
    path: str | os.PathLike[str],
    spec: ProgramSpec | str | None = None,
    *,
    progress: bool = False,
    each: Callable[[Result], object] | None = None,
    **options: Any,
) -> CaptureReport:
    """Run a program on every packet of a capture, the machine's clock moving (and its timers firing) with the
    packets' times.

    `progress` shows a bar on the terminal (with rich, when it is there); `each` is called with the result of each
    run; `options` are those of `VM.run` (`ctx`, `trace`).  InputError when there are packets, and it could be run on none.
    """
    report = CaptureReport()
    refused: InputError | None = None
    last: float | None = None
    for time, frame in _watched(path, progress):
        if last is not None and time > last:
            vm.advance(round((time - last) * 1e9))
        last = time
        try:
            result = vm.run(spec, data=frame, **options)
        except InputError as error:
            refused = refused or error
            report.skipped += 1
            continue
        report.packets += 1
        report.verdicts[result.retval] += 1
        report.insns += result.insns
        if each is not None:
            each(result)
    if refused is not None and not report.packets:
        raise refused
    return report


def _watched(path: str | os.PathLike[str], progress: bool) -> Iterator[tuple[float, bytes]]:
    if not progress:
        yield from packets(path)
        return
    try:
        from rich.console import Console
        from rich.progress import Progress
    except ImportError:
        yield from _counted(path)
        return
    with open(path, "rb") as file, Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(os.path.basename(path), total=os.fstat(file.fileno()).st_size)
        for packet in _frames(file, os.fspath(path)):
            yield packet
            bar.update(task, completed=file.tell())


def _counted(path: str | os.PathLike[str]) -> Iterator[tuple[float, bytes]]:
    """The packets, with the per cent read on a line of a terminal that is taken away in the end."""
    shown, terminal = -1, sys.stderr.isatty()
    with open(path, "rb") as file:
        size = os.fstat(file.fileno()).st_size
        for packet in _frames(file, os.fspath(path)):
            yield packet
            done = 100 * file.tell() // size
            if terminal and done != shown:
                shown = done
                print(f"\r{os.path.basename(path)}: {done}%", end="", file=sys.stderr, flush=True)
    if terminal:
        print("\r\x1b[K", end="", file=sys.stderr, flush=True)
