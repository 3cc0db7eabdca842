/* SPDX-License-Identifier: MIT */
/*
 * Grants: letting another domain use pages of ours, and mapping what another lets us use (public/grant_table.h,
 * version 1). For threads; errors are negated, XEN_E*.
 */
#ifndef PV_DRIVERS_GRANT_H
#define PV_DRIVERS_GRANT_H

#include <stdbool.h>
#include <stdint.h>
#include <public/xen.h>
#include <public/grant_table.h>

/* Map our own table. Once, before grant_access. */
long grants_init(void);

/* Let a domain map and copy a frame of ours. Returns the reference, or -XEN_ENOSPC. */
long grant_access(domid_t domain, unsigned long mfn, bool readonly);

/*
 * No more: the reference may be given out again. False: the other domain has it mapped still, and nothing has
 * changed; until this returns true the frame must not be used for anything else, least of all be freed.
 */
bool grant_end(grant_ref_t ref);

/* Pages of another domain, mapped at adjacent addresses. */
#define GRANT_PAGES 16

struct grant_mapping {
	void *address; /* NULL: nothing is mapped */
	unsigned int count;
	grant_handle_t handles[GRANT_PAGES];
};

/*
 * Map count pages, at most GRANT_PAGES. 0; -XEN_ENOMEM; -XEN_ESRCH no such domain; -XEN_EACCES it does not let us;
 * -XEN_EINVAL no such grant, -XEN_ENOSPC no handles left.
 */
long grant_map(struct grant_mapping *mapping, domid_t domain, const grant_ref_t *refs,
	       unsigned int count, bool writable);
/* Does nothing if nothing is mapped. */
void grant_unmap(struct grant_mapping *mapping);

#endif
