/* SPDX-License-Identifier: MIT */
// sources: dom0-tools/xl/host_config.c dom0-tools/xl/config.c dom0-tools/xl/pool.c dom0-tools/xl/domain_config.c dom0-tools/xl/keys.c dom0-tools/xl/cpu_set.c dom0-tools/xl/device_config.c
/* xl.conf(5). */
#include "unit.h"
#include "xl/host_config.h"

static struct domain_defaults defaults;
static char said[1024];
static unsigned int errors, warnings;

static void say(struct report *report, const char *message)
{
	size_t used = strlen(said);

	snprintf(said + used, sizeof(said) - used, "%s\n", message);
}

static bool read_text(const char *text)
{
	struct report report = {.say = say};
	struct config config = {0};
	bool right;

	defaults = domain_defaults;
	said[0] = 0;
	assert_true(config_parse(&config, "xl.conf", text, strlen(text), &report));
	right = host_config_read(&defaults, &config, &report);
	config_free(&config);
	errors = report.errors;
	warnings = report.warnings;
	assert_int_equal(right, errors == 0);
	return right;
}

static void test_nothing(void **state)
{
	assert_true(read_text("# all as it is\n"));
	assert_string_equal(said, "");
	assert_memory_equal(&defaults, &domain_defaults, sizeof(defaults));
	assert_true(defaults.claim);
	assert_string_equal(defaults.bridge, "xenbr0");
}

static void test_all(void **state)
{
	assert_true(read_text("autoballoon=\"off\"\nclaim_mode=0\ndomid_policy='random'\n"
			      "max_grant_frames=64\nmax_maptrack_frames=0\nmax_grant_version=1\n"
			      "output_format='json'\nvif.default.bridge=\"lan\"\n"
			      "vm.cpumask=\"0-5\"\nvm.pv.cpumask=[\"2\",\"4-9\"]\n"));
	assert_string_equal(said, "");
	assert_false(defaults.claim);
	assert_true(defaults.random_domid);
	assert_int_equal(defaults.max_grant_frames, 64);
	assert_int_equal(defaults.max_maptrack_frames, 0);
	assert_int_equal(defaults.max_grant_version, 1);
	assert_string_equal(defaults.bridge, "lan");
	assert_true(defaults.has_cpus);
	assert_int_equal(defaults.cpus.bits[0], 0x34);
	assert_int_equal(defaults.cpus.bits[1], 0);
}

/* What does nothing here is said, with its line. */
static void test_warnings(void **state)
{
	assert_true(read_text(
	    "autoballoon=1\nlockfile='/x'\noutput_format='sxp'\nvm.hvm.cpumask='1'\nbridges=3\n"));
	assert_int_equal(warnings, 5);
	assert_non_null(strstr(said, "xl.conf:1: warning: autoballoon: "));
	assert_non_null(strstr(said, "xl.conf:2: warning: lockfile is not supported here"));
	assert_non_null(strstr(said, "xl.conf:3: warning: output_format: "));
	assert_non_null(strstr(said, "xl.conf:4: warning: vm.hvm.cpumask is not for PV"));
	assert_non_null(strstr(said, "xl.conf:5: warning: unknown key `bridges'"));
}

static void assert_wrong(const char *text, const char *message)
{
	assert_false(read_text(text));
	assert_int_equal(errors, 1);
	assert_string_equal(said, message);
}

static void test_mistakes(void **state)
{
	assert_wrong(
	    "claim_mode='yes'",
	    "xl.conf:1: claim_mode: expected a number, 0 for false, any other for true, found `yes'\n");
	assert_wrong(
	    "autoballoon='maybe'",
	    "xl.conf:1: autoballoon: expected \"off\", \"on\" or \"auto\", found `maybe'\n");
	assert_wrong("\nmax_grant_version=3",
		     "xl.conf:2: max_grant_version: expected a number from 1 to 2, found `3'\n");
	assert_wrong(
	    "max_grant_frames=99999999999999999999",
	    "xl.conf:1: max_grant_frames: expected a number, found `99999999999999999999'\n");
	assert_wrong("vif.default.bridge=''",
		     "xl.conf:1: vif.default.bridge: expected the name of a bridge, found `'\n");
	assert_wrong("vm.cpumask='1-2,^1,^2'",
		     "xl.conf:1: vm.cpumask: expected at least one CPU, found `'\n");
	assert_wrong("vm.cpumask=['1',['2']]",
		     "xl.conf:1: vm.cpumask: expected a string of CPUs, found `[...]'\n");
	assert_wrong(
	    "vm.cpumask='1';vm.pv.cpumask='2'",
	    "xl.conf:1: vm.pv.cpumask: expected a CPU that vm.cpumask allows, found `2'\n");
	assert_int_equal(defaults.cpus.bits[0], 2);
	/* The others are used. */
	assert_false(read_text("claim_mode=0;max_grant_version=0;vif.default.bridge='b'"));
	assert_string_equal(defaults.bridge, "b");
	assert_false(defaults.claim);
	assert_int_equal(defaults.max_grant_version, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_nothing),
	    cmocka_unit_test(test_all),
	    cmocka_unit_test(test_warnings),
	    cmocka_unit_test(test_mistakes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
