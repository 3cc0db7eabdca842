# SPDX-License-Identifier: MIT
# Scenarios: whole machines in QEMU, two at a time. SCENARIOS='-k expression' runs some.
# tests/guests/build.mk names the test guests that it builds in $(test-guests); they run on the hypervisor
# with assertions.

SCENARIOS ?=
pytest := BUILD=$(BUILD) THIRD_PARTY=$(THIRD_PARTY) $(PYTHON) -m pytest -p no:cacheprovider -q -n 2 --dist load --timeout 600 --tb=short \
	--rootdir tests/scenarios tests/scenarios

.PHONY: scenario-files debug-hypervisor test-scenarios test-scenarios-long
debug-hypervisor:
	@$(MAKE) --no-print-directory -s DEBUG=1 BUILD=$(BUILD)/debug THIRD_PARTY=$(THIRD_PARTY) $(BUILD)/debug/cerne

.PHONY: plain-dom0
plain-dom0:
	@$(MAKE) --no-print-directory -s ACPI=0 BUILD=$(BUILD)/plain THIRD_PARTY=$(THIRD_PARTY) $(BUILD)/plain/dom0

# Files of Debian's packages, as they are shipped; kept between runs.
debian-files := $(addprefix $(THIRD_PARTY)/debian/,linux-image-amd64 linux-image-cloud-amd64 busybox-static \
	grub-xen-bin grub-xen-host xen-hypervisor-4.17-amd64 xenstore-utils libxenstore4 libxentoolcore1 libc6)
# Xen's own toolstack, for a Linux dom0, with the libraries that it wants.
stock-tools := $(addprefix $(THIRD_PARTY)/debian/,xen-utils-4.17 xenstore-utils libxenmisc4.17 libxencall1 libxendevicemodel1 \
	libxenevtchn1 libxenforeignmemory1 libxengnttab1 libxenhypfs1 libxentoollog1 libxentoolcore1 libxenstore4 libyajl2 libuuid1 \
	liblzma5 libzstd1 zlib1g libc6 libgcc-s1)
debian-files += $(stock-tools)
# A Debian system on a disk image, from packages of the day; kept between runs.
debian-root := $(THIRD_PARTY)/debian-root/root.img
$(debian-root): scripts/make-debian-root | $(addprefix $(THIRD_PARTY)/debian/,linux-image-amd64 linux-image-cloud-amd64 fio)
	$(call say,DEBIAN,$@)
	$(Q)rm -rf $(@D)
	$(Q)CC='$(CC)' scripts/make-debian-root $(THIRD_PARTY)/debian $(@D)

.PHONY: debian-root
debian-root: $(debian-root) ## make the Debian disk image that tests boot (needs the network; it is kept)

# stress-ng and the libraries that it is linked with; only the full matrix needs them.
stress-files := $(addprefix $(THIRD_PARTY)/debian/,stress-ng libapparmor1 libbsd0 libcrypt1 libdrm2 libegl1 \
	libexpat1 libffi8 libgbm1 libgles2 libglvnd0 libipsec-mb1 libjpeg62-turbo libjudydebian1 libkmod2 liblzma5 \
	libmd0 libsctp1 libssl3 libwayland-server0 libxxhash0 libzstd1 zlib1g)
# A debugger, with what it needs that is not above.
gdb-files := $(addprefix $(THIRD_PARTY)/debian/,gdb-minimal libgcc-s1 libgmp10 libipt2 libreadline8 \
	libstdc++6 libtinfo6)
# Programs for that Linux, which need nothing else there.
linux-programs := $(addprefix $(BUILD)/tests/,trace probe)
$(linux-programs): $(BUILD)/tests/%: tests/scenarios/%.c
	$(call say,CC,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) -O2 -g -Wall -Wextra -Werror -static -o $@ $<

# gdb would fetch symbols from the network through this library, which needs dozens of others. It does not have to be
# able to do anything: gdb asks it when it is told to.
gdb-files += $(BUILD)/tests/libdebuginfod.so.1
$(BUILD)/tests/libdebuginfod.so.1:
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) -shared -nostdlib -Wl,-soname,$(@F) -x c /dev/null -o $@

scenario-files: $(debian-files) $(BUILD)/cerne.iso $(BUILD)/cerne $(BUILD)/dom0 $(BUILD)/example $(BUILD)/web $(test-guests) $(libc-test) \
	debug-hypervisor $(linux-programs) $(debian-root)

test-scenarios: scenario-files ## whole machines in QEMU, driven over the serial line
	@$(pytest) -m 'not long' $(SCENARIOS)

test-scenarios-long: scenario-files plain-dom0 $(stress-files) $(gdb-files) ## the same, full matrix
	@$(pytest) $(SCENARIOS)
