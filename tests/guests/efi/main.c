/* SPDX-License-Identifier: MIT */
/*
 * UEFI's runtime services through platform_op: time, variables, their bad arguments, and what a call may not change.
 * On a machine with a BIOS all of them are -ENOSYS.
 */
#include "../test.h"
#include <public/platform.h>

#define EFI_ERROR(n)	     (1ul << 63 | (n))
#define EFI_BUFFER_TOO_SMALL EFI_ERROR(5)
#define EFI_NOT_FOUND	     EFI_ERROR(14)
#define TEMPORARY	     (XEN_EFI_VARIABLE_BOOTSERVICE_ACCESS | XEN_EFI_VARIABLE_RUNTIME_ACCESS)

#define AREA		     0x0000200000000000ul

static const struct xenpf_efi_guid ours = {0xcee6e000, 0x1234, 0x5678, {1, 2, 3, 4, 5, 6, 7, 8}};
static const uint16_t name[] = u"CerneTest";
static struct xen_platform_op op;
static bool uefi;

#define CALL (op.u.efi_runtime_call)

static void prepare(uint32_t function)
{
	memset(&op, 0, sizeof(op));
	op.cmd = XENPF_efi_runtime_call;
	op.interface_version = XENPF_INTERFACE_VERSION;
	CALL.function = function;
}

static long call(void)
{
	CALL.status = ~0ul;
	return hypercall_platform_op(&op);
}

static bool no_uefi(void)
{
	if (!uefi)
		test_skip("the machine has a BIOS");
	return !uefi;
}

static void firmware(void)
{
	long result;

	memset(&op, 0, sizeof(op));
	op.cmd = XENPF_firmware_info;
	op.interface_version = XENPF_INTERFACE_VERSION;
	op.u.firmware_info.type = XEN_FW_EFI_INFO;
	op.u.firmware_info.index = XEN_FW_EFI_RT_VERSION;
	result = hypercall_platform_op(&op);
	uefi = result == 0;
	prepare(XEN_EFI_get_time);
	if (uefi)
		EXPECT_TRUE(op.u.firmware_info.u.efi_info.version >> 16 >= 2 || call() == 0);
	else {
		EXPECT(result, -ENOSYS);
		EXPECT(call(), -ENOSYS);
		prepare(1000);
		EXPECT(call(), -ENOSYS);
	}
}

/* The configuration tables are in some area, whose end comes when size asks for too much. */
static void memory_info(void)
{
	struct xenpf_firmware_info *info = &op.u.firmware_info;
	uint64_t tables;

	if (no_uefi())
		return;
	memset(&op, 0, sizeof(op));
	op.cmd = XENPF_firmware_info;
	op.interface_version = XENPF_INTERFACE_VERSION;
	info->type = XEN_FW_EFI_INFO;
	info->index = XEN_FW_EFI_CONFIG_TABLE;
	EXPECT(hypercall_platform_op(&op), 0);
	tables = info->u.efi_info.cfg.addr;
	info->index = XEN_FW_EFI_MEM_INFO;
	info->u.efi_info.mem.addr = tables;
	info->u.efi_info.mem.size = ~0ul - tables;
	EXPECT(hypercall_platform_op(&op), 0);
	EXPECT(info->u.efi_info.mem.addr, tables);
	EXPECT((tables + info->u.efi_info.mem.size) % PAGE_SIZE, 0);
	EXPECT(info->u.efi_info.mem.type, 6); /* runtime data */
	EXPECT_TRUE(info->u.efi_info.mem.attr >> 63);
	info->u.efi_info.mem.size = 10;
	EXPECT(hypercall_platform_op(&op), 0);
	EXPECT(info->u.efi_info.mem.size, 10);
	info->u.efi_info.mem.addr = 0xffffffffffff0000;
	EXPECT(hypercall_platform_op(&op), -ESRCH);
}

static void get_time(void)
{
	struct xenpf_efi_time first;

	if (no_uefi())
		return;
	prepare(XEN_EFI_get_time);
	EXPECT(call(), 0);
	EXPECT(CALL.status, 0);
	first = CALL.u.get_time.time;
	EXPECT_TRUE(first.year >= 2024 && first.year < 2100);
	EXPECT_TRUE(first.month >= 1 && first.month <= 12 && first.day >= 1 && first.day <= 31);
	EXPECT_TRUE(first.hour < 24 && first.min < 60 && first.sec < 60);
	prepare(XEN_EFI_set_time);
	CALL.u.set_time = first;
	CALL.u.set_time.year = 2031;
	EXPECT(call(), 0);
	EXPECT(CALL.status, 0);
	prepare(XEN_EFI_get_time);
	EXPECT(call(), 0);
	EXPECT(CALL.u.get_time.time.year, 2031);
	CALL.misc = 2;
	EXPECT(call(), -EINVAL);
	prepare(XEN_EFI_set_time);
	CALL.u.set_time.month = 13;
	EXPECT(call(), 0);
	EXPECT_TRUE(CALL.status >> 63);
	prepare(XEN_EFI_get_wakeup_time);
	EXPECT(call(), 0);
	prepare(XEN_EFI_set_wakeup_time);
	CALL.misc = 4;
	EXPECT(call(), -EINVAL);
}

static long set_variable(uint32_t attributes, const void *data, size_t size)
{
	prepare(XEN_EFI_set_variable);
	CALL.misc = attributes;
	set_xen_guest_handle(CALL.u.set_variable.name, (void *)name);
	set_xen_guest_handle(CALL.u.set_variable.data, (void *)data);
	CALL.u.set_variable.size = size;
	CALL.u.set_variable.vendor_guid = ours;
	return call();
}

static long get_variable(void *data, size_t size)
{
	prepare(XEN_EFI_get_variable);
	set_xen_guest_handle(CALL.u.get_variable.name, (void *)name);
	set_xen_guest_handle(CALL.u.get_variable.data, data);
	CALL.u.get_variable.size = size;
	CALL.u.get_variable.vendor_guid = ours;
	return call();
}

static void variables(void)
{
	static const char text[] = "what is kept";
	char found[64] = {0};

	if (no_uefi())
		return;
	EXPECT(get_variable(found, sizeof(found)), 0);
	EXPECT(CALL.status, EFI_NOT_FOUND);
	EXPECT(set_variable(TEMPORARY, text, sizeof(text)), 0);
	if (CALL.status) {
		/* After boot a firmware may refuse those that are not kept; it has to take these. */
		EXPECT(set_variable(TEMPORARY | XEN_EFI_VARIABLE_NON_VOLATILE, text, sizeof(text)),
		       0);
		EXPECT(CALL.status, 0);
	}
	EXPECT(get_variable(found, sizeof(found)), 0);
	EXPECT(CALL.status, 0);
	EXPECT(CALL.u.get_variable.size, sizeof(text));
	EXPECT(CALL.misc & TEMPORARY, TEMPORARY);
	EXPECT(memcmp(found, text, sizeof(text)), 0);
	memset(found, 0x5a, sizeof(found));
	EXPECT(get_variable(found, 3), 0);
	EXPECT(CALL.status, EFI_BUFFER_TOO_SMALL);
	EXPECT(CALL.u.get_variable.size, sizeof(text));
	EXPECT(found[0], 0x5a);
	EXPECT(get_variable(NULL, 0), 0);
	EXPECT(CALL.status, EFI_BUFFER_TOO_SMALL);
	EXPECT(get_variable((void *)NOT_MAPPED, ~0ul), -EFAULT);
	EXPECT(get_variable((void *)OF_HYPERVISOR, 100), -EFAULT);
}

static void variable_names(void)
{
	static uint16_t buffer[512];
	unsigned int count = 0;
	bool found = false;

	if (no_uefi())
		return;
	prepare(XEN_EFI_get_next_variable_name);
	for (; count < 1000; count++) {
		set_xen_guest_handle(CALL.u.get_next_variable_name.name, buffer);
		CALL.u.get_next_variable_name.size = sizeof(buffer);
		CALL.misc = 0;
		if (!EXPECT(call(), 0) || CALL.status)
			break;
		found |=
		    memcmp(buffer, name, sizeof(name)) == 0 &&
		    memcmp(&CALL.u.get_next_variable_name.vendor_guid, &ours, sizeof(ours)) == 0;
	}
	EXPECT(CALL.status, EFI_NOT_FOUND);
	EXPECT_TRUE(count > 5 && found);
	/* From the start into a buffer of two bytes. */
	prepare(XEN_EFI_get_next_variable_name);
	buffer[0] = 0;
	buffer[1] = 0x5a5a;
	set_xen_guest_handle(CALL.u.get_next_variable_name.name, buffer);
	CALL.u.get_next_variable_name.size = 2;
	EXPECT(call(), 0);
	EXPECT(CALL.status, EFI_BUFFER_TOO_SMALL);
	EXPECT_TRUE(CALL.u.get_next_variable_name.size > 2);
	EXPECT(buffer[1], 0x5a5a);
}

static void variable_space(void)
{
	if (no_uefi())
		return;
	prepare(XEN_EFI_query_variable_info);
	CALL.u.query_variable_info.attr = TEMPORARY | XEN_EFI_VARIABLE_NON_VOLATILE;
	EXPECT(call(), 0);
	EXPECT(CALL.status, 0);
	EXPECT_TRUE(CALL.u.query_variable_info.max_store_size >=
		    CALL.u.query_variable_info.remain_store_size);
	EXPECT_TRUE(CALL.u.query_variable_info.max_size > 0);
	CALL.misc = 2;
	EXPECT(call(), -EINVAL);
}

static void bad_arguments(void)
{
	static uint16_t endless[4096];
	char data[8];

	if (no_uefi())
		return;
	memset(endless, 'x', sizeof(endless));
	prepare(XEN_EFI_get_variable);
	CALL.u.get_variable.size = 0;
	set_xen_guest_handle(CALL.u.get_variable.name, (void *)NOT_MAPPED);
	EXPECT(call(), -EFAULT);
	set_xen_guest_handle(CALL.u.get_variable.name, (void *)OF_HYPERVISOR);
	EXPECT(call(), -EFAULT);
	set_xen_guest_handle(CALL.u.get_variable.name, endless);
	EXPECT(call(), -EINVAL);
	set_xen_guest_handle(CALL.u.get_variable.name, (void *)name);
	CALL.misc = 1;
	EXPECT(call(), -EINVAL);
	EXPECT(set_variable(TEMPORARY, data, ~0ul), -ENOMEM);
	EXPECT(set_variable(TEMPORARY, (void *)NOT_MAPPED, 100), -EFAULT);
	prepare(XEN_EFI_update_capsule);
	CALL.u.update_capsule.capsule_count = 1;
	CALL.u.update_capsule.sg_list = 0x1000;
	EXPECT(call(), -ENOSYS);
	prepare(XEN_EFI_query_capsule_capabilities);
	EXPECT(call(), -ENOSYS);
	prepare(1000);
	EXPECT(call(), -ENOSYS);
	prepare(0);
	EXPECT(call(), -ENOSYS);
}

/* What the firmware does with the FPU and finds in the debug registers is its own affair. */
static void state_is_kept(void)
{
	uint64_t before[2] = {0x0123456789abcdef, 0xfedcba9876543210}, after[2];
	uint16_t control = 0x27f, found;

	if (no_uefi())
		return;
	prepare(XEN_EFI_get_time);
	CALL.status = ~0ul;
	/* Nobody else may use the registers in between. */
	__asm__ volatile("fninit; fldcw %0; movups %1, %%xmm3" ::"m"(control), "m"(before));
	EXPECT(hypercall_platform_op(&op), 0);
	__asm__ volatile("fnstcw %0; movups %%xmm3, %1" : "=m"(found), "=m"(after));
	EXPECT(found, control);
	EXPECT_TRUE(after[0] == before[0] && after[1] == before[1]);
	EXPECT(CALL.status, 0);
	__asm__ volatile("fninit");
}

/* All vCPUs at once: each gets its answer. */
#define ROUNDS 200
static volatile unsigned int finished, wrong;

static void many_calls(void)
{
	struct xen_platform_op mine;

	for (int i = 0; i < ROUNDS; i++) {
		memset(&mine, 0, sizeof(mine));
		mine.cmd = XENPF_efi_runtime_call;
		mine.interface_version = XENPF_INTERFACE_VERSION;
		mine.u.efi_runtime_call.function = XEN_EFI_get_time;
		if (hypercall_platform_op(&mine) || mine.u.efi_runtime_call.status ||
		    mine.u.efi_runtime_call.u.get_time.time.year != 2031)
			__atomic_fetch_add(&wrong, 1, __ATOMIC_SEQ_CST);
	}
	__atomic_fetch_add(&finished, 1, __ATOMIC_SEQ_CST);
}

static void calls_elsewhere(void *argument)
{
	many_calls();
	for (;;)
		hypercall_vcpu_op(VCPUOP_down, (unsigned int)(unsigned long)argument, NULL);
}

static void at_once(void)
{
	unsigned int vcpus = vcpu_count();

	if (no_uefi())
		return;
	for (unsigned long i = 1; i < vcpus; i++)
		EXPECT(vcpu_start(i, calls_elsewhere, (void *)i, test_stack()), 0);
	many_calls();
	while (finished < vcpus)
		hypercall_sched_op(SCHEDOP_yield, NULL);
	EXPECT(wrong, 0);
}

/* One that is kept when the power goes, in flash memory if the machine has one; then none is left. */
static void variables_go(void)
{
	char found[64];

	if (no_uefi())
		return;
	EXPECT(set_variable(0, NULL, 0), 0);
	EXPECT(CALL.status, 0);
	EXPECT(set_variable(TEMPORARY | XEN_EFI_VARIABLE_NON_VOLATILE, "kept", 5), 0);
	EXPECT(CALL.status, 0);
	EXPECT(get_variable(found, sizeof(found)), 0);
	EXPECT(CALL.status, 0);
	EXPECT(CALL.misc, TEMPORARY | XEN_EFI_VARIABLE_NON_VOLATILE);
	EXPECT(memcmp(found, "kept", 5), 0);
	if (test_argument_word("keep"))
		return;
	EXPECT(set_variable(0, NULL, 0), 0);
	EXPECT(CALL.status, 0);
	EXPECT(get_variable(found, sizeof(found)), 0);
	EXPECT(CALL.status, EFI_NOT_FOUND);
}

/* Overwrite the firmware's code, which the first domain can, and see what its fault does to others: nothing. */
static void broken(void)
{
	struct xenpf_firmware_info *info = &op.u.firmware_info;
	uint64_t end = 4ul << 30, size;

	for (uint64_t at = 0; at < end; at += size) {
		memset(&op, 0, sizeof(op));
		op.cmd = XENPF_firmware_info;
		op.interface_version = XENPF_INTERFACE_VERSION;
		info->type = XEN_FW_EFI_INFO;
		info->index = XEN_FW_EFI_MEM_INFO;
		info->u.efi_info.mem.addr = at;
		info->u.efi_info.mem.size = ~0ul - at;
		size = hypercall_platform_op(&op) ? 1ul << 20 : info->u.efi_info.mem.size;
		if (info->u.efi_info.mem.type != 5) /* runtime code */
			continue;
		for (uint64_t page = at; page < at + size; page += PAGE_SIZE) {
			EXPECT(page_map(page_root, AREA, pte_make(page >> PAGE_SHIFT, PTE_DATA),
					DOMID_IO),
			       0);
			memset((void *)AREA, 0x06, PAGE_SIZE); /* no instruction in 64-bit code */
		}
	}
	prepare(XEN_EFI_get_time);
	EXPECT(call(), -EOPNOTSUPP);
	EXPECT(call(), -EOPNOTSUPP);
	EXPECT(hypercall_xen_version(XENVER_version, NULL), 4 << 16 | 17);
}

static const struct test broken_tests[] = {
    {"is there UEFI", firmware},
    {"broken firmware", broken},
};

static const struct test tests[] = {
    {"is there UEFI", firmware},
    {"memory areas", memory_info},
    {"time", get_time},
    {"variables", variables},
    {"names of variables", variable_names},
    {"space for variables", variable_space},
    {"bad arguments", bad_arguments},
    {"FPU state over a call", state_is_kept},
    {"calls by all vCPUs", at_once},
    {"variables go", variables_go},
};

void guest_main(void)
{
	if (test_argument_word("broken"))
		test_main("efi", broken_tests, COUNT_OF(broken_tests));
	else
		test_main("efi", tests, COUNT_OF(tests));
}
