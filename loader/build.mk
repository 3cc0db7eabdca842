# SPDX-License-Identifier: MIT
# The loader and the decoders of compressed kernels, from Debian's source packages: built without a C library, once for
# the hypervisor and once for dom0.

loader-decoders := zlib lz4/lib libzstd/lib 7zip/C
loader-includes := $(addprefix -isystem $(THIRD_PARTY)/,$(loader-decoders))
loader-flags = $(dom0-tools-flags) $(loader-includes)
loader-sources := $(wildcard loader/*.c)

# $(1): package, $(2): folder of its sources, $(3): files, $(4): flags
define decoder
decoder-objects += $(addprefix $(1)/$(2),$(3:=.o))
decoder-packages += $(1)
decoder-flags-$(1) := $(4)
$(THIRD_PARTY)/$(1)/.fetched:
	$$(call say,FETCH,$(THIRD_PARTY)/$(1))
	$$(Q)scripts/fetch-source $(1) $(THIRD_PARTY)/$(1) && touch $$@
endef
7zip-xz := Xz XzDec XzCrc64 XzCrc64Opt Lzma2Dec LzmaDec Bra Bra86 Delta 7zCrc 7zCrcOpt Sha256
$(eval $(call decoder,zlib,,inflate inftrees inffast adler32 crc32 zutil,-DZ_SOLO))
$(eval $(call decoder,lz4,lib/,lz4,-DLZ4_FREESTANDING=1 -DLZ4_memcpy=memcpy -DLZ4_memmove=memmove -DLZ4_memset=memset))
$(eval $(call decoder,libzstd,lib/,$(addprefix common/,entropy_common error_private fse_decompress xxhash zstd_common) \
	$(addprefix decompress/,huf_decompress zstd_ddict zstd_decompress zstd_decompress_block),\
	-DZSTD_DISABLE_ASM=1 -DZSTD_LEGACY_SUPPORT=0 -DZSTD_TRACE=0 -DDYNAMIC_BMI2=0 -DZSTD_NO_INTRINSICS -DXXH_VECTOR=0 \
	-DHUF_FORCE_DECOMPRESS_X1 -DZSTD_FORCE_DECOMPRESS_SEQUENCES_SHORT))
# Not XzDecMt_*, for threads, nor Sha256Prepare(), which looks for vector instructions: the link drops both.
$(eval $(call decoder,7zip,C/,$(7zip-xz),-DZ7_ST -DZ7_EXTRACT_ONLY))
loader-fetched := $(patsubst %,$(THIRD_PARTY)/%/.fetched,$(decoder-packages))

# The loader compiled for $(1) with flags $(2) into $(1)-loader; $(3): a command that each object goes through.
define loader-rules
$(1)-loader := $(patsubst %.c,$(BUILD)/loader/$(1)/%.o,$(loader-sources)) $(addprefix $(BUILD)/loader/$(1)/,$(decoder-objects))
$(BUILD)/loader/$(1)/loader/%.o: loader/%.c $(loader-fetched) $(BUILD)/flags-loader-$(1)
	$$(call say,CC,$$<)
	@mkdir -p $$(@D)
	$$(Q)$$(CC) $(2) $(loader-includes) -MMD -MP -c $$< -o $$@
	$$(Q)$(3) $$@
$(addprefix $(BUILD)/loader/$(1)/,$(decoder-objects)): $(BUILD)/loader/$(1)/%.o: $(loader-fetched) $(BUILD)/flags-loader-$(1)
	$$(call say,CC,$$*.c)
	@mkdir -p $$(@D)
	$$(Q)$$(CC) $(filter-out -W%,$(2)) -w -DNDEBUG -Dmalloc=unpack_alloc -Dfree=unpack_free $$(decoder-flags-$$(firstword $$(subst /, ,$$*))) \
		-I. -c $(THIRD_PARTY)/$$*.c -o $$@
	$$(Q)$(3) $$@
endef
loader = $(call stamp,loader-$(1),$(CC) DEBUG=$(DEBUG) $(2) $(decoder-objects))$(eval $(BUILD)/flags-loader-$(1):)$(eval $(call loader-rules,$(1),$(2),$(3)))
