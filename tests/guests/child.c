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

uint64_t free_bytes(void)
{
	EXPECT(sysctl(XEN_SYSCTL_availheap), 0);
	return sysctl_op.u.availheap.avail_bytes;
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
