/* SPDX-License-Identifier: MIT */
// sources: dom0-tools/pci/virtio_queue.c dom0-tools/drivers/options.c pv-drivers/block.c
// flags: -Itests/unit/include/fake-guest -Iguest/include
/*
 * The driver of virtio disks against a device of the test's, which answers, fails, stays silent or lies. The queue is the real
 * one; the transport is the test's.
 */
#include "unit.h"
#include "drivers/virtio_blk.c"

#define REQUESTS 300
#define SECTORS	 1000
#define QUEUE	 256

static uint64_t now;
static uint64_t offered;
static uint64_t capacity_now;
static struct virtio_device *transport;
static struct virtio_queue *ring;
static struct disk registered;
static bool answers; /* does the device do anything? */
static bool resets_fail;
static unsigned int stops, restarts;
static uint8_t answer_status;
static uint32_t answer_short; /* bytes less than all */
static unsigned int answered;
static struct pci_device pci;
static uint16_t taken; /* how much of the available ring the device has seen */
static uint16_t notify_register;

uint64_t clock_now(void)
{
	return now;
}

void printk(const char *format, ...)
{
	(void)format;
}

/* ---- the transport ---- */

void *dma_alloc(const struct pci_device *device, size_t bytes, dma_address_t *address)
{
	void *memory = calloc(1, bytes);

	*address = (dma_address_t)memory;
	return memory;
}

void dma_free(const struct pci_device *device, void *memory, size_t bytes)
{
	free(memory);
}

long virtio_open(struct virtio_device *device, struct pci_device *of)
{
	transport = device;
	device->pci = of;
	of->private = device;
	return 0;
}

long virtio_negotiate(struct virtio_device *device, uint64_t wanted)
{
	device->features = offered & wanted;
	return 0;
}

long virtio_interrupts(struct virtio_device *device, unsigned int queues,
		       virtio_config_handler *config_changed)
{
	device->config_changed = config_changed;
	return 0;
}

long virtio_queue_open(struct virtio_device *device, struct virtio_queue *queue, uint16_t index,
		       uint16_t most, uint16_t indirect, virtio_queue_handler *handler)
{
	ring = queue;
	queue->device = device;
	queue->handler = handler;
	queue->size = QUEUE;
	queue->chains = calloc(QUEUE, sizeof(*queue->chains));
	queue->free_next = calloc(QUEUE, sizeof(*queue->free_next));
	queue->notify = &notify_register;
	virtio_rings_init(queue, calloc(1, virtio_rings_bytes(QUEUE)), 0);
	taken = 0;
	return 0;
}

void virtio_start(struct virtio_device *device)
{
	virtio_queue_kick(ring);
}

void virtio_stop(struct virtio_device *device)
{
	stops++;
	ring->broken = true;
}

long virtio_restart(struct virtio_device *device)
{
	restarts++;
	if (resets_fail)
		return -ETIMEDOUT;
	virtio_rings_reset(ring);
	taken = 0;
	return 0;
}

void virtio_close(struct virtio_device *device)
{
	free(ring->descriptors);
	free(ring->chains);
	free(ring->free_next);
}

bool virtio_needs_reset(const struct virtio_device *device)
{
	return false;
}

uint8_t virtio_config8(const struct virtio_device *device, uint32_t offset)
{
	return 3; /* physical blocks of 8 logical ones */
}

uint32_t virtio_config32(const struct virtio_device *device, uint32_t offset)
{
	switch (offset) {
	case CONFIG_SEG_MAX:
		return 254;
	case CONFIG_BLK_SIZE:
		return 512;
	case CONFIG_DISCARD_MOST:
		return 100;
	default:
		return 0;
	}
}

uint64_t virtio_config64(const struct virtio_device *device, uint32_t offset)
{
	assert_int_equal(offset, CONFIG_CAPACITY);
	return capacity_now;
}

struct disk *disk_register(struct block_device *device, const struct disk *facts)
{
	registered = *facts;
	registered.device = device;
	return &registered;
}

/* ---- the device ---- */

static uint32_t *type_in(const struct virtio_descriptor *first)
{
	return (uint32_t *)first->address;
}

/* Do what the next buffer asks for, and say so. False: there is none. */
static bool device_step(void)
{
	const struct virtio_descriptor *d;
	uint16_t head;
	uint32_t bytes = 0;

	if (!answers || taken == ring->available->index)
		return false;
	head = ring->available->ring[taken++ % QUEUE];
	d = &ring->descriptors[head];
	for (const struct virtio_descriptor *first = d;; d = &ring->descriptors[d->next]) {
		if (d->flags & 2) {
			bytes += d->length;
			if (*type_in(first) == TYPE_GET_ID && d->length == ID_BYTES)
				memcpy((void *)d->address, "the-name\x1b", 10);
			else if (d->flags & 1)
				memset((void *)d->address, 0x42, d->length);
		}
		if (!(d->flags & 1))
			break;
	}
	*(uint8_t *)d->address = answer_status;
	ring->used->ring[ring->used->index % QUEUE] =
	    (struct virtio_used_element){head, bytes - answer_short};
	ring->used->index++;
	answered++;
	return true;
}

static bool device_and_interrupt(void)
{
	if (!device_step())
		return false;
	ring->handler(ring);
	return true;
}

bool (*host_wait)(void) = device_and_interrupt;

static void run_device(void)
{
	while (device_step())
		;
	ring->handler(ring);
}

/* ---- requests ---- */

static struct block_request requests[REQUESTS];
static struct block_segment segments[REQUESTS];
static int status[REQUESTS];
static unsigned int done_count;
static unsigned int done_order[REQUESTS];
static char *page;

static void on_done(struct block_request *request, int result)
{
	unsigned int n = (unsigned int)(request - requests);

	assert_int_equal(status[n], 1);
	status[n] = result;
	if (done_count < REQUESTS)
		done_order[done_count] = n;
	done_count++;
}

static void ask(unsigned int n, enum block_operation operation, uint64_t sector)
{
	bool data = operation == BLOCK_READ || operation == BLOCK_WRITE;

	segments[n] = (struct block_segment){page, (uint64_t)page, 512};
	requests[n] = (struct block_request){
	    .operation = operation,
	    .sector = sector,
	    .sectors = operation == BLOCK_FLUSH ? 0 : 1,
	    .segments = &segments[n],
	    .count = data ? 1 : 0,
	    .done = on_done,
	};
	status[n] = 1;
	block_submit(registered.device, &requests[n]);
}

static struct virtio_blk *disk(void)
{
	return registered.device->driver;
}

static void start_with(uint64_t features)
{
	now = 1000 * NSEC_PER_SEC;
	offered = features;
	capacity_now = SECTORS;
	answers = true;
	resets_fail = false;
	stops = restarts = answered = done_count = 0;
	answer_status = STATUS_OK;
	answer_short = 0;
	page = aligned_alloc(4096, 4096);
	assert_int_equal(virtio_blk_driver.probe(&pci), 0);
}

static void begin(void)
{
	start_with(FEATURE_SEG_MAX | FEATURE_BLK_SIZE | FEATURE_FLUSH | FEATURE_TOPOLOGY |
		   FEATURE_DISCARD);
}

static void end(void)
{
	struct virtio_blk *gone = disk();

	virtio_close(transport);
	free(gone->shared);
	free(gone);
	free(page);
}

/* ---- tests ---- */

static void test_facts(void **state)
{
	begin();
	assert_string_equal(registered.serial, "the-name?");
	assert_int_equal(registered.device->sectors, SECTORS);
	assert_int_equal(registered.device->logical_size, 512);
	assert_int_equal(registered.device->physical_size, 4096);
	assert_int_equal(registered.device->max_segments, MOST_SEGMENTS);
	assert_int_equal(registered.device->max_discard, 100);
	end();
}

static void test_all_operations(void **state)
{
	begin();
	page[0] = 0;
	ask(0, BLOCK_READ, 7);
	ask(1, BLOCK_WRITE, 8);
	ask(2, BLOCK_FLUSH, 0);
	ask(3, BLOCK_DISCARD, 9);
	assert_int_equal(done_count, 0);
	run_device();
	assert_int_equal(done_count, 4);
	for (unsigned int n = 0; n < 4; n++)
		assert_int_equal(status[n], 0);
	assert_int_equal(page[0], 0x42);
	end();
	/* Without a cache there is nothing to flush, and nobody to ask. */
	start_with(FEATURE_SEG_MAX);
	answered = 0;
	ask(0, BLOCK_FLUSH, 0);
	assert_int_equal(done_count, 1);
	assert_int_equal(answered, 0);
	end();
}

static void test_more_than_fit(void **state)
{
	begin();
	for (unsigned int n = 0; n < REQUESTS; n++)
		ask(n, BLOCK_READ, n);
	/* Three entries each; the one more was the name's. */
	assert_int_equal(ring->available->index - 1, QUEUE / 3);
	for (unsigned int n = 0; n < REQUESTS && done_count < REQUESTS; n++)
		run_device();
	assert_int_equal(done_count, REQUESTS);
	for (unsigned int n = 0; n < REQUESTS; n++)
		assert_int_equal(done_order[n], n);
	end();
}

static void test_errors(void **state)
{
	begin();
	answer_status = 1;
	ask(0, BLOCK_READ, 0);
	run_device();
	assert_int_equal(status[0], -XEN_EIO);
	answer_status = STATUS_UNSUPPORTED;
	ask(0, BLOCK_DISCARD, 0);
	run_device();
	assert_int_equal(status[0], -XEN_EOPNOTSUPP);
	/* It says that all is well, and did not write its status; or fewer bytes than there are. */
	answer_status = STATUS_NONE;
	ask(0, BLOCK_READ, 0);
	run_device();
	assert_int_equal(status[0], -XEN_EIO);
	answer_status = STATUS_OK;
	answer_short = 1;
	ask(0, BLOCK_READ, 0);
	run_device();
	assert_int_equal(status[0], -XEN_EIO);
	end();
}

static void test_silence_once(void **state)
{
	begin();
	answers = false;
	for (unsigned int n = 0; n < 200; n++)
		ask(n, BLOCK_WRITE, n);
	now += disk_timeout - NSEC_PER_SEC;
	look(disk());
	assert_int_equal(restarts, 0);
	now += 2 * NSEC_PER_SEC;
	look(disk());
	assert_int_equal(restarts, 1);
	assert_int_equal(done_count, 0);
	answers = true;
	for (unsigned int n = 0; n < 10; n++)
		run_device();
	assert_int_equal(done_count, 200);
	for (unsigned int n = 0; n < 200; n++)
		assert_int_equal(status[n], 0);
	end();
}

/* What was with the device twice fails; what only waited does not. */
static void test_silence_twice(void **state)
{
	unsigned int failed = 0;

	begin();
	answers = false;
	for (unsigned int n = 0; n < 200; n++)
		ask(n, BLOCK_WRITE, n);
	for (unsigned int n = 0; n < 2; n++) {
		now += disk_timeout + NSEC_PER_SEC;
		look(disk());
	}
	assert_int_equal(restarts, 2);
	assert_int_equal(done_count, QUEUE / 3);
	answers = true;
	for (unsigned int n = 0; n < 10; n++)
		run_device();
	assert_int_equal(done_count, 200);
	for (unsigned int n = 0; n < 200; n++)
		failed += status[n] == -XEN_EIO;
	assert_int_equal(failed, QUEUE / 3);
	end();
}

/* Only the interrupt got lost. */
static void test_lost_interrupt(void **state)
{
	begin();
	ask(0, BLOCK_READ, 0);
	while (device_step())
		;
	now += disk_timeout + NSEC_PER_SEC;
	look(disk());
	assert_int_equal(status[0], 0);
	assert_int_equal(restarts, 0);
	end();
}

static void test_lies(void **state)
{
	begin();
	ask(0, BLOCK_READ, 0);
	ask(1, BLOCK_READ, 1);
	ring->used->ring[ring->used->index % QUEUE] = (struct virtio_used_element){777, 0};
	ring->used->index++;
	ring->handler(ring);
	assert_int_equal(done_count, 0);
	assert_true(disk()->reset_wanted);
	look(disk());
	assert_int_equal(restarts, 1);
	run_device();
	assert_int_equal(status[0], 0);
	assert_int_equal(status[1], 0);
	end();
}

static void test_does_not_come_back(void **state)
{
	begin();
	answers = false;
	resets_fail = true;
	for (unsigned int n = 0; n < 200; n++)
		ask(n, BLOCK_READ, n);
	now += disk_timeout + NSEC_PER_SEC;
	look(disk());
	assert_int_equal(done_count, 200);
	for (unsigned int n = 0; n < 200; n++)
		assert_int_equal(status[n], -XEN_EIO);
	assert_true(registered.device->gone);
	ask(200, BLOCK_READ, 0);
	assert_int_equal(status[200], -XEN_EIO);
	end();
}

/* At the machine's end: a flush, and then nothing more. One that stands still is given up. */
static void test_stop(void **state)
{
	begin();
	ask(0, BLOCK_WRITE, 1);
	run_device();
	answered = stops = 0;
	virtio_blk_driver.stop(&pci);
	assert_int_equal(answered, 1);
	assert_int_equal(stops, 1);
	ask(1, BLOCK_WRITE, 2);
	assert_int_equal(answered, 1);
	assert_true(disk()->stopped);
	now += 10 * disk_timeout;
	look(disk());
	assert_int_equal(restarts, 0);
	end();
	begin();
	answers = false;
	resets_fail = true;
	ask(0, BLOCK_WRITE, 1);
	now += disk_timeout + NSEC_PER_SEC;
	look(disk());
	answered = stops = 0;
	virtio_blk_driver.stop(&pci);
	assert_int_equal(answered, 0);
	assert_int_equal(stops, 0);
	end();
}

static void test_resize(void **state)
{
	begin();
	capacity_now = 2 * SECTORS;
	transport->config_changed(transport);
	assert_int_equal(registered.device->sectors, 2 * SECTORS);
	end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_facts),
	    cmocka_unit_test(test_all_operations),
	    cmocka_unit_test(test_more_than_fit),
	    cmocka_unit_test(test_errors),
	    cmocka_unit_test(test_silence_once),
	    cmocka_unit_test(test_silence_twice),
	    cmocka_unit_test(test_lost_interrupt),
	    cmocka_unit_test(test_lies),
	    cmocka_unit_test(test_does_not_come_back),
	    cmocka_unit_test(test_stop),
	    cmocka_unit_test(test_resize),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
