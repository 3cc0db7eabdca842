/* SPDX-License-Identifier: MIT */
// flags: -Wno-unused-parameter
// runs: 50000
/*
 * Hostile packets for lwIP with the tree's options: what a stranger on the wire sends while this end has an address by
 * DHCP, asks for names, echoes on TCP and UDP, and connects to somebody. None may lead to an assertion, which would be the
 * domain's end. The input is a list of steps: a packet whole, headers that fit with a rest from the input, an answer to a
 * packet that was sent, time, or something that this end does. Checksums are not checked, or no input would get far.
 */
#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <lwip/dhcp.h>
#include <lwip/dns.h>
#include <lwip/etharp.h>
#include <lwip/init.h>
#include <lwip/ip4_frag.h>
#include <lwip/priv/tcp_priv.h>
#include <lwip/prot/ip4.h>
#include <lwip/prot/tcp.h>
#include <lwip/tcpip.h>
#include <lwip/timeouts.h>
#include <lwip/udp.h>
#include <netif/ethernet.h>
#include <internet.h>

#define FRAME_MAX  1514
#define HEADERS	   (14 + 20)
#define MEMORY_MAX (320 * 1024) /* of all allocations together, as lwipopts.h has it */
#define STEPS_MAX  64

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct netif netif;
static struct udp_pcb *udp_echo;
static struct tcp_pcb *listener;
static uint32_t time_ms = 1000;
static size_t memory, allocations;
/* Each input begins with these. */
static uint32_t random_state;
static unsigned int calls, names;

static const uint8_t own_mac[6] = {2, 0, 0, 0, 0, 1}, other_mac[6] = {2, 0, 0, 0, 0, 2};
static ip4_addr_t own, other, mask;

/* Frames that were sent, the last first. */
static struct frame {
	uint16_t length;
	uint8_t bytes[FRAME_MAX];
} sent[4];

/* ---- what lwIP asks of its surroundings ---- */

void panic(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	abort();
}

void *host_malloc(size_t size)
{
	size_t *p;

	if (memory + size > MEMORY_MAX)
		return NULL;
	p = malloc(size + 16);
	assert(p);
	p[0] = size;
	memory += size;
	allocations++;
	return p + 2;
}

void *host_calloc(size_t count, size_t size)
{
	void *p = host_malloc(count * size);

	if (p)
		memset(p, 0, count * size);
	return p;
}

void host_free(void *p)
{
	size_t *start = (size_t *)p - 2;

	if (!p)
		return;
	memory -= start[0];
	allocations--;
	free(start);
}

void sys_init(void)
{
}

u32_t sys_now(void)
{
	return time_ms;
}

sys_prot_t sys_arch_protect(void)
{
	return 0;
}

void sys_arch_unprotect(sys_prot_t before)
{
}

uint32_t lwip_random(void)
{
	return random_state = random_state * 1664525 + 1013904223;
}

/* What lwIP sends to itself is taken later: at the end of a step. */
static struct {
	tcpip_callback_fn fn;
	void *argument;
} later[16];
static unsigned int n_later;

err_t tcpip_try_callback(tcpip_callback_fn fn, void *argument)
{
	if (n_later == LWIP_ARRAYSIZE(later))
		return ERR_MEM;
	later[n_later].fn = fn;
	later[n_later++].argument = argument;
	return ERR_OK;
}

static void do_later(void)
{
	for (unsigned int i = 0; i < n_later; i++)
		later[i].fn(later[i].argument);
	n_later = 0;
}

/* ---- the interface ---- */

static err_t transmit(struct netif *interface, struct pbuf *p)
{
	memmove(&sent[1], &sent[0], sizeof(sent) - sizeof(sent[0]));
	assert(p->tot_len <= FRAME_MAX);
	sent[0].length = pbuf_copy_partial(p, sent[0].bytes, FRAME_MAX, 0);
	assert(sent[0].length == p->tot_len);
	return ERR_OK;
}

static err_t init(struct netif *interface)
{
	interface->output = etharp_output;
	interface->linkoutput = transmit;
	interface->mtu = 1500;
	interface->hwaddr_len = 6;
	memcpy(interface->hwaddr, own_mac, 6);
	interface->flags = NETIF_FLAG_BROADCAST | NETIF_FLAG_ETHARP | NETIF_FLAG_ETHERNET;
	NETIF_SET_CHECKSUM_CTRL(interface, NETIF_CHECKSUM_DISABLE_ALL);
	return ERR_OK;
}

/* In memory of its own, of just that length; short ones with padding, as guest/lwip/internet.c does it. */
static void receive(const uint8_t *frame, size_t length)
{
	size_t padded = length < INTERNET_FRAME_MIN ? INTERNET_FRAME_MIN : length;
	struct pbuf *p = pbuf_alloc(PBUF_RAW, (u16_t)padded, PBUF_RAM);

	if (!p)
		return;
	memset(p->payload, 0, padded);
	pbuf_take(p, frame, (u16_t)length);
	if (netif.input(p, &netif) != ERR_OK)
		pbuf_free(p);
}

/* ---- what this end does ---- */

/*
 * As lwIP's own api/ does, which all the tree's programs use: what there is no room for is refused and comes again, and
 * nothing is closed from within a callback. Nor are connections closed on one side alone: on those lwIP 2.1.3 forgets data
 * that was refused together with the other side's end.
 */
static err_t take(struct tcp_pcb *pcb, struct pbuf *p, bool back)
{
	if (!p)
		return ERR_OK;
	if (calls++ % 8 == 7)
		return ERR_MEM;
	/* As much as there is room for. */
	for (struct pbuf *q = p; q && back; q = q->next)
		if (tcp_write(pcb, q->payload, q->len, TCP_WRITE_FLAG_COPY) != ERR_OK)
			break;
	tcp_recved(pcb, p->tot_len);
	pbuf_free(p);
	return ERR_OK;
}

static err_t echo(void *argument, struct tcp_pcb *pcb, struct pbuf *p, err_t error)
{
	return take(pcb, p, true);
}

/* Of connections out of here, which may lead back here. */
static err_t swallow(void *argument, struct tcp_pcb *pcb, struct pbuf *p, err_t error)
{
	return take(pcb, p, false);
}

static err_t accepted(void *argument, struct tcp_pcb *pcb, err_t error)
{
	if (error != ERR_OK || !pcb)
		return ERR_VAL;
	tcp_recv(pcb, echo);
	return ERR_OK;
}

static err_t connected(void *argument, struct tcp_pcb *pcb, err_t error)
{
	return tcp_write(pcb, "GET / HTTP/1.0\r\n\r\n", 18, 0);
}

static void datagram(void *argument, struct udp_pcb *pcb, struct pbuf *p, const ip_addr_t *from,
		     u16_t port)
{
	udp_sendto(pcb, p, from, port);
	pbuf_free(p);
}

static void found(const char *name, const ip_addr_t *address, void *argument)
{
}

static void connect_out(uint8_t what)
{
	struct tcp_pcb *pcb = tcp_new();

	if (!pcb)
		return;
	tcp_recv(pcb, swallow);
	if (what & 1)
		ip_set_option(pcb, SOF_KEEPALIVE);
	if (tcp_connect(pcb, what & 2 ? netif_ip_addr4(&netif) : &other, what & 2 ? 7 : 80,
			connected) != ERR_OK)
		tcp_abort(pcb);
}

static void close_connection(struct tcp_pcb *pcb)
{
	if (!pcb)
		return;
	tcp_recv(pcb, NULL);
	if (tcp_close(pcb) != ERR_OK)
		tcp_abort(pcb);
}

/* Those that the other end has closed. */
static void follow_closed(void)
{
	struct tcp_pcb *pcb = tcp_active_pcbs;

	while (pcb && pcb->state != CLOSE_WAIT)
		pcb = pcb->next;
	close_connection(pcb);
}

static void act(uint8_t what)
{
	struct tcp_pcb *pcb = tcp_active_pcbs;
	char name[32];
	ip_addr_t address;

	switch (what >> 4) {
	case 0:
		connect_out(what);
		break;
	case 1:
		snprintf(name, sizeof(name), "host%u.example", names++);
		dns_gethostbyname(name, &address, found, NULL);
		break;
	case 2:
		dhcp_start(&netif);
		break;
	case 3:
		dhcp_release_and_stop(&netif);
		netif_set_addr(&netif, &own, &mask, &other);
		break;
	case 4:
		close_connection(pcb);
		break;
	case 5:
		if (pcb && (pcb->state == ESTABLISHED || pcb->state == CLOSE_WAIT)) {
			static const char text[3000];

			tcp_write(pcb, text, what * 200u % sizeof(text), TCP_WRITE_FLAG_COPY);
			tcp_output(pcb);
		}
		break;
	case 6:
		netif_set_link_down(&netif);
		netif_set_link_up(&netif);
		break;
	case 7:
		if (pcb)
			tcp_output(pcb);
		else
			etharp_request(&netif, &other);
		break;
	default:
		break;
	}
}

/* ---- packets ---- */

static void put16(uint8_t *at, uint32_t value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

static void put32(uint8_t *at, uint32_t value)
{
	put16(at, value >> 16);
	put16(at + 2, value);
}

static uint32_t get32(const uint8_t *at)
{
	return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static void ethernet(uint8_t *frame, uint16_t type)
{
	memcpy(frame, own_mac, 6);
	memcpy(frame + 6, other_mac, 6);
	put16(frame + 12, type);
}

static void ip(uint8_t *frame, uint8_t protocol, size_t length, uint16_t fragment)
{
	uint8_t *h = frame + 14;

	ethernet(frame, ETHTYPE_IP);
	memset(h, 0, 20);
	h[0] = 0x45;
	put16(h + 2, (uint32_t)length - 14);
	put16(h + 4, 7);
	put16(h + 6, fragment);
	h[8] = 64;
	h[9] = protocol;
	memcpy(h + 12, &other, 4);
	memcpy(h + 16, netif_ip4_addr(&netif), 4);
}

/* Headers that fit, above them what the input has. choice: protocol, and for TCP what is nearly right of the rest. */
static void receive_ip(uint8_t choice, uint8_t more, const uint8_t *rest, size_t length)
{
	static const uint8_t protocols[4] = {IP_PROTO_TCP, IP_PROTO_TCP, IP_PROTO_UDP,
					     IP_PROTO_ICMP};
	static const uint8_t flags[8] = {
	    TCP_SYN,	       TCP_ACK,		  TCP_ACK | TCP_PSH, TCP_ACK | TCP_FIN,
	    TCP_RST | TCP_ACK, TCP_SYN | TCP_ACK, TCP_ACK | TCP_URG, TCP_FIN};
	uint8_t frame[FRAME_MAX], protocol = protocols[choice & 3], *t = frame + HEADERS;
	struct tcp_pcb *pcb = tcp_active_pcbs;
	uint16_t fragment =
	    choice & 0x80 ? (uint16_t)((more & 0x1f) * 2 | (more & 0x80 ? 0x2000 : 0)) : 0;

	memcpy(t, rest, length);
	if (protocol == IP_PROTO_TCP && length >= 20) {
		put16(t, pcb && choice & 4 ? pcb->remote_port : 4000u + (more >> 6));
		put16(t + 2, pcb && choice & 4 ? pcb->local_port : 7);
		if (pcb && choice & 4) {
			put32(t + 4, pcb->rcv_nxt + (choice & 8 ? get32(t + 4) % 3000 : 0));
			put32(t + 8, pcb->snd_nxt - (choice & 16 ? get32(t + 8) % 3000 : 0));
		}
		t[12] = choice & 32 ? t[12] : 0x50;
		t[13] = choice & 64 ? t[13] : flags[more & 7];
	} else if (protocol == IP_PROTO_UDP && length >= 8) {
		put16(t + 2, choice & 4 ? 7 : 68);
		put16(t + 4, choice & 8 ? (uint32_t)length : get32(t + 4) & 0xffff);
	}
	ip(frame, protocol, HEADERS + length, fragment);
	receive(frame, HEADERS + length);
}

/* What a server says to a client's DHCP message. The options begin with the message's type. */
static void answer_dhcp(uint8_t *message, size_t length)
{
	uint8_t *options = message + 240;
	const uint8_t rest[] = {54, 4,	 10,  0,   0, 1, 51, 4,	 0, 0, 0, 40, 1,
				4,  255, 255, 255, 0, 3, 4,  10, 0, 0, 1, 255};

	if (length < 240 + 3 + sizeof(rest))
		return;
	message[0] = 2;
	memcpy(message + 16, &own, 4);
	options[2] = options[2] == 1 ? 2 : 5; /* an offer, an acknowledgement */
	memcpy(options + 3, rest, sizeof(rest));
}

/* An answer above the headers of what was sent. */
static void answer_transport(uint8_t protocol, uint8_t *t, size_t payload)
{
	uint8_t port[2] = {t[0], t[1]};

	memcpy(t, t + 2, 2);
	memcpy(t + 2, port, 2);
	if (protocol == IP_PROTO_TCP && payload >= 20) {
		uint32_t sequence =
		    get32(t + 4) + (uint32_t)payload - (t[12] >> 4) * 4u + (t[13] & 3 ? 1 : 0);

		put32(t + 4, get32(t + 8));
		put32(t + 8, sequence);
		t[13] |= TCP_ACK;
	} else if (protocol == IP_PROTO_UDP && payload >= 20 && t[1] == 53) {
		t[10] = 0x81;
		put16(t + 14, 1); /* one record, which the input has */
	} else if (protocol == IP_PROTO_UDP && t[1] == 67) {
		answer_dhcp(t + 8, payload - 8);
	}
}

/* A packet that was sent is turned round, and says at some places what the input has. */
static void receive_answer(uint8_t which, const uint8_t *rest, size_t length)
{
	struct frame answer = sent[which & 3];
	uint8_t *h = answer.bytes + 14, *t = h + 20;

	if (answer.length < 42)
		return;
	memcpy(answer.bytes, own_mac, 6);
	memcpy(answer.bytes + 6, other_mac, 6);
	if (answer.bytes[13] == 6) { /* ARP: addresses change places, a request becomes the reply */
		h[7] = 2;
		memcpy(h + 18, h + 8, 10);
		memcpy(h + 8, other_mac, 6);
		memcpy(h + 14, &other, 4);
	} else {
		memcpy(h + 16, h + 12, 4);
		memcpy(h + 12, &other, 4);
		answer_transport(h[9], t, answer.length - HEADERS);
		if (which & 4 && answer.length + length <= FRAME_MAX) { /* it says more */
			memcpy(answer.bytes + answer.length, rest, length);
			answer.length += (uint16_t)length;
			length = 0;
			put16(h + 2, answer.length - 14u);
			if (h[9] == IP_PROTO_UDP)
				put16(t + 4, answer.length - HEADERS);
		}
	}
	for (size_t i = 0; i + 2 <= length; i += 2)
		answer.bytes[14 + rest[i] % (answer.length - 14)] = rest[i + 1];
	receive(answer.bytes, answer.length);
}

static void pass(uint32_t ms)
{
	time_ms += ms;
	sys_check_timeouts();
	do_later();
}

/* ---- a run ---- */

static void begin(uint8_t choice)
{
	ip_addr_t server;

	random_state = 1;
	calls = names = 0;
	netif_add(&netif, choice & 1 ? NULL : &own, choice & 1 ? NULL : &mask,
		  choice & 1 ? NULL : &other, NULL, init, ethernet_input);
	netif_set_hostname(&netif, "host");
	netif_set_default(&netif);
	netif_set_up(&netif);
	netif_set_link_up(&netif);
	ip_addr_copy_from_ip4(server, other);
	dns_setserver(0, &server);
	if (choice & 1)
		dhcp_start(&netif);
	listener = tcp_new();
	assert(listener && tcp_bind(listener, IP_ADDR_ANY, 7) == ERR_OK);
	listener = tcp_listen_with_backlog(listener, 3);
	assert(listener);
	tcp_accept(listener, accepted);
	udp_echo = udp_new();
	assert(udp_echo && udp_bind(udp_echo, IP_ADDR_ANY, 7) == ERR_OK);
	udp_recv(udp_echo, datagram, NULL);
}

/* All goes, and nothing is left. */
static void end(size_t before)
{
	do_later();
	while (tcp_active_pcbs)
		tcp_abort(tcp_active_pcbs);
	while (tcp_tw_pcbs)
		tcp_abort(tcp_tw_pcbs);
	while (tcp_bound_pcbs)
		tcp_close(tcp_bound_pcbs);
	tcp_close(listener);
	udp_remove(udp_echo);
	dhcp_release_and_stop(&netif);
	dhcp_cleanup(&netif);
	do_later();
	for (unsigned int i = 0; i < 64; i++) {
		ip_reass_tmr();
		dns_tmr();
	}
	netif_remove(&netif);
	memset(sent, 0, sizeof(sent));
	/* The timer of TCP, which runs while there are connections, goes at its next turn. */
	pass(1000);
	assert(allocations == before);
}

static void step(const uint8_t **data, size_t *size)
{
	uint8_t what = (*data)[0], a = (*data)[1], b = (*data)[2];
	size_t length;

	*data += 4;
	*size -= 4;
	length = (size_t)(*data)[-1] * (what & 0x80 ? 5 : 1);
	if (length > *size)
		length = *size;
	if (length > FRAME_MAX - HEADERS)
		length = FRAME_MAX - HEADERS;
	switch (what & 7) {
	case 0:
		receive(*data, length);
		break;
	case 1:
	case 2:
	case 3:
		receive_ip(a, b, *data, length);
		break;
	case 4:
	case 5:
		receive_answer(a, *data, length);
		break;
	case 6:
		pass(a & 1 ? b * 10u : b * 500u);
		length = 0;
		break;
	default:
		act(a);
		length = 0;
		break;
	}
	do_later();
	if (what & 8)
		follow_closed();
	*data += length;
	*size -= length;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static bool started;
	static size_t before;

	if (!started) {
		IP4_ADDR(&own, 10, 0, 0, 2);
		IP4_ADDR(&other, 10, 0, 0, 1);
		IP4_ADDR(&mask, 255, 255, 255, 0);
		lwip_init();
		before = allocations;
		started = true;
	}
	if (size < 1)
		return 0;
	begin(*data++);
	size--;
	for (unsigned int i = 0; i < STEPS_MAX && size >= 4; i++)
		step(&data, &size);
	end(before);
	return 0;
}
