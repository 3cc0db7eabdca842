/* SPDX-License-Identifier: MIT */
#define __XEN_TOOLS__ 1
#include "hypervisor.h"
#include <stdio.h>
#include <string.h>
#include <guest/hypercall.h>
#include <public/sysctl.h>

static long sysctl(struct xen_sysctl *op, uint32_t command)
{
	op->cmd = command;
	op->interface_version = XEN_SYSCTL_INTERFACE_VERSION;
	return hypercall_sysctl(op);
}

long machine_describe(struct machine *machine)
{
	struct xen_sysctl op = {0};
	long error = sysctl(&op, XEN_SYSCTL_physinfo);

	if (error)
		return error;
	machine->cpus = op.u.physinfo.nr_cpus;
	machine->cpu_khz = op.u.physinfo.cpu_khz;
	machine->total_pages = op.u.physinfo.total_pages;
	machine->free_pages = op.u.physinfo.free_pages;
	return 0;
}

void hypervisor_text(int command, char *text, size_t size)
{
	if (hypercall_xen_version(command, text) < 0)
		text[0] = 0;
	text[size - 1] = 0;
}

void hypervisor_version(char *text, size_t size)
{
	long version = hypercall_xen_version(XENVER_version, NULL);
	char extra[XEN_EXTRAVERSION_LEN];

	hypervisor_text(XENVER_extraversion, extra, sizeof(extra));
	snprintf(text, size, "%ld.%ld%s", version >> 16, version & 0xffff, extra);
}

long hypervisor_log_read(char *buffer, size_t size, uint32_t *index)
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

long hypervisor_log_clear(void)
{
	struct xen_sysctl op = {0};
	char nothing[1];

	op.u.readconsole.clear = 1;
	set_xen_guest_handle(op.u.readconsole.buffer, nothing);
	return sysctl(&op, XEN_SYSCTL_readconsole);
}

long hypervisor_keys(const char *keys, size_t count)
{
	struct xen_sysctl op = {0};

	op.u.debug_keys.nr_keys = (uint32_t)count;
	set_xen_guest_handle(op.u.debug_keys.keys, keys);
	return sysctl(&op, XEN_SYSCTL_debug_keys);
}
