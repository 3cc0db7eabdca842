# SPDX-License-Identifier: MIT
# Scenarios: whole machines in QEMU, two at a time. SCENARIOS='-k expression' runs some.
# The named guests are built by tests/guests/build.mk.

SCENARIOS ?=
pytest := BUILD=$(BUILD) $(PYTHON) -m pytest -p no:cacheprovider -q -n 2 --dist load --timeout 600 --tb=short \
	--rootdir tests/scenarios tests/scenarios

.PHONY: scenario-files
scenario-files: $(BUILD)/cerne $(BUILD)/dom0 $(test-guests)

test-scenarios: scenario-files ## whole machines in QEMU, driven over the serial line
	@$(pytest) -m 'not long' $(SCENARIOS)

test-scenarios-long: scenario-files ## the same, full matrix
	@$(pytest) $(SCENARIOS)
