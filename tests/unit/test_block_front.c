/* SPDX-License-Identifier: MIT */
// sources: pv-drivers/block.c pv-drivers/block_back.c pv-drivers/block_back_ring.c pv-drivers/block_front.c pv-drivers/xenbus.c pv-drivers/xenbus_ring.c pv-drivers/xenbus_front.c pv-drivers/xenbus_back.c pv-drivers/xs.c guest/format.c
// flags: -D_GNU_SOURCE -Itests/unit/include/fake-guest -Iguest/include
/*
 * The block front half and back half with each other, through a store, from their first states to the last: both as they
 * are, only grants, events and the disk are made of paper. One domain (0) plays both.
 */
#include "unit.h"
#include "xs_server.h"
#include <guest/clock.h>
#include <guest/console.h>
#include <guest/hypercall.h>
#include <guest/memory.h>
#include <guest/start.h>
#include <pv-drivers/block_back.h>
#include <pv-drivers/block_front.h>
#include <public/errno.h>

#define SECTORS 4096
#define GRANTS	2048
#define PORTS	16
#define HELD	64

static struct {
	struct {
		unsigned long mfn; /* 0: free */
		unsigned int mapped;
		bool readonly;
	} grants[GRANTS];
	struct {
		event_handler *handler;
		void *data;
		unsigned int peer;
		bool used, pending, masked;
	} ports[PORTS];
	uint8_t disk[SECTORS * BLOCK_SECTOR];
	struct block_device device;
	struct block_request *held[HELD];
	unsigned int held_count, writes;
	bool hold, deaf; /* deaf: events are lost */
	const char *printed;
} w;

static struct xs xs;
static struct xenbus_service service;
static struct disk {
	struct xenbus_back bus;
	struct block_back back;
	bool used;
} back_disk;
static struct xenbus_back other; /* a second device, that has no use yet */
static bool slow;		 /* what the first one is made of needs time */
static unsigned int closes;
static struct block_front front;

uint64_t clock_now(void)
{
	static uint64_t now = NSEC_PER_SEC;

	return now += 1000;
}

void printk(const char *format, ...)
{
	w.printed = format;
}

void panic(const char *format, ...)
{
	fprintf(stderr, "%s\n", format);
	abort();
}

/* Grants */

long grant_access(domid_t domain, unsigned long mfn, bool readonly)
{
	assert_int_equal(domain, 0);
	for (unsigned int i = 8; i < GRANTS; i++) {
		if (w.grants[i].mfn)
			continue;
		w.grants[i].mfn = mfn;
		w.grants[i].readonly = readonly;
		return i;
	}
	return -XEN_ENOSPC;
}

bool grant_end(grant_ref_t ref)
{
	assert_true(w.grants[ref].mfn);
	if (w.grants[ref].mapped)
		return false;
	w.grants[ref].mfn = 0;
	return true;
}

long grant_map(struct grant_mapping *mapping, domid_t domain, const grant_ref_t *refs,
	       unsigned int count, bool writable)
{
	assert_int_equal(count, 1);
	if (refs[0] >= GRANTS || !w.grants[refs[0]].mfn)
		return -XEN_EINVAL;
	w.grants[refs[0]].mapped++;
	mapping->address = (void *)(w.grants[refs[0]].mfn << PAGE_SHIFT);
	mapping->handles[0] = refs[0];
	return 0;
}

void grant_unmap(struct grant_mapping *mapping)
{
	w.grants[mapping->handles[0]].mapped--;
	mapping->address = NULL;
}

void *frames_reserve(unsigned long count)
{
	return NULL;
}

void frames_release(void *va, unsigned long count)
{
}

long hypercall_grant_table_op(unsigned int op, void *arg, unsigned int count)
{
	for (unsigned int i = 0; i < count; i++) {
		struct gnttab_map_grant_ref *map = (struct gnttab_map_grant_ref *)arg + i;
		struct gnttab_unmap_grant_ref *unmap = (struct gnttab_unmap_grant_ref *)arg + i;
		struct gnttab_copy *copy = (struct gnttab_copy *)arg + i;

		if (op == GNTTABOP_map_grant_ref) {
			assert_true(w.grants[map->ref].mfn);
			assert_true((map->flags & GNTMAP_readonly) || !w.grants[map->ref].readonly);
			w.grants[map->ref].mapped++;
			map->handle = map->ref;
			map->dev_bus_addr = w.grants[map->ref].mfn << PAGE_SHIFT;
			map->status = GNTST_okay;
		} else if (op == GNTTABOP_unmap_grant_ref) {
			w.grants[unmap->handle].mapped--;
			unmap->status = GNTST_okay;
		} else {
			memcpy((char *)(copy->dest.u.gmfn << PAGE_SHIFT) + copy->dest.offset,
			       (char *)(w.grants[copy->source.u.ref].mfn << PAGE_SHIFT), copy->len);
			copy->status = GNTST_okay;
		}
	}
	return 0;
}

static unsigned int grants_used(void)
{
	unsigned int used = 0;

	for (unsigned int i = 0; i < GRANTS; i++)
		used += w.grants[i].mfn != 0;
	return used;
}

/* Events */

static long new_port(event_handler *handler, void *data, unsigned int peer)
{
	for (unsigned int i = 1; i < PORTS; i++) {
		if (w.ports[i].used)
			continue;
		memset(&w.ports[i], 0, sizeof(w.ports[i]));
		w.ports[i].used = true;
		w.ports[i].handler = handler;
		w.ports[i].data = data;
		w.ports[i].peer = peer;
		return i;
	}
	return -XEN_ENOSPC;
}

long event_alloc_unbound(domid_t domain, domid_t remote, event_handler *handler, void *data)
{
	return new_port(handler, data, 0);
}

long event_bind_interdomain(domid_t domain, evtchn_port_t remote, event_handler *handler,
			    void *data)
{
	long port;

	if (remote >= PORTS || !w.ports[remote].used || w.ports[remote].peer)
		return -XEN_EINVAL;
	port = new_port(handler, data, remote);
	if (port > 0)
		w.ports[remote].peer = (unsigned int)port;
	return port;
}

long event_send(evtchn_port_t port)
{
	if (w.ports[port].peer && !w.deaf)
		w.ports[w.ports[port].peer].pending = true;
	return 0;
}

long event_close(evtchn_port_t port)
{
	w.ports[w.ports[port].peer].peer = 0;
	w.ports[port].used = w.ports[port].pending = false;
	return 0;
}

void event_mask(evtchn_port_t port)
{
	w.ports[port].masked = true;
}

void event_unmask(evtchn_port_t port)
{
	w.ports[port].masked = false;
}

static bool deliver(void)
{
	bool any = false;

	for (unsigned int i = 1; i < PORTS; i++) {
		if (!w.ports[i].pending || w.ports[i].masked)
			continue;
		w.ports[i].pending = false;
		any = true;
		w.ports[i].handler(i, w.ports[i].data);
	}
	return any;
}

/* The disk */

static void finish(struct block_request *request)
{
	uint8_t *at = w.disk + request->sector * BLOCK_SECTOR;

	for (unsigned int i = 0; i < request->count; i++) {
		const struct block_segment *s = &request->segments[i];

		if (request->operation == BLOCK_READ)
			memcpy((void *)s->machine, at, s->length);
		else
			memcpy(at, (void *)s->machine, s->length);
		at += s->length;
	}
	if (request->operation == BLOCK_DISCARD)
		memset(at, 0, request->sectors * BLOCK_SECTOR);
	block_done(request, 0);
}

static void disk_submit(struct block_device *device, struct block_request *request)
{
	w.writes += request->operation == BLOCK_WRITE;
	if (w.hold)
		w.held[w.held_count++] = request;
	else
		finish(request);
}

static const struct block_operations disk_operations = {.submit = disk_submit};

/* The back half's driver, as a service of dom0's has it. */

static struct xenbus_back *create_back(void)
{
	if (back_disk.used)
		return &other;
	memset(&back_disk, 0, sizeof(back_disk));
	back_disk.used = true;
	return &back_disk.bus;
}

static void destroy_back(struct xenbus_back *back)
{
	if (back != &other)
		back_disk.used = false;
}

static long open_back(struct xenbus_back *back, const char **why)
{
	if (back == &other)
		return 0;
	if (slow)
		return -XEN_EAGAIN;
	back_disk.back.bus = back;
	back_disk.back.device = &w.device;
	back_disk.back.discard = true;
	return block_back_open(&back_disk.back, why);
}

static long connect_back(struct xenbus_back *back, const char **why)
{
	return block_back_connect(&back_disk.back, why);
}

static bool disconnect_back(struct xenbus_back *back)
{
	return block_back_disconnect(&back_disk.back);
}

static void close_back(struct xenbus_back *back)
{
	closes++;
	if (back_disk.back.device)
		block_back_close(&back_disk.back);
}

static void update_back(struct xenbus_back *back)
{
	block_back_update(&back_disk.back);
}

static const struct xenbus_back_driver back_driver = {
    .type = "vbd",
    .create = create_back,
    .destroy = destroy_back,
    .open = open_back,
    .connect = connect_back,
    .disconnect = disconnect_back,
    .close = close_back,
    .update = update_back,
};

/* The world goes on, by one thing at a time. */

static bool world(void)
{
	static bool inside;
	bool done = server_step();

	if (done || inside)
		return done;
	inside = true;
	done = deliver() || xs_dispatch(&xs, 1) || xenbus_service_turn(&service);
	inside = false;
	return done;
}

bool (*host_wait)(void) = world;

static void settle(void)
{
	while (world())
		;
}

static void set(const char *path, const char *value)
{
	server_set(path, value, strlen(value));
}

static const char *value_of(const char *path)
{
	static char value[1100];
	int at = server_find(path);

	if (at < 0)
		return "";
	snprintf(value, sizeof(value), "%.*s", (int)server.nodes[at].length,
		 server.nodes[at].value);
	return value;
}

static void remove_node(const char *path)
{
	int at = server_find(path);

	server.nodes[at].path[0] = '!';
	server_changed(path);
}

#define BACK  "backend/vbd/0/51712"
#define FRONT "device/vbd/51712"
#define OTHER "backend/vbd/0/768"

static void make_nodes(void)
{
	set("backend/vbd", "");
	set("backend/vbd/0", "");
	set(FRONT "/backend", BACK);
	set(FRONT "/backend-id", "0");
	set(FRONT "/state", "1");
	set(BACK, "");
	set(BACK "/frontend", FRONT);
	set(BACK "/frontend-id", "0");
	set(BACK "/online", "1");
	set(BACK "/state", "1");
}

static int start(void **state)
{
	memset(&w, 0, sizeof(w));
	memset(&front, 0, sizeof(front));
	memset(&service, 0, sizeof(service));
	memset(&back_disk, 0, sizeof(back_disk));
	memset(&other, 0, sizeof(other));
	slow = false;
	closes = 0;
	w.device = (struct block_device){
	    .operations = &disk_operations,
	    .sectors = SECTORS,
	    .logical_size = 512,
	    .physical_size = 4096,
	    .max_segments = BLOCK_MAX_SEGMENTS,
	    .discard_granularity = 4096,
	    .flags = BLOCK_DMA,
	};
	for (unsigned int i = 0; i < sizeof(w.disk); i++)
		w.disk[i] = (uint8_t)(i + i / 4096);
	server_start(&xs, 4096);
	return 0;
}

static void connect(void)
{
	make_nodes();
	assert_int_equal(xenbus_service_start(&service, &xs, &back_driver), 0);
	assert_int_equal(block_front_open(&front, &xs, FRONT, 0), 0);
	assert_string_equal(value_of(FRONT "/state"), "4");
	assert_string_equal(value_of(BACK "/state"), "4");
	settle();
}

/* The tools take the back half's directory away, and nothing is left of it. */
static void remove_back(void)
{
	remove_node(BACK "/state");
	settle();
	assert_false(back_disk.used);
	service.ended = true; /* its thread, which does not run here, would say so */
	xenbus_service_stop(&service);
	assert_int_equal(server.watches_used, 0);
}

static void end(void)
{
	block_front_close(&front);
	settle();
	assert_int_equal(grants_used(), 0);
	remove_back();
}

static void life(void **state)
{
	static char data[100 * 512 + 8];
	static const char zeros[16 * 512];

	connect();
	assert_int_equal(front.device.sectors, SECTORS);
	assert_int_equal(front.device.max_segments, BLOCK_FRONT_SEGMENTS);
	assert_int_equal(front.device.discard_granularity, 4096);
	/* Aligned, and at an odd address; more than a request holds. */
	assert_int_equal(block_read(&front.device, 7, data, 100), 0);
	assert_memory_equal(data, w.disk + 7 * 512, 100 * 512);
	assert_int_equal(block_read(&front.device, 1000, data + 3, 100), 0);
	assert_memory_equal(data + 3, w.disk + 1000 * 512, 100 * 512);
	memset(data, 'x', sizeof(data));
	assert_int_equal(block_write(&front.device, 500, data, 100), 0);
	assert_memory_equal(w.disk + 500 * 512, data, 100 * 512);
	assert_int_equal(block_flush(&front.device), 0);
	assert_int_equal(back_disk.back.counters.flushes, 1);
	assert_int_equal(block_discard(&front.device, 504, 16), 0);
	assert_memory_equal(w.disk + 504 * 512, zeros, sizeof(zeros));
	assert_int_equal(block_read(&front.device, SECTORS - 1, data, 2), -XEN_EINVAL);
	end();
}

/* ---- a disk that takes time to be opened ---- */

static void begin_slow(void)
{
	start(NULL);
	slow = true;
	make_nodes();
	assert_int_equal(xenbus_service_start(&service, &xs, &back_driver), 0);
	settle();
	assert_string_equal(value_of(BACK "/state"), "1");
	assert_true(back_disk.bus.opening);
}

/* Others are served meanwhile; when there is something new it is asked again. */
static void slow_open(void **state)
{
	begin_slow();
	set("device/vbd/768/state", "1");
	set(OTHER, "");
	set(OTHER "/frontend", "device/vbd/768");
	set(OTHER "/frontend-id", "0");
	set(OTHER "/online", "1");
	set(OTHER "/state", "1");
	settle();
	assert_string_equal(value_of(OTHER "/state"), "2");
	assert_string_equal(value_of(BACK "/state"), "1");
	xenbus_back_kick(&back_disk.bus);
	settle();
	assert_string_equal(value_of(BACK "/state"), "1");
	remove_node(OTHER "/state");
	settle();
	assert_int_equal(closes, 1);
	slow = false;
	xenbus_back_kick(&back_disk.bus);
	settle();
	assert_string_equal(value_of(BACK "/state"), "2");
	assert_int_equal(block_front_open(&front, &xs, FRONT, 0), 0);
	end();
	assert_int_equal(closes, 2);
}

/* Nobody wants it any more before it is open: what has begun ends, once. */
static void slow_open_is_given_up(void **state)
{
	begin_slow();
	set(BACK "/online", "0");
	settle();
	assert_string_equal(value_of(BACK "/state"), "6");
	assert_int_equal(closes, 1);
	remove_back();
	assert_int_equal(closes, 1);

	begin_slow();
	remove_back();
	assert_int_equal(closes, 1);
}

static unsigned int heard;

static void on_changed(struct block_listener *listener, struct block_device *device)
{
	heard++;
}

static void resize(void **state)
{
	struct block_listener listener = {.changed = on_changed};

	connect();
	heard = 0;
	block_listen(&front.device, &listener);
	block_changed(&w.device, 2 * SECTORS);
	settle();
	assert_int_equal(heard, 1);
	assert_int_equal(front.device.sectors, 2 * SECTORS);
	block_unlisten(&front.device, &listener);
	end();
}

#define REQUESTS 50
static struct {
	struct block_request request;
	struct block_segment segment;
	char *page;
	int done; /* how often */
	int status;
} many[REQUESTS];

static void on_done(struct block_request *request, int status)
{
	many[(size_t)request->owner].done++;
	many[(size_t)request->owner].status = status;
}

/* More writes than the ring holds, each of a page. */
static void submit_many(void)
{
	for (size_t i = 0; i < REQUESTS; i++) {
		many[i].done = 0;
		many[i].page = page_alloc();
		memset(many[i].page, (int)('A' + i), PAGE_SIZE);
		many[i].segment = (struct block_segment){
		    .data = many[i].page,
		    .machine = virt_to_machine(many[i].page),
		    .length = PAGE_SIZE,
		};
		many[i].request = (struct block_request){
		    .operation = BLOCK_WRITE,
		    .sector = 8 * i,
		    .sectors = 8,
		    .segments = &many[i].segment,
		    .count = 1,
		    .done = on_done,
		    .owner = (void *)i,
		};
		block_queue(&front.device, &many[i].request);
	}
	block_kick(&front.device);
}

static void expect_all(int status)
{
	for (unsigned int i = 0; i < REQUESTS; i++) {
		assert_int_equal(many[i].done, 1);
		assert_int_equal(many[i].status, status);
		if (!status)
			assert_memory_equal(w.disk + 4096 * i, many[i].page, 4096);
		page_free(many[i].page);
	}
}

static void finish_held(void)
{
	w.hold = false;
	block_batch_begin();
	while (w.held_count)
		finish(w.held[--w.held_count]);
	block_batch_end();
}

/* As in an orderly restart: what is in flight is answered, the rest repeated or taken up. */
static void stop_service(void)
{
	service.stopping = service.due = true;
	while (!service.ended) {
		service.ended = xenbus_service_turn(&service) && service.stopped;
		if (!service.ended && w.held_count)
			finish_held();
	}
	xenbus_service_stop(&service);
	memset(&service, 0, sizeof(service));
}

static void restart(void **state)
{
	connect();
	w.hold = true;
	submit_many();
	settle();
	assert_int_equal(w.held_count, 32);
	stop_service();
	assert_false(back_disk.used);
	/* It does not come back yet: requests wait. */
	settle();
	assert_string_equal(value_of(FRONT "/state"), "4");
	assert_int_equal(xenbus_service_start(&service, &xs, &back_driver), 0);
	settle();
	assert_string_equal(value_of(FRONT "/state"), "4");
	assert_string_equal(value_of(BACK "/state"), "4");
	expect_all(0);
	end();
}

/*
 * As when dom0's tools die: nothing of what was in flight is ever answered. The ring's page is put back to what it was; two
 * answers that came out of order have taken the places of requests that have none, so that the ring alone cannot tell
 * what there was.
 */
static void crash(void **state)
{
	char ring[PAGE_SIZE];
	unsigned int before;

	connect();
	w.hold = true;
	submit_many();
	settle();
	assert_int_equal(w.held_count, 32);
	w.held_count = 30;
	finish(w.held[30]);
	finish(w.held[31]);
	settle();
	assert_int_equal(w.held_count, 32);
	memcpy(ring, front.shared.pages, PAGE_SIZE);
	w.deaf = true;
	before = w.writes;
	for (unsigned int i = 0; i < 32; i++)
		w.held[i]->count = 0; /* nothing is written either */
	stop_service();
	memcpy(front.shared.pages, ring, PAGE_SIZE);
	w.deaf = false;
	assert_int_equal(xenbus_service_start(&service, &xs, &back_driver), 0);
	settle();
	assert_string_equal(value_of(FRONT "/state"), "4");
	assert_string_equal(value_of(BACK "/state"), "4");
	assert_int_equal(w.writes - before, REQUESTS - 2);
	expect_all(0);
	end();
}

/* A front half that cannot begin anew (Linux) stays Connected: its ring is taken up as it is. */
static void restart_under_others(void **state)
{
	unsigned int ref = front.shared.refs[0];

	connect();
	remove_node(FRONT "/feature-reconnect");
	/* It does not notice InitWait either. */
	front.bus.bus.changed = NULL;
	ref = front.shared.refs[0];
	stop_service();
	submit_many();
	settle();
	assert_int_equal(xenbus_service_start(&service, &xs, &back_driver), 0);
	settle();
	assert_string_equal(value_of(BACK "/state"), "4");
	assert_int_equal(front.shared.refs[0], ref);
	expect_all(0);
	xenbus_close(&front.bus.bus);
	remove_node(BACK "/state");
	settle();
	assert_true(xenbus_ring_destroy(&front.shared));
	for (unsigned int i = 0; i < BLOCK_FRONT_REQUESTS; i++)
		page_free(front.slots[i].list);
	service.ended = true;
	xenbus_service_stop(&service);
}

/* A tool takes the disk away: asked for first, by force then. */
static void detached(void **state)
{
	connect();
	w.hold = true;
	submit_many();
	settle();
	set(BACK "/online", "0");
	set(BACK "/state", "5");
	settle();
	/* The front half has closed; the disk has requests of its, and is waited for. */
	assert_string_equal(value_of(FRONT "/state"), "6");
	assert_int_equal(back_disk.bus.phase, XENBUS_BACK_LEAVING);
	assert_true(front.device.gone);
	finish_held();
	settle();
	assert_string_equal(value_of(BACK "/state"), "6");
	for (unsigned int i = 0; i < REQUESTS; i++)
		assert_int_equal(many[i].done, 1);
	for (unsigned int i = 0; i < REQUESTS; i++)
		page_free(many[i].page);
	end();
}

static void detached_by_force(void **state)
{
	connect();
	w.hold = true;
	submit_many();
	settle();
	/* A guest that has died: its nodes are gone, and so is the back half's directory, at once. */
	remove_node(FRONT "/state");
	remove_node(BACK "/state");
	settle();
	assert_true(back_disk.used);
	finish_held();
	settle();
	assert_false(back_disk.used);
	for (unsigned int i = 0; i < GRANTS; i++)
		assert_int_equal(w.grants[i].mapped, 0);
	block_front_close(&front);
	for (unsigned int i = 0; i < REQUESTS; i++)
		page_free(many[i].page);
	service.ended = true;
	xenbus_service_stop(&service);
}

/* A second life in the same domain: a boot loader has used the disk before. */
static void second_life(void **state)
{
	static char data[4096];

	connect();
	block_front_close(&front);
	settle();
	assert_string_equal(value_of(FRONT "/state"), "6");
	assert_string_equal(value_of(BACK "/state"), "6");
	memset(&front, 0, sizeof(front));
	assert_int_equal(block_front_open(&front, &xs, FRONT, 0), 0);
	assert_int_equal(block_read(&front.device, 0, data, 8), 0);
	assert_memory_equal(data, w.disk, 4096);
	end();
}

/* What the back half says about its disk is checked; when it refuses, the front half is told. */
static void refused(void **state)
{
	w.device.flags |= BLOCK_READ_ONLY;
	connect();
	assert_true(front.device.flags & BLOCK_READ_ONLY);
	assert_int_equal(block_write(&front.device, 0, w.disk, 8), -XEN_EROFS);
	end();
	start(NULL);
	make_nodes();
	set(BACK "/state", "5");
	assert_int_equal(block_front_open(&front, &xs, FRONT, 0), -XEN_ENODEV);
	assert_string_equal(value_of(FRONT "/state"), "6");
}

/* A back half that answers what nobody asked is not believed any more. */
static void lying_back(void **state)
{
	static const struct blkif_response lies[] = {{.id = 3}, {.id = 32}, {.id = UINT64_MAX}};

	for (unsigned int i = 0; i < 4; i++) {
		struct blkif_sring *sring;

		start(NULL);
		connect();
		w.hold = true;
		submit_many();
		settle();
		sring = front.ring.sring;
		if (i < 3) {
			sring->ring[0].rsp = lies[i];
			/* Request 3 was asked for, but its page is mapped. */
			sring->ring[1].rsp = lies[i];
			sring->rsp_prod = 2;
		} else {
			sring->rsp_prod = 40;
		}
		w.ports[front.shared.port].pending = true;
		deliver();
		assert_true(front.broken);
		assert_true(front.device.gone);
		/* What was not in the ring has failed; what was is not done while the other end may write to it. */
		assert_int_equal(many[REQUESTS - 1].done, 1);
		assert_int_equal(many[REQUESTS - 1].status, -XEN_EIO);
		assert_int_equal(many[5].done, 0);
		finish_held();
		end();
		for (unsigned int n = 0; n < REQUESTS; n++) {
			assert_int_equal(many[n].done, 1);
			page_free(many[n].page);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup(life, start),
	    cmocka_unit_test_setup(slow_open, start),
	    cmocka_unit_test_setup(slow_open_is_given_up, start),
	    cmocka_unit_test_setup(resize, start),
	    cmocka_unit_test_setup(restart, start),
	    cmocka_unit_test_setup(crash, start),
	    cmocka_unit_test_setup(restart_under_others, start),
	    cmocka_unit_test_setup(detached, start),
	    cmocka_unit_test_setup(detached_by_force, start),
	    cmocka_unit_test_setup(second_life, start),
	    cmocka_unit_test_setup(refused, start),
	    cmocka_unit_test_setup(lying_back, start),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
