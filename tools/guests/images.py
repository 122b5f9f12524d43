"""Kernels to boot: fetched from the Debian mirror this machine already uses, and kept in `.cache/guests`.

An image is a directory with `kernel` (an ELF vmlinux or a bzImage), `initrd`, `config` and `release`.
apt runs with a sources list and a state of its own, so nothing of the machine's changes.
"""

from __future__ import annotations

import fcntl
import lzma
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

CACHE = Path(__file__).resolve().parents[2] / ".cache" / "guests"
KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")


class Kernel(NamedTuple):
    """Which package holds a kernel: the newest whose name matches `package` in `suites`."""

    suites: tuple[str, ...]
    package: str


KERNELS = {
    "5.10": Kernel(("bullseye", "bullseye-security"), r"linux-image-5\.10\.0-\d+-amd64"),
    "6.1": Kernel(("bookworm", "bookworm-security"), r"linux-image-6\.1\.0-\d+-amd64"),
    "6.12": Kernel(("trixie", "trixie-security"), r"linux-image-6\.12\.[\d.]+\+deb13[\d.]*-amd64"),
    # The newest kernel of sid, whichever it is by now.
    "7.2": Kernel(("sid",), r"linux-image-[7-9]\.\d+\.\d+\+deb\d+-amd64"),
}

# Loaded by the guest's init, with what they depend on; those that a kernel has built in or lacks are passed over.
BOOT_MODULES = ("virtio_pci", "9pnet_virtio", "9p", "overlay", "virtio_rng")
TEST_MODULES = (
    *("veth", "dummy", "tun", "ifb", "netkit", "sch_ingress", "cls_bpf", "cls_matchall", "act_bpf"),
    *(
        "rc-loopback",
        "ir-nec-decoder",
        "nf_defrag_ipv4",
        "nf_defrag_ipv6",
        "tls",
        "uhid",
        "hid-generic",
        "mpls_iptunnel",
    ),
    *("xsk_diag", "tcp_dctcp", "tcp_nv", "crc32c_generic", "nf_conntrack"),
)


class ImageUnavailable(Exception):
    """A kernel that cannot be had here; says why."""


def image(name: str) -> Path:
    """The directory of a kernel's image, made when it is not there yet.  ImageUnavailable when it cannot be."""
    if name not in KERNELS:
        raise ImageUnavailable(f"no kernel {name!r}: there are {', '.join(KERNELS)}")
    target = CACHE / name
    with (_made(CACHE) / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (target / "release").exists():
            with tempfile.TemporaryDirectory(dir=CACHE) as scratch:
                _build(KERNELS[name], Path(scratch), target)
    return target


def _build(kernel: Kernel, scratch: Path, target: Path) -> None:
    root = _made(scratch / "root")
    for package in _download(kernel, scratch):
        _run("dpkg-deb", "-x", package, root)
    modules = next(root.glob("**/lib/modules/*-amd64"))
    config = next(iter([*root.glob("boot/config-*"), *modules.glob("config")]))
    boot = next(iter([*root.glob("boot/vmlinuz-*"), *modules.glob("vmlinuz")]))
    made = _made(scratch / "image")
    # Emulated, unpacking the kernel in its boot stub takes longer than the rest of the boot.
    (made / "kernel").write_bytes(_uncompressed(boot.read_bytes()))
    (made / "initrd").write_bytes(_initrd(modules, config))
    (made / "config").write_bytes(config.read_bytes())
    (made / "release").write_text(modules.name + "\n")
    shutil.rmtree(target, ignore_errors=True)
    made.rename(target)


# -- packages -----------------------------------------------------------------------------------------------------


def mirrors() -> tuple[str, str]:
    """Base addresses of the main and the security archive that this machine's own apt uses."""
    texts = [
        path.read_text(errors="replace")
        for path in [Path("/etc/apt/sources.list"), *sorted(Path("/etc/apt/sources.list.d").glob("*"))]
        if path.is_file()
    ]
    addresses = re.findall(r"(?m)^(?!#).*?\b(https?://\S+)", "\n".join(texts))
    main = next((a.rstrip("/") for a in addresses if a.rstrip("/").endswith("/debian")), None)
    if main is None:
        raise ImageUnavailable("the machine's apt has no Debian archive among its sources")
    security = (a.rstrip("/") for a in addresses if a.rstrip("/").endswith("/debian-security"))
    return main, next(security, f"{main}-security")


def _download(kernel: Kernel, scratch: Path) -> list[Path]:
    """The .deb files of the newest such kernel, fetched into `scratch`."""
    if not shutil.which("apt-get"):
        raise ImageUnavailable("there is no apt-get here")
    main, security = mirrors()
    signed = f"[signed-by={KEYRING}] " if KEYRING.exists() else ""
    sources = [f"deb {signed}{security if s.endswith('-security') else main} {s} main" for s in kernel.suites]
    state = _made(scratch / "apt")
    (state / "sources.list").write_text("\n".join(sources) + "\n")
    (state / "status").touch()
    for directory in ("lists/partial", "archives/partial"):
        _made(state / directory)
    settings = {
        "Dir::State": state,
        "Dir::State::lists": state / "lists",
        "Dir::State::status": state / "status",
        "Dir::Cache": state,
        "Dir::Etc::sourcelist": state / "sources.list",
        "Dir::Etc::sourceparts": "/dev/null",
        "Dir::Etc::preferencesparts": "/dev/null",
        "APT::Architecture": "amd64",
        "APT::Sandbox::User": "root",
        "Acquire::Languages": "none",
        "Acquire::Retries": "3",
    }
    options = [word for key, value in settings.items() for word in ("-o", f"{key}={value}")]
    _run("apt-get", *options, "-q", "update")
    names = _run("apt-cache", *options, "pkgnames", "linux-image-").split()
    found = sorted((n for n in names if re.fullmatch(kernel.package, n)), key=_version)
    if not found:
        raise ImageUnavailable(f"no package {kernel.package} in {', '.join(kernel.suites)}")
    # Since 7.x the image is split into linux-binary-, linux-modules- and linux-base-.
    parts = re.findall(
        r"Depends: (linux-(?:binary|modules|base)-\d\S*)", _run("apt-cache", *options, "depends", found[-1])
    )
    debs = _made(scratch / "debs")
    _run("apt-get", *options, "-q", "download", found[-1], *parts, cwd=debs)
    return sorted(debs.glob("*.deb"))


def _version(package: str) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", package)]


# -- the kernel ---------------------------------------------------------------------------------------------------


def _uncompressed(boot: bytes) -> bytes:
    """The ELF kernel inside a bzImage, which boots by PVH; the bzImage itself where nothing here unpacks it."""
    xz, zstd = boot.find(b"\xfd7zXZ\0"), boot.find(b"\x28\xb5\x2f\xfd")
    if xz >= 0:
        return lzma.LZMADecompressor().decompress(boot[xz:])
    if zstd >= 0 and shutil.which("zstd"):
        # It complains about what follows the compressed kernel, after writing all of it.
        elf = subprocess.run(["zstd", "-dcq"], input=boot[zstd:], capture_output=True).stdout
        return elf if elf.startswith(b"\x7fELF") else boot
    return boot


# -- the initial file system --------------------------------------------------------------------------------------


def _initrd(modules: Path, config: Path) -> bytes:
    """A cpio archive: busybox, and the modules in the order in which they load."""
    busybox = shutil.which("busybox")
    if busybox is None:
        raise ImageUnavailable("there is no busybox here (apt-get install busybox-static)")
    files = {
        "bin/busybox": (0o755, Path(busybox).read_bytes()),
        "config": (0o644, config.read_bytes()),
    }
    for number, (name, content) in enumerate(_with_dependencies(modules, BOOT_MODULES + TEST_MODULES)):
        files[f"modules/{number:02}-{name}.ko"] = (0o644, content)
    directories = ["bin", "modules", "proc", "sys", "dev", "host", "new", "rw", "share"]
    entries = [(name, 0o040755, b"") for name in directories]
    entries += [(name, 0o100000 | mode, content) for name, (mode, content) in files.items()]
    return b"".join(_cpio(entries))


def init_archive() -> bytes:
    """The init script beside this file, as an archive of its own: the kernel takes several, one behind the other."""
    return b"".join(_cpio([("init", 0o100755, (Path(__file__).parent / "init.sh").read_bytes())]))


def _with_dependencies(modules: Path, wanted: tuple[str, ...]) -> Iterator[tuple[str, bytes]]:
    """(name, ELF bytes) of modules, each after those that its .modinfo names; what is built in is not there."""
    files = {path.name.split(".ko")[0].replace("-", "_"): path for path in modules.rglob("*.ko*")}
    done: set[str] = set()

    def visit(name: str) -> Iterator[tuple[str, bytes]]:
        if name in done or name not in files:
            return
        done.add(name)
        raw = files[name].read_bytes()
        content = lzma.decompress(raw) if files[name].suffix == ".xz" else raw
        depends = re.search(rb"\0depends=([^\0]*)\0", content)
        for other in depends[1].decode().split(",") if depends else ():
            yield from visit(other.replace("-", "_"))
        yield name, content

    for name in wanted:
        yield from visit(name.replace("-", "_"))


def _cpio(entries: list[tuple[str, int, bytes]]) -> Iterator[bytes]:
    """A "newc" archive of (name, mode, content), as the kernel's Documentation/early-userspace describes it."""
    for inode, (name, mode, content) in enumerate([*entries, ("TRAILER!!!", 0, b"")], 1):
        fields = (inode, mode, 0, 0, 1, 0, len(content), 0, 0, 0, 0, len(name) + 1, 0)
        head = b"070701" + b"".join(b"%08x" % field for field in fields) + name.encode() + b"\0"
        yield head + bytes(-len(head) % 4) + content + bytes(-len(content) % 4)


# -- small tools --------------------------------------------------------------------------------------------------


def _made(path: Path) -> Path:
    path.mkdir(parents=True, exist_ok=True)
    return path


def _run(*words: object, cwd: Path | None = None) -> str:
    command = [str(word) for word in words]
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=600)
    if done.returncode:
        raise ImageUnavailable(f"{command[0]} failed: {(done.stderr or done.stdout).strip()[-500:]}")
    return done.stdout
