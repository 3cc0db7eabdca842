/* SPDX-License-Identifier: MIT */
/*
 * TCP and UDP packets for tests, and whether their checksums are right, counted as simply as can be: independent of what is
 * tested.
 */
#ifndef NET_PACKETS_H
#define NET_PACKETS_H

#include "unit.h"

/* The reference: RFC 1071's sum, a word at a time over bytes in a row. */
static inline uint16_t slow_sum(const uint8_t *bytes, size_t length, uint32_t sum)
{
	for (size_t i = 0; i < length; i++)
		sum += i & 1 ? bytes[i] : bytes[i] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)sum;
}

static void write16(uint8_t *at, unsigned int value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

/* What a test makes: headers as given, then data that tells its place. */
struct shape {
	bool ipv6, udp, vlan;
	unsigned int options; /* of TCP, bytes */
	uint32_t data;
};

static uint32_t headers_of(const struct shape *shape)
{
	return 14 + (shape->vlan ? 4 : 0) + (shape->ipv6 ? 40 : 20) +
	       (shape->udp ? 8 : 20 + shape->options);
}

/* Write the whole packet, with a checksum of 0; returns its length. */
static inline uint32_t make(const struct shape *shape, uint8_t *bytes)
{
	uint32_t headers = headers_of(shape), length = headers + shape->data;
	uint8_t *ip = bytes + (shape->vlan ? 18 : 14), *l4 = ip + (shape->ipv6 ? 40 : 20);

	memset(bytes, 0, headers);
	memcpy(bytes, "\x02\0\0\0\0\x01\x02\0\0\0\0\x02", 12);
	if (shape->vlan)
		memcpy(bytes + 12, "\x81\0\x20\x05", 4);
	write16(ip - 2, shape->ipv6 ? 0x86dd : 0x0800);
	if (shape->ipv6) {
		ip[0] = 0x60;
		write16(ip + 4, length - (unsigned int)(l4 - bytes));
		ip[6] = shape->udp ? 17 : 6;
		ip[7] = 64;
		for (unsigned int i = 8; i < 40; i++)
			ip[i] = (uint8_t)(i * 7);
	} else {
		ip[0] = 0x45;
		write16(ip + 2, length - (unsigned int)(ip - bytes));
		write16(ip + 4, 0xfffe);
		ip[8] = 64;
		ip[9] = shape->udp ? 17 : 6;
		memcpy(ip + 12, "\x0a\0\0\1\x0a\0\0\2", 8);
		write16(ip + 10, (uint16_t)~slow_sum(ip, 20, 0));
	}
	write16(l4, 1000);
	write16(l4 + 2, 2000);
	if (shape->udp) {
		write16(l4 + 4, 8 + shape->data);
	} else {
		memcpy(l4 + 4, "\xff\xff\xf0\0\0\0\0\1", 8);
		l4[12] = (uint8_t)((20 + shape->options) / 4 << 4);
		l4[13] = 0x80 | 0x10 | 0x08 | 0x01; /* CWR ACK PSH FIN */
		memset(l4 + 20, 1, shape->options);
	}
	for (uint32_t i = 0; i < shape->data; i++)
		bytes[headers + i] = (uint8_t)(i * 31 + (i >> 8));
	return length;
}

/* Is the checksum of TCP or UDP right, counted by the reference? And IPv4's own. */
static inline bool is_right(const uint8_t *bytes, uint32_t length, const struct shape *shape)
{
	const uint8_t *ip = bytes + (shape->vlan ? 18 : 14), *l4 = ip + (shape->ipv6 ? 40 : 20);
	uint32_t size = length - (uint32_t)(l4 - bytes);
	uint32_t pseudo = shape->ipv6 ? slow_sum(ip + 8, 32, 0) : slow_sum(ip + 12, 8, 0);

	if (!shape->ipv6 && slow_sum(ip, 20, 0) != 0xffff)
		return false;
	if (shape->ipv6 && (uint32_t)(ip[4] << 8 | ip[5]) != size)
		return false;
	if (!shape->ipv6 && (uint32_t)(ip[2] << 8 | ip[3]) != length - (ip - bytes))
		return false;
	return slow_sum(l4, size, pseudo + (shape->udp ? 17 : 6) + size) == 0xffff;
}

#endif
