"""The rules as data: what a table says, how it is asked, and what is said of what it lacks."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from pybpf import kernel
from pybpf.errors import NotSupportedError, SpecError
from pybpf.kernel.context import allows
from pybpf.uapi import AttachType, MapFlags, MapType, ProgType

TABLES = [
    name for name in kernel.KERNELS if (Path(kernel.__file__).parent / f"linux_{name.replace('.', '_')}.py").exists()
]


def test_there_is_a_table_for_every_kernel():
    assert list(kernel.KERNELS) == TABLES


@pytest.mark.parametrize("version", TABLES)
def test_facts_that_all_kernels_share(version):
    rules = kernel.rules(version)
    assert rules.version == version
    xdp = rules.program(ProgType.XDP)
    assert xdp.context.name == "xdp_md"
    assert [xdp.context.load(at, 4) for at in (0, 4, 8, 12)] == ["pkt", "pkt_end", "pkt_meta", "scalar"]
    assert xdp.context.load(2, 4) is None
    assert not xdp.context.store(0, 4)
    assert xdp.packet == "rw"
    assert xdp.test_run
    assert xdp.allows("bpf_redirect_map")
    assert not xdp.allows("skb_store_bytes")
    skb = rules.program(ProgType.SOCKET_FILTER)
    assert skb.packet == ""
    assert skb.allows("skb_load_bytes")
    assert skb.context.store(48, 4)
    assert rules.program(ProgType.CGROUP_SKB, AttachType.CGROUP_INET_INGRESS).returns == (0, 1)
    assert rules.program(ProgType.CGROUP_SKB, AttachType.CGROUP_INET_EGRESS).returns == (0, 3)
    assert rules.gpl_only("trace_printk")
    assert not rules.gpl_only("map_lookup_elem")
    assert rules.map_allows(MapType.RINGBUF, "ringbuf_output")
    assert not rules.map_allows(MapType.HASH, "ringbuf_output")
    assert rules.map_allows(MapType.DEVMAP, "redirect_map")
    assert rules.map_allows(MapType.PROG_ARRAY, "tail_call")
    assert rules.map(MapType.ARRAY).key_sizes == (4, 4, 1)
    assert rules.map(MapType.LPM_TRIE).required_flags == MapFlags.NO_PREALLOC
    assert rules.map(MapType.RINGBUF).entries == "pages"
    assert set(rules.programs_that_call("xdp_adjust_head")) <= {k for k in rules.programs() if k[0] == ProgType.XDP}


def test_newer_kernels_have_more():
    counts = [len(kernel.rules(version).programs()) for version in ("5.10", "6.1", "6.12")]
    assert counts == sorted(counts)
    assert not kernel.rules("5.10").program(ProgType.XDP).allows("xdp_load_bytes")
    assert kernel.rules("6.1").program(ProgType.XDP).allows("xdp_load_bytes")
    assert MapType.ARENA not in kernel.rules("6.1").map_types()
    assert MapType.ARENA in kernel.rules("6.12").map_types()


def test_what_a_kernel_lacks_is_named_with_the_first_that_has_it():
    with pytest.raises(NotSupportedError, match=r"NETFILTER on Linux 6\.1 .*needs Linux 6\.4"):
        kernel.rules("6.1").program(ProgType.NETFILTER)
    with pytest.raises(NotSupportedError, match=r"map type ARENA on Linux 5\.10 .*needs Linux 6\.9"):
        kernel.rules("5.10").map(MapType.ARENA)
    with pytest.raises(NotSupportedError, match="sleepable"):
        kernel.rules("6.18").program(ProgType.XDP, sleepable=True)


def test_what_a_build_lacked_is_answered_from_an_older_release():
    """The 6.18 that was asked had no trampolines and no BPF LSM; every other release did."""
    rules = kernel.rules("6.18")
    assert (ProgType.LSM, AttachType.LSM_MAC, False) not in rules.programs()
    lsm = rules.program(ProgType.LSM, AttachType.LSM_MAC, sleepable=True)
    assert lsm.allows("inode_storage_get")
    assert lsm.allows("ima_file_hash")
    assert rules.map_allows(MapType.INODE_STORAGE, "inode_storage_get")
    assert rules.program(ProgType.TRACING, AttachType.TRACE_FENTRY).returns == (0, 0)


def test_a_program_without_attach_type_is_what_the_kernel_takes_it_for():
    rules = kernel.rules()
    assert rules.program(ProgType.XDP).attach_type == AttachType.XDP
    assert "egress_ifindex" not in rules.program(ProgType.XDP).context.fields
    assert "egress_ifindex" in rules.program(ProgType.XDP, AttachType.XDP_DEVMAP).context.fields
    assert rules.program(ProgType.CGROUP_SOCK, 0).attach_type == AttachType.CGROUP_INET_SOCK_CREATE


@pytest.mark.parametrize(("asked", "given"), [("6.18.3", "6.18"), ("6.14", "6.12"), ("9.9", "7.2"), (None, "6.18")])
def test_the_nearest_older_table_stands_for_a_version(asked, given):
    assert kernel.rules(asked).version == given


def test_what_is_not_a_version_or_a_table_is_refused(tmp_path):
    with pytest.raises(SpecError, match="not a kernel version"):
        kernel.rules("newest")
    with pytest.raises(NotSupportedError, match="oldest kernel with a table is"):
        kernel.rules("4.19")
    file = tmp_path / "table.py"
    for text in ("", "import os", "TABLE = 1", "TABLE = open('x')", "TABLE = {", "TABLE = {'a': 1}"):
        file.write_text(text)
        kernel.tables._loaded.clear()
        with pytest.raises(SpecError, match="not a table"):
            kernel.rules(str(file))


def test_a_file_of_a_users_own_kernel_is_read(tmp_path):
    file = tmp_path / "mine.py"
    file.write_text(Path(kernel.__file__).with_name("linux_6_18.py").read_text())
    assert kernel.rules(str(file)).program(ProgType.XDP).context.load(0, 4) == "pkt"


def test_helpers_are_found_by_id_and_by_either_name():
    assert kernel.helper(1) is kernel.helper("map_lookup_elem") is kernel.helper("bpf_map_lookup_elem")
    with pytest.raises(SpecError, match="did you mean 'map_lookup_elem'"):
        kernel.helper("map_lookup_elm")
    with pytest.raises(SpecError, match="no helper has the id 9999"):
        kernel.helper(9999)


def test_every_helper_has_a_signature_that_fits_its_prototype():
    from pybpf.uapi import HELPER_PROTOS

    for number in range(1, 212):
        rules = kernel.helper(number)
        declared = [arg for arg in HELPER_PROTOS[number][1] if arg[0] != "..."]
        # Trailing flags that the verifier does not look at are missing from some, the packet of tc from this one.
        if rules.name != "get_cgroup_classid":
            assert not any(type_.endswith("*") for type_, _ in declared[len(rules.args) :]), rules
        for arg, (type_, _) in zip(rules.args, declared, strict=False):
            pointer = type_.endswith("*")
            if arg.kind in ("ctx", "map", "key", "value", "mem", "fixed", "lock", "timer", "str", "record"):
                assert pointer, (rules, arg)
            if arg.kind in ("size", "size0"):
                assert not pointer, (rules, arg)
                assert rules.args[arg.memory_arg].kind == "mem", (rules, arg)
        returns = HELPER_PROTOS[number][0]
        assert (rules.returns not in ("int", "void")) == (
            returns.endswith("*") and "task" not in returns
        ) or rules.name in (
            "get_current_task_btf",
            "task_pt_regs",
        ), (rules, returns)


def test_arguments_of_a_helper():
    lookup = kernel.helper("map_lookup_elem")
    assert [arg.kind for arg in lookup.args] == ["map", "key"]
    assert (lookup.returns, lookup.returns_null) == ("value", True)
    read = kernel.helper("probe_read_kernel")
    assert read.args[0].writes
    assert not read.args[0].reads
    assert read.args[0].size_arg == 1
    assert kernel.helper("sk_release").args[0].releases
    assert kernel.helper("sk_lookup_tcp").acquires
    assert kernel.helper("skb_store_bytes").changes_packet
    assert [a.kind for a in kernel.helper("sk_assign", ProgType.SK_LOOKUP).args] == ["ctx", "socket", "any"]


@pytest.mark.parametrize(
    ("pattern", "accepted", "refused"),
    [
        ("", (), ((0, 4), (0, 1))),
        ("full", ((0, 4), (4, 4)), ((2, 4), (0, 2), (0, 8))),
        ("narrow", ((0, 4), (3, 1), (2, 2)), ((1, 2), (0, 8))),
        ("full 0:8", ((0, 4), (0, 8)), ((0, 2), (8, 8))),
        ("any", ((1, 4), (3, 2)), ((15, 2),)),
    ],
)
def test_patterns_of_access(pattern, accepted, refused):
    assert all(allows(pattern, at, width, 4, 4) for at, width in accepted)
    assert not any(allows(pattern, at, width, 4, 4) for at, width in refused)


@pytest.mark.parametrize("version", TABLES)
def test_tables_say_where_they_come_from_and_hold_data_only(version):
    text = (Path(kernel.__file__).parent / f"linux_{version.replace('.', '_')}.py").read_text()
    assert "pybpf probe" in text.split("\n", 1)[0]
    assert ast.literal_eval(ast.parse(text).body[-1].value)["version"] == version
