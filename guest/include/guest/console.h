/* SPDX-License-Identifier: MIT */
/*
 * The console and messages. Output of dom0 goes to the hypervisor's console by hypercall; of other domains to
 * the shared ring that dom0's console service reads.
 */
#ifndef GUEST_CONSOLE_H
#define GUEST_CONSOLE_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

/* Write all of it, spinning when a ring is full. Usable everywhere, with events masked too. */
void console_write(const char *text, size_t length);

/* What was typed, at most size characters, or 0 at once when there is nothing. */
size_t console_read(char *buffer, size_t size);

/* Bind the console's event: notify runs from the event handler when there may be input. 0 or an errno. */
long console_notify(void (*notify)(void));

/*
 * Formatted message. Conversions: %d %i %u %x %X %p %s %c %%; flags - 0 + space #; width and precision, also *;
 * lengths hh h l ll z. Needs no memory and no floating point.
 */
void printk(const char *format, ...) __attribute__((format(printf, 1, 2)));
void vprintk(const char *format, va_list arguments);

/*
 * With newlib, whose read() takes the console's input: is there any, and the queue on which its readers wait, for
 * a thread that waits for something else too. Who looks, with events masked, before it waits misses nothing.
 */
bool console_has_input(void);
struct wait_queue;
struct wait_queue *console_typed(void);

/* Find the console: part of the start of day. */
void console_init(void);

#endif
