/* SPDX-License-Identifier: MIT */
/* event_channel_op on the two-level ABI: every kind of port, pending, masks, upcalls, bad arguments. */
#include "../test.h"

#define PORTS EVTCHN_2L_NR_CHANNELS

static volatile unsigned int fired[64];

static void on_event(evtchn_port_t port, void *data)
{
	fired[(unsigned long)data]++;
}

static bool pending(evtchn_port_t port)
{
	return event_bit(shared_info->evtchn_pending, port);
}

static bool masked(evtchn_port_t port)
{
	return event_bit(shared_info->evtchn_mask, port);
}

static void clear_pending(evtchn_port_t port)
{
	__atomic_fetch_and(&shared_info->evtchn_pending[port / 64], ~(1ul << (port % 64)),
			   __ATOMIC_SEQ_CST);
}

static long alloc(domid_t domain, domid_t remote, evtchn_port_t *port)
{
	struct evtchn_alloc_unbound op = {.dom = domain, .remote_dom = remote};
	long error = hypercall_event_channel_op(EVTCHNOP_alloc_unbound, &op);

	*port = op.port;
	return error;
}

static long bind(domid_t remote, evtchn_port_t remote_port, evtchn_port_t *port)
{
	struct evtchn_bind_interdomain op = {.remote_dom = remote, .remote_port = remote_port};
	long error = hypercall_event_channel_op(EVTCHNOP_bind_interdomain, &op);

	*port = op.local_port;
	return error;
}

static long bind_virq(unsigned int virq, unsigned int vcpu, evtchn_port_t *port)
{
	struct evtchn_bind_virq op = {.virq = virq, .vcpu = vcpu};
	long error = hypercall_event_channel_op(EVTCHNOP_bind_virq, &op);

	*port = op.port;
	return error;
}

static long bind_ipi(unsigned int vcpu, evtchn_port_t *port)
{
	struct evtchn_bind_ipi op = {.vcpu = vcpu};
	long error = hypercall_event_channel_op(EVTCHNOP_bind_ipi, &op);

	*port = op.port;
	return error;
}

static long bind_vcpu(evtchn_port_t port, unsigned int vcpu)
{
	struct evtchn_bind_vcpu op = {.port = port, .vcpu = vcpu};

	return hypercall_event_channel_op(EVTCHNOP_bind_vcpu, &op);
}

static long unmask(evtchn_port_t port)
{
	struct evtchn_unmask op = {.port = port};

	return hypercall_event_channel_op(EVTCHNOP_unmask, &op);
}

static struct evtchn_status status_of(evtchn_port_t port)
{
	struct evtchn_status op = {.dom = DOMID_SELF, .port = port};

	EXPECT(hypercall_event_channel_op(EVTCHNOP_status, &op), 0);
	return op;
}

/* Two connected ports of this domain, handlers 0 and 1, nothing pending. */
static void pair(evtchn_port_t ports[2])
{
	EXPECT(alloc(DOMID_SELF, DOMID_SELF, &ports[0]), 0);
	EXPECT(bind(DOMID_SELF, ports[0], &ports[1]), 0);
	for (unsigned long i = 0; i < 2; i++) {
		clear_pending(ports[i]);
		fired[i] = 0;
		event_handler_set(ports[i], on_event, (void *)i);
		unmask(ports[i]);
	}
}

static void pair_end(evtchn_port_t ports[2])
{
	EXPECT(event_close(ports[1]), 0);
	EXPECT(event_close(ports[0]), 0);
}

static void states(void)
{
	evtchn_port_t a, b;
	struct evtchn_status status;

	EXPECT(alloc(DOMID_SELF, DOMID_SELF, &a), 0);
	EXPECT_TRUE(a > 0 && a < PORTS);
	status = status_of(a);
	EXPECT(status.status, EVTCHNSTAT_unbound);
	EXPECT(status.vcpu, 0);
	EXPECT(status.u.unbound.dom, 0);
	EXPECT(bind(DOMID_SELF, a, &b), 0);
	EXPECT_TRUE(b != a && b > 0 && b < PORTS);
	/* Something may have been sent before there were two ends: the new one is told to look. */
	EXPECT(pending(b), 1);
	status = status_of(a);
	EXPECT(status.status, EVTCHNSTAT_interdomain);
	EXPECT(status.u.interdomain.port, b);
	EXPECT(status.u.interdomain.dom, 0);
	status = status_of(b);
	EXPECT(status.status, EVTCHNSTAT_interdomain);
	EXPECT(status.u.interdomain.port, a);
	/* Closing one end leaves the other waiting for a connection. */
	EXPECT(event_close(b), 0);
	EXPECT(status_of(b).status, EVTCHNSTAT_closed);
	EXPECT(status_of(a).status, EVTCHNSTAT_unbound);
	EXPECT(bind(DOMID_SELF, a, &b), 0);
	EXPECT(event_close(a), 0);
	EXPECT(status_of(b).status, EVTCHNSTAT_unbound);
	EXPECT(event_close(b), 0);
	EXPECT(status_of(b).status, EVTCHNSTAT_closed);
}

static void send(void)
{
	evtchn_port_t ports[2];

	pair(ports);
	EXPECT(event_send(ports[0]), 0);
	EXPECT(fired[0], 0);
	EXPECT(fired[1], 1);
	EXPECT(pending(ports[1]), 0);
	EXPECT(event_send(ports[1]), 0);
	EXPECT(fired[0], 1);
	EXPECT(fired[1], 1);
	pair_end(ports);
}

/* A masked port collects; any number of events before it is unmasked is one. */
static void mask_port(void)
{
	evtchn_port_t ports[2];

	pair(ports);
	event_mask(ports[1]);
	for (int i = 0; i < 3; i++)
		EXPECT(event_send(ports[0]), 0);
	EXPECT(fired[1], 0);
	EXPECT(pending(ports[1]), 1);
	EXPECT(masked(ports[1]), 1);
	EXPECT(vcpu_info_here->evtchn_upcall_pending, 0);
	EXPECT(unmask(ports[1]), 0);
	EXPECT(masked(ports[1]), 0);
	EXPECT(fired[1], 1);
	/* Unmasking what is not pending delivers nothing. */
	EXPECT(unmask(ports[1]), 0);
	EXPECT(fired[1], 1);
	pair_end(ports);
}

/* With the upcall masked everything is recorded, level by level, and nothing is delivered. */
static void mask_upcall(void)
{
	evtchn_port_t ports[2];
	unsigned long selector;

	pair(ports);
	events_mask();
	EXPECT(vcpu_info_here->evtchn_upcall_pending, 0);
	EXPECT(event_send(ports[0]), 0);
	EXPECT(fired[1], 0);
	EXPECT(pending(ports[1]), 1);
	selector = vcpu_info_here->evtchn_pending_sel;
	EXPECT_TRUE(selector & 1ul << (ports[1] / 64));
	EXPECT(vcpu_info_here->evtchn_upcall_pending, 1);
	events_unmask();
	EXPECT(fired[1], 1);
	EXPECT(vcpu_info_here->evtchn_upcall_pending, 0);
	pair_end(ports);
}

/* Already pending: sending again does not touch the selector. */
static void send_when_pending(void)
{
	evtchn_port_t ports[2];

	pair(ports);
	events_mask();
	EXPECT(event_send(ports[0]), 0);
	vcpu_info_here->evtchn_pending_sel = 0;
	vcpu_info_here->evtchn_upcall_pending = 0;
	EXPECT(event_send(ports[0]), 0);
	EXPECT(vcpu_info_here->evtchn_upcall_pending, 0);
	EXPECT(vcpu_info_here->evtchn_pending_sel, 0);
	clear_pending(ports[1]);
	EXPECT(event_send(ports[0]), 0);
	EXPECT(vcpu_info_here->evtchn_upcall_pending, 1);
	events_unmask();
	EXPECT(fired[1], 1);
	pair_end(ports);
}

static void ipi(void)
{
	evtchn_port_t port;

	EXPECT(bind_ipi(0, &port), 0);
	EXPECT(status_of(port).status, EVTCHNSTAT_ipi);
	fired[2] = 0;
	event_handler_set(port, on_event, (void *)2);
	EXPECT(unmask(port), 0);
	EXPECT(event_send(port), 0);
	EXPECT(fired[2], 1);
	EXPECT(bind_vcpu(port, 0), -EINVAL);
	EXPECT(event_close(port), 0);
	EXPECT(bind_ipi(1000, &port), -ENOENT);
	EXPECT(bind_ipi(~0u, &port), -ENOENT);
}

static void virq(void)
{
	evtchn_port_t port, second;
	struct evtchn_status status;

	EXPECT(bind_virq(VIRQ_DEBUG, 0, &port), 0);
	status = status_of(port);
	EXPECT(status.status, EVTCHNSTAT_virq);
	EXPECT(status.u.virq, VIRQ_DEBUG);
	EXPECT(bind_virq(VIRQ_DEBUG, 0, &second), -EEXIST);
	/* Nobody but the hypervisor raises it. */
	EXPECT(event_send(port), -EINVAL);
	EXPECT(bind_vcpu(port, 0), -EINVAL);
	EXPECT(event_close(port), 0);
	EXPECT(bind_virq(VIRQ_DEBUG, 0, &port), 0);
	EXPECT(event_close(port), 0);
	EXPECT(bind_virq(NR_VIRQS, 0, &port), -EINVAL);
	EXPECT(bind_virq(~0u, 0, &port), -EINVAL);
	EXPECT(bind_virq(VIRQ_DEBUG, 1000, &port), -ENOENT);
	EXPECT(bind_virq(VIRQ_TIMER, ~0u, &port), -ENOENT);
}

/* A global one may move to another vCPU but is born on the first. */
static void virq_global(void)
{
	evtchn_port_t port;

	EXPECT(bind_virq(VIRQ_DOM_EXC, 0, &port), 0);
	EXPECT(bind_vcpu(port, 0), 0);
	EXPECT(bind_vcpu(port, 1000), -ENOENT);
	if (vcpu_count() > 1) {
		EXPECT(bind_vcpu(port, 1), 0);
		EXPECT(status_of(port).vcpu, 1);
	}
	EXPECT(event_close(port), 0);
	if (vcpu_count() > 1)
		EXPECT(bind_virq(VIRQ_DOM_EXC, 1, &port), -EINVAL);
}

/* A channel is told to notify another vCPU; a port that is used again starts with the first. */
static void bind_to_vcpu(void)
{
	evtchn_port_t ports[2];

	if (vcpu_count() < 2) {
		test_skip("one vCPU");
		return;
	}
	pair(ports);
	EXPECT(bind_vcpu(ports[1], 1), 0);
	EXPECT(status_of(ports[1]).vcpu, 1);
	EXPECT(event_send(ports[0]), 0);
	EXPECT(fired[1], 0);
	EXPECT(shared_info->vcpu_info[1].evtchn_upcall_pending, 1);
	EXPECT_TRUE(shared_info->vcpu_info[1].evtchn_pending_sel & 1ul << (ports[1] / 64));
	/* Moving it back does not deliver what went to the other vCPU. */
	EXPECT(bind_vcpu(ports[1], 0), 0);
	shared_info->vcpu_info[1].evtchn_upcall_pending = 0;
	shared_info->vcpu_info[1].evtchn_pending_sel = 0;
	clear_pending(ports[1]);
	EXPECT(event_send(ports[0]), 0);
	EXPECT(fired[1], 1);
	EXPECT(bind_vcpu(ports[1], 1), 0);
	pair_end(ports);
	EXPECT(alloc(DOMID_SELF, DOMID_SELF, &ports[0]), 0);
	EXPECT(status_of(ports[0]).vcpu, 0);
	EXPECT(event_close(ports[0]), 0);
}

static void bad_ports(void)
{
	static const evtchn_port_t bad[] = {0,	      PORTS - 1, PORTS, PORTS + 1,
					    1u << 17, 1u << 31,	 ~0u};
	evtchn_port_t port;

	for (size_t i = 0; i < COUNT_OF(bad); i++) {
		EXPECT(event_send(bad[i]), -EINVAL);
		EXPECT(event_close(bad[i]), -EINVAL);
		EXPECT(bind(DOMID_SELF, bad[i], &port), -EINVAL);
		EXPECT(bind_vcpu(bad[i], 0), -EINVAL);
		if (bad[i] >= PORTS)
			EXPECT(unmask(bad[i]), -EINVAL);
	}
}

static void status_bad(void)
{
	struct evtchn_status op = {.dom = DOMID_SELF, .port = PORTS};

	EXPECT(hypercall_event_channel_op(EVTCHNOP_status, &op), -EINVAL);
	op.port = ~0u;
	EXPECT(hypercall_event_channel_op(EVTCHNOP_status, &op), -EINVAL);
	op.dom = 77;
	op.port = 1;
	EXPECT(hypercall_event_channel_op(EVTCHNOP_status, &op), -ESRCH);
	op.dom = DOMID_SELF;
	op.port = 0;
	EXPECT(hypercall_event_channel_op(EVTCHNOP_status, &op), 0);
	EXPECT(op.status, EVTCHNSTAT_closed);
}

/* Only an unbound port that expects this domain can be bound to. */
static void bind_wrong(void)
{
	evtchn_port_t ports[2], port, other;

	pair(ports);
	EXPECT(bind(DOMID_SELF, ports[0], &port), -EINVAL);
	EXPECT(bind(77, ports[0], &port), -ESRCH);
	EXPECT(bind(DOMID_IO, ports[0], &port), -ESRCH);
	pair_end(ports);
	EXPECT(bind_ipi(0, &other), 0);
	EXPECT(bind(DOMID_SELF, other, &port), -EINVAL);
	EXPECT(event_close(other), 0);
	EXPECT(alloc(77, DOMID_SELF, &port), -ESRCH);
	EXPECT(alloc(DOMID_IO, DOMID_SELF, &port), -ESRCH);
	/* One that waits for a domain that is not there yet is no place for us. */
	EXPECT(alloc(DOMID_SELF, 77, &other), 0);
	EXPECT(status_of(other).u.unbound.dom, 77);
	EXPECT(bind(DOMID_SELF, other, &port), -EINVAL);
	EXPECT(event_send(other), 0);
	EXPECT(event_close(other), 0);
}

static void bad_pirq(void)
{
	static const uint32_t bad[] = {100000, 1u << 31, ~0u};

	for (size_t i = 0; i < COUNT_OF(bad); i++) {
		struct evtchn_bind_pirq op = {.pirq = bad[i]};

		long result = hypercall_event_channel_op(EVTCHNOP_bind_pirq, &op);

		if (!test_missing(result))
			EXPECT(result, -EINVAL);
	}
}

static void bad_pointers(void)
{
	static const int commands[] = {
	    EVTCHNOP_bind_interdomain,
	    EVTCHNOP_bind_virq,
	    EVTCHNOP_close,
	    EVTCHNOP_send,
	    EVTCHNOP_status,
	    EVTCHNOP_alloc_unbound,
	    EVTCHNOP_bind_ipi,
	    EVTCHNOP_bind_vcpu,
	    EVTCHNOP_unmask,
	    EVTCHNOP_reset,
	};

	for (size_t i = 0; i < COUNT_OF(commands); i++) {
		EXPECT(hypercall_event_channel_op(commands[i], (void *)NOT_MAPPED), -EFAULT);
		EXPECT(hypercall_event_channel_op(commands[i], (void *)OF_HYPERVISOR), -EFAULT);
		EXPECT(hypercall_event_channel_op(commands[i], (void *)NOT_CANONICAL), -EFAULT);
	}
}

/* The result cannot be stored: the call fails and the port is not lost (real Xen loses it). */
static void read_only_argument(void)
{
	struct evtchn_alloc_unbound *op = page_alloc();
	evtchn_port_t before, after;

	op->dom = DOMID_SELF;
	op->remote_dom = DOMID_SELF;
	EXPECT(alloc(DOMID_SELF, DOMID_SELF, &before), 0);
	EXPECT(event_close(before), 0);
	EXPECT(page_read_only(op), 0);
	EXPECT(hypercall_event_channel_op(EVTCHNOP_alloc_unbound, op), -EFAULT);
	EXPECT(page_writable(op), 0);
	EXPECT(alloc(DOMID_SELF, DOMID_SELF, &after), 0);
	if (test_on_cerne())
		EXPECT(after, before);
	EXPECT(event_close(after), 0);
	page_free(op);
}

static void unknown_commands(void)
{
	uint64_t argument[4] = {0};

	EXPECT(hypercall_event_channel_op(15, argument), -ENOSYS);
	EXPECT(hypercall_event_channel_op(1000, argument), -ENOSYS);
	EXPECT(hypercall_event_channel_op(-1, argument), -ENOSYS);
}

/* All ports there are, each working; then none. */
static void exhaust(void)
{
	static evtchn_port_t ports[PORTS];
	unsigned int count = 0;
	evtchn_port_t port;
	long error;

	while (count < PORTS && !(error = alloc(DOMID_SELF, DOMID_SELF, &port)))
		ports[count++] = port;
	EXPECT(error, -ENOSPC);
	EXPECT_TRUE(count > PORTS - 16 && count < PORTS);
	EXPECT(bind_ipi(0, &port), -ENOSPC);
	EXPECT(bind_virq(VIRQ_DEBUG, 0, &port), -ENOSPC);
	for (unsigned int i = 0; i < count; i++)
		if (!EXPECT(event_close(ports[i]), 0))
			break;
}

/* The highest ports work as the lowest: the top word of every level. */
static void high_ports(void)
{
	static evtchn_port_t ports[PORTS];
	unsigned int count = 0;
	evtchn_port_t port, bound;

	while (count < PORTS && !alloc(DOMID_SELF, DOMID_SELF, &port))
		ports[count++] = port;
	EXPECT_TRUE(ports[count - 1] == PORTS - 1);
	EXPECT(event_close(ports[0]), 0);
	events_mask();
	EXPECT(bind(DOMID_SELF, PORTS - 1, &bound), 0);
	clear_pending(PORTS - 1);
	__atomic_fetch_and(&shared_info->evtchn_mask[63], ~(1ul << 63), __ATOMIC_SEQ_CST);
	EXPECT(event_send(bound), 0);
	EXPECT(pending(PORTS - 1), 1);
	EXPECT_TRUE(vcpu_info_here->evtchn_pending_sel & 1ul << 63);
	events_unmask();
	/* The runtime's handler clears what it has no slot for. */
	EXPECT(pending(PORTS - 1), 0);
	event_mask(PORTS - 1);
	EXPECT(event_close(bound), 0);
	for (unsigned int i = 1; i < count; i++)
		if (!EXPECT(event_close(ports[i]), 0))
			break;
}

/* A port that was closed while pending starts afresh. */
static void close_pending(void)
{
	evtchn_port_t ports[2], port;

	pair(ports);
	event_mask(ports[1]);
	EXPECT(event_send(ports[0]), 0);
	EXPECT(pending(ports[1]), 1);
	EXPECT(event_close(ports[1]), 0);
	EXPECT(pending(ports[1]), 0);
	EXPECT(alloc(DOMID_SELF, DOMID_SELF, &port), 0);
	EXPECT(port, ports[1]);
	EXPECT(pending(port), 0);
	EXPECT(event_close(port), 0);
	EXPECT(event_close(ports[0]), 0);
}

static void reset(void)
{
	evtchn_port_t ports[2], virq_port, ipi_port;
	struct evtchn_reset op = {.dom = DOMID_SELF};

	pair(ports);
	EXPECT(bind_virq(VIRQ_DEBUG, 0, &virq_port), 0);
	EXPECT(bind_ipi(0, &ipi_port), 0);
	EXPECT(hypercall_event_channel_op(EVTCHNOP_reset, &op), 0);
	EXPECT(status_of(ports[0]).status, EVTCHNSTAT_closed);
	EXPECT(status_of(ports[1]).status, EVTCHNSTAT_closed);
	EXPECT(status_of(virq_port).status, EVTCHNSTAT_closed);
	EXPECT(status_of(ipi_port).status, EVTCHNSTAT_closed);
	op.dom = 77;
	EXPECT(hypercall_event_channel_op(EVTCHNOP_reset, &op), -ESRCH);
	EXPECT(bind_virq(VIRQ_DEBUG, 0, &virq_port), 0);
	EXPECT(event_close(virq_port), 0);
}

/* An event that comes in the handler of another is delivered too, after it. */
static evtchn_port_t chain_next;

static void on_chain(evtchn_port_t port, void *data)
{
	fired[3]++;
	if (fired[3] < 5)
		event_send(chain_next);
}

static void send_from_handler(void)
{
	evtchn_port_t port;

	EXPECT(bind_ipi(0, &port), 0);
	fired[3] = 0;
	chain_next = port;
	event_handler_set(port, on_chain, NULL);
	EXPECT(unmask(port), 0);
	EXPECT(event_send(port), 0);
	EXPECT(fired[3], 5);
	EXPECT(event_close(port), 0);
}

/* The upcall comes before the instruction after the hypercall, with all registers kept. */
static void upcall_keeps_registers(void)
{
	struct evtchn_send op;
	evtchn_port_t ports[2];
	register unsigned long r12 __asm__("r12"), r13 __asm__("r13"), r14 __asm__("r14"),
	    r15 __asm__("r15");
	unsigned long result, rbx;

	pair(ports);
	op.port = ports[0];
	r12 = 0x1212121212121212;
	r13 = 0x1313131313131313;
	r14 = 0x1414141414141414;
	r15 = 0x1515151515151515;
	rbx = 0x0b0b0b0b0b0b0b0b;
	__asm__ volatile("call *%[entry]"
			 : "=&a"(result), "+b"(rbx), "+r"(r12), "+r"(r13), "+r"(r14), "+r"(r15)
			 : [entry] "m"((unsigned long){(unsigned long)hypercall_page +
						       __HYPERVISOR_event_channel_op * 32}),
			   "D"(EVTCHNOP_send), "S"(&op)
			 : "rcx", "rdx", "r8", "r9", "r10", "r11", "memory", "cc");
	EXPECT(result, 0);
	EXPECT(fired[1], 1);
	EXPECT(rbx, 0x0b0b0b0b0b0b0b0b);
	EXPECT(r12, 0x1212121212121212);
	EXPECT(r13, 0x1313131313131313);
	EXPECT(r14, 0x1414141414141414);
	EXPECT(r15, 0x1515151515151515);
	pair_end(ports);
}

static const struct test tests[] = {
    {"states of a channel", states},
    {"send", send},
    {"mask and unmask a port", mask_port},
    {"mask the upcall", mask_upcall},
    {"send to a pending port", send_when_pending},
    {"ipi", ipi},
    {"virq", virq},
    {"global virq", virq_global},
    {"bind to a vCPU", bind_to_vcpu},
    {"bad ports", bad_ports},
    {"status of bad ports", status_bad},
    {"bind to what is not unbound", bind_wrong},
    {"bad pirqs", bad_pirq},
    {"bad pointers", bad_pointers},
    {"argument that is read-only", read_only_argument},
    {"unknown commands", unknown_commands},
    {"all ports", exhaust},
    {"highest port", high_ports},
    {"close a pending port", close_pending},
    {"send from a handler", send_from_handler},
    {"upcall keeps registers", upcall_keeps_registers},
    {"reset", reset},
};

void guest_main(void)
{
	test_main("events", tests, COUNT_OF(tests));
}
