"""The string kfuncs (Linux 6.17): places and lengths in NUL-terminated text, which is read one byte after the other."""

from __future__ import annotations

from errno import E2BIG, EFAULT, ENOENT, ERANGE

from ..memory import MemoryFault
from .table import kfunc

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from ..run import Run

_MOST = 65536  # XATTR_SIZE_MAX: where the kernel gives up


class _Text:
    """A string in kernel memory; reading past its region is the fault that the kernel's access would be."""

    def __init__(self, run: Run, address: int) -> None:
        found = None if run.mem.is_user(address) else run.mem.region(address)
        if found is None:
            raise _BadAddressError
        self.data, self.start = found

    def __getitem__(self, index: int) -> int:
        try:
            return self.data[self.start + index]
        except IndexError:
            raise MemoryFault("", 0, "") from None


class _BadAddressError(Exception):
    pass


def _guarded(run: Run, work: Callable[..., int], *addresses: int) -> int:
    try:
        return work(*(_Text(run, a) for a in addresses))
    except _BadAddressError:
        return -ERANGE
    except MemoryFault:
        return -EFAULT


def _compare(run: Run, s1: int, s2: int, fold: bool) -> int:
    def work(a: _Text, b: _Text) -> int:
        for i in range(_MOST):
            x, y = a[i], b[i]
            if fold:
                x, y = (c + 32 if 65 <= c <= 90 else c for c in (x, y))
            if x != y:
                return -1 if x < y else 1
            if not x:
                return 0
        return -E2BIG

    return _guarded(run, work, s1, s2)


@kfunc(2)
def bpf_strcmp(run: Run, s1: int, s2: int) -> int:
    return _compare(run, s1, s2, False)


@kfunc(2)
def bpf_strcasecmp(run: Run, s1: int, s2: int) -> int:
    return _compare(run, s1, s2, True)


@kfunc(3)
def bpf_strnchr(run: Run, s: int, count: int, c: int) -> int:
    def work(text: _Text) -> int:
        for i in range(min(count, _MOST)):
            if text[i] == c & 0xFF:
                return i
            if not text[i]:
                return -ENOENT
        return -E2BIG if count >= _MOST else -ENOENT

    return _guarded(run, work, s)


@kfunc(2)
def bpf_strchr(run: Run, s: int, c: int) -> int:
    return bpf_strnchr(run, s, _MOST, c) or 0


@kfunc(2)
def bpf_strchrnul(run: Run, s: int, c: int) -> int:
    def work(text: _Text) -> int:
        for i in range(_MOST):
            if text[i] in (c & 0xFF, 0):
                return i
        return -E2BIG

    return _guarded(run, work, s)


@kfunc(2)
def bpf_strrchr(run: Run, s: int, c: int) -> int:
    def work(text: _Text) -> int:
        last = -ENOENT
        for i in range(_MOST):
            if text[i] == c & 0xFF:
                last = i
            if not text[i]:
                return last
        return -E2BIG

    return _guarded(run, work, s)


@kfunc(2)
def bpf_strnlen(run: Run, s: int, count: int) -> int:
    def work(text: _Text) -> int:
        for i in range(min(count, _MOST)):
            if not text[i]:
                return i
        return -E2BIG if count >= _MOST else count

    return _guarded(run, work, s)


@kfunc(1)
def bpf_strlen(run: Run, s: int) -> int:
    return bpf_strnlen(run, s, _MOST) or 0


def _span(run: Run, s: int, others: int, inside: bool) -> int:
    """How many characters at the beginning are (or are not) among `others`."""

    def work(text: _Text, set_: _Text) -> int:
        for i in range(_MOST):
            if not text[i]:
                return i
            for j in range(_MOST):
                if set_[j] in (text[i], 0):
                    break
            else:
                return -E2BIG
            if bool(set_[j]) != inside:
                return i
        return -E2BIG

    return _guarded(run, work, s, others)


@kfunc(2)
def bpf_strspn(run: Run, s: int, accept: int) -> int:
    return _span(run, s, accept, True)


@kfunc(2)
def bpf_strcspn(run: Run, s: int, reject: int) -> int:
    return _span(run, s, reject, False)


@kfunc(3)
def bpf_strnstr(run: Run, s1: int, s2: int, length: int) -> int:
    def work(text: _Text, wanted: _Text) -> int:
        for i in range(_MOST):
            j = 0
            while i + j <= length and j < _MOST:
                if not wanted[j]:
                    return i
                if i + j == length:
                    break
                if not text[i + j]:
                    return -ENOENT
                if text[i + j] != wanted[j]:
                    break
                j += 1
            if j == _MOST:
                return -E2BIG
            if i + j == length:
                return -ENOENT
        return -E2BIG

    return _guarded(run, work, s1, s2)


@kfunc(2)
def bpf_strstr(run: Run, s1: int, s2: int) -> int:
    return bpf_strnstr(run, s1, s2, _MOST) or 0
