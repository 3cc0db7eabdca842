/* SPDX-License-Identifier: MIT */
// sources: pv-drivers/xs.c guest/format.c guest/byte_ring.c
// flags: -Itests/unit/include/fake-guest -Iguest/include
// runs: 100000
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <guest/byte_ring.h>
#include <pv-drivers/xs.h>

/*
 * A hostile store: any bytes as its answers, through a ring whose indexes it may set as well, to a client that makes one
 * request of each kind. Results stay in the memory given for them; a broken connection stays broken.
 *
 * Input: first byte, the size of the pieces in which bytes arrive. When the client waits, a length byte and as
 * many bytes come in as an answer, with type and number of the request if the length is odd.
 */
static struct byte_ring ring;
static uint32_t producer, consumer;
static char ring_bytes[256];
static const uint8_t *input;
static size_t left, chunk;
static struct xsd_sockmsg sent;
static size_t sent_bytes;
static struct xs xs;

static long feed_write(struct xs_transport *transport, const void *bytes, size_t count)
{
	/* Headers are what a request begins with: remember the last one seen. */
	if (count == sizeof(sent))
		memcpy(&sent, bytes, sizeof(sent));
	sent_bytes += count;
	return (long)count;
}

static long feed_read(struct xs_transport *transport, void *bytes, size_t count)
{
	return byte_ring_take(&ring, bytes, count < chunk ? count : chunk);
}

static bool more(void)
{
	struct xsd_sockmsg header;
	size_t length;

	if (left < 2) {
		/* The end: indexes that no ring has, which breaks the connection. */
		producer = consumer + sizeof(ring_bytes) + 1;
		return true;
	}
	length = *input++;
	left--;
	if (length > left)
		length = left;
	if (length % 2) {
		header = (struct xsd_sockmsg){.type = input[0] & 1 ? XS_WATCH_EVENT : sent.type,
					      .req_id = sent.req_id,
					      .len = (uint32_t)length};
		byte_ring_put(&ring, &header, sizeof(header));
	}
	byte_ring_put(&ring, input, length);
	input += length;
	left -= length;
	return true;
}

bool (*host_wait)(void) = more;

static unsigned int fired;

static void on_fired(struct xs_watch *watch, const char *path)
{
	if (strlen(path) >= XS_EVENTS)
		abort();
	fired++;
}

/* All results in memory of exactly the size that the client is told. */
static void requests(size_t size)
{
	struct xs_watch watch = {.path = "w", .fired = on_fired};
	struct xs_permission *permissions = malloc(2 * sizeof(*permissions));
	char *result = malloc(size);
	xs_transaction t;
	uint64_t number;
	long got;

	xs_watch(&xs, &watch);
	got = xs_read(&xs, 0, "a", result, size);
	if (got >= 0 && ((size_t)got >= size || result[got]))
		abort();
	xs_read_number(&xs, 0, "a", &number);
	got = xs_directory(&xs, 0, "a", result, size);
	if (got > (long)size)
		abort();
	for (const char *name = NULL; (name = xs_next_name(result, got, name)) != NULL;)
		if (name + strlen(name) >= result + size)
			abort();
	xs_get_permissions(&xs, 0, "a", permissions, 2);
	xs_transaction_start(&xs, &t);
	xs_transaction_end(&xs, t, true);
	xs_printf(&xs, 0, "a", "%d", 5);
	xs_domain_path(&xs, 3, result, size);
	for (unsigned int i = 0; i < 100 && xs_dispatch(&xs, 1); i++)
		;
	xs_unwatch(&xs, &watch);
	if (xs.watches || xs.request || xs.lock.locked || xs.turn.locked)
		abort();
	free(result);
	free(permissions);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct xs_transport transport = {.write = feed_write, .read = feed_read};

	if (size < 2)
		return 0;
	chunk = data[0] ? data[0] : 1;
	input = data + 2;
	left = size - 2;
	producer = consumer = 0;
	ring = (struct byte_ring){ring_bytes, sizeof(ring_bytes), &producer, &consumer};
	xs_init(&xs, &transport);
	requests(data[1] % 64 + 1u);
	return 0;
}
