"""What `open_elf` makes of objects: names, edits, old maps, struct_ops, byte orders, errors, generated modules."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import socket
import struct
import subprocess
import sys

import pytest

from pybpf import HashMap, MapSpec, Struct, features, load_collection, open_elf, u32, u64, write_elf
from pybpf.asm import Call, Pseudo
from pybpf.btf import Btf
from pybpf.cli import main
from pybpf.elf.file import ElfFile
from pybpf.elf.relocate import POISON
from pybpf.errors import BtfError, ElfError, SpecError
from pybpf.links.struct_ops import attach_map

from .conftest import PROGS

KERNEL = """
struct list_head { struct list_head *next; };
enum bpf_map_type { BPF_MAP_TYPE_HASH = 1, BPF_MAP_TYPE_LRU_HASH = 9 };
struct task_struct { unsigned a : 3, sched_reset_on_fork : 1; int tgid, pid; char comm[32]; unsigned __state;
    struct { struct task_struct *real_parent; unsigned long long start_time; }; struct list_head tasks; } task;
struct sk_buff { unsigned len; } skb;
typedef struct { int counter; } atomic_t;
enum bpf_map_type type; atomic_t counter;
"""


def types_of(path):
    return Btf.parse(ElfFile(path.read_bytes()).section(".BTF").data)


@pytest.fixture(scope="module")
def kernel(build):
    return types_of(build(KERNEL))


# -- what is in an object


def test_programs_and_maps(build):
    obj = open_elf(build("shapes"))
    named = {p.name: p for p in obj}
    assert list(named)[:3] == ["filter", "classify", "second"]
    assert {n: (p.prog_type, p.attach_to, p.autoload) for n, p in named.items() if "/" in p.section} == {
        "traced": (5, "syscalls/sys_enter_openat", True),
        "egress": (8, None, True),
        "raw": (17, "sys_enter", True),
        "entered": (26, "do_nanosleep", False),
        "opened": (29, "file_open", False),
    }
    assert named["frags"].flags == 1 << 5
    assert named["call"].flags == 1 << 4
    assert obj.license == "GPL"
    pinned = obj.maps["pinned"]
    assert (pinned.pinning, pinned.flags, pinned.key_size, pinned.value_size) == ("by-name", 1, 16, 39)
    assert obj.maps["bloom"].map_extra == 5
    assert obj.maps[".rodata.text"].contents[0][1][:4] == b"one\0"
    assert obj.maps[".rodata.text"].frozen
    assert obj["filter"] is named["filter"]
    assert "classify" in obj
    assert len(obj) == len(named)
    with pytest.raises(SpecError, match=r"has no program or map 'nope'; it has filter, classify"):
        obj["nope"]
    assert named["filter"].insns[0].source.file.endswith("shapes.bpf.c")
    assert named["filter"].insns[0].source.text.startswith('SEC("socket") int filter')


def test_hidden_functions_are_static_to_the_verifier(build):
    obj = open_elf(build("shapes"))
    btf = Btf.parse(obj["filter"].btf)
    assert btf["hidden"].linkage == 0
    assert btf["weak_one"].linkage == 1


def test_values_are_typed(build, kernel):
    obj = open_elf(build("maps"))
    events = obj.maps["events"]
    assert events.key is u32
    value = events.value(pid=7, when=9)
    assert events.value_codec.unpack(events.value_codec.pack(value)).when == 9
    assert obj.maps["counter"].value is u64
    again = open_elf(build("maps"))
    assert again.maps["events"] == events
    assert again == obj


# -- edits


def test_edits_give_copies_that_every_program_sees(build):
    obj = open_elf(build("maps"))
    small = obj.edit_map("events", max_entries=5)
    assert (obj.maps["events"].max_entries, small.maps["events"].max_entries) == (64, 5)
    assert small["entry"].maps["events"] is small.maps["events"]
    named = small.rename_map("events", "arrivals")
    assert named["entry"].maps["arrivals"].max_entries == 5
    assert "events" not in named["entry"].maps
    assert "arrivals" in {i.symbol for i in named["entry"].insns}
    shared = HashMap(u32, 40, max_entries=9, name="shared")
    assert obj.replace_map("events", shared)["entry"].maps["events"] is shared
    set_ = obj.set(threshold=77, tag="xyz", total=3)
    assert set_.get("threshold") == (77).to_bytes(4, sys.byteorder)
    assert set_.get("tag") == b"xyz\0\0\0\0\0"
    assert set_["entry"].maps[".rodata"].contents != obj["entry"].maps[".rodata"].contents
    one = obj.select("leaf")
    assert [p.name for p in one] == ["leaf"]
    assert set(one.maps) == {"plain", "counter", ".bss"}
    other = obj.edit_program("leaf", prog_type=3, name="leaf3")
    assert (other["leaf3"].prog_type, obj["leaf"].prog_type) == (3, 6)
    for wrong in (
        lambda: obj.set(nothing=1),
        lambda: obj.set(threshold=1 << 40),
        lambda: obj.edit_map("nope", max_entries=1),
        lambda: obj.select("nope"),
        lambda: obj.rename_map("events", "ring"),
        lambda: obj.edit_map("events", no_such_field=1),
    ):
        with pytest.raises(SpecError):
            wrong()


def test_a_program_and_the_table_it_jumps_through_refer_to_each_other(build):
    obj = open_elf(build("maps"))
    table = obj.maps["jumps"]
    assert table.contents == ((2, obj["leaf"]),)
    assert obj["entry"].maps["jumps"] is table
    edited = obj.edit_program("leaf", license="MIT")
    assert edited.maps["jumps"].contents[0][1] is edited["leaf"]
    assert edited["entry"].maps["jumps"] is edited.maps["jumps"]
    assert "leaf" in repr(obj)
    outer = obj.maps["outer"]
    assert outer.contents == ((1, obj.maps["one"]), (5, obj.maps["two"]))
    assert outer.inner.max_entries == 4


@pytest.mark.kernel
def test_loading_edited_objects(build):
    obj = open_elf(build("maps")).edit_map("events", max_entries=5).set(threshold=1)
    with load_collection(obj["entry"], obj["leaf"]) as live:
        assert live["events"].info.max_entries == 5
        assert live["entry"].test_run(bytes(64)).retval in (0, 1, 2)
        assert sum(live["counter"][0]) > 0


@pytest.mark.kernel
def test_bpftool_shows_names_and_lines_of_loaded_objects(build, bpftool):
    obj = open_elf(build("maps"))
    with load_collection(obj["entry"], obj["leaf"]) as live:
        live["events"][3] = obj.maps["events"].value(pid=77, when=5, comm=b"me")
        map_id, prog_id = str(live["events"].info.id), str(live["entry"].info.id)
        dump = json.loads(subprocess.check_output([bpftool, "-j", "map", "dump", "id", map_id]))
        assert dump[0]["formatted"]["value"]["pid"] == 77
        shown = subprocess.check_output([bpftool, "prog", "dump", "xlated", "id", prog_id, "linum"], text=True)
        assert "int entry(struct xdp_md * ctx)" in shown.replace("*ctx", "* ctx")
        assert "bpf_tail_call(ctx, &jumps, 2);" in shown
        assert "line_num:" in shown
        rodata = json.loads(
            subprocess.check_output([bpftool, "-j", "map", "dump", "id", str(live[obj.maps[".rodata"]].info.id)])
        )
        assert "threshold" in json.dumps(rodata)


# -- old and odd


LEGACY = """
#define SEC(name) __attribute__((section(name), used))
struct bpf_map_def { unsigned type, key_size, value_size, max_entries, map_flags; };
struct bpf_map_def SEC("maps") counts = { 1, 4, 8, 100, 1 };
struct bpf_map_def SEC("maps") other = { 2, 4, 16, 10, 0 };
static void *(*lookup)(void *, const void *) = (void *)1;
unsigned _version SEC("version") = 0x40900;
char _license[] SEC("license") = "Dual MIT/GPL";
SEC("socket") int one(void *skb) { int key = 1; return lookup(&counts, &key) ? 1 : 0; }
SEC("classifier") int two(void *skb) { int key = 1; return lookup(&other, &key) ? 1 : 0; }
"""


@pytest.mark.parametrize("flags", [(), ("-g0",)])
def test_legacy_maps(build, flags):
    obj = open_elf(build(LEGACY, None, "bpfel", "v2", *flags))
    counts = obj["one"].maps["counts"]
    assert (counts.map_type, counts.key_size, counts.value_size, counts.max_entries, counts.flags) == (1, 4, 8, 100, 1)
    assert obj["two"].maps["other"].value_size == 16
    assert (obj.license, obj.version, obj["two"].prog_type, obj["one"].kern_version) == (
        "Dual MIT/GPL",
        0x40900,
        3,
        0x40900,
    )


IPROUTE2 = LEGACY.replace("map_flags; };", "map_flags, id, pinning, inner_id, inner_idx; };").replace(
    "100, 1 }", "100, 1, 3, 2, 0, 0 }"
)


def test_maps_of_iproute2(build):
    counts = open_elf(build(IPROUTE2)).maps["counts"]
    assert (counts.max_entries, counts.pinning) == (100, "/sys/fs/bpf/tc/globals/counts")


STRUCT_KEYS = """
#include "common.h"
struct key { int a; u64 b; }; struct val { int x; };
struct inner { __uint(type, 2); __uint(max_entries, 1); __type(key, int); __type(value, struct val); };
#define MAP(name, kind, ...) struct { __uint(type, kind); __uint(max_entries, 4); __VA_ARGS__ } name SEC(".maps");
MAP(nested, 13, __type(key, struct key); __array(values, struct inner);)
MAP(sockets, 18, __type(key, struct key); __type(value, int);)
MAP(queue, 22, __type(value, struct val);)
MAP(events, 4, __type(key, int); __type(value, u32);)
MAP(devices, 14, __type(key, int); __type(value, u32);)
"""


@pytest.mark.kernel
def test_maps_that_the_kernel_wants_undescribed(build):
    with load_collection(open_elf(build(STRUCT_KEYS))) as live:
        assert {name: m.info.key_size for name, m in live.maps.items()} == {
            "nested": 16, "sockets": 16, "queue": 0, "events": 4, "devices": 4
        }  # fmt: skip


NESTED = IPROUTE2.replace(
    "unsigned _version",
    'struct bpf_map_def SEC("maps") inside = { 2, 4, 16, 10, 0, 7, 0, 9, 1 };\n'
    'struct bpf_map_def SEC("maps") outer = { 12, 4, 4, 5, 0, 9, 0, 7, 0 };\nunsigned _version',
).replace("lookup(&other, &key)", "(lookup(&outer, &key) && lookup(&other, &key))")


@pytest.mark.kernel
def test_maps_of_maps_of_iproute2(build):
    obj = open_elf(build(NESTED))
    outer = obj.maps["outer"]
    assert outer.inner is obj.maps["inside"]
    assert outer.contents == ((1, obj.maps["inside"]),)
    with load_collection(obj["two"]) as live:
        assert live["two"].test_run(bytes(64)).retval == 1
    with pytest.raises(ElfError, match="no map has the id 8"):
        open_elf(build(NESTED.replace("9, 0, 7, 0", "9, 0, 8, 0")))


def test_functions_without_a_type(build):
    raw = bytearray(build(LEGACY).read_bytes())
    start = int.from_bytes(raw[0x28:0x30], "little")  # of the section headers
    types = {start + 64 * i: raw[start + 64 * i + 4] for i in range(raw[0x3C])}
    table = next(at for at, type_ in types.items() if type_ == 2)
    at, size = (int.from_bytes(raw[table + 0x18 + n : table + 0x20 + n], "little") for n in (0, 8))
    for symbol in range(at, at + size, 24):
        if raw[symbol + 4] & 15 == 2:
            raw[symbol + 4] &= 0xF0
    old = open_elf(bytes(raw))
    assert [p.insns for p in old] == [p.insns for p in open_elf(build(LEGACY))]


STRUCT_OPS = """
#include "common.h"
struct sock;
struct tcp_congestion_ops___mine {
    u32 (*ssthresh)(struct sock *sk); void (*cong_avoid)(struct sock *sk, u32 a, u32 b);
    u32 (*undo_cwnd)(struct sock *sk); char name[16]; u32 flags; };
SEC("struct_ops/ssthresh") u32 ssthresh(u64 *ctx) { return 2; }
SEC("struct_ops/undo") u32 undo(u64 *ctx) { return 3; }
SEC("struct_ops/avoid") void avoid(u64 *ctx) { }
SEC(".struct_ops.link") struct tcp_congestion_ops___mine mine = {
    .ssthresh = (void *)ssthresh, .undo_cwnd = (void *)undo, .cong_avoid = (void *)avoid, .name = "mine", .flags = 5 };
"""


def test_struct_ops(build):
    obj = open_elf(build(STRUCT_OPS))
    spec = obj.maps["mine"]
    assert (spec.map_type, spec.btf_struct_ops, spec.flags) == (26, "tcp_congestion_ops", 1 << 13)
    ((key, values),) = spec.contents
    assert key == 0
    assert {n: getattr(v, "name", v) for n, v in values.items()} == {
        "ssthresh": "ssthresh",
        "cong_avoid": "avoid",
        "undo_cwnd": "undo",
        "name": b"mine".ljust(16, bytes(1)),
        "flags": 5,
    }
    assert obj["undo"].attach_to == "tcp_congestion_ops/undo_cwnd"
    again = open_elf(write_elf(None, obj), name=obj.name)
    assert again["undo"].insns == obj["undo"].insns
    assert set(again.maps["mine"].contents[0][1]) == set(values)


CONGESTION = """
#include "common.h"
struct sock;
struct tcp_congestion_ops {
    u32 (*ssthresh)(struct sock *sk); void (*cong_avoid)(struct sock *sk, u32 a, u32 b); void (*init)(struct sock *sk);
    u32 (*undo_cwnd)(struct sock *sk); char name[16]; };
struct tcp_congestion_ops___two { u32 (*ssthresh)(struct sock *sk); void (*cong_avoid)(struct sock *sk, u32 a, u32 b);
    u32 (*undo_cwnd)(struct sock *sk); char name[16]; };
int calls[2];
SEC("struct_ops/ssthresh") u32 ssthresh(u64 *ctx) { return 2; }
SEC("struct_ops") u32 undo(u64 *ctx) { return 3; }
SEC("struct_ops") void avoid(u64 *ctx) { calls[0]++; }
SEC("?struct_ops") void begin(u64 *ctx) { calls[1]++; }
SEC("?struct_ops") u32 nobody(u64 *ctx) { return 1; }
SEC(".struct_ops") struct tcp_congestion_ops plain = {
    .ssthresh = (void *)ssthresh, .undo_cwnd = (void *)undo, .cong_avoid = (void *)avoid, .init = (void *)begin,
    .name = "pybpf_plain" };
SEC(".struct_ops.link") struct tcp_congestion_ops___two linked = {
    .ssthresh = (void *)ssthresh, .undo_cwnd = (void *)undo, .cong_avoid = (void *)avoid, .name = "pybpf_linked" };
"""


def converse(algorithm):
    """Send half a megabyte over loopback with a congestion control."""
    with socket.create_server(("127.0.0.1", 0)) as server, socket.socket() as client:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, algorithm)
        client.connect(server.getsockname())
        peer, _ = server.accept()
        with peer:
            for _ in range(32):
                client.sendall(bytes(1 << 14))
                got = 0
                while got < 1 << 14:
                    got += len(peer.recv(1 << 14))


@pytest.mark.kernel
def test_congestion_control_of_an_object_drives_a_connection(build):
    features.have_map_type(26) or pytest.skip("the running kernel has no struct_ops (Linux 5.6)")
    obj = open_elf(build(CONGESTION))
    link = 1 << 13
    assert {n: m.flags & link for n, m in obj.maps.items() if m.map_type == 26} == {"plain": 0, "linked": link}
    for source in (obj.set(calls=bytes(8)), open_elf(write_elf(None, obj), name=obj.name)):
        with load_collection(source) as live:
            assert set(live.programs) == {"ssthresh", "undo", "avoid", "begin"}
            for name in ("plain", "linked"):
                with attach_map(live[name]):
                    converse(f"pybpf_{name}".encode())
                with pytest.raises(OSError):  # noqa: PT011 (ENOENT)
                    converse(f"pybpf_{name}".encode())
            avoided, begun = struct.unpack("2i", live[source.maps[".bss"]][0])
            assert avoided > 10
            assert begun == 1


@pytest.mark.parametrize("cpu", ["v1", "v2", "v3", "v4"])
def test_big_endian_objects_are_read_like_little_endian_ones(build, cpu):
    little, big = (open_elf(build("shapes", None, target, cpu)) for target in ("bpfel", "bpfeb"))
    assert big.byteorder == "big"
    assert [p.name for p in big] == [p.name for p in little]
    for name in ("second", "egress", "frags", "lookup"):
        assert big[name].insns == little[name].insns
    assert {n: (m.map_type, m.value_size) for n, m in big.maps.items()} == {
        n: (m.map_type, m.value_size) for n, m in little.maps.items()
    }
    assert big.get("numbers") == b"".join(i.to_bytes(4, "big") for i in range(1, 6))


def test_big_endian_core(build):
    target = types_of(build(KERNEL, None, "bpfeb"))
    obj = open_elf(build("core", None, "bpfeb"), btf=target)
    offsets = [i.imm for i in obj["flavours"].insns if i.opcode == 0xB7]
    assert target["task_struct"].offset_of("__state") in offsets


GCC = """
struct bpf_map_def { unsigned type, key_size, value_size, max_entries, map_flags; };
struct bpf_map_def __attribute__((section("maps"), used)) counts = { 2, 4, 8, 1, 0 };
char _license[] __attribute__((section("license"), used)) = "GPL";
__attribute__((section("socket"), used)) int one(void *skb) { return 7; }
__attribute__((section("xdp"), used)) int two(void *ctx) { return ((unsigned *)ctx)[3] == 3 ? (long)&counts & 8 : 2; }
"""


def test_gcc(tmp_path):
    gcc = shutil.which("bpf-gcc") or shutil.which("bpf-unknown-none-gcc")
    if gcc is None:
        pytest.skip("gcc-bpf is not installed")
    (tmp_path / "x.c").write_text(GCC)
    subprocess.run([gcc, "-O2", "-c", "x.c", "-o", "x.o"], cwd=tmp_path, check=True)
    obj = open_elf(tmp_path / "x.o")
    assert [(p.name, p.prog_type) for p in obj] == [("one", 1), ("two", 6)]
    assert obj["one"].insns[0].imm == 7
    assert obj["two"].maps["counts"].map_type == 2


# -- CO-RE against types of our own


def test_relocations_follow_the_target(build, kernel):
    obj = open_elf(build("core"), btf=kernel)
    task = kernel["task_struct"]
    immediates = [i.imm for i in obj["fields"].insns if i.opcode == 0xB7]
    for path in ("pid", "real_parent", "start_time", "tgid", "comm"):
        assert task.offset_of(path) in immediates, path
    assert POISON in [i.imm for i in obj["fields"].insns if i.opcode == 0x85]
    assert any(kind == 10 for _, _, _, kind, _ in obj["enums"].core_relos)


def test_errors_name_type_field_and_path(build):
    source = """
    #include "common.h"
    struct a { int x; struct { int deep[4]; } in; } __attribute__((preserve_access_index));
    SEC("socket") int f(struct a *p) { return p->in.deep[2]; }
    """
    path = build(source)
    twice = types_of(
        build("struct a { int x; struct { int deep[4]; } in; } v; struct a___2 { struct { int deep[4]; } in; } w;")
    )
    with pytest.raises(
        BtfError, match=r"byte offset of struct a\.in\.deep\[2\] \(0:1:0:2\): ambiguous: struct a .* and struct a___2"
    ):
        open_elf(path, btf=twice)
    gone = types_of(build("struct a { int x; } v;"))
    assert POISON in [i.imm for i in open_elf(path, btf=gone)["f"].insns]
    moved = types_of(build("struct a { long pad; struct { int less, deep[3]; } in; } v;"))
    assert 8 + 4 + 8 in [i.off for i in open_elf(path, btf=moved)["f"].insns]


def test_externs_need_what_they_name(build, kernel):
    with pytest.raises(ElfError, match=r"program 'kfuncs': the kernel has no func 'bpf_task_acquire'"):
        open_elf(build("externs"), btf=kernel, config={"LINUX_KERNEL_VERSION": "1"}, ksyms={"bpf_prog_put": 1})
    source = (
        '#include "common.h"\nextern int CONFIG_NOPE __kconfig;\nSEC("socket") int f(void *c) { return CONFIG_NOPE; }'
    )
    with pytest.raises(ElfError, match="configuration has no CONFIG_NOPE"):
        open_elf(build(source), config={})
    obj = open_elf(build(source), config={"CONFIG_NOPE": "42"})
    assert obj.maps[".kconfig"].contents == ((0, (42).to_bytes(4, sys.byteorder)),)
    wide = [i for i in obj["f"].insns if i.wide]
    assert [(i.src, i.symbol) for i in wide] == [(Pseudo.MAP_VALUE, ".kconfig")]


@pytest.mark.skipif(not os.path.exists("/sys/kernel/btf/vmlinux"), reason="the running kernel has no BTF")
def test_kernel_functions_keep_their_names(build):
    obj = open_elf(build("externs"))
    calls = [i for i in obj["kfuncs"].insns if i.opcode == 0x85 and i.src == Call.KFUNC]
    assert [i.symbol for i in calls] == ["bpf_task_acquire", "bpf_task_release"]
    assert all(Btf.kernel().type(i.imm).name == i.symbol for i in calls)


EXISTS = """
#include "common.h"
#ifndef bpf_ksym_exists
#define bpf_ksym_exists(sym) ({ !!sym; })
#endif
struct task_struct { int pid; };
struct task_struct *bpf_task_acquire(struct task_struct *p) __ksym __weak;
struct task_struct *bpf_task_acquire___more(struct task_struct *p, int q) __ksym __weak;
struct task_struct *bpf_task_acquire___same(struct task_struct *p) __ksym __weak;
int bpf_no_such_function(int a) __ksym __weak;
struct rq { int cpu; };
extern const struct rq runqueues __ksym __weak;
int found;
SEC("syscall") int ask(void *ctx)
{
    if (bpf_ksym_exists(bpf_task_acquire)) found += 1;
    if (bpf_ksym_exists(bpf_task_acquire___same)) found += 2;
    if (bpf_ksym_exists(bpf_task_acquire___more)) found += 4;
    if (bpf_ksym_exists(bpf_no_such_function)) found += bpf_no_such_function(8);
    return 0;
}
SEC("syscall") int variable(void *ctx) { return &runqueues != 0; }
"""


@pytest.mark.kernel
@pytest.mark.skipif(not os.path.exists("/sys/kernel/btf/vmlinux"), reason="the running kernel has no BTF")
def test_weak_functions_are_asked_for_by_address(build):
    for source in (build(EXISTS), write_elf(None, open_elf(build(EXISTS)))):
        obj = open_elf(source, name="exists")
        assert [i.symbol for i in obj["ask"].insns if i.wide and i.src == Pseudo.BTF_ID] == [
            "bpf_task_acquire",
            "bpf_task_acquire",
        ]
        assert [i.symbol for i in obj["variable"].insns if i.wide] == ["runqueues"]
        with load_collection(obj["ask"]) as live:  # many kernels do not know where their variables are
            live["ask"].test_run()
            assert live[obj.maps[".bss"]][0] == (1 + 2).to_bytes(4, sys.byteorder)


ARENA = """
#include "common.h"
#define __arena __attribute__((address_space(1)))
struct { __uint(type, 33); __uint(map_flags, 1 << 10); __uint(max_entries, 20); EXTRA } memory SEC(".maps");
int __arena counter = 5; int __arena numbers[100] = { 1, 2, 3 };
SEC("syscall") int add(void *ctx) { counter++; numbers[5] = counter + numbers[2]; bpf_printk("", &memory); return 0; }
"""


@pytest.mark.kernel
@pytest.mark.parametrize("extra", ["", "enum { at = 1ULL << 44 } map_extra;"])
def test_variables_in_an_arena(build, extra):
    features.have_map_type(33) or pytest.skip("the running kernel has no arenas (Linux 6.9)")
    path = build(ARENA.replace("EXTRA", extra).replace('bpf_printk("", &memory)', 'asm volatile("" :: "r"(&memory))'))
    obj = open_elf(path).set(counter=41)
    assert (obj.globals["numbers"].section, obj.get("counter")[0]) == ("memory", 41)
    for one in (obj, open_elf(write_elf(None, obj))):
        with load_collection(*one) as live:
            live["add"].test_run()
            assert bytes(live["memory"].memory[:16:4]) == bytes([42, 1, 2, 3])
            assert live["memory"].memory[24] == 45


def test_hidden_variables_are_static(build):
    obj = open_elf(
        build(
            '#include "common.h"\nint h __attribute__((visibility("hidden"))) = 1;\n'
            'SEC("socket") int f(void *c) { return h; }'
        )
    )
    assert obj.maps[".data"].flags == 0
    assert obj.btf["h"].linkage == 0


# -- pybpf gen


def test_generated_module(build, tmp_path, capsys):
    path = build("maps")
    shutil.copy(path, tmp_path / path.name)
    out = tmp_path / "maps_object.py"
    assert main(["gen", str(tmp_path / path.name), "-o", str(out)]) == 0
    assert main(["gen", str(path)]) == 0
    assert capsys.readouterr().out == out.read_text()
    spec = importlib.util.spec_from_file_location("maps_object", out)
    module = importlib.util.module_from_spec(spec)
    sys.modules["maps_object"] = module
    try:
        spec.loader.exec_module(module)
    finally:
        del sys.modules["maps_object"]
    obj = module.Maps()
    assert obj.entry.prog_type == 6
    assert isinstance(obj.events, MapSpec)
    assert obj.events.value is module.Event
    assert issubclass(module.Event, Struct)
    assert {m.name: m.offset for m in open_elf(path).btf["event"].members} == {
        n: getattr(module.Event, n).offset for n in ("pid", "when", "comm", "pair")
    }
    obj.set(threshold=9)
    assert obj.object.get("threshold") == (9).to_bytes(4, sys.byteorder)
    pytest.importorskip("mypy")
    command = [sys.executable, "-m", "mypy", "--strict", "--follow-imports=silent", "--config-file="]
    command += [str(out)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=PROGS.parents[2], check=False)
    assert done.returncode == 0, done.stdout


COLLIDING = """
#include "common.h"
struct program { u32 a; s32 array[4]; char text[8]; u64 wide[2]; }; struct any { int x; }; struct named { int x; };
struct { __uint(type, 1); __uint(max_entries, 4); __type(key, struct any); __type(value, struct program); } table SEC(".maps");
struct { __uint(type, 1); __uint(max_entries, 4); __type(key, int); __type(value, struct named); } other SEC(".maps");
enum collection { A = 1, B = -5 }; enum collection chosen = B;
SEC("socket") int f(void *c) { struct any k = {}; struct named n = {}; bpf_map_lookup_elem(&other, &k);
    return chosen + !!bpf_map_lookup_elem(&table, &k); }
"""


def test_generated_names_do_not_collide(build, tmp_path):
    pytest.importorskip("mypy")
    out = tmp_path / "named.py"
    shutil.copy(build(COLLIDING), tmp_path / "named.o")
    assert main(["gen", str(tmp_path / "named.o"), "-o", str(out)]) == 0
    use = tmp_path / "use.py"
    use.write_text(
        "import named\n"
        "obj = named.Named()\n"
        "value = named.Program_(a=1, text=b'x')\n"
        "value.array[1] = -3\n"
        "text: bytes = value.text\n"
        "first: int = value.array[1] + named.Collection_.A\n"
        "obj.set(chosen=int(named.Collection_.B))\n"
        "assert obj.table.value is named.Program_ and obj.other.value is named.Named_\n"
        "print(first, text, obj.f.name)\n"
    )
    command = [
        sys.executable,
        "-m",
        "mypy",
        "--strict",
        "--follow-imports=silent",
        "--config-file=",
        str(use),
        str(out),
    ]
    env = {**os.environ, "MYPYPATH": str(tmp_path), "PYTHONPATH": f"{PROGS.parents[2]}:{tmp_path}"}
    done = subprocess.run(command, capture_output=True, text=True, cwd=PROGS.parents[2], env=env, check=False)
    assert done.returncode == 0, done.stdout
    done = subprocess.run([sys.executable, str(use)], capture_output=True, text=True, env=env, check=False)
    assert done.stdout == "-2 b'x' f\n", done.stderr


def test_pyelftools_sees_the_same(build):
    elffile = pytest.importorskip("elftools.elf.elffile")
    for path in (build("maps"), build("shapes", None, "bpfeb")):
        mine = ElfFile(path.read_bytes())
        with open(path, "rb") as file:
            theirs = elffile.ELFFile(file)
            assert [(s.name, s.data()) for s in theirs.iter_sections() if s["sh_type"] != "SHT_NOBITS"] == [
                (s.name, s.data) for s in mine.sections if s.type != 8
            ]
            table = theirs.get_section_by_name(".symtab")
            assert [(s.name, s["st_value"], s["st_size"]) for s in table.iter_symbols()] == [
                (s.name, s.value, s.size) for s in mine.symbols
            ]
            relocations = {
                theirs.get_section(s["sh_info"]).name: sorted(
                    (r["r_offset"], r["r_info_type"]) for r in s.iter_relocations()
                )
                for s in theirs.iter_sections()
                if s["sh_type"] == "SHT_REL"
            }
            assert relocations == {s.name: [(o, t) for o, t, _ in rows] for s, rows in mine.relocations()}
