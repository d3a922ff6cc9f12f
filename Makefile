# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
#
#   make demo                  play a recording through the real node, without a ROS distro
#   make demo ARGS="--bag X"   the same with your recording (clip-depth demo --help)
#                              A second time replaces demo_output; a folder named by --out is only
#                              overwritten with --force
#   make weights               train the bundled weights again, with their tables (two and a half
#                              hours on two cores, minutes with a GPU; ARGS=--short: the same way
#                              in small, within a wide band)
#   make bench                 what an image costs by method, CLIP and engine, about eight minutes
#   make bench-gpu             what a GPU is worth: tests, answers, speed, training; six minutes
#   make test                  run the tests, two at a time   ARGS="-k name" to choose; what
#                              lints is left to make lint
#   make lint                  ruff, mypy, ament_flake8, ament_pep257
#   make colcon                build as ROS does, and start the node from the install space
#   make clean                 remove what the above have built; the virtual environment stays
#   make distclean             remove the virtual environment too
#
# Everything runs in the virtual environment .venv, made on first use and brought up to date when
# the packaging files change. PYTHON chooses its interpreter, VENV its place.

PYTHON ?= python3
VENV ?= .venv
ARGS ?=

BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed

.PHONY: demo weights bench bench-gpu test lint colcon clean distclean

demo: $(INSTALLED)
	$(BIN)/clip-depth demo $(if $(findstring --out,$(ARGS)),,--force) $(ARGS)

weights: $(INSTALLED)
	$(BIN)/python -m weights $(ARGS)

bench: $(INSTALLED)
	$(BIN)/python benchmarks/bench_cost.py $(ARGS)

bench-gpu: $(INSTALLED)
	$(BIN)/python benchmarks/bench_gpu.py $(ARGS)

test: $(INSTALLED)
	$(BIN)/python -m pytest -n 2 --dist loadfile --ignore test/test_linters.py $(ARGS)

lint: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/python -m pytest -q test/test_linters.py

colcon: $(INSTALLED)
	VENV=$(VENV) .ci/colcon

# Editable, so that a change in the code needs no second install. ROS 2 and its messages come from
# PyPI; the first time, this fetches about 6 GB, most of it torch.
$(INSTALLED): setup.py setup.cfg pyproject.toml clip_depth_ros/__init__.py
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo 'installing into $(VENV): about 6 GB the first time, less than 2 GB without CUDA: docs/install.md'
	@# On a terminal, pip shows how far each download is; in a log that would be noise.
	@test -t 1 || quiet=--quiet; \
	$(BIN)/python -m pip install $$quiet --disable-pip-version-check --editable '.[ros,test,dev]'
	@touch $@

clean:
	rm -rf build install log .colcon demo_output weights_output *.egg-info
	rm -rf .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -not -path './$(VENV)/*' -prune -exec rm -rf {} +

distclean: clean
	rm -rf $(VENV)
