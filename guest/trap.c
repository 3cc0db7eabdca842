/* SPDX-License-Identifier: MIT */
#include <stddef.h>
#include <guest/event.h>
#include <guest/hypercall.h>
#include <guest/start.h>
#include <guest/string.h>
#include <guest/trap.h>
#include <public/callback.h>

/* entry.S builds the frame by pushing. */
_Static_assert(offsetof(struct trap_frame, vector) == 15 * 8, "registers");
_Static_assert(offsetof(struct trap_frame, rip) == 17 * 8, "hardware part");
_Static_assert(sizeof(struct trap_frame) == 22 * 8, "whole frame");
_Static_assert(offsetof(struct vcpu_info, evtchn_upcall_pending) == 0, "entry.S: %gs:0");
_Static_assert(offsetof(struct vcpu_info, evtchn_upcall_mask) == 1, "entry.S: %gs:1");

#define VECTORS	  256
#define STUB_SIZE 16
#define RFLAGS_TF 0x100
#define RFLAGS_IF 0x200

struct fixup {
	uint64_t from, to;
};

extern const char trap_stubs[];
extern const struct fixup trap_fixup_start[], trap_fixup_end[];
extern uint64_t trap_catch_rsp;
extern uint8_t return_hypercall;
extern const char trap_catch_resume[];
int trap_catch_run(void (*function)(void *), void *argument);
extern struct trap_frame *trap_catch_frame;
void trap_dispatch(struct trap_frame *frame);

static trap_handler *handlers[TRAP_COUNT];
static struct trap_info gates[VECTORS + 1];
struct trap_frame *trap_catch_frame; /* one a thread, as trap_catch_rsp: see thread-switch.S */

trap_handler *trap_handler_set(unsigned int vector, trap_handler *handler)
{
	trap_handler *before;

	if (vector >= TRAP_COUNT)
		return NULL;
	before = handlers[vector];
	handlers[vector] = handler;
	return before;
}

static void gate_fill(struct trap_info *gate, unsigned int vector, unsigned int dpl,
		      bool mask_events)
{
	gate->vector = vector;
	gate->flags = dpl | (mask_events ? 4 : 0);
	gate->cs = FLAT_KERNEL_CS;
	gate->address = (unsigned long)trap_stubs + vector * STUB_SIZE;
}

long trap_gate_set(unsigned int vector, unsigned int dpl, bool mask_events)
{
	struct trap_info one[2] = {0};

	if (vector >= VECTORS)
		return -22;
	gate_fill(&gates[vector], vector, dpl & 3, mask_events);
	one[0] = gates[vector];
	return hypercall_set_trap_table(one);
}

void traps_fill(struct trap_info *table, unsigned int size)
{
	for (unsigned int i = 0; i < size && i < VECTORS + 1; i++)
		table[i] = gates[i];
}

uint64_t trap_fault_address(void)
{
	return vcpu_info_here->arch.cr2;
}

void trap_return_by_hypercall(bool yes)
{
	return_hypercall = yes;
}

int trap_catch(void (*function)(void *argument), void *argument, struct trap_frame *frame)
{
	struct trap_frame *outer = trap_catch_frame;
	int vector;

	trap_catch_frame = frame;
	vector = trap_catch_run(function, argument);
	trap_catch_frame = outer;
	return vector;
}

/* Go on in trap_catch_run, in kernel mode whatever mode the trap came from. */
static void catch_resume(struct trap_frame *frame)
{
	if (trap_catch_frame)
		*trap_catch_frame = *frame;
	frame->rax = frame->vector;
	frame->rip = (uint64_t)trap_catch_resume;
	frame->rsp = trap_catch_rsp;
	frame->cs = FLAT_KERNEL_CS & ~3;
	frame->ss = FLAT_KERNEL_SS;
	frame->rflags &= RFLAGS_IF;
}

static bool fixup(struct trap_frame *frame)
{
	for (const struct fixup *entry = trap_fixup_start; entry < trap_fixup_end; entry++) {
		if (entry->from == frame->rip) {
			frame->rip = entry->to;
			return true;
		}
	}
	return false;
}

void trap_dispatch(struct trap_frame *frame)
{
	trap_handler *handler = handlers[frame->vector];

	if (handler && handler(frame))
		return;
	if (!trap_from_user(frame) && fixup(frame))
		return;
	if (trap_catch_rsp) {
		catch_resume(frame);
		return;
	}
	panic_trap(frame, "unexpected trap");
}

static void callback(unsigned int type, void (*entry)(void))
{
	struct callback_register op = {
	    .type = type,
	    .flags = CALLBACKF_mask_events,
	    .address = (unsigned long)entry,
	};
	long error = hypercall_callback_op(CALLBACKOP_register, &op);

	if (error)
		panic("cannot register callback %u: %ld", type, error);
}

void traps_init(void)
{
	long error;

	for (unsigned int vector = 0; vector < VECTORS; vector++) {
		bool software = vector == TRAP_BP || vector == TRAP_OF || vector >= 32;

		gate_fill(&gates[vector], vector, software ? 3 : 0, true);
	}
	error = hypercall_set_trap_table(gates);
	if (error)
		panic("cannot register the trap table: %ld", error);
	callback(CALLBACKTYPE_event, trap_event_entry);
	callback(CALLBACKTYPE_failsafe, trap_failsafe_entry);
	callback(CALLBACKTYPE_syscall, trap_syscall_entry);
}
