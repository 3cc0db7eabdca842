/* SPDX-License-Identifier: MIT */
/* Commands for the controller itself, each sent by its thread, which waits; and the events that it tells. */
#include "drivers/nvme.h"
#include <guest/clock.h>
#include <guest/event.h>
#include <public/errno.h>
#include <stdio.h>
#include <string.h>

/* Events that could not be handled, after which the controller is not asked for more. */
#define EVENT_FAILURES 3
/* Between an event and asking for the next: some controllers have no end of them. */
#define EVENT_PAUSE NSEC_PER_SEC

static bool send(struct nvme *c, const struct nvme_command *command, struct nvme_call *call)
{
	struct nvme_slot *slot = c->admin.live ? nvme_slot_take(&c->admin) : NULL;

	if (!slot)
		return false;
	*call = (struct nvme_call){.done = false};
	slot->command = *command;
	slot->call = call;
	nvme_queue_send(&c->admin, slot);
	nvme_queue_ring(c, &c->admin);
	return true;
}

/* Nobody waits for the answer any more; the slot stays taken until the controller is reset. */
static void forget(struct nvme *c, const struct nvme_call *call)
{
	for (unsigned int i = 0; i < NVME_SLOTS; i++) {
		if (nvme_slot_used(&c->admin, i) && c->admin.slots[i].call == call)
			c->admin.slots[i].call = NULL;
	}
	c->admin.broken = true;
}

long nvme_call(struct nvme *c, struct nvme_command *command, uint32_t *result)
{
	uint64_t deadline = clock_now() + NVME_ADMIN_TIMEOUT;
	struct nvme_call call;
	bool masked = events_save(), sent = send(c, command, &call);

	while (sent && !call.done && !c->admin.broken && wait_on(&c->call_wait, deadline))
		;
	/* An interrupt may have got lost. */
	if (sent && !call.done)
		nvme_queue_serve(c, &c->admin);
	if (sent && !call.done)
		forget(c, &call);
	events_restore(masked);
	if (!sent || !call.done || NVME_STATUS(call.status))
		return -XEN_EIO;
	if (result)
		*result = call.result;
	return 0;
}

long nvme_identify(struct nvme *c, uint32_t what, uint32_t namespace_id)
{
	struct nvme_command command = {.opcode = NVME_ADMIN_IDENTIFY,
				       .nsid = namespace_id,
				       .prp1 = c->page_address,
				       .cdw10 = what};

	memset(c->page, 0, NVME_PAGE);
	return nvme_call(c, &command, NULL);
}

/* [5.3], [5.4]: one of each, of the same depth, with the only interrupt. */
long nvme_create_io_queue(struct nvme *c)
{
	uint32_t size = (c->io.depth - 1u) << 16 | c->io.id;
	struct nvme_command number = {.opcode = NVME_ADMIN_SET_FEATURES,
				      .cdw10 = NVME_FEATURE_QUEUES};
	struct nvme_command completions = {.opcode = NVME_ADMIN_CREATE_CQ,
					   .prp1 = c->io.completions_address,
					   .cdw10 = size,
					   .cdw11 = NVME_QUEUE_INTERRUPTS | NVME_QUEUE_CONTIGUOUS};
	struct nvme_command commands = {.opcode = NVME_ADMIN_CREATE_SQ,
					.prp1 = c->io.commands_address,
					.cdw10 = size,
					.cdw11 = (uint32_t)c->io.id << 16 | NVME_QUEUE_CONTIGUOUS};
	long error = nvme_call(c, &number, NULL);

	if (!error)
		error = nvme_call(c, &completions, NULL);
	if (!error)
		error = nvme_call(c, &commands, NULL);
	return error;
}

void nvme_abort(struct nvme *c, uint16_t id)
{
	struct nvme_command command = {.opcode = NVME_ADMIN_ABORT,
				       .cdw10 = (uint32_t)id << 16 | c->io.id};

	nvme_call(c, &command, NULL);
}

/*
 * Events
 */

static void ask_for_event(struct nvme *c)
{
	struct nvme_command command = {.opcode = NVME_ADMIN_ASYNC_EVENT};
	bool masked = events_save();

	/* It keeps its slot, and there must be another one. */
	if (c->admin.depth > 2)
		c->event_sent = send(c, &command, &c->event);
	else
		c->event_failures = EVENT_FAILURES;
	events_restore(masked);
}

void nvme_events_start(struct nvme *c)
{
	struct nvme_command command = {.opcode = NVME_ADMIN_SET_FEATURES,
				       .cdw10 = NVME_FEATURE_ASYNC_EVENTS,
				       .cdw11 = NVME_EVENT_NAMESPACES};

	/* What this fails with does not matter: then there are fewer events. */
	if (c->identity.namespace_events)
		nvme_call(c, &command, NULL);
	ask_for_event(c);
}

/* Reading a log page makes the controller forget the event [5.2]. */
static long read_log(struct nvme *c, uint32_t log, uint32_t bytes)
{
	struct nvme_command command = {.opcode = NVME_ADMIN_GET_LOG_PAGE,
				       .nsid = ~0u,
				       .prp1 = c->page_address,
				       .cdw10 = (bytes / 4 - 1) << 16 | log};

	memset(c->page, 0, NVME_PAGE);
	return nvme_call(c, &command, NULL);
}

/* The list holds up to 1024 numbers, or one of all ones if there are more [5.14.1.4]. */
static void namespaces_changed(struct nvme *c)
{
	uint32_t changed[NVME_NAMESPACES], count = 0;
	const uint32_t *list = c->page;

	while (count < NVME_NAMESPACES && list[count] && list[count] != ~0u) {
		changed[count] = list[count];
		count++;
	}
	if (list[0] == ~0u || count == NVME_NAMESPACES) {
		for (count = 0; count < NVME_NAMESPACES; count++)
			changed[count] = c->namespaces[count].id;
	}
	for (uint32_t i = 0; i < count; i++) {
		if (changed[i])
			nvme_namespace_update(c, changed[i]);
	}
}

static void handle_event(struct nvme *c)
{
	uint32_t result = c->event.result, log = NVME_EVENT_PAGE(result);
	uint32_t bytes = log == NVME_LOG_CHANGED_NAMESPACES ? NVME_PAGE : 512;

	c->event_sent = false;
	c->event_again = clock_now() + EVENT_PAUSE;
	if (NVME_STATUS(c->event.status) || read_log(c, log, bytes))
		c->event_failures++;
	else if (log == NVME_LOG_CHANGED_NAMESPACES)
		namespaces_changed(c);
	else
		printf("%s: event %x\n", c->name, (unsigned int)result);
}

uint64_t nvme_events_handle(struct nvme *c)
{
	if (c->event_sent && c->event.done)
		handle_event(c);
	if (c->event_sent || c->event_failures >= EVENT_FAILURES)
		return 0;
	if (clock_now() < c->event_again)
		return c->event_again;
	ask_for_event(c);
	return 0;
}
