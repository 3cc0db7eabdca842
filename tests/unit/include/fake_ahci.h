/* SPDX-License-Identifier: MIT */
/*
 * An AHCI controller with one disk (port 2) that takes the specification literally, ends queued commands in any order, and
 * goes wrong in the ways that a test asks for.
 */
#ifndef FAKE_AHCI_H
#define FAKE_AHCI_H

#include "fake_disk_world.h"
#include "drivers/ahci.h"
#include "drivers/registers.h"

#define FAKE_BYTES (1u << 20)
#define FAKE_PORT  2

static uint8_t fake_disk[FAKE_BYTES];

static struct {
	uint32_t cap, ghc, is;
	/* The port. */
	uint64_t clb, fb;
	uint32_t pis, ie, cmd, tfd, sig, ssts, sctl, serr, sact, ci;
	uint32_t taken;	 /* commands that the disk has */
	uint32_t queued; /* of these */
	uint32_t lost;	 /* that it had, and will never end */
	bool halted;	 /* after an error, until the engine was stopped */
	int failed_tag;	 /* for the log */
	uint8_t identify[512];
	unsigned int shift;
	unsigned int commands, most_taken, resets, flushes, trims, fuas, logs;

	/* How it goes wrong. */
	bool no_reset, no_stop, unplugged, gone;
	bool silent;	    /* takes commands and never ends them */
	bool silent_io;	    /* the same for reads and writes */
	bool flaps;	    /* loses its link at each command that is not its own */
	bool keeps_active;  /* stopping the engine leaves PxSACT as it is, as QEMU does */
	unsigned int loses; /* one of so many commands never ends */
	unsigned int mute;  /* one of so many interrupts does not come */
	uint64_t bad_block;
	uint8_t bad_error; /* in the error register */
	uint32_t bad_interrupt;
	unsigned int bad_times;
} ahci;

static void put_word(unsigned int n, uint16_t value)
{
	memcpy(ahci.identify + 2 * n, &value, 2);
}

static void fake_ahci_start(unsigned int shift, unsigned int depth, bool log)
{
	uint32_t blocks = FAKE_BYTES >> shift;

	memset(&ahci, 0, sizeof(ahci));
	ahci.cap = 31 << 8 | AHCI_CAP_64BIT | AHCI_CAP_NCQ;
	ahci.shift = shift;
	ahci.bad_block = ~0ul;
	ahci.bad_times = ALWAYS;
	ahci.failed_tag = -1;
	ahci.sig = ~0u;
	memcpy(ahci.identify + 54, "aFekd si\x1bk                               ", 40);
	put_word(49, 0x300);
	put_word(83, 0x6400);
	put_word(84, (uint16_t)(0x4040 | (log ? 0x20 : 0)));
	put_word(85, 0x20);
	put_word(100, (uint16_t)blocks);
	put_word(101, (uint16_t)(blocks >> 16));
	put_word(169, 1);
	if (depth) {
		put_word(75, (uint16_t)(depth - 1));
		put_word(76, 0x100);
	}
	if (shift != 9) {
		put_word(106, 0x5000);
		put_word(117, (uint16_t)(1 << (shift - 1)));
	}
	registered_count = 0;
}

static void fill_disk(void)
{
	for (unsigned int i = 0; i < FAKE_BYTES; i++)
		fake_disk[i] = (uint8_t)random_below(256);
}

/*
 * Registers
 */

uint64_t register_read64(const volatile void *base, uint32_t offset)
{
	fail_msg("wide read");
	return 0;
}

void register_write64(volatile void *base, uint32_t offset, uint64_t value)
{
	fail_msg("wide write");
}

static uint32_t port_read(uint32_t reg)
{
	switch (reg) {
	case AHCI_PORT_IS:
		return ahci.pis;
	case AHCI_PORT_CMD:
		return ahci.cmd;
	case AHCI_PORT_TFD:
		return ahci.tfd;
	case AHCI_PORT_SIG:
		return ahci.sig;
	case AHCI_PORT_SSTS:
		return ahci.ssts;
	case AHCI_PORT_SACT:
		return ahci.sact;
	case AHCI_PORT_CI:
		return ahci.ci;
	}
	fail_msg("read of port register %x", reg);
	return 0;
}

uint32_t register_read32(const volatile void *base, uint32_t offset)
{
	if (ahci.gone)
		return ~0u;
	switch (offset) {
	case AHCI_CAP:
		return ahci.cap;
	case AHCI_GHC:
		return ahci.ghc;
	case AHCI_IS:
		return ahci.is;
	case AHCI_PI:
		return 0x7;
	case AHCI_CAP2:
		return 0;
	}
	assert_true(offset >= AHCI_PORT(0) && offset < AHCI_PORT(3));
	if (offset < AHCI_PORT(FAKE_PORT))
		return 0;
	return port_read(offset - AHCI_PORT(FAKE_PORT));
}

static void raise(uint32_t interrupts)
{
	ahci.pis |= interrupts;
	if (!(ahci.pis & ahci.ie))
		return;
	ahci.is |= 1u << FAKE_PORT;
	if ((ahci.ghc & AHCI_GHC_INTERRUPTS) && (!ahci.mute || random_below(ahci.mute)))
		interrupt();
}

static void forget_commands(void)
{
	ahci.ci = ahci.sact = ahci.taken = ahci.lost = ahci.queued = 0;
	ahci.halted = false;
}

static void write_cmd(uint32_t value)
{
	value &= ~(AHCI_CMD_CR | AHCI_CMD_FR);
	ahci.cmd = value | (ahci.cmd & (AHCI_CMD_CR | AHCI_CMD_FR));
}

static void write_sctl(uint32_t value)
{
	if ((ahci.sctl & 0xf) == 1 && !(value & 0xf)) {
		ahci.resets++;
		forget_commands();
		ahci.pis |= AHCI_INTERRUPT_LINK;
		ahci.failed_tag = -1;
		ahci.ssts = ahci.unplugged ? 0 : 0x123;
		ahci.tfd = ahci.no_reset ? 0x7f : 0x50;
		ahci.sig = ATA_SIGNATURE_DISK;
	}
	ahci.sctl = value;
}

static void write_ci(uint32_t value)
{
	assert_true(ahci.cmd & AHCI_CMD_ST);
	assert_false(ahci.ci & value);
	/* What is not queued is alone. */
	if (value & ~ahci.sact)
		assert_true(!ahci.sact && !ahci.ci && !(value & (value - 1)));
	ahci.ci |= value;
}

static void port_write(uint32_t reg, uint32_t value)
{
	switch (reg) {
	case AHCI_PORT_CLB:
	case AHCI_PORT_FB:
	case AHCI_PORT_CLB + 4:
	case AHCI_PORT_FB + 4:
		assert_false(ahci.cmd & (AHCI_CMD_CR | AHCI_CMD_FR));
		memcpy((char *)(reg < AHCI_PORT_FB ? &ahci.clb : &ahci.fb) + (reg & 4), &value, 4);
		break;
	case AHCI_PORT_IS:
		ahci.pis &= ~value;
		break;
	case AHCI_PORT_IE:
		ahci.ie = value;
		raise(0);
		break;
	case AHCI_PORT_CMD:
		write_cmd(value);
		break;
	case AHCI_PORT_SCTL:
		write_sctl(value);
		break;
	case AHCI_PORT_SERR:
		ahci.serr &= ~value;
		break;
	case AHCI_PORT_SACT:
		assert_true(ahci.cmd & AHCI_CMD_ST);
		assert_false((ahci.sact | ahci.ci) & value);
		ahci.sact |= value;
		break;
	case AHCI_PORT_CI:
		write_ci(value);
		break;
	default:
		fail_msg("write of port register %x", reg);
	}
}

void register_write32(volatile void *base, uint32_t offset, uint32_t value)
{
	if (ahci.gone)
		return;
	if (offset == AHCI_GHC) {
		ahci.ghc = value & ~AHCI_GHC_RESET;
		if (value & AHCI_GHC_RESET) {
			forget_commands();
			ahci.ssts = ahci.unplugged ? 0 : 0x123;
			ahci.tfd = 0x50;
			ahci.sig = ATA_SIGNATURE_DISK;
		}
	} else if (offset == AHCI_IS) {
		ahci.is &= ~value;
	} else if (offset >= AHCI_PORT(FAKE_PORT)) {
		port_write(offset - AHCI_PORT(FAKE_PORT), value);
	}
}

/*
 * Commands
 */

static uint32_t region_bytes(const struct ahci_header *header, const struct ahci_table *table)
{
	uint32_t bytes = 0, regions = header->flags >> 16;

	assert_true(regions <= AHCI_REGIONS);
	for (uint32_t i = 0; i < regions; i++)
		bytes += (table->regions[i].length & 0x3fffff) + 1;
	return bytes;
}

static void move(const struct ahci_header *header, const struct ahci_table *table, uint8_t *data,
		 bool to_disk)
{
	for (uint32_t i = 0; i < header->flags >> 16; i++) {
		const struct ahci_region *r = &table->regions[i];
		uint32_t length = (r->length & 0x3fffff) + 1;
		void *memory = dma_memory(r->address);

		assert_int_equal(r->address % 2, 0);
		assert_int_equal(length % 2, 0);
		if (to_disk)
			memcpy(data, memory, length);
		else
			memcpy(memory, data, length);
		data += length;
	}
}

static void trim(const struct ahci_header *header, const struct ahci_table *table)
{
	uint64_t entries[64];

	move(header, table, (uint8_t *)entries, true);
	for (unsigned int i = 0; i < 64; i++) {
		uint64_t block = entries[i] & 0xffffffffffff, count = entries[i] >> 48;

		assert_true(block + count <= FAKE_BYTES >> ahci.shift);
		memset(fake_disk + (block << ahci.shift), 0, count << ahci.shift);
	}
	ahci.trims++;
}

static void read_log(const struct ahci_header *header, const struct ahci_table *table)
{
	uint8_t page[512] = {0}, sum = 0;

	ahci.logs++;
	page[0] = (uint8_t)(ahci.failed_tag < 0 ? 0x80 : ahci.failed_tag);
	for (unsigned int i = 0; i < 511; i++)
		sum = (uint8_t)(sum + page[i]);
	page[511] = (uint8_t)-sum;
	move(header, table, page, false);
}

/* Does it fail? */
static bool transfer(const struct ahci_header *header, const struct ahci_table *table, bool queued)
{
	const uint8_t *f = table->fis;
	uint64_t block = f[4] | f[5] << 8 | (uint64_t)f[6] << 16 | (uint64_t)f[8] << 24;
	uint32_t blocks = queued ? f[3] | (uint32_t)f[11] << 8 : f[12] | (uint32_t)f[13] << 8;
	bool write =
	    f[2] == ATA_WRITE_QUEUED || f[2] == ATA_WRITE_DMA_EXT || f[2] == ATA_WRITE_DMA_FUA;

	assert_int_equal(!!(header->flags & AHCI_HEADER_WRITE), write);
	assert_true(blocks && block + blocks <= FAKE_BYTES >> ahci.shift);
	assert_int_equal(region_bytes(header, table), blocks << ahci.shift);
	assert_true(f[7] & 0x40);
	if (ahci.bad_block >= block && ahci.bad_block < block + blocks && ahci.bad_times &&
	    (ahci.bad_times == ALWAYS || ahci.bad_times--))
		return true;
	if (f[2] == ATA_WRITE_DMA_FUA || (queued && (f[7] & 0x80)))
		ahci.fuas++;
	move(header, table, fake_disk + (block << ahci.shift), write);
	return false;
}

static bool run(unsigned int slot)
{
	const struct ahci_header *header = (struct ahci_header *)dma_memory(ahci.clb) + slot;
	const struct ahci_table *table = dma_memory(header->table);
	bool queued = ahci.queued >> slot & 1;

	assert_int_equal(header->flags & 0x1f, 5);
	assert_int_equal(table->fis[0], 0x27);
	assert_int_equal(table->fis[1], 0x80);
	switch (table->fis[2]) {
	case ATA_READ_QUEUED:
	case ATA_WRITE_QUEUED:
		assert_int_equal(table->fis[12] >> 3, slot);
		/* fall through */
	case ATA_READ_DMA_EXT:
	case ATA_WRITE_DMA_EXT:
	case ATA_WRITE_DMA_FUA:
		assert_int_equal(queued, table->fis[2] >= ATA_READ_QUEUED);
		return transfer(header, table, queued);
	case ATA_FLUSH_EXT:
		ahci.flushes++;
		return false;
	case ATA_DATASET:
		trim(header, table);
		return false;
	case ATA_READ_LOG_EXT:
		read_log(header, table);
		return false;
	case ATA_IDENTIFY:
		move(header, table, ahci.identify, false);
		return false;
	}
	fail_msg("command %x", table->fis[2]);
	return false;
}

/* The cable is pulled, or put in again. */
static void fake_link(bool up)
{
	/* The disk has lost its commands. */
	ahci.taken = 0;
	ahci.halted = true;
	ahci.unplugged = !up;
	ahci.ssts = up ? 0x123 : 0;
	raise(AHCI_INTERRUPT_LINK);
}

static bool is_io(unsigned int slot)
{
	const struct ahci_header *header = (struct ahci_header *)dma_memory(ahci.clb) + slot;
	const struct ahci_table *table = dma_memory(header->table);

	return table->fis[2] != ATA_IDENTIFY;
}

static bool fetch(void)
{
	uint32_t fresh = ahci.ci & ~(ahci.taken | ahci.lost);

	if (!fresh || ahci.halted)
		return false;
	ahci.taken |= fresh;
	ahci.queued |= fresh & ahci.sact;
	ahci.ci &= ~(fresh & ahci.sact);
	if (ahci.flaps && is_io((unsigned int)__builtin_ctz(fresh))) {
		fake_link(false);
		fake_link(true);
		return true;
	}
	ahci.commands += (unsigned int)__builtin_popcount(fresh);
	if ((unsigned int)__builtin_popcount(ahci.taken) > ahci.most_taken)
		ahci.most_taken = (unsigned int)__builtin_popcount(ahci.taken);
	return true;
}

static void end(unsigned int slot)
{
	uint32_t bit = 1u << slot;
	bool queued = ahci.queued & bit, failed;

	ahci.taken &= ~bit;
	if ((ahci.silent_io && is_io(slot)) || (ahci.loses && !random_below(ahci.loses))) {
		ahci.lost |= bit;
		return;
	}
	failed = run(slot);
	if (failed) {
		ahci.halted = true;
		ahci.failed_tag = queued ? (int)slot : -1;
		ahci.tfd = 0x51 | (uint32_t)ahci.bad_error << 8;
		raise(ahci.bad_interrupt);
		return;
	}
	ahci.queued &= ~bit;
	ahci.ci &= ~bit;
	ahci.sact &= ~bit;
	ahci.tfd = 0x50;
	raise(queued ? 0x8 : 0x1);
}

/* The engine follows its switches. */
static bool follow(void)
{
	uint32_t before = ahci.cmd;

	if (ahci.cmd & AHCI_CMD_ST) {
		ahci.cmd |= AHCI_CMD_CR;
	} else if ((ahci.cmd & AHCI_CMD_CR) && !ahci.no_stop) {
		uint32_t active = ahci.sact;

		ahci.cmd &= ~AHCI_CMD_CR;
		forget_commands();
		if (ahci.keeps_active)
			ahci.sact = active;
	}
	if (ahci.cmd & AHCI_CMD_FRE)
		ahci.cmd |= AHCI_CMD_FR;
	else
		ahci.cmd &= ~AHCI_CMD_FR;
	return ahci.cmd != before;
}

static bool device_step(void)
{
	bool any;

	if (ahci.gone)
		return false;
	any = follow();
	if (!bus_master || !(ahci.cmd & AHCI_CMD_CR) || (ahci.ssts & 0xf) != 3)
		return any;
	any |= fetch();
	if (ahci.taken && !ahci.halted && !ahci.silent) {
		uint32_t taken = ahci.taken;

		for (uint32_t skip = random_below((uint32_t)__builtin_popcount(taken)); skip;
		     skip--)
			taken &= taken - 1;
		end((unsigned int)__builtin_ctz(taken));
		return true;
	}
	return any;
}

#endif
