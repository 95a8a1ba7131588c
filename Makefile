# Two commands do everything on a fresh machine with Python 3.11+ and make:
#   make quickstart   install, then run the main job on the bundled digits
#   make test         install what tests need, then lint, types, import rules, tests
#   make chaos        kill workers and askers at random during studies, and check what is left
#   make cluster-up   start a one-node SLURM for tests (Debian, root; OVERWRITES /etc/slurm)

PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip --disable-pip-version-check

.PHONY: help install install-dev quickstart test lint types imports pytest test-places test-others coverage test-slow benchmark chaos cluster-up cluster-down clean

help:
	@sed -n 's/^#   //p' Makefile

$(VENV)/.installed: pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "spiketune needs Python 3.11 or newer; set PYTHON=python3.11")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(PIP) install --quiet --constraint constraints.txt --editable .
	touch $@

$(VENV)/.installed-dev: $(VENV)/.installed
	$(PIP) install --quiet --constraint constraints.txt --editable '.[dev]'
	touch $@

install: $(VENV)/.installed
install-dev: $(VENV)/.installed-dev

quickstart: install
	$(BIN)/spiketune run quickstart --new

test: lint imports
	$(MAKE) --no-print-directory --jobs=2 types test-places  # which mostly waits
	$(MAKE) --no-print-directory test-others

lint: install-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: install-dev
	$(BIN)/mypy

imports: install-dev
	$(BIN)/lint-imports

pytest: test-others test-places

test-places: install-dev
	$(BIN)/pytest -m 'not slow and places' --durations=10

test-others: install-dev
	$(BIN)/pytest -m 'not slow and not places' --numprocesses auto --maxprocesses 4 --durations=10

coverage: install-dev
	$(BIN)/pytest -m 'not slow' --cov --cov-report=term:skip-covered

test-slow: install-dev
	$(BIN)/pytest -m slow

benchmark: install-dev
	cd benchmarks && ../$(BIN)/python overhead.py
	cd benchmarks && ../$(BIN)/python executors.py

chaos: install-dev
	$(BIN)/python -m tests.executors.chaos --kills 30 --trials 60

cluster-up:
	bash .ci/slurm_up.sh
	@echo "now: SPIKETUNE_TEST_SLURM=1 make test"

cluster-down:
	bash .ci/slurm_up.sh stop

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .coverage htmlcov
