"""What a program names in the running kernel: the function that it attaches to, kfuncs that it calls, variables.

Names become ids of types in the BTF of the kernel, or of a module, when the program is loaded.
"""

from __future__ import annotations

from .errors import BtfError, NotSupportedError, SpecError
from .maps.btf import BtfObject
from .syscall.fd import close_all
from .syscall.objects import each

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .asm.insn import Insn
    from .btf import Btf
    from .spec import ProgramSpec

# ProgType and AttachType; their enums are not worth loading here.
TRACING, STRUCT_OPS, EXT, LSM = 26, 27, 28, 29
# What the kernel calls the BTF type to attach to: (prefix, suffix, kind of type) by expected attach type.
_STRUCT, _TYPEDEF, _FUNC, _VAR = 4, 8, 12, 14
_TARGETS = {
    23: ("btf_trace_", _TYPEDEF),  # TRACE_RAW_TP
    24: ("", _FUNC),  # TRACE_FENTRY
    25: ("", _FUNC),  # TRACE_FEXIT
    26: ("", _FUNC),  # MODIFY_RETURN
    27: ("bpf_lsm_", _FUNC),  # LSM_MAC
    28: ("bpf_iter_", _FUNC),  # TRACE_ITER
    43: ("bpf_lsm_", _FUNC),  # LSM_CGROUP
}


class Target:
    """The id of a type to attach to, and whose it is: a module's BTF, another program, or (None) the kernel's."""

    def __init__(self, btf_id: int, owner: Any = None) -> None:
        self.btf_id = btf_id
        self.owner = owner
        self.attach_type: int | None = None  # where it is not the spec's: the member of a structure

    @property
    def fd(self) -> int:
        return 0 if self.owner is None else int(self.owner.fileno())

    def close(self) -> None:
        if isinstance(self.owner, BtfObject):
            self.owner.close()


def target(spec: ProgramSpec) -> Target | None:
    """What a program of a type that is checked against its target attaches to; None for other types.

    `spec.attach_to` is a name, or for functions of another program `(program, name)`.
    """
    to = spec.attach_to
    if spec.prog_type == STRUCT_OPS:
        return _member(spec)
    if isinstance(to, tuple) and spec.prog_type in (TRACING, EXT):
        return _in_program(*to)
    if spec.prog_type == EXT:
        raise SpecError(
            f"{spec.name or 'the program'} replaces a function of a live program: "
            f"attach_to is (program, function name), and not {to!r}"
        )
    place = _TARGETS.get(spec.expected_attach_type or 0)
    if spec.prog_type not in (TRACING, LSM) or place is None:
        return None
    if not isinstance(to, str):
        raise SpecError(f"{spec.name or 'the program'}: say what it attaches to by attach_to, a name; it is {to!r}")
    prefix, kind = place
    try:
        return _find(prefix + to, kind)
    except NotSupportedError as error:
        if error.since is None:
            from .kernel.traced import KINDS

            raise NotSupportedError(f"the {KINDS[prefix]} {to!r}", hint=_near(prefix, to, kind)) from None
        raise


def _near(prefix: str, name: str, kind: int) -> str:
    """What to write instead of a name that the kernel's BTF does not have."""
    from .btf import Btf
    from .kernel.traced import similar

    return f"the running kernel's BTF has none of that name{similar(Btf.kernel(), prefix, name, kind)}"


def _member(spec: ProgramSpec) -> Target:
    """The structure, and which of its functions a program of type STRUCT_OPS is: `attach_to` is "structure/member"."""
    struct, _, member = str(spec.attach_to).partition("/")
    if not member:
        raise SpecError(f"{spec.name or 'the program'}: attach_to is {spec.attach_to!r}; expected 'structure/member'")
    from .btf import Btf

    found = _find(struct, _STRUCT)
    members: Any = Btf.kernel().type(found.btf_id)
    names = [m.name for m in members.members]
    if member not in names:
        raise NotSupportedError(f"{struct}.{member}", hint="the structure of the running kernel has no such member")
    found.attach_type = names.index(member)
    return found


def _find(name: str, kind: int) -> Target:
    """The type of that name in the kernel, else in a module."""
    found, module = _lookup(name, kind)
    return Target(found, None if module is None else _open_module(module))


def _lookup(name: str, *kinds: int) -> tuple[int, str | None]:
    from .btf import Btf

    try:
        kernel = Btf.kernel()
    except OSError:
        raise NotSupportedError("BTF of the kernel", since="5.2", hint="needs CONFIG_DEBUG_INFO_BTF") from None
    ids = _ids(kernel, name, *kinds)
    if ids:
        return ids[0], None
    for module in Btf.kernel_modules():
        ids = _ids(Btf.of_module(module), name, *kinds)
        if ids:
            return ids[0], module
    raise NotSupportedError(f"{name!r}", hint="the running kernel has nothing of that name in its BTF")


def _ids(btf: Btf, name: str, *kinds: int) -> list[int]:
    try:
        return [found.id for kind in kinds for found in btf.find_all(name, kind)]
    except BtfError:
        return []


def _open_module(name: str) -> BtfObject:
    for _, fd in each("btf"):
        found = BtfObject(fd)
        if found.of_kernel and found.name == name:
            return found
        found.close()
    raise NotSupportedError(f"BTF of the module {name!r}")


def _in_program(program: Any, function: str) -> Target:
    from .maps.btf import kernel_btf

    if not hasattr(program, "info"):
        raise SpecError(f"{program!r} is no live program whose function could be attached to or replaced")
    btf_id = program.info.btf_id
    if not btf_id:
        raise SpecError(f"{program!r} has no BTF: its functions cannot be attached to or replaced")
    ids = _ids(kernel_btf(btf_id), function, _FUNC)
    if not ids:
        raise SpecError(f"{program!r} has no function {function!r}")
    return Target(ids[0], program)


class References:
    """The kfuncs and variables that instructions name; `fd_array` is how the kernel finds those of modules."""

    def __init__(self) -> None:
        self.modules: dict[str, BtfObject] = {}

    def fd_array(self) -> list[int]:
        # Offset 0 of a call of a kfunc means the kernel itself, so the array begins with a place that is not used.
        return [0, *(module.fileno() for module in self.modules.values())] if self.modules else []

    def resolve(self, insn: Insn) -> Insn:
        """The instruction with numbers in place of the name."""
        name = insn.symbol or ""
        if insn.wide:
            found, module = _lookup(name, _VAR, _FUNC)  # a weak function is asked whether it is there by its address
            fd = 0 if module is None else self._module(module).fileno()
            return insn.replace(imm=found, next_imm=fd, symbol=None)
        found, module = _lookup(name, _FUNC)
        index = 0
        if module is not None:
            self._module(module)
            index = list(self.modules).index(module) + 1
        return insn.replace(imm=found, off=index, symbol=None)

    def _module(self, name: str) -> BtfObject:
        if name not in self.modules:
            self.modules[name] = _open_module(name)
        return self.modules[name]

    def close(self) -> None:
        close_all(self.modules.values())
