# Tools are modules of their own in .ci/tools, so that none of what they need is in ours.
bin := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/rotasmith/bin

.PHONY: help
help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-9s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: build
build: ## Build ./rotasmith
	CGO_ENABLED=0 go build -trimpath -o rotasmith ./cmd/rotasmith

.PHONY: setup
setup: ## Install what the tests need, where that is possible, and say what they will use
	@.ci/setup

.PHONY: test
test: setup ## Run all tests
	go test -timeout 40m ./...

.PHONY: verify
verify: setup lint terraform ## What CI asks beyond the tests: lint, Terraform, a tidy go.mod, the race detector
	go mod tidy -diff
	# The servers' tests run other programs, which the race detector does not see.
	go test -race -timeout 40m $$(go list ./cmd/... ./generator/... ./templates/... | grep -v /rehearsal/servers)

.PHONY: lint
lint: $(bin)/golangci-lint ## Run golangci-lint; .golangci.yml has the reason for each rule
	$(bin)/golangci-lint run

.PHONY: terraform
terraform: $(bin)/tofu $(bin)/tfsec ## Judge the emitted Terraform with OpenTofu and tfsec, which take minutes to build once
	TOFU=$(bin)/tofu TFSEC=$(bin)/tfsec go -C golden/tfprovider test -count=1 -parallel=2 -timeout 40m ./...

.PHONY: golden
golden: ## Record the golden cases anew, or CASE=NAME alone, if they build and pass their own tests
	@test -f 'golden/$(or $(CASE),.)/args' || test -z '$(CASE)' || { echo 'no golden/$(CASE)/args: write the command line there, one argument a line' >&2; exit 1; }
	go test ./golden -timeout 60m -run '^TestGolden$$$(if $(CASE),/^$(CASE)$$)' -update

.PHONY: reference
reference: ## Write the reference in the README anew, from the commands and the one list of questions
	go test ./cmd -run '^TestReference$$' -update

.PHONY: bench
bench: setup ## Measure against what is to be had on any machine, as ratios
	go test -timeout 40m -run '^$$' -bench . ./cmd ./golden/...

.PHONY: pins
pins: ## Write each engine's go.mod.tmpl and go.sum from our own
	go -C .ci/tools/pins run . "$(CURDIR)"

.PHONY: rds-ca
rds-ca: ## Fetch the root certificates of Amazon RDS anew
	go -C .ci/tools/rds-ca run . "$(CURDIR)/templates/strategies/database/database/rds-ca.pem"

.PHONY: vuln
vuln: $(bin)/govulncheck ## Ask the Go vulnerability database, which must be reachable
	$(bin)/govulncheck ./...

# A change of a tool's go.sum is another version of the tool.
$(bin)/golangci-lint: .ci/tools/golangci-lint/go.sum
	go -C $(<D) build -o $@ github.com/golangci/golangci-lint/v2/cmd/golangci-lint

$(bin)/govulncheck: .ci/tools/govulncheck/go.sum
	go -C $(<D) build -o $@ golang.org/x/vuln/cmd/govulncheck

$(bin)/tfsec: .ci/tools/tfsec/go.sum
	go -C $(<D) build -ldflags "-s -w" -o $@ github.com/aquasecurity/tfsec/cmd/tfsec

$(bin)/tofu: .ci/tools/tofu/go.sum
	go -C $(<D) build -ldflags "-s -w -X github.com/opentofu/opentofu/version.dev=no" -o $@ github.com/opentofu/opentofu/cmd/tofu
