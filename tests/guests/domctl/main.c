/* SPDX-License-Identifier: MIT */
/* domctl and sysctl: every sub-operation that there is, on a domain without memory, and what they refuse. */
#include "../child.h"

#define NOBODY 0x7000 /* no domain has this number */

static domid_t child;

/* ---- the call itself ---- */

static void version(void)
{
	domctl_op.cmd = XEN_DOMCTL_getdomaininfo;
	domctl_op.domain = 0;
	for (int i = -1; i <= 1; i++) {
		domctl_op.interface_version = XEN_DOMCTL_INTERFACE_VERSION + i;
		EXPECT(hypercall_domctl(&domctl_op), i ? -EACCES : 0);
	}
	EXPECT(hypercall_domctl(NULL), -EFAULT);
	EXPECT(hypercall_domctl((void *)OF_HYPERVISOR), -EFAULT);
	EXPECT(hypercall_domctl((void *)NOT_CANONICAL), -EFAULT);
	EXPECT(hypercall_domctl((void *)NOT_MAPPED), -EFAULT);
}

static void unknown(void)
{
	static const uint32_t commands[] = {0, 6, 26, 44, 87, 999, 1004, 0xffffffff};

	for (size_t i = 0; i < COUNT_OF(commands); i++)
		EXPECT(domctl(commands[i], child), -ENOSYS);
	EXPECT(domctl(XEN_DOMCTL_pausedomain, NOBODY), -ESRCH);
	EXPECT(domctl(XEN_DOMCTL_pausedomain, DOMID_XEN), -ESRCH);
	EXPECT(domctl(XEN_DOMCTL_destroydomain, DOMID_SELF), -EINVAL);
	EXPECT(domctl(XEN_DOMCTL_pausedomain, DOMID_SELF), -EINVAL);
	EXPECT(domctl(XEN_DOMCTL_destroydomain, 0), -EINVAL);
}

/* ---- createdomain ---- */

static long try_create(void)
{
	long rc = domctl(XEN_DOMCTL_createdomain, 0);

	if (!rc)
		EXPECT_TRUE(child_destroy(domctl_op.domain));
	return rc;
}

static void create_refused(void)
{
	static const uint32_t flags[] = {XEN_DOMCTL_CDF_hvm,
					 XEN_DOMCTL_CDF_hvm | XEN_DOMCTL_CDF_hap,
					 XEN_DOMCTL_CDF_hap,
					 XEN_DOMCTL_CDF_nested_virt,
					 XEN_DOMCTL_CDF_iommu,
					 1u << 8,
					 1u << 31};

	for (size_t i = 0; i < COUNT_OF(flags); i++) {
		child_arguments(1);
		domctl_op.u.createdomain.flags = flags[i];
		EXPECT_TRUE(domctl(XEN_DOMCTL_createdomain, 0) < 0);
	}
	child_arguments(0);
	EXPECT(try_create(), -EINVAL);
	child_arguments(65);
	EXPECT(try_create(), -EINVAL);
	child_arguments(1);
	domctl_op.u.createdomain.max_evtchn_port = 0;
	EXPECT(try_create(), -EINVAL);
	child_arguments(1);
	domctl_op.u.createdomain.max_grant_frames = 0x7fffffff;
	EXPECT(try_create(), -EINVAL);
	child_arguments(1);
	domctl_op.u.createdomain.grant_opts = 3;
	EXPECT(try_create(), -EINVAL);
	child_arguments(1);
	domctl_op.u.createdomain.cpupool_id = 1;
	EXPECT(try_create(), -ENOENT);
	child_arguments(1);
	EXPECT(domctl(XEN_DOMCTL_createdomain, child), -EEXIST);
	child_arguments(1);
	domctl_op.u.createdomain.ssidref = 12;
	domctl_op.u.createdomain.flags = XEN_DOMCTL_CDF_oos_off;
	EXPECT(try_create(), 0);
	child_arguments(64);
	EXPECT(try_create(), 0);
}

static void create_by_number(void)
{
	child_arguments(1);
	EXPECT(domctl(XEN_DOMCTL_createdomain, 0x6fff), 0);
	EXPECT(domctl_op.domain, 0x6fff);
	EXPECT_TRUE(child_exists(0x6fff));
	EXPECT_TRUE(child_destroy(0x6fff));
	child_arguments(1);
	EXPECT(domctl(XEN_DOMCTL_createdomain, DOMID_FIRST_RESERVED), 0);
	EXPECT_TRUE(domctl_op.domain > child && domctl_op.domain < DOMID_FIRST_RESERVED);
	EXPECT_TRUE(child_destroy(domctl_op.domain));
}

/* ---- what it tells ---- */

static void info(void)
{
	static const xen_domain_handle_t handle = {1, 2,  3,  4,  5,  6,  7,  8,
						   9, 10, 11, 12, 13, 14, 15, 16};
	const struct xen_domctl_getdomaininfo *i = &domctl_op.u.getdomaininfo;

	memcpy(domctl_op.u.setdomainhandle.handle, handle, sizeof(handle));
	EXPECT(domctl(XEN_DOMCTL_setdomainhandle, child), 0);
	domctl_op.u.max_mem.max_memkb = 1234;
	EXPECT(domctl(XEN_DOMCTL_max_mem, child), 0);
	memset(&domctl_op, 0xee, sizeof(domctl_op));
	EXPECT(domctl(XEN_DOMCTL_getdomaininfo, child), 0);
	EXPECT(domctl_op.domain, child);
	EXPECT(i->domain, child);
	EXPECT(i->flags, XEN_DOMINF_paused | 255u << XEN_DOMINF_shutdownshift);
	EXPECT(i->max_pages, 1234 / 4);
	EXPECT(i->tot_pages, 0);
	EXPECT(i->nr_online_vcpus, 0);
	EXPECT(i->max_vcpu_id, 1);
	EXPECT(i->cpupool, 0);
	EXPECT(i->shr_pages + i->paged_pages + i->outstanding_pages + i->cpu_time, 0);
	EXPECT(memcmp(i->handle, handle, sizeof(handle)), 0);
	/* The next one, if there is none with that number. */
	EXPECT(domctl(XEN_DOMCTL_getdomaininfo, 1), 0);
	EXPECT_TRUE(domctl_op.domain >= 1);
	EXPECT(domctl(XEN_DOMCTL_getdomaininfo, NOBODY), -ESRCH);
	EXPECT(domctl(XEN_DOMCTL_getdomaininfo, DOMID_SELF), -EINVAL);
	/* Our own. */
	EXPECT(domctl(XEN_DOMCTL_getdomaininfo, 0), 0);
	EXPECT(i->domain, 0);
	EXPECT_TRUE(i->flags & XEN_DOMINF_running);
	EXPECT_TRUE(i->tot_pages > 1000);
	EXPECT_TRUE(i->cpu_time > 0);
}

static void list(void)
{
	static struct xen_domctl_getdomaininfo infos[4];

	sysctl_op.u.getdomaininfolist.first_domain = 0;
	sysctl_op.u.getdomaininfolist.max_domains = 4;
	sysctl_op.u.getdomaininfolist.buffer.p = infos;
	EXPECT(sysctl(XEN_SYSCTL_getdomaininfolist), 0);
	EXPECT(sysctl_op.u.getdomaininfolist.num_domains, 2);
	EXPECT(infos[0].domain, 0);
	EXPECT(infos[1].domain, child);
	sysctl_op.u.getdomaininfolist.first_domain = child + 1;
	EXPECT(sysctl(XEN_SYSCTL_getdomaininfolist), 0);
	EXPECT(sysctl_op.u.getdomaininfolist.num_domains, 0);
	sysctl_op.u.getdomaininfolist.first_domain = 0;
	sysctl_op.u.getdomaininfolist.max_domains = 1;
	EXPECT(sysctl(XEN_SYSCTL_getdomaininfolist), 0);
	EXPECT(sysctl_op.u.getdomaininfolist.num_domains, 1);
	sysctl_op.u.getdomaininfolist.buffer.p = (void *)OF_HYPERVISOR;
	EXPECT(sysctl(XEN_SYSCTL_getdomaininfolist), -EFAULT);
}

/* ---- pause ---- */

static bool paused(void)
{
	EXPECT_TRUE(child_exists(child));
	return domctl_op.u.getdomaininfo.flags & XEN_DOMINF_paused;
}

static void pause(void)
{
	EXPECT_TRUE(paused());
	EXPECT(domctl(XEN_DOMCTL_pausedomain, child), 0);
	EXPECT(domctl(XEN_DOMCTL_unpausedomain, child), 0);
	EXPECT_TRUE(paused());
	EXPECT(domctl(XEN_DOMCTL_unpausedomain, child), 0);
	EXPECT_TRUE(!paused());
	EXPECT(domctl(XEN_DOMCTL_unpausedomain, child), -EINVAL);
	EXPECT(domctl(XEN_DOMCTL_pausedomain, child), 0);
	EXPECT_TRUE(paused());
}

static void shutdown_and_resume(void)
{
	struct sched_remote_shutdown op = {.domain_id = child, .reason = SHUTDOWN_suspend};
	uint64_t end = clock_now() + 1000000000;
	uint32_t flags;

	EXPECT(hypercall_sched_op(SCHEDOP_remote_shutdown, &op), 0);
	do {
		EXPECT_TRUE(child_exists(child));
		flags = domctl_op.u.getdomaininfo.flags;
	} while (!(flags & XEN_DOMINF_shutdown) && clock_now() < end);
	EXPECT_TRUE(flags & XEN_DOMINF_shutdown);
	EXPECT(flags >> XEN_DOMINF_shutdownshift & XEN_DOMINF_shutdownmask, SHUTDOWN_suspend);
	EXPECT(domctl(XEN_DOMCTL_resumedomain, child), 0);
	EXPECT_TRUE(child_exists(child));
	EXPECT_TRUE(!(domctl_op.u.getdomaininfo.flags & XEN_DOMINF_shutdown));
}

/* ---- vCPUs ---- */

static void vcpu_info(void)
{
	domctl_op.u.getvcpuinfo.vcpu = 1;
	EXPECT(domctl(XEN_DOMCTL_getvcpuinfo, child), 0);
	EXPECT(domctl_op.u.getvcpuinfo.online, 0);
	EXPECT(domctl_op.u.getvcpuinfo.running, 0);
	EXPECT(domctl_op.u.getvcpuinfo.cpu_time, 0);
	domctl_op.u.getvcpuinfo.vcpu = 2;
	EXPECT(domctl(XEN_DOMCTL_getvcpuinfo, child), -ESRCH);
	domctl_op.u.getvcpuinfo.vcpu = 0xffffffff;
	EXPECT(domctl(XEN_DOMCTL_getvcpuinfo, child), -ESRCH);
	domctl_op.u.getvcpuinfo.vcpu = 0;
	EXPECT(domctl(XEN_DOMCTL_getvcpuinfo, 0), 0);
	EXPECT(domctl_op.u.getvcpuinfo.online, 1);
	EXPECT(domctl_op.u.getvcpuinfo.running, 1);
	domctl_op.u.max_vcpus.max = 3;
	EXPECT(domctl(XEN_DOMCTL_max_vcpus, child), -EINVAL);
	EXPECT(domctl(XEN_DOMCTL_max_vcpus, 0), -EINVAL);
}

static void affinity(void)
{
	uint64_t hard = 1, soft = 1;
	struct xen_domctl_vcpuaffinity *a = &domctl_op.u.vcpuaffinity;

	memset(a, 0, sizeof(*a));
	a->flags = XEN_VCPUAFFINITY_HARD | XEN_VCPUAFFINITY_SOFT;
	a->cpumap_hard.bitmap.p = (uint8_t *)&hard;
	a->cpumap_soft.bitmap.p = (uint8_t *)&soft;
	a->cpumap_hard.nr_bits = a->cpumap_soft.nr_bits = 64;
	EXPECT(domctl(XEN_DOMCTL_setvcpuaffinity, child), 0);
	hard = soft = ~0ul;
	EXPECT(domctl(XEN_DOMCTL_getvcpuaffinity, child), 0);
	EXPECT(hard, 1);
	EXPECT(soft, 1);
	hard = 0;
	EXPECT(domctl(XEN_DOMCTL_setvcpuaffinity, child), -EINVAL);
	hard = 1ul << 63; /* no such CPU */
	EXPECT(domctl(XEN_DOMCTL_setvcpuaffinity, child), -EINVAL);
	a->flags = 0;
	EXPECT(domctl(XEN_DOMCTL_setvcpuaffinity, child), -EINVAL);
	a->flags = XEN_VCPUAFFINITY_HARD;
	a->cpumap_hard.bitmap.p = (uint8_t *)OF_HYPERVISOR;
	EXPECT(domctl(XEN_DOMCTL_setvcpuaffinity, child), -EFAULT);
	EXPECT(domctl(XEN_DOMCTL_getvcpuaffinity, child), -EFAULT);
	a->cpumap_hard.bitmap.p = (uint8_t *)&hard;
	a->cpumap_hard.nr_bits = 0xffffffff;
	EXPECT(domctl(XEN_DOMCTL_getvcpuaffinity, child), -EINVAL);
	a->vcpu = 9;
	EXPECT(domctl(XEN_DOMCTL_setvcpuaffinity, child), -ESRCH);
}

static void node_affinity(void)
{
	uint64_t nodes = 1;

	memset(&domctl_op.u, 0, sizeof(domctl_op.u));
	domctl_op.u.nodeaffinity.nodemap.bitmap.p = (uint8_t *)&nodes;
	domctl_op.u.nodeaffinity.nodemap.nr_bits = 64;
	EXPECT(domctl(XEN_DOMCTL_setnodeaffinity, child), 0);
	nodes = 2;
	EXPECT(domctl(XEN_DOMCTL_setnodeaffinity, child), -EINVAL);
	EXPECT(domctl(XEN_DOMCTL_getnodeaffinity, child), 0);
	EXPECT(nodes, 1);
}

static void contexts(void)
{
	static struct vcpu_guest_context context;

	domctl_op.u.vcpucontext.vcpu = 0;
	domctl_op.u.vcpucontext.ctxt.p = &context;
	EXPECT(domctl(XEN_DOMCTL_getvcpucontext, child), -ENODATA);
	EXPECT(domctl(XEN_DOMCTL_getvcpucontext, 0), -EINVAL);
	EXPECT(domctl(XEN_DOMCTL_setvcpucontext, 0), -EINVAL);
	/* It has no memory, so no tables. */
	context.flags = VGCF_in_kernel;
	EXPECT(domctl(XEN_DOMCTL_setvcpucontext, child), -EINVAL);
	context.flags = 0;
	EXPECT(domctl(XEN_DOMCTL_setvcpucontext, child), -EINVAL);
	/* A frame of another's. */
	context.flags = VGCF_in_kernel;
	context.ctrlreg[3] = virt_to_machine(page_root);
	EXPECT(domctl(XEN_DOMCTL_setvcpucontext, child), -EINVAL);
	context.gdt_ents = 0xffffffffffffffff;
	EXPECT(domctl(XEN_DOMCTL_setvcpucontext, child), -EINVAL);
	domctl_op.u.vcpucontext.ctxt.p = (void *)OF_HYPERVISOR;
	EXPECT(domctl(XEN_DOMCTL_setvcpucontext, child), -EFAULT);
	domctl_op.u.vcpucontext.ctxt.p = NULL;
	EXPECT(domctl(XEN_DOMCTL_setvcpucontext, child), 0);
	domctl_op.u.vcpucontext.vcpu = 2;
	EXPECT(domctl(XEN_DOMCTL_setvcpucontext, child), -EINVAL);
	EXPECT(domctl(XEN_DOMCTL_getvcpucontext, child), -ESRCH);
}

static void extended_state(void)
{
	static uint64_t buffer[1024];
	struct xen_domctl_vcpuextstate *x = &domctl_op.u.vcpuextstate;
	struct xen_domctl_ext_vcpucontext *c = &domctl_op.u.ext_vcpucontext;
	uint64_t size;

	memset(x, 0, sizeof(*x));
	EXPECT(domctl(XEN_DOMCTL_getvcpuextstate, child), 0);
	size = x->size;
	if (size) {
		EXPECT_TRUE(size > 16 + 576 - 1 && size <= sizeof(buffer));
		x->buffer.p = buffer;
		EXPECT(domctl(XEN_DOMCTL_getvcpuextstate, child), 0);
		EXPECT_TRUE(buffer[0] & 1);
		EXPECT(domctl(XEN_DOMCTL_setvcpuextstate, child), 0);
		buffer[0] = ~0ul;
		EXPECT(domctl(XEN_DOMCTL_setvcpuextstate, child), -EINVAL);
		x->size = size + 1;
		EXPECT(domctl(XEN_DOMCTL_setvcpuextstate, child), -EINVAL);
		x->size = 15;
		EXPECT(domctl(XEN_DOMCTL_setvcpuextstate, child), -EINVAL);
	}
	memset(c, 0, sizeof(*c));
	EXPECT(domctl(XEN_DOMCTL_get_ext_vcpucontext, child), 0);
	EXPECT(c->size, sizeof(*c));
	c->sysenter_callback_eip = 0x1000;
	EXPECT(domctl(XEN_DOMCTL_set_ext_vcpucontext, child), 0);
	memset(c, 0, sizeof(*c));
	EXPECT(domctl(XEN_DOMCTL_get_ext_vcpucontext, child), 0);
	EXPECT(c->sysenter_callback_eip, 0x1000);
	c->sysenter_callback_eip = NOT_CANONICAL;
	EXPECT(domctl(XEN_DOMCTL_set_ext_vcpucontext, child), -EINVAL);
	c->sysenter_callback_eip = 0;
	c->size = 8;
	EXPECT(domctl(XEN_DOMCTL_set_ext_vcpucontext, child), -EINVAL);
	c->vcpu = 77;
	EXPECT(domctl(XEN_DOMCTL_get_ext_vcpucontext, child), -ESRCH);
}

static void msrs(void)
{
	struct xen_domctl_vcpu_msr msr[2] = {{.index = 0xc0000103, .value = 7}, {.index = 0x140}};
	struct xen_domctl_vcpu_msrs *m = &domctl_op.u.vcpu_msrs;

	memset(m, 0, sizeof(*m));
	EXPECT(domctl(XEN_DOMCTL_get_vcpu_msrs, child), 0);
	EXPECT(m->msr_count, 1);
	m->msrs.p = msr;
	m->msr_count = 2;
	EXPECT(domctl(XEN_DOMCTL_set_vcpu_msrs, child), 0);
	memset(msr, 0, sizeof(msr));
	EXPECT(domctl(XEN_DOMCTL_get_vcpu_msrs, child), 0);
	EXPECT(m->msr_count, 1);
	EXPECT(msr[0].index, 0xc0000103);
	EXPECT(msr[0].value, 7);
	m->msr_count = 0;
	EXPECT(domctl(XEN_DOMCTL_get_vcpu_msrs, child), -ENOBUFS);
	msr[1] = (struct xen_domctl_vcpu_msr){.index = 0xc0000080, .value = 1};
	m->msr_count = 2;
	EXPECT(domctl(XEN_DOMCTL_set_vcpu_msrs, child), -EINVAL);
	EXPECT(m->msr_count, 1);
}

static void trigger(void)
{
	domctl_op.u.sendtrigger.trigger = XEN_DOMCTL_SENDTRIGGER_NMI;
	domctl_op.u.sendtrigger.vcpu = 1;
	EXPECT(domctl(XEN_DOMCTL_sendtrigger, child), 0);
	domctl_op.u.sendtrigger.vcpu = 2;
	EXPECT(domctl(XEN_DOMCTL_sendtrigger, child), -ESRCH);
	domctl_op.u.sendtrigger.vcpu = 0;
	domctl_op.u.sendtrigger.trigger = XEN_DOMCTL_SENDTRIGGER_POWER;
	EXPECT(domctl(XEN_DOMCTL_sendtrigger, child), -EINVAL);
	domctl_op.u.sendtrigger.trigger = 77;
	EXPECT(domctl(XEN_DOMCTL_sendtrigger, child), -ENOSYS);
}

/* ---- other parameters ---- */

static void scheduling(void)
{
	struct xen_domctl_scheduler_op *s = &domctl_op.u.scheduler_op;

	memset(s, 0, sizeof(*s));
	EXPECT(sysctl(XEN_SYSCTL_sched_id), 0);
	s->sched_id = sysctl_op.u.sched_id.sched_id;
	EXPECT(s->sched_id, XEN_SCHEDULER_CREDIT2);
	s->cmd = XEN_DOMCTL_SCHEDOP_getinfo;
	EXPECT(domctl(XEN_DOMCTL_scheduler_op, child), 0);
	EXPECT(s->u.credit2.weight, 256);
	EXPECT(s->u.credit2.cap, 0);
	s->cmd = XEN_DOMCTL_SCHEDOP_putinfo;
	s->u.credit2.weight = 1000;
	EXPECT(domctl(XEN_DOMCTL_scheduler_op, child), 0);
	s->u.credit2.weight = 0;
	EXPECT(domctl(XEN_DOMCTL_scheduler_op, child), 0);
	s->cmd = XEN_DOMCTL_SCHEDOP_getinfo;
	EXPECT(domctl(XEN_DOMCTL_scheduler_op, child), 0);
	EXPECT(s->u.credit2.weight, 1000);
	s->cmd = XEN_DOMCTL_SCHEDOP_putinfo;
	s->u.credit2.cap = 50;
	EXPECT(domctl(XEN_DOMCTL_scheduler_op, child), 0);
	s->cmd = XEN_DOMCTL_SCHEDOP_getinfo;
	EXPECT(domctl(XEN_DOMCTL_scheduler_op, child), 0);
	EXPECT(s->u.credit2.cap, 50);
	s->cmd = 77;
	EXPECT(domctl(XEN_DOMCTL_scheduler_op, child), -EINVAL);
	s->cmd = XEN_DOMCTL_SCHEDOP_getinfo;
	s->sched_id = XEN_SCHEDULER_RTDS;
	EXPECT(domctl(XEN_DOMCTL_scheduler_op, child), -EINVAL);
}

static void small_things(void)
{
	domctl_op.u.address_size.size = 32;
	EXPECT(domctl(XEN_DOMCTL_set_address_size, child), -EINVAL);
	domctl_op.u.address_size.size = 64;
	EXPECT(domctl(XEN_DOMCTL_set_address_size, child), 0);
	domctl_op.u.address_size.size = 0;
	EXPECT(domctl(XEN_DOMCTL_get_address_size, child), 0);
	EXPECT(domctl_op.u.address_size.size, 64);
	domctl_op.u.settimeoffset.time_offset_seconds = -3600;
	EXPECT(domctl(XEN_DOMCTL_settimeoffset, child), 0);
	domctl_op.u.hypercall_init.gmfn = virt_to_mfn(page_root); /* not the child's */
	EXPECT(domctl(XEN_DOMCTL_hypercall_init, child), -EACCES);
	domctl_op.u.hypercall_init.gmfn = ~0ul;
	EXPECT(domctl(XEN_DOMCTL_hypercall_init, child), -EACCES);
	domctl_op.u.setdebugging.enable = 1;
	EXPECT(domctl(XEN_DOMCTL_setdebugging, child), 0);
	EXPECT_TRUE(child_exists(child));
	EXPECT_TRUE(domctl_op.u.getdomaininfo.flags & XEN_DOMINF_debugged);
	domctl_op.u.setdebugging.enable = 0;
	EXPECT(domctl(XEN_DOMCTL_setdebugging, child), 0);
	memset(&domctl_op.u, 0, sizeof(domctl_op.u));
	EXPECT(domctl(XEN_DOMCTL_settscinfo, child), 0);
	EXPECT(domctl(XEN_DOMCTL_gettscinfo, child), 0);
	EXPECT_TRUE(domctl_op.u.tsc_info.gtsc_khz > 1000);
	domctl_op.u.tsc_info.tsc_mode = 9;
	EXPECT(domctl(XEN_DOMCTL_settscinfo, child), -EINVAL);
}

static void permissions(void)
{
	memset(&domctl_op.u, 0, sizeof(domctl_op.u));
	domctl_op.u.ioport_permission.first_port = 0x3f8;
	domctl_op.u.ioport_permission.nr_ports = 8;
	EXPECT(domctl(XEN_DOMCTL_ioport_permission, child), 0); /* it had none */
	domctl_op.u.ioport_permission.allow_access = 1;
	EXPECT(domctl(XEN_DOMCTL_ioport_permission, child), 0);
	domctl_op.u.ioport_permission.allow_access = 0;
	domctl_op.u.ioport_permission.nr_ports = 0xffffffff;
	EXPECT(domctl(XEN_DOMCTL_ioport_permission, child), -EINVAL);
	memset(&domctl_op.u, 0, sizeof(domctl_op.u));
	EXPECT(domctl(XEN_DOMCTL_iomem_permission, child), -EINVAL); /* of no frame */
	domctl_op.u.iomem_permission.nr_mfns = 1;
	EXPECT(domctl(XEN_DOMCTL_iomem_permission, child), 0);
	domctl_op.u.iomem_permission.first_mfn = ~0ul;
	domctl_op.u.iomem_permission.nr_mfns = 2;
	EXPECT(domctl(XEN_DOMCTL_iomem_permission, child), -EINVAL);
}

/* A device is known when it was announced; there is one node. */
static void pci_topology(void)
{
	physdev_pci_device_t devices[] = {{.bus = 0, .devfn = 0xfa}, {.seg = 9, .bus = 1}};
	struct physdev_pci_device_add add = {.bus = 0, .devfn = 0xfa};
	uint32_t nodes[2] = {7, 7};

	sysctl_op.u.pcitopoinfo.num_devs = 2;
	sysctl_op.u.pcitopoinfo.devs.p = devices;
	sysctl_op.u.pcitopoinfo.nodes.p = nodes;
	EXPECT(sysctl(XEN_SYSCTL_pcitopoinfo), 0);
	EXPECT(sysctl_op.u.pcitopoinfo.num_devs, 2);
	EXPECT(nodes[0], XEN_INVALID_DEV);
	EXPECT(nodes[1], XEN_INVALID_DEV);
	EXPECT(hypercall_physdev_op(PHYSDEVOP_pci_device_add, &add), 0);
	EXPECT(sysctl(XEN_SYSCTL_pcitopoinfo), 0);
	EXPECT(nodes[0], 0);
	EXPECT(nodes[1], XEN_INVALID_DEV);
	sysctl_op.u.pcitopoinfo.num_devs = 0xffffffff;
	sysctl_op.u.pcitopoinfo.devs.p = (void *)NOT_MAPPED;
	EXPECT(sysctl(XEN_SYSCTL_pcitopoinfo), -EFAULT);
	sysctl_op.u.pcitopoinfo.devs.p = NULL;
	EXPECT(sysctl(XEN_SYSCTL_pcitopoinfo), -EINVAL);
}

static void policy(void)
{
	static struct xen_cpuid_leaf leaves[130];
	struct xen_msr_entry entries[4];
	struct xen_domctl_cpu_policy *p = &domctl_op.u.cpu_policy;
	uint32_t n;

	memset(p, 0, sizeof(*p));
	EXPECT(domctl(XEN_DOMCTL_get_cpu_policy, child), 0);
	n = p->nr_leaves;
	EXPECT_TRUE(n > 5 && n < 120);
	EXPECT(p->nr_msrs, 2);
	p->leaves.p = leaves;
	p->msrs.p = entries;
	EXPECT(domctl(XEN_DOMCTL_get_cpu_policy, child), 0);
	EXPECT(p->nr_leaves, n);
	EXPECT(leaves[0].leaf, 0);
	EXPECT(leaves[0].subleaf, XEN_CPUID_NO_SUBLEAF);
	for (uint32_t i = 0; i < n; i++) { /* what Xen's tools refuse */
		uint32_t leaf = leaves[i].leaf & ~0x80000000;

		EXPECT_TRUE(leaf <= 0x21 || leaf == 0x40000000 || leaf == 0x40000100);
		EXPECT(leaves[i].subleaf == XEN_CPUID_NO_SUBLEAF,
		       leaves[i].leaf != 4 && leaves[i].leaf != 7 && leaves[i].leaf != 0xb &&
			   leaves[i].leaf != 0xd);
	}
	EXPECT(domctl(XEN_DOMCTL_set_cpu_policy, child), -EEXIST); /* it was unpaused */
	p->nr_leaves = 2;
	EXPECT(domctl(XEN_DOMCTL_get_cpu_policy, child), -ENOBUFS);
	p->nr_leaves = n;
	EXPECT(domctl(XEN_DOMCTL_set_cpu_policy, 0), -EINVAL);
}

/* On a domain that never ran: features can be taken away, not given. */
static void policy_of_new_domain(void)
{
	static struct xen_cpuid_leaf leaves[130];
	struct xen_domctl_cpu_policy *p = &domctl_op.u.cpu_policy;
	long d = child_create(1);

	if (!EXPECT_TRUE(d > 0))
		return;
	memset(p, 0, sizeof(*p));
	p->leaves.p = leaves;
	p->nr_leaves = COUNT_OF(leaves);
	EXPECT(domctl(XEN_DOMCTL_get_cpu_policy, (domid_t)d), 0);
	EXPECT(leaves[1].leaf, 1);
	leaves[0] = leaves[1];
	p->nr_leaves = 1;
	p->nr_msrs = 0;
	leaves[0].c &= ~(1u << 20); /* SSE4.2 */
	EXPECT(domctl(XEN_DOMCTL_set_cpu_policy, (domid_t)d), 0);
	leaves[0].d |= 1u << 28; /* HTT: Xen's tools set it if the machine has it */
	EXPECT(domctl(XEN_DOMCTL_set_cpu_policy, (domid_t)d), 0);
	leaves[0].c |= 1u << 5; /* VMX */
	EXPECT(domctl(XEN_DOMCTL_set_cpu_policy, (domid_t)d), -EINVAL);
	EXPECT(p->err_leaf, 1);
	EXPECT_TRUE(child_destroy((domid_t)d));
}

/* ---- sysctl ---- */

static void machine_policies(void)
{
	struct xen_sysctl_cpu_policy *p = &sysctl_op.u.cpu_policy;

	memset(&sysctl_op.u, 0, sizeof(sysctl_op.u));
	EXPECT(sysctl(XEN_SYSCTL_get_cpu_policy), 0);
	EXPECT(p->nr_leaves, 120); /* room for every list that there could be, as on Xen */
	EXPECT(p->nr_msrs, 2);
	p->index = XEN_SYSCTL_cpu_policy_hvm_max;
	EXPECT(sysctl(XEN_SYSCTL_get_cpu_policy), -EOPNOTSUPP);
	p->index = XEN_SYSCTL_cpu_policy_hvm_default + 1;
	EXPECT(sysctl(XEN_SYSCTL_get_cpu_policy), -EINVAL);
}

static void machine(void)
{
	static struct xen_sysctl_cputopo places[64];
	static struct xen_sysctl_cpuinfo times[64];
	struct xen_sysctl_meminfo memory[2] = {{0}};
	uint32_t distance[4] = {0}, cpus;

	memset(&sysctl_op.u, 0, sizeof(sysctl_op.u));
	EXPECT(sysctl(XEN_SYSCTL_physinfo), 0);
	cpus = sysctl_op.u.physinfo.nr_cpus;
	EXPECT_TRUE(cpus >= 1);
	EXPECT(sysctl_op.u.physinfo.capabilities, 0x302);
	EXPECT_TRUE(sysctl_op.u.physinfo.total_pages > sysctl_op.u.physinfo.free_pages);
	memset(&sysctl_op.u, 0, sizeof(sysctl_op.u));
	EXPECT(sysctl(XEN_SYSCTL_cputopoinfo), 0);
	EXPECT(sysctl_op.u.cputopoinfo.num_cpus, cpus);
	sysctl_op.u.cputopoinfo.cputopo.p = places;
	EXPECT(sysctl(XEN_SYSCTL_cputopoinfo), 0);
	EXPECT(places[0].node, 0);
	if (cpus > 1)
		EXPECT_TRUE(places[0].core != places[1].core ||
			    places[0].socket != places[1].socket);
	memset(&sysctl_op.u, 0, sizeof(sysctl_op.u));
	EXPECT(sysctl(XEN_SYSCTL_numainfo), 0);
	EXPECT(sysctl_op.u.numainfo.num_nodes, 1);
	sysctl_op.u.numainfo.meminfo.p = memory;
	sysctl_op.u.numainfo.distance.p = distance;
	EXPECT(sysctl(XEN_SYSCTL_numainfo), 0);
	EXPECT_TRUE(memory[0].memsize > memory[0].memfree);
	EXPECT(distance[0], 10);
	memset(&sysctl_op.u, 0, sizeof(sysctl_op.u));
	sysctl_op.u.getcpuinfo.max_cpus = 64;
	sysctl_op.u.getcpuinfo.info.p = times;
	EXPECT(sysctl(XEN_SYSCTL_getcpuinfo), 0);
	EXPECT(sysctl_op.u.getcpuinfo.nr_cpus, cpus);
}

static void pool(void)
{
	uint64_t map = 0;

	memset(&sysctl_op.u, 0, sizeof(sysctl_op.u));
	sysctl_op.u.cpupool_op.op = XEN_SYSCTL_CPUPOOL_OP_INFO;
	sysctl_op.u.cpupool_op.cpumap.bitmap.p = (uint8_t *)&map;
	sysctl_op.u.cpupool_op.cpumap.nr_bits = 64;
	EXPECT(sysctl(XEN_SYSCTL_cpupool_op), 0);
	EXPECT(sysctl_op.u.cpupool_op.sched_id, XEN_SCHEDULER_CREDIT2);
	EXPECT(sysctl_op.u.cpupool_op.n_dom, 2);
	EXPECT_TRUE(map & 1);
	sysctl_op.u.cpupool_op.cpupool_id = 1;
	EXPECT(sysctl(XEN_SYSCTL_cpupool_op), -ENOENT);
	sysctl_op.u.cpupool_op.op = XEN_SYSCTL_CPUPOOL_OP_FREEINFO;
	EXPECT(sysctl(XEN_SYSCTL_cpupool_op), 0);
	EXPECT(map, 0);
	sysctl_op.u.cpupool_op.op = XEN_SYSCTL_CPUPOOL_OP_DESTROY;
	sysctl_op.u.cpupool_op.cpupool_id = 0;
	EXPECT(sysctl(XEN_SYSCTL_cpupool_op), -EBUSY);
}

static void processor(void)
{
	static uint32_t features[32];
	uint32_t n;

	memset(&sysctl_op.u, 0, sizeof(sysctl_op.u));
	for (uint32_t index = 0; index <= 6; index++) {
		bool pv = index <= 2 || index == XEN_SYSCTL_cpu_featureset_pv_max;

		sysctl_op.u.cpu_featureset.index = index;
		EXPECT(sysctl(XEN_SYSCTL_get_cpu_featureset), pv	  ? 0
							      : index < 6 ? -EOPNOTSUPP
									  : -EINVAL);
	}
	sysctl_op.u.cpu_featureset.index = XEN_SYSCTL_cpu_featureset_pv;
	EXPECT(sysctl(XEN_SYSCTL_get_cpu_featureset), 0);
	n = sysctl_op.u.cpu_featureset.nr_features;
	EXPECT_TRUE(n >= 13 && n <= COUNT_OF(features));
	sysctl_op.u.cpu_featureset.features.p = features;
	EXPECT(sysctl(XEN_SYSCTL_get_cpu_featureset), 0);
	EXPECT_TRUE(features[0] & 1u << 25);   /* SSE */
	EXPECT_TRUE(!(features[1] & 1u << 5)); /* VMX */
	sysctl_op.u.cpu_featureset.nr_features = 1;
	EXPECT(sysctl(XEN_SYSCTL_get_cpu_featureset), -ENOBUFS);
	for (uint32_t index = 0; index <= 6; index++) {
		bool pv = index <= 2 || index == XEN_SYSCTL_cpu_policy_pv_default;

		memset(&sysctl_op.u, 0, sizeof(sysctl_op.u));
		sysctl_op.u.cpu_policy.index = index;
		EXPECT(sysctl(XEN_SYSCTL_get_cpu_policy), pv	      ? 0
							  : index < 6 ? -EOPNOTSUPP
								      : -EINVAL);
		if (pv)
			EXPECT_TRUE(sysctl_op.u.cpu_policy.nr_leaves > 5);
	}
}

static void other_sysctls(void)
{
	static const struct {
		uint32_t cmd;
		long rc;
	} calls[] = {
	    {XEN_SYSCTL_perfc_op, -EOPNOTSUPP},
	    {XEN_SYSCTL_lockprof_op, -EOPNOTSUPP},
	    {XEN_SYSCTL_coverage_op, -EOPNOTSUPP},
	    {XEN_SYSCTL_livepatch_op, -EOPNOTSUPP},
	    {XEN_SYSCTL_get_pmstat, -ENODEV},
	    {0, -ENOSYS},
	    {13, -ENOSYS},
	    {0xffffffff, -ENOSYS},
	    {XEN_SYSCTL_get_cpu_levelling_caps, 0},
	};

	for (size_t i = 0; i < COUNT_OF(calls); i++) {
		memset(&sysctl_op.u, 0, sizeof(sysctl_op.u));
		EXPECT(sysctl(calls[i].cmd), calls[i].rc);
	}
	sysctl_op.interface_version++;
	EXPECT(hypercall_sysctl(&sysctl_op), -EACCES);
	EXPECT(hypercall_sysctl((void *)NOT_MAPPED), -EFAULT);
}

/* ---- virtual interrupts of the machine ---- */

static volatile unsigned int told;

static void hear(evtchn_port_t port, void *unused)
{
	told++;
}

/* One for its shutdown, one when it has been destroyed, one when nothing is left of it. */
static void virq_dom_exc(void)
{
	uint64_t before = free_bytes();
	long d = child_create(1);
	struct sched_remote_shutdown op = {.domain_id = (domid_t)d, .reason = SHUTDOWN_crash};

	told = 0;
	EXPECT_TRUE(event_bind_virq(VIRQ_DOM_EXC, hear, NULL) > 0);
	/* A paused one tells nothing. */
	EXPECT(domctl(XEN_DOMCTL_pausedomain, child), 0);
	EXPECT(domctl(XEN_DOMCTL_unpausedomain, child), 0);
	EXPECT(told, 0);
	EXPECT(hypercall_sched_op(SCHEDOP_remote_shutdown, &op), 0);
	EXPECT_TRUE(test_wait(&told));
	told = 0;
	EXPECT(domctl(XEN_DOMCTL_destroydomain, (domid_t)d), 0);
	EXPECT_TRUE(test_wait(&told));
	EXPECT_TRUE(child_wait_gone((domid_t)d));
	EXPECT_TRUE(free_bytes_again(before)); /* the last one is sent when that is so */
	/* The handler may be another. */
	domctl_op.u.set_virq_handler.virq = VIRQ_DOM_EXC;
	EXPECT(domctl(XEN_DOMCTL_set_virq_handler, child), 0);
	d = child_create(1);
	told = 0;
	EXPECT_TRUE(child_destroy((domid_t)d));
	EXPECT(told, 0);
	domctl_op.u.set_virq_handler.virq = VIRQ_DOM_EXC;
	EXPECT(domctl(XEN_DOMCTL_set_virq_handler, 0), 0);
	domctl_op.u.set_virq_handler.virq = VIRQ_TIMER;
	EXPECT(domctl(XEN_DOMCTL_set_virq_handler, child), -EINVAL);
	domctl_op.u.set_virq_handler.virq = NR_VIRQS;
	EXPECT(domctl(XEN_DOMCTL_set_virq_handler, child), -EINVAL);
}

static void begin(void)
{
	long d = child_create(2);

	EXPECT_TRUE(d > 0);
	child = (domid_t)d;
}

static void end(void)
{
	EXPECT_TRUE(child_destroy(child));
	EXPECT(domctl(XEN_DOMCTL_getdomaininfo, child), -ESRCH);
}

static const struct test tests[] = {
    {"a domain", begin},
    {"interface version, bad pointers", version},
    {"unknown commands and domains", unknown},
    {"createdomain refuses", create_refused},
    {"createdomain by number", create_by_number},
    {"getdomaininfo", info},
    {"getdomaininfolist", list},
    {"pause, unpause", pause},
    {"shutdown, resume", shutdown_and_resume},
    {"getvcpuinfo, max_vcpus", vcpu_info},
    {"vcpuaffinity", affinity},
    {"nodeaffinity", node_affinity},
    {"vcpucontext", contexts},
    {"vcpuextstate, ext_vcpucontext", extended_state},
    {"vcpu_msrs", msrs},
    {"sendtrigger", trigger},
    {"scheduler_op", scheduling},
    {"small things", small_things},
    {"permissions", permissions},
    {"cpu_policy", policy},
    {"cpu_policy of a new domain", policy_of_new_domain},
    {"policies of the machine", machine_policies},
    {"sysctl, the machine", machine},
    {"sysctl, cpupool", pool},
    {"sysctl, pcitopoinfo", pci_topology},
    {"sysctl, processor", processor},
    {"sysctl, others", other_sysctls},
    {"VIRQ_DOM_EXC", virq_dom_exc},
    {"its end", end},
};

void guest_main(void)
{
	test_main("domctl", tests, COUNT_OF(tests));
}
