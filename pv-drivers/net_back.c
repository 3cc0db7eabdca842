/* SPDX-License-Identifier: MIT */
/*
 * The interface as a whole: its life, its events, and the thread that serves those whose handlers have used up their
 * share of the time. All state changes with events masked, which is the locking.
 */
#include "net_back_internal.h"
#include <guest/console.h>
#include <guest/event.h>
#include <guest/hypercall.h>
#include <guest/string.h>
#include <guest/thread.h>
#include <public/errno.h>

/* Packets taken in one go: in a handler, and by the thread before it lets others run. */
#define BUDGET 64

/*
 * Handlers of all interfaces together may take SHARE of each PERIOD; an event counts EVENT_COST on top of what is measured.
 * Beyond that a port is masked and left to the thread, which is one among others.
 */
#define PERIOD	   (10 * NSEC_PER_MSEC)
#define SHARE	   (5 * NSEC_PER_MSEC)
#define EVENT_COST 1000

static struct {
	struct net_back *all;
	/* Queues for the thread, in turn. */
	struct net_back_queue *first, **last;
	struct wait_queue work;
	struct thread *thread;
	uint64_t wake_at; /* the soonest of all tx_wait and stall_at; 0: none */
	uint64_t period, spent;
	struct wait_queue freed;
} service = {.last = &service.first};

/* Hypercalls */

void net_back_copy(struct net_back *back, struct net_back_copies *copies)
{
	back->counters.copies += copies->count;
	if (!hypercall_grant_table_op(GNTTABOP_copy, copies->list, copies->count))
		return;
	/* The call as a whole fails for a list that is not mapped, never for what is in it. */
	for (unsigned int i = 0; i < copies->count; i++)
		copies->list[i].status = GNTST_general_error;
}

void net_back_notify(struct net_back_queue *queue, evtchn_port_t port)
{
	queue->back->counters.notifications++;
	event_send(port);
}

/* The thread */

void net_back_wake_at(uint64_t time)
{
	if (service.wake_at && service.wake_at <= time)
		return;
	service.wake_at = time;
	wake_one(&service.work);
}

void net_back_wake(void)
{
	wake_one(&service.work);
}

void net_back_poll(struct net_back_queue *queue)
{
	if (queue->polled)
		return;
	queue->polled = true;
	queue->next_polled = NULL;
	*service.last = queue;
	service.last = &queue->next_polled;
	wake_one(&service.work);
}

void net_back_packet_freed(struct net_back_queue *queue)
{
	if (queue->tx_starved)
		net_back_poll(queue);
	wake_all(&service.freed);
}

static struct net_back_queue *next_polled(void)
{
	struct net_back_queue *queue = service.first;

	if (!queue)
		return NULL;
	service.first = queue->next_polled;
	if (!service.first)
		service.last = &service.first;
	queue->polled = false;
	return queue;
}

static void forget_polled(struct net_back_queue *queue)
{
	struct net_back_queue **at = &service.first;

	if (!queue->polled)
		return;
	while (*at != queue)
		at = &(*at)->next_polled;
	*at = queue->next_polled;
	if (service.last == &queue->next_polled)
		service.last = at;
	queue->polled = false;
}

/* True: there is more to do at once. */
static bool serve(struct net_back_queue *queue)
{
	if (queue->waits)
		net_back_fill(queue);
	return queue->connected && net_back_take(queue, BUDGET);
}

static void open_events(struct net_back_queue *queue)
{
	if (!queue->events_closed)
		return;
	queue->events_closed = false;
	event_unmask(queue->tx_port);
	if (queue->rx_port != queue->tx_port)
		event_unmask(queue->rx_port);
}

static void close_events(struct net_back_queue *queue)
{
	queue->events_closed = true;
	event_mask(queue->tx_port);
	if (queue->rx_port != queue->tx_port)
		event_mask(queue->rx_port);
}

/* What is due of what waits for a time; finds the time of the rest. */
static void look_at_times(uint64_t now)
{
	service.wake_at = 0;
	for (struct net_back *back = service.all; back; back = back->next) {
		for (unsigned int i = 0; i < back->front.queues && back->connected; i++) {
			struct net_back_queue *queue = &back->queue[i];

			if (queue->stall_at && queue->stall_at <= now)
				net_back_stall(queue);
			else if (queue->stall_at)
				net_back_wake_at(queue->stall_at);
			if (queue->tx_wait && queue->tx_wait <= now)
				net_back_poll(queue);
			else if (queue->tx_wait)
				net_back_wake_at(queue->tx_wait);
		}
	}
}

bool net_back_round(void)
{
	bool controlled = net_back_control_round();
	struct net_back_queue *queue;

	if (service.wake_at && service.wake_at <= clock_now())
		look_at_times(clock_now());
	queue = next_polled();
	if (!queue)
		return controlled;
	if (!queue->connected)
		return true;
	if (serve(queue))
		net_back_poll(queue);
	else if (queue->connected)
		open_events(queue);
	return true;
}

static void run(void *unused)
{
	events_mask();
	for (;;) {
		if (!net_back_round())
			wait_on(&service.work, service.wake_at);
		/* Others run here, and events come in. */
		events_unmask();
		events_mask();
	}
}

/* Events */

/* Is there time left for handlers? */
static bool within_share(uint64_t now)
{
	if (now - service.period > PERIOD) {
		service.period = now;
		service.spent = 0;
	}
	return service.spent < SHARE;
}

static void on_event(evtchn_port_t port, void *data)
{
	struct net_back_queue *queue = data;
	uint64_t now = clock_now();
	bool more;

	queue->back->counters.events++;
	if (!queue->connected)
		return;
	if (within_share(now)) {
		more = serve(queue);
		service.spent += clock_now() - now + EVENT_COST;
		if (!more || !queue->connected)
			return;
	}
	close_events(queue);
	net_back_poll(queue);
}

/* Connecting */

static uint32_t features_of(const struct net_back_front *front)
{
	/* Any number of segments fit into a buffer. */
	uint32_t features = NET_FEATURE_SCATTER | NET_FEATURE_GRANTED;

	if (front->checksum_ipv4)
		features |= NET_FEATURE_CHECKSUM_IPV4;
	if (front->checksum_ipv6)
		features |= NET_FEATURE_CHECKSUM_IPV6;
	if (front->scatter && front->checksum_ipv4 && front->gso_tcpv4)
		features |= NET_FEATURE_GSO_TCPV4;
	if (front->scatter && front->checksum_ipv6 && front->gso_tcpv6)
		features |= NET_FEATURE_GSO_TCPV6;
	return features;
}

static void close_ports(struct net_back_queue *queue)
{
	if (queue->tx_port)
		event_close(queue->tx_port);
	if (queue->rx_port && queue->rx_port != queue->tx_port)
		event_close(queue->rx_port);
	queue->tx_port = queue->rx_port = 0;
}

static long bind_ports(struct net_back_queue *queue, const struct net_back_front *front,
		       evtchn_port_t tx_event, evtchn_port_t rx_event)
{
	long port = event_bind_interdomain(front->domain, tx_event, on_event, queue);

	if (port < 0)
		return port;
	queue->tx_port = queue->rx_port = (evtchn_port_t)port;
	if (rx_event == tx_event)
		return 0;
	port = event_bind_interdomain(front->domain, rx_event, on_event, queue);
	if (port < 0)
		return port;
	queue->rx_port = (evtchn_port_t)port;
	return 0;
}

/* Where an earlier back half has stopped to answer, 0 with a new ring. Requests that it had taken are taken again. */
static bool attach_rings(struct net_back_queue *queue)
{
	netif_tx_sring_t *tx = queue->rings.address;
	netif_rx_sring_t *rx = (void *)((char *)queue->rings.address + PAGE_SIZE);
	RING_IDX at;

	at = __atomic_load_n(&tx->rsp_prod, __ATOMIC_ACQUIRE);
	BACK_RING_ATTACH(&queue->tx, tx, at, PAGE_SIZE);
	at = __atomic_load_n(&rx->rsp_prod, __ATOMIC_ACQUIRE);
	BACK_RING_ATTACH(&queue->rx, rx, at, PAGE_SIZE);
	return !RING_REQUEST_PROD_OVERFLOW(&queue->tx, *(volatile RING_IDX *)&tx->req_prod) &&
	       !RING_REQUEST_PROD_OVERFLOW(&queue->rx, *(volatile RING_IDX *)&rx->req_prod);
}

static void disconnect_queue(struct net_back_queue *queue)
{
	queue->connected = false;
	forget_polled(queue);
	net_back_drop_waiting(queue);
	close_ports(queue);
	grant_unmap(&queue->rings);
	queue->tx_wait = 0;
	queue->stalled = queue->events_closed = queue->tx_starved = false;
}

static long connect_queue(struct net_back *back, unsigned int number)
{
	struct net_back_queue *queue = &back->queue[number];
	const struct net_back_front *front = &back->front;
	grant_ref_t refs[2] = {front->queue[number].tx, front->queue[number].rx};
	long error;

	if (!net_back_packets_init(queue))
		return -XEN_ENOMEM;
	error = grant_map(&queue->rings, front->domain, refs, 2, true);
	if (error)
		return error;
	error = -XEN_EINVAL;
	if (attach_rings(queue))
		error = bind_ports(queue, front, front->queue[number].tx_event,
				   front->queue[number].rx_event);
	if (error) {
		disconnect_queue(queue);
		return error;
	}
	queue->connection++;
	queue->connected = true;
	/* What was sent before we came. */
	net_back_poll(queue);
	return 0;
}

long net_back_connect(struct net_back *back, const struct net_back_front *front)
{
	bool masked;
	long error = 0;

	if (!front->queues || front->queues > NET_BACK_QUEUES)
		return -XEN_EINVAL;
	masked = events_save();
	back->front = *front;
	back->broken = false;
	back->groups_used = 0;
	for (unsigned int i = 0; i < front->queues && !error; i++) {
		error = connect_queue(back, i);
		while (error && i)
			disconnect_queue(&back->queue[--i]);
	}
	if (!error) {
		error = net_back_control_connect(back);
		for (unsigned int i = 0; i < front->queues && error; i++)
			disconnect_queue(&back->queue[i]);
	}
	back->connected = !error;
	if (!error)
		net_port_changed(&back->port, net_back_carrier(back), features_of(front));
	events_restore(masked);
	return error;
}

void net_back_disconnect(struct net_back *back)
{
	bool masked = events_save();

	if (back->connected) {
		back->connected = false;
		net_port_changed(&back->port, false, back->port.features);
		for (unsigned int i = 0; i < back->front.queues; i++)
			disconnect_queue(&back->queue[i]);
		net_back_control_disconnect(back);
	}
	events_restore(masked);
}

/* The rings stay mapped until the service disconnects: we may be in the middle of one. */
void net_back_break(struct net_back *back, const char *why)
{
	if (back->broken)
		return;
	back->broken = true;
	printk("%s: cut off: %s\n", back->config.name, why);
	for (unsigned int i = 0; i < back->front.queues; i++) {
		struct net_back_queue *queue = &back->queue[i];

		queue->connected = false;
		close_events(queue);
	}
	if (back->control.port)
		event_mask(back->control.port);
	if (back->config.broken)
		back->config.broken(back->config.data);
}

/* The port */

static uint32_t mix(uint32_t hash, const uint8_t *bytes, unsigned int count)
{
	for (unsigned int i = 0; i < count; i++)
		hash = (hash ^ bytes[i]) * 16777619u;
	return hash;
}

/* All packets of a connection go the same way, so that they keep their order. */
static unsigned int choose_queue(const struct net_back *back, const struct net_packet *packet)
{
	const uint8_t *bytes = packet->segments[0].data;
	struct net_headers headers;
	uint32_t hash = 2166136261u;

	if (back->front.queues == 1 || !net_headers_find(packet, &headers))
		return 0;
	if (headers.ethertype == NET_ETHERTYPE_IPV4 && headers.transport)
		hash = mix(hash, bytes + headers.network + 12, 8);
	else if (headers.ethertype == NET_ETHERTYPE_IPV6 && headers.transport)
		hash = mix(hash, bytes + headers.network + 8, 32);
	if (headers.data)
		hash = mix(hash, bytes + headers.transport, 4);
	return (hash >> 16) % back->front.queues;
}

/* With multicast control the guest has said which groups it wants. */
static bool is_wanted(const struct net_back *back, const struct net_packet *packet)
{
	static const uint8_t broadcast[NET_MAC] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
	const uint8_t *to = packet->segments[0].data;

	if (!back->front.multicast_control || !(to[0] & 1) || !memcmp(to, broadcast, NET_MAC))
		return true;
	for (unsigned int i = 0; i < back->groups_used; i++)
		if (!memcmp(to, back->groups[i], NET_MAC))
			return true;
	return false;
}

/* By the hash that the guest has set, or as we like. */
static void distribute(struct net_back *back, struct net_packet *packet)
{
	struct net_hash_value hash = {0};
	unsigned int queue;

	if (back->hash.algorithm)
		hash = net_hash_packet(&back->hash, packet);
	queue = hash.valid ? net_hash_queue(&back->hash, hash.value, back->front.queues)
			   : choose_queue(back, packet);
	net_back_queue_packet(&back->queue[queue], packet, hash);
}

static void send(struct net_port *port, struct net_packet *packet)
{
	struct net_back *back = port->driver;

	if (!port->link || back->broken)
		port->sent.dropped++;
	else if (is_wanted(back, packet))
		distribute(back, packet);
}

static void flush(struct net_port *port)
{
	struct net_back *back = port->driver;

	for (unsigned int i = 0; i < back->front.queues && back->connected; i++)
		if (back->queue[i].waits)
			net_back_fill(&back->queue[i]);
}

void net_back_set_multicast_control(struct net_back *back, bool on)
{
	/* Read once for each packet. */
	back->front.multicast_control = on;
}

/* The link */

bool net_back_carrier(const struct net_back *back)
{
	return !back->down && !back->severed;
}

static void update_link(struct net_back *back)
{
	bool link = back->connected && net_back_carrier(back);

	if (back->port.link == link)
		return;
	net_port_changed(&back->port, link, back->port.features);
	for (unsigned int i = 0; i < back->front.queues && !link; i++)
		net_back_drop_waiting(&back->queue[i]);
}

void net_back_set_link(struct net_back *back, bool up)
{
	bool masked = events_save();

	back->down = !up;
	update_link(back);
	events_restore(masked);
}

static void beyond(struct net_port *port, bool there)
{
	struct net_back *back = port->driver;
	bool before = net_back_carrier(back);

	back->severed = !there;
	update_link(back);
	if (before != net_back_carrier(back) && back->config.carrier_changed)
		back->config.carrier_changed(back->config.data);
}

static const struct net_port_operations operations = {
    .send = send, .flush = flush, .beyond = beyond};

/* Life */

static bool start_thread(void)
{
	if (!service.thread) {
		service.thread = thread_create("netback", run, NULL);
		if (service.thread)
			thread_detach(service.thread);
	}
	return service.thread;
}

/* The rate as a bucket: so many bytes each interval, which may come at once. */
static void set_rate(struct net_back *back)
{
	uint64_t bytes = back->config.rate_bytes, interval = back->config.rate_nanoseconds, rate;

	if (!bytes || !interval)
		return;
	if (__builtin_mul_overflow(bytes, NSEC_PER_SEC, &rate))
		rate = UINT64_MAX;
	rate /= interval;
	net_rate_set(&back->rate, rate ? rate : 1, bytes, clock_now());
}

#define OWN_PAGES ((sizeof(struct net_back) + PAGE_SIZE - 1) / PAGE_SIZE)

struct net_back *net_back_create(const struct net_back_config *config)
{
	struct net_back *back;
	bool masked;

	if (!start_thread())
		return NULL;
	back = pages_alloc(OWN_PAGES);
	if (!back)
		return NULL;
	memset(back, 0, OWN_PAGES * PAGE_SIZE);
	back->config = *config;
	for (unsigned int i = 0; i < NET_BACK_QUEUES; i++)
		back->queue[i].back = back;
	memcpy(back->port.name, config->name, sizeof(config->name));
	memcpy(back->port.mac, config->mac, NET_MAC);
	back->port.mtu = config->mtu;
	back->port.operations = &operations;
	back->port.driver = back;
	set_rate(back);
	masked = events_save();
	back->next = service.all;
	service.all = back;
	events_restore(masked);
	return back;
}

static bool is_in_use(const struct net_back *back)
{
	for (unsigned int i = 0; i < NET_BACK_QUEUES; i++)
		if (back->queue[i].on_the_way)
			return true;
	return false;
}

void net_back_destroy(struct net_back *back)
{
	struct net_back **at = &service.all;
	bool masked;

	net_back_disconnect(back);
	masked = events_save();
	while (is_in_use(back))
		wait_on(&service.freed, 0);
	while (*at != back)
		at = &(*at)->next;
	*at = back->next;
	events_restore(masked);
	for (unsigned int i = 0; i < NET_BACK_QUEUES; i++)
		if (back->queue[i].memory)
			pages_free(back->queue[i].memory, NET_BACK_QUEUE_PAGES);
	pages_free(back, OWN_PAGES);
}

struct net_port *net_back_port(struct net_back *back)
{
	return &back->port;
}

void net_back_count(const struct net_back *back, struct net_back_counters *counters)
{
	bool masked = events_save();

	*counters = back->counters;
	events_restore(masked);
}

void net_back_look(const struct net_back *back, struct net_back_status *status)
{
	bool masked = events_save();

	*status = (struct net_back_status){
	    .connected = back->connected,
	    .carrier = net_back_carrier(back),
	    .down = back->down,
	    .queues = back->connected ? back->front.queues : 0,
	    .multicast_control = back->front.multicast_control,
	    .groups = back->groups_used,
	    .hash_types = back->hash.algorithm ? back->hash.types : 0,
	};
	events_restore(masked);
}
