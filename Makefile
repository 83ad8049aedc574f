# Commands of the project: each sets up what it needs. README.md says what they do.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
NATIVE := $(shell find csrc cmake -type f) CMakeLists.txt
SOURCES := seco cli benchmarks tests
# CUDA: AUTO builds the CUDA half where nvcc is, ON insists on it, OFF leaves it out.
SECO_CUDA ?= AUTO
RECORDS ?= build/gpu-check
BENCHMARKS := views decode loader step features scale growth collect
BUILD_TOOLS := 'pip>=24' setuptools scikit-build-core pybind11 cmake ninja
FUZZ_CC ?= clang
FUZZ_CXX ?= clang++
SECONDS ?= 1800

.PHONY: demo test lint format docs bench wheel gpu-check fuzz clean help
.DEFAULT_GOAL := help

help:
	@echo "make demo | test | lint | format | docs | bench | wheel | gpu-check [RECORDS=DIR] [WHEELS=DIR] | fuzz [SECONDS=N] | clean"

demo: $(VENV)/.ready
	rm -rf build/demo
	$(BIN)/python -m seco.cli.demo --out build/demo

# Two at once: much of the time goes by in processes that tests start one after the other.
test: lint
	$(BIN)/python -P -m pytest --numprocesses 2 --dist loadfile

lint: $(VENV)/.ready
	$(BIN)/ruff format --check $(SOURCES)
	$(BIN)/ruff check $(SOURCES)
	find csrc -name '*.[ch]pp' -o -name '*.cu*' | xargs $(BIN)/clang-format --dry-run -Werror
	$(BIN)/mypy
	$(BIN)/python -P -m mypy.stubtest seco._core --ignore-disjoint-bases

format: $(VENV)/.ready
	$(BIN)/ruff check --fix $(SOURCES)
	$(BIN)/ruff format $(SOURCES)
	find csrc -name '*.[ch]pp' -o -name '*.cu*' | xargs $(BIN)/clang-format -i

docs: $(VENV)/.ready
	$(BIN)/python -m sphinx -q -W --keep-going docs build/docs
	@echo build/docs/index.html

# albumentations is not used otherwise; the other peers are there for the tests, and DALI for its module.
bench: $(VENV)/.ready
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt albumentations
	for name in $(BENCHMARKS); do $(BIN)/python -m benchmarks $$name --out build/bench/$$name.json || exit 1; done

# The manylinux tag says how old a glibc the wheel runs on: that of the machine that builds it, as auditwheel finds it.
wheel: export PATH := $(abspath $(BIN)):$(PATH)
wheel: $(VENV)/.ready
	rm -rf build/wheel
	$(BIN)/python -m pip wheel --quiet --no-deps --no-build-isolation --wheel-dir build/wheel --config-settings=cmake.define.SECO_CUDA=$(SECO_CUDA) .
	$(BIN)/auditwheel repair --plat auto --exclude 'libdali*.so' --wheel-dir dist build/wheel/*.whl 2>build/wheel/log || { cat build/wheel/log >&2; exit 1; }
	@ls dist/*.whl

# WHEELS: a folder of `python -m benchmarks.gpu_wheels collect`, for a machine without a package index.
gpu-check:
	$(PYTHON) -m benchmarks.gpu_check --records $(RECORDS) $(if $(WHEELS),--wheels $(WHEELS))

fuzz: export PATH := $(abspath $(BIN)):$(PATH)
fuzz: $(VENV)/.ready
	cmake -S . -B build/fuzz -DSECO_FUZZ=ON -DCMAKE_C_COMPILER=$(FUZZ_CC) -DCMAKE_CXX_COMPILER=$(FUZZ_CXX)
	cmake --build build/fuzz
	$(BIN)/python -P tests/fuzz/corpus.py build/fuzz/seeds
	mkdir -p build/fuzz/corpus
	build/fuzz/seco_fuzz_geotiff -max_total_time=$(SECONDS) -max_len=12288 -timeout=10 -malloc_limit_mb=64 \
	  -artifact_prefix=build/fuzz/ build/fuzz/corpus build/fuzz/seeds

clean:
	rm -rf build dist $(VENV) .mypy_cache .pytest_cache .ruff_cache

# One stamp for the environment: rebuilt when the packages or the native sources change. DALI comes first, for its module
# is built where it is installed, and so do the build tools: all builds with the same ones share their objects.
$(VENV)/.ready: pyproject.toml constraints.txt $(NATIVE)
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "seco needs Python 3.11 or newer; say which with make PYTHON=python3.12")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Installing packages and building the native module (a few minutes the first time) ..."
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt nvidia-dali-cuda130 $(BUILD_TOOLS)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --no-build-isolation --editable '.[dev]' \
	  --config-settings=cmake.define.SECO_WERROR=ON --config-settings=cmake.define.SECO_CUDA=$(SECO_CUDA)
	@touch $@
