/* SPDX-License-Identifier: MIT */
/* ping and nslookup. */
#include "net/address.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <guest/clock.h>
#include <guest/thread.h>
#include <lwip/api.h>
#include <lwip/icmp.h>
#include <lwip/inet_chksum.h>
#include <lwip/ip4.h>
#include <lwip/prot/ip.h>
#include <lwip/prot/ip4.h>
#include "shell.h"

#define TRIES	   3
#define MOST_TRIES 1000
#define WAIT_MS	   1000
#define SIZE	   64 /* of an echo request, with its header */

/* Is there a way to anywhere? Says so if not. */
static bool is_on_network(const char *command)
{
	if (netif_default && netif_is_up(netif_default) && netif_is_link_up(netif_default) &&
	    !ip4_addr_isany(netif_ip4_addr(netif_default)))
		return true;
	printf("%s: dom0 has no address; see `ip`\n", command);
	return false;
}

static bool find_host(const char *command, const char *name, ip_addr_t *address)
{
	err_t error = netconn_gethostbyname(name, address);

	if (error == ERR_OK)
		return true;
	printf("%s: %s: %s\n", command, name,
	       error == ERR_VAL ? "there is no such host" : "no name server answers; see `ip`");
	return false;
}

static bool send_echo(struct netconn *raw, const ip_addr_t *to, uint16_t sequence)
{
	struct netbuf *buffer = netbuf_new();
	struct icmp_echo_hdr *echo = buffer ? netbuf_alloc(buffer, SIZE) : NULL;
	bool sent = false;

	if (echo) {
		memset(echo, 0, SIZE);
		ICMPH_TYPE_SET(echo, ICMP_ECHO);
		echo->id = lwip_htons(0xce12);
		echo->seqno = lwip_htons(sequence);
		echo->chksum = inet_chksum(echo, SIZE);
		sent = netconn_sendto(raw, buffer, to, 0) == ERR_OK;
	}
	netbuf_delete(buffer);
	return sent;
}

/* Is this the answer? Behind its IP header. */
static bool is_answer(struct netbuf *buffer, const ip_addr_t *from, uint16_t sequence)
{
	uint8_t bytes[60 + sizeof(struct icmp_echo_hdr)];
	uint16_t length = netbuf_copy(buffer, bytes, sizeof(bytes));
	uint16_t header = (uint16_t)((bytes[0] & 15) * 4);
	struct icmp_echo_hdr echo;

	if (length < IP_HLEN || header + sizeof(echo) > length ||
	    !ip_addr_cmp(netbuf_fromaddr(buffer), from))
		return false;
	memcpy(&echo, bytes + header, sizeof(echo));
	return ICMPH_TYPE(&echo) == ICMP_ER && echo.id == lwip_htons(0xce12) &&
	       echo.seqno == lwip_htons(sequence);
}

/* Wait for the answer; false when there is none in time. */
static bool await_answer(struct netconn *raw, const ip_addr_t *from, uint16_t sequence)
{
	uint64_t end = clock_now() + WAIT_MS * NSEC_PER_MSEC, now;
	struct netbuf *buffer;
	bool found = false;

	while (!found && (now = clock_now()) < end) {
		netconn_set_recvtimeout(raw, (int)((end - now) / NSEC_PER_MSEC) + 1);
		if (netconn_recv(raw, &buffer) != ERR_OK)
			continue;
		found = is_answer(buffer, from, sequence);
		netbuf_delete(buffer);
	}
	return found;
}

static unsigned int ping(struct netconn *raw, const ip_addr_t *to, unsigned int tries)
{
	unsigned int answers = 0;

	for (unsigned int i = 1; i <= tries; i++) {
		uint64_t start = clock_now(), took;

		if (!send_echo(raw, to, (uint16_t)i)) {
			printf("no route, or no memory\n");
		} else if (await_answer(raw, to, (uint16_t)i)) {
			took = clock_now() - start;
			printf("answer %u after %lu.%03lu ms\n", i, took / NSEC_PER_MSEC,
			       took % NSEC_PER_MSEC / 1000);
			answers++;
		} else {
			printf("no answer %u within %d ms\n", i, WAIT_MS);
		}
		fflush(stdout);
		if (i < tries)
			thread_sleep_until(start + WAIT_MS * NSEC_PER_MSEC);
	}
	return answers;
}

int run_ping(int argc, char **argv)
{
	const char *host = argc == 4 ? argv[3] : argv[1];
	unsigned long tries = TRIES;
	struct netconn *raw;
	unsigned int answers;
	ip_addr_t address;
	char text[16], *end = NULL;
	bool running;

	if (argc == 4 && !strcmp(argv[1], "-c"))
		tries = strtoul(argv[2], &end, 10);
	if ((argc != 2 && !end) || (end && (*end || !tries || tries > MOST_TRIES))) {
		printf("usage: ping [-c COUNT] HOST; COUNT is from 1 to %d\n", MOST_TRIES);
		return 2;
	}
	if (!is_on_network("ping") || !find_host("ping", host, &address))
		return 1;
	raw = netconn_new_with_proto_and_callback(NETCONN_RAW, IP_PROTO_ICMP, NULL);
	if (!raw) {
		printf("ping: no memory\n");
		return 1;
	}
	ipaddr_ntoa_r(&address, text, sizeof(text));
	printf("%s is %s\n", host, text);
	running = shell_let_others();
	answers = ping(raw, &address, (unsigned int)tries);
	shell_go_on(running);
	netconn_delete(raw);
	printf("%lu sent, %u answered\n", tries, answers);
	return answers ? 0 : 1;
}

int run_nslookup(int argc, char **argv)
{
	ip_addr_t address;
	char text[16];

	if (argc != 2) {
		printf("usage: nslookup NAME\n");
		return 2;
	}
	if (!is_on_network("nslookup") || !find_host("nslookup", argv[1], &address))
		return 1;
	ipaddr_ntoa_r(&address, text, sizeof(text));
	printf("%s is %s\n", argv[1], text);
	return 0;
}
