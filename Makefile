# Tools are modules of their own in .ci/tools, so that none of what they need is in ours.
bin := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/rotasmith/bin

# A program is named after its go.sum: a change of that is another version of the tool, and a fresh clone builds nothing anew.
tool          = $(bin)/$(1)-$(firstword $(shell cksum <.ci/tools/$(1)/go.sum))
golangci-lint := $(call tool,golangci-lint)
govulncheck   := $(call tool,govulncheck)
tfsec         := $(call tool,tfsec)
tofu          := $(call tool,tofu)

# Where ROTASMITH_TIMES names a file, what each part takes is noted in it.
timed = $(if $(ROTASMITH_TIMES),$(bin)/times run $@)

# Tests make much that is soon of no use and keep little: to collect it seldom, but before a process has a gigabyte, saves
# them and the compiler a sixth of their time.
go-test = GOGC=800 GOMEMLIMIT=1GiB $(timed) go test

.PHONY: help
help: ## Show this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-9s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: build
build: ## Build ./rotasmith
	CGO_ENABLED=0 go build -trimpath -o rotasmith ./cmd/rotasmith

.PHONY: setup
setup: ## Install what the tests need, where that is possible, and say what they will use
	@$(timed) .ci/setup $(SERVER)

# go test keeps the results of packages that a change does not reach. What it reaches is sampled: one set of answers for each
# kind of project, one in 23 of the disturbed rotations of a proof, the role of each project with the usual answers. All golden
# cases are compared, and no emitted project is built.
.PHONY: quick
quick: ## Run what a change of one file needs: unit tests, goldens compared, a sample of the proofs; no server
	$(go-test) -short ./cmd/... ./generator/... ./templates/... ./golden ./golden/hclcheck ./golden/space

# Two parts at once: the tests on real servers mostly wait.
.PHONY: test
test: setup ## Run all tests
	@$(MAKE) --no-print-directory --jobs=2 e2e unit projects

.PHONY: verify
verify: tidy lint terraform ## What CI asks beyond the tests: a tidy go.mod, lint, Terraform

# The race detector makes a test several times dearer, and what it looks for is the same in each disturbed run: so it gets
# a sample of them, one set of answers for each kind of project, and every test without it tries all.
.PHONY: unit
unit: ## Test the generator, the command line and what stands in templates/, with the race detector too
	$(go-test) -timeout 30m ./cmd/... ./generator/... ./templates/...
	$(go-test) -race -short -timeout 30m ./cmd/... ./generator/... ./templates/...

.PHONY: projects
projects: ## Compare the golden cases, and build, vet and test the projects
	$(go-test) -timeout 30m $$(go list ./golden/... | grep -v /golden/e2e)

# All servers work at once, since a frozen process and a server without room make their own wait.
.PHONY: e2e
e2e: $(if $(SERVER),setup) ## Rotate, kill and freeze on real servers, or on SERVER=NAME alone (keys for the providers of keys)
	$(go-test) -timeout 40m -parallel 9 $(if $(SERVER),-run '$(if $(filter keys,$(SERVER)),^TestKeys$$,^Test(EndToEnd|Limits)$$/^$(SERVER)$$)') ./golden/e2e ./golden/e2e/keys

FUZZTIME ?= 1m

.PHONY: fuzz
fuzz: setup ## Run what is tried at random for long: 2,000 pairs of users a server, rehearsals of every kind, each fuzz test for FUZZTIME
	ROTATION_TEST_CASES=2000 go test -count=1 -timeout 90m -run '^TestEndToEnd$$/^(postgres|mysql|mariadb)/^engines$$' ./golden/e2e
	ROTATION_TEST_CASES=2000 go test -count=1 -timeout 90m -run '^TestFaults$$' ./generator/rehearsal/play
	@go test -list '^Fuzz' ./cmd/... ./generator/... ./templates/... | \
		awk '/^Fuzz/ { names[n++] = $$1 } /^ok/ { while (n > 0) print names[--n], $$2 }' | \
		while read -r name package; do go test -run '^$$' -fuzz "^$$name$$" -fuzztime $(FUZZTIME) "$$package" || exit; done

.PHONY: mutants
mutants: ## Plant faults in the emitted rotators and in the merge, N at the most, and print those that no test notices
	go -C .ci/tools/mutants run . $(N:%=-n %) $(SEED:%=-seed %) $(ONLY:%=-only '%') "$(CURDIR)"

.PHONY: tidy
tidy: ## Refuse a go.mod that is not tidy
	$(timed) go mod tidy -diff
	@go -C .ci/tools/manual mod tidy -diff

.PHONY: lint
lint: $(golangci-lint) ## Run golangci-lint; .golangci.yml has the reason for each rule
	$(timed) $(golangci-lint) run

.PHONY: terraform
terraform: $(tofu) $(tfsec) ## Judge the emitted Terraform with OpenTofu and tfsec, which take minutes to build once
	cd golden/tfprovider && TOFU=$(tofu) TFSEC=$(tfsec) $(timed) go test -count=1 -parallel=2 -timeout 40m ./...

.PHONY: times
times: $(bin)/times ## Run all that CI runs and print where the time goes, by part, package and test
	@rm -f $(bin)/../times.json
	ROTASMITH_TIMES=$(abspath $(bin)/../times.json) .ci/run
	@$(bin)/times table $(bin)/../times.json

.PHONY: proofs
proofs: ## Print how often the last runs have killed, frozen and walked, by server, provider and strategy
	@cat $(bin)/../proofs/*

.PHONY: golden
golden: ## Record the golden cases anew, or CASE=NAME alone, if they build and pass their own tests
	@test -f 'golden/$(or $(CASE),.)/args' || test -z '$(CASE)' || { echo 'no golden/$(CASE)/args: write the command line there, one argument a line' >&2; exit 1; }
	go test ./golden -timeout 60m -run '^TestGolden$$$(if $(CASE),/^$(CASE)$$)' -update

.PHONY: history
history: ## Record the templates as those of VERSION=v1.2.3, which an update of its projects merges with
	@test -n '$(VERSION)' || { echo 'name the version that is to be released: make history VERSION=v1.2.3' >&2; exit 1; }
	go test ./golden -run '^TestHistory$$' -record '$(VERSION)'

.PHONY: released
released: ## Refuse to release VERSION=v1.2.3 while its templates are not recorded
	go test ./golden -run '^TestHistory$$' -released '$(VERSION)'

.PHONY: reference
reference: ## Write the reference in the README anew, and the page of changes
	go test ./cmd -run '^TestReference' -update

.PHONY: bench
bench: setup ## Measure against what is to be had on any machine, as ratios
	go test -timeout 40m -run '^$$' -bench . ./cmd ./golden/...

.PHONY: measure
measure: ## Print the size and the price of the sample project beside what is aimed at; fails above it
	go -C .ci/tools/measure run . "$(CURDIR)"

.PHONY: pins
pins: ## Write each engine's and provider's go.mod.tmpl and go.sum from our own, or of ENGINE=NAME or PROVIDER=NAME alone
	go -C .ci/tools/pins run . "$(CURDIR)" $(ENGINE:%=engines/%) $(PROVIDER:%=providers/%)

.PHONY: rds-ca
rds-ca: ## Fetch the root certificates of Amazon RDS anew
	go -C .ci/tools/rds-ca run . "$(CURDIR)/templates/strategies/database/database/rds-ca.pem"

.PHONY: vuln
vuln: $(govulncheck) ## Ask the Go vulnerability database, which must be reachable
	$(govulncheck) ./...

$(bin)/times: .ci/tools/times/main.go
	go -C $(<D) build -o $@ .

$(golangci-lint):
	go -C .ci/tools/golangci-lint build -o $@ github.com/golangci/golangci-lint/v2/cmd/golangci-lint

$(govulncheck):
	go -C .ci/tools/govulncheck build -o $@ golang.org/x/vuln/cmd/govulncheck

$(tfsec):
	go -C .ci/tools/tfsec build -ldflags "-s -w" -o $@ github.com/aquasecurity/tfsec/cmd/tfsec

$(tofu):
	go -C .ci/tools/tofu build -ldflags "-s -w -X github.com/opentofu/opentofu/version.dev=no" -o $@ github.com/opentofu/opentofu/cmd/tofu
