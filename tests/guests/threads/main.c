/* SPDX-License-Identifier: MIT */
/*
 * The runtime's threads: preemption, registers across it, mutexes, conditions, sleeping, wake-ups from event
 * handlers, memory given back. The argument `overflow` runs off a stack instead, which must end the domain.
 */
#include "../test.h"
#include <guest/thread.h>

#define MANY 8

static struct thread *threads[300];
static volatile bool stop;

/* Short enough to be preempted between any two instructions before long. */
#define SHORT_SLICE 20000

static void start_all(unsigned int count, void (*function)(void *))
{
	stop = false;
	for (unsigned int i = 0; i < count; i++) {
		threads[i] = thread_create("worker", function, (void *)(uintptr_t)i);
		if (!EXPECT_TRUE(threads[i]))
			panic("no memory for %u threads", count);
	}
}

static void join_all(unsigned int count)
{
	for (unsigned int i = 0; i < count; i++)
		thread_join(threads[i]);
}

/* Create and end */

static unsigned int ended;

static void end_at_once(void *argument)
{
	ended++;
}

static void create_and_join(void)
{
	unsigned long before;

	/* The tables of the stacks stay. */
	start_all(40, end_at_once);
	join_all(40);
	before = pages_available();
	ended = 0;
	for (int round = 0; round < 10; round++) {
		start_all(40, end_at_once);
		join_all(40);
	}
	EXPECT(ended, 400);
	EXPECT(pages_available(), before);
	EXPECT(threads_describe(NULL, 0), 1);
}

static void create_and_detach(void)
{
	struct thread *last;

	ended = 0;
	for (int i = 0; i < 600; i++) {
		struct thread *thread = thread_create("detached", end_at_once, NULL);

		if (!EXPECT_TRUE(thread))
			return;
		/* Before, or after, it has ended. */
		if (i % 2)
			thread_yield();
		thread_detach(thread);
		thread_yield();
	}
	EXPECT(ended, 600);
	/* Creating one sweeps up what the others left. */
	last = thread_create("last", end_at_once, NULL);
	thread_join(last);
	EXPECT(threads_describe(NULL, 0), 1);
}

static void run_out(void)
{
	unsigned long before = pages_available();
	unsigned int count = 0;

	while (count < COUNT_OF(threads)) {
		threads[count] = thread_create("filler", end_at_once, NULL);
		if (!threads[count])
			break;
		count++;
	}
	EXPECT_TRUE(count >= 32 && count < COUNT_OF(threads));
	join_all(count);
	EXPECT(threads_describe(NULL, 0), 1);
	/* But for the tables of more stacks than ever before. */
	EXPECT_TRUE(pages_available() + 16 >= before);
	before = pages_available();
	create_and_join();
	EXPECT(pages_available(), before);
}

static void names(void)
{
	struct thread_info info[4] = {0};
	struct thread *thread;

	/* Masked, we can't be preempted. */
	events_mask();
	thread = thread_create("a name that is too long", end_at_once, NULL);
	EXPECT(threads_describe(info, 1), 2);
	EXPECT(info[1].id, 0);
	EXPECT(threads_describe(info, 4), 2);
	EXPECT(strcmp(info[0].name, "main"), 0);
	EXPECT(info[0].state, THREAD_RUNNING);
	EXPECT(strcmp(info[1].name, "a name that is "), 0);
	EXPECT(info[1].state, THREAD_READY);
	events_unmask();
	thread_yield();
	EXPECT(threads_describe(info, 4), 2);
	EXPECT(info[1].state, THREAD_ENDED);
	EXPECT_TRUE(info[1].stack_used > 64 && info[1].stack_used < info[1].stack_size);
	thread_join(thread);
}

/* Preemption */

static volatile uint64_t turns[MANY];

static void spin(void *argument)
{
	while (!stop)
		turns[(uintptr_t)argument]++;
}

static void preemption(void)
{
	uint64_t least = ~0ul, most = 0;

	memset((void *)turns, 0, sizeof(turns));
	start_all(4, spin);
	thread_sleep(800 * NSEC_PER_MSEC);
	stop = true;
	join_all(4);
	for (int i = 0; i < 4; i++) {
		least = turns[i] < least ? turns[i] : least;
		most = turns[i] > most ? turns[i] : most;
	}
	EXPECT_TRUE(least > 0 && most / 4 < least);
}

/* One that sleeps comes to run beside one that never yields. */
static void sleeper_beside_spinner(void)
{
	start_all(1, spin);
	for (int i = 0; i < 20; i++) {
		uint64_t before = clock_now();

		thread_sleep(2 * NSEC_PER_MSEC);
		EXPECT_TRUE(clock_now() >= before + 2 * NSEC_PER_MSEC);
		EXPECT_TRUE(clock_now() < before + 500 * NSEC_PER_MSEC);
	}
	stop = true;
	join_all(1);
}

static unsigned int wrong;

/* SSE registers, x87 stack and both control words are a thread's own, whoever runs in between. */
static void keep_registers(void *argument)
{
	uint64_t mine = 0x1111111111111111 * ((uintptr_t)argument + 1), seen, also;
	uint32_t mxcsr = 0x1f80 | (uint32_t)((uintptr_t)argument & 3) << 13, mxcsr_now;
	uint16_t control = 0x37f & ~((uintptr_t)argument & 1 ? 0x300 : 0), control_now;
	uint64_t x87_seen;

	__asm__ volatile("ldmxcsr %0; fldcw %1" : : "m"(mxcsr), "m"(control));
	while (!stop) {
		__asm__ volatile("movq %0, %%xmm0; movq %0, %%xmm15; fildll %0" : : "m"(mine));
		for (volatile int i = 0; i < 2000; i++)
			;
		__asm__ volatile("movq %%xmm0, %0; movq %%xmm15, %1; fistpll %2"
				 : "=m"(seen), "=m"(also), "=m"(x87_seen));
		wrong += seen != mine || also != mine;
		wrong += x87_seen != mine;
		__asm__ volatile("stmxcsr %0; fnstcw %1" : "=m"(mxcsr_now), "=m"(control_now));
		/* Flags of exceptions are sticky. */
		wrong += (mxcsr_now & ~0x3fu) != mxcsr || control_now != control;
		if (mine & 1 << 4)
			thread_yield();
	}
}

static void registers(void)
{
	wrong = 0;
	start_all(MANY, keep_registers);
	thread_sleep(1000 * NSEC_PER_MSEC);
	stop = true;
	join_all(MANY);
	EXPECT(wrong, 0);
}

/* Mutexes and conditions */

static struct mutex mutex;
static struct wait_queue not_empty, not_full;
static uint64_t counter;

static void count(void *argument)
{
	for (int i = 0; i < 2000; i++) {
		uint64_t value;

		mutex_lock(&mutex);
		value = counter;
		if (i % 7 == 0)
			thread_yield();
		for (volatile int delay = 0; delay < 50; delay++)
			;
		counter = value + 1;
		mutex_unlock(&mutex);
	}
}

static void mutexes(void)
{
	counter = 0;
	EXPECT_TRUE(mutex_try_lock(&mutex));
	EXPECT_TRUE(mutex_is_mine(&mutex));
	EXPECT_TRUE(!mutex_try_lock(&mutex));
	start_all(MANY, count);
	thread_yield();
	EXPECT(counter, 0);
	mutex_unlock(&mutex);
	join_all(MANY);
	EXPECT(counter, MANY * 2000);
	EXPECT_TRUE(mutex_try_lock(&mutex));
	mutex_unlock(&mutex);
}

static unsigned int queued, produced, consumed;

static void produce(void *argument)
{
	for (int i = 0; i < 3000; i++) {
		mutex_lock(&mutex);
		while (queued == 4)
			condition_wait(&not_full, &mutex, 0);
		queued++;
		produced++;
		wake_one(&not_empty);
		mutex_unlock(&mutex);
	}
}

static void consume(void *argument)
{
	for (int i = 0; i < 3000; i++) {
		mutex_lock(&mutex);
		while (queued == 0)
			condition_wait(&not_empty, &mutex, 0);
		queued--;
		consumed++;
		wake_one(&not_full);
		mutex_unlock(&mutex);
	}
}

static void produce_or_consume(void *argument)
{
	((uintptr_t)argument % 2 ? produce : consume)(argument);
}

static void conditions(void)
{
	produced = consumed = queued = 0;
	start_all(MANY, produce_or_consume);
	join_all(MANY);
	EXPECT(produced, MANY / 2 * 3000);
	EXPECT(consumed, MANY / 2 * 3000);
	EXPECT(queued, 0);
}

static void wake_later(void *argument)
{
	thread_sleep(20 * NSEC_PER_MSEC);
	wake_all(&not_empty);
}

static void timeouts(void)
{
	uint64_t deadline = clock_now() + 50 * NSEC_PER_MSEC;

	mutex_lock(&mutex);
	EXPECT(condition_wait(&not_empty, &mutex, deadline), false);
	EXPECT_TRUE(clock_now() >= deadline);
	EXPECT(condition_wait(&not_empty, &mutex, 1), false);
	start_all(1, wake_later);
	EXPECT(condition_wait(&not_empty, &mutex, clock_now() + 60 * NSEC_PER_SEC), true);
	EXPECT_TRUE(mutex_is_mine(&mutex));
	mutex_unlock(&mutex);
	join_all(1);
	EXPECT_TRUE(!wake_one(&not_empty));
}

/* Sleeping */

static unsigned int order[MANY], woken;

static void sleep_in_turn(void *argument)
{
	uint64_t time = (MANY - (uintptr_t)argument) * 60 * NSEC_PER_MSEC, end = clock_now() + time;

	thread_sleep(time);
	wrong += clock_now() < end;
	order[woken++] = (unsigned int)(uintptr_t)argument;
}

static void sleep_order(void)
{
	woken = wrong = 0;
	start_all(MANY, sleep_in_turn);
	join_all(MANY);
	EXPECT(wrong, 0);
	for (unsigned int i = 0; i < MANY; i++)
		EXPECT(order[i], MANY - 1 - i);
}

static void sleep_little(void *argument)
{
	uint64_t state = (uintptr_t)argument + 1;

	for (int i = 0; i < 200; i++)
		thread_sleep(test_random(&state) % (3 * NSEC_PER_MSEC));
	ended++;
}

static void many_timers(void)
{
	ended = 0;
	start_all(20, sleep_little);
	join_all(20);
	EXPECT(ended, 20);
}

static void idle(void)
{
	uint64_t before = threads_idle_time();

	thread_sleep(500 * NSEC_PER_MSEC);
	EXPECT_TRUE(threads_idle_time() - before > 300 * NSEC_PER_MSEC);
}

/* Wake-ups from handlers */

static struct wait_queue from_handler;
static volatile unsigned int happened, seen_by_thread;
static long port;

static void on_event(evtchn_port_t which, void *data)
{
	happened++;
	wake_one(&from_handler);
}

static void wait_for_events(void *argument)
{
	bool masked = events_save();

	while (seen_by_thread < 5000) {
		while (seen_by_thread == happened)
			wait_on(&from_handler, 0);
		seen_by_thread = happened;
	}
	events_restore(masked);
}

/* Each event is sent when the one before it has been seen: one lost wake-up and this never ends. */
static void wake_from_handler(void)
{
	uint64_t end = clock_now() + 60 * NSEC_PER_SEC;

	happened = seen_by_thread = 0;
	port = event_bind_ipi(0, on_event, NULL);
	if (!EXPECT_TRUE(port > 0))
		return;
	start_all(1, wait_for_events);
	for (unsigned int i = 1; i <= 5000 && clock_now() < end; i++) {
		event_send(port);
		while (seen_by_thread < i && clock_now() < end)
			thread_yield();
	}
	EXPECT(happened, 5000);
	EXPECT(seen_by_thread, 5000);
	join_all(1);
	event_close(port);
}

/* Traps */

static void touch(void *argument)
{
	thread_yield();
	*(volatile unsigned long *)argument = 1;
}

static void catch_traps(void *argument)
{
	uint64_t bad = NOT_MAPPED + (uintptr_t)argument * PAGE_SIZE;
	struct trap_frame frame;

	for (int i = 0; i < 200; i++) {
		wrong += trap_catch(touch, (void *)bad, &frame) != TRAP_PF;
		/* The trap left events masked. */
		events_unmask();
		wrong += frame.vector != TRAP_PF;
		thread_yield();
	}
}

static void traps(void)
{
	wrong = 0;
	start_all(MANY, catch_traps);
	join_all(MANY);
	EXPECT(wrong, 0);
}

/* Page tables and page allocator under several threads. */
static void map_pages(void *argument)
{
	for (int i = 0; i < 150; i++) {
		void *page = page_alloc();
		uint64_t *there = frames_map(virt_to_mfn(page), 1, PTE_DATA, DOMID_SELF, NULL);

		if (!there) {
			wrong++;
			return;
		}
		*(volatile uint64_t *)page = (uintptr_t)argument;
		for (volatile int delay = 0; delay < 3000; delay++)
			;
		wrong += *there != (uintptr_t)argument;
		frames_unmap(there, 1);
		page_free(page);
	}
}

static void take_pages(void *argument)
{
	for (int i = 0; i < 5000; i++) {
		volatile uint64_t *pages = pages_alloc(3);

		if (!pages) {
			wrong++;
			return;
		}
		pages[0] = pages[1024] = (uintptr_t)argument;
		for (volatile int delay = 0; delay < i % 16; delay++)
			;
		wrong += pages[0] != (uintptr_t)argument || pages[1024] != (uintptr_t)argument;
		pages_free((void *)pages, 3);
	}
}

static void memory(void)
{
	unsigned long before;

	wrong = 0;
	start_all(MANY, take_pages);
	join_all(MANY);
	start_all(MANY, map_pages);
	join_all(MANY);
	before = pages_available();
	start_all(MANY, map_pages);
	join_all(MANY);
	EXPECT(wrong, 0);
	EXPECT(pages_available(), before);
}

static unsigned long overflow(unsigned long depth)
{
	volatile unsigned long room[64];

	room[depth % 64] = depth;
	return depth > 1ul << 40 ? 0 : overflow(depth + 1) + room[depth % 64];
}

static void run_off(void *argument)
{
	printk("running off the stack\n");
	overflow(0);
}

/* The same again, preempted as often as possible. */
static void often(void)
{
	uint64_t slice = thread_slice;

	thread_slice = SHORT_SLICE;
	create_and_join();
	registers();
	mutexes();
	conditions();
	wake_from_handler();
	memory();
	thread_slice = slice;
}

static const struct test tests[] = {
    {"create-and-join", create_and_join},
    {"create-and-detach", create_and_detach},
    {"run-out", run_out},
    {"names", names},
    {"preemption", preemption},
    {"sleeper-beside-spinner", sleeper_beside_spinner},
    {"registers", registers},
    {"mutexes", mutexes},
    {"conditions", conditions},
    {"timeouts", timeouts},
    {"sleep-order", sleep_order},
    {"many-timers", many_timers},
    {"idle", idle},
    {"wake-from-handler", wake_from_handler},
    {"traps", traps},
    {"memory", memory},
    {"often", often},
};

void guest_main(void)
{
	long error = threads_init("main");

	if (error)
		panic("threads_init: %ld", error);
	if (test_argument_word("overflow")) {
		start_all(1, run_off);
		join_all(1);
		printk("survived\n");
		return;
	}
	test_main("threads", tests, COUNT_OF(tests));
}
