/* SPDX-License-Identifier: MIT */
/* The drivers, for pci/drivers.c, and what they have in common. */
#ifndef DRIVERS_DRIVERS_H
#define DRIVERS_DRIVERS_H

#include <stddef.h>
#include <stdint.h>

struct pci_driver;

extern const struct pci_driver virtio_blk_driver;
extern const struct pci_driver nvme_driver;
extern const struct pci_driver ahci_driver;
extern const struct pci_driver virtio_net_driver;
extern const struct pci_driver e1000e_driver;

/* For how long, in nanoseconds, a disk may work on a request before it is reset. */
extern uint64_t disk_timeout;

/* dom0's arguments, before devices are looked for: disk-timeout=SECONDS. What is wrong is told. */
void drivers_options(int argc, char **argv);

/* Add a disk's name to the text that a controller with several of them is known by. */
void disk_note_use(char *text, size_t room, const char *name);

#endif
