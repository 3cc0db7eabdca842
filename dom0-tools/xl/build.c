/* SPDX-License-Identifier: MIT */
#include "xl/build.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>
#include <sys/stat.h>
#include "builder/builder.h"
#include "files/files.h"
#include "xl/progress.h"
#include "xl/toolstack.h"

static bool find(const char *what, const char *path, const void **data, size_t *size,
		 struct report *report)
{
	long error = files_map(path, data, size);

	if (error)
		report_error(report, NULL, 0, "the %s `%s' cannot be read: %s", what, path,
			     error_text(error));
	return !error;
}

/* A ramdisk stays open while it is copied. Its file, or -1 after saying what is wrong. */
static int open_ramdisk(const char *path, size_t *size, struct report *report)
{
	int file = open(path, O_RDONLY);
	struct stat status = {0};

	if (file < 0 || fstat(file, &status)) {
		report_error(report, NULL, 0, "the ramdisk `%s' cannot be read: %s", path,
			     error_text(-errno));
		if (file >= 0)
			close(file);
		return -1;
	}
	*size = (size_t)status.st_size;
	return file;
}

static long read_ramdisk(void *ramdisk, void *to, size_t size)
{
	const int *file = ramdisk;
	long count;

	for (; size; to = (char *)to + count, size -= (size_t)count) {
		count = read(*file, to, size);
		if (count <= 0)
			return count ? -errno : -EIO;
	}
	return 0;
}

static void tell(void *context, const char *step, uint64_t done, uint64_t all)
{
	progress_step(context, step, done, all);
}

static bool build(const struct builder_request *prepared, const struct domain_config *config,
		  bool progress, struct domain_channels *channels, struct report *report)
{
	struct builder_request request = *prepared;
	struct builder_result result;
	struct progress shown;
	char problem[200], what[32];
	long error;

	if (progress) {
		printf("Building domain %u from %s\n", request.domid, config->kernel);
		fflush(stdout);
	}
	snprintf(what, sizeof(what), "Domain %u", request.domid);
	progress_begin(&shown, progress && isatty(STDOUT_FILENO) ? stdout : NULL, what);
	request.progress = tell;
	request.context = &shown;
	error = builder_build(&request, &result, problem, sizeof(problem));
	progress_end(&shown);
	if (error) {
		report_error(report, NULL, 0, "%s: %s", config->kernel, problem);
		return false;
	}
	channels->store_mfn = result.store_mfn;
	channels->console_mfn = result.console_mfn;
	return true;
}

bool build_domain(const struct domain_config *config, domid_t domid, bool progress,
		  struct domain_channels *channels, struct report *report)
{
	struct builder_request request = {
	    .domid = domid,
	    .command_line = config->cmdline,
	    .pages = config->memory_kib / 4,
	    .max_pages = config->max_memory_kib / 4,
	    .store_port = channels->store_port,
	    .console_port = channels->console_port,
	};
	bool right = find("kernel", config->kernel, &request.kernel, &request.kernel_size, report);
	int ramdisk = -1;

	if (right && config->ramdisk) {
		ramdisk = open_ramdisk(config->ramdisk, &request.ramdisk_size, report);
		request.read_ramdisk = read_ramdisk;
		request.ramdisk = &ramdisk;
		right = ramdisk >= 0;
	}
	right = right && build(&request, config, progress, channels, report);
	if (ramdisk >= 0)
		close(ramdisk);
	files_unmap(request.kernel);
	return right;
}
