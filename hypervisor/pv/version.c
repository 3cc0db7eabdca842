/* SPDX-License-Identifier: MIT */
/* xen_version: who the hypervisor is and what it offers. */
#include "pv/internal.h"
#include "boot/boot.h"
#include "lib/lib.h"
#include "mm/layout.h"
#include <public/features.h>
#include <public/version.h>

#define VERSION_MAJOR 4 /* of Xen, whose interface this is */
#define VERSION_MINOR 17

#ifdef __clang__
#define COMPILER __VERSION__ /* begins with the name */
#else
#define COMPILER "gcc " __VERSION__
#endif

static const char capabilities[] = "xen-3.0-x86_64 ";

static long give(vaddr_t arg, const void *value, size_t size)
{
	return copy_to_guest(arg, value, size) ? -EFAULT : 0;
}

/* A text of fixed size, the rest of which is zero. */
static long give_text(vaddr_t arg, const char *text, size_t size)
{
	char buffer[sizeof(xen_commandline_t)] = {0};

	ASSERT(size <= sizeof(buffer));
	copy_string(buffer, text, size);
	return give(arg, buffer, size);
}

static long compile_info(vaddr_t arg)
{
	/* Neither place nor time of the build: the same sources give the same image. */
	static const struct xen_compile_info info = {.compiler = COMPILER};

	return give(arg, &info, sizeof(info));
}

static long features(vaddr_t arg)
{
	const struct domain *d = current->domain;
	struct xen_feature_info info;

	if (copy_from_guest(&info, arg, sizeof(info)))
		return -EFAULT;
	if (info.submap_idx != 0)
		return -EINVAL;
	/* Linux does not start without the one about grants, whether it uses grants or not. */
	info.submap = 1U << XENFEAT_pae_pgdir_above_4gb | 1U << XENFEAT_mmu_pt_update_preserve_ad |
		      1U << XENFEAT_gnttab_map_avail_bits | 1U << XENFEAT_highmem_assist |
		      1U << XENFEAT_not_direct_mapped;
	if (d->is_privileged)
		info.submap |= 1U << XENFEAT_dom0;
	return give(arg, &info, sizeof(info));
}

static __attribute__((noinline)) long other_version(int cmd, vaddr_t arg)
{
	static const struct xen_platform_parameters platform = {.virt_start = HV_VIRT_START};

	switch (cmd) {
	case XENVER_extraversion:
		return give_text(arg, "-cerne", sizeof(xen_extraversion_t));
	case XENVER_compile_info:
		return compile_info(arg);
	case XENVER_capabilities:
		return give_text(arg, capabilities, sizeof(xen_capabilities_info_t));
	case XENVER_changeset:
		return give_text(arg, "", sizeof(xen_changeset_info_t));
	case XENVER_platform_parameters:
		return give(arg, &platform, sizeof(platform));
	case XENVER_get_features:
		return features(arg);
	case XENVER_pagesize:
		return arg ? -EINVAL : (long)PAGE_SIZE;
	case XENVER_guest_handle:
		return give(arg, current->domain->handle, sizeof(xen_domain_handle_t));
	case XENVER_commandline:
		return give_text(arg,
				 current->domain->is_privileged ? boot_info.cmdline : "<denied>",
				 sizeof(xen_commandline_t));
	case XENVER_build_id:
		return current->domain->is_privileged ? -ENODATA : -EPERM; /* the image has none */
	default:
		return -ENOSYS;
	}
}

/* XENVER_version is also what guests call to have their events delivered. */
long do_xen_version(int cmd, vaddr_t arg)
{
	if (likely(cmd == XENVER_version))
		return VERSION_MAJOR << 16 | VERSION_MINOR;
	return other_version(cmd, arg);
}
