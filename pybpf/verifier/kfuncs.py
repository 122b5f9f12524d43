"""Calls of kernel functions (kfuncs), whose arguments BTF describes."""

from __future__ import annotations

from .reject import Reject, Unsure

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .explore import Run
    from .state import State


def call_kfunc(run: Run, state: State, slot: int) -> int:
    """A call of a kernel function."""
    name = run.program.kfuncs.get(slot)
    if name is None:  # refused in the end, when the call was reached: dead code may hold such calls
        run.empty_kfunc = slot
        return slot + 1
    if name not in run.setting.program_rules.kfuncs:
        raise Reject(
            "helper", f"calling kernel function {name} is not allowed", hint="this program type may not call it"
        )
    raise Unsure(f"calls of the kernel function {name} are not modelled", hint="load the program to ask the kernel")
