# Everything sets itself up: python3 (3.11 or later), pip, make and g++ (11 or later) are enough.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
NATIVE := $(wildcard native/*.cc native/*.h) CMakeLists.txt

.PHONY: demo test check fast slow thorough native fuzz clean fmt

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

# Run-time and build dependencies, then the package with its extension, in place.
$(VENV)/.installed: pyproject.toml $(NATIVE) | $(VENV)/bin/python
	$(BIN)/python -m pip install -q --disable-pip-version-check "scikit-build-core>=1.0" "nanobind>=2.4" "cmake>=3.24" ninja tpchgen-cli
	$(BIN)/python -m pip install -q --disable-pip-version-check --no-build-isolation -e .
	$(BIN)/python -m compileall -q tableflow  # where bytecode is not written (containers), every process would compile all it loads
	touch $@

$(VENV)/.developed: $(VENV)/.installed
	$(BIN)/python -m pip install -q --disable-pip-version-check --no-build-isolation -e ".[dev]"
	touch $@

## a first look: TPC-H data, a query, where the time went
demo: $(VENV)/.installed
	@$(BIN)/python examples/demo.py

## everything that must hold
test: check fast slow

check: $(VENV)/.developed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# Threads, processes and sockets are waited for, on machines that others use: tests that fail are run once more, and both summaries are shown.
# (pytest-rerunfailures asks a server before and after each test, which doubles their time.)  What `make thorough` finds is not forgiven.
PYTEST := $(BIN)/python -m pytest -q -ra
AGAIN := --last-failed --last-failed-no-failures none

fast: $(VENV)/.developed
	$(PYTEST) -n 2 -m "not slow and not thorough" || $(PYTEST) $(AGAIN) -m "not slow and not thorough"

slow: $(VENV)/.developed
	$(PYTEST) -n 2 -m "slow and not thorough" || $(PYTEST) $(AGAIN) -m "slow and not thorough"

## what takes too long for every change: every record in every mode, every step that can fail, hundreds of kills
thorough: $(VENV)/.developed
	$(BIN)/python -m pytest -q -n 2 -m thorough

## rebuild the extension beside its wrappers, for work on it
native: $(VENV)/.developed
	$(BIN)/cmake -S . -B build/dev -G Ninja -DTABLEFLOW_IN_TREE=ON -DPython_EXECUTABLE=$(abspath $(BIN)/python)
	$(BIN)/ninja -C build/dev

## the Parquet decoder over damaged column chunks, under address and undefined behaviour sanitizers
FUZZ_SECONDS ?= 60
FUZZED := $(filter-out %_binding.cc native/parquet_group.cc native/parquet_groups.cc,$(wildcard native/parquet_*.cc native/zstd_*.cc)) native/code_filter.cc native/page_cache.cc native/vector.cc
fuzz: $(VENV)/.developed
	mkdir -p build/fuzz
	$(BIN)/python -m tests.native.parquet_seeds build/fuzz/seeds
	$(CXX) -std=gnu++20 -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all -Wall -Wextra -Werror -Inative \
	  tests/native/parquet_fuzz.cc $(FUZZED) -o build/fuzz/parquet_fuzz
	build/fuzz/parquet_fuzz build/fuzz/seeds $(FUZZ_SECONDS)

fmt: $(VENV)/.developed
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf build $(VENV) tableflow/columnar/_native*.so
