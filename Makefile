# `make help` lists what there is. Everything works on a fresh clone; what is missing is installed first.
.DEFAULT_GOAL := help
.PHONY: help run test check fmt bench rules messages requirements setup setup-test
BIN := .venv/bin
PIP_COMPILE := $(BIN)/pip-compile --quiet --generate-hashes --no-emit-index-url --no-emit-find-links --strip-extras --no-header

help:  ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' Makefile

run: setup  ## Serve the demo brands (PORT=8000, data in PORTAL_HOME=var)
	@exec $(BIN)/python scripts/run.py

test: setup-test  ## Style, types, import directions, then all tests
	@$(MAKE) --no-print-directory check
	@$(BIN)/python -m tests.meta.counts
	$(BIN)/pytest -n 2 --dist loadgroup

check: setup-test  ## Style, types and import directions only
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

fmt: setup-test  ## Format and mend what can be mended
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: setup-test  ## Measure (bench/README.md tells how to read the figures)
	$(BIN)/python -m bench

rules: setup-test  ## Write docs/rules.md, the table of rule and test
	$(BIN)/python -m tests.meta.rules

messages: setup-test  ## Bring the English catalogue up to date
	$(BIN)/python scripts/messages.py

requirements: setup-test  ## Pin the newest versions of requirements*.in, with hashes
	$(PIP_COMPILE) --upgrade --output-file requirements.txt requirements.in
	$(PIP_COMPILE) --upgrade --allow-unsafe --output-file requirements-dev.txt requirements-dev.in

setup:
	@scripts/setup run

setup-test:
	@scripts/setup test
