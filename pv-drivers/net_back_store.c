/* SPDX-License-Identifier: MIT */
/* Numbers in the front half's directory are as hostile as its rings: all are held against their limits here. */
#include <pv-drivers/net_back_store.h>
#include <guest/clock.h>
#include <guest/format.h>
#include <guest/string.h>
#include <pv-drivers/net_mac.h>
#include <public/errno.h>

/* A decimal number that ends at `end`; steps behind that. */
static bool parse_number(const char **text, char end, uint64_t *number)
{
	const char *at = *text;

	*number = 0;
	if (*at < '0' || *at > '9')
		return false;
	for (; *at >= '0' && *at <= '9'; at++)
		if (__builtin_mul_overflow(*number, 10, number) ||
		    __builtin_add_overflow(*number, (uint64_t)(*at - '0'), number))
			return false;
	*text = at + 1;
	return *at == end;
}

/* A value of our own directory, "" if it is not there. */
static long read_own(struct xenbus_device *bus, const char *name, char *value, size_t size)
{
	char path[XENBUS_PATH + 16];
	long length;

	format_string(path, sizeof(path), "%s/%s", bus->own, name);
	length = xs_read(bus->xs, 0, path, value, size);
	if (length >= 0)
		return 0;
	value[0] = 0;
	return length == -XEN_ENOENT ? 0 : length;
}

long net_back_read_config(struct xenbus_device *bus, struct net_back_config *config,
			  const char **why)
{
	char text[48];
	const char *at = text;
	uint64_t microseconds, mtu;
	long error;

	error = read_own(bus, "mac", text, sizeof(text));
	*why = "mac: not an address of one station";
	if (error || !net_mac_parse(text, config->mac))
		return error ? error : -XEN_EINVAL;
	error = read_own(bus, "rate", text, sizeof(text));
	*why = "rate: not BYTES,MICROSECONDS";
	if (error)
		return error;
	config->rate_bytes = config->rate_nanoseconds = 0;
	if (text[0]) {
		if (!parse_number(&at, ',', &config->rate_bytes) ||
		    !parse_number(&at, 0, &microseconds) ||
		    __builtin_mul_overflow(microseconds, 1000, &config->rate_nanoseconds))
			return -XEN_EINVAL;
	}
	error = read_own(bus, "mtu", text, sizeof(text));
	*why = "mtu: not from 68 to 65535";
	config->mtu = 1500;
	at = text;
	if (error || !text[0])
		return error;
	if (!parse_number(&at, 0, &mtu) || mtu < NET_MTU_LEAST || mtu > NET_MTU_MOST)
		return -XEN_EINVAL;
	config->mtu = (uint16_t)mtu;
	return 0;
}

long net_back_offer(struct xenbus_device *bus, unsigned int queues)
{
	static const char *const features[] = {
	    "feature-sg",
	    "feature-gso-tcpv4",
	    "feature-gso-tcpv6",
	    "feature-ipv6-csum-offload",
	    "feature-rx-copy",
	    "feature-split-event-channels",
	    "feature-multicast-control",
	    "feature-dynamic-multicast-control",
	    "feature-ctrl-ring",
	};
	long error = 0;

	for (unsigned int i = 0; i < sizeof(features) / sizeof(features[0]) && !error; i++)
		error = xenbus_printf(bus, 0, features[i], "1");
	/* The old way, in which pages change hands. */
	if (!error)
		error = xenbus_printf(bus, 0, "feature-rx-flip", "0");
	if (!error)
		error = xenbus_printf(bus, 0, "multi-queue-max-queues", "%u", queues);
	return error;
}

/* A flag of the front half's; what is not there or makes no sense is 0. */
static bool read_flag(struct xenbus_device *bus, const char *name)
{
	uint64_t value;

	return !xenbus_read_other_number(bus, name, &value) && value == 1;
}

bool net_back_read_multicast_control(struct xenbus_device *bus)
{
	return read_flag(bus, NET_BACK_MULTICAST);
}

/* A number of 32 bits. queue: the directory, "" or "queue-N/". */
static long read_number(struct xenbus_device *bus, const char *queue, const char *name,
			uint32_t *number)
{
	char node[48];
	uint64_t value;
	long error;

	format_string(node, sizeof(node), "%s%s", queue, name);
	error = xenbus_read_other_number(bus, node, &value);
	if (!error && value > UINT32_MAX)
		error = -XEN_EINVAL;
	*number = (uint32_t)value;
	return error;
}

static long read_queue(struct xenbus_device *bus, const char *directory,
		       struct net_back_front *front, unsigned int n, const char **why)
{
	long error = read_number(bus, directory, "tx-ring-ref", &front->queue[n].tx);

	*why = "tx-ring-ref, rx-ring-ref: not a grant's number";
	if (!error)
		error = read_number(bus, directory, "rx-ring-ref", &front->queue[n].rx);
	if (error)
		return error;
	*why = "event-channel: not a port's number";
	error = read_number(bus, directory, "event-channel-tx", &front->queue[n].tx_event);
	if (!error)
		return read_number(bus, directory, "event-channel-rx", &front->queue[n].rx_event);
	error = read_number(bus, directory, "event-channel", &front->queue[n].tx_event);
	front->queue[n].rx_event = front->queue[n].tx_event;
	return error;
}

/* Both numbers, or neither. */
static long read_control(struct xenbus_device *bus, struct net_back_front *front, const char **why)
{
	long error = read_number(bus, "", "ctrl-ring-ref", &front->control_ring);

	*why = "ctrl-ring-ref, event-channel-ctrl: not numbers of a grant and a port";
	front->control = error != -XEN_ENOENT;
	if (!error)
		error = read_number(bus, "", "event-channel-ctrl", &front->control_event);
	return front->control ? error : 0;
}

long net_back_read_front(struct xenbus_device *bus, unsigned int queues,
			 struct net_back_front *front, const char **why)
{
	char directory[16];
	uint64_t number = 1;
	long error;

	memset(front, 0, sizeof(*front));
	front->domain = bus->other_domain;
	*why = "request-rx-copy: 1 is needed";
	if (!read_flag(bus, "request-rx-copy"))
		return -XEN_EOPNOTSUPP;
	front->scatter = read_flag(bus, "feature-sg");
	front->checksum_ipv4 = !read_flag(bus, "feature-no-csum-offload");
	front->checksum_ipv6 = read_flag(bus, "feature-ipv6-csum-offload");
	front->gso_tcpv4 = read_flag(bus, "feature-gso-tcpv4");
	front->gso_tcpv6 = read_flag(bus, "feature-gso-tcpv6");
	front->multicast_control = net_back_read_multicast_control(bus);
	error = read_control(bus, front, why);
	if (error)
		return error;
	error = xenbus_read_other_number(bus, "multi-queue-num-queues", &number);
	*why = "multi-queue-num-queues: more than were offered";
	if ((error && error != -XEN_ENOENT) || (!error && (number < 1 || number > queues)))
		return -XEN_EINVAL;
	front->queues = error ? 1 : (unsigned int)number;
	if (front->queues == 1)
		return read_queue(bus, "", front, 0, why);
	for (unsigned int i = 0; i < front->queues; i++) {
		format_string(directory, sizeof(directory), "queue-%u/", i);
		error = read_queue(bus, directory, front, i, why);
		if (error)
			return error;
	}
	return 0;
}
