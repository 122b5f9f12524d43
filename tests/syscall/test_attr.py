"""The packed attributes agree with the complete definitions of union bpf_attr, field by field."""

import ctypes
import struct

import pytest

from pybpf import uapi
from pybpf.syscall import btf, maps, objects, progs

CASES = {
    "map create": (maps.CREATE, uapi.MapCreateAttr),
    "map element": (maps.ELEM, uapi.MapElemAttr),
    "map batch": (maps.BATCH, uapi.MapBatchAttr),
    "prog load": (progs.LOAD, uapi.ProgLoadAttr),
    "prog run": (progs.RUN, uapi.ProgRunAttr),
    "prog attach": (progs.ATTACH, uapi.ProgAttachAttr),
    "prog query": (progs.QUERY, uapi.ProgQueryAttr),
    "bind map": (progs.BIND_MAP, uapi.ProgBindMapAttr),
    "stream read": (progs.STREAM_READ, uapi.StreamReadAttr),
    "assoc struct_ops": (progs.ASSOC_STRUCT_OPS, uapi.AssocStructOpsAttr),
    "obj pin": (objects.OBJ, uapi.ObjAttr),
    "get id": (objects.GET_ID, uapi.GetIdAttr),
    "info": (objects.INFO, uapi.InfoAttr),
    "raw tracepoint": (objects.RAW_TRACEPOINT, uapi.RawTracepointAttr),
    "task fd query": (objects.TASK_QUERY, uapi.TaskFdQueryAttr),
    "link update": (objects.LINK_CHANGE, uapi.LinkUpdateAttr),
    "iter create": (objects.ITER, uapi.IterCreateAttr),
    "token create": (objects.TOKEN, uapi.TokenCreateAttr),
    "btf load": (btf.LOAD, uapi.BtfLoadAttr),
}


def leaves(type_, base=0):
    """(offset, size) of each plain field; of a union, its first member."""
    fields = type_._fields_[:1] if issubclass(type_, ctypes.Union) else type_._fields_
    for name, field, *_ in fields:
        at = base + getattr(type_, name).offset
        if name.startswith("_pad"):
            continue
        if issubclass(field, (ctypes.Structure, ctypes.Union)):
            yield from leaves(field, at)
        else:
            yield at, ctypes.sizeof(field)


def places(layout):
    """(offset, size) of each value of a struct format."""
    offset, count = 0, ""
    for letter in layout.format[1:]:
        if letter.isdigit():
            count += letter
            continue
        size = struct.calcsize("=" + letter)
        if letter in "sx":
            if letter == "s":
                yield offset, int(count)
            offset += int(count or 1)
        else:
            for _ in range(int(count or 1)):
                yield offset, size
                offset += size
        count = ""


@pytest.mark.parametrize("name", CASES)
def test_layout(name):
    layout, reference = CASES[name]
    assert list(places(layout)) == list(leaves(reference))
    assert layout.size == ctypes.sizeof(reference)


def test_link_create_prefix():
    assert list(places(objects.LINK)) == list(leaves(uapi.LinkCreateAttr))[:4]


def test_log_fields_of_a_load():
    fields = uapi.ProgLoadAttr
    assert (fields.log_level.offset, fields.log_true_size.offset) == (progs._LOG_AT, progs._LOG_TRUE_SIZE_AT)
    assert fields.log_size.offset == progs._LOG_AT + 4
    assert fields.log_buf.offset == progs._LOG_AT + 8


def test_commands_are_the_kernels():
    for module in (maps, progs, objects, btf):
        for name, value in vars(module).items():
            if name in uapi.Cmd.__members__:
                assert uapi.Cmd[name] == value
