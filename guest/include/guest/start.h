/* SPDX-License-Identifier: MIT */
/* What the domain was started with, and how it ends. */
#ifndef GUEST_START_H
#define GUEST_START_H

#include <stdbool.h>
#include <stdint.h>
#include <public/xen.h>

/* Valid when guest_main runs. */
extern struct start_info *start_info;
extern struct shared_info *shared_info;

/* Is this the initial domain, the hypervisor's console its own? */
bool is_initial_domain(void);

/* Has the hypervisor this feature, XENFEAT_*? */
bool has_feature(unsigned int feature);

/*
 * The guest's own code, called once everything in these headers works: on vCPU 0, events unmasked, on a
 * stack of 16 KiB. When it returns the domain powers off.
 */
void guest_main(void);

/* End the domain: SHUTDOWN_*. */
_Noreturn void shutdown(unsigned int reason);

struct trap_frame;

/* Print a message, the registers if frame is not NULL, and crash the domain. */
_Noreturn void panic(const char *format, ...) __attribute__((format(printf, 1, 2)));
_Noreturn void panic_trap(const struct trap_frame *frame, const char *message);

#ifdef DEBUG
#define ASSERT(condition)                                                                     \
	do {                                                                                  \
		if (!(condition))                                                             \
			panic("%s:%d: assertion failed: %s", __FILE__, __LINE__, #condition); \
	} while (0)
#else
#define ASSERT(condition) ((void)sizeof(condition))
#endif

#endif
