# `make run` and `make test` need nothing but python3 (3.11 or newer) with venv and pip: they build .venv themselves.

VENV      := .venv
INSTALLED := $(VENV)/.installed
BIN       := $(VENV)/bin
# Many tests wait for programs they started: one worker more than there are cores keeps the cores busy.
TESTS     := -n $(shell expr $$(getconf _NPROCESSORS_ONLN) + 1) --dist worksteal

.PHONY: run test check lint safety soak bench lock clean

run: $(INSTALLED)             ## start Patchbay, for example: make run ARGS=--demo
	@PATCHBAY_MAKE_RUN=1 $(BIN)/patchbay $(ARGS)

test: $(INSTALLED)            ## run the tests
	@$(BIN)/python -m pytest $(TESTS) $(ARGS)

lint: $(INSTALLED)            ## format, lint, types, import rules; changes nothing
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/basedpyright
	$(BIN)/lint-imports --no-logo

check: lint test              ## everything a change must pass

safety: $(INSTALLED)          ## score gate, paths and edits on the cases in the folder that PATCHBAY_CASES names
	@test -f "$(PATCHBAY_CASES)/safety/score.py" || { \
	  echo "make safety needs PATCHBAY_CASES: a folder with safety/score.py and its cases" >&2; exit 2; }
	@status=0; for part in shell path edit; do \
	  $(BIN)/python "$(PATCHBAY_CASES)/safety/score.py" $$part "$(PATCHBAY_CASES)/safety/$${part}_cases_dev.jsonl" \
	    --patchbay $(BIN)/patchbay || status=1; \
	done; exit $$status

soak: $(INSTALLED)            ## what takes minutes: failing networks and disks, kills, random edits undone, made-up and nasty commands
	@PATCHBAY_SOAK_RUNS=1000 $(BIN)/python -m pytest tests/soak $(TESTS) -rP $(ARGS)

bench: $(INSTALLED)           ## measure the cost of a flush, of a long session, of a start and of going on
	@$(BIN)/python -m pytest tests/bench -o python_files='bench_*.py' -s $(ARGS)
	@$(BIN)/python tests/bench/bench_transcript.py

lock:                         ## resolve the newest allowed versions (needs uv)
	@uv pip compile pyproject.toml --extra dev --universal --generate-hashes --no-emit-index-url \
	  --python-version 3.11 --upgrade --quiet --custom-compile-command "make lock" -o requirements.lock

clean:                        ## remove the environment and everything that was built
	@rm -rf $(VENV) build dist *.egg-info

$(INSTALLED): requirements.lock pyproject.toml .ci/setup
	@bash .ci/setup $(VENV)
	@touch $@
