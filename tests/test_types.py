"""Values and types that do not go together are refused, with one class of error, naming both."""

from __future__ import annotations

import ipaddress

import pytest

from pybpf import BpfError, ConversionError, Struct, be16, char, u32, u64
from pybpf.types import codec


class Hits(Struct):
    hits: u64
    name: char[8]


@pytest.mark.parametrize(
    ("type_", "value", "text"),
    [
        (u32, -1, "-1 does not fit u32 (0..4294967295)"),
        (u32, 1 << 32, "4294967296 does not fit u32 (0..4294967295)"),
        (u32, "x", "'x' is not an integer; expected u32"),
        (u32, 1.5, "1.5 is not an integer; expected u32"),
        (be16, 70000, "70000 does not fit be16 (0..65535)"),
        (char[4], "abcde", "5 bytes given, char[4] holds 4"),
        (char[4], 5, "5 does not convert to char[4]: memoryview: a bytes-like object is required, not 'int'"),
        (u32[2], (1,), "1 items given, u32[2] holds 2"),
        (u32[2], 5, "5 does not convert to u32[2]: 'int' object is not iterable"),
        (u32[2], (1, -1), "-1 does not fit u32 (0..4294967295)"),
        (8, b"1", "1 bytes given, 8 expected"),
        (Hits, 5, "5 is not a Hits"),
        (Hits, {"hist": 1}, "Hits has no field 'hist'; it has hits, name"),
        (Hits, {"name": b"123456789"}, "bytes too long (9, maximum length 8)"),
        (ipaddress.IPv4Address, "1.2.3", "'1.2.3' does not convert to IPv4Address: Expected 4 octets in '1.2.3'"),
    ],
)
def test_refused(type_, value, text):
    with pytest.raises(ConversionError) as caught:
        codec(type_).pack(value)
    assert str(caught.value).endswith(text)
    assert isinstance(caught.value, (BpfError, TypeError, ValueError, OverflowError))


def test_misspelt_fields():
    event = Hits(hits=1)
    for attempt in (lambda: Hits(hist=1), lambda: setattr(event, "hist", 1)):
        with pytest.raises(AttributeError, match=r"Hits('| has| object)+ no (field|attribute) 'hist'"):
            attempt()
    assert not hasattr(event, "__dict__")
