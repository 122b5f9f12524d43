"""Helpers by name and by number."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

_ids: Mapping[str, int] | None = None


def helper_id(name: str) -> int | None:
    """The number of a helper, named as in C (`bpf_map_lookup_elem`) or without the prefix; None when there is none."""
    global _ids
    if _ids is None:
        from ..uapi.helper_names import HELPER_NAMES

        _ids = {helper: number for number, helper in enumerate(HELPER_NAMES)}
    return _ids.get(name.removeprefix("bpf_"))


def helper_name(number: int) -> str | None:
    """The name of a helper as in C; None when this number is not known."""
    from ..uapi.helper_names import HELPER_NAMES

    return f"bpf_{HELPER_NAMES[number]}" if 0 <= number < len(HELPER_NAMES) else None
