# SPDX-License-Identifier: MIT
# The example guest: the runtime and the store's client, no C library. A guest of one's own can begin as a copy.

example-objects := $(patsubst %.c,$(BUILD)/%.o,$(wildcard guest/example/*.c))
$(example-objects): $(BUILD)/%.o: %.c $(BUILD)/flags-pv-drivers
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(pv-drivers-flags) -MMD -MP -c $< -o $@

$(BUILD)/example.sym: $(example-objects) $(BUILD)/pv-drivers/libpv-drivers.a $(BUILD)/guest/libguest.a $(guest-lds)
	$(call say,LD,$@)
	$(Q)$(guest-link) $(filter %.o %.a,$^) -o $@

$(BUILD)/example: $(BUILD)/example.sym
	$(call say,STRIP,$@)
	$(Q)objcopy --strip-all $< $@
