# The README's two commands are `make demo` and `make test`; each makes .venv on first use.
PYTHON ?= python3
VENV ?= .venv
RUN := $(VENV)/bin/python
STAMP := $(VENV)/.installed
# PyPI's torch carries CUDA; where a CPU build is configured (an index or a wheel folder), pip prefers it
INSTALL := $(RUN) -m pip install --quiet --constraint constraints.txt

.PHONY: demo test check bench clean

demo: $(STAMP)  ## fine-tune SmolLM2 with three clients, without backpropagation
	$(RUN) -m fedmezo.main --cfg configs/quickstart.yaml

test: $(STAMP) check  ## style, types, layers, tests
	$(RUN) -m pytest -n auto

check: $(STAMP)
	$(VENV)/bin/ruff check . && $(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports

bench: $(STAMP)  ## start-up, memory and gradient fidelity
	$(RUN) -m benchmarks.startup
	$(RUN) -m benchmarks.memory
	$(RUN) -m benchmarks.fidelity

$(STAMP): setup.py constraints.txt
	test -x $(RUN) || $(PYTHON) -m venv $(VENV)
	$(INSTALL) --upgrade pip setuptools
	$(INSTALL) --editable '.[llm,test]'
	touch $@

clean:
	rm -rf $(VENV) build *.egg-info
