"""Programs on messages: what a socket's peer receives from the kernel is what the machine says."""

from __future__ import annotations

import random
import socket

import pytest

from pybpf import VM, Array, ProgramSpec, SockMap, asm, load, u64
from pybpf.uapi import ProgType

pytestmark = pytest.mark.kernel
COUNT = 4
ENGINES = ("interpreter", "translator")


def generated(rng: random.Random) -> ProgramSpec:
    """Pulls, pushes and pops at all offsets; answers and the size seen behind each are kept."""
    text = ["r6 = r1"]
    for n in range(COUNT):
        start, length = (rng.choice((0, 1, 2, 3, 5, 8, 9, 10, 11, 16, 30)) for _ in "ab")
        helper = rng.choice(("pull", "push", "pop"))
        flags = rng.choice((0, 0, 0, 0, 0, 0, 1))
        text += ["r1 = r6", f"r2 = {start}", f"r3 = {length}", f"r4 = {flags}", f"call bpf_msg_{helper}_data"]
        text += ["r1 = map_val(seen) + 0", f"*(u64 *)(r1 + {16 * n}) = r0", "r2 = *(u32 *)(r6 + 68)"]
        text += [f"*(u64 *)(r1 + {16 * n + 8}) = r2"]
    seen = Array(u64[2 * COUNT], max_entries=1, name="seen")
    socks = SockMap(max_entries=2, name="socks")
    code = asm.assemble("\n".join([*text, f"r0 = {rng.choice((1, 1, 1, 1, 0))}", "exit"]))
    return ProgramSpec(code, ProgType.SK_MSG, maps={"seen": seen, "socks": socks})


def signed(values) -> list[int]:
    return [v - (v >> 63 << 64) for v in values]


def received(spec: ProgramSpec, message: bytes):
    """What the kernel answered to the program, and what came out of the other socket."""
    with (
        load(spec) as prog,
        socket.create_server(("127.0.0.1", 0)) as server,
        prog.attach(prog["socks"]),
        socket.create_connection(server.getsockname()) as near,
        server.accept()[0] as far,
    ):
        prog["socks"][0] = near
        far.settimeout(0.5)
        try:
            near.send(message)
        except PermissionError:
            return signed(prog["seen"][0]), 0, b""
        near.shutdown(socket.SHUT_WR)
        out = b""
        while part := far.recv(4096):
            out += part
        return signed(prog["seen"][0]), 1, out


def test_generated(scale):
    answers = set()
    for seed in range(40 * scale):
        rng = random.Random(seed)
        spec = generated(rng)
        message = bytes(range(65, 65 + rng.choice((1, 5, 10, 26))))
        expected = received(spec, message)
        for engine in ENGINES:
            vm = VM(spec, engine=engine)
            result = vm.run(data=message)
            out = result.data if result.retval else b""
            found = signed(vm["seen"][0]), result.retval, out
            # Bytes that were pushed hold anything in the kernel.  Those of the message are letters.
            expected = *expected[:2], bytes(b and a for a, b in zip(expected[2], out, strict=True))
            assert found == expected, (seed, engine)
        answers.update(expected[0][::2])
    assert len(answers) > 1
