# Kassa's commands. Each prepares what it needs (tools/setup.sh); neither a compiler nor root is needed.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.SUFFIXES:

# Targets share .venv and build/, and each is one visible sequence of steps.
.NOTPARALLEL:

BIN := .venv/bin
# Test processes. Two fit the smallest machine that we test on.
WORKERS ?= 2
# More words for pytest, such as ARGS='-k money'.
ARGS ?=
# A simulated town, and how long the searches last.
SEED ?= 1
DAYS ?= 1
EFFORT ?= hour
# What of the image's tests has room in every run of CI: one boot, and all that it can be asked.
IMAGE_SHORT := $(patsubst %,tests/image/booted/test_%.py,box handover plugs package)
# What the disk image is for: amd64 is a PC, arm64 a Raspberry Pi 4.
ARCH ?= amd64
# Every branch of these is tested, and the build fails when one is not.
FULLY_COVERED := appliance/domain/*,appliance/protocols/*

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: demo
demo: ## run a whole counter here with simulated devices and a simulated shop
	@tools/setup.sh demo
	@exec $(BIN)/kassa demo

.PHONY: test
test: ## run all tests; pictures and the coverage report go to build/
	@tools/setup.sh test
	@rm -rf build/coverage && mkdir -p build/coverage
	@$(BIN)/coverage run -m pytest -n $(WORKERS) --dist worksteal $(ARGS)
	@$(BIN)/coverage combine --quiet
	@$(BIN)/coverage report > build/coverage/report.txt && tail -n 1 build/coverage/report.txt
	@$(BIN)/coverage report --include='$(FULLY_COVERED)' --skip-covered --show-missing --fail-under=100 \
	  || { echo 'coverage: every branch of appliance/domain and appliance/protocols must be tested'; exit 1; }

.PHONY: check
check: ## run all linters, and tell all that they found
	@tools/setup.sh check
	@tools/check.sh

.PHONY: format
format: ## format the Python code and mend what the linter can mend
	@tools/setup.sh check
	@$(BIN)/ruff check --fix --quiet . || true
	@$(BIN)/ruff format .

.PHONY: bench
bench: ## measure what the counter promises: speed, memory, start-up
	@tools/setup.sh test
	@$(BIN)/python -m tests.bench

.PHONY: bench-shops
bench-shops: ## count what a counter asks of a WooCommerce shop, by open orders and counters
	@tools/setup.sh test
	@$(BIN)/python -m tests.bench_shops

.PHONY: bench-vendure
bench-vendure: ## measure what kiosks cost a Vendure shop; needs Node
	@tools/setup.sh test
	@$(BIN)/python -m tests.shops.vendure.scale

.PHONY: sim
sim: ## play a simulated town and tell what went wrong: make sim SEED=1 DAYS=1
	@tools/setup.sh test
	@$(BIN)/python -m tests.simulation --seed '$(SEED)' --days '$(DAYS)' $(ARGS)

.PHONY: proof
proof: ## search for a broken promise: make proof EFFORT=short|hour|release
	@tools/setup.sh test
	@$(BIN)/python -m tests.proof --effort '$(EFFORT)' $(ARGS)

.PHONY: deb
deb: ## build the Debian package, dist/kassa-kiosk_*_all.deb
	@tools/setup.sh deb
	@image/build-deb.sh

.PHONY: image
image: deb ## build a disk image, as root: make image ARCH=amd64|arm64
	@tools/setup.sh image '$(ARCH)'
	@image/build-image.sh '$(ARCH)'

.PHONY: release
release: ## sign what is in dist/: make release KEY=release.pem (docs/updates.md)
	@tools/setup.sh test
	@$(BIN)/python image/sign.py sign --key '$(KEY)' $(wildcard dist/kassa-kiosk_*_all.deb dist/kassa-*.img.zst)

.PHONY: image-pi-gen
image-pi-gen: deb ## build a Raspberry Pi OS image, for a Pi 5 too; needs Docker
	@image/build-pi-gen.sh

.PHONY: image-test
image-test: ## boot the image in a virtual machine and work it, as root: make image-test ARCH=amd64 [EFFORT=short]
	@tools/setup.sh test
	@KASSA_NO_COMPRESSION=1 $(MAKE) --no-print-directory image ARCH='$(ARCH)'
	@tools/setup.sh image-test '$(ARCH)'
	@KASSA_IMAGE=build/image/$(ARCH) $(BIN)/python -m pytest -p no:xdist -s -v \
	  $(if $(filter short,$(EFFORT)),$(IMAGE_SHORT),tests/image/booted) $(ARGS)

.PHONY: lock
lock: ## make requirements/*.txt anew from requirements/*.in
	@tools/lock.sh

.PHONY: clean
clean: ## remove .venv, build/ and all caches
	@[ ! -e .venv ] || [ -d .venv/.kassa ] || { echo '.venv was not made by make; left alone'; exit 1; }
	@rm -rf .venv build dist *.egg-info .hypothesis .pytest_cache .mypy_cache .ruff_cache .import_linter_cache
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
