/* SPDX-License-Identifier: MIT */
/* Sets, as the tools hand them in: public/xen.h, struct xenctl_bitmap. */
#include "cpu/cpu.h"
#include "domain/domctl.h"
#include "lib/lib.h"

#define MAX_BITS 32768 /* more CPUs or nodes has no machine */

long bitmap_from_guest(const struct xenctl_bitmap *map, uint64_t *bits)
{
	unsigned int n = min(map->nr_bits, 64U);

	*bits = 0;
	if (copy_from_guest(bits, (vaddr_t)map->bitmap.p, DIV_ROUND_UP(n, 8)))
		return -EFAULT;
	if (n < 64)
		*bits &= (1UL << n) - 1;
	return 0;
}

long bitmap_to_guest(const struct xenctl_bitmap *map, uint64_t bits, unsigned int nr)
{
	unsigned int room = DIV_ROUND_UP(map->nr_bits, 8), n = DIV_ROUND_UP(min(nr, 64U), 8);
	vaddr_t to = (vaddr_t)map->bitmap.p;

	if (map->nr_bits > MAX_BITS)
		return -EINVAL;
	if (map->nr_bits < 64)
		bits &= (1UL << map->nr_bits) - 1;
	n = min(n, room);
	if (copy_to_guest(to, &bits, n))
		return -EFAULT;
	return room > n && clear_guest(to + n, room - n) ? -EFAULT : 0;
}
