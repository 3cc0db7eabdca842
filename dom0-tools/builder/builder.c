/* SPDX-License-Identifier: MIT */
#include "builder/builder.h"
#include "control/control.h"
#include "loader/loader.h"
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <public/features.h>

#define PAGE_SIZE    4096
#define PAGE_SHIFT   12
#define MAX_ORDER    9		 /* extents of 2 MiB: tables of the machine fit them */
#define EXTENTS	     128	 /* in one hypercall */
#define PIECE	     (1UL << 20) /* that is copied before who waits is told */
#define RFLAGS_START 0x202	 /* interrupts enabled, as events will be; bit 1 is always set */
#define DR6_START    0xffff0ff0
#define DR7_START    0x400

struct build {
	const struct builder_request *request;
	struct chunks chunks;
	struct elf_image elf;
	struct layout layout;
	uint8_t *window; /* the domain's pages first to first + count - 1, mapped here */
	uint64_t first, count;
	uint8_t *unpacked; /* the kernel, in pages of the domain's that are mapped here */
	uint64_t unpacked_pages, packed_size;
	char *problem;
	size_t problem_size;
};

/* An error and the sentence about it. */
static long __attribute__((format(printf, 3, 4)))
fail(struct build *b, long error, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(b->problem, b->problem_size, format, arguments);
	va_end(arguments);
	return error;
}

static long refused(struct build *b, long error, const char *what)
{
	return fail(b, error, "%s: %s", what, strerror((int)-error));
}

static void tell(struct build *b, const char *step, uint64_t done, uint64_t all)
{
	if (b->request->progress)
		b->request->progress(b->request->context, step, done, all);
}

/* ---- memory ---- */

static bool add_extent(struct build *b, xen_pfn_t mfn, uint64_t count)
{
	struct chunks *chunks = &b->chunks;
	struct chunk *more;

	if (chunks_add(chunks, mfn, count))
		return true;
	more = realloc(chunks->chunk, (2 * chunks->max + 16) * sizeof(*more));
	if (!more)
		return false;
	chunks->chunk = more;
	chunks->max = 2 * chunks->max + 16;
	return chunks_add(chunks, mfn, count);
}

/* Some extents of an order, as many as fit; *got: how many there were. */
static long populate_some(struct build *b, unsigned int order, uint64_t pages, uint64_t *got)
{
	xen_pfn_t extents[EXTENTS];
	uint64_t pfn = chunks_pages(&b->chunks), wanted = pages >> order;
	long done;

	if (wanted > EXTENTS)
		wanted = EXTENTS;
	for (uint64_t i = 0; i < wanted; i++)
		extents[i] = pfn + (i << order);
	done = control_populate(b->request->domid, extents, wanted, order);
	*got = done > 0 ? (uint64_t)done : 0;
	for (uint64_t i = 0; i < *got; i++)
		if (!add_extent(b, extents[i], 1UL << order))
			return fail(b, -ENOMEM, "dom0 is out of memory");
	/* None at all: no memory, or a reason that smaller pieces do not change. */
	return done < 0 && done != -ENOMEM ? done : 0;
}

/* In pieces as big as there are. */
static long populate(struct build *b)
{
	uint64_t pages = b->request->pages, left, got;
	unsigned int order = MAX_ORDER;
	long error;

	while ((left = pages - chunks_pages(&b->chunks)) > 0) {
		tell(b, "memory", pages - left, pages);
		while (left >> order == 0)
			order--;
		error = populate_some(b, order, left, &got);
		if (error)
			return b->problem[0] ? error : refused(b, error, "memory was refused");
		if (got == 0 && order-- == 0)
			return fail(b, -ENOMEM,
				    "there is too little free memory: %llu KiB of %llu KiB were to "
				    "be had",
				    (unsigned long long)chunks_pages(&b->chunks) * 4,
				    (unsigned long long)pages * 4);
	}
	return 0;
}

/* Map pages of the domain at adjacent addresses. */
static void *map_pages(struct build *b, uint64_t pfn, uint64_t count, long *error)
{
	xen_pfn_t *mfns = malloc(count * sizeof(*mfns));
	void *address;

	*error = -ENOMEM;
	if (!mfns)
		return NULL;
	chunks_list(&b->chunks, pfn, count, mfns);
	address = control_map_foreign(b->request->domid, mfns, count, true, error);
	free(mfns);
	return address;
}

/* ---- the kernel ---- */

void *unpack_alloc(size_t size)
{
	return calloc(1, size);
}

void unpack_free(void *memory)
{
	free(memory);
}

static void unpacked_some(void *context, size_t done)
{
	struct build *b = context;

	tell(b, "unpacking the kernel", done, b->packed_size);
}

/*
 * A packed kernel is unpacked into the last pages of the domain's memory, which are the domain's anyway: dom0 has no
 * room for it. plan() makes sure that the start of day lies below them.
 */
static long unpack_kernel(struct build *b, const void **data, size_t *size)
{
	struct packed packed;
	const char *problem = unpack_find(*data, *size, &packed);
	uint64_t count;
	long error;

	if (problem)
		return fail(b, -EINVAL, "the kernel cannot be used: %s", problem);
	if (!packed.format)
		return 0;
	count = (packed.unpacked + PAGE_SIZE - 1) / PAGE_SIZE;
	if (count >= b->request->pages)
		return fail(b, -ENOMEM,
			    "the kernel unpacks to %zu KiB, for which the domain's "
			    "%llu KiB are too few",
			    packed.unpacked / 1024, (unsigned long long)b->request->pages * 4);
	b->unpacked = map_pages(b, b->request->pages - count, count, &error);
	if (!b->unpacked)
		return refused(b, error, "the domain's memory cannot be mapped");
	b->unpacked_pages = count;
	b->packed_size = packed.size;
	packed.progress = unpacked_some;
	packed.context = b;
	problem = unpack(&packed, b->unpacked);
	if (problem)
		return fail(b, -EINVAL, "the kernel cannot be used: %s", problem);
	*data = b->unpacked;
	*size = packed.unpacked;
	return 0;
}

static long plan(struct build *b)
{
	const struct builder_request *r = b->request;
	const char *problem = layout_plan(&b->layout, &b->elf, r->pages, r->ramdisk_size, true);
	uint64_t usable = r->pages - b->unpacked_pages;

	if (problem)
		return fail(b, -EINVAL, "the kernel cannot be used: %s", problem);
	if (b->layout.used_pfns > usable)
		return fail(b, -ENOMEM,
			    "the domain has too little memory: kernel and ramdisk need %llu KiB%s, "
			    "and it has %llu KiB",
			    (unsigned long long)(b->layout.used_pfns + b->unpacked_pages) * 4,
			    b->unpacked_pages ? " while the kernel is unpacked" : "",
			    (unsigned long long)r->pages * 4);
	return 0;
}

static long read_kernel(struct build *b)
{
	const void *data = b->request->kernel;
	size_t size = b->request->kernel_size;
	const char *problem;
	long error = unpack_kernel(b, &data, &size);

	if (error)
		return error;
	problem = elf_parse(data, size, &b->elf);
	if (problem)
		return fail(b, -EINVAL, "the kernel cannot be used: %s", problem);
	return plan(b);
}

/* ---- contents ---- */

static void *page(struct build *b, uint64_t pfn)
{
	return b->window + ((pfn - b->first) << PAGE_SHIFT);
}

static void *layout_page(void *context, uint64_t pfn)
{
	return page(context, pfn);
}

static uint64_t layout_mfn(void *context, uint64_t pfn)
{
	return chunks_mfn(&((struct build *)context)->chunks, pfn);
}

static void copy(struct build *b, const char *step, uint8_t *to, const uint8_t *from, size_t size)
{
	for (size_t at = 0, piece; at < size; at += piece) {
		piece = size - at < PIECE ? size - at : PIECE;
		tell(b, step, at, size);
		memcpy(to + at, from + at, piece);
	}
}

/* From where it lies straight to the domain's memory: dom0 needs none for it. */
static long read_ramdisk(struct build *b)
{
	const struct builder_request *r = b->request;
	uint8_t *to = page(b, b->layout.ramdisk_pfn);
	long error = 0;

	for (size_t at = 0, piece; !error && at < r->ramdisk_size; at += piece) {
		piece = r->ramdisk_size - at < PIECE ? r->ramdisk_size - at : PIECE;
		tell(b, "copying the ramdisk", at, r->ramdisk_size);
		error = r->read_ramdisk(r->ramdisk, to + at, piece);
	}
	return error ? refused(b, error, "the ramdisk cannot be read") : 0;
}

/* New memory holds zeros. */
static void copy_segment(void *context, uint64_t offset, const void *src, size_t filesz,
			 size_t memsz)
{
	struct build *b = context;
	uint64_t to = b->elf.virt_start - b->layout.base + offset;

	copy(b, "copying the kernel", b->window + to - (b->first << PAGE_SHIFT), src, filesz);
}

static void write_p2m(struct build *b)
{
	chunks_list(&b->chunks, 0, b->request->pages, page(b, b->layout.p2m_pfn));
}

static void write_start_info(struct build *b, uint64_t shared_info_mfn)
{
	struct start_info *info = page(b, b->layout.start_info_pfn);

	layout_describe(&b->layout, b->request->pages, info);
	info->shared_info = shared_info_mfn << PAGE_SHIFT;
	info->store_mfn = layout_mfn(b, b->layout.store_pfn);
	info->store_evtchn = b->request->store_port;
	info->console.domU.mfn = layout_mfn(b, b->layout.console_pfn);
	info->console.domU.evtchn = b->request->console_port;
	snprintf((char *)info->cmd_line, sizeof(info->cmd_line), "%s", b->request->command_line);
}

static long fill_memory(struct build *b, uint64_t shared_info_mfn)
{
	const struct layout_memory memory = {.mfn = layout_mfn, .page = layout_page, .context = b};
	const struct layout *l = &b->layout;
	long error;

	b->first = layout_pfn(l, b->elf.virt_start);
	b->count = l->stack_pfn - b->first;
	if (l->ramdisk_pfn + l->ramdisk_size / PAGE_SIZE >= b->first + b->count ||
	    b->elf.notes.has_init_p2m)
		b->count = l->used_pfns - b->first;
	b->window = map_pages(b, b->first, b->count, &error);
	if (!b->window)
		return refused(b, error, "the domain's memory cannot be mapped");
	elf_load(&b->elf, copy_segment, b);
	error = read_ramdisk(b);
	if (error)
		return error;
	write_p2m(b);
	layout_build_tables(l, &memory);
	write_start_info(b, shared_info_mfn);
	return 0;
}

static void unmap_all(struct build *b)
{
	if (b->window)
		control_unmap(b->window, b->count);
	b->window = NULL;
	if (b->unpacked)
		control_unmap(b->unpacked, b->unpacked_pages);
	b->unpacked = NULL;
}

/* ---- the domain ---- */

/* Events are masked until the kernel is ready for them, on every vCPU that has its record in this page. */
static long mask_events(struct build *b, uint64_t shared_info_mfn)
{
	long error;
	struct shared_info *shared =
	    control_map_foreign_run(b->request->domid, shared_info_mfn, 1, true, &error);

	if (!shared)
		return refused(b, error, "the domain's shared page cannot be mapped");
	for (unsigned int i = 0; i < XEN_LEGACY_MAX_VCPUS; i++)
		shared->vcpu_info[i].evtchn_upcall_mask = 1;
	control_unmap(shared, 1);
	return 0;
}

static long seed_grants(struct build *b, const struct builder_result *result)
{
	const struct control_grant grants[] = {
	    {GNTTAB_RESERVED_CONSOLE, b->request->console_domid, result->console_mfn},
	    {GNTTAB_RESERVED_XENSTORE, b->request->store_domid, result->store_mfn},
	};
	long error = control_seed_grants(b->request->domid, grants, 2);

	return error ? refused(b, error, "the domain's grant table cannot be written") : 0;
}

static long set_up_vcpu(struct build *b)
{
	const struct layout *l = &b->layout;
	xen_pfn_t root = layout_mfn(b, l->pt_pfn);
	struct vcpu_guest_context *context = calloc(1, sizeof(*context));
	long error;

	if (!context)
		return fail(b, -ENOMEM, "dom0 is out of memory");
	context->flags = VGCF_in_kernel | VGCF_online;
	context->user_regs.rip = b->elf.notes.entry;
	context->user_regs.rsp = layout_virt(l, l->stack_pfn + 1);
	context->user_regs.rsi = layout_virt(l, l->start_info_pfn);
	context->user_regs.rflags = RFLAGS_START;
	context->user_regs.cs = FLAT_KERNEL_CS;
	context->user_regs.ss = FLAT_KERNEL_SS;
	context->user_regs.ds = context->user_regs.es = FLAT_KERNEL_DS;
	context->user_regs.fs = context->user_regs.gs = FLAT_KERNEL_DS;
	context->kernel_ss = FLAT_KERNEL_SS;
	context->kernel_sp = context->user_regs.rsp;
	context->ctrlreg[3] = xen_pfn_to_cr3(root);
	context->debugreg[6] = DR6_START;
	context->debugreg[7] = DR7_START;
	error = control_set_vcpu_context(b->request->domid, 0, context);
	free(context);
	return error ? refused(b, error, "the first vCPU's state was refused") : 0;
}

static long check_request(struct build *b)
{
	const struct builder_request *r = b->request;
	size_t room = sizeof(((struct start_info *)NULL)->cmd_line);

	if (strlen(r->command_line) >= room)
		return fail(b, -E2BIG, "the kernel's command line has more than %zu characters",
			    room - 1);
	if (r->pages == 0)
		return fail(b, -EINVAL, "a domain without memory cannot be built");
	return 0;
}

static long set_up_memory(struct build *b)
{
	long error = populate(b);

	if (error)
		return error;
	error = control_set_memory_map(b->request->domid, b->request->max_pages);
	if (error)
		return refused(b, error, "the domain's memory map was refused");
	return read_kernel(b);
}

static long make_tables(struct build *b)
{
	long error = control_pin_table(b->request->domid, layout_mfn(b, b->layout.pt_pfn), 4);

	if (error)
		return refused(b, error, "the domain's page tables were refused");
	if (!b->elf.notes.has_hypercall_page)
		return 0;
	error = control_hypercall_page(
	    b->request->domid, layout_mfn(b, layout_pfn(&b->layout, b->elf.notes.hypercall_page)));
	return error ? refused(b, error, "the kernel's hypercall page was refused") : 0;
}

static long build(struct build *b, struct builder_result *result)
{
	struct xen_domctl_getdomaininfo info;
	long error = check_request(b);

	if (error)
		return error;
	error = control_info(b->request->domid, &info);
	if (error)
		return refused(b, error, "there is no such domain");
	error = set_up_memory(b);
	if (!error)
		error = fill_memory(b, info.shared_info_frame);
	unmap_all(b); /* page tables must not be mapped writable anywhere */
	if (!error)
		error = make_tables(b);
	if (!error)
		error = mask_events(b, info.shared_info_frame);
	if (error)
		return error;
	result->store_mfn = layout_mfn(b, b->layout.store_pfn);
	result->console_mfn = layout_mfn(b, b->layout.console_pfn);
	memcpy(result->guest_os, b->elf.notes.guest_os, sizeof(result->guest_os));
	error = seed_grants(b, result);
	return error ? error : set_up_vcpu(b);
}

long builder_build(const struct builder_request *request, struct builder_result *result,
		   char *problem, size_t size)
{
	struct build b = {.request = request, .problem = problem, .problem_size = size};
	long error;

	problem[0] = 0;
	error = build(&b, result);
	free(b.chunks.chunk);
	return error;
}
