/* SPDX-License-Identifier: MIT */
#include "xl/core.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <guest/hypercall.h>
#include <guest/memory.h>
#include <public/errno.h>
#include "control/control.h"
#include "xl/core_file.h"
#include "xl/xl.h"

/* Pages of a domain that are looked at, at most: 1 GiB. */
#define PAGES_MOST 262144ul
/* Levels 4 to 1; which slots of level 4 are a kernel's own. */
#define ENTRIES	     512
#define FIRST_KERNEL 272
#define BATCH	     32
#define AROUND_STACK 4 /* pages below and above the stack pointer */

/* What is kept. toolstack_lock. */
struct core {
	struct core *next;
	char name[DOMAIN_NAME_SIZE + 24];
	unsigned int domid;
	time_t when;
	size_t size, pages, left_out;
	void *file;
};
static struct core *cores; /* the newest first */

/* What is found of a domain: machine frame and marks of each of its pages. */
#define FOUND	  (1ull << 63)
#define IMPORTANT (1ull << 62)
#define NOT_ZERO  (1ull << 61)
#define MFN_MASK  (NOT_ZERO - 1)

struct search {
	domid_t domid;
	uint64_t *pages; /* by pfn: frame and marks; 0: not found */
	unsigned long count, max_mfn;
	unsigned long tables_left;   /* to be read: a guest may name one table in many places */
	uint64_t (*tables)[ENTRIES]; /* copies, by level - 1 */
	unsigned int vcpus;
	struct vcpu_guest_context *contexts;
};

/* Finding pages. All tables are the guest's, who may have let them be anything: loops end, frames are asked for. */

static bool read_table(struct search *s, uint64_t mfn, uint64_t *copy)
{
	xen_pfn_t frame = mfn;
	const void *table = control_map_foreign(s->domid, &frame, 1, false, NULL);

	if (!table)
		return false;
	memcpy(copy, table, PAGE_SIZE);
	control_unmap((void *)table, 1);
	return true;
}

/*
 * Take the domain's own of these frames. That is asked first: the table of frames' numbers is only there to be read for
 * frames that are memory, and a guest's entries may name anything.
 */
static void found(struct search *s, const uint64_t *mfns, unsigned int count, uint64_t marks)
{
	xen_pfn_t types[ENTRIES];

	for (unsigned int i = 0; i < count; i++)
		types[i] = mfns[i];
	if (!count || control_frame_types(s->domid, types, count))
		return;
	for (unsigned int i = 0; i < count; i++) {
		unsigned long pfn;

		if (mfns[i] > s->max_mfn ||
		    (types[i] & XEN_DOMCTL_PFINFO_LTAB_MASK) == XEN_DOMCTL_PFINFO_XTAB)
			continue;
		pfn = mfn_to_pfn(mfns[i]);
		if (pfn < s->count && (!s->pages[pfn] || (s->pages[pfn] & MFN_MASK) == mfns[i]))
			s->pages[pfn] |= mfns[i] | FOUND | marks;
	}
}

static void search_below(struct search *s, uint64_t mfn, unsigned int level)
{
	uint64_t *table = s->tables[level - 1];
	unsigned int mapped = 0;

	if (!s->tables_left || !read_table(s, mfn, table))
		return;
	s->tables_left--;
	for (unsigned int i = level == 4 ? FIRST_KERNEL : 0; i < ENTRIES; i++) {
		if (!(table[i] & PTE_P))
			continue;
		if (level == 1)
			table[mapped++] = pte_mfn(table[i]);
		else if (!(table[i] & PTE_PS))
			search_below(s, pte_mfn(table[i]), level - 1);
	}
	found(s, table, mapped, 0);
}

/* The page behind an address of a vCPU's kernel is important. */
static void mark_address(struct search *s, uint64_t root, uint64_t address)
{
	uint64_t entry = root << PAGE_SHIFT | PTE_P;

	for (unsigned int level = 4; level; level--) {
		if (!(entry & PTE_P) || (level < 3 && entry & PTE_PS) ||
		    !read_table(s, pte_mfn(entry), s->tables[0]))
			return;
		entry = s->tables[0][address >> (3 + 9 * level) & (ENTRIES - 1)];
	}
	entry = entry & PTE_P ? pte_mfn(entry) : ~0ull;
	found(s, &entry, 1, IMPORTANT);
}

static void search_vcpu(struct search *s, const struct vcpu_guest_context *context)
{
	uint64_t root = xen_cr3_to_pfn(context->ctrlreg[3]);

	search_below(s, root, 4);
	mark_address(s, root, context->user_regs.rip);
	for (int page = -AROUND_STACK; page <= AROUND_STACK; page++)
		mark_address(s, root, context->user_regs.rsp + (uint64_t)(page * PAGE_SIZE));
}

/* Call for each found page with its contents, in batches; unreadable ones become not found. */
static void each_page(struct search *s, uint64_t marks,
		      void (*use)(struct search *s, unsigned long pfn, const uint8_t *page,
				  void *context),
		      void *context)
{
	xen_pfn_t frames[BATCH];
	unsigned long pfns[BATCH];
	int errors[BATCH];
	unsigned int n = 0;

	for (unsigned long pfn = 0; pfn < s->count; pfn++) {
		if ((s->pages[pfn] & marks) == marks) {
			frames[n] = s->pages[pfn] & MFN_MASK;
			pfns[n++] = pfn;
		}
		if (n == 0 || (n < BATCH && pfn + 1 < s->count))
			continue;
		const uint8_t *mapped =
		    control_map_foreign_some(s->domid, frames, n, false, errors);

		for (unsigned int i = 0; i < n; i++) {
			if (mapped && !errors[i])
				use(s, pfns[i], mapped + i * PAGE_SIZE, context);
			else
				s->pages[pfns[i]] = 0;
		}
		if (mapped)
			control_unmap((void *)mapped, n);
		n = 0;
	}
}

static void mark_not_zero(struct search *s, unsigned long pfn, const uint8_t *page, void *context)
{
	const uint64_t *words = (const uint64_t *)page;

	for (unsigned int i = 0; i < PAGE_SIZE / sizeof(*words); i++)
		if (words[i]) {
			s->pages[pfn] |= NOT_ZERO;
			return;
		}
}

/* Take the mark from those that are too many; returns how many are left, and how many were left out. */
static size_t choose(struct search *s, size_t most, size_t *left_out)
{
	size_t important = 0, others = 0, taken = 0;

	for (unsigned long pfn = 0; pfn < s->count; pfn++) {
		important += (s->pages[pfn] & (NOT_ZERO | IMPORTANT)) == (NOT_ZERO | IMPORTANT);
		others += (s->pages[pfn] & (NOT_ZERO | IMPORTANT)) == NOT_ZERO;
	}
	*left_out = important + others > most ? important + others - most : 0;
	if (important > most)
		important = most;
	others = most - important;
	for (unsigned long pfn = 0; pfn < s->count; pfn++) {
		size_t *room = s->pages[pfn] & IMPORTANT ? &important : &others;

		if (!(s->pages[pfn] & NOT_ZERO))
			continue;
		if (*room) {
			--*room;
			taken++;
		} else {
			s->pages[pfn] &= ~NOT_ZERO;
		}
	}
	return taken;
}

/* Writing */

struct writing {
	struct core_parts parts;
	size_t room, written;
};

static void write_page(struct search *s, unsigned long pfn, const uint8_t *page, void *context)
{
	struct writing *w = context;

	if (w->written == w->room)
		return;
	w->parts.table[w->written] = (struct core_page){pfn, s->pages[pfn] & MFN_MASK};
	memcpy(w->parts.pages + w->written++ * PAGE_SIZE, page, PAGE_SIZE);
}

static void read_version(struct core_version *version)
{
	struct xen_platform_parameters parameters = {0};
	long number = hypercall_xen_version(XENVER_version, NULL);

	*version = (struct core_version){.major = (uint64_t)number >> 16,
					 .minor = (uint64_t)number & 0xffff,
					 .page_size = PAGE_SIZE};
	hypercall_xen_version(XENVER_extraversion, version->extra);
	hypercall_xen_version(XENVER_compile_info, &version->compile);
	hypercall_xen_version(XENVER_capabilities, version->capabilities);
	hypercall_xen_version(XENVER_changeset, version->changeset);
	if (!hypercall_xen_version(XENVER_platform_parameters, &parameters))
		version->virt_start = parameters.virt_start;
}

static void read_shared_info(struct search *s, void *to)
{
	struct xen_domctl_getdomaininfo info;

	if (!control_info(s->domid, &info))
		read_table(s, info.shared_info_frame, to);
}

/* The file, or NULL without memory. */
static void *write_core(struct search *s, struct core *core)
{
	size_t empty = core_file_size(s->vcpus, 0) + PAGE_SIZE;
	struct core_version *version = malloc(sizeof(*version));
	struct writing w = {0};

	each_page(s, FOUND, mark_not_zero, NULL);
	w.room = choose(s, (CORES_SIZE - empty) / (PAGE_SIZE + sizeof(struct core_page)),
			&core->left_out);
	core->size = core_file_size(s->vcpus, w.room);
	core->file = malloc(core->size);
	if (core->file && version) {
		read_version(version);
		w.parts = core_file_begin(core->file, s->vcpus, w.room, version);
		memcpy(w.parts.vcpus, s->contexts, s->vcpus * sizeof(*s->contexts));
		read_shared_info(s, w.parts.shared_info);
		each_page(s, NOT_ZERO, write_page, &w);
		core->pages = w.written;
		/* What can't be read any more: entries that are not valid, pages of zeroes. */
		for (size_t i = w.written; i < w.room; i++) {
			w.parts.table[i] = (struct core_page){~0ull, ~0ull};
			memset(w.parts.pages + i * PAGE_SIZE, 0, PAGE_SIZE);
		}
	}
	free(version);
	return version ? core->file : NULL;
}

/* The vCPUs, then the pages that their tables lead to. */
static long search_domain(struct search *s, const struct domain_view *domain)
{
	struct xen_sysctl_physinfo machine;
	unsigned long last = 0;
	long error = control_physinfo(&machine);

	if (error)
		return error;
	s->max_mfn = machine.max_mfn;
	/* How far its numbers go a guest may have said, and may have said anything. */
	s->count = domain->memory_kib / 4;
	if (!control_maximum_pfn(s->domid, &last) && last >= s->count)
		s->count = last + 1;
	if (s->count == 0 || s->count > PAGES_MOST)
		s->count = PAGES_MOST;
	s->tables_left = 4096 + s->count / 64;
	s->vcpus = domain->max_vcpus;
	s->pages = calloc(s->count, sizeof(*s->pages));
	s->tables = malloc(4 * sizeof(*s->tables));
	s->contexts = calloc(s->vcpus + 1, sizeof(*s->contexts)); /* there may be none */
	if (!s->pages || !s->tables || !s->contexts)
		return -XEN_ENOMEM;
	for (unsigned int n = 0; n < s->vcpus; n++) {
		error = control_get_vcpu_context(s->domid, n, &s->contexts[n]);
		/* One that was never started has no state. */
		if (error && error != -XEN_ENODATA)
			return error;
		if (!error)
			search_vcpu(s, &s->contexts[n]);
	}
	return 0;
}

static void free_core(struct core *core)
{
	free(core->file);
	free(core);
}

/* The oldest give way to a new one of that size. */
static void make_room(size_t size)
{
	struct core **link = &cores, *core;

	for (; (core = *link) != NULL; link = &core->next) {
		size += core->size;
		if (size <= CORES_SIZE)
			continue;
		*link = NULL;
		while (core) {
			struct core *next = core->next;

			free_core(core);
			core = next;
		}
		return;
	}
}

static void name_core(struct core *core, const struct domain_view *domain, const char *name)
{
	struct tm split;
	char stamp[24];

	core->domid = domain->domid;
	core->when = time(NULL);
	gmtime_r(&core->when, &split);
	strftime(stamp, sizeof(stamp), "%Y%m%dT%H%M%SZ", &split);
	if (name)
		snprintf(core->name, sizeof(core->name), "%s", name);
	else
		snprintf(core->name, sizeof(core->name), "%s-%s", domain->name, stamp);
}

bool core_keep(const struct domain_view *domain, const char *name, struct report *report)
{
	struct search s = {.domid = (domid_t)domain->domid};
	struct core *core = calloc(1, sizeof(*core));
	long error = core ? search_domain(&s, domain) : -XEN_ENOMEM;

	if (!error && !write_core(&s, core))
		error = -XEN_ENOMEM;
	free(s.pages);
	free(s.tables);
	free(s.contexts);
	if (error) {
		report_error(report, NULL, 0, "no core of %s was kept: %s", domain->name,
			     error_text(error));
		if (core)
			free_core(core);
		return false;
	}
	name_core(core, domain, name);
	make_room(core->size);
	core->next = cores;
	cores = core;
	if (core->left_out)
		report_warning(report, NULL, 0,
			       "the core of %s lacks %zu of its %zu pages: all cores have %u KiB",
			       domain->name, core->left_out, core->left_out + core->pages,
			       CORES_SIZE >> 10);
	return true;
}

/* dump-core */

static void list_cores(bool as_json)
{
	struct json json;
	char when[24];

	json_start(&json, stdout);
	if (as_json)
		json_array(&json, NULL);
	else
		printf(
		    "Name                                      Domid       Size  Pages  Left out  When\n");
	for (const struct core *core = cores; core; core = core->next) {
		struct tm split;

		gmtime_r(&core->when, &split);
		strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%SZ", &split);
		if (!as_json) {
			printf("%-40s  %5u  %9zu  %5zu  %8zu  %s\n", core->name, core->domid,
			       core->size, core->pages, core->left_out, when);
			continue;
		}
		json_object(&json, NULL);
		json_string(&json, "name", core->name);
		json_unsigned(&json, "domid", core->domid);
		json_unsigned(&json, "size", core->size);
		json_unsigned(&json, "pages", core->pages);
		json_unsigned(&json, "pages_left_out", core->left_out);
		json_string(&json, "time", when);
		json_end(&json);
	}
	if (as_json)
		json_end(&json);
}

enum { JSON = 256 };

int verb_dump_core(int argc, char **argv)
{
	static const struct option words[] = {{"json", 0, NULL, JSON}, {NULL, 0, NULL, 0}};
	struct report report = report_to_stderr();
	struct domain_view domain = {0};
	bool as_json = false, right;
	int c;

	while ((c = next_option(argc, argv, "", words)) != -1) {
		if (c != JSON)
			return XL_USAGE;
		as_json = true;
	}
	if (!arguments_right(argc, argv, 0, 2))
		return XL_USAGE;
	if (optind < argc && !find_domain(argv[optind], &domain))
		return XL_FAILED;
	mutex_lock(&toolstack_lock);
	right = true;
	if (optind == argc)
		list_cores(as_json);
	else
		right = core_keep(&domain, optind + 1 < argc ? argv[optind + 1] : NULL, &report);
	mutex_unlock(&toolstack_lock);
	return right ? XL_OK : XL_FAILED;
}
