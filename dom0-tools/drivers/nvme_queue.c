/* SPDX-License-Identifier: MIT */
/*
 * A queue pair: a ring of commands and one of completions. A ring with as many slots as entries less one cannot run over,
 * and a controller that only answers what was asked never fills the other one. It may answer anything, though: an id is
 * believed only if it is that of a command under way.
 */
#include "drivers/nvme.h"
#include "drivers/registers.h"
#include <guest/clock.h>
#include <public/errno.h>

/* A command's id: the slot in the lower bits, the queue's sequence above. */
#define SLOT_BITS 6
_Static_assert(NVME_DEPTH <= 1 << SLOT_BITS, "slots do not fit into ids");

long nvme_queue_make(struct nvme *c, struct nvme_queue *q, uint16_t id, uint16_t depth)
{
	dma_address_t address;

	q->id = id;
	q->depth = depth;
	q->free = ~0ul;
	q->commands = dma_alloc(c->pci, NVME_DEPTH * sizeof(*q->commands), &q->commands_address);
	q->completions = dma_alloc(c->pci, NVME_PAGE, &address);
	q->completions_address = address;
	return q->commands && q->completions ? 0 : -XEN_ENOMEM;
}

void nvme_queue_clear(struct nvme_queue *q)
{
	for (unsigned int i = 0; i < q->depth; i++)
		q->completions[i].status = 0;
	q->phase = 1;
	q->head = q->tail = q->tail_told = 0;
	q->broken = false;
}

struct nvme_slot *nvme_slot_take(struct nvme_queue *q)
{
	uint64_t usable = q->free & ((1ul << (q->depth - 1)) - 1);
	struct nvme_slot *slot;

	if (!usable)
		return NULL;
	slot = &q->slots[__builtin_ctzl(usable)];
	q->free &= ~(usable & -usable);
	*slot = (struct nvme_slot){.tries = 0};
	return slot;
}

void nvme_slot_free(struct nvme_queue *q, struct nvme_slot *slot)
{
	q->free |= 1ul << (slot - q->slots);
	slot->request = NULL;
	slot->call = NULL;
}

void nvme_queue_send(struct nvme_queue *q, struct nvme_slot *slot)
{
	q->sequence++;
	slot->command.cid = (uint16_t)((unsigned int)(slot - q->slots) | q->sequence << SLOT_BITS);
	slot->sent = clock_now();
	slot->aborted = 0;
	slot->tries++;
	q->commands[q->tail] = slot->command;
	q->tail = q->tail + 1 == q->depth ? 0 : q->tail + 1;
}

static uint32_t doorbell(const struct nvme *c, const struct nvme_queue *q, unsigned int which)
{
	return NVME_DOORBELLS + (2u * q->id + which) * c->stride;
}

void nvme_queue_ring(struct nvme *c, struct nvme_queue *q)
{
	if (q->tail == q->tail_told)
		return;
	dma_write_barrier();
	q->tail_told = q->tail;
	register_write32(c->registers, doorbell(c, q, 0), q->tail);
}

static struct nvme_slot *find(struct nvme_queue *q, uint16_t cid)
{
	unsigned int slot = cid & ((1u << SLOT_BITS) - 1);

	if (!nvme_slot_used(q, slot) || q->slots[slot].command.cid != cid)
		return NULL;
	return &q->slots[slot];
}

/* The next completion, copied, or false. */
static bool take(struct nvme_queue *q, struct nvme_completion *completion)
{
	volatile struct nvme_completion *entry = &q->completions[q->head];

	completion->status = entry->status;
	if ((completion->status & 1) != q->phase)
		return false;
	dma_read_barrier();
	completion->result = entry->result;
	completion->cid = entry->cid;
	if (++q->head == q->depth) {
		q->head = 0;
		q->phase ^= 1;
	}
	return true;
}

bool nvme_queue_serve(struct nvme *c, struct nvme_queue *q)
{
	struct nvme_completion completion;
	unsigned int count = 0;

	while (q->live && !q->broken && count < q->depth && take(q, &completion)) {
		struct nvme_slot *slot = find(q, completion.cid);

		count++;
		if (slot)
			nvme_completed(c, q, slot, completion.status, completion.result);
		else
			q->broken = true;
	}
	if (!count)
		return false;
	register_write32(c->registers, doorbell(c, q, 1), q->head);
	/* Nobody else waits while one controller goes on and on. */
	if (q->broken || count == q->depth)
		nvme_call_thread(c);
	return true;
}
