/* SPDX-License-Identifier: MIT */
/* Commands of the shell that look at files. */
#include "files/commands.h"
#include "files/files.h"
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static int refused(const char *name, const char *path, long error)
{
	printf("%s: %s: %s\n", name, path, strerror((int)-error));
	return 1;
}

static void show_entry(const char *name, const struct file *file, void *context)
{
	bool *details = context;
	time_t time = (time_t)file->time;
	struct tm split;
	char when[32];

	if (!*details) {
		printf("%s%s\n", name, file->directory ? "/" : "");
		return;
	}
	gmtime_r(&time, &split);
	strftime(when, sizeof(when), "%Y-%m-%d %H:%M", &split);
	printf("%c %10" PRIu64 " %s %s%s\n", file->directory ? 'd' : '-', file->size, when, name,
	       file->directory ? "/" : "");
}

int run_ls(int argc, char **argv)
{
	bool details = argc > 1 && strcmp(argv[1], "-l") == 0;
	int first = details ? 2 : 1;
	const char *path = argc > first ? argv[first] : "/";
	struct file file;
	long error;

	if (!details && path[0] == '-') {
		printf("ls: there is no option '%s'; usage: ls [-l] [PATH]\n", path);
		return 1;
	}
	error = files_find(path, &file);
	if (!error && file.directory)
		error = files_list(path, show_entry, &details);
	else if (!error)
		show_entry(path, &file, &details);
	return error ? refused("ls", path, error) : 0;
}

static int cat(const char *path)
{
	FILE *file = fopen(path, "r");
	char buffer[1024];
	size_t count;
	int error = 0;

	if (!file)
		return refused("cat", path, -errno);
	while ((count = fread(buffer, 1, sizeof(buffer), file)) > 0)
		fwrite(buffer, 1, count, stdout);
	if (ferror(file))
		error = refused("cat", path, -errno);
	fclose(file);
	return error;
}

int run_cat(int argc, char **argv)
{
	int status = 0;

	if (argc < 2) {
		printf("cat: which file?\n");
		return 1;
	}
	for (int i = 1; i < argc; i++)
		status |= cat(argv[i]);
	return status;
}
