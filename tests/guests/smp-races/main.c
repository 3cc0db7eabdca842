/* SPDX-License-Identifier: MIT */
/*
 * Several vCPUs at the same pages: they pin, unpin, map and write the same frames as different things at the same
 * time. Every answer is allowed; what is not is a table that somebody can write to, which each vCPU looks for, or a
 * mismatch in the page audit at the end. Arguments: rounds=N.
 */
#include "../test.h"

#define PAGES 8
#define AREA  0x0000200000000000ul
#define MARK  0x5a5a5a5a5a5a5000ul

static uint64_t *pages[PAGES];
static unsigned long mfns[PAGES];
static volatile unsigned int finished, stop;
static volatile unsigned long successes[XEN_LEGACY_MAX_VCPUS], failures[XEN_LEGACY_MAX_VCPUS],
    broken;
static unsigned long rounds;

/* A place of our own in the address space for each vCPU. */
static unsigned long place(unsigned int vcpu)
{
	return AREA + vcpu * PAGE_SIZE;
}

static long update_one(uint64_t ptr, uint64_t value)
{
	struct mmu_update update = {.ptr = ptr, .val = value};

	return hypercall_mmu_update(&update, 1, NULL, DOMID_SELF);
}

static long mmuext_one(unsigned int cmd, unsigned long mfn)
{
	struct mmuext_op op = {.cmd = cmd, .arg1.mfn = mfn};

	return hypercall_mmuext_op(&op, 1, NULL, DOMID_SELF);
}

/* Map the page writable at our place; if we could, it is no table, so a write must not upset anybody. */
static bool map_and_write(unsigned int vcpu, unsigned int n)
{
	if (hypercall_update_va_mapping(place(vcpu), pte_make(mfns[n], PTE_DATA), UVMF_INVLPG))
		return false;
	/* An entry that is not present: harmless if it is found in a table later. */
	((volatile uint64_t *)place(vcpu))[vcpu] = MARK;
	return !hypercall_update_va_mapping(place(vcpu), 0, UVMF_INVLPG);
}

/* Pin the page at some level; while it is pinned nobody may map it writable. */
static bool pin_and_try(unsigned int vcpu, unsigned int n, unsigned int level)
{
	if (mmuext_one(MMUEXT_PIN_L1_TABLE + level, mfns[n]))
		return false;
	if (!hypercall_update_va_mapping(place(vcpu), pte_make(mfns[n], PTE_DATA), UVMF_INVLPG)) {
		/* Only if another vCPU has unpinned it in between: then it is no table now, and ours is no pin. */
		if (!mmuext_one(MMUEXT_UNPIN_TABLE, mfns[n]))
			broken++;
		hypercall_update_va_mapping(place(vcpu), 0, UVMF_INVLPG);
		return true;
	}
	mmuext_one(MMUEXT_UNPIN_TABLE, mfns[n]);
	return true;
}

static bool one(unsigned int vcpu, uint64_t *state)
{
	unsigned int n = test_random(state) % PAGES, m = test_random(state) % PAGES;

	switch (test_random(state) % 8) {
	case 0:
	case 1:
		return map_and_write(vcpu, n);
	case 2:
	case 3:
		return pin_and_try(vcpu, n, 0);
	case 4:
		return pin_and_try(vcpu, n, 1);
	case 5:
		/* An entry of one page, if it is a table, points to another. */
		return !update_one((uint64_t)mfns[n] << PAGE_SHIFT | (64 + vcpu) * 8,
				   pte_make(mfns[m], PTE_DATA));
	case 6:
		return !update_one((uint64_t)mfns[n] << PAGE_SHIFT | (64 + vcpu) * 8, 0);
	default:
		return !mmuext_one(MMUEXT_UNPIN_TABLE, mfns[n]);
	}
}

static void race(unsigned int vcpu)
{
	uint64_t state = 0x9e3779b97f4a7c15 * (vcpu + 1);

	for (unsigned long round = 0; round < rounds; round++) {
		if (one(vcpu, &state))
			successes[vcpu]++;
		else
			failures[vcpu]++;
	}
	hypercall_update_va_mapping(place(vcpu), 0, UVMF_INVLPG);
}

static void race_elsewhere(void *argument)
{
	race((unsigned long)argument);
	__atomic_fetch_add(&finished, 1, __ATOMIC_SEQ_CST);
	while (!stop)
		cpu_relax();
	for (;;)
		hypercall_vcpu_op(VCPUOP_down, (unsigned long)argument, NULL);
}

static void races(void)
{
	unsigned int vcpus = vcpu_count();
	uint64_t end;

	if (vcpus < 2) {
		test_skip("one vCPU");
		return;
	}
	rounds = test_argument("rounds", 20000);
	EXPECT(
	    page_map(page_root, AREA, pte_make(virt_to_mfn(page_root), PTE_READ_ONLY), DOMID_SELF),
	    0);
	for (unsigned int i = 0; i < PAGES; i++) {
		pages[i] = page_alloc();
		mfns[i] = virt_to_mfn(pages[i]);
		/* Nobody maps them now but the vCPUs, each at its place. */
		EXPECT(page_set(pages[i], 0), 0);
	}
	for (unsigned long i = 1; i < vcpus; i++)
		EXPECT(vcpu_start(i, race_elsewhere, (void *)i, test_stack()), 0);
	race(0);
	end = clock_now() + 100 * NSEC_PER_SEC;
	while (finished < vcpus - 1 && clock_now() < end)
		hypercall_sched_op(SCHEDOP_yield, NULL);
	EXPECT(finished, vcpus - 1);
	stop = 1;
	for (unsigned int i = 0; i < vcpus; i++) {
		printk("vCPU %u: %lu done, %lu refused\n", i, successes[i], failures[i]);
		EXPECT_TRUE(successes[i] > 100 && failures[i] > 100);
	}
	EXPECT(broken, 0);
}

/* All references end: every page is an ordinary one again. */
static void afterwards(void)
{
	if (!pages[0]) {
		test_skip("one vCPU");
		return;
	}
	for (unsigned int i = 0; i < PAGES; i++) {
		while (!mmuext_one(MMUEXT_UNPIN_TABLE, mfns[i]))
			;
	}
	for (unsigned int i = 0; i < PAGES; i++) {
		EXPECT(page_set(pages[i], pte_make(mfns[i], PTE_DATA)), 0);
		memset(pages[i], 0, PAGE_SIZE);
		page_free(pages[i]);
	}
}

/* Events sent from all to all, with masks changing: none is lost. */
static evtchn_port_t ports[XEN_LEGACY_MAX_VCPUS];
static volatile unsigned long received;

static void on_event(evtchn_port_t port, void *data)
{
	received++;
}

static void event_storm(void)
{
	struct evtchn_bind_ipi op = {.vcpu = 0};

	EXPECT(hypercall_event_channel_op(EVTCHNOP_bind_ipi, &op), 0);
	ports[0] = op.port;
	event_handler_set(op.port, on_event, NULL);
	event_unmask(op.port);
	for (unsigned int i = 1; i <= 2000; i++) {
		event_send(op.port);
		if (i % 3 == 0) {
			event_mask(op.port);
			event_send(op.port);
			event_unmask(op.port);
		}
	}
	EXPECT(received, 2000 + 2000 / 3);
	EXPECT(event_close(op.port), 0);
}

static const struct test tests[] = {
    {"races over pages", races},
    {"afterwards", afterwards},
    {"storm of events", event_storm},
};

void guest_main(void)
{
	test_main("smp-races", tests, COUNT_OF(tests));
}
