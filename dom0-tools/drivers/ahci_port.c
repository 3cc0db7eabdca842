/* SPDX-License-Identifier: MIT */
/* The engine of a port [10.3, 10.4]. */
#include "drivers/ahci.h"
#include "drivers/registers.h"
#include <string.h>

#define STOP_MS	      500 /* [10.1.2] */
#define LINK_MS	      1000
#define SPIN_UP_MS    20000
#define OWN_MS	      10000
#define RESET_HOLD_NS (2 * NSEC_PER_MSEC) /* at least 1 ms [10.4.2] */

uint32_t ahci_read(const struct ahci_port *port, uint32_t reg)
{
	return register_read32(port->controller->registers, AHCI_PORT(port->number) + reg);
}

void ahci_write(const struct ahci_port *port, uint32_t reg, uint32_t value)
{
	register_write32(port->controller->registers, AHCI_PORT(port->number) + reg, value);
}

bool ahci_wait(const struct ahci_port *port, uint32_t reg, uint32_t bits, uint32_t value,
	       unsigned int ms)
{
	uint64_t deadline = clock_now() + ms * NSEC_PER_MSEC;

	while ((ahci_read(port, reg) & bits) != value) {
		if (clock_now() > deadline)
			return false;
		thread_sleep(NSEC_PER_MSEC / 4);
	}
	return true;
}

static void change_command(const struct ahci_port *port, uint32_t clear, uint32_t set)
{
	ahci_write(port, AHCI_PORT_CMD, (ahci_read(port, AHCI_PORT_CMD) & ~clear) | set);
}

static void clear_errors(const struct ahci_port *port)
{
	ahci_write(port, AHCI_PORT_SERR, ~0u);
	ahci_write(port, AHCI_PORT_IS, ~0u);
}

void ahci_port_start(struct ahci_port *port)
{
	clear_errors(port);
	change_command(port, 0, AHCI_CMD_ST);
}

bool ahci_port_stop(struct ahci_port *port)
{
	change_command(port, AHCI_CMD_ST, 0);
	return ahci_wait(port, AHCI_PORT_CMD, AHCI_CMD_CR, 0, STOP_MS);
}

bool ahci_port_prepare(struct ahci_port *port)
{
	uint64_t received = port->list_address + AHCI_RECEIVED;

	if (!ahci_port_stop(port))
		return false;
	change_command(port, AHCI_CMD_FRE, 0);
	if (!ahci_wait(port, AHCI_PORT_CMD, AHCI_CMD_FR, 0, STOP_MS))
		return false;
	ahci_write(port, AHCI_PORT_CLB, (uint32_t)port->list_address);
	ahci_write(port, AHCI_PORT_CLB + 4, (uint32_t)(port->list_address >> 32));
	ahci_write(port, AHCI_PORT_FB, (uint32_t)received);
	ahci_write(port, AHCI_PORT_FB + 4, (uint32_t)(received >> 32));
	clear_errors(port);
	change_command(port, AHCI_CMD_ICC,
		       AHCI_CMD_FRE | AHCI_CMD_SUD | AHCI_CMD_POD | AHCI_CMD_ACTIVE);
	return true;
}

bool ahci_port_wait_ready(struct ahci_port *port)
{
	if (!ahci_wait(port, AHCI_PORT_SSTS, 0xf, AHCI_DETECT_READY, LINK_MS))
		return false;
	/* Let the state of the device come through. */
	ahci_write(port, AHCI_PORT_SERR, ~0u);
	return ahci_wait(port, AHCI_PORT_TFD, ATA_STATUS_BSY | ATA_STATUS_DRQ, 0, SPIN_UP_MS);
}

bool ahci_port_reset(struct ahci_port *port)
{
	ahci_write(port, AHCI_PORT_SCTL, AHCI_SCTL_RESET);
	thread_sleep(RESET_HOLD_NS);
	ahci_write(port, AHCI_PORT_SCTL, AHCI_SCTL_NONE);
	return ahci_port_wait_ready(port);
}

void ahci_fill_header(struct ahci_port *port, unsigned int slot, unsigned int table, bool write,
		      uint32_t regions)
{
	port->list[slot] = (struct ahci_header){
	    .flags = AHCI_FIS_WORDS | (write ? AHCI_HEADER_WRITE : 0) | regions << 16,
	    .table = port->tables_address + table * sizeof(*port->tables)};
}

bool ahci_port_read_page(struct ahci_port *port, const struct ata_command *command)
{
	struct ahci_table *table = &port->tables[AHCI_OWN_TABLE];
	uint64_t deadline = clock_now() + OWN_MS * NSEC_PER_MSEC;

	memset(port->page, 0, ATA_SECTOR);
	ata_fill_fis(table->fis, command);
	table->regions[0] =
	    (struct ahci_region){.address = port->page_address, .length = ATA_SECTOR - 1};
	ahci_fill_header(port, 0, AHCI_OWN_TABLE, false, 1);
	dma_write_barrier();
	ahci_write(port, AHCI_PORT_CI, 1);
	for (;;) {
		uint32_t interrupts = ahci_read(port, AHCI_PORT_IS);

		if (interrupts & (AHCI_INTERRUPT_TASK | AHCI_INTERRUPT_BUS))
			return false;
		if (!(ahci_read(port, AHCI_PORT_CI) & 1))
			break;
		if (clock_now() > deadline)
			return false;
		thread_sleep(NSEC_PER_MSEC / 4);
	}
	dma_read_barrier();
	return !(ahci_read(port, AHCI_PORT_TFD) & ATA_STATUS_ERR);
}
