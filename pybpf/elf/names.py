"""What sections are called, and what that makes of them."""

from __future__ import annotations

MAPS, LEGACY_MAPS = ".maps", "maps"
KCONFIG, KSYMS = ".kconfig", ".ksyms"
STRUCT_OPS = (".struct_ops", ".struct_ops.link", "?.struct_ops", "?.struct_ops.link")
ARENA_DATA = ".addr_space.1"
"""Variables that clang was told to put in address space 1: they live at the beginning of the arena."""
DATA = (".data", ".rodata", ".bss")


def is_data(name: str) -> bool:
    """Whether a section's variables become a map."""
    return any(name == base or name.startswith(base + ".") for base in DATA)
