"""Reading, writing, comparing and printing BTF; clang, bpftool and the kernel are the oracles."""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import random
import shutil
import struct
import subprocess
import sys
from enum import IntEnum
from ipaddress import IPv6Address

import pytest

from pybpf import Struct, be16, char, s32, u8, u16, u32, u64
from pybpf.btf import Btf, BtfBuilder, Kind, UnknownType, btf_for_map, dedup, sanitize
from pybpf.btf.compat import FEATURES, features_of, probe
from pybpf.btf.merge import concat
from pybpf.errors import BtfError

CLANG = shutil.which("clang-19") or shutil.which("clang")
BPFTOOL = shutil.which("bpftool") or shutil.which("bpftool", path="/usr/sbin:/sbin")
HAS_KERNEL_BTF = os.path.exists("/sys/kernel/btf/vmlinux")

needs_clang = pytest.mark.skipif(CLANG is None, reason="clang is not installed")
needs_bpftool = pytest.mark.skipif(BPFTOOL is None, reason="bpftool is not installed")
needs_kernel_btf = pytest.mark.skipif(not HAS_KERNEL_BTF, reason="the running kernel has no BTF")

SOURCE = r"""
typedef unsigned int u32; typedef unsigned long long u64; typedef unsigned char u8; typedef unsigned short u16;
typedef int (*callback)(struct node *self, const char *name, ...);
enum colour { RED = 1, GREEN = -2, BLUE = 30 };
enum big { SMALL, HUGE = 0x123456789abcULL };
struct node {
    struct node *next; enum colour colour; enum big big; callback call;
    union { u32 word; struct { u16 low, high; }; u8 bytes[4]; };
    struct { u32 x; u64 y; } named[3];
    u32 flag : 1, kind : 5, : 3, rest : 20;
    int neg : 7;
    u64 wide : 40, more : 20;
    volatile const char *text; double ratio; _Bool yes; char tail[];
};
struct __attribute__((packed)) squeezed { u8 a; u32 b; u16 c : 3, d : 11; u64 e; };
struct aligned { u8 a; u64 b __attribute__((aligned(32))); u8 c; };
struct pads { u8 a; u64 : 0; u8 b; u32 : 20; u8 c; };
union both { u8 a[5]; u32 b; u64 c : 33; };
struct fwd_only;
struct user { struct fwd_only *p; struct squeezed s; union both u; struct aligned al; struct pads pads; };
struct user user; struct node node; int counter = 7; static volatile u32 hidden; const int fixed[4] = {1,2,3,4};
__attribute__((noinline)) int helper(struct user *u, u64 n) { hidden += n; return u->s.b + n; }
int entry(void *ctx) { return helper(&user, node.named[1].y) + counter + fixed[1]; }
"""


@pytest.fixture(scope="module")
def build(tmp_path_factory):
    """Compile C to the bytes of its .BTF section."""

    def compile_(source, target="bpf", *flags):
        if CLANG is None:
            pytest.skip("clang is not installed")
        folder = tmp_path_factory.mktemp("btf")
        (folder / "x.c").write_text(source)
        subprocess.run(
            [CLANG, "-target", target, "-g", "-O1", "-w", *flags, "-c", "x.c", "-o", "x.o"], cwd=folder, check=True
        )
        return section((folder / "x.o").read_bytes(), b".BTF")

    return compile_


def section(elf, wanted):
    """A section of an ELF file; read here by hand so that these tests do not lean on what they test."""
    mark = "<" if elf[5] == 1 else ">"
    (shoff,) = struct.unpack_from(mark + "Q", elf, 40)
    count, names = struct.unpack_from(mark + "HH", elf, 60)
    rows = [struct.unpack_from(mark + "IIQQQQ", elf, shoff + 64 * i) for i in range(count)]
    text = rows[names][4]
    for name, _, _, _, offset, size in rows:
        if elf[text + name : elf.index(b"\0", text + name)] == wanted:
            return elf[offset : offset + size]
    raise AssertionError(f"no section {wanted}")


@pytest.fixture(scope="module")
def sample(build):
    return Btf.parse(build(SOURCE))


# -- reading


@pytest.mark.parametrize("target", ["bpfel", "bpfeb"])
def test_members_offsets_and_bit_fields(build, target):
    btf = Btf.parse(build(SOURCE, target))
    node = btf["node"]
    assert btf.byteorder == {"bpfel": "little", "bpfeb": "big"}[target]
    assert (node.kind, node.name, node.size) == (Kind.STRUCT, "node", 128)
    assert [m.name for m in node.members][:5] == ["next", "colour", "big", "call", ""]
    assert "low" in [m.name for m in node.fields()]
    assert node.offset_of("high") == node.offset_of("word") + 2
    assert node["named[2].y"].offset == node.offset_of("named") + 2 * 16 + 8
    kind = node["kind"]
    assert (kind.bit_size, kind.bit_offset - node["flag"].bit_offset) == (5, 1)
    assert node["rest"].bit_offset - node["flag"].bit_offset == 9
    assert node["ratio"].type.kind == Kind.FLOAT
    assert node["yes"].type.stripped.is_bool
    assert str(node["text"].type) in ("const volatile char *", "volatile const char *")
    assert "bytes" in node
    assert "nope" not in node
    with pytest.raises(UnknownType, match=r"struct node has no member 'nope'.*next, colour"):
        node["nope"]


def test_enums_and_functions(sample):
    assert sample["colour"].values == {"RED": 1, "GREEN": -2, "BLUE": 30}
    assert sample["enum big"]["HUGE"] == 0x123456789ABC
    assert sample["big"].kind == Kind.ENUM64
    helper = sample.find("helper", Kind.FUNC)
    assert [name for name, _ in helper.params] == ["u", "n"]
    assert str(helper) == "int helper(struct user *u, u64 n)"
    call = sample["callback"].type.type
    assert call.variadic
    assert str(sample["callback"].type) == "int (*)(struct node *, const char *, ...)"
    assert sample["fwd_only"].kind == Kind.FWD


def test_sections_and_variables(sample):
    names = {var.name: size for section in sample if section.kind == Kind.DATASEC for var, _, size in section.vars}
    assert {"counter": 4, "fixed": 16, "hidden": 4}.items() <= names.items()
    assert sample.find("hidden").linkage == 0
    assert sample.find("counter").linkage == 1


def test_names_are_a_mapping(sample):
    assert "node" in sample
    assert "struct node" in sample
    assert "union node" not in sample
    with pytest.raises(KeyError):
        sample["no_such_thing"]
    with pytest.raises(BtfError, match="no union 'node' in this BTF of"):
        sample.find("node", Kind.UNION)


def test_a_name_may_be_the_tail_of_another_string():
    builder = BtfBuilder()
    number = builder.add_int("unsigned int", 4)
    raw = bytearray(builder.to_bytes())
    at = raw.index(b"unsigned int")
    offset = at - (24 + len(raw) - 24 - len(b"\0unsigned int\0")) + len("unsigned ")
    struct.pack_into("I", raw, 24, offset)
    assert Btf.parse(bytes(raw))["int"].id == number


@needs_bpftool
def test_agrees_with_bpftool(sample, tmp_path):
    """Every record of clang's BTF as bpftool reads it."""
    path = tmp_path / "x.btf"
    path.write_bytes(sample.raw)
    rows = json.loads(subprocess.check_output([BPFTOOL, "-j", "btf", "dump", "file", str(path)]))["types"]
    assert len(rows) == len(sample)
    for row in rows:
        t = sample.type(row["id"])
        assert (t.kind.name, t.name or "(anon)") == (row["kind"], row["name"])
        if "size" in row:
            assert t.size == row["size"]
        if "type_id" in row:
            assert t.type_id == row["type_id"]
        if "members" in row:
            theirs = [(m["name"], m["type_id"], m["bits_offset"], m.get("bitfield_size", 0)) for m in row["members"]]
            assert [(m.name or "(anon)", m.type.id, m.bit_offset, m.bit_size) for m in t.members] == theirs
        if "values" in row:
            assert list(t.items) == [(v["name"], v["val"]) for v in row["values"]]
        if "params" in row:
            assert [(n or "(anon)", p.id) for n, p in t.params] == [(p["name"], p["type_id"]) for p in row["params"]]
        if "vars" in row:
            assert [(v.id, o, s) for v, o, s in t.vars] == [(v["type_id"], v["offset"], v["size"]) for v in row["vars"]]


@needs_kernel_btf
def test_the_running_kernel():
    btf = Btf.kernel()
    assert btf is Btf.kernel()
    assert len(btf) > 10_000
    task = btf["task_struct"]
    assert task["pid"].type.name == "pid_t"
    assert task["comm"].size == 16
    assert btf.find("bpf_prog_put", Kind.FUNC).params[0][0] == "prog"
    assert btf["bpf_map_type"]["BPF_MAP_TYPE_HASH"] == 1
    for t in btf:
        if t.id % 97 == 0:
            assert t.id in btf.ids(t.name) or not t.name


@needs_kernel_btf
@needs_bpftool
@pytest.mark.slow
def test_the_running_kernel_agrees_with_bpftool():
    rows = json.loads(subprocess.check_output([BPFTOOL, "-j", "btf", "dump", "id", "1"]))["types"]
    btf = Btf.kernel()
    for row in rows:
        t = btf.type(row["id"])
        assert (t.kind.name, t.name or "(anon)") == (row["kind"], row["name"])
        if "members" in row:
            theirs = [(m["name"], m["type_id"], m["bits_offset"]) for m in row["members"]]
            assert [(m.name or "(anon)", m.type.id, m.bit_offset) for m in t.members] == theirs


@needs_kernel_btf
def test_split_btf_builds_on_its_base():
    base = Btf.kernel()
    builder = BtfBuilder(first_id=len(base) + 1, first_string=base._end_string)
    task = base["task_struct"].id
    made = builder.add_struct("mine", 8, [("task", builder.add_ptr(task), 0)])
    split = Btf.parse(builder.to_bytes(), base)
    assert split["mine"].id == made
    assert split["mine"]["task"].type.type is split["task_struct"]
    assert split["task_struct"].name == "task_struct"
    assert [t.id for t in split.own_types()] == [made - 1, made]


@pytest.mark.skipif(not (HAS_KERNEL_BTF and Btf.kernel_modules()), reason="no kernel module with BTF is loaded")
def test_modules():
    name = Btf.kernel_modules()[0]
    module = Btf.of_module(name)
    assert module.base is Btf.kernel()
    assert len(module) > len(Btf.kernel())
    module.check()


def test_missing_modules_are_said():
    with pytest.raises(BtfError, match="no_such_module"):
        Btf.of_module("no_such_module")


# -- writing


class Colour(IntEnum):
    RED = 1
    BLUE = 5


class Inner(Struct):
    a: u8
    b: be16


class Event(Struct):
    pid: u32
    comm: char[16]
    when: u64
    inner: Inner
    delta: s32


def test_python_types_as_btf():
    raw, key, value = btf_for_map(u32, Event)
    btf = Btf.parse(raw)
    btf.check()
    assert btf.type(key).size == 4
    event = btf.type(value)
    assert str(event) == "struct Event"
    assert {m.name: m.offset for m in event.members} == {f: getattr(Event, f).offset for f, _ in Event._fields_}
    assert event["inner.b"].type.name == "be16"
    assert event["comm"].type.element.is_char
    for type_, size in ((Colour, 4), (IPv6Address, 16), (7, 7), (ctypes.c_double, 8), (u16[3][2], 12)):
        raw, _, value = btf_for_map(None, type_)
        parsed = Btf.parse(raw)
        parsed.check()
        assert parsed.type(value).size == size
    assert Btf.parse(btf_for_map(None, Colour)[0])["Colour"].values == {"RED": 1, "BLUE": 5}


class Flags(ctypes.Structure):
    _fields_ = (("a", ctypes.c_uint32, 3), ("b", ctypes.c_uint32, 7), ("c", ctypes.c_int16), ("p", ctypes.c_void_p))


def test_ctypes_bit_fields_survive_the_way_there_and_back():
    raw, _, value = btf_for_map(None, Flags)
    t = Btf.parse(raw).type(value)
    assert [(m.name, m.bit_offset, m.bit_size) for m in t.members] == [
        ("a", 0, 3),
        ("b", 3, 7),
        ("c", Flags.c.offset * 8, 0),
        ("p", 64, 0),
    ]
    again = Btf.parse(raw).ctypes("Flags")
    made = again(a=5, b=100, c=-3, p=1 << 40)
    assert bytes(made) == bytes(Flags(5, 100, -3, 1 << 40))


def test_equal_types_get_one_id():
    builder = BtfBuilder()
    assert builder.add_type(u32) == builder.add_int("unsigned int", 4)
    before = len(builder)
    one = builder.add_type(Event)
    assert one == builder.add_type(Event)
    assert builder.add_type(Inner) <= one
    assert before < len(builder)


def every_kind():
    b = BtfBuilder()
    number = b.add_int("int", 4, True)
    b.add_fwd("f")
    b.add_fwd("u", union=True)
    text = b.add_ptr(b.add_const(b.add_volatile(b.add_int("char", 1, is_char=True))))
    b.add_restrict(text)
    b.add_enum("e", [("A", -1), ("B", 2)])
    b.add_enum("e64", [("C", 1 << 40)])
    b.add_float("double", 8)
    s = b.add_struct("s", 16, [("a", number, 0, 3), ("b", number, 3, 9), ("c", b.add_array(number, 2), 32)])
    s = b.add_struct("t", 16, [("a", b.add_type_tag("user", number), 0)])
    b.add_union("un", 8, [("x", number, 0), ("y", b.add_typedef("word", number), 0)])
    f = b.add_func("fn", b.add_func_proto(number, [("p", b.add_ptr(s))]))
    b.add_decl_tag("arg", f, 0)
    b.add_decl_tag("tag", s)
    b.add_datasec(".data", 4, [(b.add_var("v", number), 0, 4)])
    return b


@pytest.mark.parametrize("order", ["little", "big"])
def test_every_kind_there_and_back(order):
    raw = every_kind().to_bytes(order)
    btf = Btf.parse(raw)
    btf.check()
    assert {t.kind for t in btf} == set(Kind) - {Kind.VOID}
    assert btf.byteorder == order
    other = Btf.parse(btf.to_bytes({"little": "big", "big": "little"}[order]))
    assert other.to_bytes(order) == raw
    assert list(btf) == list(other)


def btf_load(raw):
    """BPF_BTF_LOAD by hand; (descriptor or -errno, log)."""
    libc = ctypes.CDLL(None, use_errno=True)
    log = ctypes.create_string_buffer(1 << 16)
    data = ctypes.create_string_buffer(raw, len(raw))
    attr = struct.pack("QQIIII", ctypes.addressof(data), ctypes.addressof(log), len(raw), len(log), 1, 0)
    number = {"x86_64": 321, "aarch64": 280, "riscv64": 280, "s390x": 351, "ppc64le": 361}[os.uname().machine]
    buffer = ctypes.create_string_buffer(attr, len(attr))
    fd = libc.syscall(number, 18, buffer, len(attr))
    return (fd if fd >= 0 else -ctypes.get_errno()), log.value.decode()


def kernel_takes(raw):
    fd, log = btf_load(raw)
    if fd >= 0:
        os.close(fd)
    return fd >= 0, log


@pytest.mark.kernel
def test_the_kernel_takes_what_is_written(sample):
    b = every_kind()
    assert kernel_takes(b.to_bytes())[0], kernel_takes(b.to_bytes())[1]
    for type_ in (Event, Colour, Flags, u64, char[5], 3):
        raw, _, _ = btf_for_map(u32, type_)
        taken, log = kernel_takes(raw)
        assert taken, log


def running():
    """Version of the running kernel."""
    return tuple(map(int, os.uname().release.split(".")[:2]))


@pytest.mark.kernel
@pytest.mark.parametrize("feature", FEATURES)
def test_probes_are_valid_btf_and_gone_after_sanitising(feature):
    raw = probe(feature)
    if running() < tuple(map(int, FEATURES[feature].split("."))):
        pytest.skip(f"the running kernel has no {feature} in BTF")
    taken, log = kernel_takes(raw)
    assert taken, log
    rest = sanitize(raw, frozenset(FEATURES) - {feature})
    assert rest != raw
    taken, log = kernel_takes(rest)
    assert taken, log


@pytest.mark.kernel
@pytest.mark.parametrize("version", [(4, 18), (5, 0), (5, 4), (5, 10), (5, 15), (6, 0)])
def test_sanitising_keeps_ids_and_gives_btf_that_the_kernel_takes(version):
    raw = every_kind().to_bytes()
    old = Btf.parse(sanitize(raw, features_of(version)))
    old.check()
    assert len(old) == len(Btf.parse(raw))
    if version <= running():
        taken, log = kernel_takes(old.raw)
        assert taken, log
    gone = {(5, 10): {Kind.FLOAT, Kind.DECL_TAG, Kind.TYPE_TAG, Kind.ENUM64}, (6, 0): set()}.get(version)
    if gone is not None:
        assert {t.kind for t in Btf.parse(raw)} - {t.kind for t in old} == gone
    assert sanitize(raw, frozenset(FEATURES)) is raw


# -- equality and deduplication


def test_equality_is_by_structure(build):
    one, two = Btf.parse(build(SOURCE)), Btf.parse(build(SOURCE, "bpfeb"))
    assert one["node"] == two["node"]
    assert hash(one["node"]) == hash(two["node"])
    changed = Btf.parse(build(SOURCE.replace("u64 y; } named", "u32 y; } named")))
    assert one["node"] != changed["node"]
    assert one["squeezed"] == changed["squeezed"]


def test_dedup_joins_compilation_units(build):
    parts = [Btf.parse(build(SOURCE)), Btf.parse(build("struct fwd_only { int x; } whole; struct node; " + SOURCE))]
    whole, shifts = concat(parts)
    small, moved = dedup(whole)
    small.check()
    assert len(small.find_all("node", Kind.STRUCT)) == 1
    assert len(small.find_all("int", Kind.INT)) == 1
    assert not [t for t in small if t.kind == Kind.FWD]
    assert len(small) < len(parts[0]) * 1.3
    for part, shift in zip(parts, shifts, strict=True):
        for t in part:
            there = small.type(moved[t.id + shift])
            assert there.name == t.name
            assert there.kind == t.kind or t.kind == Kind.FWD
    assert dedup(small)[0].raw == small.raw


def test_dedup_keeps_different_types_of_one_name(build):
    whole, _ = concat(
        [Btf.parse(build("struct a {int x;} v;")), Btf.parse(build("struct a {long x;} v; struct b {struct a *p;} w;"))]
    )
    small, _ = dedup(whole)
    assert [a["x"].size for a in small.find_all("a")] == [4, 8]


# -- as C and as ctypes


@needs_clang
def test_c_header_compiles_to_the_same_types(sample, build):
    text = sample.c_header(["user", "node", "colour", "helper", "pads"])
    again = Btf.parse(
        build(text + "\nstruct user u; struct node n; struct pads p; int f(void *x) {return helper(x, 1);}")
    )
    for name in ("user", "squeezed", "both", "aligned", "pads", "node", "colour", "big"):
        mine, theirs = sample[name], again[name]
        assert mine.size == theirs.size, text
        if mine.kind in (Kind.STRUCT, Kind.UNION):
            assert [(m.name, m.bit_offset, m.bit_size) for m in mine.fields()] == [
                (m.name, m.bit_offset, m.bit_size) for m in theirs.fields() if not m.name.startswith("__pad")
            ], text


@needs_kernel_btf
@needs_clang
def test_c_header_of_kernel_types(build):
    btf = Btf.kernel()
    names = ["task_struct", "sk_buff", "xdp_md", "__sk_buff", "bpf_prog", "tcp_sock", "net_device", "inode"]
    text = btf.c_header(names)
    uses = "".join(f"struct {n} *v{i};\n" for i, n in enumerate(names))
    asserts = "".join(f'_Static_assert(sizeof(struct {n}) == {btf[n].size}, "{n}");\n' for n in names)
    asserts += "".join(
        f'_Static_assert(__builtin_offsetof(struct {n}, {m.name}) == {m.offset}, "{n}.{m.name}");\n'
        for n in names
        for m in btf[n].fields()
        if m.name and not m.bit_size
    )
    build(text + uses + asserts)


@needs_kernel_btf
@needs_clang
@pytest.mark.slow
def test_c_header_of_the_whole_kernel(build):
    btf = Btf.kernel()
    build(
        btf.c_header()
        + "struct task_struct *t; "
        + f'_Static_assert(sizeof(struct task_struct) == {btf["task_struct"].size}, "");'
    )


def test_ctypes(sample):
    node = sample.ctypes("node")
    assert ctypes.sizeof(node) == sample["node"].size
    assert node.high.offset == sample["node"].offset_of("high")
    value = node(word=0x11223344, kind=9, neg=-5, wide=1 << 39, more=77, yes=True, ratio=1.5)
    assert (value.low, value.high, bytes(value.bytes)) == (0x3344, 0x1122, b"\x44\x33\x22\x11")
    assert (value.kind, value.neg, value.wide, value.more, value.flag) == (9, -5, 1 << 39, 77, 0)
    squeezed = sample.ctypes("squeezed")
    assert ctypes.sizeof(squeezed) == 15
    value = squeezed(a=1, b=0xDEADBEEF, c=5, d=1000, e=1 << 60)
    assert (value.a, value.b, value.c, value.d, value.e) == (1, 0xDEADBEEF, 5, 1000, 1 << 60)
    assert bytes(value) == b"\x01\xef\xbe\xad\xde" + (5 | 1000 << 3).to_bytes(2, "little") + (1 << 60).to_bytes(
        8, "little"
    )
    aligned = sample.ctypes("aligned")
    assert ctypes.sizeof(aligned) == 64
    assert aligned.from_buffer_copy(bytes(32) + b"\x07" + bytes(31)).b == 7
    with pytest.raises(BtfError, match="no size"):
        sample.ctypes("fwd_only")


def test_ctypes_in_the_other_byte_order(build):
    btf = Btf.parse(build(SOURCE, "bpfeb"))
    raw = bytes([1, 0xDE, 0xAD, 0xBE, 0xEF]) + (5 << 13 | 1000 << 2).to_bytes(2, "big") + (9).to_bytes(8, "big")
    value = btf.ctypes("squeezed").from_buffer_copy(raw)
    assert (value.a, value.b, value.c, value.d, value.e) == (1, 0xDEADBEEF, 5, 1000, 9)


@needs_kernel_btf
def test_ctypes_of_kernel_types():
    btf = Btf.kernel()
    for name in ("xdp_md", "__sk_buff", "bpf_sock_ops", "sk_buff", "task_struct", "iphdr", "tcphdr"):
        made = btf.ctypes(name)
        assert ctypes.sizeof(made) == btf[name].size
    assert btf.ctypes("xdp_md").data_end.offset == 4


# -- hostile input


def use_everything(raw):
    """Whatever bytes: a BtfError or answers, within bounds."""
    try:
        btf = Btf.parse(raw)
        for t in btf:
            try:
                for attribute in ("name", "size", "members", "items", "params", "vars", "stripped", "type", "proto"):
                    getattr(t, attribute, None)
                str(t)
                if t.name:
                    btf.find(t.name)
                    btf.ctypes(t.name)
            except BtfError:
                pass
        with contextlib.suppress(BtfError):
            btf.c_header()
        btf.check()
    except BtfError:
        return False
    return True


def mutate(raw, rng):
    raw = bytearray(raw)
    for _ in range(rng.choice((1, 1, 2, 5))):
        at = rng.randrange(len(raw)) if rng.random() < 0.8 else rng.randrange(24)
        what = rng.random()
        if what < 0.4:
            raw[at] = rng.choice((0, 1, 0x7F, 0x80, 0xFF, rng.randrange(256)))
        elif what < 0.7:
            at &= ~3
            raw[at : at + 4] = struct.pack(
                "I", rng.choice((0, 1, 2, 5, 40, 0x7FFFFFFF, 0xFFFFFFFF, rng.randrange(100)))
            )
        elif what < 0.8:
            del raw[at:]
        else:
            del raw[at : at + rng.choice((1, 4, 12))]
        raw += bytes(max(0, 24 - len(raw)))
    return bytes(raw)


def test_hostile_btf(sample):
    rng = random.Random(7)
    count = int(os.environ.get("PYBPF_FUZZ", "300"))
    seeds = [every_kind().to_bytes(), every_kind().to_bytes("big"), sample.raw]
    for i in range(count):
        use_everything(mutate(seeds[i % 3 if i % 10 == 0 else i % 2], rng))


@pytest.mark.parametrize(
    ("cut", "message"),
    [
        (lambda raw: raw[:20], "too few for a BTF header"),
        (lambda raw: b"\0" + raw[1:], "bad magic"),
        (lambda raw: raw[:2] + b"\2" + raw[3:], "BTF version 2"),
        (lambda raw: raw[:-1], "string section"),
        (lambda raw: raw[:4] + b"\xff\xff\xff\xff" + raw[8:], "header length"),
        (lambda raw: raw[:31] + b"\x15" + raw[32:], r"type 1 at byte 0 of the types: unknown kind 21"),
        (lambda raw: raw[:28] + b"\xff\xff\0\4" + raw[32:], "type 1 is cut off"),
    ],
)
def test_damage_is_named(cut, message):
    with pytest.raises(BtfError, match=message):
        Btf.parse(cut(every_kind().to_bytes())).check()


def test_loops_are_found():
    b = BtfBuilder()
    b.append((b.string("a"), 0x08000000, 2))  # typedef a -> 2
    b.append((b.string("b"), 0x08000000, 1))
    btf = Btf.parse(b.to_bytes())
    for use in (lambda: btf["a"].size, lambda: btf["a"].stripped, lambda: btf.ctypes("a"), btf.check):
        with pytest.raises(BtfError):
            use()
    b = BtfBuilder()
    b.append((b.string("s"), 0x04000001, 8, b.string("me"), 1, 0))  # struct s { struct s me; }
    btf = Btf.parse(b.to_bytes())
    for use in (lambda: btf.ctypes("s"), lambda: btf.c_header(["s"]), btf.check):
        with pytest.raises(BtfError):
            use()


def test_reading_and_writing_are_light():
    """The builder is on the way of a program's cold start."""
    code = (
        "import sys; before = set(sys.modules); import pybpf.btf.builder, pybpf.btf.btf;"
        "print(*(set(sys.modules) - before))"
    )
    loaded = subprocess.check_output(
        [sys.executable, "-S", "-c", code], text=True, cwd=os.getcwd(), env={"PYTHONPATH": "."}
    )
    assert not {"dataclasses", "inspect", "typing", "re", "ast", "logging"} & set(loaded.split())
