/* SPDX-License-Identifier: MIT */
// sources: hypervisor/pv/hypercall.c hypervisor/pv/hypercall_page.c
// flags: -fno-pie
// libs: -no-pie -Wl,--unresolved-symbols=ignore-all
/* Dispatch, continuation and multicall, with a guest whose memory is an array. */
#include "unit.h"
#include "console/console.h"
#include "cpu/x86.h"
#include "mm/mm.h"
#include "pv/internal.h"

struct cpu_info unit_cpu_info;

static struct domain domain;
static struct vcpu vcpu;
static struct multicall_entry list[12]; /* the guest's memory, at LIST */
static unsigned int calls, irets, preempt_after, continue_at, windows;
static bool window_finds_work;
static uint64_t seen_args[16];

#define LIST 0x100000UL

void guest_log(const char *fmt, ...)
{
}

static char *host(vaddr_t va, size_t len)
{
	if (va < LIST || va > LIST + sizeof(list) || len > LIST + sizeof(list) - va)
		return NULL;
	return (char *)list + (va - LIST);
}

int copy_to_guest(vaddr_t dst, const void *src, size_t len)
{
	if (!host(dst, len))
		return -EFAULT;
	memcpy(host(dst, len), src, len);
	return 0;
}

int copy_from_guest(void *dst, vaddr_t src, size_t len)
{
	if (!host(src, len))
		return -EFAULT;
	memcpy(dst, host(src, len), len);
	return 0;
}

int get_guest_u32(uint32_t *dst, vaddr_t src)
{
	return copy_from_guest(dst, src, sizeof(*dst));
}

int get_guest_u64(uint64_t *dst, vaddr_t src)
{
	return copy_from_guest(dst, src, sizeof(*dst));
}

int put_guest_u64(vaddr_t dst, uint64_t value)
{
	return copy_to_guest(dst, &value, sizeof(value));
}

bool preempt_check(void)
{
	windows++;
	return window_finds_work;
}

/* Two handlers of the table stand for all. */
long do_stack_switch(unsigned long ss, unsigned long sp)
{
	seen_args[calls++] = ss;
	if (preempt_after && calls >= preempt_after)
		unit_cpu_info.softirq_pending = 1;
	return (long)(ss + sp);
}

long do_memory_op(unsigned long cmd, vaddr_t arg)
{
	seen_args[calls++] = cmd;
	if (calls == continue_at)
		return hypercall_continue(__HYPERVISOR_memory_op, 2, cmd + 0x100, arg);
	return (long)cmd;
}

long do_iret(void)
{
	irets++;
	return 0x1ace;
}

static struct cpu_user_regs *regs(void)
{
	return &unit_cpu_info.guest_regs;
}

static int set_up(void **state)
{
	memset(&unit_cpu_info, 0, sizeof(unit_cpu_info));
	memset(list, 0, sizeof(list));
	unit_cpu_info.vcpu = &vcpu;
	vcpu.domain = &domain;
	calls = irets = preempt_after = continue_at = windows = 0;
	window_finds_work = false;
	regs()->rip = 0x5002;
	return 0;
}

static uint64_t call(uint64_t nr, uint64_t a, uint64_t b)
{
	regs()->rax = nr;
	regs()->rdi = a;
	regs()->rsi = b;
	pv_hypercall(regs());
	return regs()->rax;
}

static void test_dispatch(void **state)
{
	assert_int_equal(call(__HYPERVISOR_stack_switch, 5, 7), 12);
	assert_int_equal(call(11, 0, 0), -ENOSYS);
	assert_int_equal(call(55, 0, 0), -ENOSYS);
	assert_int_equal(call(56, 0, 0), -ENOSYS);
	assert_int_equal(call(1UL << 32 | __HYPERVISOR_stack_switch, 5, 7), -ENOSYS);
	assert_int_equal(call(UINT64_MAX, 0, 0), -ENOSYS);
	assert_int_equal(calls, 1);
	assert_int_equal(regs()->rip, 0x5002);
}

static void test_continuation(void **state)
{
	continue_at = 1;
	assert_int_equal(call(__HYPERVISOR_memory_op, 3, 9), __HYPERVISOR_memory_op);
	assert_int_equal(regs()->rip, 0x5000);
	assert_int_equal(regs()->rdi, 0x103);
	assert_int_equal(regs()->rsi, 9);
	/* Issued again as the registers say. */
	regs()->rip += 2;
	pv_hypercall(regs());
	assert_int_equal(regs()->rax, 0x103);
	assert_int_equal(regs()->rip, 0x5002);
}

static void entry(unsigned int i, uint64_t op, uint64_t a, uint64_t b)
{
	list[i] = (struct multicall_entry){.op = op, .result = 0x5555, .args = {a, b}};
}

static void test_multicall(void **state)
{
	entry(0, __HYPERVISOR_stack_switch, 1, 2);
	entry(1, 11, 0, 0);
	entry(2, __HYPERVISOR_multicall, LIST, 1);
	entry(3, UINT64_MAX, 0, 0);
	entry(4, __HYPERVISOR_stack_switch, 3, 4);
	assert_int_equal(call(__HYPERVISOR_multicall, LIST, 5), 0);
	assert_int_equal(list[0].result, 3);
	assert_int_equal(list[1].result, -ENOSYS);
	assert_int_equal(list[2].result, -EINVAL);
	assert_int_equal(list[3].result, -ENOSYS);
	assert_int_equal(list[4].result, 7);
	assert_int_equal(list[5].result, 0);
	assert_false(in_multicall());
	assert_int_equal(call(__HYPERVISOR_multicall, LIST, 0), 0);
}

static void test_multicall_bad_list(void **state)
{
	/* The last of the entries that are there is done before the one that is not is met. */
	for (unsigned int i = 0; i < ARRAY_SIZE(list); i++)
		entry(i, __HYPERVISOR_stack_switch, i, 0);
	assert_int_equal(call(__HYPERVISOR_multicall, LIST, ARRAY_SIZE(list) + 1), -EFAULT);
	assert_int_equal(calls, ARRAY_SIZE(list));
	assert_false(in_multicall());
	assert_int_equal(call(__HYPERVISOR_multicall, HV_VIRT_START, 1), -EFAULT);
	assert_int_equal(call(__HYPERVISOR_multicall, HV_VIRT_START - 64, 2), -EFAULT);
	assert_int_equal(call(__HYPERVISOR_multicall, 0x0000800000000000, 1), -EFAULT);
	assert_int_equal(call(__HYPERVISOR_multicall, UINT64_MAX - 63, 4), -EFAULT);
	assert_false(in_multicall());
}

/* Between entries: the rest becomes a multicall of its own. */
static void test_multicall_preempted(void **state)
{
	for (unsigned int i = 0; i < 4; i++)
		entry(i, __HYPERVISOR_stack_switch, i, 0);
	preempt_after = 3;
	assert_int_equal(call(__HYPERVISOR_multicall, LIST, 4), __HYPERVISOR_multicall);
	assert_int_equal(calls, 3);
	assert_int_equal(regs()->rip, 0x5000);
	assert_int_equal(regs()->rdi, LIST + 3 * sizeof(list[0]));
	assert_int_equal(regs()->rsi, 1);
	assert_false(in_multicall());
	/* However pressing, one entry a time gets done. */
	unit_cpu_info.softirq_pending = 0;
	preempt_after = 1;
	regs()->rip += 2;
	pv_hypercall(regs());
	assert_int_equal(calls, 4);
	assert_int_equal(regs()->rax, 0);
}

/* Interrupts are let in once every eight entries. */
static void test_multicall_window(void **state)
{
	for (unsigned int i = 0; i < 12; i++)
		entry(i, __HYPERVISOR_stack_switch, i, 0);
	assert_int_equal(call(__HYPERVISOR_multicall, LIST, 8), 0);
	assert_int_equal(windows, 0);
	window_finds_work = true;
	assert_int_equal(call(__HYPERVISOR_multicall, LIST, 12), __HYPERVISOR_multicall);
	assert_int_equal(windows, 1);
	assert_int_equal(calls, 8 + 8);
	assert_int_equal(regs()->rdi, LIST + 8 * sizeof(list[0]));
	assert_int_equal(regs()->rsi, 4);
}

/* Within an entry: it is rewritten in the guest's list and run again. */
static void test_multicall_continued_entry(void **state)
{
	entry(0, __HYPERVISOR_stack_switch, 1, 1);
	entry(1, __HYPERVISOR_memory_op, 3, 9);
	entry(2, __HYPERVISOR_stack_switch, 2, 2);
	continue_at = 2;
	assert_int_equal(call(__HYPERVISOR_multicall, LIST, 3), __HYPERVISOR_multicall);
	assert_int_equal(list[1].args[0], 0x103);
	assert_int_equal(list[1].args[1], 9);
	assert_int_equal(list[1].result, 0x5555);
	assert_int_equal(list[2].result, 0x5555);
	assert_int_equal(regs()->rdi, LIST + sizeof(list[0]));
	assert_int_equal(regs()->rsi, 2);
	regs()->rip += 2;
	pv_hypercall(regs());
	assert_int_equal(regs()->rax, 0);
	assert_int_equal(list[1].result, 0x103);
	assert_int_equal(list[2].result, 4);
}

static void test_multicall_iret(void **state)
{
	entry(0, __HYPERVISOR_iret, 0, 0);
	entry(1, __HYPERVISOR_stack_switch, 1, 1);
	assert_int_equal(call(__HYPERVISOR_multicall, LIST, 2), 0);
	assert_int_equal(irets, 0);
	assert_int_equal(list[0].result, -EINVAL);
	assert_int_equal(list[1].result, 2);
	assert_int_equal(call(__HYPERVISOR_iret, 0, 0), 0x1ace);
}

static void test_page(void **state)
{
	static uint8_t page[PAGE_SIZE] __attribute__((aligned(4096)));
	static const uint8_t call_17[] = {0x51, 0x41, 0x53, 0xb8, 17,	0,    0,   0,
					  0x0f, 0x05, 0x41, 0x5b, 0x59, 0xc3, 0xcc};
	static const uint8_t call_23[] = {0x51, 0x41, 0x53, 0x50, 0xb8, 23,
					  0,	0,    0,    0x0f, 0x05, 0xcc};

	hypercall_page_init(page);
	assert_memory_equal(page + 17 * 32, call_17, sizeof(call_17));
	assert_memory_equal(page + 23 * 32, call_23, sizeof(call_23));
	assert_int_equal(page[127 * 32 + 4], 127);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup(name, set_up)
	const struct CMUnitTest tests[] = {
	    TEST(test_dispatch),
	    TEST(test_continuation),
	    TEST(test_multicall),
	    TEST(test_multicall_bad_list),
	    TEST(test_multicall_preempted),
	    TEST(test_multicall_window),
	    TEST(test_multicall_continued_entry),
	    TEST(test_multicall_iret),
	    TEST(test_page),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
