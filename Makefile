# `make serve` and `make test` each set up what they need in .venv; nothing else has to be run first.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: serve test lint bench fuzz load clean

$(STAMP): pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "lipogram needs Python 3.11 or newer")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade 'pip>=25.1'
	$(BIN)/python -m pip install --quiet --editable . --group dev
	touch $(STAMP)

serve: $(STAMP)
	$(BIN)/lipogram serve $(ARGS)

test: $(STAMP)
	$(BIN)/python -m pytest $(ARGS)

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(STAMP)
	$(BIN)/python -m benchmarks $(ARGS)

# Schemathesis has an environment of its own: its dependencies are none of ours.
FUZZ := .venv-fuzz

$(FUZZ)/bin/st:
	$(PYTHON) -m venv $(FUZZ)
	$(FUZZ)/bin/python -m pip install --quiet 'schemathesis>=4.32'

fuzz: $(STAMP) $(FUZZ)/bin/st
	$(BIN)/python -m tests.fuzz --st $(FUZZ)/bin/st $(ARGS)

load: $(STAMP)
	$(BIN)/python -m tests.load $(ARGS)

clean:
	rm -rf $(VENV) $(FUZZ) .mypy_cache .ruff_cache .pytest_cache
