"""Declarations, decorators and structures that are written wrong: an error of our tree that says what there is."""

from __future__ import annotations

import pytest

from pybpf import (
    Array,
    ArrayOfMaps,
    BpfError,
    CompileError,
    ConversionError,
    Global,
    HashMap,
    KindError,
    MapSpec,
    ProgArray,
    ProgramSpec,
    RingBuf,
    SpecError,
    StackTrace,
    Struct,
    kfunc,
    program,
    subprogram,
    tracepoint,
    u8,
    u32,
    u64,
    uprobe,
    write_elf,
    xdp,
)


def f(ctx):
    return 2


OPTIONS = "name, flags, contents, frozen, pinning, numa_node, map_extra, ifindex"


class Pair(Struct):
    a: u32
    b: u8


def with_default():
    class Limits(Struct):
        most: u32 = 5


def declare(**annotations):
    return type(Struct)("Limits", (Struct,), {"__annotations__": annotations, "__module__": __name__})


def without_fields():
    class Nothing(Struct):
        pass

    HashMap(u32, Nothing, max_entries=1)


WRONG = [
    (lambda: HashMap(u32), KindError, "HashMap needs value and max_entries: HashMap(key, value, max_entries)"),
    (lambda: HashMap(u32, u64, max_entires=4), KindError, "HashMap has no option 'max_entires'; did you mean max_entries?"),
    (lambda: HashMap(u32, u64, u8, max_entries=4), KindError, "HashMap was given max_entries twice"),
    (lambda: HashMap(u32, u64, 4, 5), KindError,
     "HashMap takes 3 arguments by position, 4 given: HashMap(key, value, max_entries)"),
    (lambda: HashMap(int, u64, max_entries=4), SpecError,
     "<class 'int'> is not a type: use u8..u64, s8..s64, be16..be64, char[n], u32[n] or a Struct"),
    (lambda: HashMap(u32, u64, 4, name=5), KindError, "map 5: name is 5, expected a text"),
    (lambda: HashMap(u32, u64, 4, contents=5), KindError, "HashMap: 'int' object is not iterable"),
    (lambda: HashMap(u32, u64, 4, contents=[1]), SpecError,
     "map (unnamed): 1 among its contents is no pair (key, value)"),
    (lambda: Array(u32, max_entires=4), KindError, "Array has no option 'max_entires'; did you mean max_entries?"),
    (lambda: Array(u32), SpecError,
     "Array takes (value, max_entries=n) or (key, value, max_entries=n); 1 types given, max_entries=None"),
    (lambda: ArrayOfMaps(u32, max_entries=4), KindError,
     "map (unnamed): inner is u32, expected the declaration of a map, which the maps inside are like"),
    (lambda: ProgArray(), KindError, "ProgArray needs max_entries: ProgArray(max_entries)"),
    (lambda: RingBuf(max_entries=4096), KindError,
     f"RingBuf has no option 'max_entries'; it takes event, size, {OPTIONS}"),
    (lambda: StackTrace(), KindError, "StackTrace needs max_entries: StackTrace(max_entries, depth=...)"),
    (lambda: Global(u32, 1 << 40), ConversionError, "1099511627776 does not fit u32 (0..4294967295)"),
    (lambda: MapSpec(1, keysize=4), KindError, "MapSpec has no option 'keysize'; did you mean key_size?"),
    (lambda: ProgramSpec([], progtype=6), KindError, "ProgramSpec has no option 'progtype'; did you mean prog_type?"),
    (lambda: xdp(licence="GPL")(f), KindError, "@xdp has no option 'licence'; did you mean license?"),
    (lambda: xdp(sleepabel=True)(f), KindError,
     "@xdp has no option 'sleepabel'; it takes name, license, kernel, isa, attach_to, flags, source, ifindex"),
    (lambda: xdp(kernel=6.1)(f), SpecError, "kernel=6.1: expected a version such as '6.1'"),
    (lambda: xdp(license=None)(f), KindError, "@xdp: license is None, expected a text"),
    (lambda: xdp(flags="x")(f), KindError, "@xdp: flags is 'x', expected a number"),
    (lambda: tracepoint("a/b", "c/d")(f), KindError, "@tracepoint takes one target, and was given 'a/b' and 'c/d'"),
    (lambda: uprobe("/bin/sh", "main")(f), KindError,
     "@uprobe takes one target, and was given '/bin/sh' and 'main': write '/bin/sh:main' as one"),
    (lambda: program("xdp")(f), KindError,
     "@program takes a ProgType and an AttachType, not 'xdp': from pybpf.uapi import ProgType"),
    (lambda: xdp(source=5)(f), KindError, "@xdp: source is 5, expected a text"),
    (lambda: xdp(source="def f(ctx) return 2")(f).insns, CompileError,
     "the text that source= gave is not Python: expected ':' (<source>, line 1)"),
    (lambda: xdp(source="def g(ctx): return 2")(f).insns, CompileError,
     f"the text that source= gave has no function f that begins at line {f.__code__.co_firstlineno}"),
    (lambda: subprogram(5), KindError, "@subprogram takes a function made with def, and not 5"),
    (lambda: kfunc(5), KindError, "kfunc takes the name of a function of the kernel, and not 5"),
    (lambda: kfunc("bpf_task_release")(5), SpecError,
     "bpf_task_release is a function of the kernel: it is called inside a program only"),
    (lambda: u8("x"), ConversionError, "u8('x'): invalid literal for int() with base 10: 'x'"),
    (lambda: len(HashMap(u32, u64, max_entries=4, name="m")), SpecError,
     "m: a HashMap is a declaration and holds nothing; the live map is prog[m] after `prog = load(...)`, and vm[m] offline"),
    (lambda: write_elf(None, f), SpecError,
     "function is no program: expected a ProgramSpec or a decorated function (a classic filter becomes one by to_ebpf())"),
    (lambda: list(u8), TypeError, "'Scalar' object is not iterable"),
    (lambda: list(u8[2]), TypeError, "'Array' object is not iterable"),
    (lambda: list(Pair), TypeError, "'_StructMeta' object is not iterable"),
    (lambda: Pair(c=1), ConversionError, "Pair has no field 'c'; it has a, b"),
    (lambda: Pair(1, 2, 3), ConversionError, "Pair has 2 fields, 3 values given"),
    (lambda: Pair(b="x"), ConversionError, "b of Pair does not take 'x': 'str' object cannot be interpreted as an integer"),
    (with_default, SpecError,
     "Limits.most = 5: a field has no default, and begins as zero: give the value where one is made, Limits(most=5)"),
    (lambda: declare(most="u33"), SpecError, "u33 is not defined; did you mean u32?"),
    (lambda: declare(most="'u32['"), SpecError, "'u32[' is not a type: '[' was never closed (<string>, line 1)"),
    (without_fields, SpecError,
     "value <class 'tests.test_misuse.without_fields.<locals>.Nothing'> has no bytes: give it fields"),
]  # fmt: skip


@pytest.mark.parametrize(("call", "kind", "text"), WRONG, ids=[text[:40] for *_, text in WRONG])
def test_told_in_words_of_the_caller(call, kind, text):
    with pytest.raises(kind) as caught:
        call()
    assert isinstance(caught.value, BpfError) == (kind is not TypeError)
    assert getattr(caught.value, "message", str(caught.value)) == text
