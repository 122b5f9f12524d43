"""Sets of CPUs: a bit for each of up to 1024 (`struct bpf_cpumask`)."""

from __future__ import annotations

from .table import kfunc

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..run import Run

_SIZE = 128


def _get(run: Run, mask: int) -> int:
    return run.mem.load(mask, _SIZE) & _all(run)


def _all(run: Run) -> int:
    return (1 << run.env.cpus) - 1


def _put(run: Run, mask: int, bits: int) -> int:
    run.mem.store(mask, _SIZE, bits)
    return 0


def _first(run: Run, bits: int) -> int:
    """The lowest CPU of a set, the number of CPUs for none."""
    return (bits & -bits).bit_length() - 1 if bits else run.env.cpus


@kfunc(0)
def bpf_cpumask_create(run: Run) -> int:
    return run.mem.add(bytearray(_SIZE), "struct bpf_cpumask")


@kfunc(1)
def bpf_cpumask_acquire(run: Run, cpumask: int) -> int:
    return cpumask


@kfunc(1)
def bpf_cpumask_release(run: Run, cpumask: int) -> int:
    return 0


@kfunc(2)
def bpf_cpumask_set_cpu(run: Run, cpu: int, cpumask: int) -> int:
    bit = 1 << (cpu & 0xFFFFFFFF) if cpu & 0xFFFFFFFF < run.env.cpus else 0
    return _put(run, cpumask, _get(run, cpumask) | bit)


@kfunc(2)
def bpf_cpumask_clear_cpu(run: Run, cpu: int, cpumask: int) -> int:
    bit = 1 << (cpu & 0xFFFFFFFF) if cpu & 0xFFFFFFFF < run.env.cpus else 0
    return _put(run, cpumask, _get(run, cpumask) & ~bit)


@kfunc(2)
def bpf_cpumask_test_cpu(run: Run, cpu: int, cpumask: int) -> int:
    return _get(run, cpumask) >> min(cpu & 0xFFFFFFFF, 8 * _SIZE) & 1


@kfunc(2)
def bpf_cpumask_test_and_set_cpu(run: Run, cpu: int, cpumask: int) -> int:
    before = bpf_cpumask_test_cpu(run, cpu, cpumask)
    bpf_cpumask_set_cpu(run, cpu, cpumask)
    return before or 0


@kfunc(2)
def bpf_cpumask_test_and_clear_cpu(run: Run, cpu: int, cpumask: int) -> int:
    before = bpf_cpumask_test_cpu(run, cpu, cpumask)
    bpf_cpumask_clear_cpu(run, cpu, cpumask)
    return before or 0


@kfunc(1)
def bpf_cpumask_setall(run: Run, cpumask: int) -> int:
    return _put(run, cpumask, _all(run))


@kfunc(1)
def bpf_cpumask_clear(run: Run, cpumask: int) -> int:
    return _put(run, cpumask, 0)


@kfunc(2)
def bpf_cpumask_copy(run: Run, dst: int, src: int) -> int:
    return _put(run, dst, _get(run, src))


@kfunc(3)
def bpf_cpumask_and(run: Run, dst: int, src1: int, src2: int) -> int:
    bits = _get(run, src1) & _get(run, src2)
    _put(run, dst, bits)
    return int(bits != 0)


@kfunc(3)
def bpf_cpumask_or(run: Run, dst: int, src1: int, src2: int) -> int:
    return _put(run, dst, _get(run, src1) | _get(run, src2))


@kfunc(3)
def bpf_cpumask_xor(run: Run, dst: int, src1: int, src2: int) -> int:
    return _put(run, dst, _get(run, src1) ^ _get(run, src2))


@kfunc(2)
def bpf_cpumask_equal(run: Run, src1: int, src2: int) -> int:
    return int(_get(run, src1) == _get(run, src2))


@kfunc(2)
def bpf_cpumask_intersects(run: Run, src1: int, src2: int) -> int:
    return int(_get(run, src1) & _get(run, src2) != 0)


@kfunc(2)
def bpf_cpumask_subset(run: Run, src1: int, src2: int) -> int:
    return int(_get(run, src1) & ~_get(run, src2) == 0)


@kfunc(1)
def bpf_cpumask_empty(run: Run, cpumask: int) -> int:
    return int(_get(run, cpumask) == 0)


@kfunc(1)
def bpf_cpumask_full(run: Run, cpumask: int) -> int:
    return int(_get(run, cpumask) == _all(run))


@kfunc(1)
def bpf_cpumask_weight(run: Run, cpumask: int) -> int:
    return _get(run, cpumask).bit_count()


@kfunc(1)
def bpf_cpumask_first(run: Run, cpumask: int) -> int:
    return _first(run, _get(run, cpumask))


@kfunc(1)
def bpf_cpumask_first_zero(run: Run, cpumask: int) -> int:
    return _first(run, ~_get(run, cpumask) & _all(run))


@kfunc(2)
def bpf_cpumask_first_and(run: Run, src1: int, src2: int) -> int:
    return _first(run, _get(run, src1) & _get(run, src2))


@kfunc(1)
def bpf_cpumask_any_distribute(run: Run, cpumask: int) -> int:
    return _first(run, _get(run, cpumask))


@kfunc(2)
def bpf_cpumask_any_and_distribute(run: Run, src1: int, src2: int) -> int:
    return _first(run, _get(run, src1) & _get(run, src2))
