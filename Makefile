# Two commands do all: `make demo` and `make test`. `make clients` has Azure's own command line judge the simulator too.

.PHONY: demo test tools lint unit clients clients-sdk

# A simulated Azure and the daemon on it; ends with Ctrl-C.
demo:
	cargo build --workspace --bins
	@tests/demo.sh

# Everything that must hold before a change goes in.
test: tools lint unit clients-sdk

# What the tests need besides Rust: promtool, which judges metrics and alert rules, and Python for Microsoft's clients.
tools:
	@missing=; \
	command -v promtool >/dev/null || missing=prometheus; \
	python3 -c 'import ensurepip, venv' 2>/dev/null || missing="$$missing python3-venv"; \
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

# Microsoft's Python clients take the simulator for Azure, and get every record of it.
clients-sdk:
	cargo build --quiet -p armsim
	tests/clients/environment.sh sdk
	target/clients/sdk/bin/python tests/clients/sdk.py

# The same with Azure's command line, which is half a gigabyte to install.
clients: clients-sdk
	tests/clients/environment.sh az
	target/clients/az/bin/python tests/clients/az.py
