"""SYN cookies: made from the connection with a hash of the machine's own, and recognised again."""

from __future__ import annotations

from errno import EACCES, EINVAL, ENOENT, EPROTONOSUPPORT
from zlib import crc32

from ..sockets import PseudoSocket
from .table import model

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..run import Run

_U32 = 0xFFFFFFFF
_TCP, _LISTEN, _AF_INET6 = 6, 10, 10
_SMALLEST = 20  # a TCP header, and an IPv4 header
_SIZES = {4: (536, 1300, 1440, 1460), 6: (1220, 1420, 1440, 8940)}
"""What a cookie can say of the largest segment, by IP version (`msstab`)."""
_DEFAULT = {4: 536, 6: 1220}
_FIN, _SYN, _RST, _ACK = 1, 2, 4, 16


def _addresses(run: Run, iph: int, version: int) -> bytes:
    return run.mem.read(iph + 12, 8) if version == 4 else run.mem.read(iph + 8, 32)


def _hash(run: Run, iph: int, th: int, version: int, sequence: int) -> int:
    """What the number of a size is added to for a cookie."""
    return crc32(_addresses(run, iph, version) + run.mem.read(th, 4) + sequence.to_bytes(4, "big"), 0x5EED)


def _generate(run: Run, iph: int, th: int, th_len: int, version: int) -> int:
    header = run.mem.read(th, th_len)
    offered = _offered(header[_SMALLEST:]) or _DEFAULT[version]
    sizes = _SIZES[version]
    index = max((i for i, size in enumerate(sizes) if offered >= size), default=0)
    return sizes[index] << 32 | (_hash(run, iph, th, version, int.from_bytes(header[4:8], "big")) + index) & _U32


def _known(run: Run, iph: int, th: int, version: int) -> bool:
    """Whether the acknowledgement is of a cookie that `_generate` made for this connection."""
    header = run.mem.read(th, _SMALLEST)
    cookie = int.from_bytes(header[8:12], "big") - 1 & _U32
    sequence = int.from_bytes(header[4:8], "big") - 1 & _U32
    return (cookie - _hash(run, iph, th, version, sequence)) & _U32 < len(_SIZES[version])


def _offered(options: bytes) -> int:
    """The largest segment that TCP options name, 0 when they name none (`tcp_parse_mss_option`)."""
    found = at = 0
    while at < len(options) and options[at]:
        if options[at] == 1:
            at += 1
            continue
        size = options[at + 1] if at + 1 < len(options) else 0
        if size < 2 or at + size > len(options):
            break
        if options[at] == 2 and size == 4:
            found = int.from_bytes(options[at + 2 : at + 4], "big") or found
        at += size
    return found


def _doff(run: Run, th: int) -> int:
    return (run.mem.load(th + 12, 1) >> 4) * 4


def _raw_generate(run: Run, iph: int, th: int, th_len: int, version: int) -> int:
    th_len &= _U32
    if th_len < _SMALLEST or th_len != _doff(run, th):
        return -EINVAL
    return _generate(run, iph, th, th_len, version)


@model
def tcp_raw_gen_syncookie_ipv4(run: Run, iph: int, th: int, th_len: int) -> int:
    return _raw_generate(run, iph, th, th_len, 4)


@model
def tcp_raw_gen_syncookie_ipv6(run: Run, iph: int, th: int, th_len: int) -> int:
    return _raw_generate(run, iph, th, th_len, 6)


@model
def tcp_raw_check_syncookie_ipv4(run: Run, iph: int, th: int) -> int:
    return 0 if _known(run, iph, th, 4) else -EACCES


@model
def tcp_raw_check_syncookie_ipv6(run: Run, iph: int, th: int) -> int:
    return 0 if _known(run, iph, th, 6) else -EACCES


def _listens(run: Run, sk: int) -> bool:
    socket = run.mem.owner(sk)
    return isinstance(socket, PseudoSocket) and (socket.fields.protocol, socket.fields.state) == (_TCP, _LISTEN)


def _version(run: Run, sk: int, iph: int, iph_len: int) -> int:
    """The IP version of a header, or the error for one that does not fit the socket."""
    version = run.mem.load(iph, 1) >> 4
    if version not in _SIZES:
        return -EPROTONOSUPPORT
    socket = run.mem.owner(sk)
    assert isinstance(socket, PseudoSocket)
    return -EINVAL if version == 6 and (iph_len < 40 or socket.fields.family != _AF_INET6) else version


@model
def tcp_gen_syncookie(run: Run, sk: int, iph: int, iph_len: int, th: int, th_len: int) -> int:
    iph_len, th_len = iph_len & _U32, th_len & _U32
    if th_len < _SMALLEST or th_len != _doff(run, th) or not _listens(run, sk) or iph_len < _SMALLEST:
        return -EINVAL
    if run.mem.load(th + 13, 1) & (_FIN | _SYN | _RST | _ACK) != _SYN:
        return -EINVAL
    version = _version(run, sk, iph, iph_len)
    return version if version < 0 else _generate(run, iph, th, th_len, version)


@model
def tcp_check_syncookie(run: Run, sk: int, iph: int, iph_len: int, th: int, th_len: int) -> int:
    iph_len, th_len = iph_len & _U32, th_len & _U32
    if th_len < _SMALLEST or not _listens(run, sk):
        return -EINVAL
    if run.mem.load(th + 13, 1) & (_SYN | _RST | _ACK) != _ACK:
        return -ENOENT
    if iph_len < _SMALLEST:
        return -EINVAL
    version = _version(run, sk, iph, iph_len)
    if version < 0:
        return version
    return 0 if _known(run, iph, th, version) else -ENOENT
