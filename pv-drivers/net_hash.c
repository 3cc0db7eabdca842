/* SPDX-License-Identifier: MIT */
#include <pv-drivers/net_hash.h>
#include <guest/string.h>
#define XEN_NETIF_DEFINE_TOEPLITZ
#include <public/io/netif.h>

#define PROTOCOL_TCP 6
#define PORTS	     4 /* bytes, source and destination */

/* What is hashed, and what kind of hash that is. */
struct input {
	uint8_t bytes[32 + PORTS];
	unsigned int length;
	uint8_t type;
};

/* The IP header is whole. with: the type with ports, without: that of addresses only; either has to be wanted. */
static bool gather(struct input *input, const uint8_t *addresses, unsigned int length,
		   const uint8_t *ports, uint32_t wanted, uint8_t with, uint8_t without)
{
	memcpy(input->bytes, addresses, length);
	input->length = length;
	input->type = without;
	if (!ports || !(wanted & 1u << with))
		return wanted & 1u << without;
	memcpy(input->bytes + length, ports, PORTS);
	input->length += PORTS;
	input->type = with;
	return true;
}

static bool find_input(struct input *input, const struct net_packet *packet, uint32_t wanted)
{
	const uint8_t *bytes = packet->segments[0].data, *ip, *ports = NULL;
	uint32_t length = packet->segments[0].length;
	struct net_headers headers;

	if (!net_headers_find(packet, &headers))
		return false;
	ip = bytes + headers.network;
	if (headers.protocol == PROTOCOL_TCP && headers.data)
		ports = bytes + headers.transport;
	if (headers.ethertype == NET_ETHERTYPE_IPV4 && headers.network + 20u <= length &&
	    ip[0] >> 4 == 4)
		return gather(input, ip + 12, 8, ports, wanted, _XEN_NETIF_CTRL_HASH_TYPE_IPV4_TCP,
			      _XEN_NETIF_CTRL_HASH_TYPE_IPV4);
	if (headers.ethertype == NET_ETHERTYPE_IPV6 && headers.network + 40u <= length &&
	    ip[0] >> 4 == 6)
		return gather(input, ip + 8, 32, ports, wanted, _XEN_NETIF_CTRL_HASH_TYPE_IPV6_TCP,
			      _XEN_NETIF_CTRL_HASH_TYPE_IPV6);
	return false;
}

struct net_hash_value net_hash_packet(const struct net_hash *hash, const struct net_packet *packet)
{
	struct net_hash_value result = {0};
	struct input input;

	if (hash->algorithm != XEN_NETIF_CTRL_HASH_ALGORITHM_TOEPLITZ || !hash->types ||
	    !find_input(&input, packet, hash->types))
		return result;
	result.valid = true;
	result.type = input.type;
	result.value =
	    xen_netif_toeplitz_hash(hash->key, sizeof(hash->key), input.bytes, input.length);
	return result;
}

unsigned int net_hash_queue(const struct net_hash *hash, uint32_t value, unsigned int queues)
{
	if (hash->mapping_size)
		value = hash->mapping[value % hash->mapping_size];
	return value % queues;
}
