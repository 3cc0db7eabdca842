# SPDX-License-Identifier: MIT
# The runtime of PV guests. A guest is its own objects, compiled with guest-flags, linked by guest-link with
# libguest.a; tests/guests and dom0-tools use these variables. A guest on newlib is linked with $(libc-objects) in
# place of libguest.a, and with $(newlib)/lib/libc.a; its code starts in main.

newlib := $(THIRD_PARTY)/newlib
guest-flags := $(common-flags) -D__XEN_INTERFACE_VERSION__=__XEN_LATEST_INTERFACE_VERSION__ -Iguest/include \
	-isystem $(newlib)/include -fno-pie -mcmodel=kernel -mno-red-zone -mgeneral-regs-only
guest-lds := guest/guest.lds
guest-link = $(CC) -nostdlib -static -Wl,--build-id=none -Wl,-z,max-page-size=4096 -Wl,-z,noexecstack \
	-Wl,--gc-sections -Wl,--no-warn-rwx-segments -Wl,-T,$(guest-lds)

$(call stamp,guest,$(CC) DEBUG=$(DEBUG) $(guest-flags))
$(BUILD)/flags-guest:

guest-objects := $(addprefix $(BUILD)/guest/,entry.o start.o trap.o event.o memory.o paging.o console.o \
	format.o clock.o vcpu.o user.o string.o thread.o thread-switch.o heap.o byte_ring.o)
libc-objects := $(filter-out %/string.o,$(guest-objects)) $(BUILD)/guest/libc.o

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

# The C library is built once: again only for another tarball or recipe, not for other flags or a clean tree.
newlib-tarball = $(firstword $(wildcard /usr/src/newlib/newlib-*.tar.*))
$(newlib)/lib/libc.a: $(newlib-tarball) guest/build-newlib
	$(call say,NEWLIB,$(newlib))
	$(Q)guest/build-newlib '$(newlib-tarball)' $(newlib)

$(BUILD)/guest/libc.o: | $(newlib)/lib/libc.a
