/* SPDX-License-Identifier: MIT */
/* callback_op, set_callbacks, nmi_op: registration, replacement, bad arguments, an NMI to oneself. */
#include "../test.h"
#include <public/nmi.h>

static volatile unsigned int nmis, events;
void nmi_entry(void);

static long set(unsigned int type, unsigned int flags, unsigned long address)
{
	struct callback_register op = {.type = type, .flags = flags, .address = address};

	return hypercall_callback_op(CALLBACKOP_register, &op);
}

static long unset(unsigned int type)
{
	struct callback_unregister op = {.type = type};

	return hypercall_callback_op(CALLBACKOP_unregister, &op);
}

static void restore(void)
{
	EXPECT(set(CALLBACKTYPE_event, CALLBACKF_mask_events, (unsigned long)trap_event_entry), 0);
	EXPECT(
	    set(CALLBACKTYPE_failsafe, CALLBACKF_mask_events, (unsigned long)trap_failsafe_entry),
	    0);
	EXPECT(set(CALLBACKTYPE_syscall, CALLBACKF_mask_events, (unsigned long)trap_syscall_entry),
	       0);
}

static void types(void)
{
	restore();
	EXPECT(set(CALLBACKTYPE_sysenter, 0, (unsigned long)trap_syscall_entry), 0);
	EXPECT(set(CALLBACKTYPE_syscall32, 0, (unsigned long)trap_syscall_entry), 0);
}

static void types_bad(void)
{
	EXPECT(set(6, 0, (unsigned long)trap_syscall_entry), -ENOSYS);
	EXPECT(set(8, 0, (unsigned long)trap_syscall_entry), -ENOSYS);
	EXPECT(set(0xffff, 0, (unsigned long)trap_syscall_entry), -ENOSYS);
	EXPECT(set(CALLBACKTYPE_sysenter_deprecated, 0, (unsigned long)trap_syscall_entry),
	       -ENOSYS);
}

static void addresses_bad(void)
{
	static const unsigned int kinds[] = {
	    CALLBACKTYPE_event, CALLBACKTYPE_failsafe, CALLBACKTYPE_syscall,
	    CALLBACKTYPE_nmi,	CALLBACKTYPE_sysenter, CALLBACKTYPE_syscall32,
	};

	for (size_t i = 0; i < COUNT_OF(kinds); i++) {
		EXPECT(set(kinds[i], 0, NOT_CANONICAL), -EINVAL);
		EXPECT(set(kinds[i], 0, 0x0000800000000000), -EINVAL);
	}
}

static void unregister(void)
{
	EXPECT(unset(CALLBACKTYPE_event), -EINVAL);
	EXPECT(unset(CALLBACKTYPE_failsafe), -EINVAL);
	EXPECT(unset(CALLBACKTYPE_syscall), -EINVAL);
	EXPECT(unset(CALLBACKTYPE_sysenter), -EINVAL);
	EXPECT(unset(CALLBACKTYPE_nmi), 0);
	EXPECT(unset(6), -ENOSYS);
}

static void pointers_bad(void)
{
	for (int op = CALLBACKOP_register; op <= CALLBACKOP_unregister; op++) {
		EXPECT(hypercall_callback_op(op, (void *)NOT_MAPPED), -EFAULT);
		EXPECT(hypercall_callback_op(op, (void *)OF_HYPERVISOR), -EFAULT);
		EXPECT(hypercall_callback_op(op, (void *)NOT_CANONICAL), -EFAULT);
	}
}

static void commands_bad(void)
{
	uint64_t argument[2] = {0};

	EXPECT(hypercall_callback_op(2, argument), -ENOSYS);
	EXPECT(hypercall_callback_op(-1, argument), -ENOSYS);
}

/* The old call sets all three. */
static void set_callbacks(void)
{
	long result;

	EXPECT(hypercall_set_callbacks((unsigned long)trap_event_entry,
				       (unsigned long)trap_failsafe_entry,
				       (unsigned long)trap_syscall_entry),
	       0);
	/* Real Xen tells nobody that it left the event callback as it was; an error is as good. */
	result = hypercall_set_callbacks(NOT_CANONICAL, (unsigned long)trap_failsafe_entry,
					 (unsigned long)trap_syscall_entry);
	EXPECT_TRUE(result == 0 || result == -EINVAL);
	restore();
}

/* The event callback that is in force is the last one registered. */
void other_event_entry(void);
__asm__(".text\n"
	"other_event_entry:\n\t"
	"incl events(%rip)\n\t"
	"jmp trap_event_entry\n"
	"nmi_entry:\n\t"
	"incl nmis(%rip)\n\t"
	"popq %rcx\n\t"
	"popq %r11\n\t"
	"orb $3, 8(%rsp)\n\t"
	"iretq\n");

static void on_event(evtchn_port_t port, void *data)
{
}

static void event_callback_is_used(void)
{
	long port = event_bind_ipi(0, on_event, NULL);

	EXPECT_TRUE(port > 0);
	events = 0;
	EXPECT(set(CALLBACKTYPE_event, 0, (unsigned long)other_event_entry), 0);
	EXPECT(event_send(port), 0);
	EXPECT(events, 1);
	restore();
	EXPECT(event_send(port), 0);
	EXPECT(events, 1);
	EXPECT(event_close(port), 0);
}

/*
 * An NMI comes with events masked too. The handler enters with them masked and here returns by iretq, so the test
 * masks them before, to be left as it was.
 */
static void nmi_by_callback(void)
{
	nmis = 0;
	events_mask();
	EXPECT(set(CALLBACKTYPE_nmi, 0, (unsigned long)nmi_entry), 0);
	EXPECT(hypercall_vcpu_op(VCPUOP_send_nmi, 0, NULL), 0);
	EXPECT(nmis, 1);
	EXPECT(unset(CALLBACKTYPE_nmi), 0);
	events_unmask();
}

static void nmi_op(void)
{
	struct xennmi_callback callback = {.handler_address = NOT_CANONICAL};

	EXPECT(hypercall_nmi_op(XENNMI_register_callback, &callback), -EINVAL);
	EXPECT(hypercall_nmi_op(XENNMI_register_callback, (void *)NOT_CANONICAL), -EFAULT);
	callback.handler_address = (unsigned long)nmi_entry;
	EXPECT(hypercall_nmi_op(XENNMI_register_callback, &callback), 0);
	EXPECT(hypercall_nmi_op(XENNMI_unregister_callback, NULL), 0);
	EXPECT(hypercall_nmi_op(2, NULL), -ENOSYS);
}

static const struct test tests[] = {
    {"every type", types},
    {"types that there are not", types_bad},
    {"addresses that are not canonical", addresses_bad},
    {"unregister", unregister},
    {"bad pointers", pointers_bad},
    {"unknown commands", commands_bad},
    {"set_callbacks", set_callbacks},
    {"the last one registered is used", event_callback_is_used},
    {"NMI to oneself", nmi_by_callback},
    {"nmi_op", nmi_op},
};

void guest_main(void)
{
	test_main("callbacks", tests, COUNT_OF(tests));
}
