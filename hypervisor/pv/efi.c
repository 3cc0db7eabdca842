/* SPDX-License-Identifier: MIT */
/*
 * platform_op's way to UEFI's runtime services (public/platform.h, UEFI specification 8). What the firmware gets are
 * copies, of bounded size; what comes back is cut to what there is room for.
 */
#include "pv/internal.h"
#include "boot/boot.h"
#include "lib/lib.h"
#include "mm/mm.h"
#include <public/platform.h>

/* Of the names of variables, in bytes with the end; Linux has 1024. The firmware has no limit, or its own. */
#define MAX_NAME 4096UL
/* Of their contents. More than any firmware stores: 64 KiB is usual. */
#define MAX_DATA    (256UL << 10)

#define EFI_SUCCESS 0
#define EFI_2_00    (2U << 16)

typedef struct xenpf_efi_runtime_call call_t;

/* EFI_TIME_CAPABILITIES */
struct time_capabilities {
	uint32_t resolution, accuracy;
	uint8_t sets_to_zero;
};
/* EFI_TIME is xenpf_efi_time, hole by hole. */
_Static_assert(sizeof(struct xenpf_efi_time) == 16, "EFI_TIME");

static uint64_t address(const void *p)
{
	return (uint64_t)p;
}

static int call(enum efi_service service, call_t *op, const uint64_t args[5])
{
	uint64_t status = 0;
	int rc = efi_call(service, args, &status);

	op->status = status;
	return rc;
}

/* A guest's string of 16-bit characters, in memory of its own. */
static int copy_name(vaddr_t from, uint16_t **out)
{
	uint16_t *name = kzalloc(MAX_NAME);
	unsigned int i;

	*out = name;
	if (!name)
		return -ENOMEM;
	for (i = 0; i < MAX_NAME / sizeof(*name); i++) {
		if (copy_from_guest(&name[i], from + i * sizeof(*name), sizeof(*name)))
			break;
		if (!name[i])
			return 0;
	}
	kfree(name);
	return i < MAX_NAME / sizeof(*name) ? -EFAULT : -EINVAL;
}

/* ---- time ---- */

static int get_time(call_t *op)
{
	struct time_capabilities c = {0};
	int rc;

	if (op->misc)
		return -EINVAL;
	memset(&op->u.get_time, 0, sizeof(op->u.get_time));
	rc = call(EFI_GET_TIME, op, (uint64_t[5]){address(&op->u.get_time.time), address(&c)});
	op->u.get_time.resolution = c.resolution;
	op->u.get_time.accuracy = c.accuracy;
	op->misc = c.sets_to_zero ? XEN_EFI_GET_TIME_SET_CLEARS_NS : 0;
	return rc;
}

static int set_time(call_t *op)
{
	if (op->misc)
		return -EINVAL;
	return call(EFI_SET_TIME, op, (uint64_t[5]){address(&op->u.set_time)});
}

static int get_wakeup_time(call_t *op)
{
	uint8_t enabled = 0, pending = 0;
	int rc;

	if (op->misc)
		return -EINVAL;
	memset(&op->u.get_wakeup_time, 0, sizeof(op->u.get_wakeup_time));
	rc = call(
	    EFI_GET_WAKEUP_TIME, op,
	    (uint64_t[5]){address(&enabled), address(&pending), address(&op->u.get_wakeup_time)});
	op->misc = (enabled ? XEN_EFI_GET_WAKEUP_TIME_ENABLED : 0) |
		   (pending ? XEN_EFI_GET_WAKEUP_TIME_PENDING : 0);
	return rc;
}

static int set_wakeup_time(call_t *op)
{
	bool only = op->misc & XEN_EFI_SET_WAKEUP_TIME_ENABLE_ONLY;

	if (op->misc & ~(XEN_EFI_SET_WAKEUP_TIME_ENABLE | XEN_EFI_SET_WAKEUP_TIME_ENABLE_ONLY))
		return -EINVAL;
	return call(EFI_SET_WAKEUP_TIME, op,
		    (uint64_t[5]){op->misc & XEN_EFI_SET_WAKEUP_TIME_ENABLE ? 1 : 0,
				  only ? 0 : address(&op->u.set_wakeup_time)});
}

static int get_next_high_monotonic_count(call_t *op)
{
	if (op->misc)
		return -EINVAL;
	return call(EFI_GET_NEXT_HIGH_MONOTONIC_COUNT, op, (uint64_t[5]){address(&op->misc)});
}

/* ---- variables ---- */

static int get_variable(call_t *op)
{
	struct xenpf_efi_guid guid = op->u.get_variable.vendor_guid;
	uint64_t room = min((uint64_t)op->u.get_variable.size, MAX_DATA), size = room;
	uint32_t attributes = 0;
	uint16_t *name;
	void *data = NULL;
	int rc;

	if (op->misc)
		return -EINVAL;
	rc = copy_name((vaddr_t)op->u.get_variable.name.p, &name);
	if (rc)
		return rc;
	if (room) {
		data = kzalloc(room);
		rc = data ? 0 : -ENOMEM;
	}
	if (!rc)
		rc = call(EFI_GET_VARIABLE, op,
			  (uint64_t[5]){address(name), address(&guid), address(&attributes),
					address(&size), address(data)});
	if (!rc && op->status == EFI_SUCCESS &&
	    copy_to_guest((vaddr_t)op->u.get_variable.data.p, data, min(size, room)))
		rc = -EFAULT;
	op->misc = attributes;
	op->u.get_variable.size = size;
	kfree(data);
	kfree(name);
	return rc;
}

static int set_variable(call_t *op)
{
	struct xenpf_efi_guid guid = op->u.set_variable.vendor_guid;
	uint64_t size = op->u.set_variable.size;
	uint16_t *name;
	void *data = NULL;
	int rc;

	if (size > MAX_DATA)
		return -ENOMEM;
	rc = copy_name((vaddr_t)op->u.set_variable.name.p, &name);
	if (rc)
		return rc;
	if (size) {
		data = kzalloc(size);
		rc = data ? 0 : -ENOMEM;
	}
	if (data && copy_from_guest(data, (vaddr_t)op->u.set_variable.data.p, size))
		rc = -EFAULT;
	if (!rc)
		rc = call(
		    EFI_SET_VARIABLE, op,
		    (uint64_t[5]){address(name), address(&guid), op->misc, size, address(data)});
	kfree(data);
	kfree(name);
	return rc;
}

static int get_next_variable_name(call_t *op)
{
	struct xenpf_efi_guid guid = op->u.get_next_variable_name.vendor_guid;
	vaddr_t at = (vaddr_t)op->u.get_next_variable_name.name.p;
	uint64_t room = min((uint64_t)op->u.get_next_variable_name.size, MAX_NAME), size = room;
	uint16_t *name;
	int rc;

	if (op->misc)
		return -EINVAL;
	/* The name before, and a buffer of the guest's size for the next. */
	rc = copy_name(at, &name);
	if (rc)
		return rc;
	rc = call(EFI_GET_NEXT_VARIABLE_NAME, op,
		  (uint64_t[5]){address(&size), address(name), address(&guid)});
	if (!rc && op->status == EFI_SUCCESS && copy_to_guest(at, name, min(size, room)))
		rc = -EFAULT;
	op->u.get_next_variable_name.size = size;
	op->u.get_next_variable_name.vendor_guid = guid;
	kfree(name);
	return rc;
}

static int query_variable_info(call_t *op)
{
	uint64_t store = 0, left = 0, largest = 0;
	int rc;

	if (op->misc & ~XEN_EFI_VARINFO_BOOT_SNAPSHOT)
		return -EINVAL;
	/* Nobody asked at boot. */
	if (op->misc || firmware_info.efi_runtime_revision < EFI_2_00)
		return -EOPNOTSUPP;
	rc = call(EFI_QUERY_VARIABLE_INFO, op,
		  (uint64_t[5]){op->u.query_variable_info.attr, address(&store), address(&left),
				address(&largest)});
	op->u.query_variable_info.max_store_size = store;
	op->u.query_variable_info.remain_store_size = left;
	op->u.query_variable_info.max_size = largest;
	return rc;
}

long efi_runtime_call(struct xenpf_efi_runtime_call *op)
{
	static unsigned long told;

	if (!firmware_info.efi)
		return -ENOSYS; /* as Xen on a machine without UEFI */
	if (!efi_runtime_works())
		return -EOPNOTSUPP;
	switch (op->function) {
	case XEN_EFI_get_time:
		return get_time(op);
	case XEN_EFI_set_time:
		return set_time(op);
	case XEN_EFI_get_wakeup_time:
		return get_wakeup_time(op);
	case XEN_EFI_set_wakeup_time:
		return set_wakeup_time(op);
	case XEN_EFI_get_next_high_monotonic_count:
		return get_next_high_monotonic_count(op);
	case XEN_EFI_get_variable:
		return get_variable(op);
	case XEN_EFI_set_variable:
		return set_variable(op);
	case XEN_EFI_get_next_variable_name:
		return get_next_variable_name(op);
	case XEN_EFI_query_variable_info:
		return query_variable_info(op);
	default:
		/*
		 * Capsules too: their lists hold machine addresses, which the firmware would follow to memory of
		 * anybody's.
		 */
		return not_implemented("efi_runtime_call", op->function, &told);
	}
}
