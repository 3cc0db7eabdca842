/* SPDX-License-Identifier: MIT */
// sources: loader/elf.c
/* Kernel images: a right one is understood, and each way of being wrong is named. */
#include "unit.h"
#include "loader/loader.h"
#include "elf_builder.h"

static struct test_image image;
static struct elf_image out;

static const char *parse(void)
{
	return elf_parse(&image, sizeof(image), &out);
}

static void test_right(void **state)
{
	build_image(&image);
	assert_null(parse());
	assert_int_equal(out.virt_start, BASE + 0x1000);
	assert_int_equal(out.virt_end, BASE + 0x5000);
	assert_int_equal(out.notes.entry, BASE + 0x1010);
	assert_true(out.notes.has_hypercall_page && out.notes.has_supported_features);
	assert_string_equal(out.notes.xen_version, "xen-3.0");
	assert_string_equal(out.notes.features, "!pae_pgdir_above_4gb");
	assert_false(out.notes.has_init_p2m);
}

static char memory[0x4000];

static void copy(void *context, uint64_t offset, const void *src, size_t filesz, size_t memsz)
{
	assert_true(offset + memsz <= sizeof(memory) && filesz <= memsz);
	memcpy(memory + offset, src, filesz);
	memset(memory + offset + filesz, 0, memsz - filesz);
}

static void test_load(void **state)
{
	build_image(&image);
	assert_null(parse());
	memset(memory, 0xff, sizeof(memory));
	elf_load(&out, copy, NULL);
	assert_int_equal(memory[31], 'x');
	assert_int_equal(memory[32], 0);
	assert_int_equal(memory[0x2000], 'y');
	assert_int_equal(memory[0x2020], 0);
	assert_int_equal(memory[0x3fff], 0);
}

/* Notes are found by section when no segment holds them. */
static void test_notes_in_section(void **state)
{
	struct {
		struct test_image image;
		uint32_t name, type;
		uint64_t flags, addr, offset, size;
		uint32_t link, info;
		uint64_t addralign, entsize;
	} big;

	memset(&big, 0, sizeof(big));
	build_image(&big.image);
	big.image.ph[2].type = 0;
	big.image.h.shoff = sizeof(big.image);
	big.image.h.shnum = 1;
	big.image.h.shentsize = 64;
	big.type = 7;
	big.offset = big.image.ph[2].offset;
	big.size = big.image.ph[2].filesz;
	assert_null(elf_parse(&big, sizeof(big), &out));
	big.type = 1;
	assert_non_null(strstr(elf_parse(&big, sizeof(big), &out), "none of the ELF notes"));
}

#define WRONG(name, change, sentence)               \
	static void name(void **state)              \
	{                                           \
		const char *said;                   \
		build_image(&image);                \
		change;                             \
		said = parse();                     \
		assert_non_null(said);              \
		if (!strstr(said, sentence))        \
			fail_msg("said: %s", said); \
	}

WRONG(wrong_magic, image.h.ident[1] = 'e', "not an ELF")
WRONG(wrong_class, image.h.ident[4] = 1, "32-bit")
WRONG(wrong_order, image.h.ident[5] = 2, "big-endian")
WRONG(wrong_machine, image.h.machine = 183, "machine")
WRONG(wrong_type, image.h.type = 1, "executable")
WRONG(no_segments, image.h.phnum = 0, "segments")
WRONG(small_phentsize, image.h.phentsize = 55, "too small")
WRONG(phoff_outside, image.h.phoff = ~0UL - 8, "outside")
WRONG(phnum_outside, image.h.phnum = 0xffff, "outside")
WRONG(nothing_to_load, image.ph[0].type = image.ph[1].type = 0, "no segments to load")
WRONG(file_bigger, image.ph[1].filesz = image.ph[1].memsz + 1, "more bytes")
WRONG(memsz_huge, image.ph[1].memsz = 1UL << 62, "bigger than 1 GiB")
WRONG(offset_wraps, image.ph[1].offset = ~0UL - 15, "outside the file")
WRONG(offset_outside, image.ph[1].offset = sizeof(image) - 31, "outside the file")
WRONG(address_wraps, image.ph[1].paddr = 0x7fffffff, "not valid")
WRONG(address_hole, image.ph[1].paddr = 0x1000000000000, "not valid")
WRONG(below_base, image.number[1].value = BASE + 0x1000; image.number[3].value = 0x2000, "below")
WRONG(over_hypervisor, image.number[1].value = 0;
      image.ph[1].paddr = 0xffff800000000000, "hypervisor's")
WRONG(overlap, image.ph[1].paddr = 0x2000, "overlap")
WRONG(spread, image.ph[1].paddr = 0x60000000, "spread")
WRONG(no_entry, image.number[0].type = 18, "no entry")
WRONG(entry_outside, image.number[0].value = BASE + 0x5000, "entry lies outside")
WRONG(page_outside, image.number[2].value = BASE + 0x5000, "hypercall page lies outside")
WRONG(page_unaligned, image.number[2].value = BASE + 0x3001, "hypercall page")
WRONG(page_over_end, image.ph[1].memsz = 0xfff, "hypercall page")
WRONG(base_unaligned, image.number[1].value = BASE - 8, "boundary")
WRONG(other_version, text_note(&image, 0, XEN_ELFNOTE_XEN_VERSION, "xen-2.0"), "xen-3.0")
WRONG(feature_required, text_note(&image, 1, XEN_ELFNOTE_FEATURES, "dom0|!auto_translated_physmap"),
      "require")
WRONG(note_truncated, image.text[1].descsz = 0xffffffff, "truncated")
WRONG(note_name_truncated, image.text[1].namesz = 0xfffffffe, "truncated")
WRONG(note_number_size, image.number[0].descsz = 3, "malformed")
WRONG(notes_outside, image.ph[2].filesz = ~0UL, "notes lies outside")

static void test_truncated(void **state)
{
	build_image(&image);
	for (size_t n = 0; n < sizeof(image); n++) {
		char *part = malloc(n ? n : 1); /* its end is guarded by the sanitizer */

		memcpy(part, &image, n);
		assert_non_null(elf_parse(part, n, &out));
		free(part);
	}
}

static void test_bzimage(void **state)
{
	static char kernel[0x300];

	memcpy(kernel + 0x202, "HdrS", 4);
	assert_non_null(strstr(elf_parse(kernel, sizeof(kernel), &out), "bzImage"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_right),
	    cmocka_unit_test(test_load),
	    cmocka_unit_test(test_notes_in_section),
	    cmocka_unit_test(wrong_magic),
	    cmocka_unit_test(wrong_class),
	    cmocka_unit_test(wrong_order),
	    cmocka_unit_test(wrong_machine),
	    cmocka_unit_test(wrong_type),
	    cmocka_unit_test(no_segments),
	    cmocka_unit_test(small_phentsize),
	    cmocka_unit_test(phoff_outside),
	    cmocka_unit_test(phnum_outside),
	    cmocka_unit_test(nothing_to_load),
	    cmocka_unit_test(file_bigger),
	    cmocka_unit_test(memsz_huge),
	    cmocka_unit_test(offset_wraps),
	    cmocka_unit_test(offset_outside),
	    cmocka_unit_test(address_wraps),
	    cmocka_unit_test(address_hole),
	    cmocka_unit_test(below_base),
	    cmocka_unit_test(over_hypervisor),
	    cmocka_unit_test(overlap),
	    cmocka_unit_test(spread),
	    cmocka_unit_test(no_entry),
	    cmocka_unit_test(entry_outside),
	    cmocka_unit_test(page_outside),
	    cmocka_unit_test(page_unaligned),
	    cmocka_unit_test(page_over_end),
	    cmocka_unit_test(base_unaligned),
	    cmocka_unit_test(other_version),
	    cmocka_unit_test(feature_required),
	    cmocka_unit_test(note_truncated),
	    cmocka_unit_test(note_name_truncated),
	    cmocka_unit_test(note_number_size),
	    cmocka_unit_test(notes_outside),
	    cmocka_unit_test(test_truncated),
	    cmocka_unit_test(test_bzimage),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
