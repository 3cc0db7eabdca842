# SPDX-License-Identifier: MIT
# Split drivers as libraries: no C library, nothing of dom0's; headers are <pv-drivers/NAME.h>.

pv-drivers-flags := $(guest-flags) -Ipv-drivers/include
pv-drivers-objects := $(patsubst %.c,$(BUILD)/%.o,$(wildcard pv-drivers/*.c))
$(call stamp,pv-drivers,$(CC) DEBUG=$(DEBUG) $(pv-drivers-flags))
$(BUILD)/flags-pv-drivers:

$(BUILD)/pv-drivers/%.o: pv-drivers/%.c $(BUILD)/flags-pv-drivers
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(pv-drivers-flags) -MMD -MP -c $< -o $@

$(BUILD)/pv-drivers/libpv-drivers.a: $(pv-drivers-objects)
	$(call say,AR,$@)
	$(Q)rm -f $@; ar rcs $@ $^
