# Every target is one command of run.py, which needs Python 3.11 or newer and installs the rest.
PYTHON ?= python3
ARGS ?=

.PHONY: help run separate demo found-district verify-ledger import-ledger test lint bench openapi migration lifecycle lock
.DEFAULT_GOAL := help

help:        ## list these targets
	@sed -n 's/^\([a-z-]*\): *## /  \1\t/p' $(MAKEFILE_LIST) | expand -t 17

run:         ## start the product with a demo district on http://127.0.0.1:8000 (PORT=8001 make run for another port)
	@$(PYTHON) run.py run

separate:    ## the same, every service a process of its own behind the gateway
	@$(PYTHON) run.py separate

demo:        ## against a running product: play the story of an order, step by step
	@$(PYTHON) run.py demo

found-district: ## make a district that can work, with its administrator (make found-district ARGS="--help")
	@$(PYTHON) run.py found-district $(ARGS)

verify-ledger: ## check the points books against their chain (ARGS="--export FILE --heads FILE" for a file)
	@$(PYTHON) run.py verify-ledger $(ARGS)

import-ledger: ## send an exported points ledger into an empty district (make import-ledger FILE=ledger.jsonl)
	@$(PYTHON) run.py import-ledger "$(FILE)" $(ARGS)

test:        ## run the tests (make test ARGS="tests/orders -x")
	@$(PYTHON) run.py test $(ARGS)

lint:        ## format, lint, types, imports, migrations and OpenAPI documents
	@$(PYTHON) run.py lint

bench:       ## measure, beside the limit of the database (make bench ARGS="--help")
	@$(PYTHON) run.py bench $(ARGS)

openapi:     ## write the OpenAPI documents into openapi/
	@$(PYTHON) run.py openapi

migration:   ## write a migration from the changed models (make migration MESSAGE="add visits")
	@$(PYTHON) run.py migration "$(MESSAGE)"

lifecycle:   ## draw the standard lifecycle of orders into docs/
	@$(PYTHON) run.py lifecycle

lock:        ## resolve requirements*.in into the lock files (needs uv)
	@$(PYTHON) run.py lock
