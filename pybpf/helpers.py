"""The kernel's helpers by name, for use inside programs: `from pybpf import helpers as bpf`, `bpf.ktime_get_ns()`.

Arguments are those of the C prototypes without the sizes of buffers, which are told by their types, and with trailing flags
left out when they are 0: `bpf.get_current_comm(event.comm)`, `bpf.probe_read_user_str(event.filename, ctx.filename)`.
The full list of arguments is taken as well.  A helper that the program's type or the target kernel lacks is a CompileError.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .dsl.lower.helpercalls import Helper


def __getattr__(name: str) -> Helper:
    from .uapi.helper_names import HELPER_NAMES

    if name not in HELPER_NAMES:
        from difflib import get_close_matches

        near = get_close_matches(name, HELPER_NAMES, 1)
        raise AttributeError(f"no helper is named {name!r}" + (f"; did you mean {near[0]}?" if near else ""))
    from .dsl.lower.helpercalls import Helper

    found = globals()[name] = Helper(name)
    return found


def __dir__() -> list[str]:
    from .uapi.helper_names import HELPER_NAMES

    return sorted(HELPER_NAMES[1:])
