"""Kernel functions: the same answers as the kernel's own where they can be called in a test run."""

from __future__ import annotations

import itertools

import pytest

from pybpf import VM, Array, HashMap, NotSupportedError, ProgramSpec, VmFault, asm, load, u32
from pybpf.asm import Insn
from pybpf.btf import BtfBuilder
from pybpf.uapi import HELPER_NAMES, HELPER_PROTOS, ProgType
from pybpf.vm.helpers.table import KFUNCS, MODELS

ENGINES = ("interpreter", "translator")
CALL = 0x85


def kfunc(name: str) -> Insn:
    return Insn(CALL, 0, 2, symbol=name)


def program(text: str, **options) -> ProgramSpec:
    """Assembly in which `call NAME` of a kfunc stands on a line `@NAME`."""
    code, part = [], []
    for line in [*text.splitlines(), "@"]:
        line = line.strip()
        if line.startswith("@"):
            code += asm.assemble("\n".join(part))
            part = []
            if line != "@":
                code.append(kfunc(line[1:]))
        else:
            part.append(line)
    return ProgramSpec(code, options.pop("prog_type", ProgType.SYSCALL), license="GPL", flags=16, **options)


def with_text(call: str, *numbers: int) -> ProgramSpec:
    """Calls a string function with the 32 bytes at the beginning of a map's value, and those behind them."""
    load_value = (
        "r1 = text ll\nr2 = r10\nr2 += -4\n*(u32 *)(r10 - 4) = 0\ncall bpf_map_lookup_elem\nif r0 == 0 goto out\n"
    )
    two = ["r2 = r0", "r2 += 32"] if call in TWO else []
    constants = [f"r{i} = {n}" for i, n in enumerate(numbers, 3 if call in TWO else 2)]
    text = "\n".join([*two, "r1 = r0", *constants, f"@{call}", "out:", "exit"])
    first, _, rest = (load_value + text).partition("\nif r0 == 0 goto out\n")
    maps = {"text": Array(64, max_entries=1, name="text")}
    return program(f"{first}\nif r0 != 0 goto +2\nr0 = 0\nexit\n{rest.replace('out:', '')}", maps=maps)


TWO = ("bpf_strcmp", "bpf_strcasecmp", "bpf_strspn", "bpf_strcspn", "bpf_strstr", "bpf_strnstr")
TEXTS = (b"", b"a", b"ab", b"AB", b"abc", b"abcabd", b"xyzabc", b"zz", b"\xff\xfe", b"abcdefghijklmnopqrstuvwxyzabcde")
CALLS = {
    **{name: [()] for name in TWO[:5]},
    "bpf_strnstr": [(0,), (2,), (3,), (100,)],
    "bpf_strlen": [()],
    "bpf_strnlen": [(0,), (2,), (31,), (100,)],
    "bpf_strchr": [(97,), (0,), (98,)],
    "bpf_strchrnul": [(97,), (0,), (99,)],
    "bpf_strrchr": [(97,), (0,), (120,)],
    "bpf_strnchr": [(1, 97), (3, 98), (0, 97), (50, 0)],
}


@pytest.mark.kernel
@pytest.mark.parametrize("name", CALLS)
def test_strings(name):
    for numbers in CALLS[name]:
        spec = with_text(name, *numbers)
        vm = VM(spec)
        with load(spec) as prog:
            for one, other in itertools.product(TEXTS, TEXTS if name in TWO else (b"",)):
                value = one.ljust(32, b"\0") + other.ljust(32, b"\0")
                prog["text"][0] = vm["text"][0] = value
                assert vm.run().retval == prog.test_run().retval, (one, other, numbers)


BITS = """
    r1 = r10
    r1 += -16
    r2 = r10
    r2 += -32
    r3 = {low} ll
    *(u64 *)(r10 - 32) = r3
    r3 = {high} ll
    *(u64 *)(r10 - 24) = r3
    r3 = {words}
    @bpf_iter_bits_new
    r6 = r0
    r7 = 0
    r1 = r10
    r1 += -16
    @bpf_iter_bits_next
    if r0 == 0 goto +8
    r1 = *(u32 *)(r0 + 0)
    r7 *= 7
    r7 += r1
    r7 += 1
    r7 &= 65535
    r1 = r10
    r1 += -16
    goto -10
    r1 = r10
    r1 += -16
    @bpf_iter_bits_destroy
    r0 = r7
    r6 <<= 16
    r0 |= r6
    exit
"""


@pytest.mark.kernel
@pytest.mark.parametrize(
    ("low", "high", "words"), [(0, 0, 1), (5, 0, 1), (5, 9, 2), (1 << 63, 1, 2), (3, 3, 0), (1, 1, 512)], ids=str
)
def test_iterating_over_bits(low, high, words):
    spec = program(BITS.format(low=low, high=high, words=words))
    with load(spec) as prog:
        expected = prog.test_run().retval
    for engine in ENGINES:
        assert VM(spec, engine=engine).run().retval == expected


THROW = """
    r6 = *(u64 *)(r1 + 0)
    r1 = r6
    call pc+3
    r0 += 1
    exit
    r0 = r1
    if r1 < 10 goto +2
    r1 = 77
    @bpf_throw
    exit
"""


@pytest.mark.kernel
def test_exceptions_end_the_program():
    text = THROW.replace("call pc+3", "call inner").replace("    r0 = r1\n", "inner:\n    r0 = r1\n")
    first, _, rest = text.partition("@bpf_throw\n")
    code = asm.assemble(first.replace("if r1 < 10 goto +2", "if r1 < 10 goto end") + "call 1\nend:" + rest)
    code = [kfunc("bpf_throw") if i.opcode == CALL and i.src == 0 else i for i in code]
    spec = ProgramSpec(code, ProgType.SYSCALL, license="GPL", flags=16)
    outcomes = {n: VM(spec, engine=e).run(ctx=n.to_bytes(8, "little")).retval for n in (3, 50) for e in ENGINES}
    assert outcomes == {3: 4, 50: 77}
    # The kernel throws from tc and XDP programs only, and has functions only with BTF: what it says was seen there.


def test_sets_of_cpus():
    text = """
        @bpf_cpumask_create
        r6 = r0
        r1 = 2
        r2 = r6
        @bpf_cpumask_set_cpu
        r1 = 3
        r2 = r6
        @bpf_cpumask_set_cpu
        r1 = 99
        r2 = r6
        @bpf_cpumask_set_cpu
        r1 = r6
        @bpf_cpumask_first
        r7 = r0
        r1 = r6
        @bpf_cpumask_weight
        r7 <<= 8
        r7 |= r0
        r1 = r6
        @bpf_cpumask_release
        r0 = r7
        exit
    """
    for engine in ENGINES:
        assert VM(program(text), engine=engine).run().retval == 0x202


def test_dropped_objects_are_gone():
    builder = BtfBuilder()
    item = builder.add_struct("item", 8, [("key", builder.add_int("unsigned long long", 8, False), 0, 0)])
    new = f"r1 = {item} ll\nr2 = 0\n@bpf_obj_new_impl\nr6 = r0\n"
    drop = "r1 = r6\nr2 = 0\n@bpf_obj_drop_impl\n"
    raw = builder.to_bytes()
    for engine in ENGINES:
        with pytest.raises(VmFault, match="no memory there"):
            VM(program(f"{new}{drop}r0 = *(u64 *)(r6 + 0)\nexit", btf=raw), engine=engine).run()
        with pytest.raises(VmFault, match="was dropped already"):
            VM(program(f"{new}{drop}{drop}exit", btf=raw), engine=engine).run()
        with pytest.raises(VmFault, match="type id 9 does not exist"):
            VM(program("r1 = 9\nr2 = 0\n@bpf_obj_new_impl\nexit", btf=raw), engine=engine).run()


def test_trees_of_objects():
    """Three items with the keys 5, 2, 9 come out in order; `less` is the program's own.  5 is on top, between the others."""
    builder = BtfBuilder()
    number = builder.add_int("unsigned long long", 8, False)
    node = builder.add_struct("bpf_rb_node", 32, [("opaque", builder.add_array(number, 4), 0, 0)])
    item = builder.add_struct("item", 40, [("node", node, 0, 0), ("key", number, 256, 0)])
    add = f"""
        r1 = {item} ll
        r2 = 0
        @bpf_obj_new_impl
        *(u64 *)(r0 + 32) = KEY
        r1 = r7
        r2 = r0
        r3 = less ll
        r4 = 0
        r5 = 0
        @bpf_rbtree_add_impl
    """
    take = """
        r1 = r7
        @bpf_rbtree_first
        r1 = r7
        r2 = r0
        @bpf_rbtree_remove
        r1 = *(u64 *)(r0 + 32)
        r8 *= 10
        r8 += r1
        r1 = r0
        r2 = 0
        @bpf_obj_drop_impl
    """
    walk = """
        r1 = r7
        @bpf_rbtree_root
        r6 = r0
        r8 = *(u64 *)(r6 + 32)
    """
    for side in ("left", "right"):
        walk += f"r1 = r7\nr2 = r6\n@bpf_rbtree_{side}\nr1 = *(u64 *)(r0 + 32)\nr8 *= 10\nr8 += r1\n"
    adds = "".join(add.replace("KEY", str(k)) for k in (5, 2, 9))
    text = f"r7 = root ll\n{adds}{walk}{take * 3}r0 = r8\nexit\n"
    text += "less: r1 = *(u64 *)(r1 + 32)\nr2 = *(u64 *)(r2 + 32)\nr0 = 0\nif r1 >= r2 goto +1\nr0 = 1\nexit"
    code = list(program(text).insns)
    root = Array(16, max_entries=1, name="root")
    fixed = []
    for insn in code:
        if insn.symbol == "root":
            insn = insn.replace(src=2, next_imm=0)
        elif insn.symbol == "less":
            insn = insn.replace(src=4, next_imm=0)
        fixed.append(insn)
    spec = ProgramSpec(fixed, ProgType.SYSCALL, maps={"root": root}, btf=builder.to_bytes(), license="GPL")
    for engine in ENGINES:
        vm = VM(spec, engine=engine)
        assert vm.run().retval == 529_259
        assert not vm.mem.references


def test_work_queues_run_when_the_clock_moves():
    text = """
        r1 = m ll
        r2 = r10
        r2 += -4
        *(u32 *)(r10 - 4) = 1
        call bpf_map_lookup_elem
        r6 = r0
        r1 = r6
        r2 = m ll
        r3 = 0
        @bpf_wq_init
        r1 = r6
        r2 = work ll
        r3 = 0
        r4 = 0
        @bpf_wq_set_callback_impl
        r1 = r6
        r2 = 0
        @bpf_wq_start
        exit
        work: r1 = 5
        *(u64 *)(r3 + 16) = r1
        r0 = 0
        exit
    """
    code = [i.replace(src=4, next_imm=0) if i.symbol == "work" else i for i in program(text).insns]
    spec = ProgramSpec(code, ProgType.SYSCALL, maps={"m": HashMap(u32, 24, max_entries=4, name="m")}, license="GPL")
    vm = VM(spec)
    vm["m"][1] = bytes(24)
    assert vm.run().retval == 0
    assert vm["m"][1] == bytes(24)
    assert vm.advance(0) == 1
    assert vm["m"][1][16:] == (5).to_bytes(8, "little")


@pytest.mark.parametrize("name", [n for n in HELPER_NAMES[1:] if n not in MODELS])
def test_helpers_that_are_not_modelled_are_named_and_can_be_given(name):
    spec = ProgramSpec(
        [*(Insn(0xB7, r, imm=0) for r in range(1, 6)), Insn(CALL, imm=HELPER_NAMES.index(name)), Insn(0x95)],
        ProgType.SYSCALL,
    )
    for engine in ENGINES:
        vm = VM(spec, engine=engine)
        with pytest.raises(NotSupportedError, match=f"bpf_{name} "):
            vm.run()
        vm.helper(name, lambda *args: 9)
        assert vm.run().retval == 9


@pytest.mark.parametrize("name", ["bpf_ktime_get_ns", "strtol", "bpf_map_lookup_elem"])
def test_any_helper_can_be_replaced(name):
    number = HELPER_NAMES.index(name.removeprefix("bpf_"))
    code = [*(Insn(0xB7, r, imm=r) for r in range(1, 6)), Insn(CALL, imm=number), Insn(0x95)]
    for engine in ENGINES:
        vm = VM(ProgramSpec(code, ProgType.SYSCALL), engine=engine)
        vm.helper(name, lambda *args: 100 + len(args))
        assert vm.run().retval == 100 + len(HELPER_PROTOS[number][1])


def test_every_kfunc_of_the_table_has_a_kernel_name():
    from pybpf.kernel import linux_6_18, linux_7_2

    known = {*linux_6_18.TABLE["kfuncs"], *linux_7_2.TABLE["kfuncs"]}
    assert set(KFUNCS) <= known, set(KFUNCS) - known


@pytest.mark.parametrize("engine", ENGINES)
def test_iterating_over_tasks(engine):
    """There is the current one, once."""
    text = """
        r1 = r10
        r1 += -24
        r2 = 0
        r3 = {flags}
        @bpf_iter_task_new
        r7 = r0
        r6 = 0
        r1 = r10
        r1 += -24
        @bpf_iter_task_next
        if r0 == 0 goto +2
        r6 += 1
        goto -6
        r1 = r10
        r1 += -24
        @bpf_iter_task_destroy
        r0 = r6
        r0 |= r7
        exit
    """
    seen = {flags: VM(program(text.format(flags=flags)), engine=engine).run().r0 for flags in range(4)}
    assert seen == {0: 1, 1: 1, 2: 0xFFFFFFEA, 3: 0xFFFFFFEA}


@pytest.mark.parametrize("engine", ENGINES)
def test_registers_of_a_task(engine):
    text = "call bpf_get_current_task_btf\nr1 = r0\ncall bpf_task_pt_regs\nr0 = *(u64 *)(r0 + 152)\nexit"
    vm = VM(ProgramSpec(asm.assemble(text), ProgType.TRACING), engine=engine)
    assert vm.run().retval == 0
    vm.env.registers = {"sp": 0x1234}
    assert vm.run().retval == 0x1234


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    ("offset", "size", "expected"), [(0, 8, 0), (56, 8, 0), (57, 8, 0xFFFFFFF9), (0, 65, 0xFFFFFFF9)]
)
def test_reading_into_dynptrs(engine, offset, size, expected):
    text = f"""
        r6 = *(u64 *)(r1 + 0)
        r1 = value[0]
        r2 = 64
        r3 = 0
        r4 = r10
        r4 += -16
        call bpf_dynptr_from_mem
        r1 = r10
        r1 += -16
        r2 = {offset}
        r3 = {size}
        r4 = r6
        @bpf_probe_read_user_dynptr
        exit
    """.replace("value[0]", "map[id:value][0]+0")
    spec = program(text, maps={"value": Array(64, max_entries=1, name="value")})
    vm = VM(spec, engine=engine)
    assert vm.run(ctx=vm.user_memory(b"abcdefgh" + bytes(60)).to_bytes(8, "little")).r0 == expected
    wanted = b"" if expected else bytes(offset) + b"abcdefgh"
    assert bytes(vm["value"][0]) == wanted.ljust(64, b"\0")
