/* SPDX-License-Identifier: MIT */
/* How the commands show what they found, as text in the columns that people know and as JSON. Pure. */
#ifndef XL_VIEW_H
#define XL_VIEW_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include "xl/cpu_set.h"
#include "xl/domain_config.h"
#include "xl/json.h"

struct domain_view {
	unsigned int domid;
	char name[DOMAIN_NAME_SIZE]; /* empty if it has none */
	uint8_t uuid[16];
	uint64_t memory_kib, max_memory_kib, outstanding_kib, shared_kib;
	unsigned int vcpus; /* online */
	unsigned int max_vcpus;
	bool running, blocked, paused, shutdown, dying;
	unsigned int reason; /* SHUTDOWN_*, when shutdown */
	uint64_t cpu_time;   /* nanoseconds */
	unsigned int cpupool;
};

/* "r-----" and so on; text has room for 7. */
void view_state(const struct domain_view *domain, char *text);

struct list_options {
	bool verbose, context, cpupool, numa, claimed;
};

void view_list(FILE *to, const struct domain_view *domains, unsigned int count,
	       const struct list_options *options);
void view_list_json(FILE *to, const struct domain_view *domains, unsigned int count);

/* `xl list -l`: begin an array, then each domain with its configuration (NULL: it is not known). */
void view_long_json(struct json *json, const struct domain_view *domain,
		    const struct domain_config *config);

void view_vm_list(FILE *to, const struct domain_view *domains, unsigned int count);
void view_vm_list_json(FILE *to, const struct domain_view *domains, unsigned int count);

struct vcpu_view {
	unsigned int vcpu;
	bool online, blocked, running;
	unsigned int cpu;
	uint64_t cpu_time; /* nanoseconds */
	struct cpu_set hard, soft;
};

void view_vcpu_header(FILE *to);
void view_vcpu(FILE *to, const struct domain_view *domain, const struct vcpu_view *vcpu,
	       const struct cpu_set *online);
void view_vcpu_json(struct json *json, const struct domain_view *domain,
		    const struct vcpu_view *vcpu, const struct cpu_set *online);

void view_uptime_header(FILE *to);
void view_uptime(FILE *to, const struct domain_view *domain, uint64_t seconds);

/* The machine and the hypervisor. */
struct info_view {
	char host[64], release[64], version[64], machine[32];
	unsigned int cpus, max_cpu_id, nodes, cores_per_socket, threads_per_core, cpu_khz;
	uint32_t hw_caps[8];
	bool hvm, pv, directio, hap, shadow, grants_v1, grants_v2;
	uint64_t total_kib, free_kib, scrub_kib, outstanding_kib;
	unsigned int major, minor;
	char extra[16], caps[1024], scheduler[16], changeset[64], command_line[1024];
	uint64_t virt_start;
	unsigned int page_size;
	char compiler[64], compile_by[16], compile_domain[32], compile_date[32], build_id[64];
};

void view_info(FILE *to, const struct info_view *info);
void view_info_json(FILE *to, const struct info_view *info);

/* One screen of `xl top`. Times are nanoseconds since the domain, or the machine, began. */
struct top_view {
	char version[32], time[16];
	uint64_t total_kib, free_kib;
	unsigned int cpus, cpu_khz;
	const struct domain_view *domains;
	const uint64_t
	    *cpu_before;  /* of each domain's cpu_time at the last screen; NULL: there was none */
	uint64_t elapsed; /* since then */
	unsigned int count;
	unsigned int rows; /* of domains, at most; 0: all */
	bool full_names;
};

/* Lines end with `end`: "\n", or what also clears the rest of a terminal's line. */
void view_top(FILE *to, const struct top_view *top, const char *end);
void view_top_json(FILE *to, const struct top_view *top);

/* A domain's disk or network interface. Numbers are -1 where the halves have not published any. */
struct device_view {
	enum device_kind kind;
	unsigned int number, domid, backend_id;
	char name[MAC_TEXT];   /* xvda, or the MAC */
	char target[256];      /* a disk's contents, or the bridge */
	char sectors[24];      /* of a disk, in decimal; empty: not known yet */
	char back[128];	       /* the back half's directory */
	int state, port, ring; /* ring: of the interface's output */
	int ring_rx;	       /* of its input */
	bool read_only;
};

void view_device_header(FILE *to, enum device_kind kind);
void view_device(FILE *to, const struct device_view *device);
void view_device_json(struct json *json, const struct device_view *device);

/* As elements of `xl list -l`'s disks and nics. */
void view_disk_config_json(struct json *json, const struct disk_config *disk);
void view_vif_config_json(struct json *json, const struct vif_config *vif);

/* "poweroff", "reboot", "suspend", "crash", "watchdog", "soft_reset"; "unknown" */
const char *view_reason(unsigned int reason);

#endif
