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
    map            a map, as a wide load gives it, or as the kernel's struct bpf_map
    mem mem:N      memory whose size is the next argument, or of N bytes, read and written
    wq func        a bpf_wq in a map's value; a function of the program
    type           the constant id of a type of the kernel
    new drop counted       the constant id of a structure of the program; an object of it, given up; one that counts its owners
    root:K node:K linked:K     of a list or rb tree: its root, while its lock is held; a node to put in; a node that is in
    lock unlock    a bpf_res_spin_lock

`ctx:C` is also taken as the kernel's structure behind the context C; `?` behind an argument: may be NULL.
Results are `int`, `void`, a struct's name, `mem4` (read-only memory of 4 bytes), `slice`, `object` (what `new` or `counted`
named), `node` (of `root`), `cast` (to `type`), `ctx`, `lock` (0, or an error and no lock); `?` behind one: may be NULL.
Effects: `acquire` (the result must be released), `sleep` (sleepable programs only), `common` (with it: programs of any type, in
callbacks that may sleep), `percpu`, `rcu` (RCU keeps the result alive), `throw`, and the functions that are nothing but their
effect: `rcu+`, `rcu-`, `preempt+`, `preempt-`.
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
bpf_dynptr_from_skb: ctx:__sk_buff num dynptr.skb -> int
bpf_dynptr_from_xdp: ctx:xdp_md num dynptr.xdp -> int
bpf_dynptr_adjust: dynptr num num -> int
bpf_dynptr_is_null: dynptr -> int
bpf_dynptr_is_rdonly: dynptr -> int
bpf_dynptr_size: dynptr -> int
bpf_dynptr_clone: dynptr dynptr.clone -> int
bpf_dynptr_slice: dynptr num slice size -> slice?
bpf_dynptr_slice_rdwr: dynptr num slice size -> slice?
bpf_obj_new_impl: new any -> object? acquire
bpf_percpu_obj_new_impl: new:percpu any -> object? acquire percpu
bpf_obj_drop_impl: drop any -> void
bpf_percpu_obj_drop_impl: drop:percpu any -> void
bpf_refcount_acquire_impl: counted any -> object? acquire
bpf_list_push_front_impl: root:list node:list any num -> int
bpf_list_push_back_impl: root:list node:list any num -> int
bpf_list_pop_front: root:list -> node? acquire
bpf_list_pop_back: root:list -> node? acquire
bpf_list_front: root:list -> node?
bpf_list_back: root:list -> node?
bpf_rbtree_add_impl: root:rb node:rb func any num -> int
bpf_rbtree_remove: root:rb linked:rb -> node? acquire
bpf_rbtree_first: root:rb -> node?
bpf_rbtree_root: root:rb -> node?
bpf_rbtree_left: root:rb linked:rb -> node?
bpf_rbtree_right: root:rb linked:rb -> node?
bpf_res_spin_lock: lock -> lock
bpf_res_spin_unlock: unlock -> void
bpf_throw: num -> void throw
bpf_rdonly_cast: any type -> cast
bpf_cast_to_kern_ctx: ctx -> ctx
bpf_arena_alloc_pages: map any num num num -> int sleep common
bpf_arena_free_pages: map any num -> void sleep common
bpf_map_sum_elem_count: map -> int
bpf_wq_init: wq map num -> int
bpf_wq_set_callback_impl: wq func num any -> int
bpf_wq_start: wq num -> int
bpf_iter_task_new: iter.new:task trusted?:task_struct num -> int
bpf_iter_task_next: iter.next:task -> task_struct?
bpf_iter_task_destroy: iter.end:task -> void
bpf_iter_css_new: iter.new:css trusted:cgroup_subsys_state num -> int
bpf_iter_css_next: iter.next:css -> cgroup_subsys_state? rcu
bpf_iter_css_destroy: iter.end:css -> void
bpf_iter_css_task_new: iter.new:css_task trusted:cgroup_subsys_state num -> int
bpf_iter_css_task_next: iter.next:css_task -> task_struct?
bpf_iter_css_task_destroy: iter.end:css_task -> void
bpf_crypto_ctx_create: mem num mem:4 -> bpf_crypto_ctx? acquire sleep
bpf_crypto_ctx_acquire: rcu:bpf_crypto_ctx -> bpf_crypto_ctx? acquire
bpf_crypto_ctx_release: own:bpf_crypto_ctx -> void
bpf_crypto_encrypt: rcu:bpf_crypto_ctx dynptr dynptr dynptr? -> int
bpf_crypto_decrypt: rcu:bpf_crypto_ctx dynptr dynptr dynptr? -> int
bpf_skb_ct_lookup: ctx:__sk_buff mem num mem num -> nf_conn? acquire
bpf_skb_ct_alloc: ctx:__sk_buff mem num mem num -> nf_conn___init? acquire
bpf_xdp_ct_lookup: ctx:xdp_md mem num mem num -> nf_conn? acquire
bpf_xdp_ct_alloc: ctx:xdp_md mem num mem num -> nf_conn___init? acquire
bpf_ct_insert_entry: own:nf_conn___init -> nf_conn? acquire
bpf_ct_release: own:nf_conn -> void
bpf_ct_set_timeout: trusted:nf_conn___init num -> void
bpf_ct_change_timeout: trusted:nf_conn num -> int
bpf_ct_set_status: trusted:nf_conn___init num -> int
bpf_ct_change_status: trusted:nf_conn num -> int
bpf_copy_from_user_str: mem num any num -> int sleep common
bpf_strlen: any -> int
bpf_strnlen: any num -> int
bpf_strcmp: any any -> int
bpf_strchr: any num -> int
bpf_strstr: any any -> int
"""

KNOWN_SINCE = "6.12"
"""The flags of kernel functions changed from version to version before."""

WHILE_LOCKED = ("bpf_iter_num_", "bpf_list_", "bpf_rbtree_", "bpf_refcount_acquire_", "bpf_res_spin_")
"""What may be called while a lock is held begins so."""

ITERATOR_SLOTS = {"num": 1, "bits": 2, "task": 3, "css": 3, "css_task": 1}
"""Iterator -> how many 8-byte slots of the stack it takes."""


KERNEL_CONTEXTS = {
    "__sk_buff": "sk_buff",
    "xdp_md": "xdp_buff",
    "bpf_sock": "sock",
    "bpf_sock_addr": "bpf_sock_addr_kern",
    "bpf_sock_ops": "bpf_sock_ops_kern",
    "sk_msg_md": "sk_msg",
    "bpf_sockopt": "bpf_sockopt_kern",
    "bpf_sysctl": "bpf_sysctl_kern",
    "bpf_cgroup_dev_ctx": "bpf_cgroup_dev_ctx",
    "sk_reuseport_md": "sk_reuseport_kern",
    "bpf_sk_lookup": "bpf_sk_lookup_kern",
    "bpf_perf_event_data": "bpf_perf_event_data_kern",
    "pt_regs": "pt_regs",
    "bpf_nf_ctx": "bpf_nf_ctx",
    "flow dissector": "bpf_flow_dissector",
}
"""Context -> the structure that the kernel itself works on (include/linux/bpf_types.h)."""


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
