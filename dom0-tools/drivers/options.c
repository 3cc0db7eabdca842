/* SPDX-License-Identifier: MIT */
#include "drivers.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <guest/clock.h>

#define TIMEOUT	     "disk-timeout="
#define MOST_SECONDS 3600

uint64_t disk_timeout = 30 * NSEC_PER_SEC;

static void set_timeout(const char *text)
{
	char *end;
	unsigned long seconds = strtoul(text, &end, 10);

	if (end == text || *end || !seconds || seconds > MOST_SECONDS)
		printf("%s%s: not a number of seconds from 1 to %d; it stays at 30\n", TIMEOUT,
		       text, MOST_SECONDS);
	else
		disk_timeout = seconds * NSEC_PER_SEC;
}

void drivers_options(int argc, char **argv)
{
	for (int i = 0; i < argc; i++)
		if (strncmp(argv[i], TIMEOUT, sizeof(TIMEOUT) - 1) == 0)
			set_timeout(argv[i] + sizeof(TIMEOUT) - 1);
}

void disk_note_use(char *text, size_t room, const char *name)
{
	size_t used = strlen(text);

	snprintf(text + used, room - used, "%s%s", used ? " " : "", name);
}
