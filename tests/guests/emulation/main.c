/* SPDX-License-Identifier: MIT */
/* Privileged instructions of the guest kernel that the hypervisor carries out, and those that it refuses. */
#include "../test.h"
#include <public/arch-x86/cpuid.h>

#define MSR_APIC_BASE	   0x1b
#define MSR_EFER	   0xc0000080
#define MSR_FS_BASE	   0xc0000100
#define MSR_GS_BASE	   0xc0000101
#define MSR_KERNEL_GS_BASE 0xc0000102
#define MSR_LSTAR	   0xc0000082
#define CR0_TS		   0x8
#define RFLAGS_IF	   0x200

struct cpuid {
	uint32_t a, b, c, d;
};

static struct cpuid cpuid_forced(uint32_t leaf, uint32_t sub)
{
	struct cpuid out;

	/* The invalid opcode and "xen", then the instruction to emulate (xen.h, XEN_EMULATE_PREFIX). */
	__asm__ volatile(".byte 0x0f, 0x0b, 0x78, 0x65, 0x6e\n\tcpuid"
			 : "=a"(out.a), "=b"(out.b), "=c"(out.c), "=d"(out.d)
			 : "a"(leaf), "c"(sub));
	return out;
}

static void cpuid_signature(void)
{
	struct cpuid out = cpuid_forced(XEN_CPUID_FIRST_LEAF, 0);

	EXPECT(out.b, XEN_CPUID_SIGNATURE_EBX);
	EXPECT(out.c, XEN_CPUID_SIGNATURE_ECX);
	EXPECT(out.d, XEN_CPUID_SIGNATURE_EDX);
	EXPECT_TRUE(out.a >= XEN_CPUID_LEAF(2) && out.a <= XEN_CPUID_LEAF(5));
	out = cpuid_forced(XEN_CPUID_LEAF(1), 0);
	EXPECT(out.a, 4 << 16 | 17);
}

/* What a guest decides by: vendor as the machine's, long mode, no feature that PV can't have. */
static void cpuid_features(void)
{
	struct cpuid out = cpuid_forced(0, 0), native;

	EXPECT_TRUE(out.a >= 1 && out.b);
	__asm__ volatile("cpuid"
			 : "=a"(native.a), "=b"(native.b), "=c"(native.c), "=d"(native.d)
			 : "a"(0), "c"(0));
	EXPECT(out.b, native.b);
	EXPECT(out.c, native.c);
	EXPECT(out.d, native.d);
	out = cpuid_forced(1, 0);
	/* FPU, MSR, CMOV, FXSR, SSE, SSE2 are there; of the others VMX, VME and PSE36 never are. */
	EXPECT_TRUE(out.d & 1 && out.d & 1 << 15 && out.d & 1 << 24 && out.d & 1 << 26);
	EXPECT(out.c & 1 << 5, 0);
	EXPECT(out.d & 1 << 1, 0);
	/* A hypervisor is present. */
	EXPECT_TRUE(out.c & 1u << 31);
	out = cpuid_forced(0x80000001, 0);
	EXPECT_TRUE(out.d & 1 << 29);
	EXPECT_TRUE(out.d & 1 << 11);
	/* SVM. */
	EXPECT(out.c & 1 << 2, 0);
	/* Leaves beyond the last are harmless. */
	cpuid_forced(0x7fffffff, ~0u);
	cpuid_forced(0x8fffffff, 0);
	cpuid_forced(0x4000ff00, 0);
	cpuid_forced(~0u, ~0u);
}

static uint32_t msr_number;
static uint64_t msr_value;

static void read_msr(void *argument)
{
	uint32_t low, high;

	__asm__ volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(msr_number));
	msr_value = (uint64_t)high << 32 | low;
}

static void write_msr(void *argument)
{
	__asm__ volatile("wrmsr"
			 :
			 : "c"(msr_number), "a"((uint32_t)msr_value),
			   "d"((uint32_t)(msr_value >> 32))
			 : "memory");
}

static int rdmsr(uint32_t number)
{
	msr_number = number;
	return trap_of(read_msr);
}

static int wrmsr(uint32_t number, uint64_t value)
{
	msr_number = number;
	msr_value = value;
	return trap_of(write_msr);
}

static void msr_bases(void)
{
	static uint64_t here = 0x99;
	uint64_t seen;

	EXPECT(wrmsr(MSR_FS_BASE, (unsigned long)&here), -1);
	EXPECT(rdmsr(MSR_FS_BASE), -1);
	EXPECT(msr_value, (unsigned long)&here);
	__asm__ volatile("movq %%fs:0, %0" : "=r"(seen));
	EXPECT(seen, 0x99);
	EXPECT(wrmsr(MSR_FS_BASE, NOT_CANONICAL), TRAP_GP);
	EXPECT(rdmsr(MSR_GS_BASE), -1);
	EXPECT(msr_value, (unsigned long)&shared_info->vcpu_info[0]);
	EXPECT(wrmsr(MSR_GS_BASE, msr_value), -1);
	EXPECT(wrmsr(MSR_KERNEL_GS_BASE, 0x12345000), -1);
	EXPECT(rdmsr(MSR_KERNEL_GS_BASE), -1);
	EXPECT(msr_value, 0x12345000);
	EXPECT(wrmsr(MSR_KERNEL_GS_BASE, NOT_CANONICAL), TRAP_GP);
	EXPECT(wrmsr(MSR_GS_BASE, NOT_CANONICAL), TRAP_GP);
	EXPECT(wrmsr(MSR_FS_BASE, 0), -1);
}

static void msr_efer(void)
{
	EXPECT(rdmsr(MSR_EFER), -1);
	/* SCE and NX; whether long mode's bits are shown is the hypervisor's choice. */
	EXPECT_TRUE(msr_value & 1);
	EXPECT(rdmsr(MSR_APIC_BASE), -1);
}

/* No guest reads or writes the hypervisor's entry point or machine-specific registers that do not exist. */
static void msr_refused(void)
{
	static const uint32_t numbers[] = {MSR_LSTAR, 0xc0000081, 0xc0000084,
					   0x174,     0x176,	  0xdeadbeef};

	for (size_t i = 0; i < COUNT_OF(numbers); i++) {
		EXPECT(wrmsr(numbers[i], 0), TRAP_GP);
		/* To read: refused, or something made up; never the hypervisor's own entry point. */
		if (rdmsr(numbers[i]) == -1)
			EXPECT_TRUE(msr_value < HYPERVISOR_VIRT_START ||
				    msr_value >= HYPERVISOR_VIRT_END);
	}
}

static uint64_t cr;

static void read_cr0(void *argument)
{
	__asm__ volatile("movq %%cr0, %0" : "=r"(cr));
}

static void write_cr0(void *argument)
{
	__asm__ volatile("movq %0, %%cr0" : : "r"(cr));
}

static void read_cr2(void *argument)
{
	__asm__ volatile("movq %%cr2, %0" : "=r"(cr));
}

static void write_cr2(void *argument)
{
	__asm__ volatile("movq %0, %%cr2" : : "r"(cr));
}

static void read_cr3(void *argument)
{
	__asm__ volatile("movq %%cr3, %0" : "=r"(cr));
}

static void write_cr3(void *argument)
{
	__asm__ volatile("movq %0, %%cr3" : : "r"(cr) : "memory");
}

static void read_cr4(void *argument)
{
	__asm__ volatile("movq %%cr4, %0" : "=r"(cr));
}

static void write_cr4(void *argument)
{
	__asm__ volatile("movq %0, %%cr4" : : "r"(cr));
}

static void clear_ts(void *argument)
{
	__asm__ volatile("clts");
}

static void no_math(void *argument)
{
	__asm__ volatile("fnop");
}

static void control_registers(void)
{
	EXPECT(trap_of(read_cr0), -1);
	EXPECT_TRUE(cr & 1 && cr & 1u << 31);
	EXPECT(cr & CR0_TS, 0);
	cr |= CR0_TS;
	EXPECT(trap_of(write_cr0), -1);
	EXPECT(trap_of(no_math), TRAP_NM);
	EXPECT(hypercall_fpu_taskswitch(1), 0);
	EXPECT(trap_of(read_cr0), -1);
	EXPECT(cr & CR0_TS, CR0_TS);
	EXPECT(trap_of(clear_ts), -1);
	EXPECT(trap_of(read_cr0), -1);
	EXPECT(cr & CR0_TS, 0);
	EXPECT(trap_of(no_math), -1);
	/* No paging, no protection: refused. */
	cr &= ~(1ul << 31);
	EXPECT(trap_of(write_cr0), TRAP_GP);
	EXPECT(trap_of(read_cr3), -1);
	EXPECT(cr >> PAGE_SHIFT, virt_to_mfn(page_root));
	EXPECT(trap_of(write_cr3), -1);
	/* A page that is no root. */
	cr = virt_to_machine(shared_info) + (1ul << 40);
	EXPECT(trap_of(write_cr3), TRAP_GP);
	EXPECT(trap_of(read_cr4), -1);
	/* PAE is on; the same value again is always fine. */
	EXPECT_TRUE(cr & 0x20);
	EXPECT(trap_of(write_cr4), -1);
	cr = 0x123456;
	EXPECT(trap_of(write_cr2), -1);
	EXPECT(trap_of(read_cr2), -1);
	EXPECT(cr, 0x123456);
	EXPECT(trap_fault_address(), 0x123456);
}

static void set_iopl(unsigned int level, long wanted)
{
	struct physdev_set_iopl op = {.iopl = level};

	EXPECT(hypercall_physdev_op(PHYSDEVOP_set_iopl, &op), wanted);
}

static void run_cli(void *argument)
{
	__asm__ volatile("cli");
}

static void run_sti(void *argument)
{
	__asm__ volatile("sti");
}

/* They do nothing to the event mask, with enough privilege; without they are refused. */
static void cli_sti(void)
{
	set_iopl(1, 0);
	EXPECT(trap_of(run_cli), -1);
	EXPECT(events_masked(), 0);
	EXPECT(trap_of(run_sti), -1);
	events_mask();
	EXPECT(trap_of(run_sti), -1);
	EXPECT(events_masked(), 1);
	events_unmask();
	set_iopl(0, 0);
	EXPECT(trap_of(run_cli), TRAP_GP);
	set_iopl(1, 0);
}

/* Real IF is always set, and popf does not change it. */
static void popf(void)
{
	uint64_t flags;

	__asm__ volatile("pushfq; popq %0" : "=r"(flags));
	EXPECT(flags & RFLAGS_IF, RFLAGS_IF);
	for (int i = 0; i < 1000; i++)
		__asm__ volatile("pushfq; cli; pushq %0; popfq; pushfq; popq %0; popfq"
				 : "+r"(flags)
				 :
				 : "memory", "cc");
	EXPECT(flags & RFLAGS_IF, RFLAGS_IF);
	__asm__ volatile(
	    "pushfq; andq $~0x200, (%%rsp); orq $0x3000, (%%rsp); popfq; pushfq; popq %0"
	    : "=r"(flags)
	    :
	    : "memory", "cc");
	EXPECT(flags & 0x3200, RFLAGS_IF);
}

static uint16_t port;
static uint32_t port_value;

static void read_port(void *argument)
{
	uint8_t value;

	__asm__ volatile("inb %1, %0" : "=a"(value) : "d"(port));
	port_value = value;
}

static void read_port_4(void *argument)
{
	__asm__ volatile("inl %1, %0" : "=a"(port_value) : "d"(port));
}

static void write_port(void *argument)
{
	__asm__ volatile("outb %0, %1" : : "a"((uint8_t)port_value), "d"(port));
}

static void write_port_4(void *argument)
{
	__asm__ volatile("outl %0, %1" : : "a"(port_value), "d"(port));
}

/* The first domain may use the machine's ports, but for those that the hypervisor drives itself. */
static void ports(void)
{
	set_iopl(1, 0);
	/* The second CMOS register: minutes, in BCD. */
	port = 0x70;
	port_value = 2;
	EXPECT(trap_of(write_port), -1);
	port = 0x71;
	EXPECT(trap_of(read_port), -1);
	EXPECT_TRUE(port_value < 0x60);
	/* PCI configuration: the host bridge. */
	port = 0xcf8;
	port_value = 0x80000000;
	EXPECT(trap_of(write_port_4), -1);
	port = 0xcfc;
	EXPECT(trap_of(read_port_4), -1);
	EXPECT(port_value & 0xffff, 0x8086);
	port = 0x80;
	EXPECT(trap_of(write_port), -1);
	/* Interrupt controller and timer are the hypervisor's: not there to be seen. */
	port = 0x21;
	port_value = 0;
	EXPECT(trap_of(write_port), -1);
	EXPECT(trap_of(read_port), -1);
	set_iopl(0, 0);
	port = 0x80;
	EXPECT(trap_of(write_port), TRAP_GP);
	set_iopl(1, 0);
}

static void iopl_bad(void)
{
	set_iopl(4, -EINVAL);
	set_iopl(~0u, -EINVAL);
	set_iopl(3, 0);
	set_iopl(1, 0);
}

#define INSTRUCTION(name, text)                                                                  \
	static void name(void *argument)                                                         \
	{                                                                                        \
		static const uint8_t zeros[16];                                                  \
		__asm__ volatile(text : : "D"(zeros), "a"(0), "c"(0), "d"(0) : "memory", "rbx"); \
	}

INSTRUCTION(run_lgdt, "lgdt (%%rdi)")
INSTRUCTION(run_lidt, "lidt (%%rdi)")
INSTRUCTION(run_lldt, "lldt %%ax")
INSTRUCTION(run_ltr, "ltr %%ax")
INSTRUCTION(run_invd, "invd")
INSTRUCTION(run_swapgs, "swapgs")
INSTRUCTION(run_sysret, "sysretq")
INSTRUCTION(run_vmcall, "vmcall")
INSTRUCTION(run_monitor, "monitor")
INSTRUCTION(run_rdpmc, "movl $0x1000, %%ecx; rdpmc")
INSTRUCTION(run_mov_cr8, "movq %%rax, %%cr8")
INSTRUCTION(run_int82, "int $0x82")

static void refused(void)
{
	static void (*const functions[])(void *) = {run_lgdt,	 run_lidt,   run_lldt,	 run_ltr,
						    run_invd,	 run_swapgs, run_sysret, run_vmcall,
						    run_monitor, run_rdpmc,  run_mov_cr8};

	for (size_t i = 0; i < COUNT_OF(functions); i++) {
		int vector = trap_of(functions[i]);

		if (!EXPECT_TRUE(vector == TRAP_GP || vector == TRAP_UD))
			printk("instruction %lu: vector %d\n", i, vector);
	}
}

/* The 32-bit way to make a hypercall: for 32-bit guests only. See the guest "traps" for INT on real Xen. */
static void int82(void)
{
	int vector = trap_of(run_int82);

	if (!test_on_cerne()) {
		test_skip("real Xen trusts the error code, which QEMU gets wrong");
		return;
	}
	EXPECT_TRUE(vector == TRAP_GP || vector == 0x82);
}

/* wbinvd and the time stamp are allowed, rdtscp where the CPU has it. */
INSTRUCTION(run_wbinvd, "wbinvd")
INSTRUCTION(run_rdtsc, "rdtsc")

static void allowed(void)
{
	EXPECT(trap_of(run_wbinvd), -1);
	EXPECT(trap_of(run_rdtsc), -1);
}

/* The instruction lies across two pages, the second of which is not there: a page fault of the fetch. */
static void across_pages(void)
{
	uint8_t *page = page_alloc();
	uint8_t *two = frames_map(virt_to_mfn(page), 1, PTE_DATA, DOMID_SELF, NULL);
	struct trap_frame caught;

	if (!EXPECT_TRUE(two))
		return;
	/* mov %cr0, %rax is 0f 20 c0: its last byte is missing. */
	page[PAGE_SIZE - 2] = 0x0f;
	page[PAGE_SIZE - 1] = 0x20;
	EXPECT(trap_catch((void (*)(void *))(void *)(two + PAGE_SIZE - 2), NULL, &caught), TRAP_PF);
	EXPECT(trap_fault_address(), (unsigned long)two + PAGE_SIZE);
	/* So is the forced form, of which only the first byte after the prefix is there. */
	memcpy(page + PAGE_SIZE - 6, "\x0f\x0bxen\x0f", 6);
	EXPECT(trap_catch((void (*)(void *))(void *)(two + PAGE_SIZE - 6), NULL, &caught), TRAP_PF);
	EXPECT(trap_fault_address(), (unsigned long)two + PAGE_SIZE);
	/* Something else after the prefix is the invalid opcode that it says. */
	memcpy(page, "\x0f\x0bxen\x90\xc3", 7);
	EXPECT(trap_catch((void (*)(void *))(void *)two, NULL, &caught), TRAP_UD);
	EXPECT(caught.rip, (unsigned long)two);
	frames_unmap(two, 1);
	page_free(page);
}

static const struct test tests[] = {
    {"cpuid signature", cpuid_signature},
    {"cpuid features", cpuid_features},
    {"MSRs of segment bases", msr_bases},
    {"MSRs that are read", msr_efer},
    {"MSRs that are refused", msr_refused},
    {"control registers", control_registers},
    {"set_iopl", iopl_bad},
    {"cli and sti", cli_sti},
    {"popf", popf},
    {"ports", ports},
    {"refused instructions", refused},
    {"int 0x82", int82},
    {"allowed instructions", allowed},
    {"instructions across pages", across_pages},
};

void guest_main(void)
{
	test_main("emulation", tests, COUNT_OF(tests));
}
