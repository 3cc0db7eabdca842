/* SPDX-License-Identifier: MIT */
/* The shell's commands xenstore-*. */
#ifndef STORE_COMMANDS_H
#define STORE_COMMANDS_H

int run_xenstore_chmod(int argc, char **argv);
int run_xenstore_control(int argc, char **argv);
int run_xenstore_exists(int argc, char **argv);
int run_xenstore_list(int argc, char **argv);
int run_xenstore_ls(int argc, char **argv);
int run_xenstore_read(int argc, char **argv);
int run_xenstore_rm(int argc, char **argv);
int run_xenstore_watch(int argc, char **argv);
int run_xenstore_write(int argc, char **argv);

#endif
