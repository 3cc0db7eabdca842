/* SPDX-License-Identifier: MIT */
#ifndef FILES_COMMANDS_H
#define FILES_COMMANDS_H

int run_ls(int argc, char **argv);
int run_cat(int argc, char **argv);
int run_cp(int argc, char **argv);
int run_mkdir(int argc, char **argv);
int run_mv(int argc, char **argv);
int run_rm(int argc, char **argv);

#endif
