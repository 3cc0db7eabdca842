/* SPDX-License-Identifier: MIT */
/*
 * See pv-drivers/net_merge.h. Headers: RFC 791, RFC 8200, RFC 9293. Packets are hostile: lengths are checked against the first
 * segment, which has all headers, before anything is read. Where two packets are only compared, words are in the CPU's order.
 */
#include <pv-drivers/net_merge.h>
#include <guest/string.h>

#define ETHERNET	   14
#define IPV4		   20
#define IPV6		   40
#define TCP		   20
#define TCP_PSH		   0x08
#define TCP_ACK		   0x10

#define IPV4_DONT_FRAGMENT 0x4000

static uint16_t get16(const uint8_t *at)
{
	return (uint16_t)(at[0] << 8 | at[1]);
}

static uint32_t get32(const uint8_t *at)
{
	return (uint32_t)get16(at) << 16 | get16(at + 2);
}

static void put16(uint8_t *at, uint16_t value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

/* Bits in which two places differ. */
static uint16_t differ16(const uint8_t *a, const uint8_t *b)
{
	uint16_t left, right;

	__builtin_memcpy(&left, a, 2);
	__builtin_memcpy(&right, b, 2);
	return left ^ right;
}

static uint32_t differ32(const uint8_t *a, const uint8_t *b)
{
	uint32_t left, right;

	__builtin_memcpy(&left, a, 4);
	__builtin_memcpy(&right, b, 4);
	return left ^ right;
}

static uint64_t differ64(const uint8_t *a, const uint8_t *b)
{
	uint64_t left, right;

	__builtin_memcpy(&left, a, 8);
	__builtin_memcpy(&right, b, 8);
	return left ^ right;
}

static bool is_ipv4(const struct net_merge *merge)
{
	return merge->gso == NET_GSO_TCPV4;
}

/* Where TCP's header is, which is in the first segment; 0: it is none of the packets that are merged. */
static uint8_t find_tcp(const uint8_t *bytes, uint32_t length)
{
	if (length < ETHERNET + IPV4 + TCP)
		return 0;
	if (get16(bytes + 12) == NET_ETHERTYPE_IPV4)
		return bytes[14] == 0x45 && bytes[14 + 9] == 6 &&
			       !(get16(bytes + 14 + 6) & ~IPV4_DONT_FRAGMENT)
			   ? ETHERNET + IPV4
			   : 0;
	if (get16(bytes + 12) == NET_ETHERTYPE_IPV6 && length >= ETHERNET + IPV6 + TCP)
		return bytes[14] >> 4 == 6 && bytes[14 + 6] == 6 ? ETHERNET + IPV6 : 0;
	return 0;
}

/* Does IP say that the packet is as long as it is, and is its header unspoilt? Not every card has looked at that. */
static bool is_whole(const struct net_merge *merge, const struct net_packet *packet)
{
	const uint8_t *bytes = packet->segments[0].data;

	if (is_ipv4(merge))
		return packet->length == (uint32_t)ETHERNET + get16(bytes + 14 + 2) &&
		       net_sum(bytes + 14, IPV4, 0) == 0xffff;
	return packet->length == (uint32_t)ETHERNET + IPV6 + get16(bytes + 14 + 4);
}

bool net_merge_begin(struct net_merge *merge, const struct net_packet *first)
{
	const uint8_t *bytes = first->segments[0].data, *tcp;
	uint32_t length = first->segments[0].length, data;

	if (first->checksum != NET_CHECKSUM_VALID)
		return false;
	merge->transport = find_tcp(bytes, length);
	if (!merge->transport)
		return false;
	merge->gso = merge->transport == ETHERNET + IPV4 ? NET_GSO_TCPV4 : NET_GSO_TCPV6;
	tcp = bytes + merge->transport;
	data = merge->transport + (tcp[12] >> 4) * 4u;
	if (data < merge->transport + (uint32_t)TCP || data > length || tcp[13] != TCP_ACK ||
	    first->length < data + NET_GSO_LEAST || !is_whole(merge, first))
		return false;
	merge->first = first;
	merge->data = (uint8_t)data;
	merge->length = first->length;
	merge->size = (uint16_t)(first->length - data);
	merge->sequence = get32(tcp + 4) + merge->size;
	merge->identification = get16(bytes + 14 + 4);
	merge->ended = merge->pushed = false;
	return true;
}

/* The connection's addresses and ports. */
static bool is_other(const struct net_merge *merge, const uint8_t *a, const uint8_t *b)
{
	const uint8_t *tcp_a = a + merge->transport, *tcp_b = b + merge->transport;
	uint64_t bits = differ32(tcp_a, tcp_b) | differ64(tcp_a - 8, tcp_b - 8);

	if (!is_ipv4(merge))
		for (unsigned int i = 16; i <= 32; i += 8)
			bits |= differ64(tcp_a - i, tcp_b - i);
	return bits;
}

/* Everything else in which pieces of one packet are equal, but for lengths and sums. */
static bool is_different(const struct net_merge *merge, const uint8_t *a, const uint8_t *b)
{
	const uint8_t *tcp_a = a + merge->transport, *tcp_b = b + merge->transport;
	uint64_t bits = differ64(a, b) | differ32(a + 8, b + 8) | differ32(a + 12, b + 12);

	if (is_ipv4(merge))
		bits |= differ32(a + 14 + 6, b + 14 + 6); /* fragments, hops, protocol */
	else
		bits |= differ16(a + 14 + 2, b + 14 + 2) | differ16(a + 14 + 6, b + 14 + 6);
	bits |= differ32(tcp_a + 8, tcp_b + 8);	  /* acknowledgement */
	bits |= tcp_a[12] ^ tcp_b[12];		  /* offset of the data */
	bits |= TCP_ACK ^ (tcp_b[13] & ~TCP_PSH); /* flags */
	bits |= differ16(tcp_a + 14, tcp_b + 14); /* window */
	bits |= differ16(tcp_a + 18, tcp_b + 18); /* urgent pointer */
	if (bits)
		return true;
	for (unsigned int i = TCP; i < merge->data - (unsigned int)merge->transport; i += 4)
		bits |= differ32(tcp_a + i, tcp_b + i);
	return bits;
}

/* Of packets that must not be fragmented the identification is anything. */
static bool is_next(const struct net_merge *merge, const uint8_t *bytes)
{
	if (is_ipv4(merge) && !(get16(bytes + 14 + 6) & IPV4_DONT_FRAGMENT) &&
	    get16(bytes + 14 + 4) != (uint16_t)(merge->identification + 1))
		return false;
	return get32(bytes + merge->transport + 4) == merge->sequence;
}

enum net_merge_result net_merge_add(struct net_merge *merge, const struct net_packet *packet)
{
	const uint8_t *first = merge->first->segments[0].data, *bytes = packet->segments[0].data;
	uint32_t length = packet->segments[0].length, size;

	if (find_tcp(bytes, length) != merge->transport || is_other(merge, first, bytes))
		return NET_MERGE_OTHER;
	if (packet->checksum != NET_CHECKSUM_VALID || length < merge->data ||
	    is_different(merge, first, bytes) || !is_next(merge, bytes) || !is_whole(merge, packet))
		return NET_MERGE_END;
	size = packet->length - merge->data;
	/* IP's length has 16 bits: of IPv6 that counts less, but for both this fits the largest packet. */
	if (!size || size > merge->size || merge->length - ETHERNET + size > 65535)
		return NET_MERGE_END;
	merge->length += size;
	merge->sequence += size;
	merge->identification = get16(bytes + 14 + 4);
	merge->ended = size < merge->size || bytes[merge->transport + 13] & TCP_PSH;
	merge->pushed = bytes[merge->transport + 13] & TCP_PSH;
	return NET_MERGE_ADDED;
}

void net_merge_end(const struct net_merge *merge, uint8_t *headers)
{
	uint32_t length = merge->length - merge->transport;
	uint8_t *ip = headers + ETHERNET, *tcp = headers + merge->transport;
	uint8_t counted[4] = {0, 6, (uint8_t)(length >> 8), (uint8_t)length};

	memcpy(headers, merge->first->segments[0].data, merge->data);
	if (merge->pushed)
		tcp[13] |= TCP_PSH;
	if (!is_ipv4(merge)) {
		put16(ip + 4, (uint16_t)length);
		put16(tcp + 16, net_sum(counted, 4, net_sum(ip + 8, 32, 0)));
		return;
	}
	put16(ip + 2, (uint16_t)(length + IPV4));
	put16(ip + 10, 0);
	put16(ip + 10, (uint16_t)~net_sum(ip, IPV4, 0));
	put16(tcp + 16, net_sum(counted, 4, net_sum(ip + 12, 8, 0)));
}
