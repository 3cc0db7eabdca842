/* SPDX-License-Identifier: MIT */
// sources: pv-drivers/net.c pv-drivers/net_headers.c pv-drivers/net_offload.c dom0-tools/pci/virtio_queue.c
// flags: -Itests/unit/include/fake-guest -Iguest/include
/*
 * The driver of virtio's network cards, on the real queues, against a device of the test's that does as the standard has it, is
 * silent, or lies.
 */
#include "fake_card_world.h"
#include "../../dom0-tools/drivers/virtio_net.c"

static uint64_t offered;
static uint16_t link_status = STATUS_LINK, mtu_offered = 1500;
static bool broken_restart, wants_reset, started;
static struct virtio_queue *queues[3];
static uint16_t device_index[3]; /* of the available ring, as the device has it */
static virtio_config_handler *config_handler;
static uint16_t doorbell;

static struct card *card;

static void device_sleeps(void)
{
}

/* The transport */

long virtio_open(struct virtio_device *device, struct pci_device *pci)
{
	static uint8_t common;

	device->pci = pci;
	device->common = &common;
	return 0;
}

long virtio_negotiate(struct virtio_device *device, uint64_t wanted)
{
	device->features = offered & (wanted | VIRTIO_FEATURE_EVENT_INDEX);
	return 0;
}

long virtio_interrupts(struct virtio_device *device, unsigned int count,
		       virtio_config_handler *config_changed)
{
	config_handler = config_changed;
	return 0;
}

long virtio_queue_open(struct virtio_device *device, struct virtio_queue *queue, uint16_t index,
		       uint16_t most, uint16_t indirect, virtio_queue_handler *handler)
{
	dma_address_t address;
	void *rings;

	queue->device = device;
	queue->index = index;
	queue->handler = handler;
	queue->event_index = device->features & VIRTIO_FEATURE_EVENT_INDEX;
	queue->size = most;
	queue->chains = calloc(most, sizeof(*queue->chains));
	queue->free_next = calloc(most, sizeof(*queue->free_next));
	queue->notify = &doorbell;
	if (indirect && device->features & VIRTIO_FEATURE_INDIRECT) {
		queue->table_size = indirect;
		queue->tables = dma_alloc(device->pci, most * indirect * sizeof(*queue->tables),
					  &queue->tables_address);
	}
	rings = dma_alloc(device->pci, virtio_rings_bytes(most), &address);
	virtio_rings_init(queue, rings, address);
	queues[index] = queue;
	device_index[index] = 0;
	return 0;
}

void virtio_start(struct virtio_device *device)
{
	started = true;
}

void virtio_stop(struct virtio_device *device)
{
	started = false;
	for (unsigned int i = 0; i < 3; i++)
		if (queues[i])
			queues[i]->broken = true;
}

long virtio_restart(struct virtio_device *device)
{
	if (broken_restart)
		return -EIO;
	wants_reset = false;
	for (unsigned int i = 0; i < 3; i++)
		if (queues[i]) {
			virtio_rings_reset(queues[i]);
			device_index[i] = 0;
		}
	return 0;
}

void virtio_close(struct virtio_device *device)
{
	started = false;
	for (unsigned int i = 0; i < 3; i++) {
		if (!queues[i])
			continue;
		dma_free(device->pci, queues[i]->descriptors, 0);
		if (queues[i]->tables)
			dma_free(device->pci, queues[i]->tables, 0);
		free(queues[i]->chains);
		free(queues[i]->free_next);
		queues[i] = NULL;
	}
}

uint8_t virtio_config8(const struct virtio_device *device, uint32_t offset)
{
	return (uint8_t)(2 + offset);
}

uint16_t virtio_config16(const struct virtio_device *device, uint32_t offset)
{
	return offset == CONFIG_MTU ? mtu_offered : link_status;
}

bool virtio_needs_reset(const struct virtio_device *device)
{
	return wants_reset;
}

/* The device */

/* A chain of the available ring: its segments. False: there is no more. */
struct taken_chain {
	uint16_t head;
	unsigned int count;
	struct {
		uint8_t *data;
		uint32_t length;
		bool writable;
	} segments[40];
};

static bool device_take(unsigned int number, struct taken_chain *chain)
{
	struct virtio_queue *queue = queues[number];
	const struct virtio_descriptor *table = queue->descriptors, *d;
	uint16_t at;

	if (device_index[number] == queue->available->index)
		return false;
	chain->head = queue->available->ring[device_index[number]++ % queue->size];
	chain->count = 0;
	at = chain->head;
	if (table[at].flags & 4) {
		table = (const struct virtio_descriptor *)table[at].address;
		at = 0;
	}
	do {
		d = &table[at];
		assert_true(chain->count < 40);
		chain->segments[chain->count].data = (uint8_t *)d->address;
		chain->segments[chain->count].length = d->length;
		chain->segments[chain->count++].writable = d->flags & 2;
		at = d->next;
	} while (d->flags & 1);
	return true;
}

static void device_done(unsigned int number, uint32_t id, uint32_t length)
{
	struct virtio_queue *queue = queues[number];

	queue->used->ring[queue->used->index % queue->size] =
	    (struct virtio_used_element){id, length};
	queue->used->index++;
}

static void interrupt(unsigned int number)
{
	queues[number]->handler(queues[number]);
}

/* Deliver a packet in as many buffers as it takes; the header says `buffers`, or what is true if that is negative. */
static bool arrive(struct header header, const uint8_t *bytes, uint32_t length, int buffers)
{
	struct taken_chain chain;
	struct header *first = NULL;
	uint32_t at = 0;
	uint16_t count = 0;

	do {
		uint32_t room = 4096, skip = 0;

		if (!device_take(QUEUE_RX, &chain))
			return false;
		assert_int_equal(chain.count, 1);
		assert_true(chain.segments[0].writable);
		assert_int_equal(chain.segments[0].length, 4096);
		if (!first) {
			first = (struct header *)chain.segments[0].data;
			*first = header;
			skip = sizeof(header);
			room -= skip;
		}
		if (room > length - at)
			room = length - at;
		memcpy(chain.segments[0].data + skip, bytes + at, room);
		device_done(QUEUE_RX, chain.head, room + skip);
		at += room;
		count++;
	} while (at < length);
	first->buffers = buffers < 0 ? count : (uint16_t)buffers;
	return true;
}

#define ALL (FEATURES | VIRTIO_FEATURE_EVENT_INDEX)

static void probe_with(uint64_t features)
{
	offered = features;
	link_status = STATUS_LINK;
	broken_restart = wants_reset = false;
	taken = ends = changes = 0;
	assert_int_equal(virtio_net_driver.probe(&the_device), 0);
	assert_true(started);
	card = registered->driver;
}

static int start(void **state)
{
	probe_with(ALL);
	return 0;
}

static int end(void **state)
{
	let_go();
	card->stopped = true;
	virtio_stop(&card->virtio);
	take_back(card);
	assert_int_equal(outgoing_out, 0);
	assert_int_equal(net_pool_packets_free(card->pool), POOL_PACKETS);
	assert_int_equal(net_pool_pages_free(card->pool), POOL_PAGES);
	card_free(card);
	assert_int_equal(dma_blocks, 0);
	return 0;
}

static void features(void **state)
{
	struct taken_chain chain;

	assert_int_equal(registered->features, 0x1f);
	assert_int_equal(registered->mac[0], 2);
	assert_int_equal(registered->mac[5], 7);
	/* The bridge wanted all packets. */
	assert_true(device_take(QUEUE_CONTROL, &chain));
	assert_int_equal(chain.count, 2);
	assert_memory_equal(chain.segments[0].data, "\0\0\1", 3);
	assert_int_equal(chain.segments[0].length, 3);
	assert_true(chain.segments[1].writable);
	/* A change of mind meanwhile waits for the answer. */
	card_promiscuous(registered, false);
	*chain.segments[1].data = CONTROL_OK;
	assert_false(device_take(QUEUE_CONTROL, &chain));
	device_done(QUEUE_CONTROL, chain.head, 1);
	interrupt(QUEUE_CONTROL);
	assert_true(device_take(QUEUE_CONTROL, &chain));
	assert_memory_equal(chain.segments[0].data, "\0\0\0", 3);
	link_status = 0;
	config_handler(&card->virtio);
	assert_false(registered->link);
	config_handler(&card->virtio);
	assert_int_equal(changes, 1);
}

static void less_features(void **state)
{
	probe_with(FEATURE_CSUM | FEATURE_GUEST_TSO4 | FEATURE_HOST_TSO4);
	/* Large packets would not fit into one buffer. */
	assert_false(card->virtio.features & FEATURE_GUEST_TSO4);
	assert_int_equal(registered->features, NET_FEATURE_SCATTER | NET_FEATURE_CHECKSUM_IPV4 |
						   NET_FEATURE_CHECKSUM_IPV6 |
						   NET_FEATURE_GSO_TCPV4);
	end(state);
	mtu_offered = 9000;
	probe_with(ALL);
	assert_int_equal(registered->mtu, 9000);
	end(state);
	mtu_offered = 60;
	probe_with(ALL);
	assert_int_equal(registered->mtu, 1500);
	end(state);
	mtu_offered = 1500;
}

static bool released[4000];

/* The next packet that was sent, header and bytes. */
static uint32_t device_sent(struct header *header, uint8_t *bytes)
{
	struct taken_chain chain;
	uint32_t length = 0;

	assert_true(device_take(QUEUE_TX, &chain));
	assert_int_equal(chain.segments[0].length, sizeof(*header));
	memcpy(header, chain.segments[0].data, sizeof(*header));
	for (unsigned int i = 1; i < chain.count; i++) {
		assert_false(chain.segments[i].writable);
		memcpy(bytes + length, chain.segments[i].data, chain.segments[i].length);
		length += chain.segments[i].length;
	}
	device_done(QUEUE_TX, chain.head, 0);
	return length;
}

static void sends(void **state)
{
	const struct shape shapes[] = {{false, false, false, 12, 62001},
				       {true, false, false, 0, 61440},
				       {true, true, false, 0, 1400},
				       {false, false, true, 0, 1000}};
	static uint8_t bytes[70000], got[70000];
	struct header header;

	for (unsigned int i = 0; i < 2000; i++) {
		const struct shape *shape = &shapes[i % 4];
		uint32_t length = make(shape, bytes), headers = headers_of(shape);
		struct net_packet *packet = outgoing(bytes, length, headers, 4000, &released[i]);

		assert_true(net_checksum_prepare(packet));
		if (i % 4 < 2) {
			packet->gso = shape->ipv6 ? NET_GSO_TCPV6 : NET_GSO_TCPV4;
			packet->gso_size = 1448;
		}
		net_packet_copy_out(packet, 0, bytes, length);
		net_port_send(registered, packet);
		net_packet_put(packet);
		net_port_flush(registered);
		assert_int_equal(device_sent(&header, got), length);
		assert_memory_equal(got, bytes, length);
		assert_int_equal(header.flags, HEADER_NEEDS_CSUM);
		assert_int_equal(header.checksum_start,
				 headers - (shape->udp ? 8 : 20 + shape->options));
		assert_int_equal(header.checksum_offset, shape->udp ? 6 : 16);
		assert_int_equal(header.gso_type, i % 4 == 0   ? HEADER_GSO_TCPV4
						  : i % 4 == 1 ? HEADER_GSO_TCPV6
							       : HEADER_GSO_NONE);
		if (i % 4 < 2) {
			assert_int_equal(header.gso_size, 1448);
			assert_int_equal(header.header_length, headers);
		}
		assert_false(released[i]);
		interrupt(QUEUE_TX);
		assert_true(released[i]);
	}
	assert_int_equal(registered->sent.packets, 2000);
}

/* What does not fit into the queue is dropped, and nothing is lost of what does. */
static void queue_full(void **state)
{
	uint8_t bytes[100] = {0}, got[100];
	struct header header;

	for (unsigned int i = 0; i < 300; i++) {
		struct net_packet *packet = outgoing(bytes, 100, 60, 20, &released[i]);

		net_port_send(registered, packet);
		net_packet_put(packet);
	}
	assert_int_equal(registered->sent.dropped, 300 - TX_SIZE);
	for (unsigned int i = 0; i < TX_SIZE; i++)
		assert_int_equal(device_sent(&header, got), 100);
	interrupt(QUEUE_TX);
	assert_int_equal(outgoing_out, 0);
}

static void receives(void **state)
{
	static uint8_t bytes[66000];
	const struct header plain = {0}, valid = {.flags = HEADER_DATA_VALID},
			    large = {.flags = HEADER_NEEDS_CSUM,
				     .gso_type = HEADER_GSO_TCPV4,
				     .gso_size = 1448,
				     .checksum_start = 34,
				     .checksum_offset = 16};

	for (unsigned int i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)(i * 7 + (i >> 8));
	assert_true(arrive(plain, bytes, 60, -1));
	interrupt(QUEUE_RX);
	assert_int_equal(taken_length, 60);
	assert_memory_equal(taken_bytes, bytes, 60);
	assert_true(arrive(valid, bytes, 4084, -1));
	interrupt(QUEUE_RX);
	assert_int_equal(taken_checksum, NET_CHECKSUM_VALID);
	assert_true(arrive(large, bytes, 65000, -1));
	interrupt(QUEUE_RX);
	assert_int_equal(taken, 3);
	assert_int_equal(taken_length, 65000);
	assert_memory_equal(taken_bytes, bytes, 65000);
	assert_int_equal(taken_gso, NET_GSO_TCPV4);
	assert_int_equal(taken_checksum, NET_CHECKSUM_PARTIAL);
	for (unsigned int i = 0; i < 200; i++)
		assert_true(arrive(plain, bytes, 60, -1));
	interrupt(QUEUE_RX);
	assert_int_equal(taken, 3 + BUDGET);
	assert_true(card->polling);
	while (!rx_poll(card))
		;
	assert_int_equal(taken, 203);
	card->polling = false;
	for (unsigned int i = 0; i < 5000; i++) {
		assert_true(arrive(plain, bytes + i, 1514, -1));
		interrupt(QUEUE_RX);
		assert_memory_equal(taken_bytes, bytes + i, 1514);
	}
}

static void starved(void **state)
{
	static uint8_t bytes[60];
	const struct header plain = {0};
	unsigned int arrived = 0;

	keep = 1;
	while (!registered->received.dropped && arrive(plain, bytes, 60, -1)) {
		arrived++;
		interrupt(QUEUE_RX);
	}
	/* Of packets there are less than of buffers: the next is dropped, and counted. */
	assert_int_equal(arrived, POOL_PACKETS + 1);
	assert_int_equal(taken, POOL_PACKETS);
	let_go();
	taken = 0;
	assert_true(arrive(plain, bytes, 60, -1));
	interrupt(QUEUE_RX);
	assert_int_equal(taken, 1);
}

static void hostile(void **state)
{
	static uint8_t bytes[66000];
	const struct header plain = {0}, odd = {.gso_type = 3};
	uint64_t errors;

	/* Fewer buffers than there are, more, none, and a packet longer than any. */
	assert_true(arrive(plain, bytes, 60, 0));
	interrupt(QUEUE_RX);
	assert_true(arrive(plain, bytes, 60, 65535));
	interrupt(QUEUE_RX);
	assert_true(arrive(odd, bytes, 60, -1));
	interrupt(QUEUE_RX);
	assert_int_equal(taken, 0);
	assert_int_equal(registered->received.errors, 3);
	for (unsigned int i = 0; i < 21; i++) {
		struct taken_chain chain;

		assert_true(device_take(QUEUE_RX, &chain));
		*(struct header *)chain.segments[0].data = (struct header){.buffers = 21};
		device_done(QUEUE_RX, chain.head, 4096);
	}
	interrupt(QUEUE_RX);
	assert_int_equal(taken, 0);
	assert_int_equal(registered->received.errors, 4);
	/* Less than a header. */
	for (uint32_t length = 0; length < 13; length++) {
		struct taken_chain chain;

		assert_true(device_take(QUEUE_RX, &chain));
		((struct header *)chain.segments[0].data)->buffers = 1;
		device_done(QUEUE_RX, chain.head, length);
		interrupt(QUEUE_RX);
	}
	assert_int_equal(taken, 0);
	errors = registered->received.errors;
	assert_int_equal(errors, 17);
	/* A length beyond the buffer is cut to it. */
	struct taken_chain chain;

	assert_true(device_take(QUEUE_RX, &chain));
	*(struct header *)chain.segments[0].data = (struct header){.buffers = 1};
	device_done(QUEUE_RX, chain.head, ~0u);
	interrupt(QUEUE_RX);
	assert_int_equal(taken_length, 4084);
	/* One that it does not have: it is reset. */
	device_done(QUEUE_RX, 3, 60);
	device_done(QUEUE_RX, 3, 60);
	interrupt(QUEUE_RX);
	while (card->polling)
		card->polling = !(rx_poll(card) && virtio_queue_listen(&card->rx));
	assert_true(card->rx.broken);
	assert_true(needs_reset(card));
	reset(card);
	taken = 0;
	assert_true(arrive(plain, bytes, 60, -1));
	interrupt(QUEUE_RX);
	assert_int_equal(taken, 1);
	assert_true(registered->link);
}

/* Nonsense in all that the device writes, for a while; a reset whenever it is noticed. */
static void nonsense(void **state)
{
	static uint8_t bytes[4096];

	for (unsigned int round = 0; round < 20000; round++) {
		struct virtio_queue *queue = queues[random_below(3)];
		volatile uint8_t *used = (volatile uint8_t *)queue->used;
		struct taken_chain chain;

		if (random_below(3) == 0)
			used[random_below(4 + 8u * queue->size)] = (uint8_t)random_below(256);
		if (random_below(2) && device_take(QUEUE_RX, &chain)) {
			for (unsigned int i = 0; i < 12; i++)
				chain.segments[0].data[i] =
				    random_below(3) ? 0 : (uint8_t)random_below(256);
			device_done(QUEUE_RX, random_below(9) ? chain.head : random_below(300),
				    random_below(5000));
		}
		if (random_below(2)) {
			struct net_packet *packet =
			    outgoing(bytes, 100 + random_below(3000), 60, 200 + random_below(3000),
				     &released[0]);

			net_port_send(registered, packet);
			net_packet_put(packet);
			net_port_flush(registered);
		}
		interrupt(random_below(3));
		while (card->polling)
			card->polling = !(rx_poll(card) && virtio_queue_listen(&card->rx));
		if (needs_reset(card))
			reset(card);
	}
}

static void hung(void **state)
{
	static uint8_t bytes[100];
	struct net_packet *packet = outgoing(bytes, 100, 60, 100, &released[0]);

	net_port_send(registered, packet);
	net_packet_put(packet);
	net_port_flush(registered);
	assert_false(needs_reset(card));
	time_now += 2 * HANG;
	assert_true(needs_reset(card));
	reset(card);
	assert_true(released[0]);
	assert_false(needs_reset(card));
	wants_reset = true;
	assert_true(needs_reset(card));
	broken_restart = true;
	reset(card);
	assert_false(registered->link);
	packet = outgoing(bytes, 100, 60, 100, &released[0]);
	net_port_send(registered, packet);
	net_packet_put(packet);
	net_port_flush(registered);
	assert_true(released[0]);
	assert_false(needs_reset(card));
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, start, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(features), cmocka_unit_test(less_features),
	    TEST(sends),    TEST(queue_full),
	    TEST(receives), TEST(starved),
	    TEST(hostile),  TEST(nonsense),
	    TEST(hung),
	};

	return cmocka_run_group_tests_name("virtio-net", tests, NULL, NULL);
}
