# `make run` starts everything; `make test` and `make check` are what a change must pass.

PYTHON ?= python3
BIN := .venv/bin
INSTALL := $(PYTHON) requirements/install.py
PYTEST := $(BIN)/pytest
# Of the tests on SQLite, beside which others run: see tests/plugins/passes.py.
WORKERS ?= $(shell echo $$(($$(getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2) + 1)))

export PYTHONUNBUFFERED := 1
# Where this is set, each of the processes that a dashboard consists of compiles every module again: a second each.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help install install-runtime run test test-full check bench lock clean

help:
	@echo "make run                 start on http://127.0.0.1:8000 with a demo (HOST, PORT, DATA_DIR)"
	@echo "make run REPO=<path|URL> track that repository at once"
	@echo "make test                against real git, PostgreSQL, broker, worker and browser"
	@echo "make test-full           every test: the long kill-and-race runs and dear variants, too"
	@echo "make check               style, types, import directions, migrations, templates, compose file"
	@echo "make bench               the measurements in docs/performance.md"
	@echo "make lock                pin the newest allowed packages, with hashes"
	@echo "make clean               remove .venv and caches (never var/)"

install:
	@$(INSTALL) dev

install-runtime:
	@$(INSTALL) runtime

run: install-runtime
	@exec $(BIN)/python manage.py serve $(if $(value REPO),--track="$$REPO")

test: install
	@$(BIN)/python tests/plugins/needs.py
	@$(BIN)/python tests/plugins/passes.py -n $(WORKERS)

test-full: install
	@$(BIN)/python tests/plugins/needs.py
	@$(BIN)/python tests/plugins/passes.py -n $(WORKERS) --long

check: install
	@$(BIN)/python tests/plugins/checks.py

bench: install
	@for script in pages push_to_visible deploy_output deploy_start deploy_viewers stampede $(wildcard bench/verdicts/run.py bench/verdicts.py); do \
		name=$${script%.py}; echo "== $${name#bench/}"; $(BIN)/python bench/$${name#bench/}.py || exit 1; \
	done

lock: install
	@for set in bootstrap base dev; do \
		$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-header --upgrade --python-version 3.11 \
			requirements/$$set.in -o requirements/$$set.txt || exit 1; \
	done

clean:
	rm -rf .venv .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis staticfiles
	find . -name __pycache__ -type d -not -path './.venv/*' -exec rm -rf {} +
