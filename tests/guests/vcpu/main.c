/* SPDX-License-Identifier: MIT */
/* vcpu_op: further vCPUs come up, go down, take events and timers; registered areas; bad arguments. */
#include "../test.h"
#include <public/arch-x86/xen.h>

#define STATES 4

static unsigned int vcpus;
static void *stacks[XEN_LEGACY_MAX_VCPUS];

static volatile unsigned int running[XEN_LEGACY_MAX_VCPUS], stop, ticks[XEN_LEGACY_MAX_VCPUS],
    wrong_cpu;

static bool is_up(unsigned int vcpu)
{
	return hypercall_vcpu_op(VCPUOP_is_up, vcpu, NULL) == 1;
}

static bool wait_down(unsigned int vcpu)
{
	uint64_t end = clock_now() + NSEC_PER_SEC;

	while (is_up(vcpu) && clock_now() < end)
		hypercall_sched_op(SCHEDOP_yield, NULL);
	return !is_up(vcpu);
}

/* Count and spin until told to stop, then go down. */
static void count(void *argument)
{
	unsigned long me = (unsigned long)argument;

	while (!stop) {
		running[me]++;
		cpu_relax();
	}
	for (;;)
		hypercall_vcpu_op(VCPUOP_down, me, NULL);
}

static void is_up_answers(void)
{
	EXPECT(hypercall_vcpu_op(VCPUOP_is_up, 0, NULL), 1);
	for (unsigned int i = 1; i < vcpus; i++)
		EXPECT(hypercall_vcpu_op(VCPUOP_is_up, i, NULL), 0);
	EXPECT(hypercall_vcpu_op(VCPUOP_is_up, vcpus, NULL), -ENOENT);
	EXPECT(hypercall_vcpu_op(VCPUOP_is_up, 8191, NULL), -ENOENT);
	EXPECT(hypercall_vcpu_op(VCPUOP_is_up, ~0u, NULL), -ENOENT);
}

static void not_initialised(void)
{
	if (vcpus > 1)
		EXPECT(hypercall_vcpu_op(VCPUOP_up, 1, NULL), -EINVAL);
	EXPECT(hypercall_vcpu_op(VCPUOP_up, vcpus, NULL), -ENOENT);
	EXPECT(hypercall_vcpu_op(VCPUOP_down, vcpus, NULL), -ENOENT);
}

static void initialise_bad(void)
{
	static struct vcpu_guest_context context;

	EXPECT(hypercall_vcpu_op(VCPUOP_initialise, vcpus, &context), -ENOENT);
	if (vcpus < 2)
		return;
	EXPECT(hypercall_vcpu_op(VCPUOP_initialise, 1, (void *)NOT_MAPPED), -EFAULT);
	EXPECT(hypercall_vcpu_op(VCPUOP_initialise, 1, (void *)OF_HYPERVISOR), -EFAULT);
	/* No root, an address that is no address. */
	memset(&context, 0, sizeof(context));
	context.flags = VGCF_IN_KERNEL;
	context.user_regs.cs = FLAT_KERNEL_CS;
	context.user_regs.ss = FLAT_KERNEL_SS;
	context.kernel_ss = FLAT_KERNEL_SS;
	context.ctrlreg[3] = xen_pfn_to_cr3(0x210);
	EXPECT(hypercall_vcpu_op(VCPUOP_initialise, 1, &context), -EINVAL);
	context.ctrlreg[3] = xen_pfn_to_cr3(virt_to_mfn(page_root));
	context.event_callback_eip = NOT_CANONICAL;
	EXPECT(hypercall_vcpu_op(VCPUOP_initialise, 1, &context), -EINVAL);
	context.event_callback_eip = 0;
	context.fs_base = NOT_CANONICAL;
	EXPECT(hypercall_vcpu_op(VCPUOP_initialise, 1, &context), -EINVAL);
	context.fs_base = 0;
	context.gdt_ents = 512;
	context.gdt_frames[0] = 0x210;
	EXPECT(hypercall_vcpu_op(VCPUOP_initialise, 1, &context), -EINVAL);
	context.gdt_ents = 8193;
	EXPECT(hypercall_vcpu_op(VCPUOP_initialise, 1, &context), -EINVAL);
	context.gdt_ents = 0;
	context.ldt_base = 1;
	context.ldt_ents = 5;
	EXPECT(hypercall_vcpu_op(VCPUOP_initialise, 1, &context), -EINVAL);
	EXPECT(is_up(1), 0);
	EXPECT(hypercall_vcpu_op(VCPUOP_up, 1, NULL), -EINVAL);
}

static void up_and_down(void)
{
	/* The last one is for "events and timer on another vCPU". */
	unsigned int last = vcpus - 1;

	if (vcpus < 3) {
		test_skip("needs three vCPUs");
		return;
	}
	stop = 0;
	for (unsigned long i = 1; i < last; i++) {
		running[i] = 0;
		EXPECT(vcpu_start(i, count, (void *)i, stacks[i]), 0);
		EXPECT(hypercall_vcpu_op(VCPUOP_is_up, i, NULL), 1);
	}
	for (unsigned int i = 1; i < last; i++)
		EXPECT_TRUE(test_wait(&running[i]));
	stop = 1;
	for (unsigned int i = 1; i < last; i++)
		EXPECT_TRUE(wait_down(i));
	/* Initialised once: with other registers never again, but up goes on where it went down. */
	EXPECT(vcpu_start(1, count, (void *)1, stacks[1]), -EEXIST);
	stop = 0;
	running[1] = 0;
	EXPECT(hypercall_vcpu_op(VCPUOP_up, 1, NULL), 0);
	EXPECT(hypercall_vcpu_op(VCPUOP_up, 1, NULL), 0);
	/* It asks to go down again at once. */
	EXPECT_TRUE(wait_down(1));
}

/* Runstates of a vCPU: times add up to what has passed. */
static void runstate(void)
{
	struct vcpu_runstate_info first, second;
	uint64_t sum1 = 0, sum2 = 0, before, after;

	before = clock_now();
	EXPECT(hypercall_vcpu_op(VCPUOP_get_runstate_info, 0, &first), 0);
	for (volatile int i = 0; i < 100000; i = i + 1)
		;
	EXPECT(hypercall_vcpu_op(VCPUOP_get_runstate_info, 0, &second), 0);
	after = clock_now();
	EXPECT(first.state, RUNSTATE_running);
	EXPECT_TRUE(first.state_entry_time <= before);
	for (unsigned int i = 0; i < STATES; i++) {
		sum1 += first.time[i];
		sum2 += second.time[i];
	}
	EXPECT_TRUE(sum2 > sum1);
	EXPECT_TRUE(sum2 - sum1 <= after - before + 1000);
	EXPECT_TRUE(second.time[RUNSTATE_running] > first.time[RUNSTATE_running]);
	EXPECT(hypercall_vcpu_op(VCPUOP_get_runstate_info, 0, (void *)NOT_MAPPED), -EFAULT);
	EXPECT(hypercall_vcpu_op(VCPUOP_get_runstate_info, vcpus, &first), -ENOENT);
	if (vcpus > 1) {
		EXPECT(hypercall_vcpu_op(VCPUOP_get_runstate_info, 1, &first), 0);
		EXPECT(first.state, RUNSTATE_offline);
	}
}

static void on_timer(evtchn_port_t port, void *data)
{
	ticks[(unsigned long)data]++;
}

/* Blocked time is counted as such. */
static void runstate_blocked(void)
{
	struct vcpu_runstate_info first, second;
	long port = event_bind_virq(VIRQ_TIMER, on_timer, NULL);
	uint64_t blocked = 0;

	EXPECT_TRUE(port > 0);
	/* A busy host may let the deadline pass before the block: so more than one try. */
	for (int try = 0; try < 20; try++) {
		EXPECT(hypercall_vcpu_op(VCPUOP_get_runstate_info, 0, &first), 0);
		/* Masked first, or the event may come before the block. */
		events_mask();
		EXPECT(clock_timer_set(clock_now() + 5 * NSEC_PER_MSEC), 0);
		hypercall_sched_op(SCHEDOP_block, NULL);
		EXPECT(hypercall_vcpu_op(VCPUOP_get_runstate_info, 0, &second), 0);
		blocked = second.time[RUNSTATE_blocked] - first.time[RUNSTATE_blocked];
		if (blocked >= 3 * NSEC_PER_MSEC)
			break;
	}
	EXPECT_TRUE(blocked >= 3 * NSEC_PER_MSEC);
	EXPECT(event_close(port), 0);
}

static struct vcpu_runstate_info area;

static void runstate_area(void)
{
	struct vcpu_register_runstate_memory_area op = {.addr.v = &area};
	struct vcpu_runstate_info asked;
	long port;

	EXPECT(hypercall_vcpu_op(VCPUOP_register_runstate_memory_area, 0, &op), 0);
	EXPECT(area.state, RUNSTATE_running);
	EXPECT(hypercall_vcpu_op(VCPUOP_get_runstate_info, 0, &asked), 0);
	EXPECT(area.state_entry_time, asked.state_entry_time);
	/* It is written at each switch to us: after a block at the latest. */
	EXPECT(hypercall_vm_assist(VMASST_CMD_enable, VMASST_TYPE_runstate_update_flag), 0);
	port = event_bind_virq(VIRQ_TIMER, on_timer, NULL);
	/* As above. */
	for (int try = 0; try < 20 && area.state_entry_time <= asked.state_entry_time; try++) {
		events_mask();
		EXPECT(clock_timer_set(clock_now() + 5 * NSEC_PER_MSEC), 0);
		hypercall_sched_op(SCHEDOP_block, NULL);
	}
	EXPECT_TRUE(area.state_entry_time > asked.state_entry_time);
	EXPECT(area.state_entry_time & XEN_RUNSTATE_UPDATE, 0);
	EXPECT_TRUE(area.time[RUNSTATE_blocked] > asked.time[RUNSTATE_blocked]);
	EXPECT(event_close(port), 0);
	EXPECT(hypercall_vcpu_op(VCPUOP_register_runstate_memory_area, 0, (void *)NOT_MAPPED),
	       -EFAULT);
	op.addr.v = (void *)OF_HYPERVISOR;
	EXPECT(hypercall_vcpu_op(VCPUOP_register_runstate_memory_area, 0, &op), -EFAULT);
	EXPECT(hypercall_vcpu_op(VCPUOP_register_runstate_memory_area, vcpus, &op), -ENOENT);
	/* None any more. */
	op.addr.v = NULL;
	EXPECT(hypercall_vcpu_op(VCPUOP_register_runstate_memory_area, 0, &op), 0);
}

static struct vcpu_time_info time_copy;

static void time_area(void)
{
	struct vcpu_register_time_memory_area op = {.addr.v = &time_copy};

	EXPECT(hypercall_vcpu_op(VCPUOP_register_vcpu_time_memory_area, 0, &op), 0);
	hypercall_sched_op(SCHEDOP_yield, NULL);
	EXPECT(time_copy.version & 1, 0);
	EXPECT(time_copy.tsc_to_system_mul, vcpu_info_here->time.tsc_to_system_mul);
	EXPECT(time_copy.tsc_shift, vcpu_info_here->time.tsc_shift);
	EXPECT_TRUE(time_copy.tsc_timestamp <= rdtsc());
	EXPECT_TRUE(time_copy.system_time <= clock_now());
	op.addr.v = (void *)OF_HYPERVISOR;
	EXPECT(hypercall_vcpu_op(VCPUOP_register_vcpu_time_memory_area, 0, &op), -EFAULT);
	EXPECT(hypercall_vcpu_op(VCPUOP_register_vcpu_time_memory_area, 0, (void *)NOT_MAPPED),
	       -EFAULT);
}

static void timers_bad(void)
{
	struct vcpu_set_singleshot_timer single = {.timeout_abs_ns = 1};
	struct vcpu_set_periodic_timer periodic = {.period_ns = 1};

	EXPECT(hypercall_vcpu_op(VCPUOP_set_singleshot_timer, 0, (void *)NOT_MAPPED), -EFAULT);
	EXPECT(hypercall_vcpu_op(VCPUOP_set_periodic_timer, 0, (void *)NOT_MAPPED), -EFAULT);
	EXPECT(hypercall_vcpu_op(VCPUOP_set_periodic_timer, 0, &periodic), -EINVAL);
	EXPECT(hypercall_vcpu_op(VCPUOP_set_singleshot_timer, vcpus, &single), -ENOENT);
	if (vcpus > 1)
		EXPECT(hypercall_vcpu_op(VCPUOP_set_singleshot_timer, 1, &single), -EINVAL);
}

static void unknown_commands(void)
{
	EXPECT(hypercall_vcpu_op(14, 0, NULL), -ENOSYS);
	EXPECT(hypercall_vcpu_op(1000, 0, NULL), -ENOSYS);
	EXPECT(hypercall_vcpu_op(-1, 0, NULL), -ENOSYS);
}

/* Each vCPU has its own record, events and timer: VIRQ_TIMER and an IPI bound to it arrive there. */
static volatile unsigned int ipis[XEN_LEGACY_MAX_VCPUS];
static evtchn_port_t timer_ports[XEN_LEGACY_MAX_VCPUS], ipi_ports[XEN_LEGACY_MAX_VCPUS];

static void on_virq(evtchn_port_t port, void *data)
{
	unsigned long vcpu = (unsigned long)data;

	/* Where the upcall runs GS leads to the record of the vCPU: its own stack is where we are. */
	if ((unsigned long)__builtin_frame_address(0) - (unsigned long)stacks[vcpu] +
		4 * PAGE_SIZE >=
	    4 * PAGE_SIZE)
		wrong_cpu++;
	ticks[vcpu]++;
}

static void on_ipi(evtchn_port_t port, void *data)
{
	ipis[(unsigned long)data]++;
}

static volatile unsigned int blocked_done[XEN_LEGACY_MAX_VCPUS];

/* Wait for five ticks of the own timer, then for an IPI, blocking. */
static void wait_for_events(void *argument)
{
	unsigned long me = (unsigned long)argument;

	while (ticks[me] < 5) {
		struct vcpu_set_singleshot_timer op = {.timeout_abs_ns =
							   clock_now() + NSEC_PER_MSEC};

		hypercall_vcpu_op(VCPUOP_set_singleshot_timer, me, &op);
		hypercall_sched_op(SCHEDOP_block, NULL);
		events_mask();
	}
	while (!ipis[me]) {
		hypercall_sched_op(SCHEDOP_block, NULL);
		events_mask();
	}
	blocked_done[me] = 1;
	for (;;)
		hypercall_vcpu_op(VCPUOP_down, me, NULL);
}

static void events_elsewhere(void)
{
	/* A vCPU can't be started twice. This is the one that "up and down" leaves alone. */
	unsigned long vcpu = vcpus - 1;
	struct evtchn_bind_virq virq = {.virq = VIRQ_TIMER, .vcpu = vcpu};
	struct evtchn_bind_ipi ipi = {.vcpu = vcpu};
	struct evtchn_unmask unmask;

	if (vcpus < 2) {
		test_skip("one vCPU");
		return;
	}
	EXPECT(hypercall_event_channel_op(EVTCHNOP_bind_virq, &virq), 0);
	EXPECT(hypercall_event_channel_op(EVTCHNOP_bind_ipi, &ipi), 0);
	timer_ports[vcpu] = virq.port;
	ipi_ports[vcpu] = ipi.port;
	event_handler_set(virq.port, on_virq, (void *)vcpu);
	event_handler_set(ipi.port, on_ipi, (void *)vcpu);
	unmask.port = virq.port;
	EXPECT(hypercall_event_channel_op(EVTCHNOP_unmask, &unmask), 0);
	unmask.port = ipi.port;
	EXPECT(hypercall_event_channel_op(EVTCHNOP_unmask, &unmask), 0);
	ticks[vcpu] = 0;
	EXPECT(vcpu_start(vcpu, wait_for_events, (void *)vcpu, stacks[vcpu]), 0);
	for (uint64_t end = clock_now() + 2 * NSEC_PER_SEC; ticks[vcpu] < 5 && clock_now() < end;)
		hypercall_sched_op(SCHEDOP_yield, NULL);
	EXPECT(ticks[vcpu], 5);
	EXPECT(blocked_done[vcpu], 0);
	EXPECT(event_send(ipi.port), 0);
	for (uint64_t end = clock_now() + 2 * NSEC_PER_SEC;
	     !blocked_done[vcpu] && clock_now() < end;)
		hypercall_sched_op(SCHEDOP_yield, NULL);
	EXPECT(ipis[vcpu], 1);
	EXPECT(blocked_done[vcpu], 1);
	EXPECT(wrong_cpu, 0);
	EXPECT_TRUE(wait_down(vcpu));
	EXPECT(event_close(virq.port), 0);
	EXPECT(event_close(ipi.port), 0);
}

/* A record of vCPU 0 elsewhere: contents move, masks and events work there. Once only, so it comes last. */
static void vcpu_info_elsewhere(void)
{
	struct vcpu_info *page = page_alloc();
	struct vcpu_register_vcpu_info op = {.mfn = virt_to_mfn(page), .offset = 128};
	struct evtchn_bind_ipi ipi = {.vcpu = 0};
	long result;

	events_mask();
	EXPECT(hypercall_vcpu_op(VCPUOP_register_vcpu_info, 0, (void *)NOT_MAPPED), -EFAULT);
	EXPECT(hypercall_vcpu_op(VCPUOP_register_vcpu_info, vcpus, &op), -ENOENT);
	/* It must lie within a page, and on memory of ours to write: ENXIO on real Xen. */
	op.offset = PAGE_SIZE - 8;
	result = hypercall_vcpu_op(VCPUOP_register_vcpu_info, 0, &op);
	EXPECT_TRUE(result == -ENXIO || result == -EINVAL);
	op.offset = ~0u;
	result = hypercall_vcpu_op(VCPUOP_register_vcpu_info, 0, &op);
	EXPECT_TRUE(result == -ENXIO || result == -EINVAL);
	op.offset = 128;
	op.mfn = 0x210;
	result = hypercall_vcpu_op(VCPUOP_register_vcpu_info, 0, &op);
	EXPECT_TRUE(result == -ENXIO || result == -EINVAL);
	op.mfn = virt_to_mfn(page_root);
	result = hypercall_vcpu_op(VCPUOP_register_vcpu_info, 0, &op);
	EXPECT_TRUE(result == -ENXIO || result == -EINVAL);
	op.mfn = virt_to_mfn(page);
	if (!EXPECT(hypercall_vcpu_op(VCPUOP_register_vcpu_info, 0, &op), 0))
		return;
	EXPECT(hypercall_vcpu_op(VCPUOP_register_vcpu_info, 0, &op), -EINVAL);
	hypercall_set_segment_base(SEGBASE_GS_KERNEL, (unsigned long)page + 128);
	EXPECT(events_masked(), 1);
	events_unmask();
	EXPECT(events_masked(), 0);
	EXPECT_TRUE(vcpu_info_here->time.tsc_to_system_mul);
	EXPECT(hypercall_event_channel_op(EVTCHNOP_bind_ipi, &ipi), 0);
	event_handler_set(ipi.port, on_ipi, (void *)0);
	event_unmask(ipi.port);
	ipis[0] = 0;
	EXPECT(event_send(ipi.port), 0);
	EXPECT(ipis[0], 1);
	events_mask();
	EXPECT(event_send(ipi.port), 0);
	EXPECT(ipis[0], 1);
	EXPECT(vcpu_info_here->evtchn_upcall_pending, 1);
	events_unmask();
	EXPECT(ipis[0], 2);
	EXPECT(event_close(ipi.port), 0);
	/* The old place is not looked at any more. */
	shared_info->vcpu_info[0].evtchn_upcall_mask = 1;
	EXPECT(events_masked(), 0);
}

static const struct test tests[] = {
    {"is_up", is_up_answers},
    {"up before initialise", not_initialised},
    {"initialise with bad contexts", initialise_bad},
    {"runstate", runstate},
    {"runstate of a block", runstate_blocked},
    {"runstate area", runstate_area},
    {"time area", time_area},
    {"bad timers", timers_bad},
    {"unknown commands", unknown_commands},
    {"events and timer on another vCPU", events_elsewhere},
    {"up and down", up_and_down},
    {"vcpu_info elsewhere", vcpu_info_elsewhere},
};

void guest_main(void)
{
	vcpus = vcpu_count();
	/* The scenario sees the end that this is. */
	if (test_argument_word("all-down")) {
		hypercall_vcpu_op(VCPUOP_down, 0, NULL);
		printk("vCPU 0 is still up\n");
	}
	for (unsigned int i = 1; i < vcpus; i++)
		stacks[i] = test_stack();
	test_main("vcpu", tests, COUNT_OF(tests));
}
