/* SPDX-License-Identifier: MIT */
/*
 * physdev_op, platform_op and what is left of the hypercalls that other hosts offer: those that a first domain needs
 * work, the others say that they are not there, and none takes a bad argument.
 */
#include "../test.h"
#include <public/platform.h>

static long physdev(int op, void *argument)
{
	return hypercall_physdev_op(op, argument);
}

static void iopl(void)
{
	struct physdev_set_iopl op = {.iopl = 1};

	EXPECT(physdev(PHYSDEVOP_set_iopl, &op), 0);
	op.iopl = 3;
	EXPECT(physdev(PHYSDEVOP_set_iopl, &op), 0);
	op.iopl = 4;
	EXPECT(physdev(PHYSDEVOP_set_iopl, &op), -EINVAL);
	op.iopl = 0;
	EXPECT(physdev(PHYSDEVOP_set_iopl, &op), 0);
}

static void iobitmap(void)
{
	static uint8_t bitmap[65536 / 8];
	struct physdev_set_iobitmap op = {.nr_ports = 65536};

	memset(bitmap, 0xff, sizeof(bitmap));
	set_xen_guest_handle(op.bitmap, bitmap);
	EXPECT(physdev(PHYSDEVOP_set_iobitmap, &op), 0);
	op.nr_ports = 65537;
	EXPECT(physdev(PHYSDEVOP_set_iobitmap, &op), -EINVAL);
	op.nr_ports = ~0u;
	EXPECT(physdev(PHYSDEVOP_set_iobitmap, &op), -EINVAL);
	op.nr_ports = 0;
	EXPECT(physdev(PHYSDEVOP_set_iobitmap, &op), 0);
}

/* The first IO-APIC's version register, at its usual address. */
static void apic_read(void)
{
	struct physdev_apic op = {.apic_physbase = 0xfec00000, .reg = 1};
	long result = physdev(PHYSDEVOP_apic_read, &op);

	EXPECT(result, 0);
	/* 24 or so redirection entries. */
	EXPECT_TRUE((op.value >> 16 & 0xff) >= 15);
	op.apic_physbase = 0x12345000;
	EXPECT(physdev(PHYSDEVOP_apic_read, &op) < 0, 1);
}

static void setup_gsi(void)
{
	struct physdev_setup_gsi op = {.gsi = 9, .triggering = 1, .polarity = 0};

	long result = physdev(PHYSDEVOP_setup_gsi, &op);

	if (test_missing(result))
		return;
	EXPECT(result, 0);
	op.gsi = 100000;
	EXPECT(physdev(PHYSDEVOP_setup_gsi, &op), -EINVAL);
	op.gsi = -1;
	EXPECT(physdev(PHYSDEVOP_setup_gsi, &op), -EINVAL);
}

static void map_pirq(void)
{
	struct physdev_map_pirq op = {
	    .domid = DOMID_SELF, .type = MAP_PIRQ_TYPE_GSI, .index = 9, .pirq = 9};
	struct physdev_unmap_pirq undo = {.domid = DOMID_SELF, .pirq = 9};
	struct evtchn_bind_pirq bind = {.pirq = 9, .flags = BIND_PIRQ__WILL_SHARE};
	long result = physdev(PHYSDEVOP_map_pirq, &op);

	if (test_missing(result))
		return;
	EXPECT(result, 0);
	EXPECT(op.pirq, 9);
	result = hypercall_event_channel_op(EVTCHNOP_bind_pirq, &bind);
	EXPECT(result, 0);
	if (!result) {
		EXPECT(hypercall_event_channel_op(EVTCHNOP_bind_pirq, &bind), -EEXIST);
		EXPECT(event_close(bind.port), 0);
	}
	EXPECT(physdev(PHYSDEVOP_unmap_pirq, &undo), 0);
	EXPECT(physdev(PHYSDEVOP_unmap_pirq, &undo), -EINVAL);
	op.index = 100000;
	EXPECT(physdev(PHYSDEVOP_map_pirq, &op), -EINVAL);
	op.index = -5;
	EXPECT(physdev(PHYSDEVOP_map_pirq, &op), -EINVAL);
	op.index = 9;
	op.domid = 77;
	EXPECT(physdev(PHYSDEVOP_map_pirq, &op), -ESRCH);
	op.domid = DOMID_SELF;
	op.type = 77;
	EXPECT(physdev(PHYSDEVOP_map_pirq, &op), -EINVAL);
	undo.pirq = -1;
	EXPECT(physdev(PHYSDEVOP_unmap_pirq, &undo), -EINVAL);
	undo.pirq = 1 << 30;
	EXPECT(physdev(PHYSDEVOP_unmap_pirq, &undo), -EINVAL);
}

static void irq_bad(void)
{
	struct physdev_eoi eoi = {.irq = 100000};
	struct physdev_irq_status_query query = {.irq = 100000};

	if (test_missing(physdev(PHYSDEVOP_eoi, &eoi)))
		return;
	EXPECT(physdev(PHYSDEVOP_eoi, &eoi), -EINVAL);
	EXPECT(physdev(PHYSDEVOP_irq_status_query, &query), -EINVAL);
	eoi.irq = ~0u;
	EXPECT(physdev(PHYSDEVOP_eoi, &eoi), -EINVAL);
}

static void physdev_pointers(void)
{
	static const int commands[] = {PHYSDEVOP_set_iopl,  PHYSDEVOP_set_iobitmap,
				       PHYSDEVOP_map_pirq,  PHYSDEVOP_unmap_pirq,
				       PHYSDEVOP_eoi,	    PHYSDEVOP_irq_status_query,
				       PHYSDEVOP_apic_read, PHYSDEVOP_setup_gsi};

	for (size_t i = 0; i < COUNT_OF(commands); i++) {
		long result = physdev(commands[i], (void *)NOT_MAPPED);

		/* Calls that are not there do not look at it. */
		if (result == -ENOSYS)
			continue;
		EXPECT(result, -EFAULT);
		EXPECT(physdev(commands[i], (void *)OF_HYPERVISOR), -EFAULT);
	}
}

static void physdev_unknown(void)
{
	uint64_t argument[8] = {0};

	EXPECT(physdev(1, argument), -ENOSYS);
	EXPECT(physdev(100, argument), -ENOSYS);
	EXPECT(physdev(-1, argument), -ENOSYS);
}

/* Setting the wall clock: it reads back. */
static void set_time(void)
{
	struct xen_platform_op op = {.cmd = XENPF_settime64,
				     .interface_version = XENPF_INTERFACE_VERSION};
	uint64_t wanted = 1700000000, now;

	op.u.settime64.secs = wanted;
	op.u.settime64.system_time = clock_now();
	EXPECT(hypercall_platform_op(&op), 0);
	now = (clock_wall_base() + clock_now()) / NSEC_PER_SEC;
	EXPECT_TRUE(now >= wanted && now < wanted + 100);
	op.u.settime64.mbz = 1;
	EXPECT(hypercall_platform_op(&op), -EINVAL);
}

static void platform_bad(void)
{
	struct xen_platform_op op = {.cmd = XENPF_settime64, .interface_version = 0};

	EXPECT(hypercall_platform_op(&op), -EACCES);
	EXPECT(hypercall_platform_op((void *)NOT_MAPPED), -EFAULT);
	EXPECT(hypercall_platform_op((void *)OF_HYPERVISOR), -EFAULT);
	op.interface_version = XENPF_INTERFACE_VERSION;
	op.cmd = 1000;
	EXPECT(hypercall_platform_op(&op), -ENOSYS);
}

static void platform(struct xen_platform_op *op, uint32_t cmd)
{
	memset(op, 0, sizeof(*op));
	op->cmd = cmd;
	op->interface_version = XENPF_INTERFACE_VERSION;
}

/* The CPU that starts the machine stays in use. */
static void machine_cpus(void)
{
	struct xen_platform_op op;

	platform(&op, XENPF_cpu_offline);
	EXPECT(hypercall_platform_op(&op), -EOPNOTSUPP);
	op.u.cpu_ol.cpuid = 4000;
	EXPECT(hypercall_platform_op(&op), -EINVAL);
	platform(&op, XENPF_cpu_online);
	EXPECT(hypercall_platform_op(&op), 0);
	op.u.cpu_ol.cpuid = 4000;
	EXPECT(hypercall_platform_op(&op), -EINVAL);
	platform(&op, XENPF_cpu_hotadd);
	EXPECT_TRUE(hypercall_platform_op(&op) < 0);
	platform(&op, XENPF_mem_hotadd);
	op.u.mem_add.epfn = 1;
	EXPECT_TRUE(hypercall_platform_op(&op) < 0);
	platform(&op, XENPF_core_parking);
	op.u.core_parking.type = XEN_CORE_PARKING_GET;
	op.u.core_parking.idle_nums = 77;
	EXPECT(hypercall_platform_op(&op), 0);
	EXPECT(op.u.core_parking.idle_nums, 0);
	op.u.core_parking.type = XEN_CORE_PARKING_SET;
	EXPECT(hypercall_platform_op(&op), 0);
	op.u.core_parking.type = 3;
	EXPECT(hypercall_platform_op(&op), -EINVAL);
}

/* The hypervisor's functions, in ascending order, by name; a name that does not fit is cut. */
static void symbols(void)
{
	struct xen_platform_op op;
	uint64_t last = 0;
	char name[128], cut[4] = "zzz";
	unsigned int count = 0, strange = 0;
	long result = 0;

	for (uint32_t number = 0; count < 100000; number = op.u.symdata.symnum, count++) {
		platform(&op, XENPF_get_symbol);
		op.u.symdata.symnum = number;
		op.u.symdata.namelen = sizeof(name);
		set_xen_guest_handle(op.u.symdata.name, name);
		result = hypercall_platform_op(&op);
		if (result || op.u.symdata.symnum == number)
			break;
		strange += op.u.symdata.address < last ||
			   op.u.symdata.address < 0xffff800000000000 || !name[0] ||
			   (op.u.symdata.type | 0x20) < 'a' || (op.u.symdata.type | 0x20) > 'z';
		last = op.u.symdata.address;
	}
	if (test_missing(result))
		return;
	EXPECT(result, 0);
	EXPECT_TRUE(count > 100);
	EXPECT(strange, 0);
	platform(&op, XENPF_get_symbol);
	op.u.symdata.namelen = 2;
	set_xen_guest_handle(op.u.symdata.name, cut);
	EXPECT(hypercall_platform_op(&op), 0);
	EXPECT(cut[2], 'z');
	EXPECT_TRUE(op.u.symdata.namelen > 2);
	op.u.symdata.symnum = 0;
	op.u.symdata.namelen = 100;
	set_xen_guest_handle(op.u.symdata.name, (char *)NOT_MAPPED);
	EXPECT(hypercall_platform_op(&op), -EFAULT);
	op.u.symdata.symnum = ~0u;
	EXPECT(hypercall_platform_op(&op), -ERANGE);
}

static const struct test tests[] = {
    {"set_iopl", iopl},
    {"set_iobitmap", iobitmap},
    {"apic_read", apic_read},
    {"setup_gsi", setup_gsi},
    {"map and bind a pirq", map_pirq},
    {"bad interrupts", irq_bad},
    {"physdev_op, bad pointers", physdev_pointers},
    {"physdev_op, unknown commands", physdev_unknown},
    {"set the time", set_time},
    {"CPUs of the machine", machine_cpus},
    {"symbols", symbols},
    {"platform_op, bad arguments", platform_bad},
};

void guest_main(void)
{
	test_main("platform", tests, COUNT_OF(tests));
}
