# What can be checked and how. Every target uses .venv where there is one; else the python3 of the PATH.
BIN ?= $(if $(wildcard .venv/bin/python),.venv/bin/,)
PYTHON ?= $(if $(BIN),$(BIN)python,python3)

.PHONY: check lint types house test real bench bench-smoke

check: lint types house test

lint:
	$(PYTHON) -m ruff check .
	$(PYTHON) -m ruff format --check .

# The test directories are no packages; tests/real/peers is found from tests/real.
types:
	MYPYPATH=tests/real $(PYTHON) -m mypy

house:
	$(BIN)lint-imports
	@if [ -d tests/house ]; then $(PYTHON) -m pytest tests/house; fi

test:
	$(PYTHON) -m pytest --ignore=tests/real

real:
	$(PYTHON) -m pytest -rs tests/real

bench:
	$(PYTHON) -m benchmarks

bench-smoke:
	@if [ -f benchmarks/__main__.py ]; then $(PYTHON) -m benchmarks --smoke; else echo "no benchmarks yet"; fi
