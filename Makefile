# `make demo` and `make test` do all their set-up on a fresh machine; tools for development go into .venv.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: demo test test-kernels check docs bench clean

$(READY): pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check -e '.[dev]'
	touch $@

# pybpf needs nothing but Python, so the demo runs from the tree as it is.
demo:
	@PYTHONPATH=. $(PYTHON) examples/demo.py

test: $(READY)
	$(BIN)/python -m pytest $(PYTEST_ARGS)

# The kernel tests on Debian's kernels 5.10 to 7.2, emulated, and on this one; writes docs/kernel-support.md.
test-kernels: $(READY)
	$(BIN)/python -m tools.guests.matrix

check: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python tools/gen_uapi.py --check
	$(BIN)/python tools/gen_syscalls.py --check
	$(BIN)/python tools/gen_helpers.py --check
	$(BIN)/python tools/gen_docs.py --check
	$(BIN)/python tools/gen_diagrams.py --check
	$(MAKE) docs

docs: $(READY)
	$(BIN)/sphinx-build -q -W -b html docs docs/_build/html

bench: $(READY)
	$(BIN)/python -m benchmarks

clean:
	rm -rf $(VENV) .cache .mypy_cache .pytest_cache .ruff_cache .hypothesis docs/_build
