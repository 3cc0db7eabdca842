/* SPDX-License-Identifier: MIT */
/*
 * Traffic for bench-net: the first program of a Linux domain that sends and receives, of one that answers, and, on the host, what
 * answers there. The kernel hands over `bench=active` or `bench=peer` of its command line as environment.
 *
 * net-init serve ADDRESS: on the host.
 */
#define _GNU_SOURCE
#include "init.h"
#include "mark.h"
#include <arpa/inet.h>
#include <net/if.h>
#include <net/route.h>
#include <netinet/ip_icmp.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define SINK	7001
#define SOURCE	7002
#define STREAM	7003
#define PAYLOAD 1472 /* of UDP: 1500 bytes of IP */
#define WINDOW	32
#define PACKETS 1024
#define BLOCK	65536
#define BLOCKS	64
#define PINGS	200

static char buffer[BLOCK];

static void pause_a_little(void)
{
	const struct timespec time = {.tv_nsec = 20000000};

	nanosleep(&time, NULL);
}

static struct sockaddr_in at(const char *address, int port)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};

	inet_pton(AF_INET, address, &to.sin_addr);
	return to;
}

static int open_socket(int type, int protocol)
{
	const int large = 4 << 20, yes = 1;
	const struct timeval second = {.tv_sec = 1};
	int fd = socket(AF_INET, type, protocol);

	if (fd < 0)
		fail("socket");
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &large, sizeof(large));
	if (type != SOCK_STREAM)
		setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &second, sizeof(second));
	return fd;
}

/* Answering */

static int listen_at(const char *address, int port, int type)
{
	struct sockaddr_in here = at(address, port);
	int fd = open_socket(type, 0);

	if (bind(fd, (struct sockaddr *)&here, sizeof(here)))
		fail("bind");
	return fd;
}

static void serve_sink(const char *address)
{
	int fd = listen_at(address, SINK, SOCK_DGRAM);
	unsigned int count = 0;

	for (;;) {
		struct sockaddr_in from;
		socklen_t length = sizeof(from);

		if (recvfrom(fd, buffer, BLOCK, 0, (struct sockaddr *)&from, &length) < 0)
			continue;
		if (++count % WINDOW == 0)
			sendto(fd, "k", 1, 0, (struct sockaddr *)&from, length);
	}
}

static void serve_source(const char *address)
{
	int fd = listen_at(address, SOURCE, SOCK_DGRAM);

	for (;;) {
		struct sockaddr_in from;
		socklen_t length = sizeof(from);

		if (recvfrom(fd, buffer, BLOCK, 0, (struct sockaddr *)&from, &length) < 0)
			continue;
		for (unsigned int i = 0; i < WINDOW; i++)
			sendto(fd, buffer, PAYLOAD, 0, (struct sockaddr *)&from, length);
	}
}

static int read_all(int fd, size_t bytes)
{
	while (bytes) {
		ssize_t got = read(fd, buffer, bytes < BLOCK ? bytes : BLOCK);

		if (got <= 0)
			return 0;
		bytes -= (size_t)got;
	}
	return 1;
}

static int write_all(int fd, size_t bytes)
{
	while (bytes) {
		ssize_t put = write(fd, buffer, bytes < BLOCK ? bytes : BLOCK);

		if (put <= 0)
			return 0;
		bytes -= (size_t)put;
	}
	return 1;
}

static void serve_stream(const char *address)
{
	int fd = listen_at(address, STREAM, SOCK_STREAM);

	if (listen(fd, 4))
		fail("listen");
	for (;;) {
		int peer = accept(fd, NULL, NULL);
		char command;

		while (peer >= 0 && read(peer, &command, 1) == 1)
			if (command == 'u'
				? !read_all(peer, BLOCKS * BLOCK) || write(peer, "k", 1) != 1
				: !write_all(peer, BLOCKS * BLOCK))
				break;
		close(peer);
	}
}

static void serve(const char *address)
{
	if (fork() == 0)
		serve_sink(address);
	if (fork() == 0)
		serve_source(address);
	serve_stream(address);
}

/* Asking */

static const char *peer;
static int sink, source, stream, ping;

static void udp_out(void)
{
	for (unsigned int i = 0; i < PACKETS; i++) {
		if (send(sink, buffer, PAYLOAD, 0) != PAYLOAD)
			fail("send");
		if (i % WINDOW == WINDOW - 1 && recv(sink, buffer, BLOCK, 0) != 1)
			fail("packets were lost on the way out");
	}
}

static void udp_in(void)
{
	for (unsigned int i = 0; i < PACKETS; i++) {
		if (i % WINDOW == 0 && send(source, "g", 1, 0) != 1)
			fail("send");
		if (recv(source, buffer, BLOCK, 0) != PAYLOAD)
			fail("packets were lost on the way in");
	}
}

static void tcp_out(void)
{
	if (write(stream, "u", 1) != 1 || !write_all(stream, BLOCKS * BLOCK) ||
	    read(stream, buffer, 1) != 1)
		fail("stream out");
}

static void tcp_in(void)
{
	if (write(stream, "d", 1) != 1 || !read_all(stream, BLOCKS * BLOCK))
		fail("stream in");
}

static void pings(void)
{
	for (unsigned int i = 0; i < PINGS; i++) {
		struct icmphdr request = {.type = ICMP_ECHO,
					  .un.echo.sequence = htons((uint16_t)i)};
		uint32_t sum = request.type + (uint32_t)request.un.echo.sequence;
		const struct icmphdr *answer = (const struct icmphdr *)(buffer + 20);

		request.checksum = (uint16_t) ~((sum & 0xffff) + (sum >> 16));
		if (send(ping, &request, sizeof(request), 0) != sizeof(request))
			fail("ping");
		do {
			if (recv(ping, buffer, BLOCK, 0) < 28)
				fail("no answer to a ping");
		} while (answer->type != ICMP_ECHOREPLY ||
			 answer->un.echo.sequence != request.un.echo.sequence);
	}
}

static int connect_to(int type, int protocol, int port)
{
	struct sockaddr_in there = at(peer, port);
	const int yes = 1;
	int fd;

	for (unsigned int tries = 0; tries < 2000; tries++) {
		fd = open_socket(type, protocol);
		if (!connect(fd, (struct sockaddr *)&there, sizeof(there))) {
			if (type == SOCK_STREAM)
				setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));
			return fd;
		}
		close(fd);
		pause_a_little();
	}
	fail("connect");
	return -1;
}

static void connect_all(const char *to)
{
	peer = to;
	/* The stream first: when it is there, so are the others. */
	stream = connect_to(SOCK_STREAM, 0, STREAM);
	sink = connect_to(SOCK_DGRAM, 0, SINK);
	source = connect_to(SOCK_DGRAM, 0, SOURCE);
	ping = connect_to(SOCK_RAW, IPPROTO_ICMP, 0);
}

/* Once to warm up, once to count. */
#define ROW(n, operation)                \
	do {                             \
		operation();             \
		bench_mark(2 * (n));     \
		operation();             \
		bench_mark(2 * (n) + 1); \
	} while (0)

/* First the other domain must have started, and whoever tidies up after that be done: what else runs is counted too. */
static void active(void)
{
	connect_all("10.0.2.16");
	close(stream); /* one at a time is served */
	sleep(5);
	connect_all("10.0.2.2");
	ROW(1, udp_out);
	ROW(2, udp_in);
	ROW(3, tcp_out);
	ROW(4, tcp_in);
	ROW(5, pings);
	connect_all("10.0.2.16");
	ROW(6, udp_out);
	ROW(7, tcp_out);
	ROW(8, pings);
	bench_mark(99);
	printf("BENCH end\n");
	fflush(stdout);
	for (;;)
		pause();
}

/* The domain */

static void configure(const char *address)
{
	struct ifreq request = {.ifr_name = "eth0"};
	struct sockaddr_in here = at(address, 0);
	int fd = open_socket(SOCK_DGRAM, 0);

	memcpy(&request.ifr_addr, &here, sizeof(here));
	for (unsigned int tries = 0; ioctl(fd, SIOCSIFADDR, &request); tries++) {
		if (tries == 2000)
			fail("eth0");
		pause_a_little();
	}
	here = at("255.255.255.0", 0);
	memcpy(&request.ifr_netmask, &here, sizeof(here));
	if (ioctl(fd, SIOCSIFNETMASK, &request) || ioctl(fd, SIOCGIFFLAGS, &request))
		fail("eth0");
	request.ifr_flags |= IFF_UP;
	if (ioctl(fd, SIOCSIFFLAGS, &request))
		fail("eth0");
	close(fd);
}

int main(int argc, char **argv)
{
	const char *what = getenv("bench");

	if (argc > 2 && strcmp(argv[1], "serve") == 0)
		serve(argv[2]);
	load_modules();
	if (what && strcmp(what, "peer") == 0) {
		configure("10.0.2.16");
		serve("0.0.0.0");
	}
	configure("10.0.2.15");
	active();
}
