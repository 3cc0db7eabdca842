/* SPDX-License-Identifier: MIT */
/* The start of day, in the order in which things come to work; and the end of the domain. */
#include <guest/start.h>
#include <guest/console.h>
#include <guest/event.h>
#include <guest/hypercall.h>
#include <guest/memory.h>
#include <guest/trap.h>
#include <public/sched.h>
#include <public/version.h>

struct start_info *start_info;
/* A page of the image whose own frame is given up: the shared page is mapped in its place. */
static char shared_page[PAGE_SIZE] __attribute__((aligned(PAGE_SIZE)));
struct shared_info *shared_info = (struct shared_info *)shared_page;

_Noreturn void start_of_day(struct start_info *given, unsigned long stack_top);

bool is_initial_domain(void)
{
	return start_info->flags & SIF_INITDOMAIN;
}

bool has_feature(unsigned int feature)
{
	struct xen_feature_info info = {.submap_idx = feature / 32};

	return hypercall_xen_version(XENVER_get_features, &info) == 0 &&
	       (info.submap >> (feature % 32)) & 1;
}

/* Also the root for events: each vCPU finds its own record through GS. */
static void map_shared_info(void)
{
	if (page_set(shared_page, (start_info->shared_info & PTE_FRAME) | PTE_DATA))
		shutdown(SHUTDOWN_crash);
	hypercall_set_segment_base(SEGBASE_GS_KERNEL, (unsigned long)&shared_info->vcpu_info[0]);
}

_Noreturn void start_of_day(struct start_info *given, unsigned long stack_top)
{
	start_info = given;
	map_shared_info();
	events_init();
	p2m = (unsigned long *)start_info->mfn_list;
	console_init();
	traps_init();
	memory_init((stack_top + PAGE_SIZE - 1) & ~(PAGE_SIZE - 1ul));
	events_unmask();
	guest_main();
	shutdown(SHUTDOWN_poweroff);
}

_Noreturn void shutdown(unsigned int reason)
{
	struct sched_shutdown op = {.reason = reason};

	for (;;)
		hypercall_sched_op(SCHEDOP_shutdown, &op);
}

static void print_frame(const struct trap_frame *frame)
{
	printk("vector %lu error %#lx, %s mode, cr2 %016lx\n", frame->vector, frame->error,
	       trap_from_user(frame) ? "user" : "kernel", trap_fault_address());
	printk("rip %016lx cs %04x rflags %08lx rsp %016lx ss %04lx\n", frame->rip, frame->cs,
	       frame->rflags, frame->rsp, frame->ss);
	printk("rax %016lx rbx %016lx rcx %016lx rdx %016lx\n", frame->rax, frame->rbx, frame->rcx,
	       frame->rdx);
	printk("rsi %016lx rdi %016lx rbp %016lx r8  %016lx\n", frame->rsi, frame->rdi, frame->rbp,
	       frame->r8);
	printk("r9  %016lx r10 %016lx r11 %016lx r12 %016lx\n", frame->r9, frame->r10, frame->r11,
	       frame->r12);
	printk("r13 %016lx r14 %016lx r15 %016lx\n", frame->r13, frame->r14, frame->r15);
}

_Noreturn void panic(const char *format, ...)
{
	va_list arguments;

	events_mask();
	printk("guest panic: ");
	va_start(arguments, format);
	vprintk(format, arguments);
	va_end(arguments);
	printk("\n");
	shutdown(SHUTDOWN_crash);
}

_Noreturn void panic_trap(const struct trap_frame *frame, const char *message)
{
	events_mask();
	printk("guest panic: %s\n", message);
	print_frame(frame);
	shutdown(SHUTDOWN_crash);
}
