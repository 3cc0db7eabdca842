/* SPDX-License-Identifier: MIT */
// sources: pv-drivers/net_back_store.c pv-drivers/net_mac.c guest/format.c guest/string.c
// flags: -Itests/unit/include/fake-guest -Iguest/include
/* What the back half of a network interface reads in the store: as toolstacks and front halves write it, and as hostile ones do. */
#include "unit.h"
#include <guest/clock.h>
#include <pv-drivers/net_back_store.h>
#include <public/errno.h>

/* Both directories: names that begin with "own/" are ours. */
static struct {
	char name[48], value[64];
} nodes[64];
static unsigned int count;
static struct xenbus_device bus = {.own = "own", .other_domain = 7};
static char offered[1024];

bool (*host_wait)(void);

static void set(const char *name, const char *value)
{
	unsigned int i = 0;

	while (i < count && strcmp(nodes[i].name, name) != 0)
		i++;
	snprintf(nodes[i].name, sizeof(nodes[i].name), "%s", name);
	snprintf(nodes[i].value, sizeof(nodes[i].value), "%s", value);
	if (i == count)
		count++;
}

static const char *get(const char *name)
{
	for (unsigned int i = 0; i < count; i++)
		if (strcmp(nodes[i].name, name) == 0 && nodes[i].value[0])
			return nodes[i].value;
	return NULL;
}

long xs_read(struct xs *xs, xs_transaction t, const char *path, char *value, size_t size)
{
	const char *found = get(path);

	if (!found)
		return -XEN_ENOENT;
	if (strlen(found) >= size)
		return -XEN_ENOSPC;
	strcpy(value, found);
	return (long)strlen(found);
}

long xenbus_printf(struct xenbus_device *device, xs_transaction t, const char *name,
		   const char *format, ...)
{
	size_t used = strlen(offered);
	va_list arguments;

	used += (size_t)snprintf(offered + used, sizeof(offered) - used, "%s=", name);
	va_start(arguments, format);
	used += (size_t)vsnprintf(offered + used, sizeof(offered) - used, format, arguments);
	va_end(arguments);
	snprintf(offered + used, sizeof(offered) - used, " ");
	return 0;
}

long xenbus_read_other_number(struct xenbus_device *device, const char *name, uint64_t *number)
{
	const char *found = get(name);
	char *end;

	if (!found)
		return -XEN_ENOENT;
	*number = strtoull(found, &end, 0);
	return *end ? -XEN_EINVAL : 0;
}

/* A front half as it should be, with one queue. */
static void begin(void)
{
	count = 0;
	set("request-rx-copy", "1");
	set("tx-ring-ref", "8");
	set("rx-ring-ref", "9");
	set("event-channel", "5");
}

static long read_front(struct net_back_front *front)
{
	const char *why = NULL;
	long error = net_back_read_front(&bus, 4, front, &why);

	if (error)
		assert_non_null(why);
	return error;
}

static void expect_error(const char *name, const char *value, long error)
{
	struct net_back_front front;

	set(name, value);
	assert_int_equal(read_front(&front), error);
}

static void offers(void **state)
{
	offered[0] = 0;
	assert_int_equal(net_back_offer(&bus, 4), 0);
	assert_non_null(strstr(offered, "feature-ctrl-ring=1 "));
	assert_non_null(strstr(offered, "feature-dynamic-multicast-control=1 "));
	assert_non_null(strstr(offered, "multi-queue-max-queues=4 "));
}

static void one_queue(void **state)
{
	struct net_back_front front;

	begin();
	assert_int_equal(read_front(&front), 0);
	assert_int_equal(front.domain, 7);
	assert_int_equal(front.queues, 1);
	assert_int_equal(front.queue[0].tx, 8);
	assert_int_equal(front.queue[0].rx, 9);
	assert_int_equal(front.queue[0].tx_event, 5);
	assert_int_equal(front.queue[0].rx_event, 5);
	assert_true(front.checksum_ipv4);
	assert_false(front.scatter || front.checksum_ipv6 || front.gso_tcpv4 || front.gso_tcpv6 ||
		     front.multicast_control || front.control);
	set("feature-no-csum-offload", "1");
	set("feature-sg", "1");
	set("feature-ipv6-csum-offload", "1");
	set("feature-gso-tcpv4", "1");
	set("feature-gso-tcpv6", "2");
	set("request-multicast-control", "1");
	assert_true(net_back_read_multicast_control(&bus));
	assert_int_equal(read_front(&front), 0);
	assert_false(front.checksum_ipv4 || front.gso_tcpv6);
	assert_true(front.scatter && front.checksum_ipv6 && front.gso_tcpv4 &&
		    front.multicast_control);
	set("request-multicast-control", "0");
	assert_false(net_back_read_multicast_control(&bus));
	set("event-channel-tx", "11");
	expect_error("event-channel-rx", "", -XEN_ENOENT);
	set("event-channel-rx", "12");
	assert_int_equal(read_front(&front), 0);
	assert_int_equal(front.queue[0].tx_event, 11);
	assert_int_equal(front.queue[0].rx_event, 12);
	expect_error("tx-ring-ref", "4294967296", -XEN_EINVAL);
	expect_error("tx-ring-ref", "many", -XEN_EINVAL);
	expect_error("tx-ring-ref", "", -XEN_ENOENT);
	begin();
	expect_error("request-rx-copy", "0", -XEN_EOPNOTSUPP);
}

static void several_queues(void **state)
{
	struct net_back_front front;

	begin();
	expect_error("multi-queue-num-queues", "0", -XEN_EINVAL);
	expect_error("multi-queue-num-queues", "5", -XEN_EINVAL);
	expect_error("multi-queue-num-queues", "18446744073709551615", -XEN_EINVAL);
	expect_error("multi-queue-num-queues", "2", -XEN_ENOENT);
	set("queue-0/tx-ring-ref", "20");
	set("queue-0/rx-ring-ref", "21");
	set("queue-0/event-channel", "22");
	set("queue-1/tx-ring-ref", "23");
	set("queue-1/rx-ring-ref", "24");
	expect_error("queue-1/event-channel", "x", -XEN_EINVAL);
	set("queue-1/event-channel", "25");
	assert_int_equal(read_front(&front), 0);
	assert_int_equal(front.queues, 2);
	assert_int_equal(front.queue[0].tx, 20);
	assert_int_equal(front.queue[1].rx_event, 25);
}

static void control(void **state)
{
	struct net_back_front front;

	begin();
	/* A port alone is no ring. */
	set("event-channel-ctrl", "6");
	assert_int_equal(read_front(&front), 0);
	assert_false(front.control);
	set("ctrl-ring-ref", "30");
	assert_int_equal(read_front(&front), 0);
	assert_true(front.control);
	assert_int_equal(front.control_ring, 30);
	assert_int_equal(front.control_event, 6);
	expect_error("event-channel-ctrl", "", -XEN_ENOENT);
	expect_error("event-channel-ctrl", "4294967296", -XEN_EINVAL);
	set("event-channel-ctrl", "6");
	expect_error("ctrl-ring-ref", "none", -XEN_EINVAL);
}

static void own(void **state)
{
	struct net_back_config config = {0};
	static const char *const bad[][2] = {
	    {"own/mac", "01:00:00:00:00:01"},
	    {"own/mac", "x"},
	    {"own/rate", "10"},
	    {"own/rate", "10,"},
	    {"own/rate", "10,5x"},
	    {"own/rate", "10,99999999999999999"},
	    {"own/mtu", "67"},
	    {"own/mtu", "65536"},
	    {"own/mtu", "-1"},
	};
	const char *why;

	for (unsigned int i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		count = 0;
		set("own/mac", "00:16:3e:00:00:01");
		set(bad[i][0], bad[i][1]);
		assert_int_equal(net_back_read_config(&bus, &config, &why), -XEN_EINVAL);
		assert_memory_equal(why, bad[i][0] + 4, 3);
	}
	count = 0;
	assert_int_equal(net_back_read_config(&bus, &config, &why), -XEN_EINVAL);
	set("own/mac", "00:16:3e:00:00:01");
	assert_int_equal(net_back_read_config(&bus, &config, &why), 0);
	assert_int_equal(config.mtu, 1500);
	assert_int_equal(config.rate_bytes, 0);
	set("own/rate", "1000,50000");
	set("own/mtu", "9000");
	assert_int_equal(net_back_read_config(&bus, &config, &why), 0);
	assert_memory_equal(config.mac, "\0\x16\x3e\0\0\1", 6);
	assert_int_equal(config.mtu, 9000);
	assert_int_equal(config.rate_bytes, 1000);
	assert_int_equal(config.rate_nanoseconds, 50 * NSEC_PER_MSEC);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(offers),
	    cmocka_unit_test(one_queue),
	    cmocka_unit_test(several_queues),
	    cmocka_unit_test(control),
	    cmocka_unit_test(own),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
