"""What iterators and raw tracepoints hand to programs: the running kernel says the same of arguments that may be NULL."""

from __future__ import annotations

import os

import pytest

from pybpf import ProgramSpec, asm, load, verify
from pybpf.errors import VerifierError
from pybpf.kernel import targets
from pybpf.uapi.attach import AttachType
from pybpf.uapi.prog import ProgType

pytestmark = [
    pytest.mark.kernel,
    pytest.mark.skipif(not os.uname().release.startswith("6.18."), reason="the tables' origin is Linux 6.18"),
]
TEXT = "r2 = *(u64 *)(r1 + {})\nr2 = *(u8 *)(r2 + 0)\nr0 = 0\nexit"


def _compare(env, place: int, target: str, count: int) -> list[str]:
    """Dereference each argument; the places where kernel and verifier differ."""
    wrong = []
    for argument in range(count):
        insns = asm.assemble(TEXT.format(8 * argument))
        spec = ProgramSpec(insns, ProgType.TRACING, expected_attach_type=place, attach_to=target)
        try:
            with load(spec):
                taken = True
        except VerifierError:
            taken = False
        report = verify(spec, "6.18", env=env)
        if report.verdict != ("accept" if taken else "reject"):
            wrong.append(f"argument {argument} of {target}: {'taken' if taken else 'refused'}\n{report}")
    return wrong


def test_iterators(oracle, env):
    wrong = []
    for target in targets.ITERATORS:
        found = env.btf.find_all(f"bpf_iter_{target}", 12)
        for function in found:
            wrong += _compare(env, AttachType.TRACE_ITER, target, len(function.type.params))
    assert not wrong, "\n".join(wrong)


def test_tracepoints(oracle, env):
    wrong = []
    for name in ("kfree_skb", "sched_pi_setprio", "tcp_send_reset", "qdisc_dequeue", "sched_switch"):
        for typedef in env.btf.find_all(f"btf_trace_{name}", 8):
            wrong += _compare(env, AttachType.TRACE_RAW_TP, name, len(typedef.stripped.type.stripped.params) - 1)
    assert not wrong, "\n".join(wrong)
