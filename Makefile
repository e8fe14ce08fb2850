# Every target works from nothing: it puts what it needs into .venv/ and reuses that afterwards.
#   make test PYTHON=python3.12     another Python: .venv/ is made again with it
PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin/python
STAMP := $(VENV)/installed
# The real MXNet, where a checkout has one beside it: tests compare with it, benchmarks report its times.
MXLITE_ORACLE ?= $(wildcard ../shared/oracle/python)
export MXLITE_ORACLE
ARGS ?=

.PHONY: help demo test tiny lint types bench conformance stubs env clean
.DEFAULT_GOAL := help

help: ## this list
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/make \1|\2/p' Makefile | column -t -s '|' 2>/dev/null \
	  || sed -n 's/^\([a-z]*\):.*## \(.*\)/make \1	\2/p' Makefile

demo: env ## train LeNet on real digits, save, reload, export, serve without mxlite; writes build/demo/
	$(RUN) examples/demo.py --output build/demo $(ARGS)

test: env ## every test
	$(RUN) -m pytest -n auto --dist loadfile $(ARGS)

tiny: env ## the tests that take seconds
	$(RUN) -m pytest -q tests/test_tiny.py tests/test_layers.py tests/test_exports.py $(ARGS)

lint: env ## ruff: rules and format of imports
	$(RUN) -m ruff check . $(ARGS)

types: env ## pyright
	$(RUN) -m pyright $(ARGS)

bench: env ## Module.fit against hand-written JAX + optax, eager calls; both against MXNet where it is there
	$(RUN) tests/benchmarks/run.py $(ARGS)

conformance: env ## operators and recorded results of MXNet: what is there, what agrees
	$(RUN) -m tests.conformance.run $(ARGS)

stubs: env ## write the .pyi files of the generated functions
	$(RUN) -m mxlite._stubs $(ARGS)

# The stamp holds what the environment was made from: the interpreter, this folder (an editable install and
# a venv both know their place) and pyproject.toml. It is written last, so a broken installation is made again.
env: ## only make the environment
	@key=$$($(PYTHON) -c 'import hashlib, os, sys; sys.version_info >= (3, 11) or sys.exit("mxlite needs Python 3.11 or newer, this is " + sys.version.split()[0]); print(sys.base_prefix, sys.version.split()[0], os.getcwd(), hashlib.sha256(open("pyproject.toml", "rb").read()).hexdigest())') \
	  || { echo "make: PYTHON=$(PYTHON) cannot be used; name another one: make PYTHON=python3.12 ..." >&2; exit 1; }; \
	if [ "$$key" != "$$(cat $(STAMP) 2>/dev/null)" ]; then \
	  echo "making $(VENV) with $$($(PYTHON) --version)"; \
	  rm -f $(STAMP) && $(PYTHON) -m venv --clear $(VENV) \
	  && $(RUN) -m pip install -q --disable-pip-version-check -e '.[all]' \
	  && printf '%s\n' "$$key" > $(STAMP); \
	fi

clean: ## remove the environment and everything that was made
	rm -rf $(VENV) build *.egg-info .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
