# make test       everything that must hold: lint, types, tests, docs, oldest and newest Python. Under 10 minutes on 2 cores.
# make lint       ruff (lint and format) and mypy
# make docs       the documentation, into docs/_build/html
# make demo       train, record, show and share, in a throw-away repository
# make bench      the figures of benchmarks/
# make bench-peers  the same beside other trackers, which it installs, into docs/design/figures.md
# make test-frameworks  tiny trainings with the real frameworks, in an environment of their own
# make test-frameworks-vision  those that need torchvision, whose environment has some gigabytes
# make test-dvc   what is exported for DVC, read by the real one, in an environment of its own
# make test-pythons  the whole suite with the oldest and the newest Python
# make test-slow  the long fault and fuzz runs
# make test-newest-git  the tests that depend on git, with the newest git: built from Debian's source into .git-newest/ (on
#                 Debian; needs a compiler), once with refs in files and once with reftable. Not part of `make test`.
# make clean      remove what the other targets made
#
# Needs Python >= 3.10 with venv, git, and network access to a Python package index for the first run.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := test

JOBS ?= 2
# The python3 on PATH if it will do, else the newest that does.
PYTHON ?= $(shell { python3 -c 'import sys, ensurepip, venv; sys.exit(sys.version_info < (3, 10))' 2>/dev/null && command -v python3; } || .ci/pythons | tail -n 1 | cut -d' ' -f2)

VENV := .venv
SERVERS := .servers
BIN := $(VENV)/bin
PIP := -m pip --quiet --disable-pip-version-check
PYTEST := -m pytest -n $(JOBS) -q
# What the oldest and the newest interpreter run in `make test`; `make test-pythons` lets them run everything but the fault
# loops, which depend on git and the kernel rather than on Python.
SELECTION := gittrack tests/unit tests/property

# What depends on git.
GIT_SELECTION := tests/unit tests/git tests/cli tests/faults

.PHONY: test test-frameworks test-frameworks-vision test-dvc suite suite-oldest-newest lint docs demo bench bench-peers test-slow test-pythons test-newest-git clean system-packages

test: lint suite docs suite-oldest-newest

suite: $(VENV)/.ready $(SERVERS)/.ready system-packages
	$(BIN)/python $(PYTEST) -m "not slow"

# One process: importing the frameworks takes longer than the tests.
test-frameworks: .venv-frameworks/.ready
	KERAS_BACKEND=torch MPLBACKEND=agg .venv-frameworks/bin/python -m pytest -q -p no:xdist -W default tests/frameworks \
	    --ignore tests/frameworks/test_vision.py

test-dvc: $(VENV)/.ready .venv-dvc/.ready
	$(BIN)/python -m pytest -q tests/git/test_export_dvc.py

# Those that need torchvision, and with it a torch of some gigabytes.
test-frameworks-vision: .venv-vision/.ready
	MPLBACKEND=agg .venv-vision/bin/python -m pytest -q -p no:xdist -W default tests/frameworks/test_vision.py

test-slow: $(VENV)/.ready $(SERVERS)/.ready system-packages
	$(BIN)/python $(PYTEST) -m slow

test-pythons:
	$(MAKE) suite-oldest-newest SELECTION="gittrack tests/unit tests/git tests/property tests/storage tests/cli"

test-newest-git: $(VENV)/.ready system-packages
	programs=$$(JOBS=$(JOBS) .ci/newest-git); export PATH="$$programs:$$PATH"; git version; \
	for format in files reftable; do \
	    echo "refs: $$format"; \
	    GITTRACK_TEST_REF_FORMAT=$$format $(BIN)/python $(PYTEST) -m "not slow" $(GIT_SELECTION); \
	done

# The oldest and the newest other interpreter of the machine, each in a venv of its own that is kept.
suite-oldest-newest: $(VENV)/.ready $(SERVERS)/.ready system-packages
	@main=$$($(BIN)/python -c 'import sys; print("%d.%d" % sys.version_info[:2])'); \
	.ci/pythons | sed -n '1p;$$p' | sort -u | { grep -v "^$$main " || true; } | while read -r version path; do \
	    $(MAKE) --no-print-directory ".venv-$$version/.ready" OTHER_PYTHON="$$path"; \
	    echo "Python $$version: $(SELECTION)"; \
	    ".venv-$$version/bin/python" $(PYTEST) -m "not slow" $(SELECTION) </dev/null; \
	done

lint: $(VENV)/.ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

docs: $(VENV)/.ready
	$(BIN)/python -m sphinx -q -W --keep-going -b html docs docs/_build/html

demo: $(VENV)/.demo-ready
	$(BIN)/python examples/demo.py

bench: $(VENV)/.ready
	$(BIN)/python benchmarks/run_all.py

bench-peers: $(VENV)/.ready .venv-peers/.ready
	@.ci/system-packages git-lfs git-annex
	$(BIN)/python benchmarks/run_all.py --write --peers .venv-peers/bin/python

clean:
	rm -rf .venv .venv-3.* .servers .venv-peers .venv-dvc .venv-frameworks .venv-vision .git-newest docs/_build dist build demo-work .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

system-packages:
	@.ci/system-packages

# Made again when pyproject.toml changes. Dependency groups need pip >= 25.1, newer than what Python 3.10 brings.
$(VENV)/.ready: pyproject.toml
	@test -n "$(PYTHON)" || { echo "no Python >= 3.10 with venv and ensurepip found" >&2; exit 1; }
	test -x $(BIN)/python || "$(PYTHON)" -m venv $(VENV)
	$(BIN)/python $(PIP) install --upgrade pip
	$(BIN)/python $(PIP) install --group test --group lint --group docs --editable .
	touch $@

# S3, Azure and Git LFS servers for the tests of storages.
$(SERVERS)/.ready: .ci/test-servers $(VENV)/.ready
	.ci/test-servers $(SERVERS) $(BIN)/python

$(VENV)/.demo-ready: $(VENV)/.ready
	$(BIN)/python $(PIP) install --group demo
	touch $@

# A venv of their own: what they need is no matter of ours.
.venv-peers/.ready: pyproject.toml
	test -x .venv-peers/bin/python || "$(PYTHON)" -m venv .venv-peers
	.venv-peers/bin/python $(PIP) install --upgrade pip
	.venv-peers/bin/python $(PIP) install --group peers
	touch $@

.venv-dvc/.ready: pyproject.toml
	test -x .venv-dvc/bin/python || "$(PYTHON)" -m venv .venv-dvc
	.venv-dvc/bin/python $(PIP) install --upgrade pip
	.venv-dvc/bin/python $(PIP) install --group dvc
	touch $@

# Made from nothing when their requirements change: a torchvision that an older list asked for breaks another torch.
.venv-vision/.ready: pyproject.toml tests/frameworks/requirements-vision.txt
	test $@ -nt tests/frameworks/requirements-vision.txt || "$(PYTHON)" -m venv --clear .venv-vision
	.venv-vision/bin/python $(PIP) install --upgrade pip
	.venv-vision/bin/python $(PIP) install --group test --requirement tests/frameworks/requirements-vision.txt --editable .
	touch $@

.venv-frameworks/.ready: pyproject.toml tests/frameworks/requirements.txt
	test $@ -nt tests/frameworks/requirements.txt || "$(PYTHON)" -m venv --clear .venv-frameworks
	.venv-frameworks/bin/python $(PIP) install --upgrade pip
	.venv-frameworks/bin/python $(PIP) install --group test --requirement tests/frameworks/requirements.txt --editable .
	touch $@

.venv-%/.ready: pyproject.toml
	test -x .venv-$*/bin/python || "$(OTHER_PYTHON)" -m venv .venv-$*
	.venv-$*/bin/python $(PIP) install --upgrade pip
	.venv-$*/bin/python $(PIP) install --group test --editable .
	touch $@
