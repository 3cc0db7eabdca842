/* SPDX-License-Identifier: MIT */
/*
 * From a PV kernel's image to the memory of a domain: shared by the hypervisor, which builds the first domain
 * (hypervisor/boot/dom0.c), and the builder of all others in dom0 (dom0-tools/builder). Nothing here trusts a number
 * of a file: each offset and size is checked against what holds it, once, before it is used. Pure: built and fuzzed
 * on the host.
 *
 * What is wrong with an image is told as the rest of a sentence that names it: "it is not an ELF file".
 */
#ifndef LOADER_LOADER_H
#define LOADER_LOADER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <public/xen.h>

/* ---- elf.c: ELF64 kernel images with the notes of public/elfnote.h ---- */

struct elf_note_info {
	uint64_t entry, virt_base, paddr_offset, hypercall_page, init_p2m;
	uint64_t supported_features; /* bit per XENFEAT_* */
	bool has_entry, has_hypercall_page, has_init_p2m, mod_start_pfn_ok, has_supported_features;
	char guest_os[32], xen_version[16], loader[16], features[256];
};

struct elf_image {
	const uint8_t *data;
	size_t size;
	uint64_t virt_start, virt_end; /* of what the segments occupy */
	struct elf_note_info notes;
};

/* NULL, or what is wrong with the image, which must stay where it is while *out is used. */
const char *elf_parse(const void *data, size_t size, struct elf_image *out);
/* Copy the segments through a callback: offsets are virt - image->virt_start. Bytes beyond filesz are zeros. */
void elf_load(const struct elf_image *image,
	      void (*copy)(void *context, uint64_t offset, const void *src, size_t filesz,
			   size_t memsz),
	      void *context);

/* ---- unpack.c: gzip files, and Linux's bzImage ---- */

struct packed {
	const struct packed_format *format; /* NULL: it is not packed */
	const uint8_t *data;
	size_t size;
	size_t unpacked; /* what it claims to unpack to: 1 byte to 1 GiB */
	/* Of the caller's, after unpack_find: told now and then how many of the `size` bytes are done. NULL: nobody. */
	void (*progress)(void *context, size_t done);
	void *context;
};

/* Is it packed, and how? NULL, or what is wrong. */
const char *unpack_find(const void *data, size_t size, struct packed *packed);
/* Unpack to exactly packed->unpacked bytes. NULL, or what is wrong. */
const char *unpack(const struct packed *packed, void *to);

/* Working memory of the decoders, up to some 200 KiB, more for unusual files: from whoever links this. Zeroed. */
void *unpack_alloc(size_t size);
void unpack_free(void *memory);

/* ---- layout.c: where things are when a domain starts, as public/xen.h describes it ----
 *
 * What the domain's own page tables map, from the virtual base that the kernel's notes give:
 *
 *	pfn 0		the kernel, where its segments say
 *			the ramdisk (unless the kernel takes a frame number instead)
 *			the list of frames, pfn to mfn (unless the kernel names another address for it)
 *			start_info
 *			the rings of store and console (unless it is the first domain)
 *			page tables, read-only: the level-4 table first
 *			the stack
 *			at least 512 KiB more, up to a 4 MiB boundary
 *
 * Ramdisk and list that are not in there come next in the order of pfns. All of this is arithmetic that is done
 * before any memory is touched.
 */

struct layout {
	const struct elf_image *elf;
	size_t ramdisk_size;
	uint64_t pages;	    /* of the domain */
	uint64_t base, end; /* virtual addresses of the mapped region */
	/* in frames of the domain */
	uint64_t ramdisk_pfn, p2m_pfn, start_info_pfn, store_pfn, console_pfn, pt_pfn, stack_pfn;
	uint64_t used_pfns; /* more than that it must have */
	uint64_t p2m_pages, pt_pages;
	uint64_t p2m_pt_pfn, p2m_pt_pages; /* tables for a list at an address of its own */
};

/* rings: with pages for store and console. NULL, or what is wrong. used_pfns may be more than pages are. */
const char *layout_plan(struct layout *layout, const struct elf_image *elf, uint64_t pages,
			size_t ramdisk_size, bool rings);

static inline uint64_t layout_virt(const struct layout *layout, uint64_t pfn)
{
	return layout->base + (pfn << 12);
}

static inline uint64_t layout_pfn(const struct layout *layout, uint64_t virt)
{
	return (virt - layout->base) >> 12;
}

/* The domain's memory, as whoever builds it sees it. */
struct layout_memory {
	uint64_t (*mfn)(void *context, uint64_t pfn);
	void *(*page)(void *context, uint64_t pfn); /* mapped writable; only for pages in use */
	void *context;
};

/* Write the page tables; the pages of tables may hold anything before. */
void layout_build_tables(const struct layout *layout, const struct layout_memory *memory);

/* Fill in what follows from the layout: all but shared_info, flags for more than it, rings and command line. */
void layout_describe(const struct layout *layout, uint64_t pages, struct start_info *info);

/* ---- chunks.c: the frames of a domain, as runs of machine frames ---- */

struct chunk {
	uint64_t pfn, mfn, count;
};

struct chunks {
	struct chunk *chunk; /* room for max of them, in the order of pfns, without holes */
	unsigned int count, max;
	unsigned int last; /* where the last search ended */
};

/* Append frames; those that follow on the last run join it. False: there is no room. */
bool chunks_add(struct chunks *chunks, uint64_t mfn, uint64_t count);
/* How many frames there are. */
uint64_t chunks_pages(const struct chunks *chunks);
/* pfn must be one of them. Fast for callers that go upwards. */
uint64_t chunks_mfn(struct chunks *chunks, uint64_t pfn);
/* Machine frames of pfn to pfn + count - 1, all of which there must be. */
void chunks_list(const struct chunks *chunks, uint64_t pfn, uint64_t count, uint64_t *mfns);

#endif
