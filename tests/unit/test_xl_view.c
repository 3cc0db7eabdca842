/* SPDX-License-Identifier: MIT */
// sources: dom0-tools/xl/view.c dom0-tools/xl/view_device.c dom0-tools/xl/view_info.c dom0-tools/xl/view_config.c dom0-tools/xl/json.c dom0-tools/xl/config.c dom0-tools/xl/pool.c dom0-tools/xl/domain_config.c dom0-tools/xl/keys.c dom0-tools/xl/cpu_set.c dom0-tools/xl/device_config.c
/* What the commands print, to the letter: people and scripts know these columns. */
#include "unit.h"
#include "xl/view.h"
#include <public/sched.h>

static char *shown;
static size_t shown_size;

static FILE *begin(void)
{
	free(shown);
	shown = NULL;
	return open_memstream(&shown, &shown_size);
}

static void assert_shown(FILE *to, const char *expected)
{
	fclose(to);
	assert_string_equal(shown, expected);
}

static struct domain_view some[] = {
    {.domid = 0,
     .name = "Domain-0",
     .memory_kib = 65536,
     .max_memory_kib = ~0ull >> 10,
     .vcpus = 1,
     .max_vcpus = 1,
     .running = true,
     .cpu_time = 11794300000000},
    {.domid = 7,
     .name = "web",
     .uuid = {0xb9, 0xde, 0xb4, 0xf0, 0x64, 0xb1, 0x4a, 0x16, 0xb1, 0xf4, 0x2b, 0x1d, 0x3a, 0x70,
	      0xba, 0x2e},
     .memory_kib = 131068,
     .outstanding_kib = 4,
     .max_memory_kib = 131072,
     .vcpus = 2,
     .max_vcpus = 4,
     .shutdown = true,
     .reason = SHUTDOWN_crash,
     .cpu_time = 250000000},
};

static void test_states(void **state)
{
	struct domain_view d = {.blocked = true};
	char text[7];

	view_state(&d, text);
	assert_string_equal(text, "-b----");
	d = (struct domain_view){.paused = true};
	view_state(&d, text);
	assert_string_equal(text, "--p---");
	d = (struct domain_view){.shutdown = true, .reason = SHUTDOWN_poweroff};
	view_state(&d, text);
	assert_string_equal(text, "---s--");
	d.reason = SHUTDOWN_crash;
	view_state(&d, text);
	assert_string_equal(text, "---sc-");
	d = (struct domain_view){.dying = true};
	view_state(&d, text);
	assert_string_equal(text, "-----d");
	d = (struct domain_view){.running = true, .reason = SHUTDOWN_crash};
	view_state(&d, text);
	assert_string_equal(text, "r-----");
}

static void test_list(void **state)
{
	struct list_options plain = {0}, verbose = {.verbose = true},
			    with_claims = {.claimed = true};
	struct domain_view claimed = {.domid = 2,
				      .name = "OL5",
				      .memory_kib = 1201 << 10,
				      .outstanding_kib = 847 << 10,
				      .paused = true};
	FILE *to = begin();

	view_list(to, some, 2, &plain);
	assert_shown(
	    to,
	    "Name                                        ID   Mem VCPUs\tState\tTime(s)\n"
	    "Domain-0                                     0    64     1     r-----   11794.3\n"
	    "web                                          7   128     2     ---sc-       0.2\n");
	to = begin();
	view_list(to, &claimed, 1, &with_claims);
	assert_shown(
	    to,
	    "Name                                        ID   Mem VCPUs\tState\tTime(s)  Claimed\n"
	    "OL5                                          2  2048     0     --p---       0.0      847\n");
	to = begin();
	view_list(to, some + 1, 1, &verbose);
	assert_shown(
	    to,
	    "Name                                        ID   Mem VCPUs\tState\tTime(s)   UUID                "
	    "            Reason-Code\tSecurity Label\n"
	    "web                                          7   128     2     ---sc-       0.2 "
	    "b9deb4f0-64b1-4a16-b1f4-2b1d3a70ba2e        3                -\n");
}

static void test_vm_list(void **state)
{
	FILE *to = begin();

	view_vm_list(to, some, 2);
	assert_shown(to, "UUID                                  ID    name\n"
			 "b9deb4f0-64b1-4a16-b1f4-2b1d3a70ba2e  7     web\n");
	to = begin();
	view_vm_list_json(to, some, 2);
	assert_shown(
	    to,
	    "[\n    {\n        \"uuid\": \"b9deb4f0-64b1-4a16-b1f4-2b1d3a70ba2e\",\n        \"domid\": 7,\n"
	    "        \"name\": \"web\"\n    }\n]\n");
}

static void test_vcpus(void **state)
{
	struct vcpu_view up = {.vcpu = 0,
			       .online = true,
			       .running = true,
			       .cpu = 3,
			       .cpu_time = 12300000000},
			 down = {.vcpu = 1};
	struct cpu_set online;
	FILE *to = begin();

	cpu_set_first(&online, 4);
	cpu_set_all(&up.hard);
	cpu_set_first(&up.soft, 2);
	down.hard = down.soft = online;
	view_vcpu_header(to);
	view_vcpu(to, &some[1], &up, &online);
	view_vcpu(to, &some[1], &down, &online);
	assert_shown(
	    to,
	    "Name                                ID  VCPU   CPU State   Time(s) Affinity (Hard / Soft)\n"
	    "web                                  7     0     3   r--      12.3  all / 0-1\n"
	    "web                                  7     1     -   --p       0.0  all / all\n");
}

static void test_uptime(void **state)
{
	FILE *to = begin();

	view_uptime_header(to);
	view_uptime(to, &some[0], 16 * 86400 + 3 * 3600 + 29 * 60 + 20);
	view_uptime(to, &some[1], 86400 + 59);
	view_uptime(to, &some[1], 61);
	assert_shown(to, "Name                                ID Uptime\n"
			 "Domain-0                             0 16 days,  3:29:20\n"
			 "web                                  7 1 day,  0:00:59\n"
			 "web                                  7  0:01:01\n");
}

static void test_top(void **state)
{
	uint64_t before[] = {11793300000000, 0};
	struct top_view top = {.version = "4.17.0",
			       .time = "12:34:56",
			       .total_kib = 524288,
			       .free_kib = 100000,
			       .cpus = 2,
			       .cpu_khz = 2400123,
			       .domains = some,
			       .cpu_before = before,
			       .elapsed = 2000000000,
			       .count = 2};
	FILE *to = begin();

	view_top(to, &top, "\n");
	assert_shown(
	    to,
	    "xentop - 12:34:56   Xen 4.17.0\n"
	    "2 domains: 1 running, 0 blocked, 0 paused, 1 crashed, 0 dying, 0 shutdown\n"
	    "Mem: 524288k total, 424288k used, 100000k free    CPUs: 2 @ 2400MHz\n"
	    "      NAME  STATE   CPU(sec) CPU(%)     MEM(k) MEM(%)  MAXMEM(k) MAXMEM(%) VCPUS\n"
	    "  Domain-0 r-----      11794   50.0      65536   12.5   no limit       n/a     1\n"
	    "       web ---sc-          0   12.5     131068   24.9     131072      25.0     2\n");
	to = begin();
	top.rows = 1;
	top.cpu_before = NULL;
	view_top(to, &top, "|");
	fclose(to);
	assert_null(strstr(shown, "web"));
	assert_non_null(strstr(shown, "11794    0.0 "));
	assert_null(strchr(shown, '\n'));
}

static void test_info(void **state)
{
	struct info_view info = {.host = "cerne",
				 .machine = "x86_64",
				 .cpus = 2,
				 .cpu_khz = 2400123,
				 .pv = true,
				 .grants_v1 = true,
				 .total_kib = 524288,
				 .free_kib = 65536,
				 .major = 4,
				 .minor = 17,
				 .extra = ".0-cerne",
				 .page_size = 4096,
				 .virt_start = 0xffff800000000000};
	FILE *to = begin();

	view_info(to, &info);
	fclose(to);
	assert_non_null(strstr(shown, "host                   : cerne\n"));
	assert_non_null(strstr(shown, "cpu_mhz                : 2400.123\n"));
	assert_non_null(strstr(shown, "virt_caps              : pv gnttab-v1\n"));
	assert_non_null(
	    strstr(shown, "total_memory           : 512\nfree_memory            : 64\n"));
	assert_non_null(strstr(shown, "xen_version            : 4.17.0-cerne\n"));
	assert_non_null(strstr(shown, "platform_params        : virt_start=0xffff800000000000\n"));
	to = begin();
	view_info_json(to, &info);
	fclose(to);
	assert_non_null(strstr(shown, "    \"nr_cpus\": 2,\n"));
	assert_non_null(strstr(shown, "    \"virt_caps\": {\n        \"pv\": true,\n"));
}

static void test_json(void **state)
{
	struct json json;
	FILE *to = begin();

	json_start(&json, to);
	json_object(&json, NULL);
	json_array(&json, "empty");
	json_end(&json);
	json_object(&json, "nothing");
	json_end(&json);
	json_string(&json, "t\"x", "a\"b\\c\n\x01\x7f");
	json_string(&json, "utf8", "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80");
	json_string(&json, "bad", "\xff\xc0\x80\xed\xa0\x80|\xe2\x82");
	json_string(&json, "none", NULL);
	json_array(&json, "n");
	json_unsigned(&json, NULL, UINT64_MAX);
	json_signed(&json, NULL, INT64_MIN);
	json_thousandths(&json, NULL, 12007);
	json_boolean(&json, NULL, false);
	json_end(&json);
	json_end(&json);
	assert_shown(
	    to,
	    "{\n    \"empty\": [],\n    \"nothing\": {},\n    \"t\\\"x\": \"a\\\"b\\\\c\\n\\u0001\x7f\",\n"
	    "    \"utf8\": \"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\",\n"
	    "    \"bad\": \"\\ufffd\\ufffd\\ufffd\\ufffd\\ufffd\\ufffd|\\ufffd\\ufffd\",\n"
	    "    \"none\": null,\n    \"n\": [\n        18446744073709551615,\n"
	    "        -9223372036854775808,\n        12.007,\n        false\n    ]\n}\n");
	to = begin();
	json_start(&json, to);
	json_array(&json, NULL);
	json_end(&json);
	assert_shown(to, "[]\n");
}

static void quiet(struct report *report, const char *message)
{
}

/* The whole of the long form is JSON that another parser takes; what it holds is checked by pieces. */
static void test_long(void **state)
{
	static const char text[] =
	    "name='web';kernel='/k';vcpus=2;maxvcpus=4;cpus='1-2';memory=64;extra='a b'\n"
	    "irqs=[8];ioports=['70-71'];iomem=['a0,20']\n"
	    "vif=['mac=00:16:3e:00:00:0a,bridge=br0'];disk=['/a,,xvda,ro']\n"
	    "on_crash='rename-restart'\n";
	struct report report = {.say = quiet};
	struct domain_config domain;
	struct config config = {0};
	struct json json;
	FILE *to = begin();

	assert_true(config_parse(&config, "f", text, strlen(text), &report));
	assert_true(domain_config_read(&domain, &config, &report));
	json_start(&json, to);
	json_array(&json, NULL);
	view_long_json(&json, &some[0], NULL);
	view_long_json(&json, &some[1], &domain);
	json_end(&json);
	fclose(to);
	assert_non_null(strstr(
	    shown, "        \"domid\": 0,\n        \"config\": {\n            \"c_info\": {\n"
		   "                \"type\": \"pv\",\n                \"name\": \"Domain-0\",\n"));
	assert_non_null(
	    strstr(shown, "\"avail_vcpus\": [\n                    0,\n                    1\n"));
	assert_non_null(strstr(shown, "\"target_memkb\": 65536,\n"));
	assert_non_null(strstr(shown, "\"first\": 112,\n                        \"number\": 2\n"));
	assert_non_null(strstr(shown, "\"irqs\": [\n                    8\n"));
	assert_non_null(strstr(shown, "\"start\": 160,\n                        \"number\": 32\n"));
	assert_non_null(strstr(shown, "\"ramdisk\": null,\n"));
	assert_non_null(strstr(shown, "\"mac\": \"00:16:3e:00:00:0a\",\n"));
	assert_non_null(strstr(shown, "\"pdev_path\": \"/a\",\n"));
	assert_non_null(strstr(shown, "\"on_crash\": \"rename_restart\",\n"));
	domain_config_free(&domain);
	config_free(&config);
}

/* A name that a guest could not have, but that must not break the form. */
static void test_hostile_name(void **state)
{
	struct domain_view d = {.domid = 1, .name = "a\",\"b\n\xff"};
	FILE *to = begin();

	view_list_json(to, &d, 1);
	fclose(to);
	assert_non_null(strstr(shown, "\"name\": \"a\\\",\\\"b\\n\\ufffd\",\n"));
}

static int teardown(void **state)
{
	free(shown);
	return 0;
}

static const struct device_view disk_view = {
    .kind = DEVICE_DISK,
    .number = 51712,
    .domid = 7,
    .name = "xvda",
    .target = "/a.img",
    .sectors = "2048",
    .back = "/local/domain/0/backend/vbd/7/51712",
    .state = 4,
    .port = 14,
    .ring = 8,
};
static const struct device_view vif_view = {
    .kind = DEVICE_NETWORK,
    .number = 1,
    .domid = 7,
    .name = "00:16:3e:01:02:03",
    .target = "xenbr0",
    .back = "/local/domain/0/backend/vif/7/1",
    .state = 2,
    .port = -1,
    .ring = -1,
    .ring_rx = -1,
};

static void test_devices(void **state)
{
	struct json json;
	FILE *to = begin();

	view_device_header(to, DEVICE_DISK);
	view_device(to, &disk_view);
	assert_shown(
	    to, "Vdev  BE  handle state evt-ch ring-ref BE-path\n"
		"51712 0   7      4     14     8        /local/domain/0/backend/vbd/7/51712\n");
	to = begin();
	view_device_header(to, DEVICE_NETWORK);
	view_device(to, &vif_view);
	assert_shown(to, "Idx BE Mac Addr.         handle state evt-ch   tx-/rx-ring-ref BE-path\n"
			 "1   0  00:16:3e:01:02:03      1     2     -1    -1/-1          "
			 "/local/domain/0/backend/vif/7/1\n");
	to = begin();
	json_start(&json, to);
	json_array(&json, NULL);
	view_device_json(&json, &disk_view);
	view_device_json(&json, &vif_view);
	json_end(&json);
	fclose(to);
	assert_non_null(strstr(shown, "\"devid\": 51712"));
	assert_non_null(strstr(shown, "\"state\": \"connected\""));
	assert_non_null(strstr(shown, "\"sectors\": 2048"));
	assert_non_null(strstr(shown, "\"state\": \"initwait\""));
	assert_non_null(strstr(shown, "\"rref_rx\": -1"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_devices),	 cmocka_unit_test(test_states),
	    cmocka_unit_test(test_list),	 cmocka_unit_test(test_vm_list),
	    cmocka_unit_test(test_vcpus),	 cmocka_unit_test(test_uptime),
	    cmocka_unit_test(test_top),		 cmocka_unit_test(test_info),
	    cmocka_unit_test(test_json),	 cmocka_unit_test(test_long),
	    cmocka_unit_test(test_hostile_name),
	};

	return cmocka_run_group_tests(tests, NULL, teardown);
}
