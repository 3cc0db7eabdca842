/* SPDX-License-Identifier: MIT */
#include "net/address.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <guest/clock.h>
#include <guest/thread.h>
#include <internet.h>
#include <lwip/dhcp.h>
#include <lwip/dns.h>
#include <lwip/tcpip.h>
#include "files/files.h"
#include "net/network.h"
#include "xl/json.h"

#define FILE_PATH     "/etc/xl/ip"
#define OPTION	      "ip="
#define LEASE_SECONDS 10

/* Of who configures. */
static struct mutex lock;
static struct internet_interface interface;
static char bridge[BRIDGE_NAME]; /* "": there is no interface yet */

static struct internet_config lwip_config(const struct address_config *config)
{
	return (struct internet_config){
	    .dhcp = config->dhcp,
	    .address = {config->address},
	    .mask = {config->mask},
	    .gateway = {config->gateway},
	    .dns = {config->dns},
	    .hostname = "dom0",
	};
}

/* The lock is held. */
static long make_interface(const char *name)
{
	struct bridge *found = bridge_find(name);
	struct net_port *port;
	long error;

	if (!found)
		return -ENOENT;
	port = bridge_host_port(found);
	if (!port)
		return -ENOMEM;
	internet_start();
	/* The buffers are those of cards and of guests' rings. */
	error = internet_add(&interface, port, false);
	if (!error)
		snprintf(bridge, sizeof(bridge), "%s", name);
	return error;
}

/* False: it has said why not. */
static bool configure(const struct address_config *config)
{
	const char *name = config->bridge[0] ? config->bridge : BRIDGE_DEFAULT;
	struct internet_config internet = lwip_config(config);
	long error = 0;

	mutex_lock(&lock);
	if (!bridge[0])
		error = make_interface(name);
	else if (strcmp(bridge, name) != 0)
		error = -EBUSY;
	if (!error)
		internet_configure(&interface, &internet);
	mutex_unlock(&lock);
	if (error == -EBUSY)
		printf("ip: dom0 is on %s, and stays there until it is restarted\n", bridge);
	else if (error)
		printf("ip: %s: %s\n", name,
		       error == -ENOENT ? "there is no such bridge; `bridges` lists them"
					: strerror((int)-error));
	return !error;
}

static void start_with(const char *where, const char *text)
{
	struct address_config config;
	char error[160];

	if (address_parse(text, &config, error, sizeof(error)))
		configure(&config);
	else
		printf("%s: %s; dom0 has no address\n", where, error);
}

static void start_with_file(void)
{
	const void *data;
	size_t size;
	char *text;

	if (files_map(FILE_PATH, &data, &size) || size > 4096)
		return;
	text = strndup(data, size);
	if (text)
		start_with(FILE_PATH, text);
	free(text);
}

void address_start(int argc, char **argv)
{
	for (int i = 0; i < argc; i++) {
		if (strncmp(argv[i], OPTION, sizeof(OPTION) - 1) == 0) {
			start_with(OPTION, argv[i] + sizeof(OPTION) - 1);
			return;
		}
	}
	start_with_file();
}

/* The command */

static unsigned int bits_of(const ip4_addr_t *mask)
{
	unsigned int bits = 0;

	for (uint32_t left = mask->addr; left; left &= left - 1)
		bits++;
	return bits;
}

/* As it was at one moment. */
struct seen {
	char mac[18], address[16], gateway[16], dns[16];
	unsigned int bits;
	const char *state;
	struct net_counters received, sent;
	uint64_t dropped;
};

static struct seen see(void)
{
	const struct netif *netif = &interface.netif;
	const uint8_t *mac = netif->hwaddr;
	struct seen seen = {.dropped = interface.dropped};

	LOCK_TCPIP_CORE();
	snprintf(seen.mac, sizeof(seen.mac), "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1],
		 mac[2], mac[3], mac[4], mac[5]);
	ip4addr_ntoa_r(netif_ip4_addr(netif), seen.address, sizeof(seen.address));
	ip4addr_ntoa_r(netif_ip4_gw(netif), seen.gateway, sizeof(seen.gateway));
	ipaddr_ntoa_r(dns_getserver(0), seen.dns, sizeof(seen.dns));
	seen.bits = bits_of(netif_ip4_netmask(netif));
	seen.state = !netif_is_up(netif)		     ? "off"
		     : !netif_is_link_up(netif)		     ? "no link"
		     : dhcp_supplied_address(netif)	     ? "by DHCP"
		     : ip4_addr_isany(netif_ip4_addr(netif)) ? "waiting for DHCP"
							     : "static";
	UNLOCK_TCPIP_CORE();
	seen.received = interface.port->received;
	seen.sent = interface.port->sent;
	return seen;
}

static void show_uplink(const char *name, bool link, void *data)
{
	printf("uplink    %s, %s\n", name, link ? "up" : "down");
}

static int show(void)
{
	struct seen seen;

	if (!bridge[0]) {
		printf(
		    "dom0 has no address. `ip dhcp` asks for one, `ip ADDRESS/BITS gw=ADDRESS dns=ADDRESS` sets one.\n");
		return 0;
	}
	seen = see();
	printf("bridge    %s, %s\n", bridge, seen.mac);
	network_each_uplink(bridge, show_uplink, NULL);
	printf("address   %s/%u, %s\n", seen.address, seen.bits, seen.state);
	printf("gateway   %s\n", seen.gateway);
	printf("dns       %s\n", seen.dns);
	printf("packets   %llu received, %llu sent, %llu dropped\n",
	       (unsigned long long)seen.received.packets, (unsigned long long)seen.sent.packets,
	       (unsigned long long)seen.dropped);
	return 0;
}

static void write_uplink(const char *name, bool link, void *data)
{
	json_object(data, NULL);
	json_string(data, "name", name);
	json_boolean(data, "link", link);
	json_end(data);
}

/* An object; what there is not is null. */
static int write_json(void)
{
	struct seen seen;
	struct json json;

	json_start(&json, stdout);
	json_object(&json, NULL);
	json_string(&json, "bridge", bridge[0] ? bridge : NULL);
	if (bridge[0]) {
		seen = see();
		json_string(&json, "mac", seen.mac);
		json_string(&json, "state", seen.state);
		json_string(&json, "address", seen.address);
		json_unsigned(&json, "bits", seen.bits);
		json_string(&json, "gateway", seen.gateway);
		json_string(&json, "dns", seen.dns);
		json_array(&json, "uplinks");
		network_each_uplink(bridge, write_uplink, &json);
		json_end(&json);
		network_json_counters(&json, "received", &seen.received);
		network_json_counters(&json, "sent", &seen.sent);
		json_unsigned(&json, "dropped", seen.dropped);
	}
	json_end(&json);
	return 0;
}

bool address_is_up(void)
{
	bool up;

	if (!bridge[0])
		return false;
	LOCK_TCPIP_CORE();
	up = netif_is_up(&interface.netif) && netif_is_link_up(&interface.netif) &&
	     !ip4_addr_isany(netif_ip4_addr(&interface.netif));
	UNLOCK_TCPIP_CORE();
	return up;
}

static int turn_off(void)
{
	mutex_lock(&lock);
	if (bridge[0])
		internet_configure(&interface, NULL);
	mutex_unlock(&lock);
	return 0;
}

int run_ip(int argc, char **argv)
{
	struct address_config config;
	char text[256] = "", error[160];
	size_t length = 0;

	if (argc == 1)
		return show();
	if (argc == 2 && !strcmp(argv[1], "--json"))
		return write_json();
	if (argc == 2 && !strcmp(argv[1], "off"))
		return turn_off();
	for (int i = 1; i < argc && length < sizeof(text); i++)
		length += (size_t)snprintf(text + length, sizeof(text) - length, "%s ", argv[i]);
	if (!address_parse(text, &config, error, sizeof(error))) {
		printf("ip: %s\n", error);
		return 1;
	}
	if (!configure(&config))
		return 1;
	if (!internet_wait(&interface, clock_now() + LEASE_SECONDS * NSEC_PER_SEC)) {
		printf("ip: no %s within %d s; it goes on trying\n",
		       interface.port->link ? "answer from a DHCP server" : "link", LEASE_SECONDS);
		return 1;
	}
	return show();
}
