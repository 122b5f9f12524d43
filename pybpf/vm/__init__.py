"""The offline machine: runs and unit-tests programs in pure Python, with the kernel's semantics, on any OS.

machine.py   VM: programs, maps and the world they see      run.py        one execution
image.py     a program made ready to run                    memory.py     typed regions and their addresses
isa.py       what each operation computes                   interp.py     the plain interpreter
translate.py to Python functions, from flow.py (blocks), ranges.py and emit.py (text), structure.py (loops)
context/     what r1 points to, by program type             helpers/      models of the kernel's helpers
maps/        offline maps; mapset.py: those of a machine        views.py, handles.py  what `vm[packets]` gives
arena.py     which instructions reach an arena              kernelobjects.py  structures of the kernel
environment.py, sockets.py  what a test sets                capture.py    packets from pcap files
result.py, testrun.py       what a run gives back, and takes  coverage.py   which instructions and lines have run
"""

from __future__ import annotations

from .environment import Connection, Environment, Route, Task
from .machine import VM
from .memory import MemoryFault
from .result import Result, TraceLine
from .sockets import PseudoSocket

__all__ = ("VM", "Connection", "Environment", "MemoryFault", "PseudoSocket", "Result", "Route", "Task", "TraceLine")
