# Everything runs from a virtual environment that the first target builds from constraints.txt.
PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin/python
DONE := $(VENV)/.installed
PYTEST := $(RUN) -m pytest --numprocesses 3 --dist worksteal --durations 20

.PHONY: help setup demo test test-packaging test-all lint types docs docs-serve audit check clean

help: ## Show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-15s %s\n", $$1, $$2}'

setup: $(DONE) ## Build .venv from constraints.txt (nothing to do when it is up to date)

$(DONE): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "tilesweep needs Python 3.11 or newer: make PYTHON=python3.11 ...")'
	@echo "installing into $(VENV): about 6 GB, 3 to 12 minutes by the speed of the network, once"
	$(PYTHON) -m venv $(VENV)
	$(RUN) -m pip install --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	@touch $(DONE)

DEMO := smp_unet_efficientnet_lite0,smp_unet_resnet34

demo: $(DONE) ## The whole question on the synthetic tiles: three phases, test scores, one report; about 12 minutes on two idle cores
	$(RUN) -m sweep.study --profile demo --architectures $(DEMO)

test: $(DONE) ## The tests, three at a time, but for the long ones and those of packaging
	$(PYTEST) -m "not slow and not packaging"

test-packaging: $(DONE) ## The tests of packages, site, notebook, object stores, exports of SAM and real tiles
	$(PYTEST) -m "not slow and packaging"

test-all: $(DONE) ## All tests
	$(PYTEST)

lint: $(DONE) ## ruff: rules and format
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .

types: $(DONE) ## mypy, strict, on our packages
	$(RUN) -m mypy

docs: $(DONE) ## The documentation as a site that opens offline: site/index.html
	$(RUN) -m docs.generator

docs-serve: docs ## The same, on http://127.0.0.1:8000
	$(RUN) -m http.server --bind 127.0.0.1 --directory site 8000

audit: ## pip-audit over constraints.txt (asks PyPI; by hand)
	$(PYTHON) -m venv .venv-audit
	.venv-audit/bin/python -m pip install --quiet --disable-pip-version-check pip-audit
	.venv-audit/bin/python -m pip_audit --requirement constraints.txt --no-deps --disable-pip

check: test lint types ## What has to pass before a change lands

clean: ## Remove the virtual environment and caches; results stay
	rm -rf $(VENV) .venv-audit .pytest_cache .mypy_cache .ruff_cache .hypothesis *.egg-info site build
