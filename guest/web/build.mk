# SPDX-License-Identifier: MIT
# A web server as a guest: one file on the runtime, the network's front half and lwIP, without a C library.

$(BUILD)/guest/web/main.o: guest/web/main.c $(lwip-source)/.fetched $(BUILD)/flags-lwip | $(newlib)/lib/libc.a
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(lwip-flags) -MD -MP -c $< -o $@

$(BUILD)/web.sym: $(BUILD)/guest/web/main.o $(BUILD)/lwip/liblwip.a $(BUILD)/pv-drivers/libpv-drivers.a $(BUILD)/guest/libguest.a $(guest-lds)
	$(call say,LD,$@)
	$(Q)$(guest-link) $(filter %.o %.a,$^) -o $@

$(BUILD)/web: $(BUILD)/web.sym
	$(call say,STRIP,$@)
	$(Q)objcopy --strip-all $< $@
