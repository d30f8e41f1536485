# Anymask in one page of commands. `make run` and `make test` need Python 3.11 or newer and nothing else.
SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help setup setup-dev frontend run test lint format types lock bench reliability clean

PYTHON ?= python3
BIN := .venv/bin
NPM := cd frontend && PATH="$(CURDIR)/$(BIN):$$PATH" npm
UV := uv==0.13.9
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

# Without torch and CUDA, whose builds differ from machine to machine. What is locked stays unless LOCK says otherwise.
lock: ## requirements*.lock from requirements*.txt, with SHA-256; LOCK="--upgrade-package NAME" for what those only bring along
	@$(PYTHON) -m venv build/uv && build/uv/bin/pip install --quiet $(UV)
	@set -e; for name in requirements-dev requirements requirements-node; do \
		[ $$name = requirements ] && agree="--constraint requirements-dev.lock" || agree=; \
		build/uv/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --annotation-style line \
			--custom-compile-command "make lock" $(LOCK) $$agree $$name.txt --output-file $$name.lock; \
		awk '/^[a-z]/ {keep = !/^(torch|triton|cuda-|nvidia-)/} keep || /^#/' $$name.lock > build/lock; \
		cp build/lock $$name.lock; \
	done

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

# Everything by its digest, and nothing that is not listed. setuptools goes first: the one package that comes as source
# is built with it. torch goes last and by its version: its builds (CPU, CUDA) have digests of their own. What it needs
# besides CUDA is there by then.
define install
@$(BIN)/pip install --quiet --require-hashes --no-deps -r <(awk '/^[a-z]/ {keep = /^setuptools==/} keep' $(1))
@$(BIN)/pip install --progress-bar on --require-hashes --no-deps --no-build-isolation -r $(1) \
	| grep --line-buffered -v "already satisfied"; exit $${PIPESTATUS[0]}
@$(BIN)/pip install --progress-bar on "$$(grep '^torch==' requirements.txt)" \
	| grep --line-buffered -v "already satisfied"; exit $${PIPESTATUS[0]}
@$(BIN)/pip check
endef

.venv/.runtime: requirements.txt requirements.lock | .venv/bin/python
	@echo "== Installing Python packages (the first time this takes a few minutes)"
	$(call install,requirements.lock)
	@touch $@

.venv/.development: requirements.txt requirements-dev.lock | .venv/bin/python
	@echo "== Installing Python packages for tests and linters"
	$(call install,requirements-dev.lock)
	@touch $@ .venv/.runtime

# Node from PATH where it is recent enough, else the one that comes as a Python package.
.venv/.node: | .venv/bin/python
	@if node -e 'const [a,b]=process.versions.node.split(".").map(Number); process.exit(a>20||(a==20&&b>=19)?0:1)' 2>/dev/null; \
	then echo "== Node $$(node --version) from PATH"; \
	else echo "== Installing Node (as a Python package)"; $(BIN)/pip install -q --require-hashes --no-deps -r requirements-node.lock; fi
	@touch $@

frontend/node_modules/.installed: frontend/package-lock.json | .venv/.node
	@echo "== Installing browser packages"
	@$(NPM) ci --no-audit --no-fund
	@touch $@

frontend/dist/index.html: frontend/node_modules/.installed $(shell find frontend -type f \( -path frontend/src/\* -o -path frontend/public/\* -o -path frontend/kernel/\* -o -name 'vite.*.ts' -o -name index.html -o -name 'tsconfig*.json' \) -not -path '*/node_modules/*' -not -path '*/dist/*' 2>/dev/null)
	@echo "== Building the browser side"
	@$(NPM) run --silent build
	@touch $@
