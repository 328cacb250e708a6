# Every target sets up what it needs; CI calls the same ones.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

# The first of these that runs and is 3.11.5 or newer makes the virtual environment.
PYTHONS ?= python3.11 python3.12 python3.13 python3
PIP_VERSION := 26.3
TORCH_VERSION := $(shell sed -n 's/^torch==//p' constraints.txt)
EXTRAS := dev,gguf,documents,endpoint,serve,sweep
# Which tiers `make test` runs, and further pytest arguments: make test TIERS=unit ARGS="-k pack"
TIERS ?=
ARGS ?=

PY := .venv/bin/python
# What pip says, without what it need not do and where it looks.
NEWS := sed -u -E '/already satisfied|^Looking |^ *(Created wheel|Stored in|Attempting|Found existing|Uninstalling|Successfully uninstalled)/d'
SHELL_FILES = .ci/run $(shell find docker launch tests -name '*.sh')

.PHONY: help .venv demo test test-faults test-slow storm cluster-packages bench bench-readers gpu-check gpu-bundle docs site check check-format check-lint check-types check-layers \
        check-dependencies check-spelling check-words check-shell check-docker format clean

help: ## show this list
	@sed -nE 's/^([a-z.][a-z.-]*):.*## (.*)$$/  make \1\t\2/p' Makefile | expand -t 22

.venv: .venv/installed ## make or renew the virtual environment with the tested versions

.venv/installed: pyproject.toml constraints.txt
	@for python in $(PYTHONS); do \
	    if "$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11, 5))' 2>/dev/null; then found=$$python; break; fi; \
	done; \
	if [ -z "$${found:-}" ]; then \
	    echo "Python 3.11.5 or newer was not found. To fix: install it, for instance with \`uv python install 3.11\`."; exit 1; \
	fi; \
	if ! .venv/bin/python -c 'import pip' 2>/dev/null; then \
	    echo "[1/4] Making .venv with $$found"; \
	    "$$found" -m venv --clear .venv || { \
	        rm -rf .venv; echo "To fix: install the venv module (on Debian: apt install python3-venv)."; exit 1; }; \
	fi
	@echo "[2/4] Updating pip to $(PIP_VERSION)"
	@$(PY) -m pip install --quiet --disable-pip-version-check pip==$(PIP_VERSION)
	@echo "[3/4] Installing PyTorch $(TORCH_VERSION), the largest part"
	@$(PY) -m pip install --disable-pip-version-check torch==$(TORCH_VERSION) -c constraints.txt | $(NEWS)
	@echo "[4/4] Installing ftdist and the other libraries"
	@$(PY) -m pip install --disable-pip-version-check -e '.[$(EXTRAS)]' -c constraints.txt | $(NEWS)
	@touch $@

demo: .venv/installed ## teach a small model a library on this machine; base and tuned answers side by side
	@$(PY) -m examples.demo $(ARGS)

test: .venv/installed ## run all tests, a tier at a time (TIERS="unit dist" and ARGS="-k name" choose)
	@$(PY) -m tests.run_tiers $(TIERS) -- $(ARGS)

test-faults: .venv/installed ## run every test of the fault matrix, slow ones too (docs/reliability.md)
	@$(PY) -m tests.run_tiers $(TIERS) -- -m fault $(ARGS)

test-slow: .venv/installed ## run the tests that `make test` leaves out because they are slow
	@$(PY) -m tests.run_tiers $(TIERS) -- -m slow $(ARGS)

cluster-packages: ## install the Debian packages that the cluster tier of tests needs (as root)
	@tests/support/cluster_packages.sh

bench: .venv/installed ## measure speed, memory and time to the first step against others
	@$(PY) -m benchmarks

bench-readers: .venv/installed ## compare the document readers with others, and write docs/readers.md
	@$(PY) -m benchmarks.readers

storm: .venv/installed ## ten minutes of faults over one run on a SLURM of this machine (ARGS="--seeds 1 2 3 --minutes 5"); as root
	@$(PY) -m benchmarks.storm $(ARGS)

gpu-check: .venv/installed ## check ftdist on one GPU in ten minutes, and write docs/gpu-status.md (ARGS=--rehearse: on the CPU)
	@$(PY) -m benchmarks.gpu $(ARGS)

gpu-bundle: .venv/installed ## collect the wheels that a GPU machine without a network lacks
	@$(PY) -m tools.gpu_bundle $(ARGS)

docs: .venv/installed ## write the pages that are made from the code (docs/reference/)
	@$(PY) -m tools.config_reference
	@$(PY) -m tools.metrics_reference
	@$(PY) -m tools.hardware_reference
	@$(PY) -m tools.performance_page
	@$(PY) -m tools.fault_matrix

site: .venv/installed ## build the documentation site into build/site
	@NO_COLOR=1 .venv/bin/zensical build --strict

check: check-format check-lint check-types check-layers check-dependencies check-spelling check-words check-shell check-docker site ## all checks of the source

check-format: .venv/installed
	$(PY) -m ruff format --check .

check-lint: .venv/installed
	$(PY) -m ruff check .

check-types: .venv/installed
	$(PY) -m mypy

check-layers: .venv/installed
	.venv/bin/lint-imports --no-cache

check-dependencies: .venv/installed
	$(PY) -m deptry .

check-spelling: .venv/installed
	.venv/bin/typos

check-words: .venv/installed
	$(PY) -m tools.check_words

check-shell: .venv/installed
	.venv/bin/shellcheck $(SHELL_FILES)

check-docker: .venv/installed
	.venv/bin/hadolint docker/Dockerfile

format: .venv/installed ## format the source and mend what ruff can mend
	$(PY) -m ruff format .
	$(PY) -m ruff check --fix .

clean: ## remove the virtual environment and the tools' caches; runs and downloads stay
	rm -rf .venv build ./*.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find . -name __pycache__ -prune -exec rm -rf {} +
