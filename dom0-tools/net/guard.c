/* SPDX-License-Identifier: MIT */
/*
 * Who says what: a strict port's packets come from its own MAC, and with a list of addresses from these, in ARP and in
 * neighbour discovery too, with what is needed to get an address. Pure. Packets are hostile.
 */
#include "net/internal.h"
#include <string.h>

#define ARP_SIZE		28
#define ICMPV6			58
#define NEIGHBOUR_ADVERTISEMENT 136

static bool is_listed(const struct bridge_options *options, const uint8_t *address, uint8_t length)
{
	for (unsigned int i = 0; i < options->ips; i++)
		if (options->ip_list[i].length == length &&
		    memcmp(options->ip_list[i].bytes, address, length) == 0)
			return true;
	return false;
}

static bool is_zero(const uint8_t *bytes, size_t length)
{
	for (size_t i = 0; i < length; i++)
		if (bytes[i])
			return false;
	return true;
}

/* RFC 826: hardware type 1, protocol IPv4; sender's MAC at 8, address at 14. A probe's is 0 (RFC 5227, 2.1.1). */
static bool allows_arp(const struct bridge_port *port, const uint8_t *arp, size_t length)
{
	if (length < ARP_SIZE || memcmp(arp, "\0\1\x08\0\6\4", 6) != 0)
		return false;
	if (port->options.strict && memcmp(arp + 8, port->port->mac, NET_MAC) != 0)
		return false;
	return !port->options.ips || is_zero(arp + 14, 4) || is_listed(&port->options, arp + 14, 4);
}

/* A DHCP client without an address: from 0.0.0.0, UDP, port 68, to all, port 67 (RFC 2131, 4.1). */
static bool is_dhcp(const uint8_t *bytes, const struct net_headers *headers)
{
	const uint8_t *ip = bytes + headers->network;

	return headers->data && headers->protocol == 17 && is_zero(ip + 12, 4) &&
	       memcmp(ip + 16, "\xff\xff\xff\xff", 4) == 0 &&
	       memcmp(bytes + headers->transport, "\0\x44\0\x43", 4) == 0;
}

static bool is_link_local(const uint8_t *address)
{
	return address[0] == 0xfe && (address[1] & 0xc0) == 0x80;
}

static bool has_ipv6(const struct bridge_options *options)
{
	for (unsigned int i = 0; i < options->ips; i++)
		if (options->ip_list[i].length == 16)
			return true;
	return false;
}

/*
 * With an IPv6 address in the list: from it, from a link-local one, or from none (RFC 4862, 5.4). An advertisement speaks for
 * its target (RFC 4861, 4.4: at 8). Where ICMPv6 is not found for extension headers before it, RFC 6980 forbids those.
 */
static bool allows_ipv6(const struct bridge_options *options, const uint8_t *bytes, size_t length,
			const struct net_headers *headers)
{
	const uint8_t *source = bytes + headers->network + 8, *target;

	if (!has_ipv6(options) || !headers->transport)
		return false;
	if (!is_listed(options, source, 16) && !is_link_local(source) && !is_zero(source, 16))
		return false;
	if (headers->protocol == 44)
		return true;
	if (headers->protocol != ICMPV6 || bytes[headers->transport] != NEIGHBOUR_ADVERTISEMENT)
		return true;
	if (headers->transport + 24u > length)
		return false;
	target = bytes + headers->transport + 8;
	return is_listed(options, target, 16) || is_link_local(target);
}

bool guard_allows(const struct bridge_port *port, const struct net_packet *packet,
		  const struct net_headers *headers)
{
	const uint8_t *bytes = packet->segments[0].data;
	size_t length = packet->segments[0].length;
	const struct bridge_options *options = &port->options;

	if (options->strict && memcmp(bytes + 6, port->port->mac, NET_MAC) != 0)
		return false;
	if (headers->ethertype == NET_ETHERTYPE_ARP && (options->strict || options->ips))
		return allows_arp(port, bytes + headers->network, length - headers->network);
	if (!options->ips)
		return true;
	if (headers->ethertype == NET_ETHERTYPE_IPV4)
		return headers->network + 20u <= length &&
		       (is_listed(options, bytes + headers->network + 12, 4) ||
			is_dhcp(bytes, headers));
	return headers->ethertype == NET_ETHERTYPE_IPV6 &&
	       allows_ipv6(options, bytes, length, headers);
}
