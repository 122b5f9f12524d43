# ruff: noqa: A001 (type and id are the words of this field, here and in struct bpf_reg_state)
"""`Setting`: what a program is checked against: its kind, the kernel's rules, who loads it, and what the host provides."""

from __future__ import annotations

from ..btf.kinds import Kind
from ..errors import BtfError, NotSupportedError
from ..kernel.capabilities import BPF, PERFMON
from ..spec import GPL_COMPATIBLE
from ..uapi.attach import AttachType
from ..uapi.prog import ProgFlags, ProgType
from .reject import Reject, Unsure
from .values import BTF_ID, MEM, PERCPU, RDONLY, Reg

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ..asm.insn import Insn
    from ..btf import Btf, Type
    from ..kernel import ProgRules, Rules
    from ..spec import ProgramSpec
    from .maps import Map
    from .program import Program

# BPF_ANY_ALIGNMENT and test flags change nothing on x86-64 but strictness.
KNOWN_FLAGS = 0xFF
_WITHOUT_VARIABLES = frozenset(("6.18.44",))
"""Kernels that tables were asked of, and that were built without CONFIG_KALLSYMS_ALL."""


class Env:
    """The host that verdicts depend on: `cpus` it has, and `btf`, its kernel's types (None: not known).

    What is not known makes programs that depend on it *unknown*.  `variables` tells whether the kernel finds its own variables
    by name (CONFIG_KALLSYMS_ALL); None takes what holds for the kernel that the rules were asked of.
    """

    def __init__(self, cpus: int = 2, btf: Btf | bytes | None = None, variables: bool | None = None) -> None:
        self.cpus = cpus
        self._variables = variables
        self._here = False
        self._btf = btf

    @property
    def variables(self) -> bool | None:
        if self._here and self._variables is None:
            self._variables = _finds_variables()
        return self._variables

    @property
    def btf(self) -> Btf | None:
        if isinstance(self._btf, (bytes, bytearray)):
            from ..btf import Btf

            self._btf = Btf.parse(bytes(self._btf))
        return self._btf

    @classmethod
    def here(cls) -> Env:
        """The running machine."""
        import os

        from ..btf import Btf

        env = cls(os.cpu_count() or 1, Btf.kernel())
        env._here = True
        return env


def _finds_variables() -> bool | None:
    """Whether the running kernel's table of symbols has variables; None when it cannot be read."""
    try:
        with open("/proc/kallsyms", "rb") as symbols:
            return any(line.endswith(b" init_task\n") for line in symbols)
    except OSError:
        return None


# As the kernel checks them at load (bpf_prog_load_check_attach): some types take any number, some only theirs.
_ATTACH_IGNORED = frozenset(
    (
        ProgType.XDP,
        ProgType.SOCK_OPS,
        ProgType.CGROUP_DEVICE,
        ProgType.SK_MSG,
        ProgType.FLOW_DISSECTOR,
        ProgType.CGROUP_SYSCTL,
    )
)
_ATTACH_TYPES: dict[int, frozenset[int]] = {
    ProgType.CGROUP_SKB: frozenset((AttachType.CGROUP_INET_INGRESS, AttachType.CGROUP_INET_EGRESS)),
    ProgType.SYSCALL: frozenset((0,)),
}
_ATTACH_NEEDED = frozenset((ProgType.CGROUP_SOCK_ADDR, ProgType.CGROUP_SOCKOPT, ProgType.SK_LOOKUP, ProgType.NETFILTER))


class Setting:
    """Everything about a check that does not change while it runs."""

    def __init__(self, spec: ProgramSpec, rules: Rules, capabilities: frozenset[str], env: Env) -> None:
        self.spec = spec
        self.rules = rules
        self.env = env
        self.capabilities = capabilities
        self.bpf = BPF in capabilities
        self.perfmon = PERFMON in capabilities
        self.prog_type = int(spec.prog_type)
        self.attach_type = int(spec.expected_attach_type or 0)
        self.flags = int(spec.flags)
        self.strict_alignment = bool(self.flags & ProgFlags.STRICT_ALIGNMENT)
        self.checkpoint_always = bool(self.flags & ProgFlags.TEST_STATE_FREQ)
        self.sleepable = bool(self.flags & ProgFlags.SLEEPABLE)
        self.gpl = spec.license in GPL_COMPATIBLE
        self.version = _version(rules.version)
        self.cgroup_storage: dict[int, Map] = {}
        self.program_rules: ProgRules = self._program_rules()

    def _program_rules(self) -> ProgRules:
        attach = self.spec.expected_attach_type
        known = _ATTACH_TYPES.get(self.prog_type)
        if known is not None and self.attach_type not in known:
            raise Reject("kernel-version", f"programs of this type have no attach type {self.attach_type}")
        if self.prog_type in _ATTACH_NEEDED and not self.attach_type:
            hint = "say where it attaches: ProgramSpec(..., expected_attach_type=AttachType....)"
            raise Reject("kernel-version", "programs of this type have an attach type", hint=hint)
        try:
            if self.prog_type in _ATTACH_IGNORED and (self.prog_type, attach, False) not in self.rules.programs():
                attach = None  # the kernel looks for some of them and does not mind others
            return self.rules.program(self.prog_type, None if attach is None else int(attach), sleepable=self.sleepable)
        except NotSupportedError as error:
            raise Reject("kernel-version", str(error)) from None

    def at_least(self, version: str) -> bool:
        """Whether the kernel is this one or newer."""
        return self.version >= _version(version)

    # -- kernel functions and variables, which BTF ids name

    def check_kfunc_known(self, program: Program, slot: int, type_id: int, offset: int) -> None:
        """A kernel function must exist before anybody asks whether it may be called."""
        if not self.gpl:
            raise Reject("license", "cannot call kernel function from non-GPL compatible program", insn=slot)
        if slot in program.kfuncs:
            return
        if type_id == 0 and offset == 0:
            return  # refused only if it survives the removal of dead code
        if offset:
            why = (
                "negative offset disallowed for a kernel module's function"
                if offset < 0
                else "no BTF of a module is given"
            )
            raise Reject("helper", f"failed to find BTF for kernel function: {why}", insn=slot)
        btf = self.kernel_btf(slot)
        try:
            function = btf.type(type_id)
        except BtfError:
            raise Reject("helper", f"kernel btf_id {type_id} is not a function", insn=slot) from None
        if function.kind != Kind.FUNC:
            raise Reject("helper", f"kernel btf_id {type_id} is not a function", insn=slot)
        program.kfuncs[slot] = function.name

    def check_variable(self, program: Program, slot: int) -> None:
        """The kernel variable that a wide load names must exist."""
        insn = program.insns[slot]
        if program.ops[slot + 1][4]:
            raise Reject("btf", "invalid module BTF object FD specified: no BTF of a module is given", insn=slot)
        btf = self.kernel_btf(slot)
        try:
            found = _named(btf, insn)
        except BtfError:
            raise Reject(
                "btf", f"no kernel variable {insn.symbol or insn.imm} in the kernel's BTF", insn=slot
            ) from None
        if found.kind not in (Kind.VAR, Kind.FUNC):
            raise Reject("btf", f"type {found.id} of the kernel's BTF is no variable", insn=slot)
        if found.kind == Kind.VAR and not self._finds_variables():
            text = f"ldimm64 failed to find the address for kernel symbol '{found.name}'."
            raise Reject("btf", text, hint="the kernel was built without CONFIG_KALLSYMS_ALL", insn=slot)

    def _finds_variables(self) -> bool:
        known = self.env.variables
        return not any(release in self.rules.origin for release in _WITHOUT_VARIABLES) if known is None else known

    def variable(self, program: Program, slot: int) -> Reg:
        """What a wide load of a kernel variable's address gives."""
        insn = program.insns[slot]
        btf = self.kernel_btf(slot)
        found = _named(btf, insn)
        if found.kind == Kind.FUNC:
            return Reg(MEM | RDONLY, data=0)
        type = found.type.stripped
        percpu = any(
            section.name == ".data..percpu" and any(var.id == found.id for var, _, _ in section.vars)  # type: ignore[attr-defined]
            for section in btf.find_all(".data..percpu", Kind.DATASEC)
        )
        if type.kind == Kind.STRUCT:
            return Reg(BTF_ID | (PERCPU if percpu else 0), data=("kernel", type.name))
        # of a number on each CPU, what counts is its size
        return Reg(BTF_ID | PERCPU, data=("kernel", type.size)) if percpu else Reg(MEM | RDONLY, data=type.size)

    def kernel_btf(self, slot: int | None = None) -> Btf:
        btf = self.env.btf
        if btf is None:
            raise Unsure(
                "the program refers to the kernel's own types, which are not known here",
                hint="give them: verify(spec, env=Env(btf=...)), or Env.here() on the machine that will run it",
                insn=slot,
            )
        return btf

    @property
    def known_flags(self) -> bool:
        return not self.flags & ~KNOWN_FLAGS

    def __repr__(self) -> str:
        return f"<Setting type {self.prog_type} on Linux {self.rules.version}>"


def _named(btf: Btf, insn: Insn) -> Type:
    """The kernel's variable (or function) that a wide load names."""
    if insn.symbol is None:
        return btf.type(insn.imm)
    variables = list(btf.find_all(insn.symbol, Kind.VAR))
    return variables[0] if variables else btf.find(insn.symbol, Kind.FUNC)


def _version(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split(".")[:2] if part.isdigit())


def as_env(env: Any) -> Env:
    """An `Env` from what `verify` takes: one, None for the tables' origin, or a mapping of its fields."""
    if env is None:
        return Env()
    if isinstance(env, Env):
        return env
    return Env(**env)
