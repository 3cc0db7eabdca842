# SPDX-License-Identifier: MIT
# Cerne's whole build: variables and user commands here, flags and pattern rules in Rules.mk, one
# fragment (build.mk) a folder, no recursion. Lines with a double hash are what `make help` prints.

CC ?= gcc
ifeq ($(origin CC),default)
CC := gcc
endif
BUILD ?= build
# Parts that others wrote, built once and kept when our own sources change.
THIRD_PARTY ?= $(BUILD)/third-party
# DEBUG=1: assertions on.
DEBUG ?= 0
# 0: without ACPICA in dom0 (dom0-tools/acpi/build.mk).
ACPI ?= 1
# 0: without Debian's Linux as a guest in the image.
DEBIAN ?= 1
PYTHON := /usr/bin/python3

## Variables of every target:
##   CC=clang           build with Clang (default: gcc)
##   DEBUG=1            assertions on (default: release)
##   BUILD=dir          where results go (default: build)
##   ACPI=0             no interpreter of ACPI's methods in dom0: 139 MB less to fetch, 150 KiB smaller
##   V=1                show the commands
##   DEBIAN=0           leave Debian's Linux out of the image, and fetch no package for it
## Variables of `make run`:
##   CPUS=4 MEM=2G      size of the machine
##   CPU=EPYC           QEMU's CPU model (default: Haswell)
##   UEFI=1             UEFI firmware (OVMF) instead of BIOS
##   DISKS='a.img b.img:nvme'  disks from image files: virtio, or nvme, ahci
##   CMDLINE='...'      options of the hypervisor; DOM0='...' arguments of dom0
##   NIC=e1000e         model of the network card (default: virtio-net-pci), none: no card
##   PAGE=8080          the host's port for the page of the Debian guest, or the next that is free; none: no port
##   FORWARD='8081:10.0.2.16:80'  more ports of the host's that lead to a guest's: HOST:PORT or HOST:ADDRESS:PORT
##   QEMU_ARGS='...'    more arguments for QEMU
CPUS ?= 2
MEM ?= 1G
CPU ?= Haswell
UEFI ?= 0
CMDLINE ?=
DOM0 ?=
NIC ?=
PAGE ?= $(if $(filter 0,$(DEBIAN)),none,8080)
FORWARD ?=
QEMU_ARGS ?=
DISKS ?=

include Rules.mk

.DEFAULT_GOAL := all
.PHONY: all help run iso clean distclean setup-build setup-run setup-test

all: $(BUILD)/cerne $(BUILD)/dom0 $(BUILD)/example $(BUILD)/web $(BUILD)/cerne.iso ## build the hypervisor, dom0 and the bootable image

include $(wildcard loader/build.mk hypervisor/build.mk guest/build.mk pv-drivers/build.mk guest/lwip/build.mk guest/web/build.mk guest/example/build.mk dom0-tools/build.mk tests/*/build.mk scripts/build.mk)

iso: $(BUILD)/cerne.iso ## make the bootable image build/cerne.iso (BIOS and UEFI)

# Packages first, in a make of their own: what follows may need them to be parsed.
run: ## install what is missing, build, and boot the image in QEMU; the terminal is the serial console
	@scripts/setup run
	@$(MAKE) --no-print-directory $(BUILD)/cerne.iso
	@CPUS='$(CPUS)' MEM='$(MEM)' CPU='$(CPU)' UEFI='$(UEFI)' NIC='$(NIC)' PAGE='$(PAGE)' FORWARD='$(FORWARD)' DISKS='$(DISKS)' \
		QEMU_ARGS='$(subst ','\'',$(QEMU_ARGS))' \
		scripts/run-qemu $(BUILD)/cerne.iso

# The layers of `make test`; each prints "N passed, N failed" last, and runs alone too.
layers := test-unit test-abi test-fuzz check test-scenarios
layers-long := test-unit-long test-abi test-fuzz-long check test-scenarios-long
.PHONY: test test-long check

test: ## install what is missing, build, and run every test
	@scripts/setup test
	@$(PYTHON) scripts/run-layers --make '$(MAKE)' --results $(BUILD)/results $(layers)

test-long: ## as test, with long fuzzing and the whole matrix of scenarios
	@scripts/setup test
	@$(PYTHON) scripts/run-layers --make '$(MAKE)' --results $(BUILD)/results $(layers-long)

check: ## style, static analysis, headers alone, both compilers
	@$(foreach t,$(trees),$(subst -,_,$(t))_flags='$($(t)-flags)') BUILD='$(BUILD)' THIRD_PARTY='$(THIRD_PARTY)' \
		MAKE='$(MAKE)' $(PYTHON) scripts/check $(KINDS)

clean: ## remove what was built from this tree; keep the third-party parts
	$(Q)find $(BUILD) -mindepth 1 -maxdepth 1 ! -path $(THIRD_PARTY) -exec rm -rf {} + 2>/dev/null || true

distclean: ## remove everything that was built
	$(Q)rm -rf $(BUILD)

help: ## this text
	@awk -F ':.*## ' '/^[a-z][-a-z]*:.*## / { printf "  make %-20s %s\n", $$1, $$2 }' Makefile $(filter-out Makefile,$(MAKEFILE_LIST))
	@sed -n 's/^## \?//p' Makefile
