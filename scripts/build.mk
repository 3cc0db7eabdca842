# SPDX-License-Identifier: MIT
# Files of Debian's packages as they are shipped, in $(THIRD_PARTY)/debian/PACKAGE; dom0's root; the bootable image.

$(THIRD_PARTY)/debian/%:
	$(call say,FETCH,$@)
	$(Q)scripts/fetch-package $* $@
.PRECIOUS: $(THIRD_PARTY)/debian/%

root-debian := $(THIRD_PARTY)/debian/linux-image-cloud-amd64

# The ramdisk of debian.cfg: busybox, the kernel's driver for network interfaces, and a page about the guest.
initrd-files := etc/rc=rc etc/udhcpc/default.script=dhcp www/cgi-bin/index.cgi=index.cgi
$(BUILD)/initrd.busybox: $(shell find scripts/initrd -type f) scripts/make-initrd scripts/make-archive | $(THIRD_PARTY)/debian/busybox-static $(root-debian)
	$(call say,INITRD,$@)
	$(Q)scripts/make-initrd -o $@ $(THIRD_PARTY)/debian/busybox-static/bin/busybox $(subst =,=scripts/initrd/debian/,$(initrd-files)) \
		lib/xen-netfront.ko=$$(echo $(root-debian)/lib/modules/*/kernel/drivers/net/xen-netfront.ko)

# dom0's root: what is below dom0-tools/root, and guests. The Debian guest is started at boot.
root-files := etc=dom0-tools/root/etc boot/example=$(BUILD)/example boot/web=$(BUILD)/web
ifneq ($(DEBIAN),0)
root-files += boot/initrd.busybox=$(BUILD)/initrd.busybox boot/vmlinuz-cloud=$$(echo $(root-debian)/boot/vmlinuz-*) \
	etc/xl/auto/debian.cfg=dom0-tools/root/etc/xl/debian.cfg
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
