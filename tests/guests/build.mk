# SPDX-License-Identifier: MIT
# Test guests: tests/guests/NAME/main.c on guest/ becomes $(BUILD)/tests/guests/NAME. docs/testing.md tells how
# they report.

test-guest-names := $(patsubst tests/guests/%/main.c,%,$(wildcard tests/guests/*/main.c))
test-guests := $(addprefix $(BUILD)/tests/guests/,$(test-guest-names))
test-guest-objects := $(BUILD)/tests/guest-objects

$(test-guest-objects)/%.o: tests/guests/%.c $(BUILD)/flags-pv-drivers
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(pv-drivers-flags) -MMD -MP -c $< -o $@

$(test-guests): $(BUILD)/tests/guests/%: $(test-guest-objects)/%/main.o $(test-guest-objects)/test.o \
		$(test-guest-objects)/child.o $(test-guest-objects)/twin.o \
		$(BUILD)/pv-drivers/libpv-drivers.a $(BUILD)/guest/libguest.a $(guest-lds)
	$(call say,LD,$@)
	@mkdir -p $(@D)
	$(Q)$(guest-link) $(filter %.o %.a,$^) -o $@

.SECONDARY: $(test-guest-names:%=$(test-guest-objects)/%/main.o)

.PHONY: test-guests
test-guests: $(test-guests) ## build the test guests
