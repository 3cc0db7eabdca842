/* SPDX-License-Identifier: MIT */
// sources: dom0-tools/net/address_parse.c
/* What may be said about dom0's own address, and what may not. */
#include "unit.h"
#include "net/address.h"

static struct address_config config;
static char error[160];

static bool parse(const char *text)
{
	return address_parse(text, &config, error, sizeof(error));
}

static uint32_t network_order(unsigned int a, unsigned int b, unsigned int c, unsigned int d)
{
	return a | b << 8 | c << 16 | d << 24;
}

static void test_good(void **state)
{
	assert_true(parse("dhcp"));
	assert_true(config.dhcp && !config.address && !config.bridge[0]);
	assert_true(parse("  dhcp,bridge=xenbr1\n"));
	assert_string_equal(config.bridge, "xenbr1");
	assert_true(parse("# ours\n10.0.2.9/24 gw=10.0.2.2\ndns=10.0.2.3 # the router\n"));
	assert_false(config.dhcp);
	assert_int_equal(config.address, network_order(10, 0, 2, 9));
	assert_int_equal(config.mask, network_order(255, 255, 255, 0));
	assert_int_equal(config.gateway, network_order(10, 0, 2, 2));
	assert_int_equal(config.dns, network_order(10, 0, 2, 3));
	assert_true(parse("192.168.255.1/17"));
	assert_int_equal(config.mask, network_order(255, 255, 128, 0));
}

static void test_bad(void **state)
{
	static const char *const texts[] = {
	    "",
	    "gw=10.0.0.1",
	    "dhcp 10.0.0.1/24",
	    "10.0.0.1",
	    "10.0.0.1/",
	    "10.0.0.1/0",
	    "10.0.0.1/31",
	    "10.0.0.1/24x",
	    "10.0.0.1/-24",
	    "10.0.0/24",
	    "10.0.0.256/24",
	    "10.0.0.1.2/24",
	    "10..0.1/24",
	    "0010.0.0.1/24",
	    "0.0.0.0/8",
	    "127.0.0.1/8",
	    "224.0.0.1/24",
	    "dhcp gw=",
	    "dhcp gw=10.0.0",
	    "dhcp dns=10.0.0.1/24",
	    "dhcp bridge=",
	    "dhcp bridge=0123456789abcdef",
	    "dhcpx",
	    "10.0.0.1/24 gw=10.0.1.1",
	    "0123456789012345678901234567890123456789012345678901234567890123456789 dhcp",
	};

	for (unsigned int i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		error[0] = 0;
		assert_false(parse(texts[i]));
		assert_true(strlen(error) > 20);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_good), cmocka_unit_test(test_bad)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
