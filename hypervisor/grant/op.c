/* SPDX-License-Identifier: MIT */
/* The hypercall: lists of operations, and their preemption by re-execution on what is left of the list. */
#include "grant/internal.h"
#include "console/console.h"
#include "cpu/cpu.h"
#include "domain/domain.h"
#include "lib/bitops.h"
#include "lib/errno.h"
#include "mm/mm.h"
#include "pv/pv.h"

union element {
	struct gnttab_transfer transfer;
	struct gnttab_swap_grant_ref swap;
	struct gnttab_cache_flush flush;
};

/* Of which the hypercall's result is the first failure, elements having no status. */
static long run(unsigned int cmd, union element *e)
{
	switch (cmd) {
	case GNTTABOP_transfer:
		grant_transfer(&e->transfer);
		return 0;
	case GNTTABOP_swap_grant_ref:
		grant_swap(&e->swap);
		return 0;
	default:
		return grant_cache_flush(&e->flush);
	}
}

/* size: of an element; its results are from out on. */
static long run_list(unsigned int cmd, vaddr_t args, unsigned int count, size_t size, size_t out,
		     unsigned int *done)
{
	union element e;

	for (; *done < count; ++*done, args += size) {
		long rc;

		if (*done && *done % BATCH == 0 && preempt_check())
			return -EINTR;
		if (unlikely(copy_from_guest(&e, args, size)))
			return -EFAULT;
		rc = run(cmd, &e);
		if (unlikely(rc))
			return rc;
		if (out != size &&
		    unlikely(copy_to_guest(args + out, (char *)&e + out, size - out)))
			return -EFAULT;
	}
	return 0;
}

/* Of lists, 0: no such operation on lists. */
static const uint8_t element_size[] = {
    [GNTTABOP_map_grant_ref] = sizeof(struct gnttab_map_grant_ref),
    [GNTTABOP_unmap_grant_ref] = sizeof(struct gnttab_unmap_grant_ref),
    [GNTTABOP_transfer] = sizeof(struct gnttab_transfer),
    [GNTTABOP_copy] = sizeof(struct gnttab_copy),
    [GNTTABOP_unmap_and_replace] = sizeof(struct gnttab_unmap_and_replace),
    [GNTTABOP_swap_grant_ref] = sizeof(struct gnttab_swap_grant_ref),
    [GNTTABOP_cache_flush] = sizeof(struct gnttab_cache_flush),
};

static long list_op(unsigned int cmd, vaddr_t args, unsigned int count, size_t size,
		    unsigned int *done)
{
	size_t out;

	switch (cmd) {
	case GNTTABOP_map_grant_ref:
		return grant_map_list(args, count, done);
	case GNTTABOP_unmap_grant_ref:
	case GNTTABOP_unmap_and_replace:
		return grant_unmap_list(args, count, cmd == GNTTABOP_unmap_and_replace, done);
	case GNTTABOP_copy:
		return grant_copy_list(args, count, done);
	case GNTTABOP_transfer:
		out = offsetof(struct gnttab_transfer, status);
		break;
	case GNTTABOP_swap_grant_ref:
		out = offsetof(struct gnttab_swap_grant_ref, status);
		break;
	default:
		out = size;
		break;
	}
	return run_list(cmd, args, count, size, out, done);
}

static long single_op(unsigned int cmd, vaddr_t arg, unsigned int count)
{
	static unsigned long told;

	switch (cmd) {
	case GNTTABOP_setup_table:
		return count == 1 ? grant_setup_table(arg) : -EINVAL;
	case GNTTABOP_query_size:
		return count == 1 ? grant_query_size(arg) : -EINVAL;
	case GNTTABOP_get_status_frames:
		return count == 1 ? grant_get_status_frames(arg) : -EINVAL;
	case GNTTABOP_set_version:
		return grant_set_version(arg);
	case GNTTABOP_get_version:
		return grant_get_version(arg);
	default:
		/* dump_table has never been implemented anywhere. */
		if (!test_and_set_bit(min(cmd, 63U), &told))
			guest_log("grant_table_op %u is not implemented\n", cmd);
		return -ENOSYS;
	}
}

long do_grant_table_op(unsigned int cmd, vaddr_t args, unsigned int count)
{
	unsigned int done = 0;
	size_t size = 0;
	long rc;

	if (unlikely(count > INT32_MAX))
		return -EINVAL;
	if (likely(cmd < ARRAY_SIZE(element_size)))
		size = element_size[clamp_index(cmd, ARRAY_SIZE(element_size))];
	if (unlikely(!size))
		return single_op(cmd, args, count);
	if (unlikely(!guest_range_ok(args, count * size)))
		return -EFAULT;
	rc = list_op(cmd, args, count, size, &done);
	if (unlikely(rc == -EINTR))
		return hypercall_continue(__HYPERVISOR_grant_table_op, 3, (unsigned long)cmd,
					  args + done * size, (unsigned long)(count - done));
	return rc;
}
