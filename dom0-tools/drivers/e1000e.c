/* SPDX-License-Identifier: MIT */
/*
 * Intel's 82574L (numbers of sections and registers: its datasheet, 317694): one queue each way, legacy descriptors for what is
 * received, extended ones for what is sent, with checksums and TCP's segmentation by the card.
 *
 * Packets are sent from where they lie; of those that the card cuts, the headers are copied, because the card wants other
 * values in them. A few packets are received in the event handler; when more come, the card's interrupts are masked and its thread
 * goes on, in turns with other threads. The thread also looks whether packets that were sent stay away: then the card is
 * reset.
 *
 * All state is changed with events masked. Of what the card writes only lengths and flags of descriptors are used, once, from
 * copies.
 */
#include "drivers/drivers.h"
#include "net/network.h"
#include "pci/dma.h"
#include "pci/pci.h"
#include <errno.h>
#include <guest/clock.h>
#include <guest/event.h>
#include <guest/memory.h>
#include <guest/thread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Registers, 10.2 */
#define CTRL		 0x0000
#define CTRL_FULL_DUPLEX (1u << 0)
#define CTRL_NO_MASTER	 (1u << 2)
#define CTRL_LINK_UP	 (1u << 6)
#define CTRL_RESET	 (1u << 26)
#define STATUS		 0x0008
#define STATUS_LINK	 (1u << 1)
#define STATUS_MASTER	 (1u << 19)
#define CTRL_EXT	 0x0018
#define CTRL_EXT_LOADED	 (1u << 28) /* tells management firmware that there is a driver */
#define CTRL_EXT_PBA	 (1u << 31) /* MSI-X's pending bits are cleared with the cause */
#define ICR		 0x00c0
#define ITR		 0x00c4
#define IMS		 0x00d0
#define IMC		 0x00d8
#define EIAC		 0x00dc
#define IVAR		 0x00e4
#define EITR0		 0x00e8
#define CAUSE_TX	 (1u << 0)
#define CAUSE_LINK	 (1u << 2)
#define CAUSE_RX_FEW	 (1u << 4)
#define CAUSE_RX_OVERRUN (1u << 6)
#define CAUSE_RX	 (1u << 7)
#define CAUSE_RX_QUEUE	 (1u << 20)
#define CAUSE_TX_QUEUE	 (1u << 22)
#define CAUSE_OTHER	 (1u << 24)
#define CAUSES		 (CAUSE_TX | CAUSE_LINK | CAUSE_RX_FEW | CAUSE_RX_OVERRUN | CAUSE_RX)
#define CAUSES_MSIX	 (CAUSES | CAUSE_RX_QUEUE | CAUSE_TX_QUEUE | CAUSE_OTHER)
#define RCTL		 0x0100
#define RCTL_ENABLE	 (1u << 1)
#define RCTL_PROMISCUOUS (1u << 3)
#define RCTL_ALL_GROUPS	 (1u << 4)
#define RCTL_BROADCAST	 (1u << 15)
#define RCTL_4096	 (3u << 16 | 1u << 25) /* BSIZE and BSEX: buffers of a page */
#define RCTL_STRIP_CRC	 (1u << 26)
#define TCTL		 0x0400
#define TCTL_ENABLE	 (1u << 1)
#define TCTL_PAD	 (1u << 3)
#define TCTL_COLLISIONS	 (15u << 4 | 63u << 12)
#define TCTL_MULTIPLE	 (1u << 28) /* reads of several descriptors at a time */
#define TIPG		 0x0410
#define TIPG_COPPER	 (8u | 8u << 10 | 6u << 20)
#define RDBAL		 0x2800
#define RDBAH		 0x2804
#define RDLEN		 0x2808
#define RDH		 0x2810
#define RDT		 0x2818
#define RDTR		 0x2820
#define RXDCTL		 0x2828
#define TDBAL		 0x3800
#define TDBAH		 0x3804
#define TDLEN		 0x3808
#define TDH		 0x3810
#define TDT		 0x3818
#define TIDV		 0x3820
#define TXDCTL		 0x3828
#define TADV		 0x382c
#define DCTL_COMMON	 (1u << 24 | 1u << 16) /* thresholds in descriptors; write back each */
#define TXDCTL_RESERVED	 (1u << 22)	       /* to be set */
#define ERRORS_CRC	 0x4000
#define ERRORS_RX	 0x400c
#define MISSED		 0x4010
#define RXCSUM		 0x5000
#define RXCSUM_ON	 (1u << 8 | 1u << 9)
#define MTA		 0x5200 /* 128 words */
#define RAL0		 0x5400
#define RAH0		 0x5404
#define RAH_VALID	 (1u << 31)
#define REGISTERS	 0x6000

/* One vector for all causes of MSI-X: a valid bit in each field (10.2.4.9). */
#define IVAR_ALL (8u | 8u << 8 | 8u << 16)

/* Moderation: at most one interrupt in 50 us, in units of 256 ns; of what was sent within 64 and 256 us (1.024). */
#define MODERATION    195
#define TX_DELAY      64
#define TX_DELAY_MOST 256

/* 7.1.4: legacy receive descriptors */
struct rx_descriptor {
	uint64_t address;
	uint16_t length, checksum;
	uint8_t status;
#define RX_DONE	      (1u << 0)
#define RX_LAST	      (1u << 1)
#define RX_NOT_SUMMED (1u << 2)
#define RX_UDP_SUMMED (1u << 4)
#define RX_TCP_SUMMED (1u << 5)
	uint8_t errors;
#define RX_BAD	   0x97 /* CRC, symbol, sequence, carrier, data */
#define RX_BAD_SUM 0x60 /* TCP or UDP, IP */
	uint16_t special;
};

/* 7.2.6 and 7.2.7: context and data descriptors */
struct tx_descriptor {
	uint64_t low;
	uint32_t command; /* length, type, commands */
	uint32_t options; /* status, further options */
};
#define TX_DATA	     (1u << 20) /* type; 0: context */
#define TX_LAST	     (1u << 24) /* of data: EOP, IFCS, TSE, RS, DEXT, IDE */
#define TX_CRC	     (1u << 25)
#define TX_CUT	     (1u << 26)
#define TX_REPORT    (1u << 27)
#define TX_EXTENDED  (1u << 29)
#define TX_DELAYED   (1u << 31)
#define CONTEXT_TCP  (1u << 24)
#define CONTEXT_IPV4 (1u << 25)
#define TX_DONE	     1u
#define TX_SUM_IP    (1u << 8)
#define TX_SUM	     (1u << 9)

#define RX_SIZE	     256
#define TX_SIZE	     512
#define TX_MOST	     (NET_SEGMENTS + 3) /* of a packet: context, headers, the rest of their segment */
#define HEADERS	     256		/* room for those of a packet that is cut */
#define POOL_PACKETS 384
#define POOL_PAGES   (RX_SIZE + 128)
#define BUDGET	     64
#define HANG	     (4 * NSEC_PER_SEC)
#define RESET_TIME   (100 * NSEC_PER_MSEC)
#define FEATURES                                                                       \
	(NET_FEATURE_SCATTER | NET_FEATURE_CHECKSUM_IPV4 | NET_FEATURE_CHECKSUM_IPV6 | \
	 NET_FEATURE_GSO_TCPV4 | NET_FEATURE_GSO_TCPV6)

/* What a descriptor of the ring stands for. */
struct sending {
	struct net_packet *packet; /* with the last of a packet */
	dma_address_t address;	   /* to be unmapped, if length is not 0 */
	uint32_t length;
};

struct card {
	struct net_port port;
	struct pci_device *pci;
	volatile uint8_t *registers;
	struct net_pool *pool;
	volatile struct rx_descriptor *rx;
	volatile struct tx_descriptor *tx;
	uint8_t *headers; /* HEADERS for each descriptor */
	dma_address_t rx_address, tx_address, headers_address;
	void *pages[RX_SIZE];	       /* what the card may write into */
	unsigned int rx_next, rx_tail; /* to look at, to give */
	struct sending sendings[TX_SIZE];
	unsigned int tx_next, tx_tail, tx_told; /* to come back, to give, given */
	struct tx_descriptor context;		/* the last one */
	uint64_t progress;
	bool stopped, polling, promiscuous;
	bool skipping; /* the rest of a packet that takes several descriptors, which none should */
	struct wait_queue wait;
};

static uint32_t read(const struct card *card, unsigned int reg)
{
	return mmio_read32(card->registers + reg);
}

static void write(struct card *card, unsigned int reg, uint32_t value)
{
	mmio_write32(card->registers + reg, value);
}

static void interrupts_on(struct card *card)
{
	write(card, IMS, card->pci->interrupts == PCI_INTERRUPT_MSIX ? CAUSES_MSIX : CAUSES);
}

static void interrupts_off(struct card *card)
{
	write(card, IMC, ~0u);
}

/* ---- receiving ---- */

/* The card has the descriptors from its head up to before the tail: one is never given, or both would be equal. */
static void rx_fill(void *data)
{
	struct card *card = data;
	unsigned int tail = card->rx_tail;

	if (card->stopped)
		return;
	while ((tail + 1) % RX_SIZE != card->rx_next) {
		void *page = net_pool_take_page(card->pool);

		if (!page) {
			net_pool_notify(card->pool, rx_fill, card);
			break;
		}
		card->pages[tail] = page;
		card->rx[tail].address = dma_map(card->pci, virt_to_machine(page), PAGE_SIZE);
		card->rx[tail].status = 0;
		tail = (tail + 1) % RX_SIZE;
	}
	if (tail == card->rx_tail)
		return;
	card->rx_tail = tail;
	dma_write_barrier();
	write(card, RDT, tail);
}

/* Make a packet of the descriptor's page, or give that back: NULL. */
static struct net_packet *rx_packet(struct card *card, void *page, uint16_t length, uint8_t status,
				    uint8_t errors)
{
	bool good = !card->skipping && status & RX_LAST && !(errors & RX_BAD) && length;
	struct net_packet *packet = good ? net_packet_alloc(card->pool) : NULL;

	card->skipping = !(status & RX_LAST);
	if (packet && net_packet_add_taken(packet, page, 0, length)) {
		if (!(status & RX_NOT_SUMMED) && status & (RX_TCP_SUMMED | RX_UDP_SUMMED) &&
		    !(errors & RX_BAD_SUM))
			packet->checksum = NET_CHECKSUM_VALID;
		return packet;
	}
	*(good && !packet ? &card->port.received.dropped : &card->port.received.errors) += 1;
	net_packet_put(packet);
	net_pool_give_page(card->pool, page);
	return NULL;
}

/* At most BUDGET descriptors. False: there are more. */
static bool rx_poll(struct card *card)
{
	unsigned int count;

	for (count = 0; count < BUDGET && card->rx_next != card->rx_tail; count++) {
		volatile struct rx_descriptor *descriptor = &card->rx[card->rx_next];
		void *page = card->pages[card->rx_next];
		uint8_t status = descriptor->status;
		struct net_packet *packet;

		if (!(status & RX_DONE))
			break;
		dma_read_barrier();
		dma_unmap(card->pci, virt_to_machine(page), PAGE_SIZE);
		packet = rx_packet(card, page, descriptor->length, status, descriptor->errors);
		card->rx_next = (card->rx_next + 1) % RX_SIZE;
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

/* ---- sending ---- */

static unsigned int tx_used(const struct card *card)
{
	return (card->tx_tail - card->tx_next + TX_SIZE) % TX_SIZE;
}

static void tx_release(struct card *card, struct sending *sending)
{
	struct net_packet *packet = sending->packet;

	if (sending->length)
		dma_unmap(card->pci, sending->address, sending->length);
	*sending = (struct sending){0};
	card->progress = 0;
	net_packet_put(packet);
}

/* Where the last descriptor of the packet that begins at one is: the ring has it. */
static unsigned int tx_end(const struct card *card, unsigned int at)
{
	while (!card->sendings[at].packet)
		at = (at + 1) % TX_SIZE;
	return at;
}

static void tx_reclaim(struct card *card)
{
	while (card->tx_next != card->tx_told) {
		unsigned int end = tx_end(card, card->tx_next), at;

		if (!(card->tx[end].options & TX_DONE))
			return;
		do {
			at = card->tx_next;
			card->tx_next = (at + 1) % TX_SIZE;
			tx_release(card, &card->sendings[at]);
		} while (at != end);
	}
}

static void tx_put(struct card *card, uint64_t low, uint32_t command, uint32_t options)
{
	volatile struct tx_descriptor *to = &card->tx[card->tx_tail];

	to->low = low;
	to->command = command;
	to->options = options;
	card->tx_tail = (card->tx_tail + 1) % TX_SIZE;
}

static void tx_put_data(struct card *card, const struct net_segment *segment, uint32_t skip,
			uint32_t command, uint32_t options)
{
	struct sending *sending = &card->sendings[card->tx_tail];

	sending->length = segment->length - skip;
	sending->address = dma_map(card->pci, segment->machine + skip, sending->length);
	tx_put(card, sending->address, sending->length | command, options);
}

/*
 * The context that a packet's checksum wants (7.2.6): where TCP's or UDP's part begins, where the sum goes. Of a packet that is to be
 * cut also IP's header, and the lengths. The card keeps it for packets that follow.
 */
static struct tx_descriptor context_of(const struct net_packet *packet,
				       const struct net_headers *headers)
{
	struct tx_descriptor context = {.command = TX_EXTENDED};
	uint32_t sums = (uint32_t)packet->checksum_start |
			(uint32_t)(packet->checksum_start + packet->checksum_offset) << 8;

	context.low = (uint64_t)sums << 32;
	if (headers->protocol == 6)
		context.command |= CONTEXT_TCP;
	if (packet->gso == NET_GSO_NONE)
		return context;
	context.command |= TX_CUT | (packet->length - headers->data);
	context.options = (uint32_t)headers->data << 8 | (uint32_t)packet->gso_size << 16;
	if (packet->gso == NET_GSO_TCPV4) {
		context.command |= CONTEXT_IPV4;
		context.low |= (uint64_t)headers->network |
			       (uint64_t)(headers->network + 10u) << 8 |
			       (uint64_t)(headers->transport - 1u) << 16;
	}
	return context;
}

static void tx_put_context(struct card *card, const struct tx_descriptor *context)
{
	if (memcmp(context, &card->context, sizeof(*context)) == 0)
		return;
	card->context = *context;
	tx_put(card, context->low, context->command, context->options);
}

static void put16(uint8_t *at, uint16_t value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

/*
 * The card adds the lengths of the pieces (7.2.4): IP's is to be 0, and the sum of the pseudo header without one. Taken
 * out of a sum, a number is added as its complement (RFC 1624).
 */
static void tx_put_headers(struct card *card, const struct net_packet *packet,
			   const struct net_headers *headers, uint32_t command, uint32_t options)
{
	unsigned int offset = card->tx_tail * HEADERS;
	uint8_t *bytes = card->headers + offset, *sum;
	uint32_t length = packet->length - headers->transport;
	uint8_t negative[2];

	memcpy(bytes, packet->segments[0].data, headers->data);
	if (packet->gso == NET_GSO_TCPV4) {
		put16(bytes + headers->network + 2, 0);
		put16(bytes + headers->network + 10, 0);
	} else {
		put16(bytes + headers->network + 4, 0);
	}
	sum = bytes + headers->transport + 16;
	length = (length >> 16) + (length & 0xffff);
	put16(negative, (uint16_t)~length);
	put16(sum, net_sum(negative, 2, (uint16_t)(sum[0] << 8 | sum[1])));
	tx_put(card, card->headers_address + offset, headers->data | command, options);
}

static void tx_add(struct card *card, struct net_packet *packet)
{
	uint32_t command = TX_DATA | TX_EXTENDED | TX_CRC | TX_DELAYED, options = 0, skip = 0;
	struct net_headers headers;

	/* A packet that is to be cut lacks its checksum, too. */
	if (packet->checksum == NET_CHECKSUM_PARTIAL) {
		struct tx_descriptor context;

		net_headers_find(packet, &headers);
		context = context_of(packet, &headers);
		tx_put_context(card, &context);
		options = TX_SUM;
		if (packet->gso != NET_GSO_NONE) {
			command |= TX_CUT;
			if (packet->gso == NET_GSO_TCPV4)
				options |= TX_SUM_IP;
			tx_put_headers(card, packet, &headers, command, options);
			skip = headers.data;
		}
	}
	for (unsigned int i = 0; i < packet->count; i++) {
		const struct net_segment *segment = &packet->segments[i];

		if (i + 1u == packet->count) {
			command |= TX_LAST | TX_REPORT;
			card->sendings[card->tx_tail].packet = net_packet_get(packet);
		}
		/* Headers alone are in no packet that is to be cut: it has data. */
		if (segment->length > skip)
			tx_put_data(card, segment, skip, command, options);
		skip = 0;
	}
	card->port.sent.packets++;
	card->port.sent.bytes += packet->length;
}

static void card_send(struct net_port *port, struct net_packet *packet)
{
	struct card *card = port->driver;

	if (!card->stopped && TX_SIZE - 1 - tx_used(card) < TX_MOST)
		tx_reclaim(card);
	if (card->stopped || TX_SIZE - 1 - tx_used(card) < TX_MOST) {
		port->sent.dropped++;
		return;
	}
	tx_add(card, packet);
}

static void card_flush(struct net_port *port)
{
	struct card *card = port->driver;

	if (card->stopped || card->tx_told == card->tx_tail)
		return;
	card->tx_told = card->tx_tail;
	dma_write_barrier();
	write(card, TDT, card->tx_tail);
}

/* ---- interrupts and modes ---- */

static bool has_link(const struct card *card)
{
	return read(card, STATUS) & STATUS_LINK;
}

static void check_link(struct card *card)
{
	bool link = !card->stopped && has_link(card);

	if (link != card->port.link)
		net_port_changed(&card->port, link, card->port.features);
}

/* The cause is taken before the rings are looked at: what comes after that interrupts again. */
static bool on_interrupt(void *data)
{
	struct card *card = data;
	uint32_t cause = read(card, ICR);

	if (!cause || cause == ~0u)
		return false;
	write(card, ICR, cause);
	if (card->stopped)
		return true;
	if (cause & CAUSE_LINK)
		check_link(card);
	tx_reclaim(card);
	if (!card->polling && !rx_poll(card)) {
		interrupts_off(card);
		card->polling = true;
		wake_all(&card->wait);
	}
	return true;
}

static uint32_t rctl(const struct card *card)
{
	return RCTL_ENABLE | RCTL_BROADCAST | RCTL_ALL_GROUPS | RCTL_4096 | RCTL_STRIP_CRC |
	       (card->promiscuous ? RCTL_PROMISCUOUS : 0);
}

static void card_promiscuous(struct net_port *port, bool on)
{
	struct card *card = port->driver;
	bool masked = events_save();

	card->promiscuous = on;
	if (!card->stopped)
		write(card, RCTL, rctl(card));
	events_restore(masked);
}

static const struct net_port_operations operations = {
    .send = card_send, .flush = card_flush, .promiscuous = card_promiscuous};

/* ---- start and reset ---- */

/* Wait for a bit to be off. In a thread, events not masked. */
static bool wait_off(const struct card *card, unsigned int reg, uint32_t bit)
{
	uint64_t end = clock_now() + RESET_TIME;

	while (read(card, reg) & bit) {
		if (clock_now() > end)
			return false;
		thread_yield();
	}
	return true;
}

/* 4.6: no interrupts, no DMA any more, then the reset, whose end tells all. False: it does not end. */
static bool card_reset(struct card *card)
{
	interrupts_off(card);
	write(card, RCTL, 0);
	write(card, TCTL, TCTL_PAD);
	write(card, CTRL, read(card, CTRL) | CTRL_NO_MASTER);
	wait_off(card, STATUS, STATUS_MASTER);
	write(card, CTRL, read(card, CTRL) | CTRL_RESET);
	/* The registers must not be touched for a moment. */
	thread_sleep(10 * NSEC_PER_MSEC);
	if (!wait_off(card, CTRL, CTRL_RESET))
		return false;
	interrupts_off(card);
	read(card, ICR);
	return true;
}

static void set_ring(struct card *card, unsigned int base, dma_address_t address, uint32_t bytes)
{
	write(card, base, (uint32_t)address);
	write(card, base + RDBAH - RDBAL, (uint32_t)(address >> 32));
	write(card, base + RDLEN - RDBAL, bytes);
	write(card, base + RDH - RDBAL, 0);
	write(card, base + RDT - RDBAL, 0);
}

/* After a reset (4.6): rings, interrupts, link; with events masked. */
static void go(struct card *card)
{
	card->rx_next = card->rx_tail = card->tx_next = card->tx_tail = card->tx_told = 0;
	card->context = (struct tx_descriptor){0};
	card->progress = 0;
	card->stopped = card->polling = card->skipping = false;
	for (unsigned int i = 0; i < 128; i++)
		write(card, MTA + 4 * i, 0);
	write(card, CTRL, (read(card, CTRL) & ~CTRL_NO_MASTER) | CTRL_LINK_UP | CTRL_FULL_DUPLEX);
	write(card, CTRL_EXT,
	      read(card, CTRL_EXT) | CTRL_EXT_LOADED |
		  (card->pci->interrupts == PCI_INTERRUPT_MSIX ? CTRL_EXT_PBA : 0));
	set_ring(card, RDBAL, card->rx_address, RX_SIZE * sizeof(struct rx_descriptor));
	set_ring(card, TDBAL, card->tx_address, TX_SIZE * sizeof(struct tx_descriptor));
	write(card, RXDCTL, DCTL_COMMON);
	write(card, TXDCTL, DCTL_COMMON | TXDCTL_RESERVED);
	write(card, RDTR, 0);
	write(card, TIDV, TX_DELAY);
	write(card, TADV, TX_DELAY_MOST);
	write(card, RXCSUM, RXCSUM_ON);
	write(card, TIPG, TIPG_COPPER);
	write(card, RCTL, rctl(card));
	rx_fill(card);
	write(card, TCTL, TCTL_ENABLE | TCTL_PAD | TCTL_COLLISIONS | TCTL_MULTIPLE);
	write(card, IVAR, IVAR_ALL);
	write(card, EIAC, 0);
	write(card, ITR, MODERATION);
	write(card, EITR0, MODERATION);
	interrupts_on(card);
}

/* What the card had comes back: it is reset, or gone. */
static void take_back(struct card *card)
{
	for (; card->rx_next != card->rx_tail; card->rx_next = (card->rx_next + 1) % RX_SIZE)
		net_pool_give_page(card->pool, card->pages[card->rx_next]);
	for (; card->tx_next != card->tx_tail; card->tx_next = (card->tx_next + 1) % TX_SIZE)
		tx_release(card, &card->sendings[card->tx_next]);
}

static void recover(struct card *card)
{
	bool works;

	card->stopped = true;
	net_port_changed(&card->port, false, card->port.features);
	events_unmask();
	works = card_reset(card);
	if (!works)
		pci_bus_master(card->pci, false);
	printf("%s: the card had stopped working and was reset%s\n", card->port.name,
	       works ? "" : ", to which it does not answer");
	events_mask();
	take_back(card);
	if (!works)
		return;
	go(card);
	check_link(card);
}

static bool is_hung(struct card *card)
{
	uint64_t now = clock_now();

	if (card->stopped)
		return false;
	card->port.received.dropped += read(card, MISSED);
	card->port.received.errors += read(card, ERRORS_CRC) + read(card, ERRORS_RX);
	check_link(card);
	tx_reclaim(card);
	if (card->tx_next == card->tx_told || !card->progress)
		card->progress = now;
	return now - card->progress > HANG;
}

static void run(void *data)
{
	struct card *card = data;

	events_mask();
	for (;;) {
		while (card->polling && !card->stopped) {
			tx_reclaim(card);
			if (rx_poll(card)) {
				card->polling = false;
				interrupts_on(card);
				/* What came meanwhile interrupts, or is found now. */
				rx_poll(card);
			}
			events_unmask();
			thread_yield();
			events_mask();
		}
		if (is_hung(card))
			recover(card);
		else if (!card->polling)
			wait_on(&card->wait, clock_now() + HANG);
	}
}

/* ---- set-up ---- */

static long read_mac(struct card *card)
{
	uint32_t low = read(card, RAL0), high = read(card, RAH0);

	if (!(high & RAH_VALID) || low & 1)
		return -EIO;
	memcpy(card->port.mac, &low, 4);
	memcpy(card->port.mac + 4, &high, 2);
	return 0;
}

/* The link's power management makes this card hang (its specification update). */
#define CAPABILITY_EXPRESS 0x10
#define LINK_CONTROL	   0x10
#define LINK_ASPM	   3

static void power_management_off(struct pci_device *pci)
{
	unsigned int at = pci_capability(pci, CAPABILITY_EXPRESS, 0);

	if (at && at + LINK_CONTROL + 2 <= 256)
		pci_write16(pci, at + LINK_CONTROL,
			    (uint16_t)(pci_read16(pci, at + LINK_CONTROL) & ~LINK_ASPM));
}

static long allocate(struct card *card)
{
	card->pool = net_pool_create(POOL_PACKETS, POOL_PAGES);
	card->rx = dma_alloc(card->pci, RX_SIZE * sizeof(struct rx_descriptor), &card->rx_address);
	card->tx = dma_alloc(card->pci, TX_SIZE * sizeof(struct tx_descriptor), &card->tx_address);
	card->headers = dma_alloc(card->pci, TX_SIZE * HEADERS, &card->headers_address);
	return card->pool && card->rx && card->tx && card->headers ? 0 : -ENOMEM;
}

static long set_up(struct card *card)
{
	struct pci_device *pci = card->pci;
	struct thread *thread;
	long error;

	card->registers = pci_map(pci, 0, 0, REGISTERS, &error);
	if (!card->registers)
		return error;
	power_management_off(pci);
	if (!card_reset(card))
		return -ETIMEDOUT;
	error = read_mac(card);
	if (!error)
		error = allocate(card);
	if (error)
		return error;
	error = pci_interrupts_open(pci, 1);
	if (error < 0)
		return error;
	error = pci_interrupt_handle(pci, 0, on_interrupt, card);
	if (error)
		return error;
	thread = thread_create("e1000e", run, card);
	if (!thread)
		return -ENOMEM;
	thread_detach(thread);
	return 0;
}

/* Of a card that was not started. */
static void card_free(struct card *card)
{
	struct pci_device *pci = card->pci;

	pci_interrupts_close(pci);
	if (card->registers)
		pci_unmap(card->registers, REGISTERS);
	if (card->rx)
		dma_free(pci, (void *)card->rx, RX_SIZE * sizeof(struct rx_descriptor));
	if (card->tx)
		dma_free(pci, (void *)card->tx, TX_SIZE * sizeof(struct tx_descriptor));
	if (card->headers)
		dma_free(pci, card->headers, TX_SIZE * HEADERS);
	if (card->pool)
		net_pool_destroy(card->pool);
	free(card);
}

static long probe(struct pci_device *pci)
{
	struct card *card = calloc(1, sizeof(*card));
	long error;

	if (!card)
		return -ENOMEM;
	card->pci = pci;
	card->stopped = true;
	card->port.mtu = 1500;
	card->port.features = FEATURES;
	card->port.operations = &operations;
	card->port.driver = card;
	error = set_up(card);
	if (error) {
		card_free(card);
		return error;
	}
	pci_bus_master(pci, true);
	events_mask();
	go(card);
	card->port.link = has_link(card);
	events_unmask();
	network_add_card(&card->port);
	pci->used_as = card->port.name;
	return 0;
}

static const struct pci_match matches[] = {
    {0x8086, 0x10d3, 0, 0},
    {0, 0, 0, 0},
};

const struct pci_driver e1000e_driver = {.name = "e1000e", .matches = matches, .probe = probe};
