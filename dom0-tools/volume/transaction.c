/* SPDX-License-Identifier: MIT */
/*
 * libext2fs changes blocks of metadata; here they become transactions. Its reads and writes go to the cache (io_manager). What it
 * allocates and frees it tells ext2fs_block_alloc_stats2 and its like, which this file has in place of the library's own: it notes
 * the groups that differ from the disk, and holds freed blocks back.
 *
 * Two rules make the file system whole at every moment:
 *  - A freed block is not given out before the transaction that frees it is committed.
 *  - After such a transaction the log is emptied: a copy of the block in it must not overwrite what the block is used for next.
 * Files' data is written before the transaction with the extents that lead to it: journal_commit flushes first.
 */
#include "volume/internal.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* ---- libext2fs's way to the disk ---- */

struct cache *volume_opening;

static errcode_t io_open(const char *name, int flags, io_channel *channel)
{
	io_channel io = calloc(1, sizeof(*io));

	if (!io)
		return EXT2_ET_NO_MEMORY;
	io->magic = EXT2_ET_MAGIC_IO_CHANNEL;
	io->manager = &volume_io_manager;
	io->refcount = 1;
	io->block_size = (int)volume_opening->disk->block_size;
	io->private_data = volume_opening;
	*channel = io;
	return 0;
}

static errcode_t io_close(io_channel io)
{
	if (--io->refcount == 0)
		free(io);
	return 0;
}

static errcode_t io_set_block_size(io_channel io, int size)
{
	io->block_size = size;
	return 0;
}

/* A negative count is one of bytes. */
static uint64_t io_size(io_channel io, int count)
{
	return count < 0 ? (uint64_t) - (int64_t)count : (uint64_t)count * (uint64_t)io->block_size;
}

static errcode_t io_read64(io_channel io, unsigned long long block, int count, void *data)
{
	uint64_t offset;

	if (__builtin_mul_overflow(block, (uint64_t)io->block_size, &offset))
		return EIO;
	return -cache_read(io->private_data, offset, data, io_size(io, count));
}

static errcode_t io_write64(io_channel io, unsigned long long block, int count, const void *data)
{
	uint64_t offset;

	if (__builtin_mul_overflow(block, (uint64_t)io->block_size, &offset))
		return EIO;
	return -cache_write(io->private_data, offset, data, io_size(io, count));
}

static errcode_t io_read(io_channel io, unsigned long block, int count, void *data)
{
	return io_read64(io, block, count, data);
}

static errcode_t io_write(io_channel io, unsigned long block, int count, const void *data)
{
	return io_write64(io, block, count, data);
}

/* When things become stable is the journal's business. */
static errcode_t io_flush(io_channel io)
{
	return 0;
}

struct struct_io_manager volume_io_manager = {
    .magic = EXT2_ET_MAGIC_IO_MANAGER,
    .name = "cerne",
    .open = io_open,
    .close = io_close,
    .set_blksize = io_set_block_size,
    .read_blk = io_read,
    .write_blk = io_write,
    .read_blk64 = io_read64,
    .write_blk64 = io_write64,
    .flush = io_flush,
};

long volume_errno(errcode_t error)
{
	switch (error) {
	case EXT2_ET_NO_MEMORY:
		return -ENOMEM;
	case EXT2_ET_FILE_NOT_FOUND:
		return -ENOENT;
	case EXT2_ET_NO_DIRECTORY:
		return -ENOTDIR;
	case EXT2_ET_BLOCK_ALLOC_FAIL:
	case EXT2_ET_INODE_ALLOC_FAIL:
		return -ENOSPC;
	case EXT2_ET_RO_FILSYS:
		return -EROFS;
	case EXT2_ET_DIR_EXISTS:
	case EXT2_ET_FILE_EXISTS:
		return -EEXIST;
	case EXT2_ET_INODE_NOT_EXTENT:
	case EXT2_ET_UNSUPP_FEATURE:
	case EXT2_ET_RO_UNSUPP_FEATURE:
		return -EOPNOTSUPP;
	default:
		/* The library's own numbers begin far above any errno; what is left of them tells of damage. */
		return error < 1000 && error > -1000 ? -labs(error) : -EIO;
	}
}

/* ---- blocks and inodes are allocated and freed ---- */

static void mark_group(struct volume *volume, dgrp_t group)
{
	volume->dirty_groups[group / 8] |= (uint8_t)(1 << group % 8);
}

/* The counters of a damaged file system may be anything: they stop at 0. */
static uint32_t changed(uint32_t count, int64_t by)
{
	return by < 0 && (uint64_t)-by > count ? 0 : (uint32_t)(count + by);
}

static void apply_to_group(ext2_filsys fs, dgrp_t group, uint64_t count, int inuse)
{
	int64_t by = inuse > 0 ? -(int64_t)count : (int64_t)count;

	ext2fs_bg_free_blocks_count_set(fs, group,
					changed(ext2fs_bg_free_blocks_count(fs, group), by));
	ext2fs_bg_flags_clear(fs, group, EXT2_BG_BLOCK_UNINIT);
	ext2fs_group_desc_csum_set(fs, group);
	if (fs->priv_data)
		mark_group(fs->priv_data, group);
}

static void apply(ext2_filsys fs, uint64_t block, uint64_t count, int inuse)
{
	ext2fs_free_blocks_count_add(fs->super, inuse > 0 ? -(blk64_t)count : (blk64_t)count);
	if (inuse > 0)
		ext2fs_mark_block_bitmap_range2(fs->block_map, block, (unsigned int)count);
	else
		ext2fs_unmark_block_bitmap_range2(fs->block_map, block, (unsigned int)count);
	while (count) {
		dgrp_t group = ext2fs_group_of_blk2(fs, block);
		uint64_t here = ext2fs_group_last_block2(fs, group) - block + 1;

		if (here > count)
			here = count;
		apply_to_group(fs, group, here, inuse);
		block += here;
		count -= here;
	}
	ext2fs_mark_super_dirty(fs);
	ext2fs_mark_bb_dirty(fs);
}

static void hold_back(struct volume *volume, uint64_t block, uint64_t count)
{
	struct freed *last = volume->freed_count ? &volume->freed[volume->freed_count - 1] : NULL;
	struct freed *more;

	if (last && last->block + last->count == block) {
		last->count += count;
		return;
	}
	if (!volume->freed || volume->freed_count == volume->freed_room) {
		unsigned int room = volume->freed_room ? 2 * volume->freed_room : 64;

		more = realloc(volume->freed, room * sizeof(*more));
		if (!more) {
			volume->out_of_memory = true;
			return;
		}
		volume->freed = more;
		volume->freed_room = room;
	}
	volume->freed[volume->freed_count++] = (struct freed){.block = block, .count = count};
}

void ext2fs_block_alloc_stats_range(ext2_filsys fs, blk64_t block, blk_t count, int inuse)
{
	uint64_t all = ext2fs_blocks_count(fs->super);

	if (block < fs->super->s_first_data_block || block >= all || count > all - block)
		return;
	if (inuse < 0 && fs->priv_data)
		hold_back(fs->priv_data, block, count);
	else if (inuse)
		apply(fs, block, count, inuse);
}

void ext2fs_block_alloc_stats2(ext2_filsys fs, blk64_t block, int inuse)
{
	ext2fs_block_alloc_stats_range(fs, block, 1, inuse);
}

void ext2fs_block_alloc_stats(ext2_filsys fs, blk_t block, int inuse)
{
	ext2fs_block_alloc_stats_range(fs, block, 1, inuse);
}

/* The inodes at a group's end that were never used, and may not be initialised. */
static void use_inode_table(ext2_filsys fs, dgrp_t group, ext2_ino_t node)
{
	uint32_t per_group = fs->super->s_inodes_per_group;
	uint32_t in_group = (node - 1) % per_group;

	if (in_group >= per_group - ext2fs_bg_itable_unused(fs, group))
		ext2fs_bg_itable_unused_set(fs, group, per_group - in_group - 1);
}

void ext2fs_inode_alloc_stats2(ext2_filsys fs, ext2_ino_t node, int inuse, int isdir)
{
	dgrp_t group = ext2fs_group_of_ino(fs, node);

	if (node == 0 || node > fs->super->s_inodes_count)
		return;
	if (inuse > 0)
		ext2fs_mark_inode_bitmap2(fs->inode_map, node);
	else
		ext2fs_unmark_inode_bitmap2(fs->inode_map, node);
	ext2fs_bg_free_inodes_count_set(fs, group,
					changed(ext2fs_bg_free_inodes_count(fs, group), -inuse));
	if (isdir)
		ext2fs_bg_used_dirs_count_set(fs, group,
					      changed(ext2fs_bg_used_dirs_count(fs, group), inuse));
	/* Both bitmaps of the group are going to be written. */
	ext2fs_bg_flags_clear(fs, group, EXT2_BG_INODE_UNINIT);
	if (fs->priv_data) {
		ext2fs_bg_flags_clear(fs, group, EXT2_BG_BLOCK_UNINIT);
		mark_group(fs->priv_data, group);
	}
	if (ext2fs_has_group_desc_csum(fs))
		use_inode_table(fs, group, node);
	ext2fs_group_desc_csum_set(fs, group);
	fs->super->s_free_inodes_count = changed(fs->super->s_free_inodes_count, -inuse);
	ext2fs_mark_super_dirty(fs);
	ext2fs_mark_ib_dirty(fs);
}

void ext2fs_inode_alloc_stats(ext2_filsys fs, ext2_ino_t node, int inuse)
{
	ext2fs_inode_alloc_stats2(fs, node, inuse, 0);
}

bool volume_has_room(const struct volume *volume, uint64_t blocks)
{
	uint64_t room = ext2fs_free_blocks_count(volume->fs->super);

	return room >= VOLUME_RESERVE && blocks <= room - VOLUME_RESERVE;
}

/* ---- a transaction is committed ---- */

static long put_block(struct volume *volume, uint64_t block, const void *data)
{
	return cache_write(&volume->cache, block * volume->fs->blocksize, data,
			   volume->fs->blocksize);
}

static long put_block_bitmap(struct volume *volume, dgrp_t group, char *page)
{
	ext2_filsys fs = volume->fs;
	uint32_t bits = EXT2_CLUSTERS_PER_GROUP(fs->super);
	errcode_t error;

	memset(page, 0xff, fs->blocksize);
	error = ext2fs_get_block_bitmap_range2(fs->block_map, ext2fs_group_first_block2(fs, group),
					       bits, page);
	/* What the last group lacks counts as used. */
	for (uint64_t bit = ext2fs_group_blocks_count(fs, group); bit < bits; bit++)
		ext2fs_set_bit64(bit, page);
	if (!error)
		error = ext2fs_block_bitmap_csum_set(fs, group, page, (int)(bits / 8));
	return error ? volume_errno(error)
		     : put_block(volume, ext2fs_block_bitmap_loc(fs, group), page);
}

static long put_inode_bitmap(struct volume *volume, dgrp_t group, char *page)
{
	ext2_filsys fs = volume->fs;
	uint32_t bits = fs->super->s_inodes_per_group;
	errcode_t error;

	if (ext2fs_bg_flags_test(fs, group, EXT2_BG_INODE_UNINIT))
		return 0;
	memset(page, 0xff, fs->blocksize);
	error =
	    ext2fs_get_inode_bitmap_range2(fs->inode_map, (uint64_t)group * bits + 1, bits, page);
	if (!error)
		error = ext2fs_inode_bitmap_csum_set(fs, group, page, (int)((bits + 7) / 8));
	return error ? volume_errno(error)
		     : put_block(volume, ext2fs_inode_bitmap_loc(fs, group), page);
}

static long put_descriptor(struct volume *volume, dgrp_t group)
{
	ext2_filsys fs = volume->fs;
	dgrp_t n = group / EXT2_DESC_PER_BLOCK(fs->super);

	ext2fs_group_desc_csum_set(fs, group);
	return put_block(volume, ext2fs_descriptor_block_loc2(fs, fs->super->s_first_data_block, n),
			 (const char *)fs->group_desc + (size_t)n * fs->blocksize);
}

static long put_groups(struct volume *volume)
{
	char *page = malloc(volume->fs->blocksize);
	long error = page ? 0 : -ENOMEM;

	for (dgrp_t group = 0; !error && group < volume->fs->group_desc_count; group++) {
		if (!(volume->dirty_groups[group / 8] & 1 << group % 8))
			continue;
		error = put_block_bitmap(volume, group, page);
		if (!error)
			error = put_inode_bitmap(volume, group, page);
		if (!error)
			error = put_descriptor(volume, group);
		volume->dirty_groups[group / 8] &= (uint8_t) ~(1 << group % 8);
	}
	free(page);
	return error;
}

long volume_put_super(struct volume *volume)
{
	ext2_filsys fs = volume->fs;

	fs->super->s_wtime = (uint32_t)time(NULL);
	ext2fs_superblock_csum_set(fs, fs->super);
	return cache_write(&volume->cache, SUPERBLOCK_OFFSET, fs->super, SUPERBLOCK_SIZE);
}

void volume_fail(struct volume *volume, const char *why)
{
	if (volume->read_only)
		return;
	volume->read_only = true;
	printf("The volume on %s is read-only from now on: %s. Run e2fsck on a Linux machine.\n",
	       volume->device->name, why);
}

long volume_commit(struct volume *volume)
{
	bool frees = volume->freed_count;
	long error = 0;

	if (volume->read_only || (!volume->cache.dirty_count && !frees))
		return 0;
	for (unsigned int i = 0; i < volume->freed_count; i++)
		apply(volume->fs, volume->freed[i].block, volume->freed[i].count, -1);
	volume->freed_count = 0;
	error = put_groups(volume);
	if (!error)
		error = volume_put_super(volume);
	if (!error)
		error = journal_commit(&volume->journal, &volume->cache, (uint64_t)time(NULL));
	if (!error && frees)
		error = journal_empty(&volume->journal);
	volume->fs->flags &= ~(EXT2_FLAG_DIRTY | EXT2_FLAG_BB_DIRTY | EXT2_FLAG_IB_DIRTY);
	if (error)
		volume_fail(volume, strerror((int)-error));
	return error;
}

long volume_begin(struct volume *volume)
{
	long error = 0;

	if (volume->read_only)
		return -EROFS;
	if (volume->freed_count || volume->cache.dirty_count > VOLUME_DIRTY)
		error = volume_commit(volume);
	return error;
}

long volume_end(struct volume *volume, errcode_t error)
{
	if (volume->out_of_memory && !error)
		error = ENOMEM;
	if (error)
		volume_fail(volume, error == EXT2_ET_NO_MEMORY || error == ENOMEM
					? "dom0 has too little memory"
					: "a change failed half-way");
	return volume_errno(error);
}

long volume_sync(struct volume *volume)
{
	long error;

	mutex_lock(&volume->lock);
	error = volume->read_only ? -EROFS : volume_commit(volume);
	if (!error)
		error = disk_flush(&volume->disk);
	mutex_unlock(&volume->lock);
	return error;
}

void volume_tick(struct volume *volume)
{
	mutex_lock(&volume->lock);
	volume_commit(volume);
	mutex_unlock(&volume->lock);
}
