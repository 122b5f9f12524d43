"""What a kernel refuses because it is too old for it is told so, with the first kernel that has it."""

from __future__ import annotations

import pytest

from pybpf import (
    Arena,
    BloomFilter,
    NotSupportedError,
    ProgramSpec,
    UserRingBuf,
    VerifierError,
    asm,
    features,
    load,
    u64,
)
from pybpf.uapi import AttachType, MapType, ProgType

pytestmark = pytest.mark.kernel


def program(text, prog_type, attach_type=None):
    return ProgramSpec(asm.assemble(text), prog_type, expected_attach_type=attach_type)


RETURNS_1 = "r0 = 1\nexit"


@pytest.mark.parametrize(
    ("spec", "have", "number", "text"),
    [
        (
            UserRingBuf(u64, size=4096),
            features.have_map_type,
            MapType.USER_RINGBUF,
            "map type USER_RINGBUF.*Linux 6.1 ",
        ),
        (Arena(pages=4), features.have_map_type, MapType.ARENA, "map type ARENA.*Linux 6.9 "),
        (BloomFilter(u64, max_entries=8), features.have_map_type, MapType.BLOOM_FILTER, "BLOOM_FILTER.*Linux 5.16 "),
        (
            program(RETURNS_1, ProgType.NETFILTER, AttachType.NETFILTER),
            features.have_program_type,
            ProgType.NETFILTER,
            "program type NETFILTER.*Linux 6.4 ",
        ),
        (
            program(RETURNS_1, ProgType.CGROUP_SOCK_ADDR, AttachType.CGROUP_UNIX_CONNECT),
            features.have_attach_type,
            AttachType.CGROUP_UNIX_CONNECT,
            "attach type CGROUP_UNIX_CONNECT.*Linux 6.7 ",
        ),
    ],
)
def test_types(spec, have, number, text):
    if have(number):
        load(spec).close()
        return
    with pytest.raises(NotSupportedError, match=text):
        load(spec)


@pytest.mark.parametrize(
    ("text", "has", "hint"),
    [
        (
            "r0 = 1\nr1 = 3\nr0 s/= r1\nexit",
            lambda: features.isa_level() >= 4,
            "does not know signed division (Linux 6.6)",
        ),
        (
            "r0 = 1\n*(u64 *)(r10 - 8) = 1\nr0 = atomic_fetch_or((u64 *)(r10 - 8), r0)\nexit",
            lambda: features.have_instruction("atomic_fetch"),
            "does not know atomic operations (Linux 5.12)",
        ),
        (
            "call bpf_get_current_cgroup_id\nexit",
            lambda: features.have_helper(ProgType.SOCKET_FILTER, "get_current_cgroup_id"),
            "came with Linux 4.18; not every program type has it",
        ),
        (
            "call bpf_jiffies64\nr0 = 0\nexit",
            lambda: features.have_helper(ProgType.SOCKET_FILTER, "jiffies64"),
            "came with Linux 5.5",
        ),
    ],
)
def test_instructions_and_helpers(text, has, hint):
    spec = program(text, ProgType.SOCKET_FILTER)
    if has():
        load(spec).close()
        return
    with pytest.raises(VerifierError) as caught:
        load(spec)
    assert hint in caught.value.hint


def test_a_wrong_program_has_no_such_hint():
    with pytest.raises(VerifierError) as caught:
        load(program("r0 = r5\nexit", ProgType.SOCKET_FILTER))
    assert caught.value.hint == ""


def test_helpers_that_a_type_never_has():
    with pytest.raises(NotSupportedError, match=r"no kernel lets XDP programs call it.*Linux 5\.18"):
        features.require(features.have_helper, ProgType.XDP, "get_retval")
