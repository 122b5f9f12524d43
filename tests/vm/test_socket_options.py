"""Programs on getsockopt and setsockopt: what they see and what they make of a call in the kernel, and offline."""

from __future__ import annotations

import ctypes
import random
import socket
from errno import EFAULT, ENOPROTOOPT, EOPNOTSUPP, EPERM

import pytest

from pybpf import VM, Array, ProgramSpec, asm, load, u64
from pybpf.uapi import AttachType, ProgType, bpf_sockopt

pytestmark = pytest.mark.kernel
ENGINES = ("interpreter", "translator")
LEVEL = 7777  # of nobody: only the programs answer
PAGE = 4096
MOST = 20


def place(field: str) -> int:
    return getattr(bpf_sockopt, field).offset


def generated(rng: random.Random, hook: AttachType) -> ProgramSpec:
    """Looks at the buffer, changes it, its length and the answer; what it saw is kept in order."""
    text = [
        "r6 = r1",
        "r7 = map_val(seen) + 0",
        f"r1 = *(u32 *)(r6 + {place('level')})",
        f"if r1 != {LEVEL} goto other",
    ]
    count = 0

    def see(*lines: str) -> None:
        nonlocal count
        text.extend([*lines, f"*(u64 *)(r7 + {8 * count}) = r1"])
        count += 1

    buffer = [f"r2 = *(u64 *)(r6 + {place('optval')})", f"r3 = *(u64 *)(r6 + {place('optval_end')})"]
    see(*buffer, "r1 = r3", "r1 -= r2")
    see(f"r1 = *(u32 *)(r6 + {place('optlen')})")
    see(f"r1 = *(u32 *)(r6 + {place('optname')})")
    for n in range(rng.randrange(1, 6)):
        offset, value = rng.choice((0, 0, 4, 8, 12, 16, 40, 4088)), rng.choice((0, 0, -1, -13, 5))
        what = rng.choice(("load", "store", "store", "length", "answer", "answer", "asked"))
        if what in ("load", "store"):
            access = (
                f"r1 = *(u32 *)(r2 + {offset})"
                if what == "load"
                else f"*(u32 *)(r2 + {offset}) = {rng.randrange(1 << 30)}"
            )
            see(
                *buffer, "r1 = 1", "r4 = r2", f"r4 += {offset + 4}", f"if r4 > r3 goto beyond{n}", access, f"beyond{n}:"
            )
        elif what == "length":
            text += [
                f"r1 = {rng.choice((0, 1, 4, 4, 8, 16, 17, -1, -2, 64, 4096, 5000))}",
                f"*(u32 *)(r6 + {place('optlen')}) = r1",
            ]
        elif what == "asked":
            see("call bpf_get_retval", "r1 = r0")
        elif hook == AttachType.CGROUP_GETSOCKOPT and rng.random() < 0.5:
            text += [f"r1 = {value}", f"*(u32 *)(r6 + {place('retval')}) = r1"]
        else:
            text += [f"r1 = {value}", "call bpf_set_retval"]
    text += [f"r0 = {rng.choice((1, 1, 1, 0))}", "exit", "other:", "r0 = 1", "exit"]
    maps = {"seen": Array(u64[MOST], max_entries=1, name="seen")}
    code = asm.assemble("\n".join(text))
    return ProgramSpec(code, ProgType.CGROUP_SOCKOPT, license="GPL", expected_attach_type=hook, maps=maps)


def in_kernel(spec: ProgramSpec, cgroup, name: int, raw: bytes) -> tuple[list[int], int, bytes]:
    """What the program saw, the call's answer (or its negative errno), and what the buffer holds then."""
    libc = ctypes.CDLL(None, use_errno=True)
    buffer, length = ctypes.create_string_buffer(raw, max(len(raw), 1)), ctypes.c_uint32(len(raw))
    with load(spec) as prog, prog.attach(cgroup.path), cgroup.joined(), socket.socket() as sock:
        if spec.expected_attach_type == AttachType.CGROUP_GETSOCKOPT:
            answer = libc.getsockopt(sock.fileno(), LEVEL, name, buffer, ctypes.byref(length))
        else:
            answer = libc.setsockopt(sock.fileno(), LEVEL, name, buffer, len(raw))
        answer = -ctypes.get_errno() if answer == -1 else answer
        return list(prog["seen"][0]), answer, buffer.raw[: len(raw)]


def answer_of(retval: int, after: bpf_sockopt, is_get: bool, size: int) -> int:
    """What the caller gets for a run: `__cgroup_bpf_run_filter_getsockopt` and its neighbour, with nobody behind them."""
    answer = after.retval if retval or after.retval < 0 else -EPERM
    if answer < 0 or (answer and not is_get):
        return min(answer, 0)
    room = min(size if is_get else max(size, 16), PAGE)
    if not is_get and after.optlen == -1:
        return 0
    if not 0 <= after.optlen <= room:
        if size > PAGE and after.optlen >= 0:
            return -EOPNOTSUPP if is_get else -ENOPROTOOPT
        return -EFAULT
    return answer if is_get else -ENOPROTOOPT


@pytest.mark.parametrize(
    "hook", [AttachType.CGROUP_GETSOCKOPT, AttachType.CGROUP_SETSOCKOPT], ids=lambda hook: hook.name
)
def test_generated(hook, cgroup, scale):
    is_get, answers = hook == AttachType.CGROUP_GETSOCKOPT, set()
    for seed in range(60 * scale):
        rng = random.Random(seed)
        spec, name = generated(rng, hook), rng.randrange(1, 5)
        raw = rng.randbytes(rng.choice((0, 1, 4, 4, 8, 16, 20, 64, 4096, 4100, 6000)))
        seen, answer, buffer = in_kernel(spec, cgroup, name, raw)
        answers.add(answer)
        for engine in ENGINES:
            vm = VM(spec, engine=engine)
            ctx = {"level": LEVEL, "optname": name, **({"retval": -EOPNOTSUPP} if is_get else {})}
            result = vm.run(data=raw, ctx=ctx)
            assert list(vm["seen"][0]) == seen, (seed, engine)
            assert answer_of(result.retval, result.ctx, is_get, len(raw)) == answer, (seed, engine)
            if is_get and answer >= 0:
                assert (result.data + raw[len(result.data) :])[: len(raw)] == buffer, (seed, engine)
    assert len(answers) > 4
