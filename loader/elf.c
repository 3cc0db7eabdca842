/* SPDX-License-Identifier: MIT */
/* PV kernel images: ELF64 (System V ABI, x86-64 supplement) with the notes of public/elfnote.h. */
#include "loader/loader.h"
#include "loader/internal.h"
#include <public/elfnote.h>
#include <public/features.h>

#define EI_CLASS    4
#define EI_DATA	    5
#define ELFCLASS64  2
#define ELFDATA2LSB 1
#define ET_EXEC	    2
#define EM_X86_64   62
#define PT_LOAD	    1
#define PT_NOTE	    4
#define SHT_NOTE    7

/* More loadable segments than any kernel has; they are compared in pairs. */
#define MAX_SEGMENTS 64
#define MAX_IMAGE    (1UL << 30)

struct elf_header {
	uint8_t ident[16];
	uint16_t type, machine;
	uint32_t version;
	uint64_t entry, phoff, shoff;
	uint32_t flags;
	uint16_t ehsize, phentsize, phnum, shentsize, shnum, shstrndx;
};

struct elf_segment {
	uint32_t type, flags;
	uint64_t offset, vaddr, paddr, filesz, memsz, align;
};

struct elf_section {
	uint32_t name, type;
	uint64_t flags, addr, offset, size;
	uint32_t link, info;
	uint64_t addralign, entsize;
};

struct elf_note {
	uint32_t namesz, descsz, type;
};

static bool inside(uint64_t offset, uint64_t len, uint64_t size)
{
	return offset <= size && len <= size - offset;
}

static void header_get(const struct elf_image *img, struct elf_header *h)
{
	memcpy(h, img->data, sizeof(*h));
}

static void segment_get(const struct elf_image *img, const struct elf_header *h, unsigned int n,
			struct elf_segment *s)
{
	memcpy(s, img->data + h->phoff + (uint64_t)n * h->phentsize, sizeof(*s));
}

static const char *check_header(const struct elf_image *img, struct elf_header *h)
{
	static const uint8_t magic[4] = {0x7f, 'E', 'L', 'F'};

	if (img->size == 0)
		return "it is empty";
	if (img->size >= 0x206 && memcmp(img->data + 0x202, "HdrS", 4) == 0)
		return "it is a bzImage, not an ELF kernel image";
	if (img->size < sizeof(magic) || memcmp(img->data, magic, sizeof(magic)) != 0)
		return "it is not an ELF file";
	if (img->size < sizeof(*h))
		return "its ELF header is truncated";
	header_get(img, h);
	if (h->ident[EI_CLASS] != ELFCLASS64)
		return "it is a 32-bit ELF file, and only 64-bit kernels can run";
	if (h->ident[EI_DATA] != ELFDATA2LSB)
		return "its byte order is big-endian";
	if (h->machine != EM_X86_64)
		return "it is made for another machine than x86-64";
	if (h->type != ET_EXEC)
		return "its ELF type is not that of an executable";
	if (h->phnum == 0)
		return "it has no segments (its program header table is empty)";
	if (h->phentsize < sizeof(struct elf_segment))
		return "the entries of its program header table are too small";
	if (!inside(h->phoff, (uint64_t)h->phnum * h->phentsize, img->size))
		return "its program header table lies outside the file: truncated?";
	return NULL;
}

/* The number that a note holds: 1, 2, 4 or 8 bytes. */
static bool note_number(const uint8_t *desc, uint32_t size, uint64_t *value)
{
	if (size != 1 && size != 2 && size != 4 && size != 8)
		return false;
	*value = 0;
	memcpy(value, desc, size);
	return true;
}

static void note_string(const uint8_t *desc, uint32_t size, char *to, size_t max)
{
	size_t n = size < max ? size : max - 1;

	n = strnlen((const char *)desc, n);
	memcpy(to, desc, n);
	to[n] = 0;
}

static const char *take_note(struct elf_note_info *info, uint32_t type, const uint8_t *desc,
			     uint32_t size)
{
	uint64_t value = 0;
	bool number = note_number(desc, size, &value);

	switch (type) {
	case XEN_ELFNOTE_ENTRY:
		if (!number)
			return "its note about the entry is malformed";
		info->entry = value;
		info->has_entry = true;
		break;
	case XEN_ELFNOTE_HYPERCALL_PAGE:
		if (!number)
			return "its note about the hypercall page is malformed";
		info->hypercall_page = value;
		info->has_hypercall_page = true;
		break;
	case XEN_ELFNOTE_VIRT_BASE:
		if (!number)
			return "its note about the virtual base is malformed";
		info->virt_base = value;
		break;
	case XEN_ELFNOTE_PADDR_OFFSET:
		if (!number)
			return "its note about the address offset is malformed";
		info->paddr_offset = value;
		break;
	case XEN_ELFNOTE_INIT_P2M:
		if (!number)
			return "its note about the frame list is malformed";
		info->init_p2m = value;
		info->has_init_p2m = true;
		break;
	case XEN_ELFNOTE_MOD_START_PFN:
		info->mod_start_pfn_ok = number && value;
		break;
	case XEN_ELFNOTE_SUPPORTED_FEATURES:
		if (!number)
			return "its note about features is malformed";
		info->supported_features = value;
		info->has_supported_features = true;
		break;
	case XEN_ELFNOTE_XEN_VERSION:
		note_string(desc, size, info->xen_version, sizeof(info->xen_version));
		break;
	case XEN_ELFNOTE_GUEST_OS:
		note_string(desc, size, info->guest_os, sizeof(info->guest_os));
		break;
	case XEN_ELFNOTE_LOADER:
		note_string(desc, size, info->loader, sizeof(info->loader));
		break;
	case XEN_ELFNOTE_FEATURES:
		note_string(desc, size, info->features, sizeof(info->features));
		break;
	default:
		break;
	}
	return NULL;
}

/* Xen's notes in a part of the file that holds notes; *found counts them. */
static const char *scan_notes(struct elf_image *img, uint64_t offset, uint64_t size,
			      unsigned int *found)
{
	uint64_t end = offset + size;

	while (end - offset >= sizeof(struct elf_note)) {
		struct elf_note note;
		uint64_t name = offset + sizeof(note), desc;

		memcpy(&note, img->data + offset, sizeof(note));
		desc = name + UP((uint64_t)note.namesz, 4);
		if (!inside(name, UP((uint64_t)note.namesz, 4), end) ||
		    !inside(desc, note.descsz, end))
			return "one of its notes is truncated";
		if (note.namesz == 4 && memcmp(img->data + name, "Xen", 4) == 0) {
			const char *error =
			    take_note(&img->notes, note.type, img->data + desc, note.descsz);

			if (error)
				return error;
			(*found)++;
		}
		offset = desc + UP((uint64_t)note.descsz, 4);
		if (offset > end)
			break;
	}
	return NULL;
}

/* Notes are found by segment; an image whose linker left that out has them by section. */
static const char *find_notes(struct elf_image *img, const struct elf_header *h)
{
	unsigned int found = 0;
	const char *error;

	for (unsigned int n = 0; n < h->phnum; n++) {
		struct elf_segment s;

		segment_get(img, h, n, &s);
		if (s.type != PT_NOTE)
			continue;
		if (!inside(s.offset, s.filesz, img->size))
			return "its segment of notes lies outside the file: truncated?";
		error = scan_notes(img, s.offset, s.filesz, &found);
		if (error)
			return error;
	}
	if (found || h->shentsize < sizeof(struct elf_section) ||
	    !inside(h->shoff, (uint64_t)h->shnum * h->shentsize, img->size))
		return found ? NULL : "it has none of the ELF notes of a Xen PV kernel";
	for (unsigned int n = 0; n < h->shnum; n++) {
		struct elf_section s;

		memcpy(&s, img->data + h->shoff + (uint64_t)n * h->shentsize, sizeof(s));
		if (s.type != SHT_NOTE || !inside(s.offset, s.size, img->size))
			continue;
		error = scan_notes(img, s.offset, s.size, &found);
		if (error)
			return error;
	}
	return found ? NULL : "it has none of the ELF notes of a Xen PV kernel";
}

/*
 * Where a segment goes: by its physical address, as the notes relate that to virtual ones. Linux has
 * segments whose virtual address means something else (per-CPU data at 0).
 */
static uint64_t segment_virt(const struct elf_image *img, const struct elf_segment *s)
{
	return s->paddr - img->notes.paddr_offset + img->notes.virt_base;
}

static const char *check_segment(struct elf_image *img, const struct elf_segment *s)
{
	uint64_t start = segment_virt(img, s), end = start + s->memsz;

	if (s->filesz > s->memsz)
		return "a segment has more bytes in the file than in memory";
	if (s->memsz > MAX_IMAGE)
		return "a segment is bigger than 1 GiB";
	if (!inside(s->offset, s->filesz, img->size))
		return "a segment's bytes lie outside the file: truncated?";
	if (end < start || !canonical(start) || !canonical(end - 1))
		return "a segment's addresses are not valid";
	if (start < img->notes.virt_base)
		return "a segment lies below the virtual base that its notes give";
	if (end > HYPERVISOR_VIRT_START && start < HYPERVISOR_VIRT_END)
		return "a segment lies in the hypervisor's address range";
	if (img->virt_end == 0 || start < img->virt_start)
		img->virt_start = start;
	if (end > img->virt_end)
		img->virt_end = end;
	return NULL;
}

static const char *check_segments(struct elf_image *img, const struct elf_header *h)
{
	struct {
		uint64_t start, end;
	} seen[MAX_SEGMENTS];
	unsigned int count = 0;

	img->virt_start = img->virt_end = 0;
	for (unsigned int n = 0; n < h->phnum; n++) {
		struct elf_segment s;
		const char *error;

		segment_get(img, h, n, &s);
		if (s.type != PT_LOAD || s.memsz == 0)
			continue;
		error = check_segment(img, &s);
		if (error)
			return error;
		if (count == MAX_SEGMENTS)
			return "it has more than 64 segments to load";
		seen[count].start = segment_virt(img, &s);
		seen[count].end = seen[count].start + s.memsz;
		for (unsigned int i = 0; i < count; i++)
			if (seen[i].start < seen[count].end && seen[count].start < seen[i].end)
				return "its segments overlap";
		count++;
	}
	if (count == 0)
		return "it has no segments to load";
	if (img->virt_end - img->virt_start > MAX_IMAGE)
		return "its segments spread over more than 1 GiB";
	return NULL;
}

static bool word_is(const char *word, size_t n, const char *name)
{
	return strlen(name) == n && strncmp(word, name, n) == 0;
}

/*
 * Features that the kernel insists on ("!name"). Those that only guests without direct paging have are
 * refused; page tables that can be written to, which Linux names, come by vm_assist.
 */
static const char *check_features(const struct elf_note_info *info)
{
	for (const char *word = info->features; *word;) {
		size_t n = 0;

		while (word[n] && word[n] != '|')
			n++;
		if (word_is(word, n, "!auto_translated_physmap") ||
		    word_is(word, n, "!supervisor_mode_kernel"))
			return "its notes require a feature that PV domains don't have here";
		word += n + (word[n] == '|');
	}
	return NULL;
}

static const char *check_notes(const struct elf_image *img)
{
	const struct elf_note_info *info = &img->notes;

	if (!info->has_entry)
		return "its notes give no entry for PV (a PVH-only kernel?)";
	if (info->loader[0] && strcmp(info->loader, "generic") != 0)
		return "it wants another loader than the generic one";
	if (info->xen_version[0] && strcmp(info->xen_version, "xen-3.0") != 0)
		return "it is made for another version of the interface than xen-3.0";
	if (info->entry < img->virt_start || info->entry >= img->virt_end)
		return "its entry lies outside its segments";
	if (info->has_hypercall_page &&
	    (!page_aligned(info->hypercall_page) || info->hypercall_page < img->virt_start ||
	     info->hypercall_page >= img->virt_end ||
	     img->virt_end - info->hypercall_page < PAGE_BYTES))
		return "its hypercall page lies outside its segments";
	if (!page_aligned(info->virt_base))
		return "the virtual base of its notes is not at a page boundary";
	if (info->has_init_p2m && (!page_aligned(info->init_p2m) ||
				   !guest_addresses(info->init_p2m, info->init_p2m + MAX_IMAGE)))
		return "its notes put the frame list at an address that is not valid";
	return check_features(info);
}

const char *elf_parse(const void *data, size_t size, struct elf_image *out)
{
	struct elf_header h;
	const char *error;

	memset(out, 0, sizeof(*out));
	out->data = data;
	out->size = size;
	error = check_header(out, &h);
	if (!error)
		error = find_notes(out, &h);
	if (!error)
		error = check_segments(out, &h);
	if (!error)
		error = check_notes(out);
	return error;
}

void elf_load(const struct elf_image *img,
	      void (*copy)(void *context, uint64_t offset, const void *src, size_t filesz,
			   size_t memsz),
	      void *context)
{
	struct elf_header h;

	header_get(img, &h);
	for (unsigned int n = 0; n < h.phnum; n++) {
		struct elf_segment s;

		segment_get(img, &h, n, &s);
		if (s.type == PT_LOAD && s.memsz)
			copy(context, segment_virt(img, &s) - img->virt_start, img->data + s.offset,
			     s.filesz, s.memsz);
	}
}
