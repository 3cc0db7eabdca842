/* SPDX-License-Identifier: MIT */
/* Requests and replies (doc/proto.md, "Transmission phase"). */
#include "nbd/internal.h"
#include <guest/event.h>
#include <public/errno.h>

#define MAGIC_REQUEST 0x25609513
#define MAGIC_REPLY   0x67446698
#define REQUEST_BYTES 28
#define REPLY_BYTES   16

#define MAX_SECTOR    4096 /* bytes */

/* A request that so many connections have not survived is taken for the reason. */
#define REPEAT_MAX 8

static const char broken[] = "the server breaks the protocol's rules";

/*
 * Slots
 */

static struct nbd_slot *take_slot(struct nbd *nbd, struct block_request *request, uint16_t type)
{
	for (unsigned int i = 0; i < NBD_SLOTS; i++) {
		struct nbd_slot *slot = &nbd->slots[i];

		if (slot->used)
			continue;
		*slot = (struct nbd_slot){.used = true,
					  .request = request,
					  .type = type,
					  .generation = slot->generation + 1};
		if (request) {
			slot->sector = request->sector;
			slot->length = (uint32_t)(request->sectors * BLOCK_SECTOR);
		}
		return slot;
	}
	return NULL;
}

static void put_to_send(struct nbd *nbd, struct nbd_slot *slot)
{
	slot->next = NULL;
	slot->sent = false;
	slot->sent_at = nbd->now;
	*(nbd->to_send ? nbd->to_send_end : &nbd->to_send) = slot;
	nbd->to_send_end = &slot->next;
}

/* Without an answer, and without more tries. */
static void give_up_slot(struct nbd *nbd, struct nbd_slot *slot)
{
	slot->used = false;
	if (slot->entry)
		nbd_log_drop(nbd, slot->entry);
	if (slot->request) {
		nbd->counters.failed++;
		block_done(slot->request, -XEN_EIO);
	} else {
		nbd->flushing = false;
	}
}

/*
 * A connection begins
 */

static const char *check_export(const struct nbd *nbd)
{
	if (nbd->minimum < 1 || nbd->minimum > MAX_SECTOR || (nbd->minimum & (nbd->minimum - 1)))
		return "the server wants blocks of a size that disks do not have";
	if (nbd->size < BLOCK_SECTOR)
		return "the export is empty";
	if (!nbd->known)
		return NULL;
	if (nbd->size / BLOCK_SECTOR < nbd->device.sectors)
		return "the export has become smaller";
	if (nbd->minimum > nbd->device.logical_size)
		return "the export's blocks have become larger";
	if (nbd->server_flags & NBD_FLAG_READ_ONLY && !(nbd->device.flags & BLOCK_READ_ONLY))
		return "the export has become read-only";
	return NULL;
}

static void describe(struct nbd *nbd)
{
	struct block_device *device = &nbd->device;
	uint32_t sector = nbd->minimum < BLOCK_SECTOR ? BLOCK_SECTOR : nbd->minimum;
	uint64_t sectors = nbd->size / sector * (sector / BLOCK_SECTOR);

	if (nbd->known) {
		if (sectors > device->sectors)
			block_changed(device, sectors);
		return;
	}
	device->logical_size = sector;
	device->physical_size = MAX_SECTOR;
	device->sectors = sectors;
	device->max_segments = NBD_MAX_SEGMENTS;
	if (nbd->read_only || nbd->server_flags & NBD_FLAG_READ_ONLY)
		device->flags |= BLOCK_READ_ONLY;
	if (nbd->server_flags & NBD_FLAG_SEND_TRIM) {
		device->discard_granularity = sector;
		device->max_discard = 1u << 22;
	}
	nbd->known = true;
}

/* Everything that had no answer is asked again. */
static void begin(struct nbd *nbd)
{
	nbd->state = NBD_READY;
	nbd->failing = false;
	nbd->to_send = NULL;
	for (unsigned int i = 0; i < NBD_SLOTS; i++) {
		struct nbd_slot *slot = &nbd->slots[i];

		if (!slot->used)
			continue;
		if (slot->lost > REPEAT_MAX) {
			give_up_slot(nbd, slot);
			continue;
		}
		nbd->counters.repeated++;
		put_to_send(nbd, slot);
	}
}

/*
 * What was answered and may be lost is written again, one after the other because they may overlap, and before anything
 * that was asked later.
 */
static void write_again(struct nbd *nbd)
{
	struct nbd_slot *slot = &nbd->slots[NBD_SLOTS];
	struct nbd_entry *entry = nbd_log_oldest_answered(nbd, nbd->lost_answers);

	if (!entry) {
		slot->used = false;
		begin(nbd);
		return;
	}
	*slot = (struct nbd_slot){.used = true,
				  .entry = entry,
				  .sector = entry->sector,
				  .length = entry->length,
				  .type = NBD_CMD_WRITE,
				  .generation = slot->generation + 1};
	nbd->counters.repeated++;
	put_to_send(nbd, slot);
}

void nbd_transfer(struct nbd *nbd)
{
	const char *problem = check_export(nbd);

	if (problem) {
		nbd_give_up(nbd, problem, true);
		return;
	}
	describe(nbd);
	nbd->problem = NULL;
	nbd->refused = false;
	nbd->counters.connections++;
	nbd_expect(nbd, REPLY_BYTES);
	nbd->state = NBD_REPLAYING;
	nbd->to_send = NULL;
	nbd->lost_answers = nbd->answers;
	write_again(nbd);
}

/*
 * Requests begin and end
 */

static void flush_log(struct nbd *nbd)
{
	struct nbd_slot *slot;

	if (nbd->flushing || !nbd_log_oldest_answered(nbd, UINT64_MAX))
		return;
	slot = take_slot(nbd, NULL, NBD_CMD_FLUSH);
	if (!slot)
		return;
	nbd->flushing = true;
	nbd->counters.own_flushes++;
	put_to_send(nbd, slot);
}

static bool start_flush(struct nbd *nbd, struct block_request *request)
{
	struct nbd_slot *slot;

	/* Without that command what is answered is stable. */
	if (!(nbd->server_flags & NBD_FLAG_SEND_FLUSH)) {
		block_done(request, nbd->owed ? -XEN_EIO : 0);
		nbd->owed = false;
		return true;
	}
	slot = take_slot(nbd, request, NBD_CMD_FLUSH);
	if (slot)
		put_to_send(nbd, slot);
	return slot;
}

static bool start_write(struct nbd *nbd, struct block_request *request)
{
	struct nbd_slot *slot = take_slot(nbd, request, NBD_CMD_WRITE);

	if (!slot)
		return false;
	slot->entry = nbd_log_add(nbd, request);
	if (!slot->entry) {
		slot->used = false;
		flush_log(nbd);
		return false;
	}
	if (nbd->log_used > NBD_LOG_SIZE / 2)
		flush_log(nbd);
	put_to_send(nbd, slot);
	return true;
}

/* False: there is no room yet. */
static bool start(struct nbd *nbd, struct block_request *request)
{
	struct nbd_slot *slot;

	switch (request->operation) {
	case BLOCK_FLUSH:
		return start_flush(nbd, request);
	case BLOCK_WRITE:
		return start_write(nbd, request);
	case BLOCK_READ:
		slot = take_slot(nbd, request, NBD_CMD_READ);
		break;
	default:
		slot = take_slot(nbd, request, NBD_CMD_TRIM);
	}
	if (slot)
		put_to_send(nbd, slot);
	return slot;
}

/* An answer to a write. */
static void written(struct nbd *nbd, struct nbd_entry *entry, int status)
{
	if (status || !(nbd->server_flags & NBD_FLAG_SEND_FLUSH))
		nbd_log_drop(nbd, entry);
	else
		nbd_log_answered(nbd, entry);
}

static void finish(struct nbd *nbd, struct nbd_slot *slot, int status)
{
	struct block_request *request = slot->request;

	slot->used = false;
	if (slot == &nbd->slots[NBD_SLOTS]) {
		nbd->owed |= status != 0;
		written(nbd, slot->entry, status);
		write_again(nbd);
		return;
	}
	if (slot->entry)
		written(nbd, slot->entry, status);
	if (slot->type == NBD_CMD_FLUSH) {
		/* What a flush that failed should have made stable is not asked for again: its user is told. */
		nbd_log_flushed(nbd, slot->covers);
		if (!request) {
			nbd->flushing = false;
			nbd->owed |= status != 0;
			return;
		}
		if (nbd->owed)
			status = -XEN_EIO;
		nbd->owed = false;
	}
	block_done(request, status);
}

/* The errors that servers tell, which are Linux's numbers. */
static int status_of(uint32_t error)
{
	switch (error) {
	case 0:
		return 0;
	case 1:
		return -XEN_EROFS;
	case 22:
		return -XEN_EINVAL;
	case 28:
		return -XEN_ENOSPC;
	}
	return -XEN_EIO;
}

void nbd_transfer_head(struct nbd *nbd)
{
	uint64_t handle = get64(nbd->in + 8);
	uint32_t index = (uint32_t)handle, error = get32(nbd->in + 4);
	struct nbd_slot *slot;

	nbd_expect(nbd, REPLY_BYTES);
	if (get32(nbd->in) != MAGIC_REPLY || index > NBD_SLOTS) {
		nbd_give_up(nbd, broken, false);
		return;
	}
	slot = &nbd->slots[index];
	if (!slot->used || !slot->sent || slot->generation != handle >> 32) {
		nbd_give_up(nbd, broken, false);
		return;
	}
	if (slot->type == NBD_CMD_READ && !error) {
		nbd->reading = slot;
		nbd->reading_segment = nbd->reading_at = 0;
	} else {
		finish(nbd, slot, status_of(error));
	}
}

size_t nbd_transfer_data(struct nbd *nbd, const uint8_t *bytes, size_t length)
{
	struct nbd_slot *slot = nbd->reading;
	size_t taken = 0;

	while (taken < length && nbd->reading_segment < slot->request->count) {
		const struct block_segment *segment =
		    &slot->request->segments[nbd->reading_segment];
		size_t piece = segment->length - nbd->reading_at;

		if (piece > length - taken)
			piece = length - taken;
		memcpy((uint8_t *)segment->data + nbd->reading_at, bytes + taken, piece);
		taken += piece;
		nbd->reading_at += (uint32_t)piece;
		if (nbd->reading_at == segment->length) {
			nbd->reading_segment++;
			nbd->reading_at = 0;
		}
	}
	if (nbd->reading_segment == slot->request->count) {
		nbd->reading = NULL;
		finish(nbd, slot, 0);
	}
	return taken;
}

/*
 * Sending
 */

/* False: there was not room for all. */
static bool send_out(struct nbd *nbd)
{
	if (nbd->out_sent < nbd->out_length)
		nbd->out_sent += (uint32_t)nbd->transport->send(
		    nbd, nbd->out + nbd->out_sent, nbd->out_length - nbd->out_sent, false);
	if (nbd->out_sent < nbd->out_length)
		return false;
	nbd->out_sent = nbd->out_length = 0;
	return true;
}

static bool send_data(struct nbd *nbd, const struct nbd_slot *slot)
{
	while (nbd->sending_at < slot->length) {
		const uint8_t *bytes;
		uint32_t piece = nbd_log_bytes(nbd, slot->entry, nbd->sending_at, &bytes);
		size_t sent = nbd->transport->send(nbd, bytes, piece, true);

		nbd->sending_at += (uint32_t)sent;
		if (sent < piece)
			return false;
	}
	return true;
}

static void send_head(struct nbd *nbd, struct nbd_slot *slot)
{
	uint64_t handle = (uint64_t)slot->generation << 32 | (uint64_t)(slot - nbd->slots);

	if (slot->type == NBD_CMD_FLUSH)
		slot->covers = nbd->answers;
	put32(nbd->out, MAGIC_REQUEST);
	put16(nbd->out + 4, 0);
	put16(nbd->out + 6, slot->type);
	put64(nbd->out + 8, handle);
	put64(nbd->out + 16, slot->sector * BLOCK_SECTOR);
	put32(nbd->out + 24, slot->length);
	nbd->out_length = REQUEST_BYTES;
	nbd->out_sent = 0;
}

static void send_slots(struct nbd *nbd)
{
	while (nbd->sending || nbd->to_send) {
		struct nbd_slot *slot = nbd->sending;

		if (!slot) {
			slot = nbd->sending = nbd->to_send;
			nbd->to_send = slot->next;
			nbd->sending_at = 0;
			send_head(nbd, slot);
		}
		if (!send_out(nbd))
			return;
		if (slot->type == NBD_CMD_WRITE && !send_data(nbd, slot))
			return;
		slot->sent = true;
		nbd->sending = NULL;
	}
}

void nbd_transfer_run(struct nbd *nbd)
{
	while (nbd->state == NBD_READY && nbd->waiting.first) {
		struct block_request *request = nbd->waiting.first, *next = request->next;

		if (!start(nbd, request))
			break;
		/* Its own place in the list was the device's until start. */
		nbd->waiting.first = next;
	}
	if (!nbd->sending && !send_out(nbd))
		return;
	if (nbd->state >= NBD_REPLAYING)
		send_slots(nbd);
}

/*
 * The end
 */

void nbd_transfer_stop(struct nbd *nbd)
{
	nbd->sending = nbd->to_send = nbd->reading = NULL;
	nbd->out_length = nbd->out_sent = 0;
	nbd->slots[NBD_SLOTS].used = false;
	for (unsigned int i = 0; i < NBD_SLOTS; i++) {
		nbd->slots[i].lost += nbd->slots[i].sent;
		nbd->slots[i].sent = false;
	}
}

/* The log stays: when there is a server again the next flush can keep its word. */
void nbd_transfer_fail(struct nbd *nbd)
{
	struct block_request *request;

	for (unsigned int i = 0; i < NBD_SLOTS; i++) {
		if (nbd->slots[i].used)
			give_up_slot(nbd, &nbd->slots[i]);
	}
	while ((request = block_queue_take(&nbd->waiting))) {
		nbd->counters.failed++;
		block_done(request, -XEN_EIO);
	}
}

bool nbd_transfer_is_stuck(const struct nbd *nbd, uint64_t now)
{
	for (unsigned int i = 0; i <= NBD_SLOTS; i++)
		if (nbd->slots[i].used &&
		    now > nbd->slots[i].sent_at + NBD_REPLY_SECONDS * 1000000000ull)
			return true;
	return false;
}
