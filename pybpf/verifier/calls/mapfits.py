"""Maps and helpers that go together."""

from __future__ import annotations

from ...kernel.helper_facts import (
    MAPS_OF,
    UPDATES_SOCKMAPS,
)
from ...uapi.attach import AttachType
from ...uapi.map import MapType
from ...uapi.prog import ProgType
from ..reject import Reject

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..explore import Run
    from .arguments import Meta


def check_map_fits(run: Run, meta: Meta) -> None:
    """The helper takes maps of this type, and the map's type has no helpers of its own that it excludes."""
    target = meta.map
    if target is None:
        return
    name = meta.helper.name
    if target.type in (MapType.SOCKMAP, MapType.SOCKHASH) and name in ("map_update_elem", "map_delete_elem"):
        kind = run.setting.prog_type
        iterates = kind == ProgType.TRACING and run.setting.attach_type == AttachType.TRACE_ITER
        if (
            kind not in UPDATES_SOCKMAPS
            and not iterates
            and not (kind == ProgType.SOCK_OPS and name == "map_delete_elem")
        ):
            raise Reject("argument", f"cannot pass map_type {target.type} into func bpf_{name}#{meta.helper.id}")
        return
    types = MAPS_OF.get(name)
    if target.type not in types if types is not None else not run.setting.rules.map_allows(target.type, meta.helper.id):
        raise Reject(
            "argument",
            f"cannot pass map_type {target.type} into func bpf_{meta.helper.name}#{meta.helper.id}",
            hint=f"bpf_{meta.helper.name} does not work on {map_name(target.type)} maps",
        )


def map_name(number: int) -> str:
    return MapType(number).name if number in list(MapType) else str(number)
