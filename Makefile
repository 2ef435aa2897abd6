# `make run` and `make test` do all the set-up themselves; they need Python 3.11 or newer and make.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: run test quick lint build bundles hashes checkov rehearse simulate bench help clean

help:  ## What can be made
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

run: $(VENV)/.ready-to-run  ## Run everything on this machine: one process, SQLite, a simulated Telegram unless BOT_TOKEN is set
	@exec $(BIN)/python -m infra.embedded

test: lint  ## Lint, types and every test this machine can run
	$(BIN)/python -m pytest -n auto --dist loadgroup

quick: $(VENV)/.ready-to-test  ## The developer's loop: no servers, no browsers
	$(BIN)/python -m pytest -n auto -m "not server"

lint: $(VENV)/.ready-to-test  ## Format, lint and types
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

build: $(VENV)/.ready-to-test  ## build/<function>/ for each function, ready to deploy, and the packages' wheels
	@$(BIN)/python -m infra.bundles

bundles: $(VENV)/.ready-to-test  ## The same without the wheels
	@$(BIN)/python -m infra.bundles --no-wheels

hashes: $(VENV)/.ready-to-test  ## After a change of requirements.txt: what the packages must hash to
	@$(BIN)/python -m infra.bundles.hashes

checkov: build/checkov/bin/checkov  ## What checkov finds in the Terraform files; offline once it is installed
	@build/checkov/bin/checkov --directory infra/terraform --framework terraform --compact --quiet --skip-download

rehearse: build  ## Production on this machine: Google's emulators, each function a process of its own; PAIRS=17
	@$(BIN)/python -m infra.rehearsal --pairs $(or $(PAIRS),17)

simulate: $(VENV)/.ready-to-test  ## The whole system on a simulated clock, with faults; SEEDS=1000
	@$(BIN)/python -m tests.simulation --seeds $(or $(SEEDS),1000)

bench: build  ## What starting each function costs, as ratios
	@$(BIN)/python -m infra.bundles.cold_start

clean:  ## Remove what the above made; pairs and records in ./data stay
	rm -rf $(VENV) build *.egg-info .mypy_cache .ruff_cache .pytest_cache

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed; this is " + sys.version.split()[0] + ". Set PYTHON to another one.")'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.ready-to-run: infra/embedded/requirements.txt pyproject.toml | $(BIN)/python
	@echo "Installing what the engine needs into $(VENV) …"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r infra/embedded/requirements.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/.ready-to-test: tests/requirements.txt requirements.txt $(VENV)/.ready-to-run
	@echo "Installing what the tests need into $(VENV) …"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r tests/requirements.txt
	@touch $@

# Apart from the tests: its packages are many and pinned to other versions.
build/checkov/bin/checkov:
	@echo "Installing checkov into build/checkov …"
	@$(PYTHON) -m venv build/checkov
	@build/checkov/bin/python -m pip install --quiet --disable-pip-version-check checkov==3.3.30
