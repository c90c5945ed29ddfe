# vpbx: every target installs what it needs, once, into .venv.
.DEFAULT_GOAL := help
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
PEER ?=
FLOODS ?=

help: ## show the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

setup: $(VENV)/.installed ## install vpbx into .venv and start nothing

$(VENV)/.installed: pyproject.toml requirements.lock scripts/setup.sh assets.lock scripts/assets.py $(wildcard src/vpbx/console/islands/*.js)
	@PYTHON=$(PYTHON) sh scripts/setup.sh $(VENV) run

$(VENV)/.installed-dev: $(VENV)/.installed requirements-dev.lock
	@PYTHON=$(PYTHON) sh scripts/setup.sh $(VENV) dev

$(VENV)/.installed-system: scripts/setup-system.sh
	@mkdir -p $(VENV)
	@sh scripts/setup-system.sh && touch $@

$(VENV)/.installed-node: sdk/typescript/package-lock.json scripts/setup-node.sh
	@mkdir -p $(VENV) && sh scripts/setup-node.sh $(VENV)

run: setup ## start the demo: a call comes in, is answered, and the PBX keeps running
	@$(BIN)/vpbx demo

test: $(VENV)/.installed-dev $(VENV)/.installed-system $(VENV)/.installed-node ## run all tests (T=path or -k words)
	@$(BIN)/python -m tests.run $(T)

pictures: $(VENV)/.installed-dev $(VENV)/.installed-system ## make pictures of every page of the console, in screenshots/
	@$(BIN)/pytest -q tests/console/test_pages.py

fuzz: $(VENV)/.installed-dev $(VENV)/.installed-system ## fuzz SIP, SDP, STUN and HTTP for ten minutes (FUZZ_SECONDS=N)
	@FUZZ_SECONDS=$${FUZZ_SECONDS:-600} FUZZ_SEED=$${FUZZ_SEED:-$$(date +%s)} $(BIN)/pytest tests/hostile/test_fuzz.py

MEASURES := $(filter-out bench,$(MAKECMDGOALS))
bench: $(VENV)/.installed-dev $(VENV)/.installed-system ## measure against the targets, or what is named: make bench attack (PEER=asterisk, BASE=another checkout to compare)
	@PEER=$(PEER) BASE=$(BASE) FLOODS="$(FLOODS)" $(BIN)/python -m bench $(MEASURES)

ifneq ($(filter bench,$(MAKECMDGOALS)),)
$(MEASURES): bench ;
.PHONY: $(MEASURES)
endif

lint: $(VENV)/.installed-dev ## ruff, mypy strict, import-linter
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache

fmt: $(VENV)/.installed-dev ## format the code
	@$(BIN)/ruff check --fix -q .
	@$(BIN)/ruff format -q .

types: $(VENV)/.installed-dev $(VENV)/.installed-node ## make the TypeScript types of the API, a file of the release
	@$(BIN)/python scripts/typescript_types.py dist/vpbx-crm-api.d.ts

reference: $(VENV)/.installed-dev ## make the reference page of the SDK, a file of the release
	@PYTHONPATH=sdk/src $(BIN)/python scripts/sdk_reference.py dist/vpbx-sdk.md

lock: $(VENV)/.installed-dev ## renew the locks from pyproject.toml
	@$(BIN)/pip install -q pip-tools
	@$(BIN)/pip-compile -q --generate-hashes --strip-extras --no-emit-index-url --no-emit-find-links -o requirements.lock pyproject.toml
	@$(BIN)/pip-compile -q --generate-hashes --strip-extras --no-emit-index-url --no-emit-find-links --allow-unsafe --extra dev -c requirements.lock -o requirements-dev.lock pyproject.toml

clean: ## remove what setup and the tests made
	@rm -rf $(VENV) build dist bench-out .pytest_cache .mypy_cache .ruff_cache src/*.egg-info

.PHONY: help setup run test pictures fuzz bench lint fmt types reference lock clean
