# SPDX-License-Identifier: MIT
# Flags and pattern rules for every kind of object in the tree.

Q := $(if $(V),,@)
say = @printf '  %-7s %s\n' $(1) $(2)

warnings := -Wall -Wextra -Werror -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wno-unused-parameter
common-flags := -std=gnu11 -O2 -g $(warnings) -ffreestanding -fno-common -fno-strict-aliasing \
	-fno-asynchronous-unwind-tables -fno-stack-protector -ffunction-sections -fdata-sections \
	-fcf-protection=none -Iinclude
ifeq ($(DEBUG),1)
common-flags += -DDEBUG
endif

# The hypervisor: ring 0, linked in the negative half outside the top 2 GiB, so position independent
# code with all references relative to the instruction pointer; integer registers only.
hypervisor-flags := $(common-flags) -D__CERNE__ -Ihypervisor -fpie -fvisibility=hidden -mno-red-zone \
	-mgeneral-regs-only -include lib/visibility.h

$(BUILD)/hypervisor/%.o: hypervisor/%.c
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(hypervisor-flags) -MMD -MP -c $< -o $@

$(BUILD)/hypervisor/%.o: hypervisor/%.S
	$(call say,AS,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(hypervisor-flags) -D__ASSEMBLY__ -MMD -MP -c $< -o $@

-include $(shell find $(BUILD)/hypervisor $(BUILD)/guest -name '*.d' 2>/dev/null)
