/* SPDX-License-Identifier: MIT */
/* Makes cpio and tar archives for tests. */
#ifndef ARCHIVE_MAKER_H
#define ARCHIVE_MAKER_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

struct maker {
	bool tar;
	size_t size;
	uint8_t data[32768];
};

static inline void maker_begin(struct maker *m, bool tar)
{
	memset(m, 0, sizeof(*m));
	m->tar = tar;
}

static inline void maker_checksum(uint8_t *header)
{
	unsigned int sum = 0;

	memset(header + 148, ' ', 8);
	for (int i = 0; i < 512; i++)
		sum += header[i];
	snprintf((char *)header + 148, 8, "%06o", sum);
}

static inline void maker_add_tar(struct maker *m, const char *name, char kind, const char *contents)
{
	uint8_t *header = m->data + m->size;
	size_t size = kind == 'f' ? strlen(contents) : 0;

	strcpy((char *)header, name);
	strcpy((char *)header + 100, "0000755");
	snprintf((char *)header + 124, 12, "%011o", (unsigned int)size & 07777777);
	snprintf((char *)header + 136, 12, "%011o", 1000000000u);
	header[156] = kind == 'd' ? '5' : kind == 'l' ? '2' : '0';
	if (kind == 'l')
		strcpy((char *)header + 157, contents);
	memcpy(header + 257, "ustar\00000", 8);
	maker_checksum(header);
	memcpy(header + 512, contents ? contents : "", size);
	m->size += 512 + (size + 511) / 512 * 512;
}

static inline void maker_add_cpio(struct maker *m, const char *name, char kind,
				  const char *contents)
{
	unsigned int mode = kind == 'd' ? 040755 : kind == 'l' ? 0120777 : 0100644;
	size_t size = contents ? strlen(contents) : 0;

	m->size +=
	    (size_t)sprintf((char *)m->data + m->size,
			    "070701%08x%08x%08x%08x%08x%08x%08zx%08x%08x%08x%08x%08zx%08x", 1, mode,
			    0, 0, 1, 1000000000, size, 0, 0, 0, 0, strlen(name) + 1, 0);
	strcpy((char *)m->data + m->size, name);
	m->size = (m->size + strlen(name) + 1 + 3) / 4 * 4;
	memcpy(m->data + m->size, contents ? contents : "", size);
	m->size = (m->size + size + 3) / 4 * 4;
}

/* kind: d directory, f file, l symbolic link. */
static inline void maker_add(struct maker *m, const char *name, char kind, const char *contents)
{
	if (m->tar)
		maker_add_tar(m, name, kind, contents);
	else
		maker_add_cpio(m, name, kind, contents);
}

static inline void maker_end(struct maker *m)
{
	if (m->tar)
		m->size += 1024;
	else
		maker_add_cpio(m, "TRAILER!!!", 'f', "");
}

#endif
