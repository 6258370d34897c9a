# `make demo` and `make test` do all of their own set-up: Python 3.11+ and make are enough.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
export HF_HUB_OFFLINE := 1

.PHONY: demo test lint format lock protos pages clean

demo: $(STAMP)
	$(BIN)/inkguard demo --out out/demo

test: $(STAMP) lint
	OMP_NUM_THREADS=1 $(BIN)/pytest -n auto --maxprocesses 4 --dist loadfile

lint: $(STAMP)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(STAMP)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

$(STAMP): pyproject.toml requirements.lock
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "inkguard needs Python 3.11 or newer, this is " + sys.version)'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	touch $@

# Made from the environment that passed the tests. No hashes: the CPU build of torch differs by host.
lock: $(STAMP)
	$(BIN)/python -m pip freeze --exclude-editable --exclude inkguard | sed 's/+cpu$$//' > requirements.lock

# Generated with the oldest supported grpcio-tools, in an environment of its own: newer generated
# code refuses older runtimes. The proto's package is guard.v1; its Python is inkguard.wire.v1.
protos:
	test -x .venv-protos/bin/python || $(PYTHON) -m venv .venv-protos
	.venv-protos/bin/python -m pip install --quiet --disable-pip-version-check grpcio-tools==1.72.2
	.venv-protos/bin/python -m grpc_tools.protoc --proto_path=protos --python_out=.venv-protos \
		--pyi_out=.venv-protos --grpc_python_out=.venv-protos guard/v1/guard.proto
	cp .venv-protos/guard/v1/guard_pb2* guard/inkguard/wire/v1/
	sed -i 's/^from guard\.v1 import/from inkguard.wire.v1 import/' guard/inkguard/wire/v1/guard_pb2_grpc.py

# Everything in docs/ that a program writes; tests hold that none of it is stale.
PAGES := $(sort $(wildcard tools/*_page.py tools/*_picture.py tools/*_schema.py)) tools/sentence_lines.py
pages: $(STAMP)
	for page in $(basename $(notdir $(PAGES))); do $(BIN)/python -m tools.$$page || exit 1; done

clean:
	rm -rf $(VENV) .venv-protos out .mypy_cache .ruff_cache .pytest_cache .hypothesis
