/* SPDX-License-Identifier: MIT */
/* The shell's commands about block devices. */
#ifndef BLOCK_COMMANDS_H
#define BLOCK_COMMANDS_H

int run_disks(int argc, char **argv);
int run_disktest(int argc, char **argv);

#endif
