/* SPDX-License-Identifier: MIT */
/* Jumps into the void without a handler that could help: the hypervisor ends the domain and shows its registers. */
#include "../test.h"

void guest_main(void)
{
	hypercall_set_trap_table(NULL);
	printk("jumping into the void\n");
	__asm__ volatile("movq $0x1badb002cafe, %%rbx\n\t"
			 "jmp *%0"
			 :
			 : "r"(NOT_MAPPED));
}
