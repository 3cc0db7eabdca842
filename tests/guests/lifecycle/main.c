/* SPDX-License-Identifier: MIT */
/* Domains made and ended again, and what that leaves behind: nothing. */
#include "../child.h"
#include <public/grant_table.h>

static void one(void)
{
	uint64_t before = free_bytes();
	long d = child_create(2);

	if (!EXPECT_TRUE(d > 0))
		return;
	EXPECT(domctl(XEN_DOMCTL_getdomaininfo, (domid_t)d), 0);
	EXPECT(domctl_op.domain, d);
	EXPECT(domctl_op.u.getdomaininfo.max_vcpu_id, 1);
	EXPECT(domctl_op.u.getdomaininfo.flags & 0xffff, XEN_DOMINF_paused);
	EXPECT(domctl_op.u.getdomaininfo.tot_pages, 0);
	printk("a domain with 2 vCPUs costs %lu KiB\n",
	       (unsigned long)(before - free_bytes()) >> 10);
	EXPECT_TRUE(child_destroy((domid_t)d));
	EXPECT_TRUE(free_bytes_again(before));
}

/* The cost of the simplest one is bounded. */
static void cost(void)
{
	uint64_t before = free_bytes(), after;
	long d = child_create(1);

	after = free_bytes();
	EXPECT_TRUE(before - after < 64 << 10);
	printk("a domain with 1 vCPU costs %lu KiB\n", (unsigned long)(before - after) >> 10);
	EXPECT_TRUE(child_destroy((domid_t)d));
	EXPECT_TRUE(free_bytes_again(before));
}

static void many_times(void)
{
	unsigned long times = test_argument("times", 200);
	uint64_t before = free_bytes();
	long first = 0, d = 0;

	for (unsigned long i = 0; i < times; i++) {
		d = child_create(1 + i % 3);
		if (!EXPECT_TRUE(d > 0) || !EXPECT_TRUE(child_destroy((domid_t)d)))
			return;
		if (!first)
			first = d;
	}
	/* Numbers are not used again at once. */
	EXPECT(d - first, times - 1);
	EXPECT_TRUE(free_bytes_again(before));
}

static void many_at_once(void)
{
	unsigned long count = test_argument("count", 300), made;
	uint64_t before = free_bytes();
	static domid_t ids[4096];

	for (made = 0; made < count; made++) {
		long d = child_create(1);

		if (!EXPECT_TRUE(d > 0))
			break;
		ids[made] = (domid_t)d;
	}
	while (made--)
		EXPECT(domctl(XEN_DOMCTL_destroydomain, ids[made]), 0);
	for (made = 0; made < count; made++)
		EXPECT_TRUE(child_wait_gone(ids[made]));
	EXPECT_TRUE(free_bytes_again(before));
}

/* ---- domains that run ---- */

static struct child child;

static void greet(struct child_mail *mail)
{
	mail->value[0] = 0x1234;
	child_say(mail, 1, 1);
}

static void runs(void)
{
	uint64_t before = free_bytes();

	if (!child_run(&child, 1, greet))
		return;
	child_wait_said(&child, 1);
	EXPECT(child.mail->value[0], 0x1234);
	EXPECT_TRUE(child_exists(child.domid));
	EXPECT(domctl_op.u.getdomaininfo.tot_pages, child.pages);
	EXPECT(domctl_op.u.getdomaininfo.nr_online_vcpus, 1);
	child_answer(&child, 1);
	child_wait_shutdown(&child, SHUTDOWN_poweroff);
	EXPECT_TRUE(child_exists(child.domid));
	EXPECT_TRUE(domctl_op.u.getdomaininfo.cpu_time > 0);
	child_end(&child);
	EXPECT_TRUE(free_bytes_again(before));
}

/* Counts for ever: whether it runs shows. */
static void count(struct child_mail *mail)
{
	mail->said = 1;
	for (;;)
		mail->value[0]++;
}

/* Does it count on, within 100 ms? */
static bool counts(const struct child *c)
{
	uint64_t was = c->mail->value[0], end = clock_now() + 100000000;

	while (c->mail->value[0] == was && clock_now() < end)
		hypercall_sched_op(SCHEDOP_yield, NULL);
	return c->mail->value[0] != was;
}

static void paused(void)
{
	if (!child_run(&child, 1, count) || !child_wait_said(&child, 1))
		return;
	EXPECT_TRUE(counts(&child));
	EXPECT(domctl(XEN_DOMCTL_pausedomain, child.domid), 0);
	/* At once, wherever it ran. */
	EXPECT_TRUE(!counts(&child));
	EXPECT_TRUE(child_exists(child.domid));
	EXPECT(domctl_op.u.getdomaininfo.flags & (XEN_DOMINF_paused | XEN_DOMINF_running),
	       XEN_DOMINF_paused);
	EXPECT(domctl(XEN_DOMCTL_pausedomain, child.domid), 0);
	EXPECT(domctl(XEN_DOMCTL_unpausedomain, child.domid), 0);
	EXPECT_TRUE(!counts(&child));
	EXPECT(domctl(XEN_DOMCTL_unpausedomain, child.domid), 0);
	EXPECT_TRUE(counts(&child));
	child_end(&child);
}

static uint64_t cpu_time(const struct child *c)
{
	EXPECT_TRUE(child_exists(c->domid));
	return domctl_op.u.getdomaininfo.cpu_time;
}

static void set_cap(const struct child *c, uint16_t percent)
{
	struct xen_domctl_scheduler_op *s = &domctl_op.u.scheduler_op;

	memset(s, 0, sizeof(*s));
	s->sched_id = XEN_SCHEDULER_CREDIT2;
	s->cmd = XEN_DOMCTL_SCHEDOP_putinfo;
	s->u.credit2.cap = percent;
	EXPECT(domctl(XEN_DOMCTL_scheduler_op, c->domid), 0);
}

/* With a cap of 20 % it has about a fifth of the time, also when nobody else wants the CPU. */
static void capped(void)
{
	uint64_t began, used;

	if (!child_run(&child, 1, count) || !child_wait_said(&child, 1))
		return;
	set_cap(&child, 20);
	used = cpu_time(&child);
	began = clock_now();
	while (clock_now() - began < 600000000)
		hypercall_sched_op(SCHEDOP_yield, NULL);
	used = cpu_time(&child) - used;
	EXPECT_TRUE(used > 60000000 && used < 190000000);
	/* None: it runs on, whatever it had been over. */
	set_cap(&child, 0);
	EXPECT_TRUE(counts(&child));
	child_end(&child);
}

/* Its context can be read, and another one be set, while it is in the middle of something. */
static void context(void)
{
	static struct vcpu_guest_context c;

	if (!child_run(&child, 1, count) || !child_wait_said(&child, 1))
		return;
	domctl_op.u.vcpucontext.vcpu = 0;
	domctl_op.u.vcpucontext.ctxt.p = &c;
	EXPECT(domctl(XEN_DOMCTL_getvcpucontext, child.domid), 0);
	EXPECT_TRUE(c.user_regs.rip >= VIRT_BASE &&
		    c.user_regs.rip < VIRT_BASE + child.stack * PAGE_SIZE);
	EXPECT(c.ctrlreg[3] >> PAGE_SHIFT, child.mail->root);
	EXPECT(c.flags & (VGCF_in_kernel | VGCF_online), VGCF_in_kernel | VGCF_online);
	EXPECT(domctl(XEN_DOMCTL_setvcpucontext, child.domid), 0);
	EXPECT_TRUE(counts(&child));
	c.ctrlreg[3] += PAGE_SIZE;
	EXPECT(domctl(XEN_DOMCTL_setvcpucontext, child.domid), -EOPNOTSUPP);
	EXPECT_TRUE(counts(&child));
	child_end(&child);
}

static void end_while_running(void)
{
	uint64_t before = free_bytes();

	for (unsigned int i = 0; i < 20; i++) {
		if (!child_run(&child, 1, count) || !child_wait_said(&child, 1))
			return;
		child_end(&child);
	}
	EXPECT_TRUE(free_bytes_again(before));
}

static void jump_to_nowhere(struct child_mail *mail)
{
	mail->said = 1;
	__asm__ volatile("jmp *%0" ::"r"(0x1000ul));
}

static volatile unsigned int told;

static void hear(evtchn_port_t port, void *unused)
{
	told++;
}

/* It has no handlers, so that any trap is its end; not ours. */
static void crash(void)
{
	long port = event_bind_virq(VIRQ_DOM_EXC, hear, NULL);

	told = 0;
	if (!child_run(&child, 1, jump_to_nowhere) || !child_wait_said(&child, 1))
		return;
	EXPECT_TRUE(test_wait(&told));
	child_wait_shutdown(&child, SHUTDOWN_crash);
	/* What is left can be looked at. */
	EXPECT(child.mail->said, 1);
	child_end(&child);
	EXPECT(event_close((evtchn_port_t)port), 0);
}

static void suspend(struct child_mail *mail)
{
	struct sched_shutdown op = {.reason = SHUTDOWN_suspend};

	mail->said = 1;
	for (unsigned int i = 2;; i++) {
		mail->value[0] = (uint64_t)hypercall_sched_op(SCHEDOP_shutdown, &op);
		mail->said = i;
	}
}

static void suspends(void)
{
	if (!child_run(&child, 1, suspend))
		return;
	for (unsigned int i = 2; i < 5; i++) {
		child_wait_shutdown(&child, SHUTDOWN_suspend);
		EXPECT(child.mail->said, i - 1);
		EXPECT(domctl(XEN_DOMCTL_resumedomain, child.domid), 0);
		child_wait_said(&child, i);
		EXPECT(child.mail->value[0], 0);
	}
	child_end(&child);
}

/* ---- what peers hold on to ---- */

/* A mapped frame keeps the domain, dying, until it is let go. */
static void held_by_mapping(void)
{
	uint64_t before = free_bytes();

	if (!child_run(&child, 1, greet) || !child_wait_said(&child, 1))
		return;
	EXPECT(domctl(XEN_DOMCTL_destroydomain, child.domid), 0);
	EXPECT_TRUE(child_exists(child.domid));
	EXPECT_TRUE(domctl_op.u.getdomaininfo.flags & XEN_DOMINF_dying);
	EXPECT(domctl_op.u.getdomaininfo.tot_pages, 1);
	EXPECT(child.mail->value[0], 0x1234);
	/* It is of no other use; its number is taken. */
	EXPECT(domctl(XEN_DOMCTL_destroydomain, child.domid), 0);
	child_arguments(1);
	EXPECT(domctl(XEN_DOMCTL_createdomain, child.domid), -EEXIST);
	frames_unmap(child.mail, 1);
	child.mail = NULL;
	EXPECT_TRUE(child_wait_gone(child.domid));
	EXPECT_TRUE(free_bytes_again(before)); /* then the number is free, too */
	child_arguments(1);
	EXPECT(domctl(XEN_DOMCTL_createdomain, child.domid), 0);
	EXPECT_TRUE(child_destroy(child.domid));
}

/* The child's end of an event channel is gone with it; ours can be used for another. */
static void bind(struct child_mail *mail)
{
	struct evtchn_bind_interdomain op = {.remote_dom = 0,
					     .remote_port = (evtchn_port_t)mail->value[0]};

	mail->value[1] = (uint64_t)hypercall_event_channel_op(EVTCHNOP_bind_interdomain, &op);
	child_say(mail, 1, 1);
}

static void event_channel(void)
{
	uint64_t before = free_bytes();
	long port;
	struct evtchn_status status;

	if (!child_build(&child, 1, bind))
		return;
	told = 0;
	port = event_alloc_unbound(DOMID_SELF, child.domid, hear, NULL);
	child.mail->value[0] = (uint64_t)port;
	child_start(&child);
	child_wait_said(&child, 1);
	EXPECT(child.mail->value[1], 0);
	status = (struct evtchn_status){.dom = DOMID_SELF, .port = (evtchn_port_t)port};
	EXPECT(hypercall_event_channel_op(EVTCHNOP_status, &status), 0);
	EXPECT(status.status, EVTCHNSTAT_interdomain);
	EXPECT(status.u.interdomain.dom, child.domid);
	EXPECT(event_send((evtchn_port_t)port), 0);
	child_end(&child);
	EXPECT(hypercall_event_channel_op(EVTCHNOP_status, &status), 0);
	EXPECT(status.status, EVTCHNSTAT_unbound);
	EXPECT(event_send((evtchn_port_t)port), 0);
	EXPECT(event_close((evtchn_port_t)port), 0);
	EXPECT_TRUE(free_bytes_again(before));
}

/* The child grants a page of its own; the mapping is ours, and keeps it. */
static char granted[PAGE_SIZE] __attribute__((aligned(PAGE_SIZE)));

static void grant(struct child_mail *mail)
{
	child_say(mail, 1, 1);
}

static void hold_grant(void)
{
	struct gnttab_map_grant_ref map = {.flags = GNTMAP_host_map, .ref = 20};
	struct gnttab_unmap_grant_ref unmap = {0};
	struct gnttab_setup_table setup = {.nr_frames = 1};
	struct grant_entry_v1 *table;
	xen_pfn_t frame = 0;
	void *at = frames_reserve(1);
	long error = 0;

	if (!EXPECT_TRUE(at) || !child_run(&child, 1, grant) || !child_wait_said(&child, 1))
		return;
	setup.dom = child.domid;
	setup.frame_list.p = &frame;
	EXPECT(hypercall_grant_table_op(GNTTABOP_setup_table, &setup, 1), 0);
	EXPECT(setup.status, GNTST_okay);
	table = frames_map(frame, 1, PTE_DATA, child.domid, &error);
	if (!EXPECT(error, 0))
		return;
	table[20] = (struct grant_entry_v1){
	    .flags = GTF_permit_access,
	    .domid = 0,
	    .frame = (uint32_t)child.mfn[((unsigned long)granted - VIRT_BASE) / PAGE_SIZE]};
	map.dom = child.domid;
	map.host_addr = (unsigned long)at;
	EXPECT(hypercall_grant_table_op(GNTTABOP_map_grant_ref, &map, 1), 0);
	EXPECT(map.status, GNTST_okay);
	*(volatile uint64_t *)at = 77;
	frames_unmap(child.mail, 1);
	child.mail = NULL;
	frames_unmap(table, 1);
	EXPECT(domctl(XEN_DOMCTL_destroydomain, child.domid), 0);
	EXPECT_TRUE(child_exists(child.domid));
	EXPECT(domctl_op.u.getdomaininfo.tot_pages, 1);
	EXPECT(*(volatile uint64_t *)at, 77);
	/* No second one. */
	EXPECT(hypercall_grant_table_op(GNTTABOP_map_grant_ref, &map, 1), 0);
	EXPECT_TRUE(map.status != GNTST_okay);
	unmap.handle = map.handle;
	unmap.host_addr = (unsigned long)at;
	EXPECT(hypercall_grant_table_op(GNTTABOP_unmap_grant_ref, &unmap, 1), 0);
	EXPECT_TRUE(child_wait_gone(child.domid));
	frames_release(at, 1);
}

static void held_by_grant(void)
{
	uint64_t before;

	hold_grant(); /* our list of mappings has come to be, and stays */
	before = free_bytes();
	hold_grant();
	EXPECT_TRUE(free_bytes_again(before));
}

/* ---- two vCPUs ---- */

/* The second one counts, too, in a word of its own. */
static struct vcpu_guest_context second_context;
static char second_stack[4096] __attribute__((aligned(16)));

static void count_second(struct child_mail *mail)
{
	for (;;)
		mail->value[1]++;
}

static void start_second(struct child_mail *mail)
{
	struct vcpu_guest_context *c = &second_context;

	c->flags = VGCF_in_kernel;
	c->user_regs.rip = (unsigned long)count_second;
	c->user_regs.rdi = (unsigned long)mail;
	c->user_regs.rsp = (unsigned long)second_stack + sizeof(second_stack) - 8;
	c->user_regs.cs = FLAT_KERNEL_CS;
	c->user_regs.ss = FLAT_KERNEL_SS;
	c->user_regs.rflags = 0x200;
	c->kernel_ss = FLAT_KERNEL_SS;
	c->kernel_sp = c->user_regs.rsp;
	c->ctrlreg[3] = mail->root << PAGE_SHIFT;
	mail->value[2] = (uint64_t)hypercall_vcpu_op(VCPUOP_initialise, 1, c);
	mail->value[3] = (uint64_t)hypercall_vcpu_op(VCPUOP_up, 1, NULL);
	count(mail);
}

static void two_vcpus(void)
{
	uint64_t before = free_bytes(), was;

	if (!child_run(&child, 2, start_second) || !child_wait_said(&child, 1))
		return;
	EXPECT(child.mail->value[2], 0);
	EXPECT(child.mail->value[3], 0);
	EXPECT_TRUE(counts(&child));
	was = child.mail->value[1];
	for (uint64_t end = clock_now() + 1000000000; child.mail->value[1] == was;) {
		if (!EXPECT_TRUE(clock_now() < end))
			break;
		hypercall_sched_op(SCHEDOP_yield, NULL);
	}
	EXPECT_TRUE(child_exists(child.domid));
	EXPECT(domctl_op.u.getdomaininfo.nr_online_vcpus, 2);
	EXPECT(domctl(XEN_DOMCTL_pausedomain, child.domid), 0);
	was = child.mail->value[1];
	EXPECT_TRUE(!counts(&child));
	EXPECT(child.mail->value[1], was);
	EXPECT(domctl(XEN_DOMCTL_unpausedomain, child.domid), 0);
	EXPECT_TRUE(counts(&child));
	child_end(&child);
	EXPECT_TRUE(free_bytes_again(before));
}

/* ---- while another vCPU of ours looks on ---- */

static struct xen_domctl_getdomaininfo seen[8];
static volatile unsigned int looking, stop_looking, looked;
static volatile bool destroys;

static long other_domctl(struct xen_domctl *op, uint32_t cmd, domid_t domain)
{
	op->cmd = cmd;
	op->interface_version = XEN_DOMCTL_INTERFACE_VERSION;
	op->domain = domain;
	return hypercall_domctl(op);
}

/* On vCPU 1: everything that may be asked of a domain that comes and goes. */
static void look(void *unused)
{
	static struct xen_sysctl s;
	static struct xen_domctl d;
	static struct vcpu_guest_context c;

	looking = 1;
	while (!stop_looking) {
		s.cmd = XEN_SYSCTL_getdomaininfolist;
		s.interface_version = XEN_SYSCTL_INTERFACE_VERSION;
		s.u.getdomaininfolist.first_domain = 1;
		s.u.getdomaininfolist.max_domains = COUNT_OF(seen);
		s.u.getdomaininfolist.buffer.p = seen;
		if (hypercall_sysctl(&s))
			break;
		for (unsigned int i = 0; i < s.u.getdomaininfolist.num_domains; i++) {
			domid_t id = seen[i].domain;

			looked++;
			if (destroys) {
				other_domctl(&d, XEN_DOMCTL_destroydomain, id);
				continue;
			}
			/* These stop it, and must leave it some time to run. */
			if (looked % 16 == 0 && !other_domctl(&d, XEN_DOMCTL_pausedomain, id))
				other_domctl(&d, XEN_DOMCTL_unpausedomain, id);
			d.u.vcpucontext.vcpu = 0;
			d.u.vcpucontext.ctxt.p = &c;
			if (looked % 16 == 8)
				other_domctl(&d, XEN_DOMCTL_getvcpucontext, id);
			d.u.getvcpuinfo.vcpu = 0;
			other_domctl(&d, XEN_DOMCTL_getvcpuinfo, id);
		}
	}
	looking = 0;
	for (;;)
		hypercall_vcpu_op(VCPUOP_down, 1, NULL);
}

static bool start_looking(void)
{
	static void *stack;

	if (vcpu_count() < 2) {
		test_skip("we have one vCPU only");
		return false;
	}
	stop_looking = 0;
	if (!stack) {
		stack = test_stack();
		return EXPECT(vcpu_start(1, look, NULL, stack), 0) &&
		       EXPECT_TRUE(test_wait(&looking));
	}
	return true;
}

static void looked_at(void)
{
	uint64_t before = free_bytes();
	unsigned long times = test_argument("times", 200) / 10;

	destroys = false;
	if (!start_looking())
		return;
	for (unsigned long i = 0; i < times; i++) {
		if (!child_run(&child, 1, count))
			break;
		child_wait_said(&child, 1);
		child_end(&child);
	}
	EXPECT_TRUE(looked > 0);
	EXPECT_TRUE(free_bytes_again(before));
}

/* Both end the same domain. */
static void ended_twice(void)
{
	uint64_t before = free_bytes();
	unsigned long times = test_argument("times", 200);

	if (!start_looking())
		return;
	destroys = true;
	for (unsigned long i = 0; i < times; i++) {
		long d, rc;

		child_arguments(1);
		rc = domctl(XEN_DOMCTL_createdomain, 0);
		d = domctl_op.domain;
		if (!EXPECT(rc, 0))
			break;
		rc = domctl(XEN_DOMCTL_destroydomain, (domid_t)d);
		EXPECT_TRUE(rc == 0 || rc == -ESRCH);
		EXPECT_TRUE(child_wait_gone((domid_t)d));
	}
	stop_looking = 1;
	EXPECT_TRUE(free_bytes_again(before));
}

static const struct test tests[] = {
    {"one domain", one},
    {"cost of a domain", cost},
    {"many times", many_times},
    {"many at once", many_at_once},
    {"one that runs", runs},
    {"pause", paused},
    {"cap", capped},
    {"context of a running vCPU", context},
    {"end while it runs", end_while_running},
    {"crash", crash},
    {"suspend and resume", suspends},
    {"a mapping that outlives the domain", held_by_mapping},
    {"an event channel that outlives it", event_channel},
    {"a grant that outlives it", held_by_grant},
    {"two vCPUs", two_vcpus},
    {"looked at by another vCPU", looked_at},
    {"ended by two vCPUs", ended_twice},
};

void guest_main(void)
{
	test_main("lifecycle", tests, COUNT_OF(tests));
}
