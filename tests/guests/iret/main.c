/* SPDX-License-Identifier: MIT */
/*
 * The iret hypercall: what it loads, what it corrects, what it refuses. With an argument it makes a frame that
 * must end the domain (see guest_main).
 */
#include "../test.h"

#define CF	  0x1
#define TF	  0x100
#define IF	  0x200
#define DF	  0x400
#define OF	  0x800
#define IOPL	  0x3000
#define NT	  0x4000
#define AC	  0x40000
#define KERNEL_CS (FLAT_KERNEL_CS & ~3)

/* rax, rbx, rcx, rdx, rsi, rdi, rbp, r8 to r15, rflags, rsp, cs, ss */
struct state {
	uint64_t reg[15], rflags, rsp, cs, ss;
};

struct frame {
	uint64_t rax, r11, rcx, flags, rip, cs, rflags, rsp, ss;
};

/* Loads the registers of `load` (not rax, rcx, r11), makes the call on `frame`, stores what is there at arrival. */
void iret_with(const struct frame *frame, const struct state *load, struct state *seen);
extern const char iret_arrival[];

__asm__(".text\n"
	"iret_with:\n\t"
	"pushq %rbp; pushq %rbx; pushq %r12; pushq %r13; pushq %r14; pushq %r15\n\t"
	"movq %rsp, iret_stack(%rip)\n\t"
	"movq %rdx, iret_seen(%rip)\n\t"
	"movq %rdi, %rsp\n\t"
	"movq %rsi, %rax\n\t"
	"movq 1*8(%rax), %rbx\n\t"
	"movq 3*8(%rax), %rdx\n\t"
	"movq 4*8(%rax), %rsi\n\t"
	"movq 5*8(%rax), %rdi\n\t"
	"movq 6*8(%rax), %rbp\n\t"
	"movq 7*8(%rax), %r8\n\t"
	"movq 8*8(%rax), %r9\n\t"
	"movq 9*8(%rax), %r10\n\t"
	"movq 11*8(%rax), %r12\n\t"
	"movq 12*8(%rax), %r13\n\t"
	"movq 13*8(%rax), %r14\n\t"
	"movq 14*8(%rax), %r15\n\t"
	"movl $23, %eax\n\t"
	"syscall\n\t"
	"ud2\n"
	".globl iret_arrival\n"
	"iret_arrival:\n\t"
	"movq %rax, iret_rax(%rip)\n\t"
	"movq %rsp, iret_rsp(%rip)\n\t"
	"movq iret_stack(%rip), %rsp\n\t"
	"pushfq\n\t"
	"cld\n\t"
	"movq iret_seen(%rip), %rax\n\t"
	"popq 15*8(%rax)\n\t"
	"movq %rbx, 1*8(%rax)\n\t"
	"movq %rcx, 2*8(%rax)\n\t"
	"movq %rdx, 3*8(%rax)\n\t"
	"movq %rsi, 4*8(%rax)\n\t"
	"movq %rdi, 5*8(%rax)\n\t"
	"movq %rbp, 6*8(%rax)\n\t"
	"movq %r8, 7*8(%rax)\n\t"
	"movq %r9, 8*8(%rax)\n\t"
	"movq %r10, 9*8(%rax)\n\t"
	"movq %r11, 10*8(%rax)\n\t"
	"movq %r12, 11*8(%rax)\n\t"
	"movq %r13, 12*8(%rax)\n\t"
	"movq %r14, 13*8(%rax)\n\t"
	"movq %r15, 14*8(%rax)\n\t"
	"movq iret_rax(%rip), %rcx\n\t"
	"movq %rcx, (%rax)\n\t"
	"movq iret_rsp(%rip), %rcx\n\t"
	"movq %rcx, 16*8(%rax)\n\t"
	"movl %cs, %ecx\n\t"
	"movq %rcx, 17*8(%rax)\n\t"
	"movl %ss, %ecx\n\t"
	"movq %rcx, 18*8(%rax)\n\t"
	"popq %r15; popq %r14; popq %r13; popq %r12; popq %rbx; popq %rbp\n\t"
	"ret\n"
	".bss\n"
	"iret_stack: .skip 8\n"
	"iret_seen: .skip 8\n"
	"iret_rax: .skip 8\n"
	"iret_rsp: .skip 8\n"
	".text\n");

static struct state loaded, seen;
static uint64_t elsewhere[64];

static struct frame plain(void)
{
	return (struct frame){
	    .rax = 0xa0a0a0a0a0a0a0a0,
	    .r11 = 0xb1b1b1b1b1b1b1b1,
	    .rcx = 0xc0c0c0c0c0c0c0c0,
	    .rip = (unsigned long)iret_arrival,
	    .cs = KERNEL_CS,
	    .rflags = IF | 2,
	    .rsp = (unsigned long)&elsewhere[32],
	    .ss = FLAT_KERNEL_SS,
	};
}

static void go(const struct frame *frame)
{
	for (unsigned int i = 0; i < 15; i++)
		loaded.reg[i] = 0x1111111111111111ul * (i + 1);
	memset(&seen, 0, sizeof(seen));
	iret_with(frame, &loaded, &seen);
}

static void all_registers(void)
{
	struct frame frame = plain();

	go(&frame);
	for (unsigned int i = 0; i < 15; i++)
		if (i != 0 && i != 2 && i != 10)
			EXPECT(seen.reg[i], loaded.reg[i]);
	EXPECT(seen.reg[0], frame.rax);
	EXPECT(seen.reg[2], frame.rcx);
	EXPECT(seen.reg[10], frame.r11);
	EXPECT(seen.rsp, frame.rsp);
	EXPECT(seen.cs, FLAT_KERNEL_CS);
	EXPECT(seen.ss, FLAT_KERNEL_SS);
	/* A stack pointer that is odd, and one that points at nothing: loaded as they are. */
	frame.rsp += 3;
	go(&frame);
	EXPECT(seen.rsp, frame.rsp);
	events_mask();
	frame.rflags = 2;
	frame.rsp = NOT_CANONICAL + 5;
	go(&frame);
	EXPECT(seen.rsp, frame.rsp);
	events_unmask();
}

/* rcx and r11 need not come back if the frame says that it was a `syscall`; the rest must. */
static void in_syscall(void)
{
	struct frame frame = plain();

	frame.flags = VGCF_in_syscall;
	go(&frame);
	EXPECT(seen.reg[0], frame.rax);
	EXPECT(seen.rsp, frame.rsp);
	for (unsigned int i = 0; i < 15; i++)
		if (i != 0 && i != 2 && i != 10)
			EXPECT(seen.reg[i], loaded.reg[i]);
}

/* IF is the inverse of the event mask, and real IF stays set. */
static void event_mask_from_flags(void)
{
	struct frame frame = plain();

	events_mask();
	frame.rflags = IF | 2;
	go(&frame);
	EXPECT(events_masked(), 0);
	EXPECT(seen.rflags & IF, IF);
	frame.rflags = 2;
	go(&frame);
	EXPECT(events_masked(), 1);
	EXPECT(seen.rflags & IF, IF);
	events_unmask();
}

/* What user code may have set is kept; privileged and system flags are not for the guest to choose. */
static void flags(void)
{
	struct frame frame = plain();

	frame.rflags = IF | 2 | CF | OF | DF;
	go(&frame);
	EXPECT(seen.rflags & (CF | OF | DF), CF | OF | DF);
	frame.rflags = IF | 2 | IOPL;
	go(&frame);
	EXPECT(seen.rflags & IOPL, 0);
	frame.rflags = IF | 2 | AC;
	go(&frame);
	EXPECT(seen.rflags & AC, AC);
	/* VM would mean virtual 8086 mode, VIF and VIP belong to it; NT makes a later iret fail. */
	frame.rflags = IF | 2 | 0x20000 | 0x80000 | 0x100000;
	go(&frame);
	EXPECT(seen.rflags & (0x20000 | 0x80000 | 0x100000), 0);
	/* All that there are, those that do not exist too, but TF. */
	frame.rflags = ~0ul & ~TF;
	go(&frame);
	EXPECT(seen.rflags & (IOPL | 0x20000), 0);
	EXPECT(seen.rflags >> 22, 0);
}

/*
 * The kernel's code segment is named with RPL 0, as the saved frames hold it; RPL 3 means user mode. The stack's
 * RPL is no matter.
 */
static void selectors(void)
{
	struct frame frame = plain();

	frame.ss = FLAT_KERNEL_SS & ~3;
	go(&frame);
	EXPECT(seen.cs, FLAT_KERNEL_CS);
	EXPECT(seen.ss, FLAT_KERNEL_SS);
	EXPECT(seen.reg[0], frame.rax);
}

/* What cannot be loaded is found out and given back as a trap of some kind, in the kernel, not in the hypervisor. */
static void go_caught(void *frame)
{
	go(frame);
}

static void refused(const char *what, const struct frame *frame)
{
	struct trap_frame caught;
	int vector = trap_catch(go_caught, (void *)frame, &caught);

	printk("%s: vector %d error %#lx rip %#lx cs %#x\n", what, vector, caught.error, caught.rip,
	       caught.cs);
	EXPECT_TRUE(vector == TRAP_GP || vector == TRAP_NP || vector == TRAP_SS ||
		    vector == TRAP_FAILSAFE || vector == TRAP_PF);
}

static void bad_rip(void)
{
	struct frame frame = plain();

	frame.rip = NOT_CANONICAL;
	refused("rip not canonical", &frame);
	frame.rip = 0x0000800000000000;
	refused("rip just not canonical", &frame);
	frame.flags = VGCF_in_syscall;
	refused("rip not canonical, in syscall", &frame);
	frame.flags = 0;
	frame.rip = OF_HYPERVISOR;
	refused("rip in the hypervisor", &frame);
	frame.rip = NOT_MAPPED;
	refused("rip not mapped", &frame);
}

static void bad_selectors(void)
{
	static const uint16_t code[] = {0x0003, 0x1003, FLAT_KERNEL_SS, 0xe00b, 0xe003};
	static const uint16_t stack[] = {0x1003, 0xe033, 0xe013 & ~3};

	for (size_t i = 0; i < COUNT_OF(code); i++) {
		struct frame frame = plain();

		/* RPL 0 keeps kernel mode. */
		frame.cs = code[i] & ~3;
		refused("bad cs", &frame);
	}
	for (size_t i = 0; i < COUNT_OF(stack); i++) {
		struct frame frame = plain();

		frame.ss = stack[i];
		refused("bad ss", &frame);
	}
}

static volatile unsigned int steps;

static bool on_step(struct trap_frame *frame)
{
	steps++;
	frame->rflags &= ~TF;
	return true;
}

static void trap_flag(void)
{
	struct frame frame = plain();

	trap_handler_set(TRAP_DB, on_step);
	steps = 0;
	frame.rflags |= TF;
	go(&frame);
	EXPECT(steps, 1);
	trap_handler_set(TRAP_DB, NULL);
}

/* An event that is pending comes when the call has unmasked, before the first instruction. */
static volatile unsigned int fired;

static void on_event(evtchn_port_t port, void *data)
{
	fired++;
}

static void event_at_arrival(void)
{
	struct frame frame = plain();
	long port = event_bind_ipi(0, on_event, NULL);

	EXPECT_TRUE(port > 0);
	events_mask();
	fired = 0;
	EXPECT(event_send(port), 0);
	EXPECT(fired, 0);
	go(&frame);
	EXPECT(fired, 1);
	EXPECT(seen.reg[0], frame.rax);
	EXPECT(seen.reg[2], frame.rcx);
	EXPECT(seen.reg[10], frame.r11);
	EXPECT(event_close(port), 0);
}

static const struct test tests[] = {
    {"all registers", all_registers},
    {"from a syscall", in_syscall},
    {"event mask from the flags", event_mask_from_flags},
    {"flags", flags},
    {"selectors", selectors},
    {"rip that cannot be", bad_rip},
    {"selectors that cannot be", bad_selectors},
    {"single step", trap_flag},
    {"event at arrival", event_at_arrival},
};

void guest_main(void)
{
	struct frame frame = plain();

	if (test_argument_word("bad-stack")) {
		printk("iret with a frame that is not there\n");
		iret_with((void *)NOT_MAPPED, &loaded, &seen);
	}
	if (test_argument_word("hypervisor-stack")) {
		printk("iret with a frame in the hypervisor\n");
		iret_with((void *)OF_HYPERVISOR, &loaded, &seen);
	}
	if (test_argument_word("no-user-root")) {
		printk("iret to user mode without a page-table root for it\n");
		frame.cs = FLAT_USER_CS;
		go(&frame);
		/* It is the arrival code itself that cannot be fetched, if this comes back at all. */
	}
	test_main("iret", tests, COUNT_OF(tests));
}
