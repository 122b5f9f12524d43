"""Instructions per second through the codec and the text, beside a bare struct loop over the same bytes."""

from __future__ import annotations

import struct

from pybpf import asm

from ._measure import best_of

COUNT = 20_000  # some programs of the kernel's own tests have that many
LOOP = """
    r1 += r2
    r1 = 5
    if r1 == 7 goto +1
    r2 = *(u64 *)(r1 + 8)
    *(u32 *)(r10 - 4) = r2
    w3 s>>= 2
    call 5
    lock *(u64 *)(r1 + 0) += r2
    r1 = 81985529216486895 ll
    exit
"""


def main() -> None:
    text = "\n".join([LOOP] * (COUNT // 10))
    insns = asm.resolve(asm.assemble(text))
    raw = asm.encode(insns)
    layout = struct.Struct("=BBhi")
    slots = list(layout.iter_unpack(raw))

    def bare_pack() -> bytes:
        pack = layout.pack
        return b"".join([pack(code, regs, off, imm) for code, regs, off, imm in slots])

    def bare_unpack() -> list[tuple[int, int, int, int]]:
        return [(code, regs, off, imm) for code, regs, off, imm in layout.iter_unpack(raw)]

    best = best_of(
        {
            "bare struct.pack": bare_pack,
            "encode": lambda: asm.encode(insns),
            "bare struct.unpack": bare_unpack,
            "decode": lambda: asm.decode(raw),
            "disassemble": lambda: asm.disassemble(raw),
            "assemble": lambda: asm.assemble(text),
        },
        rounds=7,
    )
    beside = {"encode": "bare struct.pack", "decode": "bare struct.unpack"}
    for name, seconds in best.items():
        ratio = f"   {seconds / best[beside[name]]:.2f}x the time of {beside[name]}" if name in beside else ""
        print(f"{name:20} {len(insns) / seconds / 1e6:6.2f} M insn/s{ratio}")
