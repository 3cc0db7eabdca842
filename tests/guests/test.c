/* SPDX-License-Identifier: MIT */
#include "test.h"
#include <guest/format.h>

static char first_failure[200];
static const char *skip_reason;
static unsigned int failures;

bool test_expect(int line, const char *expression, long seen, long wanted)
{
	char text[200];

	if (seen == wanted)
		return true;
	format_string(text, sizeof(text), "line %d: %s is %ld (%#lx), expected %ld (%#lx)", line,
		      expression, seen, (unsigned long)seen, wanted, (unsigned long)wanted);
	/* A loop that fails throughout need not fill the log. */
	if (failures < 20)
		printk("  %s\n", text);
	if (!failures++)
		memcpy(first_failure, text, sizeof(text));
	return false;
}

void test_skip(const char *why)
{
	skip_reason = why;
}

bool test_missing(long result)
{
	if (result == -ENOSYS)
		test_skip("the hypervisor does not have this");
	return result == -ENOSYS;
}

static void run(void *argument)
{
	((const struct test *)argument)->run();
}

static void run_one(const struct test *test, unsigned int totals[3])
{
	struct trap_frame frame;
	int vector;

	failures = 0;
	skip_reason = NULL;
	vector = trap_catch(run, (void *)test, &frame);
	if (vector >= 0) {
		format_string(first_failure, sizeof(first_failure),
			      "trap %d error %#lx at %#lx, address %#lx", vector, frame.error,
			      frame.rip, trap_fault_address());
		failures++;
	}
	/* A trap, or the test itself, may have left them masked. */
	events_unmask();
	if (failures) {
		printk("TEST %s: FAIL %s\n", test->name, first_failure);
		totals[1]++;
	} else if (skip_reason) {
		printk("TEST %s: SKIP %s\n", test->name, skip_reason);
		totals[2]++;
	} else {
		printk("TEST %s: PASS\n", test->name);
		totals[0]++;
	}
}

void test_main(const char *guest, const struct test *tests, size_t count)
{
	unsigned int totals[3] = {0};

	for (size_t i = 0; i < count; i++)
		run_one(&tests[i], totals);
	printk("GUEST %s: %u passed, %u failed, %u skipped\n", guest, totals[0], totals[1],
	       totals[2]);
}

static const char *find_argument(const char *name)
{
	const char *line = (const char *)start_info->cmd_line;
	size_t length = strlen(name);

	while (*line) {
		while (*line == ' ')
			line++;
		if (strncmp(line, name, length) == 0 &&
		    (line[length] == '=' || line[length] == ' ' || !line[length]))
			return line + length;
		while (*line && *line != ' ')
			line++;
	}
	return NULL;
}

unsigned long test_argument(const char *name, unsigned long otherwise)
{
	const char *text = find_argument(name);
	unsigned long value = 0;

	if (!text || *text != '=')
		return otherwise;
	for (text++; *text >= '0' && *text <= '9'; text++)
		value = value * 10 + *text - '0';
	return value;
}

bool test_argument_word(const char *word)
{
	return find_argument(word);
}

bool test_on_cerne(void)
{
	xen_extraversion_t text;

	if (hypercall_xen_version(XENVER_extraversion, text))
		return false;
	for (size_t i = 0; i + 4 < sizeof(text); i++)
		if (strncmp(text + i, "erne", 4) == 0)
			return true;
	return false;
}

/* xorshift64 */
uint64_t test_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

bool test_wait(volatile unsigned int *value)
{
	uint64_t end = clock_now() + NSEC_PER_SEC;

	while (!*value && clock_now() < end)
		cpu_relax();
	return *value;
}

void *test_stack(void)
{
	char *stack = pages_alloc(4);

	if (!stack)
		panic("no memory for a stack");
	return stack + 4 * PAGE_SIZE;
}

long test_mmu_update(uint64_t ptr, uint64_t value)
{
	struct mmu_update update = {.ptr = ptr, .val = value};

	return hypercall_mmu_update(&update, 1, NULL, DOMID_SELF);
}

long test_mmuext(unsigned int cmd, unsigned long arg1, unsigned long arg2)
{
	struct mmuext_op op = {.cmd = cmd};

	op.arg1.linear_addr = arg1;
	op.arg2.src_mfn = arg2;
	return hypercall_mmuext_op(&op, 1, NULL, DOMID_SELF);
}
