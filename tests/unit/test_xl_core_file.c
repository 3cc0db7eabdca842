/* SPDX-License-Identifier: MIT */
// sources: dom0-tools/xl/core_file.c
/* A core as Xen's dump-core-format.txt describes it, read back by the rules of ELF. */
#include "unit.h"
#include <elf.h>
#include "xl/core_file.h"

#define PAGE 4096

static const Elf64_Shdr *section(const void *file, const char *name)
{
	const Elf64_Ehdr *header = file;
	const Elf64_Shdr *sections = (const void *)((const char *)file + header->e_shoff);
	const char *names = (const char *)file + sections[header->e_shstrndx].sh_offset;

	for (unsigned int i = 1; i < header->e_shnum; i++)
		if (!strcmp(names + sections[i].sh_name, name))
			return &sections[i];
	fail_msg("no section %s", name);
	return NULL;
}

static void *contents(void *file, const char *name)
{
	return (char *)file + section(file, name)->sh_offset;
}

static const struct core_version version = {
    .major = 4, .minor = 17, .extra = ".0", .page_size = PAGE};

static void test_parts(void **state)
{
	size_t size = core_file_size(2, 3);
	char *file = malloc(size);
	struct core_parts parts;
	Elf64_Ehdr *header = (void *)file;
	size_t end = 0;

	memset(file, 0xee, size);
	parts = core_file_begin(file, 2, 3, &version);
	assert_memory_equal(header->e_ident, ELFMAG, SELFMAG);
	assert_int_equal(header->e_ident[EI_CLASS], ELFCLASS64);
	assert_int_equal(header->e_type, ET_CORE);
	assert_int_equal(header->e_machine, EM_X86_64);
	assert_int_equal(header->e_phnum, 0);
	assert_ptr_equal(parts.vcpus, contents(file, ".xen_prstatus"));
	assert_int_equal(section(file, ".xen_prstatus")->sh_size,
			 2 * sizeof(struct vcpu_guest_context));
	assert_ptr_equal(parts.shared_info, contents(file, ".xen_shared_info"));
	assert_int_equal(section(file, ".xen_shared_info")->sh_size, PAGE);
	assert_ptr_equal(parts.table, contents(file, ".xen_p2m"));
	assert_int_equal(section(file, ".xen_p2m")->sh_size, 3 * 16);
	assert_ptr_equal(parts.pages, contents(file, ".xen_pages"));
	assert_int_equal(section(file, ".xen_pages")->sh_size, 3 * PAGE);
	/* One after the other, and all of it within the file. */
	for (unsigned int i = 1; i < header->e_shnum; i++) {
		const Elf64_Shdr *s = (Elf64_Shdr *)(file + header->e_shoff) + i;

		assert_true(s->sh_offset >= end);
		assert_int_equal(s->sh_offset % s->sh_addralign, 0);
		end = s->sh_offset + s->sh_size;
	}
	assert_int_equal(end, size);
	free(file);
}

static void test_notes(void **state)
{
	static const struct {
		uint32_t type, size;
	} expected[] = {{0x2000000, 0}, {0x2000001, 32}, {0x2000002, 1280}, {0x2000003, 8}};
	size_t size = core_file_size(5, 7);
	void *file = malloc(size);
	const char *at, *end;

	core_file_begin(file, 5, 7, &version);
	at = contents(file, ".note.Xen");
	end = at + section(file, ".note.Xen")->sh_size;
	for (unsigned int i = 0; i < 4; i++) {
		const Elf64_Nhdr *note = (const void *)at;
		const uint64_t *values = (const void *)(at + 16);

		assert_true(at + 16 <= end);
		assert_int_equal(note->n_namesz, 4);
		assert_string_equal(at + 12, "Xen");
		assert_int_equal(note->n_type, expected[i].type);
		assert_int_equal(note->n_descsz, expected[i].size);
		if (note->n_type == 0x2000001) {
			assert_int_equal(values[0], 0xf00febed);
			assert_int_equal(values[1], 5);
			assert_int_equal(values[2], 7);
			assert_int_equal(values[3], PAGE);
		} else if (note->n_type == 0x2000002) {
			assert_int_equal(values[0], 4);
			assert_int_equal(values[1], 17);
		} else if (note->n_type == 0x2000003) {
			assert_int_equal(values[0], 1);
		}
		at += 16 + note->n_descsz;
	}
	assert_ptr_equal(at, end);
	free(file);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_parts),
	    cmocka_unit_test(test_notes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
