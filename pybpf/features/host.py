"""Facts about the machine that decide what BPF may do: configuration, mounts, switches, limits, capabilities."""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

_config: dict[str, str] | None = None


def kernel_config(name: str) -> str | None:
    """An option of the running kernel's configuration ("y", "m", a number, a string), None where it is not set.

    `name` with or without CONFIG_.  NotSupportedError where the kernel does not publish its configuration.
    """
    global _config
    if _config is None:
        _config = _read_config()
    return _config.get(name if name.startswith("CONFIG_") else f"CONFIG_{name}")


def _read_config() -> dict[str, str]:
    release = os.uname().release
    places = ("/proc/config.gz", f"/boot/config-{release}", f"/lib/modules/{release}/config")
    for place in places:
        try:
            with open(place, "rb") as file:
                raw = file.read()
        except OSError:
            continue
        if place.endswith(".gz"):
            from zlib import MAX_WBITS, decompress

            raw = decompress(raw, MAX_WBITS | 16)
        lines = (
            line.partition("=") for line in raw.decode(errors="replace").splitlines() if line.startswith("CONFIG_")
        )
        return {name: value.strip('"') for name, _, value in lines}
    from ..errors import NotSupportedError

    raise NotSupportedError("reading the kernel's configuration", hint=f"none of {', '.join(places)} can be read")


def sysctl(name: str) -> str | None:
    """A file below /proc/sys, by its name with dots; None where it cannot be read."""
    try:
        with open("/proc/sys/" + name.replace(".", "/"), encoding="ascii") as file:
            return file.read().strip()
    except OSError:
        return None


def mounts(fstype: str) -> list[str]:
    """Where file systems of this type ("bpf", "cgroup2", "tracefs") are mounted."""
    with open("/proc/self/mounts", encoding="utf-8", errors="surrogateescape") as file:
        rows = [line.split() for line in file]
    return [row[1].encode().decode("unicode_escape") for row in rows if row[2] == fstype]


def capabilities() -> frozenset[int]:
    """Numbers of the capabilities that this process has in effect."""
    with open("/proc/self/status", encoding="ascii", errors="replace") as file:
        mask = next((int(line.split()[1], 16) for line in file if line.startswith("CapEff:")), 0)
    return frozenset(i for i in range(64) if mask >> i & 1)


class Finding(tuple[str, str, str, str]):
    """One line of a report: `name`, `state` ("ok", "warn", "no"), `detail`, and `remedy` ("" where none is needed)."""

    __slots__ = ()

    def __new__(cls, name: str, state: str, detail: str, remedy: str = "") -> Finding:
        return tuple.__new__(cls, (name, state, detail, remedy))

    @property
    def name(self) -> str:
        return self[0]

    @property
    def state(self) -> str:
        return self[1]

    @property
    def detail(self) -> str:
        return self[2]

    @property
    def remedy(self) -> str:
        return self[3]


def report() -> list[Finding]:
    """Can this process use BPF on this machine?  One finding for each thing that decides it, each with its remedy."""
    return [finding for part in (_syscall, _capabilities, _switches, _limits, _types, _files) for finding in part()]


def _syscall() -> Iterator[Finding]:
    from errno import ENOSYS, EPERM

    from ..errors import BpfError, SyscallError
    from . import have_command

    try:
        have_command(0)
        yield Finding("bpf(2)", "ok", "maps can be created")
    except SyscallError as error:
        remedy = {
            ENOSYS: "boot a kernel with CONFIG_BPF_SYSCALL=y",
            EPERM: "run as root, or give the interpreter CAP_BPF; in a container, allow bpf in seccomp",
        }.get(error.errno or 0, error.hint)
        yield Finding("bpf(2)", "no", str(error).splitlines()[0], remedy)
    except BpfError as error:
        yield Finding("bpf(2)", "no", str(error), "verify and run programs offline: verify(spec), VM(spec)")


def _capabilities() -> Iterator[Finding]:
    have = capabilities()
    needs = {"CAP_BPF": 39, "CAP_PERFMON": 38, "CAP_NET_ADMIN": 12}
    for name, number in needs.items():
        what = {39: "maps and programs", 38: "tracing programs", 12: "network programs"}[number]
        if number in have or 21 in have:  # CAP_SYS_ADMIN implies the newer ones
            by = name if number in have else "CAP_SYS_ADMIN"
            yield Finding(name, "ok", f"{what}: yes, by {by}")
        else:
            yield Finding(name, "no", f"{what}: no", f"run as root, or setcap {name.lower()}+ep on the interpreter")


def _switches() -> Iterator[Finding]:
    unprivileged = sysctl("kernel.unprivileged_bpf_disabled")
    if unprivileged is not None:
        words = {"0": "anybody may load socket filters", "1": "privileged processes only, until reboot"}
        yield Finding(
            "unprivileged_bpf_disabled",
            "ok",
            words.get(unprivileged, "privileged processes only") + f" ({unprivileged})",
        )
    jit = sysctl("net.core.bpf_jit_enable")
    if jit == "0":
        yield Finding("JIT", "warn", "off: programs are interpreted", "sysctl net.core.bpf_jit_enable=1")
    elif jit is not None:
        yield Finding("JIT", "ok", "on" + (", with debug output" if jit == "2" else ""))
    harden = sysctl("net.core.bpf_jit_harden")
    if harden not in (None, "0"):
        who = "unprivileged programs" if harden == "1" else "all programs, which slows them"
        yield Finding("JIT hardening", "ok" if harden == "1" else "warn", f"for {who} ({harden})")
    stats = sysctl("kernel.bpf_stats_enabled")
    if stats == "1":
        yield Finding("run time statistics", "warn", "on: each run is timed", "sysctl kernel.bpf_stats_enabled=0")
    perf = sysctl("kernel.perf_event_paranoid")
    if perf is not None:
        yield Finding("perf_event_paranoid", "ok", f"{perf} (does not bind a process with CAP_PERFMON)")
    kptr = sysctl("kernel.kptr_restrict")
    if kptr == "2":
        yield Finding("kptr_restrict", "warn", "addresses in kallsyms are hidden", "sysctl kernel.kptr_restrict=1")
    lockdown = _read("/sys/kernel/security/lockdown")
    if lockdown and "[confidentiality]" in lockdown:
        yield Finding("lockdown", "no", "confidentiality: kernel memory cannot be read", "boot with lockdown=none")


def _limits() -> Iterator[Finding]:
    import resource

    soft = resource.getrlimit(resource.RLIMIT_MEMLOCK)[0]
    text = "unlimited" if soft == resource.RLIM_INFINITY else f"{soft // 1024} KiB"
    yield Finding("locked memory", "ok", f"{text} (kernels before 5.11 charge maps to it; pybpf raises it when needed)")


def _types() -> Iterator[Finding]:
    from . import have_btf

    if have_btf():
        yield Finding("BTF", "ok", "/sys/kernel/btf/vmlinux")
    else:
        yield Finding(
            "BTF", "warn", "the kernel does not describe its types", "boot a kernel with CONFIG_DEBUG_INFO_BTF=y"
        )
    lsm = _read("/sys/kernel/security/lsm")
    if lsm is not None:
        if "bpf" in lsm.split(","):
            yield Finding("BPF LSM", "ok", f"active ({lsm})")
        else:
            yield Finding("BPF LSM", "warn", f"not active ({lsm})", f"boot with lsm={lsm},bpf")


def _files() -> Iterator[Finding]:
    wanted = {
        "bpf": ("bpffs", "/sys/fs/bpf", "pins"),
        "tracefs": ("tracefs", "/sys/kernel/tracing", "tracepoints and trace-pipe"),
        "cgroup2": ("cgroup v2", "/sys/fs/cgroup", "cgroup programs"),
    }
    for fstype, (name, place, use) in wanted.items():
        found = mounts(fstype)
        if found:
            yield Finding(name, "ok", found[0])
        else:
            yield Finding(name, "warn", f"not mounted, for {use}", f"mount -t {fstype} {name.split()[0]} {place}")


def _read(path: str) -> str | None:
    try:
        with open(path, encoding="ascii", errors="replace") as file:
            return file.read().strip()
    except OSError:
        return None
