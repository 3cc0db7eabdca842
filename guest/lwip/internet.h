/* SPDX-License-Identifier: MIT */
/*
 * lwIP on a network port (pv-drivers/net.h): a card, the front half of a split device, one end of a pair. Programs then
 * use lwip/api.h or lwip/sockets.h (lwip_socket and so on); lwIP's core functions only with LOCK_TCPIP_CORE held.
 *
 * For threads, but for what lwIP calls.
 */
#ifndef GUEST_LWIP_INTERNET_H
#define GUEST_LWIP_INTERNET_H

#include <stdbool.h>
#include <stdint.h>
#include <guest/thread.h>
#include <lwip/netif.h>
#include <pv-drivers/net.h>

struct internet_config {
	bool dhcp;			   /* then the addresses are not used */
	ip4_addr_t address, mask, gateway; /* gateway 0: none */
	ip4_addr_t dns;			   /* 0: none */
	const char *hostname;		   /* stays the caller's */
};

/*
 * A frame on a wire has this length at least, and lwIP relies on it: it reads an ARP packet, or an IP header, before it looks
 * whether that is there. Those of guests and of other interfaces here may lack the padding; they get it.
 */
#define INTERNET_FRAME_MIN 60

/* Packets that were received and wait for lwIP's thread. */
#define INTERNET_QUEUE 64

struct internet_interface {
	struct net_port *port;
	bool lend;
	struct netif netif;
	struct net_pool *pool; /* for what is sent, and for copies of what was received */
	struct net_packet *queue[INTERNET_QUEUE];
	unsigned int first, queued;
	bool port_changed; /* since lwIP's thread last looked */
	bool scheduled;	   /* lwIP's thread has been told */
	struct tcpip_callback_msg *message;
	struct wait_queue changed; /* of address or link */
	uint64_t dropped;	   /* for want of room, either way */
};

/* Start lwIP and its thread; once. */
void internet_start(void);

/*
 * Make the port an interface, the default one if it is the first, without an address. It is up when the port's link is. The
 * structure lasts for ever. lend: programs may keep what was received for as long as they like, in the driver's buffers,
 * since those are for us alone; else they get copies. 0, or -XEN_ENOMEM.
 */
long internet_add(struct internet_interface *interface, struct net_port *port, bool lend);

/*
 * Give it an address, in place of the one that it has; with dhcp it asks for one, now and whenever the link comes. NULL: it
 * has none from now on.
 */
void internet_configure(struct internet_interface *interface, const struct internet_config *config);

/* Wait for it to have a link and an address, until a system time (0: for ever). False: it has none by then. */
bool internet_wait(struct internet_interface *interface, uint64_t deadline);

/* Dotted decimal. False: it is none. */
bool internet_parse_address(const char *text, ip4_addr_t *address);

#endif
