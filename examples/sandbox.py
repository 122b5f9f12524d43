"""Run a command that can use no network: a seccomp policy, shown, tried offline, and put in force.

Needs no privileges: python sandbox.py COMMAND...   (without a command it prints the filter)
"""

import errno
import os
import socket
import sys

from pybpf import install_seccomp
from pybpf.cbpf import Seccomp, SeccompData
from pybpf.cbpf.seccomp import Action, arg, fail

policy = (
    Seccomp(Action.ALLOW)
    .rule("socket", Action.ALLOW, arg(0) == socket.AF_UNIX)
    .rule("socket", fail(errno.EACCES))
    .rule("ptrace", Action.KILL_PROCESS)
)


def offline() -> dict[str, str]:
    """What the policy would do, without asking the kernel."""
    calls = {"unix": ("socket", (socket.AF_UNIX,)), "inet": ("socket", (socket.AF_INET,)), "ptrace": ("ptrace", ())}
    return {name: policy.run(SeccompData(*call))[0].name for name, call in calls.items()}


def main(*command: str) -> None:
    if not command:
        print(policy)
        print(offline())
        return
    install_seccomp(policy)
    os.execvp(command[0], command)


if __name__ == "__main__":
    main(*sys.argv[1:])
