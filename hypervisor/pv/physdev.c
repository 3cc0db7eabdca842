/* SPDX-License-Identifier: MIT */
/*
 * physdev_op: privilege for ports, and the interrupts and PCI devices of the machine for the domain that
 * drives them (irq/). Answers to interrupts come first: they are the only frequent ones.
 */
#include "pv/internal.h"
#include "event/event.h"
#include "irq/irq.h"
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

/* ---- answers ---- */

static long eoi(struct domain *d, vaddr_t arg)
{
	struct physdev_eoi op;

	if (copy_from_guest(&op, arg, sizeof(op)))
		return -EFAULT;
	return pirq_eoi(d, op.irq);
}

static long eoi_page(struct domain *d, vaddr_t arg, bool unmask)
{
	struct physdev_pirq_eoi_gmfn op;

	if (copy_from_guest(&op, arg, sizeof(op)))
		return -EFAULT;
	return pirq_set_eoi_page(d, op.gmfn, unmask);
}

static long status_query(struct domain *d, vaddr_t arg)
{
	struct physdev_irq_status_query op;
	long rc;

	if (copy_from_guest(&op, arg, sizeof(op)))
		return -EFAULT;
	rc = pirq_status(d, op.irq);
	if (rc < 0)
		return rc;
	op.flags = (uint32_t)rc;
	return copy_to_guest(arg, &op, sizeof(op)) ? -EFAULT : 0;
}

/* ---- numbers ---- */

/* A privileged caller's word for a domain. */
static long target(domid_t id, struct domain **out)
{
	*out = domain_find(id);
	return *out ? 0 : -ESRCH;
}

static long map_msi(struct domain *d, struct physdev_map_pirq *op)
{
	struct msi_device dev = {
	    .bus = (uint8_t)op->bus,
	    .devfn = (uint8_t)op->devfn,
	    .msix = op->table_base != 0,
	    .entry = (uint32_t)op->entry_nr,
	    .table_base = op->table_base,
	};

	if (op->index != -1)
		return -EINVAL;
	if (op->type != MAP_PIRQ_TYPE_MSI)
		dev.segment = (uint16_t)((uint32_t)op->bus >> 16);
	if (op->devfn < 0 || op->devfn > 0xff)
		return -ENODEV;
	if (op->type == MAP_PIRQ_TYPE_MULTI_MSI) {
		if (op->entry_nr <= 0 || op->entry_nr > 32)
			return -EDOM;
		/* Successive vectors would move all together; Xen refuses as well without an IOMMU. */
		if (op->entry_nr > 1 || dev.msix)
			return -EOPNOTSUPP;
	}
	return pirq_map_msi(d, &dev, &op->pirq);
}

static long map_pirq(vaddr_t arg)
{
	struct physdev_map_pirq op;
	struct domain *d;
	long rc;

	if (copy_from_guest(&op, arg, sizeof(op)))
		return -EFAULT;
	rc = target(op.domid, &d);
	if (rc)
		return rc;
	switch (op.type) {
	case MAP_PIRQ_TYPE_GSI:
		rc = pirq_map_gsi(d, op.index, &op.pirq);
		break;
	case MAP_PIRQ_TYPE_MSI:
	case MAP_PIRQ_TYPE_MSI_SEG:
	case MAP_PIRQ_TYPE_MULTI_MSI:
		rc = map_msi(d, &op);
		break;
	default:
		return -EINVAL;
	}
	if (!rc && copy_to_guest(arg, &op, sizeof(op))) {
		pirq_unmap(d, op.pirq);
		rc = -EFAULT;
	}
	return rc;
}

static long unmap_pirq(vaddr_t arg)
{
	struct physdev_unmap_pirq op;
	struct domain *d;
	long rc;

	if (copy_from_guest(&op, arg, sizeof(op)))
		return -EFAULT;
	rc = target(op.domid, &d);
	return rc ? rc : pirq_unmap(d, op.pirq);
}

static long get_free_pirq(struct domain *d, vaddr_t arg)
{
	struct physdev_get_free_pirq op;
	long rc;

	if (copy_from_guest(&op, arg, sizeof(op)))
		return -EFAULT;
	rc = pirq_reserve(d, op.type == MAP_PIRQ_TYPE_GSI, &op.pirq);
	if (rc)
		return rc;
	return copy_to_guest(arg, &op, sizeof(op)) ? -EFAULT : 0;
}

/* ---- interrupt controllers ---- */

static long setup_gsi(vaddr_t arg)
{
	struct physdev_setup_gsi op;

	if (copy_from_guest(&op, arg, sizeof(op)))
		return -EFAULT;
	return op.gsi < 0 ? -EINVAL : gsi_setup((unsigned int)op.gsi, op.triggering, op.polarity);
}

static long apic_read(vaddr_t arg)
{
	struct physdev_apic op;
	int rc;

	if (copy_from_guest(&op, arg, sizeof(op)))
		return -EFAULT;
	rc = ioapic_read(op.apic_physbase, op.reg, &op.value);
	if (rc)
		return rc;
	return copy_to_guest(arg, &op, sizeof(op)) ? -EFAULT : 0;
}

/*
 * Of a redirection entry the kernel decides how its line is triggered (82093AA, 3.2.4). Vector, CPU and mask
 * are the hypervisor's, and so are the other registers.
 */
static long apic_write(vaddr_t arg)
{
	struct physdev_apic op;
	int gsi;

	if (copy_from_guest(&op, arg, sizeof(op)))
		return -EFAULT;
	if (!ioapic_exists(op.apic_physbase))
		return -EINVAL;
	if (op.reg < 0x10 || op.reg & 1)
		return 0;
	gsi = ioapic_gsi_of(op.apic_physbase, (op.reg - 0x10) / 2);
	if (gsi >= 0)
		gsi_set_mode((unsigned int)gsi, op.value & 0x8000, op.value & 0x2000);
	return 0;
}

/* The number is the hypervisor's business; the line's own stands for it, and is all that callers use. */
static long alloc_irq_vector(vaddr_t arg)
{
	struct physdev_irq op;

	if (copy_from_guest(&op, arg, sizeof(op)))
		return -EFAULT;
	if (op.irq >= ioapic_gsi_count())
		return -EINVAL;
	op.vector = op.irq;
	return copy_to_guest(arg, &op, sizeof(op)) ? -EFAULT : 0;
}

/* ---- PCI ---- */

static long manage_pci(vaddr_t arg, long (*fn)(uint16_t, uint8_t, uint8_t))
{
	struct physdev_manage_pci op;

	return copy_from_guest(&op, arg, sizeof(op)) ? -EFAULT : fn(0, op.bus, op.devfn);
}

static long manage_pci_ext(vaddr_t arg)
{
	struct physdev_manage_pci_ext op;

	if (copy_from_guest(&op, arg, sizeof(op)))
		return -EFAULT;
	if (op.is_extfn > 1 || op.is_virtfn > 1)
		return -EINVAL;
	return pci_device_add(0, op.bus, op.devfn);
}

static long pci_device(vaddr_t arg, long (*fn)(uint16_t, uint8_t, uint8_t))
{
	struct physdev_pci_device op;

	return copy_from_guest(&op, arg, sizeof(op)) ? -EFAULT : fn(op.seg, op.bus, op.devfn);
}

/* Where a device is near to, and which its physical function is, has no use here yet. */
static long pci_add(vaddr_t arg)
{
	struct physdev_pci_device_add op;

	if (copy_from_guest(&op, arg, offsetof(struct physdev_pci_device_add, optarr)))
		return -EFAULT;
	return pci_device_add(op.seg, op.bus, op.devfn);
}

static long mmcfg_reserved(vaddr_t arg)
{
	struct physdev_pci_mmcfg_reserved op;

	if (copy_from_guest(&op, arg, sizeof(op)))
		return -EFAULT;
	if (op.flags & ~XEN_PCI_MMCFG_RESERVED)
		return -EINVAL;
	return pci_mmcfg_check(op.address, op.segment, op.start_bus, op.end_bus);
}

/* There is no console on a USB debug port, so nothing is to be done about its controller. */
static long dbgp_op(vaddr_t arg)
{
	struct physdev_dbgp_op op;

	return copy_from_guest(&op, arg, sizeof(op)) ? -EFAULT : 0;
}

/* ---- the hypercall ---- */

static long privileged_op(struct domain *d, int cmd, vaddr_t arg)
{
	switch (cmd) {
	case PHYSDEVOP_map_pirq:
		return map_pirq(arg);
	case PHYSDEVOP_unmap_pirq:
		return unmap_pirq(arg);
	case PHYSDEVOP_get_free_pirq:
		return get_free_pirq(d, arg);
	case PHYSDEVOP_setup_gsi:
		return setup_gsi(arg);
	case PHYSDEVOP_apic_read:
		return apic_read(arg);
	case PHYSDEVOP_apic_write:
		return apic_write(arg);
	case PHYSDEVOP_alloc_irq_vector:
		return alloc_irq_vector(arg);
	case PHYSDEVOP_manage_pci_add:
		return manage_pci(arg, pci_device_add);
	case PHYSDEVOP_manage_pci_remove:
		return manage_pci(arg, pci_device_remove);
	case PHYSDEVOP_manage_pci_add_ext:
		return manage_pci_ext(arg);
	case PHYSDEVOP_pci_device_add:
		return pci_add(arg);
	case PHYSDEVOP_pci_device_remove:
		return pci_device(arg, pci_device_remove);
	case PHYSDEVOP_prepare_msix:
	case PHYSDEVOP_release_msix:
		return pci_device(arg, msix_prepare);
	case PHYSDEVOP_restore_msi:
		return manage_pci(arg, msi_restore);
	case PHYSDEVOP_restore_msi_ext:
		return pci_device(arg, msi_restore);
	case PHYSDEVOP_pci_mmcfg_reserved:
		return mmcfg_reserved(arg);
	default:
		return dbgp_op(arg);
	}
}

static bool is_privileged_op(int cmd)
{
	return (cmd >= PHYSDEVOP_apic_read && cmd <= PHYSDEVOP_alloc_irq_vector) ||
	       (cmd >= PHYSDEVOP_map_pirq && cmd <= PHYSDEVOP_manage_pci_remove) ||
	       cmd == PHYSDEVOP_restore_msi || cmd == PHYSDEVOP_manage_pci_add_ext ||
	       cmd == PHYSDEVOP_setup_gsi ||
	       (cmd >= PHYSDEVOP_get_free_pirq && cmd <= PHYSDEVOP_restore_msi_ext) ||
	       (cmd >= PHYSDEVOP_dbgp_op && cmd <= PHYSDEVOP_release_msix);
}

long do_physdev_op(int cmd, vaddr_t arg)
{
	static unsigned long told;
	struct vcpu *v = current;
	struct domain *d = v->domain;

	switch (cmd) {
	case PHYSDEVOP_eoi:
		return eoi(d, arg);
	case PHYSDEVOP_irq_status_query:
		return status_query(d, arg);
	case PHYSDEVOP_set_iopl:
		return set_iopl(v, arg);
	case PHYSDEVOP_set_iobitmap:
		return set_iobitmap(v, arg);
	case PHYSDEVOP_pirq_eoi_gmfn_v1:
		return eoi_page(d, arg, true);
	case PHYSDEVOP_pirq_eoi_gmfn_v2:
		return eoi_page(d, arg, false);
	case PHYSDEVOP_IRQ_UNMASK_NOTIFY:
		pirq_eoi_unmasked(d);
		return 0;
	default:
		break;
	}
	if (!is_privileged_op(cmd))
		return not_implemented("physdev_op", (unsigned int)cmd, &told);
	return d->is_privileged ? privileged_op(d, cmd, arg) : -EPERM;
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
