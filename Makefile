# `make` alone lists the targets. Each one sets up .venv/ first, and again when the lock or pyproject.toml has changed.

PYTHON ?= python3
DATA ?=
SEEDS ?=
IMPORT_ROOT ?=
LOCK_ARGS ?=
PROCESSES ?= 2
ARGS ?=

BIN := .venv/bin
STAMP := .venv/installed

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help install demo serve test faults lint check format bench bench-peers experiment servers docs lock

help:
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

install: $(STAMP) ## set up .venv/ with the locked dependencies

demo: $(STAMP) ## three rounds of the loop on real pictures [DATA=a VOC folder] [SEEDS=3]
	$(BIN)/python -m client.demo $(if $(DATA),--data "$(DATA)") $(if $(SEEDS),--seeds $(SEEDS))

serve: $(STAMP) ## the whole service in one process, on port 8080, its data in data/ [IMPORT_ROOT=folder]
	$(BIN)/ymir serve --data data --port 8080 $(if $(IMPORT_ROOT),--import-root "$(IMPORT_ROOT)")

test: $(STAMP) ## every test, with branch coverage
	$(BIN)/pytest --numprocesses $(PROCESSES) --dist loadgroup --cov --cov-report=term:skip-covered

faults: $(STAMP) ## the tests that break servers and workers, in full size
	YMIR_FAULTS=full $(BIN)/pytest tests/faults $(ARGS)

lint: $(STAMP) ## format, lint and types
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

check: lint ## the same and the fast tests: what to run before a commit
	$(BIN)/pytest -m "not slow"

format: $(STAMP) ## write the code the way `make check` wants it
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(STAMP) ## measure the budgets beside the recorded figures of the peers [ARGS=--quick] [ARGS=--growth]
	$(BIN)/python -m tests.bench $(ARGS)

experiment: $(STAMP) ## mining strategies on the demo's pictures, ten seeds; what is measured already is kept [ARGS=--seeds 3]
	OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 PYTHONPATH=.:deploy/executors/tiny-detector \
	  $(BIN)/python -m docs.experiments.mining $(ARGS)

bench-peers: $(STAMP) ## run the peers that install, each in an environment below build/, on the same pictures
	$(BIN)/python -m tests.bench.peers $(ARGS)

servers: $(STAMP) ## RabbitMQ, MongoDB, an S3 server and a Docker engine until Ctrl-C, and the settings that name them
	$(BIN)/python -m tests.servers

docs: $(STAMP) ## write the pages of docs/ that are made of the code
	$(BIN)/python -m tests.docs.settings_table
	$(BIN)/python -m tests.docs.cli_reference

lock: $(STAMP) ## write requirements.lock anew from pyproject.toml [LOCK_ARGS=--upgrade]
	$(BIN)/python -m pip install --disable-pip-version-check --quiet uv
	$(BIN)/uv pip compile --universal --fork-strategy fewest --python-version 3.11 --extra dev \
	  --extra servers \
	  --no-annotate --custom-compile-command "make lock" --quiet $(LOCK_ARGS) \
	  --output-file requirements.lock pyproject.toml

$(STAMP): requirements.lock pyproject.toml
	@command -v "$(PYTHON)" >/dev/null || { \
	  echo "make: no $(PYTHON) here. Install Python 3.11 or newer, or name one: make PYTHON=python3.12" >&2; exit 1; }
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "make: $(PYTHON) is $$("$(PYTHON)" --version 2>&1); 3.11 or newer is needed: make PYTHON=python3.12" >&2; \
	  exit 1; }
	@"$(PYTHON)" -c 'import ensurepip, venv' 2>/dev/null || { \
	  echo "make: $(PYTHON) cannot make virtual environments. On Debian: apt-get install python3-venv" >&2; exit 1; }
	"$(PYTHON)" -m venv .venv
	$(BIN)/python -m pip install --disable-pip-version-check --quiet --requirement requirements.lock
	$(BIN)/python -m pip install --disable-pip-version-check --quiet --no-deps --no-build-isolation --editable .
	@touch $(STAMP)
