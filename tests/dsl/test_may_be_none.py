"""What the kernel may give as NULL must be tested, and hostile declarations and numbers are errors of our tree."""

from __future__ import annotations

import importlib.util

import pytest

from pybpf import VM, BpfError, CompileError, load

HEAD = """\
import ctypes
from enum import IntEnum
from ipaddress import IPv4Address

from pybpf import *
from pybpf import helpers as bpf
from pybpf.net import *


class Totals(Struct):
    packets: u32
    bytes: u64


totals = HashMap(u32, Totals, max_entries=4)
trie = LpmTrie(IPv4Address, u32, max_entries=4)
class Color(IntEnum):
    RED = 1


sockets = SkStorage(u64)
counter = 0
ODD = (1, [2])


@xdp
def put(ctx):
    totals[1] = Totals(2, 3)
    totals[7] = Totals(4, 5)
    return 2


"""


def define(folder, text):
    file = folder / "program.py"
    file.write_text(HEAD + text)
    spec = importlib.util.spec_from_file_location("program", file)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def program(decorator, parameters, *lines):
    return f"@{decorator}\ndef f({parameters}):\n" + "".join(f"    {line}\n" for line in lines) + "    return 0\n"


ENTRY = "ctx, meta, map, key: u32, value: Totals"
REFUSED = {
    "an iterator's object": (program('bpf_iter("task")', "ctx", 'ctx.printf(f"{ctx.task.pid}")'), "may be None here"),
    "an argument of a tracepoint": (
        program('tp_btf("kfree_skb")', "ctx, skb, location, reason, rx_sk", "printk(f'{rx_sk.sk_mark}')"), "may be None here"),
    "an iterator's key": (program('bpf_iter("bpf_map_elem")', ENTRY, 'ctx.printf(f"{key}")'), "the key may be None here"),
    "an iterator's key of no type": (
        program('bpf_iter("bpf_map_elem")', "ctx", "if ctx.key is not None:", '    ctx.printf(f"{ctx.key + 1}")'), "key: u64"),
    "an iterator's key that is written": (
        program('bpf_iter("bpf_map_elem")', ENTRY, "if key is not None:", "    key += 1"), "the key is read-only"),
    "the packet behind what is in front of it": (
        program("xdp", "ctx", "note = ctx.meta(Totals)", "if note is not None and ctx.packet(IPv4, after=note) is None:",
                "    return 1"), "leave out after="),
    "a number beyond printing": (program("xdp", "ctx", "ctx.adjust_head(-2 ** 65535)"), "a number of 65536 bits"),
    "a number that takes Python hours": (program("xdp", "ctx", "return (7 << (1 << 60)) & 1"), "this << makes more"),
    "a power": (program("xdp", "ctx", "return 7 ** 10 ** 12 % 5"), "this ** makes more"),
    "a long tuple": (program("xdp", "ctx", "return len((1, 2) * (1 << 40))"), "this * makes more"),
    "a helper's map of another type": (
        program("xdp", "ctx", "return u32(bpf.redirect_map(totals, 1, 0))"), "the map totals: DEVMAP, CPUMAP, XSKMAP"),
    "a map that no helper walks so": (
        program("xdp", "ctx", "bpf.ringbuf_output(totals, u64(1), 8, 0)"), "a map of another type"),
    "a map as a kernel object": (
        program("cgroup_egress", "skb", "return 1 if sockets.get(sockets, create=True) is None else 0"),
        "keeps values of kernel objects"),
    "a method as bcc calls it": (program("xdp", "ctx", "return 1 if totals.lookup(1) is None else 2"), "write totals.get(key)"),
    "values behind a text": (program("xdp", "ctx", "printk('%d' % len(ctx))"), 'write the values into the text'),
    "values for a text": (program("xdp", "ctx", "printk('{}'.format(len(ctx)))"), 'write the values into the text'),
    "a text, as Python writes it": (program("xdp", "ctx", "x = char[8]()", "printk(f'{x!r}')"), "for numbers only"),
    "a type of no size": (program("xdp", "ctx", "x = ctx.packet(ctypes.Structure)"), "a type is wanted here"),
    "a class times a number": (program("xdp", "ctx", "return len(Color * 3)"), "TypeError"),
    "a structure as a socket": (
        program("cgroup_egress", "skb", "t = Totals()", "return 1 if bpf.tcp_sock(t) is None else 0"), "is a reference (sock)"),
    "a module's dictionary as a key": (program("xdp", "ctx", "return 1 if bpf.__dict__ in totals else 2"), "..."),
    "a context as socket": (program("cgroup_egress", "skb", "return 1 if bpf.tcp_sock(skb) is None else 0"), "not the context"),
    "a view beyond any packet": (program("tc", "skb", "return 1 if skb.packet(u8[1 << 31]) is None else 0"), "a view of"),
    "a range of bytes": (program("xdp", "ctx", "for i in range(b'a'):", "    pass"), "range takes whole numbers"),
    "half an address": (program('tp_btf("sched_switch")', "ctx, preempt, prev, next", "totals[u32(next.real_parent)] = Totals()"),
                        "name a field of it"),
    "a module's dictionary": (program("xdp", "ctx", "return bpf.__dict__"), "..."),
    "a thing without a hash": (program("xdp", "ctx", "x = u8[2]()", "return ODD(x)"), "cannot be called"),
    "an argument by a name": (program("uprobe", "ctx", "return u32(ctx.args[len])"), "indexed by a constant"),
    "a key that ctypes cannot make": (
        program("xdp", "ctx", "if trie.get((32, (10, 1, XdpAction, 3))) is None:", "    return 1"), "XdpAction"),
    "a number outside of the function": (program("xdp", "ctx", "counter += 1"), "counter = Global(u64, 0)"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name, tmp_path):
    text, told = REFUSED[name]
    with pytest.raises(CompileError) as error:
        assert define(tmp_path, text).f.insns
    assert "program.py:" in str(error.value)
    assert "    ^" in str(error.value)
    assert told in str(error.value)
    assert len(str(error.value)) < 1000


DECLARED = {
    "an array without end": ("wide = u8[1 << 64]", "no array is that long"),
    "a field of no type": ("class S(Struct):\n    _fields_ = [('x', None)]", "must be a C type"),
    "an odd packing": ("class S(Struct):\n    _pack_ = -1\n    x: u32", "_pack_"),
    "an array of nothing": ("array_of(ctypes.Structure, 4)", "storage"),
    "members that are a text": ("StructOps('tcp_congestion_ops', 'x')", "a dict of members"),
    "a source that is a number": (program("xdp(source=0)", "ctx"), "source is 0"),
    "no program type": (program("program(None)", "ctx"), "takes a ProgType"),
    "an event that is a number": (program("tracepoint(0)", "ctx"), "the event is 0, expected a text"),
}


@pytest.mark.parametrize("name", DECLARED)
def test_refused_where_it_is_declared(name, tmp_path):
    text, told = DECLARED[name]
    with pytest.raises(BpfError) as error:
        define(tmp_path, text)
    assert told in str(error.value)


TAKEN = {
    "tested": program('bpf_iter("task")', "ctx", "if ctx.task is not None:", '    ctx.printf(f"{ctx.task.pid}")'),
    "tested together": program(
        'bpf_iter("task_file")', "ctx", "task, file = ctx.task, ctx.file", "if task is None or file is None:", "    return 0",
        'ctx.printf(f"{task.pid} {file.f_flags}")'),
    "one of two": program(
        'bpf_iter("task_vma")', "ctx", "vma = ctx.vma", "if vma is None or ctx.task is None:", "    return 0",
        "task = ctx.task if vma.vm_flags & 1 else ctx.task.real_parent", 'ctx.printf(f"{task.pid}")'),
    "an argument of a tracepoint": program(
        'tp_btf("kfree_skb")', "ctx, skb, location, reason, rx_sk", "if rx_sk is not None:", "    printk(f'{rx_sk.sk_mark}')"),
    "of a raw tracepoint, which reads by a helper": program(
        'raw_tracepoint("kfree_skb")', "ctx, skb, location, reason, rx_sk", "printk(f'{rx_sk.sk_mark}')"),
}  # fmt: skip


@pytest.mark.kernel
@pytest.mark.parametrize("name", TAKEN)
def test_taken_by_the_kernel(name, tmp_path):
    with load(define(tmp_path, TAKEN[name]).f) as prog:
        assert prog.info.xlated_prog_len > 0


@pytest.mark.kernel
def test_an_iterator_over_a_map_reads_keys_and_changes_values(tmp_path):
    body = (
        "if key is None or value is None:",
        "    return 0",
        'ctx.printf(f"{key} {value.bytes}\\n")',
        "value.bytes += 1",
    )
    made = define(tmp_path, program('bpf_iter("bpf_map_elem")', ENTRY, *body))
    with load(made.put) as prog, load(made.f) as iterator:
        prog.test_run(data=bytes(60))
        with iterator.attach(map=prog[made.totals]) as link:
            assert sorted(link.read().splitlines()) == [b"1 3", b"7 5"]
        assert {key: value.bytes for key, value in prog[made.totals].items()} == {1: 4, 7: 6}


def test_the_machine_gives_an_iterator_none(tmp_path):
    made = define(tmp_path, TAKEN["tested"])
    assert VM(made.f).run(ctx=[0, 0]).retval == 0
