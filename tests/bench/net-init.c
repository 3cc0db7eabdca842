/* SPDX-License-Identifier: MIT */
/*
 * The first program of two Linux guests on one bridge: role=server in the kernel's arguments answers, the other one makes traffic of
 * some kinds, with marks (mark.h) around each. Loads the modules that /modules lists and gives eth0 an address itself.
 */
#define _GNU_SOURCE
#include "mark.h"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define PACKETS	  512
#define PAYLOAD	  1472 /* with its headers 1500 bytes */
#define TRIPS	  256
#define WRITES	  128
#define WRITE	  65536
#define PORT	  7
#define SERVER	  "10.0.0.2"
#define CLIENT	  "10.0.0.1"
#define ELSEWHERE "10.0.0.77" /* nobody; behind the card */

static char buffer[WRITE];

static void fail(const char *what)
{
	printf("BENCH failed: %s: %s\n", what, strerror(errno));
	fflush(stdout);
	for (;;)
		pause();
}

static void wait_a_little(void)
{
	const struct timespec time = {.tv_nsec = 10000000};

	nanosleep(&time, NULL);
}

static void load_modules(void)
{
	char name[128], file[160];
	FILE *list = fopen("/modules", "r");

	if (!list)
		fail("/modules");
	while (fscanf(list, "%127s", name) == 1) {
		int fd;

		snprintf(file, sizeof(file), "/lib/%s.ko", name);
		fd = open(file, O_RDONLY);
		if (fd < 0 || syscall(SYS_finit_module, fd, "", 0))
			fail(file);
		close(fd);
	}
	fclose(list);
}

static struct sockaddr_in address_of(const char *text, uint16_t port)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};

	inet_pton(AF_INET, text, &address.sin_addr);
	return address;
}

static void configure(const char *text)
{
	struct sockaddr_in address = address_of(text, 0), mask = address_of("255.255.255.0", 0);
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	struct ifreq request = {.ifr_name = "eth0"};

	for (unsigned int i = 0; ioctl(fd, SIOCGIFFLAGS, &request); i++) {
		if (i == 1000)
			fail("eth0");
		wait_a_little();
	}
	memcpy(&request.ifr_addr, &address, sizeof(address));
	if (ioctl(fd, SIOCSIFADDR, &request))
		fail("address");
	memcpy(&request.ifr_netmask, &mask, sizeof(mask));
	if (ioctl(fd, SIOCSIFNETMASK, &request))
		fail("mask");
	request.ifr_flags = IFF_UP | IFF_RUNNING;
	if (ioctl(fd, SIOCSIFFLAGS, &request))
		fail("up");
	close(fd);
}

static int make_socket(int type, const char *own, const char *other, uint16_t port)
{
	struct sockaddr_in from = address_of(own, port), to = address_of(other ? other : own, port);
	int fd = socket(AF_INET, type, 0), yes = 1, size = 4 << 20;

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
	setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size));
	if (fd < 0 || (!other && bind(fd, (struct sockaddr *)&from, sizeof(from))))
		fail("socket");
	for (unsigned int i = 0; other && connect(fd, (struct sockaddr *)&to, sizeof(to)); i++) {
		if (i == 1000)
			fail("connect");
		wait_a_little();
	}
	return fd;
}

/* Small datagrams are answered with how many large ones have come since the last one. */
static void serve_datagrams(int fd, uint32_t *seen)
{
	struct sockaddr_in from;
	socklen_t size = sizeof(from);
	ssize_t length =
	    recvfrom(fd, buffer, sizeof(buffer), MSG_DONTWAIT, (struct sockaddr *)&from, &size);

	if (length >= 1000)
		(*seen)++;
	if (length < 0 || length >= 1000)
		return;
	memcpy(buffer, seen, sizeof(*seen));
	sendto(fd, buffer, (size_t)length, 0, (struct sockaddr *)&from, size);
	*seen = 0;
}

/* Read all, then say so. */
static void serve_stream(int listener)
{
	int fd = accept(listener, NULL, NULL);

	while (read(fd, buffer, sizeof(buffer)) > 0)
		;
	if (write(fd, "x", 1) != 1)
		fail("answer");
	close(fd);
}

static void serve(void)
{
	int datagrams = make_socket(SOCK_DGRAM, SERVER, NULL, PORT);
	int listener = make_socket(SOCK_STREAM, SERVER, NULL, PORT);
	struct pollfd waits[2] = {{.fd = datagrams, .events = POLLIN},
				  {.fd = listener, .events = POLLIN}};
	uint32_t seen = 0;

	listen(listener, 4);
	printf("BENCH serves\n");
	fflush(stdout);
	for (;;) {
		poll(waits, 2, -1);
		if (waits[0].revents)
			serve_datagrams(datagrams, &seen);
		if (waits[1].revents)
			serve_stream(listener);
	}
}

/* Ask for the count, again if that gets lost. */
static uint32_t ask(int fd, size_t size)
{
	struct pollfd wait = {.fd = fd, .events = POLLIN};
	uint32_t count = 0;

	do {
		if (send(fd, buffer, size, 0) < 0)
			fail("send");
	} while (poll(&wait, 1, 1000) != 1);
	if (recv(fd, &count, sizeof(count), 0) < 0)
		fail("receive");
	return count;
}

static void send_datagrams(int fd)
{
	for (unsigned int i = 0; i < PACKETS; i++)
		if (send(fd, buffer, PAYLOAD, 0) != PAYLOAD)
			fail("send");
}

static void send_stream(void)
{
	int fd = make_socket(SOCK_STREAM, CLIENT, SERVER, PORT);
	char c;

	for (unsigned int i = 0; i < WRITES; i++)
		for (size_t done = 0; done < WRITE;) {
			ssize_t written = write(fd, buffer + done, WRITE - done);

			if (written <= 0)
				fail("write");
			done += (size_t)written;
		}
	shutdown(fd, SHUT_WR);
	if (read(fd, &c, 1) != 1)
		fail("the other end");
	close(fd);
}

/* The bridge knows nobody of this address but what is behind the card. */
static int make_elsewhere(void)
{
	int fd = make_socket(SOCK_DGRAM, CLIENT, ELSEWHERE, PORT);
	struct sockaddr_in address = address_of(ELSEWHERE, 0);
	struct arpreq entry = {
	    .arp_ha = {.sa_family = ARPHRD_ETHER, .sa_data = {2, 0, 0, 0, 0, 77}},
	    .arp_flags = ATF_COM | ATF_PERM,
	    .arp_dev = "eth0"};

	memcpy(&entry.arp_pa, &address, sizeof(address));
	if (ioctl(fd, SIOCSARP, &entry))
		fail("arp");
	return fd;
}

static void await_sent(int fd)
{
	int left = 1;

	while (!ioctl(fd, SIOCOUTQ, &left) && left)
		wait_a_little();
}

int main(void)
{
	const char *role = getenv("role");
	uint32_t arrived;
	int fd, elsewhere;

	load_modules();
	if (role && !strcmp(role, "server")) {
		configure(SERVER);
		serve();
	}
	configure(CLIENT);
	fd = make_socket(SOCK_DGRAM, CLIENT, SERVER, PORT);
	elsewhere = make_elsewhere();
	/* All paths have been gone once before they are measured. */
	send_datagrams(fd);
	ask(fd, 64);
	send_stream();
	send_datagrams(elsewhere);
	await_sent(elsewhere);

	bench_mark(2);
	send_datagrams(fd);
	arrived = ask(fd, 64);
	bench_mark(3);
	bench_mark(4);
	for (unsigned int i = 0; i < TRIPS; i++)
		ask(fd, 64);
	bench_mark(5);
	bench_mark(6);
	send_stream();
	bench_mark(7);
	bench_mark(8);
	send_datagrams(elsewhere);
	await_sent(elsewhere);
	bench_mark(9);
	printf("BENCH end: %u of %u datagrams arrived\n", arrived, PACKETS);
	fflush(stdout);
	for (;;)
		pause();
}
