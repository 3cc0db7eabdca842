/* SPDX-License-Identifier: MIT */
// sources: hypervisor/mm/emulate_pte.c
// runs: 1000000
/*
 * Emulated writes against the CPU itself: an instruction that the decoder accepts runs on this machine
 * too, with the same registers, on memory of the same contents; registers, flags that are defined, and memory
 * must agree. The input gives the instruction's bytes, registers and memory.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include "mm/emulate_pte.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define DEFINED_ALWAYS 0x8d5UL /* CF PF AF ZF SF OF */
#define AF	       0x10UL
#define CF	       0x1UL

static uint8_t *code, *memory;

/* What the trampoline below loads and stores: rax to r15 in the order of their numbers, rflags. */
struct cpu {
	uint64_t reg[16], flags, host_rsp;
};
extern struct cpu cpu;
struct cpu cpu;

/* code ends by a jump to run_end. rsp is the guest's meanwhile: no signal, no stack. */
void run(void *entry);
void run_end(void);
__asm__(".text\n"
	"run:\n"
	"	push %rbx; push %rbp; push %r12; push %r13; push %r14; push %r15\n"
	"	mov %rdi, entry_point(%rip)\n"
	"	mov %rsp, cpu+136(%rip)\n"
	"	mov cpu+128(%rip), %rax\n"
	"	push %rax\n"
	"	popfq\n"
	"	mov cpu(%rip), %rax; mov cpu+8(%rip), %rcx; mov cpu+16(%rip), %rdx\n"
	"	mov cpu+24(%rip), %rbx; mov cpu+32(%rip), %rsp; mov cpu+40(%rip), %rbp\n"
	"	mov cpu+48(%rip), %rsi; mov cpu+56(%rip), %rdi; mov cpu+64(%rip), %r8\n"
	"	mov cpu+72(%rip), %r9; mov cpu+80(%rip), %r10; mov cpu+88(%rip), %r11\n"
	"	mov cpu+96(%rip), %r12; mov cpu+104(%rip), %r13; mov cpu+112(%rip), %r14\n"
	"	mov cpu+120(%rip), %r15\n"
	"	jmp *entry_point(%rip)\n"
	"run_end:\n"
	"	mov %rax, cpu(%rip); mov %rcx, cpu+8(%rip); mov %rdx, cpu+16(%rip)\n"
	"	mov %rbx, cpu+24(%rip); mov %rsp, cpu+32(%rip); mov %rbp, cpu+40(%rip)\n"
	"	mov %rsi, cpu+48(%rip); mov %rdi, cpu+56(%rip); mov %r8, cpu+64(%rip)\n"
	"	mov %r9, cpu+72(%rip); mov %r10, cpu+80(%rip); mov %r11, cpu+88(%rip)\n"
	"	mov %r12, cpu+96(%rip); mov %r13, cpu+104(%rip); mov %r14, cpu+112(%rip)\n"
	"	mov %r15, cpu+120(%rip)\n"
	"	mov cpu+136(%rip), %rsp\n"
	"	pushfq\n"
	"	pop %rax\n"
	"	mov %rax, cpu+128(%rip)\n"
	"	cld\n"
	"	pop %r15; pop %r14; pop %r13; pop %r12; pop %rbp; pop %rbx\n"
	"	ret\n"
	".data\n"
	"entry_point: .quad 0\n"
	".text\n");

static void to_regs(struct cpu_user_regs *r, const uint64_t reg[16], uint64_t flags)
{
	memset(r, 0, sizeof(*r));
	r->rax = reg[0];
	r->rcx = reg[1];
	r->rdx = reg[2];
	r->rbx = reg[3];
	r->rsp = reg[4];
	r->rbp = reg[5];
	r->rsi = reg[6];
	r->rdi = reg[7];
	r->r8 = reg[8];
	r->r9 = reg[9];
	r->r10 = reg[10];
	r->r11 = reg[11];
	r->r12 = reg[12];
	r->r13 = reg[13];
	r->r14 = reg[14];
	r->r15 = reg[15];
	r->rflags = flags;
	r->rip = (uint64_t)code;
}

static uint64_t defined_flags(const struct pte_write *w)
{
	switch (w->op) {
	case PTE_BTS:
	case PTE_BTR:
	case PTE_BTC:
		return CF;
	case PTE_OR:
	case PTE_AND:
	case PTE_XOR:
		return DEFINED_ALWAYS & ~AF;
	default:
		return DEFINED_ALWAYS;
	}
}

static void differ(const char *what, const struct pte_write *w, uint64_t ours, uint64_t theirs)
{
	fprintf(stderr, "%s: emulated %#lx, CPU %#lx; op %u size %u:", what, ours, theirs, w->op,
		w->size);
	for (unsigned int i = 0; i < w->length; i++)
		fprintf(stderr, " %02x", code[i]);
	fprintf(stderr, "\n");
	abort();
}

static void compare(const struct pte_write *w, const struct cpu_user_regs *before)
{
	struct cpu_user_regs ours = *before, theirs;
	uint8_t start[64], after[64];
	uint64_t old = 0, new, seen, end = (uint64_t)run_end, mask = defined_flags(w);

	memcpy(start, memory, sizeof(start));
	memcpy(&old, (void *)w->address, w->size);
	new = pte_write_execute(w, old, &ours);

	/* jmp *0(%rip); address */
	code[w->length] = 0xff;
	code[w->length + 1] = 0x25;
	memset(&code[w->length + 2], 0, 4);
	memcpy(&code[w->length + 6], &end, sizeof(end));
	run(code);

	memcpy(after, memory, sizeof(after));
	memcpy(memory, start, sizeof(start));
	memcpy((void *)w->address, &new, w->size);
	if (memcmp(memory, after, sizeof(after))) {
		seen = 0;
		memcpy(&seen, &after[w->address - (uint64_t)memory], w->size);
		differ("memory", w, new, seen);
	}
	to_regs(&theirs, cpu.reg, cpu.flags);
	theirs.rip = ours.rip;
	if ((ours.rflags ^ theirs.rflags) & mask)
		differ("flags", w, ours.rflags, theirs.rflags);
	ours.rflags = theirs.rflags;
	if (memcmp(&ours, &theirs, sizeof(ours))) {
		differ("rax", w, ours.rax, theirs.rax);
	}
}

/* The input, continued by what is made from all of it; every second time with an opcode that is known. */
static void fill(uint8_t *bytes, size_t n, const uint8_t *data, size_t size)
{
	static const uint8_t known[] = {0x01, 0x09, 0x11, 0x19, 0x21, 0x29, 0x31,
					0x80, 0x81, 0x83, 0x86, 0x87, 0x88, 0x89,
					0xaa, 0xab, 0xc6, 0xc7, 0x0f, 0x0f, 0x0f};
	static const uint8_t known_0f[] = {0xab, 0xb3, 0xbb, 0xba, 0xb0, 0xb1, 0xc0, 0xc1, 0xc3};
	uint64_t seed = 1;
	uint8_t *op = bytes;

	for (size_t i = 0; i < size; i++)
		seed = (seed ^ data[i]) * 0x100000001b3UL;
	for (size_t i = 0; i < n; i++) {
		seed = seed * 6364136223846793005UL + 1442695040888963407UL;
		bytes[i] = i < size ? data[i] : seed >> 56;
	}
	seed = seed * 6364136223846793005UL + 1442695040888963407UL;
	if (seed >> 63)
		return;
	if (seed >> 62 & 1)
		*op++ = 0x66;
	if (seed >> 61 & 1)
		*op++ = 0x40 | (seed >> 57 & 15);
	*op = known[*op % sizeof(known)];
	if (*op++ == 0x0f) {
		*op = known_0f[*op % sizeof(known_0f)];
		op++;
	}
	/* Relative to rip: to our memory. */
	if ((*op & 0xc7) == 5) {
		uint32_t distance = (uint32_t)(memory - code) + op[1] % 32;

		memcpy(op + 1, &distance, sizeof(distance));
	}
}

static void set_up(void)
{
	code = mmap((void *)0x10000000, 4096, PROT_READ | PROT_WRITE | PROT_EXEC,
		    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	memory = mmap((void *)0x20000000, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
		      -1, 0);
	if (code == MAP_FAILED || memory == MAP_FAILED)
		abort();
	memory += 2048;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t bytes[MAX_INSN + 2 + 64 + 128];
	struct cpu_user_regs regs;
	struct pte_write w;
	uint64_t flags;

	if (!code)
		set_up();
	fill(bytes, sizeof(bytes), data, size);
	memcpy(code, bytes, MAX_INSN);
	flags = (bytes[15] | bytes[16] << 8) & (DEFINED_ALWAYS | 0x400);
	memcpy(memory, bytes + 17, 64);
	for (unsigned int i = 0; i < 16; i++) {
		uint64_t v;

		memcpy(&v, bytes + 17 + 64 + i * 8, 8);
		/* Most point into the memory; some are small, some are anything. */
		if (v & 3)
			v = (uint64_t)memory + (v >> 2 & 63);
		else if (v & 4)
			v = v & 8 ? v >> 4 & 0xff : (uint32_t) - (v >> 4 & 0xff);
		cpu.reg[i] = v;
	}
	cpu.flags = flags | 0x202;
	to_regs(&regs, cpu.reg, cpu.flags);
	if (!pte_write_decode(code, MAX_INSN, &regs, &w))
		return 0;
	if (w.length > MAX_INSN)
		abort();
	/* Only what lands in our memory can be tried; a repeated one runs to its end on the CPU. */
	if (w.rep || w.address < (uint64_t)memory || w.address > (uint64_t)memory + 64 - w.size)
		return 0;
	compare(&w, &regs);
	return 0;
}
