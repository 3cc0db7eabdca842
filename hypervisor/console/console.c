/* SPDX-License-Identifier: MIT */
/*
 * Messages: printk and its levels, text of guests, the ring, and the choice of sinks.
 *
 * One lock covers the sinks, the ring and the state below. It is a leaf, taken with interrupts off;
 * a CPU that faults while it holds it goes on without it, and after console_force() nobody takes it.
 */
#include "console/console.h"
#include "console/ring.h"
#include "console/internal.h"
#include "boot/boot.h"
#include "cpu/cpu.h"
#include "domain/domain.h"
#include "lib/errno.h"
#include "lib/lib.h"
#include "lib/option.h"
#include "lib/spinlock.h"
#include "mm/mm.h"
#include "time/time.h"

#define PREFIX	      "(CERNE) "
#define MESSAGE_MAX   1024 /* longest text of one printk; the rest is cut off */
#define RING_DEFAULT  16384
#define RING_MAX      (16U << 20)
#define LEVEL_DEFAULT 1 /* of a message that names none: a warning, as in Xen */
#define LEVEL_ALWAYS  -1

static char ring_static[RING_DEFAULT];
static struct console_ring ring = {.buf = ring_static, .size = RING_DEFAULT};

static spinlock_t lock;
static unsigned int lock_owner = ~0U;
static bool forced;

static struct log_levels hv_levels = {3, 3};	/* info */
static struct log_levels guest_levels = {0, 2}; /* none/warning */
static struct ratelimit hv_limit, guest_limit, other_domains_limit;

/* A message of ours without a newline is on the line; was it admitted? Text of dom0 is on it. */
static bool line_open, line_admitted, guest_line_open;

/* Lines of domains other than dom0 are gathered here; on a shortage the oldest one goes out early. */
static struct guest_line {
	bool used;
	domid_t domid;
	unsigned int len;
	char text[120];
} guest_lines[4];
static unsigned int guest_line_victim;

static uint64_t conring_size;
static bool use_video = true;

static int parse_console(const char *value)
{
	unsigned int uarts = 0;
	bool video = false;

	while (*value) {
		size_t len =
		    strchr(value, ',') ? (size_t)(strchr(value, ',') - value) : strlen(value);

		if (len == 4 && strncmp(value, "com1", len) == 0)
			uarts |= 1;
		else if (len == 4 && strncmp(value, "com2", len) == 0)
			uarts |= 2;
		else if (len == 3 && strncmp(value, "vga", len) == 0)
			video = true;
		else if (len != 4 || strncmp(value, "none", len) != 0)
			return -EINVAL;
		value += len;
		if (*value == ',' && !*++value)
			return -EINVAL;
	}
	serial_use(uarts);
	use_video = video;
	return 0;
}
CUSTOM_OPTION("console", parse_console, "a list of com1, com2, vga, none");

static int parse_com(unsigned int n, const char *value)
{
	struct uart_config c = *serial_config(n);
	int rc = uart_parse(value, &c);

	if (rc == 0)
		serial_configure(n, &c);
	return rc;
}

static int parse_com1(const char *value)
{
	return parse_com(0, value);
}
CUSTOM_OPTION("com1", parse_com1, "BAUD[/BASE],8n1,IO-PORT,IRQ");

static int parse_com2(const char *value)
{
	return parse_com(1, value);
}
CUSTOM_OPTION("com2", parse_com2, "BAUD[/BASE],8n1,IO-PORT,IRQ");

static int parse_loglvl(const char *value)
{
	return parse_log_levels(value, &hv_levels);
}
CUSTOM_OPTION("loglvl", parse_loglvl, "none, error, warning, info, debug or all");

static int parse_guest_loglvl(const char *value)
{
	return parse_log_levels(value, &guest_levels);
}
CUSTOM_OPTION("guest_loglvl", parse_guest_loglvl, "none, error, warning, info, debug or all");

OPTION(conring_size, .name = "conring_size", .kind = OPTION_SIZE, .var = &conring_size,
       .help = "a size");

bool console_lock(void)
{
	unsigned int cpu = smp_processor_id();

	if (forced || READ_ONCE(lock_owner) == cpu)
		return false;
	spin_lock(&lock);
	WRITE_ONCE(lock_owner, cpu);
	return true;
}

void console_unlock(bool locked)
{
	if (!locked)
		return;
	WRITE_ONCE(lock_owner, ~0U);
	spin_unlock(&lock);
}

static void put_sinks(const char *text, size_t n)
{
	serial_write(text, n);
	video_write(text, n);
}

static void put(const char *text, size_t n, bool admitted)
{
	ring_append(&ring, text, n);
	if (admitted)
		put_sinks(text, n);
}

static bool admitted(const struct log_levels *levels, struct ratelimit *limit, int level)
{
	unsigned int missed;

	if (level < levels->lower || forced)
		return true;
	if (level >= levels->upper)
		return false;
	if (!ratelimit_pass(limit, now(), &missed))
		return false;
	if (missed) {
		char text[48];

		put(text, format(text, sizeof(text), PREFIX "%u messages suppressed\n", missed),
		    true);
	}
	return true;
}

/*
 * Lines of one message, of which each may begin with its level. always_keep: the ring has them also
 * when the sinks don't.
 */
static void put_message(const char *text, int level, const struct log_levels *levels,
			struct ratelimit *limit, bool always_keep)
{
	while (*text) {
		const char *end = strchr(text, '\n');
		size_t len;

		if (text[0] == '<' && text[1] >= '0' && text[1] <= '3' && text[2] == '>') {
			level = text[1] - '0';
			text += 3;
			continue;
		}
		len = end ? (size_t)(end - text) + 1 : strlen(text);
		if (!line_open) {
			line_admitted = level == LEVEL_ALWAYS || admitted(levels, limit, level);
			/* What is not shown must not break the line that a domain is writing. */
			if (line_admitted && guest_line_open) {
				put_sinks("\n", 1);
				guest_line_open = false;
			}
		}
		if (line_admitted || always_keep) {
			if (!line_open)
				put(PREFIX, sizeof(PREFIX) - 1, line_admitted);
			put(text, len, line_admitted);
		}
		line_open = !end;
		text += len;
	}
}

static __printf(1, 0) void message(const char *fmt, va_list ap, bool guest)
{
	char text[MESSAGE_MAX];
	bool locked;

	if (format_va(text, sizeof(text), fmt, ap) >= (int)sizeof(text))
		copy_string(text + sizeof(text) - 5, "...\n", 5);
	locked = console_lock();
	if (guest)
		put_message(text, LEVEL_DEFAULT, &guest_levels, &guest_limit, false);
	else
		put_message(text, LEVEL_DEFAULT, &hv_levels, &hv_limit, true);
	console_unlock(locked);
}

void printk(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	message(fmt, ap, false);
	va_end(ap);
}

void guest_log(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	message(fmt, ap, true);
	va_end(ap);
}

/* The line gathered for a domain goes out, unless its kind has said too much lately. */
static void put_guest_line(struct guest_line *g)
{
	char text[sizeof(g->text) + 48];
	unsigned int missed;

	g->used = false;
	if (!ratelimit_pass(&other_domains_limit, now(), &missed))
		return;
	if (line_open || guest_line_open)
		put_sinks("\n", 1);
	line_open = guest_line_open = false;
	if (missed)
		put(text,
		    format(text, sizeof(text), PREFIX "%u lines of guests suppressed\n", missed),
		    true);
	put(text, format(text, sizeof(text), "(d%u) %.*s\n", g->domid, (int)g->len, g->text), true);
}

static struct guest_line *guest_line_of(domid_t domid)
{
	struct guest_line *g;

	for (unsigned int i = 0; i < ARRAY_SIZE(guest_lines); i++)
		if (guest_lines[i].used && guest_lines[i].domid == domid)
			return &guest_lines[i];
	g = &guest_lines[guest_line_victim++ % ARRAY_SIZE(guest_lines)];
	if (g->used)
		put_guest_line(g);
	*g = (struct guest_line){.used = true, .domid = domid};
	return g;
}

void console_write_guest(struct domain *d, const char *text, size_t n)
{
	bool locked = console_lock();

	if (n == 0) {
		/* nothing to say */
	} else if (d == dom0) {
		if (line_open)
			put_sinks("\n", 1);
		line_open = false;
		guest_line_open = text[n - 1] != '\n';
		put(text, n, true);
	} else {
		for (size_t i = 0; i < n; i++) {
			struct guest_line *g = guest_line_of(d->id);
			char c = text[i];

			/* A hostile guest must not be able to steer the terminal. */
			if (c != '\n' && g->len < sizeof(g->text))
				g->text[g->len++] = (c >= ' ' && c < 0x7f) || c == '\t' ? c : '.';
			if (c == '\n' || g->len == sizeof(g->text))
				put_guest_line(g);
		}
	}
	console_unlock(locked);
}

size_t console_ring_read(uint32_t *index, char *buf, size_t n)
{
	bool locked = console_lock();

	n = ring_copy(&ring, index, buf, n);
	console_unlock(locked);
	return n;
}

void console_ring_clear(void)
{
	bool locked = console_lock();

	ring_clear(&ring);
	console_unlock(locked);
}

bool console_owns_port(uint16_t port)
{
	return serial_owns_port(port);
}

void console_force(void)
{
	forced = true;
	video_show(true);
	line_open = false;
}

void console_flush(void)
{
	bool locked = console_lock();

	serial_flush();
	console_unlock(locked);
}

void console_init_early(void)
{
	serial_use(1);
}

static void grow_ring(void)
{
	unsigned int order = 0;
	char *buf;
	bool locked;

	if (conring_size <= ring.size)
		return;
	while ((PAGE_SIZE << order) < min(conring_size, (uint64_t)RING_MAX))
		order++;
	buf = alloc_pages(order, 0);
	if (!buf) {
		printk(LOG_WARN "conring_size: no memory for %lu bytes\n", PAGE_SIZE << order);
		return;
	}
	locked = console_lock();
	ring_grow(&ring, buf, PAGE_SIZE << order);
	console_unlock(locked);
}

void console_init(void)
{
	grow_ring();
	if (use_video)
		video_init();
	console_input_init();
	console_keys_init();
}

void console_init_irq(void)
{
	serial_init_irq();
}
