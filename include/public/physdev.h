/* SPDX-License-Identifier: MIT */
/*
 * Devices of the machine: interrupts, I/O ports, PCI. For domains that drive hardware, dom0 above all.
 *
 * long HYPERVISOR_physdev_op(int cmd, void *arg)
 *   IN     cmd  PHYSDEVOP_*
 *   INOUT  arg  the structure that belongs to it
 *   returns 0 unless said otherwise, or
 *     -EINVAL  no such interrupt, device or value
 *     -EPERM   not for this domain
 *     -ENODEV  no such PCI device is known
 *     -EEXIST  is so already
 *     -ENOSYS  unknown cmd
 *
 * A physical interrupt has two numbers: GSI, that of the interrupt controller's pin, and PIRQ, the
 * domain's own number for it, which event channels use. dom0 gets PIRQ = GSI for those.
 *
 * long HYPERVISOR_physdev_op_compat(struct physdev_op *op): the old form, cmd and arg in one.
 */
#ifndef __XEN_PUBLIC_PHYSDEV_H__
#define __XEN_PUBLIC_PHYSDEV_H__

#include "xen.h"

/*
 * eoi: the interrupt has been served and may come again. Needed after each one for which
 * irq_status_query, or the bit array of pirq_eoi_gmfn, says so.
 */
#define PHYSDEVOP_eoi 12
struct physdev_eoi {
	uint32_t irq; /* IN: PIRQ */
};
typedef struct physdev_eoi physdev_eoi_t;
DEFINE_XEN_GUEST_HANDLE(physdev_eoi_t);

/*
 * pirq_eoi_gmfn: gives the hypervisor a page, in which it keeps bit n set while PIRQ n needs eoi. In version
 * 1, eoi also unmasks the event channel from then on; in version 2 it does not. -EBUSY: done before.
 */
#define PHYSDEVOP_pirq_eoi_gmfn_v1 17
#define PHYSDEVOP_pirq_eoi_gmfn_v2 28
#define PHYSDEVOP_pirq_eoi_gmfn	   PHYSDEVOP_pirq_eoi_gmfn_v2
struct physdev_pirq_eoi_gmfn {
	xen_pfn_t gmfn; /* IN: machine frame of the page */
};
typedef struct physdev_pirq_eoi_gmfn physdev_pirq_eoi_gmfn_t;
DEFINE_XEN_GUEST_HANDLE(physdev_pirq_eoi_gmfn_t);

/* irq_status_query: what an interrupt needs. */
#define PHYSDEVOP_irq_status_query 5
struct physdev_irq_status_query {
	uint32_t irq;	/* IN: PIRQ */
	uint32_t flags; /* OUT: XENIRQSTAT_* */
};
typedef struct physdev_irq_status_query physdev_irq_status_query_t;
DEFINE_XEN_GUEST_HANDLE(physdev_irq_status_query_t);

#define _XENIRQSTAT_needs_eoi (0)
#define XENIRQSTAT_needs_eoi  (1U << _XENIRQSTAT_needs_eoi) /* call eoi after serving it */
#define _XENIRQSTAT_shared    (1)
#define XENIRQSTAT_shared     (1U << _XENIRQSTAT_shared) /* other domains share it */

/*
 * set_iopl: the I/O privilege level of the calling vCPU: with 1 the kernel, with 3 user mode too may use
 * all ports that the domain may. -EINVAL: more than 3.
 */
#define PHYSDEVOP_set_iopl 6
struct physdev_set_iopl {
	uint32_t iopl; /* IN */
};
typedef struct physdev_set_iopl physdev_set_iopl_t;
DEFINE_XEN_GUEST_HANDLE(physdev_set_iopl_t);

/*
 * set_iobitmap: ports that the calling vCPU may use whatever its I/O privilege level, as far as the domain
 * may. The bitmap is read at each use: a bit that is 0 permits its port.
 */
#define PHYSDEVOP_set_iobitmap 7
struct physdev_set_iobitmap {
	XEN_GUEST_HANDLE(uint8) bitmap; /* IN; null for none */
	uint32_t nr_ports;		/* IN: at most 65536 */
};
typedef struct physdev_set_iobitmap physdev_set_iobitmap_t;
DEFINE_XEN_GUEST_HANDLE(physdev_set_iobitmap_t);

/* apic_read, apic_write: a register of an IO-APIC. dom0 only. Writes are checked. */
#define PHYSDEVOP_apic_read  8
#define PHYSDEVOP_apic_write 9
struct physdev_apic {
	unsigned long apic_physbase; /* IN: machine address of the IO-APIC */
	uint32_t reg;		     /* IN */
	uint32_t value;		     /* OUT of read, IN of write */
};
typedef struct physdev_apic physdev_apic_t;
DEFINE_XEN_GUEST_HANDLE(physdev_apic_t);

/*
 * alloc_irq_vector: a vector for an interrupt, to be written into the IO-APIC. free_irq_vector has no
 * effect. dom0 only.
 */
#define PHYSDEVOP_alloc_irq_vector 10
#define PHYSDEVOP_free_irq_vector  11
struct physdev_irq {
	uint32_t irq;	 /* IN: GSI */
	uint32_t vector; /* OUT of alloc */
};
typedef struct physdev_irq physdev_irq_t;
DEFINE_XEN_GUEST_HANDLE(physdev_irq_t);

/*
 * map_pirq: gives a PIRQ of the domain to an interrupt of the machine.
 *   type GSI           index: the GSI, or -1 for the one whose number is pirq
 *   type MSI, MSI_SEG  a message-signalled interrupt of PCI device bus (MSI_SEG: segment in bits 16 and
 *                      above), devfn; entry_nr and table_base: entry and machine address of the MSI-X
 *                      table, table_base 0 for plain MSI; index -1
 *   type MULTI_MSI     as MSI_SEG, entry_nr successive ones; if so many cannot be had, fails and says in
 *                      entry_nr how many could
 *   -EINVAL, -EPERM, -ENODEV; -EBUSY or -ENOSPC: no number is free
 */
#define MAP_PIRQ_TYPE_MSI	0x0
#define MAP_PIRQ_TYPE_GSI	0x1
#define MAP_PIRQ_TYPE_UNKNOWN	0x2
#define MAP_PIRQ_TYPE_MSI_SEG	0x3
#define MAP_PIRQ_TYPE_MULTI_MSI 0x4

#define PHYSDEVOP_map_pirq	13
struct physdev_map_pirq {
	domid_t domid;	     /* IN: DOMID_SELF or the domain */
	int type;	     /* IN: MAP_PIRQ_TYPE_* */
	int index;	     /* IN */
	int pirq;	     /* INOUT: the wanted PIRQ, or negative for any; the one given */
	int bus;	     /* IN */
	int devfn;	     /* IN: device << 3 | function */
	int entry_nr;	     /* IN; OUT for MULTI_MSI */
	uint64_t table_base; /* IN */
};
typedef struct physdev_map_pirq physdev_map_pirq_t;
DEFINE_XEN_GUEST_HANDLE(physdev_map_pirq_t);

/* unmap_pirq: undoes it; the channel must be closed first. */
#define PHYSDEVOP_unmap_pirq 14
struct physdev_unmap_pirq {
	domid_t domid; /* IN */
	int pirq;      /* IN */
};
typedef struct physdev_unmap_pirq physdev_unmap_pirq_t;
DEFINE_XEN_GUEST_HANDLE(physdev_unmap_pirq_t);

/* manage_pci_add, manage_pci_remove: older forms of pci_device_add and _remove, segment 0. dom0 only. */
#define PHYSDEVOP_manage_pci_add    15
#define PHYSDEVOP_manage_pci_remove 16
struct physdev_manage_pci {
	uint8_t bus;   /* IN */
	uint8_t devfn; /* IN */
};
typedef struct physdev_manage_pci physdev_manage_pci_t;
DEFINE_XEN_GUEST_HANDLE(physdev_manage_pci_t);

/* restore_msi: writes a device's MSI registers again after it lost them; segment 0. dom0 only. */
#define PHYSDEVOP_restore_msi 19
struct physdev_restore_msi {
	uint8_t bus;   /* IN */
	uint8_t devfn; /* IN */
};
typedef struct physdev_restore_msi physdev_restore_msi_t;
DEFINE_XEN_GUEST_HANDLE(physdev_restore_msi_t);

/* manage_pci_add_ext: older form of pci_device_add with flags, segment 0. dom0 only. */
#define PHYSDEVOP_manage_pci_add_ext 20
struct physdev_manage_pci_ext {
	uint8_t bus;	    /* IN */
	uint8_t devfn;	    /* IN */
	uint32_t is_extfn;  /* IN: as XEN_PCI_DEV_EXTFN */
	uint32_t is_virtfn; /* IN: as XEN_PCI_DEV_VIRTFN */
	struct {
		uint8_t bus;
		uint8_t devfn;
	} physfn; /* IN */
};
typedef struct physdev_manage_pci_ext physdev_manage_pci_ext_t;
DEFINE_XEN_GUEST_HANDLE(physdev_manage_pci_ext_t);

/* The argument of physdev_op_compat. */
struct physdev_op {
	uint32_t cmd; /* PHYSDEVOP_* */
	union {
		physdev_irq_status_query_t irq_status_query;
		physdev_set_iopl_t set_iopl;
		physdev_set_iobitmap_t set_iobitmap;
		physdev_apic_t apic_op;
		physdev_irq_t irq_op;
	} u;
};
typedef struct physdev_op physdev_op_t;
DEFINE_XEN_GUEST_HANDLE(physdev_op_t);

/* setup_gsi: trigger and polarity of an interrupt, from ACPI. dom0 only. -EEXIST: set up before. */
#define PHYSDEVOP_setup_gsi 21
struct physdev_setup_gsi {
	int gsi;	    /* IN */
	uint8_t triggering; /* IN: 0 edge, 1 level */
	uint8_t polarity;   /* IN: 0 active high, 1 active low */
};
typedef struct physdev_setup_gsi physdev_setup_gsi_t;
DEFINE_XEN_GUEST_HANDLE(physdev_setup_gsi_t);

/* Number 22 stays free. */

/* get_free_pirq: reserves a PIRQ that a later map_pirq will name. -ENOSPC: none is free. */
#define PHYSDEVOP_get_free_pirq 23
struct physdev_get_free_pirq {
	int type;      /* IN: MAP_PIRQ_TYPE_GSI or _MSI */
	uint32_t pirq; /* OUT */
};
typedef struct physdev_get_free_pirq physdev_get_free_pirq_t;
DEFINE_XEN_GUEST_HANDLE(physdev_get_free_pirq_t);

/*
 * pci_mmcfg_reserved: tells whether the firmware has reserved an area of memory-mapped PCI configuration
 * space, which the hypervisor uses only then. dom0 only.
 */
#define XEN_PCI_MMCFG_RESERVED	     0x1

#define PHYSDEVOP_pci_mmcfg_reserved 24
struct physdev_pci_mmcfg_reserved {
	uint64_t address;  /* IN: machine address */
	uint16_t segment;  /* IN */
	uint8_t start_bus; /* IN */
	uint8_t end_bus;   /* IN */
	uint32_t flags;	   /* IN: XEN_PCI_MMCFG_RESERVED, or 0: it is not */
};
typedef struct physdev_pci_mmcfg_reserved physdev_pci_mmcfg_reserved_t;
DEFINE_XEN_GUEST_HANDLE(physdev_pci_mmcfg_reserved_t);

#define XEN_PCI_DEV_EXTFN  0x1 /* an extended function (ARI) */
#define XEN_PCI_DEV_VIRTFN 0x2 /* a virtual function; physfn is its physical one */
#define XEN_PCI_DEV_PXM	   0x4 /* optarr[0] is its proximity domain */

/* pci_device_add: there is such a device. dom0 only. */
#define PHYSDEVOP_pci_device_add 25
struct physdev_pci_device_add {
	uint16_t seg;	/* IN */
	uint8_t bus;	/* IN */
	uint8_t devfn;	/* IN */
	uint32_t flags; /* IN: XEN_PCI_DEV_* */
	struct {
		uint8_t bus;
		uint8_t devfn;
	} physfn;			     /* IN */
	uint32_t optarr[XEN_FLEX_ARRAY_DIM]; /* IN: as flags say */
};
typedef struct physdev_pci_device_add physdev_pci_device_add_t;
DEFINE_XEN_GUEST_HANDLE(physdev_pci_device_add_t);

/*
 * pci_device_remove: it is gone. restore_msi_ext: as restore_msi. prepare_msix, release_msix: from
 * here on the memory of the device's MSI-X table will not move, or may. dom0 only.
 */
#define PHYSDEVOP_pci_device_remove 26
#define PHYSDEVOP_restore_msi_ext   27
#define PHYSDEVOP_prepare_msix	    30
#define PHYSDEVOP_release_msix	    31
struct physdev_pci_device {
	uint16_t seg;  /* IN */
	uint8_t bus;   /* IN */
	uint8_t devfn; /* IN */
};
typedef struct physdev_pci_device physdev_pci_device_t;
DEFINE_XEN_GUEST_HANDLE(physdev_pci_device_t);

/* dbgp_op: the USB controller that carries the hypervisor's debug console is about to be reset, or has
 * been. dom0 only. */
#define PHYSDEVOP_DBGP_RESET_PREPARE 1
#define PHYSDEVOP_DBGP_RESET_DONE    2

#define PHYSDEVOP_DBGP_BUS_UNKNOWN   0
#define PHYSDEVOP_DBGP_BUS_PCI	     1

#define PHYSDEVOP_dbgp_op	     29
struct physdev_dbgp_op {
	uint8_t op;  /* IN: PHYSDEVOP_DBGP_RESET_* */
	uint8_t bus; /* IN: PHYSDEVOP_DBGP_BUS_* */
	union {
		physdev_pci_device_t pci;
	} u; /* IN */
};
typedef struct physdev_dbgp_op physdev_dbgp_op_t;
DEFINE_XEN_GUEST_HANDLE(physdev_dbgp_op_t);

/* An operation that was given up long ago; its number only. */
#define PHYSDEVOP_IRQ_UNMASK_NOTIFY 4

#endif /* __XEN_PUBLIC_PHYSDEV_H__ */
