# Every verb of the project, each one line or one script under Scripts/. `make` alone lists them.

.PHONY: help setup chat build test clients format lint layers asan ubsan tsan fuzz conformance browser bench bench-count \
	verify

help: ## lists the verbs
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## installs what building and testing need, and only what is missing
	Scripts/setup test

chat: ## sets up, builds and runs the chat on http://127.0.0.1:8080 (options: ARGS="--port 9000")
	Scripts/chat $(ARGS)

build: ## builds everything (debug)
	Scripts/setup
	swift build

test: ## runs all tests: the unit tests, then real WebSocket clients against the servers
	Scripts/test

clients: ## only the second part of `make test`: real clients from outside (options: ARGS="-k ping")
	Scripts/setup test
	Scripts/check-clients $(ARGS)

format: ## formats the Swift and the C
	Scripts/setup lint
	Scripts/lint --fix

lint: ## checks formats, floors, lengths and scripts
	Scripts/setup lint
	Scripts/lint

layers: ## checks that each file includes and imports only what its floor may
	Scripts/check-layers --self-test
	Scripts/check-layers

asan: ## runs the unit tests under AddressSanitizer
	Scripts/sanitize address

ubsan: ## runs the unit tests under UndefinedBehaviorSanitizer
	Scripts/sanitize undefined

tsan: ## runs the unit tests under ThreadSanitizer
	Scripts/sanitize thread

fuzz: ## fuzzes each parser for a minute (options: ARGS="SECONDS=600 utf8")
	Scripts/fuzz $(ARGS)

conformance: ## runs the whole Autobahn|Testsuite, against the server and against the client (some 30 minutes)
	Scripts/setup
	Scripts/conformance --all
	Scripts/conformance client --all

verify: ## runs what is too heavy for .ci/run, with the minutes of each part (options: ARGS="memory fuzz")
	Scripts/setup test
	Scripts/verify $(ARGS)

browser: ## checks the chat in a real browser
	Scripts/check-browser $(ARGS)

bench-count: ## counts instructions and system calls for a message (options: ARGS="--check")
	Scripts/bench-count $(ARGS)

bench: ## measures Apus beside other servers, 25 minutes (options: ARGS="--quick")
	Scripts/bench $(ARGS)
