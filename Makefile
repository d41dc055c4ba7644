# Quant Workbench. `make` alone lists what there is.
SHELL := /bin/bash
PYTHON ?= python3
UV_VERSION := 0.13.8
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.ready
ARGS ?=

.DEFAULT_GOAL := help
.PHONY: help setup run test coverage lint fix app notebook mlflow report bench db-shell migrate pipeline worker lock clean

help: ## list the targets
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(STAMP): requirements.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed; $(PYTHON) is $$($(PYTHON) -V 2>&1). Try: make $(MAKECMDGOALS) PYTHON=python3.12"; exit 1; }
	@test -x $(BIN)/python || { echo "==> creating $(VENV)"; $(PYTHON) -m venv $(VENV); }
	@test -x $(BIN)/uv || { echo "==> fetching uv"; $(BIN)/python -m pip install --quiet --disable-pip-version-check "uv==$(UV_VERSION)"; }
	@echo "==> installing the pinned packages"
	@$(BIN)/uv pip sync --quiet --compile-bytecode --python $(BIN)/python requirements.txt
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps "uv==$(UV_VERSION)" --editable .
	@touch $@

setup: $(STAMP) ## create .venv with the pinned packages

run: $(STAMP) ## set up, run the whole pipeline, serve the app and the MLflow UI, do jobs
	@exec $(BIN)/workbench run $(ARGS)

test: $(STAMP) ## run the tests on the embedded database
	@$(BIN)/python -m pytest -m "not browser and not notebook" --numprocesses=2 --dist=loadfile --no-loadscope-reorder $(ARGS)

coverage: $(STAMP) ## run the tests and say which lines none of them reaches
	@$(BIN)/python -m pytest -m "not browser and not notebook" --numprocesses=2 --dist=loadfile --no-loadscope-reorder --cov --cov-report=term:skip-covered $(ARGS)

lint: $(STAMP) ## check style and types
	@$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy

fix: $(STAMP) ## repair what the linter can repair
	@$(BIN)/ruff check --fix . ; $(BIN)/ruff format .

app: $(STAMP) ## serve the Streamlit app alone
	@exec $(BIN)/workbench app $(ARGS)

notebook: $(STAMP) ## open the research notebooks in JupyterLab
	@exec $(BIN)/workbench notebook $(ARGS)

mlflow: $(STAMP) ## open the MLflow UI on the recorded runs
	@exec $(BIN)/workbench mlflow $(ARGS)

report: $(STAMP) ## write the latest recommendation report as one HTML file
	@$(BIN)/workbench report $(ARGS)

bench: $(STAMP) ## measure speeds, as ratios beside a peer
	@$(BIN)/python -m benchmarks $(ARGS)

db-shell: $(STAMP) ## open psql on the workbench database
	@exec $(BIN)/workbench db shell $(ARGS)

migrate: $(STAMP) ## bring the database to the current schema
	@$(BIN)/workbench db migrate $(ARGS)

pipeline: $(STAMP) ## run the whole job without servers
	@$(BIN)/workbench pipeline $(ARGS)

worker: $(STAMP) ## do jobs and what is scheduled, without servers
	@exec $(BIN)/workbench worker $(ARGS)

lock: $(STAMP) ## compile requirements.txt from pyproject.toml
	@$(BIN)/uv pip compile pyproject.toml --quiet --extra dev --universal --python-version 3.11 --no-emit-index-url --no-annotate --custom-compile-command "make lock" -o requirements.txt

clean: ## remove the environment, caches and the local database (asks first)
	@read -r -p "Remove $(VENV), caches and data/local (database, runs, reports)? [y/N] " a && [ "$$a" = y ] && { test ! -x $(BIN)/workbench || env -u DATABASE_URL $(BIN)/workbench db stop; } && rm -rf $(VENV) data/local .pytest_cache .mypy_cache .ruff_cache *.egg-info || echo "nothing removed"
