"""Damaged and hostile objects: an ElfError or BtfError that says what and where, in bounded time; never anything else.

A plain run samples; PYBPF_FUZZ=100000 mutates that many times.
"""

from __future__ import annotations

import os
import random
import struct
import time

import pytest

from pybpf import open_elf
from pybpf.btf import Btf
from pybpf.elf import write_elf
from pybpf.elf.file import ElfFile
from pybpf.errors import BtfError, ElfError

COUNT = int(os.environ.get("PYBPF_FUZZ", "400"))
EDGES = (0, 1, 2, 7, 8, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)


def sections(raw):
    """(offset, size) of each section, by hand."""
    mark = "<" if raw[5] == 1 else ">"
    (offset,) = struct.unpack_from(mark + "Q", raw, 40)
    (count,) = struct.unpack_from(mark + "H", raw, 60)
    rows = [struct.unpack_from(mark + "IIQQQQIIQQ", raw, offset + 64 * i) for i in range(count)]
    return offset, count, [(row[4], row[5]) for row in rows if row[1] not in (0, 8) and row[5]]


def mutate(raw, rng):
    """A few random changes, most of them where structure is: headers, symbols, relocations, BTF."""
    headers, count, places = sections(raw)
    out = bytearray(raw)
    for _ in range(rng.choice((1, 1, 1, 2, 4, 8))):
        where = rng.random()
        if where < 0.15:
            at = rng.randrange(64)
        elif where < 0.4:
            at = headers + rng.randrange(64 * count)
        else:
            start, size = rng.choice(places)
            at = start + rng.randrange(size)
        what = rng.random()
        if at >= len(out):
            continue
        if what < 0.35:
            out[at] = rng.choice((0, 1, 0x7F, 0x80, 0xFF, rng.randrange(256)))
        elif what < 0.7:
            at &= ~3
            out[at : at + 4] = struct.pack("<I", rng.choice((*EDGES, rng.randrange(64), rng.randrange(1 << 16))))
        elif what < 0.8:
            at &= ~7
            out[at : at + 8] = struct.pack("<Q", rng.choice((*EDGES, 1 << 40, (1 << 64) - 1, rng.randrange(1 << 16))))
        elif what < 0.9:
            out[at] ^= 1 << rng.randrange(8)
        else:
            other = rng.randrange(len(out))
            size = rng.randrange(1, 64)
            out[at : at + size] = out[other : other + size]
    return bytes(out[: rng.randrange(len(out))] if rng.random() < 0.05 else out)


@pytest.fixture(scope="module")
def objects(build):
    made = [build(name).read_bytes() for name in ("maps", "core", "externs", "shapes")]
    made.append(build("maps", None, "bpfeb").read_bytes())
    return made


@pytest.fixture(scope="module")
def target(objects, build):
    """Types to relocate against: a small kernel, so that none is needed here."""
    source = """
    struct list_head { struct list_head *next; };
    enum bpf_map_type { BPF_MAP_TYPE_HASH = 1, BPF_MAP_TYPE_LRU_HASH = 9 };
    struct task_struct { unsigned a : 3, sched_reset_on_fork : 1; int tgid, pid; char comm[16];
        struct { struct task_struct *real_parent; unsigned long long start_time; }; struct list_head tasks; } task;
    struct sk_buff { unsigned len; } skb;
    typedef struct { int counter; } atomic_t; union bpf_attr { int map_type; } attr;
    enum bpf_map_type type; atomic_t counter; int bpf_prog_active;
    struct task_struct *bpf_task_acquire(struct task_struct *p) { return p; }
    void bpf_task_release(struct task_struct *p) { }
    """
    return Btf.parse(ElfFile(build(source).read_bytes()).section(".BTF").data)


def attempt(raw, target):
    config = {"LINUX_KERNEL_VERSION": "0x61200", "CONFIG_HZ": "250"}
    try:
        obj = open_elf(raw, btf=target, config=config, ksyms={"bpf_prog_put": 1 << 40})
        for program in obj:
            program.disassemble()
        write_elf(None, obj)
    except (ElfError, BtfError) as error:
        return str(error)
    return ""


def test_mutated_objects(objects, target):
    rng = random.Random(20)
    slowest, refused = 0.0, 0
    for i in range(COUNT):
        raw = mutate(objects[i % len(objects)], rng)
        start = time.process_time()
        try:
            refused += bool(attempt(raw, target))
        except Exception:
            path = f"/tmp/pybpf-hostile-{i}.o"
            with open(path, "wb") as file:
                file.write(raw)
            print(f"mutation {i} is kept in {path}")
            raise
        slowest = max(slowest, time.process_time() - start)
    assert refused > COUNT // 10
    assert slowest < 5


def test_truncated_anywhere(objects, target):
    for raw in objects[:2]:
        for size in range(0, len(raw), max(1, len(raw) // 60)):
            assert attempt(raw[:size], target)


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b"", "not an ELF file"),
        (b"\x7fELF" + bytes(20), "not a whole 64-bit ELF header"),
        (b"not an object at all", "not an ELF file: it begins with 6e 6f 74 20"),
    ],
)
def test_what_is_no_object(raw, message):
    with pytest.raises(ElfError, match=message):
        open_elf(raw)


def test_damage_is_named(objects):
    raw = bytearray(objects[0])
    headers, _, _ = sections(raw)
    struct.pack_into("<Q", raw, headers + 64 * 2 + 24, 1 << 50)
    with pytest.raises(ElfError, match=r"section 2 .* reaches beyond the file"):
        open_elf(bytes(raw))
    raw = bytearray(objects[0])
    struct.pack_into("<H", raw, 60, 0xFFFF)
    with pytest.raises(ElfError, match="65535 section headers"):
        open_elf(bytes(raw))
    raw[18:20] = b"\x3e\x00"
    with pytest.raises(ElfError, match="machine 62: expected a relocatable BPF object"):
        open_elf(bytes(raw))
