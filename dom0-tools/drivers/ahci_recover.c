/* SPDX-License-Identifier: MIT */
/* A port's thread: what happens after errors [6.2.2], when commands take too long, and when the link is lost. */
#include "drivers/ahci.h"
#include <guest/event.h>
#include <public/errno.h>
#include <stdio.h>

#define NONE -1

void ahci_call_thread(struct ahci_port *port)
{
	port->attention = true;
	wake_all(&port->thread_wait);
}

void ahci_port_live(struct ahci_port *port)
{
	bool masked = events_save();

	ahci_write(port, AHCI_PORT_IE,
		   AHCI_INTERRUPT_ENDED | AHCI_INTERRUPT_LINK | AHCI_INTERRUPT_TASK |
		       AHCI_INTERRUPT_BUS);
	port->state = AHCI_LIVE;
	port->alone = false;
	port->ready = 0;
	port->again = port->used;
	ahci_serve(port);
	events_restore(masked);
}

/* What it still does, it does not do to memory of others. Other disks of a controller that does not obey go with it. */
void ahci_give_up(struct ahci_port *port, const char *why)
{
	bool masked;

	printf("%s: %s: the disk is gone\n", port->name, why);
	ahci_write(port, AHCI_PORT_IE, 0);
	if (!ahci_port_stop(port)) {
		printf("%s: and the port does not stop: the controller is cut off from memory\n",
		       port->name);
		pci_bus_master(port->controller->pci, false);
	}
	masked = events_save();
	port->state = AHCI_DEAD;
	block_gone(&port->device);
	while (port->used)
		ahci_slot_end(port, (unsigned int)__builtin_ctz(port->used), -XEN_EIO);
	ahci_requests_fail(port);
	events_restore(masked);
}

const char *ahci_identify(struct ahci_port *port, struct ata_identity *identity)
{
	const struct ata_command command = {.code = ATA_IDENTIFY};

	if (!ahci_port_read_page(port, &command))
		return "it does not say what it is";
	return ata_parse_identify(port->page, identity);
}

/*
 * Recovery. Nothing is sent meanwhile, and no interrupt changes anything: the thread is alone with the port.
 */

/* Stop the engine, and reset the disk if that is needed to know that it does nothing. NULL, or why it is lost. */
static const char *quiet(struct ahci_port *port, bool *was_reset)
{
	bool stopped = ahci_port_stop(port);
	struct ata_identity identity;
	const char *problem;

	*was_reset = !stopped || port->timed_out ||
		     (port->error_interrupts & (AHCI_INTERRUPT_LINK | AHCI_INTERRUPT_BUS)) ||
		     ahci_read(port, AHCI_PORT_SACT) || ahci_read(port, AHCI_PORT_CI) ||
		     (ahci_read(port, AHCI_PORT_TFD) & (ATA_STATUS_BSY | ATA_STATUS_DRQ));
	if (!*was_reset) {
		ahci_port_start(port);
		return NULL;
	}
	if (!ahci_port_reset(port))
		return AHCI_DETECT(ahci_read(port, AHCI_PORT_SSTS)) == AHCI_DETECT_READY
			   ? "it does not come back after a reset"
			   : "its link is lost";
	if (!stopped && !ahci_port_stop(port))
		return "it does not stop";
	ahci_port_start(port);
	problem = ahci_identify(port, &identity);
	if (!problem && !ata_same_disk(&identity, &port->identity))
		problem = "another disk has taken its place";
	return problem;
}

/* Which queued command failed, as the disk has it in a log [6.2.2.2]. */
static int ask_failed(struct ahci_port *port)
{
	const struct ata_command command = {
	    .code = ATA_READ_LOG_EXT, .block = ATA_LOG_NCQ_ERROR, .blocks = 1};
	int tag;

	if (!port->identity.error_log)
		return NONE;
	if (!ahci_port_read_page(port, &command)) {
		/* Nor does it tell that. Its next command begins anew. */
		if (ahci_port_stop(port) && ahci_port_reset(port))
			ahci_port_start(port);
		return NONE;
	}
	tag = ata_parse_error_log(port->page);
	return tag >= 0 && (port->used & ~port->again) >> tag & 1 ? tag : NONE;
}

/* Is it worth another try? Not what the disk says of its medium. */
static bool is_passing(const struct ahci_port *port)
{
	return (port->error_interrupts & AHCI_INTERRUPT_BUS) ||
	       (ATA_ERROR(port->error_task) & ATA_ERROR_ICRC);
}

static int error_of(const struct ahci_port *port, unsigned int slot)
{
	bool discard = port->slots[slot].request->operation == BLOCK_DISCARD;

	/* A disk that does not know the command aborts it. */
	return discard && (ATA_ERROR(port->error_task) & ATA_ERROR_ABRT) ? -XEN_EOPNOTSUPP
									 : -XEN_EIO;
}

static void end_failed(struct ahci_port *port, unsigned int slot)
{
	port->timeouts = 0;
	if (is_passing(port) && port->slots[slot].tries < AHCI_TRIES)
		return;
	ahci_slot_end(port, slot, error_of(port, slot));
}

/* What took too long for the last time; or, when nothing gets on, everything. */
static void end_hopeless(struct ahci_port *port)
{
	bool all = ++port->vain > AHCI_VAIN;
	uint64_t now = clock_now();

	for (unsigned int slot = 0; slot < AHCI_SLOTS; slot++) {
		const struct ahci_slot *s = &port->slots[slot];
		bool late =
		    port->timed_out && s->tries >= AHCI_TRIES && now - s->sent > disk_timeout;

		if ((port->used & ~port->again) >> slot & 1 && (all || late))
			ahci_slot_end(port, slot, -XEN_EIO);
	}
}

static void recover(struct ahci_port *port)
{
	uint32_t sent = port->used & ~port->again;
	int failed = port->alone && sent && !port->timed_out ? __builtin_ctz(sent) : NONE;
	const char *problem;
	bool was_reset, masked;

	ahci_write(port, AHCI_PORT_IE, 0);
	problem = port->timed_out && ++port->timeouts > AHCI_TIMEOUTS ? "it does not answer"
								      : quiet(port, &was_reset);
	if (problem) {
		ahci_give_up(port, problem);
		return;
	}
	if (failed == NONE && sent && !was_reset)
		failed = ask_failed(port);
	masked = events_save();
	/* With the failed one unknown, or one that takes too long: one at a time, so that it shows. */
	port->singly |= failed == NONE && sent;
	if (failed != NONE)
		end_failed(port, (unsigned int)failed);
	end_hopeless(port);
	port->timed_out = false;
	port->error_interrupts = 0;
	events_restore(masked);
	ahci_port_live(port);
}

/*
 * The watch
 */

static bool is_overdue(const struct ahci_port *port, uint64_t now)
{
	uint32_t sent = port->used & ~port->again;

	for (; sent; sent &= sent - 1) {
		if (now - port->slots[__builtin_ctz(sent)].sent > disk_timeout)
			return true;
	}
	return false;
}

uint64_t ahci_watch(struct ahci_port *port)
{
	bool masked = events_save(), more;

	port->attention = false;
	/* Interrupts may get lost. */
	ahci_serve(port);
	if (port->state == AHCI_LIVE && is_overdue(port, clock_now())) {
		printf("%s: a command takes too long; the disk is reset\n", port->name);
		port->state = AHCI_RECOVERING;
		port->timed_out = true;
		port->error_interrupts = 0;
		port->error_task = 0;
	}
	events_restore(masked);
	if (port->state == AHCI_DEAD)
		return 0;
	if (port->state == AHCI_RECOVERING)
		recover(port);
	masked = events_save();
	/* Is there something to watch over? Otherwise the next request calls the thread. */
	more = port->used || port->sent != port->sent_seen;
	port->sent_seen = port->sent;
	port->watched = more;
	events_restore(masked);
	return more ? clock_now() + AHCI_WATCH : 0;
}

void ahci_watch_thread(void *data)
{
	struct ahci_port *port = data;

	while (port->state != AHCI_DEAD) {
		uint64_t next = ahci_watch(port);
		bool masked = events_save();

		while (!port->attention && wait_on(&port->thread_wait, next))
			;
		events_restore(masked);
	}
}
