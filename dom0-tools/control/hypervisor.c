/* SPDX-License-Identifier: MIT */
/* The hypervisor itself, and the machine. */
#include "control/control.h"
#include "control/internal.h"
#include <errno.h>
#include <stdio.h>

long control_physinfo(struct xen_sysctl_physinfo *info)
{
	struct xen_sysctl op = {0};
	long error = sysctl(&op, XEN_SYSCTL_physinfo);

	if (!error)
		*info = op.u.physinfo;
	return error;
}

long control_cpu_topology(struct xen_sysctl_cputopo *cpus, unsigned int n)
{
	struct xen_sysctl op = {0};
	long error;

	op.u.cputopoinfo.num_cpus = n;
	set_xen_guest_handle(op.u.cputopoinfo.cputopo, n ? cpus : NULL);
	error = sysctl(&op, XEN_SYSCTL_cputopoinfo);
	return error ? error : (long)op.u.cputopoinfo.num_cpus;
}

long control_numa(struct xen_sysctl_meminfo *nodes, uint32_t *distances, unsigned int n)
{
	struct xen_sysctl op = {0};
	long error;

	op.u.numainfo.num_nodes = n;
	set_xen_guest_handle(op.u.numainfo.meminfo, n ? nodes : NULL);
	set_xen_guest_handle(op.u.numainfo.distance, n ? distances : NULL);
	error = sysctl(&op, XEN_SYSCTL_numainfo);
	return error ? error : (long)op.u.numainfo.num_nodes;
}

long control_scheduler(uint32_t *id)
{
	struct xen_sysctl op = {0};
	long error = sysctl(&op, XEN_SYSCTL_sched_id);

	if (!error)
		*id = op.u.sched_id.sched_id;
	return error;
}

long control_cpu_idle(uint64_t *idle, unsigned int n)
{
	struct xen_sysctl op = {0};
	long error;

	_Static_assert(sizeof(struct xen_sysctl_cpuinfo) == sizeof(*idle),
		       "an array of them is one of numbers");
	op.u.getcpuinfo.max_cpus = n;
	set_xen_guest_handle(op.u.getcpuinfo.info, (struct xen_sysctl_cpuinfo *)idle);
	error = sysctl(&op, XEN_SYSCTL_getcpuinfo);
	return error ? error : (long)op.u.getcpuinfo.nr_cpus;
}

void control_text(int command, char *text, size_t size)
{
	if (hypercall_xen_version(command, text) < 0)
		text[0] = 0;
	text[size - 1] = 0;
}

void control_version(char *text, size_t size)
{
	long version = hypercall_xen_version(XENVER_version, NULL);
	char extra[XEN_EXTRAVERSION_LEN];

	control_text(XENVER_extraversion, extra, sizeof(extra));
	snprintf(text, size, "%ld.%ld%s", version >> 16, version & 0xffff, extra);
}

long control_log_read(char *buffer, size_t size, uint32_t *index)
{
	struct xen_sysctl op = {0};
	long error;

	op.u.readconsole.incremental = 1;
	op.u.readconsole.index = *index;
	op.u.readconsole.count = (uint32_t)size;
	set_xen_guest_handle(op.u.readconsole.buffer, buffer);
	error = sysctl(&op, XEN_SYSCTL_readconsole);
	if (error)
		return error;
	*index = op.u.readconsole.index;
	return op.u.readconsole.count <= size ? op.u.readconsole.count : (long)size;
}

long control_log_clear(void)
{
	struct xen_sysctl op = {0};
	char nothing[1];

	op.u.readconsole.clear = 1;
	set_xen_guest_handle(op.u.readconsole.buffer, nothing);
	return sysctl(&op, XEN_SYSCTL_readconsole);
}

long control_debug_keys(const char *keys, size_t count)
{
	struct xen_sysctl op = {0};

	op.u.debug_keys.nr_keys = (uint32_t)count;
	set_xen_guest_handle(op.u.debug_keys.keys, keys);
	return sysctl(&op, XEN_SYSCTL_debug_keys);
}
