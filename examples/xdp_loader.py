"""Attach a program of a Python file to an interface and leave it there, by pinning: the XDP tutorial's xdp_loader.

A file may have several programs.  Its maps are pinned too, under their names, where xdp_stats.py and others find them.

Needs root and a bpffs: sudo python xdp_loader.py IFACE FILE PROGRAM, or sudo python xdp_loader.py IFACE --unload
"""

import runpy
import shutil
import sys
from pathlib import Path

from pybpf import load

ROOT = Path("/sys/fs/bpf")


def place(interface: str) -> Path:
    return ROOT / f"xdp-{interface}"


def attach(interface: str, spec) -> None:
    """Attach, and pin the link and the maps: they stay when this process ends."""
    directory = place(interface)
    with load(spec) as prog, prog.attach(interface) as link:
        directory.mkdir()
        try:
            link.pin(str(directory / "link"))
            for name, live in prog.maps.items():
                live.pin(str(directory / name))
        except BaseException:
            unload(interface)
            raise


def unload(interface: str) -> None:
    """Remove the pins; the link goes with its last one, and the program with it."""
    shutil.rmtree(place(interface))


def main(interface: str, file: str, name: str = "") -> None:
    if file == "--unload":
        unload(interface)
    else:
        attach(interface, runpy.run_path(file)[name])


if __name__ == "__main__":
    main(*sys.argv[1:])
