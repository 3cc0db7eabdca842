/* SPDX-License-Identifier: MIT */
/* xen_version: every sub-operation, the feature words, bad pointers. */
#include "../test.h"

static bool terminated(const char *text, size_t size)
{
	for (size_t i = 0; i < size; i++)
		if (!text[i])
			return true;
	return false;
}

static bool contains(const char *text, const char *part)
{
	for (; *text; text++)
		if (strncmp(text, part, strlen(part)) == 0)
			return true;
	return false;
}

static void version(void)
{
	EXPECT(hypercall_xen_version(XENVER_version, NULL), 4 << 16 | 17);
	EXPECT(hypercall_xen_version(XENVER_version, (void *)NOT_CANONICAL), 4 << 16 | 17);
}

static void extraversion(void)
{
	xen_extraversion_t text;

	memset(text, 'x', sizeof(text));
	EXPECT(hypercall_xen_version(XENVER_extraversion, text), 0);
	EXPECT_TRUE(terminated(text, sizeof(text)));
	printk("extraversion %s\n", text);
}

static void compile_info(void)
{
	struct xen_compile_info info;

	memset(&info, 'x', sizeof(info));
	EXPECT(hypercall_xen_version(XENVER_compile_info, &info), 0);
	EXPECT_TRUE(terminated(info.compiler, sizeof(info.compiler)));
	EXPECT_TRUE(terminated(info.compile_by, sizeof(info.compile_by)));
	EXPECT_TRUE(terminated(info.compile_domain, sizeof(info.compile_domain)));
	EXPECT_TRUE(terminated(info.compile_date, sizeof(info.compile_date)));
}

static void capabilities(void)
{
	xen_capabilities_info_t text;

	memset(text, 'x', sizeof(text));
	EXPECT(hypercall_xen_version(XENVER_capabilities, text), 0);
	EXPECT_TRUE(terminated(text, sizeof(text)));
	EXPECT_TRUE(contains(text, "xen-3.0-x86_64"));
}

static void changeset(void)
{
	xen_changeset_info_t text;

	memset(text, 'x', sizeof(text));
	EXPECT(hypercall_xen_version(XENVER_changeset, text), 0);
	EXPECT_TRUE(terminated(text, sizeof(text)));
}

static void platform_parameters(void)
{
	struct xen_platform_parameters parameters = {0};

	EXPECT(hypercall_xen_version(XENVER_platform_parameters, &parameters), 0);
	EXPECT(parameters.virt_start, HYPERVISOR_VIRT_START);
}

static uint32_t feature_word(uint32_t index)
{
	struct xen_feature_info info = {.submap_idx = index};

	EXPECT(hypercall_xen_version(XENVER_get_features, &info), 0);
	EXPECT(info.submap_idx, index);
	return info.submap;
}

/* What is true of every 64-bit PV domain, and what never is. */
static void features(void)
{
	uint32_t word = feature_word(0);

	printk("features %#x\n", word);
	EXPECT_TRUE(word & 1u << XENFEAT_pae_pgdir_above_4gb);
	EXPECT_TRUE(word & 1u << XENFEAT_mmu_pt_update_preserve_ad);
	EXPECT(!!(word & 1u << XENFEAT_dom0), is_initial_domain());
	EXPECT(word & 1u << XENFEAT_auto_translated_physmap, 0);
	EXPECT(word & 1u << XENFEAT_hvm_callback_vector, 0);
	EXPECT(word & 1u << XENFEAT_writable_descriptor_tables, 0);
	EXPECT(word & 1u << XENFEAT_writable_page_tables, 0);
}

static void features_bad(void)
{
	struct xen_feature_info info = {.submap_idx = XENFEAT_NR_SUBMAPS};

	EXPECT(hypercall_xen_version(XENVER_get_features, &info), -EINVAL);
	info.submap_idx = ~0u;
	EXPECT(hypercall_xen_version(XENVER_get_features, &info), -EINVAL);
}

static void pagesize(void)
{
	EXPECT(hypercall_xen_version(XENVER_pagesize, NULL), PAGE_SIZE);
	EXPECT(hypercall_xen_version(XENVER_pagesize, (void *)8), -EINVAL);
}

static void handle(void)
{
	xen_domain_handle_t domain;

	memset(domain, 'x', sizeof(domain));
	EXPECT(hypercall_xen_version(XENVER_guest_handle, domain), 0);
	for (size_t i = 1; i < sizeof(domain); i++)
		if (domain[i] != 'x')
			return;
	EXPECT_TRUE(!"the handle was not written");
}

static void command_line(void)
{
	static xen_commandline_t text;

	memset(text, 'x', sizeof(text));
	EXPECT(hypercall_xen_version(XENVER_commandline, text), 0);
	EXPECT_TRUE(terminated(text, sizeof(text)));
	/* The scenarios boot every guest with this option. */
	EXPECT_TRUE(contains(text, "noreboot"));
}

/* An image without a build id says so; one with it tells the size when asked with no buffer. */
static void build_id(void)
{
	long result = hypercall_xen_version(XENVER_build_id, NULL);

	EXPECT_TRUE(result > 0 || result == -ENODATA || result == -ENOSYS);
}

static void bad_pointers(void)
{
	static const int commands[] = {
	    XENVER_extraversion, XENVER_compile_info, XENVER_capabilities,
	    XENVER_changeset,	 XENVER_get_features, XENVER_platform_parameters,
	    XENVER_guest_handle, XENVER_commandline,
	};

	for (size_t i = 0; i < COUNT_OF(commands); i++) {
		EXPECT(hypercall_xen_version(commands[i], (void *)NOT_MAPPED), -EFAULT);
		EXPECT(hypercall_xen_version(commands[i], (void *)OF_HYPERVISOR), -EFAULT);
		EXPECT(hypercall_xen_version(commands[i], (void *)NOT_CANONICAL), -EFAULT);
	}
}

static void unknown_commands(void)
{
	EXPECT(hypercall_xen_version(11, NULL), -ENOSYS);
	EXPECT(hypercall_xen_version(-1, NULL), -ENOSYS);
	EXPECT(hypercall_xen_version(12, NULL), -ENOSYS);
}

/* Numbers for which there is no call, the last one included. */
static void unknown_hypercalls(void)
{
	EXPECT(hypercall1(11, 0), -ENOSYS);
	EXPECT(hypercall1(47, 0), -ENOSYS);
	EXPECT(hypercall1(63, 0), -ENOSYS);
	EXPECT(hypercall1(127, 0), -ENOSYS);
}

/* Numbers that the page has no entry for, by `syscall` itself: all 64 bits of rax count. */
static void absurd_hypercalls(void)
{
	static const unsigned long numbers[] = {128,
						1000,
						1ul << 31,
						~0u,
						1ul << 32,
						1ul << 63,
						~0ul,
						(1ul << 32) + 17,
						0xffffffff00000011};

	for (size_t i = 0; i < COUNT_OF(numbers); i++) {
		unsigned long result = numbers[i];

		__asm__ volatile("syscall"
				 : "+a"(result)
				 : "D"(0), "S"(0)
				 : "rcx", "r11", "rdx", "r8", "r9", "r10", "memory");
		EXPECT(result, -ENOSYS);
	}
}

static const struct test tests[] = {
    {"version", version},
    {"extraversion", extraversion},
    {"compile_info", compile_info},
    {"capabilities", capabilities},
    {"changeset", changeset},
    {"platform_parameters", platform_parameters},
    {"features", features},
    {"features beyond the last word", features_bad},
    {"pagesize", pagesize},
    {"guest_handle", handle},
    {"commandline", command_line},
    {"build_id", build_id},
    {"bad pointers", bad_pointers},
    {"unknown commands", unknown_commands},
    {"unknown hypercalls", unknown_hypercalls},
    {"absurd hypercall numbers", absurd_hypercalls},
};

void guest_main(void)
{
	test_main("version", tests, COUNT_OF(tests));
}
