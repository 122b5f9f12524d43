"""Objects that programs allocate, the lists and trees that take them over, and kptrs in maps; the kernel says the same."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.kernel


def look(name: str, register: int = 7, key: int = 0) -> str:
    """The value of a map in a register."""
    call = f"r2 = r10; r2 += -4; r1 = {name} ll; call 1"
    return f"*(u32 *)(r10 - 4) = {key}; {call}; if r0 == 0 goto out; r{register} = r0"


def lock(register: int = 7) -> str:
    return f"r1 = r{register}; call 93"


def unlock(register: int = 7) -> str:
    return f"r1 = r{register}; call 94"


def new(name: str, register: int = 6, out: str = "out") -> str:
    return f"r1 = %{name}; r2 = 0; !bpf_obj_new_impl; if r0 == 0 goto {out}; r{register} = r0"


def drop(register: int = 6) -> str:
    return f"r1 = r{register}; r2 = 0; !bpf_obj_drop_impl"


def root(offset: int, register: int = 7) -> str:
    return f"r1 = r{register}; r1 += {offset}"


def node(offset: int, register: int = 6) -> str:
    return f"r2 = r{register}; r2 += {offset}"


def xchg(offset: int, value: str = "r6", register: int = 7) -> str:
    return f"r1 = r{register}; r1 += {offset}; r2 = {value}; call 194"


OUT = "r0 = 0; exit"
END = f"out: {OUT}"
LESS = f"f: {OUT}"
ROOTS, POINTERS = look("roots"), look("pointers")
HEAD, ROOT, HEAD2, ROOT2, ROOT3 = root(8), root(24), root(40), root(56), root(88)
PUSH = f"{HEAD}; {node(8)}; r3 = 0; r4 = 0; !bpf_list_push_front_impl"
PUSH2 = f"{HEAD2}; {node(8)}; r3 = 0; r4 = 0; !bpf_list_push_back_impl"
POP = f"{HEAD}; !bpf_list_pop_front"
ADD = f"{ROOT}; {node(8)}; r3 = code_addr(f); r4 = 0; r5 = 0; !bpf_rbtree_add_impl"
FIRST, FIRST3 = f"{ROOT}; !bpf_rbtree_first", f"{ROOT3}; !bpf_rbtree_first"
REMOVE = f"{ROOT}; r2 = r0; !bpf_rbtree_remove"
NEWL, NEWT, NEWS = new("in_list"), new("in_tree"), new("shared")
LK, UL = lock(), unlock()
PCPU = "r1 = %plain; r2 = 0; !bpf_percpu_obj_new_impl; if r0 == 0 goto out; r6 = r0"
PDROP = "r1 = r6; r2 = 0; !bpf_percpu_obj_drop_impl"
COUNT = "r1 = r6; r2 = 0; !bpf_refcount_acquire_impl"
TASK = "r1 = 1; !bpf_task_from_pid; if r0 == 0 goto out; r6 = r0"
TDROP = "r1 = r6; !bpf_task_release"
GONE = "if r0 == 0 goto out; r1 = r0; !bpf_task_release"
RING = "r1 = ring ll; r2 = 16; r3 = 0; call 131; if r0 == 0 goto out; r6 = r0"
SUBMIT = "r1 = r6; r2 = 0; call 132"

TABLE = f"""
object | CLS
    {NEWL}; {drop()}; {END}
object leaks | CLS | reference | BPF_EXIT instruction in main prog would lead to reference leak:
    {NEWL}; {END}
object unchecked | CLS | null | Possibly NULL pointer passed to trusted arg0
    r1 = %plain; r2 = 0; !bpf_obj_new_impl; r6 = r0; {drop()}; {OUT}
object unchecked read | CLS | null | R0 invalid mem access 'ptr_or_null_'
    r1 = %plain; r2 = 0; !bpf_obj_new_impl; r0 = *(u64 *)(r0 + 0); {OUT}
object read and written | CLS
    {NEWL}; r0 = *(u64 *)(r6 + 0); *(u64 *)(r6 + 0) = r0; {drop()}; {END}
object field | CLS | type | direct access to bpf_list_node is disallowed
    {NEWL}; r0 = *(u64 *)(r6 + 8); {drop()}; {END}
object field written | CLS | type | direct access to bpf_list_node is disallowed
    {NEWL}; *(u64 *)(r6 + 16) = 0; {drop()}; {END}
object overrun | CLS | bounds-memory | access beyond struct in_list at off 32 size 8
    {NEWL}; r0 = *(u64 *)(r6 + 32); {drop()}; {END}
object negative | CLS | bounds-memory | R6 is ptr_in_list invalid negative access: off=-8
    {NEWL}; r0 = *(u64 *)(r6 - 8); {drop()}; {END}
object pointer stored | CLS
    {new("plain")}; *(u64 *)(r6 + 0) = r10; {drop()}; {END}
object part read | CLS
    {new("plain")}; r0 = *(u8 *)(r6 + 3); {drop()}; {END}
object two members read | CLS | bounds-memory | access beyond the end of member a (0+8) size 8
    {new("plain")}; r0 = *(u64 *)(r6 + 4); {drop()}; {END}
object variable | CLS | bounds-memory | R6 is ptr_plain invalid variable offset: off=0
    {new("plain")}; call 7; r0 &= 7; r6 += r0; r0 = *(u8 *)(r6 + 0); {END}
object atomic | CLS
    {new("plain")}; r1 = 1; lock *(u64 *)(r6 + 0) += r1; {drop()}; {END}
object dropped twice | CLS | argument | arg#0 expected pointer to allocated object, not scalar
    {NEWL}; {drop()}; {drop()}; {END}
object moved dropped | CLS | argument | R1 must have zero offset when passed to release func or trusted
    {NEWL}; r6 += 8; {drop()}; {END}
object after drop | CLS | type | R6 invalid mem access 'scalar'
    {NEWL}; {drop()}; r0 = *(u64 *)(r6 + 0); {END}
drop null | CLS | null | Possibly NULL pointer passed to trusted arg0
    r6 = 0; {drop()}; {OUT}
drop number | CLS | argument | arg#0 expected pointer to allocated object, not scalar
    r6 = 5; {drop()}; {OUT}
drop stack | CLS | argument | arg#0 expected pointer to allocated object, not fp
    r6 = r10; {drop()}; {OUT}
drop map value | CLS | argument | arg#0 expected pointer to allocated object, not map_value
    {ROOTS}; r6 = r7; {drop()}; {END}
drop task | CLS | argument | arg#0 expected pointer to allocated object, not ptr_
    {TASK}; {drop()}; {END}
type not constant | CLS | argument | R1 must be a known constant
    call 7; r1 = r0; r2 = 0; !bpf_obj_new_impl; {OUT}
type unknown | CLS | argument | type ID argument must be of a struct
    r1 = 9999; r2 = 0; !bpf_obj_new_impl; {OUT}
type is a number | CLS | argument | type ID argument must be of a struct
    r1 = %int; r2 = 0; !bpf_obj_new_impl; {OUT}
type void | CLS | argument | type ID argument must be of a struct
    r1 = 0; r2 = 0; !bpf_obj_new_impl; {OUT}
object of a type with kptr | CLS
    {new("holder")}; {drop()}; {END}
percpu | CLS
    {PCPU}; {PDROP}; {END}
percpu leaks | CLS | reference | BPF_EXIT instruction in main prog would lead to reference leak:
    {PCPU}; {END}
percpu dropped as plain | CLS | argument | arg#0 expected pointer to allocated object, not percpu_ptr_
    {PCPU}; {drop()}; {END}
plain dropped as percpu | CLS | argument | arg#0 expected pointer to allocated object, not ptr_
    {new("plain")}; {PDROP}; {END}
percpu read | CLS | type | R6 is ptr_plain access percpu memory: off=0
    {PCPU}; r0 = *(u64 *)(r6 + 0); {PDROP}; {END}
percpu big | CLS | argument | bpf_percpu_obj_new type size (600) is greater than 512
    r1 = %big; r2 = 0; !bpf_percpu_obj_new_impl; {OUT}
percpu special | CLS | argument | bpf_percpu_obj_new type ID argument must not contain special fie
    r1 = %in_list; r2 = 0; !bpf_percpu_obj_new_impl; {OUT}
percpu this cpu | CLS | argument | R1 type=percpu_ptr_ expected=percpu_ptr_, percpu_rcu_ptr_, percp
    !bpf_rcu_read_lock; {PCPU}; r1 = r6; call 154; r8 = *(u64 *)(r0 + 0); {PDROP}; !bpf_rcu_read_unlock; {OUT}
    out: !bpf_rcu_read_unlock; {OUT}
percpu this cpu noverify | CLS | argument | R1 type=percpu_ptr_ expected=percpu_ptr_, percpu_rcu_ptr_, percp
    {PCPU}; r1 = r6; call 154; r8 = *(u64 *)(r0 + 0); {PDROP}; {END}
percpu cpu 0 | CLS | argument | R1 type=percpu_ptr_ expected=percpu_ptr_, percpu_rcu_ptr_, percp
    {PCPU}; r1 = r6; r2 = 0; call 153; if r0 == 0 goto x; r8 = *(u64 *)(r0 + 8); x: {PDROP}; {END}
percpu cpu 0 unchecked | CLS | argument | R1 type=percpu_ptr_ expected=percpu_ptr_, percpu_rcu_ptr_, percp
    {PCPU}; r1 = r6; r2 = 0; call 153; r8 = *(u64 *)(r0 + 8); x: {PDROP}; {END}
counted | CLS
    {NEWS}; {COUNT}; r8 = r0; {drop()}; {drop(8)}; {END}
counted null check | CLS
    {NEWS}; {COUNT}; if r0 == 0 goto x; r1 = r0; r2 = 0; !bpf_obj_drop_impl; x: {drop()}; {END}
counted leaks | CLS | reference | BPF_EXIT instruction in main prog would lead to reference leak:
    {NEWS}; {COUNT}; {drop()}; {END}
counted no field | CLS | argument | arg#0 doesn't point to a type with bpf_refcount field
    {NEWL}; {COUNT}; {drop()}; {END}
counted null | CLS | null | Possibly NULL pointer passed to trusted arg0
    r6 = 0; {COUNT}; {OUT}
counted stack | CLS | argument | arg#0 is neither owning or non-owning ref
    r6 = r10; {COUNT}; {OUT}
counted maybe null | CLS | null | Possibly NULL pointer passed to trusted arg0
    r1 = %shared; r2 = 0; !bpf_obj_new_impl; r6 = r0; {COUNT}; {OUT}
counted after push | CLS
    {ROOTS}; {NEWS}; {LK}; {PUSH2}; {COUNT}; r8 = r0; {UL}; if r8 == 0 goto out; {drop(8)}; {END}
counted after push unchecked | CLS | null | Possibly NULL pointer passed to trusted arg0
    {ROOTS}; {NEWS}; {LK}; {PUSH2}; {COUNT}; r8 = r0; {UL}; {drop(8)}; {END}
list | CLS
    {ROOTS}; {NEWL}; {LK}; {PUSH}; {UL}; {END}
list no lock | CLS | lock | bpf_spin_lock must be held for bpf_list_head
    {ROOTS}; {NEWL}; {PUSH}; {END}
list other lock | CLS | lock | held lock and object are not in the same allocation
    {look("two")}; {look("locked", 8)}; {new("in_list")}; r1 = r8; r1 += 8; call 93; {PUSH}; r1 = r8; r1 += 8
    call 94; {END}
list lock of other element | CLS | lock | held lock and object are not in the same allocation
    {look("two")}; {look("two", 8, 1)}; {NEWL}; {lock(8)}; {PUSH}; {unlock(8)}; {END}
list node read after push | CLS
    {ROOTS}; {NEWL}; {LK}; {PUSH}; r8 = *(u64 *)(r6 + 0); *(u64 *)(r6 + 0) = r8; {UL}; {END}
list node read after unlock | CLS | type | R6 invalid mem access 'scalar'
    {ROOTS}; {NEWL}; {LK}; {PUSH}; {UL}; r8 = *(u64 *)(r6 + 0); {END}
list node pushed twice | CLS | argument | arg#1 expected pointer to allocated object
    {ROOTS}; {NEWL}; {LK}; {PUSH}; {PUSH}; {UL}; {END}
list node dropped after push | CLS | lock | function calls are not allowed while holding a lock
    {ROOTS}; {NEWL}; {LK}; {PUSH}; {drop()}; {UL}; {END}
list wrong node type | CLS | argument | bpf_list_node not found at offset=8
    {ROOTS}; {NEWT}; {LK}; {HEAD}; {node(8)}; r3 = 0; r4 = 0; !bpf_list_push_front_impl; {UL}; {END}
list wrong node offset | CLS | argument | bpf_list_node not found at offset=0
    {ROOTS}; {NEWL}; {LK}; {HEAD}; {node(0)}; r3 = 0; r4 = 0; !bpf_list_push_front_impl; {UL}; {END}
list node of other list | CLS | argument | operation on bpf_list_head expects arg#1 bpf_list_node at offset
    {ROOTS}; {NEWS}; {LK}; {HEAD}; {node(8)}; r3 = 0; r4 = 0; !bpf_list_push_front_impl; {UL}; {END}
list head wrong offset | CLS | argument | bpf_list_head not found at offset=16
    {ROOTS}; {NEWL}; {LK}; {root(16)}; {node(8)}; r3 = 0; r4 = 0; !bpf_list_push_front_impl; {UL}; {END}
list head is a tree | CLS | argument | bpf_list_head not found at offset=24
    {ROOTS}; {NEWL}; {LK}; {root(24)}; {node(8)}; r3 = 0; r4 = 0; !bpf_list_push_front_impl; {UL}; {END}
list head variable | CLS | argument | R1 doesn't have constant offset. bpf_list_head has to be at the
    {ROOTS}; {NEWL}; call 7; r8 = r0; r8 &= 8; {LK}; {HEAD}; r1 += r8; {node(8)}; r3 = 0; r4 = 0
    !bpf_list_push_front_impl; {UL}; {END}
list head null | CLS | argument | arg#0 expected pointer to map value or allocated object
    {ROOTS}; {NEWL}; {LK}; r1 = 0; {node(8)}; r3 = 0; r4 = 0; !bpf_list_push_front_impl; {UL}; {END}
list head stack | CLS | argument | arg#0 expected pointer to map value or allocated object
    {ROOTS}; {NEWL}; {LK}; r1 = r10; {node(8)}; r3 = 0; r4 = 0; !bpf_list_push_front_impl; {UL}; {END}
list head number | CLS | argument | arg#0 expected pointer to map value or allocated object
    {ROOTS}; {NEWL}; {LK}; r1 = 5; {node(8)}; r3 = 0; r4 = 0; !bpf_list_push_front_impl; {UL}; {END}
list head is an object | CLS | argument | bpf_list_head not found at offset=0
    {ROOTS}; {NEWL}; {LK}; r1 = r6; {node(8)}; r3 = 0; r4 = 0; !bpf_list_push_front_impl; {UL}; {END}
list node null | CLS | argument | arg#1 expected pointer to allocated object
    {ROOTS}; {LK}; {HEAD}; r2 = 0; r3 = 0; r4 = 0; !bpf_list_push_front_impl; {UL}; {END}
list node number | CLS | argument | arg#1 expected pointer to allocated object
    {ROOTS}; {LK}; {HEAD}; r2 = 5; r3 = 0; r4 = 0; !bpf_list_push_front_impl; {UL}; {END}
list node map value | CLS | argument | arg#1 expected pointer to allocated object
    {ROOTS}; {LK}; {HEAD}; r2 = r7; r3 = 0; r4 = 0; !bpf_list_push_front_impl; {UL}; {END}
list node unchecked | CLS | null | R2 pointer arithmetic on ptr_or_null_ prohibited, null-check it
    {ROOTS}; r1 = %in_list; r2 = 0; !bpf_obj_new_impl; r6 = r0; {LK}; {PUSH}; {UL}; {END}
list node variable | CLS | argument | R2 doesn't have constant offset. bpf_list_node has to be at the
    {ROOTS}; {NEWL}; call 7; r8 = r0; r8 &= 8; {LK}; {HEAD}; {node(0)}; r2 += r8; r3 = 0; r4 = 0
    !bpf_list_push_front_impl; {UL}; {END}
list pop | CLS
    {ROOTS}; {LK}; {POP}; r6 = r0; {UL}; if r6 == 0 goto out; r6 += -8; {drop()}; {END}
list pop leaks | CLS | reference | BPF_EXIT instruction in main prog would lead to reference leak:
    {ROOTS}; {LK}; {POP}; {UL}; {END}
list pop dropped by its node | CLS | argument | R1 must have zero offset when passed to release func or trusted
    {ROOTS}; {LK}; {POP}; r6 = r0; {UL}; if r6 == 0 goto out; {drop()}; {END}
list pop unchecked | CLS | null | R6 invalid mem access 'ptr_or_null_'
    {ROOTS}; {LK}; {POP}; r6 = r0; {UL}; r0 = *(u64 *)(r6 - 8); {END}
list pop and push | CLS
    {ROOTS}; {LK}; {POP}; if r0 == 0 goto x; r6 = r0; {HEAD}; r2 = r6; r3 = 0; r4 = 0; !bpf_list_push_back_impl
    x: {UL}; {END}
list pop read | CLS
    {ROOTS}; {LK}; {POP}; r6 = r0; {UL}; if r6 == 0 goto out; r8 = *(u64 *)(r6 - 8); r6 += -8; {drop()}; {END}
list front | CLS
    {ROOTS}; {LK}; {HEAD}; !bpf_list_front; if r0 == 0 goto x; r8 = *(u64 *)(r0 - 8); x: {UL}; {END}
list front after unlock | CLS | type | R6 invalid mem access 'scalar'
    {ROOTS}; {LK}; {HEAD}; !bpf_list_front; r6 = r0; {UL}; if r6 == 0 goto out; r8 = *(u64 *)(r6 - 8); {END}
list back pushed | CLS | argument | arg#1 expected pointer to allocated object
    {ROOTS}; {LK}; {HEAD}; !bpf_list_back; if r0 == 0 goto x; {HEAD}; r2 = r0; r3 = 0; r4 = 0
    !bpf_list_push_front_impl; x: {UL}; {END}
list left locked | CLS | lock | BPF_EXIT instruction in main prog cannot be used inside bpf_spin
    {ROOTS}; {NEWL}; {LK}; {PUSH}; {END}
lock before object | CLS | lock | function calls are not allowed while holding a lock
    {ROOTS}; {LK}; {new("in_list", "6", "x")}; x: {UL}; {END}
tree | CLS
    {ROOTS}; {NEWT}; {LK}; {ADD}; {UL}; {END}; {LESS}
tree no lock | CLS | lock | bpf_spin_lock must be held for bpf_rb_root
    {ROOTS}; {NEWT}; {ADD}; {END}; {LESS}
tree callback reads | CLS
    {ROOTS}; {NEWT}; {LK}; {ADD}; {UL}; {END}; f: r3 = *(u64 *)(r1 - 8); r4 = *(u64 *)(r2 - 8); r0 = 0
    if r3 > r4 goto e; r0 = 1; e: exit
tree callback returns pointer | CLS | return-value | R0 not a scalar value: callbacks return a number
    {ROOTS}; {NEWT}; {LK}; {ADD}; {UL}; {END}; f: r0 = r1; exit
tree callback returns nothing | CLS | return-value | R0 not a scalar value: callbacks return a number
    {ROOTS}; {NEWT}; {LK}; {ADD}; {UL}; {END}; f: exit
tree callback returns any | CLS | return-value | At callback return the register R0 has unknown scalar value shou
    {ROOTS}; {NEWT}; {LK}; {ADD}; {UL}; {END}; f: r0 = *(u64 *)(r1 - 8); exit
tree callback field | CLS | type | direct access to bpf_rb_node is disallowed
    {ROOTS}; {NEWT}; {LK}; {ADD}; {UL}; {END}; f: r3 = *(u64 *)(r1 + 0); {OUT}
tree callback locks | CLS | argument | R1 type=scalar expected=map_value, ptr_
    {ROOTS}; {NEWT}; {LK}; {ADD}; {UL}; {END}; f: r1 = 0; call 94; {OUT}
tree callback unlocks | CLS | lock | function calls are not allowed while holding a lock
    {ROOTS}; {NEWT}; *(u64 *)(r10 - 16) = r7; {LK}; {ADD}; {UL}; {END}; f: {look("roots").replace("out", "o")}
    r1 = r0; call 94; o: {OUT}
tree callback calls | CLS | lock | function calls are not allowed while holding a lock
    {ROOTS}; {NEWT}; {LK}; {ADD}; {UL}; {END}; f: call 7; {OUT}
tree callback is a number | CLS | argument | arg2 expected pointer to func
    {ROOTS}; {NEWT}; {LK}; {ROOT}; {node(8)}; r3 = 5; r4 = 0; r5 = 0; !bpf_rbtree_add_impl; {UL}; {END}
tree node after add | CLS
    {ROOTS}; {NEWT}; {LK}; {ADD}; r8 = *(u64 *)(r6 + 0); {UL}; {END}; {LESS}
tree node after unlock | CLS | type | R6 invalid mem access 'scalar'
    {ROOTS}; {NEWT}; {LK}; {ADD}; {UL}; r8 = *(u64 *)(r6 + 0); {END}; {LESS}
tree wrong node | CLS | argument | operation on bpf_rb_root expects arg#1 bpf_rb_node at offset=8 i
    {ROOTS}; {new("other")}; {LK}; {ROOT}; {node(0)}; r3 = code_addr(f); r4 = 0; r5 = 0; !bpf_rbtree_add_impl; {UL}
    {END}; {LESS}
tree first | CLS
    {ROOTS}; {LK}; {FIRST}; if r0 == 0 goto x; r8 = *(u64 *)(r0 - 8); x: {UL}; {END}
tree first unchecked | CLS | null | R0 invalid mem access 'ptr_or_null_'
    {ROOTS}; {LK}; {FIRST}; r8 = *(u64 *)(r0 - 8); {UL}; {END}
tree remove | CLS
    {ROOTS}; {LK}; {FIRST}; if r0 == 0 goto x; {REMOVE}; r6 = r0; {UL}; if r6 == 0 goto out; r6 += -8; {drop()}
    {OUT}; x: {UL}; {END}
tree remove leaks | CLS | reference | BPF_EXIT instruction in main prog would lead to reference leak:
    {ROOTS}; {LK}; {FIRST}; if r0 == 0 goto x; {REMOVE}; {UL}; {OUT}; x: {UL}; {END}
tree remove first gone | CLS
    {ROOTS}; {LK}; {FIRST}; if r0 == 0 goto x; r8 = r0; {REMOVE}; r6 = r0; r9 = *(u64 *)(r8 - 8); {UL}
    if r6 == 0 goto out; r6 += -8; {drop()}; {OUT}; x: {UL}; {END}
tree remove owned | CLS | reference | BPF_EXIT instruction in main prog would lead to reference leak:
    {ROOTS}; {NEWT}; {LK}; {ROOT}; {node(8)}; !bpf_rbtree_remove; {UL}; {END}
tree remove null | CLS | argument | bpf_rbtree_remove can only take non-owning or refcounted bpf_rb_
    {ROOTS}; {LK}; {ROOT}; r2 = 0; !bpf_rbtree_remove; {UL}; {END}
tree remove maybe null | CLS | argument | dereference of modified ptr_or_null_ ptr R2 off=8 disallowed
    {ROOTS}; {LK}; {FIRST}; {REMOVE}; {UL}; {END}
tree remove added | CLS
    {ROOTS}; {NEWT}; {LK}; {ADD}; {ROOT}; {node(8)}; !bpf_rbtree_remove; r6 = r0; {UL}; if r6 == 0 goto out
    r6 += -8; {drop()}; {END}; {LESS}
tree remove in callback | CLS | argument | arg#0 expected pointer to map value or allocated object
    {ROOTS}; {NEWT}; {LK}; {ADD}; {UL}; {END}; f: !bpf_rbtree_remove; {OUT}
tree root | CLS
    {ROOTS}; {LK}; {ROOT}; !bpf_rbtree_root; if r0 == 0 goto x; r6 = r0; {ROOT}; r2 = r6; !bpf_rbtree_left
    if r0 == 0 goto x; {ROOT}; r2 = r0; !bpf_rbtree_right; if r0 == 0 goto x; r8 = *(u64 *)(r0 - 8); x: {UL}; {END}
tree left of owned | CLS | reference | BPF_EXIT instruction in main prog would lead to reference leak:
    {ROOTS}; {NEWT}; {LK}; {ROOT}; {node(8)}; !bpf_rbtree_left; {UL}; {END}
tree remove from wrong root | CLS | argument | operation on bpf_rb_root expects arg#1 bpf_rb_node at offset=32
    {ROOTS}; {LK}; {FIRST}; if r0 == 0 goto x; {ROOT2}; r2 = r0; !bpf_rbtree_remove; x: {UL}; {END}
shared in both | CLS
    {ROOTS}; {NEWS}; {COUNT}; r8 = r0; {LK}; {PUSH2}; {ROOT2}; r2 = r8; r2 += 32; r3 = code_addr(f); r4 = 0; r5 = 0
    !bpf_rbtree_add_impl; {UL}; {END}; {LESS}
shared removed by other ref | CLS
    {ROOTS}; {NEWS}; {LK}; {PUSH2}; {ROOT2}; {node(32)}; !bpf_rbtree_remove; r6 = r0; {UL}; if r6 == 0 goto out
    r6 += -32; {drop()}; {END}
kptr exchanged | CLS
    {POINTERS}; {TASK}; {xchg(8)}; {GONE}; {END}
kptr exchange leaks | CLS | reference | BPF_EXIT instruction in main prog would lead to reference leak:
    {POINTERS}; {TASK}; {xchg(8)}; {END}
kptr taken | CLS
    {POINTERS}; {xchg(8, "0")}; {GONE}; {END}
kptr released after exchange | CLS | argument | arg#0 is scalar, expected a struct task_struct
    {POINTERS}; {TASK}; {xchg(8)}; r8 = r0; {TDROP}; {END}
kptr other field | CLS | type | invalid kptr access, R2 type=ptr_task_struct expected=ptr_cgroup
    {POINTERS}; {TASK}; {xchg(48)}; {END}
kptr local object in kernel field | CLS | type | invalid kptr access, R2 type=ptr_plain expected=ptr_task_struct
    {POINTERS}; {new("plain")}; {xchg(8)}; {END}
kptr task in local field | CLS | type | invalid kptr access, R2 type=ptr_task_struct expected=ptr_plain
    {POINTERS}; {TASK}; {xchg(16)}; {END}
kptr local | CLS
    {POINTERS}; {new("plain")}; {xchg(16)}; if r0 == 0 goto out; r6 = r0; {drop()}; {END}
kptr percpu | CLS
    {POINTERS}; {PCPU}; {xchg(32)}; if r0 == 0 goto out; r6 = r0; {PDROP}; {END}
kptr plain in percpu | CLS
    {POINTERS}; {new("plain")}; {xchg(32)}; if r0 == 0 goto out; r6 = r0; {PDROP}; {END}
kptr percpu in a plain field | CLS | type | invalid kptr access, R2 type=percpu_ptr_plain expected=ptr_p
    {POINTERS}; {PCPU}; {xchg(16)}; if r0 == 0 goto out; r6 = r0; {drop()}; {END}
kptr unreferenced field | CLS | argument | off=24 kptr isn't referenced kptr
    {POINTERS}; {TASK}; {xchg(24)}; {GONE}; {END}
kptr no field there | CLS | argument | off=0 doesn't point to kptr
    {POINTERS}; {TASK}; {xchg(0)}; {GONE}; {END}
kptr middle | CLS | argument | off=12 doesn't point to kptr
    {POINTERS}; {TASK}; {xchg(12)}; {GONE}; {END}
kptr no kptrs | CLS | argument | R1 has no valid kptr
    {look("locked")}; {TASK}; {xchg(0)}; {GONE}; {END}
kptr untyped map | CLS | btf | map 'untyped' has to have BTF in order to use bpf_kptr_xchg
    {look("untyped")}; {TASK}; {xchg(0)}; {GONE}; {END}
kptr variable | CLS | argument | R1 doesn't have constant offset. kptr has to be at the constant
    {POINTERS}; {TASK}; call 7; r8 = r0; r8 &= 8; r1 = r7; r1 += r8; r2 = r6; call 194; {GONE}; {END}
kptr stack | CLS | argument | R1 type=fp expected=map_value, ptr_
    {TASK}; r7 = r10; {xchg(-8)}; {GONE}; {END}
kptr number given | CLS | argument | R2 type=scalar expected=ptr_, trusted_ptr_, rcu_ptr_
    {POINTERS}; {xchg(8, "5")}; {GONE}; {END}
kptr unowned given | CLS | reference | R2 must be referenced when passed to release function
    {POINTERS}; r8 = *(u64 *)(r7 + 8); if r8 == 0 goto out; {xchg(8, "r8")}; {GONE}; {END}
kptr moved given | CLS | type | invalid kptr access, R2 type=ptr_task_struct expected=ptr_task_s
    {POINTERS}; {TASK}; r8 = r6; r8 += 8; {xchg(8, "r8")}; {GONE}; {END}
kptr in object | CLS
    {new("holder", 8)}; {TASK.replace("out", "o")}; {xchg(8, "r6", 8)}; if r0 == 0 goto o; r1 = r0; !bpf_task_release
    o: {drop(8)}; {END}
kptr in object wrong place | CLS | argument | off=0 doesn't point to kptr
    {new("holder", 8)}; {TASK.replace("out", "o")}; {xchg(0, "r6", 8)}; if r0 == 0 goto o; r1 = r0; !bpf_task_release
    o: {drop(8)}; {END}
kptr in object without | CLS | argument | R1 has no valid kptr
    {new("plain", 8)}; {TASK.replace("out", "o")}; {xchg(0, "r6", 8)}; if r0 == 0 goto o; r1 = r0; !bpf_task_release
    o: {drop(8)}; {END}
kptr read in rcu | CLS
    {POINTERS}; !bpf_rcu_read_lock; r8 = *(u64 *)(r7 + 8); if r8 == 0 goto x; r9 = *(u32 *)(r8 + 64)
    x: !bpf_rcu_read_unlock; {END}
kptr read outside of rcu | CLS
    {POINTERS}; r8 = *(u64 *)(r7 + 8); if r8 == 0 goto out; r9 = *(u32 *)(r8 + 64); {END}
kptr read unchecked | CLS | null | R8 invalid mem access 'rcu_ptr_or_null_'
    {POINTERS}; r8 = *(u64 *)(r7 + 8); r9 = *(u32 *)(r8 + 64); {END}
kptr acquired in rcu | CLS
    {POINTERS}; !bpf_rcu_read_lock; r1 = *(u64 *)(r7 + 8); if r1 == 0 goto x; !bpf_task_acquire; if r0 == 0 goto x
    r1 = r0; !bpf_task_release; x: !bpf_rcu_read_unlock; {END}
kptr acquired sleepable | SYSCALL | argument | R1 must be a rcu pointer
    {POINTERS}; r1 = *(u64 *)(r7 + 8); if r1 == 0 goto out; !bpf_task_acquire; if r0 == 0 goto out; r1 = r0
    !bpf_task_release; {END}
kptr acquired sleepable rcu | SYSCALL
    {POINTERS}; !bpf_rcu_read_lock; r1 = *(u64 *)(r7 + 8); if r1 == 0 goto x; !bpf_task_acquire; if r0 == 0 goto x
    r1 = r0; !bpf_task_release; x: !bpf_rcu_read_unlock; {END}
kptr read local | CLS
    {POINTERS}; r8 = *(u64 *)(r7 + 16); if r8 == 0 goto out; r9 = *(u64 *)(r8 + 8); {END}
kptr written local | CLS
    {POINTERS}; r8 = *(u64 *)(r7 + 16); if r8 == 0 goto out; *(u64 *)(r8 + 8) = 1; {END}
kptr read unreferenced | CLS
    {POINTERS}; r8 = *(u64 *)(r7 + 24); if r8 == 0 goto out; r9 = *(u32 *)(r8 + 64); {END}
kptr unreferenced acquired | CLS | argument | R1 must be a rcu pointer
    {POINTERS}; r1 = *(u64 *)(r7 + 24); if r1 == 0 goto out; !bpf_task_acquire; {END}
kptr read percpu | CLS | type | R8 is ptr_plain access percpu memory: off=0
    {POINTERS}; r8 = *(u64 *)(r7 + 32); if r8 == 0 goto out; r9 = *(u64 *)(r8 + 0); {END}
kptr percpu this cpu | CLS
    {POINTERS}; r1 = *(u64 *)(r7 + 32); if r1 == 0 goto out; call 154; r9 = *(u64 *)(r0 + 0); {END}
kptr percpu this cpu sleepable | SYSCALL | argument | R1 type=untrusted_ptr_ expected=percpu_ptr_, percpu_rcu_ptr_, pe
    {POINTERS}; r1 = *(u64 *)(r7 + 32); if r1 == 0 goto out; call 154; r9 = *(u64 *)(r0 + 0); {END}
kptr half read | CLS | type | kptr access size must be BPF_DW
    {POINTERS}; r8 = *(u32 *)(r7 + 8); {END}
kptr across read | CLS | type | kptr access misaligned expected=8 off=4
    {POINTERS}; r8 = *(u64 *)(r7 + 4); {END}
kptr variable read | CLS | type | kptr access cannot have variable offset
    {POINTERS}; call 7; r0 &= 8; r7 += r0; r8 = *(u64 *)(r7 + 0); {END}
kptr atomic | CLS | type | kptr in map can only be accessed using BPF_MEM instruction mode
    {POINTERS}; r1 = 1; lock *(u64 *)(r7 + 8) += r1; {END}
kptr stored | CLS | type | store to referenced kptr disallowed
    {POINTERS}; {TASK}; *(u64 *)(r7 + 8) = r6; {TDROP}; {END}
kptr null stored | CLS | type | store to referenced kptr disallowed
    {POINTERS}; r1 = 0; *(u64 *)(r7 + 8) = r1; {END}
kptr unreferenced null stored | CLS
    {POINTERS}; r1 = 0; *(u64 *)(r7 + 24) = r1; {END}
kptr unreferenced zero stored | CLS
    {POINTERS}; *(u64 *)(r7 + 24) = 0; {END}
kptr unreferenced one stored | CLS | type | BPF_ST imm must be 0 when storing to kptr at off=24
    {POINTERS}; *(u64 *)(r7 + 24) = 1; {END}
kptr unreferenced number stored | CLS | type | invalid kptr access, R1 type=scalar expected=ptr_task_struct
    {POINTERS}; r1 = 5; *(u64 *)(r7 + 24) = r1; {END}
kptr unreferenced task stored | CLS
    {POINTERS}; {TASK}; *(u64 *)(r7 + 24) = r6; {TDROP}; {END}
kptr unreferenced moved task stored | CLS | type | invalid kptr access, R8 type=ptr_task_struct expected=ptr_task_s
    {POINTERS}; {TASK}; r8 = r6; r8 += 8; *(u64 *)(r7 + 24) = r8; {TDROP}; {END}
kptr unreferenced stack stored | CLS | type | invalid kptr access, R10 type=fp expected=ptr_task_struct
    {POINTERS}; *(u64 *)(r7 + 24) = r10; {END}
kptr unreferenced copied | CLS
    {POINTERS}; r8 = *(u64 *)(r7 + 24); *(u64 *)(r7 + 24) = r8; {END}
kptr unreferenced local stored | CLS | type | invalid kptr access, R6 type=ptr_plain expected=ptr_task_struct
    {POINTERS}; {new("plain")}; *(u64 *)(r7 + 24) = r6; {drop()}; {END}
kptr updated through helper | CLS
    {POINTERS}; r1 = r7; r2 = 8; r3 = 0; r4 = 0; r5 = 0; call 28; {END}
kptr whole value to helper | CLS | argument | kptr cannot be accessed indirectly by helper
    {POINTERS}; r1 = r7; r2 = 72; r3 = 0; r4 = 0; r5 = 0; call 28; {END}
kptr map updated | CLS | argument | kptr cannot be accessed indirectly by helper
    {POINTERS}; r1 = pointers ll; *(u32 *)(r10 - 4) = 0; r2 = r10; r2 += -4; r3 = r7; r4 = 0; call 2; {END}
tree remove maybe null at offset 0 | CLS
    {ROOTS}; {LK}; {FIRST3}; {ROOT3}; r2 = r0; !bpf_rbtree_remove; r6 = r0; {UL}; if r6 == 0 goto out; {drop()}
    {END}
tree remove maybe null read | CLS
    {ROOTS}; {LK}; {FIRST3}; {ROOT3}; r2 = r0; !bpf_rbtree_left; if r0 == 0 goto x; r8 = *(u64 *)(r0 + 32); x: {UL}
    {END}
tree remove owned, dropped | CLS
    {ROOTS}; {NEWT}; {LK}; {ROOT}; {node(8)}; !bpf_rbtree_remove; r8 = r0; {UL}; {drop()}; if r8 == 0 goto out
    r8 += -8; {drop(8)}; {END}
tree left of owned, dropped | CLS
    {ROOTS}; {NEWT}; {LK}; {ROOT}; {node(8)}; !bpf_rbtree_left; {UL}; {drop()}; {END}
tree remove record | CLS | argument | bpf_rb_node not found at offset=8
    {ROOTS}; {RING}; {LK}; {ROOT}; {node(8)}; !bpf_rbtree_remove; {UL}; {SUBMIT}; {END}
tree remove task | CLS | argument | bpf_rb_node not found at offset=8
    {ROOTS}; {TASK}; {LK}; {ROOT}; {node(8)}; !bpf_rbtree_remove; {UL}; {TDROP}; {END}
tree remove map value | CLS | argument | bpf_rbtree_remove can only take non-owning or refcounted bpf_rb_
    {ROOTS}; {LK}; {ROOT}; {node(8, 7)}; !bpf_rbtree_remove; {UL}; {END}
list push record | CLS | argument | arg#1 expected pointer to allocated object
    {ROOTS}; {RING}; {LK}; {HEAD}; {node(8)}; r3 = 0; r4 = 0; !bpf_list_push_front_impl; {UL}; {SUBMIT}; {END}
list head record | CLS | argument | bpf_list_head not found at offset=0
    {ROOTS}; {NEWL}; {LK}; r1 = r6; {node(8)}; r3 = 0; r4 = 0; !bpf_list_push_front_impl; {UL}; {END}
drop record | CLS | argument | arg#0 expected pointer to allocated object, not ringbuf_mem
    {RING}; {drop()}; {END}
count record | CLS | argument | arg#0 is neither owning or non-owning ref
    {RING}; {COUNT}; {SUBMIT}; {END}
tree callback removes | CLS | lock | held lock and object are not in the same allocation
    {ROOTS}; {NEWT}; {LK}; {ADD}; {UL}; {END}; f: r2 = r1; r1 = map_val(roots) + 24; !bpf_rbtree_remove; {OUT}
tree callback first | CLS | lock | held lock and object are not in the same allocation
    {ROOTS}; {NEWT}; {LK}; {ADD}; {UL}; {END}; f: r1 = map_val(roots) + 24; !bpf_rbtree_first; {OUT}
tree callback unlocks directly | CLS | lock | can't spin_{{lock,unlock}} in rbtree cb
    r7 = map_val(roots); {NEWT}; {LK}; {ADD}; {UL}; {END}; f: r1 = map_val(roots); call 94; {OUT}
tree callback locks directly | CLS | lock | function calls are not allowed while holding a lock
    r7 = map_val(roots); {NEWT}; {LK}; {ADD}; {UL}; {END}; f: r1 = map_val(roots); call 93; {OUT}
kptr shared counted | CLS
    {POINTERS}; !bpf_rcu_read_lock; r1 = *(u64 *)(r7 + 56); if r1 == 0 goto x; r2 = 0; !bpf_refcount_acquire_impl
    if r0 == 0 goto x; r1 = r0; r2 = 0; !bpf_obj_drop_impl; x: !bpf_rcu_read_unlock; {END}
kptr shared counted unchecked | CLS | null | Possibly NULL pointer passed to trusted arg0
    {POINTERS}; !bpf_rcu_read_lock; r1 = *(u64 *)(r7 + 56); if r1 == 0 goto x; r2 = 0; !bpf_refcount_acquire_impl
    r1 = r0; r2 = 0; !bpf_obj_drop_impl; x: !bpf_rcu_read_unlock; {END}
kptr shared removed | CLS
    {POINTERS}; {look("roots", 8)}; r6 = *(u64 *)(r7 + 56); if r6 == 0 goto out; {lock(8)}; r1 = r8; r1 += 56
    {node(32)}; !bpf_rbtree_remove; r6 = r0; {unlock(8)}; if r6 == 0 goto out; r6 += -32; {drop()}; {END}
kptr shared after unlock | CLS | type | R6 invalid mem access 'scalar'
    {POINTERS}; {look("locked", 8)}; r8 += 8; r6 = *(u64 *)(r7 + 56); if r6 == 0 goto out; {lock(8)}; {unlock(8)}
    r9 = *(u64 *)(r6 + 0); {END}
kptr plain after unlock | CLS
    {POINTERS}; {look("locked", 8)}; r8 += 8; r6 = *(u64 *)(r7 + 16); if r6 == 0 goto out; {lock(8)}; {unlock(8)}
    r9 = *(u64 *)(r6 + 0); {END}
kptr sleepable under lock | SYSCALL
    {POINTERS}; r6 = r7; r6 += 64; {lock(6)}; r8 = *(u64 *)(r7 + 8); {unlock(6)}; if r8 == 0 goto out; r1 = r8
    !bpf_task_acquire; if r0 == 0 goto out; r1 = r0; !bpf_task_release; {END}
kptr percpu each cpu | CLS
    {POINTERS}; r1 = *(u64 *)(r7 + 32); if r1 == 0 goto out; r2 = 0; call 153; if r0 == 0 goto out
    r9 = *(u64 *)(r0 + 8); {END}
kptr percpu each cpu unchecked | CLS
    {POINTERS}; r1 = *(u64 *)(r7 + 32); if r1 == 0 goto out; r2 = 0; call 153; r9 = *(u64 *)(r0 + 8); {END}
kptr percpu maybe null | CLS | argument | R1 type=percpu_rcu_ptr_or_null_ expected=percpu_ptr_, percpu_rcu
    {POINTERS}; r1 = *(u64 *)(r7 + 32); r2 = 0; call 153; {END}
kptr percpu written | CLS
    {POINTERS}; r1 = *(u64 *)(r7 + 32); if r1 == 0 goto out; call 154; *(u64 *)(r0 + 0) = 5; {END}
kptr percpu overrun | CLS | bounds-memory | access beyond struct plain at off 16 size 8
    {POINTERS}; r1 = *(u64 *)(r7 + 32); if r1 == 0 goto out; call 154; r0 = *(u64 *)(r0 + 16); {END}
"""


def test_rules(cases, owned, decided, case):
    library, maps = owned
    decided(cases.spec_of(case, maps, library), case.category, case.message)
