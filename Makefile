# picogpt: every target makes the virtual environment it needs.
#
#   make run PROMPT="Once upon a time" MODEL=124M    write a text
#   make test                                        the tests; no network, no other libraries
#   make test-reference                              the tests against PyTorch, TensorFlow, ...
#   make test-gpt2                                   the tests on OpenAI's weights (downloads them)
#   make bench                                       speed and memory beside transformers'

PYTHON ?= python3
PROMPT ?= Alan Turing theorized that computers would one day become
MODEL ?= 124M
BIN = .venv/bin

.PHONY: run test test-reference test-gpt2 bench clean

# $(value ...) and the environment carry a prompt with quotes or dollars to the program unharmed.
run: export TEXT := $(value PROMPT)
run: .venv/made
	@$(BIN)/python -m picogpt --model "$(MODEL)" -- "$$TEXT"

test: .venv/made-test
	$(BIN)/python -m pytest

test-reference: .venv/made-reference
	$(BIN)/python -m pytest tests/judges

test-gpt2: .venv/made-test
	$(BIN)/python -m pytest tests/gpt2

bench: .venv/made-reference
	PYTHONPATH=tests $(BIN)/python tests/bench/run.py

clean:
	rm -rf .venv

.venv/bin/python:
	$(PYTHON) -m venv .venv

.venv/made: pyproject.toml | .venv/bin/python
	$(BIN)/python -m pip install --quiet --editable .
	@touch $@

.venv/made-test: EXTRAS = test
.venv/made-reference: EXTRAS = test,reference
.venv/made-%: pyproject.toml | .venv/bin/python
	$(BIN)/python -m pip install --quiet --editable ".[$(EXTRAS)]"
	@touch $@ .venv/made
