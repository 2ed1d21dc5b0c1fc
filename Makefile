# What can be checked and how. Every target uses .venv where there is one; else the python3 of the PATH.
BIN ?= $(if $(wildcard .venv/bin/python),.venv/bin/,)
PYTHON ?= $(if $(BIN),$(BIN)python,python3)

.PHONY: check lint types house test compiled real bench bench-smoke bench-guard

check: lint types house test

lint:
	$(PYTHON) -m ruff check .
	$(PYTHON) -m ruff format --check .

types:
	$(PYTHON) -m mypy

house:
	$(BIN)lint-imports
	$(PYTHON) -m pytest tests/house

test:
	$(PYTHON) -m pytest --ignore=tests/real

compiled:
	bash .ci/compiled $(PYTHON)

real:
	$(PYTHON) -m pytest -rs tests/real

bench:
	$(PYTHON) -m benchmarks

bench-smoke:
	$(PYTHON) -m benchmarks --smoke

bench-guard:
	$(PYTHON) -m benchmarks.guard
