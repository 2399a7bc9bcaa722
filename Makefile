# lotgate: `make demo` shows a car park at work, `make test` proves it. Both set up what they need.

# Debian's own interpreter, which the gateways run too: a tenth faster than one built without its optimisations.
PYTHON ?= $(shell command -v /usr/bin/python3.11 || command -v python3)
BIN := .venv/bin
STAMP := .venv/.installed
RUN_PACKAGES := python3-venv postgresql-15-postgis-3 mosquitto
TEST_PACKAGES := $(RUN_PACKAGES) dbus-daemon chromium fonts-dejavu-core fonts-noto-color-emoji systemd graphviz spin gcc libc6-dev
DEMO_SECONDS ?= 60
DEMO_SPEED ?= 60
DEMO_SEED ?= 1
# One more than CI's cores: much of a test is waiting for another process.
WORKERS ?= 3

.PHONY: setup demo test check bench proof clean system-run system-test

setup: system-run $(STAMP)

system-run:
	@deploy/install_system_packages.sh $(RUN_PACKAGES)

system-test:
	@deploy/install_system_packages.sh $(TEST_PACKAGES)

$(STAMP): requirements.lock pyproject.toml
	@echo "Setting up .venv with the locked packages"
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install -q --disable-pip-version-check --no-deps --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install -q --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

demo: setup
	$(BIN)/lotgate demo --for $(DEMO_SECONDS) --speed $(DEMO_SPEED) --seed $(DEMO_SEED) --report report.json

# What is timed and the demo's minute have the machine to themselves; the rest shares it.
ALONE := tests/e2e/test_demo.py::test_a_minute_of_the_demo_proves_that_nothing_was_lost tests/e2e/test_broken_builds.py tests/integration/edge/test_start_time.py
test: system-test $(STAMP) check
	$(BIN)/python -m pytest -q -m "not proof" -n $(WORKERS) --dist worksteal --durations=10 $(addprefix --deselect=,$(ALONE))
	$(BIN)/python -m pytest -q -m "not proof" --durations=10 $(ALONE)

check: system-test $(STAMP)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	deploy/check_units.sh
	$(BIN)/python docs/state_diagrams.py --check

bench: setup
	@for file in benchmarks/*.py; do echo "== $$file"; $(BIN)/python "$$file" || exit 1; done

proof: system-test $(STAMP)
	$(BIN)/python -m pytest -q -m proof --durations=0

clean:
	rm -rf .venv build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache report.json
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
