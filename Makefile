# The Python that makes .venv, 3.11 or later: make run PYTHON=python3.12
PYTHON ?= python3

VENV := .venv
STAMP := $(VENV)/.installed
# The stages in dvc.yaml call `python`: it must be the one of .venv.
IN_VENV := PATH="$(CURDIR)/$(VENV)/bin:$$PATH"
PIP := $(VENV)/bin/python -m pip --disable-pip-version-check --quiet

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help run report plots pull test bench lint wordnet lock

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-9s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: $(STAMP) ## from a fresh clone to the paper's tables (FRESH=1: draw what could be pulled)
	@$(IN_VENV) synset-factory lint
	@$(IN_VENV) synset-factory check
	@$(IN_VENV) SYNSET_FACTORY_FRESH=$(FRESH) dvc repro
	@cat metrics/tables.md
	@echo "These tables are metrics/tables.md, a row each in metrics/*/*.json;"
	@echo "pictures of each class and set: metrics/figure5.png; image sets and models: data/."
	@echo "The report, with all figures and a page for each class: $(CURDIR)/data/report/index.html"

report: $(STAMP) ## the report of whatever there is so far: data/report/index.html
	@$(IN_VENV) python -m synset_factory.stages.report

plots: $(STAMP) ## DVC's plots, drawn without a network (REV=REVISION: beside that revision's)
	@$(IN_VENV) python -m synset_factory.site.vega
	@$(IN_VENV) dvc plots $(if $(REV),diff $(REV),show) --html-template dvc_plots/template.html

pull: $(STAMP) ## get image sets, models and embeddings from the remote instead of making them
	@[ -n "$$($(IN_VENV) dvc config core.remote 2>/dev/null)" ] || { \
		echo "No remote is set: \`dvc remote add --default storage PATH_OR_URL\` sets one." >&2; exit 1; }
	@$(IN_VENV) dvc pull

test: $(STAMP) ## run all tests
	@$(IN_VENV) python -m pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder

bench: $(STAMP) ## measure this machine's speed beside other ways, 30 minutes (ONLY=NAME: one of them)
	@$(IN_VENV) python benchmarks/run_all.py $(ONLY)

lint: $(STAMP) ## check style (ruff) and types (mypy)
	@$(IN_VENV) ruff check
	@$(IN_VENV) ruff format --check
	@$(IN_VENV) mypy

# Only the frozen stage `synsets` needs WordNet; its result, prompts/synsets.csv, is in git.
FIND_WORDNET := $(VENV)/bin/python -c 'from synset_factory.wordnet import open_wordnet; open_wordnet()'
NLTK_DOWNLOAD := $(VENV)/bin/python -c 'import nltk, socket, sys; \
	socket.setdefaulttimeout(30); sys.exit(not nltk.download("wordnet", quiet=True))'

wordnet: $(STAMP) ## get WordNet 3.0: nltk's download, else Debian's wordnet-base
	@if $(FIND_WORDNET) 2>/dev/null; then \
		echo "WordNet 3.0 is here already."; \
	elif echo "Asking nltk for WordNet 3.0 (11 MB) ..." && $(NLTK_DOWNLOAD) && $(FIND_WORDNET); then \
		echo "WordNet 3.0 is here, from nltk."; \
	elif ! command -v apt-get >/dev/null; then \
		echo "nltk cannot download WordNet, and there is no apt-get to install Debian's" \
			"wordnet-base with: try again with a network." >&2; exit 1; \
	elif [ "$$(id -u)" -ne 0 ]; then \
		echo "nltk cannot download WordNet; install Debian's package instead:" \
			"sudo apt-get install wordnet-base" >&2; exit 1; \
	else \
		echo "nltk cannot download WordNet; installing Debian's wordnet-base instead ..."; \
		apt-get update -qq && apt-get install -qq -y --no-install-recommends wordnet-base \
			>/dev/null && $(FIND_WORDNET) && echo "WordNet 3.0 is here, from Debian."; \
	fi
	@echo "To re-make prompts/synsets.csv: $(VENV)/bin/python -m synset_factory.stages.synsets"

lock: ## re-make requirements.lock from pyproject.toml (needs uv; keeps pins that still fit)
	@command -v uv >/dev/null || { echo "make lock needs uv: pip install uv" >&2; exit 1; }
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
		--no-emit-index-url --no-header --extra dev --output-file requirements.lock pyproject.toml

CHECK_PYTHON := import sys; v = sys.version_info[:2]; v < (3, 11) and sys.exit( \
	"Python 3.11 or later is needed, but `$(PYTHON)` is %d.%d: name another one, " \
	"for example make run PYTHON=python3.12" % v)

# The stamp is written last: an installation that was interrupted is taken up again.
$(STAMP): requirements.lock pyproject.toml
	@$(VENV)/bin/python -m pip --version >/dev/null 2>&1 || { \
		$(PYTHON) -c '$(CHECK_PYTHON)' || exit 1; \
		$(PYTHON) -m venv --clear $(VENV); }
	@[ -e $@ ] && echo "Bringing $(VENV) up to date with requirements.lock ..." || \
		echo "Installing what is pinned into $(VENV): 7.1 GB on disk, about 3 minutes on a" \
			"fast line ..."
	@$(PIP) install --require-hashes -r requirements.lock
	@$(PIP) install --no-deps --no-build-isolation -e .
	@touch $@
