# The README's two commands are `make demo` and `make test`; each makes .venv on first use.
PYTHON ?= python3
VENV ?= .venv
RUN := $(VENV)/bin/python
STAMP := $(VENV)/.installed
# PyPI's torch carries CUDA; where a CPU build is configured (an index or a wheel folder), pip prefers it
INSTALL := $(RUN) -m pip install --quiet --constraint constraints.txt

.PHONY: demo test check fuzz bench clean

demo: $(STAMP)  ## fine-tune SmolLM2 with three clients, without backpropagation
	$(RUN) -m fedmezo.main --cfg configs/quickstart.yaml

test: $(STAMP) check  ## style, types, layers, tests
	$(RUN) -m pytest -n auto

check: $(STAMP)
	$(VENV)/bin/ruff check . && $(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports

fuzz: $(STAMP)  ## 2,000 mutated configurations: each runs, or is refused with a message
	FEDMEZO_MUTATIONS=2000 $(RUN) -m pytest -q --timeout 0 --hypothesis-show-statistics tests/test_mutations.py

bench: $(STAMP)  ## start-up, memory, gradient fidelity, estimates, and a step against plain forwards
	$(RUN) -m benchmarks.startup
	$(RUN) -m benchmarks.memory
	$(RUN) -m benchmarks.fidelity
	$(RUN) -m benchmarks.estimates
	$(RUN) -m benchmarks.zo_step

$(STAMP): setup.py constraints.txt
	test -x $(RUN) || $(PYTHON) -m venv $(VENV)
	$(INSTALL) --upgrade pip setuptools
	$(INSTALL) --editable '.[llm,test]'
	touch $@

clean:
	rm -rf $(VENV) build *.egg-info
