"""`Environment`: the world around a program, as fields that a test sets."""

from __future__ import annotations

import random

from ..errors import KindError, SpecError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any

    from ..btf import Btf
    from .sockets import PseudoSocket


_NUMBERS = frozenset(
    (
        *("time_ns", "tai_offset", "pid", "tgid", "uid", "gid", "cpu", "cpus", "numa_node", "cgroup_id"),
        *("cgroup_classid", "route_realm", "socket_cookie", "netns_cookie", "attach_cookie", "func_ip", "return_value"),
        *("jiffies_hz", "may_goto_limit"),
    )
)


class Environment:
    """What helpers tell a program about its machine.

    Time is in nanoseconds: `time_ns` since boot, to which `tai_offset` is added for the TAI clock; it stands still
    unless the test (or `vm.advance`) moves it.  `pid` is the thread and `tgid` the process (the same unless given),
    `comm` its name, `cpu` of `cpus` where it runs, `stack` and `user_stack` what the stack helpers see, innermost
    address first.  `routes` answers `bpf_fib_lookup` (see `Route`; `forwarding` says whether the machine
    forwards packets at all), `sockets` the socket look-ups, `devices` maps an
    ifindex to its MTU, `kallsyms` and `variables` map names of the kernel to addresses.  `sysctl` holds what the sysctl
    helpers read and write ("name", "current", "new"), `socket_options` options by (level, name) of sockets that are
    not pseudo ones.  `tcp_option_room` is how many bytes the
    options of a TCP header may grow, `saved_syn` the SYN of a connection from its TCP header on.
    `tunnel_key` (a `bpf_tunnel_key`), `tunnel_options` and `xfrm_states` go with a packet; `counters` are
    (count, time enabled, time running) of a perf event, `branches` the bytes of its branch records; `registers` are
    the fields of the current task's `pt_regs`, `areas` its memory as (begin, end, VM_* flags) in order (what the test put
    into user memory unless given), `tasks` other tasks (see `Task`), `connections` the tracked ones (see
    `Connection`).  `paths` maps the address of a struct path to its text, `file_sockets` that of a struct file to that
    of its struct socket, `ima_hashes` that of a struct file or inode to its digest, whose length says by which
    algorithm.  `btf` has the kernel's own types (a `Btf`): those of the running kernel, where it has BTF, unless given.
    """

    _complete = False
    tai_offset = 0
    numa_node = 0
    cgroup_ancestors: tuple[int, ...] = ()
    cgroup_classid = 0
    route_realm = 0
    socket_cookie = 1
    netns_cookie = 1
    under_cgroup: frozenset[int] = frozenset()
    stack: Iterable[int] = ()
    user_stack: Iterable[int] = ()
    forwarding = True
    tcp_option_room = 40
    saved_syn = b""
    tunnel_key: Any = None
    tunnel_options = b""
    counters = (0, 0, 0)
    branches = b""
    btf: Btf | None = None
    attach_cookie = 0
    func_ip = 0
    return_value = 0
    jiffies_hz = 250
    may_goto_limit = 1 << 23

    def __init__(
        self,
        *,
        time_ns: int = 0,
        pid: int = 1,
        tgid: int | None = None,
        uid: int = 0,
        gid: int = 0,
        comm: str | bytes = "pybpf",
        cpu: int = 0,
        cpus: int = 4,
        seed: int = 0,
        cgroup_id: int = 1,
        **fields: Any,
    ) -> None:
        self.time_ns = time_ns
        self.pid = pid
        self.tgid = pid if tgid is None else tgid
        self.uid = uid
        self.gid = gid
        self.comm = comm
        self.cpus = cpus
        self.cpu = cpu
        if not hasattr(seed, "__index__"):
            raise KindError(f"seed is {seed!r}: expected a whole number")
        self.random = random.Random(seed)
        self.cgroup_id = cgroup_id
        self.routes: list[Route] = []
        self.sockets: list[PseudoSocket] = []
        self.devices: dict[int, int] = {}
        self.sysctl: dict[str, bytes] = {}
        self.socket_options: dict[tuple[int, int], bytes] = {}
        self.xfrm_states: list[Any] = []
        self.registers: dict[str, int] = {}
        self.tasks: list[Task] = []
        self.connections: list[Connection] = []
        self.areas: list[tuple[int, int, int]] = []
        self.paths: dict[int, str] = {}
        self.file_sockets: dict[int, int] = {}
        self.ima_hashes: dict[int, bytes] = {}
        self.variables: dict[str, int] = {}
        self.layouts: dict[tuple[str, str], tuple[int, int] | None] = {}
        self.kallsyms: Mapping[str, int] = {}
        for name, value in fields.items():
            if not hasattr(self, name):
                raise KindError(f"VM() has no argument and the environment no field {name!r}")
            setattr(self, name, value)
        self._complete = True

    def __setattr__(self, name: str, value: Any) -> None:
        """Set a field.  KindError for one that there is not, and for what is no number where one belongs."""
        if self._complete and not hasattr(self, name):
            from difflib import get_close_matches

            near = get_close_matches(name, dir(self), 1)
            raise KindError(f"the environment has no field {name!r}{f': did you mean {near[0]!r}?' if near else ''}")
        if name in _NUMBERS and not hasattr(value, "__index__"):
            raise KindError(f"{name} is {value!r}: expected a whole number")
        if name == "comm" and not isinstance(value, (str, bytes)):
            raise KindError(f"comm is {value!r}: expected text or bytes")
        if (name == "cpu" and not 0 <= value < getattr(self, "cpus", value + 1)) or (name == "cpus" and value < 1):
            raise SpecError(f"{name}={value} on a machine of {getattr(self, 'cpus', value)} CPUs (VM(..., cpus=n))")
        super().__setattr__(name, value)
        if name == "btf":
            self.layouts = {}

    @property
    def kernel_btf(self) -> Btf | None:
        """The kernel's types: `btf`, or those of the running kernel; None where it has no BTF."""
        if self.btf is None:
            from ..btf import Btf
            from ..errors import BtfError

            try:
                return Btf.kernel()
            except (BtfError, OSError):
                return None
        return self.btf

    @property
    def comm_bytes(self) -> bytes:
        """The name as the kernel keeps it: 16 bytes, the last of them NUL."""
        return _comm(self.comm)


class Task:
    """A task beside the current one, in `env.tasks`: a thread `pid` of process `tgid` (the same unless given)."""

    def __init__(self, pid: int, *, tgid: int | None = None, comm: str | bytes = "") -> None:
        self.pid = pid
        self.tgid = pid if tgid is None else tgid
        self.comm = comm

    @property
    def comm_bytes(self) -> bytes:
        return _comm(self.comm)


def _comm(name: str | bytes) -> bytes:
    """A name as the kernel keeps it: 16 bytes, the last of them NUL."""
    raw = name.encode() if isinstance(name, str) else name
    return raw[:15].ljust(16, b"\0")


class Connection:
    """A tracked connection, in `env.connections`, as `bpf_skb_ct_lookup` finds it, by what it said and what answers.

    `source` and `destination` are addresses ("10.0.0.1"), `protocol` 6 (TCP) or 17 (UDP), `status` the IPS_* flags,
    `mark` and `zone` numbers, `timeout` in milliseconds.
    """

    def __init__(
        self,
        source: str,
        destination: str,
        *,
        sport: int,
        dport: int,
        protocol: int = 6,
        status: int = 8,
        mark: int = 0,
        zone: int = 0,
        timeout: int = 0,
    ) -> None:
        from ipaddress import ip_address

        ends = ip_address(source).packed + ip_address(destination).packed
        self._begin((protocol, zone, ends + sport.to_bytes(2, "big") + dport.to_bytes(2, "big")), status, mark, timeout)

    @classmethod
    def of_key(cls, key: tuple[int, int, bytes]) -> Connection:
        """A new one, not tracked yet, from protocol, zone, and addresses and ports as in `struct bpf_sock_tuple`."""
        made = cls.__new__(cls)
        made._begin(key, 0, 0, 10_000)
        return made

    def _begin(self, key: tuple[int, int, bytes], status: int, mark: int, timeout: int) -> None:
        protocol, zone, raw = key
        half = (len(raw) - 4) // 2
        self.key = key
        self.reply = protocol, zone, raw[half : 2 * half] + raw[:half] + raw[-2:] + raw[-4:-2]
        self.status, self.mark, self.timeout = status, mark, timeout


class Route:
    """A row of a routing table for `bpf_fib_lookup`.

    `network` is an address with prefix length ("10.0.0.0/8", "2001:db8::/32"); the frame goes out of `ifindex` to
    `dmac` from `smac`, through `gateway` (of either family) when there is one.  `dmac` is None when the neighbour is
    not known.  `source` is the address that a local sender would take, `metric` the row's (0 for IPv4 and 1024 for IPv6
    unless given), `table` the number of the table: 254 is the main one, 255 that of local addresses.
    `mtu` is one that the row locks (others do not count), 0 that of the device in `env.devices`, or no limit.
    `result` is what the helper returns (`FibLookupRet`): 1 for a black hole, 2 unreachable, 3 prohibited, 4 for one
    that is not forwarded (local), 6 for a tunnel.
    """

    def __init__(
        self,
        network: str,
        ifindex: int,
        *,
        dmac: bytes | None = bytes(6),
        smac: bytes = bytes(6),
        gateway: str | None = None,
        source: str | None = None,
        metric: int | None = None,
        table: int = 254,
        mtu: int = 0,
        result: int = 0,
    ) -> None:
        from ipaddress import ip_address, ip_network

        self.network = ip_network(network)
        self.ifindex = ifindex
        self.dmac = dmac
        self.smac = smac
        self.gateway = None if gateway is None else ip_address(gateway)
        self.source = None if source is None else ip_address(source)
        self.metric = metric if metric is not None else 1024 if self.network.version == 6 else 0
        self.table = table
        self.mtu = mtu
        self.result = result
