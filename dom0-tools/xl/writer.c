/* SPDX-License-Identifier: MIT */
#include "xl/writer.h"
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <public/errno.h>

void writer_begin(struct writer *w, domid_t domid)
{
	*w = (struct writer){.domid = domid};
	w->error = xs_transaction_start(toolstack_store, &w->t);
}

bool writer_end(struct writer *w)
{
	long error;

	/* Without a number there is no transaction to end. */
	if (!w->t)
		return false;
	error = xs_transaction_end(toolstack_store, w->t, !w->error);
	if (w->error)
		return false;
	w->error = error;
	return error == -XEN_EAGAIN;
}

void writer_top(struct writer *w, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(w->top, sizeof(w->top), format, arguments);
	va_end(arguments);
}

static void path_of(const struct writer *w, const char *node, char *path)
{
	snprintf(path, STORE_PATH, "%s%s%s", w->top, *node ? "/" : "", node);
}

void writer_put(struct writer *w, const char *node, const char *format, ...)
{
	char path[STORE_PATH];
	va_list arguments;

	if (w->error)
		return;
	path_of(w, node, path);
	va_start(arguments, format);
	w->error = xs_vprintf(toolstack_store, w->t, path, format, arguments);
	va_end(arguments);
}

void writer_text(struct writer *w, const char *node, const char *text)
{
	char path[STORE_PATH];
	long error;

	if (w->error)
		return;
	path_of(w, node, path);
	error = xs_write(toolstack_store, w->t, path, text, strlen(text));
	w->error = error < 0 ? error : 0;
}

void writer_allow(struct writer *w, const char *node, const struct xs_permission *permissions,
		  unsigned int count)
{
	char path[STORE_PATH];

	if (w->error)
		return;
	path_of(w, node, path);
	w->error = xs_set_permissions(toolstack_store, w->t, path, permissions, count);
}

void writer_make_top(struct writer *w, domid_t owner, domid_t reader)
{
	const struct xs_permission permissions[] = {{.domain = owner, .access = 'n'},
						    {.domain = reader, .access = 'r'}};

	writer_put(w, "", "%s", "");
	writer_allow(w, "", permissions, 2);
}

const char *writer_read(struct writer *w, const char *node, char *value, size_t size)
{
	char path[STORE_PATH];
	long length;

	if (w->error)
		return NULL;
	path_of(w, node, path);
	length = xs_read(toolstack_store, w->t, path, value, size);
	if (length < 0 && length != -XEN_ENOENT)
		w->error = length;
	return length < 0 ? NULL : value;
}

void writer_remove(struct writer *w, const char *node)
{
	char path[STORE_PATH];
	long error;

	if (w->error)
		return;
	path_of(w, node, path);
	error = xs_remove(toolstack_store, w->t, path);
	w->error = error == -XEN_ENOENT ? 0 : error;
}
