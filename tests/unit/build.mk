# SPDX-License-Identifier: MIT
# Host programs that test and fuzz sources of the tree under ASan and UBSan. A test's first lines say what
# it needs:
#   // sources: hypervisor/lib/string.c hypervisor/lib/format.c
#   // flags: -DSOMETHING            (optional)
#   // libs: -lz                     (optional)
#   // runs: 100000                  (optional, fuzz only: inputs to try in `make test`)

unit-tests := $(patsubst tests/unit/%.c,%,$(wildcard tests/unit/test_*.c))
comma := ,
fuzzers := $(patsubst tests/fuzz/%.c,%,$(wildcard tests/fuzz/fuzz_*.c))

sanitizers := -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
host-flags := -std=gnu11 -g -O1 $(warnings) -fno-strict-aliasing -ffunction-sections -fdata-sections \
	-DUNIT_TEST -DDEBUG -Iinclude -I. -Ihypervisor -Ipv-drivers/include -Idom0-tools -Itests/unit/include
UNIT_CC ?= gcc
FUZZ_CC ?= clang
FUZZ_RUNS_FACTOR ?= 1
$(call stamp,host,$(UNIT_CC) $(FUZZ_CC) $(host-flags) $(sanitizers))
$(BUILD)/flags-host:

# The first lines of all tests, as variables: test_X-sources, test_X-flags, ...
-include $(BUILD)/host-tests.mk
$(BUILD)/host-tests.mk: $(wildcard tests/unit/test_*.c tests/fuzz/fuzz_*.c) tests/unit/build.mk
	@mkdir -p $(@D)
	@awk 'FNR <= 8 && /^\/\/ (sources|flags|libs|runs):/ { n = FILENAME; sub(/.*\//, "", n); sub(/\.c$$/, "", n); \
		key = $$2; sub(/:/, "", key); sub(/^\/\/ [a-z]+: */, ""); print n "-" key " := " $$0 }' \
		/dev/null $(filter %.c,$^) >$@

# $(1): test, $(2): its folder, $(3): compiler, $(4): sanitizer flags, $(5): libraries
define host-program
$(1)-objects := $$(patsubst %.c,$(BUILD)/tests/$(1)/%.o,tests/$(2)/$(1).c $$($(1)-sources))
$(BUILD)/tests/$(1)/%.o: %.c $(BUILD)/flags-host $(BUILD)/host-tests.mk
	@mkdir -p $$(@D)
	$$(Q)$(3) $(host-flags) $(4) $$($(1)-flags) -MMD -MP -c $$< -o $$@
$(BUILD)/tests/$(1)/$(1): $$($(1)-objects)
	$$(call say,HOSTLD,$$@)
	$$(Q)$(3) $(4) -Wl,--gc-sections $$^ $$($(1)-libs) $(5) -o $$@
endef
$(foreach t,$(unit-tests),$(eval $(call host-program,$(t),unit,$(UNIT_CC),$(sanitizers),-lcmocka)))
# The fuzzer's tables keep every function, used or not; one that is called but was not linked in crashes.
$(foreach t,$(fuzzers),$(eval $(call host-program,$(t),fuzz,$(FUZZ_CC),-fsanitize=fuzzer -fno-pie $(sanitizers),\
	-no-pie -Wl$(comma)--unresolved-symbols=ignore-all)))

# What unpacks XZ is in no library of the system: built here under the same sanitizer, but for what its authors do on
# purpose (reads of words at any address).
host-7zip := $(BUILD)/tests/lib7zip.a
$(host-7zip): $(THIRD_PARTY)/7zip/.fetched $(BUILD)/flags-host
	$(call say,HOSTAR,$@)
	@mkdir -p $(BUILD)/tests/7zip
	$(Q)cd $(BUILD)/tests/7zip && $(UNIT_CC) -g -O1 -w -fsanitize=address -DZ7_ST -ffunction-sections \
		-c $(addprefix $(abspath $(THIRD_PARTY))/7zip/C/,$(7zip-xz:=.c))
	$(Q)rm -f $@ && ar rcs $@ $(patsubst %,$(BUILD)/tests/7zip/%.o,$(7zip-xz))
$(foreach t,test_unpack fuzz_unpack,$(BUILD)/tests/$(t)/$(t)): $(host-7zip)
$(test_unpack-objects) $(fuzz_unpack-objects): | $(THIRD_PARTY)/7zip/.fetched

# So is libext2fs, which reads what hostile disks hold; it too reads words at any address.
$(call ext2fs,host,$(UNIT_CC),-std=gnu11 -g -O1 -fsanitize=address -fno-omit-frame-pointer -fno-strict-aliasing \
	-ffunction-sections -fdata-sections)
ext2fs-tests := test_volume test_volume_crash test_volume_image fuzz_volume
$(foreach t,$(ext2fs-tests),$(BUILD)/tests/$(t)/$(t)): $(BUILD)/ext2fs/host/libext2fs.a
$(foreach t,$(ext2fs-tests),$(eval $($(t)-objects): | $(ext2fs-generated)/.made))

# And lwIP, with memory that the sanitizer knows of.
host-lwip := $(BUILD)/tests/liblwip.a
host-lwip-objects := $(patsubst %,$(BUILD)/tests/lwip/%.o,$(filter core/% netif/%,$(lwip-core)))
$(host-lwip-objects): $(BUILD)/tests/lwip/%.o: $(lwip-source)/.fetched guest/lwip/lwipopts.h guest/lwip/hooks.h guest/lwip/arch/cc.h tests/unit/include/lwip_memory.h tests/unit/build.mk $(BUILD)/flags-host
	@mkdir -p $(@D)
	$(Q)$(FUZZ_CC) -g -O1 -w -fsanitize=fuzzer-no-link,address $(host-lwip-flags) -c $(lwip-source)/src/$*.c -o $@
$(host-lwip): $(host-lwip-objects)
	$(call say,HOSTAR,$@)
	$(Q)rm -f $@ && ar rcs $@ $^
host-lwip-flags := -Iinclude -I. -Iguest/lwip -isystem $(lwip-source)/src/include -Itests/unit/include/fake-guest -Iguest/include \
	-include tests/unit/include/lwip_memory.h
fuzz_lwip-flags += $(host-lwip-flags)
$(BUILD)/tests/fuzz_lwip/fuzz_lwip: $(host-lwip)
$(fuzz_lwip-objects): | $(lwip-source)/.fetched

unit-programs := $(foreach t,$(unit-tests),$(BUILD)/tests/$(t)/$(t))
fuzz-programs := $(foreach t,$(fuzzers),$(BUILD)/tests/$(t)/$(t))

.PHONY: unit-programs fuzz-programs test-unit test-fuzz
unit-programs: $(unit-programs)
fuzz-programs: $(fuzz-programs)

# A program that does not compile is a failed test of its own and must not hide the others: make -k. What an earlier
# build left of it may still run and pass; then the layer fails all the same.
test-unit: ## unit tests on the host, under ASan and UBSan
	@built=0; $(MAKE) --no-print-directory -k unit-programs || built=1; \
	$(PYTHON) scripts/run-host-tests unit $(unit-programs) && exit $$built

test-fuzz: ## short fuzzing: the regression inputs, then a fixed number of runs
	@built=0; $(MAKE) --no-print-directory -k fuzz-programs || built=1; \
	$(PYTHON) scripts/run-host-tests --factor $(FUZZ_RUNS_FACTOR) --work $(BUILD)/fuzz fuzz \
		$(foreach t,$(fuzzers),$(BUILD)/tests/$(t)/$(t):$(or $($(t)-runs),50000)) && exit $$built

.PHONY: test-unit-long
test-unit-long: ## the same, with 25 times the rounds of tests that have some (power cuts)
	@UNIT_ROUNDS=25 $(MAKE) --no-print-directory test-unit

.PHONY: test-fuzz-long
test-fuzz-long: ## the same with 100 times the runs
	@$(MAKE) --no-print-directory FUZZ_RUNS_FACTOR=100 test-fuzz
