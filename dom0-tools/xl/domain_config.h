/* SPDX-License-Identifier: MIT */
/* What a configuration means: the domain that it describes. Pure. */
#ifndef XL_DOMAIN_CONFIG_H
#define XL_DOMAIN_CONFIG_H

#include <stdbool.h>
#include <stdint.h>
#include "xl/config.h"
#include "xl/cpu_set.h"
#include "xl/device_config.h"

#define DOMAIN_NAME_SIZE  128
#define DOMAIN_VCPUS	  128
#define DOMAIN_MEMORY_MIB (16ul << 20) /* memory and maxmem, at most */

/* Why a domain has ended, and what its configuration wants done then. */
enum domain_end { END_POWEROFF, END_REBOOT, END_WATCHDOG, END_CRASH, END_SOFT_RESET, DOMAIN_ENDS };
enum domain_action {
	ACTION_DESTROY,
	ACTION_RESTART,
	ACTION_RENAME_RESTART,
	ACTION_PRESERVE,
	ACTION_COREDUMP_DESTROY,
	ACTION_COREDUMP_RESTART,
	ACTION_SOFT_RESET,
	DOMAIN_ACTIONS
};

/* Hardware that a domain may use: interrupt lines, ports, frames of device memory. */
struct hardware_range {
	uint64_t first, count;
};
struct hardware {
	struct hardware_range *ranges;
	unsigned int count;
};

struct domain_config {
	struct pool pool; /* all that is pointed to */

	const char *name;
	bool has_uuid;
	uint8_t uuid[16];
	uint64_t memory_kib, max_memory_kib;
	unsigned int vcpus, max_vcpus;
	/* Where vCPUs may, and better do, run: one set for all, or one each; missing ones are for all CPUs. */
	struct cpu_set *hard, *soft;
	unsigned int hard_count, soft_count;
	unsigned int weight, cap;
	const char *kernel, *ramdisk; /* ramdisk: NULL without */
	const char *cmdline;	      /* with root= and extra=; never NULL */
	enum domain_action on[DOMAIN_ENDS];
	int max_grant_frames, max_maptrack_frames; /* -1: the hypervisor's own limit */
	unsigned int max_grant_version, max_event_channels;
	struct hardware irqs, ioports, iomem;
	struct vif_config *vifs;
	struct disk_config *disks;
	unsigned int vif_count, disk_count;
};

/* What the host's configuration (host_config.h) says for all domains. */
struct domain_defaults {
	bool claim;	   /* memory, before a domain is built */
	bool random_domid; /* in place of the next number */
	bool has_cpus;
	struct cpu_set cpus; /* where vCPUs may run at all */
	int max_grant_frames, max_maptrack_frames;
	unsigned int max_grant_version;
	char bridge[64]; /* of an interface that names none */
};
extern struct domain_defaults domain_defaults;

/*
 * Read all of it, reporting everything that is wrong and everything that is ignored. False after an error. *domain need not be
 * initialised and is to be freed in either case.
 */
bool domain_config_read(struct domain_config *domain, const struct config *config,
			struct report *report);
void domain_config_free(struct domain_config *domain);

/* "on_poweroff"; "rename-restart" */
const char *domain_end_key(enum domain_end end);
const char *domain_action_name(enum domain_action action);

/* Where vCPU n may run by a list of sets as above. */
void domain_vcpu_cpus(const struct cpu_set *sets, unsigned int count, unsigned int vcpu,
		      struct cpu_set *cpus);

/* Why it cannot be a domain's name, or NULL. */
const char *domain_name_problem(const char *name);

/* "b9deb4f0-64b1-4a16-b1f4-2b1d3a70ba2e", upper case taken too. */
#define UUID_TEXT 37
bool uuid_parse(const char *text, uint8_t uuid[16]);
void uuid_print(const uint8_t uuid[16], char text[UUID_TEXT]);

#endif
