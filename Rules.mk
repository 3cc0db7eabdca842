# SPDX-License-Identifier: MIT
# Flags and pattern rules for every kind of object in the tree.

Q := $(if $(V),,@)
say = @printf '  %-7s %s\n' $(1) $(2)

# The folders whose sources are compiled with a set of flags of their own: FOLDER-flags.
trees := hypervisor loader guest lwip pv-drivers dom0-tools

warnings := -Wall -Wextra -Werror -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wno-unused-parameter
common-flags := -std=gnu11 -O2 -g $(warnings) -ffreestanding -fno-common -fno-strict-aliasing \
	-fno-asynchronous-unwind-tables -fno-stack-protector -ffunction-sections -fdata-sections \
	-fcf-protection=none -Iinclude -I.
ifeq ($(DEBUG),1)
common-flags += -DDEBUG
endif

# The hypervisor: ring 0, linked in the negative half outside the top 2 GiB, so position independent
# code with all references relative to the instruction pointer; integer registers only.
hypervisor-flags := $(common-flags) -D__CERNE__ -Ihypervisor -fpie -fvisibility=hidden -mno-red-zone \
	-mgeneral-regs-only -I$(BUILD)/hypervisor/include -include lib/visibility.h

# flags-WHAT: a file that changes only when the named text does. What depends on it is made again when
# the compiler, DEBUG or a flag changes, and not otherwise.
stamp = $(shell mkdir -p $(BUILD); printf '%s\n' '$(subst ','\'',$(2))' >$(BUILD)/.flags-$(1); \
	cmp -s $(BUILD)/.flags-$(1) $(BUILD)/flags-$(1) || mv $(BUILD)/.flags-$(1) $(BUILD)/flags-$(1); \
	rm -f $(BUILD)/.flags-$(1))
$(call stamp,cc,$(CC) DEBUG=$(DEBUG) $(hypervisor-flags))
$(call stamp,iso,$(CMDLINE) | $(DOM0) | $(DEBIAN))
$(BUILD)/flags-cc $(BUILD)/flags-iso:

$(BUILD)/hypervisor/%.o: hypervisor/%.c $(BUILD)/flags-cc
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(hypervisor-flags) -MMD -MP -c $< -o $@

$(BUILD)/hypervisor/%.S.o: hypervisor/%.S $(BUILD)/flags-cc
	$(call say,AS,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(hypervisor-flags) -D__ASSEMBLY__ -MMD -MP -c $< -o $@

-include $(shell find $(BUILD)/hypervisor $(BUILD)/lwip $(BUILD)/loader $(BUILD)/guest $(BUILD)/pv-drivers $(BUILD)/dom0-tools $(BUILD)/tests -name '*.d' 2>/dev/null)
