/* SPDX-License-Identifier: MIT */
#include "net/address.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SEPARATORS " \t\r\n,"
#define WORD	   64

/* Four numbers up to 255 between dots, and nothing behind them but `end`. */
static bool parse_dotted(const char *text, const char *end, uint32_t *address)
{
	uint8_t bytes[4];

	for (unsigned int i = 0; i < 4; i++) {
		unsigned int value = 0, digits = 0;

		for (; *text >= '0' && *text <= '9' && digits < 4; text++, digits++)
			value = value * 10 + (unsigned int)(*text - '0');
		if (!digits || digits > 3 || value > 255 || (i < 3 && *text++ != '.'))
			return false;
		bytes[i] = (uint8_t)value;
	}
	memcpy(address, bytes, 4);
	return text == end;
}

/* One of a host: not 0.x, not of a group or above. */
static bool is_host(uint32_t address)
{
	uint8_t first = (uint8_t)address;

	return first && first < 224 && first != 127;
}

static bool parse_address(const char *text, uint32_t *address)
{
	return parse_dotted(text, text + strlen(text), address) && is_host(*address);
}

static bool parse_with_bits(const char *text, struct address_config *config)
{
	const char *slash = strchr(text, '/');
	unsigned long bits;
	char *end;

	if (!slash || slash[1] < '0' || slash[1] > '9')
		return false;
	bits = strtoul(slash + 1, &end, 10);
	if (*end || bits < 1 || bits > 30)
		return false;
	config->mask = __builtin_bswap32(0xffffffffu << (32 - bits));
	return parse_dotted(text, slash, &config->address) && is_host(config->address);
}

static bool parse_word(const char *word, struct address_config *config)
{
	size_t length;

	if (!strcmp(word, "dhcp")) {
		config->dhcp = true;
		return true;
	}
	if (!strncmp(word, "gw=", 3))
		return parse_address(word + 3, &config->gateway);
	if (!strncmp(word, "dns=", 4))
		return parse_address(word + 4, &config->dns);
	if (strncmp(word, "bridge=", 7) != 0)
		return parse_with_bits(word, config);
	length = strlen(word + 7);
	if (!length || length >= sizeof(config->bridge))
		return false;
	memcpy(config->bridge, word + 7, length + 1);
	return true;
}

bool address_parse(const char *text, struct address_config *config, char *error, size_t size)
{
	char word[WORD];

	memset(config, 0, sizeof(*config));
	for (;;) {
		size_t length;

		text += strspn(text, SEPARATORS);
		/* A comment, to the end of its line. */
		if (*text == '#') {
			text += strcspn(text, "\n");
			continue;
		}
		length = strcspn(text, SEPARATORS);
		if (!length)
			break;
		snprintf(word, sizeof(word), "%.*s", (int)length, text);
		if (length >= sizeof(word) || !parse_word(word, config)) {
			snprintf(
			    error, size,
			    "'%s' is none of: dhcp, ADDRESS/BITS, gw=ADDRESS, dns=ADDRESS, bridge=NAME",
			    word);
			return false;
		}
		text += length;
	}
	if (config->dhcp == (config->address != 0)) {
		snprintf(error, size,
			 "either dhcp or an ADDRESS/BITS is needed, such as 10.0.0.2/24");
		return false;
	}
	if (config->gateway && !config->dhcp &&
	    ((config->gateway ^ config->address) & config->mask)) {
		snprintf(error, size, "the gateway is not in the address's network");
		return false;
	}
	return true;
}
