/* SPDX-License-Identifier: MIT */
#include <stddef.h>
#include <guest/event.h>
#include <guest/hypercall.h>
#include <guest/start.h>
#include <public/sched.h>

#define ENOSPC 28

struct slot {
	event_handler *handler;
	void *data;
};

/* What fxsave stores; the registers that code compiled for floating point and SSE may change. */
struct fpu_state {
	_Alignas(16) uint8_t bytes[512];
};

static struct slot slots[EVENT_PORTS];

void (*event_upcall_end)(void);
void event_upcall(void);

long event_handler_set(evtchn_port_t port, event_handler *handler, void *data)
{
	bool masked;

	if (port >= EVENT_PORTS)
		return -ENOSPC;
	masked = events_save();
	slots[port] = (struct slot){handler, data};
	events_restore(masked);
	return 0;
}

/* A port just made gets its handler, or is closed again. */
static long adopt(evtchn_port_t port, event_handler *handler, void *data)
{
	long error = event_handler_set(port, handler, data);

	if (error) {
		event_close(port);
		return error;
	}
	event_unmask(port);
	return port;
}

long event_bind_virq(unsigned int virq, event_handler *handler, void *data)
{
	struct evtchn_bind_virq op = {.virq = virq, .vcpu = 0};
	long error = hypercall_event_channel_op(EVTCHNOP_bind_virq, &op);

	return error ? error : adopt(op.port, handler, data);
}

long event_bind_ipi(unsigned int vcpu, event_handler *handler, void *data)
{
	struct evtchn_bind_ipi op = {.vcpu = vcpu};
	long error = hypercall_event_channel_op(EVTCHNOP_bind_ipi, &op);

	return error ? error : adopt(op.port, handler, data);
}

long event_bind_interdomain(domid_t domain, evtchn_port_t remote, event_handler *handler,
			    void *data)
{
	struct evtchn_bind_interdomain op = {.remote_dom = domain, .remote_port = remote};
	long error = hypercall_event_channel_op(EVTCHNOP_bind_interdomain, &op);

	return error ? error : adopt(op.local_port, handler, data);
}

long event_bind_pirq(uint32_t pirq, bool share, event_handler *handler, void *data)
{
	struct evtchn_bind_pirq op = {.pirq = pirq, .flags = share ? BIND_PIRQ__WILL_SHARE : 0};
	long error = hypercall_event_channel_op(EVTCHNOP_bind_pirq, &op);

	return error ? error : adopt(op.port, handler, data);
}

long event_alloc_unbound(domid_t domain, domid_t remote, event_handler *handler, void *data)
{
	struct evtchn_alloc_unbound op = {.dom = domain, .remote_dom = remote};
	long error = hypercall_event_channel_op(EVTCHNOP_alloc_unbound, &op);

	return error ? error : adopt(op.port, handler, data);
}

long event_send(evtchn_port_t port)
{
	struct evtchn_send op = {.port = port};

	return hypercall_event_channel_op(EVTCHNOP_send, &op);
}

long event_close(evtchn_port_t port)
{
	struct evtchn_close op = {.port = port};
	long error = hypercall_event_channel_op(EVTCHNOP_close, &op);

	if (!error && port < EVENT_PORTS)
		event_handler_set(port, NULL, NULL);
	return error;
}

void event_mask(evtchn_port_t port)
{
	__atomic_fetch_or(&shared_info->evtchn_mask[port / 64], 1ul << (port % 64),
			  __ATOMIC_SEQ_CST);
}

/* By hypercall: the port may be bound to another vCPU, whose selector only the hypervisor can set safely. */
void event_unmask(evtchn_port_t port)
{
	struct evtchn_unmask op = {.port = port};

	hypercall_event_channel_op(EVTCHNOP_unmask, &op);
}

static unsigned long take_selector(void)
{
	unsigned long selector = 0;

	__asm__ volatile("xchgq %0, %%gs:8" : "+r"(selector) : : "memory");
	return selector;
}
_Static_assert(__builtin_offsetof(struct vcpu_info, evtchn_pending_sel) == 8, "take_selector");

static void handle_port(evtchn_port_t port)
{
	__atomic_fetch_and(&shared_info->evtchn_pending[port / 64], ~(1ul << (port % 64)),
			   __ATOMIC_SEQ_CST);
	if (port < EVENT_PORTS && slots[port].handler)
		slots[port].handler(port, slots[port].data);
}

static void handle_word(unsigned int word)
{
	unsigned long ready;

	while ((ready = __atomic_load_n(&shared_info->evtchn_pending[word], __ATOMIC_SEQ_CST) &
			~__atomic_load_n(&shared_info->evtchn_mask[word], __ATOMIC_SEQ_CST)) != 0)
		handle_port(word * 64 + __builtin_ctzl(ready));
}

/*
 * The order makes no event get lost: the hypervisor sets port, selector and flag in that order, so they are
 * taken back in the reverse one.
 */
static void handle_pending(void)
{
	while (vcpu_info_here->evtchn_upcall_pending) {
		unsigned long selector;

		vcpu_info_here->evtchn_upcall_pending = 0;
		selector = take_selector();
		for (; selector; selector &= selector - 1)
			handle_word(__builtin_ctzl(selector));
	}
}

/* From entry.S: events masked, floating-point registers those of the interrupted code. */
void event_upcall(void)
{
	struct fpu_state fpu;

	__asm__ volatile("fxsave64 %0" : "=m"(fpu));
	handle_pending();
	if (event_upcall_end)
		event_upcall_end();
	__asm__ volatile("fxrstor64 %0" : : "m"(fpu));
}

void events_deliver(void)
{
	/* The hypervisor delivers what is pending on the way back from any hypercall. */
	hypercall_xen_version(0, NULL);
}

void events_wait(void)
{
	/* Unmasks, and blocks unless something is pending; the upcall comes before it returns. */
	hypercall_sched_op(SCHEDOP_block, NULL);
	events_mask();
}

void events_init(void)
{
	for (unsigned int word = 0; word < 64; word++) {
		shared_info->evtchn_mask[word] = ~0ul;
		shared_info->evtchn_pending[word] = 0;
	}
	for (unsigned int vcpu = 0; vcpu < XEN_LEGACY_MAX_VCPUS; vcpu++)
		shared_info->vcpu_info[vcpu].evtchn_upcall_mask = 1;
}
