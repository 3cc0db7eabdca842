/* SPDX-License-Identifier: MIT */
/* What vif= says of a port: text from configurations and the store. Pure. */
#include "net/bridge.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == ',';
}

/* A decimal number from 1 to most, at *text, which is moved behind it. */
static long number(const char **text, unsigned int most)
{
	unsigned int value = 0;
	const char *at = *text;

	for (; *at >= '0' && *at <= '9'; at++) {
		value = value * 10 + (unsigned int)(*at - '0');
		if (value > most)
			return -EINVAL;
	}
	*text = at;
	return value ? (long)value : -EINVAL;
}

long bridge_parse(const char *text, char name[BRIDGE_NAME], struct bridge_options *options)
{
	size_t length = strcspn(text, ".:");
	long vlan;

	if (!*text) {
		memcpy(name, BRIDGE_DEFAULT, sizeof(BRIDGE_DEFAULT));
		return 0;
	}
	if (!length || length >= BRIDGE_NAME)
		return -EINVAL;
	memcpy(name, text, length);
	name[length] = 0;
	text += length;
	if (*text == '.') {
		text++;
		vlan = number(&text, BRIDGE_VLAN_MOST);
		if (vlan < 0)
			return vlan;
		options->vlan = (uint16_t)vlan;
	}
	while (*text == ':') {
		text++;
		vlan = number(&text, BRIDGE_VLAN_MOST);
		if (vlan < 0 || options->vlans == BRIDGE_PORT_VLANS)
			return -EINVAL;
		options->trunk = true;
		options->vlan_list[options->vlans++] = (uint16_t)vlan;
	}
	return *text ? -EINVAL : 0;
}

/* Four numbers with dots between them; no leading zeros, which some read as octal. */
static bool parse_ipv4(const char *text, size_t length, uint8_t bytes[4])
{
	const char *end = text + length;

	for (unsigned int i = 0; i < 4; i++) {
		unsigned int value = 0, digits = 0;

		for (; text < end && *text >= '0' && *text <= '9' && digits < 4; text++, digits++)
			value = value * 10 + (unsigned int)(*text - '0');
		if (!digits || value > 255 || (digits > 1 && text[-(int)digits] == '0'))
			return false;
		bytes[i] = (uint8_t)value;
		if (i < 3 && (text == end || *text++ != '.'))
			return false;
	}
	return text == end;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/* RFC 4291, 2.2: eight groups of hexadecimal digits, :: once for some groups of zeros, or an IPv4 address for the last two. */
static bool parse_ipv6(const char *text, size_t length, uint8_t bytes[16])
{
	const char *end = text + length;
	unsigned int at = 0, gap = 17;

	memset(bytes, 0, 16);
	if (length >= 2 && text[0] == ':' && text[1] == ':') {
		gap = 0;
		text += 2;
	}
	while (text < end) {
		unsigned int value = 0, digits = 0;

		if (at <= 12 && memchr(text, ':', (size_t)(end - text)) == NULL &&
		    parse_ipv4(text, (size_t)(end - text), bytes + at)) {
			at += 4;
			break;
		}
		for (; text < end && hex_digit(*text) >= 0 && digits < 5; text++, digits++)
			value = value * 16 + (unsigned int)hex_digit(*text);
		if (!digits || digits > 4 || at == 16)
			return false;
		bytes[at++] = (uint8_t)(value >> 8);
		bytes[at++] = (uint8_t)value;
		if (text == end)
			break;
		if (*text++ != ':' || text == end)
			return false;
		if (*text == ':') {
			if (gap <= 16)
				return false;
			gap = at;
			text++;
		}
	}
	if (gap > 16)
		return at == 16;
	if (at > 14)
		return false;
	memmove(bytes + 16 - (at - gap), bytes + gap, at - gap);
	memset(bytes + gap, 0, 16 - at);
	return true;
}

long bridge_parse_ips(const char *text, struct bridge_options *options)
{
	while (*text) {
		struct bridge_ip *ip = &options->ip_list[options->ips];
		size_t length = 0;

		if (is_blank(*text)) {
			text++;
			continue;
		}
		while (text[length] && !is_blank(text[length]))
			length++;
		if (options->ips == BRIDGE_PORT_IPS)
			return -ENOSPC;
		if (parse_ipv4(text, length, ip->bytes))
			ip->length = 4;
		else if (parse_ipv6(text, length, ip->bytes))
			ip->length = 16;
		else
			return -EINVAL;
		options->ips++;
		text += length;
	}
	return 0;
}
