# Hayate. `make run` starts the gateway with the embedded engine; `make test` runs the tests. Both set up what they need.
SHELL := /bin/bash
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

VENV := .venv
BIN := $(VENV)/bin
LOCKS := gateway/requirements.txt gateway/requirements-embedded.txt gateway/requirements-build.txt gateway/pyproject.toml
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
# The first Python of 3.11 or newer that can make a private environment.
PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11 python; do command -v $$p >/dev/null 2>&1 && $$p -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 && { echo $$p; break; }; done)

.PHONY: help setup run test test-slow check bench lock clean

help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

$(BIN)/python:
	@if [ -z "$(PYTHON)" ]; then echo "Python 3.11 or newer with its venv module is needed (Debian/Ubuntu: apt install python3 python3-venv); or name one: make run PYTHON=/path/to/python3" >&2; exit 1; fi
	@echo "Making a private environment in $(VENV) with $(PYTHON) ..."
	@$(PYTHON) -m venv $(VENV)

$(VENV)/.run: $(LOCKS) | $(BIN)/python
	@echo "Installing locked dependencies ..."
	@$(PIP) install --require-hashes -r gateway/requirements-build.txt -r gateway/requirements-embedded.txt
	@$(PIP) install --no-deps --no-build-isolation -e gateway
	@touch $@

$(VENV)/.dev: gateway/requirements-dev.txt $(VENV)/.run
	@$(PIP) install --require-hashes -r gateway/requirements-dev.txt
	@touch $@

setup: $(VENV)/.run ## make .venv with the `hayate` command

run: $(VENV)/.run ## start the gateway with the embedded engine
	@exec $(BIN)/hayate up

test: $(VENV)/.dev ## all quick tests, real llama.cpp included
	@gateway/scripts/test $(ARGS)

test-slow: $(VENV)/.dev ## the slower tests: real vLLM on CPU, tritonserver, the long load
	@gateway/scripts/test-slow $(ARGS)

check: $(VENV)/.dev ## ruff, mypy --strict, import contracts
	@gateway/scripts/check

bench: $(VENV)/.dev ## the side-by-side benchmark of bench/README.md (ARGS=--quick: a minute; ARGS="--against REV": a change)
	@gateway/scripts/bench $(ARGS)

lock: ## resolve and hash the dependencies again (needs uv)
	@gateway/scripts/lock

clean: ## remove the private environment and caches (weights and data stay)
	rm -rf $(VENV) .engines .bench gateway/src/*.egg-info
