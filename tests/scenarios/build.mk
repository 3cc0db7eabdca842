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

# Files of Debian's packages, as they are shipped; kept between runs.
debian-files := $(addprefix $(THIRD_PARTY)/debian/,linux-image-amd64 busybox-static \
	grub-xen-bin xen-hypervisor-4.17-amd64)
$(debian-files):
	$(call say,FETCH,$@)
	$(Q)scripts/fetch-package $(@F) $@

scenario-files: $(debian-files) $(BUILD)/cerne $(BUILD)/dom0 $(test-guests) $(libc-test) debug-hypervisor

test-scenarios: scenario-files ## whole machines in QEMU, driven over the serial line
	@$(pytest) -m 'not long' $(SCENARIOS)

test-scenarios-long: scenario-files ## the same, full matrix
	@$(pytest) $(SCENARIOS)
