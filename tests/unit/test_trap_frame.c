/* SPDX-License-Identifier: MIT */
// sources: hypervisor/pv/bounce.c hypervisor/pv/iret.c
/* The frames that a guest kernel finds on its stack, and what iret makes of them. */
#include "unit.h"
#include "cpu/uaccess.h"
#include "cpu/x86.h"
#include "mm/mm.h"
#include "pv/internal.h"

struct cpu_info unit_cpu_info;

static struct domain domain;
static struct vcpu vcpu;
static struct vcpu_info info;
static uint64_t stack[64]; /* the guest's kernel stack, seen at STACK */
static unsigned int toggles, crashes;
static bool copies_fail;

#define STACK	  0x10000UL
#define STACK_TOP (STACK + sizeof(stack))
#define HANDLER	  0x7000UL

void pv_switch_mode(struct vcpu *v, bool kernel)
{
	assert_true(v->pv.kernel_mode != kernel);
	v->pv.kernel_mode = kernel;
	toggles++;
}

void domain_crash(struct domain *d, const char *fmt, ...)
{
	crashes++;
	d->is_shut_down = true;
}

static char *host(vaddr_t va, size_t len)
{
	if (copies_fail || va < STACK || va > STACK_TOP || len > STACK_TOP - va)
		return NULL;
	return (char *)stack + (va - STACK);
}

int copy_to_guest(vaddr_t dst, const void *src, size_t len)
{
	if (!host(dst, len))
		return -EFAULT;
	memcpy(host(dst, len), src, len);
	return 0;
}

int put_guest_u64(vaddr_t dst, uint64_t value)
{
	return copy_to_guest(dst, &value, sizeof(value));
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

/* As traps.c does it, without the names. */
void pv_inject_trap(struct vcpu *v, unsigned int vector, uint32_t error_code)
{
	pv_bounce(v, v->pv.trap[vector].eip, 0, error_code, "a trap");
}

static struct cpu_user_regs *regs(void)
{
	return &unit_cpu_info.guest_regs;
}

static int set_up(void **state)
{
	memset(&unit_cpu_info, 0, sizeof(unit_cpu_info));
	memset(&domain, 0, sizeof(domain));
	memset(&vcpu, 0, sizeof(vcpu));
	memset(&info, 0, sizeof(info));
	memset(stack, 0xaa, sizeof(stack));
	unit_cpu_info.vcpu = &vcpu;
	vcpu.domain = &domain;
	vcpu.vcpu_info = &info;
	vcpu.pv.kernel_mode = true;
	vcpu.pv.kernel_sp = STACK_TOP;
	vcpu.user_root = 1;
	*regs() = (struct cpu_user_regs){
	    .rcx = 0xcccc,
	    .r11 = 0x1111,
	    .rip = 0x4000,
	    .cs = FLAT_KERNEL_CS,
	    .ss = FLAT_KERNEL_SS,
	    .rflags = EFLAGS_FIXED | EFLAGS_IF | EFLAGS_CF,
	    .rsp = STACK + 256 + 5,
	    .ds = 0xd5,
	    .es = 0xe5,
	    .fs = 0xf5,
	    .gs = 0x65,
	};
	toggles = crashes = 0;
	copies_fail = false;
	return 0;
}

/* The frame that rsp points at. */
static const uint64_t *frame(void)
{
	return (const uint64_t *)host(regs()->rsp, 8);
}

static void expect_hardware_part(const uint64_t *f, uint64_t cs, uint64_t rflags, uint64_t rsp)
{
	assert_int_equal(f[0], 0x4000);
	assert_int_equal(f[1], cs);
	assert_int_equal(f[2], rflags);
	assert_int_equal(f[3], rsp);
	assert_int_equal(f[4], FLAT_KERNEL_SS);
}

static void test_from_kernel(void **state)
{
	pv_bounce(&vcpu, HANDLER, 0, 0, "");
	/* Aligned to 16, seven words below. */
	assert_int_equal(regs()->rsp, STACK + 256 - 7 * 8);
	assert_int_equal(frame()[0], 0xcccc);
	assert_int_equal(frame()[1], 0x1111);
	expect_hardware_part(frame() + 2, FLAT_KERNEL_CS & ~3, EFLAGS_FIXED | EFLAGS_IF | EFLAGS_CF,
			     STACK + 256 + 5);
	assert_int_equal(toggles, 0);
	assert_int_equal(regs()->rip, HANDLER);
	assert_int_equal(regs()->cs, FLAT_KERNEL_CS);
	assert_int_equal(regs()->ss, FLAT_KERNEL_SS);
	assert_int_equal(regs()->entry_vector, TRAP_syscall);
	assert_int_equal(info.evtchn_upcall_mask, 0);
	assert_int_equal(stack[(256 - 7 * 8) / 8 - 1], 0xaaaaaaaaaaaaaaaa);
}

static void test_from_user(void **state)
{
	vcpu.pv.kernel_mode = false;
	regs()->cs = 0x33;
	pv_bounce(&vcpu, HANDLER, BOUNCE_ERROR_CODE | BOUNCE_MASK_EVENTS, 0xabcd1234, "");
	assert_int_equal(toggles, 1);
	assert_true(vcpu.pv.kernel_mode);
	assert_int_equal(regs()->rsp, STACK_TOP - 8 * 8);
	assert_int_equal(frame()[2], 0xabcd1234);
	expect_hardware_part(frame() + 3, 0x33, EFLAGS_FIXED | EFLAGS_IF | EFLAGS_CF,
			     STACK + 256 + 5);
	assert_int_equal(info.evtchn_upcall_mask, 1);
}

static void test_masked(void **state)
{
	info.evtchn_upcall_mask = 0xff; /* any value but 0 */
	pv_bounce(&vcpu, HANDLER, BOUNCE_MASK_EVENTS, 0, "");
	expect_hardware_part(frame() + 2, (FLAT_KERNEL_CS & ~3) | 1UL << 32,
			     EFLAGS_FIXED | EFLAGS_CF, STACK + 256 + 5);
	assert_int_equal(info.evtchn_upcall_mask, 1);
}

static void test_flags(void **state)
{
	regs()->rflags |= EFLAGS_TF | EFLAGS_NT | EFLAGS_RF | EFLAGS_AC | EFLAGS_DF;
	pv_bounce(&vcpu, HANDLER, 0, 0, "");
	/* The frame has them all, the handler keeps what a trap keeps. */
	assert_int_equal(frame()[4], EFLAGS_FIXED | EFLAGS_IF | EFLAGS_CF | EFLAGS_TF | EFLAGS_NT |
					 EFLAGS_RF | EFLAGS_AC | EFLAGS_DF);
	assert_int_equal(regs()->rflags, EFLAGS_FIXED | EFLAGS_IF | EFLAGS_CF | EFLAGS_DF);
}

static void test_iopl_view(void **state)
{
	vcpu.pv.iopl = 3;
	pv_bounce(&vcpu, HANDLER, 0, 0, "");
	assert_int_equal(frame()[4] & EFLAGS_IOPL, 0);
	set_up(state);
	vcpu.pv.iopl = 1;
	domain.mm.vm_assist = 1U << VMASST_TYPE_architectural_iopl;
	pv_bounce(&vcpu, HANDLER, 0, 0, "");
	assert_int_equal(frame()[4] & EFLAGS_IOPL, 0x1000);
}

static void test_failsafe(void **state)
{
	vcpu.pv.failsafe = (struct pv_callback){HANDLER, true};
	pv_inject_failsafe(&vcpu);
	assert_int_equal(frame()[0], 0xcccc);
	assert_int_equal(frame()[1], 0x1111);
	assert_int_equal(frame()[2], 0xd5);
	assert_int_equal(frame()[3], 0xe5);
	assert_int_equal(frame()[4], 0xf5);
	assert_int_equal(frame()[5], 0x65);
	assert_int_equal(frame()[6], 0x4000);
	assert_int_equal(info.evtchn_upcall_mask, 1);
}

static void test_crashes(void **state)
{
	pv_bounce(&vcpu, 0, 0, 0, "");
	assert_int_equal(crashes, 1);
	set_up(state);
	regs()->rsp = STACK + 32; /* no room */
	pv_bounce(&vcpu, HANDLER, 0, 0, "");
	assert_int_equal(crashes, 1);
	assert_int_equal(regs()->rip, 0x4000);
	set_up(state);
	regs()->rsp = 16; /* the frame wraps around */
	pv_bounce(&vcpu, HANDLER, 0, 0, "");
	assert_int_equal(crashes, 1);
}

static void test_events(void **state)
{
	vcpu.pv.event = (struct pv_callback){HANDLER, true};
	pv_deliver_events();
	assert_int_equal(regs()->rip, 0x4000);
	info.evtchn_upcall_pending = 1;
	info.evtchn_upcall_mask = 1;
	pv_deliver_events();
	assert_int_equal(regs()->rip, 0x4000);
	info.evtchn_upcall_mask = 0;
	pv_deliver_events();
	assert_int_equal(regs()->rip, HANDLER);
	assert_int_equal(info.evtchn_upcall_mask, 1);
	/* Masked by its own delivery: not twice. */
	pv_deliver_events();
	assert_int_equal(regs()->rsp, STACK + 256 - 7 * 8);
}

static void test_nmi(void **state)
{
	vcpu.pv.trap[TRAP_NMI] = (struct pv_trap){.eip = 0x9000, .mask_events = true};
	vcpu.pv.event = (struct pv_callback){HANDLER, true};
	vcpu.pv.nmi_pending = true;
	info.evtchn_upcall_pending = 1;
	pv_deliver_events();
	assert_int_equal(regs()->rip, 0x9000);
	/* The next one waits for iret, and pending does not stay set, or the exit would turn for ever. */
	vcpu.pv.nmi_pending = true;
	regs()->rip = 0x4000;
	pv_deliver_events();
	assert_false(vcpu.pv.nmi_pending);
	assert_int_equal(regs()->rip, 0x4000);
	do_iret();
	assert_true(vcpu.pv.nmi_pending && !vcpu.pv.nmi_masked && !vcpu.pv.nmi_deferred);
}

static void test_syscall(void **state)
{
	vcpu.pv.kernel_mode = false;
	vcpu.pv.syscall = (struct pv_callback){HANDLER, false};
	vcpu.pv.syscall32 = (struct pv_callback){0x8000, true};
	pv_syscall_from_user(regs(), &vcpu);
	assert_int_equal(regs()->rip, HANDLER);
	assert_int_equal(info.evtchn_upcall_mask, 0);
	assert_int_equal(regs()->rsp, STACK_TOP - 56);
	assert_int_equal(frame()[3], FLAT_USER_CS64);
	assert_int_equal(frame()[6], FLAT_USER_SS64);
	assert_true(vcpu.pv.kernel_mode);
	set_up(state);
	vcpu.pv.kernel_mode = false;
	vcpu.pv.syscall32 = (struct pv_callback){0x8000, true};
	regs()->cs = FLAT_USER_CS32;
	pv_syscall32(regs());
	assert_int_equal(frame()[3], FLAT_USER_CS32);
	assert_int_equal(regs()->cs, FLAT_KERNEL_CS);
	assert_int_equal(regs()->entry_vector, TRAP_syscall);
	assert_int_equal(regs()->rip, 0x8000);
	assert_int_equal(info.evtchn_upcall_mask, 1);
	/* Without a callback it is an undefined instruction, where it stands. */
	set_up(state);
	vcpu.pv.kernel_mode = false;
	vcpu.pv.trap[TRAP_UD].eip = 0x6000;
	pv_syscall_from_user(regs(), &vcpu);
	assert_int_equal(regs()->rip, 0x6000);
	assert_int_equal(frame()[2], 0x4000 - 2);
	set_up(state);
	vcpu.pv.trap[TRAP_UD].eip = 0x6000;
	pv_syscall32(regs());
	assert_int_equal(regs()->rip, 0x6000);
}

static struct iret_context *iret_frame(void)
{
	struct iret_context *f;

	regs()->rsp = STACK + 64;
	f = (struct iret_context *)host(regs()->rsp, sizeof(*f));
	*f = (struct iret_context){
	    .rax = 0xa0,
	    .r11 = 0xb1,
	    .rcx = 0xc1,
	    .rip = 0x5000,
	    .cs = FLAT_KERNEL_CS & ~3,
	    .rflags = EFLAGS_IF | EFLAGS_DF,
	    .rsp = 0x12345,
	    .ss = FLAT_KERNEL_SS,
	};
	return f;
}

static void test_iret_kernel(void **state)
{
	iret_frame();
	info.evtchn_upcall_mask = 1;
	regs()->entry_vector = TRAP_syscall;
	assert_int_equal(do_iret(), 0xa0);
	assert_int_equal(regs()->rip, 0x5000);
	assert_int_equal(regs()->cs, FLAT_KERNEL_CS);
	assert_int_equal(regs()->rsp, 0x12345);
	assert_int_equal(regs()->rcx, 0xc1);
	assert_int_equal(regs()->r11, 0xb1);
	assert_int_equal(regs()->rflags, EFLAGS_FIXED | EFLAGS_IF | EFLAGS_DF);
	assert_int_equal(regs()->entry_vector, 0);
	assert_int_equal(info.evtchn_upcall_mask, 0);
	assert_int_equal(toggles, 0);
}

static void test_iret_user(void **state)
{
	struct iret_context *f = iret_frame();

	f->cs = 0x33;
	f->ss = 0x28;
	f->rflags = 0;
	do_iret();
	assert_int_equal(toggles, 1);
	assert_int_equal(regs()->cs, 0x33);
	assert_int_equal(regs()->ss, 0x2b);
	assert_int_equal(info.evtchn_upcall_mask, 1);
	assert_true(regs()->rflags & EFLAGS_IF);
	set_up(state);
	f = iret_frame();
	f->cs = 0x33;
	vcpu.user_root = INVALID_MFN;
	do_iret();
	assert_int_equal(crashes, 1);
	assert_int_equal(toggles, 0);
}

/* Flags that are the hypervisor's stay so; interrupts are always on. */
static void test_iret_flags(void **state)
{
	iret_frame()->rflags = ~0UL;
	do_iret();
	assert_int_equal(regs()->rflags & (EFLAGS_IOPL | EFLAGS_VM | EFLAGS_VIF | EFLAGS_VIP), 0);
	assert_int_equal(regs()->rflags >> 22, 0);
	assert_true(regs()->rflags & EFLAGS_TF);
	assert_int_equal(vcpu.pv.iopl, 0);
	iret_frame()->rflags = EFLAGS_IOPL;
	domain.mm.vm_assist = 1U << VMASST_TYPE_architectural_iopl;
	do_iret();
	assert_int_equal(vcpu.pv.iopl, 3);
	assert_true(regs()->rflags & EFLAGS_IF);
}

/* The form for system calls: neither rcx and r11 nor selectors count, and sysret will do, but for compatibility mode. */
static void test_iret_in_syscall(void **state)
{
	struct iret_context *f = iret_frame();

	f->flags = VGCF_in_syscall;
	f->cs = FLAT_USER_CS64;
	regs()->entry_vector = TRAP_syscall;
	do_iret();
	assert_int_equal(regs()->entry_vector, TRAP_syscall);
	assert_int_equal(regs()->rcx, 0xcccc);
	vcpu.pv.kernel_mode = true;
	f->cs = 0x33;
	f->ss = 0x2b;
	regs()->rsp = STACK + 64;
	do_iret();
	assert_int_equal(regs()->entry_vector, TRAP_syscall);
	assert_int_equal(regs()->cs, FLAT_USER_CS64);
	assert_int_equal(regs()->ss, FLAT_USER_SS64);
	assert_false(vcpu.pv.kernel_mode);
	vcpu.pv.kernel_mode = true;
	f->cs = FLAT_USER_CS32;
	regs()->rsp = STACK + 64;
	do_iret();
	assert_int_equal(regs()->entry_vector, 0);
	assert_int_equal(regs()->cs, FLAT_USER_CS32);
	assert_int_equal(regs()->rcx, 0xcccc);
}

static void test_iret_no_frame(void **state)
{
	regs()->rsp = STACK_TOP - 8;
	do_iret();
	assert_int_equal(crashes, 1);
	assert_int_equal(regs()->rip, 0x4000);
}

/* Where a frame may begin: not in the hypervisor's part, nor so that its later words would lie there. */
static void test_guest_block(void **state)
{
	assert_true(guest_block_ok(0));
	assert_true(guest_block_ok(0x7ffffffffff8));
	assert_false(guest_block_ok(HV_VIRT_START - PAGE_SIZE));
	assert_false(guest_block_ok(HV_VIRT_START - 8));
	assert_false(guest_block_ok(HV_VIRT_START));
	assert_false(guest_block_ok(HV_VIRT_END - 8));
	assert_true(guest_block_ok(HV_VIRT_END));
	assert_true(guest_block_ok(UINT64_MAX));
	vcpu.pv.kernel_mode = false;
	vcpu.pv.kernel_sp = HV_VIRT_START + 48;
	pv_bounce(&vcpu, HANDLER, 0, 0, "a trap");
	assert_int_equal(crashes, 1);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup(name, set_up)
	const struct CMUnitTest tests[] = {
	    TEST(test_guest_block),   TEST(test_from_kernel), TEST(test_from_user),
	    TEST(test_masked),	      TEST(test_flags),	      TEST(test_iopl_view),
	    TEST(test_failsafe),      TEST(test_crashes),     TEST(test_events),
	    TEST(test_nmi),	      TEST(test_syscall),     TEST(test_iret_kernel),
	    TEST(test_iret_user),     TEST(test_iret_flags),  TEST(test_iret_in_syscall),
	    TEST(test_iret_no_frame),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
