"""`Fd` closes once, warns when forgotten, and minds which process made it."""

import errno
import os
import threading

import pytest

from pybpf import SyscallError
from pybpf.syscall import ClosedError, Fd
from pybpf.syscall.fd import close_all


def new():
    return Fd(os.open(os.devnull, os.O_RDONLY))


def is_open(fd):
    try:
        os.fstat(fd)
    except OSError:
        return False
    return True


def test_with_closes():
    with new() as fd:
        number = fd.fileno()
        assert is_open(number)
    assert fd.closed
    assert not is_open(number)


def test_closed_twice_is_closed_once():
    fd = new()
    number = fd.fileno()
    fd.close()
    other = os.open(os.devnull, os.O_RDONLY)
    try:
        assert other == number  # the number was given out again
        fd.close()
        assert is_open(other)
    finally:
        os.close(other)


def test_use_after_close():
    fd = new()
    fd.close()
    with pytest.raises(ClosedError) as caught:
        fd.fileno()
    assert isinstance(caught.value, ValueError)
    assert isinstance(caught.value, SyscallError)
    assert caught.value.errno == errno.EBADF
    assert "closed" in str(caught.value)


def test_leak_warns_and_closes():
    held = [new()]
    number = held[0].fileno()
    with pytest.warns(ResourceWarning, match="unclosed <Fd"):
        held.clear()
    assert not is_open(number)


def test_detach_gives_the_descriptor_away():
    fd = new()
    number = fd.detach()
    assert fd.closed
    assert is_open(number)
    os.close(number)


def test_many_threads_close_once():
    closed = []

    class Counting(Fd):
        def _release(self):
            closed.append(1)

    for _ in range(50):
        fd = Counting(os.open(os.devnull, os.O_RDONLY))
        threads = [threading.Thread(target=fd.close) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(closed) == 50


def test_a_child_does_not_release_what_the_parent_made(tmp_path):
    mark = tmp_path / "released"

    class Marking(Fd):
        def _release(self):
            mark.write_text(str(os.getpid()))

    fd = Marking(os.open(os.devnull, os.O_RDONLY))
    pid = os.fork()
    if not pid:
        fd.close()
        os._exit(0)
    assert os.waitpid(pid, 0)[1] == 0
    assert not mark.exists()
    assert is_open(fd.fileno())
    fd.close()
    assert mark.read_text() == str(os.getpid())


def test_without_a_descriptor():
    released = []

    class Bare(Fd):
        def _release(self):
            released.append(1)

    with Bare() as bare:
        assert bare.fileno() == -1
    assert released == [1]


def test_close_all_leaves_none_open():
    class Stuck(Fd):
        def _release(self):
            raise SyscallError(errno.EBUSY, "detach", "a link")

    live = [new(), Stuck(os.dup(0)), new(), Stuck(os.dup(0))]
    numbers = [fd.fileno() for fd in live]
    with pytest.raises(SyscallError, match="a link"):
        close_all(live)
    assert not any(map(is_open, numbers))
