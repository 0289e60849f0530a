# Each target brings its own virtual environment and tools: python3 (3.11 or later), make and a
# package index are enough. `make PYTHON=…` names another Python, `make test ARGS=…` what to test.

PYTHON ?= python3
ARGS ?=
BIN := .venv/bin

.PHONY: help setup demo test proof lint constraints clean

help:
	@echo "make demo         see the library at work"
	@echo "make test         the tests, offline"
	@echo "make proof        the long tests and the benchmarks (writes benchmarks/results.json)"
	@echo "make lint         style, types, and the constitutions that ship"
	@echo "make constraints  pin the newest releases that pyproject.toml allows"
	@echo "make clean        remove what the other targets made"

setup:
	@$(PYTHON) tools/bootstrap.py

demo: setup
	@$(BIN)/constitution demo

# The tests start Python some hundred times, and each time it would read and compile all modules
# anew where PYTHONDONTWRITEBYTECODE is set: there it is emptied.
test: setup
	@PYTHONDONTWRITEBYTECODE= $(BIN)/python -m pytest -n auto --dist worksteal $(ARGS); status=$$?; \
	    $(BIN)/python tools/suites.py; exit $$status

proof: setup
	PYTHONDONTWRITEBYTECODE= HYPOTHESIS_PROFILE=proof $(BIN)/python -m pytest -n auto --dist worksteal -m "proof or hypothesis" --timeout 3600 $(ARGS)
	$(BIN)/python -m benchmarks.proof

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/mypy tests/clients/typed_clients.py
	$(BIN)/constitution lint
	$(BIN)/constitution test

constraints: setup
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	$(BIN)/uv pip compile --universal --python-version 3.11 --upgrade --no-header --no-annotate \
	    --no-emit-index-url --quiet --group dev --output-file constraints.txt pyproject.toml

clean:
	rm -rf .venv .hypothesis .mypy_cache .pytest_cache .ruff_cache build dist *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
