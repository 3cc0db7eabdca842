# SPDX-License-Identifier: MIT
# ACPICA, the reference interpreter of ACPI's methods, for interrupt lines and power; ACPI=0 leaves it out. Linux's sources, as a
# package, hold it with its own licence (BSD or GPL): 139 MB to fetch, of which only ACPICA's own files are kept. Debian's package
# of it alone, acpica-unix, has other names for everything.

ifneq ($(ACPI),0)
acpica := $(THIRD_PARTY)/acpica
acpi-variant := acpica

$(acpica)/.fetched:
	$(call say,FETCH,$(acpica))
	$(Q)rm -rf $(acpica) $(acpica).package
	$(Q)scripts/fetch-package linux-source-6.1 $(acpica).package
	$(Q)mkdir -p $(acpica) && tar -xJf $(acpica).package/usr/src/linux-source-6.1.tar.xz -C $(acpica) --strip-components=1 \
		--wildcards 'linux-source-6.1/drivers/acpi/acpica/*.[ch]' 'linux-source-6.1/include/acpi/*'
	$(Q)rm -rf $(acpica).package && touch $@

# Without the debugger, what prints tables, and the programs' own parts.
acpica-flags := -isystem $(acpica)/include -Idom0-tools/acpi/acpica/include -DACPI_USE_LOCAL_CACHE -DACPI_PCI_CONFIGURED
acpica-library := $(BUILD)/acpica/libacpica.a

# One command for all: which files there are is known when they have been fetched.
$(acpica-library): $(acpica)/.fetched $(BUILD)/flags-dom0 dom0-tools/acpi/build.mk | $(newlib)/lib/libc.a
	$(call say,CC,ACPICA)
	@rm -rf $(@D) && mkdir -p $(@D)
	$(Q)ls $(acpica)/drivers/acpi/acpica/*.c | grep -vE '/(acpi_|db|rsdump|utprint|uttrack)|dump' | \
		xargs -P 2 -I FILE sh -c '$(CC) $(filter-out -W% -O2,$(dom0-tools-flags)) -Os -w $(acpica-flags) -c FILE -o $(@D)/$$(basename FILE .c).o'
	$(Q)ar rcs $@ $(@D)/*.o
else
acpi-variant := plain
acpica-library :=
acpica-flags :=
endif

acpi-objects := $(patsubst %.c,$(BUILD)/%.o,$(wildcard dom0-tools/acpi/$(acpi-variant)/*.c))
$(acpi-objects): dom0-tools-flags += $(acpica-flags)
$(acpi-objects): $(acpica-library)
