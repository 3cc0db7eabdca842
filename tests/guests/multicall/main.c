/* SPDX-License-Identifier: MIT */
/* multicall: results, order, calls of every kind, failures inside, bad arguments, continued calls. */
#include "../test.h"

#define VERSION (4 << 16 | 17)
#define MANY	2000

static struct multicall_entry version_call(void)
{
	return (struct multicall_entry){
	    .op = __HYPERVISOR_xen_version, .result = 99, .args = {XENVER_version, 0}};
}

static void results(void)
{
	struct multicall_entry calls[3] = {
	    version_call(),
	    {.op = __HYPERVISOR_sched_op, .result = 99, .args = {1000, 0}},
	    version_call(),
	};

	EXPECT(hypercall_multicall(calls, 3), 0);
	EXPECT(calls[0].result, VERSION);
	EXPECT(calls[1].result, -ENOSYS);
	EXPECT(calls[2].result, VERSION);
}

static void none(void)
{
	EXPECT(hypercall_multicall(NULL, 0), 0);
}

/* Effects come in order: two mappings of one page, the second stays. */
static void order(void)
{
	uint64_t *a = page_alloc(), *b = page_alloc(), *place = page_alloc();
	struct multicall_entry calls[3] = {
	    {.op = __HYPERVISOR_update_va_mapping,
	     .args = {(unsigned long)place, pte_make(virt_to_mfn(a), PTE_DATA), UVMF_INVLPG}},
	    {.op = __HYPERVISOR_update_va_mapping,
	     .args = {(unsigned long)place, pte_make(virt_to_mfn(b), PTE_DATA), UVMF_INVLPG}},
	    version_call(),
	};

	a[0] = 1;
	b[0] = 2;
	EXPECT(hypercall_multicall(calls, 3), 0);
	EXPECT(calls[0].result, 0);
	EXPECT(calls[1].result, 0);
	EXPECT(place[0], 2);
	EXPECT(page_writable(place), 0);
	page_free(a);
	page_free(b);
	page_free(place);
}

static void many(void)
{
	static struct multicall_entry calls[MANY];

	for (unsigned int i = 0; i < MANY; i++)
		calls[i] = version_call();
	EXPECT(hypercall_multicall(calls, MANY), 0);
	for (unsigned int i = 0; i < MANY; i++)
		if (!EXPECT(calls[i].result, VERSION))
			break;
}

static void unknown_calls(void)
{
	struct multicall_entry calls[4] = {version_call(), version_call(), version_call(),
					   version_call()};

	calls[0].op = 11;
	calls[1].op = 1000;
	calls[2].op = ~0ul;
	EXPECT(hypercall_multicall(calls, 4), 0);
	for (unsigned int i = 0; i < 3; i++)
		EXPECT(calls[i].result, -ENOSYS);
	EXPECT(calls[3].result, VERSION);
}

/*
 * One in another: refused, or carried out; and the return from a trap has no place here at all. Real Xen makes it,
 * with whatever the stack holds, so that question is for Cerne alone.
 */
static void nested(void)
{
	struct multicall_entry inner = version_call();
	struct multicall_entry calls[2] = {
	    {.op = __HYPERVISOR_multicall, .args = {(unsigned long)&inner, 1}}, version_call()};

	EXPECT(hypercall_multicall(calls, 2), 0);
	if (calls[0].result == 0)
		EXPECT(inner.result, VERSION);
	else
		EXPECT(calls[0].result, -EINVAL);
	EXPECT(calls[1].result, VERSION);
	if (!test_on_cerne())
		return;
	calls[0] = (struct multicall_entry){.op = __HYPERVISOR_iret};
	EXPECT(hypercall_multicall(calls, 2), 0);
	EXPECT((long)calls[0].result < 0, 1);
	EXPECT(calls[1].result, VERSION);
}

static void bad_pointers(void)
{
	EXPECT(hypercall_multicall((void *)NOT_MAPPED, 1), -EFAULT);
	EXPECT(hypercall_multicall((void *)OF_HYPERVISOR, 1), -EFAULT);
	EXPECT(hypercall_multicall((void *)NOT_CANONICAL, 1), -EFAULT);
	EXPECT(hypercall_multicall((void *)-64ul, ~0u), -EFAULT);
}

/* The result can't be stored: the calls after that one are not made. */
static void read_only(void)
{
	struct multicall_entry *calls = page_alloc();

	calls[0] = calls[1] = version_call();
	EXPECT(page_read_only(calls), 0);
	EXPECT(hypercall_multicall(calls, 2), -EFAULT);
	EXPECT(page_writable(calls), 0);
	EXPECT(calls[1].result, 99);
	page_free(calls);
}

/* The second entry lies on a page that is not there. */
static void across_the_end(void)
{
	struct multicall_entry *page = page_alloc();
	char *two = frames_map(virt_to_mfn(page), 1, PTE_DATA, DOMID_SELF, NULL);
	struct multicall_entry *last;

	if (!EXPECT_TRUE(two))
		return;
	last = (struct multicall_entry *)(two + PAGE_SIZE) - 1;
	*last = version_call();
	EXPECT(hypercall_multicall(last, 2), -EFAULT);
	EXPECT(last->result, VERSION);
	EXPECT(hypercall_multicall(last, 1), 0);
	frames_unmap(two, 1);
	page_free(page);
}

/* Work long enough to be continued inside: pins of full tables and a batch of updates. */
static void long_work(void)
{
	enum { UPDATES = 3000 };
	static struct mmu_update updates[UPDATES];
	static struct multicall_entry calls[10];
	static unsigned int done;
	uint64_t *target = page_alloc(), *l1 = page_alloc();

	for (unsigned int i = 0; i < 512; i++)
		l1[i] = pte_make(virt_to_mfn(target), PTE_DATA);
	EXPECT(page_read_only(l1), 0);
	EXPECT(page_pin(l1, 1), 0);
	for (unsigned int i = 0; i < UPDATES; i++)
		updates[i] = (struct mmu_update){virt_to_machine(&l1[i % 512]),
						 pte_make(virt_to_mfn(target), PTE_DATA)};
	for (unsigned int i = 0; i < COUNT_OF(calls); i++)
		calls[i] = (struct multicall_entry){
		    .op = __HYPERVISOR_mmu_update,
		    .result = 99,
		    .args = {(unsigned long)updates, UPDATES, (unsigned long)&done, DOMID_SELF}};
	EXPECT(hypercall_multicall(calls, COUNT_OF(calls)), 0);
	for (unsigned int i = 0; i < COUNT_OF(calls); i++)
		EXPECT(calls[i].result, 0);
	EXPECT(done, UPDATES);
	EXPECT(page_unpin(l1), 0);
	EXPECT(page_writable(l1), 0);
	page_free(l1);
	page_free(target);
}

/* Timer events come in the middle of it and are delivered (real Xen adds one now and then). */
static volatile unsigned int fired;

static void on_timer(evtchn_port_t port, void *data)
{
	fired++;
}

static void with_events(void)
{
	static struct multicall_entry calls[MANY];
	long port = event_bind_virq(VIRQ_TIMER, on_timer, NULL);
	unsigned int wanted = 0;

	EXPECT_TRUE(port > 0);
	fired = 0;
	for (int round = 0; round < 20; round++) {
		for (unsigned int i = 0; i < MANY; i++)
			calls[i] = version_call();
		EXPECT(clock_timer_set(clock_now() + 20000), 0);
		wanted++;
		EXPECT(hypercall_multicall(calls, MANY), 0);
		for (unsigned int i = 0; i < MANY; i++)
			if (!EXPECT(calls[i].result, VERSION))
				break;
		for (uint64_t end = clock_now() + NSEC_PER_SEC;
		     fired < wanted && clock_now() < end;)
			cpu_relax();
	}
	EXPECT_TRUE(fired >= wanted && fired <= 2 * wanted);
	EXPECT(event_close(port), 0);
}

static const struct test tests[] = {
    {"results", results},
    {"no calls", none},
    {"order", order},
    {"many calls", many},
    {"unknown calls", unknown_calls},
    {"one in another", nested},
    {"bad pointers", bad_pointers},
    {"read-only entries", read_only},
    {"entries across the end of what is mapped", across_the_end},
    {"long work", long_work},
    {"with events", with_events},
};

void guest_main(void)
{
	test_main("multicall", tests, COUNT_OF(tests));
}
