"""Objects of our own, opened by pybpf and by libbpf: what goes to the kernel must be the same to the last bit."""

from __future__ import annotations

import os

import pytest

from pybpf import open_elf
from pybpf.asm import encode

from .conftest import CLANGS

pytestmark = [
    pytest.mark.kernel,
    pytest.mark.skipif(not os.path.exists("/sys/kernel/btf/vmlinux"), reason="the running kernel has no BTF"),
]


def lines(program):
    """What libbpf's oracle prints: 8 bytes in hex, and the kernel's name of a map that is referred to."""
    out = []
    for insn in program.insns:
        name = ""
        if insn.wide and insn.src in (1, 2):
            spec = program.maps[insn.symbol]
            name = (spec.name or insn.symbol)[:15]
        raw = encode([insn.replace(symbol=None)]).hex()
        out.append((raw[:8] + "00000000" if name else raw[:16], name))
        if insn.wide:
            out.append((raw[16:], ""))
    return out


def compare(path, libbpf, **options):
    loaded, theirs, maps, messages = libbpf(path)
    obj = open_elf(path, **options)
    checked = 0
    for program in obj.programs:
        wanted = theirs.get(program.name[:15])
        if wanted is None:
            assert not program.autoload or not loaded, (program.name, messages)
            continue
        wanted = [(raw[:8] + "00000000" if name else raw, name) for raw, name in wanted]
        mine = lines(program)
        different = [(i, a, b) for i, (a, b) in enumerate(zip(mine, wanted, strict=False)) if a != b]
        assert not different, f"{program.name}: (slot, pybpf, libbpf) {different[:5]}"
        assert len(mine) == len(wanted)
        checked += 1
    assert checked, messages
    return obj, loaded, maps


@pytest.mark.parametrize("cpu", ["v1", "v2", "v3", "v4"])
@pytest.mark.parametrize("clang", CLANGS)
@pytest.mark.parametrize("name", ["maps", "core", "externs", "shapes"])
def test_instructions_are_those_of_libbpf(build, libbpf, name, clang, cpu):
    if cpu == "v4" and clang in ("clang-14", "clang-16"):
        pytest.skip(f"{clang} has no -mcpu=v4")
    obj, _, maps = compare(build(name, clang, "bpfel", cpu), libbpf)
    mine = {
        (spec.name or symbol)[:15]: (spec.map_type, spec.key_size, spec.value_size, spec.max_entries, spec.flags)
        for symbol, spec in obj.maps.items()
    }
    theirs = {name[:15]: tuple(map(int, numbers)) for name, *numbers in maps}
    if theirs.get("events", [0])[0] == 4:  # libbpf writes the number of CPUs here already; pybpf when the map is made
        theirs["events"] = (*theirs["events"][:3], 0, theirs["events"][4])
    assert mine == theirs
