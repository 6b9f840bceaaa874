# The two commands of the README are `demo` and `test`; both set up all they need.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Newest of the series that the provider is built for; `make AIRFLOW=... ` tries another.
AIRFLOW ?= 3.3.2
OLDEST_AIRFLOW ?= 3.1.8
OLDEST_VENV := .venv-oldest
PRODUCTION_VENV := .venv-production
FAB_VENV := .venv-fab
SDK_ENVIRONMENTS := .env-sdk
AZURITE := .env-azurite
TESSDATA := .env-tessdata

# Containers often forbid Python to write bytecode; then each process that a test starts would compile the provider anew.
unexport PYTHONDONTWRITEBYTECODE

# Tests run side by side, file by file: what the tests of a file share is made once. `make PARALLEL= ...` runs them one by one.
PARALLEL ?= -n logical --dist loadfile
# How many of its parts `make test` runs side by side.
JOBS ?= 2

# Tesseract's language data comes from the distribution; without root it is unpacked into the checkout.
export ASPOSE_OCR_EMULATOR_TESSDATA ?= $(abspath $(TESSDATA))

.PHONY: demo demo-invoices airflow check test unit coverage contract test-airflow test-airflow-shared test-airflow-alone test-oldest test-busy test-properties test-stores test-failures test-flows test-demos test-distributed test-storm \
	test-storm-batch test-storm-batch-small test-inbox test-inbox-small test-storm-inbox test-claims test-viewer test-live bench \
	lint types wheel format setup clean help

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { gsub(/\$$\$$/, "$$", $$2); printf "  %-24s%s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

demo: $(VENV)/demo.stamp $(TESSDATA)/stamp ## run the chain on the bundled scans, print files and error rates
	$(BIN)/python -m demo.run

demo-invoices: $(VENV)/invoices.stamp $(TESSDATA)/stamp ## a folder of invoices becomes a typed table in PostgreSQL, which must run on loopback
	$(BIN)/python -m demo.invoices

airflow: $(VENV)/demo.stamp $(TESSDATA)/stamp ## leave Airflow with its UI and the emulator running
	$(BIN)/python -m demo.play

check: lint types $(VENV)/test.stamp ## lint, types, and the quick tests that start no process: what to run while you work
	$(BIN)/python -m pytest $(PARALLEL) -q -m "not process and not slow" --hypothesis-profile=glance tests/unit tests/properties

# Real Airflow waits most of its time, so its tests run beside the others, but for `make test JOBS=1`; all environments are made before, or they would begin
# with the last of the others.
test: $(VENV)/test.stamp $(OLDEST_VENV)/stamp $(SDK_ENVIRONMENTS)/stamp $(TESSDATA)/stamp ## all tests that need no servers; see also test-stores, test-failures, test-distributed
	$(MAKE) --jobs=$(JOBS) --keep-going test-airflow-shared unit contract test-oldest test-airflow-alone

unit: $(VENV)/test.stamp $(TESSDATA)/stamp ## unit and property tests
	$(BIN)/python -m pytest $(PARALLEL) tests/unit tests/properties

# Beside `unit`, because the tracer makes tests slower by half, and some of them count CPU and memory.
coverage: $(VENV)/test.stamp ## lines and branches of api/ and lifecycle/ that tests reach; fails below the floor in pyproject.toml
	$(BIN)/python -m pytest $(PARALLEL) -q -m "not process" --cov --cov-report=term --ignore=tests/unit/emulator --ignore=tests/unit/demo \
		--ignore=tests/unit/benchmarks tests/unit tests/properties

test-busy: $(VENV)/test.stamp $(TESSDATA)/stamp ## unit tests three times beside busy loops: none may depend on the machine's speed
	for round in 1 2 3; do \
		$(BIN)/python tools/beside_busy_loops.py $(BIN)/python -m pytest $(PARALLEL) -q tests/unit tests/properties || exit; \
	done

contract: $(VENV)/test.stamp $(SDK_ENVIRONMENTS)/stamp ## the vendor's SDK against the emulator
	$(BIN)/python -m pytest $(PARALLEL) tests/contract

test-airflow: test-airflow-shared test-airflow-alone ## DAGs on real Airflow processes

# Most files share one Airflow; those of ALONE start their own, or none, so that they can run beside the others.
ALONE := $(addprefix tests/airflow/test_,batch_dag.py dag_test.py installed_wheel.py local_airflow.py oldest_airflow.py oldest_review.py openlineage.py \
	what_airflow_is_told.py)

test-airflow-shared: $(VENV)/test.stamp
	$(BIN)/python -m pytest tests/airflow $(addprefix --ignore=,$(ALONE))

test-airflow-alone: $(VENV)/test.stamp $(OLDEST_VENV)/stamp
	$(BIN)/python -m pytest $(ALONE)

# Left out are cases in which Airflow 3.1 itself answers, in words of its own, and its own deprecation warnings. Of the client,
# which imports no Airflow, only that can differ which talks through the HTTP libraries, whose versions an Airflow may hold
# back, and the references that Airflow serializes.
test-oldest: $(OLDEST_VENV)/stamp ## imports and unit tests on the oldest Airflow; its chain is in test-airflow
	$(OLDEST_VENV)/bin/python -m pytest $(PARALLEL) -o filterwarnings=default -p no:cacheprovider tests/unit/api/http tests/unit/api/test_api_responses.py \
		$(addprefix tests/unit/documents/test_,sources.py destinations.py file_systems.py atomic_create.py owners.py folder_pages.py uris.py) tests/unit/test_clients.py \
		tests/unit/hooks/test_hook.py tests/unit/triggers/test_trigger.py \
		tests/unit/triggers/test_batch_trigger.py tests/unit/operators/test_batch.py tests/unit/batch/test_tripwire.py tests/unit/sensors/test_sensor.py \
		$(addprefix tests/unit/operators/test_,waiting.py operators.py plan_inbox.py) tests/unit/triggers/test_inbox_trigger.py \
		tests/unit/ingestion tests/unit/viewer/test_viewer_routes.py \
		--deselect tests/unit/hooks/test_hook.py::TestConnection::test_extras_that_are_no_object_are_named_both_ways \
		--deselect tests/unit/hooks/test_hook.py::TestTestConnection::test_a_form_that_makes_no_sense \
		--deselect tests/unit/sensors/test_sensor.py::TestParseTime::test_what_makes_no_sense_is_named

test-properties: $(VENV)/test.stamp ## the property tests, each reader of results on 100,000 inputs
	$(BIN)/python -m pytest $(subst loadfile,worksteal,$(PARALLEL)) tests/properties --hypothesis-profile=thorough

# The next four need more than `test`: npm and node for Azurite, PostgreSQL and Redis on loopback. Without them they fail.
test-stores: $(PRODUCTION_VENV)/stamp $(AZURITE)/stamp ## killed writers against S3 (moto), Azure Blob (Azurite) and Google Cloud Storage (fake-gcs-server)
	ASPOSE_OCR_AZURITE=$(abspath $(AZURITE)) $(PRODUCTION_VENV)/bin/python -m pytest tests/stores

test-failures: $(PRODUCTION_VENV)/stamp ## what each failure costs, the table of docs/failures.md
	$(PRODUCTION_VENV)/bin/python -m pytest tests/failures

test-flows: $(PRODUCTION_VENV)/stamp ## the example DAGs that write into PostgreSQL
	$(PRODUCTION_VENV)/bin/python -m pytest tests/flows --ignore tests/flows/test_demo_invoices_flow.py

# They have a target of their own, because each starts an Airflow with all example DAGs, which takes minutes.
test-demos: $(PRODUCTION_VENV)/stamp $(VENV)/browser.stamp ## `make demo-invoices` and `make airflow` from their start to their end, as a newcomer runs them
	$(PRODUCTION_VENV)/bin/python -m pytest tests/flows/test_demo_invoices_flow.py
	$(BIN)/python -m pytest tests/browser/test_make_airflow.py

# The tests of an inbox have a target of their own, because their Airflow reads its DAG files more often.
test-distributed: $(PRODUCTION_VENV)/stamp ## CeleryExecutor, two workers, two triggerers, and storms of failures
	BATCH_STORM_DOCUMENTS=30 BATCH_STORM_KILLS=1 BATCH_STORM_TRIGGERER_KILLS=0 BATCH_STORM_SUSPENDS=0 \
		$(PRODUCTION_VENV)/bin/python -m pytest -s tests/distributed $(addprefix --ignore tests/distributed/test_inbox_,goal.py events.py storm.py)

test-storm-batch-small: $(PRODUCTION_VENV)/stamp ## the storm over a batch of 80 documents
	$(PRODUCTION_VENV)/bin/python -m pytest -s tests/distributed/test_batch_storm.py

test-storm: $(PRODUCTION_VENV)/stamp ## the storm at its full size, 100 documents
	STORM_DOCUMENTS=100 $(PRODUCTION_VENV)/bin/python -m pytest -s tests/distributed/test_storm.py

test-storm-batch: $(PRODUCTION_VENV)/stamp ## the storm over a batch at its full size, 1,000 documents in one task
	BATCH_STORM_DOCUMENTS=1000 BATCH_STORM_KILLS=10 BATCH_STORM_TRAPS=5 BATCH_STORM_TRIGGERER_KILLS=3 BATCH_STORM_IN_FLIGHT=100 \
		$(PRODUCTION_VENV)/bin/python -m pytest -s tests/distributed/test_batch_storm.py

test-inbox: $(PRODUCTION_VENV)/stamp ## an inbox of 1,000 files in S3, and files that come while Airflow loses events
	INBOX_FILES=1000 INBOX_BATCH_DOCUMENTS=50 DISTRIBUTED_PARSE_SECONDS=10 DISTRIBUTED_QUEUES=0 \
		$(PRODUCTION_VENV)/bin/python -m pytest -s tests/distributed/test_inbox_goal.py tests/distributed/test_inbox_events.py

test-inbox-small: $(PRODUCTION_VENV)/stamp ## an inbox of 60 files in S3, and a storm over 50 files
	DISTRIBUTED_PARSE_SECONDS=10 DISTRIBUTED_QUEUES=0 INBOX_STORM_DOCUMENTS=50 \
		$(PRODUCTION_VENV)/bin/python -m pytest -s $(addprefix tests/distributed/test_inbox_,goal.py storm.py)

test-storm-inbox: $(PRODUCTION_VENV)/stamp ## 200 files dropped into an inbox while triggerers, workers and the scheduler are killed
	DISTRIBUTED_PARSE_SECONDS=10 DISTRIBUTED_QUEUES=0 \
		$(PRODUCTION_VENV)/bin/python -m pytest -s tests/distributed/test_inbox_storm.py

test-claims: $(PRODUCTION_VENV)/stamp $(AZURITE)/stamp ## 16 processes that claim the same document 300 times, on each store
	CLAIM_ROUNDS=300 ASPOSE_OCR_AZURITE=$(abspath $(AZURITE)) \
		$(PRODUCTION_VENV)/bin/python -m pytest tests/stores/test_register_on_stores.py

test-viewer: $(VENV)/browser.stamp $(FAB_VENV)/stamp $(OLDEST_VENV)/stamp ## the viewer in Airflow's UI, and a person who corrects an invoice there, with Chromium; pictures of it are in $$ASPOSE_OCR_SCREENSHOTS
	$(BIN)/python -m pytest tests/browser --ignore tests/browser/test_make_airflow.py

test-live: $(VENV)/test.stamp ## the vendor's live service, with your credentials: at most ten billed requests, see docs/compatibility.md
	$(BIN)/python -m tests.live.run

# Servers, SDK and all: an hour and a quarter, and worth little on a machine that has other work.
bench: $(PRODUCTION_VENV)/stamp $(AZURITE)/stamp $(SDK_ENVIRONMENTS)/stamp $(TESSDATA)/stamp ## the benchmarks, and their table in docs/performance.md
	ASPOSE_OCR_AZURITE=$(abspath $(AZURITE)) ASPOSE_OCR_SDK_ENVIRONMENTS=$(abspath $(SDK_ENVIRONMENTS)) \
		$(PRODUCTION_VENV)/bin/python -m tests.benchmarks.run
	$(PRODUCTION_VENV)/bin/python tools/picture.py

lint: $(VENV)/lint.stamp ## ruff, without changing anything
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/lint.stamp $(VENV)/test.stamp ## mypy, strict, over package, tests, examples, demo and tools
	$(BIN)/mypy

format: $(VENV)/lint.stamp ## ruff, which formats and fixes
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

wheel: $(VENV)/lint.stamp ## build the wheel and see Airflow list the provider in a clean environment
	rm -rf dist .env-wheel
	$(BIN)/python -m build --outdir dist .
	$(PYTHON) -m venv .env-wheel
	sh tools/install.sh .env-wheel/bin/python "apache-airflow==$(AIRFLOW)" dist/*.whl
	AIRFLOW_HOME=$(abspath .env-wheel)/airflow .env-wheel/bin/airflow providers list -o plain | grep airflow-provider-asposeocr

setup: $(VENV)/demo.stamp

$(VENV)/bin/python:
	$(PYTHON) -c "import sys; sys.exit('Python 3.11 or newer is needed; try make PYTHON=python3.12' if sys.version_info < (3, 11) else 0)"
	$(PYTHON) -m venv $(VENV)

$(VENV)/demo.stamp: pyproject.toml | $(VENV)/bin/python
	sh tools/install.sh $(BIN)/python "apache-airflow==$(AIRFLOW)" -e ".[emulator]"
	touch $@

$(VENV)/invoices.stamp: $(VENV)/demo.stamp
	sh tools/install.sh $(BIN)/python --group invoices
	touch $@

$(VENV)/test.stamp: $(VENV)/demo.stamp
	sh tools/install.sh $(BIN)/python --group test
	touch $@

$(VENV)/browser.stamp: $(VENV)/test.stamp
	sh tools/install.sh $(BIN)/python --group browser
	sh tools/chromium.sh $(BIN)/python
	touch $@

$(VENV)/lint.stamp: $(VENV)/demo.stamp
	sh tools/install.sh $(BIN)/python --group lint
	touch $@

$(OLDEST_VENV)/stamp: pyproject.toml
	$(PYTHON) -m venv $(OLDEST_VENV)
	sh tools/install.sh $(OLDEST_VENV)/bin/python "apache-airflow==$(OLDEST_AIRFLOW)" -e . --group test
	touch $@

$(FAB_VENV)/stamp: pyproject.toml
	$(PYTHON) -m venv $(FAB_VENV)
	sh tools/install.sh $(FAB_VENV)/bin/python "apache-airflow==$(AIRFLOW)" -e . --group fab
	touch $@

$(PRODUCTION_VENV)/stamp: pyproject.toml
	$(PYTHON) -m venv $(PRODUCTION_VENV)
	sh tools/install.sh $(PRODUCTION_VENV)/bin/python "apache-airflow==$(AIRFLOW)" -e ".[emulator]" \
		--group test --group production
	touch $@

$(AZURITE)/stamp: tools/azurite.sh
	sh tools/azurite.sh $(AZURITE)
	touch $@

$(SDK_ENVIRONMENTS)/stamp: tests/contract/make_sdk_environments.py | $(VENV)/test.stamp
	$(BIN)/python tests/contract/make_sdk_environments.py $(SDK_ENVIRONMENTS)
	touch $@

$(TESSDATA)/stamp: tools/tessdata.sh
	sh tools/tessdata.sh $(TESSDATA)
	@if ls $(TESSDATA)/*.traineddata >/dev/null 2>&1; then touch $@; fi

clean: ## remove everything that was made here
	rm -rf $(VENV) $(OLDEST_VENV) $(PRODUCTION_VENV) $(FAB_VENV) $(SDK_ENVIRONMENTS) $(AZURITE) $(TESSDATA) .env-wheel dist .demo .pytest_cache .mypy_cache .ruff_cache .hypothesis .bench .distributed
