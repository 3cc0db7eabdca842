/* SPDX-License-Identifier: MIT */
/*
 * Builds the first domain from the first module, as public/xen.h describes the start of day. What the domain's
 * own page tables map, from the virtual base that the kernel's notes give:
 *
 *	pfn 0		the kernel, where its segments say
 *			the ramdisk (unless the kernel takes a frame number instead)
 *			the list of frames, pfn to mfn (unless the kernel names another address for it)
 *			start_info, with the console's description behind it
 *			page tables, read-only: the level-4 table first
 *			the stack
 *			at least 512 KiB more, up to a 4 MiB boundary
 *
 * Ramdisk and list that are not in there come next in the order of pfns. All of this is arithmetic that is done
 * before memory is allocated (plan()); then nothing but lack of memory can fail.
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
#include "mm/mm.h"
#include "pv/pv.h"
#include "time/time.h"
#include <public/features.h>

#define MAX_CHUNKS	1024
#define MAX_CHUNK_ORDER 18
#define REGION_ALIGN	(4UL << 20)
#define REGION_PADDING	(512UL << 10)
#define PTE_TABLE	(PTE_PRESENT | PTE_RW | PTE_USER | PTE_ACCESSED | PTE_DIRTY)
#define PTE_READ_ONLY	(PTE_PRESENT | PTE_USER | PTE_ACCESSED | PTE_DIRTY)

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
	const uint8_t *ramdisk;
	size_t ramdisk_size;
	uint64_t pages, max_pages;
	vaddr_t base, end; /* of the mapped region */
	/* in frames of the domain */
	uint64_t ramdisk_pfn, p2m_pfn, start_info_pfn, pt_pfn, stack_pfn, used_pfns;
	uint64_t p2m_pages, pt_pages;
	uint64_t p2m_pt_pfn, p2m_pt_pages; /* tables for a list at an address of its own */
	uint64_t next_pt_pfn;		   /* while tables are built */
	uint64_t *l4;
};

/* How many entries of a table whose entries span 2^shift bytes does a range need? */
static uint64_t __init spanned(vaddr_t start, vaddr_t end, unsigned int shift)
{
	return ((end - 1) >> shift) - (start >> shift) + 1;
}

static uint64_t __init tables_below_l4(vaddr_t start, vaddr_t end)
{
	return spanned(start, end, 21) + spanned(start, end, 30) + spanned(start, end, 39);
}

static uint64_t __init pfn_of(const struct plan *p, vaddr_t va)
{
	return (va - p->base) >> PAGE_SHIFT;
}

static void __init plan_region(struct plan *p)
{
	uint64_t pfn = PFN_UP(p->elf.virt_end - p->base);

	if (!p->elf.notes.mod_start_pfn_ok) {
		p->ramdisk_pfn = pfn;
		pfn += PFN_UP(p->ramdisk_size);
	}
	p->p2m_pages = PFN_UP(p->pages * sizeof(uint64_t));
	if (!p->elf.notes.has_init_p2m) {
		p->p2m_pfn = pfn;
		pfn += p->p2m_pages;
	}
	p->start_info_pfn = pfn++;
	p->pt_pfn = pfn;
	/* The tables are in the region that they map: grow until they fit. */
	for (p->pt_pages = 1;;) {
		uint64_t needed;

		p->stack_pfn = p->pt_pfn + p->pt_pages;
		p->end = p->base + ((p->stack_pfn + 1) << PAGE_SHIFT);
		p->end = ROUND_UP(p->end + REGION_PADDING, REGION_ALIGN);
		needed = 1 + tables_below_l4(p->base, p->end);
		if (needed == p->pt_pages || p->end < p->base) /* check_plan() refuses the latter */
			break;
		p->pt_pages = needed;
	}
}

static void __init plan_outside(struct plan *p)
{
	vaddr_t list = p->elf.notes.init_p2m;
	uint64_t pfn = pfn_of(p, p->end);

	if (p->elf.notes.mod_start_pfn_ok) {
		p->ramdisk_pfn = pfn;
		pfn += PFN_UP(p->ramdisk_size);
	}
	if (p->elf.notes.has_init_p2m) {
		p->p2m_pfn = pfn;
		p->p2m_pt_pfn = pfn + p->p2m_pages;
		p->p2m_pt_pages = tables_below_l4(list, list + (p->p2m_pages << PAGE_SHIFT));
		pfn = p->p2m_pt_pfn + p->p2m_pt_pages;
	}
	p->used_pfns = pfn;
}

/* Refuse what the arithmetic of the plan would wrap on or what nobody could ever run. */
static void __init check_plan(const struct plan *p)
{
	vaddr_t list = p->elf.notes.init_p2m, list_end = list + (p->p2m_pages << PAGE_SHIFT);

	if (p->end < p->base || (p->end > HV_VIRT_START && p->base < HV_VIRT_END) ||
	    !is_canonical(p->end - 1))
		boot_fail("The first module cannot be dom0: its segments leave no room below the "
			  "hypervisor's address range");
	if (p->elf.notes.has_init_p2m &&
	    (!guest_range_ok(list, list_end - list) || (list < p->end && p->base < list_end)))
		boot_fail(
		    "The first module cannot be dom0: its address for the frame list overlaps "
		    "its segments or the hypervisor");
	if (p->used_pfns > p->pages)
		boot_fail(
		    "There is too little memory for dom0: it needs %lu KiB and would get %lu KiB",
		    p->used_pfns * 4, p->pages * 4);
}

/* ---- memory ---- */

static struct {
	mfn_t mfn;
	uint64_t pfn, count;
} chunk[MAX_CHUNKS] __initdata;
static unsigned int chunks __initdata;

static mfn_t __init pfn_to_mfn(uint64_t pfn)
{
	static unsigned int last __initdata;

	/* Callers go upwards: nearly always the same chunk as before. */
	if (last >= chunks || pfn < chunk[last].pfn)
		last = 0;
	while (pfn - chunk[last].pfn >= chunk[last].count)
		last++;
	return chunk[last].mfn + pfn - chunk[last].pfn;
}

static void *__init pfn_to_page(uint64_t pfn)
{
	return mfn_to_virt(pfn_to_mfn(pfn));
}

/* Append frames to the domain; what follows on the chunk before joins it. */
static bool __init add_chunk(mfn_t mfn, uint64_t pfn, uint64_t count)
{
	if (chunks && chunk[chunks - 1].mfn + chunk[chunks - 1].count == mfn) {
		chunk[chunks - 1].count += count;
		return true;
	}
	if (chunks == MAX_CHUNKS)
		return false;
	chunk[chunks].mfn = mfn;
	chunk[chunks].pfn = pfn;
	chunk[chunks++].count = count;
	return true;
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
		if (!add_chunk(mfn, got, 1UL << order)) {
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
		char *at = (char *)pfn_to_page(to >> PAGE_SHIFT) + offset;

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

static void __init copy_segment(uint64_t offset, const void *src, size_t filesz, size_t memsz)
{
	fill(image_offset + offset, src, filesz);
	fill(image_offset + offset + filesz, NULL, memsz - filesz);
}

static void __init write_p2m(const struct plan *p, uint64_t pages)
{
	const uint64_t per_page = PAGE_SIZE / sizeof(uint64_t);
	unsigned int c = 0;

	for (uint64_t pfn = 0; pfn < pages;) {
		uint64_t *list = pfn_to_page(p->p2m_pfn + pfn / per_page);
		uint64_t end = min(pages, ROUND_UP(pfn + 1, per_page));

		while (pfn < end) {
			uint64_t stop = min(end, chunk[c].pfn + chunk[c].count);
			mfn_t mfn = chunk[c].mfn + pfn - chunk[c].pfn;

			while (pfn < stop)
				list[pfn++ % per_page] = mfn++;
			c += pfn == chunk[c].pfn + chunk[c].count;
		}
	}
}

/* ---- page tables ---- */

/* The table that entry refers to, made from the plan's next table page if there is none. */
static uint64_t *__init table_below(struct plan *p, uint64_t *entry)
{
	if (!(*entry & PTE_PRESENT)) {
		mfn_t mfn = pfn_to_mfn(p->next_pt_pfn++);

		memset(mfn_to_virt(mfn), 0, PAGE_SIZE);
		*entry = mfn << PAGE_SHIFT | PTE_TABLE;
	}
	return mfn_to_virt((*entry & PTE_ADDR_MASK) >> PAGE_SHIFT);
}

static bool __init is_table(const struct plan *p, uint64_t pfn)
{
	return (pfn >= p->pt_pfn && pfn < p->pt_pfn + p->pt_pages) ||
	       (pfn >= p->p2m_pt_pfn && pfn < p->p2m_pt_pfn + p->p2m_pt_pages);
}

static void __init map_range(struct plan *p, vaddr_t va, uint64_t pfn, uint64_t pages)
{
	uint64_t *l1 = NULL;

	for (; pages; pages--, pfn++, va += PAGE_SIZE) {
		if (!l1 || (va >> PAGE_SHIFT & 511) == 0) {
			uint64_t *l3 = table_below(p, &p->l4[va >> 39 & 511]);
			uint64_t *l2 = table_below(p, &l3[va >> 30 & 511]);

			l1 = table_below(p, &l2[va >> 21 & 511]);
		}
		l1[va >> PAGE_SHIFT & 511] =
		    pfn_to_mfn(pfn) << PAGE_SHIFT | (is_table(p, pfn) ? PTE_READ_ONLY : PTE_TABLE);
	}
}

static void __init build_tables(struct plan *p)
{
	p->next_pt_pfn = p->pt_pfn;
	p->l4 = pfn_to_page(p->next_pt_pfn++);
	memset(p->l4, 0, PAGE_SIZE);
	map_range(p, p->base, 0, pfn_of(p, p->end));
	if (p->elf.notes.has_init_p2m) {
		p->next_pt_pfn = p->p2m_pt_pfn;
		map_range(p, p->elf.notes.init_p2m, p->p2m_pfn, p->p2m_pages);
	}
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
	struct start_info *si = pfn_to_page(p->start_info_pfn);

	memset(si, 0, PAGE_SIZE);
	copy_string(si->magic, "xen-3.0-x86_64", sizeof(si->magic));
	si->nr_pages = pages;
	si->shared_info = virt_to_phys(d->shared_info);
	si->flags = SIF_PRIVILEGED | SIF_INITDOMAIN | SIF_VIRT_P2M_4TOOLS;
	si->pt_base = p->base + (p->pt_pfn << PAGE_SHIFT);
	si->nr_pt_frames = p->pt_pages;
	si->mfn_list = p->base + (p->p2m_pfn << PAGE_SHIFT);
	if (p->elf.notes.has_init_p2m) {
		si->mfn_list = p->elf.notes.init_p2m;
		si->first_p2m_pfn = p->p2m_pfn;
		si->nr_p2m_frames = p->p2m_pages + p->p2m_pt_pages;
	}
	if (p->ramdisk_size) {
		si->mod_len = p->ramdisk_size;
		si->mod_start = p->base + (p->ramdisk_pfn << PAGE_SHIFT);
		if (p->elf.notes.mod_start_pfn_ok) {
			si->mod_start = p->ramdisk_pfn;
			si->flags |= SIF_MOD_START_PFN;
		}
	}
	if (copy_string((char *)si->cmd_line, boot_info.module[0].cmdline, sizeof(si->cmd_line)) >=
	    sizeof(si->cmd_line))
		printk(LOG_WARN "dom0's command line is cut after %zu characters\n",
		       sizeof(si->cmd_line) - 1);
	describe_console(si);
}

static void __init set_up_vcpu(const struct plan *p, struct vcpu *v)
{
	mfn_t root = pfn_to_mfn(p->pt_pfn);
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
	v->regs.rsp = p->base + ((p->stack_pfn + 1) << PAGE_SHIFT);
	v->regs.rsi = p->base + (p->start_info_pfn << PAGE_SHIFT);
	v->regs.eflags = EFLAGS_IF | EFLAGS_FIXED;
	v->regs.cs = FLAT_KERNEL_CS;
	v->regs.ss = FLAT_KERNEL_SS;
	v->pv.kernel_mode = true;
	v->pv.kernel_ss = FLAT_KERNEL_SS;
	v->pv.kernel_sp = v->regs.rsp;
	v->initialised = true;
}

/* ---- all together ---- */

/* The first module as an ELF image; *unpacked is what to free afterwards, if anything. */
static void __init read_image(struct plan *p, void **unpacked, size_t *unpacked_size)
{
	const void *data = phys_to_virt(boot_info.module[0].start);
	size_t size = boot_info.module[0].size;
	const char *error = unpack_kernel(data, size, unpacked, unpacked_size);

	if (*unpacked) {
		data = *unpacked;
		size = *unpacked_size;
	}
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

void __init build_dom0(void)
{
	static struct plan p __initdata;
	void *unpacked;
	size_t unpacked_size = 0;
	uint64_t got;

	if (boot_info.modules == 0)
		boot_fail("There is no module: the first one must be dom0's kernel");
	read_image(&p, &unpacked, &unpacked_size);
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
	p.pages = number_of_pages(&p.max_pages);
	p.base = p.elf.notes.virt_base;
	if (PFN_UP(p.elf.virt_end - p.base) >= p.pages)
		boot_fail(
		    "There is too little memory for dom0: its kernel needs %lu KiB and it would "
		    "get %lu KiB",
		    PFN_UP(p.elf.virt_end - p.base) * 4, p.pages * 4);
	plan_region(&p);
	plan_outside(&p);
	check_plan(&p);
	dom0->mm.max_pages = p.max_pages;
	got = allocate(dom0, p.pages);
	if (got < p.used_pfns)
		boot_fail("There is too little memory for dom0: it needs %lu KiB and gets %lu KiB",
			  p.used_pfns * 4, got * 4);

	image_offset = p.elf.virt_start - p.base;
	elf_load(&p.elf, copy_segment);
	fill(p.ramdisk_pfn << PAGE_SHIFT, p.ramdisk, p.ramdisk_size);
	if (p.elf.notes.has_hypercall_page)
		hypercall_page_init(pfn_to_page(pfn_of(&p, p.elf.notes.hypercall_page)));
	write_p2m(&p, got);
	build_tables(&p);
	write_start_info(&p, dom0, got);
	set_up_vcpu(&p, dom0->vcpu[0]);
	if (unpacked)
		unpack_free(unpacked, unpacked_size);
	printk(LOG_INFO "dom0: %s, %u vCPUs, %lu KiB, entry %#lx\n",
	       p.elf.notes.guest_os[0] ? p.elf.notes.guest_os : "a PV kernel", dom0->max_vcpus,
	       got * 4, p.elf.notes.entry);
}
