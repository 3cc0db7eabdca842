/* SPDX-License-Identifier: MIT */
// sources: hypervisor/mm/mmu.c hypervisor/mm/page_type.c hypervisor/mm/alloc.c hypervisor/mm/frame.c hypervisor/mm/memory_op.c hypervisor/mm/descriptor.c hypervisor/mm/emulate_pte.c hypervisor/mm/audit.c hypervisor/mm/relinquish.c hypervisor/mm/range_set.c
// flags: -DMM_BUDGET=700 -DFRAMES_PER_CALL=200
/* The hypercalls about memory: arguments good and bad, lists, preemption; emulated writes. */
#include "unit.h"
#include "mm_model.h"

static unsigned int pick(unsigned int n)
{
	static uint64_t seed;

	seed = seed * 6364136223846793005UL + 1442695040888963407UL;
	return (unsigned int)((seed >> 33) % n);
}

#define L4	 pool[0]
#define L3	 pool[1]
#define L2	 pool[2]
#define L1	 pool[3]
#define DATA	 pool[4]
#define TABLE_VA 0x201000UL /* where the L1 table maps itself, read-only */
#define FREE_VA	 0x210000UL

static bool privileged = true;

/* A guest whose root maps DATA at 0x200000, its L1 table read-only behind it. */
static int start(void **state)
{
	model_start(privileged);
	fake_preempt = NULL;
	page(L4)[0] = pte(L3, RW);
	page(L3)[0] = pte(L2, RW);
	page(L2)[1] = pte(L1, RW);
	page(L1)[0] = pte(DATA, RW);
	page(L1)[1] = pte(L1, RO);
	assert_int_equal(mmuext(MMUEXT_NEW_BASEPTR, L4, 0), 0);
	check_model();
	return 0;
}

static int start_plain(void **state)
{
	privileged = false;
	start(state);
	privileged = true;
	return 0;
}

static int stop(void **state)
{
	check_model();
	model_end();
	return 0;
}

static uint64_t l1(unsigned int i)
{
	return L1 << 12 | i * 8;
}

static void update_arguments(void **state)
{
	struct mmu_update req = {l1(5), pte(DATA, RO)};
	unsigned int done = 77;

	assert_int_equal(do_mmu_update(0, 0, (vaddr_t)&done, DOMID_SELF), 0);
	assert_int_equal(done, 0);
	assert_int_equal(do_mmu_update(8, 1, (vaddr_t)&done, DOMID_SELF), -EFAULT);
	assert_int_equal(done, 0);
	assert_int_equal(do_mmu_update(HV_VIRT_START, 1, 0, DOMID_SELF), -EFAULT);
	assert_int_equal(do_mmu_update(0x7ffffffffff0, 0x7fffffff, 0, DOMID_SELF), -EFAULT);
	assert_int_equal(do_mmu_update((vaddr_t)&req, 1, 8, DOMID_SELF), 0);
	assert_int_equal(do_mmu_update((vaddr_t)&req, 1, 0, guest.id), 0);
	assert_int_equal(do_mmu_update((vaddr_t)&req, 1, 0, 4242), -ESRCH);
	assert_int_equal(do_mmu_update((vaddr_t)&req, 1, 0, 4242 << 16 | DOMID_SELF), -ESRCH);
	assert_int_equal(do_mmu_update((vaddr_t)&req, 1, 0, (DOMID_SELF + 1) << 16 | DOMID_SELF),
			 0);
	assert_int_equal(do_mmu_update((vaddr_t)&req, 1, 0, 4242 << 16 | DOMID_IO), -ESRCH);
	req.ptr = 1UL << 60;
	assert_int_equal(do_mmu_update((vaddr_t)&req, 1, 0, DOMID_SELF), -EINVAL);
	req.ptr = l1(5) | 4;
	assert_int_equal(do_mmu_update((vaddr_t)&req, 1, 0, DOMID_SELF), -EINVAL);
	req.ptr = (mfn_t)3 << 12; /* the hypervisor's */
	assert_int_equal(do_mmu_update((vaddr_t)&req, 1, 0, DOMID_SELF), -EINVAL);
}

static void update_of_plain_guest(void **state)
{
	struct mmu_update req = {l1(5), pte(FAKE_RAM, RW)};

	assert_int_equal(do_mmu_update((vaddr_t)&req, 1, 0, 4242), -ESRCH);
	assert_int_equal(do_mmu_update((vaddr_t)&req, 1, 0, DOMID_SELF), -EPERM);
	assert_int_equal(do_mmu_update((vaddr_t)&req, 1, 0, DOMID_IO), -EPERM);
	req.val = pte(DATA, RW | PTE_PCD | PTE_PWT | PTE_PAT | PTE_GLOBAL | PTE_AVAIL);
	assert_int_equal(do_mmu_update((vaddr_t)&req, 1, 0, DOMID_SELF), 0);
	assert_int_equal(page(L1)[5], pte(DATA, RW | PTE_AVAIL));
	assert_int_equal(do_update_va_mapping_otherdomain(TABLE_VA, 0, 0, DOMID_IO), -EPERM);
	assert_int_equal(mmuext(MMUEXT_FLUSH_CACHE, 0, 0), -EACCES);
	assert_int_equal(do_memory_op(XENMEM_machine_memory_map, (vaddr_t)&req), -EPERM);
}

/* By permission, with what it says of caches; that is gone when the next entry is made. */
static void device_of_plain_guest(void **state)
{
	mfn_t device = FAKE_RAM + 1;

	assert_int_equal(mmu_update(l1(5), pte(device, RW), DOMID_SELF), -EPERM);
	assert_int_equal(range_set_add(&guest.mm.io_frames, 0, device), 0);
	assert_int_equal(mmu_update(l1(5), pte(device, RW | PTE_PCD | PTE_PWT), DOMID_SELF), 0);
	assert_int_equal(page(L1)[5], pte(device, RW | PTE_PCD | PTE_PWT));
	assert_int_equal(mmu_update(l1(6), pte(device, RW), DOMID_IO), 0);
	assert_int_equal(mmu_update(l1(7), pte(device + 1, RW), DOMID_SELF), -EPERM);
	/* Memory in the same range is no device. */
	assert_int_equal(mmu_update(l1(7), pte(domain_alloc_frames(&other, 0, 0), RO), DOMID_SELF),
			 -EINVAL);
	assert_int_equal(mmu_update(l1(7), pte(3, RO), DOMID_IO), -EPERM);
	assert_int_equal(mmu_update(l1(7), pte(DATA, RW | PTE_PCD), DOMID_SELF), 0);
	assert_int_equal(page(L1)[7], pte(DATA, RW));
	/* What is mapped stays so when permission is taken back; here it goes first, for the model's sake. */
	assert_int_equal(mmu_update(l1(5), 0, DOMID_SELF), 0);
	assert_int_equal(mmu_update(l1(6), 0, DOMID_SELF), 0);
	assert_int_equal(range_set_remove(&guest.mm.io_frames, device, device), 0);
	assert_int_equal(mmu_update(l1(6), pte(device, RO), DOMID_IO), -EPERM);
	range_set_free(&guest.mm.io_frames);
}

static void devices(void **state)
{
	mfn_t device = FAKE_RAM + 1;

	assert_int_equal(mmu_update(l1(5), pte(device, RW | PTE_PCD), DOMID_SELF), 0);
	assert_int_equal(page(L1)[5], pte(device, RW | PTE_PCD));
	assert_int_equal(mmu_update(l1(6), pte(device, RO), DOMID_IO), 0);
	assert_int_equal(mmu_update(l1(6), pte(DATA, RO), DOMID_IO), -EPERM);
	/* As it is now, and as it could be by changing only flags. */
	assert_int_equal(mmu_update(l1(0), pte(DATA, RW), DOMID_IO), -EPERM);
	assert_int_equal(mmu_update(l1(7), pte(acpi_info.lapic >> 12, RO), DOMID_SELF), -EPERM);
	assert_int_equal(mmu_update(l1(7), pte(0xfee00, RO), DOMID_IO), -EPERM);
	assert_int_equal(mmu_update(l1(7), pte(0xfeeff, RO), DOMID_IO), -EPERM);
	assert_int_equal(mmu_update(l1(7), pte(0xfef00, RO), DOMID_IO), 0);
	/* Nor tables there, nor memory that is not the guest's. */
	assert_int_equal(mmu_update(L2 << 12 | 80, pte(device, RW), DOMID_SELF), -EINVAL);
	assert_int_equal(mmu_update(l1(7), pte(3, RO), DOMID_SELF), -EINVAL);
	assert_int_equal(mmu_update(l1(7), pte(domain_alloc_frames(&other, 0, 0), RO), DOMID_SELF),
			 -EINVAL);
	assert_int_equal(do_update_va_mapping_otherdomain(0x205000, pte(device, RO), 0, DOMID_IO),
			 0);
	assert_int_equal(do_update_va_mapping_otherdomain(0x205000, pte(DATA, RO), 0, DOMID_IO),
			 -EPERM);
}

static void accessed_and_dirty(void **state)
{
	page(L1)[0] |= PTE_ACCESSED | PTE_DIRTY; /* the CPU */
	assert_int_equal(mmu_update(l1(0) | MMU_PT_UPDATE_PRESERVE_AD, pte(DATA, RO), DOMID_SELF),
			 0);
	assert_int_equal(page(L1)[0], pte(DATA, RO | PTE_ACCESSED | PTE_DIRTY));
	assert_int_equal(mmu_update(l1(0), pte(DATA, RO), DOMID_SELF), 0);
	assert_int_equal(page(L1)[0], pte(DATA, RO));
	page(L2)[1] |= PTE_ACCESSED;
	assert_int_equal(
	    mmu_update((L2 << 12 | 8) | MMU_PT_UPDATE_PRESERVE_AD, pte(L1, RW), DOMID_SELF), 0);
	assert_int_equal(page(L2)[1], pte(L1, RW | PTE_ACCESSED));
	/* Not present: whatever the guest likes. */
	assert_int_equal(mmu_update(l1(0), 0xfffffffffffffffeUL, DOMID_SELF), 0);
	assert_int_equal(page(L1)[0], 0xfffffffffffffffeUL);
}

static void ordinary_memory(void **state)
{
	assert_int_equal(mmu_update(pool[9] << 12 | 8, 0x123456789abcdef1UL, DOMID_SELF), 0);
	assert_int_equal(page(pool[9])[1], 0x123456789abcdef1UL);
	assert_int_equal(mmu_update(pool[9] << 12 | MMU_MACHPHYS_UPDATE, 99, DOMID_SELF), 0);
	assert_int_equal(m2p_get(pool[9]), 99);
	assert_int_equal(mmu_update((mfn_t)3 << 12 | MMU_MACHPHYS_UPDATE, 99, DOMID_SELF), -EINVAL);
	assert_int_equal(mmu_update(FAKE_RAM << 12 | MMU_MACHPHYS_UPDATE, 99, DOMID_SELF), -EINVAL);
}

static void lists(void **state)
{
	struct mmu_update req[100];
	unsigned int done = 0;

	for (unsigned int i = 0; i < 100; i++)
		req[i] = (struct mmu_update){l1(100 + i), pte(DATA, RO)};
	fake_preempt = preempt_often;
	assert_int_equal(
	    finish_hypercall(do_mmu_update((vaddr_t)req, 100, (vaddr_t)&done, DOMID_SELF)), 0);
	assert_int_equal(done, 100);
	check_model();
	/* It ends at the first that fails, and says how far it came. */
	for (unsigned int bad = 0; bad < 100; bad += 9) {
		req[bad].val = pte(L4, RW);
		assert_int_equal(
		    finish_hypercall(do_mmu_update((vaddr_t)req, 100, (vaddr_t)&done, DOMID_SELF)),
		    -EBUSY);
		assert_int_equal(done, bad);
		req[bad].val = 0;
	}
}

/* Tables that are unhooked and need long to be released: nothing is lost when the guest gets in between. */
static void unhooked(void **state)
{
	mfn_t l2 = pool[20];

	for (unsigned int i = 0; i < 20; i++)
		page(l2)[i] = pte(pool[30 + i], RW);
	assert_int_equal(mmu_update(L3 << 12 | 8, pte(l2, RW), DOMID_SELF), 0);
	fake_preempt = preempt_often;
	assert_int_equal(mmu_update(L3 << 12 | 8, 0, DOMID_SELF), 0);
	check_model();
	assert_int_equal(vcpu.put_pending, 0);
	assert_int_equal(state_type_refs(fr(l2)->state), 0);
	assert_int_equal(state_type_refs(fr(pool[30])->state), 0);
}

static void va_mapping(void **state)
{
	uint64_t cpus = 1;

	assert_int_equal(do_update_va_mapping(FREE_VA, pte(DATA, RW), 0), 0);
	assert_int_equal(page(L1)[16], pte(DATA, RW));
	assert_int_equal(do_update_va_mapping(0x400000, pte(DATA, RW), 0), -EINVAL); /* no table */
	assert_int_equal(do_update_va_mapping(HV_VIRT_START, pte(DATA, RW), 0), -EINVAL);
	assert_int_equal(do_update_va_mapping(HV_VIRT_END - 1, 0, 0), -EINVAL);
	assert_int_equal(do_update_va_mapping(0x800000000000, 0, 0), -EINVAL);
	assert_int_equal(do_update_va_mapping(FREE_VA, pte(L1, RW), 0), -EBUSY);
	assert_int_equal(do_update_va_mapping(FREE_VA, 0, 3), -EINVAL);
	assert_int_equal(page(L1)[16], pte(DATA, RW));
	fake_flushes = 0;
	assert_int_equal(do_update_va_mapping(FREE_VA, pte(DATA, RO), UVMF_TLB_FLUSH | UVMF_LOCAL),
			 0);
	assert_int_equal(do_update_va_mapping(FREE_VA, pte(DATA, RO), UVMF_TLB_FLUSH | UVMF_ALL),
			 0);
	assert_int_equal(
	    do_update_va_mapping(FREE_VA, pte(DATA, RO), UVMF_TLB_FLUSH | (vaddr_t)&cpus), 0);
	assert_int_equal(fake_flushes, 3);
	cpus = 0xfe;
	assert_int_equal(
	    do_update_va_mapping(FREE_VA, pte(DATA, RO), UVMF_TLB_FLUSH | (vaddr_t)&cpus), 0);
	assert_int_equal(fake_flushes, 3);
	assert_int_equal(do_update_va_mapping(FREE_VA, 0, UVMF_INVLPG | 16), -EFAULT);
	fake_invalidated = 0;
	assert_int_equal(do_update_va_mapping(FREE_VA, 0, UVMF_INVLPG | UVMF_ALL), 0);
	assert_int_equal(fake_invalidated, FREE_VA);
}

static void ext_ops(void **state)
{
	uint64_t cpus = 1;
	struct mmuext_op ops[3] = {
	    {.cmd = MMUEXT_TLB_FLUSH_LOCAL}, {.cmd = 55}, {.cmd = MMUEXT_TLB_FLUSH_LOCAL}};
	unsigned int done = 0;

	assert_int_equal(do_mmuext_op((vaddr_t)ops, 3, (vaddr_t)&done, DOMID_SELF), -ENOSYS);
	assert_int_equal(done, 1);
	assert_int_equal(do_mmuext_op((vaddr_t)ops, 1, 0, 4242), -ESRCH);
	assert_int_equal(do_mmuext_op((vaddr_t)ops, 1, 0, 1 << 16 | DOMID_SELF), -ESRCH);
	assert_int_equal(do_mmuext_op(16, 1, 0, DOMID_SELF), -EFAULT);
	assert_int_equal(mmuext(MMUEXT_MARK_SUPER, DATA, 0), -EOPNOTSUPP);
	assert_int_equal(mmuext(MMUEXT_UNMARK_SUPER, DATA, 0), -EOPNOTSUPP);
	fake_flushes = 0;
	assert_int_equal(mmuext(MMUEXT_TLB_FLUSH_ALL, 0, 0), 0);
	assert_int_equal(mmuext(MMUEXT_TLB_FLUSH_MULTI, 0, (vaddr_t)&cpus), 0);
	assert_int_equal(mmuext(MMUEXT_TLB_FLUSH_MULTI, 0, 16), -EINVAL);
	assert_int_equal(fake_flushes, 2);
	fake_invalidated = 0;
	assert_int_equal(mmuext(MMUEXT_INVLPG_ALL, HV_VIRT_START, 0), 0);
	assert_int_equal(fake_invalidated, 0);
	assert_int_equal(mmuext(MMUEXT_INVLPG_MULTI, FREE_VA, (vaddr_t)&cpus), 0);
	assert_int_equal(fake_invalidated, FREE_VA);
	assert_int_equal(mmuext(MMUEXT_FLUSH_CACHE, 0, 0), 0);
	assert_int_equal(mmuext(MMUEXT_FLUSH_CACHE_GLOBAL, 0, 0), 0);
	assert_int_equal(fake_caches_written, 2);
	assert_int_equal(mmuext(MMUEXT_SET_LDT, 0x1000, 8193), -EINVAL);
	assert_int_equal(mmuext(MMUEXT_SET_LDT, 0x1001, 5), -EINVAL);
	assert_int_equal(mmuext(MMUEXT_SET_LDT, HV_VIRT_START - 0x1000, 1000), -EINVAL);
	assert_int_equal(mmuext(MMUEXT_SET_LDT, 0x1000, 8192), 0);
	page(pool[9])[511] = 3;
	assert_int_equal(mmuext(MMUEXT_COPY_PAGE, pool[10], pool[9]), 0);
	assert_int_equal(page(pool[10])[511], 3);
	assert_int_equal(mmuext(MMUEXT_CLEAR_PAGE, pool[10], 0), 0);
	assert_int_equal(page(pool[10])[511], 0);
	assert_int_equal(mmuext(MMUEXT_CLEAR_PAGE, L1, 0), -EINVAL);
	assert_int_equal(mmuext(MMUEXT_COPY_PAGE, pool[10], 3), -EINVAL);
	assert_int_equal(mmuext(MMUEXT_COPY_PAGE, 3, pool[10]), -EINVAL);
	assert_int_equal(mmuext(MMUEXT_PIN_L1_TABLE, 1UL << 40, 0), -EINVAL);
	assert_int_equal(mmuext(MMUEXT_UNPIN_TABLE, FAKE_RAM, 0), -EINVAL);
}

static long reservation_op(unsigned int cmd, uint64_t *extents, unsigned long n, unsigned int order,
			   domid_t id)
{
	struct xen_memory_reservation r = {.nr_extents = n, .extent_order = order, .domid = id};

	r.extent_start.p = extents;
	return finish_hypercall(do_memory_op(cmd, (vaddr_t)&r));
}

static void reservations(void **state)
{
	uint64_t list[200];
	struct xen_memory_domain who = {DOMID_SELF};

	guest.mm.max_pages = 400;
	for (unsigned int i = 0; i < 200; i++)
		list[i] = i;
	fake_preempt = preempt_often;
	assert_int_equal(reservation_op(XENMEM_populate_physmap, list, 200, 0, DOMID_SELF), 200);
	for (unsigned int i = 0; i < 200; i++)
		assert_int_equal(m2p_get(list[i]), i);
	check_model();
	assert_int_equal(do_memory_op(XENMEM_current_reservation, (vaddr_t)&who), POOL + 200);
	assert_int_equal(do_memory_op(XENMEM_maximum_reservation, (vaddr_t)&who), 400);
	assert_int_equal(reservation_op(XENMEM_decrease_reservation, list, 200, 0, guest.id), 200);
	assert_int_equal(m2p_get(list[7]), INVALID_M2P_ENTRY);
	check_model();
	/* As far as the limit goes; nowhere to report to is fine. */
	assert_int_equal(reservation_op(XENMEM_increase_reservation, NULL, 500, 2, DOMID_SELF),
			 (400 - POOL) / 4);
	/* What is malformed does nothing. */
	list[0] = L1;
	list[1] = 3;
	assert_int_equal(reservation_op(XENMEM_decrease_reservation, list, 1, 19, DOMID_SELF), 0);
	assert_int_equal(reservation_op(XENMEM_decrease_reservation, list + 1, 1, 0, DOMID_SELF),
			 0);
	assert_int_equal(reservation_op(XENMEM_decrease_reservation, list, ~0UL, 0, DOMID_SELF), 0);
	assert_int_equal(
	    reservation_op(XENMEM_decrease_reservation, list, 1UL << 58, 0, DOMID_SELF), 0);
	assert_int_equal(reservation_op(XENMEM_populate_physmap, NULL, 1, 0, DOMID_SELF), 0);
	assert_int_equal(reservation_op(XENMEM_increase_reservation, list, 1, 0, 4242), 0);
	assert_int_equal(do_memory_op(XENMEM_increase_reservation, 16), -EFAULT);
	assert_int_equal(do_memory_op(XENMEM_maximum_ram_page, 0), FAKE_RAM - 1);
	assert_int_equal(do_memory_op(63, 0), -ENOSYS);
	/* A start that a guest makes up. */
	assert_int_equal(
	    reservation_op(XENMEM_decrease_reservation | 7 << 6, list, 3, 0, DOMID_SELF), 7);
}

static long do_exchange(uint64_t *in, unsigned int in_order, uint64_t *out, unsigned int out_order,
			unsigned long frames, unsigned int mem_flags, unsigned long *done)
{
	struct xen_memory_exchange x = {0};
	long rc;

	x.in.domid = x.out.domid = DOMID_SELF;
	x.in.extent_start.p = in;
	x.out.extent_start.p = out;
	x.in.extent_order = in_order;
	x.out.extent_order = out_order;
	x.in.nr_extents = frames >> in_order;
	x.out.nr_extents = frames >> out_order;
	x.out.mem_flags = mem_flags;
	rc = finish_hypercall(do_memory_op(XENMEM_exchange, (vaddr_t)&x));
	*done = x.nr_exchanged;
	return rc;
}

static void exchanges(void **state)
{
	uint64_t in[16], out[16] = {500, 508}, back[16];
	uint64_t pages = guest.mm.tot_pages;
	unsigned long done;

	for (unsigned int i = 0; i < 16; i++) {
		in[i] = pool[30 + i];
		back[i] = i;
	}
	assert_int_equal(do_exchange(in, 0, out, 3, 16, 0, &done), 0);
	assert_int_equal(done, 16);
	check_model();
	assert_int_equal(guest.mm.tot_pages, pages);
	assert_int_equal(out[0] & 7, 0);
	assert_int_equal(m2p_get(out[1] + 7), 508 + 7);
	assert_int_equal(m2p_get(in[0]), INVALID_M2P_ENTRY);
	/* And back, in pieces. */
	assert_int_equal(do_exchange(out, 3, back, 0, 16, 0, &done), 0);
	assert_int_equal(done, 2);
	check_model();
	/* A frame in use, or named twice: that part is as before. */
	in[0] = back[0];
	in[1] = DATA;
	assert_int_equal(do_exchange(in, 0, out, 1, 2, 0, &done), -EINVAL);
	in[1] = in[0];
	assert_int_equal(do_exchange(in, 0, out, 1, 2, 0, &done), -EINVAL);
	assert_int_equal(done, 0);
	check_model();
	/* No memory of that kind. */
	in[1] = back[1];
	assert_int_equal(do_exchange(in, 0, out, 1, 2, XENMEMF_address_bits(13), &done), -ENOMEM);
	check_model();
	assert_int_equal(do_exchange(in, 0, out, 10, 1024, 0, &done), -EPERM);
	assert_int_equal(do_exchange(in, 0, (void *)8, 0, 1, 0, &done), -EFAULT);
	assert_int_equal(do_exchange((void *)8, 0, out, 0, 1, 0, &done), -EFAULT);
	check_model();
	assert_int_equal(guest.mm.tot_pages, pages);
}

static void maps(void **state)
{
	struct xen_machphys_mapping mapping;
	struct __packed {
		uint64_t start, size;
		uint32_t type;
	} entry[3];
	struct xen_memory_map map = {.nr_entries = 3};

	assert_int_equal(do_memory_op(XENMEM_machphys_mapping, (vaddr_t)&mapping), 0);
	assert_int_equal(mapping.v_start, M2P_RO_VIRT_START);
	assert_int_equal(mapping.max_mfn, FAKE_RAM - 1);
	memory_map_entries = 2;
	memory_map[1] = (struct memory_range){0x1000, 0x3000, 2};
	map.buffer.p = entry;
	assert_int_equal(do_memory_op(XENMEM_machine_memory_map, (vaddr_t)&map), 0);
	assert_int_equal(map.nr_entries, 2);
	assert_int_equal(entry[1].size, 0x2000);
	map.buffer.p = NULL;
	map.nr_entries = 0;
	assert_int_equal(do_memory_op(XENMEM_machine_memory_map, (vaddr_t)&map), 0);
	assert_int_equal(map.nr_entries, 2);
	assert_int_equal(do_memory_op(XENMEM_memory_map, (vaddr_t)&map), -ENOSYS);
	assert_int_equal(do_memory_op(XENMEM_machine_memory_map, 16), -EFAULT);
}

/* ---- emulated writes ---- */

static struct cpu_user_regs regs;

static bool emulate(const void *insn, size_t len, vaddr_t va)
{
	static uint8_t code[32];

	memset(code, 0xcc, sizeof(code));
	memcpy(code, insn, len);
	regs.rip = (uint64_t)code;
	return mm_emulate_pte_write(&vcpu, va, &regs);
}

#define EMULATE(va, ...) \
	emulate((const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}), va)

static void emulated_writes(void **state)
{
	vaddr_t at = TABLE_VA + 16 * 8;

	memset(&regs, 0, sizeof(regs));
	regs.rdi = at;
	regs.rax = pte(DATA, RW);
	assert_true(EMULATE(at, 0x48, 0x89, 0x07)); /* mov %rax,(%rdi) */
	assert_int_equal(page(L1)[16], pte(DATA, RW));
	check_model();
	assert_true(EMULATE(at, 0xf0, 0x80, 0x27, 0xfd)); /* lock andb $~2,(%rdi) */
	assert_int_equal(page(L1)[16], pte(DATA, RO));
	check_model();
	regs.rax = 0;
	assert_true(EMULATE(at, 0x48, 0x87, 0x07)); /* xchg %rax,(%rdi) */
	assert_int_equal(regs.rax, pte(DATA, RO));
	assert_int_equal(page(L1)[16], 0);
	check_model();
	/* Halves: each is an entry of its own meanwhile. */
	assert_true(EMULATE(at + 4, 0xc7, 0x47, 0x04, 0, 0, 0, 0x80)); /* movl $nx,4(%rdi) */
	assert_int_equal(page(L1)[16], PTE_NX);
	assert_true(EMULATE(at, 0x89, 0x07));
	assert_int_equal(page(L1)[16], pte(DATA, RO | PTE_NX));
	/* What is not allowed stays a fault, with registers and entry as before. */
	regs.rax = pte(L4, RW);
	assert_false(EMULATE(at, 0x48, 0x89, 0x07));
	assert_false(EMULATE(at, 0x48, 0x87, 0x07));
	assert_int_equal(regs.rax, pte(L4, RW));
	assert_int_equal(page(L1)[16], pte(DATA, RO | PTE_NX));
	/* Not the address it faulted on; across two entries; not a table; a table of level 2. */
	regs.rax = 0;
	assert_false(EMULATE(at + 8, 0x48, 0x89, 0x07));
	regs.rdi = at + 4;
	assert_false(EMULATE(at + 4, 0x48, 0x89, 0x07));
	regs.rdi = 0x200000;
	assert_false(EMULATE(0x200000, 0x48, 0x89, 0x07));
	assert_int_equal(do_update_va_mapping(FREE_VA, pte(L2, RO), 0), 0);
	regs.rdi = FREE_VA;
	assert_false(EMULATE(FREE_VA, 0x48, 0x89, 0x07));
	assert_int_equal(do_update_va_mapping(FREE_VA, pte(pool[9], RO), 0), 0);
	assert_false(EMULATE(FREE_VA, 0x48, 0x89, 0x07));
	/* A bit that a register names, before the operand; a table by its distance from rip. */
	assert_int_equal(mmu_update(l1(16), 0, DOMID_SELF), 0);
	regs.rdi = at + 4;
	regs.rax = 0xffffffff;
	assert_true(EMULATE(at, 0x0f, 0xab, 0x07)); /* bts %eax,(%rdi) */
	assert_int_equal(page(L1)[16], 0x80000000);
	/* rep stos goes one by one and stays at the instruction till the end. */
	regs.rdi = TABLE_VA + 32 * 8;
	regs.rcx = 2;
	assert_true(EMULATE(regs.rdi, 0xf3, 0x48, 0xab));
	assert_int_equal(regs.rcx, 1);
	assert_true(EMULATE(regs.rdi, 0xf3, 0x48, 0xab));
	assert_int_equal(regs.rdi, TABLE_VA + 34 * 8);
	regs.rip = 8;
	assert_false(mm_emulate_pte_write(&vcpu, at, &regs));
}

int main(void)
{
#define TEST(t) cmocka_unit_test_setup_teardown(t, start, stop)
	const struct CMUnitTest tests[] = {
	    TEST(update_arguments),
	    cmocka_unit_test_setup_teardown(update_of_plain_guest, start_plain, stop),
	    cmocka_unit_test_setup_teardown(device_of_plain_guest, start_plain, stop),
	    TEST(devices),
	    TEST(accessed_and_dirty),
	    TEST(ordinary_memory),
	    TEST(lists),
	    TEST(unhooked),
	    TEST(va_mapping),
	    TEST(ext_ops),
	    TEST(reservations),
	    TEST(exchanges),
	    TEST(maps),
	    TEST(emulated_writes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
