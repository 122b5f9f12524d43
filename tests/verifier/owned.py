"""The library of types for tests of objects that programs allocate, of lists and trees, and of pointers kept in maps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pybpf import MapSpec
from pybpf.uapi.map import MapType

if TYPE_CHECKING:
    from types import ModuleType


def library(cases: ModuleType) -> Any:
    t = cases.Types()
    for name, size in (
        ("list_head", 16),
        ("list_node", 24),
        ("rb_root", 16),
        ("rb_node", 32),
        ("timer", 16),
        ("wq", 16),
    ):
        t.struct(f"bpf_{name}", size, ("opaque", f"u64[{size // 8}]", 0))
    for name in ("spin_lock", "res_spin_lock", "refcount"):
        t.struct(f"bpf_{name}", 4, ("val", "u32", 0))
    t.struct("plain", 16, ("a", "u64", 0), ("b", "u64", 8))
    t.struct("big", 600, ("a", "char[600]", 0))
    t.struct("in_list", 32, ("key", "u64", 0), ("l", "bpf_list_node", 8))
    t.struct("in_tree", 40, ("key", "u64", 0), ("r", "bpf_rb_node", 8))
    t.struct("other", 40, ("r", "bpf_rb_node", 0), ("key", "u64", 32))
    members = (("l", "bpf_list_node", 8), ("r", "bpf_rb_node", 32), ("c", "bpf_refcount", 64), ("pad", "u32", 68))
    t.struct("shared", 72, ("key", "u64", 0), *members)
    t.struct("task_struct", 8, ("a", "u64", 0))
    t.struct("cgroup", 8, ("a", "u64", 0))
    t.struct("holder", 16, ("a", "u64", 0), ("task", "&kptr task_struct*", 8))
    t.struct(
        "roots",
        104,
        ("lock", "bpf_spin_lock", 0),
        ("a", "u32", 4),
        ("head", "bpf_list_head", 8, "contains:in_list:l"),
        ("root", "bpf_rb_root", 24, "contains:in_tree:r"),
        ("head2", "bpf_list_head", 40, "contains:shared:l"),
        ("root2", "bpf_rb_root", 56, "contains:shared:r"),
        ("b", "u64", 72),
        ("c", "u64", 80),
        ("root3", "bpf_rb_root", 88, "contains:other:r"),
    )
    t.struct(
        "pointers",
        72,
        ("a", "u64", 0),
        ("task", "&kptr task_struct*", 8),
        ("plain", "&kptr plain*", 16),
        ("loose", "&kptr_untrusted task_struct*", 24),
        ("each", "&percpu_kptr plain*", 32),
        ("holder", "&kptr holder*", 40),
        ("cgroup", "&kptr cgroup*", 48),
        ("shared", "&kptr shared*", 56),
        ("lock", "bpf_spin_lock", 64),
        ("pad", "u32", 68),
    )
    t.struct("locked", 16, ("a", "u64", 0), ("lock", "bpf_spin_lock", 8), ("b", "u32", 12))
    t.struct("resilient", 16, ("lock", "bpf_res_spin_lock", 0), ("b", "u32", 4), ("c", "u64", 8))
    t.struct("timed", 40, ("a", "u64", 0), ("timer", "bpf_timer", 8), ("wq", "bpf_wq", 24))
    for name in ("f", "g"):
        t.function(f"static {name}(void*, void*)")
    t.function("outer(int)")
    return t


def maps(t: Any) -> dict[str, MapSpec]:
    names = ("roots", "pointers", "locked", "resilient", "timed", "plain")
    made = {name: t.map(MapType.ARRAY, name, name=name) for name in names}
    made["two"] = t.map(MapType.ARRAY, "roots", 2, name="two")
    made["hash"] = t.map(MapType.HASH, "timed", 4, name="hash")
    made["ring"] = MapSpec(MapType.RINGBUF, 0, 0, 4096, name="ring")
    made["untyped"] = MapSpec(MapType.ARRAY, 4, 16, 1, name="untyped")
    return made
