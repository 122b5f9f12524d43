"""The offline machine: runs and unit-tests programs in pure Python, with the kernel's semantics, on any OS.

machine.py      VM: programs, maps and the world they see        run.py      one execution
image.py        a program made ready to run                      memory.py   typed regions and their addresses
isa.py          what each operation computes                     interp.py   the plain interpreter
flow.py ranges.py translate.py                                   the translator to Python source
context/        what r1 points to, by program type               helpers/    models of the kernel's helpers
maps/ views.py  offline maps, and their typed views              environment.py sockets.py  what a test sets
"""

from __future__ import annotations

from .environment import Environment, Route
from .machine import VM
from .memory import MemoryFault
from .result import Result, TraceLine
from .sockets import PseudoSocket

__all__ = ("VM", "Environment", "MemoryFault", "PseudoSocket", "Result", "Route", "TraceLine")
