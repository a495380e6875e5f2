# `make dev` runs the product, `make test` tests it. Both need Go and Git, nothing else.

GOLANGCI_LINT := go run github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0

# Where Clerk's OpenAPI documents and its list of error codes are. They are not part of this repository.
export CLERK_OPENAPI_DIR := $(abspath $(or $(CLERK_OPENAPI_DIR),../shared/clerk-openapi))

# The race detector needs a C compiler. Without one the tests still run, and say what they could not look for.
RACE := $(shell command -v "$$(go env CC)" >/dev/null 2>&1 && echo -race)

.PHONY: dev test chaos generate lint fmt fuzz vulncheck bench deps

dev:
	go run . dev

test:
ifeq ($(RACE),)
	@echo "*** SKIPPED: no C compiler, so these tests do not look for data races. Install gcc, or run: make deps ***" >&2
	@test "$$CI" != true
endif
	@test -d "$$CLERK_OPENAPI_DIR" || \
		{ echo "*** SKIPPED: no OpenAPI documents of Clerk's in $$CLERK_OPENAPI_DIR, so nothing is checked against them ***" >&2; test "$$CI" != true; }
	@command -v redis-server >/dev/null || \
		{ echo "*** SKIPPED: no redis-server, so nothing is tested against Redis. Install redis-server, or run: make deps ***" >&2; test "$$CI" != true; }
	@PATH="$$PATH:/usr/sbin" command -v haproxy >/dev/null || \
		{ echo "*** SKIPPED: no haproxy, so nothing is tested behind a proxy. Install haproxy, or run: make deps ***" >&2; test "$$CI" != true; }
	go test $(RACE) -timeout 15m ./...

# Every call to Clerk, broken in every way, and counted. With no package named, go test shows what a test that passes prints.
chaos:
	cd e2e && go test $(RACE) -count=1 -timeout 15m -run '^TestChaos$$'

generate:
	go generate ./...

lint:
	$(GOLANGCI_LINT) run ./...

fmt:
	$(GOLANGCI_LINT) fmt ./...

vulncheck:
	.ci/vulncheck

# Each target for so long. What is found is kept in the testdata folder beside it, and tried by `make test` from then on.
FUZZTIME = 60s
fuzz:
	go test ./graph -run '^$$' -fuzz '^FuzzBody$$' -fuzztime $(FUZZTIME)
	go test ./internal/seal -run '^$$' -fuzz '^FuzzOpen$$' -fuzztime $(FUZZTIME)
	go test ./internal/middleware -run '^$$' -fuzz '^FuzzHeaders$$' -fuzztime $(FUZZTIME)
	go test ./clerksvc -run '^$$' -fuzz '^FuzzEmail$$' -fuzztime $(FUZZTIME)
	go test ./clerksvc -run '^$$' -fuzz '^FuzzStrength$$' -fuzztime $(FUZZTIME)

# Measures, and puts the figures into docs/performance.md. Takes ten minutes on a machine that does nothing else, which has to be Linux and have Node.js with npm.
bench:
	npm ci --prefix bench/node --ignore-scripts --no-audit --no-fund
	go run ./bench -out docs/performance.md

# What is nice to have beyond Go and Git, on Debian: a C compiler for the race detector, curl for the walk-through, Redis for the tests of
# what replicas share, HAProxy for those behind a proxy, Node.js for the audit of GraphQL over HTTP.
deps:
	go mod download
	missing=; node=; for tool in gcc curl redis-server haproxy node npm; do PATH="$$PATH:/usr/sbin" command -v $$tool >/dev/null || missing="$$missing $$tool"; done; \
	case "$$missing" in *node*|*npm*) node="nodejs npm";; esac; \
	if [ "$$missing" ]; then apt-get update && apt-get install --yes --no-install-recommends gcc libc6-dev curl redis-server haproxy $$node; fi
	npm ci --prefix e2e/audit --ignore-scripts --no-audit --no-fund
