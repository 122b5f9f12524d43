"""`main` of every example, as somebody who types the command of its first lines runs it, for a moment."""

from __future__ import annotations

import errno
import signal
import time
from pathlib import Path

import pytest

from pybpf import NotSupportedError, pcap_filter
from pybpf.events.reader import Reader
from pybpf.links.perf import pmu_type

pytestmark = pytest.mark.kernel

EXAMPLES = sorted(file.stem for file in (Path(__file__).resolve().parents[2] / "examples").glob("*.py"))
# Arguments; {here} and {there} are interfaces, {cgroup} a cgroup.
ARGUMENTS = {
    **dict.fromkeys(("base_rtt", "bypass_tcp", "cgroup_traffic", "device_policy", "no_ping"), "{cgroup}"),
    **dict.fromkeys(("syn_timeout", "sysctl_guard", "sockopt_guard"), "{cgroup}"),
    **dict.fromkeys(("icmp_echo", "mark_dns", "spread_over_cpus", "tc_both_ways", "token_bucket"), "{here}"),
    **dict.fromkeys(("vlan_push_pop", "xdp_to_tc", "xsk_receive"), "{here}"),
    "redirect_connect": "{cgroup} 4 5",
    "config_map": "0 hello",
    "count_and_drop": "{here} swap",
    "drop_ports": "{here} 53 54",
    "lpm_firewall": "{here} 10.0.0.0/8",
    "lwt_encap": "198.51.100.0/24 {here} 10.0.0.1 10.0.0.2",
    "pcap_predicate": "{here} icmp",
    "port_range": "39100 39110",
    "redirect_devmap": "{here} {there}",
    "reuseport_by_size": "0",
    "splice_sockets": "0 127.0.0.1 9",
    "unkillable": "1",
    "xdp_pass_drop": "{here} drop",
    "xdp_router": "{here} {there}",
    "xsk_reply": "{here} 4000",
}
# The loader leaves its program behind, which the reader then finds; the test of both is in test_net_examples.py.
TOGETHER = ("xdp_loader", "xdp_stats")


# These wait for something else than events or the clock.
WAITING = ("hello", "port_range", "reuseport_by_size", "splice_sockets", "syscall_table", "xsk_receive", "xsk_reply")


class Enough(BaseException):
    """The example has run for a moment."""


def enough(*_):
    raise Enough


@pytest.fixture
def places(pairs, request):
    class Places(dict):
        def __missing__(self, name):
            self[name] = request.getfixturevalue("cgroup") if name == "cgroup" else pairs().name
            return self[name]

    return Places()


def lacks(name: str) -> str:
    """Why an example cannot run here; "" when it can."""
    try:
        if name in ("packets_in_the_stack", "read_counter", "vfs_read_latency"):
            pmu_type("kprobe")
        if name == "pcap_predicate":
            pcap_filter("ip")
    except NotSupportedError as error:
        return str(error)
    active = Path("/sys/kernel/security/lsm")
    if name == "unkillable" and not (active.exists() and "bpf" in active.read_text().split(",")):
        return "bpf is not among the security modules of this kernel"
    return ""


@pytest.mark.parametrize("name", [name for name in EXAMPLES if name not in TOGETHER])
def test_main(example, name, places, tracefs, monkeypatch, capsys):
    if why := lacks(name):
        pytest.skip(why)
    module = example(name)
    words = ARGUMENTS.get(name, "").format_map(places).split()
    monkeypatch.setattr(time, "sleep", enough)
    monkeypatch.setattr(Reader, "__iter__", enough)
    before = signal.signal(signal.SIGALRM, enough)
    signal.setitimer(signal.ITIMER_REAL, 3 if name in WAITING else 60)
    try:
        module.main(*words)
    except Enough:
        pass
    except OSError as error:
        if error.errno != errno.EBUSY or name != "hello":
            raise
        pytest.skip("somebody else reads the trace pipe")
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert "Traceback" not in capsys.readouterr().err
