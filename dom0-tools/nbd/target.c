/* SPDX-License-Identifier: MIT */
#include "nbd/nbd.h"
#include <stdlib.h>
#include <string.h>

static int hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* RFC 3986, 2.1. False: not well-formed, or too long. */
static bool decode(const char *text, char *to, size_t size)
{
	for (; *text; text++) {
		char c = *text;

		if (c == '%') {
			int high = hex(text[1]), low = high < 0 ? -1 : hex(text[2]);

			if (low < 0 || high + low == 0)
				return false;
			c = (char)(high << 4 | low);
			text += 2;
		}
		if (!--size)
			return false;
		*to++ = c;
	}
	*to = 0;
	return true;
}

static bool parse_port(const char *text, uint16_t *port)
{
	unsigned long number;
	char *end;

	if (*text < '0' || *text > '9')
		return false;
	number = strtoul(text, &end, 10);
	*port = (uint16_t)number;
	return !*end && number >= 1 && number <= UINT16_MAX;
}

const char *nbd_parse_target(const char *text, struct nbd_target *target)
{
	size_t length;
	char *port;

	if (strncmp(text, "nbd://", 6) != 0)
		return "a network disk is written nbd://HOST[:PORT][/EXPORT]";
	text += 6;
	length = strcspn(text, "/");
	if (!length || length >= NBD_HOST)
		return "nbd:// is followed by the server's name or address";
	memcpy(target->host, text, length);
	target->host[length] = 0;
	target->port = NBD_PORT;
	port = strchr(target->host, ':');
	if (port) {
		*port++ = 0;
		if (!parse_port(port, &target->port) || !target->host[0])
			return "the server's port is a number from 1 to 65535";
	}
	text += length;
	if (!decode(*text ? text + 1 : text, target->export_name, NBD_EXPORT))
		return "the export's name is too long, or has a % that two hexadecimal digits do not follow";
	return NULL;
}
