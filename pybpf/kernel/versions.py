"""The first kernel that has a program type, map type, attach type, helper or command.

The kernel only ever appends to these enums, so a release is known by the last number that it added; the numbers
come from the UAPI headers of the releases.  What is newer than the tables has no entry.
"""

from __future__ import annotations

from bisect import bisect_left

from ..errors import SpecError

# kind -> ((last number, release that added it), ...), in order of the numbers.
_LAST: dict[str, tuple[tuple[int, str], ...]] = {
    "prog": (
        (1, "3.19"),
        (4, "4.1"),
        (5, "4.7"),
        (6, "4.8"),
        (7, "4.9"),
        (12, "4.10"),
        (13, "4.13"),
        (14, "4.14"),
        (15, "4.15"),
        (18, "4.17"),
        (20, "4.18"),
        (21, "4.19"),
        (22, "4.20"),
        (24, "5.2"),
        (25, "5.3"),
        (26, "5.5"),
        (28, "5.6"),
        (29, "5.7"),
        (30, "5.9"),
        (31, "5.14"),
        (32, "6.4"),
    ),
    "map": (
        (2, "3.19"),
        (3, "4.2"),
        (4, "4.3"),
        (7, "4.6"),
        (8, "4.8"),
        (10, "4.10"),
        (11, "4.11"),
        (13, "4.12"),
        (15, "4.14"),
        (16, "4.15"),
        (18, "4.18"),
        (20, "4.19"),
        (23, "4.20"),
        (24, "5.2"),
        (25, "5.4"),
        (26, "5.6"),
        (27, "5.8"),
        (28, "5.10"),
        (29, "5.11"),
        (30, "5.16"),
        (31, "6.1"),
        (32, "6.2"),
        (33, "6.9"),
        (34, "6.19"),
        (35, "7.2"),
    ),
    "attach": (
        (2, "4.10"),
        (3, "4.13"),
        (5, "4.14"),
        (6, "4.15"),
        (13, "4.17"),
        (16, "4.18"),
        (17, "4.20"),
        (20, "5.2"),
        (22, "5.3"),
        (25, "5.5"),
        (27, "5.7"),
        (33, "5.8"),
        (37, "5.9"),
        (38, "5.13"),
        (40, "5.14"),
        (41, "5.15"),
        (42, "5.18"),
        (43, "6.0"),
        (45, "6.4"),
        (48, "6.6"),
        (55, "6.7"),
        (56, "6.10"),
        (57, "6.13"),
        (58, "7.0"),
        (61, "7.2"),
    ),
    "helper": (
        (3, "3.19"),
        (11, "4.1"),
        (16, "4.2"),
        (22, "4.3"),
        (25, "4.4"),
        (26, "4.5"),
        (30, "4.6"),
        (36, "4.8"),
        (41, "4.9"),
        (44, "4.10"),
        (45, "4.11"),
        (47, "4.12"),
        (50, "4.13"),
        (53, "4.14"),
        (57, "4.15"),
        (59, "4.16"),
        (64, "4.17"),
        (80, "4.18"),
        (83, "4.19"),
        (90, "4.20"),
        (92, "5.0"),
        (98, "5.1"),
        (108, "5.2"),
        (110, "5.3"),
        (115, "5.5"),
        (118, "5.6"),
        (124, "5.7"),
        (135, "5.8"),
        (141, "5.9"),
        (155, "5.10"),
        (162, "5.11"),
        (163, "5.12"),
        (165, "5.13"),
        (168, "5.14"),
        (175, "5.15"),
        (179, "5.16"),
        (185, "5.17"),
        (193, "5.18"),
        (203, "5.19"),
        (207, "6.0"),
        (209, "6.1"),
        (211, "6.2"),
    ),
    "cmd": (
        (5, "3.18"),
        (7, "4.4"),
        (9, "4.10"),
        (10, "4.12"),
        (15, "4.13"),
        (16, "4.15"),
        (17, "4.17"),
        (20, "4.18"),
        (21, "4.20"),
        (22, "5.2"),
        (23, "5.4"),
        (27, "5.6"),
        (29, "5.7"),
        (33, "5.8"),
        (34, "5.9"),
        (35, "5.10"),
        (36, "6.9"),
        (37, "6.17"),
        (38, "7.0"),
    ),
}

KINDS = tuple(_LAST)


def since(kind: str, number: int) -> str | None:
    """The first kernel that has something, "5.8" for example.

    `kind` is "prog", "map", "attach", "helper" or "cmd", `number` its value in the kernel's enum.  None for what is
    newer than the tables, and for 0 of the types, which stands for nothing.  SpecError for another kind.
    """
    if kind not in _LAST:
        raise SpecError(f"{kind!r} is no kind of feature: there are {', '.join(KINDS)}")
    rows = _LAST[kind]
    if number <= 0 and kind in ("prog", "map", "helper"):
        return None
    place = bisect_left(rows, (number, ""))
    return rows[place][1] if number >= 0 and place < len(rows) else None
