# Two commands do all the set-up on a fresh machine: `make demo` and `make test`.

SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help demo test check wire koan torture metal bench live

# On virtual metal: these look at the clock, and are alone.
TIMED := bios_from uefi_takes ipxe_that

help: ## What there is
	@sed -n 's/^\([a-z]*\):.*## /  make \1\t/p' $(MAKEFILE_LIST) | expand -t 16

demo: ## A machine with an empty disk installs, reboots and registers, before your eyes (FIRMWARE=uefi, KEEP=1)
	@lab/demo.sh

test: ## All tests: on loopback, on both databases, and on virtual metal
	@lab/packages.sh
	cargo test --locked --workspace --no-run
	KICKSTAND_TEST_POSTGRES="$$(lab/postgres.sh)" cargo test --locked --workspace
	@lab/cobbler.sh >/dev/null
	cargo test --locked --test cobbler -- --ignored
	@$(MAKE) --no-print-directory wire
	@$(MAKE) --no-print-directory koan
	KICKSTAND_TEST_POSTGRES="$$(lab/postgres.sh)" cargo test --locked --test torture -- --ignored --nocapture --test-threads=1
	@$(MAKE) --no-print-directory metal SKIP=long_ METAL_DISK_SECS=30

wire: ## DHCP below UDP and TFTP, between network namespaces with real peers (root; three minutes)
	@lab/packages.sh
	cargo test --locked --test wire -- --ignored --test-threads=1

koan: ## The koan that others use, unmodified, each of its verbs (root; two minutes)
	@lab/packages.sh
	cargo test --locked --test koan -- --ignored --test-threads=1

torture: ## The server as it is shipped, killed, cut off and flooded for long (KILLS=10000; root; hours)
	@lab/packages.sh
	KICKSTAND_TEST_POSTGRES="$$(lab/postgres.sh)" KILLS=$${KILLS:-10000} TORTURE=long \
		cargo test --locked --release --test torture -- --ignored --nocapture --test-threads=1 $(ONLY)

metal: ## Real firmware in QEMU: install, reboot, replace, kill, and how long it takes (root; about 40 minutes, SKIP=long_ for 20)
	@lab/packages.sh
	@lab/images.sh >/dev/null
	METAL_DISK_SECS=$${METAL_DISK_SECS:-20} \
		cargo test --locked --test metal -- --ignored --nocapture --test-threads=1 $(TIMED) $(if $(SKIP),--skip $(SKIP))
	cargo test --locked --test metal -- --ignored --nocapture --test-threads=2 $(TIMED:%=--skip %) $(if $(SKIP),--skip $(SKIP))

bench: ## Kea, nginx and us in one run: a table, and target/bench.json (root; about 15 minutes, QUICK=1 for 5)
	@lab/packages.sh bench
	@rm -f target/bench.json
	cargo bench --locked --bench dhcp
	cargo bench --locked --bench tftp
	cargo bench --locked --bench files
	cargo bench --locked --bench agents
	cargo bench --locked --bench decision
	cargo bench --locked --bench render
	cargo bench --locked --bench cobbler

check: ## Formatting, lints, documentation, licences
	@lab/packages.sh
	cargo fmt --all --check
	cargo clippy --locked --workspace --all-targets -- --deny warnings
	RUSTDOCFLAGS="--deny warnings --allow rustdoc::private_intra_doc_links" cargo doc --locked --workspace --no-deps --document-private-items --quiet
	shellcheck src/engine/bootstrap.sh lab/*.sh lab/image/*.sh lab/image/arm64-init fuzz/seeds.sh .ci/run lab/fai/config/*/[0-9]* lab/fai/config/hooks/* lab/fai/config/scripts/*/* tests/wire/*.sh tests/koan/*.sh
	@command -v cargo-deny >/dev/null || cargo install --quiet --locked cargo-deny
	cargo deny --log-level error check bans licenses sources

live: ## The live system for real hardware, into .demo/live (KERNEL=cloud for virtual machines)
	@lab/packages.sh
	@KERNEL=$${KERNEL:-generic} lab/images.sh .demo/live
