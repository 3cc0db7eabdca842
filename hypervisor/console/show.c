/* SPDX-License-Identifier: MIT */
/* Registers, stacks and call traces in print. */
#include "console/console.h"
#include "console/internal.h"
#include "cpu/cpu.h"
#include "cpu/x86.h"
#include "domain/domain.h"
#include "lib/image.h"
#include "lib/lib.h"

#define STACK_WORDS 16
#define TRACE_LINES 24

void show_registers(const struct cpu_user_regs *r)
{
	printk(LOG_ERR "  rip %04x:%016lx  rflags %08lx  rsp %04x:%016lx\n", r->cs & 0xffff, r->rip,
	       r->rflags, r->ss & 0xffff, r->rsp);
	printk(LOG_ERR "  rax %016lx  rbx %016lx  rcx %016lx\n", r->rax, r->rbx, r->rcx);
	printk(LOG_ERR "  rdx %016lx  rsi %016lx  rdi %016lx\n", r->rdx, r->rsi, r->rdi);
	printk(LOG_ERR "  rbp %016lx  r8  %016lx  r9  %016lx\n", r->rbp, r->r8, r->r9);
	printk(LOG_ERR "  r10 %016lx  r11 %016lx  r12 %016lx\n", r->r10, r->r11, r->r12);
	printk(LOG_ERR "  r13 %016lx  r14 %016lx  r15 %016lx\n", r->r13, r->r14, r->r15);
}

/* Words of a stack, four a line, as far as read() gets them. */
static void show_words(unsigned long sp, unsigned long end, int (*read)(uint64_t *, vaddr_t))
{
	char line[80];
	int len = 0;

	for (unsigned int i = 0; i < STACK_WORDS && sp < end; i++, sp += 8) {
		uint64_t word;

		if (read(&word, sp))
			break;
		len += format(line + len, sizeof(line) - len, " %016lx", word);
		if (i % 4 == 3) {
			printk(LOG_ERR "  %s\n", line);
			len = 0;
		}
	}
	if (len)
		printk(LOG_ERR "  %s\n", line);
}

static int read_own(uint64_t *word, vaddr_t va)
{
	return read_safe(word, (const void *)va, sizeof(*word));
}

static bool is_code(unsigned long addr)
{
	return (addr >= (unsigned long)text_start && addr < (unsigned long)text_end) ||
	       (addr >= (unsigned long)init_start && addr < (unsigned long)init_text_end);
}

/*
 * The code is built without frame pointers, so every word of the stack that points into code is
 * shown: callers, and now and then what an earlier call left behind.
 */
void show_trace(unsigned long rip, unsigned long rsp)
{
	char name[96];
	unsigned long sp = ROUND_UP(rsp, 8UL);
	unsigned long end = (sp | (STACK_SIZE - 1)) + 1 - sizeof(struct cpu_info);
	unsigned int lines = 0;

	symbol_format(name, sizeof(name), rip);
	printk(LOG_ERR "Call trace:\n");
	printk(LOG_ERR "  [%016lx] %s\n", rip, name);
	for (; sp < end && lines < TRACE_LINES; sp += 8) {
		uint64_t word;

		if (read_own(&word, sp)) /* an IST stack is shorter than a block */
			break;
		if (!is_code(word))
			continue;
		symbol_format(name, sizeof(name), word);
		printk(LOG_ERR "  [%016lx] %s\n", word, name);
		lines++;
	}
}

void show_hv_state(const struct cpu_user_regs *regs)
{
	const struct vcpu *v = current;
	char name[96];

	symbol_format(name, sizeof(name), regs->rip);
	printk(LOG_ERR "CPU %u in the hypervisor at %s\n", smp_processor_id(), name);
	show_registers(regs);
	printk(LOG_ERR "  cr0 %08lx  cr2 %016lx  cr3 %016lx  cr4 %08lx\n", read_cr0(), read_cr2(),
	       read_cr3(), read_cr4());
	if (v && v->domain && !v->is_idle)
		printk(LOG_ERR "  current: domain %u vCPU %u\n", v->domain->id, v->id);
	printk(LOG_ERR "Stack from rsp:\n");
	show_words(regs->rsp, (regs->rsp | (STACK_SIZE - 1)) + 1, read_own);
	show_trace(regs->rip, regs->rsp);
}

void show_guest_state(struct vcpu *v)
{
	const struct cpu_user_regs *regs = v == current ? &cpu_info()->guest_regs : &v->regs;

	printk(LOG_ERR "Domain %u vCPU %u on CPU %u, %s mode\n", v->domain->id, v->id, v->sched.cpu,
	       v->pv.kernel_mode ? "kernel" : "user");
	show_registers(regs);
	printk(LOG_ERR "  cr2 %016lx  roots: kernel %lx user %lx\n",
	       v->vcpu_info ? v->vcpu_info->arch.cr2 : 0, v->kernel_root, v->user_root);
	if (v == current) {
		printk(LOG_ERR "Guest stack from rsp:\n");
		show_words(regs->rsp, ~0UL, get_guest_u64);
	}
}
