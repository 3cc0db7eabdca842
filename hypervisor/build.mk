# SPDX-License-Identifier: MIT
# The hypervisor: every source below its folders, one link.

hypervisor-src := $(wildcard hypervisor/*/*.c hypervisor/*/*.S)
hypervisor-obj := $(patsubst %,$(BUILD)/%.o,$(basename $(hypervisor-src)))
