/* SPDX-License-Identifier: MIT */
/*
 * What the commands and the watcher share: dom0's connection to the store, domains as they are, configurations that were
 * kept. Numbers returned are 0 or negated errors of the interface (XEN_E*), as from control and the store's client.
 *
 * What a domain is stands in the hypervisor and in the store, nowhere else: this code may end and begin again under
 * running domains.
 */
#ifndef XL_TOOLSTACK_H
#define XL_TOOLSTACK_H

#include <stdbool.h>
#include <guest/thread.h>
#include <pv-drivers/xs.h>
#include "xl/config.h"
#include "xl/view.h"

extern struct xs *toolstack_store;

/* Held while domains are made, renamed or ended, so that names are unique. */
extern struct mutex toolstack_lock;

/*
 * Begin: with dom0's connection to the store, which then is the toolstack's; write domain 0's entries, watch
 * for domains that end, start what is to be started. What does not work is said on the console.
 */
void toolstack_start(struct xs *store);

/* In words, for a message. */
const char *error_text(long error);

/* Domains */

/* The longest path that this code makes. */
#define STORE_PATH 128

struct domain_list {
	struct domain_view *views;
	unsigned int count;
};

/* All domains, ascending. To be freed, also after an error. */
long domain_list_read(struct domain_list *list);
void domain_list_free(struct domain_list *list);

/* By number or name; -XEN_ESRCH. */
long domain_find(const char *who, struct domain_view *view);
long domain_read(domid_t domid, struct domain_view *view);

/* /local/domain/N/... : write, read as text (0 if it is missing). */
long domain_store_write(domid_t domid, const char *node, const char *value);
long domain_store_read(domid_t domid, const char *node, char *value, size_t size);

/* Configurations of domains, as text in the store; NULL: none. To be freed. */
long saved_config_write(domid_t domid, const char *text);
char *saved_config_read(domid_t domid);

/* Read a kept configuration; false (and nothing to free) if there is none. */
bool saved_config_load(domid_t domid, struct config *config);

#endif
