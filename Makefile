# Every target sets up all it needs in ./.venv and then does its job; once set up, it starts at once.
# Needed on the machine: Python 3.11 or newer with venv, pip, make, gcc.

PYTHON ?= $(shell command -v python3.11 || command -v python3)
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.ONESHELL:
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules

VENV := .venv
BIN := $(VENV)/bin
TORCH := torch==2.13.0
# Set-up is done again when what is asked for has changed.
KEY := $(shell cat pyproject.toml constraints.txt Makefile | cksum | tr ' ' '-')
# There while a set-up runs, with its process number: if that process is gone, it was killed on the way and the
# folder is not to be trusted.
UNFINISHED := .venv.unfinished
# The exact local name of a stamp: a set of extras, and the key.
stamp = $(VENV)/.dalsegno-$(1)-$(KEY)

WORKERS ?= 2
PYTEST := $(BIN)/python -m pytest
# Threads of numerical libraries multiply with the workers; one each keeps two cores busy and timings steady.
export OMP_NUM_THREADS ?= 1
export OPENBLAS_NUM_THREADS ?= 1

.NOTPARALLEL:
.PHONY: help demo test torture docs lint bench clean

help:
	@echo "make demo      the main job: a killed training and a search with heavy tails, then the page's path"
	@echo "make test      every test, a tenth of the kills and faults"
	@echo "make torture   the full counts of kills and faults"
	@echo "make bench     speed and memory beside the peers"
	@echo "make docs      the documentation site, in site/"
	@echo "make lint      ruff and mypy"

demo: $(call stamp,demo)
	@$(BIN)/python -m dalsegno demo

test: $(call stamp,test)
	@$(PYTEST) -n $(WORKERS) --dist loadgroup $(ARGS)

torture: $(call stamp,test)
	@DALSEGNO_TORTURE=full $(PYTEST) tests/faults --timeout 3600 $(ARGS)

bench: $(call stamp,bench)
	@for file in benchmarks/bench_*.py; do echo "== $$file"; $(BIN)/python "$$file"; done

docs: $(call stamp,docs)
	@NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict

lint: $(call stamp,test)
	@$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

clean:
	rm -rf $(VENV) $(UNFINISHED) site dist build .pytest_cache .mypy_cache .ruff_cache .hypothesis

# torch comes first and alone: asked for together with others, pip may settle on a build of several gigabytes.
$(VENV)/.dalsegno-%-$(KEY):
	@if ! "$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2> /dev/null; then
		echo "set-up: '$(PYTHON)' is not Python 3.11 or newer; name one, as in: make $(MAKECMDGOALS) PYTHON=/usr/bin/python3.11" >&2
		exit 1
	fi
	if [ -e $(UNFINISHED) ]; then
		other=$$(cat $(UNFINISHED))
		if [ -n "$$other" ] && kill -0 "$$other" 2> /dev/null; then
			echo "set-up: process $$other is at it in this folder; wait for its end (if it is no set-up, remove $(UNFINISHED))" >&2
			exit 1
		fi
		echo "set-up: the last one was interrupted, beginning afresh"
		rm -rf $(VENV)
	fi
	echo $$$$ > $(UNFINISHED)
	echo "set-up: $* in $(VENV) with $(PYTHON)"
	[ -x $(BIN)/python ] || "$(PYTHON)" -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt $(TORCH)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --prefer-binary -c constraints.txt -e ".[$*]"
	$(BIN)/python -c 'import torch; print("set-up: torch", torch.__version__)'
	rm -f $(VENV)/.dalsegno-$*-*
	rm -f $(UNFINISHED)
	touch $@
