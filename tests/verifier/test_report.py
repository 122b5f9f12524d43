"""Reports: for people, for scripts, for tools, and as a page."""

from __future__ import annotations

import json
import re
import shutil
import subprocess

import pytest

from pybpf import MapSpec, ProgramSpec, Report, asm, verify
from pybpf.cli import main
from pybpf.uapi.map import MapType
from pybpf.uapi.prog import ProgType

PACKET = """\
r6 = r1
r2 = *(u32 *)(r1 + 76)
r3 = *(u32 *)(r1 + 80)
r4 = r2
r4 += 14
if r4 > r3 goto out
r7 = 0
loop: r7 += 1
if r7 < 5 goto loop
r0 = *(u8 *)(r2 + 23)
exit
out: r0 = 0
exit
"""


def classify(text: str = PACKET) -> ProgramSpec:
    return ProgramSpec(asm.assemble(text, "classify.s"), ProgType.SCHED_CLS, name="classify")


def test_text():
    report = verify(classify())
    assert isinstance(report, Report)
    assert not report.ok
    assert not report
    text = str(report)
    assert text.splitlines()[0] == "classify: Linux 6.18 would reject it"
    assert "classify.s:10:1: bounds-packet: R2 offset is outside of the packet" in text
    assert "    r0 = *(u8 *)(r2 + 23)\n    ^" in text
    assert "R2=pkt(r=14)" in text
    assert "hint: compare the pointer plus 24 with data_end first" in text
    finding = report.findings[0]
    assert (finding.insn, finding.source.line) == (9, 10)
    assert finding.path[0] == (5, False)
    assert finding.path[-1] == (8, False)
    assert finding.state["R7"] == "5"


def test_accepted_text():
    report = verify(classify("r0 = 0\nexit"))
    assert report.ok
    assert str(report) == "classify: Linux 6.18 would take it (2 instructions simulated)"


def test_json_round_trip():
    data = json.loads(verify(classify()).json())
    assert (data["verdict"], data["kernel"], data["program"]) == ("reject", "6.18", "classify")
    assert data["findings"][0]["source"] == {"file": "classify.s", "line": 10, "column": 1}


def test_sarif():
    document = json.loads(verify(classify()).sarif())
    assert document["version"] == "2.1.0"
    result = document["runs"][0]["results"][0]
    assert (result["ruleId"], result["level"]) == ("bounds-packet", "error")
    assert result["locations"][0]["physicalLocation"]["region"] == {"startLine": 10, "startColumn": 1}
    assert document["runs"][0]["tool"]["driver"]["rules"][0]["id"] == "bounds-packet"


HASH = MapSpec(MapType.HASH, 8, 8, 4, name="hash")
WARNED = """\
r6 = r1
*(u32 *)(r10 - 8) = 0
r2 = r10
r2 += -8
r1 = hash ll
call 1
r0 = 1
if r0 == 1 goto on
r0 = 2
on: *(u32 *)(r10 - 16) = 2660
r1 = r10
r1 += -16
r2 = 4
call 6
r1 = r6
r2 = 0
r3 = r10
r3 += -8
r4 = 8
call 26
r0 = 0
exit
"""


def test_warnings():
    spec = ProgramSpec(asm.assemble(WARNED), ProgType.SOCKET_FILTER, name="warned", maps={"hash": HASH})
    report = verify(spec)
    assert report.ok, report
    assert [(w.category, w.insn) for w in report.warnings] == [
        ("unused-result", 6),
        ("uninitialised-key", 6),
        ("dead-code", 9),
        ("debug-print", 14),
        ("unchecked-result", 20),
    ]
    assert "warning: " in str(report)


def test_page_is_self_contained():
    page = verify(classify(), record=True).html()
    assert page.startswith("<!doctype html>")
    assert not re.search(r"""(src|href)=["'](?!#)""", page)
    assert "<svg" in page
    assert 'class="bad' in page
    assert "R7=5" in page


@pytest.mark.timeout(120)
def test_page_in_a_browser(tmp_path):
    """A headless browser draws it: the picture is not blank, and as wide as the window."""
    browser = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if browser is None:
        pytest.skip("no chromium here to draw the page with")
    page = tmp_path / "report.html"
    page.write_text(verify(classify(), record=True).html())
    picture = tmp_path / "report.png"
    command = [
        browser,
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--window-size=1200,900",
        f"--screenshot={picture}",
    ]
    subprocess.run(
        [*command, f"--user-data-dir={tmp_path}/profile", page.as_uri()], check=True, capture_output=True, timeout=100
    )
    raw = picture.read_bytes()
    assert raw.startswith(b"\x89PNG")
    assert int.from_bytes(raw[16:20], "big") == 1200
    assert len(raw) > 20_000


# -- the command


@pytest.fixture
def files(tmp_path):
    (tmp_path / "bad.s").write_text(PACKET)
    (tmp_path / "good.s").write_text("r0 = 0\nexit\n")
    (tmp_path / "good.bin").write_bytes(asm.encode(asm.assemble("r0 = 0\nexit")))
    (tmp_path / "unknown.s").write_text("call 158\nr0 = *(u32 *)(r0 + 0)\nexit\n")
    (tmp_path / "two.py").write_text(
        "from pybpf import socket_filter, xdp\n"
        "@socket_filter\ndef keep(skb):\n    return 1\n"
        "@xdp\ndef drop(ctx):\n    return 1\n"
    )
    return tmp_path


@pytest.mark.parametrize(
    ("arguments", "status", "shown"),
    [
        (["bad.s", "--type", "sched_cls"], 1, "bounds-packet"),
        (["good.s", "--type", "xdp"], 0, "would take it"),
        (["good.bin", "--type", "xdp"], 0, "would take it"),
        (["unknown.s", "--type", "tracepoint"], 2, "not known"),
        (["two.py"], 0, "drop: Linux"),
        (["two.py", "--name", "keep"], 0, "keep: Linux"),
        (["bad.s", "--type", "sched_cls", "--json"], 1, '"verdict": "reject"'),
        (["bad.s", "--type", "sched_cls", "--sarif"], 1, '"ruleId": "bounds-packet"'),
    ],
)
def test_command(files, monkeypatch, capsys, arguments, status, shown):
    monkeypatch.chdir(files)
    assert main(["verify", *arguments]) == status
    assert shown in capsys.readouterr().out


def test_command_writes_a_page(files, monkeypatch):
    monkeypatch.chdir(files)
    assert main(["verify", "bad.s", "--type", "sched_cls", "--html", "out.html"]) == 1
    assert (files / "out.html").read_text().startswith("<!doctype html>")


def test_command_says_what_is_missing(files, monkeypatch, capsys):
    monkeypatch.chdir(files)
    assert main(["verify", "good.bin"]) == 1
    assert "--type" in capsys.readouterr().err
    assert main(["verify", "good.s", "--type", "xpd"]) == 1
    assert "did you mean xdp?" in capsys.readouterr().err
    assert main(["verify", "two.py", "--name", "kep"]) == 1
    assert "no program named 'kep'; it has keep, drop" in capsys.readouterr().err
    assert main(["verify", "missing.py"]) == 1
    assert main(["verify", "missing.s", "--type", "xdp"]) == 1


def test_command_checks_objects(files, monkeypatch, capsys):
    clang = shutil.which("clang") or shutil.which("clang-19")
    if clang is None:
        pytest.skip("clang is not installed")
    (files / "two.c").write_text(
        'char _license[] __attribute__((section("license"))) = "GPL";\n'
        '__attribute__((section("xdp"))) int pass(void *ctx) { return 2; }\n'
        '__attribute__((section("socket"))) int bad(void *ctx) { return *(int *)(ctx + 4096); }\n'
    )
    subprocess.run([clang, "-target", "bpf", "-O2", "-c", "two.c", "-o", "two.o"], cwd=files, check=True)
    monkeypatch.chdir(files)
    assert main(["verify", "two.o", "--name", "pass"]) == 0
    assert main(["verify", "two.o"]) == 1
    shown = capsys.readouterr().out
    assert "pass: Linux" in shown
    assert "bad: Linux" in shown


def test_command_gives_assembly_its_maps(files, monkeypatch, capsys):
    (files / "map.s").write_text(
        "*(u32 *)(r10 - 4) = 0\nr2 = r10\nr2 += -4\nr1 = map[id:m]\ncall map_lookup_elem\nr0 = 0\nexit\n"
    )
    monkeypatch.chdir(files)
    assert main(["verify", "map.s", "--type", "xdp", "--map", "m=hash,4,8,16"]) == 0
    assert main(["verify", "map.s", "--type", "xdp", "--map", "m=hash,8,8,16"]) == 1
    assert "would reject it" in capsys.readouterr().out
