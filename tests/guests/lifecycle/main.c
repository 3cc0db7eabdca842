/* SPDX-License-Identifier: MIT */
/* Domains made and ended again, and what that leaves behind: nothing. */
#include "../child.h"

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

static const struct test tests[] = {
    {"one domain", one},	{"cost of a domain", cost},
    {"many times", many_times}, {"many at once", many_at_once},
    {"one that runs", runs},
};

void guest_main(void)
{
	test_main("lifecycle", tests, COUNT_OF(tests));
}
