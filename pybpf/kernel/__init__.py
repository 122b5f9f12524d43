"""The kernel's rules as data: contexts, helpers, maps, return values, section names, for several kernels.

    rules = kernel.rules("6.18")                        # or 5.10, 6.1, 6.12, 7.2, or the file of `pybpf probe`
    xdp = rules.program(ProgType.XDP)
    xdp.context.fields["data"].offset                   # 0
    xdp.context.load(0, 4)                              # "pkt": what 4 bytes at offset 0 are; None = refused
    xdp.allows("redirect_map")                          # True
    kernel.helper("map_lookup_elem").args               # what the verifier wants of each argument

What differs between kernels was asked of running kernels by `pybpf probe` and stands in `linux_*.py`.  What a kernel cannot
be asked (which argument is the size of which buffer, what is acquired and released) stands in `signatures.py` by hand,
and the tests compare it with the kernel's own messages.  Nothing here asks a kernel, but for `trace_events`, which
reads the formats of trace events where tracefs is mounted.
"""

from __future__ import annotations

from ..lazy import exports

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .context import Context as Context
    from .context import Field as Field
    from .sections import Section as Section
    from .sections import find_section as find_section
    from .sections import section_name as section_name
    from .signatures import Arg as Arg
    from .signatures import HelperRules as HelperRules
    from .signatures import helper as helper
    from .tables import MapRules as MapRules
    from .tables import ProgRules as ProgRules
    from .tables import Rules as Rules
    from .tables import callers as callers
    from .tables import rules as rules
    from .versions import since as since

KERNELS = ("5.10", "6.1", "6.12", "6.18", "7.2")
"""The kernels that there are tables for."""

DEFAULT = "6.18"
"""The kernel that rules are taken from when none is named."""

_HOME = {
    **dict.fromkeys(("Context", "Field"), "context"),
    **dict.fromkeys(("MapRules", "ProgRules", "Rules", "callers", "rules"), "tables"),
    **dict.fromkeys(("Section", "find_section", "section_name"), "sections"),
    **dict.fromkeys(("Arg", "HelperRules", "helper"), "signatures"),
    "since": "versions",
}

__all__ = ("KERNELS", "DEFAULT", *_HOME)  # noqa: PLE0604 (the table above is the one list of public names)

__getattr__ = exports(__name__, _HOME)
