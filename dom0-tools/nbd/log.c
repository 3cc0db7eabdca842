/* SPDX-License-Identifier: MIT */
/*
 * A ring of bytes and a ring of entries that divide it. Only the oldest entries are given back, so the order of writes is
 * that of the ring: of two that overlap the one made after the other's answer is the later one here, and is answered and
 * covered by a flush no earlier.
 */
#include "nbd/internal.h"

static void give_back(struct nbd *nbd)
{
	while (nbd->entries_used) {
		struct nbd_entry *entry = &nbd->entries[nbd->oldest];

		if (entry->state != NBD_ENTRY_STABLE)
			return;
		entry->state = NBD_ENTRY_FREE;
		nbd->log_start = (nbd->log_start + entry->length) % NBD_LOG_SIZE;
		nbd->log_used -= entry->length;
		nbd->oldest = (nbd->oldest + 1) % NBD_ENTRIES;
		nbd->entries_used--;
	}
}

static void copy_in(struct nbd *nbd, uint32_t place, const uint8_t *bytes, uint32_t length)
{
	uint32_t piece = NBD_LOG_SIZE - place;

	if (piece > length)
		piece = length;
	memcpy(nbd->log + place, bytes, piece);
	memcpy(nbd->log, bytes + piece, length - piece);
}

struct nbd_entry *nbd_log_add(struct nbd *nbd, const struct block_request *request)
{
	uint32_t length = (uint32_t)request->sectors * BLOCK_SECTOR, place;
	struct nbd_entry *entry;

	if (nbd->entries_used == NBD_ENTRIES || length > NBD_LOG_SIZE - nbd->log_used)
		return NULL;
	entry = &nbd->entries[(nbd->oldest + nbd->entries_used++) % NBD_ENTRIES];
	place = (nbd->log_start + nbd->log_used) % NBD_LOG_SIZE;
	*entry = (struct nbd_entry){
	    .sector = request->sector, .length = length, .place = place, .state = NBD_ENTRY_SENT};
	nbd->log_used += length;
	for (unsigned int i = 0; i < request->count; i++) {
		copy_in(nbd, place, request->segments[i].data, request->segments[i].length);
		place = (place + request->segments[i].length) % NBD_LOG_SIZE;
	}
	return entry;
}

uint32_t nbd_log_bytes(const struct nbd *nbd, const struct nbd_entry *entry, uint32_t at,
		       const uint8_t **bytes)
{
	uint32_t place = (entry->place + at) % NBD_LOG_SIZE;
	uint32_t left = entry->length - at, piece = NBD_LOG_SIZE - place;

	*bytes = nbd->log + place;
	return left < piece ? left : piece;
}

void nbd_log_answered(struct nbd *nbd, struct nbd_entry *entry)
{
	entry->answered = ++nbd->answers;
	entry->state = NBD_ENTRY_ANSWERED;
}

void nbd_log_drop(struct nbd *nbd, struct nbd_entry *entry)
{
	entry->state = NBD_ENTRY_STABLE;
	give_back(nbd);
}

void nbd_log_flushed(struct nbd *nbd, uint64_t covers)
{
	for (unsigned int i = 0; i < nbd->entries_used; i++) {
		struct nbd_entry *entry = &nbd->entries[(nbd->oldest + i) % NBD_ENTRIES];

		if (entry->state == NBD_ENTRY_ANSWERED && entry->answered <= covers)
			entry->state = NBD_ENTRY_STABLE;
	}
	give_back(nbd);
}

struct nbd_entry *nbd_log_oldest_answered(struct nbd *nbd, uint64_t then)
{
	for (unsigned int i = 0; i < nbd->entries_used; i++) {
		struct nbd_entry *entry = &nbd->entries[(nbd->oldest + i) % NBD_ENTRIES];

		if (entry->state == NBD_ENTRY_ANSWERED && entry->answered <= then)
			return entry;
	}
	return NULL;
}
