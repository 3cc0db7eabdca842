/* SPDX-License-Identifier: MIT */
/* platform_op: matters of the whole machine, for privileged domains (public/platform.h). */
#include "pv/internal.h"
#include "boot/boot.h"
#include "lib/bitops.h"
#include "lib/lib.h"
#include "time/time.h"
#include <public/platform.h>
#include <public/sched.h>

#define NS_PER_S 1000000000U
#define ACPI_S5	 5

static long settime(uint64_t seconds, uint32_t nanoseconds, uint64_t system_time)
{
	set_wallclock(seconds + nanoseconds / NS_PER_S, nanoseconds % NS_PER_S,
		      (stime_t)system_time);
	return 0;
}

/* What real-mode BIOS calls would have told: a Multiboot2 loader does not pass it on. */
static long firmware_info(const struct xenpf_firmware_info *op)
{
	switch (op->type) {
	case XEN_FW_DISK_INFO:
	case XEN_FW_DISK_MBR_SIGNATURE:
	case XEN_FW_VBEDDC_INFO:
	case XEN_FW_KBD_SHIFT_FLAGS:
		return -ESRCH;
	case XEN_FW_EFI_INFO:
		return -ENOSYS;
	default:
		return -EINVAL;
	}
}

static long get_cpuinfo(struct xenpf_pcpuinfo *op)
{
	unsigned int cpu = op->xen_cpuid;

	op->max_present = highest_bit(cpu_online_mask);
	op->apic_id = op->acpi_id = 0;
	if (cpu >= NR_CPUS || !(cpu_online_mask >> clamp_index(cpu, NR_CPUS) & 1)) {
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

/* Only off: the register values that it takes are known from the firmware's tables already. */
static long enter_acpi_sleep(const struct xenpf_enter_acpi_sleep *op)
{
	if (op->sleep_state < 1 || op->sleep_state > ACPI_S5 ||
	    op->flags & ~XENPF_ACPI_SLEEP_EXTENDED)
		return -EINVAL;
	if (op->sleep_state != ACPI_S5)
		return -EOPNOTSUPP;
	domain_shutdown(current->domain, SHUTDOWN_poweroff);
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
		return firmware_info(&op.u.firmware_info);
	case XENPF_get_cpuinfo:
		rc = get_cpuinfo(&op.u.pcpu_info);
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
