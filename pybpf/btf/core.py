"""CO-RE: what a program's view of kernel types becomes on the kernel that it meets.

A relocation names a type of the program's own BTF, a path into it ("0:2:1"), and what the compiler wants to know: an
offset, a size, whether it exists.  The path is read as names in the local type (`parse`), followed by name in each type
of the same essential name in the target (`follow`), and both sides are
asked (`field_value` and its like).

The rules are those that libbpf and kernel/bpf/btf.c share: names are compared without their "___flavour"; candidates
that disagree are an error; what no candidate has is 0, or poison for what a value is needed of.
"""

from __future__ import annotations

from enum import IntEnum

from ..errors import BtfError
from .kinds import Kind
from .match import core_kinds, essential, fields_compatible, types_compatible, types_match
from .types import Array, Enum, Int, Struct, Type

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .btf import Btf


class Relo(IntEnum):
    """What is asked (`enum bpf_core_relo_kind`)."""

    FIELD_BYTE_OFFSET = 0
    FIELD_BYTE_SIZE = 1
    FIELD_EXISTS = 2
    FIELD_SIGNED = 3
    FIELD_LSHIFT_U64 = 4
    FIELD_RSHIFT_U64 = 5
    TYPE_ID_LOCAL = 6
    TYPE_ID_TARGET = 7
    TYPE_EXISTS = 8
    TYPE_SIZE = 9
    ENUMVAL_EXISTS = 10
    ENUMVAL_VALUE = 11
    TYPE_MATCHES = 12


MAX_PATH = 64
_TYPE_RELOS = frozenset({Relo.TYPE_ID_LOCAL, Relo.TYPE_ID_TARGET, Relo.TYPE_EXISTS, Relo.TYPE_SIZE, Relo.TYPE_MATCHES})
_ENUM_RELOS = frozenset({Relo.ENUMVAL_EXISTS, Relo.ENUMVAL_VALUE})


class Step:
    """One step of a path: a member (`name`, `index` in struct `type`), or an element (`name` None, of type `type`)."""

    __slots__ = ("index", "name", "type")

    def __init__(self, type: Type, index: int, name: str | None = None) -> None:
        self.type, self.index, self.name = type, index, name


class Path:
    """A path read in some BTF: its `root` type, its named `steps`, and the `bits` from the start of the root."""

    __slots__ = ("bits", "root", "steps")

    def __init__(self, root: Type) -> None:
        self.root = root
        self.steps: list[Step] = []
        self.bits = 0


class Answer:
    """A relocation resolved: `old` is what the compiler wrote, `new` what it becomes, or `poison`.

    `validate` says whether `old` must stand in the instruction; `old_size` and `new_size` are those of the field where
    a load or store may be widened, `resizable` whether it may.
    """

    __slots__ = ("new", "new_size", "old", "old_size", "poison", "resizable", "validate")

    def __init__(self) -> None:
        self.old = self.new = self.old_size = self.new_size = 0
        self.poison = False
        self.validate = True
        self.resizable = True


def describe(kind: int, local: Btf, type_id: int, access: str) -> str:
    """A relocation in words: 'byte offset of struct task_struct.pid (0:52)'."""
    name = Relo(kind).name.lower().replace("_", " ") if kind in Relo.__members__.values() else f"kind {kind}"
    try:
        root = local.type(type_id)
        path = parse(kind, root, access)
        text = str(root)
        for step in path.steps[1:] if kind not in _ENUM_RELOS else path.steps:
            text += f".{step.name}" if step.name is not None else f"[{step.index}]"
    except BtfError:
        text = f"type {type_id}"
    return f"{name} of {text} ({access})"


class Resolver:
    """Answers relocations of types in `local` for the kernel whose types are `target`; equal questions are asked once."""

    def __init__(self, local: Btf, target: Btf) -> None:
        self.local = local
        self.target = target
        self._answers: dict[tuple[int, int, str], Answer] = {}
        self._candidates: dict[tuple[int, str], list[Type]] = {}

    def resolve(self, kind: int, type_id: int, access: str) -> Answer:
        """The answer to one relocation.  BtfError names the type, field and access string when there is none."""
        key = kind, type_id, access
        if key not in self._answers:
            try:
                self._answers[key] = self._resolve(kind, type_id, access)
            except BtfError as error:
                what = describe(kind, self.local, type_id, access)
                raise BtfError(f"CO-RE relocation, {what}: {error}") from None
        return self._answers[key]

    def _resolve(self, kind: int, type_id: int, access: str) -> Answer:
        root = self.local.type(type_id)
        if kind not in Relo.__members__.values():
            raise BtfError(f"relocation kind {kind} is not known")
        path = parse(kind, root, access)
        if kind == Relo.TYPE_ID_LOCAL:
            answer = Answer()
            answer.old = answer.new = root.id
            answer.validate = False
            return answer
        name = root.kind, root.name
        if name not in self._candidates:
            self._candidates[name] = candidates(root, self.target) or self._in_modules(root)
        return _decide(kind, path, self._candidates[name])

    def _in_modules(self, root: Type) -> list[Type]:
        """What the running kernel itself lacks may be in one of its modules."""
        btf = type(self.target)
        if self.target is not btf._kernel or not root.name:
            return []
        return [t for name in btf.kernel_modules() for t in candidates(root, btf.of_module(name))]


def candidates(root: Type, target: Btf) -> list[Type]:
    """The target's types that may stand for `root`: of its kind, and its name but for flavours."""
    name = essential(root.name)
    if not name:
        return []
    found = map(target.type, target.flavours(name))
    return [t for t in found if core_kinds(root, t) and essential(t.name) == name]


def _decide(kind: int, path: Path, found: list[Type]) -> Answer:
    first: tuple[Path, Answer] | None = None
    for candidate in found:
        there = follow(kind, path, candidate)
        if there is None:
            continue
        answer = _answer(kind, path, there)
        if first is None:
            first = there, answer
        elif there.bits != first[0].bits or (answer.poison, answer.new) != (first[1].poison, first[1].new):
            raise BtfError(
                f"ambiguous: {first[0].root} (type {first[0].root.id}) and {candidate} (type {candidate.id}) disagree"
            )
    return first[1] if first else _answer(kind, path, None)


# -- reading a path


def parse(kind: int, root: Type, access: str) -> Path:
    """The path `access` in the local type `root`."""
    try:
        numbers = [int(part) for part in access.split(":")]
    except ValueError:
        numbers = []
    if not numbers or len(numbers) > MAX_PATH or min(numbers) < 0:
        raise BtfError(f"{access!r} is not a path of at most {MAX_PATH} numbers")
    path = Path(root)
    here = root.stripped
    if kind in _TYPE_RELOS:
        if numbers != [0]:
            raise BtfError("a relocation of a type has the path 0")
        return path
    if kind in _ENUM_RELOS:
        if not isinstance(here, Enum) or len(numbers) > 1 or numbers[0] >= here.vlen:
            raise BtfError(f"{root} has no enumerator at that place")
        path.steps.append(Step(here, numbers[0], here.items[numbers[0]][0]))
        return path
    path.steps.append(Step(here, numbers[0]))
    if numbers[0] or len(numbers) == 1:
        path.bits = numbers[0] * here.size * 8
    for number in numbers[1:]:
        here = _enter(path, here, number)
    return path


def _enter(path: Path, here: Type, number: int) -> Type:
    if isinstance(here, Struct):
        if number >= here.vlen:
            raise BtfError(f"{here} has {here.vlen} members, number {number} is asked for")
        member = here.members[number]
        path.bits += member.bit_offset
        if member.name:
            path.steps.append(Step(here, number, member.name))
        return member.type.stripped
    if isinstance(here, Array):
        if number >= here.count and not _flexible(path.steps[-1], here):
            raise BtfError(f"{here} has no element {number}")
        inner = here.element.stripped
        path.steps.append(Step(inner, number))
        path.bits += number * inner.size * 8
        return inner
    raise BtfError(f"{here} has no members, number {number} is asked for")


def _flexible(step: Step, array: Array) -> bool:
    """Whether `array` is the last member of a struct, and open-ended."""
    return step.name is not None and not array.count and step.index == step.type.vlen - 1


# -- following it in the target


def follow(kind: int, local: Path, candidate: Type) -> Path | None:
    """The same path in a candidate, by name; None when it is not there."""
    path = Path(candidate)
    here = candidate.stripped
    if kind == Relo.TYPE_MATCHES:
        return path if types_match(local.root, candidate) else None
    if kind in _TYPE_RELOS:
        return path if types_compatible(local.root, candidate) else None
    if kind in _ENUM_RELOS:
        wanted = essential(local.steps[0].name or "")
        if isinstance(here, Enum):
            for i, (name, _) in enumerate(here.items):
                if essential(name) == wanted:
                    path.steps.append(Step(here, i, name))
                    return path
        return None
    for i, step in enumerate(local.steps):
        if step.name is not None:
            inner = _find_member(step, here, path, 0)
            if inner is None:
                return None
            here = inner
            continue
        if i:  # the first number of a path is an array index without an array
            if not isinstance(here, Array):
                return None
            if step.index >= here.count and not _flexible(path.steps[-1], here):
                return None
            here = here.element.stripped
        path.steps.append(Step(here, step.index))
        if step.index or i or len(local.steps) == 1:
            path.bits += step.index * here.size * 8
    return path


def _find_member(step: Step, here: Type, path: Path, depth: int) -> Type | None:
    """The member of `here` that `step` names, through anonymous structs; `path` is extended when it is found."""
    if not isinstance(here, Struct) or depth > MAX_PATH:
        return None
    for i, member in enumerate(here.members):
        if not member.name:
            path.bits += member.bit_offset
            found = _find_member(step, member.type.stripped, path, depth + 1)
            if found is not None:
                return found
            path.bits -= member.bit_offset
        elif member.name == step.name:
            assert isinstance(step.type, Struct)
            if not fields_compatible(step.type.members[step.index].type, member.type):
                return None
            path.steps.append(Step(here, i, member.name))
            path.bits += member.bit_offset
            return member.type.stripped
    return None


# -- computing answers


class _Poison(Exception):
    """What is asked of a field that is not there has no answer."""


def _answer(kind: int, local: Path, target: Path | None) -> Answer:
    answer = Answer()
    try:
        if kind in _TYPE_RELOS:
            answer.old, answer.new = _type_value(kind, local), _type_value(kind, target)
            answer.validate = kind != Relo.TYPE_ID_TARGET
        elif kind in _ENUM_RELOS:
            answer.old, answer.new = _enum_value(kind, local), _enum_value(kind, target)
        else:
            answer.old, answer.old_size, old_type, answer.validate = field_value(kind, local)
            answer.new, answer.new_size, new_type, _ = field_value(kind, target)
            if answer.old_size != answer.new_size:
                answer.resizable = _resizable(old_type, new_type)
    except _Poison:
        answer.poison = True
    return answer


def _resizable(old: Type | None, new: Type | None) -> bool:
    """A load may become wider or narrower only for pointers (of 32-bit kernels) and unsigned integers."""
    if old is None or new is None:
        return False
    if old.kind == Kind.PTR and new.kind == Kind.PTR:
        return True
    return isinstance(old, Int) and isinstance(new, Int) and not old.signed and not new.signed


def _type_value(kind: int, path: Path | None) -> int:
    if path is None:
        return 0
    if kind == Relo.TYPE_SIZE:
        return path.root.size
    return path.root.id if kind == Relo.TYPE_ID_TARGET else 1


def _enum_value(kind: int, path: Path | None) -> int:
    if kind == Relo.ENUMVAL_EXISTS:
        return int(path is not None)
    if path is None:
        raise _Poison
    step = path.steps[0]
    assert isinstance(step.type, Enum)
    return step.type.items[step.index][1]


def field_value(kind: int, path: Path | None) -> tuple[int, int, Type | None, bool]:
    """(value, size of the field where a load could be resized, its type, whether the instruction must agree)."""
    if kind == Relo.FIELD_EXISTS:
        return int(path is not None), 0, None, True
    if path is None:
        raise _Poison
    last = path.steps[-1]
    if last.name is None:
        size = last.type.size
        if kind == Relo.FIELD_BYTE_OFFSET:
            return path.bits // 8, size, last.type, True
        if kind == Relo.FIELD_BYTE_SIZE:
            return size, 0, None, True
        raise BtfError(f"{Relo(kind).name.lower()} cannot be asked of an element of an array")
    assert isinstance(last.type, Struct)
    member = last.type.members[last.index]
    inner = member.type.stripped
    width = member.bit_size if last.type.kind_flag else 0
    if width:
        size, offset = _bit_field_load(path.bits, width, inner.size)
    else:
        size, offset = inner.size, path.bits // 8
    bits = width or size * 8
    # Compilers place the loads of bit-fields as they like, so what stands in the instruction says nothing.
    exact = not width
    if kind == Relo.FIELD_BYTE_OFFSET:
        return offset, 0 if width else size, None if width else inner, exact
    if kind == Relo.FIELD_BYTE_SIZE:
        return size, 0, None, exact
    if kind == Relo.FIELD_SIGNED:
        return int(isinstance(inner, (Int, Enum)) and inner.signed), 0, None, True
    if kind == Relo.FIELD_RSHIFT_U64:
        return 64 - bits, 0, None, True
    first = path.bits - offset * 8
    if last.type.btf.byteorder == "little":
        return 64 - (first + bits), 0, None, exact
    return (8 - size) * 8 + first, 0, None, exact


def _bit_field_load(bit: int, width: int, size: int) -> tuple[int, int]:
    """Size and offset of the smallest aligned load that holds `width` bits at `bit`."""
    if size not in (1, 2, 4, 8):
        raise BtfError(f"a bit-field in a type of {size} bytes")
    while True:
        offset = bit // 8 // size * size
        if bit + width - offset * 8 <= size * 8:
            return size, offset
        if size >= 8:
            raise BtfError(f"{width} bits at bit {bit} do not fit one 8-byte load")
        size *= 2
