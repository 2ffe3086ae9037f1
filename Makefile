# SPDX-License-Identifier: Apache-2.0

# Tools, pinned. They come from the Go module registry and are built where they
# are used; nothing is installed.
CONTROLLER_GEN = go run sigs.k8s.io/controller-tools/cmd/controller-gen@v0.23.0
GOLANGCI_LINT  = go run github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0
GOVULNCHECK    = golang.org/x/vuln/cmd/govulncheck@v1.9.0
GOTESTSUM      = go run gotest.tools/gotestsum@v1.13.0
BENCHSTAT      = golang.org/x/perf/cmd/benchstat@v0.0.0-20260908200009-22c9c6c9d4da

MODULE     = github.com/rancher-sandbox/rancher-desktop-daemon
GROUPS     = app containers lima rdd
# Where programs are built to, and how: the tests build theirs with RACE=-race.
BIN        ?= bin
RACE       ?=

PLATFORMS  = linux/amd64 linux/arm64 darwin/amd64 darwin/arm64 windows/amd64 windows/arm64

# The newest Docker engine that the Go module registry has; the versions are in
# test/newestdocker/go.mod.
ENGINES     = $(CURDIR)/bin/engines
DOCKER      = github.com/moby/moby/v2
CONTAINERD  = github.com/containerd/containerd/v2

# The version of RDD, and that of the Kubernetes in it for kubectl to report.
VERSION    ?= $(shell git describe --tags --match 'v*' --dirty 2>/dev/null | sed 's/^v//' || true)
KUBERNETES  = $(shell go list -m -f '{{.Version}}' k8s.io/kubernetes)
KUBE_MINOR  = $(word 2,$(subst ., ,$(KUBERNETES)))
LDFLAGS     = -s -w $(if $(VERSION),-X $(MODULE)/internal/version.rdd=$(VERSION)) \
  -X k8s.io/component-base/version.gitVersion=$(KUBERNETES) \
  -X k8s.io/component-base/version.gitCommit= \
  -X k8s.io/component-base/version.gitMajor=1 \
  -X k8s.io/component-base/version.gitMinor=$(KUBE_MINOR)

# What `make dist` makes: its version where no tag says one, where it goes, the
# time that all files in it have, and who answers for it.
RELEASE     = $(or $(VERSION),0.0.0-$(shell TZ=UTC0 git log -1 --date=format-local:%Y%m%d --format=%cd)-$(shell git describe --always --dirty --abbrev=12 --exclude='*'))
DIST       ?= dist
MAN        ?= dist/man/man1
MAINTAINER ?= $(shell git log -1 --format='%an <%ae>')
SOURCE_DATE_EPOCH ?= $(shell git log -1 --format=%ct)
dist: export SOURCE_DATE_EPOCH := $(SOURCE_DATE_EPOCH)

# Programs are built without cgo: no C compiler is needed, and every platform
# has the same SQLite. Everything is compiled in one way, as to compile
# Kubernetes twice takes minutes; the race detector alone needs cgo.
export CGO_ENABLED = 0
export GOFLAGS     = -trimpath
test: export CGO_ENABLED = 1

# The compiler is quicker when it collects less garbage.
build rdd build-examples lint cross: export GOGC = 400

# The image that a virtual machine is tested with; docs/vm.md says more.
VM_IMAGE   ?= $(CURDIR)/bin/vm/debian.qcow2

.PHONY: help env build rdd build-examples run setup test test-quick test-vm engines check lint generate check-generated bench man cross clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "%-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

env: ## Print the environment that go commands by hand need to share what is compiled: eval "$(make env)"
	@echo 'export GOFLAGS=$(GOFLAGS) CGO_ENABLED=$(CGO_ENABLED)'

build: ## Build the programs into bin/
	@hack/build $(RACE) -ldflags '$(LDFLAGS)' -o $(BIN)/ ./cmd/...

rdd: ## Build bin/rdd alone
	@hack/build $(RACE) -ldflags '$(LDFLAGS)' -o $(BIN)/ ./cmd/rdd

build-examples: ## Build the examples in Go into bin/: watch-go, notes-controller
	@hack/build $(RACE) -o $(BIN)/ ./examples/...

run: rdd ## Start an instance and show a container appear as an object
	go run ./hack/run

# How much is done at a time, for two cores: packages, and tests in each of them,
# which wait for most of their time. The packages that take longest come first.
# What vet says is for make lint, which is told it sooner.
BESIDE     ?= -p 2 -parallel 3
LONGEST     = ./test/program ./test/mirror

# A few tests that fail are run once more, and named at the end: a machine that
# runs several engines at a time may be too slow for one of them. .ci/run fails for
# a data race all the same.
RERUN      ?= --rerun-fails=1 --rerun-fails-max-failures=12 --rerun-fails-run-root-test

# The tests run as root: with sudo, if it asks for no password, and with what makes
# them behave differently. What root compiles is in root's cache.
PASSED      = GOFLAGS CGO_ENABLED GOPROXY GONOSUMDB GOPRIVATE RDD_TEST_ROUNDS RDD_TEST_SEED RDD_SOAK http_proxy https_proxy no_proxy
AS_ROOT     = $(if $(filter-out 0,$(shell id -u)),sudo -n -H env 'PATH=$(PATH)' $(foreach name,$(PASSED),$(if $($(name)),'$(name)=$($(name))')))

setup: ## Install what the tests need and the machine lacks, with apt; make test does it
	@hack/setup test

test: setup engines ## Run every test, with the race detector
	$(AS_ROOT) $(GOTESTSUM) --format testname --format-hide-empty-pkg $(RERUN) --packages '$(LONGEST) ./...' -- -race -vet=off -timeout 45m $(BESIDE)

test-quick: ## Run the tests that need neither root nor an engine, in less than three minutes
	go test -short -vet=off $(BESIDE) $$(go list ./... | grep -vE '/test/(program|lima|dist|vm)$$')

examples: ## Run the examples of clients against instances of their own
	@hack/setup examples
	go test -count=1 -run TestExamples ./test/program

test-vm: build $(if $(RDD_VM_IMAGE),,$(VM_IMAGE)) ## Run a real virtual machine with Lima and QEMU, see docs/vm.md
	RDD_VM_IMAGE=$(or $(RDD_VM_IMAGE),$(VM_IMAGE)) RDD_TEST_PROGRAM=$(abspath $(BIN))/rdd \
	  go test -v -count 1 -timeout 3h ./test/vm

$(VM_IMAGE): hack/vm-image
	mkdir -p $(@D) && hack/vm-image $@

engines: ## Build the newest Docker engine and containerd into bin/engines/, for the tests
	cd test/newestdocker && mkdir -p $(ENGINES) && \
	  CGO_ENABLED=0 go build -ldflags '-s -w -X $(DOCKER)/dockerversion.Version='$$(go list -m -f '{{.Version}}' $(DOCKER)) -o $(ENGINES)/ $(DOCKER)/cmd/dockerd && \
	  CGO_ENABLED=1 go build -ldflags '-s -w' -o $(ENGINES)/ github.com/opencontainers/runc && mkdir -p $(ENGINES)/containerd && \
	  CGO_ENABLED=0 go build -tags 'no_btrfs no_cri no_devmapper no_zfs' -ldflags '-s -w' -o $(ENGINES)/containerd/ \
	    $(CONTAINERD)/cmd/containerd $(CONTAINERD)/cmd/containerd-shim-runc-v2

# How long each target is fuzzed. That its time is over while it shortens an input
# is for Go a failure of the target, and no finding.
FUZZTIME   ?= 1m

fuzz: ## Fuzz all that parses foreign input, one target after the other; FUZZTIME=1m
	@grep -rEo --include='*_test.go' '^func Fuzz[A-Za-z0-9]+' api cmd internal test | sort | while IFS=: read -r file target; do \
	  echo "== $${target#func } $$(dirname $$file)"; \
	  said=$$(go test -run '^$$' -fuzz "^$${target#func }\$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 5s "./$$(dirname $$file)" 2>&1) || \
	    case "$$said" in \
	      *'Failing input'* | *'[build failed]'* | *panic:*) echo "$$said"; exit 1;; \
	      *'context deadline exceeded'*) ;; \
	      *) echo "$$said"; exit 1;; \
	    esac; \
	  echo "$$said" | grep 'execs' | tail -1; \
	done

.PHONY: fuzz

check: lint check-generated test ## Everything that must hold before a commit

# The database of vulnerabilities. Another one is file:///DIRECTORY, a copy of it.
VULNDB     ?= https://vuln.go.dev

lint: ## Vet, lint, and check for known vulnerabilities that the code calls
	go run ./hack/words
	go vet ./...
	$(GOLANGCI_LINT) run ./...
	go run ./hack/vulncheck $(GOVULNCHECK) $(VULNDB)

generate: ## Generate what is generated: deep copies, definitions, and schemas of built-in kinds
	$(CONTROLLER_GEN) object paths="./api/...;./examples/..."
	$(foreach group,$(GROUPS),$(CONTROLLER_GEN) crd paths=./api/$(group)/... output:crd:dir=api/$(group)/v1alpha1/crds &&) true
	$(CONTROLLER_GEN) crd paths=./examples/notes/... output:crd:dir=examples/notes/v1alpha1/crds
	go run ./hack/openapi internal/controlplane/openapi/native.json

check-generated: generate ## Check that generated files are current
	@git diff --exit-code -- api examples internal/controlplane/openapi || { echo 'generated files are out of date: run make generate and commit'; exit 1; }

# The parts that are measured, as a regular expression, and how often each of the
# two programs is that bench-compare compares.
ONLY       ?=
RUNS       ?= 5

bench: build ## Measure, and print the figures beside the budgets; ONLY='starts|rest' measures parts
	go run ./test/bench -only '$(ONLY)' -program $(BIN)/rdd -json $(BIN)/bench.json

# The program is not run by go run, which a signal would end without it.
bench-compare: ## Measure the program of BASE=<commit> and the working tree's in turns; RUNS=5, ONLY as above
	go build -o $(BIN)/ ./test/bench
	@exec $(BIN)/bench -compare -base '$(BASE)' -runs '$(RUNS)' -only '$(ONLY)' -ldflags '$(LDFLAGS)' -benchstat $(BENCHSTAT) -out $(BIN)/bench-compare

.PHONY: bench-compare plots

plots: ## Plot what make bench measured, for docs/design/performance.md
	go run ./test/bench -plot $(BIN)/bench.json

man: ## Generate the man pages into dist/man/man1/
	go run -ldflags '$(LDFLAGS)' ./hack/manpages $(MAN)

cross: ## Build and vet for every platform
	@for platform in $(PLATFORMS); do \
	  os=$${platform%/*} arch=$${platform#*/}; echo "== $$platform"; \
	  GOOS=$$os GOARCH=$$arch go build -o /dev/null ./cmd/... || exit 1; \
	  GOOS=$$os GOARCH=$$arch go vet ./... || exit 1; \
	done

.PHONY: dist archives examples

dist: build man ## Pack the programs for every platform, into dist/
	$(MAKE) --no-print-directory archives VERSION='$(RELEASE)'

archives: # of programs that are built, and manual pages that are made
	rm -rf $(DIST)/rdd* $(DIST)/SHA256SUMS
	go run ./hack/dist -version '$(VERSION)' -time $(SOURCE_DATE_EPOCH) -maintainer '$(MAINTAINER)' -ldflags '$(LDFLAGS)' \
	  -out $(DIST) -rdd $(BIN)/rdd -man $(MAN) $(PLATFORMS)

clean: ## Remove what was built
	rm -rf bin dist
