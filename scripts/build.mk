# SPDX-License-Identifier: MIT
# Files of Debian's packages as they are shipped, in $(THIRD_PARTY)/debian/PACKAGE; dom0's root; the bootable image.

$(THIRD_PARTY)/debian/%:
	$(call say,FETCH,$@)
	$(Q)scripts/fetch-package $* $@
.PRECIOUS: $(THIRD_PARTY)/debian/%

$(BUILD)/initrd.busybox: $(wildcard scripts/initrd/*) scripts/make-initrd scripts/make-archive | $(THIRD_PARTY)/debian/busybox-static
	$(call say,INITRD,$@)
	$(Q)scripts/make-initrd -o $@ $(THIRD_PARTY)/debian/busybox-static/bin/busybox

# dom0's root: what is below dom0-tools/root, and guests.
root-files := etc=dom0-tools/root/etc boot/example=$(BUILD)/example boot/web=$(BUILD)/web
ifneq ($(DEBIAN),0)
root-debian := $(THIRD_PARTY)/debian/linux-image-cloud-amd64
root-files += boot/initrd.busybox=$(BUILD)/initrd.busybox boot/vmlinuz-cloud=$$(echo $(root-debian)/boot/vmlinuz-*)
$(BUILD)/root.cpio: $(BUILD)/initrd.busybox | $(root-debian)
endif
$(BUILD)/root.cpio: $(BUILD)/example $(BUILD)/web $(shell find dom0-tools/root -type f) scripts/make-archive $(BUILD)/flags-iso
	$(call say,ROOT,$@)
	$(Q)scripts/make-archive -o $@ $(root-files)

# dom0 gets 16 MiB and its root; the rest of the machine is for guests. CMDLINE may say otherwise behind that.
$(BUILD)/cerne.iso: $(BUILD)/cerne $(BUILD)/dom0 $(BUILD)/root.cpio scripts/make-image $(BUILD)/flags-iso
	$(call say,IMAGE,$@)
	$(Q)memory=$$((16 + ($$(stat -c %s $(BUILD)/root.cpio) + 1048575) / 1048576)); \
	scripts/make-image -o $@ -c "dom0_mem=$${memory}M "'$(subst ','\'',$(CMDLINE))' $(BUILD)/cerne \
		'$(BUILD)/dom0 $(subst ','\'',$(DOM0))' $(BUILD)/root.cpio
