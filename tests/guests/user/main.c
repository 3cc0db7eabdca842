/* SPDX-License-Identifier: MIT */
/* Guest user mode: its own root, `syscall`, faults, interrupts, privileged instructions, events, bases. */
#include "../test.h"

#define USER_CODE  0x400000ul
#define USER_STACK 0x500000ul
#define USER_DATA  0x600000ul

/* Code for user mode: position independent, in a page of its own that is mapped at USER_CODE. */
extern const char user_code[], user_syscalls[], user_touch[], user_write[], user_hlt[], user_cli[],
    user_out[], user_int80[], user_ud[], user_spin[], user_gs[], user_fetch[], user_step[],
    user_int3[], user_rdmsr[], user_popf[], user_loop[];

__asm__(
    ".pushsection .text.user, \"ax\"\n\t"
    ".balign 4096\n"
    "user_code:\n"
    /* A syscall with a pattern in each register; the kernel looks at them and changes rax. */
    "user_syscalls:\n\t"
    "movq $0x1111, %rax; movq $0x2222, %rbx; movq $0x3333, %rdx; movq $0x4444, %rsi\n\t"
    "movq $0x5555, %rdi; movq $0x6666, %rbp; movq $0x7777, %r8; movq $0x8888, %r9\n\t"
    "movq $0x9999, %r10; movq $0xaaaa, %r12; movq $0xbbbb, %r13; movq $0xcccc, %r14\n\t"
    "movq $0xdddd, %r15\n\t"
    "std\n\t"
    "syscall\n\t"
    "cld\n\t"
    "movq $2, %rdi\n\t"
    "syscall\n\t"
    "ud2\n"
    "user_touch: movq (%rdi), %rax; movq $9, %rdi; syscall; ud2\n"
    "user_write: movq $1, (%rdi); movq $9, %rdi; syscall; ud2\n"
    "user_fetch: jmp *%rdi\n"
    "user_hlt: hlt; ud2\n"
    "user_cli: cli; ud2\n"
    "user_out: outb %al, $0x80; ud2\n"
    "user_rdmsr: movl $0xc0000080, %ecx; rdmsr; ud2\n"
    "user_int80: int $0x80; movq $9, %rdi; syscall; ud2\n"
    "user_int3: int3; movq $9, %rdi; syscall; ud2\n"
    "user_ud: ud2\n"
    "user_spin: lock incl (%rdi); cmpl $0, 4(%rdi); je user_spin; movq $9, %rdi; syscall; ud2\n"
    "user_loop: movl $1000, %ecx; 1: movl $1, %edi; pushq %rcx; syscall; popq %rcx; loop 1b\n\t"
    "movq $9, %rdi; syscall; ud2\n"
    "user_gs: movq %gs:0, %rax; movq %rax, %rsi; movq %fs:0, %rdx; movq $9, %rdi; syscall; ud2\n"
    "user_step: pushfq; orq $0x100, (%rsp); popfq; nop; syscall; nop; ud2\n"
    "user_popf: pushq $0x3202; popfq; pushfq; popq %rsi; movq $9, %rdi; syscall; ud2\n"
    ".balign 4096\n\t"
    ".popsection");

static struct user_space space;
static uint64_t *user_data, *user_stack;
static struct trap_frame seen;
static unsigned int count;

#define USER_ADDRESS(label) (USER_CODE + ((label)-user_code))

static void set_up(void)
{
	user_data = page_alloc();
	user_stack = page_alloc();
	if (!EXPECT(user_space_create(&space), 0))
		return;
	EXPECT(user_space_map(&space, USER_CODE, virt_to_mfn(user_code), PTE_P), 0);
	EXPECT(user_space_map(&space, USER_STACK, virt_to_mfn(user_stack), PTE_P | PTE_RW), 0);
	EXPECT(user_space_map(&space, USER_DATA, virt_to_mfn(user_data), PTE_P | PTE_RW | PTE_NX),
	       0);
	EXPECT(user_space_activate(&space), 0);
}

/* Any trap ends the user's run with its vector. */
static bool end_run(struct trap_frame *frame)
{
	seen = *frame;
	if (trap_from_user(frame))
		user_leave(frame->vector);
	return false;
}

static long run(const char *code, unsigned long argument)
{
	static const unsigned int vectors[] = {TRAP_GP, TRAP_PF, TRAP_UD,      TRAP_DB,
					       TRAP_BP, 0x80,	 TRAP_SYSCALL, TRAP_FAILSAFE};
	long value;

	for (size_t i = 0; i < COUNT_OF(vectors); i++)
		trap_handler_set(vectors[i], end_run);
	memset(&seen, 0, sizeof(seen));
	value = user_run(USER_ADDRESS(code), USER_STACK + PAGE_SIZE, argument);
	for (size_t i = 0; i < COUNT_OF(vectors); i++)
		trap_handler_set(vectors[i], NULL);
	return value;
}

static bool first_syscall(struct trap_frame *frame)
{
	if (frame->rdi == 2) {
		user_leave(frame->rax);
	}
	seen = *frame;
	count++;
	frame->rax = 0x4711;
	return true;
}

static void syscall_registers(void)
{
	count = 0;
	trap_handler_set(TRAP_SYSCALL, first_syscall);
	EXPECT(user_run(USER_ADDRESS(user_syscalls), USER_STACK + PAGE_SIZE, 0), 0x4711);
	trap_handler_set(TRAP_SYSCALL, NULL);
	EXPECT(count, 1);
	EXPECT(seen.rax, 0x1111);
	EXPECT(seen.rbx, 0x2222);
	EXPECT(seen.rdx, 0x3333);
	EXPECT(seen.rsi, 0x4444);
	EXPECT(seen.rdi, 0x5555);
	EXPECT(seen.rbp, 0x6666);
	EXPECT(seen.r8, 0x7777);
	EXPECT(seen.r9, 0x8888);
	EXPECT(seen.r10, 0x9999);
	EXPECT(seen.r12, 0xaaaa);
	EXPECT(seen.r13, 0xbbbb);
	EXPECT(seen.r14, 0xcccc);
	EXPECT(seen.r15, 0xdddd);
	EXPECT(seen.cs, FLAT_USER_CS);
	EXPECT(seen.ss, FLAT_USER_SS);
	EXPECT(seen.rsp, USER_STACK + PAGE_SIZE);
	/* The syscall returns to the instruction after it; rcx and r11 tell rip and flags, as the CPU does. */
	EXPECT(seen.rcx, seen.rip);
	EXPECT(seen.r11 & 0x600, 0x600);
	EXPECT(seen.rflags & 0x600, 0x600);
}

static bool count_syscall(struct trap_frame *frame)
{
	if (frame->rdi == 9)
		user_leave(9);
	count++;
	return true;
}

static void many_syscalls(void)
{
	count = 0;
	trap_handler_set(TRAP_SYSCALL, count_syscall);
	EXPECT(user_run(USER_ADDRESS(user_loop), USER_STACK + PAGE_SIZE, 0), 9);
	trap_handler_set(TRAP_SYSCALL, NULL);
	EXPECT(count, 1000);
}

/* Bit 2 of the error code: from user mode. */
static void faults(void)
{
	EXPECT(run(user_touch, NOT_MAPPED), TRAP_PF);
	EXPECT(seen.error, 4);
	EXPECT(trap_fault_address(), NOT_MAPPED);
	EXPECT(seen.cs, FLAT_USER_CS);
	EXPECT(seen.rip, USER_ADDRESS(user_touch));
	EXPECT(run(user_write, USER_CODE), TRAP_PF);
	EXPECT(seen.error, 7);
	EXPECT(run(user_fetch, USER_DATA), TRAP_PF);
	EXPECT(seen.error, 0x15);
	EXPECT(seen.rip, USER_DATA);
	EXPECT(run(user_touch, NOT_CANONICAL), TRAP_GP);
	EXPECT(run(user_touch, USER_DATA), TRAP_SYSCALL);
}

/* User mode sees neither the kernel nor the hypervisor. */
static void kernel_is_hidden(void)
{
	EXPECT(run(user_touch, VIRT_BASE), TRAP_PF);
	EXPECT(seen.error & 4, 4);
	EXPECT(run(user_write, (unsigned long)user_data), TRAP_PF);
	EXPECT(run(user_touch, OF_HYPERVISOR), TRAP_PF);
	EXPECT(run(user_write, HYPERVISOR_VIRT_START), TRAP_PF);
	EXPECT(run(user_fetch, VIRT_BASE + PAGE_SIZE), TRAP_PF);
}

static void privileged(void)
{
	static const char *const codes[] = {user_hlt, user_cli, user_out, user_rdmsr};

	for (size_t i = 0; i < COUNT_OF(codes); i++) {
		EXPECT(run(codes[i], 0), TRAP_GP);
		EXPECT(seen.error, 0);
		EXPECT(seen.rip & -32ul, USER_ADDRESS(codes[i]) & -32ul);
	}
	EXPECT(run(user_ud, 0), TRAP_UD);
}

/* IOPL and IF are not for user mode to change. */
static void flags(void)
{
	EXPECT(run(user_popf, 0), TRAP_SYSCALL);
	EXPECT(seen.rsi & 0x3200, 0x200);
	EXPECT(seen.rflags & 0x3200, 0x200);
}

static void breakpoint(void)
{
	EXPECT(run(user_int3, 0), TRAP_BP);
	EXPECT(seen.rip, USER_ADDRESS(user_int3) + 1);
}

/* See the guest "traps" for why real Xen can't be asked. */
static void software_interrupt(void)
{
	if (!test_on_cerne()) {
		test_skip("real Xen trusts the error code, which QEMU gets wrong");
		return;
	}
	EXPECT(run(user_int80, 0), 0x80);
	EXPECT(seen.rip, USER_ADDRESS(user_int80) + 2);
	EXPECT(trap_gate_set(0x80, 1, true), 0);
	EXPECT(run(user_int80, 0), TRAP_GP);
	EXPECT(seen.error, 0x80 * 8 + 2);
	EXPECT(seen.rip, USER_ADDRESS(user_int80));
	EXPECT(trap_gate_set(0x80, 3, true), 0);
}

/* Stepping through a syscall: the kernel is not stepped. */
static bool step(struct trap_frame *frame)
{
	if (!trap_from_user(frame))
		EXPECT_TRUE(!"a step in the kernel");
	count++;
	return true;
}

static bool step_syscall(struct trap_frame *frame)
{
	return true;
}

static void single_step(void)
{
	count = 0;
	trap_handler_set(TRAP_DB, step);
	trap_handler_set(TRAP_SYSCALL, step_syscall);
	trap_handler_set(TRAP_UD, end_run);
	EXPECT(user_run(USER_ADDRESS(user_step), USER_STACK + PAGE_SIZE, 0), TRAP_UD);
	trap_handler_set(TRAP_DB, NULL);
	trap_handler_set(TRAP_SYSCALL, NULL);
	trap_handler_set(TRAP_UD, NULL);
	EXPECT_TRUE(count >= 2);
}

/* Bases: FS is one, GS changes with the mode. */
static void bases(void)
{
	user_data[0] = 0xfeed;
	user_data[1] = 0xbeef;
	EXPECT(hypercall_set_segment_base(SEGBASE_GS_USER, USER_DATA), 0);
	EXPECT(hypercall_set_segment_base(SEGBASE_FS, USER_DATA + 8), 0);
	EXPECT(run(user_gs, 0), TRAP_SYSCALL);
	EXPECT(seen.rsi, 0xfeed);
	EXPECT(seen.rdx, 0xbeef);
	/* The kernel's GS is its own: the runtime's event mask is reached through it. */
	EXPECT(events_masked(), 0);
	EXPECT(hypercall_set_segment_base(SEGBASE_GS_USER, 0), 0);
}

/* An event interrupts user mode: the handler runs in the kernel, on its stack, and user mode goes on. */
static volatile bool in_kernel_stack;

static void on_timer(evtchn_port_t port, void *data)
{
	unsigned long here = (unsigned long)__builtin_frame_address(0);

	in_kernel_stack = here > VIRT_BASE;
	((volatile uint32_t *)user_data)[1] = 1;
	count++;
}

static void event(void)
{
	long port = event_bind_virq(VIRQ_TIMER, on_timer, NULL);

	EXPECT_TRUE(port > 0);
	count = 0;
	user_data[0] = 0;
	EXPECT(clock_timer_set(clock_now() + 2 * NSEC_PER_MSEC), 0);
	EXPECT(run(user_spin, USER_DATA), TRAP_SYSCALL);
	EXPECT(count, 1);
	EXPECT(in_kernel_stack, 1);
	EXPECT_TRUE((uint32_t)user_data[0] > 0);
	clock_timer_set(0);
	EXPECT(event_close(port), 0);
}

/* Another root for user mode: what it maps is what user mode sees. */
static void other_root(void)
{
	struct user_space other;
	uint64_t *page = page_alloc();

	page[0] = 0xabcd;
	EXPECT(user_space_create(&other), 0);
	EXPECT(user_space_map(&other, USER_CODE, virt_to_mfn(user_code), PTE_P), 0);
	EXPECT(user_space_map(&other, USER_STACK, virt_to_mfn(user_stack), PTE_P | PTE_RW), 0);
	EXPECT(run(user_touch, USER_DATA), TRAP_SYSCALL);
	EXPECT(user_space_activate(&other), 0);
	EXPECT(run(user_touch, USER_DATA), TRAP_PF);
	EXPECT(user_space_map(&other, USER_DATA, virt_to_mfn(page), PTE_P), 0);
	EXPECT(run(user_touch, USER_DATA), TRAP_SYSCALL);
	EXPECT(seen.rax, 0xabcd);
	EXPECT(user_space_activate(&space), 0);
	EXPECT(run(user_touch, USER_DATA), TRAP_SYSCALL);
	user_space_destroy(&other);
	page_free(page);
}

static void user_root_bad(void)
{
	uint64_t *page = page_alloc();

	EXPECT(test_mmuext(MMUEXT_NEW_USER_BASEPTR, ~0ul, 0), -EINVAL);
	EXPECT(test_mmuext(MMUEXT_NEW_USER_BASEPTR, 0x123456789ab, 0), -EINVAL);
	/* A writable page can't be one. */
	EXPECT_TRUE(test_mmuext(MMUEXT_NEW_USER_BASEPTR, virt_to_mfn(page), 0) < 0);
	EXPECT(run(user_touch, USER_DATA), TRAP_SYSCALL);
	page_free(page);
}

static const struct test tests[] = {
    {"a user space", set_up},
    {"registers of a syscall", syscall_registers},
    {"many syscalls", many_syscalls},
    {"faults", faults},
    {"the kernel is hidden", kernel_is_hidden},
    {"privileged instructions", privileged},
    {"flags", flags},
    {"breakpoint", breakpoint},
    {"software interrupt", software_interrupt},
    {"single step", single_step},
    {"segment bases", bases},
    {"event in user mode", event},
    {"another root", other_root},
    {"bad roots", user_root_bad},
};

void guest_main(void)
{
	test_main("user", tests, COUNT_OF(tests));
}
