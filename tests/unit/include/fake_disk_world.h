/* SPDX-License-Identifier: MIT */
/*
 * What surrounds a driver of disks, for tests on the host: time, PCI (fake_pci.h), the registry; requests
 * with memory of their own, made at random and compared with a second copy of the disk. The device itself is the test's:
 * registers, and what it does when it is given a turn (device_step).
 */
#ifndef FAKE_DISK_WORLD_H
#define FAKE_DISK_WORLD_H

#include "unit.h"
#include "block/registry.h"
#include "fake_pci.h"
#include <guest/clock.h>
#include <guest/thread.h>
#include <public/errno.h>

/* How often something goes wrong, if not so many times. */
#define ALWAYS ~0u

static struct pci_device pci = {.address = "00:04.0", .bars[5].size = 0x2000};
static uint64_t now = 1000;
static struct block_device *registered[64];
static unsigned int registered_count;
static struct disk registered_facts;

/* The device's turn: false if there was nothing to do. It calls interrupt() when it likes. */
static bool device_step(void);

static void interrupt(void)
{
	if (interrupt_handler)
		interrupt_handler(interrupt_data);
}

bool (*host_wait)(void) = device_step;

uint64_t clock_now(void)
{
	return now;
}

void thread_sleep(uint64_t nanoseconds)
{
	device_step();
	now += nanoseconds;
}

/* Memory that the device may use: what dma_alloc gave, and the pages of requests under way. One that is to be stopped uses none. */
static void *dma_memory(uint64_t address)
{
	assert_true(bus_master);
	return (void *)(uintptr_t)address;
}

volatile void *pci_map(struct pci_device *device, unsigned int bar, uint64_t offset,
		       uint64_t length, long *error)
{
	static char registers;

	(void)device;
	(void)bar;
	(void)offset;
	(void)length;
	(void)error;
	return &registers;
}

void pci_unmap(volatile void *registers, uint64_t length)
{
	(void)registers;
	(void)length;
}

struct disk *disk_register(struct block_device *device, const struct disk *facts)
{
	static struct disk disk;

	assert_true(registered_count < 64);
	snprintf(device->name, sizeof(device->name), "disk%u", registered_count);
	registered[registered_count++] = device;
	registered_facts = *facts;
	return &disk;
}

/*
 * Requests
 */

#define TEST_SEGMENTS 24

struct test_request {
	struct block_request request;
	struct block_segment segments[TEST_SEGMENTS];
	void *pages[TEST_SEGMENTS];
	bool under_way;
	unsigned int ended; /* how often */
	int status;
};

static unsigned int requests_under_way;

static void request_done(struct block_request *request, int status)
{
	struct test_request *r = request->owner;

	assert_true(r->under_way);
	r->under_way = false;
	r->ended++;
	r->status = status;
	requests_under_way--;
}

static void request_free(struct test_request *r)
{
	for (unsigned int i = 0; i < TEST_SEGMENTS; i++)
		free(r->pages[i]);
	memset(r, 0, sizeof(*r));
}

/* One more segment, within a page of its own, or next to the one before in the same page. */
static uint32_t add_segment(struct test_request *r, uint32_t unit)
{
	unsigned int i = r->request.count++;
	struct block_segment *s = &r->segments[i];
	uint32_t units = 4096 / unit, at = random_below(3) ? 0 : random_below(units);
	uint32_t length = random_below(3) ? units - at : 1 + random_below(units - at);

	r->pages[i] = aligned_alloc(4096, 4096);
	s->data = (char *)r->pages[i] + at * unit;
	s->machine = (uint64_t)(uintptr_t)s->data;
	s->length = length * unit;
	return s->length;
}

static void request_segments(struct test_request *r, uint32_t unit)
{
	unsigned int count = 1 + random_below(TEST_SEGMENTS);
	uint64_t bytes = 0;

	while (r->request.count < count)
		bytes += add_segment(r, unit);
	r->request.segments = r->segments;
	r->request.sectors = bytes / BLOCK_SECTOR;
}

static void request_submit(struct block_device *device, struct test_request *r)
{
	r->request.owner = r;
	r->request.done = request_done;
	r->under_way = true;
	requests_under_way++;
	block_queue(device, &r->request);
}

/* All bytes of a request's segments, to or from a copy of that part of the disk. */
static void request_copy(struct test_request *r, uint8_t *copy, bool to_copy)
{
	for (unsigned int i = 0; i < r->request.count; i++) {
		struct block_segment *s = &r->segments[i];

		if (to_copy)
			memcpy(copy, s->data, s->length);
		else
			memcpy(s->data, copy, s->length);
		copy += s->length;
	}
}

static void request_fill(struct test_request *r)
{
	for (unsigned int i = 0; i < r->request.count; i++) {
		uint8_t *bytes = r->segments[i].data;

		for (unsigned int j = 0; j < r->segments[i].length; j++)
			bytes[j] = (uint8_t)random_below(256);
	}
}

static void request_compare(struct test_request *r, const uint8_t *copy)
{
	for (unsigned int i = 0; i < r->request.count; i++) {
		assert_memory_equal(r->segments[i].data, copy, r->segments[i].length);
		copy += r->segments[i].length;
	}
}

/*
 * A test's requests, and its copy of what the disk must hold
 */

#define REQUESTS 100

static struct test_request requests[REQUESTS];

static struct block_device *disk(void)
{
	assert_true(registered_count >= 1);
	return registered[0];
}

/* What the driver's thread does: returns when it next has to look, 0: not at all. And: has it been told to look at once? */
static uint64_t driver_watch(void);
static bool driver_has_attention(void);

/* Everything that goes on, until nothing does, or for so many seconds. */
static void settle(unsigned int seconds)
{
	uint64_t until = now + seconds * NSEC_PER_SEC;

	do {
		uint64_t next;

		while (device_step())
			;
		next = driver_watch();
		if (requests_under_way)
			assert_true(next || driver_has_attention()); /* somebody looks after them */
		while (device_step())
			;
		now += NSEC_PER_SEC;
	} while (now < until && requests_under_way);
}

static struct test_request *submit_at(unsigned int index, enum block_operation operation,
				      uint64_t sector)
{
	struct test_request *r = &requests[index];

	request_free(r);
	r->request.operation = operation;
	r->request.sector = sector;
	request_segments(r, disk()->logical_size);
	if (operation == BLOCK_WRITE)
		request_fill(r);
	request_submit(disk(), r);
	return r;
}

static void submit_some(void)
{
	for (unsigned int i = 0; i < REQUESTS; i++)
		submit_at(i, i % 2 ? BLOCK_READ : BLOCK_WRITE, i * 17);
	block_kick(disk());
}

static void check_all_ended(int status)
{
	for (unsigned int i = 0; i < REQUESTS; i++) {
		assert_int_equal(requests[i].ended, 1);
		assert_int_equal(requests[i].status, status);
	}
}

#endif
