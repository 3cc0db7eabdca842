/* SPDX-License-Identifier: MIT */
/* xl top: domains, live, as xentop shows them. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <guest/clock.h>
#include <public/errno.h>
#include "control/control.h"
#include "xl/amount.h"
#include "xl/keyboard.h"
#include "xl/xl.h"

#define HOME	    "\x1b[H"
#define CLEAR	    "\x1b[2J"
#define END_OF_LINE "\x1b[K\n"
#define CLEAR_REST  "\x1b[J"

enum { JSON = 256 };

struct top {
	bool batch, full_names, as_json;
	unsigned long delay, screens; /* seconds; 0: for ever */
	enum { SORT_DOMID, SORT_NAME, SORT_CPU, SORT_MEMORY, SORTS } sort;

	/* What the last screen showed. */
	struct domain_list list;
	uint64_t when;
};

static enum { BY_DOMID, BY_NAME, BY_CPU, BY_MEMORY } order;

static int compare(const void *left, const void *right)
{
	const struct domain_view *a = left, *b = right;

	switch (order) {
	case BY_NAME:
		return strcmp(a->name, b->name);
	case BY_CPU:
		return (a->cpu_time < b->cpu_time) - (a->cpu_time > b->cpu_time);
	case BY_MEMORY:
		return (a->memory_kib < b->memory_kib) - (a->memory_kib > b->memory_kib);
	case BY_DOMID:
		break;
	}
	return (a->domid > b->domid) - (a->domid < b->domid);
}

static uint64_t cpu_before(const struct top *top, const struct domain_view *domain)
{
	for (unsigned int i = 0; i < top->list.count; i++)
		if (top->list.views[i].domid == domain->domid &&
		    !memcmp(top->list.views[i].uuid, domain->uuid, sizeof(domain->uuid)))
			return top->list.views[i].cpu_time;
	return 0;
}

static void show(const struct top *top, const struct top_view *view)
{
	if (top->as_json) {
		view_top_json(stdout, view);
	} else if (top->batch) {
		view_top(stdout, view, "\n");
	} else {
		fputs(HOME, stdout);
		view_top(stdout, view, END_OF_LINE);
		fputs(CLEAR_REST, stdout);
	}
	fflush(stdout);
}

static long screen(struct top *top)
{
	struct xen_sysctl_physinfo machine = {0};
	struct top_view view = {.full_names = top->full_names,
				.rows = top->batch || top->as_json ? 0 : 18};
	time_t now = time(NULL);
	uint64_t *before;
	struct domain_list list;
	struct tm split;
	long error = domain_list_read(&list);

	if (!error)
		error = control_physinfo(&machine);
	before = calloc(list.count + 1, sizeof(*before));
	if (!error && !before)
		error = -XEN_ENOMEM;
	if (error) {
		free(before);
		domain_list_free(&list);
		return error;
	}
	order = (unsigned int)top->sort;
	qsort(list.views, list.count, sizeof(*list.views), compare);
	for (unsigned int i = 0; i < list.count; i++)
		before[i] = cpu_before(top, &list.views[i]);
	gmtime_r(&now, &split);
	strftime(view.time, sizeof(view.time), "%H:%M:%S", &split);
	control_version(view.version, sizeof(view.version));
	view.total_kib = machine.total_pages * 4;
	view.free_kib = machine.free_pages * 4;
	view.cpus = machine.nr_cpus;
	view.cpu_khz = machine.cpu_khz;
	view.domains = list.views;
	view.count = list.count;
	view.cpu_before = top->when ? before : NULL;
	view.elapsed = top->when ? clock_now() - top->when : 0;
	show(top, &view);
	free(before);
	domain_list_free(&top->list);
	top->list = list;
	top->when = clock_now();
	return 0;
}

/* Obey keys until it is time for the next screen; false: quit. */
static bool keys_until(struct top *top, uint64_t deadline)
{
	int key;

	while ((key = key_wait(deadline)) != KEY_NONE) {
		switch (key) {
		case 'q':
		case 'Q':
		case KEY_ESC:
		case KEY_CTRL_C:
			return false;
		case 's':
		case 'S':
			top->sort = (top->sort + 1) % SORTS;
			return true;
		case 'd':
		case 'D':
			top->delay = top->delay == 1 ? 3 : top->delay == 3 ? 10 : 1;
			return true;
		default:
			break;
		}
	}
	return true;
}

static bool top_options(int argc, char **argv, struct top *top)
{
	static const struct option words[] = {
	    {"batch", 0, NULL, 'b'},	  {"delay", 1, NULL, 'd'}, {"full-name", 0, NULL, 'f'},
	    {"iterations", 1, NULL, 'i'}, {"json", 0, NULL, JSON}, {NULL, 0, NULL, 0}};
	int c;

	while ((c = next_option(argc, argv, "bd:fi:", words)) != -1) {
		switch (c) {
		case 'b':
			top->batch = true;
			break;
		case 'd':
			if (!number_parse(optarg, 86400, &top->delay) || !top->delay) {
				failed("delay: expected a number of seconds, found `%s'", optarg);
				return false;
			}
			break;
		case 'f':
			top->full_names = true;
			break;
		case 'i':
			if (!number_parse(optarg, 1000000, &top->screens) || !top->screens) {
				failed("iterations: expected a number from 1 on, found `%s'",
				       optarg);
				return false;
			}
			break;
		case JSON:
			top->as_json = true;
			break;
		default:
			return false;
		}
	}
	return arguments_right(argc, argv, 0, 0);
}

int verb_top(int argc, char **argv)
{
	struct top top = {.delay = 3};
	long error = 0;

	if (!top_options(argc, argv, &top))
		return XL_USAGE;
	if (!top.batch && !top.as_json)
		fputs(HOME CLEAR, stdout);
	for (unsigned long n = 1; !error; n++) {
		error = screen(&top);
		if (error || n == top.screens ||
		    !keys_until(&top, clock_now() + top.delay * NSEC_PER_SEC))
			break;
	}
	domain_list_free(&top.list);
	return error ? failed_with(error, "domains cannot be listed") : XL_OK;
}
