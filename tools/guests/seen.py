"""A pytest plugin that notes what the kernel did in tests that passed, and what its probes say.

    python -m pytest -p tools.guests.seen --seen results.json -m kernel ...

Every successful bpf(2) of a passed test counts: its command, and the type of the program, map or link that it made.
The file is written after each test, so that a run that is cut short leaves what it saw.
"""

from __future__ import annotations

import json
import os
from ctypes import c_long, create_string_buffer, get_errno, set_errno
from struct import pack, unpack_from

_INFO, _LOAD, _CREATE = 15, 5, 0
_LINKS = (28, 17)  # LINK_CREATE, RAW_TRACEPOINT_OPEN


class Watched:
    """The C library, with `syscall` watched."""

    def __init__(self, libc, number):
        self._libc, self._number = libc, number
        self.now: set[tuple[str, int]] = set()
        self.paused = False

    def __getattr__(self, name):
        return getattr(self._libc, name)

    def syscall(self, number, *args):
        result = self._libc.syscall(number, *args)
        if result >= 0 and getattr(number, "value", number) == self._number and not self.paused:
            code = get_errno()
            self._note(int(getattr(args[0], "value", args[0])), args[1], result)
            set_errno(code)
        return result

    def _note(self, command, attr, result):
        self.now.add(("command", command))
        if command in (_LOAD, _CREATE):
            self.now.add(("program type" if command == _LOAD else "map type", unpack_from("=I", bytes(attr))[0]))
        elif command in _LINKS:
            info = create_string_buffer(256)
            from ctypes import addressof

            request = create_string_buffer(pack("=IIQ", result, len(info), addressof(info)), 16)
            if self._libc.syscall(c_long(self._number), _INFO, request, 16) >= 0:
                self.now.add(("link type", unpack_from("=I", info)[0]))


class Plugin:
    def __init__(self, path):
        from pybpf.syscall import door

        door.libc()
        door._libc = self.watched = Watched(door._libc, door.NUMBERS["bpf"][door.machine()])
        self.path = path
        self.seen: set[tuple[str, int]] = set()
        self.outcomes: dict[str, list[str]] = {"passed": [], "failed": [], "skipped": []}
        self.probed = probe()
        self._leave_out_probes()

    def _leave_out_probes(self):
        """What a probe does is no use of a feature."""
        from pybpf import features

        ask = features._once

        def quietly(key, probe):
            self.watched.paused = True
            try:
                return ask(key, probe)
            finally:
                self.watched.paused = False

        features._once = quietly

    def pytest_runtest_setup(self, item):
        self.watched.now.clear()

    def pytest_collectreport(self, report):
        if report.failed:
            self.outcomes["failed"].append(report.nodeid)

    def pytest_runtest_logreport(self, report):
        if report.when == "call" or (report.when == "setup" and report.outcome != "passed"):
            self.outcomes[report.outcome].append(report.nodeid)
            if report.outcome == "passed":
                self.seen |= self.watched.now
            self.write()
        elif report.failed:  # what a fixture checks afterwards
            for tests in self.outcomes.values():
                tests[:] = (name for name in tests if name != report.nodeid)
            self.outcomes["failed"].append(report.nodeid)

    def write(self, whole=False):
        seen: dict[str, list[int]] = {}
        for kind, number in sorted(self.seen):
            seen.setdefault(kind, []).append(number)
        counts = {outcome: len(tests) for outcome, tests in self.outcomes.items()}
        with open(self.path, "w") as file:
            json.dump(
                {
                    "release": os.uname().release,
                    "whole": whole,
                    "tests": counts,
                    "failed": self.outcomes["failed"],
                    "seen": seen,
                    "probed": self.probed,
                },
                file,
                indent=1,
            )

    def pytest_sessionfinish(self):
        self.write(whole=True)


def probe():
    """What the probes of `pybpf.features` say, by kind: the numbers that this kernel has."""
    from pybpf import features
    from pybpf.uapi import Cmd, LinkType, MapType, ProgType

    kinds = {
        "program type": (ProgType, features.have_program_type),
        "map type": (MapType, features.have_map_type),
        "command": (Cmd, features.have_command),
        "link type": (LinkType, features.have_link_type),
    }
    return {kind: sorted({int(member) for member in enum if have(member)}) for kind, (enum, have) in kinds.items()}


def pytest_addoption(parser):
    parser.addoption("--seen", help="write what the kernel did to this file")


def pytest_configure(config):
    if config.getoption("--seen"):
        config.pluginmanager.register(Plugin(config.getoption("--seen")))
