/* SPDX-License-Identifier: MIT */
/*
 * The scheduler. Every thread is in exactly one place: `current` on the CPU; in run_queue; in a wait queue or in
 * sleepers or both; in graveyard; or ended and waiting to be joined. All of it changes with events masked only,
 * on vCPU 0 only, which is the locking.
 *
 * A thread gives up the CPU in schedule() alone: because it waits, because it ends, or, from the end of an event
 * upcall, because its slice is over. While none can run, the last one waits for events inside schedule(), so
 * there is no idle thread; handlers then run on its stack as they do on any other.
 */
#include <guest/thread.h>
#include <guest/clock.h>
#include <guest/heap.h>
#include <guest/hypercall.h>
#include <guest/start.h>
#include <guest/string.h>
#include <public/vcpu.h>

/*
 * Stacks lie at STACK_BASE, one a slot, at the upper end of it; the rest of the slot is never mapped. Whoever
 * runs off its end faults there; the hypervisor finds no stack to deliver the fault to and ends the domain.
 */
#define STACK_SLOT  0x10000ul
#define STACK_SIZE  0x8000ul
#define STACK_SLOTS 256
#define STACK_PAGES (STACK_SIZE / PAGE_SIZE)

struct thread {
	uint64_t rsp; /* while it is off the CPU */
	uint64_t stack, stack_end;
	struct thread_link place; /* in a queue, or pointing to itself */
	struct thread_link sleep; /* in sleepers, or pointing to itself */
	struct thread_link all;
	uint64_t deadline;
	bool timed_out, ended, detached;
	void (*function)(void *argument);
	void *argument;
	void *local;
	struct wait_queue joiner;
	unsigned int id;
	uint64_t run_time, switches;
	char name[THREAD_NAME];
};

/* What thread_switch pushes (thread-switch.S); a new thread starts with one. */
struct switch_frame {
	uint32_t mxcsr;
	uint16_t x87_control, pad[5];
	uint64_t trap_catch_frame, trap_catch_rsp, r15, r14, r13, r12, rbx, rbp;
	void (*return_to)(void);
	uint64_t end_of_stack;
};

extern char boot_stack[], boot_stack_top[];
void thread_switch(uint64_t *save, uint64_t load);

const struct thread_local_memory *thread_local_memory;
uint64_t thread_slice = 10 * NSEC_PER_MSEC;

static struct thread first;
static struct thread *current = &first;
static struct thread_link run_queue = {&run_queue, &run_queue};
static struct thread_link sleepers = {&sleepers, &sleepers}; /* soonest first */
static struct thread_link all = {&all, &all};
static struct thread_link graveyard = {&graveyard, &graveyard};
static uint64_t stack_slots[STACK_SLOTS / 64];
static unsigned int last_id;
static bool idle; /* in schedule(), with nothing to run */
static uint64_t idle_time;
static uint64_t switched_at; /* when current got the CPU, or accounting last looked */
static uint64_t slice_end;
static uint64_t timer_at; /* what the timer is set to, 0: nothing */

#define thread_of(link, member) \
	((struct thread *)((char *)(link) - __builtin_offsetof(struct thread, member)))

static bool is_empty(const struct thread_link *list)
{
	return !list->next || list->next == list;
}

static void list_add_before(struct thread_link *where, struct thread_link *link)
{
	if (!where->next)
		where->next = where->prev = where;
	link->next = where;
	link->prev = where->prev;
	where->prev->next = link;
	where->prev = link;
}

/* Harmless for a link that is in no list. */
static void list_remove(struct thread_link *link)
{
	link->prev->next = link->next;
	link->next->prev = link->prev;
	link->next = link->prev = link;
}

struct thread *thread_self(void)
{
	return current;
}

/* The timer is only ever set earlier: one that comes too early finds nothing to do and sets it right. */
static void set_timer(void)
{
	uint64_t deadline = 0;

	if (!is_empty(&sleepers))
		deadline = thread_of(sleepers.next, sleep)->deadline;
	if (!idle && !is_empty(&run_queue) && (!deadline || slice_end < deadline))
		deadline = slice_end;
	if (deadline && (!timer_at || deadline < timer_at)) {
		timer_at = deadline;
		clock_timer_set(deadline);
	}
}

static void make_ready(struct thread *thread)
{
	list_remove(&thread->place);
	list_remove(&thread->sleep);
	list_add_before(&run_queue, &thread->place);
}

/*
 * The timer is set again not here but in preempt or schedule, when what is due has been done: set to a slice
 * that is over it would be pending again at once, and the upcall would never end.
 */
static void on_timer(evtchn_port_t port, void *data)
{
	uint64_t now = clock_now();

	timer_at = 0;
	while (!is_empty(&sleepers)) {
		struct thread *thread = thread_of(sleepers.next, sleep);

		if (thread->deadline > now)
			break;
		thread->timed_out = true;
		make_ready(thread);
	}
}

static void account(uint64_t now, uint64_t *to)
{
	*to += now - switched_at;
	switched_at = now;
}

/* Events are masked, and current is in the place where it is to be from now on. Returns when it runs again. */
static void schedule(void)
{
	struct thread *from = current;

	account(clock_now(), &from->run_time);
	if (is_empty(&run_queue)) {
		idle = true;
		while (is_empty(&run_queue)) {
			set_timer();
			events_wait();
		}
		idle = false;
		account(clock_now(), &idle_time);
	}
	current = thread_of(run_queue.next, place);
	list_remove(&current->place);
	slice_end = switched_at + thread_slice;
	set_timer();
	current->switches++;
	if (current == from)
		return;
	if (thread_local_memory)
		thread_local_memory->activate(current->local);
	thread_switch(&from->rsp, current->rsp);
}

/* The end of an upcall, on whatever vCPU: those others have stacks that are none of current's. */
static void preempt(void)
{
	uint64_t here = (uint64_t)__builtin_frame_address(0);

	if (here < current->stack || here >= current->stack_end)
		return;
	if (idle)
		return;
	if (is_empty(&run_queue) || clock_now() < slice_end) {
		set_timer();
		return;
	}
	list_add_before(&run_queue, &current->place);
	schedule();
}

void thread_yield(void)
{
	bool masked = events_save();

	list_add_before(&run_queue, &current->place);
	schedule();
	events_restore(masked);
}

static void add_sleeper(uint64_t deadline)
{
	struct thread_link *before = sleepers.next;

	while (before != &sleepers && thread_of(before, sleep)->deadline <= deadline)
		before = before->next;
	current->deadline = deadline;
	list_add_before(before, &current->sleep);
}

bool wait_on(struct wait_queue *queue, uint64_t deadline)
{
	ASSERT(events_masked() && !idle);
	current->timed_out = false;
	list_add_before(&queue->waiters, &current->place);
	if (deadline)
		add_sleeper(deadline);
	schedule();
	return !current->timed_out;
}

bool wake_one(struct wait_queue *queue)
{
	bool masked = events_save();
	bool found = !is_empty(&queue->waiters);

	if (found) {
		make_ready(thread_of(queue->waiters.next, place));
		set_timer();
	}
	events_restore(masked);
	return found;
}

void wake_all(struct wait_queue *queue)
{
	while (wake_one(queue))
		;
}

void thread_sleep_until(uint64_t deadline)
{
	bool masked = events_save();

	if (deadline > clock_now()) {
		add_sleeper(deadline);
		schedule();
	}
	events_restore(masked);
}

void thread_sleep(uint64_t nanoseconds)
{
	uint64_t deadline;

	/* For longer than the clock runs is for ever. */
	if (__builtin_add_overflow(clock_now(), nanoseconds, &deadline))
		deadline = ~0ul;
	thread_sleep_until(deadline);
}

/* Mutexes */

bool mutex_try_lock(struct mutex *mutex)
{
	bool masked = events_save();
	bool locked = !mutex->owner;

	if (locked)
		mutex->owner = current;
	events_restore(masked);
	return locked;
}

void mutex_lock(struct mutex *mutex)
{
	bool masked = events_save();

	ASSERT(mutex->owner != current);
	if (!mutex->owner)
		mutex->owner = current;
	else
		wait_on(&mutex->queue, 0); /* mutex_unlock has made us the owner */
	events_restore(masked);
}

void mutex_unlock(struct mutex *mutex)
{
	bool masked = events_save();

	ASSERT(mutex->owner == current);
	mutex->owner = NULL;
	if (!is_empty(&mutex->queue.waiters)) {
		mutex->owner = thread_of(mutex->queue.waiters.next, place);
		wake_one(&mutex->queue);
	}
	events_restore(masked);
}

bool mutex_is_mine(const struct mutex *mutex)
{
	return mutex->owner == current;
}

bool condition_wait(struct wait_queue *queue, struct mutex *mutex, uint64_t deadline)
{
	bool masked = events_save();
	bool woken;

	mutex_unlock(mutex);
	woken = wait_on(queue, deadline);
	mutex_lock(mutex);
	events_restore(masked);
	return woken;
}

/* Stacks. Events are masked in all three. */

static void stack_free(uint64_t stack)
{
	unsigned long slot = (stack - STACK_BASE) / STACK_SLOT;

	for (uint64_t page = stack; page < stack + STACK_SIZE; page += PAGE_SIZE) {
		uint64_t entry = page_lookup(page);

		if (!(entry & PTE_P))
			continue;
		if (page_map(page_root, page, 0, DOMID_SELF))
			panic("cannot unmap a stack");
		page_free(mfn_to_virt(pte_mfn(entry)));
	}
	stack_slots[slot / 64] &= ~(1ul << (slot % 64));
}

static uint64_t stack_alloc(void)
{
	unsigned long slot = 0;
	uint64_t stack;

	while (slot < STACK_SLOTS && (stack_slots[slot / 64] >> (slot % 64)) & 1)
		slot++;
	if (slot == STACK_SLOTS)
		return 0;
	stack_slots[slot / 64] |= 1ul << (slot % 64);
	stack = STACK_BASE + (slot + 1) * STACK_SLOT - STACK_SIZE;
	for (uint64_t address = stack; address < stack + STACK_SIZE; address += PAGE_SIZE) {
		void *page = page_alloc();

		if (page && page_map(page_root, address,
				     pte_make(virt_to_mfn(page), pte_data_flags()), DOMID_SELF)) {
			page_free(page);
			page = NULL;
		}
		if (!page) {
			stack_free(stack);
			return 0;
		}
	}
	return stack;
}

/* The thread is off the CPU for good. Its structure is part of its stack. */
static void thread_free(struct thread *thread)
{
	list_remove(&thread->place);
	list_remove(&thread->all);
	if (thread != &first)
		stack_free(thread->stack);
}

static void empty_graveyard(void)
{
	while (!is_empty(&graveyard))
		thread_free(thread_of(graveyard.next, place));
}

/* Beginning and end */

static void name_thread(struct thread *thread, const char *name)
{
	size_t length = strlen(name);

	if (length >= THREAD_NAME)
		length = THREAD_NAME - 1;
	memcpy(thread->name, name, length);
	thread->id = ++last_id;
	thread->place.next = thread->place.prev = &thread->place;
	thread->sleep.next = thread->sleep.prev = &thread->sleep;
	list_add_before(&all, &thread->all);
}

/* Where a new thread comes out of its first thread_switch. */
static void thread_begin(void)
{
	events_unmask();
	current->function(current->argument);
	thread_exit();
}

/* At the stack's upper end: the C library's memory, the structure, the first frame. */
static struct thread *thread_make(uint64_t stack, const char *name)
{
	size_t local = thread_local_memory ? (thread_local_memory->size + 63) & ~63ul : 0;
	uint64_t top = stack + STACK_SIZE - local;
	struct thread *thread = (struct thread *)((top - sizeof(struct thread)) & ~63ul);
	struct switch_frame *frame = (struct switch_frame *)thread - 1;

	/* As the processor manuals have it after reset of each unit: all exceptions masked. */
	frame->mxcsr = 0x1f80;
	frame->x87_control = 0x37f;
	frame->return_to = thread_begin;
	thread->rsp = (uint64_t)frame;
	thread->stack = stack;
	thread->stack_end = stack + STACK_SIZE;
	if (local)
		thread->local = (void *)top;
	name_thread(thread, name);
	return thread;
}

struct thread *thread_create(const char *name, void (*function)(void *argument), void *argument)
{
	bool masked = events_save();
	struct thread *thread = NULL;
	uint64_t stack;

	empty_graveyard();
	stack = stack_alloc();
	if (stack) {
		thread = thread_make(stack, name);
		thread->function = function;
		thread->argument = argument;
	}
	events_restore(masked);
	if (!thread)
		return NULL;
	if (thread->local)
		thread_local_memory->create(thread->local);
	masked = events_save();
	make_ready(thread);
	set_timer();
	events_restore(masked);
	return thread;
}

_Noreturn void thread_exit(void)
{
	void *local = current->local;

	events_mask();
	current->local = NULL;
	if (local) {
		thread_local_memory->activate(NULL);
		events_unmask();
		thread_local_memory->destroy(local);
		events_mask();
	}
	empty_graveyard();
	current->ended = true;
	if (current->detached)
		list_add_before(&graveyard, &current->place);
	wake_all(&current->joiner);
	schedule();
	panic("a thread ran after its end");
}

void thread_join(struct thread *thread)
{
	bool masked = events_save();

	ASSERT(thread != current && !thread->detached);
	while (!thread->ended)
		wait_on(&thread->joiner, 0);
	thread_free(thread);
	events_restore(masked);
}

void thread_detach(struct thread *thread)
{
	bool masked = events_save();

	thread->detached = true;
	if (thread->ended)
		list_add_before(&graveyard, &thread->place);
	events_restore(masked);
}

long threads_init(const char *name)
{
	long port;

	first.stack = (uint64_t)boot_stack;
	first.stack_end = (uint64_t)boot_stack_top;
	first.switches = 1;
	name_thread(&first, name);
	switched_at = clock_now();
	slice_end = switched_at + thread_slice;
	/* The tick that a vCPU may begin with. */
	hypercall_vcpu_op(VCPUOP_stop_periodic_timer, 0, NULL);
	port = event_bind_virq(VIRQ_TIMER, on_timer, NULL);
	if (port < 0)
		return port;
	event_upcall_end = preempt;
	return 0;
}

/* Telling about them */

/* Stacks start zeroed and are used from the upper end. */
static size_t stack_used(const struct thread *thread)
{
	const uint64_t *at = (const uint64_t *)thread->stack;

	while (at < (const uint64_t *)thread->stack_end && !*at)
		at++;
	return thread->stack_end - (uint64_t)at;
}

static void describe(const struct thread *thread, struct thread_info *info)
{
	*info = (struct thread_info){
	    .id = thread->id,
	    .run_time = thread->run_time,
	    .switches = thread->switches,
	    .stack_size = thread->stack_end - thread->stack,
	    .stack_used = stack_used(thread),
	};
	memcpy(info->name, thread->name, THREAD_NAME);
	if (thread->ended)
		info->state = THREAD_ENDED;
	else if (thread == current)
		info->state = THREAD_RUNNING;
	else if (!is_empty(&thread->sleep) && is_empty(&thread->place))
		info->state = THREAD_SLEEPING;
	else
		info->state = THREAD_WAITING;
}

unsigned int threads_describe(struct thread_info *threads, unsigned int count)
{
	bool masked = events_save();
	unsigned int found = 0;

	account(clock_now(), &current->run_time);
	for (struct thread_link *link = all.next; link != &all; link = link->next, found++)
		if (found < count)
			describe(thread_of(link, all), &threads[found]);
	for (struct thread_link *link = run_queue.next; link != &run_queue; link = link->next)
		for (unsigned int i = 0; i < found && i < count; i++)
			if (threads[i].id == thread_of(link, place)->id)
				threads[i].state = THREAD_READY;
	events_restore(masked);
	return found;
}

uint64_t threads_idle_time(void)
{
	bool masked = events_save();
	uint64_t time = idle_time;

	events_restore(masked);
	return time;
}
