"""A token lets a process of a user namespace load what its bpffs delegates, and nothing else."""

from __future__ import annotations

import ctypes
import errno
import os
import socket
import sys
from contextlib import suppress

import pytest

from pybpf import (
    HashMap,
    NotSupportedError,
    ProgArray,
    SyscallError,
    Token,
    features,
    load,
    socket_filter,
    u32,
    u64,
    xdp,
)
from pybpf.syscall.remedy import unprivileged_bpf_disabled
from pybpf.uapi import Cmd, MapType, ProgType

pytestmark = [
    pytest.mark.kernel,
    pytest.mark.skipif(sys.platform != "linux", reason="not Linux"),
]

FSOPEN, FSCONFIG, FSMOUNT = 430, 431, 432  # the same on all machines
SET_STRING, CREATE = 1, 6
NEWNS, NEWUSER = 0x20000, 0x10000000

packets = HashMap(u32, u64, max_entries=4)
jumps = ProgArray(max_entries=1)


@socket_filter
def count(skb):
    packets[skb.load_byte(0)] += 1
    return 7


@xdp
def other(ctx):
    return 1


@socket_filter
def jump(skb):
    jumps.tail_call(skb, 0)
    return 0


def syscall(*args):
    libc = ctypes.CDLL(None, use_errno=True)
    result = libc.syscall(*args)
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result


def delegate(fs, **options):
    """What the process that sets a container up does: fill in the bpffs that the container opened."""
    for name, value in options.items():
        syscall(FSCONFIG, fs, SET_STRING, f"delegate_{name}".encode(), value.encode(), 0)
    syscall(FSCONFIG, fs, CREATE, None, None, 0)


def refusal(attempt):
    try:
        attempt().close()
    except (SyscallError, NotSupportedError) as error:
        return getattr(error, "errno", None), str(error)
    return 0, ""


def in_container(setup):
    """Run in a user namespace, on a bpffs from the other side of `setup`; what happened, as lines."""
    assert ctypes.CDLL(None).unshare(NEWUSER | NEWNS) == 0
    setup.sendall(b"u")
    setup.recv(1)  # the ids of this namespace are mapped now
    socket.send_fds(setup, [b"f"], [fs := syscall(FSOPEN, b"bpf", 0)])
    setup.recv(1)
    bpffs = f"/proc/self/fd/{syscall(FSMOUNT, fs, 0, 0)}"
    yield "without", refusal(lambda: load(count))[0]
    with Token.from_bpffs(bpffs) as token:
        with suppress(SyscallError):  # before Linux 6.17 it does not tell
            info = token.info
            yield "info", (info.allowed_cmds, info.allowed_maps, info.allowed_progs)
        with load(count, token=token) as prog:
            yield "run", (prog.test_run(b"\5" * 40).retval, dict(prog[packets]))
        yield "program type", refusal(lambda: load(other, token=token))[0]
        yield "map type", refusal(lambda: load(jump, token=token))[0]


def bit(*values):
    return sum(1 << value for value in values)


def test_token():
    if not features.have_command(Cmd.TOKEN_CREATE):
        pytest.skip("no tokens before Linux 6.9")
    if not unprivileged_bpf_disabled():
        pytest.skip("unprivileged bpf(2) is allowed here, so that a token makes no difference")
    ours, theirs = socket.socketpair()
    commands = bit(Cmd.MAP_CREATE, Cmd.PROG_LOAD, Cmd.BTF_LOAD, Cmd.PROG_TEST_RUN)
    pid = os.fork()
    if not pid:
        try:
            for line in in_container(theirs):
                theirs.sendall(f"{line!r}\n".encode())
        except BaseException as error:
            theirs.sendall(f"{('error', repr(error))}\n".encode())
        finally:
            os._exit(0)
    theirs.close()
    try:
        assert ours.recv(1) == b"u"
        for name in ("uid_map", "gid_map"):
            with open(f"/proc/{pid}/{name}", "w") as ids:
                ids.write("0 0 1")
        ours.sendall(b"m")
        _, [fs], _, _ = socket.recv_fds(ours, 1, 1)
        delegate(
            fs, cmds=hex(commands), maps=hex(bit(MapType.HASH)), progs=hex(bit(ProgType.SOCKET_FILTER)), attachs="any"
        )
        os.close(fs)
        ours.sendall(b"c")
        said = b"".join(iter(lambda: ours.recv(1 << 16), b"")).decode()
    finally:
        ours.close()
        os.waitpid(pid, 0)
    lines = dict(eval(line) for line in said.splitlines())
    assert "error" not in lines, lines
    assert lines["without"] == errno.EPERM
    if "info" in lines:
        assert lines["info"] == (commands, bit(MapType.HASH), bit(ProgType.SOCKET_FILTER))
    assert lines["run"] == (7, {5: 1})
    assert lines["program type"] == errno.EPERM
    assert lines["map type"] == errno.EPERM


def test_no_token_in_the_first_namespace(tmp_path):
    if not features.have_command(Cmd.TOKEN_CREATE):
        pytest.skip("no tokens before Linux 6.9")
    with pytest.raises(SyscallError, match=r"BPF_TOKEN_CREATE.*\n.*not the root of a bpffs"):
        Token.from_bpffs(str(tmp_path))


def test_a_place_that_is_not_there():
    with pytest.raises(SyscallError, match="open of bpffs '/nowhere' failed: ENOENT"):
        Token.from_bpffs("/nowhere")
