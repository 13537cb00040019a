# Glovebox builds software from a specification with a model that it does not
# trust. `make` lists what there is to make; longer recipes are in .ci/.

VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
AGENTS  := $(foreach arch,amd64 arm64,sandbox/agent/binary/agent_linux_$(arch))

.DEFAULT_GOAL := help
.PHONY: help build setup image demo test test-short bench proof fuzz fmt lint clean $(AGENTS)

help: ## lists the targets
	@sed -n 's/^\([a-z-]*\):[^#]*## /  make \1	/p' Makefile | expand -t 20

build: $(AGENTS) ## builds the agents that run in boxes, then bin/glovebox
	CGO_ENABLED=0 go build -trimpath -buildvcs=false -ldflags '-s -w -X main.version=$(VERSION)' -o bin/glovebox ./cmd/glovebox

# No version in the agents: the same source gives the same bytes, and engines
# that have them already need no new copy.
$(AGENTS): sandbox/agent/binary/agent_linux_%:
	CGO_ENABLED=0 GOOS=linux GOARCH=$* go build -trimpath -buildvcs=false -ldflags '-s -w' -o $@ ./cmd/glovebox-agent

setup: ## installs and starts a Docker engine if none answers (Debian, Ubuntu; root)
	.ci/setup

image: build ## makes the image that boxes start from by default
	bin/glovebox image build python

demo: setup build ## builds the example application with a scripted model: no key, no cost
	bin/glovebox run prompts/app_spec.txt --project-dir demo/todo --model scripted/todo --yes

test: ## runs every test, with the race detector, on a real engine (about 20 minutes at most)
	.ci/setup --tests
	$(MAKE) build
	.ci/test

test-short: ## runs the tests that need no engine
	go test -short ./...

bench: build ## measures calls and boxes
	go test -run '^$$' -bench Isolation -benchtime 1x ./sandbox/docker
	go test -run '^$$' -bench '^Benchmark[^I]' -benchmem ./...

proof: build ## runs the long proofs in full, which make test samples (GLOVEBOX_PROOF=full)
	GLOVEBOX_PROOF=full go test -count=1 -timeout 2h ./...
	FUZZTIME=$(or $(FUZZTIME),5m) .ci/fuzz

fuzz: ## fuzzes the host's side of the protocol, each target for FUZZTIME (1m)
	FUZZTIME=$(or $(FUZZTIME),1m) .ci/fuzz

fmt: ## formats the source
	find . -name '*.go' ! -path './.*' ! -path './demo/*' -exec gofmt -w {} +

lint: ## checks format, go vet and staticcheck
	.ci/lint

clean: ## removes what make made here: bin, the agents, the demo (boxes: bin/glovebox clean)
	rm -rf bin demo $(AGENTS)
