/* SPDX-License-Identifier: MIT */
/* A volume is mounted and unmounted. */
#include "volume/internal.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* What is understood here. Another incompatible feature: not mounted; another one for writers: read-only. */
#define INCOMPAT                                                          \
	(EXT2_FEATURE_INCOMPAT_FILETYPE | EXT3_FEATURE_INCOMPAT_RECOVER | \
	 EXT2_FEATURE_INCOMPAT_META_BG | EXT3_FEATURE_INCOMPAT_EXTENTS |  \
	 EXT4_FEATURE_INCOMPAT_64BIT | EXT4_FEATURE_INCOMPAT_FLEX_BG |    \
	 EXT4_FEATURE_INCOMPAT_CSUM_SEED | EXT4_FEATURE_INCOMPAT_LARGEDIR)
#define RO_COMPAT                                                                  \
	(EXT2_FEATURE_RO_COMPAT_SPARSE_SUPER | EXT2_FEATURE_RO_COMPAT_LARGE_FILE | \
	 EXT4_FEATURE_RO_COMPAT_HUGE_FILE | EXT4_FEATURE_RO_COMPAT_GDT_CSUM |      \
	 EXT4_FEATURE_RO_COMPAT_DIR_NLINK | EXT4_FEATURE_RO_COMPAT_EXTRA_ISIZE |   \
	 EXT4_FEATURE_RO_COMPAT_METADATA_CSUM)

static struct mutex mounting; /* of volume_opening */

static void say(char problem[VOLUME_PROBLEM], const char *text)
{
	snprintf(problem, VOLUME_PROBLEM, "%s", text);
}

/* ---- before libext2fs sees anything ---- */

static long read_super(struct block_device *device, struct ext2_super_block *super)
{
	if (device->sectors < 2 * (SUPERBLOCK_OFFSET + SUPERBLOCK_SIZE) / BLOCK_SECTOR)
		return -EINVAL;
	return block_read(device, SUPERBLOCK_OFFSET / BLOCK_SECTOR, super,
			  SUPERBLOCK_SIZE / BLOCK_SECTOR);
}

long volume_label(struct block_device *device, char label[17])
{
	struct ext2_super_block super;
	long error;

	label[0] = 0;
	error = read_super(device, &super);
	if (error || super.s_magic != EXT2_SUPER_MAGIC)
		return error;
	memcpy(label, super.s_volume_name, sizeof(super.s_volume_name));
	label[sizeof(super.s_volume_name)] = 0;
	return 0;
}

/* What the sizes of tables follow from, so that no number of a hostile disk makes dom0 allocate more than the disk can hold. */
static const char *check_super(const struct ext2_super_block *super,
			       const struct block_device *device)
{
	uint64_t blocks = super->s_blocks_count;

	if (super->s_feature_incompat & EXT4_FEATURE_INCOMPAT_64BIT)
		blocks |= (uint64_t)super->s_blocks_count_hi << 32;
	if (super->s_magic != EXT2_SUPER_MAGIC)
		return "there is no ext4 file system";
	if (super->s_log_block_size > 2)
		return "its blocks are larger than 4 KiB";
	if (super->s_rev_level != EXT2_DYNAMIC_REV ||
	    super->s_feature_incompat & ~(uint32_t)INCOMPAT)
		return "it uses features that are not known here";
	if (!(super->s_feature_incompat & EXT3_FEATURE_INCOMPAT_EXTENTS))
		return "it is ext2 or ext3, without extents";
	if ((1024u << super->s_log_block_size) % device->logical_size)
		return "its blocks are smaller than the sectors of the disk";
	if (blocks > device->sectors / (2u << super->s_log_block_size))
		return "it is larger than the disk";
	if (super->s_blocks_per_group < 256 ||
	    super->s_inodes_per_group > 8 * (1024u << super->s_log_block_size) ||
	    super->s_inodes_per_group % 8)
		return "it is damaged: run e2fsck on a Linux machine";
	return NULL;
}

/* ---- libext2fs's view of it ---- */

static errcode_t open_fs(struct volume *volume, int flags)
{
	errcode_t error;

	mutex_lock(&mounting);
	volume_opening = &volume->cache;
	volume->cache.write_through = true;
	error = ext2fs_open2("volume", NULL, EXT2_FLAG_64BITS | flags, 0, 0, &volume_io_manager,
			     &volume->fs);
	mutex_unlock(&mounting);
	return error;
}

static void close_fs(struct volume *volume)
{
	if (volume->fs)
		ext2fs_free(volume->fs);
	volume->fs = NULL;
	cache_clear(&volume->cache);
}

static long find_journal(struct volume *volume)
{
	uint64_t blocks, done = 0;
	ext2_ino_t node = volume->fs->super->s_journal_inum;
	struct ext2_inode inode;
	struct run run;
	long error;

	if (!ext2fs_has_feature_journal(volume->fs->super) || !node)
		return -ENOENT;
	error = inode_read(volume, node, &inode);
	if (error)
		return error;
	blocks = EXT2_I_SIZE(&inode) / volume->fs->blocksize;
	if (!LINUX_S_ISREG(inode.i_mode) || blocks > UINT32_MAX)
		return -EINVAL;
	for (unsigned int i = 0; i < JOURNAL_RUNS && done < blocks; i++) {
		error = extents_find(volume, node, done, &run);
		if (error || run.state == RUN_HOLE)
			return error ? error : -EINVAL;
		if (run.count > blocks - done)
			run.count = blocks - done;
		volume->journal.runs[i] =
		    (struct journal_run){.block = run.block, .count = (uint32_t)run.count};
		done += run.count;
	}
	return done < blocks ? -EINVAL : 0;
}

/* What the journal has goes to its place, and the file system is read again: its superblock may be another one now. */
static long replay(struct volume *volume, char problem[VOLUME_PROBLEM])
{
	const char *why = NULL;
	long error = journal_recover(&volume->journal, &volume->replayed, &why);

	if (error) {
		snprintf(problem, VOLUME_PROBLEM, "its journal %s", why);
		return error;
	}
	close_fs(volume);
	return volume_errno(open_fs(volume, EXT2_FLAG_RW));
}

static long use_journal(struct volume *volume, char problem[VOLUME_PROBLEM])
{
	const char *why = NULL;
	long error = find_journal(volume);

	if (error) {
		say(problem, error == -ENOENT
				 ? "it has no journal: tune2fs -j adds one"
				 : "its journal is damaged: run e2fsck on a Linux machine");
		return error;
	}
	error = journal_open(&volume->journal, &volume->disk, &why);
	if (error) {
		snprintf(problem, VOLUME_PROBLEM, "its journal %s",
			 why ? why : strerror((int)-error));
		return error;
	}
	return journal_is_empty(&volume->journal) ? 0 : replay(volume, problem);
}

/*
 * A power cut may have left one half of the superblock old and the other new; its checksum tells. The journal has all of it
 * then, and is found by either half.
 */
static long open_and_recover(struct volume *volume, char problem[VOLUME_PROBLEM])
{
	bool can_write = !(volume->device->flags & BLOCK_READ_ONLY);
	bool torn = false;
	errcode_t opened = open_fs(volume, can_write ? EXT2_FLAG_RW : 0);
	long error;

	if (opened == EXT2_ET_SB_CSUM_INVALID && can_write) {
		torn = true;
		cache_clear(&volume->cache);
		opened = open_fs(volume, EXT2_FLAG_RW | EXT2_FLAG_IGNORE_CSUM_ERRORS);
	}
	error = volume_errno(opened);
	if (!error) {
		volume->disk.blocks = ext2fs_blocks_count(volume->fs->super);
		if (!can_write)
			return 0;
		error = use_journal(volume, problem);
		if (!error && torn && journal_is_empty(&volume->journal) && !volume->replayed)
			error = -EIO;
	}
	if (error && !problem[0])
		say(problem, error == -EIO
				 ? "its superblock is damaged: run e2fsck on a Linux machine"
				 : strerror((int)-error));
	return error;
}

/* ---- tables ---- */

/* The superblock's sums may be older than the groups' counters: Linux writes them when it unmounts. */
static void sum_up(ext2_filsys fs)
{
	uint64_t blocks = 0, nodes = 0;

	for (dgrp_t group = 0; group < fs->group_desc_count; group++) {
		blocks += ext2fs_bg_free_blocks_count(fs, group);
		nodes += ext2fs_bg_free_inodes_count(fs, group);
	}
	ext2fs_free_blocks_count_set(fs->super, blocks);
	fs->super->s_free_inodes_count = (uint32_t)nodes;
}

static bool is_inside(ext2_filsys fs, uint64_t block, uint64_t count)
{
	uint64_t all = ext2fs_blocks_count(fs->super);

	return block > fs->super->s_first_data_block && block < all && count <= all - block;
}

static bool groups_are_sound(ext2_filsys fs)
{
	for (dgrp_t group = 0; group < fs->group_desc_count; group++)
		if (!ext2fs_group_desc_csum_verify(fs, group) ||
		    !is_inside(fs, ext2fs_block_bitmap_loc(fs, group), 1) ||
		    !is_inside(fs, ext2fs_inode_bitmap_loc(fs, group), 1) ||
		    !is_inside(fs, ext2fs_inode_table_loc(fs, group), fs->inode_blocks_per_group))
			return false;
	return true;
}

static long read_tables(struct volume *volume)
{
	ext2_filsys fs = volume->fs;
	errcode_t error = ext2fs_read_bitmaps(fs);

	if (error)
		return volume_errno(error);
	volume->dirty_groups = calloc((fs->group_desc_count + 7) / 8, 1);
	sum_up(fs);
	return volume->dirty_groups ? 0 : -ENOMEM;
}

/*
 * From here on there are transactions. The first one is the superblock's flag that tells whoever mounts it after a power cut to
 * look into the journal.
 */
static long start_writing(struct volume *volume)
{
	struct ext2_super_block *super = volume->fs->super;
	long error = journal_start(&volume->journal);

	if (error)
		return error;
	super->s_mtime = (uint32_t)time(NULL);
	super->s_mnt_count++;
	ext2fs_set_feature_journal_needs_recovery(super);
	volume->cache.write_through = false;
	volume->fs->priv_data = volume;
	volume->read_only = false;
	error = volume_put_super(volume);
	if (!error)
		error = volume_commit(volume);
	return error ? error : inodes_remove_orphans(volume);
}

static const char *why_read_only(const struct volume *volume, bool read_only)
{
	const struct ext2_super_block *super = volume->fs->super;

	if (read_only)
		return "";
	if (volume->device->flags & BLOCK_READ_ONLY)
		return "the disk is read-only";
	if (super->s_feature_ro_compat & ~(uint32_t)RO_COMPAT ||
	    super->s_feature_compat & EXT4_FEATURE_COMPAT_ORPHAN_FILE)
		return "it uses features that cannot be kept up here";
	if (super->s_state & EXT2_ERROR_FS)
		return "it is marked as damaged: run e2fsck on a Linux machine";
	if (journal_room(&volume->journal) < 4 * VOLUME_DIRTY)
		return "its journal is too small";
	return NULL;
}

static long check_tables(struct volume *volume, char problem[VOLUME_PROBLEM])
{
	long error = groups_are_sound(volume->fs) ? read_tables(volume) : -EINVAL;

	if (error == -ENOMEM)
		say(problem, "dom0 has too little memory for it: see dom0_mem");
	else if (error)
		say(problem, "its tables are damaged: run e2fsck on a Linux machine");
	return error;
}

static long mount(struct volume *volume, bool read_only, char problem[VOLUME_PROBLEM])
{
	bool can_write = !(volume->device->flags & BLOCK_READ_ONLY);
	struct ext2_super_block super;
	const char *why;
	long error = read_super(volume->device, &super);

	if (error)
		return error;
	why = check_super(&super, volume->device);
	if (why) {
		say(problem, why);
		return -EINVAL;
	}
	disk_init(&volume->disk, volume->device, 1024u << super.s_log_block_size);
	error = open_and_recover(volume, problem);
	if (error)
		return error;
	if (!can_write && ext2fs_has_feature_journal_needs_recovery(volume->fs->super)) {
		say(problem, "its journal must be replayed first, and the disk is read-only");
		return -EROFS;
	}
	error = check_tables(volume, problem);
	if (error)
		return error;
	why = why_read_only(volume, read_only);
	if (!why)
		return start_writing(volume);
	say(problem, why);
	return 0;
}

static void release(struct volume *volume)
{
	close_fs(volume);
	journal_close(&volume->journal);
	free(volume->dirty_groups);
	free(volume->freed);
	free(volume);
}

static enum block_access access_of(const struct block_device *device)
{
	return device->flags & BLOCK_READ_ONLY ? BLOCK_OPEN_READ : BLOCK_OPEN_WRITE;
}

long volume_mount(struct block_device *device, bool read_only, struct volume **mounted,
		  char problem[VOLUME_PROBLEM])
{
	struct volume *volume = calloc(1, sizeof(*volume));
	long error = volume ? block_open(device, access_of(device)) : -ENOMEM;

	problem[0] = 0;
	if (error) {
		say(problem, error == -EBUSY ? "the disk is in use" : strerror((int)-error));
		free(volume);
		return error;
	}
	volume->device = device;
	volume->read_only = true;
	cache_init(&volume->cache, &volume->disk, VOLUME_BUFFERS);
	error = mount(volume, read_only, problem);
	if (error) {
		if (!problem[0])
			say(problem, strerror((int)-error));
		release(volume);
		block_close(device, access_of(device));
		return error;
	}
	*mounted = volume;
	return 0;
}

/* When the flag goes, nothing but itself is left in the journal. */
static long stop_writing(struct volume *volume)
{
	long error = volume_commit(volume);

	if (!error)
		error = journal_empty(&volume->journal);
	ext2fs_clear_feature_journal_needs_recovery(volume->fs->super);
	if (!error)
		error = volume_put_super(volume);
	if (!error)
		error = volume_commit(volume);
	return error ? error : journal_empty(&volume->journal);
}

long volume_unmount(struct volume *volume)
{
	struct block_device *device = volume->device;
	long error = 0;

	mutex_lock(&volume->lock);
	if (volume->files)
		error = -EBUSY;
	else if (!volume->read_only)
		error = stop_writing(volume);
	mutex_unlock(&volume->lock);
	if (error == -EBUSY)
		return error;
	release(volume);
	block_close(device, access_of(device));
	return error;
}

void volume_describe(struct volume *volume, struct volume_info *info)
{
	struct ext2_super_block *super = volume->fs->super;

	mutex_lock(&volume->lock);
	*info = (struct volume_info){
	    .device = volume->device->name,
	    .size = ext2fs_blocks_count(super) * volume->fs->blocksize,
	    .free = ext2fs_free_blocks_count(super) * volume->fs->blocksize,
	    .block_size = volume->fs->blocksize,
	    .read_only = volume->read_only,
	    .replayed = volume->replayed,
	};
	memcpy(info->label, super->s_volume_name, sizeof(super->s_volume_name));
	mutex_unlock(&volume->lock);
}
