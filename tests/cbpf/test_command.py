"""`pybpf filter`: every form on paper, and matching packets live."""

from __future__ import annotations

import contextlib
import socket
import threading

import pytest

from pybpf import NotSupportedError
from pybpf.cbpf import parse, pcap_filter
from pybpf.cbpf.text import FORMS
from pybpf.cli import main


@pytest.fixture
def udp():
    try:
        return pcap_filter("udp port 9")
    except NotSupportedError as error:
        pytest.skip(str(error))


def test_all_forms_are_printed(udp, capsys):
    assert main(["filter", "udp port 9"]) == 0
    blocks = capsys.readouterr().out.strip().split("\n\n")
    assert [b.splitlines()[0] for b in blocks] == [
        "# tcpdump -d",
        "# bpf_asm",
        "# C array (tcpdump -dd)",
        "# decimal (tcpdump -ddd)",
        "# extended BPF",
    ]
    texts = [b.split("\n", 1)[1] for b in blocks]
    assert texts[:-1] == [udp.format(form) for form in FORMS]
    assert all(parse(text).run(bytes(60)) == udp.run(bytes(60)) for text in texts[:-1])
    assert texts[-1] == udp.to_ebpf().disassemble()


@pytest.mark.parametrize("form", FORMS)
def test_one_form_reads_back_from_a_file(udp, form, tmp_path, capsys):
    (tmp_path / "f").write_text(udp.format(form))
    assert main(["filter", "--file", str(tmp_path / "f"), "--form", "c"]) == 0
    assert parse(capsys.readouterr().out).format("asm") == udp.format("asm")


def test_what_extended_bpf_lacks_is_said_beside_the_other_forms(tmp_path, capsys):
    (tmp_path / "f").write_text("ld #poff\nret a\n")
    assert main(["filter", "--file", str(tmp_path / "f")]) == 0
    shown = capsys.readouterr().out
    assert "{ 0x20, 0, 0, 0xfffff034 }," in shown
    assert "# the classic extension [poff] in an extended program" in shown


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["ip and"], "syntax error"),
        (["ip", "--linktype", "TOKEN"], "no link type 'TOKEN'"),
        (["--file", "/nowhere"], "/nowhere"),
        pytest.param(["ip", "-i", "nosuch0"], "interface 'nosuch0': ", marks=pytest.mark.kernel),
    ],
)
def test_errors_are_one_line_or_two(udp, words, message, capsys):
    assert main(["filter", *words]) == 1
    shown = capsys.readouterr().err
    assert message in shown
    assert len(shown.splitlines()) <= 2


@pytest.mark.kernel
@pytest.mark.parametrize("quiet", [False, True])
def test_matching_packets_are_shown_live(udp, quiet, capsys):
    stop = threading.Event()

    def send() -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            while not stop.wait(0.01):
                for port in (9, 10):
                    with contextlib.suppress(ConnectionRefusedError):
                        sock.sendto(bytes(range(20)), ("127.0.0.1", port))

    sender = threading.Thread(target=send)
    sender.start()
    try:
        words = ["udp dst port 9", "-i", "lo", "--count", "3", "--seconds", "20", *(["--quiet"] if quiet else [])]
        assert main(["filter", *words]) == 0
    finally:
        stop.set()
        sender.join()
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1] == "3 packets, 186 bytes"
    assert len(lines) == (1 if quiet else 4)
    assert all(" lo 62 bytes  0000 0000" in line for line in lines[:-1])
