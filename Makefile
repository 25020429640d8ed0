# make demo   the whole way, for LeNet-5 on handwritten digits, in a few minutes
# make test   the tests;  make test-long   those that take minutes or much memory, too
# make lint   ruff and mypy
# make clean  removes what the others made, .venv included
#
# Each does all its own set-up in .venv.  Needed: Python 3.11 or newer with venv, git, make.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: demo test test-long lint docs clean
.DELETE_ON_ERROR:

demo: $(STAMP)
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python docs/demo.py

test: $(STAMP)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q -n 2 --dist loadfile

test-long: $(STAMP)
	$(BIN)/python -m pytest -q -m "long or not long"

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/mypy

docs: $(STAMP)
	$(BIN)/python docs/generate.py

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "cnnc needs Python 3.11 or newer; found $$($(PYTHON) --version). Say which: make PYTHON=python3.12 ..." >&2; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || \
	  { echo "$(PYTHON) has no venv module (on Debian and Ubuntu: apt install python3-venv)" >&2; exit 1; }
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[onnx,torch,train,dev]"
	@$(BIN)/python -m compileall -q spec_lang compiler backends cnnc
	@touch $@

clean:
	rm -rf $(VENV) demo build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
