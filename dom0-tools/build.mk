# SPDX-License-Identifier: MIT
# The control domain: one PV image, tools on newlib on the runtime. Its own code may use floating point.

include dom0-tools/volume/build.mk dom0-tools/remote/build.mk

dom0-tools-flags := $(filter-out -mgeneral-regs-only,$(guest-flags)) -Ipv-drivers/include -Idom0-tools \
	$(ext2fs-includes) $(lwip-includes) $(mbedtls-includes) -D__XEN_TOOLS__
include dom0-tools/acpi/build.mk
$(call stamp,dom0,ACPI=$(ACPI) $(CC) DEBUG=$(DEBUG) $(dom0-tools-flags))
$(BUILD)/flags-dom0:

dom0-objects := $(patsubst %.c,$(BUILD)/%.o,$(wildcard dom0-tools/*.c dom0-tools/*/*.c)) $(pv-drivers-objects) $(acpi-objects)

$(BUILD)/dom0-tools/%.o: dom0-tools/%.c $(BUILD)/flags-dom0 | $(newlib)/lib/libc.a $(ext2fs-generated)/.made $(lwip-source)/.fetched $(mbedtls-source)/.fetched
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(dom0-tools-flags) -MMD -MP -c $< -o $@

$(call loader,dom0,$(dom0-tools-flags),:)
dom0-objects += $(dom0-loader)

$(call ext2fs,dom0,$(CC),$(filter-out -W%,$(dom0-tools-flags)))
$(eval $(call mbedtls,$(filter-out -W%,$(dom0-tools-flags)) -w))
$(ext2fs-objects-dom0): | $(newlib)/lib/libc.a

$(BUILD)/dom0.sym: $(dom0-objects) $(libc-objects) $(BUILD)/ext2fs/dom0/libext2fs.a $(BUILD)/lwip/liblwip.a $(BUILD)/mbedtls/libmbedtls.a $(acpica-library) $(newlib)/lib/libc.a $(guest-lds)
	$(call say,LD,$@)
	$(Q)$(guest-link) $(dom0-objects) $(libc-objects) $(BUILD)/ext2fs/dom0/libext2fs.a $(BUILD)/lwip/liblwip.a $(BUILD)/mbedtls/libmbedtls.a $(acpica-library) $(newlib)/lib/libc.a -o $@

$(BUILD)/dom0: $(BUILD)/dom0.sym
	$(call say,STRIP,$@)
	$(Q)objcopy --strip-all $< $@

# The test guest of the C library is compiled and linked as dom0 is.
libc-test := $(BUILD)/tests/guests/libc
$(BUILD)/tests/guest-objects/libc/libc.o: tests/guests/libc/libc.c $(BUILD)/flags-dom0 | $(newlib)/lib/libc.a
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(dom0-tools-flags) -MMD -MP -c $< -o $@

$(libc-test): $(BUILD)/tests/guest-objects/libc/libc.o $(libc-objects) $(newlib)/lib/libc.a $(guest-lds)
	$(call say,LD,$@)
	@mkdir -p $(@D)
	$(Q)$(guest-link) $(filter %.o %.a,$^) -o $@
