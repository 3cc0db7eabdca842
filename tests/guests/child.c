/* SPDX-License-Identifier: MIT */
#include "child.h"

struct xen_domctl domctl_op;
struct xen_sysctl sysctl_op;

long domctl(uint32_t cmd, domid_t domain)
{
	domctl_op.cmd = cmd;
	domctl_op.interface_version = XEN_DOMCTL_INTERFACE_VERSION;
	domctl_op.domain = domain;
	return hypercall_domctl(&domctl_op);
}

long sysctl(uint32_t cmd)
{
	sysctl_op.cmd = cmd;
	sysctl_op.interface_version = XEN_SYSCTL_INTERFACE_VERSION;
	return hypercall_sysctl(&sysctl_op);
}

void child_arguments(unsigned int vcpus)
{
	memset(&domctl_op, 0, sizeof(domctl_op));
	domctl_op.u.createdomain.max_vcpus = vcpus;
	domctl_op.u.createdomain.max_evtchn_port = 1023;
	domctl_op.u.createdomain.max_grant_frames = -1;
	domctl_op.u.createdomain.max_maptrack_frames = -1;
	domctl_op.u.createdomain.grant_opts = 2;
}

long child_create(unsigned int vcpus)
{
	long rc;
	domid_t domain;

	child_arguments(vcpus);
	rc = domctl(XEN_DOMCTL_createdomain, 0);
	if (rc)
		return rc;
	domain = domctl_op.domain;
	domctl_op.u.max_vcpus.max = vcpus;
	rc = domctl(XEN_DOMCTL_max_vcpus, domain);
	return rc ? rc : domain;
}

bool child_exists(domid_t domain)
{
	return domctl(XEN_DOMCTL_getdomaininfo, domain) == 0 && domctl_op.domain == domain;
}

bool child_wait_gone(domid_t domain)
{
	uint64_t end = clock_now() + 1000000000;

	while (child_exists(domain))
		if (clock_now() > end)
			return false;
	return true;
}

bool child_destroy(domid_t domain)
{
	return domctl(XEN_DOMCTL_destroydomain, domain) == 0 && child_wait_gone(domain);
}

static uint64_t free_bytes_now(void)
{
	EXPECT(sysctl(XEN_SYSCTL_availheap), 0);
	return sysctl_op.u.availheap.avail_bytes;
}

uint64_t free_bytes(void)
{
	uint64_t bytes = free_bytes_now(), since = clock_now();

	/* Nothing tells that a domain that is listed no more has been freed: the other CPUs have to pass by first. */
	while (clock_now() - since < 100000000) {
		uint64_t now = free_bytes_now();

		if (now != bytes)
			since = clock_now();
		bytes = now;
	}
	return bytes;
}

bool free_bytes_again(uint64_t before)
{
	uint64_t end = clock_now() + 1000000000, now;

	do {
		now = free_bytes();
	} while (now != before && clock_now() < end);
	if (now != before)
		printk("free memory was %lu bytes and is %lu\n", before, now);
	return now == before;
}

/* ---- a domain that runs ---- */

extern char image_start[], image_end[];

#define STACK_PAGES 4
#define L1_TABLES   1 /* of 512 entries: all that it has, and shared_info behind it */
#define TABLES	    (L1_TABLES + 3)
#define PFN_SHARED  511

/* In the child: where it begins. The stack is its own, the arguments are in registers. */
static void child_entry(child_role *role, struct child_mail *mail)
{
	struct sched_shutdown op = {.reason = SHUTDOWN_poweroff};

	role(mail);
	for (;;)
		hypercall_sched_op(SCHEDOP_shutdown, &op);
}

static void *map_page(const struct child *c, unsigned long page)
{
	long error = 0;
	void *p = frames_map(c->mfn[page], 1, PTE_DATA, c->domid, &error);

	EXPECT(error, 0);
	return p;
}

static bool copy_page(const struct child *c, unsigned long page, const void *from)
{
	void *to = map_page(c, page);

	if (!to)
		return false;
	memcpy(to, from, PAGE_SIZE);
	frames_unmap(to, 1);
	return true;
}

static bool populate(struct child *c)
{
	struct xen_memory_reservation r = {.nr_extents = c->pages, .domid = c->domid};

	domctl_op.u.max_mem.max_memkb = c->pages * 4;
	if (!EXPECT(domctl(XEN_DOMCTL_max_mem, c->domid), 0))
		return false;
	for (unsigned long i = 0; i < c->pages; i++)
		c->mfn[i] = i;
	r.extent_start.p = c->mfn;
	return EXPECT(hypercall_memory_op(XENMEM_populate_physmap, &r), c->pages);
}

/* Tables as level 1, 2, 3, 4 from c->tables on; they themselves are mapped read-only. */
static bool write_tables(struct child *c, unsigned long shared_mfn)
{
	static uint64_t table[512];
	unsigned long t = c->tables;

	memset(table, 0, sizeof(table));
	for (unsigned long i = 0; i < c->pages; i++)
		table[i] = pte_make(c->mfn[i], i < t ? PTE_DATA : PTE_READ_ONLY);
	table[PFN_SHARED] = pte_make(shared_mfn, PTE_DATA);
	if (!copy_page(c, t, table))
		return false;
	for (unsigned int level = 2; level <= 4; level++) {
		memset(table, 0, sizeof(table));
		table[(VIRT_BASE >> (12 + 9 * (level - 1))) % 512] =
		    pte_make(c->mfn[t + level - 2], PTE_TABLE);
		if (!copy_page(c, t + level - 1, table))
			return false;
	}
	return true;
}

static void *in_child(unsigned long page)
{
	return (void *)(VIRT_BASE + page * PAGE_SIZE);
}

static bool set_context(struct child *c, child_role *role)
{
	static struct vcpu_guest_context context;

	memset(&context, 0, sizeof(context));
	context.flags = VGCF_in_kernel | VGCF_online;
	context.user_regs.rip = (unsigned long)child_entry;
	context.user_regs.cs = FLAT_KERNEL_CS;
	context.user_regs.ss = FLAT_KERNEL_SS;
	context.user_regs.rflags = 0x200;
	context.user_regs.rsp = (unsigned long)in_child(c->stack + STACK_PAGES) - 8;
	context.user_regs.rdi = (unsigned long)role;
	context.user_regs.rsi = (unsigned long)in_child(c->mail_page);
	context.kernel_ss = FLAT_KERNEL_SS;
	context.kernel_sp = context.user_regs.rsp;
	context.ctrlreg[3] = (uint64_t)c->mfn[c->tables + 3] << PAGE_SHIFT;
	domctl_op.u.vcpucontext.vcpu = 0;
	domctl_op.u.vcpucontext.ctxt.p = &context;
	return EXPECT(domctl(XEN_DOMCTL_setvcpucontext, c->domid), 0);
}

bool child_build(struct child *c, unsigned int vcpus, child_role *role)
{
	long d = child_create(vcpus);
	unsigned long shared_mfn;

	memset(c, 0, sizeof(*c));
	if (!EXPECT_TRUE(d > 0))
		return false;
	c->domid = (domid_t)d;
	c->stack = (unsigned long)(image_end - image_start) / PAGE_SIZE;
	c->mail_page = c->stack + STACK_PAGES;
	c->tables = c->mail_page + 1;
	c->pages = c->tables + TABLES;
	if (!EXPECT_TRUE(c->pages < CHILD_PAGES_MAX) || !populate(c))
		return false;
	if (!EXPECT(domctl(XEN_DOMCTL_getdomaininfo, c->domid), 0))
		return false;
	shared_mfn = domctl_op.u.getdomaininfo.shared_info_frame;
	for (unsigned long i = 0; i < c->stack; i++)
		if (!copy_page(c, i, image_start + i * PAGE_SIZE))
			return false;
	if (!write_tables(c, shared_mfn))
		return false;
	c->mail = map_page(c, c->mail_page);
	if (!c->mail)
		return false;
	memset(c->mail, 0, PAGE_SIZE);
	c->mail->shared = in_child(PFN_SHARED);
	c->mail->root = c->mfn[c->tables + 3];
	c->mail->domid = c->domid;
	return set_context(c, role);
}

bool child_start(struct child *c)
{
	return EXPECT(domctl(XEN_DOMCTL_unpausedomain, c->domid), 0);
}

bool child_run(struct child *c, unsigned int vcpus, child_role *role)
{
	return child_build(c, vcpus, role) && child_start(c);
}

#define PATIENCE 20000000000ul /* ns: the host may be busy */

bool child_wait_said(const struct child *c, unsigned int what)
{
	uint64_t end = clock_now() + PATIENCE;

	while (c->mail->said < what) {
		if (clock_now() > end)
			return EXPECT(c->mail->said, what);
		hypercall_sched_op(SCHEDOP_yield, NULL);
	}
	return true;
}

bool child_wait_shutdown(const struct child *c, unsigned int reason)
{
	uint64_t end = clock_now() + PATIENCE;
	uint32_t flags;

	do {
		if (!EXPECT_TRUE(child_exists(c->domid)))
			return false;
		flags = domctl_op.u.getdomaininfo.flags;
		hypercall_sched_op(SCHEDOP_yield, NULL);
	} while (!(flags & XEN_DOMINF_shutdown) && clock_now() < end);
	return EXPECT_TRUE(flags & XEN_DOMINF_shutdown) &&
	       EXPECT(flags >> XEN_DOMINF_shutdownshift & XEN_DOMINF_shutdownmask, reason);
}

void child_answer(struct child *c, unsigned int answer)
{
	c->mail->answer = answer;
}

bool child_end(struct child *c)
{
	if (c->mail)
		frames_unmap(c->mail, 1);
	c->mail = NULL;
	return EXPECT_TRUE(child_destroy(c->domid));
}

void child_say(struct child_mail *mail, unsigned int what, unsigned int answer)
{
	mail->said = what;
	while (mail->answer < answer)
		hypercall_sched_op(SCHEDOP_yield, NULL);
}
