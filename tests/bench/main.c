/* SPDX-License-Identifier: MIT */
/*
 * The benchmark guest: the least time, over a number of tries, of each operation that a kernel does, in ticks of
 * the time stamp counter, which in QEMU with -icount shift=0 counts instructions. What the guest itself does for it
 * (reading the counter, loading arguments, the stub of the hypercall page) is part of it: 10 to 20 instructions.
 * Prints "BENCH name ticks" lines; tests/bench/bench makes the table.
 */
#include <guest/clock.h>
#include <guest/console.h>
#include <guest/event.h>
#include <guest/hypercall.h>
#include <guest/memory.h>
#include <guest/start.h>
#include <guest/string.h>
#include <guest/trap.h>
#include <guest/user.h>
#include <public/callback.h>
#include <public/grant_table.h>
#include <public/memory.h>
#include <public/physdev.h>
#include <public/sched.h>
#include <public/sysctl.h>
#include <public/version.h>

#define AREA	   0x0000200000000000ul
#define USER_CODE  0x400000ul
#define USER_STACK 0x500000ul
#define TRIES	   50

extern const char fault_by_iretq[], fault_by_hypercall[], syscall_entry[], event_entry[];
extern const char user_page[], user_syscalls[], user_faults[];
extern volatile uint64_t event_time;
extern volatile unsigned long *event_word;

static uint64_t *page, *table;
static struct user_space space;

static inline __attribute__((always_inline)) uint64_t now(void)
{
	uint32_t low, high;

	__asm__ volatile("rdtsc" : "=a"(low), "=d"(high) : : "memory");
	return (uint64_t)high << 32 | low;
}

static void report(const char *name, uint64_t ticks)
{
	printk("BENCH %s %lu\n", name, ticks);
}

static void check(long result, const char *what)
{
	if (result)
		panic("%s: %ld", what, result);
}

/* The least time of an expression, which must be 0; `after` undoes what it did. */
#define MEASURE(name, tries, expression, after)                    \
	do {                                                       \
		uint64_t best = ~0ul;                              \
		for (unsigned int try = 0; try < (tries); try++) { \
			uint64_t start = now();                    \
			long result = (expression);                \
			uint64_t took = now() - start;             \
			check(result, name);                       \
			after;                                     \
			if (took < best)                           \
				best = took;                       \
		}                                                  \
		report(name, best);                                \
	} while (0)

/* For instructions that leave no result. */
#define MEASURE_CODE(name, tries, code) \
	MEASURE(name, tries, ({         \
			code;           \
			0;              \
		}), )

static void calls(void)
{
	static struct multicall_entry ten[10];

	for (unsigned int i = 0; i < 10; i++)
		ten[i] = (struct multicall_entry){.op = __HYPERVISOR_xen_version,
						  .args = {XENVER_version}};
	MEASURE("null", TRIES, hypercall_xen_version(XENVER_version, NULL) - (4 << 16 | 17), );
	MEASURE("multicall-10", TRIES, hypercall_multicall(ten, 10), );
	MEASURE("set_segment_base", TRIES, hypercall_set_segment_base(SEGBASE_FS, 0), );
	MEASURE("stack_switch", TRIES,
		hypercall_stack_switch(FLAT_KERNEL_SS, (unsigned long)page), );
}

static void page_tables(void)
{
	static struct mmu_update updates[32];
	unsigned int done;
	uint64_t entry = pte_make(virt_to_mfn(page), PTE_DATA), *l1;

	check(page_map(page_root, AREA, entry, DOMID_SELF), "map");
	l1 = page_root;
	for (unsigned int level = 4; level > 1; level--)
		l1 = mfn_to_virt(pte_mfn(l1[(AREA >> (12 + 9 * (level - 1))) % 512]));
	check(hypercall_update_va_mapping(AREA, 0, UVMF_INVLPG), "unmap");
	MEASURE("update_va_mapping", TRIES, hypercall_update_va_mapping(AREA, entry, UVMF_NONE),
		check(hypercall_update_va_mapping(AREA, 0, UVMF_INVLPG), "unmap"));
	for (unsigned int i = 0; i < 32; i++)
		updates[i].ptr = virt_to_machine(&l1[i]);
#define CLEAR                                                                        \
	do {                                                                         \
		for (unsigned int i = 0; i < 32; i++)                                \
			updates[i].val = 0;                                          \
		check(hypercall_mmu_update(updates, 32, NULL, DOMID_SELF), "clear"); \
		for (unsigned int i = 0; i < 32; i++)                                \
			updates[i].val = entry;                                      \
	} while (0)
	CLEAR;
	MEASURE("mmu_update-1", TRIES, hypercall_mmu_update(updates, 1, &done, DOMID_SELF), CLEAR);
	MEASURE("mmu_update-32", TRIES, hypercall_mmu_update(updates, 32, &done, DOMID_SELF),
		CLEAR);
	MEASURE_CODE("pte-write", TRIES, *(volatile uint64_t *)&l1[3] = entry);
	CLEAR;
}

static void pins(void)
{
	for (unsigned int i = 0; i < 512; i++)
		table[i] = pte_make(virt_to_mfn(page), PTE_DATA);
	check(page_read_only(table), "read-only");
	MEASURE("pin-l1", 10, page_pin(table, 1), check(page_unpin(table), "unpin"));
	check(page_writable(table), "writable");
}

/* The second: only the unpin counts. */
static void unpin(void)
{
	uint64_t best = ~0ul;

	check(page_read_only(table), "read-only");
	for (unsigned int try = 0; try < 10; try++) {
		uint64_t start, took;
		long result;

		check(page_pin(table, 1), "pin");
		start = now();
		result = page_unpin(table);
		took = now() - start;
		check(result, "unpin");
		if (took < best)
			best = took;
	}
	report("unpin-l1", best);
	check(page_writable(table), "writable");
}

/* A second root with the same contents, and switches between the two. */
static void roots(void)
{
	uint64_t *other = page_alloc(), *user = page_table_alloc();
	struct mmuext_op ops[2] = {{.cmd = MMUEXT_NEW_BASEPTR}, {.cmd = MMUEXT_NEW_USER_BASEPTR}};
	struct multicall_entry calls[4] = {
	    {.op = __HYPERVISOR_fpu_taskswitch, .args = {1}},
	    {.op = __HYPERVISOR_stack_switch, .args = {FLAT_KERNEL_SS, (unsigned long)page}},
	    {.op = __HYPERVISOR_mmuext_op, .args = {(unsigned long)&ops[0], 1, 0, DOMID_SELF}},
	    {.op = __HYPERVISOR_mmuext_op, .args = {(unsigned long)&ops[1], 1, 0, DOMID_SELF}},
	};
	unsigned int done;
	unsigned long mfns[2] = {virt_to_mfn(other), virt_to_mfn(page_root)};

	memcpy(other, page_root, PAGE_SIZE);
	check(page_read_only(other), "read-only");
	check(page_pin(other, 4), "pin");
	check(page_pin(user, 4), "pin");
	ops[0].arg1.mfn = mfns[0];
	MEASURE("new_baseptr", TRIES, hypercall_mmuext_op(ops, 1, &done, DOMID_SELF),
		ops[0].arg1.mfn = mfns[(try + 1) % 2]);
	ops[1].arg1.mfn = virt_to_mfn(user);
	ops[0].arg1.mfn = mfns[0];
	MEASURE("process-switch", TRIES, hypercall_multicall(calls, 4),
		ops[0].arg1.mfn = mfns[(try + 1) % 2]);
	check(page_root_switch(page_root), "back");
	check(hypercall_fpu_taskswitch(0), "TS");
}

static void set_gate(unsigned int vector, const char *entry, unsigned int flags)
{
	struct trap_info gates[2] = {{vector, flags, FLAT_KERNEL_CS, (unsigned long)entry}, {0}};

	check(hypercall_set_trap_table(gates), "gate");
}

static void set_callback(unsigned int type, const void *entry)
{
	struct callback_register op = {
	    .type = type, .flags = CALLBACKF_mask_events, .address = (unsigned long)entry};

	check(hypercall_callback_op(CALLBACKOP_register, &op), "callback");
}

/* A load of three bytes from where nothing is. */
#define FAULT __asm__ volatile("movb (%%r8), %%al" : : "r"(nowhere) : "rax", "rcx", "r11", "memory")

static void faults(void)
{
	register unsigned long nowhere __asm__("r8") = 0x7000dead0000;

	set_gate(TRAP_PF, fault_by_iretq, 0);
	MEASURE_CODE("fault-iretq", TRIES, nowhere = 0x7000dead0000; FAULT);
	set_gate(TRAP_PF, fault_by_hypercall, 0);
	MEASURE_CODE("fault-hypercall", TRIES, nowhere = 0x7000dead0000; FAULT);
}

static void emulated(void)
{
	struct physdev_set_iopl iopl = {.iopl = 1};
	uint32_t low, high;
	uint64_t value;

	check(hypercall_physdev_op(PHYSDEVOP_set_iopl, &iopl), "iopl");
	MEASURE_CODE("rdmsr", TRIES,
		     __asm__ volatile("rdmsr"
				      : "=a"(low), "=d"(high)
				      : "c"(0xc0000080)));
	MEASURE_CODE("outb", TRIES, __asm__ volatile("outb %%al, $0x80" : : "a"(0)));
	MEASURE_CODE("mov-from-cr0", TRIES, __asm__ volatile("movq %%cr0, %0" : "=r"(value)));
	MEASURE_CODE("cpuid-forced", TRIES,
		     __asm__ volatile(".byte 0x0f, 0x0b, 0x78, 0x65, 0x6e\n\tcpuid"
				      : "=a"(low)
				      : "a"(1), "c"(0)
				      : "rbx", "rdx"));
}

static void user_mode(void)
{
	uint64_t *stack = page_alloc();

	check(user_space_create(&space), "user space");
	check(user_space_map(&space, USER_CODE, virt_to_mfn(user_page), PTE_P), "map");
	check(user_space_map(&space, USER_STACK, virt_to_mfn(stack), PTE_P | PTE_RW), "map");
	check(user_space_activate(&space), "activate");
	set_callback(CALLBACKTYPE_syscall, syscall_entry);
	report("user-syscall",
	       user_run(USER_CODE + (user_syscalls - user_page), USER_STACK + PAGE_SIZE, TRIES));
	set_gate(TRAP_PF, fault_by_hypercall, 0);
	report("user-fault",
	       user_run(USER_CODE + (user_faults - user_page), USER_STACK + PAGE_SIZE, TRIES));
}

static void unmask_port(evtchn_port_t port)
{
	struct evtchn_unmask op = {.port = port};

	check(hypercall_event_channel_op(EVTCHNOP_unmask, &op), "unmask");
}

static void events(void)
{
	struct evtchn_bind_ipi bind = {.vcpu = 0};
	struct evtchn_send send;
	uint64_t best_entry = ~0ul, best_back = ~0ul;

	check(hypercall_event_channel_op(EVTCHNOP_bind_ipi, &bind), "bind");
	event_word = &shared_info->evtchn_pending[bind.port / 64];
	set_callback(CALLBACKTYPE_event, event_entry);
	unmask_port(bind.port);
	send.port = bind.port;
	for (unsigned int try = 0; try < TRIES; try++) {
		uint64_t start = now(), back;

		hypercall_event_channel_op(EVTCHNOP_send, &send);
		back = now();
		if (event_time - start < best_entry)
			best_entry = event_time - start;
		if (back - start < best_back)
			best_back = back - start;
	}
	report("event-entry", best_entry);
	report("event-back", best_back);
}

/* Lateness: from the deadline, as the clock tells it, to the handler's first instructions. */
static uint64_t to_system_time(uint64_t tsc)
{
	volatile struct vcpu_time_info *time = &shared_info->vcpu_info[0].time;
	uint64_t delta = tsc - time->tsc_timestamp;

	delta = time->tsc_shift < 0 ? delta >> -time->tsc_shift : delta << time->tsc_shift;
	return time->system_time +
	       (uint64_t)(((unsigned __int128)delta * time->tsc_to_system_mul) >> 32);
}

static uint64_t middle(uint64_t *values, unsigned int count)
{
	for (unsigned int i = 0; i < count; i++) {
		for (unsigned int j = i + 1; j < count; j++) {
			if (values[j] < values[i]) {
				uint64_t value = values[i];

				values[i] = values[j];
				values[j] = value;
			}
		}
	}
	return values[count / 2];
}

static void timers(void)
{
	struct evtchn_bind_virq bind = {.virq = VIRQ_TIMER};
	uint64_t median[2];
	enum { ROUNDS = 20 };

	check(hypercall_event_channel_op(EVTCHNOP_bind_virq, &bind), "bind");
	event_word = &shared_info->evtchn_pending[bind.port / 64];
	unmask_port(bind.port);
	for (unsigned int block = 0; block < 2; block++) {
		uint64_t lateness[ROUNDS];

		for (unsigned int round = 0; round < ROUNDS; round++) {
			/* Spread over the phases of whatever clock the hypervisor has. */
			uint64_t deadline = to_system_time(now()) + 500000 + round * 7919;

			event_time = 0;
			if (block)
				vcpu_info_here->evtchn_upcall_mask = 1;
			check(hypercall_set_timer_op(deadline), "timer");
			if (block)
				hypercall_sched_op(SCHEDOP_block, NULL);
			while (!event_time)
				;
			/* Real Xen may be early, and then comes again. */
			while (to_system_time(event_time) < deadline)
				;
			lateness[round] = to_system_time(event_time) - deadline;
		}
		median[block] = middle(lateness, ROUNDS);
	}
	report("timer-spinning", median[0]);
	report("timer-blocked", median[1]);
}

static void memory(void)
{
	xen_pfn_t frame = virt_to_mfn(page);
	struct xen_memory_reservation op = {.nr_extents = 1, .domid = DOMID_SELF};

	set_xen_guest_handle(op.extent_start, &frame);
	check(page_set(page, 0), "unmap");
	MEASURE("memory-decrease", 10, hypercall_memory_op(XENMEM_decrease_reservation, &op) - 1,
		check(hypercall_memory_op(XENMEM_increase_reservation, &op) - 1, "increase"));
	check(hypercall_memory_op(XENMEM_decrease_reservation, &op) - 1, "decrease");
	MEASURE("memory-increase", 10, hypercall_memory_op(XENMEM_increase_reservation, &op) - 1,
		check(hypercall_memory_op(XENMEM_decrease_reservation, &op) - 1, "decrease"));
}

static void console(void)
{
	static char text[65] = "...............................................................\n";

	MEASURE("console_io-64", 5, hypercall_console_io(CONSOLEIO_write, 64, text), );
}

static void copy_page(void *to, const void *from)
{
	unsigned long words = PAGE_SIZE / 8;

	__asm__ volatile("rep movsq" : "+D"(to), "+S"(from), "+c"(words) : : "memory");
}

#define GRANTS 16

static void map_grants(struct gnttab_map_grant_ref *maps, uint32_t flags, const char *area)
{
	for (unsigned int i = 0; i < GRANTS; i++)
		maps[i] = (struct gnttab_map_grant_ref){
		    .host_addr = (uint64_t)area + i * PAGE_SIZE, .flags = flags, .ref = 8 + i};
	check(hypercall_grant_table_op(GNTTABOP_map_grant_ref, maps, GRANTS), "map");
}

static void unmap_grants(const struct gnttab_map_grant_ref *maps)
{
	struct gnttab_unmap_grant_ref unmaps[GRANTS];

	for (unsigned int i = 0; i < GRANTS; i++) {
		check(maps[i].status, "grant");
		unmaps[i] = (struct gnttab_unmap_grant_ref){.handle = maps[i].handle};
		if (maps[i].flags & GNTMAP_host_map)
			unmaps[i].host_addr = maps[i].host_addr;
		else
			unmaps[i].dev_bus_addr = maps[i].dev_bus_addr;
	}
	check(hypercall_grant_table_op(GNTTABOP_unmap_grant_ref, unmaps, GRANTS), "unmap");
}

/* What a back half does for a request of 64 KiB, and what copying a page would be. The pages are this domain's own. */
static void grants(void)
{
	xen_pfn_t frame;
	struct gnttab_setup_table setup = {.dom = DOMID_SELF, .nr_frames = 1};
	struct gnttab_map_grant_ref maps[GRANTS];
	struct grant_entry_v1 *entries;
	char *area = frames_reserve(GRANTS);
	void *copy = page_alloc();

	set_xen_guest_handle(setup.frame_list, &frame);
	check(hypercall_grant_table_op(GNTTABOP_setup_table, &setup, 1), "setup_table");
	entries = frames_map(frame, 1, PTE_DATA, DOMID_SELF, NULL);
	for (unsigned int i = 0; i < GRANTS; i++)
		entries[8 + i] =
		    (struct grant_entry_v1){.flags = GTF_permit_access,
					    .domid = 0,
					    .frame = (uint32_t)virt_to_mfn(page_alloc())};
	MEASURE("grant-device-16", 10,
		(map_grants(maps, GNTMAP_device_map, area), unmap_grants(maps), 0), );
	MEASURE("grant-host-16", 10,
		(map_grants(maps, GNTMAP_host_map, area), unmap_grants(maps), 0), );
	MEASURE("copy-page", 10, (copy_page(copy, page), 0), );
}

/* Frames of the machine that are neither free nor this domain's. */
static void kept(void)
{
	static struct {
		uint64_t start, size;
		uint32_t type;
	} __attribute__((packed)) entries[128];
	struct xen_memory_map map = {.nr_entries = 128};
	static struct xen_sysctl sysctl = {.cmd = XEN_SYSCTL_physinfo,
					   .interface_version = XEN_SYSCTL_INTERFACE_VERSION};
	domid_t self = DOMID_SELF;
	uint64_t ram = 0;

	set_xen_guest_handle(map.buffer, (void *)entries);
	check(hypercall_memory_op(XENMEM_machine_memory_map, &map), "memory map");
	for (unsigned int i = 0; i < map.nr_entries; i++)
		if (entries[i].type == 1)
			ram += entries[i].size / PAGE_SIZE;
	check(hypercall_sysctl(&sysctl), "physinfo");
	report("kept-kib", 4 * (ram - sysctl.u.physinfo.free_pages - sysctl.u.physinfo.scrub_pages -
				hypercall_memory_op(XENMEM_current_reservation, &self)));
}

void guest_main(void)
{
	page = page_alloc();
	table = page_alloc();
	kept();
	/* On machines of other sizes nothing else is asked. */
	if (strcmp((const char *)start_info->cmd_line, "kept") == 0) {
		printk("BENCH end\n");
		return;
	}
	calls();
	page_tables();
	pins();
	unpin();
	roots();
	emulated();
	faults();
	user_mode();
	events();
	timers();
	memory();
	console();
	grants();
	printk("BENCH end\n");
}
