"""Probes against what the running kernel shows by other ways: its BTF, its own refusals, bpftool."""

from __future__ import annotations

import json
import shutil
import subprocess

import pytest

from pybpf import NotSupportedError, SpecError, features
from pybpf.uapi import AttachType, Cmd, LinkType, MapType, ProgType

ENUMS = {
    "have_program_type": ProgType,
    "have_map_type": MapType,
    "have_command": Cmd,
    "have_attach_type": AttachType,
    "have_link_type": LinkType,
}


@pytest.fixture(autouse=True)
def fresh():
    features.forget()
    yield
    features.forget()


@pytest.mark.kernel
@pytest.mark.parametrize("name", ENUMS)
def test_probes_leave_nothing_behind(name, fd_count):
    have = getattr(features, name)
    have(1)
    before = fd_count()
    answers = {member.name: have(member) for member in ENUMS[name]}
    assert fd_count() == before
    assert any(answers.values())


@pytest.mark.kernel
def test_what_every_kernel_has():
    assert features.have_program_type(ProgType.SOCKET_FILTER)
    assert features.have_map_type(MapType.HASH)
    assert features.have_command(Cmd.PROG_LOAD)
    assert features.have_command(Cmd.OBJ_PIN)
    assert features.have_attach_type(AttachType.CGROUP_INET_INGRESS)
    assert features.isa_level() >= 3


@pytest.mark.kernel
def test_what_no_kernel_has():
    assert not features.have_program_type(9999)
    assert not features.have_map_type(9999)
    assert not features.have_command(9999)
    assert not features.have_attach_type(9999)
    assert not features.have_link_type(9999)


@pytest.mark.kernel
def test_nothing_newer_than_the_kernels_own_enums():
    """The kernel's BTF lists the types that it was compiled with; a probe never finds one beyond."""
    if not features.have_btf():
        pytest.skip("the kernel has no BTF")
    from pybpf.btf import Btf

    kernel = Btf.kernel()
    for name, enum in (("bpf_prog_type", ProgType), ("bpf_map_type", MapType), ("bpf_cmd", Cmd)):
        known = set(kernel[name].values.values())
        have = getattr(features, {ProgType: "have_program_type", MapType: "have_map_type", Cmd: "have_command"}[enum])
        assert {int(member) for member in enum if have(member)} <= known


@pytest.mark.kernel
def test_as_bpftool_sees_it():
    if not shutil.which("bpftool"):
        pytest.skip("no bpftool")
    done = subprocess.run(["bpftool", "-j", "feature", "probe", "kernel"], capture_output=True, text=True)
    if done.returncode or not done.stdout:
        pytest.skip(f"bpftool cannot probe here: {done.stderr.strip()[:80]}")
    seen = json.loads(done.stdout)
    differ = {}
    for name, have in seen["program_types"].items():
        member = ProgType.__members__.get(name.removeprefix("have_").removesuffix("_prog_type").upper())
        if member is not None and features.have_program_type(member) != have:
            differ[member.name] = have
    for name, have in seen["map_types"].items():
        member = MapType.__members__.get(name.removeprefix("have_").removesuffix("_map_type").upper())
        if member is not None and features.have_map_type(member) != have:
            differ[member.name] = have
    # bpftool probes tracing by a function, which some kernels refuse while they take a tracepoint.
    differ.pop("TRACING", None)
    assert differ == {}


@pytest.mark.kernel
@pytest.mark.parametrize(
    ("prog_type", "helper", "allowed"),
    [
        (ProgType.XDP, "bpf_redirect_map", True),
        (ProgType.XDP, "skb_load_bytes", False),
        (ProgType.SOCKET_FILTER, "skb_load_bytes", True),
        (ProgType.SOCKET_FILTER, "redirect_map", False),
        (ProgType.RAW_TRACEPOINT, "get_current_comm", True),
        (ProgType.CGROUP_SOCK_ADDR, "bind", True),
    ],
)
def test_helpers_by_program_type(prog_type, helper, allowed):
    assert features.have_helper(prog_type, helper) is allowed


@pytest.mark.kernel
def test_a_helper_may_depend_on_the_attach_type():
    assert features.have_helper(ProgType.CGROUP_SOCK_ADDR, "bind", AttachType.CGROUP_INET4_CONNECT)
    assert not features.have_helper(ProgType.CGROUP_SOCK_ADDR, "bind", AttachType.CGROUP_INET4_BIND)


@pytest.mark.kernel
def test_answers_are_kept(monkeypatch):
    assert features.have_map_type(MapType.HASH)
    monkeypatch.setattr("pybpf.features.maps.map_type", lambda _: pytest.fail("asked again"))
    assert features.have_map_type(MapType.HASH)


def test_the_error_names_feature_and_first_kernel(monkeypatch):
    monkeypatch.setattr("pybpf.features.maps.map_type", lambda _: False)
    with pytest.raises(NotSupportedError) as caught:
        features.require(features.have_map_type, MapType.RINGBUF)
    assert caught.value.since == "5.8"
    assert str(caught.value) == "map type RINGBUF is not supported here (needs Linux 5.8 or newer)"


def test_the_error_for_a_helper(monkeypatch):
    monkeypatch.setattr("pybpf.features.programs.program_helper", lambda *_: False)
    with pytest.raises(NotSupportedError, match=r"bpf_ringbuf_output in XDP programs is not supported here.*5\.8"):
        features.require(features.have_helper, ProgType.XDP, "ringbuf_output")


@pytest.mark.parametrize("link_type", LinkType)
def test_the_error_for_a_link(monkeypatch, link_type):
    monkeypatch.setattr("pybpf.features.attach.link_type", lambda _: False)
    with pytest.raises(NotSupportedError, match=f"link type {link_type.name} is not supported here"):
        features.require(features.have_link_type, link_type)


def test_unknown_names():
    with pytest.raises(SpecError, match="bpf_make_tea"):
        features.have_helper(ProgType.XDP, "make_tea")
    with pytest.raises(SpecError, match="EXT"):
        features.have_helper(ProgType.EXT, "map_lookup_elem")
    with pytest.raises(SpecError, match="may_goto"):
        features.have_instruction("hcf")


def test_config_is_read(monkeypatch, tmp_path):
    from pybpf.features import host

    monkeypatch.setattr(host, "_config", None)
    monkeypatch.setattr(host, "_read_config", lambda: {"CONFIG_BPF": "y", "CONFIG_LSM": "bpf"})
    assert host.kernel_config("BPF") == "y"
    assert host.kernel_config("CONFIG_LSM") == "bpf"
    assert host.kernel_config("NO_SUCH_OPTION") is None


@pytest.mark.kernel
def test_config_of_this_kernel():
    try:
        assert features.kernel_config("CONFIG_BPF_SYSCALL") == "y"
    except NotSupportedError as why:
        pytest.skip(str(why))


@pytest.mark.kernel
def test_report_has_a_remedy_for_all_that_is_wrong():
    findings = features.report()
    assert {"bpf(2)", "CAP_BPF", "BTF", "bpffs", "locked memory"} <= {f.name for f in findings}
    assert all(f.remedy for f in findings if f.state == "no")
