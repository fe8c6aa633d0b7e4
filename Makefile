# `make demo` shows a job run; `make test` checks everything. Both build .venv from the lock file.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: install demo test lint bench lock clean

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

bench: install
	$(BIN)/python benchmarks/intake.py
	$(BIN)/python benchmarks/startup.py
	$(BIN)/python benchmarks/logs.py

# Written anew from pyproject.toml when a dependency changes; the image's are parts of the whole.
LOCK := $(BIN)/uv pip compile --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --quiet --constraint requirements.lock
lock: install
	$(BIN)/uv pip compile --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --quiet --group dev pyproject.toml --output-file requirements.lock
	$(LOCK) pyproject.toml --output-file k8s/install/runtime.lock
	$(LOCK) --group build --no-emit-package uv --output-file k8s/install/build.lock

clean:
	rm -rf $(VENV)
