# `make demo` runs a job from webhook to removal; `make test` checks everything; `make docs` builds the
# documents into site/. All build .venv from the lock files.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: install demo test lint docs bench lock clean

install: $(STAMP)

$(STAMP): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed; set PYTHON=/path/to/it" >&2; exit 1; }
	$(PYTHON) -m venv --clear $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

demo: install
	$(BIN)/computing-provider demo

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

test: lint
	$(BIN)/pytest -n 3

# Not a part of `install`: nothing else needs what builds the site.
docs: install
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r docs.lock
	$(BIN)/zensical build --clean --strict

bench: install
	$(BIN)/python benchmarks/intake.py
	$(BIN)/python benchmarks/startup.py
	$(BIN)/python benchmarks/logs.py

# Run after a change of dependencies in pyproject.toml; the versions of all lock files agree.
LOCK := $(BIN)/uv pip compile --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --quiet --constraint requirements.lock
lock: install
	$(BIN)/uv pip compile --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --quiet --group dev pyproject.toml --output-file requirements.lock
	$(LOCK) pyproject.toml --output-file k8s/install/runtime.lock
	$(LOCK) --group build --no-emit-package uv --output-file k8s/install/build.lock
	$(LOCK) --group docs --output-file docs.lock

clean:
	rm -rf $(VENV) .cache site
