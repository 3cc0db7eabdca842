# SPDX-License-Identifier: MIT
# Cerne's whole build: variables here, rules in Rules.mk, one fragment (build.mk) a folder, no recursion.

CC      ?= gcc
ifeq ($(origin CC),default)
CC      := gcc
endif
BUILD   ?= build
# Parts that others wrote, built once and kept when our own sources change.
THIRD_PARTY ?= $(BUILD)/third-party
# DEBUG=1: assertions on.
DEBUG   ?= 0

all: $(BUILD)/cerne

include Rules.mk
include $(wildcard hypervisor/build.mk guest/build.mk dom0-tools/build.mk tests/*/build.mk scripts/build.mk)

.DEFAULT_GOAL := all
.PHONY: all
