/* SPDX-License-Identifier: MIT */
/*
 * A guest that means harm: random hypercalls with random arguments, many of them almost right. Whatever the answers,
 * the hypervisor and this guest must be there afterwards, and the page audit at the end must be clean. Arguments:
 * seed=N, rounds=N.
 *
 * Real Xen 4.17 is no reference for this one: as first domain it makes Xen fault within ten thousand rounds.
 *
 * Left out is what would end the domain as it should: iret, a shutdown, the removal of the pages and of the entry
 * points that the test stands on.
 */
#include "../test.h"

static uint64_t state;
static uint64_t *buffer, *scratch[16];
/* Machine addresses of the entries that map the scratch pages. */
static uint64_t places[COUNT_OF(scratch)];
static unsigned long counts[2];

static uint64_t any(uint64_t limit)
{
	return test_random(&state) % limit;
}

/* Numbers that are likely to matter somewhere. */
static uint64_t number(void)
{
	static const uint64_t edges[] = {
	    0,	       1,	  2,	     7,		8,	    0x7ff0,	0x7ff1,
	    0x7ff2,    0x7ff4,	  4095,	     4096,	0x7fffffff, 0x80000000, 0xffffffff,
	    1ul << 32, 1ul << 47, 1ul << 52, 1ul << 63, ~0ul,	    0x210,	0xfee00,
	};

	switch (any(4)) {
	case 0:
		return edges[any(COUNT_OF(edges))];
	case 1:
		return any(32);
	case 2:
		return test_random(&state);
	default:
		return test_random(&state) & 0xfffff;
	}
}

/* Pointers: a page of ours, its end, nothing, the hypervisor's, read-only ones. */
static uint64_t pointer(void)
{
	static const uint64_t odd[] = {
	    0,	  NOT_MAPPED,	 NOT_CANONICAL, OF_HYPERVISOR, HYPERVISOR_VIRT_START,
	    -8ul, 0x7ffffffffff8};

	switch (any(8)) {
	case 0:
		return odd[any(COUNT_OF(odd))];
	case 1:
		return (unsigned long)buffer + PAGE_SIZE - any(64);
	case 2:
		return (unsigned long)page_root + any(PAGE_SIZE);
	case 3:
		return (unsigned long)hypercall_page + any(PAGE_SIZE);
	default:
		return (unsigned long)buffer + any(64) * 8;
	}
}

/* Frames: mostly those of the scratch pages, which may become anything. */
static uint64_t frame(void)
{
	switch (any(8)) {
	case 0:
		return number();
	case 1:
		return virt_to_mfn(page_root);
	case 2:
		return start_info->shared_info >> PAGE_SHIFT;
	default:
		return virt_to_mfn(scratch[any(COUNT_OF(scratch))]);
	}
}

static uint64_t entry(void)
{
	uint64_t flags = any(2) ? PTE_DATA : test_random(&state) & 0x80000000000001ff;

	return any(8) ? frame() << PAGE_SHIFT | flags : test_random(&state);
}

/* Fill the buffer with words of every kind. */
static void fill(void)
{
	for (unsigned int i = 0; i < 64; i++) {
		switch (any(5)) {
		case 0:
			buffer[i] = pointer();
			break;
		case 1:
			buffer[i] = frame();
			break;
		case 2:
			buffer[i] = entry();
			break;
		default:
			buffer[i] = number();
		}
	}
}

/* Places of our own tables that may be changed: the entries of scratch pages. */
static uint64_t table_place(void)
{
	if (any(8) == 0)
		return number();
	if (any(2))
		return places[any(COUNT_OF(scratch))] | any(4);
	return virt_to_machine(scratch[any(COUNT_OF(scratch))]) + any(512) * 8 + any(4);
}

static long paging_call(void)
{
	struct mmu_update *updates = (void *)buffer;
	struct mmuext_op *ops = (void *)buffer;
	unsigned int count = 1 + any(4);
	domid_t domain = any(4) ? DOMID_SELF : number();

	switch (any(4)) {
	case 0:
		for (unsigned int i = 0; i < count; i++)
			updates[i] = (struct mmu_update){table_place(), entry()};
		return hypercall_mmu_update(updates, count, any(2) ? NULL : (void *)pointer(),
					    domain);
	case 1:
		for (unsigned int i = 0; i < count; i++) {
			ops[i] = (struct mmuext_op){.cmd = any(24)};
			ops[i].arg1.mfn = frame();
			ops[i].arg2.src_mfn = any(2) ? frame() : pointer();
			/* These would take away what the test runs on. */
			if (ops[i].cmd == MMUEXT_NEW_BASEPTR)
				ops[i].arg1.mfn = any(2) ? virt_to_mfn(page_root) : 0x210;
			if (ops[i].cmd == MMUEXT_UNPIN_TABLE &&
			    ops[i].arg1.mfn == virt_to_mfn(page_root))
				ops[i].cmd = MMUEXT_TLB_FLUSH_LOCAL;
			if (ops[i].cmd == MMUEXT_CLEAR_PAGE || ops[i].cmd == MMUEXT_COPY_PAGE)
				ops[i].arg1.mfn = virt_to_mfn(scratch[any(COUNT_OF(scratch))]);
		}
		return hypercall_mmuext_op(ops, count, any(2) ? NULL : (void *)pointer(), domain);
	case 2:
		return hypercall_update_va_mapping((unsigned long)scratch[any(COUNT_OF(scratch))],
						   entry(),
						   any(8) | (any(4) ? 0 : pointer() & ~7ul));
	default:
		return hypercall_update_va_mapping_otherdomain(
		    (unsigned long)scratch[any(COUNT_OF(scratch))], entry(), any(8), domain);
	}
}

static long memory_call(void)
{
	struct xen_memory_reservation *op = (void *)buffer;
	unsigned int cmd = any(32);

	fill();
	if (cmd <= XENMEM_decrease_reservation || cmd == XENMEM_populate_physmap) {
		set_xen_guest_handle(op->extent_start,
				     (void *)(any(4) ? (uint64_t)&buffer[8] : pointer()));
		op->nr_extents = any(4) ? any(5) : number();
		op->extent_order = any(4) ? 0 : number();
		op->mem_flags = any(2) ? 0 : number();
		op->domid = any(4) ? DOMID_SELF : number();
	}
	return hypercall_memory_op(cmd | (any(16) ? 0 : number() & ~63ul), buffer);
}

/* Descriptors into scratch pages, tables made of them, and then the good ones again. */
static long segment_call(void)
{
	xen_pfn_t *frames = (void *)buffer;

	switch (any(4)) {
	case 0:
		return hypercall_update_descriptor(table_place() & ~3ul, test_random(&state));
	case 1:
		for (unsigned int i = 0; i < 16; i++)
			frames[i] = frame();
		return hypercall_set_gdt(frames, any(2) ? any(8000) : number());
	case 2:
		return hypercall_stack_switch(number(), pointer());
	default:
		/* Not the kernel's GS: events and masks hang on it. */
		return hypercall_set_segment_base(any(2) ? SEGBASE_FS : SEGBASE_GS_USER, pointer());
	}
}

static long event_call(void)
{
	fill();
	return hypercall_event_channel_op(any(18), buffer);
}

static long sched_call(void)
{
	int op = any(12);

	fill();
	if (op == SCHEDOP_shutdown || op == SCHEDOP_block || op == SCHEDOP_watchdog ||
	    op == SCHEDOP_shutdown_code)
		op = SCHEDOP_yield;
	/* A poll that ends soon. */
	if (op == SCHEDOP_poll)
		((struct sched_poll *)buffer)->timeout = 1;
	if (op == SCHEDOP_remote_shutdown)
		((struct sched_remote_shutdown *)buffer)->domain_id = 1 + any(0x7fee);
	return hypercall_sched_op(op, buffer);
}

static long vcpu_call(void)
{
	int op = any(16);
	unsigned int vcpu = any(2) ? 0 : number();

	fill();
	/* Not us down, not our record away, no areas that would be written over what we need later. */
	if (op == VCPUOP_down || op == VCPUOP_register_vcpu_info || op == VCPUOP_send_nmi)
		vcpu = 1 + any(4000);
	if (op == VCPUOP_register_runstate_memory_area ||
	    op == VCPUOP_register_vcpu_time_memory_area)
		buffer[0] = any(2) ? OF_HYPERVISOR : (unsigned long)&buffer[256];
	return hypercall_vcpu_op(op, vcpu, any(8) ? buffer : (void *)pointer());
}

/* Calls that are harmless to this guest with any argument. */
static long any_call(void)
{
	static const unsigned int numbers[] = {
	    __HYPERVISOR_console_io,
	    __HYPERVISOR_xen_version,
	    __HYPERVISOR_grant_table_op,
	    __HYPERVISOR_vm_assist,
	    __HYPERVISOR_set_debugreg,
	    __HYPERVISOR_get_debugreg,
	    __HYPERVISOR_set_timer_op,
	    __HYPERVISOR_xsm_op,
	    __HYPERVISOR_nmi_op,
	    __HYPERVISOR_xenoprof_op,
	    __HYPERVISOR_kexec_op,
	    __HYPERVISOR_tmem_op,
	    __HYPERVISOR_argo_op,
	    __HYPERVISOR_xenpmu_op,
	    __HYPERVISOR_hypfs_op,
	    __HYPERVISOR_dm_op,
	    __HYPERVISOR_hvm_op,
	    __HYPERVISOR_arch_0,
	    __HYPERVISOR_fpu_taskswitch,
	    11,
	    47,
	    63,
	};
	unsigned int call = numbers[any(COUNT_OF(numbers))];
	uint64_t first = any(4) ? any(16) : number();

	fill();
	/* Writing would spoil the report; reading is as good. */
	if (call == __HYPERVISOR_console_io)
		first = 1 + any(1000);
	/* Its handler is code of ours that expects to be called. */
	if (call == __HYPERVISOR_nmi_op)
		first = 1;
	/* No breakpoints: only addresses that never come. */
	if (call == __HYPERVISOR_set_debugreg)
		return hypercall_set_debugreg(first, first == 7 ? 0 : number());
	if (call == __HYPERVISOR_vm_assist)
		return hypercall_vm_assist(any(3), number());
	return hypercall5(call, first, any(2) ? pointer() : number(), any(2) ? pointer() : number(),
			  any(2) ? pointer() : number(), any(2) ? pointer() : number());
}

static long physdev_call(void)
{
	int op = any(40);

	fill();
	/* Nothing that sets up real interrupts or devices of the machine under the hypervisor's feet. */
	if (op == PHYSDEVOP_apic_write)
		op = PHYSDEVOP_apic_read;
	return hypercall_physdev_op(op, any(8) ? buffer : (void *)pointer());
}

static long multicall(void)
{
	/* Where no call of the list writes a result. */
	static struct multicall_entry calls[4];
	unsigned int count = 1 + any(4);

	fill();
	for (unsigned int i = 0; i < count; i++) {
		calls[i].op = any(2) ? __HYPERVISOR_xen_version : 11;
		for (unsigned int j = 0; j < 6; j++)
			calls[i].args[j] = any(2) ? pointer() : number();
		if (any(3) == 0) {
			calls[i].op = __HYPERVISOR_update_va_mapping;
			calls[i].args[0] = (unsigned long)scratch[any(COUNT_OF(scratch))];
			calls[i].args[1] = entry();
		}
	}
	/* Entries that are not ours to choose could take the handlers away: bad pointers only. */
	if (any(8) == 0)
		return hypercall_multicall((void *)(any(2) ? OF_HYPERVISOR : NOT_MAPPED), number());
	return hypercall_multicall(calls, count);
}

/* Scratch pages come back to what they were, as far as they can; those that can't are replaced. */
static void mend(void)
{
	hypercall_set_gdt(NULL, 0);
	test_mmuext(MMUEXT_SET_LDT, 0, 0);
	for (size_t i = 0; i < COUNT_OF(scratch); i++)
		test_mmuext(MMUEXT_UNPIN_TABLE, virt_to_mfn(scratch[i]), 0);
	test_mmuext(MMUEXT_NEW_USER_BASEPTR, 0, 0);
	for (size_t i = 0; i < COUNT_OF(scratch); i++)
		page_set(scratch[i], 0);
	for (size_t i = 0; i < COUNT_OF(scratch); i++) {
		xen_pfn_t pfn = virt_to_pfn(scratch[i]);
		struct xen_memory_reservation op = {.nr_extents = 1, .domid = DOMID_SELF};

		if (!page_set(scratch[i], pte_make(virt_to_mfn(scratch[i]), PTE_DATA)))
			continue;
		set_xen_guest_handle(op.extent_start, &pfn);
		if (hypercall_memory_op(XENMEM_populate_physmap, &op) != 1)
			continue;
		p2m[virt_to_pfn(scratch[i])] = pfn;
		page_set(scratch[i], pte_make(pfn, PTE_DATA));
	}
	/* What the runtime walks its tables by. */
	test_mmu_update(virt_to_machine(page_root) | MMU_MACHPHYS_UPDATE, virt_to_pfn(page_root));
	for (size_t i = 0; i < COUNT_OF(scratch); i++)
		test_mmu_update(virt_to_machine(scratch[i]) | MMU_MACHPHYS_UPDATE,
				virt_to_pfn(scratch[i]));
	for (evtchn_port_t port = 0; port < EVTCHN_2L_NR_CHANNELS; port += 64)
		shared_info->evtchn_mask[port / 64] = ~0ul;
	hypercall_fpu_taskswitch(0);
}

/* TS may be set when an event comes in, which the runtime does not expect; the trap has cleared it. */
static bool on_no_math(struct trap_frame *frame)
{
	return true;
}

static void fuzz(void)
{
	static long (*const calls[])(void) = {paging_call,  paging_call, paging_call,  memory_call,
					      segment_call, event_call,	 sched_call,   vcpu_call,
					      any_call,	    any_call,	 physdev_call, multicall};
	unsigned long rounds = test_argument("rounds", 30000);

	state = test_argument("seed", 1) * 0x9e3779b97f4a7c15 + 1;
	/* The second page takes what runs over the end: the next could be anything by then. */
	buffer = pages_alloc(2);
	for (size_t i = 0; i < COUNT_OF(scratch); i++) {
		scratch[i] = page_alloc();
		page_walk(page_root, (unsigned long)scratch[i], NULL, &places[i]);
	}
	/* It is among the pointers, for results too. */
	EXPECT(page_read_only(hypercall_page), 0);
	trap_handler_set(TRAP_NM, on_no_math);
	events_mask();
	for (unsigned long round = 0; round < rounds; round++) {
		counts[calls[any(COUNT_OF(calls))]() < 0]++;
		if (round % 500 == 499)
			mend();
		if (round % (rounds / 10 + 1) == 0)
			printk("round %lu of seed %lu\n", round, test_argument("seed", 1));
	}
	mend();
	printk("%lu calls succeeded, %lu failed\n", counts[0], counts[1]);
	EXPECT_TRUE(counts[0] > rounds / 20);
	EXPECT_TRUE(counts[1] > rounds / 20);
}

/* The domain is whole: it can still map, trap, take events and tell the time. */
static void still_there(void)
{
	struct evtchn_reset reset = {.dom = DOMID_SELF};
	uint64_t *page = page_alloc(), before = clock_now();

	page[0] = 5;
	EXPECT(page_read_only(page), 0);
	EXPECT(probe_write(page, 6), 0);
	EXPECT(page_writable(page), 0);
	EXPECT(probe_write(page, 6), 1);
	EXPECT(hypercall_event_channel_op(EVTCHNOP_reset, &reset), 0);
	EXPECT(hypercall_xen_version(XENVER_version, NULL), 4 << 16 | 17);
	EXPECT_TRUE(clock_now() >= before);
}

static const struct test tests[] = {
    {"random hypercalls", fuzz},
    {"still there", still_there},
};

void guest_main(void)
{
	test_main("hostile", tests, COUNT_OF(tests));
}
