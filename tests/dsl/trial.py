"""A generated program before its judges: Python, the offline machine, and the kernel are given the same packets and maps."""

from __future__ import annotations

import ctypes
import linecache
import os
import random
import re
import time
from socket import htonl
from typing import Any

from pybpf import VM, load_collection
from pybpf.dsl.program import DEFAULT_KERNEL, ISA_V4, version
from pybpf.maps.create import create
from pybpf.spec import ProgramSpec
from pybpf.types import codec
from pybpf.uapi import bpf_sk_lookup

from . import model
from .generator import program
from .generator.declarations import DECLARATIONS, structures
from .generator.writer import HEADS

PER_CPU = ("PerCpuArray", "PerCpuHashMap")


class Trial:
    """The program of a seed: its `text`, what it declares (`scope`), its `specs`, and what Python makes of the `packets`."""

    def __init__(self, seed: int, kernel: str | None = None, text: str = "") -> None:
        rng = random.Random(seed)
        isa = seed % (4 if version(kernel) >= ISA_V4 else 3) + 1
        self.text = text or program(seed, isa, kernel or DEFAULT_KERNEL)
        self.kind = re.findall(r"^@(\w+)\(", self.text, re.M)[-1]
        self.packets = [packet(rng) for _ in range(6)]
        self.entries = entries(rng)
        self.seed = seed
        self.declare()
        self.expected = self.evaluate()

    def declare(self) -> None:
        file = f"<generated {self.seed}>"
        linecache.cache[file] = (len(self.text), None, self.text.splitlines(keepends=True), file)
        self.scope: dict[str, Any] = {"__name__": "generated"}
        exec(compile(self.text, file, "exec"), self.scope)
        self.specs = [self.scope[name] for name in ("main", "after") if name in self.scope]

    def __getstate__(self) -> dict[str, Any]:
        """Pickled, it is compiled: an emulated kernel has then only to load and run it."""
        compiled = [{field: getattr(spec, field) for field in ProgramSpec._fields} for spec in self.specs]
        for fields in compiled:
            own = {id(value): name for name, value in self.scope.items()}
            fields["maps"] = [(name, own.get(id(spec)) or spec) for name, spec in fields["maps"].items()]
        return {**self.__dict__, "scope": None, "specs": compiled}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self.declare()
        for spec, fields in zip(self.specs, state["specs"], strict=True):
            maps = {name: self.scope[own] if isinstance(own, str) else own for name, own in fields["maps"]}
            spec.__dict__.update(fields, maps=maps)

    def evaluate(self) -> list[Any]:
        scope = model.declared(self.text)
        for name, key, value in self.entries:
            if name in ("limit", "bias") and name in scope:
                scope[name].value = value
            elif name == "routes" and name in scope:
                scope[name].update(key, value)
            elif name in ("outer", "shelves") and name in scope:
                inner = model.Numbers(*(scope["inner"].codec.type, scope["inner"].type, scope["inner"].entries))
                scope[name].cells[codec(scope[name].codec.type).pack(key)] = inner
            elif name == "jumps" and name in scope:
                scope[name].programs[key] = scope["after"]
        self.untouched = {n: v.contents() for n, v in scope.items() if n in DECLARATIONS and hasattr(v, "contents")}
        runs = list(model.run(scope, self.packets))
        if self.kind == "sk_lookup":
            runs = [(retval, b"") for retval, _ in runs]
        return [*runs, {name: scope[name].contents() for name in self.untouched}]

    def given(self, data: bytes) -> dict[str, Any]:
        """What a test run is given for a packet: one with room for what is not seen, or what a socket is looked up by."""
        if self.kind != "sk_lookup":
            return {"data": bytes(HEADS.get(self.kind, 0)) + data}
        remote, local, port = model.addresses(data)
        return {
            "ctx": bpf_sk_lookup(
                family=2, protocol=6, remote_ip4=htonl(remote), local_ip4=htonl(local), local_port=port
            )
        }

    def seen(self, run: Any) -> tuple[int, bytes]:
        return run.retval, bytes(run.data or b"")[HEADS.get(self.kind, 0) :]

    def fill(self, state: Any, inner: Any) -> None:
        """Write the entries into the maps of a machine or of the kernel; `inner` makes a map from its spec."""
        for name, key, value in self.entries:
            if not self.used(name):
                continue
            view = state[self.scope[name]]
            if name == "routes":
                view[self.scope["Prefix"](*key)] = value
            elif name in ("outer", "shelves"):
                view[key] = inner(name, key)
            elif name == "jumps":
                view[key] = state[self.scope["after"]] if hasattr(state, "close") else self.scope["after"]
            else:
                view[0] = value

    def used(self, name: str) -> bool:
        declared = self.scope.get(name)
        return any(m is declared for spec in self.specs for m in spec.maps.values())

    def wait_for(self, bells: Any) -> None:
        """Wait until timers have gone off: they are late where the machine is busy."""
        until = time.monotonic() + 2
        time.sleep(0.01)
        while plain(bells) != self.expected[-1]["bells"] and time.monotonic() < until:
            time.sleep(0.01)

    def contents(self, state: Any, inners: dict[Any, Any], cpu: int) -> dict[str, Any]:
        """What lies in the maps, in the form that the model gives."""
        found = dict(self.untouched)
        for name in found:
            if not self.used(name) or name in ("met", "jumps", "held", "mine"):
                continue
            declared = self.scope[name]
            kind, view = type(declared).__name__, state[declared]
            if kind in ("HashOfMaps", "ArrayOfMaps"):
                keys = {n: codec(declared.key).pack(n) for m, n in inners if m == name}
                found[name] = {raw: plain(inners[name, n]) for n, raw in keys.items()}
            elif kind in ("Queue", "Stack", "RingBuf"):
                type_ = declared.event if kind == "RingBuf" else declared.value
                found[name] = [codec(type_).pack(record) for record in view.drain()]
            elif kind == "LpmTrie":
                value = codec(declared.value)
                found[name] = {(k.length, k.address >> 32 - k.length): value.pack(v) for k, v in view.items()}
            else:
                found[name] = plain(view, cpu if kind in PER_CPU else None)
        return found

    def machine(self) -> list[Any]:
        vm = VM(*self.specs)
        inners: dict[Any, Any] = {}

        def inner(name: str, key: int) -> Any:
            inners[name, key] = None
            return self.scope["inner"].replace(name=f"{name}{key}")

        self.fill(vm, inner)
        runs = [vm.run(self.scope["main"], **self.given(data)) for data in self.packets]
        vm.advance(model.SOON)
        inners = {(name, key): vm[self.scope[name]][key] for name, key in inners}
        return [*map(self.seen, runs), self.contents(vm, inners, 0)]

    def kernel(self) -> list[Any]:
        inners: dict[Any, Any] = {}

        def inner(name: str, key: int) -> Any:
            inners[name, key] = create(self.scope["inner"])
            return inners[name, key]

        try:
            with load_collection(*self.specs) as objs:
                self.fill(objs, inner)
                runs = [objs[self.scope["main"]].test_run(**self.given(data)) for data in self.packets]
                if self.used("bells"):
                    self.wait_for(objs[self.scope["bells"]])
                state = self.contents(objs, inners, min(os.sched_getaffinity(0)))
                return [*map(self.seen, runs), state]
        finally:
            for made in inners.values():
                made.close()


def plain(view: Any, cpu: int | None = None) -> dict[bytes, bytes]:
    key, value = codec(view.spec.key), codec(view.spec.value)
    return {key.pack(k): value.pack(v if cpu is None else v[cpu]) for k, v in view.items()}


def entries(rng: random.Random) -> list[tuple[str, Any, Any]]:
    """What user space writes before the program runs."""
    prefixes = [(bits, rng.getrandbits(32) >> 32 - bits << 32 - bits) for bits in (0, 1, 8, 24, 32)]
    return [
        ("limit", 0, rng.getrandbits(32)), ("bias", 0, rng.randint(-300, 300)), ("outer", 1, None), ("outer", 2, None),
        ("shelves", 0, None), ("shelves", 3, None), ("jumps", 1, None), ("jumps", 3, None),
        *(("routes", prefix, n) for n, prefix in enumerate(rng.sample(prefixes, 3))),
    ]  # fmt: skip


def packet(rng: random.Random) -> bytes:
    def number(bits: int, signed: bool) -> int:
        low, high = (-(1 << bits - 1), (1 << bits - 1) - 1) if signed else (0, (1 << bits) - 1)
        return rng.choice(
            (rng.randint(low, high), rng.randint(max(low, -4), min(4, high)), low, high, 0, 1 if high else 0)
        )

    head = structures()["Input"]()
    for name, ctype, *bits in head._fields_:
        signed = ctype(-1).value < 0
        setattr(head, name, number(bits[0] if bits else 8 * ctypes.sizeof(ctype), signed))
    return bytes(head) + rng.randbytes(rng.choice((0, 10, 24, 60)))
