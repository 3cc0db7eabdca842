/* SPDX-License-Identifier: MIT */
#include "volume/journal.h"
#include "volume/journal_format.h"
#include <errno.h>
#include <string.h>
#include <guest/memory.h>
#include "volume/checksum.h"

long journal_map(const struct journal *journal, uint32_t n, uint64_t *block)
{
	for (unsigned int i = 0; i < JOURNAL_RUNS && journal->runs[i].count; i++) {
		if (n < journal->runs[i].count) {
			*block = journal->runs[i].block + n;
			return 0;
		}
		n -= journal->runs[i].count;
	}
	return -EIO;
}

uint32_t journal_data_checksum(const struct journal *journal, uint32_t sequence, const void *data)
{
	unsigned char word[4];

	journal_set_word(word, 0, sequence);
	return ext2fs_crc32c_le(ext2fs_crc32c_le(journal->seed, word, sizeof(word)), data,
				journal->disk->block_size);
}

uint32_t journal_block_checksum(const struct journal *journal, void *block, uint32_t offset)
{
	uint32_t found = journal_word(block, offset), checksum;

	journal_set_word(block, offset, 0);
	checksum = ext2fs_crc32c_le(journal->seed, block, journal->disk->block_size);
	journal_set_word(block, offset, found);
	return checksum;
}

/* ---- the superblock ---- */

static uint32_t super_checksum(struct journal *journal)
{
	uint32_t found = journal->super.words[SUPER_CHECKSUM], checksum;

	journal->super.words[SUPER_CHECKSUM] = 0;
	checksum = ext2fs_crc32c_le(~0u, journal->super.bytes, JOURNAL_SUPERBLOCK);
	journal->super.words[SUPER_CHECKSUM] = found;
	return checksum;
}

long journal_write_super(struct journal *journal)
{
	uint64_t block;
	long error = journal_map(journal, 0, &block);

	if (error)
		return error;
	journal_set_super(journal, SUPER_CHECKSUM, super_checksum(journal));
	memset(journal->page, 0, journal->disk->block_size);
	memcpy(journal->page, journal->super.bytes, JOURNAL_SUPERBLOCK);
	return disk_write(journal->disk, block, journal->page, 1);
}

static uint32_t run_blocks(const struct journal *journal)
{
	uint64_t count = 0;

	for (unsigned int i = 0; i < JOURNAL_RUNS; i++)
		count += journal->runs[i].count;
	return count > UINT32_MAX ? UINT32_MAX : (uint32_t)count;
}

static const char *check_super(struct journal *journal)
{
	uint32_t features = journal_super(journal, SUPER_INCOMPAT);

	if (journal_super(journal, 0) != JOURNAL_MAGIC)
		return "has no superblock";
	if (journal_super(journal, 1) != JOURNAL_SUPER_2)
		return "is of an old form: have e2fsck write it anew";
	if (journal_super(journal, SUPER_BLOCK_SIZE) != journal->disk->block_size ||
	    journal->first == 0 || journal->first >= journal->length ||
	    journal_super(journal, SUPER_LENGTH) > run_blocks(journal) ||
	    journal_super(journal, SUPER_START) >= journal_super(journal, SUPER_LENGTH))
		return "is damaged: run e2fsck on a Linux machine";
	if (features & (INCOMPAT_CHECKSUM_2 | INCOMPAT_CHECKSUM_3) &&
	    ((journal_super(journal, SUPER_CHECKSUM_TYPE) >> 24) != CHECKSUM_TYPE_CRC32C ||
	     super_checksum(journal) != journal_super(journal, SUPER_CHECKSUM)))
		return "is damaged (checksum): run e2fsck on a Linux machine";
	features &= ~(INCOMPAT_REVOKE | INCOMPAT_64BIT | INCOMPAT_CHECKSUM_2 | INCOMPAT_CHECKSUM_3);
	/* Unless something is in it, how fast commits were written does not matter. */
	if (journal_super(journal, SUPER_START) == 0)
		features &= ~(INCOMPAT_FAST_COMMIT | INCOMPAT_ASYNC_COMMIT);
	return features ? "uses features that are not known here" : NULL;
}

long journal_open(struct journal *journal, struct volume_disk *disk, const char **problem)
{
	uint32_t fast;
	uint64_t block;
	long error;

	journal->disk = disk;
	journal->page = page_alloc();
	if (!journal->page)
		return -ENOMEM;
	*problem = "cannot be read";
	error = journal_map(journal, 0, &block);
	if (!error)
		error = disk_read(disk, block, journal->page, 1);
	if (error)
		return error;
	memcpy(journal->super.bytes, journal->page, JOURNAL_SUPERBLOCK);
	fast = journal_super(journal, SUPER_INCOMPAT) & INCOMPAT_FAST_COMMIT
		   ? journal_super(journal, SUPER_FAST_BLOCKS)
		   : 0;
	journal->first = journal_super(journal, SUPER_FIRST);
	journal->length = journal_super(journal, SUPER_LENGTH);
	journal->length = fast < journal->length ? journal->length - fast : 0;
	journal->sequence = journal_super(journal, SUPER_SEQUENCE);
	journal->head = 0;
	journal->seed = ext2fs_crc32c_le(
	    ~0u, (const unsigned char *)&journal->super.words[SUPER_UUID], UUID_SIZE);
	*problem = check_super(journal);
	return *problem ? -EINVAL : 0;
}

void journal_close(struct journal *journal)
{
	if (journal->page)
		page_free(journal->page);
	journal->page = NULL;
}

bool journal_is_empty(const struct journal *journal)
{
	return journal_super(journal, SUPER_START) == 0;
}

long journal_start(struct journal *journal)
{
	uint32_t features = INCOMPAT_REVOKE | INCOMPAT_64BIT | INCOMPAT_CHECKSUM_3;
	long error;

	journal_set_super(journal, SUPER_COMPAT, 0);
	journal_set_super(journal, SUPER_INCOMPAT, features);
	journal_set_super(journal, SUPER_CHECKSUM_TYPE, (uint32_t)CHECKSUM_TYPE_CRC32C << 24);
	journal_set_super(journal, SUPER_START, 0);
	journal_set_super(journal, SUPER_SEQUENCE, journal->sequence);
	error = journal_write_super(journal);
	return error ? error : disk_flush(journal->disk);
}

/* ---- a transaction is written ---- */

/* Tags in a descriptor: the first one is followed by the UUID. */
static uint32_t tags_in_descriptor(const struct journal *journal)
{
	return (journal->disk->block_size - JOURNAL_HEADER - UUID_SIZE - TAIL) / TAG_3;
}

/* Blocks in the log that so many of metadata take. */
static uint64_t log_blocks(const struct journal *journal, uint32_t count)
{
	uint32_t tags = tags_in_descriptor(journal);

	return (uint64_t)count + (count + tags - 1) / tags + 1;
}

uint32_t journal_room(const struct journal *journal)
{
	uint32_t space = journal->length - journal->first;

	return space - space / tags_in_descriptor(journal) - 2;
}

static void make_header(struct journal *journal, uint32_t type)
{
	memset(journal->page, 0, journal->disk->block_size);
	journal_set_word(journal->page, 0, JOURNAL_MAGIC);
	journal_set_word(journal->page, 4, type);
	journal_set_word(journal->page, 8, journal->sequence);
}

/* A block that begins as one of the journal's own is logged with zeros there; the tag says so. */
static long log_escaped(struct journal *journal, struct buffer *buffer, uint64_t to, void *tag)
{
	void *copy = page_alloc();
	long error;

	if (!copy)
		return -ENOMEM;
	memcpy(copy, buffer->data, journal->disk->block_size);
	journal_set_word(copy, 0, 0);
	journal_set_word(tag, 4, journal_word(tag, 4) | TAG_ESCAPED);
	journal_set_word(tag, 12, journal_data_checksum(journal, journal->sequence, copy));
	error = disk_write(journal->disk, to, copy, 1);
	page_free(copy);
	return error;
}

static long log_block(struct journal *journal, struct buffer *buffer, uint32_t at, void *tag,
		      uint32_t flags)
{
	uint64_t to;
	long error = journal_map(journal, at, &to);

	if (error)
		return error;
	journal_set_word(tag, 0, (uint32_t)buffer->block);
	journal_set_word(tag, 4, flags);
	journal_set_word(tag, 8, (uint32_t)(buffer->block >> 32));
	if (journal_word(buffer->data, 0) == JOURNAL_MAGIC)
		return log_escaped(journal, buffer, to, tag);
	journal_set_word(tag, 12, journal_data_checksum(journal, journal->sequence, buffer->data));
	disk_write_one(journal->disk, to, buffer->data);
	return 0;
}

/*
 * A descriptor and its blocks, from *buffer on, at *at in the log; both move on. What has been started is waited for in
 * every case: the page and the buffers are the disk's until then.
 */
static long log_group(struct journal *journal, struct cache *cache, struct buffer **buffer,
		      uint32_t *at)
{
	uint32_t here = (*at)++, tags = tags_in_descriptor(journal);
	uint32_t tail = journal->disk->block_size - TAIL;
	char *tag = (char *)journal->page + JOURNAL_HEADER;
	uint64_t block;
	long error, ended;

	make_header(journal, JOURNAL_DESCRIPTOR);
	error = journal_map(journal, here, &block);
	for (uint32_t i = 0; !error && i < tags && *buffer != &cache->dirty; i++) {
		bool last = i + 1 == tags || (*buffer)->next == &cache->dirty;

		error = log_block(journal, *buffer, (*at)++, tag,
				  (i ? TAG_SAME_UUID : 0) | (last ? TAG_LAST : 0));
		tag += TAG_3;
		if (i == 0) {
			memcpy(tag, &journal->super.words[SUPER_UUID], UUID_SIZE);
			tag += UUID_SIZE;
		}
		*buffer = (*buffer)->next;
	}
	if (!error) {
		journal_set_word(journal->page, tail,
				 journal_block_checksum(journal, journal->page, tail));
		disk_write_one(journal->disk, block, journal->page);
	}
	ended = disk_write_end(journal->disk);
	return error ? error : ended;
}

/* Everything before it is stable when it is written, and it is stable when this returns. */
static long log_commit(struct journal *journal, uint32_t at, uint64_t seconds)
{
	uint64_t block;
	long error = journal_map(journal, at, &block);

	if (!error)
		error = disk_flush(journal->disk);
	if (error)
		return error;
	make_header(journal, JOURNAL_COMMIT);
	journal_set_word(journal->page, COMMIT_SECONDS, (uint32_t)(seconds >> 32));
	journal_set_word(journal->page, COMMIT_SECONDS + 4, (uint32_t)seconds);
	journal_set_word(journal->page, COMMIT_CHECKSUM,
			 journal_block_checksum(journal, journal->page, COMMIT_CHECKSUM));
	error = disk_write(journal->disk, block, journal->page, 1);
	return error ? error : disk_flush(journal->disk);
}

static long write_places(struct journal *journal, struct cache *cache)
{
	for (struct buffer *b = cache->dirty.next; b != &cache->dirty; b = b->next)
		disk_write_one(journal->disk, b->block, b->data);
	return disk_write_end(journal->disk);
}

/* The log's superblock says where it starts before anything in it counts: log_commit's first flush is between. */
static long begin_log(struct journal *journal)
{
	journal->head = journal->first;
	journal_set_super(journal, SUPER_START, journal->head);
	journal_set_super(journal, SUPER_SEQUENCE, journal->sequence);
	return journal_write_super(journal);
}

long journal_commit(struct journal *journal, struct cache *cache, uint64_t seconds)
{
	uint64_t blocks = log_blocks(journal, cache->dirty_count);
	struct buffer *buffer = cache->dirty.next;
	uint32_t at;
	long error = 0;

	if (!cache->dirty_count)
		return 0;
	if (blocks > journal->length - journal->first)
		return -ENOSPC;
	if (journal->head && blocks > journal->length - journal->head)
		error = journal_empty(journal);
	if (!error && !journal->head)
		error = begin_log(journal);
	at = journal->head;
	while (!error && buffer != &cache->dirty)
		error = log_group(journal, cache, &buffer, &at);
	if (!error)
		error = log_commit(journal, at++, seconds);
	if (!error)
		error = write_places(journal, cache);
	if (error)
		return error;
	journal->head = at;
	journal->sequence++;
	cache_clean(cache);
	return 0;
}

long journal_empty(struct journal *journal)
{
	long error;

	if (!journal->head)
		return 0;
	error = disk_flush(journal->disk);
	if (error)
		return error;
	journal->head = 0;
	journal_set_super(journal, SUPER_START, 0);
	journal_set_super(journal, SUPER_SEQUENCE, journal->sequence);
	error = journal_write_super(journal);
	return error ? error : disk_flush(journal->disk);
}
