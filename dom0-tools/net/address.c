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

static void show(void)
{
	struct netif *netif = &interface.netif;
	char address[16], gateway[16], dns[16];
	const char *how;

	if (!bridge[0]) {
		printf(
		    "dom0 has no address. `ip dhcp` asks for one, `ip ADDRESS/BITS gw=ADDRESS dns=ADDRESS` sets one.\n");
		return;
	}
	LOCK_TCPIP_CORE();
	ip4addr_ntoa_r(netif_ip4_addr(netif), address, sizeof(address));
	ip4addr_ntoa_r(netif_ip4_gw(netif), gateway, sizeof(gateway));
	ipaddr_ntoa_r(dns_getserver(0), dns, sizeof(dns));
	how = !netif_is_up(netif)		      ? "off"
	      : !netif_is_link_up(netif)	      ? "no link"
	      : dhcp_supplied_address(netif)	      ? "by DHCP"
	      : ip4_addr_isany(netif_ip4_addr(netif)) ? "waiting for DHCP"
						      : "static";
	printf("bridge    %s, %02x:%02x:%02x:%02x:%02x:%02x\n", bridge, netif->hwaddr[0],
	       netif->hwaddr[1], netif->hwaddr[2], netif->hwaddr[3], netif->hwaddr[4],
	       netif->hwaddr[5]);
	printf("address   %s/%u, %s\n", address, bits_of(netif_ip4_netmask(netif)), how);
	UNLOCK_TCPIP_CORE();
	printf("gateway   %s\n", gateway);
	printf("dns       %s\n", dns);
	printf("packets   %llu received, %llu sent, %llu dropped\n",
	       (unsigned long long)interface.port->received.packets,
	       (unsigned long long)interface.port->sent.packets,
	       (unsigned long long)interface.dropped);
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

	if (argc == 1) {
		show();
		return 0;
	}
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
	show();
	return 0;
}
