/* SPDX-License-Identifier: MIT */
/*
 * Input: what is typed goes to dom0, which is told by VIRQ_CONSOLE, or, after the switching key three
 * times, to the hypervisor's keys.
 */
#include "console/console.h"
#include "console/internal.h"
#include "cpu/cpu.h"
#include "domain/domain.h"
#include "event/event.h"
#include "lib/errno.h"
#include "lib/lib.h"
#include "lib/option.h"

#define SWITCH_PRESSES 3

/* Bytes between a producer and a consumer, under the console lock; indices run freely. */
struct fifo {
	char buf[256]; /* a power of two */
	unsigned int in, out;
};

static struct fifo typed;    /* by the interrupt handler, for SOFTIRQ_CONSOLE */
static struct fifo for_dom0; /* for console_read() */
static char switch_key = 1;  /* Ctrl-A; 0: none */
static bool stay;	     /* conswitch=.x: dom0 does not get the input when it starts */
static bool to_hypervisor;
static unsigned int presses;

static int parse_conswitch(const char *value)
{
	char key = value[0] | 0x20;

	if (!value[0] || (value[1] && (value[1] != 'x' || value[2])))
		return -EINVAL;
	switch_key = key >= 'a' && key <= 'z' ? key - 'a' + 1 : 0;
	stay = value[1] == 'x';
	return 0;
}
CUSTOM_OPTION("conswitch", parse_conswitch,
	      "a letter, then x to leave the input here at dom0's start");

/* Full: the byte is lost. */
static void fifo_put(struct fifo *f, char c)
{
	if (f->in - f->out < sizeof(f->buf))
		f->buf[f->in++ % sizeof(f->buf)] = c;
}

static bool fifo_get(struct fifo *f, char *c)
{
	if (f->in == f->out)
		return false;
	*c = f->buf[f->out++ % sizeof(f->buf)];
	return true;
}

void console_input(char c)
{
	bool locked = console_lock();

	fifo_put(&typed, c);
	console_unlock(locked);
	softirq_raise(SOFTIRQ_CONSOLE);
}

size_t console_read(char *buf, size_t n)
{
	bool locked = console_lock();
	size_t got = 0;

	while (got < n && fifo_get(&for_dom0, &buf[got]))
		got++;
	console_unlock(locked);
	return got;
}

static void say_where(void)
{
	char how[64] = "";

	if (switch_key)
		format(how, sizeof(how), " (Ctrl-%c three times switches)", switch_key + 'A' - 1);
	printk(LOG_ERR "Console input to %s%s%s\n", to_hypervisor ? "the hypervisor" : "dom0", how,
	       to_hypervisor ? "; 'h' for help" : "");
}

static void deliver(char c)
{
	bool locked;

	if (to_hypervisor) {
		console_debug_key(c);
		return;
	}
	locked = console_lock();
	fifo_put(&for_dom0, c);
	console_unlock(locked);
}

/* The switching key itself reaches the receiver only when another key follows before the third press. */
static void handle(char c)
{
	if (switch_key && c == switch_key) {
		if (++presses == SWITCH_PRESSES) {
			presses = 0;
			to_hypervisor = !to_hypervisor;
			say_where();
		}
		return;
	}
	for (; presses; presses--)
		deliver(switch_key);
	deliver(c);
}

static void input_softirq(void)
{
	for (;;) {
		bool locked = console_lock(), got, waiting;
		char c;

		got = fifo_get(&typed, &c);
		waiting = for_dom0.in != for_dom0.out;
		console_unlock(locked);
		if (!got) {
			if (waiting)
				send_global_virq(VIRQ_CONSOLE);
			return;
		}
		handle(c);
	}
}

void console_input_init(void)
{
	to_hypervisor = stay;
	softirq_register(SOFTIRQ_CONSOLE, input_softirq);
}

void console_end_boot(void)
{
	say_where();
	video_show(false);
}
