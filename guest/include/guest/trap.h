/* SPDX-License-Identifier: MIT */
/*
 * Traps: exceptions, software interrupts and `syscall` from guest user mode, as the hypervisor bounces them
 * to the guest kernel.
 *
 * All 256 vectors have an entry stub. A trap masks events, saves all registers as a struct trap_frame on the
 * stack and asks, in this order, whoever may settle it:
 *
 *   1. the vector's handler (trap_handler_set),
 *   2. the exception table: code that expected the fault (probe_read, TRAP_FIXUP),
 *   3. trap_catch, when it is running,
 *   4. panic, which prints the registers and ends the domain.
 *
 * What the frame then holds is what execution goes on with: handlers may change it.
 */
#ifndef GUEST_TRAP_H
#define GUEST_TRAP_H

#include <stdbool.h>
#include <stdint.h>

/* Vectors of the exceptions, by their names in the processor manuals. */
#define TRAP_DE	 0
#define TRAP_DB	 1
#define TRAP_NMI 2
#define TRAP_BP	 3
#define TRAP_OF	 4
#define TRAP_BR	 5
#define TRAP_UD	 6
#define TRAP_NM	 7
#define TRAP_DF	 8
#define TRAP_TS	 10
#define TRAP_NP	 11
#define TRAP_SS	 12
#define TRAP_GP	 13
#define TRAP_PF	 14
#define TRAP_MF	 16
#define TRAP_AC	 17
#define TRAP_MC	 18
#define TRAP_XM	 19

/* Not vectors of the processor: entries of the guest kernel that share the frame. */
#define TRAP_EVENT    256
#define TRAP_FAILSAFE 257
#define TRAP_SYSCALL  258
#define TRAP_COUNT    259

/* The frame that the entry stubs build; see entry.S for what the hypervisor pushes. */
struct trap_frame {
	uint64_t r15, r14, r13, r12, rbp, rbx, r11, r10, r9, r8, rax, rcx, rdx, rsi, rdi;
	uint64_t vector;
	uint64_t error; /* 0 for vectors without an error code */
	uint64_t rip;
	uint16_t cs; /* RPL 0: was in kernel mode, 3: in user mode (both run in ring 3) */
	uint16_t pad0;
	uint8_t upcall_mask; /* were events masked? */
	uint8_t pad1[3];
	uint64_t rflags; /* IF is the inverse of upcall_mask */
	uint64_t rsp;
	uint64_t ss;
};

static inline bool trap_from_user(const struct trap_frame *frame)
{
	return (frame->cs & 3) == 3;
}

/*
 * A handler returns true when the trap is settled and execution may go on with the frame as it is now. It
 * runs with events masked, on the stack of what was interrupted (from user mode: the kernel stack), without
 * the right to use floating point.
 */
typedef bool trap_handler(struct trap_frame *frame);

/* Handle a vector (or TRAP_FAILSAFE or TRAP_SYSCALL); NULL takes the handler away. Returns the one before. */
trap_handler *trap_handler_set(unsigned int vector, trap_handler *handler);

/*
 * Register a trap gate anew: dpl 0 for exceptions only, 3 to let `int n` from user mode in, 1 from the kernel
 * only; mask_events as the gate's flag. Returns hypercall_set_trap_table's result. The start of day gives
 * #BP, #OF and all vectors from 32 on dpl 3, the others 0, and masks events for all.
 */
long trap_gate_set(unsigned int vector, unsigned int dpl, bool mask_events);

/* Address of page fault: valid in a TRAP_PF handler or right after trap_catch. */
uint64_t trap_fault_address(void);

/*
 * Call function(argument). Returns -1 when it came back, or the vector of the trap that ended it, with the
 * frame at that moment in *frame unless frame is NULL. May be nested, on vCPU 0 only; threads do not disturb
 * each other. Whatever the function held (a lock, masked events) stays as it was at the trap.
 */
int trap_catch(void (*function)(void *argument), void *argument, struct trap_frame *frame);

/* Return from traps to kernel mode: false (the start) directly by iretq, true by the iret hypercall. */
void trap_return_by_hypercall(bool yes);

/* Read or write eight bytes that may not be mapped (or not so): false after a fault. */
bool probe_read(const volatile void *address, uint64_t *value);
bool probe_write(volatile void *address, uint64_t value);

/*
 * For inline assembly: when the instruction at label `from` faults, execution goes on at label `to`, with all
 * registers as they were at the fault.
 */
#define TRAP_FIXUP(from, to)                  \
	".pushsection .trap_fixup, \"a\"\n\t" \
	".quad " from ", " to "\n\t"          \
	".popsection\n\t"

/* The selectors of ds, es, fs and gs that the hypervisor could not load, at the last TRAP_FAILSAFE. */
extern uint64_t trap_failsafe_selectors[4];

/* Register the trap table and the callbacks: part of the start of day. */
void traps_init(void);

/* What a further vCPU needs in its context: all gates, ended by an entry with address 0 if there is room. */
struct trap_info;
void traps_fill(struct trap_info *table, unsigned int size);

/* The entry stubs (entry.S), for guests that register their own. */
void trap_event_entry(void);
void trap_failsafe_entry(void);
void trap_syscall_entry(void);

#endif
