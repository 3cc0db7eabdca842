/* SPDX-License-Identifier: MIT */
// sources: hypervisor/boot/cmdline.c hypervisor/lib/number.c hypervisor/lib/string.c hypervisor/lib/format.c
// flags: -Dmemcpy=hv_memcpy -Dmemmove=hv_memmove -Dmemset=hv_memset -Dmemcmp=hv_memcmp -Dstrlen=hv_strlen -Dstrnlen=hv_strnlen -Dstrcmp=hv_strcmp -Dstrncmp=hv_strncmp -Dstrchr=hv_strchr -Dstrstr=hv_strstr
#include "unit.h"
#include "boot/boot.h"
#include "console/console.h"
#include "lib/errno.h"
#include "lib/lib.h"
#include "lib/option.h"

static bool noreboot, watchdog;
static unsigned int vcpus;
static uint64_t dom0_mem;
static char console[12];
static char custom[32];
static unsigned int custom_calls, second_calls;

static int parse_custom(const char *value)
{
	custom_calls++;
	copy_string(custom, value, sizeof(custom));
	return strcmp(value, "bad") == 0 ? -EINVAL : 0;
}

static int parse_second(const char *value)
{
	second_calls++;
	return 0;
}

static const struct option table[] = {
    {.name = "noreboot", .kind = OPTION_BOOL, .var = &noreboot, .help = "yes or no"},
    {.name = "watchdog", .kind = OPTION_BOOL, .var = &watchdog, .help = "yes or no"},
    {.name = "dom0_max_vcpus", .kind = OPTION_UINT, .var = &vcpus, .help = "a number"},
    {.name = "dom0_mem", .kind = OPTION_SIZE, .var = &dom0_mem, .help = "a size"},
    {.name = "console",
     .kind = OPTION_STRING,
     .var = console,
     .len = sizeof(console),
     .help = "names"},
    {.name = "custom", .kind = OPTION_CUSTOM, .parse = parse_custom, .help = "anything but bad"},
    {.name = "custom", .kind = OPTION_CUSTOM, .parse = parse_second, .help = "anything"},
};

/* What was printed since the last parse(). */
static char said[2048];

void printk(const char *fmt, ...)
{
	size_t n = strlen(said);
	va_list ap;

	va_start(ap, fmt);
	format_va(said + n, sizeof(said) - n, fmt, ap);
	va_end(ap);
}

static void parse(const char *cmdline)
{
	said[0] = '\0';
	option_parse_table(cmdline, table, ARRAY_SIZE(table));
}

static void quiet(const char *cmdline)
{
	parse(cmdline);
	assert_string_equal(said, "");
}

static void says(const char *cmdline, const char *want)
{
	parse(cmdline);
	assert_string_equal(said, want);
}

static int reset(void **state)
{
	noreboot = watchdog = false;
	vcpus = 0;
	dom0_mem = 0;
	console[0] = custom[0] = '\0';
	custom_calls = second_calls = 0;
	return 0;
}

static void test_nothing(void **state)
{
	quiet("");
	quiet("   \t ");
}

static void test_bool_forms(void **state)
{
	quiet("noreboot");
	assert_true(noreboot);
	quiet("noreboot=off");
	assert_false(noreboot);
	quiet("  watchdog=yes  ");
	assert_true(watchdog);
	quiet("no-watchdog");
	assert_false(watchdog);
	quiet("watchdog no-watchdog watchdog");
	assert_true(watchdog);
	says("noreboot=perhaps", LOG_WARN "noreboot=perhaps is malformed: yes or no\n");
	says("no-watchdog=1", LOG_WARN "unknown option 'no-watchdog=1'\n");
}

static void test_numbers(void **state)
{
	quiet("dom0_max_vcpus=4 dom0_mem=256M");
	assert_int_equal(vcpus, 4);
	assert_int_equal(dom0_mem, 256 << 20);
	quiet("dom0-max-vcpus=0x10");
	assert_int_equal(vcpus, 16);
	quiet("dom0_mem=100000");
	assert_int_equal(dom0_mem, 100000UL << 10);
	says("dom0_mem=lots", LOG_WARN "dom0_mem=lots is malformed: a size\n");
	says("dom0_mem=", LOG_WARN "dom0_mem= is malformed: a size\n");
	says("dom0_mem", LOG_WARN "dom0_mem is malformed: a size\n");
	says("dom0_mem=1Mx", LOG_WARN "dom0_mem=1Mx is malformed: a size\n");
	says("no-dom0_mem", LOG_WARN "no-dom0_mem is malformed: a size\n");
	says("dom0_max_vcpus=4294967296",
	     LOG_WARN "dom0_max_vcpus=4294967296 is malformed: a number\n");
	says("dom0_max_vcpus=-1", LOG_WARN "dom0_max_vcpus=-1 is malformed: a number\n");
	assert_int_equal(vcpus, 16);
	assert_int_equal(dom0_mem, 100000UL << 10);
}

static void test_strings(void **state)
{
	quiet("console=com1,vga");
	assert_string_equal(console, "com1,vga");
	quiet("console=a=b");
	assert_string_equal(console, "a=b");
	quiet("console=12345678901");
	says("console=123456789012", LOG_WARN "console=123456789012 is malformed: names\n");
	assert_string_equal(console, "12345678901");
	says("no-console", LOG_WARN "no-console is malformed: names\n");
	quiet("console=");
	assert_string_equal(console, "");
}

static void test_custom_forms(void **state)
{
	quiet("custom=x,y=z");
	assert_string_equal(custom, "x,y=z");
	quiet("custom");
	assert_string_equal(custom, "");
	quiet("no-custom");
	assert_string_equal(custom, "no");
	assert_int_equal(custom_calls, 3);
	assert_int_equal(second_calls, 3);
	says("custom=bad", LOG_WARN "custom=bad is malformed: anything but bad\n");
}

static void test_unknown(void **state)
{
	says("nonsense", LOG_WARN "unknown option 'nonsense'\n");
	says("nonsense=1", LOG_WARN "unknown option 'nonsense=1'\n");
	says("=", LOG_WARN "unknown option '='\n");
	says("=1", LOG_WARN "unknown option '=1'\n");
	says("no-", LOG_WARN "unknown option 'no-'\n");
	says("noreboo", LOG_WARN "unknown option 'noreboo'\n");
	says("noreboots", LOG_WARN "unknown option 'noreboots'\n");
	says("a noreboot b", LOG_WARN "unknown option 'a'\n" LOG_WARN "unknown option 'b'\n");
	assert_true(noreboot);
}

static void test_long_word(void **state)
{
	char line[600];

	memset(line, 'x', sizeof(line));
	copy_string(line + 500, " noreboot", sizeof(line) - 500);
	parse(line);
	assert_non_null(strstr(said, "500 characters"));
	assert_true(noreboot);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup(test_nothing, reset),
	    cmocka_unit_test_setup(test_bool_forms, reset),
	    cmocka_unit_test_setup(test_numbers, reset),
	    cmocka_unit_test_setup(test_strings, reset),
	    cmocka_unit_test_setup(test_custom_forms, reset),
	    cmocka_unit_test_setup(test_unknown, reset),
	    cmocka_unit_test_setup(test_long_word, reset),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
