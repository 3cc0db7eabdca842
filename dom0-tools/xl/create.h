/* SPDX-License-Identifier: MIT */
/* Domains begin, end and change their names here and nowhere else. toolstack_lock is held by the callers. */
#ifndef XL_CREATE_H
#define XL_CREATE_H

#include "xl/domain_config.h"
#include "xl/toolstack.h"

/* What a domain may have beyond its memory, as on Xen. */
#define DOMAIN_SLACK_KIB 1024

struct creation {
	const struct domain_config *config; /* with a UUID */
	const char *text;		    /* the configuration as text, to be kept */
	bool unwatched;			    /* its on_... actions are not to be done */
	bool progress;			    /* show it on the terminal */
	bool any_cpus; /* also those that the host's configuration leaves out */

	/* When its parts were done, as system time: the empty domain, its contents, its place in the store. */
	uint64_t made, built, introduced;
};

/*
 * The rest of a creation from a configuration that has been read: if that has no UUID it gets one, which it keeps. The
 * text is from config's pool. Interfaces get their MACs. False without memory.
 */
bool creation_prepare(struct creation *creation, struct domain_config *domain,
		      struct config *config);

/*
 * Make a domain: it is paused when this returns. False with what is wrong reported; then nothing is left of it, neither
 * domain nor memory nor entries in the store.
 */
bool domain_create(struct creation *creation, domid_t *domid, struct report *report);

/* Destroy it and remove what the store has of it. -XEN_ESRCH: there is none, but the store is cleaned. */
long domain_end(domid_t domid);

/* -XEN_EEXIST: another one has that name. */
long domain_rename(const struct domain_view *domain, const char *name);

/* Its on_... actions are not to be done any more: it stays as it is. */
void domain_unwatch(domid_t domid);

/* A domain that is kept for examination gives name and UUID to its successor: it is NAME-20260102T030405Z, with a new UUID, unwatched. */
long domain_preserve(const struct domain_view *domain);

#endif
