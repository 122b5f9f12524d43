"""What packages say that they have is there, and says what it is."""

from __future__ import annotations

import importlib
import inspect
import pkgutil

import pytest

import pybpf

PACKAGES = ["pybpf", *(found.name for found in pkgutil.walk_packages(pybpf.__path__, "pybpf.") if found.ispkg)]


@pytest.mark.parametrize("package", PACKAGES)
def test_every_public_name_is_there(package):
    module = importlib.import_module(package)
    assert (module.__doc__ or "").strip()
    for name in getattr(module, "__all__", ()):
        value = getattr(module, name)
        if inspect.isclass(value) or inspect.isfunction(value):
            assert (value.__doc__ or "").strip(), f"{package}.{name} has no docstring"
