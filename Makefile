# Everything a person or the CI runs. `make` alone lists the targets.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
TESTS ?=
WORKERS ?= auto

.DEFAULT_GOAL := help
.PHONY: help install install-dev run test fuzz lint format openapi bench pictures clean

help: ## List the targets
	@grep -hE '^[a-z-]+:.*## ' Makefile | sed -E 's/^([a-z-]+):.*## (.*)/\1\t\2/' | while IFS="$$(printf '\t')" read -r name text; do printf '  make %-12s %s\n' "$$name" "$$text"; done

run: install ## Set up and run everything: web, worker, beat, simulator, PostgreSQL. Ctrl+C stops all
	@DEMO="$${DEMO-true}" exec $(BIN)/python manage.py run

test: install-dev ## Set up and run the tests; TESTS="readings -k store" narrows them
	@exec $(BIN)/python -m pytest -n $(WORKERS) --dist loadgroup $(TESTS)

fuzz: install-dev ## Send the REST API thousands of requests that nobody means; FUZZ_EXAMPLES=50 tries longer
	@FUZZ_EXAMPLES="$${FUZZ_EXAMPLES-20}" FUZZ_SEQUENCES="$${FUZZ_SEQUENCES-40}" exec $(BIN)/python -m pytest -s tests/test_fuzzing.py

lint: install-dev ## Check style, types, imports between the rooms, migrations and settings
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/mypy
	$(BIN)/python manage.py makemigrations --check --dry-run
	$(BIN)/python manage.py check --fail-level WARNING
	$(BIN)/python -m pip check

format: install-dev ## Mend what can be mended by itself
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

openapi: install ## Renew docs/openapi.json, the contract of the REST API that a test holds
	$(BIN)/python manage.py spectacular --validate --fail-on-warn --format openapi-json --file docs/openapi.json

bench: install ## Measure; takes some minutes
	@exec $(BIN)/python -m benchmarks

pictures: install-dev ## Take the documentation's pictures from the running demo
	@exec $(BIN)/python docs/take_pictures.py

install: $(VENV)/installed ## Make the virtual environment, or bring it up to date
install-dev: $(VENV)/installed-dev ## The same with what tests and lint need

clean: ## Remove what was made, except the virtual environment and the data
	rm -rf .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis .coverage htmlcov
	find . -name __pycache__ -type d -not -path './$(VENV)/*' -prune -exec rm -rf {} +

# The stamp holds what was installed: a checkout that changes a file's time only installs nothing.
$(VENV)/installed: requirements.txt | $(BIN)/pip
	@cmp -s requirements.txt $@ || $(BIN)/python -m pip install --quiet --requirement requirements.txt
	@cp requirements.txt $@

$(VENV)/installed-dev: requirements-dev.txt $(VENV)/installed
	@cat requirements.txt requirements-dev.txt | cmp -s - $@ || $(BIN)/python -m pip install --quiet --requirement requirements-dev.txt
	@cat requirements.txt requirements-dev.txt > $@

$(BIN)/pip:
	@command -v $(PYTHON) > /dev/null || { echo "Python 3.11 or newer is needed, and $(PYTHON) is not installed." >&2; exit 1; }
	@$(PYTHON) -c 'import sys; v = "%d.%d" % sys.version_info[:2]; sys.exit(0 if sys.version_info >= (3, 11) else "Python 3.11 or newer is needed; $(PYTHON) is " + v + ". Name another one: make PYTHON=python3.12")'
	@echo "Making the virtual environment $(VENV)"
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); echo "Python's venv module is needed (on Debian: the package python3-venv)." >&2; exit 1; }
