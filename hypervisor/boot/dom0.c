/* SPDX-License-Identifier: MIT */
/*
 * Builds the first domain from the first module, as public/xen.h describes the start of day. What goes where is
 * worked out before memory is allocated (loader/layout.c); then nothing but lack of memory can fail.
 */
#include "boot/boot.h"
#include "console/console.h"
#include "cpu/cpu.h"
#include "cpu/x86.h"
#include "domain/domain.h"
#include "lib/bitops.h"
#include "lib/errno.h"
#include "lib/lib.h"
#include "lib/option.h"
#include "loader/loader.h"
#include "mm/mm.h"
#include "pv/pv.h"
#include "time/time.h"
#include <public/features.h>

#define MAX_CHUNKS	1024
#define MAX_CHUNK_ORDER 18

/* ---- options ---- */

/* Bytes; negative: all but so much; 0: not given. */
static int64_t mem_wanted, mem_min, mem_max;
static unsigned int vcpus_min, vcpus_max;

static int parse_signed_size(const char **s, int64_t *out)
{
	const char *at = *s, *end;
	bool negative = *at == '-', overflow;
	uint64_t size;

	at += negative;
	size = parse_size(at, &end, &overflow);
	if (end == at || overflow || size > INT64_MAX)
		return -EINVAL;
	*out = negative ? -(int64_t)size : (int64_t)size;
	*s = end;
	return 0;
}

static int parse_dom0_mem(const char *s)
{
	for (;;) {
		int64_t *out = &mem_wanted;

		if (strncmp(s, "min:", 4) == 0)
			out = &mem_min;
		else if (strncmp(s, "max:", 4) == 0)
			out = &mem_max;
		s += out == &mem_wanted ? 0 : 4;
		if (parse_signed_size(&s, out))
			return -EINVAL;
		if (*s == 0)
			return 0;
		if (*s++ != ',')
			return -EINVAL;
	}
}
CUSTOM_OPTION("dom0_mem", parse_dom0_mem, "sizes as in 512M or 1G,max:2G or min:64M,-256M");

/* N, MIN-MAX, MIN- or -MAX */
static int parse_dom0_vcpus(const char *s)
{
	const char *end;
	bool overflow = false;
	uint64_t low = parse_number(s, &end, &overflow), high = low;

	if (overflow || (end == s && *s != '-'))
		return -EINVAL;
	if (*end == '-') {
		s = end + 1;
		high = parse_number(s, &end, &overflow);
		if (end == s)
			high = MAX_VCPUS;
	}
	if (overflow || *end || low > MAX_VCPUS || high == 0 || high > MAX_VCPUS || low > high)
		return -EINVAL;
	vcpus_min = (unsigned int)low;
	vcpus_max = (unsigned int)high;
	return 0;
}
CUSTOM_OPTION("dom0_max_vcpus", parse_dom0_vcpus, "a number from 1 to 64, or two as in 2-4");

static unsigned int __init number_of_vcpus(void)
{
	unsigned int n = min(nr_cpus, (unsigned int)MAX_VCPUS);

	if (!vcpus_max)
		return n;
	n = min(n, vcpus_max);
	return max(n, vcpus_min);
}

/* Pages that an amount of bytes, which may be relative to all there is, stands for. */
static uint64_t __init pages_of(int64_t bytes, uint64_t all)
{
	uint64_t pages = (uint64_t)(bytes < 0 ? -bytes : bytes) >> PAGE_SHIFT;

	if (bytes >= 0)
		return pages;
	return all > pages ? all - pages : 0;
}

/* All but a sixteenth of what is free, and of that no more than 128 MiB, unless an option says more. */
static uint64_t __init number_of_pages(uint64_t *max_pages)
{
	uint64_t all = free_frames(), pages;

	pages = all - min(all / 16, (128UL << 20) >> PAGE_SHIFT);
	if (mem_wanted)
		pages = pages_of(mem_wanted, all);
	if (mem_max)
		pages = min(pages, pages_of(mem_max, all));
	if (mem_min)
		pages = max(pages, pages_of(mem_min, all));
	*max_pages = mem_max ? max(pages, pages_of(mem_max, all)) : UINT32_MAX;
	return min(pages, all);
}

/* ---- the plan ---- */

struct plan {
	struct elf_image elf;
	struct layout layout;
	const uint8_t *ramdisk;
	size_t ramdisk_size;
	uint64_t pages, max_pages;
};

/* ---- memory ---- */

static struct chunk chunk[MAX_CHUNKS] __initbss;
static struct chunks chunks __initdata = {.chunk = chunk, .max = MAX_CHUNKS};

static uint64_t __init pfn_to_mfn(void *unused, uint64_t pfn)
{
	return chunks_mfn(&chunks, pfn);
}

static void *__init pfn_to_page(void *unused, uint64_t pfn)
{
	return mfn_to_virt(chunks_mfn(&chunks, pfn));
}

/* As much as the plan says, in pieces as big as there are. Returns the number of pages got. */
static uint64_t __init allocate(struct domain *d, uint64_t pages)
{
	unsigned int order = MAX_CHUNK_ORDER;
	uint64_t got = 0;

	while (got < pages) {
		mfn_t mfn;

		order = min(order, highest_bit(pages - got));
		mfn = domain_alloc_frames(d, order, 0);
		if (mfn == INVALID_MFN) {
			if (order-- == 0)
				break;
			continue;
		}
		if (!chunks_add(&chunks, mfn, 1UL << order)) {
			printk(LOG_WARN "Memory is too fragmented to give dom0 more than %lu KiB\n",
			       got * 4);
			break;
		}
		m2p_set_range(mfn, got, 1UL << order);
		got += 1UL << order;
	}
	return got;
}

/* ---- contents ---- */

/* n bytes of src, or zeros if NULL, to a place given by byte from pfn 0 on. */
static void __init fill(uint64_t to, const uint8_t *src, size_t n)
{
	while (n) {
		uint64_t offset = to & (PAGE_SIZE - 1);
		size_t piece = min(n, (size_t)(PAGE_SIZE - offset));
		char *at = (char *)pfn_to_page(NULL, to >> PAGE_SHIFT) + offset;

		if (src) {
			memcpy(at, src, piece);
			src += piece;
		} else {
			memset(at, 0, piece);
		}
		to += piece;
		n -= piece;
	}
}

static uint64_t image_offset __initdata; /* of the image's first byte from pfn 0 on */

static void __init copy_segment(void *unused, uint64_t offset, const void *src, size_t filesz,
				size_t memsz)
{
	fill(image_offset + offset, src, filesz);
	fill(image_offset + offset + filesz, NULL, memsz - filesz);
}

static void __init write_p2m(const struct plan *p, uint64_t pages)
{
	const uint64_t per_page = PAGE_SIZE / sizeof(uint64_t);

	for (uint64_t pfn = 0; pfn < pages; pfn += per_page)
		chunks_list(&chunks, pfn, min(per_page, pages - pfn),
			    pfn_to_page(NULL, p->layout.p2m_pfn + pfn / per_page));
}

/* ---- what the kernel is told ---- */

static void __init describe_console(struct start_info *si)
{
	struct dom0_vga_console_info *vga = (struct dom0_vga_console_info *)(si + 1);

	if (boot_info.fb.type == 2) {
		vga->video_type = XEN_VGATYPE_TEXT_MODE_3;
		vga->u.text_mode_3.font_height = 16;
		vga->u.text_mode_3.rows = boot_info.fb.height;
		vga->u.text_mode_3.columns = boot_info.fb.width;
	} else if (boot_info.fb.type == 1) {
		vga->video_type = boot_info.efi ? XEN_VGATYPE_EFI_LFB : XEN_VGATYPE_VESA_LFB;
		vga->u.vesa_lfb.width = boot_info.fb.width;
		vga->u.vesa_lfb.height = boot_info.fb.height;
		vga->u.vesa_lfb.bytes_per_line = boot_info.fb.pitch;
		vga->u.vesa_lfb.bits_per_pixel = boot_info.fb.bpp;
		vga->u.vesa_lfb.lfb_base = (uint32_t)boot_info.fb.address;
		vga->u.vesa_lfb.ext_lfb_base = boot_info.fb.address >> 32;
		vga->u.vesa_lfb.lfb_size =
		    DIV_ROUND_UP((uint64_t)boot_info.fb.pitch * boot_info.fb.height, 65536);
		vga->u.vesa_lfb.red_pos = boot_info.fb.red_pos;
		vga->u.vesa_lfb.red_size = boot_info.fb.red_size;
		vga->u.vesa_lfb.green_pos = boot_info.fb.green_pos;
		vga->u.vesa_lfb.green_size = boot_info.fb.green_size;
		vga->u.vesa_lfb.blue_pos = boot_info.fb.blue_pos;
		vga->u.vesa_lfb.blue_size = boot_info.fb.blue_size;
	} else {
		return;
	}
	si->console.dom0.info_off = sizeof(*si);
	si->console.dom0.info_size = sizeof(*vga);
}

static void __init write_start_info(const struct plan *p, struct domain *d, uint64_t pages)
{
	struct start_info *si = pfn_to_page(NULL, p->layout.start_info_pfn);

	memset(si, 0, PAGE_SIZE);
	layout_describe(&p->layout, pages, si);
	si->shared_info = virt_to_phys(d->shared_info);
	si->flags |= SIF_PRIVILEGED | SIF_INITDOMAIN;
	if (copy_string((char *)si->cmd_line, boot_info.module[0].cmdline, sizeof(si->cmd_line)) >=
	    sizeof(si->cmd_line))
		printk(LOG_WARN "dom0's command line is cut after %zu characters\n",
		       sizeof(si->cmd_line) - 1);
	describe_console(si);
}

static void __init set_up_vcpu(const struct plan *p, struct vcpu *v)
{
	const struct layout *l = &p->layout;
	mfn_t root = pfn_to_mfn(NULL, l->pt_pfn);
	int rc;

	/* Interrupted only by soft interrupts that have nobody to switch to yet. */
	do {
		rc = pin_table(v->domain, root, PT_L4);
	} while (rc == -EINTR);
	if (!rc)
		rc = set_vcpu_root(v, root, false);
	if (rc)
		panic("dom0's page tables were refused: %d", rc);

	memset(&v->regs, 0, sizeof(v->regs));
	v->regs.rip = p->elf.notes.entry;
	v->regs.rsp = layout_virt(l, l->stack_pfn + 1);
	v->regs.rsi = layout_virt(l, l->start_info_pfn);
	v->regs.eflags = EFLAGS_IF | EFLAGS_FIXED;
	v->regs.cs = FLAT_KERNEL_CS;
	v->regs.ss = FLAT_KERNEL_SS;
	v->pv.kernel_mode = true;
	v->pv.kernel_ss = FLAT_KERNEL_SS;
	v->pv.kernel_sp = v->regs.rsp;
	v->initialised = true;
}

/* ---- all together ---- */

void *__init unpack_alloc(size_t size)
{
	return kzalloc(size);
}

void __init unpack_free(void *memory)
{
	kfree(memory);
}

/* An unpacked kernel, while the domain is built from it. */
struct unpacked {
	void *data; /* NULL: it was not packed */
	unsigned int order;
};

static const char *__init unpack_module(const void **data, size_t *size, struct unpacked *unpacked)
{
	struct packed packed;
	const char *error = unpack_find(*data, *size, &packed);

	if (error || !packed.format)
		return error;
	while ((PAGE_SIZE << unpacked->order) < packed.unpacked)
		unpacked->order++;
	unpacked->data = alloc_pages(unpacked->order, 0);
	if (!unpacked->data)
		return "there is too little memory for what its compressed data claim to unpack to";
	*data = unpacked->data;
	*size = packed.unpacked;
	return unpack(&packed, unpacked->data);
}

/* The first module as an ELF image. */
static void __init read_image(struct plan *p, struct unpacked *unpacked)
{
	const void *data = phys_to_virt(boot_info.module[0].start);
	size_t size = boot_info.module[0].size;
	const char *error = unpack_module(&data, &size, unpacked);

	if (!error)
		error = elf_parse(data, size, &p->elf);
	if (error)
		boot_fail("The first module cannot be dom0: %s", error);
	if (p->elf.notes.has_supported_features &&
	    !(p->elf.notes.supported_features >> XENFEAT_dom0 & 1))
		boot_fail(
		    "The first module cannot be dom0: its kernel was built without support for "
		    "being the first domain");
}

static void __init make_plan(struct plan *p)
{
	const char *error;

	p->pages = number_of_pages(&p->max_pages);
	if (PFN_UP(p->elf.virt_end - p->elf.notes.virt_base) >= p->pages)
		boot_fail(
		    "There is too little memory for dom0: its kernel needs %lu KiB and it would "
		    "get %lu KiB",
		    PFN_UP(p->elf.virt_end - p->elf.notes.virt_base) * 4, p->pages * 4);
	error = layout_plan(&p->layout, &p->elf, p->pages, p->ramdisk_size, false);
	if (error)
		boot_fail("The first module cannot be dom0: %s", error);
	if (p->layout.used_pfns > p->pages)
		boot_fail(
		    "There is too little memory for dom0: it needs %lu KiB and would get %lu KiB",
		    p->layout.used_pfns * 4, p->pages * 4);
}

static void __init fill_memory(struct plan *p, uint64_t pages)
{
	const struct layout_memory memory = {.mfn = pfn_to_mfn, .page = pfn_to_page};
	const struct layout *l = &p->layout;

	image_offset = p->elf.virt_start - l->base;
	elf_load(&p->elf, copy_segment, NULL);
	fill(l->ramdisk_pfn << PAGE_SHIFT, p->ramdisk, p->ramdisk_size);
	if (p->elf.notes.has_hypercall_page)
		hypercall_page_init(pfn_to_page(NULL, layout_pfn(l, p->elf.notes.hypercall_page)));
	write_p2m(p, pages);
	layout_build_tables(l, &memory);
	write_start_info(p, dom0, pages);
}

void __init build_dom0(void)
{
	static struct plan p __initbss;
	struct unpacked unpacked = {0};
	uint64_t got;

	if (boot_info.modules == 0)
		boot_fail("There is no module: the first one must be dom0's kernel");
	read_image(&p, &unpacked);
	if (boot_info.modules > 1) {
		p.ramdisk = phys_to_virt(boot_info.module[1].start);
		p.ramdisk_size = boot_info.module[1].size;
	}

	dom0 = domain_create(0, number_of_vcpus(), true);
	if (!dom0)
		boot_fail("There is too little memory for dom0's vCPUs");
	dom0->control_pauses = 0; /* its pause ends with the boot */
	dom0->has_vcpus = true;
	domain_publish(dom0);
	make_plan(&p);
	dom0->mm.max_pages = p.max_pages;
	got = allocate(dom0, p.pages);
	if (got < p.layout.used_pfns)
		boot_fail("There is too little memory for dom0: it needs %lu KiB and gets %lu KiB",
			  p.layout.used_pfns * 4, got * 4);
	fill_memory(&p, got);
	set_up_vcpu(&p, dom0->vcpu[0]);
	if (unpacked.data)
		free_pages_virt(unpacked.data, unpacked.order);
	printk(LOG_INFO "dom0: %s, %u vCPUs, %lu KiB, entry %#lx\n",
	       p.elf.notes.guest_os[0] ? p.elf.notes.guest_os : "a PV kernel", dom0->max_vcpus,
	       got * 4, p.elf.notes.entry);
}
