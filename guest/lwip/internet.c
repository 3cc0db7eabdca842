/* SPDX-License-Identifier: MIT */
/*
 * A network port as lwIP's interface.
 *
 * Receiving: the port's event handler appends packets to a short queue and tells lwIP's thread, once for all that are
 * waiting. lwIP writes into what it receives (it turns headers round, answers pings in place), so it gets a packet as it lies
 * only if nobody else holds it; else a copy.
 *
 * Sending: a buffer of lwIP's that is in one piece goes out as it lies, and is held until the port has let go of it. lwIP
 * changes no buffer that is held (tcp_output_segment_busy).
 */
#include <guest/clock.h>
#include <guest/event.h>
#include <guest/memory.h>
#include <guest/string.h>
#include <lwip/dhcp.h>
#include <lwip/dns.h>
#include <lwip/etharp.h>
#include <lwip/ip4_addr.h>
#include <lwip/netifapi.h>
#include <lwip/tcpip.h>
#include <netif/ethernet.h>
#include <internet.h>
#include <public/errno.h>

/* Packets and pages of a port's pool. */
#define POOL_PACKETS (INTERNET_QUEUE + 64)
#define POOL_PAGES   32

/*
 * Receiving
 */

/* A packet that lwIP has as it lies. */
struct received {
	struct pbuf_custom pbuf;
	struct net_packet *packet;
	struct received *next;
};

/* So many at most: the rest of the driver's buffers stay free to receive. */
static struct received holders[32];
static struct received *free_holders;

static struct received *take_holder(void)
{
	bool masked = events_save();
	struct received *holder = free_holders;

	if (holder)
		free_holders = holder->next;
	events_restore(masked);
	return holder;
}

static void put_holder(struct received *holder)
{
	bool masked = events_save();

	holder->next = free_holders;
	free_holders = holder;
	events_restore(masked);
}

static void release_received(struct pbuf *p)
{
	struct received *holder = (struct received *)p;

	net_packet_put(holder->packet);
	put_holder(holder);
}

/* The packet as a buffer that takes over the reference to it, or NULL. */
static struct pbuf *as_it_lies(struct net_packet *packet)
{
	struct received *holder;
	struct pbuf *p;

	if (packet->references != 1 || packet->base || packet->count != 1)
		return NULL;
	holder = take_holder();
	if (!holder)
		return NULL;
	holder->packet = packet;
	holder->pbuf.custom_free_function = release_received;
	p = pbuf_alloced_custom(PBUF_RAW, (u16_t)packet->length, PBUF_REF, &holder->pbuf,
				packet->segments[0].data, (u16_t)packet->length);
	if (!p)
		put_holder(holder);
	return p;
}

static struct pbuf *buffer_of(struct internet_interface *interface, struct net_packet *packet)
{
	uint32_t length = LWIP_MAX(packet->length, INTERNET_FRAME_MIN);
	struct pbuf *p = NULL;

	if (length > UINT16_MAX)
		goto out;
	if (interface->lend && length == packet->length)
		p = as_it_lies(packet);
	if (p)
		return p;
	p = pbuf_alloc(PBUF_RAW, (u16_t)length, PBUF_RAM);
	if (p) {
		net_packet_copy_out(packet, 0, p->payload, packet->length);
		memset((uint8_t *)p->payload + packet->length, 0, length - packet->length);
	}
out:
	net_packet_put(packet);
	return p;
}

static struct net_packet *take_queued(struct internet_interface *interface)
{
	bool masked = events_save();
	struct net_packet *packet = NULL;

	if (interface->queued) {
		packet = interface->queue[interface->first];
		interface->first = (interface->first + 1) % INTERNET_QUEUE;
		interface->queued--;
	}
	events_restore(masked);
	return packet;
}

/* The core's lock is held. */
static void follow_port(struct internet_interface *interface)
{
	struct netif *netif = &interface->netif;

	if (interface->port->features & NET_FEATURE_CHECKSUM_IPV4)
		netif->chksum_flags &= (u16_t) ~(NETIF_CHECKSUM_GEN_TCP | NETIF_CHECKSUM_GEN_UDP);
	else
		netif->chksum_flags |= NETIF_CHECKSUM_GEN_TCP | NETIF_CHECKSUM_GEN_UDP;
	if (interface->port->link)
		netif_set_link_up(netif);
	else
		netif_set_link_down(netif);
	wake_all(&interface->changed);
}

/* Tell lwIP's thread. Should its mailbox be full, the next packet's end tries again. Events are masked. */
static void schedule(struct internet_interface *interface)
{
	if (!interface->scheduled)
		interface->scheduled =
		    tcpip_callbackmsg_trycallback_fromisr(interface->message) == ERR_OK;
}

/* lwIP's thread, which holds the core's lock. */
static void input(void *data)
{
	struct internet_interface *interface = data;
	struct net_packet *packet;

	/* What comes from here on is told again. */
	interface->scheduled = false;
	if (interface->port_changed) {
		interface->port_changed = false;
		follow_port(interface);
	}
	while ((packet = take_queued(interface)) != NULL) {
		u16_t checks = NETIF_CHECKSUM_CHECK_TCP | NETIF_CHECKSUM_CHECK_UDP;
		bool complete = packet->checksum == NET_CHECKSUM_COMPLETE;
		struct pbuf *p = buffer_of(interface, packet);

		if (!p) {
			interface->dropped++;
			continue;
		}
		if (complete)
			interface->netif.chksum_flags |= checks;
		else
			interface->netif.chksum_flags &= (u16_t)~checks;
		if (interface->netif.input(p, &interface->netif) != ERR_OK)
			pbuf_free(p);
	}
}

/* Any context. */
static void receive(struct net_port *port, struct net_packet *packet)
{
	struct internet_interface *interface = port->user_data;
	bool masked = events_save();

	if (interface->queued < INTERNET_QUEUE)
		packet = net_packet_local(interface->pool, packet);
	else
		packet = NULL;
	port->prefer_local = true;
	if (packet)
		interface->queue[(interface->first + interface->queued++) % INTERNET_QUEUE] =
		    packet;
	else
		interface->dropped++;
	events_restore(masked);
}

static void receive_end(struct net_port *port)
{
	struct internet_interface *interface = port->user_data;
	bool masked = events_save();

	if (interface->queued || interface->port_changed)
		schedule(interface);
	events_restore(masked);
}

/*
 * Sending
 */

/* A buffer of lwIP's on its way. */
struct sent {
	struct net_packet packet;
	struct pbuf *pbuf;
	struct sent *next;
};

static struct sent senders[32];
static struct sent *free_senders;

static struct sent *take_sender(void)
{
	bool masked = events_save();
	struct sent *sent = free_senders;

	if (sent)
		free_senders = sent->next;
	events_restore(masked);
	return sent;
}

/* Any context. */
static void release_sent(struct net_packet *packet)
{
	struct sent *sent = (struct sent *)packet;
	bool masked = events_save();

	if (sent->pbuf)
		pbuf_free(sent->pbuf);
	sent->next = free_senders;
	free_senders = sent;
	events_restore(masked);
}

/* Is it in the domain's own pages, where machine addresses are known? */
static bool is_translatable(const void *data, size_t length)
{
	uintptr_t at = (uintptr_t)data;

	return at >= VIRT_BASE && at + length <= VIRT_BASE + (pages_total() << PAGE_SHIFT);
}

/* The buffer as it lies; false: it is not fit for that. */
static bool add_as_it_lies(struct net_packet *packet, struct pbuf *p)
{
	char *data = p->payload;
	uint32_t left = p->tot_len, here;

	if (p->next || !is_translatable(data, left))
		return false;
	here = PAGE_SIZE - ((uintptr_t)data & (PAGE_SIZE - 1));
	if (here < left && here < NET_HEADERS)
		return false;
	for (; left; data += here, left -= here) {
		here = PAGE_SIZE - ((uintptr_t)data & (PAGE_SIZE - 1));
		if (here > left)
			here = left;
		if (!net_packet_add(packet, data, virt_to_machine(data), here))
			return false;
	}
	return true;
}

static struct net_packet *send_as_it_lies(struct pbuf *p)
{
	struct sent *sent = take_sender();

	if (!sent)
		return NULL;
	sent->pbuf = NULL;
	net_packet_init(&sent->packet, release_sent);
	if (!add_as_it_lies(&sent->packet, p)) {
		net_packet_put(&sent->packet);
		return NULL;
	}
	pbuf_ref(p);
	sent->pbuf = p;
	return &sent->packet;
}

static struct net_packet *send_copied(struct internet_interface *interface, struct pbuf *p)
{
	struct net_packet *packet = net_packet_alloc(interface->pool);
	void *page;

	if (!packet)
		return NULL;
	for (u16_t from = 0; from < p->tot_len; from += PAGE_SIZE) {
		u16_t here = LWIP_MIN(PAGE_SIZE, p->tot_len - from);

		page = net_packet_add_page(packet, 0, here);
		if (!page) {
			net_packet_put(packet);
			return NULL;
		}
		pbuf_copy_partial(p, page, here, from);
	}
	return packet;
}

static err_t output(struct netif *netif, struct pbuf *p)
{
	struct internet_interface *interface = netif->state;
	struct net_packet *packet = send_as_it_lies(p);

	if (!packet)
		packet = send_copied(interface, p);
	if (!packet) {
		interface->dropped++;
		return ERR_MEM;
	}
	/* What lwIP has left open is only ever TCP's or UDP's; other packets have no such sum. */
	if (!(netif->chksum_flags & NETIF_CHECKSUM_GEN_TCP))
		net_checksum_prepare(packet);
	net_port_send(interface->port, packet);
	net_port_flush(interface->port);
	net_packet_put(packet);
	return ERR_OK;
}

/*
 * The interface
 */

/* Any context: lwIP's thread does it. */
static void port_changed(struct net_port *port)
{
	struct internet_interface *interface = port->user_data;
	bool masked = events_save();

	interface->port_changed = true;
	schedule(interface);
	events_restore(masked);
}

static void status_changed(struct netif *netif)
{
	struct internet_interface *interface = netif->state;

	wake_all(&interface->changed);
}

static err_t init(struct netif *netif)
{
	struct internet_interface *interface = netif->state;

	netif->name[0] = 'e';
	netif->name[1] = 'n';
	netif->output = etharp_output;
	netif->linkoutput = output;
	netif->mtu = interface->port->mtu;
	netif->hwaddr_len = NET_MAC;
	memcpy(netif->hwaddr, interface->port->mac, NET_MAC);
	netif->flags = NETIF_FLAG_BROADCAST | NETIF_FLAG_ETHARP | NETIF_FLAG_ETHERNET;
	NETIF_SET_CHECKSUM_CTRL(netif, NETIF_CHECKSUM_ENABLE_ALL);
	netif_set_status_callback(netif, status_changed);
	return ERR_OK;
}

void internet_start(void)
{
	for (size_t i = 0; i < LWIP_ARRAYSIZE(holders); i++)
		put_holder(&holders[i]);
	for (size_t i = 0; i < LWIP_ARRAYSIZE(senders); i++) {
		senders[i].next = free_senders;
		free_senders = &senders[i];
	}
	tcpip_init(NULL, NULL);
}

static const struct net_port_user user = {receive, receive_end, port_changed};

/* The core's lock is held. */
static void set_address(struct netif *netif, const struct internet_config *config)
{
	ip_addr_t dns;

	netif_set_hostname(netif, config->hostname);
	netif_set_up(netif);
	if (config->dhcp) {
		dhcp_start(netif);
		return;
	}
	netif_set_addr(netif, &config->address, &config->mask, &config->gateway);
	ip_addr_copy_from_ip4(dns, config->dns);
	dns_setserver(0, &dns);
}

void internet_configure(struct internet_interface *interface, const struct internet_config *config)
{
	struct netif *netif = &interface->netif;

	LOCK_TCPIP_CORE();
	/* If it has a lease the server is told that it is free. */
	dhcp_release_and_stop(netif);
	netif_set_addr(netif, NULL, NULL, NULL);
	dns_setserver(0, NULL);
	netif_set_down(netif);
	if (config)
		set_address(netif, config);
	UNLOCK_TCPIP_CORE();
}

long internet_add(struct internet_interface *interface, struct net_port *port, bool lend)
{
	memset(interface, 0, sizeof(*interface));
	interface->port = port;
	interface->lend = lend;
	interface->pool = net_pool_create(POOL_PACKETS, POOL_PAGES);
	if (!interface->pool)
		return -XEN_ENOMEM;
	interface->message = tcpip_callbackmsg_new(input, interface);
	if (!interface->message) {
		net_pool_destroy(interface->pool);
		return -XEN_ENOMEM;
	}
	LOCK_TCPIP_CORE();
	netif_add(&interface->netif, NULL, NULL, NULL, interface, init, ethernet_input);
	if (!netif_default)
		netif_set_default(&interface->netif);
	UNLOCK_TCPIP_CORE();
	net_port_attach(port, &user, interface);
	port_changed(port);
	return 0;
}

bool internet_wait(struct internet_interface *interface, uint64_t deadline)
{
	bool masked = events_save(), in_time = true, ready;

	for (;;) {
		ready = netif_is_up(&interface->netif) && netif_is_link_up(&interface->netif) &&
			!ip4_addr_isany(netif_ip4_addr(&interface->netif));
		if (ready || !in_time)
			break;
		in_time = wait_on(&interface->changed, deadline);
	}
	events_restore(masked);
	return ready;
}

bool internet_parse_address(const char *text, ip4_addr_t *address)
{
	return ip4addr_aton(text, address) != 0;
}
