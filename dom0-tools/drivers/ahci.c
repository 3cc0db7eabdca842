/* SPDX-License-Identifier: MIT */
/* The life of an AHCI controller: found, reset [10.4.3], its ports looked at [10.1.2]. */
#include "drivers/ahci.h"
#include "block/registry.h"
#include "drivers/registers.h"
#include <guest/event.h>
#include <public/errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REGISTERS     AHCI_PORT(AHCI_PORTS)
#define REGISTERS_BAR 5
#define PAGE	      4096

#define RESET_MS      1000
#define HANDOFF_MS    2000 /* while the firmware is busy [10.6.3] */
#define DETECT_MS     20   /* until a device shows at all; 10 [10.1.2] */

static uint32_t get(const struct ahci *c, uint32_t reg)
{
	return register_read32(c->registers, reg);
}

static void set(const struct ahci *c, uint32_t reg, uint32_t value)
{
	register_write32(c->registers, reg, value);
}

static bool wait_clear(const struct ahci *c, uint32_t reg, uint32_t bits, unsigned int ms)
{
	uint64_t deadline = clock_now() + ms * NSEC_PER_MSEC;

	while (get(c, reg) & bits) {
		if (clock_now() > deadline)
			return false;
		thread_sleep(NSEC_PER_MSEC);
	}
	return true;
}

static bool on_interrupt(void *data)
{
	struct ahci *c = data;
	uint32_t pending = get(c, AHCI_IS);

	for (uint32_t ports = pending; ports; ports &= ports - 1) {
		struct ahci_port *port = c->ports[__builtin_ctz(ports)];

		if (port)
			ahci_serve(port);
	}
	/* Only after the ports' own, or they raise it again. */
	if (pending)
		set(c, AHCI_IS, pending);
	return pending;
}

/* Firmware that has it gives it up, or is not asked further. */
static void take_from_firmware(const struct ahci *c)
{
	if (!(get(c, AHCI_CAP2) & AHCI_CAP2_HANDOFF))
		return;
	set(c, AHCI_BOHC, get(c, AHCI_BOHC) | AHCI_BOHC_OS);
	wait_clear(c, AHCI_BOHC, AHCI_BOHC_BIOS | AHCI_BOHC_BUSY, HANDOFF_MS);
}

static long reset(struct ahci *c)
{
	take_from_firmware(c);
	set(c, AHCI_GHC, AHCI_GHC_AHCI);
	set(c, AHCI_GHC, AHCI_GHC_AHCI | AHCI_GHC_RESET);
	if (!wait_clear(c, AHCI_GHC, AHCI_GHC_RESET, RESET_MS))
		return -XEN_EIO;
	set(c, AHCI_GHC, AHCI_GHC_AHCI);
	c->capabilities = get(c, AHCI_CAP);
	return 0;
}

/*
 * Ports
 */

static void port_free(struct ahci_port *port)
{
	struct pci_device *pci = port->controller->pci;

	port->controller->ports[port->number] = NULL;
	if (port->list)
		dma_free(pci, port->list, PAGE);
	if (port->tables)
		dma_free(pci, port->tables, AHCI_TABLES * sizeof(*port->tables));
	if (port->page)
		dma_free(pci, port->page, PAGE);
	free(port);
}

static struct ahci_port *port_make(struct ahci *c, unsigned int number)
{
	struct ahci_port *port = calloc(1, sizeof(*port));

	if (!port)
		return NULL;
	port->controller = c;
	port->number = number;
	snprintf(port->name, sizeof(port->name), "%s.%u", c->name, number);
	port->list = dma_alloc(c->pci, PAGE, &port->list_address);
	port->tables =
	    dma_alloc(c->pci, AHCI_TABLES * sizeof(*port->tables), &port->tables_address);
	port->page = dma_alloc(c->pci, PAGE, &port->page_address);
	if (!port->list || !port->tables || !port->page) {
		port_free(port);
		return NULL;
	}
	return port;
}

static bool reaches(const struct ahci_port *port)
{
	return (port->controller->capabilities & AHCI_CAP_64BIT) ||
	       !((port->list_address | port->page_address | port->tables_address) >> 32);
}

/* A disk that answers, or why there is none. The engine runs then. */
static const char *port_start(struct ahci_port *port)
{
	uint32_t signature;
	const char *problem;

	if (!reaches(port))
		return "the controller does not reach this memory";
	if (!ahci_port_prepare(port))
		return "the port does not stop";
	if (!ahci_port_wait_ready(port))
		return "it does not become ready";
	signature = ahci_read(port, AHCI_PORT_SIG);
	if (signature == ATA_SIGNATURE_ATAPI)
		return "it is an ATAPI device, not a disk";
	if (signature != ATA_SIGNATURE_DISK)
		return "it is not a disk";
	ahci_port_start(port);
	problem = ahci_identify(port, &port->identity);
	if (!(port->controller->capabilities & AHCI_CAP_NCQ))
		port->identity.queue = 0;
	return problem;
}

static void port_stop(struct ahci_port *port)
{
	/* What does not stop keeps what it may write to. */
	if (!ahci_port_stop(port))
		return;
	ahci_write(port, AHCI_PORT_CMD, ahci_read(port, AHCI_PORT_CMD) & ~AHCI_CMD_FRE);
	if (ahci_wait(port, AHCI_PORT_CMD, AHCI_CMD_FR, 0, RESET_MS))
		port_free(port);
}

static void fill_device(struct ahci_port *port)
{
	const struct ata_identity *i = &port->identity;

	port->device = (struct block_device){.operations = &ahci_operations,
					     .sectors = i->sectors,
					     .logical_size = i->logical_size,
					     .physical_size = i->physical_size,
					     .max_segments = BLOCK_MAX_SEGMENTS,
					     .discard_granularity = i->trim ? i->logical_size : 0,
					     .flags = BLOCK_DMA | (i->fua ? BLOCK_FUA : 0),
					     .driver = port};
}

static void port_register(struct ahci_port *port)
{
	struct disk facts = {.driver = "ahci"};

	snprintf(facts.place, sizeof(facts.place), "%s port %u", port->controller->pci->address,
		 port->number);
	snprintf(facts.model, sizeof(facts.model), "%s", port->identity.model);
	snprintf(facts.serial, sizeof(facts.serial), "%s", port->identity.serial);
	if (disk_register(&port->device, &facts))
		disk_note_use(port->controller->used_as, sizeof(port->controller->used_as),
			      port->device.name);
}

/* The thread comes first: what reads the partitions waits for it, if the disk fails then. */
static bool port_run(struct ahci_port *port)
{
	struct thread *thread = thread_create(port->name, ahci_watch_thread, port);

	if (!thread)
		return false;
	thread_detach(thread);
	fill_device(port);
	ahci_port_live(port);
	return true;
}

static bool port_probe(struct ahci *c, unsigned int number)
{
	struct ahci_port *port = port_make(c, number);
	const char *problem = port ? port_start(port) : "no memory";

	if (problem) {
		printf("%s.%u: what is there is not used: %s\n", c->name, number, problem);
		if (port)
			port_stop(port);
		return false;
	}
	c->ports[number] = port;
	if (port_run(port))
		return true;
	port_stop(port);
	return false;
}

/* All ports begin to look for something at once. */
static void spin_up(const struct ahci *c, uint32_t ports)
{
	for (unsigned int i = 0; i < AHCI_PORTS; i++) {
		uint32_t command = AHCI_PORT(i) + AHCI_PORT_CMD;

		if (ports >> i & 1)
			set(c, command, get(c, command) | AHCI_CMD_SUD | AHCI_CMD_POD);
	}
	thread_sleep(DETECT_MS * NSEC_PER_MSEC);
}

static unsigned int find_disks(struct ahci *c)
{
	uint32_t ports = get(c, AHCI_PI);
	unsigned int found = 0;

	for (unsigned int i = 0; i < AHCI_PORTS; i++) {
		if (AHCI_PORT(i + 1) > c->registers_size)
			ports &= ~(1u << i);
	}
	spin_up(c, ports);
	for (unsigned int i = 0; i < AHCI_PORTS; i++) {
		if (ports >> i & 1 && AHCI_DETECT(get(c, AHCI_PORT(i) + AHCI_PORT_SSTS)))
			found += port_probe(c, i);
	}
	return found;
}

/*
 * Found
 */

static long set_up(struct ahci *c)
{
	long error;

	/* Only so large as the ports that there are need it. */
	c->registers_size = c->pci->bars[REGISTERS_BAR].size;
	if (c->registers_size > REGISTERS)
		c->registers_size = REGISTERS;
	if (c->registers_size < AHCI_PORT(1))
		return -XEN_ENXIO;
	c->registers = pci_map(c->pci, REGISTERS_BAR, 0, c->registers_size, &error);
	if (!c->registers)
		return error;
	error = reset(c);
	if (error)
		return error;
	error = pci_interrupts_open(c->pci, 1);
	if (error > 0)
		error = pci_interrupt_handle(c->pci, 0, on_interrupt, c);
	if (error)
		return error;
	pci_bus_master(c->pci, true);
	set(c, AHCI_GHC, AHCI_GHC_AHCI | AHCI_GHC_INTERRUPTS);
	return find_disks(c) ? 0 : -XEN_ENODEV;
}

static void destroy(struct ahci *c)
{
	pci_bus_master(c->pci, false);
	if (c->registers)
		set(c, AHCI_GHC, AHCI_GHC_AHCI);
	pci_interrupts_close(c->pci);
	if (c->registers)
		pci_unmap(c->registers, c->registers_size);
	free(c);
}

static long probe(struct pci_device *pci)
{
	static unsigned int controllers;
	struct ahci *c = calloc(1, sizeof(*c));
	long error;

	if (!c)
		return -XEN_ENOMEM;
	c->pci = pci;
	snprintf(c->name, sizeof(c->name), "ahci%u", controllers++);
	error = set_up(c);
	if (error) {
		if (error != -XEN_ENODEV)
			printf("%s: the controller at %s does not start: error %ld\n", c->name,
			       pci->address, error);
		destroy(c);
		return error;
	}
	pci->private = c;
	pci->used_as = c->used_as;
	for (unsigned int i = 0; i < AHCI_PORTS; i++) {
		if (c->ports[i])
			port_register(c->ports[i]);
	}
	return 0;
}

static void stop(struct pci_device *pci)
{
	struct ahci *c = pci->private;

	for (unsigned int i = 0; i < AHCI_PORTS; i++) {
		if (c->ports[i] && c->ports[i]->state != AHCI_DEAD)
			block_flush(&c->ports[i]->device);
	}
}

static const struct pci_match matches[] = {
    {.vendor = PCI_ANY_ID, .device = PCI_ANY_ID, .class = 0x010601, .class_mask = 0xffffff}, {0}};

const struct pci_driver ahci_driver = {
    .name = "ahci", .matches = matches, .probe = probe, .stop = stop};
