# Virtswarm. Two commands do everything on a fresh Debian 12 with Swift, as root: make run, make test.
SHELL := /bin/bash
DAEMONS := virtqemud virtnetworkd virtstoraged virtlogd virtlockd virtproxyd
RELEASE := .build/release
GUEST := .cache/guest
PREFIX ?= /usr
FUZZ_SECONDS ?= 60
CORPUS ?=

.PHONY: help deps build run test test-systemd test-takeover lint bench conformance fuzz install guest clean

help:
	@grep -E '^## ' Makefile | sed 's/^## //'

## make deps         installs the missing Debian packages
deps:
	@scripts/deps.sh build run test

## make build        release binaries with the Swift runtime linked in
build:
	@scripts/deps.sh build
	swift build -c release --static-swift-stdlib

## make guest        builds the demo guest once, from Debian packages
guest:
	@scripts/deps.sh run
	@scripts/guest.sh $(GUEST)

## make run          starts the swarm privately with a demo guest; Ctrl-C ends everything
run: build guest
	@scripts/run.sh $(RELEASE) $(GUEST)

## make test         all tests: what CI runs
test:
	@scripts/deps.sh build test
	@scripts/guest.sh $(GUEST)
	swift build --build-tests
	swift test --skip-build
	Tests/Integration/run.sh .build/debug $(GUEST)

## make test-systemd  every daemon restarted and killed beneath a real systemd
test-systemd:
	@scripts/deps.sh build test
	@scripts/guest.sh $(GUEST)
	swift build
	Tests/Integration/systemd.sh .build/debug $(GUEST)

## make test-takeover  guests change hands between C libvirtd and our daemons (installs libvirt-daemon-system)
test-takeover:
	@scripts/deps.sh build test takeover
	@scripts/guest.sh $(GUEST)
	swift build
	Tests/Integration/takeover.sh .build/debug $(GUEST)

## make lint         formatting, sizes, and that generated code is current
lint:
	@scripts/lint.sh

## make bench        ours against C libvirt, as ratios (needs libvirt-daemon-system)
bench: build
	@Benchmarks/run.sh $(RELEASE)

## make conformance CORPUS=DIR   plays a conformance corpus against the daemons
conformance:
	@test -n "$(CORPUS)" || { echo "say where: make conformance CORPUS=DIR"; exit 2; }
	@scripts/deps.sh build test conformance
	swift build
	Tests/Conformance/run.sh .build/debug $(CORPUS)

## make fuzz         each fuzz target for FUZZ_SECONDS (60)
fuzz:
	@scripts/deps.sh build
	Tests/Fuzz/run.sh $(FUZZ_SECONDS)

## make install      DESTDIR and PREFIX as usual; systemd units included
install: build
	@scripts/install.sh $(RELEASE) "$(DESTDIR)" "$(PREFIX)"

clean:
	rm -rf .build .cache
