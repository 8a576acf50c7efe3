# Commands for people and CI. `make` alone lists the targets.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
TESTS ?=
# Tests wait for processes that they start: one more than there are cores.
WORKERS ?= $(shell expr $$(getconf _NPROCESSORS_ONLN) + 1)

.DEFAULT_GOAL := help
.PHONY: help install install-dev run dev shell migrate test fuzz lint format openapi bench bench-scale faults pictures diagrams install-service audit lock sbom clean

help: ## List the targets
	@grep -hE '^[a-z-]+:.*## ' Makefile | sed -E 's/^([a-z-]+):.*## (.*)/\1\t\2/' | while IFS="$$(printf '\t')" read -r name text; do printf '  make %-15s %s\n' "$$name" "$$text"; done

run: install ## Set up and run everything: web, worker, beat, simulator, PostgreSQL. Ctrl+C stops it
	@DEMO="$${DEMO-true}" exec $(BIN)/python manage.py run

dev: install-dev ## Run the demo for development: web and worker reload on change, DEBUG, the debug toolbar
	@DEMO="$${DEMO-true}" DEBUG="$${DEBUG-true}" exec $(BIN)/python manage.py run --procfile Procfile.dev

shell: install ## Open a Django shell on the same data as `make run`
	@DEMO="$${DEMO-true}" exec $(BIN)/python manage.py shell

migrate: install ## Apply the database migrations
	@DEMO="$${DEMO-true}" exec $(BIN)/python manage.py migrate

# Processes that tests start would compile the project each time if nobody may write the result.
test: install-dev ## Set up and run the tests; TESTS="readings -k store" narrows them
	@PYTHONDONTWRITEBYTECODE= exec $(BIN)/python -m pytest -n $(WORKERS) --dist loadgroup $(TESTS)

fuzz: install-dev ## Send thousands of generated requests to the REST API; FUZZ_EXAMPLES=50 runs longer
	@FUZZ_EXAMPLES="$${FUZZ_EXAMPLES-20}" FUZZ_SEQUENCES="$${FUZZ_SEQUENCES-40}" exec $(BIN)/python -m pytest -s tests/rest_api/test_fuzzing.py

lint: install-dev ## Check style, spelling, types, imports between packages, migrations and settings
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/codespell
	$(BIN)/lint-imports
	$(BIN)/mypy
	$(BIN)/python manage.py makemigrations --check --dry-run
	$(BIN)/python manage.py check --fail-level WARNING
	$(BIN)/python -m pip check

format: install-dev ## Fix style automatically
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

openapi: install ## Regenerate docs/openapi.json, the REST API's contract; write its offline page and its collection
	$(BIN)/python manage.py spectacular --validate --fail-on-warn --format openapi-json --file docs/openapi.json
	$(BIN)/python manage.py offline_api_page
	$(BIN)/python manage.py api_collection

bench: install-dev ## Run the benchmarks and write docs/benchmarks.md; takes about 10 minutes
	@$(BIN)/python -m benchmarks && exec $(BIN)/python -m benchmarks.report

bench-scale: install-dev ## Run the benchmarks with up to a hundred million readings; takes about an hour and a half
	@$(BIN)/python -m benchmarks --scale && exec $(BIN)/python -m benchmarks.report

faults: install-dev ## Inject faults into a system of its own and write docs/fault-report.md; takes about 40 minutes
	@exec $(BIN)/python -m faults

diagrams: install ## Regenerate the entity-relationship diagram in docs/models.md
	@exec $(BIN)/python manage.py model_diagram --write

pictures: install-dev ## Take the screenshots of the documentation from the running demo
	@exec $(BIN)/python docs/take_pictures.py

install-service: install ## Show how the systemd services would be installed; APPLY=1 installs them
	@exec $(BIN)/python manage.py install_service $(if $(APPLY),--apply) $(if $(DESTDIR),--destdir "$(DESTDIR)")

audit: $(VENV)/installed-audit ## Look for known vulnerabilities of the dependencies; says what could not be looked up
	@$(BIN)/pip-audit --disable-pip --no-deps --requirement requirements.txt > $(VENV)/audit 2>&1; status=$$?; cat $(VENV)/audit; \
	if grep -q -i "could not connect" $(VENV)/audit; \
	then echo "Skipped: the database of vulnerabilities cannot be reached." >&2; exit 0; fi; \
	if grep -q "could not be audited" $(VENV)/audit; \
	then echo "Incomplete: the database does not know the dependencies named above. Repeat this where it is complete." >&2; fi; \
	exit $$status

lock: $(VENV)/installed-audit ## Write requirements.lock, the hashes of what requirements.txt pins
	$(BIN)/pip-compile --quiet --generate-hashes --no-emit-index-url --no-emit-find-links --no-header --no-annotate --strip-extras --output-file $(VENV)/lock requirements.txt
	@{ head -n 1 requirements.lock; cat $(VENV)/lock; } > $(VENV)/lock.new && mv $(VENV)/lock.new requirements.lock

sbom: $(VENV)/installed-audit ## Write docs/sbom.cdx.json (CycloneDX) and docs/licences.md
	$(BIN)/cyclonedx-py requirements requirements.txt --output-reproducible --output-file docs/sbom.cdx.json
	$(BIN)/python manage.py licences --write

install: $(VENV)/installed ## Create or update the virtual environment
install-dev: $(VENV)/installed-dev ## The same with what development, tests and lint need

clean: ## Remove generated files except the virtual environment and the data
	rm -rf .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis .coverage htmlcov
	find . -name __pycache__ -type d -not -path './$(VENV)/*' -prune -exec rm -rf {} +

# The stamp holds the requirements that were installed, so touching the file reinstalls nothing.
$(VENV)/installed: requirements.lock | $(BIN)/pip
	@cmp -s requirements.lock $@ || $(BIN)/python -m pip install --quiet --require-hashes --requirement requirements.lock
	@cp requirements.lock $@

$(VENV)/installed-audit: requirements-audit.txt $(VENV)/installed
	@cmp -s requirements-audit.txt $@ || $(BIN)/python -m pip install --quiet --requirement requirements-audit.txt
	@cp requirements-audit.txt $@

$(VENV)/installed-dev: requirements-dev.txt $(VENV)/installed
	@cat requirements.txt requirements-dev.txt | cmp -s - $@ || $(BIN)/python -m pip install --quiet --requirement requirements-dev.txt
	@cat requirements.txt requirements-dev.txt > $@

$(BIN)/pip:
	@command -v $(PYTHON) > /dev/null || { echo "Python 3.11 or newer is needed, and $(PYTHON) is not installed." >&2; exit 1; }
	@$(PYTHON) -c 'import sys; v = "%d.%d" % sys.version_info[:2]; sys.exit(0 if sys.version_info >= (3, 11) else "Python 3.11 or newer is needed; $(PYTHON) is " + v + ". Name another one: make PYTHON=python3.12")'
	@echo "Creating the virtual environment $(VENV)"
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); echo "Python's venv module is needed (on Debian: the package python3-venv)." >&2; exit 1; }
