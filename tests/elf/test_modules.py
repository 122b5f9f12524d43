"""Types, functions and fields that only a module of the kernel has.  The guests of tools/guests load some."""

from __future__ import annotations

import pytest

from pybpf import ProgramSpec, asm, load, open_elf, write_elf
from pybpf.asm import Call, Insn
from pybpf.btf import Btf, BtfBuilder

XDP, RAW_TRACEPOINT = 6, 17
MODULES = Btf.kernel_modules()
needs_veth = pytest.mark.skipif("veth" not in MODULES, reason="the module veth (with BTF) is not loaded")
needs_conntrack = pytest.mark.skipif("nf_conntrack" not in MODULES, reason="the module nf_conntrack is not loaded")

pytestmark = pytest.mark.kernel


@needs_veth
def test_types_of_a_module():
    kernel, veth = Btf.kernel(), Btf.of_module("veth")
    assert len(veth) > len(kernel)
    private = veth["veth_priv"]
    assert private.id > len(kernel)
    assert "veth_priv" not in kernel
    peer = private["peer"].type.stripped.type
    assert peer.stripped == kernel["net_device"]
    assert "struct net_device" in veth.c_header(["struct veth_priv"])
    assert veth["veth_xmit"].type.params[0][0] == "skb"
    again = Btf.parse(veth.to_bytes(), base=kernel)
    assert again["veth_priv"].offset_of("peer") == private.offset_of("peer")


@needs_veth
def test_fields_of_a_module_are_found():
    b = BtfBuilder()
    func = b.add_func("look", b.add_func_proto(b.add_int("int", 4, True), [("ctx", b.add_ptr(0))]))
    struct = b.add_struct("veth_priv", 64, [("peer", b.add_ptr(0), 64)])
    insns = asm.assemble("r0 = 8\nr0 = 0\nexit")
    spec = ProgramSpec(
        insns,
        RAW_TRACEPOINT,
        name="look",
        btf=b.to_bytes(),
        func_info=((0, func),),
        core_relos=((0, struct, "0:0", 0, insns[0]),),
        section="raw_tp/sys_enter",
    )
    found = open_elf(write_elf(None, spec))["look"]
    assert found.insns[0].imm == Btf.of_module("veth")["veth_priv"].offset_of("peer")
    with load(found):
        pass


@needs_conntrack
def test_functions_of_a_module():
    b = BtfBuilder()
    func = b.add_func("track", b.add_func_proto(b.add_int("int", 4, True), [("ctx", b.add_ptr(0))]))
    code = asm.assemble("""
            r2 = 0
            *(u64 *)(r10 - 8) = r2
            *(u64 *)(r10 - 16) = r2
            *(u64 *)(r10 - 24) = r2
            *(u64 *)(r10 - 32) = r2
            *(u32 *)(r10 - 32) = -1
            *(u8 *)(r10 - 24) = 6
            r2 = r10
            r2 += -16
            r3 = 12
            r4 = r10
            r4 += -32
            r5 = 12
            call 1
            if r0 == 0 goto out
            r1 = r0
            call 2
    out:    r0 = 2
            exit
    """)
    names = {1: "bpf_xdp_ct_lookup", 2: "bpf_ct_release"}
    code = [Insn(0x85, src=Call.KFUNC, imm=-1, symbol=names[i.imm]) if i.opcode == 0x85 else i for i in code]
    spec = ProgramSpec(code, XDP, name="track", btf=b.to_bytes(), func_info=((0, func),))
    for one in (spec, open_elf(write_elf(None, spec))["track"]):
        with load(one) as prog:
            assert prog.test_run(bytes(64)).retval == 2
