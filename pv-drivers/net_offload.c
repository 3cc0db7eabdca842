/* SPDX-License-Identifier: MIT */
/*
 * What a card would do, in software: checksums filled in, large TCP packets cut, segments gathered. Packets have passed
 * net_packet_check, so the headers are whole, in the first segment, and at most NET_HEADERS bytes.
 */
#include <pv-drivers/net.h>
#include <guest/string.h>

#define TCP_FIN 0x01
#define TCP_PSH 0x08
#define TCP_CWR 0x80

static void put16(uint8_t *at, uint16_t value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

static uint16_t get16(const uint8_t *at)
{
	return (uint16_t)(at[0] << 8 | at[1]);
}

static void put32(uint8_t *at, uint32_t value)
{
	put16(at, (uint16_t)(value >> 16));
	put16(at + 2, (uint16_t)value);
}

static uint32_t get32(const uint8_t *at)
{
	return (uint32_t)get16(at) << 16 | get16(at + 2);
}

/* Add what a number counts to a sum. */
static uint16_t sum_add(uint16_t sum, uint32_t number)
{
	uint32_t total = sum + (number >> 16) + (number & 0xffff);

	total = (total & 0xffff) + (total >> 16);
	return (uint16_t)((total & 0xffff) + (total >> 16));
}

/* The pseudo header's sum (RFC 9293, 3.1; RFC 8200, 8.1): addresses, protocol, length. */
static uint16_t pseudo_sum(const uint8_t *bytes, const struct net_headers *headers, uint32_t length)
{
	const uint8_t *ip = bytes + headers->network;
	uint16_t sum = headers->ethertype == NET_ETHERTYPE_IPV4 ? net_sum(ip + 12, 8, 0)
								: net_sum(ip + 8, 32, 0);

	return sum_add(sum_add(sum, headers->protocol), length);
}

bool net_checksum_prepare(struct net_packet *packet)
{
	uint8_t *bytes = packet->segments[0].data;
	struct net_headers headers;
	unsigned int offset;

	if (!net_headers_find(packet, &headers) || !headers.data)
		return false;
	offset = headers.protocol == 6 ? 16 : 6;
	put16(bytes + headers.transport + offset,
	      pseudo_sum(bytes, &headers, packet->length - headers.transport));
	packet->checksum = NET_CHECKSUM_PARTIAL;
	packet->checksum_start = headers.transport;
	packet->checksum_offset = (uint16_t)offset;
	return true;
}

/* The sum of a local packet's bytes from an offset on. */
static uint16_t packet_sum(const struct net_packet *packet, uint32_t from)
{
	uint16_t sum = 0;
	bool odd = false;

	for (unsigned int i = 0; i < packet->count; i++) {
		const struct net_segment *segment = &packet->segments[i];
		uint32_t length;
		uint16_t part;

		if (from >= segment->length) {
			from -= segment->length;
			continue;
		}
		length = segment->length - from;
		part = net_sum((const uint8_t *)segment->data + from, length, 0);
		/* A part that begins at an odd offset has its bytes in the other halves of words (RFC 1071, 2). */
		sum = sum_add(sum, odd ? __builtin_bswap16(part) : part);
		odd ^= length & 1;
		from = 0;
	}
	return sum;
}

/* A packet whose headers are its own and whose checksum is partial gets it. */
static void complete(struct net_packet *packet)
{
	uint8_t *bytes = packet->segments[0].data;
	uint16_t sum = (uint16_t)~packet_sum(packet, packet->checksum_start);

	/* UDP's 0 means that there is none (RFC 768); to TCP both zeros are the same. */
	put16(bytes + packet->checksum_start + packet->checksum_offset, sum ? sum : 0xffff);
	packet->checksum = NET_CHECKSUM_VALID;
	packet->checksum_start = packet->checksum_offset = 0;
}

struct soften {
	struct net_pool *pool;
	uint32_t features;
	void (*send)(struct net_packet *packet, void *data);
	void *data;
};

static bool has_checksum(const struct soften *soften, const struct net_headers *headers)
{
	return soften->features &
	       (headers->ethertype == NET_ETHERTYPE_IPV4 ? NET_FEATURE_CHECKSUM_IPV4
							 : NET_FEATURE_CHECKSUM_IPV6);
}

/* The last step, with a reference of ours that goes. */
static bool gather_and_send(const struct soften *soften, struct net_packet *packet)
{
	struct net_packet *whole = packet;

	if (packet->count > 1 && !(soften->features & NET_FEATURE_SCATTER)) {
		void *to;

		whole = net_packet_alloc(soften->pool);
		to = whole ? net_packet_add_page(whole, 0, packet->length) : NULL;
		if (to) {
			net_packet_copy_out(packet, 0, to, packet->length);
			whole->checksum = packet->checksum;
			whole->checksum_start = packet->checksum_start;
			whole->checksum_offset = packet->checksum_offset;
		} else {
			net_packet_put(whole);
			whole = NULL;
		}
		net_packet_put(packet);
	}
	if (!whole)
		return false;
	soften->send(whole, soften->data);
	net_packet_put(whole);
	return true;
}

static bool complete_and_send(const struct soften *soften, struct net_packet *packet,
			      const struct net_headers *headers)
{
	struct net_packet *copy =
	    net_packet_derive(soften->pool, packet, headers->data, headers->data, packet->length);

	if (!copy)
		return false;
	memcpy(copy->segments[0].data, packet->segments[0].data, headers->data);
	copy->checksum = NET_CHECKSUM_PARTIAL;
	copy->checksum_start = packet->checksum_start;
	copy->checksum_offset = packet->checksum_offset;
	complete(copy);
	return gather_and_send(soften, copy);
}

/* Write the headers of the piece that begins `done` bytes into TCP's data. */
static void cut_headers(struct net_packet *piece, const struct net_packet *packet,
			const struct net_headers *headers, uint32_t done, unsigned int number)
{
	uint8_t *bytes = piece->segments[0].data;
	uint8_t *ip = bytes + headers->network, *tcp = bytes + headers->transport;
	bool last = done + (piece->length - headers->data) == packet->length - headers->data;

	memcpy(bytes, packet->segments[0].data, headers->data);
	if (headers->ethertype == NET_ETHERTYPE_IPV4) {
		put16(ip + 2, (uint16_t)(piece->length - headers->network));
		put16(ip + 4, (uint16_t)(get16(ip + 4) + number));
		put16(ip + 10, 0);
		put16(ip + 10, (uint16_t)~net_sum(ip, headers->transport - headers->network, 0));
	} else {
		put16(ip + 4, (uint16_t)(piece->length - headers->network - 40));
	}
	put32(tcp + 4, get32(tcp + 4) + done);
	if (!last)
		tcp[13] &= (uint8_t) ~(TCP_FIN | TCP_PSH);
	if (number)
		tcp[13] &= (uint8_t)~TCP_CWR; /* RFC 3168, 6.1.2: once */
	put16(tcp + 16, pseudo_sum(bytes, headers, piece->length - headers->transport));
	piece->checksum = NET_CHECKSUM_PARTIAL;
	piece->checksum_start = packet->checksum_start;
	piece->checksum_offset = packet->checksum_offset;
}

static bool cut_and_send(const struct soften *soften, struct net_packet *packet,
			 const struct net_headers *headers)
{
	uint32_t all = packet->length - headers->data;
	unsigned int number = 0;

	for (uint32_t done = 0; done < all; done += packet->gso_size, number++) {
		uint32_t length = all - done < packet->gso_size ? all - done : packet->gso_size;
		struct net_packet *piece = net_packet_derive(soften->pool, packet, headers->data,
							     headers->data + done, length);

		if (!piece)
			return false;
		cut_headers(piece, packet, headers, done, number);
		if (!has_checksum(soften, headers))
			complete(piece);
		if (!gather_and_send(soften, piece))
			return false;
	}
	return true;
}

bool net_packet_soften(struct net_pool *pool, struct net_packet *packet, uint32_t features,
		       void (*send)(struct net_packet *packet, void *data), void *data)
{
	const struct soften soften = {pool, features, send, data};
	uint32_t gso = packet->gso == NET_GSO_TCPV4 ? NET_FEATURE_GSO_TCPV4 : NET_FEATURE_GSO_TCPV6;
	struct net_headers headers;

	net_headers_find(packet, &headers);
	if (packet->gso != NET_GSO_NONE && !(features & gso))
		return cut_and_send(&soften, packet, &headers);
	if (packet->checksum == NET_CHECKSUM_PARTIAL && packet->gso == NET_GSO_NONE &&
	    !has_checksum(&soften, &headers))
		return complete_and_send(&soften, packet, &headers);
	return gather_and_send(&soften, net_packet_get(packet));
}
