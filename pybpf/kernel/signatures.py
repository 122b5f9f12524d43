"""`helper(name)`: what the verifier wants of each argument of a helper, what it knows of the result, and what the call does.

The table is written by hand from the helper documentation in the UAPI header (which argument is the size of which buffer,
what may be NULL, what is acquired and released) and the verifier's documentation; the tests call every helper on the running
kernel with arguments made from it, right ones and wrong ones, and compare what the kernel says.

A line is `name: argument ... -> result [effects]`.  Arguments, in the verifier's terms (ARG_*):

    any            a number or anything else that is initialised
    ctx            the context pointer that the program was given
    map            a map, as a wide load gives it (CONST_PTR_TO_MAP)
    key value      memory of the map's key or value size; value.w is written
    mem mem.w mem.rw   memory whose size is the next argument: read; written (need not be initialised); both
    size size0     that size: a bounded number > 0; size0 may be 0
    fixN fixN.w    memory of N bytes
    alloc_size     a constant number of bytes
    sock           a socket of any state, as the context or sk_lookup gives it or as BTF types it (SOCK_COMMON)
    socket         a full socket
    btf:T          a pointer to the kernel's struct T, typed by BTF (btf:* any)
    percpu_btf     the address of a per-CPU kernel variable
    lock timer kptr   the address of a bpf_spin_lock, bpf_timer or kptr in a map value
    func stack     a callback; a pointer to the stack for it
    str            a NUL-terminated string in a read-only map
    record         what ringbuf_reserve gave
    dynptr dynptr.new dynptr.rb   a dynptr on the stack; one to be made; one of a ring buffer

`?` behind an argument or result: may be NULL; `!` behind an argument: the call releases what it refers to.
Effects: `packet` (pointers into the packet are void after the call), `acquire` (the result must be released), `sleep`
(sleepable programs only).
"""

from __future__ import annotations

from ..errors import SpecError

TYPE_CHECKING = False

_TABLE = """\
map_lookup_elem: map key -> value?
map_update_elem: map key value any -> int
map_delete_elem: map key -> int
probe_read: mem.w size0 any -> int
ktime_get_ns: -> int
trace_printk: mem size -> int
get_prandom_u32: -> int
get_smp_processor_id: -> int
skb_store_bytes: ctx any mem size any -> int packet
l3_csum_replace: ctx any any any any -> int packet
l4_csum_replace: ctx any any any any -> int packet
tail_call: ctx map any -> void
clone_redirect: ctx any any -> int packet
get_current_pid_tgid: -> int
get_current_uid_gid: -> int
get_current_comm: mem.w size -> int
get_cgroup_classid: -> int
skb_vlan_push: ctx any any -> int packet
skb_vlan_pop: ctx -> int packet
skb_get_tunnel_key: ctx mem.w size any -> int
skb_set_tunnel_key: ctx mem size any -> int
perf_event_read: map any -> int
redirect: any any -> int
get_route_realm: ctx -> int
perf_event_output: ctx map any mem size0 -> int
skb_load_bytes: ctx any mem.w size -> int
get_stackid: ctx map any -> int
csum_diff: mem? size0 mem? size0 any -> int
skb_get_tunnel_opt: ctx mem.w size -> int
skb_set_tunnel_opt: ctx mem size -> int
skb_change_proto: ctx any any -> int packet
skb_change_type: ctx any -> int
skb_under_cgroup: ctx map any -> int
get_hash_recalc: ctx -> int
get_current_task: -> int
probe_write_user: any mem size -> int
current_task_under_cgroup: map any -> int
skb_change_tail: ctx any any -> int packet
skb_pull_data: ctx any -> int packet
csum_update: ctx any -> int
set_hash_invalid: ctx -> int
get_numa_node_id: -> int
skb_change_head: ctx any any -> int packet
xdp_adjust_head: ctx any -> int packet
probe_read_str: mem.w size0 any -> int
get_socket_cookie: ctx -> int
get_socket_uid: ctx -> int
set_hash: ctx any -> int
setsockopt: ctx any any mem size -> int
skb_adjust_room: ctx any any any -> int packet
redirect_map: map any any -> int
sk_redirect_map: ctx map any any -> int
sock_map_update: ctx map key any -> int
xdp_adjust_meta: ctx any -> int packet
perf_event_read_value: map any mem.w size -> int
perf_prog_read_value: ctx mem.w size -> int
getsockopt: ctx any any mem.w size -> int
override_return: ctx any -> int
sock_ops_cb_flags_set: ctx any -> int
msg_redirect_map: ctx map any any -> int
msg_apply_bytes: ctx any -> int
msg_cork_bytes: ctx any -> int
msg_pull_data: ctx any any any -> int packet
bind: ctx mem size -> int
xdp_adjust_tail: ctx any -> int packet
skb_get_xfrm_state: ctx any mem.w size any -> int
get_stack: ctx mem.w size0 any -> int
skb_load_bytes_relative: ctx any mem.w size any -> int
fib_lookup: ctx mem.rw size any -> int
sock_hash_update: ctx map key any -> int
msg_redirect_hash: ctx map key any -> int
sk_redirect_hash: ctx map key any -> int
lwt_push_encap: ctx any mem size -> int packet
lwt_seg6_store_bytes: ctx any mem size -> int packet
lwt_seg6_adjust_srh: ctx any any -> int packet
lwt_seg6_action: ctx any mem size -> int packet
rc_repeat: ctx -> int
rc_keydown: ctx any any any -> int
skb_cgroup_id: ctx -> int
get_current_cgroup_id: -> int
get_local_storage: map any -> value
sk_select_reuseport: ctx map key any -> int
skb_ancestor_cgroup_id: ctx any -> int
sk_lookup_tcp: ctx mem size0 any any -> socket? acquire
sk_lookup_udp: ctx mem size0 any any -> socket? acquire
sk_release: sock! -> int
map_push_elem: map value any -> int
map_pop_elem: map value.w -> int
map_peek_elem: map value.w -> int
msg_push_data: ctx any any any -> int packet
msg_pop_data: ctx any any any -> int packet
rc_pointer_rel: ctx any any -> int
spin_lock: lock -> void
spin_unlock: lock -> void
sk_fullsock: sock -> socket?
tcp_sock: sock -> tcp_sock?
skb_ecn_set_ce: ctx -> int
get_listener_sock: sock -> socket?
skc_lookup_tcp: ctx mem size0 any any -> sock? acquire
tcp_check_syncookie: sock mem size mem size -> int
sysctl_get_name: ctx mem.w size any -> int
sysctl_get_current_value: ctx mem.w size -> int
sysctl_get_new_value: ctx mem.w size -> int
sysctl_set_new_value: ctx mem size -> int
strtol: mem size any fix8.w -> int
strtoul: mem size any fix8.w -> int
sk_storage_get: map sock value? any -> value?
sk_storage_delete: map sock -> int
send_signal: any -> int
tcp_gen_syncookie: sock mem size mem size -> int
skb_output: btf:sk_buff map any mem size0 -> int
probe_read_user: mem.w size0 any -> int
probe_read_kernel: mem.w size0 any -> int
probe_read_user_str: mem.w size0 any -> int
probe_read_kernel_str: mem.w size0 any -> int
tcp_send_ack: btf:tcp_sock any -> int
send_signal_thread: any -> int
jiffies64: -> int
read_branch_records: ctx mem.w? size0 any -> int
get_ns_current_pid_tgid: any any mem.w size -> int
xdp_output: btf:xdp_buff map any mem size0 -> int
get_netns_cookie: ctx? -> int
get_current_ancestor_cgroup_id: any -> int
sk_assign: ctx sock any -> int
ktime_get_boot_ns: -> int
seq_printf: btf:seq_file mem size mem? size0 -> int
seq_write: btf:seq_file mem size0 -> int
sk_cgroup_id: sock -> int
sk_ancestor_cgroup_id: sock any -> int
ringbuf_output: map mem size0 any -> int
ringbuf_reserve: map alloc_size any -> record? acquire
ringbuf_submit: record! any -> void
ringbuf_discard: record! any -> void
ringbuf_query: map any -> int
csum_level: ctx any -> int
skc_to_tcp6_sock: sock -> btf:tcp6_sock?
skc_to_tcp_sock: sock -> btf:tcp_sock?
skc_to_tcp_timewait_sock: sock -> btf:tcp_timewait_sock?
skc_to_tcp_request_sock: sock -> btf:tcp_request_sock?
skc_to_udp6_sock: sock -> btf:udp6_sock?
get_task_stack: btf:task_struct mem.w size0 any -> int
load_hdr_opt: ctx mem.rw size any -> int
store_hdr_opt: ctx mem size any -> int packet
reserve_hdr_opt: ctx any any -> int
inode_storage_get: map btf:inode? value? any -> value?
inode_storage_delete: map btf:inode? -> int
d_path: btf:path mem.w size0 -> int
copy_from_user: mem.w size0 any -> int sleep
snprintf_btf: mem.w size mem size any -> int
seq_printf_btf: btf:seq_file mem size0 any -> int
skb_cgroup_classid: ctx -> int
redirect_neigh: any mem? size0 any -> int
per_cpu_ptr: percpu_btf any -> mem_or_btf?
this_cpu_ptr: percpu_btf -> mem_or_btf
redirect_peer: any any -> int
task_storage_get: map btf:task_struct? value? any -> value?
task_storage_delete: map btf:task_struct? -> int
get_current_task_btf: -> btf:task_struct
bprm_opts_set: btf:linux_binprm any -> int
ktime_get_coarse_ns: -> int
ima_inode_hash: btf:inode mem.w size -> int sleep
sock_from_file: btf:file -> btf:socket?
check_mtu: ctx any fix4.rw any any -> int
for_each_map_elem: map func stack? any -> int
snprintf: mem.w? size0 str mem? size0 -> int
sys_bpf: any mem size -> int
btf_find_by_name_kind: mem size any any -> int
sys_close: any -> int
timer_init: timer map any -> int
timer_set_callback: timer func -> int
timer_start: timer any any -> int
timer_cancel: timer -> int
get_func_ip: ctx -> int
get_attach_cookie: ctx -> int
task_pt_regs: btf:task_struct -> btf:pt_regs
get_branch_snapshot: mem.w size0 -> int
trace_vprintk: mem size mem? size0 -> int
skc_to_unix_sock: sock -> btf:unix_sock?
kallsyms_lookup_name: mem size0 any fix8.w -> int
find_vma: btf:task_struct any func stack? any -> int
loop: any func stack? any -> int
strncmp: mem size str -> int
get_func_arg: ctx any fix8.w -> int
get_func_ret: ctx fix8.w -> int
get_func_arg_cnt: ctx -> int
get_retval: -> int
set_retval: any -> int
xdp_get_buff_len: ctx -> int
xdp_load_bytes: ctx any mem.w size -> int
xdp_store_bytes: ctx any mem size -> int
copy_from_user_task: mem.w size0 any btf:task_struct any -> int sleep
skb_set_tstamp: ctx any any -> int
ima_file_hash: btf:file mem.w size -> int sleep
kptr_xchg: kptr btf:*!? -> btf:*? acquire
map_lookup_percpu_elem: map key any -> value?
skc_to_mptcp_sock: sock -> btf:mptcp_sock?
dynptr_from_mem: mem.w size0 any dynptr.new -> int
ringbuf_reserve_dynptr: map any any dynptr.new -> int
ringbuf_submit_dynptr: dynptr.rb! any -> void
ringbuf_discard_dynptr: dynptr.rb! any -> void
dynptr_read: mem.w size0 dynptr any any -> int
dynptr_write: dynptr any mem size0 any -> int
dynptr_data: dynptr any alloc_size -> dynptr_mem?
tcp_raw_gen_syncookie_ipv4: fix20 mem size0 -> int
tcp_raw_gen_syncookie_ipv6: fix40 mem size0 -> int
tcp_raw_check_syncookie_ipv4: fix20 fix20 -> int
tcp_raw_check_syncookie_ipv6: fix40 fix20 -> int
ktime_get_tai_ns: -> int
user_ringbuf_drain: map func stack? any -> int
cgrp_storage_get: map btf:cgroup? value? any -> value?
cgrp_storage_delete: map btf:cgroup? -> int
"""

# Helpers that are another function in some program types (struct bpf_verifier_ops.get_func_proto decides).
# program types (a set of ProgType numbers) -> line
_IN_TRACING = frozenset({26, 29})  # TRACING, LSM
_VARIANTS: dict[str, tuple[tuple[frozenset[int], str], ...]] = {
    "get_socket_cookie": ((_IN_TRACING | {21, 31}, "sock? -> int"),),  # and SK_REUSEPORT, SYSCALL
    "xdp_get_buff_len": ((_IN_TRACING | {31}, "btf:xdp_buff -> int"),),
    "sk_storage_get": (
        (frozenset({9}), "map ctx value? any -> value?"),  # CGROUP_SOCK
        (frozenset({26}), "map btf:sock_common? value? any -> value?"),  # TRACING
    ),
    "sk_storage_delete": ((frozenset({26}), "map btf:sock_common? -> int"),),
    "setsockopt": ((_IN_TRACING | {25, 27}, "sock any any mem size -> int"),),
    "getsockopt": ((_IN_TRACING | {25, 27}, "sock any any mem.w size -> int"),),
    "sk_assign": ((frozenset({30}), "ctx socket? any -> int"),),
    "get_cgroup_classid": ((frozenset({3, 4, 10, 11, 12, 19}), "ctx -> int"),),  # SCHED_CLS, SCHED_ACT, LWT_*
}


class Arg:
    """One argument of a helper: its `kind` (as in the table above, without suffixes), `name` and C `type`.

    `nullable`: NULL may be given.  `reads`, `writes`: what is done with the memory.  `releases`: the call gives back what
    it refers to.  `size`: bytes of a fixed-size buffer, else 0.  `size_arg`: index of the argument that tells the buffer's
    size, else None.  `memory_arg`: of a size, the index of its buffer.  `struct`: of a BTF pointer, the structure's name.
    """

    __slots__ = (
        "kind",
        "memory_arg",
        "name",
        "nullable",
        "reads",
        "releases",
        "size",
        "size_arg",
        "struct",
        "type",
        "writes",
    )

    def __init__(self, text: str, type_: str, name: str) -> None:
        self.type = type_
        self.name = name
        self.nullable = text.endswith("?")
        text = text.removesuffix("?")
        self.releases = text.endswith("!")
        text = text.removesuffix("!")
        text, _, access = text.partition(".")
        text, _, struct = text.partition(":")
        self.struct = struct.removesuffix("*")
        self.size = 0
        if text.startswith("fix"):
            self.size, text = int(text[3:]), "fixed"
        if text == "dynptr":
            text = {"": "dynptr", "new": "dynptr_new", "rb": "dynptr_ringbuf"}[access]
            access = ""
        self.kind = text
        memory = text in ("mem", "fixed", "key", "value")
        self.reads = memory and access != "w"
        self.writes = memory and access in ("w", "rw")
        self.size_arg: int | None = None
        self.memory_arg: int | None = None

    def __repr__(self) -> str:
        return f"<Arg {self.name}: {self.kind}{'?' if self.nullable else ''}>"


class HelperRules:
    """A helper as the verifier sees it: `id`, `name`, `args`, and of the result its `returns` kind, C `return_type`,
    `returns_null` and `return_struct` (the kernel structure that BTF gives it).  `changes_packet`, `acquires`, `may_sleep`
    are what the call does.  Which programs may call it, and under which licence, depends on the kernel: see `Rules`.
    """

    __slots__ = (
        "acquires",
        "args",
        "changes_packet",
        "id",
        "may_sleep",
        "name",
        "return_struct",
        "return_type",
        "returns",
        "returns_null",
    )

    def __init__(self, number: int, name: str, line: str) -> None:
        from ..uapi.protos import HELPER_PROTOS

        self.id = number
        self.name = name
        self.return_type, c_args = HELPER_PROTOS[number]
        arguments, _, result = line.partition("->")
        returns, *effects = result.split()
        self.returns_null = returns.endswith("?")
        self.returns, _, struct = returns.removesuffix("?").partition(":")
        self.return_struct = struct.removesuffix("*")
        self.changes_packet = "packet" in effects
        self.acquires = "acquire" in effects
        self.may_sleep = "sleep" in effects
        words = arguments.split()
        # A variadic C prototype (trace_printk) has fewer names than the verifier has arguments.
        c_args = tuple(arg for arg in c_args if arg[0] != "...")
        c_args += tuple(("u64", f"arg{i + 1}") for i in range(len(c_args), len(words)))
        self.args = tuple(Arg(word, *c) for word, c in zip(words, c_args, strict=False))
        for i, arg in enumerate(self.args):
            if arg.kind in ("size", "size0"):
                arg.memory_arg = i - 1
                self.args[i - 1].size_arg = i

    def __repr__(self) -> str:
        return f"<HelperRules bpf_{self.name}#{self.id}>"


_lines: dict[str, str] = {}
_ids: dict[str, int] = {}
_built: dict[tuple[int, str], HelperRules] = {}


def helper_id(name: str) -> int:
    """The id of a helper by name, with or without `bpf_`.  SpecError, with the nearest name, for one that is not known."""
    if not _ids:
        from ..uapi.helper_names import HELPER_NAMES

        _ids.update((known, i) for i, known in enumerate(HELPER_NAMES))
    found = _ids.get(name.removeprefix("bpf_"))
    if not found:
        from difflib import get_close_matches

        near = get_close_matches(name.removeprefix("bpf_"), _ids, 1)
        raise SpecError(f"no helper is named {name!r}" + (f"; did you mean {near[0]!r}?" if near else ""))
    return found


def helper(which: int | str, prog_type: int | None = None) -> HelperRules:
    """A helper's rules, by id or by name (with or without `bpf_`).

    A few helpers take other arguments in some program types; `prog_type` selects those.  SpecError for an unknown helper.
    """
    from ..uapi.helper_names import HELPER_NAMES

    number = helper_id(which) if isinstance(which, str) else int(which)
    if not 0 < number < len(HELPER_NAMES):
        raise SpecError(f"no helper has the id {number}: they go from 1 to {len(HELPER_NAMES) - 1}")
    name = HELPER_NAMES[number]
    if not _lines:
        _lines.update(line.split(": ", 1) for line in _TABLE.splitlines())  # type: ignore[misc]
    line = _lines[name]
    for types, other in _VARIANTS.get(name, ()):
        if prog_type in types:
            line = other
    key = (number, line)
    if key not in _built:
        _built[key] = HelperRules(number, name, line)
    return _built[key]
