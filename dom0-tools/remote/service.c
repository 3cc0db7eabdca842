/* SPDX-License-Identifier: MIT */
/*
 * The listener, and a thread for each visitor. Limits are on everything that a stranger can make us do: SESSIONS connections
 * at once, others are closed as they come; at most one new connection each ACCEPT_MS; a handshake's time; and a failed one keeps
 * its place for a while, so that keys can be tried at some per second only.
 */
#include "remote/remote.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <guest/clock.h>
#include <guest/thread.h>
#include <lwip/api.h>
#include <lwip/netif.h>
#include <reent.h>
#include "files/files.h"
#include "remote/tls.h"
#include "shell.h"

#define FILE_PATH     "/etc/xl/remote"
#define SESSIONS      4
#define BACKLOG	      4
#define ACCEPT_MS     50
#define HANDSHAKE_MS  10000
#define FAILED_MS     1000
#define WRITE_MS      30000
#define IDLE_SECONDS  600
#define LOOK_MS	      500
#define STOP_MS	      3000
#define OUTPUT_BUFFER 1024

struct session {
	bool used;
	struct netconn *connection;
	struct tls tls;
	FILE *output;
	bool broken; /* what is written goes nowhere */
};

static struct {
	struct mutex lock; /* of who switches it on and off */
	struct netconn *listener;
	bool stopping;
	unsigned int port;
	struct wait_queue ended;
	unsigned int running; /* threads; with events masked */
	struct session sessions[SESSIONS];
	unsigned long accepted, refused, failed;
} remote;

static uint64_t after_ms(uint64_t milliseconds)
{
	return clock_now() + milliseconds * NSEC_PER_MSEC;
}

/* A session */

static int write_output(void *data, const char *bytes, int count)
{
	struct session *session = data;

	if (!session->broken)
		session->broken =
		    !tls_write(&session->tls, bytes, (size_t)count, after_ms(WRITE_MS));
	/* A command whose reader has gone runs to its end, unless it looks. */
	return session->broken ? -1 : count;
}

/* A line without its end; false: the visitor has gone, or said nothing for too long. Longer ones are cut, and told. */
static bool read_line(struct session *session, char *line)
{
	uint64_t idle = clock_now() + IDLE_SECONDS * NSEC_PER_SEC;
	size_t length = 0;
	char c;

	for (;;) {
		long got = tls_read(&session->tls, &c, 1, after_ms(LOOK_MS));

		if (remote.stopping || clock_now() > idle || (got != -ETIMEDOUT && got <= 0))
			return false;
		if (got != 1 || c == '\r')
			continue;
		if (c == '\n')
			break;
		if (length < LINE_SIZE)
			line[length++] = c;
	}
	if (length == LINE_SIZE) {
		printf("the line is longer than %d characters\n", LINE_SIZE - 1);
		length = 0;
	}
	line[length] = 0;
	return true;
}

static void converse(struct session *session)
{
	char line[LINE_SIZE + 1];

	printf(SHELL_PROMPT);
	fflush(stdout);
	while (!session->broken && read_line(session, line)) {
		if (!strcmp(line, "exit"))
			return;
		if (!shell_execute(line))
			printf("Somebody else's command runs; try again.\n");
		printf(SHELL_PROMPT);
		fflush(stdout);
	}
}

/* This thread's standard output is the connection. */
static void talk(struct session *session)
{
	session->output = funopen(session, NULL, write_output, NULL, NULL);
	if (!session->output)
		return;
	setvbuf(session->output, NULL, _IOFBF, OUTPUT_BUFFER);
	_REENT->_stdout = _REENT->_stderr = session->output;
	converse(session);
	_REENT->_stdout = _GLOBAL_REENT->_stdout;
	_REENT->_stderr = _GLOBAL_REENT->_stderr;
	fclose(session->output);
}

static void thread_ends(void)
{
	bool masked = events_save();

	remote.running--;
	wake_all(&remote.ended);
	events_restore(masked);
}

static void run_session(void *data)
{
	struct session *session = data;
	bool open;

	session->broken = false;
	open = tls_open(&session->tls, session->connection, after_ms(HANDSHAKE_MS));
	if (open)
		talk(session);
	tls_close(&session->tls);
	if (!open) {
		remote.failed++;
		thread_sleep(FAILED_MS * NSEC_PER_MSEC);
	}
	session->used = false;
	thread_ends();
}

/* The listener */

static bool start_thread(const char *name, void (*function)(void *data), void *data)
{
	struct thread *thread;
	bool masked = events_save();

	remote.running++;
	events_restore(masked);
	thread = thread_create(name, function, data);
	if (!thread)
		thread_ends();
	else
		thread_detach(thread);
	return thread;
}

static bool begin_session(struct netconn *connection)
{
	for (unsigned int i = 0; i < SESSIONS; i++) {
		struct session *session = &remote.sessions[i];

		if (session->used)
			continue;
		session->used = true;
		session->connection = connection;
		if (start_thread("remote", run_session, session))
			return true;
		session->used = false;
		return false;
	}
	return false;
}

static void listen_for(void *unused)
{
	struct netconn *connection;

	netconn_set_recvtimeout(remote.listener, LOOK_MS);
	while (!remote.stopping) {
		if (netconn_accept(remote.listener, &connection) != ERR_OK)
			continue;
		if (begin_session(connection)) {
			remote.accepted++;
		} else {
			remote.refused++;
			netconn_close(connection);
			netconn_delete(connection);
		}
		thread_sleep(ACCEPT_MS * NSEC_PER_MSEC);
	}
	netconn_close(remote.listener);
	netconn_delete(remote.listener);
	thread_ends();
}

/* On and off; the lock is held. */

/* False: a visitor's command still runs; he is let go when it ends, and till then nothing is switched on. */
static bool stop(void)
{
	uint64_t end = after_ms(STOP_MS);
	bool masked = events_save(), in_time = true, stopped;

	remote.stopping = true;
	remote.port = 0;
	while (remote.running && in_time)
		in_time = wait_on(&remote.ended, end);
	stopped = !remote.running;
	remote.stopping = !stopped;
	events_restore(masked);
	return stopped;
}

static const char *start(const uint8_t *key, size_t length, unsigned int port)
{
	long error = tls_set_key(REMOTE_IDENTITY, key, length);

	if (error)
		return error == -EOPNOTSUPP
			   ? "this CPU draws no random numbers (RDRAND), so nothing would be secret"
			   : "no memory";
	remote.listener = netconn_new(NETCONN_TCP);
	if (!remote.listener)
		return "no memory";
	if (netconn_bind(remote.listener, IP_ADDR_ANY, (uint16_t)port) != ERR_OK ||
	    netconn_listen_with_backlog(remote.listener, BACKLOG) != ERR_OK ||
	    !start_thread("remote-listen", listen_for, NULL)) {
		netconn_delete(remote.listener);
		return "the port is in use, or there is no memory";
	}
	remote.port = port;
	return NULL;
}

#define STILL_RUNS "it is off, but a visitor's command still runs"

/* Words */

/* Hexadecimal digits, two a byte; 0: they are none, or too few or many. */
static size_t parse_key(const char *text, size_t digits, uint8_t *key)
{
	char pair[3] = {0}, *end;

	if (digits % 2 || digits < 2 * TLS_KEY_LEAST || digits > 2 * TLS_KEY_MOST ||
	    strspn(text, "0123456789abcdefABCDEF") < digits)
		return 0;
	for (size_t i = 0; i < digits / 2; i++) {
		memcpy(pair, text + 2 * i, 2);
		key[i] = (uint8_t)strtoul(pair, &end, 16);
	}
	return digits / 2;
}

static const char *switch_on(const char *key_text, size_t digits, const char *port_text)
{
	uint8_t key[TLS_KEY_MOST];
	unsigned long port = REMOTE_PORT;
	const char *why;
	char *end;
	size_t length = parse_key(key_text, digits, key);
	bool running;

	if (!length)
		return "a key is 32 to 128 hexadecimal digits, such as `openssl rand -hex 32` prints";
	if (port_text) {
		port = strtoul(port_text, &end, 10);
		if (*end || !port || port > 65535)
			return "a port is a number from 1 to 65535";
	}
	if (!netif_default)
		return "dom0 has no address yet; see `ip`";
	running = shell_let_others();
	mutex_lock(&remote.lock);
	why = stop() ? start(key, length, (unsigned int)port) : STILL_RUNS;
	mutex_unlock(&remote.lock);
	shell_go_on(running);
	memset(key, 0, sizeof(key));
	return why;
}

void remote_start(void)
{
	const void *data;
	const char *why;
	char port[8] = "", *text;
	size_t size, digits;

	if (files_map(FILE_PATH, &data, &size) || size > 1024)
		return;
	text = strndup(data, size);
	if (!text)
		return;
	digits = strcspn(text, " \t\r\n");
	sscanf(text + digits, "%7s", port);
	why = switch_on(text, digits, port[0] ? port : NULL);
	if (why)
		printf(FILE_PATH ": %s; the remote service is off\n", why);
	memset(text, 0, size);
	free(text);
}

static void show(void)
{
	unsigned int sessions = 0;

	for (unsigned int i = 0; i < SESSIONS; i++)
		sessions += remote.sessions[i].used;
	if (remote.port)
		printf("on, port %u, %u of %d connections in use\n", remote.port, sessions,
		       SESSIONS);
	else
		printf("off\n");
	printf("%lu accepted, %lu refused for want of room, %lu failed to show the key\n",
	       remote.accepted, remote.refused, remote.failed);
}

static int switch_off(void)
{
	bool running = shell_let_others(), stopped;

	mutex_lock(&remote.lock);
	stopped = stop();
	mutex_unlock(&remote.lock);
	shell_go_on(running);
	if (!stopped)
		printf("remote: " STILL_RUNS "\n");
	return stopped ? 0 : 1;
}

int run_remote(int argc, char **argv)
{
	const char *why;

	if (argc == 1) {
		show();
		return 0;
	}
	if (shell_is_remote()) {
		printf("remote: only the console switches it on and off\n");
		return 1;
	}
	if (argc == 2 && !strcmp(argv[1], "off"))
		return switch_off();
	if (argc < 3 || strcmp(argv[1], "on") != 0) {
		printf("usage: remote [on KEY [PORT] | off]\n");
		return 2;
	}
	why = switch_on(argv[2], strlen(argv[2]), argv[3]);
	if (!why)
		return 0;
	printf("remote: %s\n", why);
	return 1;
}
