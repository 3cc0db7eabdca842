/* SPDX-License-Identifier: MIT */
// sources: dom0-tools/drivers/nvme.c dom0-tools/drivers/nvme_queue.c dom0-tools/drivers/nvme_request.c dom0-tools/drivers/nvme_admin.c dom0-tools/drivers/nvme_identify.c dom0-tools/drivers/options.c pv-drivers/block.c
// flags: -Itests/unit/include/fake-guest -Iguest/include
/* The NVMe driver against a controller made up by the test: in good order, failing, lying. */
#include "fake_nvme.h"

static uint8_t shadow[FAKE_BYTES];

static struct nvme *driver(void)
{
	return pci.private;
}

static uint64_t driver_watch(void)
{
	return nvme_watch(driver());
}

static bool driver_has_attention(void)
{
	return driver()->attention;
}

static void start(unsigned int shift)
{
	fake_nvme_start(shift);
	fill_disk();
	assert_int_equal(nvme_driver.probe(&pci), 0);
	memcpy(shadow, nvme.disk, sizeof(shadow));
}

/* The driver never ends; the test's controllers do. */
static void stop(void)
{
	assert_int_equal(requests_under_way, 0);
	for (unsigned int i = 0; i < REQUESTS; i++)
		request_free(&requests[i]);
	free((void *)driver()->admin.commands);
	free((void *)(uintptr_t)driver()->admin.completions);
	free((void *)driver()->io.commands);
	free((void *)(uintptr_t)driver()->io.completions);
	free(driver()->page);
	free(driver()->lists);
	free(driver());
	pci.private = NULL;
	dma_blocks = 0;
	bus_master = false;
}

static void check_found(void **state)
{
	start(9);
	assert_string_equal(registered_facts.model, "Fake drive [2J");
	assert_int_equal(registered_count, 1);
	assert_int_equal(disk()->sectors, FAKE_BYTES / 512);
	assert_int_equal(disk()->logical_size, 512);
	assert_int_equal(disk()->discard_granularity, 512);
	assert_int_equal(disk()->flags, BLOCK_FUA | BLOCK_DMA);
	settle(0);
	/* Nothing to do: nobody looks. */
	assert_int_equal(nvme_watch(driver()), 0);
	stop();
}

/* Parts of the disk that no two requests share, many at a time, in both directions; compared with a copy. */
static void transfer_rounds(unsigned int rounds)
{
	uint32_t part = FAKE_BYTES / 512 / 8;

	for (unsigned int round = 0; round < rounds; round++) {
		for (unsigned int i = 0; i < 8; i++) {
			struct test_request *r = &requests[i];
			uint64_t room;

			request_free(r);
			r->request.operation = random_below(2) ? BLOCK_WRITE : BLOCK_READ;
			request_segments(r, disk()->logical_size);
			r->request.fua = r->request.operation == BLOCK_WRITE && random_below(2);
			room = (part - r->request.sectors) / 8;
			r->request.sector = i * part + random_below((uint32_t)room) * 8;
			if (r->request.operation == BLOCK_WRITE) {
				request_fill(r);
				request_copy(r, shadow + r->request.sector * 512, true);
			}
			request_submit(disk(), r);
		}
		block_kick(disk());
		settle(200);
		for (unsigned int i = 0; i < 8; i++) {
			assert_int_equal(requests[i].ended, 1);
			assert_int_equal(requests[i].status, 0);
			request_compare(&requests[i], shadow + requests[i].request.sector * 512);
		}
	}
	assert_memory_equal(shadow, nvme.disk, sizeof(shadow));
}

static void check_transfers(void **state)
{
	for (unsigned int shift = 9; shift <= 12; shift += 3) {
		start(shift);
		transfer_rounds(300);
		assert_true(nvme.fuas > 0);
		assert_true(nvme.most_kept > 8);
		assert_int_equal(nvme.disabled, 0);
		stop();
	}
}

/* More commands than slots, on queues as short as can be, too. */
static void check_many(void **state)
{
	for (unsigned int depth = 2; depth <= 64; depth += 31) {
		fake_nvme_start(9);
		nvme.cap = (nvme.cap & ~0xfffful) | (depth - 1);
		assert_int_equal(nvme_driver.probe(&pci), 0);
		for (unsigned int i = 0; i < REQUESTS; i++)
			submit_at(i, i % 2 ? BLOCK_READ : BLOCK_WRITE, i * 17);
		block_kick(disk());
		settle(100);
		for (unsigned int i = 0; i < REQUESTS; i++)
			assert_int_equal(requests[i].ended, 1);
		assert_true(nvme.most_kept <= 2 * depth);
		stop();
	}
}

static void check_flush_and_discard(void **state)
{
	struct test_request *r = &requests[0];

	start(12);
	r->request.operation = BLOCK_FLUSH;
	request_submit(disk(), r);
	block_kick(disk());
	settle(5);
	assert_int_equal(r->ended, 1);
	assert_int_equal(nvme.flushes, 1);
	request_free(r);
	r->request.operation = BLOCK_DISCARD;
	r->request.sector = 8;
	r->request.sectors = 64;
	request_submit(disk(), r);
	block_kick(disk());
	settle(5);
	assert_int_equal(r->status, 0);
	memset(shadow + 4096, 0, 64 * 512);
	assert_memory_equal(shadow, nvme.disk, sizeof(shadow));
	/* Without a cache there is nothing to flush. */
	driver()->identity.write_cache = false;
	request_free(r);
	r->request.operation = BLOCK_FLUSH;
	request_submit(disk(), r);
	assert_int_equal(r->ended, 1);
	assert_int_equal(nvme.flushes, 1);
	stop();
}

static int status_of(uint16_t field, unsigned int times)
{
	int status;

	nvme.bad_block = 100;
	nvme.bad_status = field;
	nvme.bad_times = times;
	submit_at(0, BLOCK_WRITE, 100);
	block_kick(disk());
	settle(100);
	assert_int_equal(requests[0].ended, 1);
	status = requests[0].status;
	/* All else goes on. */
	submit_at(1, BLOCK_READ, 600);
	block_kick(disk());
	settle(100);
	assert_int_equal(requests[1].status, 0);
	return status;
}

static void check_errors(void **state)
{
	start(9);
	assert_int_equal(status_of(0x280 << 1 | NVME_DNR, ALWAYS), -XEN_EIO);
	assert_int_equal(status_of(0x281 << 1, ALWAYS), -XEN_EIO);
	assert_int_equal(status_of(NVME_CAPACITY_EXCEEDED << 1, ALWAYS), -XEN_ENOSPC);
	assert_int_equal(status_of(NVME_WRITE_PROTECTED << 1, ALWAYS), -XEN_EROFS);
	assert_int_equal(status_of(NVME_INVALID_OPCODE << 1, ALWAYS), -XEN_EOPNOTSUPP);
	assert_int_equal(status_of(NVME_NOT_READY << 1, 1), 0);
	assert_int_equal(status_of(NVME_NOT_READY << 1, ALWAYS), -XEN_EIO);
	assert_int_equal(status_of(NVME_NOT_READY << 1 | NVME_DNR, 1), -XEN_EIO);
	assert_int_equal(nvme.disabled, 0);
	stop();
}

/* Segments against the rules are refused, however late in the request they come. */
static void check_bad_segments(void **state)
{
	static const struct {
		uint64_t add_address;
		uint32_t length;
	} bad[] = {{1, 512}, {256, 512}, {0, 100}, {0, 0}, {3584, 1024}};

	start(9);
	for (unsigned int i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct test_request *r = &requests[0];

		request_free(r);
		r->request.operation = BLOCK_WRITE;
		r->request.segments = r->segments;
		while (r->request.count < 4)
			r->request.sectors += add_segment(r, 4096) / 512;
		r->request.sectors += bad[i].length / 512;
		r->request.sectors -= 8;
		r->segments[3].machine += bad[i].add_address;
		r->segments[3].length = bad[i].length;
		request_submit(disk(), r);
		block_kick(disk());
		settle(5);
		assert_int_equal(r->ended, 1);
		assert_int_equal(r->status, -XEN_EINVAL);
	}
	stop();
}

static void check_lost_interrupts(void **state)
{
	start(9);
	nvme.mute = 2;
	transfer_rounds(20);
	assert_int_equal(nvme.disabled, 0);
	assert_int_equal(nvme.aborts, 0);
	stop();
}

/* Commands whose completion never comes are repeated after a reset, which others do not notice. */
static void check_lost_completions(void **state)
{
	start(9);
	nvme.loses = 200;
	transfer_rounds(30);
	assert_true(nvme.disabled > 0);
	assert_true(nvme.aborts > 0);
	stop();
}

static void check_abort(void **state)
{
	unsigned int commands;

	start(9);
	settle(0);
	commands = nvme.commands;
	nvme.silent = true;
	submit_at(0, BLOCK_READ, 0);
	block_kick(disk());
	settle(35);
	/* Each command is aborted by another, and sent again. */
	assert_int_equal(3 * nvme.aborts, nvme.commands - commands);
	nvme.silent = false;
	settle(5);
	assert_int_equal(requests[0].status, 0);
	assert_int_equal(nvme.disabled, 0);
	stop();
}

/* A controller that does not go on is given up; requests end when it cannot reach memory any more. */
static void check_hang(void **state)
{
	start(9);
	nvme.silent = nvme.no_abort = true;
	submit_some();
	settle(500);
	check_all_ended(-XEN_EIO);
	/* It was reset; or, in the end, given up. */
	assert_true(nvme.disabled >= 2);
	stop();
}

static void check_dies(bool *how)
{
	start(9);
	nvme.silent = nvme.no_abort = true;
	*how = true;
	submit_some();
	settle(300);
	check_all_ended(-XEN_EIO);
	assert_false(bus_master);
	assert_true(disk()->gone);
	assert_int_equal(driver()->state, NVME_DEAD);
	assert_int_equal(nvme_watch(driver()), 0);
	submit_at(0, BLOCK_READ, 0);
	assert_int_equal(requests[0].status, -XEN_EIO);
	stop();
}

static void check_death(void **state)
{
	check_dies(&nvme.gone);
	check_dies(&nvme.no_disable);
	check_dies(&nvme.no_ready);
	check_dies(&nvme.admin_silent);
}

static void check_fatal(void **state)
{
	start(9);
	nvme.silent = true;
	submit_some();
	nvme.fatal = true;
	nvme.silent = false;
	settle(0);
	assert_int_equal(nvme.disabled, 1);
	settle(100);
	check_all_ended(0);
	stop();
}

/* Completions of commands that do not exist, or that have ended: the controller is reset. */
static void check_false_completions(void **state)
{
	for (unsigned int round = 0; round < 50; round++) {
		start(9);
		nvme.silent = true;
		submit_some();
		device_step();
		post(1, (uint16_t)random_below(65536) | 63, 0, 0);
		interrupt();
		nvme.silent = false;
		settle(100);
		assert_int_equal(nvme.disabled, 1);
		check_all_ended(0);
		stop();
	}
}

/* The machine ends: the controller is told, and gets nothing more. */
static void check_stop(void **state)
{
	unsigned int commands;

	start(9);
	submit_some();
	settle(100);
	check_all_ended(0);
	commands = nvme.commands;
	nvme_driver.stop(&pci);
	assert_int_equal(NVME_CSTS_SHST(nvme.csts), NVME_CSTS_SHUT);
	submit_at(0, BLOCK_READ, 0);
	block_kick(disk());
	device_step();
	assert_int_equal(nvme.commands, commands);
	nvme_requests_fail(driver());
	stop();
}

static void check_resize(void **state)
{
	start(9);
	put(nvme.format, 0, FAKE_BYTES / 512 - 64, 8);
	put(nvme.log, 0, 1, 4);
	assert_true(fake_event(NVME_EVENT_NOTICE | NVME_LOG_CHANGED_NAMESPACES << 16));
	settle(2);
	assert_int_equal(disk()->sectors, FAKE_BYTES / 512 - 64);
	/* A pause, then the next one; this time it is deleted. */
	now += 2 * NSEC_PER_SEC;
	settle(2);
	put(nvme.format, 0, 0, 8);
	put(nvme.log, 0, ~0u, 4);
	assert_true(fake_event(NVME_EVENT_NOTICE | NVME_LOG_CHANGED_NAMESPACES << 16));
	settle(2);
	assert_true(disk()->gone);
	stop();
}

/* Whatever it says of itself, the driver refuses it or works. */
static void check_identities(void **state)
{
	for (unsigned int round = 0; round < 2000; round++) {
		fake_nvme_start(9);
		for (unsigned int i = random_below(6); i; i--) {
			uint8_t *page = random_below(2) ? nvme.controller : nvme.format;
			static const uint16_t at[] = {0,   3,	6,   7,	  25,  26,  29,	 77,  99,
						      132, 133, 134, 512, 513, 516, 519, 520, 525};

			page[at[random_below(18)]] = (uint8_t)random_below(256);
		}
		if (!random_below(3))
			nvme.cap ^= 1ul << random_below(56);
		for (unsigned int i = 0; i < random_below(40); i++)
			put(nvme.active, 4 * i, random_below(4) ? 1 + random_below(50) : ~0u, 4);
		if (nvme_driver.probe(&pci)) {
			assert_int_equal(dma_blocks, 0);
			assert_false(bus_master);
			continue;
		}
		for (unsigned int i = 0; i < registered_count; i++) {
			const struct block_device *d = registered[i];

			assert_true(d->sectors && d->sectors < 1ul << 55);
			assert_true(d->logical_size >= 512 && d->logical_size <= 4096);
			assert_true(d->sectors % (d->logical_size / 512) == 0);
		}
		assert_true(driver()->identity.max_bytes >= 4096);
		stop();
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(check_found),
	    cmocka_unit_test(check_transfers),
	    cmocka_unit_test(check_many),
	    cmocka_unit_test(check_flush_and_discard),
	    cmocka_unit_test(check_errors),
	    cmocka_unit_test(check_bad_segments),
	    cmocka_unit_test(check_lost_interrupts),
	    cmocka_unit_test(check_lost_completions),
	    cmocka_unit_test(check_abort),
	    cmocka_unit_test(check_hang),
	    cmocka_unit_test(check_death),
	    cmocka_unit_test(check_fatal),
	    cmocka_unit_test(check_false_completions),
	    cmocka_unit_test(check_stop),
	    cmocka_unit_test(check_resize),
	    cmocka_unit_test(check_identities),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
