/* SPDX-License-Identifier: MIT */
/* The drivers, for pci/drivers.c, and what they have in common. */
#ifndef DRIVERS_DRIVERS_H
#define DRIVERS_DRIVERS_H

#include <stdint.h>

struct pci_driver;

extern const struct pci_driver virtio_blk_driver;
extern const struct pci_driver virtio_net_driver;
extern const struct pci_driver e1000e_driver;

/* For how long, in nanoseconds, a disk may work on a request before it is reset. */
extern uint64_t disk_timeout;

/* dom0's arguments, before devices are looked for: disk-timeout=SECONDS. What is wrong is told. */
void drivers_options(int argc, char **argv);

#endif
