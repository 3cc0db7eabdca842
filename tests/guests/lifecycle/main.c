/* SPDX-License-Identifier: MIT */
/* Domains made and ended again, and what that leaves behind: nothing. */
#include "../test.h"
#include <public/domctl.h>
#include <public/sysctl.h>

static struct xen_domctl op;

static long domctl(uint32_t cmd, domid_t domain)
{
	op.cmd = cmd;
	op.interface_version = XEN_DOMCTL_INTERFACE_VERSION;
	op.domain = domain;
	return hypercall_domctl(&op);
}

/* A domain of n vCPUs, without memory: its number, or the error. */
static long create(unsigned int vcpus)
{
	long rc;

	memset(&op, 0, sizeof(op));
	op.u.createdomain.max_vcpus = vcpus;
	op.u.createdomain.max_evtchn_port = 1023;
	op.u.createdomain.max_grant_frames = -1;
	op.u.createdomain.max_maptrack_frames = -1;
	op.u.createdomain.grant_opts = 2;
	rc = domctl(XEN_DOMCTL_createdomain, 0);
	if (rc)
		return rc;
	rc = op.domain;
	op.u.max_vcpus.max = vcpus;
	return domctl(XEN_DOMCTL_max_vcpus, (domid_t)rc) ?: rc;
}

static uint64_t free_bytes(void)
{
	struct xen_sysctl s = {.cmd = XEN_SYSCTL_availheap,
			       .interface_version = XEN_SYSCTL_INTERFACE_VERSION};

	EXPECT(hypercall_sysctl(&s), 0);
	return s.u.availheap.avail_bytes;
}

static bool exists(domid_t domain)
{
	return domctl(XEN_DOMCTL_getdomaininfo, domain) == 0 && op.domain == domain;
}

/* It is gone when the other CPUs have looked up once more. */
static bool wait_gone(domid_t domain)
{
	uint64_t end = clock_now() + 1000000000;

	while (exists(domain))
		if (clock_now() > end)
			return false;
	return true;
}

static bool destroy(domid_t domain)
{
	return domctl(XEN_DOMCTL_destroydomain, domain) == 0 && wait_gone(domain);
}

static void one(void)
{
	uint64_t before = free_bytes();
	long d = create(2);

	if (!EXPECT_TRUE(d > 0))
		return;
	EXPECT(domctl(XEN_DOMCTL_getdomaininfo, (domid_t)d), 0);
	EXPECT(op.domain, d);
	EXPECT(op.u.getdomaininfo.max_vcpu_id, 1);
	EXPECT(op.u.getdomaininfo.flags & 0xffff, XEN_DOMINF_paused);
	EXPECT(op.u.getdomaininfo.tot_pages, 0);
	printk("a domain with 2 vCPUs costs %lu KiB\n",
	       (unsigned long)(before - free_bytes()) >> 10);
	EXPECT_TRUE(destroy((domid_t)d));
	EXPECT(free_bytes(), before);
}

/* The cost of the simplest one is bounded. */
static void cost(void)
{
	uint64_t before = free_bytes(), after;
	long d = create(1);

	after = free_bytes();
	EXPECT_TRUE(before - after < 64 << 10);
	printk("a domain with 1 vCPU costs %lu KiB\n", (unsigned long)(before - after) >> 10);
	EXPECT_TRUE(destroy((domid_t)d));
	EXPECT(free_bytes(), before);
}

static void many_times(void)
{
	unsigned long times = test_argument("times", 200);
	uint64_t before = free_bytes();
	long first = 0, d = 0;

	for (unsigned long i = 0; i < times; i++) {
		d = create(1 + i % 3);
		if (!EXPECT_TRUE(d > 0) || !EXPECT_TRUE(destroy((domid_t)d)))
			return;
		if (!first)
			first = d;
	}
	/* Numbers are not used again at once. */
	EXPECT(d - first, times - 1);
	EXPECT(free_bytes(), before);
}

static void many_at_once(void)
{
	unsigned long count = test_argument("count", 300), made;
	uint64_t before = free_bytes();
	static domid_t ids[4096];

	for (made = 0; made < count; made++) {
		long d = create(1);

		if (!EXPECT_TRUE(d > 0))
			break;
		ids[made] = (domid_t)d;
	}
	while (made--)
		EXPECT(domctl(XEN_DOMCTL_destroydomain, ids[made]), 0);
	for (made = 0; made < count; made++)
		EXPECT_TRUE(wait_gone(ids[made]));
	EXPECT(free_bytes(), before);
}

static const struct test tests[] = {
    {"one domain", one},
    {"cost of a domain", cost},
    {"many times", many_times},
    {"many at once", many_at_once},
};

void guest_main(void)
{
	test_main("lifecycle", tests, COUNT_OF(tests));
}
