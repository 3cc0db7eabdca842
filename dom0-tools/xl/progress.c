/* SPDX-License-Identifier: MIT */
#include "xl/progress.h"
#include <guest/clock.h>

#define PATIENCE   (NSEC_PER_SEC / 2) /* before something is shown */
#define INTERVAL   (NSEC_PER_SEC / 5) /* between two drawings */
#define ERASE_LINE "\r\033[K"

void progress_begin(struct progress *progress, FILE *out, const char *what)
{
	*progress = (struct progress){.out = out, .what = what, .begun = clock_now()};
}

void progress_step(struct progress *progress, const char *step, uint64_t done, uint64_t all)
{
	uint64_t now;
	unsigned int percent = 0;

	if (!progress->out)
		return;
	now = clock_now();
	if (now - progress->begun < PATIENCE ||
	    (progress->shown && now - progress->drawn < INTERVAL))
		return;
	if (all)
		percent = (unsigned int)(100.0 * (double)done / (double)all);
	fprintf(progress->out, ERASE_LINE "%s: %s, %u %%", progress->what, step, percent);
	fflush(progress->out);
	progress->shown = true;
	progress->drawn = now;
}

void progress_end(struct progress *progress)
{
	if (!progress->shown)
		return;
	fputs(ERASE_LINE, progress->out);
	fflush(progress->out);
	progress->shown = false;
}
