# Bare `make` lists the targets. CONTRIBUTING.md says when to use which.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

# The real interpreter: a shim of a version manager costs 90 ms a start.
PYTHON ?= $(shell python3 -c 'import sys; print(sys.executable)')
VENV   := .venv
BIN    := bin/cirro
GOFILES = $(shell git ls-files -co --exclude-standard '*.go')

.PHONY: help
help: ## List the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sort | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 14

.PHONY: run
run: build $(VENV)/stamp ## Build, start, deploy examples/orders, try it, keep serving
	@exec $(VENV)/bin/python scripts/run.py

.PHONY: build
build: $(BIN) bin/runtimes/stamp ## Build bin/cirro and fetch what managed runtimes carry

# Directories count too: a file that is gone changes its directory's time.
$(BIN): $(shell find cmd internal go.mod go.sum)
	@CGO_ENABLED=0 go build -trimpath -ldflags='-s -w' -o $@ ./cmd/cirro

bin/runtimes/stamp: runtimes/python/requirements.txt | $(VENV)/bin/python
	@scripts/fetch-runtimes $(VENV)/bin/python bin/runtimes
	@touch $@

$(VENV)/bin/python:
	@"$(PYTHON)" -m venv $(VENV)

$(VENV)/stamp: test/requirements.txt test/s3fs.txt | $(VENV)/bin/python
	@$(VENV)/bin/pip install -q --disable-pip-version-check --require-hashes -r test/requirements.txt
	@rm -rf $(VENV)/s3fs
	@$(VENV)/bin/pip install -q --disable-pip-version-check --require-hashes --target $(VENV)/s3fs -r test/s3fs.txt
	@touch $@

.PHONY: test
test: system-packages build $(VENV)/stamp test-go test-aws test-postgres ## Run all tests but the long ones

.PHONY: system-packages
system-packages: ## Install the system packages that tests need (as root), or name them
	@scripts/system-packages

.PHONY: test-go
test-go: ## Run the Go tests: units, protocols, walls, vet, staticcheck
	go test -timeout 30m ./...

.PHONY: test-aws
test-aws: build $(VENV)/stamp ## Run the tests with AWS's own clients against bin/cirro
	$(VENV)/bin/python -m pytest test/aws

# Functions, tables, events and workflows: what keeps most in the store, and not what takes long and keeps it as others here do.
# `make test-postgres STORED=test/aws` runs the others, too.
APART  = lambda_durable_conformance lambda_durable_js lambda_snapstart s3_addresses
STORED = $(filter-out $(patsubst %,test/aws/test_%.py,$(APART)),$(wildcard $(addprefix test/aws/test_,lambda_*.py dynamodb_*.py \
         event*.py kinesis*.py logs.py pipes*.py s3*.py scheduler*.py sns*.py sqs*.py states_e*.py states_ma*.py states_redrive.py)))

.PHONY: test-postgres
test-postgres: build $(VENV)/stamp ## Run those of them on PostgreSQL that keep most in the store
	CIRRO_STORE=postgres $(VENV)/bin/python -m pytest $(STORED)

.PHONY: acceptance
acceptance: build $(VENV)/stamp ## Run the acceptance tests that should pass by now, where they lie beside the checkout
	@scripts/acceptance

.PHONY: race
race: ## Run the packages with concurrency under the race detector
	go test -race -timeout 60m ./internal/store/... ./internal/sandbox/... ./internal/service/... ./internal/endpoint/... ./internal/platform/...

.PHONY: long
long: build ## The long modes: 200 rounds of SIGKILL, and a minute of fuzzing for each parser
	CIRRO_LONG=1 go test -timeout 60m ./internal/...
	scripts/fuzz 1m

.PHONY: bench
bench: build $(VENV)/stamp ## Measure side by side with the peers and print a table
	$(VENV)/bin/python bench/run.py

.PHONY: generate
generate: ## Write internal/awsapi again from AWS's models
	go generate ./internal/awsapi

.PHONY: lock
lock: $(VENV)/stamp ## Write the locked requirements again
	@scripts/lock

.PHONY: fmt
fmt: ## Format the Go code
	gofmt -w $(GOFILES)

.PHONY: clean
clean: ## Remove what was built and installed here
	rm -rf bin $(VENV) .cirro .cache
