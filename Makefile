# Hayate. `make run` starts the gateway with the embedded engine; `make test` runs the tests. Both set up what they need.
.DEFAULT_GOAL := help
unexport CDPATH

.PHONY: help setup setup-dev run test test-slow soak check bench lock vendor clean

help: ## this list
	@grep -hE '^[a-z-]+:.*## ' Makefile | awk -F ':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

setup: ## make .venv with the `hayate` command (PYTHON=... names the Python for it)
	@gateway/scripts/setup run

setup-dev:
	@gateway/scripts/setup dev

run: setup ## start the gateway with the embedded engine
	@exec .venv/bin/hayate up

test: setup-dev ## all quick tests, real llama.cpp included
	@gateway/scripts/test $(ARGS)

test-slow: setup-dev ## the slower tests: real vLLM on CPU, tritonserver, the long load
	@gateway/scripts/test-slow $(ARGS)

soak: setup-dev ## callers of every kind, failing engines, reloads, for half an hour (ARGS="--minutes 5")
	@gateway/scripts/soak $(ARGS)

check: setup-dev ## ruff, mypy --strict, import contracts, the page's types
	@gateway/scripts/check

bench: setup-dev ## the side-by-side benchmark of bench/README.md (ARGS=--quick: a minute; ARGS="--against REV": a change)
	@gateway/scripts/bench $(ARGS)

lock: ## resolve and hash the dependencies again (needs uv)
	@gateway/scripts/lock

vendor: setup-dev ## take the page's libraries from npm again, as they are pinned (needs npm)
	@gateway/scripts/vendor

clean: ## remove the private environment and caches (weights and data stay)
	rm -rf .venv .engines .bench gateway/src/*.egg-info
