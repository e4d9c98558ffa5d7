# make demo    a real raster, indexed, searched and segmented with the bundled model   [RASTER=…] [QUERY=…]
# make test    lint, types and every test, those inside a real QGIS included
# make plugin  dist/search_imagery_by_text-VERSION.zip for QGIS
# make bench   runtimes, indexing, segmenting, memory, cold start, queries               (needs the test data)
# make soak    the trust suites for a long time: one worker for an hour, the rest for two thirds of one  [MINUTES=60]
# make lint    ruff and mypy only
# make clean   remove what the above made, the environments included
#
# PYTHON=… chooses the interpreter that the environment is made with (3.10 or newer).

PYTHON ?= python3
RASTER ?=
QUERY ?=
MINUTES ?= 60
VENV := .venv
QGIS_VENV := .venv-qgis
PIP := -m pip --disable-pip-version-check install

.PHONY: help demo test plugin bench soak lint clean
.DELETE_ON_ERROR:

help:
	@sed -n '/^#/!q; s/^# \{0,1\}//p' Makefile

# Stamps: an environment is brought up to date when what it is made from has changed.
$(VENV)/.ready: requirements.txt pyproject.toml
	@tools/system.sh venv $(PYTHON)
	@echo "Making $(VENV) with what rsvlm needs: a few GB with torch, a few minutes."
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/python $(PIP) -r requirements.txt
	$(VENV)/bin/python $(PIP) --no-deps --editable .
	@touch $@

$(VENV)/.ready-dev: $(VENV)/.ready requirements-dev.txt requirements-sam.txt requirements-scale.txt
	$(VENV)/bin/python $(PIP) -r requirements-dev.txt
	$(VENV)/bin/python $(PIP) --no-deps -r requirements-sam.txt
	@touch $@

# QGIS's own Python, whose numpy must stay: nothing is installed here but pytest and its plugin.
# Where no QGIS can be had there is no environment either, and tools/test.py reports it.
$(QGIS_VENV)/.ready: tests/qgis/requirements.txt
	@if tools/system.sh qgis; then \
	  /usr/bin/python3 -m venv --system-site-packages $(QGIS_VENV) && \
	  $(QGIS_VENV)/bin/python $(PIP) -r tests/qgis/requirements.txt && touch $@; \
	elif [ $$? != 3 ]; then exit 1; fi

demo: export RSVLM_DEMO_RASTER := $(RASTER)
demo: export RSVLM_DEMO_QUERY := $(QUERY)
demo: $(VENV)/.ready
	@$(VENV)/bin/python tools/demo.py

test: $(VENV)/.ready-dev $(QGIS_VENV)/.ready
	@$(VENV)/bin/python tools/test.py

soak: export RSVLM_SOAK := $(MINUTES)
soak: $(VENV)/.ready-dev
	@$(VENV)/bin/python -m pytest tests/trust
	@cat build/tests/trust.json

lint: $(VENV)/.ready-dev
	@$(VENV)/bin/python tools/test.py --only lint types

plugin: $(VENV)/.ready
	@$(VENV)/bin/python tools/build_plugin.py

bench: $(VENV)/.ready-dev
	@$(VENV)/bin/python -m tests.bench.bench_main

clean:
	rm -rf $(VENV) $(QGIS_VENV) build dist demo *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
