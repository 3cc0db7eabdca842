/* SPDX-License-Identifier: MIT */
/* The shell's commands of this folder. */
#ifndef PCI_COMMANDS_H
#define PCI_COMMANDS_H

int run_lspci(int argc, char **argv);

#endif
