/* SPDX-License-Identifier: MIT */
/* A transaction of the store being filled: the first error stops it, so that callers look once at the end. */
#ifndef XL_WRITER_H
#define XL_WRITER_H

#include "xl/toolstack.h"

struct writer {
	xs_transaction t;
	domid_t domid;		  /* that it is about */
	char top[STORE_PATH / 2]; /* below which paths are relative; "" as a path is itself */
	long error;
};

/* Begin one about a domain; what goes wrong is in w->error. */
void writer_begin(struct writer *w, domid_t domid);
/* True: it has to be filled again from the beginning. Otherwise w->error is how it ended. */
bool writer_end(struct writer *w);

void writer_top(struct writer *w, const char *format, ...) __attribute__((format(printf, 2, 3)));
void writer_put(struct writer *w, const char *node, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Text that may be longer than a formatted value. */
void writer_text(struct writer *w, const char *node, const char *text);
/* Entries made below a node get its rights, so they are set before those are made. */
void writer_allow(struct writer *w, const char *node, const struct xs_permission *permissions,
		  unsigned int count);
/* The top itself, which `owner` owns and `reader` may read. */
void writer_make_top(struct writer *w, domid_t owner, domid_t reader);
/* As text; NULL if it is not there. */
const char *writer_read(struct writer *w, const char *node, char *value, size_t size);
/* With all below it; it need not be there. */
void writer_remove(struct writer *w, const char *node);

#endif
