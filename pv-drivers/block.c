/* SPDX-License-Identifier: MIT */
#include <pv-drivers/block.h>
#include <guest/event.h>
#include <guest/memory.h>
#include <guest/string.h>
#include <guest/thread.h>
#include <public/errno.h>

/*
 * Requests
 */

static bool aligned(const struct block_device *device, uint64_t sectors)
{
	return sectors % (device->logical_size / BLOCK_SECTOR) == 0;
}

static long check_range(const struct block_device *device, const struct block_request *request)
{
	if (!request->sectors || request->sectors > device->sectors ||
	    request->sector > device->sectors - request->sectors)
		return -XEN_EINVAL;
	if (!aligned(device, request->sector) || !aligned(device, request->sectors))
		return -XEN_EINVAL;
	return 0;
}

static long check_transfer(const struct block_device *device, const struct block_request *request)
{
	uint64_t bytes = 0;

	if (!request->count || request->count > device->max_segments)
		return -XEN_EINVAL;
	for (unsigned int i = 0; i < request->count; i++)
		bytes += request->segments[i].length;
	if (bytes != request->sectors * BLOCK_SECTOR)
		return -XEN_EINVAL;
	return check_range(device, request);
}

static long check(const struct block_device *device, const struct block_request *request)
{
	if (device->gone)
		return -XEN_EIO;
	switch (request->operation) {
	case BLOCK_READ:
		return check_transfer(device, request);
	case BLOCK_WRITE:
		if (device->flags & BLOCK_READ_ONLY)
			return -XEN_EROFS;
		if (request->fua && !(device->flags & BLOCK_FUA))
			return -XEN_EOPNOTSUPP;
		return check_transfer(device, request);
	case BLOCK_FLUSH:
		return 0;
	case BLOCK_DISCARD:
		if (device->flags & BLOCK_READ_ONLY)
			return -XEN_EROFS;
		if (!device->discard_granularity)
			return -XEN_EOPNOTSUPP;
		if (device->max_discard && request->sectors > device->max_discard)
			return -XEN_EINVAL;
		return check_range(device, request);
	}
	return -XEN_EINVAL;
}

void block_queue(struct block_device *device, struct block_request *request)
{
	bool masked = events_save();
	long error = check(device, request);

	if (error)
		block_done(request, (int)error);
	else
		device->operations->submit(device, request);
	events_restore(masked);
}

void block_kick(struct block_device *device)
{
	bool masked = events_save();

	if (device->operations->kick)
		device->operations->kick(device);
	events_restore(masked);
}

void block_submit(struct block_device *device, struct block_request *request)
{
	bool masked = events_save();

	block_queue(device, request);
	block_kick(device);
	events_restore(masked);
}

void block_done(struct block_request *request, int status)
{
	bool masked = events_save();
	struct block_passed *passed = request->passed;

	request->passed = NULL;
	if (passed && --passed->count == 0)
		wake_all(&passed->none);
	request->done(request, status);
	events_restore(masked);
}

void block_pass(struct block_passed *passed, struct block_device *to, struct block_request *request)
{
	request->passed = passed;
	passed->count++;
	block_queue(to, request);
}

void block_wait_passed(struct block_passed *passed)
{
	bool masked = events_save();

	while (passed->count)
		wait_on(&passed->none, 0);
	events_restore(masked);
}

void block_queue_put(struct block_request_queue *queue, struct block_request *request)
{
	request->next = NULL;
	*(queue->first ? queue->end : &queue->first) = request;
	queue->end = &request->next;
}

struct block_request *block_queue_take(struct block_request_queue *queue)
{
	struct block_request *request = queue->first;

	if (request)
		queue->first = request->next;
	return request;
}

/*
 * Batches
 */

static unsigned int batches; /* that have begun and not ended */
static struct block_deferred *deferred_first, **deferred_end = &deferred_first;

void block_batch_begin(void)
{
	batches++;
}

/* What is run may defer more, which is run too. */
void block_batch_end(void)
{
	while (batches == 1 && deferred_first) {
		struct block_deferred *deferred = deferred_first;

		deferred_first = deferred->next;
		if (!deferred_first)
			deferred_end = &deferred_first;
		deferred->queued = false;
		deferred->run(deferred);
	}
	batches--;
}

void block_defer(struct block_deferred *deferred)
{
	if (deferred->queued)
		return;
	deferred->queued = true;
	deferred->next = NULL;
	*deferred_end = deferred;
	deferred_end = &deferred->next;
	if (!batches) {
		block_batch_begin();
		block_batch_end();
	}
}

/*
 * Users
 */

static long check_access(const struct block_device *device, enum block_access access)
{
	if (device->gone)
		return -XEN_EIO;
	if (access != BLOCK_OPEN_READ && (device->flags & BLOCK_READ_ONLY))
		return -XEN_EROFS;
	switch (access) {
	case BLOCK_OPEN_READ:
		return device->writers ? -XEN_EBUSY : 0;
	case BLOCK_OPEN_WRITE:
		return block_used(device) ? -XEN_EBUSY : 0;
	case BLOCK_OPEN_SHARED:
		return device->writers ? -XEN_EBUSY : 0;
	}
	return -XEN_EINVAL;
}

static unsigned int *users(struct block_device *device, enum block_access access)
{
	return access == BLOCK_OPEN_READ    ? &device->readers
	       : access == BLOCK_OPEN_WRITE ? &device->writers
					    : &device->sharers;
}

/*
 * `open` and `close` may wait: who opens or closes meanwhile waits here. They may open and close other devices, which
 * theirs are made of.
 */
static struct mutex opening;

static bool opening_lock(void)
{
	bool mine = mutex_is_mine(&opening);

	if (!mine)
		mutex_lock(&opening);
	return mine;
}

static void opening_unlock(bool was_mine)
{
	if (!was_mine)
		mutex_unlock(&opening);
}

long block_open(struct block_device *device, enum block_access access)
{
	bool mine = opening_lock();
	long error = check_access(device, access);

	if (!error && !block_used(device) && device->operations->open)
		error = device->operations->open(device);
	if (!error)
		++*users(device, access);
	opening_unlock(mine);
	return error;
}

void block_close(struct block_device *device, enum block_access access)
{
	bool mine = opening_lock();

	--*users(device, access);
	if (!block_used(device) && device->operations->close)
		device->operations->close(device);
	opening_unlock(mine);
}

void block_listen(struct block_device *device, struct block_listener *listener)
{
	bool masked = events_save();

	listener->next = device->listeners;
	device->listeners = listener;
	events_restore(masked);
}

void block_unlisten(struct block_device *device, struct block_listener *listener)
{
	bool masked = events_save();

	for (struct block_listener **l = &device->listeners; *l; l = &(*l)->next) {
		if (*l == listener) {
			*l = listener->next;
			break;
		}
	}
	events_restore(masked);
}

/* A listener may take itself away while it is called. Events are masked. */
static void tell(struct block_device *device)
{
	struct block_listener *next;

	for (struct block_listener *l = device->listeners; l; l = next) {
		next = l->next;
		l->changed(l, device);
	}
}

void block_changed(struct block_device *device, uint64_t sectors)
{
	bool masked = events_save();

	device->sectors = sectors;
	tell(device);
	events_restore(masked);
}

void block_gone(struct block_device *device)
{
	bool masked = events_save();

	device->gone = true;
	tell(device);
	events_restore(masked);
}

/*
 * Synchronous helpers
 */

struct wait {
	struct wait_queue queue;
	bool done;
	int status;
};

static void wake(struct block_request *request, int status)
{
	struct wait *wait = request->owner;

	wait->status = status;
	wait->done = true;
	wake_all(&wait->queue);
}

static long submit_and_wait(struct block_device *device, struct block_request *request)
{
	struct wait wait = {.done = false};
	bool masked;

	request->done = wake;
	/* It is done with the request before we return. */
	/* cppcheck-suppress autoVariables */
	request->owner = &wait;
	masked = events_save();
	block_submit(device, request);
	while (!wait.done)
		wait_on(&wait.queue, 0);
	events_restore(masked);
	return wait.status;
}

/* A request's worth of the memory at data. */
#define HELPER_SEGMENTS 32

/* Fill in segments for at most `bytes` at data; returns how many bytes they hold. */
static uint64_t make_segments(struct block_request *request, struct block_segment *segments,
			      unsigned int max, char *data, uint64_t bytes)
{
	uint64_t filled = 0;

	request->count = 0;
	while (filled < bytes && request->count < max) {
		struct block_segment *s = &segments[request->count++];
		unsigned long in_page = (unsigned long)data % PAGE_SIZE;
		uint64_t left = bytes - filled;

		s->data = data;
		s->machine =
		    ((uint64_t)pte_mfn(page_lookup((unsigned long)data)) << PAGE_SHIFT) + in_page;
		s->length = (uint32_t)(left < PAGE_SIZE - in_page ? left : PAGE_SIZE - in_page);
		filled += s->length;
		data += s->length;
	}
	return filled;
}

/* data is aligned to the device's sectors. */
static long transfer(struct block_device *device, enum block_operation operation, uint64_t sector,
		     char *data, uint64_t sectors)
{
	struct block_segment segments[HELPER_SEGMENTS];
	unsigned int max =
	    device->max_segments < HELPER_SEGMENTS ? device->max_segments : HELPER_SEGMENTS;
	long error = 0;

	while (sectors && !error) {
		struct block_request request = {
		    .operation = operation, .sector = sector, .segments = segments};
		uint64_t bytes =
		    make_segments(&request, segments, max, data, sectors * BLOCK_SECTOR);

		request.sectors = bytes / BLOCK_SECTOR;
		/* The device may change the request. */
		sector += request.sectors;
		sectors -= request.sectors;
		data += bytes;
		error = submit_and_wait(device, &request);
	}
	return error;
}

static long transfer_copied(struct block_device *device, enum block_operation operation,
			    uint64_t sector, char *data, uint64_t sectors)
{
	char *page = page_alloc();
	long error = 0;

	if (!page)
		return -XEN_ENOMEM;
	while (sectors && !error) {
		uint64_t n =
		    sectors < PAGE_SIZE / BLOCK_SECTOR ? sectors : PAGE_SIZE / BLOCK_SECTOR;

		if (operation == BLOCK_WRITE)
			memcpy(page, data, n * BLOCK_SECTOR);
		error = transfer(device, operation, sector, page, n);
		if (operation == BLOCK_READ && !error)
			memcpy(data, page, n * BLOCK_SECTOR);
		sector += n;
		sectors -= n;
		data += n * BLOCK_SECTOR;
	}
	page_free(page);
	return error;
}

static long transfer_any(struct block_device *device, enum block_operation operation,
			 uint64_t sector, char *data, uint64_t sectors)
{
	if (sectors > device->sectors)
		return -XEN_EINVAL;
	if ((unsigned long)data % device->logical_size)
		return transfer_copied(device, operation, sector, data, sectors);
	return transfer(device, operation, sector, data, sectors);
}

long block_read(struct block_device *device, uint64_t sector, void *data, uint64_t sectors)
{
	return transfer_any(device, BLOCK_READ, sector, data, sectors);
}

/* The device only reads from it. */
long block_write(struct block_device *device, uint64_t sector, const void *data, uint64_t sectors)
{
	return transfer_any(device, BLOCK_WRITE, sector, (char *)(uintptr_t)data, sectors);
}

long block_flush(struct block_device *device)
{
	struct block_request request = {.operation = BLOCK_FLUSH};

	return submit_and_wait(device, &request);
}

long block_discard(struct block_device *device, uint64_t sector, uint64_t sectors)
{
	long error = 0;

	while (sectors && !error) {
		uint64_t n = device->max_discard && sectors > device->max_discard
				 ? device->max_discard
				 : sectors;
		struct block_request request = {
		    .operation = BLOCK_DISCARD, .sector = sector, .sectors = n};

		sector += n;
		sectors -= n;
		error = submit_and_wait(device, &request);
	}
	return error;
}
