# The README's two commands are `make demo` and `make test`; each makes .venv on first use.
PYTHON ?= python3
VENV ?= .venv
RUN := $(VENV)/bin/python
# one of each: what a run needs, and what the tests need besides
RUNS := $(VENV)/.installed-runs
TESTS := $(VENV)/.installed-tests
# PyPI's torch carries CUDA; where a CPU build is configured (an index or a wheel folder), pip prefers it
# most modules are never imported: Python compiles those that are
INSTALL := $(RUN) -m pip install --quiet --no-compile --constraint constraints.txt

# modules are compiled once, not in every process, wherever that was turned off
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo test test-all integration test-gpu-standin gpu pytest check docs fuzz faults crash bench paper clean

demo: $(RUNS)  ## fine-tune SmolLM2 with three clients, without backpropagation, and report on it
	$(VENV)/bin/fedmezo run quickstart
	@$(VENV)/bin/fedmezo report "$$(ls -dt runs/quickstart*/ | head -n 1)"  # the run's name is the first that was free

test: $(TESTS)  ## style, types, layers, tests; MARKED='-m "not full"' for those of `make integration` as well
	$(MAKE) --jobs 2 check pytest

test-all: $(TESTS)  ## the same with every case of every matrix; half an hour
	$(MAKE) --jobs 2 check pytest MARKED='-m ""'

integration: $(TESTS)  ## federations, suites, signals, a real model: what takes processes of its own; in CI among the tests
	$(RUN) -m pytest -n auto --dist worksteal -m "integration and not full"

test-gpu-standin: $(TESTS)  ## GPUs without one: the kernel's bits, interpreted, its machine code, and runs on a stand-in
	$(RUN) -m pytest -n auto -m "" tests/core/directions/test_triton_kernel.py tests/gpu_standin

gpu: $(TESTS)  ## for whoever has a GPU: tests and figures into docs/results/gpu, in eight minutes (MINUTES=N)
	$(RUN) -m benchmarks.gpu --minutes $(or $(MINUTES),8)

pytest: $(TESTS)
	$(RUN) -m pytest -n auto --dist worksteal $(MARKED)

check: $(TESTS)
	$(VENV)/bin/ruff check . && $(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports

docs: $(TESTS)  ## the documentation site, strictly and without the network, into site/
	NO_MKDOCS_2_WARNING=1 $(VENV)/bin/mkdocs build --quiet

fuzz: $(TESTS)  ## 2,000 mutated configurations, and 2,000 wrong surroundings: each runs, or is refused with a message; hours
	FEDMEZO_MUTATIONS=2000 $(RUN) -m pytest -q --timeout 0 --hypothesis-show-statistics tests/test_mutations.py
	$(RUN) -m scripts.fuzz_surroundings

faults: $(TESTS)  ## nodes, SuperLink and server killed, clients that fail: a federation on loopback; a quarter of an hour
	$(RUN) -m scripts.fault_test

crash: $(TESTS)  ## kills, damages and full disks, each resumed; half an hour
	$(RUN) -m scripts.crash_test --full-disk 20

bench: $(TESTS)  ## the benchmarks of docs/benchmarks.md, on this machine; hours. DATA=FOLDER for GSM8K instead of word problems
	$(RUN) -m benchmarks.startup
	$(RUN) -m benchmarks.saved_check
	$(RUN) -m benchmarks.frozen_layers
	$(RUN) -m benchmarks.noise
	$(RUN) -m benchmarks.traffic
	$(RUN) -m benchmarks.replay
	$(RUN) -m benchmarks.engines --model tiny
	$(RUN) -m benchmarks.engines --model many
	$(if $(DATA),$(RUN) -m benchmarks.engines --model smollm2 --data $(DATA))
	$(RUN) -m benchmarks.zo_step --compiled $(if $(DATA),--data $(DATA))
	$(RUN) -m benchmarks.lanes $(if $(DATA),--data $(DATA))
	$(RUN) -m benchmarks.memory $(if $(DATA),-- data.root $(DATA) data.type gsm8k@llm)
	$(RUN) -m benchmarks.overhead $(if $(DATA),-- data.root $(DATA) data.type gsm8k@llm)
	$(RUN) -m benchmarks.fidelity --trainable lora8 lora128 all --batch 1 $(if $(DATA),-- data.root $(DATA) data.type gsm8k@llm)
	$(RUN) -m benchmarks.precision
	$(RUN) -m benchmarks.convergence
	$(RUN) -m benchmarks.budget
	$(RUN) -m benchmarks.any_rate
	$(RUN) -m benchmarks.estimates

paper: $(TESTS)  ## the paper's tables and figures on SmolLM2; hours, and goes on where it stopped. DATA=FOLDER (default: data)
	$(RUN) scripts/paper.py all --scale cpu --resume --out results -- data.root $(or $(DATA),data)

$(RUNS): EXTRAS := llm
$(TESTS): EXTRAS := llm,test
$(RUNS) $(TESTS): setup.py constraints.txt
	test -x $(RUN) || $(PYTHON) -m venv $(VENV)
	$(INSTALL) --upgrade pip setuptools
	$(INSTALL) --no-build-isolation --editable '.[$(EXTRAS)]'
	touch $(RUNS) $@

clean:
	rm -rf $(VENV) build *.egg-info
