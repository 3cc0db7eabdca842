/* SPDX-License-Identifier: MIT */
// sources: pv-drivers/net_back_store.c pv-drivers/net_mac.c guest/format.c
// flags: -Itests/unit/include/fake-guest -Iguest/include
/* What the back half reads in the store, from toolstacks and from front halves that write what they like. */
#include "unit.h"
#include <public/errno.h>
#include <pv-drivers/net_back_store.h>

bool (*host_wait)(void);

/* Names and values of both directories, ended by NULL. */
static const char *const *own_keys;
static const char *const *other_keys;
static unsigned int offered;

static const char *find(const char *const *keys, const char *name)
{
	for (; *keys; keys += 2)
		if (!strcmp(keys[0], name))
			return keys[1];
	return NULL;
}

long xs_read(struct xs *xs, xs_transaction t, const char *path, char *value, size_t size)
{
	const char *found = find(own_keys, strrchr(path, '/') + 1);

	assert_true(!strncmp(path, "backend/vif/7/0/", 16));
	if (!found)
		return -XEN_ENOENT;
	if (strlen(found) >= size)
		return -XEN_ERANGE;
	strcpy(value, found);
	return (long)strlen(found);
}

long xenbus_read_other_number(struct xenbus_device *device, const char *name, uint64_t *number)
{
	const char *found = find(other_keys, name);
	char *end;

	if (!found)
		return -XEN_ENOENT;
	*number = strtoull(found, &end, 10);
	return *end || end == found ? -XEN_EINVAL : 0;
}

long xenbus_printf(struct xenbus_device *device, xs_transaction t, const char *name,
		   const char *format, ...)
{
	offered++;
	return 0;
}

static struct xenbus_device bus = {.own = "backend/vif/7/0", .other_domain = 7};
static struct net_back_config config;
static struct net_back_front front;
static const char *why;

static long read_config(const char *const *keys)
{
	own_keys = keys;
	return net_back_read_config(&bus, &config, &why);
}

static void test_config(void **state)
{
	assert_int_equal(read_config((const char *[]){"mac", "00:16:3E:aa:01:fF", NULL}), 0);
	assert_memory_equal(config.mac, "\x00\x16\x3e\xaa\x01\xff", 6);
	assert_int_equal(config.mtu, 1500);
	assert_int_equal(config.rate_bytes, 0);
	assert_int_equal(read_config((const char *[]){"mac", "00:16:3e:aa:01:02", "rate",
						      "125000,50000", "mtu", "9000", NULL}),
			 0);
	assert_int_equal(config.rate_bytes, 125000);
	assert_int_equal(config.rate_nanoseconds, 50000000);
	assert_int_equal(config.mtu, 9000);
}

static void test_bad_config(void **state)
{
	static const char *const macs[] = {"",
					   "00:16:3e:aa:01",
					   "00:16:3e:aa:01:02:03",
					   "00-16-3e-aa-01-02",
					   "01:16:3e:aa:01:02",
					   "00:16:3e:aa:01:0g",
					   "0:16:3e:aa:01:02",
					   "00:16:3e:aa:01:02 "};
	static const char *const rates[] = {"1",
					    "1,",
					    ",1",
					    "1,2,3",
					    "x,1",
					    "1 ,2",
					    "-1,2",
					    "99999999999999999999,1",
					    "1,99999999999999999"};
	static const char *const mtus[] = {"67", "65536", "x", "1500x", "-1"};

	assert_int_equal(read_config((const char *[]){NULL}), -XEN_EINVAL);
	for (unsigned int i = 0; i < sizeof(macs) / sizeof(macs[0]); i++)
		assert_int_equal(read_config((const char *[]){"mac", macs[i], NULL}), -XEN_EINVAL);
	for (unsigned int i = 0; i < sizeof(rates) / sizeof(rates[0]); i++)
		assert_int_equal(read_config((const char *[]){"mac", "00:16:3e:aa:01:02", "rate",
							      rates[i], NULL}),
				 -XEN_EINVAL);
	for (unsigned int i = 0; i < sizeof(mtus) / sizeof(mtus[0]); i++)
		assert_int_equal(
		    read_config((const char *[]){"mac", "00:16:3e:aa:01:02", "mtu", mtus[i], NULL}),
		    -XEN_EINVAL);
}

static long read_front(const char *const *keys)
{
	other_keys = keys;
	return net_back_read_front(&bus, 4, &front, &why);
}

static void test_front(void **state)
{
	/* As Linux writes it. */
	assert_int_equal(read_front((const char *[]){
			     "tx-ring-ref", "9", "rx-ring-ref", "10", "event-channel-tx", "20",
			     "event-channel-rx", "21", "request-rx-copy", "1", "feature-sg", "1",
			     "feature-gso-tcpv4", "1", "feature-ipv6-csum-offload", "1", NULL}),
			 0);
	assert_int_equal(front.domain, 7);
	assert_int_equal(front.queues, 1);
	assert_int_equal(front.queue[0].tx, 9);
	assert_int_equal(front.queue[0].rx, 10);
	assert_int_equal(front.queue[0].tx_event, 20);
	assert_int_equal(front.queue[0].rx_event, 21);
	assert_true(front.scatter && front.checksum_ipv4 && front.checksum_ipv6 && front.gso_tcpv4);
	assert_false(front.gso_tcpv6 || front.multicast_control);
	/* One channel; an older one that takes nothing. */
	assert_int_equal(read_front((const char *[]){"tx-ring-ref", "9", "rx-ring-ref", "10",
						     "event-channel", "20", "request-rx-copy", "1",
						     "feature-no-csum-offload", "1", NULL}),
			 0);
	assert_int_equal(front.queue[0].rx_event, 20);
	assert_false(front.scatter || front.checksum_ipv4);
	assert_int_equal(read_front((const char *[]){
			     "multi-queue-num-queues", "2", "queue-0/tx-ring-ref", "1",
			     "queue-0/rx-ring-ref", "2", "queue-0/event-channel", "3",
			     "queue-1/tx-ring-ref", "4", "queue-1/rx-ring-ref", "5",
			     "queue-1/event-channel", "6", "request-rx-copy", "1", NULL}),
			 0);
	assert_int_equal(front.queues, 2);
	assert_int_equal(front.queue[1].rx, 5);
}

static void test_bad_front(void **state)
{
	static const char *const bad[][10] = {
	    {"request-rx-copy", "0"},
	    {"request-rx-copy", "1"},
	    {"request-rx-copy", "1", "tx-ring-ref", "4294967296", "rx-ring-ref", "1",
	     "event-channel", "1"},
	    {"request-rx-copy", "1", "tx-ring-ref", "1", "rx-ring-ref", "x", "event-channel", "1"},
	    {"request-rx-copy", "1", "tx-ring-ref", "1", "rx-ring-ref", "2"},
	    {"request-rx-copy", "1", "tx-ring-ref", "1", "rx-ring-ref", "2", "event-channel-tx",
	     "3"},
	    {"request-rx-copy", "1", "multi-queue-num-queues", "0"},
	    {"request-rx-copy", "1", "multi-queue-num-queues", "5"},
	    {"request-rx-copy", "1", "multi-queue-num-queues", "18446744073709551615"},
	    {"request-rx-copy", "1", "multi-queue-num-queues", "x"},
	    {"request-rx-copy", "1", "multi-queue-num-queues", "2", "tx-ring-ref", "1",
	     "rx-ring-ref", "2"},
	};

	for (unsigned int i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		why = NULL;
		assert_true(read_front(bad[i]) < 0);
		assert_non_null(why);
	}
}

static void test_offer(void **state)
{
	assert_int_equal(net_back_offer(&bus, 4), 0);
	assert_int_equal(offered, 9);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_config), cmocka_unit_test(test_bad_config),
	    cmocka_unit_test(test_front),  cmocka_unit_test(test_bad_front),
	    cmocka_unit_test(test_offer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
