/* SPDX-License-Identifier: MIT */
/* A domain's first contents: kernel and ramdisk from dom0's files, by builder/. */
#ifndef XL_BUILD_H
#define XL_BUILD_H

#include "xl/layout.h"

/* Ports are given in *channels; the frames of store and console come back in it. False with what is wrong reported. */
bool build_domain(const struct domain_config *config, domid_t domid, bool progress,
		  struct domain_channels *channels, struct report *report);

#endif
