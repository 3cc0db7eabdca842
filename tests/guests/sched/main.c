/* SPDX-License-Identifier: MIT */
/*
 * sched_op: yield, block, poll, and bad arguments. With an argument (crash, reboot, suspend, watchdog, unknown)
 * it ends the domain in that way, for the scenario to see; with bark it lets a watchdog do that.
 */
#include "../test.h"

#define MAX_POLL 128

static volatile unsigned int fired;

static void on_timer(evtchn_port_t port, void *data)
{
	fired++;
}

/* VIRQ_TIMER raised after some time; the port. */
static long timer_in(uint64_t delay)
{
	long port = event_bind_virq(VIRQ_TIMER, on_timer, NULL);

	fired = 0;
	EXPECT_TRUE(port > 0);
	EXPECT(clock_timer_set(clock_now() + delay), 0);
	return port;
}

static void timer_end(long port)
{
	clock_timer_set(0);
	EXPECT(event_close(port), 0);
}

static long poll(evtchn_port_t *ports, unsigned int count, uint64_t timeout)
{
	struct sched_poll op = {.nr_ports = count, .timeout = timeout};

	set_xen_guest_handle(op.ports, ports);
	return hypercall_sched_op(SCHEDOP_poll, &op);
}

static void yield(void)
{
	for (int i = 0; i < 100; i++)
		EXPECT(hypercall_sched_op(SCHEDOP_yield, NULL), 0);
	EXPECT(hypercall_sched_op(SCHEDOP_yield, (void *)NOT_CANONICAL), 0);
}

/* Blocking ends with the event, whose handler has run, and leaves events unmasked. */
static void block(void)
{
	uint64_t start = clock_now();
	long port;

	/* Masked first, or the event may come before the block. */
	events_mask();
	port = timer_in(2 * NSEC_PER_MSEC);
	EXPECT(fired, 0);
	EXPECT(hypercall_sched_op(SCHEDOP_block, NULL), 0);
	EXPECT(events_masked(), 0);
	EXPECT(fired, 1);
	EXPECT_TRUE(clock_now() - start >= NSEC_PER_MSEC);
	timer_end(port);
}

/* An event that is pending already lets block return at once. */
static void block_with_event_pending(void)
{
	uint64_t end;
	long port;

	events_mask();
	port = timer_in(0);
	end = clock_now() + NSEC_PER_SEC;
	while (!vcpu_info_here->evtchn_upcall_pending && clock_now() < end)
		cpu_relax();
	EXPECT_TRUE(vcpu_info_here->evtchn_upcall_pending);
	EXPECT(hypercall_sched_op(SCHEDOP_block, NULL), 0);
	EXPECT(events_masked(), 0);
	EXPECT_TRUE(fired);
	timer_end(port);
}

/* Polling waits for a masked port too, and with events masked; nothing is delivered. */
static void poll_port(void)
{
	evtchn_port_t port;
	long bound;

	events_mask();
	bound = timer_in(2 * NSEC_PER_MSEC);
	port = bound;
	event_mask(port);
	EXPECT(poll(&port, 1, 0), 0);
	EXPECT_TRUE(event_bit(shared_info->evtchn_pending, port));
	EXPECT(events_masked(), 1);
	EXPECT(fired, 0);
	/* It is pending still: the next poll does not wait. */
	EXPECT(poll(&port, 1, 0), 0);
	event_unmask(port);
	events_unmask();
	EXPECT(fired, 1);
	timer_end(port);
}

static void poll_timeout(void)
{
	struct evtchn_alloc_unbound op = {.dom = DOMID_SELF, .remote_dom = DOMID_SELF};
	evtchn_port_t port;
	uint64_t start;

	EXPECT(hypercall_event_channel_op(EVTCHNOP_alloc_unbound, &op), 0);
	port = op.port;
	events_mask();
	start = clock_now();
	EXPECT(poll(&port, 1, start + 5 * NSEC_PER_MSEC), 0);
	EXPECT_TRUE(clock_now() >= start + 5 * NSEC_PER_MSEC);
	EXPECT(event_bit(shared_info->evtchn_pending, port), 0);
	/* No port at all: only the timeout ends it. */
	start = clock_now();
	EXPECT(poll(NULL, 0, start + 5 * NSEC_PER_MSEC), 0);
	EXPECT_TRUE(clock_now() >= start + 5 * NSEC_PER_MSEC);
	/* A timeout that has passed. */
	EXPECT(poll(&port, 1, 1), 0);
	events_unmask();
	event_close(port);
}

/* The second of several ports ends the wait. */
static void poll_many(void)
{
	evtchn_port_t ports[MAX_POLL];
	long port;
	struct evtchn_alloc_unbound op = {.dom = DOMID_SELF, .remote_dom = DOMID_SELF};

	events_mask();
	port = timer_in(2 * NSEC_PER_MSEC);
	EXPECT(hypercall_event_channel_op(EVTCHNOP_alloc_unbound, &op), 0);
	for (size_t i = 0; i < MAX_POLL; i++)
		ports[i] = i == 1 ? (evtchn_port_t)port : op.port;
	event_mask(port);
	EXPECT(poll(ports, MAX_POLL, 0), 0);
	EXPECT_TRUE(event_bit(shared_info->evtchn_pending, port));
	events_unmask();
	event_unmask(port);
	timer_end(port);
	event_close(op.port);
}

static void poll_bad(void)
{
	static evtchn_port_t ports[MAX_POLL + 2];
	evtchn_port_t beyond = EVTCHN_2L_NR_CHANNELS;

	EXPECT(poll(ports, MAX_POLL + 1, 1), -EINVAL);
	EXPECT(poll(ports, ~0u, 1), -EINVAL);
	EXPECT(poll(&beyond, 1, 1), -EINVAL);
	beyond = ~0u;
	EXPECT(poll(&beyond, 1, 1), -EINVAL);
	EXPECT(poll((evtchn_port_t *)NOT_MAPPED, 1, 1), -EFAULT);
	EXPECT(poll((evtchn_port_t *)OF_HYPERVISOR, 1, 1), -EFAULT);
	EXPECT(poll((evtchn_port_t *)NOT_CANONICAL, 1, 1), -EFAULT);
}

static void bad_pointers(void)
{
	static const int commands[] = {SCHEDOP_poll, SCHEDOP_shutdown};

	for (size_t i = 0; i < COUNT_OF(commands); i++) {
		EXPECT(hypercall_sched_op(commands[i], (void *)NOT_MAPPED), -EFAULT);
		EXPECT(hypercall_sched_op(commands[i], (void *)OF_HYPERVISOR), -EFAULT);
		EXPECT(hypercall_sched_op(commands[i], (void *)NOT_CANONICAL), -EFAULT);
	}
}

static void unknown_commands(void)
{
	EXPECT(hypercall_sched_op(8, NULL), -ENOSYS);
	EXPECT(hypercall_sched_op(1000, NULL), -ENOSYS);
	EXPECT(hypercall_sched_op(-1, NULL), -ENOSYS);
}

/* Nobody else is there to be shut down, and nobody shuts himself down by this way. */
static void remote_shutdown(void)
{
	struct sched_remote_shutdown op = {.domain_id = 77, .reason = SHUTDOWN_crash};

	if (test_missing(hypercall_sched_op(SCHEDOP_remote_shutdown, &op)))
		return;
	EXPECT(hypercall_sched_op(SCHEDOP_remote_shutdown, &op), -ESRCH);
	op.domain_id = DOMID_IDLE;
	EXPECT(hypercall_sched_op(SCHEDOP_remote_shutdown, &op), -ESRCH);
}

static long watchdog(uint32_t id, uint32_t timeout)
{
	struct sched_watchdog op = {.id = id, .timeout = timeout};

	return hypercall_sched_op(SCHEDOP_watchdog, &op);
}

/* Two of them; none runs out here. */
static void watchdogs(void)
{
	EXPECT(watchdog(1, 100), -EINVAL);
	EXPECT(watchdog(1, 0), -EINVAL);
	EXPECT(watchdog(0, 100), 1);
	EXPECT(watchdog(0, 100), 2);
	/* 32 bits of it on real Xen. */
	EXPECT((int)watchdog(0, 100), -ENOSPC);
	EXPECT(watchdog(1, 200), 0);
	EXPECT(watchdog(1, 0), 0);
	EXPECT(watchdog(1, 100), -EINVAL);
	EXPECT(watchdog(0, ~0u), 1);
	EXPECT(watchdog(3, 1), -EINVAL);
	EXPECT(watchdog(~0u, 1), -EINVAL);
	EXPECT(watchdog(1, 0), 0);
	EXPECT(watchdog(2, 0), 0);
	EXPECT(hypercall_sched_op(SCHEDOP_watchdog, (void *)NOT_MAPPED), -EFAULT);
}

static long pin(int32_t cpu)
{
	struct sched_pin_override op = {.pcpu = cpu};

	return hypercall_sched_op(SCHEDOP_pin_override, &op);
}

static void pin_override(void)
{
	EXPECT(pin(-1), -EINVAL);
	EXPECT(pin(0), 0);
	EXPECT(pin(0), -EBUSY);
	EXPECT(pin(-1), 0);
	EXPECT(pin(4000), -EINVAL);
	EXPECT(pin(0x7fffffff), -EINVAL);
	/* To and fro, where there is another CPU. */
	if (pin(1) == -EINVAL)
		return;
	EXPECT(pin(-1), 0);
	for (int i = 0; i < 100; i++) {
		EXPECT(pin(i & 1), 0);
		EXPECT(pin(-1), 0);
	}
}

static char other_stack[4 * PAGE_SIZE] __attribute__((aligned(PAGE_SIZE)));
static volatile struct vcpu_runstate_info other_state;
static volatile bool other_spins, other_ends;

static void spin_on_cpu_0(void *unused)
{
	struct vcpu_register_runstate_memory_area op = {.addr.v = (void *)&other_state};

	hypercall_vcpu_op(VCPUOP_register_runstate_memory_area, 1, &op);
	pin(0);
	other_spins = true;
	while (!other_ends)
		;
	for (;;)
		hypercall_vcpu_op(VCPUOP_down, 1, NULL);
}

/* Two vCPUs have one CPU: of the one that does not run the other sees that, and why, in its runstate area. */
static void stopped_state(void)
{
	uint64_t end = clock_now() + 5 * NSEC_PER_SEC;

	if (hypercall_vcpu_op(VCPUOP_is_up, 1, NULL) == -ENOENT) {
		test_skip("one vCPU");
		return;
	}
	EXPECT(pin(0), 0);
	EXPECT(vcpu_start(1, spin_on_cpu_0, NULL, other_stack + sizeof(other_stack)), 0);
	while (!other_spins && clock_now() < end)
		hypercall_sched_op(SCHEDOP_yield, NULL);
	EXPECT_TRUE(other_spins);
	EXPECT(other_state.state, RUNSTATE_runnable);
	other_ends = true;
	while (hypercall_vcpu_op(VCPUOP_is_up, 1, NULL) == 1 && clock_now() < end)
		hypercall_sched_op(SCHEDOP_yield, NULL);
	EXPECT(hypercall_vcpu_op(VCPUOP_is_up, 1, NULL), 0);
	EXPECT(other_state.state, RUNSTATE_offline);
	EXPECT(pin(-1), 0);
}

static void compat(void)
{
	EXPECT(hypercall_sched_op_compat(SCHEDOP_yield, 0), 0);
	EXPECT(hypercall_sched_op_compat(SCHEDOP_poll, 0), -ENOSYS);
}

static const struct test tests[] = {
    {"yield", yield},
    {"block until an event", block},
    {"block with an event pending", block_with_event_pending},
    {"poll a port", poll_port},
    {"poll with a timeout", poll_timeout},
    {"poll many ports", poll_many},
    {"poll with bad arguments", poll_bad},
    {"bad pointers", bad_pointers},
    {"unknown commands", unknown_commands},
    {"shutdown of another domain", remote_shutdown},
    {"watchdogs", watchdogs},
    {"pin to a CPU", pin_override},
    {"state of a vCPU that does not run", stopped_state},
    {"the oldest form", compat},
};

void guest_main(void)
{
	static const struct {
		const char *word;
		unsigned int reason;
	} ends[] = {
	    {"crash", SHUTDOWN_crash},		 {"reboot", SHUTDOWN_reboot},
	    {"suspend", SHUTDOWN_suspend},	 {"watchdog", SHUTDOWN_watchdog},
	    {"soft-reset", SHUTDOWN_soft_reset}, {"unknown", 99},
	};

	for (size_t i = 0; i < COUNT_OF(ends); i++) {
		if (test_argument_word(ends[i].word)) {
			printk("shutdown with reason %u\n", ends[i].reason);
			shutdown(ends[i].reason);
		}
	}
	if (test_argument_word("bark")) {
		printk("watchdog %ld is not fed\n", watchdog(0, 1));
		for (;;)
			hypercall_sched_op(SCHEDOP_yield, NULL);
	}
	test_main("sched", tests, COUNT_OF(tests));
}
