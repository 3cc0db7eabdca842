/* SPDX-License-Identifier: MIT */
/*
 * Where a file's blocks are: its tree of extents, by libext2fs's cursor over it. What the tree says of a hostile or damaged
 * file system is checked before anybody uses it as an address.
 */
#include "volume/internal.h"
#include <errno.h>

/* No tree of a sound file system is deeper (ext4 allows 5), and a cursor takes memory for each level. */
#define DEPTH 5

static errcode_t open_tree(struct volume *volume, ext2_ino_t node, struct ext2_inode *inode,
			   ext2_extent_handle_t *tree)
{
	struct ext2_extent_info info;
	errcode_t error = ext2fs_read_inode(volume->fs, node, inode);

	if (!error && !(inode->i_flags & EXT4_EXTENTS_FL))
		error = EXT2_ET_INODE_NOT_EXTENT;
	if (!error)
		error = ext2fs_extent_open2(volume->fs, node, inode, tree);
	if (error)
		return error;
	error = ext2fs_extent_get_info(*tree, &info);
	if (!error && info.max_depth > DEPTH)
		error = EXT2_ET_EXTENT_HEADER_BAD;
	if (error)
		ext2fs_extent_free(*tree);
	return error;
}

static bool is_sound(const struct volume *volume, const struct ext2fs_extent *extent)
{
	uint64_t all = ext2fs_blocks_count(volume->fs->super);

	return extent->e_len && extent->e_pblk >= volume->fs->super->s_first_data_block &&
	       extent->e_pblk < all && extent->e_len <= all - extent->e_pblk;
}

/* From an extent on to the next one: beside it, or the first one below the next entry of an index above. */
static errcode_t next(ext2_extent_handle_t tree, struct ext2fs_extent *extent)
{
	errcode_t error = ext2fs_extent_get(tree, EXT2_EXTENT_NEXT_SIB, extent);

	while (error == EXT2_ET_EXTENT_NO_NEXT) {
		error = ext2fs_extent_get(tree, EXT2_EXTENT_UP, extent);
		if (error == EXT2_ET_EXTENT_NO_UP)
			return EXT2_ET_EXTENT_NO_NEXT;
		if (!error)
			error = ext2fs_extent_get(tree, EXT2_EXTENT_NEXT_SIB, extent);
	}
	while (!error && !(extent->e_flags & EXT2_EXTENT_FLAGS_LEAF))
		error = ext2fs_extent_get(tree, EXT2_EXTENT_DOWN, extent);
	return error;
}

/* The extent with a block, or the first one behind it. libext2fs's own way to the next leaf visits others again after a goto. */
static errcode_t seek(ext2_extent_handle_t tree, uint64_t block, struct ext2fs_extent *extent)
{
	errcode_t error = ext2fs_extent_goto(tree, block);

	if (error && error != EXT2_ET_EXTENT_NOT_FOUND)
		return error;
	error = ext2fs_extent_get(tree, EXT2_EXTENT_CURRENT, extent);
	if (error || extent->e_lblk + extent->e_len > block)
		return error;
	error = next(tree, extent);
	/* They are in order. */
	return !error && extent->e_lblk <= block ? EXT2_ET_EXTENT_LEAF_BAD : error;
}

long extents_find(struct volume *volume, ext2_ino_t node, uint64_t block, struct run *run)
{
	struct ext2fs_extent extent;
	struct ext2_inode inode;
	ext2_extent_handle_t tree;
	errcode_t error = open_tree(volume, node, &inode, &tree);

	if (error)
		return volume_errno(error);
	error = seek(tree, block, &extent);
	ext2fs_extent_free(tree);
	*run = (struct run){.first = block, .count = UINT64_MAX - block, .state = RUN_HOLE};
	if (error == EXT2_ET_NO_CURRENT_NODE || error == EXT2_ET_EXTENT_NO_NEXT)
		return 0;
	if (error)
		return volume_errno(error);
	if (extent.e_lblk > block) {
		run->count = extent.e_lblk - block;
		return 0;
	}
	if (!is_sound(volume, &extent))
		return -EIO;
	run->block = extent.e_pblk + (block - extent.e_lblk);
	run->count = extent.e_len - (block - extent.e_lblk);
	run->state = extent.e_flags & EXT2_EXTENT_FLAGS_UNINIT ? RUN_UNWRITTEN : RUN_WRITTEN;
	return 0;
}

long extents_allocate(struct volume *volume, ext2_ino_t node, uint64_t first, uint64_t *count)
{
	struct ext2_inode inode;
	errcode_t error;

	if (*count > FILE_ALLOCATION)
		*count = FILE_ALLOCATION;
	error = ext2fs_read_inode(volume->fs, node, &inode);
	if (!error)
		error = ext2fs_fallocate(volume->fs, EXT2_FALLOCATE_FORCE_UNINIT, node, &inode,
					 ~0ULL, first, *count);
	if (!error)
		error = ext2fs_write_inode(volume->fs, node, &inode);
	return volume_errno(error);
}

/* ---- unwritten becomes written ---- */

static struct ext2fs_extent part(const struct ext2fs_extent *of, uint64_t first, uint64_t count,
				 bool written)
{
	struct ext2fs_extent extent = *of;

	extent.e_lblk = first;
	extent.e_pblk = of->e_pblk + (first - of->e_lblk);
	extent.e_len = (uint32_t)count;
	extent.e_flags = EXT2_EXTENT_FLAGS_LEAF | (written ? 0 : EXT2_EXTENT_FLAGS_UNINIT);
	return extent;
}

static errcode_t insert_after(ext2_extent_handle_t tree, struct ext2fs_extent extent)
{
	errcode_t error = ext2fs_extent_insert(tree, EXT2_EXTENT_INSERT_AFTER, &extent);

	return error ? error : ext2fs_extent_fix_parents(tree);
}

static errcode_t replace(ext2_extent_handle_t tree, struct ext2fs_extent extent)
{
	errcode_t error = ext2fs_extent_replace(tree, 0, &extent);

	return error ? error : ext2fs_extent_fix_parents(tree);
}

/* The written extent that ends where the current one begins, in the file and on the disk, and can take so many more. */
static bool find_growing(ext2_extent_handle_t tree, const struct ext2fs_extent *current,
			 uint64_t count, struct ext2fs_extent *growing)
{
	return !ext2fs_extent_get(tree, EXT2_EXTENT_PREV_LEAF, growing) &&
	       !(growing->e_flags & EXT2_EXTENT_FLAGS_UNINIT) &&
	       growing->e_lblk + growing->e_len == current->e_lblk &&
	       growing->e_pblk + growing->e_len == current->e_pblk &&
	       growing->e_len + count <= EXT_INIT_MAX_LEN;
}

/* The last extent of a tree may go, too. */
static errcode_t delete_current(ext2_extent_handle_t tree)
{
	errcode_t error = ext2fs_extent_delete(tree, 0);

	if (!error)
		error = ext2fs_extent_fix_parents(tree);
	return error == EXT2_ET_NO_CURRENT_NODE ? 0 : error;
}

/* The first blocks of an extent go over to the one before it. */
static errcode_t move_to_previous(ext2_extent_handle_t tree, struct ext2fs_extent *extent,
				  uint64_t count, struct ext2fs_extent *growing)
{
	errcode_t error = ext2fs_extent_goto(tree, extent->e_lblk);

	if (error)
		return error;
	if (count < extent->e_len) {
		error = replace(tree,
				part(extent, extent->e_lblk + count, extent->e_len - count, false));
	} else {
		error = delete_current(tree);
	}
	if (!error)
		error = ext2fs_extent_goto(tree, growing->e_lblk);
	growing->e_len += (uint32_t)count;
	return error ? error : ext2fs_extent_replace(tree, 0, growing);
}

/* Blocks in the middle, or at the end, of an unwritten extent, or all of it, become an extent of their own. */
static errcode_t split(ext2_extent_handle_t tree, struct ext2fs_extent *extent, uint64_t first,
		       uint64_t count)
{
	uint64_t before = first - extent->e_lblk, after = extent->e_len - before - count;
	errcode_t error = ext2fs_extent_goto(tree, extent->e_lblk);

	if (error)
		return error;
	if (before)
		error = replace(tree, part(extent, extent->e_lblk, before, false));
	if (!error && before)
		error = insert_after(tree, part(extent, first, count, true));
	else if (!error)
		error = replace(tree, part(extent, first, count, true));
	if (!error)
		error = ext2fs_extent_goto(tree, first);
	if (!error && after)
		error = insert_after(tree, part(extent, first + count, after, false));
	return error;
}

long extents_convert(struct volume *volume, ext2_ino_t node, uint64_t first, uint64_t count)
{
	struct ext2fs_extent extent, growing;
	struct ext2_inode inode;
	ext2_extent_handle_t tree;
	errcode_t error = open_tree(volume, node, &inode, &tree);

	if (error)
		return volume_errno(error);
	while (count && !error) {
		uint64_t n;

		error = ext2fs_extent_goto(tree, first);
		if (!error)
			error = ext2fs_extent_get(tree, EXT2_EXTENT_CURRENT, &extent);
		if (error)
			break;
		n = extent.e_len - (first - extent.e_lblk);
		if (n > count)
			n = count;
		if (!(extent.e_flags & EXT2_EXTENT_FLAGS_UNINIT))
			error = 0;
		else if (first == extent.e_lblk && find_growing(tree, &extent, n, &growing))
			error = move_to_previous(tree, &extent, n, &growing);
		else
			error = split(tree, &extent, first, n);
		first += n;
		count -= n;
	}
	ext2fs_extent_free(tree);
	return volume_errno(error);
}

/* ---- blocks go ---- */

static errcode_t give_back(struct volume *volume, ext2_ino_t node, struct ext2_inode *inode,
			   uint64_t block, uint64_t count)
{
	errcode_t error;

	ext2fs_block_alloc_stats_range(volume->fs, block, (blk_t)count, -1);
	error = ext2fs_iblk_sub_blocks(volume->fs, inode, count);
	return error ? error : ext2fs_write_inode(volume->fs, node, inode);
}

/* The last extent goes, or its part from `first` on. *done: nothing lies behind `first`. */
static errcode_t cut_last(struct volume *volume, ext2_ino_t node, struct ext2_inode *inode,
			  ext2_extent_handle_t tree, uint64_t first, bool *done)
{
	struct ext2fs_extent extent;
	uint64_t keep, gone;
	errcode_t error = ext2fs_extent_get(tree, EXT2_EXTENT_ROOT, &extent);

	if (!error)
		error = ext2fs_extent_get(tree, EXT2_EXTENT_LAST_LEAF, &extent);
	*done = error == EXT2_ET_EXTENT_NO_NEXT || error == EXT2_ET_NO_CURRENT_NODE ||
		(!error && extent.e_lblk + extent.e_len <= first);
	if (*done)
		return 0;
	if (error)
		return error;
	if (!is_sound(volume, &extent))
		return EXT2_ET_EXTENT_LEAF_BAD;
	keep = first > extent.e_lblk ? first - extent.e_lblk : 0;
	gone = extent.e_len - keep;
	if (keep) {
		extent.e_len = (uint32_t)keep;
		error = ext2fs_extent_replace(tree, 0, &extent);
	} else {
		error = delete_current(tree);
	}
	return error ? error : give_back(volume, node, inode, extent.e_pblk + keep, gone);
}

long extents_cut(struct volume *volume, ext2_ino_t node, uint64_t first, bool *done)
{
	struct ext2_inode inode;
	ext2_extent_handle_t tree;
	errcode_t error = open_tree(volume, node, &inode, &tree);

	*done = false;
	if (error)
		return volume_errno(error);
	for (unsigned int i = 0; i < VOLUME_RUNS && !*done && !error; i++)
		error = cut_last(volume, node, &inode, tree, first, done);
	ext2fs_extent_free(tree);
	return volume_errno(error);
}

/* Of the current extent: what is in front of the blocks that go stays, and what is behind them. */
static errcode_t take_out(ext2_extent_handle_t tree, const struct ext2fs_extent *extent,
			  uint64_t before, uint64_t gone)
{
	bool written = !(extent->e_flags & EXT2_EXTENT_FLAGS_UNINIT);
	uint64_t behind = extent->e_lblk + before + gone, after = extent->e_len - before - gone;
	errcode_t error;

	if (!before)
		return after ? replace(tree, part(extent, behind, after, written))
			     : delete_current(tree);
	error = replace(tree, part(extent, extent->e_lblk, before, written));
	return error || !after ? error : insert_after(tree, part(extent, behind, after, written));
}

/* The first extent with blocks from *first on, or its part before `end`, goes. */
static errcode_t punch_next(struct volume *volume, ext2_ino_t node, struct ext2_inode *inode,
			    ext2_extent_handle_t tree, uint64_t *first, uint64_t end)
{
	struct ext2fs_extent extent;
	uint64_t before, gone;
	errcode_t error = seek(tree, *first, &extent);

	if (error == EXT2_ET_EXTENT_NO_NEXT || error == EXT2_ET_NO_CURRENT_NODE ||
	    (!error && extent.e_lblk >= end)) {
		*first = end;
		return 0;
	}
	if (error)
		return error;
	if (!is_sound(volume, &extent))
		return EXT2_ET_EXTENT_LEAF_BAD;
	if (*first < extent.e_lblk)
		*first = extent.e_lblk;
	before = *first - extent.e_lblk;
	gone = extent.e_len - before;
	if (gone > end - *first)
		gone = end - *first;
	*first += gone;
	/* One extent becomes two, which may need a block. */
	if (before && before + gone < extent.e_len && !volume_has_room(volume, 0))
		return 0;
	error = take_out(tree, &extent, before, gone);
	return error ? error : give_back(volume, node, inode, extent.e_pblk + before, gone);
}

long extents_punch(struct volume *volume, ext2_ino_t node, uint64_t *first, uint64_t end)
{
	struct ext2_inode inode;
	ext2_extent_handle_t tree;
	errcode_t error = open_tree(volume, node, &inode, &tree);

	if (error)
		return volume_errno(error);
	for (unsigned int i = 0; i < VOLUME_RUNS && *first < end && !error; i++)
		error = punch_next(volume, node, &inode, tree, first, end);
	ext2fs_extent_free(tree);
	return volume_errno(error);
}
