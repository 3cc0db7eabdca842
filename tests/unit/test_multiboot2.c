/* SPDX-License-Identifier: MIT */
// sources: hypervisor/boot/multiboot2.c hypervisor/boot/memory_map.c
#include "unit.h"
#include "boot/boot.h"
#include "mm/mm.h"

static struct boot_info out;

/* Where the parser keeps the RSDP. */
static const uint8_t *rsdp;

paddr_t virt_to_phys(const void *v)
{
	rsdp = v;
	return 0x123450;
}

/* Information under construction: tags are appended, finish() writes the length. */
static uint8_t buffer[65536];
static uint32_t used;

static void begin(void)
{
	memset(buffer, 0, sizeof(buffer));
	memset(&out, 0xa5, sizeof(out));
	rsdp = NULL;
	used = 8;
}

static void tag(uint32_t type, const void *data, uint32_t len)
{
	uint32_t size = len + 8;

	memcpy(buffer + used, &type, 4);
	memcpy(buffer + used + 4, &size, 4);
	memcpy(buffer + used + 8, data, len);
	used += (size + 7) & ~7U;
}

static void text_tag(uint32_t type, const char *text)
{
	tag(type, text, strlen(text) + 1);
}

static void module_tag(uint32_t start, uint32_t end, const char *text)
{
	uint8_t data[4096];

	memcpy(data, &start, 4);
	memcpy(data + 4, &end, 4);
	strcpy((char *)data + 8, text);
	tag(3, data, 8 + strlen(text) + 1);
}

/* entry_size and version, then entries. */
static void map_tag(uint32_t type, uint32_t entry_size, const void *entries, uint32_t len)
{
	uint8_t data[32768];
	uint32_t head[2] = {entry_size, 0};

	memcpy(data, head, 8);
	memcpy(data + 8, entries, len);
	tag(type, data, 8 + len);
}

static void some_memory(void)
{
	uint64_t e[] = {0x100000, 0x4000000, 1};

	map_tag(6, 24, e, sizeof(e));
}

/* From an exactly fitting allocation, so that the sanitizer sees a byte read too far. */
static const char *parse_exact(uint32_t len)
{
	uint8_t *copy = malloc(len);
	const char *error;

	memcpy(copy, buffer, len);
	error = multiboot2_parse(copy, len, &out);
	free(copy);
	return error;
}

static const char *finish(void)
{
	uint32_t zero = 0;

	tag(0, &zero, 0);
	memcpy(buffer, &used, 4);
	return parse_exact(used);
}

static void ok(void)
{
	const char *error = finish();

	if (error)
		fail_msg("%s", error);
}

static void refused(const char *word)
{
	const char *error = finish();

	assert_non_null(error);
	if (!strstr(error, word))
		fail_msg("\"%s\" has no \"%s\"", error, word);
}

static void test_least(void **state)
{
	begin();
	some_memory();
	ok();
	assert_string_equal(out.cmdline, "");
	assert_string_equal(out.loader, "");
	assert_int_equal(out.modules, 0);
	assert_int_equal(out.rsdp, 0);
	assert_false(out.efi);
	assert_int_equal(out.fb.type, 0xff);
	assert_int_equal(memory_map_entries, 1);
	assert_int_equal(memory_map[0].start, 0x100000);
	assert_int_equal(memory_map[0].end, 0x4100000);
}

static void test_texts(void **state)
{
	char text[4096];

	begin();
	text_tag(2, "GRUB 2.06");
	text_tag(1, "placeholder console=com1  noreboot");
	some_memory();
	ok();
	assert_string_equal(out.loader, "GRUB 2.06");
	assert_string_equal(out.cmdline, "console=com1  noreboot");

	static const char *const lines[][2] = {
	    {"placeholder", ""},
	    {"placeholder  ", ""},
	    {"placeholder   a", "a"},
	    {"placeholders", "placeholders"},
	    {"a placeholder", "a placeholder"},
	    {"", ""},
	};
	for (unsigned int i = 0; i < ARRAY_SIZE(lines); i++) {
		begin();
		text_tag(1, lines[i][0]);
		some_memory();
		ok();
		assert_string_equal(out.cmdline, lines[i][1]);
	}

	memset(text, 'x', sizeof(text));
	text[2047] = '\0';
	begin();
	text_tag(2, text); /* the loader's name is cut */
	text_tag(1, text);
	some_memory();
	ok();
	assert_int_equal(strlen(out.cmdline), 2047);
	assert_int_equal(strlen(out.loader), 63);
	text[2047] = 'x';
	text[2048] = '\0';
	begin();
	text_tag(1, text);
	some_memory();
	refused("2047");
	/* No NUL in the tag. */
	begin();
	tag(1, "abc", 3);
	some_memory();
	refused("command line");
	begin();
	tag(1, "", 0);
	some_memory();
	refused("command line");
}

static void test_modules(void **state)
{
	char text[2048];

	begin();
	module_tag(0x400000, 0x500001, "placeholder root=/dev/xvda1 ro");
	module_tag(0x600000, 0x600000, "");
	some_memory();
	ok();
	assert_int_equal(out.modules, 2);
	assert_int_equal(out.module[0].start, 0x400000);
	assert_int_equal(out.module[0].size, 0x100001);
	assert_string_equal(out.module[0].cmdline, "root=/dev/xvda1 ro");
	assert_int_equal(out.module[1].size, 0);
	assert_string_equal(out.module[1].cmdline, "");

	begin();
	for (unsigned int i = 0; i < 16; i++)
		module_tag(0x400000, 0x500000, "m");
	some_memory();
	ok();
	assert_int_equal(out.modules, 16);
	begin();
	for (unsigned int i = 0; i < 17; i++)
		module_tag(0x400000, 0x500000, "m");
	some_memory();
	refused("16 modules");

	begin();
	module_tag(0x500000, 0x4fffff, "");
	some_memory();
	refused("before it starts");
	begin();
	tag(3, "1234567", 7);
	some_memory();
	refused("too short");
	begin();
	tag(3, "12345678", 8); /* no string at all */
	some_memory();
	refused("command line of a module");
	memset(text, 'x', sizeof(text));
	text[1024] = '\0';
	begin();
	module_tag(0, 0, text);
	some_memory();
	refused("1023");
}

static void test_memory(void **state)
{
	uint64_t wide[] = {0x100000, 0x1000, 1, 77, 0x200000, 0x1000, 1, 77};
	uint64_t e[] = {0x100000, 0x1000, 1};
	uint32_t basic[] = {639, 65536};

	begin();
	map_tag(6, 32, wide, sizeof(wide)); /* a later version's bigger entries */
	ok();
	assert_int_equal(memory_map_entries, 2);
	assert_int_equal(memory_map[1].start, 0x200000);

	static const uint32_t odd[] = {0, 8, 16, 20, 28, UINT32_MAX, 48};
	for (unsigned int i = 0; i < ARRAY_SIZE(odd); i++) {
		begin();
		map_tag(6, odd[i], e, sizeof(e));
		refused("odd size");
	}
	begin();
	tag(6, "1234567", 7);
	refused("too short");
	begin();
	refused("no memory map");
	begin();
	map_tag(6, 24, e, 0);
	refused("no RAM");
	e[2] = 2;
	begin();
	map_tag(6, 24, e, sizeof(e));
	refused("no RAM");

	begin();
	tag(4, basic, sizeof(basic));
	ok();
	assert_int_equal(memory_map_entries, 2);
	assert_int_equal(memory_map[0].end, 0x9f000);
	assert_int_equal(memory_map[1].end, 0x4100000);
	begin();
	tag(4, basic, 7);
	refused("too short");
	basic[0] = basic[1] = UINT32_MAX;
	begin();
	tag(4, basic, sizeof(basic));
	ok();
	assert_int_equal(memory_map[0].end, 0xa0000);
	assert_int_equal(memory_map[1].end, (0x100000 + ((uint64_t)UINT32_MAX << 10)) & PAGE_MASK);

	/* The better source wins, wherever it stands. */
	begin();
	tag(4, basic, sizeof(basic));
	some_memory();
	ok();
	assert_int_equal(memory_map_entries, 1);
}

static void test_too_many_ranges(void **state)
{
	uint64_t e[200][3];

	for (unsigned int i = 0; i < 200; i++) {
		e[i][0] = i * 0x2000;
		e[i][1] = 0x1000;
		e[i][2] = 1;
	}
	begin();
	map_tag(6, 24, e, sizeof(e));
	refused("more ranges");
}

/* UEFI's map is kept as it is beside the other one, and left out when it is odd or too long. */
static void test_efi_memory_kept(void **state)
{
	static uint64_t e[(MAX_EFI_MEMORY + 1) * 6];

	for (unsigned int i = 0; i <= MAX_EFI_MEMORY; i++) {
		e[i * 6] = 6; /* runtime data */
		e[i * 6 + 1] = (uint64_t)(i + 1) << 20;
		e[i * 6 + 3] = 2;
		e[i * 6 + 4] = 1UL << 63 | 8;
	}
	begin();
	some_memory();
	map_tag(17, 48, e, 2 * 48);
	ok();
	assert_int_equal(efi_memory_count, 2);
	assert_int_equal(efi_memory[1].start, 2 << 20);
	assert_int_equal(efi_memory[1].pages, 2);
	assert_true(efi_memory[1].attributes == (1UL << 63 | 8));
	begin();
	some_memory();
	map_tag(17, 48, e, 2 * 48 - 8);
	ok();
	assert_int_equal(efi_memory_count, 0);
	begin();
	some_memory();
	map_tag(17, 48, e, sizeof(e));
	ok();
	assert_int_equal(efi_memory_count, 0);
}

static void test_efi(void **state)
{
	static const uint32_t types[] = {0, 1, 2,  3,  4,  5,  6,  7,
					 8, 9, 10, 11, 12, 13, 14, 0x80000000};
	static const uint32_t want[] = {2, 1, 1, 1, 1, 2, 2, 1, 5, 3, 4, 2, 2, 2, 2, 2};
	uint64_t e[ARRAY_SIZE(types)][6];

	memset(e, 0, sizeof(e));
	for (unsigned int i = 0; i < ARRAY_SIZE(types); i++) {
		memcpy(&e[i][0], &types[i], 4);
		e[i][1] = i * 0x10000;
		e[i][3] = 2; /* pages */
	}
	begin();
	map_tag(17, 48, e, sizeof(e));
	ok();
	assert_true(out.efi);
	assert_int_equal(memory_map_entries, ARRAY_SIZE(types));
	for (unsigned int i = 0; i < ARRAY_SIZE(types); i++) {
		assert_int_equal(memory_map[i].start, i * 0x10000);
		assert_int_equal(memory_map[i].end, i * 0x10000 + 0x2000);
		assert_int_equal(memory_map[i].type, want[i]);
	}
	e[0][3] = UINT64_MAX; /* a count whose bytes don't fit 64 bits: reserved up to the end */
	begin();
	map_tag(17, 48, e, sizeof(e));
	refused("no RAM");
	begin();
	map_tag(17, 32, e, 64);
	refused("odd size");
	begin();
	tag(17, "1234567", 7);
	refused("too short");

	begin();
	tag(12, "12345678", 8);
	some_memory();
	ok();
	assert_true(out.efi);
	begin();
	tag(18, "", 0);
	some_memory();
	refused("boot services");
}

static void test_rsdp(void **state)
{
	static const char old[20] = "RSD PTR old", new[36] = "RSD PTR new";

	for (unsigned int order = 0; order < 2; order++) {
		begin();
		tag(order ? 14 : 15, order ? old : new, order ? 20 : 36);
		tag(order ? 15 : 14, order ? new : old, order ? 36 : 20);
		some_memory();
		ok();
		assert_int_equal(out.rsdp, 0x123450);
		assert_memory_equal(rsdp, new, 36);
	}
	begin();
	tag(14, old, 20);
	some_memory();
	ok();
	assert_memory_equal(rsdp, old, 20);
	assert_int_equal(rsdp[20], 0);
	begin();
	tag(14, old, 19);
	some_memory();
	ok();
	assert_int_equal(out.rsdp, 0);
	begin();
	tag(15, "RSD_PTR                             ", 36);
	some_memory();
	ok();
	assert_int_equal(out.rsdp, 0);
}

struct framebuffer {
	uint64_t address;
	uint32_t pitch, width, height;
	uint8_t bpp, type;
	uint16_t reserved;
	uint8_t colour[6];
} __attribute__((packed));

static const struct framebuffer good = {0xfd000000, 3200, 800, 600, 32, 1, 0, {16, 8, 8, 8, 0, 8}};

static uint8_t framebuffer_type(struct framebuffer f, uint32_t len)
{
	begin();
	tag(8, &f, len);
	some_memory();
	ok();
	return out.fb.type;
}

static void test_framebuffer(void **state)
{
	struct framebuffer f = good;

	assert_int_equal(framebuffer_type(f, sizeof(f)), 1);
	assert_int_equal(out.fb.address, 0xfd000000);
	assert_int_equal(out.fb.pitch, 3200);
	assert_int_equal(out.fb.width, 800);
	assert_int_equal(out.fb.height, 600);
	assert_int_equal(out.fb.bpp, 32);
	assert_int_equal(out.fb.red_pos, 16);
	assert_int_equal(out.fb.blue_size, 8);
	for (uint32_t len = 0; len < sizeof(f); len++)
		assert_int_equal(framebuffer_type(f, len), 0xff);

	f = (struct framebuffer){0xb8000, 160, 80, 25, 16, 2, 0, {0}};
	assert_int_equal(framebuffer_type(f, 24), 2);
	assert_int_equal(out.fb.width, 80);

#define WRONG(member, value)                                            \
	do {                                                            \
		f = good;                                               \
		f.member = value;                                       \
		assert_int_equal(framebuffer_type(f, sizeof(f)), 0xff); \
	} while (0)
	WRONG(address, 0);
	WRONG(address, UINT64_MAX - 1000);
	WRONG(pitch, 3199);
	WRONG(width, 0);
	WRONG(width, 0x40000001);
	WRONG(height, 0);
	WRONG(height, UINT32_MAX);
	WRONG(bpp, 0);
	WRONG(bpp, 33);
	WRONG(type, 3);
	WRONG(colour[0], 25);
	WRONG(colour[3], 25);
	WRONG(colour[5], 33);
}

/* Whatever is cut off, the parser says so and reads nothing beyond. */
static void test_truncated(void **state)
{
	uint32_t whole;

	begin();
	text_tag(1, "console=com1");
	module_tag(0x400000, 0x500000, "x");
	some_memory();
	ok();
	whole = used;
	for (uint32_t len = 0; len < whole; len++) {
		/* The length says more than there is; and the length is right but the end is missing. */
		memcpy(buffer, &whole, 4);
		assert_non_null(parse_exact(len));
		if (len >= 4) {
			memcpy(buffer, &len, 4);
			assert_non_null(parse_exact(len));
		}
	}
}

static void test_bad_sizes(void **state)
{
	static const uint32_t sizes[] = {0, 1, 7, 1000, 0x7fffffff, 0xfffffff8, UINT32_MAX};
	uint32_t at;

	for (unsigned int i = 0; i < ARRAY_SIZE(sizes); i++) {
		begin();
		at = used;
		text_tag(1, "console=com1");
		memcpy(buffer + at + 4, &sizes[i], 4);
		some_memory();
		refused("truncated");
	}
	for (uint32_t total = 0; total < 16; total++) {
		memcpy(buffer, &total, 4);
		assert_non_null(multiboot2_parse(buffer, 16, &out));
	}
	/* Tags that are not known are passed over. */
	begin();
	tag(1000, "whatever", 8);
	tag(21, "\0\0\0", 4);
	some_memory();
	ok();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_least),	    cmocka_unit_test(test_texts),
	    cmocka_unit_test(test_modules),	    cmocka_unit_test(test_memory),
	    cmocka_unit_test(test_too_many_ranges), cmocka_unit_test(test_efi),
	    cmocka_unit_test(test_efi_memory_kept), cmocka_unit_test(test_rsdp),
	    cmocka_unit_test(test_framebuffer),	    cmocka_unit_test(test_truncated),
	    cmocka_unit_test(test_bad_sizes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
