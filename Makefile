# make demo   set everything up and open the page on http://localhost:7860
# make test   set everything up and run every test, the linter and the type checker
# make bench  measure what Earshot costs against doing without it

PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin

.PHONY: demo test bench lint samples clean

demo: $(VENV)/.demo
	$(BIN)/python app.py $(ARGS)

test: $(VENV)/.dev
	$(BIN)/python -m tests.browser.chromium
	$(BIN)/python -m pytest -n logical --maxprocesses 4 $(ARGS)
	$(MAKE) lint

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: $(VENV)/.dev
	$(BIN)/python -m benchmarks $(ARGS)

samples: $(VENV)/.demo
	$(BIN)/python samples/make.py

# moonshine-voice has no wheel for Linux with a glibc older than 2.34, which no marker can say: go on without it there.
$(VENV)/.demo: requirements.txt
	$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14) and "Earshot needs Python 3.11, 3.12 or 3.13; name one with make PYTHON=...")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet -r requirements.txt || { \
	  echo "Trying again without moonshine-voice: its row on the page will be grey."; \
	  grep -v '^moonshine-voice' requirements.txt > $(VENV)/without-moonshine.txt; \
	  $(BIN)/python -m pip install --quiet -r $(VENV)/without-moonshine.txt; }
	touch $@

$(VENV)/.dev: $(VENV)/.demo requirements-dev.txt
	$(BIN)/python -m pip install --quiet -r requirements-dev.txt
	touch $@

clean:
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis
