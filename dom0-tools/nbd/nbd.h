/* SPDX-License-Identifier: MIT */
/*
 * Disks on a network block device server: the client's side of the NBD protocol (doc/proto.md of the NBD project: fixed
 * newstyle negotiation, simple replies), without the network, which is a transport that somebody else has (tcp.c).
 *
 * A connection that is lost is made again, and what was in flight is sent again. A write that was answered may still be
 * lost with the server until a flush; so that a flush after a reconnection means what it says, the data of such writes
 * stays here, in a log of fixed size, and is written again first. When the log is full the client flushes by itself.
 * While there is no server requests wait, for as long as `patience` allows, and fail after that until there is one again.
 *
 * Context: requests come through the block device in any context. All functions below belong to one thread, the
 * transport's; only the list of what was submitted is shared, with events masked.
 */
#ifndef NBD_NBD_H
#define NBD_NBD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <pv-drivers/block.h>

#define NBD_PORT	 10809
#define NBD_EXPORT	 128 /* characters of an export's name, with the end */
#define NBD_HOST	 128
#define NBD_SLOTS	 64
#define NBD_ENTRIES	 256
#define NBD_LOG_SIZE	 (2u << 20)
#define NBD_MAX_SEGMENTS 64

/* Seconds without a reply after which a connection is taken for lost, and seconds without a server until requests fail. */
#define NBD_REPLY_SECONDS 30
#define NBD_PATIENCE	  120

struct nbd;

/* How bytes get to the server. */
struct nbd_transport {
	/*
	 * Take bytes for the server; returns how many there was room for. stays: they are left as they are until they have
	 * been sent, or the connection has ended. nbd_run follows when there is room again.
	 */
	size_t (*send)(struct nbd *nbd, const void *bytes, size_t length, bool stays);
	/* All there is for now has been given. */
	void (*push)(struct nbd *nbd);
	/* End the connection, at once and without another word. */
	void (*drop)(struct nbd *nbd);
	/* Any context, events masked: let the thread call nbd_run soon. */
	void (*wake)(struct nbd *nbd);
};

/* Something on its way: a guest's request, one of our own flushes, or a write again. */
struct nbd_slot {
	struct nbd_slot *next; /* of those that wait to be sent */
	struct block_request *request;
	struct nbd_entry *entry; /* of a write that is in the log */
	uint64_t sector, covers; /* of a flush: what was answered before it was sent */
	uint32_t length, generation;
	uint16_t type;
	uint8_t lost;	 /* connections, after it had been sent */
	bool used, sent; /* sent: all of it */
	uint64_t sent_at;
};

/* A write in the log, in the order in which they were made. */
struct nbd_entry {
	uint64_t sector, answered; /* when, as a count of answers */
	uint32_t length, place;	   /* in the log's bytes */
	enum { NBD_ENTRY_FREE, NBD_ENTRY_SENT, NBD_ENTRY_ANSWERED, NBD_ENTRY_STABLE } state;
};

struct nbd_counters {
	uint64_t connections, repeated, own_flushes, failed;
};

struct nbd {
	/* Of the caller, before nbd_init. */
	const struct nbd_transport *transport;
	void *transport_data;
	char export_name[NBD_EXPORT];
	uint64_t patience; /* nanoseconds; 0: requests wait for ever */
	bool read_only;	   /* wanted so */

	struct block_device device; /* complete once nbd_is_ready was true for the first time */
	struct nbd_counters counters;
	/* Why the server was given up, or NULL; static. */
	const char *problem;
	bool refused; /* by its word, not by a loss: there is no use in trying again at once */

	/* Private from here on. */
	enum {
		NBD_DOWN,
		NBD_GREETING,
		NBD_ANSWER,
		NBD_ANSWER_DATA,
		NBD_EXPORT_INFO,
		NBD_REPLAYING,
		NBD_READY
	} state;
	bool known;	     /* device is complete */
	bool failing;	     /* patience is at its end */
	uint64_t down_since; /* without a server that works */
	uint64_t heard;	     /* when, from the server */
	uint64_t now;
	uint64_t size;
	uint16_t server_flags;
	uint32_t minimum;

	uint8_t in[256];
	uint32_t have, want, skip, rest;
	uint32_t answer_type;
	bool zeroes;		  /* old servers send many of them */
	struct nbd_slot *reading; /* whose data comes in */
	uint32_t reading_at;
	unsigned int reading_segment;

	uint8_t out[256];
	uint32_t out_length, out_sent;
	struct nbd_slot *sending, *to_send, **to_send_end; /* data of `sending` is next */
	uint32_t sending_at;

	struct block_request_queue submitted, waiting;
	struct nbd_slot slots[NBD_SLOTS + 1]; /* the last: for what is written again */
	uint64_t lost_answers;		      /* those before this connection */

	struct nbd_entry entries[NBD_ENTRIES];
	unsigned int oldest, entries_used;
	uint8_t *log;
	uint32_t log_start, log_used;
	uint64_t answers;
	bool flushing; /* by ourselves */
	bool
	    owed; /* the error of such a flush, or of a write that was made again: the next flush of the user has it */
};

/* Memory for the log is the caller's too: NBD_LOG_SIZE bytes. */
void nbd_init(struct nbd *nbd, uint8_t *log);

/* now: system time. Of the transport: there is a connection; it is lost; bytes have come; there is something to do. */
void nbd_connected(struct nbd *nbd, uint64_t now);
void nbd_lost(struct nbd *nbd, uint64_t now);
/* May drop the connection; the rest of the bytes is ignored then. */
void nbd_received(struct nbd *nbd, const void *bytes, size_t length, uint64_t now);
void nbd_run(struct nbd *nbd, uint64_t now);
/* At least each second: what takes too long. */
void nbd_tick(struct nbd *nbd, uint64_t now);
/* The connection is to end, with a word to the server; nothing may be in flight. */
void nbd_say_goodbye(struct nbd *nbd);

static inline bool nbd_is_ready(const struct nbd *nbd)
{
	return nbd->state == NBD_READY;
}

/* nbd://HOST[:PORT][/EXPORT], HOST a name or an address. NULL, or what is wrong with it. Pure. */
struct nbd_target {
	char host[NBD_HOST];
	uint16_t port;
	char export_name[NBD_EXPORT];
};
const char *nbd_parse_target(const char *text, struct nbd_target *target);

#endif
