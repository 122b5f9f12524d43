"""The bpf(2) calls of the prober, and the instructions that its programs are made of."""

from __future__ import annotations

import ctypes
import os
import struct

from ...uapi import Cmd

Key = tuple[int, int | None, bool]
"""A kind of program: (program type, attach type or None, sleepable)."""


def insn(opcode: int, dst: int = 0, src: int = 0, off: int = 0, imm: int = 0) -> bytes:
    return struct.pack("=BBhi", opcode, src << 4 | dst, off, imm)


def imm64(dst: int, value: int, src: int = 0) -> bytes:
    low, high = value & 0xFFFFFFFF, value >> 32 & 0xFFFFFFFF
    return struct.pack("=BBhIBBhI", 0x18, src << 4 | dst, 0, low, 0, 0, 0, high)


def mov(dst: int, value: int) -> bytes:
    return insn(0xB7, dst, imm=value)


def copy(dst: int, src: int) -> bytes:
    return insn(0xBF, dst, src)


def call(number: int, src: int = 0) -> bytes:
    return insn(0x85, 0, src, 0, number)


EXIT = insn(0x95)
SIZE_BITS = {1: 0x10, 2: 0x08, 4: 0x00, 8: 0x18}


class Variant:
    """One kind of program and what BPF_PROG_LOAD must be given for it; `result` is a value that it may return."""

    def __init__(self, key: Key, attach: int, flags: int, btf_id: int, result: int) -> None:
        self.key = key
        self.attach = attach
        self.flags = flags
        self.btf_id = btf_id
        self.result = result

    @property
    def end(self) -> bytes:
        return mov(0, self.result) + EXIT


class Kernel:
    """The bpf(2) calls that probing makes: many, alike, and mostly refused, so buffers are kept and no error is raised."""

    def __init__(self) -> None:
        self._log = ctypes.create_string_buffer(1 << 18)
        self._licenses = {True: ctypes.create_string_buffer(b"GPL"), False: ctypes.create_string_buffer(b"Proprietary")}
        libc = ctypes.CDLL(None, use_errno=True)
        self._syscall = libc.syscall
        self._number = {"x86_64": 321, "aarch64": 280, "riscv64": 280, "s390x": 351, "ppc64le": 361}[os.uname().machine]

    def bpf(self, command: int, attr: bytes) -> int:
        result: int = self._syscall(self._number, int(command), attr, len(attr))
        return result if result >= 0 else -ctypes.get_errno()

    def load(self, variant: Variant, code: bytes, *, log: int = 0, gpl: bool = True) -> tuple[int, str]:
        """(descriptor or -errno, log)."""
        text = ctypes.create_string_buffer(code, len(code))
        logging = (log, len(self._log), ctypes.addressof(self._log)) if log else (0, 0, 0)
        self._log[0] = b"\0"
        attr = struct.pack(
            "=IIQQIIQII16sIIIIQIQII",
            variant.key[0],
            len(code) // 8,
            ctypes.addressof(text),
            ctypes.addressof(self._licenses[gpl]),
            *logging,
            0,
            variant.flags,
            b"",
            0,
            variant.attach,
            *(0, 0, 0, 0, 0, 0),
            variant.btf_id,
        )
        result = self.bpf(Cmd.PROG_LOAD, attr)
        return result, self._log.value.decode(errors="replace") if log else ""

    def accepts(self, variant: Variant, code: bytes, *, gpl: bool = True) -> bool:
        fd, _ = self.load(variant, code, gpl=gpl)
        if fd >= 0:
            os.close(fd)
        return fd >= 0

    def says(self, variant: Variant, code: bytes, *, gpl: bool = True, level: int = 1) -> tuple[bool, str]:
        """(accepted, log)."""
        fd, log = self.load(variant, code, log=level, gpl=gpl)
        if fd >= 0:
            os.close(fd)
        return fd >= 0, log

    def map(
        self, map_type: int, key: int, value: int, entries: int, flags: int = 0, inner: int = 0, extra: bytes = b""
    ) -> int:
        """A new map's descriptor, or -errno."""
        return self.bpf(Cmd.MAP_CREATE, struct.pack("=IIIIII", map_type, key, value, entries, flags, inner) + extra)
