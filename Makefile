# make run     start the hub (builds .venv and writes config/hub.toml the first time)
# make demo    the same with seeded people and emulated channels and carriers
# make test    all tests              make check   lint, format, types, architecture
# make bench   benchmarks             make lock    new lock files from pyproject.toml
# make env     the development environment only    make i18n   collect and compile translations
SHELL := /bin/sh
VENV ?= .venv
BIN := $(VENV)/bin
PYTEST_ARGS ?= -n 4 --dist loadgroup -q
LOCK_ARGS ?=

# The first interpreter that starts (a version manager's shim may not), is new enough and can make environments.
# PY=/path/to/python chooses another one.
PY ?= $(shell for p in python3.13 python3.12 python3.11 python3; do \
	$$p -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 && { echo $$p; break; }; done)

export UV_PYTHON_DOWNLOADS := never
export UV_NO_PROGRESS := 1
export UV_SYSTEM_CERTS := true
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PIP_ROOT_USER_ACTION := ignore

.PHONY: run demo test check bench i18n env lock clean
.DELETE_ON_ERROR:

run: $(VENV)/.run
	@[ -f config/hub.toml ] || $(BIN)/hub init
	@exec $(BIN)/hub serve

demo: $(VENV)/.run
	@exec $(BIN)/hub demo

env: $(VENV)/.dev

test: $(VENV)/.dev
	@$(BIN)/python -m pytest $(PYTEST_ARGS)

check: $(VENV)/.dev
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy --strict
	@$(BIN)/lint-imports

i18n: $(VENV)/.dev
	@$(BIN)/python -m hub.web.locale.update

bench: $(VENV)/.dev
	@$(BIN)/python -m tests.benchmarks

# uv if it can be had, plain pip otherwise; both compare every file with its hash, and compile what they install:
# where Python may write no bytecode of its own, a start would take three times as long
define sync
	@$(BIN)/python -m uv --version >/dev/null 2>&1 || $(BIN)/python -m pip install -q 'uv>=0.9' >/dev/null 2>&1 || true
	@$(BIN)/python -m uv pip install -q --compile-bytecode --python $(BIN)/python --require-hashes -r $(1) 2>/dev/null \
		|| $(BIN)/python -m pip install -q --require-hashes -r $(1)
endef

$(BIN)/python:
	@[ -n "$(PY)" ] || { echo "no usable Python >= 3.11 found; on Debian or Ubuntu: apt-get install python3-venv" >&2; exit 1; }
	@echo "making $(VENV) with $(PY)"
	@$(PY) -m venv $(VENV) || { rm -rf $(VENV); echo "could not make $(VENV); on Debian or Ubuntu: apt-get install python3-venv" >&2; exit 1; }

# The editable install is what puts the `hub` command into the environment.
define install
	$(call sync,$(1))
	@$(BIN)/python -m pip install -q --no-deps --no-build-isolation -e .
endef

$(VENV)/.run: requirements.lock pyproject.toml | $(BIN)/python
	@echo "installing requirements.lock"
	$(call install,requirements.lock)
	@touch $@

# The lock for development holds all of the other, at the same versions.
$(VENV)/.dev: requirements-dev.lock requirements.lock pyproject.toml | $(BIN)/python
	@echo "installing requirements-dev.lock"
	$(call install,requirements-dev.lock)
	@touch $(VENV)/.run $@

# The locks hold no address of an index, so they work behind a mirror too. Newer versions: make lock LOCK_ARGS=--upgrade
COMPILE = $(BIN)/python -m uv pip compile -q --universal --generate-hashes --python-version 3.11 \
	--no-header --no-emit-index-url --no-emit-find-links --group build $(LOCK_ARGS)
lock: | $(BIN)/python
	@$(BIN)/python -m uv --version >/dev/null 2>&1 || $(BIN)/python -m pip install -q 'uv>=0.9'
	$(COMPILE) pyproject.toml -o requirements.lock
	$(COMPILE) pyproject.toml --all-extras --group dev -c requirements.lock -o requirements-dev.lock
	@! grep -nE '://|^-|@ ' requirements.lock requirements-dev.lock

clean:
	rm -rf $(VENV) dist .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis .schemathesis
	find hub plugins tests -name __pycache__ -type d -prune -exec rm -rf {} +
