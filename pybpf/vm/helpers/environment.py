"""Helpers that tell about the world: time, chance, the current task, cgroups and CPUs."""

from __future__ import annotations

from errno import EINVAL, ENOENT

from .table import model

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..run import Run

_CURRENT_TASK = "struct task_struct of the current task"


@model
def ktime_get_ns(run: Run) -> int:
    return run.env.time_ns


@model
def ktime_get_boot_ns(run: Run) -> int:
    return run.env.time_ns


@model
def ktime_get_coarse_ns(run: Run) -> int:
    return run.env.time_ns


@model
def ktime_get_tai_ns(run: Run) -> int:
    return run.env.time_ns + run.env.tai_offset


@model
def jiffies64(run: Run) -> int:
    return run.env.time_ns * run.env.jiffies_hz // 1_000_000_000


@model
def get_prandom_u32(run: Run) -> int:
    return run.env.random.getrandbits(32)


@model
def get_smp_processor_id(run: Run) -> int:
    return run.env.cpu


@model
def get_numa_node_id(run: Run) -> int:
    return run.env.numa_node


@model
def get_current_pid_tgid(run: Run) -> int:
    return run.env.tgid << 32 | run.env.pid


@model
def get_current_uid_gid(run: Run) -> int:
    return run.env.gid << 32 | run.env.uid


@model
def get_current_comm(run: Run, buf: int, size: int) -> int:
    raw = run.env.comm_bytes
    size &= 0xFFFFFFFF
    run.mem.write(buf, raw[:size] if size >= 16 else raw[: size - 1] + b"\0" if size else b"")
    return 0


@model
def get_ns_current_pid_tgid(run: Run, dev: int, ino: int, nsdata: int, size: int) -> int:
    if size != 8:
        return -EINVAL
    run.mem.write(nsdata, run.env.pid.to_bytes(4, "little") + run.env.tgid.to_bytes(4, "little"))
    return 0


@model
def get_current_task(run: Run) -> int:
    return run.current_task()


@model
def get_current_task_btf(run: Run) -> int:
    return run.current_task()


@model
def get_current_cgroup_id(run: Run) -> int:
    return run.env.cgroup_id


def ancestors(run: Run) -> tuple[int, ...]:
    """The ids of the cgroups from the root down to the current one."""
    return (*run.env.cgroup_ancestors, run.env.cgroup_id)


@model
def get_current_ancestor_cgroup_id(run: Run, level: int) -> int:
    chain, level = ancestors(run), level & 0xFFFFFFFF
    return chain[level] if level < len(chain) else 0


@model
def skb_cgroup_id(run: Run, skb: int) -> int:
    return run.env.cgroup_id


@model
def skb_ancestor_cgroup_id(run: Run, skb: int, level: int) -> int:
    return get_current_ancestor_cgroup_id(run, level) or 0


@model
def get_cgroup_classid(run: Run, skb: int) -> int:
    return run.env.cgroup_classid


@model
def skb_cgroup_classid(run: Run, skb: int) -> int:
    return run.env.cgroup_classid


@model
def get_route_realm(run: Run, skb: int) -> int:
    return run.env.route_realm


@model
def current_task_under_cgroup(run: Run, map: int, index: int) -> int:
    return _under(run, map, index)


@model
def skb_under_cgroup(run: Run, skb: int, map: int, index: int) -> int:
    return _under(run, map, index)


def _under(run: Run, map: int, index: int) -> int:
    found = run.map(map)
    index &= 0xFFFFFFFF
    if index >= found.max_entries:
        return -7
    target = run.references(found).target(index.to_bytes(4, "little"))
    if target is None:
        return -11
    return int(target == run.env.cgroup_id or target in run.env.cgroup_ancestors)


@model
def get_attach_cookie(run: Run, ctx: int) -> int:
    return run.env.attach_cookie


@model
def get_func_ip(run: Run, ctx: int) -> int:
    return run.env.func_ip


@model
def get_func_arg(run: Run, ctx: int, n: int, value: int) -> int:
    n &= 0xFFFFFFFF
    if n >= run.ctx.arguments:
        return -EINVAL
    run.mem.store(value, 8, run.ctx.load(n * 8, 8))
    return 0


@model
def get_func_arg_cnt(run: Run, ctx: int) -> int:
    return run.ctx.arguments


@model
def get_func_ret(run: Run, ctx: int, value: int) -> int:
    """What stands behind the arguments; where nothing was given there, the environment's `return_value`."""
    at = 8 * run.ctx.arguments
    given = run.ctx.load(at, 8) if at + 8 <= len(run.ctx.data) else 0
    run.mem.store(value, 8, given or run.env.return_value)
    return 0


@model
def kallsyms_lookup_name(run: Run, name: int, name_sz: int, flags: int, res: int) -> int:
    if flags:
        return -EINVAL
    found = run.env.kallsyms.get(run.mem.string(name, name_sz).decode(errors="replace"))
    run.mem.store(res, 8, found or 0)
    return 0 if found else -ENOENT


@model
def get_netns_cookie(run: Run, ctx: int) -> int:
    return run.env.netns_cookie


@model
def get_socket_cookie(run: Run, ctx: int) -> int:
    socket = run.mem.owner(ctx)
    return getattr(socket, "cookie", run.env.socket_cookie)


@model
def get_socket_uid(run: Run, skb: int) -> int:
    return run.env.uid
