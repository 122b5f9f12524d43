"""BPF objects in ELF files: `open_elf` takes in what clang or gcc made, `write_elf` gives out what any loader takes.

    obj = open_elf("xdp_filter.o")
    obj["drop_udp"], obj.programs, obj.maps          specs: to verify, run offline, edit, load

Reading is own code on `struct` (`file.py`), as light as the rest of the way to a loaded program; the tests compare
it with pyelftools.
"""

from __future__ import annotations

from ..lazy import exports

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .object import ElfProgram as ElfProgram
    from .object import ObjectSpec as ObjectSpec
    from .reader import open_elf as open_elf
    from .writer import write_elf as write_elf

_HOME = {"ElfProgram": "object", "ObjectSpec": "object", "open_elf": "reader", "write_elf": "writer"}

__all__ = tuple(_HOME)

__getattr__ = exports(__name__, _HOME)
