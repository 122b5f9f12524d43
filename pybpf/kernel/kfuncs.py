"""`kfunc(name)`: what the verifier wants of each argument of a kernel function, what it gives, and what it holds or releases.

BTF tells the C prototypes, but not the flags that the kernel registers its functions with; the table is written by hand from
the kernel's documentation (Documentation/bpf/kfuncs.rst, cpumasks.rst, the suffixes of the arguments' names in BTF, and the
comments at each function), for Linux 6.12 and later.  The tests ask the running kernel about right and wrong calls.

A line is `name: argument ... -> result [effects]`.

    num            a number
    any            not looked at (`__ign`)
    ctx            the context pointer that the program was given
    trusted:T      a valid pointer to the kernel's struct T (KF_TRUSTED_ARGS)
    rcu:T          the same, or one that RCU protects (KF_RCU)
    own:T          a reference to a struct T, which the call releases (KF_RELEASE)
    iter.new:I iter.next:I iter.end:I     an iterator I on the stack
    dynptr dynptr.skb dynptr.xdp dynptr.clone      a dynptr on the stack; one to be made
    slice          a buffer, or NULL, whose constant size is the next argument, `size`
    irq.save irq.restore   8 bytes of stack for the state of interrupts

Results are `int`, `void`, a struct's name, `mem4` (read-only memory of 4 bytes), `slice`; `?` behind one: may be NULL.
Effects: `acquire` (the result must be released), `packet`: pointers into the packet are void after the call, and the
functions that are nothing but their effect: `rcu+`, `rcu-`, `preempt+`, `preempt-`.
"""

from __future__ import annotations

TYPE_CHECKING = False

_TABLE = """\
bpf_rcu_read_lock: -> void rcu+
bpf_rcu_read_unlock: -> void rcu-
bpf_preempt_disable: -> void preempt+
bpf_preempt_enable: -> void preempt-
bpf_local_irq_save: irq.save -> void
bpf_local_irq_restore: irq.restore -> void
bpf_iter_num_new: iter.new:num num num -> int
bpf_iter_num_next: iter.next:num -> mem4?
bpf_iter_num_destroy: iter.end:num -> void
bpf_iter_bits_new: iter.new:bits any num -> int
bpf_iter_bits_next: iter.next:bits -> mem4?
bpf_iter_bits_destroy: iter.end:bits -> void
bpf_task_acquire: rcu:task_struct -> task_struct? acquire
bpf_task_release: own:task_struct -> void
bpf_task_from_pid: num -> task_struct? acquire
bpf_task_from_vpid: num -> task_struct? acquire
bpf_task_get_cgroup1: rcu:task_struct num -> cgroup? acquire
bpf_task_under_cgroup: rcu:task_struct rcu:cgroup -> int
bpf_cgroup_acquire: rcu:cgroup -> cgroup? acquire
bpf_cgroup_release: own:cgroup -> void
bpf_cgroup_ancestor: rcu:cgroup num -> cgroup? acquire
bpf_cgroup_from_id: num -> cgroup? acquire
bpf_cpumask_create: -> bpf_cpumask? acquire
bpf_cpumask_acquire: trusted:bpf_cpumask -> bpf_cpumask acquire
bpf_cpumask_release: own:bpf_cpumask -> void
bpf_cpumask_first: rcu:cpumask -> int
bpf_cpumask_first_zero: rcu:cpumask -> int
bpf_cpumask_first_and: rcu:cpumask rcu:cpumask -> int
bpf_cpumask_set_cpu: num rcu:bpf_cpumask -> void
bpf_cpumask_clear_cpu: num rcu:bpf_cpumask -> void
bpf_cpumask_test_cpu: num rcu:cpumask -> int
bpf_cpumask_test_and_set_cpu: num rcu:bpf_cpumask -> int
bpf_cpumask_test_and_clear_cpu: num rcu:bpf_cpumask -> int
bpf_cpumask_setall: rcu:bpf_cpumask -> void
bpf_cpumask_clear: rcu:bpf_cpumask -> void
bpf_cpumask_and: rcu:bpf_cpumask rcu:cpumask rcu:cpumask -> int
bpf_cpumask_or: rcu:bpf_cpumask rcu:cpumask rcu:cpumask -> void
bpf_cpumask_xor: rcu:bpf_cpumask rcu:cpumask rcu:cpumask -> void
bpf_cpumask_equal: rcu:cpumask rcu:cpumask -> int
bpf_cpumask_intersects: rcu:cpumask rcu:cpumask -> int
bpf_cpumask_subset: rcu:cpumask rcu:cpumask -> int
bpf_cpumask_empty: rcu:cpumask -> int
bpf_cpumask_full: rcu:cpumask -> int
bpf_cpumask_copy: rcu:bpf_cpumask rcu:cpumask -> void
bpf_cpumask_any_distribute: rcu:cpumask -> int
bpf_cpumask_any_and_distribute: rcu:cpumask rcu:cpumask -> int
bpf_cpumask_weight: rcu:cpumask -> int
bpf_dynptr_from_skb: ctx num dynptr.skb -> int
bpf_dynptr_from_xdp: ctx num dynptr.xdp -> int
bpf_dynptr_adjust: dynptr num num -> int
bpf_dynptr_is_null: dynptr -> int
bpf_dynptr_is_rdonly: dynptr -> int
bpf_dynptr_size: dynptr -> int
bpf_dynptr_clone: dynptr dynptr.clone -> int
bpf_dynptr_slice: dynptr num slice size -> slice?
bpf_dynptr_slice_rdwr: dynptr num slice size -> slice?
bpf_strlen: any -> int
bpf_strnlen: any num -> int
bpf_strcmp: any any -> int
bpf_strchr: any num -> int
bpf_strstr: any any -> int
"""

ITERATOR_SLOTS = {"num": 1, "bits": 2}
"""Iterator -> how many 8-byte slots of the stack it takes."""


class Kfunc:
    """A kernel function: `name`, `args` as (kind, what of), `returns`, `returns_null` and `effects`."""

    __slots__ = ("args", "effects", "name", "returns", "returns_null")

    def __init__(self, line: str) -> None:
        self.name, _, rest = line.partition(":")
        args, _, result = rest.partition("->")
        self.args: tuple[tuple[str, str], ...] = tuple(
            (kind, of) for kind, _, of in (word.partition(":") for word in args.split())
        )
        words = result.split()
        self.returns = words[0].rstrip("?")
        self.returns_null = words[0].endswith("?")
        self.effects = frozenset(words[1:])

    def __repr__(self) -> str:
        return f"<Kfunc {self.name}>"


_KFUNCS: dict[str, Kfunc] = {}


def kfunc(name: str) -> Kfunc | None:
    """The rules of a kernel function; None when the table does not have it."""
    if not _KFUNCS:
        for line in _TABLE.splitlines():
            found = Kfunc(line)
            _KFUNCS[found.name] = found
    return _KFUNCS.get(name)
