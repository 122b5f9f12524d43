"""Asks which kinds of program the kernel loads, and what each may do."""

from __future__ import annotations

import ctypes
import os
import re
import struct
from collections.abc import Iterable, Iterator
from typing import Any

from ...btf import Btf
from ...btf.kinds import Kind
from ...errors import BtfError
from ...kernel import KERNELS, rules
from ...kernel.context import allows
from ...kernel.sections import sections
from ...uapi import AttachType, Cmd, ProgFlags, ProgType
from ...uapi import ctx as structures
from ...uapi.helper_names import HELPER_NAMES
from .door import EXIT, SIZE_BITS, Kernel, Key, Variant, call, copy, imm64, insn, mov

_P = ProgType
_SKB = (_P.SOCKET_FILTER, _P.SCHED_CLS, _P.SCHED_ACT, _P.CGROUP_SKB, _P.SK_SKB, _P.FLOW_DISSECTOR)
_LWT = (_P.LWT_IN, _P.LWT_OUT, _P.LWT_XMIT, _P.LWT_SEG6LOCAL)
_CONTEXTS: dict[int, str] = {
    **dict.fromkeys((*_SKB, *_LWT), "__sk_buff"),
    _P.KPROBE: "pt_regs",
    _P.XDP: "xdp_md",
    _P.PERF_EVENT: "bpf_perf_event_data",
    _P.CGROUP_SOCK: "bpf_sock",
    _P.SOCK_OPS: "bpf_sock_ops",
    _P.CGROUP_DEVICE: "bpf_cgroup_dev_ctx",
    _P.SK_MSG: "sk_msg_md",
    _P.CGROUP_SOCK_ADDR: "bpf_sock_addr",
    _P.SK_REUSEPORT: "sk_reuseport_md",
    _P.CGROUP_SYSCTL: "bpf_sysctl",
    _P.CGROUP_SOCKOPT: "bpf_sockopt",
    _P.SK_LOOKUP: "bpf_sk_lookup",
    _P.NETFILTER: "bpf_nf_ctx",
}
"""The C structure that is the context of a program type."""

_PLAIN_CONTEXTS: dict[int, tuple[tuple[str, int, int, int], ...]] = {
    _P.TRACEPOINT: (("data", 8, 8, 16),),
    _P.RAW_TRACEPOINT: (("args", 0, 8, 12),),
    _P.RAW_TRACEPOINT_WRITABLE: (("buffer", 0, 8, 1), ("args", 8, 8, 11)),
    _P.SYSCALL: (("data", 0, 8, 16),),
    _P.LIRC_MODE2: (("sample", 0, 4, 1),),
}
"""Contexts that no C structure describes: (name, offset, size, count) of their fields."""

_A = AttachType
_FUNCTIONS = ("bpf_fentry_test1", "vfs_read", "__x64_sys_getpid", "__arm64_sys_getpid")
_TARGETS: dict[tuple[int, int | None], tuple[str, ...]] = {
    (_P.TRACING, _A.TRACE_RAW_TP): ("btf_trace_sched_switch", "btf_trace_sys_enter"),
    **{(_P.TRACING, hook): _FUNCTIONS for hook in (_A.TRACE_FENTRY, _A.TRACE_FEXIT, _A.TRACE_FSESSION)},
    **{(_P.TRACING, hook): _FUNCTIONS for hook in (_A.TRACE_FENTRY_MULTI, _A.TRACE_FEXIT_MULTI)},
    (_P.TRACING, _A.TRACE_FSESSION_MULTI): _FUNCTIONS,
    (_P.TRACING, _A.MODIFY_RETURN): ("bpf_modify_return_test", "security_file_open", "__x64_sys_getpid"),
    (_P.TRACING, _A.TRACE_ITER): ("bpf_iter_task", "bpf_iter_bpf_map", "bpf_iter_task_file", "bpf_iter_netlink"),
    (_P.LSM, _A.LSM_MAC): ("bpf_lsm_file_open", "bpf_lsm_bpf"),
    (_P.LSM, _A.LSM_CGROUP): ("bpf_lsm_socket_bind",),
}
"""Kernel functions to aim a tracing program at while asking; the first one that loads is taken."""

_STRUCT_OPS: tuple[tuple[str, str], ...] = (
    ("tcp_congestion_ops", "ssthresh"),
    ("bpf_dummy_ops", "test_1"),
    ("bpf_dummy_ops", "test_sleepable"),
    ("sched_ext_ops", "init"),
    ("sched_ext_ops", "select_cpu"),
)
_NOT_SUPPORTED = (524, 95)  # ENOTSUPP is the kernel's own, EOPNOTSUPP
# Contexts that are alike from end to end: the beginning and the last word are asked about, not every byte between.
_LONG: dict[int, int] = {
    _P.SYSCALL: 1 << 15,
    _P.TRACEPOINT: 8192,
}  # what the offset of an instruction reaches; PERF_MAX_TRACE_SIZE
_KFUNC_REFUSED = re.compile(r"is not allowed|not found|not supported|cannot call kernel function|sleepable")
_REFUSED = re.compile(r"cannot use helper|unknown func|invalid func|might sleep|is not supported|sleepable helper")


class Programs:
    """Questions about kinds of program.  `btf` is the kernel's, or None where it has none."""

    def __init__(self, kernel: Kernel) -> None:
        self.kernel = kernel
        self.btf: Btf | None
        try:
            self.btf = Btf.kernel()
        except BtfError:
            self.btf = None

    # --- program kinds

    def variants(self) -> Iterator[Variant]:
        """The kinds that this kernel loads."""
        seen: set[Key] = set()
        for section in sections():
            hook = None if section.attach_type is None else int(section.attach_type)
            for key in (
                (int(section.prog_type), None, section.sleepable),
                (int(section.prog_type), hook, section.sleepable),
            ):
                if key in seen or (key[1] is None and hook is not None and key[0] not in _HOOKLESS):
                    continue
                seen.add(key)
                variant = self._variant(key)
                if variant is not None:
                    yield variant

    def _variant(self, key: Key) -> Variant | None:
        """How to load a program of this kind, or None when this kernel does not."""
        prog_type, attach_type, sleepable = key
        flags = int(ProgFlags.SLEEPABLE) if sleepable else 0
        for attach, btf_id in self._targets(prog_type, attach_type):
            for result in (0, 1):
                variant = Variant(key, attach, flags, btf_id, result)
                if self.kernel.accepts(variant, variant.end):
                    return variant
        return None

    def _targets(self, prog_type: int, attach_type: int | None) -> Iterable[tuple[int, int]]:
        """(expected_attach_type, attach_btf_id) to try."""
        if prog_type == ProgType.STRUCT_OPS:
            for name, member in _STRUCT_OPS:
                if self.btf is not None and name in self.btf:
                    found = self.btf.find(name, Kind.STRUCT)
                    names = [m.name for m in found.members]  # type: ignore[attr-defined]
                    if member in names:
                        yield names.index(member), found.id
            return
        wanted = _TARGETS.get((prog_type, attach_type))
        if wanted is None:
            yield attach_type or 0, 0
        for name in wanted or ():
            kind = Kind.TYPEDEF if name.startswith("btf_trace_") else Kind.FUNC
            for found in self.btf.find_all(name, kind) if self.btf is not None else ():
                yield attach_type or 0, found.id

    # --- context

    def context(self, variant: Variant) -> tuple[str, int, tuple[Any, ...]]:
        """(C name, size, rows of fields) as `Context` takes them."""
        name = _CONTEXTS.get(variant.key[0], "")
        fields = _flatten(getattr(structures, name)) if name else _PLAIN_CONTEXTS.get(variant.key[0], ())
        size = max((at + width * count for _, at, width, count in fields), default=0)
        loads, stores = self._accesses(variant, size)
        rows = []
        for field, at, width, count in fields:
            inside = range(at, at + width * count)
            read = {(o - at, w) for o, w in loads if o in inside}
            written = {(o - at, w) for o, w in stores if o in inside}
            if not read and not written:
                continue
            kind = self._kind(variant, at, width) if (0, width) in read else "scalar"
            rows.append((field, at, width, count, kind, _pattern(read, width, count), _pattern(written, width, count)))
        if variant.key[0] in _LONG and rows:
            size = _LONG[variant.key[0]]
            last = insn(0x79, 0, 1, size - 8) + variant.end
            if self.kernel.accepts(variant, last):
                rows = [(*rows[0][:3], (size - rows[0][1]) // 8, *rows[0][4:])]
        return name, size, tuple(rows)

    def _accesses(self, variant: Variant, size: int) -> tuple[set[tuple[int, int]], set[tuple[int, int]]]:
        """All (offset, width) that may be loaded, and stored."""
        loads, stores = set(), set()
        for at in range(size):
            for width, bits in SIZE_BITS.items():
                if self.kernel.accepts(variant, insn(0x61 | bits, 0, 1, at) + variant.end):
                    loads.add((at, width))
                if self.kernel.accepts(variant, mov(2, 0) + insn(0x63 | bits, 1, 2, at) + variant.end):
                    stores.add((at, width))
        return loads, stores

    def _kind(self, variant: Variant, at: int, width: int) -> str:
        """What a load gives, in the verifier's word for the register's type."""
        _, log = self.kernel.says(variant, insn(0x61 | SIZE_BITS[width], 0, 1, at) + variant.end, level=2)
        found = re.search(r"\bR0(?:_w)?=([a-zA-Z_]\w*)", log)
        return found.group(1) if found and not re.fullmatch(r"inv\d*|P?scalar", found.group(1)) else "scalar"

    # --- helpers, results, packets

    def helpers(self, variant: Variant) -> int:
        """The helpers that this kind may call, as a bit set of ids."""
        found = 0
        for number in range(1, len(HELPER_NAMES)):
            _, log = self.kernel.says(variant, call(number) + variant.end)
            if not _REFUSED.search(log):
                found |= 1 << number
        return found

    def returns(self, variant: Variant) -> tuple[int, int] | None:
        """The range that R0 must be in at exit; None when any number will do."""
        _, log = self.kernel.says(variant, imm64(0, 0x1234567812345678) + EXIT)
        found = re.search(r"should have been in \[(-?\d+), (-?\d+)\]", log)
        if found:
            return int(found[1]), int(found[2])
        old = re.search(r"should have been in \((0x[0-9a-f]+); (0x[0-9a-f]+)\)", log)  # value and mask of unknown bits
        if old:
            value, mask = int(old[1], 16), int(old[2], 16)
            return value, value | mask
        return None

    def packet(self, variant: Variant, context: tuple[str, int, tuple[Any, ...]]) -> str:
        """Direct access to packet bytes: "", "r" or "rw"."""
        by_kind = {row[4]: row for row in context[2]}
        start, end = by_kind.get("pkt"), by_kind.get("pkt_end")
        if start is None or end is None:
            return ""
        check = b"".join(
            (
                insn(0x61 | SIZE_BITS[start[2]], 2, 1, start[1]),
                insn(0x61 | SIZE_BITS[end[2]], 3, 1, end[1]),
                copy(4, 2),
                insn(0x07, 4, imm=8),
                insn(0x2D, 4, 3, 1),
            )
        )
        read = self.kernel.accepts(variant, check + insn(0x71, 0, 2) + variant.end)
        written = self.kernel.accepts(variant, check + insn(0x72, 2) + variant.end)
        return "r" * read + "w" * written

    def test_run(self, variant: Variant) -> bool:
        """Does BPF_PROG_TEST_RUN know this program type?"""
        fd, _ = self.kernel.load(variant, variant.end)
        data = ctypes.create_string_buffer(64)
        attr = struct.pack("=IIIIQQII", fd, 0, 64, 0, ctypes.addressof(data), 0, 1, 0).ljust(80, b"\0")
        result = self.kernel.bpf(Cmd.PROG_TEST_RUN, attr)
        os.close(fd)
        return -result not in _NOT_SUPPORTED

    def kfuncs(self, variants: list[Variant]) -> dict[str, frozenset[Key]]:
        """name -> the kinds that may call it, for the kernel functions that BTF marks as callable.

        Kernels before 6.9 mark none: they are asked about those that any table knows.
        """
        if self.btf is None:
            return {}
        functions = [tag.type for tag in self.btf.find_all("bpf_kfunc", Kind.DECL_TAG)]
        if not functions:
            names = {name for version in KERNELS for name in rules(version).kfuncs()}
            functions = [found for name in names for found in self.btf.find_all(name, Kind.FUNC)]
        found = {}
        for function in sorted(functions, key=lambda f: f.name):
            able = []
            for variant in variants:
                accepted, log = self.kernel.says(variant, call(function.id, 2) + variant.end)
                if accepted or not _KFUNC_REFUSED.search(log):
                    able.append(variant.key)
            if able:
                found[function.name] = frozenset(able)
        return found


_HOOKLESS = frozenset(int(s.prog_type) for s in sections() if s.attach_type is None)


def _flatten(type_: Any, base: int = 0, prefix: str = "") -> list[tuple[str, int, int, int]]:
    """(name, offset, element size, count) of each plain field, those of anonymous and nested structures included."""
    rows: list[tuple[str, int, int, int]] = []
    for name, ctype, *_ in type_._fields_:
        at = base + getattr(type_, name).offset
        if issubclass(ctype, (ctypes.Structure, ctypes.Union)):
            rows += _flatten(ctype, at, prefix if name in getattr(type_, "_anonymous_", ()) else f"{prefix}{name}.")
        elif issubclass(ctype, ctypes.Array):
            rows.append((prefix + name, at, ctypes.sizeof(ctype._type_), ctype._length_))
        else:
            rows.append((prefix + name, at, ctypes.sizeof(ctype), 1))
    return rows


def _pattern(pairs: set[tuple[int, int]], width: int, count: int) -> str:
    """The short form that `Field` reads back: a word, then what it does not cover as "offset:width"."""
    everywhere = [(at, w) for at in range(width * count) for w in SIZE_BITS]
    chosen, covered = "", set[tuple[int, int]]()
    for word in ("full", "narrow", "any"):
        cover = {pair for pair in everywhere if allows(word, *pair, width, count)}
        if cover <= pairs and len(cover) > len(covered):
            chosen, covered = word, cover
    rest = sorted(pairs - covered)
    return " ".join(filter(None, (chosen, *(f"{at}:{size}" for at, size in rest))))


def describe(key: Key) -> str:
    """A program kind in words: "TRACING/TRACE_FENTRY sleepable"."""
    prog_type, attach_type, sleepable = key
    name = ProgType(prog_type).name
    if attach_type is not None:
        name += f"/{AttachType(attach_type).name}"
    return f"{name} sleepable" if sleepable else name
