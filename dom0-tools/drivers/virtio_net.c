/* SPDX-License-Identifier: MIT */
/*
 * Network cards of virtio (VIRTIO 1.2, 5.1): one pair of queues and the control queue, packets sent from where they lie, large
 * and unfinished ones both ways as far as the device can.
 *
 * A few packets are received in the event handler itself; when more come, the device is left quiet and the card's thread goes
 * on, in turns with other threads (NAPI). The thread also looks whether packets that were sent stay away for too long,
 * or the device has lost track: then it is reset.
 *
 * All state is changed with events masked. What the device says is used once, from a copy, and bounded.
 */
#include "drivers/drivers.h"
#include "net/network.h"
#include "pci/virtio.h"
#include <errno.h>
#include <guest/clock.h>
#include <guest/event.h>
#include <guest/memory.h>
#include <guest/thread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* 5.1.3 */
#define FEATURE_CSUM	   (1ull << 0)
#define FEATURE_GUEST_CSUM (1ull << 1)
#define FEATURE_MTU	   (1ull << 3)
#define FEATURE_MAC	   (1ull << 5)
#define FEATURE_GUEST_TSO4 (1ull << 7)
#define FEATURE_GUEST_TSO6 (1ull << 8)
#define FEATURE_HOST_TSO4  (1ull << 11)
#define FEATURE_HOST_TSO6  (1ull << 12)
#define FEATURE_MRG_RXBUF  (1ull << 15)
#define FEATURE_STATUS	   (1ull << 16)
#define FEATURE_CTRL_VQ	   (1ull << 17)
#define FEATURE_CTRL_RX	   (1ull << 18)
#define FEATURES_LARGE	   (FEATURE_GUEST_TSO4 | FEATURE_GUEST_TSO6)
#define FEATURES                                                                          \
	(FEATURE_CSUM | FEATURE_GUEST_CSUM | FEATURE_MTU | FEATURE_MAC | FEATURES_LARGE | \
	 FEATURE_HOST_TSO4 | FEATURE_HOST_TSO6 | FEATURE_MRG_RXBUF | FEATURE_STATUS |     \
	 FEATURE_CTRL_VQ | FEATURE_CTRL_RX | VIRTIO_FEATURE_INDIRECT)

/* 5.1.4 */
#define CONFIG_MAC    0
#define CONFIG_STATUS 6
#define CONFIG_MTU    10
#define STATUS_LINK   1

/* 5.1.2: without VIRTIO_NET_F_MQ */
#define QUEUE_RX      0
#define QUEUE_TX      1
#define QUEUE_CONTROL 2

/* 5.1.6 */
struct header {
	uint8_t flags;
#define HEADER_NEEDS_CSUM 1
#define HEADER_DATA_VALID 2
	uint8_t gso_type;
#define HEADER_GSO_NONE	 0
#define HEADER_GSO_TCPV4 1
#define HEADER_GSO_TCPV6 4
	uint16_t header_length;
	uint16_t gso_size;
	uint16_t checksum_start, checksum_offset;
	uint16_t buffers;
};
_Static_assert(sizeof(struct header) == 12, "5.1.6");

/* 5.1.6.5.1 */
struct control {
	uint8_t class, command, on, answer;
#define CONTROL_RX	    0
#define CONTROL_PROMISCUOUS 0
#define CONTROL_OK	    0
};

#define RX_SIZE	     256
#define TX_SIZE	     256
#define POOL_PACKETS 384
#define POOL_PAGES   (RX_SIZE + 256) /* the ring's, and those of packets on their way */
#define BUDGET	     64		     /* packets a turn */
#define HANG	     (4 * NSEC_PER_SEC)
#define MTU_LEAST    68
#define MTU_MOST     9000

/* A packet that is being sent, and what the device was told of it. */
struct sending {
	struct sending *next;
	struct net_packet *packet;
	struct virtio_segment segments[1 + NET_SEGMENTS];
};

struct card {
	struct net_port port;
	struct virtio_device virtio;
	struct virtio_queue rx, tx, control;
	struct net_pool *pool;
	struct header *headers;	 /* one for each sending */
	struct control *command; /* behind them */
	dma_address_t shared_address;
	struct sending sendings[TX_SIZE];
	struct sending *idle;
	unsigned int in_flight;
	uint64_t
	    progress; /* when the thread saw first that nothing came back since; 0: something has */
	bool stopped; /* the device is being reset, or has been given up */
	bool polling; /* the thread receives */
	bool promiscuous, commanded, command_out;
	struct wait_queue wait;
};

#define SHARED_BYTES (TX_SIZE * sizeof(struct header) + sizeof(struct control))

/* ---- receiving ---- */

static void rx_fill(void *data)
{
	struct card *card = data;

	if (card->stopped)
		return;
	while (virtio_queue_has_room(&card->rx, 1)) {
		void *page = net_pool_take_page(card->pool);
		struct virtio_segment segment = {.length = PAGE_SIZE};

		if (!page) {
			net_pool_notify(card->pool, rx_fill, card);
			break;
		}
		segment.address = dma_map(card->virtio.pci, virt_to_machine(page), PAGE_SIZE);
		if (virtio_queue_add(&card->rx, &segment, 0, 1, page)) {
			net_pool_give_page(card->pool, page);
			break;
		}
	}
	virtio_queue_kick(&card->rx);
}

static void *rx_take(struct card *card, uint32_t *written)
{
	void *page = virtio_queue_take(&card->rx, written);

	if (page)
		dma_unmap(card->virtio.pci, virt_to_machine(page), PAGE_SIZE);
	return page;
}

/* What the header says of the packet; whether that fits the packet is for its user to check. False: it makes no sense. */
static bool describe(struct net_packet *packet, const struct header *header)
{
	if (header->flags & HEADER_NEEDS_CSUM) {
		packet->checksum = NET_CHECKSUM_PARTIAL;
		packet->checksum_start = header->checksum_start;
		packet->checksum_offset = header->checksum_offset;
	} else if (header->flags & HEADER_DATA_VALID) {
		packet->checksum = NET_CHECKSUM_VALID;
	}
	if (header->gso_type == HEADER_GSO_NONE)
		return true;
	packet->gso = header->gso_type == HEADER_GSO_TCPV4 ? NET_GSO_TCPV4 : NET_GSO_TCPV6;
	packet->gso_size = header->gso_size;
	return header->gso_type == HEADER_GSO_TCPV4 || header->gso_type == HEADER_GSO_TCPV6;
}

/*
 * The packet that begins in this page. All buffers that the device says are its are taken in any case, so that the next packet
 * begins with a header. NULL: an error, counted.
 */
static struct net_packet *rx_packet(struct card *card, uint8_t *page, uint32_t written)
{
	struct net_packet *packet = net_packet_alloc(card->pool);
	struct header header;
	bool good = packet != NULL;
	unsigned int buffers;

	memcpy(&header, page, sizeof(header));
	buffers = card->virtio.features & FEATURE_MRG_RXBUF ? header.buffers : 1;
	if (!good || written <= sizeof(header) || !buffers ||
	    !net_packet_add_taken(packet, page, sizeof(header), written - sizeof(header))) {
		net_pool_give_page(card->pool, page);
		good = false;
	}
	for (; buffers > 1; buffers--) {
		page = rx_take(card, &written);
		if (!page) {
			good = false;
			break;
		}
		if (!good || !net_packet_add_taken(packet, page, 0, written)) {
			net_pool_give_page(card->pool, page);
			good = false;
		}
	}
	if (good && describe(packet, &header))
		return packet;
	*(packet ? &card->port.received.errors : &card->port.received.dropped) += 1;
	net_packet_put(packet);
	return NULL;
}

/* At most BUDGET packets. False: there are more. */
static bool rx_poll(struct card *card)
{
	unsigned int count = 0;
	uint32_t written;
	void *page;

	while (count < BUDGET && (page = rx_take(card, &written)) != NULL) {
		struct net_packet *packet = rx_packet(card, page, written);

		count++;
		if (!packet)
			continue;
		net_port_receive(&card->port, packet);
		net_packet_put(packet);
	}
	if (count) {
		rx_fill(card);
		net_port_receive_end(&card->port);
	}
	return count < BUDGET;
}

static void on_rx(struct virtio_queue *queue)
{
	struct card *card = queue->driver;

	if (card->polling)
		return;
	if (rx_poll(card) && virtio_queue_listen(queue))
		return;
	virtio_queue_hush(queue);
	card->polling = true;
	wake_all(&card->wait);
}

/* ---- sending ---- */

static void sent(struct card *card, struct sending *sending)
{
	struct net_packet *packet = sending->packet;

	for (unsigned int i = 0; i < packet->count; i++)
		dma_unmap(card->virtio.pci, sending->segments[1 + i].address,
			  sending->segments[1 + i].length);
	sending->packet = NULL;
	sending->next = card->idle;
	card->idle = sending;
	card->in_flight--;
	card->progress = 0;
	net_packet_put(packet);
}

static void tx_reclaim(struct card *card)
{
	struct sending *sending;
	uint32_t written;

	while ((sending = virtio_queue_take(&card->tx, &written)) != NULL)
		sent(card, sending);
}

static void on_tx(struct virtio_queue *queue)
{
	struct card *card = queue->driver;

	do
		tx_reclaim(card);
	while (!virtio_queue_listen(queue));
}

static void write_header(const struct net_packet *packet, struct header *header)
{
	const uint8_t *bytes = packet->segments[0].data;

	*header = (struct header){0};
	if (packet->checksum != NET_CHECKSUM_PARTIAL)
		return;
	header->flags = HEADER_NEEDS_CSUM;
	header->checksum_start = packet->checksum_start;
	header->checksum_offset = packet->checksum_offset;
	if (packet->gso == NET_GSO_NONE)
		return;
	header->gso_type = packet->gso == NET_GSO_TCPV4 ? HEADER_GSO_TCPV4 : HEADER_GSO_TCPV6;
	header->gso_size = packet->gso_size;
	/* TCP's header length: the port's user has checked that the header is in the first segment. */
	header->header_length =
	    (uint16_t)(packet->checksum_start + (bytes[packet->checksum_start + 12] >> 4) * 4);
}

static void tx_add(struct card *card, struct sending *sending, struct net_packet *packet)
{
	unsigned int number = (unsigned int)(sending - card->sendings);

	write_header(packet, &card->headers[number]);
	sending->segments[0] = (struct virtio_segment){
	    card->shared_address + number * sizeof(struct header), sizeof(struct header)};
	for (unsigned int i = 0; i < packet->count; i++)
		sending->segments[1 + i] =
		    (struct virtio_segment){dma_map(card->virtio.pci, packet->segments[i].machine,
						    packet->segments[i].length),
					    packet->segments[i].length};
	if (virtio_queue_add(&card->tx, sending->segments, 1u + packet->count, 0, sending)) {
		card->port.sent.errors++;
		return;
	}
	card->idle = sending->next;
	sending->packet = net_packet_get(packet);
	if (!card->in_flight++)
		card->progress = 0;
	card->port.sent.packets++;
	card->port.sent.bytes += packet->length;
}

static void card_send(struct net_port *port, struct net_packet *packet)
{
	struct card *card = port->driver;

	if (card->stopped) {
		port->sent.dropped++;
		return;
	}
	if (!card->idle || !virtio_queue_has_room(&card->tx, 1u + packet->count))
		tx_reclaim(card);
	if (!card->idle || !virtio_queue_has_room(&card->tx, 1u + packet->count)) {
		port->sent.dropped++;
		return;
	}
	tx_add(card, card->idle, packet);
}

static void card_flush(struct net_port *port)
{
	struct card *card = port->driver;

	if (!card->stopped)
		virtio_queue_kick(&card->tx);
}

/* ---- the control queue ---- */

/* One command at a time; the last wish is what counts. */
static void command(struct card *card)
{
	uint64_t address = card->shared_address + TX_SIZE * sizeof(struct header);
	const struct virtio_segment segments[2] = {
	    {address, offsetof(struct control, answer)},
	    {address + offsetof(struct control, answer), sizeof(card->command->answer)},
	};

	if (card->stopped || card->command_out || card->commanded == card->promiscuous ||
	    !(card->virtio.features & FEATURE_CTRL_RX))
		return;
	*card->command = (struct control){.class = CONTROL_RX,
					  .command = CONTROL_PROMISCUOUS,
					  .on = card->promiscuous,
					  .answer = 255};
	if (virtio_queue_add(&card->control, segments, 1, 1, card))
		return;
	card->command_out = true;
	card->commanded = card->promiscuous;
	virtio_queue_kick(&card->control);
}

static void on_control(struct virtio_queue *queue)
{
	struct card *card = queue->driver;
	uint32_t written;

	do {
		while (virtio_queue_take(queue, &written)) {
			card->command_out = false;
			if (card->command->answer != CONTROL_OK)
				card->port.received.errors++;
		}
	} while (!virtio_queue_listen(queue));
	command(card);
}

static void card_promiscuous(struct net_port *port, bool on)
{
	struct card *card = port->driver;
	bool masked = events_save();

	card->promiscuous = on;
	command(card);
	events_restore(masked);
}

static const struct net_port_operations operations = {
    .send = card_send, .flush = card_flush, .promiscuous = card_promiscuous};

/* ---- the thread, link, reset ---- */

static bool has_link(const struct card *card)
{
	return !(card->virtio.features & FEATURE_STATUS) ||
	       virtio_config16(&card->virtio, CONFIG_STATUS) & STATUS_LINK;
}

static void on_config(struct virtio_device *virtio)
{
	struct card *card = virtio->driver;
	bool link = !card->stopped && has_link(card);

	if (link != card->port.link)
		net_port_changed(&card->port, link, card->port.features);
	if (virtio_needs_reset(virtio))
		wake_all(&card->wait);
}

static bool needs_reset(struct card *card)
{
	uint64_t now = clock_now();

	if (card->stopped)
		return false;
	if (card->rx.broken || card->tx.broken || card->control.broken ||
	    virtio_needs_reset(&card->virtio))
		return true;
	tx_reclaim(card);
	if (!card->in_flight || !card->progress)
		card->progress = now;
	return now - card->progress > HANG;
}

/* Everything that the device had comes back. */
static void take_back(struct card *card)
{
	void *token;

	while ((token = virtio_queue_take_back(&card->rx)) != NULL)
		net_pool_give_page(card->pool, token);
	while ((token = virtio_queue_take_back(&card->tx)) != NULL)
		sent(card, token);
	while (virtio_queue_take_back(&card->control))
		;
	card->command_out = card->commanded = false;
}

/* Buffers to write into, and interrupts. Events are masked. */
static void go(struct card *card)
{
	rx_fill(card);
	virtio_start(&card->virtio);
	virtio_queue_listen(&card->rx);
	virtio_queue_listen(&card->tx);
	command(card);
}

static void reset(struct card *card)
{
	long error;

	card->stopped = true;
	net_port_changed(&card->port, false, card->port.features);
	virtio_stop(&card->virtio);
	take_back(card);
	error = virtio_restart(&card->virtio);
	events_unmask();
	printf("%s: the card had stopped working and was reset%s\n", card->port.name,
	       error ? ", to which it does not answer" : "");
	events_mask();
	if (error)
		return;
	card->stopped = card->polling = false;
	card->progress = 0;
	go(card);
	net_port_changed(&card->port, has_link(card), card->port.features);
}

static void run(void *data)
{
	struct card *card = data;

	events_mask();
	for (;;) {
		while (card->polling && !card->stopped) {
			if (rx_poll(card) && virtio_queue_listen(&card->rx))
				card->polling = false;
			events_unmask();
			thread_yield();
			events_mask();
		}
		if (needs_reset(card))
			reset(card);
		else if (!card->polling)
			wait_on(&card->wait, clock_now() + HANG);
	}
}

/* ---- set-up ---- */

static void set_port(struct card *card)
{
	struct net_port *port = &card->port;
	uint64_t features = card->virtio.features;
	uint16_t mtu = virtio_config16(&card->virtio, CONFIG_MTU);

	port->operations = &operations;
	port->driver = card;
	port->mtu = 1500;
	if (features & FEATURE_MTU && mtu >= MTU_LEAST && mtu <= MTU_MOST)
		port->mtu = mtu;
	port->features = NET_FEATURE_SCATTER;
	if (features & FEATURE_CSUM)
		port->features |= NET_FEATURE_CHECKSUM_IPV4 | NET_FEATURE_CHECKSUM_IPV6;
	if (features & FEATURE_HOST_TSO4)
		port->features |= NET_FEATURE_GSO_TCPV4;
	if (features & FEATURE_HOST_TSO6)
		port->features |= NET_FEATURE_GSO_TCPV6;
	for (unsigned int i = 0; i < NET_MAC; i++)
		port->mac[i] = virtio_config8(&card->virtio, CONFIG_MAC + i);
	port->link = has_link(card);
}

/* Large packets come in many buffers, or in none of ours: without the one feature the others are not wanted. */
static long negotiate(struct card *card, struct pci_device *pci)
{
	long error = virtio_open(&card->virtio, pci);

	if (error)
		return error;
	error = virtio_negotiate(&card->virtio, FEATURES);
	if (error || card->virtio.features & FEATURE_MRG_RXBUF)
		return error;
	virtio_close(&card->virtio);
	card->virtio = (struct virtio_device){0};
	error = virtio_open(&card->virtio, pci);
	return error ? error
		     : virtio_negotiate(&card->virtio, FEATURES & ~(FEATURES_LARGE | FEATURE_MTU));
}

static long open_queues(struct card *card)
{
	struct virtio_device *virtio = &card->virtio;
	long error = virtio_interrupts(virtio, 3, on_config);

	card->rx.driver = card->tx.driver = card->control.driver = card;
	if (!error)
		error = virtio_queue_open(virtio, &card->rx, QUEUE_RX, RX_SIZE, 0, on_rx);
	if (!error)
		error = virtio_queue_open(virtio, &card->tx, QUEUE_TX, TX_SIZE, 1 + NET_SEGMENTS,
					  on_tx);
	if (!error && virtio->features & FEATURE_CTRL_VQ)
		error = virtio_queue_open(virtio, &card->control, QUEUE_CONTROL, 4, 0, on_control);
	return error;
}

static long allocate(struct card *card)
{
	card->pool = net_pool_create(POOL_PACKETS, POOL_PAGES);
	card->headers = dma_alloc(card->virtio.pci, SHARED_BYTES, &card->shared_address);
	if (!card->pool || !card->headers)
		return -ENOMEM;
	card->command = (struct control *)(card->headers + TX_SIZE);
	for (unsigned int i = 0; i < TX_SIZE; i++) {
		card->sendings[i].next = card->idle;
		card->idle = &card->sendings[i];
	}
	return 0;
}

/* Of a device that was not started. */
static void card_free(struct card *card)
{
	if (card->virtio.common)
		virtio_close(&card->virtio);
	if (card->headers)
		dma_free(card->virtio.pci, card->headers, SHARED_BYTES);
	if (card->pool)
		net_pool_destroy(card->pool);
	free(card);
}

static long set_up(struct card *card, struct pci_device *pci)
{
	struct thread *thread;
	long error = negotiate(card, pci);

	if (error)
		return error;
	card->virtio.driver = card;
	error = open_queues(card);
	if (!error)
		error = allocate(card);
	if (error)
		return error;
	set_port(card);
	thread = thread_create("virtio-net", run, card);
	if (!thread)
		return -ENOMEM;
	thread_detach(thread);
	return 0;
}

static long probe(struct pci_device *pci)
{
	struct card *card = calloc(1, sizeof(*card));
	long error;

	if (!card)
		return -ENOMEM;
	/* Its thread may run before the device does. */
	card->stopped = true;
	error = set_up(card, pci);
	if (error) {
		card_free(card);
		return error;
	}
	events_mask();
	card->stopped = false;
	go(card);
	events_unmask();
	network_add_card(&card->port);
	pci->used_as = card->port.name;
	return 0;
}

static const struct pci_match matches[] = {
    {VIRTIO_VENDOR, VIRTIO_PCI_MODERN(1), 0, 0},
    {VIRTIO_VENDOR, 0x1000, 0, 0}, /* transitional (4.1.2.1), used through its modern interface */
    {0, 0, 0, 0},
};

const struct pci_driver virtio_net_driver = {
    .name = "virtio-net", .matches = matches, .probe = probe};
