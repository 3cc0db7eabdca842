/* SPDX-License-Identifier: MIT */
/* A request in the works: what request.c and control.c share. */
#ifndef STORE_REQUEST_H
#define STORE_REQUEST_H

#include "store/internal.h"

struct request {
	struct connection *connection;
	struct store *store;
	struct view view;
	const char *next; /* what is left of the payload */
	size_t left;
	struct message *answer;
	struct watch *added; /* to be fired once the answer is on its way */
};

/* The next string of the payload, NULL: there is no whole one. */
const char *take_string(struct request *request);
/* A decimal number up to `most`, to the end of the text, which may be NULL: 0 or -EINVAL. */
int parse_number(const char *text, uint64_t most, uint64_t *number);
int take_number(struct request *request, uint64_t most, uint64_t *number);

/* The payload of the answer: 0, -E2BIG, or -ENOMEM if it is not small. */
int answer_text(struct request *request, const char *text);

/* control.c: XS_CONTROL. */
int do_control(struct request *request);

#endif
