/* SPDX-License-Identifier: MIT */
/*
 * Multiboot2 information (specification 2.0, section 3.6): a list of tags, from which boot_info and
 * the memory map are filled. The list is a boot loader's, which is trusted not to lie but not to be
 * without faults: nothing is read beyond its end and each number is checked before it is used.
 */
#include "boot/boot.h"
#include "lib/lib.h"
#include "mm/mm.h"

enum {
	TAG_END = 0,
	TAG_CMDLINE = 1,
	TAG_LOADER = 2,
	TAG_MODULE = 3,
	TAG_BASIC_MEMORY = 4,
	TAG_MEMORY_MAP = 6,
	TAG_FRAMEBUFFER = 8,
	TAG_EFI32 = 11,
	TAG_EFI64 = 12,
	TAG_ACPI_OLD = 14,
	TAG_ACPI_NEW = 15,
	TAG_EFI_MEMORY_MAP = 17,
	TAG_EFI_RUNNING = 18,
};

struct tag {
	uint32_t type, size; /* size: this header and the data, without padding */
	uint8_t data[];
};

struct tag_module {
	uint32_t start, end;
	char cmdline[];
};

struct tag_memory_map {
	uint32_t entry_size, entry_version;
	uint8_t entries[];
};

struct memory_map_entry {
	uint64_t start, size;
	uint32_t type, reserved;
};

struct tag_framebuffer {
	uint64_t address;
	uint32_t pitch, width, height;
	uint8_t bpp, type;
	uint16_t reserved;
	uint8_t red_pos, red_size, green_pos, green_size, blue_pos, blue_size; /* if type is 1 */
};

#define RSDP_SIZE_OLD 20
#define RSDP_SIZE_NEW 36

/* What has been seen on the way through the tags. */
struct parser {
	struct boot_info *out;
	const struct tag *map, *efi_map, *basic, *rsdp_old, *rsdp_new;
};

struct boot_info boot_info;
struct efi_memory_descriptor efi_memory[MAX_EFI_MEMORY] __initbss;
unsigned int efi_memory_count __initdata;

/* Kept here because the information itself does not outlive the start. */
static uint8_t rsdp_copy[RSDP_SIZE_NEW] __attribute__((aligned(8)));

static size_t tag_len(const struct tag *t)
{
	return t->size - sizeof(*t);
}

/* Copy the string of len bytes at text, NUL included. False: it does not end, or dst is too small. */
static bool take_string(char *dst, size_t size, const void *text, size_t len)
{
	size_t n = strnlen(text, len);

	if (n == len || n >= size)
		return false;
	memcpy(dst, text, n + 1);
	return true;
}

/* Drop the first word if it is the one that GRUB's menu entries carry in place of a file name. */
static void drop_placeholder(char *s)
{
	static const char word[] = "placeholder";
	size_t n = sizeof(word) - 1;

	if (strncmp(s, word, n) != 0 || (s[n] != '\0' && s[n] != ' '))
		return;
	while (s[n] == ' ')
		n++;
	memmove(s, s + n, strlen(s + n) + 1);
}

static const char *parse_module(struct boot_info *out, const struct tag *t)
{
	struct boot_module *m = &out->module[out->modules];
	struct tag_module d;

	if (tag_len(t) < sizeof(d))
		return "the boot loader's description of a module is too short";
	memcpy(&d, t->data, sizeof(d));
	if (out->modules == MAX_BOOT_MODULES)
		return "there are more than 16 modules";
	if (d.end < d.start)
		return "a module ends before it starts";
	if (!take_string(m->cmdline, sizeof(m->cmdline), t->data + sizeof(d),
			 tag_len(t) - sizeof(d)))
		return "the command line of a module is longer than 1023 characters";
	drop_placeholder(m->cmdline);
	m->start = d.start;
	m->size = d.end - d.start;
	out->modules++;
	return NULL;
}

/* A framebuffer whose numbers do not fit together is left alone: the console has other ways. */
static void parse_framebuffer(struct boot_info *out, const struct tag *t)
{
	struct tag_framebuffer d = {0};

	memcpy(&d, t->data, min(tag_len(t), sizeof(d)));
	if (d.type > 2 || !d.address || !d.width || !d.height || d.width > 32768 ||
	    d.height > 32768)
		return;
	if (tag_len(t) < offsetof(struct tag_framebuffer, red_pos) + (d.type == 1 ? 6 : 0))
		return;
	if (d.type != 2 && (d.bpp < 8 || d.bpp > 32 || d.pitch < d.width * DIV_ROUND_UP(d.bpp, 8U)))
		return;
	if (d.type == 1 && (d.red_pos + d.red_size > d.bpp || d.green_pos + d.green_size > d.bpp ||
			    d.blue_pos + d.blue_size > d.bpp))
		return;
	if (d.address + (uint64_t)d.pitch * d.height < d.address)
		return;
	out->fb.address = d.address;
	out->fb.pitch = d.pitch;
	out->fb.width = d.width;
	out->fb.height = d.height;
	out->fb.bpp = d.bpp;
	out->fb.type = d.type;
	out->fb.red_pos = d.red_pos;
	out->fb.red_size = d.red_size;
	out->fb.green_pos = d.green_pos;
	out->fb.green_size = d.green_size;
	out->fb.blue_pos = d.blue_pos;
	out->fb.blue_size = d.blue_size;
}

static const char *parse_tag(struct parser *p, const struct tag *t)
{
	struct boot_info *out = p->out;

	switch (t->type) {
	case TAG_CMDLINE:
		if (!take_string(out->cmdline, sizeof(out->cmdline), t->data, tag_len(t)))
			return "the command line is longer than 2047 characters";
		drop_placeholder(out->cmdline);
		break;
	case TAG_LOADER: {
		size_t n = min(strnlen((const char *)t->data, tag_len(t)), sizeof(out->loader) - 1);

		memcpy(out->loader, t->data, n);
		out->loader[n] = '\0';
		break;
	}
	case TAG_MODULE:
		return parse_module(out, t);
	case TAG_BASIC_MEMORY:
		p->basic = t;
		break;
	case TAG_MEMORY_MAP:
		p->map = t;
		break;
	case TAG_FRAMEBUFFER:
		parse_framebuffer(out, t);
		break;
	case TAG_EFI64:
		if (tag_len(t) >= sizeof(out->efi_system_table))
			memcpy(&out->efi_system_table, t->data, sizeof(out->efi_system_table));
		out->efi = true;
		break;
	case TAG_EFI32:
		out->efi = true;
		break;
	case TAG_ACPI_OLD:
		p->rsdp_old = t;
		break;
	case TAG_ACPI_NEW:
		p->rsdp_new = t;
		break;
	case TAG_EFI_MEMORY_MAP:
		out->efi = true;
		p->efi_map = t;
		break;
	case TAG_EFI_RUNNING:
		return "the boot loader left the UEFI boot services running";
	default:
		break;
	}
	return NULL;
}

/* Entries of size entry_size at data, len bytes together: are they of a form that holds want bytes each? */
static bool entries_ok(size_t len, size_t entry_size, size_t want)
{
	return entry_size >= want && entry_size % 8 == 0 && len % entry_size == 0;
}

static const char too_many_ranges[] = "the memory map has more ranges than Cerne can hold";

static const char *parse_memory_map(const struct tag *t)
{
	struct tag_memory_map d;
	size_t len = tag_len(t);

	if (len < sizeof(d))
		return "the memory map is too short";
	memcpy(&d, t->data, sizeof(d));
	len -= sizeof(d);
	if (!entries_ok(len, d.entry_size, sizeof(struct memory_map_entry)))
		return "the memory map has entries of an odd size";
	for (size_t at = 0; at < len; at += d.entry_size) {
		struct memory_map_entry e;

		memcpy(&e, t->data + sizeof(d) + at, sizeof(e));
		if (!memory_map_add(e.start, e.size, e.type))
			return too_many_ranges;
	}
	return NULL;
}

/* UEFI specification 7.2, table "Memory Type Usage after ExitBootServices()". */
static uint32_t efi_memory_type(uint32_t type)
{
	switch (type) {
	case 1: /* loader code and data */
	case 2:
	case 3: /* boot services code and data */
	case 4:
	case 7: /* conventional */
		return E820_RAM;
	case 8:
		return E820_UNUSABLE;
	case 9:
		return E820_ACPI;
	case 10:
		return E820_NVS;
	default:
		return E820_RESERVED;
	}
}

/* UEFI's own map as it is, to efi_memory. */
static const char *take_efi_memory(const struct tag *t)
{
	struct tag_memory_map d; /* the same two words in front */
	size_t len = tag_len(t);

	if (len < sizeof(d))
		return "the UEFI memory map is too short";
	memcpy(&d, t->data, sizeof(d));
	len -= sizeof(d);
	if (!entries_ok(len, d.entry_size, sizeof(struct efi_memory_descriptor)))
		return "the UEFI memory map has entries of an odd size";
	if (len / d.entry_size > MAX_EFI_MEMORY)
		return too_many_ranges;
	for (size_t at = 0; at < len; at += d.entry_size)
		memcpy(&efi_memory[efi_memory_count++], t->data + sizeof(d) + at,
		       sizeof(efi_memory[0]));
	return NULL;
}

static const char *parse_efi_memory_map(void)
{
	for (unsigned int i = 0; i < efi_memory_count; i++) {
		const struct efi_memory_descriptor *e = &efi_memory[i];

		if (!memory_map_add(e->start, min(e->pages, UINT64_MAX >> PAGE_SHIFT) << PAGE_SHIFT,
				    efi_memory_type(e->type)))
			return too_many_ranges;
	}
	return NULL;
}

/* KiB from 0 on, and KiB from 1 MiB on up to the first hole. */
static const char *parse_basic_memory(const struct tag *t)
{
	uint32_t kib[2];

	if (tag_len(t) < sizeof(kib))
		return "the boot loader's memory sizes are too short";
	memcpy(kib, t->data, sizeof(kib));
	if (!memory_map_add(0, min(kib[0], 640U) * 1024UL, E820_RAM) ||
	    !memory_map_add(0x100000, kib[1] * 1024UL, E820_RAM))
		return too_many_ranges;
	return NULL;
}

static void take_rsdp(struct parser *p)
{
	const struct tag *t = p->rsdp_new ? p->rsdp_new : p->rsdp_old;

	if (!t || tag_len(t) < RSDP_SIZE_OLD || memcmp(t->data, "RSD PTR ", 8) != 0)
		return;
	memset(rsdp_copy, 0, sizeof(rsdp_copy));
	memcpy(rsdp_copy, t->data, min(tag_len(t), sizeof(rsdp_copy)));
	p->out->rsdp = virt_to_phys(rsdp_copy);
}

static const char *finish(struct parser *p)
{
	const char *error = p->efi_map ? take_efi_memory(p->efi_map) : NULL;

	take_rsdp(p);
	/* What is wrong with it matters if there is no other. */
	if (p->map)
		error = parse_memory_map(p->map);
	else if (p->efi_map)
		error = error ?: parse_efi_memory_map();
	else if (p->basic)
		error = parse_basic_memory(p->basic);
	else
		return "the boot loader gave no memory map";
	if (error)
		return error;
	for (unsigned int i = 0; i < memory_map_entries; i++) {
		if (memory_map[i].type == E820_RAM)
			return NULL;
	}
	return "the memory map has no RAM";
}

const char *multiboot2_parse(const void *info, size_t max, struct boot_info *out)
{
	struct parser p = {.out = out};
	uint32_t total, at = 8;

	memset(out, 0, sizeof(*out));
	out->fb.type = 0xff;
	memory_map_entries = 0;
	efi_memory_count = 0;
	if (max < 8)
		return "the boot loader's information is too short";
	memcpy(&total, info, sizeof(total));
	if (total < 16 || total > max)
		return "the boot loader's information has an impossible length";

	/* Invariant: at is a multiple of 8 and not above total. */
	while (total - at >= sizeof(struct tag)) {
		const struct tag *t = (const void *)((const char *)info + at);
		const char *error;

		if (t->size < sizeof(*t) || t->size > total - at)
			return "the boot loader's information is truncated";
		if (t->type == TAG_END)
			return finish(&p);
		error = parse_tag(&p, t);
		if (error)
			return error;
		if (ROUND_UP((uint64_t)t->size, 8) > total - at)
			break;
		at += ROUND_UP(t->size, 8U);
	}
	return "the boot loader's information has no end";
}
