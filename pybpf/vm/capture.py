"""Packets from capture files (pcap and pcapng, read by dpkt), and runs over all of them."""

from __future__ import annotations

import os
from collections import Counter

from ..errors import NotSupportedError, SpecError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any, BinaryIO

    from ..spec import ProgramSpec
    from .machine import VM

_ETHERNET = 1
_RAW = frozenset((12, 14, 101, 228, 229))  # LINKTYPE_RAW and its relatives: packets begin with the IP header
_IPV4, _IPV6 = b"\x08\x00", b"\x86\xdd"


class CaptureReport:
    """What a program said to the packets of a capture.

    `verdicts` counts return values; `packets` were run, `skipped` were too short for the program's type to be run
    on; `insns` is the sum of executed instructions.
    """

    def __init__(self) -> None:
        self.verdicts: Counter[int] = Counter()
        self.packets = 0
        self.skipped = 0
        self.insns = 0

    def __repr__(self) -> str:
        counts = ", ".join(f"{verdict}: {count}" for verdict, count in self.verdicts.most_common())
        return f"CaptureReport({self.packets} packets, {{{counts}}}, skipped={self.skipped})"


def packets(path: str | os.PathLike[str]) -> Iterator[tuple[float, bytes]]:
    """(time in seconds, Ethernet frame) of each packet in a pcap or pcapng file.

    Packets without link layer get an Ethernet header with zero addresses.  SpecError for a file that is no capture,
    is cut off, or has another link layer; NotSupportedError without dpkt.
    """
    with open(path, "rb") as file:
        yield from _frames(file, os.fspath(path))


def _frames(file: BinaryIO, path: str) -> Iterator[tuple[float, bytes]]:
    try:
        import dpkt  # type: ignore[import-untyped]
    except ImportError:
        raise NotSupportedError("reading capture files", hint="pip install 'pybpf[pcap]'") from None
    try:
        reader: Any = dpkt.pcap.UniversalReader(file)
        link = reader.datalink()
        if link != _ETHERNET and link not in _RAW:
            raise SpecError(f"{path}: link type {link}: expected Ethernet (1) or raw IP (101)")
        for time, raw in reader:
            frame = bytes(raw)
            if link in _RAW:
                frame = bytes(12) + (_IPV6 if frame[:1] and frame[0] >> 4 == 6 else _IPV4) + frame
            yield float(time), frame
    except (dpkt.Error, ValueError, EOFError) as error:
        if isinstance(error, SpecError):
            raise
        raise SpecError(f"{path} is not a whole pcap or pcapng file: {error}") from error


def run_capture(
    vm: VM, path: str | os.PathLike[str], spec: ProgramSpec | str | None = None, *, progress: bool = False
) -> CaptureReport:
    """Run a program on every packet of a capture, the machine's clock moving (and its timers firing) with the
    packets' times.

    `progress` shows a bar on the terminal (with rich, when it is there).
    """
    report = CaptureReport()
    last: float | None = None
    for time, frame in _watched(path, progress):
        if last is not None and time > last:
            vm.advance(round((time - last) * 1e9))
        last = time
        try:
            result = vm.run(spec, data=frame)
        except SpecError:
            report.skipped += 1
            continue
        report.packets += 1
        report.verdicts[result.retval] += 1
        report.insns += result.insns
    return report


def _watched(path: str | os.PathLike[str], progress: bool) -> Iterator[tuple[float, bytes]]:
    if not progress:
        yield from packets(path)
        return
    try:
        from rich.progress import Progress
    except ImportError:
        yield from packets(path)
        return
    with open(path, "rb") as file, Progress(transient=True) as bar:
        task = bar.add_task(os.path.basename(path), total=os.fstat(file.fileno()).st_size)
        for packet in _frames(file, os.fspath(path)):
            yield packet
            bar.update(task, completed=file.tell())
