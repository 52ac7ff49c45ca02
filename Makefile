# make study      install, then run the configured study (STUDY=studies/pocket.yaml chooses another)
# make test       install, then the tests; make test-all runs the long ones too, make test-cluster those on a Slurm
# make slurm-profile ACCOUNT=name    write what the profile in slurm/ needs to know of this cluster
# make pictures   draw the pictures of the documents again, from the scores that are committed
PYTHON ?= python3
CORES ?= all
BIN := .venv/bin
ifdef STUDY
export XSTILTS_STUDY := $(STUDY)
endif

.PHONY: study test test-all test-cluster slurm-profile lint reference golden pictures

study: $(BIN)/.installed
	@$(BIN)/python -m xstilts run --cores $(CORES)

test: $(BIN)/.installed lint
	$(BIN)/python -m pytest -n 2 -m "not long and not cluster"

test-all: $(BIN)/.installed lint
	$(BIN)/python -m pytest -n 2

test-cluster: $(BIN)/.installed
	$(BIN)/python -m pytest -m cluster tests/cluster

slurm-profile: $(BIN)/.installed
	@$(BIN)/python -m xstilts slurm-profile $(if $(ACCOUNT),--account $(ACCOUNT))

lint: $(BIN)/.installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/snakefmt --check Snakefile rules
	$(BIN)/mypy

reference: $(BIN)/.installed
	$(BIN)/python -m xstilts reference > docs/configuration.md

$(BIN)/.installed: envs/requirements.txt pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14) and "xstilts needs Python 3.11 to 3.13; name one: make PYTHON=python3.12")'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r envs/requirements.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps -e .
	touch $@

golden: $(BIN)/.installed
	$(BIN)/python -m pytest -q tests/end_to_end -k golden --golden

pictures: $(BIN)/.installed
	PYTHONPATH=. $(BIN)/python benchmarks/pictures.py
