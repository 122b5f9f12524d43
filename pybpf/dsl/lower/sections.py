"""What has a beginning and an end in the kernel: sections (`with rcu():`) and iterators (`for task in tasks(None, 0):`).

Both are pairs of kernel functions, and the second is called on every way out of the block.
"""

from __future__ import annotations

from ..objects.values import Const, Front

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ..ssa.build import State
    from .compiler import Compiler


class Section:
    """`rcu`, `no_preempt`: called in a `with` it gives a block in which something holds."""

    def __init__(self, name: str, enter: str, leave: str) -> None:
        self.__name__ = name
        self.enter = enter
        self.leave = leave

    def __call__(self) -> Any:
        from ...errors import SpecError

        raise SpecError(
            f"{self.__name__}() is a section of the kernel: it stands in a program, `with {self.__name__}():`"
        )

    def __bpf_call__(self, c: Compiler, args: list[Front], kw: dict[str, Front], node: Any) -> Front:
        if args or kw:
            c.fail(f"{self.__name__} takes no arguments", node)
        return SectionFront(self)


rcu = Section("rcu", "bpf_rcu_read_lock", "bpf_rcu_read_unlock")
"""`with rcu():` what RCU protects stays while the block runs (Linux 6.2); programs that cannot sleep are always in one."""
no_preempt = Section("no_preempt", "bpf_preempt_disable", "bpf_preempt_enable")
"""`with no_preempt():` nothing else runs on this CPU but interrupts (Linux 6.10)."""


class SectionFront(Front):
    __slots__ = ("section",)

    def __init__(self, section: Section) -> None:
        self.section = section

    def what(self) -> str:
        return f"the section {self.section.__name__}()"

    def block(self, c: Compiler, body: list[Any], node: Any) -> None:
        from .kfunccalls import call_kernel

        if self.section is rcu and c.unit.rcu:
            return c.body(body)  # the verifier refuses one section of RCU in another, also across functions
        outside, c.unit.rcu = c.unit.rcu, c.unit.rcu or self.section is rcu
        call_kernel(c, self.section.enter, [], {}, node)
        within(c, lambda: call_kernel(c, self.section.leave, [], {}, node), body, node)
        c.unit.rcu = outside
        return None


def within(c: Compiler, leave: Any, body: list[Any], node: Any) -> None:
    """Lower a body; `leave` is called on every way out of it."""
    frame = c.frame
    ways: list[list[Any]] = [frame.returns]
    if frame.loops:
        ways += [frame.loops[-1].breaks, frame.loops[-1].continues]
    before = [len(way) for way in ways]
    stays, c.stays = c.stays, c.stays or "this block has an end"
    c.body(body)
    c.stays = stays
    here = c.b.state
    left: list[State] = []
    for way, n in zip(ways, before, strict=True):
        left += [out[0] if isinstance(out, tuple) else out for out in way[n:]]
    for state in left:
        c.b.state, c.b.at = state, node
        leave()
    c.b.state = here
    if here is not None:
        c.b.at = node
        leave()


class KernelIterator:
    """What `kernel_iter` gives: called as the `bpf_iter_..._new` of its kind, it is what a for loop runs over."""

    def __init__(self, name: str) -> None:
        self.__name__ = name

    def __call__(self, *args: Any) -> Any:
        from ...errors import SpecError

        raise SpecError(f"{self.__name__} is an iterator of the kernel: a for loop inside a program runs over it")

    def __bpf_call__(self, c: Compiler, args: list[Front], kw: dict[str, Front], node: Any) -> Front:
        c.fail(f"an iterator of the kernel is what a for loop runs over: for x in {self.__name__}(...)", node)


def kernel_iter(name: str) -> KernelIterator:
    """`tasks = kernel_iter("task")`, then `for task in tasks(None, 0):` in a program: the kernel's open-coded iterators.

    There are "num" (Linux 6.4), "task", "task_vma", "css", "css_task" (6.7), "bits" (6.11), "kmem_cache" (6.14), "dmabuf" (6.17);
    the arguments are those of `bpf_iter_<name>_new` behind the iterator itself.
    """
    return KernelIterator(name)


kernel_iter.__bpf_pure__ = True  # type: ignore[attr-defined]
SINCE = {
    "num": (6, 4), "task": (6, 7), "task_vma": (6, 7), "css": (6, 7), "css_task": (6, 7), "bits": (6, 11),
    "kmem_cache": (6, 14), "dmabuf": (6, 17),
}  # fmt: skip


class Items:
    """A gate (see `gates`) that gives something in each round, until there is nothing more."""

    ends = True
    stays = "this loop has an iterator of the kernel to end"

    def __init__(self, name: str, args: list[Front], node: Any) -> None:
        self.name = name
        self.args = args
        self.node = node
        self.place: Any = None
        self.item: Any = None

    def begin(self, c: Compiler) -> None:
        from ...btf import Btf
        from ...btf.kinds import Kind
        from ...errors import BtfError
        from ..objects import scalars as types
        from .calls import make

        try:
            size = Btf.kernel().find(f"bpf_iter_{self.name}", Kind.STRUCT).size
        except (BtfError, OSError):
            c.fail(f"this kernel has no iterator {self.name!r}", self.node)
        self.place = make(c, types.u64[size // 8], [], {}, self.node)
        self.call(c, "new", *self.args)

    def enter(self, c: Compiler) -> State:
        self.item = self.call(c, "next")
        check = self.item.check or ("null", self.item.pointer_value(c))
        yes, no = c.b.branch("!=", 64, check[1], c.b.const(0))
        yes.facts[check] = True
        c.b.state = yes
        return no

    def end(self, c: Compiler) -> None:
        self.call(c, "destroy")

    def call(self, c: Compiler, what: str, *args: Front) -> Front:
        from .kfunccalls import call_kernel

        return call_kernel(c, f"bpf_iter_{self.name}_{what}", [self.place, *args], {}, self.node)


def kernel_for(c: Compiler, node: Any) -> bool:
    """Lower a for loop over an iterator of the kernel; False when this is none."""
    call = node.iter
    found = _known(c, getattr(call, "func", None))
    if not isinstance(found, KernelIterator):
        return False
    from .calls import arguments
    from .rounds import finish, repeat
    from .statements import store
    from .survey import assigned

    name = found.__name__
    since = SINCE.get(name, SINCE["num"])
    if c.unit.kernel < since:
        c.fail(f"the iterator {name} of the kernel came with Linux {since[0]}.{since[1]}", node)
    args, kw = arguments(c, call)
    if kw:
        c.fail(f"{name} takes its arguments by position", call)
    gate = Items(name, args, call)

    def top() -> list[State]:
        store(c, node.target, gate.item)
        return []

    names = assigned([*node.body, node.target])
    outs, breaks = repeat(c, node, names, {}, top, lambda: (c.b.state, None), gate)
    finish(c, node, outs, breaks)
    return True


def _known(c: Compiler, node: Any) -> Any:
    """The object that a name, or a call of `kernel_iter`, stands for; None for everything else."""
    kind = node.__class__.__name__
    if kind == "Name":
        front = c.state.env.get(node.id)
        if front is not None:
            return getattr(front, "obj", None)
        return c.frame.scope.get(node.id, c.frame.fn.__globals__.get(node.id))
    if kind == "Attribute":
        return getattr(_known(c, node.value), node.attr, None)
    if kind == "Call" and _known(c, node.func) is kernel_iter:
        front = c.expr(node)
        return front.obj if isinstance(front, Const) else None
    return None


__all__ = ["KernelIterator", "Section", "kernel_for", "kernel_iter", "no_preempt", "rcu", "within"]
