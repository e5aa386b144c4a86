# The commands of the project; `make` alone lists them.

.DEFAULT_GOAL := help
.PHONY: help run test check bench bench-api bench-adversary mutants soak

help: ## show this list
	@echo "naap: service levels that anyone can recompute"
	@echo
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-15s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo
	@echo "Needed: Rust (rustup), a C compiler and make; to test also git."
	@echo "The tests with clients in other languages need Go, Node with npm, Python 3.11 with venv and openssl, all of"
	@echo "them packages of a Debian-like system; what is missing is skipped loudly, and fails where CI is set."
	@echo
	@echo "Options of run: DATA=dir CAPTURES=dir CAPTURES_AT=time LISTEN=host:port KAFKA=host:port INTAKE=host:port SEED=n"
	@echo "  make run CAPTURES=../captures CAPTURES_AT=2026-01-08T21:50:00Z"

run: ## build, import CAPTURES=dir if given, start `naap dev` with a simulated network, print the address
	@scripts/run

test: ## lint and run every test; fetches the libraries it needs
	@scripts/test

check: ## the quick part of test: formatting, lints, tidy, dependency policy
	@scripts/test --quick

bench: ## measure the figures we hold ourselves to and print them as a table (minutes, release build)
	@cargo bench --package naap --bench figures

bench-api: ## put 1 000 requests a second on `naap serve` over a month of a network and print the times (minutes, release build)
	@cargo bench --quiet --package naap --bench load

bench-adversary: ## measure what liars, and operators that say less or fail more, can gain; fails where a bound does not hold
	@cargo bench --quiet --package sla --bench adversary

mutants: ## change the code of admission and bounds place by place, and say what no test notices (long; cargo-mutants)
	@scripts/mutants

soak: ## kill -9 a running naap 1000 times, and imports 150 times, and look for anything lost (long, release build)
	@NAAP_KILLS=1000 cargo test --release --package naap -- --nocapture kill
