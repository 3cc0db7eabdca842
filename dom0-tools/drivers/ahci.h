/* SPDX-License-Identifier: MIT */
/*
 * AHCI controllers and their disks: the parts of the driver and what they share.
 *
 *   ata.c           what disks are told, what they say of themselves
 *   ahci_request.c  block requests become commands, and how those end
 *   ahci_port.c     the engine of a port: started, stopped, reset; commands of the driver's own
 *   ahci_recover.c  a port's thread: after errors, when commands take too long, when the link is lost
 *   ahci.c          life of a controller
 *
 * A port carries either queued commands (NCQ), up to 32, or one other command. So flush and discard wait until the queue
 * is empty, and what comes after them waits too. State is changed with events masked (see pv-drivers/block.h).
 *
 * After an error the port's thread stops the engine, finds out which command it was, ends that one with an error, and
 * repeats the others. Where the disk does not say which one failed they are all repeated one at a time, not queued, until
 * one of them fails again.
 *
 * A request is given back only when the port cannot reach its memory any more: the command ended, the engine was stopped,
 * or the controller's access to memory has been taken away.
 */
#ifndef DRIVERS_AHCI_H
#define DRIVERS_AHCI_H

#include <stdbool.h>
#include <stdint.h>
#include "drivers/ahci_spec.h"
#include "drivers/drivers.h"
#include "drivers/ata.h"
#include "drivers/transfer.h"
#include "pci/pci.h"
#include "pci/dma.h"
#include <guest/clock.h>
#include <guest/thread.h>

#define AHCI_SLOTS 32
#define AHCI_TRIES \
	2 /* how often a command that takes too long, or does not get through, is given to the disk */
#define AHCI_VAIN     5 /* recoveries in a row by which no command ends, before all do */
#define AHCI_TIMEOUTS 3 /* in a row, before the disk is given up */

#define AHCI_TIMEOUT  (30 * NSEC_PER_SEC)
#define AHCI_WATCH    NSEC_PER_SEC /* between two looks while there is work */

struct ahci;

/* A command that the disk has, or is to get again. */
struct ahci_slot {
	struct block_request *request; /* NULL: free */
	uint64_t block;		       /* of the disk */
	uint32_t blocks;
	uint32_t regions;
	uint64_t sent; /* system time */
	uint8_t tries;
};

struct ahci_port {
	struct ahci *controller;
	unsigned int number;
	char name[16]; /* "ahci0.5" */
	struct ata_identity identity;
	struct block_device device;

	/* With events masked. A bit for each slot: */
	enum { AHCI_ABSENT, AHCI_LIVE, AHCI_RECOVERING, AHCI_DEAD } state;
	uint32_t used;	       /* holds a command */
	uint32_t again;	       /* of these: is to be sent (again) */
	uint32_t ready;	       /* of these: will be sent with the next write of PxCI */
	bool alone;	       /* the disk has a command that is not queued */
	bool singly;	       /* what is sent again is not queued */
	bool busy;	       /* commands are being sent, or ends handled, further up the stack */
	bool watched;	       /* the thread looks from time to time */
	bool attention;	       /* the thread is to look now */
	bool timed_out;	       /* the reason to recover */
	unsigned int vain;     /* recoveries in a row by which no command has ended */
	unsigned int timeouts; /* in a row, without one command that ends */
	uint32_t error_interrupts, error_task; /* PxIS and PxTFD as they were at the error */
	uint64_t sent, sent_seen;	       /* commands so far */
	struct block_request_queue requests;
	struct wait_queue thread_wait;
	struct ahci_slot slots[AHCI_SLOTS];

	/* Memory: the command list and what is received, tables for slots and one more, a page. */
	struct ahci_header *list;
	struct ahci_table *tables;
	uint8_t *page;
	dma_address_t list_address, tables_address, page_address;
};

struct ahci {
	struct pci_device *pci;
	volatile void *registers;
	uint64_t registers_size;
	uint32_t capabilities;
	char name[12];
	struct ahci_port *ports[AHCI_PORTS]; /* NULL: none, or nothing there */
	char used_as[64];		     /* the names of its disks */
};

/* The driver's own table, after those of the slots. */
#define AHCI_OWN_TABLE AHCI_SLOTS
#define AHCI_TABLES    (AHCI_SLOTS + 1)

/* ---- ahci_port.c ---- */

uint32_t ahci_read(const struct ahci_port *port, uint32_t reg);
void ahci_write(const struct ahci_port *port, uint32_t reg, uint32_t value);
/* Wait until the bits of a register have a value, for so many ms. Threads. */
bool ahci_wait(const struct ahci_port *port, uint32_t reg, uint32_t bits, uint32_t value,
	       unsigned int ms);
/* Start the engine; stop it: false, it does not stop. After that the port uses no memory but for received FISes. Threads. */
void ahci_port_start(struct ahci_port *port);
bool ahci_port_stop(struct ahci_port *port);
/* Tell the port where its memory is. The engine stands still. False: it does not do that. */
bool ahci_port_prepare(struct ahci_port *port);
/* Reset link and disk, and wait until that is ready. The engine stands still. False: there is no disk any more. */
bool ahci_port_reset(struct ahci_port *port);
bool ahci_port_wait_ready(struct ahci_port *port);
/*
 * A command that reads 512 bytes into the port's page, sent and waited for. Nothing else is under way, the port's
 * interrupts are off, and the engine runs. False: it failed, and the engine is to be stopped.
 */
bool ahci_port_read_page(struct ahci_port *port, const struct ata_command *command);
/* Write an element of the command list. */
void ahci_fill_header(struct ahci_port *port, unsigned int slot, unsigned int table, bool write,
		      uint32_t regions);

/* ---- ahci_request.c: events are masked ---- */

/*
 * Fill in the memory of as much of the request's data as one command can carry, from where the transfer has got to. The
 * transfer moves on. Returns the number of bytes, 0: a segment is not valid.
 */
uint32_t ahci_fill_regions(const struct pci_device *pci, const struct block_request *request,
			   struct transfer *t, uint32_t unit, bool wide,
			   struct ahci_region *regions, uint32_t *count);
/* Send what is to be sent again, then requests, as long as the port takes them. */
void ahci_send_requests(struct ahci_port *port);
/* End a slot's command. */
void ahci_slot_end(struct ahci_port *port, unsigned int slot, int status);
/* All that is queued ends with -XEN_EIO. */
void ahci_requests_fail(struct ahci_port *port);
/* Look at what the port has to say, and send what can be sent. */
void ahci_serve(struct ahci_port *port);
extern const struct block_operations ahci_operations;

/* ---- ahci_recover.c ---- */

/* Events are masked. */
void ahci_call_thread(struct ahci_port *port);
/* One round of the thread. Returns when to come again, 0: when called. */
uint64_t ahci_watch(struct ahci_port *port);
/* The thread itself. */
void ahci_watch_thread(void *port);
/* Let interrupts come; send what the slots hold, and requests. */
void ahci_port_live(struct ahci_port *port);
/* The port is given up. */
void ahci_give_up(struct ahci_port *port, const char *why);
/* Ask the disk what it is. NULL, or what is wrong. The engine runs, nothing is under way. */
const char *ahci_identify(struct ahci_port *port, struct ata_identity *identity);

#endif
