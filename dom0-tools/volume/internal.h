/* SPDX-License-Identifier: MIT */
/*
 * What the parts of a volume share. All of it is protected by the volume's lock, but for a file's map of runs, which is
 * read with events masked and changed with the lock held and events masked.
 */
#ifndef VOLUME_INTERNAL_H
#define VOLUME_INTERNAL_H

#include <ext2fs/ext2_fs.h>
#include <ext2fs/ext2fs.h>
#include <guest/thread.h>
#include "volume/cache.h"
#include "volume/disk.h"
#include "volume/journal.h"
#include "volume/volume.h"

/* Metadata in memory: a megabyte, and what a transaction has dirty. */
#define VOLUME_BUFFERS 256
/* A transaction that has grown beyond this is committed before the next change. A change adds fewer than the second number. */
#define VOLUME_DIRTY  128
#define VOLUME_CHANGE 96
/* Extents that a change frees. */
#define VOLUME_RUNS 32
/* Blocks that are left free, so that no change fails for want of a block of metadata when it is half done. */
#define VOLUME_RESERVE 64

/* Blocks that a transaction frees. They are given out again only once it is committed: until then they hold what they held. */
struct freed {
	uint64_t block, count;
};

struct volume {
	struct mutex lock;
	struct block_device *device;
	struct volume_disk disk;
	struct cache cache;
	struct journal journal;
	ext2_filsys fs;
	bool read_only; /* also when something went wrong: what is on the disk is left as it is */
	unsigned int replayed;
	uint8_t
	    *dirty_groups; /* a bit each: bitmaps and descriptor differ from those on the disk */
	struct freed *freed;
	unsigned int freed_count, freed_room;
	bool out_of_memory;	   /* somewhere where it could not be told */
	struct volume_file *files; /* that are open */
};

/* ---- transaction.c: changes are made between begin and end; many of them make a transaction ---- */

extern struct struct_io_manager volume_io_manager;
/* Which volume the io_manager's next open is for. */
extern struct cache *volume_opening;

/* -EROFS, or what kept the last transaction from being committed. */
long volume_begin(struct volume *volume);
/* An error, of libext2fs or of the system, in the middle of a change ends all writing; returned is its errno. */
long volume_end(struct volume *volume, errcode_t error);
long volume_commit(struct volume *volume);
/* The negative errno for an error of libext2fs. */
long volume_errno(errcode_t error);
/* Nothing is written any more; told once on the console. */
void volume_fail(struct volume *volume, const char *why);
/* Can so many blocks be allocated, and some remain? */
bool volume_has_room(const struct volume *volume, uint64_t blocks);
/* The superblock, as it is now, goes to the cache. */
long volume_put_super(struct volume *volume);

/* ---- extents.c: where a file's blocks are ---- */

enum run_state { RUN_HOLE, RUN_UNWRITTEN, RUN_WRITTEN };

/* Blocks of a file that lie together. An unwritten one has its place and reads as zeros. */
struct run {
	uint64_t first, count; /* in the file */
	uint64_t block;	       /* on the disk; not of a hole */
	enum run_state state;
};

/* The run with a file's block, from that block on. */
long extents_find(struct volume *volume, ext2_ino_t node, uint64_t block, struct run *run);
/* Within a change: place for blocks of a hole, unwritten. As many as lie together: *count becomes less. */
long extents_allocate(struct volume *volume, ext2_ino_t node, uint64_t first, uint64_t *count);
/* Within a change: blocks that are unwritten are written now. They must all be of one run. */
long extents_convert(struct volume *volume, ext2_ino_t node, uint64_t first, uint64_t count);
/* Within a change: blocks from `first` on go, the last ones first; at most VOLUME_RUNS extents. *done: there are none left. */
long extents_cut(struct volume *volume, ext2_ino_t node, uint64_t first, bool *done);
/*
 * Within a change: the blocks from *first up to `end` become a hole; at most VOLUME_RUNS extents. *first moves behind what has
 * gone: to `end` when all has. On a volume that is full what would split an extent stays.
 */
long extents_punch(struct volume *volume, ext2_ino_t node, uint64_t *first, uint64_t end);

/* ---- inodes.c: inodes and directories ---- */

long inode_read(struct volume *volume, ext2_ino_t node, struct ext2_inode *inode);
long inode_find(struct volume *volume, const char *path, ext2_ino_t *node);
void inode_status(struct volume *volume, ext2_ino_t node, const struct ext2_inode *inode,
		  struct volume_status *status);
/* A new, empty, regular file. */
long inode_create(struct volume *volume, const char *path, ext2_ino_t *node);
/* Changes of its own: the size becomes less, block by block where it must. */
long inode_cut(struct volume *volume, ext2_ino_t node, uint64_t size);
/* What a crash left without a name is removed. */
long inodes_remove_orphans(struct volume *volume);

/* ---- file.c ---- */

#define FILE_RUNS 128

struct volume_file {
	struct volume *volume;
	struct volume_file *next;
	ext2_ino_t node;
	unsigned int users;
	bool is_base; /* others are overlays over it (NOTE_OVERLAYS): it is not changed */
	unsigned int device_users; /* it is a block device, or the base of one: source.c */
	uint64_t size;
	/* A part of what extents_find tells, sorted. Which run goes when there is no room goes round. */
	struct run runs[FILE_RUNS];
	unsigned int run_count, next_victim;
};

/* Do overlays rely on this file? */
bool inode_is_base(struct volume *volume, ext2_ino_t node);
struct volume_file *file_of_node(struct volume *volume, ext2_ino_t node);
/* With events masked: the known run with this block, from there on. False: it is not known. */
bool file_known_run(const struct volume_file *file, uint64_t block, struct run *run);
/* With the lock: the same, looked up if need be. */
long file_run(struct volume_file *file, uint64_t block, struct run *run);
/*
 * With the lock: make a place for blocks that are going to be written, from `block` on, as many of `wanted` as lie together.
 * run: their place. When their data is there, file_written makes it count; until then they read as before. Space is given, and
 * made to count, in units of FILE_UNIT blocks: what of them is not going to be written gets what fill says.
 */
#define FILE_UNIT 16
/* Blocks that get a place at once: more could outgrow a transaction. */
#define FILE_ALLOCATION 32768

struct file_fill {
	/* What a block that was never written holds, for `data`, a page. 0 or an error. NULL: zeros. */
	long (*read)(void *context, uint64_t block, void *data);
	void *context;
};

struct file_place {
	struct run run;	       /* of the blocks that were asked for */
	uint64_t first, count; /* what file_written makes count: 0: it does already */
};
long file_place(struct volume_file *file, uint64_t block, uint64_t wanted,
		const struct file_fill *fill, struct file_place *place);
long file_written(struct volume_file *file, const struct file_place *place);
/*
 * With the lock: blocks from *first up to `end` become a hole, some of them with each call, which moves *first. Their place may be
 * another file's soon: the caller makes sure that no request is still on its way there.
 */
long file_punch(struct volume_file *file, uint64_t *first, uint64_t end);

#endif
