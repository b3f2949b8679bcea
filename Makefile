# Everything a person needs: `make demo`, `make test`; `make dev` for the UI. Only Python 3.11 or 3.12 must be there.
PYTHON ?= $(firstword $(shell for p in python3.11 python3.12 python3; do $$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 13))' 2>/dev/null && echo $$p && break; done))
BIN := .venv/bin
STAMP := .venv/installed

.PHONY: help install demo dev test check format constraints clean

help:
	@echo "make demo         from rendered pictures to a running service, in one go"
	@echo "make dev          the Dagster UI with everything in it"
	@echo "make test         all tests"
	@echo "make check        lint, types, definitions"
	@echo "make install      the environment in .venv (the others do it when it is missing)"
	@echo "make constraints  newest versions that pyproject.toml allows, into constraints.txt"

install: $(STAMP)

$(STAMP): pyproject.toml constraints.txt
	@test -n "$(PYTHON)" || { echo "error: Python 3.11 or 3.12 is needed: install one, or name it: make install PYTHON=/path/to/python3.12"; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[all]'
	@touch $(STAMP)

demo: $(STAMP)
	$(BIN)/wms demo

dev: $(STAMP)
	$(BIN)/wms dev

# A file's tests stay together: many share a set-up. Three at a time, since most of them wait for processes; in the order
# of tests/conftest.py, for otherwise files of few and long tests come last and alone.
test: $(STAMP)
	$(BIN)/pytest --numprocesses 3 --dist loadfile --no-loadscope-reorder --durations 20

check: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/dg check defs
	$(BIN)/dagster definitions validate -w workspace.yaml

format: $(STAMP)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# torch and torchvision are pinned in pyproject.toml, so that a fresh resolution cannot fetch gigabytes of CUDA.
constraints:
	rm -rf build/constraints && $(PYTHON) -m venv build/constraints
	build/constraints/bin/pip install --quiet '.[all]'
	build/constraints/bin/pip freeze --exclude wms-platform | sed 's/+cpu$$//' > constraints.txt.part
	mv constraints.txt.part constraints.txt

clean:
	rm -rf .venv build .mypy_cache .ruff_cache .pytest_cache *.egg-info
