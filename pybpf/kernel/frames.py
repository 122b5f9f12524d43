"""Places in code, as stack traces name them."""

from __future__ import annotations

from bisect import bisect_right
from typing import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence


class Frame(NamedTuple):
    """A place in code: `name` is the function ("" when unknown), `offset` the distance from its beginning.

    `module` is the kernel module or the mapped file; where no function is known, `offset` counts from that.
    """

    address: int
    name: str
    offset: int
    module: str

    def __str__(self) -> str:
        where = f" [{self.module}]" if self.module else ""
        return f"{self.name or hex(self.address)}+{self.offset:#x}{where}"


def frame_in(address: int, starts: Sequence[int], names: Sequence[tuple[str, str]]) -> Frame:
    """The function that contains an address, of those that begin at `starts`, with `(name, module)` of each."""
    at = bisect_right(starts, address) - 1
    if at < 0:
        return Frame(address, "", 0, "")
    name, module = names[at]
    return Frame(address, name, address - starts[at], module)
