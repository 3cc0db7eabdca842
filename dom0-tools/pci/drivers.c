/* SPDX-License-Identifier: MIT */
/* The drivers of dom0, in the order in which they are asked about a device. */
#include "pci.h"
#include "drivers/drivers.h"

const struct pci_driver *const pci_drivers[] = {
    &virtio_blk_driver, &nvme_driver, &ahci_driver, &virtio_net_driver, &e1000e_driver, NULL,
};
