/* SPDX-License-Identifier: MIT */
/* A small, right PV kernel image in memory, for tests that then break it. */
#ifndef ELF_BUILDER_H
#define ELF_BUILDER_H

#include <stdint.h>
#include <string.h>
#include <public/elfnote.h>

#define BASE 0xffffffff80000000UL

struct test_image {
	struct {
		uint8_t ident[16];
		uint16_t type, machine;
		uint32_t version;
		uint64_t entry, phoff, shoff;
		uint32_t flags;
		uint16_t ehsize, phentsize, phnum, shentsize, shnum, shstrndx;
	} h;
	struct {
		uint32_t type, flags;
		uint64_t offset, vaddr, paddr, filesz, memsz, align;
	} ph[3];
	struct {
		uint32_t namesz, descsz, type;
		char name[4];
		uint64_t value;
	} number[5];
	struct {
		uint32_t namesz, descsz, type;
		char name[4];
		char value[40];
	} text[2];
	char contents[64];
};

static inline void number_note(struct test_image *i, unsigned int n, uint32_t type, uint64_t value)
{
	i->number[n].namesz = 4;
	i->number[n].descsz = 8;
	i->number[n].type = type;
	memcpy(i->number[n].name, "Xen", 4);
	i->number[n].value = value;
}

static inline void text_note(struct test_image *i, unsigned int n, uint32_t type, const char *value)
{
	i->text[n].namesz = 4;
	i->text[n].descsz = 40;
	i->text[n].type = type;
	memcpy(i->text[n].name, "Xen", 4);
	memset(i->text[n].value, 0, sizeof(i->text[n].value));
	memcpy(i->text[n].value, value, strlen(value));
}

/* Segments: code of one page and a bit, data with bytes beyond the file's, notes. */
static inline void build_image(struct test_image *i)
{
	memset(i, 0, sizeof(*i));
	memcpy(i->h.ident, "\177ELF\2\1\1", 7);
	i->h.type = 2;
	i->h.machine = 62;
	i->h.version = 1;
	i->h.ehsize = sizeof(i->h);
	i->h.phoff = sizeof(i->h);
	i->h.phentsize = sizeof(i->ph[0]);
	i->h.phnum = 3;
	i->ph[0].type = i->ph[1].type = 1;
	i->ph[0].offset = offsetof(struct test_image, contents);
	i->ph[0].vaddr = BASE + 0x1000;
	i->ph[0].paddr = 0x1000;
	i->ph[0].filesz = 32;
	i->ph[0].memsz = 0x1100;
	i->ph[1].offset = offsetof(struct test_image, contents) + 32;
	/* As Linux's per-CPU data: only the physical address says where it goes. */
	i->ph[1].vaddr = 0;
	i->ph[1].paddr = 0x3000;
	i->ph[1].filesz = 32;
	i->ph[1].memsz = 0x2000;
	i->ph[2].type = 4;
	i->ph[2].offset = offsetof(struct test_image, number);
	i->ph[2].filesz = sizeof(i->number) + sizeof(i->text);
	number_note(i, 0, XEN_ELFNOTE_ENTRY, BASE + 0x1010);
	number_note(i, 1, XEN_ELFNOTE_VIRT_BASE, BASE);
	number_note(i, 2, XEN_ELFNOTE_HYPERCALL_PAGE, BASE + 0x3000);
	number_note(i, 3, XEN_ELFNOTE_PADDR_OFFSET, 0);
	number_note(i, 4, XEN_ELFNOTE_SUPPORTED_FEATURES, 1 << 11);
	text_note(i, 0, XEN_ELFNOTE_XEN_VERSION, "xen-3.0");
	text_note(i, 1, XEN_ELFNOTE_FEATURES, "!pae_pgdir_above_4gb");
	memset(i->contents, 'x', 32);
	memset(i->contents + 32, 'y', 32);
}

#endif
