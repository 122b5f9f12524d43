"""Fixtures of the verifier's tests."""

from __future__ import annotations

import importlib.util
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
