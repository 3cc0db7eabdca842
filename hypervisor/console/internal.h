/* SPDX-License-Identifier: MIT */
/* What the parts of the console tell each other: sinks, input, keys. All under the console lock. */
#ifndef CONSOLE_INTERNAL_H
#define CONSOLE_INTERNAL_H

#include "lib/types.h"

/* ---- serial.c: up to two 16550 ports ---- */
struct uart_config {
	uint32_t baud; /* 0: as the firmware left it */
	uint32_t base_baud;
	uint8_t line; /* the line control register: bits, parity, stop bits */
	uint16_t io;
	uint8_t irq; /* ISA; 0: none */
};
#define NR_UARTS 2
/* The value of com1= or com2= over what *c held; 0 or -EINVAL, *c then unchanged. Pure. */
int uart_parse(const char *value, struct uart_config *c);
/* console=: use these ports from now on (bit n: COMn+1). */
void serial_use(unsigned int mask);
/* New parameters for port n; set up again if it is in use. */
void serial_configure(unsigned int n, const struct uart_config *c);
const struct uart_config *serial_config(unsigned int n);
void serial_write(const char *text, size_t n); /* newlines become CR LF */
void serial_flush(void);
/* Interrupts on for input. */
void serial_init_irq(void);
/* Is this I/O port one of a UART that the console uses? */
bool serial_owns_port(uint16_t port);

/* ---- video.c: VGA text or linear framebuffer ---- */
void video_init(void);
void video_write(const char *text, size_t n);
/* false: the screen becomes somebody else's, unless vga=keep; true: ours again (panic). */
void video_show(bool on);

/* ---- font.c ---- */
#define FONT_ROWS 8 /* each is two rows of a cell of 8 x 16 */
/* The rows of an ASCII character, top first; bit 4 is the leftmost of five columns. */
const uint8_t *font_glyph(unsigned char c);

/* ---- input.c: a byte typed, from an interrupt handler; under no lock ---- */
void console_input(char c);
void console_input_init(void);

/* ---- keys.c ---- */
void console_keys_init(void);

/* ---- show.c ---- */
struct cpu_user_regs;
void show_registers(const struct cpu_user_regs *r);
void show_trace(unsigned long rip, unsigned long rsp);

#endif
