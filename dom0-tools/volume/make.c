/* SPDX-License-Identifier: MIT */
/* A volume is made: what mke2fs would do for the features that are used here. */
#include "volume/internal.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>

#define BLOCK_SIZE	4096
#define BYTES_PER_INODE 65536 /* files are few and large */
#define SMALLEST	(16u << 20)
#define NODE_SIZE	256

/* From the clock and the device: unique, not secret. */
static void make_uuid(unsigned char uuid[16], uint64_t salt)
{
	static uint64_t count;
	struct timeval now = {0};

	gettimeofday(&now, NULL);
	for (unsigned int i = 0; i < 16; i++) {
		salt = (salt ^ (uint64_t)now.tv_usec ^ (uint64_t)now.tv_sec << 20 ^ ++count << 50) *
		       0x9e3779b97f4a7c15;
		salt ^= salt >> 29;
		uuid[i] = (unsigned char)(salt >> 24);
	}
	/* RFC 4122, 4.4: version 4 */
	uuid[6] = (uuid[6] & 0x0f) | 0x40;
	uuid[8] = (uuid[8] & 0x3f) | 0x80;
}

static void set_parameters(struct ext2_super_block *super, uint64_t blocks)
{
	memset(super, 0, sizeof(*super));
	super->s_rev_level = EXT2_DYNAMIC_REV;
	super->s_log_block_size = 2;
	super->s_log_cluster_size = 2;
	super->s_inode_size = NODE_SIZE;
	super->s_desc_size = EXT2_MIN_DESC_SIZE_64BIT;
	super->s_log_groups_per_flex = 4;
	super->s_feature_compat = EXT2_FEATURE_COMPAT_DIR_INDEX | EXT2_FEATURE_COMPAT_EXT_ATTR;
	super->s_feature_incompat = EXT2_FEATURE_INCOMPAT_FILETYPE | EXT3_FEATURE_INCOMPAT_EXTENTS |
				    EXT4_FEATURE_INCOMPAT_64BIT | EXT4_FEATURE_INCOMPAT_FLEX_BG;
	super->s_feature_ro_compat =
	    EXT2_FEATURE_RO_COMPAT_SPARSE_SUPER | EXT2_FEATURE_RO_COMPAT_LARGE_FILE |
	    EXT4_FEATURE_RO_COMPAT_HUGE_FILE | EXT4_FEATURE_RO_COMPAT_DIR_NLINK |
	    EXT4_FEATURE_RO_COMPAT_EXTRA_ISIZE | EXT4_FEATURE_RO_COMPAT_METADATA_CSUM;
	ext2fs_blocks_count_set(super, blocks);
	super->s_inodes_count = (uint32_t)(blocks * BLOCK_SIZE / BYTES_PER_INODE < UINT32_MAX
					       ? blocks * BLOCK_SIZE / BYTES_PER_INODE
					       : UINT32_MAX);
}

static void set_identity(ext2_filsys fs, const struct block_device *device, const char *label)
{
	struct ext2_super_block *super = fs->super;
	unsigned char seed[16];

	make_uuid(super->s_uuid, device->sectors);
	make_uuid(seed, (uintptr_t)device);
	memcpy(super->s_hash_seed, seed, sizeof(seed));
	super->s_checksum_type = EXT2_CRC32C_CHKSUM;
	ext2fs_init_csum_seed(fs);
	super->s_def_hash_version = EXT2_HASH_HALF_MD4;
	super->s_flags |= EXT2_FLAGS_UNSIGNED_HASH;
	memset(super->s_volume_name, 0, sizeof(super->s_volume_name));
	memcpy(super->s_volume_name, label, strnlen(label, sizeof(super->s_volume_name)));
}

/*
 * The first inodes, those of the root and the journal among them. All others count as never used and are not looked at before
 * they are (EXT2_BG_INODE_UNINIT), so what was on the disk there does no harm.
 */
static errcode_t clear_first_nodes(ext2_filsys fs)
{
	char *zeros = calloc(1, fs->blocksize);
	errcode_t error = zeros ? 0 : ENOMEM;

	for (unsigned int i = 0; !error && i < 2; i++)
		error = io_channel_write_blk64(fs->io, ext2fs_inode_table_loc(fs, 0) + i, 1, zeros);
	free(zeros);
	return error;
}

static errcode_t fill(ext2_filsys fs)
{
	uint32_t blocks = (uint32_t)ext2fs_default_journal_size(ext2fs_blocks_count(fs->super));
	errcode_t error = ext2fs_allocate_tables(fs);

	if (!error)
		error = clear_first_nodes(fs);
	if (!error)
		error = ext2fs_mkdir(fs, EXT2_ROOT_INO, EXT2_ROOT_INO, NULL);
	if (!error)
		error = ext2fs_mkdir(fs, EXT2_ROOT_INO, 0, "lost+found");
	if (error)
		return error;
	for (ext2_ino_t node = EXT2_ROOT_INO + 1; node < EXT2_FIRST_INODE(fs->super); node++)
		ext2fs_inode_alloc_stats2(fs, node, +1, 0);
	ext2fs_inode_alloc_stats2(fs, EXT2_BAD_INO, +1, 0);
	error = ext2fs_update_bb_inode(fs, NULL);
	/* At most 64 MiB: transactions here are small. Its log is not written: its UUID tells old blocks apart. */
	if (!error)
		error = ext2fs_add_journal_inode(fs, blocks < 16384 ? blocks : 16384,
						 EXT2_MKJOURNAL_LAZYINIT);
	return error;
}

static long make(struct block_device *device, const char *label)
{
	struct ext2_super_block parameters;
	struct volume_disk *disk = calloc(1, sizeof(*disk));
	struct cache *cache = calloc(1, sizeof(*cache));
	ext2_filsys fs = NULL;
	errcode_t error = disk && cache ? 0 : ENOMEM;

	if (!error) {
		disk_init(disk, device, BLOCK_SIZE);
		cache_init(cache, disk, VOLUME_BUFFERS);
		cache->write_through = true;
		set_parameters(&parameters, disk->blocks);
		volume_opening = cache;
		error = ext2fs_initialize("volume", EXT2_FLAG_64BITS, &parameters,
					  &volume_io_manager, &fs);
	}
	if (!error) {
		set_identity(fs, device, label);
		error = fill(fs);
		if (!error)
			error = ext2fs_flush(fs);
		if (!error)
			error = -disk_flush(disk);
		ext2fs_free(fs);
	}
	if (cache)
		cache_clear(cache);
	free(cache);
	free(disk);
	return volume_errno(error);
}

long volume_format(struct block_device *device, const char *label, char problem[VOLUME_PROBLEM])
{
	long error;

	if (device->sectors < SMALLEST / BLOCK_SECTOR) {
		snprintf(problem, VOLUME_PROBLEM, "the disk has less than %u MiB", SMALLEST >> 20);
		return -EINVAL;
	}
	error = block_open(device, BLOCK_OPEN_WRITE);
	if (!error) {
		error = make(device, label);
		block_close(device, BLOCK_OPEN_WRITE);
	}
	if (error)
		snprintf(problem, VOLUME_PROBLEM, "%s",
			 error == -EBUSY ? "the disk is in use" : strerror((int)-error));
	return error;
}
