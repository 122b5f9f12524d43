"""Programs written in Python that read the kernel's structures: their objects run where the fields lie elsewhere."""

from __future__ import annotations

import os

import pytest

from pybpf import HashMap, fentry, kprobe, load, open_elf, tp_btf, u32, u64, verify, write_elf
from pybpf.asm import resolve
from pybpf.btf import Btf, BtfBuilder
from pybpf.btf.core import Relo
from pybpf.elf.relocate import POISON
from pybpf.verifier import Env

from .test_libbpf import lines

pytestmark = pytest.mark.skipif(not os.path.exists("/sys/kernel/btf/vmlinux"), reason="the running kernel has no BTF")

seen = HashMap(u32, u64, max_entries=64, name="seen")


@tp_btf("sched_process_exec")
def executed(ctx, p, old, bprm):
    seen[0] = u64(p.real_parent.tgid)
    seen[1] = p.se.avg.load_avg
    seen[2] = u64(p.comm[3])
    seen[3] = p.thread_info.flags
    if p.sched_reset_on_fork:
        seen[4] = bprm.file.f_inode.i_ino
    return 0


@kprobe("tcp_v4_connect")
def connecting(ctx, sk):
    seen[5] = u64(sk.__sk_common.skc_family)
    seen[6] = u64(sk.sk_sndbuf)
    seen[7] = u64(sk.sk_userlocks)
    return 0


PROGRAMS = (executed, connecting)


def elsewhere():
    """A kernel whose structures have the same fields at other places, some inside of anonymous parts."""
    b = BtfBuilder()
    u8_, s32, u64_ = b.add_int("char", 1), b.add_int("int", 4, True), b.add_int("long", 8)
    wide = b.add_int("unsigned int", 4)
    ptr = b.add_ptr(0)
    text = b.add_array(u8_, 16)
    avg = b.add_struct("sched_avg", 64, [("x", u64_, 0), ("load_avg", u64_, 192)])
    entity = b.add_struct("sched_entity", 128, [("avg", avg, 320)])
    info = b.add_struct("thread_info", 24, [("cpu", wide, 0), ("flags", u64_, 64)])
    hidden = b.add_struct("", 16, [("tgid", s32, 64)])
    b.add_struct(
        "task_struct",
        512,
        [
            ("comm", text, 64),
            ("se", entity, 512),
            ("", hidden, 2048),
            ("flag", wide, 2304, 3),
            ("sched_reset_on_fork", wide, 2307, 2),
            ("thread_info", info, 2368),
            ("real_parent", ptr, 3008),
        ],
    )
    b.add_struct("linux_binprm", 64, [("pad", u64_, 0), ("file", ptr, 64)])
    b.add_struct("file", 64, [("f_inode", ptr, 448)])
    b.add_struct("inode", 64, [("i_ino", u64_, 128)])
    common = b.add_struct("sock_common", 64, [("skc_family", b.add_int("unsigned short", 2), 16)])
    b.add_struct("sock", 128, [("sk_userlocks", u8_, 4, 7), ("__sk_common", common, 64), ("sk_sndbuf", s32, 640)])
    return b.to_bytes()


def test_an_object_asks_where_fields_are_and_gets_what_was_compiled_here():
    obj = open_elf(write_elf(None, *PROGRAMS))
    for spec in PROGRAMS:
        assert obj[spec.name].insns == tuple(resolve(spec.insns))
        kinds = [kind for _, _, _, kind, _ in spec.core_relos]
        assert kinds == [kind for _, _, _, kind, _ in obj[spec.name].core_relos]
    kinds = [Relo(kind).name for _, _, _, kind, _ in executed.core_relos]
    assert kinds.count("FIELD_LSHIFT_U64") == kinds.count("FIELD_RSHIFT_U64") == 1
    assert kinds.count("FIELD_BYTE_OFFSET") == 9
    texts = {str(Btf.parse(executed.btf).type(t)) for _, t, *_ in executed.core_relos}
    assert texts == {"struct task_struct", "struct linux_binprm", "struct file", "struct inode"}
    local = Btf.parse(executed.btf)["task_struct"]
    assert {m.name for m in local.members} == {
        "real_parent", "tgid", "se", "comm", "thread_info", "sched_reset_on_fork"
    }  # fmt: skip
    kernel = Btf.kernel()["task_struct"]
    assert all(m.bit_offset == kernel[m.name].bit_offset for m in local.members)
    assert write_elf(None, *PROGRAMS) == write_elf(None, *PROGRAMS)


def test_fields_that_moved_are_followed():
    there = Btf.parse(elsewhere())
    obj = open_elf(write_elf(None, *PROGRAMS), btf=there)
    task = there["task_struct"]
    loads = [i.off for i in obj["executed"].insns if i.opcode & 7 == 1]
    assert loads[:3] == [0, 16, task.offset_of("real_parent")]
    for path in ("tgid", "se.avg.load_avg", "comm[3]", "thread_info.flags"):
        assert task.offset_of(path) in loads, path
    assert there["file"].offset_of("f_inode") in loads
    shifts = [i.imm for i in obj["executed"].insns if i.opcode in (0x67, 0x77)]
    assert 64 - 3 - 2 in shifts
    assert 64 - 2 in shifts
    added = [i.imm for i in obj["connecting"].insns if i.opcode == 0x07 and i.dst != 2 and i.imm > 0]
    assert {8 + 2, 80} <= set(added)
    back = open_elf(write_elf(None, obj))  # what was adjusted there is asked again here
    assert [p.insns for p in back] == [tuple(resolve(p.insns)) for p in PROGRAMS]


def test_fields_that_are_gone_are_poisoned():
    b = BtfBuilder()
    for name in ("task_struct", "linux_binprm", "file", "inode", "sock"):
        b.add_struct(name, 64, [])
    obj = open_elf(write_elf(None, executed), btf=Btf.parse(b.to_bytes()))
    assert sum(i.imm == POISON for i in obj["executed"].insns) == len(executed.core_relos)


@pytest.mark.kernel
@pytest.mark.parametrize("moved", [False, True])
def test_libbpf_does_the_same(libbpf, tmp_path, moved):
    path, types = tmp_path / "fields.o", tmp_path / "types.btf"
    write_elf(path, *PROGRAMS)
    types.write_bytes(elsewhere())
    _, theirs, _, messages = libbpf(path, types if moved else None)
    obj = open_elf(path, btf=Btf.parse(elsewhere()) if moved else None)
    shown = 0
    for program in obj:
        if program.name not in theirs:
            continue  # libbpf stops at the first program that this kernel refuses
        wanted = [(raw[:8] + "00000000" if name else raw, name) for raw, name in theirs[program.name]]
        assert lines(program) == wanted
        shown += 1
    assert shown, messages


@pytest.mark.kernel
def test_the_kernel_takes_the_description(tmp_path):
    with load(executed) as prog:
        assert prog.info.btf_id
    with load(open_elf(write_elf(None, executed))["executed"]):
        pass
    report = verify(executed, env=Env.here())
    assert report.ok, report


def test_copies_keep_their_relocations():
    assert executed.replace(name="other").core_relos == executed.core_relos
    assert executed.replace(isa=4).core_relos


@fentry("do_nanosleep")
def plain(ctx):
    return 0


def test_programs_without_such_fields_have_none():
    assert plain.core_relos == ()
