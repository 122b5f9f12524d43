"""The commands that look at the kernel, against programs, maps and links that are really there."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys

import pytest

from pybpf import HashMap, load, u32, u64
from pybpf.cli import main, table
from pybpf.dsl.kinds import tracepoint, xdp

packets = HashMap(u32, u64, max_entries=16, name="packets")


@xdp
def counted(ctx):
    packets[1] += 1
    return 2


@pytest.fixture
def attached():
    with load(counted) as prog, prog.attach("lo", mode="generic") as link:
        prog[packets][5] = 7
        yield prog, link


def run(capsys, *words):
    code = main(list(words))
    return code, capsys.readouterr().out


def as_json(capsys, *words):
    code, out = run(capsys, *words, "--json")
    assert code == 0
    return json.loads(out)


@pytest.mark.kernel
def test_programs(capsys, attached):
    prog, _ = attached
    [row] = [row for row in as_json(capsys, "prog", "list") if row["id"] == prog.id]
    assert (row["type"], row["name"], row["maps"]) == ("xdp", "counted", 1)
    shown = as_json(capsys, "prog", "show", str(prog.id))
    assert shown["map_ids"] == [prog[packets].id]
    text = as_json(capsys, "prog", "dump", str(prog.id))
    assert text[-1] == "exit"
    assert any("map" in line for line in text)


@pytest.mark.kernel
def test_maps(capsys, attached):
    prog, _ = attached
    live = prog[packets]
    [row] = [row for row in as_json(capsys, "map", "list") if row["id"] == live.id]
    assert (row["type"], row["key"], row["value"], row["max_entries"]) == ("hash", 4, 8, 16)
    assert {"key": 5, "value": 7} in as_json(capsys, "map", "dump", str(live.id))
    assert as_json(capsys, "map", "show", str(live.id))["name"] == "packets"


@pytest.mark.kernel
def test_links(capsys, attached):
    prog, link = attached
    [row] = [row for row in as_json(capsys, "link", "list") if row["id"] == link.id]
    assert (row["type"], row["prog_id"], row["target"]) == ("xdp", prog.id, "xdp interface lo")
    dumped = as_json(capsys, "link", "dump", str(link.id))
    assert dumped == {"type": 6, "id": link.id, "prog_id": prog.id, "ifindex": 1}
    assert run(capsys, "link", "detach", str(link.id))[0] == 0
    assert as_json(capsys, "link", "show", str(link.id))["ifindex"] == 0


@pytest.mark.kernel
def test_features(capsys):
    rows = as_json(capsys, "feature", "map")
    assert {"kind": "map", "name": "ringbuf", "here": True, "since": "5.8"} in rows
    assert all(not row["here"] for row in as_json(capsys, "feature", "attach", "--missing"))
    helpers = {row["name"]: row["here"] for row in as_json(capsys, "feature", "helper", "xdp")}
    assert helpers["bpf_redirect_map"]
    assert not helpers["bpf_skb_load_bytes"]
    assert main(["feature", "helper", "tea"]) == 1


@pytest.mark.kernel
def test_doctor(capsys):
    code, out = run(capsys, "doctor")
    assert code == 0
    assert "CAP_BPF" in out
    rows = as_json(capsys, "doctor")
    assert all(row["remedy"] for row in rows if row["state"] != "ok" and row["what"] != "JIT hardening")


@pytest.mark.kernel
def test_trace_pipe(capsys):
    from pybpf import NotSupportedError
    from pybpf.events.tracepipe import TracePipe

    try:
        TracePipe().close()
    except (NotSupportedError, OSError) as why:
        pytest.skip(str(why))
    assert main(["trace-pipe", "--timeout", "0.1", "--json"]) == 0
    for line in capsys.readouterr().out.splitlines():
        assert json.loads(line)


@pytest.mark.parametrize("kind", ["prog", "map", "link"])
def test_which_one(capsys, kind):
    assert main([kind, "show"]) == 1
    assert "give an id or the path of a pin" in capsys.readouterr().err


@pytest.mark.kernel
@pytest.mark.parametrize("kind", ["prog", "map", "link"])
def test_one_that_is_not_there(capsys, kind):
    assert main([kind, "show", "2147483000"]) == 1
    assert "ENOENT" in capsys.readouterr().err


# what is typed, exit status, what is said
WRONG = [
    (["prog", "show", "nonsense"], 1, "`pybpf prog list` shows what there is"),
    (["map", "show", "/sys"], 1, "pins are files in a bpffs: this is none"),
    (["link", "show", "9" * 30], 1, "is no id: they are numbers from 1 to 4294967295"),
    (["prog", "show", "0"], 1, "0 is no id"),
    (["map", "list", "7"], 1, "list takes no argument, and there is '7'"),
    (["feature", "map", "more"], 1, "map takes no argument, and there is 'more'"),
    (["feature", "helper"], 1, "helpers of what? socket_filter, kprobe"),
    (["feature", "helper", "teapot"], 1, "'teapot' is no program type"),
    (["prog", "frob"], 2, "invalid choice: 'frob'"),
    (["trace-pipe", "--count", "-1"], 2, "-1 is negative"),
    (["trace-pipe", "--timeout", "nan"], 2, "nan is negative, or no number"),
    (["trace-pipe", "--timeout", "soon"], 2, "invalid number value: 'soon'"),
]


@pytest.mark.kernel
@pytest.mark.parametrize(
    ("words", "status", "said"), WRONG, ids=lambda v: " ".join(v)[:40] if isinstance(v, list) else ""
)
def test_wrong_arguments(capsys, words, status, said):
    try:
        code = main(words)
    except SystemExit as ended:
        code = ended.code
    assert (code, said in capsys.readouterr().err) == (status, True)


@pytest.mark.kernel
def test_a_pin_of_another_kind(capsys, attached):
    prog, _ = attached
    path = f"/sys/fs/bpf/pybpf-cli-{os.getpid()}"
    prog.pin(path)
    try:
        assert main(["map", "show", path]) == 1
        assert "holds a prog, not a map" in capsys.readouterr().err
        assert as_json(capsys, "prog", "show", path)["id"] == prog.id
    finally:
        os.unlink(path)


# What programs may rely on: the keys of each command's JSON.
SCHEMAS = {
    "prog": {"id": int, "type": str, "name": str, "tag": str, "gpl": bool, "insns": int, "jited": int, "maps": int},
    "map": {"id": int, "type": str, "name": str, "key": int, "value": int, "max_entries": int, "flags": str},
    "link": {"id": int, "type": str, "prog_id": int, "target": str},
    "feature": {"kind": str, "name": str, "here": bool, "since": str},
    "doctor": {"what": str, "state": str, "found": str, "remedy": str},
}


@pytest.mark.kernel
@pytest.mark.parametrize("command", SCHEMAS)
def test_json_has_a_schema(capsys, attached, command):
    rows = as_json(capsys, command)
    assert rows
    for row in rows:
        assert {key: type(value) for key, value in row.items()} == SCHEMAS[command]


@pytest.mark.kernel
@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["prog"], "CAP_SYS_ADMIN: run as root"),
        (["map", "dump", "1"], "CAP_SYS_ADMIN: run as root"),
        (["link", "list", "--json"], "CAP_SYS_ADMIN: run as root"),
        (["feature", "map"], "lacks CAP_BPF"),
        (["trace-pipe", "--timeout", "0"], "run as root"),
        (["doctor"], "run as root, or setcap cap_bpf+ep on the interpreter"),
    ],
    ids=lambda v: v[0] if isinstance(v, list) else "",
)
def test_as_nobody(words, said):
    if not shutil.which("setpriv") or os.geteuid():
        pytest.skip("needs setpriv, and root to become nobody")
    with open("/proc/sys/kernel/unprivileged_bpf_disabled") as switch:
        if words[0] == "feature" and switch.read().strip() == "0":
            pytest.skip("anybody may ask for features here")
    argv = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", sys.executable, "-m", "pybpf", *words]
    paths = os.pathsep.join(p for p in sys.path if p)
    environment = {**os.environ, "PYTHONPATH": paths, "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(argv, capture_output=True, text=True, env=environment)
    if "Permission denied" in done.stderr or "No module named" in done.stderr:
        pytest.skip(f"cannot run as another user here: {done.stderr.strip().splitlines()[-1]}")
    assert (done.returncode, said in done.stdout + done.stderr) == (1, True), done.stderr
    assert "Traceback" not in done.stderr


ROWS = [{"id": 1, "name": "a", "gpl": True}, {"id": 20, "name": "", "gpl": False}]


def test_plain_table(capsys):
    table.show(ROWS, False)
    assert capsys.readouterr().out == "id  name  gpl\n1   a     yes\n20        no\n"
    table.show([], False, "no programs")
    assert capsys.readouterr().out == "no programs\n"


def test_rich_table_on_a_terminal(capsys, monkeypatch):
    pytest.importorskip("rich")
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    table.show(ROWS, False)
    assert "20" in capsys.readouterr().out


def test_without_rich_the_table_is_plain(capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "rich.console", None)
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    table.show(ROWS, False)
    assert capsys.readouterr().out.startswith("id  name  gpl\n")


@pytest.mark.kernel
@pytest.mark.parametrize("words", [("map", "list"), ("feature", "map"), ("doctor",), ("doctor", "--json")])
def test_closed_output(words, attached):
    """As a shell starts it with >&- and 2>&-."""
    command = f'exec "{sys.executable}" -m pybpf {" ".join(words)} >&- 2>&-'
    assert (
        subprocess.run(["sh", "-c", command], env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}).returncode
        == 0
    )
    command = f'"{sys.executable}" -m pybpf {" ".join(words)} >&-'
    done = subprocess.run(["sh", "-c", command], stderr=subprocess.PIPE, text=True)
    assert done.stderr == ""


@pytest.mark.kernel
def test_details_of_links_have_no_unions(capsys, attached):
    """What `link dump` prints is names and numbers."""

    @tracepoint("sched/sched_process_exec")
    def quiet(ctx):
        pass

    with load(quiet) as prog, prog.attach() as link:
        if not hasattr(link, "id"):
            pytest.skip("this kernel has no such links")
        dumped = as_json(capsys, "link", "dump", str(link.id))
        assert not any(key.startswith("_") for key in dumped)
        assert "tracepoint" in dumped
