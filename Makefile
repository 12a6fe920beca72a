PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo test pytest soak test-page lint docs bench clean

demo: .venv/installed
	$(BIN)/harmonium run digits --fresh

# Side by side: lint takes one processor, and the tests' slowest files do not always fill two.
test: .venv/installed
	$(MAKE) --jobs=2 --keep-going lint pytest

pytest: .venv/installed
	$(BIN)/pytest -n 2

# For maintainers, for hours: the campaigns of `make test` at full size. `make soak SEED=1 HOURS=8` has other files and an end.
SEED ?= 0
HOURS ?= 24
soak: .venv/installed
	$(BIN)/python -m tests.soak --seed $(SEED) --hours $(HOURS)

# The interactive page in a browser: `make test` skips these where there is none.
test-page: .venv/browser
	$(BIN)/pytest tests/report/test_page.py tests/report/test_page_browser.py tests/report/test_page_use.py tests/web

lint: .venv/installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

docs: .venv/docs
	$(BIN)/python -m sphinx -W --keep-going -b html docs build/docs
	@echo "build/docs/index.html"

bench: .venv/peers
	$(BIN)/python benchmarks/rbm_step.py
	$(BIN)/python benchmarks/dbm_step.py
	$(BIN)/python benchmarks/sampling.py
	$(BIN)/python benchmarks/sweeps.py
	$(BIN)/python benchmarks/nats.py
	$(BIN)/python benchmarks/up_down_step.py
	$(BIN)/python benchmarks/fine_tuning_step.py

# The environment: made once, and again when what it should hold changes.
.venv/installed: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or later is needed: make PYTHON=python3.11 ..."; exit 1; }
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || \
		{ echo "Python cannot make virtual environments here: install its venv package (on Debian: apt install python3-venv)"; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --constraint constraints.txt torch
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[dev]'
	@touch $@

.venv/peers: .venv/installed
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[dev,bench]'
	@touch $@

# The system's Chromium, or else Playwright's own.
.venv/browser: .venv/installed
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[dev,browser]'
	command -v chromium || command -v chromium-browser || command -v google-chrome || $(BIN)/playwright install chromium
	@touch $@

.venv/docs: .venv/installed
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[dev,docs]'
	@touch $@

clean:
	rm -rf .venv build docs/auto_gallery .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
