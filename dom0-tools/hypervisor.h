/* SPDX-License-Identifier: MIT */
/* What dom0 asks the hypervisor about itself and the machine. Errors are negative errnos, as the ABI has them. */
#ifndef HYPERVISOR_H
#define HYPERVISOR_H

#include <stddef.h>
#include <stdint.h>
#include <public/xen.h>
#include <public/version.h>

struct machine {
	unsigned int cpus;
	unsigned int cpu_khz;
	uint64_t total_pages, free_pages;
};

/* 0 or an errno. */
long machine_describe(struct machine *machine);

/* "4.17.0", or whatever the hypervisor says that it is. */
void hypervisor_version(char *text, size_t size);

/* One of the texts of XENVER_*: of that command's size, made to end with a 0; empty if there is none. */
void hypervisor_text(int command, char *text, size_t size);

/*
 * What the hypervisor has logged, from *index on, which then is where to go on. Returns the number of
 * characters, 0 at the end, or an errno.
 */
long hypervisor_log_read(char *buffer, size_t size, uint32_t *index);
/* Forget what has been logged up to now. */
long hypervisor_log_clear(void);

/* As if these keys had been pressed on the hypervisor's own console. */
long hypervisor_keys(const char *keys, size_t count);

#endif
