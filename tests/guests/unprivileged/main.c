/* SPDX-License-Identifier: MIT */
/*
 * What an ordinary domain may not do: a child asks for everything that is the tools', the hardware's or another
 * domain's. And what two domains must not see of each other: the state of the CPU on which they take turns.
 */
#include "../child.h"
#include <public/grant_table.h>
#include <public/platform.h>
#include <public/arch-x86/xen-mca.h>
#include <public/physdev.h>

static struct child child, other;

/* ---- calls ---- */

struct question {
	const char *name;
	long (*ask)(const struct child_mail *mail);
	long wanted;
};

/* Data of the child's: it has a copy of all of this. */
static struct xen_domctl a_domctl = {.interface_version = XEN_DOMCTL_INTERFACE_VERSION};
static struct xen_sysctl a_sysctl = {.interface_version = XEN_SYSCTL_INTERFACE_VERSION};
static struct xen_platform_op a_platform_op = {.interface_version = XENPF_INTERFACE_VERSION};
static struct xen_mc an_mca = {.interface_version = XEN_MCA_INTERFACE_VERSION};
static uint64_t buffer[64];

static long ask_domctl(const struct child_mail *mail)
{
	long rc = -EPERM;

	for (uint32_t cmd = 0; cmd < 100 && rc == -EPERM; cmd++) {
		a_domctl.cmd = cmd;
		a_domctl.domain = cmd % 2 ? 0 : mail->domid;
		rc = hypercall_domctl(&a_domctl);
	}
	return rc;
}

static long ask_sysctl(const struct child_mail *mail)
{
	long rc = -EPERM;

	for (uint32_t cmd = 0; cmd < 40 && rc == -EPERM; cmd++) {
		a_sysctl.cmd = cmd;
		rc = hypercall_sysctl(&a_sysctl);
	}
	return rc;
}

static long ask_platform(const struct child_mail *mail)
{
	long rc = -EPERM;

	for (uint32_t cmd = 0; cmd < 80 && rc == -EPERM; cmd++) {
		a_platform_op.cmd = cmd;
		rc = hypercall_platform_op(&a_platform_op);
	}
	return rc;
}

static long ask_mca(const struct child_mail *mail)
{
	an_mca.cmd = XEN_MC_physcpuinfo;
	return hypercall_mca(&an_mca);
}

static long ask_console(const struct child_mail *mail)
{
	static char text[] = "an ordinary domain writes to the machine's console\n";
	long rc = hypercall_console_io(CONSOLEIO_read, sizeof(buffer), (char *)buffer);

	return rc == -EPERM ? hypercall_console_io(CONSOLEIO_write, sizeof(text), text) : rc;
}

/* Those of devices; the others are for everybody. */
static long ask_physdev(const struct child_mail *mail)
{
	static const int commands[] = {PHYSDEVOP_apic_read,	     PHYSDEVOP_map_pirq,
				       PHYSDEVOP_setup_gsi,	     PHYSDEVOP_pci_device_add,
				       PHYSDEVOP_pci_mmcfg_reserved, PHYSDEVOP_get_free_pirq};
	long rc = -EPERM;

	for (size_t i = 0; i < COUNT_OF(commands) && rc == -EPERM; i++)
		rc = hypercall_physdev_op(commands[i], buffer);
	return rc;
}

static long ask_remote_shutdown(const struct child_mail *mail)
{
	struct sched_remote_shutdown op = {.domain_id = 0, .reason = SHUTDOWN_crash};

	return hypercall_sched_op(SCHEDOP_remote_shutdown, &op);
}

static long ask_pin(const struct child_mail *mail)
{
	struct sched_pin_override op = {.pcpu = 0};

	return hypercall_sched_op(SCHEDOP_pin_override, &op);
}

static long ask_others_events(const struct child_mail *mail)
{
	struct evtchn_alloc_unbound alloc = {.dom = 0, .remote_dom = DOMID_SELF};
	struct evtchn_status status = {.dom = 0, .port = 1};
	struct evtchn_reset reset = {.dom = 0};
	long rc = hypercall_event_channel_op(EVTCHNOP_alloc_unbound, &alloc);

	rc = rc == -EPERM ? hypercall_event_channel_op(EVTCHNOP_status, &status) : rc;
	return rc == -EPERM ? hypercall_event_channel_op(EVTCHNOP_reset, &reset) : rc;
}

/* Ports of dom0's that are not for us. */
static long ask_binding(const struct child_mail *mail)
{
	struct evtchn_bind_interdomain op = {.remote_dom = 0};
	long rc = -EINVAL;

	for (evtchn_port_t port = 0; port < 200 && rc == -EINVAL; port++) {
		op.remote_port = port;
		rc = hypercall_event_channel_op(EVTCHNOP_bind_interdomain, &op);
	}
	return rc;
}

static long ask_others_memory(const struct child_mail *mail)
{
	xen_pfn_t frame = 0;
	struct xen_memory_reservation r = {.nr_extents = 1, .domid = 0};
	domid_t domid = 0;
	long rc;

	r.extent_start.p = &frame;
	rc = hypercall_memory_op(XENMEM_decrease_reservation, &r);
	if (rc == -EPERM)
		rc = hypercall_memory_op(XENMEM_populate_physmap, &r);
	if (rc == -EPERM)
		rc = hypercall_memory_op(XENMEM_current_reservation, &domid);
	if (rc == -EPERM)
		rc = hypercall_memory_op(XENMEM_machine_memory_map, buffer);
	return rc;
}

/* Its limit is what it has. */
static long ask_more_memory(const struct child_mail *mail)
{
	xen_pfn_t frame = 0;
	struct xen_memory_reservation r = {.nr_extents = 1, .domid = DOMID_SELF};

	r.extent_start.p = &frame;
	return hypercall_memory_op(XENMEM_increase_reservation, &r);
}

static long ask_foreign_update(const struct child_mail *mail)
{
	struct mmu_update update = {.ptr = mail->root << PAGE_SHIFT, .val = 0};

	return hypercall_mmu_update(&update, 1, NULL, 1u << 16); /* tables of dom0 */
}

static long ask_foreign_pin(const struct child_mail *mail)
{
	struct mmuext_op op = {.cmd = MMUEXT_PIN_L4_TABLE, .arg1.mfn = mail->root};

	return hypercall_mmuext_op(&op, 1, NULL, 0);
}

static long ask_va_mapping(const struct child_mail *mail)
{
	return hypercall_update_va_mapping_otherdomain((unsigned long)buffer, 0, 0, 0);
}

/* A frame of dom0's, by its machine number. */
static long ask_mapping(const struct child_mail *mail)
{
	return hypercall_update_va_mapping((unsigned long)buffer & ~4095ul,
					   pte_make(mail->value[3], PTE_DATA), 0)
		   ? -EINVAL
		   : 0;
}

static long ask_others_grants(const struct child_mail *mail)
{
	struct gnttab_setup_table setup = {.dom = 0, .nr_frames = 0};
	struct gnttab_query_size query = {.dom = 0};
	long rc = hypercall_grant_table_op(GNTTABOP_setup_table, &setup, 1);

	rc = rc ? rc : setup.status;
	if (rc != GNTST_permission_denied)
		return rc;
	rc = hypercall_grant_table_op(GNTTABOP_query_size, &query, 1);
	return rc ? rc : query.status;
}

static long ask_command_line(const struct child_mail *mail)
{
	static xen_commandline_t text;
	long rc = hypercall_xen_version(XENVER_commandline, text);

	return rc ? rc : memcmp(text, "<denied>", 9);
}

static long ask_dom0_feature(const struct child_mail *mail)
{
	struct xen_feature_info info = {0};
	long rc = hypercall_xen_version(XENVER_get_features, &info);

	return rc ? rc : info.submap >> XENFEAT_dom0 & 1;
}

static long ask_debugreg(const struct child_mail *mail)
{
	return hypercall_set_debugreg(0, OF_HYPERVISOR);
}

static const struct question questions[] = {
    {"domctl", ask_domctl, -EPERM},
    {"sysctl", ask_sysctl, -EPERM},
    {"platform_op", ask_platform, -EPERM},
    {"mca", ask_mca, -EPERM},
    {"console_io", ask_console, -EPERM},
    {"physdev_op", ask_physdev, -EPERM},
    {"remote_shutdown", ask_remote_shutdown, -EPERM},
    {"pin_override", ask_pin, -EPERM},
    {"events of dom0", ask_others_events, -EPERM},
    {"binding to dom0's ports", ask_binding, -EINVAL},
    {"memory of dom0", ask_others_memory, -EPERM},
    {"more memory", ask_more_memory, 0},
    {"mmu_update for another domain", ask_foreign_update, -EPERM},
    {"mmuext_op for dom0", ask_foreign_pin, -EPERM},
    {"update_va_mapping_otherdomain", ask_va_mapping, -EPERM},
    {"a frame of dom0", ask_mapping, -EINVAL},
    {"grants of dom0", ask_others_grants, GNTST_permission_denied},
    {"command line", ask_command_line, 0},
    {"XENFEAT_dom0", ask_dom0_feature, 0},
    {"breakpoint in the hypervisor", ask_debugreg, -EPERM},
};

static void ask_all(struct child_mail *mail)
{
	for (size_t i = 0; i < COUNT_OF(questions); i++) {
		mail->value[10 + i] = (uint64_t)questions[i].ask(mail);
		mail->said = (unsigned int)i + 1;
	}
	child_say(mail, 1000, 1);
}

static void calls(void)
{
	if (!child_build(&child, 1, ask_all))
		return;
	child.mail->value[3] = virt_to_mfn(buffer);
	child_start(&child);
	if (child_wait_said(&child, 1000)) {
		for (size_t i = 0; i < COUNT_OF(questions); i++)
			if (!EXPECT((long)child.mail->value[10 + i], questions[i].wanted))
				printk("  that was: %s\n", questions[i].name);
	}
	child_answer(&child, 1);
	child_wait_shutdown(&child, SHUTDOWN_poweroff);
	child_end(&child);
}

/* ---- instructions; every trap ends the child, which has no handlers ---- */

static void read_ports(struct child_mail *mail)
{
	struct physdev_set_iopl iopl = {.iopl = 1};
	static const uint16_t ports[] = {0x21, 0x42, 0x60, 0x64, 0x70, 0x80, 0x3f8, 0xcf8, 0xcfc};
	uint32_t all = ~0u, value;

	hypercall_physdev_op(PHYSDEVOP_set_iopl, &iopl);
	for (size_t i = 0; i < COUNT_OF(ports); i++) {
		__asm__ volatile("inl %1, %0" : "=a"(value) : "Nd"(ports[i]));
		all &= value;
		__asm__ volatile("outl %0, %1" ::"a"(0xfe), "Nd"(ports[i]));
	}
	mail->value[0] = all;
	mail->said = 1;
}

static void no_ports(void)
{
	if (!child_run(&child, 1, read_ports))
		return;
	child_wait_said(&child, 1);
	EXPECT(child.mail->value[0], 0xffffffff);
	child_wait_shutdown(&child, SHUTDOWN_poweroff);
	child_end(&child);
}

/* ---- devices that the tools let it use ---- */

#define CLOCK	   8	   /* its line */
#define CLOCK_PORT 0x70	   /* index; the next one is data (MC146818A) */
#define HPET	   0xfed00 /* frame; every q35 machine of QEMU has it there */
#define HPET_ID	   0x8086a201

static uint8_t window[4096] __attribute__((aligned(4096)));

static uint8_t clock_read(uint8_t reg)
{
	uint8_t value;

	__asm__ volatile("outb %1, %2; inb %3, %0"
			 : "=a"(value)
			 : "0"(reg), "i"(CLOCK_PORT), "i"(CLOCK_PORT + 1));
	return value;
}

static void clock_write(uint8_t reg, uint8_t value)
{
	__asm__ volatile("outb %0, %1" ::"a"(reg), "i"(CLOCK_PORT));
	__asm__ volatile("outb %0, %1" ::"a"(value), "i"(CLOCK_PORT + 1));
}

static long bind_clock(evtchn_port_t *port)
{
	struct evtchn_bind_pirq op = {.pirq = CLOCK};
	long rc = hypercall_event_channel_op(EVTCHNOP_bind_pirq, &op);

	*port = op.port;
	return rc;
}

static long map_hpet(void)
{
	return hypercall_update_va_mapping((unsigned long)window, (uint64_t)HPET << 12 | 0x67,
					   UVMF_INVLPG | UVMF_LOCAL);
}

/* Its periodic interrupt, 1024 times a second: has one come within a second? */
static bool clock_fires(const struct child_mail *mail, evtchn_port_t port)
{
	struct sched_poll poll = {.nr_ports = 1};
	struct vcpu_runstate_info state;
	uint8_t was = clock_read(0x0b);

	hypercall_vcpu_op(VCPUOP_get_runstate_info, 0, &state);
	poll.timeout = state.state_entry_time + 1000000000;
	poll.ports.p = &port;
	clock_write(0x0a, 0x26);
	clock_write(0x0b, was | 0x40);
	clock_read(0x0c);
	hypercall_sched_op(SCHEDOP_poll, &poll);
	clock_write(0x0b, was);
	return mail->shared->evtchn_pending[port / 64] >> port % 64 & 1;
}

static void use_devices(struct child_mail *mail)
{
	struct physdev_set_iopl iopl = {.iopl = 1};
	evtchn_port_t port;

	hypercall_physdev_op(PHYSDEVOP_set_iopl, &iopl);
	for (unsigned int round = 0; round < 3; round++) {
		volatile uint64_t *value = &mail->value[10 * round];

		value[0] = clock_read(0x0d);
		value[1] = (uint64_t)bind_clock(&port);
		value[2] = value[1] ? 0 : clock_fires(mail, port);
		value[3] = (uint64_t)map_hpet();
		value[4] = value[3] ? 0 : *(volatile uint32_t *)window;
		child_say(mail, round + 1, round + 1);
	}
}

static void allow_devices(bool allow)
{
	domctl_op.u.ioport_permission = (struct xen_domctl_ioport_permission){
	    .first_port = CLOCK_PORT, .nr_ports = 2, .allow_access = allow};
	EXPECT(domctl(XEN_DOMCTL_ioport_permission, child.domid), 0);
	domctl_op.u.irq_permission =
	    (struct xen_domctl_irq_permission){.pirq = CLOCK, .allow_access = allow};
	EXPECT(domctl(XEN_DOMCTL_irq_permission, child.domid), 0);
	domctl_op.u.iomem_permission = (struct xen_domctl_iomem_permission){
	    .first_mfn = HPET, .nr_mfns = 1, .allow_access = allow};
	EXPECT(domctl(XEN_DOMCTL_iomem_permission, child.domid), 0);
}

static void expect_no_devices(const volatile uint64_t *value, long bound)
{
	EXPECT(value[0], 0xff);
	EXPECT((long)value[1], bound);
	EXPECT((long)value[3], -EPERM);
}

/* What it may use it does use; before and afterwards it is not there. */
static void devices(void)
{
	struct physdev_map_pirq map = {.type = MAP_PIRQ_TYPE_GSI, .index = CLOCK, .pirq = CLOCK};
	const volatile uint64_t *value;

	if (!child_run(&child, 1, use_devices))
		return;
	value = child.mail->value;
	child_wait_said(&child, 1);
	expect_no_devices(value, -EPERM);
	map.domid = child.domid;
	EXPECT(hypercall_physdev_op(PHYSDEVOP_map_pirq, &map), 0);
	EXPECT(map.pirq, CLOCK);
	allow_devices(true);
	child_answer(&child, 1);
	child_wait_said(&child, 2);
	EXPECT(value[10], 0x80); /* its battery is good */
	EXPECT((long)value[11], 0);
	EXPECT(value[12], 1);
	EXPECT((long)value[13], 0);
	EXPECT(value[14], HPET_ID);
	allow_devices(false);
	child_answer(&child, 2);
	child_wait_said(&child, 3);
	expect_no_devices(value + 20, -EEXIST); /* what is bound stays so */
	child_answer(&child, 3);
	child_wait_shutdown(&child, SHUTDOWN_poweroff);
	child_end(&child);
}

static void write_apic_base(struct child_mail *mail)
{
	mail->said = 1;
	__asm__ volatile("wrmsr" ::"c"(0x1b), "a"(0), "d"(0));
	mail->said = 2;
}

static void halt(struct child_mail *mail)
{
	mail->said = 1;
	__asm__ volatile("lgdt %0" ::"m"(*buffer));
	mail->said = 2;
}

static void touch_hypervisor(struct child_mail *mail)
{
	mail->said = 1;
	*(volatile uint64_t *)OF_HYPERVISOR = 1;
	mail->said = 2;
}

static void sysret_trick(struct child_mail *mail)
{
	mail->said = 1;
	__asm__ volatile("mov $0x7ffffffffffe, %%rax; movw $0x050f, (%%rax); jmp *%%rax" ::
			     : "rax", "memory");
	mail->said = 2;
}

static void deadly(void)
{
	static child_role *const roles[] = {write_apic_base, halt, touch_hypervisor, sysret_trick};

	for (size_t i = 0; i < COUNT_OF(roles); i++) {
		if (!child_run(&child, 1, roles[i]))
			return;
		child_wait_shutdown(&child, SHUTDOWN_crash);
		EXPECT(child.mail->said, 1);
		child_end(&child);
	}
}

/* ---- taking turns on a CPU ---- */

/*
 * Everything of the CPU that a domain can set, to values of its own (value[0]); then round and round: is it still so?
 * The two of them and dom0 yield to each other all the time.
 */
static void keep_state(struct child_mail *mail)
{
	uint64_t mine = mail->value[0], rounds;
	uint64_t base = VIRT_BASE + mine * 0x1000;
	uint32_t mxcsr = 0x1f80 | (uint32_t)(mine & 1) << 13, seen_mxcsr;

	hypercall_set_segment_base(SEGBASE_FS, base);
	hypercall_set_segment_base(SEGBASE_GS_USER, base + 8);
	hypercall_set_debugreg(0, base);
	hypercall_set_debugreg(7, 0x1); /* an execution breakpoint where nothing is executed */
	__asm__ volatile("ldmxcsr %0" ::"m"(mxcsr));
	__asm__ volatile("movq %0, %%xmm7; movq %0, %%mm3" ::"r"(mine * 0x0101010101010101));
	mail->said = 1;
	for (rounds = 0; !mail->answer; rounds++) {
		uint64_t xmm, mm, fs;

		hypercall_sched_op(SCHEDOP_yield, NULL);
		__asm__ volatile("movq %%xmm7, %0; movq %%mm3, %1" : "=r"(xmm), "=r"(mm));
		__asm__ volatile("stmxcsr %0" : "=m"(seen_mxcsr));
		__asm__ volatile("mov $0xc0000100, %%ecx; rdmsr; shl $32, %%rdx; or %%rdx, %%rax"
				 : "=a"(fs)::"rcx", "rdx");
		if (xmm != mine * 0x0101010101010101)
			mail->value[1] = 1;
		else if (mm != xmm)
			mail->value[1] = 2;
		else if (seen_mxcsr != mxcsr)
			mail->value[1] = 3;
		else if (fs != base)
			mail->value[1] = 4;
		else if ((uint64_t)hypercall_get_debugreg(0) != base)
			mail->value[1] = 5;
	}
	mail->value[2] = rounds;
	mail->said = 2;
}

static void turns(void)
{
	uint64_t end;

	if (!child_build(&child, 1, keep_state) || !child_build(&other, 1, keep_state))
		return;
	child.mail->value[0] = 3;
	other.mail->value[0] = 4;
	child_start(&child);
	child_start(&other);
	child_wait_said(&child, 1);
	child_wait_said(&other, 1);
	for (end = clock_now() + 300000000; clock_now() < end;)
		hypercall_sched_op(SCHEDOP_yield, NULL);
	child_answer(&child, 1);
	child_answer(&other, 1);
	child_wait_said(&child, 2);
	child_wait_said(&other, 2);
	EXPECT(child.mail->value[1], 0);
	EXPECT(other.mail->value[1], 0);
	/* Both had turns; an emulator translates its code anew each time that a breakpoint comes or goes. */
	EXPECT_TRUE(child.mail->value[2] > 10 && other.mail->value[2] > 10);
	child_end(&child);
	child_end(&other);
}

static const struct test tests[] = {
    {"calls", calls},	     {"ports", no_ports},
    {"devices", devices},    {"deadly instructions", deadly},
    {"taking turns", turns},
};

void guest_main(void)
{
	test_main("unprivileged", tests, COUNT_OF(tests));
}
