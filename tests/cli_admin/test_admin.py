"""The commands that look at the kernel, against programs, maps and links that are really there."""

from __future__ import annotations

import json
import sys

import pytest

from pybpf import HashMap, load, u32, u64
from pybpf.cli import main, table
from pybpf.dsl.kinds import xdp

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
