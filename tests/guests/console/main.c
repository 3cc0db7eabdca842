/* SPDX-License-Identifier: MIT */
/* console_io: output of every size, input when there is none, bad pointers and commands. */
#include "../test.h"

static char big[8192];

static void write_sizes(void)
{
	for (unsigned int size = 1; size <= 300; size += 13) {
		memset(big, 'a' + size % 26, size);
		big[size - 1] = '\n';
		EXPECT(hypercall_console_io(CONSOLEIO_write, size, big), 0);
	}
	EXPECT(hypercall_console_io(CONSOLEIO_write, 0, big), 0);
}

static void write_big(void)
{
	for (size_t i = 0; i < sizeof(big); i++)
		big[i] = i % 64 == 63 ? '\n' : '.';
	EXPECT(hypercall_console_io(CONSOLEIO_write, sizeof(big), big), 0);
}

/* A line in pieces comes out as a line: the scenario's reader sees "pieces of one line". */
static void write_pieces(void)
{
	static const char *const pieces[] = {"pie", "ces o", "f one", " line\n"};

	for (size_t i = 0; i < COUNT_OF(pieces); i++)
		EXPECT(hypercall_console_io(CONSOLEIO_write, strlen(pieces[i]), (char *)pieces[i]),
		       0);
}

/* Bytes that are no text, NUL among them, pass or are dropped; none of them stops the console. */
static void write_control_characters(void)
{
	char all[33];

	for (int i = 0; i < 32; i++)
		all[i] = i;
	all[32] = '\n';
	EXPECT(hypercall_console_io(CONSOLEIO_write, sizeof(all), all), 0);
}

static void write_bad_pointers(void)
{
	EXPECT(hypercall_console_io(CONSOLEIO_write, 5, (char *)NOT_MAPPED), -EFAULT);
	EXPECT(hypercall_console_io(CONSOLEIO_write, 5, (char *)NOT_CANONICAL), -EFAULT);
	EXPECT(hypercall_console_io(CONSOLEIO_write, 5, (char *)OF_HYPERVISOR), -EFAULT);
	EXPECT(hypercall_console_io(CONSOLEIO_write, 64, (char *)-32ul), -EFAULT);
}

/* The end of the buffer is not mapped: an error, whatever was written before it. */
static void write_across_the_end(void)
{
	char *page = page_alloc();
	char *two = frames_map(virt_to_mfn(page), 1, PTE_DATA, DOMID_SELF, NULL);

	if (!EXPECT_TRUE(two))
		return;
	memset(page, '-', PAGE_SIZE);
	page[PAGE_SIZE - 1] = '\n';
	EXPECT(hypercall_console_io(CONSOLEIO_write, 64, two + PAGE_SIZE - 32), -EFAULT);
	EXPECT(hypercall_console_io(CONSOLEIO_write, 32, two + PAGE_SIZE - 32), 0);
	frames_unmap(two, 1);
	page_free(page);
}

static void read_nothing(void)
{
	char text[16] = "unchanged";

	EXPECT(hypercall_console_io(CONSOLEIO_read, sizeof(text), text), 0);
	EXPECT(strcmp(text, "unchanged"), 0);
	EXPECT(hypercall_console_io(CONSOLEIO_read, 0, text), 0);
}

/* The result is an int: a count above the largest one is refused before anything is done. */
static void huge_counts(void)
{
	EXPECT(hypercall_console_io(CONSOLEIO_read, 0x80000000, big), -E2BIG);
}

static void unknown_commands(void)
{
	EXPECT(hypercall_console_io(2, 4, big), -ENOSYS);
	EXPECT(hypercall_console_io(~0u, 4, big), -ENOSYS);
}

static const struct test tests[] = {
    {"write of many sizes", write_sizes},
    {"write 8 KiB at once", write_big},
    {"write a line in pieces", write_pieces},
    {"write control characters", write_control_characters},
    {"write from bad pointers", write_bad_pointers},
    {"write across the end of what is mapped", write_across_the_end},
    {"read when nothing was typed", read_nothing},
    {"read with a huge count", huge_counts},
    {"unknown commands", unknown_commands},
};

void guest_main(void)
{
	test_main("console", tests, COUNT_OF(tests));
}
