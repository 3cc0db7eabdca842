/* SPDX-License-Identifier: MIT */
/*
 * Headers of Ethernet, IP (RFC 791, RFC 8200), TCP (RFC 9293) and UDP (RFC 768) as far as bridges and offloads need them.
 * Packets are hostile: every offset is checked against the first segment before it is used. Pure.
 */
#include <pv-drivers/net.h>

#define PROTOCOL_TCP 6
#define PROTOCOL_UDP 17

/* IPv6's headers that have a next one, and whose length is in units of 8 bytes beyond the first (RFC 8200, 4). */
#define IPV6_HOP_BY_HOP	 0
#define IPV6_ROUTING	 43
#define IPV6_DESTINATION 60
#define IPV6_EXTENSIONS	 8

static uint16_t get16(const uint8_t *at)
{
	return (uint16_t)(at[0] << 8 | at[1]);
}

static void find_ipv4(const uint8_t *bytes, uint32_t length, struct net_headers *headers)
{
	const uint8_t *ip = bytes + headers->network;
	uint32_t size;

	if (headers->network + 20u > length || ip[0] >> 4 != 4)
		return;
	size = (ip[0] & 15) * 4u;
	if (size < 20 || headers->network + size > length)
		return;
	/* A fragment, the first one too, is not to be summed or cut. */
	if (get16(ip + 6) & 0x3fff)
		return;
	headers->protocol = ip[9];
	headers->transport = (uint16_t)(headers->network + size);
}

static void find_ipv6(const uint8_t *bytes, uint32_t length, struct net_headers *headers)
{
	uint32_t at = headers->network + 40u;
	uint8_t next;

	if (at > length || bytes[headers->network] >> 4 != 6)
		return;
	next = bytes[headers->network + 6];
	for (unsigned int i = 0; i < IPV6_EXTENSIONS; i++) {
		if (next != IPV6_HOP_BY_HOP && next != IPV6_ROUTING && next != IPV6_DESTINATION) {
			/* What is not TCP or UDP, fragments too, is nobody's business here. */
			headers->protocol = next;
			headers->transport = (uint16_t)at;
			return;
		}
		if (at + 8 > length)
			return;
		next = bytes[at];
		at += (bytes[at + 1] + 1u) * 8;
		if (at > length)
			return;
	}
}

static void find_data(const uint8_t *bytes, uint32_t length, struct net_headers *headers)
{
	uint32_t at = headers->transport, size;

	if (headers->protocol == PROTOCOL_UDP && at + 8 <= length) {
		headers->data = (uint16_t)(at + 8);
	} else if (headers->protocol == PROTOCOL_TCP && at + 20 <= length) {
		size = (bytes[at + 12] >> 4) * 4u;
		if (size >= 20 && at + size <= length)
			headers->data = (uint16_t)(at + size);
	}
}

bool net_headers_find(const struct net_packet *packet, struct net_headers *headers)
{
	const uint8_t *bytes;
	uint32_t length;

	*headers = (struct net_headers){.network = 14};
	if (!packet->count)
		return false;
	bytes = packet->segments[0].data;
	length = packet->segments[0].length;
	if (!bytes || length < 14)
		return false;
	headers->ethertype = get16(bytes + 12);
	if (headers->ethertype == NET_ETHERTYPE_VLAN) {
		if (length < 18)
			return false;
		headers->vlan = NET_VLAN_TAGGED | (get16(bytes + 14) & 0xfff);
		headers->ethertype = get16(bytes + 16);
		headers->network = 18;
	}
	/* Offsets have 16 bits; a segment is within a page. */
	if (headers->ethertype == NET_ETHERTYPE_IPV4)
		find_ipv4(bytes, length, headers);
	else if (headers->ethertype == NET_ETHERTYPE_IPV6)
		find_ipv6(bytes, length, headers);
	if (headers->transport)
		find_data(bytes, length, headers);
	return true;
}

/* Where TCP and UDP have their checksum. */
static unsigned int checksum_offset(const struct net_headers *headers)
{
	return headers->protocol == PROTOCOL_TCP ? 16 : 6;
}

bool net_packet_check(const struct net_packet *packet, const struct net_headers *headers)
{
	const uint8_t *bytes = packet->segments[0].data;
	uint16_t wanted = packet->gso == NET_GSO_TCPV4 ? NET_ETHERTYPE_IPV4 : NET_ETHERTYPE_IPV6;

	if (packet->checksum != NET_CHECKSUM_PARTIAL)
		return packet->checksum <= NET_CHECKSUM_PARTIAL && packet->gso == NET_GSO_NONE;
	if (!headers->data || headers->data > NET_HEADERS ||
	    packet->checksum_start != headers->transport ||
	    packet->checksum_offset != checksum_offset(headers))
		return false;
	if (packet->gso == NET_GSO_NONE)
		return true;
	if (packet->gso > NET_GSO_TCPV6 || headers->protocol != PROTOCOL_TCP ||
	    headers->ethertype != wanted)
		return false;
	/* SYN and RST (RFC 9293, 3.1) are of one packet only. */
	return packet->gso_size >= NET_GSO_LEAST && packet->length > headers->data &&
	       !(bytes[headers->transport + 13] & 0x06);
}

uint16_t net_sum(const void *bytes, size_t length, uint16_t sum)
{
	const uint8_t *at = bytes;
	uint64_t total;

	/*
	 * Sums of larger words are the same but for the fold (RFC 1071, 2); words in the CPU's order are sums with their
	 * bytes exchanged, put right in the end.
	 */
	total = (uint16_t)__builtin_bswap16(sum);
	for (; length >= 4; length -= 4, at += 4) {
		uint32_t word;

		__builtin_memcpy(&word, at, 4);
		total += word;
	}
	if (length & 2) {
		uint16_t word;

		__builtin_memcpy(&word, at, 2);
		total += word;
		at += 2;
	}
	if (length & 1)
		total += *at;
	while (total >> 16)
		total = (total & 0xffff) + (total >> 16);
	return __builtin_bswap16((uint16_t)total);
}
