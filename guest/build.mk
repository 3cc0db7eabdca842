# SPDX-License-Identifier: MIT
# The runtime of PV guests. A guest is its own objects, compiled with guest-flags, linked by guest-link with
# libguest.a; tests/guests and dom0-tools use these variables.

guest-flags := $(common-flags) -D__XEN_INTERFACE_VERSION__=__XEN_LATEST_INTERFACE_VERSION__ -Iguest/include \
	-fno-pie -mcmodel=kernel -mno-red-zone -mgeneral-regs-only
guest-lds := guest/guest.lds
guest-link = $(CC) -nostdlib -static -no-pie -Wl,--build-id=none -Wl,-z,max-page-size=4096 -Wl,-z,noexecstack \
	-Wl,--gc-sections -Wl,--no-warn-rwx-segments -Wl,-T,$(guest-lds)

$(call stamp,guest,$(CC) DEBUG=$(DEBUG) $(guest-flags))
$(BUILD)/flags-guest:

guest-objects := $(addprefix $(BUILD)/guest/,entry.o start.o trap.o event.o memory.o paging.o console.o \
	format.o clock.o vcpu.o user.o string.o)

$(BUILD)/guest/%.o: guest/%.c $(BUILD)/flags-guest
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(guest-flags) -MMD -MP -c $< -o $@

$(BUILD)/guest/%.o: guest/%.S $(BUILD)/flags-guest
	$(call say,AS,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(guest-flags) -D__ASSEMBLY__ -MMD -MP -c $< -o $@

$(BUILD)/guest/libguest.a: $(guest-objects)
	$(call say,AR,$@)
	$(Q)rm -f $@; ar rcs $@ $^
