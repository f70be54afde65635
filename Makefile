# What a newcomer needs: `make demo` and `make test`. What a contributor needs: `make check`. `make help` lists all.
# Everything is installed into .venv from the hash-locked requirements; nothing else on the machine changes, except
# that `make test` as root on Debian installs the phones and tools of tests/apt-packages.txt.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
UV := $(BIN)/uv
# More than processors: most tests wait most of the time, for a phone to ring or for seconds to pass.
WORKERS ?= 4
# The tests of what `make compile` compiles, and calls through all of Kobza.
COMPILED_TESTS := tests/test_builds.py tests/sip tests/sdp tests/call tests/capture tests/pbx tests/net tests/defence \
	tests/test_beat.py tests/media/test_negotiation.py tests/media/test_browser_negotiation.py \
	tests/media/test_packets.py tests/media/test_embedded.py tests/media/test_messages.py \
	tests/media/test_relay_link.py tests/media/test_life.py tests/media/test_ports.py \
	tests/media/test_port_stock.py tests/media/test_relay_side.py tests/media/test_relaying.py \
	tests/media/test_hold_and_tones.py tests/media/test_recording.py tests/media/test_digits.py \
	tests/media/test_srtp.py tests/media/test_relay.py tests/media/test_readers.py tests/media/test_mixing.py \
	tests/media/test_whom_the_relay_believes.py tests/store/test_ids.py tests/store/test_journal.py tests/webhooks/test_payload.py \
	tests/interop/test_calls.py
# Whose tests take every branch: as in [tool.coverage.run] of pyproject.toml.
WITHOUT_IO := sip sdp rtp call defence
# The sign-in provider of one test, which needs a browser too: in CI there is none (tests/apt-packages.txt).
PROVIDER := $(if $(CI),,$(VENV)/provider/.installed)
LOCK := $(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--custom-compile-command "make lock" $(if $(UPGRADE),--upgrade)

# uv reads VIRTUAL_ENV; a virtual environment that happens to be active must not be changed instead of ours.
export VIRTUAL_ENV := $(abspath $(VENV))
unexport PYTHONHOME
# Where it is set, each start of Kobza would compile all its libraries anew: 2 s of CPU instead of 0.5. The tests start
# hundreds of processes.
unexport PYTHONDONTWRITEBYTECODE
export UV_NO_PROGRESS := 1

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo install dev compile pure test test-compiled test-tools check style types docs format openapi schemathesis coverage pictures crash kills chaos soak impair fuzz bench bench-peers bench-events bench-export bench-media bench-hostile lock clean

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 20

demo: $(VENV)/.run ## install and start Kobza with phones that call each other; Ctrl-C stops it (ARGS="--http …" adds options)
	@exec $(BIN)/kobza demo $(ARGS)

install: $(VENV)/.run ## install what Kobza needs to run into .venv

dev: $(VENV)/.dev $(PROVIDER) ## install what its development needs as well

compile: $(VENV)/.compile ## compile the modules on the way of a call (needs a C compiler): a call costs less CPU
	$(BIN)/python tools/compiled_build.py

pure: $(VENV)/.uv ## take away what `make compile` made
	$(BIN)/python tools/compiled_build.py --remove

test: $(VENV)/.dev $(PROVIDER) test-tools ## run every test, what has a store on SQLite and on PostgreSQL (ARGS="tests/sip -k via" selects)
	$(BIN)/pytest -n $(WORKERS) --dist worksteal $(ARGS)

test-compiled: $(VENV)/.dev $(VENV)/.compile ## compile, and run the tests of what is compiled (ARGS="tests/sip" selects)
	$(BIN)/python tools/compiled_build.py
	$(BIN)/pytest -n $(WORKERS) --dist worksteal --compiled $(or $(ARGS),$(COMPILED_TESTS))

test-tools: ## as root on Debian: install the phones and tools the tests use; else say what will be skipped
	@tools/install-test-tools tests/apt-packages.txt
	@tools/install-promtool build/promtool

check: style types docs ## style, types, the contracts between packages, and the documents against the code

style: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports

types: $(VENV)/.dev
	$(BIN)/mypy

# In CI all files of tests are read here, once and beside the types, so that what pytest makes of them is there when
# several processes read them for `make test`: each would make it anew, 20 s of CPU.
docs: $(VENV)/.dev
	$(BIN)/pytest -q -m docs $(if $(CI),,$$(grep -rl --include='test_*.py' 'mark\.docs' tests))

format: $(VENV)/.dev ## put the code into the one form
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

openapi: $(VENV)/.dev ## write docs/genericfmcapi.yaml anew from the code, and say in words what changed
	$(BIN)/python -m tools.openapi_copy $(ARGS)

schemathesis: $(VENV)/.dev ## look for requests that the interface answers wrongly, for SECONDS (300)
	SCHEMATHESIS_SECONDS=$(or $(SECONDS),300) $(BIN)/pytest tests/interop/test_schemathesis.py $(ARGS)

coverage: $(VENV)/.dev ## run the tests of the packages without I/O; fail where a branch of them was not taken
	$(BIN)/coverage run -m pytest -q $(addprefix tests/,$(WITHOUT_IO))
	$(BIN)/coverage report

pictures: $(VENV)/.dev test-tools ## look at every page of the portal in every form, in Chromium; pictures in build/pictures, the documents' in docs/images
	PICTURES=build/pictures $(BIN)/pytest -n 2 tests/portal/test_every_form.py $(ARGS)
	cp build/pictures/documents/*.png docs/images/

crash: $(VENV)/.dev test-tools ## kill the server 1,000 times and check its books (ARGS="--kills 50 --database postgresql --seed 7")
	$(BIN)/python -m tests.crash $(ARGS)

kills: $(VENV)/.dev ## begin and kill 10,000 calls in every state, then count ports, sockets, tasks and memory (ARGS="--calls 500 --seed 7")
	$(BIN)/python -m tests.media.kills $(ARGS)

chaos: $(VENV)/.dev test-tools ## let the webhook's receiver fail in every way for an hour and check the books (ARGS="--minutes 2")
	$(BIN)/python -m tests.crash.chaos $(ARGS)

soak: $(VENV)/.dev test-tools ## let 50 phones do anything for an hour and look for what is left of it (ARGS="--minutes 5 --seed 7 --database postgresql")
	$(BIN)/python -m tests.soak $(ARGS)

impair: $(VENV)/.dev ## play the same calls over ever worse networks, in virtual time: they must come to the same (ARGS="--rounds 20 --seed 7")
	$(BIN)/python -m tests.soak.matrix $(ARGS)

fuzz: $(VENV)/.dev ## give 10,000,000 spoilt messages and packets to all that read what strangers send (ARGS="--minutes 5 --only sip sdp")
	$(BIN)/python -m tests.fuzz $(ARGS)

bench: $(VENV)/.dev test-tools ## measure and print the table that the README shows
	$(BIN)/python -m bench $(ARGS)

bench-peers: ## as root on Debian: install Asterisk, in build/asterisk, for the benches to measure against
	@tools/install-asterisk build/asterisk

bench-media: $(VENV)/.dev test-tools ## measure what a call's audio costs beside rtpengine and Asterisk, at 20 to 800 calls (ARGS="--calls 100 --rounds 5")
	$(BIN)/python -m bench.media $(ARGS)

bench-events: $(VENV)/.dev test-tools ## measure how soon, how fast and at what cost call states reach a webhook, also after an outage (ARGS="--rate 50 --trunk")
	$(BIN)/python -m bench.events $(ARGS)

bench-hostile: $(VENV)/.dev ## measure calls in a flood of 5,000 bad REGISTERs a second from one address and 500 from many (ARGS="--seconds 60")
	$(BIN)/python -m bench.hostile $(ARGS)

bench-export: $(VENV)/.dev test-tools ## measure exports of 500,000 calls on both databases against their own clients (ARGS="--database sqlite" is one)
	$(BIN)/python -m bench.export $(ARGS)

lock: $(VENV)/.uv ## pin the newest fitting versions that pyproject.toml asks for (UPGRADE=1 moves those already pinned)
	$(LOCK) tools/uv.in -o tools/uv.txt
	$(LOCK) pyproject.toml --group build -o requirements.lock
	$(LOCK) pyproject.toml --extra otel --group build --group dev --group compile --constraint requirements.lock -o requirements-dev.lock
	$(LOCK) --group compile --constraint requirements-dev.lock -o requirements-compile.lock
	$(LOCK) --group provider --constraint requirements-dev.lock -o requirements-provider.lock

clean: ## remove what was installed and built here
	rm -rf $(VENV) build dist demo-data .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .coverage*
	find src tests -name __pycache__ -type d -prune -exec rm -rf {} +

# A stamp file for each step makes a second `make` instant.
$(VENV)/.uv: tools/uv.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Kobza needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) --version). Try: make PYTHON=python3.12" >&2; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || \
		{ echo "Python cannot make a virtual environment; on Debian: apt-get install python3-venv" >&2; rm -rf $(VENV); exit 1; }
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $<
	@touch $@

# --no-build-isolation: the build backend is in the lock, so nothing unpinned is fetched to build the project itself.
INSTALL_KOBZA = $(UV) pip install --quiet --no-deps --no-build-isolation --editable .

$(VENV)/.run: requirements.lock pyproject.toml $(VENV)/.uv
	$(UV) pip install --quiet --require-hashes -r requirements.lock
	$(INSTALL_KOBZA)
	@touch $@

$(VENV)/.compile: requirements-compile.lock $(VENV)/.uv
	@test -e $(VENV)/.dev || test -e $(VENV)/.run || $(MAKE) install
	$(UV) pip install --quiet --require-hashes -r requirements-compile.lock
	@touch $@

# The larger lock holds the smaller one, so it satisfies `make demo` too.
$(VENV)/.dev: requirements-dev.lock requirements.lock pyproject.toml $(VENV)/.uv
	$(UV) pip sync --quiet --require-hashes requirements-dev.lock
	$(INSTALL_KOBZA)
	@touch $(VENV)/.run $@

# A server of others for the tests, in an environment of its own.
$(VENV)/provider/.installed: requirements-provider.lock $(VENV)/.uv
	$(UV) venv --quiet --clear --python $(BIN)/python $(@D)
	VIRTUAL_ENV=$(abspath $(@D)) $(UV) pip sync --quiet --require-hashes requirements-provider.lock
	@touch $@
