/* SPDX-License-Identifier: MIT */
// sources: hypervisor/boot/memory.c hypervisor/boot/memory_map.c
#include "unit.h"
#include <sys/wait.h>
#include <unistd.h>
#include "boot/boot.h"
#include "console/console.h"
#include "lib/image.h"
#include "lib/lib.h"
#include "mm/mm.h"

/*
 * The early allocator, on a machine whose memory is only numbers: what is handed out must be RAM, nobody
 * else's, aligned, and the rest must come out of boot_memory_for_each_free() whole.
 */
struct boot_info boot_info;
bool direct_map_complete;
char image_start[1], image_end[1];

#define IMAGE_AT       0x200000UL
#define IMAGE_END      0x260000UL
#define MAX_ALLOCATION 0x400000UL
static uint8_t scratch[MAX_ALLOCATION];
static paddr_t touched; /* what was asked to be zeroed last */

void *phys_to_virt(paddr_t pa)
{
	touched = pa;
	return scratch;
}

paddr_t virt_to_phys(const void *v)
{
	return v == image_start ? IMAGE_AT : IMAGE_END;
}

void bug(const char *file, int line, const char *what)
{
	fail_msg("%s:%d: %s", file, line, what);
	abort();
}

/* A way out of functions that do not return. */
static jmp_buf out;
static char said[256];

void panic(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(said, sizeof(said), fmt, ap);
	va_end(ap);
	longjmp(out, 1);
}

void boot_fail(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(said, sizeof(said), fmt, ap);
	va_end(ap);
	longjmp(out, 2);
}

static struct {
	paddr_t start, end;
} given[1000];
static unsigned int given_count;

static bool in_ram(paddr_t start, paddr_t end)
{
	for (unsigned int i = 0; i < memory_map_entries; i++) {
		if (memory_map[i].type == E820_RAM && start >= memory_map[i].start &&
		    end <= memory_map[i].end)
			return true;
	}
	return false;
}

static void give(paddr_t start, paddr_t end)
{
	assert_true(start < end);
	assert_true(in_ram(start, end));
	for (unsigned int i = 0; i < given_count; i++)
		assert_true(end <= given[i].start || start >= given[i].end);
	assert_true(given_count < ARRAY_SIZE(given));
	given[given_count].start = start;
	given[given_count++].end = end;
}

static paddr_t allocate(size_t bytes, size_t align)
{
	paddr_t p;

	memset(scratch, 0xff, bytes);
	p = boot_alloc(bytes, align);
	assert_int_equal(touched, p);
	for (size_t i = 0; i < bytes; i++)
		assert_int_equal(scratch[i], 0);
	assert_true(IS_ALIGNED(p, max(align, (size_t)PAGE_SIZE)));
	give(p, ROUND_UP(p + bytes, PAGE_SIZE));
	return p;
}

static uint64_t ram(void)
{
	uint64_t n = 0;

	for (unsigned int i = 0; i < memory_map_entries; i++)
		n += memory_map[i].type == E820_RAM ? memory_map[i].end - memory_map[i].start : 0;
	return n;
}

static void machine(uint64_t low, uint64_t high)
{
	memory_map_entries = 0;
	memory_map_add(0, 0x9fc00, 1);
	memory_map_add(0x9fc00, 0x60400, 2);
	memory_map_add(0x100000, low - 0x100000, 1);
	if (high)
		memory_map_add(1UL << 32, high, 1);
	memset(&boot_info, 0, sizeof(boot_info));
	direct_map_complete = false;
	given_count = 0;
}

/* Everything that is not RAM's free part, as the test knows it. */
static void start(void)
{
	boot_memory_init();
	give(0, 0x1000);
	give(IMAGE_AT, IMAGE_END);
	for (unsigned int i = 0; i < boot_info.modules; i++)
		give(ROUND_DOWN(boot_info.module[i].start, PAGE_SIZE),
		     ROUND_UP(boot_info.module[i].start + boot_info.module[i].size, PAGE_SIZE));
	if (boot_trampoline_page())
		give(boot_trampoline_page(), boot_trampoline_page() + PAGE_SIZE);
}

static void finish(void)
{
	uint64_t sum = 0;

	boot_memory_for_each_free(give);
	for (unsigned int i = 0; i < given_count; i++)
		sum += given[i].end - given[i].start;
	assert_int_equal(sum, ram());
}

/* The tests run each in a process of its own, because the allocator starts once. */
static void test_small(void)
{
	machine(32 << 20, 0);
	start();
	assert_true(boot_trampoline_page() > 0 && boot_trampoline_page() < 0x9f000);
	for (unsigned int i = 0; i < 100; i++)
		allocate(1 + i * 100, i % 3 == 0 ? 0x4000 : 1);
	finish();
}

static void test_modules(void)
{
	machine(64 << 20, 0);
	boot_info.modules = 3;
	boot_info.module[0].start = IMAGE_END;
	boot_info.module[0].size = 0x123456;
	boot_info.module[1].start = 0x100000;
	boot_info.module[1].size = 1;
	boot_info.module[2].start = (64 << 20) - 0x3000; /* up to the end of RAM */
	boot_info.module[2].size = 0x3000;
	start();
	for (unsigned int i = 0; i < 10; i++)
		allocate(0x10000, 0x10000);
	finish();
}

/* Low memory first; above 4 GiB only what is big, and only once it can be reached. */
static void test_high(void)
{
	machine(1 << 30, 8UL << 30);
	start();
	assert_true(allocate(0x400000, 0x200000) < 1UL << 32);
	assert_true(allocate(0x1000, 1) < 1UL << 32);
	direct_map_complete = true;
	assert_true(allocate(0x1000, 1) < 1UL << 32);
	assert_true(allocate(0x400000, 0x200000) >= 1UL << 32);
	finish();
}

static void test_exhaustion(void)
{
	int how;

	machine(24 << 20, 16 << 20);
	memory_map_add(25UL << 20, 8UL << 20, 1); /* behind a hole */
	start();
	how = setjmp(out);
	if (how == 0) {
		for (;;)
			allocate(0x80000, 0x1000);
	}
	assert_int_equal(how, 1);
	assert_non_null(strstr(said, "Out of memory"));
	direct_map_complete = true;
	assert_true(allocate(0x80000, 1) >= 1UL << 32);
	finish();
}

/* So many separate ranges that there is no room to note them: said, not overrun. */
static void test_too_many_pieces(void)
{
	machine(64 << 20, 0);
	start();
	if (setjmp(out) == 0) {
		for (paddr_t i = 0;; i++)
			boot_reserve(0x800000 + (i << 13), 0x800000 + (i << 13) + 1, "piece");
	}
	assert_non_null(strstr(said, "piece"));
}

static void test_no_low_memory(void)
{
	memory_map_entries = 0;
	memory_map_add(0x100000, 64 << 20, 1);
	boot_memory_init();
	assert_int_equal(boot_trampoline_page(), 0);
}

static void isolated(void (*test)(void))
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		test();
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

#define ISOLATED(name)                            \
	static void name##_isolated(void **state) \
	{                                         \
		isolated(name);                   \
	}
ISOLATED(test_small)
ISOLATED(test_modules)
ISOLATED(test_high)
ISOLATED(test_exhaustion)
ISOLATED(test_too_many_pieces)
ISOLATED(test_no_low_memory)

static void test_too_little_says_so(void **state)
{
	if (setjmp(out) == 0) {
		machine(20 << 20, 0);
		boot_memory_init();
		fail();
	}
	assert_non_null(strstr(said, "19 MiB of memory"));
	assert_non_null(strstr(said, "24 MiB"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_small_isolated),
	    cmocka_unit_test(test_modules_isolated),
	    cmocka_unit_test(test_high_isolated),
	    cmocka_unit_test(test_exhaustion_isolated),
	    cmocka_unit_test(test_too_many_pieces_isolated),
	    cmocka_unit_test(test_no_low_memory_isolated),
	    cmocka_unit_test(test_too_little_says_so),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
