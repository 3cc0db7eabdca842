/* SPDX-License-Identifier: MIT */
/* The end of the ladder of errors: faults of the hypervisor itself. */
#include "console/console.h"
#include "console/internal.h"
#include "cpu/cpu.h"
#include "cpu/x86.h"
#include "lib/bitops.h"
#include "lib/lib.h"

/* 1 + the CPU whose panic is being told; the first one keeps it. */
static unsigned int panicking;

/*
 * Make this CPU the one that tells. Another CPU's panic stops here; a second one on the same CPU (in
 * the telling) is cut short by the caller.
 */
static bool panic_begin(void)
{
	unsigned int nobody = 0, me = smp_processor_id() + 1;

	irq_disable();
	if (__atomic_compare_exchange_n(&panicking, &nobody, me, false, __ATOMIC_SEQ_CST,
					__ATOMIC_SEQ_CST)) {
		console_force();
		if (cpu_online_mask & ~(1UL << (me - 1)))
			smp_stop_others();
		return true;
	}
	while (nobody != me)
		__asm__ volatile("hlt");
	return false;
}

/* A panic while one is told: nothing further is printed but a sentence. */
static void panic_again(void)
{
	static unsigned int depth;

	if (depth++ == 0)
		printk("Panic in panic\n");
	else
		for (;;)
			__asm__ volatile("cli; hlt");
}

void panic(const char *fmt, ...)
{
	char text[512];
	va_list ap;

	if (panic_begin()) {
		va_start(ap, fmt);
		format_va(text, sizeof(text), fmt, ap);
		va_end(ap);
		printk("\n");
		printk("Panic on CPU %u: %s\n", smp_processor_id(), text);
		printk("  cr0 %08lx  cr2 %016lx  cr3 %016lx  cr4 %08lx\n", read_cr0(), read_cr2(),
		       read_cr3(), read_cr4());
		show_trace((unsigned long)__builtin_return_address(0),
			   (unsigned long)__builtin_frame_address(0) + 16);
	} else {
		panic_again();
	}
	machine_give_up();
}

void bug(const char *file, int line, const char *what)
{
	panic("%s at %s:%d", what, file, line);
}
