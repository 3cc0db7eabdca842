/* SPDX-License-Identifier: MIT */
#include "xl/core_file.h"
#include <elf.h>
#include <string.h>

#define PAGE	     4096
#define CORE_MAGIC   0xf00febedu
#define NOTE_NONE    0x2000000u
#define NOTE_HEADER  0x2000001u
#define NOTE_VERSION 0x2000002u
#define NOTE_FORMAT  0x2000003u

struct note {
	uint32_t name_size, size, type;
	char name[4];
};

struct notes {
	struct note none_note;
	struct note header_note;
	struct {
		uint64_t magic, vcpus, pages, page_size;
	} header;
	struct note version_note;
	struct core_version version;
	struct note format_note;
	uint64_t format;
};

/* The names of the sections, each where its header says. */
static const char names[] =
    "\0.shstrtab\0.note.Xen\0.xen_prstatus\0.xen_shared_info\0.xen_p2m\0.xen_pages";

enum { NO_SECTION, NAMES, NOTES, VCPUS, SHARED, TABLE, PAGES, SECTIONS };

struct layout {
	size_t offset[SECTIONS], size[SECTIONS], end;
};

static size_t round_up(size_t size, size_t to)
{
	return (size + to - 1) & ~(to - 1);
}

static struct layout lay_out(unsigned int vcpus, size_t pages)
{
	struct layout l = {0};

	l.size[NAMES] = sizeof(names);
	l.size[NOTES] = sizeof(struct notes);
	l.size[VCPUS] = vcpus * sizeof(struct vcpu_guest_context);
	l.size[SHARED] = PAGE;
	l.size[TABLE] = pages * sizeof(struct core_page);
	l.size[PAGES] = pages * PAGE;
	l.end = sizeof(Elf64_Ehdr) + SECTIONS * sizeof(Elf64_Shdr);
	for (unsigned int i = NAMES; i < SECTIONS; i++) {
		l.offset[i] = round_up(l.end, i == PAGES ? PAGE : 16);
		l.end = l.offset[i] + l.size[i];
	}
	return l;
}

size_t core_file_size(unsigned int vcpus, size_t pages)
{
	return lay_out(vcpus, pages).end;
}

static void write_notes(struct notes *notes, unsigned int vcpus, size_t pages,
			const struct core_version *version)
{
	notes->none_note = (struct note){4, 0, NOTE_NONE, "Xen"};
	notes->header_note = (struct note){4, sizeof(notes->header), NOTE_HEADER, "Xen"};
	notes->header.magic = CORE_MAGIC;
	notes->header.vcpus = vcpus;
	notes->header.pages = pages;
	notes->header.page_size = PAGE;
	notes->version_note = (struct note){4, sizeof(notes->version), NOTE_VERSION, "Xen"};
	notes->version = *version;
	notes->format_note = (struct note){4, sizeof(notes->format), NOTE_FORMAT, "Xen"};
	notes->format = 1; /* 0.1 */
}

static void write_section(Elf64_Shdr *section, const struct layout *l, unsigned int index,
			  uint32_t type, const char *name, size_t entry_size)
{
	const char *at = names + 1;

	while (strcmp(at, name) != 0)
		at += strlen(at) + 1;
	section->sh_name = (uint32_t)(at - names);
	section->sh_type = type;
	section->sh_offset = l->offset[index];
	section->sh_size = l->size[index];
	section->sh_entsize = entry_size;
	section->sh_addralign = index == PAGES ? PAGE : 16;
}

struct core_parts core_file_begin(void *file, unsigned int vcpus, size_t pages,
				  const struct core_version *version)
{
	struct layout l = lay_out(vcpus, pages);
	uint8_t *bytes = file;
	Elf64_Ehdr *header = file;
	Elf64_Shdr *sections = (Elf64_Shdr *)(header + 1);

	memset(file, 0, l.offset[PAGES]);
	memcpy(header->e_ident, ELFMAG, SELFMAG);
	header->e_ident[EI_CLASS] = ELFCLASS64;
	header->e_ident[EI_DATA] = ELFDATA2LSB;
	header->e_ident[EI_VERSION] = EV_CURRENT;
	header->e_ident[EI_OSABI] = ELFOSABI_SYSV;
	header->e_type = ET_CORE;
	header->e_machine = EM_X86_64;
	header->e_version = EV_CURRENT;
	header->e_ehsize = sizeof(*header);
	header->e_shoff = sizeof(*header);
	header->e_shentsize = sizeof(*sections);
	header->e_shnum = SECTIONS;
	header->e_shstrndx = NAMES;
	write_section(&sections[NAMES], &l, NAMES, SHT_STRTAB, ".shstrtab", 0);
	write_section(&sections[NOTES], &l, NOTES, SHT_NOTE, ".note.Xen", 0);
	write_section(&sections[VCPUS], &l, VCPUS, SHT_PROGBITS, ".xen_prstatus",
		      sizeof(struct vcpu_guest_context));
	write_section(&sections[SHARED], &l, SHARED, SHT_PROGBITS, ".xen_shared_info", PAGE);
	write_section(&sections[TABLE], &l, TABLE, SHT_PROGBITS, ".xen_p2m",
		      sizeof(struct core_page));
	write_section(&sections[PAGES], &l, PAGES, SHT_PROGBITS, ".xen_pages", PAGE);
	memcpy(bytes + l.offset[NAMES], names, sizeof(names));
	write_notes((struct notes *)(bytes + l.offset[NOTES]), vcpus, pages, version);
	return (struct core_parts){.vcpus = (void *)(bytes + l.offset[VCPUS]),
				   .shared_info = bytes + l.offset[SHARED],
				   .table = (void *)(bytes + l.offset[TABLE]),
				   .pages = bytes + l.offset[PAGES]};
}
