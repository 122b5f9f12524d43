"""The parts of the guest runner that need no guest; and, as a slow test, a guest."""

from __future__ import annotations

import lzma
import shutil
import subprocess

import pytest

from tools.guests import boot, images


def module(path, depends, name):
    """A file with the one string of a module's .modinfo that the runner reads."""
    content = b"\x7fELF\0name=" + name.encode() + b"\0depends=" + depends.encode() + b"\0"
    path.mkdir(parents=True, exist_ok=True)
    if depends:
        (path / f"{name}.ko.xz").write_bytes(lzma.compress(content))
    else:
        (path / f"{name}.ko").write_bytes(content)
    return content


def test_modules_come_after_what_they_depend_on(tmp_path):
    base = module(tmp_path / "kernel/net", "", "nine-net")
    top = module(tmp_path / "kernel/fs", "nine-net,built_in", "nine")
    found = list(images._with_dependencies(tmp_path, ("nine", "absent", "nine-net")))
    assert found == [("nine_net", base), ("nine", top)]


def test_the_initial_file_system_is_a_cpio_archive(tmp_path):
    cpio = shutil.which("busybox")
    if cpio is None:
        pytest.skip("no busybox to read the archive with")
    archive = b"".join(images._cpio([("bin", 0o040755, b""), ("bin/tool", 0o100755, b"12345")]))
    subprocess.run([cpio, "cpio", "-i"], cwd=tmp_path, input=archive, check=True, capture_output=True)
    assert (tmp_path / "bin/tool").read_bytes() == b"12345"
    assert (tmp_path / "bin/tool").stat().st_mode & 0o777 == 0o755


def test_the_kernel_inside_a_boot_image_is_unpacked():
    elf = b"\x7fELF" + bytes(1000)
    assert images._uncompressed(b"stub" + lzma.compress(elf) + b"trailer") == elf
    assert images._uncompressed(b"no archive in it") == b"no archive in it"


def test_versions_are_ordered_by_number():
    assert images._version("linux-image-6.12.9+deb13-amd64") < images._version("linux-image-6.12.117+deb13-amd64")


def test_an_unknown_kernel_is_named():
    with pytest.raises(images.ImageUnavailable, match=r"no kernel '2\.4'.*5\.10"):
        images.image("2.4")


@pytest.mark.slow
@pytest.mark.parametrize("kernel", images.KERNELS)
def test_a_guest_runs_a_command(kernel, tmp_path):
    try:
        images.image(kernel)
    except images.ImageUnavailable as why:
        pytest.skip(str(why))
    result = boot.run(kernel, 'echo out; echo err >&2; echo left > "$GUEST_SHARE/kept"; exit 7', share=tmp_path)
    assert (result.status, result.stdout, result.stderr) == (7, "out\n", "err\n")
    assert (tmp_path / "kept").read_text() == "left\n"


@pytest.mark.slow
def test_a_guest_that_hangs_is_ended(tmp_path):
    try:
        images.image("6.1")
    except images.ImageUnavailable as why:
        pytest.skip(str(why))
    assert boot.run("6.1", "sleep 1000", share=tmp_path, timeout=15).status == 124
