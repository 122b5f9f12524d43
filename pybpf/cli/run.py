"""Run a program in the offline machine: no root, no kernel.

PROGRAM is a Python file with a decorated function, an ELF object, assembly or raw bytes (with --type).  The packet
comes from --data: hex digits, a file of raw bytes or of hex digits, or a capture (pcap, pcapng), of which every packet
is run and the verdicts are counted; `-` is standard input.
"""

from __future__ import annotations

import argparse
import ast
import sys
from pathlib import Path

from ..errors import CompileError, SpecError, VmFault
from ..vm import VM, Result
from ..vm.capture import CaptureReport, begins_capture, is_capture, run_capture
from . import programs

TYPE_CHECKING = False
if TYPE_CHECKING:
    from enum import IntEnum
    from typing import Any

    from ..spec import ProgramSpec

HELP = "run a program offline"
EPILOG = """examples:
  pybpf run count.py --data ffffffffffff020000000009080045...
  pybpf run drop.o --name drop --data frame.bin --trace
  pybpf run filter.s --type xdp --map ports=hash,2,8,64 --data capture.pcapng
  pybpf run exec.py --ctx "{'filename': '/bin/ls'}" --set pid=42 --set comm=bash
"""
_SHOWN = 20


def configure(parser: argparse.ArgumentParser) -> None:
    parser.epilog = EPILOG
    programs.add_arguments(parser)
    parser.add_argument(
        "--data", help="the packet: hex digits, a file, or a pcap or pcapng capture; - for standard input"
    )
    parser.add_argument("--ctx", help="the context: a Python dict or list, or hex digits; text becomes a user string")
    parser.add_argument("--set", action="append", default=[], metavar="FIELD=VALUE", help="set time_ns, pid, comm, ...")
    parser.add_argument("--repeat", type=int, default=1, help="run so many times on the same packet")
    parser.add_argument("--budget", type=int, help="instructions that a run may execute")
    parser.add_argument("--trace", action="store_true", help="print every executed instruction with what it changed")


def run(args: argparse.Namespace) -> int:
    meant, others = programs.read(args)
    run_one, *rest = meant
    specs = [run_one, *(spec for spec in (*rest, *others) if _compiles(spec))]
    if args.repeat < 1:
        raise SpecError(f"--repeat {args.repeat}: expected 1 or more")
    options = dict(_setting(text) for text in args.set)
    if args.budget is not None:
        options["budget"] = args.budget
    try:
        vm = VM(*specs, **options)
    except TypeError as error:  # an unknown field; the message lists it
        raise SpecError(f"--set: {error}") from None
    data = _data(args.data)
    if isinstance(data, Path):
        try:
            report = _run_all(vm, data, args)
        except VmFault as fault:
            print(f"fault: {fault}", file=sys.stderr)
            return 1
        finally:
            if str(data) != args.data:
                data.unlink()
        _print_report(specs[0], report)
        _print_maps(vm)
        return 0
    try:
        result = vm.run(data=data, ctx=_context(args.ctx, vm), trace=args.trace, repeat=args.repeat)
    except VmFault as fault:
        print(f"fault: {fault}", file=sys.stderr)
        return 1
    _print_result(specs[0], result)
    _print_maps(vm)
    return 0


def _compiles(spec: ProgramSpec) -> bool:
    """Whether a program that is not the one to run can come along; the user is told when not."""
    try:
        _ = spec.insns
    except CompileError as error:
        print(f"{spec.name} is left out: {error}", file=sys.stderr)
        return False
    return True


def _run_all(vm: VM, path: Path, args: argparse.Namespace) -> CaptureReport:
    """Run on every packet of a capture; with --trace, or where the program prints, also what each run did."""
    count = 0

    def each(result: Result) -> None:
        nonlocal count
        count += 1
        if result.trace:
            print(f"packet {count}:")
        for step in result.trace:
            print(step)
        for text in result.printk:
            print(f"printk: {text}")

    options = {"ctx": _context(args.ctx, vm), "trace": args.trace, "repeat": args.repeat}
    return run_capture(vm, path, progress=sys.stderr.isatty() and not args.trace, each=each, **options)


def _setting(text: str) -> tuple[str, Any]:
    name, equals, value = text.partition("=")
    if not equals:
        raise SpecError(f"--set {text}: expected FIELD=VALUE")
    return name, _literal(value)


def _literal(text: str) -> Any:
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text


def _data(text: str | None) -> bytes | Path | None:
    """The packet that `--data` gives; a path when it is a capture, which is a temporary file when it was piped in."""
    if text is None:
        return None
    path = Path(text)
    if text == "-":
        return _piped(sys.stdin.buffer.read())
    if path.is_dir():
        raise SpecError(f"--data {text}: a directory; expected hex digits or a file")
    if path.is_file():
        return path if is_capture(path) else _packet(path.read_bytes())
    if path.exists():
        return _piped(path.read_bytes())
    return _hex("--data", text)


def _piped(raw: bytes) -> bytes | Path:
    if not begins_capture(raw):
        return _packet(raw)
    from tempfile import NamedTemporaryFile

    with NamedTemporaryFile(prefix="pybpf-", suffix=".pcap", delete=False) as file:
        file.write(raw)
    path = Path(file.name)
    if is_capture(path):
        return path
    path.unlink()
    return _packet(raw)


def _packet(raw: bytes) -> bytes:
    """Bytes as they are, or those that text in hex digits means."""
    try:
        return bytes.fromhex(raw.decode("ascii").strip().removeprefix("0x").replace(":", ""))
    except ValueError:
        return raw


def _hex(option: str, text: str) -> bytes:
    digits = text.removeprefix("0x").replace(":", "").replace(" ", "")
    try:
        return bytes.fromhex(digits)
    except ValueError:
        if digits and not digits.strip("0123456789abcdefABCDEF"):
            raise SpecError(f"{option} {text[:40]}: an odd number of hex digits ({len(digits)})") from None
        raise SpecError(f"{option} {text[:40]}: neither hex digits nor a file that is there") from None


def _context(text: str | None, vm: VM) -> Any:
    if text is None:
        return None
    value = _literal(text)
    if isinstance(value, dict):
        return {name: vm.user_string(v) if isinstance(v, str) else v for name, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [vm.user_string(v) if isinstance(v, str) else v for v in value]
    return _hex("--ctx", text)


def _verdict(spec: ProgramSpec, value: int) -> str:
    """A return value, and its name where the program type has names for them."""
    from ..uapi import ProgType, SkAction, TcAction, XdpAction

    names: dict[int, type[IntEnum]] = {
        ProgType.XDP: XdpAction,
        ProgType.SCHED_CLS: TcAction,
        ProgType.SCHED_ACT: TcAction,
        ProgType.SK_MSG: SkAction,
        ProgType.SK_SKB: SkAction,
        ProgType.SK_LOOKUP: SkAction,
    }
    enum = names.get(spec.prog_type)
    signed = value - (1 << 32) if enum is TcAction and value >> 31 else value
    try:
        return f"{signed} ({enum(signed).name})" if enum is not None else str(value)
    except ValueError:
        return str(signed)


def _print_result(spec: ProgramSpec, result: Result) -> None:
    for step in result.trace:
        print(step)
    for text in result.printk:
        print(f"printk: {text}")
    print(f"{spec.name or 'program'}: returned {_verdict(spec, result.retval)} after {result.insns} instructions")
    for action in result.actions:
        print(f"action: {' '.join(map(str, action))}")
    if result.data:
        print(f"data: {result.data.hex()}")


def _print_report(spec: ProgramSpec, report: CaptureReport) -> None:
    print(f"{spec.name or 'program'}: {report.packets} packets, {report.insns} instructions")
    for verdict, count in report.verdicts.most_common():
        print(f"{count:10}  {_verdict(spec, verdict)}")
    if report.skipped:
        print(f"{report.skipped:10}  skipped: too short, or too long")


def _print_maps(vm: VM) -> None:
    """The first entries of every map that has any, but for the program's own constants."""
    for name, view in vm.maps.items():
        if name.endswith(".rodata"):
            continue
        if hasattr(view, "drain"):
            entries = [str(item) for item in view.drain()]
        elif hasattr(view, "items"):
            entries = [f"{key!r}: {value!r}" for key, value in view.items()]
        else:
            continue
        for entry in entries[:_SHOWN]:
            print(f"{name}: {entry}")
        if len(entries) > _SHOWN:
            print(f"{name}: and {len(entries) - _SHOWN} more")
