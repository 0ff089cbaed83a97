# Everything a contributor does all day. `make help` lists it.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
ARGS   ?=

.DEFAULT_GOAL := help
.PHONY: help run demo test test-slow lint types format check ui stack cluster clean

help:  ## List the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

run: $(VENV)/run.stamp  ## Run the whole pipeline; options: make run ARGS="--profile quick"
	$(BIN)/python flows/full_pipeline.py $(ARGS)

demo: $(VENV)/run.stamp  ## Open a page to draw on, on the champion; trains one first, in a minute, where there is none
	$(BIN)/python deployments/demo.py $(ARGS)

test: $(VENV)/test.stamp  ## Run the tests
	$(BIN)/python -m pytest --numprocesses 2 --no-loadscope-reorder $(ARGS)

test-slow: $(VENV)/test.stamp  ## Run the tests that take minutes, too
	$(BIN)/python -m pytest -m "slow or not slow" $(ARGS)

lint: $(VENV)/test.stamp  ## Check style
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/test.stamp  ## Check types
	$(BIN)/mypy

format: $(VENV)/test.stamp  ## Put the sources into shape
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

check: lint types test  ## All that CI does

ui: $(VENV)/run.stamp  ## Start Prefect's server and open its UI, http://127.0.0.1:4200, on what the runs did
	$(BIN)/python running/ui.py $(ARGS)

stack: $(VENV)/run.stamp  ## Start the production shape: PostgreSQL, server with authentication, worker
	$(BIN)/python deployments/stack.py $(ARGS)

cluster: $(VENV)/cluster.stamp  ## Start a Dask cluster on this machine, for a first look; options: make cluster ARGS="--workers 2"
	$(BIN)/python running/cluster.py $(ARGS)

clean:  ## Remove the virtual environment and caches; results in artifacts/ stay
	rm -rf $(VENV) build *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis

$(VENV)/run.stamp: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable . --constraint constraints.txt
	touch $@

$(VENV)/test.stamp: $(VENV)/run.stamp
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable ".[test]" --constraint constraints.txt
	touch $@

$(VENV)/cluster.stamp: $(VENV)/run.stamp
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable ".[cluster]" --constraint constraints.txt
	touch $@
