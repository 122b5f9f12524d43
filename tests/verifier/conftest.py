"""Fixtures of the verifier's tests."""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent


def _load(name: str):
    """A helper module beside the tests (pytest's importlib mode does not put this folder on the path)."""
    full = f"verifier_{name}"
    if full not in sys.modules:
        spec = importlib.util.spec_from_file_location(full, HERE / f"{name}.py")
        module = importlib.util.module_from_spec(spec)
        sys.modules[full] = module
        spec.loader.exec_module(module)
    return sys.modules[full]


def pytest_generate_tests(metafunc):
    """A test that takes a `case` runs with each row of its module's table."""
    if "case" in metafunc.fixturenames and hasattr(metafunc.module, "TABLE"):
        rows = list(_load("cases").table(metafunc.module.TABLE))
        metafunc.parametrize("case", rows, ids=[row.name for row in rows])


@pytest.fixture(scope="session")
def oracle():
    """The running kernel's verdicts."""
    module = _load("oracle")
    if not module.allowed():
        pytest.skip("bpf(2) is not permitted here")
    return module


@pytest.fixture(scope="session")
def generate():
    _load("shapes")
    return _load("generate")


@pytest.fixture(scope="session")
def reasons():
    return _load("reasons")


@pytest.fixture(scope="session")
def differential():
    _load("oracle")
    _load("shapes")
    _load("generate")
    _load("reasons")
    return _load("differential")


@pytest.fixture(scope="session")
def cases():
    return _load("cases")


@pytest.fixture(scope="session")
def owned(cases):
    """Types and maps of objects that programs allocate, and of special fields."""
    module = _load("owned")
    made = module.library(cases)
    return made, module.maps(made)


@pytest.fixture(scope="session")
def plainmaps():
    return _load("plainmaps").MAPS


@pytest.fixture(scope="session")
def kernel(oracle):
    """The running kernel, with its maps, for all tests."""
    with oracle.Kernel() as made:
        yield made


@pytest.fixture(scope="session")
def env():
    from pybpf.verifier import Env

    return Env.here()


@pytest.fixture
def decided(kernel, env, reasons):
    """Asks the running kernel and `verify` about a program: both say `category` (None: it is taken), we also `message`."""
    if not os.uname().release.startswith("6.18."):
        pytest.skip("the tables' origin is Linux 6.18, this kernel is another")

    def decide(spec, category, message=""):
        from pybpf import verify

        verdict = kernel.load(spec)
        report = verify(spec, "6.18", env=env)
        assert report.verdict == ("accept" if verdict.accept else "reject"), (verdict.log, str(report))
        assert verdict.accept == (category is None), (verdict.log, str(report))
        if category is not None:
            finding = report.findings[0]
            assert finding.category == category, str(report)
            assert message in finding.message, str(report)
            assert reasons.agree(verdict.reason, category), (verdict.reason, reasons.category(verdict.reason))

    return decide
