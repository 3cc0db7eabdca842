/* SPDX-License-Identifier: MIT */
/*
 * What libext2fs calls for features that no volume here has (volume.c refuses them at the superblock, volume_mount; an inode that
 * claims one all the same gets these errors): directories inside inodes, names without case, several machines at a file
 * system, blocks shared by contents, extended attributes in inodes of their own. Also its question to the operating system
 * whether a device is mounted.
 */
#include <stddef.h>
#include <stdint.h>
#include <ext2fs/ext2_fs.h>
#include <ext2fs/ext2fs.h>

/* Of headers of libext2fs's own. */
int ext2fs_inline_data_dir_iterate(ext2_filsys fs, ext2_ino_t node, void *data);
errcode_t ext2fs_inline_data_expand(ext2_filsys fs, ext2_ino_t node);
struct ext2fs_hashmap *ext2fs_hashmap_create(uint32_t (*hash)(const void *, size_t),
					     void (*release)(void *), size_t size);
void ext2fs_hashmap_free(struct ext2fs_hashmap *map);
uint32_t ext2fs_djb2_hash(const void *text, size_t size);

int ext2fs_inline_data_dir_iterate(ext2_filsys fs, ext2_ino_t node, void *data)
{
	return BLOCK_ABORT;
}

errcode_t ext2fs_inline_data_expand(ext2_filsys fs, ext2_ino_t node)
{
	return EXT2_ET_OP_NOT_SUPPORTED;
}

errcode_t ext2fs_inline_data_init(ext2_filsys fs, ext2_ino_t node)
{
	return EXT2_ET_OP_NOT_SUPPORTED;
}

const struct ext2fs_nls_table *ext2fs_load_nls_table(int encoding)
{
	return NULL;
}

errcode_t ext2fs_mmp_start(ext2_filsys fs)
{
	return EXT2_ET_OP_NOT_SUPPORTED;
}

errcode_t ext2fs_mmp_stop(ext2_filsys fs)
{
	return 0;
}

errcode_t ext2fs_check_mount_point(const char *device, int *flags, char *path, int size)
{
	*flags = 0;
	return 0;
}

struct ext2fs_hashmap *ext2fs_hashmap_create(uint32_t (*hash)(const void *, size_t),
					     void (*release)(void *), size_t size)
{
	return NULL;
}

void ext2fs_hashmap_free(struct ext2fs_hashmap *map)
{
}

uint32_t ext2fs_djb2_hash(const void *text, size_t size)
{
	return 0;
}

errcode_t ext2fs_file_open(ext2_filsys fs, ext2_ino_t node, int flags, ext2_file_t *file)
{
	return EXT2_ET_OP_NOT_SUPPORTED;
}

errcode_t ext2fs_file_close(ext2_file_t file)
{
	return EXT2_ET_OP_NOT_SUPPORTED;
}

struct ext2_inode *ext2fs_file_get_inode(ext2_file_t file)
{
	return NULL;
}

ext2_off_t ext2fs_file_get_size(ext2_file_t file)
{
	return 0;
}

errcode_t ext2fs_file_read(ext2_file_t file, void *data, unsigned int wanted, unsigned int *got)
{
	return EXT2_ET_OP_NOT_SUPPORTED;
}

errcode_t ext2fs_file_write(ext2_file_t file, const void *data, unsigned int size,
			    unsigned int *written)
{
	return EXT2_ET_OP_NOT_SUPPORTED;
}

errcode_t ext2fs_punch(ext2_filsys fs, ext2_ino_t node, struct ext2_inode *inode, char *block,
		       blk64_t start, blk64_t end)
{
	return EXT2_ET_OP_NOT_SUPPORTED;
}
