/* SPDX-License-Identifier: MIT */
/*
 * What was committed to a journal, and may not have reached its place, goes there now. The log is walked four times: to
 * find its end, to collect what later transactions revoke, to check everything, to write. What stands in it is not
 * trusted: numbers are checked against journal and disk.
 */
#include "volume/journal.h"
#include "volume/journal_format.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <guest/memory.h>

/* A block, and the last transaction whose copies of it must not be written. */
struct revocation {
	uint64_t block;
	uint32_t sequence;
};
#define REVOCATIONS 65536

struct recovery {
	struct journal *journal;
	enum { FIND_END, REVOKE, CHECK, WRITE } pass;
	uint32_t end; /* the first sequence that was not committed */
	struct revocation *revocations;
	unsigned int revocation_count, revocation_room;
	unsigned int written;
	void *data; /* a page */
};

static uint32_t features(const struct recovery *recovery)
{
	return journal_super(recovery->journal, SUPER_INCOMPAT);
}

static bool has_checksums(const struct recovery *recovery)
{
	return features(recovery) & (INCOMPAT_CHECKSUM_2 | INCOMPAT_CHECKSUM_3);
}

/* Sequences go round and round. */
static bool before(uint32_t a, uint32_t b)
{
	return (int32_t)(a - b) < 0;
}

static uint32_t next_block(const struct journal *journal, uint32_t at)
{
	return at + 1 < journal->length ? at + 1 : journal->first;
}

static long read_block(struct journal *journal, uint32_t at, void *data)
{
	uint64_t block;
	long error = journal_map(journal, at, &block);

	return error ? error : disk_read(journal->disk, block, data, 1);
}

/* ---- tags ---- */

struct tag {
	uint64_t block;
	uint32_t flags, checksum;
};

static uint32_t tag_size(uint32_t incompat)
{
	if (incompat & INCOMPAT_CHECKSUM_3)
		return TAG_3;
	return 8 + (incompat & INCOMPAT_64BIT ? 4 : 0) + (incompat & INCOMPAT_CHECKSUM_2 ? 2 : 0);
}

/* The tag at *offset of a descriptor, which moves behind it. False: there is no room for one. */
static bool read_tag(const struct recovery *recovery, const void *descriptor, uint32_t *offset,
		     struct tag *tag)
{
	uint32_t incompat = features(recovery), size = tag_size(incompat);
	uint32_t end = recovery->journal->disk->block_size - (has_checksums(recovery) ? TAIL : 0);
	const char *here = (const char *)descriptor + *offset;

	if (*offset + size > end)
		return false;
	tag->block = journal_word(here, 0);
	if (incompat & INCOMPAT_CHECKSUM_3) {
		tag->flags = journal_word(here, 4);
		tag->checksum = journal_word(here, 12);
	} else {
		tag->flags = journal_word(here, 4) & 0xffff;
		tag->checksum = journal_word(here, 4) >> 16;
	}
	if (incompat & INCOMPAT_64BIT)
		tag->block |= (uint64_t)journal_word(here, 8) << 32;
	*offset += size + (tag->flags & TAG_SAME_UUID ? 0 : UUID_SIZE);
	return true;
}

/* ---- revocations ---- */

static int by_block(const void *a, const void *b)
{
	const struct revocation *x = a, *y = b;

	if (x->block != y->block)
		return x->block < y->block ? -1 : 1;
	return x->sequence == y->sequence ? 0 : before(x->sequence, y->sequence) ? -1 : 1;
}

static long revoke(struct recovery *recovery, uint64_t block, uint32_t sequence)
{
	struct revocation *more;

	if (recovery->revocation_count == recovery->revocation_room) {
		unsigned int room = recovery->revocation_room ? 2 * recovery->revocation_room : 256;

		if (room > REVOCATIONS)
			return -ENOMEM;
		more = realloc(recovery->revocations, room * sizeof(*more));
		if (!more)
			return -ENOMEM;
		recovery->revocations = more;
		recovery->revocation_room = room;
	}
	recovery->revocations[recovery->revocation_count++] =
	    (struct revocation){.block = block, .sequence = sequence};
	return 0;
}

static long read_revocations(struct recovery *recovery, const void *block, uint32_t sequence)
{
	uint32_t size = features(recovery) & INCOMPAT_64BIT ? 8 : 4;
	uint32_t end = journal_word(block, JOURNAL_HEADER), offset = JOURNAL_HEADER + 4;
	long error = 0;

	if (end > recovery->journal->disk->block_size)
		return -EINVAL;
	for (; !error && offset + size <= end; offset += size) {
		uint64_t number = journal_word(block, offset);

		if (size == 8)
			number = number << 32 | journal_word(block, offset + 4);
		error = revoke(recovery, number, sequence);
	}
	return error;
}

/* Does this transaction or a later one revoke the block? The list is sorted: the latest of a block is its last. */
static bool is_revoked(const struct recovery *recovery, uint64_t block, uint32_t sequence)
{
	unsigned int low = 0, high = recovery->revocation_count;

	while (low < high) {
		unsigned int middle = low + (high - low) / 2;

		if (recovery->revocations[middle].block <= block)
			low = middle + 1;
		else
			high = middle;
	}
	return low && recovery->revocations[low - 1].block == block &&
	       !before(recovery->revocations[low - 1].sequence, sequence);
}

/* ---- blocks ---- */

static long check_data(struct recovery *recovery, const struct tag *tag, uint32_t sequence)
{
	uint32_t checksum = journal_data_checksum(recovery->journal, sequence, recovery->data);

	if (tag->block >= recovery->journal->disk->blocks)
		return -EINVAL;
	if (features(recovery) & INCOMPAT_CHECKSUM_3)
		return checksum == tag->checksum ? 0 : -EINVAL;
	if (features(recovery) & INCOMPAT_CHECKSUM_2)
		return (checksum & 0xffff) == tag->checksum ? 0 : -EINVAL;
	return 0;
}

static long logged_block(struct recovery *recovery, const struct tag *tag, uint32_t at,
			 uint32_t sequence)
{
	long error;

	if (is_revoked(recovery, tag->block, sequence))
		return 0;
	error = read_block(recovery->journal, at, recovery->data);
	if (error)
		return error;
	if (recovery->pass == CHECK)
		return check_data(recovery, tag, sequence);
	if (tag->flags & TAG_ESCAPED)
		journal_set_word(recovery->data, 0, JOURNAL_MAGIC);
	recovery->written++;
	return disk_write(recovery->journal->disk, tag->block, recovery->data, 1);
}

/* The blocks behind a descriptor, the first of which is *at; it moves behind them, *steps counts them. */
static long descriptor(struct recovery *recovery, uint32_t *at, uint32_t *steps, uint32_t sequence)
{
	uint32_t offset = JOURNAL_HEADER;
	struct tag tag = {.flags = 0};
	long error = 0;

	while (!error && !(tag.flags & TAG_LAST) &&
	       read_tag(recovery, recovery->journal->page, &offset, &tag)) {
		if (recovery->pass == CHECK || recovery->pass == WRITE)
			error = logged_block(recovery, &tag, *at, sequence);
		*at = next_block(recovery->journal, *at);
		++*steps;
	}
	return error;
}

/* Is the block in the journal's page right by its own checksum? */
static bool is_whole(const struct recovery *recovery, uint32_t type)
{
	struct journal *journal = recovery->journal;
	uint32_t offset =
	    type == JOURNAL_COMMIT ? COMMIT_CHECKSUM : journal->disk->block_size - TAIL;

	return !has_checksums(recovery) ||
	       journal_word(journal->page, offset) ==
		   journal_block_checksum(journal, journal->page, offset);
}

/* Along the log once. A block that does not belong to the next transaction, or is not whole, is its end. */
static long walk(struct recovery *recovery)
{
	struct journal *journal = recovery->journal;
	uint32_t at = journal_super(journal, SUPER_START);
	uint32_t sequence = journal_super(journal, SUPER_SEQUENCE);
	long error = at < journal->first || at >= journal->length ? -EINVAL : 0;

	for (uint32_t steps = 0; !error && steps <= journal->length - journal->first; steps++) {
		uint32_t type;

		if (recovery->pass != FIND_END && sequence == recovery->end)
			break;
		error = read_block(journal, at, journal->page);
		if (error)
			break;
		type = journal_word(journal->page, 4);
		if (journal_word(journal->page, 0) != JOURNAL_MAGIC ||
		    journal_word(journal->page, 8) != sequence ||
		    (type != JOURNAL_DESCRIPTOR && type != JOURNAL_COMMIT &&
		     type != JOURNAL_REVOKE) ||
		    !is_whole(recovery, type))
			break;
		at = next_block(journal, at);
		if (type == JOURNAL_DESCRIPTOR)
			error = descriptor(recovery, &at, &steps, sequence);
		else if (type == JOURNAL_COMMIT)
			sequence++;
		else if (recovery->pass == REVOKE)
			error = read_revocations(recovery, journal->page, sequence);
	}
	if (recovery->pass == FIND_END)
		recovery->end = sequence;
	return error;
}

static long finish(struct journal *journal, uint32_t end)
{
	long error = disk_flush(journal->disk);

	if (error)
		return error;
	/* One is left out: the blocks of a transaction that was not committed must not look like those of the next. */
	journal->sequence = end + 1;
	journal_set_super(journal, SUPER_START, 0);
	journal_set_super(journal, SUPER_SEQUENCE, journal->sequence);
	error = journal_write_super(journal);
	return error ? error : disk_flush(journal->disk);
}

long journal_recover(struct journal *journal, unsigned int *replayed, const char **problem)
{
	struct recovery recovery = {.journal = journal, .data = page_alloc()};
	long error = recovery.data ? 0 : -ENOMEM;

	*replayed = 0;
	*problem = "is damaged: run e2fsck on a Linux machine";
	for (recovery.pass = FIND_END; !error && recovery.pass <= WRITE; recovery.pass++) {
		error = walk(&recovery);
		if (recovery.pass == REVOKE && recovery.revocation_count)
			qsort(recovery.revocations, recovery.revocation_count,
			      sizeof(*recovery.revocations), by_block);
	}
	if (!error)
		error = finish(journal, recovery.end);
	if (error != -EINVAL)
		*problem = strerror((int)-error);
	*replayed = recovery.written;
	free(recovery.revocations);
	if (recovery.data)
		page_free(recovery.data);
	return error;
}
