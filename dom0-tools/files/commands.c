/* SPDX-License-Identifier: MIT */
/* Commands of the shell that look at files. */
#include "files/commands.h"
#include "files/files.h"
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

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

/* ---- changes ---- */

#define COPY_SIZE 65536

static int copy(int from, int to, const char *from_path, const char *to_path, char *buffer)
{
	long count;

	while ((count = read(from, buffer, COPY_SIZE)) > 0)
		if (write(to, buffer, (size_t)count) != count)
			return refused("cp", to_path, -errno);
	if (count < 0)
		return refused("cp", from_path, -errno);
	return fsync(to) ? refused("cp", to_path, -errno) : 0;
}

/* A folder as the target: the same name in it. */
static const char *target_path(const char *from, const char *to, char path[FILES_PATH])
{
	const char *slash = strrchr(from, '/');
	struct file file;

	if (files_find(to, &file) || !file.directory)
		return to;
	snprintf(path, FILES_PATH, "%s/%s", to, slash ? slash + 1 : from);
	return path;
}

int run_cp(int argc, char **argv)
{
	char path[FILES_PATH], *buffer;
	const char *target;
	int from, to, status = 1;

	if (argc != 3) {
		printf("cp: which file, and where to?\n");
		return 1;
	}
	target = target_path(argv[1], argv[2], path);
	from = open(argv[1], O_RDONLY);
	if (from < 0)
		return refused("cp", argv[1], -errno);
	buffer = malloc(COPY_SIZE);
	to = buffer ? open(target, O_WRONLY | O_CREAT | O_TRUNC, 0644) : -1;
	if (!buffer)
		printf("cp: out of memory\n");
	else if (to < 0)
		status = refused("cp", target, -errno);
	else
		status = copy(from, to, argv[1], target, buffer);
	if (to >= 0)
		close(to);
	close(from);
	free(buffer);
	return status;
}

int run_mv(int argc, char **argv)
{
	char path[FILES_PATH];
	long error;

	if (argc != 3) {
		printf("mv: which file, and where to?\n");
		return 1;
	}
	error = files_rename(argv[1], target_path(argv[1], argv[2], path));
	return error ? refused("mv", argv[1], error) : 0;
}

static int each_path(int argc, char **argv, long (*change)(const char *path))
{
	int status = 0;

	if (argc < 2) {
		printf("%s: which?\n", argv[0]);
		return 1;
	}
	for (int i = 1; i < argc; i++) {
		long error = change(argv[i]);

		if (error)
			status = refused(argv[0], argv[i], error);
	}
	return status;
}

int run_rm(int argc, char **argv)
{
	return each_path(argc, argv, files_remove);
}

int run_mkdir(int argc, char **argv)
{
	return each_path(argc, argv, files_make_directory);
}
