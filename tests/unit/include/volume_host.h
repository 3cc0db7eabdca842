/* SPDX-License-Identifier: MIT */
/* Volumes on the host: a disk in memory, e2fsprogs as the judge. */
#ifndef VOLUME_HOST_H
#define VOLUME_HOST_H

#include "fake_disk.h"
#include "volume/volume.h"
#include <errno.h>
#include <stdarg.h>
#include <unistd.h>

static struct fake_disk host_disk;

/* Where the one thread would sleep: the disk goes on. */
static bool host_disk_goes_on(void)
{
	return fake_disk_step(&host_disk);
}
bool (*host_wait)(void) = host_disk_goes_on;

static char host_folder[] = "/tmp/volume-XXXXXX";

static inline const char *host_path(const char *name)
{
	static char path[64];
	static bool made;

	if (!made && !mkdtemp(host_folder))
		abort();
	made = true;
	snprintf(path, sizeof(path), "%s/%s", host_folder, name);
	return path;
}

/* A command of the host with the disk's image in place of @; its status. What it prints is shown if it is not 0. */
static inline int host_run(const char *format, ...)
{
	char command[512], whole[1024], *at;
	va_list arguments;
	int status;

	va_start(arguments, format);
	vsnprintf(command, sizeof(command), format, arguments);
	va_end(arguments);
	at = strchr(command, '@');
	if (at)
		*at++ = 0;
	snprintf(whole, sizeof(whole), "PATH=$PATH:/sbin:/usr/sbin; cd %s && (%s%s%s) >log 2>&1",
		 host_folder, command, at ? host_path("image") : "", at ? at : "");
	status = system(whole);
	status = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
	if (status) {
		snprintf(whole, sizeof(whole), "echo '%s@%s: status %d'; head -n 20 %s/log",
			 command, at ? at : "", status, host_folder);
		if (system(whole))
			return status;
	}
	return status;
}

static inline void host_clean(void)
{
	char command[64];

	snprintf(command, sizeof(command), "rm -rf %s", host_folder);
	if (system(command))
		abort();
}

#endif
