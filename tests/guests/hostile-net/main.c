/* SPDX-License-Identifier: MIT */
/*
 * A guest that attacks the back half of its network interface: it connects as it should, and then does for ever what its
 * argument says. Driven by tests/scenarios/test_vif.py, which looks after the neighbours.
 */
#include <guest/clock.h>
#include <guest/console.h>
#include <guest/event.h>
#include <guest/hypercall.h>
#include <guest/memory.h>
#include <guest/start.h>
#include <guest/string.h>
#include <guest/thread.h>
#include <pv-drivers/net_front.h>
#include <pv-drivers/xs_ring.h>

static struct xs xs;
static struct net_front front;
static uint8_t packet[PAGE_SIZE] __attribute__((aligned(PAGE_SIZE)));
static long granted;

static uint32_t random_bits(void)
{
	static uint64_t state = 88172645463325252;

	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (uint32_t)(state >> 16);
}

static netif_tx_request_t *next_slot(void)
{
	return RING_GET_REQUEST(&front.tx, front.tx.req_prod_pvt++);
}

/* Publish, tell the back half, and wait until there is room again, answers being passed over. */
static void push(void)
{
	bool notify;

	RING_PUSH_REQUESTS_AND_CHECK_NOTIFY(&front.tx, notify);
	if (notify)
		event_send((evtchn_port_t)front.tx_ring.port);
	while (front.tx.req_prod_pvt - front.tx.rsp_cons > RING_SIZE(&front.tx) / 2) {
		front.tx.rsp_cons = *(volatile RING_IDX *)&front.tx.sring->rsp_prod;
		__asm__ volatile("pause");
	}
}

/* Broadcasts as fast as they are taken. */
static void flood(void)
{
	memset(packet, 0xff, NET_MAC);
	memcpy(packet + NET_MAC, front.port.mac, NET_MAC);
	packet[12] = 0x88;
	packet[13] = 0xb5;
	*next_slot() = (netif_tx_request_t){.gref = (grant_ref_t)granted, .size = 60};
	push();
}

/* Nothing but events. */
static void storm(void)
{
	event_send((evtchn_port_t)front.tx_ring.port);
}

/* Requests of random numbers, in chains that end as they should. */
static void garbage(void)
{
	unsigned int count = 1 + random_bits() % 18;

	for (unsigned int i = 0; i < count; i++)
		*next_slot() = (netif_tx_request_t){
		    .gref = random_bits() % 4 ? (grant_ref_t)granted : random_bits(),
		    .offset = (uint16_t)random_bits(),
		    .size = (uint16_t)(random_bits() % 2 ? random_bits() % 2000 : random_bits()),
		    .flags =
			(uint16_t)((random_bits() & 3) | (i < count - 1 ? NETTXF_more_data : 0)),
		};
	push();
}

/* Segmentation of what cannot be cut. */
static void segments(void)
{
	struct netif_extra_info gso = {.type = XEN_NETIF_EXTRA_TYPE_GSO};

	for (unsigned int i = 14; i < 60; i++)
		packet[i] = (uint8_t)random_bits();
	memcpy(packet + 12, "\x08\0\x45", 3);
	packet[23] = 6;
	gso.u.gso.size = (uint16_t)random_bits();
	gso.u.gso.type = (uint8_t)(random_bits() % 4);
	*next_slot() = (netif_tx_request_t){.gref = (grant_ref_t)granted,
					    .size = (uint16_t)(60 + random_bits() % 4000),
					    .flags = NETTXF_extra_info | NETTXF_csum_blank};
	memcpy(next_slot(), &gso, sizeof(gso));
	push();
}

/* Indexes that cannot be, for both rings, over and over. */
static void indexes(void)
{
	front.tx.sring->req_prod = random_bits();
	front.rx.sring->req_prod = random_bits();
	front.tx.sring->rsp_event = random_bits();
	storm();
	event_send((evtchn_port_t)front.rx_ring.port);
}

/* The number of buffers that it has, changed all the time; and no packet is ever taken. */
static void flicker(void)
{
	RING_IDX at = front.rx.sring->req_prod;

	for (unsigned int i = 0; i < 1000; i++)
		*(volatile RING_IDX *)&front.rx.sring->req_prod = at - (i & 1);
	storm();
}

/* Nothing: whatever comes waits for buffers that are not posted any more. */
static void silence(void)
{
	thread_sleep(NSEC_PER_SEC);
}

static const struct {
	const char *name;
	void (*step)(void);
} attacks[] = {
    {"flood", flood},	  {"storm", storm},	{"garbage", garbage}, {"segments", segments},
    {"indexes", indexes}, {"flicker", flicker}, {"silence", silence},
};

void guest_main(void)
{
	const char *name = (const char *)start_info->cmd_line;
	long error = threads_init("hostile");

	if (!error)
		error = xs_connect_ring(&xs);
	if (!error)
		error = xs_dispatch_thread(&xs, "watches");
	if (!error)
		error = net_front_open(&front, &xs, "device/vif/0");
	if (!error)
		error = xenbus_front_wait(&front.xenbus, clock_now() + 60 * NSEC_PER_SEC);
	granted = grant_access(0, virt_to_mfn(packet), false);
	if (error || granted < 0)
		panic("hostile: not connected, error %ld", error);
	/* From here on the driver's handlers do nothing. */
	front.connected = false;
	for (unsigned int i = 0; i < sizeof(attacks) / sizeof(attacks[0]); i++) {
		if (strncmp(attacks[i].name, name, strlen(attacks[i].name)) != 0)
			continue;
		printk("hostile: %s begins\n", attacks[i].name);
		for (;;)
			attacks[i].step();
	}
	panic("hostile: no such attack");
}
