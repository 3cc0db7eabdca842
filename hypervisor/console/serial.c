/* SPDX-License-Identifier: MIT */
/*
 * 16550 serial ports. Output is polled: wait until the transmitter is empty once, then fill its FIFO.
 * Input comes by interrupt. A port without a UART behind it is not used; one that no longer takes
 * bytes delays each message by one time-out at most.
 */
#include "console/internal.h"
#include "console/console.h"
#include "cpu/cpu.h"
#include "cpu/x86.h"
#include "lib/errno.h"
#include "lib/lib.h"

/* Registers and bits (16550 data sheet) */
#define UART_DATA	 0
#define UART_IER	 1
#define UART_DLL	 0
#define UART_DLM	 1
#define UART_FCR	 2
#define UART_IIR	 2
#define UART_LCR	 3
#define UART_MCR	 4
#define UART_LSR	 5
#define UART_SCR	 7
#define UART_PORTS	 8
#define IER_RX		 0x01
#define FCR_ENABLE_RESET 0x07
#define IIR_FIFO	 0xc0
#define LCR_DLAB	 0x80
#define MCR_DTR_RTS_OUT2 0x0b /* OUT2 gates the interrupt line on a PC */
#define LSR_DR		 0x01
#define LSR_THRE	 0x20
#define LSR_TEMT	 0x40

/* Polls, of about a microsecond, that the slowest usable line (300 baud) needs for 16 bytes. */
#define UART_PATIENCE 600000

struct uart {
	struct uart_config config;
	bool in_use, present;
	bool stuck; /* timed out last time: don't wait again until it is ready */
	uint8_t fifo;
};

static struct uart uarts[NR_UARTS] = {
    {.config = {115200, 115200, 0x03, 0x3f8, 4}},
    {.config = {115200, 115200, 0x03, 0x2f8, 3}},
};

/* "8n1" into the line control register's bits; *s is advanced. */
static int parse_line(const char **s, uint8_t *line)
{
	static const char parities[] = "noems";
	static const uint8_t parity_bits[] = {0x00, 0x08, 0x18, 0x28, 0x38};
	const char *p = *s, *parity;
	uint8_t bits;

	if (*p < '5' || *p > '8')
		return -EINVAL;
	bits = *p++ - '5';
	parity = *p ? strchr(parities, *p++) : NULL;
	if (!parity)
		return -EINVAL;
	bits |= parity_bits[parity - parities];
	if (*p != '1' && *p != '2')
		return -EINVAL;
	if (*p++ == '2')
		bits |= 0x04;
	*line = bits;
	*s = p;
	return 0;
}

/* A number in [low, high] that ends at one of the characters of ends (or the end). */
static int parse_field(const char **s, uint64_t low, uint64_t high, const char *ends, uint64_t *out)
{
	const char *end;
	bool overflow;
	uint64_t n = parse_number(*s, &end, &overflow);

	if (end == *s || overflow || n < low || n > high || (*end && !strchr(ends, *end)))
		return -EINVAL;
	*s = end;
	*out = n;
	return 0;
}

int uart_parse(const char *value, struct uart_config *c)
{
	struct uart_config new = *c;
	uint64_t n;

	if (strncmp(value, "auto", 4) == 0 && (!value[4] || value[4] == ',')) {
		new.baud = 0;
		value += 4;
	} else {
		if (parse_field(&value, 50, 4000000, "/,", &n))
			return -EINVAL;
		new.baud = n;
		if (*value == '/') {
			value++;
			if (parse_field(&value, new.baud, 4000000, ",", &n))
				return -EINVAL;
			new.base_baud = n;
		}
		if (new.baud > new.base_baud || new.base_baud / new.baud > 0xffff)
			return -EINVAL;
	}
	if (*value == ',') {
		value++;
		if (*value != ',' && parse_line(&value, &new.line))
			return -EINVAL;
	}
	if (*value == ',') {
		value++;
		if (*value != ',') {
			if (parse_field(&value, 0x10, 0x10000 - UART_PORTS, ",", &n))
				return -EINVAL;
			new.io = n;
		}
	}
	if (*value == ',') {
		value++;
		if (parse_field(&value, 0, 15, "", &n))
			return -EINVAL;
		new.irq = n;
	}
	if (*value)
		return -EINVAL;
	*c = new;
	return 0;
}

static void uart_setup(struct uart *u)
{
	uint16_t io = u->config.io;

	u->present = false;
	/* Nothing there reads as all ones; the upper half of IER and the scratch register tell more. */
	outb(io + UART_IER, 0);
	outb(io + UART_SCR, 0x5a);
	if (inb(io + UART_LSR) == 0xff || inb(io + UART_IER) != 0 || inb(io + UART_SCR) != 0x5a)
		return;
	u->present = true;
	u->stuck = false;
	if (u->config.baud) {
		unsigned int divisor = u->config.base_baud / u->config.baud;

		outb(io + UART_LCR, LCR_DLAB | u->config.line);
		outb(io + UART_DLL, divisor);
		outb(io + UART_DLM, divisor >> 8);
	}
	outb(io + UART_LCR, u->config.line);
	outb(io + UART_FCR, FCR_ENABLE_RESET);
	u->fifo = (inb(io + UART_IIR) & IIR_FIFO) == IIR_FIFO ? 16 : 1;
	outb(io + UART_MCR, MCR_DTR_RTS_OUT2);
}

void serial_use(unsigned int mask)
{
	for (unsigned int n = 0; n < NR_UARTS; n++) {
		bool use = mask >> n & 1;

		if (use && !uarts[n].in_use)
			uart_setup(&uarts[n]);
		uarts[n].in_use = use;
	}
}

void serial_configure(unsigned int n, const struct uart_config *c)
{
	uarts[n].config = *c;
	if (uarts[n].in_use)
		uart_setup(&uarts[n]);
}

const struct uart_config *serial_config(unsigned int n)
{
	return &uarts[n].config;
}

static bool uart_wait(struct uart *u, uint8_t bit)
{
	for (unsigned int i = 0; i < UART_PATIENCE; i++) {
		if (inb(u->config.io + UART_LSR) & bit) {
			u->stuck = false;
			return true;
		}
		if (u->stuck)
			break;
		cpu_relax();
	}
	u->stuck = true;
	return false;
}

static void uart_write(struct uart *u, const char *text, size_t n)
{
	uint16_t io = u->config.io;
	unsigned int room = 0;
	bool cr = false; /* the carriage return before this newline is out */

	for (size_t i = 0; i < n;) {
		if (room == 0) {
			if (!uart_wait(u, LSR_THRE))
				return;
			room = u->fifo;
		}
		room--;
		if (text[i] == '\n' && !cr) {
			outb(io + UART_DATA, '\r');
			cr = true;
			continue;
		}
		outb(io + UART_DATA, text[i++]);
		cr = false;
	}
}

void serial_write(const char *text, size_t n)
{
	for (unsigned int i = 0; i < NR_UARTS; i++)
		if (uarts[i].in_use && uarts[i].present)
			uart_write(&uarts[i], text, n);
}

void serial_flush(void)
{
	for (unsigned int i = 0; i < NR_UARTS; i++)
		if (uarts[i].in_use && uarts[i].present)
			uart_wait(&uarts[i], LSR_TEMT);
}

/*
 * Both ports share the vector, so both are looked at. ISA interrupts are edges: the line falls only
 * when the FIFO is empty, and no further interrupt comes before that.
 */
static void serial_interrupt(unsigned int vector, struct cpu_user_regs *regs)
{
	apic_eoi();
	for (unsigned int i = 0; i < NR_UARTS; i++) {
		uint16_t io = uarts[i].config.io;
		uint8_t status;

		if (!uarts[i].in_use || !uarts[i].present)
			continue;
		while ((status = inb(io + UART_LSR)) & LSR_DR) {
			if (status == 0xff) { /* the device went away */
				uarts[i].present = false;
				break;
			}
			console_input((char)inb(io + UART_DATA));
		}
	}
}

void serial_init_irq(void)
{
	set_vector_handler(VECTOR_CONSOLE, serial_interrupt);
	for (unsigned int i = 0; i < NR_UARTS; i++) {
		const struct uart_config *c = &uarts[i].config;
		bool level, low;
		unsigned int gsi;

		if (!uarts[i].in_use || !uarts[i].present || !c->irq)
			continue;
		gsi = isa_irq_to_gsi(c->irq, &level, &low);
		if (ioapic_route(gsi, VECTOR_CONSOLE, smp_processor_id(), level, low)) {
			printk(LOG_WARN "COM%u: no interrupt for input, IRQ %u\n", i + 1, c->irq);
			continue;
		}
		ioapic_mask(gsi, false);
		outb(c->io + UART_IER, IER_RX);
		/* What was typed before holds the line high: no edge would come for it. */
		while (inb(c->io + UART_LSR) & LSR_DR && inb(c->io + UART_LSR) != 0xff)
			console_input((char)inb(c->io + UART_DATA));
	}
}

bool serial_owns_port(uint16_t port)
{
	for (unsigned int i = 0; i < NR_UARTS; i++)
		if (uarts[i].in_use && uarts[i].present && port >= uarts[i].config.io &&
		    port < uarts[i].config.io + UART_PORTS)
			return true;
	return false;
}
