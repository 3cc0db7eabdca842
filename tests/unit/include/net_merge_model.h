/* SPDX-License-Identifier: MIT */
/*
 * What merging packets must keep, for a test and a fuzzer: cut again, the merged packet gives those that went into it. The cutting is
 * net_packet_soften()'s, the comparison byte by byte.
 *
 * Included by one source of a program, behind the definition of MODEL_CHECK: what to do about a condition that does not hold.
 */
#ifndef NET_MERGE_MODEL_H
#define NET_MERGE_MODEL_H

#include <string.h>
#include <pv-drivers/net_merge.h>

#define MODEL_PACKETS 80

struct model_packet {
	uint8_t bytes[1600];
	uint32_t length;
	bool valid; /* somebody has checked its checksum */
};

static struct {
	struct net_pool *pool;
	struct model_packet in[MODEL_PACKETS];
	unsigned int count;  /* of in */
	unsigned int merged; /* the first so many went into one, 1: nothing was merged */
	unsigned int cut;    /* packets that came out again */
	struct net_merge merge;
	uint8_t large[70000];
} model;

static void model_put16(uint8_t *at, unsigned int value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

/* RFC 1071's sum, a word at a time. */
static uint16_t model_sum(const uint8_t *bytes, size_t length, uint32_t sum)
{
	for (size_t i = 0; i < length; i++)
		sum += i & 1 ? bytes[i] : (uint32_t)bytes[i] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)sum;
}

static void model_sum_ipv4(struct model_packet *packet)
{
	model_put16(packet->bytes + 24, 0);
	model_put16(packet->bytes + 24, (uint16_t)~model_sum(packet->bytes + 14, 20, 0));
}

/* Of a packet over IPv4 without options or IPv6: IP's checksum and TCP's. */
static void model_fill_in(struct model_packet *packet)
{
	uint8_t *ip = packet->bytes + 14, *tcp = ip + (ip[0] >> 4 == 6 ? 40 : 20);
	uint32_t length = packet->length - (uint32_t)(tcp - packet->bytes);
	uint32_t pseudo = ip[0] >> 4 == 6 ? model_sum(ip + 8, 32, 0) : model_sum(ip + 12, 8, 0);

	if (ip[0] >> 4 != 6)
		model_sum_ipv4(packet);
	model_put16(tcp + 16, 0);
	model_put16(tcp + 16, (uint16_t)~model_sum(tcp, length, pseudo + 6 + length));
	/* 0 and its complement count the same; senders write the latter. */
	if (!(tcp[16] | tcp[17]))
		model_put16(tcp + 16, 0xffff);
}

struct model_stream {
	bool ipv6;
	unsigned int options; /* of TCP, bytes */
	uint32_t sequence;
	uint16_t identification;
	uint16_t port;
	bool dont_fragment;
};

/* The next packet of a connection, appended. */
static struct model_packet *model_add(struct model_stream *stream, unsigned int data, uint8_t flags)
{
	struct model_packet *packet = &model.in[model.count++];
	uint8_t *ip = packet->bytes + 14, *tcp = ip + (stream->ipv6 ? 40 : 20);
	uint8_t *at = tcp + 20 + stream->options;

	memset(packet, 0, sizeof(*packet));
	packet->length = (uint32_t)(at - packet->bytes) + data;
	packet->valid = true;
	memcpy(packet->bytes, "\x02\0\0\0\0\x01\x02\0\0\0\0\x02", 12);
	model_put16(packet->bytes + 12, stream->ipv6 ? 0x86dd : 0x0800);
	if (stream->ipv6) {
		ip[0] = 0x60;
		model_put16(ip + 4, packet->length - 54);
		ip[6] = 6;
		ip[7] = 64;
		for (unsigned int i = 8; i < 40; i++)
			ip[i] = (uint8_t)(i * 7);
	} else {
		ip[0] = 0x45;
		model_put16(ip + 2, packet->length - 14);
		model_put16(ip + 4, stream->identification++);
		ip[6] = stream->dont_fragment ? 0x40 : 0;
		ip[8] = 64;
		ip[9] = 6;
		memcpy(ip + 12, "\x0a\0\0\1\x0a\0\0\2", 8);
	}
	model_put16(tcp, stream->port);
	model_put16(tcp + 2, 2000);
	model_put16(tcp + 4, stream->sequence >> 16);
	model_put16(tcp + 6, stream->sequence);
	model_put16(tcp + 10, 77);
	tcp[12] = (uint8_t)((20 + stream->options) / 4 << 4);
	tcp[13] = flags;
	model_put16(tcp + 14, 501);
	memset(tcp + 20, 1, stream->options);
	for (unsigned int i = 0; i < data; i++)
		at[i] = (uint8_t)((stream->sequence + i) * 31 >> 3);
	stream->sequence += data;
	model_fill_in(packet);
	return packet;
}

/* In two segments, the first as short as a maker of packets may make it, behind which nothing may be read. */
static struct net_packet *model_packet(const struct model_packet *from)
{
	struct net_packet *packet = net_packet_alloc(model.pool);
	uint32_t first = from->length < NET_HEADERS ? from->length : NET_HEADERS;

	MODEL_CHECK(packet);
	memcpy(net_packet_add_page(packet, 4096 - first, first), from->bytes, first);
	if (from->length > first)
		MODEL_CHECK(net_packet_add(packet, (void *)(uintptr_t)(from->bytes + first), 0,
					   from->length - first));
	packet->checksum = from->valid ? NET_CHECKSUM_VALID : NET_CHECKSUM_COMPLETE;
	return packet;
}

/* The identification of packets that must not be fragmented means nothing. */
static void model_compare(struct net_packet *packet, void *data)
{
	struct model_packet *was = &model.in[model.cut++], now;

	(void)data;
	MODEL_CHECK(model.cut <= model.merged && packet->length == was->length);
	now.length = packet->length;
	MODEL_CHECK(net_packet_copy_out(packet, 0, now.bytes, sizeof(now.bytes)) == now.length);
	if (now.bytes[12] == 8 && now.bytes[20] & 0x40) {
		memcpy(now.bytes + 18, was->bytes + 18, 2);
		memcpy(now.bytes + 24, was->bytes + 24, 2);
	}
	MODEL_CHECK(memcmp(now.bytes, was->bytes, now.length) == 0);
}

/* The merged packet, in as many segments as it takes, through the software that a card's work is done by. */
static void model_cut(void)
{
	const struct net_merge *merge = &model.merge;
	struct net_packet *packet = net_packet_alloc(model.pool);
	struct net_headers headers;
	uint32_t at = merge->data;

	MODEL_CHECK(packet && merge->data <= NET_MERGE_HEADERS);
	net_merge_end(merge, model.large);
	for (unsigned int i = 0; i < model.merged; i++) {
		uint32_t data = model.in[i].length - merge->data;

		memcpy(model.large + at, model.in[i].bytes + merge->data, data);
		at += data;
	}
	MODEL_CHECK(at == merge->length);
	MODEL_CHECK(net_packet_add(packet, model.large, 0, merge->data));
	for (uint32_t from = merge->data; from < at; from += 4096)
		MODEL_CHECK(net_packet_add(packet, model.large + from, 0,
					   at - from < 4096 ? at - from : 4096));
	packet->checksum = NET_CHECKSUM_PARTIAL;
	packet->checksum_start = merge->transport;
	packet->checksum_offset = 16;
	packet->gso = (uint8_t)merge->gso;
	packet->gso_size = merge->size;
	MODEL_CHECK(net_headers_find(packet, &headers) && net_packet_check(packet, &headers));
	model.cut = 0;
	MODEL_CHECK(
	    net_packet_soften(model.pool, packet, NET_FEATURE_SCATTER, model_compare, NULL));
	MODEL_CHECK(model.cut == model.merged);
	net_packet_put(packet);
}

/* Merge as many of model.in as can be, from the first on, and cut them again. Returns what the last one tried was. */
static __attribute__((unused)) enum net_merge_result model_run(void)
{
	struct net_packet *packets[MODEL_PACKETS];
	enum net_merge_result result = NET_MERGE_END;
	unsigned int count = 1;

	packets[0] = model_packet(&model.in[0]);
	model.merged = 1;
	if (net_merge_begin(&model.merge, packets[0])) {
		while (count < model.count && !model.merge.ended) {
			packets[count] = model_packet(&model.in[count]);
			result = net_merge_add(&model.merge, packets[count++]);
			if (result != NET_MERGE_ADDED)
				break;
			model.merged++;
		}
		if (model.merged > 1)
			model_cut();
	}
	while (count)
		net_packet_put(packets[--count]);
	return result;
}

#endif
