/* SPDX-License-Identifier: MIT */
#include <guest/console.h>
#include <guest/byte_ring.h>
#include <guest/event.h>
#include <guest/format.h>
#include <guest/hypercall.h>
#include <guest/memory.h>
#include <guest/start.h>
#include <public/io/console.h>
#include <public/sched.h>

/* Of a domain that has a ring, or without bytes: the hypervisor's console, by hypercall. */
static struct byte_ring output, input;
static evtchn_port_t ring_port;
static void (*input_notify)(void);

/* Until there may be room; handlers run meanwhile, if events are not masked. */
static void wait_for_room(void)
{
	event_send(ring_port);
	hypercall_sched_op(SCHEDOP_yield, NULL);
}

static void ring_write(const char *text, size_t length)
{
	while (length) {
		long put = byte_ring_put(&output, text, length);

		/* Indexes that the other side has spoilt: there is nobody to tell. */
		if (put < 0)
			return;
		if (put == 0)
			wait_for_room();
		text += put;
		length -= (size_t)put;
	}
}

/* What reads a ring is a terminal, which wants "\r\n"; the hypervisor's console adds its \r by itself. */
void console_write(const char *text, size_t length)
{
	size_t from = 0;

	if (!output.bytes) {
		hypercall_console_io(CONSOLEIO_write, length, (char *)text);
		return;
	}
	for (size_t i = 0; i < length; i++) {
		if (text[i] != '\n' || (i && text[i - 1] == '\r'))
			continue;
		ring_write(text + from, i - from);
		ring_write("\r", 1);
		from = i;
	}
	ring_write(text + from, length - from);
	event_send(ring_port);
}

size_t console_read(char *buffer, size_t size)
{
	long count;

	if (!output.bytes)
		count = hypercall_console_io(CONSOLEIO_read, size, buffer);
	else
		count = byte_ring_take(&input, buffer, size);
	if (output.bytes && count > 0)
		event_send(ring_port);
	return count > 0 ? (size_t)count : 0;
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
	if (!output.bytes) {
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
	struct xencons_interface *page;

	if (is_initial_domain() || !start_info->console.domU.mfn)
		return;
	page = mfn_to_virt(start_info->console.domU.mfn);
	output = (struct byte_ring){page->out, sizeof(page->out), &page->out_prod, &page->out_cons};
	input = (struct byte_ring){page->in, sizeof(page->in), &page->in_prod, &page->in_cons};
	ring_port = start_info->console.domU.evtchn;
}
