# SPDX-License-Identifier: MIT
# libext2fs from Debian's e2fsprogs, built twice: for dom0, and for the host's tests under their sanitizers. Left out are
# the files that volume/ replaces (alloc_stats by transaction.c, crc16 and crc32c by checksum.c), bitmaps as red-black trees, and
# everything that knows an operating system.

e2fsprogs := $(THIRD_PARTY)/e2fsprogs
ext2fs-generated := $(BUILD)/ext2fs
ext2fs-parts := alloc alloc_sb alloc_tables badblocks bb_inode bitmaps bitops blkmap64_ba blknum block bmap closefs csum dir_iterate \
	dirblock dirhash expanddir ext_attr extent fallocate freefs gen_bitmap gen_bitmap64 get_num_dirs i_block ind_block \
	initialize inline inode io_manager link lookup mkdir mkjournal namei newdir openfs orphan read_bb res_gdt \
	rw_bitmaps swapfs symlink unlink valid_blk
ext2fs-includes := -isystem $(ext2fs-generated) -isystem $(e2fsprogs)/lib
# There, DEBUG is for programs of their own in some of the files.
ext2fs-flags := -w -UDEBUG -Dext2fs_blkmap64_rbtree=ext2fs_blkmap64_bitarray -Idom0-tools/volume/ext2fs -I$(e2fsprogs)/lib/ext2fs $(ext2fs-includes)

$(e2fsprogs)/.fetched:
	$(call say,FETCH,$(e2fsprogs))
	$(Q)scripts/fetch-source e2fsprogs $(e2fsprogs) && touch $@

# The headers that e2fsprogs' own build generates: the numbers of errors, and integer types.
$(ext2fs-generated)/.made: $(e2fsprogs)/.fetched dom0-tools/volume/build.mk
	$(call say,GEN,$(ext2fs-generated))
	@mkdir -p $(ext2fs-generated)/ext2fs
	$(Q)awk -f $(e2fsprogs)/lib/et/et_h.awk outfile=$(ext2fs-generated)/ext2fs/ext2_err.h outfn=ext2_err.h \
		$(e2fsprogs)/lib/ext2fs/ext2_err.et.in
	$(Q)sed -e 's/@ASM_TYPES_HEADER@//; s/@PUBLIC_CONFIG_HEADER@//; s/@SIZEOF_SHORT@/2/; s/@SIZEOF_INT@/4/' \
		-e 's/@SIZEOF_LONG@/8/; s/@SIZEOF_LONG_LONG@/8/' $(e2fsprogs)/lib/ext2fs/ext2_types.h.in \
		>$(ext2fs-generated)/ext2fs/ext2_types.h
	$(Q)touch $@

# $(1): dom0 or host, $(2): compiler, $(3): flags
define ext2fs-rules
ext2fs-objects-$(1) := $(ext2fs-parts:%=$(BUILD)/ext2fs/$(1)/%.o)
$$(ext2fs-objects-$(1)): $(BUILD)/ext2fs/$(1)/%.o: $(ext2fs-generated)/.made $(BUILD)/flags-ext2fs-$(1)
	$$(call say,CC,$$*.c)
	@mkdir -p $$(@D)
	$$(Q)$(2) $(3) $(ext2fs-flags) -c $(e2fsprogs)/lib/ext2fs/$$*.c -o $$@
$(BUILD)/ext2fs/$(1)/libext2fs.a: $$(ext2fs-objects-$(1))
	$$(call say,AR,$$@)
	$$(Q)rm -f $$@; ar rcs $$@ $$^
endef
ext2fs = $(call stamp,ext2fs-$(1),$(2) $(3) $(ext2fs-flags))$(eval $(BUILD)/flags-ext2fs-$(1):)$(eval $(call ext2fs-rules,$(1),$(2),$(3)))
