"""The bpf(2) calls of the prober, and the instructions that its programs are made of."""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
import struct

from ...syscall import door
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
    """The bpf(2) calls that probing makes: many, alike and mostly refused, so no error is raised."""

    def __init__(self) -> None:
        self._log = ctypes.create_string_buffer(1 << 18)
        self._licenses = {True: ctypes.create_string_buffer(b"GPL"), False: ctypes.create_string_buffer(b"Proprietary")}
        with contextlib.suppress(OSError, ValueError):
            # Kernels before 5.11 charge maps to this limit, and a refusal would look like a rule.
            resource.setrlimit(resource.RLIMIT_MEMLOCK, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))

    def bpf(self, command: int, attr: bytes) -> int:
        """The result, or -errno."""
        return door.call(int(command), bytearray(attr))

    def load(
        self,
        variant: Variant,
        code: bytes,
        *,
        log: int = 0,
        gpl: bool = True,
        functions: tuple[int, bytes] | None = None,
    ) -> tuple[int, str]:
        """(descriptor or -errno, log).  `functions` is a descriptor of BTF and the `func_info` that refers to it."""
        info = ctypes.create_string_buffer(functions[1] if functions else b"")
        text = ctypes.create_string_buffer(code, len(code))
        logging = (log, len(self._log), ctypes.addressof(self._log)) if log else (0, 0, 0)
        self._log[0] = b"\0"
        attr = struct.pack(
            "=IIQQIIQII16sIIIIQIIQII",
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
            *(functions[0], 8, ctypes.addressof(info), len(functions[1]) // 8) if functions else (0, 0, 0, 0),
            *(0, 0, 0),
            variant.btf_id,
        )
        result = self.bpf(Cmd.PROG_LOAD, attr)
        return result, self._log.value.decode(errors="replace") if log else ""

    def accepts(self, variant: Variant, code: bytes, *, gpl: bool = True) -> bool:
        fd, _ = self.load(variant, code, gpl=gpl)
        if fd >= 0:
            os.close(fd)
        return fd >= 0

    def says(
        self,
        variant: Variant,
        code: bytes,
        *,
        gpl: bool = True,
        level: int = 1,
        functions: tuple[int, bytes] | None = None,
    ) -> tuple[bool, str]:
        """(accepted, log)."""
        fd, log = self.load(variant, code, log=level, gpl=gpl, functions=functions)
        if fd >= 0:
            os.close(fd)
        return fd >= 0, log

    def btf(self, raw: bytes) -> int:
        """A descriptor of BTF made from `raw`, or -errno."""
        buffer = ctypes.create_string_buffer(raw, len(raw))
        return self.bpf(Cmd.BTF_LOAD, struct.pack("=QQIII", ctypes.addressof(buffer), 0, len(raw), 0, 0))

    def map(
        self, map_type: int, key: int, value: int, entries: int, flags: int = 0, inner: int = 0, extra: bytes = b""
    ) -> int:
        """A new map's descriptor, or -errno."""
        return self.bpf(Cmd.MAP_CREATE, struct.pack("=IIIIII", map_type, key, value, entries, flags, inner) + extra)
