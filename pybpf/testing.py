"""The pytest plugin: one test for the offline machine and the kernel, readable differences, coverage of programs.

    def test_counts_udp(bpf):                 # runs twice: offline, and in the kernel where that is permitted
        machine = bpf(count)
        assert machine.run(data=udp_packet).retval == 0
        assert machine[packets][17] == 1

`pytest --bpf=vm` and `--bpf=kernel` choose one, as `@pytest.mark.bpf("vm")` does for one test; `--bpf-cov` prints which
instructions and source lines offline runs executed, and lets coverage.py (pytest-cov) know those lines.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import pytest

from .errors import NotSupportedError
from .source import Counting

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from .spec import MapSpec, ProgramSpec

_ENGINES = ("vm", "kernel")
_COVERAGE = pytest.StashKey[Any]()
_FRAME = 14  # bytes that compare as a packet have at least an Ethernet header
_ETHERNET_TYPES = [bytes.fromhex(k) for k in ("0800", "86dd", "0806", "8100", "88a8", "8847", "88cc", "8863", "8864")]
_WIDTH = 16
_OFFLINE_ONLY = "mark the test @pytest.mark.bpf('vm')"


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("pybpf", "eBPF programs (pybpf)")
    group.addoption("--bpf", choices=(*_ENGINES, "both"), default="both", help="where tests with the `bpf` fixture run")
    group.addoption("--bpf-cov", action="store_true", help="report which instructions and lines of programs were run")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "bpf(*engines): run a test with the `bpf` fixture only in these: 'vm', 'kernel'")
    if config.getoption("--bpf-cov"):
        from .vm import coverage

        coverage.active = config.stash[_COVERAGE] = coverage.Coverage()
        Counting.lines = True


def pytest_unconfigure(config: pytest.Config) -> None:
    if _COVERAGE in config.stash:
        from .vm import coverage

        coverage.active = None
        Counting.lines = False


@pytest.hookimpl(hookwrapper=True, trylast=True)
def pytest_runtestloop(session: pytest.Session) -> Iterator[None]:
    """Give the lines to coverage.py, inside pytest-cov's own wrapper, which reports when the loop has ended."""
    yield
    if _COVERAGE in session.config.stash:
        _tell_coverage(session.config.stash[_COVERAGE])


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Where pytest-xdist runs the tests in other processes: send what was executed to the one that reports."""
    output = getattr(session.config, "workeroutput", None)
    if output is not None and _COVERAGE in session.config.stash:
        output["pybpf_coverage"] = session.config.stash[_COVERAGE].plain()


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any, error: object) -> None:
    executed = getattr(node, "workeroutput", {}).get("pybpf_coverage")
    if executed is not None and _COVERAGE in node.config.stash:
        node.config.stash[_COVERAGE].add(executed)


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    if _COVERAGE in config.stash:
        terminalreporter.section("coverage of eBPF programs")
        for line in config.stash[_COVERAGE].report() or ["no program was run offline"]:
            terminalreporter.line(line)


def _tell_coverage(executed: Any) -> None:
    """Add executed lines of programs to what coverage.py measures of the files that they stand in, when it does."""
    module = sys.modules.get("coverage")
    current = module.Coverage.current() if module is not None else None
    if current is None:
        return
    data = current.get_data()
    measured = data.measured_files()
    if data.has_arcs():
        data.add_arcs({file: arcs for file, arcs in executed.arcs().items() if file in measured})
    else:
        data.add_lines({file: lines for file, lines in executed.lines().items() if file in measured})


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "bpf" in metafunc.fixturenames:
        chosen = metafunc.config.getoption("--bpf")
        mark = metafunc.definition.get_closest_marker("bpf")
        wanted = mark.args if mark is not None else _ENGINES
        unknown = set(wanted) - set(_ENGINES)
        if unknown:
            raise pytest.UsageError(f"@pytest.mark.bpf({min(unknown)!r}): expected one of {', '.join(_ENGINES)}")
        engines = [e for e in wanted if chosen in ("both", e)]
        metafunc.parametrize("bpf", engines, indirect=True)


@pytest.fixture
def bpf(request: pytest.FixtureRequest) -> Iterator[Callable[..., Any]]:
    """A function from program specs to a machine with `run(spec=None, *, data, ctx)` and `machine[map]`.

    The test runs once with a `VM` (keyword arguments are its environment) and once with a `KernelMachine`, which
    ignores them; the second is skipped, saying why, where bpf(2) is not permitted.
    """
    if request.param == "vm":
        from .vm import VM

        yield VM
        return
    refusal = _refusal()
    if refusal:
        pytest.skip(refusal)
    made: list[KernelMachine] = []

    def make(*specs: ProgramSpec, **environment: Any) -> KernelMachine:
        made.append(KernelMachine(*specs))
        return made[-1]

    yield make
    for machine in made:
        machine.close()


class KernelMachine:
    """Programs in the kernel behind the interface of `VM`; runs are test runs, nothing is attached."""

    def __init__(self, *specs: ProgramSpec) -> None:
        from .loader import load_collection

        self.programs = [spec for given in specs for spec in getattr(given, "programs", (given,))]
        self.collection = load_collection(*specs)

    def run(self, spec: ProgramSpec | str | None = None, *, trace: bool = False, **options: Any) -> Any:
        """`Program.test_run` of the program (the first one unless `spec` names another); takes all that it takes."""
        if trace:
            raise NotSupportedError(f"a trace of a run in the kernel: {_OFFLINE_ONLY}")
        return self.collection[self.programs[0] if spec is None else spec].test_run(**options)

    def __getitem__(self, key: MapSpec | str) -> Any:
        return self.collection[key]

    @property
    def maps(self) -> dict[str, Any]:
        """The maps by name."""
        return dict(self.collection.maps)

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(f"the kernel has no {name!r}, only the offline machine: {_OFFLINE_ONLY}")

    def close(self) -> None:
        self.collection.close()


def _refusal() -> str:
    """Why programs cannot be loaded here; "" when they can."""
    from .errors import BpfError
    from .loader import load
    from .spec import ProgramSpec

    try:
        load(ProgramSpec.from_bytes(bytes.fromhex("b7000000000000009500000000000000"), 1)).close()
    except (BpfError, OSError) as error:
        return f"programs cannot be loaded here: {str(error).splitlines()[0]}"
    return ""


# --- readable differences -------------------------------------------------------------------------------


def pytest_assertrepr_compare(config: pytest.Config, op: str, left: object, right: object) -> list[str] | None:
    if op != "==":
        return None
    if _is_packet(left) and _is_packet(right):
        return ["packets differ (- left, + right)", *packet_difference(bytes(left), bytes(right))]  # type: ignore[call-overload]
    if isinstance(right, Mapping) and isinstance(left, Mapping) and (_is_view(left) or _is_view(right)):
        return ["map contents differ (left != right)", *map_difference(left, right)]
    return None


def _is_packet(value: object) -> bool:
    """Bytes as long as an Ethernet header, and no text."""
    return isinstance(value, (bytes, bytearray)) and len(value) >= _FRAME and any(b < 32 or b > 126 for b in value)


def _is_view(value: object) -> bool:
    from .mapview import View

    return isinstance(value, View)


def packet_difference(left: bytes, right: bytes) -> list[str]:
    """What differs between two packets: header fields by name, then the bytes, 16 a line, differing ones marked."""
    out = [f"length: {len(left)} != {len(right)}"] if len(left) != len(right) else []
    ours, theirs = dict(_headers(left)), dict(_headers(right))
    if (ours and not theirs) or (theirs and not ours):
        ours, theirs = ({"ethernet type": f"0x{frame[12:14].hex()}"} for frame in (left, right))
    out += [f"{name}: {ours[name]} != {theirs[name]}" for name in ours if theirs.get(name, ours[name]) != ours[name]]
    for at in range(0, max(len(left), len(right)), _WIDTH):
        a, b = left[at : at + _WIDTH], right[at : at + _WIDTH]
        if a == b:
            continue
        marks = "".join("^^ " if a[i : i + 1] != b[i : i + 1] else "   " for i in range(max(len(a), len(b)))).rstrip()
        out += [f"{at:04x} - {a.hex(' ')}", f"     + {b.hex(' ')}", f"       {marks}"]
    return out


def map_difference(left: Mapping[Any, Any], right: Mapping[Any, Any]) -> list[str]:
    """Entries that only one side has, and those whose values differ."""
    ours, theirs = dict(left.items()), dict(right.items())
    out = [f"only left:  {key!r}: {value!r}" for key, value in ours.items() if key not in theirs]
    out += [f"only right: {key!r}: {value!r}" for key, value in theirs.items() if key not in ours]
    both = ours.keys() & theirs.keys()
    out += [f"{k!r}: {v!r} != {theirs[k]!r}" for k, v in ours.items() if k in both and theirs[k] != v]
    return out


def _headers(frame: bytes) -> Iterator[tuple[str, str]]:
    """(name, text) of the header fields of an Ethernet frame, as far as they are there."""
    from ipaddress import ip_address

    if frame[12:14] not in _ETHERNET_TYPES:
        return
    yield "ethernet destination", frame[0:6].hex(":")
    yield "ethernet source", frame[6:12].hex(":")
    yield "ethernet type", f"0x{frame[12:14].hex()}"
    kind, body = frame[12:14], frame[14:]
    if kind == b"\x08\x00" and len(body) >= 20:
        yield "ip header length", str((body[0] & 15) * 4)
        yield "ip total length", str(int.from_bytes(body[2:4], "big"))
        yield "ip ttl", str(body[8])
        yield "ip protocol", str(body[9])
        yield "ip checksum", f"0x{body[10:12].hex()}"
        yield "ip source", str(ip_address(body[12:16]))
        yield "ip destination", str(ip_address(body[16:20]))
        protocol, rest = body[9], body[(body[0] & 15) * 4 :]
    elif kind == b"\x86\xdd" and len(body) >= 40:
        yield "ip hop limit", str(body[7])
        yield "ip next header", str(body[6])
        yield "ip source", str(ip_address(body[8:24]))
        yield "ip destination", str(ip_address(body[24:40]))
        protocol, rest = body[6], body[40:]
    else:
        return
    name = {6: "tcp", 17: "udp"}.get(protocol)
    if name and len(rest) >= 8:
        yield f"{name} source port", str(int.from_bytes(rest[0:2], "big"))
        yield f"{name} destination port", str(int.from_bytes(rest[2:4], "big"))
