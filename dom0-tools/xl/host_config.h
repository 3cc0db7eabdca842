/* SPDX-License-Identifier: MIT */
/* The host's configuration, xl.conf(5): what holds for all domains. Pure. */
#ifndef XL_HOST_CONFIG_H
#define XL_HOST_CONFIG_H

#include "xl/domain_config.h"

/*
 * Read it into *defaults, reporting what is wrong and what is ignored; what is not set, or wrong, leaves what is there.
 * False if something was wrong.
 */
bool host_config_read(struct domain_defaults *defaults, const struct config *config,
		      struct report *report);

#endif
