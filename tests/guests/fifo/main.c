/* SPDX-License-Identifier: MIT */
/*
 * event_channel_op with the FIFO ABI: set-up, queues by priority, masks, polling, other vCPUs, many ports, words that
 * are written to against the rules, and the way back to the two-level ABI.
 */
#include "../test.h"

#define PAGES	       (EVTCHN_FIFO_NR_CHANNELS / WORDS_PER_PAGE)
#define WORDS_PER_PAGE (PAGE_SIZE / sizeof(event_word_t))
#define PENDING	       (1u << EVTCHN_FIFO_PENDING)
#define MASKED	       (1u << EVTCHN_FIFO_MASKED)
#define LINKED	       (1u << EVTCHN_FIFO_LINKED)
#define DEFAULT	       EVTCHN_FIFO_PRIORITY_DEFAULT

static unsigned int vcpus, pages;
static event_word_t *array[PAGES];
static struct evtchn_fifo_control_block *blocks[XEN_LEGACY_MAX_VCPUS];
static evtchn_port_t heads[XEN_LEGACY_MAX_VCPUS][EVTCHN_FIFO_MAX_QUEUES];

/* What was handled, in order. */
static volatile struct {
	evtchn_port_t port;
	unsigned int vcpu;
} handled[64];
static volatile unsigned int count;

static event_word_t *word(evtchn_port_t port)
{
	return &array[port / WORDS_PER_PAGE][port % WORDS_PER_PAGE];
}

static event_word_t clear_linked(event_word_t *w)
{
	event_word_t old = __atomic_load_n(w, __ATOMIC_SEQ_CST);

	while (!__atomic_compare_exchange_n(w, &old, old & ~(LINKED | EVTCHN_FIFO_LINK_MASK), false,
					    __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
		;
	return old & EVTCHN_FIFO_LINK_MASK;
}

/* Everything that is in a vCPU's queues: steps 4 to 7 of public/event_channel.h. */
static void consume(unsigned int vcpu)
{
	struct evtchn_fifo_control_block *block = blocks[vcpu];
	uint32_t ready = 0;

	while ((ready |= __atomic_exchange_n(&block->ready, 0, __ATOMIC_SEQ_CST)) != 0) {
		unsigned int q = __builtin_ctz(ready);
		evtchn_port_t port = heads[vcpu][q];

		if (!port)
			port = __atomic_load_n(&block->head[q], __ATOMIC_SEQ_CST);
		heads[vcpu][q] = clear_linked(word(port));
		if (!heads[vcpu][q])
			ready &= ~(1u << q);
		if ((__atomic_load_n(word(port), __ATOMIC_SEQ_CST) & (PENDING | MASKED)) != PENDING)
			continue;
		__atomic_fetch_and(word(port), ~PENDING, __ATOMIC_SEQ_CST);
		handled[count % COUNT_OF(handled)].port = port;
		handled[count % COUNT_OF(handled)].vcpu = vcpu;
		count++;
	}
}

/* The runtime's upcall does what it can; this is the rest. Only vCPU 0 takes upcalls here. */
static void on_upcall(void)
{
	if (blocks[0])
		consume(0);
}

static long op(int cmd, void *argument)
{
	return hypercall_event_channel_op(cmd, argument);
}

static long init_control(unsigned int vcpu, uint64_t gfn, uint32_t offset)
{
	struct evtchn_init_control a = {.control_gfn = gfn, .offset = offset, .vcpu = vcpu};
	long error = op(EVTCHNOP_init_control, &a);

	if (!error)
		EXPECT(a.link_bits, EVTCHN_FIFO_LINK_BITS);
	return error;
}

static long expand(void)
{
	event_word_t *page = page_alloc();
	struct evtchn_expand_array a = {.array_gfn = virt_to_mfn(page)};
	long error;

	memset(page, 0, PAGE_SIZE);
	if (pages < PAGES)
		array[pages] = page;
	error = op(EVTCHNOP_expand_array, &a);
	if (error)
		page_free(page);
	else
		pages++;
	return error;
}

static long set_priority(evtchn_port_t port, uint32_t priority)
{
	struct evtchn_set_priority a = {.port = port, .priority = priority};

	return op(EVTCHNOP_set_priority, &a);
}

static evtchn_port_t bind_ipi(unsigned int vcpu)
{
	struct evtchn_bind_ipi a = {.vcpu = vcpu};
	long error = op(EVTCHNOP_bind_ipi, &a);

	return error ? 0 : a.port;
}

/* Connected ports: who sends to [0] makes [1] pending, as it is from the beginning. */
static void pair(evtchn_port_t ports[2])
{
	struct evtchn_alloc_unbound a = {.dom = DOMID_SELF, .remote_dom = DOMID_SELF};
	struct evtchn_bind_interdomain b = {.remote_dom = DOMID_SELF};

	EXPECT(op(EVTCHNOP_alloc_unbound, &a), 0);
	b.remote_port = a.port;
	EXPECT(op(EVTCHNOP_bind_interdomain, &b), 0);
	ports[0] = a.port;
	ports[1] = b.local_port;
}

static long unmask(evtchn_port_t port)
{
	struct evtchn_unmask a = {.port = port};

	return op(EVTCHNOP_unmask, &a);
}

static void set_up_bad(void)
{
	struct evtchn_expand_array e = {.array_gfn = 0x210};
	uint64_t frame = virt_to_mfn(page_alloc());
	evtchn_port_t port = bind_ipi(0);

	e.array_gfn = frame;
	EXPECT(op(EVTCHNOP_expand_array, &e), -EOPNOTSUPP);
	EXPECT(set_priority(port, 1), -ENOSYS);
	EXPECT(init_control(vcpus, frame, 0), -ENOENT);
	EXPECT(init_control(~0u, frame, 0), -ENOENT);
	EXPECT(init_control(0, frame, 4), -EINVAL);
	EXPECT(init_control(0, frame, PAGE_SIZE), -EINVAL);
	EXPECT(init_control(0, frame, PAGE_SIZE - 8), -EINVAL);
	EXPECT(init_control(0, frame, ~0u & ~7u), -EINVAL);
	EXPECT(op(EVTCHNOP_init_control, (void *)NOT_MAPPED), -EFAULT);
	EXPECT(op(EVTCHNOP_expand_array, (void *)NOT_MAPPED), -EFAULT);
	EXPECT(op(EVTCHNOP_set_priority, (void *)NOT_CANONICAL), -EFAULT);
	EXPECT(event_close(port), 0);
}

static void set_up(void)
{
	struct evtchn_expand_array e = {.array_gfn = virt_to_mfn(page_root)};
	evtchn_port_t port;

	for (unsigned int i = 0; i < vcpus; i++) {
		char *page = page_alloc();

		memset(page, 0, PAGE_SIZE);
		blocks[i] = (void *)(page + 512);
		EXPECT(init_control(i, virt_to_mfn(page), 512), 0);
	}
	EXPECT(init_control(0, virt_to_mfn(page_alloc()), 0), -EINVAL);
	/* A page table, and no memory of ours. */
	EXPECT_TRUE(op(EVTCHNOP_expand_array, &e) < 0);
	e.array_gfn = 0x210;
	EXPECT(op(EVTCHNOP_expand_array, &e), -EINVAL);
	EXPECT(expand(), 0);
	port = bind_ipi(0);
	EXPECT(set_priority(port, EVTCHN_FIFO_PRIORITY_MIN + 1), -EINVAL);
	EXPECT(set_priority(port, ~0u), -EINVAL);
	EXPECT(set_priority(port, EVTCHN_FIFO_PRIORITY_MIN), 0);
	EXPECT(event_close(port), 0);
	EXPECT(set_priority(port, 1), -EACCES);
	EXPECT(set_priority(EVTCHN_FIFO_NR_CHANNELS, 1), -EINVAL);
}

static void send_and_mask(void)
{
	evtchn_port_t port = bind_ipi(0);

	count = 0;
	EXPECT(event_send(port), 0);
	EXPECT(count, 1);
	EXPECT(handled[0].port, port);
	EXPECT(*word(port), 0);
	/* Nothing of it in the other ABI's bits. */
	EXPECT(event_bit(shared_info->evtchn_pending, port), 0);
	__atomic_fetch_or(word(port), MASKED, __ATOMIC_SEQ_CST);
	for (int i = 0; i < 3; i++)
		EXPECT(event_send(port), 0);
	EXPECT(count, 1);
	EXPECT(*word(port), PENDING | MASKED);
	EXPECT(unmask(port), 0);
	EXPECT(count, 2);
	__atomic_fetch_or(word(port), MASKED, __ATOMIC_SEQ_CST);
	EXPECT(unmask(port), 0);
	EXPECT(*word(port), 0);
	EXPECT(count, 2);
	EXPECT(event_close(port), 0);
	EXPECT(event_send(port), -EINVAL);
}

/* The queue of the highest priority first; in a queue the order in which they came. */
static void priorities(void)
{
	static const unsigned int priority[] = {DEFAULT, 15, 0, DEFAULT, 3, 0};
	static const unsigned int order[] = {2, 5, 4, 0, 3, 1};
	evtchn_port_t ports[COUNT_OF(priority)];

	for (size_t i = 0; i < COUNT_OF(ports); i++) {
		ports[i] = bind_ipi(0);
		if (priority[i] != DEFAULT)
			EXPECT(set_priority(ports[i], priority[i]), 0);
	}
	events_mask();
	count = 0;
	for (size_t i = 0; i < COUNT_OF(ports); i++)
		EXPECT(event_send(ports[i]), 0);
	EXPECT(count, 0);
	EXPECT(blocks[0]->ready, 1 | 1 << 3 | 1 << DEFAULT | 1 << 15);
	EXPECT(blocks[0]->head[0], ports[2]);
	EXPECT(*word(ports[2]), PENDING | LINKED | ports[5]);
	events_unmask();
	EXPECT(count, COUNT_OF(ports));
	for (size_t i = 0; i < COUNT_OF(ports); i++)
		EXPECT(handled[i].port, ports[order[i]]);
	for (size_t i = 0; i < COUNT_OF(ports); i++)
		EXPECT(event_close(ports[i]), 0);
}

static void poll_and_timer(void)
{
	struct evtchn_bind_virq virq = {.virq = VIRQ_TIMER};
	struct sched_poll poll = {.nr_ports = 1};
	uint64_t start;

	EXPECT(op(EVTCHNOP_bind_virq, &virq), 0);
	set_xen_guest_handle(poll.ports, &virq.port);
	__atomic_fetch_or(word(virq.port), MASKED, __ATOMIC_SEQ_CST);
	events_mask();
	count = 0;
	start = clock_now();
	EXPECT(clock_timer_set(start + 2 * NSEC_PER_MSEC), 0);
	EXPECT(hypercall_sched_op(SCHEDOP_poll, &poll), 0);
	EXPECT_TRUE(clock_now() >= start + 2 * NSEC_PER_MSEC);
	EXPECT(*word(virq.port), PENDING | MASKED);
	EXPECT(hypercall_sched_op(SCHEDOP_poll, &poll), 0);
	events_unmask();
	EXPECT(count, 0);
	EXPECT(unmask(virq.port), 0);
	EXPECT(count, 1);
	/* A block ends with it. */
	events_mask();
	EXPECT(clock_timer_set(clock_now() + 2 * NSEC_PER_MSEC), 0);
	EXPECT(hypercall_sched_op(SCHEDOP_block, NULL), 0);
	EXPECT(count, 2);
	EXPECT(event_close(virq.port), 0);
}

/* The next event goes to the vCPU that the port was moved to, when it has left the queue of the other. */
static void moves(void)
{
	struct evtchn_bind_vcpu b = {.vcpu = 1};
	evtchn_port_t a[2], c[2];

	if (vcpus < 2) {
		test_skip("one vCPU");
		return;
	}
	pair(a);
	pair(c);
	events_mask();
	count = 0;
	EXPECT(event_send(a[0]), 0);
	EXPECT(event_send(c[0]), 0);
	b.port = a[1];
	EXPECT(op(EVTCHNOP_bind_vcpu, &b), 0);
	b.port = c[1];
	EXPECT(op(EVTCHNOP_bind_vcpu, &b), 0);
	EXPECT(event_send(c[0]), 0);
	EXPECT(blocks[1]->ready, 0);
	events_unmask();
	EXPECT(count, 2);
	EXPECT(event_send(c[0]), 0);
	EXPECT(event_send(a[0]), 0);
	EXPECT(count, 2);
	EXPECT(blocks[1]->ready, 1 << DEFAULT);
	EXPECT(shared_info->vcpu_info[1].evtchn_upcall_pending, 1);
	/* vCPU 1 sleeps: this one empties its queue. */
	consume(1);
	EXPECT(count, 4);
	EXPECT(handled[2].port, c[1]);
	EXPECT(handled[3].port, a[1]);
	for (int i = 0; i < 2; i++) {
		EXPECT(event_close(a[i]), 0);
		EXPECT(event_close(c[i]), 0);
	}
}

/* Ports beyond those of the two-level ABI; the event of one without a word waits for it. */
static void many_ports(void)
{
	static evtchn_port_t ports[EVTCHN_2L_NR_CHANNELS + 300];
	unsigned int n = 0;

	while (n < COUNT_OF(ports) && (ports[n] = bind_ipi(0)) != 0)
		n++;
	EXPECT(n, COUNT_OF(ports));
	EXPECT_TRUE(ports[n - 1] > EVTCHN_2L_NR_CHANNELS);
	count = 0;
	if (test_on_cerne()) {
		EXPECT(event_send(ports[n - 1]), 0);
		EXPECT(count, 0);
		while (pages <= ports[n - 1] / WORDS_PER_PAGE)
			EXPECT(expand(), 0);
		EXPECT(count, 1);
		EXPECT(handled[0].port, ports[n - 1]);
	} else {
		while (pages <= ports[n - 1] / WORDS_PER_PAGE)
			EXPECT(expand(), 0);
	}
	count = 0;
	for (unsigned int i = 0; i < n; i += 7)
		EXPECT(event_send(ports[i]), 0);
	EXPECT(count, (n + 6) / 7);
	for (unsigned int i = 0; i < n; i++)
		if (!EXPECT(event_close(ports[i]), 0))
			break;
	while (pages < PAGES)
		if (!EXPECT(expand(), 0))
			break;
	EXPECT(expand(), -ENOSPC);
}

/* Whatever stands in the words: sending neither fails nor hangs, and the rest of the machine does not care. */
static void bad_words(void)
{
	evtchn_port_t ports[16];
	uint64_t state = 7;

	for (size_t i = 0; i < COUNT_OF(ports); i++)
		ports[i] = bind_ipi(i % vcpus);
	events_mask();
	for (unsigned int n = 0; n < 20000; n++) {
		uint64_t r = test_random(&state);

		*(volatile event_word_t *)word(ports[r % 16]) = r >> 32;
		if (r >> 8 & 1)
			blocks[r >> 9 & 1 ? vcpus - 1 : 0]->head[r >> 10 & 15] = r >> 40;
		if (r >> 14 & 1)
			blocks[0]->ready = r >> 44;
		EXPECT(event_send(ports[r >> 16 & 15]), 0);
		if (r >> 20 & 1)
			EXPECT(set_priority(ports[r >> 24 & 15], r >> 28 & 15), 0);
		if (r >> 21 & 1)
			EXPECT(unmask(ports[r >> 24 & 15]), 0);
	}
	for (size_t i = 0; i < COUNT_OF(ports); i++)
		EXPECT(event_close(ports[i]), 0);
	/* What is left is of no use any more. */
	for (unsigned int i = 0; i < vcpus; i++)
		memset(blocks[i], 0, sizeof(*blocks[i]));
	blocks[0] = NULL;
}

/* As when the domain was new; the pages are its own again, to become what they like. */
static void back(void)
{
	struct evtchn_reset a = {.dom = DOMID_SELF};
	struct evtchn_bind_ipi b = {.vcpu = 0};
	unsigned int n = 0;

	EXPECT(op(EVTCHNOP_reset, &a), 0);
	EXPECT(page_read_only(array[0]), 0);
	EXPECT(test_mmuext(MMUEXT_PIN_L1_TABLE, virt_to_mfn(array[1]), 0), -EINVAL);
	EXPECT(page_read_only(array[1]), 0);
	memset(array[2], 0, PAGE_SIZE);
	EXPECT(page_read_only(array[2]), 0);
	EXPECT(test_mmuext(MMUEXT_PIN_L1_TABLE, virt_to_mfn(array[2]), 0), 0);
	EXPECT(test_mmuext(MMUEXT_UNPIN_TABLE, virt_to_mfn(array[2]), 0), 0);
	while (op(EVTCHNOP_bind_ipi, &b) == 0)
		n++;
	EXPECT(op(EVTCHNOP_bind_ipi, &b), -ENOSPC);
	EXPECT_TRUE(n > EVTCHN_2L_NR_CHANNELS - 16 && n < EVTCHN_2L_NR_CHANNELS);
	b.port = EVTCHN_2L_NR_CHANNELS - 1;
	event_mask(b.port);
	EXPECT(event_send(b.port), 0);
	EXPECT(event_bit(shared_info->evtchn_pending, b.port), 1);
	EXPECT(op(EVTCHNOP_reset, &a), 0);
}

static const struct test tests[] = {
    {"bad set-up", set_up_bad},		{"set-up", set_up},
    {"send and mask", send_and_mask},	{"priorities", priorities},
    {"poll and timer", poll_and_timer}, {"move to another vCPU", moves},
    {"many ports", many_ports},		{"bad words", bad_words},
    {"back to two levels", back},
};

void guest_main(void)
{
	vcpus = vcpu_count();
	event_upcall_end = on_upcall;
	test_main("fifo", tests, COUNT_OF(tests));
}
