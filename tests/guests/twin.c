/* SPDX-License-Identifier: MIT */
#include "twin.h"
#include "test.h"
#include <public/elfnote.h>
#include <public/grant_table.h>
#include <public/io/console.h>
#include <elf.h>

#define MAX_VCPUS    8
#define ENTRIES	     512
#define CONSOLE_SIZE 2048
#define PATIENCE     (30 * NSEC_PER_SEC)

/* One task at a time: `asked` counts up when there is a new one, `done` follows. */
struct twin_page {
	volatile unsigned int asked, done;
	volatile int trap; /* of the last task; -1: none */
	twin_function *volatile function;
	volatile long argument[4], result;
	volatile unsigned long rip, address; /* of the trap */
};

/* ---- control ---- */

long twin_domctl(unsigned int cmd, domid_t id, struct xen_domctl *op)
{
	op->cmd = cmd;
	op->interface_version = XEN_DOMCTL_INTERFACE_VERSION;
	op->domain = id;
	return hypercall_domctl(op);
}

long twin_mmu_update(domid_t id, uint64_t ptr, uint64_t value)
{
	struct mmu_update update = {.ptr = ptr, .val = value};

	return hypercall_mmu_update(&update, 1, NULL, id);
}

long twin_mmuext(domid_t id, unsigned int cmd, unsigned long arg1, unsigned long arg2)
{
	struct mmuext_op op = {.cmd = cmd, .arg1.linear_addr = arg1};

	op.arg2.src_mfn = arg2;
	return hypercall_mmuext_op(&op, 1, NULL, id);
}

bool twin_exists(domid_t id, struct xen_domctl_getdomaininfo *info)
{
	struct xen_domctl op = {0};

	/* It tells about the next one if there is none. */
	if (twin_domctl(XEN_DOMCTL_getdomaininfo, id, &op) || op.domain != id)
		return false;
	if (info)
		*info = op.u.getdomaininfo;
	return true;
}

void *twin_map(const struct twin *twin, unsigned long pfn, unsigned long count, uint64_t flags,
	       long *error)
{
	return frames_map_list((const xen_pfn_t *)&twin->frames[pfn], count, flags, twin->id, NULL,
			       error);
}

/* ---- building ---- */

/* Where things are in the new domain, as page numbers. */
struct plan {
	unsigned long list, list_pages, info, page, console, tables, nr_tables, end;
};

static const Elf64_Ehdr *image(void)
{
	const Elf64_Ehdr *elf = (const Elf64_Ehdr *)start_info->mod_start;

	if (!start_info->mod_len || memcmp(elf->e_ident, ELFMAG, SELFMAG))
		panic("the guest's own image is not its module");
	return elf;
}

static const Elf64_Phdr *segments(const Elf64_Ehdr *elf)
{
	return (const Elf64_Phdr *)((const char *)elf + elf->e_phoff);
}

static unsigned long pages_of(unsigned long bytes)
{
	return (bytes + PAGE_SIZE - 1) / PAGE_SIZE;
}

static struct plan make_plan(unsigned long pages)
{
	const Elf64_Ehdr *elf = image();
	struct plan plan = {0};

	for (unsigned int i = 0; i < elf->e_phnum; i++) {
		const Elf64_Phdr *segment = &segments(elf)[i];

		if (segment->p_type == PT_LOAD)
			plan.list = pages_of(segment->p_vaddr + segment->p_memsz - VIRT_BASE);
	}
	plan.list_pages = pages_of(pages * sizeof(unsigned long));
	plan.info = plan.list + plan.list_pages;
	plan.page = plan.info + 1;
	plan.console = plan.page + 1;
	plan.tables = plan.console + 1;
	/* A table for each level above the first, and what maps everything up to the end of the next 2 MiB. */
	plan.nr_tables = 3 + (plan.tables + 64) / ENTRIES + 1;
	plan.end = plan.tables + plan.nr_tables;
	return plan;
}

static void must(long error, const char *what)
{
	if (error)
		panic("%s: error %ld", what, error);
}

/* A run of its pages, to be filled. */
static void *open_pages(const struct twin *twin, unsigned long pfn, unsigned long count)
{
	long error = 0;
	void *pages = twin_map(twin, pfn, count, PTE_DATA, &error);

	if (!pages)
		panic("cannot map pages %lu to %lu of domain %u: error %ld", pfn, pfn + count,
		      twin->id, error);
	return pages;
}

static void load_image(const struct twin *twin, const struct plan *plan)
{
	const Elf64_Ehdr *elf = image();
	char *pages = open_pages(twin, 0, plan->list);
	struct xen_domctl op = {0};
	unsigned long page = (unsigned long)hypercall_page - VIRT_BASE;

	for (unsigned int i = 0; i < elf->e_phnum; i++) {
		const Elf64_Phdr *segment = &segments(elf)[i];

		if (segment->p_type == PT_LOAD)
			memcpy(pages + segment->p_vaddr - VIRT_BASE,
			       (const char *)elf + segment->p_offset, segment->p_filesz);
	}
	frames_unmap(pages, plan->list);
	op.u.hypercall_init.gmfn = twin->frames[page / PAGE_SIZE];
	must(twin_domctl(XEN_DOMCTL_hypercall_init, twin->id, &op), "hypercall_init");
}

/* Every page of the tables is mapped read-only, as the hypervisor wants it. */
static void fill_tables(const struct twin *twin, const struct plan *plan)
{
	uint64_t(*table)[ENTRIES] = open_pages(twin, plan->tables, plan->nr_tables);
	const unsigned long *frame = &twin->frames[plan->tables];
	unsigned long level1 = plan->nr_tables - 3;

	memset(table, 0, plan->nr_tables * PAGE_SIZE);
	table[0][511] = pte_make(frame[1], PTE_TABLE);
	table[1][510] = pte_make(frame[2], PTE_TABLE);
	for (unsigned long i = 0; i < level1; i++)
		table[2][i] = pte_make(frame[3 + i], PTE_TABLE);
	for (unsigned long pfn = 0; pfn < level1 * ENTRIES && pfn < twin->pages; pfn++) {
		bool is_table = pfn >= plan->tables && pfn < plan->end;

		table[3 + pfn / ENTRIES][pfn % ENTRIES] =
		    pte_make(twin->frames[pfn], is_table ? PTE_READ_ONLY : PTE_DATA);
	}
	frames_unmap(table, plan->nr_tables);
	must(twin_mmuext(twin->id, MMUEXT_PIN_L4_TABLE, frame[0], 0), "pinning the twin's root");
}

static void fill_info(const struct twin *twin, const struct plan *plan)
{
	char *pages = open_pages(twin, plan->list, plan->list_pages + 3);
	struct start_info *info = (struct start_info *)(pages + plan->list_pages * PAGE_SIZE);
	struct xen_domctl_getdomaininfo about;

	memset(pages, 0, (plan->list_pages + 3) * PAGE_SIZE);
	memcpy(pages, twin->frames, twin->pages * sizeof(unsigned long));
	if (!twin_exists(twin->id, &about))
		panic("the twin is not there");
	memcpy(info->magic, "xen-3.0-x86_64", sizeof("xen-3.0-x86_64"));
	info->nr_pages = twin->pages;
	info->shared_info = about.shared_info_frame << PAGE_SHIFT;
	info->store_mfn = twin->frames[plan->page];
	info->console.domU.mfn = twin->frames[plan->console];
	info->pt_base = (unsigned long)pfn_to_virt(plan->tables);
	info->nr_pt_frames = plan->nr_tables;
	info->mfn_list = (unsigned long)pfn_to_virt(plan->list);
	frames_unmap(pages, plan->list_pages + 3);
}

static void set_context(const struct twin *twin, const struct plan *plan)
{
	struct vcpu_guest_context *context = pages_alloc(2);
	struct xen_domctl op = {0};

	memset(context, 0, 2 * PAGE_SIZE);
	context->flags = VGCF_in_kernel | VGCF_online;
	context->user_regs.rip = image()->e_entry;
	context->user_regs.rsp = (unsigned long)pfn_to_virt(plan->end);
	context->user_regs.rsi = (unsigned long)pfn_to_virt(plan->info);
	context->user_regs.rflags = 1 << 9;
	context->user_regs.cs = FLAT_KERNEL_CS;
	context->user_regs.ss = FLAT_KERNEL_SS;
	context->kernel_ss = FLAT_KERNEL_SS;
	context->kernel_sp = (unsigned long)pfn_to_virt(plan->end);
	context->ctrlreg[3] = twin->frames[plan->tables] << PAGE_SHIFT;
	op.u.vcpucontext.vcpu = 0;
	op.u.vcpucontext.ctxt.p = context;
	must(twin_domctl(XEN_DOMCTL_setvcpucontext, twin->id, &op), "setvcpucontext");
	pages_free(context, 2);
}

static long get_memory(struct twin *twin)
{
	struct xen_domctl op = {.u.max_mem.max_memkb = twin->pages * 4};
	struct xen_memory_reservation r = {.nr_extents = twin->pages, .domid = twin->id};
	long error = twin_domctl(XEN_DOMCTL_max_mem, twin->id, &op);

	for (unsigned long pfn = 0; pfn < twin->pages; pfn++)
		twin->frames[pfn] = pfn;
	r.extent_start.p = (xen_pfn_t *)twin->frames;
	if (!error && hypercall_memory_op(XENMEM_populate_physmap, &r) != (long)twin->pages)
		error = -ENOMEM;
	return error;
}

static long create(struct twin *twin, unsigned int vcpus)
{
	struct xen_domctl op = {.u.createdomain = {.max_vcpus = vcpus,
						   .max_evtchn_port = 1023,
						   .max_grant_frames = -1,
						   .max_maptrack_frames = -1,
						   .grant_opts = 2}};
	long error = twin_domctl(XEN_DOMCTL_createdomain, 0, &op);

	if (error)
		return error;
	twin->id = op.domain;
	op = (struct xen_domctl){.u.max_vcpus.max = vcpus};
	return twin_domctl(XEN_DOMCTL_max_vcpus, twin->id, &op);
}

static unsigned long list_pages(const struct twin *twin)
{
	return pages_of(twin->pages * sizeof(unsigned long));
}

long twin_create(struct twin *twin, unsigned long pages, unsigned int vcpus)
{
	struct plan plan = make_plan(pages);
	long error;

	if (plan.end + 64 > pages || vcpus > MAX_VCPUS)
		panic("a twin of %lu pages is too small for this guest", pages);
	*twin = (struct twin){.pages = pages, .pt_first = plan.tables};
	twin->frames = pages_alloc(list_pages(twin));
	if (!twin->frames)
		return -ENOMEM;
	error = create(twin, vcpus);
	if (!error)
		error = get_memory(twin);
	if (error) {
		if (twin->id)
			twin_destroy(twin, true);
		else
			twin_forget(twin);
		return error;
	}
	load_image(twin, &plan);
	fill_info(twin, &plan);
	fill_tables(twin, &plan);
	set_context(twin, &plan);
	twin->page = open_pages(twin, plan.page, 1);
	twin->console = open_pages(twin, plan.console, 1);
	return 0;
}

/* ---- talking ---- */

void twin_console(struct twin *twin)
{
	struct xencons_interface *ring = twin->console;
	char text[128];
	size_t length = 0;

	if (!ring)
		return;
	while (ring->out_cons != ring->out_prod) {
		char c = ring->out[ring->out_cons % sizeof(ring->out)];

		ring->out_cons++;
		if (c == '\r')
			continue;
		text[length++] = c;
		if (length < sizeof(text) && c != '\n')
			continue;
		console_write(text, length);
		length = 0;
	}
	if (length)
		console_write(text, length);
}

bool twin_is_done(const struct twin *twin)
{
	return twin->page->done == twin->page->asked;
}

void twin_begin(struct twin *twin, twin_function *function, long a, long b, long c, long d)
{
	twin->page->function = function;
	twin->page->argument[0] = a;
	twin->page->argument[1] = b;
	twin->page->argument[2] = c;
	twin->page->argument[3] = d;
	__atomic_store_n(&twin->page->asked, twin->page->asked + 1, __ATOMIC_SEQ_CST);
}

static bool wait_done(struct twin *twin)
{
	uint64_t end = clock_now() + PATIENCE;

	while (!twin_is_done(twin)) {
		twin_console(twin);
		if (clock_now() > end)
			return false;
		hypercall_sched_op(SCHEDOP_yield, NULL);
	}
	twin_console(twin);
	return true;
}

long twin_wait(struct twin *twin)
{
	if (!wait_done(twin)) {
		test_expect(__LINE__, "the twin answers", 0, 1);
		return -1;
	}
	if (twin->page->trap < 0)
		return twin->page->result;
	printk("twin: trap %d at %#lx, address %#lx\n", twin->page->trap, twin->page->rip,
	       twin->page->address);
	test_expect(__LINE__, "trap in the twin", twin->page->trap, -1);
	return -1;
}

long twin_call(struct twin *twin, twin_function *function, long a, long b, long c, long d)
{
	twin_begin(twin, function, a, b, c, d);
	return twin_wait(twin);
}

/* ---- life and death ---- */

bool twin_start(struct twin *twin)
{
	struct xen_domctl op = {0};

	/* Its main function does a task of no meaning first. */
	twin->page->asked = 1;
	if (twin_domctl(XEN_DOMCTL_unpausedomain, twin->id, &op))
		return false;
	return wait_done(twin);
}

void twin_make(struct twin *twin)
{
	long error = twin_create(twin, 1024, 1);

	if (error)
		panic("cannot make a twin: error %ld", error);
	if (!twin_start(twin))
		panic("the twin does not start");
}

void twin_forget(struct twin *twin)
{
	if (twin->page)
		frames_unmap(twin->page, 1);
	if (twin->console)
		frames_unmap(twin->console, 1);
	if (twin->frames)
		pages_free(twin->frames, list_pages(twin));
	twin->page = twin->console = NULL;
	twin->frames = NULL;
}

long twin_destroy(struct twin *twin, bool wait)
{
	struct xen_domctl op = {0};
	uint64_t end = clock_now() + PATIENCE;
	long error;

	twin_console(twin);
	error = twin_domctl(XEN_DOMCTL_destroydomain, twin->id, &op);
	twin_forget(twin);
	while (!error && wait && twin_exists(twin->id, NULL)) {
		hypercall_sched_op(SCHEDOP_yield, NULL);
		if (clock_now() > end)
			error = -EBUSY;
	}
	return error;
}

/* ---- in the twin ---- */

static struct twin_page *here;

static void do_task(void *unused)
{
	here->result = here->function(here->argument[0], here->argument[1], here->argument[2],
				      here->argument[3]);
}

_Noreturn void twin_main(void)
{
	struct trap_frame frame;

	here = mfn_to_virt(start_info->store_mfn);
	here->done = 1;
	for (;;) {
		unsigned int asked = __atomic_load_n(&here->asked, __ATOMIC_SEQ_CST);

		if (asked == here->done) {
			hypercall_sched_op(SCHEDOP_yield, NULL);
			continue;
		}
		here->trap = trap_catch(do_task, NULL, &frame);
		if (here->trap >= 0) {
			here->rip = frame.rip;
			here->address = trap_fault_address();
		}
		events_unmask();
		__atomic_store_n(&here->done, asked, __ATOMIC_SEQ_CST);
	}
}
