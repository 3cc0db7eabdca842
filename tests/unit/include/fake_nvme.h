/* SPDX-License-Identifier: MIT */
/*
 * An NVMe controller that takes the specification literally, keeps commands as long as it likes and ends them in any order;
 * and that goes wrong in the ways that a test asks for.
 */
#ifndef FAKE_NVME_H
#define FAKE_NVME_H

#include "fake_disk_world.h"
#include "drivers/nvme.h"
#include "drivers/registers.h"

#define FAKE_BYTES (1u << 20)

struct fake_queue {
	uint64_t commands, completions; /* 0: not made */
	uint32_t depth, sq_head, sq_tail, cq_tail, cq_head, phase;
};

struct fake_command {
	unsigned int queue;
	struct nvme_command command;
};

static struct {
	uint64_t cap;
	uint32_t cc, csts, aqa;
	uint64_t asq, acq;
	struct fake_queue queues[2];
	struct fake_command kept[2 * NVME_DEPTH]; /* taken, not ended */
	unsigned int kept_count;
	uint8_t controller[4096], format[4096], active[4096], log[4096];
	uint8_t disk[FAKE_BYTES];
	unsigned int shift;
	unsigned int most_kept, flushes, discards, fuas, aborts, disabled, commands;

	/* How it goes wrong. */
	bool no_ready, no_disable, gone, fatal;
	bool silent;	    /* takes I/O commands and never ends them */
	bool admin_silent;  /* the same for the others */
	bool no_abort;	    /* abort has no effect */
	unsigned int loses; /* one of so many completions does not come */
	unsigned int mute;  /* one of so many interrupts does not come */
	uint64_t bad_block; /* ends with bad_status (a field: shifted, with DNR) */
	uint16_t bad_status;
	unsigned int bad_times;
} nvme;

static void put(uint8_t *page, unsigned int at, uint64_t value, unsigned int bytes)
{
	memcpy(page + at, &value, bytes);
}

static void fake_nvme_start(unsigned int shift)
{
	memset(&nvme, 0, sizeof(nvme));
	nvme.cap = 63 | 2ul << 24 | 1ul << 37;
	nvme.shift = shift;
	nvme.bad_block = ~0ul;
	nvme.bad_times = ALWAYS;
	memcpy(nvme.controller + 24, "Fake drive\x1b[2J       ", 20);
	nvme.controller[77] = 5; /* 128 KiB */
	nvme.controller[512] = 0x66;
	nvme.controller[513] = 0x44;
	nvme.controller[525] = 1;
	put(nvme.controller, 92, 0x100, 4);
	put(nvme.controller, 516, 1, 4);
	put(nvme.controller, 520, 4, 2);
	put(nvme.format, 0, FAKE_BYTES >> shift, 8);
	nvme.format[25] = 1;
	nvme.format[26] = 1;
	put(nvme.format, 128 + 4, shift << 16, 4);
	put(nvme.active, 0, 1, 4);
	registered_count = 0;
}

static void fill_disk(void)
{
	for (unsigned int i = 0; i < FAKE_BYTES; i++)
		nvme.disk[i] = (uint8_t)random_below(256);
}

/*
 * Registers
 */

uint64_t register_read64(const volatile void *base, uint32_t offset)
{
	(void)base;
	assert_int_equal(offset, NVME_CAP);
	return nvme.gone ? ~0ul : nvme.cap;
}

uint32_t register_read32(const volatile void *base, uint32_t offset)
{
	(void)base;
	if (nvme.gone)
		return ~0u;
	switch (offset) {
	case NVME_CC:
		return nvme.cc;
	case NVME_CSTS:
		return nvme.csts | (nvme.fatal ? NVME_CSTS_CFS : 0);
	default:
		fail_msg("read of register %x", offset);
		return 0;
	}
}

void register_write64(volatile void *base, uint32_t offset, uint64_t value)
{
	(void)base;
	assert_false(nvme.cc & NVME_CC_EN);
	assert_int_equal(value % 4096, 0);
	if (offset == NVME_ASQ)
		nvme.asq = value;
	else if (offset == NVME_ACQ)
		nvme.acq = value;
	else
		fail_msg("write of register %x", offset);
}

static void write_configuration(uint32_t value)
{
	if (!(value & NVME_CC_EN) && (nvme.cc & NVME_CC_EN)) {
		nvme.disabled++;
		if (!nvme.no_disable) {
			memset(nvme.queues, 0, sizeof(nvme.queues));
			nvme.kept_count = 0;
			nvme.fatal = false;
		}
	}
	if (value & NVME_CC_SHN)
		nvme.csts |= NVME_CSTS_SHUT << 2;
	nvme.cc = value;
}

static void write_doorbell(uint32_t index, uint32_t value)
{
	struct fake_queue *q = &nvme.queues[index / 2];

	if (nvme.gone)
		return;
	assert_true(index < 4 && q->commands && value < q->depth);
	if (index % 2)
		q->cq_head = value;
	else
		q->sq_tail = value;
}

void register_write32(volatile void *base, uint32_t offset, uint32_t value)
{
	(void)base;
	if (offset == NVME_CC)
		write_configuration(value);
	else if (offset == NVME_AQA)
		nvme.aqa = value;
	else if (offset >= NVME_DOORBELLS && offset % 4 == 0)
		write_doorbell((offset - NVME_DOORBELLS) / (4u << NVME_CAP_DSTRD(nvme.cap)), value);
	else
		fail_msg("write of register %x", offset);
}

/*
 * Commands
 */

static void post(unsigned int queue, uint16_t cid, uint16_t status, uint32_t result)
{
	struct fake_queue *q = &nvme.queues[queue];
	struct nvme_completion *c = dma_memory(q->completions);

	assert_int_not_equal((q->cq_tail + 1) % q->depth, q->cq_head); /* full */
	c += q->cq_tail;
	c->cid = cid;
	c->sq_id = (uint16_t)queue;
	c->sq_head = (uint16_t)q->sq_head;
	c->result = result;
	c->status = (uint16_t)(status | q->phase);
	if (++q->cq_tail == q->depth) {
		q->cq_tail = 0;
		q->phase ^= 1;
	}
}

/* The memory of a command, page by page, by the rules of [4.3]. */
static void move(const struct nvme_command *command, uint8_t *disk, uint32_t bytes, bool to_disk)
{
	uint64_t address = command->prp1;
	const uint64_t *list = NULL;
	uint32_t first = 4096 - address % 4096;

	assert_int_equal(address % 4, 0);
	if (bytes <= first) {
		assert_int_equal(command->prp2, 0);
	} else if (bytes - first > 4096) {
		uint32_t pages = (bytes - first + 4095) / 4096;

		assert_int_equal(command->prp2 % 8, 0);
		assert_true(command->prp2 % 4096 / 8 + pages <= 512);
		list = dma_memory(command->prp2);
	}
	for (uint32_t n = first < bytes ? first : bytes;;) {
		void *memory = dma_memory(address);

		if (to_disk)
			memcpy(disk, memory, n);
		else
			memcpy(memory, disk, n);
		disk += n;
		bytes -= n;
		if (!bytes)
			return;
		address = list ? *list++ : command->prp2;
		assert_int_equal(address % 4096, 0);
		n = bytes < 4096 ? bytes : 4096;
	}
}

static uint16_t transfer(const struct nvme_command *command)
{
	uint64_t block = command->cdw10 | (uint64_t)command->cdw11 << 32;
	uint32_t blocks = (command->cdw12 & 0xffff) + 1;
	unsigned int mdts = nvme.controller[77];

	assert_true(block + blocks <= FAKE_BYTES >> nvme.shift);
	assert_true(!mdts || blocks << nvme.shift <= 4096u << mdts);
	if (nvme.bad_block >= block && nvme.bad_block < block + blocks && nvme.bad_times &&
	    (nvme.bad_times == ALWAYS || nvme.bad_times--))
		return nvme.bad_status;
	if (command->cdw12 & NVME_FUA)
		nvme.fuas++;
	move(command, nvme.disk + (block << nvme.shift), blocks << nvme.shift,
	     command->opcode == NVME_WRITE);
	return 0;
}

static uint16_t deallocate(const struct nvme_command *command)
{
	const struct nvme_range *range = dma_memory(command->prp1);

	assert_int_equal(command->cdw10, 0);
	assert_int_equal(command->cdw11, NVME_DATASET_DEALLOCATE);
	assert_true(range->first + range->blocks <= FAKE_BYTES >> nvme.shift);
	memset(nvme.disk + (range->first << nvme.shift), 0, (size_t)range->blocks << nvme.shift);
	nvme.discards++;
	return 0;
}

static uint16_t run_io(const struct nvme_command *command)
{
	assert_int_equal(command->nsid, 1);
	switch (command->opcode) {
	case NVME_READ:
	case NVME_WRITE:
		return transfer(command);
	case NVME_FLUSH:
		nvme.flushes++;
		return 0;
	case NVME_DATASET:
		return deallocate(command);
	}
	fail_msg("command %x", command->opcode);
	return 0;
}

static void create_queue(const struct nvme_command *command, bool completions)
{
	struct fake_queue *q = &nvme.queues[1];

	assert_int_equal(command->cdw10 & 0xffff, 1);
	assert_int_equal(command->prp1 % 4096, 0);
	q->depth = (command->cdw10 >> 16) + 1;
	assert_true(q->depth <= (nvme.cap & 0xffff) + 1);
	if (completions) {
		q->completions = command->prp1;
		q->phase = 1;
	} else {
		assert_true(q->completions);
		q->commands = command->prp1;
	}
}

/* The command that is to be aborted, if it is still there, ends so. */
static void abort_command(const struct nvme_command *command)
{
	uint16_t cid = (uint16_t)(command->cdw10 >> 16);

	nvme.aborts++;
	if (nvme.no_abort)
		return;
	for (unsigned int i = 0; i < nvme.kept_count; i++) {
		if (nvme.kept[i].queue == 1 && nvme.kept[i].command.cid == cid) {
			nvme.kept[i] = nvme.kept[--nvme.kept_count];
			post(1, cid, NVME_ABORTED_BY_REQUEST << 1, 0);
			return;
		}
	}
}

static uint16_t identify(const struct nvme_command *command)
{
	const uint8_t *what = command->cdw10 == NVME_IDENTIFY_CONTROLLER  ? nvme.controller
			      : command->cdw10 == NVME_IDENTIFY_NAMESPACE ? nvme.format
									  : nvme.active;

	memcpy(dma_memory(command->prp1), what, 4096);
	return 0;
}

static uint16_t run_admin(const struct nvme_command *command)
{
	switch (command->opcode) {
	case NVME_ADMIN_IDENTIFY:
		return identify(command);
	case NVME_ADMIN_CREATE_CQ:
	case NVME_ADMIN_CREATE_SQ:
		create_queue(command, command->opcode == NVME_ADMIN_CREATE_CQ);
		return 0;
	case NVME_ADMIN_ABORT:
		abort_command(command);
		return 0;
	case NVME_ADMIN_GET_LOG_PAGE:
		memcpy(dma_memory(command->prp1), nvme.log,
		       ((command->cdw10 >> 16 & 0xfff) + 1) * 4);
		return 0;
	case NVME_ADMIN_SET_FEATURES:
		return 0;
	}
	fail_msg("admin command %x", command->opcode);
	return 0;
}

/* Take what is in the rings. */
static bool fetch(unsigned int queue)
{
	struct fake_queue *q = &nvme.queues[queue];
	bool any = false;

	while (q->commands && q->sq_head != q->sq_tail) {
		struct nvme_command *c = dma_memory(q->commands);

		assert_true(nvme.kept_count < 2 * NVME_DEPTH);
		nvme.kept[nvme.kept_count++] = (struct fake_command){queue, c[q->sq_head]};
		q->sq_head = (q->sq_head + 1) % q->depth;
		nvme.commands++;
		any = true;
	}
	if (nvme.kept_count > nvme.most_kept)
		nvme.most_kept = nvme.kept_count;
	return any;
}

static bool can_end(const struct fake_command *c)
{
	return c->queue ? !nvme.silent
			: !nvme.admin_silent && c->command.opcode != NVME_ADMIN_ASYNC_EVENT;
}

static void end(unsigned int index)
{
	struct fake_command c = nvme.kept[index];
	uint16_t status;

	nvme.kept[index] = nvme.kept[--nvme.kept_count];
	status = c.queue ? run_io(&c.command) : run_admin(&c.command);
	if (c.queue && nvme.loses && !random_below(nvme.loses))
		return;
	post(c.queue, c.command.cid, status, 0);
	if (!nvme.mute || random_below(nvme.mute))
		interrupt();
}

/* Tell an event, if asked for one. */
static bool fake_event(uint32_t result)
{
	for (unsigned int i = 0; i < nvme.kept_count; i++) {
		if (nvme.kept[i].command.opcode == NVME_ADMIN_ASYNC_EVENT && !nvme.kept[i].queue) {
			uint16_t cid = nvme.kept[i].command.cid;

			nvme.kept[i] = nvme.kept[--nvme.kept_count];
			post(0, cid, 0, result);
			interrupt();
			return true;
		}
	}
	return false;
}

/* CSTS.RDY follows CC.EN. */
static bool follow(void)
{
	bool enabled = nvme.cc & NVME_CC_EN, ready = nvme.csts & NVME_CSTS_RDY;

	if (enabled == ready || (enabled ? nvme.no_ready : nvme.no_disable))
		return false;
	nvme.csts ^= NVME_CSTS_RDY;
	if (enabled) {
		assert_int_equal(nvme.cc >> 16, 0x46);
		nvme.queues[0] = (struct fake_queue){.commands = nvme.asq,
						     .completions = nvme.acq,
						     .depth = (nvme.aqa & 0xfff) + 1,
						     .phase = 1};
	}
	return true;
}

static bool device_step(void)
{
	bool any;

	if (nvme.gone)
		return false;
	any = follow();
	if (!bus_master)
		return any;
	any |= fetch(0) | fetch(1);
	for (unsigned int tries = 0; tries < 8 && nvme.kept_count; tries++) {
		unsigned int index = random_below(nvme.kept_count);

		if (can_end(&nvme.kept[index])) {
			end(index);
			return true;
		}
	}
	for (unsigned int i = 0; i < nvme.kept_count; i++) {
		if (can_end(&nvme.kept[i])) {
			end(i);
			return true;
		}
	}
	return any;
}

#endif
