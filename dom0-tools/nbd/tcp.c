/* SPDX-License-Identifier: MIT */
/*
 * Network disks over lwIP. Each connection's state belongs to lwIP's thread, in whose callbacks all of it happens; threads
 * that open and close hold lwIP's core lock. Requests come in any context and only leave a message for that thread.
 */
#include "nbd/source.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <guest/clock.h>
#include <guest/event.h>
#include <guest/thread.h>
#include <lwip/dns.h>
#include <lwip/tcp.h>
#include <lwip/tcpip.h>
#include <lwip/timeouts.h>
#include <public/errno.h>
#include "block/source.h"
#include "nbd/nbd.h"
#include "net/address.h"
#include "xl/json.h"

#define TICK_MS		1000
#define OPEN_SECONDS	8 /* less than tools wait, so that they hear why */
#define CONNECT_SECONDS 10
/* Between tries to connect: doubled each time. */
#define RETRY_MIN_MS 250
#define RETRY_MAX_MS 8000

struct connection {
	struct nbd nbd;
	struct nbd_target target;
	struct connection *next;
	struct tcp_pcb *pcb;
	struct tcpip_callback_msg *message;
	bool scheduled;	   /* the message is on its way; with events masked */
	bool resolving;	   /* lwIP will call with an address */
	bool dead;	   /* to be freed when neither is so any more */
	bool opening;	   /* nobody uses it yet; listeners are told of all news */
	uint64_t deadline; /* for that */
	uint64_t connecting_since, retry_at;
	unsigned int retry_ms;
	const char *trouble; /* of the network; static */
	uint8_t *log;
};

/* The core's lock is held. */
static struct connection *connections;

static void connect_now(struct connection *c);

/*
 * The life of a TCP connection
 */

/* Without callbacks from now on. In a callback of its own the return value must be ERR_ABRT after that. */
static void abort_pcb(struct connection *c)
{
	struct tcp_pcb *pcb = c->pcb;

	if (!pcb)
		return;
	c->pcb = NULL;
	tcp_arg(pcb, NULL);
	tcp_recv(pcb, NULL);
	tcp_sent(pcb, NULL);
	tcp_err(pcb, NULL);
	tcp_abort(pcb);
}

static void retry_later(struct connection *c)
{
	c->retry_ms = c->retry_ms ? LWIP_MIN(2 * c->retry_ms, RETRY_MAX_MS) : RETRY_MIN_MS;
	c->retry_at = clock_now() + c->retry_ms * NSEC_PER_MSEC;
}

static void look(struct connection *c)
{
	if (nbd_is_ready(&c->nbd))
		c->retry_ms = 0;
	if (!c->pcb && !c->resolving && !c->retry_at)
		retry_later(c);
	if (c->opening)
		block_changed(&c->nbd.device, c->nbd.device.sectors);
}

static err_t received(void *data, struct tcp_pcb *pcb, struct pbuf *p, err_t error)
{
	struct connection *c = data;

	if (!p) {
		abort_pcb(c);
		c->trouble = "the server has closed the connection";
		nbd_lost(&c->nbd, clock_now());
		look(c);
		return ERR_ABRT;
	}
	for (const struct pbuf *q = p; q && c->pcb == pcb; q = q->next)
		nbd_received(&c->nbd, q->payload, q->len, clock_now());
	if (c->pcb == pcb)
		tcp_recved(pcb, p->tot_len);
	pbuf_free(p);
	look(c);
	return c->pcb == pcb ? ERR_OK : ERR_ABRT;
}

static err_t sent(void *data, struct tcp_pcb *pcb, u16_t length)
{
	struct connection *c = data;

	nbd_run(&c->nbd, clock_now());
	look(c);
	return c->pcb == pcb ? ERR_OK : ERR_ABRT;
}

/* lwIP has freed it. */
static void failed(void *data, err_t error)
{
	struct connection *c = data;

	c->pcb = NULL;
	c->trouble = error == ERR_RST ? "the server refuses the connection"
				      : "the connection to the server has failed";
	nbd_lost(&c->nbd, clock_now());
	look(c);
}

static err_t connected(void *data, struct tcp_pcb *pcb, err_t error)
{
	struct connection *c = data;

	c->trouble = NULL;
	nbd_connected(&c->nbd, clock_now());
	look(c);
	return c->pcb == pcb ? ERR_OK : ERR_ABRT;
}

static void connect_to(struct connection *c, const ip_addr_t *address)
{
	struct tcp_pcb *pcb = tcp_new();

	c->trouble = "dom0 has no room for another connection";
	if (!pcb)
		return;
	c->pcb = pcb;
	c->connecting_since = clock_now();
	tcp_nagle_disable(pcb);
	ip_set_option(pcb, SOF_KEEPALIVE);
	tcp_arg(pcb, c);
	tcp_recv(pcb, received);
	tcp_sent(pcb, sent);
	tcp_err(pcb, failed);
	if (tcp_connect(pcb, address, c->target.port, connected) == ERR_OK) {
		c->trouble = "there is no answer from the server";
		return;
	}
	c->trouble = "dom0 has no way to the server; see the command ip";
	abort_pcb(c);
}

static void free_connection(struct connection *c)
{
	if (c->scheduled || c->resolving)
		return;
	tcpip_callbackmsg_delete(c->message);
	free(c->log);
	free(c);
}

static void resolved(const char *name, const ip_addr_t *address, void *data)
{
	struct connection *c = data;

	c->resolving = false;
	if (c->dead) {
		free_connection(c);
		return;
	}
	c->trouble = "the server's name is not known";
	if (address)
		connect_to(c, address);
	look(c);
}

static void connect_now(struct connection *c)
{
	ip_addr_t address;
	err_t error = dns_gethostbyname(c->target.host, &address, resolved, c);

	c->retry_at = 0;
	c->resolving = error == ERR_INPROGRESS;
	c->trouble = "the server's name cannot be looked up; see the command ip";
	if (error == ERR_OK)
		connect_to(c, &address);
	look(c);
}

static void look_at_time(struct connection *c, uint64_t now)
{
	nbd_tick(&c->nbd, now);
	if (c->pcb && c->pcb->state == SYN_SENT &&
	    now > c->connecting_since + CONNECT_SECONDS * NSEC_PER_SEC)
		abort_pcb(c);
	look(c);
	if (c->retry_at && now >= c->retry_at)
		connect_now(c);
}

/* Each second, while there is any connection. */
static void tick(void *unused)
{
	for (struct connection *c = connections; c; c = c->next)
		look_at_time(c, clock_now());
	if (connections)
		sys_timeout(TICK_MS, tick, NULL);
}

/*
 * What the protocol asks of us
 */

static size_t transport_send(struct nbd *nbd, const void *bytes, size_t length, bool stays)
{
	struct connection *c = nbd->transport_data;
	size_t room = tcp_sndbuf(c->pcb);

	if (length > room)
		length = room;
	if (!length ||
	    tcp_write(c->pcb, bytes, (u16_t)length, stays ? 0 : TCP_WRITE_FLAG_COPY) != ERR_OK)
		return 0;
	return length;
}

static void transport_push(struct nbd *nbd)
{
	struct connection *c = nbd->transport_data;

	if (c->pcb)
		tcp_output(c->pcb);
}

static void transport_drop(struct nbd *nbd)
{
	abort_pcb(nbd->transport_data);
}

/* lwIP's thread. */
static void run(void *data)
{
	struct connection *c = data;

	c->scheduled = false;
	if (c->dead) {
		free_connection(c);
		return;
	}
	nbd_run(&c->nbd, clock_now());
	look(c);
}

/* Should lwIP's mailbox be full, the next request or tick makes up for it. */
static void transport_wake(struct nbd *nbd)
{
	struct connection *c = nbd->transport_data;

	if (!c->scheduled)
		c->scheduled = tcpip_callbackmsg_trycallback_fromisr(c->message) == ERR_OK;
}

static const struct nbd_transport transport = {
    .send = transport_send, .push = transport_push, .drop = transport_drop, .wake = transport_wake};

/*
 * The kind of source
 */

static struct connection *make(const char *target, bool read_only)
{
	struct connection *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	c->log = malloc(NBD_LOG_SIZE);
	c->message = tcpip_callbackmsg_new(run, c);
	if (!c->log || !c->message) {
		tcpip_callbackmsg_delete(c->message);
		free(c->log);
		free(c);
		return NULL;
	}
	nbd_parse_target(target, &c->target);
	c->nbd.transport = &transport;
	c->nbd.transport_data = c;
	c->nbd.patience = NBD_PATIENCE * NSEC_PER_SEC;
	c->nbd.read_only = read_only;
	snprintf(c->nbd.export_name, sizeof(c->nbd.export_name), "%s", c->target.export_name);
	snprintf(c->nbd.device.name, sizeof(c->nbd.device.name), "%s", target);
	nbd_init(&c->nbd, c->log);
	return c;
}

static void start(struct connection *c)
{
	LOCK_TCPIP_CORE();
	if (!connections)
		sys_timeout(TICK_MS, tick, NULL);
	c->next = connections;
	connections = c;
	connect_now(c);
	UNLOCK_TCPIP_CORE();
}

/* What is in lwIP's hands of the log's memory must not be sent any more once that is freed. */
static void stop(struct connection *c)
{
	struct connection **at = &connections;

	LOCK_TCPIP_CORE();
	while (*at != c)
		at = &(*at)->next;
	*at = c->next;
	if (!connections)
		sys_untimeout(tick, NULL);
	if (c->pcb && !tcp_sndqueuelen(c->pcb))
		nbd_say_goodbye(&c->nbd);
	if (c->pcb && nbd_is_ready(&c->nbd)) {
		struct tcp_pcb *pcb = c->pcb;

		tcp_arg(pcb, NULL);
		tcp_recv(pcb, NULL);
		tcp_sent(pcb, NULL);
		tcp_err(pcb, NULL);
		if (tcp_close(pcb) == ERR_OK)
			c->pcb = NULL;
	}
	abort_pcb(c);
	c->dead = true;
	free_connection(c);
	UNLOCK_TCPIP_CORE();
}

static bool is_nbd(const char *target)
{
	return !strncmp(target, "nbd:", 4);
}

static long open_nbd(const char *target, bool read_only, struct block_device **device,
		     const char **why)
{
	struct nbd_target parsed;
	struct connection *c;

	*why = nbd_parse_target(target, &parsed);
	if (*why)
		return -XEN_EINVAL;
	*why = "dom0 has no address; see the command ip";
	if (!address_is_up())
		return -XEN_EIO;
	*why = "dom0 has not that much memory";
	c = make(target, read_only);
	if (!c)
		return -XEN_ENOMEM;
	c->opening = true;
	c->deadline = clock_now() + OPEN_SECONDS * NSEC_PER_SEC;
	start(c);
	*device = &c->nbd.device;
	return 0;
}

/* With the core's lock. */
static long is_ready(struct connection *c, const char **why)
{
	if (nbd_is_ready(&c->nbd)) {
		c->opening = false;
		return 0;
	}
	if (!c->nbd.refused && clock_now() < c->deadline)
		return -XEN_EAGAIN;
	*why = c->nbd.problem ? c->nbd.problem : c->trouble;
	if (!*why)
		*why = "the server does not answer";
	return -XEN_EIO;
}

static long nbd_ready(struct block_device *device, const char **why)
{
	const struct nbd *nbd = device->driver;
	long error;

	LOCK_TCPIP_CORE();
	error = is_ready(nbd->transport_data, why);
	UNLOCK_TCPIP_CORE();
	return error;
}

static void close_nbd(struct block_device *device)
{
	struct nbd *nbd = device->driver;

	stop(nbd->transport_data);
}

void nbd_sources_add(void)
{
	static struct block_source_kind kind = {
	    .name = "nbd", .is = is_nbd, .open = open_nbd, .ready = nbd_ready, .close = close_nbd};

	block_source_add(&kind);
}

/*
 * The command
 */

/* A copy: who prints may have to wait for lwIP's thread. */
struct row {
	char name[BLOCK_NAME];
	uint64_t sectors;
	const char *state, *trouble; /* NULL: none */
	struct nbd_counters counters;
};

static struct row row_of(const struct connection *c)
{
	const struct nbd *nbd = &c->nbd;
	struct row row = {.sectors = nbd->device.sectors, .counters = nbd->counters};

	memcpy(row.name, nbd->device.name, sizeof(row.name));
	row.state = nbd_is_ready(nbd) ? "connected" : nbd->failing ? "failing" : "waiting";
	if (!nbd_is_ready(nbd))
		row.trouble = nbd->problem ? nbd->problem : c->trouble;
	return row;
}

/* All, to be freed. NULL without memory. */
static struct row *read_rows(unsigned int *count)
{
	struct row *rows;

	*count = 0;
	if (!connections)
		return calloc(1, sizeof(*rows));
	LOCK_TCPIP_CORE();
	for (const struct connection *c = connections; c; c = c->next)
		++*count;
	rows = calloc(*count + 1, sizeof(*rows));
	*count = 0;
	for (const struct connection *c = connections; c && rows; c = c->next)
		rows[(*count)++] = row_of(c);
	UNLOCK_TCPIP_CORE();
	return rows;
}

static void show_table(const struct row *rows, unsigned int count)
{
	printf("%-32s %8s %-9s %6s %8s %8s\n", "Disk", "MiB", "State", "Conns", "Repeated",
	       "Failed");
	for (const struct row *row = rows; row < rows + count; row++)
		printf("%-32s %8llu %-9s %6llu %8llu %8llu  %s\n", row->name,
		       (unsigned long long)(row->sectors / 2048), row->state,
		       (unsigned long long)row->counters.connections,
		       (unsigned long long)row->counters.repeated,
		       (unsigned long long)row->counters.failed, row->trouble ? row->trouble : "");
}

static void show_json(const struct row *rows, unsigned int count)
{
	struct json json;

	json_start(&json, stdout);
	json_array(&json, NULL);
	for (const struct row *row = rows; row < rows + count; row++) {
		json_object(&json, NULL);
		json_string(&json, "target", row->name);
		json_unsigned(&json, "sectors", row->sectors);
		json_string(&json, "state", row->state);
		json_string(&json, "trouble", row->trouble);
		json_unsigned(&json, "connections", row->counters.connections);
		json_unsigned(&json, "repeated", row->counters.repeated);
		json_unsigned(&json, "failed", row->counters.failed);
		json_end(&json);
	}
	json_end(&json);
}

static bool is_help(const char *word)
{
	return !strcmp(word, "-h") || !strcmp(word, "--help");
}

int run_nbd(int argc, char **argv)
{
	bool as_json = argc == 2 && !strcmp(argv[1], "--json");
	unsigned int count;
	struct row *rows;

	if (argc > 1 && !as_json) {
		printf(
		    "Usage: nbd [--json]\n"
		    "List guests' disks on network block device servers: whether there is a connection, how often there\n"
		    "was one, how many requests were sent again, and how many failed for want of a server.\n");
		return is_help(argv[1]) ? 0 : 1;
	}
	rows = read_rows(&count);
	if (!rows) {
		printf("nbd: out of memory\n");
		return 1;
	}
	if (as_json)
		show_json(rows, count);
	else
		show_table(rows, count);
	free(rows);
	return 0;
}
