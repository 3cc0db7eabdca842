# SPDX-License-Identifier: MIT
# The hypervisor: every source below its folders, linked twice, the second time with the names of its functions.

hypervisor-src := $(filter-out %/asm-offsets.c,$(wildcard hypervisor/*/*.c hypervisor/*/*.S))
# X.c gives X.o and X.S gives X.S.o: assembly may bear the name of the C that it belongs to.
hypervisor-obj := $(patsubst %.c,$(BUILD)/%.o,$(filter %.c,$(hypervisor-src))) \
	$(patsubst %.S,$(BUILD)/%.S.o,$(filter %.S,$(hypervisor-src)))

# Offsets of structure members for assembly: asm-offsets.c is compiled to assembly in which each "->NAME number"
# becomes a #define.
asm-offsets := $(BUILD)/hypervisor/include/asm-offsets.h
$(asm-offsets): $(BUILD)/hypervisor/cpu/asm-offsets.s
	@mkdir -p $(@D)
	@{ echo '/* Made from asm-offsets.c. */'; sed -n 's/^.*->\([A-Za-z_][A-Za-z0-9_]*\) [$$]*\(-\?[0-9]*\).*$$/#define \1 \2/p' $<; } >$@

$(BUILD)/hypervisor/cpu/asm-offsets.s: hypervisor/cpu/asm-offsets.c $(BUILD)/flags-cc
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(hypervisor-flags) -g0 -MMD -MP -MT $@ -S $< -o $@

ifneq ($(wildcard hypervisor/cpu/asm-offsets.c),)
$(filter %.S.o,$(hypervisor-obj)): $(asm-offsets)
endif

hypervisor-link = $(CC) -nostdlib -static -Wl,--build-id=none -Wl,-z,max-page-size=4096 \
	-Wl,-z,noexecstack -Wl,--gc-sections -Wl,--no-warn-rwx-segments -Wl,-T,$(hypervisor-lds)
hypervisor-lds := $(BUILD)/hypervisor/hypervisor.lds

$(hypervisor-lds): hypervisor/hypervisor.lds.S $(BUILD)/flags-cc
	@mkdir -p $(@D)
	$(Q)$(CC) -E -P $(hypervisor-flags) -D__ASSEMBLY__ -MMD -MP -MT $@ -MF $@.d -x assembler-with-cpp $< -o $@

# The table of functions (lib/image.h): addresses relative to the image's start, ascending, then the names.
$(BUILD)/hypervisor/symbols-none.S:
	@mkdir -p $(@D)
	@: | awk -f scripts/symbols.awk >$@

$(BUILD)/hypervisor/cerne.first: $(hypervisor-obj) $(BUILD)/hypervisor/symbols-none.o $(hypervisor-lds)
	$(Q)$(hypervisor-link) $(filter %.o,$^) -o $@

$(BUILD)/hypervisor/symbols.S: $(BUILD)/hypervisor/cerne.first scripts/symbols.awk
	@LC_ALL=C nm -n $< | awk -f scripts/symbols.awk >$@

$(BUILD)/hypervisor/symbols.o $(BUILD)/hypervisor/symbols-none.o: %.o: %.S
	$(Q)$(CC) -c $< -o $@

$(BUILD)/cerne.sym: $(hypervisor-obj) $(BUILD)/hypervisor/symbols.o $(hypervisor-lds)
	$(call say,LD,$@)
	$(Q)$(hypervisor-link) $(filter %.o,$^) -o $@

$(BUILD)/cerne: $(BUILD)/cerne.sym
	$(call say,STRIP,$@)
	$(Q)strip -s $< -o $@.new
	$(Q)grub-file --is-x86-multiboot2 $@.new
	$(Q)mv $@.new $@

# The loader is dropped after boot.
$(call loader,hypervisor,$(hypervisor-flags),objcopy --prefix-alloc-sections=.init)
$(BUILD)/hypervisor/cerne.first $(BUILD)/cerne.sym: $(hypervisor-loader)
