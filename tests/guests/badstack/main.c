/* SPDX-License-Identifier: MIT */
/*
 * Takes a trap with a stack that can't hold its frame: the hypervisor ends the domain and shows its registers.
 * Argument: none, a stack that is not mapped; hypervisor, one in the hypervisor; read-only; not-canonical; wrap.
 */
#include "../test.h"

void guest_main(void)
{
	unsigned long stack = NOT_MAPPED + PAGE_SIZE;

	if (test_argument_word("hypervisor"))
		stack = OF_HYPERVISOR;
	if (test_argument_word("not-canonical"))
		stack = NOT_CANONICAL;
	if (test_argument_word("wrap"))
		stack = 16;
	if (test_argument_word("read-only"))
		stack = (unsigned long)page_root + PAGE_SIZE;
	printk("a trap on the stack at %#lx\n", stack);
	__asm__ volatile("movq $0x1badb002cafe, %%rbx\n\t"
			 "movq %0, %%rsp\n\t"
			 "ud2"
			 :
			 : "r"(stack));
}
