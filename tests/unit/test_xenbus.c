/* SPDX-License-Identifier: MIT */
// sources: pv-drivers/xenbus.c pv-drivers/xs.c guest/format.c
// flags: -Itests/unit/include/fake-guest -Iguest/include
/* One end of a split device against a store in which the other end does as it likes. */
#include "unit.h"
#include "xs_server.h"
#include <guest/console.h>
#include <pv-drivers/xenbus.h>
#include <public/errno.h>

static struct xs xs;
static struct xenbus_device device;
static char printed[512];
static const char *const *script; /* states that the other end goes through, one a wait */

void printk(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(printed, sizeof(printed), format, arguments);
	va_end(arguments);
}

static void set(const char *path, const char *value)
{
	server_set(path, value, strlen(value));
}

/* The world goes on: the daemon answers, watches are dispatched, the other end takes its next step. */
static bool world(void)
{
	static bool inside;
	bool done = server_step();

	if (done || inside)
		return done;
	inside = true;
	done = xs_dispatch(&xs, 1);
	if (!done && script && *script) {
		set("/back/state", *script++);
		done = true;
	}
	inside = false;
	return done;
}

bool (*host_wait)(void) = world;

static int start(void **state)
{
	server_start(&xs, 50);
	memset(&device, 0, sizeof(device));
	script = NULL;
	set("device/vbd/1/backend", "/back");
	set("device/vbd/1/backend-id", "3");
	set("device/vbd/1/state", "1");
	set("/back/state", "1");
	return 0;
}

static const char *value_of(const char *path)
{
	static char value[1100];
	int at = server_find(path);

	if (at < 0)
		return NULL;
	snprintf(value, sizeof(value), "%.*s", (int)server.nodes[at].length,
		 server.nodes[at].value);
	return value;
}

static long open_front(void)
{
	return xenbus_open(&device, &xs, "device/vbd/1", XENBUS_FRONT);
}

static void handshake(void **state)
{
	static const char *const states[] = {"2", "3", "4", NULL};

	script = states;
	assert_int_equal(open_front(), 0);
	assert_string_equal(device.other, "/back");
	assert_int_equal(device.other_domain, 3);
	assert_int_equal(xenbus_other_state(&device), XenbusStateInitialising);
	assert_int_equal(xenbus_wait(&device, 1 << XenbusStateInitWait, 0), XenbusStateInitWait);
	assert_int_equal(xenbus_set_state(&device, XenbusStateInitialised), 0);
	assert_string_equal(value_of("device/vbd/1/state"), "3");
	assert_int_equal(
	    xenbus_wait(&device, 1 << XenbusStateConnected | 1 << XenbusStateClosing, 0),
	    XenbusStateConnected);
	/* Nothing more comes: time runs out. */
	assert_int_equal(xenbus_wait(&device, 1 << XenbusStateClosed, 1), -XEN_ETIMEDOUT);
	xenbus_close(&device);
	assert_int_equal(server.watches_used, 0);
}

static unsigned int calls;
static enum xenbus_state last;

static void on_changed(struct xenbus_device *d, enum xenbus_state other)
{
	calls++;
	last = other;
}

static void called(void **state)
{
	calls = 0;
	device.changed = on_changed;
	assert_int_equal(open_front(), 0);
	while (xs_dispatch(&xs, 1))
		;
	assert_int_equal(calls, 1);
	assert_int_equal(last, XenbusStateInitialising);
	set("/back/state", "6");
	assert_true(xs_dispatch(&xs, 1));
	assert_int_equal(last, XenbusStateClosed);
	/* What is no state is Unknown. */
	set("/back/state", "99");
	assert_true(xs_dispatch(&xs, 1));
	assert_int_equal(last, XenbusStateUnknown);
	set("/back/state", "four");
	assert_true(xs_dispatch(&xs, 1));
	assert_int_equal(last, XenbusStateUnknown);
}

/* A device that was removed is not made again; a state that is there already is not written; conflicts are tried again. */
static void states(void **state)
{
	unsigned int requests;

	assert_int_equal(open_front(), 0);
	requests = server.requests;
	assert_int_equal(xenbus_set_state(&device, XenbusStateInitialising), 0);
	assert_int_equal(server.requests - requests, 3);
	server.conflicts = 2;
	assert_int_equal(xenbus_set_state(&device, XenbusStateConnected), 0);
	assert_int_equal(server.conflicts, 0);
	set("device/vbd/1/state", "?");
	assert_int_equal(xenbus_set_state(&device, XenbusStateClosed), 0);
	server.nodes[server_find("device/vbd/1/state")].path[0] = 'X';
	assert_int_equal(xenbus_set_state(&device, XenbusStateClosed), -XEN_ENOENT);
	assert_null(value_of("device/vbd/1/state"));
	assert_string_equal(server.last_payload, "F");
}

static void bad_directories(void **state)
{
	char longest[200];

	memset(longest, 'a', sizeof(longest));
	longest[sizeof(longest) - 1] = 0;
	assert_int_equal(xenbus_open(&device, &xs, longest, XENBUS_FRONT), -XEN_EINVAL);
	assert_int_equal(xenbus_open(&device, &xs, "device/vbd/1", XENBUS_BACK), -XEN_ENOENT);
	set("device/vbd/1/backend-id", "40000");
	assert_int_equal(open_front(), -XEN_EINVAL);
	set("device/vbd/1/backend-id", "x");
	assert_int_equal(open_front(), -XEN_EINVAL);
	set("device/vbd/1/backend-id", "3");
	set("device/vbd/1/backend", "");
	assert_int_equal(open_front(), -XEN_EINVAL);
	set("device/vbd/1/backend", longest);
	assert_int_equal(open_front(), -XEN_EINVAL);
	assert_int_equal(server.watches_used, 0);
}

static void values(void **state)
{
	uint64_t number;
	char text[8];

	assert_int_equal(open_front(), 0);
	assert_int_equal(xenbus_printf(&device, 0, "ring-ref", "%u", 8u), 0);
	assert_string_equal(value_of("device/vbd/1/ring-ref"), "8");
	assert_int_equal(xenbus_read_number(&device, "ring-ref", &number), 0);
	assert_int_equal(number, 8);
	set("/back/sectors", "2048");
	assert_int_equal(xenbus_read_other_number(&device, "sectors", &number), 0);
	assert_int_equal(number, 2048);
	assert_int_equal(xenbus_read_other(&device, "sectors", text, sizeof(text)), 4);
	assert_string_equal(text, "2048");
	assert_int_equal(xenbus_read_other(&device, "none", text, sizeof(text)), -XEN_ENOENT);
}

static void failure(void **state)
{
	assert_int_equal(open_front(), 0);
	xenbus_fail(&device, -XEN_ENOSPC, "no room for %d", 5);
	assert_string_equal(value_of("error/device/vbd/1/error"), "28 no room for 5");
	assert_string_equal(value_of("device/vbd/1/state"), "5");
	assert_string_equal(printed, "device/vbd/1: no room for 5 (error -28)\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup(handshake, start),
	    cmocka_unit_test_setup(called, start),
	    cmocka_unit_test_setup(states, start),
	    cmocka_unit_test_setup(bad_directories, start),
	    cmocka_unit_test_setup(values, start),
	    cmocka_unit_test_setup(failure, start),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
