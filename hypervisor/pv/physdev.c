/* SPDX-License-Identifier: MIT */
/*
 * physdev_op: privilege for ports, and interrupts of devices (event/pirq.c), which are dom0's as a whole.
 * Message-signalled interrupts and the operations about PCI devices are not there yet (-ENOSYS).
 */
#include "pv/internal.h"
#include "event/event.h"
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

static long eoi(const struct vcpu *v, vaddr_t arg)
{
	struct physdev_eoi op;

	if (copy_from_guest(&op, arg, sizeof(op)))
		return -EFAULT;
	return pirq_eoi(v->domain, op.irq);
}

/* Guests that do not watch the page of pirq_eoi_gmfn must always end an interrupt by the hypercall. */
static long irq_status_query(vaddr_t arg)
{
	struct physdev_irq_status_query op;

	if (copy_from_guest(&op, arg, sizeof(op)))
		return -EFAULT;
	if (op.irq >= ioapic_gsi_count())
		return -EINVAL;
	op.flags = XENIRQSTAT_needs_eoi;
	return copy_to_guest(arg, &op, sizeof(op)) ? -EFAULT : 0;
}

static long setup_gsi(const struct vcpu *v, vaddr_t arg)
{
	struct physdev_setup_gsi op;

	if (copy_from_guest(&op, arg, sizeof(op)))
		return -EFAULT;
	if (!v->domain->is_privileged)
		return -EPERM;
	return op.gsi < 0 ? -EINVAL : pirq_setup((unsigned int)op.gsi, op.triggering, op.polarity);
}

/* The domain that an operation names: only the caller itself has interrupts. */
static long own_interrupts(const struct vcpu *v, domid_t id)
{
	if (!v->domain->is_privileged)
		return -EPERM;
	return domain_by_id(id) == v->domain ? 0 : -ESRCH;
}

static long map_pirq(const struct vcpu *v, vaddr_t arg)
{
	static unsigned long told;
	struct physdev_map_pirq op;
	long rc;

	if (copy_from_guest(&op, arg, sizeof(op)))
		return -EFAULT;
	rc = own_interrupts(v, op.domid);
	if (rc)
		return rc;
	switch (op.type) {
	case MAP_PIRQ_TYPE_GSI:
		break;
	case MAP_PIRQ_TYPE_MSI:
	case MAP_PIRQ_TYPE_MSI_SEG:
	case MAP_PIRQ_TYPE_MULTI_MSI:
		return not_implemented("map_pirq type", (unsigned int)op.type, &told);
	default:
		return -EINVAL;
	}
	/* The number is the line's; a caller may leave it open (-1) but not choose another. */
	if (op.index < 0 || (op.pirq >= 0 && op.pirq != op.index))
		return -EINVAL;
	rc = pirq_map(v->domain, (unsigned int)op.index);
	if (rc)
		return rc;
	op.pirq = op.index;
	return copy_to_guest(arg, &op, sizeof(op)) ? -EFAULT : 0;
}

static long unmap_pirq(const struct vcpu *v, vaddr_t arg)
{
	struct physdev_unmap_pirq op;
	long rc;

	if (copy_from_guest(&op, arg, sizeof(op)))
		return -EFAULT;
	rc = own_interrupts(v, op.domid);
	if (rc)
		return rc;
	return op.pirq < 0 ? -EINVAL : pirq_unmap(v->domain, (unsigned int)op.pirq);
}

long do_physdev_op(int cmd, vaddr_t arg)
{
	static unsigned long told;
	struct vcpu *v = current;

	switch (cmd) {
	case PHYSDEVOP_eoi:
		return eoi(v, arg);
	case PHYSDEVOP_irq_status_query:
		return irq_status_query(arg);
	case PHYSDEVOP_setup_gsi:
		return setup_gsi(v, arg);
	case PHYSDEVOP_map_pirq:
		return map_pirq(v, arg);
	case PHYSDEVOP_unmap_pirq:
		return unmap_pirq(v, arg);
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
