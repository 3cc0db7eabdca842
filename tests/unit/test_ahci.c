/* SPDX-License-Identifier: MIT */
// sources: dom0-tools/drivers/ahci.c dom0-tools/drivers/ahci_port.c dom0-tools/drivers/ahci_request.c dom0-tools/drivers/ahci_recover.c dom0-tools/drivers/ata.c dom0-tools/drivers/options.c pv-drivers/block.c
// flags: -Itests/unit/include/fake-guest -Iguest/include
/* The AHCI driver against a controller and a disk made up by the test: in good order, failing, lying. */
#include "fake_ahci.h"

static uint8_t shadow[FAKE_BYTES];

static struct ahci_port *port(void)
{
	return ((struct ahci *)pci.private)->ports[FAKE_PORT];
}

static uint64_t driver_watch(void)
{
	return ahci_watch(port());
}

static bool driver_has_attention(void)
{
	return port()->attention;
}

static void probe(void)
{
	assert_int_equal(ahci_driver.probe(&pci), 0);
	memcpy(shadow, fake_disk, sizeof(shadow));
}

static void start(unsigned int shift, unsigned int depth, bool log)
{
	fake_ahci_start(shift, depth, log);
	fill_disk();
	probe();
}

/* The driver never ends; the test's controllers do. */
static void stop(void)
{
	struct ahci_port *p = port();

	assert_int_equal(requests_under_way, 0);
	for (unsigned int i = 0; i < REQUESTS; i++)
		request_free(&requests[i]);
	free(p->list);
	free(p->tables);
	free(p->page);
	free(p->controller);
	free(p);
	pci.private = NULL;
	dma_blocks = 0;
	bus_master = false;
}

static void submit_other(unsigned int index, enum block_operation operation, uint64_t sector,
			 uint64_t sectors)
{
	struct test_request *r = &requests[index];

	request_free(r);
	r->request.operation = operation;
	r->request.sector = sector;
	r->request.sectors = sectors;
	request_submit(disk(), r);
}

static void check_found(void **state)
{
	start(9, 32, true);
	assert_string_equal(registered_facts.model, "Fake disk");
	assert_int_equal(registered_count, 1);
	assert_int_equal(disk()->sectors, FAKE_BYTES / 512);
	assert_int_equal(disk()->logical_size, 512);
	assert_int_equal(disk()->discard_granularity, 512);
	assert_int_equal(disk()->flags, BLOCK_FUA | BLOCK_DMA);
	settle(0);
	/* Nothing to do: nobody looks. */
	assert_int_equal(ahci_watch(port()), 0);
	stop();
}

/* No two requests share a part of the disk; a flush or a discard of a part of its own comes between them. */
#define PART (FAKE_BYTES / 512 / 8)

static void submit_in_part(unsigned int i)
{
	struct test_request *r = &requests[i];

	request_free(r);
	r->request.operation = random_below(2) ? BLOCK_WRITE : BLOCK_READ;
	request_segments(r, disk()->logical_size);
	r->request.fua = r->request.operation == BLOCK_WRITE && random_below(2);
	r->request.sector = i * PART + random_below((uint32_t)(PART - r->request.sectors) / 8) * 8;
	if (r->request.operation == BLOCK_WRITE) {
		request_fill(r);
		request_copy(r, shadow + r->request.sector * 512, true);
	}
	request_submit(disk(), r);
}

static void transfer_rounds(unsigned int rounds)
{
	for (unsigned int round = 0; round < rounds; round++) {
		for (unsigned int i = 0; i < 7; i++) {
			submit_in_part(i);
			if (i == 3 && round % 4 == 0)
				submit_other(7, BLOCK_FLUSH, 0, 0);
			if (i == 3 && round % 4 == 1) {
				uint64_t at = 7 * PART + 8 * random_below(8);

				submit_other(7, BLOCK_DISCARD, at, 64);
				memset(shadow + at * 512, 0, 64 * 512);
			}
		}
		block_kick(disk());
		settle(1000);
		for (unsigned int i = 0; i < 7; i++) {
			assert_int_equal(requests[i].ended, 1);
			assert_int_equal(requests[i].status, 0);
			request_compare(&requests[i], shadow + requests[i].request.sector * 512);
		}
		assert_false(requests[7].under_way);
	}
	assert_memory_equal(shadow, fake_disk, sizeof(shadow));
}

static void check_transfers(void **state)
{
	static const unsigned int depths[] = {0, 1, 2, 32};

	for (unsigned int i = 0; i < 8; i++) {
		start(i % 2 ? 9 : 12, depths[i / 2], true);
		transfer_rounds(100);
		assert_true(ahci.fuas > 0 && ahci.flushes > 0 && ahci.trims > 0);
		assert_true(ahci.most_taken <= (depths[i / 2] ? depths[i / 2] : 1));
		assert_int_equal(ahci.resets, 0);
		stop();
	}
}

static void check_many(void **state)
{
	start(9, 32, true);
	submit_some();
	settle(100);
	check_all_ended(0);
	assert_int_equal(ahci.most_taken, 32);
	stop();
}

/* One bad block among many commands: its request fails, all others do not. */
static void bad_block(unsigned int depth, bool log, bool keeps_active)
{
	unsigned int failed = 0;

	start(9, depth, log);
	ahci.keeps_active = keeps_active;
	ahci.bad_block = 401;
	ahci.bad_error = 0x40;
	ahci.bad_interrupt = AHCI_INTERRUPT_TASK;
	submit_some();
	settle(1000);
	for (unsigned int i = 0; i < REQUESTS; i++) {
		const struct block_request *r = &requests[i].request;
		bool bad = 401 >= r->sector && 401 < r->sector + r->sectors;

		assert_int_equal(requests[i].ended, 1);
		assert_int_equal(requests[i].status, bad ? -XEN_EIO : 0);
		failed += bad;
	}
	assert_true(failed > 0 && failed < REQUESTS);
	if (depth && log && !keeps_active) {
		assert_true(ahci.logs > 0);
		assert_int_equal(ahci.resets, 0);
	}
	/* Full speed again. */
	ahci.bad_block = ~0ul;
	ahci.most_taken = 0;
	submit_some();
	settle(100);
	check_all_ended(0);
	assert_int_equal(ahci.most_taken, depth ? depth : 1);
	stop();
}

static void check_errors(void **state)
{
	bad_block(0, false, false);
	bad_block(32, true, false);
	bad_block(32, false, false);
	bad_block(32, false, true);
	bad_block(32, true, true);
}

/* What does not get through is tried again; not for ever. */
static void check_passing_errors(void **state)
{
	start(9, 32, false);
	ahci.bad_block = 300;
	ahci.bad_error = ATA_ERROR_ICRC;
	ahci.bad_interrupt = AHCI_INTERRUPT_TASK;
	ahci.bad_times = 1;
	submit_at(0, BLOCK_WRITE, 300);
	block_kick(disk());
	settle(100);
	assert_int_equal(requests[0].status, 0);
	ahci.bad_interrupt = 0x08000000; /* interface fatal error */
	ahci.bad_times = 1;
	submit_at(0, BLOCK_WRITE, 300);
	block_kick(disk());
	settle(100);
	assert_int_equal(requests[0].status, 0);
	assert_true(ahci.resets > 0);
	ahci.bad_times = ALWAYS;
	submit_at(0, BLOCK_WRITE, 300);
	submit_at(1, BLOCK_READ, 600);
	block_kick(disk());
	settle(100);
	assert_int_equal(requests[0].status, -XEN_EIO);
	assert_int_equal(requests[1].status, 0);
	stop();
}

static void check_bad_segments(void **state)
{
	static const struct {
		uint64_t add_address;
		uint32_t length;
	} bad[] = {{1, 512}, {256, 512}, {0, 100}, {0, 0}, {3584, 1024}};

	start(9, 32, true);
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
	start(9, 32, true);
	ahci.mute = 2;
	transfer_rounds(30);
	assert_int_equal(ahci.resets, 0);
	stop();
}

/* Commands that never end are repeated after a reset, which others do not notice. */
static void check_lost_commands(void **state)
{
	start(9, 32, true);
	ahci.loses = 200;
	transfer_rounds(30);
	assert_true(ahci.resets > 0);
	stop();
}

/* A disk that does not go on is given up; requests end when it cannot reach memory any more. */
static void check_dies(bool *how)
{
	start(9, 32, true);
	ahci.silent = how != &ahci.silent_io;
	*how = true;
	submit_some();
	settle(500);
	check_all_ended(-XEN_EIO);
	assert_true(disk()->gone);
	assert_int_equal(port()->state, AHCI_DEAD);
	assert_true(!bus_master || !(ahci.cmd & AHCI_CMD_CR));
	assert_int_equal(ahci_watch(port()), 0);
	submit_at(0, BLOCK_READ, 0);
	assert_int_equal(requests[0].status, -XEN_EIO);
	stop();
}

static void check_death(void **state)
{
	check_dies(&ahci.silent);
	check_dies(&ahci.silent_io);
	check_dies(&ahci.gone);
	check_dies(&ahci.no_stop);
	check_dies(&ahci.no_reset);
}

static void check_unplugged(void **state)
{
	start(9, 32, true);
	ahci.silent = true;
	submit_some();
	device_step();
	fake_link(false);
	settle(0);
	check_all_ended(-XEN_EIO);
	assert_true(disk()->gone);
	stop();
}

/* A loose cable: the same disk goes on where it was; another one gets nothing. */
static void check_link(void **state)
{
	for (unsigned int same = 0; same < 2; same++) {
		start(9, 32, true);
		ahci.silent = true;
		submit_some();
		device_step();
		fake_link(false);
		fake_link(true);
		ahci.silent = false;
		if (!same)
			ahci.identify[54] ^= 1;
		settle(100);
		check_all_ended(same ? 0 : -XEN_EIO);
		assert_int_equal(disk()->gone, !same);
		if (!same)
			assert_memory_equal(shadow, fake_disk, sizeof(shadow));
		stop();
	}
}

/* A cable so loose that no command gets through: they all end. */
static void check_flapping(void **state)
{
	start(9, 32, true);
	ahci.flaps = true;
	submit_some();
	settle(1000);
	check_all_ended(-XEN_EIO);
	assert_false(disk()->gone);
	ahci.flaps = false;
	transfer_rounds(3);
	stop();
}

/* Whatever it says of itself, the driver refuses it or works. */
static void check_identities(void **state)
{
	unsigned int refused = 0;

	for (unsigned int round = 0; round < 3000; round++) {
		static const uint8_t words[] = {0,   49,  75,  76,  83,	 84,  85,
						100, 101, 102, 103, 106, 117, 118};

		fake_ahci_start(9, 32, true);
		for (unsigned int i = random_below(5); i; i--)
			put_word(words[random_below(14)],
				 (uint16_t)(random_below(2) ? 1u << random_below(16)
							    : random_below(65536)));
		if (ahci_driver.probe(&pci)) {
			assert_int_equal(dma_blocks, 0);
			assert_false(bus_master);
			refused++;
			continue;
		}
		assert_true(disk()->sectors && disk()->sectors < 1ul << 52);
		assert_true(disk()->logical_size >= 512 && disk()->logical_size <= 4096);
		assert_true(disk()->sectors % (disk()->logical_size / 512) == 0);
		assert_true(port()->identity.queue <= 32);
		stop();
	}
	assert_true(refused > 100 && refused < 2900);
}

static void check_other_things(void **state)
{
	fake_ahci_start(9, 32, true);
	ahci.unplugged = true;
	assert_int_equal(ahci_driver.probe(&pci), -XEN_ENODEV);
	assert_int_equal(dma_blocks, 0);
	assert_false(bus_master);
	fake_ahci_start(9, 32, true);
	ahci.gone = true;
	assert_int_not_equal(ahci_driver.probe(&pci), 0);
	assert_int_equal(dma_blocks, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(check_found),
	    cmocka_unit_test(check_transfers),
	    cmocka_unit_test(check_many),
	    cmocka_unit_test(check_errors),
	    cmocka_unit_test(check_passing_errors),
	    cmocka_unit_test(check_bad_segments),
	    cmocka_unit_test(check_lost_interrupts),
	    cmocka_unit_test(check_lost_commands),
	    cmocka_unit_test(check_death),
	    cmocka_unit_test(check_unplugged),
	    cmocka_unit_test(check_link),
	    cmocka_unit_test(check_flapping),
	    cmocka_unit_test(check_identities),
	    cmocka_unit_test(check_other_things),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
