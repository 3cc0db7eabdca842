/* SPDX-License-Identifier: MIT */
/* The page of stubs through which guests make hypercalls (public/xen.h): 32 bytes for each number. */
#include "lib/lib.h"
#include "pv/pv.h"

#define STUB_SIZE 32

/* push %rcx; push %r11; mov $nr, %eax; syscall; pop %r11; pop %rcx; ret */
static const uint8_t call_stub[] = {0x51, 0x41, 0x53, 0xb8, 0,	  0,	0,
				    0,	  0x0f, 0x05, 0x41, 0x5b, 0x59, 0xc3};
/* push %rcx; push %r11; push %rax; mov $nr, %eax; syscall: the frame is struct iret_context. */
static const uint8_t iret_stub[] = {0x51, 0x41, 0x53, 0x50, 0xb8, 0, 0, 0, 0, 0x0f, 0x05};

void hypercall_page_init(void *page)
{
	uint8_t *stub = page;

	memset(page, 0xcc, PAGE_SIZE); /* int3 where no one has anything to run */
	for (unsigned int nr = 0; nr < PAGE_SIZE / STUB_SIZE; nr++, stub += STUB_SIZE) {
		if (nr == __HYPERVISOR_iret) {
			memcpy(stub, iret_stub, sizeof(iret_stub));
			stub[5] = (uint8_t)nr;
		} else {
			memcpy(stub, call_stub, sizeof(call_stub));
			stub[4] = (uint8_t)nr;
		}
	}
}
