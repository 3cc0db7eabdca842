/* SPDX-License-Identifier: MIT */
/*
 * The hypervisor's console: sinks (COM1, COM2, VGA text, framebuffer), the ring that readconsole
 * (xl dmesg) returns, log levels, input and its switching between the hypervisor and dom0.
 * Lock: one console lock, leaf (nothing is taken under it).
 */
#ifndef CONSOLE_CONSOLE_H
#define CONSOLE_CONSOLE_H

#include "lib/types.h"

void console_init_early(void); /* COM1 at its default, before the command line is read */
void console_init(void);       /* after the options: console=, com1=, com2=, vga=; framebuffer */
void console_init_irq(void);   /* interrupts for input, once the IO-APIC works */
void console_end_boot(void);   /* dom0 is about to run: hand the screen over, unless vga=keep */

/* Messages. The first three characters may be a level: LOG_ERR "..." etc.; a line is printed whole
 * with "(CERNE) " before it when loglvl admits it, and always kept in the ring. Any context. */
#define LOG_ERR	  "<0>"
#define LOG_WARN  "<1>"
#define LOG_INFO  "<2>"
#define LOG_DEBUG "<3>"
void printk(const char *fmt, ...) __printf(1, 2);
/* About a guest's behaviour: subject to guest_loglvl and rate-limited. */
struct domain;
void guest_log(const char *fmt, ...) __printf(1, 2);

/* Text from a guest, not parsed, to the sinks (and the ring when dom0's). n bytes. */
void console_write_guest(struct domain *d, const char *text, size_t n);
/* Input for dom0: up to n bytes that were typed; 0 when none. */
size_t console_read(char *buf, size_t n);
/* The ring, for sysctl readconsole: copy from byte index *from on; returns the count, sets *from to
 * the next index. Clear drops what is there. */
size_t console_ring_read(uint32_t *index, char *buf, size_t n);
void console_ring_clear(void);
/* Take the lock, so that nobody else prints; what this CPU prints meanwhile is not kept out. false: it had it already
 * (a fault in the console's own code), or nobody takes it any more. unlock is given the result. Interrupts off. */
bool console_lock(void);
void console_unlock(bool locked);
/* Panic: force all later output through, synchronously, without the lock. */
void console_force(void);
void console_flush(void);
/* A debug key, as if typed after Ctrl-A x3 (sysctl debug_keys). */
void console_debug_key(char key);
/* Register a debug key's handler with its one-line help. */
void console_key_register(char key, void (*fn)(char key), const char *help);

/* Symbols (console/symbols.c; table appended by the build): "name+0x12/0x40" or the bare number. */
void symbol_format(char *buf, size_t size, unsigned long addr);
/* The numbers ascend with the addresses; false: there are not so many. */
bool symbol_by_number(uint32_t number, const char **name, unsigned long *addr);
/* Registers and scanned call trace of the hypervisor / registers of a guest. */
struct cpu_user_regs;
void show_hv_state(const struct cpu_user_regs *regs);
struct vcpu;
void show_guest_state(struct vcpu *v);

/* Does the console drive this I/O port? Then no guest may, dom0 included. */
bool console_owns_port(uint16_t port);

/* End of the machine (boot/shutdown.c): S5, reset, or wait for ever, after flushing the console. */
void machine_power_off(void) __attribute__((noreturn));
void machine_restart(void) __attribute__((noreturn));
void machine_halt(void) __attribute__((noreturn));
/* After a last message: stop, or (without noreboot) restart after some seconds. Needs nothing to be initialised. */
void machine_give_up(void) __attribute__((noreturn));
/* The same after dom0 has crashed, when all is initialised: with the audit at exit. */
void machine_crashed(void) __attribute__((noreturn));
/* A boot that can't go on for a reason a person can mend: one sentence, then stop or (without
 * noreboot) restart after some seconds. */
void boot_fail(const char *fmt, ...) __printf(1, 2) __attribute__((noreturn));

#endif
