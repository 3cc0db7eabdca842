/* SPDX-License-Identifier: MIT */
/*
 * Writable page tables (VMASST_TYPE_writable_pagetables, done whether asked for or not): a guest kernel's plain write to an entry of a
 * level-1 table faults, since the table is mapped read-only. The write is decoded, computed, and done as
 * an update of that entry, with all checks. What is not understood or not allowed stays a page fault.
 *
 * Encodings and effects: SDM volume 2. In 64-bit mode, so what 32-bit code of a guest kernel might mean by
 * the same bytes is its own loss: nothing but a checked update of its own tables comes of it.
 */
#include "mm/emulate_pte.h"
#include "mm/page_type.h"
#include "cpu/cpu.h"
#include "cpu/x86.h"
#include "lib/errno.h"

#define FLAG_CF	  0x1UL
#define FLAG_PF	  0x4UL
#define FLAG_AF	  0x10UL
#define FLAG_ZF	  0x40UL
#define FLAG_SF	  0x80UL
#define FLAG_OF	  0x800UL
#define FLAGS_ALU (FLAG_CF | FLAG_PF | FLAG_AF | FLAG_ZF | FLAG_SF | FLAG_OF)

/* ---- registers ---- */

static uint64_t *reg_of(struct cpu_user_regs *regs, unsigned int n)
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

	return (uint64_t *)((char *)regs + offset[n & 15]);
}

static uint64_t read_reg(const struct cpu_user_regs *regs, unsigned int n)
{
	return *reg_of((struct cpu_user_regs *)regs, n);
}

static uint64_t mask_of(unsigned int size)
{
	return size == 8 ? ~0UL : (1UL << (size * 8)) - 1;
}

/* As the CPU does: 32-bit results are zero-extended, shorter ones leave the rest. */
static void write_reg(struct cpu_user_regs *regs, unsigned int n, unsigned int size, bool high_byte,
		      uint64_t val)
{
	uint64_t *reg = reg_of(regs, n);

	if (high_byte)
		*reg = (*reg & ~0xff00UL) | (val & 0xff) << 8;
	else if (size >= 4)
		*reg = val & mask_of(size);
	else
		*reg = (*reg & ~mask_of(size)) | (val & mask_of(size));
}

/* ---- decoding ---- */

struct decoder {
	const uint8_t *insn;
	unsigned int len, at;
	const struct cpu_user_regs *regs;
	uint8_t rex, modrm;
	bool word; /* operand-size prefix */
	bool rip_relative, fault;
};

#define REX_W 8
#define REX_R 4
#define REX_X 2
#define REX_B 1

/* n bytes, sign-extended; beyond the end: fault. */
static uint64_t fetch(struct decoder *c, unsigned int n)
{
	uint64_t val = 0;

	if (c->at + n > c->len) {
		c->fault = true;
		return 0;
	}
	for (unsigned int i = 0; i < n; i++)
		val |= (uint64_t)c->insn[c->at + i] << (8 * i);
	c->at += n;
	switch (n) {
	case 1:
		return (uint64_t)(int8_t)val;
	case 2:
		return (uint64_t)(int16_t)val;
	case 4:
		return (uint64_t)(int32_t)val;
	default:
		return val;
	}
}

static unsigned int modrm_reg(const struct decoder *c)
{
	return (c->modrm >> 3 & 7) | (c->rex & REX_R ? 8 : 0);
}

/* The memory operand's address (SDM 2 2.1.5, 2.2.1); a register operand is a fault: it would not. */
static vaddr_t fetch_address(struct decoder *c)
{
	unsigned int mod, rm;
	uint64_t address = 0;

	c->modrm = (uint8_t)fetch(c, 1);
	mod = c->modrm >> 6;
	rm = c->modrm & 7;
	if (mod == 3)
		c->fault = true;
	if (rm == 4) {
		uint8_t sib = (uint8_t)fetch(c, 1);
		unsigned int index = (sib >> 3 & 7) | (c->rex & REX_X ? 8 : 0);
		unsigned int base = sib & 7;

		if (index != 4)
			address = read_reg(c->regs, index) << (sib >> 6);
		if (base == 5 && mod == 0)
			address += fetch(c, 4);
		else
			address += read_reg(c->regs, base | (c->rex & REX_B ? 8 : 0));
	} else if (rm == 5 && mod == 0) {
		address = fetch(c, 4);
		c->rip_relative = true;
	} else {
		address = read_reg(c->regs, rm | (c->rex & REX_B ? 8 : 0));
	}
	if (mod == 1)
		address += fetch(c, 1);
	else if (mod == 2)
		address += fetch(c, 4);
	return address;
}

static void source_from_reg(struct decoder *c, struct pte_write *w)
{
	w->reg = modrm_reg(c);
	/* Without REX the byte registers 4 to 7 are the second bytes of the first four. */
	w->high_byte = w->size == 1 && !c->rex && w->reg >= 4;
	if (w->high_byte)
		w->reg -= 4;
	w->source = read_reg(c->regs, w->reg) >> (w->high_byte ? 8 : 0);
}

/* The register names a bit anywhere: from the operand's address on, in both directions. */
static void bit_from_reg(struct decoder *c, struct pte_write *w)
{
	int64_t bit;

	source_from_reg(c, w);
	bit = (int64_t)w->source;
	if (w->size == 4)
		bit = (int32_t)bit;
	else if (w->size == 2)
		bit = (int16_t)bit;
	w->source = (uint64_t)bit & (w->size * 8 - 1);
	w->address += (uint64_t)(bit >> 3) & ~(uint64_t)(w->size - 1);
}

static bool decode_0f(struct decoder *c, struct pte_write *w, unsigned int full, bool *lockable)
{
	uint8_t opcode = (uint8_t)fetch(c, 1);

	w->size = full;
	w->address = fetch_address(c);
	switch (opcode) {
	case 0xab:
	case 0xb3:
	case 0xbb:
		w->op = opcode == 0xab ? PTE_BTS : opcode == 0xb3 ? PTE_BTR : PTE_BTC;
		bit_from_reg(c, w);
		return true;
	case 0xba:
		if ((c->modrm >> 3 & 7) < 5)
			return false;
		w->op = PTE_BTS + (c->modrm >> 3 & 7) - 5;
		w->source = fetch(c, 1) & (full * 8 - 1);
		return true;
	case 0xb0:
	case 0xb1:
	case 0xc0:
	case 0xc1:
		w->op = opcode < 0xc0 ? PTE_CMPXCHG : PTE_XADD;
		if (!(opcode & 1))
			w->size = 1;
		source_from_reg(c, w);
		return true;
	case 0xc3: /* movnti */
		w->op = PTE_MOV;
		*lockable = false;
		source_from_reg(c, w);
		return !c->word;
	default:
		return false;
	}
}

static bool decode_opcode(struct decoder *c, struct pte_write *w, unsigned int full, bool *lockable)
{
	uint8_t opcode = (uint8_t)fetch(c, 1);
	unsigned int imm =
	    min(full, 4U); /* an immediate of the operand's size has at most four bytes */

	*lockable = true;
	if (opcode == 0x0f)
		return decode_0f(c, w, full, lockable);
	w->size = opcode & 1 ? full : 1;
	if (opcode < 0x40) {
		/* add or adc sbb and sub xor to memory: the first two forms of each */
		w->op = opcode >> 3;
		if ((opcode & 7) > 1 || w->op == PTE_CMP)
			return false;
		w->address = fetch_address(c);
		source_from_reg(c, w);
		return true;
	}
	switch (opcode) {
	case 0x80:
	case 0x81:
	case 0x83:
		w->address = fetch_address(c);
		w->op = c->modrm >> 3 & 7;
		w->source = fetch(c, opcode == 0x81 ? imm : 1);
		return w->op != PTE_CMP;
	case 0x86:
	case 0x87:
	case 0x88:
	case 0x89:
		*lockable = opcode < 0x88;
		w->op = opcode < 0x88 ? PTE_XCHG : PTE_MOV;
		w->address = fetch_address(c);
		source_from_reg(c, w);
		return true;
	case 0xa2:
	case 0xa3:
		*lockable = false;
		w->op = PTE_MOV;
		w->address = fetch(c, 8);
		w->source = c->regs->rax;
		return true;
	case 0xaa:
	case 0xab:
		*lockable = false;
		w->op = PTE_STOS;
		w->address = c->regs->rdi;
		w->source = c->regs->rax;
		return true;
	case 0xc6:
	case 0xc7:
		*lockable = false;
		w->op = PTE_MOV;
		w->address = fetch_address(c);
		w->source = fetch(c, min(w->size, 4U));
		return (c->modrm & 0x38) == 0;
	default:
		return false;
	}
}

bool pte_write_decode(const uint8_t *insn, unsigned int len, const struct cpu_user_regs *regs,
		      struct pte_write *w)
{
	struct decoder c = {.insn = insn, .len = len, .regs = regs};
	bool lock = false, lockable = false, prefix = true;

	if (c.len > MAX_INSN)
		c.len = MAX_INSN;
	*w = (struct pte_write){0};
	while (prefix && c.at < c.len) {
		switch (insn[c.at]) {
		case 0xf0:
			lock = true;
			break;
		case 0x66:
			c.word = true;
			break;
		case 0xf3:
			w->rep = true;
			break;
		case 0x26: /* segments without meaning in 64-bit mode; FS and GS have one */
		case 0x2e:
		case 0x36:
		case 0x3e:
			break;
		default:
			prefix = false;
			continue;
		}
		c.at++;
	}
	if (c.at < c.len && (insn[c.at] & 0xf0) == 0x40)
		c.rex = insn[c.at++];
	if (!decode_opcode(&c, w, c.rex & REX_W ? 8 : c.word ? 2 : 4, &lockable) || c.fault)
		return false;
	if ((lock && !lockable) || (w->rep && w->op != PTE_STOS) || (w->rep && regs->rcx == 0))
		return false;
	w->length = c.at;
	if (c.rip_relative)
		w->address += regs->rip + c.at;
	return true;
}

/* ---- executing ---- */

static uint64_t set_flags(uint64_t flags, uint64_t result, unsigned int size, bool carry,
			  bool overflow, bool adjust)
{
	unsigned int parity = (result ^ result >> 4) & 15;

	flags &= ~FLAGS_ALU;
	flags |= carry ? FLAG_CF : 0;
	flags |= overflow ? FLAG_OF : 0;
	flags |= adjust ? FLAG_AF : 0;
	flags |= (result & mask_of(size)) ? 0 : FLAG_ZF;
	flags |= result >> (size * 8 - 1) & 1 ? FLAG_SF : 0;
	flags |= 0x6996 >> parity & 1 ? 0 : FLAG_PF;
	return flags;
}

/* a op b, operands of size bytes; the flags as well. Logic leaves AF clear (undefined in the manual). */
static uint64_t alu(enum pte_write_op op, uint64_t a, uint64_t b, unsigned int size,
		    uint64_t *flags)
{
	uint64_t mask = mask_of(size), r;
	unsigned int top = size * 8 - 1;
	bool carry = (*flags & FLAG_CF) && (op == PTE_ADC || op == PTE_SBB);

	a &= mask;
	b &= mask;
	switch (op) {
	case PTE_ADD:
	case PTE_ADC:
		r = (a + b + carry) & mask;
		*flags = set_flags(*flags, r, size, r < a || (carry && r == a),
				   ((a ^ r) & (b ^ r)) >> top & 1, (a ^ b ^ r) & FLAG_AF);
		return r;
	case PTE_SUB:
	case PTE_SBB:
		r = (a - b - carry) & mask;
		*flags = set_flags(*flags, r, size, a < b || (carry && a == b),
				   ((a ^ b) & (a ^ r)) >> top & 1, (a ^ b ^ r) & FLAG_AF);
		return r;
	case PTE_OR:
		r = a | b;
		break;
	case PTE_AND:
		r = a & b;
		break;
	default:
		r = a ^ b;
		break;
	}
	*flags = set_flags(*flags, r, size, false, false, false);
	return r;
}

static uint64_t bit_op(const struct pte_write *w, uint64_t old, uint64_t *flags)
{
	uint64_t bit = 1UL << w->source;

	*flags = (*flags & ~FLAG_CF) | (old & bit ? FLAG_CF : 0);
	if (w->op == PTE_BTS)
		return old | bit;
	return w->op == PTE_BTR ? old & ~bit : old ^ bit;
}

static uint64_t cmpxchg(const struct pte_write *w, uint64_t old, struct cpu_user_regs *regs,
			uint64_t *flags)
{
	/* The accumulator minus the operand, for the flags. */
	if (alu(PTE_SUB, regs->rax, old, w->size, flags) == 0)
		return w->source;
	write_reg(regs, 0, w->size, false, old);
	return old;
}

static void advance_string(const struct pte_write *w, struct cpu_user_regs *regs)
{
	regs->rdi += regs->rflags & EFLAGS_DF ? -(uint64_t)w->size : w->size;
	if (w->rep)
		regs->rcx--;
}

uint64_t pte_write_execute(const struct pte_write *w, uint64_t old, struct cpu_user_regs *regs)
{
	uint64_t mask = mask_of(w->size), flags = regs->rflags, val = w->source;

	old &= mask;
	switch (w->op) {
	case PTE_MOV:
		break;
	case PTE_STOS:
		advance_string(w, regs);
		break;
	case PTE_XCHG:
		write_reg(regs, w->reg, w->size, w->high_byte, old);
		break;
	case PTE_XADD:
		val = alu(PTE_ADD, old, w->source, w->size, &flags);
		write_reg(regs, w->reg, w->size, w->high_byte, old);
		break;
	case PTE_CMPXCHG:
		val = cmpxchg(w, old, regs, &flags);
		break;
	case PTE_BTS:
	case PTE_BTR:
	case PTE_BTC:
		val = bit_op(w, old, &flags);
		break;
	default:
		val = alu(w->op, old, w->source, w->size, &flags);
		break;
	}
	regs->rflags = flags;
	return val & mask;
}

/* ---- the write ---- */

/* The instruction at rip: all 15 bytes, or those before the end of its page. */
static unsigned int fetch_instruction(uint8_t *insn, vaddr_t rip)
{
	unsigned int len = MAX_INSN;

	if (!copy_from_guest(insn, rip, len))
		return len;
	len = (unsigned int)min((uint64_t)len, PAGE_SIZE - (rip & (PAGE_SIZE - 1)));
	return copy_from_guest(insn, rip, len) ? 0 : len;
}

/* The entry that is written to, if va is mapped to a level-1 table of d's own. Lock held. */
static uint64_t *entry_written(struct vcpu *v, vaddr_t va)
{
	uint64_t *map = walk_to_l1(v, v->kernel_root, va), e, s;
	struct frame *f;

	e = map ? READ_ONCE(*map) : 0;
	if (!(e & PTE_PRESENT) || (e & PTE_RW))
		return NULL;
	f = frame_of_ram(entry_mfn(e));
	s = f ? frame_state(f) : 0;
	if ((s & (FRAME_TYPE | FRAME_VALID)) != (TYPE_BITS(PT_L1) | FRAME_VALID) ||
	    !state_refs(s) || !frame_is_owned(f, v->domain))
		return NULL;
	return (uint64_t *)((char *)mfn_to_virt(entry_mfn(e)) + (va & (PAGE_SIZE - 8)));
}

/* What an instruction may change, for when it comes to nothing. */
struct saved_regs {
	uint64_t rax, rcx, rdi, rflags, reg;
};

static struct saved_regs save_regs(const struct cpu_user_regs *regs, const struct pte_write *w)
{
	return (struct saved_regs){.rax = regs->rax,
				   .rcx = regs->rcx,
				   .rdi = regs->rdi,
				   .rflags = regs->rflags,
				   .reg = read_reg(regs, w->reg)};
}

static void restore_regs(struct cpu_user_regs *regs, const struct pte_write *w,
			 const struct saved_regs *saved)
{
	*reg_of(regs, w->reg) = saved->reg;
	regs->rax = saved->rax;
	regs->rcx = saved->rcx;
	regs->rdi = saved->rdi;
	regs->rflags = saved->rflags;
}

/* The CPU may set the entry's accessed and dirty bits while we compute: again then. */
static int write_entry_by(struct vcpu *v, const struct pte_write *w, struct cpu_user_regs *regs)
{
	struct saved_regs saved = save_regs(regs, w);
	unsigned int shift = (w->address & 7) * 8;
	uint64_t mask = mask_of(w->size) << shift;
	uint64_t *entry = entry_written(v, w->address);
	int rc;

	if (!entry)
		return -EINVAL;
	do {
		uint64_t old = READ_ONCE(*entry), new;

		new = (old & ~mask) | (pte_write_execute(w, old >> shift, regs) << shift & mask);
		rc = new == old ? 0 : compare_l1_entry(v->domain, entry, new, old);
		if (unlikely(rc))
			restore_regs(regs, w, &saved);
	} while (rc == -EAGAIN);
	return rc;
}

bool mm_emulate_pte_write(struct vcpu *v, vaddr_t va, struct cpu_user_regs *regs)
{
	struct domain *d = v->domain;
	uint8_t insn[MAX_INSN];
	struct pte_write w;
	unsigned int len;
	int rc;

	if (!guest_range_ok(va & ~7UL, 8))
		return false;
	len = fetch_instruction(insn, regs->rip);
	if (!pte_write_decode(insn, len, regs, &w))
		return false;
	/* One entry, and the one that it faulted on. */
	if ((w.address & ~7UL) != (va & ~7UL) || (w.address & 7) + w.size > 8)
		return false;
	spin_lock(&d->mm.lock);
	rc = write_entry_by(v, &w, regs);
	spin_unlock(&d->mm.lock);
	if (rc)
		return false;
	if (!w.rep || regs->rcx == 0)
		regs->rip += w.length;
	regs->rflags &= ~(uint64_t)EFLAGS_RF;
	return true;
}
