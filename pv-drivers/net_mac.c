/* SPDX-License-Identifier: MIT */
#include <pv-drivers/net_mac.h>

static bool hex_digit(char c, unsigned int *value)
{
	if (c >= '0' && c <= '9')
		*value = (unsigned int)(c - '0');
	else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
		*value = (unsigned int)((c | 0x20) - 'a' + 10);
	else
		return false;
	return true;
}

bool net_mac_parse(const char *text, uint8_t mac[NET_MAC])
{
	unsigned int high, low;

	for (unsigned int i = 0; i < NET_MAC; i++, text += 3) {
		if (!hex_digit(text[0], &high) || !hex_digit(text[1], &low) ||
		    text[2] != (i == NET_MAC - 1 ? 0 : ':'))
			return false;
		mac[i] = (uint8_t)(high << 4 | low);
	}
	return !(mac[0] & 1);
}
