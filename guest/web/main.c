/* SPDX-License-Identifier: MIT */
/*
 * A web server that is a domain of its own: the runtime (guest/), the front half of a network interface
 * (pv-drivers/net_front.h), lwIP on it (guest/lwip/), and a page that tells about the guest. It asks for an address
 * by DHCP, prints where the page is, and obeys `xl shutdown` and `xl reboot`.
 *
 * The domain's arguments may give an address in place of DHCP: ip=10.0.0.9 mask=255.255.255.0 gw=10.0.0.1
 */
#include <guest/clock.h>
#include <guest/console.h>
#include <guest/format.h>
#include <guest/memory.h>
#include <guest/start.h>
#include <guest/string.h>
#include <guest/thread.h>
#include <internet.h>
#include <lwip/api.h>
#include <lwip/tcpip.h>
#include <public/errno.h>
#include <public/sched.h>
#include <pv-drivers/net_front.h>
#include <pv-drivers/xs_ring.h>

#define PORT	80
#define WORKERS 4
/* A visitor who says too much, or nothing for so long, is let go. */
#define REQUEST	   2048
#define TIMEOUT_MS 5000

static struct xs xs;
static struct net_front front;
static struct internet_interface interface;
static struct netconn *listener;
static unsigned long visits;

/* Requests of the toolstack: a word that appears in control/shutdown. */
static void on_shutdown(struct xs_watch *watch, const char *path)
{
	char word[16];

	if (xs_read(&xs, 0, "control/shutdown", word, sizeof(word)) <= 0)
		return;
	xs_write(&xs, 0, "control/shutdown", "", 0);
	printk("web: asked to %s\n", word);
	if (!strcmp(word, "poweroff") || !strcmp(word, "halt"))
		shutdown(SHUTDOWN_poweroff);
	if (!strcmp(word, "reboot"))
		shutdown(SHUTDOWN_reboot);
}

static struct xs_watch shutdown_watch = {.path = "control/shutdown", .fired = on_shutdown};

static void start_store(void)
{
	long error = xs_connect_ring(&xs);

	if (!error)
		error = xs_dispatch_thread(&xs, "watches");
	if (error)
		panic("web: there is no store, error %ld", error);
	xs_write(&xs, 0, "control/feature-poweroff", "1", 1);
	xs_write(&xs, 0, "control/feature-reboot", "1", 1);
	xs_watch(&xs, &shutdown_watch);
}

/* The value of name= among the domain's arguments as an address. */
static bool argument(const char *name, ip4_addr_t *address)
{
	const char *at = (const char *)start_info->cmd_line;
	size_t length = strlen(name), i;
	char value[16];

	for (; *at; at++) {
		if (strncmp(at, name, length) != 0)
			continue;
		at += length;
		for (i = 0; at[i] && at[i] != ' ' && i < sizeof(value) - 1; i++)
			value[i] = at[i];
		value[i] = 0;
		return internet_parse_address(value, address);
	}
	return false;
}

static void start_network(void)
{
	struct internet_config config = {.hostname = "web"};
	long error = net_front_open(&front, &xs, "device/vif/0");

	if (error)
		panic("web: no network interface (device/vif/0), error %ld", error);
	config.dhcp = !argument("ip=", &config.address);
	if (!config.dhcp && !argument("mask=", &config.mask))
		IP4_ADDR(&config.mask, 255, 255, 255, 0);
	argument("gw=", &config.gateway);
	internet_start();
	error = internet_add(&interface, &front.port, true);
	if (error)
		panic("web: no memory for the network, error %ld", error);
	internet_configure(&interface, &config);
}

static void on_link(struct netif *netif)
{
	printk("web: the link is %s\n", netif_is_link_up(netif) ? "up" : "down");
}

static void format_address(char *text, size_t size)
{
	ip4addr_ntoa_r(netif_ip4_addr(&interface.netif), text, (int)size);
}

/* The page, and its answer's header before it. Returns the length of both. */
static size_t make_page(char *to, size_t size, bool found)
{
	static const char page[] =
	    "<!DOCTYPE html><html><head><title>A guest on Cerne</title></head><body>\n"
	    "<h1>Hello from a guest on Cerne</h1>\n"
	    "<p>This web server is a domain of its own: no operating system, %lu KiB of memory.</p>\n"
	    "<table>\n<tr><td>Address<td>%s\n<tr><td>Up<td>%lu.%03lu s\n<tr><td>Visits<td>%lu\n"
	    "<tr><td>Packets in, out<td>%lu, %lu\n</table></body></html>\n";
	char body[1024], address[16];
	uint64_t now = clock_now();
	int length;

	format_address(address, sizeof(address));
	if (found)
		length =
		    format_string(body, sizeof(body), page, pages_total() * 4, address,
				  now / NSEC_PER_SEC, now % NSEC_PER_SEC / NSEC_PER_MSEC, ++visits,
				  front.port.received.packets, front.port.sent.packets);
	else
		length = format_string(body, sizeof(body), "There is only one page, /\n");
	return (size_t)format_string(
	    to, size,
	    "HTTP/1.0 %s\r\nContent-Type: text/%s\r\nContent-Length: %d\r\n"
	    "Connection: close\r\n\r\n%s",
	    found ? "200 OK" : "404 Not Found", found ? "html" : "plain", length, body);
}

/* Read up to the blank line that ends a request. False: it did not come. */
static bool read_request(struct netconn *client, char *request)
{
	size_t have = 0;
	struct netbuf *buffer;

	while (netconn_recv(client, &buffer) == ERR_OK) {
		have += netbuf_copy(buffer, request + have, REQUEST - 1 - have);
		netbuf_delete(buffer);
		request[have] = 0;
		for (const char *at = request; *at; at++)
			if (!strncmp(at, "\r\n\r\n", 4) || !strncmp(at, "\n\n", 2))
				return true;
		if (have == REQUEST - 1)
			return false;
	}
	return false;
}

static void serve(struct netconn *client)
{
	char request[REQUEST], answer[1536];
	size_t length, written;

	netconn_set_recvtimeout(client, TIMEOUT_MS);
	netconn_set_sendtimeout(client, TIMEOUT_MS);
	if (read_request(client, request)) {
		length = make_page(answer, sizeof(answer), !strncmp(request, "GET / ", 6));
		/* All of it fits into what lwIP keeps for a connection. */
		netconn_write_partly(client, answer, length, NETCONN_COPY, &written);
		netconn_close(client);
	}
	netconn_delete(client);
}

static void work(void *unused)
{
	struct netconn *client;

	for (;;)
		if (netconn_accept(listener, &client) == ERR_OK)
			serve(client);
}

void guest_main(void)
{
	long error = threads_init("web");
	char address[16];

	if (error)
		panic("no timer, error %ld", error);
	printk("web: a web server with %lu KiB of memory\n", pages_total() * 4);
	start_store();
	start_network();
	listener = netconn_new(NETCONN_TCP);
	if (!listener || netconn_bind(listener, IP_ADDR_ANY, PORT) != ERR_OK ||
	    netconn_listen(listener) != ERR_OK)
		panic("web: cannot listen on port %d", PORT);
	for (unsigned int i = 1; i < WORKERS; i++)
		if (!thread_create("worker", work, NULL))
			panic("web: no memory for a thread");
	while (!internet_wait(&interface, clock_now() + 10 * NSEC_PER_SEC))
		printk("web: still waiting for an address\n");
	format_address(address, sizeof(address));
	printk("web: http://%s/\n", address);
	LOCK_TCPIP_CORE();
	netif_set_link_callback(&interface.netif, on_link);
	UNLOCK_TCPIP_CORE();
	work(NULL);
}
