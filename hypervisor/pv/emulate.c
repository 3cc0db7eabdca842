/* SPDX-License-Identifier: MIT */
/*
 * Instructions that only ring 0 may execute, carried out for a guest kernel (and port accesses for its
 * user mode, if the kernel allows them). They arrive as #GP; what is refused goes on as #GP to the guest.
 */
#include "pv/internal.h"
#include "lib/lib.h"
#include "mm/mm.h"
#include "pv/decode.h"

#define STRING_IO_BATCH \
	64 /* elements of rep ins/outs at a time; then the instruction is started again */
#define DR6_BS	     0x4000
#define LAR_LONG     0x200000 /* of a code segment: 64-bit */
#define XCR0_X87     0x1
#define XCR0_SSE     0x2
#define XCR0_AVX     0x4
#define XCR0_BNDREGS 0x8
#define XCR0_BNDCSR  0x10
#define XCR0_AVX512  0xe0

/* ---- registers ---- */

static uint64_t *general_register(struct cpu_user_regs *regs, unsigned int nr)
{
	static const uint8_t offset[16] = {
	    offsetof(struct cpu_user_regs, rax), offsetof(struct cpu_user_regs, rcx),
	    offsetof(struct cpu_user_regs, rdx), offsetof(struct cpu_user_regs, rbx),
	    offsetof(struct cpu_user_regs, rsp), offsetof(struct cpu_user_regs, rbp),
	    offsetof(struct cpu_user_regs, rsi), offsetof(struct cpu_user_regs, rdi),
	    offsetof(struct cpu_user_regs, r8),	 offsetof(struct cpu_user_regs, r9),
	    offsetof(struct cpu_user_regs, r10), offsetof(struct cpu_user_regs, r11),
	    offsetof(struct cpu_user_regs, r12), offsetof(struct cpu_user_regs, r13),
	    offsetof(struct cpu_user_regs, r14), offsetof(struct cpu_user_regs, r15),
	};

	return (uint64_t *)((char *)regs + offset[nr & 15]);
}

/* Write the low bytes of a register as the CPU would: 4 bytes clear the upper half. */
static void set_register(uint64_t *reg, unsigned int bytes, uint64_t value)
{
	switch (bytes) {
	case 1:
		*reg = (*reg & ~0xffUL) | (value & 0xff);
		break;
	case 2:
		*reg = (*reg & ~0xffffUL) | (value & 0xffff);
		break;
	case 4:
		*reg = (uint32_t)value;
		break;
	default:
		*reg = value;
		break;
	}
}

static void set_edx_eax(struct cpu_user_regs *regs, uint64_t value)
{
	regs->rax = (uint32_t)value;
	regs->rdx = value >> 32;
}

static uint64_t get_edx_eax(const struct cpu_user_regs *regs)
{
	return (uint32_t)regs->rax | regs->rdx << 32;
}

/* ---- ports ---- */

static bool port_io(struct vcpu *v, struct cpu_user_regs *regs, const struct insn *insn)
{
	uint16_t port = insn->port_given ? insn->port : (uint16_t)regs->rdx;

	if (!pv_port_permitted(v, port, insn->size))
		return false;
	if (insn->op == INSN_IN)
		set_register(&regs->rax, insn->size, pv_port_read(v->domain, port, insn->size));
	else
		pv_port_write(v->domain, port, insn->size, (uint32_t)regs->rax);
	return true;
}

/* A copy of `bytes` at va has failed: the page fault that the instruction itself would have had. */
static void inject_copy_fault(struct vcpu *v, vaddr_t va, unsigned int bytes, bool write)
{
	vaddr_t next_page = (va | ~PAGE_MASK) + 1;
	uint32_t error_code = write ? PFEC_WRITE : 0;
	uint8_t byte;

	/* If the access crosses into another page and its start can be read, the end is to blame. */
	if (next_page - va < bytes && copy_from_guest(&byte, va, 1) == 0)
		va = next_page;
	if (guest_walk(v, va) & PTE_PRESENT)
		error_code |= PFEC_PRESENT;
	pv_inject_page_fault(v, va, error_code);
}

/* One element between port and memory. False: the copy failed. */
static bool string_io_element(struct vcpu *v, const struct insn *insn, uint16_t port, vaddr_t va)
{
	uint32_t value = 0;

	if (insn->op == INSN_INS) {
		value = pv_port_read(v->domain, port, insn->size);
		return copy_to_guest(va, &value, insn->size) == 0;
	}
	if (copy_from_guest(&value, va, insn->size))
		return false;
	pv_port_write(v->domain, port, insn->size, value);
	return true;
}

/* ins, outs. Sets *again when the instruction has to go on, *fault when a page fault was injected. */
static bool string_io(struct vcpu *v, struct cpu_user_regs *regs, const struct insn *insn,
		      bool *again, bool *fault)
{
	uint64_t *index = insn->op == INSN_INS ? &regs->rdi : &regs->rsi;
	uint64_t mask = insn->address32 ? UINT32_MAX : UINT64_MAX;
	uint64_t count = insn->rep ? regs->rcx & mask : 1, base = 0;
	uint64_t step = regs->rflags & EFLAGS_DF ? -(uint64_t)insn->size : insn->size;
	uint16_t port = (uint16_t)regs->rdx;
	unsigned int width = insn->address32 ? 4 : 8;

	if (!pv_port_permitted(v, port, insn->size))
		return false;
	if (insn->op == INSN_OUTS && insn->segment == SEGMENT_FS)
		base = rdmsr(MSR_FS_BASE);
	else if (insn->op == INSN_OUTS && insn->segment == SEGMENT_GS)
		base = rdmsr(MSR_GS_BASE);

	for (unsigned int n = 0; count && n < STRING_IO_BATCH; n++) {
		vaddr_t va = base + (*index & mask);

		if (!guest_range_ok(va, insn->size))
			return false;
		if (!string_io_element(v, insn, port, va)) {
			inject_copy_fault(v, va, insn->size, insn->op == INSN_INS);
			*fault = true;
			return true;
		}
		set_register(index, width, *index + step);
		count--;
		if (insn->rep)
			set_register(&regs->rcx, width, count);
	}
	*again = count != 0;
	return true;
}

/* ---- control registers ---- */

static bool read_cr(struct vcpu *v, unsigned int nr, uint64_t *value)
{
	switch (nr) {
	case 0:
		*value = (read_cr0() & ~(uint64_t)CR0_TS) | (v->pv.ctrlreg[0] & CR0_TS);
		return true;
	case 2:
		*value = v->pv.ctrlreg[2];
		return true;
	case 3:
		*value = v->kernel_root << PAGE_SHIFT;
		return true;
	case 4:
		*value = (read_cr4() & CR4_VISIBLE) | v->pv.ctrlreg[4];
		return true;
	default:
		return false;
	}
}

/* Of CR0 only TS can be changed. */
static bool write_guest_cr0(struct vcpu *v, uint64_t value)
{
	uint64_t is;

	read_cr(v, 0, &is);
	if ((value ^ is) & ~(uint64_t)CR0_TS)
		return false;
	do_fpu_taskswitch(!!(value & CR0_TS));
	return true;
}

/* A new root, which may take several turns to validate: *again then. */
static bool write_guest_cr3(struct vcpu *v, uint64_t value, bool *again)
{
	int rc;

	/* The descriptors are where the tables map them: they are looked up again when used next. */
	if (v->pv.ldt_mapped)
		invalidate_ldt(v);
	rc = set_vcpu_root(v, (value & PTE_ADDR_MASK) >> PAGE_SHIFT, false);
	*again = rc == -EINTR;
	return !rc || *again;
}

static bool write_cr(struct vcpu *v, unsigned int nr, uint64_t value, bool *again)
{
	switch (nr) {
	case 0:
		return write_guest_cr0(v, value);
	case 2:
		set_cr2_view(v, value);
		return true;
	case 3:
		return write_guest_cr3(v, value, again);
	case 4:
		/* Fixed but for DE, which names the debug registers; other bits are accepted and lost. */
		v->pv.ctrlreg[4] = value & CR4_DE;
		return true;
	default:
		return false;
	}
}

static bool write_debugreg(unsigned int nr, uint64_t value)
{
	return do_set_debugreg((int)nr, value) == 0;
}

static bool read_debugreg(const struct vcpu *v, unsigned int nr, uint64_t *value)
{
	if (nr > 7 || ((nr == 4 || nr == 5) && v->pv.ctrlreg[4] & CR4_DE))
		return false;
	*value = (uint64_t)do_get_debugreg((int)nr);
	return true;
}

/* SDM 1 13.3: which sets of states may be enabled. */
bool pv_xcr0_ok(uint64_t xcr0)
{
	if (xcr0 & ~cpu_features.xcr0 || !(xcr0 & XCR0_X87))
		return false;
	if (xcr0 & XCR0_AVX && !(xcr0 & XCR0_SSE))
		return false;
	if (!(xcr0 & XCR0_BNDREGS) != !(xcr0 & XCR0_BNDCSR))
		return false;
	return !(xcr0 & XCR0_AVX512) || ((xcr0 & XCR0_AVX512) == XCR0_AVX512 && xcr0 & XCR0_AVX);
}

static bool xsetbv(struct vcpu *v, const struct cpu_user_regs *regs)
{
	uint64_t value = get_edx_eax(regs);

	if (!cpu_features.xsave || (uint32_t)regs->rcx != 0 || !pv_xcr0_ok(value))
		return false;
	v->pv.xcr0 = value;
	__asm__ volatile("xsetbv" ::"a"((uint32_t)value), "d"((uint32_t)(value >> 32)), "c"(0));
	return true;
}

/* ---- dispatch ---- */

/* What a kernel may do. False: #GP. */
static bool kernel_only(struct vcpu *v, struct cpu_user_regs *regs, const struct insn *insn,
			bool *again)
{
	uint64_t *rm = general_register(regs, insn->rm), value = 0;

	switch (insn->op) {
	case INSN_CLTS:
		do_fpu_taskswitch(0);
		return true;
	case INSN_WBINVD:
		if (v->domain->is_privileged)
			__asm__ volatile("wbinvd" ::: "memory");
		return true;
	case INSN_MOV_FROM_CR:
		return read_cr(v, insn->reg, rm);
	case INSN_MOV_TO_CR:
		return write_cr(v, insn->reg, *rm, again);
	case INSN_MOV_FROM_DR:
		return read_debugreg(v, insn->reg, rm);
	case INSN_MOV_TO_DR:
		return write_debugreg(insn->reg, *rm);
	case INSN_LMSW:
		/* Cannot clear PE (SDM 2: LMSW). */
		read_cr(v, 0, &value);
		value = (value & ~0xeUL) | (*rm & 0xf);
		return write_guest_cr0(v, value);
	case INSN_RDMSR:
		if (!pv_rdmsr(v, (uint32_t)regs->rcx, &value))
			return false;
		set_edx_eax(regs, value);
		return true;
	case INSN_WRMSR:
		return pv_wrmsr(v, (uint32_t)regs->rcx, get_edx_eax(regs));
	case INSN_XSETBV:
		return xsetbv(v, regs);
	default:
		return false;
	}
}

/* What user mode may do as well, or if its kernel lets it. False: #GP. */
static bool any_mode(struct vcpu *v, struct cpu_user_regs *regs, const struct insn *insn,
		     bool *again, bool *fault)
{
	uint64_t value = 0;

	switch (insn->op) {
	case INSN_IN:
	case INSN_OUT:
		return port_io(v, regs, insn);
	case INSN_INS:
	case INSN_OUTS:
		return string_io(v, regs, insn, again, fault);
	case INSN_CLI:
	case INSN_STI:
		/* No effect: events are masked in memory. It need only not fault where it would not. */
		return v->pv.iopl >= (v->pv.kernel_mode ? 1U : 3U);
	case INSN_SMSW: /* with CR4.UMIP alone */
		read_cr(v, 0, &value);
		set_register(general_register(regs, insn->rm), insn->size, value);
		return true;
	default:
		return v->pv.kernel_mode && kernel_only(v, regs, insn, again);
	}
}

/* Is the guest in a 64-bit code segment? Others have bases that this decoder does not look up. */
static bool in_64bit_code(const struct cpu_user_regs *regs)
{
	uint32_t rights = 0;

	if (likely(regs->cs == FLAT_RING3_CS64))
		return true;
	__asm__("lar %1, %0" : "+r"(rights) : "r"((uint32_t)regs->cs) : "cc");
	return rights & LAR_LONG;
}

/*
 * The instruction at rip: a few bytes first, because most are short, and nothing of the next page unless
 * it runs into that. INSN_TRUNCATED: it does, and that page cannot be read.
 */
static enum insn_result fetch(vaddr_t rip, struct insn *insn)
{
	const size_t in_page = PAGE_SIZE - (rip & ~PAGE_MASK);
	const size_t limits[] = {8, INSN_MAX_LENGTH};
	uint8_t bytes[INSN_MAX_LENGTH];
	enum insn_result result;

	for (unsigned int i = 0; i < ARRAY_SIZE(limits); i++) {
		size_t n = min(in_page, limits[i]);

		if (copy_from_guest(bytes, rip, n))
			return INSN_OTHER;
		result = insn_decode(bytes, n, insn);
		if (likely(result != INSN_TRUNCATED))
			return result;
	}
	if (copy_from_guest(bytes, rip, sizeof(bytes)))
		return INSN_TRUNCATED;
	return insn_decode(bytes, sizeof(bytes), insn);
}

/* What lies at va is part of an instruction and cannot be read. False: not a guest's address. */
static bool inject_fetch_fault(struct vcpu *v, vaddr_t va)
{
	if (!guest_range_ok(va, 1))
		return false;
	pv_inject_page_fault(v, va, cpu_features.nx ? PFEC_INSN : 0);
	return true;
}

/* The instruction is done: go on behind it, with the single-step trap if it was asked for. */
static void retire(struct vcpu *v, struct cpu_user_regs *regs, unsigned int length)
{
	regs->rip += length;
	regs->rflags &= ~(uint64_t)EFLAGS_RF;
	if (unlikely(regs->rflags & EFLAGS_TF)) {
		v->pv.debugreg[6] |= DR6_BS;
		pv_inject_trap(v, TRAP_DB, 0);
	}
}

bool pv_emulate_privileged(struct cpu_user_regs *regs)
{
	struct vcpu *v = current;
	struct insn insn;
	enum insn_result result;
	bool again = false, fault = false;

	if (!in_64bit_code(regs))
		return false;
	result = fetch(regs->rip, &insn);
	/* A CPU may look at its privilege before it has read the whole of an instruction. */
	if (unlikely(result == INSN_TRUNCATED))
		return inject_fetch_fault(v, (regs->rip | ~PAGE_MASK) + 1);
	if (result != INSN_OK)
		return false;
	if (!any_mode(v, regs, &insn, &again, &fault))
		return false;
	if (!again && !fault)
		retire(v, regs, insn.length);
	return true;
}

#define FORCED_PREFIX_LENGTH 5
#define FORCED_CPUID_LENGTH  7

/* The instruction behind the prefix runs into a page that cannot be read: its fetch would have faulted. */
static bool forced_fetch_fault(struct vcpu *v, vaddr_t rip)
{
	vaddr_t va = (rip + FORCED_PREFIX_LENGTH) | ~PAGE_MASK;

	/* The first byte of the instruction, or of the page into which it runs. */
	va = va + 1 < rip + FORCED_CPUID_LENGTH ? va + 1 : rip + FORCED_PREFIX_LENGTH;
	return inject_fetch_fault(v, va);
}

/* ud2; "xen"; cpuid: CPUID as the hypervisor wants it seen (public/arch-x86/xen.h: XEN_CPUID). */
bool pv_emulate_forced(struct cpu_user_regs *regs)
{
	static const uint8_t forced_cpuid[8] = {0x0f, 0x0b, 'x', 'e', 'n', 0x0f, 0xa2};
	struct vcpu *v = current;
	uint64_t expected, found = 0;
	uint32_t out[4];

	memcpy(&expected, forced_cpuid, sizeof(expected));
	if (unlikely(copy_from_guest(&found, regs->rip, FORCED_CPUID_LENGTH))) {
		found = 0;
		return copy_from_guest(&found, regs->rip, FORCED_PREFIX_LENGTH) == 0 &&
		       found == (expected & UINT64_MAX >> 24) && forced_fetch_fault(v, regs->rip);
	}
	if (found != expected)
		return false;
	pv_cpuid(v, (uint32_t)regs->rax, (uint32_t)regs->rcx, out);
	regs->rax = out[0];
	regs->rbx = out[1];
	regs->rcx = out[2];
	regs->rdx = out[3];
	retire(v, regs, FORCED_CPUID_LENGTH);
	return true;
}
