"""What the language has not is refused at its line, with advice; nothing is ignored."""

from __future__ import annotations

import ast
import enum
import functools
import linecache
import sys

import pytest

from pybpf import (
    VM,
    Array,
    CompileError,
    DevMap,
    HashMap,
    RingBuf,
    StackTrace,
    Struct,
    XdpAction,
    kfunc,
    printk,
    sched_cls,
    socket_filter,
    subprogram,
    tp_btf,
    tracepoint,
    types,
    u32,
    u64,
    xdp,
)
from pybpf import helpers as bpf
from pybpf.dsl.lower.kfunccalls import Kfunc
from pybpf.net import Ethernet, IPv4, Udp

counts = HashMap(u32, u64, max_entries=8)
slots = Array(u64, max_entries=8)


class Pair(Struct):
    a: u64
    b: u32


pairs = HashMap(u32, Pair, max_entries=8)
ring = RingBuf(Pair, size=4096)
SCOPE = {
    "printk": printk, "kfunc": kfunc, "Kfunc": Kfunc,
    **vars(types), "counts": counts, "slots": slots, "Pair": Pair, "pairs": pairs, "ring": ring, "bpf": bpf,
    "Ethernet": Ethernet, "IPv4": IPv4, "Udp": Udp,
}  # fmt: skip


def build(body: str, decorator=xdp, **options):
    text = "def f(ctx):\n" + "".join(f"    {line}\n" for line in body.splitlines())
    scope = dict(SCOPE)
    exec(compile(text, "<snippet>", "exec"), scope)
    return decorator(source=text, **options)(scope["f"])


# Every AST node class that may stand in a function: a body that holds it, and a part of the message when it is refused.
SNIPPETS = {
    "FunctionDef": ("def g():\n    pass\nreturn 0", "outside of the program"),
    "AsyncFunctionDef": ("async def g():\n    pass\nreturn 0", "do not wait"),
    "ClassDef": ("class A:\n    pass\nreturn 0", "outside of the program"),
    "Return": ("return 0", None),
    "Delete": ("del counts[1]\nreturn 0", None),
    "Assign": ("x = 1\nreturn x", None),
    "TypeAlias": ("type X = int\nreturn 0", "module level"),
    "AugAssign": ("x = 1\nx += 1\nreturn x", None),
    "AnnAssign": ("x: u32 = 1\nreturn x", None),
    "For": ("n = 0\nfor i in range(9):\n    n += i\nreturn n", None),
    "AsyncFor": None,  # only inside async def, which is refused
    "While": ("n = 3\nwhile n > 0:\n    n -= 1\nreturn n", None),
    "If": ("if len(ctx) > 3:\n    return 1\nreturn 0", None),
    "With": ("with ctx:\n    pass\nreturn 0", "no with"),
    "AsyncWith": None,
    "Match": ("match len(ctx):\n    case 1:\n        return 1\nreturn 0", None),
    "Raise": ("raise ValueError", "cannot raise"),
    "Try": ("try:\n    x = 1\nexcept ValueError:\n    x = 2\nreturn 0", "nothing raises"),
    "TryStar": ("try:\n    x = 1\nexcept* ValueError:\n    x = 2\nreturn 0", "nothing raises"),
    "Assert": ("assert len(ctx) > 3\nreturn 0", "cannot raise"),
    "Import": ("import os\nreturn 0", "module level"),
    "ImportFrom": ("from os import path\nreturn 0", "module level"),
    "Global": ("global zzz\nreturn 0", "rebind"),
    "Nonlocal": None,  # needs an enclosing function; see test_nonlocal
    "Expr": ("bpf.ktime_get_ns()\nreturn 0", None),
    "Pass": ("pass\nreturn 0", None),
    "Break": ("while True:\n    break\nreturn 0", None),
    "Continue": ("for i in range(12):\n    continue\nreturn 0", None),
    "BoolOp": ("return 1 if len(ctx) and len(ctx) > 2 else 0", None),
    "NamedExpr": ("if (n := len(ctx)) > 3:\n    return 1\nreturn 0", None),
    "BinOp": ("return u32(len(ctx)) + 1", None),
    "UnaryOp": ("return u32(~len(ctx))", None),
    "Lambda": ("g = lambda: 1\nreturn 0", "def at module level"),
    "IfExp": ("return 1 if len(ctx) > 9 else 2", None),
    "Dict": ("x = {1: 2}\nreturn 0", "HashMap"),
    "Set": ("return 1 if len(ctx) in {60, 61} else 0", None),
    "ListComp": ("x = [i for i in range(3)]\nreturn 0", "for loop"),
    "SetComp": ("x = {i for i in range(3)}\nreturn 0", "for loop"),
    "DictComp": ("x = {i: i for i in range(3)}\nreturn 0", "HashMap"),
    "GeneratorExp": ("x = sum(i for i in range(3))\nreturn 0", "for loop"),
    "Await": None,
    "Yield": ("yield 1", "not generators"),
    "YieldFrom": ("yield from ()", "not generators"),
    "Compare": ("return 1 if 3 < len(ctx) < 9 else 0", None),
    "Call": ("return u32(bpf.get_prandom_u32())", None),
    "FormattedValue": ("x = f'{ctx}'\nreturn 0", "printk"),
    "JoinedStr": ("x = f'a{1}'\nreturn 0", "printk"),
    "Constant": ("return 3", None),
    "Attribute": ("return ctx.ingress_ifindex", None),
    "Subscript": ("return u32(slots[1])", None),
    "Starred": ("x = (*(1, 2), 3)\nreturn 0", "unpacking"),
    "Name": ("x = ctx\nreturn len(x)", None),
    "List": ("x = [1, 2]\nreturn x[1]", None),
    "Tuple": ("x = (1, 2)\nreturn x[1]", None),
    "Slice": ("x = u8[4]()\ny = x[0:2]\nreturn 0", "no slices"),
    "TemplateStr": None,  # Python 3.14
    "Interpolation": None,
    "MatchValue": ("match len(ctx):\n    case 60:\n        return 1\nreturn 0", None),
    "MatchSingleton": ("match ctx.rx_queue_index > 1:\n    case True:\n        return 1\nreturn 0", None),
    "MatchSequence": ("match len(ctx):\n    case [a, b]:\n        return 1\nreturn 0", "no meaning"),
    "MatchMapping": ("match len(ctx):\n    case {1: a}:\n        return 1\nreturn 0", "no meaning"),
    "MatchClass": ("match len(ctx):\n    case int():\n        return 1\nreturn 0", "no meaning"),
    "MatchStar": ("match len(ctx):\n    case [*a]:\n        return 1\nreturn 0", "no meaning"),
    "MatchAs": ("match len(ctx):\n    case x:\n        return x\n", None),
    "MatchOr": ("match len(ctx):\n    case 60 | 61:\n        return 1\nreturn 0", None),
}


def node_classes():
    for base in (ast.stmt, ast.expr, ast.pattern):
        for cls in base.__subclasses__():
            if cls.__module__ == "ast" or cls.__module__ == "_ast":
                yield cls.__name__


OLD = {"Num", "Str", "Bytes", "NameConstant", "Ellipsis", "Index", "ExtSlice"}  # of the ast module before Python 3.8


@pytest.mark.parametrize("name", sorted(set(node_classes()) - OLD))
def test_every_node_is_compiled_or_refused(name):
    assert name in SNIPPETS, f"the language must say what it does with {name}"
    row = SNIPPETS[name]
    if row is None or (name == "TypeAlias" and sys.version_info < (3, 12)):
        return
    body, refused = row
    node = compile("def f(ctx):\n" + "".join(f"    {x}\n" for x in body.splitlines()), "x", "exec", ast.PyCF_ONLY_AST)
    assert name in {type(n).__name__ for n in ast.walk(node)}
    if refused is None:
        assert build(body).insns
        return
    with pytest.raises(CompileError, match=refused) as caught:
        _ = build(body).insns
    assert caught.value.line is not None
    assert caught.value.line > 1
    assert "^" in str(caught.value)


def test_nonlocal():
    text = "def outer():\n    x = 1\n    def f(ctx):\n        nonlocal x\n        return 0\n    return f\n"
    scope: dict = {}
    exec(compile(text, "<snippet>", "exec"), scope)
    with pytest.raises(CompileError, match="rebind"):
        _ = xdp(source=text)(scope["outer"]()).insns


# body -> part of the message
ERRORS = [
    ("eth = ctx.packet(Ethernet)\nreturn eth.type", "may be None here"),
    ("eth = ctx.packet(Ethernet)\nif eth:\n    return 1\nreturn 0", "is None"),
    ("hits = counts.get(1)\nif hits:\n    return 1\nreturn 0", "would mix a missing value with zero"),
    ("return ctx.nonsense", "has no field 'nonsense'; it has"),
    ("ctx.ingress_ifindex = 3\nreturn 0", "may not write"),
    ("return ctx.data", "ctx.packet"),
    ("e = ring.reserve()\nif e is None:\n    return 0\nreturn 0", "neither submitted nor discarded"),
    ("e = ring.reserve()\nif e is None:\n    return 0\ne.submit()\ne.a = 1\nreturn 0", "already submitted"),
    (
        "e = ring.reserve()\nif e is None:\n    return 0\nif len(ctx) > 3:\n    e.submit()\nreturn 0",
        "released on one way",
    ),
    ("x = s64(bpf.ktime_get_ns())\nreturn x // 3", "rounds down"),
    ("x = s64(bpf.ktime_get_ns())\nreturn x % 3", "smod"),
    ("return 1 / len(ctx)", "//"),
    ("return 1.5", "floating point"),
    ("x = len(ctx) // 0\nreturn 0", "division by zero"),
    ("p = Pair(a=1, b=bpf.ktime_get_ns())\nreturn 0", "write u32"),
    ("p = Pair(c=1)\nreturn 0", "no field 'c'; it has a, b"),
    ("return u32(1) << len(ctx)", "distance"),
    ("if len(ctx) > 3:\n    x = 1\nreturn x", "may not have been assigned"),
    ("return y", "not defined"),
    ("pairs[1].a += 1\nreturn 0", "may be missing"),
    ("slots[9] += 1\nreturn 0", "never found"),
    ("del slots[1]\nreturn 0", "cannot be deleted"),
    ("counts.push(1)\nreturn 0", "has no method push; it has get"),
    ("bpf.skb_load_bytes(0, u8[4]())\nreturn 0", "may not call skb_load_bytes; these may"),
    ("print(1)\nreturn 0", "printk"),
    ("x = open('a')\nreturn 0", "cannot be called"),
    ("for i in ctx:\n    pass\nreturn 0", "a for loop runs over"),
    ("for i in range(bpf.ktime_get_ns()):\n    counts[1] += 1\nreturn 0", "bounded"),
    ("while True:\n    pass", "leaves this loop after 8388608 rounds: write a return"),
    ("x = 5\nx\nreturn 0", "does nothing"),
    ("if len(ctx) > 9:\n    return 1", "returns nothing"),
    ("a = u8[600]()\nreturn a[0]", "512"),
    ("a = u32[4]()\nreturn a[len(ctx)]", "index may be"),
    ("u = ctx.packet(Udp, at=-1)\nreturn 0", "offset of a header"),
    ("ip = ctx.packet(IPv4)\nif ip is None:\n    return 0\nctx.adjust_head(4)\nreturn ip.ttl", "may have moved"),
    ("x = bpf.ktime_get_ns()\nif x > s64(bpf.ktime_get_ns()):\n    return 1\nreturn 0", "may be negative"),
    ("a, b = 1, 2, 3\nreturn 0", "2 names take 2 values"),
]


@pytest.mark.parametrize(("body", "message"), ERRORS, ids=[m for _, m in ERRORS])
def test_errors_say_what_to_write(body, message):
    with pytest.raises(CompileError) as caught:
        _ = build(body).insns
    assert message in str(caught.value)
    assert caught.value.file == "<snippet>"
    assert caught.value.line


def test_an_error_whole():
    with pytest.raises(CompileError) as caught:
        _ = build("eth = ctx.packet(Ethernet)\nreturn eth.type").insns
    assert str(caught.value) == (
        "<snippet>:3:12: the Ethernet header may be None here: test it with `is None` first\n"
        "        return eth.type\n"
        "               ^"
    )


def test_stack_overflow_lists_the_largest_users():
    body = "\n".join(f"x{i} = u64[16]()\nbpf.get_current_comm(x{i})" for i in range(5))
    body += "\nreturn u32(" + " ^ ".join(f"x{i}[1]" for i in range(5)) + ")"
    spec = build(body, lambda **options: tracepoint("sched/sched_switch", **options))
    with pytest.raises(
        CompileError, match=r"640 bytes of stack.*u64\[16\] 128 bytes \(line 2\), u64\[16\] 128 bytes \(line 4\)"
    ):
        _ = spec.insns


def test_stack_overflow_counts_spilled_numbers():
    body = "x = skb.len\n" + "\n".join(f"v{i} = x * {2 * i + 3} + {i}" for i in range(90))
    body += "\ny = u32(0)\n" + "\n".join(f"y ^= v{i}" for i in range(90)) + "\nreturn y"
    with pytest.raises(
        CompileError, match=r"numbers that found no register \d+ bytes: use fewer names at the same time"
    ):
        _ = build(body.replace("skb", "ctx"), sched_cls).insns


def test_slots_that_are_not_in_use_at_once_share_the_stack():
    body = "\n".join(f"x{i} = u64[16]()\nbpf.get_current_comm(x{i})\ny{i} = x{i}[1]" for i in range(9))
    body += "\nreturn u32(" + " ^ ".join(f"y{i}" for i in range(9)) + ")"
    spec = build(body, lambda **options: tracepoint("sched/sched_switch", **options))
    assert min(insn.off for insn in spec.insns if insn.dst == 10) >= -(128 + 9 * 8)


def test_source_is_needed():
    scope: dict = {}
    exec("def f(ctx):\n    return 0\n", scope)
    with pytest.raises(CompileError, match="source="):
        _ = xdp(scope["f"]).insns


def test_source_from_linecache():
    """As notebooks and IPython keep it."""
    text = "def f(ctx):\n    return 2\n"
    linecache.cache["<cell 1>"] = (len(text), None, text.splitlines(keepends=True), "<cell 1>")
    scope: dict = {}
    exec(compile(text, "<cell 1>", "exec"), scope)
    assert len(xdp(scope["f"]).insns) == 2
    del linecache.cache["<cell 1>"]


def test_old_kernels():
    with pytest.raises(CompileError, match=r"before 5\.3 has no loops|needs Linux"):
        _ = build("n = 9\nwhile n > 3:\n    n -= 1\nreturn 0", kernel="5.10", isa=1).replace(kernel="5.2").insns


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (
            "v = pairs.get(1)\nif v is None:\n    return 0\nbpf.spin_lock(v.b)\nreturn 0",
            "lock of spin_lock is a SpinLock field",
        ),
        (
            "v = pairs.get(1)\nif v is None:\n    return 0\nbpf.timer_cancel(v.b)\nreturn 0",
            "timer of timer_cancel is a Timer field",
        ),
        ("with ctx:\n    pass\nreturn 0", "but for spin locks"),
    ],
)
def test_locks_and_timers_are_refused_with_advice(body, told):
    with pytest.raises(CompileError, match=told):
        build(body).insns  # noqa: B018


def test_fields_of_sockets_are_refused_with_advice():
    with pytest.raises(CompileError, match="sk_fullsock"):
        build("sk = ctx.sk\nif sk is None:\n    return 0\nreturn sk.mark", sched_cls).insns  # noqa: B018


def test_helpers_under_the_gpl():
    with pytest.raises(CompileError, match="trace_printk is for programs with a GPL-compatible licence"):
        build("printk('x')\nreturn 0", license="MIT").insns  # noqa: B018
    assert build("printk('x')\nreturn 0", license="Dual BSD/GPL").insns
    assert build("counts[1] += 1\nreturn 0", license="MIT").insns


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ("for k in counts:\n    pass\nreturn 0", r"m\.for_each\(callback, context\)"),
        ("for k, v in counts.items():\n    pass\nreturn 0", "has no 'items' inside a program; it has get, update"),
        ("x = [0, 0]\nx[0] = 1\nreturn 0", "is a constant: make an array"),
        ("f = kfunc('no_such_function')\nf()\nreturn 0", "no_such_function is not known here"),
        ("f = Kfunc('x')\nreturn 0", "cannot be called inside a program"),
    ],
)
def test_what_to_write_instead(body, told):
    with pytest.raises(CompileError, match=told):
        build(body).insns  # noqa: B018


def test_methods_of_maps_name_the_programs_that_may_call_their_helper():
    stacks, devices = StackTrace(max_entries=4), DevMap(4)

    @xdp
    def stack(ctx):
        return stacks.stack_id()

    @socket_filter
    def device(skb):
        return devices.redirect(3)

    with pytest.raises(
        CompileError, match=r"xdp programs may not call get_stackid; these may on Linux 6.18: KPROBE, PERF_EVENT"
    ):
        stack.insns  # noqa: B018
    with pytest.raises(
        CompileError, match=r"socket_filter programs may not call redirect_map; these may on Linux 6.18: XDP"
    ):
        device.insns  # noqa: B018


@pytest.mark.parametrize(
    ("kernel", "call", "told"),
    [
        ("5.4", "bpf.ktime_get_boot_ns()", r"Linux 5.4 has no helper ktime_get_boot_ns \(helper since Linux 5.8\)"),
        ("4.14", "bpf.fib_lookup(u8[64]())", r"Linux 4.14 has no helper fib_lookup \(helper since Linux 4.18\)"),
        ("5.10", "bpf.get_func_ip()", r"Linux 5.10 has no helper get_func_ip \(helper since Linux 5.15\)"),
        (
            "6.18",
            "bpf.probe_write_user(1, u8[4]())",
            r"xdp programs may not call probe_write_user; these may on Linux 6.18: KPROBE",
        ),
        ("6.18", "bpf.ktime_get_ns(3)", "ktime_get_ns takes no arguments, 1 given"),
    ],
)
def test_helpers_that_a_kernel_lacks(kernel, call, told):
    with pytest.raises(CompileError, match=told):
        build(f"{call}\nreturn 0", kernel=kernel).insns  # noqa: B018


def test_helpers_between_two_tables():
    """Linux 5.17 is held to the table of 5.10, which knows nothing of what came between; that of 6.1 tells who may call it."""
    assert build("return u32(bpf.ktime_get_tai_ns())", kernel="6.2").insns
    with pytest.raises(CompileError, match=r"these may on Linux 5\.16: KPROBE"):
        build("bpf.get_func_ip()\nreturn 0", kernel="5.16").insns  # noqa: B018


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (
            "x = ctx.packet(dict)\nreturn 1",
            "a type is wanted here, such as a Struct, u32 or u8[6], and not <class 'dict'>",
        ),
        ("return XdpAction.DORP", "XdpAction has no DORP; it has ABORTED, DROP, PASS, TX, REDIRECT"),
        ("return Color.RED", "<Color.RED: 3> is not a number: make its class an enum.IntEnum, or use its .value"),
        ("x = [1, 2]\nx.append(3)\nreturn 1", "a list does not change inside a program, so it has no append"),
        ("return other(ctx)", "f is a program, which is called by ProgArray.tail_call"),
        ("counts += 1\nreturn 1", "counts is assigned in this function, so it is not the map of that name"),
        (
            "return bpf.sk_lookup_tcp(Pair(), 12, 0, 0) is None",
            "ctx of sk_lookup_tcp is the program's context, and not a refer",
        ),
    ],
)
def test_mistakes_of_beginners(body, told, monkeypatch):
    monkeypatch.setitem(SCOPE, "XdpAction", XdpAction)
    monkeypatch.setitem(SCOPE, "Color", enum.Enum("Color", {"RED": 3}))
    monkeypatch.setitem(SCOPE, "other", build("return 1"))
    with pytest.raises(CompileError) as caught:
        build(body).insns  # noqa: B018
    assert told in str(caught.value)


@pytest.mark.kernel
@pytest.mark.parametrize(
    ("name", "given", "told"),
    [
        ("bpf_task_acquired", "task", "did you mean bpf_task_acquire?"),
        ("bpf_task_acquire", "task.mm", "p of bpf_task_acquire is struct task_struct, and this is struct mm_struct"),
    ],
)
def test_kernel_functions_are_given_what_they_take(name, given, told):
    text = f"def f(ctx, task, flags):\n    call({given})\n"
    scope: dict = {"call": kfunc(name)}
    exec(compile(text, "<snippet>", "exec"), scope)
    with pytest.raises(CompileError) as caught:
        tp_btf("task_newtask", source=text)(scope["f"]).insns  # noqa: B018
    assert told in str(caught.value)


def test_what_functools_keeps_of_a_call():
    def add(a, b, *, c=0):
        return a + b + c

    five = functools.partial(add, 5, c=1)

    @xdp
    def f(ctx):
        return five(7)

    assert VM(f).run(data=bytes(64)).retval == 13


class Large(Struct):
    cells: u64[32]


entries = HashMap(u32, u64, max_entries=8)


@subprogram
def deeper(x: u32) -> u64:
    large = Large()
    large.cells[x & 31] = x
    entries[x] += large.cells[x & 15]
    return large.cells[3]


def deep(ctx):
    large = Large()
    n = u32(len(ctx))
    large.cells[n & 31] = n
    return u32(deeper(n) + large.cells[n & 7])


def test_functions_share_a_stack():
    told = (
        "functions that call each other have 512 bytes of stack together, and these need 528: deep 256 bytes, deeper 272 bytes; "
        "keep large values in a PerCpuArray map"
    )
    with pytest.raises(CompileError, match=told) as error:
        _ = xdp(deep).insns
    assert "deeper(n)" in str(error.value)
    assert tracepoint("syscalls/sys_enter_execve")(traced).insns  # Linux 6.13 gives each function of these its own


def traced(ctx):
    large = Large()
    n = bpf.get_smp_processor_id()
    large.cells[n & 31] = n
    return u32(deeper(n) + large.cells[n & 7])
