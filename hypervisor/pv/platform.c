/* SPDX-License-Identifier: MIT */
/* platform_op: matters of the whole machine, for privileged domains (public/platform.h). */
#include "pv/internal.h"
#include "boot/boot.h"
#include "console/console.h"
#include "lib/bitops.h"
#include "lib/image.h"
#include "lib/lib.h"
#include "sched/sched.h"
#include "time/time.h"
#include <public/platform.h>
#include <public/sched.h>

#define NS_PER_S 1000000000U
#define ACPI_S5	 5
/* PM1 control register (ACPI 4.8.3.2) */
#define PM1_SLP_TYP_SHIFT 10
#define SLP_TYP_MASK	  7

static long settime(uint64_t seconds, uint32_t nanoseconds, uint64_t system_time)
{
	set_wallclock(seconds + nanoseconds / NS_PER_S, nanoseconds % NS_PER_S,
		      (stime_t)system_time);
	return 0;
}

/* The firmware's name into the guest's buffer, as much of it as fits with its end. */
static long efi_vendor(union xenpf_efi_info *info)
{
	const uint16_t *name = firmware_info.efi_vendor;
	size_t room = info->vendor.bufsz / sizeof(*name), n = 0;

	while (n < ARRAY_SIZE(firmware_info.efi_vendor) && name[n])
		n++;
	n = min(n + 1, room); /* with the 0 */
	if (n && (copy_to_guest((vaddr_t)info->vendor.name.p, name, (n - 1) * sizeof(*name)) ||
		  copy_to_guest((vaddr_t)info->vendor.name.p + (n - 1) * sizeof(*name), u"",
				sizeof(*name))))
		return -EFAULT;
	info->vendor.revision = firmware_info.efi_vendor_revision;
	return 0;
}

/* The area's kind, and how much of [addr, addr + size) is in it. */
static long efi_memory_info(union xenpf_efi_info *info)
{
	const struct efi_memory_descriptor *e = efi_memory_at(info->mem.addr);
	uint64_t rest;

	if (!e)
		return -ESRCH;
	rest = e->start + (e->pages << PAGE_SHIFT) - info->mem.addr;
	info->mem.size = min(info->mem.size, rest);
	info->mem.attr = e->attributes;
	info->mem.type = e->type;
	return 0;
}

static long efi_info(struct xenpf_firmware_info *op)
{
	union xenpf_efi_info *info = &op->u.efi_info;
	static unsigned long told;

	if (!firmware_info.efi)
		return -ENOSYS; /* as Xen on a machine without UEFI */
	switch (op->index) {
	case XEN_FW_EFI_VERSION:
		info->version = firmware_info.efi_revision;
		return 0;
	case XEN_FW_EFI_RT_VERSION:
		if (!firmware_info.efi_runtime_revision)
			return -ENODEV;
		info->version = firmware_info.efi_runtime_revision;
		return 0;
	case XEN_FW_EFI_CONFIG_TABLE:
		info->cfg.addr = firmware_info.efi_config_tables;
		info->cfg.nent = (uint32_t)firmware_info.efi_config_table_count;
		return 0;
	case XEN_FW_EFI_VENDOR:
		return efi_vendor(info);
	case XEN_FW_EFI_MEM_INFO:
		return efi_memory_info(info);
	case XEN_FW_EFI_PCI_ROM:
	case XEN_FW_EFI_APPLE_PROPERTIES:
		return not_implemented("firmware_info, EFI", op->index, &told);
	default:
		return -EINVAL;
	}
}

/* What other real-mode BIOS calls would have told is not there: Cerne starts in protected mode. */
static long get_firmware_info(struct xenpf_firmware_info *op)
{
	switch (op->type) {
	case XEN_FW_KBD_SHIFT_FLAGS:
		if (boot_info.efi)
			return -ESRCH;
		op->u.kbd_shift_flags = firmware_info.kbd_shift_flags;
		return 0;
	case XEN_FW_DISK_INFO:
	case XEN_FW_DISK_MBR_SIGNATURE:
	case XEN_FW_VBEDDC_INFO:
		return -ESRCH;
	case XEN_FW_EFI_INFO:
		return efi_info(op);
	default:
		return -EINVAL;
	}
}

bool cpu_is_online(unsigned int cpu)
{
	return cpu < NR_CPUS && cpu_online_mask >> clamp_index(cpu, NR_CPUS) & 1;
}

void call_on_cpu(unsigned int cpu, void (*fn)(void *arg), void *arg)
{
	smp_call((cpumask_t)1 << clamp_index(cpu, NR_CPUS), fn, arg);
}

/* Intel SDM 2, CPUID, figure 3-6: the extended fields count where the short ones are exhausted. */
uint32_t cpuid_family(uint32_t leaf1_eax)
{
	uint32_t family = leaf1_eax >> 8 & 0xf;

	return family == 0xf ? family + (leaf1_eax >> 20 & 0xff) : family;
}

uint32_t cpuid_model(uint32_t leaf1_eax)
{
	uint32_t family = leaf1_eax >> 8 & 0xf, model = leaf1_eax >> 4 & 0xf;

	return family == 0xf || family == 6 ? model | (leaf1_eax >> 12 & 0xf0) : model;
}

static long get_cpuinfo(struct xenpf_pcpuinfo *op)
{
	unsigned int cpu = op->xen_cpuid;

	op->max_present = highest_bit(cpu_online_mask);
	op->apic_id = op->acpi_id = 0;
	if (!cpu_is_online(cpu)) {
		op->flags = XEN_PCPU_FLAGS_INVALID;
		return 0;
	}
	op->flags = XEN_PCPU_FLAGS_ONLINE;
	op->apic_id = apic_id_of((unsigned int)clamp_index(cpu, NR_CPUS));
	for (unsigned int i = 0; i < acpi_info.cpus; i++)
		if (acpi_info.apic_id[i] == op->apic_id)
			op->acpi_id = acpi_info.acpi_cpu_id[i];
	return 0;
}

struct make {
	uint32_t leaf0[4], leaf1[4];
};

static void read_make(void *arg)
{
	struct make *m = arg;

	cpuid(0, 0, m->leaf0);
	cpuid(1, 0, m->leaf1);
}

static void get_cpu_version(struct xenpf_pcpu_version *op)
{
	unsigned int cpu = op->xen_cpuid;
	struct make m;

	memset(op, 0, sizeof(*op));
	op->xen_cpuid = cpu;
	op->max_present = highest_bit(cpu_online_mask);
	if (!cpu_is_online(cpu))
		return;
	call_on_cpu(cpu, read_make, &m);
	memcpy(op->vendor_id, &m.leaf0[1], 4);
	memcpy(op->vendor_id + 4, &m.leaf0[3], 4);
	memcpy(op->vendor_id + 8, &m.leaf0[2], 4);
	op->family = cpuid_family(m.leaf1[0]);
	op->model = cpuid_model(m.leaf1[0]);
	op->stepping = m.leaf1[0] & 0xf;
}

/* Bits of the guest's map that stand for no CPU come back as 0. */
static long getidletime(struct xenpf_getidletime *op)
{
	vaddr_t map = (vaddr_t)op->cpumap_bitmap.p, times = (vaddr_t)op->idletime.p;
	unsigned int nr = min(op->cpumap_nr_cpus, (uint32_t)NR_CPUS), cpu;
	uint64_t cpus = 0;

	if (copy_from_guest(&cpus, map, DIV_ROUND_UP(nr, 8U)))
		return -EFAULT;
	if (nr < NR_CPUS)
		cpus &= ((uint64_t)1 << nr) - 1;
	cpus &= cpu_online_mask;
	op->now = (uint64_t)now();
	for_each_cpu(cpu, cpus)
	{
		uint64_t idle = (uint64_t)sched_idle_time(cpu);

		if (copy_to_guest(times + cpu * sizeof(uint64_t), &idle, sizeof(idle)))
			return -EFAULT;
	}
	return copy_to_guest(map, &cpus, DIV_ROUND_UP(nr, 8U)) ? -EFAULT : 0;
}

/* Only off. What the registers take is what dom0's interpreter of ACPI found, better than our own reading. */
static long enter_acpi_sleep(const struct xenpf_enter_acpi_sleep *op)
{
	unsigned int shift = op->flags & XENPF_ACPI_SLEEP_EXTENDED ? 0 : PM1_SLP_TYP_SHIFT;

	if (op->sleep_state < 1 || op->sleep_state > ACPI_S5 ||
	    op->flags & ~XENPF_ACPI_SLEEP_EXTENDED)
		return -EINVAL;
	if (op->sleep_state != ACPI_S5)
		return -EOPNOTSUPP;
	acpi_info.s5_a = op->val_a >> shift & SLP_TYP_MASK;
	acpi_info.s5_b = op->val_b >> shift & SLP_TYP_MASK;
	acpi_info.s5_valid = true;
	domain_shutdown(current->domain, SHUTDOWN_poweroff);
	return 0;
}

/* All CPUs of the machine stay in use: those that the hypervisor starts with are online, and there are no others. */
static long change_cpu(const struct xenpf_cpu_ol *op, bool online)
{
	if (!cpu_is_online(op->cpuid))
		return -EINVAL;
	return online ? 0 : -EOPNOTSUPP;
}

/* So none is ever parked. */
static long core_parking(struct xenpf_core_parking *op)
{
	switch (op->type) {
	case XEN_CORE_PARKING_GET:
		op->idle_nums = 0;
		return 0;
	case XEN_CORE_PARKING_SET:
		return op->idle_nums ? -EOPNOTSUPP : 0;
	default:
		return -EINVAL;
	}
}

/* What there is of a name in the guest's buffer, and where the next number is: after the last the same. */
static long get_symbol(struct xenpf_symdata *op)
{
	const char *name;
	size_t length;
	unsigned long at;

	if (op->symnum > symbol_count)
		return -ERANGE;
	if (!symbol_by_number(op->symnum, &name, &at))
		return 0;
	length = strlen(name) + 1;
	if (copy_to_guest((vaddr_t)op->name.p, name, min(length, (size_t)op->namelen)))
		return -EFAULT;
	op->namelen = (uint32_t)length;
	op->address = at;
	op->type = 't';
	op->symnum++;
	return 0;
}

long do_platform_op(vaddr_t arg)
{
	static unsigned long told;
	struct xen_platform_op op;
	long rc;

	if (copy_from_guest(&op, arg, sizeof(op)))
		return -EFAULT;
	if (op.interface_version != XENPF_INTERFACE_VERSION)
		return -EACCES;
	if (!current->domain->is_privileged)
		return -EPERM;
	switch (op.cmd) {
	case XENPF_settime32:
		return settime(op.u.settime32.secs, op.u.settime32.nsecs,
			       op.u.settime32.system_time);
	case XENPF_settime64:
		return op.u.settime64.mbz ? -EINVAL
					  : settime(op.u.settime64.secs, op.u.settime64.nsecs,
						    op.u.settime64.system_time);
	case XENPF_firmware_info:
		rc = get_firmware_info(&op.u.firmware_info);
		break;
	case XENPF_efi_runtime_call:
		rc = efi_runtime_call(&op.u.efi_runtime_call);
		/* Another CPU is in there: see to what else there is until it is done. */
		if (rc == -EAGAIN)
			return hypercall_continue(__HYPERVISOR_platform_op, 1, arg);
		break;
	case XENPF_get_cpuinfo:
		rc = get_cpuinfo(&op.u.pcpu_info);
		break;
	case XENPF_get_cpu_version:
		get_cpu_version(&op.u.pcpu_version);
		rc = 0;
		break;
	case XENPF_getidletime:
		rc = getidletime(&op.u.getidletime);
		break;
	case XENPF_cpu_online:
	case XENPF_cpu_offline:
		return change_cpu(&op.u.cpu_ol, op.cmd == XENPF_cpu_online);
	case XENPF_cpu_hotadd:
	case XENPF_mem_hotadd:
		return -EOPNOTSUPP;
	case XENPF_core_parking:
		rc = core_parking(&op.u.core_parking);
		break;
	case XENPF_get_symbol:
		rc = get_symbol(&op.u.symdata);
		break;
	case XENPF_enter_acpi_sleep:
		return enter_acpi_sleep(&op.u.enter_acpi_sleep);
	default:
		return not_implemented("platform_op", op.cmd, &told);
	}
	if (rc == 0 && copy_to_guest(arg, &op, sizeof(op)))
		return -EFAULT;
	return rc;
}
