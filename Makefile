# make demo     sets up, scores the bundled systems, says where the results lie
# make test     sets up, runs all checks (at most 15 minutes on two cores)
# make test-all the slow tests too;  make fuzz: 200,000 random reports;  make bench: the benchmarks
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
export UV_FIND_LINKS ?= $(PIP_FIND_LINKS)
export PYTHONWARNINGS ?=

.PHONY: setup demo test test-all fuzz bench compiled lint clean
setup: $(VENV)/.ready

# uv is fast; pip is the fallback where uv cannot be had
$(VENV)/.ready: pyproject.toml constraints/py311.txt
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -c "import sys; sys.exit('Python 3.11 or newer is needed, this is ' + sys.version.split()[0] + '. Try: make PYTHON=python3.11') if sys.version_info < (3, 11) else None"
	@$(BIN)/python -m pip install --quiet uv || true
	@args="-e .[all,dev]"; \
	if $(BIN)/python -c "import sys; sys.exit(sys.version_info[:2] != (3, 11))"; then args="-c constraints/py311.txt $$args"; fi; \
	if $(BIN)/python -m uv --version >/dev/null 2>&1; then \
	  $(BIN)/python -m uv pip install --quiet --python $(BIN)/python $$args; \
	else $(BIN)/python -m pip install --quiet $$args; fi
	@touch $@

demo: setup
	@$(BIN)/pet2rep-eval demo --output demo-results

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

test: lint
	$(BIN)/python -m pytest -n 2 -m "not slow"

test-all: lint
	$(BIN)/python -m pytest -n 2

fuzz: setup
	$(BIN)/python -m pytest tests/property/test_fuzz.py -m slow -n 2 --no-header -q

# the package as a wheel installs it, unpacked: with the parser compiled where there is a C compiler
compiled: setup
	@rm -rf build/wheel build/compiled
	@$(BIN)/python -m build --no-isolation --wheel --outdir build/wheel . >/dev/null
	@$(BIN)/python -m zipfile -e build/wheel/*.whl build/compiled
	@ls build/wheel

bench: compiled
	$(BIN)/python -m benchmarks
	PYTHONPATH=build/compiled:. $(BIN)/python -P -m benchmarks parsing --output benchmarks-compiled.json

clean:
	rm -rf $(VENV) demo-results build
