"""Structures of the kernel that programs read by its own offsets, as far as the BTF of a running kernel gives those, and
the objects of one machine that they stand for: the current task, cgroups.
"""

from __future__ import annotations

from ..uapi import MapType

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from .environment import Connection, Environment, Task
    from .memory import Memory

_PAGE = 4096
_TASK_SIZE = 1 << 14
_VM_READ, _VM_WRITE = 1, 2


def _member(env: Environment, struct: str, name: str) -> tuple[int, int] | None:
    """(offset, size) of a member, also of one in an unnamed struct or union inside; of the whole struct under no name."""
    from ..btf import Struct

    layouts = env.layouts
    if (struct, name) not in layouts:
        try:
            found = env.kernel_btf[struct] if env.kernel_btf is not None else None
            place = None
            if isinstance(found, Struct):
                place = (found[name].offset, found[name].size) if name else (0, found.size)
        except KeyError:
            place = None
        layouts[struct, name] = place
    return layouts[struct, name]


def filled(env: Environment, struct: str, size: int, values: Mapping[str, int | bytes]) -> bytes:
    """Bytes of a struct with some members set; zeros, `size` of them, where its layout is not known."""
    raw = bytearray((_member(env, struct, "") or (0, size))[1])
    for name, value in values.items():
        place = _member(env, struct, name)
        if place is not None:
            at, length = place
            given = value if isinstance(value, bytes) else (value & ((1 << 8 * length) - 1)).to_bytes(length, "little")
            raw[at : at + length] = given[:length].ljust(length, b"\0")
    return bytes(raw)


def task_address(mem: Memory, env: Environment, task: Environment | Task) -> int:
    """The address of the structure of a task beside the current one."""
    fields: dict[str, int | bytes] = {"pid": task.pid, "tgid": task.tgid, "comm": task.comm_bytes}
    return mem.of(task, lambda: filled(env, "task_struct", _TASK_SIZE, fields), f"struct task_struct of {task.pid}")


def connection_address(mem: Memory, env: Environment, connection: Connection) -> int:
    """The address of the structure of a tracked connection, whose mark programs may write."""
    fields: dict[str, int | bytes] = {"status": connection.status, "mark": connection.mark}
    return mem.of(connection, lambda: bytearray(filled(env, "nf_conn", 512, fields)), "struct nf_conn")


def note_status(mem: Memory, env: Environment, connection: Connection) -> None:
    """Let the structure of a connection have its status as it is now."""
    place = _member(env, "nf_conn", "status")
    if place is not None:
        mem.store(connection_address(mem, env, connection) + place[0], place[1], connection.status)


class KernelObjects:
    """What programs reach by pointers that helpers give; made when first asked for, with what the environment says then."""

    def __init__(self, mem: Memory, env: Environment) -> None:
        self.mem = mem
        self.env = env
        self._task = self._css_set = self._registers = 0
        self._cgroups: dict[int, int] = {}
        self._areas: dict[tuple[int, int, int], int] = {}

    def current_task(self) -> int:
        """The address of the current task's structure: memory that has its numbers and name where the kernel's BTF says
        so, and zeros elsewhere.  A test gives its own by replacing the helper.
        """
        if not self._task:
            self._task = self.mem.add(b"", "struct task_struct of the current task")
            self._css_set = self.mem.add(b"", "struct css_set of the current task")
        fields: dict[str, int | bytes] = {
            "pid": self.env.pid,
            "tgid": self.env.tgid,
            "comm": self.env.comm_bytes,
            "group_leader": self._task,
            "cgroups": self._css_set,
        }
        raw = filled(self.env, "task_struct", _TASK_SIZE, fields)
        cgroups = filled(self.env, "css_set", 1 << 10, {"dfl_cgrp": self.cgroup(self.env.cgroup_id)})
        self.mem.readable[self._css_set >> 32] = cgroups
        self.mem.readable[self._task >> 32] = raw
        return self._task

    def tasks(self) -> list[Environment | Task]:
        """The current task, which is the environment, and the others."""
        return [self.env, *self.env.tasks]

    def task(self, task: Environment | Task) -> int:
        """The address of a task's structure."""
        if task is self.env:
            return self.current_task()
        return task_address(self.mem, self.env, task)

    def areas(self) -> list[tuple[int, int, int]]:
        """What is mapped in the current task's memory: (begin, end, flags)."""
        return self.env.areas or [
            (begin, -(-end // _PAGE) * _PAGE, _VM_READ | _VM_WRITE) for begin, end in self.mem.users()
        ]

    def area(self, area: tuple[int, int, int]) -> int:
        """The address of the structure of an area."""
        if area not in self._areas:
            fields = dict(zip(("vm_start", "vm_end", "vm_flags"), area, strict=True))
            raw = filled(self.env, "vm_area_struct", 1 << 8, fields)
            self._areas[area] = self.mem.add(raw, f"struct vm_area_struct of 0x{area[0]:x}")
        return self._areas[area]

    def task_registers(self) -> int:
        """The address of the user registers of the current task, as the environment has them now."""
        from ..kernel.run_context import set_field
        from ..uapi import pt_regs

        made = pt_regs()
        for name, value in self.env.registers.items():
            set_field(made, name, value)
        if not self._registers:
            self._registers = self.mem.add(b"", "struct pt_regs of the current task")
        self.mem.readable[self._registers >> 32] = bytes(made)
        return self._registers

    def cgroup(self, id: int) -> int:
        """The address of a cgroup's structure: opaque memory, one for each id."""
        if id not in self._cgroups:
            node = self.mem.add(filled(self.env, "kernfs_node", 256, {"id": id}), f"struct kernfs_node of cgroup {id}")
            fields = {"kn": node, "level": len(self.env.cgroup_ancestors) if id == self.env.cgroup_id else 0}
            self._cgroups[id] = self.mem.add(filled(self.env, "cgroup", 1 << 12, fields), f"struct cgroup of id {id}")
        return self._cgroups[id]

    def object_of(self, map_type: int, key: int) -> int:
        """The address of the object that a key of a local storage stands for: a pid, the id of a cgroup, or an address."""
        if map_type == MapType.TASK_STORAGE and key in (self.env.pid, self.env.tgid):
            return self.current_task()
        return self.cgroup(key) if map_type == MapType.CGRP_STORAGE and not key >> 63 else key

    def key_of(self, address: int) -> Any:
        """What `object_of` makes such an address of: the other way round."""
        if address == self._task:
            return self.env.pid
        cgroups = (number for number, known in self._cgroups.items() if known == address)
        return self.mem.owner(address) or next(cgroups, address)
