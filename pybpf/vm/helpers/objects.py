"""Objects that programs allocate, and the lists and trees that hold them.

A list or tree is kept beside the memory of its head, in `Memory.collections`; its nodes are the addresses that programs know.
"""

from __future__ import annotations

from errno import EINVAL

from ...errors import VmFault
from .table import kfunc

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..run import Run


@kfunc(2)
def bpf_obj_new_impl(run: Run, local_type_id: int, meta: int) -> int:
    """Zeroed memory of the size that the program's BTF gives the type."""
    from ...btf import Btf
    from ...errors import BtfError

    given = run.image.spec.btf
    if not given:
        raise VmFault(f"bpf_obj_new: the program has no BTF that would say how large type {local_type_id} is")
    try:
        type_ = (given if isinstance(given, Btf) else Btf.parse(given)).type(local_type_id)
    except BtfError as error:
        raise VmFault(f"bpf_obj_new: {error}") from None
    address = run.mem.add(bytearray(type_.size), f"object of struct {type_.name}")
    run.mem.references[address >> 32] = 1
    return address


@kfunc(2)
def bpf_percpu_obj_new_impl(run: Run, local_type_id: int, meta: int) -> int:
    return bpf_obj_new_impl(run, local_type_id, meta) or 0


@kfunc(2)
def bpf_obj_drop_impl(run: Run, p: int, meta: int) -> int:
    """Give one reference back; the memory is unmapped with the last."""
    left = run.mem.references.get(p >> 32, 0) - 1
    if left < 0:
        raise VmFault(f"bpf_obj_drop: 0x{p:x} is no object that the program allocated, or was dropped already")
    run.mem.references[p >> 32] = left
    if not left:
        del run.mem.references[p >> 32]
        run.mem.remove(p)
    return 0


@kfunc(2)
def bpf_percpu_obj_drop_impl(run: Run, p: int, meta: int) -> int:
    return bpf_obj_drop_impl(run, p, meta) or 0


@kfunc(2)
def bpf_refcount_acquire_impl(run: Run, p: int, meta: int) -> int:
    if p >> 32 not in run.mem.references:
        raise VmFault(f"bpf_refcount_acquire: 0x{p:x} is no object that the program allocated")
    run.mem.references[p >> 32] += 1
    return p


def _members(run: Run, head: int) -> list[int]:
    run.mem.load(head, 8)  # faults where there is no memory
    return run.mem.collections.setdefault(head, [])


def _insert(run: Run, head: int, node: int, at: int, off: int) -> int:
    """Enter a node; one that is in a list or tree already is refused, and its reference given back, as in the kernel."""
    if any(node in members for members in run.mem.collections.values()):
        bpf_obj_drop_impl(run, node - (off & 0xFFFFFFFF), 0)
        return -EINVAL
    _members(run, head).insert(at, node)
    return 0


def _taken(run: Run, head: int, at: int) -> int:
    members = _members(run, head)
    return members.pop(at) if members else 0


@kfunc(4)
def bpf_list_push_front_impl(run: Run, head: int, node: int, meta: int, off: int) -> int:
    return _insert(run, head, node, 0, off)


@kfunc(4)
def bpf_list_push_back_impl(run: Run, head: int, node: int, meta: int, off: int) -> int:
    return _insert(run, head, node, len(_members(run, head)), off)


@kfunc(1)
def bpf_list_pop_front(run: Run, head: int) -> int:
    return _taken(run, head, 0)


@kfunc(1)
def bpf_list_pop_back(run: Run, head: int) -> int:
    return _taken(run, head, -1)


@kfunc(1)
def bpf_list_front(run: Run, head: int) -> int:
    return next(iter(_members(run, head)), 0)


@kfunc(1)
def bpf_list_back(run: Run, head: int) -> int:
    return next(reversed(_members(run, head)), 0)


@kfunc(5)
def bpf_rbtree_add_impl(run: Run, root: int, node: int, less: int, meta: int, off: int) -> int:
    """Behind every node that is not greater, in the order of the program's own `less`."""
    members = _members(run, root)
    at = next((i for i, other in enumerate(members) if run.callback(less, node, other)), len(members))
    return _insert(run, root, node, at, off)


@kfunc(2)
def bpf_rbtree_remove(run: Run, root: int, node: int) -> int:
    members = _members(run, root)
    if node not in members:
        return 0
    members.remove(node)
    return node


@kfunc(1)
def bpf_rbtree_first(run: Run, root: int) -> int:
    return next(iter(_members(run, root)), 0)


# A tree as programs walk it.  Ours is as flat as a tree of so many nodes can be; the kernel's is balanced by colours, so the
# same node may stand elsewhere, but what is less is on the left in both.


def _child(members: list[int], low: int, high: int) -> int:
    """The node over a run of members: the one in the middle."""
    return members[(low + high) // 2] if low < high else 0


def _children(run: Run, root: int, node: int) -> tuple[int, int]:
    """The nodes on the left and on the right of `node`; 0 for none, or when it is not in this tree."""
    members = _members(run, root)
    if node not in members:
        return 0, 0
    wanted, low, high = members.index(node), 0, len(members)
    while (middle := (low + high) // 2) != wanted:
        low, high = (low, middle) if wanted < middle else (middle + 1, high)
    return _child(members, low, middle), _child(members, middle + 1, high)


@kfunc(1)
def bpf_rbtree_root(run: Run, root: int) -> int:
    members = _members(run, root)
    return _child(members, 0, len(members))


@kfunc(2)
def bpf_rbtree_left(run: Run, root: int, node: int) -> int:
    return _children(run, root, node)[0]


@kfunc(2)
def bpf_rbtree_right(run: Run, root: int, node: int) -> int:
    return _children(run, root, node)[1]
