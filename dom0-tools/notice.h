/* SPDX-License-Identifier: MIT */
#ifndef NOTICE_H
#define NOTICE_H

/* Print what whoever started the machine has to tell the person at the console, if there is anything. After pci_start. */
void show_notice(void);

#endif
