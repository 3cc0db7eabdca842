/* SPDX-License-Identifier: MIT */
/* Configurations from dom0's files, and those that are started with it. */
#ifndef XL_LOAD_H
#define XL_LOAD_H

#include "xl/config.h"

/*
 * Read a file; a name without '/' is also looked for in /etc/xl, with and without ".cfg". quiet: do not say which file
 * it is. False with the reason reported.
 */
bool config_load(struct config *config, const char *path, bool quiet, struct report *report);

/* Read /etc/xl/xl.conf, if there is one; what is wrong with it is said, and does not stop anything. */
void host_config_load(void);

/* Create every *.cfg of /etc/xl/auto, in the order of their names; what fails is said, and does not stop the others. */
void autostart(void);

#endif
