/* SPDX-License-Identifier: MIT */
/*
 * Builds a domain: gives it its memory and fills that with kernel, ramdisk, page tables and what a PV kernel is told
 * at its start (loader/loader.h has the layout), so that unpausing it runs the kernel's first instruction.
 */
#ifndef BUILDER_BUILDER_H
#define BUILDER_BUILDER_H

#include <stddef.h>
#include <stdint.h>
#include <public/xen.h>
#include <public/event_channel.h>

struct builder_request {
	domid_t domid;	    /* created, with its vCPUs and memory limit set, still without memory */
	const void *kernel; /* ELF, or packed: gzip, bzImage */
	size_t kernel_size;
	size_t ramdisk_size; /* 0: none */
	/* Called for all of it, from its start on: `size` more bytes of the ramdisk, at any address. 0 or a negative errno. */
	long (*read_ramdisk)(void *ramdisk, void *to, size_t size);
	void *ramdisk;
	const char *command_line;
	uint64_t pages;	    /* of memory now */
	uint64_t max_pages; /* for its memory map; at least pages */
	domid_t store_domid, console_domid;
	evtchn_port_t store_port, console_port; /* of the domain: control_alloc_unbound */
	/* Told at the start of each step and now and then within it how far it is. NULL: nobody wants to know. */
	void (*progress)(void *context, const char *step, uint64_t done, uint64_t all);
	void *context;
};

struct builder_result {
	xen_pfn_t store_mfn, console_mfn; /* the rings' machine frames; grants for them are made */
	char guest_os[32];		  /* as the kernel's notes name it; "" if they do not */
};

/*
 * 0, or a negative errno with one sentence about it in problem (without a full stop). What the domain was given
 * before an error is freed when it is destroyed.
 */
long builder_build(const struct builder_request *request, struct builder_result *result,
		   char *problem, size_t size);

#endif
