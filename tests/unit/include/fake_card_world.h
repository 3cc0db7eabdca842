/* SPDX-License-Identifier: MIT */
/*
 * What surrounds a driver of network cards, for tests on the host that include the driver's source: time, PCI (fake_pci.h),
 * and a user of its port who compares. The device itself is the test's.
 */
#ifndef FAKE_CARD_WORLD_H
#define FAKE_CARD_WORLD_H

#include "unit.h"
#include "fake_pci.h"
#include "net_packets.h"
#include "net/network.h"
#include <guest/clock.h>
#include <guest/hypercall.h>
#include <guest/thread.h>

static struct pci_device the_device = {.address = "00:05.0", .bars[0].size = 0x20000};
static uint64_t time_now = 1000;
static struct net_port *registered;

/* What a card does when time passes in a thread of the driver's: the test's. */
static void device_sleeps(void);

static bool nothing_left(void)
{
	return false;
}

bool (*host_wait)(void) = nothing_left;

uint64_t clock_now(void)
{
	return time_now += 1000;
}

void thread_sleep(uint64_t nanoseconds);
void thread_sleep(uint64_t nanoseconds)
{
	time_now += nanoseconds;
	device_sleeps();
}

void thread_yield(void);
void thread_yield(void)
{
	thread_sleep(1000000);
}

unsigned int pci_capability(const struct pci_device *device, uint8_t id, unsigned int after)
{
	(void)device;
	(void)id;
	(void)after;
	return 0;
}

uint16_t pci_read16(const struct pci_device *device, unsigned int reg)
{
	(void)device;
	(void)reg;
	return 0;
}

void pci_write16(const struct pci_device *device, unsigned int reg, uint16_t value)
{
	(void)device;
	(void)reg;
	(void)value;
}

long hypercall_grant_table_op(unsigned int op, void *arg, unsigned int count)
{
	(void)op;
	(void)arg;
	(void)count;
	abort();
}

/* The port's user: keeps the last packets' bytes, and some packets themselves when it is slow. */
#define KEPT_MOST 400
static unsigned int taken, ends, changes;
static uint8_t taken_bytes[70000];
static uint32_t taken_length;
static uint8_t taken_checksum, taken_gso;
static struct net_packet *kept[KEPT_MOST];
static unsigned int kept_count, keep;

static void user_receive(struct net_port *port, struct net_packet *packet)
{
	(void)port;
	taken++;
	taken_length = packet->length;
	taken_checksum = packet->checksum;
	taken_gso = packet->gso;
	assert_int_equal(net_packet_copy_out(packet, 0, taken_bytes, sizeof(taken_bytes)),
			 packet->length);
	if (keep && kept_count < KEPT_MOST)
		kept[kept_count++] = net_packet_get(packet);
}

static void user_receive_end(struct net_port *port)
{
	(void)port;
	ends++;
}

static void user_changed(struct net_port *port)
{
	(void)port;
	changes++;
}

static const struct net_port_user user = {user_receive, user_receive_end, user_changed};

static void let_go(void)
{
	while (kept_count)
		net_packet_put(kept[--kept_count]);
	keep = 0;
}

long network_add_card(struct net_port *port)
{
	registered = port;
	strcpy(port->name, "net0");
	net_port_attach(port, &user, NULL);
	if (port->operations->promiscuous)
		port->operations->promiscuous(port, true);
	return 0;
}

/* Packets to send: their own memory, and whether they have come back. */
struct outgoing {
	struct net_packet packet;
	uint8_t *memory;
	bool *released;
};

static unsigned int outgoing_out;

static void outgoing_release(struct net_packet *packet)
{
	struct outgoing *outgoing = (struct outgoing *)packet;

	*outgoing->released = true;
	free(outgoing->memory);
	free(outgoing);
	outgoing_out--;
}

/* The bytes in pieces: the first of `first` bytes, which has the headers, then of `piece` ones. */
static struct net_packet *outgoing(const uint8_t *bytes, uint32_t length, uint32_t first,
				   uint32_t piece, bool *released)
{
	struct outgoing *made = calloc(1, sizeof(*made));
	uint32_t at = 0, size = first;

	made->memory = malloc(length);
	made->released = released;
	*released = false;
	outgoing_out++;
	memcpy(made->memory, bytes, length);
	net_packet_init(&made->packet, outgoing_release);
	while (at < length) {
		if (size > length - at)
			size = length - at;
		assert_true(net_packet_add(&made->packet, made->memory + at,
					   (uint64_t)(uintptr_t)(made->memory + at), size));
		at += size;
		size = piece;
	}
	return &made->packet;
}

#endif
