/* SPDX-License-Identifier: MIT */
/*
 * Non-maskable interrupts.
 *
 * long HYPERVISOR_nmi_op(unsigned int cmd, void *arg)
 *   IN  cmd  XENNMI_*
 *   returns 0; -EINVAL: not for this vCPU; -ENOSYS: unknown cmd
 *
 * An NMI of the machine goes to dom0's vCPU 0; its reason stands in arch_shared_info.nmi_reason.
 */
#ifndef __XEN_PUBLIC_NMI_H__
#define __XEN_PUBLIC_NMI_H__

#include "xen.h"

/* Bits of nmi_reason. */
#define _XEN_NMIREASON_io_error 0
#define XEN_NMIREASON_io_error	(1UL << _XEN_NMIREASON_io_error) /* port 0x61 bit 6: I/O check */
#define _XEN_NMIREASON_pci_serr 1
#define XEN_NMIREASON_pci_serr	(1UL << _XEN_NMIREASON_pci_serr) /* port 0x61 bit 7: PCI SERR */
#define _XEN_NMIREASON_unknown	2
#define XEN_NMIREASON_unknown	(1UL << _XEN_NMIREASON_unknown)

/* IN arg: struct xennmi_callback: the handler of the calling vCPU. */
#define XENNMI_register_callback 0

/* No arg: no handler any more. */
#define XENNMI_unregister_callback 1

#ifndef __ASSEMBLY__
struct xennmi_callback {
	unsigned long handler_address;
	unsigned long pad;
};
typedef struct xennmi_callback xennmi_callback_t;
DEFINE_XEN_GUEST_HANDLE(xennmi_callback_t);
#endif

#endif /* __XEN_PUBLIC_NMI_H__ */
