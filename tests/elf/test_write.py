"""Objects written by pybpf, given to every loader there is: libbpf, bpftool, ip, tc; and read back."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import uuid

import pytest

from pybpf import (
    Arena,
    DevMapHash,
    HashMap,
    HashOfMaps,
    LpmTrie,
    MapSpec,
    PerCpuArray,
    ProgramSpec,
    RingBuf,
    StackTrace,
    Struct,
    TaskStorage,
    asm,
    char,
    open_elf,
    u32,
    u64,
)
from pybpf.btf import BtfBuilder
from pybpf.elf import write_elf
from pybpf.errors import ElfError
from pybpf.kernel.sections import sections

from .test_libbpf import compare

NAMES = ["maps", "core", "externs", "shapes"]
PASS, DROP = 2, 1
XDP, SCHED_CLS, SOCKET_FILTER = 6, 3, 1

needs_kernel_btf = pytest.mark.skipif(
    not os.path.exists("/sys/kernel/btf/vmlinux"), reason="the running kernel has no BTF"
)


def counting(name="count", prog_type=XDP, verdict=PASS, **fields):
    """An assembled program with a map: counts its runs per interface."""
    packets = HashMap(u32, u64, max_entries=256, name="packets")
    insns = asm.assemble(f"""
            *(u32 *)(r10 - 4) = 7
            r1 = map[id:packets]
            r2 = r10
            r2 += -4
            call map_lookup_elem
            if r0 == 0 goto out
            r1 = 1
            lock *(u64 *)(r0 + 0) += r1
    out:    r0 = {verdict}
            exit
    """)
    return ProgramSpec(insns, prog_type, name=name, maps={"packets": packets}, **fields)


def with_lines():
    """The same with BTF: the function and its source lines."""
    spec = counting()
    builder = BtfBuilder()
    number = builder.add_int("int", 4, True)
    func = builder.add_func("count", builder.add_func_proto(number, [("ctx", builder.add_ptr(0))]))
    file, line = builder.string("count.py"), builder.string("packets[7] += 1")
    return spec.replace(
        btf=builder.to_bytes(), func_info=((0, func),), line_info=((0, file, line, 3 << 10), (4, file, line, 4 << 10))
    )


# -- there and back


@needs_kernel_btf
@pytest.mark.parametrize("name", NAMES)
def test_writing_what_was_read_keeps_every_instruction(build, name, tmp_path):
    first = open_elf(build(name))
    path = tmp_path / build(name).name
    raw = write_elf(path, first)
    again = open_elf(path)
    assert [p.name for p in again] == [p.name for p in first] or set(again.maps) == set(first.maps)
    for program in first:
        back = again[program.name]
        for field in ("insns", "prog_type", "license", "expected_attach_type", "flags", "attach_to", "section"):
            assert getattr(back, field) == getattr(program, field), field
        assert [i.symbol for i in back.insns] == [i.symbol for i in program.insns]
        assert [s for s, _ in back.func_info] == [s for s, _ in program.func_info]
        assert [i.source for i in back.insns] == [i.source for i in program.insns]
    geometry = {n: (m.map_type, m.key_size, m.value_size, m.max_entries, m.flags) for n, m in first.maps.items()}
    assert geometry == {
        n: (m.map_type, m.key_size, m.value_size, m.max_entries, m.flags) for n, m in again.maps.items()
    }
    assert write_elf(None, again) == raw, "writing is a fixed point"
    assert open_elf(raw, name=again.name) == again


@pytest.mark.parametrize("order", ["little", "big"])
def test_an_assembled_program_comes_back_equal(order, tmp_path):
    spec = counting()
    path = tmp_path / "count.o"
    raw = write_elf(path, spec, byteorder=order)
    assert path.read_bytes() == raw == write_elf(None, counting(), byteorder=order)
    obj = open_elf(path)
    assert obj.byteorder == order
    resolved = spec.replace(insns=tuple(asm.resolve(spec.insns)))
    assert obj["count"].insns == resolved.insns
    assert obj.maps["packets"].max_entries == 256
    if order == sys.byteorder:
        assert obj["count"] == resolved
        assert obj.maps["packets"] == spec.maps["packets"]
        assert obj["count"] != resolved.replace(prog_type=SCHED_CLS)


class Seen(Struct):
    pid: u32
    when: u64
    comm: char[13]


@pytest.mark.parametrize(
    "spec",
    [
        HashMap(u32, Seen, max_entries=4, name="m"),
        PerCpuArray(u64, max_entries=4, name="m"),
        RingBuf(1 << 14, name="m"),
        LpmTrie(u64, u32, max_entries=4, name="m"),
        StackTrace(max_entries=4, name="m"),
        DevMapHash(max_entries=4, name="m"),
        TaskStorage(Seen, name="m"),
        Arena(4, name="m"),
        HashOfMaps(u32, HashMap(u32, Seen, max_entries=4), max_entries=3, name="m"),
    ],
    ids=lambda spec: type(spec).__name__,
)
def test_declared_maps_come_back_equal(spec):
    again = open_elf(write_elf(None, counting(), spec)).maps["m"]
    assert again == spec
    assert spec == again
    assert again != spec.replace(max_entries=spec.max_entries + 8)


def test_programs_of_every_section_come_back():
    targets = {2: "do_nanosleep", 5: "syscalls/sys_enter_openat", 17: "sys_enter", 24: "sys_enter"}
    targets |= dict.fromkeys((26, 28, 29), "do_nanosleep")
    for s in sections():
        spec = ProgramSpec(
            asm.assemble("r0 = 0\nexit"),
            s.prog_type,
            name="f",
            expected_attach_type=s.attach_type,
            flags=s.flags,
            attach_to=targets.get(s.prog_type),
        )
        again = open_elf(write_elf(None, spec))["f"]
        assert (again.prog_type, again.expected_attach_type or 0, again.flags) == (
            s.prog_type, s.attach_type or 0, s.flags
        )  # fmt: skip


def test_lines_come_back(tmp_path):
    spec = with_lines()
    obj = open_elf(write_elf(None, spec))
    program = obj["count"]
    assert [(i.source.file, i.source.line, i.source.text) for i in program.insns[:1]] == [
        ("count.py", 3, "packets[7] += 1")
    ]
    assert program.insns[-1].source.line == 4
    assert len(program.func_info) == 1


def test_what_a_file_cannot_say_is_refused():
    spec = counting()
    full = spec.replace(maps={"packets": MapSpec(1, 4, 8, 4, name="packets", contents=((b"abcd", bytes(8)),))})
    with pytest.raises(ElfError, match="'packets' has contents"):
        write_elf(None, full)
    with pytest.raises(ElfError, match="licenses"):
        write_elf(None, spec, counting("other", license="MIT"))
    with pytest.raises(ElfError, match="two programs are named 'count'"):
        write_elf(None, spec, spec)
    with pytest.raises(ElfError, match="nothing to write"):
        write_elf(None)
    with pytest.raises(ElfError, match="names the map 'packets'"):
        write_elf(None, spec.replace(maps={}))


# -- other loaders


@pytest.mark.kernel
@needs_kernel_btf
@pytest.mark.parametrize("name", NAMES)
def test_libbpf_loads_what_was_written(build, libbpf, name, tmp_path):
    path = tmp_path / build(name).name
    write_elf(path, open_elf(build(name)))
    _, loaded, _ = compare(path, libbpf)
    assert loaded


@pytest.mark.kernel
@needs_kernel_btf
def test_libbpf_loads_assembled_programs(libbpf, tmp_path):
    path = tmp_path / "count.o"
    write_elf(path, with_lines(), counting("other", SOCKET_FILTER))
    _, loaded, maps = compare(path, libbpf)
    assert loaded
    assert maps == [["packets", "1", "4", "8", "256", "0"]]


@pytest.mark.kernel
def test_bpftool_loads_and_shows_lines(bpftool, tmp_path):
    path = tmp_path / "count.o"
    write_elf(path, with_lines())
    pins = f"/sys/fs/bpf/pybpf-{uuid.uuid4().hex[:8]}"
    try:
        subprocess.run([bpftool, "prog", "loadall", path, pins], check=True, capture_output=True, text=True)
        dump = subprocess.check_output(
            [bpftool, "prog", "dump", "xlated", "pinned", f"{pins}/count", "linum"], text=True
        )
        assert "int count(" in dump
        assert "packets[7] += 1" in dump
        assert "line_num:3" in dump
        shown = json.loads(subprocess.check_output([bpftool, "-j", "prog", "show", "pinned", f"{pins}/count"]))
        assert shown["name"] == "count"
    finally:
        shutil.rmtree(pins, ignore_errors=True)


def test_llvm_objdump_reads_it(tmp_path):
    objdump = shutil.which("llvm-objdump-19") or shutil.which("llvm-objdump")
    if objdump is None:
        pytest.skip("llvm-objdump is not installed")
    path = tmp_path / "count.o"
    write_elf(path, counting())
    text = subprocess.check_output([objdump, "-dr", "--no-print-imm-hex", path], text=True)
    assert "<count>:" in text
    assert "R_BPF_64_64\tpackets" in text
    assert "r0 = 2" in text


@pytest.fixture
def netns():
    """A network namespace with a veth pair; gone afterwards."""
    if shutil.which("ip") is None:
        pytest.skip("iproute2 is not installed")
    name = f"pybpf{os.getpid()}"
    done = subprocess.run(["ip", "netns", "add", name], capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"no network namespace can be made: {done.stderr.strip()}")
    try:
        subprocess.run(["ip", "-n", name, "link", "add", "v0", "type", "veth", "peer", "name", "v1"], check=True)
        subprocess.run(["ip", "-n", name, "link", "set", "v0", "up"], check=True)
        yield name
    finally:
        subprocess.run(["ip", "netns", "del", name], check=True)


@pytest.mark.kernel
def test_ip_link_set_xdp(netns, tmp_path):
    path = tmp_path / "count.o"
    write_elf(path, with_lines())
    subprocess.run(["ip", "-n", netns, "link", "set", "v0", "xdp", "object", path, "section", "xdp"], check=True)
    links = json.loads(subprocess.check_output(["ip", "-n", netns, "-j", "link", "show", "v0"]))
    assert links[0]["xdp"]["prog"]["name"] == "count"


@pytest.mark.kernel
def test_tc_filter(netns, tmp_path):
    tc = shutil.which("tc")
    if tc is None:
        pytest.skip("tc is not installed")
    path = tmp_path / "count.o"
    write_elf(path, counting("classify", SCHED_CLS, verdict=0))
    subprocess.run([tc, "-n", netns, "qdisc", "add", "dev", "v0", "clsact"], check=True)
    subprocess.run(
        [tc, "-n", netns, "filter", "add", "dev", "v0", "ingress", "bpf", "da", "object-file", path, "section", "tc"],
        check=True,
    )
    shown = subprocess.check_output([tc, "-n", netns, "filter", "show", "dev", "v0", "ingress"], text=True)
    assert "count.o:[tc]" in shown
