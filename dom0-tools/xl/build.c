/* SPDX-License-Identifier: MIT */
#include "xl/build.h"
#include <stdio.h>
#include <unistd.h>
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

static void tell(void *context, const char *step, uint64_t done, uint64_t all)
{
	progress_step(context, step, done, all);
}

static bool build(struct builder_request *request, const struct domain_config *config,
		  bool progress, struct domain_channels *channels, struct report *report)
{
	struct builder_result result;
	struct progress shown;
	char problem[200], what[32];
	long error;

	if (progress) {
		printf("Building domain %u from %s\n", request->domid, config->kernel);
		fflush(stdout);
	}
	snprintf(what, sizeof(what), "Domain %u", request->domid);
	progress_begin(&shown, progress && isatty(STDOUT_FILENO) ? stdout : NULL, what);
	request->progress = tell;
	request->context = &shown;
	error = builder_build(request, &result, problem, sizeof(problem));
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
	bool right;

	right = find("kernel", config->kernel, &request.kernel, &request.kernel_size, report) &&
		(!config->ramdisk ||
		 find("ramdisk", config->ramdisk, &request.ramdisk, &request.ramdisk_size, report));
	right = right && build(&request, config, progress, channels, report);
	files_unmap(request.kernel);
	files_unmap(request.ramdisk);
	return right;
}
