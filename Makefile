# picogpt: every target makes the virtual environment it needs.
#
#   make run PROMPT="Once upon a time" MODEL=124M    write a text; the model may be left out
#   make explain PROMPT="Once upon a time" MODEL=124M OUT=page.html
#                                                    a page with every number of the computation
#   make test                                        the tests; no network, no other libraries
#   make test-course                                 the tests of the assignments and their grader
#   make test-browser                                the page of make explain, in chromium and Firefox
#   make test-reference                              the tests against PyTorch, TensorFlow, ...
#   make test-gpt2                                   the tests on OpenAI's weights (downloads them)
#   make bench                                       speed and memory beside transformers'
#   make notebooks                                   run the notebooks, write them with their outputs
#   make lab                                         open copies of the notebooks in JupyterLab
#   make assignments OUT=folder                      what a class is handed out
#   make fairytale SIMPLE=simple.txt TALES=tales.txt BOOKS=books.txt HELDOUT=held-out.txt OUT=folder
#                                                    train the bundled model anew (hours)
#   make heldout HELDOUT=book.txt                    its bits per byte of a text
#   make lint                                        ruff and mypy

PYTHON ?= python3
PROMPT ?= Once upon a time
MODEL ?=
BIN = .venv/bin

.DEFAULT_GOAL = help
.PHONY: help run explain test test-course test-kernels test-browser test-reference test-gpt2 lint \
	bench notebooks lab assignments fairytale heldout clean

# The lines at the top of this file.
help:
	@sed -n 's/^#   make/make/p; s/^#      /   /p' Makefile

# $(value ...) and the environment carry a prompt with quotes or dollars to the program unharmed.
run: export TEXT := $(value PROMPT)
run: .venv/made
	@$(BIN)/python -m picogpt $(if $(MODEL),--model "$(MODEL)") -- "$$TEXT"

explain: export TEXT := $(value PROMPT)
explain: .venv/made
	@$(BIN)/python -m picogpt.explain $(if $(MODEL),--model "$(MODEL)") \
	    $(if $(OUT),--out "$(OUT)") -- "$$TEXT"

# Two processes, each with a thread.
test: .venv/made-test
	OPENBLAS_NUM_THREADS=1 $(BIN)/python -m pytest -n 2

test-course: .venv/made-test
	OPENBLAS_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 tests/course

# What is computed, with the products of other processors, and with one thread and two.
COMPUTED = $(foreach name,adamw backward beam config fairytale gpt2 kv_cache lens lookup loop model \
	ops parallel plain sampling score threads train_loop,tests/unit/test_$(name).py)
test-kernels: .venv/made-test
	set -e; for kernel in Nehalem Haswell; do for threads in 1 2; do \
	    OPENBLAS_CORETYPE=$$kernel OPENBLAS_NUM_THREADS=$$threads \
	    $(BIN)/python -m pytest -q $(COMPUTED); done; done

lint: .venv/made-lint
	$(BIN)/python -m ruff check picogpt tests notebooks/source notebooks/*.py
	$(BIN)/python -m ruff format --check picogpt tests
	$(BIN)/python -m mypy

# axe-core, which finds what people with disabilities would stumble over, is not in the clone.
AXE = .venv/axe/package/axe.min.js
test-browser: .venv/made-browser $(AXE)
	AXE="$(CURDIR)/$(AXE)" $(BIN)/python -m pytest tests/browser

$(AXE): | .venv/bin/python
	@command -v chromium >/dev/null || command -v chromium-browser >/dev/null || \
	    { echo "the browser is missing: apt-get install chromium" >&2; exit 1; }
	@command -v npm >/dev/null || { echo "npm is missing: apt-get install npm" >&2; exit 1; }
	mkdir -p .venv/axe
	cd .venv/axe && tar -xzf "$$(npm pack --silent axe-core@4)" package/axe.min.js && touch package/axe.min.js

test-reference: .venv/made-reference
	$(BIN)/python -m pytest tests/judges

test-gpt2: .venv/made-test
	$(BIN)/python -m pytest tests/gpt2

bench: .venv/made-reference
	PYTHONPATH=tests $(BIN)/python tests/bench/run.py

# Only some of them: make notebooks ONLY="03 06"
notebooks: .venv/made-notebooks
	$(BIN)/python -m pytest tests/notebooks
	$(BIN)/python notebooks/build.py $(ONLY)

# In the folder lab/ lie copies, so that the notebooks stay as they are; what is there is kept.
# JupyterLab refuses to run as root, which one is in a container, unless it is told to.
lab: .venv/made-notebooks
	@mkdir -p lab
	@for notebook in notebooks/*.ipynb; do \
	    test -e "lab/$${notebook##*/}" || cp "$$notebook" lab/; done
	$(BIN)/python -m jupyterlab $(if $(filter 0,$(shell id -u)),--allow-root) \
	    --ServerApp.root_dir=. --LabApp.default_url=/lab/tree/lab/00_quick_start.ipynb

assignments: .venv/made
	$(call needs,OUT)
	@$(BIN)/python -m picogpt.course assignments --out "$(OUT)"

# The recipe of the bundled model. Interrupted, it goes on where it stopped when it is called again.
# A text that is named several times counts several times.
FAIRYTALE = --n-layer 5 --n-head 8 --n-embd 256 --n-ctx 256 --batch 16 --accumulate 4 \
	--optimizer muon --lr 4e-3 --min-lr 4e-5 --warmup 100 --steps 2113 --decay 300 \
	--weight-decay 0.1 --beta2 0.99 --average 0.99 --eval-every 100 --eval-windows 48 \
	--sample "Once upon a time" --seed 1

needs = $(if $($(1)),,$(error $(1)= is missing, see the top of the Makefile))

fairytale: .venv/made
	$(call needs,SIMPLE)$(call needs,TALES)$(call needs,BOOKS)$(call needs,HELDOUT)$(call needs,OUT)
	test -e "$(OUT)/vocabulary/vocab.bpe" || \
	    $(BIN)/python -m picogpt.bpe learn "$(SIMPLE)" "$(SIMPLE)" "$(SIMPLE)" "$(TALES)" "$(BOOKS)" \
	    --n-vocab 8192 --out "$(OUT)/vocabulary"
	$(BIN)/python -m picogpt.train "$(SIMPLE)" "$(SIMPLE)" "$(SIMPLE)" "$(SIMPLE)" "$(TALES)" "$(BOOKS)" \
	    --valid "$(HELDOUT)" --resume $(FAIRYTALE) \
	    --tokenizer "$(OUT)/vocabulary" --out "$(OUT)/training"
	test -e "$(OUT)/fairytale/config.json" || \
	    $(BIN)/python -m picogpt.weights export "$(OUT)/training" --dtype float16 \
	    --out "$(OUT)/fairytale"

heldout: .venv/made
	$(call needs,HELDOUT)
	@$(BIN)/python -m picogpt.evaluate text "$(HELDOUT)" --model fairytale

clean:
	rm -rf .venv

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	    { echo "picogpt needs Python 3.11 or later: make PYTHON=python3.12 ..." >&2; exit 1; }
	$(PYTHON) -m venv .venv

.venv/made: pyproject.toml | .venv/bin/python
	$(BIN)/python -m pip install --quiet --editable .
	@touch $@

.venv/made-test: EXTRAS = test
.venv/made-lint: EXTRAS = lint
.venv/made-browser: EXTRAS = test,browser
.venv/made-reference: EXTRAS = test,reference
.venv/made-notebooks: EXTRAS = test,notebooks
.venv/made-%: pyproject.toml | .venv/bin/python
	$(BIN)/python -m pip install --quiet --editable ".[$(EXTRAS)]"
	@touch $@ .venv/made
