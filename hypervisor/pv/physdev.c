/* SPDX-License-Identifier: MIT */
/*
 * physdev_op: privilege for ports and what a privileged domain asks about interrupts. Interrupts of
 * devices cannot be bound to guests yet, so the operations about them answer -ENOSYS.
 */
#include "pv/internal.h"
#include "lib/lib.h"
#include "mm/layout.h"
#include <public/physdev.h>

#define PORTS 0x10000

static long set_iopl(struct vcpu *v, vaddr_t arg)
{
	struct physdev_set_iopl op;

	if (copy_from_guest(&op, arg, sizeof(op)))
		return -EFAULT;
	if (op.iopl > 3)
		return -EINVAL;
	v->pv.iopl = op.iopl;
	return 0;
}

static long set_iobitmap(struct vcpu *v, vaddr_t arg)
{
	struct physdev_set_iobitmap op;
	vaddr_t bitmap;

	if (copy_from_guest(&op, arg, sizeof(op)))
		return -EFAULT;
	bitmap = (vaddr_t)op.bitmap.p;
	if (op.nr_ports > PORTS || !guest_range_ok(bitmap, (op.nr_ports + 7) / 8))
		return -EINVAL;
	v->pv.iobmp = bitmap;
	v->pv.iobmp_bits = op.nr_ports;
	return 0;
}

static long apic_read(const struct vcpu *v, vaddr_t arg)
{
	struct physdev_apic op;
	int rc;

	if (copy_from_guest(&op, arg, sizeof(op)))
		return -EFAULT;
	if (!v->domain->is_privileged)
		return -EPERM;
	rc = ioapic_read(op.apic_physbase, op.reg, &op.value);
	if (rc)
		return rc;
	return copy_to_guest(arg, &op, sizeof(op)) ? -EFAULT : 0;
}

/* The number is the hypervisor's business; the line's own stands for it, and is all that callers use. */
static long alloc_irq_vector(const struct vcpu *v, vaddr_t arg)
{
	struct physdev_irq op;

	if (copy_from_guest(&op, arg, sizeof(op)))
		return -EFAULT;
	if (!v->domain->is_privileged)
		return -EPERM;
	if (op.irq >= ioapic_gsi_count())
		return -EINVAL;
	op.vector = op.irq;
	return copy_to_guest(arg, &op, sizeof(op)) ? -EFAULT : 0;
}

long do_physdev_op(int cmd, vaddr_t arg)
{
	static unsigned long told;
	struct vcpu *v = current;

	switch (cmd) {
	case PHYSDEVOP_set_iopl:
		return set_iopl(v, arg);
	case PHYSDEVOP_set_iobitmap:
		return set_iobitmap(v, arg);
	case PHYSDEVOP_apic_read:
		return apic_read(v, arg);
	case PHYSDEVOP_alloc_irq_vector:
		return alloc_irq_vector(v, arg);
	default:
		return not_implemented("physdev_op", (unsigned int)cmd, &told);
	}
}

/* The older form: the command before its argument, in one structure. */
long do_physdev_op_compat(vaddr_t arg)
{
	uint32_t cmd;

	if (copy_from_guest(&cmd, arg, sizeof(cmd)))
		return -EFAULT;
	switch (cmd) {
	case PHYSDEVOP_irq_status_query:
	case PHYSDEVOP_set_iopl:
	case PHYSDEVOP_set_iobitmap:
	case PHYSDEVOP_apic_read:
	case PHYSDEVOP_apic_write:
	case PHYSDEVOP_alloc_irq_vector:
		return do_physdev_op((int)cmd, arg + offsetof(struct physdev_op, u));
	default:
		return -EINVAL;
	}
}
