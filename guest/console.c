/* SPDX-License-Identifier: MIT */
#include <guest/console.h>
#include <guest/event.h>
#include <guest/format.h>
#include <guest/hypercall.h>
#include <guest/memory.h>
#include <guest/start.h>
#include <guest/string.h>
#include <public/io/console.h>

static struct xencons_interface *ring; /* NULL: the hypervisor's console, by hypercall */
static evtchn_port_t ring_port;
static void (*input_notify)(void);

/* Copies what fits into the output ring; returns how much that was. */
static size_t ring_put(const char *text, size_t length)
{
	XENCONS_RING_IDX producer = ring->out_prod;
	XENCONS_RING_IDX consumer = __atomic_load_n(&ring->out_cons, __ATOMIC_ACQUIRE);
	size_t put = 0;

	while (put < length && producer - consumer < sizeof(ring->out))
		ring->out[MASK_XENCONS_IDX(producer++, ring->out)] = text[put++];
	/* The text must be there before the index says so. */
	__atomic_store_n(&ring->out_prod, producer, __ATOMIC_RELEASE);
	return put;
}

void console_write(const char *text, size_t length)
{
	if (!ring) {
		hypercall_console_io(CONSOLEIO_write, length, (char *)text);
		return;
	}
	while (length) {
		size_t put = ring_put(text, length);

		event_send(ring_port);
		text += put;
		length -= put;
	}
}

size_t console_read(char *buffer, size_t size)
{
	XENCONS_RING_IDX consumer, producer;
	size_t got = 0;
	long count;

	if (!ring) {
		count = hypercall_console_io(CONSOLEIO_read, size, buffer);
		return count > 0 ? (size_t)count : 0;
	}
	consumer = ring->in_cons;
	producer = __atomic_load_n(&ring->in_prod, __ATOMIC_ACQUIRE);
	while (got < size && consumer != producer)
		buffer[got++] = ring->in[MASK_XENCONS_IDX(consumer++, ring->in)];
	__atomic_store_n(&ring->in_cons, consumer, __ATOMIC_RELEASE);
	if (got)
		event_send(ring_port);
	return got;
}

static void on_input(evtchn_port_t port, void *data)
{
	if (input_notify)
		input_notify();
}

long console_notify(void (*notify)(void))
{
	long port;

	input_notify = notify;
	if (!ring) {
		port = event_bind_virq(VIRQ_CONSOLE, on_input, NULL);
		return port < 0 ? port : 0;
	}
	port = event_handler_set(ring_port, on_input, NULL);
	if (!port)
		event_unmask(ring_port);
	return port;
}

void vprintk(const char *format, va_list arguments)
{
	char text[512];
	int length = format_string_v(text, sizeof(text), format, arguments);

	console_write(text, (size_t)length < sizeof(text) ? (size_t)length : sizeof(text) - 1);
}

void printk(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vprintk(format, arguments);
	va_end(arguments);
}

void console_init(void)
{
	if (is_initial_domain() || !start_info->console.domU.mfn)
		return;
	ring = mfn_to_virt(start_info->console.domU.mfn);
	ring_port = start_info->console.domU.evtchn;
}
