# leadbus: `make` alone lists what there is.

PYTHON ?= python3
ARGS ?=
VENV := .venv
BIN := $(VENV)/bin
UV_VERSION := 0.13.9
STAMP := $(VENV)/.setup-is-done

# Without it every process compiles what it imports at its first start, eight of them side by side in a demo.
export UV_COMPILE_BYTECODE ?= 1

.DEFAULT_GOAL := help
.PHONY: help setup demo test check fmt lock clean

help: ## This list
	@printf 'leadbus: webhooks in, scored leads out, once.\n\n'
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@printf '\nStart with `make demo`. ARGS="..." goes to demo and test; PYTHON=python3.12 chooses the Python for setup.\n'

setup: $(STAMP) ## Create .venv with the locked dependencies and .venv/bin/leadbus (a second call does nothing)

$(STAMP): pyproject.toml uv.lock Makefile
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	  echo 'leadbus needs Python 3.11 or newer, and "$(PYTHON)" is '"$$($(PYTHON) --version 2>/dev/null || echo missing)."; \
	  echo 'Install it (Debian 12 or newer: apt-get install python3 python3-venv), or name one: make setup PYTHON=python3.12'; \
	  exit 1; } >&2
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { \
	  echo 'This Python cannot create virtual environments: its venv module is missing.'; \
	  echo 'Install it (Debian and Ubuntu: apt-get install python3-venv), then run make setup again.'; \
	  exit 1; } >&2
	@test -x $(BIN)/python && $(BIN)/python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
	  || $(PYTHON) -m venv --clear $(VENV)
	@test "$$($(BIN)/uv --version 2>/dev/null | cut -d' ' -f2)" = '$(UV_VERSION)' \
	  || $(BIN)/python -m pip install --quiet --disable-pip-version-check 'uv==$(UV_VERSION)'
	$(BIN)/uv sync --frozen --extra server
	@touch $@

demo: setup ## Send real webhooks through the whole house on this machine and show what ends in each CRM
	$(BIN)/leadbus demo $(ARGS)

test: setup ## Run every test that this machine can run, with coverage; names what it skipped and why
	$(BIN)/pytest --cov --cov-report=term $(ARGS)

check: setup ## Lint, formatting, types, and who may import whom
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

fmt: setup ## Format the code and fix what the linter can fix
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

lock: setup ## Resolve the dependencies of pyproject.toml anew into uv.lock
	$(BIN)/uv lock

clean: ## Remove what make, the tools and the tests left here (.venv too)
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .coverage coverage.xml build dist var
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
