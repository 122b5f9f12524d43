"""The kernel's reasons in our categories: the first pattern that is found decides."""

from __future__ import annotations

import re

_TABLE = (
    ("license", r"GPL"),
    ("privilege", r"CAP_BPF and CAP_SYS_ADMIN|^errno 1$"),
    ("leak", r"leaks addr|pointer comparison prohibited|!root|leaking pointer|partial copy of pointer"),
    (
        "encoding",
        r"uses reserved fields|unknown opcode|invalid bpf_ld_imm64|unrecognized bpf_ld_imm64|is invalid$|div by zero",
    ),
    (
        "encoding",
        r"invalid shift|invalid atomic|addr_space_cast|fd_idx without|BPF_ATOMIC uses invalid|invalid may_goto",
    ),
    ("type", r"cannot be accessed directly|store to referenced kptr"),
    ("ctx-access", r"modified ctx ptr"),
    ("type", r"direct access to bpf_|access percpu memory"),
    (
        "argument",
        (
            r"expected pointer to (allocated|map value|func)|expected for bpf_|type ID argument|bpf_percpu_obj_new type|"
            r"expected pointer to ctx|Unknown type ID|is not a struct$|is not a constant address|"
            r"neither owning|not found at offset|operation on bpf_|can only take non-owning|isn't map pointer|doesn't match map"
        ),
    ),
    ("argument", r"must be (referenced or trusted|a rcu pointer|a known constant)|isn't referenced kptr"),
    ("argument", r"expected pointer to STRUCT|must point to scalar|may write into memory|memory, len pair leads"),
    ("argument", r"expected (an initialized|uninitialized)|has no valid kptr"),
    ("null", r"Possibly NULL pointer passed"),
    ("reference", r"expects refcounted PTR_TO_BTF_ID"),
    ("map", r"tracing progs cannot use bpf_(timer|wq)"),
    ("btf", r"only allowed in functions that return"),
    ("btf", r"attach to (invalid|unsupported) member|is not a supported struct|find the address for kernel symbol"),
    ("lock", r"spin_\{lock|sleepable helper|is sleepable within|in rbtree cb"),
    (
        "lock",
        r"spin_(un)?lock|while holding a lock|-ed region|preemption|unmatched (rcu|attempt)|deadlock|use static function",
    ),
    ("reference", r"(?<!de)reference|must be referenced|unacquired|cannot overwrite referenced dynptr|unowned"),
    ("cfg", r"jump out of range|unreachable insn|last insn is not|jump into the middle|back-edge|invalid destination"),
    ("stack-depth", r"combined stack size|call stack of|stack size of subprog|tail_calls are not allowed when"),
    ("complexity", r"too large|infinite loop|old state:|too complex|too many|limit of"),
    ("return-value", r"At (program|subprogram) exit|At (async )?callback return|R0 not a scalar"),
    ("alignment", r"misaligned .*access off"),
    (
        "type",
        r"kptr access misaligned|invalid kptr access|store to .*kptr|BPF_ST imm must be 0|kptr access|kptr in map",
    ),
    ("argument", r"kptr cannot be accessed indirectly|no valid kptr|kptr isn't|doesn't point to kptr"),
    ("ctx-access", r"invalid bpf_context access|variable ctx access|modified ctx ptr|negative offset ctx ptr"),
    ("ctx-access", r"(math between|value -?\d+ makes) ctx pointer|ctx pointer offset"),
    ("bounds-map", r"access to map value pointer|direct value offset|value_ptr|map_(value|key) pointer|bounds-map"),
    (
        "bounds-stack",
        r"fp pointer (and|offset|be)|invalid size of register|unbounded variable-offset|variable-offset (read|write)",
    ),
    ("bounds-packet", r"outside of the packet|(between|makes) pkt(_meta)? pointer|pkt pointer offset"),
    ("null", r"invalid mem access '\w*_or_null|null-check it first"),
    ("uninitialised", r"!read_ok|invalid read from stack (R\d+ )?(off|var_off) [-(]?"),
    ("bounds-stack", r"invalid (read from|write to) stack R\d+ off=|attempt to corrupt"),
    (
        "type",
        r"invalid mem access|pointer arithmetic|32-bit pointer|bitwise operator|subtract pointer|subtraction from stack",
    ),
    (
        "type",
        r"frame pointer is read only|cannot write into|pointer .?= pointer|same insn cannot|write into map forbidden",
    ),
    (
        "type",
        r"BPF_ATOMIC (stores|loads)|cannot be accessed directly|only read|read from map forbidden|R6 != pointer to skb",
    ),
    ("type", r"cannot return stack pointer|cannot spill pointers|write to change key|map_ptr access not supported"),
    (
        "helper",
        (
            r"not supported for program type|"
            r"might sleep|must be sleepable|invalid func|cannot use helper|is not a function|kernel function|calling kernel|"
            r"not allowed for this program"
        ),
    ),
    (
        "argument",
        r"type=\w* ?expected|expected=|is of type|unbounded memory access, use|either use unsigned or|zero-sized",
    ),
    (
        "argument",
        r"helper access to the packet|cannot pass map_type|non-zero flags|more than one arg|readonly map|not a known const",
    ),
    (
        "argument",
        r"dynptr|passes invalid args|invalid map_ptr|Unsupported reg type|not pointing to valid|zero offset when",
    ),
    (
        "argument",
        r"callback function not allowed|doesn't have constant offset|no valid bpf_|doesn't point to|variable \w+ access",
    ),
    ("btf", r"isn't KIND_VAR|specifies invalid btf_id"),
    (
        "argument",
        r"R\d is not a scalar|expected (an initialized|pointer to an iterator|an uninitialized|prog array map)",
    ),
    ("argument", r"modified \w+ ptr|negative offset \w+ ptr|string is not|offset stack pointer cannot"),
    ("bounds", r"allowed memory range|make sure to bounds check|min value is negative, either use unsigned index"),
    (
        "bounds-memory",
        r"invalid \w+ access off|invalid negative access|buffer (access|offset)|access beyond|cannot access ptr member",
    ),
    ("bounds-memory", r"flow keys|doesn't have field|invalid variable offset"),
    ("btf", r"func_info|without BTF|BTF|subprog layout|not static|func#|Global function"),
    (
        "map",
        r"cannot be used in prog|Sleepable programs can only|direct value access support|one cgroup storage|tracing progs",
    ),
)
_COMPILED = [(category, re.compile(pattern)) for category, pattern in _TABLE]


def category(reason: str) -> str:
    """The category of a kernel's reason; "" for one that is not known.  "bounds" is any of the bounds-..."""
    return next((found for found, pattern in _COMPILED if pattern.search(reason)), "")


def agree(kernel: str, ours: str) -> bool:
    """Whether our category says what the kernel's reason says."""
    wanted = category(kernel)
    return ours == wanted or (wanted == "bounds" and ours.startswith("bounds-"))
