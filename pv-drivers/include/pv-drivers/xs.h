/* SPDX-License-Identifier: MIT */
/*
 * A client of the store (public/io/xs_wire.h) over any stream of bytes: the ring that a domain shares with the
 * daemon (pv-drivers/xs_ring.h), or whatever connects to a daemon in the same image.
 *
 * Paths are absolute, or relative to the caller's /local/domain/N. Functions return 0 or a length, or a negated
 * error as hypercalls do (public/errno.h, XEN_E*): what the daemon named, or
 *
 *   -XEN_EINVAL  the request does not fit into a message of 4096 bytes
 *   -XEN_ERANGE  the answer does not fit into the caller's memory
 *   -XEN_EIO     the stream is broken or the daemon broke the protocol; from then on nothing else is returned
 *
 * All functions but xs_init wait for the daemon, so they are for threads (guest/thread.h), not for event handlers;
 * threads_init must have been called. Many threads may use one struct xs: requests are sent one at a time.
 * The daemon is not trusted: whatever it sends, no memory but the caller's result is written.
 *
 * Needs of the runtime: threads' mutexes and wait queues, events_save and _restore, format_string_v, memcpy,
 * memmove, memcmp and strlen. No memory is allocated.
 */
#ifndef PV_DRIVERS_XS_H
#define PV_DRIVERS_XS_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <guest/thread.h>
#include <public/xen.h>
#include <public/io/xs_wire.h>

struct xs;

/*
 * The stream. read and write do not wait: they move what they can at once and return how many bytes that was, 0 if
 * none, or a negated error if none ever will. Whoever makes bytes or room appear calls wake_all(wait) after that,
 * from a thread or an event handler. xs_init sets wait; the rest is the transport's.
 */
struct xs_transport {
	long (*write)(struct xs_transport *transport, const void *bytes, size_t count);
	long (*read)(struct xs_transport *transport, void *bytes, size_t count);
	struct wait_queue *wait;
};

/* A transaction's number; 0: the request belongs to none. */
typedef uint32_t xs_transaction;

/*
 * A watch: fired is called when something at or below path changes, and once at first. Path, in the daemon's words,
 * is what changed; when changes came faster than they were handled it is the watch's own, which stands for all
 * below it. It runs in the thread that dispatches (xs_dispatch), may make requests, and may take away watches,
 * its own too. The structure and path stay the caller's, unchanged until xs_unwatch.
 */
struct xs_watch {
	const char *path;
	void (*fired)(struct xs_watch *watch, const char *path);

	/* Of the client. */
	struct xs_watch *next;
	uint32_t id; /* its token */
	bool missed; /* changed, with no room left to say where */
};

struct xs_permission {
	domid_t domain;
	char
	    access; /* n none, r read, w write, b both; the first entry is the owner's, its access that of all others */
};

/*
 * Requests.
 */

/* The value, with a terminating zero byte after it. Returns its length without that; size counts it. */
long xs_read(struct xs *xs, xs_transaction t, const char *path, char *value, size_t size);
/* A value that is a number, decimal, or hexadecimal with 0x: 0, or -XEN_EINVAL if it is none. */
long xs_read_number(struct xs *xs, xs_transaction t, const char *path, uint64_t *number);
bool xs_exists(struct xs *xs, xs_transaction t, const char *path);

/* Makes what is missing on the way to it, too. */
long xs_write(struct xs *xs, xs_transaction t, const char *path, const void *value, size_t length);
/* A formatted value of at most 1023 characters, -XEN_EINVAL if it is longer. */
long xs_printf(struct xs *xs, xs_transaction t, const char *path, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
long xs_vprintf(struct xs *xs, xs_transaction t, const char *path, const char *format,
		va_list arguments);
long xs_mkdir(struct xs *xs, xs_transaction t, const char *path);
/* With all below it. */
long xs_remove(struct xs *xs, xs_transaction t, const char *path);

/*
 * The names of the children, each ended by a zero byte; returns how many bytes that is. Long lists come in
 * several messages; if they change in between, it begins anew.
 */
long xs_directory(struct xs *xs, xs_transaction t, const char *path, char *names, size_t size);
/* Step through them: the one after name (NULL: the first), or NULL at the end. bytes: what xs_directory returned. */
const char *xs_next_name(const char *names, long bytes, const char *name);

/* Returns how many there are; at most `count` are filled in. */
long xs_get_permissions(struct xs *xs, xs_transaction t, const char *path,
			struct xs_permission *permissions, unsigned int count);
long xs_set_permissions(struct xs *xs, xs_transaction t, const char *path,
			const struct xs_permission *permissions, unsigned int count);

/* What is between the two takes effect as a whole at the end, or, with -XEN_EAGAIN, not at all: do it again. */
long xs_transaction_start(struct xs *xs, xs_transaction *t);
long xs_transaction_end(struct xs *xs, xs_transaction t, bool commit);

/* After an error there is no watch. */
long xs_watch(struct xs *xs, struct xs_watch *watch);
/*
 * Afterwards, and even after an error, fired does not run and will not. The caller must not hold what fired waits
 * for, unless it is fired that calls.
 */
long xs_unwatch(struct xs *xs, struct xs_watch *watch);
/* End all watches and transactions that an earlier user of this connection left (a kernel that was replaced). */
long xs_reset_watches(struct xs *xs);

/*
 * For tools. path: memory for /local/domain/N.
 */
long xs_domain_path(struct xs *xs, domid_t domain, char *path, size_t size);
long xs_introduce(struct xs *xs, domid_t domain, unsigned long mfn, uint32_t port);
long xs_release(struct xs *xs, domid_t domain);
/* 1, 0, or an error. */
long xs_is_introduced(struct xs *xs, domid_t domain);
long xs_resume(struct xs *xs, domid_t domain);
/* domain gets the rights that target has. */
long xs_set_target(struct xs *xs, domid_t domain, domid_t target);
/* To the daemon itself; words: count strings. The answer is text, as with xs_read. */
long xs_control(struct xs *xs, const char *const *words, unsigned int count, char *answer,
		size_t size);

/*
 * Watches are dispatched by a thread that calls this again and again: it waits for a change, until a system time
 * (0: for ever), and calls what is to be called. False when time ran out or the stream is broken. One thread a
 * struct xs.
 */
bool xs_dispatch(struct xs *xs, uint64_t deadline);
/* Start a thread that does that until the stream breaks. 0, or -XEN_ENOMEM. */
long xs_dispatch_thread(struct xs *xs, const char *name);

/* The structure, for whoever owns a connection; nobody else looks inside. */

/* Room for changes that wait to be dispatched. */
#define XS_EVENTS 2048

struct xs_request;

struct xs {
	struct xs_transport *transport;
	struct mutex turn; /* of the one that makes a request: one at a time, taken before lock */
	struct mutex lock; /* of all below */
	struct wait_queue
	    wait;   /* for the transport, or for another thread to have received something */
	long error; /* what ended the connection, or 0 */
	struct xs_request *request; /* waiting for its answer */
	uint32_t last_request;
	/* What is being received. */
	struct xsd_sockmsg header;
	size_t received; /* bytes of header, then of payload */
	char payload[XENSTORE_PAYLOAD_MAX];
	/* Watches, and what has changed: each time a watch's id and the path with its zero. */
	struct xs_watch *watches;
	uint32_t last_watch;
	const struct xs_watch *firing; /* whose fired runs */
	struct thread *dispatcher;
	char events[XS_EVENTS];
	size_t events_used;
	char event_path[XS_EVENTS]; /* for fired */
};

/* Make a connection over a transport that is ready. Makes no request. */
void xs_init(struct xs *xs, struct xs_transport *transport);

#endif
