"""From errno to a sentence: what a command of bpf(2) most likely needs.  Loaded when something failed."""

from __future__ import annotations

import errno

CAPABILITIES = {"CAP_NET_ADMIN": 12, "CAP_SYS_ADMIN": 21, "CAP_SYS_RESOURCE": 24, "CAP_PERFMON": 38, "CAP_BPF": 39}


def command_name(command: int | str) -> str:
    """`BPF_MAP_CREATE` for 0; a name given stays."""
    if isinstance(command, str):
        return command
    from ..uapi import Cmd, named

    known = named(Cmd, command)
    return f"BPF_{known.name}" if isinstance(known, Cmd) else f"bpf command {command}"


def remedy(code: int, command: int | str) -> str:
    """The likely remedy for an errno of a command; "" when there is none to name."""
    name = command_name(command)
    special = _SPECIAL.get((name, code))
    if special is None and code in (errno.EPERM, errno.EACCES):
        return _permission(name)
    return special if special is not None else GENERAL.get(code, "")


GENERAL = {
    errno.E2BIG: "an attribute is newer than this kernel, or something is larger than it takes",
    errno.EINVAL: "the kernel lacks this feature or does not take this combination of attributes",
    errno.EBADF: "a descriptor in it is closed or of another kind",
    errno.ENOSYS: "the kernel was built without CONFIG_BPF_SYSCALL",
    errno.ENOMEM: "out of kernel memory, or over the memory limit of the cgroup; smaller maps may fit",
    errno.EMFILE: "too many open descriptors in this process (ulimit -n); close what is no longer used",
    524: "not implemented for this kind of object (ENOTSUPP)",
}
_SPECIAL = {
    ("BPF_MAP_CREATE", errno.E2BIG): "max_entries times the size of an entry is more than a map can have",
    ("BPF_MAP_CREATE", errno.EINVAL): "the map type is unknown here, or its sizes, flags or max_entries are not what "
    "the type demands",
    ("BPF_MAP_UPDATE_ELEM", errno.E2BIG): "the map is full, or the index is past its end",
    ("BPF_MAP_UPDATE_ELEM", errno.EINVAL): "the map does not take these flags or this value",
    ("BPF_PROG_LOAD", errno.E2BIG): "the program has more instructions than the kernel takes (1 000 000, or 4096 "
    "unprivileged), or an attribute is newer than this kernel",
    ("BPF_PROG_LOAD", errno.EINVAL): "the program or attach type is unknown here, or an attribute contradicts it",
    ("BPF_PROG_TEST_RUN", errno.EINVAL): "data too short for this program type (14 bytes for packets), or a context "
    "field that must be zero",
    ("BPF_PROG_TEST_RUN", 524): "this program type cannot be test-run; attach it instead",
    ("BPF_PROG_TEST_RUN", errno.ENOSPC): "the output buffer is too small for what the program made",
    ("BPF_OBJ_PIN", errno.EINVAL): "the path is not on a bpffs",
    ("BPF_OBJ_PIN", errno.EPERM): "the path is not on a bpffs",
    ("BPF_OBJ_PIN", errno.EACCES): "the directory is not yours to write to: a bpffs is root's, unless it was mounted "
    "with uid= or mode=",
    ("BPF_OBJ_GET", errno.EACCES): "pins are files in a bpffs: this is none, or its mode does not let you open it",
    ("BPF_OBJ_GET", errno.ENOENT): "nothing is pinned there",
    ("BPF_OBJ_PIN", errno.EEXIST): "something is pinned there already: remove the file, or open it with from_pin()",
    ("BPF_TOKEN_CREATE", errno.EINVAL): "the path is not the root of a bpffs",
    ("BPF_TOKEN_CREATE", errno.ENOENT): "the bpffs delegates nothing: mount it with delegate_cmds= and its like",
    ("BPF_TOKEN_CREATE", errno.EOPNOTSUPP): "tokens are for other user namespaces than the first",
    ("setsockopt(SO_ATTACH_BPF)", errno.EINVAL): "the program is not a socket filter",
}


_FOR_ADMINISTRATORS = ("_GET_NEXT_ID", "_GET_FD_BY_ID", "BPF_ENABLE_STATS", "BPF_TASK_FD_QUERY")


def _permission(command: str) -> str:
    """What the process lacks, each thing checked."""
    held = effective_capabilities()
    if held is None:
        return "run as root"
    missing = [name for name in ("CAP_BPF", "CAP_NET_ADMIN", "CAP_PERFMON") if not held >> CAPABILITIES[name] & 1]
    if held >> CAPABILITIES["CAP_SYS_ADMIN"] & 1:
        return (
            "the process has CAP_SYS_ADMIN: a security module, seccomp or a container's user namespace forbids it, "
            "or the object itself does"
        )
    if command.endswith(_FOR_ADMINISTRATORS):
        return "the process lacks CAP_SYS_ADMIN: run as root"
    if not missing:
        return "the process has CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON; this needs CAP_SYS_ADMIN, or is forbidden here"
    sentence = f"the process lacks {', '.join(missing)}: run as root, or grant them (setcap, AmbientCapabilities=)"
    sysctl = unprivileged_bpf_disabled()
    if sysctl:
        sentence += f"; kernel.unprivileged_bpf_disabled is {sysctl}, so nothing is allowed without them"
    return sentence


def effective_capabilities() -> int | None:
    """The effective capabilities of this process as a bit mask; None where /proc does not tell."""
    try:
        with open("/proc/self/status") as status:
            for line in status:
                if line.startswith("CapEff:"):
                    return int(line.split()[1], 16)
    except OSError:
        pass
    return None


def unprivileged_bpf_disabled() -> int | None:
    """The sysctl: 0 allowed, 1 or 2 not; None where it cannot be read."""
    try:
        with open("/proc/sys/kernel/unprivileged_bpf_disabled") as sysctl:
            return int(sysctl.read())
    except (OSError, ValueError):
        return None
