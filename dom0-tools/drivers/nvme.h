/* SPDX-License-Identifier: MIT */
/*
 * NVMe controllers: the parts of the driver and what they share.
 *
 *   nvme_queue.c     pairs of queues: commands go out, completions come in
 *   nvme_request.c   block requests become commands; statuses become errors
 *   nvme_identify.c  what controller and namespaces say of themselves, checked
 *   nvme_admin.c     commands of the administration queue, events
 *   nvme.c           life of a controller: found, started, watched, reset, given up
 *
 * One pair of queues carries all I/O: dom0 has one vCPU. State is changed with events masked (see pv-drivers/block.h). One
 * thread for each controller does what takes time: it sends administration commands, looks for commands that take too
 * long, resets the controller. It sleeps for ever while the controller has nothing to do.
 *
 * A request is given back only when the controller cannot reach its memory any more: it said that it is done with the
 * command, or it was reset, or its access to memory has been taken away.
 */
#ifndef DRIVERS_NVME_H
#define DRIVERS_NVME_H

#include <stdbool.h>
#include <stdint.h>
#include "drivers/drivers.h"
#include "drivers/nvme_spec.h"
#include "drivers/transfer.h"
#include "pci/pci.h"
#include "pci/dma.h"
#include <guest/clock.h>
#include <guest/thread.h>

/* Entries of a queue: a page of commands. One always stays empty. */
#define NVME_DEPTH	64
#define NVME_SLOTS	(NVME_DEPTH - 1)
#define NVME_NAMESPACES 32 /* that are used */
/* Pages of a command's data after the first one: a list of 512 bytes in a page that holds eight of them. */
#define NVME_LIST_PAGES 64
#define NVME_TRIES	2 /* how often a command is given to the controller */
#define NVME_RESETS \
	3 /* in a row, without one command that succeeds, before the controller is given up */

#define NVME_ADMIN_TIMEOUT (10 * NSEC_PER_SEC)
#define NVME_ABORT_TIMEOUT (5 * NSEC_PER_SEC) /* for a command to end once it was aborted */
#define NVME_WATCH	   NSEC_PER_SEC	      /* between two looks while there is work */

struct nvme;

/* A command that its sender waits for, or the one with which the controller tells events. */
struct nvme_call {
	bool done;
	uint16_t status; /* with DNR, without phase: the field of the completion */
	uint32_t result;
};

/* One command that the controller has. */
struct nvme_slot {
	struct nvme_command command;   /* as sent: may be sent again after a reset */
	struct block_request *request; /* on the queue for I/O */
	struct nvme_call *call;	       /* on the one for administration */
	uint64_t sent;		       /* system time */
	uint64_t aborted;	       /* when it was asked to abort it; 0: it was not */
	uint8_t tries;
};

struct nvme_queue {
	uint16_t id;
	uint16_t depth; /* entries; 2 to NVME_DEPTH */
	bool live;	/* commands may be sent, completions come */
	bool broken;	/* the controller said something that makes no sense */
	uint8_t phase;	/* of a new completion */
	uint16_t tail, tail_told;
	uint16_t head;
	uint16_t sequence; /* makes a command's id differ from that of earlier ones in its slot */
	uint64_t free;	   /* a bit for each slot */
	struct nvme_command *commands;
	volatile struct nvme_completion *completions;
	dma_address_t commands_address, completions_address;
	struct nvme_slot slots[NVME_SLOTS];
};

struct nvme_namespace {
	struct block_device device;
	struct nvme *controller;
	uint32_t id;   /* 0: this entry is not used */
	uint8_t shift; /* log2 of the block's size */
};

/* What a controller says of itself, checked (nvme_identify.c). */
struct nvme_identity {
	char model[41], serial[21];
	uint32_t max_bytes;  /* in a command: a multiple of 4096 */
	uint32_t namespaces; /* highest number of one */
	bool write_cache;    /* flush means something */
	bool dataset;	     /* there is dataset management */
	bool namespace_events;
};

/* What a namespace says of itself, checked. */
struct nvme_format {
	uint64_t sectors; /* of 512 bytes; 0: there is none */
	uint8_t shift;
	bool read_only;
};

struct nvme {
	struct pci_device *pci;
	volatile void *registers;
	uint64_t capabilities;
	uint32_t stride; /* between doorbells */
	char name[12];
	struct nvme_identity identity;

	/* With events masked. */
	enum { NVME_STARTING, NVME_LIVE, NVME_RESETTING, NVME_DEAD } state;
	struct nvme_queue admin, io;
	struct block_request_queue requests; /* of all namespaces */
	bool busy;	/* commands are being sent, or completions handled, further up the stack */
	bool watched;	/* the thread looks from time to time */
	bool attention; /* the thread is to look now */
	uint64_t sent;	/* commands of I/O so far */
	unsigned int resets; /* in a row */
	struct wait_queue thread_wait, call_wait;

	/* Of the thread. */
	bool found; /* the namespaces have been looked for */
	struct nvme_call event;
	bool event_sent;
	unsigned int event_failures;
	uint64_t event_again;
	uint64_t sent_seen;
	void *page; /* for what controller and driver tell each other */
	dma_address_t page_address;
	uint64_t *lists; /* NVME_LIST_PAGES for each slot */
	dma_address_t lists_address;
	struct nvme_namespace namespaces[NVME_NAMESPACES];
	char used_as[64]; /* the names of its disks */
};

/* ---- nvme_queue.c: events are masked ---- */

/* Memory for a queue pair. 0 or -XEN_ENOMEM. Threads. */
long nvme_queue_make(struct nvme *c, struct nvme_queue *q, uint16_t id, uint16_t depth);
/* Empty the rings, as the controller does when it (re)creates the queue. What the slots hold stays. */
void nvme_queue_clear(struct nvme_queue *q);
/* A free slot, taken and empty, or NULL. */
struct nvme_slot *nvme_slot_take(struct nvme_queue *q);
void nvme_slot_free(struct nvme_queue *q, struct nvme_slot *slot);
static inline bool nvme_slot_used(const struct nvme_queue *q, unsigned int slot)
{
	return slot + 1u < q->depth && !(q->free >> slot & 1);
}
/* Give a slot's command to the controller, once the doorbell rings. */
void nvme_queue_send(struct nvme_queue *q, struct nvme_slot *slot);
void nvme_queue_ring(struct nvme *c, struct nvme_queue *q);
/*
 * Take what has come, calling nvme_completed for each. After a bounded number, or when the controller says nonsense
 * (broken), the thread is called.
 */
bool nvme_queue_serve(struct nvme *c, struct nvme_queue *q);
static inline bool nvme_queue_idle(const struct nvme_queue *q)
{
	return !~q->free;
}

/* ---- nvme_request.c: events are masked ---- */

/*
 * Fill in the addresses of as much of the request's data as one command can carry: from where the transfer has got to,
 * at most max_bytes, a multiple of 4096. pages[0] is the first address, the rest goes into a list of up to
 * NVME_LIST_PAGES. The transfer moves on. Returns the number of bytes, 0: a segment is not valid.
 */
uint32_t nvme_fill_pages(const struct pci_device *pci, const struct block_request *request,
			 struct transfer *t, uint32_t unit, uint32_t max_bytes, uint64_t *first,
			 uint64_t *list, unsigned int *count);
/* Send commands as long as there are requests and slots. */
void nvme_send_requests(struct nvme *c);
/* A command of the I/O queue has ended. */
void nvme_request_completed(struct nvme *c, struct nvme_slot *slot, uint16_t status);
/* End what cannot be carried out: a slot's request, or all that are queued. */
void nvme_slot_fail(struct nvme *c, struct nvme_slot *slot);
void nvme_requests_fail(struct nvme *c);

/* ---- nvme_identify.c: pure ---- */

#define NVME_PAGE 4096

/* From the 4096 bytes of Identify. False: a controller that cannot be used. */
bool nvme_parse_controller(const uint8_t *page, struct nvme_identity *identity);
/* NULL, or why the namespace cannot be used. */
const char *nvme_parse_namespace(const uint8_t *page, struct nvme_format *format);

/* ---- nvme_admin.c: the controller's thread ---- */

/* Send a command and wait for its end. 0, or -XEN_EIO: it failed, or there was no answer (c->admin.broken). */
long nvme_call(struct nvme *c, struct nvme_command *command, uint32_t *result);
long nvme_identify(struct nvme *c, uint32_t what, uint32_t namespace_id);
long nvme_create_io_queue(struct nvme *c);
/* The same as nvme_call for the abortion of an I/O command; its result does not matter. */
void nvme_abort(struct nvme *c, uint16_t id);
/* Ask the controller to tell of events; look at one that it told of. */
void nvme_events_start(struct nvme *c);
/* Returns when to call again, 0: when the thread is called. */
uint64_t nvme_events_handle(struct nvme *c);

/* ---- nvme.c ---- */

/* Events are masked. */
void nvme_completed(struct nvme *c, struct nvme_queue *q, struct nvme_slot *slot, uint16_t status,
		    uint32_t result);
void nvme_call_thread(struct nvme *c);
/* Take in what a namespace is now. The controller's thread. */
void nvme_namespace_update(struct nvme *c, uint32_t id);
/* One round of the thread: look at everything. Returns when to come again, 0: when called. */
uint64_t nvme_watch(struct nvme *c);

#endif
