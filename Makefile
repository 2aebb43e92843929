# make ask Q="..."   answer a question about the five articles      make test    all tests
# make chat          the page in the browser                        make eval    the evaluation, with its floors
# make check         lint, types, label check                       make fix     format and mend lint

PYTHON ?= python3.11
BIN := .venv/bin
READY := .venv/.ready
Q ?= How many corrupt fugitives are still at large abroad?

.PHONY: ask chat test eval check fix install

ask: $(READY)
	@$(BIN)/qa ask "$$Q"

chat: $(READY)
	@$(BIN)/qa chat

test: $(READY)
	$(BIN)/python -m pytest $(ARGS)

eval: $(READY)
	$(BIN)/python -m eval

check: $(READY)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/python -m eval check

fix: $(READY)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

install: $(READY)

export Q

$(READY): pyproject.toml constraints.txt
	@command -v $(PYTHON) >/dev/null || { echo "make: $(PYTHON) not found; install Python 3.11 or later and name it: make PYTHON=python3" >&2; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[dev]'
	@touch $@
