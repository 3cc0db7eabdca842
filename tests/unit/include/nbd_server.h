/* SPDX-License-Identifier: MIT */
/*
 * An NBD server, a network and a user for the client (dom0-tools/nbd): the server has a disk and one that would be left after
 * a crash; the network gives bytes in pieces; the user has one request, or as the model many.
 */
#ifndef NBD_SERVER_H
#define NBD_SERVER_H

#include <public/errno.h>
#include "nbd/nbd.h"
#include "nbd/internal.h"

#define SERVER_SECTORS	 1024
#define SERVER_GO	 0x001
#define SERVER_FLUSH	 0x002
#define SERVER_ZEROES	 0x004
#define SERVER_TRIM	 0x008
#define SERVER_TALKS	 0x010 /* more answers than were asked for */
#define SERVER_UNKNOWN	 0x020
#define SERVER_TLS	 0x040
#define SERVER_OLD	 0x080
#define SERVER_HTTP	 0x100
#define SERVER_EMPTY	 0x200
#define SERVER_BLOCKS	 0x400
#define SERVER_READ_ONLY 0x800

#define LIES		 4

#define PIPE		 (4u << 20)
struct pipe {
	uint8_t bytes[PIPE];
	size_t length;
};

static struct {
	unsigned int kind;
	uint64_t sectors, now;
	bool connected, silent, woken, random_pieces;
	enum { GREETED, OPTIONS, TRANSMISSION } state;
	struct pipe to_server, to_client;
	struct pipe late; /* replies to flushes, which others may overtake */
	uint8_t volatile_disk[(SERVER_SECTORS + 128) * BLOCK_SECTOR];
	uint8_t stable_disk[(SERVER_SECTORS + 128) * BLOCK_SECTOR];
	uint32_t error, flush_error;
	unsigned int lie;
	uint64_t hates_sector;
} server;

static struct nbd client;
static uint8_t client_log[NBD_LOG_SIZE];

static void pipe_put(struct pipe *pipe, const void *bytes, size_t length)
{
	assert_true(pipe->length + length <= PIPE);
	memcpy(pipe->bytes + pipe->length, bytes, length);
	pipe->length += length;
}

static void pipe_drop(struct pipe *pipe, size_t length)
{
	memmove(pipe->bytes, pipe->bytes + length, pipe->length - length);
	pipe->length -= length;
}

/*
 * The network
 */

static size_t transport_send(struct nbd *nbd, const void *bytes, size_t length, bool stays)
{
	assert_true(server.connected);
	if (server.random_pieces && length > 1)
		length = (size_t)rand() % length;
	pipe_put(&server.to_server, bytes, length);
	return length;
}

static void transport_push(struct nbd *nbd)
{
}

static void transport_drop(struct nbd *nbd)
{
	server.connected = false;
}

static void transport_wake(struct nbd *nbd)
{
	server.woken = true;
}

static const struct nbd_transport transport = {
    .send = transport_send, .push = transport_push, .drop = transport_drop, .wake = transport_wake};

/*
 * The server
 */

static void server_say(const void *bytes, size_t length)
{
	pipe_put(&server.to_client, bytes, length);
}

static void server_say_numbers(uint64_t size, uint16_t flags)
{
	uint8_t bytes[10];

	put64(bytes, size);
	put16(bytes + 8, flags);
	server_say(bytes, 10);
}

static void server_greet(void)
{
	if (server.kind & SERVER_HTTP) {
		server_say("HTTP/1.1 400 Bad Request\r\n\r\n", 28);
		return;
	}
	server_say("NBDMAGIC", 8);
	if (server.kind & SERVER_OLD)
		server_say("\x00\x00\x42\x02\x81\x86\x12\x53", 8);
	else
		server_say("IHAVEOPT", 8);
	server_say(server.kind & SERVER_ZEROES ? "\0\1" : "\0\3", 2);
}

static uint16_t server_flags(void)
{
	uint16_t flags = 1;

	if (server.kind & SERVER_FLUSH)
		flags |= NBD_FLAG_SEND_FLUSH;
	if (server.kind & SERVER_TRIM)
		flags |= NBD_FLAG_SEND_TRIM;
	if (server.kind & SERVER_READ_ONLY)
		flags |= NBD_FLAG_READ_ONLY;
	return flags;
}

static void server_answer(uint32_t type, const void *data, uint32_t length)
{
	uint8_t head[20];

	put64(head, 0x0003e889045565a9);
	put32(head + 8, 7);
	put32(head + 12, type);
	put32(head + 16, length);
	server_say(head, 20);
	server_say(data, length);
}

static void server_go(void)
{
	uint8_t info[14];

	if (server.kind & SERVER_UNKNOWN) {
		server_answer(0x80000006, "no", 2);
		return;
	}
	if (server.kind & SERVER_TLS) {
		server_answer(0x80000005, "", 0);
		return;
	}
	if (server.kind & SERVER_TALKS) {
		uint8_t much[1000] = {0, 2};

		server_answer(3, much, sizeof(much));
		server_answer(3, much, 5);
	}
	put16(info, 0);
	put64(info + 2, server.kind & SERVER_EMPTY ? 0 : server.sectors * BLOCK_SECTOR);
	put16(info + 10, server_flags());
	server_answer(3, info, 12);
	put16(info, 3);
	put32(info + 2, server.kind & SERVER_BLOCKS ? 8192 : 1);
	put32(info + 6, 4096);
	put32(info + 10, 1 << 25);
	server_answer(3, info, 14);
	server_answer(1, "", 0);
	server.state = TRANSMISSION;
}

/* Returns how many bytes were taken, 0: there are not enough. */
static size_t server_option(const uint8_t *in, size_t length)
{
	uint32_t data;

	if (length < 16)
		return 0;
	data = get32(in + 12);
	if (length < 16 + data)
		return 0;
	assert_memory_equal(in, "IHAVEOPT", 8);
	if (get32(in + 8) == 7 && server.kind & SERVER_GO) {
		assert_int_equal(get32(in + 16), 4);
		assert_memory_equal(in + 20, "disk", 4);
		server_go();
	} else if (get32(in + 8) == 7) {
		server_answer(0x80000001, "never heard", 11);
	} else {
		static const uint8_t zeroes[124];

		assert_int_equal(get32(in + 8), 1);
		assert_int_equal(data, 4);
		server_say_numbers(server.sectors * BLOCK_SECTOR, server_flags());
		if (server.kind & SERVER_ZEROES)
			server_say(zeroes, 124);
		server.state = TRANSMISSION;
	}
	return 16 + data;
}

static void server_reply(const uint8_t *in, uint32_t error, const void *data, size_t length)
{
	uint8_t head[16];

	put32(head, server.lie == 1 ? 1 : 0x67446698);
	put32(head + 4, error);
	memcpy(head + 8, in + 8, 8);
	if (server.lie == 2)
		head[15] ^= 0x7f;
	if (server.lie == 3)
		head[9] ^= 1;
	if (server.lie == 4)
		put32(head + 12, NBD_SLOTS + 1);
	if (get16(in + 6) == NBD_CMD_FLUSH) {
		pipe_put(&server.late, head, 16);
		return;
	}
	server_say(head, 16);
	if (!error)
		server_say(data, length);
}

static size_t server_request(const uint8_t *in, size_t length)
{
	uint64_t offset, end;
	uint32_t size, error = server.error;
	uint16_t type;
	size_t taken = 28;

	if (length < 28)
		return 0;
	assert_int_equal(get32(in), 0x25609513);
	type = get16(in + 6);
	offset = get64(in + 16);
	size = get32(in + 24);
	end = offset + size;
	assert_true(type <= NBD_CMD_TRIM && type != NBD_CMD_DISC);
	assert_true(end <= server.sectors * BLOCK_SECTOR);
	if (type == NBD_CMD_WRITE)
		taken += size;
	if (length < taken)
		return 0;
	if (offset / BLOCK_SECTOR == server.hates_sector && type == NBD_CMD_READ) {
		server.connected = false;
		return 0;
	}
	if (type == NBD_CMD_WRITE && !error)
		memcpy(server.volatile_disk + offset, in + 28, size);
	if (type == NBD_CMD_WRITE && !error && !(server.kind & SERVER_FLUSH))
		memcpy(server.stable_disk + offset, in + 28, size);
	if (type == NBD_CMD_TRIM && !error)
		memset(server.volatile_disk + offset, 0, size);
	if (type == NBD_CMD_FLUSH) {
		assert_int_equal(size, 0);
		error = server.flush_error;
		if (!error)
			memcpy(server.stable_disk, server.volatile_disk,
			       sizeof(server.stable_disk));
	}
	server_reply(in, error, server.volatile_disk + offset, type == NBD_CMD_READ ? size : 0);
	return taken;
}

static void server_serve(void)
{
	size_t taken = 1;

	while (taken && server.connected && !server.silent) {
		const uint8_t *in = server.to_server.bytes;
		size_t length = server.to_server.length;

		if (server.state == GREETED) {
			taken = length < 4 ? 0 : 4;
			if (taken)
				server.state = OPTIONS;
		} else if (server.state == OPTIONS) {
			taken = server_option(in, length);
		} else {
			taken = server_request(in, length);
		}
		pipe_drop(&server.to_server, taken);
	}
	if (!server.random_pieces || rand() % 8 == 0) {
		server_say(server.late.bytes, server.late.length);
		server.late.length = 0;
	}
}

static void server_connect(void)
{
	assert_false(server.connected);
	server.connected = true;
	server.state = GREETED;
	server.to_server.length = server.to_client.length = server.late.length = 0;
	if (!server.silent)
		server_greet();
	nbd_connected(&client, server.now);
}

static void server_lose(void)
{
	server.connected = false;
	nbd_lost(&client, server.now);
}

/* Bytes to the client, so many at most. */
static void server_deliver(size_t most)
{
	uint8_t *bytes;
	size_t length = server.to_client.length;

	if (length > most)
		length = most;
	if (!length || !server.connected)
		return;
	/* A block of exactly that size: nothing beyond it may be read. */
	bytes = malloc(length);
	memcpy(bytes, server.to_client.bytes, length);
	pipe_drop(&server.to_client, length);
	nbd_received(&client, bytes, length, server.now);
	free(bytes);
}

/* Until nothing moves any more. */
static void server_settle(void)
{
	bool was = server.connected;

	for (unsigned int i = 0; i < 1000; i++) {
		server.woken = false;
		nbd_run(&client, server.now);
		if (server.connected)
			server_serve();
		server_deliver(SIZE_MAX);
		if (!server.to_client.length && !server.to_server.length && !server.woken)
			break;
	}
	/* It was the server that ended it. */
	if (was && !server.connected && client.state != NBD_DOWN)
		nbd_lost(&client, server.now);
}

/* The connection goes, and of what was not flushed as much as chance wants, or all. */
static void server_crash(void)
{
	server_lose();
	for (size_t at = 0; at < sizeof(server.stable_disk); at += BLOCK_SECTOR) {
		if (server.random_pieces && rand() % 2)
			memcpy(server.stable_disk + at, server.volatile_disk + at, BLOCK_SECTOR);
	}
	memcpy(server.volatile_disk, server.stable_disk, sizeof(server.stable_disk));
}

static void server_start(unsigned int kind)
{
	memset(&server, 0, sizeof(server));
	memset(&client, 0, sizeof(client));
	server.kind = kind;
	server.sectors = SERVER_SECTORS;
	server.now = 1000000000;
	server.hates_sector = UINT64_MAX;
	client.transport = &transport;
	client.patience = NBD_PATIENCE * 1000000000ull;
	strcpy(client.export_name, "disk");
	nbd_init(&client, client_log);
}

static void server_stop(void)
{
	if (server.connected)
		server_lose();
	assert_null(client.waiting.first);
	assert_null(client.submitted.first);
	for (unsigned int i = 0; i <= NBD_SLOTS; i++)
		assert_true(!client.slots[i].used || !client.slots[i].request);
}

/*
 * A user with one request
 */

static struct {
	struct block_request request;
	struct block_segment segments[NBD_MAX_SEGMENTS];
	bool waits;
	int status;
} user;

static void user_done(struct block_request *request, int status)
{
	assert_true(user.waits);
	user.waits = false;
	user.status = status;
}

static void user_begin(enum block_operation operation, uint64_t sector, void *data,
		       unsigned int sectors)
{
	unsigned int bytes = sectors * BLOCK_SECTOR, count = 0;

	assert_false(user.waits);
	for (unsigned int at = 0; data && at < bytes; at += 4096, count++)
		user.segments[count] = (struct block_segment){
		    .data = (uint8_t *)data + at, .length = bytes - at < 4096 ? bytes - at : 4096};
	user.request = (struct block_request){.operation = operation,
					      .sector = sector,
					      .sectors = sectors,
					      .segments = user.segments,
					      .count = count,
					      .done = user_done};
	user.waits = true;
	block_submit(&client.device, &user.request);
}

static bool user_waits(void)
{
	return user.waits;
}

static int user_end(void)
{
	assert_false(user.waits);
	return user.status;
}

static int user_do(enum block_operation operation, uint64_t sector, void *data,
		   unsigned int sectors)
{
	user_begin(operation, sector, data, sectors);
	server_settle();
	return user_end();
}

/*
 * The model: sectors have numbers; what was written last, and what may be there after a crash of both.
 */

#define MODEL_REQUESTS 24
#define MODEL_HISTORY  64

static struct {
	struct {
		bool used, flush;
		struct block_request request;
		struct block_segment segments[8];
		uint8_t data[8 * BLOCK_SECTOR];
		uint32_t value;
		unsigned int began; /* of a flush: how many writes were done */
	} requests[MODEL_REQUESTS];
	bool busy[SERVER_SECTORS];
	uint32_t value[SERVER_SECTORS];
	unsigned int written[SERVER_SECTORS]; /* when that was, as a count of done writes */
	unsigned int stable;		      /* writes done by then are */
	uint32_t next_value;
	unsigned int writes, done, failed;
} model;

static void model_start(unsigned int seed)
{
	srand(seed);
	memset(&model, 0, sizeof(model));
	server.random_pieces = true;
}

static void model_done(struct block_request *request, int status)
{
	unsigned int n = (unsigned int)(size_t)request->owner;

	assert_true(model.requests[n].used);
	assert_int_equal(status, 0);
	model.requests[n].used = false;
	model.done++;
	if (model.requests[n].flush) {
		if (model.requests[n].began > model.stable)
			model.stable = model.requests[n].began;
		return;
	}
	for (unsigned int i = 0; i < request->sectors; i++) {
		uint64_t sector = request->sector + i;
		uint32_t found;

		model.busy[sector] = false;
		if (request->operation == BLOCK_WRITE) {
			model.value[sector] = model.requests[n].value;
			model.written[sector] = ++model.writes;
			continue;
		}
		memcpy(&found, model.requests[n].data + i * BLOCK_SECTOR, sizeof(found));
		assert_int_equal(found, model.value[sector]);
	}
}

static void model_request(void)
{
	unsigned int n = (unsigned int)rand() % MODEL_REQUESTS,
		     count = 1 + (unsigned int)rand() % 8;
	unsigned int sector = (unsigned int)rand() % (rand() % 2 ? 40 : SERVER_SECTORS - 8);
	struct block_request *request = &model.requests[n].request;

	if (model.requests[n].used)
		return;
	memset(request, 0, sizeof(*request));
	request->owner = (void *)(size_t)n;
	request->done = model_done;
	model.requests[n].flush = rand() % 12 == 0;
	model.requests[n].began = model.writes;
	if (model.requests[n].flush) {
		request->operation = BLOCK_FLUSH;
	} else {
		for (unsigned int i = 0; i < count; i++)
			if (model.busy[sector + i])
				return;
		request->operation = rand() % 2 ? BLOCK_WRITE : BLOCK_READ;
		request->sector = sector;
		request->sectors = request->count = count;
		request->segments = model.requests[n].segments;
		model.requests[n].value = ++model.next_value;
		for (unsigned int i = 0; i < count; i++) {
			uint8_t *data = model.requests[n].data + i * BLOCK_SECTOR;

			model.busy[sector + i] = true;
			memset(data, 0, BLOCK_SECTOR);
			memcpy(data, &model.next_value, sizeof(model.next_value));
			model.requests[n].segments[i] =
			    (struct block_segment){.data = data, .length = BLOCK_SECTOR};
		}
	}
	model.requests[n].used = true;
	block_submit(&client.device, request);
}

static void model_step(void)
{
	server.now += 1000;
	switch (rand() % 256) {
	case 0:
		if (server.connected)
			server_lose();
		break;
	case 1:
		if (server.connected && rand() % 4 == 0)
			server_crash();
		break;
	default:
		model_request();
	}
	if (!server.connected && rand() % 4 == 0)
		server_connect();
	if (server.connected) {
		nbd_run(&client, server.now);
		server_serve();
		server_deliver((size_t)(rand() % (rand() % 4 ? 64 : 8192)));
	}
	if (client.state == NBD_DOWN)
		server.connected = false;
}

static void model_finish(void)
{
	server.random_pieces = false;
	if (!server.connected)
		server_connect();
	server_settle();
	for (unsigned int i = 0; i < MODEL_REQUESTS; i++)
		assert_false(model.requests[i].used);
	/* Both crash: what a flush covered is there, or something that was written later. */
	for (unsigned int i = 0; i < SERVER_SECTORS; i++) {
		uint32_t found;

		memcpy(&found, server.volatile_disk + i * BLOCK_SECTOR, sizeof(found));
		assert_int_equal(found, model.value[i]);
		if (!model.written[i] || model.written[i] > model.stable)
			continue;
		memcpy(&found, server.stable_disk + i * BLOCK_SECTOR, sizeof(found));
		assert_int_equal(found, model.value[i]);
	}
	assert_true(model.done > 50);
}

#endif
