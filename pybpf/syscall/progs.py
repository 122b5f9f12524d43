"""Commands on programs: load, run, attach without a link, query, streams."""

from __future__ import annotations

from errno import EINVAL, EMFILE, ENFILE, ENOMEM, ENOSPC
from struct import Struct

from ..errors import VerifierError
from .door import address, bpf, buffer_of, call, failure, object_name, with_token

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

PROG_LOAD = 5
PROG_ATTACH = 8
PROG_DETACH = 9
PROG_TEST_RUN = 10
PROG_QUERY = 16
PROG_BIND_MAP = 35
PROG_STREAM_READ_BY_FD = 37
PROG_ASSOC_STRUCT_OPS = 38

LOAD = Struct("=2I2Q2IQ2I16s4IQ2IQ4I2Q2IiIQIi")
RUN = Struct("=4I2Q4I2Q3I4x")
ATTACH = Struct("=6IQ")
QUERY = Struct("=4IQI4x4Q")
BIND_MAP = Struct("=3I")
STREAM_READ = Struct("=Q3I4x")
ASSOC_STRUCT_OPS = Struct("=3I")

_LOG_AT, _LOG_TRUE_SIZE_AT = 24, 140
_LOG = Struct("=IIQ")
_U32 = Struct("=I")
# A buffer below 128 bytes is EINVAL; above 16 MB - 1 it was until Linux 5.15 (bpf_verifier_log_attr_valid).
_LOG_SIZES = (1 << 16, 1 << 20, (1 << 24) - 1, 1 << 28, (1 << 30) - 1)
# Refusals after the verifier's approval, which the log tells, too.
_NOT_ABOUT_THE_PROGRAM = (ENOMEM, EMFILE, ENFILE)


def prog_load(
    prog_type: int,
    insns: bytes,
    license: str = "GPL",
    *,
    name: str | bytes = "",
    flags: int = 0,
    expected_attach_type: int = 0,
    kern_version: int = 0,
    ifindex: int = 0,
    btf_fd: int = 0,
    func_info: bytes = b"",
    func_info_rec_size: int = 8,
    line_info: bytes = b"",
    line_info_rec_size: int = 16,
    attach_btf_id: int = 0,
    attach_prog_fd: int = 0,
    core_relos: bytes = b"",
    core_relo_rec_size: int = 16,
    fd_array: Sequence[int] = (),
    token_fd: int = 0,
    log_level: int = 0,
) -> tuple[int, str]:
    """BPF_PROG_LOAD: the descriptor of a program, and its log ("" unless `log_level` asks for one).

    `attach_prog_fd` is also `attach_btf_obj_fd`; `token_fd` permits what the process alone may not (Linux 6.9).
    A load that fails is repeated with a log that grows until it fits;
    then VerifierError when the log says something, else SyscallError.
    """
    code, text = buffer_of(insns), buffer_of(license.encode() + b"\0")
    funcs, lines, relos = (buffer_of(raw) if raw else None for raw in (func_info, line_info, core_relos))
    array = buffer_of(b"".join(map(_U32.pack, fd_array))) if fd_array else None
    # fmt: off
    attr = bytearray(LOAD.pack(
        prog_type, len(insns) // 8, address(code), address(text),
        0, 0, 0,  # log_level, log_size, log_buf
        kern_version, with_token(flags, token_fd), object_name(name), ifindex, expected_attach_type,
        btf_fd,
        func_info_rec_size if funcs else 0, address(funcs), len(func_info) // func_info_rec_size,
        line_info_rec_size if lines else 0, address(lines), len(line_info) // line_info_rec_size,
        attach_btf_id, attach_prog_fd,
        len(core_relos) // core_relo_rec_size, address(array), address(relos), core_relo_rec_size if relos else 0,
        0,  # log_true_size
        token_fd,
        0,  # no fd_array_cnt: maps named by index are bound by use, as on every kernel
        0, 0, 0,  # no signature
    ))
    # fmt: on
    result = call(PROG_LOAD, attr) if not log_level else -ENOSPC
    if result >= 0:
        return result, ""
    return _load_with_log(attr, log_level or 1, f"program {name!r}" if name else "the program")


def _load_with_log(attr: bytearray, level: int, what: str) -> tuple[int, str]:
    def attempt(level: int, size: int, where: int) -> tuple[int, int]:
        _LOG.pack_into(attr, _LOG_AT, level, size, where)
        return call(PROG_LOAD, attr), _U32.unpack_from(attr, _LOG_TRUE_SIZE_AT)[0]

    result, log = grow_log(attempt, level)
    if result >= 0:
        return result, log
    # A program with too many branches is refused with ENOMEM, too, as if its states had found no memory.
    if (-result in _NOT_ABOUT_THE_PROGRAM and "is too complex" not in log) or not log.strip():
        raise failure(-result, PROG_LOAD, what)
    from .log import parse

    found = parse(log)
    raise VerifierError(-result, what, log, reason=found.reason, insn=found.insn, text=found.text, hint=found.hint)


def grow_log(attempt: Callable[[int, int, int], tuple[int, int]], level: int) -> tuple[int, str]:
    """Repeat a load with a log, larger and larger while the kernel says ENOSPC: the result and the log.

    `attempt(level, size, address)` gives the result and the size that the log would have had (0 before Linux 6.4).
    """
    result, wanted, log = -ENOSPC, 0, ""
    for size in _LOG_SIZES:
        if size >= wanted:
            memory = bytearray(size)
            result, wanted = attempt(level, size, address(buffer_of(memory)))
            log = memory[: memory.find(0)].decode(errors="replace")
            if result != -ENOSPC:
                break
    return result, log


def prog_test_run(
    fd: int,
    *,
    data: bytes | None = None,
    data_out_size: int = 0,
    ctx: bytearray | None = None,
    ctx_out_size: int = 0,
    repeat: int = 0,
    flags: int = 0,
    cpu: int = 0,
    batch_size: int = 0,
) -> tuple[int, bytes, bytes, int]:
    """BPF_PROG_TEST_RUN: `(retval, data, context, duration)`, the duration in nanoseconds and per run.

    `ctx` is written to by programs of type SYSCALL, which have no other output.
    """
    data_in = None if data is None else buffer_of(data)
    data_out = buffer_of(bytearray(data_out_size)) if data_out_size else None
    ctx_in = None if ctx is None else buffer_of(ctx)
    ctx_out = buffer_of(bytearray(ctx_out_size)) if ctx_out_size else None
    attr = bytearray(
        RUN.pack(
            fd,
            0,
            0 if data is None else len(data),
            data_out_size,
            address(data_in),
            address(data_out),
            repeat,
            0,
            0 if ctx is None else len(ctx),
            ctx_out_size,
            address(ctx_in),
            address(ctx_out),
            flags,
            cpu,
            batch_size,
        )
    )
    bpf(PROG_TEST_RUN, attr)
    _, retval, _, out_size, _, _, _, duration, _, ctx_size, *_ = RUN.unpack(attr)
    out = b"" if data_out is None else data_out.raw[:out_size]
    return retval, out, b"" if ctx_out is None else ctx_out.raw[:ctx_size], duration


def prog_attach(
    target: int,
    prog_fd: int,
    attach_type: int,
    flags: int = 0,
    replace_fd: int = 0,
    relative: int = 0,
    revision: int = 0,
    what: str = "",
) -> None:
    """BPF_PROG_ATTACH: attach without a link.  `target` is a descriptor or an interface index, by attach type."""
    bpf(PROG_ATTACH, ATTACH.pack(target, prog_fd, attach_type, flags, replace_fd, relative, revision), what)


def prog_detach(
    target: int, prog_fd: int, attach_type: int, flags: int = 0, relative: int = 0, revision: int = 0
) -> None:
    """BPF_PROG_DETACH: undo `prog_attach`."""
    bpf(PROG_DETACH, ATTACH.pack(target, prog_fd, attach_type, flags, 0, relative, revision))


def prog_query(target: int, attach_type: int, flags: int = 0) -> tuple[list[tuple[int, int, int]], int, int]:
    """BPF_PROG_QUERY: `([(program id, link id or 0, attach flags), ...], attach flags of the target, revision)`."""
    room, modern = 64, True
    while True:
        progs, prog_flags, links, link_flags = (buffer_of(bytearray(4 * room)) for _ in range(4))
        multi = attach_type in _TCX
        attr = bytearray(
            QUERY.pack(
                target,
                attach_type,
                flags,
                0,
                address(progs),
                room,
                # Only the net hooks take the link arrays, and effective queries take no flags.
                address(prog_flags) if modern and not flags else 0,
                address(links) if multi else 0,
                address(link_flags) if multi else 0,
                0,
            )
        )
        result = call(PROG_QUERY, attr)
        if result == -EINVAL and modern:
            modern = False  # before Linux 6.1 there were no flags of each program
            continue
        fields = QUERY.unpack(attr)
        count = fields[5]
        if result == -ENOSPC and count > room:
            room = count
            continue
        if result < 0:
            raise failure(-result, PROG_QUERY)
        columns = (_numbers(progs, count), _numbers(links, count), _numbers(prog_flags, count))
        return list(zip(*columns, strict=True)), fields[3], fields[9]


# TCX_INGRESS, TCX_EGRESS, NETKIT_PRIMARY, NETKIT_PEER: hooks that keep their programs in a list (kernel/bpf/mprog.c).
_TCX = (46, 47, 54, 55)


def _numbers(buffer: Any, count: int) -> list[int]:
    return [n for (n,) in _U32.iter_unpack(buffer.raw[: 4 * count])]


def prog_bind_map(prog_fd: int, map_fd: int) -> None:
    """BPF_PROG_BIND_MAP: keep a map alive as long as the program (Linux 5.10)."""
    bpf(PROG_BIND_MAP, BIND_MAP.pack(prog_fd, map_fd, 0))


def prog_stream_read(prog_fd: int, stream: int, size: int) -> bytes:
    """BPF_PROG_STREAM_READ_BY_FD: what the program wrote to stdout (1) or stderr (2) (Linux 6.17)."""
    memory = bytearray(size)
    count = bpf(PROG_STREAM_READ_BY_FD, STREAM_READ.pack(address(buffer_of(memory)), size, stream, prog_fd))
    return bytes(memory[:count])


def prog_assoc_struct_ops(prog_fd: int, map_fd: int) -> None:
    """BPF_PROG_ASSOC_STRUCT_OPS: tie a program to a struct_ops map for its kfuncs (Linux 7.0)."""
    bpf(PROG_ASSOC_STRUCT_OPS, ASSOC_STRUCT_OPS.pack(map_fd, prog_fd, 0))
