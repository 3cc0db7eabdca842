/* SPDX-License-Identifier: MIT */
/* Inodes and directories. */
#include "volume/internal.h"
#include <errno.h>
#include <string.h>
#include <time.h>

static bool is_shown(const struct ext2_inode *inode)
{
	return LINUX_S_ISREG(inode->i_mode) || LINUX_S_ISDIR(inode->i_mode);
}

long inode_read(struct volume *volume, ext2_ino_t node, struct ext2_inode *inode)
{
	return volume_errno(ext2fs_read_inode(volume->fs, node, inode));
}

void inode_status(struct volume *volume, ext2_ino_t node, const struct ext2_inode *inode,
		  struct volume_status *status)
{
	struct volume_file *file = file_of_node(volume, node);
	struct ext2_inode copy = *inode;
	uint64_t sectors = inode->i_blocks;

	if (ext2fs_has_feature_huge_file(volume->fs->super))
		sectors |= (uint64_t)inode->osd2.linux2.l_i_blocks_hi << 32;
	if (inode->i_flags & EXT4_HUGE_FILE_FL)
		sectors *= volume->fs->blocksize / BLOCK_SECTOR;
	*status = (struct volume_status){
	    .node = node,
	    .size = LINUX_S_ISDIR(inode->i_mode) ? 0 : EXT2_I_SIZE(&copy),
	    .allocated = sectors * BLOCK_SECTOR,
	    .time = inode->i_mtime,
	    .directory = LINUX_S_ISDIR(inode->i_mode),
	    .in_use = file && file->device_users,
	};
}

/* ---- names ---- */

static long find_name(struct volume *volume, ext2_ino_t directory, const char *name, size_t length,
		      ext2_ino_t *node)
{
	struct ext2_inode inode;
	long error = inode_read(volume, directory, &inode);

	if (error)
		return error;
	if (!LINUX_S_ISDIR(inode.i_mode))
		return -ENOTDIR;
	error = volume_errno(ext2fs_lookup(volume->fs, directory, name, (int)length, NULL, node));
	if (!error && (*node < EXT2_ROOT_INO || *node > volume->fs->super->s_inodes_count))
		error = -EIO;
	return error;
}

static long walk(struct volume *volume, const char *path, size_t length, ext2_ino_t *node)
{
	const char *end = path + length;
	long error = 0;

	*node = EXT2_ROOT_INO;
	while (!error && path < end) {
		const char *slash = memchr(path, '/', (size_t)(end - path));
		const char *name_end = slash ? slash : end;

		if (name_end - path > VOLUME_NAME)
			return -ENAMETOOLONG;
		error = find_name(volume, *node, path, (size_t)(name_end - path), node);
		path = slash ? slash + 1 : end;
	}
	return error;
}

long inode_find(struct volume *volume, const char *path, ext2_ino_t *node)
{
	struct ext2_inode inode;
	long error = walk(volume, path, strlen(path), node);

	if (!error)
		error = inode_read(volume, *node, &inode);
	return error ? error : is_shown(&inode) ? 0 : -ENOENT;
}

/* The directory in which a path's last name is, and that name. */
static long find_parent(struct volume *volume, const char *path, ext2_ino_t *directory,
			const char **name)
{
	const char *slash = strrchr(path, '/');
	struct ext2_inode inode;
	long error;

	if (!path[0])
		return -EINVAL;
	*name = slash ? slash + 1 : path;
	if (strlen(*name) > VOLUME_NAME)
		return -ENAMETOOLONG;
	error = walk(volume, path, slash ? (size_t)(slash - path) : 0, directory);
	if (!error)
		error = inode_read(volume, *directory, &inode);
	return error ? error : LINUX_S_ISDIR(inode.i_mode) ? 0 : -ENOTDIR;
}

/* ---- directories are read ---- */

struct listing {
	struct volume *volume;
	void (*each)(const char *name, const struct volume_status *status, void *context);
	void *context;
	unsigned int names;
};

static int list_entry(ext2_ino_t directory, int entry, struct ext2_dir_entry *dirent, int offset,
		      int block_size, char *block, void *private)
{
	struct listing *listing = private;
	size_t length = (size_t)ext2fs_dirent_name_len(dirent);
	struct volume_status status;
	struct ext2_inode inode;
	char name[VOLUME_NAME + 1];

	memcpy(name, dirent->name, length);
	name[length] = 0;
	if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0 || strlen(name) != length ||
	    strchr(name, '/'))
		return 0;
	listing->names++;
	if (!listing->each)
		return DIRENT_ABORT;
	if (inode_read(listing->volume, dirent->inode, &inode) || !is_shown(&inode))
		return 0;
	inode_status(listing->volume, dirent->inode, &inode, &status);
	listing->each(name, &status, listing->context);
	return 0;
}

static long iterate(struct volume *volume, ext2_ino_t directory, struct listing *listing)
{
	listing->volume = volume;
	return volume_errno(
	    ext2fs_dir_iterate2(volume->fs, directory, 0, NULL, list_entry, listing));
}

long volume_list(struct volume *volume, const char *path,
		 void (*each)(const char *name, const struct volume_status *status, void *context),
		 void *context)
{
	struct listing listing = {.each = each, .context = context};
	struct ext2_inode inode;
	ext2_ino_t node;
	long error;

	mutex_lock(&volume->lock);
	error = inode_find(volume, path, &node);
	if (!error)
		error = inode_read(volume, node, &inode);
	if (!error)
		error = LINUX_S_ISDIR(inode.i_mode) ? iterate(volume, node, &listing) : -ENOTDIR;
	mutex_unlock(&volume->lock);
	return error;
}

long volume_find(struct volume *volume, const char *path, struct volume_status *status)
{
	struct ext2_inode inode;
	ext2_ino_t node;
	long error;

	mutex_lock(&volume->lock);
	error = inode_find(volume, path, &node);
	if (!error)
		error = inode_read(volume, node, &inode);
	if (!error)
		inode_status(volume, node, &inode, status);
	mutex_unlock(&volume->lock);
	return error;
}

/* ---- names come and go ---- */

static errcode_t link_name(struct volume *volume, ext2_ino_t directory, const char *name,
			   ext2_ino_t node, int type)
{
	errcode_t error = ext2fs_link(volume->fs, directory, name, node, type);

	if (error != EXT2_ET_DIR_NO_SPACE)
		return error;
	error = ext2fs_expand_dir(volume->fs, directory);
	return error ? error : ext2fs_link(volume->fs, directory, name, node, type);
}

static errcode_t touch(struct volume *volume, ext2_ino_t node, int links)
{
	struct ext2_inode inode;
	errcode_t error = ext2fs_read_inode(volume->fs, node, &inode);

	if (error)
		return error;
	inode.i_links_count = (uint16_t)(inode.i_links_count + links);
	inode.i_mtime = inode.i_ctime = (uint32_t)time(NULL);
	return ext2fs_write_inode(volume->fs, node, &inode);
}

static errcode_t make_file(struct volume *volume, ext2_ino_t directory, const char *name,
			   ext2_ino_t *node)
{
	ext2_filsys fs = volume->fs;
	struct ext2_inode inode = {.i_mode = LINUX_S_IFREG | 0644, .i_links_count = 1};
	ext2_extent_handle_t tree;
	errcode_t error = ext2fs_new_inode(fs, directory, inode.i_mode, NULL, node);

	if (error)
		return error;
	ext2fs_inode_alloc_stats2(fs, *node, +1, 0);
	inode.i_atime = inode.i_ctime = inode.i_mtime = (uint32_t)time(NULL);
	inode.i_flags = EXT4_EXTENTS_FL;
	/* It writes the header of an empty tree. */
	error = ext2fs_extent_open2(fs, *node, &inode, &tree);
	if (error)
		return error;
	ext2fs_extent_free(tree);
	error = ext2fs_write_new_inode(fs, *node, &inode);
	if (!error)
		error = link_name(volume, directory, name, *node, EXT2_FT_REG_FILE);
	return error ? error : touch(volume, directory, 0);
}

/* For a name that is not there yet: its directory. */
static long find_new(struct volume *volume, const char *path, ext2_ino_t *directory,
		     const char **name)
{
	ext2_ino_t node;
	long error = find_parent(volume, path, directory, name);

	if (error)
		return error;
	error = find_name(volume, *directory, *name, strlen(*name), &node);
	if (error != -ENOENT)
		return error ? error : -EEXIST;
	if (!volume_has_room(volume, 0) || !volume->fs->super->s_free_inodes_count)
		return -ENOSPC;
	return 0;
}

long inode_create(struct volume *volume, const char *path, ext2_ino_t *node)
{
	ext2_ino_t directory;
	const char *name;
	long error = find_new(volume, path, &directory, &name);

	if (!error)
		error = volume_begin(volume);
	return error ? error : volume_end(volume, make_file(volume, directory, name, node));
}

static errcode_t make_directory(struct volume *volume, ext2_ino_t parent, const char *name)
{
	errcode_t error = ext2fs_mkdir(volume->fs, parent, 0, name);

	if (error == EXT2_ET_DIR_NO_SPACE) {
		error = ext2fs_expand_dir(volume->fs, parent);
		if (!error)
			error = ext2fs_mkdir(volume->fs, parent, 0, name);
	}
	return error ? error : touch(volume, parent, 0);
}

long volume_mkdir(struct volume *volume, const char *path)
{
	ext2_ino_t directory;
	const char *name;
	long error;

	mutex_lock(&volume->lock);
	error = find_new(volume, path, &directory, &name);
	if (!error)
		error = volume_begin(volume);
	if (!error)
		error = volume_end(volume, make_directory(volume, directory, name));
	mutex_unlock(&volume->lock);
	return error;
}

/*
 * A file without a name whose blocks are still to be freed, in several transactions, is in the file system's list of orphans: who
 * mounts it after a crash goes on. Here only the one that is being removed is in it.
 */
static errcode_t add_orphan(struct volume *volume, ext2_ino_t node)
{
	struct ext2_inode inode;
	errcode_t error = ext2fs_read_inode(volume->fs, node, &inode);

	if (error)
		return error;
	inode.i_links_count = 0;
	inode.i_dtime = volume->fs->super->s_last_orphan;
	inode.i_ctime = (uint32_t)time(NULL);
	volume->fs->super->s_last_orphan = node;
	return ext2fs_write_inode(volume->fs, node, &inode);
}

/* The first in the list, which has no blocks any more, is free. */
static errcode_t free_orphan(struct volume *volume, ext2_ino_t node, bool directory)
{
	struct ext2_inode inode;
	errcode_t error = ext2fs_read_inode(volume->fs, node, &inode);

	if (error)
		return error;
	volume->fs->super->s_last_orphan = inode.i_dtime;
	inode.i_dtime = (uint32_t)time(NULL);
	inode.i_links_count = 0;
	error = ext2fs_write_inode(volume->fs, node, &inode);
	if (!error)
		ext2fs_inode_alloc_stats2(volume->fs, node, -1, directory);
	return error;
}

static errcode_t set_size(struct volume *volume, ext2_ino_t node, uint64_t size)
{
	struct ext2_inode inode;
	errcode_t error = ext2fs_read_inode(volume->fs, node, &inode);

	if (!error)
		error = ext2fs_inode_size_set(volume->fs, &inode, (ext2_off64_t)size);
	inode.i_mtime = inode.i_ctime = (uint32_t)time(NULL);
	return error ? error : ext2fs_write_inode(volume->fs, node, &inode);
}

/* Several transactions: after each the file is sound, and as long as its last block at most. */
long inode_cut(struct volume *volume, ext2_ino_t node, uint64_t size)
{
	uint64_t first = (size + volume->fs->blocksize - 1) / volume->fs->blocksize;
	struct ext2_inode inode;
	bool done = false;
	long error = inode_read(volume, node, &inode);

	if (!error && !(inode.i_flags & EXT4_EXTENTS_FL))
		return inode.i_blocks ? -EOPNOTSUPP : 0;
	for (bool sized = false; !error && !done; sized = true) {
		error = volume_begin(volume);
		if (error)
			break;
		if (!sized && LINUX_S_ISREG(inode.i_mode))
			error = set_size(volume, node, size);
		if (!error)
			error = extents_cut(volume, node, first, &done);
		error = volume_end(volume, error);
	}
	return error;
}

/* What lost its last name, with all that is to be freed. */
static long remove_orphan(struct volume *volume, ext2_ino_t node, bool directory)
{
	long error = inode_cut(volume, node, 0);

	if (!error)
		error = volume_begin(volume);
	return error ? error : volume_end(volume, free_orphan(volume, node, directory));
}

static errcode_t unlink_name(struct volume *volume, ext2_ino_t parent, const char *name,
			     ext2_ino_t node, bool directory)
{
	struct ext2_inode inode;
	errcode_t error = ext2fs_unlink(volume->fs, parent, name, node, 0);

	if (!error)
		error = touch(volume, parent, directory ? -1 : 0);
	if (!error)
		error = ext2fs_read_inode(volume->fs, node, &inode);
	if (error)
		return error;
	return inode.i_links_count > 1 && !directory ? touch(volume, node, -1)
						     : add_orphan(volume, node);
}

/* May this be removed? */
static long check_removal(struct volume *volume, ext2_ino_t node, const struct ext2_inode *inode)
{
	struct listing listing = {.each = NULL};
	long error;

	if (node < EXT2_FIRST_INO(volume->fs->super) || file_of_node(volume, node))
		return -EBUSY;
	if (!LINUX_S_ISDIR(inode->i_mode)) {
		if (inode_is_base(volume, node))
			return -EBUSY;
		return inode->i_flags & EXT4_EXTENTS_FL || !inode->i_blocks ? 0 : -EOPNOTSUPP;
	}
	error = iterate(volume, node, &listing);
	return error ? error : listing.names ? -ENOTEMPTY : 0;
}

static long remove_name(struct volume *volume, const char *path)
{
	struct ext2_inode inode;
	ext2_ino_t parent, node;
	const char *name;
	bool directory;
	long error = find_parent(volume, path, &parent, &name);

	if (!error)
		error = inode_find(volume, path, &node);
	if (!error)
		error = inode_read(volume, node, &inode);
	if (!error)
		error = check_removal(volume, node, &inode);
	if (!error)
		error = volume_begin(volume);
	if (error)
		return error;
	directory = LINUX_S_ISDIR(inode.i_mode);
	error = volume_end(volume, unlink_name(volume, parent, name, node, directory));
	if (!error && volume->fs->super->s_last_orphan == node)
		error = remove_orphan(volume, node, directory);
	return error;
}

long volume_remove(struct volume *volume, const char *path)
{
	long error;

	mutex_lock(&volume->lock);
	error = remove_name(volume, path);
	mutex_unlock(&volume->lock);
	return error;
}

struct renaming {
	ext2_ino_t from, to, node,
	    replaced; /* directories, what moves, what had the name before or 0 */
	const char *from_name, *to_name;
	int type;
};

static long prepare_renaming(struct volume *volume, const char *from, const char *to,
			     struct renaming *r)
{
	struct ext2_inode inode, old;
	long error = find_parent(volume, from, &r->from, &r->from_name);

	if (!error)
		error = find_parent(volume, to, &r->to, &r->to_name);
	if (!error)
		error = inode_find(volume, from, &r->node);
	if (!error)
		error = inode_read(volume, r->node, &inode);
	if (error)
		return error;
	r->type = LINUX_S_ISDIR(inode.i_mode) ? EXT2_FT_DIR : EXT2_FT_REG_FILE;
	if (r->type == EXT2_FT_DIR && r->from != r->to)
		return -EXDEV;
	/* The overlays know it by its path. */
	if (inode_is_base(volume, r->node))
		return -EBUSY;
	error = find_name(volume, r->to, r->to_name, strlen(r->to_name), &r->replaced);
	if (error == -ENOENT) {
		r->replaced = 0;
		return volume_has_room(volume, 0) ? 0 : -ENOSPC;
	}
	if (error || r->replaced == r->node)
		return error;
	error = inode_read(volume, r->replaced, &old);
	if (error)
		return error;
	if (LINUX_S_ISDIR(old.i_mode) || r->type == EXT2_FT_DIR)
		return -EEXIST;
	return check_removal(volume, r->replaced, &old);
}

static errcode_t rename_entry(struct volume *volume, struct renaming *r)
{
	errcode_t error = 0;

	if (r->replaced)
		error = unlink_name(volume, r->to, r->to_name, r->replaced, false);
	if (!error)
		error = ext2fs_unlink(volume->fs, r->from, r->from_name, r->node, 0);
	if (!error)
		error = link_name(volume, r->to, r->to_name, r->node, r->type);
	if (!error)
		error = touch(volume, r->from, 0);
	return error ? error : touch(volume, r->to, 0);
}

long volume_rename(struct volume *volume, const char *from, const char *to)
{
	struct renaming r;
	long error;

	mutex_lock(&volume->lock);
	error = prepare_renaming(volume, from, to, &r);
	if (!error && r.replaced != r.node) {
		error = volume_begin(volume);
		if (!error)
			error = volume_end(volume, rename_entry(volume, &r));
		if (!error && r.replaced && volume->fs->super->s_last_orphan == r.replaced)
			error = remove_orphan(volume, r.replaced, false);
	}
	mutex_unlock(&volume->lock);
	return error;
}

/* A file that was being cut, but has a name, is only cut. */
static long finish_orphan(struct volume *volume, ext2_ino_t node)
{
	struct ext2_inode inode;
	long error = inode_read(volume, node, &inode);
	uint32_t next = inode.i_dtime;

	if (error)
		return error;
	if (!inode.i_links_count)
		return remove_orphan(volume, node, LINUX_S_ISDIR(inode.i_mode));
	error = inode_cut(volume, node, EXT2_I_SIZE(&inode));
	if (!error)
		error = volume_begin(volume);
	if (error)
		return error;
	error = inode_read(volume, node, &inode);
	inode.i_dtime = 0;
	volume->fs->super->s_last_orphan = next;
	if (!error)
		error = volume_errno(ext2fs_write_inode(volume->fs, node, &inode));
	return volume_end(volume, error);
}

long inodes_remove_orphans(struct volume *volume)
{
	uint32_t limit = volume->fs->super->s_inodes_count;
	ext2_ino_t node;
	long error = 0;

	while (!error && (node = volume->fs->super->s_last_orphan) != 0) {
		if (node > volume->fs->super->s_inodes_count ||
		    node < EXT2_FIRST_INO(volume->fs->super) || limit-- == 0)
			return -EIO;
		error = finish_orphan(volume, node);
	}
	return error;
}
