# SPDX-License-Identifier: MIT
# Benchmarks: counted instructions in QEMU, the same in every run. Never part of `make test`.
#   HYPERVISOR=path   measure another hypervisor with the same guest (Xen's own, unpacked)
#   OPTIONS='...'     its further options

HYPERVISOR ?= $(BUILD)/cerne
OPTIONS ?=
bench-guests := $(BUILD)/tests/bench/bench $(BUILD)/tests/bench/first

$(BUILD)/tests/bench/%.o: tests/bench/%.c $(BUILD)/flags-guest
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(guest-flags) -MMD -MP -c $< -o $@

$(BUILD)/tests/bench/%.o: tests/bench/%.S $(BUILD)/flags-guest
	$(call say,AS,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(guest-flags) -D__ASSEMBLY__ -MMD -MP -c $< -o $@

$(BUILD)/tests/bench/bench: $(BUILD)/tests/bench/main.o $(BUILD)/tests/bench/entries.o $(BUILD)/guest/libguest.a \
		$(guest-lds)
	$(call say,LD,$@)
	$(Q)$(guest-link) $(filter %.o %.a,$^) -o $@

$(BUILD)/tests/bench/first: $(BUILD)/tests/bench/first.o $(guest-lds)
	$(call say,LD,$@)
	$(Q)$(guest-link) $(filter %.o,$^) -o $@

# An ordinary domain, for dom0's tools to create.
$(BUILD)/tests/bench/domu: $(BUILD)/tests/bench/domu.o $(BUILD)/guest/libguest.a $(guest-lds)
	$(call say,LD,$@)
	$(Q)$(guest-link) $(filter %.o %.a,$^) -o $@

.PHONY: bench-domu
bench-domu: $(BUILD)/cerne $(BUILD)/dom0 $(BUILD)/example $(BUILD)/tests/bench/domu $(BUILD)/tests/bench/linux-init $(THIRD_PARTY)/debian/linux-image-amd64 ## domains that dom0 creates: instructions and memory
	@BUILD='$(BUILD)' THIRD_PARTY='$(THIRD_PARTY)' $(PYTHON) tests/bench/bench-domu

.PHONY: bench
bench: $(HYPERVISOR) $(bench-guests) $(if $(filter $(BUILD)/cerne,$(HYPERVISOR)),$(BUILD)/dom0) ## count instructions of every operation, and compare
	@BUILD='$(BUILD)' $(PYTHON) tests/bench/bench $(if $(OPTIONS),--options '$(OPTIONS)') $(HYPERVISOR)

# An ordinary program of Linux, with the host's libc: the first and only one of the Linux that is measured.
$(BUILD)/tests/bench/linux-init: tests/bench/linux-init.c
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) -std=gnu11 -O2 -Wall -Wextra -Werror -static $< -o $@

bench-xen-files := $(addprefix $(THIRD_PARTY)/debian/,linux-image-amd64 xen-hypervisor-4.17-amd64)

.PHONY: bench-xen
bench-xen: $(BUILD)/cerne $(BUILD)/tests/bench/linux-init $(bench-xen-files) ## the same Linux as dom0 here and on the real Xen, in instructions
	@BUILD='$(BUILD)' THIRD_PARTY='$(THIRD_PARTY)' $(PYTHON) tests/bench/bench-xen $(if $(JOBS),--jobs $(JOBS)) $(BUILD)/cerne

# A plugin of QEMU's, for the host; and the program that it counts.
$(BUILD)/tests/bench/count.so: tests/bench/count.c tests/bench/mark.h
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) -std=gnu11 -O2 -Wall -Wextra -Werror -Wno-unused-parameter -shared -fPIC $< -o $@

bench-inits := $(addprefix $(BUILD)/tests/bench/,block-init net-init)
$(bench-inits): $(BUILD)/tests/bench/%: tests/bench/%.c tests/bench/init.h tests/bench/mark.h
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) -std=gnu11 -O2 -Wall -Wextra -Werror -Wno-unused-parameter -static $< -o $@

# For the real Xen: its tools, and the libraries that they are linked with.
bench-block-files := $(addprefix $(THIRD_PARTY)/debian/,linux-image-amd64 busybox-static xen-hypervisor-4.17-amd64 xen-utils-4.17 \
	xenstore-utils libxenmisc4.17 libxenstore4 libxencall1 libxenevtchn1 libxenforeignmemory1 libxengnttab1 libxentoollog1 \
	libxentoolcore1 libxendevicemodel1 libxenhypfs1 libyajl2 libuuid1 zlib1g liblzma5 libzstd1 libgcc-s1 libc6)

.PHONY: bench-block
bench-block: $(BUILD)/cerne $(BUILD)/dom0 $(BUILD)/tests/bench/count.so $(BUILD)/tests/bench/block-init $(bench-block-files) ## a Linux guest's disk, here and on the real Xen: instructions of the whole machine
	@BUILD='$(BUILD)' THIRD_PARTY='$(THIRD_PARTY)' $(PYTHON) tests/bench/bench-block

# Xen's own tools with the libraries that they want, for a Linux dom0.
bench-net-files := $(addprefix $(THIRD_PARTY)/debian/,linux-image-amd64 xen-hypervisor-4.17-amd64 busybox-static xen-utils-4.17 \
	xenstore-utils libxenmisc4.17 libxencall1 libxendevicemodel1 libxenevtchn1 libxenforeignmemory1 libxengnttab1 libxenhypfs1 \
	libxentoollog1 libxentoolcore1 libxenstore4 libyajl2 libuuid1 liblzma5 libzstd1 zlib1g libc6 libgcc-s1)

.PHONY: bench-net
bench-net: $(BUILD)/cerne $(BUILD)/dom0 $(BUILD)/tests/bench/count.so $(BUILD)/tests/bench/net-init $(bench-net-files) ## guests' packets here and on the real Xen: instructions of the whole machine
	@BUILD='$(BUILD)' THIRD_PARTY='$(THIRD_PARTY)' $(PYTHON) tests/bench/bench-net $(NET_ARGS)

# The store on the host: instructions of each request.
bench-store-sources := tests/bench/store.c $(addprefix dom0-tools/store/,table.c path.c permission.c tree.c watch.c \
	transaction.c view.c request.c control.c ring.c connection.c domain.c store.c)
$(BUILD)/tests/bench/store: $(bench-store-sources) $(wildcard dom0-tools/store/*.h) tests/unit/include/store_client.h
	$(call say,CC,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) -std=gnu11 -O2 -Wall -Wextra -Werror -Wno-unused-parameter -static -Iinclude -Idom0-tools -Itests/unit/include \
		$(bench-store-sources) -o $@

.PHONY: bench-store
bench-store: $(BUILD)/tests/bench/store ## count instructions of the store's requests
	@$<
