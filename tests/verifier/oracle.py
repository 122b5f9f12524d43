"""The kernel as an oracle: its verdict on a spec, and its log."""

from __future__ import annotations

import contextlib
import os
import re
import struct
from functools import lru_cache
from typing import NamedTuple

from pybpf.btf import Btf
from pybpf.errors import SyscallError, VerifierError
from pybpf.ksyms import target
from pybpf.spec import MapSpec, ProgramSpec
from pybpf.syscall import btf_load, map_create, map_freeze, map_update_elem, prog_load


class Verdict(NamedTuple):
    accept: bool
    reason: str = ""
    log: str = ""


_OWNED = frozenset((3, 14, 16, 25))  # PROG_ARRAY, DEVMAP, CPUMAP, DEVMAP_HASH


class Kernel:
    """Loads specs; keeps the maps that it made until it is closed."""

    def __init__(self) -> None:
        self._maps: dict[tuple, tuple[MapSpec, int]] = {}
        self._btfs: dict[bytes, int] = {}

    def __enter__(self) -> Kernel:
        return self

    def __exit__(self, *exc: object) -> None:
        for _, fd in self._maps.values():
            os.close(fd)
        for fd in self._btfs.values():
            os.close(fd)

    def map(self, spec: MapSpec, owner: tuple = ()) -> int:
        """The descriptor of a map; maps that hold programs belong to programs of one kind, their `owner`."""
        key = (id(spec), owner if spec.map_type in _OWNED else ())
        if key not in self._maps:
            inner = self.map(spec.inner) if spec.inner is not None else 0
            btf = self.btf(bytes(spec.btf)) if spec.btf and spec.btf_value else 0
            fd = map_create(
                spec.map_type,
                spec.key_size,
                spec.value_size,
                spec.max_entries,
                spec.flags,
                inner_map_fd=inner,
                btf_fd=btf,
                btf_key_type_id=spec.btf_key if btf else 0,
                btf_value_type_id=spec.btf_value if btf else 0,
                map_extra=spec.map_extra,
            )
            self._maps[key] = (spec, fd)
            for where, value in spec.contents:
                map_update_elem(fd, where, value)
            if spec.frozen:
                map_freeze(fd)
        return self._maps[key][1]

    def btf(self, raw: bytes) -> int:
        if raw not in self._btfs:
            self._btfs[raw] = btf_load(raw)
        return self._btfs[raw]

    def load(self, spec: ProgramSpec, log_level: int = 0) -> Verdict:
        """The verdict on a spec whose jumps are numbers."""
        btf = self.btf(bytes(spec.btf)) if spec.btf else 0
        try:
            fd, log = prog_load(
                spec.prog_type,
                self.encode(spec),
                spec.license,
                flags=spec.flags,
                btf_fd=btf,
                func_info=b"".join(struct.pack("=II", *row) for row in spec.func_info),
                log_level=log_level,
                **attachment(spec),
            )
        except VerifierError as error:
            return Verdict(False, telling_line(error.log), error.log)
        except SyscallError as error:
            return Verdict(False, f"errno {error.errno}")
        os.close(fd)
        return Verdict(True, "", log)

    def encode(self, spec: ProgramSpec) -> bytes:
        """The bytes of a program with its maps' descriptors."""
        raw = bytearray()
        for insn in spec.insns:
            opcode, dst, src, off, imm, high = insn
            if src == 2 and opcode == 0x85 and insn.symbol is not None:
                imm, off = kernel_function(insn.symbol), 0  # loading sets both (ksyms.References.resolve)
            elif high is not None and insn.symbol is not None and insn.symbol in spec.maps:
                imm = self.map(spec.maps[insn.symbol], (spec.prog_type, spec.expected_attach_type, spec.flags))
            raw += struct.pack("<BBhi", opcode, dst | src << 4, off, imm)
            if high is not None:
                raw += struct.pack("<BBhi", 0, 0, 0, high)
        return bytes(raw)


@lru_cache
def _kernel_btf() -> Btf:
    return Btf.kernel()


def attachment(spec: ProgramSpec) -> dict[str, int]:
    """What the program is to be checked against."""
    fields = {"expected_attach_type": spec.expected_attach_type or 0}
    found = target(spec) if isinstance(spec.attach_to, str) else None
    if found is not None:
        fields["attach_btf_id"] = found.btf_id
        if found.attach_type is not None:  # the member of a structure
            fields["expected_attach_type"] = found.attach_type
    return fields


@lru_cache
def kernel_function(name: str) -> int:
    """The running kernel's id of a function."""
    return _kernel_btf().find(name, 12).id


_NOISE = re.compile(
    r"^(processed \d+|verification time|stack depth|\d+: |from \d+|;|mark_precise|propagating|frame \d+|Func#|func#|"
    r"Validating|caller:|"
    r"callee:|returning from|to caller at|\s*R\d+\w*=|cur state:|old state:|$)"
)


def telling_line(log: str) -> str:
    """The line of a log that says why."""
    lines = [line.strip() for line in log.splitlines()]
    endless = re.search(r"infinite loop detected at insn \d+", log)
    if endless:
        return endless[0]
    return next((line for line in reversed(lines) if not _NOISE.match(line)), "")


def allowed() -> bool:
    """Whether programs can be loaded here."""
    with contextlib.suppress(SyscallError, OSError):
        fd, _ = prog_load(1, struct.pack("<BBhi", 0xB7, 0, 0, 0) + struct.pack("<BBhi", 0x95, 0, 0, 0))
        os.close(fd)
        return True
    return False
