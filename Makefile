# Two commands matter: `make demo` (a forecast, maps and scores in demo/) and `make test`.
PYTHON ?= $(firstword $(shell command -v python3.11 python3.12 python3.13 python3))
BIN := .venv/bin
STAMP := .venv/.installed

.PHONY: demo test setup lint format bench skill gallery clean help

help:           ## list the targets
	@grep -E '^[a-z]+:.*##' Makefile | sed 's/:.*##/\t/'

setup: $(STAMP) ## create .venv and install everything from pinned constraints

$(STAMP): pyproject.toml constraints.txt .ci/setup
	@bash .ci/setup "$(PYTHON)"
	@touch $(STAMP)

demo: $(STAMP)  ## forecast, score and draw the shipped sample with the shipped checkpoint
	@mkdir -p demo
	@$(BIN)/sphercast demo --out demo

test: $(STAMP) lint ## lint, types, import contracts, tests
	OMP_NUM_THREADS=1 $(BIN)/pytest -n 2 --dist loadfile

lint: $(STAMP)  ## ruff, mypy, import contracts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(STAMP) ## mend what ruff can mend
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(STAMP) ## measure; JSON on standard output (peers: pip install -c constraints.txt -e '.[peers]')
	$(BIN)/python -m benchmarks.building
	OMP_NUM_THREADS=1 $(BIN)/python benchmarks/regridding.py
	$(BIN)/python benchmarks/store_statistics.py
	$(BIN)/python benchmarks/loading.py
	$(BIN)/python benchmarks/grib.py
	$(BIN)/python benchmarks/crps.py
	OMP_NUM_THREADS=1 $(BIN)/python benchmarks/energy.py
	$(BIN)/python -m benchmarks.writing
	$(BIN)/python -m benchmarks.network
	$(BIN)/python -m benchmarks.network --network transformer --widths 192 --blocks 4
	$(BIN)/python -m benchmarks.ensemble
	$(BIN)/python -m benchmarks.samplers
	$(BIN)/python -m benchmarks.feeding

skill: $(STAMP) ## CRPS of the shipped checkpoint on the shipped weeks: the README's table
	$(BIN)/python benchmarks/skill.py

gallery: $(STAMP) ## draw the pictures of docs/gallery.md
	$(BIN)/python docs/draw_gallery.py

clean:          ## remove what the targets made
	rm -rf .venv demo build dist *.egg-info
