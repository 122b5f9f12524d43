"""Programs of type SOCK_OPS over a real connection: what the helpers on TCP options answer there, they answer offline.

The program keeps of each callback what it saw and what the helpers said; each is then run again offline, with the room for
options that the kernel had.
"""

from __future__ import annotations

import random
import socket
import struct

import pytest

from pybpf import VM, ProgramSpec, RingBuf, asm, load
from pybpf.uapi import AttachType, ProgType, bpf_sock_ops

pytestmark = pytest.mark.kernel
ENGINES = ("interpreter", "translator")
CALLS, SEGMENT = 5, 100
ANSWERS = 16
BYTES = ANSWERS + 8 * CALLS
RECORD = BYTES + SEGMENT + 4
PARSE, LENGTH, WRITE = 13, 14, 15  # BPF_SOCK_OPS_*_HDR_OPT_CB
FLAGS = (
    1 << 6 | 1 << 4,
    1 << 6 | 1 << 4 | 1 << 5,
)  # BPF_SOCK_OPS_WRITE_HDR_OPT, PARSE_ALL_HDR_OPT, PARSE_UNKNOWN_HDR_OPT
SYN, SYN_ACK = 0x02, 0x12
HELPERS = {
    PARSE: ("load",) * 5 + ("store", "reserve"),
    LENGTH: ("reserve",) * 4 + ("load", "store"),
    WRITE: ("store",) * 3 + ("load",) * 2 + ("reserve",),
    0: ("load", "load", "store", "reserve"),
}
OPTIONS = [
    bytes.fromhex(text)
    for text in (
        *("0200", "0300", "0400", "0800", "0500", "0100", "0000", "fe04eb9f", "fd04eb9f", "fe06eb9f0102", "fe041234"),
        *("fe0301", "fe00", "5502", "5500", "550307", "56040102", "fe02", "fe0301", "02040102"),
    )
]
A_SYN = bytes(20) + bytes.fromhex("02040000 0402 080a0000000000000000 01 03030a")
"""Of a connection here; its numbers do not matter."""


def call(rng: random.Random, n: int, op: int) -> list[str]:
    helper = rng.choice(HELPERS[op])
    if helper == "reserve":
        size, flags = rng.choice((0, 1, 2, 3, 4, 6, 8, 12, 20, 40, 41)), rng.choice((0, 0, 0, 0, 1))
        text = ["r1 = r6", f"r2 = {size}", f"r3 = {flags}", "call bpf_reserve_hdr_opt"]
    else:
        option, size = rng.choice(OPTIONS).ljust(16, b"\0"), rng.choice((2, 3, 4, 6, 8, 16, 16, 16))
        flags = rng.choice((0, 0, 0, 0, 1, 2) if helper == "load" else (0, 0, 0, 0, 1))
        text = [f"*(u32 *)(r10 - {16 - i}) = {struct.unpack_from('<i', option, i)[0]}" for i in range(0, 16, 4)]
        text += ["r1 = r6", "r2 = r10", "r2 += -16", f"r3 = {size}", f"r4 = {flags}", f"call bpf_{helper}_hdr_opt"]
    return [*text, f"*(u64 *)(r9 + {ANSWERS + 8 * n}) = r0"]


def place(field: str) -> int:
    return getattr(bpf_sock_ops, field).offset


def generated(rng: random.Random) -> ProgramSpec:
    text = ["r6 = r1", "r1 = ring ll", f"r2 = {RECORD}", "r3 = 0", "call bpf_ringbuf_reserve", "if r0 == 0 goto none"]
    text += ["r9 = r0", f"r7 = *(u32 *)(r6 + {place('op')})", "*(u32 *)(r9 + 0) = r7"]
    for at, field in ((4, "skb_len"), (12, "skb_tcp_flags")):
        text += [f"r1 = *(u32 *)(r6 + {place(field)})", f"*(u32 *)(r9 + {at}) = r1"]
    text += [f"*(u32 *)(r9 + {at}) = 0" for at in range(ANSWERS, RECORD, 4)]
    text += ["r8 = 0", f"r2 = *(u64 *)(r6 + {place('skb_data')})", f"r3 = *(u64 *)(r6 + {place('skb_data_end')})"]
    text += ["if r2 == 0 goto seen"]
    for i in range(SEGMENT):
        text += ["r4 = r2", f"r4 += {i + 1}", "if r4 > r3 goto seen", f"r5 = *(u8 *)(r2 + {i})"]
        text += [f"*(u8 *)(r9 + {BYTES + i}) = r5", f"r8 = {i + 1}"]
    text += ["seen:", "*(u32 *)(r9 + 8) = r8", *(f"if r7 == {op} goto op{op}" for op in HELPERS if op)]
    text += ["r1 = r6", f"r2 = {rng.choice(FLAGS)}", "call bpf_sock_ops_cb_flags_set"]
    for op in (0, PARSE, LENGTH, WRITE):
        text += [*([f"op{op}:"] if op else []), *(line for n in range(CALLS) for line in call(rng, n, op)), "goto end"]
    text += ["end:", "r1 = r9", "r2 = 0", "call bpf_ringbuf_submit", "none:", "r0 = 1", "exit"]
    code = asm.assemble("\n".join(text))
    ring = RingBuf(size=1 << 17, name="ring")
    hook = AttachType.CGROUP_SOCK_OPS
    return ProgramSpec(code, ProgType.SOCK_OPS, license="GPL", expected_attach_type=hook, maps={"ring": ring})


def connection(spec: ProgramSpec, cgroup) -> list[bytes]:
    """The records of a connection over which each side says something."""
    with load(spec) as prog, prog.attach(cgroup.path):
        with (
            cgroup.joined(),
            socket.create_server(("127.0.0.1", 0)) as server,
            socket.create_connection(server.getsockname()) as near,
            server.accept()[0] as far,
        ):
            near.sendall(b"hello")
            far.recv(5)
            far.sendall(b"yes")
            near.recv(3)
        return [bytes(event) for event in prog["ring"].drain()]


def answers(record: bytes) -> list[int]:
    return list(struct.unpack_from(f"<{CALLS}q", record, ANSWERS))


def again(vm: VM, record: bytes, room: int, syn: bytes) -> tuple[list[int], bytes, int]:
    """What the program says of a recorded callback offline, the segment behind it, and the room that is left."""
    op, length, size, flags = struct.unpack_from("<4I", record)
    vm.env.tcp_option_room, vm.env.saved_syn = room, syn
    ctx = {"op": op, "skb_len": length, "skb_tcp_flags": flags}
    result = vm.run(data=record[BYTES : BYTES + size], ctx=ctx)
    return answers(bytes(vm["ring"].drain()[0])), result.data, vm.env.tcp_option_room


@pytest.mark.parametrize("engine", ENGINES)
def test_options(engine, cgroup, scale):
    for seed in range(15 * scale):
        spec = generated(random.Random(seed))
        vm, reserved, syn = VM(spec, engine=engine), 0, A_SYN
        records = connection(spec, cgroup)
        assert {struct.unpack_from("<I", r)[0] for r in records} >= {PARSE, LENGTH}
        for record in records:
            op, _, _, flags = struct.unpack_from("<4I", record)
            # A SYN has 20 bytes of options here, other segments a time stamp, and all 40 at most.
            room = {LENGTH: 20 if flags & SYN else 28, WRITE: reserved}.get(op, 40)
            answering = op in (LENGTH, WRITE) and flags & SYN_ACK == SYN_ACK
            found, segment, left = again(vm, record, room, syn if answering else b"")
            assert found == answers(record), (seed, op)
            if op == LENGTH:
                reserved = -(-(room - left) // 4) * 4
            elif op == WRITE and flags & SYN_ACK == SYN:
                syn = segment + b"\1" * left
