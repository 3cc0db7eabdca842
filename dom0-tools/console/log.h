/* SPDX-License-Identifier: MIT */
/* The last bytes of a stream. Pure. Bytes are counted from the stream's beginning, so that a position stays good. */
#ifndef CONSOLE_LOG_H
#define CONSOLE_LOG_H

#include <stddef.h>
#include <stdint.h>

/* Bytes of a log; what is older gives way. */
#define CONSOLE_LOG_SIZE 32768

/* All zero: empty, with no memory. It grows as it is filled, up to CONSOLE_LOG_SIZE. */
struct console_log {
	char *bytes;
	size_t size;	     /* a power of two, or 0 */
	uint64_t begin, end; /* what is kept of the stream */
};

/* What all logs together may take; when that is used up, logs stay as small as they are, new ones at 1 KiB. */
#define CONSOLE_LOG_TOTAL (4u << 20)

void console_log_append(struct console_log *log, const char *bytes, size_t count);
/* From *position on, or from the oldest byte that is kept; moves *position behind what was copied. How many that was. */
size_t console_log_copy(const struct console_log *log, char *to, size_t size, uint64_t *position);
void console_log_free(struct console_log *log);

#endif
