/* SPDX-License-Identifier: MIT */
// sources: pv-drivers/net.c pv-drivers/net_headers.c pv-drivers/net_offload.c
// flags: -Itests/unit/include/fake-guest -Iguest/include
/*
 * The driver of Intel's 82574L against a card of the test's, which reads descriptors as the datasheet has them, sums and cuts
 * packets by an implementation of its own, forgets to do so, or writes nonsense.
 */
#include "fake_card_world.h"
#include "../../dom0-tools/drivers/e1000e.c"

static uint32_t registers[REGISTERS / 4];
static bool dead; /* does not come out of a reset */

static struct card *card;

volatile void *pci_map(struct pci_device *device, unsigned int bar, uint64_t offset,
		       uint64_t length, long *error)
{
	assert_int_equal(bar, 0);
	assert_true(offset + length <= sizeof(registers));
	*error = 0;
	return registers;
}

void pci_unmap(volatile void *mapped, uint64_t length)
{
}

static void device_sleeps(void)
{
	if (!(registers[CTRL / 4] & CTRL_RESET) || dead)
		return;
	memset(registers, 0, sizeof(registers));
	registers[RAL0 / 4] = 0x12005452;
	registers[RAH0 / 4] = RAH_VALID | 0x5634;
	registers[STATUS / 4] = STATUS_LINK;
}

/* What went out on the wire. */
static uint8_t wire[2000000];
static uint32_t wire_length[4000];
static unsigned int wire_count;
static uint32_t wire_total;

static void on_wire(const uint8_t *bytes, uint32_t length)
{
	assert_true(wire_count < 4000 && wire_total + length <= sizeof(wire));
	memcpy(wire + wire_total, bytes, length);
	wire_length[wire_count++] = length;
	wire_total += length;
}

/* 7.2.6: of the context descriptor, the fields. */
struct fields {
	uint32_t ipcss, ipcso, ipcse, tucss, tucso, paylen, hdrlen, mss;
	bool tcp, ip, tse;
};

static struct fields fields;

static void read_context(const struct tx_descriptor *d)
{
	fields = (struct fields){
	    .ipcss = d->low & 0xff,
	    .ipcso = d->low >> 8 & 0xff,
	    .ipcse = d->low >> 16 & 0xffff,
	    .tucss = d->low >> 32 & 0xff,
	    .tucso = d->low >> 40 & 0xff,
	    .paylen = d->command & 0xfffff,
	    .tcp = d->command >> 24 & 1,
	    .ip = d->command >> 25 & 1,
	    .tse = d->command >> 26 & 1,
	    .hdrlen = d->options >> 8 & 0xff,
	    .mss = d->options >> 16,
	};
	assert_int_equal(d->low >> 48, 0); /* TUCSE: to the end */
}

static void insert_sum(uint8_t *bytes, uint32_t from, uint32_t end, uint32_t at)
{
	uint16_t sum = (uint16_t)~slow_sum(bytes + from, end - from, 0);

	assert_true(at + 2 <= end);
	put16(bytes + at, sum);
}

/* 7.2.4: each piece gets the headers, with lengths, numbers and flags of its own. */
static void cut(const uint8_t *bytes, uint32_t length)
{
	uint32_t done = 0, number = 0;

	assert_true(fields.tcp && fields.mss > 0);
	assert_int_equal(length - fields.hdrlen, fields.paylen);
	for (; done < fields.paylen; number++) {
		static uint8_t piece[10000];
		uint32_t data =
		    fields.paylen - done < fields.mss ? fields.paylen - done : fields.mss;
		uint32_t all = fields.hdrlen + data, size = all - fields.tucss;
		uint8_t *tcp = piece + fields.tucss;
		uint32_t sequence;

		memcpy(piece, bytes, fields.hdrlen);
		memcpy(piece + fields.hdrlen, bytes + fields.hdrlen + done, data);
		if (fields.ip) {
			uint8_t *ip = piece + fields.ipcss;

			put16(ip + 2, all - fields.ipcss + (ip[2] << 8 | ip[3]));
			put16(ip + 4, (ip[4] << 8 | ip[5]) + number);
			insert_sum(piece, fields.ipcss, fields.ipcse + 1, fields.ipcso);
		} else {
			uint8_t *ip = piece + (fields.tucss - 40);

			put16(ip + 4, size + (ip[4] << 8 | ip[5]));
		}
		sequence = ((uint32_t)tcp[4] << 24 | tcp[5] << 16 | tcp[6] << 8 | tcp[7]) + done;
		put16(tcp + 4, sequence >> 16);
		put16(tcp + 6, sequence);
		if (done + data < fields.paylen)
			tcp[13] &= 0xf6;
		if (number)
			tcp[13] &= 0x7f;
		/* The length joins the sum of the pseudo header. */
		put16(piece + fields.tucso, slow_sum(piece + fields.tucso, 2, size));
		insert_sum(piece, fields.tucss, all, fields.tucso);
		on_wire(piece, all);
		done += data;
	}
}

static unsigned int contexts;

/* Send what is between head and tail; at most so many descriptors. */
static void transmit(unsigned int most)
{
	static uint8_t packet[NET_PACKET_MAX + 300];
	static uint32_t length;
	struct tx_descriptor *ring =
	    (void *)((uint64_t)registers[TDBAL / 4] | (uint64_t)registers[TDBAH / 4] << 32);

	assert_int_equal(registers[TDLEN / 4], TX_SIZE * 16);
	assert_true(bus_master);
	for (; most && registers[TDH / 4] != registers[TDT / 4]; most--) {
		struct tx_descriptor *d = &ring[registers[TDH / 4]];

		registers[TDH / 4] = (registers[TDH / 4] + 1) % TX_SIZE;
		assert_true(d->command & TX_EXTENDED);
		if (!(d->command & TX_DATA)) {
			assert_int_equal(length, 0);
			contexts++;
			read_context(d);
			continue;
		}
		assert_true(length + (d->command & 0xfffff) <= sizeof(packet));
		memcpy(packet + length, (void *)d->low, d->command & 0xfffff);
		length += d->command & 0xfffff;
		if (!(d->command & TX_LAST))
			continue;
		assert_true(d->command & TX_REPORT && d->command & TX_CRC);
		if (d->command & TX_CUT) {
			assert_true(fields.tse && d->options & TX_SUM);
			assert_int_equal(!!(d->options & TX_SUM_IP), fields.ip);
			cut(packet, length);
		} else {
			assert_false(fields.tse && d->options & TX_SUM);
			if (d->options & TX_SUM)
				insert_sum(packet, fields.tucss, length, fields.tucso);
			on_wire(packet, length);
		}
		d->options |= TX_DONE;
		length = 0;
	}
}

static void interrupt(uint32_t cause)
{
	registers[ICR / 4] = cause;
	assert_true(interrupt_handler(interrupt_data));
	registers[ICR / 4] = 0;
}

static struct rx_descriptor *rx_ring(void)
{
	return (void *)((uint64_t)registers[RDBAL / 4] | (uint64_t)registers[RDBAH / 4] << 32);
}

/* Put a packet into the next buffer. False: there is none. */
static bool arrive(const uint8_t *bytes, uint16_t length, uint8_t status, uint8_t errors)
{
	struct rx_descriptor *d = &rx_ring()[registers[RDH / 4]];

	if (registers[RDH / 4] == registers[RDT / 4])
		return false;
	if (length <= 4096)
		memcpy((void *)d->address, bytes, length);
	d->length = length;
	d->errors = errors;
	d->status = status;
	registers[RDH / 4] = (registers[RDH / 4] + 1) % RX_SIZE;
	return true;
}

static int start(void **state)
{
	dead = false;
	memset(registers, 0, sizeof(registers));
	registers[STATUS / 4] = STATUS_LINK | STATUS_MASTER;
	taken = ends = changes = 0;
	wire_count = wire_total = contexts = 0;
	assert_int_equal(e1000e_driver.probe(&the_device), 0);
	assert_non_null(registered);
	card = registered->driver;
	assert_int_equal(memcmp(registered->mac, "\x52\x54\x00\x12\x34\x56", 6), 0);
	assert_true(registered->link);
	return 0;
}

static int end(void **state)
{
	let_go();
	interrupts_off(card);
	card->stopped = true;
	take_back(card);
	assert_int_equal(outgoing_out, 0);
	assert_int_equal(net_pool_packets_free(card->pool), POOL_PACKETS);
	assert_int_equal(net_pool_pages_free(card->pool), POOL_PAGES);
	card_free(card);
	assert_int_equal(dma_blocks, 0);
	return 0;
}

static void set_up_right(void **state)
{
	assert_true(registers[RCTL / 4] & RCTL_PROMISCUOUS);
	assert_true(registers[RCTL / 4] & RCTL_ENABLE);
	assert_int_equal(registers[RDLEN / 4], RX_SIZE * 16);
	assert_int_equal(registers[RDT / 4], RX_SIZE - 1);
	assert_int_equal(registers[IMS / 4], CAUSES_MSIX);
	card_promiscuous(registered, false);
	assert_false(registers[RCTL / 4] & RCTL_PROMISCUOUS);
	registers[STATUS / 4] = 0;
	interrupt(CAUSE_LINK);
	assert_false(registered->link);
	assert_int_equal(changes, 1);
}

static const struct shape shapes[] = {
    {false, false, false, 0, 1000}, {true, false, false, 12, 1001}, {false, true, false, 0, 1472},
    {true, true, false, 0, 999},    {false, false, true, 40, 0},    {true, true, true, 0, 0},
};
#define SHAPES (sizeof(shapes) / sizeof(shapes[0]))

static bool released[4000];

/* Make and send; headers in the first segment. */
static void send_shape(const struct shape *shape, unsigned int number, uint16_t mss, bool sum)
{
	static uint8_t bytes[70000];
	uint32_t length = make(shape, bytes);
	struct net_packet *packet =
	    outgoing(bytes, length, headers_of(shape) + random_below(3) * 7,
		     length > 20000 ? 4000 : 100 + random_below(4000), &released[number]);

	if (sum)
		assert_true(net_checksum_prepare(packet));
	if (mss) {
		packet->gso = shape->ipv6 ? NET_GSO_TCPV6 : NET_GSO_TCPV4;
		packet->gso_size = mss;
	}
	net_port_send(registered, packet);
	net_packet_put(packet);
}

static void checksums(void **state)
{
	uint32_t at = 0;

	for (unsigned int i = 0; i < SHAPES; i++)
		send_shape(&shapes[i], i, 0, true);
	assert_int_equal(registers[TDT / 4], 0); /* nothing before the flush */
	net_port_flush(registered);
	transmit(~0u);
	assert_int_equal(wire_count, SHAPES);
	for (unsigned int i = 0; i < SHAPES; at += wire_length[i++]) {
		assert_true(is_right(wire + at, wire_length[i], &shapes[i]));
		assert_false(released[i]);
	}
	interrupt(CAUSE_TX_QUEUE);
	for (unsigned int i = 0; i < SHAPES; i++)
		assert_true(released[i]);
	assert_int_equal(registered->sent.packets, SHAPES);
	/* The same again needs no new context. */
	contexts = 0;
	for (unsigned int i = 0; i < 10; i++)
		send_shape(&shapes[0], i, 0, true);
	net_port_flush(registered);
	transmit(~0u);
	assert_int_equal(contexts, 1);
	/* Without anything to do, the packet as it is. */
	send_shape(&shapes[0], 0, 0, false);
	net_port_flush(registered);
	transmit(~0u);
	assert_int_equal(wire_count, SHAPES + 11);
	interrupt(CAUSE_TX_QUEUE);
}

static void large_packets(void **state)
{
	const struct shape large[] = {{false, false, false, 12, 62001},
				      {true, false, false, 0, 61440},
				      {true, false, true, 20, 1449},
				      {false, false, true, 0, 1}};

	for (unsigned int i = 0; i < 4; i++) {
		static uint8_t bytes[70000];
		uint32_t at = 0, done = 0, headers = headers_of(&large[i]);

		make(&large[i], bytes);
		wire_count = wire_total = 0;
		send_shape(&large[i], i, 1448, true);
		net_port_flush(registered);
		transmit(~0u);
		for (unsigned int n = 0; n < wire_count; at += wire_length[n++]) {
			assert_true(is_right(wire + at, wire_length[n], &large[i]));
			assert_memory_equal(wire + at + headers, bytes + headers + done,
					    wire_length[n] - headers);
			done += wire_length[n] - headers;
		}
		assert_int_equal(done, large[i].data);
		interrupt(CAUSE_TX_QUEUE);
		assert_true(released[i]);
	}
}

/* All around the ring many times, the card now quick, now slow. */
static void many(void **state)
{
	unsigned int passed = 0, lost = 0;

	for (unsigned int round = 0; round < 3000; round++) {
		const struct shape *shape = &shapes[random_below(SHAPES)];
		bool large = random_below(8) == 0 && !shape->udp && shape->data;

		wire_count = wire_total = 0;
		send_shape(shape, round % 4000, large ? 100 + (uint16_t)random_below(1000) : 0,
			   large || random_below(4));
		if (random_below(3) == 0)
			net_port_flush(registered);
		if (random_below(30) == 0)
			transmit(random_below(600));
		if (random_below(40) == 0)
			interrupt(CAUSE_TX_QUEUE);
	}
	net_port_flush(registered);
	transmit(~0u);
	interrupt(CAUSE_TX_QUEUE);
	assert_int_equal(outgoing_out, 0);
	passed = (unsigned int)registered->sent.packets;
	lost = (unsigned int)registered->sent.dropped;
	assert_int_equal(passed + lost, 3000);
	assert_true(passed > 1000 && lost > 0);
}

static void receives(void **state)
{
	static uint8_t bytes[4096];

	for (unsigned int i = 0; i < 2000; i++) {
		uint16_t length = (uint16_t)(14 + random_below(1500));

		for (unsigned int j = 0; j < length; j++)
			bytes[j] = (uint8_t)random_below(256);
		assert_true(
		    arrive(bytes, length, RX_DONE | RX_LAST | RX_TCP_SUMMED, i & 1 ? 0x20 : 0));
		interrupt(CAUSE_RX_QUEUE);
		assert_int_equal(taken, i + 1);
		assert_int_equal(ends, i + 1);
		assert_int_equal(taken_length, length);
		assert_memory_equal(taken_bytes, bytes, length);
		assert_int_equal(taken_checksum,
				 i & 1 ? NET_CHECKSUM_COMPLETE : NET_CHECKSUM_VALID);
	}
	assert_int_equal(registered->received.packets, 2000);
}

/* More than one turn's worth: the thread goes on, with the card's interrupts off. */
static void busy(void **state)
{
	uint8_t bytes[60] = {0};

	for (unsigned int i = 0; i < 200; i++)
		assert_true(arrive(bytes, 60, RX_DONE | RX_LAST, 0));
	registers[IMC / 4] = 0;
	interrupt(CAUSE_RX_QUEUE);
	assert_int_equal(taken, BUDGET);
	assert_true(card->polling);
	assert_int_equal(registers[IMC / 4], ~0u);
	interrupt(CAUSE_LINK);
	assert_int_equal(taken, BUDGET);
	while (!rx_poll(card))
		;
	assert_int_equal(taken, 200);
	card->polling = false;
}

/* Who keeps packets keeps the card short of buffers, until he lets go. */
static void starved(void **state)
{
	uint8_t bytes[60] = {0};
	unsigned int arrived = 0;

	keep = 1;
	while (arrive(bytes, 60, RX_DONE | RX_LAST, 0)) {
		arrived++;
		interrupt(CAUSE_RX_QUEUE);
		assert_true(arrived < 2000);
	}
	assert_int_equal(arrived, POOL_PAGES);
	assert_int_equal(registered->received.dropped, 0);
	let_go();
	assert_true(arrive(bytes, 60, RX_DONE | RX_LAST, 0));
	interrupt(CAUSE_RX_QUEUE);
	assert_int_equal(taken, arrived + 1);
}

static void hostile(void **state)
{
	static uint8_t bytes[4096];

	/* Lengths beyond the buffer, none, errors, packets of several descriptors. */
	assert_true(arrive(bytes, 65535, RX_DONE | RX_LAST, 0));
	assert_true(arrive(bytes, 4097, RX_DONE | RX_LAST, 0));
	assert_true(arrive(bytes, 0, RX_DONE | RX_LAST, 0));
	assert_true(arrive(bytes, 100, RX_DONE | RX_LAST, 1));
	assert_true(arrive(bytes, 100, RX_DONE, 0));
	assert_true(arrive(bytes, 100, RX_DONE, 0));
	assert_true(arrive(bytes, 100, RX_DONE | RX_LAST, 0));
	interrupt(CAUSE_RX_QUEUE);
	assert_int_equal(taken, 0);
	assert_int_equal(registered->received.errors, 7);
	assert_true(arrive(bytes, 4096, RX_DONE | RX_LAST, 0));
	interrupt(CAUSE_RX_QUEUE);
	assert_int_equal(taken, 1);
	/* All descriptors are done at once, those that the card does not have too. */
	for (unsigned int i = 0; i < RX_SIZE; i++)
		rx_ring()[i] = (struct rx_descriptor){
		    .address = rx_ring()[i].address, .length = 100, .status = RX_DONE | RX_LAST};
	interrupt(CAUSE_RX_QUEUE);
	while (!rx_poll(card))
		;
	card->polling = false;
	/* Nonsense everywhere, for a while. */
	for (unsigned int round = 0; round < 3000; round++) {
		uint8_t *rx = (uint8_t *)rx_ring() + random_below(RX_SIZE * 16);
		volatile struct tx_descriptor *tx = &card->tx[random_below(TX_SIZE)];

		*rx = (uint8_t)random_below(256);
		tx->options ^= random_below(4);
		if (random_below(2))
			send_shape(&shapes[random_below(SHAPES)], round, 0, true);
		net_port_flush(registered);
		if (random_below(4) == 0)
			interrupt(1u + random_below(0xffffff));
		while (card->polling)
			card->polling = !rx_poll(card);
	}
}

static void hung(void **state)
{
	uint8_t bytes[60] = {0};

	send_shape(&shapes[0], 0, 0, true);
	net_port_flush(registered);
	assert_false(is_hung(card));
	time_now += HANG / 2;
	assert_false(is_hung(card));
	time_now += HANG;
	assert_true(is_hung(card));
	assert_false(released[0]);
	recover(card);
	assert_true(released[0]);
	assert_true(registered->link);
	assert_int_equal(changes, 2);
	assert_false(is_hung(card));
	/* It works again. */
	send_shape(&shapes[0], 0, 0, true);
	net_port_flush(registered);
	transmit(~0u);
	assert_int_equal(wire_count, 1);
	interrupt(CAUSE_TX_QUEUE);
	assert_true(released[0]);
	assert_true(arrive(bytes, 60, RX_DONE | RX_LAST, 0));
	interrupt(CAUSE_RX_QUEUE);
	assert_int_equal(taken, 1);
}

static void dies(void **state)
{
	uint8_t bytes[60] = {0};
	struct net_packet *packet;

	send_shape(&shapes[0], 0, 0, true);
	net_port_flush(registered);
	is_hung(card);
	time_now += 2 * HANG;
	assert_true(is_hung(card));
	dead = true;
	recover(card);
	assert_false(bus_master);
	assert_false(registered->link);
	assert_true(released[0]);
	packet = outgoing(bytes, 60, 60, 60, &released[1]);
	net_port_send(registered, packet);
	net_port_flush(registered);
	net_packet_put(packet);
	assert_true(released[1]);
	assert_int_equal(registered->sent.dropped, 1);
	assert_false(is_hung(card));
}

static void no_card(void **state)
{
	memset(registers, 0xff, sizeof(registers));
	dead = true;
	assert_int_equal(e1000e_driver.probe(&the_device), -ETIMEDOUT);
	assert_int_equal(dma_blocks, 0);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, start, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(set_up_right),
	    TEST(checksums),
	    TEST(large_packets),
	    TEST(many),
	    TEST(receives),
	    TEST(busy),
	    TEST(starved),
	    TEST(hostile),
	    TEST(hung),
	    TEST(dies),
	    cmocka_unit_test(no_card),
	};

	return cmocka_run_group_tests_name("e1000e", tests, NULL, NULL);
}
