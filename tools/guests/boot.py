"""Run one command in a guest: the host's root is there read-only below a layer that is gone afterwards.

qemu emulates (TCG); KVM is never asked for, so this works wherever qemu does.
"""

from __future__ import annotations

import ctypes
import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from . import images

APPEND = (
    "console=ttyS0 panic=-1 quiet loglevel=4 mitigations=off random.trust_cpu=on "
    "lsm=lockdown,capability,landlock,yama,bpf"
)
_PR_SET_PDEATHSIG = 1

# Emulated, about one boot in a hundred hangs or dies before the command begins: it is tried again.
BOOTS = 3
BOOT_SECONDS = 90.0

LATE, DIED = 124, 125


class Result(NamedTuple):
    """What a command did: its exit `status` (`LATE` when time ran out, `DIED` when the guest ended without one)."""

    status: int
    stdout: str
    stderr: str
    console: str
    seconds: float


def run(
    kernel: str,
    command: Sequence[str] | str,
    *,
    share: Path | None = None,
    cwd: Path | None = None,
    env: dict[str, str] | None = None,
    timeout: float = 300,
    memory: int = 1024,
    cpus: int = 2,
    watch: Callable[[Path], None] | None = None,
) -> Result:
    """Boot `kernel` and run `command` (words, or a line for the shell) as root in `cwd`.

    `share` is a directory that the guest sees, writable, as /run/guest (GUEST_SHARE): what it leaves there stays.
    `watch` is called several times a second with that directory.  `timeout` is in seconds, boot included; `memory`
    in MiB.
    """
    with tempfile.TemporaryDirectory(prefix="guest-") as scratch:
        share = share or Path(scratch)
        line = command if isinstance(command, str) else shlex.join(command)
        exports = {"GUEST_SHARE": "/run/guest", "GUEST_KERNEL": kernel, "PYTHONDONTWRITEBYTECODE": "1", **(env or {})}
        script = [f"export {key}={shlex.quote(value)}" for key, value in exports.items()]
        tree = str(cwd or Path.cwd())
        (share / "tree").write_text(tree)
        script += [f"cd {shlex.quote(tree)}", line]
        (share / "command").write_text("\n".join(script) + "\n")
        image, initrd = images.image(kernel), Path(scratch) / "initrd"
        initrd.write_bytes((image / "initrd").read_bytes() + images.init_archive())
        started = time.monotonic()
        for _ in range(BOOTS):
            for stale in ("started", "stdout", "stderr", "status"):
                (share / stale).unlink(missing_ok=True)
            left = timeout - (time.monotonic() - started)
            with (Path(scratch) / "console").open("wb") as console:
                ended = _qemu(image, initrd, share, console.fileno(), left, memory, cpus, watch)
            if (share / "started").exists() or time.monotonic() - started >= timeout:
                break
        seconds = time.monotonic() - started

        def text(path: Path) -> str:
            return path.read_text(errors="replace") if path.exists() else ""

        status = text(share / "status").strip()
        return Result(
            int(status) if status else (DIED if ended else LATE),
            text(share / "stdout"),
            text(share / "stderr"),
            text(Path(scratch) / "console"),
            seconds,
        )


def _qemu(
    image: Path,
    initrd: Path,
    share: Path,
    console: int,
    timeout: float,
    memory: int,
    cpus: int,
    watch: Callable[[Path], None] | None,
) -> bool:
    """True when the guest ended by itself within `timeout`; the command must begin within `BOOT_SECONDS`."""
    qemu = shutil.which("qemu-system-x86_64")
    if qemu is None:
        raise images.ImageUnavailable("there is no qemu-system-x86_64 here (apt-get install qemu-system-x86)")
    local = "local,security_model=none,multidevs=remap"
    # One thread for all CPUs: with more, a kernel that patches its own code dies at times (int3 in a static key).
    machine = f"-machine pc -accel tcg,thread=single -cpu max -m {memory} -smp {cpus} -no-reboot"
    process = subprocess.Popen(
        [
            *(qemu, "-nodefaults", "-no-user-config", "-display", "none", "-serial", "stdio", *machine.split()),
            *("-kernel", image / "kernel", "-initrd", initrd, "-append", APPEND),
            *("-virtfs", f"{local},path=/,mount_tag=host,readonly=on"),
            *("-virtfs", f"{local},path={share},mount_tag=share"),
            *("-device", "virtio-rng-pci"),
        ],
        stdin=subprocess.DEVNULL,
        stdout=console,
        stderr=console,
        preexec_fn=_die_with_parent,
    )
    begun = time.monotonic()
    deadline = begun + timeout
    try:
        while time.monotonic() < deadline:
            try:
                process.wait(0.2)
                return True
            except subprocess.TimeoutExpired:
                if watch:
                    watch(share)
                if time.monotonic() - begun > BOOT_SECONDS and not (share / "started").exists():
                    return False
        return False
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


def _die_with_parent() -> None:
    """Runs in the child: when this process is killed, its guest goes with it."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def echo() -> Callable[[Path], None]:
    """A `watch` that copies what the guest's command writes to this process's own output, as it appears."""
    seen = {"stdout": 0, "stderr": 0}

    def watch(share: Path) -> None:
        for name, stream in (("stdout", sys.stdout), ("stderr", sys.stderr)):
            path = share / name
            if path.exists() and path.stat().st_size > seen[name]:
                with path.open("rb") as file:
                    file.seek(seen[name])
                    fresh = file.read()
                seen[name] += len(fresh)
                stream.flush()
                os.write(stream.fileno(), fresh)

    return watch
